#include "resp/reply.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/number.h"

enum {
	/* Kind, up to 20 digits, CR, LF; rounded up. */
	HEAD_MAX = 32,
	/* What reply_begin leaves room for: "*", one digit, CR, LF. */
	HEAD_SHORT = 4,
	/* A first guess for formatted text, which makes a second pass rare. */
	FORMAT_GUESS = 256,
};

/* With room for NUMBER_I64_MAX_CHARS + 1; what follows the digits may be overwritten. */
static inline char *put_number(char *at, uint64_t n) {
	if (n < 10) {
		*at = (char)('0' + n);
		return at + 1;
	}
	return at + number_format_u64(at, n);
}

static inline char *put_end(char *at) {
	memcpy(at, "\r\n", 2);
	return at + 2;
}

/* `kind`, the number, end of line: at most HEAD_MAX bytes. */
static inline char *put_head(char *at, char kind, uint64_t n) {
	*at = kind;
	return put_end(put_number(at + 1, n));
}

static inline void commit(struct reply *r, const char *end) {
	r->out->len = (size_t)(end - r->out->data);
}

static void write_literal(struct reply *r, const char *text, size_t len) {
	buffer_append(r->out, text, len);
}

static void write_head(struct reply *r, char kind, uint64_t n) {
	commit(r, put_head(buffer_reserve(r->out, HEAD_MAX), kind, n));
}

/* A line break inside a line would end the reply early and let the rest pass for another one. */
static void blank_line_breaks(char *text, size_t len) {
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\r' || text[i] == '\n') text[i] = ' ';
	}
}

static void write_line(struct reply *r, char kind, const char *text, size_t len) {
	char *at = buffer_reserve(r->out, len + 3);
	*at = kind;
	memcpy(at + 1, text, len);
	blank_line_breaks(at + 1, len);
	commit(r, put_end(at + 1 + len));
}

void reply_status(struct reply *r, const char *text) {
	write_line(r, '+', text, strlen(text));
}

void reply_ok(struct reply *r) {
	write_literal(r, "+OK\r\n", 5);
}

static void note_error(struct reply *r, const char *text, size_t len) {
	size_t code = 0;
	while (code < len && code < REPLY_ERROR_CODE_MAX - 1 && (unsigned char)text[code] > ' ') code++;
	memcpy(r->error_code, text, code);
	r->error_code[code] = '\0';
	r->errors++;
}

static void write_error(struct reply *r, const char *text, size_t len) {
	note_error(r, text, len);
	write_line(r, '-', text, len);
}

void reply_error(struct reply *r, const char *text) {
	write_error(r, text, strlen(text));
}

void reply_errorf(struct reply *r, const char *format, ...) {
	struct buffer text = { 0 };
	va_list args;
	va_start(args, format);
	char *at = buffer_reserve(&text, FORMAT_GUESS);
	int len = vsnprintf(at, text.cap, format, args);
	va_end(args);
	if (len < 0) len = 0;
	if ((size_t)len >= text.cap) {
		at = buffer_reserve(&text, (size_t)len + 1);
		va_start(args, format);
		vsnprintf(at, (size_t)len + 1, format, args);
		va_end(args);
	}
	/* Formatted texts quote what scripts and the system said, which likes to end in a newline: that is cut, not
	 * blanked. */
	while (len > 0 && (at[len - 1] == '\r' || at[len - 1] == '\n')) len--;
	write_error(r, at, (size_t)len);
	buffer_release(&text);
}

void reply_int(struct reply *r, int64_t value) {
	char *at = buffer_reserve(r->out, HEAD_MAX);
	*at++ = ':';
	uint64_t magnitude = (uint64_t)value;
	if (value < 0) {
		*at++ = '-';
		magnitude = 0 - magnitude;
	}
	commit(r, put_end(put_number(at, magnitude)));
}

void reply_bool(struct reply *r, bool value) {
	if (r->proto >= 3) {
		write_literal(r, value ? "#t\r\n" : "#f\r\n", 4);
	} else {
		write_literal(r, value ? ":1\r\n" : ":0\r\n", 4);
	}
}

void reply_double_text(struct reply *r, struct slice digits) {
	if (r->proto >= 3) {
		write_line(r, ',', digits.ptr, digits.len);
	} else {
		reply_slice(r, digits);
	}
}

void reply_double(struct reply *r, double value) {
	char text[NUMBER_DOUBLE_MAX_CHARS];
	reply_double_text(r, slice_of(text, number_format_double(text, value)));
}

void reply_null(struct reply *r) {
	if (r->proto >= 3) {
		write_literal(r, "_\r\n", 3);
	} else {
		write_literal(r, "$-1\r\n", 5);
	}
}

void reply_null_array(struct reply *r) {
	if (r->proto >= 3) {
		write_literal(r, "_\r\n", 3);
	} else {
		write_literal(r, "*-1\r\n", 5);
	}
}

