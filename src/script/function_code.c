#include "script/function_code.h"

#include <assert.h>
#include <lauxlib.h>

#include "base/alloc.h"

enum {
	/* For code that went through FUNCTION LOAD and does the same once more: a bound, but not one for a machine that
	 * happens to be slow. */
	LOAD_AGAIN_MS = 100 * FUNCTION_LOAD_MS,
};

static const char chunk_name[] = "@user_function";
static const char own_name[] = "redis.register_function";

/* ---- Registration ----
 *
 * The owner of an interp is the registration that is under way, NULL when none is. */

struct registration {
	struct library *library;
	/* NULL: the library is being found out about. Otherwise it is known, and this is the row of its handles. */
	int *handles;
};

static struct registration *registration_of(lua_State *L) {
	return interp_owner(interp_of(L));
}

struct arguments {
	struct slice name; /* ptr NULL: not given, as below */
	struct slice description;
	int callback; /* stack index; 0: not given */
	uint32_t flags;
};

/* The string (or number, as it is printed) at `index`, which stays where it is. */
static struct slice text_at(lua_State *L, int index) {
	size_t len;
	const char *bytes = lua_tolstring(L, index, &len);
	return slice_of(bytes, len);
}

static uint32_t flag_named(struct slice word) {
	for (unsigned i = 0; function_flag_names[i]; i++)
		if (slice_is(word, function_flag_names[i])) return 1u << i;
	return 0;
}

/* The flags in the table at `index`: its elements up to the first nil. */
static uint32_t read_flags(lua_State *L, int index) {
	if (!lua_istable(L, index))
		interp_raise(L, "flags argument to %s must be a table representing function flags", own_name);
	uint32_t flags = 0;
	for (int i = 1;; i++) {
		lua_rawgeti(L, index, i);
		if (lua_isnil(L, -1)) break;
		uint32_t flag = lua_type(L, -1) == LUA_TSTRING ? flag_named(text_at(L, -1)) : 0;
		if (!flag) interp_raise(L, "unknown flag given");
		flags |= flag;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return flags;
}

static struct slice read_text(lua_State *L, int index, const char *argument) {
	if (!lua_isstring(L, index)) interp_raise(L, "%s argument given to %s must be a string", argument, own_name);
	return text_at(L, index);
}

/* One named argument: its value is at `index` and stays on the stack, since the slices point into it. */
static void read_named(lua_State *L, struct slice key, int index, struct arguments *a) {
	if (slice_is(key, "function_name")) {
		a->name = read_text(L, index, "function_name");
	} else if (slice_is(key, "description")) {
		a->description = read_text(L, index, "description");
	} else if (slice_is(key, "callback")) {
		if (!lua_isfunction(L, index))
			interp_raise(L, "callback argument given to %s must be a function", own_name);
		a->callback = index;
	} else if (slice_is(key, "flags")) {
		a->flags = read_flags(L, index);
	} else {
		interp_raise(L, "unknown argument given to %s", own_name);
	}
}

/* Each pair is done with a copy of its key: lua_next needs the key as it is, and the values must stay on the stack. There
 * are as many as there are names in other spellings, at most. */
static void read_table(lua_State *L, struct arguments *a) {
	lua_pushnil(L);
	while (lua_next(L, 1)) {
		int key = lua_gettop(L) - 1;
		if (lua_type(L, key) == LUA_TNUMBER) interp_raise(L, "unknown argument given to %s", own_name);
		if (lua_type(L, key) != LUA_TSTRING)
			interp_raise(L, "named argument key given to %s is not a string", own_name);
		luaL_checkstack(L, 4, "too many arguments");
		read_named(L, text_at(L, key), key + 1, a);
		lua_pushvalue(L, key);
	}
	if (!a->name.ptr) interp_raise(L, "%s must get a function name argument", own_name);
	if (!a->callback) interp_raise(L, "%s must get a callback argument", own_name);
}

static void read_pair(lua_State *L, struct arguments *a) {
	if (!lua_isstring(L, 1)) interp_raise(L, "first argument to %s must be a string", own_name);
	if (!lua_isfunction(L, 2)) interp_raise(L, "second argument to %s must be a function", own_name);
	a->name = text_at(L, 1);
	a->callback = 2;
}

static void read_arguments(lua_State *L, struct arguments *a) {
	int count = lua_gettop(L);
	if (count < 1 || count > 2) interp_raise(L, "wrong number of arguments to %s", own_name);
	if (count == 2) {
		read_pair(L, a);
	} else if (lua_istable(L, 1)) {
		read_table(L, a);
	} else {
		interp_raise(L,
			"calling %s with a single argument is only applicable to Lua table (representing named "
			"arguments).",
			own_name);
	}
}

static int keep_callback(lua_State *L, int callback) {
	lua_pushvalue(L, callback);
	int handle = interp_keep(interp_of(L));
	if (handle == LUA_NOREF) luaL_error(L, "not enough memory");
	return handle;
}

static int register_function(lua_State *L) {
	struct registration *r = registration_of(L);
	if (!r) return interp_raise(L, "%s can only be called on FUNCTION LOAD command", own_name);
	struct arguments a = { 0 };
	read_arguments(L, &a);
	if (!function_name_is_valid(a.name)) return interp_raise(L, FUNCTION_BAD_NAME);
	if (!r->handles) {
		if (library_add(r->library, a.name, a.description, a.flags)) return 0;
		return interp_raise(L, "Function already exists in the library");
	}
	const struct function *f = library_function(r->library, a.name);
	if (!f || r->handles[f->index] != LUA_NOREF) return interp_raise(L, "the library's code is not the same twice");
	r->handles[f->index] = keep_callback(L, a.callback);
	return 0;
}

/* redis.log (upvalue 1) as code at the top of a library calls it: it logs when the library comes, and not again in each
 * worker that loads it. */
static int log_once(lua_State *L) {
	const struct registration *r = registration_of(L);
	if (r && r->handles) return 0;
	int count = lua_gettop(L);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, count, 0);
	return 0;
}

