/* The big form of a hash: a table of items and, when fields have ends, a tree of (end, item). */
#include "types/hash_private.h"

#include <assert.h>

/* ---- Items ---- */

struct hash_item {
	uint8_t flags;
	uint8_t tail[];
};

enum { ITEM_WIDE = 1, ITEM_ENDS = 2, NARROW_HEAD_BYTES = 3, WIDE_HEAD_BYTES = 9 };

static inline size_t head_bytes(unsigned flags) {
	return (flags & ITEM_WIDE ? WIDE_HEAD_BYTES : NARROW_HEAD_BYTES) + (flags & ITEM_ENDS ? sizeof(int64_t) : 0);
}

static inline struct slice item_field(const struct hash_item *item) {
	uint32_t len = item->tail[0];
	if (item->flags & ITEM_WIDE) memcpy(&len, item->tail, sizeof(len));
	return slice_of((const char *)item + head_bytes(item->flags), len);
}

static inline int64_t item_end(const struct hash_item *item) {
	if (!(item->flags & ITEM_ENDS)) return HASH_NO_END;
	int64_t end_ms;
	memcpy(&end_ms, (const char *)item + head_bytes(item->flags & ITEM_WIDE), sizeof(end_ms));
	return end_ms;
}

struct hash_parts hash__item_parts(const struct hash_item *item) {
	uint32_t len = item->tail[1];
	if (item->flags & ITEM_WIDE) memcpy(&len, item->tail + sizeof(len), sizeof(len));
	struct hash_parts parts = { .field = item_field(item), .end_ms = item_end(item) };
	parts.value = slice_of(parts.field.ptr + parts.field.len, len);
	parts.bytes = (size_t)(parts.value.ptr - (const char *)item) + len;
	return parts;
}

static uint64_t item_hash(const void *item) {
	return hash_slice(item_field(item));
}

static inline bool item_is(const void *item, const void *key) {
	return slice_equal(item_field(item), *(const struct slice *)key);
}

static unsigned flags_for(struct slice field, struct slice value, int64_t end_ms) {
	return (field.len > UINT8_MAX || value.len > UINT8_MAX ? ITEM_WIDE : 0) | (end_ms >= 0 ? ITEM_ENDS : 0);
}

/* The texts may be those of the item itself: the field, or both. */
static void item_fill(struct hash_item *item, struct slice field, struct slice value, int64_t end_ms) {
	unsigned flags = flags_for(field, value, end_ms);
	char *text = (char *)item + head_bytes(flags);
	if (value.ptr == field.ptr + field.len) {
		/* One piece, so that neither is written over before it has moved. */
		if (text != field.ptr) memmove(text, field.ptr, field.len + value.len);
	} else {
		if (text != field.ptr && field.len > 0) memmove(text, field.ptr, field.len);
		if (value.len > 0) memcpy(text + field.len, value.ptr, value.len);
	}
	item->flags = (uint8_t)flags;
	if (flags & ITEM_WIDE) {
		uint32_t lens[2] = { (uint32_t)field.len, (uint32_t)value.len };
		memcpy(item->tail, lens, sizeof(lens));
	} else {
		item->tail[0] = (uint8_t)field.len;
		item->tail[1] = (uint8_t)value.len;
	}
	if (flags & ITEM_ENDS) memcpy(text - sizeof(end_ms), &end_ms, sizeof(end_ms));
}

/* What an item of these takes; 0 when its lengths do not fit. The whole class is allocated, so that a value may be replaced in
 * place by one that is a little longer. */
static size_t item_class(struct slice field, struct slice value, int64_t end_ms) {
	if (field.len > UINT32_MAX || value.len > UINT32_MAX) return 0;
	return mem_size_class(head_bytes(flags_for(field, value, end_ms)) + field.len + value.len);
}

