#include "server/scripting.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fiber.h"
#include "base/hash.h"
#include "base/log.h"
#include "server/server.h"
#include "server/transaction.h"

enum {
	STACK_BYTES = 1024 * 1024,
	LONG_MS = 2,         /* a run of that length is suspended for the first time */
	SLICE_US = 1000,     /* and then goes on for so long in each turn of the loop, */
	BUSY_SLICE_US = 200, /* or for so long while other clients have something to do */
	RESTARTS = 8,        /* with more shards each time; then the world it is */
	KEEP_OUT_BYTES = 64 * 1024,
};

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
	unsigned calls; /* to those who monitor */
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

/* ---- Life ---- */

struct script_run *script_run_new(struct worker *w) {
	struct script_run *run = mem_calloc(sizeof(*run));
	size_t set = w->server->gate.words * sizeof(uint64_t);
	run->worker = w;
	run->name = "";
	run->own_set = mem_calloc(set);
	run->learned = mem_calloc(set);
	return run;
}

void script_run_free(struct script_run *run) {
	if (!run) return;
	fiber_free(run->fiber);
	buffer_release(&run->out);
	buffer_release(&run->pushes);
	buffer_release(&run->notice.name);
	buffer_release(&run->notice.command);
	mem_free(run->own_set);
	mem_free(run->learned);
	mem_free(run->slots);
	mem_free(run);
}

static size_t set_bytes(const struct script_run *run) {
	return run->worker->server->gate.words * sizeof(uint64_t);
}

static struct client *client_of(const struct script_run *run) {
	return run->call.client;
}

/* ---- Gates ---- */

static bool enter_with_keys(struct script_run *run) {
	struct gate_member *m = &run->worker->member;
	run->held = run->own_set;
	memcpy(run->held, run->learned, set_bytes(run));
	for (unsigned i = 0; i < run->call._key_count; i++) gate_set_add(run->held, run->call._keys[i].shard);
	if (!gate_lock_set(m, run->held)) return false;
	run->has_mutex = gate_set_has(run->held, gate_script_mutex(m->gate));
	return true;
}

static bool enter(struct script_run *run) {
	struct worker *w = run->worker;
	/* Outside not even a script without keys may run, since it may ask for some. */
	if (gate_is_limited(&w->member)) return false;
	run->has_mutex = run->is_lifted = false;
	atomic_store_explicit(&run->wrote, false, memory_order_relaxed);
	if (run->is_transaction) {
		run->held = transaction_gates(client_of(run));
		run->has_mutex = true;
		return transaction_enter(w, client_of(run));
	}
	if (!run->world_first) return enter_with_keys(run);
	run->held = run->own_set;
	memset(run->held, 0, set_bytes(run));
	return gate_take_world(&w->member);
}

/* In the order that the world ends last: then nobody finds our shards free while we still are alone. */
static void leave(struct script_run *run) {
	struct gate_member *m = &run->worker->member;
	if (run->is_lifted || !gate_has_world(m)) gate_unlock_set(m, run->held);
	if (run->is_lifted)
		gate_unlift(m);
	else if (gate_has_world(m))
		gate_drop_world(m);
	run->is_lifted = run->has_mutex = false;
}

/* ---- A run that lasts ---- */

/* Under the lock of the notice. */
static void note_name(struct script_run *run) {
	run->notice.kind = run->kind;
	run->notice.name.len = 0;
	buffer_append(&run->notice.name, run->name, strlen(run->name));
}

static void say_what_runs(struct script_run *run, int64_t since_ms) {
	atomic_fetch_add_explicit(&run->worker->server->long_runs, since_ms ? 1u : -1u, memory_order_relaxed);
	lock_take(&run->notice.lock, LOCK_RANK_SERVER, 0);
	run->notice.since_ms = since_ms;
	run->notice.command.len = 0;
	run->notice.words = 0;
	note_name(run);
	for (unsigned i = 0; since_ms && i < run->call.argc; i++, run->notice.words++) {
		buffer_append_slice(&run->notice.command, run->call.argv[i]);
		buffer_append_char(&run->notice.command, '\0');
	}
	if (since_ms == 0) atomic_store_explicit(&run->kill_wish, false, memory_order_relaxed);
	lock_drop(&run->notice.lock, LOCK_RANK_SERVER, 0);
}

