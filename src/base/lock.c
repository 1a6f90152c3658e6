#include "base/lock.h"

#include <assert.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/futex.h"

enum { STATE_FREE, STATE_HELD, STATE_AWAITED, SPINS = 200 };

void futex_wait(_Atomic uint32_t *word, uint32_t expected) {
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

void futex_wake(_Atomic uint32_t *word, int threads) {
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);
}

void lock_wait_slow(struct lock *l) {
	for (int i = 0; i < SPINS; i++) {
		uint32_t free = STATE_FREE;
		if (atomic_load_explicit(&l->_state, memory_order_relaxed) == STATE_FREE &&
			atomic_compare_exchange_strong_explicit(
				&l->_state, &free, STATE_HELD, memory_order_acquire, memory_order_relaxed))
			return;
		spin_pause();
	}
	/* From here on the state says AWAITED whenever we might sleep, so that whoever drops the lock wakes somebody. */
	while (atomic_exchange_explicit(&l->_state, STATE_AWAITED, memory_order_acquire) != STATE_FREE)
		futex_wait(&l->_state, STATE_AWAITED);
}

void lock_wake_slow(struct lock *l) {
	futex_wake(&l->_state, 1);
}

#ifndef NDEBUG

/* What this thread holds, in the order taken. A transaction may hold every shard; then only the newest matters, since the
 * ones below it are in order already. */
enum { HELD_MAX = 8192 };
static _Thread_local struct {
	enum lock_rank rank;
	uint32_t order;
} held[HELD_MAX];
static _Thread_local unsigned held_count;

void lock_order_enter(enum lock_rank rank, uint32_t order) {
	if (held_count > 0) {
		assert(held[held_count - 1].rank <= rank);
		assert(held[held_count - 1].rank != rank || held[held_count - 1].order < order);
	}
	lock_order_enter_any(rank, order);
}

void lock_order_enter_any(enum lock_rank rank, uint32_t order) {
	assert(held_count < HELD_MAX);
	held[held_count].rank = rank;
	held[held_count].order = order;
	held_count++;
}

void lock_order_leave(enum lock_rank rank, uint32_t order) {
	unsigned i = held_count;
	while (i > 0 && (held[i - 1].rank != rank || held[i - 1].order != order)) i--;
	assert(i > 0);
	for (; i < held_count; i++) held[i - 1] = held[i];
	held_count--;
}

#endif
