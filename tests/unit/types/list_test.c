/* list: a long run of random operations beside an array of strings, under several settings of list-max-listpack-size, with
 * elements from numbers to such as are too large for a pack; when the form changes, both ways; what a list takes.
 *
 * After each batch the whole list is read in both directions and checked, and its memory compared with that of a copy. */
#include "../testing.h"

#include <string.h>

#include "base/alloc.h"
#include "types/list.h"

enum { MODEL_MAX = 12000 };

struct model {
	struct slice items[MODEL_MAX]; /* owned */
	size_t count;
};

static struct slice own(struct slice text) {
	char *bytes = mem_alloc(text.len + 1);
	memcpy(bytes, text.ptr, text.len);
	return slice_of(bytes, text.len);
}

static void model_insert(struct model *m, size_t at, struct slice text) {
	assert_true(m->count < MODEL_MAX);
	memmove(m->items + at + 1, m->items + at, (m->count - at) * sizeof(m->items[0]));
	m->items[at] = own(text);
	m->count++;
}

static void model_remove(struct model *m, size_t at) {
	mem_free((void *)m->items[at].ptr);
	m->count--;
	memmove(m->items + at, m->items + at + 1, (m->count - at) * sizeof(m->items[0]));
}

/* ---- Elements ---- */

enum { TEXT_MAX = 20000 };

/* Which elements a run has. */
enum size_mix { SMALL, MIXED, LARGE, MIXES };

/* In a buffer of the test's; few different ones, so that some are equal. */
static struct slice any_element(enum size_mix mix) {
	static char text[TEXT_MAX];
	size_t len;
	switch (random_below(mix == SMALL ? 4 : mix == MIXED ? 20 : 6)) {
	case 0: return slice_of(text, number_format_i64(text, (int64_t)random_u64() >> random_below(64)));
	case 1: return slice_of(text, number_format_i64(text, (int64_t)random_below(10)));
	case 2: len = random_below(5); break;
	case 3: len = 16; break;
	case 4: len = 4060 + random_below(50); break;
	case 5: len = random_below(TEXT_MAX); break;
	default: len = random_below(120); break;
	}
	memset(text, 'a' + (char)random_below(3), len);
	return slice_of(text, len);
}

/* ---- Comparison ---- */

static void check_element(const struct model *m, size_t at, struct pack_value element) {
	char scratch[PACK_SCRATCH_BYTES];
	struct slice text = list_text(element, scratch);
	assert_int_equal(text.len, m->items[at].len);
	assert_memory_equal(text.ptr, m->items[at].ptr, text.len);
	struct list_needle needle = list_needle_of(m->items[at]);
	assert_true(list_is(element, &needle));
}

static void check_walk(const struct value *list, const struct model *m, size_t from, enum list_direction direction) {
	struct list_walk walk;
	list_walk(list, from, direction, &walk);
	size_t left = from >= m->count ? 0 : direction == LIST_FORWARD ? m->count - from : from + 1;
	struct pack_value elements[20];
	for (size_t n; (n = list_read(&walk, elements, 1 + (size_t)random_below(20))) > 0;) {
		for (size_t i = 0; i < n; i++, left--) {
			assert_true(left > 0);
			check_element(m, direction == LIST_FORWARD ? m->count - left : left - 1, elements[i]);
		}
	}
	assert_int_equal(left, 0);
}

static void check_visited(void *context, const struct slice *parts, size_t count) {
	struct slice **next = context;
	assert_int_equal(count, 1);
	assert_true(slice_equal(parts[0], **next));
	++*next;
}

static void check_all(const struct value *list, struct model *m) {
	const char *wrong = list_ops.check(list);
	if (wrong) fail_msg("%s", wrong);
	assert_int_equal(list_length(list), m->count);
	assert_int_equal(list_ops.count(list), m->count);
	assert_int_equal(list_ops.flat_bytes(list) > 0, list->encoding == LIST_PACK);
	check_walk(list, m, 0, LIST_FORWARD);
	check_walk(list, m, m->count - 1, LIST_BACKWARD);
	check_walk(list, m, (size_t)random_below(m->count + 2), LIST_FORWARD);
	check_walk(list, m, (size_t)random_below(m->count + 2), LIST_BACKWARD);
	for (int i = 0; i < 20 && m->count > 0; i++) {
		size_t at = (size_t)random_below(m->count);
		check_element(m, at, list_at(list, at));
	}
	if (m->count > 0) {
		check_element(m, 0, list_end(list, LIST_HEAD));
		check_element(m, m->count - 1, list_end(list, LIST_TAIL));
	}
	struct slice *next = m->items;
	list_ops.each(list, check_visited, &next);
	assert_true(next == m->items + m->count);

	struct value copy = list_ops.copy(list);
	assert_null(list_ops.check(&copy));
	assert_int_equal(list_length(&copy), m->count);
	/* The tree's nodes may be fuller in the copy. */
	assert_true(list_ops.memory(&copy) <= list_ops.memory(list));
	assert_string_equal(list_ops.encoding_name(&copy), list_ops.encoding_name(list));
	list_ops.release(&copy);
}

