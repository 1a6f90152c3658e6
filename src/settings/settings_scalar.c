/* Values of one word: numbers, sizes, choices, texts. */
#include "settings/settings_private.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/number.h"
#include "store/store.h"

/* ---- bool ---- */

static bool parse_bool(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	bool yes = slice_is(w->argv[0], "yes");
	if (!yes && !slice_is(w->argv[0], "no")) return setting__refuse(error, "argument must be 'yes' or 'no'");
	*(bool *)field = yes;
	return true;
}

static void print_bool(const struct setting *s, const void *field, struct buffer *out) {
	(void)s;
	buffer_appendf(out, "%s", *(const bool *)field ? "yes" : "no");
}

const struct setting__ops setting__bool_ops = { .parse = parse_bool, .print = print_bool, .single = true };

/* ---- int ---- */

static bool refuse_range(const struct setting *s, char error[SETTINGS_ERROR_MAX]) {
	return setting__refuse(error, "argument must be between %" PRId64 " and %" PRIu64 " inclusive", s->min, s->max);
}

static bool refuse_negative(char error[SETTINGS_ERROR_MAX]) {
	return setting__refuse(error, "argument must be greater or equal to 0");
}

static bool parse_int(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	int64_t value;
	if (!number_parse_i64(w->argv[0], &value))
		return setting__refuse(error, "argument couldn't be parsed into an integer");
	if (value < 0 && s->flags & SETTING_UNSIGNED) return refuse_negative(error);
	if (value < s->min || value > (int64_t)s->max) return refuse_range(s, error);
	if (s->check != NULL && !s->check(s, &value, error)) return false;
	*(int64_t *)field = value;
	return true;
}

static void print_int(const struct setting *s, const void *field, struct buffer *out) {
	(void)s;
	buffer_appendf(out, "%" PRId64, *(const int64_t *)field);
}

const struct setting__ops setting__int_ops = { .parse = parse_int, .print = print_int, .single = true };

/* ---- octal ---- */

static bool parse_octal(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	bool negative = w->argv[0].len > 1 && w->argv[0].ptr[0] == '-';
	uint64_t value = 0;
	for (size_t i = negative; i < w->argv[0].len; i++) {
		char c = w->argv[0].ptr[i];
		if (c < '0' || c > '7' || value > UINT32_MAX) {
			return setting__refuse(error, "argument couldn't be parsed as an octal number");
		}
		value = value * 8 + (uint64_t)(c - '0');
	}
	if ((negative && value > 0) || value > s->max) {
		return setting__refuse(
			error, "argument must be between %" PRIo64 " and %" PRIo64 " inclusive", s->min, s->max);
	}
	*(uint32_t *)field = (uint32_t)value;
	return true;
}

static void print_octal(const struct setting *s, const void *field, struct buffer *out) {
	(void)s;
	buffer_appendf(out, "%" PRIo32, *(const uint32_t *)field);
}

const struct setting__ops setting__octal_ops = { .parse = parse_octal, .print = print_octal, .single = true };

/* ---- memory, and memory or a percentage ---- */

static bool is_all_digits(struct slice text) {
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
	return true;
}

/* Nothing at all is 0: so it always was, and orchestration writes it so for a limit that it does not set. Digits that no
 * number can hold are the largest, which the range refuses. */
static bool parse_bytes(struct slice text, uint64_t *bytes) {
	*bytes = 0;
	if (text.len == 0 || number_parse_memory(text, bytes)) return true;
	*bytes = UINT64_MAX;
	return is_all_digits(text);
}

static bool parse_memory(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	uint64_t value;
	if (!parse_bytes(w->argv[0], &value)) return setting__refuse(error, "argument must be a memory value");
	if (value > INT64_MAX && s->flags & SETTING_UNSIGNED) return refuse_negative(error);
	if (value < (uint64_t)s->min || value > s->max) return refuse_range(s, error);
	if (s->check != NULL && !s->check(s, &value, error)) return false;
	*(uint64_t *)field = value;
	return true;
}

static void print_memory(const struct setting *s, const void *field, struct buffer *out) {
	(void)s;
	buffer_appendf(out, "%" PRIu64, *(const uint64_t *)field);
}

const struct setting__ops setting__memory_ops = { .parse = parse_memory, .print = print_memory, .single = true };

