#include "base/bytes.h"

#include <strings.h>

int slice_compare(struct slice a, struct slice b) {
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.ptr, b.ptr, common) : 0;
	if (order != 0) return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

bool slice_is(struct slice a, const char *text) {
	return strlen(text) == a.len && (a.len == 0 || strncasecmp(a.ptr, text, a.len) == 0);
}

static unsigned char lower(char c) {
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* Not strncasecmp, which would stop at a NUL. */
bool slice_equal_nocase(struct slice a, struct slice b) {
	if (a.len != b.len) return false;
	size_t same = 0;
	while (same < a.len && lower(a.ptr[same]) == lower(b.ptr[same])) same++;
	return same == a.len;
}

size_t slices_bytes(const struct slice *slices, size_t count) {
	size_t bytes = 0;
	for (size_t i = 0; i < count; i++) bytes += slices[i].len;
	return bytes;
}

void slices_copy(struct slice *into, char *at, const struct slice *slices, size_t count) {
	for (size_t i = 0; i < count; i++) {
		size_t len = slices[i].len;
		if (len) memcpy(at, slices[i].ptr, len);
		into[i] = slice_of(at, len);
		at += len;
	}
}
