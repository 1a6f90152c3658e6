/* The parts of blocking.h among themselves: blocking.c (beginning and end of a wait), blocking_queue.c (who waits for which key)
 * and blocking_serve.c (who gets what, and how the reply reaches its client). */
#ifndef TARN_SERVER_BLOCKING_PRIVATE_H
#define TARN_SERVER_BLOCKING_PRIVATE_H

#include "base/alloc.h"
#include "base/futex.h"
#include "server/blocking.h"
#include "server/server.h"

enum blocked_state { WAITING, CLAIMED, DONE };

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
	bool wants_the_end; /* of its keys, too: blocking_wait */
	bool is_muted;      /* CLIENT REPLY: its answer is dropped, as it would have been without the wait */
	bool is_left;       /* stands in the owner's `_left` */
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
	uint32_t shard;    /* constant */
	unsigned position; /* of the key among those it waits for, as its command names them; constant */
};

/* Who waits for one key. Under its gate. */
struct queue {
	struct waiter *first, *last;
	struct key key; /* the name lies behind */
	unsigned db;
	unsigned enders; /* waiters that want to know of the key's end */
	bool is_ready;   /* stands in a worker's list of ready keys */
	bool is_mixed;   /* some wait with another function than others */
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

/* ---- Queues; under the gate of the key ---- */

struct queue *blocking__find_queue(struct blocking_table *t, uint32_t shard, unsigned db, const struct key *key);
/* `x` has its constants. */
void blocking__enqueue(struct blocking_table *t, struct waiter *x, const struct key *key);
/* Nothing, if it was taken out before. */
void blocking__dequeue(struct blocking_table *t, struct waiter *x);

/* ---- Waiters ---- */

static inline void blocked__drop(struct blocked *b) {
	if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) mem_free(b);
}

/* Rule 2. False: somebody else has served it. */
static inline bool blocked__claim(struct blocked *b) {
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

static inline void blocked__unclaim(struct blocked *b, enum blocked_state state) {
	atomic_store_explicit(&b->state, state, memory_order_release);
}

/* The reply has come: on the owner, or in its place, holding no gate. */
void blocking__hand_reply(struct worker *w, struct blocked *b, struct slice reply);

/* ---- Serving ---- */

/* Keeps the reply, whose bytes it takes over, until the command in hand has ended: then blocking_hand_out. */
void blocking__send_reply(struct worker *w, struct blocked *b, struct buffer *reply);
/* What could not be served before. */
void blocking__serve_kept(struct worker *w);

#endif
