#include "base/glob.h"

/* A pattern is a row of items: a star, or something that takes exactly one byte. Only the last star met needs to be
 * remembered: whatever an earlier one would take instead, the later one can take as well. So a mismatch goes back to
 * the last star, which takes one byte more, and the whole is bounded by pattern length times text length. */

static unsigned char fold(char c, enum glob_flags flags) {
	unsigned char u = (unsigned char)c;

	return flags & GLOB_NOCASE && u >= 'A' && u <= 'Z' ? (unsigned char)(u + 32) : u;
}

/* The class that begins at pattern[*pos] == '[': whether it has `c`; *pos moves behind it. A class that is not closed
 * reaches to the end of the pattern. */
static bool match_class(struct slice pattern, size_t *pos, unsigned char c, enum glob_flags flags) {
	size_t i = *pos + 1;
	bool negated = i < pattern.len && pattern.ptr[i] == '^';
	bool found = false;

	if (negated) i++;
	for (; i < pattern.len && pattern.ptr[i] != ']'; i++) {
		if (pattern.ptr[i] == '\\' && i + 1 < pattern.len) {
			i++;
			found |= fold(pattern.ptr[i], flags) == c;
		} else if (i + 2 < pattern.len && pattern.ptr[i + 1] == '-') {
			unsigned char low = fold(pattern.ptr[i], flags), high = fold(pattern.ptr[i + 2], flags);
			found |= low <= high ? low <= c && c <= high : high <= c && c <= low;
			i += 2;
		} else {
			found |= fold(pattern.ptr[i], flags) == c;
		}
	}
	*pos = i < pattern.len ? i + 1 : pattern.len;
	return found != negated;
}

/* Whether the item at pattern[*pos], no star, takes the byte; *pos moves behind it. */
static bool match_one(struct slice pattern, size_t *pos, char byte, enum glob_flags flags) {
	unsigned char c = fold(byte, flags);
	size_t i = *pos;

	if (pattern.ptr[i] == '[') return match_class(pattern, pos, c, flags);
	if (pattern.ptr[i] == '?') {
		*pos = i + 1;
		return true;
	}
	/* A backslash at the very end stands for itself. */
	if (pattern.ptr[i] == '\\' && i + 1 < pattern.len) i++;
	*pos = i + 1;
	return fold(pattern.ptr[i], flags) == c;
}

bool glob_match(struct slice pattern, struct slice text, enum glob_flags flags) {
	size_t p = 0, t = 0;
	bool starred = false;
	size_t after_star = 0; /* the item behind the last star */
	size_t star_end = 0;   /* how far that star reaches in the text */

	/* Redis's matcher looks at a pattern only while there is text: nothing but the empty pattern takes the empty text. */
	if (text.len == 0) return pattern.len == 0;
	while (t < text.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			starred = true;
			after_star = ++p;
			star_end = t;
			if (p == pattern.len) return true;
		} else if (p < pattern.len && match_one(pattern, &p, text.ptr[t], flags)) {
			t++;
		} else if (starred) {
			p = after_star;
			t = ++star_end;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*') p++;
	return p == pattern.len;
}

bool glob_is_literal(struct slice pattern) {
	for (size_t i = 0; i < pattern.len; i++) {
		switch (pattern.ptr[i]) {
		case '*':
		case '?':
		case '[':
		case '\\': return false;
		default: break;
		}
	}
	return true;
}
