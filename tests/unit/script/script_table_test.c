/* Which scripts stay, which are forgotten, and who may still hold one. */
#include "../testing.h"
#include <stdio.h>

#include "base/hash.h"
#include "script/script_table.h"

static void name(unsigned n, char sha[static SHA1_HEX_CHARS + 1]) {
	snprintf(sha, SHA1_HEX_CHARS + 1, "%040u", n);
}

static void add(struct script_table *t, unsigned n, bool stays, int64_t now_ms) {
	char sha[SHA1_HEX_CHARS + 1];
	name(n, sha);
	struct script *script = script_new(sha, SLICE_LITERAL("return 1"), false, 0, now_ms);
	script_table_add(t, script, stays);
	script_release(script);
}

static bool has(struct script_table *t, unsigned n) {
	char sha[SHA1_HEX_CHARS + 1];
	name(n, sha);
	return script_table_has(t, sha);
}

static void test_the_one_not_used_longest_goes(void **state) {
	(void)state;
	struct script_table t = { 0 };
	add(&t, 1000, true, 0);
	for (unsigned n = 0; n < SCRIPT_EVAL_MAX; n++) add(&t, n, false, n + 1);
	char sha[SHA1_HEX_CHARS + 1];
	name(0, sha);
	struct script *first = script_table_find(&t, sha);
	atomic_store(&first->used_ms, 5000);
	add(&t, 2000, false, 5001);
	assert_true(has(&t, 0) && has(&t, 1000) && has(&t, 2000));
	assert_false(has(&t, 1));
	script_table_let_stay(&t, first);
	add(&t, 2001, false, 5002);
	assert_true(has(&t, 2)); /* one place is free, since the first is no longer among those that pass */
	struct script_table_figures f;
	script_table_figures(&t, &f);
	assert_int_equal(f.scripts, SCRIPT_EVAL_MAX + 2);
	assert_int_equal(f.evicted, 1);
	script_release(first);
	script_table_release(&t);
}

static void test_a_flush_retires_what_is_held(void **state) {
	(void)state;
	struct script_table t = { 0 };
	add(&t, 7, true, 0);
	char sha[SHA1_HEX_CHARS + 1];
	name(7, sha);
	struct script *held = script_table_find(&t, sha);
	uint64_t epoch = atomic_load(&t.epoch);
	script_table_flush(&t);
	assert_true(atomic_load(&held->retired));
	assert_true(atomic_load(&t.epoch) - epoch >= SCRIPT_EPOCH_FLUSH);
	assert_false(has(&t, 7));
	assert_true(slice_equal(held->source, SLICE_LITERAL("return 1")));
	script_table_let_stay(&t, held); /* comes too late, and does nothing */
	add(&t, 7, false, 0);
	assert_true(has(&t, 7));
	script_release(held);
	script_table_release(&t);
}

/* Two workers meet the same text at once. */
static void test_the_second_of_a_name_is_retired(void **state) {
	(void)state;
	struct script_table t = { 0 };
	char sha[SHA1_HEX_CHARS + 1];
	name(3, sha);
	struct script *a = script_new(sha, SLICE_LITERAL("x"), false, 0, 0),
		      *b = script_new(sha, SLICE_LITERAL("x"), false, 0, 0);
	script_table_add(&t, a, false);
	script_table_add(&t, b, true);
	assert_false(atomic_load(&a->retired));
	assert_true(atomic_load(&b->retired));
	for (unsigned n = 100; n < 101 + SCRIPT_EVAL_MAX; n++) add(&t, n, false, 1);
	assert_true(has(&t, 3)); /* it stays, as the second wished */
	script_release(a);
	script_release(b);
	script_table_release(&t);
}

int main(void) {
	hash_init(1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_one_not_used_longest_goes),
		cmocka_unit_test(test_a_flush_retires_what_is_held),
		cmocka_unit_test(test_the_second_of_a_name_is_retired),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