/* NULL without memory. */
static struct hash_item *item_new(struct slice field, struct slice value, int64_t end_ms) {
	size_t bytes = item_class(field, value, end_ms);
	struct hash_item *item = bytes ? mem_try_alloc(bytes) : NULL;
	if (item) item_fill(item, field, value, end_ms);
	return item;
}

/* ---- The index by time ---- */

static inline int record_order(const void *record, const void *key) {
	const struct hash_end_record *a = record, *b = key;
	if (a->end_ms != b->end_ms) return a->end_ms < b->end_ms ? -1 : 1;
	return ((uintptr_t)a->item > (uintptr_t)b->item) - ((uintptr_t)a->item < (uintptr_t)b->item);
}

/* By time alone; `key` is an int64_t. */
static inline int record_time(const void *record, const void *key) {
	const struct hash_end_record *a = record;
	int64_t end_ms = *(const int64_t *)key;
	return (a->end_ms > end_ms) - (a->end_ms < end_ms);
}

static void index_add(struct hash_big *big, int64_t end_ms, struct hash_item *item) {
	if (end_ms < 0) return;
	if (!big->ends) {
		big->ends = mem_alloc(sizeof(*big->ends));
		tree_init(big->ends, sizeof(struct hash_end_record));
	}
	struct hash_end_record record = { end_ms, item };
	struct tree_place place;
	tree_seek(big->ends, record_order, &record, &place);
	tree_insert(big->ends, &place, &record);
}

static void drop_index(struct hash_big *big) {
	tree_release(big->ends);
	mem_free_sized(big->ends, sizeof(*big->ends));
	big->ends = NULL;
}

static void index_remove(struct hash_big *big, int64_t end_ms, struct hash_item *item) {
	if (end_ms < 0) return;
	struct hash_end_record record = { end_ms, item };
	struct tree_place place;
	tree_seek(big->ends, record_order, &record, &place);
	assert(((struct hash_end_record *)tree_record(big->ends, &place))->item == item);
	tree_remove(big->ends, &place);
	if (tree_count(big->ends) == 0) drop_index(big);
}

/* ---- The whole ---- */

static struct hash_big *big_new(size_t fields) {
	struct hash_big *big = mem_calloc(sizeof(*big));
	if (fields) table_reserve(&big->items, fields);
	return big;
}

/* A new field, which is not there. */
static void add_item(struct hash_big *big, uint64_t hash, struct hash_item *item, const struct hash_parts *parts) {
	table_insert(&big->items, hash, item, item_hash);
	big->item_bytes += mem_size_class(parts->bytes);
	index_add(big, parts->end_ms, item);
}

void hash__to_table(struct value *h) {
	assert(hash_is_flat(h));
	struct hash_big *big = big_new(hash_count(h));
	char field_scratch[PACK_SCRATCH_BYTES], value_scratch[PACK_SCRATCH_BYTES];
	struct hash_spot spot;
	for (size_t at = hash__first(h); at; at = hash__spot_next(h, &spot)) {
		spot = hash__spot(h, at);
		struct slice field = hash__text(h, at, field_scratch);
		struct slice value = hash__text(h, spot.value_at, value_scratch);
		struct hash_item *item = item_new(field, value, spot.end_ms);
		if (!item) mem_exhausted(field.len + value.len);
		struct hash_parts parts = hash__item_parts(item);
		add_item(big, hash_slice(field), item, &parts);
	}
	mem_free(h->data);
	h->data = big;
	h->encoding = HASH_TABLE;
}

size_t hash__walk(const struct hash_big *big, struct table_walk *walk, void *items[static HASH_WALK_BATCH]) {
	size_t count = table_walk(&big->items, walk, items, HASH_WALK_BATCH);
	for (size_t i = 0; i < count; i++) {
		/* The second may lie in the next line. */
		__builtin_prefetch(items[i]);
		__builtin_prefetch((char *)items[i] + 40);
	}
	return count;
}

