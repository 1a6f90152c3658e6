/* Hashes against a model that is too simple to be wrong: an array of fields with values and ends. Random work drives all
 * forms into each other, with small limits and with those of a server; after each batch everything is read back in every
 * way there is, the value is checked, and its memory is compared with what its pieces add up to. */
#include "types/hash.h"

#include <math.h>

#include "../testing.h"

#include "base/alloc.h"
#include "containers/table.h"

enum { MODEL_FIELDS = 400, TEXT_MAX = 400 };

struct model_field {
	char field[TEXT_MAX], value[TEXT_MAX];
	size_t field_len, value_len;
	int64_t end_ms;
	bool there;
};

struct model {
	struct model_field *fields; /* MODEL_FIELDS of them; a field's name follows from its index */
	int64_t now_ms;
};

static struct slice field_of(const struct model_field *m) {
	return slice_of(m->field, m->field_len);
}

static struct slice value_of(const struct model_field *m) {
	return slice_of(m->value, m->value_len);
}

static bool has_ended(const struct model *model, const struct model_field *m) {
	return m->end_ms >= 0 && m->end_ms < model->now_ms;
}

static bool is_live(const struct model *model, const struct model_field *m) {
	return m->there && !has_ended(model, m);
}

/* Names of all kinds: the empty one, integers, short texts, some long ones. */
static void name_fields(struct model *model, bool with_long) {
	for (size_t i = 0; i < MODEL_FIELDS; i++) {
		struct model_field *m = &model->fields[i];
		if (i == 0)
			m->field_len = 0;
		else if (i % 3 == 0)
			m->field_len = (size_t)snprintf(m->field, TEXT_MAX, "%zd", ((ssize_t)i - 200) * 97);
		else
			m->field_len = (size_t)snprintf(m->field, TEXT_MAX, "field-%zu", i);
		if (!with_long || i % 7 != 5) continue;
		memset(m->field + m->field_len, 'f', 300);
		m->field_len += 250 + i % 20;
	}
}

static void draw_value(struct model_field *m, bool with_long) {
	switch (random_below(with_long ? 4 : 3)) {
	case 0: m->value_len = number_format_i64(m->value, (int64_t)random_u64() >> random_below(64)); break;
	case 1: m->value_len = 0; break;
	case 2: m->value_len = random_below(30); break;
	default: m->value_len = random_below(TEXT_MAX); break;
	}
	if (m->value_len == 0 || (m->value[0] >= '0' && m->value[0] <= '9') || m->value[0] == '-') {
		if (m->value_len > 0 && random_below(2)) return;
	}
	for (size_t i = 0; i < m->value_len; i++) m->value[i] = (char)random_u64();
}

/* ---- Comparing ---- */

struct found {
	const struct model *model;
	unsigned *times; /* per field of the model */
	size_t count;
};

static size_t index_of(const struct model *model, struct slice field) {
	for (size_t i = 0; i < MODEL_FIELDS; i++)
		if (slice_equal(field_of(&model->fields[i]), field)) return i;
	fail_msg("a field that nobody put in");
	return 0;
}

static void note(void *context, struct slice field, struct slice value) {
	struct found *f = context;
	size_t i = index_of(f->model, field);
	assert_true(is_live(f->model, &f->model->fields[i]));
	assert_true(slice_equal(value, value_of(&f->model->fields[i])));
	f->times[i]++;
	f->count++;
}

static void note_element(void *context, const struct slice *parts, size_t count) {
	struct found *f = context;
	size_t i = index_of(f->model, parts[0]);
	const struct model_field *m = &f->model->fields[i];
	int64_t end_ms = HASH_NO_END;
	assert_true(m->there);
	assert_true(slice_equal(parts[1], value_of(m)));
	if (count == 3) assert_true(number_parse_i64(parts[2], &end_ms));
	assert_int_equal(end_ms, m->end_ms);
	f->times[i]++;
	f->count++;
}

