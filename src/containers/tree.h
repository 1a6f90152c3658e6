/* tree: a counted B+tree of small records of one size, in an order that the caller keeps.
 *
 * Serves sorted sets (records of score and member, each of weight 1), lists (records that point to packs, of the weight of
 * their elements), streams and their pending entries (records by ID). Every inner node knows the weight below each of its
 * children, so that the n-th element and the rank of one are found in O(log n).
 *
 *   inner   children, the weight below each, and a copy of the first record below each but the first
 *     leaf   records; leaves are linked in both directions
 *
 * The copies in inner nodes, the *separators*, are kept exact: when the first record of a leaf changes or goes, its one
 * copy changes with it. So a record may hold a pointer that is freed once the record is removed. A separator lies in the
 * lowest ancestor in which the leaf is not below the first child; the first leaf has none.
 *
 * A leaf that overflows shares with a neighbour first; when that is full as well, the two become three. At the ends of
 * the tree the full leaf stays full. So growing at an end fills leaves completely, growing at random to about 85 %. A leaf
 * that loses records is merged with a neighbour once both together fill seven eighths of one, and otherwise left alone.
 * A tree of a few records is a single leaf that doubles from 4 records on.
 *
 * A record is a multiple of 8 bytes, up to 32. Each weighs 1 (tree_init), or what it says itself (tree_init_weighed).
 * All zero is not a valid tree: tree_init. Single-threaded like all containers. Source of the idea: counted B-trees (S.
 * Tatham), B*-trees (D. Knuth); the layout is our own. */
#ifndef TARN_CONTAINERS_TREE_H
#define TARN_CONTAINERS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TREE_MAX_RECORD_BYTES = 32, TREE_MAX_HEIGHT = 12 };

/* ---- Private: the layout, here for the sake of inlined searches ---- */

enum { TREE__FANOUT = 31, TREE__NO_WEIGHTS = 0xFF };

struct tree_leaf {
	struct tree_leaf *prev, *next;
	uint16_t count, room;
	uint32_t unused;
	unsigned char records[];
};

struct tree_inner {
	uint32_t count;
	uint32_t unused;
	void *children[TREE__FANOUT];
	uint64_t weights[TREE__FANOUT];
	unsigned char keys[]; /* the separators, one per child; that of child 0 is without meaning */
};

/* ---- Public ---- */

struct tree {
	/* Private. */
	void *_root; /* NULL when empty */
	struct tree_leaf *_first, *_last;
	size_t _records;
	size_t _weight; /* of all records */
	size_t _bytes;  /* of all nodes, as mem_size_class */
	uint16_t _record_bytes;
	uint16_t _leaf_room; /* records that a leaf has room for when there are several */
	uint8_t _weight_at;  /* where in the record its weight is, or TREE__NO_WEIGHTS */
	uint8_t _height;     /* inner levels above the leaves */
};

/* Where a record lies, or, behind the last one, the end. Valid until the tree changes by another call than one that
 * takes this place. */
struct tree_place {
	/* Private. */
	struct tree_leaf *_leaf; /* NULL: empty tree */
	uint32_t _index;         /* in the leaf; its count at the end of the tree */
	uint32_t _unused;
	struct tree_step {
		struct tree_inner *node;
		size_t child;
	} _path[TREE_MAX_HEIGHT]; /* from the root down; as many as the tree is high */
};

/* Negative: `record` comes before `key`; 0: it is the one; positive: behind. Searches are inlined, so make it static
 * inline and let it begin with what decides most often. */
typedef int tree_compare_fn(const void *record, const void *key);

/* Every record weighs 1. */
void tree_init(struct tree *t, unsigned record_bytes);
/* Every record holds its weight as an uint32_t at `weight_at` (a multiple of 4). A weight may be 0. */
void tree_init_weighed(struct tree *t, unsigned record_bytes, unsigned weight_at);
/* Frees the nodes. What records point to is the caller's. The tree is empty and usable afterwards. O(n). */
void tree_release(struct tree *t);

static inline size_t tree_count(const struct tree *t) {
	return t->_records;
}
static inline size_t tree_weight(const struct tree *t) {
	return t->_weight;
}
/* Bytes of the allocator that the nodes take, without struct tree. O(1). */
static inline size_t tree_memory(const struct tree *t) {
	return t->_bytes;
}

/* ---- Finding. O(log n) ---- */

/* The first record that does not come before `key` (its compare is >= 0), or the end. Any number of records may compare as
 * 0: so a range of a sorted set is found by its score alone. */
static inline void tree_seek(const struct tree *t, tree_compare_fn *compare, const void *key, struct tree_place *place);
/* The first record that comes behind `key` (its compare is > 0), or the end. */
static inline void tree_seek_behind(
	const struct tree *t, tree_compare_fn *compare, const void *key, struct tree_place *place);
/* The record in which element `position` lies (0 <= position < weight), and how far into it; the end beyond. `within` may
 * be NULL. */
void tree_at(const struct tree *t, size_t position, struct tree_place *place, size_t *within);
void tree_first(const struct tree *t, struct tree_place *place); /* the end when empty */
void tree_last(const struct tree *t, struct tree_place *place);  /* the end when empty */
void tree_end(const struct tree *t, struct tree_place *place);

/* The record, writable as long as its order stays (then say tree_changed) and but for its weight (tree_reweigh); NULL at
 * the end. */
