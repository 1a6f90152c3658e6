/* How a set's table holds its members. For set*.c only.
 *
 * An item is a word of 48 bits that is either the member itself or the address of a piece of memory. Pieces are 16-aligned, as
 * every allocation of 16 bytes and more, so the low four bits of the word are free to say what it is:
 *
 *   tag     the member                          the other bits
 *    0      text of any length                  address of: its length, seven bits per byte, low ones first; the text
 *    1…11   text of 6…16 bytes                  address of the text, 16 bytes
 *   12      a number that 43 bits do not hold   address of the number, 16 bytes
 *   13      text of 32 bytes                    address of the text, 32 bytes
 *   14      text of 64 bytes                    address of the text, 64 bytes
 *   15      bit 4 set: a number                 bits 5 to 47: the number
 *           else: text of at most 5 bytes       bits 5 to 7: its length; bits 8 to 47: the text, zeros behind it
 *
 * So small numbers and words need no memory beside the table's own 11 bytes, and a member of 16 bytes takes 16 more.
 *
 * A member has exactly one such form: text that is the canonical decimal form of a 64-bit integer is held as that number.
 * So most comparisons are one of words. A *key* is a member that is looked for, put in, or on its way from one set to another,
 * with its hash; the hash of a member is the same in every set. */
#ifndef TARN_TYPES_SET_ITEM_H
#define TARN_TYPES_SET_ITEM_H

#include "base/bytes.h"
#include "base/hash.h"
#include "base/number.h"

enum {
	SET__TAG_LONG = 0,
	SET__TAG_NUMBER = 12,
	SET__TAG_32 = 13,
	SET__TAG_64 = 14,
	SET__TAG_WORD = 15,
	SET__TAGS = 16,
	SET__TAG_MASK = SET__TAGS - 1,
	SET__WORD_IS_NUMBER = 1 << 4,
	SET__WORD_TEXT_MAX = 5,
	SET__SHORT_MAX = 16,
	SET__WORD_SHIFT = 5, /* of a number, and of a text's length */
	SET__WORD_BITS = 48,
	SET__SCRATCH_BYTES = NUMBER_I64_MAX_CHARS + 1,
};

struct set_key {
	uint64_t word; /* with SET__TAG_WORD all of the item, else its tag alone */
	uint64_t hash;
	int64_t number; /* when is_number */
	bool is_number;
	struct slice text; /* unless is_number or SET__TAG_WORD */
};

static inline unsigned set__tag(uint64_t word) {
	return (unsigned)word & SET__TAG_MASK;
}

/* The length of the text that a tag stands for; 0 when it is none of those. */
static inline size_t set__tag_len(unsigned tag) {
	static const uint8_t lens[SET__TAGS] = { 0, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, 32, 64, 0 };
	return lens[tag];
}

static inline unsigned set__tag_of_len(size_t len) {
	if (len <= SET__SHORT_MAX) return (unsigned)len - SET__WORD_TEXT_MAX;
	if (len == 32) return SET__TAG_32;
	return len == 64 ? SET__TAG_64 : SET__TAG_LONG;
}

/* ---- Keys ---- */

/* `hashed` is a constant: callers that only pass a member on need no hash. */
static inline struct set_key set__key_of_number(int64_t number, bool hashed) {
	struct set_key key = { .number = number, .is_number = true };
	uint64_t shifted = (uint64_t)number << (64 - SET__WORD_BITS + SET__WORD_SHIFT);
	if ((int64_t)shifted >> (64 - SET__WORD_BITS + SET__WORD_SHIFT) == number) {
		key.word = shifted >> (64 - SET__WORD_BITS) | SET__WORD_IS_NUMBER | SET__TAG_WORD;
	} else {
		key.word = SET__TAG_NUMBER;
	}
	if (hashed) key.hash = hash_bytes(&number, sizeof(number));
	return key;
}

/* Of text that is no number. */
static inline struct set_key set__key_of_text(struct slice text, bool hashed) {
	struct set_key key = { .text = text };
	if (text.len <= SET__WORD_TEXT_MAX) {
		uint64_t bytes = 0;
		if (text.len > 0) memcpy(&bytes, text.ptr, text.len);
		key.word = bytes << 8 | text.len << SET__WORD_SHIFT | SET__TAG_WORD;
	} else {
		key.word = set__tag_of_len(text.len);
	}
	if (hashed) key.hash = hash_slice(text);
	return key;
}

