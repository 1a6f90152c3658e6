/* scripting: how a script's run goes through the gate, whatever language it is written in.
 *
 * The interpreter (script/) knows scripts and no gates; this knows gates and no scripts. The handler of a command that is
 * declared with `gate = "script"` (EVAL, FCALL …) runs on a stack of its own, a fiber of its worker, with the gates of its
 * declared keys held. What the script calls comes back through script_call, which takes what the called command needs
 * beyond that:
 *
 *     a key that was not declared     its shard, if that needs no waiting (so nothing can deadlock), and goes on
 *     … and somebody has that shard   written nothing yet: everything is let go, and the handler runs again from its
 *                                     start with this shard among those that it is given
 *                                     already writing: the run is lifted, it becomes the only one (gate_lift)
 *     a first write                   the script mutex; whoever may be lifted has it
 *     SCAN, FLUSHALL … (walk, world)  the world: started over under it, or lifted
 *
 *              ┌────────────── SCRIPT_STOP: unwound, gates let go, started over ─────────────┐
 *              ▼                                                                             │
 *           running ──tick: time is up──▶ suspended (the worker's loop runs) ──next turn──▶ running ──▶ ended
 *
 * A run that lasts longer than some milliseconds is *long*: it is suspended at script_tick while its worker serves other
 * clients for a turn, and it says what it holds (gate_claim), so that nobody waits for that: commands that need it are put
 * off, and get BUSY once the run has passed busy-reply-threshold. */
#ifndef TARN_SERVER_SCRIPTING_H
#define TARN_SERVER_SCRIPTING_H

#include "server/call.h"

struct script_run;
struct server;

enum script_step {
	SCRIPT_GO, /* the command ran, its reply (an error perhaps) is in `out`; a tick: go on */
	SCRIPT_STOP, /* unwind and return from the handler at once, whatever the script tries (pcall); what it has replied is
	                  forgotten, the handler will be called again */
	SCRIPT_KILLED, /* the same, but this was the end: the handler answers that the script was killed */
};

enum script_allow {
	SCRIPT_ALLOW_WRITE = 1 << 0, /* not EVAL_RO, not `no-writes` */
	SCRIPT_ALLOW_OOM = 1 << 1,
	SCRIPT_ALLOW_STALE = 1 << 2,
};

/* The run that the handler in hand belongs to. Once per handler, at its beginning: what the script may do, its database and
 * clock begin here. The handler keeps no pointer into `c->argv` over script_call and script_tick: the arguments may move. */
struct script_run *script_run_of(struct call *c);

/* Before the first script_call of the handler: what the script may do (enum script_allow; nothing before). */
void script_run_allow(struct script_run *run, uint32_t allow);

/* Runs one command for the script, replying to `out` (appended) in RESP `proto`, 2 or 3. Every reason not to run it is an
 * error reply in `out`: unknown, arity, not allowed from scripts, a write where none is allowed. The texts are Redis's
 * without what the interpreter adds. SELECT changes the script's database until its end. The slices need to be valid during the
 * call only. */
enum script_step script_call(
	struct script_run *run, unsigned argc, const struct slice *argv, struct buffer *out, uint8_t proto);

/* To be called at least every tenth of a millisecond or so while the script computes (a count hook, a long loop in C). May
 * let other clients of the worker run before it returns; they run no script of this worker. Cheap when there is nothing to
 * do. */
enum script_step script_tick(struct script_run *run);

/* The script needs the world from its start (remembered from an earlier run): SCRIPT_STOP unless it has it. */
enum script_step script_want_world(struct script_run *run);

/* Whether script_call has asked for the world in this run: worth remembering for the next one. */
bool script_needed_world(const struct script_run *run);

/* Whether this run was started over and now writes a log line that it has written before. Call once per line. */
bool script_says_again(struct script_run *run);

/* The script's database, clock (frozen at its start, wall ms) and whether it has written. */
unsigned script_db(const struct script_run *run);
int64_t script_now_ms(const struct script_run *run);
bool script_has_written(const struct script_run *run);

/* ---- For SCRIPT KILL, FUNCTION KILL, FUNCTION STATS: any worker ---- */

enum script_kind { SCRIPT_KIND_EVAL, SCRIPT_KIND_FUNCTION };

/* What runs, for FUNCTION STATS: `name` (a function's) is to be there until the next is told. */
void script_run_describe(struct script_run *run, enum script_kind kind, const char *name);

enum script_kill { SCRIPT_KILL_DONE, SCRIPT_KILL_NONE, SCRIPT_KILL_WRITES, SCRIPT_KILL_OTHER_KIND };
/* Ends the long runs of that kind which have written nothing. NONE: there is no long run; WRITES: there are only such
 * that have written; OTHER_KIND: only such of the other kind. */
enum script_kill script_kill_running(struct server *s, enum script_kind kind);

/* The long run that is oldest: true, with its kind, name, the words of its command, and duration in ms appended. */
struct script_running {
	enum script_kind kind;
	struct buffer name;
	struct buffer command; /* each word with a NUL behind it */
	unsigned words;
	int64_t duration_ms;
};
bool script_oldest(struct server *s, struct script_running *r); /* release the buffers after */

/* ---- For the dispatcher and the worker's loop ---- */

struct script_run *script_run_new(struct worker *w);
void script_run_free(struct script_run *run);

/* A command declared with GATE_SCRIPT; EXEC of a transaction that has one. False: a gate was not to be had, and nothing has
 * happened. True: the reply is written, or the client is CLIENT_IN_SCRIPT and will get it. */
__attribute__((warn_unused_result)) bool script_run_command(struct worker *w, struct call *call);
__attribute__((warn_unused_result)) bool script_run_transaction(struct worker *w, struct call *call);

/* Whether a run of this worker is suspended, or waits for gates; and its next slice. */
bool script_is_under_way(const struct script_run *run);
bool script_waits(const struct script_run *run);
void script_go_on(struct worker *w, bool others_are_busy);
/* The worker leaves its loop: the run is killed, whatever it has written. */
void script_end_for_good(struct worker *w);
/* The poller has told something of a client that waits for its run. */
void script_client_said(struct client *c, bool hangs_up);

/* True, the error written: some run has passed busy-reply-threshold. */
bool script_answer_busy(struct server *s, struct reply *reply);

/* ---- What the interpreter hands down at start (main wires it) ---- */

/* For INFO. The interpreters of all workers together. */
struct script_figures {
	int64_t scripts, script_bytes, evicted;      /* of EVAL: known, their text, how many were forgotten */
	int64_t libraries, functions, library_bytes; /* of FUNCTION */
	int64_t eval_vm_bytes, function_vm_bytes;
	int64_t vm_bytes, text_bytes; /* sums */
};

struct script_engine {
	/* Frees what the engine keeps for a worker (worker.engine), at the worker's end, on its thread or after it. */
	void (*release_worker)(struct worker *w);
	/* Frees what it keeps for the server (server.engine), after that. */
	void (*release)(struct server *s);
	/* Bytes, for INFO and MEMORY STATS: of all interpreters; any thread. */
	size_t (*memory)(const struct server *s);
	void (*figures)(struct server *s, struct script_figures *figures); /* any thread, inside */
};

#endif