static bool parse_share(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	struct slice text = w->argv[0];
	struct settings_share share = { 0 };
	if (text.len > 0 && text.ptr[text.len - 1] == '%') {
		int64_t percent;
		if (!number_parse_i64(slice_of(text.ptr, text.len - 1), &percent) || percent < 0) {
			return setting__refuse(error, "argument must be a memory or percent value");
		}
		if (percent > 100) return setting__refuse(error, "percentage argument must be less or equal to 100");
		share.percent = (uint32_t)percent;
	} else if (!parse_bytes(text, &share.bytes) || share.bytes > INT64_MAX) {
		return setting__refuse(error, "argument must be a memory or percent value");
	}
	*(struct settings_share *)field = share;
	return true;
}

static void print_share(const struct setting *s, const void *field, struct buffer *out) {
	(void)s;
	const struct settings_share *share = field;
	if (share->percent > 0)
		buffer_appendf(out, "%" PRIu32 "%%", share->percent);
	else
		buffer_appendf(out, "%" PRIu64, share->bytes);
}

const struct setting__ops setting__share_ops = { .parse = parse_share, .print = print_share, .single = true };

/* ---- choice and flags ---- */

static bool find_choice(const struct setting *s, struct slice word, unsigned *index) {
	for (unsigned i = 0; s->choices[i] != NULL; i++) {
		if (!slice_is(word, s->choices[i])) continue;
		*index = i;
		return true;
	}
	return false;
}

static bool refuse_choice(const struct setting *s, char error[SETTINGS_ERROR_MAX]) {
	struct buffer text = { 0 };
	for (size_t i = 0; s->choices[i] != NULL; i++) buffer_appendf(&text, "%s%s", i == 0 ? "" : ", ", s->choices[i]);
	setting__refuse(error, "argument(s) must be one of the following: %.*s", (int)text.len, text.data);
	buffer_release(&text);
	return false;
}

static bool parse_choice(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	unsigned index;
	if (!find_choice(s, w->argv[0], &index)) return refuse_choice(s, error);
	/* Each set of choices has an enum type of its own; all of them are stored as unsigned. */
	memcpy(field, &index, sizeof(index));
	return true;
}

static void print_choice(const struct setting *s, const void *field, struct buffer *out) {
	unsigned index;
	memcpy(&index, field, sizeof(index));
	buffer_appendf(out, "%s", s->choices[index]);
}

const struct setting__ops setting__choice_ops = { .parse = parse_choice, .print = print_choice, .single = true };

static bool parse_flags(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	uint32_t flags = 0;
	if (w->argc == 0) return refuse_choice(s, error);
	for (unsigned i = 0; i < w->argc; i++) {
		unsigned index;
		if (!find_choice(s, w->argv[i], &index)) return refuse_choice(s, error);
		flags |= 1u << index >> 1; /* the first word means none of the others */
	}
	if (s->check != NULL && !s->check(s, &flags, error)) return false;
	*(uint32_t *)field = flags;
	return true;
}

static void print_flags(const struct setting *s, const void *field, struct buffer *out) {
	uint32_t flags = *(const uint32_t *)field;
	if (flags == 0) buffer_appendf(out, "%s", s->choices[0]);
	const char *gap = "";
	for (unsigned i = 1; s->choices[i] != NULL; i++) {
		if (!(flags & (1u << (i - 1)))) continue;
		buffer_appendf(out, "%s%s", gap, s->choices[i]);
		gap = " ";
	}
}

const struct setting__ops setting__flags_ops = { .parse = parse_flags, .print = print_flags };

/* ---- text ---- */

static bool parse_text(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	char *text = setting__text_of(w->argv[0]);
	if (s->check != NULL && !s->check(s, &text, error)) {
		mem_free(text);
		return false;
	}
	mem_free(*(char **)field);
	*(char **)field = text;
	return true;
}

static void print_text(const struct setting *s, const void *field, struct buffer *out) {
	(void)s;
	const char *text = *(char *const *)field;
	buffer_append(out, text, strlen(text));
}

static void copy_text(void *to, const void *from) {
	*(char **)to = mem_strdup(*(char *const *)from);
}

static void release_text(void *field) {
	mem_free(*(char **)field);
	*(char **)field = NULL;
}