static inline void *tree_record(const struct tree *t, const struct tree_place *place) {
	struct tree_leaf *leaf = place->_leaf;
	return leaf && place->_index < leaf->count ? leaf->records + (size_t)place->_index * t->_record_bytes : NULL;
}
/* To the following record or the end; false when that is the end. O(1) but for crossing leaves. */
static inline bool tree_next(const struct tree *t, struct tree_place *place);
/* To the record before (from the end: to the last); false, place unchanged, when there is none. */
static inline bool tree_prev(const struct tree *t, struct tree_place *place);
/* The weight of all records before the place. */
size_t tree_rank(const struct tree *t, const struct tree_place *place);

/* ---- Walking without a place: faster, for reading long ranges ----
 * The records from `place` on that lie together in memory. With tree_run_next to those of the following leaf. Likewise
 * backwards: a run of records that ends before `place`, then those of the leaf before. The leaf that follows in that
 * direction is prefetched. */
struct tree_run {
	const unsigned char *records; /* the first, in order */
	size_t count;                 /* 0: nothing left */
	const struct tree_leaf *_leaf;
};
struct tree_run tree_run_from(const struct tree *t, const struct tree_place *place);
struct tree_run tree_run_next(const struct tree *t, const struct tree_run *run);
struct tree_run tree_run_before(const struct tree *t, const struct tree_place *place);
struct tree_run tree_run_prev(const struct tree *t, const struct tree_run *run);

/* ---- Changing. O(log n) ---- */

/* Puts a copy of `record` before the place; the place is then that of the new record. */
void tree_insert(struct tree *t, struct tree_place *place, const void *record);
/* Takes the record out; the place is then that of its successor, or the end. */
void tree_remove(struct tree *t, struct tree_place *place);
/* Gives the record another weight: writes it there and adds up. Not for trees of tree_init. */
void tree_reweigh(struct tree *t, const struct tree_place *place, uint32_t weight);
/* The record's bytes were changed in place; its order and its weight stay. */
void tree_changed(struct tree *t, const struct tree_place *place);
/* Appends at the end: for building from sorted input, without searches. */
void tree_append(struct tree *t, const void *record);

/* Every record in order. `visit` may free what the record points to if nothing but tree_release follows. */
typedef void tree_visit_fn(void *context, const void *record);
void tree_each(const struct tree *t, tree_visit_fn *visit, void *context);

/* Walks everything; a text that says what is broken, or NULL. With `order` not NULL also the order of neighbours:
 * order(record, next record) must be < 0. */
const char *tree_check(const struct tree *t, tree_compare_fn *order);

/* ---- Private: what the inlined calls consist of ---- */

void tree__forward(const struct tree *t, struct tree_place *place); /* to the first record of the next leaf */
void tree__back(const struct tree *t, struct tree_place *place);    /* to the last record of the leaf before */

static inline bool tree_next(const struct tree *t, struct tree_place *place) {
	if (!place->_leaf || place->_index >= place->_leaf->count) return false;
	if (++place->_index < place->_leaf->count) return true;
	if (!place->_leaf->next) return false;
	tree__forward(t, place);
	return true;
}

static inline bool tree_prev(const struct tree *t, struct tree_place *place) {
	if (!place->_leaf) return false;
	if (place->_index > 0) {
		place->_index--;
		return true;
	}
	if (!place->_leaf->prev) return false;
	tree__back(t, place);
	return true;
}

/* How many of the `count` records at `records` lie before the place that is sought: those whose compare is below `bound`
 * (0: before the key, 1: before or at it). Without branches of its own, since half of them would be guessed wrong. */
__attribute__((always_inline)) static inline size_t tree__search(const unsigned char *records, size_t count,
	size_t record_bytes, tree_compare_fn *compare, const void *key, int bound) {
	size_t low = 0;
	while (count > 1) {
		size_t half = count / 2;
		low += compare(records + (low + half - 1) * record_bytes, key) < bound ? half : 0;
		count -= half;
	}
	return low + (count > 0 && compare(records + low * record_bytes, key) < bound);
}

__attribute__((always_inline)) static inline void tree__prefetch(const void *node, size_t bytes) {
	for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)node + at);
}

__attribute__((always_inline)) static inline void tree__seek(
	const struct tree *t, tree_compare_fn *compare, const void *key, int bound, struct tree_place *place) {
	size_t record_bytes = t->_record_bytes;
	void *node = t->_root;
	for (unsigned level = 0; level < t->_height; level++) {
		struct tree_inner *inner = node;
		size_t child =
			tree__search(inner->keys + record_bytes, inner->count - 1, record_bytes, compare, key, bound);
		place->_path[level] = (struct tree_step){ inner, child };
		node = inner->children[child];
		tree__prefetch(node, 1024);
	}
	struct tree_leaf *leaf = node;
	place->_leaf = leaf;
	place->_index = 0;
	if (!leaf) return;
	place->_index = (uint32_t)tree__search(leaf->records, leaf->count, record_bytes, compare, key, bound);
	if (place->_index == leaf->count && leaf->next) tree__forward(t, place);
}

__attribute__((always_inline)) static inline void tree_seek(
	const struct tree *t, tree_compare_fn *compare, const void *key, struct tree_place *place) {
	tree__seek(t, compare, key, 0, place);
}

__attribute__((always_inline)) static inline void tree_seek_behind(
	const struct tree *t, tree_compare_fn *compare, const void *key, struct tree_place *place) {
	tree__seek(t, compare, key, 1, place);
}

#endif
