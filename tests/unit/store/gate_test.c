/* gate: threads that run commands under shards and under the world. Every invariant is kept in plain variables, so that a
 * gate that lets two in at once is found by a wrong sum, and by ThreadSanitizer. */
#include "../testing.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/futex.h"
#include "store/gate.h"

enum { SHARDS = 8, THREADS = 4, PER_COMMAND = 3 };

static struct gate gate;

/* Under the gate of the shard. */
static struct {
	int64_t value;
	uint64_t moves;
} cells[SHARDS];

/* Written under the world, read by everybody inside. */
static struct { uint64_t first, second; /* always equal */ } announced;

static atomic_uint violations;
static atomic_bool stop;
static atomic_ulong commands, worlds;

struct runner {
	struct gate_member member;
	unsigned number;
	unsigned steps; /* 0: until stop */
	unsigned world_percent, outside_percent;
	pthread_t thread;
};

static void expect(bool holds) {
	if (!holds) atomic_fetch_add(&violations, 1);
}

static void look_at_announced(void) {
	expect(announced.first == announced.second);
}

/* Moves an amount between two of a few shards; the sum over all stays zero. */
static void run_command(void) {
	uint32_t shards[PER_COMMAND];
	unsigned count = 0;
	for (uint32_t i = 0; i < SHARDS && count < PER_COMMAND; i++)
		if (random_below(SHARDS) < PER_COMMAND) shards[count++] = i;
	for (unsigned i = 0; i < count; i++) gate_lock(&gate, shards[i]);
	look_at_announced();
	if (count >= 2) {
		int64_t amount = (int64_t)random_below(100);
		cells[shards[0]].value -= amount;
		cells[shards[count - 1]].value += amount;
	}
	for (unsigned i = 0; i < count; i++) cells[shards[i]].moves++;
	if (random_below(50) == 0) sched_yield(); /* while it holds them */
	for (unsigned i = count; i > 0; i--) gate_unlock(&gate, shards[i - 1]);
	look_at_announced();
	atomic_fetch_add(&commands, 1);
}

static void run_world(struct gate_member *m) {
	gate_take_world(m);
	expect(gate_has_world(m));
	announced.first++;
	int64_t sum = 0;
	for (unsigned i = 0; i < SHARDS; i++) sum += cells[i].value;
	expect(sum == 0);
	if (random_below(4) == 0) sched_yield();
	/* A boundary under the world does not park. */
	gate_boundary(m);
	for (unsigned i = 0; i < SHARDS; i++) cells[i].value = 0;
	announced.second++;
	gate_drop_world(m);
	expect(!gate_has_world(m));
	atomic_fetch_add(&worlds, 1);
}

static void run_steps(struct runner *r) {
	gate_inside(&r->member);
	for (unsigned step = 0; r->steps ? step < r->steps : !atomic_load(&stop); step++) {
		gate_boundary(&r->member);
		look_at_announced();
		if (random_below(100) < r->world_percent)
			run_world(&r->member);
		else
			run_command();
		if (random_below(100) < r->outside_percent) {
			gate_outside(&r->member);
			if (random_below(4) == 0) sched_yield();
			gate_inside(&r->member);
		}
	}
	gate_outside(&r->member);
}

static void *run_thread(void *arg) {
	struct runner *r = arg;
	random_seed_thread(testing_seed() + 1000 + r->number);
	run_steps(r);
	return NULL;
}

static void *run_and_leave(void *arg) {
	struct runner *r = arg;
	random_seed_thread(testing_seed() + 2000 + r->number);
	for (unsigned round = 0; round < 3; round++) {
		gate_join(&gate, &r->member);
		run_steps(r);
		gate_leave(&r->member);
	}
	return NULL;
}

static void reset(void) {
	for (unsigned i = 0; i < SHARDS; i++) cells[i].value = 0;
	announced.first = announced.second = 0;
	atomic_store(&violations, 0);
	atomic_store(&stop, false);
	atomic_store(&commands, 0);
	atomic_store(&worlds, 0);
	gate_init(&gate, SHARDS);
}

static void finish(void) {
	int64_t sum = 0;
	assert_int_equal(atomic_load(&violations), 0);
	for (unsigned i = 0; i < SHARDS; i++) {
		sum += cells[i].value;
		assert_int_equal(gate.shards[i].lock._state, 0);
	}
	assert_int_equal(sum, 0);
	assert_int_equal(announced.first, announced.second);
	gate_release(&gate);
}

static void run_all(
	unsigned threads, unsigned steps, unsigned world_percent, unsigned outside_percent, bool light_fence) {
	static struct runner runners[THREADS];
	reset();
	if (!light_fence) gate._light_fence = false;
	for (unsigned i = 0; i < threads; i++) {
		runners[i] = (struct runner){
			.number = i, .steps = steps, .world_percent = world_percent, .outside_percent = outside_percent
		};
		gate_join(&gate, &runners[i].member);
	}
	assert_int_equal(gate.shared, threads > 1);
	for (unsigned i = 0; i < threads; i++)
		assert_int_equal(pthread_create(&runners[i].thread, NULL, run_thread, &runners[i]), 0);
	for (unsigned i = 0; i < threads; i++) pthread_join(runners[i].thread, NULL);
	assert_int_equal(atomic_load(&commands) + atomic_load(&worlds), threads * steps);
	assert_int_equal(announced.first, atomic_load(&worlds));
	for (unsigned i = 0; i < threads; i++) gate_leave(&runners[i].member);
	finish();
}

