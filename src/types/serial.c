#include "types/serial.h"

#include <assert.h>
#include <lzf.h>
#include <math.h>

#include "base/alloc.h"
#include "base/number.h"

enum {
	/* The top two bits of a first byte. */
	KIND_6_BITS = 0x00,
	KIND_14_BITS = 0x40,
	KIND_WIDE = 0x80,
	KIND_ENCODED = 0xC0,
	KIND_MASK = 0xC0,

	LENGTH_32 = 0x80,
	LENGTH_64 = 0x81,

	STRING_INT8 = 0xC0,
	STRING_INT16 = 0xC1,
	STRING_INT32 = 0xC2,
	STRING_LZF = 0xC3,

	DOUBLE_NAN = 253,
	DOUBLE_INF = 254,
	DOUBLE_MINUS_INF = 255,

	LZF_MIN_BYTES = 21, /* shorter ones are not worth the try */
	LZF_MIN_GAIN = 4,
	/* Three bytes say at most "repeat 264 bytes". */
	LZF_MAX_GROWTH = 88,
	INT32_MAX_CHARS = 11, /* "-2147483648" */
};

/* ---- Writing ---- */

void serial_put_raw(struct serial_writer *w, const void *bytes, size_t len) {
	buffer_append(w->out, bytes, len);
}

void serial_put_byte(struct serial_writer *w, uint8_t byte) {
	buffer_append_char(w->out, (char)byte);
}

static void put_little(struct serial_writer *w, uint64_t value, unsigned count) {
	unsigned char bytes[8];
	for (unsigned i = 0; i < count; i++) bytes[i] = (unsigned char)(value >> (8 * i));
	serial_put_raw(w, bytes, count);
}

static void put_big(struct serial_writer *w, uint64_t value, unsigned count) {
	unsigned char bytes[8];
	for (unsigned i = 0; i < count; i++) bytes[i] = (unsigned char)(value >> (8 * (count - 1 - i)));
	serial_put_raw(w, bytes, count);
}

void serial_put_length(struct serial_writer *w, uint64_t length) {
	if (length < 1 << 6) {
		serial_put_byte(w, (uint8_t)length);
	} else if (length < 1 << 14) {
		put_big(w, length | KIND_14_BITS << 8, 2);
	} else if (length <= UINT32_MAX) {
		serial_put_byte(w, LENGTH_32);
		put_big(w, length, 4);
	} else {
		serial_put_byte(w, LENGTH_64);
		put_big(w, length, 8);
	}
}

/* True, written, when the number is one that strings may be written as. */
static bool put_short_int(struct serial_writer *w, int64_t number) {
	static const struct {
		int64_t min, max;
		uint8_t first;
	} forms[] = {
		{ INT8_MIN, INT8_MAX, STRING_INT8 },
		{ INT16_MIN, INT16_MAX, STRING_INT16 },
		{ INT32_MIN, INT32_MAX, STRING_INT32 },
	};
	for (unsigned i = 0; i < 3; i++) {
		if (number < forms[i].min || number > forms[i].max) continue;
		serial_put_byte(w, forms[i].first);
		put_little(w, (uint64_t)number, 1u << i);
		return true;
	}
	return false;
}

static bool put_compressed(struct serial_writer *w, struct slice text) {
	if (text.len > UINT32_MAX) return false;
	unsigned room = (unsigned)text.len - LZF_MIN_GAIN;
	char *packed = mem_try_alloc(room);
	if (!packed) return false;
	unsigned len = lzf_compress(text.ptr, (unsigned)text.len, packed, room);
	if (len > 0) {
		serial_put_byte(w, STRING_LZF);
		serial_put_length(w, len);
		serial_put_length(w, text.len);
		serial_put_raw(w, packed, len);
	}
	mem_free(packed);
	return len > 0;
}

void serial_put_string(struct serial_writer *w, struct slice text) {
	int64_t number;
	if (text.len <= INT32_MAX_CHARS && number_parse_i64(text, &number) && put_short_int(w, number)) return;
	if (w->flags & SERIAL_COMPRESS && text.len >= LZF_MIN_BYTES && put_compressed(w, text)) return;
	serial_put_length(w, text.len);
	serial_put_raw(w, text.ptr, text.len);
}

void serial_put_int_string(struct serial_writer *w, int64_t number) {
	char digits[NUMBER_I64_MAX_CHARS + 1];
	if (put_short_int(w, number)) return;
	size_t len = number_format_i64(digits, number);
	serial_put_length(w, len);
	serial_put_raw(w, digits, len);
}

void serial_put_double(struct serial_writer *w, double number) {
	uint64_t bits;
	memcpy(&bits, &number, sizeof(bits));
	put_little(w, bits, sizeof(bits));
}

void serial_put_ms(struct serial_writer *w, int64_t ms) {
	put_little(w, (uint64_t)ms, sizeof(ms));
}

/* ---- Reading ---- */

bool serial_refuse(struct serial_reader *r) {
	r->_failed = true;
	r->_left = 0;
	return false;
}

/* The next `len` bytes, which are then behind us; NULL when there are not so many. */
static const unsigned char *take(struct serial_reader *r, size_t len) {
	if (r->_failed || len > r->_left) {
		serial_refuse(r);
		return NULL;
	}
	const unsigned char *bytes = r->_at;
	r->_at += len;
	r->_left -= len;
	return bytes;
}

