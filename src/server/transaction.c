#include "server/transaction.h"

#include <assert.h>
#include <stdalign.h>

#include "base/alloc.h"
#include "server/scripting.h"
#include "server/server.h"

enum {
	INLINE_BYTES = 2048, /* the usual transaction needs no more */
	CHUNK_MIN_BYTES = 8 * 1024,
	CHUNK_MAX_BYTES = 256 * 1024, /* a larger argument gets one of its own size */
};

struct transaction_chunk {
	struct transaction_chunk *older;
	size_t size; /* of `bytes` */
	alignas(16) char bytes[];
};

/* ---- Memory ---- */

static size_t shard_words(const struct worker *w) {
	return w->server->gate.words;
}

static void clear(struct transaction *t, size_t words) {
	struct transaction_chunk *older;
	for (struct transaction_chunk *chunk = t->_chunks; chunk; chunk = older) {
		older = chunk->older;
		mem_free(chunk);
	}
	char *start = t->_inline;
	memset(t, 0, sizeof(*t) + words * sizeof(t->_shards[0]));
	t->_inline = t->_at = start;
	t->_end = start + INLINE_BYTES;
	t->bytes = sizeof(*t) + words * sizeof(t->_shards[0]) + INLINE_BYTES;
}

void transaction_begin(struct client *c) {
	struct worker *w = c->worker;
	assert(!c->transaction);
	struct transaction *t = w->spare_transaction;
	w->spare_transaction = NULL;
	if (!t) {
		size_t head = sizeof(*t) + shard_words(w) * sizeof(t->_shards[0]);
		t = mem_calloc(head + INLINE_BYTES);
		t->_inline = (char *)t + head;
		clear(t, shard_words(w));
	}
	c->transaction = t;
}

static void end_queue(struct client *c) {
	struct worker *w = c->worker;
	struct transaction *t = c->transaction;
	if (!t) return;
	c->transaction = NULL;
	clear(t, shard_words(w));
	if (w->spare_transaction)
		mem_free(t);
	else
		w->spare_transaction = t;
}

void transaction_end(struct client *c) {
	end_queue(c);
	watch_forget_all(c, WATCH_GATES_TAKE);
}

void transaction_free_spare(struct worker *w) {
	mem_free(w->spare_transaction);
	w->spare_transaction = NULL;
}

static bool add_chunk(struct transaction *t, size_t bytes) {
	size_t size = t->_chunks ? t->_chunks->size * 2 : CHUNK_MIN_BYTES;
	if (size > CHUNK_MAX_BYTES) size = CHUNK_MAX_BYTES;
	if (size < bytes) size = bytes;
	struct transaction_chunk *chunk = mem_try_alloc(sizeof(*chunk) + size);
	if (!chunk) return false;
	chunk->older = t->_chunks;
	chunk->size = size;
	t->_chunks = chunk;
	t->_at = chunk->bytes;
	t->_end = chunk->bytes + size;
	t->bytes += sizeof(*chunk) + size;
	return true;
}

/* Aligned for what a queued command consists of; NULL without memory. */
static void *take(struct transaction *t, size_t bytes) {
	bytes = (bytes + 7) & ~(size_t)7;
	if ((size_t)(t->_end - t->_at) < bytes && !add_chunk(t, bytes)) return NULL;
	char *at = t->_at;
	t->_at += bytes;
	return at;
}

size_t transaction_memory(const struct client *c) {
	return (c->transaction ? c->transaction->bytes : 0) + (c->watches ? c->watches->bytes : 0);
}

/* ---- Queueing ---- */

/* One piece for all of it: the struct, the slices, the key slots, the bytes. */
static struct queued *copy_command(struct transaction *t, const struct worker *w, const struct batch_item *item) {
	const struct request *request = &item->request;
	size_t text = slices_bytes(request->argv, request->argc);
	size_t slices = request->argc * sizeof(struct slice), keys = item->key_count * sizeof(struct call_key_slot);
	struct queued *q = take(t, sizeof(*q) + slices + keys + text);
	if (!q) return NULL;
	struct slice *argv = (struct slice *)(q + 1);
	struct call_key_slot *slots = (struct call_key_slot *)(argv + request->argc);
	*q = (struct queued){ NULL, item->command, request->argc, item->key_count, argv, slots };
	slices_copy(argv, (char *)(slots + item->key_count), request->argv, request->argc);
	if (keys) memcpy(slots, w->key_slots + item->first_key, keys);
	t->arg_bytes += text;
	return q;
}