static void test_alone(void **state) {
	(void)state;
	testing_begin(1);
	run_all(1, testing_rounds(20000), 10, 10, true);
}

static void test_shards_and_world(void **state) {
	(void)state;
	testing_begin(2);
	run_all(THREADS, testing_rounds(20000), 1, 2, true);
	run_all(2, testing_rounds(20000), 1, 50, true);
	run_all(THREADS, testing_rounds(30000), 0, 0, true);
}

/* Everybody wants the world all the time. */
static void test_worlds_compete(void **state) {
	(void)state;
	testing_begin(3);
	run_all(THREADS, testing_rounds(1500), 90, 10, true);
	run_all(2, testing_rounds(2000), 100, 0, true);
}

/* As on a kernel without membarrier. */
static void test_without_membarrier(void **state) {
	(void)state;
	testing_begin(4);
	run_all(THREADS, testing_rounds(10000), 2, 10, false);
	run_all(2, testing_rounds(1500), 100, 0, false);
}

/* Members come and go while others run, also the second one, which switches the shard locks on. */
static void test_joining(void **state) {
	static struct runner first, guests[2];
	(void)state;
	testing_begin(5);
	for (unsigned round = testing_rounds(80); round > 0; round--) {
		reset();
		first = (struct runner){ .number = 0, .world_percent = 1, .outside_percent = 5 };
		gate_join(&gate, &first.member);
		assert_false(gate.shared);
		assert_int_equal(pthread_create(&first.thread, NULL, run_thread, &first), 0);
		while (atomic_load(&commands) < 20 + round) sched_yield();
		for (unsigned i = 0; i < 2; i++) {
			guests[i] = (struct runner){
				.number = i + 1, .steps = 50, .world_percent = 2, .outside_percent = 5
			};
			assert_int_equal(pthread_create(&guests[i].thread, NULL, run_and_leave, &guests[i]), 0);
		}
		for (unsigned i = 0; i < 2; i++) pthread_join(guests[i].thread, NULL);
		atomic_store(&stop, true);
		pthread_join(first.thread, NULL);
		gate_leave(&first.member);
		finish();
	}
}

static void *in_and_out(void *arg) {
	struct gate_member *m = arg;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		gate_inside(m);
		for (int i = 0; i < 3; i++) look_at_announced();
		gate_outside(m);
	}
	return NULL;
}

/* The narrow place: one says "I am inside" and looks for who wants the world, the other says "I want it" and looks for who is
 * inside. At least one of the two must see the other. */
static void test_entering_against_taking(void **state) {
	static struct gate_member guest, taker;
	pthread_t thread;
	(void)state;
	testing_begin(7);
	reset();
	gate_join(&gate, &guest);
	gate_join(&gate, &taker);
	assert_int_equal(pthread_create(&thread, NULL, in_and_out, &guest), 0);
	gate_inside(&taker);
	for (unsigned i = testing_rounds(20000); i > 0; i--) {
		gate_take_world(&taker);
		announced.first++;
		for (unsigned spins = (unsigned)random_below(100); spins > 0; spins--) spin_pause();
		announced.second++;
		gate_drop_world(&taker);
		/* Let the other come in: it parks while the world is wanted. */
		for (unsigned spins = (unsigned)random_below(300); spins > 0; spins--) spin_pause();
	}
	gate_outside(&taker);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	gate_leave(&guest);
	gate_leave(&taker);
	finish();
}

/* A member that sleeps outside keeps nobody from the world, and finds its effect when it comes in. */
static void test_sleeper(void **state) {
	struct gate_member sleeper, taker;
	(void)state;
	testing_begin(6);
	reset();
	gate_join(&gate, &sleeper);
	gate_join(&gate, &taker);
	gate_inside(&sleeper);
	gate_outside(&sleeper);
	gate_inside(&taker);
	for (unsigned i = 0; i < 100; i++) run_world(&taker);
	gate_outside(&taker);
	gate_inside(&sleeper);
	assert_int_equal(announced.second, 100);
	gate_outside(&sleeper);
	gate_leave(&sleeper);
	gate_leave(&taker);
	finish();
}

/* Upkeep goes past a shard that somebody keeps, and only past that one. */
static void test_held_up(void **state) {
	struct gate_member members[2];
	(void)state;
	gate_init(&gate, SHARDS);
	gate_join(&gate, &members[0]);
	gate_lock(&gate, 3);
	assert_false(gate_is_held_up(&gate, 3)); /* alone: no locks */
	gate_unlock(&gate, 3);
	gate_join(&gate, &members[1]);
	gate_lock(&gate, 3);
	for (uint32_t i = 0; i < SHARDS; i++) assert_int_equal(gate_is_held_up(&gate, i), i == 3);
	gate_unlock(&gate, 3);
	assert_false(gate_is_held_up(&gate, 3));
	gate_leave(&members[1]);
	gate_leave(&members[0]);
	gate_release(&gate);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_held_up),
		cmocka_unit_test(test_sleeper),
		cmocka_unit_test(test_shards_and_world),
		cmocka_unit_test(test_worlds_compete),
		cmocka_unit_test(test_without_membarrier),
		cmocka_unit_test(test_entering_against_taking),
		cmocka_unit_test(test_joining),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