struct hash_big *hash__table_copy(const struct hash_big *big) {
	struct hash_big *copy = big_new(table_count(&big->items));
	struct table_walk walk = { 0 };
	void *items[HASH_WALK_BATCH];
	for (size_t count; (count = hash__walk(big, &walk, items)) > 0;) {
		for (size_t i = 0; i < count; i++) {
			struct hash_parts parts = hash__item_parts(items[i]);
			struct hash_item *item = mem_alloc(mem_size_class(parts.bytes));
			memcpy(item, items[i], parts.bytes);
			add_item(copy, hash_slice(parts.field), item, &parts);
		}
	}
	return copy;
}

void hash__table_free(struct hash_big *big) {
	struct table_walk walk = { 0 };
	void *items[HASH_WALK_BATCH];
	for (size_t count; (count = hash__walk(big, &walk, items)) > 0;) {
		for (size_t i = 0; i < count; i++)
			mem_free_sized(items[i], mem_size_class(hash__item_parts(items[i]).bytes));
	}
	table_release(&big->items);
	if (big->ends) drop_index(big);
	mem_free_sized(big, sizeof(*big));
}

size_t hash__table_memory(const struct hash_big *big) {
	size_t bytes = mem_size_class(sizeof(*big)) + big->item_bytes + table_memory(&big->items);
	if (big->ends) bytes += mem_size_class(sizeof(*big->ends)) + tree_memory(big->ends);
	return bytes;
}

/* ---- Fields ---- */

const struct hash_item *hash__table_find(const struct hash_big *big, struct slice field) {
	struct table_place place = table_find(&big->items, hash_slice(field), item_is, &field);
	return place.bucket ? table_item_at(place) : NULL;
}

/* Gives the item at `place` another value (or its own) and another end: where it is, when its class stays. */
static bool rewrite(struct hash_big *big, struct table_place place, const struct hash_parts *parts, struct slice value,
	int64_t end_ms) {
	struct hash_item *item = table_item_at(place);
	size_t before = mem_size_class(parts->bytes), after = item_class(parts->field, value, end_ms);
	if (after == before) {
		if (end_ms != parts->end_ms) index_remove(big, parts->end_ms, item);
		item_fill(item, parts->field, value, end_ms);
		if (end_ms != parts->end_ms) index_add(big, end_ms, item);
		return true;
	}
	struct hash_item *now = item_new(parts->field, value, end_ms);
	if (!now) return false;
	index_remove(big, parts->end_ms, item);
	index_add(big, end_ms, now);
	table_replace(place, now);
	mem_free_sized(item, before);
	big->item_bytes += after - before;
	return true;
}

enum hash_set_result hash__table_set(
	struct hash_big *big, struct slice field, struct slice value, int64_t end_ms, int64_t now_ms) {
	uint64_t hash = hash_slice(field);
	struct table_place place = table_find(&big->items, hash, item_is, &field);
	if (!place.bucket) {
		if (end_ms == HASH_KEEP_END) end_ms = HASH_NO_END;
		struct hash_item *item = item_new(field, value, end_ms);
		if (!item) return HASH_NO_MEMORY;
		struct hash_parts parts = hash__item_parts(item);
		add_item(big, hash, item, &parts);
		return HASH_ADDED;
	}
	struct hash_parts parts = hash__item_parts(table_item_at(place));
	bool ended = hash__parts_ended(&parts, now_ms);
	if (end_ms == HASH_KEEP_END) end_ms = ended ? HASH_NO_END : parts.end_ms;
	if (!rewrite(big, place, &parts, value, end_ms)) return HASH_NO_MEMORY;
	return ended ? HASH_ADDED : HASH_CHANGED;
}

bool hash__table_set_end(struct hash_big *big, struct slice field, int64_t end_ms) {
	struct table_place place = table_find(&big->items, hash_slice(field), item_is, &field);
	assert(place.bucket);
	struct hash_parts parts = hash__item_parts(table_item_at(place));
	return end_ms == parts.end_ms || rewrite(big, place, &parts, parts.value, end_ms);
}

