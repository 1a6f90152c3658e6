/* settings/settings and settings/config: every declaration is sound, values read back as they are printed, and CONFIG SET
 * changes all of its settings or none. Expected texts are those of redis-server 7.0.15. */
#include "settings/config.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/quoted.h"
#include "base/random.h"
#include "store/store.h"

static_assert((int)LOGLEVEL_NOTHING == (int)LEVEL_NOTHING, "loglevel has the order of base/log.h");

static struct config config;

static int set_up(void **state) {
	(void)state;
	config_init(&config);
	return 0;
}

static int tear_down(void **state) {
	(void)state;
	config_release(&config);
	return 0;
}

static const struct setting *find(const char *name) {
	const struct setting *s = setting_find(slice_of_cstr(name), NULL);
	assert_non_null(s);
	return s;
}

static const char *get(const char *name) {
	static char shown[4][1024];
	static unsigned turn;
	char *out = shown[turn++ % 4];
	struct buffer text = { 0 };
	setting_print(find(name), &config.values, &text);
	assert_true(text.len < sizeof(shown[0]));
	memcpy(out, text.data == NULL ? "" : text.data, text.len);
	out[text.len] = '\0';
	buffer_release(&text);
	return out;
}

/* CONFIG SET with words up to a NULL; the error text, or "OK". */
static const char *set_as(enum config_caller caller, const char *const *words) {
	static char answer[1024];
	struct slice argv[32];
	unsigned argc = 0;
	struct buffer error = { 0 };
	while (words[argc] != NULL) {
		argv[argc] = slice_of_cstr(words[argc]);
		argc++;
	}
	bool good = config_set(&config, argc, argv, caller, &error);
	assert_int_equal(good, error.len == 0);
	snprintf(answer, sizeof(answer), "%.*s", good ? 2 : (int)error.len, good ? "OK" : error.data);
	buffer_release(&error);
	return answer;
}

#define SET(...) set_as(CONFIG_CALLER_REMOTE, (const char *const[]){ __VA_ARGS__, NULL })
#define FAILED(name, reason) "ERR CONFIG SET failed (possibly related to argument '" name "') - " reason

static void test_defaults(void **state) {
	(void)state;
	assert_string_equal(get("port"), "6379");
	assert_string_equal(get("bind"), "* -::*");
	assert_string_equal(get("save"), "3600 1 300 100 60 10000");
	assert_string_equal(get("client-output-buffer-limit"),
		"normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
	assert_string_equal(get("maxmemory-policy"), "noeviction");
	assert_string_equal(get("shutdown-on-sigterm"), "default");
	assert_string_equal(get("oom-score-adj-values"), "0 200 800");
	assert_string_equal(get("latency-tracking-info-percentiles"), "50 99 99.9");
	assert_string_equal(get("notify-keyspace-events"), "");
	assert_string_equal(get("replicaof"), "");
	assert_string_equal(get("dir"), config.start_dir);
	assert_true(config.values.protected_mode);
	assert_int_equal(config.values.threads, 0);
	assert_int_equal(config.values.maxclients, 10000);
	assert_int_equal(config.values.appendfsync, APPENDFSYNC_EVERYSEC);
	assert_string_equal(config.values.requirepass, "");
}

static void test_names(void **state) {
	(void)state;
	const char *spelled;
	assert_ptr_equal(setting_find(SLICE_LITERAL("SLAVE-priority"), &spelled), find("replica-priority"));
	assert_string_equal(spelled, "slave-priority");
	assert_ptr_equal(find("primaryauth"), find("masterauth"));
	assert_null(setting_find(SLICE_LITERAL("tiemout"), NULL));
	assert_null(setting_find(slice_of(NULL, 0), NULL));
	assert_string_equal(setting_nearest(SLICE_LITERAL("tiemout")), "timeout");
	assert_string_equal(setting_nearest(SLICE_LITERAL("max_memory")), "maxmemory");
	assert_null(setting_nearest(SLICE_LITERAL("completely-different")));
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const struct setting *s = &settings_table[i];
		assert_ptr_equal(setting_find(slice_of_cstr(s->name), NULL), s);
		assert_true(s->offset + s->size <= sizeof(struct settings));
		for (unsigned a = 0; a < SETTING_ALIASES_MAX && s->aliases[a] != NULL; a++)
			assert_ptr_equal(find(s->aliases[a]), s);
	}
}

