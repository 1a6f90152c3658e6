/* table: the hash table behind everything that is looked up by name.
 *
 * Items are pointers to allocations that hold their own key; the table knows neither. A bucket is one cache line: nine
 * 6-byte pointers, a tag byte for each (eight bits of its hash; 0 means free), one byte of state. So a look-up that finds
 * nothing seldom touches an item, and an item costs 11 to 12 bytes here.
 *
 *   offset size
 *        0    9  tags
 *        9    1  state: BUCKET_CHAINED when the last slot points to an overflow bucket instead of an item
 *       10   54  nine slots of 48 bits: user-space addresses of x86-64 and AArch64 fit
 *
 * Growth is linear hashing (W. Litwin, 1980): one bucket is split per so many inserts, so there is no rehash to wait for
 * and the load stays even. With 2^k + s buckets, the buckets below s are split already and use k+1 bits of the hash, the
 * others k bits. Buckets live in levels that double in size (level 0: the first eight; level j: 8·2^(j-1) to 8·2^j - 1),
 * so none ever moves while the table grows and the largest allocation costs no copying.
 *
 * All zero is a valid empty table. Single-threaded like all containers; only table_prefetch and table_prefetch_items may
 * be called by a thread that holds nothing, see there.
 *
 * Which bits of a hash are used: the low ones choose the bucket, 56-63 are the tag; the store takes its shard from 40-51. */
#ifndef TARN_CONTAINERS_TABLE_H
#define TARN_CONTAINERS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
	TABLE_BUCKET_SLOTS = 9,
	TABLE_FIRST_LEVEL_BITS = 3,
	TABLE_LEVELS = 24, /* up to 2^26 buckets: 400 million items */
	TABLE_POINTER_BYTES = 6,
	BUCKET_CHAINED = 1,
};

struct table_bucket {
	uint8_t tags[TABLE_BUCKET_SLOTS];
	uint8_t state;
	uint8_t slots[TABLE_BUCKET_SLOTS][TABLE_POINTER_BYTES];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct table_bucket) == 64, "a bucket is a cache line");

struct table {
	/* Private. */
	size_t _count;     /* items */
	uint32_t _buckets; /* 2^k + s; 0 before the first insert */
	uint32_t _mask;    /* 2^(k+1) - 1 */
	size_t _overflow;  /* overflow buckets */
	struct table_bucket *_level[TABLE_LEVELS];
};

/* Where an item lies; valid until the table changes. */
struct table_place {
	struct table_bucket *bucket; /* NULL: nowhere */
	unsigned slot;
	struct table_bucket *_head; /* of the chain that `bucket` is in */
};

/* The hash of an item that is in the table, needed when a bucket is split or merged. */
typedef uint64_t table_hash_fn(const void *item);
typedef bool table_equal_fn(const void *item, const void *key);
typedef void table_visit_fn(void *context, void *item);

static inline size_t table_count(const struct table *t) {
	return t->_count;
}

static inline uint8_t table__tag(uint64_t hash) {
	uint8_t tag = (uint8_t)(hash >> 56);
	return tag ? tag : 1;
}

static inline void *table__item(const struct table_bucket *b, unsigned slot) {
	uint64_t word = 0;
	memcpy(&word, b->slots[slot], TABLE_POINTER_BYTES);
	return (void *)(uintptr_t)word;
}

static inline struct table_bucket *table__bucket(const struct table *t, uint32_t index) {
	if (index < (1u << TABLE_FIRST_LEVEL_BITS)) return t->_level[0] + index;
	unsigned top = 31u - (unsigned)__builtin_clz(index);
	return t->_level[top - TABLE_FIRST_LEVEL_BITS + 1] + (index - (1u << top));
}

static inline uint32_t table__index(const struct table *t, uint64_t hash) {
	uint32_t index = (uint32_t)hash & t->_mask;
	return index < t->_buckets ? index : index & (t->_mask >> 1);
}

/* A bit per slot whose tag is `tag`. */
static inline unsigned table__match(const struct table_bucket *b, uint8_t tag) {
#if defined(__SSE2__)
	__m128i line = _mm_load_si128((const __m128i *)(const void *)b);
	unsigned hits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(line, _mm_set1_epi8((char)tag)));
	return hits & ((1u << TABLE_BUCKET_SLOTS) - 1);
