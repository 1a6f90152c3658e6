/* set: random changes beside an array of flags, through all forms and limits; the forms and when they change; walks and
 * SCAN's promise; chance by chi-square; memory against the allocator; loading. */
#include "members.h"

#include "containers/pack.h"
#include "types/intset.h"
#include "types/set.h"

/* ---- A set and what it should be ---- */

struct subject {
	struct value set;
	struct members members;
	bool *there;
	unsigned *seen; /* how often a walk brought each */
	unsigned count;
	struct type_limits limits;
};

static struct subject subject_make(unsigned members, unsigned kinds) {
	struct subject s = { .set = value_new(VALUE_SET), .members = members_make(members, kinds) };
	s.there = mem_calloc(s.members.count * sizeof(*s.there));
	s.seen = mem_calloc(s.members.count * sizeof(*s.seen));
	s.limits = members_limits();
	return s;
}

static void subject_free(struct subject *s) {
	value_release(&s->set);
	members_free(&s->members);
	mem_free(s->there);
	mem_free(s->seen);
}

static void see(void *context, struct slice member) {
	struct subject *s = context;
	s->seen[members_index(&s->members, member)]++;
}

static bool see_draw(void *context, struct slice member) {
	see(context, member);
	return true;
}

static void see_parts(void *context, const struct slice *parts, size_t count) {
	assert_int_equal(count, 1);
	see(context, parts[0]);
}

static void forget_seen(struct subject *s) {
	memset(s->seen, 0, s->members.count * sizeof(*s->seen));
}

/* Each member was seen once. */
static void assert_seen_once(const struct subject *s, const struct value *set) {
	assert_int_equal(set_count(set), s->count);
	for (unsigned i = 0; i < s->members.count; i++) assert_int_equal(s->seen[i], s->there[i]);
}

static void assert_sound(const struct value *set) {
	const char *broken = value_check(set);
	if (broken) fail_msg("%s", broken);
}

static void compare(struct subject *s) {
	assert_sound(&s->set);
	forget_seen(s);
	value_each(&s->set, see_parts, s);
	assert_seen_once(s, &s->set);
	assert_int_equal(value_count(&s->set), s->count);
	bool *answers = mem_alloc(s->members.count * sizeof(*answers));
	set_has_many(&s->set, s->members.texts, s->members.count, answers);
	for (unsigned i = 0; i < s->members.count; i++) {
		assert_int_equal(answers[i], s->there[i]);
		assert_int_equal(set_has(&s->set, s->members.texts[i]), s->there[i]);
	}
	mem_free(answers);
}

/* ---- The model test ---- */

/* Adds or removes `n` members by chance, some of them twice. */
static void change(struct subject *s, unsigned n, bool add) {
	struct slice *chosen = mem_alloc((n + 1) * sizeof(*chosen));
	size_t expected = 0, done = 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned which = (unsigned)random_below(s->members.count);
		chosen[i] = s->members.texts[which];
		expected += s->there[which] != add;
		s->there[which] = add;
	}
	if (add) {
		assert_true(set_add(&s->set, chosen, n, &s->limits, &done));
		s->count += (unsigned)done;
	} else {
		done = set_remove(&s->set, chosen, n);
		s->count -= (unsigned)done;
	}
	assert_int_equal(done, expected);
	mem_free(chosen);
}

/* Takes out what the walk saw; nothing may come twice or from elsewhere. */
static void pop(struct subject *s, unsigned n) {
	forget_seen(s);
	set_pop(&s->set, n, &s->limits, see, s);
	for (unsigned i = 0; i < s->members.count; i++) {
		assert_true(s->seen[i] <= s->there[i]);
		s->count -= s->seen[i];
		n -= s->seen[i];
		if (s->seen[i]) s->there[i] = false;
	}
	assert_int_equal(n, 0);
}

