/* redact: keeps passwords out of what others read: MONITOR, SLOWLOG, crash reports.
 *
 * Works argument by argument, with no allocation and no lock, so that a crash handler may call it. When in doubt it
 * hides. Any thread. */
#ifndef TARN_SERVER_REDACT_H
#define TARN_SERVER_REDACT_H

#include "server/command.h"

/* Whether argument `arg` of this command is nobody's business. */
bool redact_hides(const struct command *cmd, const struct slice *argv, unsigned arg);

/* What to show of argument `arg`: the argument, or "(redacted)". */
struct slice redact_arg(const struct command *cmd, const struct slice *argv, unsigned arg);

/* The first `count` arguments as they may be shown. */
void redact_args(const struct command *cmd, unsigned count, const struct slice *argv, struct slice *shown);

#endif
