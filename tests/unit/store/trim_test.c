/* store_trim: tables that have shrunk give their memory back, in every database and shard, those that have not keep theirs, and
 * hints from another worker meanwhile are harmless. */
#include "../testing.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "store/keyspace.h"
#include "store/reclaim.h"

enum { SHARDS = 256, DBS = 3, KEYS = 60000 };

static struct gate gate;
static struct gate_member members[2];
static struct store *store;
static struct store_stats stats;

static void open_store(void) {
	gate_init(&gate, SHARDS);
	gate_join(&gate, &members[0]);
	gate_join(&gate, &members[1]);
	store = store_new(&gate, DBS, NULL, NULL);
	stats = (struct store_stats){ 0 };
	gate_inside(&members[0]);
}

static struct view view_of(unsigned db) {
	struct view v = store_view(store, db, &stats, NULL);
	v.member = &members[0];
	v.now_ms = 1700000000000;
	return v;
}

static void close_store(void) {
	struct buffer report = { 0 };
	if (store_check(store, &report) != 0) fail_msg("%.*s", (int)report.len, report.data);
	buffer_release(&report);
	store_free(store);
	gate_outside(&members[0]);
	gate_leave(&members[1]);
	gate_leave(&members[0]);
	gate_release(&gate);
	reclaim_drain();
}

static void put(unsigned db, unsigned id) {
	char space[32];
	struct view v = view_of(db);
	struct key key = key_of(slice_of(space, (size_t)sprintf(space, "key:%u", id)));
	uint32_t shard = store_shard_of(store, key.hash);
	assert_true(gate_lock(&members[0], shard));
	assert_non_null(store_put_string(&v, &key, store_find_write(&v, &key), SLICE_LITERAL("value"), EXPIRY_NONE));
	gate_unlock(&members[0], shard);
}

static void take_out(unsigned db, unsigned id) {
	char space[32];
	struct view v = view_of(db);
	struct key key = key_of(slice_of(space, (size_t)sprintf(space, "key:%u", id)));
	uint32_t shard = store_shard_of(store, key.hash);
	assert_true(gate_lock(&members[0], shard));
	struct entry *e = store_find_write(&v, &key);
	assert_non_null(e);
	store_remove(&v, &key, e);
	gate_unlock(&members[0], shard);
}

static size_t table_bytes(unsigned db) {
	struct view v = view_of(db);
	struct store_totals totals;
	store_totals(&v, &totals);
	return totals.table_bytes;
}

/* A round over all shards. */
static size_t trim(uint32_t *at) {
	size_t pieces = 0;
	uint32_t first = *at;
	do pieces += store_trim(store, &members[0], stats.databases, at);
	while (*at != first);
	return pieces;
}

static void test_shrunken_tables(void **state) {
	uint32_t at = 0;
	(void)state;
	testing_begin(1);
	open_store();
	for (unsigned i = 0; i < KEYS / 2; i++) put(0, i);
	for (unsigned i = 0; i < KEYS; i++) put(2, i);
	size_t small = table_bytes(0), grown = table_bytes(2), before;
	for (unsigned i = KEYS / 2; i < KEYS; i++) put(0, i);
	assert_true((before = table_bytes(0)) > small);
	assert_int_equal(trim(&at), 0);
	for (unsigned i = KEYS / 2; i < KEYS; i++) take_out(0, i);
	assert_true(table_bytes(0) > small + (before - small) / 2);
	assert_true(trim(&at) > 0);
	/* The same keys as at first: of what the others had added, 89 to 98 hundredths go, as the hash has spread the keys. */
	assert_true(table_bytes(0) <= small + (before - small) / 5);
	assert_int_equal(table_bytes(2), grown);
	assert_int_equal(trim(&at), 0);
	for (unsigned i = KEYS / 2; i < KEYS; i++) put(0, i);
	for (unsigned i = 0; i < KEYS; i++) take_out(0, i);
	for (unsigned i = 0; i < KEYS; i++) take_out(2, i);
	assert_true(trim(&at) > 0);
	assert_true(table_bytes(0) + table_bytes(2) <= 2 * (size_t)SHARDS * 2048);
	close_store();
}

/* A table that breathes by a tenth keeps what it has. */
static void test_breathing(void **state) {
	uint32_t at = 0;
	(void)state;
	testing_begin(2);
	open_store();
	for (unsigned i = 0; i < KEYS; i++) put(0, i);
	trim(&at);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < KEYS / 10; i++) take_out(0, i);
		assert_int_equal(trim(&at), 0);
		for (unsigned i = 0; i < KEYS / 10; i++) put(0, i);
	}
	close_store();
}

static atomic_bool stop;

static void *hinting(void *unused) {
	(void)unused;
	struct view v = view_of(0);
	random_seed_thread(testing_seed() + 5);
	gate_inside(&members[1]);
	while (!atomic_load(&stop)) {
		for (unsigned i = 0; i < 64; i++) {
			uint64_t hash = random_u64();
			store_prefetch(&v, hash);
			store_prefetch_entry(&v, hash);
		}
		gate_boundary(&members[1]);
	}
	gate_outside(&members[1]);
	return NULL;
}

static void test_beside_hints(void **state) {
	pthread_t thread;
	uint32_t at = 0;
	(void)state;
	testing_begin(3);
	open_store();
	put(0, 0);
	assert_int_equal(pthread_create(&thread, NULL, hinting, NULL), 0);
	for (unsigned round = testing_rounds(3); round > 0; round--) {
		for (unsigned i = 1; i < KEYS; i++) put(0, i);
		for (unsigned i = 1; i < KEYS; i++) {
			take_out(0, i);
			if (i % 256 == 0) store_trim(store, &members[0], stats.databases, &at);
		}
		assert_true(trim(&at) > 0 || table_bytes(0) <= (size_t)SHARDS * 2048);
	}
	atomic_store(&stop, true);
	gate_outside(&members[0]);
	pthread_join(thread, NULL);
	gate_inside(&members[0]);
	close_store();
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shrunken_tables),
		cmocka_unit_test(test_breathing),
		cmocka_unit_test(test_beside_hints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