/* The batch that the arguments lie in will be gone. */
static void copy_arguments(struct script_run *run) {
	struct call *c = &run->call;
	size_t slices = c->argc * sizeof(struct slice), keys = c->_key_count * sizeof(struct call_key_slot);
	char *piece = mem_alloc(keys + slices + slices_bytes(c->argv, c->argc));
	struct slice *args = (struct slice *)(piece + keys);
	if (keys) memcpy(piece, c->_keys, keys);
	slices_copy(args, (char *)(args + c->argc), c->argv, c->argc);
	run->arg_keys = (struct call_key_slot *)piece;
	c->_keys = run->arg_keys;
	c->argv = args;
	c->_item = NULL;
}

static void detach(struct script_run *run) {
	struct client *c = client_of(run);
	copy_arguments(run);
	run->is_detached = true;
	c->flags |= CLIENT_IN_SCRIPT;
	say_what_runs(run, clock_monotonic_ms() - LONG_MS);
	if (run->worker->server->config->values.busy_reply_threshold > 0)
		log_debug("A script runs for longer than %d ms: others get their turn in between.", LONG_MS);
}

/* On the fiber: the worker's loop goes on, and comes back here. */
static void suspend(struct script_run *run) {
	struct worker *w = run->worker;
	if (!run->is_detached) detach(run);
	gate_suspend(&w->member, run->held);
	uint64_t began_ticks = w->command_ticks;
	run->current = w->current_call;
	w->current_call = NULL;
	blocking_swap_ready(&w->blocking, &run->ready);
	if (w->pushes.len > 0) {
		buffer_append_slice(&run->pushes, buffer_slice(&w->pushes));
		w->pushes.len = 0;
	}
	run->state = RUN_SUSPENDED;
	fiber_leave(run->fiber);
	run->state = RUN_RUNNING;
	blocking_swap_ready(&w->blocking, &run->ready);
	w->current_call = run->current;
	w->current = client_of(run);
	w->command_ticks = began_ticks;
	run->slice_end_ticks = clock_ticks() + run->slice_ticks;
}

static enum script_step stop(struct script_run *run) {
	run->stopping = true;
	return run->killed ? SCRIPT_KILLED : SCRIPT_STOP;
}

static bool has_written(const struct script_run *run) {
	return atomic_load_explicit(&run->wrote, memory_order_relaxed);
}

/* Whether letting go and starting over harms nobody. */
static bool may_restart(const struct script_run *run) {
	return !run->is_transaction && !has_written(run);
}

static bool is_to_die(struct script_run *run) {
	if (atomic_load_explicit(&run->worker->server->stopping, memory_order_relaxed)) return true;
	/* Who wished that has seen nothing written; by now there may be. */
	return atomic_load_explicit(&run->kill_wish, memory_order_relaxed) && !has_written(run);
}

/* Time is up, or somebody wants something. */
static enum script_step look_around(struct script_run *run) {
	if (is_to_die(run)) run->killed = true;
	if (run->killed) return stop(run);
	if (gate_is_lifting(&run->worker->member) && may_restart(run) && !run->has_mutex) return stop(run);
	suspend(run);
	if (is_to_die(run)) run->killed = true;
	return run->killed ? stop(run) : SCRIPT_GO;
}

enum script_step script_tick(struct script_run *run) {
	if (run->stopping) return stop(run);
	if (clock_ticks() < run->slice_end_ticks) return SCRIPT_GO;
	return look_around(run);
}

/* ---- What a called command needs ---- */

static void lift(struct script_run *run) {
	struct gate_member *m = &run->worker->member;
	if (gate_has_world(m)) return;
	gate_lift(m, run->held);
	run->is_lifted = true;
}

static enum script_step need_world(struct script_run *run) {
	struct gate_member *m = &run->worker->member;
	run->needed_world = true;
	if (gate_has_world(m)) return SCRIPT_GO;
	/* Alone there is nobody to wait for. */
	if (m->gate->shared && may_restart(run)) {
		run->world_first = true;
		return stop(run);
	}
	lift(run);
	return SCRIPT_GO;
}

