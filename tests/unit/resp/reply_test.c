/* The reply writer: each reply in both versions of RESP. The expected bytes are those of redis-server 7.0.15 (DEBUG
 * PROTOCOL, OBJECT HELP), but for doubles, whose digits are base/number's. */
#include "resp/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/random.h"

/* Runs `code` with a reply `r` of each version, and compares what it wrote. */
#define CHECK_REPLY(resp2, resp3, code)                                                                                \
	do {                                                                                                           \
		static const char *const expected[] = { resp2, resp3 };                                                \
		for (uint8_t proto = 2; proto <= 3; proto++) {                                                         \
			struct buffer out = { 0 };                                                                     \
			struct reply reply;                                                                            \
			struct reply *r = &reply;                                                                      \
			reply_start(r, &out, proto);                                                                   \
			code;                                                                                          \
			buffer_append_char(&out, '\0');                                                                \
			assert_string_equal(out.data, expected[proto - 2]);                                            \
			buffer_release(&out);                                                                          \
		}                                                                                                      \
	} while (0)
#define CHECK_BOTH(bytes, code) CHECK_REPLY(bytes, bytes, code)

static void test_lines(void **state) {
	(void)state;
	CHECK_BOTH("+OK\r\n", reply_ok(r));
	CHECK_BOTH("+PONG\r\n", reply_status(r, "PONG"));
	CHECK_BOTH("+a  b\r\n", reply_status(r, "a\r\nb"));
	CHECK_BOTH("-ERR syntax error\r\n", reply_error(r, "ERR syntax error"));
	CHECK_BOTH("-FOO bar  baz  \r\n", reply_error(r, "FOO bar\r\nbaz\r\n"));
	CHECK_BOTH("-ERR a 7 b\r\n", reply_errorf(r, "ERR a %d\nb\r\n", 7));
}

static void test_error_count(void **state) {
	(void)state;
	struct buffer out = { 0 };
	struct reply r;
	reply_start(&r, &out, 2);
	reply_ok(&r);
	assert_int_equal(r.errors, 0);
	reply_error(&r, "WRONGTYPE Operation");
	assert_int_equal(r.errors, 1);
	assert_string_equal(r.error_code, "WRONGTYPE");
	reply_errorf(&r, "%s", "NOSPACE");
	assert_int_equal(r.errors, 2);
	assert_string_equal(r.error_code, "NOSPACE");
	reply_error(&r, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
	assert_string_equal(r.error_code, "abcdefghijklmnopqrstuvwxyzabcde");
	buffer_release(&out);
}

/* Longer than the first guess of the formatted replies, and right at its edge. */
static void test_long_formats(void **state) {
	(void)state;
	for (int len = 250; len < 262; len++) {
		struct buffer out = { 0 };
		struct buffer expected = { 0 };
		struct reply r;
		reply_start(&r, &out, 2);
		reply_errorf(&r, "ERR %0*d", len, 1);
		reply_bulkf(&r, "%0*d", len, 1);
		buffer_appendf(&expected, "-ERR %0*d\r\n$%d\r\n%0*d\r\n", len, 1, len, len, 1);
		assert_true(slice_equal(buffer_slice(&out), buffer_slice(&expected)));
		buffer_release(&out);
		buffer_release(&expected);
	}
}

static void test_numbers(void **state) {
	(void)state;
	CHECK_BOTH(":0\r\n:9\r\n:10\r\n:99\r\n", {
		reply_int(r, 0);
		reply_int(r, 9);
		reply_int(r, 10);
		reply_int(r, 99);
	});
	CHECK_BOTH(":100\r\n:-1\r\n:-12345\r\n", {
		reply_int(r, 100);
		reply_int(r, -1);
		reply_int(r, -12345);
	});
	CHECK_BOTH(":9223372036854775807\r\n:-9223372036854775808\r\n", {
		reply_int(r, INT64_MAX);
		reply_int(r, INT64_MIN);
	});
	CHECK_BOTH("$1\r\n0\r\n$3\r\n-17\r\n$20\r\n-9223372036854775808\r\n", {
		reply_bulk_int(r, 0);
		reply_bulk_int(r, -17);
		reply_bulk_int(r, INT64_MIN);
	});
	CHECK_REPLY(":1\r\n:0\r\n", "#t\r\n#f\r\n", {
		reply_bool(r, true);
		reply_bool(r, false);
	});
	CHECK_REPLY("$5\r\n3.141\r\n$3\r\ninf\r\n$4\r\n-inf\r\n$1\r\n3\r\n", ",3.141\r\n,inf\r\n,-inf\r\n,3\r\n", {
		reply_double(r, 3.141);
		reply_double(r, 1.0 / 0.0);
		reply_double(r, -1.0 / 0.0);
		reply_double(r, 3);
	});
	CHECK_REPLY("$37\r\n1234567999999999999999999999999999999\r\n", "(1234567999999999999999999999999999999\r\n",
		reply_big_number(r, SLICE_LITERAL("1234567999999999999999999999999999999")));
}

static void test_numbers_at_random(void **state) {
	(void)state;
	for (int i = 0; i < 20000; i++) {
		int64_t value = (int64_t)(random_u64() >> random_below(64)) * (random_below(2) ? 1 : -1);
		char expected[64];
		snprintf(expected, sizeof(expected), ":%lld\r\n", (long long)value);
		struct buffer out = { 0 };
		struct reply r;
		reply_start(&r, &out, 3);
		reply_int(&r, value);
		assert_true(slice_equal(buffer_slice(&out), slice_of_cstr(expected)));
		buffer_release(&out);
	}
}

static void test_strings(void **state) {
	(void)state;
	CHECK_BOTH("$11\r\nHello World\r\n", reply_cstr(r, "Hello World"));
	CHECK_BOTH("$0\r\n\r\n", reply_bulk(r, NULL, 0));
	CHECK_BOTH("$3\r\na\r\n\r\n", reply_slice(r, SLICE_LITERAL("a\r\n")));
	CHECK_BOTH("$4\r\nx-42\r\n", reply_bulkf(r, "x%d", -42));
	CHECK_REPLY("$25\r\nThis is a verbatim\nstring\r\n", "=29\r\ntxt:This is a verbatim\nstring\r\n",
		reply_verbatim(r, "txt", SLICE_LITERAL("This is a verbatim\nstring")));
	CHECK_REPLY("$0\r\n\r\n", "=4\r\nmkd:\r\n", reply_verbatim(r, "mkd", SLICE_LITERAL("")));
	CHECK_REPLY("$-1\r\n", "_\r\n", reply_null(r));
	CHECK_REPLY("*-1\r\n", "_\r\n", reply_null_array(r));
}

static void test_bulk_lengths(void **state) {
	(void)state;
	static const size_t lengths[] = { 1, 9, 10, 99, 100, 999, 1000, 65536, 1234567 };
	char *text = mem_calloc(1234567);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct buffer out = { 0 };
		struct reply r;
		char head[32];
		int head_len = snprintf(head, sizeof(head), "$%zu\r\n", lengths[i]);
		reply_start(&r, &out, 2);
		reply_bulk(&r, text, lengths[i]);
		assert_int_equal(out.len, (size_t)head_len + lengths[i] + 2);
		assert_memory_equal(out.data, head, head_len);
		assert_memory_equal(out.data + out.len - 2, "\r\n", 2);
		buffer_release(&out);
	}
	mem_free(text);
}

