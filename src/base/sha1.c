#include "base/sha1.h"

enum { BLOCK_BYTES = 64, LENGTH_BYTES = 8, ROUNDS = 80 };

static inline uint32_t rotate(uint32_t x, unsigned by) {
	return x << by | x >> (32 - by);
}

static uint32_t read_word(const uint8_t *at) {
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void add_block(uint32_t state[static 5], const uint8_t *block) {
	uint32_t w[ROUNDS];
	for (size_t i = 0; i < 16; i++) w[i] = read_word(block + 4 * i);
	for (unsigned i = 16; i < ROUNDS; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t f, k;
		if (i < 20) {
			f = (b & c) | (~b & d);
			k = 0x5a827999;
		} else if (i < 40) {
			f = b ^ c ^ d;
			k = 0x6ed9eba1;
		} else if (i < 60) {
			f = (b & c) | (b & d) | (c & d);
			k = 0x8f1bbcdc;
		} else {
			f = b ^ c ^ d;
			k = 0xca62c1d6;
		}
		uint32_t next = rotate(a, 5) + f + e + k + w[i];
		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = next;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
}

/* What is left of the text, a one bit, zeros, and the length in bits: one block or two. */
static void add_end(uint32_t state[static 5], const uint8_t *rest, size_t len, uint64_t total) {
	uint8_t end[2 * BLOCK_BYTES] = { 0 };
	if (len) memcpy(end, rest, len);
	end[len] = 0x80;
	size_t blocks = len + 1 + LENGTH_BYTES > BLOCK_BYTES ? 2 : 1;
	uint64_t bits = total * 8;
	for (unsigned i = 0; i < LENGTH_BYTES; i++) end[blocks * BLOCK_BYTES - 1 - i] = (uint8_t)(bits >> (8 * i));
	for (size_t i = 0; i < blocks; i++) add_block(state, end + i * BLOCK_BYTES);
}

void sha1(struct slice bytes, uint8_t out[static SHA1_BYTES]) {
	uint32_t state[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
	const uint8_t *at = (const uint8_t *)bytes.ptr;
	size_t left = bytes.len;
	for (; left >= BLOCK_BYTES; at += BLOCK_BYTES, left -= BLOCK_BYTES) add_block(state, at);
	add_end(state, at, left, bytes.len);
	for (unsigned i = 0; i < SHA1_BYTES; i++) out[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha1_hex(struct slice bytes, char out[static SHA1_HEX_CHARS + 1]) {
	static const char digits[] = "0123456789abcdef";
	uint8_t raw[SHA1_BYTES];
	sha1(bytes, raw);
	for (size_t i = 0; i < SHA1_BYTES; i++) {
		out[2 * i] = digits[raw[i] >> 4];
		out[2 * i + 1] = digits[raw[i] & 15];
	}
	out[SHA1_HEX_CHARS] = '\0';
}
