/* What the files of DEBUG share. */
#ifndef TARN_COMMANDS_DEBUG_H
#define TARN_COMMANDS_DEBUG_H

#include "server/call.h"

/* debug_digest.c */
void debug_digest(struct call *c);
void debug_digest_value(struct call *c);

/* debug_protocol.c */
void debug_protocol(struct call *c);

/* Takes the world for a subcommand that looks at everything, and gives it back. Between the two the view's walks lock
 * nothing. False: not to be had; the subcommand returns, and is called again. */
__attribute__((warn_unused_result)) bool debug_take_world(struct call *c);
void debug_drop_world(struct call *c);

#endif
