/* The gate: what a command holds while it runs. This, and nothing else of the store, knows about threads.
 *
 * Two mechanisms. A *shard lock* covers a slice of all key names, in every database. The *world* holds every member at a
 * command boundary.
 *
 *             member's life
 *   outside ──gate_inside──▶ inside ──gate_boundary──▶ inside (parks here while somebody has the world)
 *      ▲                        │
 *      └──────gate_outside──────┘
 *
 * Rules:
 *  1. A member touches the keyspace, or anything that "under the world" protects, only while it is inside.
 *  2. Inside, it passes a command boundary at least between any two commands and holds no shard there.
 *  3. Whoever has the world is alone inside. It needs no shard lock, and takes none.
 *  4. Shards are locked in ascending order, each once.
 *  5. What is written under the world may be read without any lock by every member while it is inside.
 *
 * The ordinary path pays one store to its own cache line per batch and one load per command for the world (the fence that
 * would pair them is on the side of the one who wants the world: membarrier(2), private expedited), and with a single
 * member nothing at all for the shards. */
#ifndef TARN_STORE_GATE_H
#define TARN_STORE_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/sanitize.h"

enum { GATE_MAX_MEMBERS = 256 };

struct gate_shard {
	struct lock lock;
} __attribute__((aligned(64)));

/* One thread that runs commands. Owned by that thread but for `inside`. */
struct gate_member {
	_Atomic uint32_t
		_inside; /* 1 between gate_inside and gate_outside; written by the owner, read by who wants the world */
	bool _has_world; /* owner only */
	struct gate *gate;
} __attribute__((aligned(64)));

struct gate {
	/* Read by every member at every boundary, written only by who takes or leaves the world. */
	_Atomic uint32_t _world_wanted __attribute__((aligned(64)));
	bool shared;          /* more than one thread may reach the keyspace; constant while members are inside */
	uint32_t shard_count; /* a power of two */
	struct gate_shard *shards;
	struct gate_member *_members[GATE_MAX_MEMBERS]; /* changed under the world mutex only */
	unsigned _member_count;
	/* Who wants or has the world, one after the other in the order of their coming. */
	_Atomic uint32_t _world_ticket __attribute__((aligned(64))); /* of the next to come */
	_Atomic uint32_t _world_turn;                                /* the ticket that is served */
	_Atomic uint32_t _parked;                                    /* members in gate_park */
	bool _light_fence;                                           /* membarrier works here */
};

void gate_init(struct gate *g, uint32_t shard_count);
void gate_release(struct gate *g);

/* A member joins outside, and may do so at any time: it waits for all others to reach a boundary. `shared` follows from the
 * number of members at the last joining. The caller is not inside as another member. */
void gate_join(struct gate *g, struct gate_member *m);
void gate_leave(struct gate_member *m);

void gate_park(struct gate_member *m);
void gate_outside(struct gate_member *m);

/* Enters; waits while somebody has the world. */
static inline void gate_inside(struct gate_member *m) {
	struct gate *g = m->gate;
#if TARN_TSAN /* knows no fences */
	atomic_store_explicit(&m->_inside, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&g->_world_wanted, memory_order_seq_cst)) gate_park(m);
#else
	atomic_store_explicit(&m->_inside, 1, memory_order_relaxed);
	/* The compiler must not turn the two around; the processor is kept from it by the membarrier of gate_take_world, or
	 * by the fence where there is none. */
	if (g->_light_fence)
		atomic_signal_fence(memory_order_seq_cst);
	else
		atomic_thread_fence(memory_order_seq_cst);
	/* Acquire pairs with the release in gate_drop_world: what was written under the world is seen. */
	if (__builtin_expect(atomic_load_explicit(&g->_world_wanted, memory_order_acquire) != 0, 0)) gate_park(m);
#endif
}

/* Between two commands. */
static inline void gate_boundary(struct gate_member *m) {
	if (__builtin_expect(atomic_load_explicit(&m->gate->_world_wanted, memory_order_acquire) != 0, 0)) gate_park(m);
}

static inline void gate_lock(struct gate *g, uint32_t shard) {
	if (g->shared) lock_take(&g->shards[shard].lock, LOCK_RANK_SHARD, shard);
}

static inline void gate_unlock(struct gate *g, uint32_t shard) {
	if (g->shared) lock_drop(&g->shards[shard].lock, LOCK_RANK_SHARD, shard);
}

/* Whether somebody holds the shard and goes on holding it for longer than ordinary commands do (tens of microseconds, for
 * which this waits). A hint for upkeep, which rather comes back later than stand behind a long command. */
bool gate_is_held_up(const struct gate *g, uint32_t shard);

/* One more shard, out of order, if that needs no waiting; see lock_try. True without a lock when there is one member. */
static inline bool gate_try_lock(struct gate *g, uint32_t shard) {
	return !g->shared || lock_try(&g->shards[shard].lock);
}

static inline void gate_unlock_tried(struct gate *g, uint32_t shard) {
	if (g->shared) lock_drop_tried(&g->shards[shard].lock);
}

/* Waits at a command boundary of its own for everybody else to reach one, and keeps them there. The caller is inside and
 * holds no shard; other worlds may pass before it gets its turn. Turns come in order, and between two of them whoever was
 * held up runs at least one command: a pipeline of commands that take the world slows the others down, and no more. */
void gate_take_world(struct gate_member *m);
void gate_drop_world(struct gate_member *m);

static inline bool gate_has_world(const struct gate_member *m) {
	return m->_has_world;
}

#endif
