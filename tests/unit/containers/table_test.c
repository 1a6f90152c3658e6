/* table: random work against a naive model, SCAN's guarantee while buckets are split and merged, fairness, colliding
 * hashes, memory, and the hints that other threads may take. */
#include "../testing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "containers/table.h"

struct item {
	uint64_t hash;
	unsigned id;
	bool present;
};

static uint64_t hash_of(const void *item) {
	return ((const struct item *)item)->hash;
}

static bool has_id(const void *item, const void *key) {
	return ((const struct item *)item)->id == *(const unsigned *)key;
}

static struct table_place find(const struct table *t, const struct item *item) {
	return table_find(t, item->hash, has_id, &item->id);
}

static void insert(struct table *t, struct item *item) {
	table_insert(t, item->hash, item, hash_of);
	item->present = true;
}

static void take_out(struct table *t, struct item *item) {
	struct table_place place = find(t, item);
	assert_non_null(place.bucket);
	table_remove(t, place);
	item->present = false;
}

static void check(const struct table *t) {
	const char *broken = table_check(t, hash_of);
	if (broken) fail_msg("%s", broken);
}

static struct item *make_items(unsigned count) {
	struct item *items = mem_calloc(count * sizeof(*items));
	for (unsigned i = 0; i < count; i++) items[i] = (struct item){ random_u64(), i, false };
	return items;
}

/* ---- Against a model ---- */

/* `steps` times: an item by chance is looked up, and put in or taken out with a chance of `insert_percent`. Items have a twin
 * with the same hash and id, for table_replace. */
static void churn(struct table *t, struct item *items, struct item *twins, void **now, unsigned count, unsigned steps,
	unsigned insert_percent, size_t *expected) {
	for (unsigned step = 0; step < steps; step++) {
		unsigned i = (unsigned)random_below(count);
		struct table_place place = find(t, &items[i]);
		assert_ptr_equal(place.bucket ? table_item_at(place) : NULL, now[i]);
		bool wants_in = random_below(100) < insert_percent;
		if (wants_in && !now[i]) {
			table_insert(t, items[i].hash, now[i] = &items[i], hash_of);
			++*expected;
		} else if (wants_in && random_below(4) == 0) {
			table_replace(place, now[i] = now[i] == &items[i] ? &twins[i] : &items[i]);
		} else if (!wants_in && now[i]) {
			table_remove(t, place);
			now[i] = NULL;
			--*expected;
		}
		assert_int_equal(table_count(t), *expected);
	}
}

static void count_visit(void *context, void *item) {
	(void)item;
	++*(size_t *)context;
}

static void against_model(unsigned count, unsigned steps) {
	static const unsigned percents[] = { 90, 50, 10, 80, 2, 100, 0 };
	struct table t = { 0 };
	struct item *items = make_items(count), *twins = mem_calloc(count * sizeof(*twins));
	void **now = mem_calloc(count * sizeof(*now));
	size_t expected = 0;
	memcpy(twins, items, count * sizeof(*twins));
	for (unsigned phase = 0; phase < sizeof(percents) / sizeof(percents[0]); phase++) {
		churn(&t, items, twins, now, count, steps, percents[phase], &expected);
		check(&t);
		size_t seen = 0;
		table_each(&t, count_visit, &seen);
		assert_int_equal(seen, expected);
	}
	for (unsigned i = 0; i < count; i++) {
		struct table_place place = find(&t, &items[i]);
		assert_ptr_equal(place.bucket ? table_item_at(place) : NULL, now[i]);
		if (place.bucket) table_remove(&t, place);
	}
	assert_int_equal(table_count(&t), 0);
	check(&t);
	assert_null(table_random(&t));
	table_release(&t);
	mem_free(items);
	mem_free(twins);
	mem_free(now);
}

static void test_model(void **state) {
	(void)state;
	testing_begin(1);
	for (unsigned round = testing_rounds(3); round > 0; round--) {
		for (unsigned count = 1; count < 40; count++) against_model(count, 200);
		against_model(500, 3000);
		against_model(5000, 15000);
	}
	against_model(100000, testing_rounds(120000));
}

