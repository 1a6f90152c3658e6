#include "store/entry.h"

#include <assert.h>

#include "base/number.h"
#include "store/entry_private.h"
#include "store/reclaim.h"

/* A string longer than this is shown as "raw", as Redis does with what does not fit its embedded form. */
enum { EMBSTR_MAX = 44 };

/* What takes longer to free than a command should wait. */
enum { RECLAIM_BYTES = 1 << 18, RECLAIM_PIECES = 64 };

struct slice entry_key(const struct entry *e) {
	return slice_of(entry__key_bytes(e), entry__key_len(e));
}

int64_t entry_expiry(const struct entry *e) {
	if (!entry_has(e, ENTRY_EXPIRES)) return -1;
	int64_t expiry;
	memcpy(&expiry, e->_tail + (entry_has(e, ENTRY_WIDE) ? ENTRY_WORD_BYTES : 0), sizeof(expiry));
	return expiry;
}

int64_t entry_int(const struct entry *e) {
	assert(entry_type(e) == VALUE_STRING && entry_encoding(e) == STRING_INT);
	int64_t value;
	memcpy(&value, entry__word(e), sizeof(value));
	return value;
}

struct slice entry_string(const struct entry *e, char *scratch) {
	assert(entry_type(e) == VALUE_STRING);
	if (entry_is_inline(e)) return slice_of(entry__inline_bytes(e), entry__inline_len(e));
	if (entry_encoding(e) == STRING_INT) return slice_of(scratch, number_format_i64(scratch, entry_int(e)));
	const struct blob *b = entry__blob(e);
	return slice_of(b->bytes, b->len);
}

size_t entry_string_len(const struct entry *e) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	return entry_string(e, scratch).len;
}

struct value entry_value(const struct entry *e) {
	assert(entry_type(e) != VALUE_STRING);
	struct value value = { (uint8_t)entry_type(e), (uint8_t)entry_encoding(e), NULL };
	if (entry_is_inline(e))
		value.data = entry__inline_bytes(e);
	else
		memcpy(&value.data, entry__word(e), sizeof(value.data));
	return value;
}

int64_t entry__due(const struct entry *e) {
	int64_t expiry = entry_expiry(e);
	if (__builtin_expect(!entry_has(e, ENTRY_FIELDS_END), 1)) return expiry;
	struct value value = entry_value(e);
	int64_t end = value_next_end(&value);
	return expiry < 0 || (end >= 0 && end < expiry) ? end : expiry;
}

const char *entry_encoding_name(const struct entry *e) {
	if (entry_type(e) != VALUE_STRING) {
		struct value value = entry_value(e);
		return value_encoding_name(&value);
	}
	switch (entry_encoding(e)) {
	case STRING_INT: return "int";
	case STRING_INLINE: return entry__inline_len(e) <= EMBSTR_MAX ? "embstr" : "raw";
	default: return "raw";
	}
}

size_t entry_memory(const struct entry *e) {
	size_t bytes = mem_size_class(entry__bytes(e));
	if (entry_is_inline(e)) return bytes;
	if (entry_type(e) == VALUE_STRING)
		return entry_encoding(e) == STRING_BLOB ? bytes + blob_memory(entry__blob(e)) : bytes;
	struct value value = entry_value(e);
	return bytes + value_memory(&value);
}

static bool plan_is_wide(const struct entry_plan *plan, size_t key_len) {
	return key_len > ENTRY_NARROW_MAX || plan->value_len > ENTRY_NARROW_MAX;
}

size_t entry__plan_bytes(const struct entry_plan *plan, size_t key_len) {
	size_t bytes = sizeof(struct entry) + key_len;
	if (plan_is_wide(plan, key_len)) bytes += ENTRY_WORD_BYTES;
	if (plan->expiry_ms >= 0) bytes += ENTRY_WORD_BYTES;
	return bytes + (plan->is_inline ? plan->value_len : ENTRY_WORD_BYTES);
}