static void free_item(struct hash_big *big, struct hash_item *item, const struct hash_parts *parts) {
	size_t bytes = mem_size_class(parts->bytes);
	big->item_bytes -= bytes;
	mem_free_sized(item, bytes);
}

bool hash__table_remove(struct hash_big *big, struct slice field, int64_t now_ms) {
	struct table_place place = table_find(&big->items, hash_slice(field), item_is, &field);
	if (!place.bucket) return false;
	struct hash_item *item = table_item_at(place);
	struct hash_parts parts = hash__item_parts(item);
	index_remove(big, parts.end_ms, item);
	table_remove(&big->items, place);
	free_item(big, item, &parts);
	return !hash__parts_ended(&parts, now_ms);
}

/* ---- Ends ---- */

static bool is_same(const void *item, const void *address) {
	return item == address;
}

size_t hash__table_expire(struct hash_big *big, int64_t now_ms, size_t limit) {
	if (!big->ends) return 0;
	size_t removed = 0;
	struct tree_place first;
	tree_first(big->ends, &first);
	for (; removed < limit; removed++) {
		const struct hash_end_record *record = tree_record(big->ends, &first);
		if (!record || record->end_ms >= now_ms) break;
		struct hash_item *item = record->item;
		struct hash_parts parts = hash__item_parts(item);
		struct table_place place = table_find(&big->items, hash_slice(parts.field), is_same, item);
		table_remove(&big->items, place);
		tree_remove(big->ends, &first);
		free_item(big, item, &parts);
	}
	if (tree_count(big->ends) == 0) drop_index(big);
	return removed;
}

int64_t hash__table_next_end(const struct hash_big *big) {
	if (!big->ends) return HASH_NO_END;
	struct tree_place place;
	tree_first(big->ends, &place);
	return ((const struct hash_end_record *)tree_record(big->ends, &place))->end_ms;
}

size_t hash__table_ended(const struct hash_big *big, int64_t now_ms) {
	int64_t next = hash__table_next_end(big);
	if (!hash__has_ended(next, now_ms)) return 0;
	struct tree_place place;
	tree_seek(big->ends, record_time, &now_ms, &place);
	return tree_rank(big->ends, &place);
}

/* ---- Checking ---- */

struct tally {
	const struct hash_big *big;
	size_t bytes, with_end;
	const char *complaint;
};

static void tally_item(void *context, void *pointer) {
	struct tally *t = context;
	struct hash_parts parts = hash__item_parts(pointer);
	t->bytes += mem_size_class(parts.bytes);
	if (hash__table_find(t->big, parts.field) != pointer) t->complaint = "a field is in a hash twice";
	if (parts.end_ms < 0) return;
	t->with_end++;
	if (!t->big->ends) return;
	struct hash_end_record record = { parts.end_ms, pointer };
	struct tree_place place;
	tree_seek(t->big->ends, record_order, &record, &place);
	const struct hash_end_record *found = tree_record(t->big->ends, &place);
	if (!found || found->item != pointer) t->complaint = "a field's end is not in the hash's index";
}

const char *hash__table_check(const struct hash_big *big) {
	const char *complaint = table_check(&big->items, item_hash);
	if (complaint) return complaint;
	if (big->ends && (complaint = tree_check(big->ends, record_order)) != NULL) return complaint;
	struct tally t = { .big = big };
	table_each(&big->items, tally_item, &t);
	if (t.complaint) return t.complaint;
	if (t.bytes != big->item_bytes) return "the sum of a hash's items is wrong";
	if (t.with_end != (big->ends ? tree_count(big->ends) : 0)) return "a hash's index of ends has too many";
	if (big->ends && t.with_end == 0) return "a hash keeps an empty index of ends";
	return NULL;
}
