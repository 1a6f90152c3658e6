/* HyperLogLog: every call against registers in a plain array; sparse bytes in strange but valid layouts; hostile bytes, in
 * allocations of exactly their size. That the same calls give the same bytes as Redis is shown by samples that were taken
 * from it. Includes the .c files to reach both ways of merging and the runs. */
#include "types/hll.c"
#include "types/hll_count.c"

#include "../testing.h"

#include "base/alloc.h"

/* ---- Helpers ---- */

static struct buffer hll_new(void) {
	struct buffer hll = { 0 };
	buffer_append_slice(&hll, hll_empty());
	return hll;
}

static void add_text(struct buffer *hll, const char *text) {
	hll_add(hll, slice_of_cstr(text), 3000);
}

/* Runs of random length that add up, as no sequence of additions would leave them. */
static struct buffer random_sparse(void) {
	struct buffer hll = hll_new();
	unsigned left = HLL_REGISTERS, kinds = 1 + (unsigned)random_below(30);
	uint8_t run[2];

	hll.len = HLL_HEADER_BYTES;
	while (left > 0) {
		bool is_val = random_below(kinds) != 0;
		unsigned most = is_val ? HLL_VAL_RUN_MAX : random_below(2) ? HLL_ZERO_RUN_MAX : 2000;
		unsigned count = 1 + (unsigned)random_below(most);
		if (count > left) count = left;
		unsigned value = is_val ? 1 + (unsigned)random_below(random_below(4) ? 3 : HLL_SPARSE_VALUE_MAX) : 0;
		buffer_append(&hll, run, put_run(run, value, count));
		left -= count;
	}
	return hll;
}

static struct hll_registers registers_of(const struct buffer *hll) {
	struct hll_registers registers;

	memset(&registers, 0, sizeof(registers));
	assert_true(hll_merge(&registers, buffer_slice(hll)));
	return registers;
}

static void check_same(const struct buffer *hll, const struct hll_registers *model) {
	struct hll_registers registers = registers_of(hll);
	assert_memory_equal(&registers, model, sizeof(registers));
}

/* The registers one by one: what hll_merge must give for dense bytes. */
static void check_dense(const struct buffer *hll, const struct hll_registers *model) {
	for (unsigned i = 0; i < HLL_REGISTERS; i++) {
		assert_int_equal(hll__dense_get((const uint8_t *)hll->data + HLL_HEADER_BYTES, i), model->value[i]);
	}
}

static uint64_t count_of(const struct buffer *hll) {
	uint64_t cardinality = 0;
	assert_true(hll_count(buffer_slice(hll), &cardinality));
	return cardinality;
}

/* ---- Samples ---- */

static void check_bytes(const struct buffer *hll, const char *bytes, size_t len) {
	assert_int_equal(hll->len, len);
	assert_memory_equal(hll->data, bytes, len);
}
#define CHECK_BYTES(hll, text) check_bytes(hll, text, sizeof(text) - 1)

static void test_samples(void **state) {
	struct buffer hll = hll_new();
	uint64_t cardinality = 1;

	(void)state;
	CHECK_BYTES(&hll, "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff");
	assert_int_equal(count_of(&hll), 0);
	add_text(&hll, "a");
	CHECK_BYTES(&hll, "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80q\xa6\x84NW");
	add_text(&hll, "b");
	add_text(&hll, "c");
	CHECK_BYTES(&hll, "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80`\xf3\x80P\xb1\x84K\xfb\x80"
			  "BZ");
	assert_int_equal(hll_add(&hll, slice_of_cstr("b"), 3000), HLL_SAME);
	assert_false(hll_cached(buffer_slice(&hll), &cardinality));
	assert_int_equal(count_of(&hll), 3);
	hll_cache(hll.data, 3);
	CHECK_BYTES(&hll, "HYLL\x01\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00`\xf3\x80P\xb1\x84K\xfb\x80"
			  "BZ");
	assert_true(hll_cached(buffer_slice(&hll), &cardinality));
	assert_int_equal(cardinality, 3);
	add_text(&hll, "d");
	assert_false(hll_cached(buffer_slice(&hll), &cardinality));
	buffer_release(&hll);
}

