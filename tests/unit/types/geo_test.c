/* Geo: hashes against a model that halves intervals, the sieve and the search against measuring every place, texts against printf,
 * and samples that were taken from Redis. Includes the .c to reach the cells. */
#include "types/geo.c"

#include "../testing.h"

#include "base/alloc.h"
#include "types/geo_search.h"
#include "types/zset.h"

static double random_between(double low, double high) {
	return low + random_unit() * (high - low);
}

/* Everywhere, often near the poles, the date line and each other. */
static struct geo_point random_point(void) {
	struct geo_point p = { random_between(-180, 180), random_between(-GEO_LAT_MAX, GEO_LAT_MAX) };
	uint64_t kind = random_below(8);

	if (kind == 0) p.lat = (p.lat < 0 ? -1 : 1) * random_between(80, GEO_LAT_MAX);
	if (kind == 1) p.lon = (p.lon < 0 ? -1 : 1) * (180 - random_unit() * 1e-3);
	if (kind == 2) p = (struct geo_point){ 15 + random_unit(), 37 + random_unit() };
	if (kind == 3) p = (struct geo_point){ round(p.lon), round(p.lat) };
	return p;
}

/* ---- Hashes ---- */

/* Which half is it in, 26 times, for longitude and latitude in turn. */
static uint64_t halve(struct geo_point p) {
	double west = -180, east = 180, south = -GEO_LAT_MAX, north = GEO_LAT_MAX;
	uint64_t bits = 0;

	for (unsigned i = 0; i < GEO_STEPS; i++) {
		double lon = (west + east) / 2, lat = (south + north) / 2;
		bits = bits << 1 | (p.lon >= lon);
		*(p.lon >= lon ? &west : &east) = lon;
		bits = bits << 1 | (p.lat >= lat);
		*(p.lat >= lat ? &south : &north) = lat;
	}
	return bits;
}

static void test_hash(void **state) {
	(void)state;
	testing_begin(1);
	assert_int_equal(geo_hash((struct geo_point){ 13.361389, 38.115556 }), 3479099956230698);
	assert_int_equal(geo_hash((struct geo_point){ 15.087269, 37.502669 }), 3479447370796909);
	for (unsigned i = 0; i < testing_rounds(20000); i++) {
		struct geo_point p = random_point();
		uint64_t hash = geo_hash(p);
		struct geo_point q = geo_unhash(hash);
		/* A place on a line of the grid may go to either side of it, by rounding. */
		if (hash != halve(p)) {
			struct geo_point r = geo_unhash(halve(p));
			assert_true(fabs(r.lon - q.lon) < 6e-6 && fabs(r.lat - q.lat) < 3e-6);
		}
		assert_true(fabs(p.lon - q.lon) < 2.7e-6 + 1e-9);
		assert_true(fabs(p.lat - q.lat) < 1.3e-6 + 1e-9);
		assert_int_equal(geo_hash(q), hash);
		assert_true((double)hash == (double)geo_hash_of_score((double)hash));
	}
}

static void test_edges_of_the_grid(void **state) {
	struct geo_point p;

	(void)state;
	assert_int_equal(geo_hash((struct geo_point){ -180, -GEO_LAT_MAX }), 0);
	assert_int_equal(geo_hash((struct geo_point){ 180, GEO_LAT_MAX }), 3ull << 52);
	p = geo_unhash(3ull << 52);
	assert_true(p.lon == 180 && p.lat == GEO_LAT_MAX);
	assert_true(geo_is_valid((struct geo_point){ -180, GEO_LAT_MAX }));
	assert_false(geo_is_valid((struct geo_point){ 180.0001, 0 }));
	assert_false(geo_is_valid((struct geo_point){ 0, -85.0512 }));
	assert_false(geo_is_valid((struct geo_point){ NAN, 0 }));
	assert_false(geo_is_valid((struct geo_point){ 0, NAN }));
}

