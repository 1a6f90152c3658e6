/* The parser of RESP requests; see request.h.
 *
 * `walk` goes from argument to argument, `walk_short` faster over short ones. On a request that is complete, the usual case,
 * they fill argv on the way.
 * When the bytes end early it leaves behind how far it came, and goes on from there, without argv, each time more
 * bytes arrive. Once it has come to the end in that way it runs again over the whole request, with argv.
 *
 * The shortest argument, "$0\r\n\r\n", takes ARG_MIN_BYTES. So argv is asked for only when the bytes at hand can hold
 * as many arguments as the first line promises, and a promise alone never costs memory. */
#include "resp/request.h"

#include "base/number.h"
#include "resp/request_private.h"

enum {
	ARG_MIN_BYTES = 6,
	/* Digits that read_length takes before it leaves the rest to the exact reader. */
	QUICK_DIGITS = 9,
	/* What two digits can say. */
	SHORT_ARG = 99,
};

/* What the functions below share: the range, the limits, how far they came, and where errors go. */
struct scan {
	const char *bytes;
	size_t len;
	const struct request_limits *limits;
	struct request *request;
	struct request_parser state;
};

static enum request_status fail(struct scan *s, enum request_error error) {
	s->request->error = error;
	return REQUEST_ERROR;
}

/* read_length for three digits and more, up to QUICK_DIGITS. */
static const char *read_long_length(const char *at, const char *end, uint64_t *length) {
	uint64_t value = 0;
	const char *stop = end - at > QUICK_DIGITS + 2 ? at + QUICK_DIGITS + 1 : end - 1;
	/* Nothing at all is no number, either. */
	if (*at < '1' || *at > '9') return NULL;
	for (; at < stop; at++) {
		unsigned digit = (unsigned char)*at - '0';
		if (digit > 9) {
			*length = value;
			return *at == '\r' ? at + 2 : NULL;
		}
		value = value * 10 + digit;
	}
	return NULL;
}

/* Reads the number and line end behind a '*' or '$', `at` being behind that byte. Returns where the line ends, NULL
 * when the number is not an ordinary one or not all there; then the exact reader decides. */
static inline const char *read_length(const char *at, const char *end, uint64_t *length) {
	if (end - at < 4) return NULL;
	unsigned tens = (unsigned char)at[0] - '0';
	if (tens <= 9 && at[1] == '\r') {
		*length = tens;
		return at + 3;
	}
	unsigned ones = (unsigned char)at[1] - '0';
	if (tens - 1 <= 8 && ones <= 9 && at[2] == '\r') {
		*length = tens * 10 + ones;
		return at + 4;
	}
	return read_long_length(at, end, length);
}

static inline bool arg_count_ok(const struct request_limits *limits, uint64_t count) {
	return count > 0 && count <= limits->max_args && (limits->authenticated || count <= REQUEST_STRANGER_MAX_ARGS);
}

static inline bool bulk_len_ok(const struct request_limits *limits, uint64_t bulk) {
	return bulk <= limits->max_bulk && (limits->authenticated || bulk <= REQUEST_STRANGER_MAX_BULK_BYTES);
}

/* The line that begins at _done: REQUEST_OK when its CR and the byte after that are there. A line whose CR does not
 * come is refused with the error `too_long`. */
static enum request_status seek_line(struct scan *s, enum request_error too_long, struct slice *line) {
	struct request_parser *state = &s->state;
	size_t from = state->_sought > state->_done ? state->_sought : state->_done;
	const char *cr = from < s->len ? memchr(s->bytes + from, '\r', s->len - from) : NULL;
	if (!cr) {
		if (s->len - state->_done > s->limits->max_inline) return fail(s, too_long);
		state->_sought = s->len;
		state->_need = s->len + 1;
		return REQUEST_MORE;
	}
	size_t at = (size_t)(cr - s->bytes);
	state->_sought = at;
	if (at + 2 > s->len) {
		state->_need = at + 2;
		return REQUEST_MORE;
	}
	*line = slice_of(s->bytes + state->_done, at - state->_done);
	return REQUEST_OK;
}

/* The first line, read exactly: _done is 0 and the first byte a '*'. */
static enum request_status head_exactly(struct scan *s) {
	struct slice line;
	enum request_status found = seek_line(s, REQUEST_LONG_ARG_COUNT, &line);
	if (found != REQUEST_OK) return found;