static void compare_walks(const struct value *h, const struct model *model, size_t there, size_t live) {
	unsigned *times = mem_calloc(MODEL_FIELDS * sizeof(*times));
	struct found f = { model, times, 0 };
	hash_each(h, model->now_ms, note, &f);
	assert_int_equal(f.count, live);
	uint64_t cursor = 0;
	do {
		cursor = hash_scan(h, cursor, model->now_ms, note, &f);
	} while (cursor);
	assert_int_equal(f.count, 2 * live);
	for (size_t i = 0; i < MODEL_FIELDS; i++) assert_int_equal(times[i], is_live(model, &model->fields[i]) ? 2 : 0);

	memset(times, 0, MODEL_FIELDS * sizeof(*times));
	f.count = 0;
	value_each(h, note_element, &f);
	assert_int_equal(f.count, there);
	for (size_t i = 0; i < MODEL_FIELDS; i++) assert_int_equal(times[i], model->fields[i].there);
	mem_free(times);
}

static void compare_picks(const struct value *h, const struct model *model, size_t live) {
	unsigned *times = mem_calloc(MODEL_FIELDS * sizeof(*times));
	struct found f = { model, times, 0 };
	assert_int_equal(hash_pick(h, model->now_ms, note, &f), live > 0);
	assert_int_equal(f.count, live > 0);
	memset(times, 0, MODEL_FIELDS * sizeof(*times));
	size_t wanted = random_below(live + 3);
	f.count = 0;
	assert_true(hash_pick_distinct(h, model->now_ms, wanted, note, &f));
	assert_int_equal(f.count, wanted < live ? wanted : live);
	for (size_t i = 0; i < MODEL_FIELDS; i++) assert_in_range(times[i], 0, 1);
	mem_free(times);
}

static void compare(const struct value *h, const struct model *model) {
	const char *complaint = value_check(h);
	if (complaint) fail_msg("%s", complaint);
	size_t there = 0, live = 0;
	int64_t next = HASH_NO_END;
	for (size_t i = 0; i < MODEL_FIELDS; i++) {
		const struct model_field *m = &model->fields[i];
		char scratch[PACK_SCRATCH_BYTES];
		struct slice value = hash_get(h, field_of(m), model->now_ms, scratch);
		assert_int_equal(hash_has(h, field_of(m), model->now_ms), is_live(model, m));
		if (is_live(model, m)) {
			assert_non_null(value.ptr);
			assert_true(slice_equal(value, value_of(m)));
			assert_int_equal(hash_end(h, field_of(m), model->now_ms), m->end_ms);
		} else {
			assert_null(value.ptr);
			assert_int_equal(hash_end(h, field_of(m), model->now_ms), HASH_NO_FIELD);
		}
		there += m->there;
		live += is_live(model, m);
		if (m->there && m->end_ms >= 0 && (next < 0 || m->end_ms < next)) next = m->end_ms;
	}
	assert_int_equal(hash_count(h), there);
	assert_int_equal(hash_live_count(h, model->now_ms), live);
	assert_int_equal(hash_next_end(h), next);
	compare_walks(h, model, there, live);
	compare_picks(h, model, live);
}

/* ---- Random work ---- */

static int64_t draw_end(const struct model *model) {
	/* Often the same as others, sometimes in the past. */
	return model->now_ms - 20 + (int64_t)random_below(200);
}

static void step_set(
	struct value *h, struct model *model, struct model_field *m, bool with_long, const struct type_limits *limits) {
	bool was_live = is_live(model, m);
	int64_t kept = was_live ? m->end_ms : HASH_NO_END;
	draw_value(m, with_long);
	int64_t ends[] = { HASH_NO_END, HASH_KEEP_END, draw_end(model) };
	int64_t end_ms = ends[random_below(3)];
	enum hash_set_result result = hash_set(h, field_of(m), value_of(m), end_ms, model->now_ms, limits);
	assert_int_equal(result, was_live ? HASH_CHANGED : HASH_ADDED);
	m->there = true;
	m->end_ms = end_ms == HASH_KEEP_END ? kept : end_ms;
}

static void step_expire(struct value *h, struct model *model) {
	size_t limit = random_below(2) ? SIZE_MAX : random_below(5), removed = 0;
	size_t result = hash_expire(h, model->now_ms, limit);
	for (;; removed++) {
		struct model_field *first = NULL;
		for (size_t i = 0; i < MODEL_FIELDS; i++) {
			struct model_field *m = &model->fields[i];
			if (!m->there || !has_ended(model, m)) continue;
			if (!first || m->end_ms < first->end_ms) first = m;
		}
		if (!first || removed == limit) break;
		/* Of several with one end any may have gone; ask which. */
		for (size_t i = 0; i < MODEL_FIELDS; i++) {
			struct model_field *m = &model->fields[i];
			if (!m->there || m->end_ms != first->end_ms) continue;
			if (hash_end(h, field_of(m), INT64_MIN) != HASH_NO_FIELD) continue;
			first = m;
			break;
		}
		first->there = false;
	}
	assert_int_equal(result, removed);
}