static void test_describe(void **state) {
	struct buffer hll = hll_new(), text = { 0 };

	(void)state;
	add_text(&hll, "a");
	add_text(&hll, "b");
	add_text(&hll, "c");
	hll_describe(buffer_slice(&hll), &text);
	buffer_append_char(&text, '\0');
	assert_string_equal(text.data, "Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603");
	buffer_release(&hll);
	buffer_release(&text);
}

/* All registers 1: the estimate is that of Redis. */
static void test_estimate_of_ones(void **state) {
	struct buffer hll = hll_new();

	(void)state;
	hll.len = HLL_HEADER_BYTES;
	for (unsigned i = 0; i < HLL_REGISTERS; i++) buffer_append_char(&hll, (char)0x80);
	assert_int_equal(count_of(&hll), 23637);
	assert_int_equal(hll_make_dense(&hll), HLL_CHANGED);
	assert_int_equal(count_of(&hll), 23637);
	buffer_release(&hll);
}

/* ---- Adding, against an array ---- */

static void add_and_compare(struct buffer *hll, struct hll_registers *model, size_t sparse_max) {
	char element[40];
	size_t len = random_below(sizeof(element) + 1);
	for (size_t i = 0; i < len; i++) element[i] = (char)random_u64();
	struct hll_place place = hll__place_of(slice_of(element, len));
	bool raises = model->value[place.index] < place.value;
	bool was_dense = hll_is_dense(buffer_slice(hll));
	if (was_dense) assert_int_equal(hll_would_add_dense(hll->data, slice_of(element, len)), raises);
	size_t len_before = hll->len;

	assert_int_equal(hll_add(hll, slice_of(element, len), sparse_max), raises ? HLL_CHANGED : HLL_SAME);
	if (raises) model->value[place.index] = (uint8_t)place.value;
	assert_true(hll_is(buffer_slice(hll)));
	if (!hll_is_dense(buffer_slice(hll))) {
		assert_false(was_dense);
		assert_true(hll->len <= sparse_max || hll->len <= len_before);
	}
}

static void test_add(void **state) {
	(void)state;
	testing_begin(1);
	for (unsigned round = 0; round < testing_rounds(40); round++) {
		struct buffer hll = random_below(2) ? hll_new() : random_sparse();
		struct hll_registers model = registers_of(&hll);
		size_t sparse_max = random_below(3) ? 3000 : random_below(20000);
		unsigned count = (unsigned)random_below(6000);

		for (unsigned i = 0; i < count; i++) {
			add_and_compare(&hll, &model, sparse_max);
			if (i % 97 == 0) check_same(&hll, &model);
		}
		check_same(&hll, &model);
		uint64_t counted = count_of(&hll);
		assert_int_equal(counted, hll_count_registers(&model));
		if (hll_make_dense(&hll) == HLL_CHANGED) assert_int_equal(count_of(&hll), counted);
		check_dense(&hll, &model);
		buffer_release(&hll);
	}
}

/* A sparse register cannot say more than 32. */
static void test_large_values_promote(void **state) {
	struct buffer hll = hll_new();
	struct walk w = walk_start;

	(void)state;
	assert_int_equal(raise_sparse(&hll, &w, (struct hll_place){ 77, 32 }, 3000), HLL_CHANGED);
	assert_false(hll_is_dense(buffer_slice(&hll)));
	assert_int_equal(raise_sparse(&hll, &w, (struct hll_place){ 78, 33 }, 3000), HLL_CHANGED);
	assert_true(hll_is_dense(buffer_slice(&hll)));
	struct hll_registers registers = registers_of(&hll);
	assert_int_equal(registers.value[77], 32);
	assert_int_equal(registers.value[78], 33);
	buffer_release(&hll);
}

/* The fast steps over runs must end where single steps end, with the same runs before. */
static void test_walk(void **state) {
	(void)state;
	testing_begin(2);
	for (unsigned round = 0; round < testing_rounds(50); round++) {
		struct buffer hll = random_sparse();
		const uint8_t *bytes = buffer_bytes(&hll);
		for (unsigned n = 0; n < 50; n++) {
			unsigned index = (unsigned)random_below(HLL_REGISTERS);
			struct walk w = walk_start, slow = walk_start;
			struct hll_run run, slow_run;
			assert_true(walk_to(&w, bytes, hll.len, index, &run));
			for (;;) {
				slow_run = hll__run_read(bytes + slow.at, hll.len - slow.at);
				if (slow.first + slow_run.count > index) break;
				slow = (struct walk){ slow.previous, slow.at, slow.at + slow_run.bytes,
					slow.first + slow_run.count };
			}
			assert_int_equal(w.before_previous, slow.before_previous);
			assert_int_equal(w.previous, slow.previous);
			assert_int_equal(w.at, slow.at);
			assert_int_equal(w.first, slow.first);
			assert_int_equal(run.value, slow_run.value);
			assert_int_equal(run.count, slow_run.count);
		}
		buffer_release(&hll);
	}
}

