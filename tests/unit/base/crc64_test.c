/* CRC-64: the published check value, and against one bit at a time, in pieces of any size. */
#include "../testing.h"

#include <string.h>

#include "base/crc64.h"

static uint64_t naive(uint64_t crc, const unsigned char *bytes, size_t len) {
	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0x95ac9329ac4bc9b5 : crc >> 1;
	}
	return crc;
}

static void test_check_value(void **state) {
	(void)state;
	assert_true(crc64(0, "123456789", 9) == 0xe9c6d914c4b8d9ca);
	assert_true(crc64(0, NULL, 0) == 0);
	assert_true(crc64(0xe9c6d914c4b8d9ca, "", 0) == 0xe9c6d914c4b8d9ca);
}

static void test_pieces(void **state) {
	unsigned char bytes[300];

	(void)state;
	testing_begin(1);
	for (unsigned round = 0; round < testing_rounds(2000); round++) {
		size_t len = random_below(sizeof(bytes) - 8);
		unsigned char *start = bytes + random_below(8); /* unaligned, too */
		for (size_t i = 0; i < len; i++) start[i] = (unsigned char)random_u64();
		uint64_t first = random_u64(), crc = first;
		for (size_t at = 0; at < len;) {
			size_t piece = 1 + random_below(len - at);
			crc = crc64(crc, start + at, piece);
			at += piece;
		}
		assert_true(crc == naive(first, start, len));
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_value),
		cmocka_unit_test(test_pieces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
