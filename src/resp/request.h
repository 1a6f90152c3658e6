/* Requests, as clients send them: the incremental parser of RESP arrays of bulk strings and of inline commands.
 *
 * The parser is given a range of bytes that begins where a request begins. It either finds a complete request, whose
 * arguments are slices of that range, or says that there is less than one. Nothing is copied, apart from quoted words
 * of inline commands. Then the caller moves on by request.bytes and asks again:
 *
 *   while ((status = request_parse(&parser, &limits, at, (size_t)(end - at), &arena, &request)) != REQUEST_MORE) {
 *           if (status == REQUEST_ERROR) …say request_error_text, close
 *           if (status == REQUEST_OK) …remember request, its arguments stay valid until request_arena_clear
 *           at += request.bytes;
 *   }
 *   …run what was remembered; keep [at, end) until more arrives
 *
 * What was understood of an incomplete request is remembered in 32 bytes of offsets from its start, so the bytes may
 * move between calls; nothing is on the heap. A request that arrives in any number of pieces costs at
 * most twice its scan: once skipping from argument to argument as they come, once when it is complete.
 *
 * Errors, and what is let pass, are those of Redis 7: the two bytes of a line end are not looked at beyond the CR, a
 * bulk string's not at all. Not thread-safe; each worker has its arena, each connection its parser. */
#ifndef TARN_RESP_REQUEST_H
#define TARN_RESP_REQUEST_H

#include <limits.h>

#include "base/bytes.h"

enum {
	REQUEST_MAX_ARGS = INT_MAX,
	REQUEST_MAX_INLINE_BYTES = 64 * 1024,
	/* Before authentication. */
	REQUEST_STRANGER_MAX_ARGS = 10,
	REQUEST_STRANGER_MAX_BULK_BYTES = 16384,
	REQUEST_ERROR_TEXT_MAX = 64,
};

/* May change between calls. While `authenticated` is false the caller runs each request before it parses the next,
 * since AUTH lifts the limits. */
struct request_limits {
	uint64_t max_bulk;   /* bytes of one argument: proto-max-bulk-len; for a master's link INT64_MAX */
	uint32_t max_args;   /* REQUEST_MAX_ARGS */
	uint32_t max_inline; /* bytes of a line without its end; REQUEST_MAX_INLINE_BYTES */
	bool authenticated;  /* false: the REQUEST_STRANGER limits hold, too */
};

enum request_status {
	REQUEST_OK,
	REQUEST_MORE,  /* incomplete; nothing in the request is set */
	REQUEST_EMPTY, /* an empty line, *0 or *-1: skip `bytes`, answer nothing */
	REQUEST_ERROR, /* the stream is beyond repair; only `error` and `got` are set */
};

enum request_error {
	REQUEST_BAD_ARG_COUNT,
	REQUEST_NO_DOLLAR, /* `got` is what stands there instead */
	REQUEST_BAD_BULK_LEN,
	REQUEST_LONG_INLINE,
	REQUEST_LONG_ARG_COUNT,
	REQUEST_LONG_BULK_LEN,
	REQUEST_UNBALANCED_QUOTES,
	REQUEST_STRANGER_ARGS,
	REQUEST_STRANGER_BULK,
	REQUEST_NO_MEMORY,
	REQUEST_ERRORS,
};

struct request {
	unsigned argc;            /* at least 1 */
	bool is_inline;           /* sent as a line of text */
	char got;                 /* of REQUEST_NO_DOLLAR */
	enum request_error error; /* of REQUEST_ERROR */
	const struct slice *argv; /* in the arena; the bytes lie in the parsed range or, unquoted, in the arena */
	size_t bytes;             /* from the start of the range to behind the request's last line end */
};

/* All zero is a parser at the start of a request. */
struct request_parser {
	/* Private. Offsets from the start of the request. */
	uint64_t _done;      /* everything before is understood; 0 when not even the first line is */
	uint64_t _sought;    /* up to here there is no end of the line that begins at _done */
	uint64_t _need;      /* with fewer bytes than this nothing new can be said; 0: at the start of a request */
	uint32_t _args;      /* of the request's first line */
	uint32_t _args_done; /* arguments before _done */
};
_Static_assert(sizeof(struct request_parser) == 32, "every idle connection has one");

/* Memory for the arguments of a batch of requests. What it hands out never moves. All zero is empty. */
struct request_arena {
	/* Private. */
	char *_at; /* free bytes of the newest chunk */
	char *_end;
	struct request_chunk *_newest;
};

/* Forgets all requests parsed into it, keeps some memory for the next ones. */
void request_arena_clear(struct request_arena *arena);
void request_arena_release(struct request_arena *arena);

/* Looks at the request that begins at bytes[0]. Reads nothing behind bytes[len - 1]. After REQUEST_MORE the next call
 * must be given at least the same bytes again, at whatever address. After any other status the parser is at the start
 * of a request again. */
__attribute__((warn_unused_result)) enum request_status request_parse(struct request_parser *parser,
	const struct request_limits *limits, const char *bytes, size_t len, struct request_arena *arena,
	struct request *request);

/* After REQUEST_MORE on `len` bytes: how many further bytes at least until there can be anything new. Within a big
 * bulk string that is exactly its rest, line end included: a hint for how much room to reserve. It is the client's
 * claim, bounded by max_bulk only. At least 1. */
static inline uint64_t request_wanted(const struct request_parser *parser, size_t len) {
	return parser->_need > len ? parser->_need - len : 1;
}

/* Whether an incomplete request is remembered. */
static inline bool request_is_partial(const struct request_parser *parser) {
	return parser->_need != 0;
}

/* After REQUEST_ERROR: "ERR Protocol error: …" as reply_error takes it, in `out`, which is returned. */
const char *request_error_text(const struct request *request, char out[static REQUEST_ERROR_TEXT_MAX]);

#endif
