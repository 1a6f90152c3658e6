/* The key hash: repeatable with a seed, different with another, even in each group of bits that somebody uses. */
#include "../testing.h"

#include <string.h>

#include "base/hash.h"

static void test_seed(void **state) {
	(void)state;
	hash_init(12345);
	uint64_t first = hash_bytes("key", 3), empty = hash_bytes(NULL, 0);
	assert_int_equal(hash_slice(SLICE_LITERAL("key")), first);
	assert_true(hash_bytes("kez", 3) != first);
	assert_true(hash_bytes("key\0", 4) != first);
	hash_init(54321);
	assert_true(hash_bytes("key", 3) != first);
	hash_init(12345);
	assert_int_equal(hash_bytes("key", 3), first);
	assert_int_equal(hash_bytes("", 0), empty);
	hash_init(0);
	uint64_t drawn = hash_bytes("key", 3);
	hash_init(0);
	assert_true(hash_bytes("key", 3) != drawn);
}

/* XXH3-64 with seed 0, as other tools compute it. */
static void test_digest(void **state) {
	(void)state;
	hash_init(1);
	assert_int_equal(hash_digest(slice_of(NULL, 0)), 0x2d06800538d394c2);
	assert_int_equal(hash_digest(SLICE_LITERAL("abc")), 0x78af5f94892f3950);
	uint64_t digest = hash_digest(SLICE_LITERAL("value"));
	hash_init(2);
	assert_int_equal(hash_digest(SLICE_LITERAL("value")), digest);
}

enum { KINDS = 4 };

/* Names as users make them, numbered. */
static size_t make_name(char *out, size_t room, unsigned kind, unsigned i) {
	switch (kind) {
	case 0: return (size_t)snprintf(out, room, "%u", i);
	case 1: return (size_t)snprintf(out, room, "key:%012u", i);
	case 2: return (size_t)snprintf(out, room, "user:%u:name", i);
	default: return (size_t)snprintf(out, room, "a rather long name of a key, number %u", i);
	}
}

/* Chi-square over 256 cells of the eight bits from `shift` on. */
static double chi_square(unsigned shift, unsigned kind, unsigned count) {
	unsigned hits[256] = { 0 };
	char text[64];
	double chi = 0, want = (double)count / 256;
	for (unsigned i = 0; i < count; i++) {
		size_t len = make_name(text, sizeof(text), kind, i);
		hits[(hash_bytes(text, len) >> shift) & 255]++;
	}
	for (unsigned i = 0; i < 256; i++) chi += (hits[i] - want) * (hits[i] - want) / want;
	return chi;
}

/* The bucket's low bits, the shard's, the tag's. Seven standard deviations are no chance. */
static void test_even(void **state) {
	static const unsigned shifts[] = { 0, 8, 16, 40, 44, 56 };
	(void)state;
	for (unsigned round = 0; round < testing_rounds(2); round++) {
		hash_init(0);
		for (unsigned kind = 0; kind < KINDS; kind++) {
			for (unsigned s = 0; s < sizeof(shifts) / sizeof(shifts[0]); s++) {
				double chi = chi_square(shifts[s], kind, 20000);
				if (chi > 255 + 7 * 22.6)
					fail_msg("chi-square is %.1f for bits %u of names of kind %u", chi, shifts[s],
						kind);
			}
		}
	}
}

static void test_every_length(void **state) {
	unsigned char bytes[600];
	(void)state;
	testing_begin(1);
	for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (unsigned char)random_u64();
	hash_init(0);
	for (size_t len = 1; len <= sizeof(bytes); len++) {
		uint64_t before = hash_bytes(bytes, len);
		size_t at = random_below(len);
		bytes[at] ^= 1;
		assert_true(hash_bytes(bytes, len) != before);
		bytes[at] ^= 1;
		assert_int_equal(hash_bytes(bytes, len), before);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_even),
		cmocka_unit_test(test_every_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
