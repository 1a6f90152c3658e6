/* zset: random changes, ranges and walks against a sorted array, in both forms and across the threshold between them; scores
 * as packs hold them; the build, its sort, and the algebra against the same model. value_check and the sum of bytes are
 * looked at after each batch. */
#include "../testing.h"

#include <math.h>

#include "base/alloc.h"
#include "base/number.h"
#include "containers/pack.h"
#include "types/set.h"
#include "types/zset.h"
#include "types/zset_algebra.h"
#include "types/zset_build.h"

/* ---- The model: an array in order ---- */

enum { MODEL_MAX = 3000, NAME_MAX_BYTES = 80 };

struct model_element {
	char name[NAME_MAX_BYTES];
	size_t len;
	double score;
};

struct model {
	struct model_element elements[MODEL_MAX];
	size_t count;
};

static struct slice name_of(const struct model_element *e) {
	return slice_of(e->name, e->len);
}

static int compare_elements(const void *a, const void *b) {
	const struct model_element *x = a, *y = b;
	if (x->score != y->score) return x->score < y->score ? -1 : 1;
	return slice_compare(name_of(x), name_of(y));
}

static struct model_element *model_find(struct model *m, struct slice name) {
	for (size_t i = 0; i < m->count; i++)
		if (slice_equal(name_of(&m->elements[i]), name)) return &m->elements[i];
	return NULL;
}

static void model_put(struct model *m, struct slice name, double score) {
	struct model_element *e = model_find(m, name);
	if (!e) {
		assert_true(m->count < MODEL_MAX);
		e = &m->elements[m->count++];
		memcpy(e->name, name.ptr, name.len);
		e->len = name.len;
	}
	e->score = score;
	qsort(m->elements, m->count, sizeof(m->elements[0]), compare_elements);
}

static void model_take(struct model *m, size_t first, size_t count) {
	memmove(&m->elements[first], &m->elements[first + count], (m->count - first - count) * sizeof(m->elements[0]));
	m->count -= count;
}

/* ---- Random input ---- */

/* Numbers, short and long texts, of `variety` different ones. */
static struct slice random_name(char *name, unsigned variety) {
	uint64_t id = random_below(variety);
	int len;
	switch (id % 5) {
	case 0: len = snprintf(name, NAME_MAX_BYTES, "%" PRIu64, id * 1000003); break;
	case 1: len = snprintf(name, NAME_MAX_BYTES, "m:%" PRIu64, id); break;
	case 2:
		len = snprintf(name, NAME_MAX_BYTES, "%.*s%" PRIu64, (int)(id % 50),
			"long long long long long long long long long long", id);
		break;
	case 3: len = snprintf(name, NAME_MAX_BYTES, "member:%010" PRIu64, id); break;
	default: len = snprintf(name, NAME_MAX_BYTES, "-%" PRIu64, id); break;
	}
	if (id == 4) len = 0;
	return slice_of(name, (size_t)len);
}

static double random_score(void) {
	switch (random_below(8)) {
	case 0: return (double)random_below(4);
	case 1: return -(double)random_below(1000);
	case 2: return (double)random_below(1000) / 8;
	case 3: return (double)random_below(1000000) / 1000;
	case 4: return random_unit() * 1e20;
	case 5: return random_unit() * 1e-20;
	case 6:
		return random_below(20)  ? 0.1 * (double)random_below(50)
		       : random_below(2) ? (double)INFINITY
					 : -(double)INFINITY;
	default: return (double)(int64_t)random_u64();
	}
}

static void check(const struct value *z, const struct model *m) {
	const char *broken = value_check(z);
	if (broken) fail_msg("%s", broken);
	assert_int_equal(zset_count(z), m->count);
	struct zset_walk walk;
	struct zset_element element;
	zset_walk_ranks(z, 0, SIZE_MAX, ZSET_UP, &walk);
	assert_int_equal(walk.left, m->count);
	for (size_t i = 0; i < m->count; i++) {
		assert_true(zset_next(&walk, &element));
		assert_true(slice_equal(element.member, name_of(&m->elements[i])));
		assert_true(element.score == m->elements[i].score);
	}
	assert_false(zset_next(&walk, &element));
}

/* ---- Changes ---- */

