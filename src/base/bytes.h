/* Byte strings that somebody else owns.
 *
 * A slice is a pointer and a length; it may hold any byte, NUL included, and is never terminated. It is valid as
 * long as the memory it points into, and each function that returns one says what that is. */
#ifndef TARN_BASE_BYTES_H
#define TARN_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *ptr; /* may be NULL when len is 0 */
	size_t len;      /* bytes */
};

#define SLICE_LITERAL(text) ((struct slice){ "" text, sizeof(text) - 1 })

static inline struct slice slice_of(const void *ptr, size_t len) {
	return (struct slice){ ptr, len };
}

static inline struct slice slice_of_cstr(const char *text) {
	return (struct slice){ text, strlen(text) };
}

static inline bool slice_equal(struct slice a, struct slice b) {
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Order of memcmp, the shorter first when one is a prefix of the other: <0, 0, >0. */
int slice_compare(struct slice a, struct slice b);

/* Whether `a` is `text` when ASCII letters are compared without case. `text` is NUL terminated. */
bool slice_is(struct slice a, const char *text);

/* The same for two slices. */
bool slice_equal_nocase(struct slice a, struct slice b);

/* The bytes of several, all together. */
size_t slices_bytes(const struct slice *slices, size_t count);

/* Makes `into` say the same as `slices`, with the bytes copied to `at`, which has room for slices_bytes of them. */
void slices_copy(struct slice *into, char *at, const struct slice *slices, size_t count);

#endif
