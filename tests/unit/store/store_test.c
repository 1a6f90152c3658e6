/* The store against a naive model: every call on random keys of several databases, with lengths around the limits of the
 * layouts, time that goes on, and store_check after each batch. */
#include "../testing.h"

#include <string.h>

#include "base/buffer.h"
#include "base/number.h"
#include "store/entry_private.h"
#include "store/keyspace.h"
#include "store/reclaim.h"

enum { KEYS = 60, DBS_MAX = 200 };

/* What a key of the model holds. */
struct held {
	bool present;
	char *bytes;
	size_t len;
	int64_t expiry_ms;
};

static struct gate gate;
static struct store *store;
static struct store_stats stats;
static struct view view;
static unsigned db_count;
static struct slice names[KEYS];
static struct held model[DBS_MAX][KEYS];
static unsigned changes_begun, commits;

static void on_before_change(void *context, struct view *v, const struct key *key, const struct entry *e) {
	(void)context;
	(void)v;
	changes_begun++;
	assert_true(slice_equal(entry_key(e), key_slice(key)));
}

static void on_committed(
	void *context, struct view *v, const struct key *key, enum event_class class, const char *event) {
	(void)context;
	(void)v;
	(void)key;
	if (class == EVENT_NEW) {
		assert_string_equal(event, "new");
		return;
	}
	commits++;
	assert_int_equal(class, EVENT_EXPIRED);
	assert_string_equal(event, "expired");
}

static const struct store_hooks hooks = { .committed = on_committed, .before_change = on_before_change };

static void open_store(unsigned dbs, uint32_t shards) {
	gate_init(&gate, shards);
	db_count = dbs;
	store = store_new(&gate, dbs, &hooks, NULL);
	stats = (struct store_stats){ 0 };
	view = store_view(store, 0, &stats, NULL);
	view.now_ms = 1700000000000;
	view.flags = VIEW_HAS_WORLD;
}

static void check_store(void) {
	struct buffer report = { 0 };
	if (store_check(store, &report) != 0) fail_msg("%.*s", (int)report.len, report.data);
	buffer_release(&report);
}

static void close_store(void) {
	check_store();
	store_free(store);
	gate_release(&gate);
	reclaim_drain();
}

/* ---- The model ---- */

static void model_forget(struct held *h) {
	mem_free(h->bytes);
	*h = (struct held){ 0 };
}

static void model_set(struct held *h, const char *bytes, size_t len, int64_t expiry_ms) {
	char *copy = mem_alloc(len + 1);
	if (len) memcpy(copy, bytes, len);
	model_forget(h);
	*h = (struct held){ true, copy, len, expiry_ms };
}

static void model_clear(void) {
	for (unsigned d = 0; d < DBS_MAX; d++)
		for (unsigned k = 0; k < KEYS; k++) model_forget(&model[d][k]);
}

static struct held *model_at(unsigned db, unsigned k) {
	struct held *h = &model[db][k];
	if (h->present && h->expiry_ms >= 0 && h->expiry_ms < view.now_ms) model_forget(h);
	return h;
}

static void make_names(void) {
	static const size_t lens[] = { 0, 1, 2, 5, 16, 200, 254, 255, 256, 257, 300, 5000 };
	for (unsigned k = 0; k < KEYS; k++) {
		size_t len =
			k < sizeof(lens) / sizeof(lens[0]) ? lens[k] : 3 + random_below(random_below(4) ? 20 : 400);
		char *bytes = malloc(len + 4);
		assert_non_null(bytes);
		for (size_t i = 0; i < len; i++) bytes[i] = (char)random_u64();
		/* Different names, also among those of two bytes or more that chance made equal. */
		if (len > 2) memcpy(bytes, &(uint16_t){ (uint16_t)k }, 2);
		names[k] = slice_of(bytes, len);
	}
}

static void drop_names(void) {
	for (unsigned k = 0; k < KEYS; k++) free((void *)(uintptr_t)names[k].ptr);
}

