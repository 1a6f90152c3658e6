/* Walks: SCAN over the store while it changes, fair random keys, exact expiry shard by shard, flushes in the background, and
 * that none of them keeps a lock or loses count. */
#include "../testing.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "store/keyspace.h"
#include "store/reclaim.h"

static struct gate gate;
static struct gate_member members[2]; /* two, so that the shard locks are real */
static struct store *store;
static struct store_stats stats;
static struct view view;

static void open_store(unsigned dbs, uint32_t shards) {
	gate_init(&gate, shards);
	gate_join(&gate, &members[0]);
	gate_join(&gate, &members[1]);
	store = store_new(&gate, dbs, NULL, NULL);
	stats = (struct store_stats){ 0 };
	view = store_view(store, 0, &stats, NULL);
	view.member = &members[0];
	view.now_ms = 1700000000000;
}

static void close_store(void) {
	struct buffer report = { 0 };
	if (store_check(store, &report) != 0) fail_msg("%.*s", (int)report.len, report.data);
	buffer_release(&report);
	/* All locks are free again. */
	for (uint32_t i = 0; i < gate.shard_count; i++) assert_int_equal(gate.shards[i].lock._state, 0);
	store_free(store);
	gate_leave(&members[1]);
	gate_leave(&members[0]);
	gate_release(&gate);
	reclaim_drain();
}

static struct slice name_of(unsigned id, char *space) {
	return slice_of(space, (size_t)sprintf(space, "key:%u", id));
}

static unsigned id_of(const struct entry *e) {
	char text[32] = { 0 };
	struct slice name = entry_key(e);
	assert_true(name.len < sizeof(text));
	memcpy(text, name.ptr, name.len);
	return (unsigned)strtoul(text + 4, NULL, 10);
}

static bool add_to(struct view *v, unsigned id, int64_t expiry_ms) {
	char space[32];
	struct key key = key_of(name_of(id, space));
	if (store_find_write(v, &key)) return false;
	assert_non_null(store_put_string(v, &key, NULL, SLICE_LITERAL("value"), expiry_ms));
	return true;
}

static bool remove_from(struct view *v, unsigned id) {
	char space[32];
	struct key key = key_of(name_of(id, space));
	struct entry *e = store_find_write(v, &key);
	if (e) store_remove(v, &key, e);
	return e != NULL;
}

/* ---- SCAN ---- */

struct seen {
	unsigned char *times;
	size_t all;
};

static void see(void *context, const struct entry *e) {
	struct seen *seen = context;
	seen->times[id_of(e)]++;
	seen->all++;
}

static void scan_while_changing(uint32_t shards, unsigned stayers, unsigned count, size_t step) {
	open_store(2, shards);
	struct seen seen = { mem_calloc(count), 0 };
	struct view beside = view_in_db(&view, 1);
	for (unsigned i = 0; i < stayers; i++) add_to(&view, i, EXPIRY_NONE);
	for (unsigned i = 0; i < count; i++) add_to(&beside, i, EXPIRY_NONE);
	uint64_t cursor = 0;
	unsigned calls = 0;
	do {
		size_t before = seen.all;
		cursor = store_scan(&view, cursor, step, see, &seen);
		assert_true(cursor < UINT64_C(1) << 40);
		/* About as many as asked for: a step of the table may bring two buckets with what overflowed. */
		assert_true(seen.all - before <= step + 80);
		bool grow = random_below(2);
		for (unsigned moves = (unsigned)random_below(count / 2 + 1); moves > 0 && count > stayers; moves--) {
			unsigned id = stayers + (unsigned)random_below(count - stayers);
			if (grow)
				add_to(&view, id, EXPIRY_NONE);
			else
				remove_from(&view, id);
		}
		assert_true(++calls < 100000);
	} while (cursor != 0);
	for (unsigned i = 0; i < stayers; i++)
		if (!seen.times[i]) fail_msg("key %u of %u was there throughout and was not returned", i, stayers);
	mem_free(seen.times);
	close_store();
}

