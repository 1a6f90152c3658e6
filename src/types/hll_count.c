/* HyperLogLog: all registers at once, for merging and counting. The header is hll.h. */
#include <math.h>

#include "types/hll_private.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* ---- Dense bytes to registers and back ---- */

enum { GROUP = 8, GROUP_BYTES = GROUP * 6 / 8 };

/* Eight registers of six bits to eight bytes: halves, then quarters, then eighths are moved apart. */
static uint64_t spread(uint64_t x) {
	x = (x & 0x0000000000ffffffu) | (x & 0x0000ffffff000000u) << 8;
	x = (x & 0x00000fff00000fffu) | (x & 0x00fff00000fff000u) << 4;
	return (x & 0x003f003f003f003fu) | (x & 0x0fc00fc00fc00fc0u) << 2;
}

/* The way back; the two high bits of each byte are clear. */
static uint64_t gather(uint64_t x) {
	x = (x & 0x003f003f003f003fu) | (x & 0x3f003f003f003f00u) >> 2;
	x = (x & 0x00000fff00000fffu) | (x & 0x0fff00000fff0000u) >> 4;
	return (x & 0x0000000000ffffffu) | (x & 0x00ffffff00000000u) >> 8;
}

void hll__pack(const struct hll_registers *registers, uint8_t *dense) {
	uint64_t x;

	for (unsigned i = 0; i < HLL_REGISTERS; i += GROUP, dense += GROUP_BYTES) {
		memcpy(&x, registers->value + i, GROUP);
		x = gather(x);
		memcpy(dense, &x, GROUP_BYTES);
	}
}

static void merge_group(uint8_t *registers, const uint8_t *dense) {
	uint8_t theirs[GROUP];
	uint64_t x = 0;

	memcpy(&x, dense, GROUP_BYTES);
	x = spread(x);
	memcpy(theirs, &x, GROUP);
	for (unsigned i = 0; i < GROUP; i++) registers[i] = registers[i] > theirs[i] ? registers[i] : theirs[i];
}

static void merge_dense_portable(uint8_t *registers, const uint8_t *dense, unsigned from) {
	dense += from * 6 / 8;
	for (unsigned i = from; i < HLL_REGISTERS; i += GROUP, dense += GROUP_BYTES) merge_group(registers + i, dense);
}

static bool simd_wanted = true;

#if defined(__x86_64__)
enum { WIDE_GROUP = 32, WIDE_GROUP_BYTES = WIDE_GROUP * 6 / 8 };

/* 24 bytes to 32 registers: each three bytes, which have four registers, go to a lane of four. Loads reach four bytes beyond
 * the group, so the last one is left to the portable way. Returns how many registers are done. */
__attribute__((target("avx2"))) static unsigned merge_dense_avx2(uint8_t *registers, const uint8_t *dense) {
	const __m256i lanes = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1, /* low half */
		0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
	const __m256i first = _mm256_set1_epi32(0x3f);
	unsigned i = 0;

	for (; i < HLL_REGISTERS - WIDE_GROUP; i += WIDE_GROUP, dense += WIDE_GROUP_BYTES) {
		__m128i low = _mm_loadu_si128((const __m128i *)dense);
		__m128i high = _mm_loadu_si128((const __m128i *)(dense + WIDE_GROUP_BYTES / 2));
		__m256i x = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), lanes);
		__m256i a = _mm256_and_si256(x, first);
		__m256i b = _mm256_and_si256(_mm256_slli_epi32(x, 2), _mm256_slli_epi32(first, 8));
		__m256i c = _mm256_and_si256(_mm256_slli_epi32(x, 4), _mm256_slli_epi32(first, 16));
		__m256i d = _mm256_and_si256(_mm256_slli_epi32(x, 6), _mm256_slli_epi32(first, 24));
		__m256i theirs = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
		__m256i *ours = (__m256i *)(registers + i);
		_mm256_storeu_si256(ours, _mm256_max_epu8(_mm256_loadu_si256(ours), theirs));
	}
	return i;
}

static unsigned merge_dense_simd(uint8_t *registers, const uint8_t *dense) {
	return simd_wanted && __builtin_cpu_supports("avx2") ? merge_dense_avx2(registers, dense) : 0;
}

bool hll_use_simd(bool wanted) {
	simd_wanted = wanted;
	return wanted && __builtin_cpu_supports("avx2");
}
#else
static unsigned merge_dense_simd(uint8_t *registers, const uint8_t *dense) {
	(void)registers, (void)dense;
	return 0;
}

