/* What commands reply, as Lua values:
 *
 *     integer, bulk string, status   number, string, { ok = text }
 *     error                          { err = text, ignore_error_stats_update = true }
 *     array                          a table from 1 on
 *     null                           RESP2: false. RESP3: nil
 *     RESP3 only                     a boolean; { map = t }, { set = t } (t's keys are the members), { double = n },
 *                                    { big_number = text }, { verbatim_string = { string = text, format = "txt" } }
 *
 * The bytes are our own writer's, so they are well formed. */
#include <assert.h>
#include <lauxlib.h>
#include <stdlib.h>

#include "script/interp_private.h"

struct reader {
	const char *at, *end;
	lua_State *L;
};

/* The rest of the line behind the kind; goes behind it. */
static struct slice read_line(struct reader *rd) {
	const char *begin = rd->at;
	const char *cr = memchr(begin, '\r', (size_t)(rd->end - begin));
	assert(cr);
	rd->at = cr + 2;
	return slice_of(begin, (size_t)(cr - begin));
}

static int64_t read_integer(struct reader *rd) {
	bool negative = *rd->at == '-';
	if (negative) rd->at++;
	uint64_t value = 0;
	for (; *rd->at != '\r'; rd->at++) value = value * 10 + (uint64_t)(*rd->at - '0');
	rd->at += 2;
	return (int64_t)(negative ? 0 - value : value);
}

static struct slice read_bulk(struct reader *rd, int64_t len) {
	struct slice s = slice_of(rd->at, (size_t)len);
	rd->at += len + 2;
	return s;
}

static void push_value(struct reader *rd, unsigned depth);

static void push_slice(lua_State *L, struct slice s) {
	lua_pushlstring(L, s.ptr, s.len);
}

/* A table with the one field `name`, the value on top of the stack. */
static void wrap_in(lua_State *L, const char *name) {
	lua_createtable(L, 0, 1);
	lua_insert(L, -2);
	lua_setfield(L, -2, name);
}

/* A string that is an upvalue need not be looked for among all strings. */
static void push_status(struct reader *rd) {
	lua_State *L = rd->L;
	struct slice text = read_line(rd);
	lua_createtable(L, 0, 1);
	lua_pushvalue(L, lua_upvalueindex(CALL_NAME_OK));
	if (text.len == 2 && memcmp(text.ptr, "OK", 2) == 0)
		lua_pushvalue(L, lua_upvalueindex(CALL_TEXT_OK));
	else
		push_slice(L, text);
	lua_rawset(L, -3);
}

static void push_error(struct reader *rd) {
	lua_State *L = rd->L;
	lua_createtable(L, 0, 2);
	push_slice(L, read_line(rd));
	lua_setfield(L, -2, "err");
	lua_pushboolean(L, true);
	lua_setfield(L, -2, "ignore_error_stats_update");
}

/* Before the first value within a value. What has none gets along with what every C function has of the stack. */
static void make_room(struct reader *rd) {
	luaL_checkstack(rd->L, 8, "reply is nested too deeply");
}

static void push_array(struct reader *rd, int64_t count, unsigned depth) {
	make_room(rd);
	lua_createtable(rd->L, (int)count, 0);
	for (int64_t i = 1; i <= count; i++) {
		push_value(rd, depth);
		lua_rawseti(rd->L, -2, (int)i);
	}
}

/* A key that is null or no number cannot be in a table. */
static bool can_be_key(lua_State *L, int index) {
	return !lua_isnil(L, index) &&
	       !(lua_type(L, index) == LUA_TNUMBER && lua_tonumber(L, index) != lua_tonumber(L, index));
}

static void put_pair(lua_State *L) {
	if (can_be_key(L, -2))
		lua_rawset(L, -3);
	else
		lua_pop(L, 2);
}

static void push_map(struct reader *rd, int64_t pairs, unsigned depth) {
	make_room(rd);
	lua_createtable(rd->L, 0, (int)pairs);
	for (int64_t i = 0; i < pairs; i++) {
		push_value(rd, depth);
		push_value(rd, depth);
		put_pair(rd->L);
	}
	wrap_in(rd->L, "map");
}

static void push_set(struct reader *rd, int64_t count, unsigned depth) {
	make_room(rd);
	lua_createtable(rd->L, 0, (int)count);
	for (int64_t i = 0; i < count; i++) {
		push_value(rd, depth);
		lua_pushboolean(rd->L, true);
		put_pair(rd->L);
	}
	wrap_in(rd->L, "set");
}

static void push_verbatim(struct reader *rd) {
	lua_State *L = rd->L;
	struct slice s = read_bulk(rd, read_integer(rd));
	lua_createtable(L, 0, 2);
	lua_pushlstring(L, s.ptr + 4, s.len - 4);
	lua_setfield(L, -2, "string");
	lua_pushlstring(L, s.ptr, 3);
	lua_setfield(L, -2, "format");
	wrap_in(L, "verbatim_string");
}

static void push_bulk(struct reader *rd) {
	int64_t len = read_integer(rd);
	if (len < 0)
		lua_pushboolean(rd->L, false);
	else
		push_slice(rd->L, read_bulk(rd, len));
}

static void push_list(struct reader *rd, unsigned depth) {
	int64_t count = read_integer(rd);
	if (count < 0)
		lua_pushboolean(rd->L, false);
	else
		push_array(rd, count, depth);
}

static void skip_attributes(struct reader *rd, unsigned depth) {
	int64_t pairs = read_integer(rd);
	make_room(rd);
	for (int64_t i = 0; i < 2 * pairs; i++) {
		push_value(rd, depth);
		lua_pop(rd->L, 1);
	}
}

static void push_value(struct reader *rd, unsigned depth) {
	lua_State *L = rd->L;
	if (depth == 0) luaL_error(L, "reply is nested too deeply");
	switch (*rd->at++) {
	case ':': lua_pushnumber(L, (lua_Number)read_integer(rd)); break;
	case '$': push_bulk(rd); break;
	case '+': push_status(rd); break;
	case '-': push_error(rd); break;
	case '*':
	case '>': push_list(rd, depth - 1); break;
	case '%': push_map(rd, read_integer(rd), depth - 1); break;
	case '~': push_set(rd, read_integer(rd), depth - 1); break;
	case '_':
		read_line(rd);
		lua_pushnil(L);
		break;
	case '#': lua_pushboolean(L, *read_line(rd).ptr == 't'); break;
	case ',':
		lua_pushnumber(L, strtod(read_line(rd).ptr, NULL));
		wrap_in(L, "double");
		break;
	case '(':
		push_slice(L, read_line(rd));
		wrap_in(L, "big_number");
		break;
	case '=': push_verbatim(rd); break;
	case '|':
		skip_attributes(rd, depth - 1);
		push_value(rd, depth - 1);
		break;
	default: luaL_error(L, "unknown kind of reply");
	}
}

static bool slice_is_ok(struct slice reply) {
	return reply.len == 5 && memcmp(reply.ptr, "+OK\r\n", 5) == 0;
}

bool interp__push_reply(lua_State *L, const struct interp *in, struct slice reply) {
	if (reply.len == 0) {
		lua_pushnil(L);
		return false;
	}
	if (in->job->leaves_alone && slice_is_ok(reply)) {
		lua_pushvalue(L, lua_upvalueindex(CALL_STATUS_OK));
		return false;
	}
	struct reader rd = { reply.ptr, reply.ptr + reply.len, L };
	push_value(&rd, INTERP_DEPTH_MAX);
	return reply.ptr[0] == '-';
}
