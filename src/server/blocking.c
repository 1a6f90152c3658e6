#include "server/blocking.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/futex.h"
#include "containers/table.h"
#include "server/server.h"
#include "server/transaction.h"

enum blocked_state { WAITING, CLAIMED, DONE };
enum {
	RETRY_MS = 2,  /* for gates that a long run keeps */
	STAND_INS = 4, /* when there is more to hand out, it pays to wake the owner up */
};

/* A client that waits. The owner and each reply on its way hold a reference. */
struct blocked {
	_Atomic uint32_t refs;
	_Atomic uint32_t state; /* enum blocked_state */
	struct worker *owner;
	struct client *client; /* the owner's; NULL when it is gone */
	const struct command *command;
	blocking_serve_fn *serve;
	blocking_timeout_fn *timed_out;
	int64_t deadline_ms; /* monotonic */
	size_t heap_at;      /* in the owner's heap; SIZE_MAX: not there */
	unsigned db;
	uint8_t proto;
	bool has_destination;
	bool is_muted; /* CLIENT REPLY: its answer is dropped, as it would have been without the wait */
	bool is_left;  /* stands in the owner's `_left` */
	struct blocked *next_left;
	uint32_t destination_shard;
	unsigned argc;
	struct slice *argv;
	unsigned waiter_count;
	struct waiter *waiters; /* one per key */
};

/* A blocked client in the queue of one key. Under the gate of that key. */
struct waiter {
	struct blocked *blocked;
	struct queue *queue; /* NULL: taken out */
	struct waiter *next, *prev;
	uint32_t shard; /* constant */
};

/* Who waits for one key. Under its gate. */
struct queue {
	struct waiter *first, *last;
	struct key key; /* the name lies behind */
	unsigned db;
	bool is_ready; /* stands in a worker's list of ready keys */
	bool is_mixed; /* some wait with another function than others */
	char name[];
};

/* A key that was changed and that somebody waits for. */
struct ready_key {
	struct ready_key *next;
	struct key key;
	unsigned db;
	char name[];
};

/* A reply on its way to the client's owner. */
struct served {
	struct message message;
	struct served *next;
	struct blocked *blocked;
	struct buffer reply;
};

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
	if (seconds < 0) {
		reply_error(c->reply, "ERR timeout is negative");
		return false;
	}
	if (seconds * 1000 > (long double)(INT64_MAX / 2)) {
		reply_error(c->reply, "ERR timeout is out of range");
		return false;
	}
	*timeout_ms = (int64_t)ceill(seconds * 1000);
	return true;
}

/* ---- Queues ---- */

void blocking_table_init(struct blocking_table *t, uint32_t shard_count) {
	atomic_init(&t->_waiters, 0);
	t->_shards = mem_calloc(shard_count * sizeof(t->_shards[0]));
	t->_shard_count = shard_count;
}

void blocking_table_release(struct blocking_table *t) {
	for (uint32_t i = 0; t->_shards && i < t->_shard_count; i++) table_release(&t->_shards[i]);
	mem_free(t->_shards);
	t->_shards = NULL;
}

struct queue_name {
	const struct key *key;
	unsigned db;
};

static bool queue_has_name(const void *item, const void *name) {
	const struct queue *q = item;
	const struct queue_name *n = name;
	return q->db == n->db && slice_equal(key_slice(&q->key), key_slice(n->key));
}

static uint64_t queue_hash(const void *item) {
	return ((const struct queue *)item)->key.hash;
}

static struct table_place place_of(struct blocking_table *t, uint32_t shard, unsigned db, const struct key *key) {
	struct queue_name name = { key, db };
	return table_find(&t->_shards[shard], key->hash, queue_has_name, &name);
}

static struct queue *find_queue(struct blocking_table *t, uint32_t shard, unsigned db, const struct key *key) {
	struct table_place place = place_of(t, shard, db, key);
	return place.bucket ? table_item_at(place) : NULL;
}