static void test_empty(void **state) {
	struct table t = { 0 };
	unsigned id = 7;
	size_t seen = 0;
	(void)state;
	assert_int_equal(table_count(&t), 0);
	assert_null(table_find(&t, 12345, has_id, &id).bucket);
	assert_null(table_random(&t));
	assert_int_equal(table_scan(&t, 0, count_visit, &seen), 0);
	assert_int_equal(table_scan(&t, UINT64_MAX, count_visit, &seen), 0);
	table_each(&t, count_visit, &seen);
	assert_int_equal(seen, 0);
	assert_int_equal(table_memory(&t), 0);
	check(&t);
	table_release(&t);
	table_release(&t);
}

/* ---- SCAN ---- */

struct scan {
	unsigned char *seen;
};

static void scan_visit(void *context, void *item) {
	((struct scan *)context)->seen[((struct item *)item)->id] = 1;
}

/* Between two steps the items from `stayers` on come and go, so that the table moves towards `target` items. */
static void drift(
	struct table *t, struct item *items, unsigned stayers, unsigned count, size_t target, unsigned moves) {
	for (; moves > 0 && count > stayers; moves--) {
		struct item *item = &items[stayers + random_below(count - stayers)];
		bool grow = table_count(t) < target;
		if (grow && !item->present) insert(t, item);
		if (!grow && item->present) take_out(t, item);
	}
}

static void scan_while_changing(unsigned stayers, unsigned count, size_t first_size, unsigned moves) {
	struct table t = { 0 };
	struct item *items = make_items(count);
	struct scan scan = { mem_calloc(count) };
	for (unsigned i = 0; i < stayers; i++) insert(&t, &items[i]);
	drift(&t, items, stayers, count, first_size, count * 4);
	uint64_t cursor = 0;
	size_t target = random_below(count + 1), steps = 0;
	do {
		cursor = table_scan(&t, cursor, scan_visit, &scan);
		assert_true(cursor < 2 * (uint64_t)t._buckets);
		if (random_below(10) == 0) target = random_below(3) ? random_below(count + 1) : 0;
		drift(&t, items, stayers, count, target, (unsigned)random_below(moves + 1));
		assert_true(++steps < 100000);
	} while (cursor != 0);
	for (unsigned i = 0; i < stayers; i++)
		if (!scan.seen[i]) fail_msg("item %u of %u was there throughout and was not returned", i, stayers);
	check(&t);
	table_release(&t);
	mem_free(items);
	mem_free(scan.seen);
}

static void test_scan_guarantee(void **state) {
	(void)state;
	testing_begin(2);
	for (unsigned round = testing_rounds(1500); round > 0; round--) {
		unsigned count = 1 + (unsigned)random_below(random_below(20) ? 300 : 3000);
		unsigned stayers = 1 + (unsigned)random_below(random_below(2) ? count : (count < 5 ? count : 5));
		unsigned moves = (unsigned[]){ 0, 3, 30, count, 4 * count }[random_below(5)];
		scan_while_changing(stayers, count, random_below(count + 1), moves);
	}
}

/* Without changes each item comes exactly once, whatever the size, also around the powers of two. */
static void test_scan_once(void **state) {
	enum { COUNT = 3000 };
	struct table t = { 0 };
	(void)state;
	testing_begin(3);
	struct item *items = make_items(COUNT);
	for (unsigned n = 0; n < COUNT; n++) {
		insert(&t, &items[n]);
		if (n > 300 && n % 97) continue;
		size_t seen = 0;
		uint64_t cursor = 0;
		do cursor = table_scan(&t, cursor, count_visit, &seen);
		while (cursor);
		assert_int_equal(seen, n + 1);
	}
	table_release(&t);
	mem_free(items);
}

