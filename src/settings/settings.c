#include "settings/settings.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/quoted.h"
#include "settings/settings_private.h"

static const struct setting__ops *const ops_by_type[SETTING_TYPE_COUNT] = {
	[SETTING_TYPE_BOOL] = &setting__bool_ops,
	[SETTING_TYPE_INT] = &setting__int_ops,
	[SETTING_TYPE_MEMORY] = &setting__memory_ops,
	[SETTING_TYPE_SHARE] = &setting__share_ops,
	[SETTING_TYPE_CHOICE] = &setting__choice_ops,
	[SETTING_TYPE_FLAGS] = &setting__flags_ops,
	[SETTING_TYPE_TEXT] = &setting__text_ops,
	[SETTING_TYPE_WORDS] = &setting__words_ops,
	[SETTING_TYPE_OCTAL] = &setting__octal_ops,
	[SETTING_TYPE_DIRECTORY] = &setting__directory_ops,
	[SETTING_TYPE_SAVE] = &setting__save_ops,
	[SETTING_TYPE_OUTPUT_LIMITS] = &setting__output_limits_ops,
	[SETTING_TYPE_OOM_SCORES] = &setting__oom_scores_ops,
	[SETTING_TYPE_PERCENTILES] = &setting__percentiles_ops,
	[SETTING_TYPE_NOTIFY] = &setting__notify_ops,
	[SETTING_TYPE_REPLICAOF] = &setting__replicaof_ops,
	[SETTING_TYPE_USERS] = &setting__users_ops,
	[SETTING_TYPE_RENAMES] = &setting__renames_ops,
	[SETTING_TYPE_IGNORED] = &setting__ignored_ops,
};

/* No field is larger; setting_swap keeps one on the stack. */
enum { FIELD_SIZE_MAX = sizeof(struct settings_output_limits) };

/* More words than any setting takes in one line. */
enum { SPLIT_WORDS_MAX = 256 };

static const struct setting__ops *ops_of(const struct setting *s) {
	return ops_by_type[s->type];
}

static void *field_of(const struct setting *s, struct settings *settings) {
	return (char *)settings + s->offset;
}

static const void *const_field_of(const struct setting *s, const struct settings *settings) {
	return (const char *)settings + s->offset;
}

bool setting__refuse(char error[SETTINGS_ERROR_MAX], const char *format, ...) {
	va_list args;
	va_start(args, format);
	vsnprintf(error, SETTINGS_ERROR_MAX, format, args);
	va_end(args);
	return false;
}

char *setting__text_of(struct slice s) {
	char *text = mem_alloc(s.len + 1);
	if (s.len > 0) memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	return text;
}

/* ---- Names ---- */

const struct setting *setting_find(struct slice name, const char **spelled) {
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const struct setting *s = &settings_table[i];
		const char *match = slice_is(name, s->name) ? s->name : NULL;
		for (unsigned a = 0; match == NULL && a < SETTING_ALIASES_MAX && s->aliases[a] != NULL; a++) {
			if (slice_is(name, s->aliases[a])) match = s->aliases[a];
		}
		if (match == NULL) continue;
		if (spelled != NULL) *spelled = match;
		return s;
	}
	return NULL;
}

enum { NEAREST_NAME_MAX = 64 };

static unsigned char lower(char c) {
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c == '_' ? '-' : c);
}

/* The least number of characters to insert, remove, replace or swap with a neighbour that makes `a` of `b`. */
static unsigned edit_distance(struct slice a, struct slice b) {
	unsigned rows[3][NEAREST_NAME_MAX + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b.len; j++) above[j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			unsigned differs = lower(a.ptr[i - 1]) != lower(b.ptr[j - 1]);
			unsigned best = above[j - 1] + differs;
			if (above[j] + 1 < best) best = above[j] + 1;
			if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
			bool swapped = i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1];
			if (swapped && before[j - 2] + 1 < best) best = before[j - 2] + 1;
			row[j] = best;
		}
		unsigned *recycled = before;
		before = above;
		above = row;
		row = recycled;
	}
	return above[b.len];
}

const char *setting_nearest(struct slice name) {
	if (name.len < 3 || name.len > NEAREST_NAME_MAX) return NULL;
	const char *nearest = NULL;
	unsigned best = 1 + (unsigned)(name.len / 4 < 3 ? name.len / 4 : 3);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const struct setting *s = &settings_table[i];
		for (unsigned n = 0; n <= SETTING_ALIASES_MAX; n++) {
			const char *candidate = n == 0 ? s->name : s->aliases[n - 1];
			if (candidate == NULL) break;
			struct slice text = slice_of_cstr(candidate);
			if (text.len > NEAREST_NAME_MAX) continue;
			unsigned distance = edit_distance(name, text);
			if (distance > best || (distance == best && nearest != NULL)) continue;
			best = distance;
			nearest = candidate;
		}
	}
	return nearest;
}