static void test_aggregates(void **state) {
	(void)state;
	CHECK_BOTH("*3\r\n", reply_array(r, 3));
	CHECK_BOTH("*0\r\n", reply_array(r, 0));
	CHECK_BOTH("*100000\r\n", reply_array(r, 100000));
	CHECK_REPLY("*6\r\n", "%3\r\n", reply_map(r, 3));
	CHECK_REPLY("*3\r\n", "~3\r\n", reply_set(r, 3));
	CHECK_REPLY("*2\r\n", ">2\r\n", reply_push(r, 2));
}

static void test_attribute(void **state) {
	(void)state;
	struct buffer out = { 0 };
	struct reply r;
	reply_start(&r, &out, 3);
	reply_attribute(&r, 1);
	assert_true(slice_equal(buffer_slice(&out), SLICE_LITERAL("|1\r\n")));
	buffer_release(&out);
}

static void test_late_lengths(void **state) {
	(void)state;
	CHECK_BOTH("*0\r\n", {
		size_t begin = reply_begin(r);
		reply_end(r, begin, REPLY_ARRAY, 0);
	});
	CHECK_REPLY("*4\r\n*2\r\n:1\r\n:2\r\n:7\r\n", "%2\r\n~2\r\n:1\r\n:2\r\n:7\r\n", {
		size_t outer = reply_begin(r);
		size_t inner = reply_begin(r);
		reply_int(r, 1);
		reply_int(r, 2);
		reply_end(r, inner, REPLY_SET, 2);
		reply_int(r, 7);
		reply_end(r, outer, REPLY_MAP, 2);
	});
	CHECK_REPLY("+x\r\n*12\r\n:1\r\n*10\r\n:5\r\n:9\r\n+y\r\n", "+x\r\n%6\r\n:1\r\n*10\r\n:5\r\n:9\r\n+y\r\n", {
		reply_status(r, "x");
		size_t outer = reply_begin(r);
		reply_int(r, 1);
		size_t inner = reply_begin(r);
		reply_int(r, 5);
		reply_end(r, inner, REPLY_ARRAY, 10);
		reply_int(r, 9);
		reply_end(r, outer, REPLY_MAP, 6);
		reply_status(r, "y");
	});
}

static void test_help(void **state) {
	(void)state;
	static const char *const lines[] = { "FREQ <key>", "    How often.", NULL };
	CHECK_BOTH("*5\r\n+OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n+FREQ <key>\r\n+    How "
		   "often.\r\n"
		   "+HELP\r\n+    Print this help.\r\n",
		reply_help(r, "object", lines));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_error_count),
		cmocka_unit_test(test_long_formats),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_numbers_at_random),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_bulk_lengths),
		cmocka_unit_test(test_aggregates),
		cmocka_unit_test(test_attribute),
		cmocka_unit_test(test_late_lengths),
		cmocka_unit_test(test_help),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
