/* cmsgpack: Lua values as MessagePack and back.
 *
 * What becomes what is lua-cmsgpack's choice: a number without a fraction is an integer of the fewest bytes,
 * another one a float of 4 bytes if that is exact, else of 8; a table whose keys are 1 to n is an array, the empty
 * one too; what cannot be said, and tables nested deeper than 16, become nil. Strings are of the type str. On the
 * way back bin and ext are not known, and a nesting is as deep as the stack of Lua allows; the frames are kept in
 * a buffer, not on the C stack. */
#include <limits.h>
#include <math.h>

#include "script/lib_private.h"

enum { PACK_NESTING_MAX = 16 };

/* ---- Writing ---- */

/* A type byte and a big-endian number of so many bytes. */
static void add_head(struct lib_buffer *b, uint8_t type, uint64_t value, unsigned bytes) {
	char *out = lib_buffer_reserve(b, 1 + sizeof(value));

	*out++ = (char)type;
	for (unsigned i = bytes; i > 0; i--) *out++ = (char)(value >> (8 * (i - 1)));
	b->len += 1 + bytes;
}

static void add_unsigned(struct lib_buffer *b, uint64_t n) {
	if (n <= 0x7f) {
		add_head(b, (uint8_t)n, 0, 0);
	} else if (n <= UINT8_MAX) {
		add_head(b, 0xcc, n, 1);
	} else if (n <= UINT16_MAX) {
		add_head(b, 0xcd, n, 2);
	} else if (n <= UINT32_MAX) {
		add_head(b, 0xce, n, 4);
	} else {
		add_head(b, 0xcf, n, 8);
	}
}

static void add_negative(struct lib_buffer *b, int64_t n) {
	if (n >= -32) {
		add_head(b, (uint8_t)n, 0, 0);
	} else if (n >= INT8_MIN) {
		add_head(b, 0xd0, (uint64_t)n, 1);
	} else if (n >= INT16_MIN) {
		add_head(b, 0xd1, (uint64_t)n, 2);
	} else if (n >= INT32_MIN) {
		add_head(b, 0xd2, (uint64_t)n, 4);
	} else {
		add_head(b, 0xd3, (uint64_t)n, 8);
	}
}

static void add_number(struct lib_buffer *b, double number) {
	float narrow = (float)number;
	uint32_t bits32;
	uint64_t bits64;

	if (number >= -0x1p63 && number < 0x1p63 && trunc(number) == number) {
		if (number >= 0) {
			add_unsigned(b, (uint64_t)number);
		} else {
			add_negative(b, (int64_t)number);
		}
	} else if ((double)narrow == number) {
		memcpy(&bits32, &narrow, sizeof(bits32));
		add_head(b, 0xca, bits32, 4);
	} else {
		memcpy(&bits64, &number, sizeof(bits64));
		add_head(b, 0xcb, bits64, 8);
	}
}

static void add_string(struct lib_buffer *b) {
	size_t len;
	const char *text = lua_tolstring(b->L, -1, &len);

	if (len < 32) {
		add_head(b, (uint8_t)(0xa0 | len), 0, 0);
	} else if (len <= UINT8_MAX) {
		add_head(b, 0xd9, len, 1);
	} else if (len <= UINT16_MAX) {
		add_head(b, 0xda, len, 2);
	} else {
		add_head(b, 0xdb, len, 4);
	}
	lib_buffer_add(b, text, len);
	lib_step_bytes(b->L, len);
}

/* The head of an array or a map of so many; `small` is the type with the count in its low four bits. */
static void add_count(struct lib_buffer *b, uint8_t small, uint8_t type16, size_t count) {
	if (count < 16) {
		add_head(b, (uint8_t)(small | count), 0, 0);
	} else if (count <= UINT16_MAX) {
		add_head(b, type16, count, 2);
	} else {
		add_head(b, (uint8_t)(type16 + 1), count, 4);
	}
}

/* Whether the keys of the table on top are exactly 1 to *count; *count is how many there are in any case. */
static bool is_array(lua_State *L, size_t *count) {
	bool numbers = true;
	lua_Number max = 0;

	*count = 0;
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		lua_Number key = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
		if (key <= 0 || trunc(key) != key) numbers = false;
		if (key > max) max = key;
		(*count)++;
		lib_step(L, 2);
	}
	return numbers && max == (lua_Number)*count;
}

static void add_value(struct lib_buffer *b, unsigned level);

static void add_table(struct lib_buffer *b, unsigned level) {
	lua_State *L = b->L;
	size_t count;

	luaL_checkstack(L, 4, "tables nested too deep");
	if (is_array(L, &count)) {
		add_count(b, 0x90, 0xdc, count);
		for (size_t i = 1; i <= count; i++) {
			lua_rawgeti(L, -1, (int)i);
			add_value(b, level + 1);
			lua_pop(L, 1);
		}
		return;
	}
	add_count(b, 0x80, 0xde, count);
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		/* A copy of the key, since a value on top is what add_value takes. */
		lua_pushvalue(L, -2);
		add_value(b, level + 1);
		lua_pop(L, 1);
		add_value(b, level + 1);
	}
}

