/* Proves that the generated command table finds its commands and nothing else, that key arguments are found as the key
 * specs say, and that COMMAND and its subcommands answer in the shape that clients parse, in RESP2 and RESP3.
 *
 * The replies are compared with bytes as redis-server 7.0.15 sends them for the same commands, where the texts are facts
 * and not sentences. command.c is included to give it a table without a worker around it. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define worker_commands test_worker_commands
#include "commands/command.c"

#include "base/alloc.h"
#include "base/random.h"

const struct command_table *worker_commands(const struct worker *w) {
	(void)w;
	return &tarn_commands;
}

enum { WORDS_MAX = 16, HOSTILE_ROUNDS = 200000 };

/* The words of a line, split at blanks; they point into it. */
static unsigned split(const char *line, struct slice *words) {
	unsigned count = 0;
	while (*line != '\0') {
		size_t len = strcspn(line, " ");
		assert_true(count < WORDS_MAX);
		words[count++] = slice_of(line, len);
		line += len + (line[len] == ' ');
	}
	return count;
}

/* Runs a handler on a line and returns what it wrote, with each CR LF as one blank, until the next call. */
static const char *ask(command_handler *handler, const char *line, uint8_t proto) {
	static struct buffer out;
	static char text[256 * 1024];
	struct slice argv[WORDS_MAX];
	struct reply reply = { 0 };
	out.len = 0;
	reply_start(&reply, &out, proto);
	struct call call = { .argc = split(line, argv), .argv = argv, .reply = &reply };
	handler(&call);
	assert_true(out.len < sizeof(text));
	size_t len = 0;
	for (size_t i = 0; i < out.len; i++) {
		if (out.data[i] != '\r') text[len++] = out.data[i] == '\n' ? ' ' : out.data[i];
	}
	text[len] = '\0';
	return text;
}

static void test_lookup_finds_every_command(void **state) {
	(void)state;
	assert_true(tarn_commands.count > 0);
	for (size_t i = 0; i < tarn_commands.count; i++) {
		const struct command *cmd = &tarn_commands.commands[i];
		char name[64];
		size_t len = strlen(cmd->name);
		for (size_t k = 0; k <= len; k++)
			name[k] = (char)(k % 2 ? cmd->name[k] : toupper((unsigned char)cmd->name[k]));
		/* On the heap and without a terminator, so that a sanitizer sees a byte read too far. */
		char *exact = mem_alloc(len);
		memcpy(exact, name, len);
		assert_ptr_equal(tarn_commands.lookup(slice_of(exact, len)), cmd);
		/* Another one (LPUSH of LPUSHX) or none. */
		assert_ptr_not_equal(tarn_commands.lookup(slice_of(exact, len - 1)), cmd);
		mem_free(exact);
		assert_ptr_equal(tarn_commands.lookup(slice_of_cstr(cmd->name)), cmd);
		assert_ptr_not_equal(tarn_commands.lookup(slice_of(cmd->name, len + 1)), cmd); /* with the NUL */
		assert_true(i == 0 || strcmp(cmd[-1].name, cmd->name) < 0);
	}
}

/* Names that are nearly right, and nonsense: the table must agree with a search through all names. */
static void test_lookup_refuses_everything_else(void **state) {
	(void)state;
	uint64_t seed = random_u64();
	print_message("seed %llu\n", (unsigned long long)seed);
	random_seed_thread(seed);
	for (unsigned round = 0; round < HOSTILE_ROUNDS; round++) {
		char name[40];
		size_t len = random_below(sizeof(name));
		for (size_t k = 0; k < len; k++) name[k] = (char)random_u64();
		if (random_below(4) > 0) {
			const char *real = tarn_commands.commands[random_below(tarn_commands.count)].name;
			len = strlen(real);
			memcpy(name, real, len);
			if (random_below(3) > 0) name[random_below(len)] ^= (char)(1 << random_below(8));
			if (random_below(4) == 0) len = random_below(len + 1);
		}
		struct slice given = slice_of(name, len);
		const struct command *expected = NULL;
		for (size_t i = 0; i < tarn_commands.count; i++) {
			if (!slice_is(given, tarn_commands.commands[i].name)) continue;
			expected = &tarn_commands.commands[i];
			break;
		}
		assert_ptr_equal(tarn_commands.lookup(given), expected);
	}
	assert_null(tarn_commands.lookup(slice_of(NULL, 0)));
}

