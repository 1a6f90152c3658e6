/* The request parser: what it makes of each form of request and error, that it makes the same of it wherever the
 * stream is cut, and that it agrees with a naive parser on random pipelines.
 *
 * A stream is turned into a log of what the parser said. Each piece is parsed in an allocation of exactly its size,
 * so that the sanitizers see a read beyond the range, and logged after the whole piece is parsed, as a batch is run. */
#include "resp/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/random.h"

static const struct request_limits usual = {
	.max_bulk = (uint64_t)512 * 1024 * 1024,
	.max_args = REQUEST_MAX_ARGS,
	.max_inline = REQUEST_MAX_INLINE_BYTES,
	.authenticated = true,
};
static const struct request_limits stranger = {
	.max_bulk = (uint64_t)512 * 1024 * 1024,
	.max_args = REQUEST_MAX_ARGS,
	.max_inline = REQUEST_MAX_INLINE_BYTES,
	.authenticated = false,
};

enum { BATCH_MAX = 4096 };

struct session {
	const struct request_limits *limits;
	struct request_parser parser;
	struct request_arena arena;
	struct buffer log;
	size_t pos; /* where the incomplete request begins in the stream */
	bool failed;
};

static void log_args(struct buffer *log, unsigned argc, const struct slice *argv) {
	buffer_appendf(log, "%u:", argc);
	for (unsigned i = 0; i < argc; i++) {
		buffer_append_char(log, ' ');
		buffer_append_quoted(log, argv[i]);
	}
	buffer_append_char(log, '\n');
}

static void log_batch(struct session *s, const struct request *batch, size_t count) {
	for (size_t i = 0; i < count; i++) {
		if (batch[i].argc == 0) {
			buffer_appendf(&s->log, "empty\n");
		} else {
			log_args(&s->log, batch[i].argc, batch[i].argv);
		}
	}
}

/* Parses what the stream holds up to `available`. */
static void session_feed(struct session *s, struct slice stream, size_t available) {
	static struct request batch[BATCH_MAX];
	if (s->failed || available == s->pos) return;
	size_t len = available - s->pos;
	char *bytes = mem_alloc(len);
	memcpy(bytes, stream.ptr + s->pos, len);
	size_t at = 0;
	size_t count = 0;
	char error[REQUEST_ERROR_TEXT_MAX] = "";
	while (count < BATCH_MAX) {
		struct request *request = &batch[count];
		*request = (struct request){ 0 };
		enum request_status status =
			request_parse(&s->parser, s->limits, bytes + at, len - at, &s->arena, request);
		if (status == REQUEST_MORE) break;
		assert_false(request_is_partial(&s->parser));
		if (status == REQUEST_ERROR) {
			request_error_text(request, error);
			s->failed = true;
			break;
		}
		assert_true(request->bytes > 0 && request->bytes <= len - at);
		assert_true(status == REQUEST_OK || request->argc == 0);
		at += request->bytes;
		count++;
	}
	assert_true(count < BATCH_MAX);
	log_batch(s, batch, count);
	if (s->failed) buffer_appendf(&s->log, "%s\n", error);
	s->pos += at;
	request_arena_clear(&s->arena);
	mem_free(bytes);
}

static char *session_end(struct session *s) {
	if (request_is_partial(&s->parser)) buffer_appendf(&s->log, "more\n");
	buffer_append_char(&s->log, '\0');
	request_arena_release(&s->arena);
	return s->log.data;
}

/* The log of a stream that comes in pieces of `piece` bytes, after a first one of `first`. */
static char *parse_in_pieces(const struct request_limits *limits, struct slice stream, size_t first, size_t piece) {
	struct session s = { .limits = limits };
	for (size_t available = first; available < stream.len; available += piece) session_feed(&s, stream, available);
	session_feed(&s, stream, stream.len);
	return session_end(&s);
}

static void check_everywhere(const struct request_limits *limits, struct slice stream, const char *expected) {
	for (size_t cut = 0; cut <= stream.len; cut++) {
		char *log = parse_in_pieces(limits, stream, cut, stream.len + 1);
		assert_string_equal(log, expected);
		mem_free(log);
	}
	for (size_t piece = 1; piece <= 3; piece++) {
		char *log = parse_in_pieces(limits, stream, piece, piece);
		assert_string_equal(log, expected);
		mem_free(log);
	}
}

