/* How entries are made and changed; for store/ only. See entry.h for the layout. */
#ifndef TARN_STORE_ENTRY_PRIVATE_H
#define TARN_STORE_ENTRY_PRIVATE_H

#include "base/alloc.h"
#include "store/entry.h"

enum {
	ENTRY_INLINE_MAX = 1024,     /* longer strings get a blob, so that APPEND and RENAME need not copy them */
	ENTRY_INLINE_FLAT_MAX = 512, /* the same for flat collections, which are copied out and in by a change */
	ENTRY_NARROW_MAX = 255,
	ENTRY_WORD_BYTES = 8,
};

/* What an entry is to hold. */
struct entry_plan {
	enum value_type type;
	unsigned encoding;
	int64_t expiry_ms; /* -1: none */
	bool is_inline;    /* the value's bytes lie in the entry */
	size_t value_len;  /* how many; 0 unless is_inline */
	bool fields_end;   /* ENTRY_FIELDS_END */
};

static inline bool entry_has(const struct entry *e, enum entry_flags flag) {
	return (e->_flags & flag) != 0;
}

static inline bool entry_is_inline(const struct entry *e) {
	return entry_has(e, ENTRY_INLINE);
}

static inline size_t entry__key_offset(const struct entry *e) {
	size_t at = sizeof(struct entry);
	if (entry_has(e, ENTRY_WIDE)) at += ENTRY_WORD_BYTES;
	if (entry_has(e, ENTRY_EXPIRES)) at += ENTRY_WORD_BYTES;
	if (!entry_is_inline(e)) at += ENTRY_WORD_BYTES;
	return at;
}

static inline size_t entry__key_len(const struct entry *e) {
	if (!entry_has(e, ENTRY_WIDE)) return e->_key_len;
	uint32_t len;
	memcpy(&len, e->_tail, sizeof(len));
	return len;
}

static inline size_t entry__inline_len(const struct entry *e) {
	if (!entry_has(e, ENTRY_WIDE)) return e->_value_len;
	uint32_t len;
	memcpy(&len, e->_tail + sizeof(len), sizeof(len));
	return len;
}

static inline char *entry__key_bytes(const struct entry *e) {
	return (char *)(uintptr_t)e + entry__key_offset(e);
}

static inline char *entry__inline_bytes(const struct entry *e) {
	return entry__key_bytes(e) + entry__key_len(e);
}

/* When something of the entry ends: the entry itself or, before it, a field of its hash; -1: nothing does. */
int64_t entry__due(const struct entry *e);

/* Bytes in use, header included. The allocation is mem_size_class of it. */
static inline size_t entry__bytes(const struct entry *e) {
	size_t bytes = entry__key_offset(e) + entry__key_len(e);
	return entry_is_inline(e) ? bytes + entry__inline_len(e) : bytes;
}

/* The value word of an entry whose string is not inline. */
static inline unsigned char *entry__word(const struct entry *e) {
	size_t at = sizeof(struct entry);
	if (entry_has(e, ENTRY_WIDE)) at += ENTRY_WORD_BYTES;
	if (entry_has(e, ENTRY_EXPIRES)) at += ENTRY_WORD_BYTES;
	return (unsigned char *)(uintptr_t)e + at;
}

static inline struct blob *entry__blob(const struct entry *e) {
	struct blob *b;
	memcpy(&b, entry__word(e), sizeof(b));
	return b;
}

static inline void entry__set_word(struct entry *e, uint64_t word) {
	memcpy(entry__word(e), &word, sizeof(word));
}

static inline void entry__set_expiry_word(struct entry *e, int64_t expiry_ms) {
	memcpy(e->_tail + (entry_has(e, ENTRY_WIDE) ? ENTRY_WORD_BYTES : 0), &expiry_ms, sizeof(expiry_ms));
}

/* Bytes that an entry of this plan takes. */
size_t entry__plan_bytes(const struct entry_plan *plan, size_t key_len);

/* Makes an entry; NULL without memory. The value word or the inline bytes are left for the caller to fill, access and
 * epoch are zero. */
struct entry *entry__new(const struct entry_plan *plan, struct slice key);

/* Gives `e` the shape of `plan` with the same key, in its own allocation when the size class stays, otherwise in a new one
 * (and frees the old). Keeps access, epoch and the flags that are not about layout or value. The value is NOT kept and not freed:
 * the caller fills it. `key` may point into `e`. NULL, `e` as it was, without memory. */
struct entry *entry__reshape(struct entry *e, const struct entry_plan *plan, struct slice key);

/* Frees the entry alone, not a blob or collection. */
void entry__free_shell(struct entry *e);

/* Frees what the value word points to; a big value in the background. */
void entry__free_value(struct entry *e);

/* Frees a collection that is not inline; a big one in the background. Leaves no data. */
void entry__drop_value(struct value *value);

/* Frees a blob; a big one in the background. */
void entry__drop_blob(struct blob *b);

/* A blob of `len` bytes (content undefined) with room for `cap`; NULL without memory. */
struct blob *blob_new(size_t len, size_t cap);
static inline size_t blob_memory(const struct blob *b) {
	return mem_size_class(sizeof(*b) + b->cap);
}

#endif