/* ---- Values ---- */

/* Splits one word at single blanks; an empty word is no words. False when there are too many. */
static bool split_word(struct slice word, struct slice *out, unsigned *count) {
	*count = 0;
	const char *at = word.ptr;
	const char *end = at + word.len;
	while (word.len > 0) {
		if (*count == SPLIT_WORDS_MAX) return false;
		const char *stop = memchr(at, ' ', (size_t)(end - at));
		out[(*count)++] = slice_of(at, (size_t)((stop == NULL ? end : stop) - at));
		if (stop == NULL) break;
		at = stop + 1;
		if (at == end) {
			if (*count == SPLIT_WORDS_MAX) return false;
			out[(*count)++] = slice_of(end, 0);
			break;
		}
	}
	return true;
}

static bool has_nul(unsigned argc, const struct slice *argv) {
	for (unsigned i = 0; i < argc; i++) {
		if (argv[i].len > 0 && memchr(argv[i].ptr, '\0', argv[i].len) != NULL) return true;
	}
	return false;
}

bool setting_parse(const struct setting *s, struct settings *settings, unsigned argc, const struct slice *argv,
	enum setting_source source, const char *base_dir, char error[SETTINGS_ERROR_MAX]) {
	const struct setting__ops *ops = ops_of(s);
	struct setting__words words = { .argc = argc, .argv = argv, .source = source, .base_dir = base_dir };
	struct slice split[SPLIT_WORDS_MAX];
	if (has_nul(argc, argv)) return setting__refuse(error, "argument must not contain a NUL byte");
	if (ops->single) {
		if (argc != 1) return setting__refuse(error, "wrong number of arguments");
	} else if (argc == 1) {
		if (!split_word(argv[0], split, &words.argc)) return setting__refuse(error, "too many arguments");
		words.argv = split;
	}
	return ops->parse(s, field_of(s, settings), &words, error);
}

void setting_print(const struct setting *s, const struct settings *settings, struct buffer *out) {
	ops_of(s)->print(s, const_field_of(s, settings), out);
}

static void append_word(struct buffer *out, struct slice word) {
	if (quoted_is_plain(word))
		buffer_append_slice(out, word);
	else
		buffer_append_quoted(out, word);
}

/* Sizes are written as people write them, where that loses nothing. */
static void shorten_memory(const struct settings *settings, const struct setting *s, struct buffer *value) {
	static const struct {
		uint64_t bytes;
		const char *unit;
	} units[] = { { 1 << 30, "gb" }, { 1 << 20, "mb" }, { 1 << 10, "kb" } };
	uint64_t bytes = *(const uint64_t *)const_field_of(s, settings);
	for (size_t i = 0; bytes > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
		if (bytes % units[i].bytes != 0) continue;
		value->len = 0;
		buffer_appendf(value, "%llu%s", (unsigned long long)(bytes / units[i].bytes), units[i].unit);
		return;
	}
}

void setting_print_lines(
	const struct setting *s, const char *spelled, const struct settings *settings, struct buffer *out) {
	const struct setting__ops *ops = ops_of(s);
	struct buffer value = { 0 };
	struct slice words[SPLIT_WORDS_MAX];
	unsigned count = 1;
	setting_print(s, settings, &value);
	if (s->type == SETTING_TYPE_MEMORY) shorten_memory(settings, s, &value);
	words[0] = slice_of(value.data == NULL ? "" : value.data, value.len);
	/* An empty list still needs a line that says so: name "". */
	if (!ops->single && value.len > 0 && !split_word(buffer_slice(&value), words, &count)) count = 0;
	unsigned per_line = ops->words_per_line == 0 ? count : ops->words_per_line;
	for (unsigned i = 0; i < count; i += per_line) {
		buffer_append_slice(out, slice_of_cstr(spelled));
		for (unsigned w = i; w < i + per_line && w < count; w++) {
			buffer_append_char(out, ' ');
			append_word(out, words[w]);
		}
		buffer_append_char(out, '\n');
	}
	buffer_release(&value);
}

bool setting_equal(const struct setting *s, const struct settings *a, const struct settings *b) {
	struct buffer left = { 0 };
	struct buffer right = { 0 };
	setting_print(s, a, &left);
	setting_print(s, b, &right);
	bool equal = slice_equal(buffer_slice(&left), buffer_slice(&right));
	buffer_release(&left);
	buffer_release(&right);
	return equal;
}

