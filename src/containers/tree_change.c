/* Changing a tree. A place is a path: what changes the shape of the tree near a path keeps the path right, level by level
 * (0 is the root, `height` the leaves), so no call searches twice.
 *
 * Shape is changed by few moves: items pass between two neighbours below one parent (shift), a node comes in (add_child),
 * a node goes (drop_child), the root grows or shrinks. All others are made of these. */
#include "containers/tree_private.h"

#include <assert.h>

enum { FIRST_LEAF_ROOM = 4 };

/* ---- Nodes ---- */

static struct tree_leaf *leaf_new(struct tree *t, size_t room) {
	size_t bytes = tree__leaf_bytes(t, room);
	struct tree_leaf *leaf = mem_alloc(bytes);
	*leaf = (struct tree_leaf){ .room = (uint16_t)room };
	t->_bytes += bytes;
	return leaf;
}

static struct tree_inner *inner_new(struct tree *t) {
	size_t bytes = tree__inner_bytes(t);
	struct tree_inner *inner = mem_alloc(bytes);
	inner->count = 0;
	t->_bytes += bytes;
	return inner;
}

static inline size_t node_count(const struct tree *t, unsigned level, const void *node) {
	return level == t->_height ? ((const struct tree_leaf *)node)->count : ((const struct tree_inner *)node)->count;
}

static inline size_t node_room(const struct tree *t, unsigned level) {
	return level == t->_height ? t->_leaf_room : TREE__FANOUT;
}

/* `delta` may be a negative number in two's complement: sums wrap the same. */
static inline void add_weight(struct tree *t, const struct tree_place *place, size_t delta) {
	for (unsigned level = 0; level < t->_height; level++) {
		const struct tree_step *step = &place->_path[level];
		step->node->weights[step->child] += delta;
	}
	t->_weight += delta;
}

/* ---- Separators ---- */

/* `key` is now the first record below the child of the path at `level`. */
static void set_separator(struct tree *t, const struct tree_place *place, unsigned level, const void *key) {
	for (;;) {
		const struct tree_step *step = &place->_path[level];
		if (step->child > 0) {
			memcpy(tree__key_at(t, step->node, step->child), key, t->_record_bytes);
			return;
		}
		if (level == 0) return;
		level--;
	}
}

/* ---- Moving items between neighbours ---- */

/* Both return the weight of what moved. */
static size_t shift_records(
	struct tree *t, struct tree_leaf *left, struct tree_leaf *right, size_t count, bool rightwards) {
	size_t bytes = t->_record_bytes;
	struct tree_leaf *from = rightwards ? left : right;
	unsigned char *moving = rightwards ? tree__record_at(t, left, left->count - count) : right->records;
	size_t weight = tree__records_weight(t, moving, count);
	if (rightwards) {
		memmove(tree__record_at(t, right, count), right->records, right->count * bytes);
		memcpy(right->records, moving, count * bytes);
	} else {
		memcpy(tree__record_at(t, left, left->count), moving, count * bytes);
		memmove(right->records, tree__record_at(t, right, count), (right->count - count) * bytes);
	}
	from->count = (uint16_t)(from->count - count);
	struct tree_leaf *to = rightwards ? right : left;
	to->count = (uint16_t)(to->count + count);
	return weight;
}

/* The right node's first key must be there. */
static size_t shift_children(
	struct tree *t, struct tree_inner *left, struct tree_inner *right, size_t count, bool rightwards) {
	struct tree_inner *from = rightwards ? left : right, *to = rightwards ? right : left;
	size_t bytes = t->_record_bytes, item = sizeof(void *);
	size_t source = rightwards ? left->count - count : 0, target = rightwards ? 0 : left->count;
	size_t weight = tree__sum(from->weights + source, count);
	if (rightwards) {
		memmove(to->children + count, to->children, to->count * item);
		memmove(to->weights + count, to->weights, to->count * item);
		memmove(tree__key_at(t, to, count), to->keys, to->count * bytes);
	}
	memcpy(to->children + target, from->children + source, count * item);
	memcpy(to->weights + target, from->weights + source, count * item);
	memcpy(tree__key_at(t, to, target), tree__key_at(t, from, source), count * bytes);
	from->count -= (uint32_t)count;
	to->count += (uint32_t)count;
	if (!rightwards) {
		memmove(from->children, from->children + count, from->count * item);
		memmove(from->weights, from->weights + count, from->count * item);
		memmove(from->keys, tree__key_at(t, from, count), from->count * bytes);
	}
	return weight;
}

