/* Hashes: fields with a value each, and, for some, an end of their own. Four forms:
 *
 *   HASH_TIGHT      length, text, length, text …                     the same as the next in fewer bytes; 255 at most
 *   HASH_PACK       a pack of field, value, field, value …           in the order in which the fields came
 *   HASH_PACK_ENDS  a pack of field, value, end …                    by end, of equal ones the last set first; 0, no end,
 *                                                                    stands behind all others
 *   HASH_TABLE      a table of items: one allocation with lengths, end if there is one, field, value; beside it, when any
 *                   field has an end, a tree of (end, item)
 *
 * A hash begins as HASH_TIGHT and becomes HASH_PACK when it outgrows that; users see one form. It becomes HASH_PACK_ENDS with
 * the first end or by hash_allow_ends and stays that when none is left, and becomes HASH_TABLE when it has more fields than
 * hash-max-listpack-entries or a field or value is longer than hash-max-listpack-value. It never goes back, as in Redis. The
 * packs are those of RDB files.
 *
 * An end is in milliseconds since 1970, above 0. A field is alive during the millisecond that its end names and has ended
 * in the next. A field that has ended is missing for every call that takes `now_ms` (INT64_MIN: none has ended), but it
 * is there, counted, copied and saved, until hash_expire or a call that changes it takes it away.
 *
 * Handles, flat forms and their alignment: value.h. Fields and values that are put in must not lie in the hash. Calls
 * that say "no memory" leave everything as it was. Flat forms are O(bytes) in everything but the count and the next end. */
#ifndef TARN_TYPES_HASH_H
#define TARN_TYPES_HASH_H

#include "containers/pack.h"
#include "types/value.h"

enum hash_encoding { HASH_TIGHT, HASH_PACK, HASH_PACK_ENDS, HASH_TABLE };

enum {
	HASH_NO_END = -1,
	HASH_KEEP_END = -2, /* hash_set: the end that the field has, none for a new one */
	HASH_NO_FIELD = -2, /* hash_end */
	HASH_PREFETCH_MAX = 64,
};

extern const struct value_ops hash_ops;

/* ---- Reading ---- */

/* Fields, those that have ended included, and without them. O(1); O(log n) when some have ended. */
size_t hash_count(const struct value *h);
size_t hash_live_count(const struct value *h, int64_t now_ms);

/* When the first field ends, HASH_NO_END when none does. O(1). */
int64_t hash_next_end(const struct value *h);

/* The value of a field; ptr is NULL when the field is missing. Valid until the hash changes or `scratch` goes. O(1). */
struct slice hash_get(
	const struct value *h, struct slice field, int64_t now_ms, char scratch[static PACK_SCRATCH_BYTES]);

/* The end of a field, HASH_NO_END, or HASH_NO_FIELD. O(1). */
int64_t hash_end(const struct value *h, struct slice field, int64_t now_ms);

static inline bool hash_has(const struct value *h, struct slice field, int64_t now_ms) {
	return hash_end(h, field, now_ms) != HASH_NO_FIELD;
}

/* Fetches what a look at these fields will touch, so that the cache misses of many overlap: every `step`th of `fields`,
 * `count` of them, but no more than HASH_PREFETCH_MAX. A hint. */
void hash_prefetch(const struct value *h, const struct slice *fields, size_t count, unsigned step);

/* The slices are valid during the call. */
typedef void hash_visit_fn(void *context, struct slice field, struct slice value);

/* Each field that has not ended, in the order of a pack, or in any. */
void hash_each(const struct value *h, int64_t now_ms, hash_visit_fn *visit, void *context);

/* Some of them and the next cursor, 0 at the end; a flat form answers everything at once. What is there from the first
 * call (cursor 0) to the last is visited at least once: table_scan. */
uint64_t hash_scan(const struct value *h, uint64_t cursor, int64_t now_ms, hash_visit_fn *visit, void *context);

/* ---- Fields by chance, each as likely as the other; of those that have not ended ---- */

/* One; false when there is none. O(1), more when many have ended. */
bool hash_pick(const struct value *h, int64_t now_ms, hash_visit_fn *visit, void *context);

/* Draws anew until `visit` says that it is enough. Nothing when there is none. False, nothing visited: no memory. */
typedef bool hash_pick_fn(void *context, struct slice field, struct slice value);
__attribute__((warn_unused_result)) bool hash_pick_many(
	const struct value *h, int64_t now_ms, hash_pick_fn *visit, void *context);

/* `count` different ones, or all when there are no more. False, nothing visited: no memory. O(count), or O(n) when
 * that is more than a third of them. */
__attribute__((warn_unused_result)) bool hash_pick_distinct(
	const struct value *h, int64_t now_ms, size_t count, hash_visit_fn *visit, void *context);

/* ---- Changing ---- */

enum hash_set_result { HASH_NO_MEMORY = -1, HASH_CHANGED, HASH_ADDED };

/* Sets a field and its end: a time, HASH_NO_END, or HASH_KEEP_END. O(1), O(log n) with an end. */
__attribute__((warn_unused_result)) enum hash_set_result hash_set(struct value *h, struct slice field,
	struct slice value, int64_t end_ms, int64_t now_ms, const struct type_limits *limits);

/* So many fields are about to be set, or the same ones so often: more than a flat form may have make it a table at once. */
void hash_expect(struct value *h, size_t fields, const struct type_limits *limits);

/* Makes the hash one whose fields may have an end, whether or not any gets one: what HEXPIRE and its kin do with every
 * hash that they are called for. O(n). */
void hash_allow_ends(struct value *h);

/* Gives a field that is there another end, or, with HASH_NO_END, none. False: no memory. O(log n). */
__attribute__((warn_unused_result)) bool hash_set_end(struct value *h, struct slice field, int64_t end_ms);

/* Whether the field was there. O(1), O(log n) with an end. */
bool hash_remove(struct value *h, struct slice field, int64_t now_ms);

/* Removes fields whose end is before now_ms, the earliest first, `limit` of them at most; how many. O(log n) each. */
size_t hash_expire(struct value *h, int64_t now_ms, size_t limit);

/* ---- Loading and saving ---- */

static inline bool hash_is_flat(const struct value *h) {
	return h->encoding != HASH_TABLE;
}

/* The pack that a hash is held in, for reading; NULL when it is another form. */
const struct pack *hash_pack(const struct value *h);

/* A new pack of the fields and values of a flat form, without ends. */
struct pack *hash_plain_pack(const struct value *h);

/* Makes a hash of a pack for which pack_validate(…, PACK_DEEP) said yes, in the form that `limits` ask for. False, nothing
 * made, when it is no pack of that encoding: entries are missing, fields come twice, ends are no numbers or not in
 * order. The pack is taken over in either case. */
__attribute__((warn_unused_result)) bool hash_from_pack(
	struct pack *pack, enum hash_encoding encoding, const struct type_limits *limits, struct value *h);

#endif
