/* tree: that a long run of random operations leaves the same as on a sorted array, for every size of record, with weights
 * and without; that places survive the changes that take them; that growth fills leaves as the header promises.
 *
 * tree_check holds structure, separators, weights and bytes after each batch. */
#include "../testing.h"

#include <string.h>

#include "base/alloc.h"
#include "containers/tree.h"

enum { MAX_WORDS = TREE_MAX_RECORD_BYTES / 8 };

/* The first word is the order, the second (of all but the smallest records) holds the weight in its upper half. */
struct record {
	uint64_t words[MAX_WORDS];
};

static int by_number(const void *record, const void *key) {
	uint64_t a, b;
	memcpy(&a, record, sizeof(a));
	memcpy(&b, key, sizeof(b));
	return a < b ? -1 : a > b;
}

/* Many records are equal to one key. */
static int by_thousands(const void *record, const void *key) {
	uint64_t a, b;
	memcpy(&a, record, sizeof(a));
	memcpy(&b, key, sizeof(b));
	return a / 1000 < b ? -1 : a / 1000 > b;
}

/* ---- The model: an array ---- */

struct model {
	struct record *records;
	size_t count, room;
	size_t words;
	bool weighed;
};

static uint32_t weight_of(const struct model *m, const struct record *record) {
	return m->weighed ? (uint32_t)(record->words[1] >> 32) : 1;
}

static void set_weight(struct record *record, uint32_t weight) {
	record->words[1] = (record->words[1] & UINT32_MAX) | (uint64_t)weight << 32;
}

