#include "server/worker.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "server/scripting.h"
#include "server/server.h"
#include "server/transaction.h"

enum { MAX_EVENTS = 256 };

struct config *worker_config(struct worker *w) {
	return w->server->config;
}

const struct command_table *worker_commands(const struct worker *w) {
	return w->server->commands;
}

void worker_reset_stats(struct worker *w) {
	struct server *s = w->server;
	for (unsigned i = 0; i < s->worker_count; i++) {
		struct worker *other = &s->workers[i];
		/* What follows from the data and not from traffic stays. */
		uint64_t changes = other->stats.store.changes, databases = other->stats.store.databases;
		memset(&other->stats, 0, sizeof(other->stats));
		other->stats.store.changes = changes;
		other->stats.store.databases = databases;
		memset(other->command_stats, 0, s->commands->id_count * sizeof(other->command_stats[0]));
	}
	error_stats_reset();
	s->stats_reset_ms = w->now_ms;
	atomic_store_explicit(&s->peak_memory, 0, memory_order_relaxed);
}

/* How many ticks of the cycle counter a millisecond has. */
static uint64_t measure_ticks_per_ms(void) {
	uint64_t million_ns = clock_ticks_to_ns(1000000);
	return million_ns ? (uint64_t)1000000 * 1000000 / million_ns : 1000000;
}

bool worker_init(struct worker *w, struct server *s, unsigned index) {
	memset(w, 0, sizeof(*w));
	w->server = s;
	w->index = index;
	if (!poller_init(&w->poller)) return false;
	if (!mailbox_init(&w->mailbox) || !poller_add(&w->poller, mailbox_fd(&w->mailbox), POLLER_READ, NULL))
		return false;
	w->in = mem_alloc(WORKER_READ_BYTES);
	w->command_stats = mem_calloc(s->commands->id_count * sizeof(w->command_stats[0]));
	w->ticks_per_ms = measure_ticks_per_ms();
	w->next_expiry_ms = INT64_MAX;
	pubsub_local_init(&w->pubsub);
	w->now_ms = clock_wall_ms();
	w->view = worker_view(w, 0);
	w->run = script_run_new(w);
	gate_join(&s->gate, &w->member);
	return true;
}

void worker_release(struct worker *w) {
	while (w->clients) client_free(w->clients);
	blocking_worker_release(w);
	watch_tidy_up(w);
	script_run_free(w->run);
	if (w->server->engine) w->server->engine->release_worker(w);
	gate_leave(&w->member);
	request_arena_release(&w->arena);
	buffer_release(&w->out);
	buffer_release(&w->pushes);
	pubsub_local_release(&w->pubsub);
	tracking_worker_release(&w->tracking);
	mem_free(w->in);
	mem_free(w->command_stats);
	mem_free(w->key_slots);
	mem_free(w->shards);
	transaction_free_spare(w);
	mailbox_release(&w->mailbox);
	poller_release(&w->poller);
}

void worker_do_after(struct worker *w) {
	enum { KEEP_PUSH_BYTES = 64 * 1024 };
	/* Serving may publish events. */
	if (w->after & AFTER_SERVE) blocking_serve_later(w);
	if (w->after & AFTER_DELIVER) pubsub_deliver(w);
	if (w->after & AFTER_TRACK) tracking_tell(w);
	if (w->after & AFTER_SERVE) blocking_hand_out(w);
	if (w->pushes.len > 0) {
		buffer_append_slice(&w->out, buffer_slice(&w->pushes));
		w->pushes.len = 0;
		if (w->pushes.cap > KEEP_PUSH_BYTES) buffer_release(&w->pushes);
	}
	w->after = 0;
}

static void handle_client(struct worker *w, struct client *c, uint32_t events) {
	if (c->flags & CLIENT_CLOSE_NOW) {
		client_free(c);
		return;
	}
	if (events & POLLER_WRITE) {
		client_flush(c);
		if (c->flags & CLIENT_CLOSE_NOW) {
			client_free(c);
			return;
		}
	}
	if (c->flags & CLIENT_PAUSED) {
		/* Who leaves while it waits is not heard any more, as in Redis. */
		if (events & POLLER_HANGUP) client_free(c);
		return;
	}
	if (c->flags & CLIENT_IN_SCRIPT) {
		script_client_said(c, (events & POLLER_HANGUP) != 0);
		return;
	}
	if (c->flags & CLIENT_BLOCKED) {
		if (events & POLLER_HANGUP) {
			client_free(c);
		} else if (events & POLLER_READ) {
			c->flags |= CLIENT_INPUT_WAITS;
			client_watch(c);
		}
		return;
	}
	/* What was said before QUIT or a protocol error is on its way; what comes after is not read any more. */
	if (c->flags & CLIENT_CLOSE_AFTER_REPLY) {
		if (events & POLLER_HANGUP) client_free(c);
		return;
	}
	/* What it said already comes first; the worker does not sleep meanwhile. */
	if (c->flags & CLIENT_YIELDED) return;
	if (events & (POLLER_READ | POLLER_HANGUP)) worker_read_client(w, c);
}