static void step(
	struct value *h, struct model *model, size_t fields, bool with_long, const struct type_limits *limits) {
	struct model_field *m = &model->fields[random_below(fields)];
	switch (random_below(10)) {
	case 0:
	case 1:
	case 2:
	case 3: step_set(h, model, m, with_long, limits); break;
	case 4:
	case 5:
	case 6:
		assert_int_equal(hash_remove(h, field_of(m), model->now_ms), is_live(model, m));
		m->there = false;
		break;
	case 7:
	case 8:
		if (!m->there) break;
		m->end_ms = random_below(3) ? draw_end(model) : HASH_NO_END;
		assert_true(hash_set_end(h, field_of(m), m->end_ms));
		break;
	default:
		model->now_ms += (int64_t)random_below(10);
		if (random_below(4) == 0) step_expire(h, model);
	}
}

static void random_life(size_t fields, bool with_long, const struct type_limits *limits, unsigned rounds) {
	struct model model = { mem_calloc(MODEL_FIELDS * sizeof(struct model_field)), 1000 };
	name_fields(&model, with_long);
	struct value h = value_new(VALUE_HASH);
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < 100; i++) step(&h, &model, fields, with_long, limits);
		compare(&h, &model);
		if (round % 8 == 3) {
			struct value twin = value_copy(&h);
			value_release(&h);
			h = twin;
			compare(&h, &model);
		}
		if (round % 40 == 39) {
			value_release(&h);
			h = value_new(VALUE_HASH);
			for (size_t i = 0; i < MODEL_FIELDS; i++) model.fields[i].there = false;
			compare(&h, &model);
		}
	}
	value_release(&h);
	mem_free(model.fields);
}

static void test_random_small(void **state) {
	(void)state;
	testing_begin(1);
	random_life(30, false, &type_limits_default, testing_rounds(200));
}

static void test_random_across_limits(void **state) {
	(void)state;
	testing_begin(2);
	struct type_limits limits = type_limits_default;
	limits.hash_max_listpack_entries = 20;
	random_life(60, true, &limits, testing_rounds(200));
	limits.hash_max_listpack_entries = 0;
	random_life(MODEL_FIELDS, true, &limits, testing_rounds(200));
}

static void test_random_large_packs(void **state) {
	(void)state;
	testing_begin(3);
	struct type_limits limits = type_limits_default;
	limits.hash_max_listpack_value = 1 << 20;
	random_life(MODEL_FIELDS, true, &limits, testing_rounds(60));
}

/* ---- Forms ---- */

static void put(struct value *h, const char *field, const char *value, const struct type_limits *limits) {
	(void)!hash_set(h, slice_of_cstr(field), slice_of_cstr(value), HASH_KEEP_END, 0, limits);
}

static void test_when_forms_change(void **state) {
	(void)state;
	testing_begin(4);
	struct type_limits limits = type_limits_default;
	limits.hash_max_listpack_entries = 3;
	limits.hash_max_listpack_value = 5;
	struct value h = value_new(VALUE_HASH);
	put(&h, "a", "12345", &limits);
	put(&h, "12345", "b", &limits);
	put(&h, "c", "1", &limits);
	put(&h, "c", "2", &limits);
	assert_string_equal(value_encoding_name(&h), "listpack");
	assert_true(value_flat_bytes(&h) > 0);
	assert_true(hash_set_end(&h, SLICE_LITERAL("c"), 10));
	assert_string_equal(value_encoding_name(&h), "listpackex");
	assert_true(hash_set_end(&h, SLICE_LITERAL("c"), HASH_NO_END));
	assert_string_equal(value_encoding_name(&h), "listpackex");
	put(&h, "d", "1", &limits);
	assert_string_equal(value_encoding_name(&h), "hashtable");
	assert_int_equal(value_flat_bytes(&h), 0);
	assert_true(hash_remove(&h, SLICE_LITERAL("d"), 0));
	assert_true(hash_remove(&h, SLICE_LITERAL("c"), 0));
	assert_string_equal(value_encoding_name(&h), "hashtable");
	value_release(&h);

	const char *longer[][2] = { { "abcdef", "" }, { "", "abcdef" } };
	for (size_t i = 0; i < 2; i++) {
		h = value_new(VALUE_HASH);
		put(&h, longer[i][0], longer[i][1], &limits);
		assert_string_equal(value_encoding_name(&h), "hashtable");
		assert_int_equal(hash_count(&h), 1);
		value_release(&h);
	}
}

