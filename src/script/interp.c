#include "script/interp.h"

#include <assert.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sanitize.h"
#include "script/interp_private.h"
#include "script/libs.h"
#include "server/worker.h"

enum {
	CHURN_MAX = 16 * 1024 * 1024,     /* bytes allocated between two ticks: copying them takes time as well */
	KEEP_BYTES = 64 * 1024,           /* of buffers, from one run to the next */
	COLLECT_BYTES = 64 * 1024 * 1024, /* a run that leaves more behind is cleaned up after */
	DEFAULT_PAUSE = 200,              /* of the collector: Lua's own settings */
	DEFAULT_STEPMUL = 200,
};

/* ---- Memory ---- */

static void count_tick(lua_State *L, lua_Debug *ar);

/* The limit is for scripts: what we do ourselves between runs is little, and nobody would catch the error. */
static bool make_room(struct interp *in, size_t more) {
	size_t used = atomic_load_explicit(&in->used, memory_order_relaxed);
	if (__builtin_expect(used + more > INTERP_MEMORY_MAX || more > INTERP_MEMORY_MAX, 0) && in->limited) {
		in->starved = true;
		return false;
	}
	in->churn += more;
	if (__builtin_expect(in->churn > CHURN_MAX, 0) && in->running) {
		in->churn = 0;
		lua_sethook(in->running, count_tick, LUA_MASKCOUNT, 1);
	}
	return true;
}

static void count_used(struct interp *in, size_t less, size_t more) {
	size_t used = atomic_load_explicit(&in->used, memory_order_relaxed);
	atomic_store_explicit(&in->used, used - less + more, memory_order_relaxed);
}

static void *take(struct interp *in, size_t bytes) {
	void *ptr = NULL;
	if (in->run && bytes <= ARENA_PIECE_MAX) ptr = arena_take(&in->arena, bytes);
	return ptr ? ptr : mem_try_alloc(bytes);
}

static void give(struct interp *in, void *ptr, size_t bytes) {
	if (arena_owns(&in->arena, ptr))
		arena_give(&in->arena, ptr, bytes);
	else
		mem_free_sized(ptr, bytes);
}

/* A piece of the arena in another size. */
static void *move(struct interp *in, void *ptr, size_t old_bytes, size_t bytes) {
	if (bytes <= ARENA_PIECE_MAX && arena_class(bytes) == arena_class(old_bytes)) return ptr;
	void *new = take(in, bytes);
	/* Lua does not expect that making something smaller fails. */
	if (!new) return bytes < old_bytes ? ptr : NULL;
	memcpy(new, ptr, old_bytes < bytes ? old_bytes : bytes);
	arena_give(&in->arena, ptr, old_bytes);
	return new;
}

static __attribute__((noinline)) void *resize(struct interp *in, void *ptr, size_t old_bytes, size_t bytes) {
	if (bytes > old_bytes && !make_room(in, bytes - old_bytes)) return NULL;
	void *new = arena_owns(&in->arena, ptr) ? move(in, ptr, old_bytes, bytes) : mem_try_realloc(ptr, bytes);
	if (new) count_used(in, old_bytes, bytes);
	return new;
}

/* What scripts do most is to make small pieces and to drop them. */
static void *allocate(void *context, void *ptr, size_t old_bytes, size_t bytes) {
	struct interp *in = context;
	if (ptr && bytes) return resize(in, ptr, old_bytes, bytes);
	if (ptr) {
		give(in, ptr, old_bytes);
		count_used(in, old_bytes, 0);
		return NULL;
	}
	if (bytes == 0 || !make_room(in, bytes)) return NULL;
	void *new = take(in, bytes);
	if (new) count_used(in, 0, bytes);
	return new;
}

size_t interp_memory(const struct interp *in) {
	return atomic_load_explicit(&in->used, memory_order_relaxed);
}

/* ---- Time ---- */

struct interp *interp_of(lua_State *L) {
	void *in;
	lua_getallocf(L, &in);
	return in;
}

/* Why a run has to end, as an error that says so. Whoever catches it asks for the fate and raises it again. */
static void end_run(lua_State *L, const struct interp *in) {
	if (in->fate == SCRIPT_KILLED && in->job)
		lua_pushliteral(L, "Script killed by user with SCRIPT KILL..."); /* also of a function, as in Redis */
	else
		lua_pushliteral(L, "stopped");
	lua_error(L);
}

void interp__check_fate(lua_State *L, struct interp *in) {
	if (__builtin_expect(in->fate != SCRIPT_GO, 0)) end_run(L, in);
}

void interp_tick(lua_State *L) {
	struct interp *in = interp_of(L);
	if (in->fate == SCRIPT_GO) {
		if (in->run) {
			in->fate = script_tick(in->run);
		} else if (in->deadline_ms && clock_monotonic_ms() > in->deadline_ms) {
			in->fate = SCRIPT_KILLED;
			in->timed_out = true;
		}
	}
	interp__check_fate(L, in);
}

