/* Backtracking, as the language asks for it: the first way to match counts, with the longest repetitions tried
 * first. Items that leave no choice are walked in a loop; repetitions and captures recurse for what follows them,
 * so the depth is bounded by the number of items of the pattern. */
#include "script/lib_match.h"

#include <ctype.h>

#include "script/lib_private.h"

enum { CAPTURE_OPEN = -1, CAPTURE_POSITION = -2 };

static const char *match(struct lib_match *m, const char *s, const char *p);

/* Behind the single-character item that begins at p: a character, %x, or a set. */
static const char *item_end(struct lib_match *m, const char *p) {
	char first = *p++;

	if (first == '%') {
		if (*p == '\0') luaL_error(m->L, "malformed pattern (ends with '%%')");
		return p + 1;
	}
	if (first != '[') return p;
	if (*p == '^') p++;
	/* A bracket in the first place stands for itself. */
	for (bool began = false; !began || *p != ']'; began = true) {
		if (*p == '\0') luaL_error(m->L, "malformed pattern (missing ']')");
		if (*p++ == '%' && *p != '\0') p++;
	}
	return p + 1;
}

static bool class_has(int letter, int c) {
	int in;

	switch (tolower(letter)) {
	case 'a': in = isalpha(c); break;
	case 'c': in = iscntrl(c); break;
	case 'd': in = isdigit(c); break;
	case 'l': in = islower(c); break;
	case 'p': in = ispunct(c); break;
	case 's': in = isspace(c); break;
	case 'u': in = isupper(c); break;
	case 'w': in = isalnum(c); break;
	case 'x': in = isxdigit(c); break;
	case 'z': in = c == 0; break;
	default: return letter == c;
	}
	return (in != 0) != (isupper(letter) != 0);
}

/* The set from its '[' to its closing ']' at `last`. */
static bool set_has(const char *p, const char *last, int c) {
	bool negated = p[1] == '^';

	for (p += negated ? 2 : 1; p < last; p++) {
		if (*p == '%') {
			p++;
			if (class_has((unsigned char)*p, c)) return !negated;
		} else if (p[1] == '-' && p + 2 < last) {
			if ((unsigned char)*p <= c && c <= (unsigned char)p[2]) return !negated;
			p += 2;
		} else if ((unsigned char)*p == c) {
			return !negated;
		}
	}
	return negated;
}

/* Whether the item from p to `end` takes the character at s. */
static bool takes(const struct lib_match *m, const char *s, const char *p, const char *end) {
	if (s >= m->text_end) return false;
	int c = (unsigned char)*s;
	switch (*p) {
	case '.': return true;
	case '%': return class_has((unsigned char)p[1], c);
	case '[': return set_has(p, end - 1, c);
	default: return (unsigned char)*p == c;
	}
}

/* item* or item+ (with one taken already, before s). `rest` is what follows. */
static const char *match_most(struct lib_match *m, const char *s, const char *p, const char *end) {
	const char *furthest = s;

	while (takes(m, furthest, p, end)) {
		furthest++;
		lib_step(m->L, 1);
	}
	for (; furthest >= s; furthest--) {
		const char *e = match(m, furthest, end + 1);
		if (e) return e;
	}
	return NULL;
}

/* item- */
static const char *match_least(struct lib_match *m, const char *s, const char *p, const char *end) {
	for (;; s++) {
		const char *e = match(m, s, end + 1);
		if (e) return e;
		if (!takes(m, s, p, end)) return NULL;
	}
}

static const char *open_capture(struct lib_match *m, const char *s, const char *p, ptrdiff_t len) {
	if (m->captures >= LIB_MATCH_CAPTURES) luaL_error(m->L, "too many captures");
	m->capture[m->captures].at = s;
	m->capture[m->captures].len = len;
	m->captures++;
	const char *e = match(m, s, p);
	if (!e) m->captures--;
	return e;
}

static const char *close_capture(struct lib_match *m, const char *s, const char *p) {
	int i = m->captures - 1;

	while (i >= 0 && m->capture[i].len != CAPTURE_OPEN) i--;
	if (i < 0) luaL_error(m->L, "invalid pattern capture");
	m->capture[i].len = s - m->capture[i].at;
	const char *e = match(m, s, p);
	if (!e) m->capture[i].len = CAPTURE_OPEN;
	return e;
}

/* %bxy at s: behind the balanced piece, or NULL. `p` is at x. */
static const char *match_balance(struct lib_match *m, const char *s, const char *p) {
	if (p[0] == '\0' || p[1] == '\0') luaL_error(m->L, "unbalanced pattern");
	if (s >= m->text_end || *s != p[0]) return NULL;
	size_t open = 1;
	while (++s < m->text_end) {
		lib_step(m->L, 1);
		if (*s == p[1]) {
			if (--open == 0) return s + 1;
		} else if (*s == p[0]) {
			open++;
		}
	}
	return NULL;
}

