/* A sorted set by its scores alone: for searches that turn down most of what they see by its score, and want to know
 * the members of the rest (GEOSEARCH). Walking over scores touches no member's memory.
 *
 *   struct zset_scores walk;
 *   zset_scores_from(z, 17, &walk);
 *   while (zset_scores_next(&walk, 20, &score, &handle)) …            // 17 <= score < 20
 *   struct slice member = zset_handle_member(z, handle, scratch);     // now or later
 *
 * Nothing here allocates. Valid until the value changes. */
#ifndef TARN_TYPES_ZSET_SCORES_H
#define TARN_TYPES_ZSET_SCORES_H

#include "containers/tree.h"
#include "types/value.h"

/* A member that was passed. */
struct zset_handle {
	/* Private: the item, or the position in the pack. */
	uintptr_t _at;
};

struct zset_scores {
	/* Private. */
	const struct tree *_tree;
	struct tree_run _run;
	const struct pack *_pack; /* NULL: a tree */
	size_t _at;               /* in the pack, or in the run */
};

/* Stands before the first member whose score is `from` or more. O(log n); O(bytes) in a pack. */
void zset_scores_from(const struct value *z, double from, struct zset_scores *walk);

/* Steps over the next one if its score is less than `below`, else is over. */
bool zset_scores_next(struct zset_scores *walk, double below, double *score, struct zset_handle *handle);

/* Asks for the memory of a member that will be wanted soon. */
void zset_handle_prefetch(const struct value *z, struct zset_handle handle);

/* The member; an integer in a pack is printed to `scratch` (NUMBER_I64_MAX_CHARS + 1 bytes). */
struct slice zset_handle_member(const struct value *z, struct zset_handle handle, char *scratch);

#endif