static void count_tick(lua_State *L, lua_Debug *ar) {
	(void)ar;
	if (lua_gethookcount(L) != INTERP_TICK_INSTRUCTIONS)
		lua_sethook(L, count_tick, LUA_MASKCOUNT, INTERP_TICK_INSTRUCTIONS);
	interp_of(L)->churn = 0;
	interp_tick(L);
}

/* ---- Life ---- */

static int body(lua_State *L);

static void push_body(lua_State *L) {
	static const char *const names[NAME_COUNT] = { [NAME_ERR - 1] = "err",
		[NAME_OK - 1] = "ok",
		[NAME_DOUBLE - 1] = "double",
		[NAME_MAP - 1] = "map",
		[NAME_SET - 1] = "set",
		[NAME_BIG_NUMBER - 1] = "big_number",
		[NAME_VERBATIM - 1] = "verbatim_string",
		[NAME_STRING - 1] = "string",
		[NAME_FORMAT - 1] = "format",
		[NAME_KEYS - 1] = "KEYS",
		[NAME_ARGV - 1] = "ARGV" };
	for (unsigned i = 0; i < NAME_COUNT; i++) lua_pushstring(L, names[i]);
	lua_pushvalue(L, SLOT_GLOBALS);
	lua_pushvalue(L, SLOT_UNGUARDED);
	lua_createtable(L, KEPT_MAX, 0);
	lua_createtable(L, KEPT_MAX, 0);
	lua_pushcclosure(L, body, UPVALUE_COUNT);
}

/* Leaves the slots on the stack. The stack of lua_cpcall is not the one that stays: so this is called by plain lua_pcall. */
static int open_state(lua_State *L) {
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	lua_pushcfunction(L, interp__open_sandbox);
	lua_call(L, 0, 1);
	lua_pushcfunction(L, interp__explain);
	push_body(L);
	return SLOT_COUNT;
}

static void set_seed(struct interp *in, uint32_t seed) {
	/* Where the numbers of rand48 begin that nobody has seeded. */
	in->random[0] = 0x330e;
	in->random[1] = (unsigned short)(0xabcd ^ (seed & 0xffff));
	in->random[2] = (unsigned short)(0x1234 ^ (seed >> 16));
}

/* An error that nobody catches: there is a mistake in what calls Lua. */
static int panic(lua_State *L) {
	const char *text = lua_tostring(L, -1);
	log_warning("Lua error outside of a script: %s", text ? text : "?");
	abort();
}

/* lua_pcall for code that a script may have a part in. */
static int call_limited(struct interp *in, int arguments, int results, int handler) {
	in->limited = true;
	int status = lua_pcall(in->L, arguments, results, handler);
	in->limited = false;
	return status;
}

struct interp *interp_new(uint32_t seed) {
	struct interp *in = mem_calloc(sizeof(*in));
	set_seed(in, seed);
#if !TARN_ASAN
	/* Without one it goes as well; and the sanitizer sees more without. */
	if (!arena_init(&in->arena)) mem_exhausted(ARENA_BYTES);
#endif
	in->L = lua_newstate(allocate, in);
	if (!in->L) mem_exhausted(sizeof(*in));
	lua_atpanic(in->L, panic);
	lua_pushcfunction(in->L, open_state);
	if (lua_pcall(in->L, 0, SLOT_COUNT, 0) != 0) {
		fprintf(stderr, "Lua: %s\n", lua_tostring(in->L, -1));
		mem_exhausted(interp_memory(in));
	}
	lua_sethook(in->L, count_tick, LUA_MASKCOUNT, INTERP_TICK_INSTRUCTIONS);
	in->running = in->L;
	in->cjson_changed = lua_cjson_changed(in->L);
	return in;
}

void interp_free(struct interp *in) {
	if (!in) return;
	in->running = NULL;
	lua_close(in->L);
	arena_release(&in->arena);
	buffer_release(&in->reply);
	mem_free(in->argv);
	mem_free(in->numbers);
	mem_free(in->frames);
	mem_free(in);
}

lua_State *interp_lua(struct interp *in) {
	return in->L;
}

void interp_set_owner(struct interp *in, void *owner) {
	in->owner = owner;
}

void *interp_owner(const struct interp *in) {
	return in->owner;
}

struct call *interp_call(const struct interp *in) {
	return in->call;
}

/* ---- Code ---- */

static void append_message(lua_State *L, struct buffer *error) {
	size_t len;
	const char *text = lua_tolstring(L, -1, &len);
	if (error && text) buffer_append(error, text, len);
}