/* Any bytes, any length around what the layouts tell apart, and numbers. */
static struct slice draw_value(char **owned) {
	static const size_t lens[] = { 0, 1, 8, 20, 44, 45, 254, 255, 256, 1023, 1024, 1025, 2000, 70000, 300000 };
	size_t len = lens[random_below(random_below(10) ? 13 : 15)];
	if (random_below(3) == 0) len = random_below(1200);
	char *bytes = *owned = malloc(len + 32);
	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++) bytes[i] = (char)random_u64();
	if (random_below(4) == 0) len = (size_t)sprintf(bytes, "%" PRId64, (int64_t)(random_u64() >> random_below(64)));
	return slice_of(bytes, len);
}

static int64_t draw_expiry(void) {
	switch (random_below(6)) {
	case 0:
	case 1: return EXPIRY_NONE;
	case 2: return view.now_ms;
	case 3: return INT64_MAX - (int64_t)random_below(5);
	default: return view.now_ms + (int64_t)random_below(2000);
	}
}

/* ---- Calls ---- */

struct target {
	unsigned db, k;
	struct view v;
	struct key key;
	struct held *held;
	struct entry *e;
};

static struct target aim_at(unsigned db, unsigned k) {
	struct target t = { .db = db, .k = k, .v = view_in_db(&view, db), .key = key_of(names[k]) };
	bool there = model[db][k].present;
	unsigned begun = changes_begun;
	t.held = model_at(db, k);
	t.e = store_find_write(&t.v, &t.key);
	assert_int_equal(t.e != NULL, t.held->present);
	assert_int_equal(changes_begun - begun, there);
	return t;
}

static struct target aim(void) {
	return aim_at((unsigned)random_below(db_count), (unsigned)random_below(KEYS));
}

static void check_string(const struct entry *e, const struct held *h) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	struct slice value = entry_string(e, scratch);
	assert_int_equal(value.len, h->len);
	assert_memory_equal(value.ptr, h->bytes, h->len);
	assert_int_equal(entry_expiry(e), h->expiry_ms);
}

static void check_key(unsigned db, unsigned k) {
	struct view v = view_in_db(&view, db);
	struct key key = key_of(names[k]);
	const struct entry *e = store_peek(&v, &key);
	struct held *h = model_at(db, k);
	assert_int_equal(e != NULL, h->present);
	if (e) check_string(e, h);
}

static void do_find(void) {
	struct target t = { .db = (unsigned)random_below(db_count), .k = (unsigned)random_below(KEYS) };
	t.v = view_in_db(&view, t.db);
	t.key = key_of(names[t.k]);
	struct store_stats before = stats;
	const struct entry *e = store_find(&t.v, &t.key);
	struct held *h = model_at(t.db, t.k);
	assert_int_equal(e != NULL, h->present);
	assert_int_equal(stats.keyspace_hits - before.keyspace_hits, e != NULL);
	assert_int_equal(stats.keyspace_misses - before.keyspace_misses, e == NULL);
	if (!e) return;
	check_string(e, h);
	assert_int_equal(entry_idle_seconds(e, view.now_ms + 5000), 5);
}

static void do_put(void) {
	struct target t = aim();
	char *owned;
	struct slice value = draw_value(&owned);
	int64_t expiry = random_below(3) ? draw_expiry() : EXPIRY_KEEP;
	int64_t want = expiry != EXPIRY_KEEP ? expiry : t.held->present ? t.held->expiry_ms : -1;
	if (value.len == 0 && random_below(2)) value.ptr = NULL;
	struct entry *e = store_put_string(&t.v, &t.key, t.e, value, expiry);
	assert_non_null(e);
	model_set(t.held, value.ptr, value.len, want);
	check_string(e, t.held);
	free(owned);
}

static void do_put_int(void) {
	struct target t = aim();
	int64_t number = (int64_t)random_u64() >> random_below(64);
	char text[32];
	size_t len = (size_t)sprintf(text, "%" PRId64, number);
	int64_t want = t.held->present ? t.held->expiry_ms : -1;
	struct entry *e = store_put_int(&t.v, &t.key, t.e, number, EXPIRY_KEEP);
	assert_non_null(e);
	assert_int_equal(entry_encoding(e), STRING_INT);
	model_set(t.held, text, len, want);
	check_string(e, t.held);
}

