#include "settings/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/quoted.h"

enum { INCLUDE_DEPTH_MAX = 16, SLURP_BYTES = 64 * 1024, WORDS_MAX = 1 << 20 };

struct reader {
	struct settings *values;
	const char *base_dir;
	enum config_read_flags flags;
	struct buffer *error;
	command_finder *commands; /* NULL: do not look at what lines say of commands and users */
	struct renames renames;   /* what the lines so far made of their names */
	bool seen[SETTING_COUNT]; /* a line set it already, so lists go on */
	unsigned depth;           /* of includes */
};

/* Where a line stands, for messages. */
struct place {
	const char *file; /* NULL: the command line */
	unsigned line;    /* from 1; of the command line the number of the option */
	struct slice text;
};

/* ---- Messages ---- */

static void begin_message(struct buffer *error) {
	buffer_appendf(error, "\n*** FATAL CONFIG FILE ERROR (Tarn %s) ***\n", TARN_VERSION);
}

static bool is_secret(const struct setting *s) {
	return s != NULL && (s->flags & SETTING_SECRET || s->type == SETTING_TYPE_USERS);
}

/* Secrets stay out of logs and terminals: of their lines only the name is shown. A misspelled name may be that of one. */
static void append_line_text(struct buffer *error, struct slice text) {
	size_t begin = 0;
	while (begin < text.len && (text.ptr[begin] == '"' || text.ptr[begin] == '\'')) begin++;
	size_t end = begin;
	while (end < text.len && strchr(" \t=\"'", text.ptr[end]) == NULL) end++;
	struct slice name = slice_of(text.ptr + begin, end - begin);
	const struct setting *s = setting_find(name, NULL);
	const char *nearest = s == NULL ? setting_nearest(name) : NULL;
	if (nearest != NULL) s = setting_find(slice_of_cstr(nearest), NULL);
	bool secret = is_secret(s);
	buffer_appendf(error, ">>> '");
	buffer_append(error, text.ptr, secret ? end : text.len);
	buffer_appendf(error, "%s'\n", secret ? " (hidden)" : "");
}

static void append_place(struct buffer *error, const struct place *place) {
	if (place->file == NULL)
		buffer_appendf(error, "On the command line, option %u", place->line);
	else
		buffer_appendf(error, "In %s:%u", place->file, place->line);
}

/* The block that scripts know, up to the reason; the caller goes on with what would be right. False always. */
static bool refuse(struct reader *r, const struct place *place, const char *reason) {
	begin_message(r->error);
	if (place->file == NULL)
		buffer_appendf(r->error, "Reading the command line, at option %u\n", place->line);
	else
		buffer_appendf(r->error, "Reading the configuration file, at line %u\n", place->line);
	append_line_text(r->error, place->text);
	buffer_appendf(r->error, "%s\n", reason);
	append_place(r->error, place);
	return false;
}

static bool refuse_line(struct reader *r, const struct place *place, const char *reason, const char *advice) {
	refuse(r, place, reason);
	buffer_appendf(r->error, ": %s\n", advice);
	return false;
}

static bool refuse_value(
	struct reader *r, const struct place *place, const struct setting *s, const char *spelled, const char *reason) {
	refuse(r, place, reason);
	buffer_appendf(r->error, ": '%s' takes ", spelled);
	setting_describe(s, r->error);
	buffer_appendf(r->error, "\n");
	return false;
}

static bool refuse_name(struct reader *r, const struct place *place, struct slice name) {
	if (slice_is(name, "sentinel")) {
		return refuse_line(
			r, place, "sentinel directive while not in sentinel mode", "this is a server, not a sentinel");
	}
	if (slice_is(name, "loadmodule")) {
		return refuse_line(r, place, "Bad directive or wrong number of arguments", "modules cannot be loaded");
	}
	refuse(r, place, "Bad directive or wrong number of arguments");
	const char *equals = name.len == 0 ? NULL : memchr(name.ptr, '=', name.len);
	buffer_appendf(r->error, ": there is no setting ");
	buffer_append_quoted(r->error, equals == NULL ? name : slice_of(name.ptr, (size_t)(equals - name.ptr + 1)));
	const char *nearest = setting_nearest(equals == NULL ? name : slice_of(name.ptr, (size_t)(equals - name.ptr)));
	if (nearest != NULL) buffer_appendf(r->error, "; did you mean '%s'?", nearest);
	if (equals != NULL) buffer_appendf(r->error, " A blank stands between name and value, no '='.");
	buffer_appendf(r->error, "\n");
	return false;
}

/* ---- Lines ---- */

