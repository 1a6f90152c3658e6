/* The nodes of a tree, for tree.c and tree_change.c. */
#ifndef TARN_CONTAINERS_TREE_PRIVATE_H
#define TARN_CONTAINERS_TREE_PRIVATE_H

#include "containers/tree.h"

#include <string.h>

#include "base/alloc.h"

/* Measured against 256 and 512: a seek in a million records is quickest, and the tree smallest. */
enum { TREE__LEAF_BYTES = 1024 };

static inline unsigned char *tree__record_at(const struct tree *t, struct tree_leaf *leaf, size_t index) {
	return leaf->records + index * t->_record_bytes;
}

static inline unsigned char *tree__key_at(const struct tree *t, struct tree_inner *inner, size_t child) {
	return inner->keys + child * t->_record_bytes;
}

static inline size_t tree__leaf_bytes(const struct tree *t, size_t room) {
	return mem_size_class(sizeof(struct tree_leaf) + room * t->_record_bytes);
}

static inline size_t tree__inner_bytes(const struct tree *t) {
	return mem_size_class(sizeof(struct tree_inner) + (size_t)TREE__FANOUT * t->_record_bytes);
}

static inline void tree__leaf_free(struct tree *t, struct tree_leaf *leaf) {
	size_t bytes = tree__leaf_bytes(t, leaf->room);
	t->_bytes -= bytes;
	mem_free_sized(leaf, bytes);
}

static inline void tree__inner_free(struct tree *t, struct tree_inner *inner) {
	size_t bytes = tree__inner_bytes(t);
	t->_bytes -= bytes;
	mem_free_sized(inner, bytes);
}

/* ---- Weights ---- */

static inline uint32_t tree__record_weight(const struct tree *t, const unsigned char *record) {
	if (t->_weight_at == TREE__NO_WEIGHTS) return 1;
	uint32_t weight;
	memcpy(&weight, record + t->_weight_at, sizeof(weight));
	return weight;
}

static inline size_t tree__records_weight(const struct tree *t, const unsigned char *records, size_t count) {
	if (t->_weight_at == TREE__NO_WEIGHTS) return count;
	size_t sum = 0;
	for (size_t i = 0; i < count; i++) sum += tree__record_weight(t, records + i * t->_record_bytes);
	return sum;
}

static inline size_t tree__sum(const uint64_t *weights, size_t count) {
	size_t sum = 0;
	for (size_t i = 0; i < count; i++) sum += weights[i];
	return sum;
}

/* Continues the path from `node` at `level` to its first record. */
void tree__descend_first(const struct tree *t, struct tree_place *place, unsigned level, void *node);
/* To the end of its last leaf. */
void tree__descend_last(const struct tree *t, struct tree_place *place, unsigned level, void *node);

#endif
