/* The two steps of the command table's perfect hash, inline so that the generated look-up folds its constants in.
 *
 * A name's first eight bytes, as one word with the letters' case bit set, times a constant that the generator searched
 * for, give its slot in the upper bits; longer names mix in their last eight bytes. The slot's command is then compared
 * once. Any bytes may come in: what is not in the table at worst costs the comparison. src/commands/generator/emit_c.py
 * does the same sums. */
#ifndef TARN_SERVER_COMMAND_LOOKUP_H
#define TARN_SERVER_COMMAND_LOOKUP_H

#include <assert.h>

#include "base/bytes.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the generated words are little endian");

/* What a name is compared with: its first eight bytes in lower case, and the case bits of those that are letters. */
struct command_probe {
	uint64_t word;
	uint64_t letters;
	const char *name;
	size_t len;
};

#define COMMAND_CASE_BITS 0x2020202020202020u

/* The first eight bytes; zeros behind a shorter name. Reads no byte beyond it. */
static inline uint64_t command_name_word(struct slice name) {
	uint64_t word = 0;
	if (__builtin_expect(name.len >= 8, 0)) {
		memcpy(&word, name.ptr, 8);
	} else if (name.len >= 4) {
		/* Two loads that overlap; the bytes they share are the same in both. */
		uint32_t low, high;
		memcpy(&low, name.ptr, 4);
		memcpy(&high, name.ptr + name.len - 4, 4);
		word = low | (uint64_t)high << ((name.len - 4) * 8);
	} else if (name.len > 0) {
		const uint8_t *bytes = (const uint8_t *)name.ptr;
		word = bytes[0] | (uint64_t)bytes[name.len / 2] << (name.len / 2 * 8) |
		       (uint64_t)bytes[name.len - 1] << ((name.len - 1) * 8);
	}
	return word;
}

/* `word` is command_name_word(name), here and below. */
static inline unsigned command_hash_slot(struct slice name, uint64_t word, uint64_t multiplier, unsigned shift) {
	if (name.len > 8) {
		uint64_t tail;
		memcpy(&tail, name.ptr + name.len - 8, 8);
		tail |= COMMAND_CASE_BITS;
		word ^= tail << 29 | tail >> 35;
	}
	return (unsigned)(((word | COMMAND_CASE_BITS) * multiplier) >> shift);
}

/* Whether `name` is the one that `p` is the probe of, in any case. Setting a case bit makes a lower-case letter of nothing
 * but a letter, and the bytes that are no letters are compared as they are: so the comparison is exact. */
static inline bool command_probe_matches(const struct command_probe *p, struct slice name, uint64_t word) {
	if (name.len != p->len || (word | p->letters) != p->word) return false;
	if (name.len <= 8) return true;
	return slice_equal_nocase(slice_of(name.ptr + 8, name.len - 8), slice_of(p->name + 8, name.len - 8));
}

#endif
