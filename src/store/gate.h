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
 *  2. Inside, it passes a command boundary at least between any two commands and holds no shard there, but those of a run
 *     that it has suspended (rule 7).
 *  3. Whoever has the world is alone inside. It needs no shard lock, and takes none.
 *  4. Shards are locked in ascending order, each once; out of order only if that needs no waiting.
 *  5. What is written under the world may be read without any lock by every member while it is inside.
 *
 * Most commands are over in microseconds, and whoever needs what they hold waits. A script may take seconds, and it may
 * want more than it began with. Hence:
 *
 *  6. Taking a gate may fail. A shard can be *claimed*: its holder will keep it for long, or wants to become the only one.
 *     Who finds a shard claimed, also while it waits for it, gets false: it lets go of everything that it has collected,
 *     passes a boundary, and tries again or puts its command off. It has changed nothing yet, so that is always possible.
 *  7. A run that lasts is *suspended* between its slices (gate_suspend): it claims what it holds, its member goes on with
 *     other commands, beside it: those get shards that are free and nothing else, and nobody gets the world.
 *  8. The script mutex is one more lock, behind all shards. Who writes from within a script has it, so one at most. Who
 *     has it may be *lifted* (gate_lift): it gets the world while it holds shards. All others can make room: they finish
 *     what they do, or have written nothing and let go (rule 6; a suspended run too).
 *  9. A suspended run that has the world lets the parked members go on *limited*, so that they can answer their clients:
 *     every gate is refused to them. They leave that state at their next boundary after the run, and who then wants the
 *     world waits for them like for those inside. For what is theirs in that state as well, and under the world else (the
 *     clients), the run calls them back (gate_recall).
 *
 * The ordinary path pays one store to its own cache line per batch and one load per command for the world (the fence that
 * would pair them is on the side of the one who wants the world: membarrier(2), private expedited), and with a single
 * member nothing at all for the shards. */
#ifndef TARN_STORE_GATE_H
#define TARN_STORE_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/sanitize.h"

enum { GATE_MAX_MEMBERS = 256 };

struct gate_shard {
	struct lock lock;
} __attribute__((aligned(64)));

/* One thread that runs commands. Owned by that thread but for `_inside`. */
struct gate_member {
	_Atomic uint32_t _inside; /* enum gate_presence; written by the owner, read by who wants the world */
	bool _has_world;          /* owner only, as all that follows */
	bool _limited;            /* rule 9 */
	bool refused; /* a walk did not get a shard, and stopped there; whoever ordered it looks and resets */
	const uint64_t
		*_reserved;     /* what a suspended run of its own holds, or everything when limited; NULL: nothing */
	_Atomic uint32_t _turn; /* enum gate_turn: while it waits for the world; written by who hands that on */
	struct gate *gate;
} __attribute__((aligned(64)));

enum gate_presence { GATE_OUTSIDE, GATE_INSIDE, GATE_INSIDE_FOR_LONG /* with a suspended run */, GATE_LIMITED };

struct gate {
	/* Read by every member at every boundary, written only by who takes or leaves the world. The number of wishes, and
	 * enum gate_world. */
	_Atomic uint32_t _world_wanted __attribute__((aligned(64)));
	bool shared;          /* more than one thread may reach the keyspace; constant while members are inside */
	uint32_t shard_count; /* a power of two */
	uint32_t words;       /* of a set of gates: a bit per shard, and one for the script mutex behind them */
	struct gate_shard *shards;
	uint64_t *_everything;                          /* such a set */
	struct gate_member *_members[GATE_MAX_MEMBERS]; /* changed by who has its turn for the world */
	unsigned _member_count;
	/* Who wants or has the world, in the order of their coming; the first has its turn. Under the lock. */
	struct lock _queue_lock __attribute__((aligned(64)));
	struct gate_member *_queue[GATE_MAX_MEMBERS + 1];
	unsigned _queue_length;
	bool _queue_closed;       /* who has its turn has the world, and a suspended run */
	_Atomic uint32_t _parked; /* members in gate_park */
	bool _light_fence;        /* membarrier works here */
};

enum gate_world {
	GATE_WORLD_LIFTING = 1 << 30,  /* the holder of the script mutex wants it: suspended runs let go */
	GATE_WORLD_FOR_LONG = 1 << 29, /* who has it has suspended its run */
};

void gate_init(struct gate *g, uint32_t shard_count);
void gate_release(struct gate *g);

/* The script mutex, as a number of a shard. */
static inline uint32_t gate_script_mutex(const struct gate *g) {
	return g->shard_count;
}

/* A member joins outside, and may do so at any time: it waits for all others to reach a boundary. `shared` follows from the
 * number of members at the last joining. The caller is not inside as another member. */
void gate_join(struct gate *g, struct gate_member *m);
void gate_leave(struct gate_member *m);

void gate_park(struct gate_member *m);
void gate_outside(struct gate_member *m);

/* Enters; waits while somebody has the world. */
static inline void gate_inside(struct gate_member *m) {
	struct gate *g = m->gate;
	if (__builtin_expect(m->_reserved != NULL, 0)) {
		gate_park(m);
		return;
	}
#if TARN_TSAN /* knows no fences */
	atomic_store_explicit(&m->_inside, GATE_INSIDE, memory_order_seq_cst);
	if (atomic_load_explicit(&g->_world_wanted, memory_order_seq_cst)) gate_park(m);
#else
	atomic_store_explicit(&m->_inside, GATE_INSIDE, memory_order_relaxed);
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
	if (__builtin_expect(
		    atomic_load_explicit(&m->gate->_world_wanted, memory_order_acquire) != 0 || m->_limited, 0))
		gate_park(m);
}

