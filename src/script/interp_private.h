/* What the files of the interpreter share. */
#ifndef TARN_SCRIPT_INTERP_PRIVATE_H
#define TARN_SCRIPT_INTERP_PRIVATE_H

#include <stdatomic.h>

#include "script/arena.h"
#include "script/interp.h"
#include "server/scripting.h"

/* The bottom of the main state's stack: what every run needs, at fixed places. */
enum {
	SLOT_GLOBALS = 1, /* the real table behind _G */
	SLOT_UNGUARDED,   /* the globals of code that only reads */
	SLOT_HANDLER,     /* interp__explain */
	SLOT_BODY,        /* runs a job; its upvalues are below */
	SLOT_COUNT = SLOT_BODY,
};

/* Upvalues of the body: strings that are needed in each run, which so need not be looked for among all strings. Most are
 * fields that a table may have which the script returns. */
enum {
	NAME_ERR = 1,
	NAME_OK,
	NAME_DOUBLE,
	NAME_MAP,
	NAME_SET,
	NAME_BIG_NUMBER,
	NAME_VERBATIM,
	NAME_STRING,
	NAME_FORMAT,
	NAME_KEYS,
	NAME_ARGV,
	NAME_COUNT = NAME_ARGV,
	UPVALUE_GLOBALS, /* the real table behind _G */
	UPVALUE_UNGUARDED,
	UPVALUE_KEYS, /* tables for KEYS and ARGV of scripts that leave them alone */
	UPVALUE_ARGV,
	UPVALUE_COUNT = UPVALUE_ARGV,
};

/* How many arguments and how many bytes of them such tables keep from one run to the next, at most. */
enum { KEPT_MAX = 16, KEPT_BYTES = 4096 };

/* A table that is on its way to the client. */
struct reply_frame {
	enum { FRAME_ARRAY, FRAME_MAP_KEY, FRAME_MAP_VALUE, FRAME_SET } kind;
	uint32_t index, count; /* FRAME_ARRAY: elements written, and to be written */
};

struct interp {
	lua_State *L;
	lua_State *running; /* it, or the coroutine that it is in */
	void *owner;
	_Atomic size_t used; /* bytes; read by others, relaxed */
	bool limited;        /* INTERP_MEMORY_MAX holds */
	size_t churn;        /* bytes allocated since the last tick */
	struct arena arena;  /* for runs; what stays, like compiled scripts, does not come from it */

	/* Of the run in hand. */
	struct script_run *run; /* NULL: none */
	struct call *call;
	const struct interp_job *job;
	enum script_step fate; /* other than GO: it has to end */
	uint8_t proto;         /* of redis.call's replies */
	int64_t deadline_ms;   /* monotonic, of interp_execute; 0: none */
	bool timed_out;
	bool gc_changed;               /* the collector's mode is to be set back */
	bool reseeded;                 /* by math.randomseed: the sequence is to go on as if it had not been */
	bool forget_keys;              /* KEYS and ARGV are large */
	bool starved;                  /* an allocation was refused */
	bool kept_in_place;            /* the kept tables are KEYS and ARGV of code that only reads */
	unsigned kept_keys, kept_args; /* how much is in them */
	const bool *cjson_changed;
	unsigned short random[3], random_before[3];

	struct buffer reply; /* of redis.call */
	struct slice *argv;  /* for it */
	char *numbers;       /* arguments that were numbers, NUMBER_ROOM bytes each */
	unsigned argv_cap;
	struct reply_frame *frames;
	unsigned frame_cap;
};

enum { NUMBER_ROOM = 40 };

/* ---- interp.c ---- */

/* Ends the run from within a C function, or goes on ending it. Does not return when there is a reason. */
void interp__check_fate(lua_State *L, struct interp *in);
/* Message handler of runs: makes a table of the error, with where it happened. */
int interp__explain(lua_State *L);
/* The text of the error at `index`, terminated; valid while it is there. */
const char *interp__error_text(lua_State *L, int index);

/* ---- keys.c ---- */
/* In the body: calls the function at 1, the only value on the stack, with the keys and arguments of the job; one result. Raises. */
void interp__call_with_keys(lua_State *L, struct interp *in);
/* KEYS and ARGV stay behind until the next run replaces them; large ones do not. Between runs. */
void interp__forget_keys(struct interp *in);

/* ---- sandbox.c ---- */

/* In a new state: opens the libraries, puts the guards in front; returns the globals of code that only reads. Raises. */
int interp__open_sandbox(lua_State *L);
/* When the value at `index` is a guard: pushes the table behind it. */
bool interp__push_real(lua_State *L, int index);

/* ---- random.c ---- */
int interp__open_random(lua_State *L); /* random and randomseed into the table on top of the stack */

/* ---- redis_api.c ---- */
/* Upvalues of redis.call and redis.pcall, for to_lua.c. */
enum {
	CALL_NAME_OK = 1, /* "ok" */
	CALL_TEXT_OK,     /* "OK" */
	CALL_STATUS_OK,   /* { ok = "OK" }, for scripts that leave it alone */
	CALL_UPVALUE_COUNT = CALL_STATUS_OK,
};
int interp__open_redis(lua_State *L); /* pushes the table */

/* ---- to_lua.c ---- */
/* In redis.call or pcall, whose upvalues it uses: pushes what a command has replied. An error becomes a table with `err`; then it returns true.
 * Raises. */
bool interp__push_reply(lua_State *L, const struct interp *in, struct slice reply);

/* ---- to_reply.c ---- */
/* Writes the value on top of the stack, which it pops. In the body, whose upvalues it uses. */
void interp__write_value(lua_State *L, struct interp *in, struct reply *r);

#endif
