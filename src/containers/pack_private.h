/* The bytes of entries, for pack.c and pack_validate.c. The format stands in pack.h. */
#ifndef TARN_CONTAINERS_PACK_PRIVATE_H
#define TARN_CONTAINERS_PACK_PRIVATE_H

#include "containers/pack.h"

enum {
	PACK_END = 0xFF,
	PACK_COUNT_UNKNOWN = 65535,
	PACK_BACK_MAX_BYTES = 5,

	/* First bytes. */
	PACK_STRING_6 = 0x80,
	PACK_INT_13 = 0xC0,
	PACK_STRING_12 = 0xE0,
	PACK_STRING_32 = 0xF0,
	PACK_INT_16 = 0xF1,
	PACK_INT_24 = 0xF2,
	PACK_INT_32 = 0xF3,
	PACK_INT_64 = 0xF4,
};

static inline uint64_t pack__load(const uint8_t *bytes, unsigned count) {
	uint64_t value = 0;
	for (unsigned i = 0; i < count; i++) value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

static inline void pack__store(uint8_t *bytes, unsigned count, uint64_t value) {
	for (unsigned i = 0; i < count; i++) bytes[i] = (uint8_t)(value >> (8 * i));
}

/* The bytes of an encoding without the text that may follow: what must be there to tell the entry's length. Looks at
 * the first byte only; 0 when that is none. */
static inline unsigned pack__head_bytes(uint8_t first) {
	static const uint8_t long_heads[] = { 5, 3, 4, 5, 9 };
	if (first < PACK_INT_13) return 1;
	if (first < PACK_STRING_32) return 2;
	return first <= PACK_INT_64 ? long_heads[first - PACK_STRING_32] : 0;
}

/* Whether the entry is a string; then where its text is. */
static inline bool pack__string(const uint8_t *entry, struct slice *text) {
	uint8_t first = entry[0];
	if ((first & 0xC0) == PACK_STRING_6) {
		*text = slice_of(entry + 1, first & 0x3F);
	} else if ((first & 0xF0) == PACK_STRING_12) {
		*text = slice_of(entry + 2, (size_t)(first & 0x0F) << 8 | entry[1]);
	} else if (first == PACK_STRING_32) {
		*text = slice_of(entry + 5, pack__load(entry + 1, 4));
	} else {
		return false;
	}
	return true;
}

/* Encoding and data, without the length behind them. */
static inline size_t pack__body_bytes(const uint8_t *entry) {
	struct slice text;
	if (entry[0] < PACK_STRING_6) return 1;
	if (pack__string(entry, &text)) return (size_t)(text.ptr - (const char *)entry) + text.len;
	return pack__head_bytes(entry[0]);
}

/* The bytes of the length behind a body. */
static inline unsigned pack__back_bytes(size_t body) {
	if (body < 1 << 7) return 1;
	if (body < 1 << 14) return 2;
	if (body < 1 << 21) return 3;
	return body < 1 << 28 ? 4 : 5;
}

static inline void pack__put_back(uint8_t *at, size_t body) {
	unsigned count = pack__back_bytes(body);
	for (unsigned i = count; i-- > 0; body >>= 7) at[i] = (uint8_t)((body & 0x7F) | (i > 0 ? 0x80 : 0));
}

static inline size_t pack__entry_bytes(const uint8_t *entry) {
	size_t body = pack__body_bytes(entry);
	return body + pack__back_bytes(body);
}

#endif
