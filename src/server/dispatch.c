/* One command: found, checked, gated, run, counted. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "server/redact.h"
#include "server/scripting.h"
#include "server/server.h"
#include "server/transaction.h"

enum { MAX_ECHOED_ARGS_BYTES = 128, FEW_SHARDS = 32, RETRY_MS = 2 };

/* ---- Ahead of the batch: commands, keys, cache lines ---- */

const struct command *dispatch_find_command(const struct server *s, unsigned argc, const struct slice *argv) {
	const struct command *cmd = __builtin_expect(s->renames.count > 0, 0)
					    ? renames_lookup(&s->renames, s->commands->lookup, argv[0])
					    : s->commands->lookup(argv[0]);
	if (!cmd || !(cmd->flags & CMD_CONTAINER) || argc < 2) return cmd;
	const struct command *sub = command_find_subcommand(cmd, argv[1]);
	return sub ? sub : cmd;
}

struct collect {
	struct worker *worker;
	const struct slice *argv;
};

static void collect_key(void *context, unsigned arg, uint32_t spec_flags) {
	(void)spec_flags;
	struct collect *k = context;
	struct worker *w = k->worker;
	if (w->key_slot_count == w->key_slot_cap) {
		w->key_slot_cap = w->key_slot_cap ? w->key_slot_cap * 2 : 256;
		w->key_slots = mem_realloc(w->key_slots, w->key_slot_cap * sizeof(w->key_slots[0]));
	}
	uint64_t hash = hash_slice(k->argv[arg]);
	w->key_slots[w->key_slot_count++] = (struct call_key_slot){ hash, arg, store_shard_of(w->server->store, hash) };
}

static void collect_keys(struct worker *w, struct batch_item *item) {
	item->first_key = w->key_slot_count;
	const struct command *cmd = item->command;
	if (cmd && (cmd->gate == GATE_KEYS || cmd->gate == GATE_SCRIPT) &&
		command_arity_fits(cmd, item->request.argc)) {
		struct collect k = { w, item->request.argv };
		if (cmd->only_key > 0)
			collect_key(&k, (unsigned)cmd->only_key, 0);
		else
			command_each_key(cmd, item->request.argc, item->request.argv, collect_key, &k);
	}
	item->key_count = w->key_slot_count - item->first_key;
}

void dispatch_prepare(struct worker *w, struct client *c, unsigned count) {
	w->key_slot_count = 0;
	w->batch_count = count;
	w->row_end = 0;
	for (unsigned i = 0; i < count; i++) {
		const struct request *request = &w->batch[i].request;
		w->batch[i].command = dispatch_find_command(w->server, request->argc, request->argv);
		collect_keys(w, &w->batch[i]);
	}
	/* A lone request gains nothing from fetching what it reads next anyway; outside there may be nothing to fetch from. */
	if (w->key_slot_count < 2 || gate_is_limited(&w->member)) return;
	struct view v = worker_view(w, c->db);
	/* A queue's or counter's pipeline names one key again and again. */
	uint64_t last = ~w->key_slots[0].hash;
	for (unsigned i = 0; i < w->key_slot_count; last = w->key_slots[i++].hash)
		if (w->key_slots[i].hash != last) store_prefetch(&v, w->key_slots[i].hash);
	last = ~w->key_slots[0].hash;
	for (unsigned i = 0; i < w->key_slot_count; last = w->key_slots[i++].hash)
		if (w->key_slots[i].hash != last) store_prefetch_entry(&v, w->key_slots[i].hash);
	for (unsigned i = 0; i < count; i++) {
		const struct batch_item *item = &w->batch[i];
		if (item->key_count == 0 || !(item->command->flags & CMD_WRITE)) continue;
		for (unsigned k = 0; k < item->key_count; k++)
			store_prefetch_expiry(&v, w->key_slots[item->first_key + k].hash);
	}
}

/* ---- Refusing ---- */

