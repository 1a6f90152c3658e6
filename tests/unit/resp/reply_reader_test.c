/* The reply reader: every type of both versions of RESP, replies cut at any byte, pushes and attributes, what it must
 * refuse, and random trees that are written as bytes and read back. */
#include "resp/reply_reader.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/random.h"

static void feed(struct reply_reader *reader, struct slice bytes) {
	if (bytes.len == 0) return;
	memcpy(reply_reader_reserve(reader, bytes.len), bytes.ptr, bytes.len);
	reply_reader_commit(reader, bytes.len);
}

/* A reply as text: (type content), attributes in front. */
static void describe(struct buffer *out, const struct reply_node *node) {
	static const char marks[] = "+-:$_,#(=*%~>";
	if (node->attributes) {
		buffer_append_char(out, '|');
		describe(out, node->attributes);
	}
	buffer_append_char(out, marks[node->type]);
	if (!reply_node_is_aggregate(node)) {
		if (node->type == REPLY_NODE_BOOL) {
			buffer_append_char(out, node->integer ? 't' : 'f');
		} else if (node->type == REPLY_NODE_VERBATIM) {
			buffer_appendf(out, "%.3s/%.*s", node->kind, (int)node->text.len, node->text.ptr);
		} else if (node->type != REPLY_NODE_NULL) {
			buffer_append_slice(out, node->text);
		}
		return;
	}
	buffer_append_char(out, '[');
	for (size_t i = 0; i < node->count; i++) {
		if (i > 0) buffer_append_char(out, ' ');
		describe(out, &node->children[i]);
	}
	buffer_append_char(out, ']');
}

static void expect_described(const struct reply_node *node, const char *expected) {
	struct buffer text = { 0 };
	describe(&text, node);
	buffer_append_char(&text, '\0');
	assert_string_equal(text.data, expected);
	buffer_release(&text);
}

/* Reads `bytes` whole, and again cut in two at every place, which is announced as incomplete each time. */
static void check(const char *bytes, size_t len, const char *expected) {
	const struct reply_node *node;
	for (size_t cut = 0; cut < len; cut++) {
		struct reply_reader reader = { 0 };
		feed(&reader, slice_of(bytes, cut));
		assert_int_equal(reply_reader_next(&reader, &node), REPLY_READ_MORE);
		assert_int_equal(reply_reader_next(&reader, &node), REPLY_READ_MORE);
		feed(&reader, slice_of(bytes + cut, len - cut));
		assert_int_equal(reply_reader_next(&reader, &node), REPLY_READ_DONE);
		expect_described(node, expected);
		assert_int_equal(reply_reader_next(&reader, &node), REPLY_READ_MORE);
		reply_reader_release(&reader);
	}
}
#define CHECK(bytes, expected) check("" bytes, sizeof(bytes) - 1, expected)

static void test_scalars(void **state) {
	(void)state;
	CHECK("+OK\r\n", "+OK");
	CHECK("+\r\n", "+");
	CHECK("-ERR no\r\n", "-ERR no");
	CHECK("!6\r\nERR\r\nx\r\n", "-ERR\r\nx");
	CHECK(":-12\r\n", ":-12");
	CHECK(":9223372036854775807\r\n", ":9223372036854775807");
	CHECK("$5\r\na\r\nbc\r\n", "$a\r\nbc");
	CHECK("$0\r\n\r\n", "$");
	CHECK("$-1\r\n", "_");
	CHECK("*-1\r\n", "_");
	CHECK("_\r\n", "_");
	CHECK(",1.50\r\n", ",1.50");
	CHECK(",-inf\r\n", ",-inf");
	CHECK(",nan\r\n", ",nan");
	CHECK("#t\r\n", "#t");
	CHECK("#f\r\n", "#f");
	CHECK("(-123456789012345678901234567890\r\n", "(-123456789012345678901234567890");
	CHECK("=7\r\ntxt:abc\r\n", "=txt/abc");
	CHECK("=4\r\nmkd:\r\n", "=mkd/");
}

static void test_aggregates(void **state) {
	(void)state;
	CHECK("*0\r\n", "*[]");
	CHECK("*2\r\n:1\r\n*2\r\n$1\r\na\r\n*0\r\n", "*[:1 *[$a *[]]]");
	CHECK("%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n", "%[+a :1 +b *[_]]");
	CHECK("~2\r\n:1\r\n~1\r\n:2\r\n", "~[:1 ~[:2]]");
	CHECK(">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n", ">[+invalidate *[$k]]");
	CHECK("*3\r\n%0\r\n~0\r\n:7\r\n", "*[%[] ~[] :7]");
}