static void random_add(struct value *z, struct model *m, unsigned variety, const struct type_limits *limits) {
	char text[NAME_MAX_BYTES];
	struct slice name = random_name(text, variety);
	double score = random_score(), result = -1;
	static const unsigned choices[] = { 0, 0, 0, 0, ZSET_ADD_NX, ZSET_ADD_XX, ZSET_ADD_GT, ZSET_ADD_LT,
		ZSET_ADD_XX | ZSET_ADD_GT, ZSET_ADD_INCR, ZSET_ADD_INCR | ZSET_ADD_LT, ZSET_ADD_INCR | ZSET_ADD_NX };
	unsigned flags = choices[random_below(sizeof(choices) / sizeof(choices[0]))];
	const struct model_element *there = model_find(m, name);
	enum zset_added want;
	if (!there) {
		want = flags & ZSET_ADD_XX ? ZSET_KEPT : ZSET_ADDED;
	} else if (flags & ZSET_ADD_NX) {
		want = ZSET_KEPT;
	} else {
		if (flags & ZSET_ADD_INCR) score += there->score;
		if (isnan(score)) {
			want = ZSET_NAN;
			score = flags & ZSET_ADD_INCR ? -there->score : 0;
		} else if ((flags & ZSET_ADD_GT && !(score > there->score)) ||
			   (flags & ZSET_ADD_LT && !(score < there->score))) {
			want = ZSET_KEPT;
			if (flags & ZSET_ADD_INCR) score -= there->score;
		} else {
			want = score == there->score ? ZSET_SAME : ZSET_UPDATED;
		}
	}
	double given = score;
	if (there && want != ZSET_KEPT && want != ZSET_NAN && flags & ZSET_ADD_INCR) {
		/* The sum that is to come out must be the one that was drawn: rounding is the set's business. */
		given = random_below(3) ? (double)random_below(10) : -(double)random_below(10);
		score = there->score + given;
		if (flags & ZSET_ADD_LT && !(score < there->score)) {
			want = ZSET_KEPT;
		} else {
			want = score == there->score ? ZSET_SAME : ZSET_UPDATED;
		}
	} else if (there && flags & ZSET_ADD_INCR && want == ZSET_KEPT && !(flags & ZSET_ADD_NX)) {
		given = 0;
	}
	enum zset_added got = zset_add(z, name, given, flags, limits, &result);
	assert_int_equal(got, want);
	if (want == ZSET_ADDED || want == ZSET_UPDATED || want == ZSET_SAME) assert_true(result == score);
	if (want == ZSET_ADDED || want == ZSET_UPDATED) model_put(m, name, score);
}

static void random_remove(struct value *z, struct model *m, unsigned variety) {
	char text[NAME_MAX_BYTES];
	struct slice name = random_name(text, variety);
	const struct model_element *there = model_find(m, name);
	assert_int_equal(zset_remove(z, name), there != NULL);
	if (there) model_take(m, (size_t)(there - m->elements), 1);
}

struct seen {
	const struct model *model;
	size_t next;
	bool up;
};

static void see(void *context, struct slice member, double score) {
	struct seen *s = context;
	const struct model_element *e = &s->model->elements[s->next];
	assert_true(slice_equal(member, name_of(e)));
	assert_true(score == e->score);
	s->next += s->up ? 1 : (size_t)-1;
}

static void random_take(struct value *z, struct model *m, size_t most) {
	bool up = random_below(2);
	size_t first = random_below(m->count + 2), count = random_below(most + 1);
	size_t want = first >= m->count ? 0 : count < m->count - first ? count : m->count - first;
	struct seen seen = { m, up ? first : m->count - 1 - first, up };
	size_t got = zset_take(z, first, count, up ? ZSET_UP : ZSET_DOWN, random_below(2) ? see : NULL, &seen);
	assert_int_equal(got, want);
	if (want > 0) model_take(m, up ? first : m->count - first - want, want);
}

/* ---- Looks ---- */

