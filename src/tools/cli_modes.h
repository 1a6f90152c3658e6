/* What tarn-cli does beside running commands. Each takes a connected session and returns the exit status. */
#ifndef TARN_TOOLS_CLI_MODES_H
#define TARN_TOOLS_CLI_MODES_H

#include "tools/cli_session.h"

int cli_pipe_run(struct cli_session *session);
int cli_scan_run(struct cli_session *session);
int cli_stat_run(struct cli_session *session);
int cli_latency_run(struct cli_session *session);
/* --bigkeys, --memkeys, --hotkeys. */
int cli_keys_run(struct cli_session *session);

/* Appends all that the descriptor gives; false with errno when it cannot be read. */
bool cli_read_all(int fd, struct buffer *text);
/* --eval; `words` are the keys, a comma alone, the arguments. */
int cli_eval_run(struct cli_session *session, char *const *words, size_t count);

#endif
