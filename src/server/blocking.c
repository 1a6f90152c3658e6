#include "server/blocking.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "server/blocking_private.h"
#include "server/transaction.h"

enum { RETRY_MS = 2 /* for gates that a long run keeps */ };

/* ---- For handlers ---- */

bool call_may_block(const struct call *c) {
	return !c->from_script && !transaction_runs(c->client);
}

bool blocking_read_timeout(struct call *c, unsigned arg, int64_t *timeout_ms) {
	long double seconds;
	if (!number_parse_long_double(c->argv[arg], &seconds)) {
		reply_error(c->reply, "ERR timeout is not a float or out of range");
		return false;
	}
	/* Less than a millisecond below zero is none, as in Redis. */
	long double ms = ceill(seconds * 1000);
	if (ms < 0) {
		reply_error(c->reply, "ERR timeout is negative");
		return false;
	}
	if (ms > (long double)(INT64_MAX / 2)) {
		reply_error(c->reply, "ERR timeout is out of range");
		return false;
	}
	*timeout_ms = (int64_t)ms;
	return true;
}

/* ---- Gates of a waiter ---- */

/* The waiters of a client are kept in ascending order of their shards, so that these can be locked as they come. */
static void unlock_first(struct worker *w, const struct blocked *b, unsigned count) {
	if (gate_has_world(&w->member)) return;
	for (unsigned i = count; i > 0; i--)
		if (i == 1 || b->waiters[i - 1].shard != b->waiters[i - 2].shard)
			gate_unlock(&w->member, b->waiters[i - 1].shard);
}

/* All or none. */
static bool lock_all(struct worker *w, const struct blocked *b) {
	if (gate_has_world(&w->member)) return true;
	for (unsigned i = 0; i < b->waiter_count; i++) {
		if (i > 0 && b->waiters[i].shard == b->waiters[i - 1].shard) continue;
		if (gate_lock(&w->member, b->waiters[i].shard)) continue;
		unlock_first(w, b, i);
		return false;
	}
	return true;
}

/* ---- Time-outs: a heap ---- */

static void heap_put(struct blocking_worker *bw, size_t at, struct blocked *b) {
	bw->_heap[at] = b;
	b->heap_at = at;
}

static void heap_up(struct blocking_worker *bw, size_t at) {
	struct blocked *b = bw->_heap[at];
	for (; at > 0 && bw->_heap[(at - 1) / 2]->deadline_ms > b->deadline_ms; at = (at - 1) / 2)
		heap_put(bw, at, bw->_heap[(at - 1) / 2]);
	heap_put(bw, at, b);
}

static void heap_down(struct blocking_worker *bw, size_t at) {
	struct blocked *b = bw->_heap[at];
	for (;;) {
		size_t child = at * 2 + 1;
		if (child >= bw->_heap_count) break;
		if (child + 1 < bw->_heap_count && bw->_heap[child + 1]->deadline_ms < bw->_heap[child]->deadline_ms)
			child++;
		if (bw->_heap[child]->deadline_ms >= b->deadline_ms) break;
		heap_put(bw, at, bw->_heap[child]);
		at = child;
	}
	heap_put(bw, at, b);
}

static void heap_add(struct blocking_worker *bw, struct blocked *b) {
	if (bw->_heap_count == bw->_heap_cap) {
		bw->_heap_cap = bw->_heap_cap ? bw->_heap_cap * 2 : 64;
		bw->_heap = mem_realloc(bw->_heap, bw->_heap_cap * sizeof(struct blocked *));
	}
	heap_put(bw, bw->_heap_count, b);
	STAT_ADD(bw->_heap_count, 1);
	heap_up(bw, b->heap_at);
}

static void heap_remove(struct blocking_worker *bw, struct blocked *b) {
	size_t at = b->heap_at;
	if (at == SIZE_MAX) return;
	b->heap_at = SIZE_MAX;
	STAT_ADD(bw->_heap_count, (size_t)-1);
	struct blocked *last = bw->_heap[bw->_heap_count];
	if (last == b) return;
	heap_put(bw, at, last);
	heap_up(bw, at);
	heap_down(bw, last->heap_at);
}

/* ---- Beginning and end of a wait ---- */

