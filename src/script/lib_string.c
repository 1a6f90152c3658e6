/* The functions of `string` that are not as safe in stock Lua 5.1: its matcher recurses without bound and takes
 * exponential time where nothing can interrupt it, gsub keeps eight kilobytes on the C stack per nested call, and
 * rep and a plain find can take minutes. */
#include <ctype.h>

#include <lualib.h>

#include "script/lib_match.h"
#include "script/lib_private.h"

/* The offset from 0 where a search begins, from the argument that may be negative or beyond the end. */
static size_t search_start(lua_State *L, int arg, size_t len) {
	lua_Integer from = luaL_optinteger(L, arg, 1);

	if (from < 0) from += (lua_Integer)len + 1;
	if (from < 1) return 0;
	return (size_t)from - 1 < len ? (size_t)from - 1 : len;
}

static int find_plain(lua_State *L, struct slice text, struct slice wanted, size_t start) {
	const char *at =
		wanted.len ? memmem(text.ptr + start, text.len - start, wanted.ptr, wanted.len) : text.ptr + start;

	lib_step_bytes(L, at ? (size_t)(at - text.ptr) - start : text.len - start);
	if (!at) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, at - text.ptr + 1);
	lua_pushinteger(L, at - text.ptr + (ptrdiff_t)wanted.len);
	return 2;
}

/* find and match. */
static int search(lua_State *L, bool find) {
	struct slice text, pattern;

	text.ptr = luaL_checklstring(L, 1, &text.len);
	pattern.ptr = luaL_checklstring(L, 2, &pattern.len);
	size_t start = search_start(L, 3, text.len);
	if (find && (lua_toboolean(L, 4) || !strpbrk(pattern.ptr, "^$*+?.([%-"))) {
		return find_plain(L, text, pattern, start);
	}

	struct lib_match m;
	bool anchored = *pattern.ptr == '^';
	const char *items = pattern.ptr + anchored;
	lib_match_init(&m, L, text.ptr, text.len);
	for (const char *s = text.ptr + start; s <= m.text_end; s++) {
		const char *e = lib_match_at(&m, s, items);
		if (e && find) {
			lua_pushinteger(L, s - text.ptr + 1);
			lua_pushinteger(L, e - text.ptr);
			return lib_match_push_all(&m, NULL, NULL) + 2;
		}
		if (e) return lib_match_push_all(&m, s, e);
		if (anchored) break;
	}
	lua_pushnil(L);
	return 1;
}

static int string_find(lua_State *L) {
	return search(L, true);
}

static int string_match(lua_State *L) {
	return search(L, false);
}

/* Upvalues: the text, the pattern, the offset to go on from. */
static int gmatch_next(lua_State *L) {
	size_t len;
	const char *text = lua_tolstring(L, lua_upvalueindex(1), &len);
	const char *pattern = lua_tostring(L, lua_upvalueindex(2));
	struct lib_match m;

	lib_match_init(&m, L, text, len);
	for (const char *s = text + lua_tointeger(L, lua_upvalueindex(3)); s <= m.text_end; s++) {
		const char *e = lib_match_at(&m, s, pattern);
		if (!e) continue;
		/* After an empty match one character is passed over. */
		lua_pushinteger(L, e - text + (e == s));
		lua_replace(L, lua_upvalueindex(3));
		return lib_match_push_all(&m, s, e);
	}
	return 0;
}

static int string_gmatch(lua_State *L) {
	luaL_checkstring(L, 1);
	luaL_checkstring(L, 2);
	lua_settop(L, 2);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, gmatch_next, 3);
	return 1;
}

/* The replacement string with its %0 to %9 filled in. */
static void add_replacement(struct lib_match *m, struct lib_buffer *b, const char *s, const char *e) {
	size_t len;
	const char *text = lua_tolstring(m->L, 3, &len);

	lib_step_bytes(m->L, len);
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '%') {
			lib_buffer_add_char(b, text[i]);
			continue;
		}
		i++; /* a % at the very end lets the string's final NUL through, as in Lua 5.1 */
		if (!isdigit((unsigned char)text[i])) {
			lib_buffer_add_char(b, text[i]);
		} else if (text[i] == '0') {
			lib_buffer_add(b, s, (size_t)(e - s));
		} else {
			lib_match_push(m, text[i] - '1', s, e);
			lib_buffer_add_value(b, -1);
			lua_pop(m->L, 1);
		}
	}
}

/* What stands for the match from s to e, by the third argument. */
static void add_substitute(struct lib_match *m, struct lib_buffer *b, const char *s, const char *e) {
	lua_State *L = m->L;

	switch (lua_type(L, 3)) {
	case LUA_TFUNCTION:
		lua_pushvalue(L, 3);
		lua_call(L, lib_match_push_all(m, s, e), 1);
		break;
	case LUA_TTABLE:
		lib_match_push(m, 0, s, e);
		lua_gettable(L, 3);
		break;
	default: add_replacement(m, b, s, e); return;
	}
	if (!lua_toboolean(L, -1)) {
		lib_buffer_add(b, s, (size_t)(e - s));
	} else {
		if (!lua_isstring(L, -1)) luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
		lib_buffer_add_value(b, -1);
	}
	lua_pop(L, 1);
}

static int string_gsub(lua_State *L) {
	size_t len;
	const char *s = luaL_checklstring(L, 1, &len);
	const char *pattern = luaL_checkstring(L, 2);
	int type = lua_type(L, 3), count = 0;
	int limit = (int)luaL_optinteger(L, 4, (lua_Integer)len + 1);
	bool anchored = *pattern == '^';
	struct lib_match m;
	struct lib_buffer b;

	luaL_argcheck(L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
		"string/function/table expected");
	lib_match_init(&m, L, s, len);
	lib_buffer_begin(&b, L);
	while (count < limit) {
		const char *e = lib_match_at(&m, s, pattern + anchored);
		if (e) {
			count++;
			add_substitute(&m, &b, s, e);
		}
		if (e && e > s) {
			s = e;
		} else if (s < m.text_end) {
			lib_buffer_add_char(&b, *s++);
		} else {
			break;
		}
		if (anchored) break;
	}
	lib_buffer_add(&b, s, (size_t)(m.text_end - s));
	lib_buffer_push(&b);
	lua_pushinteger(L, count);
	return 2;
}

static int string_rep(lua_State *L) {
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	int times = (int)luaL_checkinteger(L, 2);
	struct lib_buffer b;

	if (times <= 0 || len == 0) {
		lua_pushliteral(L, "");
		return 1;
	}
	lib_buffer_begin(&b, L);
	char *out = lib_buffer_reserve(&b, len > SIZE_MAX / 8 / (size_t)times ? SIZE_MAX / 2 : len * (size_t)times);
	for (int i = 0; i < times; i++) {
		memcpy(out + b.len, text, len);
		b.len += len;
		lib_step(L, 1);
		lib_step_bytes(L, len);
	}
	lib_buffer_push(&b);
	return 1;
}

int lua_open_string(lua_State *L) {
	static const luaL_Reg replaced[] = {
		{ "find", string_find },
		{ "match", string_match },
		{ "gmatch", string_gmatch },
		{ "gsub", string_gsub },
		{ "rep", string_rep },
		{ NULL, NULL },
	};

	lib_open_stock(L, luaopen_string, LUA_STRLIBNAME);
	luaL_register(L, NULL, replaced);
	lua_getfield(L, -1, "gmatch");
	lua_setfield(L, -2, "gfind");
	return 1;
}