static struct queue *make_queue(struct blocking_table *t, uint32_t shard, unsigned db, const struct key *key) {
	struct queue *q = mem_alloc(sizeof(*q) + key->len);
	*q = (struct queue){ .key = { q->name, key->len, key->hash }, .db = db };
	if (key->len) memcpy(q->name, key->ptr, key->len);
	table_insert(&t->_shards[shard], key->hash, q, queue_hash);
	return q;
}

static void enqueue(
	struct blocking_table *t, struct waiter *x, struct blocked *b, const struct key *key, uint32_t shard) {
	struct queue *q = find_queue(t, shard, b->db, key);
	if (!q) q = make_queue(t, shard, b->db, key);
	if (q->first && q->first->blocked->serve != b->serve) q->is_mixed = true;
	*x = (struct waiter){ b, q, NULL, q->last, shard };
	if (q->last)
		q->last->next = x;
	else
		q->first = x;
	q->last = x;
	atomic_fetch_add_explicit(&t->_waiters, 1, memory_order_relaxed);
}

static void dequeue(struct blocking_table *t, struct waiter *x) {
	struct queue *q = x->queue;
	if (!q) return;
	*(x->prev ? &x->prev->next : &q->first) = x->next;
	*(x->next ? &x->next->prev : &q->last) = x->prev;
	x->queue = NULL;
	atomic_fetch_sub_explicit(&t->_waiters, 1, memory_order_relaxed);
	if (q->first) return;
	table_remove(&t->_shards[x->shard], place_of(t, x->shard, q->db, &q->key));
	mem_free(q);
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

static void send_reply(struct worker *w, struct blocked *b, struct buffer *reply);

static void drop(struct blocked *b) {
	if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) mem_free(b);
}

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
};

static int compare_wanted(const void *a, const void *b) {
	const struct wanted_key *x = a, *y = b;
	if (x->shard != y->shard) return x->shard < y->shard ? -1 : 1;
	return x->key.hash < y->key.hash ? -1 : x->key.hash > y->key.hash;
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
		keys[i] = (struct wanted_key){ key, store_shard_of(s->store, key.hash) };
	}
	if (wait->key_count > 1) qsort(keys, wait->key_count, sizeof(keys[0]), compare_wanted);
	for (unsigned i = 0; i < wait->key_count; i++) {
		if (comes_again(keys, i)) continue;
		enqueue(&s->blocking, &b->waiters[b->waiter_count++], b, &keys[i].key, keys[i].shard);
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

/* Takes the client out of all queues, whose gates are held. */
static void dequeue_all(struct worker *w, struct blocked *b) {
	for (unsigned i = 0; i < b->waiter_count; i++) dequeue(&w->server->blocking, &b->waiters[i]);
}

/* The client waits no more. On the owner, with the queues left behind. */
static void let_go(struct worker *w, struct client *c) {
	struct blocked *b = c->blocked;
	heap_remove(&w->blocking, b);
	b->client = NULL;
	c->blocked = NULL;
	c->flags &= ~(uint32_t)CLIENT_BLOCKED;
	STAT_ADD(w->blocking.count, (size_t)-1);
	drop(b);
}

/* Rule 2. False: somebody else has served it. */
static bool claim(struct blocked *b) {
	for (;;) {
		uint32_t state = WAITING;
		/* Acquire pairs with the release in unclaim: what the last one who tried has changed is seen. */
		if (atomic_compare_exchange_weak_explicit(
			    &b->state, &state, CLAIMED, memory_order_acquire, memory_order_relaxed))
			return true;
		if (state == DONE) return false;
		spin_pause();
	}
}

static void unclaim(struct blocked *b, enum blocked_state state) {
	atomic_store_explicit(&b->state, state, memory_order_release);
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
	bool waited = claim(b);
	if (waited) unclaim(b, DONE);
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
		drop(b);
	}
}

void blocking_forget(struct client *c) {
	if (!c->blocked) return;
	/* A reply that is on its way finds nobody. */
	(void)retire(c->worker, c->blocked);
	let_go(c->worker, c);
}

