/* The table cjson: its calls, and its settings, which belong to the table and live in an upvalue of each call. */
#include "script/lib_json.h"

#include <limits.h>

#include "script/lib_private.h"

enum { PRECISION_MAX = 14 };

static const struct json_settings defaults = {
	.sparse_ratio = 2,
	.sparse_safe = 10,
	.encode_depth = 1000,
	.decode_depth = 1000,
	.decode_invalid = true,
	.precision = PRECISION_MAX,
	.keep_buffer = true,
};

/* What the registry knows of the library's one table, by the address of this. */
static const char main_key;

struct json {
	struct json_settings now;
	struct json_settings kept; /* what a run begins with */
	bool changed;              /* whether `now` may differ from it */
};

static struct json *self(lua_State *L) {
	return lua_touserdata(L, lua_upvalueindex(1));
}

/* ---- Settings: each call takes new values or nil, and answers what there is then ---- */

static struct json_settings *begin_setting(lua_State *L, int args) {
	struct json *j = self(L);

	luaL_argcheck(L, lua_gettop(L) <= args, args + 1, "found too many arguments");
	lua_settop(L, args);
	j->changed = true;
	return &j->now;
}

static int integer_setting(lua_State *L, int arg, int *setting, int min, int max) {
	if (!lua_isnil(L, arg)) {
		int value = (int)luaL_checkinteger(L, arg);
		if (value < min || value > max) {
			/* Always the first argument's fault, as lua-cjson reports it. */
			return luaL_argerror(L, 1, lua_pushfstring(L, "expected integer between %d and %d", min, max));
		}
		*setting = value;
	}
	lua_pushinteger(L, *setting);
	return 1;
}

/* "off", "on" (also as booleans), and what else `options` has. */
static int option_setting(lua_State *L, int arg, int *setting, const char *const *options) {
	if (lua_isboolean(L, arg)) {
		*setting = lua_toboolean(L, arg);
	} else if (!lua_isnil(L, arg)) {
		*setting = luaL_checkoption(L, arg, NULL, options);
	}
	if (*setting <= 1) {
		lua_pushboolean(L, *setting);
	} else {
		lua_pushstring(L, options[*setting]);
	}
	return 1;
}

static const char *const switch_options[] = { "off", "on", NULL };
static const char *const invalid_options[] = { "off", "on", "null", NULL };

static int set_sparse_array(lua_State *L) {
	struct json_settings *s = begin_setting(L, 3);

	return option_setting(L, 1, &s->sparse_convert, switch_options) +
	       integer_setting(L, 2, &s->sparse_ratio, 0, INT_MAX) + integer_setting(L, 3, &s->sparse_safe, 0, INT_MAX);
}

static int set_encode_depth(lua_State *L) {
	return integer_setting(L, 1, &begin_setting(L, 1)->encode_depth, 1, INT_MAX);
}

static int set_decode_depth(lua_State *L) {
	return integer_setting(L, 1, &begin_setting(L, 1)->decode_depth, 1, INT_MAX);
}

static int set_precision(lua_State *L) {
	return integer_setting(L, 1, &begin_setting(L, 1)->precision, 1, PRECISION_MAX);
}

static int set_keep_buffer(lua_State *L) {
	return option_setting(L, 1, &begin_setting(L, 1)->keep_buffer, switch_options);
}

static int set_encode_invalid(lua_State *L) {
	return option_setting(L, 1, &begin_setting(L, 1)->encode_invalid, invalid_options);
}

static int set_decode_invalid(lua_State *L) {
	return option_setting(L, 1, &begin_setting(L, 1)->decode_invalid, switch_options);
}

/* ---- The table ---- */

static int encode(lua_State *L) {
	luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
	return json_encode(L, &self(L)->now);
}

static int decode(lua_State *L) {
	luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
	return json_decode(L, &self(L)->now);
}

static int new_json(lua_State *L);

static const luaL_Reg functions[] = {
	{ "encode", encode },
	{ "decode", decode },
	{ "encode_sparse_array", set_sparse_array },
	{ "encode_max_depth", set_encode_depth },
	{ "decode_max_depth", set_decode_depth },
	{ "encode_number_precision", set_precision },
	{ "encode_keep_buffer", set_keep_buffer },
	{ "encode_invalid_numbers", set_encode_invalid },
	{ "decode_invalid_numbers", set_decode_invalid },
	{ "new", new_json },
	{ NULL, NULL },
};

/* Pushes a table with settings of its own; returns them. */
static struct json *push_json(lua_State *L) {
	lua_newtable(L);
	struct json *j = lua_newuserdata(L, sizeof(*j));
	*j = (struct json){ .now = defaults, .kept = defaults };
	for (const luaL_Reg *f = functions; f->name; f++) {
		lua_pushvalue(L, -1);
		lua_pushcclosure(L, f->func, 1);
		lua_setfield(L, -3, f->name);
	}
	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -3, "null");
	lua_pushliteral(L, "cjson");
	lua_setfield(L, -3, "_NAME");
	lua_pushliteral(L, "2.1.0");
	lua_setfield(L, -3, "_VERSION");
	return j;
}

static int new_json(lua_State *L) {
	push_json(L);
	lua_pop(L, 1);
	return 1;
}

int lua_open_cjson(lua_State *L) {
	push_json(L);
	lua_pushlightuserdata(L, (void *)&main_key);
	lua_insert(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
	return 1;
}

static struct json *main_json(lua_State *L) {
	lua_pushlightuserdata(L, (void *)&main_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	struct json *j = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return j;
}

const bool *lua_cjson_changed(lua_State *L) {
	return &main_json(L)->changed;
}

void lua_cjson_reset(lua_State *L) {
	struct json *j = main_json(L);

	if (!j || !j->changed) return;
	j->now = j->kept;
	j->changed = false;
}

void lua_cjson_keep(lua_State *L) {
	struct json *j = main_json(L);

	if (!j || !j->changed) return;
	j->kept = j->now;
	j->changed = false;
}
