/* lib_match: the patterns of Lua 5.1 (string.find and its kin). Only lib_*.c include this.
 *
 * The language is that of the reference manual, section 5.4.1, with what Lua 5.1 does beyond it: the frontier
 * %f[set], and that a pattern ends at its first NUL. Beyond Lua 5.1, recursion is bounded ("pattern too complex",
 * as in later Lua versions), and the work is counted, so that a pattern of exponential cost can be interrupted. */
#ifndef TARN_SCRIPT_LIB_MATCH_H
#define TARN_SCRIPT_LIB_MATCH_H

#include <stddef.h>

#include <lua.h>

enum {
	LIB_MATCH_CAPTURES = 32,
	LIB_MATCH_DEPTH = 200, /* items of one pattern that may be tried inside each other */
};

struct lib_match {
	lua_State *L;
	const char *text;
	const char *text_end;
	int captures; /* begun so far, set to 0 by lib_match_at */
	int depth;
	struct {
		const char *at;
		ptrdiff_t len; /* or LIB_CAPTURE_… */
	} capture[LIB_MATCH_CAPTURES];
};

void lib_match_init(struct lib_match *m, lua_State *L, const char *text, size_t len);

/* Where the match of `pattern` (NUL terminated, without the anchor ^) that begins at `s` ends, or NULL. Raises what is
 * wrong with the pattern. */
const char *lib_match_at(struct lib_match *m, const char *s, const char *pattern);

/* After a match from `s` to `e`: pushes capture `i` (from 0); capture 0 is the whole match when the pattern has
 * none. */
void lib_match_push(struct lib_match *m, int i, const char *s, const char *e);

/* Pushes all captures, the whole match if there are none (`s` NULL: then nothing); how many. */
int lib_match_push_all(struct lib_match *m, const char *s, const char *e);

#endif
