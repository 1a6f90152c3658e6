/* buffer: random appends against a plain array, formatted and quoted text, and reservations that cannot be. */
#include "../testing.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"

static void test_empty(void **state) {
	struct buffer b = { 0 };
	(void)state;
	assert_int_equal(buffer_slice(&b).len, 0);
	buffer_append(&b, NULL, 0);
	buffer_append_slice(&b, slice_of(NULL, 0));
	assert_null(b.data);
	buffer_release(&b);
	buffer_append_char(&b, 'x');
	buffer_release(&b);
	assert_null(b.data);
	assert_int_equal(b.len + b.cap, 0);
}

static void test_model(void **state) {
	enum { MAX = 300000 };
	(void)state;
	testing_begin(1);
	char *want = mem_alloc(MAX), piece[5000];
	for (unsigned round = testing_rounds(10); round > 0; round--) {
		struct buffer b = { 0 };
		size_t len = 0;
		while (len < MAX - sizeof(piece)) {
			size_t more = random_below(random_below(10) ? 40 : sizeof(piece));
			for (size_t i = 0; i < more; i++) piece[i] = (char)random_u64();
			switch (random_below(4)) {
			case 0: buffer_append(&b, piece, more); break;
			case 1: buffer_append_slice(&b, slice_of(piece, more)); break;
			case 2:
				for (size_t i = 0; i < more; i++) buffer_append_char(&b, piece[i]);
				break;
			default:
				if (more) memcpy(buffer_reserve(&b, more), piece, more);
				b.len += more;
			}
			if (more) memcpy(want + len, piece, more);
			len += more;
			assert_int_equal(b.len, len);
			assert_true(b.cap >= b.len);
		}
		assert_memory_equal(b.data, want, len);
		assert_true(b.cap <= 2 * len);
		buffer_release(&b);
	}
	mem_free(want);
}

static void test_format(void **state) {
	struct buffer b = { 0 };
	char long_text[5000];
	(void)state;
	memset(long_text, 'y', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	buffer_appendf(&b, "%d-%s", 42, "x");
	assert_true(slice_equal(buffer_slice(&b), SLICE_LITERAL("42-x")));
	for (size_t len = 0; len < sizeof(long_text); len += 1 + len / 20) {
		b.len = 3;
		buffer_appendf(&b, "%.*s|", (int)len, long_text);
		assert_int_equal(b.len, len + 4);
		assert_memory_equal(b.data + 3, long_text, len);
		assert_int_equal(b.data[b.len - 1], '|');
	}
	buffer_release(&b);
}

static void check_quoted(struct slice raw, const char *want) {
	struct buffer b = { 0 };
	buffer_append_quoted(&b, raw);
	buffer_append_char(&b, '\0');
	assert_string_equal(b.data, want);
	buffer_release(&b);
}

static void test_quoted(void **state) {
	(void)state;
	check_quoted(slice_of(NULL, 0), "\"\"");
	check_quoted(SLICE_LITERAL("plain text 'x'"), "\"plain text 'x'\"");
	check_quoted(SLICE_LITERAL("\n\r\t\a\b\"\\"), "\"\\n\\r\\t\\a\\b\\\"\\\\\"");
	check_quoted(SLICE_LITERAL("nrtab"), "\"nrtab\"");
	check_quoted(SLICE_LITERAL("\0\x01\x1f\x7f\x80\xff\v\f"), "\"\\x00\\x01\\x1f\\x7f\\x80\\xff\\x0b\\x0c\"");
	check_quoted(SLICE_LITERAL("~ !"), "\"~ !\"");
}

static void test_try_reserve(void **state) {
	struct buffer b = { 0 };
	(void)state;
	buffer_append_slice(&b, SLICE_LITERAL("keep"));
	assert_false(buffer_try_reserve(&b, SIZE_MAX));
	assert_false(buffer_try_reserve(&b, SIZE_MAX - b.len));
	assert_false(buffer_try_reserve(&b, SIZE_MAX / 2));
	assert_true(slice_equal(buffer_slice(&b), SLICE_LITERAL("keep")));
	assert_true(buffer_try_reserve(&b, 100000));
	assert_true(b.cap - b.len >= 100000);
	char *data = b.data;
	assert_ptr_equal(buffer_reserve(&b, 100000), data + 4);
	assert_true(slice_equal(buffer_slice(&b), SLICE_LITERAL("keep")));
	buffer_release(&b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_quoted),
		cmocka_unit_test(test_try_reserve),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
