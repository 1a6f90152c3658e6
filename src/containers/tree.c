/* Trees without changing them, but for their beginning and end. Levels are counted from the root: 0 up to height - 1 are
 * inner nodes, `height` is the leaves. */
#include "containers/tree.h"

#include <assert.h>

#include "containers/tree_private.h"

/* ---- Life ---- */

void tree_init_weighed(struct tree *t, unsigned record_bytes, unsigned weight_at) {
	assert(record_bytes > 0 && record_bytes <= TREE_MAX_RECORD_BYTES && record_bytes % 8 == 0);
	assert(weight_at == TREE__NO_WEIGHTS || (weight_at % 4 == 0 && weight_at + 4 <= record_bytes));
	*t = (struct tree){
		._record_bytes = (uint16_t)record_bytes,
		._leaf_room = (uint16_t)((TREE__LEAF_BYTES - sizeof(struct tree_leaf)) / record_bytes),
		._weight_at = (uint8_t)weight_at,
	};
}

void tree_init(struct tree *t, unsigned record_bytes) {
	tree_init_weighed(t, record_bytes, TREE__NO_WEIGHTS);
}

static void free_inner_nodes(struct tree *t, struct tree_inner *inner, unsigned level) {
	if (level + 1 < t->_height) {
		for (size_t i = 0; i < inner->count; i++) free_inner_nodes(t, inner->children[i], level + 1);
	}
	tree__inner_free(t, inner);
}

void tree_release(struct tree *t) {
	if (t->_height > 0) free_inner_nodes(t, t->_root, 0);
	for (struct tree_leaf *leaf = t->_first, *next; leaf; leaf = next) {
		next = leaf->next;
		tree__leaf_free(t, leaf);
	}
	assert(t->_bytes == 0);
	tree_init_weighed(t, t->_record_bytes, t->_weight_at);
}

/* ---- Finding ---- */

void tree__descend_first(const struct tree *t, struct tree_place *place, unsigned level, void *node) {
	for (; level < t->_height; level++) {
		place->_path[level] = (struct tree_step){ node, 0 };
		node = ((struct tree_inner *)node)->children[0];
	}
	place->_leaf = node;
	place->_index = 0;
}

void tree__descend_last(const struct tree *t, struct tree_place *place, unsigned level, void *node) {
	for (; level < t->_height; level++) {
		struct tree_inner *inner = node;
		place->_path[level] = (struct tree_step){ inner, inner->count - 1 };
		node = inner->children[inner->count - 1];
	}
	place->_leaf = node;
	place->_index = place->_leaf ? place->_leaf->count : 0;
}

void tree_first(const struct tree *t, struct tree_place *place) {
	tree__descend_first(t, place, 0, t->_root);
}

void tree_end(const struct tree *t, struct tree_place *place) {
	tree__descend_last(t, place, 0, t->_root);
}

void tree_last(const struct tree *t, struct tree_place *place) {
	tree__descend_last(t, place, 0, t->_root);
	if (place->_index > 0) place->_index--;
}

void tree__forward(const struct tree *t, struct tree_place *place) {
	unsigned level = t->_height;
	assert(level > 0);
	do level--;
	while (place->_path[level].child + 1 == place->_path[level].node->count);
	struct tree_step *step = &place->_path[level];
	step->child++;
	tree__descend_first(t, place, level + 1, step->node->children[step->child]);
}

void tree__back(const struct tree *t, struct tree_place *place) {
	unsigned level = t->_height;
	assert(level > 0);
	do level--;
	while (place->_path[level].child == 0);
	struct tree_step *step = &place->_path[level];
	step->child--;
	tree__descend_last(t, place, level + 1, step->node->children[step->child]);
	place->_index--;
}

/* The child in which element *position lies, which becomes its position there. By fours: one guess in place of four. */
static size_t child_at(const struct tree_inner *inner, size_t *position) {
	size_t child = 0, left = *position;
	for (; child + 4 <= inner->count; child += 4) {
		size_t four = tree__sum(inner->weights + child, 4);
		if (left < four) break;
		left -= four;
	}
	for (; left >= inner->weights[child]; child++) left -= inner->weights[child];
	assert(child < inner->count);
	*position = left;
	return child;
}

static uint32_t index_at(const struct tree *t, const struct tree_leaf *leaf, size_t *position) {
	uint32_t index = 0;
	size_t left = *position, bytes = t->_record_bytes;
	for (; index + 4u <= leaf->count; index += 4) {
		size_t four = tree__records_weight(t, leaf->records + index * bytes, 4);
		if (left < four) break;
		left -= four;
	}
	for (uint32_t weight; left >= (weight = tree__record_weight(t, leaf->records + index * bytes)); index++)
		left -= weight;
	assert(index < leaf->count);
	*position = left;
	return index;
}

void tree_at(const struct tree *t, size_t position, struct tree_place *place, size_t *within) {
	if (within) *within = 0;
	if (position >= t->_weight) {
		tree_end(t, place);
		return;
	}
	void *node = t->_root;
	for (unsigned level = 0; level < t->_height; level++) {
		struct tree_inner *inner = node;
		size_t child = child_at(inner, &position);
		place->_path[level] = (struct tree_step){ inner, child };
		node = inner->children[child];
		tree__prefetch(node, offsetof(struct tree_inner, keys));
	}
	place->_leaf = node;
	if (t->_weight_at == TREE__NO_WEIGHTS) {
		place->_index = (uint32_t)position;
		return;
	}
	place->_index = index_at(t, node, &position);
	if (within) *within = position;
}

