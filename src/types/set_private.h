/* What set.c, set_random.c and set_algebra.c share: the table form, keys of all forms, walks that bring keys. */
#ifndef TARN_TYPES_SET_PRIVATE_H
#define TARN_TYPES_SET_PRIVATE_H

#include "containers/pack.h"
#include "containers/table.h"
#include "types/intset.h"
#include "types/set.h"
#include "types/set_item.h"

/* So many members at a time have their memory fetched ahead. */
enum { SET__BATCH = 64 };

struct set_table {
	struct table table; /* of items */
	size_t piece_bytes; /* set__item_bytes of all */
};

static inline struct intset *set__ints(const struct value *s) {
	return s->data;
}
static inline struct pack *set__pack(const struct value *s) {
	return s->data;
}
static inline struct set_table *set__table(const struct value *s) {
	return s->data;
}

/* What set-max-intset-entries says, less than what an intset can take. */
size_t set__max_ints(const struct type_limits *limits);

/* An empty table with room for so many. */
struct value set__new_table(size_t expected);

/* Changes the form to a table with room for `expected` members. */
void set__to_table(struct value *s, size_t expected);

/* Changes the form from an intset to a pack. */
void set__to_pack(struct value *s);

/* Puts an item into the table, or takes it out; the item itself is the caller's. */
void set__table_put(struct set_table *t, uint64_t hash, void *item);
void set__table_take(struct set_table *t, struct table_place place);

/* Looks a member up. `key` is hashed when the form is a table. */
bool set__has(const struct value *s, const struct set_key *key);

/* Adds a member that is not there, and changes the form as need be. `key` is hashed when the form is a table. False without
 * memory. */
bool set__put(struct value *s, const struct set_key *key, const struct type_limits *limits);

/* Fetches what looking for the keys in a table will need. */
void set__prefetch(const struct table *t, const struct set_key *keys, size_t count);

/* An entry of a pack as a key. */
struct set_key set__key_of_entry(const struct pack *pack, size_t at, bool hashed);

/* All members as keys, in batches. All zero but `set` begins. The keys are valid until the set changes. */
struct set_walk {
	const struct value *set;
	/* Private. */
	struct table_walk _table;
	size_t _index;    /* SET_INTS: of the next; SET_PACK: its position */
	bool _pack_begun; /* a position of 0 is the end, from here on */
};
size_t set__walk(struct set_walk *walk, struct set_key *keys, size_t room, bool hashed);

#endif
