/* The two forms of a sorted set from inside: for zset*.c only. What they mean stands in zset.h. */
#ifndef TARN_TYPES_ZSET_PRIVATE_H
#define TARN_TYPES_ZSET_PRIVATE_H

#include "base/alloc.h"
#include "base/hash.h"
#include "containers/pack.h"
#include "containers/table.h"
#include "containers/tree.h"
#include "types/zset.h"

/* ---- Items ---- */

struct zset_item {
	double score; /* the same as in the item's record */
	uint32_t len;
	char member[];
};

/* What the tree holds of an item, so that most comparisons need not look at it. */
struct zset_record {
	double score;
	struct zset_item *item;
};

enum { ZSET_ITEM_HEAD_BYTES = offsetof(struct zset_item, member) };

static inline struct slice zset__item_member(const struct zset_item *item) {
	return slice_of(item->member, item->len);
}

static inline size_t zset__item_bytes(size_t len) {
	return mem_size_class(ZSET_ITEM_HEAD_BYTES + len);
}

/* NULL without memory. */
static inline struct zset_item *zset__item_new(struct slice member, double score) {
	struct zset_item *item = member.len <= UINT32_MAX ? mem_try_alloc(ZSET_ITEM_HEAD_BYTES + member.len) : NULL;
	if (!item) return NULL;
	item->score = score;
	item->len = (uint32_t)member.len;
	if (member.len > 0) memcpy(item->member, member.ptr, member.len);
	return item;
}

static inline void zset__item_free(struct zset_item *item) {
	mem_free_sized(item, ZSET_ITEM_HEAD_BYTES + item->len);
}

uint64_t zset__item_hash(const void *item); /* table_hash_fn */

/* table_equal_fn; `key` is a struct slice. */
static inline bool zset__item_is(const void *item, const void *key) {
	return slice_equal(zset__item_member(item), *(const struct slice *)key);
}

/* The order of the tree: <0, 0, >0. */
static inline int zset__order(double score, struct slice member, double other_score, struct slice other_member) {
	if (score < other_score) return -1;
	if (score > other_score) return 1;
	return slice_compare(member, other_member);
}

static inline int zset__record_order(const struct zset_record *a, const struct zset_record *b) {
	if (a->score < b->score) return -1;
	if (a->score > b->score) return 1;
	return slice_compare(zset__item_member(a->item), zset__item_member(b->item));
}

/* What ADD's words make of a member's score: the outcome, and the new score. */
enum zset_added zset__decide(bool there, double old_score, double score, unsigned flags, double *new_score);

/* ---- The pack; members' positions, their scores follow ---- */

/* The position of a member, 0 when there is none; sets *score. */
size_t zset__pack_find(const struct pack *pack, struct slice member, double *score);
/* Whether a member of that length can be added within the limits. */
bool zset__pack_takes(const struct pack *pack, size_t len, const struct type_limits *limits);
/* Puts a new member in its place. */
void zset__pack_insert(struct pack **pack, struct slice member, double score);
/* Appends one that comes behind all others. */
void zset__pack_append(struct pack **pack, struct slice member, double score);
/* Gives the member at `at` another score. `member` must not lie in the pack. */
void zset__pack_move(struct pack **pack, size_t at, struct slice member, double score);
const char *zset__pack_check(const struct pack *pack);

/* ---- The tree ---- */

struct zset_tree {
	struct table members; /* of struct zset_item */
	struct tree order;    /* of struct zset_record, each of weight 1 */
	size_t item_bytes;    /* of all items, as mem_size_class */
};

struct zset_tree *zset__tree_new(void);
void zset__tree_free(struct zset_tree *t);
struct zset_tree *zset__tree_copy(const struct zset_tree *t);
size_t zset__tree_memory(const struct zset_tree *t);
const char *zset__tree_check(const struct zset_tree *t);
struct zset_item *zset__tree_find(const struct zset_tree *t, struct slice member);
enum zset_added zset__tree_add(
	struct zset_tree *t, struct slice member, double score, unsigned flags, double *new_score);
bool zset__tree_remove(struct zset_tree *t, struct slice member);
/* How many members come before the item. */
size_t zset__tree_rank(const struct zset_tree *t, const struct zset_item *item);
/* Removes `count` members from the one of rank `first` on. */
void zset__tree_remove_ranks(struct zset_tree *t, size_t first, size_t count);
/* Takes an item that comes behind all others and is no member yet. */
void zset__tree_append(struct zset_tree *t, struct zset_item *item);

/* Makes a pack a tree. */
void zset__to_tree(struct value *z);

#endif
