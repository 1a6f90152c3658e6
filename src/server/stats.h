/* stats: figures that INFO, LATENCY and CONFIG RESETSTAT work with.
 *
 * Each worker counts for itself; readers add up. Written by the owner, read by anyone at any time, hence relaxed accesses
 * (STAT_ADD and STAT_READ of store.h). */
#ifndef TARN_SERVER_STATS_H
#define TARN_SERVER_STATS_H

#include "store/store.h"

/* Durations in powers of two with 4 steps each, from 1 ns up: 25 % wide at worst. */
enum { LATENCY_BUCKETS = 160 };

struct command_stats {
	uint64_t calls;
	uint64_t ns;       /* total run time */
	uint64_t rejected; /* refused before they ran */
	uint64_t failed;   /* ran and answered an error */
	uint32_t latency[LATENCY_BUCKETS];
};

struct worker_stats {
	uint64_t commands;
	uint64_t connections;
	uint64_t rejected_connections;
	uint64_t net_in, net_out; /* bytes */
	uint64_t error_replies;
	uint64_t reads, writes;   /* system calls on client sockets */
	uint64_t turns;           /* of the worker's loop, each of which ends in the poller */
	uint64_t busy_ns;         /* time spent on something else than sleeping */
	uint64_t longest_turn_ns; /* between two sleeps: what a client may have waited for the others at worst */
	uint64_t query_buffer_closes, output_buffer_closes;
	struct store_stats store;
};

/* The bucket of a duration, and the upper end of a bucket in ns. */
unsigned latency_bucket(uint64_t ns);
uint64_t latency_bucket_ns(unsigned bucket);

/* The duration below which `fraction` (0..1) of the counted ones lie, in ns. */
uint64_t latency_percentile(const uint64_t counts[static LATENCY_BUCKETS], double fraction);

/* Error replies by their code ("ERR", "WRONGTYPE"), over all workers. Any thread. */
void error_stats_count(const char *code);
void error_stats_reset(void);
typedef void error_stats_fn(void *context, const char *code, uint64_t count);
void error_stats_each(error_stats_fn *visit, void *context); /* ordered by code */

#endif
