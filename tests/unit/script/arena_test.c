/* Pieces of all sizes, taken and given back at random: none overlaps another, none changes, and what was given back is there
 * again. */
#include "../testing.h"
#include <string.h>

#include "base/random.h"
#include "script/arena.h"

enum { PIECES = 500, STEPS = 200000 };

struct piece {
	unsigned char *at;
	size_t bytes;
	unsigned char fill;
};

static void check(const struct piece *p) {
	for (size_t i = 0; i < p->bytes; i++) assert_int_equal(p->at[i], p->fill);
}

static void test_pieces_are_apart(void **state) {
	(void)state;
	testing_begin(1);
	struct arena a;
	assert_true(arena_init(&a));
	static struct piece pieces[PIECES];
	for (unsigned step = 0; step < testing_rounds(STEPS); step++) {
		struct piece *p = &pieces[random_below(PIECES)];
		if (p->at) {
			check(p);
			assert_true(arena_owns(&a, p->at));
			arena_give(&a, p->at, p->bytes);
			p->at = NULL;
			continue;
		}
		p->bytes = 1 + random_below(ARENA_PIECE_MAX);
		p->at = arena_take(&a, p->bytes);
		if (!p->at) continue;
		assert_int_equal((uintptr_t)p->at % ARENA_UNIT, 0);
		p->fill = (unsigned char)random_below(256);
		memset(p->at, p->fill, p->bytes);
	}
	for (unsigned i = 0; i < PIECES; i++)
		if (pieces[i].at) check(&pieces[i]);
	arena_release(&a);
}

static void test_an_end(void **state) {
	(void)state;
	struct arena a;
	assert_true(arena_init(&a));
	void *last = NULL;
	for (size_t i = 0; i < ARENA_BYTES / ARENA_PIECE_MAX; i++) {
		last = arena_take(&a, ARENA_PIECE_MAX);
		assert_non_null(last);
	}
	assert_null(arena_take(&a, ARENA_PIECE_MAX));
	arena_give(&a, last, ARENA_PIECE_MAX);
	assert_null(arena_take(&a, 1));
	assert_ptr_equal(arena_take(&a, ARENA_PIECE_MAX - 1), last);
	arena_release(&a);
}

static void test_an_empty_one(void **state) {
	(void)state;
	struct arena a = { 0 };
	int outside;
	assert_false(arena_owns(&a, &outside));
	assert_false(arena_owns(&a, NULL));
	assert_null(arena_take(&a, 1));
	arena_release(&a);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_are_apart),
		cmocka_unit_test(test_an_end),
		cmocka_unit_test(test_an_empty_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