static size_t model_lower(const struct model *m, uint64_t number, tree_compare_fn *compare, int bound) {
	size_t low = 0, high = m->count;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (compare(m->records[mid].words, &number) < bound)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void model_insert(struct model *m, size_t at, const struct record *record) {
	if (m->count == m->room) {
		m->room = m->room ? 2 * m->room : 64;
		m->records = mem_realloc(m->records, m->room * sizeof(*m->records));
	}
	memmove(m->records + at + 1, m->records + at, (m->count - at) * sizeof(*m->records));
	m->records[at] = *record;
	m->count++;
}

static void model_remove(struct model *m, size_t at) {
	m->count--;
	memmove(m->records + at, m->records + at + 1, (m->count - at) * sizeof(*m->records));
}

static size_t model_rank(const struct model *m, size_t at) {
	size_t rank = 0;
	for (size_t i = 0; i < at; i++) rank += weight_of(m, &m->records[i]);
	return rank;
}

/* ---- Both ---- */

struct pair {
	struct tree tree;
	struct model model;
};

static void pair_init(struct pair *p, unsigned words, bool weighed) {
	*p = (struct pair){ .model = { .words = words, .weighed = weighed } };
	if (weighed)
		tree_init_weighed(&p->tree, words * 8, 12);
	else
		tree_init(&p->tree, words * 8);
}

static void pair_release(struct pair *p) {
	tree_release(&p->tree);
	assert_int_equal(tree_count(&p->tree), 0);
	assert_int_equal(tree_memory(&p->tree), 0);
	mem_free(p->model.records);
}

/* The place is where the model's record `at` is, or the end. */
static void check_place(const struct pair *p, const struct tree_place *place, size_t at) {
	const void *record = tree_record(&p->tree, place);
	if (at == p->model.count) {
		assert_null(record);
		return;
	}
	assert_non_null(record);
	assert_memory_equal(record, p->model.records[at].words, p->model.words * 8);
}

static struct record new_record(const struct pair *p, uint64_t number) {
	struct record record = { { number, random_u64(), random_u64(), random_u64() } };
	if (p->model.weighed) set_weight(&record, (uint32_t)random_below(random_below(4) ? 5 : 100000));
	return record;
}

static void insert(struct pair *p, uint64_t number) {
	struct record record = new_record(p, number);
	struct tree_place place;
	bool behind = random_below(2);
	if (behind)
		tree_seek_behind(&p->tree, by_number, &number, &place);
	else
		tree_seek(&p->tree, by_number, &number, &place);
	size_t at = model_lower(&p->model, number, by_number, behind ? 1 : 0);
	check_place(p, &place, at);
	if (at < p->model.count && p->model.records[at].words[0] == number) return;
	if (behind && at > 0 && p->model.records[at - 1].words[0] == number) return;
	tree_insert(&p->tree, &place, record.words);
	model_insert(&p->model, at, &record);
	check_place(p, &place, at);
	if (random_below(8) == 0) assert_int_equal(tree_rank(&p->tree, &place), model_rank(&p->model, at));
	/* The path of the place is whole: it leads on in both directions. */
	if (random_below(2)) {
		assert_int_equal(tree_next(&p->tree, &place), at + 1 < p->model.count);
		check_place(p, &place, at + 1);
	} else if (at > 0) {
		assert_true(tree_prev(&p->tree, &place));
		check_place(p, &place, at - 1);
	} else {
		assert_false(tree_prev(&p->tree, &place));
		check_place(p, &place, at);
	}
}

/* Removes `count` from `at` on with the same place, now and then a step back in between. */
static void remove_from(struct pair *p, size_t at, size_t count) {
	struct tree_place place;
	uint64_t number = p->model.records[at].words[0];
	tree_seek(&p->tree, by_number, &number, &place);
	while (count-- > 0 && at < p->model.count) {
		check_place(p, &place, at);
		tree_remove(&p->tree, &place);
		model_remove(&p->model, at);
		check_place(p, &place, at);
		if (random_below(16) == 0) assert_int_equal(tree_rank(&p->tree, &place), model_rank(&p->model, at));
		if (at > 0 && random_below(4) == 0) {
			assert_true(tree_prev(&p->tree, &place));
			at--;
		}
	}
}

static void change_one(struct pair *p, size_t at) {
	struct tree_place place;
	uint64_t number = p->model.records[at].words[0];
	struct record *mine = &p->model.records[at];
	tree_seek(&p->tree, by_number, &number, &place);
	if (p->model.weighed) {
		uint32_t weight = (uint32_t)random_below(1000);
		tree_reweigh(&p->tree, &place, weight);
		set_weight(mine, weight);
	}
	if (p->model.words > 2 || (p->model.words == 2 && !p->model.weighed)) {
		uint64_t *theirs = tree_record(&p->tree, &place);
		mine->words[p->model.words - 1] = theirs[p->model.words - 1] = random_u64();
		tree_changed(&p->tree, &place);
	}
	check_place(p, &place, at);
}

static void check_positions(const struct pair *p) {
	size_t weight = 0;
	for (size_t i = 0; i < p->model.count; i++) weight += weight_of(&p->model, &p->model.records[i]);
	assert_int_equal(tree_weight(&p->tree), weight);
	size_t sum = 0, at = 0;
	for (size_t position = 0; position < weight; position += 1 + (size_t)random_below(1 + weight / 16)) {
		while (position >= sum + weight_of(&p->model, &p->model.records[at])) {
			sum += weight_of(&p->model, &p->model.records[at++]);
		}
		struct tree_place place;
		size_t within = SIZE_MAX;
		tree_at(&p->tree, position, &place, &within);
		check_place(p, &place, at);
		assert_int_equal(within, position - sum);
		assert_int_equal(tree_rank(&p->tree, &place), sum);
	}
	struct tree_place place;
	tree_at(&p->tree, weight, &place, NULL);
	check_place(p, &place, p->model.count);
	assert_int_equal(tree_rank(&p->tree, &place), weight);
}

static void check_walks(const struct pair *p) {
	const struct model *m = &p->model;
	struct tree_place place;
	tree_first(&p->tree, &place);
	for (size_t i = 0; i < m->count; i++) {
		check_place(p, &place, i);
		assert_int_equal(tree_next(&p->tree, &place), i + 1 < m->count);
	}
	check_place(p, &place, m->count);
	assert_false(tree_next(&p->tree, &place));
	for (size_t i = m->count; i-- > 0;) {
		assert_true(tree_prev(&p->tree, &place));
		check_place(p, &place, i);
	}
	assert_false(tree_prev(&p->tree, &place));
	tree_last(&p->tree, &place);
	check_place(p, &place, m->count ? m->count - 1 : 0);
}

static void check_runs(const struct pair *p, size_t at) {
	const struct model *m = &p->model;
	struct tree_place place;
	if (at < m->count)
		tree_seek(&p->tree, by_number, m->records[at].words, &place);
	else
		tree_end(&p->tree, &place);
	size_t i = at;
	for (struct tree_run run = tree_run_from(&p->tree, &place); run.count; run = tree_run_next(&p->tree, &run)) {
		for (size_t j = 0; j < run.count; j++, i++) {
			assert_memory_equal(run.records + j * m->words * 8, m->records[i].words, m->words * 8);
		}
	}
	assert_int_equal(i, m->count);
	i = at;
	for (struct tree_run run = tree_run_before(&p->tree, &place); run.count; run = tree_run_prev(&p->tree, &run)) {
		for (size_t j = run.count; j-- > 0;) {
			i--;
			assert_memory_equal(run.records + j * m->words * 8, m->records[i].words, m->words * 8);
		}
	}
	assert_int_equal(i, 0);
}

static void check_ranges(const struct pair *p, uint64_t numbers) {
	for (int i = 0; i < 8; i++) {
		uint64_t thousand = random_below(numbers / 1000 + 2);
		struct tree_place place;
		tree_seek(&p->tree, by_thousands, &thousand, &place);
		check_place(p, &place, model_lower(&p->model, thousand, by_thousands, 0));
		tree_seek_behind(&p->tree, by_thousands, &thousand, &place);
		check_place(p, &place, model_lower(&p->model, thousand, by_thousands, 1));
	}
}

static void check_visit(void *context, const void *record) {
	const struct record **next = context;
	assert_memory_equal(record, *next, 8);
	++*next;
}

static void check_all(const struct pair *p, uint64_t numbers) {
	const char *wrong = tree_check(&p->tree, by_number);
	if (wrong) fail_msg("%s", wrong);
	assert_int_equal(tree_count(&p->tree), p->model.count);
	check_positions(p);
	check_walks(p);
	check_runs(p, (size_t)random_below(p->model.count + 1));
	check_ranges(p, numbers);
	const struct record *next = p->model.records;
	tree_each(&p->tree, check_visit, &next);
	assert_true(next == p->model.records + p->model.count);
}

/* ---- Random work ---- */

/* Grows to about `most` records and back to none, a few times, with the insertions where `pick` says. */
static void grow_and_decay(
	struct pair *p, size_t most, uint64_t (*pick)(const struct pair *, uint64_t), uint64_t numbers) {
	for (unsigned round = 0; round < testing_rounds(2); round++) {
		while (p->model.count < most) {
			for (unsigned i = 0; i < 1 + most / 8; i++) {
				if (p->model.count == 0 || random_below(4))
					insert(p, pick(p, numbers));
				else if (random_below(2))
					remove_from(p, (size_t)random_below(p->model.count), 1);
				else
					change_one(p, (size_t)random_below(p->model.count));
			}
			check_all(p, numbers);
		}
		unsigned from = (unsigned)random_below(3); /* the start, the end, anywhere */
		while (p->model.count > 0) {
			for (unsigned i = 0; i < 1 + most / 8 && p->model.count > 0; i++) {
				size_t at = from == 0   ? 0
					    : from == 1 ? p->model.count - 1
							: (size_t)random_below(p->model.count);
				remove_from(p, at, 1 + (size_t)random_below(random_below(8) ? 2 : most / 8));
				if (p->model.count > 0 && random_below(4) == 0)
					change_one(p, (size_t)random_below(p->model.count));
			}
			check_all(p, numbers);
		}
	}
}

static uint64_t pick_any(const struct pair *p, uint64_t numbers) {
	(void)p;
	return random_below(numbers);
}
static uint64_t pick_ascending(const struct pair *p, uint64_t numbers) {
	uint64_t next = p->model.count ? p->model.records[p->model.count - 1].words[0] + 1 : numbers / 2;
	return random_below(8) ? next : next - random_below(10);
}
static uint64_t pick_descending(const struct pair *p, uint64_t numbers) {
	uint64_t next = p->model.count ? p->model.records[0].words[0] - 1 : numbers * 2;
	return random_below(8) ? next : next + random_below(10);
}
/* Where the last ones went. */
static uint64_t pick_in_places(const struct pair *p, uint64_t numbers) {
	(void)p;
	static uint64_t around;
	if (random_below(200) == 0) around = random_below(numbers);
	return around++;
}

static void test_random_work(void **state) {
	(void)state;
	testing_begin(1);
	static const size_t sizes[] = { 3, 20, 200, 4000 };
	for (unsigned words = 1; words <= MAX_WORDS; words++) {
		for (unsigned weighed = 0; weighed < (words > 1 ? 2 : 1); weighed++) {
			for (unsigned size = 0; size < 4; size++) {
				struct pair p;
				pair_init(&p, words, weighed);
				grow_and_decay(&p, sizes[size], pick_any, sizes[size] * 4);
				grow_and_decay(&p, sizes[size], pick_ascending, 1000);
				grow_and_decay(&p, sizes[size], pick_descending, 1u << 30);
				grow_and_decay(&p, sizes[size], pick_in_places, 1u << 20);
				pair_release(&p);
			}
		}
	}
}

/* Three levels of inner nodes, which the above is too small for. Checked by tree_check alone. */
static void test_high_tree(void **state) {
	(void)state;
	testing_begin(2);
	struct tree t;
	tree_init(&t, 32);
	for (unsigned i = 0; i < 400000; i++) {
		struct record record = { { random_u64(), i, 0, 0 } };
		struct tree_place place;
		tree_seek(&t, by_number, record.words, &place);
		tree_insert(&t, &place, record.words);
		if (i % 50000 == 0) assert_null(tree_check(&t, by_number));
	}
	assert_int_equal(tree_count(&t), 400000);
	while (tree_count(&t) > 0) {
		/* Whole stretches, so that inner nodes go as well. */
		struct tree_place place;
		tree_at(&t, (size_t)random_below(tree_count(&t)), &place, NULL);
		for (uint64_t n = random_below(3000); n > 0 && tree_record(&t, &place); n--) tree_remove(&t, &place);
		if (random_below(16) == 0) assert_null(tree_check(&t, by_number));
	}
	assert_int_equal(tree_memory(&t), 0);
	tree_release(&t);
}

/* ---- How full leaves get ---- */

/* Bytes per record beyond its own, in percent of its own. */
static double overhead(const struct tree *t, unsigned record_bytes) {
	double own = (double)(tree_count(t) * record_bytes);
	return 100 * ((double)tree_memory(t) - own) / own;
}

static void fill(struct tree *t, unsigned record_bytes, uint64_t (*next)(uint64_t)) {
	tree_init(t, record_bytes);
	for (uint64_t i = 0; i < 100000; i++) {
		struct record record = { { next(i), i, i, i } };
		struct tree_place place;
		tree_seek(t, by_number, record.words, &place);
		tree_insert(t, &place, record.words);
	}
	assert_null(tree_check(t, by_number));
}

static uint64_t next_ascending(uint64_t i) {
	return i;
}
static uint64_t next_descending(uint64_t i) {
	return 1000000 - i;
}
static uint64_t next_random(uint64_t i) {
	(void)i;
	return random_u64();
}
/* As times from several clocks are: rising, but a little out of order. */
static uint64_t next_nearly_ascending(uint64_t i) {
	return (i * 16 + random_below(32)) << 20 | i;
}

static void test_memory(void **state) {
	(void)state;
	testing_begin(3);
	static const struct {
		uint64_t (*next)(uint64_t);
		double most[2]; /* percent, for records of 8 and of 16 bytes */
	} cases[] = {
		{ next_ascending, { 14, 16 } },
		{ next_descending, { 14, 16 } },
		{ next_nearly_ascending, { 18, 20 } },
		{ next_random, { 32, 34 } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned words = 1; words <= 2; words++) {
			struct tree t;
			fill(&t, words * 8, cases[i].next);
			double found = overhead(&t, words * 8);
			print_message("case %zu, records of %u bytes: %.1f %% overhead\n", i, words * 8, found);
			assert_true(found < cases[i].most[words - 1]);
			tree_release(&t);
		}
	}
	/* A few records take little. */
	struct tree t;
	tree_init(&t, 16);
	struct record record = { { 1, 2, 0, 0 } };
	tree_append(&t, record.words);
	assert_in_range(tree_memory(&t), 1, 96);
	tree_release(&t);
}

static void test_append(void **state) {
	(void)state;
	struct pair p;
	pair_init(&p, 2, true);
	for (uint64_t i = 0; i < 5000; i++) {
		struct record record = new_record(&p, i);
		tree_append(&p.tree, record.words);
		model_insert(&p.model, i, &record);
	}
	check_all(&p, 5000);
	pair_release(&p);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_work),
		cmocka_unit_test(test_high_tree),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_append),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