/* ---- Operations, on both ---- */

static void push(struct value *list, struct model *m, enum size_mix mix, const struct type_limits *limits) {
	enum { MOST = 20 };
	struct slice elements[MOST];
	size_t count = 1 + (size_t)random_below(mix == SMALL ? MOST : 4);
	if (m->count + count > MODEL_MAX) return;
	enum list_side side = random_below(2) ? LIST_HEAD : LIST_TAIL;
	for (size_t i = 0; i < count; i++) {
		elements[i] = own(any_element(mix));
		model_insert(m, side == LIST_HEAD ? 0 : m->count, elements[i]);
	}
	assert_true(list_push(list, side, elements, count, limits));
	for (size_t i = 0; i < count; i++) mem_free((void *)elements[i].ptr);
}

static void drop(struct value *list, struct model *m, size_t most, const struct type_limits *limits) {
	enum list_side side = random_below(2) ? LIST_HEAD : LIST_TAIL;
	size_t count = (size_t)random_below(most + 2);
	list_drop(list, side, count, limits);
	for (; count > 0 && m->count > 0; count--) model_remove(m, side == LIST_HEAD ? 0 : m->count - 1);
}

static void set(struct value *list, struct model *m, enum size_mix mix, const struct type_limits *limits) {
	if (m->count == 0) return;
	size_t at = (size_t)random_below(m->count);
	struct slice element = any_element(mix);
	assert_true(list_set(list, at, element, limits));
	model_remove(m, at);
	model_insert(m, at, element);
}

static void insert(struct value *list, struct model *m, enum size_mix mix, const struct type_limits *limits) {
	if (m->count == MODEL_MAX) return;
	size_t at = (size_t)random_below(m->count + 1);
	struct slice element = any_element(mix);
	assert_true(list_insert(list, at, element, limits));
	model_insert(m, at, element);
}

static void remove_equal(struct value *list, struct model *m, enum size_mix mix, const struct type_limits *limits) {
	struct slice element = own(m->count && random_below(2) ? m->items[random_below(m->count)] : any_element(mix));
	enum list_side from = random_below(2) ? LIST_HEAD : LIST_TAIL;
	size_t most = random_below(3) ? 1 + (size_t)random_below(4) : SIZE_MAX;
	size_t expected = 0;
	for (size_t i = 0; i < m->count && expected < most;) {
		size_t at = from == LIST_HEAD ? i : m->count - 1 - i;
		if (slice_equal(m->items[at], element)) {
			model_remove(m, at);
			expected++;
		} else {
			i++;
		}
	}
	assert_int_equal(list_remove(list, element, from, most, limits), expected);
	mem_free((void *)element.ptr);
}

static void rotate(struct value *list, struct model *m) {
	if (m->count == 0) return;
	enum list_side from = random_below(2) ? LIST_HEAD : LIST_TAIL;
	list_rotate(list, from);
	size_t at = from == LIST_HEAD ? 0 : m->count - 1;
	struct slice moved = own(m->items[at]);
	model_remove(m, at);
	model_insert(m, from == LIST_HEAD ? m->count : 0, moved);
	mem_free((void *)moved.ptr);
}

enum { BOTH_FORMS = 1u << LIST_PACK | 1u << LIST_TREE };

