#include "server/rates.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "server/server.h"

/* After CONFIG RESETSTAT a counter is behind its last reading; what it has now happened since. */
static uint64_t grown(uint64_t *last, uint64_t now) {
	uint64_t by = now >= *last ? now - *last : now;
	*last = now;
	return by;
}

static void remember_startup(struct rates *r) {
	struct mem_stats stats;
	mem_stats_read(&stats);
	STAT_SET(r->_startup_bytes, stats.allocated);
}

static void sample_busy(struct server *s, uint64_t span_us) {
	struct rates *r = &s->rates;
	for (unsigned i = 0; i < s->worker_count; i++) {
		uint64_t ns = grown(&r->_last_busy_ns[i], STAT_READ(s->workers[i].stats.busy_ns));
		uint64_t share = ns * 10 / span_us;
		STAT_SET(r->_busy_permyriad[i][r->_at], (uint32_t)(share < 10000 ? share : 10000));
	}
}

void rates_sample(struct server *s) {
	struct rates *r = &s->rates;
	int64_t now_us = clock_monotonic_us();
	if (r->_last_us == 0) remember_startup(r);
	if (now_us <= r->_last_us) return;
	uint64_t span_us = (uint64_t)(now_us - r->_last_us);
	bool first = r->_last_us == 0;
	r->_last_us = now_us;
	struct worker_stats sum;
	server_sum_stats(s, &sum);
	uint64_t counters[RATE_COUNT] = { sum.commands, sum.net_in, sum.net_out, sum.turns };
	for (unsigned i = 0; i < RATE_COUNT; i++) {
		uint64_t by = grown(&r->_last[i], counters[i]);
		if (!first) STAT_SET(r->_per_second[i][r->_at], by * 1000000 / span_us);
	}
	if (first) return;
	sample_busy(s, span_us);
	r->_at = (r->_at + 1) % RATES_SAMPLES;
}

uint64_t rates_per_second(const struct rates *r, enum rate rate) {
	uint64_t sum = 0;
	for (unsigned i = 0; i < RATES_SAMPLES; i++) sum += STAT_READ(r->_per_second[rate][i]);
	return sum / RATES_SAMPLES;
}

double rates_busy_percent(const struct rates *r, unsigned index) {
	uint64_t sum = 0;
	for (unsigned i = 0; i < RATES_SAMPLES; i++) sum += STAT_READ(r->_busy_permyriad[index][i]);
	return (double)sum / RATES_SAMPLES / 100.0;
}

uint64_t rates_startup_bytes(const struct rates *r) {
	return STAT_READ(r->_startup_bytes);
}