/* %1 to %9 at s: behind the repetition, or NULL. */
static const char *match_back(struct lib_match *m, const char *s, char digit) {
	int i = digit - '1';

	if (i < 0 || i >= m->captures || m->capture[i].len == CAPTURE_OPEN) {
		luaL_error(m->L, "invalid capture index");
	}
	/* A position has no text to repeat: its length is above every other as an unsigned number. */
	size_t len = (size_t)m->capture[i].len;
	if ((size_t)(m->text_end - s) < len || memcmp(m->capture[i].at, s, len) != 0) return NULL;
	lib_step_bytes(m->L, len);
	return s + len;
}

/* %f[set] at s: whether a run of the set begins here. `p` is at the '[' (or not), *behind becomes what follows. */
static bool match_frontier(struct lib_match *m, const char *s, const char *p, const char **behind) {
	if (*p != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
	*behind = item_end(m, p);
	int before = s == m->text ? 0 : (unsigned char)s[-1];
	int here = s == m->text_end ? 0 : (unsigned char)*s;
	return !set_has(p, *behind - 1, before) && set_has(p, *behind - 1, here);
}

/* An item of one character with what may follow it. True: go on at *s, *p; false: *result is the answer. */
static bool match_single(struct lib_match *m, const char **s, const char **p, const char **result) {
	const char *end = item_end(m, *p);

	switch (*end) {
	case '?':
		if (takes(m, *s, *p, end) && (*result = match(m, *s + 1, end + 1)) != NULL) return false;
		*p = end + 1;
		return true;
	case '*': *result = match_most(m, *s, *p, end); return false;
	case '+': *result = takes(m, *s, *p, end) ? match_most(m, *s + 1, *p, end) : NULL; return false;
	case '-': *result = match_least(m, *s, *p, end); return false;
	default:
		*result = NULL;
		if (!takes(m, *s, *p, end)) return false;
		(*s)++;
		*p = end;
		return true;
	}
}

/* A special item that begins with % as match_single does it; others go there. */
static bool match_escape(struct lib_match *m, const char **s, const char **p, const char **result) {
	char kind = (*p)[1];
	const char *next = NULL, *behind;

	if (kind == 'b') {
		next = match_balance(m, *s, *p + 2);
		behind = *p + 4;
	} else if (kind == 'f') {
		next = match_frontier(m, *s, *p + 2, &behind) ? *s : NULL;
	} else if (isdigit((unsigned char)kind)) {
		next = match_back(m, *s, kind);
		behind = *p + 2;
	} else {
		return match_single(m, s, p, result);
	}
	*result = NULL;
	if (!next) return false;
	*s = next;
	*p = behind;
	return true;
}

/* What begins at p against the text at s. */
static const char *match_items(struct lib_match *m, const char *s, const char *p) {
	const char *result = NULL;
	bool on = true;

	while (on) {
		lib_step(m->L, 1);
		switch (*p) {
		case '\0': return s;
		case '(':
			return p[1] == ')' ? open_capture(m, s, p + 2, CAPTURE_POSITION)
					   : open_capture(m, s, p + 1, CAPTURE_OPEN);
		case ')': return close_capture(m, s, p + 1);
		case '%': on = match_escape(m, &s, &p, &result); break;
		case '$':
			if (p[1] == '\0') return s == m->text_end ? s : NULL;
			on = match_single(m, &s, &p, &result);
			break;
		default: on = match_single(m, &s, &p, &result); break;
		}
	}
	return result;
}

static const char *match(struct lib_match *m, const char *s, const char *p) {
	if (m->depth == LIB_MATCH_DEPTH) luaL_error(m->L, "pattern too complex");
	m->depth++;
	const char *e = match_items(m, s, p);
	m->depth--;
	return e;
}

void lib_match_init(struct lib_match *m, lua_State *L, const char *text, size_t len) {
	m->L = L;
	m->text = text;
	m->text_end = text + len;
	m->captures = 0;
}

const char *lib_match_at(struct lib_match *m, const char *s, const char *pattern) {
	m->captures = 0;
	m->depth = 0;
	return match(m, s, pattern);
}

void lib_match_push(struct lib_match *m, int i, const char *s, const char *e) {
	if (i >= m->captures) {
		if (i != 0) luaL_error(m->L, "invalid capture index");
		lua_pushlstring(m->L, s, (size_t)(e - s));
	} else if (m->capture[i].len == CAPTURE_POSITION) {
		lua_pushinteger(m->L, m->capture[i].at - m->text + 1);
	} else {
		if (m->capture[i].len == CAPTURE_OPEN) luaL_error(m->L, "unfinished capture");
		lua_pushlstring(m->L, m->capture[i].at, (size_t)m->capture[i].len);
	}
}

int lib_match_push_all(struct lib_match *m, const char *s, const char *e) {
	int count = m->captures == 0 && s ? 1 : m->captures;

	luaL_checkstack(m->L, count, "too many captures");
	for (int i = 0; i < count; i++) lib_match_push(m, i, s, e);
	return count;
}
