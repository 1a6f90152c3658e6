/* Figures: latency buckets and percentiles, and the table of error codes. */
#include "../testing.h"

#include <string.h>

#include "server/stats.h"

/* Each duration lies in the bucket whose end is the first that is not below it. */
static void check_bucket(uint64_t ns) {
	unsigned bucket = latency_bucket(ns);
	assert_true(bucket < LATENCY_BUCKETS);
	if (bucket == LATENCY_BUCKETS - 1) return;
	if (ns > latency_bucket_ns(bucket) || (bucket > 0 && ns <= latency_bucket_ns(bucket - 1)))
		fail_msg("%" PRIu64 " ns is in bucket %u, which ends at %" PRIu64, ns, bucket,
			latency_bucket_ns(bucket));
}

static void test_buckets(void **state) {
	(void)state;
	testing_begin(1);
	for (uint64_t ns = 0; ns < 20000; ns++) check_bucket(ns);
	for (unsigned i = 0; i < 20000; i++) check_bucket(random_u64() >> random_below(64));
	for (unsigned bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
		assert_int_equal(latency_bucket(latency_bucket_ns(bucket)), bucket);
		if (bucket == 0) continue;
		assert_true(latency_bucket_ns(bucket) > latency_bucket_ns(bucket - 1));
		assert_int_equal(latency_bucket(latency_bucket_ns(bucket - 1) + 1), bucket);
	}
	assert_int_equal(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
	/* The last bucket begins beyond half an hour, longer than any command. */
	assert_true(latency_bucket_ns(LATENCY_BUCKETS - 2) > UINT64_C(1800000000000));
}

static int compare_u64(const void *a, const void *b) {
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void test_percentiles(void **state) {
	enum { MAX = 1000 };
	static uint64_t durations[MAX];
	(void)state;
	testing_begin(2);
	for (unsigned round = testing_rounds(200); round > 0; round--) {
		uint64_t counts[LATENCY_BUCKETS] = { 0 };
		size_t count = 1 + random_below(MAX);
		for (size_t i = 0; i < count; i++) {
			durations[i] = random_below((uint64_t)1 << random_below(40));
			counts[latency_bucket(durations[i])]++;
		}
		qsort(durations, count, sizeof(durations[0]), compare_u64);
		static const double fractions[] = { 0.01, 0.5, 0.9, 0.99, 0.999, 1 };
		for (size_t f = 0; f < sizeof(fractions) / sizeof(fractions[0]); f++) {
			size_t rank = (size_t)(fractions[f] * (double)count);
			if ((double)rank < fractions[f] * (double)count) rank++;
			uint64_t want = latency_bucket_ns(latency_bucket(durations[rank - 1]));
			assert_int_equal(latency_percentile(counts, fractions[f]), want);
		}
	}
	uint64_t none[LATENCY_BUCKETS] = { 0 };
	assert_int_equal(latency_percentile(none, 0.5), 0);
	none[77] = 1;
	assert_int_equal(latency_percentile(none, 0), latency_bucket_ns(77));
}

struct codes {
	unsigned count;
	uint64_t sum;
	char last[64];
};

static void visit_code(void *context, const char *code, uint64_t count) {
	struct codes *c = context;
	assert_true(strcmp(c->last, code) < 0);
	snprintf(c->last, sizeof(c->last), "%s", code);
	c->count++;
	c->sum += count;
}

static void check_codes(unsigned count, uint64_t sum) {
	struct codes codes = { 0 };
	error_stats_each(visit_code, &codes);
	assert_int_equal(codes.count, count);
	assert_int_equal(codes.sum, sum);
}

static void test_errors(void **state) {
	static const char *const names[] = { "WRONGTYPE", "ERR", "NOAUTH", "ERRX", "A", "BUSY" };
	(void)state;
	testing_begin(3);
	error_stats_reset();
	check_codes(0, 0);
	for (unsigned i = 0; i < 600; i++) error_stats_count(names[i % 6]);
	check_codes(6, 600);
	error_stats_reset();
	check_codes(0, 0);
	/* A long one is cut, and is still one code. */
	for (unsigned i = 0; i < 300; i++)
		error_stats_count("A_CODE_THAT_IS_LONGER_THAN_ANY_THAT_WE_MAKE_UP_OURSELVES");
	error_stats_count("B");
	check_codes(2, 301);
	error_stats_reset();
	/* Made-up codes do not fill the memory, and known ones go on being counted. */
	char code[32];
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(code, sizeof(code), "CODE%05u", (unsigned)random_below(100000));
		error_stats_count(code);
	}
	struct codes codes = { 0 };
	error_stats_each(visit_code, &codes);
	assert_in_range(codes.count, 100, 200);
	for (unsigned i = 0; i < 10; i++) error_stats_count(codes.last);
	struct codes more = { 0 };
	error_stats_each(visit_code, &more);
	assert_int_equal(more.sum, codes.sum + 10);
	error_stats_reset();
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
