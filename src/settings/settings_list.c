/* Values of several words: addresses, save points, limits per class, lines of the file. */
#include "settings/settings_private.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/number.h"

/* ---- words ---- */

static struct settings_words words_of(unsigned argc, const struct slice *argv) {
	struct settings_words words = { .count = 0 };
	if (argc == 0) return words;
	words.items = mem_alloc(argc * sizeof(*words.items));
	for (unsigned i = 0; i < argc; i++) words.items[words.count++] = setting__text_of(argv[i]);
	return words;
}

static void release_words(void *field) {
	struct settings_words *words = field;
	for (size_t i = 0; i < words->count; i++) mem_free(words->items[i]);
	mem_free(words->items);
	*words = (struct settings_words){ 0 };
}

static void copy_words(void *to, const void *from) {
	const struct settings_words *source = from;
	struct settings_words words = { .count = source->count };
	if (source->count > 0) words.items = mem_alloc(source->count * sizeof(*words.items));
	for (size_t i = 0; i < source->count; i++) words.items[i] = mem_strdup(source->items[i]);
	*(struct settings_words *)to = words;
}

static bool parse_words(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	struct settings_words words = words_of(w->argc, w->argv);
	if (s->check != NULL && !s->check(s, &words, error)) {
		release_words(&words);
		return false;
	}
	release_words(field);
	*(struct settings_words *)field = words;
	return true;
}

static void print_words(const struct setting *s, const void *field, struct buffer *out) {
	(void)s;
	const struct settings_words *words = field;
	for (size_t i = 0; i < words->count; i++) buffer_appendf(out, "%s%s", i == 0 ? "" : " ", words->items[i]);
}

const struct setting__ops setting__words_ops = {
	.parse = parse_words,
	.print = print_words,
	.copy = copy_words,
	.release = release_words,
};

/* ---- save ---- */

static void release_save(void *field) {
	struct settings_save *save = field;
	mem_free(save->points);
	*save = (struct settings_save){ 0 };
}

static void copy_save(void *to, const void *from) {
	const struct settings_save *source = from;
	struct settings_save save = { .count = source->count };
	size_t bytes = source->count * sizeof(*save.points);
	if (bytes > 0) {
		save.points = mem_alloc(bytes);
		memcpy(save.points, source->points, bytes);
	}
	*(struct settings_save *)to = save;
}

static bool parse_save_point(const struct slice *pair, struct settings_save_point *point) {
	return number_parse_i64(pair[0], &point->seconds) && number_parse_i64(pair[1], &point->changes) &&
	       point->seconds >= 1 && point->changes >= 0;
}

/* The first line of the file replaces the default, further ones add to it, an empty one begins anew. */
static bool parse_save(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	struct settings_save save = { 0 };
	if (w->source == SETTING_FROM_FILE_AGAIN && w->argc > 0) copy_save(&save, field);
	if (w->argc > 0) save.points = mem_realloc(save.points, (save.count + w->argc) * sizeof(*save.points));
	bool good = w->argc % 2 == 0;
	for (unsigned i = 0; good && i < w->argc; i += 2) {
		good = parse_save_point(&w->argv[i], &save.points[save.count]);
		save.count++;
	}
	if (!good) {
		release_save(&save);
		return setting__refuse(error, "Invalid save parameters");
	}
	release_save(field);
	*(struct settings_save *)field = save;
	return true;
}

static void print_save(const struct setting *s, const void *field, struct buffer *out) {
	(void)s;
	const struct settings_save *save = field;
	for (size_t i = 0; i < save->count; i++) {
		buffer_appendf(out, "%s%" PRId64 " %" PRId64, i == 0 ? "" : " ", save->points[i].seconds,
			save->points[i].changes);
	}
}

const struct setting__ops setting__save_ops = {
	.parse = parse_save,
	.print = print_save,
	.copy = copy_save,
	.release = release_save,
	.words_per_line = 2,
};

/* ---- client-output-buffer-limit ---- */

enum { WORDS_PER_LIMIT = 4 };

/* "slave" is what Redis shows to this day, and what scripts compare with. */
static const char *const output_class_names[OUTPUT_CLASS_COUNT] = { "normal", "slave", "pubsub" };

static bool find_output_class(struct slice word, unsigned *class) {
	if (slice_is(word, "replica")) word = SLICE_LITERAL("slave");
	for (*class = 0; *class < OUTPUT_CLASS_COUNT; ++*class) {
		if (slice_is(word, output_class_names[*class])) return true;
	}
	return false;
}