	int64_t count;
	if (!number_parse_i64(slice_of(line.ptr + 1, line.len - 1), &count) || count > s->limits->max_args) {
		return fail(s, REQUEST_BAD_ARG_COUNT);
	}
	if (count <= 0) {
		s->request->bytes = line.len + 2;
		return REQUEST_EMPTY;
	}
	if (!arg_count_ok(s->limits, (uint64_t)count)) return fail(s, REQUEST_STRANGER_ARGS);
	s->state._args = (uint32_t)count;
	s->state._done = line.len + 2;
	return REQUEST_OK;
}

/* The first line: its end goes to _done, the count to _args. */
static inline enum request_status read_head(struct scan *s) {
	uint64_t count;
	const char *at = read_length(s->bytes + 1, s->bytes + s->len, &count);
	if (!at || !arg_count_ok(s->limits, count)) return head_exactly(s);
	s->state._args = (uint32_t)count;
	s->state._done = (uint64_t)(at - s->bytes);
	return REQUEST_OK;
}

/* The line "$<length>" at _done, read exactly: where its content begins and how long that is. */
static enum request_status bulk_exactly(struct scan *s, const char **content, uint64_t *bulk) {
	struct slice line;
	enum request_status found = seek_line(s, REQUEST_LONG_BULK_LEN, &line);
	if (found != REQUEST_OK) return found;

	if (*line.ptr != '$') {
		s->request->got = *line.ptr;
		return fail(s, REQUEST_NO_DOLLAR);
	}
	int64_t length;
	if (!number_parse_i64(slice_of(line.ptr + 1, line.len - 1), &length) || length < 0 ||
		(uint64_t)length > s->limits->max_bulk) {
		return fail(s, REQUEST_BAD_BULK_LEN);
	}
	if (!bulk_len_ok(s->limits, (uint64_t)length)) return fail(s, REQUEST_STRANGER_BULK);
	*content = line.ptr + line.len + 2;
	*bulk = (uint64_t)length;
	return REQUEST_OK;
}

/* Leaves behind that `args_done` arguments end at `at`. */
static inline void note_progress(struct scan *s, const char *at, uint32_t args_done) {
	s->state._done = (uint64_t)(at - s->bytes);
	s->state._args_done = args_done;
}

/* The usual arguments: shorter than a hundred bytes, and all there. Fills argv with those before the first other one, moves
 * *from behind them and returns how many they are. */
static inline uint32_t walk_short(const char **from, const char *end, struct slice *argv, uint32_t args) {
	const char *at = *from;
	uint32_t i = 0;
	for (; i < args && end - at >= ARG_MIN_BYTES && at[0] == '$'; i++) {
		unsigned bulk = (unsigned char)at[1] - '0', ones = (unsigned char)at[2] - '0';
		const char *content = at + 4;
		if (bulk > 9) break;
		if (at[2] != '\r') {
			if (bulk == 0 || ones > 9 || at[3] != '\r') break;
			bulk = bulk * 10 + ones;
			content++;
		}
		if (end - content < (ptrdiff_t)bulk + 2) break;
		argv[i] = slice_of(content, bulk);
		at = content + bulk + 2;
	}
	*from = at;
	return i;
}

/* From where the last call came to; argv may be NULL. */
static enum request_status walk(struct scan *s, struct slice *argv) {
	const char *end = s->bytes + s->len;
	const char *at = s->bytes + s->state._done;
	uint32_t args = s->state._args;
	for (uint32_t i = s->state._args_done; i < args; i++) {
		uint64_t bulk = 0;
		const char *content = NULL;
		if (__builtin_expect(end - at >= ARG_MIN_BYTES && *at == '$', 1))
			content = read_length(at + 1, end, &bulk);
		if (__builtin_expect(!content || !bulk_len_ok(s->limits, bulk), 0)) {
			note_progress(s, at, i);
			enum request_status found = bulk_exactly(s, &content, &bulk);
			if (found != REQUEST_OK) return found;
		}
		if (__builtin_expect((uint64_t)(end - content) < bulk + 2, 0)) {
			note_progress(s, at, i);
			s->state._need = (uint64_t)(content - s->bytes) + bulk + 2;
			return REQUEST_MORE;
		}
		if (argv) argv[i] = slice_of(content, bulk);
		at = content + bulk + 2;
	}
	note_progress(s, at, args);
	return REQUEST_OK;
}

/* The arguments, from behind the first line. */
static inline enum request_status collect(struct scan *s, struct request_arena *arena) {
	struct slice *argv = request__arena_take(arena, s->state._args * sizeof(*argv));
	if (__builtin_expect(!argv, 0)) return fail(s, REQUEST_NO_MEMORY);
	const char *at = s->bytes + s->state._done;
	/* The limits are not asked, which are above that, but for odd ones. */
	uint32_t args = s->limits->max_bulk >= SHORT_ARG ? s->state._args : 0;
	uint32_t done = walk_short(&at, s->bytes + s->len, argv, args);
	note_progress(s, at, done);
	enum request_status status = done == s->state._args ? REQUEST_OK : walk(s, argv);
	if (__builtin_expect(status != REQUEST_OK, 0)) {
		arena->_at = (char *)argv; /* given back */
		return status;
	}
	s->request->argc = s->state._args;
	s->request->argv = argv;
	s->request->bytes = s->state._done;
	return REQUEST_OK;
}

