#include "server/stats.h"

#include <stdio.h>

#include "base/lock.h"

/* Redis stops telling codes apart beyond this many too: a client that makes up codes (through scripts) must not fill the
 * memory. */
enum { MAX_CODES = 128, CODE_BYTES = 32, STEPS_LOG2 = 2 };

unsigned latency_bucket(uint64_t ns) {
	if (ns < 4) return (unsigned)ns;
	unsigned top = 63u - (unsigned)__builtin_clzll(ns);
	unsigned bucket = (top - 1) * 4 + (unsigned)(ns >> (top - STEPS_LOG2) & 3);
	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

uint64_t latency_bucket_ns(unsigned bucket) {
	if (bucket < 4) return bucket;
	unsigned top = bucket / 4 + 1;
	return ((uint64_t)(4 + bucket % 4 + 1) << (top - STEPS_LOG2)) - 1;
}

uint64_t latency_percentile(const uint64_t counts[static LATENCY_BUCKETS], double fraction) {
	uint64_t total = 0, seen = 0;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) total += counts[i];
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		seen += counts[i];
		if (seen > 0 && (double)seen >= fraction * (double)total) return latency_bucket_ns(i);
	}
	return 0;
}

/* Under `codes_lock`, kept in order. */
static struct lock codes_lock;
static struct {
	char code[CODE_BYTES];
	uint64_t count;
} codes[MAX_CODES];
static unsigned code_count;

void error_stats_count(const char *code) {
	char cut[CODE_BYTES]; /* cut before it is looked up, or a long one would be new each time */
	snprintf(cut, sizeof(cut), "%s", code);
	lock_take(&codes_lock, LOCK_RANK_SERVER, 0);
	unsigned at = 0;
	int order = 1;
	while (at < code_count && (order = strcmp(codes[at].code, cut)) < 0) at++;
	if (at < code_count && order == 0) {
		codes[at].count++;
	} else if (code_count < MAX_CODES) {
		memmove(codes + at + 1, codes + at, (code_count - at) * sizeof(codes[0]));
		memcpy(codes[at].code, cut, sizeof(cut));
		codes[at].count = 1;
		code_count++;
	}
	lock_drop(&codes_lock, LOCK_RANK_SERVER, 0);
}

void error_stats_reset(void) {
	lock_take(&codes_lock, LOCK_RANK_SERVER, 0);
	code_count = 0;
	lock_drop(&codes_lock, LOCK_RANK_SERVER, 0);
}

void error_stats_each(error_stats_fn *visit, void *context) {
	lock_take(&codes_lock, LOCK_RANK_SERVER, 0);
	for (unsigned i = 0; i < code_count; i++) visit(context, codes[i].code, codes[i].count);
	lock_drop(&codes_lock, LOCK_RANK_SERVER, 0);
}
