/* Settings: their values, and what is known about each of them.
 *
 * settings.toml declares them; the build makes struct settings (plain typed fields: settings.maxmemory,
 * settings.tcp_backlog), settings_table with what is known about each, tarn.conf and docs/settings.md.
 *
 * Threads: values change under the world gate only, so any worker may read them plainly while it runs a command. */
#ifndef TARN_SETTINGS_SETTINGS_H
#define TARN_SETTINGS_SETTINGS_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "settings/generated/settings_fields.h"

enum setting_type {
	SETTING_TYPE_BOOL,
	SETTING_TYPE_INT,
	SETTING_TYPE_MEMORY,
	SETTING_TYPE_SHARE,
	SETTING_TYPE_CHOICE,
	SETTING_TYPE_FLAGS,
	SETTING_TYPE_TEXT,
	SETTING_TYPE_WORDS,
	SETTING_TYPE_OCTAL,
	SETTING_TYPE_DIRECTORY,
	SETTING_TYPE_SAVE,
	SETTING_TYPE_OUTPUT_LIMITS,
	SETTING_TYPE_OOM_SCORES,
	SETTING_TYPE_PERCENTILES,
	SETTING_TYPE_NOTIFY,
	SETTING_TYPE_REPLICAOF,
	SETTING_TYPE_USERS,
	SETTING_TYPE_RENAMES,
	SETTING_TYPE_IGNORED,
	SETTING_TYPE_COUNT
};

enum setting_flags {
	SETTING_IMMUTABLE = 1 << 0, /* fixed at start */
	SETTING_PROTECTED = 1 << 1, /* changes only as enable-protected-configs allows */
	SETTING_SECRET = 1 << 2,    /* never in logs or messages */
	SETTING_HIDDEN = 1 << 3,    /* CONFIG GET answers it only when it is named in full */
	SETTING_FILE_ONLY = 1 << 4, /* unknown to CONFIG GET and SET, kept as it is by CONFIG REWRITE */
	SETTING_UNSIGNED = 1 << 5,  /* Redis keeps it in an unsigned type, which shows in the words of a refusal */
};

enum { SETTING_ALIASES_MAX = 2 };

struct setting {
	const char *name;
	const char *aliases[SETTING_ALIASES_MAX]; /* NULL where there are fewer */
	enum setting_type type;
	uint32_t flags; /* enum setting_flags */
	size_t offset;  /* of the field in struct settings */
	size_t size;
	const char *default_text;
	int64_t min; /* int, memory, octal */
	uint64_t max;
	const char *const *choices; /* choice, flags; NULL ends */
	bool (*check)(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]); /* or NULL */
	bool has_hook;
	size_t hook_offset; /* of the member of struct settings_hooks */
	const char *doc;
};

extern const struct setting settings_table[SETTING_COUNT];

/* The setting of that name or alias in any case, NULL when there is none; *spelled, unless NULL, is set to the name as
 * declared. */
const struct setting *setting_find(struct slice name, const char **spelled);

/* The declared name closest to `name`, for "did you mean"; NULL when none is close. */
const char *setting_nearest(struct slice name);

/* All defaults. `base_dir` is absolute; relative folders are taken from there. */
void settings_init(struct settings *settings, const char *base_dir);
void settings_release(struct settings *settings);

/* Where a value comes from: files build up lists line by line, clients replace them. */
enum setting_source { SETTING_FROM_FILE_FIRST, SETTING_FROM_FILE_AGAIN, SETTING_FROM_CLIENT };

/* Reads a value out of words and puts it into its field. False, `error` set to Redis's text, nothing changed, when they
 * do not fit. Looks at neither `immutable` nor `protected`. */
__attribute__((warn_unused_result)) bool setting_parse(const struct setting *s, struct settings *settings,
	unsigned argc, const struct slice *argv, enum setting_source source, const char *base_dir,
	char error[SETTINGS_ERROR_MAX]);

/* Appends the value as CONFIG GET shows it. */
void setting_print(const struct setting *s, const struct settings *settings, struct buffer *out);

/* Appends the lines of a configuration file that set this value, under the name `spelled`, each ended by \n. */
void setting_print_lines(
	const struct setting *s, const char *spelled, const struct settings *settings, struct buffer *out);

/* Appends what the setting takes, for people: "a whole number from 0 to 65535 (default 6379)". */
void setting_describe(const struct setting *s, struct buffer *out);

/* Whether both hold the same value of this setting. */
bool setting_equal(const struct setting *s, const struct settings *a, const struct settings *b);

/* Makes the value of `to` an independent copy of that of `from`; both are initialised. */
void setting_copy(const struct setting *s, struct settings *to, const struct settings *from);

/* Exchanges the values of one setting. */
void setting_swap(const struct setting *s, struct settings *a, struct settings *b);

#endif
