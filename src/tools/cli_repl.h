/* Commands line by line: from a prompt when there is a terminal, else from standard input. */
#ifndef TARN_TOOLS_CLI_REPL_H
#define TARN_TOOLS_CLI_REPL_H

#include "tools/cli_session.h"

/* Reads and runs lines until the end of input or "quit". Returns the exit status. */
int cli_repl_run(struct cli_session *session);

#endif
