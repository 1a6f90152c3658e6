/* The line being edited: characters of several bytes, wide and combining ones, words, kill and yank. */
#include "tools/cli_edit.c"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct cli_edit edit_with(const char *text) {
	struct cli_edit edit = { 0 };
	cli_edit_set(&edit, slice_of_cstr(text));
	return edit;
}

static void expect(struct cli_edit *edit, const char *text, size_t cursor) {
	assert_int_equal(edit->text.len, strlen(text));
	assert_memory_equal(edit->text.data, text, strlen(text));
	assert_int_equal(edit->cursor, cursor);
}

static void test_characters(void **state) {
	(void)state;
	/* é as one code point, e with a combining accent, a wide character, a stray byte, an emoji. */
	struct cli_edit edit = edit_with("\xc3\xa9"
					 "e\xcc\x81"
					 "\xe6\x97\xa5"
					 "\xff"
					 "\xf0\x9f\x98\x80");
	static const size_t stops[] = { 0, 2, 5, 8, 9, 13 };
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(cli_edit_next(&edit, stops[i]), stops[i + 1]);
		assert_int_equal(cli_edit_previous(&edit, stops[i + 1]), stops[i]);
	}
	assert_int_equal(cli_edit_next(&edit, 13), 13);
	assert_int_equal(cli_edit_previous(&edit, 0), 0);
	assert_int_equal(cli_edit_width(buffer_slice(&edit.text)), 1 + 1 + 2 + 1 + 2);
	cli_edit_release(&edit);
}

static void test_malformed(void **state) {
	(void)state;
	static const char *const texts[] = { "\xc3", "\xe6\x97", "\xf0\x9f\x98", "\x80\x80", "\xc0\x80", "\xc3(",
		"\xed" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct cli_edit edit = edit_with(texts[i]);
		assert_int_equal(cli_edit_next(&edit, 0), 1);
		assert_int_equal(cli_edit_width(buffer_slice(&edit.text)), strlen(texts[i]));
		cli_edit_release(&edit);
	}
}

static void test_editing(void **state) {
	(void)state;
	struct cli_edit edit = { 0 };
	cli_edit_insert(&edit, SLICE_LITERAL("ac"));
	edit.cursor = 1;
	cli_edit_insert(&edit, SLICE_LITERAL("\xc3\xa9"));
	expect(&edit,
		"a\xc3\xa9"
		"c",
		3);
	cli_edit_transpose(&edit);
	expect(&edit, "ac\xc3\xa9", 4);
	cli_edit_transpose(&edit);
	expect(&edit,
		"a\xc3\xa9"
		"c",
		4);
	cli_edit_remove(&edit, cli_edit_previous(&edit, 3), 3);
	expect(&edit, "ac", 1);
	cli_edit_remove(&edit, 1, 1);
	expect(&edit, "ac", 1);
	cli_edit_release(&edit);
	edit = edit_with("x");
	cli_edit_transpose(&edit);
	expect(&edit, "x", 1);
	cli_edit_release(&edit);
}

static void test_words(void **state) {
	(void)state;
	struct cli_edit edit = edit_with("set user:1 \"a b\"");
	assert_int_equal(cli_edit_next_word(&edit, 0), 3);
	assert_int_equal(cli_edit_next_word(&edit, 3), 8);
	assert_int_equal(cli_edit_previous_word(&edit, 16), 14);
	assert_int_equal(cli_edit_previous_word(&edit, 10), 9);
	assert_int_equal(cli_edit_previous_word(&edit, 0), 0);
	assert_int_equal(cli_edit_next_word(&edit, 16), 16);
	assert_int_equal(cli_edit_previous_blank(&edit, 11), 4);
	cli_edit_kill(&edit, 4, 11);
	expect(&edit, "set \"a b\"", 4);
	cli_edit_yank(&edit);
	expect(&edit, "set user:1 \"a b\"", 11);
	cli_edit_release(&edit);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_editing),
		cmocka_unit_test(test_words),
	};
	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
