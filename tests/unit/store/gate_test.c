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
static bool run_command(struct gate_member *m) {
	uint32_t shards[PER_COMMAND];
	unsigned count = 0;
	for (uint32_t i = 0; i < SHARDS && count < PER_COMMAND; i++)
		if (random_below(SHARDS) < PER_COMMAND) shards[count++] = i;
	if (!gate_lock_list(m, shards, count)) return false;
	look_at_announced();
	if (count >= 2) {
		int64_t amount = (int64_t)random_below(100);
		cells[shards[0]].value -= amount;
		cells[shards[count - 1]].value += amount;
	}
	for (unsigned i = 0; i < count; i++) cells[shards[i]].moves++;
	if (random_below(50) == 0) sched_yield(); /* while it holds them */
	gate_unlock_list(m, shards, count);
	look_at_announced();
	atomic_fetch_add(&commands, 1);
	return true;
}

static bool run_world(struct gate_member *m) {
	if (!gate_take_world(m)) return false;
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
	return true;
}

static void run_steps(struct runner *r) {
	gate_inside(&r->member);
	for (unsigned step = 0; r->steps ? step < r->steps : !atomic_load(&stop); step++) {
		gate_boundary(&r->member);
		look_at_announced();
		/* With no runs that last nothing is ever refused. */
		if (random_below(100) < r->world_percent)
			expect(run_world(&r->member));
		else
			expect(run_command(&r->member));
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
		expect(gate_take_world(&taker));
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
	for (unsigned i = 0; i < 100; i++) assert_true(run_world(&taker));
	gate_outside(&taker);
	gate_inside(&sleeper);
	assert_int_equal(announced.second, 100);
	gate_outside(&sleeper);
	gate_leave(&sleeper);
	gate_leave(&taker);
	finish();
}

/* ---- Runs that last ---- */

/* As a script of the server: begins with some shards, wants others, writes under the script mutex, is suspended and goes on
 * beside other commands, starts over or is lifted. */
struct script {
	struct gate_member *member;
	uint64_t held[SHARDS / 64 + 1];
	bool has_mutex, is_lifted, is_suspended;
};

static atomic_ulong scripts, lifts, restarts, refusals, limited;

static void end_script(struct script *s) {
	if (s->is_suspended) gate_end_suspension(s->member);
	gate_unlock_set(s->member, s->held);
	if (s->is_lifted) gate_unlift(s->member);
}

/* Between two slices: what the worker does for others. */
static void go_on_beside(struct script *s) {
	struct gate_member *m = s->member;
	gate_suspend(m, s->held);
	s->is_suspended = true;
	for (unsigned i = (unsigned)random_below(4); i > 0; i--) {
		gate_boundary(m);
		if (random_below(8) == 0) {
			bool got = gate_take_world(m);
			expect(!got);
		} else if (!run_command(m)) {
			atomic_fetch_add(&refusals, 1);
		}
	}
	gate_outside(m);
	gate_inside(m);
}

/* False: it has to let go. */
static bool want_shard(struct script *s, uint32_t shard) {
	if (s->is_lifted || gate_set_has(s->held, shard)) return true;
	if (gate_try_lock_hard(s->member, shard)) {
		gate_set_add(s->held, shard);
		if (s->is_suspended) gate_claim(s->member, shard);
		return true;
	}
	if (!s->has_mutex) return false;
	gate_lift(s->member, s->held);
	s->is_lifted = true;
	atomic_fetch_add(&lifts, 1);
	return true;
}

static bool want_mutex(struct script *s) {
	uint32_t mutex = gate_script_mutex(&gate);
	if (s->has_mutex) return true;
	if (s->is_suspended ? !gate_try_lock_hard(s->member, mutex) : !gate_lock(s->member, mutex)) return false;
	gate_set_add(s->held, mutex);
	if (s->is_suspended) gate_claim(s->member, mutex);
	return s->has_mutex = true;
}

static bool try_script(struct gate_member *m, unsigned suspend_percent) {
	struct script s = { .member = m };
	for (unsigned i = (unsigned)random_below(3); i > 0; i--) gate_set_add(s.held, (uint32_t)random_below(SHARDS));
	if (!gate_lock_set(m, s.held)) return false;
	for (unsigned step = 0; step < 6; step++) {
		uint32_t from = (uint32_t)random_below(SHARDS), to = (uint32_t)random_below(SHARDS);
		if (gate_is_lifting(m) && !s.has_mutex) {
			end_script(&s);
			return false;
		}
		bool writes = random_below(2);
		if (!want_shard(&s, from) || !want_shard(&s, to) || (writes && !want_mutex(&s))) {
			expect(!s.has_mutex);
			end_script(&s);
			return false;
		}
		look_at_announced();
		if (writes) {
			cells[from].value -= 7;
			cells[from].moves++;
			/* Half of a transfer is no business of anybody else's. */
			if (random_below(100) < suspend_percent && s.is_lifted)
				go_on_beside(&s);
			else if (random_below(8) == 0)
				sched_yield();
			cells[to].value += 7;
			cells[to].moves++;
		}
		if (random_below(100) < suspend_percent) go_on_beside(&s);
	}
	end_script(&s);
	atomic_fetch_add(&scripts, 1);
	return true;
}

static void *run_scripts(void *arg) {
	struct runner *r = arg;
	struct gate_member *m = &r->member;
	random_seed_thread(testing_seed() + 3000 + r->number);
	gate_inside(m);
	for (unsigned step = 0; step < r->steps; step++) {
		gate_boundary(m);
		if (gate_is_limited(m)) {
			/* Outside: everything is refused. */
			uint64_t one[SHARDS / 64 + 1] = { 1 };
			expect(!gate_lock_set(m, one) && !gate_take_world(m));
			atomic_fetch_add(&limited, 1);
			sched_yield();
			continue;
		}
		look_at_announced();
		unsigned dice = (unsigned)random_below(100);
		bool ran = dice < r->world_percent ? run_world(m)
			   : dice < 50             ? run_command(m)
						   : try_script(m, r->outside_percent);
		if (!ran) {
			atomic_fetch_add(dice < 50 ? &refusals : &restarts, 1);
			gate_make_room(m);
		}
		if (random_below(100) < r->outside_percent) {
			gate_outside(m);
			gate_inside(m);
		}
	}
	gate_outside(m);
	return NULL;
}

static void run_script_threads(unsigned suspend_percent) {
	static struct runner runners[THREADS];
	for (unsigned i = 0; i < THREADS; i++) {
		runners[i] = (struct runner){ .number = i,
			.steps = testing_rounds(5000),
			.world_percent = 3,
			.outside_percent = suspend_percent };
		gate_join(&gate, &runners[i].member);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&runners[i].thread, NULL, run_scripts, &runners[i]), 0);
	for (unsigned i = 0; i < THREADS; i++) pthread_join(runners[i].thread, NULL);
	for (unsigned i = 0; i < THREADS; i++) gate_leave(&runners[i].member);
	for (uint32_t i = 0; i <= SHARDS; i++) assert_int_equal(gate.shards[i].lock._state, 0);
	assert_int_equal(gate._world_wanted, 0);
	print_message("scripts %lu, lifted %lu, started over %lu, refused %lu, limited %lu, worlds %lu\n", scripts,
		lifts, restarts, refusals, limited, worlds);
	assert_true(scripts > 0);
}