static void count_error(struct worker *w, const struct reply *r) {
	/* A script has passed on the error of a command that it called, which was counted then. */
	if (r->error_code[0] == '\0') return;
	STAT_ADD(w->stats.error_replies, r->errors);
	error_stats_count(r->error_code);
}

static void reject(struct worker *w, const struct command *cmd, const struct reply *r) {
	if (cmd) STAT_ADD(w->command_stats[cmd->id].rejected, 1);
	if (r->errors > 0) count_error(w, r);
}

static void say_unknown(const struct request *request, struct reply *r) {
	struct buffer text = { 0 };
	struct slice name = request->argv[0];
	buffer_appendf(&text, "ERR unknown command '%.*s', with args beginning with: ",
		(int)(name.len < MAX_ECHOED_ARGS_BYTES ? name.len : MAX_ECHOED_ARGS_BYTES), name.ptr);
	size_t echoed = 0;
	for (unsigned i = 1; i < request->argc && echoed < MAX_ECHOED_ARGS_BYTES; i++) {
		size_t room = MAX_ECHOED_ARGS_BYTES - echoed;
		struct slice arg = request->argv[i];
		size_t len = arg.len < room ? arg.len : room;
		size_t before = text.len;
		buffer_append_char(&text, '\'');
		buffer_append(&text, arg.ptr, len);
		buffer_append(&text, "' ", 2);
		echoed += text.len - before;
	}
	buffer_append_char(&text, '\0');
	/* A NUL inside an argument would end the text early, as it does in Redis. */
	reply_error(r, text.data);
	buffer_release(&text);
}

/* A web page can make a browser send us an HTTP request: nothing of it may be taken for commands (cross-protocol
 * scripting). Its first words are no commands of ours, so we know it when we see it. */
static bool is_http(struct worker *w, struct client *c, struct slice name) {
	if (!slice_is(name, "post") && !slice_is(name, "host:")) return false;
	static _Atomic int64_t last_said_ms;
	int64_t last = atomic_load_explicit(&last_said_ms, memory_order_relaxed);
	if (w->now_ms - last > 60000 && atomic_compare_exchange_strong(&last_said_ms, &last, w->now_ms))
		log_warning("Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: "
			    "commands to Redis. This "
			    "is likely due to an attacker attempting to use Cross Protocol Scripting to compromise "
			    "your Redis "
			    "instance. Connection from %s aborted.",
			c->peer);
	c->flags |= CLIENT_CLOSE_NOW;
	return true;
}

static bool is_protected_off(const struct server *s, const struct client *c, const struct command *cmd) {
	if (!(cmd->flags & CMD_PROTECTED)) return false;
	enum settings_permission permission = s->config->values.enable_debug_command;
	return permission == PERMISSION_NO || (permission == PERMISSION_LOCAL && !client_is_local(c));
}

/* There is the container, and none such in it. */
static bool is_unknown_subcommand(const struct batch_item *item) {
	return item->command && item->command->flags & CMD_CONTAINER && item->request.argc >= 2;
}