/* Where the path goes through, as if the neighbours `left` and left + 1 of the parent were one node. The path may also go
 * past them. */
static inline size_t *path_index(const struct tree *t, struct tree_place *place, unsigned level, size_t *leaf_index) {
	if (level < t->_height) return &place->_path[level].child;
	*leaf_index = place->_index;
	return leaf_index;
}

/* Moves `count` items of nodes at `level` from child `left` of their parent, which is on the path, to the front of its
 * right neighbour, or back. Weights, separators and path follow. */
static void shift(
	struct tree *t, struct tree_place *place, unsigned level, size_t left, size_t count, bool rightwards) {
	struct tree_step *parent = &place->_path[level - 1];
	struct tree_inner *above = parent->node;
	void *a = above->children[left], *b = above->children[left + 1];
	size_t leaf_index, a_before = node_count(t, level, a);
	size_t *index = path_index(t, place, level, &leaf_index);
	size_t in_both = *index + (parent->child == left + 1 ? a_before : 0);
	bool concerned = parent->child == left || parent->child == left + 1;
	bool at_leaf = level == t->_height;

	size_t weight;
	if (at_leaf) {
		weight = shift_records(t, a, b, count, rightwards);
	} else {
		struct tree_inner *right = b;
		memcpy(right->keys, tree__key_at(t, above, left + 1), t->_record_bytes);
		weight = shift_children(t, a, b, count, rightwards);
	}
	above->weights[left] += rightwards ? -weight : weight;
	above->weights[left + 1] += rightwards ? weight : -weight;
	if (node_count(t, level, b) > 0) {
		const void *first = at_leaf ? ((struct tree_leaf *)b)->records : ((struct tree_inner *)b)->keys;
		memcpy(tree__key_at(t, above, left + 1), first, t->_record_bytes);
	}

	if (!concerned) return;
	/* Between two leaves a place may be the end of the one or the start of the other: that which has room. */
	size_t a_count = node_count(t, level, a);
	bool in_a = in_both < a_count || (at_leaf && in_both == a_count && a_count < t->_leaf_room);
	parent->child = in_a ? left : left + 1;
	*index = in_a ? in_both : in_both - a_count;
	if (at_leaf) {
		place->_leaf = in_a ? a : b;
		place->_index = (uint32_t)*index;
	} else {
		place->_path[level].node = in_a ? a : b;
	}
}

/* ---- Nodes that come ---- */

/* Puts an empty node among the children of the parent on the path, which has room. The path still goes where it went. */
static void add_child(struct tree *t, struct tree_step *parent, size_t at, void *node) {
	struct tree_inner *above = parent->node;
	size_t behind = above->count - at;
	memmove(above->children + at + 1, above->children + at, behind * sizeof(void *));
	memmove(above->weights + at + 1, above->weights + at, behind * sizeof(uint64_t));
	memmove(tree__key_at(t, above, at + 1), tree__key_at(t, above, at), behind * t->_record_bytes);
	above->children[at] = node;
	above->weights[at] = 0;
	above->count++;
	if (parent->child >= at) parent->child++;
}

static void link_leaf(struct tree *t, struct tree_leaf *leaf, struct tree_leaf *prev, struct tree_leaf *next) {
	leaf->prev = prev;
	leaf->next = next;
	*(prev ? &prev->next : &t->_first) = leaf;
	*(next ? &next->prev : &t->_last) = leaf;
}

