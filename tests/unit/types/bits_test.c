/* Bits: every call against a model that looks at one bit at a time, with random strings, ranges and types. Includes the .c to
 * reach both ways of counting. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "types/bits.c"

#include "base/random.h"

enum { MAX_LEN = 200 };

/* Mostly runs of equal bytes, so that searches go far. */
static size_t random_bytes(unsigned char *out, size_t max) {
	size_t len = random_below(max + 1);
	unsigned char fill = (unsigned char)(random_below(3) ? (random_below(2) ? 0 : 0xff) : random_u64());

	for (size_t i = 0; i < len; i++) out[i] = random_below(20) ? fill : (unsigned char)random_u64();
	return len;
}

static void test_single_bits(void **state) {
	unsigned char bytes[2] = { 0x80, 0x01 };

	(void)state;
	assert_true(bits_get(bytes, 0));
	assert_false(bits_get(bytes, 1));
	assert_true(bits_get(bytes, 15));
	bits_set(bytes, 7, true);
	assert_int_equal(bytes[0], 0x81);
	bits_set(bytes, 0, false);
	assert_int_equal(bytes[0], 0x01);
	assert_int_equal(bytes[1], 0x01);
}

static void test_count(void **state) {
	(void)state;
	assert_int_equal(bits_count(NULL, 0), 0);
	assert_int_equal(bits_count("foobar", 6), 26);
	for (int i = 0; i < 5000; i++) {
		unsigned char bytes[MAX_LEN + 8];
		size_t shift = random_below(8), len = random_bytes(bytes + shift, MAX_LEN);
		const unsigned char *p = bytes + shift;
		uint64_t want = 0;

		for (uint64_t bit = 0; bit < len * 8; bit++) want += bits_get(p, bit);
		assert_int_equal(bits_count(p, len), want);
		assert_int_equal(count_portable(p, len), want);
		if (len == 0) continue;
		uint64_t first = random_below(len * 8), last = first + random_below(len * 8 - first);
		want = 0;
		for (uint64_t bit = first; bit <= last; bit++) want += bits_get(p, bit);
		assert_int_equal(bits_count_range(p, first, last), want);
	}
}

static void test_find(void **state) {
	(void)state;
	for (int i = 0; i < 20000; i++) {
		unsigned char bytes[MAX_LEN];
		size_t len = random_bytes(bytes, MAX_LEN);
		bool value = random_below(2);

		if (len == 0) continue;
		uint64_t first = random_below(len * 8), last = first + random_below(len * 8 - first);
		int64_t want = -1;
		for (uint64_t bit = first; bit <= last && want < 0; bit++) {
			if (bits_get(bytes, bit) == value) want = (int64_t)bit;
		}
		assert_int_equal(bits_find(bytes, value, first, last), want);
	}
}

static bool bit_or_zero(struct slice s, uint64_t bit) {
	return bit < s.len * 8 && bits_get(s.ptr, bit);
}

static bool model_combine(enum bits_operation op, const struct slice *sources, size_t count, uint64_t bit) {
	bool first = bit_or_zero(sources[0], bit);
	size_t rest = 0;

	for (size_t i = 1; i < count; i++) rest += bit_or_zero(sources[i], bit);
	switch (op) {
	case BITS_AND: return first + rest == count;
	case BITS_OR: return first || rest;
	case BITS_XOR: return (first + rest) % 2;
	case BITS_NOT: return !first;
	case BITS_DIFF: return first && !rest;
	case BITS_DIFF1: return !first && rest;
	case BITS_ANDOR: return first && rest;
	case BITS_ONE: return first + rest == 1;
	}
	return false;
}

static void check_combine(size_t max_len, int rounds) {
	enum { SOURCES = 5 };
	unsigned char *memory[SOURCES], *out = malloc(max_len + 1);
	struct slice sources[SOURCES];

	for (size_t i = 0; i < SOURCES; i++) memory[i] = malloc(max_len + 1);
	for (int round = 0; round < rounds; round++) {
		enum bits_operation op = (enum bits_operation)random_below(BITS_ONE + 1);
		size_t count = op == BITS_NOT ? 1 : 1 + random_below(SOURCES), longest = 0;

		for (size_t i = 0; i < count; i++) {
			sources[i] = slice_of(memory[i], random_bytes(memory[i], max_len));
			if (sources[i].len == 0) sources[i].ptr = NULL;
			if (sources[i].len > longest) longest = sources[i].len;
		}
		memset(out, 0x5a, max_len + 1);
		bits_combine(op, out, longest, sources, count);
		for (uint64_t bit = 0; bit < longest * 8; bit++) {
			assert_int_equal(bits_get(out, bit), model_combine(op, sources, count, bit));
		}
		assert_int_equal(out[longest], 0x5a);
	}
	for (size_t i = 0; i < SOURCES; i++) free(memory[i]);
	free(out);
}

static void test_combine(void **state) {
	(void)state;
	check_combine(MAX_LEN, 2000);
	/* Longer than a piece of work, with ends on both sides of its border. */
	check_combine(PIECE * 2 + 100, 20);
}

