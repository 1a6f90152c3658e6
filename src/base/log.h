/* Log lines in Redis's format: "pid:role day month year hh:mm:ss.mmm level message".
 *
 * One line is one write, so lines of several threads do not mix. Any thread may log. Settings are changed at start and
 * under the world gate only. */
#ifndef TARN_BASE_LOG_H
#define TARN_BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum log_level { LEVEL_DEBUG, LEVEL_VERBOSE, LEVEL_NOTICE, LEVEL_WARNING, LEVEL_NOTHING };

/* `path` empty or NULL: standard output. The file is opened anew for each line, so that it may be rotated. */
void log_set_file(const char *path);
/* Whether the file can be written; errno says why not. */
bool log_try_file(const char *path);
void log_set_level(enum log_level level);
void log_set_role(
	char role); /* 'M' master, 'S' replica, 'X' sentinel; before the first call 'C', a process that begins */
void log_set_syslog(bool enabled, const char *ident, int facility);
bool log_enabled(enum log_level level);

__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);
/* Without the prefix, for reports of several lines; async-signal-safe when the text is. */
void log_raw(const char *text, size_t len);

#define log_debug(...) log_line(LEVEL_DEBUG, __VA_ARGS__)
#define log_verbose(...) log_line(LEVEL_VERBOSE, __VA_ARGS__)
#define log_notice(...) log_line(LEVEL_NOTICE, __VA_ARGS__)
#define log_warning(...) log_line(LEVEL_WARNING, __VA_ARGS__)

#endif
