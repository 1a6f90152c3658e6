/* Two passes. The scan follows the bytes as they come, keeps its place between calls, checks everything and counts nodes; it
 * allocates nothing. When a reply is complete, the second pass lays its tree into one array of exactly that many nodes,
 * and need not check anything again. */
#include "resp/reply_reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/number.h"

void reply_reader_release(struct reply_reader *reader) {
	buffer_release(&reader->_in);
	mem_free(reader->_tree);
	*reader = (struct reply_reader){ 0 };
}

static void expect_reply(struct reply_reader *reader) {
	reader->_nodes = 0;
	reader->_depth = 0;
	reader->_left[0] = 1;
	reader->_handed_out = false;
}

void reply_reader_clear(struct reply_reader *reader) {
	reader->_in.len = reader->_start = reader->_scanned = reader->_seen = 0;
	reader->_bad = false;
	expect_reply(reader);
}

/* Drops the reply that was returned last. */
static void drop_returned(struct reply_reader *reader) {
	if (!reader->_handed_out && reader->_left[0] + reader->_depth > 0) return;
	reader->_start = reader->_seen = reader->_scanned;
	expect_reply(reader);
}

char *reply_reader_reserve(struct reply_reader *reader, size_t bytes) {
	struct buffer *in = &reader->_in;
	drop_returned(reader);
	/* Moving the rest down pays when it is small beside what it makes room for. */
	if (reader->_start > 0 && in->cap - in->len < bytes && in->len - reader->_start <= reader->_start) {
		size_t start = reader->_start;
		memmove(in->data, in->data + start, in->len - start);
		in->len -= start;
		reader->_scanned -= start;
		reader->_seen -= start;
		reader->_start = 0;
	}
	return buffer_reserve(in, bytes);
}

void reply_reader_commit(struct reply_reader *reader, size_t bytes) {
	reader->_in.len += bytes;
}

static enum reply_read fail(struct reply_reader *reader, const char *what) {
	snprintf(reader->error, sizeof(reader->error), "%s", what);
	reader->_bad = true;
	return REPLY_READ_BAD;
}

static enum reply_read fail_type(struct reply_reader *reader, char type) {
	char quoted[8];
	if (type >= 32 && type < 127) {
		snprintf(quoted, sizeof(quoted), "%c", type);
	} else {
		snprintf(quoted, sizeof(quoted), "\\x%02x", (unsigned)(unsigned char)type);
	}
	snprintf(reader->error, sizeof(reader->error), "Protocol error, got \"%s\" as reply type byte", quoted);
	reader->_bad = true;
	return REPLY_READ_BAD;
}

/* The line at _scanned, without its end; what follows it begins at *next. */
static enum reply_read find_line(struct reply_reader *reader, struct slice *line, size_t *next) {
	const char *data = reader->_in.data;
	size_t from = reader->_seen > reader->_scanned ? reader->_seen : reader->_scanned;
	const char *end = memchr(data + from, '\r', reader->_in.len - from);
	if (!end || end + 1 == data + reader->_in.len) {
		reader->_seen = end ? (size_t)(end - data) : reader->_in.len;
		if (reader->_seen - reader->_scanned > REPLY_READER_LINE_BYTES_MAX) {
			return fail(reader, "Protocol error, too long a line");
		}
		return REPLY_READ_MORE;
	}
	if (end[1] != '\n') return fail(reader, "Protocol error, a line end without its second half");
	*line = slice_of(data + reader->_scanned, (size_t)(end - data) - reader->_scanned);
	*next = (size_t)(end - data) + 2;
	return REPLY_READ_DONE;
}

static struct slice line_text(struct slice line) {
	return slice_of(line.ptr + 1, line.len - 1);
}

static bool parse_double(struct slice text, double *value) {
	if (slice_is(text, "nan") || slice_is(text, "-nan")) {
		*value = NAN;
		return true;
	}
	return number_parse_double(text, value);
}

static bool all_digits(struct slice text) {
	size_t i = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+');
	if (i == text.len) return false;
	for (; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
	}
	return true;
}