/* The reply has come: on the owner, holding no gate. */
static void hand_reply(struct worker *w, struct blocked *b, struct slice reply) {
	struct client *c = b->client;
	if (!c) return;
	bool is_muted = b->is_muted;
	(void)retire(w, b);
	let_go(w, c);
	if (!is_muted) client_push(c, reply);
	worker_unblock_client(w, c);
}

static void serve_kept(struct worker *w);

int64_t blocking_expire(struct worker *w) {
	struct blocking_worker *bw = &w->blocking;
	if (bw->_left) tidy_up(w);
	if (bw->_kept) serve_kept(w);
	while (bw->_heap_count > 0 && bw->_heap[0]->deadline_ms <= w->monotonic_ms) {
		struct blocked *b = bw->_heap[0];
		bool in_time = !retire(w, b);
		heap_remove(bw, b);
		if (in_time) continue; /* its reply is on its way */
		struct buffer text = { 0 };
		struct reply r;
		reply_start(&r, &text, b->proto);
		b->timed_out(&r);
		hand_reply(w, b, buffer_slice(&text));
		buffer_release(&text);
	}
	int64_t next = bw->_heap_count > 0 ? bw->_heap[0]->deadline_ms : INT64_MAX;
	int64_t again = w->monotonic_ms + RETRY_MS;
	return (bw->_left || bw->_kept) && again < next ? again : next;
}