struct sample {
	struct slice stream;
	const char *log;
};
#define SAMPLE(text, log)                                                                                              \
	{ SLICE_LITERAL(text), log }

/* The answers are those of redis-server 7.0.15 to the same bytes. */
static const struct sample requests[] = {
	SAMPLE("*1\r\n$4\r\nPING\r\n", "1: \"PING\"\n"),
	SAMPLE("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\nhello\r\nworld\r\n", "3: \"SET\" \"k\" \"hello\\r\\nworld\"\n"),
	SAMPLE("*2\r\n$4\r\nECHO\r\n$0\r\n\r\n*1\r\n$1\r\nx\r\n", "2: \"ECHO\" \"\"\n1: \"x\"\n"),
	SAMPLE("*1\r\n$4\r\nPING\r\nPING\r\n\r\n*0\r\nx y\n",
		"1: \"PING\"\n1: \"PING\"\nempty\nempty\n2: \"x\" \"y\"\n"),
	SAMPLE("*-1\r\nPING\r\n", "empty\n1: \"PING\"\n"),
	SAMPLE("*-5\r\n*-9223372036854775808\r\n", "empty\nempty\n"),
	SAMPLE("*12\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n$1\r\nf\r\n$1\r\ng\r\n$1\r\nh\r\n$"
	       "1\r\ni\r\n$1\r\nj\r\n$1\r\nk\r\n"
	       "$0\r\n\r\n",
		"12: \"a\" \"b\" \"c\" \"d\" \"e\" \"f\" \"g\" \"h\" \"i\" \"j\" \"k\" \"\"\n"),
	/* What follows CR, and what follows a bulk string, is not looked at. */
	SAMPLE("*1\rX$4\rYPINGXY", "1: \"PING\"\n"),
	SAMPLE("*1\r\n$4\r\nPIN", "more\n"),
	SAMPLE("*1\r\n$4\r\nPING\r", "more\n"),
	SAMPLE("*3\r\n$3", "more\n"),
	SAMPLE("*3\r", "more\n"),
	SAMPLE("*2147483647\r\n", "more\n"),
	SAMPLE("*1\r\n$536870912\r\n", "more\n"),
	SAMPLE("*2147483648\r\n", "ERR Protocol error: invalid multibulk length\n"),
	SAMPLE("*9223372036854775808\r\n", "ERR Protocol error: invalid multibulk length\n"),
	SAMPLE("*-9223372036854775809\r\n", "ERR Protocol error: invalid multibulk length\n"),
	SAMPLE("*\r\n", "ERR Protocol error: invalid multibulk length\n"),
	SAMPLE("*\r\n$4\r\nPING\r\n", "ERR Protocol error: invalid multibulk length\n"),
	SAMPLE("* 1\r\n", "ERR Protocol error: invalid multibulk length\n"),
	SAMPLE("*+1\r\n", "ERR Protocol error: invalid multibulk length\n"),
	SAMPLE("*01\r\n", "ERR Protocol error: invalid multibulk length\n"),
	SAMPLE("*-0\r\n", "ERR Protocol error: invalid multibulk length\n"),
	SAMPLE("*1x\r\n", "ERR Protocol error: invalid multibulk length\n"),
	SAMPLE("*1\nPING\r\n", "ERR Protocol error: invalid multibulk length\n"),
	SAMPLE("*1\r\nx\r\n", "ERR Protocol error: expected '$', got 'x'\n"),
	SAMPLE("*1\r$4\r\nPING\r\n", "ERR Protocol error: expected '$', got '4'\n"),
	SAMPLE("*1\r\n:4\r\nPING\r\n", "ERR Protocol error: expected '$', got ':'\n"),
	SAMPLE("*2\r\n$4\r\nPINGxx*1\r\n", "ERR Protocol error: expected '$', got '*'\n"),
	SAMPLE("*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length\n"),
	SAMPLE("*1\r\n$\r\n", "ERR Protocol error: invalid bulk length\n"),
	SAMPLE("*3\r\n$\r\n$0\r\n\r\n$0\r\n\r\n", "ERR Protocol error: invalid bulk length\n"),
	SAMPLE("*1\r\n$+4\r\nPING\r\n", "ERR Protocol error: invalid bulk length\n"),
	SAMPLE("*1\r\n$04\r\nPING\r\n", "ERR Protocol error: invalid bulk length\n"),
	SAMPLE("*1\r\n$4x\r\nPING\r\n", "ERR Protocol error: invalid bulk length\n"),
	SAMPLE("*1\r\n$536870913\r\n", "ERR Protocol error: invalid bulk length\n"),
	SAMPLE("*1\r\n$9223372036854775808\r\n", "ERR Protocol error: invalid bulk length\n"),
	SAMPLE("PING\r\n*1\r\n$1\r\na\r\n*1\r\n$x\r\n",
		"1: \"PING\"\n1: \"a\"\nERR Protocol error: invalid bulk length\n"),
};

