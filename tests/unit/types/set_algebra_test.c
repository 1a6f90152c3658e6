/* set_algebra: intersections, unions and differences of sets in all mixtures of forms beside arrays of flags; the forms of
 * results; limits. */
#include "members.h"

#include "types/set.h"
#include "types/set_algebra.h"

enum { SETS_MAX = 7 };

struct world {
	struct members members;
	struct value sets[SETS_MAX];
	bool *there[SETS_MAX];
	unsigned *seen;
	unsigned count; /* sets */
};

static const struct type_limits forms[] = {
	{ .set_max_intset_entries = 100000, .set_max_listpack_entries = 100000, .set_max_listpack_value = 100000 },
	{ .set_max_intset_entries = 0, .set_max_listpack_entries = 0, .set_max_listpack_value = 0 },
	{ .set_max_intset_entries = 512, .set_max_listpack_entries = 128, .set_max_listpack_value = 64 },
};

/* A set of each member with a chance of `percent`. */
static void fill(struct world *w, unsigned which, unsigned percent, const struct type_limits *limits) {
	w->there[which] = mem_calloc(w->members.count + 1);
	w->sets[which] = (struct value){ 0 };
	for (unsigned i = 0; i < w->members.count; i++) {
		if (random_below(100) >= percent) continue;
		if (!w->sets[which].data) w->sets[which] = value_new(VALUE_SET);
		size_t added;
		assert_true(set_add(&w->sets[which], &w->members.texts[i], 1, limits, &added));
		assert_int_equal(added, 1);
		w->there[which][i] = true;
	}
}

static struct world world_make(unsigned members, unsigned kinds) {
	struct world w = { .members = members_make(members, kinds), .count = 1 + (unsigned)random_below(SETS_MAX) };
	w.seen = mem_calloc((w.members.count + 1) * sizeof(*w.seen));
	unsigned overlap = (unsigned)random_below(100);
	for (unsigned i = 0; i < w.count; i++) {
		unsigned percent = random_below(12) == 0 ? 0 : random_below(3) ? overlap : (unsigned)random_below(101);
		/* Small sets beside large ones are where the ways part. */
		if (random_below(4) == 0) percent /= 20;
		fill(&w, i, percent, &forms[random_below(3)]);
	}
	return w;
}

static void world_free(struct world *w) {
	for (unsigned i = 0; i < w->count; i++) {
		value_release(&w->sets[i]);
		mem_free(w->there[i]);
	}
	members_free(&w->members);
	mem_free(w->seen);
}

static bool expected(const struct world *w, enum set_operation operation, unsigned member) {
	bool in = w->there[0][member];
	for (unsigned i = 1; i < w->count; i++) {
		if (operation == SET_UNION) in |= w->there[i][member];
		if (operation == SET_INTERSECTION) in &= w->there[i][member];
		if (operation == SET_DIFFERENCE) in &= !w->there[i][member];
	}
	return in;
}

static void see(void *context, struct slice member) {
	struct world *w = context;
	w->seen[members_index(&w->members, member)]++;
}

/* Whether `seen` is the result; how many it has. */
static unsigned assert_seen(const struct world *w, enum set_operation operation) {
	unsigned count = 0;
	for (unsigned i = 0; i < w->members.count; i++) {
		assert_int_equal(w->seen[i], expected(w, operation, i));
		count += w->seen[i];
	}
	return count;
}

static void forget(struct world *w) {
	memset(w->seen, 0, w->members.count * sizeof(*w->seen));
}

static void assert_result(struct world *w, enum set_operation operation) {
	struct value result;
	forget(w);
	assert_true(set_combine(operation, w->sets, w->count, see, w));
	unsigned count = assert_seen(w, operation);
	assert_true(set_combine_new(operation, w->sets, w->count, &forms[random_below(3)], &result));
	const char *broken = value_check(&result);
	if (broken) fail_msg("%s", broken);
	assert_int_equal(set_count(&result), count);
	forget(w);
	set_each(&result, see, w);
	assert_seen(w, operation);
	value_release(&result);
	if (operation != SET_INTERSECTION) return;
	assert_int_equal(set_count_intersection(w->sets, w->count, 0), count);
	size_t limit = 1 + random_below(count + 3);
	assert_int_equal(set_count_intersection(w->sets, w->count, limit), limit < count ? limit : count);
}

