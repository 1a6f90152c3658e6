/* pack: a flat sequence of small strings and integers in one allocation; the small form of every collection.
 *
 * Its bytes are those of a *listpack* in RDB files, so small values are saved and loaded as they lie in memory:
 *
 *   offset size
 *        0    4  bytes in all, this head and the end byte included; little-endian
 *        4    2  entries; 65535 when there are that many or more, then they must be counted
 *        6       entries
 *     last    1  0xFF
 *
 * An entry is its encoding, its data, and the length of both once more behind them, for walking backwards:
 *
 *   first byte  data                                      the encoding of
 *   0xxxxxxx    none                                      0 to 127
 *   110xxxxx    1 byte, low bits of a signed 13-bit int   -4096 to 4095
 *   0xF1        2 bytes, like those below little-endian   16-bit integers
 *   0xF2        3 bytes                                   24-bit integers
 *   0xF3        4 bytes                                   32-bit integers
 *   0xF4        8 bytes                                   64-bit integers
 *   10xxxxxx    that many bytes                           strings up to 63 bytes
 *   1110xxxx    1 byte, low bits of a 12-bit length; text strings up to 4095 bytes
 *   0xF0        4 bytes length; text                      longer strings
 *
 * The length behind an entry has seven bits per byte, the lowest seven in the last byte; each byte but the first has
 * its top bit set. "a" is 81 61 02; 4096 is F1 00 10 03; 64 times "x" is E0 40 78…78 42.
 *
 * A string that is the canonical decimal form of a 64-bit integer is stored as that integer, always, and reads back
 * the same. An *entry* is named by its position `at`: the offset of its first byte; 0 is no entry. Positions stay
 * valid until the pack changes, and for entries before the place of a change also after it.
 *
 * Calls that change a pack take the pointer to the owner's pointer, because the bytes may move. A value that is put
 * in must not lie in the same pack. A pack has at most PACK_MAX_BYTES, which pack_fits tells before; to put in more
 * ends the process, as does having no memory. Everything here is single-threaded and, unless noted, O(bytes). */
#ifndef TARN_CONTAINERS_PACK_H
#define TARN_CONTAINERS_PACK_H

#include "base/bytes.h"
#include "base/number.h"

enum {
	PACK_HEAD_BYTES = 6,
	PACK_EMPTY_BYTES = 7,
	/* What an entry takes beside the bytes of its string, at most. */
	PACK_ENTRY_EXTRA_BYTES = 10,
	PACK_MAX_BYTES = 1 << 30,
	PACK_SCRATCH_BYTES = NUMBER_I64_MAX_CHARS + 1,
};

struct pack {
	/* Private. */
	uint8_t _total[4];
	uint8_t _count[2];
	uint8_t _entries[];
};

/* ---- The whole ---- */

struct pack *pack_new(void);
struct pack *pack_copy(const struct pack *pack);
/* From the bytes of one, for which pack_validate(…, PACK_DEEP) said yes. Copies them. */
struct pack *pack_from_bytes(struct slice bytes);
void pack_free(struct pack *pack); /* NULL is fine */

/* Whether the bytes are a pack. PACK_SHALLOW looks at head and end only and is enough for bytes of our own making;
 * PACK_DEEP makes sure that any call below is safe on it, whoever wrote it. */
enum pack_depth { PACK_SHALLOW, PACK_DEEP };
bool pack_validate(const void *bytes, size_t len, enum pack_depth depth);

static inline size_t pack_bytes(const struct pack *pack) { /* O(1) */
	const uint8_t *total = pack->_total;
	return (size_t)total[0] | (size_t)total[1] << 8 | (size_t)total[2] << 16 | (size_t)total[3] << 24;
}
size_t pack_count(const struct pack *pack);     /* entries; O(1) below 65535 of them */
bool pack_is_empty(const struct pack *pack);    /* O(1) */
struct slice pack_raw(const struct pack *pack); /* the bytes, for RDB; valid until the pack changes */
size_t pack_memory(const struct pack *pack);    /* what the allocator gives for it, at least; O(1) */

