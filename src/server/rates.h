/* rates: what happens per second, for the instantaneous_* figures.
 *
 * Worker 0 takes a sample of the workers' counters every 100 ms; anybody may read the means at any time, so every
 * access is a relaxed one. All zero is a valid start. */
#ifndef TARN_SERVER_RATES_H
#define TARN_SERVER_RATES_H

#include <stddef.h>
#include <stdint.h>

#include "store/gate.h"

struct server;

enum rate { RATE_COMMANDS, RATE_NET_IN, RATE_NET_OUT, RATE_TURNS, RATE_COUNT };

enum { RATES_SAMPLES = 16 };

struct rates {
	/* Private. Worker 0's alone. */
	int64_t _last_us; /* monotonic; 0: never */
	uint64_t _last[RATE_COUNT];
	uint64_t _last_busy_ns[GATE_MAX_MEMBERS];
	unsigned _at;
	/* Read by others. */
	uint64_t _per_second[RATE_COUNT][RATES_SAMPLES];
	uint32_t _busy_permyriad[GATE_MAX_MEMBERS][RATES_SAMPLES]; /* of the time between two samples */
	uint64_t _startup_bytes;
};

/* Takes a sample. Worker 0, about every 100 ms; the first one before any client is served. */
void rates_sample(struct server *s);

/* Mean of the last samples, per second. */
uint64_t rates_per_second(const struct rates *r, enum rate rate);

/* Share of the time that worker `index` spent on something else than sleeping, in percent of one core. */
double rates_busy_percent(const struct rates *r, unsigned index);

/* Bytes that were allocated when the server began to serve. */
uint64_t rates_startup_bytes(const struct rates *r);

#endif
