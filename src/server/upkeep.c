/* What is done by time and not by request: active expiry, idle clients, the end of a pause, signals. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "server/process.h"
#include "server/scripting.h"
#include "server/server.h"

enum {
	RETRY_MS = 2,              /* for gates that a long run keeps */
	TICK_MS = 100,             /* how often an idle worker looks around */
	EXPIRY_SPACING_MS = 5,     /* rounds of active expiry are at least so far apart */
	EXPIRY_BUDGET_US = 1000,   /* of one round, then clients get a turn */
	EXPIRY_KEYS_PER_HOLD = 32, /* per hold of a shard */
};

static bool is_paused(const struct worker *w) {
	return w->server->pause != PAUSE_NONE && w->now_ms < w->server->pause_until_ms;
}

/* ---- Active expiry ---- */

/* Like Redis, nothing expires while clients are paused: a failover counts on the data standing still. */
static bool expiry_is_allowed(const struct worker *w) {
	return w->server->active_expire && !is_paused(w);
}

/* One round over all shards, or what of it fits the budget; the next round goes on where this one stopped. */
static void expire_round(struct worker *w) {
	struct server *s = w->server;
	struct view v = worker_view(w, 0);
	uint32_t shards = store_shard_count(s->store);
	int64_t start_us = clock_monotonic_us(), earliest = INT64_MAX;
	uint32_t done = 0;
	w->expire_more = false;
	while (done < shards) {
		int64_t next = v.now_ms;
		size_t gone = 0;
		/* Behind a long command (a large EXEC, say) nothing waits that need not: the next round comes back to it. */
		if (!gate_is_held_up(&s->gate, w->expire_at))
			gone = store_expire_shard(&v, w->expire_at, EXPIRY_KEYS_PER_HOLD, &next);
		bool more = gone >= EXPIRY_KEYS_PER_HOLD && next < v.now_ms;
		if (!more) {
			if (next < earliest) earliest = next;
			w->expire_at = (w->expire_at + 1) & (shards - 1);
			done++;
		}
		gate_boundary(&w->member);
		/* Whoever had the world just now may have stopped it, and has seen what is left. */
		if (!expiry_is_allowed(w)) {
			w->expire_more = true;
			break;
		}
		if (gone > 0 && clock_monotonic_us() - start_us > EXPIRY_BUDGET_US) {
			w->expire_more = done < shards;
			break;
		}
	}
	/* Worker 0 follows the whole index; the others only what they add themselves, and step in if 0 is held up. */
	w->next_expiry_ms = w->index == 0 || w->expire_more ? earliest : INT64_MAX;
	atomic_store_explicit(&s->last_expiry_ms, w->now_ms, memory_order_relaxed);
	w->last_round_ms = w->monotonic_ms;
}

static bool expiry_is_due(const struct worker *w, bool tick) {
	const struct server *s = w->server;
	if (!expiry_is_allowed(w)) return false;
	if (w->expire_more) return true;
	if (w->monotonic_ms - w->last_round_ms < EXPIRY_SPACING_MS) return false;
	if (w->now_ms > w->next_expiry_ms) return true;
	return tick && w->now_ms - atomic_load_explicit(&s->last_expiry_ms, memory_order_relaxed) >= TICK_MS / 2;
}

/* ---- Clients ---- */

static void close_idle(struct worker *w) {
	int64_t limit_ms = w->server->config->values.timeout * 1000;
	if (limit_ms == 0) return;
	struct client *next;
	for (struct client *c = w->clients; c; c = next) {
		next = c->next;
		if (c->flags & (CLIENT_MONITOR | CLIENT_PAUSED | CLIENT_BLOCKED | CLIENT_IN_SCRIPT) ||
			subscriber_is_one(&c->subscriber) || w->now_ms - c->active_ms <= limit_ms)
			continue;
		log_verbose("Closing idle client");
		client_free(c);
	}
}

/* The soft limit counts seconds, also when no further output comes. A client over it is reaped by its message. */
static void check_outputs(struct worker *w) {
	for (struct client *c = w->clients; c; c = c->next)
		if (c->out_first) client_check_output(c);
}

