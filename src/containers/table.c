#include "containers/table.h"

#include <assert.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/random.h"

/* A bucket is split when there are more than GROW_LOAD items per bucket and the last one merged below SHRINK_LOAD. Six of
 * nine keeps overflow rare although unsplit buckets carry up to twice the load of split ones. With four, a table whose items
 * double and halve again comes back to its size; each step nearer to six costs whoever removes and adds in turns. */
enum { GROW_LOAD = 6, SHRINK_LOAD = 4, PAGE_BYTES = 4096, LAST_SLOT = TABLE_BUCKET_SLOTS - 1 };
/* All levels full; beyond that, chains grow. */
enum { MAX_BUCKETS = 1 << (TABLE_FIRST_LEVEL_BITS + TABLE_LEVELS - 1) };

static void set_slot(struct table_bucket *b, unsigned slot, const void *pointer) {
	uint64_t word = (uint64_t)(uintptr_t)pointer;
	assert(word >> 48 == 0);
	memcpy(b->slots[slot], &word, TABLE_POINTER_BYTES);
}

static unsigned capacity(const struct table_bucket *b) {
	return b->state & BUCKET_CHAINED ? LAST_SLOT : TABLE_BUCKET_SLOTS;
}

/* A bit per free slot. The slot that holds the chain has tag 0, so it is masked out. */
static unsigned free_slots(const struct table_bucket *b) {
	return table__match(b, 0) & ((1u << capacity(b)) - 1);
}

static unsigned used_slots(const struct table_bucket *b) {
	return ~free_slots(b) & ((1u << capacity(b)) - 1);
}

static void put(struct table_bucket *b, unsigned slot, uint8_t tag, const void *item) {
	b->tags[slot] = tag;
	set_slot(b, slot, item);
}

/* ---- Levels ---- */

static unsigned level_of(uint32_t index) {
	if (index < (1u << TABLE_FIRST_LEVEL_BITS)) return 0;
	return 31u - (unsigned)__builtin_clz(index) - TABLE_FIRST_LEVEL_BITS + 1;
}

static size_t level_bytes(unsigned level) {
	return (level ? (size_t)(1u << TABLE_FIRST_LEVEL_BITS) << (level - 1) : 1u << TABLE_FIRST_LEVEL_BITS) *
	       sizeof(struct table_bucket);
}

static uint32_t level_begin(unsigned level) {
	return level ? (1u << TABLE_FIRST_LEVEL_BITS) << (level - 1) : 0;
}

/* Appends an empty bucket. Its memory is touched here for the first time, so a level of many megabytes costs nothing
 * before it is used. */
static struct table_bucket *append_bucket(struct table *t) {
	uint32_t index = t->_buckets;
	unsigned level = level_of(index);
	assert(level < TABLE_LEVELS);
	if (!t->_level[level]) t->_level[level] = mem_alloc_aligned(sizeof(struct table_bucket), level_bytes(level));
	struct table_bucket *b = table__bucket(t, index);
	memset(b, 0, sizeof(*b));
	t->_buckets++;
	while (t->_mask < t->_buckets - 1) t->_mask = t->_mask * 2 + 1;
	return b;
}

/* Forgets the last bucket. Whole pages go back to the system but stay mapped: table_prefetch_items of another thread may
 * be reading them. */
static void drop_last_bucket(struct table *t) {
	uint32_t index = --t->_buckets;
	if (t->_buckets == (t->_mask >> 1) + 1 && t->_mask > 1) t->_mask >>= 1;
	unsigned level = level_of(index);
	size_t offset = (size_t)(index - level_begin(level)) * sizeof(struct table_bucket);
	uintptr_t at = (uintptr_t)t->_level[level] + offset;
	if (at % PAGE_BYTES == 0 && level_bytes(level) - offset >= PAGE_BYTES)
		madvise((void *)at, PAGE_BYTES, MADV_DONTNEED);
}

/* The lowest level that no bucket is in. Between the two loads lies half as many items again: a table that breathes by less
 * does not ask for the same level again and again. */
static unsigned first_spare(const struct table *t) {
	return level_of(t->_buckets - 1) + 1;
}

bool table_has_spare(const struct table *t) {
	if (t->_buckets == 0) return false;
	unsigned level = first_spare(t);
	return level < TABLE_LEVELS && t->_level[level];
}

