/* From the socket to requests and back: reading, cutting into batches, running, writing once. */
#include <errno.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "server/server.h"
#include "server/transaction.h"

enum {
	FLUSH_BYTES = 256 * 1024,     /* replies of a batch are sent early beyond this */
	KEEP_OUT_BYTES = 1024 * 1024, /* a larger reply buffer is given back after the batch */
	MIN_IN_BYTES = 1024,
	KEEP_SLOTS = 4096, /* key slots that a worker keeps between batches */
	TURN_MS = 4,       /* a client's requests run for so long, then others get their turn */
};

static struct request_limits limits_of(const struct worker *w, const struct client *c) {
	return (struct request_limits){
		.max_bulk = w->server->config->values.proto_max_bulk_len,
		.max_args = REQUEST_MAX_ARGS,
		.max_inline = REQUEST_MAX_INLINE_BYTES,
		.authenticated = (c->flags & CLIENT_AUTHENTICATED) != 0,
	};
}

static void protocol_error(struct worker *w, struct client *c, const struct request *request) {
	char text[REQUEST_ERROR_TEXT_MAX];
	request_error_text(request, text);
	struct reply r;
	reply_start(&r, &w->out, c->proto);
	reply_error(&r, text);
	STAT_ADD(w->stats.error_replies, 1);
	error_stats_count("ERR");
	log_verbose("Protocol error (%s) from client: %s", text, c->peer);
	c->flags |= CLIENT_CLOSE_AFTER_REPLY;
}

struct batch_end {
	size_t consumed; /* bytes of requests that were run or skipped */
	bool stopped;    /* nothing after them may run now */
};

static bool is_over(const struct client *c) {
	return (c->flags & (CLIENT_CLOSE_AFTER_REPLY | CLIENT_CLOSE_NOW | CLIENT_PAUSED | CLIENT_YIELDED |
				   CLIENT_BLOCKED | CLIENT_IN_SCRIPT)) != 0;
}

/* Parses up to a batch of requests and runs them. The bytes of a request that could not run stay unconsumed. */
static struct batch_end run_batch(struct worker *w, struct client *c, const char *bytes, size_t len) {
	struct request_limits limits = limits_of(w, c);
	/* A stranger's AUTH lifts the limits for what follows it. */
	unsigned most = limits.authenticated ? WORKER_BATCH : 1;
	size_t starts[WORKER_BATCH + 1], at = 0;
	unsigned count = 0;
	enum request_status status = REQUEST_MORE;
	struct request failed;
	request_arena_clear(&w->arena);
	while (count < most && at < len) {
		struct request *request = &w->batch[count].request;
		status = request_parse(&c->parser, &limits, bytes + at, len - at, &w->arena, request);
		if (status == REQUEST_ERROR) failed = *request;
		if (status == REQUEST_MORE || status == REQUEST_ERROR) break;
		if (status == REQUEST_OK) starts[count++] = at;
		at += request->bytes;
	}
	starts[count] = at;
	dispatch_prepare(w, c, count);
	for (unsigned i = 0; i < count; i++) {
		if (!dispatch_run(w, c, &w->batch[i]) || is_over(c)) {
			bool ran = !(c->flags & CLIENT_PAUSED);
			/* What was parsed beyond is forgotten, so the parser must not remember a part of it. */
			c->parser = (struct request_parser){ 0 };
			return (struct batch_end){ ran ? starts[i + 1] : starts[i], true };
		}
		if (w->out.len > FLUSH_BYTES) client_send(c, &w->out);
		gate_boundary(&w->member);
		if (is_over(c)) return (struct batch_end){ starts[i + 1], true };
	}
	if (status == REQUEST_ERROR) {
		protocol_error(w, c, &failed);
		return (struct batch_end){ at, true };
	}
	return (struct batch_end){ at, status == REQUEST_MORE || at == len };
}

/* Runs all complete requests in the range; returns how many bytes they took. */
static size_t run_all(struct worker *w, struct client *c, const char *bytes, size_t len) {
	size_t done = 0;
	struct batch_end end = { 0, false };
	while (!end.stopped && done < len) {
		end = run_batch(w, c, bytes + done, len - done);
		done += end.consumed;
	}
	return done;
}

/* One request of a million arguments must not leave its tables behind for good. */
static void trim_scratch(struct worker *w) {
	if (w->key_slot_cap > KEEP_SLOTS) {
		mem_free(w->key_slots);
		w->key_slots = NULL;
		w->key_slot_cap = w->key_slot_count = 0;
	}
	if (w->shard_cap > KEEP_SLOTS) {
		mem_free(w->shards);
		w->shards = NULL;
		w->shard_cap = 0;
	}
	request_arena_clear(&w->arena);
}

static void finish(struct worker *w, struct client *c) {
	client_send(c, &w->out);
	trim_scratch(w);
	if (w->out.cap > KEEP_OUT_BYTES) buffer_release(&w->out);
	client_close_when_said(c);
	w->current = NULL;
	if (c->flags & CLIENT_CLOSE_NOW) client_free(c);
}

/* Redis counts what waits in the query buffer and between MULTI and EXEC; a client that exceeds it is cut, the others never notice. */
static bool exceeds_query_limit(struct worker *w, struct client *c) {
	size_t queued = c->transaction ? c->transaction->arg_bytes : 0;
	if (c->in.len + queued <= w->server->config->values.client_query_buffer_limit) return false;
	struct buffer line = { 0 };
	client_describe(c, &line);
	struct buffer head = { 0 };
	buffer_append_quoted(&head, slice_of(c->in.data, c->in.len < 64 ? c->in.len : 64));
	log_warning("Closing client that reached max query buffer length: %.*s (qbuf initial bytes: %.*s)",
		(int)line.len, line.data, (int)head.len, head.data);
	buffer_release(&line);
	buffer_release(&head);
	STAT_ADD(w->stats.query_buffer_closes, 1);
	c->flags |= CLIENT_CLOSE_NOW;
	return true;
}

