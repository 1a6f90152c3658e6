/* Collections as RDB files and DUMP payloads hold them: a byte that says which kind it is, and the bytes of the value, on the
 * primitives of serial.h.
 *
 * What is saved can be read by Redis 7.0 (RDB version 10) but for a hash whose fields have ends of their own, which needs 7.4
 * (RDB version 12). What is loaded may come from any Redis from 2.6 to 8. Source: the published RDB file format.
 *
 * Loading takes nothing for granted. Whatever is no proper value (a member twice, a wrong order, a count that is not so,
 * nothing at all, a score that is no number) is refused, and what is loaded has the form that the limits ask for. */
#ifndef TARN_TYPES_VALUE_SERIAL_H
#define TARN_TYPES_VALUE_SERIAL_H

#include "types/serial.h"
#include "types/value.h"

/* The kinds. A string (entry_serial.h) is a primitive and no collection. */
enum serial_kind {
	SERIAL_STRING = 0,
	SERIAL_LIST = 1,        /* count, elements */
	SERIAL_SET = 2,         /* count, members */
	SERIAL_ZSET_OLD = 3,    /* count, members with old doubles */
	SERIAL_HASH = 4,        /* count, fields with values */
	SERIAL_ZSET = 5,        /* count, members with doubles */
	SERIAL_HASH_ZIPMAP = 9, /* from here to 13, and 16, 17 and 20: a string that holds all of it */
	SERIAL_LIST_ZIPLIST = 10,
	SERIAL_SET_INTSET = 11,
	SERIAL_ZSET_ZIPLIST = 12,
	SERIAL_HASH_ZIPLIST = 13,
	SERIAL_LIST_ZIPLISTS = 14, /* count, ziplists */
	SERIAL_STREAM_5_0 = 15,
	SERIAL_HASH_PACK = 16,
	SERIAL_ZSET_PACK = 17,
	SERIAL_LIST_PACKS = 18, /* count, nodes: 1 and an element, or 2 and a pack of elements */
	SERIAL_STREAM_7_0 = 19,
	SERIAL_SET_PACK = 20,
	SERIAL_STREAM_7_2 = 21,
	SERIAL_HASH_ENDS_RC = 22, /* count, ends with fields and values; an end is a length in ms, 0 for none */
	SERIAL_HASH_PACK_ENDS_RC = 23,
	SERIAL_HASH_ENDS = 24, /* the earliest end, count, the same; ends are counted from one before the earliest */
	SERIAL_HASH_PACK_ENDS = 25, /* the earliest end, a pack of fields, values and ends */
};

/* Which kind it is saved as, and the first RDB version that knows that: 10 or 12. O(1). */
enum serial_kind value_serial_kind(const struct value *value);
unsigned value_serial_version(const struct value *value);

/* Writes it as that kind. O(bytes). */
void value_save(struct serial_writer *w, const struct value *value);

/* Reads a collection of that kind. False, nothing made, when the bytes are none of it, the kind is not one of these, or there is
 * no memory. What comes behind its last byte is left to the caller. */
__attribute__((warn_unused_result)) bool value_load(
	struct serial_reader *r, unsigned kind, const struct type_limits *limits, struct value *value);

#endif
