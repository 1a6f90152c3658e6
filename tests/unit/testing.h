/* What the tests of the core share: cmocka with what it needs, and a seed.
 *
 * Random tests draw from random_* of base/random.h. The seed is printed; TARN_SEED=n replays it. Tests are quick;
 * TARN_ROUNDS=n makes the random ones n times as long. */
#ifndef TARN_TESTS_UNIT_TESTING_H
#define TARN_TESTS_UNIT_TESTING_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"

/* Of this run; drawn and printed by the first call. */
static inline uint64_t testing_seed(void) {
	static uint64_t seed;
	if (seed) return seed;
	const char *given = getenv("TARN_SEED");
	if (given) seed = strtoull(given, NULL, 0);
	while (seed == 0) random_secure(&seed, sizeof(seed));
	printf("TARN_SEED=%" PRIu64 "\n", seed);
	fflush(stdout);
	return seed;
}

/* Sets the random numbers of this thread and the key hash; `salt` tells tests (and threads) of a run apart. */
static inline void testing_begin(uint64_t salt) {
	hash_init(testing_seed());
	random_seed_thread(testing_seed() + salt);
}

static inline unsigned testing_rounds(unsigned quick) {
	const char *given = getenv("TARN_ROUNDS");
	unsigned long factor = given ? strtoul(given, NULL, 10) : 1;
	return quick * (unsigned)(factor ? factor : 1);
}

#endif