/* ---- The environment ----
 *
 * One for each kind of code (chunk.h). They and the two metatables lie in the registry, under the addresses of these. */

static char environments_at[CHUNK_SETS_GLOBALS + 1], loading_at, running_at;

static int refuse_unknown(lua_State *L) {
	const char *name = lua_isstring(L, 2) ? lua_tostring(L, 2) : luaL_typename(L, 2);
	return luaL_error(L, "Script attempted to access nonexistent global variable '%s'", name);
}

/* Gives the table on top of the stack a metatable that refuses names that it does not have. */
static void refuse_others(lua_State *L) {
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, refuse_unknown);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
}

/* Pushes `redis` as libraries see it while they are loaded. */
static void push_loading_redis(lua_State *L) {
	static const char *const constants[] = {
		"LOG_DEBUG",
		"LOG_VERBOSE",
		"LOG_NOTICE",
		"LOG_WARNING",
		"REDIS_VERSION",
		"REDIS_VERSION_NUM",
		NULL,
	};
	lua_getglobal(L, "redis");
	int redis = lua_gettop(L);
	lua_newtable(L);
	for (unsigned i = 0; constants[i]; i++) {
		lua_getfield(L, redis, constants[i]);
		lua_setfield(L, -2, constants[i]);
	}
	lua_getfield(L, redis, "log");
	lua_pushcclosure(L, log_once, 1);
	lua_setfield(L, -2, "log");
	lua_pushcfunction(L, register_function);
	lua_setfield(L, -2, "register_function");
	refuse_others(L);
	interp_guard(L, -1);
	lua_replace(L, redis);
	lua_settop(L, redis);
}

/* Puts the value on top of the stack into the registry. */
static void put_aside(lua_State *L, char *where) {
	lua_pushlightuserdata(L, where);
	lua_insert(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

static void fetch(lua_State *L, char *where) {
	lua_pushlightuserdata(L, where);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

/* Makes a metatable that reads the value on top of the stack, which it pops, and writes nothing: what scripts have as _G
 * refuses that, in words of its own. */
static void put_metatable(lua_State *L, char *where) {
	lua_createtable(L, 0, 2);
	lua_insert(L, -2);
	lua_setfield(L, -2, "__index");
	lua_getglobal(L, "_G");
	lua_setfield(L, -2, "__newindex");
	put_aside(L, where);
}

static int set_up(lua_State *L) {
	lua_createtable(L, 0, 1);
	push_loading_redis(L);
	lua_setfield(L, -2, "redis");
	refuse_others(L);
	put_metatable(L, &loading_at);
	lua_getglobal(L, "_G");
	put_metatable(L, &running_at);
	for (unsigned kind = CHUNK_READS; kind <= CHUNK_SETS_GLOBALS; kind++) {
		lua_newtable(L);
		put_aside(L, &environments_at[kind]);
	}
	return 0;
}

static void clear(lua_State *L, int table) {
	for (lua_pushnil(L); lua_next(L, table);) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, table);
	}
}

/* Copies all fields of the table on top of the stack, which it pops. */
static void fill(lua_State *L, int table) {
	for (lua_pushnil(L); lua_next(L, -2);) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, table);
	}
	lua_pop(L, 1);
}

/* Which names are there from here on. Code that assigns to no global has those of running without a way round. May end the
 * process, when there is no memory. */
static void set_phase(struct interp *in, char *metatable) {
	lua_State *L = interp_lua(in);
	for (unsigned kind = CHUNK_READS; kind <= CHUNK_SETS_GLOBALS; kind++) {
		fetch(L, &environments_at[kind]);
		int environment = lua_gettop(L);
		clear(L, environment);
		if (metatable == &running_at && kind != CHUNK_SETS_GLOBALS) {
			interp_push_globals(in, kind);
			fill(L, environment);
		}
		fetch(L, metatable);
		lua_setmetatable(L, environment);
		lua_settop(L, environment - 1);
	}
}

struct interp *function_interp_new(uint32_t seed, struct buffer *error) {
	struct interp *in = interp_new(seed);
	if (interp_protect(in, set_up, NULL, error)) return in;
	interp_free(in);
	return NULL;
}

/* ---- Loading ---- */