/* Whether values of `len` bytes altogether, in `values` entries, can be put in. O(1). */
bool pack_fits(const struct pack *pack, size_t len, size_t values);

/* ---- Walking ---- */

/* for (size_t at = pack_first(pack); at; at = pack_next(pack, at)) … */
size_t pack_first(const struct pack *pack);           /* O(1) */
size_t pack_last(const struct pack *pack);            /* O(1) */
size_t pack_next(const struct pack *pack, size_t at); /* O(1); 0 behind the last */
size_t pack_prev(const struct pack *pack, size_t at); /* O(1); 0 before the first */
/* Entry `index` from 0, or from the end: -1 is the last. 0 when there is none. Walks from the nearer end. */
size_t pack_nth(const struct pack *pack, int64_t index);

/* ---- Reading an entry; O(1) unless noted ---- */

struct pack_value {
	struct slice text; /* ptr NULL: it is `number` */
	int64_t number;
};
struct pack_value pack_get(const struct pack *pack, size_t at);
static inline bool pack_value_is_int(struct pack_value value) {
	return value.text.ptr == NULL;
}

/* Reads the entry at *at and those that follow, up to `most`; how many. *at is then the one behind them, or 0. */
size_t pack_read(const struct pack *pack, size_t *at, struct pack_value *values, size_t most);
/* The same towards the front. */
size_t pack_read_back(const struct pack *pack, size_t *at, struct pack_value *values, size_t most);

/* The entry as bytes; an integer is printed to `scratch`. Valid until the pack changes or `scratch` goes. */
struct slice pack_text(const struct pack *pack, size_t at, char scratch[static PACK_SCRATCH_BYTES]);
/* The length of pack_text. */
size_t pack_text_len(const struct pack *pack, size_t at);

bool pack_equal(const struct pack *pack, size_t at, struct slice value);
/* As slice_compare(pack_text, value). */
int pack_compare(const struct pack *pack, size_t at, struct slice value);

/* The first entry that equals `value`, among `from` and those that follow at a distance of `skip` entries in between: 0
 * looks at each, 1 at each second one (the fields of a hash). 0 when none does, or `from` is 0. */
size_t pack_find(const struct pack *pack, size_t from, struct slice value, unsigned skip);

/* ---- Changing ---- */

void pack_append(struct pack **pack, struct slice value);
void pack_append_int(struct pack **pack, int64_t value);
/* The same as one pack_append after another, with one allocation. */
void pack_append_many(struct pack **pack, const struct slice *values, size_t count);
/* The same for values of both kinds: those whose `text.ptr` is NULL are numbers. */
void pack_append_values(struct pack **pack, const struct pack_value *values, size_t count);
void pack_prepend(struct pack **pack, struct slice value);
void pack_prepend_int(struct pack **pack, int64_t value);

/* The new entry is at `at`, and the one that was there follows it. */
void pack_insert_before(struct pack **pack, size_t at, struct slice value);
void pack_insert_int_before(struct pack **pack, size_t at, int64_t value);
/* Returns the position of the new entry. */
size_t pack_insert_after(struct pack **pack, size_t at, struct slice value);
size_t pack_insert_int_after(struct pack **pack, size_t at, int64_t value);

/* The new entry is at `at`. */
void pack_replace(struct pack **pack, size_t at, struct slice value);
void pack_replace_int(struct pack **pack, size_t at, int64_t value);

/* Return the position of what followed what is gone (that is `at`), 0 when nothing did. */
size_t pack_delete(struct pack **pack, size_t at);
/* Deletes `at` and what follows, `count` entries or as many as there are. */
size_t pack_delete_range(struct pack **pack, size_t at, size_t count);

/* Appends all entries of `from`, another pack, which stays as it is. */
void pack_merge(struct pack **into, const struct pack *from);
/* Moves `at` and what follows to a pack of its own, which is returned. */
struct pack *pack_split(struct pack **pack, size_t at);

#endif
