/* The big form of a sorted set: a table of items by member, and a counted tree of (score, item) by score and member.
 *
 * Invariant: table and tree hold the same items; a record's score is its item's, bit by bit, so that the tree can be searched
 * for an item that the table found. */
#include "types/zset_private.h"

#include <math.h>

/* What is looked for in the tree. */
struct target {
	double score;
	struct slice member;
};

static inline int compare_record(const void *record, const void *key) {
	const struct zset_record *r = record;
	const struct target *target = key;
	/* Scores decide without a branch; equal ones are rare enough to guess. */
	int order = (r->score > target->score) - (r->score < target->score);
	if (__builtin_expect(order == 0, 0)) order = slice_compare(zset__item_member(r->item), target->member);
	return order;
}

static void seek(const struct zset_tree *t, double score, struct slice member, struct tree_place *place) {
	struct target target = { score, member };
	tree_seek(&t->order, compare_record, &target, place);
}

uint64_t zset__item_hash(const void *item) {
	return hash_slice(zset__item_member(item));
}

/* ---- The whole ---- */

struct zset_tree *zset__tree_new(void) {
	struct zset_tree *t = mem_calloc(sizeof(*t));
	tree_init(&t->order, sizeof(struct zset_record));
	return t;
}

enum { AHEAD = 12 }; /* items fetched before they are needed */

void zset__tree_free(struct zset_tree *t) {
	struct tree_place place;
	tree_first(&t->order, &place);
	for (struct tree_run run = tree_run_from(&t->order, &place); run.count > 0;
		run = tree_run_next(&t->order, &run)) {
		const struct zset_record *records = (const void *)run.records;
		for (size_t i = 0; i < run.count; i++) {
			if (i + AHEAD < run.count) __builtin_prefetch(records[i + AHEAD].item);
			zset__item_free(records[i].item);
		}
	}
	tree_release(&t->order);
	table_release(&t->members);
	mem_free_sized(t, sizeof(*t));
}

void zset__tree_append(struct zset_tree *t, struct zset_item *item) {
	struct zset_record record = { item->score, item };
	table_insert(&t->members, zset__item_hash(item), item, zset__item_hash);
	tree_append(&t->order, &record);
	t->item_bytes += zset__item_bytes(item->len);
}

struct zset_tree *zset__tree_copy(const struct zset_tree *t) {
	struct zset_tree *copy = zset__tree_new();
	struct tree_place place;
	tree_first(&t->order, &place);
	for (struct tree_run run = tree_run_from(&t->order, &place); run.count > 0;
		run = tree_run_next(&t->order, &run)) {
		const struct zset_record *records = (const void *)run.records;
		for (size_t i = 0; i < run.count; i++) {
			if (i + AHEAD < run.count) __builtin_prefetch(records[i + AHEAD].item);
			const struct zset_item *item = records[i].item;
			struct zset_item *twin = zset__item_new(zset__item_member(item), item->score);
			if (!twin) mem_exhausted(zset__item_bytes(item->len));
			zset__tree_append(copy, twin);
		}
	}
	return copy;
}

size_t zset__tree_memory(const struct zset_tree *t) {
	return mem_size_class(sizeof(*t)) + table_memory(&t->members) + tree_memory(&t->order) + t->item_bytes;
}

/* ---- One member ---- */

static struct table_place find_place(const struct zset_tree *t, uint64_t hash, struct slice member) {
	return table_find(&t->members, hash, zset__item_is, &member);
}

struct zset_item *zset__tree_find(const struct zset_tree *t, struct slice member) {
	struct table_place place = find_place(t, hash_slice(member), member);
	return place.bucket ? table_item_at(place) : NULL;
}

size_t zset__tree_rank(const struct zset_tree *t, const struct zset_item *item) {
	struct tree_place place;
	seek(t, item->score, zset__item_member(item), &place);
	return tree_rank(&t->order, &place);
}

/* Whether the record at `place` may have that score and stay where it is. */
static bool keeps_order(const struct tree *order, const struct tree_place *place, double score, struct slice member) {
	struct tree_run before = tree_run_before(order, place);
	if (before.count > 0) {
		const struct zset_record *last =
			(const struct zset_record *)(const void *)before.records + before.count - 1;
		if (zset__order(last->score, zset__item_member(last->item), score, member) >= 0) return false;
	}
	struct tree_run here = tree_run_from(order, place);
	const struct zset_record *next = (const struct zset_record *)(const void *)here.records + 1;
	if (here.count < 2) {
		here = tree_run_next(order, &here);
		next = (const void *)here.records;
		if (here.count == 0) return true;
	}
	return zset__order(score, member, next->score, zset__item_member(next->item)) < 0;
}

static void move(struct zset_tree *t, struct zset_item *item, double score) {
	struct tree_place place;
	struct slice member = zset__item_member(item);
	seek(t, item->score, member, &place);
	item->score = score;
	if (keeps_order(&t->order, &place, score, member)) {
		((struct zset_record *)tree_record(&t->order, &place))->score = score;
		tree_changed(&t->order, &place);
		return;
	}
	tree_remove(&t->order, &place);
	struct zset_record record = { score, item };
	seek(t, score, member, &place);
	tree_insert(&t->order, &place, &record);
}