/* A new, empty node at `level`, child `at` of the parent on the path. */
static void add_node(struct tree *t, struct tree_place *place, unsigned level, size_t at) {
	struct tree_step *parent = &place->_path[level - 1];
	if (level < t->_height) {
		add_child(t, parent, at, inner_new(t));
		return;
	}
	struct tree_leaf *leaf = leaf_new(t, t->_leaf_room);
	if (at > 0) {
		struct tree_leaf *prev = parent->node->children[at - 1];
		link_leaf(t, leaf, prev, prev->next);
	} else {
		struct tree_leaf *next = parent->node->children[0];
		link_leaf(t, leaf, next->prev, next);
	}
	add_child(t, parent, at, leaf);
}

/* A root above the root. */
static void add_root(struct tree *t, struct tree_place *place) {
	assert(t->_height < TREE_MAX_HEIGHT);
	struct tree_inner *root = inner_new(t);
	root->count = 1;
	root->children[0] = t->_root;
	root->weights[0] = t->_weight;
	memmove(place->_path + 1, place->_path, t->_height * sizeof(place->_path[0]));
	place->_path[0] = (struct tree_step){ root, 0 };
	t->_root = root;
	t->_height++;
}

/* ---- Room for one more ---- */

enum growth { GROWS_INSIDE, GROWS_AT_START, GROWS_AT_END };

/* At the ends the full node stays (nearly) full and what lies beyond the place goes to a new one. Of inner nodes that is
 * the child on the path, so that none is without children. */
static void split_at_end(struct tree *t, struct tree_place *place, unsigned level, enum growth growth) {
	struct tree_step *parent = &place->_path[level - 1];
	size_t child = parent->child;
	bool at_leaf = level == t->_height;
	if (growth == GROWS_AT_END) {
		add_node(t, place, level, child + 1);
		shift(t, place, level, child, at_leaf ? place->_leaf->count - place->_index : 1, true);
	} else {
		add_node(t, place, level, child);
		shift(t, place, level, child, at_leaf ? place->_index : 1, false);
	}
}

/* Makes the two neighbours `left` and left + 1 equally full. */
static void even_out(struct tree *t, struct tree_place *place, unsigned level, size_t left) {
	struct tree_inner *above = place->_path[level - 1].node;
	size_t a = node_count(t, level, above->children[left]), b = node_count(t, level, above->children[left + 1]);
	shift(t, place, level, left, a > b ? (a - b) / 2 : (b - a) / 2, a > b);
}

/* Three nodes of two full ones, or, without a neighbour, two of one. `left` is the left or only one of them. */
static void split_inside(struct tree *t, struct tree_place *place, unsigned level, size_t left, bool alone) {
	struct tree_inner *above = place->_path[level - 1].node;
	size_t a = node_count(t, level, above->children[left]);
	if (alone) {
		add_node(t, place, level, left + 1);
		shift(t, place, level, left, a / 2, true);
		return;
	}
	size_t b = node_count(t, level, above->children[left + 1]);
	size_t third = (a + b) / 3;
	add_node(t, place, level, left + 2);
	shift(t, place, level, left + 1, third, true);
	even_out(t, place, level, left);
}

/* Makes the node of the path at `level` one that has room, with the parents that it takes. */
static void make_room(struct tree *t, struct tree_place *place, enum growth growth) {
	/* First upwards to where a node has room or may share, then down again with what had to be split. */
	unsigned level = t->_height;
	for (;;) {
		if (level == 0) {
			add_root(t, place);
			level = 1;
		}
		struct tree_step *parent = &place->_path[level - 1];
		size_t child = parent->child, room = node_room(t, level);
		/* A neighbour with less room than that would soon be asked again; with room for one nothing would move. */
		size_t enough = room - (room / 8 > 2 ? room / 8 : 2);
		if (growth == GROWS_INSIDE) {
			struct tree_inner *above = parent->node;
			size_t before = child > 0 ? node_count(t, level, above->children[child - 1]) : room;
			size_t behind =
				child + 1 < above->count ? node_count(t, level, above->children[child + 1]) : room;
			if (before <= enough || behind <= enough) {
				even_out(t, place, level, before <= behind ? child - 1 : child);
				if (level == t->_height) return;
				level++;
				continue;
			}
		}
		if (parent->node->count == TREE__FANOUT) {
			level--;
			continue;
		}
		if (growth != GROWS_INSIDE) {
			split_at_end(t, place, level, growth);
		} else {
			bool alone = parent->node->count == 1;
			split_inside(t, place, level, child > 0 ? child - 1 : child, alone);
		}
		if (level == t->_height) return;
		level++;
	}
}