/* They try again, and wait again or are told that the server is busy. */
static void retry_put_off(struct worker *w) {
	if (!w->has_put_off || w->monotonic_ms < w->retry_ms) return;
	w->has_put_off = false;
	/* The end of a pause may just have resumed some. */
	for (struct client *c = w->clients; c; c = c->next)
		if (c->flags & CLIENT_PUT_OFF && c->flags & CLIENT_PAUSED) worker_resume_client(w, c);
}

static void end_pause(struct worker *w) {
	if (!w->has_paused || is_paused(w)) return;
	w->has_paused = false;
	/* Nothing runs here: they get their turns with those that yielded. */
	for (struct client *c = w->clients; c; c = c->next)
		if (c->flags & CLIENT_PAUSED) worker_resume_client(w, c);
}

/* ---- Worker 0 for everybody ---- */

static void watch_memory(struct server *s) {
	struct mem_stats stats;
	mem_stats_read(&stats);
	server_note_memory(s, stats.allocated);
}

/* A tick looks at a sixteenth of the shards, so what a mass expiry has left behind goes within two seconds. */
static void trim_tables(struct worker *w) {
	const struct server *s = w->server;
	uint64_t databases = 0;
	for (unsigned i = 0; i < s->worker_count; i++) databases |= STAT_READ(s->workers[i].stats.store.databases);
	if (databases) store_trim(s->store, &w->member, databases, &w->trim_at);
}

static void obey_signal(struct server *s) {
	int number = atomic_exchange_explicit(&s->signal_received, 0, memory_order_relaxed);
	if (number == 0) return;
	process_log_shutdown(number);
	server_stop(s, 0);
}

/* `next_timeout_ms`: of a blocked client, monotonic. */
static int64_t time_to_next(const struct worker *w, int64_t next_timeout_ms) {
	bool limited = gate_is_limited(&w->member), expires = expiry_is_allowed(w);
	if (w->expire_more && expires && !limited) return 0;
	int64_t wait_ms = limited ? RETRY_MS : TICK_MS;
	if (expires && w->next_expiry_ms != INT64_MAX) {
		int64_t until = w->next_expiry_ms + 1 - w->now_ms;
		if (until < EXPIRY_SPACING_MS) until = EXPIRY_SPACING_MS;
		if (until < wait_ms) wait_ms = until;
	}
	if (next_timeout_ms != INT64_MAX) {
		int64_t until = next_timeout_ms - w->monotonic_ms;
		if (until < wait_ms) wait_ms = until < 1 ? 1 : until;
	}
	if ((w->has_put_off || w->watches_left || script_waits(w->run)) && wait_ms > RETRY_MS) wait_ms = RETRY_MS;
	if (w->has_paused) {
		int64_t until = w->server->pause_until_ms - w->now_ms;
		if (until < wait_ms) wait_ms = until < 1 ? 1 : until;
	}
	return wait_ms * 1000;
}

int64_t worker_upkeep(struct worker *w) {
	bool tick = w->monotonic_ms >= w->next_tick_ms;
	if (tick) w->next_tick_ms = w->monotonic_ms + TICK_MS;
	if (expiry_is_due(w, tick) && !gate_is_limited(&w->member)) expire_round(w);
	end_pause(w);
	retry_put_off(w);
	if (w->watches_left) watch_tidy_up(w);
	int64_t next_timeout_ms = blocking_expire(w);
	if (w->index == 0) obey_signal(w->server);
	if (w->index == 0 && tick) {
		rates_sample(w->server);
		if (!gate_is_limited(&w->member)) {
			trim_tables(w);
			tracking_upkeep(w);
		}
	}
	if (w->monotonic_ms >= w->next_second_ms) {
		w->next_second_ms = w->monotonic_ms + 1000;
		close_idle(w);
		check_outputs(w);
		if (w->index == 0) watch_memory(w->server);
	}
	return time_to_next(w, next_timeout_ms);
}