/* What a setting prints as lines of a file gives the same value when it is read. */
static void assert_reads_back(const struct setting *s) {
	struct settings other;
	struct buffer lines = { 0 };
	struct quoted_words words = { 0 };
	char error[SETTINGS_ERROR_MAX] = "";
	enum setting_source source = SETTING_FROM_FILE_FIRST;
	settings_init(&other, config.start_dir);
	setting_print_lines(s, s->name, &config.values, &lines);
	for (char *at = lines.data; at < lines.data + lines.len; source = SETTING_FROM_FILE_AGAIN) {
		char *newline = memchr(at, '\n', lines.len - (size_t)(at - lines.data));
		assert_non_null(newline);
		assert_true(quoted_split(slice_of(at, (size_t)(newline - at)), &words));
		assert_true(slice_is(words.words[0], s->name));
		if (!setting_parse(s, &other, (unsigned)words.count - 1, words.words + 1, source, "/", error)) {
			fail_msg("%s: %s", s->name, error);
		}
		at = newline + 1;
	}
	if (!setting_equal(s, &config.values, &other)) fail_msg("%s reads back differently", s->name);
	quoted_words_release(&words);
	buffer_release(&lines);
	settings_release(&other);
}

static void test_lines_read_back(void **state) {
	(void)state;
	static const char *const words[][2] = {
		{ "save", "" },
		{ "save", "1 2 3 4" },
		{ "maxmemory", "5gb" },
		{ "maxmemory", "1000" },
		{ "maxmemory-clients", "5%" },
		{ "requirepass", "a \"b\" '\n#" },
		{ "masteruser", "\x01\xff" },
		{ "bind", "" },
		{ "bind", "1.1.1.1 -::1" },
		{ "shutdown-on-sigint", "save now" },
		{ "notify-keyspace-events", "AKEmn" },
		{ "notify-keyspace-events", "" },
		{ "latency-tracking-info-percentiles", "0.5 33.333333" },
		{ "latency-tracking-info-percentiles", "" },
		{ "client-output-buffer-limit", "pubsub 1kb 2 3" },
		{ "oom-score-adj-values", "-5 0 2000" },
	};
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (!(settings_table[i].flags & SETTING_FILE_ONLY)) assert_reads_back(&settings_table[i]);
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		assert_string_equal(SET(words[i][0], words[i][1]), "OK");
		assert_reads_back(find(words[i][0]));
	}
}

/* Arbitrary words never break a parser, and what it takes it also gives back. */
static void test_random_values(void **state) {
	(void)state;
	static const char letters[] = "0123456789 -.%kmgbABKEesaynox\"'";
	uint64_t seed = random_u64();
	print_message("seed %llu\n", (unsigned long long)seed);
	random_seed_thread(seed);
	for (unsigned round = 0; round < 20000; round++) {
		const struct setting *s = &settings_table[random_below(SETTING_COUNT)];
		char text[24];
		char error[SETTINGS_ERROR_MAX];
		struct slice word = slice_of(text, random_below(sizeof(text)));
		for (size_t i = 0; i < word.len; i++) text[i] = letters[random_below(sizeof(letters) - 1)];
		if (s->flags & SETTING_FILE_ONLY) continue;
		if (setting_parse(s, &config.values, 1, &word, SETTING_FROM_CLIENT, "/", error)) assert_reads_back(s);
	}
}

static void test_errors(void **state) {
	(void)state;
	assert_string_equal(SET("nosuch", "1"), "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'");
	assert_string_equal(SET("user", "x"), "ERR Unknown option or number of arguments for CONFIG SET - 'user'");
	assert_string_equal(SET("a", "b", "c"), "ERR syntax error");
	assert_string_equal(SET("databases", "1"), FAILED("databases", "can't set immutable config"));
	assert_string_equal(SET("dir", "/"), FAILED("dir", "can't set protected config"));
	assert_string_equal(SET("timeout", "1", "Timeout", "2"), FAILED("Timeout", "duplicate parameter"));
	assert_string_equal(SET("timeout", "x"), FAILED("timeout", "argument couldn't be parsed into an integer"));
	assert_string_equal(
		SET("timeout", "-1"), FAILED("timeout", "argument must be between 0 and 2147483647 inclusive"));
	assert_string_equal(SET("maxmemory", "1tb"), FAILED("maxmemory", "argument must be a memory value"));
	assert_string_equal(SET("maxmemory-clients", "101%"),
		FAILED("maxmemory-clients", "percentage argument must be less or equal to 100"));
	assert_string_equal(SET("appendonly", "x"), FAILED("appendonly", "argument must be 'yes' or 'no'"));
	assert_string_equal(SET("appendfsync", "x"),
		FAILED("appendfsync", "argument(s) must be one of the following: everysec, always, no"));
	assert_string_equal(SET("save", "1 2 3"), FAILED("save", "Invalid save parameters"));
	assert_string_equal(SET("client-output-buffer-limit", "normal 0 0"),
		FAILED("client-output-buffer-limit", "Wrong number of arguments in buffer limit configuration."));
	assert_string_equal(SET("shutdown-on-sigint", "save nosave"),
		FAILED("shutdown-on-sigint", "shutdown options SAVE and NOSAVE can't be used simultaneously"));
	assert_string_equal(SET("proc-title-template", "{x}"),
		FAILED("proc-title-template", "template format is invalid or contains unknown variables"));
}

