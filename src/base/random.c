#include "base/random.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>

/* xoshiro256** of D. Blackman and S. Vigna ("Scrambled linear pseudorandom number generators", 2018), its state filled
 * by their splitmix64. One per thread. */
static _Thread_local uint64_t state[4];
static _Thread_local bool seeded;

static uint64_t splitmix(uint64_t *x) {
	uint64_t z = (*x += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

void random_seed_thread(uint64_t seed) {
	for (int i = 0; i < 4; i++) state[i] = splitmix(&seed);
	seeded = true;
}

static uint64_t rotate(uint64_t x, int bits) {
	return (x << bits) | (x >> (64 - bits));
}

uint64_t random_u64(void) {
	if (!seeded) {
		uint64_t seed;
		random_secure(&seed, sizeof(seed));
		random_seed_thread(seed);
	}
	uint64_t result = rotate(state[1] * 5, 7) * 9;
	uint64_t t = state[1] << 17;
	state[2] ^= state[0];
	state[3] ^= state[1];
	state[1] ^= state[2];
	state[0] ^= state[3];
	state[2] ^= t;
	state[3] = rotate(state[3], 45);
	return result;
}

/* Lemire's multiplication ("Fast random integer generation in an interval", 2019), with its rejection step. */
uint64_t random_below(uint64_t bound) {
	unsigned __int128 product = (unsigned __int128)random_u64() * bound;
	if ((uint64_t)product < bound) {
		uint64_t threshold = -bound % bound;
		while ((uint64_t)product < threshold) product = (unsigned __int128)random_u64() * bound;
	}
	return (uint64_t)(product >> 64);
}

double random_unit(void) {
	return (double)(random_u64() >> 11) * 0x1p-53;
}

void random_secure(void *out, size_t len) {
	char *at = out;
	while (len > 0) {
		ssize_t got = getrandom(at, len, 0);
		if (got < 0 && errno != EINTR) abort();
		if (got > 0) {
			at += got;
			len -= (size_t)got;
		}
	}
}

void random_hex(char *out, size_t bytes) {
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < bytes; i++) {
		unsigned char byte;
		random_secure(&byte, 1);
		out[2 * i] = digits[byte >> 4];
		out[2 * i + 1] = digits[byte & 15];
	}
	out[2 * bytes] = '\0';
}