/* Whether the rest of a line suits its type; NULL or what is wrong. */
static const char *check_line(struct slice line) {
	struct slice text = line_text(line);
	int64_t integer;
	double number;
	switch (line.ptr[0]) {
	case ':': return number_parse_i64(text, &integer) ? NULL : "Bad integer value";
	case ',': return parse_double(text, &number) ? NULL : "Bad double value";
	case '#':
		return slice_equal(text, SLICE_LITERAL("t")) || slice_equal(text, SLICE_LITERAL("f"))
			       ? NULL
			       : "Bad bool value";
	case '(': return all_digits(text) ? NULL : "Bad bignum value";
	case '_': return text.len == 0 ? NULL : "Bad nil value";
	default: return NULL;
	}
}

/* A string with its length ahead: $ = and !. */
static enum reply_read scan_string(struct reply_reader *reader, struct slice line, size_t *next) {
	int64_t len;
	if (!number_parse_i64(line_text(line), &len) || len < -1 || len > INT64_MAX / 4) {
		return fail(reader, "Bad bulk string length");
	}
	if (len == -1) return line.ptr[0] == '$' ? REPLY_READ_DONE : fail(reader, "Bad bulk string length");
	if (reader->_in.len - *next < (size_t)len + 2) return REPLY_READ_MORE;
	const char *text = reader->_in.data + *next;
	if (text[len] != '\r' || text[len + 1] != '\n') return fail(reader, "Bulk string without its line end");
	if (line.ptr[0] == '=' && (len < 4 || text[3] != ':')) {
		return fail(reader, "Verbatim string without its three letters");
	}
	*next += (size_t)len + 2;
	return REPLY_READ_DONE;
}

static enum reply_read scan_aggregate(struct reply_reader *reader, struct slice line) {
	int64_t count;
	if (!number_parse_i64(line_text(line), &count) || count < -1 || count > INT64_MAX / 4) {
		return fail(reader, "Multi-bulk length out of range");
	}
	if (count == -1) return line.ptr[0] == '*' ? REPLY_READ_DONE : fail(reader, "Multi-bulk length out of range");
	if (line.ptr[0] == '%' || line.ptr[0] == '|') count *= 2;
	if (count == 0) return REPLY_READ_DONE;
	if (reader->_depth == REPLY_READER_DEPTH_MAX) return fail(reader, "Reply nested too deeply");
	reader->_left[++reader->_depth] = (size_t)count;
	return REPLY_READ_DONE;
}

/* One node; an aggregate counts without its children. */
static enum reply_read scan_node(struct reply_reader *reader) {
	struct slice line = { NULL, 0 };
	size_t next = 0;
	if (reader->_scanned == reader->_in.len) return REPLY_READ_MORE;
	char type = reader->_in.data[reader->_scanned];
	if (type == '\0' || !strchr("+-:$*_,#(=!%~>|", type)) return fail_type(reader, type);
	enum reply_read result = find_line(reader, &line, &next);
	if (result != REPLY_READ_DONE) return result;
	size_t parent = reader->_depth;
	if (strchr("$=!", type)) {
		result = scan_string(reader, line, &next);
	} else if (strchr("*%~>|", type)) {
		result = scan_aggregate(reader, line);
	} else {
		const char *wrong = check_line(line);
		if (wrong) return fail(reader, wrong);
	}
	if (result != REPLY_READ_DONE) return result;
	reader->_scanned = next;
	reader->_nodes++;
	/* Attributes stand ahead of the node that they belong to and do not take its place. */
	if (type != '|') reader->_left[parent]--;
	while (reader->_depth > 0 && reader->_left[reader->_depth] == 0) reader->_depth--;
	return REPLY_READ_DONE;
}

/* The second pass. */
struct build {
	const char *at;
	struct reply_node *free; /* the next unused node */
};

static struct slice take_line(struct build *b) {
	const char *end = b->at;
	while (*end != '\r') end++;
	struct slice line = slice_of(b->at, (size_t)(end - b->at));
	b->at = end + 2;
	return line;
}