/* What the code raised, in Redis's words. */
static void say_failure(struct buffer *error, const struct interp_failure *f) {
	buffer_appendf(error, "Error registering functions: ERR ");
	if (f->timed_out)
		buffer_appendf(error, "FUNCTION LOAD timeout");
	else
		buffer_append_slice(error, buffer_slice(f->error));
}

/* Runs the function on top of the stack, which it pops, with the names of loading. */
static bool run_code(
	struct interp *in, enum chunk_kind kind, struct registration *r, int64_t limit_ms, struct buffer *error) {
	lua_State *L = interp_lua(in);
	struct buffer text = { 0 };
	struct interp_failure failure = { .error = &text };
	fetch(L, &environments_at[kind]);
	lua_setfenv(L, -2);
	set_phase(in, &loading_at);
	interp_set_owner(in, r);
	bool ok = interp_execute(in, limit_ms, &failure);
	interp_set_owner(in, NULL);
	set_phase(in, &running_at);
	if (!ok) say_failure(error, &failure);
	buffer_release(&text);
	return ok;
}

/* Compiles and runs what follows the first line. */
static bool load(struct interp *in, struct slice body, struct registration *r, int64_t limit_ms, struct buffer *error) {
	struct buffer text = { 0 };
	struct chunk_look look;
	bool ok = interp_compile(in, body, chunk_name, &look, &text);
	if (ok) {
		if (!r->handles) r->library->leaves_alone = chunk_leaves_alone(look, true);
		ok = run_code(in, look.kind, r, limit_ms, error);
	} else {
		buffer_appendf(error, "Error compiling function: ");
		buffer_append_slice(error, buffer_slice(&text));
	}
	buffer_release(&text);
	return ok;
}

static bool probe(struct interp *in, struct library *lib, struct slice body, struct buffer *error) {
	struct registration r = { .library = lib };
	if (!load(in, body, &r, FUNCTION_LOAD_MS, error)) return false;
	if (lib->count > 0) return true;
	buffer_appendf(error, "No functions registered");
	return false;
}

struct library *function_probe(
	struct interp *in, const struct function_header *header, struct slice code, struct buffer *error) {
	struct library *lib = library_new(buffer_slice(&header->name), code);
	if (!lib) {
		buffer_appendf(error, "not enough memory for the library");
		return NULL;
	}
	if (probe(in, lib, header->body, error)) return lib;
	library_release(lib);
	return NULL;
}

/* ---- A worker's ---- */

struct function_worker *function_worker_new(unsigned index) {
	struct interp *in = function_interp_new(0, NULL);
	if (!in) return NULL;
	struct function_worker *fw = mem_calloc(sizeof(*fw));
	fw->interp = in;
	fw->index = index;
	return fw;
}

void function_release_worker(struct function_worker *fw) {
	if (!fw) return;
	for (unsigned i = 0; i < fw->count; i++) library_release(fw->libraries[i]);
	mem_free(fw->libraries);
	interp_free(fw->interp);
	mem_free(fw);
}

static int *handles_of(const struct function_worker *fw, const struct library *lib) {
	return lib->handles + (size_t)fw->index * lib->count;
}

static void drop_handles(struct function_worker *fw, const struct library *lib) {
	int *handles = handles_of(fw, lib);
	for (unsigned i = 0; i < lib->count; i++) {
		if (handles[i] != LUA_NOREF) interp_drop(fw->interp, handles[i]);
		handles[i] = LUA_NOREF;
	}
}

void function_worker_tidy(struct function_worker *fw, uint64_t epoch) {
	unsigned kept = 0;
	for (unsigned i = 0; i < fw->count; i++) {
		struct library *lib = fw->libraries[i];
		if (!lib->retired) {
			fw->libraries[kept++] = lib;
			continue;
		}
		drop_handles(fw, lib);
		library_release(lib);
	}
	fw->count = kept;
	fw->epoch = epoch;
}

static void remember(struct function_worker *fw, struct library *lib) {
	if (fw->count == fw->_cap) {
		fw->_cap = fw->_cap ? fw->_cap * 2 : 4;
		fw->libraries = mem_realloc(fw->libraries, fw->_cap * sizeof(*fw->libraries));
	}
	library_hold(lib);
	fw->libraries[fw->count++] = lib;
}

static bool load_again(struct function_worker *fw, struct library *lib, struct buffer *error) {
	struct function_header header;
	if (!function_header_read(&header, lib->code, error)) return false;
	struct registration r = { lib, handles_of(fw, lib) };
	bool ok = load(fw->interp, header.body, &r, LOAD_AGAIN_MS, error);
	function_header_release(&header);
	if (ok)
		remember(fw, lib);
	else
		drop_handles(fw, lib);
	return ok;
}

bool function_push(struct function_worker *fw, const struct function *f, struct buffer *error) {
	const int *handle = handles_of(fw, f->library) + f->index;
	if (*handle == LUA_NOREF && !load_again(fw, f->library, error)) return false;
	if (*handle == LUA_NOREF) {
		buffer_appendf(error, "the library's code is not the same twice");
		return false;
	}
	interp_push(fw->interp, *handle);
	return true;
}