/* Where the next bytes go: behind what the client has waiting, or, with nothing waiting, to the worker's own memory, so
 * that a client between requests keeps none. */
static struct slice read_target(struct worker *w, struct client *c) {
	if (c->in.len == 0) return slice_of(w->in, WORKER_READ_BYTES);
	uint64_t wanted = request_wanted(&c->parser, c->in.len);
	/* The claim of a client is not believed at once: memory grows with what has really come. */
	size_t room = c->in.len > WORKER_READ_BYTES ? c->in.len : WORKER_READ_BYTES;
	if (wanted < room) room = wanted < MIN_IN_BYTES ? MIN_IN_BYTES : (size_t)wanted;
	if (c->in.cap - c->in.len < room / 2 || c->in.cap == c->in.len) {
		if (!buffer_try_reserve(&c->in, room)) return slice_of(NULL, 0);
	}
	return slice_of(c->in.data + c->in.len, c->in.cap - c->in.len);
}

static void keep_rest(struct client *c, const char *rest, size_t len) {
	if (rest >= c->in.data && c->in.data && rest <= c->in.data + c->in.len) {
		if (rest != c->in.data) memmove(c->in.data, rest, len);
		c->in.len = len;
	} else {
		buffer_append(&c->in, rest, len);
	}
	if (len == 0) buffer_release(&c->in);
}

/* ---- Turns ----
 * A pipeline of slow commands must not keep the worker's other clients waiting until its end. When its time is up, the
 * dispatcher marks the client, and what is left of its input waits for the worker's next turn. */

static void yield_turn(struct worker *w, struct client *c) {
	c->flags |= CLIENT_YIELDED;
	c->next_yielded = NULL;
	if (w->yielded)
		w->last_yielded->next_yielded = c;
	else
		w->yielded = c;
	w->last_yielded = c;
}

void worker_forget_yielded(struct worker *w, struct client *c) {
	if (!(c->flags & CLIENT_YIELDED)) return;
	struct client *before = NULL;
	for (struct client *at = w->yielded; at != c; at = at->next_yielded) before = at;
	if (before)
		before->next_yielded = c->next_yielded;
	else
		w->yielded = c->next_yielded;
	if (w->last_yielded == c) w->last_yielded = before;
	c->flags &= ~(uint32_t)CLIENT_YIELDED;
}

static void run_input(struct worker *w, struct client *c, const char *bytes, size_t len) {
	w->current = c;
	w->turn_ticks = w->command_ticks + TURN_MS * w->ticks_per_ms;
	size_t done = run_all(w, c, bytes, len);
	keep_rest(c, bytes + done, len - done);
	exceeds_query_limit(w, c);
	bool yields = c->flags & CLIENT_YIELDED;
	c->flags &= ~(uint32_t)CLIENT_YIELDED; /* it stands in no list yet */
	if (yields && c->in.len > 0 && !is_over(c)) yield_turn(w, c);
	finish(w, c);
}

void worker_run_yielded(struct worker *w) {
	if (!w->yielded) return;
	/* Who yields again comes behind the last of now. */
	const struct client *last = w->last_yielded;
	bool was_last;
	do {
		struct client *c = w->yielded;
		was_last = c == last;
		worker_forget_yielded(w, c);
		c->active_ms = w->now_ms;
		if (c->flags & CLIENT_CLOSE_NOW)
			client_free(c);
		else
			run_input(w, c, c->in.data, c->in.len);
		gate_boundary(&w->member);
	} while (!was_last);
}

void worker_read_client(struct worker *w, struct client *c) {
	struct slice target = read_target(w, c);
	if (!target.ptr) {
		log_warning("Out of memory reading from client %s", c->peer);
		client_free(c);
		return;
	}
	ssize_t got = recv(c->fd, (char *)(uintptr_t)target.ptr, target.len, 0);
	STAT_ADD(w->stats.reads, 1);
	if (got <= 0) {
		if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
		log_verbose(got == 0 ? "Client closed connection %s" : "Reading from client %s", c->peer);
		client_free(c);
		return;
	}
	c->net_in += (size_t)got;
	c->active_ms = w->now_ms;
	STAT_ADD(w->stats.net_in, (size_t)got);
	if (c->in.len == 0) {
		run_input(w, c, w->in, (size_t)got);
	} else {
		c->in.len += (size_t)got;
		run_input(w, c, c->in.data, c->in.len);
	}
}

void worker_unblock_client(struct worker *w, struct client *c) {
	c->active_ms = w->now_ms;
	if (c->flags & (CLIENT_CLOSE_NOW | CLIENT_CLOSE_AFTER_REPLY)) return;
	if (c->flags & CLIENT_INPUT_WAITS) {
		c->flags &= ~(uint32_t)CLIENT_INPUT_WAITS;
		client_watch(c);
	}
	if (c->in.len > 0) yield_turn(w, c);
}

void worker_resume_client(struct worker *w, struct client *c) {
	c->flags &= ~(uint32_t)CLIENT_PAUSED;
	client_watch(c);
	if (c->in.len > 0) yield_turn(w, c);
}