static void sample(struct subject *s, unsigned n) {
	forget_seen(s);
	set_sample(&s->set, n, see, s);
	unsigned seen = 0;
	for (unsigned i = 0; i < s->members.count; i++) {
		assert_true(s->seen[i] <= s->there[i]);
		seen += s->seen[i];
	}
	assert_int_equal(seen, n < s->count ? n : s->count);
}

static void draw(struct subject *s, unsigned n) {
	forget_seen(s);
	assert_true(set_draw(&s->set, n, see_draw, s));
	unsigned seen = 0;
	for (unsigned i = 0; i < s->members.count; i++) {
		assert_true(s->there[i] || s->seen[i] == 0);
		seen += s->seen[i];
	}
	assert_int_equal(seen, n);
}

static void copy(struct subject *s) {
	struct value copy = value_copy(&s->set);
	assert_sound(&copy);
	assert_int_equal(copy.encoding, s->set.encoding);
	/* A part of a copy is changed to see that it shares nothing. */
	forget_seen(s);
	set_each(&copy, see, s);
	assert_seen_once(s, &copy);
	set_remove(&copy, s->members.texts, s->members.count / 2);
	assert_sound(&copy);
	value_release(&copy);
	compare(s);
}

static void step(struct subject *s, bool growing) {
	unsigned few = 1 + (unsigned)random_below(random_below(10) ? 3 : 200);
	switch (random_below(20)) {
	case 0: sample(s, (unsigned)random_below(s->count + 5)); break;
	case 1:
		if (s->count) draw(s, few);
		break;
	case 2:
		if (s->count > 1 && !growing) pop(s, (unsigned)random_below(random_below(2) ? s->count : 2));
		break;
	default: change(s, few, random_below(4) ? growing : !growing);
	}
}

static void test_model(void **state) {
	(void)state;
	testing_begin(1);
	static const unsigned sizes[] = { 5, 30, 120, 700, 4000 };
	static const unsigned kinds[] = { MEMBER_NUMBERS, MEMBER_WORDS,
		MEMBER_NUMBERS | MEMBER_WORDS | MEMBER_LONG | MEMBER_ALMOST };
	for (unsigned round = 0; round < testing_rounds(90); round++) {
		struct subject s = subject_make(sizes[random_below(5)], kinds[round % 3]);
		unsigned encodings = 0;
		for (unsigned n = 0; n < 600; n++) {
			step(&s, n / 150 % 2 == 0);
			assert_int_equal(set_count(&s.set), s.count);
			encodings |= 1u << s.set.encoding;
			if (n % 60 == 0) compare(&s);
			if (n % 200 == 0) copy(&s);
			/* The store never keeps an empty set: the next member begins a new one. */
			if (s.count == 0 && random_below(2)) {
				value_release(&s.set);
				s.set = value_new(VALUE_SET);
			}
		}
		compare(&s);
		assert_true(encodings != 0);
		subject_free(&s);
	}
}

/* ---- Forms ---- */

static void add_number(struct value *set, int64_t number, const struct type_limits *limits, bool is_new) {
	char text[NUMBER_I64_MAX_CHARS + 1];
	struct slice member = slice_of(text, number_format_i64(text, number));
	size_t added;
	assert_true(set_add(set, &member, 1, limits, &added));
	assert_int_equal(added, is_new);
}

static void add_text(struct value *set, const char *text, const struct type_limits *limits, bool is_new) {
	struct slice member = slice_of_cstr(text);
	size_t added;
	assert_true(set_add(set, &member, 1, limits, &added));
	assert_int_equal(added, is_new);
}

static void assert_form(const struct value *set, const char *name) {
	assert_string_equal(value_encoding_name(set), name);
	assert_sound(set);
}