bool hll_use_simd(bool wanted) {
	simd_wanted = wanted;
	return false;
}
#endif

/* ---- Sparse runs to registers ---- */

static bool merge_sparse(uint8_t *registers, const uint8_t *bytes, size_t len) {
	unsigned first = 0;

	for (size_t at = HLL_HEADER_BYTES; at < len;) {
		struct hll_run run = hll__run_read(bytes + at, len - at);
		if (run.bytes == 0 || first + run.count > HLL_REGISTERS) return false;
		for (unsigned i = first; run.value && i < first + run.count; i++) {
			if (registers[i] < run.value) registers[i] = run.value;
		}
		first += run.count;
		at += run.bytes;
	}
	return first == HLL_REGISTERS;
}

bool hll_merge(struct hll_registers *registers, struct slice hll) {
	const uint8_t *bytes = (const uint8_t *)hll.ptr;

	if (!hll_is_dense(hll)) return merge_sparse(registers->value, bytes, hll.len);
	unsigned done = merge_dense_simd(registers->value, bytes + HLL_HEADER_BYTES);
	merge_dense_portable(registers->value, bytes + HLL_HEADER_BYTES, done);
	return true;
}

/* ---- Counting ---- */

/* How many registers have each value. */
struct histogram {
	uint32_t of[64];
};

/* Sums over four tables, so that equal neighbours, which are the rule, need not wait for each other's additions. */
static void histogram_of_registers(struct histogram *h, const struct hll_registers *registers) {
	struct histogram part[4];

	memset(part, 0, sizeof(part));
	for (unsigned i = 0; i < HLL_REGISTERS; i += GROUP) {
		uint64_t x;
		memcpy(&x, registers->value + i, GROUP);
		for (unsigned k = 0; k < GROUP; k++) part[k & 3].of[x >> (8 * k) & 63]++;
	}
	for (unsigned v = 0; v < 64; v++) h->of[v] = part[0].of[v] + part[1].of[v] + part[2].of[v] + part[3].of[v];
}

static bool histogram_of_sparse(struct histogram *h, const uint8_t *bytes, size_t len) {
	unsigned total = 0;

	memset(h, 0, sizeof(*h));
	for (size_t at = HLL_HEADER_BYTES; at < len;) {
		struct hll_run run = hll__run_read(bytes + at, len - at);
		total += run.count;
		if (run.bytes == 0 || total > HLL_REGISTERS) return false;
		h->of[run.value] += run.count;
		at += run.bytes;
	}
	return total == HLL_REGISTERS;
}

/* Ertl's two power series: the corrections for registers that are still 0, and for those that are full. */
static double sigma(double x) {
	double y = 1, sum = x, before;

	if (x == 1) return INFINITY;
	do {
		before = sum;
		x *= x;
		sum += x * y;
		y += y;
	} while (sum != before);
	return sum;
}

static double tau(double x) {
	double y = 1, sum = 1 - x, before;

	if (x == 0 || x == 1) return 0;
	do {
		before = sum;
		x = sqrt(x);
		y *= 0.5;
		sum -= (1 - x) * (1 - x) * y;
	} while (sum != before);
	return sum / 3;
}

static uint64_t estimate(const struct histogram *h) {
	const double m = HLL_REGISTERS, alpha_inf = 0.5 / M_LN2;
	double z = m * tau((m - h->of[HLL_VALUE_MAX]) / m);

	for (unsigned value = HLL_VALUE_MAX - 1; value >= 1; value--) z = (z + h->of[value]) * 0.5;
	z += m * sigma(h->of[0] / m);
	return (uint64_t)llroundl(alpha_inf * m * m / z);
}

uint64_t hll_count_registers(const struct hll_registers *registers) {
	struct histogram h;

	histogram_of_registers(&h, registers);
	return estimate(&h);
}

bool hll_count(struct slice hll, uint64_t *cardinality) {
	struct histogram h;

	if (hll_is_dense(hll)) {
		struct hll_registers registers;
		memset(&registers, 0, sizeof(registers));
		bool dense_is_never_corrupt = hll_merge(&registers, hll);
		*cardinality = hll_count_registers(&registers);
		return dense_is_never_corrupt;
	}
	if (!histogram_of_sparse(&h, (const uint8_t *)hll.ptr, hll.len)) return false;
	*cardinality = estimate(&h);
	return true;
}
