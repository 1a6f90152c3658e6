#include "types/old_forms.h"

enum {
	END = 0xFF,
	LONG_LENGTH = 0xFE, /* four bytes of length follow */
	ZIPLIST_HEAD_BYTES = 10,
	ZIPLIST_EMPTY_BYTES = 11,
	COUNT_UNKNOWN = 65535,
	ZIPMAP_COUNT_UNKNOWN = 254,
};

/* What is left of the bytes. */
struct rest {
	const uint8_t *at;
	size_t left;
};

static const uint8_t *take(struct rest *rest, size_t len) {
	if (len > rest->left) return NULL;
	const uint8_t *bytes = rest->at;
	rest->at += len;
	rest->left -= len;
	return bytes;
}

static uint64_t load_little(const uint8_t *bytes, unsigned count) {
	uint64_t value = 0;
	for (unsigned i = 0; i < count; i++) value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

static int64_t load_signed(const uint8_t *bytes, unsigned count) {
	unsigned above = 64 - 8 * count;
	return (int64_t)(load_little(bytes, count) << above) >> above;
}

/* 1 byte below 254, or 0xFE and 4 bytes. */
static bool take_length(struct rest *rest, size_t *len) {
	const uint8_t *first = take(rest, 1);
	if (!first || *first == END) return false;
	*len = *first;
	if (*first != LONG_LENGTH) return true;
	const uint8_t *more = take(rest, 4);
	if (more) *len = load_little(more, 4);
	return more != NULL;
}

/* Appends the next `len` bytes. */
static bool move_text(struct rest *rest, size_t len, struct pack **pack) {
	const uint8_t *text = take(rest, len);
	if (!text || !pack_fits(*pack, len, 1)) return false;
	pack_append(pack, slice_of(text, len));
	return true;
}

/* ---- Ziplist ---- */

static bool move_int(struct rest *rest, unsigned bytes, struct pack **pack) {
	const uint8_t *number = take(rest, bytes);
	if (!number || !pack_fits(*pack, bytes, 1)) return false;
	pack_append_int(pack, load_signed(number, bytes));
	return true;
}

static bool move_small_int(int64_t number, struct pack **pack) {
	if (!pack_fits(*pack, 1, 1)) return false;
	pack_append_int(pack, number);
	return true;
}

/* Encoding and data of an entry. */
static bool move_ziplist_value(struct rest *rest, struct pack **pack) {
	enum {
		INT8 = 0xFE,
		INT16 = 0xC0,
		INT24 = 0xF0,
		INT32 = 0xD0,
		INT64 = 0xE0,
		SMALL_FIRST = 0xF1,
		SMALL_LAST = 0xFD
	};
	const uint8_t *first = take(rest, 1), *more;
	if (!first) return false;
	switch (*first >> 6) {
	case 0: return move_text(rest, *first, pack);
	case 1: more = take(rest, 1); return more && move_text(rest, (size_t)(*first & 0x3F) << 8 | *more, pack);
	case 2:
		more = *first == 0x80 ? take(rest, 4) : NULL;
		return more && move_text(rest, (size_t)more[0] << 24 | more[1] << 16 | more[2] << 8 | more[3], pack);
	default: break;
	}
	switch (*first) {
	case INT8: return move_int(rest, 1, pack);
	case INT16: return move_int(rest, 2, pack);
	case INT24: return move_int(rest, 3, pack);
	case INT32: return move_int(rest, 4, pack);
	case INT64: return move_int(rest, 8, pack);
	default: break;
	}
	return *first >= SMALL_FIRST && *first <= SMALL_LAST && move_small_int(*first - SMALL_FIRST, pack);
}

static bool move_ziplist(struct slice bytes, struct pack **pack) {
	const uint8_t *data = (const uint8_t *)bytes.ptr;
	struct rest rest = { data + ZIPLIST_HEAD_BYTES, bytes.len - ZIPLIST_EMPTY_BYTES };
	size_t before = 0, count = 0, last = ZIPLIST_HEAD_BYTES;
	for (; rest.left > 0; count++) {
		const uint8_t *start = rest.at;
		size_t claimed;
		if (!take_length(&rest, &claimed) || claimed != before || !move_ziplist_value(&rest, pack))
			return false;
		before = (size_t)(rest.at - start);
		last = (size_t)(start - data);
	}
	size_t said = load_little(data + 8, 2);
	return load_little(data + 4, 4) == last && (said == COUNT_UNKNOWN || said == count);
}

struct pack *pack_from_ziplist(struct slice bytes) {
	const uint8_t *data = (const uint8_t *)bytes.ptr;
	if (bytes.len < ZIPLIST_EMPTY_BYTES || load_little(data, 4) != bytes.len || data[bytes.len - 1] != END)
		return NULL;
	struct pack *pack = pack_new();
	if (move_ziplist(bytes, &pack)) return pack;
	pack_free(pack);
	return NULL;
}

/* ---- Zipmap ---- */

static bool move_zipmap_pair(struct rest *rest, struct pack **pack) {
	size_t len;
	if (!take_length(rest, &len) || !move_text(rest, len, pack)) return false;
	if (!take_length(rest, &len)) return false;
	const uint8_t *unused = take(rest, 1);
	return unused && move_text(rest, len, pack) && take(rest, *unused);
}

struct pack *pack_from_zipmap(struct slice bytes) {
	const uint8_t *data = (const uint8_t *)bytes.ptr;
	if (bytes.len < 2 || data[bytes.len - 1] != END) return NULL;
	struct rest rest = { data + 1, bytes.len - 2 };
	struct pack *pack = pack_new();
	size_t count = 0;
	while (rest.left > 0 && move_zipmap_pair(&rest, &pack)) count++;
	if (rest.left == 0 && (data[0] >= ZIPMAP_COUNT_UNKNOWN || data[0] == count)) {
		/* A pair that failed at the very end has left half of itself. */
		if (pack_count(pack) == 2 * count) return pack;
	}
	pack_free(pack);
	return NULL;
}