enum script_step script_want_world(struct script_run *run) {
	return run->stopping ? stop(run) : need_world(run);
}

/* Of all that the call names, for the next try. */
static void learn_slots(struct script_run *run) {
	for (unsigned i = 0; i < run->slot_count; i++) gate_set_add(run->learned, run->slots[i].shard);
	if (++run->restarts >= RESTARTS) run->world_first = true;
}

static enum script_step need_slots(struct script_run *run) {
	struct gate_member *m = &run->worker->member;
	if (gate_has_world(m)) return SCRIPT_GO;
	for (unsigned i = 0; i < run->slot_count; i++) {
		uint32_t shard = run->slots[i].shard;
		if (gate_set_has(run->held, shard)) continue;
		if (gate_try_lock_hard(m, shard)) {
			gate_set_add(run->held, shard);
			if (run->is_detached) gate_claim(m, shard);
			continue;
		}
		if (may_restart(run)) {
			learn_slots(run);
			return stop(run);
		}
		lift(run);
		return SCRIPT_GO;
	}
	return SCRIPT_GO;
}

/* Whoever kills has looked at `wrote` under the same lock, so one of the two knows of the other. */
static enum script_step write_unless_killed(struct script_run *run) {
	lock_take(&run->notice.lock, LOCK_RANK_SERVER, 0);
	run->killed = atomic_load_explicit(&run->kill_wish, memory_order_relaxed);
	if (!run->killed) atomic_store_explicit(&run->wrote, true, memory_order_relaxed);
	lock_drop(&run->notice.lock, LOCK_RANK_SERVER, 0);
	return run->killed ? stop(run) : SCRIPT_GO;
}

/* The first write: from here on there is no starting over. */
static enum script_step need_mutex(struct script_run *run) {
	struct gate_member *m = &run->worker->member;
	uint32_t mutex = gate_script_mutex(m->gate);
	while (!run->has_mutex && !gate_has_world(m)) {
		/* A long run has other clients' commands to let through meanwhile. */
		bool got = run->is_detached ? gate_try_lock_hard(m, mutex) : gate_lock(m, mutex);
		if (got) {
			gate_set_add(run->held, mutex);
			if (run->is_detached) gate_claim(m, mutex);
			run->has_mutex = true;
		} else if (run->is_detached) {
			enum script_step step = look_around(run);
			if (step != SCRIPT_GO) return step;
		} else {
			gate_set_add(run->learned, mutex);
			return stop(run);
		}
	}
	if (run->is_detached) return write_unless_killed(run);
	atomic_store_explicit(&run->wrote, true, memory_order_relaxed);
	return SCRIPT_GO;
}

/* ---- Calling ---- */

static void collect_slot(void *context, unsigned arg, uint32_t flags) {
	(void)flags;
	struct script_run *run = context;
	if (run->slot_count == run->slot_cap) {
		run->slot_cap = run->slot_cap ? run->slot_cap * 2 : 16;
		run->slots = mem_realloc(run->slots, run->slot_cap * sizeof(run->slots[0]));
	}
	/* The arguments are at hand through `current` while keys are collected. */
	uint64_t hash = hash_slice(run->current->argv[arg]);
	run->slots[run->slot_count++] =
		(struct call_key_slot){ hash, arg, store_shard_of(run->worker->server->store, hash) };
}

static void collect_slots(struct script_run *run, const struct call *inner) {
	const struct command *cmd = inner->command;
	run->slot_count = 0;
	run->current = inner;
	if (cmd->only_key > 0)
		collect_slot(run, (unsigned)cmd->only_key, 0);
	else if (cmd->key_spec_count > 0)
		command_each_key(cmd, inner->argc, inner->argv, collect_slot, run);
}