/* Flags that follow from the layout and the value; the others are kept. */
enum { SHAPE_FLAGS = ENTRY_WIDE | ENTRY_EXPIRES | ENTRY_INLINE | ENTRY_FIELDS_END };

/* Writes everything but the value. The key may lie in `e` already, at another place. */
static void write_shape(struct entry *e, const struct entry_plan *plan, struct slice key) {
	uint8_t layout = 0;
	if (plan_is_wide(plan, key.len)) layout |= ENTRY_WIDE;
	if (plan->expiry_ms >= 0) layout |= ENTRY_EXPIRES;
	if (plan->is_inline) layout |= ENTRY_INLINE;
	if (plan->fields_end) layout |= ENTRY_FIELDS_END;
	e->_flags = (uint8_t)((e->_flags & ~SHAPE_FLAGS) | layout);
	e->_type_encoding = (uint8_t)(plan->type | plan->encoding << 4);
	if (key.len) memmove(entry__key_bytes(e), key.ptr, key.len);
	if (layout & ENTRY_WIDE) {
		uint32_t lengths[2] = { (uint32_t)key.len, (uint32_t)plan->value_len };
		memcpy(e->_tail, lengths, sizeof(lengths));
	} else {
		e->_key_len = (uint8_t)key.len;
		e->_value_len = (uint8_t)plan->value_len;
	}
	if (layout & ENTRY_EXPIRES) entry__set_expiry_word(e, plan->expiry_ms);
}

struct entry *entry__new(const struct entry_plan *plan, struct slice key) {
	assert(key.len <= UINT32_MAX && plan->value_len <= UINT32_MAX);
	/* The whole size class is ours by contract, not by the allocator's grace: entry__reshape uses it in place. */
	struct entry *e = mem_try_alloc(mem_size_class(entry__plan_bytes(plan, key.len)));
	if (!e) return NULL;
	memset(e, 0, sizeof(*e));
	write_shape(e, plan, key);
	return e;
}

struct entry *entry__reshape(struct entry *e, const struct entry_plan *plan, struct slice key) {
	if (mem_size_class(entry__bytes(e)) == mem_size_class(entry__plan_bytes(plan, key.len))) {
		write_shape(e, plan, key);
		return e;
	}
	struct entry *fresh = entry__new(plan, key);
	if (!fresh) return NULL;
	fresh->_flags |= (uint8_t)(e->_flags & ~SHAPE_FLAGS);
	fresh->_epoch = e->_epoch;
	memcpy(fresh->_access, e->_access, sizeof(e->_access));
	entry__free_shell(e);
	return fresh;
}

void entry__free_shell(struct entry *e) {
	mem_free_sized(e, mem_size_class(entry__bytes(e)));
}

struct blob *blob_new(size_t len, size_t cap) {
	assert(len <= cap);
	struct blob *b = mem_try_alloc(sizeof(*b) + cap);
	if (!b) return NULL;
	b->len = len;
	b->cap = cap;
	return b;
}

void entry__drop_blob(struct blob *b) {
	if (b->cap >= RECLAIM_BYTES)
		reclaim_later(mem_free, b);
	else
		mem_free(b);
}

static void release_later(void *what) {
	value_release(what);
	mem_free(what);
}

void entry__drop_value(struct value *value) {
	if (value_pieces(value) < RECLAIM_PIECES && value_memory(value) < RECLAIM_BYTES) {
		value_release(value);
		return;
	}
	struct value *job = mem_alloc(sizeof(*job));
	*job = *value;
	value->data = NULL;
	reclaim_later(release_later, job);
}

void entry__free_value(struct entry *e) {
	if (entry_is_inline(e)) return;
	if (entry_type(e) != VALUE_STRING) {
		struct value value = entry_value(e);
		entry__drop_value(&value);
	} else if (entry_encoding(e) == STRING_BLOB) {
		entry__drop_blob(entry__blob(e));
	}
}