static const struct sample inline_requests[] = {
	SAMPLE("\r\n", "empty\n"),
	SAMPLE("\n\nPING\n", "empty\nempty\n1: \"PING\"\n"),
	SAMPLE(" \r\nPING\r\n", "empty\n1: \"PING\"\n"),
	SAMPLE("   PING   \r\n", "1: \"PING\"\n"),
	SAMPLE("SET a  b\tc\n", "4: \"SET\" \"a\" \"b\" \"c\"\n"),
	SAMPLE("PING\ra\r\n", "2: \"PING\" \"a\"\n"),
	SAMPLE("PING\r\r\n", "1: \"PING\"\n"),
	SAMPLE("\"PING\"\r\n", "1: \"PING\"\n"),
	SAMPLE("'PING' \"a\\x41b\"\r\n", "2: \"PING\" \"aAb\"\n"),
	SAMPLE("PING a\"b c\"\r\n", "2: \"PING\" \"ab c\"\n"),
	SAMPLE("PING 'a\\'b'\r\n", "2: \"PING\" \"a'b\"\n"),
	SAMPLE("PING 'a\\n'\r\n", "2: \"PING\" \"a\\\\n\"\n"),
	SAMPLE("PING \"\\xzz\\q\"\r\n", "2: \"PING\" \"xzzq\"\n"),
	SAMPLE("PING \"\\x4\" \"\\x4G\" \"\\xAf\" \"\\x\"\r\n", "5: \"PING\" \"x4\" \"x4G\" \"\\xaf\" \"x\"\n"),
	SAMPLE("PING \"\" ''\r\n", "3: \"PING\" \"\" \"\"\n"),
	SAMPLE("\"\"\r\n", "1: \"\"\n"),
	SAMPLE("ECHO \"a\\n\\r\\t\\b\\a\\\\\\\"\"\r\n", "2: \"ECHO\" \"a\\n\\r\\t\\b\\a\\\\\\\"\"\n"),
	SAMPLE("ECHO a\\nb\r\n", "2: \"ECHO\" \"a\\\\nb\"\n"),
	SAMPLE("ECHO a'b' \"c\" d\r\n", "4: \"ECHO\" \"ab\" \"c\" \"d\"\n"),
	SAMPLE("ECHO \"a\r\"\r\n", "2: \"ECHO\" \"a\\r\"\n"),
	SAMPLE("PING\vx \vy \"a\"\vb x\v\r\n", "5: \"PING\\x0bx\" \"y\" \"a\" \"b\" \"x\\x0b\"\n"),
	/* The original waits for ever after a NUL; here it is a byte like others. */
	SAMPLE("PING a\0b\r\n", "2: \"PING\" \"a\\x00b\"\n"),
	SAMPLE("$4\r\n", "1: \"$4\"\n"),
	SAMPLE("PING", "more\n"),
	SAMPLE("PING\r", "more\n"),
	SAMPLE("PING \"abc\r\n", "ERR Protocol error: unbalanced quotes in request\n"),
	SAMPLE("PING \"abc\"d\r\n", "ERR Protocol error: unbalanced quotes in request\n"),
	SAMPLE("PING 'a'b\r\n", "ERR Protocol error: unbalanced quotes in request\n"),
	SAMPLE("PING a\"\"b\r\n", "ERR Protocol error: unbalanced quotes in request\n"),
	SAMPLE("PING \"a\\\r\n", "ERR Protocol error: unbalanced quotes in request\n"),
	SAMPLE("PING \"a\\\"\r\n", "ERR Protocol error: unbalanced quotes in request\n"),
	SAMPLE("PING 'a\\\\'\r\n", "ERR Protocol error: unbalanced quotes in request\n"),
	SAMPLE("PING '\\\r\n", "ERR Protocol error: unbalanced quotes in request\n"),
};