static void test_scan_guarantee(void **state) {
	(void)state;
	testing_begin(1);
	for (unsigned round = testing_rounds(40); round > 0; round--) {
		unsigned count = 2 + (unsigned)random_below(2000);
		uint32_t shards = 1u << random_below(6);
		scan_while_changing(
			shards, 1 + (unsigned)random_below(count), count, 1 + random_below(random_below(2) ? 10 : 300));
	}
}

static void test_scan_and_each_once(void **state) {
	enum { COUNT = 3000 };
	(void)state;
	testing_begin(2);
	open_store(3, 128);
	for (unsigned i = 0; i < COUNT; i++) add_to(&view, i, i % 3 ? EXPIRY_NONE : view.now_ms + (int64_t)(i % 2));
	view.now_ms++; /* those with an even number that divides by three have ended */
	for (unsigned way = 0; way < 3; way++) {
		struct seen seen = { mem_calloc(COUNT), 0 };
		uint64_t cursor = 0;
		if (way == 2) view.flags |= VIEW_HAS_WORLD;
		if (way == 0) {
			store_for_each(&view, see, &seen);
		} else {
			do cursor = store_scan(&view, cursor, 1, see, &seen);
			while (cursor);
		}
		for (unsigned i = 0; i < COUNT; i++) assert_int_equal(seen.times[i], i % 6 ? 1 : 0);
		mem_free(seen.times);
	}
	assert_int_equal(store_db_size(&view), COUNT);
	assert_int_equal(store_db_expires(&view), COUNT / 3);
	struct view empty = view_in_db(&view, 2);
	assert_int_equal(store_scan(&empty, 0, 10, see, NULL), 0);
	store_for_each(&empty, see, NULL);
	close_store();
}

static void ignore(void *context, const struct entry *e) {
	(void)context;
	(void)e;
}

/* Clients may send any number. */
static void test_scan_hostile_cursor(void **state) {
	(void)state;
	testing_begin(3);
	open_store(1, 16);
	for (unsigned i = 0; i < 1000; i++) add_to(&view, i, EXPIRY_NONE);
	for (unsigned round = 0; round < 1000; round++) {
		uint64_t cursor = random_u64() >> random_below(64);
		unsigned calls = 0;
		do cursor = store_scan(&view, cursor, 1 + random_below(50), ignore, NULL);
		while (cursor && ++calls < 5000);
		assert_int_equal(cursor, 0);
	}
	assert_int_equal(store_scan(&view, 0, SIZE_MAX, ignore, NULL), 0);
	close_store();
}

static void test_visit_one(void **state) {
	struct seen seen = { (unsigned char[8]){ 0 }, 0 };
	(void)state;
	testing_begin(4);
	open_store(1, 16);
	add_to(&view, 5, view.now_ms);
	store_visit_one(&view, SLICE_LITERAL("key:5"), see, &seen);
	store_visit_one(&view, SLICE_LITERAL("key:6"), see, &seen);
	view.now_ms++;
	store_visit_one(&view, SLICE_LITERAL("key:5"), see, &seen);
	assert_int_equal(seen.all, 1);
	assert_int_equal(seen.times[5], 1);
	close_store();
}

/* ---- Random keys ---- */

static void test_random_key_is_fair(void **state) {
	enum { COUNT = 120, DRAWS = 150 };
	unsigned hits[COUNT] = { 0 };
	struct buffer name = { 0 };
	(void)state;
	testing_begin(5);
	open_store(2, 16);
	assert_false(store_random_key(&view, &name));
	for (unsigned i = 0; i < COUNT; i++) add_to(&view, i, EXPIRY_NONE);
	for (unsigned i = 0; i < COUNT * DRAWS; i++) {
		name.len = 0;
		assert_true(store_random_key(&view, &name));
		buffer_append_char(&name, '\0');
		hits[strtoul(name.data + 4, NULL, 10)]++;
	}
	double chi = 0;
	for (unsigned i = 0; i < COUNT; i++) chi += ((double)hits[i] - DRAWS) * ((double)hits[i] - DRAWS) / DRAWS;
	double off = (chi - (COUNT - 1)) * (chi - (COUNT - 1)) / (2.0 * (COUNT - 1));
	if (off > 49) fail_msg("chi-square is %.1f", chi);
	buffer_release(&name);
	close_store();
}