/* What holds for every command, whoever declares it. */
static void check_command(const struct command *cmd, const struct command *parent, bool *seen) {
	assert_true(cmd->id < tarn_commands.id_count);
	assert_false(seen[cmd->id]);
	seen[cmd->id] = true;
	assert_ptr_equal(cmd->parent, parent);
	assert_non_null(cmd->docs);
	assert_non_null(cmd->docs->summary);
	assert_true(cmd->handler != NULL || cmd->subcommand_count > 0);
	assert_int_equal((cmd->flags & CMD_CONTAINER) != 0, cmd->subcommand_count > 0);
	assert_true(cmd->gate != GATE_KEYS || cmd->key_spec_count > 0);
	assert_true(cmd->only_key == 0 || (cmd->key_spec_count == 1 && cmd->only_key < abs(cmd->arity)));
	for (unsigned i = 0; i < cmd->subcommand_count; i++) {
		const struct command *sub = &cmd->subcommands[i];
		assert_true(i == 0 || strcmp(sub[-1].name, sub->name) < 0);
		assert_ptr_equal(command_find_subcommand(cmd, slice_of_cstr(sub->name)), sub);
		check_command(sub, cmd, seen);
	}
	if (cmd->subcommand_count == 0) return;
	assert_non_null(command_find_subcommand(cmd, SLICE_LITERAL("HELP")));
	assert_null(command_find_subcommand(cmd, SLICE_LITERAL("hel")));
	assert_null(command_find_subcommand(cmd, SLICE_LITERAL("")));
}

static void test_table_is_consistent(void **state) {
	(void)state;
	bool *seen = calloc(tarn_commands.id_count, sizeof(*seen));
	assert_non_null(seen);
	for (size_t i = 0; i < tarn_commands.count; i++) check_command(&tarn_commands.commands[i], NULL, seen);
	for (size_t i = 0; i < tarn_commands.id_count; i++) assert_true(seen[i]);
	free(seen);
}

struct key_list {
	char text[256]; /* "1:RO|ACCESS 2:…" would be long: position and flags in hex */
	size_t len;
};

static void note_key(void *context, unsigned arg, uint32_t spec_flags) {
	struct key_list *list = context;
	list->len += (size_t)snprintf(list->text + list->len, sizeof(list->text) - list->len, "%s%u:%x",
		list->len > 0 ? " " : "", arg, spec_flags);
}

/* The keys of a command line as "position:flags"; "bad" when the arguments do not fit. */
static const char *keys_of_spec(const struct command *cmd, const char *line) {
	static struct key_list list;
	struct slice argv[WORDS_MAX];
	unsigned argc = split(line, argv);
	list.len = 0;
	list.text[0] = '\0';
	return command_each_key(cmd, argc, argv, note_key, &list) ? list.text : "bad";
}

static const char *keys_of(const char *line) {
	struct slice argv[WORDS_MAX];
	unsigned argc = split(line, argv);
	const struct command *cmd = tarn_commands.lookup(argv[0]);
	assert_non_null(cmd);
	if (cmd->subcommand_count > 0 && argc > 1) cmd = command_find_subcommand(cmd, argv[1]);
	assert_non_null(cmd);
	return keys_of_spec(cmd, line);
}

static void test_each_key_of_declared_commands(void **state) {
	(void)state;
	assert_string_equal(keys_of("get k"), "1:11");
	assert_string_equal(keys_of("set k v"), "1:24");
	assert_string_equal(keys_of("set k get"), "1:24");
	assert_string_equal(keys_of("set k v EX 5 Get"), "1:32");
	assert_string_equal(keys_of("bitfield k get u8 0"), "1:11");
	assert_string_equal(keys_of("bitfield k get u8 0 incrby u8 0 1"), "1:32");
	assert_string_equal(keys_of("mset a 1 b 2 c"), "1:24 3:24 5:24");
	assert_string_equal(keys_of("mget a b c"), "1:11 2:11 3:11");
	assert_string_equal(keys_of("lcs a b LEN"), "1:11 2:11");
	assert_string_equal(keys_of("bitop and d a b"), "2:24 3:11 4:11");
	assert_string_equal(keys_of("rename a b"), "1:92 2:24");
	assert_string_equal(keys_of("copy a b DB 1"), "1:11 2:24");
	assert_string_equal(keys_of("object freq k"), "2:1");
	assert_string_equal(keys_of("client id"), "");
	assert_string_equal(keys_of("msetex 2 a 1 b 2 NX"), "2:24 4:24");
	assert_string_equal(keys_of("msetex 0 a 1"), "bad");
	assert_string_equal(keys_of("zunionstore d 0 a"), "bad");
	assert_string_equal(keys_of("eval x 0 a"), "");
	assert_string_equal(keys_of("msetex 3 a 1 b 2"), "bad");
	assert_string_equal(keys_of("msetex -1 a 1"), "bad");
	assert_string_equal(keys_of("msetex x a 1"), "bad");
	assert_string_equal(keys_of("msetex 4294967297 a 1"), "bad");
	assert_string_equal(keys_of("msetex 9223372036854775807 a 1"), "bad");
}