static struct blocked *make_blocked(struct call *c, const struct blocking_wait *wait) {
	size_t slices = c->argc * sizeof(struct slice), waiters = wait->key_count * sizeof(struct waiter);
	struct blocked *b = mem_alloc(sizeof(*b) + slices + waiters + slices_bytes(c->argv, c->argc));
	struct client *client = c->client;
	*b = (struct blocked){ .owner = c->worker,
		.client = client,
		.command = c->command,
		.serve = wait->serve,
		.timed_out = wait->timed_out,
		.heap_at = SIZE_MAX,
		.db = client->db,
		.proto = client->proto,
		.wants_the_end = wait->wants_the_end,
		.is_muted = (client->flags & (CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP)) != 0,
		.argc = c->argc,
		.argv = (struct slice *)(b + 1) };
	atomic_init(&b->refs, 1);
	atomic_init(&b->state, WAITING);
	b->waiters = (struct waiter *)(b->argv + c->argc);
	slices_copy(b->argv, (char *)(b->waiters + wait->key_count), c->argv, c->argc);
	return b;
}

struct wanted_key {
	struct key key;
	uint32_t shard;
	unsigned position;
};

static int compare_wanted(const void *a, const void *b) {
	const struct wanted_key *x = a, *y = b;
	if (x->shard != y->shard) return x->shard < y->shard ? -1 : 1;
	if (x->key.hash != y->key.hash) return x->key.hash < y->key.hash ? -1 : 1;
	return x->position < y->position ? -1 : x->position > y->position;
}

/* Whether the key was named before: those with its hash stand right before it. */
static bool comes_again(const struct wanted_key *keys, unsigned at) {
	for (unsigned i = at; i > 0 && keys[i - 1].key.hash == keys[at].key.hash; i--)
		if (slice_equal(key_slice(&keys[i - 1].key), key_slice(&keys[at].key))) return true;
	return false;
}

/* Puts the client into the queues of its keys, in the order of their shards, into each once. */
static void enqueue_all(struct call *c, struct blocked *b, const struct blocking_wait *wait) {
	enum { FEW = 8 };
	struct server *s = c->worker->server;
	struct wanted_key few[FEW], *keys = few;
	if (wait->key_count > FEW) keys = mem_alloc(wait->key_count * sizeof(keys[0]));
	for (unsigned i = 0; i < wait->key_count; i++) {
		struct key key = key_of(b->argv[wait->first_key + i]);
		keys[i] = (struct wanted_key){ key, store_shard_of(s->store, key.hash), i };
	}
	if (wait->key_count > 1) qsort(keys, wait->key_count, sizeof(keys[0]), compare_wanted);
	for (unsigned i = 0; i < wait->key_count; i++) {
		if (comes_again(keys, i)) continue;
		struct waiter *x = &b->waiters[b->waiter_count++];
		*x = (struct waiter){ .blocked = b, .shard = keys[i].shard, .position = keys[i].position };
		blocking__enqueue(&s->blocking, x, &keys[i].key);
	}
	if (keys != few) mem_free(keys);
}

void blocking_wait(struct call *c, const struct blocking_wait *wait) {
	struct worker *w = c->worker;
	struct client *client = c->client;
	assert(call_may_block(c) && !client->blocked);
	struct blocked *b = make_blocked(c, wait);
	if (wait->destination) {
		struct key key = key_of(b->argv[wait->destination]);
		b->has_destination = true;
		b->destination_shard = store_shard_of(w->server->store, key.hash);
	}
	enqueue_all(c, b, wait);
	client->blocked = b;
	client->flags |= CLIENT_BLOCKED;
	STAT_ADD(w->blocking.count, 1);
	if (wait->timeout_ms > 0) {
		/* The loop's clock may be late by the length of a turn. */
		b->deadline_ms = clock_monotonic_ms() + wait->timeout_ms;
		heap_add(&w->blocking, b);
	}
}

void blocking_wait_or_answer(struct call *c, const struct blocking_wait *wait) {
	if (call_may_block(c))
		blocking_wait(c, wait);
	else
		wait->timed_out(c->reply);
}

void blocking_serve_or_wait(struct call *c, enum value_type type, const struct blocking_wait *wait) {
	struct key key;
	struct entry *e;
	if (!call_write_first(c, type, wait->first_key, wait->key_count, &key, &e)) return;
	/* Its second look is no second access. */
	uint32_t flags = c->view->flags;
	c->view->flags |= VIEW_NO_TOUCH;
	bool served = e && wait->serve(c, &key) == BLOCKING_SERVED;
	c->view->flags = flags;
	if (!served) blocking_wait_or_answer(c, wait);
}

/* Takes the client out of all queues, whose gates are held. */
static void dequeue_all(struct worker *w, struct blocked *b) {
	for (unsigned i = 0; i < b->waiter_count; i++) blocking__dequeue(&w->server->blocking, &b->waiters[i]);
}

