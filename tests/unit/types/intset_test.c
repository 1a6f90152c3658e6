/* intset: random changes beside a sorted array, the bytes of the format, what is refused, reading at any address. */
#include "../testing.h"

#include "base/alloc.h"
#include "types/intset.h"

enum { MODEL_MAX = 2000 };

struct model {
	int64_t numbers[MODEL_MAX];
	size_t count;
};

/* The first index whose number is not below `value`. */
static size_t model_position(const struct model *m, int64_t value) {
	size_t i = 0;
	while (i < m->count && m->numbers[i] < value) i++;
	return i;
}

static bool model_has(const struct model *m, int64_t value) {
	size_t i = model_position(m, value);
	return i < m->count && m->numbers[i] == value;
}

static void model_insert(struct model *m, int64_t value) {
	size_t i = model_position(m, value);
	memmove(m->numbers + i + 1, m->numbers + i, (m->count - i) * sizeof(value));
	m->numbers[i] = value;
	m->count++;
}

static void model_delete(struct model *m, size_t i) {
	m->count--;
	memmove(m->numbers + i, m->numbers + i + 1, (m->count - i) * sizeof(m->numbers[0]));
}

static int64_t any_number(unsigned bits) {
	int64_t value = (int64_t)random_u64() >> (64 - bits);
	switch (random_below(40)) {
	case 0: return bits < 64 ? value : INT64_MIN;
	case 1: return bits < 64 ? value : INT64_MAX;
	case 2: return INT16_MAX;
	case 3: return INT16_MIN;
	case 4: return bits >= 32 ? INT32_MIN : value;
	case 5: return bits >= 32 ? INT32_MAX : value;
	default: return value;
	}
}

static void compare(const struct intset *set, const struct model *m) {
	assert_int_equal(intset_count(set), m->count);
	for (size_t i = 0; i < m->count; i++) assert_int_equal(intset_at(set, i), m->numbers[i]);
	assert_true(intset_validate(set, intset_bytes(set)));
	assert_int_equal(intset_memory(set), mem_size_class(intset_bytes(set)));
}

static void remove_some(struct intset **set, struct model *m) {
	size_t indices[50], count = 0;
	for (size_t i = random_below(20); i < m->count && count < 50; i += 1 + random_below(30)) indices[count++] = i;
	intset_remove_at(set, indices, count);
	while (count > 0) model_delete(m, indices[--count]);
}

static void test_model(void **state) {
	(void)state;
	testing_begin(1);
	static struct model m;
	for (unsigned round = 0; round < testing_rounds(30); round++) {
		struct intset *set = intset_new();
		m.count = 0;
		/* Up to 64 bits, but some sets stay narrow. */
		unsigned bits = round % 3 == 0 ? 10 : round % 3 == 1 ? 30 : 64;
		for (unsigned step = 0; step < 1500; step++) {
			int64_t value = any_number(step < 300 ? 10 : bits);
			assert_int_equal(intset_has(set, value), model_has(&m, value));
			if (random_below(3)) {
				bool is_new = !model_has(&m, value);
				assert_int_equal(intset_add(&set, value), is_new);
				if (is_new) model_insert(&m, value);
			} else {
				if (m.count && random_below(2)) value = m.numbers[random_below(m.count)];
				bool there = model_has(&m, value);
				assert_int_equal(intset_remove(&set, value), there);
				if (there) model_delete(&m, model_position(&m, value));
			}
			if (random_below(200) == 0) remove_some(&set, &m);
			if (step % 50 == 0) compare(set, &m);
		}
		compare(set, &m);
		intset_free(set);
	}
}

static void test_seek(void **state) {
	(void)state;
	testing_begin(2);
	static struct model m;
	for (unsigned round = 0; round < testing_rounds(60); round++) {
		struct intset *set = intset_new();
		m.count = 0;
		unsigned bits = 8 + (unsigned)random_below(57), count = (unsigned)random_below(300);
		for (unsigned i = 0; i < count; i++) {
			int64_t value = any_number(bits);
			if (intset_add(&set, value)) model_insert(&m, value);
		}
		for (unsigned i = 0; i < 200; i++) {
			int64_t value = any_number(bits);
			size_t from = random_below(m.count + 1), expected = model_position(&m, value);
			assert_int_equal(intset_seek(set, from, value), expected > from ? expected : from);
		}
		intset_free(set);
	}
}

static void test_bytes(void **state) {
	(void)state;
	struct intset *set = intset_new();
	assert_memory_equal(intset_raw(set).ptr, "\2\0\0\0\0\0\0\0", 8);
	intset_add(&set, 300);
	intset_add(&set, 2);
	intset_add(&set, 1);
	assert_int_equal(intset_bytes(set), 14);
	assert_memory_equal(intset_raw(set).ptr, "\2\0\0\0\3\0\0\0\1\0\2\0\x2c\1", 14);
	intset_add(&set, -70000);
	assert_int_equal(intset_bytes(set), 8 + 4 * 4);
	assert_memory_equal(intset_raw(set).ptr, "\4\0\0\0\4\0\0\0\x90\xee\xfe\xff\1\0\0\0\2\0\0\0\x2c\1\0\0", 24);
	intset_add(&set, INT64_MAX);
	assert_int_equal(intset_bytes(set), 8 + 5 * 8);
	/* Narrow numbers do not make it narrow again. */
	assert_true(intset_remove(&set, INT64_MAX));
	assert_int_equal(intset_bytes(set), 8 + 4 * 8);
	intset_free(set);
}

static void test_any_address(void **state) {
	(void)state;
	struct intset *set = intset_new();
	for (int64_t i = -50; i < 50; i++) intset_add(&set, i * 1000000007);
	struct slice raw = intset_raw(set);
	char *space = mem_alloc(raw.len + 8);
	for (size_t shift = 0; shift < 8; shift++) {
		memcpy(space + shift, raw.ptr, raw.len);
		const struct intset *there = (const struct intset *)(const void *)(space + shift);
		assert_true(intset_validate(there, raw.len));
		assert_int_equal(intset_count(there), 100);
		for (int64_t i = -50; i < 50; i++) {
			assert_true(intset_has(there, i * 1000000007));
			assert_int_equal(intset_at(there, (size_t)(i + 50)), i * 1000000007);
		}
		struct intset *copy = intset_copy(there);
		assert_memory_equal(copy, raw.ptr, raw.len);
		intset_free(copy);
	}
	mem_free(space);
	intset_free(set);
}

static void test_refused(void **state) {
	(void)state;
	assert_true(intset_validate("\2\0\0\0\0\0\0\0", 8));
	assert_true(intset_validate("\2\0\0\0\1\0\0\0\5\0", 10));
	assert_false(intset_validate("\2\0\0\0\0\0\0", 7));
	assert_false(intset_validate("\2\0\0\0\1\0\0\0\5", 9));
	assert_false(intset_validate("\2\0\0\0\1\0\0\0\5\0\0", 11));
	assert_false(intset_validate("\3\0\0\0\0\0\0\0", 8));
	assert_false(intset_validate("\2\0\1\0\0\0\0\0", 8));
	assert_false(intset_validate("\0\0\0\0\0\0\0\0", 8));
	assert_false(intset_validate("\2\0\0\0\xff\xff\xff\xff\0\0", 10));
	assert_false(intset_validate("\2\0\0\0\2\0\0\0\5\0\5\0", 12)); /* twice the same */
	assert_false(intset_validate("\2\0\0\0\2\0\0\0\6\0\5\0", 12)); /* not in order */
	assert_true(intset_validate("\2\0\0\0\2\0\0\0\xff\xff\5\0", 12));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_seek),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_any_address),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