void reply_bulk(struct reply *r, const void *bytes, size_t len) {
	char *at = put_head(buffer_reserve(r->out, len + HEAD_MAX), '$', len);
	if (len > 0) memcpy(at, bytes, len);
	commit(r, put_end(at + len));
}

void reply_slice(struct reply *r, struct slice s) {
	reply_bulk(r, s.ptr, s.len);
}

void reply_cstr(struct reply *r, const char *text) {
	reply_bulk(r, text, strlen(text));
}

void reply_bulk_int(struct reply *r, int64_t value) {
	char text[NUMBER_I64_MAX_CHARS + 1];
	char *at = text;
	uint64_t magnitude = (uint64_t)value;
	if (value < 0) {
		*at++ = '-';
		magnitude = 0 - magnitude;
	}
	at = put_number(at, magnitude);
	reply_bulk(r, text, (size_t)(at - text));
}

void reply_bulkf(struct reply *r, const char *format, ...) {
	char guess[FORMAT_GUESS];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(guess, sizeof(guess), format, args);
	va_end(args);
	if (len < 0) len = 0;
	if ((size_t)len < sizeof(guess)) {
		reply_bulk(r, guess, (size_t)len);
		return;
	}
	/* The length is known now: the second pass prints in place. Its NUL lies where the line ends. */
	char *at = put_head(buffer_reserve(r->out, (size_t)len + HEAD_MAX), '$', (uint64_t)len);
	va_start(args, format);
	vsnprintf(at, (size_t)len + 1, format, args);
	va_end(args);
	commit(r, put_end(at + len));
}

void reply_verbatim(struct reply *r, const char kind[static 3], struct slice text) {
	if (r->proto < 3) {
		reply_slice(r, text);
		return;
	}
	char *at = put_head(buffer_reserve(r->out, text.len + HEAD_MAX), '=', text.len + 4);
	memcpy(at, kind, 3);
	at[3] = ':';
	if (text.len > 0) memcpy(at + 4, text.ptr, text.len);
	commit(r, put_end(at + 4 + text.len));
}

void reply_big_number(struct reply *r, struct slice digits) {
	if (r->proto >= 3) {
		write_line(r, '(', digits.ptr, digits.len);
	} else {
		reply_slice(r, digits);
	}
}

/* The first byte of an aggregate and the number after it, as the client's version writes them. */
static void write_aggregate(struct reply *r, enum reply_aggregate kind, size_t count) {
	static const char resp3_kinds[] = { [REPLY_ARRAY] = '*', [REPLY_MAP] = '%', [REPLY_SET] = '~' };
	if (r->proto >= 3) {
		write_head(r, resp3_kinds[kind], count);
	} else {
		write_head(r, '*', kind == REPLY_MAP ? count * 2 : count);
	}
}

void reply_array(struct reply *r, size_t count) {
	write_head(r, '*', count);
}

void reply_map(struct reply *r, size_t pairs) {
	write_aggregate(r, REPLY_MAP, pairs);
}

void reply_set(struct reply *r, size_t count) {
	write_aggregate(r, REPLY_SET, count);
}

void reply_push(struct reply *r, size_t count) {
	write_head(r, r->proto >= 3 ? '>' : '*', count);
}

void reply_attribute(struct reply *r, size_t pairs) {
	assert(r->proto >= 3);
	write_head(r, '|', pairs);
}

size_t reply_begin(struct reply *r) {
	size_t begin = r->out->len;
	buffer_reserve(r->out, HEAD_SHORT);
	r->out->len += HEAD_SHORT;
	return begin;
}

void reply_end(struct reply *r, size_t begin, enum reply_aggregate kind, size_t count) {
	struct buffer *out = r->out;
	assert(begin + HEAD_SHORT <= out->len);
	size_t body = out->len - begin - HEAD_SHORT;
	/* The head is written behind everything to learn its length; only one of two digits or more moves the body. */
	size_t end = out->len;
	write_aggregate(r, kind, count);
	char head[HEAD_MAX];
	size_t head_len = out->len - end;
	memcpy(head, out->data + end, head_len);
	char *at = out->data + begin;
	if (head_len != HEAD_SHORT) memmove(at + head_len, at + HEAD_SHORT, body);
	memcpy(at, head, head_len);
	out->len = begin + head_len + body;
}

static void write_help_heading(struct reply *r, const char *command) {
	static const char rest[] = " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:";
	size_t len = strlen(command);
	char *at = buffer_reserve(r->out, len + sizeof(rest) + 3);
	*at++ = '+';
	for (size_t i = 0; i < len; i++) *at++ = (char)toupper((unsigned char)command[i]);
	memcpy(at, rest, sizeof(rest) - 1);
	commit(r, put_end(at + sizeof(rest) - 1));
}

void reply_help(struct reply *r, const char *command, const char *const *lines) {
	size_t count = 0;
	while (lines[count]) count++;
	reply_array(r, count + 3);
	write_help_heading(r, command);
	for (size_t i = 0; i < count; i++) reply_status(r, lines[i]);
	reply_status(r, "HELP");
	reply_status(r, "    Print this help.");
}
