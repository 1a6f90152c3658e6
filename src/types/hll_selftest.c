/* HyperLogLog: what PFSELFTEST runs. The header is hll.h. */
#include <math.h>

#include "base/random.h"
#include "types/hll_private.h"

/* Random registers must survive being packed, spread and read one by one. */
static const char *test_registers(void) {
	static const char broken[] = "registers: dense bytes do not give back what was put in";
	struct hll_registers in, out;
	uint8_t dense[HLL_DENSE_BYTES];

	memcpy(dense, "HYLL\0\0\0\0\0\0\0\0\0\0\0\x80", HLL_HEADER_BYTES);
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < HLL_REGISTERS; i++) in.value[i] = (uint8_t)random_below(64);
		hll__pack(&in, dense + HLL_HEADER_BYTES);
		for (unsigned n = 0; n < HLL_REGISTERS; n++) {
			unsigned i = (unsigned)random_below(HLL_REGISTERS);
			if (hll__dense_get(dense + HLL_HEADER_BYTES, i) != in.value[i]) return broken;
			in.value[i] = (uint8_t)random_below(64);
			hll__dense_set(dense + HLL_HEADER_BYTES, i, in.value[i]);
		}
		memset(&out, 0, sizeof(out));
		if (!hll_merge(&out, slice_of(dense, sizeof(dense)))) return broken;
		if (memcmp(&in, &out, sizeof(in)) != 0) return broken;
	}
	return NULL;
}

/* Beyond this many standard errors an estimate is taken for wrong; one in a hundred million is, by chance. */
static const double errors_allowed = 6;

static bool is_near(uint64_t estimate, uint64_t truth) {
	double allowed = errors_allowed * 1.04 / sqrt(HLL_REGISTERS) * (double)truth;
	/* With few elements it is two in one register that make the difference. */
	return fabs((double)estimate - (double)truth) <= allowed + 2;
}

/* One HLL that may be sparse and one that is dense take the same elements, whose number both must tell. */
static const char *compare_forms(struct buffer *any, struct buffer *dense) {
	uint64_t seed = random_u64(), next_look = 1, a = 0, b = 0;

	for (uint64_t added = 1; added <= 1000000; added++) {
		uint64_t element = seed + added;
		struct slice bytes = slice_of(&element, sizeof(element));
		hll_add(any, bytes, 3000);
		hll_add_dense(dense->data, bytes);
		if (added != next_look) continue;
		next_look += added < 10 ? 1 : added / 10;
		if (!hll_count(buffer_slice(any), &a) || !hll_count(buffer_slice(dense), &b)) {
			return "counting: an HLL became corrupt";
		}
		if (a != b) return "counting: sparse and dense tell different numbers";
		if (!is_near(a, added)) return "counting: the error is too large";
	}
	return NULL;
}

static const char *test_counting(void) {
	struct buffer any = { 0 }, dense = { 0 };

	buffer_append_slice(&any, hll_empty());
	buffer_append_slice(&dense, hll_empty());
	hll_make_dense(&dense);
	const char *wrong = compare_forms(&any, &dense);
	buffer_release(&any);
	buffer_release(&dense);
	return wrong;
}

const char *hll_selftest(void) {
	const char *wrong = test_registers();
	return wrong ? wrong : test_counting();
}