static void release_field(const struct setting *s, void *field) {
	if (ops_of(s)->release != NULL) ops_of(s)->release(field);
}

void setting_copy(const struct setting *s, struct settings *to, const struct settings *from) {
	void *target = field_of(s, to);
	release_field(s, target);
	if (ops_of(s)->copy != NULL)
		ops_of(s)->copy(target, const_field_of(s, from));
	else
		memcpy(target, const_field_of(s, from), s->size);
}

void setting_swap(const struct setting *s, struct settings *a, struct settings *b) {
	char kept[FIELD_SIZE_MAX];
	memcpy(kept, field_of(s, a), s->size);
	memcpy(field_of(s, a), field_of(s, b), s->size);
	memcpy(field_of(s, b), kept, s->size);
}

void settings_init(struct settings *settings, const char *base_dir) {
	memset(settings, 0, sizeof(*settings));
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const struct setting *s = &settings_table[i];
		struct slice word = slice_of_cstr(s->default_text);
		char error[SETTINGS_ERROR_MAX];
		if (setting_parse(s, settings, 1, &word, SETTING_FROM_CLIENT, base_dir, error)) continue;
		/* Only a folder that vanished under us can bring us here; its name is the best that we have. */
		if (s->type == SETTING_TYPE_DIRECTORY) *(char **)field_of(s, settings) = mem_strdup(base_dir);
	}
}

void settings_release(struct settings *settings) {
	for (size_t i = 0; i < SETTING_COUNT; i++)
		release_field(&settings_table[i], field_of(&settings_table[i], settings));
	memset(settings, 0, sizeof(*settings));
}

/* ---- For people ---- */

static void describe_number(const struct setting *s, const char *what, struct buffer *out) {
	if (s->max >= INT64_MAX)
		buffer_appendf(out, "%s, %lld or more", what, (long long)s->min);
	else
		buffer_appendf(out, "%s from %lld to %llu", what, (long long)s->min, (unsigned long long)s->max);
}

static void describe_choices(const struct setting *s, const char *what, struct buffer *out) {
	buffer_appendf(out, "%s", what);
	for (size_t i = 0; s->choices[i] != NULL; i++) buffer_appendf(out, "%s %s", i == 0 ? "" : ",", s->choices[i]);
}

static const char *const plain_descriptions[SETTING_TYPE_COUNT] = {
	[SETTING_TYPE_BOOL] = "yes or no",
	[SETTING_TYPE_SHARE] = "a memory size (100mb) or a percentage (5%)",
	[SETTING_TYPE_TEXT] = "one text, in quotes if it has blanks",
	[SETTING_TYPE_WORDS] = "a list of words",
	[SETTING_TYPE_OCTAL] = "an octal number from 0 to 777",
	[SETTING_TYPE_DIRECTORY] = "a folder that exists",
	[SETTING_TYPE_SAVE] = "pairs of seconds (1 or more) and changes (0 or more), or \"\"",
	[SETTING_TYPE_OUTPUT_LIMITS] = "normal, replica or pubsub, a hard and a soft limit (memory sizes) and seconds",
	[SETTING_TYPE_OOM_SCORES] = "three numbers from -2000 to 2000",
	[SETTING_TYPE_PERCENTILES] = "numbers from 0 to 100",
	[SETTING_TYPE_NOTIFY] = "letters out of Ag$lshzxeKEtmdnoc, or \"\"",
	[SETTING_TYPE_REPLICAOF] = "a host and a port from 1 to 65535, or no one",
	[SETTING_TYPE_USERS] = "a user's name and rules",
	[SETTING_TYPE_RENAMES] = "a command and its new name",
	[SETTING_TYPE_IGNORED] = "anything",
};

void setting_describe(const struct setting *s, struct buffer *out) {
	switch (s->type) {
	case SETTING_TYPE_INT: describe_number(s, "a whole number", out); break;
	case SETTING_TYPE_MEMORY: describe_number(s, "a memory size (such as 1000, 64kb, 1gb)", out); break;
	case SETTING_TYPE_CHOICE: describe_choices(s, "one of:", out); break;
	case SETTING_TYPE_FLAGS: describe_choices(s, "any of:", out); break;
	default: buffer_appendf(out, "%s", plain_descriptions[s->type]); break;
	}
	if (s->default_text[0] != '\0') buffer_appendf(out, " (default %s)", s->default_text);
}