static void test_scripts(void **state) {
	(void)state;
	testing_begin(8);
	reset();
	run_script_threads(0);
	finish();
}

static void test_suspended_scripts(void **state) {
	(void)state;
	testing_begin(9);
	reset();
	run_script_threads(30);
	finish();
}

/* ---- Who goes on beside a world that lasts, and the next world ---- */

struct beside {
	struct gate_member member;
	_Atomic bool is_limited, world_is_over, finishes;
	bool reads; /* as what is protected by the world: no race may be seen */
};

static void *go_on_limited(void *context) {
	struct beside *b = context;
	gate_inside(&b->member);
	while (!gate_is_limited(&b->member)) gate_boundary(&b->member);
	atomic_store(&b->is_limited, true);
	while (!atomic_load(&b->world_is_over)) spin_pause();
	for (int i = 0; i < 1000; i++) sched_yield(); /* in the middle of a command still */
	assert_false(b->reads);
	atomic_store(&b->finishes, true);
	gate_boundary(&b->member);
	assert_false(gate_is_limited(&b->member));
	gate_outside(&b->member);
	return NULL;
}

static void test_limited_and_next_world(void **state) {
	struct gate_member taker;
	struct beside beside = { .reads = false };
	pthread_t thread;
	(void)state;
	gate_init(&gate, SHARDS);
	gate_join(&gate, &taker);
	gate_join(&gate, &beside.member);
	gate_inside(&taker);
	assert_true(gate_take_world(&taker));
	assert_int_equal(pthread_create(&thread, NULL, go_on_limited, &beside), 0);
	gate_suspend(&taker, NULL);
	while (!atomic_load(&beside.is_limited)) spin_pause();
	gate_end_suspension(&taker);
	gate_drop_world(&taker);
	atomic_store(&beside.world_is_over, true);
	assert_true(gate_take_world(&taker));
	assert_true(atomic_load(&beside.finishes));
	beside.reads = true;
	gate_drop_world(&taker);
	gate_outside(&taker);
	pthread_join(thread, NULL);
	gate_leave(&beside.member);
	gate_leave(&taker);
	gate_release(&gate);
}