unsigned table_take_spare(struct table *t, void *spare[static TABLE_LEVELS]) {
	unsigned count = 0;
	if (t->_buckets == 0) return 0;
	for (unsigned level = first_spare(t); level < TABLE_LEVELS && t->_level[level]; level++) {
		spare[count++] = t->_level[level];
		t->_level[level] = NULL;
	}
	return count;
}

/* ---- Chains ---- */

static void chain_insert(struct table *t, struct table_bucket *b, uint8_t tag, const void *item) {
	for (;; b = table__next(b)) {
		unsigned free = free_slots(b);
		if (free) {
			put(b, (unsigned)__builtin_ctz(free), tag, item);
			return;
		}
		if (!(b->state & BUCKET_CHAINED)) break;
	}
	/* The last slot's item moves to the new overflow bucket; the slot becomes the pointer to it. */
	struct table_bucket *more = mem_alloc_aligned(sizeof(*more), sizeof(*more));
	memset(more, 0, sizeof(*more));
	put(more, 0, b->tags[LAST_SLOT], table__item(b, LAST_SLOT));
	put(more, 1, tag, item);
	b->state |= BUCKET_CHAINED;
	b->tags[LAST_SLOT] = 0;
	set_slot(b, LAST_SLOT, more);
	t->_overflow++;
}

/* Fills the hole at `place` from the end of the chain, and takes an overflow bucket that became needless away: but for the
 * last one all buckets of a chain are full, and an overflow bucket holds at least two items. */
static void chain_close_hole(struct table *t, struct table_place hole) {
	struct table_bucket *before = NULL, *last = hole._head;
	hole.bucket->tags[hole.slot] = 0;
	for (; last->state & BUCKET_CHAINED; last = table__next(last)) before = last;
	if (last != hole.bucket) {
		unsigned from = 31u - (unsigned)__builtin_clz(used_slots(last));
		put(hole.bucket, hole.slot, last->tags[from], table__item(last, from));
		last->tags[from] = 0;
	}
	unsigned left = used_slots(last);
	if (!before || __builtin_popcount(left) > 1) return;
	unsigned slot = (unsigned)__builtin_ctz(left);
	before->state = (uint8_t)(before->state & ~BUCKET_CHAINED);
	put(before, LAST_SLOT, last->tags[slot], table__item(last, slot));
	mem_free_sized(last, sizeof(*last));
	t->_overflow--;
}

static void free_chain(struct table *t, struct table_bucket *b) {
	while (b) {
		struct table_bucket *next = table__next(b);
		mem_free_sized(b, sizeof(*b));
		t->_overflow--;
		b = next;
	}
}

/* Splitting and merging ask every item for its hash; their cache misses overlap when all are asked for first. */
static void prefetch_chain(const struct table_bucket *b) {
	for (; b; b = table__next(b)) {
		for (unsigned used = used_slots(b); used; used &= used - 1)
			__builtin_prefetch(table__item(b, (unsigned)__builtin_ctz(used)));
	}
}

static void split_one(struct table *t, table_hash_fn *hash_of) {
	uint32_t source_index = t->_buckets & (t->_buckets - 1) ? t->_buckets - ((t->_mask >> 1) + 1) : 0;
	struct table_bucket *source = table__bucket(t, source_index);
	struct table_bucket old = *source;
	prefetch_chain(&old);
	struct table_bucket *target = append_bucket(t);
	uint32_t target_index = t->_buckets - 1;
	memset(source, 0, sizeof(*source));
	for (const struct table_bucket *b = &old; b; b = table__next(b)) {
		for (unsigned used = used_slots(b); used; used &= used - 1) {
			unsigned slot = (unsigned)__builtin_ctz(used);
			void *item = table__item(b, slot);
			bool moves = table__index(t, hash_of(item)) == target_index;
			chain_insert(t, moves ? target : source, b->tags[slot], item);
		}
	}
	free_chain(t, table__next(&old));
}

static void merge_last(struct table *t) {
	uint32_t source_index = t->_buckets - 1;
	struct table_bucket old = *table__bucket(t, source_index);
	drop_last_bucket(t);
	struct table_bucket *target = table__bucket(t, source_index & (t->_mask >> 1));
	for (const struct table_bucket *b = &old; b; b = table__next(b)) {
		for (unsigned used = used_slots(b); used; used &= used - 1) {
			unsigned slot = (unsigned)__builtin_ctz(used);
			chain_insert(t, target, b->tags[slot], table__item(b, slot));
		}
	}
	free_chain(t, table__next(&old));
}

/* ---- Operations ---- */

