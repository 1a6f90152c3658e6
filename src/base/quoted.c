#include "base/quoted.h"

#include "base/alloc.h"

/* The place in the line, and in the bytes of the words: these never get ahead, since no escape stands for more bytes than
 * it is written with, so a copy as long as the line has room for all. */
struct splitter {
	const char *at;
	const char *end;
	char *out;
};

static bool separates(char c) {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\0';
}

/* Between words and after a closing quote more counts as blank than within a word: so it always was. */
static bool blank(char c) {
	return separates(c) || c == '\v' || c == '\f';
}

static int hex_digit(char c) {
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	if (c >= 'A' && c <= 'F') return c - 'A' + 10;
	return -1;
}

/* Takes what follows a backslash in double quotes. */
static char unescape(struct splitter *s) {
	char c = *s->at++;
	switch (c) {
	case 'n': return '\n';
	case 'r': return '\r';
	case 't': return '\t';
	case 'a': return '\a';
	case 'b': return '\b';
	default: break;
	}
	if (c != 'x' || s->end - s->at < 2) return c;
	int high = hex_digit(s->at[0]);
	int low = hex_digit(s->at[1]);
	if (high < 0 || low < 0) return c;
	s->at += 2;
	return (char)(high * 16 + low);
}

/* Takes a quoted part behind its opening quote, the closing one included. */
static bool take_quoted(struct splitter *s, char quote) {
	while (s->at < s->end) {
		char c = *s->at++;
		if (c == quote) return s->at == s->end || blank(*s->at);
		if (c == '\\' && s->at < s->end) {
			if (quote == '"')
				c = unescape(s);
			else if (*s->at == '\'')
				c = *s->at++;
		}
		*s->out++ = c;
	}
	return false;
}

static bool take_word(struct splitter *s) {
	while (s->at < s->end && !separates(*s->at)) {
		char c = *s->at++;
		if (c == '"' || c == '\'') return take_quoted(s, c);
		*s->out++ = c;
	}
	return true;
}

static void reserve(struct quoted_words *out, size_t len) {
	if (out->_byte_cap < len + 1) {
		mem_free(out->_bytes);
		out->_byte_cap = len + 1;
		out->_bytes = mem_alloc(out->_byte_cap);
	}
}

static void add_word(struct quoted_words *out, struct slice word) {
	if (out->count == out->_word_cap) {
		out->_word_cap = out->_word_cap == 0 ? 8 : out->_word_cap * 2;
		out->words = mem_realloc(out->words, out->_word_cap * sizeof(*out->words));
	}
	out->words[out->count++] = word;
}

bool quoted_split(struct slice line, struct quoted_words *out) {
	out->count = 0;
	reserve(out, line.len);
	struct splitter s = {
		.at = line.ptr, .end = line.ptr == NULL ? NULL : line.ptr + line.len, .out = out->_bytes
	};
	for (;;) {
		while (s.at < s.end && blank(*s.at)) s.at++;
		if (s.at == s.end) return true;
		const char *begin = s.out;
		if (!take_word(&s)) {
			out->count = 0;
			return false;
		}
		add_word(out, slice_of(begin, (size_t)(s.out - begin)));
	}
}

void quoted_words_release(struct quoted_words *words) {
	mem_free(words->words);
	mem_free(words->_bytes);
	*words = (struct quoted_words){ 0 };
}

bool quoted_is_plain(struct slice word) {
	for (size_t i = 0; i < word.len; i++) {
		char c = word.ptr[i];
		if (c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '#') return false;
	}
	return word.len > 0;
}
