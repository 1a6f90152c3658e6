/* The first line of scripts. What clients see of it is in tests/system/test_scripting.py. */
#include "../testing.h"

#include "script/eval_header.h"
#include "script/function_library.h"

static void accept(const char *text, bool present, uint32_t flags, const char *body) {
	struct eval_header h;
	struct buffer error = { 0 };
	assert_true(eval_header_read(&h, slice_of_cstr(text), &error));
	assert_int_equal(h.present, present);
	assert_int_equal(h.flags, flags);
	assert_true(slice_equal(h.body, slice_of_cstr(body)));
	assert_int_equal(error.len, 0);
}

static void refuse(struct slice text, const char *expected) {
	struct eval_header h;
	struct buffer error = { 0 };
	assert_false(eval_header_read(&h, text, &error));
	assert_true(slice_equal(buffer_slice(&error), slice_of_cstr(expected)));
	buffer_release(&error);
}

static void test_what_is_taken(void **state) {
	(void)state;
	accept("", false, 0, "");
	accept("return 1", false, 0, "return 1");
	accept("#!lua\nreturn 1", true, 0, "\nreturn 1");
	accept("#!lua flags=\n", true, 0, "\n");
	accept("#!lua flags=no-writes\r\nx", true, FUNCTION_NO_WRITES, "\nx");
	accept("#!lua 'flags=no-writes,allow-oom' flags=no-cluster\n", true,
		FUNCTION_NO_WRITES | FUNCTION_ALLOW_OOM | FUNCTION_NO_CLUSTER, "\n");
}

static void test_what_is_not(void **state) {
	(void)state;
	refuse(SLICE_LITERAL("#!"), "Invalid script shebang");
	refuse(SLICE_LITERAL("#!lua"), "Invalid script shebang");
	refuse(SLICE_LITERAL("#!lua \"\n"), "Invalid engine in script shebang");
	refuse(SLICE_LITERAL("#!\n"), "Unexpected engine in script shebang: #!");
	refuse(SLICE_LITERAL("#!lua\0x\n"), "Unknown lua shebang option: x");
	refuse(SLICE_LITERAL("#!lua flags=no-writes,\n"), "Unexpected flag in script shebang: ");
	refuse(SLICE_LITERAL("#!lua flags\n"), "Unknown lua shebang option: flags");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_taken),
		cmocka_unit_test(test_what_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
