#include "base/buffer.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"

enum { BUFFER_MIN_CAP = 256 };

void buffer_release(struct buffer *b) {
	mem_free(b->data);
	*b = (struct buffer){ 0 };
}

/* Doubles while small; beyond a mebibyte grows by half, so that a large reply does not waste as much again. */
static size_t grown_cap(const struct buffer *b, size_t more) {
	size_t need = b->len + more;
	size_t cap = b->cap < BUFFER_MIN_CAP ? BUFFER_MIN_CAP : b->cap;
	while (cap < need) cap += cap < (1u << 20) ? cap : cap / 2;
	return cap;
}

void buffer_grow(struct buffer *b, size_t more) {
	size_t cap = grown_cap(b, more);
	b->data = mem_realloc(b->data, cap);
	b->cap = cap;
}

bool buffer_try_reserve(struct buffer *b, size_t more) {
	if (more > SIZE_MAX / 4 || b->len > SIZE_MAX / 4) return false;
	/* The spare byte that buffer_reserve wants. */
	if (b->cap - b->len > more) return true;
	size_t cap = grown_cap(b, more + 1);
	char *data = mem_try_realloc(b->data, cap);
	if (!data) return false;
	b->data = data;
	b->cap = cap;
	return true;
}

void buffer_appendf(struct buffer *b, const char *format, ...) {
	va_list args;
	va_start(args, format);
	char *at = buffer_reserve(b, 128);
	int len = vsnprintf(at, b->cap - b->len, format, args);
	va_end(args);
	if (len < 0) return;
	if ((size_t)len >= b->cap - b->len) {
		at = buffer_reserve(b, (size_t)len + 1);
		va_start(args, format);
		vsnprintf(at, (size_t)len + 1, format, args);
		va_end(args);
	}
	b->len += (size_t)len;
}

void buffer_append_quoted(struct buffer *b, struct slice s) {
	static const char short_escapes[] = "\nn\rr\tt\aa\bb\"\"\\\\";
	static const char hex[] = "0123456789abcdef";
	buffer_append_char(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		const char *escape = c ? strchr(short_escapes, c) : NULL;
		/* The table alternates byte and letter; a hit on a letter's place is an ordinary character. */
		if (escape && (escape - short_escapes) % 2 == 0) {
			buffer_append(b, (char[]){ '\\', escape[1] }, 2);
		} else if (isascii(c) && isprint(c)) {
			buffer_append_char(b, (char)c);
		} else {
			buffer_append(b, (char[]){ '\\', 'x', hex[c >> 4], hex[c & 15] }, 4);
		}
	}
	buffer_append_char(b, '"');
}
