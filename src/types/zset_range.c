/* Stretches of a sorted set: by rank, by score, by the members' bytes; counted, walked, taken out, scanned.
 *
 * A bound is a point between two neighbours: behind all elements that lie below it. A range is what lies between the points of
 * its two bounds, and a walk down begins at the upper one. */
#include "types/zset_private.h"

#include "base/number.h"

struct bound {
	bool by_member;
	bool behind; /* behind the elements that are equal to it, else before them */
	double score;
	struct zset_lex_bound lex;
};

static struct bound bound_of_score(double score, bool behind) {
	return (struct bound){ .score = score, .behind = behind };
}

static struct bound bound_of_lex(struct zset_lex_bound lex, bool behind) {
	return (struct bound){ .by_member = true, .lex = lex, .behind = behind };
}

struct range {
	struct bound from, to; /* upwards: from the one point to the other */
};

static struct range range_of_scores(const struct zset_score_range *r) {
	return (struct range){ bound_of_score(r->min, r->min_open), bound_of_score(r->max, !r->max_open) };
}

static struct range range_of_lex(const struct zset_lex_range *r) {
	return (struct range){ bound_of_lex(r->min, r->min.kind == ZSET_LEX_OPEN),
		bound_of_lex(r->max, r->max.kind != ZSET_LEX_OPEN) };
}

/* <0, 0, >0: the member and the bound's. */
static int compare_member(struct slice member, const struct zset_lex_bound *lex) {
	if (lex->kind == ZSET_LEX_LOWEST) return 1;
	if (lex->kind == ZSET_LEX_HIGHEST) return -1;
	return slice_compare(member, lex->member);
}

/* ---- In a tree ---- */

static inline int compare_score(const void *record, const void *key) {
	double score = ((const struct zset_record *)record)->score, wanted = *(const double *)key;
	return (score > wanted) - (score < wanted);
}

static inline int compare_lex(const void *record, const void *key) {
	return compare_member(zset__item_member(((const struct zset_record *)record)->item), key);
}

static void seek(const struct tree *order, const struct bound *bound, struct tree_place *place) {
	if (bound->by_member) {
		if (bound->behind) {
			tree_seek_behind(order, compare_lex, &bound->lex, place);
		} else {
			tree_seek(order, compare_lex, &bound->lex, place);
		}
	} else if (bound->behind) {
		tree_seek_behind(order, compare_score, &bound->score, place);
	} else {
		tree_seek(order, compare_score, &bound->score, place);
	}
}

static const struct tree *order_of(const struct value *z) {
	return &((const struct zset_tree *)z->data)->order;
}

static size_t tree_rank_of(const struct value *z, const struct bound *bound) {
	struct tree_place place;
	seek(order_of(z), bound, &place);
	return tree_rank(order_of(z), &place);
}

/* ---- In a pack ---- */

/* Whether the element lies below the bound. */
static bool pack_is_below(const struct pack *pack, size_t at, const struct bound *bound) {
	int order;
	if (bound->by_member) {
		char scratch[PACK_SCRATCH_BYTES];
		order = compare_member(pack_text(pack, at, scratch), &bound->lex);
	} else {
		double score = 0;
		zset_pack_score(pack, pack_next(pack, at), &score);
		order = (score > bound->score) - (score < bound->score);
	}
	return order < 0 || (order == 0 && bound->behind);
}

static size_t pack_step(const struct pack *pack, size_t at, bool up) {
	at = up ? pack_next(pack, at) : pack_prev(pack, at);
	if (at) at = up ? pack_next(pack, at) : pack_prev(pack, at);
	return at;
}

static size_t pack_end(const struct pack *pack, bool up) {
	if (up) return pack_first(pack);
	size_t last = pack_last(pack);
	return last ? pack_prev(pack, last) : 0;
}

/* A stretch of a pack, looked for from one end on. */
struct stretch {
	size_t at;    /* its first element */
	size_t first; /* elements before that */
	size_t count;
};

/* Where members are in the order of their bytes this is simply the range. Where scores differ it is what Redis finds: nothing
 * unless first and last element agree with it, else from the first element inside one bound to the last neighbour inside the
 * other. The walk ends when `most` are found. */
static struct stretch find_stretch(const struct pack *pack, const struct range *range, bool up, size_t most) {
	struct stretch found = { 0, 0, 0 };
	const struct bound *near = up ? &range->from : &range->to, *far = up ? &range->to : &range->from;
	if (pack_is_empty(pack) || pack_is_below(pack, pack_end(pack, false), &range->from) ||
		!pack_is_below(pack, pack_end(pack, true), &range->to))
		return found;
	size_t at = pack_end(pack, up);
	for (; at && pack_is_below(pack, at, near) == up; found.first++) at = pack_step(pack, at, up);
	found.at = at;
	for (; at && found.count < most && pack_is_below(pack, at, far) == up; found.count++)
		at = pack_step(pack, at, up);
	return found;
}

/* ---- Spans ---- */