static void look_at_members(const struct value *z, struct model *m, unsigned variety) {
	char text[NAME_MAX_BYTES], scratch[NUMBER_I64_MAX_CHARS + 1];
	struct slice name = random_name(text, variety);
	const struct model_element *e = model_find(m, name);
	double score = 0, many = 0;
	size_t rank = 0;
	bool found;
	assert_int_equal(zset_score(z, name, &score), e != NULL);
	zset_score_many(z, &name, 1, &found, &many);
	assert_int_equal(found, e != NULL);
	assert_int_equal(zset_rank(z, name, ZSET_UP, &rank, NULL), e != NULL);
	if (!e) return;
	assert_true(score == e->score);
	assert_true(many == e->score);
	assert_int_equal(rank, e - m->elements);
	struct zset_element at = zset_at(z, rank, ZSET_UP, scratch);
	assert_true(slice_equal(at.member, name));
	assert_true(zset_rank(z, name, ZSET_DOWN, &rank, &score));
	assert_int_equal(rank, m->count - 1 - (size_t)(e - m->elements));
	at = zset_at(z, rank, ZSET_DOWN, scratch);
	assert_true(slice_equal(at.member, name));
	assert_true(at.score == e->score);
}

/* A walk, against the stretch [from, to) of the model. */
static void look_at_walk(
	struct zset_walk *walk, const struct model *m, size_t from, size_t to, bool up, size_t offset, size_t limit) {
	size_t count = to > from ? to - from : 0;
	count = offset >= count ? 0 : limit < count - offset ? limit : count - offset;
	struct seen seen = { m, up ? from + offset : to - 1 - offset, up };
	struct zset_element element;
	assert_int_equal(walk->left, count);
	while (zset_next(walk, &element)) {
		see(&seen, element.member, element.score);
		count--;
	}
	assert_int_equal(count, 0);
}

static size_t random_limit(void) {
	return random_below(3) == 0 ? SIZE_MAX : random_below(2) ? random_below(12) : random_below(300);
}

static void look_at_ranks(const struct value *z, const struct model *m) {
	struct zset_walk walk;
	size_t first = random_below(m->count + 3), limit = random_limit();
	bool up = random_below(2);
	zset_walk_ranks(z, first, limit, up ? ZSET_UP : ZSET_DOWN, &walk);
	look_at_walk(&walk, m, 0, m->count, up, first, limit);
}

static bool score_is_inside(const struct zset_score_range *r, double score) {
	return (r->min_open ? score > r->min : score >= r->min) && (r->max_open ? score < r->max : score <= r->max);
}

static void look_at_scores(const struct value *z, const struct model *m) {
	struct zset_score_range range = { random_score(), random_score(), random_below(2), random_below(2) };
	if (m->count > 0 && random_below(2)) range.min = m->elements[random_below(m->count)].score;
	if (m->count > 0 && random_below(2)) range.max = m->elements[random_below(m->count)].score;
	size_t from = 0;
	while (from < m->count && !score_is_inside(&range, m->elements[from].score)) from++;
	size_t to = from;
	while (to < m->count && score_is_inside(&range, m->elements[to].score)) to++;
	struct zset_span span = zset_span_of_scores(z, &range);
	assert_int_equal(span.count, to - from);
	if (to > from) assert_int_equal(span.first, from);
	struct zset_walk walk;
	bool up = random_below(2);
	size_t offset = random_below(2) ? 0 : random_below(20), limit = random_limit();
	zset_walk_scores(z, &range, up ? ZSET_UP : ZSET_DOWN, offset, limit, &walk);
	look_at_walk(&walk, m, from, to, up, offset, limit);
}

static void look_around(const struct value *z, struct model *m, unsigned variety) {
	for (int i = 0; i < 10; i++) {
		look_at_members(z, m, variety);
		look_at_ranks(z, m);
		look_at_scores(z, m);
	}
}

/* ---- Tests ---- */

