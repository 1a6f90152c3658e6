/* Looking for places in a sorted set whose scores are geohashes.
 *
 *   struct geo_hits hits = { 0 };
 *   if (geo_search(&z, &query, &hits)) … hits.hit[0 … hits.count - 1]
 *   geo_hits_release(&hits);
 *
 * What it costs: the cells of the area are walked (scores only), what the sieve lets pass is measured, members are not
 * looked at. */
#ifndef TARN_TYPES_GEO_SEARCH_H
#define TARN_TYPES_GEO_SEARCH_H

#include "types/geo.h"
#include "types/zset_scores.h"

enum geo_order {
	GEO_UNSORTED, /* as they come: by cell, and by score within a cell */
	GEO_NEAREST,  /* at equal distance as they come */
	GEO_FARTHEST,
};

struct geo_query {
	struct geo_area area;
	enum geo_order order;
	size_t limit; /* 0: none. The first of that order */
	bool any;     /* with a limit: the first that come, then put in order */
};

struct geo_hit {
	double metres; /* from the centre */
	double score;
	size_t number; /* in which they came */
	struct zset_handle member;
};

/* All zero holds nothing. */
struct geo_hits {
	size_t count;
	struct geo_hit *hit;
	/* Private. */
	size_t _room;
};

/* False without memory for the hits. `z` is a sorted set; hits are valid until it changes. O(m log n + k log k): n members, m
 * of them in the cells, k of them hits. */
__attribute__((warn_unused_result)) bool geo_search(
	const struct value *z, const struct geo_query *query, struct geo_hits *hits);

void geo_hits_release(struct geo_hits *hits);

#endif