static struct zset_span span_of(const struct value *z, const struct range *range) {
	struct zset_span span = { 0, 0 };
	if (z->encoding == ZSET_PACK) {
		struct stretch found = find_stretch(z->data, range, true, SIZE_MAX);
		return (struct zset_span){ found.first, found.count };
	}
	span.first = tree_rank_of(z, &range->from);
	size_t end = tree_rank_of(z, &range->to);
	if (end > span.first) span.count = end - span.first;
	return span;
}

struct zset_span zset_span_of_scores(const struct value *z, const struct zset_score_range *range) {
	struct range r = range_of_scores(range);
	return span_of(z, &r);
}

struct zset_span zset_span_of_lex(const struct value *z, const struct zset_lex_range *range) {
	struct range r = range_of_lex(range);
	return span_of(z, &r);
}

/* ---- Walks ---- */

enum { AHEAD = 8 }; /* items that are fetched before they are needed */

static inline const struct zset_record *records_of(const struct zset_walk *walk) {
	return (const void *)walk->_records;
}

/* Goes on with a run of records. */
static void enter_run(struct zset_walk *walk, struct tree_run run) {
	walk->_records = run.records;
	walk->_leaf = run._leaf;
	walk->_run = run.count;
	walk->_at = walk->_order == ZSET_UP ? 0 : run.count - 1;
	size_t ahead = walk->left < run.count ? walk->left : run.count;
	if (ahead > AHEAD) ahead = AHEAD;
	for (size_t i = 0; i < ahead; i++) {
		__builtin_prefetch(records_of(walk)[walk->_order == ZSET_UP ? i : run.count - 1 - i].item);
	}
}

/* Begins at a point: with the element behind it, or, downwards, with the one before. */
static void enter_at(struct zset_walk *walk, const struct tree_place *place) {
	if (walk->left == 0) return;
	enter_run(walk,
		walk->_order == ZSET_UP ? tree_run_from(walk->_tree, place) : tree_run_before(walk->_tree, place));
}

static void enter_rank(struct zset_walk *walk, size_t first) {
	struct tree_place place;
	size_t total = tree_count(walk->_tree);
	if (walk->left == 0) return;
	tree_at(walk->_tree, walk->_order == ZSET_UP ? first : total - first, &place, NULL);
	enter_at(walk, &place);
}

static void walk_init(const struct value *z, enum zset_order order, struct zset_walk *walk) {
	walk->left = 0;
	walk->_order = order;
	walk->_pack = z->encoding == ZSET_PACK ? z->data : NULL;
	walk->_tree = z->encoding == ZSET_PACK ? NULL : order_of(z);
	walk->_at = 0;
}

static size_t clip(size_t total, size_t first, size_t count) {
	if (first >= total) return 0;
	return count < total - first ? count : total - first;
}

void zset_walk_ranks(const struct value *z, size_t first, size_t count, enum zset_order order, struct zset_walk *walk) {
	walk_init(z, order, walk);
	walk->left = clip(zset_count(z), first, count);
	if (walk->left == 0) return;
	if (walk->_tree) {
		enter_rank(walk, first);
	} else {
		walk->_at = pack_nth(walk->_pack, order == ZSET_UP ? (int64_t)first * 2 : -(int64_t)first * 2 - 2);
	}
}

/* How many elements from the point on, in the walk's direction, lie within the bound of the other end; no more than `most`. */
static size_t count_records(
	const struct zset_walk *walk, const struct tree_place *place, const struct range *range, size_t most) {
	bool up = walk->_order == ZSET_UP;
	const struct bound *end = up ? &range->to : &range->from;
	struct tree_run run = up ? tree_run_from(walk->_tree, place) : tree_run_before(walk->_tree, place);
	size_t counted = 0;
	while (run.count > 0) {
		const struct zset_record *records = (const void *)run.records;
		for (size_t i = 0; i < run.count; i++) {
			if (counted == most) return counted;
			const struct zset_record *record = &records[up ? i : run.count - 1 - i];
			int order =
				end->by_member ? compare_lex(record, &end->lex) : compare_score(record, &end->score);
			bool below = order < 0 || (order == 0 && end->behind);
			if (below != up) return counted;
			counted++;
		}
		run = up ? tree_run_next(walk->_tree, &run) : tree_run_prev(walk->_tree, &run);
	}
	return counted;
}

/* A walk of few elements counts them where it starts, in memory that it will read anyway; a long one finds both ends. */
enum { FEW = 64 };

static void walk_tree_range(
	const struct value *z, const struct range *range, size_t offset, size_t limit, struct zset_walk *walk) {
	bool up = walk->_order == ZSET_UP;
	if (offset == 0 && limit <= FEW) {
		struct tree_place place;
		seek(walk->_tree, up ? &range->from : &range->to, &place);
		walk->left = count_records(walk, &place, range, limit);
		enter_at(walk, &place);
		return;
	}
	struct zset_span span = span_of(z, range);
	walk->left = clip(span.count, offset, limit);
	enter_rank(walk, (up ? span.first : tree_count(walk->_tree) - span.first - span.count) + offset);
}

