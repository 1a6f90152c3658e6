/* What the files of the HyperLogLog share: runs of sparse bytes, registers of dense ones. For types/hll*.c only.
 *
 * Words are loaded with memcpy and read as little-endian, which is what we run on. */
#ifndef TARN_TYPES_HLL_PRIVATE_H
#define TARN_TYPES_HLL_PRIVATE_H

#include "types/hll.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "registers are packed with the words of the machine");

enum {
	HLL_SPARSE_VALUE_MAX = 32, /* what a VAL can say */
	HLL_VAL_RUN_MAX = 4,
	HLL_ZERO_RUN_MAX = 64,
	HLL_VALUE_MAX = 64 - HLL_INDEX_BITS + 1, /* of an honest register; dense bits can say up to 63 */
};

/* ---- Sparse ---- */

struct hll_run {
	uint8_t bytes;  /* 1 or 2; 0: the bytes end within it */
	uint8_t value;  /* 0: ZERO or XZERO */
	uint16_t count; /* registers */
};

static inline bool hll__is_val(uint8_t opcode) {
	return opcode & 0x80;
}

static inline struct hll_run hll__run_read(const uint8_t *p, size_t left) {
	if (hll__is_val(p[0])) {
		return (struct hll_run){ 1, (uint8_t)((p[0] >> 2 & 31) + 1), (uint16_t)((p[0] & 3) + 1) };
	}
	if (!(p[0] & 0x40)) return (struct hll_run){ 1, 0, (uint16_t)((p[0] & 63) + 1) };
	if (left < 2) return (struct hll_run){ 0, 0, 0 };
	return (struct hll_run){ 2, 0, (uint16_t)(((p[0] & 63) << 8 | p[1]) + 1) };
}

/* ---- Dense ---- */

/* Registers of `dense`, the bytes behind the header. The last register ends with the last byte, so the second byte is
 * touched only where a register reaches into it. */
static inline unsigned hll__dense_get(const uint8_t *dense, unsigned index) {
	const uint8_t *p = dense + index * 6 / 8;
	unsigned shift = index * 6 & 7, word = p[0];
	if (shift > 2) word |= (unsigned)p[1] << 8;
	return word >> shift & 63;
}

static inline void hll__dense_set(uint8_t *dense, unsigned index, unsigned value) {
	uint8_t *p = dense + index * 6 / 8;
	unsigned shift = index * 6 & 7, mask = 63u << shift, word = value << shift;
	p[0] = (uint8_t)((p[0] & ~mask) | (word & 0xff));
	if (shift > 2) p[1] = (uint8_t)((p[1] & ~(mask >> 8)) | word >> 8);
}

/* All registers to dense bytes. Values are below 64. */
void hll__pack(const struct hll_registers *registers, uint8_t *dense);

/* Where an element belongs: its register, and what that register must be at least. */
struct hll_place {
	unsigned index;
	unsigned value; /* 1 to HLL_VALUE_MAX */
};
struct hll_place hll__place_of(struct slice element);

#endif