bool interp_protect(struct interp *in, lua_CFunction fn, void *context, struct buffer *error) {
	lua_State *L = in->L;
	int top = lua_gettop(L);
	bool ok = lua_cpcall(L, fn, context) == 0;
	if (!ok) append_message(L, error);
	lua_settop(L, top);
	return ok;
}

void interp_push_globals(struct interp *in, enum chunk_kind kind) {
	static const int indices[] = {
		[CHUNK_READS] = SLOT_UNGUARDED,
		[CHUNK_SETS_FIELDS] = SLOT_GLOBALS,
		[CHUNK_SETS_GLOBALS] = LUA_GLOBALSINDEX,
	};
	lua_pushvalue(in->L, indices[kind]);
}

bool interp_compile(
	struct interp *in, struct slice code, const char *chunk, struct chunk_look *look, struct buffer *error) {
	in->limited = true;
	int status = lua_load_text(in->L, code, chunk);
	in->limited = false;
	if (status == 0) {
		*look = chunk_look(in->L);
		interp_push_globals(in, look->kind);
		lua_setfenv(in->L, -2);
		return true;
	}
	append_message(in->L, error);
	lua_pop(in->L, 1);
	return false;
}

static int keep_top(lua_State *L) {
	lua_settop(L, 1);
	lua_pushinteger(L, luaL_ref(L, LUA_REGISTRYINDEX));
	return 1;
}

int interp_keep(struct interp *in) {
	lua_State *L = in->running;
	lua_pushcfunction(L, keep_top);
	lua_insert(L, -2);
	int kept = lua_pcall(L, 1, 1, 0) == 0 ? (int)lua_tointeger(L, -1) : LUA_NOREF;
	lua_pop(L, 1);
	return kept;
}

void interp_push(struct interp *in, int kept) {
	lua_rawgeti(in->L, LUA_REGISTRYINDEX, kept);
}

void interp_drop(struct interp *in, int kept) {
	luaL_unref(in->L, LUA_REGISTRYINDEX, kept);
}

void interp_collect(struct interp *in) {
	lua_gc(in->L, LUA_GCCOLLECT, 0);
}

/* ---- Errors ---- */

int interp_raise(lua_State *L, const char *format, ...) {
	va_list args;
	va_start(args, format);
	char text[512];
	int len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	size_t shown = len < 0 ? 0 : (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "ERR ");
	lua_pushlstring(L, text, shown);
	lua_concat(L, 2);
	lua_setfield(L, -2, "err");
	return lua_error(L);
}

/* The innermost function that has lines: that which raised the error, or the one that called a C function which did. */
static bool find_place(lua_State *L, lua_Debug *ar) {
	for (int level = 1; level <= 2; level++) {
		if (!lua_getstack(L, level, ar) || !lua_getinfo(L, "Sl", ar)) return false;
		if (strcmp(ar->what, "C") != 0) break;
	}
	return true;
}

/* As tostring shows it; not a table. */
static void push_shown(lua_State *L, int index) {
	if (lua_isstring(L, index))
		lua_pushvalue(L, index);
	else if (lua_isboolean(L, index))
		lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
	else if (lua_isnil(L, index))
		lua_pushliteral(L, "nil");
	else
		lua_pushfstring(L, "%s: %p", luaL_typename(L, index), lua_topointer(L, index));
}

int interp__explain(lua_State *L) {
	lua_Debug ar;
	if (!lua_istable(L, 1)) {
		lua_createtable(L, 0, 3);
		lua_pushliteral(L, "ERR ");
		push_shown(L, 1);
		lua_concat(L, 2);
		lua_setfield(L, -2, "err");
		lua_replace(L, 1);
	}
	lua_settop(L, 1);
	/* A script's own table may have a metatable, or be read-only. */
	if (interp__push_real(L, 1) || !find_place(L, &ar)) {
		lua_settop(L, 1);
		return 1;
	}
	lua_pushliteral(L, "source");
	lua_pushstring(L, ar.source);
	lua_rawset(L, 1);
	lua_pushliteral(L, "line");
	lua_pushinteger(L, ar.currentline);
	lua_rawset(L, 1);
	return 1;
}

static void push_field(lua_State *L, int index, const char *name) {
	lua_pushstring(L, name);
	lua_rawget(L, index);
}

/* ---- Set-up code ---- */

/* Of an error that interp__explain has seen. */
static void read_failure(lua_State *L, int index, struct interp_failure *f) {
	if (!lua_istable(L, index)) {
		append_message(L, f->error);
		return;
	}
	push_field(L, index, "err");
	size_t len = 0;
	const char *text = lua_tolstring(L, -1, &len);
	if (text && strncmp(text, "ERR ", 4) == 0) {
		text += 4;
		len -= 4;
	}
	if (text) buffer_append(f->error, text, len);
	push_field(L, index, "line");
	f->line = (int)lua_tointeger(L, -1);
}

