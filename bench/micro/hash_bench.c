/* What hashing a key costs: XXH3-64 with a secret, SipHash-1-3 and SipHash-2-4, at the lengths that keys have.
 *
 *   cc -std=gnu17 -O3 -o /tmp/hash_bench bench/micro/hash_bench.c && taskset -c 1 /tmp/hash_bench
 *
 * Two figures per length, medians of several rounds: throughput (independent keys, as in a batch: the hashes of several
 * keys overlap) and latency (each key depends on the hash before, as when a single command waits for its hash).
 * Time is the process's CPU time, so that what else runs on the machine counts little.
 * SipHash is written from the paper (Aumasson, Bernstein: "SipHash: a fast short-input PRF") and checked against the test
 * vector in its appendix A. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEYS = 4096, ROUNDS = 15, PASSES = 400, LONGEST = 64 };

static unsigned char keys[KEYS][LONGEST];
static unsigned char secret[192];
static uint64_t sip_key[2] = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u };

static inline uint64_t rotate(uint64_t x, unsigned by) {
	return x << by | x >> (64 - by);
}

static inline void sip_round(uint64_t v[4]) {
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static inline __attribute__((always_inline)) uint64_t sip(
	const unsigned char *bytes, size_t len, unsigned c, unsigned d) {
	uint64_t v[4] = { sip_key[0] ^ 0x736f6d6570736575u, sip_key[1] ^ 0x646f72616e646f6du,
		sip_key[0] ^ 0x6c7967656e657261u, sip_key[1] ^ 0x7465646279746573u };
	size_t words = len / 8;
	for (size_t i = 0; i < words; i++) {
		uint64_t word;
		memcpy(&word, bytes + i * 8, 8);
		v[3] ^= word;
		for (unsigned r = 0; r < c; r++) sip_round(v);
		v[0] ^= word;
	}
	uint64_t last = (uint64_t)len << 56;
	for (size_t i = 0; i < len % 8; i++) last |= (uint64_t)bytes[words * 8 + i] << (8 * i);
	v[3] ^= last;
	for (unsigned r = 0; r < c; r++) sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (unsigned r = 0; r < d; r++) sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Functions of their own, as a server would have them: the length is not known when they are compiled. */
__attribute__((noinline)) static uint64_t sip13(const unsigned char *bytes, size_t len) {
	return sip(bytes, len, 1, 3);
}

__attribute__((noinline)) static uint64_t sip24(const unsigned char *bytes, size_t len) {
	return sip(bytes, len, 2, 4);
}

__attribute__((noinline)) static uint64_t xxh3(const unsigned char *bytes, size_t len) {
	return XXH3_64bits_withSecret(bytes, len, secret, sizeof(secret));
}

static double now_ns(void) {
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static volatile uint64_t sink;

typedef uint64_t hash_fn(const unsigned char *bytes, size_t len);

static double measure(hash_fn *hash, size_t len, int dependent) {
	double times[ROUNDS];
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t sum = 0;
		double start = now_ns();
		for (int pass = 0; pass < PASSES; pass++)
			for (unsigned i = 0; i < KEYS; i++)
				sum = dependent ? hash(keys[(i + (sum & 1)) % KEYS], len) : sum + hash(keys[i], len);
		times[round] = (now_ns() - start) / ((double)PASSES * KEYS);
		sink = sum;
	}
	qsort(times, ROUNDS, sizeof(times[0]), by_value);
	return times[ROUNDS / 2];
}

int main(void) {
	unsigned char vector[15];
	for (unsigned i = 0; i < sizeof(vector); i++) vector[i] = (unsigned char)i;
	if (sip24(vector, sizeof(vector)) != 0xa129ca6149be45e5u) {
		fputs("SipHash-2-4 does not give the paper's test vector\n", stderr);
		return 1;
	}
	srandom(1);
	for (size_t i = 0; i < sizeof(secret); i++) secret[i] = (unsigned char)random();
	for (unsigned i = 0; i < KEYS; i++)
		for (unsigned k = 0; k < LONGEST; k++) keys[i][k] = (unsigned char)random();
	static const struct {
		const char *name;
		hash_fn *hash;
	} hashes[] = { { "XXH3 secret", xxh3 }, { "SipHash-1-3", sip13 }, { "SipHash-2-4", sip24 } };
	static const size_t lengths[] = { 8, 16, 32, 64 };
	printf("ns per key: throughput (latency)\n%-14s", "bytes");
	for (unsigned k = 0; k < 4; k++) printf("%16zu", lengths[k]);
	for (unsigned h = 0; h < 3; h++) {
		printf("\n%-14s", hashes[h].name);
		for (unsigned k = 0; k < 4; k++)
			printf("%8.2f (%5.2f)", measure(hashes[h].hash, lengths[k], 0),
				measure(hashes[h].hash, lengths[k], 1));
	}
	putchar('\n');
	return 0;
}