/* The client waits no more. On the owner, with the queues left behind. */
static void let_go(struct worker *w, struct client *c) {
	struct blocked *b = c->blocked;
	heap_remove(&w->blocking, b);
	b->client = NULL;
	c->blocked = NULL;
	c->flags &= ~(uint32_t)CLIENT_BLOCKED;
	STAT_ADD(w->blocking.count, (size_t)-1);
	blocked__drop(b);
}

/* Takes it out of its queues; while a long run keeps one of them, that is left for later, but nobody serves it any more.
 * False: it was served. */
static bool retire(struct worker *w, struct blocked *b) {
	if (lock_all(w, b)) {
		bool waited = atomic_load_explicit(&b->state, memory_order_relaxed) != DONE;
		atomic_store_explicit(&b->state, DONE, memory_order_relaxed);
		dequeue_all(w, b);
		unlock_first(w, b, b->waiter_count);
		return waited;
	}
	bool waited = blocked__claim(b);
	if (waited) blocked__unclaim(b, DONE);
	if (!b->is_left) {
		b->is_left = true;
		b->next_left = w->blocking._left;
		w->blocking._left = b;
		atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	}
	return waited;
}

/* Those that were left for later. */
static void tidy_up(struct worker *w) {
	struct blocked **at = &w->blocking._left;
	while (*at) {
		struct blocked *b = *at;
		if (!lock_all(w, b)) {
			at = &b->next_left;
			continue;
		}
		dequeue_all(w, b);
		unlock_first(w, b, b->waiter_count);
		*at = b->next_left;
		blocked__drop(b);
	}
}

void blocking_forget(struct client *c) {
	if (!c->blocked) return;
	/* A reply that is on its way finds nobody. */
	(void)retire(c->worker, c->blocked);
	let_go(c->worker, c);
}

void blocking__hand_reply(struct worker *w, struct blocked *b, struct slice reply) {
	struct client *c = b->client;
	if (!c) return;
	bool is_muted = b->is_muted;
	(void)retire(w, b);
	let_go(w, c);
	if (!is_muted) client_push(c, reply);
	worker_unblock_client(w, c);
}

int64_t blocking_expire(struct worker *w) {
	struct blocking_worker *bw = &w->blocking;
	if (bw->_left) tidy_up(w);
	if (bw->_kept) blocking__serve_kept(w);
	while (bw->_heap_count > 0 && bw->_heap[0]->deadline_ms <= w->monotonic_ms) {
		struct blocked *b = bw->_heap[0];
		bool in_time = !retire(w, b);
		heap_remove(bw, b);
		if (in_time) continue; /* its reply is on its way */
		struct buffer text = { 0 };
		struct reply r;
		reply_start(&r, &text, b->proto);
		b->timed_out(&r);
		blocking__hand_reply(w, b, buffer_slice(&text));
		buffer_release(&text);
	}
	int64_t next = bw->_heap_count > 0 ? bw->_heap[0]->deadline_ms : INT64_MAX;
	int64_t again = w->monotonic_ms + RETRY_MS;
	return (bw->_left || bw->_kept) && again < next ? again : next;
}

/* Under the world. False: it does not wait, or was served. */
static bool take_out(struct worker *w, struct blocked *b) {
	if (!b || atomic_load_explicit(&b->state, memory_order_relaxed) == DONE) return false;
	atomic_store_explicit(&b->state, DONE, memory_order_relaxed);
	dequeue_all(w, b);
	return true;
}

void blocking_abandon(struct worker *w, struct client *c) {
	(void)take_out(w, c->blocked);
}

bool blocking_unblock(struct worker *w, struct client *c, bool with_error) {
	struct blocked *b = c->blocked;
	if (!take_out(w, b)) return false;
	struct buffer text = { 0 };
	struct reply r;
	reply_start(&r, &text, b->proto);
	if (with_error)
		reply_error(&r, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
	else
		b->timed_out(&r);
	blocking__send_reply(w, b, &text);
	return true;
}

static void free_ready(struct ready_key *r) {
	while (r) {
		struct ready_key *next = r->next;
		mem_free(r);
		r = next;
	}
}

void blocking_worker_release(struct worker *w) {
	struct blocking_worker *b = &w->blocking;
	tidy_up(w);
	free_ready(b->_ready);
	free_ready(b->_kept);
	mem_free(b->_heap);
	*b = (struct blocking_worker){ 0 };
}
