/* Locks: mutual exclusion with short and with long holds, no lost wake-up, and, in debug builds, the order. */
#include "../testing.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/futex.h"
#include "base/lock.h"

enum { THREADS = 4, LOCKS = 3 };

static struct lock locks[LOCKS];
static uint64_t counters[LOCKS]; /* each under its lock */
static unsigned steps, yield_percent;

static void *add_up(void *number) {
	random_seed_thread(testing_seed() + (uintptr_t)number);
	for (unsigned i = 0; i < steps; i++) {
		unsigned at = (unsigned)random_below(LOCKS);
		lock_take(&locks[at], LOCK_RANK_SHARD, at);
		uint64_t seen = counters[at];
		/* Long enough for the others to go to sleep. */
		if (random_below(100) < yield_percent)
			for (int n = 0; n < 20; n++) sched_yield();
		counters[at] = seen + 1;
		lock_drop(&locks[at], LOCK_RANK_SHARD, at);
	}
	return NULL;
}

static void run(unsigned how_often, unsigned percent) {
	pthread_t threads[THREADS];
	uint64_t sum = 0;
	steps = how_often;
	yield_percent = percent;
	for (unsigned i = 0; i < LOCKS; i++) counters[i] = 0;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_up, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < LOCKS; i++) {
		sum += counters[i];
		assert_int_equal(locks[i]._state, 0);
	}
	assert_int_equal(sum, (uint64_t)THREADS * how_often);
}

static void test_exclusion(void **state) {
	(void)state;
	testing_begin(1);
	run(testing_rounds(50000), 0);
	run(testing_rounds(2000), 20);
	run(testing_rounds(300), 100);
}

/* Two threads hand a turn to and fro by futex alone: a lost wake-up would stop them for good. */
static _Atomic uint32_t turn;

static void *other_side(void *rounds) {
	for (uintptr_t i = 0; i < (uintptr_t)rounds; i++) {
		while (atomic_load(&turn) != 1) futex_wait(&turn, 0);
		atomic_store(&turn, 0);
		futex_wake(&turn, 1);
	}
	return NULL;
}

static void test_futex(void **state) {
	pthread_t thread;
	uintptr_t rounds = testing_rounds(3000);
	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, other_side, (void *)rounds), 0);
	for (uintptr_t i = 0; i < rounds; i++) {
		atomic_store(&turn, 1);
		futex_wake(&turn, 1);
		while (atomic_load(&turn) != 0) futex_wait(&turn, 1);
	}
	pthread_join(thread, NULL);
}

#ifndef NDEBUG

struct step {
	enum lock_rank rank;
	uint32_t order;
};

/* Whether taking the locks in this order ends a child process. */
static bool is_refused(const struct step *list, unsigned count) {
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		static struct lock fresh[8];
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		for (unsigned i = 0; i < count; i++) lock_take(&fresh[i], list[i].rank, list[i].order);
		for (unsigned i = 0; i < count; i++) lock_drop(&fresh[i], list[i].rank, list[i].order);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

#define REFUSED(...)                                                                                                   \
	is_refused((const struct step[]){ __VA_ARGS__ },                                                               \
		sizeof((const struct step[]){ __VA_ARGS__ }) / sizeof(struct step))

static void test_order(void **state) {
	(void)state;
	assert_false(
		REFUSED({ LOCK_RANK_WORLD, 0 }, { LOCK_RANK_SHARD, 0 }, { LOCK_RANK_SHARD, 7 }, { LOCK_RANK_LEAF, 0 }));
	assert_true(REFUSED({ LOCK_RANK_SHARD, 1 }, { LOCK_RANK_SHARD, 0 }));
	assert_true(REFUSED({ LOCK_RANK_SHARD, 1 }, { LOCK_RANK_SHARD, 1 }));
	assert_true(REFUSED({ LOCK_RANK_LEAF, 0 }, { LOCK_RANK_SHARD, 5 }));
	assert_true(REFUSED({ LOCK_RANK_SHARD, 0 }, { LOCK_RANK_WORLD, 0 }));
}

#else

static void test_order(void **state) {
	(void)state; /* release builds do not look */
	lock_take(&locks[1], LOCK_RANK_SHARD, 1);
	lock_take(&locks[0], LOCK_RANK_SHARD, 0);
	lock_drop(&locks[1], LOCK_RANK_SHARD, 1);
	lock_drop(&locks[0], LOCK_RANK_SHARD, 0);
}

#endif

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exclusion),
		cmocka_unit_test(test_futex),
		cmocka_unit_test(test_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
