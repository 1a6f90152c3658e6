/* How KEYS and ARGV get to a script: as tables that are new for each run, or, for code that leaves them alone (chunk.h), as two
 * tables that are kept. All of this is in the body, whose upvalues it uses. */
#include "script/interp_private.h"

enum { FORGET_BYTES = 64 * 1024 }; /* of arguments that are not to lie around until the next run */

/* ---- New tables ---- */

/* Pushes a table of the arguments; how many bytes they have. */
static size_t push_arguments(lua_State *L, const struct slice *args, unsigned count) {
	size_t bytes = 0;
	lua_createtable(L, (int)count, 0);
	for (unsigned i = 0; i < count; i++) {
		lua_pushlstring(L, args[i].len ? args[i].ptr : "", args[i].len);
		lua_rawseti(L, -2, (int)i + 1);
		bytes += args[i].len;
	}
	return bytes;
}

/* In the table on top of the stack. */
static size_t set_global(lua_State *L, int name, const struct slice *args, unsigned count) {
	lua_pushvalue(L, lua_upvalueindex(name));
	size_t bytes = push_arguments(L, args, count);
	lua_rawset(L, -3);
	return bytes;
}

/* KEYS and ARGV, where the function at 1 looks for them. */
static size_t set_globals(
	lua_State *L, const struct slice *keys, unsigned key_count, const struct slice *args, unsigned arg_count) {
	lua_getfenv(L, 1);
	if (lua_rawequal(L, -1, LUA_GLOBALSINDEX)) {
		lua_pop(L, 1);
		lua_pushvalue(L, lua_upvalueindex(UPVALUE_GLOBALS));
	}
	size_t bytes = set_global(L, NAME_KEYS, keys, key_count) + set_global(L, NAME_ARGV, args, arg_count);
	lua_pop(L, 1);
	return bytes;
}

static bool are_small(const struct slice *args, unsigned count) {
	size_t bytes = 0;
	for (unsigned i = 0; i < count; i++) bytes += args[i].len;
	return bytes <= KEPT_BYTES;
}

/* ---- Kept tables ---- */

/* The arguments take the place of those of an earlier run. */
static void refill(lua_State *L, int kept, unsigned *kept_count, const struct slice *args, unsigned count) {
	/* First of all, since pushing may raise. */
	if (*kept_count < count) *kept_count = count;
	for (unsigned i = 0; i < count; i++) {
		lua_pushlstring(L, args[i].len ? args[i].ptr : "", args[i].len);
		lua_rawseti(L, lua_upvalueindex(kept), (int)i + 1);
	}
	for (; *kept_count > count; --*kept_count) {
		lua_pushnil(L);
		lua_rawseti(L, lua_upvalueindex(kept), (int)*kept_count);
	}
}

/* The kept tables become those that code sees which only reads. */
static void put_kept_in_place(lua_State *L, struct interp *in) {
	lua_pushvalue(L, lua_upvalueindex(NAME_KEYS));
	lua_pushvalue(L, lua_upvalueindex(UPVALUE_KEYS));
	lua_rawset(L, lua_upvalueindex(UPVALUE_UNGUARDED));
	lua_pushvalue(L, lua_upvalueindex(NAME_ARGV));
	lua_pushvalue(L, lua_upvalueindex(UPVALUE_ARGV));
	lua_rawset(L, lua_upvalueindex(UPVALUE_UNGUARDED));
	in->kept_in_place = true;
}

/* Whether KEYS and ARGV of a script that leaves them alone are in the kept tables now. */
static bool use_kept(
	lua_State *L, struct interp *in, const struct slice *keys, const struct slice *args, unsigned arg_count) {
	const struct interp_job *job = in->job;
	unsigned key_count = job->key_count;
	if (!job->leaves_alone || key_count > KEPT_MAX || arg_count > KEPT_MAX ||
		!are_small(keys, key_count + arg_count))
		return false;
	refill(L, UPVALUE_KEYS, &in->kept_keys, keys, key_count);
	refill(L, UPVALUE_ARGV, &in->kept_args, args, arg_count);
	return true;
}

/* ---- Both ---- */

void interp__call_with_keys(lua_State *L, struct interp *in) {
	const struct interp_job *job = in->job;
	const struct call *c = in->call;
	const struct slice *keys = c->argv + job->first_key, *args = keys + job->key_count;
	unsigned arg_count = c->argc - job->first_key - job->key_count;
	bool kept = use_kept(L, in, keys, args, arg_count);
	if (job->keys == INTERP_KEYS_GLOBAL) {
		if (!kept) {
			in->kept_in_place = false;
			in->forget_keys = set_globals(L, keys, job->key_count, args, arg_count) > FORGET_BYTES;
		} else if (!in->kept_in_place) {
			put_kept_in_place(L, in);
		}
		lua_call(L, 0, 1);
		return;
	}
	if (kept) {
		lua_pushvalue(L, lua_upvalueindex(UPVALUE_KEYS));
		lua_pushvalue(L, lua_upvalueindex(UPVALUE_ARGV));
	} else {
		push_arguments(L, keys, job->key_count);
		push_arguments(L, args, arg_count);
	}
	lua_call(L, 2, 1);
}

void interp__forget_keys(struct interp *in) {
	static const char *const names[] = { "KEYS", "ARGV" };
	for (unsigned i = 0; i < 2; i++) {
		lua_pushstring(in->L, names[i]);
		lua_pushvalue(in->L, -1);
		lua_pushboolean(in->L, false);
		lua_rawset(in->L, SLOT_GLOBALS);
		lua_pushboolean(in->L, false);
		lua_rawset(in->L, SLOT_UNGUARDED);
	}
	in->forget_keys = in->kept_in_place = false;
}