static bool is_acceptable(const struct script_run *run, const struct command *cmd, unsigned argc, struct reply *r) {
	if (!cmd || (cmd->flags & CMD_CONTAINER && argc >= 2))
		reply_error(r, "ERR Unknown Redis command called from script");
	else if (!cmd->handler || !command_arity_fits(cmd, argc))
		reply_error(r, "ERR Wrong number of args calling Redis command from script");
	else if (cmd->flags & CMD_NOSCRIPT)
		reply_error(r, "ERR This Redis command is not allowed from script");
	else if (cmd->flags & (CMD_WRITE | CMD_MAY_REPLICATE) && !(run->allow & SCRIPT_ALLOW_WRITE))
		reply_error(r, "ERR Write commands are not allowed from read-only scripts.");
	else
		return true;
	return false;
}

static enum script_step take_what_it_needs(struct script_run *run, const struct call *inner) {
	enum script_step step = SCRIPT_GO;
	switch (command_gate_for(inner->command, inner->argc, inner->argv)) {
	case GATE_KEYS:
		collect_slots(run, inner);
		step = need_slots(run);
		break;
	case GATE_WALK:
	case GATE_WORLD:
		collect_slots(run, inner);
		step = need_world(run);
		break;
	case GATE_NONE:
	case GATE_SCRIPT: run->slot_count = 0; break;
	}
	if (step == SCRIPT_GO && inner->command->flags & (CMD_WRITE | CMD_MAY_REPLICATE) && !has_written(run))
		step = need_mutex(run);
	return step;
}

static void run_inner(struct script_run *run, struct call *inner) {
	struct worker *w = run->worker;
	struct client *c = inner->client;
	if (gate_has_world(&w->member)) run->view.flags |= VIEW_HAS_WORLD;
	inner->_key_count = run->slot_count;
	inner->_keys = run->slots;
	const struct call *outer = w->current_call;
	w->current_call = inner;
	w->command_ticks = clock_ticks();
	inner->command->handler(inner);
	if (c->flags & CLIENT_REMEMBERS) tracking_remember(w, inner);
	w->current_call = outer;
	dispatch_count_inner(w, inner);
	if (run->view.earliest_ms < w->next_expiry_ms) w->next_expiry_ms = run->view.earliest_ms;
	if (c->db != run->view.db_index) run->view = view_in_db(&run->view, c->db);
}

enum script_step script_call(
	struct script_run *run, unsigned argc, const struct slice *argv, struct buffer *out, uint8_t proto) {
	struct worker *w = run->worker;
	if (run->stopping) return stop(run);
	if (w->command_ticks >= run->slice_end_ticks && script_tick(run) != SCRIPT_GO) return stop(run);
	struct reply r;
	reply_start(&r, out, proto);
	const struct command *cmd = dispatch_find_command(w->server, argc, argv);
	if (!is_acceptable(run, cmd, argc, &r)) {
		dispatch_count_refused(w, cmd, &r);
		return SCRIPT_GO;
	}
	struct call inner = { .command = cmd,
		.argc = argc,
		.argv = argv,
		.reply = &r,
		.view = &run->view,
		.client = client_of(run),
		.worker = w,
		.from_script = true };
	enum script_step step = take_what_it_needs(run, &inner);
	if (step != SCRIPT_GO) return step;
	bool is_new = run->shown.calls++ >= run->shown_before.calls;
	if (__builtin_expect(w->attention & ATTENTION_MONITOR, 0) && is_new)
		monitor_feed_script(w, inner.client, cmd, argc, argv);
	run_inner(run, &inner);
	return SCRIPT_GO;
}

/* ---- For handlers ---- */

/* One that was killed, or that has written, says nothing of the transaction's next. */
static void forget_last_script(struct script_run *run) {
	run->stopping = run->killed = false;
	lock_take(&run->notice.lock, LOCK_RANK_SERVER, 0);
	atomic_store_explicit(&run->wrote, false, memory_order_relaxed);
	atomic_store_explicit(&run->kill_wish, false, memory_order_relaxed);
	lock_drop(&run->notice.lock, LOCK_RANK_SERVER, 0);
}

struct script_run *script_run_of(struct call *c) {
	struct script_run *run = c->worker->run;
	assert(run->state == RUN_RUNNING);
	run->view = *c->view;
	run->view.earliest_ms = INT64_MAX;
	run->allow = 0;
	run->needed_world = false;
	if (run->is_transaction) forget_last_script(run);
	return run;
}

