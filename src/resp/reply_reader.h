/* Reads replies: the other side of resp/reply.h. For the tools, for a replica's talk with its master, for cluster links.
 *
 * Bytes come in as the network brings them (reserve, read into it, commit); complete replies come out as trees, RESP2
 * and RESP3 alike. A reply that is still incomplete costs a walk over its new bytes only, however often one asks, and memory
 * in proportion to the bytes that have really come, whatever lengths the sender claims. Depth is bounded, so is the
 * stack.
 *
 * A tree and all slices in it belong to the reader and are valid until the next call on it. Not for sharing between
 * threads. Source of the format: the RESP specification of the Redis documentation. */
#ifndef TARN_RESP_REPLY_READER_H
#define TARN_RESP_REPLY_READER_H

#include "base/buffer.h"
#include "base/bytes.h"

enum {
	REPLY_READER_DEPTH_MAX = 128,              /* aggregates within aggregates */
	REPLY_READER_LINE_BYTES_MAX = 1024 * 1024, /* a status, an error, a number */
	REPLY_READER_ERROR_BYTES = 64,
};

enum reply_node_type {
	REPLY_NODE_STATUS,     /* text */
	REPLY_NODE_ERROR,      /* text, with its code: "ERR syntax error" */
	REPLY_NODE_INTEGER,    /* integer, and text as it was sent */
	REPLY_NODE_STRING,     /* text: a bulk string */
	REPLY_NODE_NULL,       /* RESP2's two nulls and RESP3's */
	REPLY_NODE_DOUBLE,     /* number, and text as it was sent */
	REPLY_NODE_BOOL,       /* integer: 0 or 1 */
	REPLY_NODE_BIG_NUMBER, /* text: the digits */
	REPLY_NODE_VERBATIM,   /* text without its kind, kind */
	REPLY_NODE_ARRAY,
	REPLY_NODE_MAP, /* children: key, value, key, value … */
	REPLY_NODE_SET,
	REPLY_NODE_PUSH, /* comes between replies and answers nothing */
};

struct reply_node {
	enum reply_node_type type;
	char kind[4]; /* "txt" or "mkd" */
	struct slice text;
	int64_t integer;
	double number;
	size_t count; /* of children; twice the pairs of a map */
	const struct reply_node *children;
	const struct reply_node *attributes; /* a map that was sent ahead of this node, the last one; or NULL */
};

static inline bool reply_node_is_aggregate(const struct reply_node *node) {
	return node->type >= REPLY_NODE_ARRAY;
}

/* All zero is a valid empty reader. Fields are the reader's own, except `error`. */
struct reply_reader {
	char error[REPLY_READER_ERROR_BYTES]; /* after REPLY_READ_BAD: "Protocol error, …" */
	struct buffer _in;
	size_t _start;   /* of the reply that is being read */
	size_t _scanned; /* bytes from the beginning of _in that are known to be well formed */
	size_t _seen;    /* bytes in which no line end was found, so that they are not searched again */
	size_t _nodes;   /* how many nodes the reply has so far */
	size_t _depth;
	size_t _left[REPLY_READER_DEPTH_MAX + 1]; /* nodes still to come, per depth */
	struct reply_node *_tree;
	size_t _tree_cap;
	bool _handed_out; /* the reply at _start was returned and may be dropped */
	bool _bad;
};

enum reply_read { REPLY_READ_MORE, REPLY_READ_DONE, REPLY_READ_BAD };

void reply_reader_release(struct reply_reader *reader);
/* Forgets everything that was read: for a new connection. */
void reply_reader_clear(struct reply_reader *reader);

/* At least `bytes` of room to read into; then say how many came. */
char *reply_reader_reserve(struct reply_reader *reader, size_t bytes);
void reply_reader_commit(struct reply_reader *reader, size_t bytes);

/* The next complete reply, pushes included. MORE: it is not complete, *reply is untouched. BAD: the sender does not
 * speak RESP; the reader stays that way until it is cleared. */
enum reply_read reply_reader_next(struct reply_reader *reader, const struct reply_node **reply);

#endif
