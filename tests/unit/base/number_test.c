/* Numbers: what is canonical, limits of every parser, and that what is printed reads back, also for random bits. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/number.h"
#include "base/random.h"

static void check_i64(const char *text, bool ok, int64_t want) {
	int64_t value = 4711;

	assert_int_equal(number_parse_i64(slice_of_cstr(text), &value), ok);
	assert_int_equal(value, ok ? want : 4711);
}

static void test_parse_i64(void **state) {
	(void)state;
	check_i64("0", true, 0);
	check_i64("7", true, 7);
	check_i64("-7", true, -7);
	check_i64("9223372036854775807", true, INT64_MAX);
	check_i64("-9223372036854775808", true, INT64_MIN);
	static const char *const bad[] = { "", "-", "+1", " 1", "1 ", "01", "-0", "-01", "00", "9223372036854775808",
		"-9223372036854775809", "99999999999999999999", "18446744073709551615", "1.0", "0x1", "1e3", "--1",
		"1-", "123456789012345678901234567890", "a", "12a", "/", ":" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) check_i64(bad[i], false, 0);
	int64_t value;
	assert_false(number_parse_i64(slice_of("1\0", 2), &value));
	assert_false(number_parse_i64(slice_of(NULL, 0), &value));
}

static void test_parse_u64(void **state) {
	uint64_t value = 1;

	(void)state;
	assert_true(number_parse_u64(slice_of_cstr("18446744073709551615"), &value));
	assert_true(value == UINT64_MAX);
	assert_false(number_parse_u64(slice_of_cstr("18446744073709551616"), &value));
	assert_false(number_parse_u64(slice_of_cstr("20000000000000000000"), &value));
	assert_false(number_parse_u64(slice_of_cstr("-1"), &value));
	assert_false(number_parse_u64(slice_of_cstr("00"), &value));
	assert_true(number_parse_u64(slice_of_cstr("0"), &value));
	assert_true(value == 0);
}

static void test_integers_there_and_back(void **state) {
	enum { NEAR_POWERS = 3 * 20 };
	uint64_t power = 1;
	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint64_t bits = random_u64() >> random_below(64);
		/* First where the number of digits changes. */
		if (i < NEAR_POWERS) bits = power + (uint64_t)(i % 3) - 1;
		if (i < NEAR_POWERS && i % 3 == 2) power *= 10;
		char ours[NUMBER_I64_MAX_CHARS + 1], plain[32];
		int64_t back_signed;
		uint64_t back;

		size_t len = number_format_u64(ours, bits);
		snprintf(plain, sizeof(plain), "%" PRIu64, bits);
		assert_string_equal(ours, plain);
		assert_int_equal(len, strlen(plain));
		assert_true(number_parse_u64(slice_of(ours, len), &back) && back == bits);

		int64_t value = (int64_t)(random_below(2) ? bits : 0 - bits);
		len = number_format_i64(ours, value);
		snprintf(plain, sizeof(plain), "%" PRId64, value);
		assert_string_equal(ours, plain);
		assert_int_equal(len, strlen(plain));
		assert_true(number_parse_i64(slice_of(ours, len), &back_signed) && back_signed == value);
	}
}

static void check_double(const char *text, bool ok, double want) {
	double value = 4711;

	assert_int_equal(number_parse_double(slice_of_cstr(text), &value), ok);
	assert_true(value == (ok ? want : 4711));
}

static void test_parse_double(void **state) {
	(void)state;
	check_double("3.0e3", true, 3000);
	check_double("5.", true, 5);
	check_double(".5", true, 0.5);
	check_double("+5", true, 5);
	check_double("-0", true, 0);
	check_double("0x10", true, 16);
	check_double("inf", true, INFINITY);
	check_double("-Infinity", true, -INFINITY);
	check_double("+inf", true, INFINITY);
	check_double("4.9e-324", true, 4.9e-324);
	static const char *const bad[] = { "", " 1", "1 ", "\t1", "nan", "-nan", "nan(1)", "1e400", "-1e400", "1e-400",
		"1_0", "1e", "abc", "1,5", "--1" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) check_double(bad[i], false, 0);
	double value;
	assert_false(number_parse_double(slice_of("1\0", 2), &value));

	/* Longer than any buffer on the stack. */
	size_t len = 3 * (size_t)NUMBER_HUMAN_MAX_CHARS;
	char *zeros = malloc(len);
	memset(zeros, '0', len);
	zeros[len - 1] = '7';
	assert_true(number_parse_double(slice_of(zeros, len), &value));
	assert_true(value == 7);
	long double wide;
	assert_true(number_parse_long_double(slice_of(zeros + len - 5119, 5119), &wide));
	assert_false(number_parse_long_double(slice_of(zeros + len - 5120, 5120), &wide));
	free(zeros);
}

static void test_parse_long_double(void **state) {
	long double value;

	(void)state;
	assert_true(number_parse_long_double(slice_of_cstr("1e4931"), &value));
	assert_true(value == 1e4931L);
	assert_true(number_parse_long_double(slice_of_cstr("-inf"), &value));
	assert_true(isinf(value));
	static const char *const bad[] = { "", " 1", "1 ", "nan", "1e5000", "1e-5000" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(number_parse_long_double(slice_of_cstr(bad[i]), &value));
	}
}

