/* What a script calls: which gates that needs beyond those that are held, and how it runs. */
#include <assert.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "server/scripting_private.h"

enum { RESTARTS = 8 /* with more shards each time; then the world it is */ };

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
	if (m->gate->shared && script__may_restart(run)) {
		run->world_first = true;
		return script__stop(run);
	}
	lift(run);
	return SCRIPT_GO;
}

enum script_step script_want_world(struct script_run *run) {
	return run->stopping ? script__stop(run) : need_world(run);
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
		if (script__may_restart(run)) {
			learn_slots(run);
			return script__stop(run);
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
	return run->killed ? script__stop(run) : SCRIPT_GO;
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
			enum script_step step = script__look_around(run);
			if (step != SCRIPT_GO) return step;
		} else {
			gate_set_add(run->learned, mutex);
			return script__stop(run);
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
	run->current = NULL;
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
	if (step == SCRIPT_GO && inner->command->flags & (CMD_WRITE | CMD_MAY_REPLICATE) && !script__has_written(run))
		step = need_mutex(run);
	return step;
}

static void run_inner(struct script_run *run, struct call *inner, bool is_new) {
	struct worker *w = run->worker;
	struct client *c = inner->client;
	if (gate_has_world(&w->member)) run->view.flags |= VIEW_HAS_WORLD;
	inner->_key_count = run->slot_count;
	inner->_keys = run->slots;
	const struct call *outer = w->current_call;
	w->current_call = inner;
	w->command_ticks = clock_ticks();
	dispatch_run_inner(w, inner);
	w->current_call = outer;
	dispatch_count_inner(w, inner, is_new);
	if (run->view.earliest_ms < w->next_expiry_ms) w->next_expiry_ms = run->view.earliest_ms;
	if (c->db != run->view.db_index) run->view = view_in_db(&run->view, c->db);
}

enum script_step script_call(
	struct script_run *run, unsigned argc, const struct slice *argv, struct buffer *out, uint8_t proto) {
	struct worker *w = run->worker;
	if (run->stopping) return script__stop(run);
	if (w->command_ticks >= run->slice_end_ticks && script_tick(run) != SCRIPT_GO) return script__stop(run);
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
		.client = script__client(run),
		.worker = w,
		.from_script = true };
	enum script_step step = take_what_it_needs(run, &inner);
	if (step != SCRIPT_GO) return step;
	bool is_new = run->shown.calls++ >= run->shown_before.calls;
	if (__builtin_expect(w->attention & ATTENTION_MONITOR, 0) && is_new)
		monitor_feed_script(w, inner.client, cmd, argc, argv);
	run_inner(run, &inner, is_new);
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
	return script__has_written(run);
}