static void build_node(struct build *b, struct reply_node *node);

static void build_children(struct build *b, struct reply_node *node, size_t count) {
	struct reply_node *children = b->free;
	node->count = count;
	node->children = children;
	b->free += count;
	for (size_t i = 0; i < count; i++) build_node(b, &children[i]);
}

static void build_string(struct build *b, struct reply_node *node, char type, size_t len) {
	struct slice text = slice_of(b->at, len);
	b->at += len + 2;
	node->type = type == '$' ? REPLY_NODE_STRING : REPLY_NODE_ERROR;
	if (type == '=') {
		node->type = REPLY_NODE_VERBATIM;
		memcpy(node->kind, text.ptr, 3);
		text = slice_of(text.ptr + 4, len - 4);
	}
	node->text = text;
}

static void build_scalar(struct reply_node *node, char type, struct slice text) {
	node->text = text;
	switch (type) {
	case '+': node->type = REPLY_NODE_STATUS; break;
	case '-': node->type = REPLY_NODE_ERROR; break;
	case ':':
		node->type = REPLY_NODE_INTEGER;
		(void)number_parse_i64(text, &node->integer);
		break;
	case ',':
		node->type = REPLY_NODE_DOUBLE;
		(void)parse_double(text, &node->number);
		break;
	case '#':
		node->type = REPLY_NODE_BOOL;
		node->integer = text.ptr[0] == 't';
		break;
	case '(': node->type = REPLY_NODE_BIG_NUMBER; break;
	default: node->type = REPLY_NODE_NULL;
	}
}

static enum reply_node_type aggregate_type(char type) {
	switch (type) {
	case '*': return REPLY_NODE_ARRAY;
	case '~': return REPLY_NODE_SET;
	case '>': return REPLY_NODE_PUSH;
	default: return REPLY_NODE_MAP;
	}
}

static void build_node(struct build *b, struct reply_node *node) {
	const struct reply_node *attributes = NULL;
	struct slice line = take_line(b);
	int64_t number = 0;
	while (line.ptr[0] == '|') {
		struct reply_node *map = b->free++;
		*map = (struct reply_node){ .type = REPLY_NODE_MAP };
		(void)number_parse_i64(line_text(line), &number);
		build_children(b, map, (size_t)number * 2);
		attributes = map;
		line = take_line(b);
	}
	char type = line.ptr[0];
	*node = (struct reply_node){ .attributes = attributes };
	if (!strchr("$=!*%~>", type)) {
		build_scalar(node, type, line_text(line));
		return;
	}
	(void)number_parse_i64(line_text(line), &number);
	if (number < 0) {
		node->type = REPLY_NODE_NULL;
	} else if (strchr("$=!", type)) {
		build_string(b, node, type, (size_t)number);
	} else {
		node->type = aggregate_type(type);
		build_children(b, node, (size_t)number * (type == '%' ? 2 : 1));
	}
}

static const struct reply_node *build_tree(struct reply_reader *reader) {
	if (reader->_tree_cap < reader->_nodes) {
		mem_free(reader->_tree);
		reader->_tree_cap = reader->_nodes < 16 ? 16 : reader->_nodes;
		reader->_tree = mem_alloc(reader->_tree_cap * sizeof(*reader->_tree));
	}
	struct build build = { .at = reader->_in.data + reader->_start, .free = reader->_tree + 1 };
	build_node(&build, reader->_tree);
	return reader->_tree;
}

enum reply_read reply_reader_next(struct reply_reader *reader, const struct reply_node **reply) {
	if (reader->_bad) return REPLY_READ_BAD;
	drop_returned(reader);
	while (reader->_depth > 0 || reader->_left[0] > 0) {
		enum reply_read result = scan_node(reader);
		if (result != REPLY_READ_DONE) return result;
	}
	*reply = build_tree(reader);
	reader->_handed_out = true;
	return REPLY_READ_DONE;
}