static void test_numbers_outgrow_their_limit(void **state) {
	(void)state;
	testing_begin(2);
	struct type_limits limits = type_limits_default;
	struct value set = value_new(VALUE_SET);
	for (int64_t i = 0; i < 512; i++) add_number(&set, i, &limits, true);
	add_number(&set, 17, &limits, false);
	assert_form(&set, "intset");
	add_number(&set, 512, &limits, true);
	assert_form(&set, "hashtable");
	/* Nothing leads back. */
	for (int64_t i = 0; i < 510; i++) {
		char text[NUMBER_I64_MAX_CHARS + 1];
		struct slice member = slice_of(text, number_format_i64(text, i));
		assert_int_equal(set_remove(&set, &member, 1), 1);
	}
	assert_form(&set, "hashtable");
	value_release(&set);
}

static void test_text_makes_a_pack_or_a_table(void **state) {
	(void)state;
	testing_begin(3);
	struct type_limits limits = type_limits_default;
	struct value set = value_new(VALUE_SET);
	for (int64_t i = 0; i < 127; i++) add_number(&set, i, &limits, true);
	add_text(&set, "x", &limits, true);
	assert_form(&set, "listpack");
	add_text(&set, "y", &limits, true);
	assert_form(&set, "hashtable");
	value_release(&set);

	set = value_new(VALUE_SET);
	for (int64_t i = 0; i < 128; i++) add_number(&set, i, &limits, true);
	add_text(&set, "x", &limits, true);
	assert_form(&set, "hashtable");
	value_release(&set);

	char longest[66];
	memset(longest, 'l', 65);
	longest[64] = '\0';
	set = value_new(VALUE_SET);
	add_text(&set, longest, &limits, true);
	assert_form(&set, "listpack");
	longest[64] = 'l';
	longest[65] = '\0';
	add_text(&set, longest, &limits, true);
	assert_form(&set, "hashtable");
	value_release(&set);

	/* Numbers that are too long as text for a pack. */
	limits.set_max_listpack_value = 4;
	set = value_new(VALUE_SET);
	add_number(&set, -1000, &limits, true);
	add_text(&set, "x", &limits, true);
	assert_form(&set, "hashtable");
	value_release(&set);
}

/* How many members come at once decides before the first is looked at, as in Redis 7.2. */
static void test_many_at_once_choose_the_form(void **state) {
	(void)state;
	testing_begin(4);
	struct type_limits limits = type_limits_default;
	struct slice same[600];
	size_t added;
	for (unsigned i = 0; i < 600; i++) same[i] = SLICE_LITERAL("7");
	struct value set = value_new(VALUE_SET);
	assert_true(set_add(&set, same, 512, &limits, &added));
	assert_int_equal(added, 1);
	assert_form(&set, "intset");
	assert_true(set_add(&set, same, 513, &limits, &added));
	assert_int_equal(added, 0);
	assert_form(&set, "hashtable");
	value_release(&set);

	set = value_new(VALUE_SET);
	assert_true(set_add(&set, same, 600, &limits, &added));
	assert_form(&set, "hashtable");
	value_release(&set);

	for (unsigned i = 0; i < 600; i++) same[i] = SLICE_LITERAL("x");
	set = value_new(VALUE_SET);
	assert_true(set_add(&set, same, 128, &limits, &added));
	assert_int_equal(added, 1);
	assert_form(&set, "listpack");
	assert_true(set_add(&set, same, 129, &limits, &added));
	assert_form(&set, "hashtable");
	value_release(&set);

	limits.set_max_intset_entries = 0;
	set = value_new(VALUE_SET);
	add_number(&set, 1, &limits, true);
	assert_form(&set, "listpack");
	value_release(&set);
}

static void ignore(void *context, struct slice member) {
	(void)context;
	(void)member;
}

static void test_popping_most_makes_a_table_flat(void **state) {
	(void)state;
	testing_begin(5);
	struct type_limits limits = type_limits_default;
	struct value set = value_new(VALUE_SET);
	for (int64_t i = 0; i < 1000; i++) add_number(&set, i, &limits, true);
	set_pop(&set, 500, &limits, ignore, NULL);
	assert_form(&set, "hashtable");
	set_pop(&set, 416, &limits, ignore, NULL);
	assert_form(&set, "hashtable");
	assert_int_equal(set_count(&set), 84);
	set_pop(&set, 69, &limits, ignore, NULL);
	assert_form(&set, "hashtable");
	set_pop(&set, 13, &limits, ignore, NULL);
	assert_form(&set, "listpack");
	assert_int_equal(set_count(&set), 2);
	value_release(&set);
}