/* The value on top of the stack, which stays there. */
static void add_value(struct lib_buffer *b, unsigned level) {
	int type = lua_type(b->L, -1);

	lib_step(b->L, 2);
	if (type == LUA_TTABLE && level >= PACK_NESTING_MAX) type = LUA_TNIL;
	switch (type) {
	case LUA_TSTRING: add_string(b); break;
	case LUA_TBOOLEAN: add_head(b, lua_toboolean(b->L, -1) ? 0xc3 : 0xc2, 0, 0); break;
	case LUA_TNUMBER: add_number(b, lua_tonumber(b->L, -1)); break;
	case LUA_TTABLE: add_table(b, level); break;
	default: add_head(b, 0xc0, 0, 0); break;
	}
}

static int msgpack_pack(lua_State *L) {
	int count = lua_gettop(L);
	struct lib_buffer b;

	if (count == 0) return luaL_argerror(L, 0, "MessagePack pack needs input.");
	if (!lua_checkstack(L, count)) return luaL_argerror(L, 0, "Too many arguments for MessagePack pack.");
	lib_buffer_begin(&b, L);
	for (int i = 1; i <= count; i++) {
		lua_pushvalue(L, i);
		add_value(&b, 0);
		lua_pop(L, 1);
	}
	lib_buffer_push(&b);
	return 1;
}

/* ---- Reading ---- */

/* An array or a map that is not complete. Its table is on the stack, a map's key that waits for its value behind it. */
struct frame {
	uint32_t left; /* values, or pairs, to come */
	uint32_t done;
	bool map;
	bool key_read;
};

struct reader {
	lua_State *L;
	const uint8_t *at, *end;
	struct lib_buffer frames;
};

static const char stack_message[] = "too many return values at once; use unpack_one or unpack_limit instead.";

static const uint8_t *take(struct reader *r, size_t bytes) {
	const uint8_t *at = r->at;

	if ((size_t)(r->end - at) < bytes) luaL_error(r->L, "Missing bytes in input.");
	r->at += bytes;
	return at;
}

static uint64_t take_number(struct reader *r, unsigned bytes) {
	const uint8_t *at = take(r, bytes);
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++) value = value << 8 | at[i];
	return value;
}

static void push_string(struct reader *r, size_t len) {
	lua_pushlstring(r->L, (const char *)take(r, len), len);
	lib_step_bytes(r->L, len);
}

static void push_float(struct reader *r, unsigned bytes) {
	uint64_t bits = take_number(r, bytes);
	uint32_t low = (uint32_t)bits;
	float narrow;
	double wide;

	memcpy(&narrow, &low, sizeof(narrow));
	memcpy(&wide, &bits, sizeof(wide));
	lua_pushnumber(r->L, bytes == 4 ? (double)narrow : wide);
}

/* Begins an array or map. */
static void push_container(struct reader *r, bool map, uint64_t count) {
	struct frame f = { .left = (uint32_t)count, .map = map };

	luaL_checkstack(r->L, 3, map ? stack_message : "in function mp_decode_to_lua_array");
	lua_newtable(r->L);
	if (count > 0) lib_buffer_add(&r->frames, &f, sizeof(f));
}

/* Types from 0xc0 to 0xdf. */
static void push_typed(struct reader *r, uint8_t type) {
	lua_State *L = r->L;

	switch (type) {
	case 0xc0: lua_pushnil(L); break;
	case 0xc2: lua_pushboolean(L, 0); break;
	case 0xc3: lua_pushboolean(L, 1); break;
	case 0xca: push_float(r, 4); break;
	case 0xcb: push_float(r, 8); break;
	case 0xcc: lua_pushnumber(L, (lua_Number)take_number(r, 1)); break;
	case 0xcd: lua_pushnumber(L, (lua_Number)take_number(r, 2)); break;
	case 0xce: lua_pushnumber(L, (lua_Number)take_number(r, 4)); break;
	/* Above 2^63 as a negative number, as lua-cmsgpack has it. */
	case 0xcf: lua_pushnumber(L, (lua_Number)(int64_t)take_number(r, 8)); break;
	case 0xd0: lua_pushnumber(L, (int8_t)take_number(r, 1)); break;
	case 0xd1: lua_pushnumber(L, (int16_t)take_number(r, 2)); break;
	case 0xd2: lua_pushnumber(L, (int32_t)take_number(r, 4)); break;
	case 0xd3: lua_pushnumber(L, (lua_Number)(int64_t)take_number(r, 8)); break;
	case 0xd9: push_string(r, take_number(r, 1)); break;
	case 0xda: push_string(r, take_number(r, 2)); break;
	case 0xdb: push_string(r, take_number(r, 4)); break;
	case 0xdc: push_container(r, false, take_number(r, 2)); break;
	case 0xdd: push_container(r, false, take_number(r, 4)); break;
	case 0xde: push_container(r, true, take_number(r, 2)); break;
	case 0xdf: push_container(r, true, take_number(r, 4)); break;
	default: luaL_error(L, "Bad data format in input.");
	}
}

