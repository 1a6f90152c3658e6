/* Inline commands: a line of words, as somebody at a telnet prompt types them.
 *
 *   word     plain bytes up to a blank, or a quote somewhere in it that runs to the matching quote and ends the word
 *   "…"      \n \r \t \b \a, \xHH and \ before anything else
 *   '…'      \' only
 *
 * A closing quote must be followed by white space or the end of the line. */
#include "resp/request_private.h"

#include <ctype.h>

struct cursor {
	const char *at;
	const char *end;
	/* Where unquoted words are written; NULL only measures. Room for as many bytes as the line has. */
	char *copy;
};

/* What may stand between words. A plain word is ended by fewer characters than that, see is_word_end. */
static bool is_blank(char c) {
	return isspace((unsigned char)c) != 0;
}

static bool is_word_end(char c) {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int hex_value(char c) {
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	if (c >= 'A' && c <= 'F') return c - 'A' + 10;
	return -1;
}

static void put(struct cursor *line, char c) {
	if (line->copy) *line->copy++ = c;
}

/* The byte that the escape at line->at, behind the backslash, stands for. At least one byte is there. */
static char take_escape(struct cursor *line) {
	char c = *line->at++;
	switch (c) {
	case 'n': return '\n';
	case 'r': return '\r';
	case 't': return '\t';
	case 'b': return '\b';
	case 'a': return '\a';
	case 'x': break;
	default: return c;
	}
	if (line->end - line->at < 2) return c;
	int high = hex_value(line->at[0]);
	int low = hex_value(line->at[1]);
	if (high < 0 || low < 0) return c;
	line->at += 2;
	return (char)(high << 4 | low);
}

/* Copies what is in quotes; line->at is behind the opening one. False when they do not balance. */
static bool take_quoted(struct cursor *line, char quote) {
	while (line->at < line->end) {
		char c = *line->at++;
		if (c == quote) return line->at == line->end || is_blank(*line->at);
		bool escaped = c == '\\' && line->at < line->end && (quote == '"' || *line->at == '\'');
		put(line, escaped ? take_escape(line) : c);
	}
	return false;
}

/* The next word, or 0 at the end of the line, or -1. A plain word is a slice of the line. */
static int next_word(struct cursor *line, struct slice *word) {
	while (line->at < line->end && is_blank(*line->at)) line->at++;
	if (line->at == line->end) return 0;
	const char *start = line->at;
	while (line->at < line->end && !is_word_end(*line->at) && *line->at != '"' && *line->at != '\'') line->at++;
	size_t plain = (size_t)(line->at - start);
	*word = slice_of(start, plain);
	if (line->at == line->end || is_word_end(*line->at)) return 1;

	char *copy = line->copy;
	if (copy) {
		memcpy(copy, start, plain);
		line->copy += plain;
	}
	if (!take_quoted(line, *line->at++)) return -1;
	if (copy) *word = slice_of(copy, (size_t)(line->copy - copy));
	return 1;
}

static bool has_quote(struct slice line) {
	return memchr(line.ptr, '"', line.len) || memchr(line.ptr, '\'', line.len);
}

/* How many words there are, -1 when quotes do not balance. */
static int count_words(struct slice text) {
	struct cursor line = { .at = text.ptr, .end = text.ptr + text.len };
	struct slice word;
	int count = 0;
	for (;;) {
		int found = next_word(&line, &word);
		if (found <= 0) return found < 0 ? -1 : count;
		count++;
	}
}

enum request_status request__split_line(struct slice text, struct request_arena *arena, struct request *request) {
	int count = count_words(text);
	if (count == 0) return REQUEST_EMPTY;
	if (count < 0) {
		request->error = REQUEST_UNBALANCED_QUOTES;
		return REQUEST_ERROR;
	}
	struct slice *argv = request__arena_take(arena, (size_t)count * sizeof(*argv));
	struct cursor line = { .at = text.ptr, .end = text.ptr + text.len };
	bool quoted = has_quote(text);
	if (quoted) line.copy = request__arena_take(arena, text.len);
	if (!argv || (quoted && !line.copy)) {
		request->error = REQUEST_NO_MEMORY;
		return REQUEST_ERROR;
	}
	request->argc = (unsigned)count;
	request->argv = argv;
	while (next_word(&line, argv) > 0) argv++;
	return REQUEST_OK;
}