void table_reserve(struct table *t, size_t count) {
	assert(t->_count == 0);
	size_t buckets = count / GROW_LOAD + (count % GROW_LOAD > 0);
	if (buckets > MAX_BUCKETS) buckets = MAX_BUCKETS;
	if (t->_buckets == 0) t->_mask = 1;
	while (t->_buckets < buckets) append_bucket(t);
}

void table_insert(struct table *t, uint64_t hash, void *item, table_hash_fn *hash_of) {
	if (t->_buckets == 0) {
		t->_mask = 1;
		append_bucket(t);
	} else if (t->_count >= (size_t)t->_buckets * GROW_LOAD && t->_buckets < MAX_BUCKETS) {
		split_one(t, hash_of);
	}
	chain_insert(t, table__bucket(t, table__index(t, hash)), table__tag(hash), item);
	t->_count++;
}

void table_replace(struct table_place place, void *item) {
	set_slot(place.bucket, place.slot, item);
}

void table_remove(struct table *t, struct table_place place) {
	chain_close_hole(t, place);
	t->_count--;
	if (t->_buckets > 1 && t->_count < (size_t)t->_buckets * SHRINK_LOAD) merge_last(t);
}

/* As table__index, from a size that was read once: what another thread is changing may not be looked at twice. */
static uint32_t index_in(uint32_t mask, uint32_t buckets, uint64_t hash) {
	uint32_t index = (uint32_t)hash & mask;
	return index < buckets ? index : index & (mask >> 1);
}

/* Racy on purpose: table_prefetch reads `_mask`, `_buckets` and a level pointer that another thread may be changing. The
 * values only form the address of a prefetch, which cannot fault; ThreadSanitizer is told so here and nowhere else. No read of
 * shared memory may stand in a function that is called here (it would not be told there), and none may be atomic (clang
 * watches those all the same): so they are volatile, which makes the compiler read once. */
__attribute__((no_sanitize("thread"))) void table_prefetch(const struct table *t, uint64_t hash) {
	const volatile struct table *now = t;
	uint32_t mask = now->_mask, index = index_in(mask, now->_buckets, hash);
	unsigned level = level_of(index);
	uintptr_t base = (uintptr_t)now->_level[level];
	__builtin_prefetch((const void *)(base + (index - level_begin(level)) * sizeof(struct table_bucket)));
}

/* Racy on purpose too. The bucket's memory stays mapped until the table is released or trimmed, which happens under the world
 * only; stale or torn slots make a useless prefetch. */
__attribute__((no_sanitize("thread"))) void table_prefetch_items(const struct table *t, uint64_t hash) {
	const volatile struct table *now = t;
	uint32_t mask = now->_mask, index = index_in(mask, now->_buckets, hash);
	unsigned level = level_of(index);
	const struct table_bucket *base = now->_level[level];
	/* A reader may see the new bucket count before the new level: then there is nothing to fetch yet. */
	if (!base) return;
	const struct table_bucket *b = base + (index - level_begin(level));
	uint8_t tag = table__tag(hash);
	for (unsigned i = 0; i < TABLE_BUCKET_SLOTS; i++) {
		if (b->tags[i] != tag) continue;
		uint64_t word = 0;
		memcpy(&word, b->slots[i], TABLE_POINTER_BYTES);
		__builtin_prefetch((const void *)(uintptr_t)word);
		__builtin_prefetch((const void *)(uintptr_t)(word + 64));
	}
}

static void visit_chain(const struct table_bucket *b, table_visit_fn *visit, void *context) {
	for (; b; b = table__next(b)) {
		for (unsigned used = used_slots(b); used; used &= used - 1)
			visit(context, table__item(b, (unsigned)__builtin_ctz(used)));
	}
}

static uint64_t reverse_bits(uint64_t v) {
	v = ((v >> 1) & 0x5555555555555555u) | ((v & 0x5555555555555555u) << 1);
	v = ((v >> 2) & 0x3333333333333333u) | ((v & 0x3333333333333333u) << 2);
	v = ((v >> 4) & 0x0f0f0f0f0f0f0f0fu) | ((v & 0x0f0f0f0f0f0f0f0fu) << 4);
	return __builtin_bswap64(v);
}

/* A step visits all items whose hash agrees with the cursor in the low k bits, where 2^k is the size that every bucket has
 * reached: the bucket, and its split half if there is one. The next cursor adds one to the highest of those bits. */