/* A request of which an earlier call saw the beginning. */
static enum request_status resume_multibulk(struct scan *s, struct request_arena *arena) {
	if (s->state._args == 0) {
		enum request_status head = read_head(s);
		if (head != REQUEST_OK) return head;
	}
	enum request_status status = walk(s, NULL);
	if (status != REQUEST_OK) return status;
	s->state = (struct request_parser){ 0 };
	status = read_head(s);
	return status == REQUEST_OK ? collect(s, arena) : status;
}

static inline enum request_status parse_multibulk(struct scan *s, struct request_arena *arena) {
	enum request_status head = read_head(s);
	if (__builtin_expect(head != REQUEST_OK, 0)) return head;
	if (s->len - s->state._done >= (uint64_t)s->state._args * ARG_MIN_BYTES) return collect(s, arena);
	return walk(s, NULL);
}

static enum request_status parse_inline(struct scan *s, struct request_arena *arena) {
	size_t from = s->state._sought;
	const char *newline = from < s->len ? memchr(s->bytes + from, '\n', s->len - from) : NULL;
	if (!newline) {
		if (s->len > s->limits->max_inline) return fail(s, REQUEST_LONG_INLINE);
		s->state._sought = s->len;
		s->state._need = s->len + 1;
		return REQUEST_MORE;
	}
	struct slice line = slice_of(s->bytes, (size_t)(newline - s->bytes));
	if (line.len > 0 && line.ptr[line.len - 1] == '\r') line.len--;
	s->request->is_inline = true;
	s->request->bytes = (size_t)(newline + 1 - s->bytes);
	return request__split_line(line, arena, s->request);
}

enum request_status request_parse(struct request_parser *parser, const struct request_limits *limits, const char *bytes,
	size_t len, struct request_arena *arena, struct request *request) {
	if (len == 0 || len < parser->_need) return REQUEST_MORE;
	struct scan s = { .bytes = bytes, .len = len, .limits = limits, .request = request };
	bool resumed = parser->_need != 0;
	if (__builtin_expect(resumed, 0)) s.state = *parser;
	request->is_inline = false;

	enum request_status status;
	if (__builtin_expect(bytes[0] != '*', 0)) {
		status = parse_inline(&s, arena);
	} else if (__builtin_expect(resumed, 0)) {
		status = resume_multibulk(&s, arena);
	} else {
		status = parse_multibulk(&s, arena);
	}
	if (status == REQUEST_MORE) {
		*parser = s.state;
	} else if (resumed) {
		*parser = (struct request_parser){ 0 };
	}
	return status;
}

/* REQUEST_NO_DOLLAR ends in the offending byte and a quote, which are added. */
static const char *const error_texts[REQUEST_ERRORS] = {
	[REQUEST_BAD_ARG_COUNT] = "invalid multibulk length",
	[REQUEST_NO_DOLLAR] = "expected '$', got '",
	[REQUEST_BAD_BULK_LEN] = "invalid bulk length",
	[REQUEST_LONG_INLINE] = "too big inline request",
	[REQUEST_LONG_ARG_COUNT] = "too big mbulk count string",
	[REQUEST_LONG_BULK_LEN] = "too big bulk count string",
	[REQUEST_UNBALANCED_QUOTES] = "unbalanced quotes in request",
	[REQUEST_STRANGER_ARGS] = "unauthenticated multibulk length",
	[REQUEST_STRANGER_BULK] = "unauthenticated bulk length",
	[REQUEST_NO_MEMORY] = "not enough memory for the request",
};

const char *request_error_text(const struct request *request, char out[static REQUEST_ERROR_TEXT_MAX]) {
	static const char prefix[] = "ERR Protocol error: ";
	const char *text = error_texts[request->error];
	size_t len = strlen(text);
	memcpy(out, prefix, sizeof(prefix) - 1);
	memcpy(out + sizeof(prefix) - 1, text, len + 1);
	if (request->error == REQUEST_NO_DOLLAR) {
		char *at = out + sizeof(prefix) - 1 + len;
		/* A NUL would cut the text short. */
		*at++ = request->got ? request->got : ' ';
		*at++ = '\'';
		*at = '\0';
	}
	return out;
}
