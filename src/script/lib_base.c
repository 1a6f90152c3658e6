/* Code from text, and unpack. Stock load, loadstring and lua_load take binary chunks, which nothing verifies, and
 * do not hold on to the name of the chunk, which the parser uses to its end (CVE-2025-49844). Stock unpack
 * overflows its count. */
#include "script/lib_private.h"

/* A long bracket's level and some lengths are counted in an int by the lexer. */
enum { SOURCE_MAX = 1 << 29 };

void lib_open_stock(lua_State *L, lua_CFunction open, const char *name) {
	lua_pushstring(L, name);
	lua_rawget(L, LUA_GLOBALSINDEX);
	lua_pushcfunction(L, open);
	lua_pushstring(L, name);
	lua_call(L, 1, 1);
	lua_pushstring(L, name);
	lua_pushvalue(L, -3);
	lua_rawset(L, LUA_GLOBALSINDEX);
	lua_remove(L, -2);
}

/* A binary chunk is known by its first byte. With a blank before it, it is source text, and wrong, as the lexer
 * says. */
static const char *blank(size_t *len) {
	*len = 1;
	return " ";
}

struct text_source {
	struct slice rest;
	const char *chunk_name;
	bool begun;
};

static const char *read_text(lua_State *L, void *data, size_t *len) {
	struct text_source *source = data;
	struct slice piece = source->rest;

	if (!source->begun) {
		source->begun = true;
		/* This is the first call inside lua_load's protection. What is pushed here stays on the stack
		 * until the end of the parsing, and is the string that the parser makes of the name. */
		luaL_checkstack(L, 1, "no room for a chunk name");
		lua_pushstring(L, source->chunk_name);
		if (piece.len > 0 && *piece.ptr == *LUA_SIGNATURE) return blank(len);
	}
	source->rest.len = 0;
	*len = piece.len;
	return piece.len > 0 ? piece.ptr : NULL;
}

int lua_load_text(lua_State *L, struct slice code, const char *chunk_name) {
	struct text_source source = { .rest = code, .chunk_name = chunk_name };

	if (code.len > SOURCE_MAX) {
		lua_pushliteral(L, "chunk is too long");
		return LUA_ERRSYNTAX;
	}
	int status = lua_load(L, read_text, &source, chunk_name);
	if (status == 0) lua_remove(L, -2);
	return status;
}

static int loaded(lua_State *L, int status) {
	if (status == 0) return 1;
	lua_pushnil(L);
	lua_insert(L, -2);
	return 2;
}

static int base_loadstring(lua_State *L) {
	struct slice code;

	code.ptr = luaL_checklstring(L, 1, &code.len);
	return loaded(L, lua_load_text(L, code, luaL_optstring(L, 2, code.ptr)));
}

/* Stack of `load`: the function, the chunk's name, the piece that is being read. */
enum { LOAD_FUNCTION = 1, LOAD_NAME, LOAD_PIECE };

struct function_source {
	size_t read; /* bytes so far */
	bool begun;
	bool pending; /* the piece in its slot has not been handed out */
};

static const char *read_function(lua_State *L, void *data, size_t *len) {
	struct function_source *source = data;

	lib_step(L, 8);
	if (!source->pending) {
		luaL_checkstack(L, 2, "too many nested functions");
		lua_pushvalue(L, LOAD_FUNCTION);
		lua_call(L, 0, 1);
		if (lua_isnil(L, -1)) {
			lua_pop(L, 1);
			*len = 0;
			return NULL;
		}
		if (!lua_isstring(L, -1)) luaL_error(L, "reader function must return a string");
		lua_replace(L, LOAD_PIECE);
	}
	source->pending = false;
	const char *piece = lua_tolstring(L, LOAD_PIECE, len);
	if (!source->begun && *len > 0) {
		source->begun = true;
		if (*piece == *LUA_SIGNATURE) {
			source->pending = true;
			return blank(len);
		}
	}
	source->read += *len;
	if (source->read > SOURCE_MAX) luaL_error(L, "chunk is too long");
	return piece;
}

static int base_load(lua_State *L) {
	struct function_source source = { 0 };
	const char *name = luaL_optstring(L, 2, "=(load)");

	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, LOAD_PIECE);
	/* As a string that ends where the parser will end it, so that it is the very same one. */
	lua_pushstring(L, name);
	lua_replace(L, LOAD_NAME);
	return loaded(L, lua_load(L, read_function, &source, lua_tostring(L, LOAD_NAME)));
}

static int base_unpack(lua_State *L) {
	luaL_checktype(L, 1, LUA_TTABLE);
	int from = (int)luaL_optinteger(L, 2, 1);
	int last = lua_isnoneornil(L, 3) ? (int)lua_objlen(L, 1) : (int)luaL_checkinteger(L, 3);
	int64_t count = (int64_t)last - from + 1;

	if (count <= 0) return 0;
	if (count > LUAI_MAXCSTACK || !lua_checkstack(L, (int)count))
		return luaL_error(L, "too many results to unpack");
	for (int64_t i = 0; i < count; i++) lua_rawgeti(L, 1, (int)(from + i));
	return (int)count;
}

void lua_safe_base(lua_State *L) {
	static const luaL_Reg replaced[] = {
		{ "load", base_load },
		{ "loadstring", base_loadstring },
		{ "unpack", base_unpack },
		{ NULL, NULL },
	};

	luaL_register(L, NULL, replaced);
}