static void run_against_model(const struct type_limits *limits, unsigned variety, unsigned rounds) {
	struct model *m = mem_calloc(sizeof(*m));
	struct value z = value_new(VALUE_ZSET);
	for (unsigned round = 0; round < rounds; round++) {
		bool grows = round % 8 < 4;
		for (int i = 0; i < 40; i++) {
			if (random_below(4) || grows)
				random_add(&z, m, variety, limits);
			else
				random_remove(&z, m, variety);
		}
		if (random_below(3) == 0) random_take(&z, m, random_below(3) ? 10 : variety / 2);
		check(&z, m);
		look_around(&z, m, variety);
		if (round % 16 == 0) {
			struct value twin = value_copy(&z);
			check(&twin, m);
			value_release(&twin);
		}
		if (z.encoding == ZSET_PACK) {
			assert_true(m->count <= limits->zset_max_listpack_entries);
			struct value again;
			assert_true(zset_from_pack(slice_of(z.data, value_flat_bytes(&z)), limits, &again));
			assert_int_equal(again.encoding, ZSET_PACK);
			check(&again, m);
			assert_int_equal(value_flat_bytes(&again), value_flat_bytes(&z));
			value_release(&again);
		}
		/* A tree never becomes a pack by losing members, so begin anew now and then. */
		if (m->count == 0 || round % 32 == 31) {
			value_release(&z);
			z = value_new(VALUE_ZSET);
			m->count = 0;
		}
	}
	value_release(&z);
	mem_free(m);
}

static void test_small(void **state) {
	(void)state;
	testing_begin(1);
	run_against_model(&type_limits_default, 100, testing_rounds(100));
}

static void test_across_the_threshold(void **state) {
	(void)state;
	testing_begin(2);
	struct type_limits limits = type_limits_default;
	limits.zset_max_listpack_entries = 20;
	limits.zset_max_listpack_value = 45;
	run_against_model(&limits, 60, testing_rounds(200));
}

static void test_big(void **state) {
	(void)state;
	testing_begin(3);
	struct type_limits limits = type_limits_default;
	limits.zset_max_listpack_entries = 0;
	run_against_model(&limits, 2000, testing_rounds(60));
}

static void test_big_pack(void **state) {
	(void)state;
	testing_begin(4);
	struct type_limits limits = type_limits_default;
	limits.zset_max_listpack_entries = 2000;
	limits.zset_max_listpack_value = 100;
	run_against_model(&limits, 400, testing_rounds(40));
}

/* All scores equal: the order is that of the bytes, and ranges by them mean something. */
static bool lex_is_inside(const struct zset_lex_range *r, struct slice name) {
	const struct zset_lex_bound *bounds[] = { &r->min, &r->max };
	for (int i = 0; i < 2; i++) {
		const struct zset_lex_bound *b = bounds[i];
		if (b->kind == ZSET_LEX_LOWEST || b->kind == ZSET_LEX_HIGHEST) {
			if ((b->kind == ZSET_LEX_LOWEST) != (i == 0)) return false;
			continue;
		}
		int order = slice_compare(name, b->member);
		if (i == 1) order = -order;
		if (order < 0 || (order == 0 && b->kind == ZSET_LEX_OPEN)) return false;
	}
	return true;
}

static void test_by_bytes(void **state) {
	(void)state;
	testing_begin(5);
	for (unsigned form = 0; form < 2; form++) {
		struct type_limits limits = type_limits_default;
		limits.zset_max_listpack_entries = form ? 0 : 1000;
		struct model *m = mem_calloc(sizeof(*m));
		struct value z = value_new(VALUE_ZSET);
		char text[NAME_MAX_BYTES], min[NAME_MAX_BYTES], max[NAME_MAX_BYTES];
		for (int i = 0; i < 200; i++) {
			struct slice name = random_name(text, 1000);
			zset_add(&z, name, 7, 0, &limits, NULL);
			model_put(m, name, 7);
		}
		check(&z, m);
		for (unsigned i = 0; i < testing_rounds(1000); i++) {
			struct zset_lex_range range = {
				{ (enum zset_lex_kind)random_below(4), random_name(min, 1000) },
				{ (enum zset_lex_kind)random_below(4), random_name(max, 1000) },
			};
			size_t from = 0;
			while (from < m->count && !lex_is_inside(&range, name_of(&m->elements[from]))) from++;
			size_t to = from;
			while (to < m->count && lex_is_inside(&range, name_of(&m->elements[to]))) to++;
			struct zset_span span = zset_span_of_lex(&z, &range);
			assert_int_equal(span.count, to - from);
			if (to > from) assert_int_equal(span.first, from);
			struct zset_walk walk;
			bool up = random_below(2);
			size_t offset = random_below(2) ? 0 : random_below(20), limit = random_limit();
			zset_walk_lex(&z, &range, up ? ZSET_UP : ZSET_DOWN, offset, limit, &walk);
			look_at_walk(&walk, m, from, to, up, offset, limit);
		}
		value_release(&z);
		mem_free(m);
	}
}