/* What a rename-command line, just taken, does to the commands. */
static bool check_rename(struct reader *r, const struct place *place) {
	const struct settings_lines *lines = &r->values->rename_command;
	const struct settings_words *line = &lines->lines[lines->count - 1];
	switch (renames_add(&r->renames, line, r->commands)) {
	case RENAME_DONE: return true;
	case RENAME_UNKNOWN:
		refuse(r, place, "No such command in rename-command");
		buffer_appendf(r->error,
			": 'rename-command' takes the name of a command and its new name, and '%s' is no command\n",
			line->items[0]);
		return false;
	case RENAME_TAKEN:
		refuse(r, place, "Target command name already exists");
		buffer_appendf(r->error,
			": '%s' is a command already; 'rename-command' takes a new name that is free, or \"\" to "
			"do away with the command\n",
			line->items[1]);
		return false;
	}
	return false;
}

static bool check_meaning(struct reader *r, const struct place *place, const struct setting *s) {
	if (r->commands == NULL) return true;
	if (s->type == SETTING_TYPE_RENAMES) return check_rename(r, place);
	if (s->type != SETTING_TYPE_USERS) return true;
	return refuse_line(r, place, "There are no ACL users in this version",
		"take 'user' lines out; the only user is default, whose password is set by 'requirepass <password>'");
}

static bool read_file(struct reader *r, const char *path, const struct place *from);

static bool set_words(struct reader *r, const struct place *place, unsigned argc, const struct slice *argv) {
	const char *spelled = NULL;
	char reason[SETTINGS_ERROR_MAX];
	const struct setting *s = setting_find(argv[0], &spelled);
	if (s == NULL) return refuse_name(r, place, argv[0]);
	bool *seen = &r->seen[s - settings_table];
	enum setting_source source = *seen ? SETTING_FROM_FILE_AGAIN : SETTING_FROM_FILE_FIRST;
	*seen = true;
	if (!setting_parse(s, r->values, argc - 1, argv + 1, source, r->base_dir, reason))
		return refuse_value(r, place, s, spelled, reason);
	return check_meaning(r, place, s);
}

static char *absolute_path(const char *base_dir, struct slice name) {
	struct buffer path = { 0 };
	if (name.len == 0 || name.ptr[0] != '/') buffer_appendf(&path, "%s/", base_dir);
	buffer_append_slice(&path, name);
	buffer_append_char(&path, '\0');
	return path.data;
}

static bool include(struct reader *r, const struct place *place, unsigned argc, const struct slice *argv) {
	if (argc != 2) {
		return refuse_line(r, place, "Bad directive or wrong number of arguments",
			"'include' takes one file name or pattern");
	}
	if (!(r->flags & CONFIG_READ_INCLUDES)) return true;
	if (r->depth == INCLUDE_DEPTH_MAX) {
		return refuse_line(r, place, "too many nested includes", "files include each other, 16 deep at most");
	}
	char *pattern = absolute_path(r->base_dir, argv[1]);
	glob_t found;
	bool good = true;
	r->depth++;
	if (strpbrk(pattern, "*?[") == NULL) {
		good = read_file(r, pattern, place);
	} else if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; good && i < found.gl_pathc; i++) good = read_file(r, found.gl_pathv[i], place);
		globfree(&found);
	}
	r->depth--;
	mem_free(pattern);
	return good;
}

static bool read_line(struct reader *r, const struct place *place, struct quoted_words *words) {
	struct slice text = place->text;
	if (text.len == 0 || text.ptr[0] == '#') return true;
	if (memchr(text.ptr, '\0', text.len) != NULL) {
		return refuse_line(r, place, "NUL byte in configuration line", "this is no text file");
	}
	if (!quoted_split(text, words)) {
		return refuse_line(r, place, "Unbalanced quotes in configuration line",
			"a quote is opened and not closed, or text follows a closing quote directly");
	}
	if (words->count == 0) return true;
	if (words->count > WORDS_MAX)
		return refuse_line(r, place, "wrong number of arguments", "the line has too many words");
	unsigned count = (unsigned)words->count;
	if (slice_is(words->words[0], "include")) return include(r, place, count, words->words);
	return set_words(r, place, count, words->words);
}

static struct slice trim(struct slice s) {
	while (s.len > 0 && memchr(" \t\r\n", s.ptr[0], 4) != NULL) s = slice_of(s.ptr + 1, s.len - 1);
	while (s.len > 0 && memchr(" \t\r\n", s.ptr[s.len - 1], 4) != NULL) s.len--;
	return s;
}

static bool read_text(struct reader *r, struct slice text, const char *file) {
	struct quoted_words words = { 0 };
	struct place place = { .file = file };
	bool good = true;
	while (good && text.len > 0) {
		const char *newline = memchr(text.ptr, '\n', text.len);
		size_t len = newline == NULL ? text.len : (size_t)(newline - text.ptr) + 1;
		place.line++;
		place.text = trim(slice_of(text.ptr, len));
		good = read_line(r, &place, &words);
		text = slice_of(text.ptr + len, text.len - len);
	}
	quoted_words_release(&words);
	return good;
}