void script_run_allow(struct script_run *run, uint32_t allow) {
	run->allow = allow;
}

bool script_needed_world(const struct script_run *run) {
	return run->needed_world;
}

bool script_says_again(struct script_run *run) {
	return run->shown.lines++ < run->shown_before.lines;
}

unsigned script_db(const struct script_run *run) {
	return run->view.db_index;
}

int64_t script_now_ms(const struct script_run *run) {
	return run->view.now_ms;
}

bool script_has_written(const struct script_run *run) {
	return has_written(run);
}

/* ---- One try, slice by slice ---- */

static void body(void *context) {
	struct script_run *run = context;
	if (run->is_transaction) {
		transaction_run(&run->call);
		return;
	}
	run->call.command->handler(&run->call);
	if (client_of(run)->flags & CLIENT_REMEMBERS) tracking_remember(run->worker, &run->call);
}

static void prepare_try(struct script_run *run) {
	struct worker *w = run->worker;
	run->out.len = 0;
	reply_start(&run->reply, &run->out, client_of(run)->proto);
	run->call.reply = &run->reply;
	run->call._key_next = 0;
	run->view = worker_view(w, run->client_db);
	if (client_of(run)->flags & CLIENT_NO_TOUCH) run->view.flags |= VIEW_NO_TOUCH;
	if (gate_has_world(&w->member)) run->view.flags |= VIEW_HAS_WORLD;
	run->call.view = &run->view;
	run->stopping = false;
	run->shown = (struct script_shown){ 0 };
	run->slice_end_ticks = clock_ticks() + (run->is_detached ? run->slice_ticks : LONG_MS * w->ticks_per_ms);
}

static void note_shown(struct script_run *run) {
	struct script_shown *before = &run->shown_before;
	if (run->shown.lines > before->lines) before->lines = run->shown.lines;
	if (run->shown.calls > before->calls) before->calls = run->shown.calls;
}

/* The body is over. Serves who waits for what it has changed, and lets go. True: it is to be started over. */
static bool end_try(struct script_run *run) {
	struct worker *w = run->worker;
	bool again = run->stopping && !run->killed;
	note_shown(run);
	if (!run->is_transaction) client_of(run)->db = run->client_db;
	if (w->member._reserved) gate_end_suspension(&w->member);
	if (blocking_has_ready(&w->blocking)) {
		struct held_gates held = { NULL, 0, run->held };
		blocking_serve(w, &held);
	}
	leave(run);
	return again;
}

/* Goes on until the run has ended (true), is suspended, or its gates are not to be had. */
static bool advance(struct script_run *run) {
	struct worker *w = run->worker;
	for (;;) {
		bool over;
		if (run->state == RUN_SUSPENDED) {
			over = fiber_continue(run->fiber);
		} else {
			run->state = RUN_WAITS;
			if (!enter(run)) {
				if (gate_make_room(&w->member)) continue;
				return false;
			}
			prepare_try(run);
			run->state = RUN_RUNNING;
			w->current_call = &run->call;
			over = fiber_start(run->fiber, body, run);
		}
		if (!over) return false;
		run->state = RUN_IDLE;
		if (!end_try(run)) return true;
		gate_boundary(&w->member);
	}
}

/* ---- Beginning and end ---- */

static void recall_try(struct script_run *run) {
	struct client *c = client_of(run);
	struct script_try *try = c->script_try;
	c->script_try = NULL;
	run->shown_before = (struct script_shown){ 0 };
	if (try) {
		run->shown_before = try->shown;
		run->world_first = try->world_first;
		memcpy(run->learned, try->learned, set_bytes(run));
	} else {
		memset(run->learned, 0, set_bytes(run));
	}
	mem_free(try);
}

static void keep_try(struct script_run *run) {
	struct script_try *try = mem_alloc(sizeof(*try) + set_bytes(run));
	try->shown = run->shown_before;
	try->world_first = run->world_first;
	memcpy(try->learned, run->learned, set_bytes(run));
	client_of(run)->script_try = try;
}

