/* blocking: clients that wait until a key has something for them.
 *
 * A blocked client stands in the queue of each of its keys, in the key's shard. Whoever changes such a key serves the
 * queue at the end of its own command or transaction, before it lets go of the gates: oldest first, by running the
 * waiter's command for it. The reply goes to the owner of the client, who sends it; while the owner sleeps, whoever has
 * served stands in for it.
 *
 *      WAITING ──claim──▶ CLAIMED ──served──▶ DONE
 *         ▲                  │
 *         └──nothing for it──┘
 *
 * Rules:
 *  1. A shard's queues are touched under that shard's gate, or under the world.
 *  2. A waiter with several keys may be found by several threads at once, each under the gate of another key. So serving
 *     begins with a claim, by an exchange of its state; who finds it claimed waits for the outcome, which takes no gate
 *     and so comes soon.
 *  3. Who holds the gates of all of a waiter's keys finds it WAITING or DONE, never CLAIMED. So does the owner when it
 *     takes a waiter out (time-out, disconnect). While a long run keeps one of the gates (store/gate.h, rule 6) it
 *     claims the waiter like anybody else, for good, and takes it out of the queues later.
 *  4. `client`, the heap of time-outs and the links between a waiter and its client are the owner's (or of who has its
 *     worker.awake).
 *  5. A command that moves to a second key (BLMOVE) needs its gate as well. It is tried for without waiting; when it is
 *     taken, the rest of the queue is served after the command, under both gates in their order. */
#ifndef TARN_SERVER_BLOCKING_H
#define TARN_SERVER_BLOCKING_H

#include <stdatomic.h>

#include "server/call.h"

struct blocked;
struct client;
struct held_gates;
struct ready_key;
struct table;
struct waiter;
struct worker;

/* Server-wide. */
struct blocking_table {
	/* Private. Relaxed: who changes a key has its gate from whoever began to wait for it, and so sees that one counted. */
	_Atomic size_t _waiters __attribute__((aligned(64)));
	_Atomic size_t _keys, _keys_wanted_to_end; /* that somebody waits for; relaxed, for INFO */
	struct table *_shards;                     /* of queues, by shard */
	uint32_t _shard_count;
};
void blocking_table_init(struct blocking_table *t, uint32_t shard_count);
void blocking_table_release(struct blocking_table *t); /* after the last client */

/* Of a worker; all zero at the start. Private. */
struct blocking_worker {
	struct ready_key *_ready, *_last_ready; /* changed keys that somebody waits for */
	struct served *_served, *_last_served;  /* replies that it has to hand out */
	struct blocked **_heap;                 /* by time-out */
	size_t _heap_count;                     /* read by others, relaxed */
	size_t _heap_cap;
	struct blocked *_left;          /* out of the wait, but still in a queue whose gate was not to be had */
	struct ready_key *_kept;        /* to be served when their gates are to be had */
	const struct waiter *_serving;  /* whom a serve function is running for */
	const struct held_gates *_held; /* and under which gates, if several of its keys were changed; else NULL */
	size_t count;                   /* blocked clients of this worker; read by others, relaxed */
};
void blocking_worker_release(struct worker *w);

/* What a script's run has made ready waits for its end: the lists are exchanged when it is suspended or goes on. */
struct blocking_ready {
	struct ready_key *_ready, *_last_ready;
};
void blocking_swap_ready(struct blocking_worker *b, struct blocking_ready *other);

/* ---- For handlers ---- */

enum blocking_outcome {
	BLOCKING_SERVED,  /* the reply is written, what was taken is committed */
	BLOCKING_NOT_YET, /* nothing for this waiter; there may be for others */
	BLOCKING_EMPTY,   /* nothing, also for all others that wait with the same function */
};

/* Tries to run the waiter's command on `key`, one of those it waits for. `c` has the waiter's arguments, protocol
 * and database; c->client is NULL and c->worker that of who changed the key. The gates of `key` and of the destination
 * are held, and of no other key but those that blocking_has_too names. Writes a reply only when it serves.
 * In blocking_serve_or_wait `c` is the command's own call. */