enum zset_added zset__tree_add(
	struct zset_tree *t, struct slice member, double score, unsigned flags, double *new_score) {
	uint64_t hash = hash_slice(member);
	struct table_place found = find_place(t, hash, member);
	struct zset_item *item = found.bucket ? table_item_at(found) : NULL;
	enum zset_added added = zset__decide(item != NULL, item ? item->score : 0, score, flags, new_score);
	if (item && added == ZSET_UPDATED) move(t, item, *new_score);
	if (added != ZSET_ADDED) return added;

	item = zset__item_new(member, *new_score);
	if (!item) return ZSET_NO_MEMORY;
	struct tree_place place;
	struct zset_record record = { *new_score, item };
	seek(t, *new_score, member, &place);
	tree_insert(&t->order, &place, &record);
	table_insert(&t->members, hash, item, zset__item_hash);
	t->item_bytes += zset__item_bytes(item->len);
	return ZSET_ADDED;
}

/* Gives back the levels of a table that shrank. Nobody prefetches in this one behind the gate's back. */
static void trim(struct zset_tree *t) {
	void *spare[TABLE_LEVELS];
	if (!table_has_spare(&t->members)) return;
	for (unsigned count = table_take_spare(&t->members, spare); count > 0; count--) mem_free(spare[count - 1]);
}

bool zset__tree_remove(struct zset_tree *t, struct slice member) {
	struct table_place found = find_place(t, hash_slice(member), member);
	if (!found.bucket) return false;
	struct zset_item *item = table_item_at(found);
	struct tree_place place;
	seek(t, item->score, member, &place);
	tree_remove(&t->order, &place);
	table_remove(&t->members, found);
	t->item_bytes -= zset__item_bytes(item->len);
	zset__item_free(item);
	trim(t);
	return true;
}

/* ---- Many ---- */

static bool is_same(const void *item, const void *key) {
	return item == key;
}

enum { TAKE_BATCH = 32 };

/* Takes up to TAKE_BATCH items out of the tree at `place`; their cache misses overlap. */
static unsigned take_records(struct zset_tree *t, struct tree_place *place, size_t count, struct zset_item **items) {
	struct tree_run run = tree_run_from(&t->order, place);
	unsigned taken = 0;
	if (count > run.count) count = run.count;
	if (count > TAKE_BATCH) count = TAKE_BATCH;
	for (; taken < count; taken++) {
		items[taken] = ((const struct zset_record *)(const void *)run.records)[taken].item;
		__builtin_prefetch(items[taken]);
	}
	for (unsigned i = 0; i < taken; i++) tree_remove(&t->order, place);
	return taken;
}

void zset__tree_remove_ranks(struct zset_tree *t, size_t first, size_t count) {
	struct zset_item *items[TAKE_BATCH];
	uint64_t hashes[TAKE_BATCH];
	struct tree_place place;
	tree_at(&t->order, first, &place, NULL);
	while (count > 0) {
		unsigned taken = take_records(t, &place, count, items);
		if (taken == 0) break;
		count -= taken;
		for (unsigned i = 0; i < taken; i++) {
			hashes[i] = zset__item_hash(items[i]);
			table_prefetch(&t->members, hashes[i]);
		}
		for (unsigned i = 0; i < taken; i++) {
			table_remove(&t->members, table_find(&t->members, hashes[i], is_same, items[i]));
			t->item_bytes -= zset__item_bytes(items[i]->len);
			zset__item_free(items[i]);
		}
	}
	trim(t);
}

/* ---- Checking ---- */

static int order_of_records(const void *record, const void *next) {
	return zset__record_order(record, next);
}

static uint64_t bits_of(double score) {
	uint64_t bits;
	memcpy(&bits, &score, sizeof(bits));
	return bits;
}

const char *zset__tree_check(const struct zset_tree *t) {
	const char *broken = table_check(&t->members, zset__item_hash);
	if (!broken) broken = tree_check(&t->order, order_of_records);
	if (broken) return broken;
	if (table_count(&t->members) != tree_count(&t->order)) return "a sorted set's table and tree differ in count";

	size_t item_bytes = 0;
	struct tree_place place;
	tree_first(&t->order, &place);
	for (struct tree_run run = tree_run_from(&t->order, &place); run.count > 0;
		run = tree_run_next(&t->order, &run)) {
		const struct zset_record *records = (const void *)run.records;
		for (size_t i = 0; i < run.count; i++) {
			const struct zset_item *item = records[i].item;
			if (zset__tree_find(t, zset__item_member(item)) != item)
				return "a sorted set's table lacks a member of its tree";
			if (bits_of(item->score) != bits_of(records[i].score))
				return "a member's score is not that of its record";
			if (isnan(item->score)) return "a score is NaN";
			item_bytes += zset__item_bytes(item->len);
		}
	}
	return item_bytes == t->item_bytes ? NULL : "a sorted set's bytes of items are wrong";
}
