/* Between settings.c, the files of the value types and the generated table; nobody else includes it. */
#ifndef TARN_SETTINGS_SETTINGS_PRIVATE_H
#define TARN_SETTINGS_SETTINGS_PRIVATE_H

#include "settings/settings.h"

/* The words of a value and where they come from. */
struct setting__words {
	unsigned argc;
	const struct slice *argv;
	enum setting_source source;
	const char *base_dir; /* absolute */
};

/* What can be done with a value of a type. `field` points into struct settings. */
struct setting__ops {
	/* Replaces the value, or returns false with `error` set and the value untouched. */
	bool (*parse)(const struct setting *s, void *field, const struct setting__words *words,
		char error[SETTINGS_ERROR_MAX]);
	void (*print)(const struct setting *s, const void *field, struct buffer *out);
	void (*copy)(void *to, const void *from); /* `to` holds nothing; NULL: a plain copy of the bytes */
	void (*release)(void *field);             /* NULL: nothing to free */
	/* Words per line of the file: 0 is all of them in one line. Of one text (`single`) the blanks are its own. */
	unsigned words_per_line;
	bool single; /* takes exactly one word; otherwise one word is split at blanks */
};

/* By enum setting_type, spread over settings_scalar.c and settings_list.c. */
extern const struct setting__ops setting__bool_ops, setting__int_ops, setting__memory_ops, setting__share_ops,
	setting__choice_ops, setting__flags_ops, setting__text_ops, setting__octal_ops, setting__directory_ops,
	setting__notify_ops, setting__words_ops, setting__save_ops, setting__output_limits_ops, setting__oom_scores_ops,
	setting__percentiles_ops, setting__replicaof_ops, setting__users_ops, setting__renames_ops,
	setting__ignored_ops;

/* settings_check.c: named by `check` in settings.toml. They may correct the value. */
bool setting__check_backlog(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]);
bool setting__check_bind_addresses(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]);
bool setting__check_file_name(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]);
bool setting__check_file_name_given(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]);
bool setting__check_hostname(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]);
bool setting__check_hz(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]);
bool setting__check_locale(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]);
bool setting__check_node_name(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]);
bool setting__check_shutdown_flags(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]);
bool setting__check_title_template(const struct setting *s, void *field, char error[SETTINGS_ERROR_MAX]);

/* Writes an error text and is false, so that a parser can end with it. */
__attribute__((format(printf, 2, 3))) bool setting__refuse(char error[SETTINGS_ERROR_MAX], const char *format, ...);

/* A terminated copy of a slice. */
char *setting__text_of(struct slice s);

#endif