static void test_random_key_is_live(void **state) {
	struct buffer name = { 0 };
	(void)state;
	testing_begin(6);
	open_store(1, 4);
	for (unsigned i = 0; i < 10; i++) add_to(&view, i, i == 3 ? EXPIRY_NONE : view.now_ms);
	view.now_ms++;
	for (unsigned i = 0; i < 20; i++) {
		name.len = 0;
		if (!store_random_key(&view, &name)) continue; /* a hundred misses in a row: once in 40,000 */
		assert_true(slice_equal(buffer_slice(&name), SLICE_LITERAL("key:3")));
	}
	remove_from(&view, 3);
	assert_false(store_random_key(&view, &name));
	buffer_release(&name);
	close_store();
}

/* ---- Expiry ---- */

static void test_expire_shard(void **state) {
	enum { COUNT = 3000, SPAN = 500 };
	size_t ending[SPAN + 1] = { 0 };
	(void)state;
	testing_begin(7);
	open_store(5, 8);
	int64_t start = view.now_ms;
	for (unsigned i = 0; i < COUNT; i++) {
		struct view v = view_in_db(&view, (unsigned)random_below(5));
		unsigned after = (unsigned)random_below(SPAN);
		add_to(&v, i, i % 4 ? start + after : EXPIRY_NONE);
		if (i % 4) ending[after]++;
	}
	size_t due = 0, gone = 0;
	for (unsigned t = 0; t <= SPAN; t++) {
		view.now_ms = start + t;
		if (t > 0) due += ending[t - 1];
		for (uint32_t shard = 0; shard < 8; shard++) {
			int64_t next;
			size_t limit = 1 + random_below(5), went;
			do {
				went = store_expire_shard(&view, shard, limit, &next);
				assert_true(went <= limit);
				gone += went;
			} while (went == limit);
			assert_true(next >= view.now_ms);
		}
		assert_int_equal(gone, due);
		assert_int_equal(stats.expired_keys, due);
	}
	size_t left = 0;
	for (unsigned d = 0; d < 5; d++) {
		struct view v = view_in_db(&view, d);
		left += store_db_size(&v);
		assert_int_equal(store_db_expires(&v), 0);
	}
	assert_int_equal(left, COUNT / 4);
	int64_t next;
	for (uint32_t shard = 0; shard < 8; shard++) {
		assert_int_equal(store_expire_shard(&view, shard, 10, &next), 0);
		assert_true(next == INT64_MAX);
	}
	close_store();
}

/* Cut off by the limit, it says that there is more to do now; a limit of nothing removes nothing. */
static void test_expire_limit(void **state) {
	int64_t next;
	(void)state;
	testing_begin(8);
	open_store(2, 1);
	struct view second = view_in_db(&view, 1);
	for (unsigned i = 0; i < 10; i++) add_to(i % 2 ? &view : &second, i, view.now_ms);
	add_to(&second, 100, view.now_ms + 50);
	view.now_ms++;
	assert_int_equal(store_expire_shard(&view, 0, 0, &next), 0);
	assert_true(next < view.now_ms);
	assert_int_equal(store_expire_shard(&view, 0, 7, &next), 7);
	assert_true(next < view.now_ms);
	assert_int_equal(store_expire_shard(&view, 0, 7, &next), 3);
	assert_int_equal(next, view.now_ms + 49);
	close_store();
}

