/* slowlog: order, trimming, what is kept of long commands, several threads. */
#include "../testing.h"

#include <pthread.h>
#include <string.h>

#include "server/slowlog.h"

static struct slowlog slowlog;

struct seen {
	unsigned count;
	uint64_t last_id;
	unsigned argc;
	char first[300], last[300];
	size_t first_len;
	int64_t duration_us, when_s;
	char peer[32], name[32];
};

static void see(void *context, const struct slowlog_entry *e) {
	struct seen *seen = context;
	if (seen->count > 0) assert_int_equal(e->id, seen->last_id - 1);
	if (seen->count++ == 0) {
		seen->argc = e->argc;
		seen->when_s = e->when_s;
		seen->duration_us = e->duration_us;
		snprintf(seen->peer, sizeof(seen->peer), "%s", e->peer);
		snprintf(seen->name, sizeof(seen->name), "%s", e->name);
		if (e->argc > 0) {
			assert_true(e->argv[0].len < sizeof(seen->first));
			assert_true(e->argv[e->argc - 1].len < sizeof(seen->last));
			seen->first_len = e->argv[0].len;
			if (e->argv[0].len) memcpy(seen->first, e->argv[0].ptr, e->argv[0].len);
			if (e->argv[e->argc - 1].len)
				memcpy(seen->last, e->argv[e->argc - 1].ptr, e->argv[e->argc - 1].len);
		}
	}
	seen->last_id = e->id;
}

static struct seen look(size_t count) {
	struct seen seen = { 0 };
	slowlog_each(&slowlog, count, see, &seen);
	return seen;
}

static void add(unsigned argc, const struct slice *argv, size_t max_len) {
	slowlog_add(&slowlog, max_len, 1700000000, 12345, argc, argv, "1.2.3.4:5", "name");
}

static void test_order_and_trim(void **state) {
	struct slice args[2] = { SLICE_LITERAL("get"), SLICE_LITERAL("key") };
	(void)state;
	slowlog = (struct slowlog){ 0 };
	assert_int_equal(look(10).count, 0);
	for (unsigned i = 0; i < 20; i++) {
		add(2, args, 8);
		assert_int_equal(slowlog_count(&slowlog), i < 8 ? i + 1 : 8);
	}
	struct seen seen = look(SIZE_MAX);
	assert_int_equal(seen.count, 8);
	assert_int_equal(seen.last_id, 12);
	assert_int_equal(seen.argc, 2);
	assert_string_equal(seen.first, "get");
	assert_string_equal(seen.last, "key");
	assert_string_equal(seen.peer, "1.2.3.4:5");
	assert_string_equal(seen.name, "name");
	assert_int_equal(seen.duration_us, 12345);
	assert_int_equal(seen.when_s, 1700000000);
	assert_int_equal(look(3).count, 3);
	assert_int_equal(look(0).count, 0);
	add(2, args, 3);
	assert_int_equal(slowlog_count(&slowlog), 3);
	add(2, args, 0);
	assert_int_equal(slowlog_count(&slowlog), 0);
	add(2, args, 5);
	/* Numbers go on, also after a reset. */
	assert_int_equal(look(1).last_id, 22);
	slowlog_reset(&slowlog);
	assert_int_equal(slowlog_count(&slowlog), 0);
	add(2, args, 5);
	assert_int_equal(look(1).last_id, 23);
	slowlog_reset(&slowlog);
}

static void test_long_commands(void **state) {
	enum { MANY = 100 };
	static char big[100000];
	struct slice args[MANY] = { { NULL, 0 } };
	(void)state;
	memset(big, 'x', sizeof(big));
	for (unsigned argc = 0; argc <= MANY; argc++) {
		for (unsigned i = 0; i < argc; i++) args[i] = slice_of(big, sizeof(big) - i);
		add(argc, args, 4);
		struct seen seen = look(1);
		assert_int_equal(seen.argc, argc < 32 ? argc : 32);
		if (argc == 0) continue;
		assert_memory_equal(seen.first, big, 128);
		assert_string_equal(seen.first + 128, "... (99872 more bytes)");
		if (argc <= 32) continue;
		char want[64];
		snprintf(want, sizeof(want), "... (%u more arguments)", argc - 31);
		assert_string_equal(seen.last, want);
	}
	slowlog_reset(&slowlog);
	for (size_t len = 0; len < 200; len++) {
		args[0] = slice_of(len ? big : NULL, len);
		add(1, args, 4);
		struct seen seen = look(1);
		char want[200] = { 0 };
		memset(want, 'x', len < 128 ? len : 128);
		if (len > 128) snprintf(want + 128, sizeof(want) - 128, "... (%zu more bytes)", len - 128);
		assert_int_equal(seen.first_len, strlen(want));
		assert_string_equal(seen.first, want);
	}
	slowlog_reset(&slowlog);
}

static void *add_many(void *unused) {
	struct slice args[1] = { SLICE_LITERAL("set") };
	(void)unused;
	for (unsigned i = 0; i < 500; i++) {
		add(1, args, 100);
		if (i % 100 == 99) look(50);
	}
	return NULL;
}

static void test_threads(void **state) {
	pthread_t threads[3];
	(void)state;
	slowlog = (struct slowlog){ 0 };
	for (unsigned i = 0; i < 3; i++) assert_int_equal(pthread_create(&threads[i], NULL, add_many, NULL), 0);
	for (unsigned i = 0; i < 3; i++) pthread_join(threads[i], NULL);
	struct seen seen = look(SIZE_MAX);
	assert_int_equal(seen.count, 100);
	assert_int_equal(seen.last_id, 1400);
	slowlog_reset(&slowlog);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_trim),
		cmocka_unit_test(test_long_commands),
		cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