bool serial_get_raw(struct serial_reader *r, void *bytes, size_t len) {
	const unsigned char *from = take(r, len);
	if (!from) return false;
	memcpy(bytes, from, len);
	return true;
}

bool serial_get_byte(struct serial_reader *r, uint8_t *byte) {
	return serial_get_raw(r, byte, 1);
}

static bool get_little(struct serial_reader *r, unsigned count, uint64_t *value) {
	const unsigned char *bytes = take(r, count);
	if (!bytes) return false;
	*value = 0;
	for (unsigned i = 0; i < count; i++) *value |= (uint64_t)bytes[i] << (8 * i);
	return true;
}

static bool get_big(struct serial_reader *r, unsigned count, uint64_t *value) {
	const unsigned char *bytes = take(r, count);
	if (!bytes) return false;
	*value = 0;
	for (unsigned i = 0; i < count; i++) *value = *value << 8 | bytes[i];
	return true;
}

/* The length that begins with this byte. */
static bool get_length_from(struct serial_reader *r, uint8_t first, uint64_t *length) {
	uint8_t second;
	switch (first & KIND_MASK) {
	case KIND_6_BITS: *length = first; return true;
	case KIND_14_BITS:
		if (!serial_get_byte(r, &second)) return false;
		*length = (uint64_t)(first & 0x3F) << 8 | second;
		return true;
	case KIND_WIDE:
		if (first == LENGTH_32) return get_big(r, 4, length);
		if (first == LENGTH_64) return get_big(r, 8, length);
		break;
	default: break;
	}
	return serial_refuse(r);
}

bool serial_get_length(struct serial_reader *r, uint64_t *length) {
	uint8_t first;
	return serial_get_byte(r, &first) && get_length_from(r, first, length);
}

bool serial_get_count(struct serial_reader *r, size_t bytes_each, size_t *count) {
	uint64_t claimed;
	assert(bytes_each > 0);
	if (!serial_get_length(r, &claimed)) return false;
	if (claimed > r->_left / bytes_each) return serial_refuse(r);
	*count = (size_t)claimed;
	return true;
}

static bool get_int_string(struct serial_reader *r, unsigned bytes, struct serial_text *text) {
	uint64_t bits;
	if (!get_little(r, bytes, &bits)) return false;
	unsigned above = 64 - 8 * bytes;
	int64_t number = (int64_t)(bits << above) >> above;
	char *digits = buffer_reserve(&text->_own, NUMBER_I64_MAX_CHARS + 1);
	text->bytes = slice_of(digits, number_format_i64(digits, number));
	return true;
}

static bool get_compressed(struct serial_reader *r, struct serial_text *text) {
	uint64_t packed_len, len;
	if (!serial_get_length(r, &packed_len) || !serial_get_length(r, &len)) return false;
	if (packed_len > r->_left || packed_len > UINT32_MAX) return serial_refuse(r);
	if (len == 0 || len > UINT32_MAX || len > packed_len * LZF_MAX_GROWTH) return serial_refuse(r);
	if (!buffer_try_reserve(&text->_own, (size_t)len)) return serial_refuse(r);
	const unsigned char *packed = take(r, (size_t)packed_len);
	if (lzf_decompress(packed, (unsigned)packed_len, text->_own.data, (unsigned)len) != len)
		return serial_refuse(r);
	text->bytes = slice_of(text->_own.data, (size_t)len);
	return true;
}

bool serial_get_string(struct serial_reader *r, struct serial_text *text) {
	uint8_t first;
	uint64_t len = 0;
	if (!serial_get_byte(r, &first)) return false;
	switch (first) {
	case STRING_INT8: return get_int_string(r, 1, text);
	case STRING_INT16: return get_int_string(r, 2, text);
	case STRING_INT32: return get_int_string(r, 4, text);
	case STRING_LZF: return get_compressed(r, text);
	default: break;
	}
	if (!get_length_from(r, first, &len)) return false;
	const unsigned char *bytes = take(r, len);
	if (!bytes) return false;
	text->bytes = slice_of(bytes, len);
	return true;
}

void serial_text_release(struct serial_text *text) {
	buffer_release(&text->_own);
	text->bytes = slice_of(NULL, 0);
}

bool serial_get_double(struct serial_reader *r, double *number) {
	uint64_t bits;
	if (!get_little(r, sizeof(bits), &bits)) return false;
	memcpy(number, &bits, sizeof(bits));
	return true;
}

bool serial_get_old_double(struct serial_reader *r, double *number) {
	uint8_t len;
	if (!serial_get_byte(r, &len)) return false;
	switch (len) {
	case DOUBLE_NAN: *number = NAN; return true;
	case DOUBLE_INF: *number = INFINITY; return true;
	case DOUBLE_MINUS_INF: *number = -INFINITY; return true;
	default: break;
	}
	const unsigned char *digits = take(r, len);
	if (!digits) return false;
	return number_parse_double(slice_of(digits, len), number) || serial_refuse(r);
}

bool serial_get_ms(struct serial_reader *r, int64_t *ms) {
	uint64_t bits;
	if (!get_little(r, sizeof(bits), &bits)) return false;
	*ms = (int64_t)bits;
	return true;
}