static const struct sample stranger_requests[] = {
	SAMPLE("*10\r\n", "more\n"),
	SAMPLE("*11\r\n", "ERR Protocol error: unauthenticated multibulk length\n"),
	SAMPLE("*2147483648\r\n", "ERR Protocol error: invalid multibulk length\n"),
	SAMPLE("*2\r\n$16384\r\n", "more\n"),
	SAMPLE("*2\r\n$16385\r\n", "ERR Protocol error: unauthenticated bulk length\n"),
	SAMPLE("*2\r\n$-1\r\n", "ERR Protocol error: invalid bulk length\n"),
	SAMPLE("PING a a a a a a a a a a a\r\n",
		"12: \"PING\" \"a\" \"a\" \"a\" \"a\" \"a\" \"a\" \"a\" \"a\" \"a\" \"a\" \"a\"\n"),
};

#define CHECK_ALL(limits, samples)                                                                                     \
	for (size_t i = 0; i < sizeof(samples) / sizeof((samples)[0]); i++)                                            \
	check_everywhere(limits, (samples)[i].stream, (samples)[i].log)

static void test_requests(void **state) {
	(void)state;
	CHECK_ALL(&usual, requests);
}

static void test_inline(void **state) {
	(void)state;
	CHECK_ALL(&usual, inline_requests);
}

static void test_unauthenticated(void **state) {
	(void)state;
	CHECK_ALL(&stranger, stranger_requests);
}

static void check_once(struct slice stream, const char *expected) {
	char *log = parse_in_pieces(&usual, stream, stream.len, 1);
	assert_string_equal(log, expected);
	mem_free(log);
}

/* The limit of a line counts what has come without an end in sight. */
static void test_long_lines(void **state) {
	(void)state;
	size_t size = REQUEST_MAX_INLINE_BYTES + 64;
	char *text = mem_alloc(size);
	memset(text, '1', size);
	check_once(slice_of(text, REQUEST_MAX_INLINE_BYTES), "more\n");
	check_once(slice_of(text, REQUEST_MAX_INLINE_BYTES + 1), "ERR Protocol error: too big inline request\n");
	text[0] = '*';
	check_once(slice_of(text, REQUEST_MAX_INLINE_BYTES), "more\n");
	check_once(slice_of(text, REQUEST_MAX_INLINE_BYTES + 1), "ERR Protocol error: too big mbulk count string\n");
	memcpy(text, "*1\r\n$", 5);
	check_once(slice_of(text, REQUEST_MAX_INLINE_BYTES + 4), "more\n");
	check_once(slice_of(text, REQUEST_MAX_INLINE_BYTES + 5), "ERR Protocol error: too big bulk count string\n");
	memcpy(text + size - 2, "\r\n", 2);
	check_once(slice_of(text, size), "ERR Protocol error: invalid bulk length\n");
	mem_free(text);
}

static void test_no_dollar_of_nul(void **state) {
	(void)state;
	check_everywhere(&usual, SLICE_LITERAL("*1\r\n\0\r\n"), "ERR Protocol error: expected '$', got ' '\n");
}

static void append_bulk(struct buffer *b, struct slice s) {
	buffer_appendf(b, "$%zu\r\n", s.len);
	buffer_append_slice(b, s);
	buffer_append(b, "\r\n", 2);
}

/* A request of many arguments in small pieces. Were each piece to start over, this would take minutes. */
static void test_large_requests(void **state) {
	(void)state;
	enum { ARGS = 100000, PIECE = 16 };
	struct buffer stream = { 0 };
	buffer_appendf(&stream, "*%d\r\n", ARGS);
	for (int i = 0; i < ARGS; i++) {
		char text[16];
		int len = snprintf(text, sizeof(text), "%d", i);
		append_bulk(&stream, slice_of(text, (size_t)len));
	}
	struct request_parser parser = { 0 };
	struct request_arena arena = { 0 };
	struct request request;
	for (size_t have = 0; have < stream.len - 1; have += PIECE) {
		size_t len = have < stream.len - 1 ? have : stream.len - 1;
		assert_int_equal(request_parse(&parser, &usual, stream.data, len, &arena, &request), REQUEST_MORE);
		assert_true(request_wanted(&parser, len) >= 1);
	}
	assert_int_equal(request_parse(&parser, &usual, stream.data, stream.len, &arena, &request), REQUEST_OK);
	assert_int_equal(request.argc, ARGS);
	assert_int_equal(request.bytes, stream.len);
	assert_true(slice_equal(request.argv[ARGS - 1], SLICE_LITERAL("99999")));
	request_arena_release(&arena);
	buffer_release(&stream);
}

