/* The parts of INFO that are lists of things: a line per command, error, database, worker, listener. */
#ifndef TARN_COMMANDS_INFO_H
#define TARN_COMMANDS_INFO_H

#include "base/buffer.h"
#include "server/call.h"
#include "server/figures.h"

/* Each appends whole lines. */
void info_write_listeners(struct buffer *text, struct call *c, const struct figures *f);
void info_write_threads(struct buffer *text, struct call *c, const struct figures *f);
void info_write_commandstats(struct buffer *text, struct call *c, const struct figures *f);
void info_write_errorstats(struct buffer *text, struct call *c, const struct figures *f);
void info_write_latencystats(struct buffer *text, struct call *c, const struct figures *f);
void info_write_keyspace(struct buffer *text, struct call *c, const struct figures *f);

#endif