static void do_edit(void) {
	static const size_t lens[] = { 0, 1, 100, 254, 255, 256, 1023, 1024, 1025, 5000, 300000 };
	struct target t = aim();
	size_t old = t.held->len, len = lens[random_below(random_below(20) ? 10 : 11)];
	if (random_below(2)) len = old + random_below(30);
	if (random_below(4) == 0) len = old - (old ? random_below(old) : 0);
	char *bytes = store_edit_string(&t.v, &t.key, t.e, len);
	assert_non_null(bytes);
	char *want = calloc(1, len + 1);
	assert_non_null(want);
	if (old) memcpy(want, t.held->bytes, old < len ? old : len);
	assert_memory_equal(bytes, want, len);
	for (unsigned i = 0; i < 10 && len > 0; i++) {
		size_t at = random_below(len);
		bytes[at] = want[at] = (char)random_u64();
	}
	model_set(t.held, want, len, t.held->present ? t.held->expiry_ms : -1);
	free(want);
	check_key(t.db, t.k);
}

static void do_expiry(void) {
	struct target t = aim();
	if (!t.e) return;
	int64_t expiry = draw_expiry();
	unsigned encoding = entry_encoding(t.e);
	t.v.earliest_ms = INT64_MAX;
	struct entry *e = store_set_expiry(&t.v, &t.key, t.e, expiry);
	t.held->expiry_ms = expiry;
	check_string(e, t.held);
	assert_int_equal(entry_encoding(e), encoding);
	if (expiry >= 0) assert_true(t.v.earliest_ms <= expiry || t.v.earliest_ms == INT64_MAX);
}

static void do_remove(void) {
	struct target t = aim();
	if (!t.e) return;
	store_remove(&t.v, &t.key, t.e);
	model_forget(t.held);
	check_key(t.db, t.k);
}

/* A different key, or the same one in another database. */
static bool aim_two(struct target *from, unsigned *db, unsigned *k) {
	*from = aim();
	*db = random_below(2) ? from->db : (unsigned)random_below(db_count);
	*k = random_below(2) ? from->k : (unsigned)random_below(KEYS);
	return from->e && (*db != from->db || *k != from->k);
}

static void do_move(void) {
	struct target from;
	unsigned db, k;
	if (!aim_two(&from, &db, &k)) return;
	struct view to = view_in_db(&view, db);
	struct key to_key = key_of(names[k]);
	struct entry *there = store_find_write(&to, &to_key);
	assert_true(store_move(&from.v, &from.key, from.e, &to, &to_key, there));
	model_set(&model[db][k], from.held->bytes, from.held->len, from.held->expiry_ms);
	model_forget(from.held);
	check_key(db, k);
	check_key(from.db, from.k);
}

static void do_copy(void) {
	struct target from;
	unsigned db, k;
	if (!aim_two(&from, &db, &k)) return;
	struct view to = view_in_db(&view, db);
	struct key to_key = key_of(names[k]);
	struct entry *there = store_find_write(&to, &to_key);
	assert_true(store_copy(from.e, &to, &to_key, there));
	model_set(&model[db][k], from.held->bytes, from.held->len, from.held->expiry_ms);
	check_key(db, k);
	check_key(from.db, from.k);
}

static void do_swap(void) {
	static struct held keep[KEYS];
	unsigned a = (unsigned)random_below(db_count), b = (unsigned)random_below(db_count);
	store_swap_dbs(store, a, b);
	memcpy(keep, model[a], sizeof(keep));
	memmove(model[a], model[b], sizeof(keep));
	memcpy(model[b], keep, sizeof(keep));
}