/* Scores that no GEOADD made: what they are taken for is as in Redis, and nothing breaks. */
static void test_strange_scores(void **state) {
	(void)state;
	assert_int_equal(geo_hash_of_score(1.9), 1);
	assert_int_equal(geo_hash_of_score(-5), (uint64_t)-5);
	assert_int_equal(geo_hash_of_score(INFINITY), 0);
	assert_int_equal(geo_hash_of_score(1e300), 0);
	assert_int_equal(geo_hash_of_score(-INFINITY), 1ull << 63);
	assert_int_equal(geo_hash_of_score(-1e300), 1ull << 63);
	assert_true(geo_hash_of_score(0x1p63) == 1ull << 63);
	testing_begin(2);
	for (unsigned i = 0; i < 1000; i++) assert_true(geo_is_valid(geo_unhash(random_u64())));
}

static void test_text(void **state) {
	static const struct {
		struct geo_point p;
		const char *text;
	} samples[] = {
		{ { 13.36138933897018433, 38.11555639549629859 }, "sqc8b49rny0" },
		{ { 15.08726745843887329, 37.50266842333162032 }, "sqdtr74hyu0" },
		{ { -179.99999731779098511, -85.05112751263942528 }, "00bh0hbj200" },
		{ { 180, 85.0511287799999991 }, "bp05b5048p0" },
	};
	char text[GEO_TEXT_CHARS + 1] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		geo_text(samples[i].p, text);
		assert_string_equal(text, samples[i].text);
	}
}

/* ---- Numbers ---- */

static void test_formats(void **state) {
	char text[NUMBER_HUMAN_MAX_CHARS], want[NUMBER_HUMAN_MAX_CHARS];

	(void)state;
	testing_begin(3);
	for (unsigned i = 0; i < testing_rounds(20000); i++) {
		struct geo_point p = random_below(4) ? geo_unhash(geo_hash(random_point())) : random_point();
		double value = random_below(2) ? p.lon : p.lat;
		size_t len = geo_format_degrees(text, value);
		assert_int_equal(len, number_format_human(want, value));
		assert_memory_equal(text, want, len);

		double distance = random_unit() * pow(10, (double)random_below(9)), error = 1;
		text[geo_format_distance(text, distance)] = '\0';
		error = fabs(strtod(text, NULL) - distance);
		/* The last term: neither number is held more exactly. */
		assert_true(error <= 0.50001e-4 + distance * 0x1p-51);
		assert_int_equal(strchr(text, '.')[5], '\0');
	}
	static const struct {
		double distance;
		const char *text;
	} samples[] = { { 0, "0.0000" }, { 166274.15156960039, "166274.1516" }, { 30719761.914050002, "30719761.9140" },
		{ 55008968.617749996, "55008968.6178" }, { 0.99999, "1.0000" }, { 0.00004, "0.0000" } };
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		text[geo_format_distance(text, samples[i].distance)] = '\0';
		assert_string_equal(text, samples[i].text);
	}
}

/* ---- Distances ---- */

static void test_distance(void **state) {
	struct geo_point palermo = geo_unhash(3479099956230698), catania = geo_unhash(3479447370796909);

	(void)state;
	testing_begin(4);
	assert_true(fabs(geo_distance(palermo, catania) - 166274.1516) < 1e-4);
	for (unsigned i = 0; i < testing_rounds(5000); i++) {
		struct geo_point a = random_point(), b = random_point(), c = random_point();
		double ab = geo_distance(a, b);
		assert_true(geo_distance(a, a) == 0);
		assert_true(fabs(ab - geo_distance(b, a)) < 1e-3);
		assert_true(ab <= geo_distance(a, c) + geo_distance(c, b) + 1e-3);
		assert_true(ab <= M_PI * earth_radius + 1e-3);
		/* Along a meridian it is the difference in latitude. */
		b.lon = a.lon;
		assert_true(fabs(geo_distance(a, b) - radians(fabs(a.lat - b.lat)) * earth_radius) < 1e-3);
	}
}

/* ---- Areas ---- */

