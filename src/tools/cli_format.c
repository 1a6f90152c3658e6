#include "tools/cli_format.h"

static void append_text(struct buffer *out, const char *text) {
	buffer_append_slice(out, slice_of_cstr(text));
}

/* Formatted. Each line of a nested reply is indented by the width of the numbers above it, which `indent` sums up. */

static void format_node(struct buffer *out, const struct reply_node *node, size_t indent);

static void append_indent(struct buffer *out, size_t indent) {
	if (indent == 0) return;
	memset(buffer_reserve(out, indent), ' ', indent);
	out->len += indent;
}

static void format_scalar(struct buffer *out, const struct reply_node *node) {
	switch (node->type) {
	case REPLY_NODE_ERROR: append_text(out, "(error) "); break;
	case REPLY_NODE_INTEGER: append_text(out, "(integer) "); break;
	case REPLY_NODE_DOUBLE: append_text(out, "(double) "); break;
	case REPLY_NODE_BIG_NUMBER: append_text(out, "(big number) "); break;
	case REPLY_NODE_NULL: append_text(out, "(nil)\n"); return;
	case REPLY_NODE_BOOL: append_text(out, node->integer ? "(true)\n" : "(false)\n"); return;
	case REPLY_NODE_STRING:
		buffer_append_quoted(out, node->text);
		buffer_append_char(out, '\n');
		return;
	default: break;
	}
	buffer_append_slice(out, node->text);
	buffer_append_char(out, '\n');
}

static const char *empty_text(enum reply_node_type type) {
	switch (type) {
	case REPLY_NODE_MAP: return "(empty hash)\n";
	case REPLY_NODE_SET: return "(empty set)\n";
	case REPLY_NODE_PUSH: return "(empty push)\n";
	default: return "(empty array)\n";
	}
}

static size_t decimal_digits(size_t n) {
	size_t digits = 1;
	for (; n >= 10; n /= 10) digits++;
	return digits;
}

static size_t node_entries(const struct reply_node *node) {
	return node->type == REPLY_NODE_MAP ? node->count / 2 : node->count;
}

/* Whether a nested reply numbers more than one thing somewhere below; the keys of maps do not count. */
static bool has_several(const struct reply_node *node) {
	while (reply_node_is_aggregate(node) && node_entries(node) == 1) node = &node->children[node->count - 1];
	return reply_node_is_aggregate(node) && node_entries(node) > 1;
}

/* A map's key, without the line end that it would have by itself, and its value: below it when that numbers several
 * things, else beside it. */
static void format_pair(struct buffer *out, const struct reply_node *pair, size_t indent) {
	format_node(out, &pair[0], indent);
	out->len--;
	append_text(out, " => ");
	if (has_several(&pair[1])) {
		buffer_append_char(out, '\n');
		append_indent(out, indent);
	}
	format_node(out, &pair[1], indent);
}

static void format_entries(struct buffer *out, const struct reply_node *node, size_t indent, char mark) {
	size_t entries = node_entries(node);
	size_t width = decimal_digits(entries);
	size_t inner = indent + width + 2;
	for (size_t i = 0; i < entries; i++) {
		if (i > 0) append_indent(out, indent);
		buffer_appendf(out, "%*zu%c ", (int)width, i + 1, mark);
		if (node->type == REPLY_NODE_MAP) {
			format_pair(out, &node->children[2 * i], inner);
		} else {
			format_node(out, &node->children[i], inner);
		}
	}
}

static void format_node(struct buffer *out, const struct reply_node *node, size_t indent) {
	if (node->attributes && node->attributes->count > 0) {
		format_entries(out, node->attributes, indent, '|');
		append_indent(out, indent);
	}
	if (!reply_node_is_aggregate(node)) {
		format_scalar(out, node);
	} else if (node->count == 0) {
		append_text(out, empty_text(node->type));
	} else {
		format_entries(out, node, indent,
			node->type == REPLY_NODE_MAP   ? '#'
			: node->type == REPLY_NODE_SET ? '~'
						       : ')');
	}
}

/* Raw. */

static void raw_node(struct buffer *out, const struct reply_node *node, struct slice delimiter) {
	if (node->type == REPLY_NODE_NULL) return;
	if (node->type == REPLY_NODE_BOOL) {
		append_text(out, node->integer ? "(true)" : "(false)");
		return;
	}
	if (!reply_node_is_aggregate(node)) {
		buffer_append_slice(out, node->text);
		if (node->type == REPLY_NODE_ERROR) buffer_append_char(out, '\n');
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		bool value = node->type == REPLY_NODE_MAP && i % 2 == 1;
		if (i > 0) buffer_append_slice(out, value ? SLICE_LITERAL(" ") : delimiter);
		raw_node(out, &node->children[i], delimiter);
	}
}

/* CSV: all levels in one line. */