/* Pushes the next value, or the beginning of one. */
static void push_next(struct reader *r) {
	uint8_t type = *take(r, 1);

	luaL_checkstack(r->L, 1, stack_message);
	lib_step(r->L, 2);
	if (type <= 0x7f || type >= 0xe0) {
		lua_pushnumber(r->L, (int8_t)type);
	} else if (type <= 0x8f) {
		push_container(r, true, type & 0x0f);
	} else if (type <= 0x9f) {
		push_container(r, false, type & 0x0f);
	} else if (type <= 0xbf) {
		push_string(r, type & 0x1f);
	} else {
		push_typed(r, type);
	}
}

/* Puts the complete value on top into the innermost container; whether that is complete now (then it is on top). */
static bool settle(struct reader *r) {
	struct frame *f = (struct frame *)(r->frames.data + r->frames.len) - 1;

	if (!f->map) {
		f->done++;
		if (f->done <= INT_MAX) lua_rawseti(r->L, -2, (int)f->done);
	} else if (!f->key_read) {
		f->key_read = true;
		return false;
	} else {
		f->key_read = false;
		f->done++;
		lua_rawset(r->L, -3);
	}
	if (f->done < f->left) return false;
	r->frames.len -= sizeof(*f);
	return true;
}

/* Pushes one whole value. */
static void push_whole(struct reader *r) {
	for (;;) {
		size_t depth = r->frames.len;
		push_next(r);
		if (r->frames.len > depth) continue;
		do {
			if (r->frames.len == 0) return;
		} while (settle(r));
	}
}

/* Pushes up to `limit` values from `offset` on, and before them the offset to go on from, -1 at the end. With
 * neither a limit nor an offset: all values and nothing else. */
static int unpack_values(lua_State *L, int limit, int offset) {
	size_t len;
	const char *bytes = luaL_checklstring(L, 1, &len);
	struct reader r = { .L = L };
	bool all = limit == 0 && offset == 0;
	int count = 0;

	if (offset < 0 || limit < 0) {
		return luaL_error(L, "Invalid request to unpack with offset of %d and limit of %d.", offset, (int)len);
	}
	if ((size_t)offset > len) {
		return luaL_error(L, "Start offset %d greater than input length %d.", offset, (int)len);
	}
	lua_settop(L, 1);
	lib_buffer_begin(&r.frames, L);
	r.at = (const uint8_t *)bytes + offset;
	r.end = (const uint8_t *)bytes + len;
	if (!all) lua_pushnil(L);
	for (; r.at < r.end && (all || count < limit); count++) push_whole(&r);
	if (all) return count;
	lua_pushinteger(L, r.at == r.end ? -1 : r.at - (const uint8_t *)bytes);
	lua_replace(L, -2 - count);
	return count + 1;
}

static int msgpack_unpack(lua_State *L) {
	return unpack_values(L, 0, 0);
}

static int msgpack_unpack_one(lua_State *L) {
	return unpack_values(L, 1, (int)luaL_optinteger(L, 2, 0));
}

static int msgpack_unpack_limit(lua_State *L) {
	return unpack_values(L, (int)luaL_checkinteger(L, 2), (int)luaL_optinteger(L, 3, 0));
}

int lua_open_cmsgpack(lua_State *L) {
	static const luaL_Reg functions[] = {
		{ "pack", msgpack_pack },
		{ "unpack", msgpack_unpack },
		{ "unpack_one", msgpack_unpack_one },
		{ "unpack_limit", msgpack_unpack_limit },
		{ NULL, NULL },
	};

	lua_newtable(L);
	luaL_register(L, NULL, functions);
	lua_pushliteral(L, "cmsgpack");
	lua_setfield(L, -2, "_NAME");
	lua_pushliteral(L, "lua-cmsgpack 0.4.0");
	lua_setfield(L, -2, "_VERSION");
	lua_pushliteral(L, "Copyright (C) 2012, Salvatore Sanfilippo");
	lua_setfield(L, -2, "_COPYRIGHT");
	lua_pushliteral(L, "MessagePack C implementation for Lua");
	lua_setfield(L, -2, "_DESCRIPTION");
	return 1;
}