static void random_run(int64_t max_listpack_size, enum size_mix mix, size_t most) {
	struct type_limits limits = type_limits_default;
	limits.list_max_listpack_size = max_listpack_size;
	static struct model m;
	m.count = 0;
	struct value list = list_ops.create();
	unsigned forms = 0;
	bool growing = true;
	/* Rarely, what removes all equal elements keeps a list under the largest limits for so long: some more steps, then. */
	unsigned steps = testing_rounds(3000);
	for (unsigned step = 0; step < steps || (forms != BOTH_FORMS && step < 20 * steps); step++) {
		switch (random_below(12)) {
		case 0: set(&list, &m, mix, &limits); break;
		case 1: insert(&list, &m, mix, &limits); break;
		case 2:
			if (random_below(8) == 0 || mix != SMALL) remove_equal(&list, &m, mix, &limits);
			break;
		case 3: rotate(&list, &m); break;
		default:
			if (growing || random_below(4) == 0)
				push(&list, &m, mix, &limits);
			else
				drop(&list, &m, random_below(20) ? 6 : m.count / 2, &limits);
		}
		forms |= 1u << list.encoding;
		if (m.count >= most) growing = false;
		if (m.count == 0) growing = true;
		if (step % 97 == 0) check_all(&list, &m);
	}
	check_all(&list, &m);
	assert_int_equal(forms, BOTH_FORMS);
	list_drop(&list, LIST_TAIL, SIZE_MAX, &limits);
	while (m.count > 0) model_remove(&m, 0);
	check_all(&list, &m);
	list_ops.release(&list);
}

static void test_random_work(void **state) {
	(void)state;
	testing_begin(1);
	static const int64_t settings[] = { -2, -1, -3, -5, -9, 0, 1, 3, 128, 100000 };
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		bool wide = settings[i] <= -3 || settings[i] == 100000;
		random_run(settings[i], SMALL, wide ? MODEL_MAX - 500 : 2500);
		random_run(settings[i], MIXED, 1500);
		random_run(settings[i], LARGE, 60);
	}
}

/* ---- Forms ---- */

static void push_one(struct value *list, enum list_side side, size_t len, const struct type_limits *limits) {
	char *text = mem_alloc(len + 1);
	memset(text, 'x', len);
	struct slice element = slice_of(text, len);
	assert_true(list_push(list, side, &element, 1, limits));
	mem_free(text);
}

/* By bytes: 10 characters take 12 bytes, the pack's head and end 7, and what comes counts without its entry's extra. */
static void test_form_by_bytes(void **state) {
	(void)state;
	static const struct {
		int64_t setting;
		size_t bytes;
	} cases[] = { { -1, 4096 }, { -2, 8192 }, { -3, 16384 }, { -4, 32768 }, { -5, 65536 }, { 1000000, 8192 } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct type_limits limits = type_limits_default;
		limits.list_max_listpack_size = cases[i].setting;
		struct value list = list_ops.create();
		while (7 + 12 * list_length(&list) + 10 <= cases[i].bytes) {
			assert_string_equal(list_ops.encoding_name(&list), "listpack");
			push_one(&list, LIST_TAIL, 10, &limits);
		}
		assert_string_equal(list_ops.encoding_name(&list), "listpack");
		push_one(&list, LIST_HEAD, 10, &limits);
		assert_string_equal(list_ops.encoding_name(&list), "quicklist");
		size_t back = cases[i].setting < 0 ? cases[i].bytes / 2 : cases[i].bytes;
		while (7 + 12 * list_length(&list) > back) {
			assert_string_equal(list_ops.encoding_name(&list), "quicklist");
			list_drop(&list, LIST_HEAD, 1, &limits);
		}
		assert_string_equal(list_ops.encoding_name(&list), "listpack");
		assert_null(list_ops.check(&list));
		list_ops.release(&list);
	}
}

static void test_form_by_count(void **state) {
	(void)state;
	for (int64_t setting = 0; setting < 10; setting++) {
		struct type_limits limits = type_limits_default;
		limits.list_max_listpack_size = setting;
		size_t most = setting ? (size_t)setting : 1;
		struct value list = list_ops.create();
		for (size_t i = 0; i < most; i++) push_one(&list, LIST_TAIL, 3, &limits);
		assert_int_equal(list.encoding, LIST_PACK);
		push_one(&list, LIST_TAIL, 3, &limits);
		assert_int_equal(list.encoding, LIST_TREE);
		while (list_length(&list) > most / 2) {
			assert_int_equal(list.encoding, LIST_TREE);
			list_drop(&list, LIST_TAIL, 1, &limits);
		}
		assert_int_equal(list.encoding, most / 2 ? LIST_PACK : list.encoding);
		list_ops.release(&list);
	}
}