/* ---- Merging ---- */

static struct buffer random_hll(void) {
	struct buffer hll = random_below(2) ? hll_new() : random_sparse();
	unsigned count = (unsigned)random_below(random_below(2) ? 50 : 5000);

	for (unsigned i = 0; i < count; i++) {
		uint64_t element = random_below(10000);
		hll_add(&hll, slice_of(&element, sizeof(element)), 3000);
	}
	return hll;
}

/* Raising register by register from the start of the bytes: what hll_raise must give, byte for byte. */
static void raise_slowly(struct buffer *hll, const struct hll_registers *registers, size_t sparse_max) {
	for (unsigned i = 0; i < HLL_REGISTERS && !hll_is_dense(buffer_slice(hll)); i++) {
		struct walk w = walk_start;
		struct hll_place place = { i, registers->value[i] };
		if (place.value > 0) raise_sparse(hll, &w, place, sparse_max);
	}
	if (hll_is_dense(buffer_slice(hll))) assert_true(raise_all_dense(hll, registers));
	forget_cached(hll->data);
}

static void test_merge(void **state) {
	(void)state;
	testing_begin(3);
	for (unsigned round = 0; round < testing_rounds(60); round++) {
		struct buffer a = random_hll(), b = random_hll(), slow = { 0 };
		struct hll_registers in_a = registers_of(&a), in_b = registers_of(&b), both = in_b;
		size_t sparse_max = random_below(2) ? 3000 : random_below(20000);

		assert_true(hll_merge(&both, buffer_slice(&a)));
		for (unsigned i = 0; i < HLL_REGISTERS; i++) {
			assert_int_equal(both.value[i], in_a.value[i] > in_b.value[i] ? in_a.value[i] : in_b.value[i]);
		}
		buffer_append_slice(&slow, buffer_slice(&a));
		assert_true(hll_raise(&a, &both, false, sparse_max));
		check_same(&a, &both);
		raise_slowly(&slow, &both, sparse_max);
		check_bytes(&a, slow.data, slow.len);
		assert_true(hll_raise(&b, &both, true, sparse_max));
		assert_true(hll_is_dense(buffer_slice(&b)));
		check_same(&b, &both);
		assert_int_equal(count_of(&a), count_of(&b));
		buffer_release(&a);
		buffer_release(&b);
		buffer_release(&slow);
	}
}

static void test_vector_merge(void **state) {
	(void)state;
	testing_begin(4);
	for (unsigned round = 0; round < testing_rounds(50); round++) {
		struct hll_registers a, b, fast, plain;
		uint8_t dense[HLL_DENSE_BYTES - HLL_HEADER_BYTES];
		for (unsigned i = 0; i < HLL_REGISTERS; i++) {
			a.value[i] = (uint8_t)random_below(64);
			b.value[i] = (uint8_t)random_below(64);
		}
		hll__pack(&b, dense);
		fast = plain = a;
		/* An allocation of exactly that size: AddressSanitizer sees a load beyond it. */
		uint8_t *exact = mem_alloc(sizeof(dense));
		memcpy(exact, dense, sizeof(dense));
		merge_dense_portable(plain.value, exact, 0);
		merge_dense_portable(fast.value, exact, merge_dense_simd(fast.value, exact));
		mem_free(exact);
		assert_memory_equal(&fast, &plain, sizeof(fast));
		for (unsigned i = 0; i < HLL_REGISTERS; i++) {
			assert_int_equal(plain.value[i], a.value[i] > b.value[i] ? a.value[i] : b.value[i]);
		}
	}
	assert_false(hll_use_simd(false));
	struct hll_registers none;
	assert_int_equal(merge_dense_simd(none.value, NULL), 0);
	hll_use_simd(true);
}