static void csv_node(struct buffer *out, const struct reply_node *node) {
	switch (node->type) {
	case REPLY_NODE_NULL: append_text(out, "NULL"); return;
	case REPLY_NODE_BOOL: append_text(out, node->integer ? "true" : "false"); return;
	case REPLY_NODE_INTEGER:
	case REPLY_NODE_DOUBLE:
	case REPLY_NODE_BIG_NUMBER: buffer_append_slice(out, node->text); return;
	case REPLY_NODE_ERROR: append_text(out, "ERROR,"); break;
	default: break;
	}
	if (!reply_node_is_aggregate(node)) {
		buffer_append_quoted(out, node->text);
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		if (i > 0) buffer_append_char(out, ',');
		csv_node(out, &node->children[i]);
	}
}

/* JSON. */

static void json_escaped(struct buffer *out, unsigned char c) {
	static const char letters[] = "b\bf\fn\nr\rt\t\"\"\\\\";
	for (size_t i = 0; i + 1 < sizeof(letters); i += 2) {
		if (c == (unsigned char)letters[i + 1]) {
			buffer_append_char(out, '\\');
			buffer_append_char(out, letters[i]);
			return;
		}
	}
	if (c < 0x20) {
		buffer_appendf(out, "\\u%04x", c);
	} else {
		buffer_append_char(out, (char)c);
	}
}

static void json_string(struct buffer *out, struct slice text) {
	buffer_append_char(out, '"');
	for (size_t i = 0; i < text.len; i++) json_escaped(out, (unsigned char)text.ptr[i]);
	buffer_append_char(out, '"');
}

/* A string in a string: what buffer_append_quoted makes of it, without its quotes, as a JSON string. Plain ASCII, and
 * binary data survives it. */
static void json_quoted_string(struct buffer *out, struct slice text) {
	struct buffer quoted = { 0 };
	buffer_append_quoted(&quoted, text);
	json_string(out, slice_of(quoted.data + 1, quoted.len - 2));
	buffer_release(&quoted);
}

static void json_node(struct buffer *out, const struct reply_node *node, bool quoted);

static void json_text(struct buffer *out, struct slice text, bool quoted) {
	if (quoted) {
		json_quoted_string(out, text);
	} else {
		json_string(out, text);
	}
}

/* JSON's keys are strings: another key becomes one by way of its own JSON. */
static void json_key(struct buffer *out, const struct reply_node *key, bool quoted) {
	if (key->type == REPLY_NODE_STRING || key->type == REPLY_NODE_STATUS || key->type == REPLY_NODE_VERBATIM) {
		json_text(out, key->text, quoted);
		return;
	}
	struct buffer text = { 0 };
	json_node(&text, key, quoted);
	json_string(out, buffer_slice(&text));
	buffer_release(&text);
}

static void json_aggregate(struct buffer *out, const struct reply_node *node, bool quoted) {
	bool map = node->type == REPLY_NODE_MAP;
	buffer_append_char(out, map ? '{' : '[');
	for (size_t i = 0; i < node->count; i++) {
		bool value = map && i % 2 == 1;
		if (i > 0) buffer_append_char(out, value ? ':' : ',');
		if (map && !value) {
			json_key(out, &node->children[i], quoted);
		} else {
			json_node(out, &node->children[i], quoted);
		}
	}
	buffer_append_char(out, map ? '}' : ']');
}

static void json_node(struct buffer *out, const struct reply_node *node, bool quoted) {
	switch (node->type) {
	case REPLY_NODE_NULL: append_text(out, "null"); return;
	case REPLY_NODE_BOOL: append_text(out, node->integer ? "true" : "false"); return;
	case REPLY_NODE_INTEGER:
	case REPLY_NODE_DOUBLE:
	case REPLY_NODE_BIG_NUMBER: buffer_append_slice(out, node->text); return;
	case REPLY_NODE_ERROR: append_text(out, "error:"); break;
	default: break;
	}
	if (reply_node_is_aggregate(node)) {
		json_aggregate(out, node, quoted);
	} else {
		json_text(out, node->text, quoted);
	}
}

void cli_format_text(struct buffer *out, const struct reply_node *reply, const struct cli_options *options) {
	raw_node(out, reply, buffer_slice(&options->bulk_delimiter));
	if (out->len == 0 || out->data[out->len - 1] != '\n') buffer_append_char(out, '\n');
}

void cli_format_reply(struct buffer *out, const struct reply_node *reply, const struct cli_options *options) {
	switch (options->output) {
	case CLI_OUTPUT_FORMATTED: format_node(out, reply, 0); return;
	case CLI_OUTPUT_RAW:
		raw_node(out, reply, buffer_slice(&options->bulk_delimiter));
		buffer_append_slice(out, buffer_slice(&options->reply_delimiter));
		return;
	case CLI_OUTPUT_CSV: csv_node(out, reply); break;
	case CLI_OUTPUT_JSON: json_node(out, reply, false); break;
	case CLI_OUTPUT_QUOTED_JSON: json_node(out, reply, true); break;
	}
	buffer_append_char(out, '\n');
}