static bool parse_output_limits(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	struct settings_output_limits limits = *(const struct settings_output_limits *)field;
	if (w->argc % WORDS_PER_LIMIT != 0) {
		return setting__refuse(error, "Wrong number of arguments in buffer limit configuration.");
	}
	for (unsigned i = 0; i < w->argc; i += WORDS_PER_LIMIT) {
		unsigned class;
		if (!find_output_class(w->argv[i], &class)) {
			return setting__refuse(error, "Invalid client class specified in buffer limit configuration.");
		}
		struct settings_output_limit *limit = &limits.classes[class];
		if (!number_parse_memory(w->argv[i + 1], &limit->hard_bytes) ||
			!number_parse_memory(w->argv[i + 2], &limit->soft_bytes) ||
			!number_parse_i64(w->argv[i + 3], &limit->soft_seconds) || limit->soft_seconds < 0) {
			return setting__refuse(
				error, "Error in hard, soft or soft_seconds setting in buffer limit configuration.");
		}
	}
	*(struct settings_output_limits *)field = limits;
	return true;
}

static void print_output_limits(const struct setting *s, const void *field, struct buffer *out) {
	(void)s;
	const struct settings_output_limits *limits = field;
	for (unsigned i = 0; i < OUTPUT_CLASS_COUNT; i++) {
		const struct settings_output_limit *limit = &limits->classes[i];
		buffer_appendf(out, "%s%s %" PRIu64 " %" PRIu64 " %" PRId64, i == 0 ? "" : " ", output_class_names[i],
			limit->hard_bytes, limit->soft_bytes, limit->soft_seconds);
	}
}

const struct setting__ops setting__output_limits_ops = {
	.parse = parse_output_limits,
	.print = print_output_limits,
	.words_per_line = WORDS_PER_LIMIT,
};

/* ---- oom-score-adj-values ---- */

static bool parse_oom_scores(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	int64_t scores[3];
	if (w->argc != 3) return setting__refuse(error, "wrong number of arguments");
	for (unsigned i = 0; i < 3; i++) {
		if (!number_parse_i64(w->argv[i], &scores[i]) || scores[i] < -2000 || scores[i] > 2000) {
			return setting__refuse(
				error, "Invalid oom-score-adj-values, elements must be between -2000 and 2000.");
		}
	}
	*(struct settings_oom_scores *)field =
		(struct settings_oom_scores){ (int)scores[0], (int)scores[1], (int)scores[2] };
	return true;
}

static void print_oom_scores(const struct setting *s, const void *field, struct buffer *out) {
	(void)s;
	const struct settings_oom_scores *scores = field;
	buffer_appendf(out, "%d %d %d", scores->primary, scores->replica, scores->background);
}

const struct setting__ops setting__oom_scores_ops = { .parse = parse_oom_scores, .print = print_oom_scores };

/* ---- latency-tracking-info-percentiles ---- */

static void release_percentiles(void *field) {
	struct settings_percentiles *list = field;
	mem_free(list->values);
	*list = (struct settings_percentiles){ 0 };
}

static void copy_percentiles(void *to, const void *from) {
	const struct settings_percentiles *source = from;
	struct settings_percentiles list = { .count = source->count };
	if (source->count > 0) {
		list.values = mem_alloc(source->count * sizeof(*list.values));
		memcpy(list.values, source->values, source->count * sizeof(*list.values));
	}
	*(struct settings_percentiles *)to = list;
}