/* The kinds of key specs that no command of today has. */
static void test_each_key_of_other_specs(void **state) {
	(void)state;
	const struct key_spec streams = { .flags = KEY_RO,
		.begin = KEY_BEGIN_KEYWORD,
		.begin_index = 1,
		.begin_keyword = "STREAMS",
		.find = KEY_FIND_RANGE,
		.last = -1,
		.step = 1,
		.limit = 2 };
	const struct key_spec backwards = { .flags = KEY_RW,
		.begin = KEY_BEGIN_KEYWORD,
		.begin_index = -2,
		.begin_keyword = "KEYS",
		.find = KEY_FIND_RANGE,
		.last = -1,
		.step = 1 };
	const struct key_spec not_key = {
		.flags = KEY_NOT_KEY, .begin = KEY_BEGIN_INDEX, .begin_index = 1, .find = KEY_FIND_RANGE, .step = 1
	};
	const struct key_spec unknown = { .flags = KEY_RO, .begin = KEY_BEGIN_UNKNOWN, .find = KEY_FIND_UNKNOWN };
	const struct key_spec beyond = { .flags = KEY_RO,
		.begin = KEY_BEGIN_INDEX,
		.begin_index = 1,
		.find = KEY_FIND_RANGE,
		.last = 3,
		.step = 1 };
	struct command cmd = { .key_spec_count = 1, .key_specs = &streams };
	assert_string_equal(keys_of_spec(&cmd, "xread count 5 streams a b 0 0"), "4:1 5:1");
	assert_string_equal(keys_of_spec(&cmd, "xread streams a b c"), "2:1");
	assert_string_equal(keys_of_spec(&cmd, "xread a b streams"), "");
	cmd.key_specs = &backwards;
	assert_string_equal(keys_of_spec(&cmd, "migrate h p x keys a b"), "5:2 6:2");
	assert_string_equal(keys_of_spec(&cmd, "migrate h p x"), "");
	cmd.key_specs = &not_key;
	assert_string_equal(keys_of_spec(&cmd, "spublish c m"), "");
	cmd.key_specs = &unknown;
	assert_string_equal(keys_of_spec(&cmd, "sort k"), "");
	cmd.key_specs = &beyond;
	assert_string_equal(keys_of_spec(&cmd, "x a b c"), "bad");
	assert_string_equal(keys_of_spec(&cmd, "x"), "");
}

static void test_command_info(void **state) {
	(void)state;
	assert_string_equal(ask(cmd_command_info, "command info GET nosuch config|SET |set config| set|x", 2),
		"*6 *10 $3 get :2 *2 +readonly +fast :1 :1 :1 *3 +@read +@string +@fast *0 "
		"*1 *6 $5 flags *2 +RO +access $12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :1 "
		"$9 find_keys *4 $4 type $5 range $4 spec *6 $7 lastkey :0 $7 keystep :1 $5 limit :0 *0 $-1 "
		"*10 $10 config|set :-4 *4 +admin +noscript +loading +stale :0 :0 :0 *3 +@admin +@slow +@dangerous "
		"*2 $24 request_policy:all_nodes $29 response_policy:all_succeeded *0 *0 $-1 $-1 $-1 ");
	assert_string_equal(ask(cmd_command_info, "command info memory|usage nosuch", 3),
		"*2 *10 $12 memory|usage :-3 ~1 +readonly :2 :2 :1 ~2 +@read +@slow ~0 "
		"~1 %3 $5 flags ~1 +RO $12 begin_search %2 $4 type $5 index $4 spec %1 $5 index :2 "
		"$9 find_keys %2 $4 type $5 range $4 spec %3 $7 lastkey :0 $7 keystep :1 $5 limit :0 ~0 _ ");
	assert_string_equal(ask(cmd_command_info, "command info msetex", 3),
		"*1 *10 $6 msetex :-4 ~3 +write +denyoom +movablekeys :0 :0 :0 ~3 +@write +@string +@slow "
		"~2 $26 request_policy:multi_shard $29 response_policy:all_succeeded "
		"~1 %3 $5 flags ~2 +OW +update $12 begin_search %2 $4 type $5 index $4 spec %1 $5 index :1 "
		"$9 find_keys %2 $4 type $6 keynum $4 spec %3 $9 keynumidx :0 $8 firstkey :1 $7 keystep :2 ~0 ");
	/* Several specs that follow each other show as one range: destination and sources of BITOP. */
	assert_non_null(strstr(ask(cmd_command_info, "command info bitop", 2), ":2 :-1 :1 "));
	assert_non_null(strstr(ask(cmd_command_info, "command info rename", 2), ":1 :2 :1 "));
	/* A container brings its subcommands along. */
	assert_non_null(strstr(ask(cmd_command_info, "command info object", 3), "~0 ~5 *10 $15 object|encoding :3 "));
}

