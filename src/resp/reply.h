/* Replies, written in the client's RESP version.
 *
 * A command says what it answers (an integer, a map of three…); the writer knows how RESP2 and RESP3 spell that. In
 * RESP2 a map is a flat array, a set an array, a double a bulk string, a boolean 0 or 1, null "$-1" or "*-1", a
 * verbatim string a bulk string, a big number a bulk string.
 *
 * The bytes go to a buffer that the writer does not own. Source: the RESP specification of the Redis documentation. */
#ifndef TARN_RESP_REPLY_H
#define TARN_RESP_REPLY_H

#include "base/buffer.h"
#include "base/bytes.h"

enum { REPLY_ERROR_CODE_MAX = 32 };

struct reply {
	struct buffer *out;
	uint8_t proto;   /* 2 or 3 */
	uint32_t errors; /* error replies written since reply_start */
	char error_code
		[REPLY_ERROR_CODE_MAX]; /* first word of the last error, "ERR"; empty: it is not to be counted again */
};

static inline void reply_start(struct reply *r, struct buffer *out, uint8_t proto) {
	r->out = out;
	r->proto = proto;
	r->errors = 0;
}

/* Simple strings and errors: text without CR or LF (they are replaced by blanks). An error text begins with its code:
 * "ERR syntax error", "WRONGTYPE …". Texts that clients match on stand in resp/errors.h. */
void reply_status(struct reply *r, const char *text);
void reply_ok(struct reply *r);
void reply_error(struct reply *r, const char *text);
__attribute__((format(printf, 2, 3))) void reply_errorf(struct reply *r, const char *format, ...);

void reply_int(struct reply *r, int64_t value);
void reply_bool(struct reply *r, bool value);
void reply_double(struct reply *r, double value);
void reply_double_text(struct reply *r, struct slice digits); /* one that the caller has printed */
void reply_null(struct reply *r);                             /* RESP2 "$-1" */
void reply_null_array(struct reply *r);                       /* RESP2 "*-1" */

void reply_bulk(struct reply *r, const void *bytes, size_t len);
void reply_slice(struct reply *r, struct slice s);
void reply_cstr(struct reply *r, const char *text);
void reply_bulk_int(struct reply *r, int64_t value); /* an integer as a bulk string */
__attribute__((format(printf, 2, 3))) void reply_bulkf(struct reply *r, const char *format, ...);
/* `kind` is three letters: "txt" or "mkd". */
void reply_verbatim(struct reply *r, const char kind[static 3], struct slice text);
/* A long double printed for people (INCRBYFLOAT). */
void reply_big_number(struct reply *r, struct slice digits);

/* Heads of aggregates; the elements follow. `count` of a map counts pairs. */
void reply_array(struct reply *r, size_t count);
void reply_map(struct reply *r, size_t pairs);
void reply_set(struct reply *r, size_t count);
void reply_push(struct reply *r, size_t count);      /* RESP2: an array */
void reply_attribute(struct reply *r, size_t pairs); /* RESP3 only */

/* Aggregates whose length is known only at the end: begin, write the elements, end with the count. May be nested. */
enum reply_aggregate { REPLY_ARRAY, REPLY_MAP, REPLY_SET };
size_t reply_begin(struct reply *r);
void reply_end(struct reply *r, size_t begin, enum reply_aggregate kind, size_t count);

/* HELP of a container command: an array of status lines. `lines` ends with NULL; "HELP" and its line are added, and the
 * heading "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:". */
void reply_help(struct reply *r, const char *command, const char *const *lines);

#endif