/* The poller's tags: NULL for the mailbox, an odd address for a listener, else a client. */
static void handle_event(struct worker *w, const struct poller_event *event, bool *mail) {
	uintptr_t tag = (uintptr_t)event->tag;
	if (tag == 0)
		*mail = true;
	else if (tag & 1)
		server_accept(w, (struct listener *)(tag - 1));
	else
		handle_client(w, event->tag, event->events);
}

void worker_forget_events(struct worker *w, const struct client *c) {
	for (int i = 0; i < w->event_count; i++)
		if (w->events[i].tag == c) w->events[i].tag = NULL;
}

/* What others have sent was there before what the events of this turn bring, if who sent it has answered its client first
 * (an invalidation, a message; then that client talks to ours). So it comes first. Whether there was mail. */
static bool take_mail(struct worker *w) {
	bool any = !mailbox_is_empty(&w->mailbox);
	if (any) mailbox_run(&w->mailbox, w);
	/* Also what another sender has not woken us for yet, since somebody else was about to. */
	pubsub_deliver(w);
	if (any) gate_boundary(&w->member);
	return any;
}

static void sleep_until_something(struct worker *w, int64_t timeout_us, struct poller_event *events, int *count) {
	uint64_t turn_ns = clock_ticks_to_ns(clock_ticks() - w->awake_ticks);
	STAT_ADD(w->stats.turns, 1);
	STAT_ADD(w->stats.busy_ns, turn_ns);
	if (turn_ns > w->stats.longest_turn_ns) STAT_SET(w->stats.longest_turn_ns, turn_ns);
	if (timeout_us > 0) {
		gate_outside(&w->member);
		lock_drop(&w->awake, LOCK_RANK_WORKER, w->index);
		*count = poller_wait(&w->poller, events, MAX_EVENTS, timeout_us);
		lock_take(&w->awake, LOCK_RANK_WORKER, w->index);
		gate_inside(&w->member);
	} else {
		*count = poller_wait(&w->poller, events, MAX_EVENTS, 0);
		gate_boundary(&w->member);
	}
	w->awake_ticks = w->command_ticks = clock_ticks();
	w->refresh_ticks = 0;
	w->monotonic_ms = clock_monotonic_ms();
	w->now_ms = clock_wall_ms();
}

void worker_run(struct worker *w) {
	struct poller_event events[MAX_EVENTS];
	w->awake_ticks = clock_ticks();
	lock_take(&w->awake, LOCK_RANK_WORKER, w->index);
	gate_inside(&w->member);
	while (!atomic_load_explicit(&w->server->stopping, memory_order_acquire)) {
		int count;
		bool mail = false;
		int64_t wait_us = worker_upkeep(w);
		/* What the clock has done may have left something to tell. */
		bool waits = !w->yielded && !w->after && !w->pushed && !script_is_under_way(w->run);
		sleep_until_something(w, waits ? wait_us : 0, events, &count);
		w->events = events;
		w->event_count = count;
		bool taken = take_mail(w);
		for (int i = 0; i < count; i++) {
			handle_event(w, &events[i], &mail);
			gate_boundary(&w->member);
		}
		w->event_count = 0;
		worker_run_yielded(w);
		script_go_on(w, count > 0 || w->yielded);
		/* Somebody may have woken us up without a message. */
		if (mail && !taken) mailbox_run(&w->mailbox, w);
		/* What was not done by a command: keys that ended, and what others have sent. */
		if (w->after) worker_do_after(w);
		client_flush_pushed(w);
	}
	script_end_for_good(w);
	gate_outside(&w->member);
	lock_drop(&w->awake, LOCK_RANK_WORKER, w->index);
}

/* Not while a run of our own is suspended: it holds gates. Nor while somebody else's has the world: gates are refused to
 * us then, but would not be to the sleeper's member. Nor before a message that is on its way: order is kept. */
bool worker_stand_in(struct worker *w, struct worker *sleeper) {
	if (script_is_under_way(w->run) || gate_is_limited(&w->member) || !mailbox_is_empty(&sleeper->mailbox))
		return false;
	if (!lock_try(&sleeper->awake, LOCK_RANK_WORKER, sleeper->index)) return false;
	sleeper->now_ms = w->now_ms;
	return true;
}

void worker_stand_back(struct worker *sleeper) {
	bool has_to_wake = client_flush_asleep(sleeper) || sleeper->yielded || sleeper->after;
	lock_drop(&sleeper->awake, LOCK_RANK_WORKER, sleeper->index);
	if (has_to_wake) mailbox_wake(&sleeper->mailbox);
}