static void test_command_of_all(void **state) {
	(void)state;
	char head[32];
	snprintf(head, sizeof(head), "*%zu *10 $6 append :3 ", tarn_commands.count);
	static char without[256 * 1024];
	assert_ptr_equal(strstr(ask(cmd_command, "command", 2), head), ask(cmd_command, "command", 2));
	snprintf(without, sizeof(without), "%s", ask(cmd_command, "command", 3));
	assert_string_equal(ask(cmd_command_info, "command info", 3), without);
	snprintf(head, sizeof(head), ":%zu ", tarn_commands.count);
	assert_string_equal(ask(cmd_command_count, "command count", 2), head);
}

static void test_command_docs(void **state) {
	(void)state;
	assert_string_equal(ask(cmd_command_docs, "command docs nosuch", 2), "*0 ");
	assert_string_equal(ask(cmd_command_docs, "command docs nosuch", 3), "%0 ");
	assert_string_equal(ask(cmd_command_docs, "command docs SETBIT nosuch", 3),
		"%1 $6 setbit %5 $7 summary $55 Sets one bit of a key's string and returns what it was. "
		"$5 since $5 2.2.0 $5 group $6 bitmap $10 complexity $4 O(1) $9 arguments "
		"*3 %4 $4 name $3 key $4 type $3 key $12 display_text $3 key $14 key_spec_index :0 "
		"%3 $4 name $6 offset $4 type $7 integer $12 display_text $6 offset "
		"%3 $4 name $5 value $4 type $7 integer $12 display_text $5 value ");
}

static void test_command_docs_of_options(void **state) {
	(void)state;
	const char *docs = ask(cmd_command_docs, "command docs expire", 3);
	assert_non_null(strstr(docs, "$7 history ~1 *2 $5 7.0.0 "));
	assert_non_null(strstr(docs,
		"%5 $4 name $9 condition $4 type $5 oneof $5 since $5 7.0.0 $5 flags ~1 +optional "
		"$9 arguments *4 %4 $4 name $2 nx $4 type $10 pure-token $12 display_text $2 nx $5 token $2 NX "));
	docs = ask(cmd_command_docs, "command docs set", 2);
	assert_non_null(
		strstr(docs, "*10 $4 name $7 seconds $4 type $7 integer $12 display_text $7 seconds $5 token $2 EX "
			     "$5 since $6 2.6.12 "));
	docs = ask(cmd_command_docs, "command docs getset", 2);
	assert_non_null(strstr(docs, "$9 doc_flags *1 +deprecated $16 deprecated_since $5 6.2.0 $11 replaced_by "));
	docs = ask(cmd_command_docs, "command docs bitfield_ro", 3);
	assert_non_null(
		strstr(docs, "$5 token $3 GET $5 flags ~3 +optional +multiple +multiple_token $9 arguments *2 "));
	docs = ask(cmd_command_docs, "command docs client", 3);
	assert_non_null(strstr(docs, "$11 subcommands %"));
	assert_non_null(strstr(docs, "$14 client|setname %"));
	docs = ask(cmd_command_docs, "command docs client|kill", 3);
	assert_non_null(strstr(
		docs, "$7 ip:port $4 type $6 string $12 display_text $7 ip:port $16 deprecated_since $6 2.8.12 "));
}

