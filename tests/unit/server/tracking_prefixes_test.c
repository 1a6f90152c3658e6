/* tracking_prefixes: which prefixes are there, against a plain list, while workers come to want them and stop wanting them. */
#include "../testing.h"

#include "server/tracking_private.h"

enum { WORKERS = 3, NAMES = 200, SHARDS = 4 };

/* Names of several lengths, many of which begin with others; the first is empty. */
static struct slice name_of(unsigned index) {
	static char names[NAMES][8];
	char *name = names[index];
	size_t len = 0;
	for (unsigned left = index; left > 0; left /= 4) name[len++] = (char)('a' + left % 4);
	return slice_of(name, len);
}

struct model {
	unsigned wanted[NAMES][WORKERS];
};

static bool is_wanted(const struct model *m, unsigned index) {
	for (unsigned worker = 0; worker < WORKERS; worker++)
		if (m->wanted[index][worker] > 0) return true;
	return false;
}

static void check(const struct tracking *t, const struct model *m) {
	struct tracking_figures figures;
	size_t wanted = 0;
	for (unsigned i = 0; i < NAMES; i++) {
		struct tracking_prefix *p = tracking__find_prefix(t, name_of(i));
		if (is_wanted(m, i)) assert_non_null(p);
		wanted += is_wanted(m, i);
		if (!p) continue;
		assert_true(slice_equal(prefix_name(p), name_of(i)));
		for (unsigned worker = 0; worker < WORKERS; worker++)
			assert_int_equal(atomic_load(&p->on_worker[worker].count), m->wanted[i][worker]);
		bool has_length = false;
		for (size_t k = 0; k < t->_prefix_length_count; k++) has_length |= t->_prefix_lengths[k] == p->len;
		assert_true(has_length);
	}
	for (size_t k = 1; k < t->_prefix_length_count; k++)
		assert_true(t->_prefix_lengths[k - 1] < t->_prefix_lengths[k]);
	tracking_count(t, &figures);
	assert_int_equal(figures.prefixes, wanted);
}

static void want(struct tracking *t, struct model *m, unsigned index, unsigned worker) {
	tracking__tidy_prefixes(t);
	struct tracking_prefix *p = tracking__get_prefix(t, name_of(index));
	atomic_fetch_add(&p->on_worker[worker].count, 1);
	m->wanted[index][worker]++;
}

static void want_no_more(struct tracking *t, struct model *m, unsigned index, unsigned worker) {
	if (m->wanted[index][worker] == 0) return;
	atomic_fetch_sub(&tracking__find_prefix(t, name_of(index))->on_worker[worker].count, 1);
	m->wanted[index][worker]--;
}

static void agrees_with_a_plain_list(void **state) {
	(void)state;
	testing_begin(1);
	struct tracking t = { 0 };
	struct model m = { 0 };
	tracking_init(&t, SHARDS, WORKERS);
	for (unsigned round = 0; round < testing_rounds(5000); round++) {
		unsigned index = (unsigned)random_below(NAMES), worker = (unsigned)random_below(WORKERS);
		/* Times of growing and of shrinking. */
		if (random_below(10) < (round / 500 % 2 ? 2 : 8))
			want(&t, &m, index, worker);
		else
			want_no_more(&t, &m, index, worker);
		if (round % 50 == 0) check(&t, &m);
	}
	tracking_release(&t);
}

static void what_nobody_wants_is_freed(void **state) {
	(void)state;
	testing_begin(2);
	struct tracking t = { 0 };
	struct model m = { 0 };
	tracking_init(&t, SHARDS, WORKERS);
	size_t most = 0;
	for (unsigned round = 0; round < 10 * NAMES; round++) {
		want(&t, &m, round % NAMES, 0);
		want_no_more(&t, &m, round % NAMES, 0);
		if (table_count(&t._prefixes) > most) most = table_count(&t._prefixes);
	}
	assert_in_range(most, 1, 65);
	t._prefix_tidy_at = 0;
	tracking__tidy_prefixes(&t);
	assert_int_equal(table_count(&t._prefixes), 0);
	assert_int_equal(t._prefix_length_count, 0);
	tracking_release(&t);
}

static void holders_are_found_by_worker(void **state) {
	(void)state;
	holder_t holders[] = { 5, 9, UINT64_C(2) << HOLDER_WORKER_SHIFT | 1, UINT64_C(255) << HOLDER_WORKER_SHIFT | 3 };
	const struct tracked x = { .count = 4, .many = holders };
	assert_int_equal(tracked_first_of(&x, 0), 0);
	assert_int_equal(tracked_first_of(&x, 1), 2);
	assert_int_equal(tracked_first_of(&x, 2), 2);
	assert_int_equal(tracked_first_of(&x, 3), 3);
	assert_int_equal(tracked_first_of(&x, 255), 3);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_a_plain_list),
		cmocka_unit_test(what_nobody_wants_is_freed),
		cmocka_unit_test(holders_are_found_by_worker),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