const struct setting__ops setting__text_ops = {
	.parse = parse_text,
	.print = print_text,
	.copy = copy_text,
	.release = release_text,
	.single = true,
};

/* ---- directory: kept absolute, so that it means the same wherever the process stands ---- */

static bool parse_directory(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	struct slice text = w->argv[0];
	char path[PATH_MAX];
	char resolved[PATH_MAX];
	struct stat about;
	bool absolute = text.len > 0 && text.ptr[0] == '/';
	int len = snprintf(path, sizeof(path), "%s%s%.*s", absolute ? "" : w->base_dir, absolute ? "" : "/",
		(int)text.len, text.ptr == NULL ? "" : text.ptr);
	if (text.len == 0)
		errno = ENOENT;
	else if (text.len >= sizeof(path) || len < 0 || (size_t)len >= sizeof(path))
		errno = ENAMETOOLONG;
	else if (realpath(path, resolved) != NULL && stat(resolved, &about) == 0)
		errno = S_ISDIR(about.st_mode) ? 0 : ENOTDIR;
	if (errno != 0) return setting__refuse(error, "%s", strerror(errno));
	mem_free(*(char **)field);
	*(char **)field = mem_strdup(resolved);
	return true;
}

const struct setting__ops setting__directory_ops = {
	.parse = parse_directory,
	.print = print_text,
	.copy = copy_text,
	.release = release_text,
	.single = true,
};

/* ---- notify-keyspace-events ---- */

static const struct {
	char letter;
	uint32_t bit;
} notify_letters[] = {
	/* In the order in which they are shown; those of A come first. */
	{ 'g', EVENT_GENERIC },
	{ '$', EVENT_STRING },
	{ 'l', EVENT_LIST },
	{ 's', EVENT_SET },
	{ 'h', EVENT_HASH },
	{ 'z', EVENT_ZSET },
	{ 'x', EVENT_EXPIRED },
	{ 'e', EVENT_EVICTED },
	{ 't', EVENT_STREAM },
	{ 'd', NOTIFY_MODULE },
	{ 'n', EVENT_NEW },
	{ 'o', EVENT_OVERWRITTEN },
	{ 'c', EVENT_TYPE_CHANGED },
	{ 'K', NOTIFY_KEYSPACE },
	{ 'E', NOTIFY_KEYEVENT },
	{ 'm', EVENT_MISS },
};
enum { NOTIFY_LETTERS = sizeof(notify_letters) / sizeof(notify_letters[0]), NOTIFY_LETTERS_OF_A = 10 };

static uint32_t notify_all(void) {
	uint32_t all = 0;
	for (size_t i = 0; i < NOTIFY_LETTERS_OF_A; i++) all |= notify_letters[i].bit;
	return all;
}

static uint32_t notify_bit(char letter) {
	if (letter == 'A') return notify_all();
	for (size_t i = 0; i < NOTIFY_LETTERS; i++) {
		if (notify_letters[i].letter == letter) return notify_letters[i].bit;
	}
	return 0;
}

static bool parse_notify(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	uint32_t value = 0;
	for (size_t i = 0; i < w->argv[0].len; i++) {
		uint32_t bit = notify_bit(w->argv[0].ptr[i]);
		if (bit == 0) return setting__refuse(error, "Invalid event class character. Use 'Ag$lshzxeKEtmdnoc'.");
		value |= bit;
	}
	*(uint32_t *)field = value;
	return true;
}

static void print_notify(const struct setting *s, const void *field, struct buffer *out) {
	(void)s;
	uint32_t value = *(const uint32_t *)field;
	bool all = (value & notify_all()) == notify_all();
	if (all) buffer_append_char(out, 'A');
	for (size_t i = all ? NOTIFY_LETTERS_OF_A : 0; i < NOTIFY_LETTERS; i++) {
		if (value & notify_letters[i].bit) buffer_append_char(out, notify_letters[i].letter);
	}
}

const struct setting__ops setting__notify_ops = { .parse = parse_notify, .print = print_notify, .single = true };

/* ---- ignored ---- */

static bool parse_ignored(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	(void)s, (void)field, (void)w, (void)error;
	return true;
}

static void print_ignored(const struct setting *s, const void *field, struct buffer *out) {
	(void)s, (void)field, (void)out;
}

const struct setting__ops setting__ignored_ops = { .parse = parse_ignored, .print = print_ignored };
