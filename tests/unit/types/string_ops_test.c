/* LCS against a model that keeps the full table of counts. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/random.h"
#include "types/string_ops.h"

enum { MAX_LEN = 150 };

static unsigned counts[MAX_LEN + 1][MAX_LEN + 1];

static void model_fill(struct slice a, struct slice b) {
	for (size_t i = 1; i <= a.len; i++) {
		for (size_t j = 1; j <= b.len; j++) {
			unsigned up = counts[i - 1][j], left = counts[i][j - 1];
			counts[i][j] = a.ptr[i - 1] == b.ptr[j - 1] ? counts[i - 1][j - 1] + 1 : up > left ? up : left;
		}
	}
}

/* The pairs of positions that the way back through the full table takes, from the end. */
static size_t model_walk(struct slice a, struct slice b, size_t pairs[][2]) {
	size_t i = a.len, j = b.len, count = 0;

	while (i && j) {
		if (a.ptr[i - 1] == b.ptr[j - 1]) {
			pairs[count][0] = --i;
			pairs[count++][1] = --j;
		} else if (counts[i - 1][j] > counts[i][j - 1]) {
			i--;
		} else {
			j--;
		}
	}
	return count;
}

static void check_against_model(struct slice a, struct slice b) {
	static size_t pairs[MAX_LEN][2];
	struct lcs lcs;
	size_t len, at = 0;

	model_fill(a, b);
	size_t count = model_walk(a, b, pairs);
	assert_int_equal(count, counts[a.len][b.len]);
	assert_true(lcs_length(a, b, &len));
	assert_int_equal(len, count);
	assert_true(lcs_find(a, b, &lcs));
	assert_int_equal(lcs.len, count);
	for (size_t i = 0; i < lcs.run_count; i++) {
		const struct lcs_run *run = &lcs.runs[i];
		assert_true(run->len > 0);
		/* Runs are as long as can be: the next one does not continue this one. */
		if (i > 0) assert_false(run->a + run->len == run[-1].a && run->b + run->len == run[-1].b);
		for (size_t k = run->len; k-- > 0; at++) {
			assert_int_equal(pairs[at][0], run->a + k);
			assert_int_equal(pairs[at][1], run->b + k);
		}
	}
	assert_int_equal(at, count);
	lcs_release(&lcs);
}

static void test_by_hand(void **state) {
	struct lcs lcs;

	(void)state;
	assert_true(lcs_find(SLICE_LITERAL("ohmytext"), SLICE_LITERAL("mynewtext"), &lcs));
	assert_int_equal(lcs.len, 6);
	assert_int_equal(lcs.run_count, 2);
	assert_int_equal(lcs.runs[0].a, 4);
	assert_int_equal(lcs.runs[0].b, 5);
	assert_int_equal(lcs.runs[0].len, 4);
	assert_int_equal(lcs.runs[1].a, 2);
	assert_int_equal(lcs.runs[1].b, 0);
	assert_int_equal(lcs.runs[1].len, 2);
	lcs_release(&lcs);
	check_against_model(slice_of(NULL, 0), SLICE_LITERAL("abc"));
	check_against_model(SLICE_LITERAL("abc"), slice_of(NULL, 0));
	check_against_model(SLICE_LITERAL("abc"), SLICE_LITERAL("abc"));
	check_against_model(SLICE_LITERAL("abc"), SLICE_LITERAL("xyz"));
}

static void test_random(void **state) {
	char a[MAX_LEN], b[MAX_LEN];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		size_t alphabet = 2 + random_below(6), a_len = random_below(MAX_LEN + 1),
		       b_len = random_below(MAX_LEN + 1);

		for (size_t k = 0; k < a_len; k++) a[k] = (char)random_below(alphabet);
		for (size_t k = 0; k < b_len; k++) b[k] = (char)random_below(alphabet);
		check_against_model(slice_of(a, a_len), slice_of(b, b_len));
	}
}

static void test_table_bytes(void **state) {
	(void)state;
	assert_true(lcs_table_bytes(SLICE_LITERAL("abc"), SLICE_LITERAL("de")) == 48);
	assert_true(lcs_table_bytes(slice_of("", (size_t)1 << 40), slice_of("", (size_t)1 << 40)) == UINT64_MAX);
}

int main(void) {
	const char *given = getenv("TARN_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : random_u64();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_table_bytes),
	};

	printf("TARN_TEST_SEED=%" PRIu64 "\n", seed);
	random_seed_thread(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