/* A big value tells exactly how much of it is missing. */
static void test_wanted(void **state) {
	(void)state;
	struct request_parser parser = { 0 };
	struct request_arena arena = { 0 };
	struct request request;
	struct slice head = SLICE_LITERAL("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\nab");
	assert_int_equal(request_wanted(&parser, 0), 1);
	assert_int_equal(request_parse(&parser, &usual, head.ptr, head.len, &arena, &request), REQUEST_MORE);
	assert_int_equal(request_wanted(&parser, head.len), 1000000);
	assert_int_equal(request_wanted(&parser, head.len + 999999), 1);
	assert_int_equal(request_parse(&parser, &usual, head.ptr, head.len + 0, &arena, &request), REQUEST_MORE);
	request_arena_release(&arena);
}

/* A promise of many arguments takes no memory until the bytes are there. */
static void test_promises_are_free(void **state) {
	(void)state;
	struct request_parser parser = { 0 };
	struct request_arena arena = { 0 };
	struct request request;
	struct slice head = SLICE_LITERAL("*2147483647\r\n$1\r\na\r\n");
	assert_int_equal(request_parse(&parser, &usual, head.ptr, head.len, &arena, &request), REQUEST_MORE);
	assert_null(arena._newest);
	request_arena_release(&arena);
}

/* The naive parser of the random test: it knows well-formed requests and the ends of streams only. */
static const char *naive_number(const char *at, const char *end, long *number) {
	const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
	if (!line_end) return NULL;
	*number = strtol(at, NULL, 10);
	return line_end + 2;
}

static const char *naive_request(struct buffer *log, const char *at, const char *end) {
	struct slice argv[64];
	long argc;
	at = naive_number(at + 1, end, &argc);
	if (!at) return NULL;
	for (long i = 0; i < argc; i++) {
		long len;
		if (at == end || !(at = naive_number(at + 1, end, &len)) || end - at < len + 2) return NULL;
		argv[i] = slice_of(at, (size_t)len);
		at += len + 2;
	}
	log_args(log, (unsigned)argc, argv);
	return at;
}

static char *naive_parse(struct slice stream) {
	struct buffer log = { 0 };
	const char *at = stream.ptr;
	const char *end = stream.ptr + stream.len;
	while (at && at < end) at = naive_request(&log, at, end);
	if (!at) buffer_appendf(&log, "more\n");
	buffer_append_char(&log, '\0');
	return log.data;
}

static void append_random_request(struct buffer *stream) {
	static const unsigned sizes[] = { 1, 2, 10, 12, 99, 101, 1200 };
	unsigned argc = 1 + (unsigned)random_below(random_below(8) ? 5 : 60);
	buffer_appendf(stream, "*%u\r\n", argc);
	for (unsigned i = 0; i < argc; i++) {
		char value[1200];
		size_t len = random_below(sizes[random_below(7)]);
		for (size_t j = 0; j < len; j++) value[j] = "\r\n$*1a\0\xff"[random_below(8)];
		append_bulk(stream, slice_of(value, len));
	}
}

static void test_random_pipelines(void **state) {
	(void)state;
	const char *given = getenv("TARN_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)clock_wall_us();
	print_message("TARN_TEST_SEED=%llu\n", (unsigned long long)seed);
	random_seed_thread(seed);
	for (int round = 0; round < 300; round++) {
		struct buffer stream = { 0 };
		for (uint64_t count = 1 + random_below(20); count; count--) append_random_request(&stream);
		*buffer_reserve(&stream, 1) = '\0'; /* for strtol of the naive parser */
		size_t len = stream.len - (random_below(2) ? 0 : random_below(stream.len));
		char *expected = naive_parse(slice_of(stream.data, len));
		for (int i = 0; i < 6; i++) {
			size_t piece = 1 + random_below(i < 3 ? 50 : stream.len);
			char *log = parse_in_pieces(&usual, slice_of(stream.data, len), random_below(len + 1), piece);
			assert_string_equal(log, expected);
			mem_free(log);
		}
		mem_free(expected);
		buffer_release(&stream);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_inline),
		cmocka_unit_test(test_unauthenticated),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_no_dollar_of_nul),
		cmocka_unit_test(test_large_requests),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_promises_are_free),
		cmocka_unit_test(test_random_pipelines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
