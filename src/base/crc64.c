#include "base/crc64.h"

#include <pthread.h>

enum { SLICES = 8, BYTE_VALUES = 256 };

static const uint64_t polynomial_reflected = 0x95ac9329ac4bc9b5;

/* Of a byte that is followed by `slice` zero bytes. Made once, read-only then. */
static uint64_t table[SLICES][BYTE_VALUES];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void) {
	for (unsigned byte = 0; byte < BYTE_VALUES; byte++) {
		uint64_t crc = byte;
		for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? polynomial_reflected : 0);
		table[0][byte] = crc;
	}
	for (unsigned slice = 1; slice < SLICES; slice++)
		for (unsigned byte = 0; byte < BYTE_VALUES; byte++) {
			uint64_t before = table[slice - 1][byte];
			table[slice][byte] = before >> 8 ^ table[0][before & 0xFF];
		}
}

/* Eight bytes per step ("slicing by eight", M. Kounavis and F. Berry 2005): their eight look-ups do not wait for each other. */
uint64_t crc64(uint64_t crc, const void *bytes, size_t len) {
	const unsigned char *at = bytes;
	pthread_once(&table_once, make_table);
	for (; len >= SLICES; len -= SLICES, at += SLICES) {
		uint64_t word = 0;
		for (unsigned i = 0; i < SLICES; i++) word |= (uint64_t)at[i] << (8 * i);
		word ^= crc;
		crc = 0;
		for (unsigned i = 0; i < SLICES; i++) crc ^= table[SLICES - 1 - i][word >> (8 * i) & 0xFF];
	}
	for (; len > 0; len--) crc = crc >> 8 ^ table[0][(crc ^ *at++) & 0xFF];
	return crc;
}