static void test_numbers_come_in_order(void **state) {
	(void)state;
	testing_begin(6);
	struct type_limits limits = type_limits_default;
	struct value set = value_new(VALUE_SET);
	static const int64_t numbers[] = { 5, 3, -1, 100000, 7 };
	for (unsigned i = 0; i < 5; i++) add_number(&set, numbers[i], &limits, true);
	struct slice raw = slice_of(set.data, value_flat_bytes(&set));
	assert_true(intset_validate(raw.ptr, raw.len));
	assert_int_equal(intset_at(set.data, 0), -1);
	assert_int_equal(intset_at(set.data, 4), 100000);
	value_release(&set);
}

/* ---- Walks ---- */

/* While members come and go, those that stay are brought by a walk of scans; also across changes of form. */
static void test_scan_guarantee(void **state) {
	(void)state;
	testing_begin(7);
	for (unsigned round = 0; round < testing_rounds(60); round++) {
		struct subject s = subject_make(1500, MEMBER_NUMBERS | MEMBER_WORDS | MEMBER_LONG);
		bool *stays = mem_calloc(s.members.count * sizeof(*stays));
		change(&s, 1 + (unsigned)random_below(2000), true);
		memcpy(stays, s.there, s.members.count * sizeof(*stays));
		forget_seen(&s);
		uint64_t cursor = 0;
		unsigned steps = 0;
		do {
			cursor = set_scan(&s.set, cursor, 1 + random_below(20), see, &s);
			change(&s, (unsigned)random_below(60), random_below(100) < 20 + round);
			for (unsigned i = 0; i < s.members.count; i++) stays[i] &= s.there[i];
			assert_true(++steps < 100000);
		} while (cursor != 0);
		for (unsigned i = 0; i < s.members.count; i++) assert_true(!stays[i] || s.seen[i] > 0);
		mem_free(stays);
		subject_free(&s);
	}
}

static void test_scan_takes_any_cursor(void **state) {
	(void)state;
	testing_begin(8);
	struct subject s = subject_make(2000, MEMBER_WORDS);
	change(&s, 3000, true);
	for (unsigned i = 0; i < 1000; i++) set_scan(&s.set, random_u64() >> random_below(64), 10, see, &s);
	compare(&s);
	subject_free(&s);
}

/* ---- Chance ---- */

/* Sets of `count` members in each form; the numbers begin at `from`. */
static struct value set_of(enum set_encoding form, unsigned count, struct members *members) {
	struct type_limits limits = type_limits_default;
	limits.set_max_intset_entries = form == SET_INTS ? count : 0;
	limits.set_max_listpack_entries = form == SET_PACK ? count : 0;
	limits.set_max_listpack_value = 1000;
	*members = members_make(count, form == SET_INTS ? MEMBER_NUMBERS : MEMBER_NUMBERS | MEMBER_WORDS);
	struct value set = value_new(VALUE_SET);
	size_t added;
	assert_true(set_add(&set, members->texts, members->count, &limits, &added));
	assert_int_equal(added, members->count);
	assert_int_equal(set.encoding, form);
	return set;
}

static void assert_even(const unsigned *seen, unsigned cells, const char *what, enum set_encoding form) {
	double total = 0, sum = 0;
	for (unsigned i = 0; i < cells; i++) total += seen[i];
	double expected = total / cells;
	for (unsigned i = 0; i < cells; i++) sum += (seen[i] - expected) * (seen[i] - expected) / expected;
	/* Five deviations above the mean of chi-square, each the root of twice the cells. */
	double bound = cells + 5 * 1.4143 * __builtin_sqrt(cells) + 10;
	if (sum > bound) fail_msg("%s of form %d: chi-square %.0f above %.0f", what, form, sum, bound);
}