/* LSET of a large element makes a tree, of a small one in its place a pack again. */
static void test_form_by_set(void **state) {
	(void)state;
	struct value list = list_ops.create();
	for (int i = 0; i < 3; i++) push_one(&list, LIST_TAIL, 3, &type_limits_default);
	char *large = mem_alloc(9000);
	memset(large, 'y', 9000);
	assert_true(list_set(&list, 1, slice_of(large, 9000), &type_limits_default));
	assert_int_equal(list.encoding, LIST_TREE);
	assert_int_equal(list_at(&list, 1).text.len, 9000);
	assert_true(list_set(&list, 1, SLICE_LITERAL("z"), &type_limits_default));
	assert_int_equal(list.encoding, LIST_PACK);
	assert_int_equal(list_length(&list), 3);
	mem_free(large);
	list_ops.release(&list);
}

/* ---- Removing whole packs and large elements, one after the other ---- */

static void test_remove_neighbours(void **state) {
	(void)state;
	static const size_t sizes[] = { 2, 100, 2000, 5000 };
	for (size_t i = 0; i < 4; i++) {
		for (enum list_side from = LIST_HEAD; from <= LIST_TAIL; from++) {
			char *text = mem_alloc(sizes[i]);
			memset(text, 'x', sizes[i]);
			struct slice equal = slice_of(text, sizes[i]);
			struct value list = list_ops.create();
			size_t count = 30000 / sizes[i];
			assert_true(list_push(&list, LIST_TAIL, &SLICE_LITERAL("first"), 1, &type_limits_default));
			for (size_t j = 0; j < count; j++) push_one(&list, LIST_TAIL, sizes[i], &type_limits_default);
			assert_true(list_push(&list, LIST_TAIL, &SLICE_LITERAL("last"), 1, &type_limits_default));
			assert_int_equal(list.encoding, LIST_TREE);
			assert_int_equal(list_remove(&list, equal, from, count - 1, &type_limits_default), count - 1);
			assert_null(list_ops.check(&list));
			assert_int_equal(list_length(&list), 3);
			assert_true(slice_equal(list_at(&list, 1).text, equal));
			assert_int_equal(list_remove(&list, equal, from, SIZE_MAX, &type_limits_default), 1);
			assert_int_equal(list_length(&list), 2);
			assert_null(list_ops.check(&list));
			list_ops.release(&list);
			mem_free(text);
		}
	}
}

/* ---- Memory ---- */

static void fill(struct value *list, enum list_side side, size_t count) {
	for (size_t i = 0; i < count; i++) push_one(list, side, 16, &type_limits_default);
}

static void test_memory(void **state) {
	(void)state;
	testing_begin(2);
	for (enum list_side side = LIST_HEAD; side <= LIST_TAIL; side++) {
		struct value list = list_ops.create();
		fill(&list, side, 100000);
		double each = (double)list_ops.memory(&list) / 100000;
		print_message("%.3f bytes per element of 16\n", each);
		assert_true(each < 18.2);
		/* A queue: what comes goes, and packs stay full. */
		for (int i = 0; i < 200000; i++) {
			push_one(&list, side, 16, &type_limits_default);
			list_drop(&list, side == LIST_HEAD ? LIST_TAIL : LIST_HEAD, 1, &type_limits_default);
		}
		assert_true((double)list_ops.memory(&list) / 100000 < 18.3);
		assert_null(list_ops.check(&list));
		list_ops.release(&list);
	}
	/* What is left of many packs goes together. */
	struct value list = list_ops.create();
	for (int i = 0; i < 100000; i++) {
		char text[8];
		struct slice element =
			slice_of(text, (size_t)snprintf(text, sizeof(text), "%s", i % 50 ? "gone" : "stays"));
		assert_true(list_push(&list, LIST_TAIL, &element, 1, &type_limits_default));
	}
	size_t before = list_ops.memory(&list);
	assert_int_equal(list_remove(&list, SLICE_LITERAL("gone"), LIST_HEAD, SIZE_MAX, &type_limits_default), 98000);
	assert_int_equal(list_length(&list), 2000);
	assert_null(list_ops.check(&list));
	assert_true(list_ops.memory(&list) < before / 15);
	list_ops.release(&list);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_work),
		cmocka_unit_test(test_form_by_bytes),
		cmocka_unit_test(test_form_by_count),
		cmocka_unit_test(test_form_by_set),
		cmocka_unit_test(test_remove_neighbours),
		cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
