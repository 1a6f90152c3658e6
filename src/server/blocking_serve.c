/* Who gets what a changed key has, and how the reply reaches its client. */
#include "containers/table.h"
#include "server/blocking_private.h"

enum { STAND_INS = 4 /* when there is more to hand out, it pays to wake the owner up */ };

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
	struct queue *q = blocking__find_queue(t, store_shard_of(w->server->store, key->hash), db_index, key);
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
	blocking__hand_reply(owner, s->blocked, buffer_slice(&s->reply));
	blocked__drop(s->blocked);
	buffer_release(&s->reply);
	mem_free(s);
}

void blocking__send_reply(struct worker *w, struct blocked *b, struct buffer *reply) {
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
	if (outcome == BLOCKING_SERVED) blocking__send_reply(w, b, &text);
	buffer_release(&text);
	return outcome;
}

static bool is_held(const struct worker *w, const struct held_gates *held, uint32_t shard) {
	if (gate_has_world(&w->member) || !w->server->gate.shared) return true;
	if (held->bits) return held->bits[shard / 64] >> shard % 64 & 1;
	for (unsigned i = 0; i < held->count; i++)
		if (held->shards[i] == shard) return true;
	return false;
}

/* Whether the key has been changed and its gate is held. */
static bool is_at_hand(const struct worker *w, const struct waiter *x, const struct held_gates *held) {
	return is_held(w, held, x->shard) && x->queue && x->queue->is_ready;
}

/* The first of the client's keys at hand that its command names at `from` or later; `x` if none is before that one. */
static const struct waiter *first_named(
	struct worker *w, const struct waiter *x, const struct held_gates *held, unsigned from) {
	const struct blocked *b = x->blocked;
	const struct waiter *first = x;
	for (unsigned i = 0; i < b->waiter_count; i++) {
		const struct waiter *other = &b->waiters[i];
		if (other->position < from || other->position >= first->position) continue;
		if (is_at_hand(w, other, held)) first = other;
	}
	return first;
}

static bool has_name(const struct waiter *x, const struct key *key) {
	return x->queue->key.hash == key->hash && slice_equal(key_slice(&x->queue->key), key_slice(key));
}

bool blocking_has_too(const struct call *c, const struct key *key) {
	const struct blocking_worker *bw = &c->worker->blocking;
	if (has_name(bw->_serving, key)) return true;
	const struct blocked *b = bw->_serving->blocked;
	for (unsigned i = 0; bw->_held && i < b->waiter_count; i++) {
		const struct waiter *other = &b->waiters[i];
		if (is_at_hand(c->worker, other, bw->_held) && has_name(other, key)) return true;
	}
	return false;
}

static bool has_others(struct worker *w, const struct waiter *x, const struct held_gates *held) {
	const struct blocked *b = x->blocked;
	for (unsigned i = 0; b->waiter_count > 1 && i < b->waiter_count; i++)
		if (&b->waiters[i] != x && is_at_hand(w, &b->waiters[i], held)) return true;
	return false;
}

/* Serves the client that waits as `x` does. When several of its keys are there, it gets the one that its command names
 * first, as it would if it came now. */
static enum blocking_outcome run_for_waiter(struct worker *w, const struct waiter *x, const struct held_gates *held) {
	const struct waiter *first = x;
	bool others = has_others(w, x, held);
	w->blocking._serving = x;
	w->blocking._held = others ? held : NULL;
	for (unsigned from = 0; others; from = first->position + 1) {
		first = first_named(w, x, held, from);
		if (first == x) break;
		if (run_for(w, x->blocked, &first->queue->key) == BLOCKING_SERVED) return BLOCKING_SERVED;
	}
	return run_for(w, x->blocked, &x->queue->key);
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

/* Serves the queue of a key whose gate is among those held; `also`, too, if it is a shard. Returns NO_SHARD when all are served that can be,
 * else the shard whose gate is wanted for going on. */
static uint32_t serve_queue(struct worker *w, const struct ready_key *r, const struct held_gates *held, uint32_t also) {
	struct blocking_table *t = &w->server->blocking;
	uint32_t shard = store_shard_of(w->server->store, r->key.hash);
	struct queue *q = blocking__find_queue(t, shard, r->db, &r->key);
	if (!q) return NO_SHARD;
	q->is_ready = false;
	blocking_serve_fn *empty = NULL; /* this function has nothing for anybody any more */
	for (struct waiter *x = q->first, *next; x; x = next) {
		struct blocked *b = x->blocked;
		next = x->next;
		if (b->serve == empty) continue;
		struct second_gate second;
		if (!take_second(w, b, shard, also, &second)) return b->destination_shard;
		if (blocked__claim(b)) {
			enum blocking_outcome outcome = run_for_waiter(w, x, held);
			bool over = outcome == BLOCKING_EMPTY && !q->is_mixed;
			if (outcome == BLOCKING_EMPTY) empty = b->serve;
			/* Out of the queue first: the owner may free it as soon as it is done, if this is its only key. */
			bool last = outcome == BLOCKING_SERVED && next == NULL && x->prev == NULL;
			if (outcome == BLOCKING_SERVED) blocking__dequeue(t, x);
			blocked__unclaim(b, outcome == BLOCKING_SERVED ? DONE : WAITING);
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

void blocking_serve(struct worker *w, const struct held_gates *held) {
	struct blocking_worker *bw = &w->blocking;
	struct ready_key *later = NULL, **at = &later, *r;
	/* Serving may make other keys ready, which lie under the gates that are held or were taken for a moment. */
	while ((r = take_ready(bw)) != NULL) {
		uint32_t shard = store_shard_of(w->server->store, r->key.hash);
		if (is_held(w, held, shard) && serve_queue(w, r, held, NO_SHARD) == NO_SHARD) {
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
		also = serve_queue(w, r, &(struct held_gates){ pair, count, NULL }, held);
		gate_unlock_list(&w->member, pair, count);
	} while (also != NO_SHARD);
	return true;
}

/* Serves what can be; what is not to be had now is kept, and tried for again at the next upkeep. */
void blocking_serve_later(struct worker *w) {
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

void blocking__serve_kept(struct worker *w) {
	struct blocking_worker *bw = &w->blocking;
	while (bw->_kept) {
		struct ready_key *r = bw->_kept;
		bw->_kept = r->next;
		append_ready(bw, r);
	}
	blocking_serve_later(w);
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
