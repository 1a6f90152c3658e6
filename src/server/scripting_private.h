/* The parts of scripting.h among themselves: scripting.c (the life of a run: tries, slices, its end), scripting_call.c (what a called
 * command needs) and scripting_notice.c (what others may ask about a long run). */
#ifndef TARN_SERVER_SCRIPTING_PRIVATE_H
#define TARN_SERVER_SCRIPTING_PRIVATE_H

#include "server/scripting.h"
#include "server/server.h"

enum run_state {
	RUN_IDLE,
	RUN_WAITS,     /* for its gates; it holds nothing */
	RUN_SUSPENDED, /* between two slices */
	RUN_RUNNING,
};

/* What others may ask about a long run. */
struct script_notice {
	struct lock lock;
	int64_t since_ms; /* monotonic; 0: no long run */
	enum script_kind kind;
	struct buffer name;
	struct buffer command;
	unsigned words;
};

/* What a run has shown to others, who are not to see it again when it starts over. */
struct script_shown {
	unsigned lines; /* of the log */
	unsigned calls; /* to those who monitor, and to the slow log */
};

/* What a client's run has found out before it was put off: so that it is not started only to stop at the same place. */
struct script_try {
	struct script_shown shown;
	bool world_first;
	uint64_t learned[];
};

struct script_run {
	struct worker *worker;
	struct fiber *fiber; /* made for the first run */
	enum run_state state;
	bool is_transaction;
	bool is_detached; /* its dispatcher has gone on: the client waits, the arguments are our own */
	bool world_first; /* it is to begin under the world */

	struct call call; /* the command that is run, as its handler sees it */
	struct reply reply;
	struct buffer out;    /* its reply */
	struct buffer pushes; /* for its client, behind the reply */
	/* When detached: the arguments' key slots, slices and bytes, copied, in one piece. */
	struct call_key_slot *arg_keys;
	unsigned client_db; /* of the client, whatever the script selects */

	uint64_t *held;    /* a set of gates; that of the transaction, if it is one */
	uint64_t *own_set; /* gate.words each */
	uint64_t *learned; /* shards that earlier tries of this run have missed */
	bool has_mutex;
	bool is_lifted;
	unsigned restarts;

	/* Of the script in hand. */
	enum script_kind kind;
	const char *name;
	uint32_t allow;
	struct view view;
	bool stopping; /* it is to unwind: SCRIPT_STOP, or SCRIPT_KILLED with `killed` */
	bool killed;
	bool needed_world;
	struct script_shown shown, shown_before; /* in this try, and in earlier ones */
	uint64_t slice_ticks;                    /* of the slice in hand, when detached */
	uint64_t slice_end_ticks;
	uint64_t start_ticks;
	const struct call *current; /* worker.current_call while it is suspended */
	struct blocking_ready ready;

	struct call_key_slot *slots; /* of the command that is called */
	unsigned slot_count, slot_cap;

	_Atomic bool wrote;     /* read by who wants to kill it */
	_Atomic bool kill_wish; /* set by any thread under notice.lock, when since_ms and wrote allow it */
	struct script_notice notice;
};

static inline struct client *script__client(const struct script_run *run) {
	return run->call.client;
}

static inline bool script__has_written(const struct script_run *run) {
	return atomic_load_explicit(&run->wrote, memory_order_relaxed);
}

/* Whether letting go and starting over harms nobody. */
static inline bool script__may_restart(const struct script_run *run) {
	return !run->is_transaction && !script__has_written(run);
}

/* Begins the unwinding; returns what that is told with. */
enum script_step script__stop(struct script_run *run);

/* Time is up, or somebody wants something: suspends the run, if it is not to end. */
enum script_step script__look_around(struct script_run *run);

/* Tells others about a long run, which began then (monotonic ms); 0: that it is over. */
void script__say_what_runs(struct script_run *run, int64_t since_ms);

#endif
