/* What BY and GET of SORT name: for each element a key, or a field of a hash, made from a pattern with the element in place
 * of the first asterisk. */
#ifndef TARN_COMMANDS_SORT_PATTERN_H
#define TARN_COMMANDS_SORT_PATTERN_H

#include "containers/pack.h"
#include "server/call.h"

struct sort_pattern {
	bool is_element; /* "#": the element itself */
	bool has_star;   /* without one it names nothing */
	struct slice before, after;
	struct slice field; /* of a hash, behind "->"; ptr NULL: the key is a string */
};

/* The parts are those of `text`. */
struct sort_pattern sort_pattern_of(struct slice text);

/* What a value was found to be. All zero at first; may be filled again and again; released once. */
struct sort_value {
	struct slice bytes; /* valid until the next look-up into it, and as long as nothing changes */
	struct buffer _name;
	char _scratch[PACK_SCRATCH_BYTES];
};
void sort_value_release(struct sort_value *value);

/* Looks the value up; `element` itself for "#". False when there is none: no key, no field, or another type. The caller
 * holds the world, or a transaction that does. */
bool sort_pattern_find(
	struct call *c, const struct sort_pattern *pattern, struct slice element, struct sort_value *value);

#endif