/* A look at both ends spares most text the attempt to read it as a number. */
static inline bool set__read_number(struct slice text, int64_t *number) {
	if (text.len == 0 || text.len > NUMBER_I64_MAX_CHARS) return false;
	if ((unsigned char)(text.ptr[text.len - 1] - '0') > 9) return false;
	if ((unsigned char)(text.ptr[0] - '0') > 9 && text.ptr[0] != '-') return false;
	return number_parse_i64(text, number);
}

static inline struct set_key set__key_of(struct slice member, bool hashed) {
	int64_t number;
	if (set__read_number(member, &number)) return set__key_of_number(number, hashed);
	return set__key_of_text(member, hashed);
}

/* The member as bytes; a number is printed to `scratch`. Valid as long as the key, what it was made of, and `scratch`. */
static inline struct slice set__key_text(const struct set_key *key, char scratch[static SET__SCRATCH_BYTES]) {
	if (key->is_number) return slice_of(scratch, number_format_i64(scratch, key->number));
	if (set__tag(key->word) == SET__TAG_WORD)
		return slice_of((const char *)&key->word + 1, (key->word >> SET__WORD_SHIFT) & 7);
	return key->text;
}

/* The hash of a key that was made without one. */
static inline uint64_t set__key_hash(const struct set_key *key) {
	if (key->is_number) return hash_bytes(&key->number, sizeof(key->number));
	char scratch[SET__SCRATCH_BYTES];
	return hash_slice(set__key_text(key, scratch));
}

/* ---- Items ---- */

static inline uint64_t set__word(const void *item) {
	return (uint64_t)(uintptr_t)item;
}

static inline const unsigned char *set__piece(uint64_t word) {
	return (const unsigned char *)(uintptr_t)(word & ~(uint64_t)SET__TAG_MASK);
}

/* The text behind a length. */
static inline struct slice set__long_text(const unsigned char *piece) {
	size_t len = *piece & 0x7f;
	for (unsigned shift = 7; *piece++ & 0x80; shift += 7) len |= (size_t)(*piece & 0x7f) << shift;
	return slice_of(piece, len);
}

/* The key of an item, which refers to the item's piece. */
static inline struct set_key set__key_of_item(const void *item, bool hashed) {
	uint64_t word = set__word(item);
	unsigned tag = set__tag(word);
	if (tag == SET__TAG_WORD && word & SET__WORD_IS_NUMBER) {
		unsigned unused = 64 - SET__WORD_BITS;
		return set__key_of_number((int64_t)(word << unused) >> (unused + SET__WORD_SHIFT), hashed);
	}
	if (tag == SET__TAG_NUMBER) {
		int64_t number;
		memcpy(&number, set__piece(word), sizeof(number));
		return set__key_of_number(number, hashed);
	}
	if (tag == SET__TAG_WORD) {
		struct set_key key = { .word = word };
		char text[8];
		memcpy(text, &word, sizeof(text));
		if (hashed) key.hash = hash_bytes(text + 1, (word >> SET__WORD_SHIFT) & 7);
		return key;
	}
	struct slice text = tag ? slice_of(set__piece(word), set__tag_len(tag)) : set__long_text(set__piece(word));
	struct set_key key = { .word = tag, .text = text };
	if (hashed) key.hash = hash_slice(text);
	return key;
}

/* For the table. */
static inline uint64_t set__item_hash(const void *item) {
	return set__key_of_item(item, true).hash;
}

/* Whether an item is the member `key`. For the table. */
static inline bool set__item_is(const void *item, const void *key) {
	const struct set_key *wanted = key;
	uint64_t word = set__word(item);
	unsigned tag = set__tag(word);
	if (tag == SET__TAG_WORD) return word == wanted->word;
	if (tag != wanted->word) return false;
	if (tag == SET__TAG_NUMBER) return memcmp(set__piece(word), &wanted->number, sizeof(wanted->number)) == 0;
	if (tag == SET__TAG_LONG) return slice_equal(set__long_text(set__piece(word)), wanted->text);
	return memcmp(set__piece(word), wanted->text.ptr, wanted->text.len) == 0;
}

/* A new item for the member. NULL without memory. */
void *set__item_new(const struct set_key *key);
void set__item_free(void *item);
/* The bytes of its piece, as mem_size_class; 0 when it has none. */
size_t set__item_bytes(const void *item);

#endif