void transaction_queue(struct client *c, const struct batch_item *item, struct reply *r) {
	struct transaction *t = c->transaction;
	const struct command *cmd = item->command;
	/* What will not run any more need not be kept. */
	if (t->failed || watches_are_dirty(c->watches)) {
		reply_status(r, "QUEUED");
		return;
	}
	struct queued *q = copy_command(t, c->worker, item);
	if (!q) {
		t->failed = true;
		reply_error(r, "ERR not enough memory to queue this command");
		return;
	}
	reply_status(r, "QUEUED");
	t->count++;
	t->flags |= cmd->flags;
	enum command_gate gate = command_gate_for(cmd, q->argc, q->argv);
	if (gate == GATE_WORLD || gate == GATE_WALK) t->needs_world = true;
	if (gate == GATE_SCRIPT) t->has_script = true;
	for (unsigned i = 0; i < q->key_count; i++) t->_shards[q->keys[i].shard / 64] |= 1ULL << q->keys[i].shard % 64;
	if (t->last)
		t->last->next = q;
	else
		t->first = q;
	t->last = q;
}

void transaction_refused(struct client *c, const struct command *cmd, struct reply *r, size_t at) {
	if (c->transaction) c->transaction->failed = true;
	if (!cmd || strcmp(cmd->full_name, "exec") != 0) return;
	/* The reply is "-<text>\r\n". */
	struct slice said = slice_of(r->out->data + at + 1, r->out->len - at - 3);
	if (said.len > 4 && memcmp(said.ptr, "ERR ", 4) == 0) said = slice_of(said.ptr + 4, said.len - 4);
	struct buffer reason = { 0 };
	buffer_append_slice(&reason, said);
	r->out->len = at;
	reply_start(r, r->out, r->proto);
	reply_errorf(r, "EXECABORT Transaction discarded because of: %.*s", (int)reason.len, reason.data);
	buffer_release(&reason);
	transaction_end(c);
}

/* ---- The gate of all commands together ---- */

bool transaction_enter(struct worker *w, struct client *c) {
	struct transaction *t = c->transaction;
	if (t->needs_world) return gate_take_world(&w->member);
	watch_collect_shards(c, t->_shards);
	if (t->has_script) gate_set_add(t->_shards, gate_script_mutex(&w->server->gate));
	return gate_lock_set(&w->member, t->_shards);
}

static void leave(struct worker *w, const struct transaction *t) {
	if (t->needs_world)
		gate_drop_world(&w->member);
	else
		gate_unlock_set(&w->member, t->_shards);
}

uint64_t *transaction_gates(const struct client *c) {
	return c->transaction->_shards;
}

/* ---- Running ---- */

static void run_all(struct worker *w, struct client *c, struct reply *r) {
	struct transaction *t = c->transaction;
	reply_array(r, t->count);
	for (const struct queued *q = t->first; q; q = q->next) {
		size_t before = r->out->len;
		dispatch_run_queued(w, c, q, r->out);
		/* CLIENT REPLY OFF and SKIP answer nothing, but the array has a place for them. */
		if (r->out->len == before) {
			struct reply nothing;
			reply_start(&nothing, r->out, c->proto);
			reply_null(&nothing);
		}
	}
}

/* The watched keys are let go before the run, as in Redis: a transaction may change what it watched. */
void transaction_run(struct call *call) {
	struct client *c = call->client;
	struct worker *w = call->worker;
	if (watch_holds(c, call->view)) {
		watch_forget_all(c, WATCH_GATES_HELD);
		c->transaction->running = true;
		run_all(w, c, call->reply);
	} else {
		reply_null_array(call->reply);
	}
	if (blocking_has_ready(&w->blocking)) {
		struct held_gates held = { NULL, 0, c->transaction->_shards };
		blocking_serve(w, &held);
	}
}

static void tell_monitors(const struct call *call) {
	if (call->worker->attention & ATTENTION_MONITOR)
		monitor_feed(call->worker, call->client, call->command, call->argc, call->argv);
}

void transaction_ended(struct call *call) {
	transaction_end(call->client);
	call->worker->current_call = call;
	call->client->last_command = call->command;
	tell_monitors(call);
}

/* False: a gate was not to be had. */
static bool run_plainly(struct call *call) {
	struct client *c = call->client;
	struct worker *w = call->worker;
	if (!transaction_enter(w, c)) return false;
	transaction_run(call);
	leave(w, c->transaction);
	return true;
}

void transaction_exec(struct call *call) {
	struct client *c = call->client;
	struct worker *w = call->worker;
	uint64_t start_ticks = w->command_ticks;
	if (c->transaction->failed) {
		reply_error(call->reply, "EXECABORT Transaction discarded because of previous errors.");
	} else if (watches_are_dirty(c->watches)) {
		reply_null_array(call->reply); /* no gate is needed to know that it is too late */
	} else if (c->transaction->has_script) {
		/* It ends the transaction itself, perhaps in a later turn. */
		w->member.refused = !script_run_transaction(w, call);
		return;
	} else if (!run_plainly(call)) {
		w->member.refused = true;
		return;
	}
	/* Those inside have counted their times; EXEC's own includes them. */
	w->command_ticks = start_ticks;
	transaction_ended(call);
}