/* False: there is no memory for a stack. */
static bool begin(struct script_run *run, const struct call *call, bool is_transaction) {
	if (!run->fiber) run->fiber = fiber_new(STACK_BYTES);
	if (!run->fiber) return false;
	run->call = *call;
	run->is_transaction = is_transaction;
	run->is_detached = run->world_first = run->killed = false;
	run->restarts = 0;
	run->client_db = call->client->db;
	run->start_ticks = run->worker->command_ticks;
	recall_try(run);
	return true;
}

static void give_reply(struct script_run *run, struct buffer *to) {
	buffer_append_slice(to, buffer_slice(&run->out));
	run->out.len = 0;
	if (run->out.cap > KEEP_OUT_BYTES) buffer_release(&run->out);
}

static bool run_now(struct worker *w, struct call *call, bool is_transaction) {
	struct script_run *run = w->run;
	/* One interpreter per worker: a run that is under way has it. */
	if (run->state != RUN_IDLE) return false;
	if (!begin(run, call, is_transaction)) {
		reply_error(call->reply, "ERR not enough memory for the stack of a script");
		if (is_transaction) transaction_ended(call);
		return true;
	}
	bool over = advance(run);
	if (!over && !run->is_detached) {
		/* Its gates were not to be had: it is tried anew, later. */
		run->state = RUN_IDLE;
		keep_try(run);
		return false;
	}
	if (!over) return true;
	w->current_call = call;
	w->command_ticks = run->start_ticks;
	give_reply(run, call->reply->out);
	call->reply->errors = run->reply.errors;
	memcpy(call->reply->error_code, run->reply.error_code, sizeof(call->reply->error_code));
	if (is_transaction) transaction_ended(call);
	return true;
}

bool script_run_command(struct worker *w, struct call *call) {
	return run_now(w, call, false);
}

bool script_run_transaction(struct worker *w, struct call *call) {
	return run_now(w, call, true);
}

bool script_is_under_way(const struct script_run *run) {
	return run->state == RUN_SUSPENDED;
}

bool script_waits(const struct script_run *run) {
	return run->state == RUN_WAITS;
}

/* A detached run has ended: what the dispatcher does for others. */
static void finish(struct script_run *run) {
	struct worker *w = run->worker;
	struct client *c = client_of(run);
	say_what_runs(run, 0);
	w->command_ticks = run->start_ticks;
	w->current_call = &run->call;
	if (run->is_transaction) transaction_ended(&run->call);
	dispatch_count(w, c, &run->call);
	w->current_call = NULL;
	give_reply(run, &w->out);
	dispatch_mute(w, c, 0);
	buffer_append_slice(&w->out, buffer_slice(&run->pushes));
	buffer_release(&run->pushes);
	if (w->after) worker_do_after(w);
	if (c->flags & CLIENT_CACHING) tracking_command_ended(c, run->call.command);
	mem_free(run->arg_keys);
	run->arg_keys = NULL;
	run->is_detached = false;
	c->flags &= ~(uint32_t)CLIENT_IN_SCRIPT;
	w->current = NULL;
	if (c->flags & CLIENT_CLOSE_NOW) {
		w->out.len = 0;
		client_free(c);
		return;
	}
	client_send(c, &w->out);
	client_close_when_said(c);
	if (c->flags & CLIENT_CLOSE_NOW)
		client_free(c);
	else
		worker_unblock_client(w, c);
}

void script_go_on(struct worker *w, bool others_are_busy) {
	struct script_run *run = w->run;
	if (run->state == RUN_IDLE) return;
	w->current = client_of(run);
	run->slice_ticks = (others_are_busy ? BUSY_SLICE_US : SLICE_US) * w->ticks_per_ms / 1000;
	if (run->state == RUN_WAITS && is_to_die(run)) {
		/* It holds nothing and has nothing to unwind. */
		run->killed = true;
		run->out.len = 0;
		reply_start(&run->reply, &run->out, client_of(run)->proto);
		reply_error(&run->reply, "ERR Script killed by user with SCRIPT KILL...");
		run->state = RUN_IDLE;
		finish(run);
		return;
	}
	if (advance(run)) finish(run);
	w->current = NULL;
}

void script_end_for_good(struct worker *w) {
	while (w->run->state != RUN_IDLE) script_go_on(w, false);
}