/* Scores are what they were after a detour through a pack's text. */
static void test_scores_in_packs(void **state) {
	(void)state;
	testing_begin(6);
	static const double edges[] = { 0, 1, -1, 0.1, -0.1, 1e15, 1e16, 1e17, 0x1p53, 0x1p62, -0x1p62,
		0x1.0000000000001p62, 1e22, 1e23, 1e-22, 123456.789, 5e-324, 1.7976931348623157e308,
		2.2250738585072014e-308, INFINITY, -INFINITY, 3.14159265358979 };
	for (unsigned i = 0; i < testing_rounds(20000); i++) {
		struct value z = value_new(VALUE_ZSET);
		uint64_t bits = random_u64();
		double score, back = 0;
		memcpy(&score, &bits, sizeof(score));
		if (isnan(score) || random_below(2)) score = random_score();
		if (i < sizeof(edges) / sizeof(edges[0])) score = edges[i];
		assert_int_equal(zset_add(&z, SLICE_LITERAL("m"), score, 0, &type_limits_default, NULL), ZSET_ADDED);
		assert_int_equal(z.encoding, ZSET_PACK);
		assert_true(zset_score(&z, SLICE_LITERAL("m"), &back));
		assert_true(back == score);
		const struct pack *pack = z.data;
		bool must_be_int = fabs(score) <= 0x1p62 && score == trunc(score);
		if (must_be_int) assert_true(pack_value_is_int(pack_get(pack, pack_nth(pack, 1))));
		value_release(&z);
	}
}

static bool from_entries(const char *const *entries, size_t count) {
	struct pack *pack = pack_new();
	struct value z;
	for (size_t i = 0; i < count; i++) pack_append(&pack, slice_of_cstr(entries[i]));
	bool good = zset_from_pack(pack_raw(pack), &type_limits_default, &z);
	if (good) value_release(&z);
	pack_free(pack);
	return good;
}

static void test_foreign_packs(void **state) {
	(void)state;
	testing_begin(7);
	assert_true(from_entries((const char *const[]){ "a", "1", "b", "1.5", "c", "inf" }, 6));
	assert_true(from_entries((const char *const[]){ "a", "1e0", "b", "1" }, 4));
	assert_false(from_entries((const char *const[]){ "a", "1", "b" }, 3));
	assert_false(from_entries((const char *const[]){ "a", "1", "b", "x" }, 4));
	assert_false(from_entries((const char *const[]){ "a", "nan" }, 2));
	assert_false(from_entries((const char *const[]){ "a", "2", "b", "1" }, 4));
	assert_false(from_entries((const char *const[]){ "b", "1", "a", "1" }, 4));
	assert_false(from_entries((const char *const[]){ "a", "1", "a", "1" }, 4));
	assert_false(from_entries((const char *const[]){ "a", "1", "b", "2", "a", "3" }, 6));
	assert_false(from_entries((const char *const[]){ "a", "" }, 2));
	assert_false(from_entries((const char *const[]){ "a", "-" }, 2));
	assert_false(from_entries((const char *const[]){ "a", "1.2.3" }, 2));
}

/* Whether a member that stays is visited, whatever happens to the others, a pack's growing into a tree included. */
static void mark(void *context, struct slice member, double score) {
	(void)score;
	if (member.len == 2 && member.ptr[0] == 's') ((bool *)context)[(unsigned char)member.ptr[1]] = true;
}

static void test_scan(void **state) {
	(void)state;
	testing_begin(8);
	for (unsigned round = 0; round < testing_rounds(50); round++) {
		struct value z = value_new(VALUE_ZSET);
		bool seen[128] = { 0 };
		char name[NAME_MAX_BYTES];
		uint64_t cursor = 0;
		for (int c = 0; c < 128; c++) {
			name[0] = 's';
			name[1] = (char)c;
			zset_add(&z, slice_of(name, 2), c, 0, &type_limits_default, NULL);
		}
		do {
			cursor = zset_scan(&z, cursor, mark, seen);
			for (uint64_t n = random_below(100); n > 0; n--) {
				int len = snprintf(name, sizeof(name), "other%" PRIu64, random_below(1000));
				if (random_below(2) == round % 2 && random_below(3))
					zset_remove(&z, slice_of(name, (size_t)len));
				else
					zset_add(&z, slice_of(name, (size_t)len), random_score(), 0,
						&type_limits_default, NULL);
			}
		} while (cursor);
		for (int c = 0; c < 128; c++) assert_true(seen[c]);
		value_release(&z);
	}
}

