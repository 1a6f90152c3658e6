/* What the prompt knows about commands, from their declarations: help, completion, hints. */
#ifndef TARN_TOOLS_CLI_HELP_H
#define TARN_TOOLS_CLI_HELP_H

#include "tools/cli_line.h"

/* Prints the answer to "help", "help <command>" or "help @<group>"; `words` are those behind "help". */
void cli_help_print(const struct slice *words, size_t count, bool color);

/* The two callbacks of the line editor. */
void cli_help_complete(struct slice text, struct cli_completions *out);
void cli_help_hint(struct slice text, struct buffer *out);

#endif