/* A tree that is one small leaf gets one of twice the size. */
static void grow_first_leaf(struct tree *t, struct tree_place *place) {
	struct tree_leaf *old = place->_leaf;
	size_t room = old ? old->room * 2u : FIRST_LEAF_ROOM;
	/* What the size class has room for, in any case. */
	room = (tree__leaf_bytes(t, room) - sizeof(struct tree_leaf)) / t->_record_bytes;
	struct tree_leaf *leaf = leaf_new(t, room < t->_leaf_room ? room : t->_leaf_room);
	if (old) {
		memcpy(leaf->records, old->records, old->count * (size_t)t->_record_bytes);
		leaf->count = old->count;
		tree__leaf_free(t, old);
	}
	t->_root = t->_first = t->_last = place->_leaf = leaf;
}

static void make_leaf_room(struct tree *t, struct tree_place *place) {
	struct tree_leaf *leaf = place->_leaf;
	if (!leaf || leaf->room < t->_leaf_room) {
		grow_first_leaf(t, place);
		return;
	}
	/* Nearly at the end counts as at the end: times and numbers come in order, but not quite. */
	enum growth growth = GROWS_INSIDE;
	size_t nearly = leaf->room / 8;
	if (!leaf->next && leaf->count - place->_index <= nearly)
		growth = GROWS_AT_END;
	else if (!leaf->prev && place->_index <= nearly)
		growth = GROWS_AT_START;
	make_room(t, place, growth);
}

void tree_insert(struct tree *t, struct tree_place *place, const void *record) {
	if (!place->_leaf || place->_leaf->count == place->_leaf->room) make_leaf_room(t, place);
	struct tree_leaf *leaf = place->_leaf;
	assert(leaf->count < leaf->room);
	unsigned char *at = tree__record_at(t, leaf, place->_index);
	memmove(at + t->_record_bytes, at, (leaf->count - place->_index) * (size_t)t->_record_bytes);
	memcpy(at, record, t->_record_bytes);
	leaf->count++;
	t->_records++;
	add_weight(t, place, tree__record_weight(t, record));
	if (place->_index == 0 && t->_height > 0) set_separator(t, place, t->_height - 1u, record);
}

void tree_append(struct tree *t, const void *record) {
	struct tree_place place;
	tree_end(t, &place);
	tree_insert(t, &place, record);
}

/* ---- Nodes that go ---- */

/* Takes the empty child `at` of the node on the path at `level` out of it: the path's own, then the path ends here, or one
 * behind that. */
static void drop_child(struct tree *t, struct tree_place *place, unsigned level, size_t at) {
	struct tree_inner *inner = place->_path[level].node;
	assert(at >= place->_path[level].child);
	if (level + 1 < t->_height) {
		tree__inner_free(t, inner->children[at]);
	} else {
		struct tree_leaf *leaf = inner->children[at];
		*(leaf->prev ? &leaf->prev->next : &t->_first) = leaf->next;
		*(leaf->next ? &leaf->next->prev : &t->_last) = leaf->prev;
		tree__leaf_free(t, leaf);
	}
	inner->count--;
	size_t behind = inner->count - at;
	memmove(inner->children + at, inner->children + at + 1, behind * sizeof(void *));
	memmove(inner->weights + at, inner->weights + at + 1, behind * sizeof(uint64_t));
	memmove(tree__key_at(t, inner, at), tree__key_at(t, inner, at + 1), behind * t->_record_bytes);
	/* The second child's first record is now that of all, and its only copy has moved to where none is looked for. */
	if (at == 0 && inner->count > 0 && level > 0) set_separator(t, place, level - 1, inner->keys);
}