void script_client_said(struct client *c, bool hangs_up) {
	if (!hangs_up) {
		c->flags |= CLIENT_INPUT_WAITS;
		client_watch(c);
		return;
	}
	client_free(c);
}

/* ---- What runs, for all ---- */

void script_run_describe(struct script_run *run, enum script_kind kind, const char *name) {
	run->kind = kind;
	run->name = name;
	if (!run->is_detached) return;
	lock_take(&run->notice.lock, LOCK_RANK_SERVER, 0);
	note_name(run);
	lock_drop(&run->notice.lock, LOCK_RANK_SERVER, 0);
}

/* Of the run that has lasted longest, monotonic; 0: there is none. */
static int64_t oldest_since(struct server *s, struct script_run **oldest, enum script_kind *kind) {
	int64_t since_ms = 0;
	for (unsigned i = 0; i < s->worker_count; i++) {
		struct script_run *run = s->workers[i].run;
		lock_take(&run->notice.lock, LOCK_RANK_SERVER, 0);
		if (run->notice.since_ms && (since_ms == 0 || run->notice.since_ms < since_ms)) {
			since_ms = run->notice.since_ms;
			*oldest = run;
			*kind = run->notice.kind;
		}
		lock_drop(&run->notice.lock, LOCK_RANK_SERVER, 0);
	}
	return since_ms;
}

bool script_answer_busy(struct server *s, struct reply *reply) {
	if (atomic_load_explicit(&s->long_runs, memory_order_relaxed) == 0) return false;
	struct script_run *oldest = NULL;
	enum script_kind kind = SCRIPT_KIND_EVAL;
	int64_t since_ms = oldest_since(s, &oldest, &kind), threshold = s->config->values.busy_reply_threshold;
	if (since_ms == 0 || threshold <= 0 || clock_monotonic_ms() - since_ms < threshold) return false;
	reply_errorf(reply, "BUSY Redis is busy running a script. You can only call %s KILL or SHUTDOWN NOSAVE.",
		kind == SCRIPT_KIND_FUNCTION ? "FUNCTION" : "SCRIPT");
	return true;
}

bool script_oldest(struct server *s, struct script_running *r) {
	struct script_run *run = NULL;
	enum script_kind kind;
	if (oldest_since(s, &run, &kind) == 0) return false;
	lock_take(&run->notice.lock, LOCK_RANK_SERVER, 0);
	bool lasts = run->notice.since_ms != 0; /* it may have ended since */
	if (lasts) {
		*r = (struct script_running){ .kind = run->notice.kind, .words = run->notice.words };
		buffer_append_slice(&r->name, buffer_slice(&run->notice.name));
		buffer_append_slice(&r->command, buffer_slice(&run->notice.command));
		r->duration_ms = clock_monotonic_ms() - run->notice.since_ms;
	}
	lock_drop(&run->notice.lock, LOCK_RANK_SERVER, 0);
	return lasts;
}

enum script_kill script_kill_running(struct server *s, enum script_kind kind) {
	enum script_kill result = SCRIPT_KILL_NONE;
	for (unsigned i = 0; i < s->worker_count; i++) {
		struct script_run *run = s->workers[i].run;
		lock_take(&run->notice.lock, LOCK_RANK_SERVER, 0);
		enum script_kill this = SCRIPT_KILL_DONE;
		if (!run->notice.since_ms)
			this = SCRIPT_KILL_NONE;
		else if (run->notice.kind != kind)
			this = SCRIPT_KILL_OTHER_KIND;
		else if (has_written(run))
			this = SCRIPT_KILL_WRITES;
		if (this == SCRIPT_KILL_DONE) atomic_store_explicit(&run->kill_wish, true, memory_order_relaxed);
		lock_drop(&run->notice.lock, LOCK_RANK_SERVER, 0);
		/* Killed is more than writes is more than of the other kind is more than none. */
		static const int weight[] = { [SCRIPT_KILL_NONE] = 0,
			[SCRIPT_KILL_OTHER_KIND] = 1,
			[SCRIPT_KILL_WRITES] = 2,
			[SCRIPT_KILL_DONE] = 3 };
		if (weight[this] > weight[result]) result = this;
	}
	return result;
}
