/* interp: a Lua state with the environment that scripts know, and what it takes to run something in it.
 *
 * EVAL has one per worker, functions have one per worker; both are made when they are first needed. An interp belongs to one
 * thread at a time and is never entered twice: a run that is suspended in script_tick keeps it.
 *
 *     interp_new ──▶ interp_compile ──▶ (keep the function: interp_keep) ──▶ interp_run, interp_run … ──▶ interp_free
 *
 * Rules:
 *  1. Nothing of a run is left for the next: the stack, hooks, the mode of the garbage collection, settings of libraries, the
 *     seed of math.random, RESP version of redis.call. Globals cannot be written at all.
 *  2. Once a run has to end (script_step other than GO), nothing of the script runs on: pcall, xpcall and coroutine.resume
 *     raise again, redis.call refuses.
 *  3. Every call here that may raise a Lua error says so; all others catch what happens inside.
 *
 * Read-only tables. Stock Lua 5.1 has none, so what a script sees of _G and of the libraries is an empty table, a *guard*,
 * whose metatable reads the real one behind it and refuses writing; unless it cannot write anyhow (chunk.h). The functions that look into tables past their metatables
 * (next, pairs, rawget, rawset, getmetatable, table.insert …) are ours and know guards. */
#ifndef TARN_SCRIPT_INTERP_H
#define TARN_SCRIPT_INTERP_H

#include <lua.h>

#include "base/bytes.h"
#include "base/buffer.h"
#include "script/chunk.h"
#include "server/call.h"

struct interp;
struct worker;

enum {
	INTERP_MEMORY_MAX = 512 * 1024 * 1024, /* bytes that one state may have */
	INTERP_TICK_INSTRUCTIONS = 5000,       /* of the VM, between two ticks */
	INTERP_DEPTH_MAX = 128,                /* of a command's reply on its way to Lua */
};

/* A state with the whole sandbox. `seed` tells math.random's sequences of several states apart; 0 is Redis's own. Ends the
 * process when there is no memory for it. */
struct interp *interp_new(uint32_t seed);
void interp_free(struct interp *in);

lua_State *interp_lua(struct interp *in);
/* The interp that a state or one of its coroutines belongs to. For C functions that scripts call. */
struct interp *interp_of(lua_State *L);
/* Bytes that the state has. Any thread. */
size_t interp_memory(const struct interp *in);
/* What the interp's owner wants to find again from a C function. */
void interp_set_owner(struct interp *in, void *owner);
void *interp_owner(const struct interp *in);

/* ---- What scripts see ---- */

/* Pushes the table of globals for code of that kind; which is not to be changed. Not inside a C function of Lua's. */
void interp_push_globals(struct interp *in, enum chunk_kind kind);

/* Pushes a guard for the table at `index`. May raise. */
void interp_guard(lua_State *L, int index);

/* Runs fn(L) with `context` on top of the stack as light userdata, catching errors: true, or false with the error's text
 * appended to `error` (NULL: dropped). The stack is as before. No time limit and no run: for set-up. */
__attribute__((warn_unused_result)) bool interp_protect(
	struct interp *in, lua_CFunction fn, void *context, struct buffer *error);

/* ---- Code ---- */

/* Compiles source text (never bytecode) and pushes the function, which has the globals that are made for its kind; `look` tells that. `chunk` names it in messages: "@user_script", "@mylib"; a
 * line "#!…" at the front is to be cut off by the caller, its newline left in place, so that line numbers stay. False with
 * Lua's message ("user_script:1: '=' expected near 'bar'") appended, nothing pushed. */
__attribute__((warn_unused_result)) bool interp_compile(
	struct interp *in, struct slice code, const char *chunk, struct chunk_look *look, struct buffer *error);

/* Pops the value on top of the stack and keeps it; for interp_push. INTERP_NOTHING_KEPT when there is no memory. */
enum { INTERP_NOTHING_KEPT = -2 /* LUA_NOREF */ };
int interp_keep(struct interp *in);
void interp_push(struct interp *in, int kept);
void interp_drop(struct interp *in, int kept);

/* Pops the function on top of the stack and runs it without arguments, without a run: redis.call and its kin refuse. Ends it
 * after `limit_ms` of time. For FUNCTION LOAD. True when it returned (its results are dropped); otherwise false with what
 * went wrong appended: an error's text without position of its own ("ERR …" is cut off), *line set to where it happened
 * (0: unknown), or `timed_out` set. */
struct interp_failure {
	struct buffer *error;
	int line;
	bool timed_out;
};
__attribute__((warn_unused_result)) bool interp_execute(struct interp *in, int64_t limit_ms, struct interp_failure *f);

/* Frees what nothing refers to any more. Takes time in proportion to the memory of the state. */
void interp_collect(struct interp *in);

/* ---- Runs ---- */

enum interp_keys {
	INTERP_KEYS_GLOBAL,    /* KEYS and ARGV are globals: EVAL */
	INTERP_KEYS_ARGUMENTS, /* they are the two arguments: FCALL */
};

struct interp_job {
	const char *name; /* in messages, "script: <name>, on @user_script:1."; a SHA1 or a function's name */
	uint32_t allow;   /* enum script_allow */
	enum interp_keys
		keys; /* how the script gets them; with INTERP_KEYS_ARGUMENTS it is a function to FUNCTION KILL … */
	unsigned first_key; /* argument index in the call */
	unsigned key_count; /* what follows the keys is ARGV */
	bool leaves_alone;  /* chunk_leaves_alone holds */
	bool needs_world; /* in: it is known to need the world; out: it has asked for it. To be remembered per script */
};

/* Pops the function on top of the stack, runs it for the call, and writes its result (converted), or its error as Redis words
 * it, as the call's reply. Writes nothing when the run is to be started over (SCRIPT_STOP); the handler returns then in any
 * case. The call's command must be declared with gate = "script". */
void interp_run(struct interp *in, struct call *c, struct interp_job *job);

/* Inside a C function that a script calls: the call that is run for; NULL in interp_execute and interp_protect. */
struct call *interp_call(const struct interp *in);

/* ---- For C functions that a script calls; libs.h has interp_tick and interp_check_writable ---- */

/* Raises an error as redis.call does: a table with `err`, "ERR " and the text, without position. For `return interp_raise(…)`. */
__attribute__((format(printf, 2, 3))) int interp_raise(lua_State *L, const char *format, ...);

#endif