/* ---- Building and algebra ---- */

static void test_build(void **state) {
	(void)state;
	testing_begin(9);
	for (unsigned round = 0; round < testing_rounds(200); round++) {
		struct model *m = mem_calloc(sizeof(*m));
		struct zset_build build = { 0 };
		char text[NAME_MAX_BYTES];
		struct type_limits limits = type_limits_default;
		bool slots = round % 2;
		for (uint64_t n = random_below(round % 10 ? 60 : 1500); n > 0; n--) {
			struct slice name = random_name(text, 4000);
			double score = round % 3 == 0 ? (double)random_below(3) : random_score();
			const struct model_element *there = model_find(m, name);
			if (slots) {
				bool fresh;
				double *slot = zset_build_slot(&build, name, hash_slice(name), &fresh);
				assert_int_equal(fresh, there == NULL);
				if (there) assert_true(*slot == there->score);
				*slot = score;
			} else if (!there) {
				assert_true(zset_build_add(&build, name, score));
			} else {
				continue;
			}
			model_put(m, name, score);
		}
		assert_true(zset_build_sort(&build));
		assert_int_equal(build.count, m->count);
		for (size_t i = 0; i < m->count; i++) {
			assert_true(slice_equal(zset_build_at(&build, i).member, name_of(&m->elements[i])));
			assert_true(zset_build_at(&build, i).score == m->elements[i].score);
		}
		struct value z;
		if (round % 7) {
			zset_build_finish(&build, &limits, &z);
			assert_int_equal(build.count, 0);
			assert_int_equal(
				z.encoding, m->count > limits.zset_max_listpack_entries ? ZSET_TREE : ZSET_PACK);
			check(&z, m);
			value_release(&z);
		}
		zset_build_release(&build);
		mem_free(m);
	}
}

enum { INPUTS = 4 };

static double combine(enum zset_aggregate how, double a, double b) {
	if (how == ZSET_MIN) return fmin(a, b);
	if (how == ZSET_MAX) return fmax(a, b);
	return isnan(a + b) ? 0 : a + b;
}

/* Inputs of one kind of algebra: zsets in both forms, sets, missing ones; small scores, so that no sum is rounded. */
static void make_inputs(struct zset_input *inputs, struct model *models, size_t count) {
	char text[NAME_MAX_BYTES];
	for (size_t i = 0; i < count; i++) {
		models[i].count = 0;
		inputs[i] = (struct zset_input){ .weight = (double)random_below(4) };
		if (random_below(10) == 0) continue;
		bool plain = random_below(3) == 0;
		inputs[i].value = value_new(plain ? VALUE_SET : VALUE_ZSET);
		for (uint64_t n = 1 + random_below(random_below(3) ? 100 : 600); n > 0; n--) {
			struct slice name = random_name(text, random_below(2) ? 150 : 900);
			double score = plain              ? 1
				       : random_below(30) ? (double)random_below(20)
				       : random_below(2)  ? (double)INFINITY
							  : -(double)INFINITY;
			size_t added;
			if (plain)
				assert_true(set_add(&inputs[i].value, &name, 1, &type_limits_default, &added));
			else
				zset_add(&inputs[i].value, name, score, 0, &type_limits_default, NULL);
			model_put(&models[i], name, score);
		}
	}
}

static double weigh(double score, double weight) {
	return isnan(score * weight) ? 0 : score * weight;
}

enum operation { UNION, INTER, DIFF };

