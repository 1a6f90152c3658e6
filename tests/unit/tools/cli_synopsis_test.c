/* What is hinted behind a command while its arguments are typed, and which tokens complete a word. */
#include "tools/cli_synopsis.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/quoted.h"

static void check(const char *synopsis, const char *typed, const char *expected) {
	struct quoted_words words = { 0 };
	struct buffer rest = { 0 };
	assert_true(quoted_split(slice_of_cstr(typed), &words));
	cli_synopsis_rest(synopsis, words.words, words.count, &rest);
	buffer_append_char(&rest, '\0');
	assert_string_equal(rest.data, expected);
	buffer_release(&rest);
	quoted_words_release(&words);
}

static void test_plain(void **state) {
	(void)state;
	check("", "", "");
	check("", "x", "");
	check("key", "", "key");
	check("key", "k", "");
	check("key value", "k", "value");
	check("key value", "k v too-many", "");
}

static void test_options(void **state) {
	(void)state;
	const char *set = "key value [NX | XX] [GET] [EX seconds | KEEPTTL]";
	check(set, "", set);
	check(set, "k v", "[NX | XX] [GET] [EX seconds | KEEPTTL]");
	check(set, "k v nx", "[GET] [EX seconds | KEEPTTL]");
	check(set, "k v ex", "seconds [NX | XX] [GET]");
	check(set, "k v EX 10", "[NX | XX] [GET]");
	check(set, "k v get keepttl xx", "");
	check(set, "k v what", "");
	check(set, "k v xx nx", "");
	check("key [count]", "k", "[count]");
	check("key [count]", "k 3", "");
	check("[ASYNC | SYNC]", "", "[ASYNC | SYNC]");
	check("[start end [BYTE | BIT]]", "1", "end [BYTE | BIT]");
	check("[start end [BYTE | BIT]]", "1 2", "[BYTE | BIT]");
}

static void test_repetition(void **state) {
	(void)state;
	check("key [key ...]", "", "key [key ...]");
	check("key [key ...]", "a", "[key ...]");
	check("key [key ...]", "a b c", "[key ...]");
	check("key value [key value ...]", "a 1 b", "value [key value ...]");
	check("key [GET pattern [GET pattern ...]] [ASC | DESC]", "k get p", "[GET pattern ...] [ASC | DESC]");
	check("key [GET pattern [GET pattern ...]] [ASC | DESC]", "k get p get q asc", "");
}

static void test_groups(void **state) {
	(void)state;
	check("<LEFT | RIGHT> key", "", "<LEFT | RIGHT> key");
	check("<LEFT | RIGHT> key", "left", "key");
	check("<LEFT | RIGHT> key", "up", "");
	check("key <FIELDS count | ALL> [x]", "k fields", "count [x]");
	check("key [NX | XX] [CH] score member [score member ...]", "k",
		"[NX | XX] [CH] score member [score member ...]");
	check("key [NX | XX] [CH] score member [score member ...]", "k ch",
		"[NX | XX] score member [score member ...]");
	check("key [NX | XX] [CH] score member [score member ...]", "k ch 1", "member [score member ...]");
	check("key [MAXLEN [= | ~] threshold [LIMIT count]] field", "k maxlen ~", "threshold [LIMIT count] field");
	check("key [MAXLEN [= | ~] threshold [LIMIT count]] field", "k maxlen 10", "[LIMIT count] field");
}

static void test_odd_synopses(void **state) {
	(void)state;
	static const char *const odd[] = { "[", "]", "<", "a |", "[a", "...", "[[[[a]", "| |", "<>", "[]" };
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct buffer rest = { 0 };
		const struct slice words[] = { SLICE_LITERAL("a"), SLICE_LITERAL("b") };
		for (size_t n = 0; n <= 2; n++) cli_synopsis_rest(odd[i], words, n, &rest);
		buffer_release(&rest);
	}
}

static void collect(void *context, struct slice token) {
	buffer_append_slice(context, token);
	buffer_append_char(context, ' ');
}

static void test_tokens(void **state) {
	(void)state;
	struct buffer tokens = { 0 };
	cli_synopsis_tokens("key [NX | XX] [EX seconds | EXAT time | KEEPTTL]", SLICE_LITERAL("e"), collect, &tokens);
	buffer_append_char(&tokens, '\0');
	assert_string_equal(tokens.data, "EX EXAT ");
	buffer_release(&tokens);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_repetition),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_odd_synopses),
		cmocka_unit_test(test_tokens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