static void test_attributes(void **state) {
	(void)state;
	CHECK("|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n", "|%[+ttl :3]$v");
	CHECK("|0\r\n:1\r\n", "|%[]:1");
	CHECK("*2\r\n|1\r\n+a\r\n*1\r\n:1\r\n:5\r\n:6\r\n", "*[|%[+a *[:1]]:5 :6]");
	CHECK("*1\r\n|1\r\n+a\r\n|1\r\n+b\r\n:1\r\n:2\r\n*1\r\n:3\r\n", "*[|%[+a |%[+b :1]:2]*[:3]]");
}

static void test_values(void **state) {
	(void)state;
	struct reply_reader reader = { 0 };
	const struct reply_node *node;
	feed(&reader, SLICE_LITERAL("*4\r\n:-42\r\n,2.5\r\n,nan\r\n#t\r\n"));
	assert_int_equal(reply_reader_next(&reader, &node), REPLY_READ_DONE);
	assert_int_equal(node->count, 4);
	assert_int_equal(node->children[0].integer, -42);
	assert_true(node->children[1].number == 2.5);
	assert_true(isnan(node->children[2].number));
	assert_int_equal(node->children[3].integer, 1);
	reply_reader_release(&reader);
}

static void refuse(const char *bytes, const char *error) {
	struct reply_reader reader = { 0 };
	const struct reply_node *node;
	feed(&reader, slice_of_cstr(bytes));
	assert_int_equal(reply_reader_next(&reader, &node), REPLY_READ_BAD);
	if (error) assert_string_equal(reader.error, error);
	/* It stays bad, and is good again once cleared. */
	feed(&reader, SLICE_LITERAL("+OK\r\n"));
	assert_int_equal(reply_reader_next(&reader, &node), REPLY_READ_BAD);
	reply_reader_clear(&reader);
	feed(&reader, SLICE_LITERAL("+OK\r\n"));
	assert_int_equal(reply_reader_next(&reader, &node), REPLY_READ_DONE);
	expect_described(node, "+OK");
	reply_reader_release(&reader);
}

static void test_refused(void **state) {
	(void)state;
	refuse("x\r\n", "Protocol error, got \"x\" as reply type byte");
	refuse("\x01", "Protocol error, got \"\\x01\" as reply type byte");
	refuse("*1\r\n?\r\n", "Protocol error, got \"?\" as reply type byte");
	refuse(":1a\r\n", "Bad integer value");
	refuse(":\r\n", "Bad integer value");
	refuse(":9223372036854775808\r\n", "Bad integer value");
	refuse(",x\r\n", "Bad double value");
	refuse("#x\r\n", "Bad bool value");
	refuse("#\r\n", "Bad bool value");
	refuse("(12x\r\n", "Bad bignum value");
	refuse("(\r\n", "Bad bignum value");
	refuse("_x\r\n", "Bad nil value");
	refuse("$-2\r\n", NULL);
	refuse("$99999999999999999999\r\n", NULL);
	refuse("$9223372036854775807\r\n", NULL);
	refuse("$?\r\n", NULL);
	refuse("=-1\r\n", NULL);
	refuse("$1\r\nabc\r\n", NULL);
	refuse("=3\r\ntxt\r\n", NULL);
	refuse("=5\r\ntxtab\r\n", NULL);
	refuse("*-2\r\n", NULL);
	refuse("%-1\r\n", NULL);
	refuse("|-1\r\n", NULL);
	refuse("%9223372036854775807\r\n", NULL);
	refuse("+a\rb\r\n", NULL);
}

static void test_depth(void **state) {
	(void)state;
	struct buffer bytes = { 0 };
	struct reply_reader reader = { 0 };
	const struct reply_node *node;
	for (int i = 0; i < REPLY_READER_DEPTH_MAX; i++) buffer_append(&bytes, "*1\r\n", 4);
	size_t deepest = bytes.len;
	buffer_append(&bytes, ":1\r\n", 4);
	feed(&reader, buffer_slice(&bytes));
	assert_int_equal(reply_reader_next(&reader, &node), REPLY_READ_DONE);
	reply_reader_release(&reader);
	bytes.len = deepest;
	buffer_append(&bytes, "*1\r\n", 5);
	refuse(bytes.data, "Reply nested too deeply");
	buffer_release(&bytes);
}