/* `from` is the line that named the file; of the main file and standard input it is NULL. */
static bool read_file(struct reader *r, const char *path, const struct place *from) {
	struct buffer text = { 0 };
	bool good = config_slurp(path, &text);
	if (good) {
		good = read_text(r, buffer_slice(&text), strcmp(path, "-") == 0 ? "standard input" : path);
	} else {
		char reason[PATH_MAX + 128];
		snprintf(reason, sizeof(reason), "Fatal error, can't open config file '%s': %s", path, strerror(errno));
		if (from != NULL) {
			refuse_line(r, from, reason, "the included file must exist and be readable");
		} else {
			begin_message(r->error);
			buffer_appendf(r->error, "%s\n", reason);
		}
	}
	buffer_release(&text);
	return good;
}

bool config_slurp(const char *path, struct buffer *out) {
	bool standard_input = strcmp(path, "-") == 0;
	int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;
	if (fd < 0) return false;
	do {
		got = read(fd, buffer_reserve(out, SLURP_BYTES), SLURP_BYTES);
		if (got > 0) out->len += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	int failure = errno;
	if (!standard_input) close(fd);
	errno = failure;
	return got == 0;
}

bool config_read_text(struct settings *values, struct slice text, const char *file, enum config_read_flags flags,
	const char *base_dir, struct buffer *error) {
	struct reader r = { .values = values, .base_dir = base_dir, .flags = flags, .error = error };
	return read_text(&r, text, file);
}

/* ---- The command line ---- */

/* The words of one option: its name without the dashes, and its values. */
struct option {
	struct slice *words;
	unsigned count;
	unsigned number; /* from 1 */
};

static bool begins_option(const struct option *o, const char *arg) {
	if (strncmp(arg, "--", 2) != 0) return false;
	/* Right after a name this is its value (a password may look like that), but `--save --port 1` means no saving. */
	return o->count != 1 || slice_is(o->words[0], "save");
}

/* Carries an option out and empties it for the next. */
static bool finish_option(struct reader *r, struct option *o) {
	if (o->count == 0) return true;
	struct buffer shown = { 0 };
	struct slice empty = slice_of("", 0);
	buffer_append_slice(&shown, o->words[0]);
	for (unsigned i = 1; i < o->count; i++) {
		buffer_append_char(&shown, ' ');
		buffer_append_quoted(&shown, o->words[i]);
	}
	if (o->count == 1 && slice_is(o->words[0], "save")) o->words[o->count++] = empty;
	struct place place = { .line = ++o->number, .text = buffer_slice(&shown) };
	bool good = slice_is(o->words[0], "include") ? include(r, &place, o->count, o->words)
						     : set_words(r, &place, o->count, o->words);
	buffer_release(&shown);
	o->count = 0;
	return good;
}

static bool read_options(struct reader *r, int argc, char *const *argv) {
	/* One more than words, for the empty value that save may get. */
	struct option o = { .words = mem_alloc(((size_t)argc + 1) * sizeof(*o.words)) };
	bool good = true;
	for (int i = 0; good && i < argc; i++) {
		if (begins_option(&o, argv[i])) {
			good = finish_option(r, &o);
			if (argv[i][2] != '\0') o.words[o.count++] = slice_of_cstr(argv[i] + 2);
		} else {
			o.words[o.count++] = slice_of_cstr(argv[i]);
		}
	}
	if (good) good = finish_option(r, &o);
	mem_free(o.words);
	return good;
}

/* What single settings cannot see of each other. */
static bool check_together(struct reader *r) {
	const struct settings *values = r->values;
	if (!values->cluster_enabled || values->replicaof.host[0] == '\0') return true;
	begin_message(r->error);
	buffer_appendf(r->error, "replicaof directive not allowed in cluster mode\n");
	return false;
}

static bool load(struct reader *r, struct config *config, int argc, char *const *argv) {
	int first = 1;
	bool standard_input = false;
	config->is_bare = argc <= 1;
	if (first < argc && argv[first][0] != '-') {
		config->path = absolute_path(config->start_dir, slice_of_cstr(argv[first++]));
	} else if (first < argc && strcmp(argv[first], "-") == 0) {
		standard_input = true;
		first++;
	}
	if (first < argc && strcmp(argv[argc - 1], "-") == 0) {
		standard_input = true;
		argc--;
	}
	if (config->path != NULL && !read_file(r, config->path, NULL)) return false;
	if (standard_input && !read_file(r, "-", NULL)) return false;
	if (first < argc && !read_options(r, argc - first, argv + first)) return false;
	return check_together(r);
}

bool config_load(struct config *config, int argc, char *const *argv, command_finder *commands, struct buffer *error) {
	struct reader r = { .values = &config->values,
		.base_dir = config->start_dir,
		.flags = CONFIG_READ_INCLUDES,
		.error = error,
		.commands = commands };
	bool good = load(&r, config, argc, argv);
	renames_release(&r.renames);
	return good;
}
