/* sample: samples are of the wanted size, hold nothing twice, and every subset is as likely as any other (chi-square). */
#include "../testing.h"

#include "base/alloc.h"
#include "types/sample.h"

static void test_indices_are_different_and_ascend(void **state) {
	(void)state;
	testing_begin(1);
	for (unsigned round = 0; round < testing_rounds(300); round++) {
		size_t count = 1 + random_below(round % 3 ? 40 : 5000);
		size_t wanted = random_below(count + 1);
		if (round % 4 == 0) wanted /= 10;
		size_t *indices = mem_alloc((wanted + 1) * sizeof(*indices));
		indices[wanted] = 12345;
		sample_indices(count, wanted, indices);
		for (size_t i = 0; i < wanted; i++) {
			assert_true(indices[i] < count);
			if (i > 0) assert_true(indices[i - 1] < indices[i]);
		}
		assert_int_equal(indices[wanted], 12345);
		mem_free(indices);
	}
}

/* How far `seen` is from even, in terms of chi-square: about `cells` - 1 with a deviation of its root times 1.41. */
static double chi_square(const unsigned *seen, unsigned cells, double expected) {
	double sum = 0;
	for (unsigned i = 0; i < cells; i++) sum += (seen[i] - expected) * (seen[i] - expected) / expected;
	return sum;
}

/* All 20 subsets of 3 out of 6, from a walk and from indices; those of 2 out of 40, which are drawn. */
static void test_subsets_are_equally_likely(void **state) {
	enum { ROUNDS = 40000, FEW = 1 << 6, MANY = 40 };
	(void)state;
	testing_begin(2);
	unsigned by_walk[FEW] = { 0 }, by_index[FEW] = { 0 };
	static unsigned drawn[MANY * MANY];
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t indices[3], at = 0;
		unsigned walked = 0, indexed = 0;
		struct sample sample = { .left = 6, .wanted = 3 };
		for (unsigned i = 0; i < 6; i++) walked |= (unsigned)sample_take(&sample) << i;
		assert_int_equal(sample.wanted, 0);
		by_walk[walked]++;
		sample_indices(6, 3, indices);
		for (at = 0; at < 3; at++) indexed |= 1u << indices[at];
		by_index[indexed]++;
		sample_indices(MANY, 2, indices);
		drawn[indices[0] * MANY + indices[1]]++;
	}
	unsigned walks[20], indexes[20], pairs[MANY * (MANY - 1) / 2], n = 0;
	for (unsigned set = 0; set < FEW; set++) {
		if (__builtin_popcount(set) != 3) {
			assert_int_equal(by_walk[set] + by_index[set], 0);
			continue;
		}
		walks[n] = by_walk[set];
		indexes[n++] = by_index[set];
	}
	assert_int_equal(n, 20);
	/* 19 degrees of freedom: above 55 once in 20,000. */
	assert_true(chi_square(walks, 20, ROUNDS / 20.0) < 60);
	assert_true(chi_square(indexes, 20, ROUNDS / 20.0) < 60);
	n = 0;
	for (unsigned a = 0; a < MANY; a++)
		for (unsigned b = a + 1; b < MANY; b++) pairs[n++] = drawn[a * MANY + b];
	/* 779 degrees of freedom: a deviation of 39. */
	assert_true(chi_square(pairs, n, (double)ROUNDS / n) < 780 + 5 * 39);
}

static void test_nothing_and_all(void **state) {
	(void)state;
	testing_begin(3);
	size_t indices[100];
	sample_indices(0, 0, indices);
	sample_indices(100, 0, indices);
	sample_indices(100, 100, indices);
	for (size_t i = 0; i < 100; i++) assert_int_equal(indices[i], i);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_indices_are_different_and_ascend),
		cmocka_unit_test(test_subsets_are_equally_likely),
		cmocka_unit_test(test_nothing_and_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
