/* Byte runs as arrays of bits: SETBIT, BITCOUNT, BITPOS, BITOP, BITFIELD.
 *
 * Bit 0 is the highest bit of byte 0. Offsets and ranges are in bits; ranges include both ends. Nothing here allocates,
 * and `bytes` may be NULL when the length is 0. */
#ifndef TARN_TYPES_BITS_H
#define TARN_TYPES_BITS_H

#include "base/bytes.h"

static inline bool bits_get(const void *bytes, uint64_t offset) {
	return (((const unsigned char *)bytes)[offset >> 3] >> (7 - (offset & 7))) & 1;
}

static inline void bits_set(void *bytes, uint64_t offset, bool value) {
	unsigned char *byte = (unsigned char *)bytes + (offset >> 3);
	unsigned char mask = (unsigned char)(0x80 >> (offset & 7));

	*byte = (unsigned char)(value ? *byte | mask : *byte & ~mask);
}

/* How many bits are set, in `len` bytes or in the range from bit `first` to bit `last`, first <= last. */
uint64_t bits_count(const void *bytes, size_t len);
uint64_t bits_count_range(const void *bytes, uint64_t first, uint64_t last);

/* The first bit in the range that is `value`; -1 when there is none. first <= last. */
int64_t bits_find(const void *bytes, bool value, uint64_t first, uint64_t last);

/* ---- Whole strings combined ---- */

enum bits_operation {
	BITS_AND,
	BITS_OR,
	BITS_XOR,
	BITS_NOT,   /* of the one source */
	BITS_DIFF,  /* in the first and in none of the others */
	BITS_DIFF1, /* in one or more of the others and not in the first */
	BITS_ANDOR, /* in the first and in one or more of the others */
	BITS_ONE,   /* in exactly one of the sources */
};

/* Writes `len` bytes of the result to `out`, which overlaps no source. Sources that are shorter read as zero behind
 * their end; none is longer than `len`. count >= 1. */
void bits_combine(enum bits_operation op, unsigned char *out, size_t len, const struct slice *sources, size_t count);

/* ---- Integers of any width at any bit ---- */

struct bits_type {
	bool is_signed;
	uint8_t width; /* 1 to 64 when signed, 1 to 63 when not */
};

enum bits_overflow { BITS_WRAP, BITS_SATURATE, BITS_FAIL };

/* The integer whose highest bit is at `offset`. What lies behind `len` bytes reads as zero. */
int64_t bits_read(const void *bytes, size_t len, uint64_t offset, struct bits_type type);

/* Writes the lowest `type.width` bits of `value`. They must lie within the memory. */
void bits_write(void *bytes, uint64_t offset, struct bits_type type, int64_t value);

/* What `value` becomes when it is stored as `type`: true and *result set, or false when it does not fit and overflow is
 * BITS_FAIL. For an unsigned type a negative value is a huge one (its two's complement), as in Redis. */
__attribute__((warn_unused_result)) bool bits_fit(
	struct bits_type type, int64_t value, enum bits_overflow overflow, int64_t *result);

/* The same for the sum of a stored value and an increment, which here may well be negative. */
__attribute__((warn_unused_result)) bool bits_add(
	struct bits_type type, int64_t value, int64_t increment, enum bits_overflow overflow, int64_t *result);

#endif
