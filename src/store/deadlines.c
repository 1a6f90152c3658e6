#include "store/deadlines.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

/* A leaf is 512 bytes, an allocator class. Its records are in no order: an insertion appends, a removal fills the hole with
 * the last record, so neither moves the others nor searches with one cache miss after the other. Order is kept among
 * leaves, by the inner nodes; it is made inside a leaf only when the leaf is split. */
enum { LEAF_RECORDS = 42, INNER_CHILDREN = 32, MAX_HEIGHT = 12, CACHE_LINE = 64 };

static const uint64_t last_time = ((uint64_t)1 << 48) - 1;

struct record {
	uint64_t when;
	uint64_t address;
};

/* Every node begins with its count, so that a pointer to either kind may be handed on as struct deadline_node. */
struct deadline_node {
	uint16_t count; /* records of a leaf, children of an inner node */
};

struct leaf {
	struct deadline_node head;
	uint32_t address_low[LEAF_RECORDS];
	uint32_t when_low[LEAF_RECORDS];
	uint16_t address_high[LEAF_RECORDS];
	uint16_t when_high[LEAF_RECORDS];
};
_Static_assert(sizeof(struct leaf) <= 512, "a leaf fits its allocator class");

/* Child i holds the records from (whens[i], addresses[i]) on and below those of i + 1; the first bound is not looked at. Three
 * arrays, since a search reads times, and addresses only among equal times. */
struct inner {
	struct deadline_node head;
	uint64_t whens[INNER_CHILDREN];
	struct deadline_node *children[INNER_CHILDREN];
	uint64_t addresses[INNER_CHILDREN];
};

static struct record make_record(int64_t when_ms, const struct entry *e) {
	assert(when_ms >= 0);
	uint64_t when = (uint64_t)when_ms;
	return (struct record){ when < last_time ? when : last_time, (uint64_t)(uintptr_t)e };
}

static bool before(struct record a, struct record b) {
	return a.when != b.when ? a.when < b.when : a.address < b.address;
}

static struct record load(const struct leaf *l, unsigned i) {
	return (struct record){ l->when_low[i] | (uint64_t)l->when_high[i] << 32,
		l->address_low[i] | (uint64_t)l->address_high[i] << 32 };
}

static void save(struct leaf *l, unsigned i, struct record r) {
	l->address_low[i] = (uint32_t)r.address;
	l->address_high[i] = (uint16_t)(r.address >> 32);
	l->when_low[i] = (uint32_t)r.when;
	l->when_high[i] = (uint16_t)(r.when >> 32);
}

static void *new_node(struct deadlines *d, size_t bytes) {
	struct deadline_node *n = mem_alloc(bytes);
	n->count = 0;
	d->_bytes += mem_size_class(bytes);
	return n;
}

static void free_node(struct deadlines *d, void *node, size_t bytes) {
	mem_free_sized(node, bytes);
	d->_bytes -= mem_size_class(bytes);
}

static struct record first_of(const struct inner *n, unsigned child) {
	return (struct record){ n->whens[child], n->addresses[child] };
}

/* Where the record lies; the count when it is not there. The low halves nearly always tell addresses apart, and lie in
 * three cache lines. */
static unsigned leaf_place(const struct leaf *l, uint64_t address) {
	unsigned at = 0, count = l->head.count;
	uint32_t low = (uint32_t)address;
	while (at < count && (l->address_low[at] != low || load(l, at).address != address)) at++;
	return at;
}

/* The child whose range holds `r`. */
static unsigned inner_place(const struct inner *n, struct record r) {
	unsigned low = 1, high = n->head.count;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (r.when < n->whens[middle] || (r.when == n->whens[middle] && r.address < n->addresses[middle]))
			high = middle;
		else
			low = middle + 1;
	}
	return low - 1;
}

static void leaf_append(struct leaf *l, struct record r) {
	save(l, l->head.count, r);
	l->head.count++;
}

/* Moves the entries of the three arrays from `from` on to `to`. */
static void inner_shift(struct inner *n, unsigned to, unsigned from, unsigned count) {
	memmove(n->whens + to, n->whens + from, count * sizeof(n->whens[0]));
	memmove(n->addresses + to, n->addresses + from, count * sizeof(n->addresses[0]));
	memmove(n->children + to, n->children + from, count * sizeof(n->children[0]));
}