/* Merges the node of the path at `level` with a neighbour, if both together leave room. Whether it did. */
static bool merge(struct tree *t, struct tree_place *place, unsigned level) {
	struct tree_step *parent = &place->_path[level - 1];
	struct tree_inner *above = parent->node;
	size_t child = parent->child, room = node_room(t, level), limit = room - room / 8;
	size_t own = node_count(t, level, above->children[child]);
	/* Beyond the first and the last there is none to merge with. */
	size_t before = child > 0 ? node_count(t, level, above->children[child - 1]) : room;
	size_t behind = child + 1 < above->count ? node_count(t, level, above->children[child + 1]) : room;
	bool with_next = own + behind <= limit;
	if (!with_next && own + before > limit) return false;
	size_t left = with_next ? child : child - 1;
	size_t moving = with_next ? behind : own;
	shift(t, place, level, left, moving, false);
	drop_child(t, place, level - 1, left + 1);
	return true;
}

/* The node of the path at `level` has lost a child: merges upwards from there. */
static void merge_upwards(struct tree *t, struct tree_place *place, unsigned level) {
	while (level > 0 && place->_path[level].node->count < TREE__FANOUT / 2 && merge(t, place, level)) level--;
	while (t->_height > 0 && ((struct tree_inner *)t->_root)->count == 1) {
		struct tree_inner *root = t->_root;
		t->_root = root->children[0];
		t->_height--;
		memmove(place->_path, place->_path + 1, t->_height * sizeof(place->_path[0]));
		tree__inner_free(t, root);
	}
}

/* The leaf of the path is empty and goes, with the parents that have no other child. */
static void drop_leaf(struct tree *t, struct tree_place *place) {
	if (t->_height == 0) {
		tree__leaf_free(t, place->_leaf);
		t->_root = t->_first = t->_last = place->_leaf = NULL;
		place->_index = 0;
		return;
	}
	unsigned level = t->_height - 1u;
	drop_child(t, place, level, place->_path[level].child);
	/* The root has two children at least, so this ends before it. */
	while (place->_path[level].node->count == 0) {
		level--;
		drop_child(t, place, level, place->_path[level].child);
	}
	struct tree_step *step = &place->_path[level];
	if (step->child < step->node->count) {
		tree__descend_first(t, place, level + 1, step->node->children[step->child]);
	} else {
		step->child--;
		tree__descend_last(t, place, level + 1, step->node->children[step->child]);
	}
	merge_upwards(t, place, level);
}

void tree_remove(struct tree *t, struct tree_place *place) {
	struct tree_leaf *leaf = place->_leaf;
	assert(leaf && place->_index < leaf->count);
	unsigned char *at = tree__record_at(t, leaf, place->_index);
	add_weight(t, place, -(size_t)tree__record_weight(t, at));
	leaf->count--;
	t->_records--;
	memmove(at, at + t->_record_bytes, (leaf->count - place->_index) * (size_t)t->_record_bytes);
	if (leaf->count == 0) {
		drop_leaf(t, place);
	} else if (t->_height > 0) {
		if (place->_index == 0) set_separator(t, place, t->_height - 1u, leaf->records);
		/* Neighbours are looked at now and then only: that is a cache miss each. */
		if (leaf->count < t->_leaf_room / 2 && leaf->count % 4 == 0 && merge(t, place, t->_height)) {
			merge_upwards(t, place, t->_height - 1u);
		}
	}
	leaf = place->_leaf;
	if (leaf && place->_index == leaf->count && leaf->next) tree__forward(t, place);
}

void tree_reweigh(struct tree *t, const struct tree_place *place, uint32_t weight) {
	assert(t->_weight_at != TREE__NO_WEIGHTS);
	unsigned char *record = tree__record_at(t, place->_leaf, place->_index);
	add_weight(t, place, (size_t)weight - tree__record_weight(t, record));
	memcpy(record + t->_weight_at, &weight, sizeof(weight));
	tree_changed(t, place);
}

void tree_changed(struct tree *t, const struct tree_place *place) {
	if (place->_index == 0 && t->_height > 0) set_separator(t, place, t->_height - 1u, place->_leaf->records);
}