/* ---- Hostile bytes ---- */

static void use_everything(struct slice bytes) {
	struct hll_registers registers = { 0 };
	struct buffer copy = { 0 }, text = { 0 };
	uint64_t cardinality;

	if (!hll_is(bytes)) return;
	bool counted = hll_count(bytes, &cardinality);
	assert_int_equal(hll_merge(&registers, bytes), counted);
	hll_cached(bytes, &cardinality);
	if (!hll_is_dense(bytes)) hll_describe(bytes, &text);
	for (unsigned i = 0; i < 20; i++) {
		uint64_t element = random_u64();
		copy.len = 0;
		buffer_append_slice(&copy, bytes);
		enum hll_result result = hll_add(&copy, slice_of(&element, sizeof(element)), 3000);
		if (counted) assert_int_not_equal(result, HLL_CORRUPT);
		assert_true(hll_is(buffer_slice(&copy)));
	}
	copy.len = 0;
	buffer_append_slice(&copy, bytes);
	assert_true(hll_raise(&copy, &registers, false, 3000) || !counted);
	copy.len = 0;
	buffer_append_slice(&copy, bytes);
	assert_int_equal(hll_make_dense(&copy) == HLL_CORRUPT, !counted);
	buffer_release(&copy);
	buffer_release(&text);
}

static void test_hostile(void **state) {
	(void)state;
	testing_begin(5);
	for (unsigned round = 0; round < testing_rounds(1500); round++) {
		struct buffer hll = random_below(2) ? random_hll() : random_sparse();
		size_t len = random_below(3) ? hll.len : random_below(hll.len + 1);
		char *exact = mem_alloc(len + 1);
		memcpy(exact + 1, hll.data, len);
		for (uint64_t n = random_below(5); n > 0 && len > 0; n--) {
			size_t at = random_below(2) && len > 16 ? 16 + random_below(len - 16) : random_below(len);
			exact[1 + at] = (char)random_u64();
		}
		/* At an odd address, as in an entry. */
		use_everything(slice_of(exact + 1, len));
		mem_free(exact);
		buffer_release(&hll);
	}
}

static void check_corrupt(const char *body, size_t len) {
	struct buffer hll = hll_new();
	uint64_t cardinality;

	hll.len = HLL_HEADER_BYTES;
	buffer_append(&hll, body, len);
	assert_true(hll_is(buffer_slice(&hll)));
	assert_false(hll_count(buffer_slice(&hll), &cardinality));
	assert_int_equal(hll_make_dense(&hll), HLL_CORRUPT);
	buffer_release(&hll);
}

static void test_corrupt(void **state) {
	char endless[2 * HLL_REGISTERS + 1];

	(void)state;
	check_corrupt("", 0);
	check_corrupt("\x7f", 1);         /* ends within an XZERO */
	check_corrupt("\x7f\xfe", 2);     /* a register too few */
	check_corrupt("\x7f\xff\x00", 3); /* one too many */
	check_corrupt("\x7f\xfe\x40", 3); /* ends within the last XZERO */
	struct buffer hll = hll_new();
	hll.len = HLL_HEADER_BYTES;
	for (size_t i = 0; i < sizeof(endless); i++) endless[i] = 0x40;
	buffer_append(&hll, endless, sizeof(endless));
	assert_int_equal(hll_add(&hll, slice_of_cstr("a"), 3000), HLL_CORRUPT);
	buffer_release(&hll);

	assert_false(hll_is(slice_of("HYLL\1\0\0\0\0\0\0\0\0\0\0", 15)));
	assert_false(hll_is(slice_of("hyll\1\0\0\0\0\0\0\0\0\0\0\0", 16)));
	assert_false(hll_is(slice_of("HYLL\2\0\0\0\0\0\0\0\0\0\0\0", 16)));
	assert_false(hll_is(slice_of("HYLL\0\0\0\0\0\0\0\0\0\0\0\0", 16)));
	assert_false(hll_is(slice_of(NULL, 0)));
}

static void test_selftest(void **state) {
	(void)state;
	testing_begin(6);
	const char *wrong = hll_selftest();
	if (wrong) fail_msg("%s", wrong);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_estimate_of_ones),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_large_values_promote),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_vector_merge),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_selftest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