bool blocking_unblock(struct worker *w, struct client *c, bool with_error) {
	struct blocked *b = c->blocked;
	if (!b || atomic_load_explicit(&b->state, memory_order_relaxed) == DONE) return false;
	atomic_store_explicit(&b->state, DONE, memory_order_relaxed);
	dequeue_all(w, b);
	struct buffer text = { 0 };
	struct reply r;
	reply_start(&r, &text, b->proto);
	if (with_error)
		reply_error(&r, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
	else
		b->timed_out(&r);
	send_reply(w, b, &text);
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

/* ---- Who has to be served ---- */

static void append_ready(struct blocking_worker *bw, struct ready_key *r) {
	r->next = NULL;
	if (bw->_last_ready)
		bw->_last_ready->next = r;
	else
		bw->_ready = r;
	bw->_last_ready = r;
}

static void add_ready(struct worker *w, struct queue *q) {
	struct blocking_worker *bw = &w->blocking;
	if (q->is_ready) return;
	q->is_ready = true;
	struct ready_key *r = mem_alloc(sizeof(*r) + q->key.len);
	*r = (struct ready_key){ NULL, { r->name, q->key.len, q->key.hash }, q->db };
	if (q->key.len) memcpy(r->name, q->key.ptr, q->key.len);
	append_ready(bw, r);
	w->after |= AFTER_SERVE;
}

void blocking_key_changed(struct worker *w, struct blocking_table *t, unsigned db_index, const struct key *key) {
	struct queue *q = find_queue(t, store_shard_of(w->server->store, key->hash), db_index, key);
	if (q) add_ready(w, q);
}

struct changed_db {
	struct worker *worker;
	unsigned db;
};

static void add_of_db(void *context, void *item) {
	const struct changed_db *changed = context;
	struct queue *q = item;
	if (q->db == changed->db) add_ready(changed->worker, q);
}

void blocking_db_changed(struct worker *w, struct blocking_table *t, unsigned db_index) {
	struct changed_db changed = { w, db_index };
	if (!blocking_anybody(t)) return;
	for (uint32_t shard = 0; shard < t->_shard_count; shard++) table_each(&t->_shards[shard], add_of_db, &changed);
}

/* ---- Serving ---- */

static void take_reply(struct worker *owner, struct message *m) {
	struct served *s = (struct served *)m;
	hand_reply(owner, s->blocked, buffer_slice(&s->reply));
	drop(s->blocked);
	buffer_release(&s->reply);
	mem_free(s);
}

static void send_reply(struct worker *w, struct blocked *b, struct buffer *reply) {
	struct served *s = mem_alloc(sizeof(*s));
	*s = (struct served){ .message = { NULL, take_reply }, .blocked = b, .reply = *reply };
	*reply = (struct buffer){ 0 };
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	struct blocking_worker *bw = &w->blocking;
	if (bw->_last_served)
		bw->_last_served->next = s;
	else
		bw->_served = s;
	bw->_last_served = s;
	w->after |= AFTER_SERVE;
}

static enum blocking_outcome run_for(struct worker *w, struct blocked *b, const struct key *key) {
	struct buffer text = { 0 };
	struct reply r;
	reply_start(&r, &text, b->proto);
	struct view v = worker_view(w, b->db);
	if (gate_has_world(&w->member)) v.flags |= VIEW_HAS_WORLD;
	struct call call = {
		.command = b->command, .argc = b->argc, .argv = b->argv, .reply = &r, .view = &v, .worker = w
	};
	enum blocking_outcome outcome = b->serve(&call, key);
	if (v.earliest_ms < w->next_expiry_ms) w->next_expiry_ms = v.earliest_ms;
	if (outcome == BLOCKING_SERVED) send_reply(w, b, &text);
	buffer_release(&text);
	return outcome;
}

enum { NO_SHARD = UINT32_MAX };

/* The gate of the second key, when it has one: held already, or taken without waiting. */
struct second_gate {
	uint32_t shard;
	bool taken;
};

static bool take_second(
	struct worker *w, const struct blocked *b, uint32_t held, uint32_t also, struct second_gate *g) {
	*g = (struct second_gate){ b->destination_shard, false };
	if (!b->has_destination || g->shard == held || g->shard == also || gate_has_world(&w->member)) return true;
	return g->taken = gate_try_lock(&w->member, g->shard);
}

static void drop_second(struct worker *w, const struct second_gate *g) {
	if (g->taken) gate_unlock(&w->member, g->shard);
}

/* Serves the queue of a key whose shard is held, `also` too if it is one. Returns NO_SHARD when all are served that can be,
 * else the shard whose gate is wanted for going on. */
static uint32_t serve_queue(struct worker *w, const struct ready_key *r, uint32_t also) {
	struct blocking_table *t = &w->server->blocking;
	uint32_t shard = store_shard_of(w->server->store, r->key.hash);
	struct queue *q = find_queue(t, shard, r->db, &r->key);
	if (!q) return NO_SHARD;
	q->is_ready = false;
	blocking_serve_fn *empty = NULL; /* this function has nothing for anybody any more */
	for (struct waiter *x = q->first, *next; x; x = next) {
		struct blocked *b = x->blocked;
		next = x->next;
		if (b->serve == empty) continue;
		struct second_gate second;
		if (!take_second(w, b, shard, also, &second)) return b->destination_shard;
		if (claim(b)) {
			enum blocking_outcome outcome = run_for(w, b, &r->key);
			bool over = outcome == BLOCKING_EMPTY && !q->is_mixed;
			if (outcome == BLOCKING_EMPTY) empty = b->serve;
			/* Out of the queue first: the owner may free it as soon as it is done, if this is its only key. */
			bool last = outcome == BLOCKING_SERVED && next == NULL && x->prev == NULL;
			if (outcome == BLOCKING_SERVED) dequeue(t, x);
			unclaim(b, outcome == BLOCKING_SERVED ? DONE : WAITING);
			drop_second(w, &second);
			if (last || over) return NO_SHARD; /* the queue is gone, or nobody in it can be served */
		} else {
			drop_second(w, &second);
		}
	}
	return NO_SHARD;
}

static struct ready_key *take_ready(struct blocking_worker *bw) {
	struct ready_key *r = bw->_ready;
	if (!r) return NULL;
	bw->_ready = r->next;
	if (!r->next) bw->_last_ready = NULL;
	r->next = NULL;
	return r;
}

static bool is_held(const struct worker *w, const struct held_gates *held, uint32_t shard) {
	if (gate_has_world(&w->member) || !w->server->gate.shared) return true;
	if (held->bits) return held->bits[shard / 64] >> shard % 64 & 1;
	for (unsigned i = 0; i < held->count; i++)
		if (held->shards[i] == shard) return true;
	return false;
}

void blocking_serve(struct worker *w, const struct held_gates *held) {
	struct blocking_worker *bw = &w->blocking;
	struct ready_key *later = NULL, **at = &later, *r;
	/* Serving may make other keys ready, which lie under the gates that are held or were taken for a moment. */
	while ((r = take_ready(bw)) != NULL) {
		uint32_t shard = store_shard_of(w->server->store, r->key.hash);
		if (is_held(w, held, shard) && serve_queue(w, r, NO_SHARD) == NO_SHARD) {
			mem_free(r);
			continue;
		}
		*at = r;
		at = &r->next;
	}
	bw->_ready = later;
	bw->_last_ready = NULL;
	for (r = later; r; r = r->next) bw->_last_ready = r;
	/* What a long run has changed was announced when that happened, turns ago. */
	if (later) w->after |= AFTER_SERVE;
}

/* One shard, or two in their order. */
static unsigned make_pair(uint32_t pair[static 2], uint32_t a, uint32_t b) {
	pair[0] = a < b ? a : b;
	pair[1] = a < b ? b : a;
	return b == NO_SHARD ? 1 : 2;
}

/* False: a gate is not to be had. */
static bool serve_ready_key(struct worker *w, const struct ready_key *r) {
	uint32_t shard = store_shard_of(w->server->store, r->key.hash), also = NO_SHARD;
	do {
		uint32_t held = also, pair[2];
		unsigned count = make_pair(pair, shard, held);
		if (!gate_lock_list(&w->member, pair, count)) return false;
		also = serve_queue(w, r, held);
		gate_unlock_list(&w->member, pair, count);
	} while (also != NO_SHARD);
	return true;
}

/* Serves what can be; what is not to be had now is kept, and tried for again at the next upkeep. */
static void serve_all_ready(struct worker *w) {
	struct blocking_worker *bw = &w->blocking;
	struct ready_key *r;
	while ((r = take_ready(bw)) != NULL) {
		if (serve_ready_key(w, r)) {
			mem_free(r);
			continue;
		}
		r->next = bw->_kept;
		bw->_kept = r;
	}
}

static void serve_kept(struct worker *w) {
	struct blocking_worker *bw = &w->blocking;
	while (bw->_kept) {
		struct ready_key *r = bw->_kept;
		bw->_kept = r->next;
		append_ready(bw, r);
	}
	serve_all_ready(w);
	if (bw->_served) w->after |= AFTER_SERVE;
}

/* Our own clients get it without the way through the poller, and so do those of a worker that sleeps: to wake it up would
 * take longer than all the rest. */
static void deliver(struct worker *w, struct served *s, unsigned *stand_ins) {
	struct worker *owner = s->blocked->owner;
	if (owner == w) {
		take_reply(w, &s->message);
	} else if (*stand_ins < STAND_INS && worker_stand_in(w, owner)) {
		++*stand_ins;
		take_reply(owner, &s->message);
		worker_stand_back(owner);
	} else {
		worker_post(owner, &s->message);
	}
}

void blocking_serve_later(struct worker *w) {
	serve_all_ready(w);
}

void blocking_hand_out(struct worker *w) {
	struct blocking_worker *bw = &w->blocking;
	unsigned stand_ins = 0;
	while (bw->_served) {
		struct served *s = bw->_served;
		bw->_served = s->next;
		if (!s->next) bw->_last_served = NULL;
		deliver(w, s, &stand_ins);
	}
}

void blocking_swap_ready(struct blocking_worker *b, struct blocking_ready *other) {
	struct blocking_ready mine = { b->_ready, b->_last_ready };
	b->_ready = other->_ready;
	b->_last_ready = other->_last_ready;
	*other = mine;
}
