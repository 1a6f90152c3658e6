/* What HELLO and the files of CLIENT share. */
#ifndef TARN_COMMANDS_CLIENT_COMMON_H
#define TARN_COMMANDS_CLIENT_COMMON_H

#include "server/call.h"

/* A name must do as a word of CLIENT LIST: printable ASCII without blanks. False, error written, otherwise; `what` begins
 * the error: "Client names". */
__attribute__((warn_unused_result)) bool client_check_name(struct call *c, struct slice name, const char *what);

/* Of a subcommand with more arguments than its arity can tell. */
void client_arity_error(struct call *c);

#endif