static void inner_set(struct inner *n, unsigned at, struct record first, struct deadline_node *child) {
	n->whens[at] = first.when;
	n->addresses[at] = first.address;
	n->children[at] = child;
}

static void inner_open(struct inner *n, unsigned at, struct record first, struct deadline_node *child) {
	inner_shift(n, at + 1, at, n->head.count - at);
	inner_set(n, at, first, child);
	n->head.count++;
}

static void inner_close(struct inner *n, unsigned at) {
	n->head.count--;
	inner_shift(n, at, at + 1, n->head.count - at);
}

static void inner_append(struct inner *to, const struct inner *from, unsigned begin) {
	for (unsigned i = begin; i < from->head.count; i++) {
		inner_set(to, to->head.count, first_of(from, i), from->children[i]);
		to->head.count++;
	}
}

/* What an insertion hands up when a node was split: the new right neighbour and its first record. */
struct sprout {
	struct deadline_node *node;
	struct record first;
};

/* Fills `sorted` with the records of a full leaf and one more, in order (insertion sort: 43 of them, rarely). */
static void sort_records(const struct leaf *l, struct record extra, struct record sorted[static LEAF_RECORDS + 1]) {
	for (unsigned i = 0; i <= LEAF_RECORDS; i++) {
		struct record r = i < LEAF_RECORDS ? load(l, i) : extra;
		unsigned at = i;
		for (; at > 0 && before(r, sorted[at - 1]); at--) sorted[at] = sorted[at - 1];
		sorted[at] = r;
	}
}

/* Times mostly grow (the same TTL given again and again): when the new record is the last, the left leaf stays full instead
 * of half empty. */
static struct sprout leaf_split(struct deadlines *d, struct leaf *l, struct record r) {
	struct record sorted[LEAF_RECORDS + 1];
	sort_records(l, r, sorted);
	bool is_last = sorted[LEAF_RECORDS].address == r.address;
	unsigned keep = is_last ? LEAF_RECORDS : (LEAF_RECORDS + 1) / 2;
	struct leaf *right = new_node(d, sizeof(*right));
	l->head.count = 0;
	for (unsigned i = 0; i <= LEAF_RECORDS; i++) leaf_append(i < keep ? l : right, sorted[i]);
	return (struct sprout){ &right->head, sorted[keep] };
}

static struct sprout leaf_add(struct deadlines *d, struct leaf *l, struct record r) {
	if (l->head.count == LEAF_RECORDS) return leaf_split(d, l, r);
	leaf_append(l, r);
	return (struct sprout){ NULL, r };
}

/* A full inner node takes one more child by giving its right part to a new neighbour. */
static struct sprout inner_split(struct deadlines *d, struct inner *n, unsigned at, struct sprout below) {
	unsigned keep = at == INNER_CHILDREN ? INNER_CHILDREN - 1 : INNER_CHILDREN / 2;
	struct inner *right = new_node(d, sizeof(*right));
	inner_append(right, n, keep);
	n->head.count = (uint16_t)keep;
	if (at <= keep && at != INNER_CHILDREN)
		inner_open(n, at, below.first, below.node);
	else
		inner_open(right, at - keep, below.first, below.node);
	return (struct sprout){ &right->head, first_of(right, 0) };
}

static struct sprout node_add(struct deadlines *d, struct deadline_node *node, uint32_t height, struct record r) {
	if (height == 0) return leaf_add(d, (struct leaf *)node, r);
	struct inner *n = (struct inner *)node;
	unsigned at = inner_place(n, r);
	struct sprout below = node_add(d, n->children[at], height - 1, r);
	if (!below.node) return below;
	at++;
	if (n->head.count < INNER_CHILDREN) {
		inner_open(n, at, below.first, below.node);
		return (struct sprout){ NULL, r };
	}
	return inner_split(d, n, at, below);
}

/* Racy on purpose, like table_prefetch: reads the root's address, which another thread may be changing, and fetches what a
 * search in it reads first. Volatile, so that ThreadSanitizer's exemption is not lost to inlining. */