static void do_flush(void) {
	if (random_below(4)) return;
	unsigned d = (unsigned)random_below(db_count);
	enum store_flush_flags how = random_below(2) ? STORE_FLUSH_LAZILY : STORE_FLUSH_NOW;
	bool all = random_below(10) == 0;
	struct view v = view_in_db(&view, d);
	size_t want = all ? 0 : store_db_size(&v);
	size_t gone = store_flush(store, all ? -1 : (int)d, how);
	if (!all) assert_int_equal(gone, want);
	for (unsigned i = 0; i < db_count; i++)
		for (unsigned k = 0; k < KEYS && (all || i == d); k++) model_forget(&model[i][k]);
	assert_int_equal(store_db_size(&v), 0);
	assert_int_equal(store_db_expires(&v), 0);
}

/* Time goes on; what has ended goes, now or at its next touch, and nothing else does. */
static void do_time(void) {
	view.now_ms += (int64_t)random_below(800);
	if (random_below(2)) return;
	size_t want = 0, gone = 0;
	int64_t earliest = INT64_MAX, soonest = INT64_MAX;
	for (unsigned d = 0; d < db_count; d++) {
		for (unsigned k = 0; k < KEYS; k++) {
			bool was = model[d][k].present;
			const struct held *h = model_at(d, k);
			want += was && !h->present;
			if (h->present && h->expiry_ms >= 0 && h->expiry_ms < earliest) earliest = h->expiry_ms;
		}
	}
	/* Keys that found their end by a touch are gone already; the model forgot them then. */
	unsigned commits_before = commits;
	for (uint32_t shard = 0; shard < store_shard_count(store); shard++) {
		int64_t next;
		gone += store_expire_shard(&view, shard, SIZE_MAX, &next);
		assert_true(next >= view.now_ms);
		if (next < soonest) soonest = next;
	}
	/* It may be early, when the key that ended first went otherwise; never late. */
	assert_true(soonest <= earliest);
	assert_int_equal(gone, want);
	assert_int_equal(commits - commits_before, want);
}

static const struct {
	unsigned percent;
	void (*call)(void);
} calls[] = { { 30, do_put }, { 8, do_put_int }, { 16, do_edit }, { 12, do_expiry }, { 6, do_remove }, { 6, do_move },
	{ 6, do_copy }, { 11, do_find }, { 3, do_time }, { 1, do_swap }, { 1, do_flush } };

static void run_batch(unsigned steps) {
	for (unsigned i = 0; i < steps; i++) {
		unsigned what = (unsigned)random_below(100);
		unsigned at = 0;
		while (what >= calls[at].percent) what -= calls[at++].percent;
		calls[at].call();
	}
}

static void compare_all(void) {
	struct store_totals totals;
	for (unsigned d = 0; d < db_count; d++) {
		size_t keys = 0, ending = 0;
		for (unsigned k = 0; k < KEYS; k++) {
			check_key(d, k);
			keys += model[d][k].present;
			ending += model[d][k].present && model[d][k].expiry_ms >= 0;
		}
		struct view v = view_in_db(&view, d);
		assert_int_equal(store_db_size(&v), keys);
		assert_int_equal(store_db_expires(&v), ending);
		store_totals(&v, &totals);
		assert_int_equal(totals.keys, keys);
		assert_int_equal(totals.volatile_keys, ending);
		assert_true(totals.entry_bytes >= keys * sizeof(struct entry));
	}
}

static void against_model(unsigned dbs, uint32_t shards, unsigned batches) {
	open_store(dbs, shards);
	for (unsigned batch = 0; batch < batches; batch++) {
		run_batch(300);
		check_store();
		if (batch % 4 == 0) compare_all();
	}
	compare_all();
	size_t left = 0;
	for (unsigned d = 0; d < dbs; d++)
		for (unsigned k = 0; k < KEYS; k++) left += model[d][k].present;
	assert_int_equal(store_flush(store, -1, STORE_FLUSH_NOW), left);
	model_clear();
	close_store();
}

static void test_model(void **state) {
	(void)state;
	testing_begin(1);
	make_names();
	for (unsigned round = testing_rounds(1); round > 0; round--) {
		against_model(1, 1, 20);
		against_model(2, 4, 20);
		against_model(16, 64, 20);
		against_model(200, 16, 4);
	}
	drop_names();
}

/* ---- Single promises ---- */