/* Clients may send any number as a cursor. */
static void test_scan_hostile_cursor(void **state) {
	struct table t = { 0 };
	(void)state;
	testing_begin(4);
	struct item *items = make_items(1000);
	for (unsigned n = 0; n < 1000; n++) insert(&t, &items[n]);
	for (unsigned round = 0; round < 2000; round++) {
		uint64_t cursor = random_u64() >> random_below(64);
		size_t seen = 0, steps = 0;
		do cursor = table_scan(&t, cursor, count_visit, &seen);
		while (cursor && ++steps < 1000);
		assert_int_equal(cursor, 0);
		assert_true(seen <= 1000);
	}
	table_release(&t);
	mem_free(items);
}

/* ---- Chance ---- */

/* Chi-square of `draws` per item; six standard deviations off is no chance. */
static void check_fair(unsigned count, unsigned draws) {
	struct table t = { 0 };
	struct item *items = make_items(count);
	unsigned *hits = mem_calloc(count * sizeof(*hits));
	for (unsigned i = 0; i < count; i++) insert(&t, &items[i]);
	for (unsigned i = 0; i < count * draws; i++) hits[((struct item *)table_random(&t))->id]++;
	double chi = 0;
	for (unsigned i = 0; i < count; i++) chi += ((double)hits[i] - draws) * ((double)hits[i] - draws) / draws;
	double off = (chi - (count - 1)) * (chi - (count - 1)) / (2.0 * (count - 1));
	if (off > 36) fail_msg("chi-square is %.1f for %u items", chi, count);
	table_release(&t);
	mem_free(items);
	mem_free(hits);
}

static void test_random_is_fair(void **state) {
	(void)state;
	testing_begin(5);
	for (unsigned round = testing_rounds(1); round > 0; round--) {
		check_fair(2, 5000);
		check_fair(50, 500);  /* eight buckets, some with overflow */
		check_fair(577, 200); /* half of the buckets are split */
		check_fair(768, 200);
	}
}

/* ---- Collisions ---- */

static void collide(uint64_t fixed_bits, unsigned count) {
	struct table t = { 0 };
	uint64_t base = random_u64();
	struct item *items = make_items(count);
	for (unsigned i = 0; i < count; i++) items[i].hash = (items[i].hash & ~fixed_bits) | (base & fixed_bits);
	for (unsigned i = 0; i < count; i++) {
		insert(&t, &items[i]);
		if (i < 40 || i % 100 == 0) check(&t);
	}
	for (unsigned i = 0; i < count; i++) assert_ptr_equal(table_item_at(find(&t, &items[i])), &items[i]);
	size_t seen = 0;
	uint64_t cursor = 0;
	do cursor = table_scan(&t, cursor, count_visit, &seen);
	while (cursor);
	assert_int_equal(seen, count);
	for (unsigned left = count; left > 0; left--) {
		unsigned i = (unsigned)random_below(left);
		struct item picked = items[i];
		struct table_place place = find(&t, &picked);
		assert_non_null(place.bucket);
		assert_non_null(table_random(&t));
		/* The item's memory is given to the last one, which therefore moves. */
		table_remove(&t, place);
		assert_null(find(&t, &picked).bucket);
		if (i != left - 1) {
			struct table_place last = find(&t, &items[left - 1]);
			assert_non_null(last.bucket);
			items[i] = items[left - 1];
			table_replace(last, &items[i]);
		}
		if (left < 40 || left % 100 == 0) check(&t);
	}
	assert_int_equal(table_count(&t), 0);
	table_release(&t);
	mem_free(items);
}

static void test_collisions(void **state) {
	(void)state;
	testing_begin(6);
	for (unsigned round = testing_rounds(1); round > 0; round--) {
		collide(UINT64_MAX, 700);            /* equal in every bit */
		collide((uint64_t)0xff << 56, 3000); /* one tag */
		collide(0xffffffff, 700);            /* one bucket, whatever the size */
		collide(0x3f, 3000);                 /* one bucket of the first 64 */
	}
	/* Hash 0 has tag 0, which would mean a free slot. */
	struct table t = { 0 };
	struct item zero[30];
	for (unsigned i = 0; i < 30; i++) {
		zero[i] = (struct item){ 0, i, false };
		insert(&t, &zero[i]);
	}
	check(&t);
	for (unsigned i = 0; i < 30; i++) take_out(&t, &zero[i]);
	table_release(&t);
}