static void test_values(void **state) {
	(void)state;
	assert_string_equal(SET("HASH-max-ziplist-entries", "1", "hash-max-listpack-entries", "2"), "OK");
	assert_int_equal(config.values.hash_max_listpack_entries, 2);
	assert_string_equal(SET("client-output-buffer-limit", "replica 1gb 2gb 5"), "OK");
	assert_string_equal(get("client-output-buffer-limit"),
		"normal 0 0 0 slave 1073741824 2147483648 5 pubsub 33554432 8388608 60");
	assert_string_equal(SET("notify-keyspace-events", "KEA", "hz", "1000", "save", ""), "OK");
	assert_string_equal(get("notify-keyspace-events"), "AKE");
	assert_true(config.values.notify_keyspace_events & EVENT_EXPIRED);
	assert_false(config.values.notify_keyspace_events & EVENT_MISS);
	assert_string_equal(get("hz"), "500");
	assert_int_equal(config.values.save.count, 0);
}

/* ---- All or nothing, hooks ---- */

static char calls[256];
static bool refuse_maxclients;

static void note(const char *name, int64_t value) {
	size_t len = strlen(calls);
	snprintf(calls + len, sizeof(calls) - len, "%s=%lld ", name, (long long)value);
}

static bool on_connections(void *context, const struct settings *settings, char error[SETTINGS_ERROR_MAX]) {
	(void)error;
	assert_ptr_equal(context, &config);
	note("timeout", settings->timeout);
	return true;
}

static bool on_maxclients(void *context, const struct settings *settings, char error[SETTINGS_ERROR_MAX]) {
	(void)context;
	note("maxclients", settings->maxclients);
	if (refuse_maxclients) snprintf(error, SETTINGS_ERROR_MAX, "too many");
	return !refuse_maxclients;
}

static void test_all_or_nothing(void **state) {
	(void)state;
	static const struct settings_hooks hooks = { .connections = on_connections, .maxclients = on_maxclients };
	config.hooks = &hooks;
	config.hooks_context = &config;
	calls[0] = '\0';
	assert_string_equal(
		SET("timeout", "7", "maxmemory", "x"), FAILED("maxmemory", "argument must be a memory value"));
	assert_string_equal(calls, "");
	assert_string_equal(get("timeout"), "0");

	refuse_maxclients = true;
	assert_string_equal(SET("requirepass", "p", "timeout", "7", "maxclients", "5", "tcp-keepalive", "1"),
		FAILED("maxclients", "too many"));
	assert_string_equal(calls, "timeout=7 maxclients=5 timeout=0 ");
	assert_string_equal(get("timeout"), "0");
	assert_string_equal(get("requirepass"), "");

	calls[0] = '\0';
	refuse_maxclients = false;
	/* One call for both settings of a hook, none for what stays as it was. */
	assert_string_equal(SET("timeout", "7", "maxclients", "10000", "tcp-keepalive", "1"), "OK");
	assert_string_equal(calls, "timeout=7 ");
}

static void test_protected(void **state) {
	(void)state;
	static const char *const words[] = { "dbfilename", "x.rdb", NULL };
	config.values.enable_protected_configs = PERMISSION_LOCAL;
	assert_string_equal(set_as(CONFIG_CALLER_REMOTE, words), FAILED("dbfilename", "can't set protected config"));
	assert_string_equal(set_as(CONFIG_CALLER_LOCAL, words), "OK");
	config.values.enable_protected_configs = PERMISSION_YES;
	assert_string_equal(
		SET("dbfilename", "a/b"), FAILED("dbfilename", "dbfilename can't be a path, just a filename"));
	assert_string_equal(SET("dir", "/nonexistent"), FAILED("dir", "No such file or directory"));
	assert_string_equal(SET("dir", "/"), "OK");
	assert_string_equal(get("dir"), "/");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lines_read_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_random_values, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_values, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_all_or_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_protected, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