static void test_command_getkeys(void **state) {
	(void)state;
	assert_string_equal(ask(cmd_command_getkeys, "command getkeys mset a 1 b 2", 2), "*2 $1 a $1 b ");
	assert_string_equal(ask(cmd_command_getkeys, "command getkeys object Encoding k", 3), "*1 $1 k ");
	assert_string_equal(ask(cmd_command_getkeys, "command getkeys msetex 1 k v", 3), "*1 $1 k ");
	const char *unknown = "-ERR Invalid command specified ", *no_keys = "-ERR The command has no key arguments ";
	const char *arity = "-ERR Invalid number of arguments specified for command ";
	const char *arguments = "-ERR Invalid arguments specified for command ";
	assert_string_equal(ask(cmd_command_getkeys, "command getkeys nosuch x", 2), unknown);
	assert_string_equal(ask(cmd_command_getkeys, "command getkeys client nosuch", 2), unknown);
	assert_string_equal(ask(cmd_command_getkeys, "command getkeys object|encoding encoding k", 2), unknown);
	assert_string_equal(ask(cmd_command_getkeys, "command getkeys ping x", 2), no_keys);
	assert_string_equal(ask(cmd_command_getkeys, "command getkeys client", 2), no_keys);
	assert_string_equal(ask(cmd_command_getkeys, "command getkeys set a", 2), arity);
	assert_string_equal(ask(cmd_command_getkeys, "command getkeys get a b", 2), arity);
	assert_string_equal(ask(cmd_command_getkeys, "command getkeys object freq", 2), arity);
	assert_string_equal(ask(cmd_command_getkeys, "command getkeys msetex 5 a b", 2), arguments);
	assert_string_equal(ask(cmd_command_getkeys, "command getkeys msetex 0 a b", 2), arguments);
}

static void test_command_getkeysandflags(void **state) {
	(void)state;
	assert_string_equal(ask(cmd_command_getkeysandflags, "command getkeysandflags bitop and d a", 2),
		"*2 *2 $1 d *2 +OW +update *2 $1 a *2 +RO +access ");
	assert_string_equal(
		ask(cmd_command_getkeysandflags, "command getkeysandflags set a b", 3), "*1 *2 $1 a ~2 +OW +update ");
	assert_string_equal(ask(cmd_command_getkeysandflags, "command getkeysandflags set a b GET", 3),
		"*1 *2 $1 a ~3 +RW +access +update ");
	assert_string_equal(ask(cmd_command_getkeysandflags, "command getkeysandflags ping a", 2),
		"-ERR The command has no key arguments ");
}

static void test_command_list(void **state) {
	(void)state;
	char head[32];
	snprintf(head, sizeof(head), "*%zu ", tarn_commands.id_count);
	assert_ptr_equal(
		strstr(ask(cmd_command_list, "command list", 3), head), ask(cmd_command_list, "command list", 3));
	assert_string_equal(ask(cmd_command_list, "command list filterby pattern CONFIG|re*", 2),
		"*2 $16 config|resetstat $14 config|rewrite ");
	assert_string_equal(ask(cmd_command_list, "command list FilterBy Pattern p[i]n?", 3), "*1 $4 ping ");
	assert_string_equal(ask(cmd_command_list, "command list filterby module m", 2), "*0 ");
	assert_string_equal(ask(cmd_command_list, "command list filterby aclcat nosuch", 2), "*0 ");
	assert_string_equal(ask(cmd_command_list, "command list filterby aclcat @bitmap", 2), "*0 ");
	assert_string_equal(ask(cmd_command_list, "command list filterby aclcat BITMAP", 2),
		"*7 $8 bitcount $8 bitfield $11 bitfield_ro $5 bitop $6 bitpos $6 getbit $6 setbit ");
	const char *const wrong[] = { "command list x", "command list filterby nosuch m",
		"command list filterby module", "command list filterby module a b", "command list by module m" };
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_string_equal(ask(cmd_command_list, wrong[i], 2), "-ERR syntax error ");
	}
}

static void test_command_help(void **state) {
	(void)state;
	const char *help = ask(cmd_command_help, "command help", 2);
	assert_non_null(
		strstr(help, "+COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are: +(no subcommand) "));
	assert_non_null(strstr(help, "+HELP +    Print this help. "));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup_finds_every_command),
		cmocka_unit_test(test_lookup_refuses_everything_else),
		cmocka_unit_test(test_table_is_consistent),
		cmocka_unit_test(test_each_key_of_declared_commands),
		cmocka_unit_test(test_each_key_of_other_specs),
		cmocka_unit_test(test_command_info),
		cmocka_unit_test(test_command_of_all),
		cmocka_unit_test(test_command_docs),
		cmocka_unit_test(test_command_docs_of_options),
		cmocka_unit_test(test_command_getkeys),
		cmocka_unit_test(test_command_getkeysandflags),
		cmocka_unit_test(test_command_list),
		cmocka_unit_test(test_command_help),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