/* Whether somebody wants the world, so that the next boundary will take a while. */
static inline bool gate_is_wanted(const struct gate_member *m) {
	return atomic_load_explicit(&m->gate->_world_wanted, memory_order_relaxed) != 0;
}

/* After a gate was refused, holding none: lets the one pass who wants the world. True: that was it, and it is worth trying
 * again at once. False: a long run has the gate. */
bool gate_make_room(struct gate_member *m);

/* Rule 9: while others have the right to call it inside, it must not touch the keyspace. */
static inline bool gate_is_limited(const struct gate_member *m) {
	return m->_limited;
}

/* ---- Shards ---- */

bool gate__lock_slow(struct gate *g, uint32_t shard);
bool gate__lock_beside(struct gate_member *m, uint32_t shard);

/* Whether this member needs no lock for any shard. */
static inline bool gate_is_open(const struct gate_member *m) {
	return !m->gate->shared && __builtin_expect(m->_reserved == NULL, 1);
}

/* Takes the lock, waiting as long as ordinary commands last. False: not to be had (rule 6), and nothing was taken. */
__attribute__((warn_unused_result)) static inline bool gate_lock(struct gate_member *m, uint32_t shard) {
	struct gate *g = m->gate;
	if (__builtin_expect(m->_reserved != NULL, 0)) return gate__lock_beside(m, shard);
	if (!g->shared) return true;
	struct lock *l = &g->shards[shard].lock;
	lock_order_enter(LOCK_RANK_SHARD, shard);
	uint32_t free = 0;
	if (__builtin_expect(atomic_compare_exchange_strong_explicit(
				     &l->_state, &free, 1, memory_order_acquire, memory_order_relaxed),
		    1))
		return true;
	return gate__lock_slow(g, shard);
}

static inline void gate_unlock(struct gate_member *m, uint32_t shard) {
	if (m->gate->shared) lock_drop(&m->gate->shards[shard].lock, LOCK_RANK_SHARD, shard);
}

/* Several: `shards` ascends, each once. All or none. */
__attribute__((warn_unused_result)) bool gate_lock_list(struct gate_member *m, const uint32_t *shards, unsigned count);
void gate_unlock_list(struct gate_member *m, const uint32_t *shards, unsigned count);
/* The same for a set of gate.words words, which may hold the script mutex. */
__attribute__((warn_unused_result)) bool gate_lock_set(struct gate_member *m, const uint64_t *set);
void gate_unlock_set(struct gate_member *m, const uint64_t *set);

static inline void gate_set_add(uint64_t *set, uint32_t shard) {
	set[shard / 64] |= 1ULL << shard % 64;
}

static inline bool gate_set_has(const uint64_t *set, uint32_t shard) {
	return set[shard / 64] >> shard % 64 & 1;
}

/* Whether somebody holds the shard and goes on holding it for longer than ordinary commands do (tens of microseconds, for
 * which this waits). A hint for upkeep, which rather comes back later than stand behind a long command. */
bool gate_is_held_up(const struct gate *g, uint32_t shard);

/* One more shard, out of order, if that needs no waiting. True without a lock when there is one member. */
__attribute__((warn_unused_result)) bool gate_try_lock(struct gate_member *m, uint32_t shard);
/* The same, but it looks for some microseconds. Also the script mutex. */
__attribute__((warn_unused_result)) bool gate_try_lock_hard(struct gate_member *m, uint32_t shard);

/* ---- The world ---- */

/* Waits at a command boundary of its own for everybody else to reach one, and keeps them there. The caller is inside and
 * holds no shard; other worlds may pass before it gets its turn. Turns come in order, and between two of them whoever was
 * held up runs at least one command: a pipeline of commands that take the world slows the others down, and no more.
 * False: not to be had, since a run is suspended somewhere (rule 7). */
__attribute__((warn_unused_result)) bool gate_take_world(struct gate_member *m);
void gate_drop_world(struct gate_member *m);

static inline bool gate_has_world(const struct gate_member *m) {
	return m->_has_world;
}

/* ---- Runs that last ---- */

/* The run of this member, which holds the gates of `set` (or has the world), will be continued later. Claims them. The
 * member goes on beside it; what it gets then it gives back before the run goes on. `set` stays valid and grows only by
 * gate_claim. */
void gate_suspend(struct gate_member *m, const uint64_t *set);
/* A shard that the run has got since. */
void gate_claim(struct gate_member *m, uint32_t shard);
/* A run that was suspended and has the world: parks the limited members until gate_limit, so that it is alone once more.
 * False: nobody is limited. The caller does not wait for others meanwhile, and is not suspended. */
__attribute__((warn_unused_result)) bool gate_recall(struct gate_member *m);
void gate_limit(struct gate_member *m);
/* The run is about to let go of what it holds. */
void gate_end_suspension(struct gate_member *m);

/* Whether a run that has no script mutex should let go, because another is being lifted. */
static inline bool gate_is_lifting(const struct gate_member *m) {
	return (atomic_load_explicit(&m->gate->_world_wanted, memory_order_relaxed) & GATE_WORLD_LIFTING) != 0 &&
	       !m->_has_world;
}

/* The world for the holder of the script mutex, which keeps the gates of `set` meanwhile. Waits for the others. */
void gate_lift(struct gate_member *m, const uint64_t *set);
/* Gives the world back, not the gates. */
void gate_unlift(struct gate_member *m);

#endif
