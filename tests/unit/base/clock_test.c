/* Clocks: units, that time does not go back, and the cycle counter against the monotonic clock. */
#include "../testing.h"

#include <time.h>

#include "base/clock.h"

static void test_units(void **state) {
	(void)state;
	int64_t before = (int64_t)time(NULL) - 1; /* time() may lag by a tick */
	int64_t us = clock_wall_us(), ms = clock_wall_ms();
	int64_t after = (int64_t)time(NULL) + 1;
	assert_in_range(us / 1000000, before, after);
	assert_in_range(ms / 1000, before, after);
	int64_t mono_us = clock_monotonic_us(), mono_ms = clock_monotonic_ms();
	assert_true(mono_ms >= mono_us / 1000);
	assert_true(mono_ms <= clock_monotonic_us() / 1000);
}

static void test_monotonic(void **state) {
	int64_t last = clock_monotonic_us();
	uint64_t last_ticks = clock_ticks();
	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		int64_t now = clock_monotonic_us();
		uint64_t ticks = clock_ticks();
		assert_true(now >= last);
		assert_true(ticks >= last_ticks);
		last = now;
		last_ticks = ticks;
	}
}

/* The ticks' span lies within one span of the monotonic clock and around another, so that whatever interrupts us, the two
 * bound it. Off by at most a hundredth. */
static void check_ticks(void) {
	int64_t outer = clock_monotonic_us();
	uint64_t ticks = clock_ticks();
	int64_t inner = clock_monotonic_us();
	while (clock_monotonic_us() < inner + 5000) continue;
	inner = clock_monotonic_us() - inner;
	ticks = clock_ticks() - ticks;
	outer = clock_monotonic_us() - outer;
	double us = (double)clock_ticks_to_ns(ticks) / 1000;
	if (us < (double)inner * 0.99 - 2 || us > (double)outer * 1.01 + 2)
		fail_msg("%.1f us by ticks, between %" PRId64 " and %" PRId64 " by the clock", us, inner, outer);
}

static void test_ticks(void **state) {
	(void)state;
	check_ticks(); /* before clock_init it is the monotonic clock */
	clock_init();
	check_ticks();
	clock_init();
	check_ticks();
	assert_int_equal(clock_ticks_to_ns(0), 0);
	/* A year of ticks does not overflow. */
	uint64_t year = (uint64_t)3000000000 * 86400 * 365;
	assert_true(clock_ticks_to_ns(year) > clock_ticks_to_ns(year / 2));
	assert_in_range(clock_ticks_to_ns(year) / 2 - clock_ticks_to_ns(year / 2) + 2, 0, 4);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_monotonic),
		cmocka_unit_test(test_ticks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
