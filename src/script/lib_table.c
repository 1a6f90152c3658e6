/* The functions of `table` that can be long at work without calling back: with a tick now and then, and asking
 * before they write to a table that may be read-only. Results are those of Lua 5.1, the order of equal elements
 * after sort included. */
#include <limits.h>

#include <lualib.h>

#include "script/lib_private.h"

static int table_length(lua_State *L) {
	luaL_checktype(L, 1, LUA_TTABLE);
	size_t length = lua_objlen(L, 1);
	return length < INT_MAX ? (int)length : INT_MAX - 1;
}

static void check_writable(lua_State *L) {
	if (!lua_getmetatable(L, 1)) return;
	lua_pop(L, 1);
	interp_check_writable(L, 1);
}

static int table_insert(lua_State *L) {
	int end = table_length(L) + 1, at = end;

	check_writable(L);
	switch (lua_gettop(L)) {
	case 2: break;
	case 3:
		at = (int)luaL_checkinteger(L, 2);
		if (at > end) end = at;
		for (int i = end; i > at; i--) {
			lua_rawgeti(L, 1, i - 1);
			lua_rawseti(L, 1, i);
			lib_step(L, 1);
		}
		break;
	default: return luaL_error(L, "wrong number of arguments to 'insert'");
	}
	lua_rawseti(L, 1, at);
	return 0;
}

static int table_remove(lua_State *L) {
	int end = table_length(L), at = (int)luaL_optinteger(L, 2, end);

	check_writable(L);
	if (at < 1 || at > end) return 0;
	lua_rawgeti(L, 1, at);
	for (; at < end; at++) {
		lua_rawgeti(L, 1, at + 1);
		lua_rawseti(L, 1, at);
		lib_step(L, 1);
	}
	lua_pushnil(L);
	lua_rawseti(L, 1, end);
	return 1;
}

static int table_concat(lua_State *L) {
	struct slice between;

	between.ptr = luaL_optlstring(L, 2, "", &between.len);
	luaL_checktype(L, 1, LUA_TTABLE);
	int from = (int)luaL_optinteger(L, 3, 1);
	int last = lua_isnoneornil(L, 4) ? table_length(L) : (int)luaL_checkinteger(L, 4);
	struct lib_buffer b;
	lib_buffer_begin(&b, L);
	for (int64_t i = from; i <= last; i++) {
		lua_rawgeti(L, 1, (int)i);
		if (!lua_isstring(L, -1)) {
			return luaL_error(L, "invalid value (%s) at index %d in table for 'concat'",
				luaL_typename(L, -1), (int)i);
		}
		lib_buffer_add_value(&b, -1);
		lua_pop(L, 1);
		if (i < last) lib_buffer_add(&b, between.ptr, between.len);
		lib_step(L, 2);
	}
	lib_buffer_push(&b);
	return 1;
}

static int table_maxn(lua_State *L) {
	lua_Number max = 0;

	luaL_checktype(L, 1, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		if (lua_type(L, -2) == LUA_TNUMBER && lua_tonumber(L, -2) > max) max = lua_tonumber(L, -2);
		lib_step(L, 1);
	}
	lua_pushnumber(L, max);
	return 1;
}

static int table_foreach(lua_State *L) {
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 2)) {
		lua_pushvalue(L, 2);
		lua_pushvalue(L, -3);
		lua_pushvalue(L, -3);
		lua_call(L, 2, 1);
		if (!lua_isnil(L, -1)) return 1;
		lib_step(L, 2);
	}
	return 0;
}

static int table_foreachi(lua_State *L) {
	int length = table_length(L);

	luaL_checktype(L, 2, LUA_TFUNCTION);
	for (int i = 1; i <= length; i++) {
		lua_pushvalue(L, 2);
		lua_pushinteger(L, i);
		lua_rawgeti(L, 1, i);
		lua_call(L, 2, 1);
		if (!lua_isnil(L, -1)) return 1;
		lua_pop(L, 1);
		lib_step(L, 2);
	}
	return 0;
}

/* ---- sort ----
 *
 * Quicksort with the median of three, as Lua 5.1 has it, step by step: which of several equal elements comes
 * first, and in which order an order function is called, can be seen by scripts. */

