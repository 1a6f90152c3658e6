/* The environment of scripts: which globals there are, and that none can be changed.
 *
 * A guard is an empty table with a metatable of this form:
 *
 *     __index     the table behind it
 *     __newindex  refuses
 *     [1]         a light userdata that no script can have: this is a guard
 *     [2]         the table behind it, for C code
 *
 * Scripts cannot get hold of that metatable, since getmetatable is ours.
 *
 * There are three tables of globals, for the three kinds of code (chunk.h):
 *
 *     CHUNK_SETS_GLOBALS   _G, which is a guard
 *     CHUNK_SETS_FIELDS    the table behind it; the libraries in it are guards
 *     CHUNK_READS          one with the libraries themselves in it. They have the same metatable, without __index, so that
 *                          rawset, setmetatable, table.insert … refuse them as well */
#include <lauxlib.h>
#include <lualib.h>

#include "script/interp_private.h"
#include "script/libs.h"

/* Its address marks guards. */
static const char guard_mark;

static const char read_only[] = "Attempt to modify a readonly table";

/* ---- Guards ---- */

bool interp__push_real(lua_State *L, int index) {
	if (!lua_getmetatable(L, index)) return false;
	lua_rawgeti(L, -1, 1);
	bool is_guard = lua_touserdata(L, -1) == (const void *)&guard_mark;
	if (!is_guard) {
		lua_pop(L, 2);
		return false;
	}
	lua_rawgeti(L, -2, 2);
	lua_replace(L, -3);
	lua_pop(L, 1);
	return true;
}

static bool is_guard(lua_State *L, int index) {
	if (!interp__push_real(L, index)) return false;
	lua_pop(L, 1);
	return true;
}

/* Assigning to a field: the error says where. */
static int refuse_field(lua_State *L) {
	return luaL_error(L, "%s", read_only);
}

/* By a function: it does not, as in Redis. */
static int refuse(lua_State *L) {
	lua_pushstring(L, read_only);
	return lua_error(L);
}

void interp_guard(lua_State *L, int index) {
	lua_pushvalue(L, index);
	lua_createtable(L, 0, 0);
	lua_createtable(L, 2, 2);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, refuse_field);
	lua_setfield(L, -2, "__newindex");
	lua_pushlightuserdata(L, (void *)(uintptr_t)&guard_mark);
	lua_rawseti(L, -2, 1);
	lua_pushvalue(L, -3);
	lua_rawseti(L, -2, 2);
	lua_setmetatable(L, -2);
	lua_remove(L, -2);
}

/* The table itself becomes one that is known as read-only. Only code that assigns to no field may see it: what is there
 * already can be assigned to. */
static void seal(lua_State *L, int index) {
	lua_pushvalue(L, index);
	lua_createtable(L, 2, 1);
	lua_pushcfunction(L, refuse_field);
	lua_setfield(L, -2, "__newindex");
	lua_pushlightuserdata(L, (void *)(uintptr_t)&guard_mark);
	lua_rawseti(L, -2, 1);
	lua_pushvalue(L, -2);
	lua_rawseti(L, -2, 2);
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}

void interp_check_writable(lua_State *L, int index) {
	if (is_guard(L, index)) refuse(L);
}

/* Puts the real table in the place of a guard that is the first argument. */
static void see_through(lua_State *L) {
	if (lua_type(L, 1) == LUA_TTABLE && interp__push_real(L, 1)) lua_replace(L, 1);
}

/* A stock function that only reads its table (upvalue 1: its address) also reads what is behind a guard. */
static int read_through(lua_State *L) {
	see_through(L);
	lua_CFunction stock = lua_tocfunction(L, lua_upvalueindex(1));
	return stock(L);
}

static void let_read(lua_State *L, int table, const char *name) {
	lua_getfield(L, table, name);
	lua_pushcclosure(L, read_through, 1);
	lua_setfield(L, table, name);
}

/* One that writes, or changes the metatable. */
static int write_checked(lua_State *L) {
	if (lua_type(L, 1) == LUA_TTABLE) interp_check_writable(L, 1);
	lua_CFunction stock = lua_tocfunction(L, lua_upvalueindex(1));
	return stock(L);
}

static void let_write(lua_State *L, int table, const char *name) {
	lua_getfield(L, table, name);
	lua_pushcclosure(L, write_checked, 1);
	lua_setfield(L, table, name);
}

static int next_pair(lua_State *L) {
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	see_through(L);
	if (lua_next(L, 1)) return 2;
	lua_pushnil(L);
	return 1;
}