uint64_t table_scan(const struct table *t, uint64_t cursor, table_visit_fn *visit, void *context) {
	if (t->_buckets == 0) return 0;
	uint64_t low_mask = t->_mask >> 1;
	if (t->_buckets == t->_mask + 1u) low_mask = t->_mask;
	uint32_t index = (uint32_t)(cursor & low_mask);
	visit_chain(table__bucket(t, index), visit, context);
	uint32_t split = index + (uint32_t)low_mask + 1;
	if (split < t->_buckets) visit_chain(table__bucket(t, split), visit, context);
	return reverse_bits(reverse_bits(cursor | ~low_mask) + 1);
}

void table_each(const struct table *t, table_visit_fn *visit, void *context) {
	for (uint32_t i = 0; i < t->_buckets; i++) visit_chain(table__bucket(t, i), visit, context);
}

size_t table_walk(const struct table *t, struct table_walk *walk, void **items, size_t room) {
	for (size_t count = 0;; walk->_used &= walk->_used - 1) {
		while (walk->_used == 0) {
			const struct table_bucket *b = walk->_bucket ? table__next(walk->_bucket) : NULL;
			if (!b && walk->_next == t->_buckets) return count;
			if (!b) b = table__bucket(t, walk->_next++);
			walk->_bucket = b;
			walk->_used = used_slots(b);
		}
		if (count == room) return count;
		items[count++] = table__item(walk->_bucket, (unsigned)__builtin_ctz(walk->_used));
	}
}

static unsigned chain_count(const struct table_bucket *b) {
	unsigned count = 0;
	for (; b; b = table__next(b)) count += (unsigned)__builtin_popcount(used_slots(b));
	return count;
}

/* Rejection sampling: a bucket by chance, accepted in proportion to what it holds. A chain longer than the bound is
 * practically impossible (load 12 at most); it would be picked a little too seldom. */
void *table_random(const struct table *t) {
	enum { BOUND = 32 };
	if (t->_count == 0) return NULL;
	for (;;) {
		const struct table_bucket *b = table__bucket(t, (uint32_t)random_below(t->_buckets));
		unsigned count = chain_count(b);
		unsigned pick = (unsigned)random_below(count > BOUND ? count : BOUND);
		if (pick >= count) continue;
		for (;; b = table__next(b)) {
			unsigned used = used_slots(b);
			unsigned here = (unsigned)__builtin_popcount(used);
			if (pick >= here) {
				pick -= here;
				continue;
			}
			while (pick--) used &= used - 1;
			return table__item(b, (unsigned)__builtin_ctz(used));
		}
	}
}

void table_release(struct table *t) {
	for (uint32_t i = 0; i < t->_buckets && t->_overflow > 0; i++) free_chain(t, table__next(table__bucket(t, i)));
	for (unsigned level = 0; level < TABLE_LEVELS; level++) mem_free(t->_level[level]);
	memset(t, 0, sizeof(*t));
}

/* Levels are powers of two, which are size classes, and level j is as large as all below it together. They come one after
 * the other, and there may be more than the buckets need now. */
size_t table_memory(const struct table *t) {
	size_t bytes = t->_overflow * sizeof(struct table_bucket);
	if (t->_buckets == 0) return bytes;
	unsigned last = level_of(t->_buckets - 1);
	while (last + 1 < TABLE_LEVELS && t->_level[last + 1]) last++;
	return bytes + (level_bytes(0) << last);
}

const char *table_check(const struct table *t, table_hash_fn *hash_of) {
	size_t count = 0, overflow = 0;
	for (uint32_t i = 0; i < t->_buckets; i++) {
		const struct table_bucket *head = table__bucket(t, i);
		for (const struct table_bucket *b = head; b; b = table__next(b)) {
			if (b != head) overflow++;
			if (b != head && __builtin_popcount(used_slots(b)) < 2)
				return "an overflow bucket is nearly empty";
			if (b->state & BUCKET_CHAINED && free_slots(b))
				return "a bucket with an overflow bucket has room";
			if (b->state & BUCKET_CHAINED && b->tags[LAST_SLOT] != 0) return "a chain slot has a tag";
			for (unsigned used = used_slots(b); used; used &= used - 1) {
				unsigned slot = (unsigned)__builtin_ctz(used);
				uint64_t hash = hash_of(table__item(b, slot));
				if (table__index(t, hash) != i) return "an item is in the wrong bucket";
				if (table__tag(hash) != b->tags[slot]) return "a tag does not fit its item";
				count++;
			}
		}
	}
	if (count != t->_count) return "the count of items is wrong";
	if (overflow != t->_overflow) return "the count of overflow buckets is wrong";
	return NULL;
}
