/* The lines that were typed, in memory and in a file: one line of text each, the oldest first.
 *
 * Each line is appended to the file as it is typed, so that prompts side by side do not erase one another's; the file
 * is cut back when it has grown to twice what is kept. */
#ifndef TARN_TOOLS_CLI_HISTORY_H
#define TARN_TOOLS_CLI_HISTORY_H

#include "base/buffer.h"

enum { CLI_HISTORY_LINES_MAX = 1000 };

/* All zero is a valid empty one without a file. */
struct cli_history {
	struct buffer *lines;
	size_t count;
	char *path;
};

/* Reads the file, which need not exist; NULL: keep nothing beyond this run. */
void cli_history_open(struct cli_history *history, const char *path);
void cli_history_release(struct cli_history *history);

/* Remembers a line, unless it is empty or the same as the last. */
void cli_history_add(struct cli_history *history, struct slice line);

/* The newest line below `before` (count: of all) that contains `part`, as an index; count when there is none. */
size_t cli_history_find(const struct cli_history *history, size_t before, struct slice part);

#endif