size_t tree_rank(const struct tree *t, const struct tree_place *place) {
	if (!place->_leaf) return 0;
	size_t rank = tree__records_weight(t, place->_leaf->records, place->_index);
	for (unsigned level = 0; level < t->_height; level++) {
		rank += tree__sum(place->_path[level].node->weights, place->_path[level].child);
	}
	return rank;
}

/* ---- Runs ---- */

static struct tree_run no_run(void) {
	return (struct tree_run){ NULL, 0, NULL };
}

struct tree_run tree_run_from(const struct tree *t, const struct tree_place *place) {
	const struct tree_leaf *leaf = place->_leaf;
	if (!leaf || place->_index >= leaf->count) return no_run();
	if (leaf->next) tree__prefetch(leaf->next, TREE__LEAF_BYTES);
	return (struct tree_run){ leaf->records + (size_t)place->_index * t->_record_bytes, leaf->count - place->_index,
		leaf };
}

struct tree_run tree_run_next(const struct tree *t, const struct tree_run *run) {
	(void)t;
	const struct tree_leaf *leaf = run->_leaf ? run->_leaf->next : NULL;
	if (!leaf) return no_run();
	if (leaf->next) tree__prefetch(leaf->next, TREE__LEAF_BYTES);
	return (struct tree_run){ leaf->records, leaf->count, leaf };
}

struct tree_run tree_run_before(const struct tree *t, const struct tree_place *place) {
	const struct tree_leaf *leaf = place->_leaf;
	if (!leaf) return no_run();
	struct tree_run run = { leaf->records, place->_index, leaf };
	return place->_index > 0 ? run : tree_run_prev(t, &run);
}

struct tree_run tree_run_prev(const struct tree *t, const struct tree_run *run) {
	(void)t;
	const struct tree_leaf *leaf = run->_leaf ? run->_leaf->prev : NULL;
	if (!leaf) return no_run();
	if (leaf->prev) tree__prefetch(leaf->prev, TREE__LEAF_BYTES);
	return (struct tree_run){ leaf->records, leaf->count, leaf };
}

/* ---- Everything ---- */

void tree_each(const struct tree *t, tree_visit_fn *visit, void *context) {
	for (const struct tree_leaf *leaf = t->_first; leaf; leaf = leaf->next) {
		if (leaf->next) tree__prefetch(leaf->next, TREE__LEAF_BYTES);
		for (size_t i = 0; i < leaf->count; i++) visit(context, leaf->records + i * t->_record_bytes);
	}
}

struct check {
	const struct tree *tree;
	tree_compare_fn *order;
	const struct tree_leaf *leaf; /* the last one */
	const unsigned char *record;  /* the last one */
	size_t records, bytes;
};

static const char *check_leaf(struct check *check, const struct tree_leaf *leaf, size_t *weight) {
	const struct tree *t = check->tree;
	if (leaf->count == 0) return "tree: an empty leaf";
	if (leaf->count > leaf->room || leaf->room > t->_leaf_room) return "tree: a leaf beyond its room";
	if (t->_height > 0 && leaf->room != t->_leaf_room) return "tree: a small leaf among others";
	if (leaf->prev != check->leaf) return "tree: a leaf that is linked back wrongly";
	if (check->leaf ? check->leaf->next != leaf : t->_first != leaf) return "tree: a leaf that is linked wrongly";
	for (size_t i = 0; i < leaf->count; i++) {
		const unsigned char *record = leaf->records + i * t->_record_bytes;
		if (check->order && check->record && check->order(check->record, record) >= 0)
			return "tree: records out of order";
		check->record = record;
	}
	check->leaf = leaf;
	check->records += leaf->count;
	check->bytes += tree__leaf_bytes(t, leaf->room);
	*weight = tree__records_weight(t, leaf->records, leaf->count);
	return NULL;
}

/* `first` is set to the first record below. */
static const char *check_inner(struct check *check, const struct tree_inner *inner, unsigned level, size_t *weight,
	const unsigned char **first) {
	const struct tree *t = check->tree;
	*weight = 0;
	if (inner->count == 0 || inner->count > TREE__FANOUT) return "tree: an inner node with a wrong count";
	if (level == 0 && inner->count == 1) return "tree: a root with one child";
	check->bytes += tree__inner_bytes(t);
	for (size_t i = 0; i < inner->count; i++) {
		size_t below = 0;
		const unsigned char *first_below = NULL;
		const char *wrong;
		if (level + 1 < t->_height) {
			wrong = check_inner(check, inner->children[i], level + 1, &below, &first_below);
		} else {
			first_below = ((const struct tree_leaf *)inner->children[i])->records;
			wrong = check_leaf(check, inner->children[i], &below);
		}
		if (wrong) return wrong;
		if (below != inner->weights[i]) return "tree: a wrong weight";
		if (i == 0)
			*first = first_below;
		else if (memcmp(inner->keys + i * t->_record_bytes, first_below, t->_record_bytes) != 0) {
			return "tree: a separator that is not the first record below";
		}
		*weight += below;
	}
	return NULL;
}

const char *tree_check(const struct tree *t, tree_compare_fn *order) {
	struct check check = { .tree = t, .order = order };
	size_t weight = 0;
	const unsigned char *first;
	const char *wrong = NULL;
	if (t->_height > 0)
		wrong = check_inner(&check, t->_root, 0, &weight, &first);
	else if (t->_root)
		wrong = check_leaf(&check, t->_root, &weight);
	if (wrong) return wrong;
	if (check.leaf != t->_last) return "tree: the last leaf is another";
	if (check.leaf && check.leaf->next) return "tree: a leaf behind the last";
	if (check.records != t->_records) return "tree: a wrong count of records";
	if (weight != t->_weight) return "tree: a wrong weight in all";
	return check.bytes == t->_bytes ? NULL : "tree: a wrong sum of bytes";
}