static bool parse_percentile(struct slice word, double *value, char error[SETTINGS_ERROR_MAX]) {
	if (!number_parse_double(word, value)) {
		return setting__refuse(error, "Invalid latency-tracking-info-percentiles parameters");
	}
	if (*value < 0 || *value > 100) {
		return setting__refuse(
			error, "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
	}
	return true;
}

static bool parse_percentiles(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	struct settings_percentiles list = { .count = w->argc };
	if (w->argc > 0) list.values = mem_alloc(w->argc * sizeof(*list.values));
	for (unsigned i = 0; i < w->argc; i++) {
		if (parse_percentile(w->argv[i], &list.values[i], error)) continue;
		release_percentiles(&list);
		return false;
	}
	release_percentiles(field);
	*(struct settings_percentiles *)field = list;
	return true;
}

static void print_percentiles(const struct setting *s, const void *field, struct buffer *out) {
	(void)s;
	const struct settings_percentiles *list = field;
	for (size_t i = 0; i < list->count; i++) {
		char text[32];
		int len = snprintf(text, sizeof(text), "%f", list->values[i]);
		while (len > 0 && text[len - 1] == '0') len--;
		if (len > 0 && text[len - 1] == '.') len--;
		buffer_appendf(out, "%s%.*s", i == 0 ? "" : " ", len, text);
	}
}

const struct setting__ops setting__percentiles_ops = {
	.parse = parse_percentiles,
	.print = print_percentiles,
	.copy = copy_percentiles,
	.release = release_percentiles,
};

/* ---- replicaof ---- */

static void release_address(void *field) {
	struct settings_address *address = field;
	mem_free(address->host);
	*address = (struct settings_address){ 0 };
}

static void copy_address(void *to, const void *from) {
	const struct settings_address *source = from;
	*(struct settings_address *)to =
		(struct settings_address){ .host = mem_strdup(source->host), .port = source->port };
}

static bool parse_replicaof(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	struct settings_address *address = field;
	int64_t port = 0;
	struct slice host = slice_of("", 0);
	bool nobody = w->argc == 0 || (w->argc == 2 && slice_is(w->argv[0], "no") && slice_is(w->argv[1], "one"));
	if (!nobody) {
		if (w->argc != 2) return setting__refuse(error, "wrong number of arguments");
		if (!number_parse_i64(w->argv[1], &port) || port < 1 || port > 65535) {
			return setting__refuse(error, "Invalid master port");
		}
		host = w->argv[0];
	}
	mem_free(address->host);
	*address = (struct settings_address){ .host = setting__text_of(host), .port = (int)port };
	return true;
}

static void print_replicaof(const struct setting *s, const void *field, struct buffer *out) {
	(void)s;
	const struct settings_address *address = field;
	if (address->host[0] != '\0') buffer_appendf(out, "%s %d", address->host, address->port);
}

const struct setting__ops setting__replicaof_ops = {
	.parse = parse_replicaof,
	.print = print_replicaof,
	.copy = copy_address,
	.release = release_address,
};

/* ---- lines of the file ---- */

static void release_lines(void *field) {
	struct settings_lines *lines = field;
	for (size_t i = 0; i < lines->count; i++) release_words(&lines->lines[i]);
	mem_free(lines->lines);
	*lines = (struct settings_lines){ 0 };
}

static void copy_lines(void *to, const void *from) {
	const struct settings_lines *source = from;
	struct settings_lines lines = { .count = source->count };
	if (source->count > 0) lines.lines = mem_alloc(source->count * sizeof(*lines.lines));
	for (size_t i = 0; i < source->count; i++) copy_words(&lines.lines[i], &source->lines[i]);
	*(struct settings_lines *)to = lines;
}

static void add_line(struct settings_lines *lines, const struct setting__words *w) {
	lines->lines = mem_realloc(lines->lines, (lines->count + 1) * sizeof(*lines->lines));
	lines->lines[lines->count++] = words_of(w->argc, w->argv);
}

/* The default is no words at all: no line. */
static bool is_default(const struct setting__words *w) {
	return w->source == SETTING_FROM_CLIENT && w->argc == 0;
}

static bool parse_users(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	struct settings_lines *users = field;
	if (is_default(w)) return true;
	if (w->argc == 0) return setting__refuse(error, "wrong number of arguments");
	for (size_t i = 0; i < users->count; i++) {
		if (!slice_equal(w->argv[0], slice_of_cstr(users->lines[i].items[0]))) continue;
		return setting__refuse(error,
			"Error in user declaration '%s': Duplicate user found. A user can only be defined once in "
			"config files",
			users->lines[i].items[0]);
	}
	add_line(users, w);
	return true;
}

static bool parse_renames(
	const struct setting *s, void *field, const struct setting__words *w, char error[SETTINGS_ERROR_MAX]) {
	(void)s;
	if (is_default(w)) return true;
	if (w->argc != 2) return setting__refuse(error, "Bad directive or wrong number of arguments");
	add_line(field, w);
	return true;
}

static void print_lines(const struct setting *s, const void *field, struct buffer *out) {
	const struct settings_lines *lines = field;
	for (size_t i = 0; i < lines->count; i++) {
		if (i > 0) buffer_append_char(out, '\n');
		print_words(s, &lines->lines[i], out);
	}
}

const struct setting__ops setting__users_ops = {
	.parse = parse_users,
	.print = print_lines,
	.copy = copy_lines,
	.release = release_lines,
};
const struct setting__ops setting__renames_ops = {
	.parse = parse_renames,
	.print = print_lines,
	.copy = copy_lines,
	.release = release_lines,
};
