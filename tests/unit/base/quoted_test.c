/* base/quoted: what each kind of quote and escape means, what is refused, and that buffer_append_quoted reads back. */
#include "base/quoted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/random.h"

/* Splits and shows the words as [a][b]; "unbalanced" when refused. */
static const char *split(struct slice line) {
	static char shown[512];
	struct quoted_words words = { 0 };
	size_t len = 0;
	shown[0] = '\0';
	if (!quoted_split(line, &words)) {
		assert_int_equal(words.count, 0);
		snprintf(shown, sizeof(shown), "unbalanced");
	}
	for (size_t i = 0; i < words.count; i++) {
		len += (size_t)snprintf(
			shown + len, sizeof(shown) - len, "[%.*s]", (int)words.words[i].len, words.words[i].ptr);
	}
	quoted_words_release(&words);
	return shown;
}

/* The expectations are those of redis-server 7.0.15's inline commands. */
static void test_lines(void **state) {
	(void)state;
	static const struct {
		const char *line, *words;
	} cases[] = {
		{ "", "" },
		{ " \t\r\n", "" },
		{ "a  b\tc\n", "[a][b][c]" },
		{ "a\"b c\"", "[ab c]" },
		{ "\"a\"b", "unbalanced" },
		{ "'a\\'b' \"\\x41\\q\\n\"", "[a'b][Aq\n]" },
		{ "\"a", "unbalanced" },
		{ "'a", "unbalanced" },
		{ "a'b c'd", "unbalanced" },
		{ "\"\\x4\" \"\\xzz\" \"\\XAA\"", "[x4][xzz][XAA]" },
		{ "a\\b", "[a\\b]" },
		{ "a\\\"b", "unbalanced" },
		{ "\"\" ''", "[][]" },
		{ "'\\n'", "[\\n]" },
		{ "\"a\\\"", "unbalanced" },
		{ "\"\\a\\b\\t\\r\"", "[\a\b\t\r]" },
		{ "\"a\"\v\"b\"", "[a][b]" },
		{ "b\vc\fd", "[b\vc\fd]" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(split(slice_of_cstr(cases[i].line)), cases[i].words);
	}
	assert_string_equal(split(slice_of(NULL, 0)), "");
	assert_string_equal(split(slice_of("a\0b", 3)), "[a][b]");
}

static void test_plain(void **state) {
	(void)state;
	assert_true(quoted_is_plain(SLICE_LITERAL("abc-::*")));
	assert_false(quoted_is_plain(SLICE_LITERAL("")));
	assert_false(quoted_is_plain(SLICE_LITERAL("a b")));
	assert_false(quoted_is_plain(SLICE_LITERAL("a\"")));
	assert_false(quoted_is_plain(SLICE_LITERAL("#a")));
	assert_false(quoted_is_plain(SLICE_LITERAL("\xc3\xa4")));
}

static void test_reads_back(void **state) {
	(void)state;
	uint64_t seed = random_u64();
	print_message("seed %llu\n", (unsigned long long)seed);
	random_seed_thread(seed);
	struct quoted_words words = { 0 };
	for (unsigned round = 0; round < 2000; round++) {
		char bytes[3][40];
		struct slice wanted[3];
		struct buffer line = { 0 };
		size_t count = random_below(4);
		for (size_t i = 0; i < count; i++) {
			wanted[i] = slice_of(bytes[i], random_below(sizeof(bytes[i])));
			for (size_t b = 0; b < wanted[i].len; b++) bytes[i][b] = (char)random_below(256);
			buffer_append_quoted(&line, wanted[i]);
			buffer_append_char(&line, ' ');
		}
		assert_true(quoted_split(buffer_slice(&line), &words));
		assert_int_equal(words.count, count);
		for (size_t i = 0; i < count; i++) assert_true(slice_equal(words.words[i], wanted[i]));
		buffer_release(&line);
	}
	quoted_words_release(&words);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_reads_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