/* A limited member counts, and so does the run that has called it back: both without an atomic, since they take turns. */
struct counted {
	struct gate_member member;
	_Atomic bool is_limited, is_over;
	unsigned long count;
};

static void *count_while_limited(void *context) {
	struct counted *c = context;
	gate_inside(&c->member);
	while (!atomic_load(&c->is_over)) {
		gate_boundary(&c->member);
		if (!gate_is_limited(&c->member)) continue;
		c->count++;
		atomic_store(&c->is_limited, true);
	}
	gate_outside(&c->member);
	return NULL;
}

static void test_recall(void **state) {
	struct gate_member taker;
	struct counted counted = { .count = 0 };
	pthread_t thread;
	(void)state;
	gate_init(&gate, SHARDS);
	gate_join(&gate, &taker);
	gate_join(&gate, &counted.member);
	gate_inside(&taker);
	assert_true(gate_take_world(&taker));
	assert_false(gate_recall(&taker)); /* nobody is limited yet */
	assert_int_equal(pthread_create(&thread, NULL, count_while_limited, &counted), 0);
	gate_suspend(&taker, NULL);
	for (int i = 0; i < 200; i++) {
		while (!atomic_load(&counted.is_limited)) spin_pause();
		assert_true(gate_recall(&taker));
		unsigned long before = counted.count;
		counted.count += 1000;
		assert_int_equal(counted.count, before + 1000);
		atomic_store(&counted.is_limited, false);
		gate_limit(&taker);
	}
	gate_end_suspension(&taker);
	gate_drop_world(&taker);
	atomic_store(&counted.is_over, true);
	pthread_join(thread, NULL);
	assert_true(counted.count >= 200000);
	gate_outside(&taker);
	gate_leave(&counted.member);
	gate_leave(&taker);
	gate_release(&gate);
}

/* Upkeep goes past a shard that somebody keeps, and only past that one. */
static void test_held_up(void **state) {
	struct gate_member members[2];
	(void)state;
	gate_init(&gate, SHARDS);
	gate_join(&gate, &members[0]);
	assert_true(gate_lock(&members[0], 3));
	assert_false(gate_is_held_up(&gate, 3)); /* alone: no locks */
	gate_unlock(&members[0], 3);
	gate_join(&gate, &members[1]);
	assert_true(gate_lock(&members[0], 3));
	for (uint32_t i = 0; i < SHARDS; i++) assert_int_equal(gate_is_held_up(&gate, i), i == 3);
	gate_unlock(&members[0], 3);
	assert_false(gate_is_held_up(&gate, 3));
	gate_leave(&members[1]);
	gate_leave(&members[0]);
	gate_release(&gate);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_suspended_scripts),
		cmocka_unit_test(test_limited_and_next_world),
		cmocka_unit_test(test_recall),
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
