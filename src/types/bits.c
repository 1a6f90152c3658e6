#include "types/bits.h"

#include <assert.h>

/* ---- Counting ---- */

static uint64_t load_word(const unsigned char *p) {
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* Set bits of a word by adding neighbours: pairs, nibbles, bytes, all bytes by one multiplication. */
static inline uint64_t popcount_portable(uint64_t w) {
	w -= (w >> 1) & 0x5555555555555555u;
	w = (w & 0x3333333333333333u) + ((w >> 2) & 0x3333333333333333u);
	w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0fu;
	return (w * 0x0101010101010101u) >> 56;
}

static uint64_t load_tail(const unsigned char *p, size_t len) {
	uint64_t word = 0;

	memcpy(&word, p, len);
	return word;
}

static uint64_t count_portable(const unsigned char *p, size_t len) {
	uint64_t total = 0;

	for (; len >= 8; p += 8, len -= 8) total += popcount_portable(load_word(p));
	return len ? total + popcount_portable(load_tail(p, len)) : total;
}

#if defined(__x86_64__)
/* The instruction is in every machine of the last fifteen years, yet not in the base set that we compile for. Four sums
 * keep the additions from waiting for each other. */
__attribute__((target("popcnt"))) static uint64_t count_popcnt(const unsigned char *p, size_t len) {
	uint64_t a = 0, b = 0, c = 0, d = 0;

	for (; len >= 32; p += 32, len -= 32) {
		a += (uint64_t)__builtin_popcountll(load_word(p));
		b += (uint64_t)__builtin_popcountll(load_word(p + 8));
		c += (uint64_t)__builtin_popcountll(load_word(p + 16));
		d += (uint64_t)__builtin_popcountll(load_word(p + 24));
	}
	for (; len >= 8; p += 8, len -= 8) a += (uint64_t)__builtin_popcountll(load_word(p));
	if (len) a += (uint64_t)__builtin_popcountll(load_tail(p, len));
	return a + b + c + d;
}
#endif

uint64_t bits_count(const void *bytes, size_t len) {
#if defined(__x86_64__)
	if (__builtin_cpu_supports("popcnt")) return count_popcnt(bytes, len);
#endif
	return count_portable(bytes, len);
}

/* The bits of a byte from bit `first` on, and up to bit `last`. */
static unsigned mask_from(unsigned first) {
	return 0xffu >> first;
}

static unsigned mask_to(unsigned last) {
	return 0xffu & (0xffu << (7 - last));
}

uint64_t bits_count_range(const void *bytes, uint64_t first, uint64_t last) {
	const unsigned char *p = bytes;
	size_t from = first >> 3, to = last >> 3;
	unsigned head = mask_from(first & 7), tail = mask_to(last & 7);

	assert(first <= last);
	if (from == to) return popcount_portable(p[from] & head & tail);
	return popcount_portable(p[from] & head) + bits_count(p + from + 1, to - from - 1) +
	       popcount_portable(p[to] & tail);
}

/* ---- Searching ---- */

static int64_t first_in_byte(size_t index, unsigned byte) {
	return (int64_t)index * 8 + (__builtin_clz(byte) - 24);
}

int64_t bits_find(const void *bytes, bool value, uint64_t first, uint64_t last) {
	const unsigned char *p = bytes;
	size_t i = first >> 3, to = last >> 3;
	/* Looking for a clear bit is looking for a set one in the complement. */
	unsigned flip = value ? 0 : 0xff;
	uint64_t flip_word = value ? 0 : UINT64_MAX;
	unsigned byte = (p[i] ^ flip) & mask_from(first & 7);

	assert(first <= last);
	while (i < to) {
		if (byte) return first_in_byte(i, byte);
		i++;
		while (i + 8 <= to && load_word(p + i) == flip_word) i += 8;
		byte = p[i] ^ flip;
	}
	byte &= mask_to(last & 7);
	return byte ? first_in_byte(i, byte) : -1;
}

/* ---- Whole strings combined ---- */

/* The work goes in pieces that stay in the first-level cache while every source is applied to them. The loops are
 * written byte by byte, for the compiler to vectorise. */
enum { PIECE = 4096 };

/* The part of a source that lies within [from, from + len). */
static struct slice source_piece(struct slice source, size_t from, size_t len) {
	if (source.len <= from) return slice_of(NULL, 0);
	size_t left = source.len - from;
	return slice_of(source.ptr + from, left < len ? left : len);
}

static void piece_load(unsigned char *out, size_t len, struct slice s) {
	if (s.len) memcpy(out, s.ptr, s.len);
	memset(out + s.len, 0, len - s.len);
}

static void piece_and(unsigned char *restrict out, size_t len, struct slice s) {
	const unsigned char *restrict in = (const unsigned char *)s.ptr;

	for (size_t i = 0; i < s.len; i++) out[i] &= in[i];
	memset(out + s.len, 0, len - s.len);
}

static void piece_or(unsigned char *restrict out, struct slice s) {
	const unsigned char *restrict in = (const unsigned char *)s.ptr;

	for (size_t i = 0; i < s.len; i++) out[i] |= in[i];
}

static void piece_xor(unsigned char *restrict out, struct slice s) {
	const unsigned char *restrict in = (const unsigned char *)s.ptr;

	for (size_t i = 0; i < s.len; i++) out[i] ^= in[i];
}

static void piece_not(unsigned char *out, size_t len) {
	for (size_t i = 0; i < len; i++) out[i] = (unsigned char)~out[i];
}

/* `seen` collects what any source has, `twice` what at least two have. */
static void piece_one(unsigned char *restrict seen, unsigned char *restrict twice, struct slice s) {
	const unsigned char *restrict in = (const unsigned char *)s.ptr;

	for (size_t i = 0; i < s.len; i++) {
		twice[i] |= seen[i] & in[i];
		seen[i] |= in[i];
	}
}

struct piece {
	unsigned char *out;
	size_t from;
	size_t len;
	const struct slice *sources;
	size_t count;
};

static void combine_one(const struct piece *p) {
	unsigned char twice[PIECE] = { 0 };

	memset(p->out, 0, p->len);
	for (size_t i = 0; i < p->count; i++) piece_one(p->out, twice, source_piece(p->sources[i], p->from, p->len));
	for (size_t i = 0; i < p->len; i++) p->out[i] &= (unsigned char)~twice[i];
}

/* DIFF, DIFF1 and ANDOR: the first source against the union of the others. */
static void combine_first_with_rest(enum bits_operation op, const struct piece *p) {
	unsigned char first[PIECE];

	piece_load(first, p->len, source_piece(p->sources[0], p->from, p->len));
	memset(p->out, 0, p->len);
	for (size_t i = 1; i < p->count; i++) piece_or(p->out, source_piece(p->sources[i], p->from, p->len));
	if (op == BITS_DIFF) piece_not(p->out, p->len);
	if (op == BITS_DIFF1) piece_not(first, p->len);
	piece_and(p->out, p->len, slice_of(first, p->len));
}

static void combine_in_turn(enum bits_operation op, const struct piece *p) {
	piece_load(p->out, p->len, source_piece(p->sources[0], p->from, p->len));
	if (op == BITS_NOT) piece_not(p->out, p->len);
	for (size_t i = 1; i < p->count; i++) {
		struct slice s = source_piece(p->sources[i], p->from, p->len);
		if (op == BITS_AND) piece_and(p->out, p->len, s);
		if (op == BITS_OR) piece_or(p->out, s);
		if (op == BITS_XOR) piece_xor(p->out, s);
	}
}

void bits_combine(enum bits_operation op, unsigned char *out, size_t len, const struct slice *sources, size_t count) {
	assert(count >= 1);
	for (size_t from = 0; from < len; from += PIECE) {
		struct piece p = { out + from, from, len - from < PIECE ? len - from : PIECE, sources, count };
		switch (op) {
		case BITS_AND:
		case BITS_OR:
		case BITS_XOR:
		case BITS_NOT: combine_in_turn(op, &p); break;
		case BITS_DIFF:
		case BITS_DIFF1:
		case BITS_ANDOR: combine_first_with_rest(op, &p); break;
		case BITS_ONE: combine_one(&p); break;
		}
	}
}

/* ---- Integers of any width at any bit ---- */

/* 64 bits at an odd offset touch nine bytes, and a sum of two int64_t takes 65 bits: both fit here. */
__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 unsigned_wide;

static uint64_t width_mask(unsigned width) {
	return width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;
}

static int64_t interpret(struct bits_type type, uint64_t raw) {
	raw &= width_mask(type.width);
	if (type.is_signed && raw >> (type.width - 1) & 1) raw |= ~width_mask(type.width);
	return (int64_t)raw;
}

int64_t bits_read(const void *bytes, size_t len, uint64_t offset, struct bits_type type) {
	const unsigned char *p = bytes;
	uint64_t from = offset >> 3;
	unsigned skip = offset & 7, span = (skip + type.width + 7) / 8;
	unsigned_wide window = 0;

	for (unsigned i = 0; i < span; i++) window = window << 8 | (from + i < len ? p[from + i] : 0);
	return interpret(type, (uint64_t)(window >> (span * 8 - skip - type.width)));
}

void bits_write(void *bytes, uint64_t offset, struct bits_type type, int64_t value) {
	unsigned char *p = (unsigned char *)bytes + (offset >> 3);
	unsigned skip = offset & 7, span = (skip + type.width + 7) / 8;
	unsigned shift = span * 8 - skip - type.width;
	unsigned_wide mask = (unsigned_wide)width_mask(type.width) << shift;
	unsigned_wide window = ((unsigned_wide)(uint64_t)value << shift) & mask;

	for (unsigned i = 0; i < span; i++) {
		unsigned down = (span - 1 - i) * 8;
		p[i] = (unsigned char)((p[i] & ~(unsigned)(mask >> down)) | (unsigned)(window >> down & 0xff));
	}
}

static bool fit_wide(struct bits_type type, wide value, enum bits_overflow overflow, int64_t *result) {
	wide max = type.is_signed ? (wide)(width_mask(type.width) >> 1) : (wide)width_mask(type.width);
	wide min = type.is_signed ? -max - 1 : 0;

	if (value >= min && value <= max) {
		*result = (int64_t)value;
		return true;
	}
	if (overflow == BITS_FAIL) return false;
	if (overflow == BITS_SATURATE) {
		*result = (int64_t)(value > max ? max : min);
	} else {
		*result = interpret(type, (uint64_t)value);
	}
	return true;
}

bool bits_fit(struct bits_type type, int64_t value, enum bits_overflow overflow, int64_t *result) {
	return fit_wide(type, type.is_signed ? (wide)value : (wide)(uint64_t)value, overflow, result);
}

bool bits_add(struct bits_type type, int64_t value, int64_t increment, enum bits_overflow overflow, int64_t *result) {
	return fit_wide(type, (wide)value + increment, overflow, result);
}