static void expect(enum operation op, enum zset_aggregate how, const double *weights, struct model *models,
	size_t count, struct model *want) {
	want->count = 0;
	/* Sums that meet infinities of both signs depend on the order, which is that of the sizes. */
	size_t order[INPUTS] = { 0 };
	for (size_t i = 0; i < count; i++) {
		size_t at = i;
		for (; op != DIFF && at > 0 && models[order[at - 1]].count > models[i].count; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	for (size_t i = 0; i < (op == UNION ? count : 1); i++) {
		const struct model *from = &models[order[i]];
		for (size_t e = 0; e < from->count; e++) {
			struct slice name = name_of(&from->elements[e]);
			if (op == UNION && model_find(want, name)) continue;
			double score = op == DIFF ? from->elements[e].score
						  : weigh(from->elements[e].score, weights[order[i]]);
			bool kept = true;
			for (size_t j = i + 1; j < count && kept; j++) {
				const struct model_element *other = model_find(&models[order[j]], name);
				if (op == DIFF) kept = !other;
				if (op == INTER) kept = other;
				if (op == DIFF || !other) continue;
				/* As in Redis, an intersection does not make a 0 of another input's NaN. */
				double theirs = other->score * weights[order[j]];
				if (op == UNION && isnan(theirs)) theirs = 0;
				score = combine(how, score, theirs);
			}
			if (kept) model_put(want, name, score);
		}
	}
}

static void test_algebra(void **state) {
	(void)state;
	testing_begin(10);
	struct model *models = mem_calloc(INPUTS * sizeof(*models)), *want = mem_calloc(sizeof(*want));
	for (unsigned round = 0; round < testing_rounds(40); round++) {
		struct zset_input inputs[INPUTS], shuffled[INPUTS];
		size_t count = 1 + random_below(INPUTS);
		make_inputs(inputs, models, count);
		for (int op = UNION; op <= DIFF; op++) {
			enum zset_aggregate how = (enum zset_aggregate)random_below(3);
			double weights[INPUTS] = { 0 };
			for (size_t i = 0; i < count; i++) weights[i] = inputs[i].weight;
			expect((enum operation)op, how, weights, models, count, want);
			struct zset_build build = { 0 };
			memcpy(shuffled, inputs, sizeof(inputs));
			bool done = op == UNION   ? zset_union(shuffled, count, how, &build)
				    : op == INTER ? zset_inter(shuffled, count, how, &build)
						  : zset_diff(inputs, count, &build);
			assert_true(done);
			assert_true(zset_build_sort(&build));
			struct value z;
			zset_build_finish(&build, &type_limits_default, &z);
			check(&z, want);
			value_release(&z);
			zset_build_release(&build);
			if (op != INTER) continue;
			for (size_t limit = 0; limit < 4; limit++) {
				memcpy(shuffled, inputs, sizeof(inputs));
				size_t counted = zset_inter_count(shuffled, count, limit);
				assert_int_equal(counted, limit && limit < want->count ? limit : want->count);
			}
		}
		for (size_t i = 0; i < count; i++) value_release(&inputs[i].value);
	}
	mem_free(models);
	mem_free(want);
}

/* ---- What it costs ---- */

static void test_memory_of_a_million(void **state) {
	(void)state;
	testing_begin(11);
	struct value z = value_new(VALUE_ZSET);
	/* Just below the size at which the table takes its next level. */
	unsigned count = 190000;
	char name[NAME_MAX_BYTES];
	for (unsigned i = 0; i < count; i++) {
		int len = snprintf(name, sizeof(name), "member:%09u", i);
		assert_int_equal(len, 16);
		zset_add(&z, slice_of(name, 16), random_unit(), 0, &type_limits_default, NULL);
	}
	double per_member = (double)value_memory(&z) / count;
	print_message("%.1f bytes per member\n", per_member);
	assert_true(per_member < 69);
	assert_true(value_pieces(&z) >= count);
	/* A set that loses most of its members gives their memory back. */
	zset_take(&z, 0, count - 1000, ZSET_UP, NULL, NULL);
	assert_null(value_check(&z));
	assert_true(value_memory(&z) < (size_t)1000 * 200);
	value_release(&z);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_across_the_threshold),
		cmocka_unit_test(test_big),
		cmocka_unit_test(test_big_pack),
		cmocka_unit_test(test_by_bytes),
		cmocka_unit_test(test_scores_in_packs),
		cmocka_unit_test(test_foreign_packs),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_algebra),
		cmocka_unit_test(test_memory_of_a_million),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
