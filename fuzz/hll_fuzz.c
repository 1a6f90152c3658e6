/* Hostile HyperLogLogs: whatever bytes SET has left, every call must be safe on, agree with the others about what is corrupt, and
 * leave something that still is a HyperLogLog.
 *
 * Input: one byte (bit 0: give it a header, so that the runs are reached more often; bit 1: a small hll-sparse-max-bytes), then the
 * value. The elements that are added are pieces of it. */
#include <stdlib.h>

#include "base/alloc.h"
#include "types/hll.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition) {
	if (!condition) abort();
}

static struct buffer copy_of(struct slice bytes) {
	struct buffer copy = { 0 };
	buffer_append_slice(&copy, bytes);
	return copy;
}

/* Returns whether it is sound. */
static bool read_all(struct slice hll) {
	struct hll_registers registers = { 0 };
	struct buffer text = { 0 };
	uint64_t cardinality = 0;

	bool sound = hll_count(hll, &cardinality);
	must(hll_merge(&registers, hll) == sound);
	if (sound) must(hll_count_registers(&registers) == cardinality);
	hll_cached(hll, &cardinality);
	if (!hll_is_dense(hll)) hll_describe(hll, &text);
	buffer_release(&text);
	return sound;
}

static void add_all(struct slice hll, bool sound, size_t sparse_max) {
	struct buffer copy = copy_of(hll);

	for (size_t i = 0; i + 3 <= hll.len && i < 300; i += 3) {
		struct slice element = slice_of(hll.ptr + i, 3);
		enum hll_result result = hll_add(&copy, element, sparse_max);
		must(hll_is(buffer_slice(&copy)));
		if (sound) must(result != HLL_CORRUPT);
		if (result != HLL_CORRUPT) must(hll_add(&copy, element, sparse_max) == HLL_SAME);
	}
	if (sound) must(read_all(buffer_slice(&copy)));
	buffer_release(&copy);
}

static void raise_and_compare(struct slice hll, bool sound, size_t sparse_max) {
	struct hll_registers before = { 0 }, after = { 0 };
	struct buffer copy = copy_of(hll), dense = copy_of(hll);

	must((hll_make_dense(&dense) != HLL_CORRUPT) == sound);
	if (sound) {
		must(hll_merge(&before, hll));
		for (unsigned i = 0; i < HLL_REGISTERS; i += 97)
			before.value[i] = (uint8_t)(before.value[i] | (i & 31));
		must(hll_raise(&copy, &before, false, sparse_max));
		must(hll_raise(&dense, &before, true, sparse_max));
		must(hll_merge(&after, buffer_slice(&copy)));
		must(memcmp(&before, &after, sizeof(before)) == 0);
		must(hll_merge(&after, buffer_slice(&dense)));
		must(memcmp(&before, &after, sizeof(before)) == 0);
	}
	buffer_release(&copy);
	buffer_release(&dense);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 1) return 0;
	size_t len = size - 1, sparse_max = data[0] & 2 ? 60 : 3000;
	char *bytes = mem_alloc(len ? len : 1);
	if (len) memcpy(bytes, data + 1, len);
	if (data[0] & 1 && len >= HLL_HEADER_BYTES) {
		memcpy(bytes, "HYLL", 4);
		bytes[4] = (char)(len != HLL_DENSE_BYTES);
	}
	struct slice hll = slice_of(bytes, len);
	if (hll_is(hll)) {
		bool sound = read_all(hll);
		add_all(hll, sound, sparse_max);
		raise_and_compare(hll, sound, sparse_max);
	}
	mem_free(bytes);
	return 0;
}