typedef enum blocking_outcome blocking_serve_fn(struct call *c, const struct key *key);
/* For a serve function that reads several keys: whether that key of its command was changed as well and may be read. */
bool blocking_has_too(const struct call *c, const struct key *key);
typedef void blocking_timeout_fn(struct reply *r); /* what a time-out answers */

struct blocking_wait {
	int64_t timeout_ms;            /* 0: for ever */
	unsigned first_key, key_count; /* arguments to wait for */
	unsigned destination;          /* argument whose gate serving needs, too; 0: none */
	blocking_serve_fn *serve;      /* NULL with no keys */
	bool wants_the_end;            /* it is also served when a key goes; counted for INFO */
	blocking_timeout_fn *timed_out;
};

/* The client waits: call this instead of writing a reply, when the command has found nothing, under its keys' gates.
 * Not when call_may_block says no: then the time-out's reply is due at once. */
void blocking_wait(struct call *c, const struct blocking_wait *wait);

/* Waits, or, where that is not allowed, gives the answer of the time-out at once. */
void blocking_wait_or_answer(struct call *c, const struct blocking_wait *wait);

/* Serves from the first of its keys that is there, or waits as above when none is. A key of another type than `type` is an
 * error, as in call_write_first. */
void blocking_serve_or_wait(struct call *c, enum value_type type, const struct blocking_wait *wait);

/* Reads a time-out in seconds, with a fraction. Errors as Redis says them: "timeout is not a float or out of range",
 * "timeout is negative". */
__attribute__((warn_unused_result)) bool blocking_read_timeout(struct call *c, unsigned arg, int64_t *timeout_ms);

/* False inside a transaction (and a script). */
bool call_may_block(const struct call *c);

/* ---- For the store's hooks ---- */

void blocking_key_changed(struct worker *w, struct blocking_table *t, unsigned db_index, const struct key *key);
static inline bool blocking_anybody(const struct blocking_table *t) {
	return __builtin_expect(atomic_load_explicit(&t->_waiters, memory_order_relaxed) > 0, 0);
}
/* All keys of that database may have changed. Under the world. */
void blocking_db_changed(struct worker *w, struct blocking_table *t, unsigned db_index);

/* How many keys are waited for, and how many of them by somebody who wants to know of their end. Any thread. */
static inline size_t blocking_keys(const struct blocking_table *t) {
	return atomic_load_explicit(&t->_keys, memory_order_relaxed);
}
static inline size_t blocking_keys_wanted_to_end(const struct blocking_table *t) {
	return atomic_load_explicit(&t->_keys_wanted_to_end, memory_order_relaxed);
}

/* ---- For the dispatcher ---- */

static inline bool blocking_has_ready(const struct blocking_worker *b) {
	return __builtin_expect(b->_ready != NULL, 0);
}
/* At the end of a command, under its gates, which cover the keys that it has changed. What needs another gate is left for
 * blocking_serve_later: AFTER_SERVE. */
struct held_gates {
	const uint32_t *shards; /* `count` of them */
	unsigned count;
	const uint64_t *bits; /* or, not NULL: a bit per shard */
};
void blocking_serve(struct worker *w, const struct held_gates *held);
/* Holding no gate. */
void blocking_serve_later(struct worker *w);
/* Hands the replies out, or sends them to the owners of their clients; behind what the changes that led to them have made
 * others tell (invalidations, messages), as in Redis. */
void blocking_hand_out(struct worker *w);

/* ---- For the owner ---- */

/* The client waits no more: it is about to go. */
void blocking_forget(struct client *c);
/* Answers those whose time is over. Returns when the next one's is, monotonic ms; INT64_MAX: never. */
int64_t blocking_expire(struct worker *w);

/* CLIENT KILL: nobody serves the client any more; the owner frees it later. Under the world. */
void blocking_abandon(struct worker *w, struct client *c);
/* CLIENT UNBLOCK: under the world. False when the client does not wait. */
bool blocking_unblock(struct worker *w, struct client *c, bool with_error);

#endif