static void append_name(void *context, struct slice field, struct slice value) {
	char *names = context;
	(void)value;
	strncat(names, field.ptr, field.len);
}

/* Small hashes keep the order in which their fields came; setting one again leaves it where it is. */
static void test_order_of_a_pack(void **state) {
	(void)state;
	struct value h = value_new(VALUE_HASH);
	for (const char *name = "zyxa"; *name; name++) {
		char text[] = { *name, 0 };
		put(&h, text, "1", &type_limits_default);
	}
	put(&h, "y", "something else", &type_limits_default);
	char names[8] = "";
	hash_each(&h, 0, append_name, names);
	assert_string_equal(names, "zyxa");
	/* With ends: by end, those without behind. */
	assert_true(hash_set_end(&h, SLICE_LITERAL("x"), 200));
	assert_true(hash_set_end(&h, SLICE_LITERAL("a"), 100));
	names[0] = 0;
	hash_each(&h, 0, append_name, names);
	assert_string_equal(names, "axzy");
	value_release(&h);
}

/* A small hash takes a byte per text beside them, and two. */
static void test_bytes_of_a_small_hash(void **state) {
	(void)state;
	struct value h = value_new(VALUE_HASH);
	for (int i = 0; i < 5; i++) {
		char field[] = "field0", value[] = "value0";
		field[5] = value[5] = (char)('0' + i);
		put(&h, field, value, &type_limits_default);
	}
	assert_int_equal(h.encoding, HASH_TIGHT);
	assert_int_equal(value_flat_bytes(&h), 2 + 10 * 7);
	put(&h, "f", "x", &type_limits_default);
	char longer[201] = "";
	memset(longer, 'x', 200);
	struct type_limits limits = type_limits_default;
	limits.hash_max_listpack_value = 1000;
	put(&h, "f", longer, &limits);
	assert_int_equal(h.encoding, HASH_PACK);
	struct pack *plain = hash_plain_pack(&h);
	assert_memory_equal(pack_raw(plain).ptr, h.data, pack_bytes(plain));
	pack_free(plain);
	value_release(&h);
}

/* The pack with ends is the one of RDB files, byte for byte. */
static void test_bytes_of_a_pack_with_ends(void **state) {
	(void)state;
	struct value h = value_new(VALUE_HASH);
	put(&h, "a", "x", &type_limits_default);
	put(&h, "b", "1", &type_limits_default);
	assert_true(hash_set_end(&h, SLICE_LITERAL("b"), 100));
	struct slice raw = pack_raw(hash_pack(&h));
	static const char wanted[] = "\x16\0\0\0\x06\0\x81"
				     "b\x02\x01\x01\x64\x01\x81"
				     "a\x02\x81"
				     "x\x02\x00\x01\xff";
	assert_int_equal(raw.len, sizeof(wanted) - 1);
	assert_memory_equal(raw.ptr, wanted, raw.len);
	value_release(&h);
}

/* A field of 16 bytes with a value of 16 takes 48, and its share of the table, whose last level may be half empty. */
static void test_memory_of_many(void **state) {
	(void)state;
	testing_begin(5);
	enum { FIELDS = 100000 };
	struct value h = value_new(VALUE_HASH);
	for (int i = 0; i < FIELDS; i++) {
		char field[32], value[32];
		snprintf(field, sizeof(field), "field:%010d", i);
		snprintf(value, sizeof(value), "value:%010d", i);
		put(&h, field, value, &type_limits_default);
	}
	assert_in_range(value_memory(&h), FIELDS * 48, FIELDS * 72);
	assert_true(value_pieces(&h) > FIELDS);
	assert_null(value_check(&h));
	value_release(&h);
}