/* The name as errors quote it: the container's with its subcommand behind a bar. */
static bool is_acceptable(struct worker *w, struct client *c, const struct batch_item *item, struct reply *r) {
	const struct command *cmd = item->command;
	const struct request *request = &item->request;
	if (!cmd) {
		if (!is_http(w, c, request->argv[0])) say_unknown(request, r);
		return false;
	}
	if (is_unknown_subcommand(item)) {
		reply_errorf(r, "ERR unknown subcommand '%.*s'. Try %s HELP.",
			(int)(request->argv[1].len < 128 ? request->argv[1].len : 128), request->argv[1].ptr,
			call_upper_name(cmd));
		return false;
	}
	if (!command_arity_fits(cmd, request->argc) || !cmd->handler) {
		reply_errorf(r, "ERR wrong number of arguments for '%s' command", cmd->full_name);
		return false;
	}
	if (is_protected_off(w->server, c, cmd)) {
		reply_error(r, ERR_DEBUG_OFF);
		return false;
	}
	if (!(c->flags & CLIENT_AUTHENTICATED) && !(cmd->flags & CMD_NO_AUTH)) {
		reply_error(r, ERR_NOAUTH);
		return false;
	}
	if (c->flags & CLIENT_MONITOR && cmd->flags & (CMD_READONLY | CMD_WRITE)) {
		reply_error(r, "ERR Replica can't interact with the keyspace");
		return false;
	}
	if (c->proto == 2 && __builtin_expect(subscriber_is_one(&c->subscriber), 0) &&
		!(cmd->flags & CMD_IN_SUBSCRIPTION)) {
		reply_errorf(r,
			"ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
			"allowed in this context",
			cmd->full_name);
		return false;
	}
	if (c->transaction && cmd->flags & CMD_NO_MULTI) {
		reply_error(r, "ERR Command not allowed inside a transaction");
		return false;
	}
	return true;
}

/* ---- The gate ---- */

