#include "script/eval_header.h"

#include "base/quoted.h"
#include "script/function_library.h"

static const char flags_word[] = "flags=";

enum { FLAGS_WORD_CHARS = sizeof(flags_word) - 1 };

static bool refuse(struct buffer *error, const char *text, struct slice word) {
	buffer_append(error, text, strlen(text));
	buffer_append_slice(error, word);
	return false;
}

static bool slice_is_exactly(struct slice s, const char *text) {
	return slice_equal(s, slice_of_cstr(text));
}

static uint32_t flag_named(struct slice word) {
	for (unsigned i = 0; function_flag_names[i]; i++)
		if (slice_is_exactly(word, function_flag_names[i])) return 1u << i;
	return 0;
}

/* Words with commas between them; nothing at all is no flags. */
static bool read_flags(struct eval_header *h, struct slice list, struct buffer *error) {
	const char *at = list.ptr, *end = list.ptr + list.len;
	if (list.len == 0) return true;
	for (;;) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		struct slice word = slice_of(at, (size_t)((comma ? comma : end) - at));
		uint32_t flag = flag_named(word);
		if (!flag) return refuse(error, "Unexpected flag in script shebang: ", word);
		h->flags |= flag;
		if (!comma) return true;
		at = comma + 1;
	}
}

static bool read_words(struct eval_header *h, const struct quoted_words *line, struct buffer *error) {
	if (line->count == 0 || !slice_is_exactly(line->words[0], "#!lua"))
		return refuse(error,
			"Unexpected engine in script shebang: ", line->count ? line->words[0] : slice_of(NULL, 0));
	for (size_t i = 1; i < line->count; i++) {
		struct slice word = line->words[i];
		if (word.len < FLAGS_WORD_CHARS || memcmp(word.ptr, flags_word, FLAGS_WORD_CHARS) != 0)
			return refuse(error, "Unknown lua shebang option: ", word);
		struct slice list = slice_of(word.ptr + FLAGS_WORD_CHARS, word.len - FLAGS_WORD_CHARS);
		if (!read_flags(h, list, error)) return false;
	}
	return true;
}

bool eval_header_read(struct eval_header *h, struct slice source, struct buffer *error) {
	*h = (struct eval_header){ .body = source };
	if (source.len < 2 || memcmp(source.ptr, "#!", 2) != 0) return true;
	const struct slice nothing = { NULL, 0 };
	const char *end = memchr(source.ptr, '\n', source.len);
	if (!end) return refuse(error, "Invalid script shebang", nothing);
	h->present = true;
	h->body = slice_of(end, source.len - (size_t)(end - source.ptr));
	struct quoted_words words = { 0 };
	bool ok;
	if (!quoted_split(slice_of(source.ptr, (size_t)(end - source.ptr)), &words))
		ok = refuse(error, "Invalid engine in script shebang", nothing);
	else
		ok = read_words(h, &words, error);
	quoted_words_release(&words);
	return ok;
}