__attribute__((no_sanitize("thread"), noinline)) void deadlines_prefetch(const struct deadlines *d) {
	const char *root = (const char *)*(struct deadline_node *const volatile *)&d->_root;
	if (!root) return;
	for (size_t at = 0; at < 6 * (size_t)CACHE_LINE; at += CACHE_LINE) __builtin_prefetch(root + at);
}

void deadlines_add(struct deadlines *d, int64_t when_ms, struct entry *e) {
	struct record r = make_record(when_ms, e);
	if (!d->_root) d->_root = new_node(d, sizeof(struct leaf));
	struct sprout top = node_add(d, d->_root, d->_height, r);
	if (top.node) {
		struct inner *root = new_node(d, sizeof(*root));
		inner_open(root, 0, (struct record){ 0, 0 }, d->_root);
		inner_open(root, 1, top.first, top.node);
		d->_root = &root->head;
		d->_height++;
		assert(d->_height < MAX_HEIGHT);
	}
	d->_count++;
}

static void merge_leaves(struct deadlines *d, struct leaf *left, struct leaf *right) {
	for (unsigned i = 0; i < right->head.count; i++) save(left, left->head.count + i, load(right, i));
	left->head.count = (uint16_t)(left->head.count + right->head.count);
	free_node(d, right, sizeof(*right));
}

static void merge_inners(struct deadlines *d, struct inner *left, struct inner *right, struct record first) {
	inner_set(right, 0, first, right->children[0]);
	inner_append(left, right, 0);
	free_node(d, right, sizeof(*right));
}

/* Merges children `at` and `at` + 1 when the two fit in three quarters of a node, so that the merged one does not split again
 * at once. */
static bool merge_children(struct deadlines *d, struct inner *n, unsigned at, bool leaves) {
	unsigned limit = (leaves ? LEAF_RECORDS : INNER_CHILDREN) * 3 / 4;
	if (at + 1 >= n->head.count) return false;
	struct deadline_node *left = n->children[at], *right = n->children[at + 1];
	if ((unsigned)(left->count + right->count) > limit) return false;
	if (leaves)
		merge_leaves(d, (struct leaf *)left, (struct leaf *)right);
	else
		merge_inners(d, (struct inner *)left, (struct inner *)right, first_of(n, at + 1));
	inner_close(n, at + 1);
	return true;
}

/* Takes an empty child away; merges a small one with a neighbour. Both are tried: when records go in the order of time, the
 * right one is still full. */
static void shrink_child(struct deadlines *d, struct inner *n, unsigned at, bool leaves) {
	unsigned small = (leaves ? LEAF_RECORDS : INNER_CHILDREN) * 3 / 8;
	if (n->children[at]->count == 0) {
		free_node(d, n->children[at], leaves ? sizeof(struct leaf) : sizeof(struct inner));
		inner_close(n, at);
		return;
	}
	if (n->children[at]->count > small) return;
	if (!merge_children(d, n, at, leaves) && at > 0) merge_children(d, n, at - 1, leaves);
}

/* A removal looks through the leaf; its lines had better come together than one after the other. */
static void prefetch_leaf(const struct deadline_node *leaf) {
	for (size_t at = 0; at < sizeof(struct leaf); at += CACHE_LINE) __builtin_prefetch((const char *)leaf + at);
}

static void node_remove(struct deadlines *d, struct deadline_node *node, uint32_t height, struct record r) {
	if (height == 0) {
		struct leaf *l = (struct leaf *)node;
		unsigned at = leaf_place(l, r.address);
		assert(at < l->head.count && load(l, at).when == r.when);
		l->head.count--;
		save(l, at, load(l, l->head.count));
		return;
	}
	struct inner *n = (struct inner *)node;
	unsigned at = inner_place(n, r);
	if (height == 1) prefetch_leaf(n->children[at]);
	node_remove(d, n->children[at], height - 1, r);
	shrink_child(d, n, at, height == 1);
}

void deadlines_remove(struct deadlines *d, int64_t when_ms, struct entry *e) {
	node_remove(d, d->_root, d->_height, make_record(when_ms, e));
	d->_count--;
	while (d->_height > 0 && d->_root->count == 1) {
		struct inner *root = (struct inner *)d->_root;
		d->_root = root->children[0];
		d->_height--;
		free_node(d, root, sizeof(*root));
	}
	if (d->_count == 0) deadlines_release(d);
}

