#include "types/set_item.h"

#include <assert.h>

#include "base/alloc.h"

enum { LENGTH_MAX_BYTES = 10 };

/* Writes a length as long items have it; returns its bytes. */
static size_t put_length(unsigned char *at, size_t len) {
	size_t bytes = 0;
	for (; len > 0x7f; len >>= 7) at[bytes++] = (unsigned char)((len & 0x7f) | 0x80);
	at[bytes++] = (unsigned char)len;
	return bytes;
}

static void *long_item(struct slice text) {
	unsigned char length[LENGTH_MAX_BYTES];
	size_t head = put_length(length, text.len);
	unsigned char *piece = mem_try_alloc(head + text.len);
	if (!piece) return NULL;
	memcpy(piece, length, head);
	memcpy(piece + head, text.ptr, text.len);
	return piece;
}

void *set__item_new(const struct set_key *key) {
	unsigned tag = set__tag(key->word);
	if (tag == SET__TAG_WORD) return (void *)(uintptr_t)key->word;
	if (tag == SET__TAG_LONG) return long_item(key->text);
	unsigned char *piece = mem_alloc(key->text.len > SET__SHORT_MAX ? key->text.len : SET__SHORT_MAX);
	assert((set__word(piece) & SET__TAG_MASK) == 0);
	if (tag == SET__TAG_NUMBER) {
		memcpy(piece, &key->number, sizeof(key->number));
	} else {
		memcpy(piece, key->text.ptr, key->text.len);
	}
	return piece + tag;
}

static size_t asked_bytes(uint64_t word) {
	unsigned tag = set__tag(word);
	if (tag == SET__TAG_WORD) return 0;
	if (tag == SET__TAG_32 || tag == SET__TAG_64) return set__tag_len(tag);
	if (tag != SET__TAG_LONG) return SET__SHORT_MAX;
	struct slice text = set__long_text(set__piece(word));
	return (size_t)((const unsigned char *)text.ptr - set__piece(word)) + text.len;
}

size_t set__item_bytes(const void *item) {
	size_t bytes = asked_bytes(set__word(item));
	return bytes ? mem_size_class(bytes) : 0;
}

void set__item_free(void *item) {
	uint64_t word = set__word(item);
	size_t bytes = asked_bytes(word);
	if (bytes) mem_free_sized((void *)(uintptr_t)(word & ~(uint64_t)SET__TAG_MASK), bytes);
}