static struct geo_area random_area(double max_metres) {
	struct geo_area area = { .is_box = random_below(2), .centre = random_point(), .unit = 1 };
	double size = pow(max_metres, random_unit());

	if (random_below(4) == 0) area.unit = 1609.34;
	area.radius = size / area.unit;
	area.width = size * (random_below(2) ? 1 : random_between(0.1, 3)) / area.unit;
	area.height = size * (random_below(2) ? 1 : random_between(0.1, 3)) / area.unit;
	return area;
}

/* A place on the edge of the area, or near it. */
static struct geo_point near_edge(const struct geo_area *area) {
	double r = reach_of(area) * random_between(0.5, 1.01), angle = random_unit() * 2 * M_PI;
	double lat = area->centre.lat + degrees(r * sin(angle) / earth_radius);
	double lon = area->centre.lon + degrees(r * cos(angle) / earth_radius / cos(radians(area->centre.lat)));

	lon = remainder(lon, 360);
	struct geo_point p = { clamp(lon, GEO_LON_MAX), clamp(lat, GEO_LAT_MAX) };
	return isnan(p.lon) || isnan(p.lat) ? area->centre : p;
}

/* The sieve lets everything pass that is in the area, and not much more. */
static void test_sieve(void **state) {
	unsigned inside = 0, refused = 0;

	(void)state;
	testing_begin(5);
	for (unsigned i = 0; i < testing_rounds(3000); i++) {
		struct geo_area area = random_area(3e7);
		struct geo_cover cover;
		double metres;
		geo_cover(&area, &cover);
		assert_in_range(cover.count, 1, 9);
		for (unsigned n = 0; n < 50; n++) {
			uint64_t hash = geo_hash(n % 2 ? near_edge(&area) : random_point());
			bool reaches = geo_reaches(&area, geo_unhash(hash), &metres);
			bool passes = geo_cover_may_have(&cover, hash);
			if (reaches) assert_true(passes);
			inside += reaches;
			refused += !passes;
		}
	}
	assert_true(inside > 10000);
	assert_true(refused > 10000);
}

/* Infinite, empty and huge areas. */
static void test_strange_areas(void **state) {
	static const double sizes[] = { 0, 1e-300, 1, 1e7, 1e300, INFINITY };

	(void)state;
	testing_begin(6);
	for (unsigned i = 0; i < 6; i++) {
		for (unsigned k = 0; k < 12; k++) {
			struct geo_area area = { k < 6, random_point(), sizes[i], sizes[i], sizes[k % 6], 1000 };
			struct geo_cover cover;
			double metres;
			geo_cover(&area, &cover);
			assert_in_range(cover.count, 1, 9);
			for (unsigned n = 0; n < 100; n++) {
				uint64_t hash = geo_hash(random_point());
				if (geo_reaches(&area, geo_unhash(hash), &metres)) {
					assert_true(geo_cover_may_have(&cover, hash));
				}
			}
		}
	}
}

/* ---- Searching ---- */

struct place {
	double score;
	bool found;
};

static struct value random_places(struct place *places, size_t count) {
	struct value z = value_new(VALUE_ZSET);
	char name[24];

	for (size_t i = 0; i < count; i++) {
		places[i] = (struct place){ (double)geo_hash(random_point()), false };
		int len = snprintf(name, sizeof(name), i % 3 ? "%zu" : "member:%zu", i);
		zset_add(&z, slice_of(name, (size_t)len), places[i].score, 0, &type_limits_default, NULL);
	}
	return z;
}

static struct place *place_of(const struct value *z, const struct geo_hit *hit, struct place *places) {
	char scratch[NUMBER_I64_MAX_CHARS + 1], number[24] = "";
	struct slice member = zset_handle_member(z, hit->member, scratch);

	if (member.len > 7) member = slice_of(member.ptr + 7, member.len - 7);
	memcpy(number, member.ptr, member.len);
	return &places[strtoul(number, NULL, 10)];
}

