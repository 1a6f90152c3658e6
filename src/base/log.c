#include "base/log.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048, PATH_BYTES = 1024 };

/* Changed at start and under the world gate; helper threads may log at any time, so level and role are atomic. */
static char file_path[PATH_BYTES];
static atomic_int minimum = LEVEL_NOTICE;
static atomic_char role_letter = 'C';
static atomic_bool to_syslog;
static char syslog_name[64];

void log_set_file(const char *path) {
	snprintf(file_path, sizeof(file_path), "%s", path ? path : "");
}

bool log_try_file(const char *path) {
	if (!path[0]) return true;
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) return false;
	close(fd);
	return true;
}

void log_set_level(enum log_level level) {
	atomic_store_explicit(&minimum, (int)level, memory_order_relaxed);
}

void log_set_role(char role) {
	atomic_store_explicit(&role_letter, role, memory_order_relaxed);
}

void log_set_syslog(bool enabled, const char *ident, int facility) {
	if (enabled) {
		snprintf(syslog_name, sizeof(syslog_name), "%s", ident);
		openlog(syslog_name, LOG_PID | LOG_NDELAY | LOG_NOWAIT, facility);
	}
	atomic_store_explicit(&to_syslog, enabled, memory_order_relaxed);
}

bool log_enabled(enum log_level level) {
	return (int)level >= atomic_load_explicit(&minimum, memory_order_relaxed);
}

void log_raw(const char *text, size_t len) {
	int fd = file_path[0] ? open(file_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : STDOUT_FILENO;
	if (fd < 0) return;
	while (len > 0) {
		ssize_t done = write(fd, text, len);
		if (done <= 0) break;
		text += done;
		len -= (size_t)done;
	}
	if (fd != STDOUT_FILENO) close(fd);
}

static size_t write_prefix(char *line, enum log_level level) {
	static const char marks[] = ".-*#";
	struct timeval now;
	gettimeofday(&now, NULL);
	struct tm local;
	localtime_r(&now.tv_sec, &local);
	char date[64];
	strftime(date, sizeof(date), "%d %b %Y %H:%M:%S", &local);
	int len = snprintf(line, 128, "%d:%c %s.%03d %c ", (int)getpid(),
		atomic_load_explicit(&role_letter, memory_order_relaxed), date, (int)(now.tv_usec / 1000),
		marks[level]);
	return (size_t)len;
}

static void write_syslog(enum log_level level, const char *text) {
	static const int priorities[] = { LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING };
	syslog(priorities[level], "%s", text);
}

void log_line(enum log_level level, const char *format, ...) {
	if (!log_enabled(level) || level >= LEVEL_NOTHING) return;
	char line[LINE_MAX_BYTES];
	size_t prefix = write_prefix(line, level);
	va_list args;
	va_start(args, format);
	int text = vsnprintf(line + prefix, sizeof(line) - prefix - 1, format, args);
	va_end(args);
	if (text < 0) return;
	size_t room = sizeof(line) - prefix - 2;
	size_t len = prefix + ((size_t)text < room ? (size_t)text : room);
	if (atomic_load_explicit(&to_syslog, memory_order_relaxed)) write_syslog(level, line + prefix);
	line[len++] = '\n';
	log_raw(line, len);
}
