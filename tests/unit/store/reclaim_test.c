/* reclaim: the order of jobs, several givers at once, and what drain promises. */
#include "../testing.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "store/reclaim.h"

enum { JOBS = 2000, GIVERS = 3 };

struct job {
	unsigned giver, number;
};

/* Only the helper thread writes these, and drain makes them seen. */
static unsigned next_of[GIVERS];
static bool in_order;
static pthread_t helper;

static void finish(void *what) {
	struct job *j = what;
	if (next_of[j->giver] != j->number) in_order = false;
	next_of[j->giver] = j->number + 1;
	helper = pthread_self();
	mem_free(j);
}

static void *give(void *number) {
	unsigned giver = (unsigned)(uintptr_t)number;
	for (unsigned i = 0; i < JOBS; i++) {
		struct job *j = mem_alloc(sizeof(*j));
		*j = (struct job){ giver, i };
		reclaim_later(finish, j);
	}
	return NULL;
}

static void test_order(void **state) {
	(void)state;
	for (unsigned round = testing_rounds(5); round > 0; round--) {
		pthread_t threads[GIVERS];
		size_t done = reclaim_done();
		in_order = true;
		for (unsigned i = 0; i < GIVERS; i++) next_of[i] = 0;
		for (uintptr_t i = 0; i < GIVERS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, give, (void *)i), 0);
		for (unsigned i = 0; i < GIVERS; i++) pthread_join(threads[i], NULL);
		reclaim_drain();
		assert_true(in_order);
		assert_int_equal(reclaim_done() - done, GIVERS * JOBS);
		assert_int_equal(reclaim_pending(), 0);
		assert_false(pthread_equal(helper, pthread_self()));
	}
}

static atomic_bool may_go, was_run;

static void wait_for_it(void *what) {
	(void)what;
	while (!atomic_load(&may_go)) sched_yield();
	atomic_store(&was_run, true);
}

/* The giver does not wait; whoever drains does. */
static void test_in_background(void **state) {
	(void)state;
	reclaim_later(wait_for_it, NULL);
	assert_int_equal(reclaim_pending(), 1);
	assert_false(atomic_load(&was_run));
	atomic_store(&may_go, true);
	reclaim_drain();
	assert_true(atomic_load(&was_run));
}

static void test_drain_of_nothing(void **state) {
	(void)state;
	reclaim_drain();
	assert_int_equal(reclaim_pending(), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drain_of_nothing),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_in_background),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