/* Whether the value at index a comes before that at b; both negative indexes. */
static bool sort_before(lua_State *L, int a, int b) {
	size_t len = lua_type(L, a) == LUA_TSTRING ? lua_objlen(L, a) : 0;
	bool before;

	lib_step(L, 2);
	lib_step_bytes(L, len);
	if (lua_isnil(L, 2)) return lua_lessthan(L, a, b);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, a - 1);
	lua_pushvalue(L, b - 2);
	lua_call(L, 2, 1);
	before = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return before;
}

/* Writes the two values on top back: the top one to t[top_to], the one below to t[below_to]. */
static void sort_store(lua_State *L, int top_to, int below_to) {
	lua_rawseti(L, 1, top_to);
	lua_rawseti(L, 1, below_to);
}

/* Puts t[low], t[high] into order. */
static void sort_pair(lua_State *L, int low, int high) {
	lua_rawgeti(L, 1, low);
	lua_rawgeti(L, 1, high);
	if (sort_before(L, -1, -2)) {
		sort_store(L, low, high);
	} else {
		lua_pop(L, 2);
	}
}

/* Puts t[middle] between t[low] and t[high], which are in order. */
static void sort_middle(lua_State *L, int low, int middle, int high) {
	lua_rawgeti(L, 1, middle);
	lua_rawgeti(L, 1, low);
	if (sort_before(L, -2, -1)) {
		sort_store(L, middle, low);
		return;
	}
	lua_pop(L, 1);
	lua_rawgeti(L, 1, high);
	if (sort_before(L, -1, -2)) {
		sort_store(L, middle, high);
	} else {
		lua_pop(L, 2);
	}
}

/* Divides low..high, whose median of three is on top of the stack and in t[high - 1]; returns where the pivot
 * went, pops it. */
static int sort_divide(lua_State *L, int low, int high) {
	int i = low, j = high - 1;

	for (;;) {
		while (lua_rawgeti(L, 1, ++i), sort_before(L, -1, -2)) {
			if (i > high) luaL_error(L, "invalid order function for sorting");
			lua_pop(L, 1);
		}
		while (lua_rawgeti(L, 1, --j), sort_before(L, -3, -1)) {
			if (j < low) luaL_error(L, "invalid order function for sorting");
			lua_pop(L, 1);
		}
		if (j < i) break;
		sort_store(L, i, j);
	}
	lua_pop(L, 3);
	lua_rawgeti(L, 1, high - 1);
	lua_rawgeti(L, 1, i);
	sort_store(L, high - 1, i);
	return i;
}

static void sort_range(lua_State *L, int low, int high) {
	while (low < high) {
		sort_pair(L, low, high);
		if (high - low == 1) return;
		int middle = (int)(((unsigned)low + (unsigned)high) / 2);
		sort_middle(L, low, middle, high);
		if (high - low == 2) return;
		lua_rawgeti(L, 1, middle);
		lua_pushvalue(L, -1);
		lua_rawgeti(L, 1, high - 1);
		sort_store(L, middle, high - 1);
		int at = sort_divide(L, low, high);
		/* The smaller part by recursion, so that the depth is logarithmic. */
		if (at - low < high - at) {
			sort_range(L, low, at - 1);
			low = at + 1;
		} else {
			sort_range(L, at + 1, high);
			high = at - 1;
		}
	}
}

static int table_sort(lua_State *L) {
	int length = table_length(L);

	luaL_checkstack(L, 40, "");
	if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	check_writable(L);
	sort_range(L, 1, length);
	return 0;
}

int lua_open_table(lua_State *L) {
	static const luaL_Reg replaced[] = {
		{ "concat", table_concat },
		{ "foreach", table_foreach },
		{ "foreachi", table_foreachi },
		{ "insert", table_insert },
		{ "maxn", table_maxn },
		{ "remove", table_remove },
		{ "sort", table_sort },
		{ NULL, NULL },
	};

	lib_open_stock(L, luaopen_table, LUA_TABLIBNAME);
	luaL_register(L, NULL, replaced);
	return 1;
}