static void test_totals(void **state) {
	struct store_totals totals;
	(void)state;
	testing_begin(9);
	open_store(1, 4);
	store_totals(&view, &totals);
	assert_int_equal(totals.keys + totals.table_bytes + totals.index_bytes + totals.entry_bytes, 0);
	for (unsigned i = 0; i < 1000; i++) add_to(&view, i, i % 2 ? EXPIRY_NONE : view.now_ms + 1000);
	store_totals(&view, &totals);
	assert_int_equal(totals.keys, 1000);
	assert_int_equal(totals.volatile_keys, 500);
	assert_in_range(totals.entry_bytes, 1000 * 32, 1000 * 48);
	assert_in_range(totals.table_bytes, 1000 * 7, 1000 * 40);
	assert_in_range(totals.index_bytes, 500 * 12, 500 * 40);
	assert_int_equal(totals.ttl_sum_ms, (int64_t)totals.ttl_samples * 1000);
	close_store();
}

/* ---- Whole databases ---- */

static void test_flush_lazily(void **state) {
	enum { COUNT = 5000 };
	(void)state;
	testing_begin(10);
	open_store(3, 64);
	static char big[600000];
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < COUNT; i++) add_to(&view, i, i % 2 ? EXPIRY_NONE : view.now_ms + i);
		struct key key = key_of(SLICE_LITERAL("big"));
		store_put_string(&view, &key, NULL, slice_of(big, sizeof(big)), EXPIRY_NONE);
		struct view third = view_in_db(&view, 2);
		add_to(&third, 7, EXPIRY_NONE);
		size_t done = reclaim_done();
		assert_int_equal(store_flush(store, 1, STORE_FLUSH_LAZILY), 0);
		if (round % 2) {
			assert_int_equal(store_flush(store, 0, STORE_FLUSH_LAZILY), COUNT + 1);
			assert_int_equal(store_db_size(&third), 1);
			assert_int_equal(store_flush(store, -1, STORE_FLUSH_NOW), 1);
		} else {
			assert_int_equal(store_flush(store, -1, STORE_FLUSH_LAZILY), COUNT + 2);
		}
		/* The database is usable at once, while the old one is being freed. */
		assert_true(add_to(&view, 1, EXPIRY_NONE));
		assert_int_equal(store_db_size(&view), 1);
		assert_true(remove_from(&view, 1));
		reclaim_drain();
		assert_true(reclaim_done() >= done + 2);
		assert_int_equal(reclaim_pending(), 0);
	}
	close_store();
}

static void test_swap(void **state) {
	(void)state;
	testing_begin(11);
	open_store(200, 2);
	assert_int_equal(store_db_count(store), 200);
	struct view last = view_in_db(&view, 199);
	add_to(&view, 1, view.now_ms);
	add_to(&last, 2, EXPIRY_NONE);
	add_to(&last, 3, EXPIRY_NONE);
	store_swap_dbs(store, 0, 199);
	assert_int_equal(store_db_size(&view), 2);
	assert_int_equal(store_db_size(&last), 1);
	store_swap_dbs(store, 5, 5);
	view.now_ms++;
	int64_t next;
	size_t gone = store_expire_shard(&view, 0, 10, &next) + store_expire_shard(&view, 1, 10, &next);
	assert_int_equal(gone, 1);
	assert_int_equal(store_db_size(&last), 0);
	close_store();
}

/* Many databases that nobody uses cost next to nothing. */
static void test_unused_databases(void **state) {
	(void)state;
	testing_begin(12);
	size_t before = mem_resident_bytes();
	open_store(200, 1024);
	assert_true(mem_resident_bytes() < before + (8u << 20));
	for (unsigned d = 0; d < 200; d++) {
		struct view v = view_in_db(&view, d);
		add_to(&v, d, EXPIRY_NONE);
		assert_int_equal(store_db_size(&v), 1);
	}
	close_store();
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan_guarantee),
		cmocka_unit_test(test_scan_and_each_once),
		cmocka_unit_test(test_scan_hostile_cursor),
		cmocka_unit_test(test_visit_one),
		cmocka_unit_test(test_random_key_is_fair),
		cmocka_unit_test(test_random_key_is_live),
		cmocka_unit_test(test_expire_shard),
		cmocka_unit_test(test_expire_limit),
		cmocka_unit_test(test_totals),
		cmocka_unit_test(test_flush_lazily),
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_unused_databases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