static void test_format_double_known(void **state) {
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{ 0.0, "0" },
		{ -0.0, "-0" },
		{ 3.0, "3" },
		{ -3.0, "-3" },
		{ 0.1, "0.1" },
		{ 0.5, "0.5" },
		{ 3.141, "3.141" },
		{ 0.30000000000000004, "0.30000000000000004" },
		{ 123456789.123, "123456789.123" },
		{ 1e17, "100000000000000000" },
		{ 0x1p62, "4611686018427387904" },
		{ 1e19, "1e+19" },
		{ 1e20, "1e+20" },
		{ 1e21, "1e+21" },
		{ 123456789012345680000.0, "123456789012345680000" },
		{ 0.0001, "0.0001" },
		{ 0.000001, "0.000001" },
		{ 1e-7, "1e-7" },
		{ 1.1e-7, "1.1e-7" },
		{ -1.5e-10, "-1.5e-10" },
		{ DBL_MAX, "1.7976931348623157e+308" },
		{ DBL_MIN, "2.2250738585072014e-308" },
		{ 5e-324, "5e-324" },
		{ 1700000000.5, "1700000000.5" },
		{ INFINITY, "inf" },
		{ -INFINITY, "-inf" },
		{ NAN, "nan" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[NUMBER_DOUBLE_MAX_CHARS];
		assert_int_equal(number_format_double(text, cases[i].value), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
	}
}

static int significant_digits(const char *text) {
	int count = 0, trailing = 0;

	for (; *text && *text != 'e'; text++) {
		if (*text < '0' || *text > '9' || (count == 0 && *text == '0')) continue;
		count++;
		trailing = *text == '0' ? trailing + 1 : 0;
	}
	return count - trailing;
}

/* The fewest digits for which the nearest decimal reads back. */
static int fewest_digits(double value) {
	char text[64];

	for (int precision = 1;; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision - 1, value);
		if (strtod(text, NULL) == value) return significant_digits(text);
	}
}

static double random_double(void) {
	uint64_t bits = random_u64();
	double value;

	switch (random_below(4)) {
	case 0: memcpy(&value, &bits, sizeof(value)); return value;
	case 1: return (double)(int64_t)(bits >> random_below(64)) / (double)(1 + random_below(100000));
	case 2: return (double)random_below(1000000) / 1000;
	default:
		bits >>= 12 + random_below(50);
		memcpy(&value, &bits, sizeof(value));
		return value;
	}
}

static void test_format_double_shortest(void **state) {
	(void)state;
	for (int i = 0; i < 50000; i++) {
		double value = random_double(), back;
		char text[NUMBER_DOUBLE_MAX_CHARS];

		if (isnan(value) || isinf(value)) continue;
		size_t len = number_format_double(text, value);
		assert_true(len < sizeof(text) && text[len] == '\0');
		assert_true(number_parse_double(slice_of(text, len), &back));
		assert_true(back == value);
		if (fabs(value) > 0x1p62 || value != trunc(value)) {
			assert_int_equal(significant_digits(text), fewest_digits(fabs(value)));
		}
	}
}

static void check_human(long double value, const char *want) {
	char text[NUMBER_HUMAN_MAX_CHARS];

	assert_int_equal(number_format_human(text, value), strlen(want));
	assert_string_equal(text, want);
}

static void test_format_human(void **state) {
	(void)state;
	check_human(0.1L + 0.2L, "0.3");
	check_human(3000.0L, "3000");
	check_human(-0.0L, "0");
	check_human(-1e-20L, "0");
	check_human(1e-17L, "0.00000000000000001");
	check_human(100.0L, "100");
	check_human(-12.5L, "-12.5");
	check_human(1e20L, "100000000000000000000");
	char text[NUMBER_HUMAN_MAX_CHARS];
	size_t len = number_format_human(text, -LDBL_MAX);
	assert_int_equal(len, 4934);
	assert_memory_equal(text, "-118973149535723176502", 22);
}

static void test_parse_memory(void **state) {
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "100", 100 },
		{ "007", 7 },
		{ "10b", 10 },
		{ "1k", 1000 },
		{ "1K", 1000 },
		{ "1kb", 1024 },
		{ "2M", 2000000 },
		{ "5mb", 5 << 20 },
		{ "1g", 1000000000 },
		{ "1GB", 1 << 30 },
		{ "18446744073709551615", UINT64_MAX },
		{ "17179869183gb", 17179869183u * (uint64_t)(1 << 30) },
	};
	static const char *const bad[] = { "", "kb", "-1", "1.5gb", " 1m", "1 m", "1m ", "1t", "0x10", "+1",
		"18446744073709551616", "17179869184gb", "1kbb" };
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(number_parse_memory(slice_of_cstr(good[i].text), &bytes));
		assert_true(bytes == good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(number_parse_memory(slice_of_cstr(bad[i]), &bytes));
	}
}

int main(void) {
	const char *given = getenv("TARN_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : random_u64();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_i64),
		cmocka_unit_test(test_parse_u64),
		cmocka_unit_test(test_integers_there_and_back),
		cmocka_unit_test(test_parse_double),
		cmocka_unit_test(test_parse_long_double),
		cmocka_unit_test(test_format_double_known),
		cmocka_unit_test(test_format_double_shortest),
		cmocka_unit_test(test_format_human),
		cmocka_unit_test(test_parse_memory),
	};

	printf("TARN_TEST_SEED=%" PRIu64 "\n", seed);
	random_seed_thread(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
