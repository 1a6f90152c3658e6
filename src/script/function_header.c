#include "script/function_header.h"

#include "base/quoted.h"

static const char shebang[] = "#!";
static const char name_word[] = "name=";

enum { SHEBANG_CHARS = sizeof(shebang) - 1, NAME_WORD_CHARS = sizeof(name_word) - 1 };

static void say(struct buffer *error, const char *text) {
	buffer_append(error, text, strlen(text));
}

static void say_about(struct buffer *error, const char *text, struct slice word, const char *end) {
	say(error, text);
	buffer_append_slice(error, word);
	say(error, end);
}

static bool is_name_char(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool function_name_is_valid(struct slice name) {
	for (size_t i = 0; i < name.len; i++)
		if (!is_name_char(name.ptr[i])) return false;
	return name.len > 0;
}

static bool is_name(struct slice word) {
	return word.len >= NAME_WORD_CHARS && slice_is(slice_of(word.ptr, NAME_WORD_CHARS), name_word);
}

static struct slice after(struct slice word, size_t chars) {
	return slice_of(word.ptr + chars, word.len - chars);
}

/* The arguments come before the engine, as Redis has it. */
static bool take_words(struct function_header *h, const struct quoted_words *line, struct buffer *error) {
	bool named = false;
	for (size_t i = 1; i < line->count; i++) {
		struct slice word = line->words[i];
		if (!is_name(word)) {
			say_about(error, "Invalid metadata value given: ", word, "");
			return false;
		}
		if (named) {
			say(error, "Invalid metadata value, name argument was given multiple times");
			return false;
		}
		named = true;
		buffer_append_slice(&h->name, after(word, NAME_WORD_CHARS));
	}
	struct slice engine = after(line->words[0], SHEBANG_CHARS);
	if (!named)
		say(error, "Library name was not given");
	else if (!function_name_is_valid(buffer_slice(&h->name)))
		say(error, FUNCTION_BAD_NAME);
	else if (!slice_is(engine, "lua"))
		say_about(error, "Engine '", engine, "' not found");
	else
		return true;
	return false;
}

bool function_header_read(struct function_header *h, struct slice code, struct buffer *error) {
	*h = (struct function_header){ 0 };
	if (code.len < SHEBANG_CHARS || memcmp(code.ptr, shebang, SHEBANG_CHARS) != 0) {
		say(error, "Missing library metadata");
		return false;
	}
	const char *end = memchr(code.ptr, '\n', code.len);
	struct slice line = slice_of(code.ptr, end ? (size_t)(end - code.ptr) : 0);
	struct quoted_words words = { 0 };
	bool ok = false;
	/* A NUL would pass for a blank. */
	if (!end || memchr(line.ptr, 0, line.len) || !quoted_split(line, &words))
		say(error, "Invalid library metadata");
	else
		ok = take_words(h, &words, error);
	quoted_words_release(&words);
	h->body = after(code, line.len);
	if (!ok) function_header_release(h);
	return ok;
}

void function_header_release(struct function_header *h) {
	buffer_release(&h->name);
}