static void test_expiry_to_the_millisecond(void **state) {
	(void)state;
	testing_begin(2);
	open_store(1, 8);
	struct key key = key_of(SLICE_LITERAL("k"));
	store_put_string(&view, &key, NULL, SLICE_LITERAL("v"), view.now_ms + 10);
	assert_int_equal(view.earliest_ms, view.now_ms + 10);
	view.now_ms += 10;
	assert_non_null(store_peek(&view, &key));
	assert_int_equal(stats.expired_keys, 0);
	view.now_ms += 1;
	assert_int_equal(store_db_size(&view), 1);
	assert_null(store_peek(&view, &key));
	assert_int_equal(store_db_size(&view), 0);
	assert_int_equal(stats.expired_keys, 1);
	assert_int_equal(stats.keyspace_misses, 0);
	close_store();
}

static void test_keep_expired(void **state) {
	(void)state;
	testing_begin(3);
	open_store(1, 1);
	struct key key = key_of(SLICE_LITERAL("k"));
	store_put_string(&view, &key, NULL, SLICE_LITERAL("v"), view.now_ms + 10);
	view.now_ms += 11;
	view.flags |= VIEW_KEEP_EXPIRED;
	assert_null(store_find(&view, &key));
	assert_null(store_peek(&view, &key));
	assert_int_equal(store_db_size(&view), 1);
	assert_int_equal(stats.keyspace_misses, 1);
	close_store();
}

static void test_no_touch(void **state) {
	(void)state;
	testing_begin(4);
	open_store(1, 1);
	struct key key = key_of(SLICE_LITERAL("k"));
	const struct entry *e = store_put_string(&view, &key, NULL, SLICE_LITERAL("v"), EXPIRY_NONE);
	view.now_ms += 60000;
	view.flags |= VIEW_NO_TOUCH;
	store_find(&view, &key);
	store_find_write(&view, &key);
	assert_int_equal(entry_idle_seconds(e, view.now_ms), 60);
	view.flags &= ~(uint32_t)VIEW_NO_TOUCH;
	store_peek(&view, &key);
	assert_int_equal(entry_idle_seconds(e, view.now_ms), 60);
	store_find(&view, &key);
	assert_int_equal(entry_idle_seconds(e, view.now_ms), 0);
	close_store();
}

static void test_frequency(void **state) {
	const int64_t minute_ms = 60000;
	(void)state;
	testing_begin(5);
	open_store(1, 1);
	store_set_policy(store, &(struct store_policy){ .lfu = true, .lfu_log_factor = 10, .lfu_decay_minutes = 1 });
	assert_true(store_policy(store)->lfu);
	struct key key = key_of(SLICE_LITERAL("k"));
	const struct entry *e = store_put_string(&view, &key, NULL, SLICE_LITERAL("v"), EXPIRY_NONE);
	assert_int_equal(entry_frequency(store, e, view.now_ms), 5);
	for (unsigned i = 0; i < 1000; i++) store_find(&view, &key);
	unsigned busy = entry_frequency(store, e, view.now_ms);
	assert_in_range(busy, 10, 40);
	assert_int_equal(entry_frequency(store, e, view.now_ms + 3 * minute_ms), busy - 3);
	assert_int_equal(entry_frequency(store, e, view.now_ms + 300 * minute_ms), 0);
	store_set_policy(store, &(struct store_policy){ .lfu = true, .lfu_log_factor = 0, .lfu_decay_minutes = 0 });
	for (unsigned i = 0; i < 1000; i++) store_find(&view, &key);
	assert_int_equal(entry_frequency(store, e, view.now_ms + 300 * minute_ms), 255);
	close_store();
}

