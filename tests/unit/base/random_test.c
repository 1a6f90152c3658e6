/* Random numbers: evenness, bounds, repeatability, threads. */
#include "../testing.h"

#include <pthread.h>
#include <string.h>

#include "base/random.h"

static void check_below(uint64_t bound) {
	enum { CELLS = 64, PER_CELL = 1000 };
	unsigned hits[CELLS] = { 0 };
	unsigned cells = bound < CELLS ? (unsigned)bound : CELLS;
	double chi = 0;
	for (unsigned i = 0; i < cells * PER_CELL; i++) {
		uint64_t n = random_below(bound);
		assert_true(n < bound);
		hits[(unsigned)((unsigned __int128)n * cells / bound)]++;
	}
	/* For bounds beside a multiple of the cells the sizes of cells differ by far less than chance does. */
	for (unsigned i = 0; i < cells; i++)
		chi += ((double)hits[i] - PER_CELL) * ((double)hits[i] - PER_CELL) / PER_CELL;
	if (cells > 1 && (chi - (cells - 1)) * (chi - (cells - 1)) > 64 * 2.0 * (cells - 1))
		fail_msg("chi-square is %.1f for a bound of %" PRIu64, chi, bound);
}

static void test_below(void **state) {
	static const uint64_t bounds[] = { 1, 2, 3, 10, 63, 64, 1u << 20, UINT64_MAX / 2 + 2, UINT64_MAX / 3 * 2,
		UINT64_MAX };
	(void)state;
	testing_begin(1);
	for (unsigned round = testing_rounds(1); round > 0; round--)
		for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) check_below(bounds[i]);
}

static void test_unit(void **state) {
	double sum = 0, squares = 0;
	enum { DRAWS = 100000 };
	(void)state;
	testing_begin(2);
	for (unsigned i = 0; i < DRAWS; i++) {
		double x = random_unit();
		assert_true(x >= 0 && x < 1);
		sum += x;
		squares += x * x;
	}
	assert_true(sum / DRAWS > 0.49 && sum / DRAWS < 0.51);
	assert_true(squares / DRAWS > 0.323 && squares / DRAWS < 0.343);
}

static void test_seed(void **state) {
	uint64_t first[10], second[10];
	(void)state;
	random_seed_thread(7);
	for (unsigned i = 0; i < 10; i++) first[i] = random_u64();
	random_seed_thread(7);
	for (unsigned i = 0; i < 10; i++) second[i] = random_u64();
	assert_memory_equal(first, second, sizeof(first));
	random_seed_thread(8);
	assert_true(random_u64() != first[0]);
	random_seed_thread(0);
	assert_true(random_u64() | random_u64());
}

static void *draw(void *out) {
	*(uint64_t *)out = random_u64();
	return NULL;
}

/* Nobody seeds these. */
static void test_threads_differ(void **state) {
	uint64_t numbers[4];
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, draw, &numbers[i]), 0);
		pthread_join(thread, NULL);
		for (unsigned j = 0; j < i; j++) assert_true(numbers[i] != numbers[j]);
	}
}

static void test_secure(void **state) {
	unsigned char a[1000] = { 0 }, b[1000] = { 0 };
	char hex[42], other[42];
	(void)state;
	random_secure(a, sizeof(a));
	random_secure(b, sizeof(b));
	random_secure(b, 0);
	assert_memory_not_equal(a, b, sizeof(a));
	memset(hex, 'x', sizeof(hex));
	random_hex(hex, 20);
	assert_int_equal(strlen(hex), 40);
	assert_int_equal(strspn(hex, "0123456789abcdef"), 40);
	assert_int_equal(hex[41], 'x');
	random_hex(other, 20);
	assert_string_not_equal(hex, other);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_below),
		cmocka_unit_test(test_unit),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_threads_differ),
		cmocka_unit_test(test_secure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