#else
	unsigned hits = 0;
	for (unsigned i = 0; i < TABLE_BUCKET_SLOTS; i++) hits |= (unsigned)(b->tags[i] == tag) << i;
	return hits;
#endif
}

static inline struct table_bucket *table__next(const struct table_bucket *b) {
	return b->state & BUCKET_CHAINED ? table__item(b, TABLE_BUCKET_SLOTS - 1) : NULL;
}

static inline void *table_item_at(struct table_place place) {
	return table__item(place.bucket, place.slot);
}

/* The place of the item for which `equal(item, key)` holds; .bucket is NULL when there is none. */
static inline __attribute__((always_inline)) struct table_place table_find(
	const struct table *t, uint64_t hash, table_equal_fn *equal, const void *key) {
	if (t->_count == 0) return (struct table_place){ NULL, 0, NULL };
	uint8_t tag = table__tag(hash);
	struct table_bucket *head = table__bucket(t, table__index(t, hash));
	for (struct table_bucket *b = head; b; b = table__next(b)) {
		for (unsigned hits = table__match(b, tag); hits; hits &= hits - 1) {
			unsigned slot = (unsigned)__builtin_ctz(hits);
			if (equal(table__item(b, slot), key)) return (struct table_place){ b, slot, head };
		}
	}
	return (struct table_place){ NULL, 0, NULL };
}

/* Fetches the bucket of `hash` into the cache. Reads only the table's own struct, so it may run while another thread
 * changes the table; what it reads may be stale, and is only a hint. */
void table_prefetch(const struct table *t, uint64_t hash);

/* Second step, some time later: fetches the items whose tag fits. Reads the bucket, whose memory stays mapped for as long
 * as the table is not released and its spare memory not taken. A hint as well. */
void table_prefetch_items(const struct table *t, uint64_t hash);

/* Room for `count` items in an empty table, so that nothing is split on the way there. O(count). */
void table_reserve(struct table *t, size_t count);

/* Adds an item that is not there yet. */
void table_insert(struct table *t, uint64_t hash, void *item, table_hash_fn *hash_of);

/* Puts another item (with the same hash) in the place of one. */
void table_replace(struct table_place place, void *item);

/* Takes the item out and may merge a bucket. The item itself is the caller's. */
void table_remove(struct table *t, struct table_place place);

/* A table that shrinks keeps its levels, since a hint from another thread may be reading there. When no such hint can be under
 * way the caller may take those that are not reached any more, and frees each with mem_free; how many. */
bool table_has_spare(const struct table *t);
unsigned table_take_spare(struct table *t, void *spare[static TABLE_LEVELS]);

/* Visits the items of one step of the cursor; returns the next cursor, 0 at the end. Items that are there from the first
 * step to the last are visited at least once, through any number of splits and merges: the cursor counts with its bits
 * reversed, so that what is visited stays visited when a bucket is split or merged. `visit` must not change the table.
 * Cursors stay below twice the number of buckets. */
uint64_t table_scan(const struct table *t, uint64_t cursor, table_visit_fn *visit, void *context);

/* Visits each item once. `visit` may free it, if nothing else is done with the table but table_release. */
void table_each(const struct table *t, table_visit_fn *visit, void *context);

/* The same for a caller that takes them in batches, to prefetch them or to stop early: puts the next items, `room` at
 * most, into `items` and returns how many, 0 at the end. All zero begins. The table must not change meanwhile. */
struct table_walk {
	/* Private. */
	const struct table_bucket *_bucket;
	uint32_t _next;
	unsigned _used; /* a bit per slot of _bucket that is still to come */
};
size_t table_walk(const struct table *t, struct table_walk *walk, void **items, size_t room);

/* A uniformly chosen item; NULL when empty. */
void *table_random(const struct table *t);

/* Frees the table's memory, not the items, and makes it empty. */
void table_release(struct table *t);

/* Bytes that the table itself takes. */
size_t table_memory(const struct table *t);

/* Walks everything; a text that says what is broken, or NULL. */
const char *table_check(const struct table *t, table_hash_fn *hash_of);

#endif