static bool is_covered(const struct geo_cover *cover, double score) {
	for (unsigned i = 0; i < cover->count; i++)
		if (score >= cover->ranges[i].from && score < cover->ranges[i].below) return true;
	return false;
}

/* Every hit is one, once; none is missing that the nine cells have. (For a large area far from the equator those of Redis do
 * not cover all of it, and neither do ours.) */
static void check_search(const struct value *z, struct place *places, size_t count, const struct geo_query *query) {
	struct geo_hits hits = { 0 };
	struct geo_cover cover;
	double metres;

	geo_cover(&query->area, &cover);
	assert_true(geo_search(z, query, &hits));
	for (size_t i = 0; i < hits.count; i++) {
		struct place *p = place_of(z, &hits.hit[i], places);
		assert_false(p->found);
		p->found = true;
		assert_true(p->score == hits.hit[i].score);
		assert_true(geo_reaches(&query->area, geo_unhash((uint64_t)p->score), &metres));
		assert_true(metres == hits.hit[i].metres);
		if (i == 0 || query->order == GEO_UNSORTED) continue;
		double step = hits.hit[i].metres - hits.hit[i - 1].metres;
		assert_true(query->order == GEO_NEAREST ? step >= 0 : step <= 0);
	}
	size_t found = hits.count;
	for (size_t i = 0; i < count; i++) {
		struct place *p = &places[i];
		bool reaches = geo_reaches(&query->area, geo_unhash((uint64_t)p->score), &metres) &&
			       is_covered(&cover, p->score);
		if (query->limit == 0) {
			assert_int_equal(p->found, reaches);
		} else if (reaches && !p->found) {
			/* What was left out is not better than what was taken. */
			assert_int_equal(found, query->limit);
			if (query->any || query->order == GEO_UNSORTED) continue;
			double last = hits.hit[hits.count - 1].metres;
			assert_true(query->order == GEO_NEAREST ? metres >= last : metres <= last);
		}
	}
	for (size_t i = 0; i < count; i++) places[i].found = false;
	geo_hits_release(&hits);
}

static void test_search(void **state) {
	static struct place places[3000];

	(void)state;
	testing_begin(7);
	for (unsigned round = 0; round < testing_rounds(30); round++) {
		size_t count = 1 + random_below(random_below(2) ? 100 : 3000);
		struct value z = random_places(places, count);
		for (unsigned n = 0; n < 60; n++) {
			struct geo_query query = { .area = random_area(2e6),
				.order = (enum geo_order)random_below(3),
				.any = random_below(3) == 0 };
			query.area.centre.lat = random_between(-60, 60);
			if (random_below(3) == 0) query.limit = 1 + random_below(20);
			check_search(&z, places, count, &query);
		}
		value_release(&z);
	}
}

static void test_scores(void **state) {
	static struct place places[3000];
	char scratch[NUMBER_I64_MAX_CHARS + 1];

	(void)state;
	testing_begin(8);
	for (unsigned round = 0; round < testing_rounds(200); round++) {
		size_t count = 1 + random_below(random_below(2) ? 100 : 3000);
		struct value z = random_places(places, count);
		double from = random_unit() * 0x1p52, below = from + random_unit() * 0x1p51, score;
		struct zset_score_range range = { .min = from, .max = below, .max_open = true };
		struct zset_walk walk;
		struct zset_scores scores;
		struct zset_element element;
		struct zset_handle handle;

		zset_walk_scores(&z, &range, ZSET_UP, 0, SIZE_MAX, &walk);
		zset_scores_from(&z, from, &scores);
		while (zset_next(&walk, &element)) {
			assert_true(zset_scores_next(&scores, below, &score, &handle));
			assert_true(score == element.score);
			assert_true(slice_equal(zset_handle_member(&z, handle, scratch), element.member));
		}
		assert_false(zset_scores_next(&scores, below, &score, &handle));
		value_release(&z);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_edges_of_the_grid),
		cmocka_unit_test(test_strange_scores),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_sieve),
		cmocka_unit_test(test_strange_areas),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_scores),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