static void walk_pack_range(const struct range *range, size_t offset, size_t limit, struct zset_walk *walk) {
	bool up = walk->_order == ZSET_UP;
	size_t most = limit < SIZE_MAX - offset ? offset + limit : SIZE_MAX;
	struct stretch found = find_stretch(walk->_pack, range, up, most);
	walk->left = clip(found.count, offset, limit);
	walk->_at = found.at;
	if (walk->left > 0)
		for (; offset > 0; offset--) walk->_at = pack_step(walk->_pack, walk->_at, up);
}

static void walk_range(
	const struct value *z, const struct range *range, size_t offset, size_t limit, struct zset_walk *walk) {
	if (walk->_tree) {
		walk_tree_range(z, range, offset, limit, walk);
	} else {
		walk_pack_range(range, offset, limit, walk);
	}
}

void zset_walk_scores(const struct value *z, const struct zset_score_range *range, enum zset_order order, size_t offset,
	size_t limit, struct zset_walk *walk) {
	struct range r = range_of_scores(range);
	walk_init(z, order, walk);
	walk_range(z, &r, offset, limit, walk);
}

void zset_walk_lex(const struct value *z, const struct zset_lex_range *range, enum zset_order order, size_t offset,
	size_t limit, struct zset_walk *walk) {
	struct range r = range_of_lex(range);
	walk_init(z, order, walk);
	walk_range(z, &r, offset, limit, walk);
}

static void next_in_pack(struct zset_walk *walk, struct zset_element *element) {
	const struct pack *pack = walk->_pack;
	size_t score_at = pack_next(pack, walk->_at);
	element->member = pack_text(pack, walk->_at, walk->_scratch);
	zset_pack_score(pack, score_at, &element->score);
	walk->_at = pack_step(pack, walk->_at, walk->_order == ZSET_UP);
}

static void next_in_tree(struct zset_walk *walk, struct zset_element *element) {
	const struct zset_record *records = records_of(walk);
	size_t at = walk->_at;
	*element = (struct zset_element){ zset__item_member(records[at].item), records[at].score };
	struct tree_run run = { walk->_records, walk->_run, walk->_leaf };
	if (walk->_order == ZSET_UP) {
		if (at + AHEAD < walk->_run) __builtin_prefetch(records[at + AHEAD].item);
		walk->_at++;
		if (walk->_at == walk->_run && walk->left > 0) enter_run(walk, tree_run_next(walk->_tree, &run));
	} else {
		if (at >= AHEAD) __builtin_prefetch(records[at - AHEAD].item);
		walk->_at--;
		if (at == 0 && walk->left > 0) enter_run(walk, tree_run_prev(walk->_tree, &run));
	}
}

bool zset_next(struct zset_walk *walk, struct zset_element *element) {
	if (walk->left == 0) return false;
	walk->left--;
	if (walk->_tree) {
		next_in_tree(walk, element);
	} else {
		next_in_pack(walk, element);
	}
	return true;
}

void zset_each(const struct value *z, zset_visit_fn *visit, void *context) {
	struct zset_walk walk;
	struct zset_element element;
	zset_walk_ranks(z, 0, SIZE_MAX, ZSET_UP, &walk);
	while (zset_next(&walk, &element)) visit(context, element.member, element.score);
}

/* ---- ZSCAN ---- */

struct scan {
	zset_visit_fn *visit;
	void *context;
};

static void scan_item(void *context, void *item) {
	const struct scan *scan = context;
	const struct zset_item *found = item;
	scan->visit(scan->context, zset__item_member(found), found->score);
}

uint64_t zset_scan(const struct value *z, uint64_t cursor, zset_visit_fn *visit, void *context) {
	if (z->encoding == ZSET_PACK) {
		zset_each(z, visit, context);
		return 0;
	}
	struct scan scan = { visit, context };
	return table_scan(&((const struct zset_tree *)z->data)->members, cursor, scan_item, &scan);
}

/* ---- Taking out ---- */

static void take_all(struct value *z) {
	zset_ops.release(z);
	*z = zset_ops.create();
}

size_t zset_take(
	struct value *z, size_t first, size_t count, enum zset_order order, zset_visit_fn *visit, void *context) {
	size_t total = zset_count(z);
	count = clip(total, first, count);
	if (count == 0) return 0;
	if (visit) {
		struct zset_walk walk;
		struct zset_element element;
		zset_walk_ranks(z, first, count, order, &walk);
		while (zset_next(&walk, &element)) visit(context, element.member, element.score);
	}
	if (order == ZSET_DOWN) first = total - first - count;
	if (count == total) {
		take_all(z);
	} else if (z->encoding == ZSET_PACK) {
		struct pack *pack = z->data;
		pack_delete_range(&pack, pack_nth(pack, (int64_t)first * 2), count * 2);
		z->data = pack;
	} else {
		zset__tree_remove_ranks(z->data, first, count);
	}
	return count;
}
