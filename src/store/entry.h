/* One key: header, key bytes, optional expiry, value.
 *
 * An entry is one allocation; a short string lies in it. Layout, in this order (offsets follow from the header):
 *
 *   size  meaning
 *   8     header, see struct entry
 *   8     wide lengths: u32 key length, u32 value length     only with ENTRY_WIDE (key or inline value > 255 bytes)
 *   8     expiry, milliseconds since 1970                    only with ENTRY_EXPIRES
 *   8     value word: an integer, or a pointer to the value  unless ENTRY_INLINE
 *   n     key bytes
 *   m     value bytes                                        only with ENTRY_INLINE: a string or a flat collection
 *
 * "key:000000000001" with 64 bytes of value takes 88 bytes, 96 with an expiry: both the allocator's class of 96.
 *
 * Entries are reached under the gate of their shard only; nothing here locks. Only store/ changes an entry; commands go
 * through store.h. */
#ifndef TARN_STORE_ENTRY_H
#define TARN_STORE_ENTRY_H

#include "base/bytes.h"
#include "types/value.h"

/* How a string is held. Other types define their own encodings from 0 in their headers (types/). */
enum string_encoding {
	STRING_INT,    /* the value word is the number */
	STRING_INLINE, /* bytes lie in the entry */
	STRING_EDITED, /* the same, after APPEND, SETRANGE or SETBIT: users see "raw" however short it is */
	STRING_BLOB,   /* the value word points to a struct blob */
};

enum entry_flags {
	ENTRY_WIDE = 1 << 0,
	ENTRY_EXPIRES = 1 << 1,
	ENTRY_WATCHED = 1 << 2, /* kept through every change of shape: for what must know that an entry changes */
	ENTRY_INLINE = 1 << 3,  /* the value's bytes lie in the entry */
	ENTRY_FIELDS_END =
		1 << 4, /* a hash with fields that have an end of their own: value_next_end tells the first */
};

struct entry {
	uint8_t _type_encoding; /* type in the low, encoding in the high four bits */
	uint8_t _flags;
	uint8_t _epoch;     /* of the last snapshot that has this entry */
	uint8_t _access[3]; /* LRU clock in seconds, or LFU: 16 bits of minutes and 8 of counter */
	uint8_t _key_len;
	uint8_t _value_len;
	unsigned char _tail[];
};
_Static_assert(sizeof(struct entry) == 8, "the header is one word");

/* A string that has an allocation of its own, with room to grow. */
struct blob {
	size_t len;
	size_t cap;
	char bytes[];
};

static inline enum value_type entry_type(const struct entry *e) {
	return (enum value_type)(e->_type_encoding & 15);
}

static inline unsigned entry_encoding(const struct entry *e) {
	return e->_type_encoding >> 4;
}

struct slice entry_key(const struct entry *e);

/* Milliseconds since 1970, or -1 for none. */
int64_t entry_expiry(const struct entry *e);

/* The bytes of a string value. An integer is printed to `scratch` (NUMBER_I64_MAX_CHARS + 1 bytes). Valid until the
 * entry changes or `scratch` goes. Requires entry_type(e) == VALUE_STRING. */
struct slice entry_string(const struct entry *e, char *scratch);

/* The same, its length only. */
size_t entry_string_len(const struct entry *e);

/* The integer of a string in encoding STRING_INT. */
int64_t entry_int(const struct entry *e);

/* A collection, for reading only; valid until the entry changes. Its data may lie in the entry, at any alignment.
 * Requires entry_type(e) != VALUE_STRING. */
struct value entry_value(const struct entry *e);

/* The word that OBJECT ENCODING answers. */
const char *entry_encoding_name(const struct entry *e);

/* What the entry and its value take, in bytes of the allocator, exactly. O(1). */
size_t entry_memory(const struct entry *e);

#endif
