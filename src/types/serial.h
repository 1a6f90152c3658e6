/* The bytes that values are made of in RDB files and DUMP payloads: lengths, strings, doubles, times.
 *
 *   a length        00xxxxxx                      0 to 63
 *                   01xxxxxx, 1 byte              14 bits, high byte first
 *                   10000000, 4 bytes             32 bits, high byte first
 *                   10000001, 8 bytes             64 bits, high byte first
 *   a string        length, bytes
 *                   11000000, 1 byte              a signed integer, to be read as its decimal digits
 *                   11000001, 2 bytes             the same; low byte first, as all that follows
 *                   11000010, 4 bytes             the same
 *                   11000011, length n, length m, n bytes    LZF: becomes m bytes
 *   a double        8 bytes                       IEEE 754
 *   an old double   1 byte n, n characters        253: nan, 254: inf, 255: -inf, nothing follows
 *   a time          8 bytes                       milliseconds, signed
 *
 * "a" is 01 61; "12" is C0 0C; 300 is a length of 41 2C. Source: the published RDB file format. LZF: liblzf.
 *
 * Writing appends to a buffer and cannot fail. Reading takes nothing for granted: whatever the bytes are, nothing outside of
 * them is read, and what is allocated for them has a bound that follows from how many there are. */
#ifndef TARN_TYPES_SERIAL_H
#define TARN_TYPES_SERIAL_H

#include "base/buffer.h"
#include "base/bytes.h"

/* ---- Writing ---- */

enum serial_writer_flags { SERIAL_COMPRESS = 1 << 0 }; /* rdbcompression: LZF for strings that it makes shorter */

struct serial_writer {
	struct buffer *out; /* the caller's */
	unsigned flags;
};

void serial_put_byte(struct serial_writer *w, uint8_t byte);
void serial_put_length(struct serial_writer *w, uint64_t length);
/* In the shortest form: as an integer when it is the canonical form of one of 32 bits, compressed when that helps (and
 * it has more than 20 bytes), or as it is. */
void serial_put_string(struct serial_writer *w, struct slice text);
/* A string that is this number. */
void serial_put_int_string(struct serial_writer *w, int64_t number);
void serial_put_double(struct serial_writer *w, double number);
void serial_put_ms(struct serial_writer *w, int64_t ms);
/* Bytes without a length (stream IDs in pending lists). */
void serial_put_raw(struct serial_writer *w, const void *bytes, size_t len);

/* ---- Reading ----
 * Once a call has failed, all later ones fail too, so a row of them may be asked once, at its end. A failed call leaves
 * what it should set untouched. */

struct serial_reader {
	/* Private. */
	const unsigned char *_at;
	size_t _left;
	bool _failed;
};

static inline struct serial_reader serial_reader_of(struct slice bytes) {
	return (struct serial_reader){ (const unsigned char *)bytes.ptr, bytes.len, false };
}

static inline size_t serial_left(const struct serial_reader *r) {
	return r->_left;
}
static inline bool serial_failed(const struct serial_reader *r) {
	return r->_failed;
}
/* What a reader of values says about bytes that it does not like. Always false. */
bool serial_refuse(struct serial_reader *r);

/* A string that was read. All zero at first; may be read into again and again; released once. `bytes` is valid until then,
 * and as long as what is read from. */
struct serial_text {
	struct slice bytes;
	struct buffer _own;
};
void serial_text_release(struct serial_text *text);

bool serial_get_byte(struct serial_reader *r, uint8_t *byte);
/* A length that is no string's encoding. Nothing is said about how much there is. */
bool serial_get_length(struct serial_reader *r, uint64_t *length);
/* The same, of things that take at least `bytes_each` bytes of what is left; more than fit are refused. So it is fine to
 * have memory for that many. */
bool serial_get_count(struct serial_reader *r, size_t bytes_each, size_t *count);
bool serial_get_string(struct serial_reader *r, struct serial_text *text);
bool serial_get_double(struct serial_reader *r, double *number);     /* any, NaN too */
bool serial_get_old_double(struct serial_reader *r, double *number); /* the same */
bool serial_get_ms(struct serial_reader *r, int64_t *ms);
bool serial_get_raw(struct serial_reader *r, void *bytes, size_t len);

#endif
