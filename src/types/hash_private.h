/* The forms of a hash from inside: for hash*.c only. What they mean stands in hash.h. */
#ifndef TARN_TYPES_HASH_PRIVATE_H
#define TARN_TYPES_HASH_PRIVATE_H

#include "base/alloc.h"
#include "base/hash.h"
#include "containers/table.h"
#include "containers/tree.h"
#include "types/hash.h"

static inline bool hash__has_ended(int64_t end_ms, int64_t now_ms) {
	return end_ms >= 0 && end_ms < now_ms;
}

/* ---- Flat forms ---- */

/* Entries per field of a pack. */
static inline unsigned hash__stride(const struct value *h) {
	return h->encoding == HASH_PACK_ENDS ? 3 : 2;
}

/* offset size
 *      0    1  bytes in all
 *      1    1  fields
 *      2       field, value, field, value …: each a byte of length and the text */
struct hash_tight {
	uint8_t bytes;
	uint8_t fields;
	uint8_t texts[];
};
enum { HASH_TIGHT_MAX_BYTES = UINT8_MAX };

/* Where the parts of a field are, as positions in the pack or the tight form. */
struct hash_spot {
	size_t at; /* the field; 0: nowhere */
	size_t value_at;
	size_t end_at; /* 0 without ends */
	int64_t end_ms;
};

static inline size_t hash__first(const struct value *h) {
	const struct hash_tight *tight = h->data;
	if (h->encoding != HASH_TIGHT) return pack_first(h->data);
	return tight->fields ? sizeof(*tight) : 0;
}

/* The text at a position. */
static inline struct slice hash__text(const struct value *h, size_t at, char scratch[static PACK_SCRATCH_BYTES]) {
	if (h->encoding != HASH_TIGHT) return pack_text(h->data, at, scratch);
	const uint8_t *text = (const uint8_t *)h->data + at;
	return slice_of(text + 1, text[0]);
}

/* The parts of the field at `at`. */
static inline struct hash_spot hash__spot(const struct value *h, size_t at) {
	if (h->encoding == HASH_TIGHT)
		return (struct hash_spot){ at, at + 1 + ((const uint8_t *)h->data)[at], 0, HASH_NO_END };
	const struct pack *pack = h->data;
	struct hash_spot spot = { at, pack_next(pack, at), 0, HASH_NO_END };
	if (h->encoding == HASH_PACK_ENDS) {
		spot.end_at = pack_next(pack, spot.value_at);
		int64_t end_ms = pack_get(pack, spot.end_at).number;
		if (end_ms > 0) spot.end_ms = end_ms;
	}
	return spot;
}

/* The field behind one; 0 behind the last. */
static inline size_t hash__spot_next(const struct value *h, const struct hash_spot *spot) {
	if (h->encoding != HASH_TIGHT) return pack_next(h->data, spot->end_at ? spot->end_at : spot->value_at);
	const struct hash_tight *tight = h->data;
	size_t at = spot->value_at + 1 + ((const uint8_t *)h->data)[spot->value_at];
	return at < tight->bytes ? at : 0;
}

/* ---- The tight form ---- */

struct value hash__tight_new(void);
struct hash_spot hash__tight_find(const struct value *h, struct slice field);
/* False, nothing changed, when it does not fit. */
bool hash__tight_set(struct value *h, struct slice field, struct slice value, enum hash_set_result *result);
void hash__tight_remove(struct value *h, const struct hash_spot *spot);
/* The position of field number `index`, which is there. */
size_t hash__tight_nth(const struct value *h, size_t index);
const char *hash__tight_check(const struct value *h);

/* ---- Packs ---- */

/* at is 0 when the field is not there; what has ended is. */
struct hash_spot hash__pack_find(const struct value *h, struct slice field);
enum hash_set_result hash__pack_set(
	struct value *h, struct slice field, struct slice value, int64_t end_ms, int64_t now_ms);
/* The field at `spot` gets another end. HASH_PACK_ENDS only. False: no memory. */
bool hash__pack_set_end(struct value *h, const struct hash_spot *spot, int64_t end_ms);
void hash__pack_remove(struct value *h, const struct hash_spot *spot);
size_t hash__pack_expire(struct value *h, int64_t now_ms, size_t limit);
/* How many of the first fields have ended. */
size_t hash__pack_ended(const struct value *h, int64_t now_ms, size_t limit);
/* From a form without ends to HASH_PACK, to HASH_PACK_ENDS. */
void hash__to_pack(struct value *h);
void hash__to_pack_ends(struct value *h);
const char *hash__pack_check(const struct value *h);

/* ---- Items ----
 *
 *   size         meaning
 *   1            ITEM_… flags
 *   1, 1         length of field and value; 4, 4 with ITEM_WIDE, where one of them is above 255
 *   8            end, with ITEM_ENDS
 *   n, m         field, value
 *
 * So a field and a value of 16 bytes take 35: a class of 48. An item may use what its class has beyond its bytes. */

struct hash_item;

struct hash_parts {
	struct slice field;
	struct slice value;
	int64_t end_ms;
	size_t bytes; /* of the item */
};

struct hash_parts hash__item_parts(const struct hash_item *item);

static inline bool hash__parts_ended(const struct hash_parts *parts, int64_t now_ms) {
	return hash__has_ended(parts->end_ms, now_ms);
}

/* ---- Table ---- */

struct hash_big {
	struct table items;
	size_t item_bytes; /* of all items, as mem_size_class */
	struct tree *ends; /* struct hash_end_record; NULL when no field has an end */
};

struct hash_end_record {
	int64_t end_ms;
	struct hash_item *item;
};

enum { HASH_WALK_BATCH = 16 };

/* The next items of a walk over all, on their way to the cache; 0 at the end. */
size_t hash__walk(const struct hash_big *big, struct table_walk *walk, void *items[static HASH_WALK_BATCH]);

/* From a flat form to the table. */
void hash__to_table(struct value *h);

/* NULL when the field is not there; what has ended is. */
const struct hash_item *hash__table_find(const struct hash_big *big, struct slice field);
enum hash_set_result hash__table_set(
	struct hash_big *big, struct slice field, struct slice value, int64_t end_ms, int64_t now_ms);
bool hash__table_set_end(struct hash_big *big, struct slice field, int64_t end_ms);
bool hash__table_remove(struct hash_big *big, struct slice field, int64_t now_ms);
size_t hash__table_expire(struct hash_big *big, int64_t now_ms, size_t limit);
int64_t hash__table_next_end(const struct hash_big *big);
size_t hash__table_ended(const struct hash_big *big, int64_t now_ms);
size_t hash__table_memory(const struct hash_big *big);
struct hash_big *hash__table_copy(const struct hash_big *big);
void hash__table_free(struct hash_big *big);
const char *hash__table_check(const struct hash_big *big);

#endif