/* ---- From outside ---- */

static struct pack *pack_of(const char *const *texts, size_t count) {
	struct pack *pack = pack_new();
	for (size_t i = 0; i < count; i++) pack_append(&pack, slice_of_cstr(texts[i]));
	return pack;
}

static bool takes(const char *const *texts, size_t count, enum hash_encoding encoding, struct value *h) {
	return hash_from_pack(pack_of(texts, count), encoding, &type_limits_default, h);
}

static void test_packs_from_outside(void **state) {
	(void)state;
	testing_begin(6);
	const char *const plain[] = { "a", "1", "b", "2", "1", "3" };
	const char *const twice[] = { "a", "1", "b", "2", "a", "3" };
	const char *const sound[] = { "b", "2", "100", "a", "1", "100", "c", "1", "0", "d", "1", "0" };
	const char *const unordered[] = { "b", "2", "100", "a", "1", "99" };
	const char *const none_first[] = { "b", "2", "0", "a", "1", "99" };
	const char *const negative[] = { "b", "2", "-5" };
	const char *const no_number[] = { "b", "2", "soon" };
	struct value h;
	assert_true(takes(plain, 6, HASH_PACK, &h));
	assert_int_equal(hash_count(&h), 3);
	assert_int_equal(h.encoding, HASH_TIGHT);
	assert_null(value_check(&h));
	value_release(&h);
	assert_true(takes(sound, 12, HASH_PACK_ENDS, &h));
	assert_int_equal(hash_next_end(&h), 100);
	value_release(&h);
	assert_false(takes(plain, 5, HASH_PACK, &h));
	assert_false(takes(twice, 6, HASH_PACK, &h));
	assert_false(takes(sound, 11, HASH_PACK_ENDS, &h));
	assert_false(takes(unordered, 6, HASH_PACK_ENDS, &h));
	assert_false(takes(none_first, 6, HASH_PACK_ENDS, &h));
	assert_false(takes(negative, 3, HASH_PACK_ENDS, &h));
	assert_false(takes(no_number, 3, HASH_PACK_ENDS, &h));
}

static void test_long_packs_from_outside_become_tables(void **state) {
	(void)state;
	testing_begin(7);
	struct pack *pack = pack_new();
	for (int i = 0; i < 20000; i++) {
		char field[32];
		snprintf(field, sizeof(field), "f%d", i);
		pack_append(&pack, slice_of_cstr(field));
		pack_append_int(&pack, i);
	}
	struct value h;
	assert_true(hash_from_pack(pack, HASH_PACK, &type_limits_default, &h));
	assert_int_equal(h.encoding, HASH_TABLE);
	assert_int_equal(hash_count(&h), 20000);
	assert_null(value_check(&h));
	value_release(&h);
	/* One twice among many. */
	pack = pack_new();
	for (int i = 0; i < 20000; i++) {
		pack_append_int(&pack, i == 15000 ? 3 : i);
		pack_append_int(&pack, i);
	}
	assert_false(hash_from_pack(pack, HASH_PACK, &type_limits_default, &h));
}

/* ---- Chance ---- */

struct draws {
	unsigned times[64];
	unsigned left;
};

static void count_draw(void *context, struct slice field, struct slice value) {
	struct draws *d = context;
	int64_t i = 0;
	(void)value;
	assert_true(number_parse_i64(field, &i));
	d->times[i]++;
}

static bool count_and_go_on(void *context, struct slice field, struct slice value) {
	struct draws *d = context;
	count_draw(context, field, value);
	return --d->left > 0;
}

/* Chi-square over the fields from `first` to 63, which were drawn `total` times: ten standard deviations above its mean
 * are allowed, which chance exceeds once in a hundred thousand runs where few fields are left, and never otherwise. */
static void assert_fair(const struct draws *d, unsigned first, double total) {
	double each = total / (64 - first), sum = 0, freedom = 63 - first;
	for (unsigned i = 0; i < first; i++) assert_int_equal(d->times[i], 0);
	for (unsigned i = first; i < 64; i++) sum += (d->times[i] - each) * (d->times[i] - each) / each;
	assert_true(sum < freedom + 10 * sqrt(2 * freedom));
}