/* ---- Memory ---- */

static size_t resident_pages(void *from, size_t bytes) {
	uintptr_t begin = ((uintptr_t)from + 4095) & ~(uintptr_t)4095,
		  end = ((uintptr_t)from + bytes) & ~(uintptr_t)4095;
	size_t pages = (end - begin) / 4096, count = 0;
	unsigned char *map = mem_calloc(pages + 1);
	assert_int_equal(mincore((void *)begin, end - begin, map), 0);
	for (size_t i = 0; i < pages; i++) count += map[i] & 1;
	mem_free(map);
	return count;
}

static void test_memory_returns(void **state) {
	enum { COUNT = 120000, LEVEL = 11, LEVEL_BYTES = 64 << 13 };
	struct table t = { 0 };
	(void)state;
	testing_begin(7);
	struct item *items = make_items(COUNT);
	for (unsigned i = 0; i < COUNT; i++) insert(&t, &items[i]);
	assert_true(table_memory(&t) < (size_t)COUNT * 40);
	assert_non_null(t._level[LEVEL]);
	assert_true(resident_pages(t._level[LEVEL], LEVEL_BYTES) > LEVEL_BYTES / 4096 - 3);
	for (unsigned i = 0; i < COUNT; i++) take_out(&t, &items[i]);
	check(&t);
	assert_int_equal(t._overflow, 0);
	assert_int_equal(t._buckets, 1);
	assert_int_equal(resident_pages(t._level[LEVEL], LEVEL_BYTES), 0);
	for (unsigned i = 0; i < COUNT; i += 3) insert(&t, &items[i]);
	check(&t);
	table_release(&t);
	assert_int_equal(table_memory(&t), 0);
	mem_free(items);
}

static void free_spare(struct table *t) {
	void *spare[TABLE_LEVELS];
	unsigned count = table_take_spare(t, spare);
	for (unsigned i = 0; i < count; i++) mem_free(spare[i]);
}

/* Spare levels are taken at any time between changes, and never one that the table still needs. */
static void test_spare(void **state) {
	enum { COUNT = 40000 };
	struct table t = { 0 };
	(void)state;
	testing_begin(10);
	assert_false(table_has_spare(&t));
	struct item *items = make_items(COUNT);
	for (unsigned round = testing_rounds(2); round > 0; round--) {
		for (unsigned i = 0; i < COUNT; i++) {
			insert(&t, &items[i]);
			assert_false(table_has_spare(&t));
		}
		size_t full = table_memory(&t);
		for (unsigned i = 0; i < COUNT; i++) {
			take_out(&t, &items[i]);
			/* Few are still there: what they take is bounded by their number, small tables aside. */
			if (table_has_spare(&t) && random_below(50) == 0) {
				free_spare(&t);
				assert_false(table_has_spare(&t));
				assert_true(table_memory(&t) < 4096 + (COUNT - i) * 64);
				check(&t);
			}
		}
		free_spare(&t);
		check(&t);
		assert_true(table_memory(&t) * 50 < full);
	}
	table_release(&t);
	mem_free(items);
}

static void free_visit(void *context, void *item) {
	--*(size_t *)context;
	mem_free(item);
}

