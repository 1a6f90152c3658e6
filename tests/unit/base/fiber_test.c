/* Fibers: what is kept while they are left, several at once, jumps within one, the guard of the stack. */
#include "../testing.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fiber.h"

enum { STACK = 64 * 1024, STEPS = 100 };

struct counter {
	struct fiber *fiber;
	int at, from;
	double sum;
};

static void count(void *context) {
	struct counter *c = context;
	double sum = 0.5;
	for (int i = 0; i < STEPS; i++) {
		c->at = c->from + i;
		sum += i;
		fiber_leave(c->fiber);
	}
	c->sum = sum;
}

static void test_comes_back_where_it_left(void **state) {
	(void)state;
	struct counter a = { fiber_new(STACK), 0, 1000, 0 }, b = { fiber_new(STACK), 0, 2000, 0 };
	assert_non_null(a.fiber);
	assert_false(fiber_is_under_way(a.fiber));
	assert_false(fiber_start(a.fiber, count, &a));
	assert_false(fiber_start(b.fiber, count, &b));
	for (int i = 1; i < STEPS; i++) {
		assert_int_equal(a.at, 1000 + i - 1);
		assert_int_equal(b.at, 2000 + i - 1);
		assert_false(fiber_continue(a.fiber));
		assert_false(fiber_continue(b.fiber));
		assert_true(fiber_is_under_way(a.fiber));
	}
	assert_true(fiber_continue(b.fiber));
	assert_true(fiber_continue(a.fiber));
	assert_true(a.sum == 0.5 + STEPS * (STEPS - 1) / 2.0 && b.sum == a.sum);
	assert_false(fiber_is_under_way(a.fiber));
	/* And once more on the same stack. */
	a.from = 5000;
	assert_false(fiber_start(a.fiber, count, &a));
	assert_int_equal(a.at, 5000);
	while (!fiber_continue(a.fiber)) continue;
	fiber_free(a.fiber);
	fiber_free(b.fiber);
	fiber_free(NULL);
}

static jmp_buf back;
static volatile int jumps;

static void jump(volatile int depth) {
	volatile char filler[256];
	filler[0] = (char)depth;
	if (depth > 0) jump(depth - 1);
	if (depth == 0) longjmp(back, 1);
	if (filler[0] != (char)depth) jumps = -1;
}

static void jumping(void *context) {
	struct fiber *f = context;
	for (int i = 0; i < STEPS; i++) {
		if (setjmp(back) == 0)
			jump(20);
		else
			jumps++;
		fiber_leave(f);
	}
}

static void test_jumps_within(void **state) {
	(void)state;
	struct fiber *f = fiber_new(STACK);
	jumps = 0;
	bool done = fiber_start(f, jumping, f);
	while (!done) done = fiber_continue(f);
	assert_int_equal(jumps, STEPS);
	fiber_free(f);
}

static int eat(int depth) {
	volatile char filler[1024];
	filler[0] = (char)depth;
	return depth <= 0 ? filler[0] : eat(depth - 1) + filler[0];
}

static void overflow(void *context) {
	*(int *)context = eat(1000000);
}

/* Beyond the stack nothing is overwritten: the process ends. */
static void test_guard(void **state) {
	(void)state;
	pid_t child = fork();
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		int result;
		struct fiber *f = fiber_new(STACK);
		_exit(fiber_start(f, overflow, &result) ? 0 : 1);
	}
	int status;
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) > 1); /* a sanitizer leaves with a code of its own */
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_back_where_it_left),
		cmocka_unit_test(test_jumps_within),
		cmocka_unit_test(test_guard),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