/* Fields 0 to 63, of which the first `ended` have ended. */
static void check_fairness(const struct type_limits *limits, unsigned ended) {
	enum { DRAWS = 20000 };
	struct value h = value_new(VALUE_HASH);
	for (unsigned i = 0; i < 64; i++) {
		char name[NUMBER_I64_MAX_CHARS + 1];
		struct slice field = slice_of(name, number_format_i64(name, i));
		int64_t end_ms = i < ended ? 10 : i % 2 ? HASH_NO_END : 50;
		(void)!hash_set(&h, field, field, end_ms, 0, limits);
	}
	struct draws single = { 0 }, many = { .left = DRAWS }, distinct = { 0 }, few = { 0 };
	for (unsigned i = 0; i < DRAWS; i++) assert_true(hash_pick(&h, 20, count_draw, &single));
	assert_true(hash_pick_many(&h, 20, count_and_go_on, &many));
	for (unsigned i = 0; i < DRAWS / 20; i++) assert_true(hash_pick_distinct(&h, 20, 3, count_draw, &few));
	unsigned most = (64 - ended) * 3 / 4;
	for (unsigned i = 0; i < DRAWS / 20; i++) assert_true(hash_pick_distinct(&h, 20, most, count_draw, &distinct));
	assert_fair(&single, ended, DRAWS);
	assert_fair(&many, ended, DRAWS);
	assert_fair(&few, ended, DRAWS / 20.0 * 3);
	assert_fair(&distinct, ended, DRAWS / 20.0 * most);
	assert_int_equal(many.left, 0);
	value_release(&h);
}

static void test_picks_are_fair(void **state) {
	(void)state;
	testing_begin(8);
	struct type_limits big = type_limits_default;
	big.hash_max_listpack_entries = 0;
	for (unsigned ended = 0; ended < 64; ended += 20) {
		check_fairness(&type_limits_default, ended);
		check_fairness(&big, ended);
	}
}

/* ---- SCAN's guarantee ---- */

static void mark(void *context, struct slice field, struct slice value) {
	unsigned char *seen = context;
	(void)value;
	if (field.ptr[0] != 'k') return;
	int64_t i = 0;
	assert_true(number_parse_i64(slice_of(field.ptr + 1, field.len - 1), &i));
	seen[i] = 1;
}

/* Fields that stay are seen although others come and go in between. */
static void test_scan_through_growth_and_decay(void **state) {
	(void)state;
	testing_begin(9);
	enum { KEPT = 500, OTHERS = 5000 };
	for (unsigned round = 0; round < testing_rounds(10); round++) {
		struct value h = value_new(VALUE_HASH);
		unsigned char seen[KEPT] = { 0 };
		char name[32];
		for (int i = 0; i < KEPT; i++) {
			snprintf(name, sizeof(name), "k%d", i);
			put(&h, name, "v", &type_limits_default);
		}
		bool grows = round % 2;
		for (int i = 0; i < OTHERS && !grows; i++) {
			snprintf(name, sizeof(name), "o%d", i);
			put(&h, name, "v", &type_limits_default);
		}
		int next = 0;
		uint64_t cursor = 0;
		do {
			cursor = hash_scan(&h, cursor, 0, mark, seen);
			for (uint64_t n = random_below(20); n > 0 && next < OTHERS; n--) {
				snprintf(name, sizeof(name), "o%d", next++);
				if (grows)
					put(&h, name, "v", &type_limits_default);
				else
					assert_true(hash_remove(&h, slice_of_cstr(name), 0));
			}
		} while (cursor);
		for (int i = 0; i < KEPT; i++) assert_true(seen[i]);
		value_release(&h);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_small),
		cmocka_unit_test(test_random_across_limits),
		cmocka_unit_test(test_random_large_packs),
		cmocka_unit_test(test_when_forms_change),
		cmocka_unit_test(test_order_of_a_pack),
		cmocka_unit_test(test_bytes_of_a_small_hash),
		cmocka_unit_test(test_bytes_of_a_pack_with_ends),
		cmocka_unit_test(test_memory_of_many),
		cmocka_unit_test(test_packs_from_outside),
		cmocka_unit_test(test_long_packs_from_outside_become_tables),
		cmocka_unit_test(test_picks_are_fair),
		cmocka_unit_test(test_scan_through_growth_and_decay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