/* Fetches the leaf in whose range the record lies. */
static void prefetch_leaf_of(const struct deadlines *d, struct record r) {
	const struct deadline_node *node = d->_root;
	for (uint32_t height = d->_height; height > 0; height--) {
		const struct inner *n = (const struct inner *)node;
		node = n->children[inner_place(n, r)];
	}
	prefetch_leaf(node);
}

void deadlines_move(struct deadlines *d, int64_t old_ms, struct entry *old, int64_t new_ms, struct entry *e) {
	prefetch_leaf_of(d, make_record(new_ms, e));
	prefetch_leaf_of(d, make_record(old_ms, old));
	deadlines_remove(d, old_ms, old);
	deadlines_add(d, new_ms, e);
}

bool deadlines_first(const struct deadlines *d, int64_t *when_ms, struct entry **e) {
	if (d->_count == 0) return false;
	const struct deadline_node *node = d->_root;
	for (uint32_t height = d->_height; height > 0; height--) node = ((const struct inner *)node)->children[0];
	const struct leaf *l = (const struct leaf *)node;
	assert(l->head.count > 0);
	struct record first = load(l, 0);
	for (unsigned i = 1; i < l->head.count; i++)
		if (before(load(l, i), first)) first = load(l, i);
	*when_ms = (int64_t)first.when;
	*e = (struct entry *)(uintptr_t)first.address;
	return true;
}

static void free_tree(struct deadlines *d, struct deadline_node *node, uint32_t height) {
	if (height == 0) {
		free_node(d, node, sizeof(struct leaf));
		return;
	}
	struct inner *n = (struct inner *)node;
	for (unsigned i = 0; i < n->head.count; i++) free_tree(d, n->children[i], height - 1);
	free_node(d, n, sizeof(*n));
}

void deadlines_release(struct deadlines *d) {
	if (d->_root) free_tree(d, d->_root, d->_height);
	*d = (struct deadlines){ 0 };
}

size_t deadlines_memory(const struct deadlines *d) {
	return d->_bytes;
}

static void each(const struct deadline_node *node, uint32_t height, deadline_visit_fn *visit, void *context) {
	if (height > 0) {
		const struct inner *n = (const struct inner *)node;
		for (unsigned i = 0; i < n->head.count; i++) each(n->children[i], height - 1, visit, context);
		return;
	}
	const struct leaf *l = (const struct leaf *)node;
	for (unsigned i = 0; i < l->head.count; i++) {
		struct record r = load(l, i);
		visit(context, (int64_t)r.when, (struct entry *)(uintptr_t)r.address);
	}
}

void deadlines_each(const struct deadlines *d, deadline_visit_fn *visit, void *context) {
	if (d->_root) each(d->_root, d->_height, visit, context);
}

struct walk {
	size_t count;
	const char *broken;
};

/* All records lie in [low, high). */
static void check_node(
	struct walk *w, const struct deadline_node *node, uint32_t height, struct record low, struct record high) {
	if (node->count == 0) w->broken = "a node is empty";
	if (height > 0) {
		const struct inner *n = (const struct inner *)node;
		for (unsigned i = 0; i < n->head.count; i++)
			check_node(w, n->children[i], height - 1, i ? first_of(n, i) : low,
				i + 1 < n->head.count ? first_of(n, i + 1) : high);
		return;
	}
	const struct leaf *l = (const struct leaf *)node;
	for (unsigned i = 0; i < l->head.count; i++) {
		struct record r = load(l, i);
		if (before(r, low) || !before(r, high)) w->broken = "a record lies outside its node's bounds";
		w->count++;
	}
}

const char *deadlines_check(const struct deadlines *d) {
	struct walk w = { 0 };
	struct record end = { UINT64_MAX, UINT64_MAX };
	if (d->_root) check_node(&w, d->_root, d->_height, (struct record){ 0, 0 }, end);
	if (!w.broken && w.count != d->_count) w.broken = "the count of records is wrong";
	return w.broken;
}