static void chance_of_form(enum set_encoding form, unsigned size, unsigned sampled) {
	struct subject s = { .limits = type_limits_default };
	s.set = set_of(form, size, &s.members);
	unsigned all = s.members.count;
	if (sampled >= all) sampled = all - 1;
	unsigned rounds = 400000 / size / (sampled > 5 ? sampled / 5 : 1) + 400;
	s.seen = mem_calloc(all * sizeof(*s.seen));
	for (unsigned i = 0; i < rounds; i++) set_sample(&s.set, sampled, see, &s);
	assert_even(s.seen, all, "a sample", form);
	forget_seen(&s);
	set_draw(&s.set, (size_t)100 * all, see_draw, &s);
	assert_even(s.seen, all, "many draws", form);
	forget_seen(&s);
	for (unsigned i = 0; i < 100 * all; i++) set_draw(&s.set, 1, see_draw, &s);
	assert_even(s.seen, all, "one draw", form);
	forget_seen(&s);
	for (unsigned i = 0; i < rounds; i++) {
		struct value victim = value_copy(&s.set);
		set_pop(&victim, sampled, &s.limits, see, &s);
		value_release(&victim);
	}
	assert_even(s.seen, all, "what was popped", form);
	value_release(&s.set);
	members_free(&s.members);
	mem_free(s.seen);
}

static void test_chance_is_fair(void **state) {
	(void)state;
	testing_begin(9);
	for (enum set_encoding form = SET_INTS; form <= SET_TABLE; form++) {
		chance_of_form(form, 20, 1);
		chance_of_form(form, 20, 7);
		chance_of_form(form, 100, 3);
		chance_of_form(form, 100, 95);
	}
	chance_of_form(SET_TABLE, 700, 5);
	chance_of_form(SET_TABLE, 700, 690);
}

static bool stop_at_ten(void *context, struct slice member) {
	(void)member;
	return ++*(unsigned *)context < 10;
}

static void test_draws_end_when_told(void **state) {
	(void)state;
	testing_begin(13);
	for (enum set_encoding form = SET_INTS; form <= SET_TABLE; form++) {
		struct members members;
		struct value set = set_of(form, 30, &members);
		unsigned drawn = 0;
		assert_false(set_draw(&set, SIZE_MAX / 2, stop_at_ten, &drawn));
		assert_int_equal(drawn, 10);
		value_release(&set);
		members_free(&members);
	}
}

/* ---- Memory ---- */

static size_t allocated(void) {
	struct mem_stats stats;
	mem_stats_read(&stats);
	return stats.allocated;
}

/* Of members of `len` bytes: what the set says it takes is what the allocator gave, and at most `bytes_each`. */
static void memory_of(size_t len, bool numbers, size_t bytes_each) {
	/* So many that the table is about to get its next level, whose pages are not touched before they are needed. */
	enum { COUNT = 196000 };
	size_t before = allocated(), added;
	struct type_limits limits = type_limits_default;
	struct value set = value_new(VALUE_SET);
	for (unsigned i = 0; i < COUNT; i++) {
		char text[128];
		snprintf(text, sizeof(text), numbers ? "%0*u" : "m%0*u", numbers ? (int)len : (int)len - 1, i);
		if (numbers) text[0] = '1';
		struct slice member = slice_of(text, len);
		assert_true(set_add(&set, &member, 1, &limits, &added));
	}
	assert_int_equal(set_count(&set), COUNT);
	size_t taken = value_memory(&set), given = allocated() - before;
	assert_true(taken <= (size_t)COUNT * bytes_each);
	/* The allocator's caches per thread hold a few pieces. */
	if (strncmp(mem_allocator_name(), "jemalloc", 8) == 0)
		assert_in_range(given, taken - taken / 20, taken + taken / 20);
	value_release(&set);
}

