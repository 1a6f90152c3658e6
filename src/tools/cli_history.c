#include "tools/cli_history.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"

static void forget_oldest(struct cli_history *history) {
	buffer_release(&history->lines[0]);
	history->count--;
	memmove(&history->lines[0], &history->lines[1], history->count * sizeof(history->lines[0]));
}

/* False when there is nothing to remember. */
static bool remember(struct cli_history *history, struct slice line) {
	if (line.len == 0) return false;
	if (history->count > 0 && slice_equal(buffer_slice(&history->lines[history->count - 1]), line)) return false;
	if (!history->lines) history->lines = mem_calloc((CLI_HISTORY_LINES_MAX + 1) * sizeof(history->lines[0]));
	struct buffer *slot = &history->lines[history->count++];
	*slot = (struct buffer){ 0 };
	buffer_append_slice(slot, line);
	if (history->count > CLI_HISTORY_LINES_MAX) forget_oldest(history);
	return true;
}

static FILE *open_private(const char *path, int flags) {
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
	return fd < 0 ? NULL : fdopen(fd, flags & O_APPEND ? "a" : "w");
}

static void write_line(FILE *file, struct slice line) {
	fwrite(line.ptr, 1, line.len, file);
	fputc('\n', file);
}

static void rewrite(const struct cli_history *history) {
	FILE *file = open_private(history->path, O_TRUNC);
	if (!file) return;
	for (size_t i = 0; i < history->count; i++) write_line(file, buffer_slice(&history->lines[i]));
	fclose(file);
}

void cli_history_open(struct cli_history *history, const char *path) {
	*history = (struct cli_history){ 0 };
	if (!path) return;
	history->path = mem_strdup(path);
	FILE *file = fopen(path, "re");
	if (!file) return;
	char *line = NULL;
	size_t cap = 0, lines = 0;
	ssize_t len;
	while ((len = getline(&line, &cap, file)) > 0) {
		lines++;
		if (line[len - 1] == '\n') len--;
		remember(history, slice_of(line, (size_t)len));
	}
	free(line);
	fclose(file);
	if (lines / 2 > CLI_HISTORY_LINES_MAX) rewrite(history);
}

void cli_history_release(struct cli_history *history) {
	for (size_t i = 0; i < history->count; i++) buffer_release(&history->lines[i]);
	mem_free(history->lines);
	mem_free(history->path);
	*history = (struct cli_history){ 0 };
}

void cli_history_add(struct cli_history *history, struct slice line) {
	if (!remember(history, line) || !history->path) return;
	FILE *file = open_private(history->path, O_APPEND);
	if (!file) return;
	write_line(file, line);
	fclose(file);
}

size_t cli_history_find(const struct cli_history *history, size_t before, struct slice part) {
	for (size_t i = before; i-- > 0;) {
		const struct buffer *line = &history->lines[i];
		if (part.len == 0 || memmem(line->data, line->len, part.ptr, part.len)) return i;
	}
	return history->count;
}