static void settle(struct interp *in);

bool interp_execute(struct interp *in, int64_t limit_ms, struct interp_failure *f) {
	lua_State *L = in->L;
	int top = lua_gettop(L) - 1;
	in->fate = SCRIPT_GO;
	in->run = NULL;
	in->job = NULL;
	in->timed_out = false;
	in->deadline_ms = clock_monotonic_ms() + limit_ms;
	bool ok = call_limited(in, 0, 0, SLOT_HANDLER) == 0;
	in->deadline_ms = 0;
	f->timed_out = in->timed_out;
	if (!ok && !f->timed_out) read_failure(L, top + 1, f);
	lua_settop(L, top);
	settle(in);
	return ok;
}

/* ---- Runs ---- */

/* Calls the function at 1 and writes what it returns. */
static int body(lua_State *L) {
	struct interp *in = interp_of(L);
	interp__call_with_keys(L, in);
	interp__check_fate(L, in);
	interp__write_value(L, in, in->call->reply);
	return 0;
}

/* Writes the error at the top of the stack, as a table that interp__explain has made or as what Lua says when there was no
 * memory for one. */
static void write_error(lua_State *L, const struct interp_job *job, struct reply *r) {
	int index = lua_gettop(L);
	if (!lua_istable(L, index)) {
		const char *text = lua_tostring(L, index);
		reply_errorf(r, "ERR %s script: %s.", text ? text : "unknown error", job->name);
		return;
	}
	push_field(L, index, "ignore_error_stats_update");
	bool is_counted = lua_toboolean(L, -1);
	push_field(L, index, "err");
	push_field(L, index, "source");
	push_field(L, index, "line");
	const char *text = lua_tostring(L, index + 2), *source = lua_tostring(L, index + 3);
	if (!text) text = "ERR unknown error";
	if (source)
		reply_errorf(r, "%s script: %s, on %s:%d.", text, job->name, source, (int)lua_tointeger(L, index + 4));
	else
		reply_errorf(r, "%s script: %s.", text, job->name);
	/* The command that failed has counted it. */
	if (is_counted) r->error_code[0] = '\0';
}

/* A collection frees all that is garbage, but halves the table of strings and the buffer of concatenations only. */
static void give_back(struct interp *in) {
	in->starved = false;
	size_t before;
	do {
		before = interp_memory(in);
		lua_gc(in->L, LUA_GCCOLLECT, 0);
	} while (before - interp_memory(in) > KEEP_BYTES && before > interp_memory(in));
}

/* Takes back what the script may have changed. */
static void settle(struct interp *in) {
	lua_State *L = in->L;
	in->running = L;
	in->run = NULL;
	in->call = NULL;
	in->job = NULL;
	in->fate = SCRIPT_GO;
	if (*in->cjson_changed) lua_cjson_reset(L);
	if (in->reseeded) {
		memcpy(in->random, in->random_before, sizeof(in->random));
		in->reseeded = false;
	}
	if (in->gc_changed) {
		lua_gc(L, LUA_GCSETPAUSE, DEFAULT_PAUSE);
		lua_gc(L, LUA_GCSETSTEPMUL, DEFAULT_STEPMUL);
		lua_gc(L, LUA_GCRESTART, 0);
		in->gc_changed = false;
	}
	if (in->forget_keys) interp__forget_keys(in);
	if (in->reply.cap > KEEP_BYTES) buffer_release(&in->reply);
	if (__builtin_expect(in->starved || interp_memory(in) > COLLECT_BYTES, 0)) give_back(in);
}

static void run_prepared(struct interp *in, const struct interp_job *job) {
	lua_State *L = in->L;
	struct reply *r = in->call->reply;
	size_t begin = r->out->len;
	lua_pushvalue(L, SLOT_BODY);
	lua_insert(L, -2);
	if (call_limited(in, 1, 0, SLOT_HANDLER) == 0) return;
	/* What was written before the error came is not to be seen. */
	r->out->len = begin;
	r->errors = 0;
	if (in->fate != SCRIPT_STOP) write_error(L, job, r);
}

void interp_run(struct interp *in, struct call *c, struct interp_job *job) {
	lua_State *L = in->L;
	assert(lua_gettop(L) == SLOT_COUNT + 1);
	in->call = c;
	in->job = job;
	in->run = script_run_of(c);
	in->proto = 2;
	script_run_allow(in->run, job->allow);
	in->fate = job->needs_world ? script_want_world(in->run) : SCRIPT_GO;
	if (in->fate == SCRIPT_GO) {
		run_prepared(in, job);
		job->needs_world = script_needed_world(in->run);
	}
	lua_settop(L, SLOT_COUNT);
	settle(in);
}
