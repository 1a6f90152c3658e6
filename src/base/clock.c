#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

/* Set by clock_init before threads start, read-only after. ns = ticks * multiplier >> 20. */
static bool counter_usable;
static uint64_t ns_multiplier = 1u << 20;

enum { MULTIPLIER_SHIFT = 20 };

static int64_t read_us(clockid_t id) {
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall_us(void) {
	return read_us(CLOCK_REALTIME);
}

int64_t clock_wall_ms(void) {
	return clock_wall_us() / 1000;
}

int64_t clock_monotonic_us(void) {
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void) {
	return clock_monotonic_us() / 1000;
}

static uint64_t monotonic_ns(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#if defined(__x86_64__)

static bool counter_is_invariant(void) {
	unsigned a, b, c, d;
	return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8));
}

uint64_t clock_ticks(void) {
	return counter_usable ? __rdtsc() : monotonic_ns();
}

/* Both clocks at one instant: of several readings the one that took the fewest ticks, in case we were interrupted. */
static void read_both(uint64_t *ns, uint64_t *ticks) {
	uint64_t best = UINT64_MAX;
	for (int i = 0; i < 8; i++) {
		uint64_t before = __rdtsc(), now = monotonic_ns(), after = __rdtsc();
		if (after - before >= best) continue;
		best = after - before;
		*ns = now;
		*ticks = before + best / 2;
	}
}

void clock_init(void) {
	if (!counter_is_invariant()) return;
	/* Two milliseconds give the rate to better than a thousandth, which is more than a duration in a log needs. */
	uint64_t ns0 = 0, ticks0 = 0, ns1 = 0, ticks1 = 0;
	read_both(&ns0, &ticks0);
	while (monotonic_ns() < ns0 + 2000000) continue;
	read_both(&ns1, &ticks1);
	uint64_t ticks = ticks1 - ticks0;
	if (ticks == 0) return;
	ns_multiplier = (uint64_t)(((unsigned __int128)(ns1 - ns0) << MULTIPLIER_SHIFT) / ticks);
	counter_usable = ns_multiplier > 0;
	if (!counter_usable) ns_multiplier = 1u << MULTIPLIER_SHIFT;
}

#else

uint64_t clock_ticks(void) {
	return monotonic_ns();
}

void clock_init(void) {
}

#endif

uint64_t clock_ticks_to_ns(uint64_t ticks) {
	return (uint64_t)(((unsigned __int128)ticks * ns_multiplier) >> MULTIPLIER_SHIFT);
}
