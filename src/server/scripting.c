#include "server/scripting.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fiber.h"
#include "base/log.h"
#include "server/scripting_private.h"
#include "server/transaction.h"

enum {
	STACK_BYTES = 1024 * 1024,
	LONG_MS = 2,         /* a run of that length is suspended for the first time */
	SLICE_US = 1000,     /* and then goes on for so long in each turn of the loop, */
	BUSY_SLICE_US = 200, /* or for so long while other clients have something to do */
	KEEP_OUT_BYTES = 64 * 1024,
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
		run->held = transaction_gates(script__client(run));
		run->has_mutex = true;
		return transaction_enter(w, script__client(run));
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
	struct client *c = script__client(run);
	copy_arguments(run);
	run->is_detached = true;
	c->flags |= CLIENT_IN_SCRIPT;
	script__say_what_runs(run, clock_monotonic_ms() - LONG_MS);
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
	w->current = script__client(run);
	w->command_ticks = began_ticks;
	run->slice_end_ticks = clock_ticks() + run->slice_ticks;
}

enum script_step script__stop(struct script_run *run) {
	run->stopping = true;
	return run->killed ? SCRIPT_KILLED : SCRIPT_STOP;
}

static bool is_to_die(struct script_run *run) {
	if (atomic_load_explicit(&run->worker->server->stopping, memory_order_relaxed)) return true;
	/* Who wished that has seen nothing written; by now there may be. */
	return atomic_load_explicit(&run->kill_wish, memory_order_relaxed) && !script__has_written(run);
}

/* Time is up, or somebody wants something. */
enum script_step script__look_around(struct script_run *run) {
	if (is_to_die(run)) run->killed = true;
	if (run->killed) return script__stop(run);
	if (gate_is_lifting(&run->worker->member) && script__may_restart(run) && !run->has_mutex)
		return script__stop(run);
	suspend(run);
	if (is_to_die(run)) run->killed = true;
	return run->killed ? script__stop(run) : SCRIPT_GO;
}

enum script_step script_tick(struct script_run *run) {
	if (run->stopping) return script__stop(run);
	if (clock_ticks() < run->slice_end_ticks) return SCRIPT_GO;
	return script__look_around(run);
}

/* ---- One try, slice by slice ---- */

static void body(void *context) {
	struct script_run *run = context;
	if (run->is_transaction) {
		transaction_run(&run->call);
		return;
	}
	run->call.command->handler(&run->call);
	if (script__client(run)->flags & CLIENT_REMEMBERS) tracking_remember(run->worker, &run->call);
}

static void prepare_try(struct script_run *run) {
	struct worker *w = run->worker;
	run->out.len = 0;
	reply_start(&run->reply, &run->out, script__client(run)->proto);
	run->call.reply = &run->reply;
	run->call._key_next = 0;
	run->view = worker_view(w, run->client_db);
	if (script__client(run)->flags & CLIENT_NO_TOUCH) run->view.flags |= VIEW_NO_TOUCH;
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
	if (!run->is_transaction) script__client(run)->db = run->client_db;
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
	struct client *c = script__client(run);
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
	script__client(run)->script_try = try;
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
	struct client *c = script__client(run);
	script__say_what_runs(run, 0);
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
	w->current = script__client(run);
	run->slice_ticks = (others_are_busy ? BUSY_SLICE_US : SLICE_US) * w->ticks_per_ms / 1000;
	if (run->state == RUN_WAITS && is_to_die(run)) {
		/* It holds nothing and has nothing to unwind. */
		run->killed = true;
		run->out.len = 0;
		reply_start(&run->reply, &run->out, script__client(run)->proto);
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
