/* A growable run of bytes that its owner appends to.
 *
 * All zero is a valid empty buffer that owns nothing. Appending aborts the process when memory is exhausted (replies
 * and lines are bounded by limits that are checked elsewhere); sizes that a client chose go through
 * buffer_try_reserve first. Not for sharing between threads. */
#ifndef TARN_BASE_BUFFER_H
#define TARN_BASE_BUFFER_H

#include "base/bytes.h"

struct buffer {
	char *data;
	size_t len; /* bytes in use */
	size_t cap; /* bytes allocated */
};

void buffer_release(struct buffer *b);

/* Room for `more` bytes beyond len; the slow half of buffer_reserve. */
void buffer_grow(struct buffer *b, size_t more);

/* As buffer_reserve, but false, nothing changed, when the memory cannot be had. */
__attribute__((warn_unused_result)) bool buffer_try_reserve(struct buffer *b, size_t more);

/* A pointer to at least `more` writable bytes behind the content; add what was used to len. */
static inline char *buffer_reserve(struct buffer *b, size_t more) {
	/* One byte more than asked for, so that even nothing is reserved in memory and not behind a null pointer. */
	if (__builtin_expect(b->cap - b->len <= more, 0)) buffer_grow(b, more + 1);
	return b->data + b->len;
}

static inline void buffer_append(struct buffer *b, const void *bytes, size_t len) {
	if (len == 0) return;
	memcpy(buffer_reserve(b, len), bytes, len);
	b->len += len;
}

static inline void buffer_append_slice(struct buffer *b, struct slice s) {
	buffer_append(b, s.ptr, s.len);
}

static inline void buffer_append_char(struct buffer *b, char c) {
	*buffer_reserve(b, 1) = c;
	b->len++;
}

__attribute__((format(printf, 2, 3))) void buffer_appendf(struct buffer *b, const char *format, ...);

/* Appends the bytes as Redis shows them in logs, MONITOR and redis-cli: in double quotes, with \n \r \t \a \b \" \\ and
 * \xHH for what cannot be printed. */
void buffer_append_quoted(struct buffer *b, struct slice s);

static inline struct slice buffer_slice(const struct buffer *b) {
	return slice_of(b->data, b->len);
}

#endif
