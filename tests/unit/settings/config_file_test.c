/* settings/config_file, settings/config_rewrite: what files and command lines mean, what is said about wrong ones, and that a
 * rewritten file says what is in force and keeps everything else. */
#include "settings/config_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/random.h"
#include "settings/config_rewrite.h"

enum { PATH_BYTES = 256, FILE_BYTES = 4096 };

static struct config config;
static char folder[64];
static char message[FILE_BYTES]; /* of the last failure */

static int set_up(void **state) {
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/tarn-config-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	return 0;
}

static const char *path_of(const char *name) {
	static char paths[4][PATH_BYTES];
	static unsigned turn;
	char *path = paths[turn++ % 4];
	snprintf(path, PATH_BYTES, "%s/%s", folder, name);
	return path;
}

static int tear_down(void **state) {
	(void)state;
	static const char *const names[] = { "main.conf", "a.inc", "b.inc", "link.conf" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) unlink(path_of(names[i]));
	/* Fails if a rewrite left a file of its own behind. */
	return rmdir(folder);
}

static void put_file(const char *name, const char *text) {
	FILE *file = fopen(path_of(name), "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
}

static const char *file_text(const char *name) {
	static char text[FILE_BYTES];
	struct buffer read = { 0 };
	assert_true(config_slurp(path_of(name), &read));
	assert_true(read.len < sizeof(text));
	memcpy(text, read.data, read.len);
	text[read.len] = '\0';
	buffer_release(&read);
	return text;
}

/* Starts with these words up to a NULL; on failure `message` is what a user would see. */
static bool load_words(const char *const *words) {
	char *argv[32] = { (char *)"tarn-server" };
	int argc = 1;
	struct buffer error = { 0 };
	while (words[argc - 1] != NULL) {
		argv[argc] = (char *)words[argc - 1];
		argc++;
	}
	config_init(&config);
	bool good = config_load(&config, argc, argv, NULL, &error);
	assert_int_equal(good, error.len == 0);
	snprintf(message, sizeof(message), "%.*s", (int)error.len, good ? "" : error.data);
	buffer_release(&error);
	return good;
}

#define LOAD(...) load_words((const char *const[]){ __VA_ARGS__, NULL })

static const char *get(const char *name) {
	static char shown[1024];
	struct buffer text = { 0 };
	setting_print(setting_find(slice_of_cstr(name), NULL), &config.values, &text);
	snprintf(shown, sizeof(shown), "%.*s", (int)text.len, text.len == 0 ? "" : text.data);
	buffer_release(&text);
	return shown;
}

static void test_file(void **state) {
	(void)state;
	put_file("main.conf",
		"# a comment\r\n\n  TIMEOUT\t5  \r\nrequirepass \"a\\x41 \\\"\\n\"\nmasterauth 'it\\'s'\n"
		"save 60 1\nsave 70 2 80 3\nclient-output-buffer-limit replica 1mb 0 0\nslave-priority 3\nbind 1.1.1.1 "
		"-::1\n"
		"user alice on >x\nuser bob off\nrename-command KEYS \"\"\nlua-replicate-commands yes\nport 7000");
	assert_true(LOAD(path_of("main.conf")));
	assert_string_equal(config.path, path_of("main.conf"));
	assert_int_equal(config.values.timeout, 5);
	assert_string_equal(config.values.requirepass, "aA \"\n");
	assert_string_equal(config.values.masterauth, "it's");
	assert_string_equal(get("save"), "60 1 70 2 80 3");
	assert_string_equal(
		get("client-output-buffer-limit"), "normal 0 0 0 slave 1048576 0 0 pubsub 33554432 8388608 60");
	assert_int_equal(config.values.replica_priority, 3);
	assert_int_equal(config.values.bind.count, 2);
	assert_string_equal(config.values.bind.items[1], "-::1");
	assert_int_equal(config.values.user.count, 2);
	assert_string_equal(config.values.user.lines[0].items[2], ">x");
	assert_string_equal(config.values.rename_command.lines[0].items[1], "");
	assert_int_equal(config.values.port, 7000);
	config_release(&config);
}

static void test_command_line(void **state) {
	(void)state;
	put_file("main.conf", "timeout 9\nsave 60 1\n");
	assert_true(LOAD(
		path_of("main.conf"), "--timeout", "7", "--save", "5 5", "--bind", "a", "b", "--requirepass", "--x"));
	assert_string_equal(get("timeout"), "7");
	assert_string_equal(get("save"), "60 1 5 5");
	assert_string_equal(get("bind"), "a b");
	assert_string_equal(get("requirepass"), "--x");
	config_release(&config);
	assert_true(LOAD("--save", "--port", "5"));
	assert_string_equal(get("save"), "");
	assert_string_equal(get("port"), "5");
	assert_null(config.path);
	config_release(&config);
	assert_true(LOAD("--save", "60", "1", "--save", "300", "10", "--client-output-buffer-limit", "normal 1 2 3"));
	assert_string_equal(get("save"), "60 1 300 10");
	config_release(&config);
	assert_true(load_words((const char *const[]){ NULL }));
	config_release(&config);
}

static void test_includes(void **state) {
	(void)state;
	char text[FILE_BYTES];
	put_file("a.inc", "timeout 1\nmaxclients 11\n");
	put_file("b.inc", "timeout 2\n");
	snprintf(text, sizeof(text), "timeout 9\ninclude %s/*.inc\ninclude %s/none*.inc\nhz 5\n", folder, folder);
	put_file("main.conf", text);
	assert_true(LOAD(path_of("main.conf")));
	assert_string_equal(get("timeout"), "2");
	assert_string_equal(get("maxclients"), "11");
	assert_string_equal(get("hz"), "5");
	config_release(&config);

	put_file("a.inc", "# fine\n\nmaxclients 0\n");
	assert_false(LOAD(path_of("main.conf")));
	assert_non_null(strstr(message, path_of("a.inc:3")));
	config_release(&config);

	snprintf(text, sizeof(text), "include %s\n", path_of("main.conf"));
	put_file("main.conf", text);
	assert_false(LOAD(path_of("main.conf")));
	assert_non_null(strstr(message, "too many nested includes"));
	config_release(&config);
}

/* What each of these must say; all of them begin with the block that scripts look for. */
static void test_messages(void **state) {
	(void)state;
	static const struct {
		const char *text, *said[3];
	} cases[] = {
		{ "hz 5\ntimeout abc\n",
			{ "at line 2\n>>> 'timeout abc'\nargument couldn't be parsed into an integer\n",
				"main.conf:2: 'timeout' takes a whole number from 0 to 2147483647 (default 0)" } },
		{ "timeout 5 6\n", { "at line 1\n>>> 'timeout 5 6'\nwrong number of arguments\n" } },
		{ "tiemout 5\n", { "Bad directive or wrong number of arguments\n", "did you mean 'timeout'?" } },
		{ "port=5\n", { "did you mean 'port'?", "no '='" } },
		{ "timeout \"5\n", { "Unbalanced quotes in configuration line\n" } },
		{ "appendfsync often\n", { "takes one of: everysec, always, no (default everysec)" } },
		{ "requirepass secret word\n", { ">>> 'requirepass (hidden)'" } },
		{ "requirepas secret\n", { ">>> 'requirepas (hidden)'" } },
		{ "include /nonexistent\n", { "can't open config file '/nonexistent': No such file or directory" } },
		{ "user a on\nuser a off\n", { "Duplicate user found" } },
		{ "sentinel monitor x\n", { "sentinel directive while not in sentinel mode" } },
		{ "cluster-enabled yes\nreplicaof a 1\n", { "replicaof directive not allowed in cluster mode" } },
		{ "replicaof a 99999\n", { "Invalid master port" } },
		{ "bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n", { "Too many bind addresses specified." } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_file("main.conf", cases[i].text);
		assert_false(LOAD(path_of("main.conf")));
		assert_non_null(strstr(message, "*** FATAL CONFIG FILE ERROR (Tarn "));
		for (size_t t = 0; t < 3 && cases[i].said[t] != NULL; t++) {
			if (strstr(message, cases[i].said[t]) == NULL)
				fail_msg("no \"%s\" in:%s", cases[i].said[t], message);
		}
		assert_null(strstr(message, "secret"));
		config_release(&config);
	}
	assert_false(LOAD("--port", "1", "--timeout", "5", "-foo"));
	assert_non_null(strstr(message, "option 2\n>>> 'timeout \"5\" \"-foo\"'\nwrong number of arguments\n"));
	config_release(&config);
	assert_false(LOAD("/nonexistent.conf"));
	assert_non_null(strstr(
		message, "Fatal error, can't open config file '/nonexistent.conf': No such file or directory\n"));
	config_release(&config);
}

/* ---- CONFIG REWRITE ---- */

static void set(const char *name, const char *value) {
	struct slice argv[] = { slice_of_cstr(name), slice_of_cstr(value) };
	struct buffer error = { 0 };
	assert_true(config_set(&config, 2, argv, CONFIG_CALLER_LOCAL, &error));
	buffer_release(&error);
}

/* Writes `before`, starts from it, sets one thing, rewrites: the file is `after`, and a new start gives the same. */
static void rewrite_case(const char *before, const char *name, const char *value, const char *after) {
	struct buffer error = { 0 };
	put_file("main.conf", before);
	assert_true(LOAD(path_of("main.conf")));
	if (name != NULL) set(name, value);
	assert_int_equal(config_rewrite(&config, &error), CONFIG_REWRITE_OK);
	assert_string_equal(file_text("main.conf"), after);
	struct config kept = config;
	assert_true(LOAD(path_of("main.conf")));
	for (size_t i = 0; i < SETTING_COUNT; i++)
		assert_true(setting_equal(&settings_table[i], &kept.values, &config.values));
	config_release(&kept);
	config_release(&config);
	buffer_release(&error);
}

#define MARKER "\n# Generated by CONFIG REWRITE\n"

static void test_rewrite(void **state) {
	(void)state;
	const char *untouched = "# head\n\n  TIMEOUT   \"5\"  \nslave-priority 7\ntimeout 6\nuser bob on "
				">x\nrename-command KEYS \"\"\n# tail";
	char text[FILE_BYTES];
	char after[FILE_BYTES];
	/* Nothing to say: not a byte changes. */
	rewrite_case(untouched, NULL, NULL, untouched);
	/* The last of several lines is the one in force; the name stays as it was spelled. */
	rewrite_case("timeout 1\n# a\ntimeout 2\n# b\n", "timeout", "3", "# a\ntimeout 3\n# b\n");
	rewrite_case("slave-priority 7\n", "replica-priority", "8", "slave-priority 8\n");
	/* New ones go to the end, once under one heading. */
	rewrite_case("hz 9", "maxmemory", "104857600", "hz 9\n" MARKER "maxmemory 100mb\n");
	rewrite_case("hz 9\n" MARKER "maxmemory 1\n", "timeout", "4", "hz 9\n" MARKER "maxmemory 1\ntimeout 4\n");
	/* A default that stands in the file stays there as a line. */
	rewrite_case("timeout 3\n", "timeout", "0", "timeout 0\n");
	/* Lists, line by line. */
	rewrite_case(
		"save 60 1\n# a\nsave 70 1\n# b\n", "save", "1 1 2 2 3 3", "save 1 1\n# a\nsave 2 2\nsave 3 3\n# b\n");
	rewrite_case("save 60 1\n# a\nsave 70 1\n# b\n", "save", "", "# a\nsave \"\"\n# b\n");
	rewrite_case("", "requirepass", "it's \"#1\"\n", &(MARKER "requirepass \"it's \\\"#1\\\"\\n\"\n")[1]);

	/* An include that comes later overrules; it is never written. */
	put_file("a.inc", "timeout 1\nsave 2 2\n");
	snprintf(text, sizeof(text), "timeout 9\ninclude %s\n", path_of("a.inc"));
	rewrite_case(text, NULL, NULL, text);
	snprintf(after, sizeof(after), "include %s\n" MARKER "timeout 5\n", path_of("a.inc"));
	rewrite_case(text, "timeout", "5", after);
	snprintf(text, sizeof(text), "save 1 1\ninclude %s\n", path_of("a.inc"));
	snprintf(after, sizeof(after), "include %s\n" MARKER "save \"\"\nsave 3 3\n", path_of("a.inc"));
	rewrite_case(text, "save", "3 3", after);
	assert_string_equal(file_text("a.inc"), "timeout 1\nsave 2 2\n");
}

static void test_rewrite_file(void **state) {
	(void)state;
	struct buffer error = { 0 };
	struct stat about;
	put_file("main.conf", "timeout 1\n");
	assert_int_equal(chmod(path_of("main.conf"), 0640), 0);
	assert_int_equal(symlink(path_of("main.conf"), path_of("link.conf")), 0);
	assert_true(LOAD(path_of("link.conf")));
	set("timeout", "2");
	assert_int_equal(config_rewrite(&config, &error), CONFIG_REWRITE_OK);
	assert_int_equal(lstat(path_of("link.conf"), &about), 0);
	assert_true(S_ISLNK(about.st_mode));
	assert_int_equal(stat(path_of("main.conf"), &about), 0);
	assert_int_equal(about.st_mode & 07777, 0640);
	assert_string_equal(file_text("main.conf"), "timeout 2\n");

	/* A file that somebody broke meanwhile is left alone. */
	put_file("main.conf", "timeout 1\nnonsense\n");
	assert_int_equal(config_rewrite(&config, &error), CONFIG_REWRITE_FAILED);
	assert_string_equal(file_text("main.conf"), "timeout 1\nnonsense\n");
	assert_true(error.len > 0);

	/* One that is gone is written anew. */
	unlink(path_of("link.conf"));
	assert_int_equal(config_rewrite(&config, &error), CONFIG_REWRITE_OK);
	assert_string_equal(file_text("link.conf"), &(MARKER "timeout 2\n")[1]);
	buffer_release(&error);
	config_release(&config);

	assert_true(load_words((const char *const[]){ NULL }));
	assert_int_equal(config_rewrite(&config, &error), CONFIG_REWRITE_NO_FILE);
	config_release(&config);
}

/* Any file, any changes: the comments and foreign lines stay in order, and the new file gives what is in force. */
static void test_rewrite_random(void **state) {
	(void)state;
	static const char *const lines[] = {
		"# one",
		"",
		"timeout 1",
		"timeout 2",
		"save 1 1",
		"save \"\"",
		"save 3 3 4 4",
		"maxmemory 1gb",
		"bind a b",
		"client-output-buffer-limit pubsub 1 2 3",
		"user x on",
		"hash-max-ziplist-entries 4",
		"requirepass \"a b\"",
	};
	static const char *const changes[][2] = {
		{ "timeout", "0" },
		{ "timeout", "5" },
		{ "save", "" },
		{ "save", "9 9 8 8 7 7" },
		{ "maxmemory", "2gb" },
		{ "bind", "" },
		{ "client-output-buffer-limit", "normal 1 1 1" },
		{ "hash-max-listpack-entries", "5" },
		{ "masterauth", "'\"" },
	};
	uint64_t seed = random_u64();
	print_message("seed %llu\n", (unsigned long long)seed);
	random_seed_thread(seed);
	for (unsigned round = 0; round < 300; round++) {
		struct buffer before = { 0 }, after = { 0 }, error = { 0 };
		bool has_user = false;
		config_init(&config);
		for (uint64_t i = random_below(8); i > 0; i--) {
			const char *line = lines[random_below(sizeof(lines) / sizeof(lines[0]))];
			if (strncmp(line, "user", 4) == 0 && has_user) continue;
			has_user |= strncmp(line, "user", 4) == 0;
			buffer_appendf(&before, "%s\n", line);
		}
		assert_true(config_read_text(&config.values, buffer_slice(&before), "x", 0, "/", &error));
		for (uint64_t i = random_below(5); i > 0; i--) {
			size_t change = random_below(sizeof(changes) / sizeof(changes[0]));
			set(changes[change][0], changes[change][1]);
		}
		assert_true(config_rewrite_text(&config, "x", buffer_slice(&before), &after, &error));
		struct settings values;
		settings_init(&values, config.start_dir);
		assert_true(config_read_text(&values, buffer_slice(&after), "x", 0, "/", &error));
		for (size_t i = 0; i < SETTING_COUNT; i++)
			assert_true(setting_equal(&settings_table[i], &values, &config.values));
		settings_release(&values);
		config_release(&config);
		buffer_release(&before);
		buffer_release(&after);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_command_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_includes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_messages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rewrite, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rewrite_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rewrite_random, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
