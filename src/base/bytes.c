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

bool slice_equal_nocase(struct slice a, struct slice b) {
	return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}