/* A walk in batches of any size brings each item once; also through long chains. */
static void test_walk(void **state) {
	(void)state;
	testing_begin(11);
	for (unsigned count = 0; count < 2000; count = count * 3 + 1) {
		struct table t = { 0 };
		struct item *items = make_items(count);
		for (unsigned i = 0; i < count; i++) {
			if (random_below(3) == 0) items[i].hash = 5;
			insert(&t, &items[i]);
		}
		struct table_walk walk = { 0 };
		void *batch[40];
		size_t seen = 0, room, got;
		while ((got = table_walk(&t, &walk, batch, room = 1 + random_below(40))) > 0) {
			assert_true(got == room || seen + got == count);
			seen += got;
			for (size_t i = 0; i < got; i++) {
				struct item *item = batch[i];
				assert_true(item->present);
				item->present = false;
			}
		}
		assert_int_equal(seen, count);
		assert_int_equal(table_walk(&t, &walk, batch, 40), 0);
		table_release(&t);
		mem_free(items);
	}
}

/* With room for them, items come without a split: no hash is asked for. */
static uint64_t no_hash(const void *item) {
	(void)item;
	fail_msg("the hash of an item was asked for");
	return 0;
}

static void test_reserve(void **state) {
	(void)state;
	testing_begin(12);
	for (unsigned count = 1; count < 20000; count = count * 3 + 1) {
		struct table t = { 0 };
		struct item *items = make_items(count);
		table_reserve(&t, count);
		check(&t);
		for (unsigned i = 0; i < count; i++) {
			table_insert(&t, items[i].hash, &items[i], no_hash);
			items[i].present = true;
		}
		check(&t);
		size_t memory = table_memory(&t);
		struct table grown = { 0 };
		for (unsigned i = 0; i < count; i++) insert(&grown, &items[i]);
		assert_in_range(memory, table_memory(&grown) / 2, table_memory(&grown) * 2);
		table_release(&grown);
		/* It goes on as any other table: grows, and shrinks to nothing. */
		struct item more = { random_u64(), count, false };
		insert(&t, &more);
		check(&t);
		take_out(&t, &more);
		for (unsigned i = 0; i < count; i++) take_out(&t, &items[i]);
		check(&t);
		table_release(&t);
		mem_free(items);
	}
}

static void test_each_may_free(void **state) {
	enum { COUNT = 3000 };
	struct table t = { 0 };
	size_t left = COUNT;
	(void)state;
	testing_begin(8);
	for (unsigned i = 0; i < COUNT; i++) {
		struct item *item = mem_alloc(sizeof(*item));
		*item = (struct item){ i % 10 ? random_u64() : 0, i, false };
		insert(&t, item);
	}
	table_each(&t, free_visit, &left);
	assert_int_equal(left, 0);
	table_release(&t);
}

/* ---- Hints from other threads ---- */

static struct {
	struct table table;
	atomic_bool stop;
	atomic_uint rounds;
} shared;

static void *prefetcher(void *unused) {
	(void)unused;
	random_seed_thread(testing_seed() + 99);
	while (!atomic_load(&shared.stop)) {
		for (int i = 0; i < 1000; i++) {
			uint64_t hash = random_u64();
			table_prefetch(&shared.table, hash);
			table_prefetch_items(&shared.table, hash);
		}
		atomic_fetch_add(&shared.rounds, 1);
	}
	return NULL;
}

static void test_prefetch_beside_changes(void **state) {
	enum { COUNT = 20000 };
	pthread_t thread;
	(void)state;
	testing_begin(9);
	struct item *items = make_items(COUNT);
	assert_int_equal(pthread_create(&thread, NULL, prefetcher, NULL), 0);
	for (unsigned round = 0; round < testing_rounds(3) || atomic_load(&shared.rounds) < 20; round++) {
		for (unsigned i = 0; i < COUNT; i++) insert(&shared.table, &items[i]);
		for (unsigned i = 0; i < COUNT; i++) take_out(&shared.table, &items[i]);
	}
	atomic_store(&shared.stop, true);
	pthread_join(thread, NULL);
	check(&shared.table);
	table_release(&shared.table);
	mem_free(items);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_scan_guarantee),
		cmocka_unit_test(test_scan_once),
		cmocka_unit_test(test_scan_hostile_cursor),
		cmocka_unit_test(test_random_is_fair),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_memory_returns),
		cmocka_unit_test(test_spare),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_each_may_free),
		cmocka_unit_test(test_prefetch_beside_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