static int pairs(lua_State *L) {
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

/* Upvalues: _G, and guards for its metatable and that of strings. */
static int get_metatable(lua_State *L) {
	luaL_checkany(L, 1);
	if (lua_rawequal(L, 1, lua_upvalueindex(1))) {
		lua_pushvalue(L, lua_upvalueindex(2));
	} else if (lua_type(L, 1) == LUA_TSTRING) {
		lua_pushvalue(L, lua_upvalueindex(3));
	} else if (is_guard(L, 1)) {
		lua_pushnil(L);
	} else if (!luaL_getmetafield(L, 1, "__metatable") && !lua_getmetatable(L, 1)) {
		lua_pushnil(L);
	}
	return 1;
}

static int refuse_unknown(lua_State *L) {
	const char *name = lua_isstring(L, 2) ? lua_tostring(L, 2) : luaL_typename(L, 2);
	return luaL_error(L, "Script attempted to access nonexistent global variable '%s'", name);
}

/* ---- What must not keep a run from ending ---- */

/* redis.call's errors are tables; who catches one gets its text, as Redis has it. */
static void take_text(lua_State *L, int index) {
	if (!lua_istable(L, index)) return;
	lua_pushliteral(L, "err");
	lua_rawget(L, index);
	if (lua_isstring(L, -1))
		lua_replace(L, index);
	else
		lua_pop(L, 1);
}

static int protected_call(lua_State *L) {
	luaL_checkany(L, 1);
	int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
	interp__check_fate(L, interp_of(L));
	lua_pushboolean(L, status == 0);
	lua_insert(L, 1);
	if (status != 0) take_text(L, 2);
	return lua_gettop(L);
}

/* The script's own handler (upvalue 1) is not asked when the run ends: it would be called with the count hook off, and
 * might never return. */
static int handle_error(lua_State *L) {
	if (interp_of(L)->fate != SCRIPT_GO) return 1;
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

static int protected_call_with_handler(lua_State *L) {
	luaL_checkany(L, 2);
	lua_settop(L, 2);
	lua_pushcclosure(L, handle_error, 1);
	lua_insert(L, 1);
	int status = lua_pcall(L, 0, LUA_MULTRET, 1);
	interp__check_fate(L, interp_of(L));
	lua_pushboolean(L, status == 0);
	lua_replace(L, 1);
	return lua_gettop(L);
}

/* It calls what the script gives it for a piece of text, and has its errors as results. Upvalue 1: the function itself. */
static int load_pieces(lua_State *L) {
	lua_CFunction load = lua_tocfunction(L, lua_upvalueindex(1));
	int results = load(L);
	interp__check_fate(L, interp_of(L));
	return results;
}

/* Calls the stock coroutine.resume (upvalue 1) with all that is on the stack, the coroutine first. */
static void resume(lua_State *L) {
	struct interp *in = interp_of(L);
	lua_State *outer = in->running;
	lua_State *co = lua_tothread(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	if (co) in->running = co;
	int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
	in->running = outer;
	interp__check_fate(L, in);
	if (status != 0) lua_error(L);
}

static int coroutine_resume(lua_State *L) {
	luaL_argcheck(L, lua_tothread(L, 1), 1, "coroutine expected");
	resume(L);
	return lua_gettop(L);
}

/* Upvalues: coroutine.resume, the coroutine. */
static int wrapped(lua_State *L) {
	lua_pushvalue(L, lua_upvalueindex(2));
	lua_insert(L, 1);
	resume(L);
	if (lua_toboolean(L, 1)) return lua_gettop(L) - 1;
	if (lua_isstring(L, 2)) {
		luaL_where(L, 1);
		lua_pushvalue(L, 2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

/* Upvalues: coroutine.resume, coroutine.create. */
static int coroutine_wrap(lua_State *L) {
	luaL_argcheck(L, lua_isfunction(L, 1) && !lua_iscfunction(L, 1), 1, "Lua function expected");
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(2));
	lua_insert(L, 1);
	lua_call(L, 1, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_pushcclosure(L, wrapped, 2);
	return 1;
}

/* The collector's mode is noted, to be set back; and collecting takes time. Upvalue 1: the stock function. */
static int collect_garbage(lua_State *L) {
	interp_of(L)->gc_changed = true;
	interp_tick(L);
	lua_CFunction stock = lua_tocfunction(L, lua_upvalueindex(1));
	return stock(L);
}

/* ---- Assembly ---- */

/* The stock function of that name, with `fn` around it. */
static void wrap(lua_State *L, int table, const char *name, lua_CFunction fn) {
	lua_getfield(L, table, name);
	lua_pushcclosure(L, fn, 1);
	lua_setfield(L, table, name);
}

static void set_function(lua_State *L, int table, const char *name, lua_CFunction fn) {
	lua_pushcfunction(L, fn);
	lua_setfield(L, table, name);
}

static void open_stock(lua_State *L, lua_CFunction open, const char *name) {
	lua_pushcfunction(L, open);
	lua_pushstring(L, name);
	lua_call(L, 1, 0);
}

static void open_base(lua_State *L, int globals) {
	static const char *const unwanted[] = { "print", "dofile", "loadfile", "newproxy", "getfenv", "setfenv", NULL };
	open_stock(L, luaopen_base, "");
	lua_pushvalue(L, globals);
	lua_safe_base(L);
	lua_settop(L, globals);
	for (unsigned i = 0; unwanted[i]; i++) {
		lua_pushnil(L);
		lua_setfield(L, globals, unwanted[i]);
	}
	set_function(L, globals, "pcall", protected_call);
	set_function(L, globals, "xpcall", protected_call_with_handler);
	wrap(L, globals, "load", load_pieces);
	wrap(L, globals, "collectgarbage", collect_garbage);
	let_read(L, globals, "rawget");
	let_write(L, globals, "rawset");
	let_write(L, globals, "setmetatable");
	lua_pushcfunction(L, next_pair);
	lua_pushvalue(L, -1);
	lua_setfield(L, globals, "next");
	lua_pushcclosure(L, pairs, 1);
	lua_setfield(L, globals, "pairs");
}

static void open_coroutine(lua_State *L, int globals) {
	lua_getfield(L, globals, "coroutine");
	int table = lua_gettop(L);
	lua_getfield(L, table, "resume");
	lua_getfield(L, table, "create");
	lua_pushcclosure(L, coroutine_wrap, 2);
	lua_setfield(L, table, "wrap");
	wrap(L, table, "resume", coroutine_resume);
	lua_settop(L, globals);
}

/* Only the clock is left of os. */
static void open_os(lua_State *L, int globals) {
	open_stock(L, luaopen_os, LUA_OSLIBNAME);
	lua_getfield(L, globals, LUA_OSLIBNAME);
	lua_newtable(L);
	lua_getfield(L, -2, "clock");
	lua_setfield(L, -2, "clock");
	lua_setfield(L, globals, LUA_OSLIBNAME);
	lua_settop(L, globals);
}

static void open_library(lua_State *L, int globals, lua_CFunction open, const char *name) {
	lua_pushcfunction(L, open);
	lua_call(L, 0, 1);
	lua_setfield(L, globals, name);
}

static void open_libraries(lua_State *L, int globals) {
	open_base(L, globals);
	open_coroutine(L, globals);
	open_os(L, globals);
	open_stock(L, luaopen_math, LUA_MATHLIBNAME);
	lua_getfield(L, globals, LUA_MATHLIBNAME);
	interp__open_random(L);
	lua_settop(L, globals);
	open_library(L, globals, lua_open_string, LUA_STRLIBNAME);
	open_library(L, globals, lua_open_table, LUA_TABLIBNAME);
	lua_getfield(L, globals, LUA_TABLIBNAME);
	let_read(L, globals + 1, "foreach");
	lua_settop(L, globals);
	open_library(L, globals, lua_open_cjson, "cjson");
	open_library(L, globals, lua_open_cmsgpack, "cmsgpack");
	open_library(L, globals, lua_open_struct, "struct");
	open_library(L, globals, lua_open_bit, "bit");
	open_library(L, globals, interp__open_redis, "redis");
}

/* Puts guards into the places of the library tables. */
static void guard_libraries(lua_State *L, int globals) {
	static const char *const names[] = { "string", "table", "math", "coroutine", "os", "cjson", "cmsgpack",
		"struct", "bit", "redis", NULL };
	for (unsigned i = 0; names[i]; i++) {
		lua_getfield(L, globals, names[i]);
		seal(L, -1);
		interp_guard(L, -1);
		lua_setfield(L, globals, names[i]);
		lua_settop(L, globals);
	}
	lua_getfield(L, globals, "redis");
	lua_setfield(L, globals, "server");
}

/* What getmetatable shows of strings: a copy whose __index is the guard. */
static void push_string_metatable(lua_State *L, int globals) {
	lua_newtable(L);
	lua_getfield(L, globals, "string");
	lua_setfield(L, -2, "__index");
	interp_guard(L, -1);
	lua_replace(L, -2);
}

/* Unknown globals are errors, and _G is a guard. */
static void guard_globals(lua_State *L, int globals) {
	interp_guard(L, globals);
	int guard = lua_gettop(L);
	lua_pushvalue(L, guard);
	lua_pushvalue(L, guard);
	lua_setfield(L, globals, "_G");
	lua_newtable(L);
	lua_pushcfunction(L, refuse_unknown);
	lua_setfield(L, -2, "__index");
	interp_guard(L, -1);
	lua_insert(L, -2);
	lua_setmetatable(L, globals);
	push_string_metatable(L, globals);
	lua_pushcclosure(L, get_metatable, 3);
	lua_setfield(L, globals, "getmetatable");
	lua_replace(L, LUA_GLOBALSINDEX);
}

/* Pushes the globals of code that only reads. */
static void push_unguarded(lua_State *L, int globals) {
	lua_newtable(L);
	int unguarded = lua_gettop(L);
	for (lua_pushnil(L); lua_next(L, globals); lua_settop(L, unguarded + 1)) {
		lua_pushvalue(L, -2);
		if (!lua_istable(L, -2) || !interp__push_real(L, -2)) lua_pushvalue(L, -2);
		lua_rawset(L, unguarded);
	}
	/* Not to be asked for by such code. */
	lua_pushnil(L);
	lua_setfield(L, unguarded, "_G");
	lua_getmetatable(L, globals);
	lua_setmetatable(L, unguarded);
}

int interp__open_sandbox(lua_State *L) {
	lua_settop(L, 0);
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	int globals = lua_gettop(L);
	open_libraries(L, globals);
	guard_libraries(L, globals);
	guard_globals(L, globals);
	push_unguarded(L, globals);
	return 1;
}