static void test_model(void **state) {
	(void)state;
	testing_begin(1);
	static const unsigned sizes[] = { 3, 20, 150, 1000, 3000 };
	static const unsigned kinds[] = { MEMBER_NUMBERS, MEMBER_WORDS, MEMBER_NUMBERS | MEMBER_WORDS,
		MEMBER_NUMBERS | MEMBER_WORDS | MEMBER_LONG | MEMBER_ALMOST };
	for (unsigned round = 0; round < testing_rounds(250); round++) {
		struct world w = world_make(sizes[random_below(5)], kinds[round % 4]);
		assert_result(&w, SET_INTERSECTION);
		assert_result(&w, SET_UNION);
		assert_result(&w, SET_DIFFERENCE);
		world_free(&w);
	}
}

/* One set in several places: what it has twice comes once. */
static void test_the_same_set_again(void **state) {
	(void)state;
	testing_begin(2);
	for (unsigned round = 0; round < testing_rounds(60); round++) {
		struct world w = world_make(200, MEMBER_NUMBERS | MEMBER_WORDS);
		if (w.count < SETS_MAX) {
			w.sets[w.count] = w.sets[0];
			w.there[w.count] = w.there[0];
			w.count++;
			assert_result(&w, SET_INTERSECTION);
			assert_result(&w, SET_UNION);
			assert_result(&w, SET_DIFFERENCE);
			w.count--;
		}
		world_free(&w);
	}
}

static struct value numbers(int64_t from, int64_t to, const char *text) {
	struct value set = value_new(VALUE_SET);
	char digits[NUMBER_I64_MAX_CHARS + 1];
	size_t added;
	for (int64_t i = from; i < to; i++) {
		struct slice member = slice_of(digits, number_format_i64(digits, i));
		assert_true(set_add(&set, &member, 1, &type_limits_default, &added));
	}
	struct slice member = slice_of_cstr(text);
	if (text[0]) assert_true(set_add(&set, &member, 1, &type_limits_default, &added));
	return set;
}

static void assert_form(enum set_operation operation, const struct value *sets, size_t count, const char *name) {
	struct value result;
	assert_true(set_combine_new(operation, sets, count, &type_limits_default, &result));
	assert_string_equal(value_encoding_name(&result), name);
	value_release(&result);
}

static void test_forms_of_results(void **state) {
	(void)state;
	testing_begin(3);
	struct value big = numbers(0, 1000, ""), few = numbers(0, 100, ""), mixed = numbers(0, 100, "x"),
		     only_x = numbers(0, 0, "x"), more = numbers(200, 700, ""), none = { 0 };
	assert_string_equal(value_encoding_name(&big), "hashtable");
	assert_form(SET_INTERSECTION, (struct value[]){ big, few }, 2, "intset");
	assert_form(SET_INTERSECTION, (struct value[]){ big, big }, 2, "hashtable");
	assert_form(SET_INTERSECTION, (struct value[]){ mixed, mixed }, 2, "listpack");
	assert_form(SET_INTERSECTION, (struct value[]){ mixed, few }, 2, "intset");
	assert_form(SET_UNION, (struct value[]){ few, more }, 2, "hashtable");
	assert_form(SET_UNION, (struct value[]){ few, few, none }, 3, "intset");
	assert_form(SET_UNION, (struct value[]){ few, only_x }, 2, "listpack");
	assert_form(SET_UNION, (struct value[]){ more, only_x }, 2, "hashtable");
	assert_form(SET_DIFFERENCE, (struct value[]){ big, more }, 2, "intset");
	assert_form(SET_DIFFERENCE, (struct value[]){ mixed, only_x }, 2, "intset");
	/* So many small sets that Redis copies the first one and removes their members. */
	assert_form(SET_DIFFERENCE, (struct value[]){ mixed, only_x, only_x, only_x }, 4, "listpack");
	assert_form(SET_DIFFERENCE, (struct value[]){ mixed, only_x, none, none }, 4, "intset");
	assert_form(SET_DIFFERENCE, (struct value[]){ none, few }, 2, "intset");
	struct value all[] = { big, few, mixed, only_x, more };
	for (unsigned i = 0; i < 5; i++) value_release(&all[i]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_the_same_set_again),
		cmocka_unit_test(test_forms_of_results),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