static struct bits_type random_type(void) {
	bool is_signed = random_below(2);

	return (struct bits_type){ is_signed, (uint8_t)(1 + random_below(is_signed ? 64 : 63)) };
}

static void test_read_write(void **state) {
	(void)state;
	for (int i = 0; i < 50000; i++) {
		unsigned char bytes[40], before[40];
		size_t len = 16 + random_below(24);
		struct bits_type type = random_type();
		uint64_t offset = random_below(len * 8 + 20);

		for (size_t k = 0; k < len; k++) bytes[k] = (unsigned char)random_u64();
		/* The bits in front are copies of the sign. */
		uint64_t want = type.is_signed && bit_or_zero(slice_of(bytes, len), offset) ? UINT64_MAX : 0;
		for (unsigned k = 0; k < type.width; k++)
			want = want << 1 | bit_or_zero(slice_of(bytes, len), offset + k);
		assert_true(bits_read(bytes, len, offset, type) == (int64_t)want);

		offset = random_below(len * 8 - type.width + 1);
		memcpy(before, bytes, len);
		int64_t value = (int64_t)random_u64();
		bits_write(bytes, offset, type, value);
		for (uint64_t bit = 0; bit < len * 8; bit++) {
			bool inside = bit >= offset && bit < offset + type.width;
			bool want_bit = inside ? (uint64_t)value >> (type.width - 1 - (bit - offset)) & 1
					       : bits_get(before, bit);
			assert_int_equal(bits_get(bytes, bit), want_bit);
		}
	}
}

static void check_add(
	struct bits_type type, int64_t value, int64_t by, enum bits_overflow overflow, bool ok, int64_t want) {
	int64_t result = 4711;

	assert_int_equal(bits_add(type, value, by, overflow, &result), ok);
	assert_true(result == (ok ? want : 4711));
}

static void test_overflow(void **state) {
	const struct bits_type u8 = { false, 8 }, i8 = { true, 8 }, i64 = { true, 64 }, u63 = { false, 63 };
	int64_t result;

	(void)state;
	check_add(u8, 255, 1, BITS_WRAP, true, 0);
	check_add(u8, 255, 1, BITS_SATURATE, true, 255);
	check_add(u8, 255, 1, BITS_FAIL, false, 0);
	check_add(u8, 0, -1, BITS_WRAP, true, 255);
	check_add(u8, 5, -9, BITS_SATURATE, true, 0);
	check_add(u8, 0, INT64_MIN, BITS_FAIL, false, 0);
	check_add(i8, 127, 1, BITS_WRAP, true, -128);
	check_add(i8, -128, -1, BITS_WRAP, true, 127);
	check_add(i8, -128, -1, BITS_SATURATE, true, -128);
	check_add(i64, INT64_MAX, INT64_MAX, BITS_WRAP, true, -2);
	check_add(i64, INT64_MAX, INT64_MAX, BITS_SATURATE, true, INT64_MAX);
	check_add(i64, INT64_MIN, -1, BITS_FAIL, false, 0);
	check_add(u63, INT64_MAX, INT64_MAX, BITS_WRAP, true, INT64_MAX - 1);

	assert_true(bits_fit(u8, 256, BITS_WRAP, &result) && result == 0);
	/* Unsigned, -1 is huge: it saturates at the top. */
	assert_true(bits_fit(u8, -1, BITS_SATURATE, &result) && result == 255);
	assert_true(bits_fit(u8, -1, BITS_WRAP, &result) && result == 255);
	assert_false(bits_fit(u8, -1, BITS_FAIL, &result));
	assert_true(bits_fit(i8, -129, BITS_WRAP, &result) && result == 127);
	assert_true(bits_fit(i8, 128, BITS_SATURATE, &result) && result == 127);
	assert_true(bits_fit(i64, INT64_MIN, BITS_FAIL, &result) && result == INT64_MIN);
}

/* Whatever is stored fits its type and reads back as it was answered. */
static void test_random_overflow(void **state) {
	(void)state;
	for (int i = 0; i < 50000; i++) {
		struct bits_type type = random_type();
		unsigned char bytes[16] = { 0 };
		int64_t value = 0, sum = 0, by = (int64_t)(random_u64() >> random_below(64));
		enum bits_overflow overflow = (enum bits_overflow)random_below(BITS_FAIL);

		if (random_below(2)) by = -by;
		assert_true(bits_fit(type, (int64_t)random_u64(), overflow, &value));
		assert_true(bits_add(type, value, by, overflow, &sum));
		bits_write(bytes, 3, type, sum);
		assert_true(bits_read(bytes, sizeof(bytes), 3, type) == sum);
		int64_t plain;
		if (bits_add(type, value, by, BITS_FAIL, &plain)) assert_true(plain == sum && sum == value + by);
	}
}

int main(void) {
	const char *given = getenv("TARN_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : random_u64();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single_bits),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_combine),
		cmocka_unit_test(test_read_write),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_random_overflow),
	};

	printf("TARN_TEST_SEED=%" PRIu64 "\n", seed);
	random_seed_thread(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
