/* Locks with ranks.
 *
 * A lock is one word: free, held, or held with someone asleep on it. Uncontended it costs one exchange each way; a thread
 * that finds it held spins for a moment, since most are held for less than a microsecond, and then sleeps on a futex.
 *
 * Debug builds check the order: a thread takes locks in ascending rank only, and equal ranks in ascending sub-order
 * (shards by their number). The ranks of all locks stand here and nowhere else. */
#ifndef TARN_BASE_LOCK_H
#define TARN_BASE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdbool.h>
#include <stdint.h>

enum lock_rank {
	LOCK_RANK_WORKER = 1, /* a worker's own, which its thread has whenever it is awake */
	LOCK_RANK_WORLD,
	LOCK_RANK_SHARD,
	LOCK_RANK_SCRIPT, /* the script mutex */
	LOCK_RANK_JOURNAL,
	LOCK_RANK_SERVER, /* small tables of the server: slow log, error statistics */
	LOCK_RANK_MAILBOX,
	LOCK_RANK_LEAF, /* under which nothing else is taken */
};

struct lock {
	_Atomic uint32_t _state;
};

void lock_wait_slow(struct lock *l);
void lock_wake_slow(struct lock *l);

#ifdef NDEBUG
#define lock_order_enter(rank, order) ((void)(rank), (void)(order))
#define lock_order_enter_any(rank, order) ((void)(rank), (void)(order))
#define lock_order_leave(rank, order) ((void)(rank), (void)(order))
#else
void lock_order_enter(enum lock_rank rank, uint32_t order);
/* Out of order: who does not wait for a lock cannot be part of a deadlock. */
void lock_order_enter_any(enum lock_rank rank, uint32_t order);
void lock_order_leave(enum lock_rank rank, uint32_t order);
#endif

static inline void lock_take(struct lock *l, enum lock_rank rank, uint32_t order) {
	lock_order_enter(rank, order);
	uint32_t free = 0;
	/* Acquire pairs with the release in lock_drop. */
	if (!atomic_compare_exchange_strong_explicit(&l->_state, &free, 1, memory_order_acquire, memory_order_relaxed))
		lock_wait_slow(l);
}

/* Takes it if that needs no waiting; then the order does not matter. */
__attribute__((warn_unused_result)) static inline bool lock_try(struct lock *l, enum lock_rank rank, uint32_t order) {
	uint32_t free = 0;
	if (!atomic_compare_exchange_strong_explicit(&l->_state, &free, 1, memory_order_acquire, memory_order_relaxed))
		return false;
	lock_order_enter_any(rank, order);
	return true;
}

/* Whether somebody has it at this moment; a hint, by the time that it is read. */
static inline bool lock_is_taken(const struct lock *l) {
	return atomic_load_explicit(&l->_state, memory_order_relaxed) != 0;
}

static inline void lock_drop(struct lock *l, enum lock_rank rank, uint32_t order) {
	lock_order_leave(rank, order);
	if (atomic_exchange_explicit(&l->_state, 0, memory_order_release) != 1) lock_wake_slow(l);
}

#endif