static void test_memory(void **state) {
	(void)state;
	testing_begin(10);
	memory_of(12, true, 14);
	memory_of(19, true, 14 + 16);
	memory_of(7, false, 14 + 16);
	memory_of(16, false, 14 + 16);
	memory_of(17, false, 14 + 32);
	memory_of(32, false, 14 + 32);
	memory_of(36, false, 14 + 48);
	memory_of(64, false, 14 + 64);
}

/* ---- Loading ---- */

static void test_loading(void **state) {
	(void)state;
	testing_begin(11);
	struct type_limits limits = type_limits_default;
	struct value set, source = value_new(VALUE_SET);
	for (int64_t i = 0; i < 20; i++) add_number(&source, i * i, &limits, true);
	struct slice bytes = slice_of(source.data, value_flat_bytes(&source));
	assert_true(set_from_intset(bytes, &limits, &set));
	assert_form(&set, "intset");
	assert_int_equal(set_count(&set), 20);
	value_release(&set);
	limits.set_max_intset_entries = 19;
	assert_true(set_from_intset(bytes, &limits, &set));
	assert_form(&set, "hashtable");
	assert_int_equal(set_count(&set), 20);
	value_release(&set);
	assert_false(set_from_intset(slice_of(bytes.ptr, bytes.len - 1), &limits, &set));
	value_release(&source);

	struct pack *pack = pack_new();
	pack_append(&pack, SLICE_LITERAL("one"));
	pack_append(&pack, SLICE_LITERAL("2"));
	assert_true(set_from_pack(pack_raw(pack), &limits, &set));
	assert_form(&set, "listpack");
	value_release(&set);
	limits.set_max_listpack_value = 2;
	assert_true(set_from_pack(pack_raw(pack), &limits, &set));
	assert_form(&set, "hashtable");
	assert_true(set_has(&set, SLICE_LITERAL("2")));
	value_release(&set);
	limits = type_limits_default;
	pack_append(&pack, SLICE_LITERAL("one"));
	assert_false(set_from_pack(pack_raw(pack), &limits, &set));
	assert_false(set_from_pack(slice_of(pack_raw(pack).ptr, pack_bytes(pack) - 1), &limits, &set));
	pack_free(pack);
}

/* Flat forms are read where they lie in an entry, at any address. */
static void test_any_address(void **state) {
	(void)state;
	testing_begin(12);
	for (enum set_encoding form = SET_INTS; form <= SET_PACK; form++) {
		struct subject s = { .limits = type_limits_default };
		s.set = set_of(form, 60, &s.members);
		s.count = s.members.count;
		s.seen = mem_calloc(s.count * sizeof(*s.seen));
		s.there = mem_alloc(s.count * sizeof(*s.there));
		memset(s.there, true, s.count);
		size_t bytes = value_flat_bytes(&s.set);
		char *space = mem_alloc(bytes + 8);
		void *aligned = s.set.data;
		for (unsigned shift = 0; shift < 8; shift++) {
			s.set.data = memcpy(space + shift, aligned, bytes);
			compare(&s);
			sample(&s, 5);
			draw(&s, 5);
			copy(&s);
		}
		s.set.data = aligned;
		mem_free(space);
		subject_free(&s);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_numbers_outgrow_their_limit),
		cmocka_unit_test(test_text_makes_a_pack_or_a_table),
		cmocka_unit_test(test_many_at_once_choose_the_form),
		cmocka_unit_test(test_popping_most_makes_a_table_flat),
		cmocka_unit_test(test_numbers_come_in_order),
		cmocka_unit_test(test_scan_guarantee),
		cmocka_unit_test(test_scan_takes_any_cursor),
		cmocka_unit_test(test_chance_is_fair),
		cmocka_unit_test(test_draws_end_when_told),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_loading),
		cmocka_unit_test(test_any_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