/* A sender that never ends its line must not fill the memory. */
static void test_endless_line(void **state) {
	(void)state;
	struct reply_reader reader = { 0 };
	const struct reply_node *node;
	char chunk[4096];
	size_t sent = 0;
	memset(chunk, 'a', sizeof(chunk));
	feed(&reader, SLICE_LITERAL("+"));
	while (reply_reader_next(&reader, &node) == REPLY_READ_MORE) {
		feed(&reader, slice_of(chunk, sizeof(chunk)));
		sent += sizeof(chunk);
		assert_true(sent <= REPLY_READER_LINE_BYTES_MAX + 2 * sizeof(chunk));
	}
	reply_reader_release(&reader);
}

/* Claimed sizes cost nothing until the bytes are there. */
static void test_claims(void **state) {
	(void)state;
	struct reply_reader reader = { 0 };
	const struct reply_node *node;
	feed(&reader, SLICE_LITERAL("*1000000000000\r\n$1000000000000\r\nabc"));
	assert_int_equal(reply_reader_next(&reader, &node), REPLY_READ_MORE);
	assert_true(reader._in.cap < 4096);
	assert_null(reader._tree);
	reply_reader_release(&reader);
}

/* Random replies, many behind one another, in pieces of random size. */

static void write_random(struct buffer *bytes, struct buffer *text, int depth) {
	static const char aggregates[] = "*%~>";
	if (random_below(8) == 0) {
		buffer_append(bytes, "|1\r\n+k\r\n", 8);
		buffer_appendf(text, "|%%[+k ");
		write_random(bytes, text, depth + 1);
		buffer_append_char(text, ']');
	}
	if (depth < 5 && random_below(3) == 0) {
		char mark = aggregates[random_below(4)];
		size_t count = random_below(5) * (mark == '%' ? 2 : 1);
		buffer_appendf(bytes, "%c%zu\r\n", mark, mark == '%' ? count / 2 : count);
		buffer_appendf(text, "%c[", mark);
		for (size_t i = 0; i < count; i++) {
			if (i > 0) buffer_append_char(text, ' ');
			write_random(bytes, text, depth + 1);
		}
		buffer_append_char(text, ']');
		return;
	}
	if (random_below(2) == 0) {
		long long number = (long long)(int64_t)random_u64();
		buffer_appendf(bytes, ":%lld\r\n", number);
		buffer_appendf(text, ":%lld", number);
		return;
	}
	size_t len = random_below(random_below(10) == 0 ? 20000 : 20);
	buffer_appendf(bytes, "$%zu\r\n", len);
	buffer_append_char(text, '$');
	for (size_t i = 0; i < len; i++) {
		char c = (char)('\n' + (char)random_below(90));
		buffer_append_char(bytes, c);
		buffer_append_char(text, c);
	}
	buffer_append(bytes, "\r\n", 2);
}

static void test_random(void **state) {
	(void)state;
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	print_message("SEED=%llu\n", (unsigned long long)seed);
	random_seed_thread(seed);
	for (int round = 0; round < 200; round++) {
		struct buffer bytes = { 0 }, expected = { 0 }, got = { 0 };
		struct reply_reader reader = { 0 };
		const struct reply_node *node;
		size_t replies = 1 + random_below(20), read = 0;
		for (size_t i = 0; i < replies; i++) {
			write_random(&bytes, &expected, 0);
			buffer_append_char(&expected, '\n');
		}
		for (size_t at = 0; at < bytes.len;) {
			size_t piece = 1 + random_below(random_below(2) ? 10 : 5000);
			if (piece > bytes.len - at) piece = bytes.len - at;
			feed(&reader, slice_of(bytes.data + at, piece));
			at += piece;
			while (reply_reader_next(&reader, &node) == REPLY_READ_DONE) {
				describe(&got, node);
				buffer_append_char(&got, '\n');
				read++;
			}
		}
		assert_int_equal(read, replies);
		assert_int_equal(got.len, expected.len);
		assert_memory_equal(got.data, expected.data, got.len);
		reply_reader_release(&reader);
		buffer_release(&bytes);
		buffer_release(&expected);
		buffer_release(&got);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_aggregates),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_endless_line),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
