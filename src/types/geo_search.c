#include "types/geo_search.h"

#include <stdlib.h>

#include "base/alloc.h"

/* ---- Order ---- */

/* Whether `a` comes behind `b`. */
static bool comes_behind(enum geo_order order, const struct geo_hit *a, const struct geo_hit *b) {
	if (a->metres == b->metres) return a->number > b->number;
	return (a->metres > b->metres) == (order == GEO_NEAREST);
}

static int by_nearest(const void *a, const void *b) {
	return comes_behind(GEO_NEAREST, a, b) ? 1 : -1;
}

static int by_farthest(const void *a, const void *b) {
	return comes_behind(GEO_FARTHEST, a, b) ? 1 : -1;
}

static void swap_hits(struct geo_hit *a, struct geo_hit *b) {
	struct geo_hit kept = *a;
	*a = *b;
	*b = kept;
}

/* ---- The best `limit` hits: a heap with the worst of them on top ---- */

static void sift_up(enum geo_order order, struct geo_hit *heap, size_t at) {
	while (at > 0 && comes_behind(order, &heap[at], &heap[(at - 1) / 2])) {
		swap_hits(&heap[at], &heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
}

static void sift_down(enum geo_order order, struct geo_hit *heap, size_t count) {
	size_t at = 0, child;

	while ((child = 2 * at + 1) < count) {
		if (child + 1 < count && comes_behind(order, &heap[child + 1], &heap[child])) child++;
		if (!comes_behind(order, &heap[child], &heap[at])) return;
		swap_hits(&heap[at], &heap[child]);
		at = child;
	}
}

/* ---- Searching ---- */

struct search {
	const struct geo_query *query;
	struct geo_hits *hits;
	struct geo_cover cover;
	size_t seen;      /* hits, those that were not kept included */
	bool keeps_best;  /* the best `limit` of all */
	bool stops_early; /* the first `limit` that come */
};

static bool has_room(struct geo_hits *hits) {
	if (hits->count < hits->_room) return true;
	size_t room = hits->_room ? hits->_room * 2 : 64;
	struct geo_hit *hit = mem_try_realloc(hits->hit, room * sizeof(*hit));
	if (!hit) return false;
	hits->hit = hit;
	hits->_room = room;
	return true;
}

static bool keep(struct search *s, const struct geo_hit *hit) {
	struct geo_hits *hits = s->hits;

	if (s->keeps_best && hits->count == s->query->limit) {
		if (!comes_behind(s->query->order, &hits->hit[0], hit)) return true;
		hits->hit[0] = *hit;
		sift_down(s->query->order, hits->hit, hits->count);
		return true;
	}
	if (!has_room(hits)) return false;
	hits->hit[hits->count++] = *hit;
	if (s->keeps_best) sift_up(s->query->order, hits->hit, hits->count - 1);
	return true;
}

static bool search_range(struct search *s, const struct value *z, const struct geo_range *range) {
	struct zset_scores walk;
	struct geo_hit hit;

	zset_scores_from(z, range->from, &walk);
	while (zset_scores_next(&walk, range->below, &hit.score, &hit.member)) {
		uint64_t hash = geo_hash_of_score(hit.score);
		if (!geo_cover_may_have(&s->cover, hash)) continue;
		if (!geo_reaches(&s->query->area, geo_unhash(hash), &hit.metres)) continue;
		hit.number = s->seen++;
		if (!keep(s, &hit)) return false;
		if (s->stops_early && s->seen == s->query->limit) return true;
	}
	return true;
}

bool geo_search(const struct value *z, const struct geo_query *query, struct geo_hits *hits) {
	struct search s = { .query = query, .hits = hits };
	bool limited = query->limit > 0, sorted = query->order != GEO_UNSORTED;

	s.keeps_best = limited && sorted && !query->any;
	s.stops_early = limited && !s.keeps_best;
	geo_cover(&query->area, &s.cover);
	for (unsigned i = 0; i < s.cover.count; i++) {
		if (!search_range(&s, z, &s.cover.ranges[i])) return false;
		if (s.stops_early && s.seen == query->limit) break;
	}
	if (sorted && hits->count > 1) {
		qsort(hits->hit, hits->count, sizeof(*hits->hit),
			query->order == GEO_NEAREST ? by_nearest : by_farthest);
	}
	return true;
}

void geo_hits_release(struct geo_hits *hits) {
	mem_free(hits->hit);
	*hits = (struct geo_hits){ 0 };
}