static int compare_shards(const void *a, const void *b) {
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static void insertion_sort(uint32_t *shards, unsigned count) {
	for (unsigned i = 1; i < count; i++) {
		uint32_t shard = shards[i];
		unsigned at = i;
		for (; at > 0 && shards[at - 1] > shard; at--) shards[at] = shards[at - 1];
		shards[at] = shard;
	}
}

/* The shards of the keys, ascending, each once. Most commands have few keys. */
static unsigned sort_shards(struct worker *w, const struct call_key_slot *slots, unsigned count) {
	if (count > w->shard_cap) {
		w->shard_cap = count * 2;
		w->shards = mem_realloc(w->shards, w->shard_cap * sizeof(w->shards[0]));
	}
	for (unsigned i = 0; i < count; i++) w->shards[i] = slots[i].shard;
	if (count <= FEW_SHARDS)
		insertion_sort(w->shards, count);
	else
		qsort(w->shards, count, sizeof(w->shards[0]), compare_shards);
	unsigned distinct = 0;
	for (unsigned i = 0; i < count; i++)
		if (distinct == 0 || w->shards[distinct - 1] != w->shards[i]) w->shards[distinct++] = w->shards[i];
	return distinct;
}

/* Before the gates are left: nobody comes between a push and whoever waits for it. */
static inline void serve_waiters(struct worker *w, const uint32_t *shards, unsigned count) {
	if (!blocking_has_ready(&w->blocking)) return;
	struct held_gates held = { shards, count, NULL };
	blocking_serve(w, &held);
}

/* The handler, and what has to be done under the gates that it ran under. */
static inline void run_handler(struct worker *w, struct call *call) {
	call->command->handler(call);
	if (__builtin_expect(call->client->flags & CLIENT_REMEMBERS, 0)) tracking_remember(w, call);
}

static bool run_with_keys(struct worker *w, struct call *call) {
	struct gate_member *m = &w->member;
	if (gate_is_open(m) || call->_key_count == 0) {
		run_handler(w, call);
		serve_waiters(w, NULL, 0);
		return true;
	}
	if (call->_key_count == 1) {
		uint32_t shard = call->_keys[0].shard;
		if (!gate_lock(m, shard)) return false;
		run_handler(w, call);
		serve_waiters(w, &shard, 1);
		gate_unlock(m, shard);
		return true;
	}
	unsigned count = sort_shards(w, call->_keys, call->_key_count);
	if (!gate_lock_list(m, w->shards, count)) return false;
	run_handler(w, call);
	serve_waiters(w, w->shards, count);
	gate_unlock_list(m, w->shards, count);
	return true;
}

static bool run_with_world(struct worker *w, struct call *call) {
	if (!gate_take_world(&w->member)) return false;
	call->view->flags |= VIEW_HAS_WORLD;
	run_handler(w, call);
	serve_waiters(w, NULL, 0);
	gate_drop_world(&w->member);
	return true;
}

/* False: a gate was not to be had, and what has been replied is worth nothing. */
static bool run_gated(struct worker *w, struct call *call) {
	switch (command_gate_for(call->command, call->argc, call->argv)) {
	case GATE_KEYS: return run_with_keys(w, call);
	case GATE_WORLD: return run_with_world(w, call);
	case GATE_SCRIPT: return script_run_command(w, call);
	case GATE_NONE:
	case GATE_WALK: break;
	}
	w->member.refused = false;
	call->command->handler(call);
	return !w->member.refused;
}

/* ---- Running ---- */

/* Now and then: what time it is, and whether this client's turn is over. */
static void refresh_time(struct worker *w, struct client *c) {
	if (w->command_ticks < w->refresh_ticks) return;
	w->now_ms = clock_wall_ms();
	w->refresh_ticks = w->command_ticks + w->ticks_per_ms / 4;
	if (w->command_ticks >= w->turn_ticks) c->flags |= CLIENT_YIELDED;
}

static void log_slow_command(
	struct worker *w, const struct call *call, const char *peer, const char *name, uint64_t ns) {
	if (call->command->flags & CMD_SKIP_SLOWLOG) return;
	struct slice shown[SLOWLOG_MAX_ARGS];
	redact_args(call->command, call->argc < SLOWLOG_MAX_ARGS ? call->argc : SLOWLOG_MAX_ARGS, call->argv, shown);
	slowlog_add(&w->server->slowlog, (size_t)w->server->config->values.slowlog_max_len, w->now_ms / 1000,
		(int64_t)(ns / 1000), call->argc, shown, peer, name ? name : "");
}

static inline bool is_slow(const struct worker *w, uint64_t ns) {
	int64_t slow_us = w->server->config->values.slowlog_log_slower_than;
	return __builtin_expect(slow_us >= 0 && ns / 1000 >= (uint64_t)slow_us, 0);
}

/* Returns how long it took, in ns. */
static inline uint64_t count_call(struct worker *w, const struct call *call) {
	uint64_t now = clock_ticks();
	uint64_t ns = clock_ticks_to_ns(now - w->command_ticks);
	w->command_ticks = now;
	struct command_stats *stats = &w->command_stats[call->command->id];
	STAT_ADD(stats->calls, 1);
	STAT_ADD(stats->ns, ns);
	STAT_ADD(stats->latency[latency_bucket(ns)], 1);
	STAT_ADD(w->stats.commands, 1);
	if (__builtin_expect(call->reply->errors > 0, 0)) {
		STAT_ADD(stats->failed, 1);
		count_error(w, call->reply);
	}
	return ns;
}

void dispatch_count_inner(struct worker *w, const struct call *call, bool is_new) {
	uint64_t ns = count_call(w, call);
	/* By nobody: Redis runs what scripts call for a client without a connection. */
	if (is_slow(w, ns) && is_new) log_slow_command(w, call, "", NULL, ns);
}

void dispatch_count_refused(struct worker *w, const struct command *cmd, const struct reply *r) {
	reject(w, cmd, r);
}

void dispatch_count(struct worker *w, struct client *c, const struct call *call) {
	uint64_t ns = count_call(w, call);
	c->commands++;
	c->flags &= ~(uint32_t)CLIENT_PUT_OFF;
	if (is_slow(w, ns)) log_slow_command(w, call, c->peer, c->name, ns);
}

static bool waits_for_pause(struct worker *w, const struct client *c, const struct command *cmd) {
	const struct server *s = w->server;
	if (s->pause == PAUSE_NONE || w->now_ms >= s->pause_until_ms) {
		w->attention &= ~(uint32_t)ATTENTION_PAUSE; /* it is over: no command has to ask again */
		return false;
	}
	if (s->pause == PAUSE_ALL) return true;
	return cmd->flags & (CMD_WRITE | CMD_MAY_REPLICATE) || transaction_has(c, cmd, CMD_WRITE | CMD_MAY_REPLICATE);
}

/* EVAL and its kin are flagged skip_monitor for what clients read there; they are shown all the same, as in Redis. */
static bool is_shown(const struct command *cmd) {
	return !(cmd->flags & (CMD_SKIP_MONITOR | CMD_ADMIN)) || cmd->gate == GATE_SCRIPT;
}

static void tell_monitors(
	struct worker *w, const struct client *c, const struct command *cmd, unsigned argc, const struct slice *argv) {
	if (w->attention & ATTENTION_MONITOR && is_shown(cmd)) monitor_feed(w, c, cmd, argc, argv);
}

/* Queued commands are shown when they run, EXEC itself behind them. */
static bool waits_for_exec(const struct client *c, const struct command *cmd) {
	return c->transaction && (!(cmd->flags & CMD_IN_MULTI) || strcmp(cmd->full_name, "exec") == 0);
}

/* What only matters while somebody monitors or has paused the clients. False: not now. */
static bool attend(struct worker *w, struct client *c, const struct batch_item *item) {
	if (w->attention & ATTENTION_PAUSE && waits_for_pause(w, c, item->command)) {
		c->flags |= CLIENT_PAUSED;
		w->has_paused = true;
		client_watch(c);
		return false;
	}
	if (!waits_for_exec(c, item->command) && !(c->flags & CLIENT_PUT_OFF))
		tell_monitors(w, c, item->command, item->request.argc, item->request.argv);
	return true;
}

/* What stays the same from command to command is left as it is. */
static inline void start_view(struct worker *w, struct client *c, const struct command *cmd) {
	if (__builtin_expect(c->db != w->view.db_index, 0)) w->view = view_in_db(&w->view, c->db);
	w->view.flags = 0;
	w->view.now_ms = w->now_ms;
	w->view.earliest_ms = INT64_MAX;
	if (__builtin_expect(c->flags & CLIENT_NO_TOUCH, 0) && strcmp(cmd->name, "touch") != 0)
		w->view.flags |= VIEW_NO_TOUCH;
}

static void end_view(struct worker *w) {
	if (__builtin_expect(w->view.earliest_ms < w->next_expiry_ms, 0)) w->next_expiry_ms = w->view.earliest_ms;
}

void dispatch_run_inner(struct worker *w, struct call *call) {
	bool recalled = gate_has_world(&w->member) &&
			command_gate_for(call->command, call->argc, call->argv) == GATE_WORLD &&
			gate_recall(&w->member);
	run_handler(w, call);
	if (recalled) gate_limit(&w->member);
}

void dispatch_run_queued(struct worker *w, struct client *c, const struct queued *q, struct buffer *out) {
	struct reply reply;
	reply_start(&reply, out, c->proto);
	if (__builtin_expect(w->attention != 0, 0)) tell_monitors(w, c, q->command, q->argc, q->argv);
	start_view(w, c, q->command);
	if (gate_has_world(&w->member)) w->view.flags |= VIEW_HAS_WORLD;
	struct call call = { .command = q->command,
		.argc = q->argc,
		.argv = q->argv,
		.reply = &reply,
		.view = &w->view,
		.client = c,
		.worker = w,
		._key_count = q->key_count,
		._keys = q->keys };
	w->current_call = &call;
	c->last_command = q->command;
	uint64_t began_ticks = w->command_ticks;
	unsigned db = c->db;
	dispatch_run_inner(w, &call);
	if (q->command->gate == GATE_SCRIPT) {
		/* What it called was counted by itself, and what it selected was for itself. */
		w->command_ticks = began_ticks;
		c->db = db;
	}
	w->current_call = NULL;
	dispatch_count(w, c, &call);
	end_view(w);
}

/* A long run keeps what the command needs. True: that is its answer; false: it waits. */
static bool put_off(struct worker *w, struct client *c, const struct command *cmd, struct reply *reply) {
	size_t reply_at = w->out.len;
	if (script_answer_busy(w->server, reply)) {
		c->flags &= ~(uint32_t)CLIENT_PUT_OFF;
		mem_free(c->script_try);
		c->script_try = NULL;
		transaction_refused(c, cmd, reply, reply_at);
		reject(w, cmd, reply);
		return true;
	}
	c->flags |= CLIENT_PAUSED | CLIENT_PUT_OFF;
	w->has_put_off = true;
	w->retry_ms = w->monotonic_ms + RETRY_MS;
	client_watch(c);
	return false;
}

/* A gate was refused: tries again as long as that is worth it. False: it could not run now. */
__attribute__((noinline)) static bool run_again(struct worker *w, struct call *call, size_t reply_at) {
	struct reply *reply = call->reply;
	do {
		reply->out->len = reply_at;
		reply_start(reply, reply->out, reply->proto);
		call->_key_next = 0;
		if (!gate_make_room(&w->member)) return false;
		w->now_ms = clock_wall_ms();
		start_view(w, call->client, call->command);
	} while (!run_gated(w, call));
	return true;
}

enum { ANY_REPLY_FLAG = CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP | CLIENT_REPLY_SKIP_NEXT };

void dispatch_mute(struct worker *w, struct client *c, size_t reply_at) {
	if (c->flags & (CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP)) w->out.len = reply_at;
	c->flags &= ~(uint32_t)CLIENT_REPLY_SKIP;
	if (c->flags & CLIENT_REPLY_SKIP_NEXT)
		c->flags = (c->flags & ~(uint32_t)CLIENT_REPLY_SKIP_NEXT) | CLIENT_REPLY_SKIP;
}

bool dispatch_run(struct worker *w, struct client *c, struct batch_item *item) {
	struct reply reply;
	const struct command *cmd = item->command;
	size_t reply_at = w->out.len;
	reply_start(&reply, &w->out, c->proto);
	refresh_time(w, c);
	c->last_command = cmd;
	if (!is_acceptable(w, c, item, &reply)) {
		if (is_unknown_subcommand(item)) c->last_command = NULL;
		transaction_refused(c, cmd, &reply, reply_at);
		reject(w, cmd, &reply);
	} else if (__builtin_expect(w->attention != 0, 0) && !attend(w, c, item)) {
		return false;
	} else if (c->transaction && !(cmd->flags & CMD_IN_MULTI)) {
		transaction_queue(c, item, &reply);
		w->command_ticks = clock_ticks();
	} else {
		start_view(w, c, cmd);
		struct call call = { .command = cmd,
			.argc = item->request.argc,
			.argv = item->request.argv,
			.reply = &reply,
			.view = &w->view,
			.client = c,
			.worker = w,
			._key_count = item->key_count,
			/* There may be no array yet, and no arithmetic on NULL. */
			._keys = item->key_count ? w->key_slots + item->first_key : NULL,
			._item = item };
		w->current_call = &call;
		bool ran = run_gated(w, &call) || run_again(w, &call, reply_at);
		w->current_call = NULL;
		if (__builtin_expect(!ran, 0)) {
			if (!put_off(w, c, cmd, &reply)) return false;
		} else if (__builtin_expect(!(c->flags & CLIENT_IN_SCRIPT), 1)) {
			dispatch_count(w, c, &call);
		}
		end_view(w);
	}
	/* What comes at the end of a command comes at the end of a run that lasts. */
	if (__builtin_expect(!(c->flags & CLIENT_IN_SCRIPT), 1)) {
		if (__builtin_expect(c->flags & ANY_REPLY_FLAG, 0)) dispatch_mute(w, c, reply_at);
		if (__builtin_expect(c->flags & CLIENT_CACHING, 0)) tracking_command_ended(c, cmd);
	}
	if (__builtin_expect(w->after != 0, 0)) worker_do_after(w);
	return true;
}
