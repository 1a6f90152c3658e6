/* The examples of FIPS 180, and every length around the ends of blocks against one another. */
#include "../testing.h"

#include "base/sha1.h"

static void expect(struct slice text, const char *hex) {
	char got[SHA1_HEX_CHARS + 1];
	sha1_hex(text, got);
	assert_string_equal(got, hex);
}

static void test_examples(void **state) {
	(void)state;
	expect(SLICE_LITERAL(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	expect(SLICE_LITERAL("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
	expect(SLICE_LITERAL("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
		"84983e441c3bd26ebaae4aa1f95129e5e54670f1");
	expect(slice_of(NULL, 0), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

static void test_a_million(void **state) {
	(void)state;
	static char text[1000000];
	memset(text, 'a', sizeof(text));
	expect(slice_of(text, sizeof(text)), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

/* The ends of the padding: 55, 56 and 64 bytes. */
static void test_around_a_block(void **state) {
	(void)state;
	char text[64];
	memset(text, 'a', sizeof(text));
	expect(slice_of(text, 55), "c1c8bbdc22796e28c0e15163d20899b65621d65a");
	expect(slice_of(text, 56), "c2db330f6083854c99d4b5bfb6e8f29f201be699");
	expect(slice_of(text, 64), "0098ba824b5c16427bd7a1122a5a442a25ec644d");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_a_million),
		cmocka_unit_test(test_around_a_block),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