/* Appending byte by byte, from nothing across both limits. */
static void test_append(void **state) {
	enum { LEN = 3000 };
	char want[LEN], scratch[NUMBER_I64_MAX_CHARS + 1];
	(void)state;
	testing_begin(6);
	open_store(1, 1);
	struct key key = key_of(SLICE_LITERAL("k"));
	for (size_t len = 0; len < LEN; len++) {
		struct entry *e = store_find_write(&view, &key);
		char *bytes = store_edit_string(&view, &key, e, len + 1);
		assert_non_null(bytes);
		assert_int_equal(bytes[len], 0);
		bytes[len] = want[len] = (char)random_u64();
		const struct entry *now = store_peek(&view, &key);
		struct slice value = entry_string(now, scratch);
		assert_int_equal(value.len, len + 1);
		assert_memory_equal(value.ptr, want, len + 1);
		assert_string_equal(entry_encoding_name(now), "raw");
		if (len % 100 == 0) check_store();
	}
	close_store();
}

/* Strings of each length, each with and without expiry toggled. */
static void test_each_length(void **state) {
	char bytes[1100], scratch[NUMBER_I64_MAX_CHARS + 1];
	(void)state;
	testing_begin(7);
	open_store(1, 16);
	memset(bytes, 'x', sizeof(bytes));
	for (size_t len = 0; len < sizeof(bytes); len++) {
		struct key key = key_of(slice_of(bytes, len % 300));
		struct entry *e = store_find_write(&view, &key);
		e = store_put_string(&view, &key, e, slice_of(bytes, len), len % 2 ? EXPIRY_NONE : view.now_ms + 5);
		for (unsigned i = 0; i < 3; i++) {
			int64_t expiry = entry_expiry(e) < 0 ? view.now_ms + 7 : EXPIRY_NONE;
			e = store_set_expiry(&view, &key, e, expiry);
			assert_int_equal(entry_expiry(e), expiry);
			assert_int_equal(entry_string(e, scratch).len, len);
			assert_memory_equal(entry_string(e, scratch).ptr, bytes, len);
			assert_true(slice_equal(entry_key(e), key_slice(&key)));
		}
		assert_string_equal(entry_encoding_name(e), len <= 44 ? "embstr" : "raw");
	}
	close_store();
}

static void test_integers(void **state) {
	static const struct {
		const char *text;
		bool is_int;
	} cases[] = { { "0", true }, { "-1", true }, { "9223372036854775807", true }, { "-9223372036854775808", true },
		{ "9223372036854775808", false }, { "-0", false }, { "01", false }, { "+1", false }, { " 1", false },
		{ "1 ", false }, { "-", false }, { "", false }, { "1.0", false }, { "00000000000000000000", false } };
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	(void)state;
	testing_begin(8);
	open_store(1, 1);
	struct key key = key_of(SLICE_LITERAL("k"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice text = slice_of_cstr(cases[i].text);
		struct entry *e = store_put_string(&view, &key, store_find_write(&view, &key), text, EXPIRY_NONE);
		assert_int_equal(entry_encoding(e) == STRING_INT, cases[i].is_int);
		assert_true(slice_equal(entry_string(e, scratch), text));
	}
	close_store();
}

/* Times beyond what the index can hold: clamped there, exact in the entry. */
static void test_huge_expiry(void **state) {
	(void)state;
	testing_begin(9);
	open_store(1, 1);
	struct key key = key_of(SLICE_LITERAL("k")), other = key_of(SLICE_LITERAL("l"));
	struct entry *e = store_put_string(&view, &key, NULL, SLICE_LITERAL("v"), INT64_MAX);
	check_store();
	assert_int_equal(entry_expiry(e), INT64_MAX);
	e = store_set_expiry(&view, &key, e, INT64_MAX - 1);
	store_put_string(&view, &other, NULL, SLICE_LITERAL("v"), ((int64_t)1 << 48) + 5);
	check_store();
	int64_t next;
	assert_int_equal(store_expire_shard(&view, 0, SIZE_MAX, &next), 0);
	assert_true(next > view.now_ms);
	check_store();
	e = store_set_expiry(&view, &key, e, EXPIRY_NONE);
	assert_int_equal(entry_expiry(e), -1);
	close_store();
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expiry_to_the_millisecond),
		cmocka_unit_test(test_keep_expired),
		cmocka_unit_test(test_no_touch),
		cmocka_unit_test(test_frequency),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_each_length),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_huge_expiry),
		cmocka_unit_test(test_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
