/* One blocking connection to a server: words out, replies in. Knows RESP and nothing of what the words mean. */
#ifndef TARN_TOOLS_CLI_CONNECTION_H
#define TARN_TOOLS_CLI_CONNECTION_H

#include <signal.h>

#include "base/bytes.h"
#include "resp/reply_reader.h"

enum { CLI_CONNECTION_ERROR_MAX = 256 };

/* All zero and fd -1 is a valid closed one. */
struct cli_connection {
	int fd;
	struct reply_reader reader;
	struct buffer out;                    /* what is not sent yet */
	char error[CLI_CONNECTION_ERROR_MAX]; /* why the last call failed */
};

#define CLI_CONNECTION_CLOSED ((struct cli_connection){ .fd = -1 })

/* Connect; false and `error` when that is not possible. An open connection is closed first. */
bool cli_connection_open_tcp(struct cli_connection *connection, const char *host, int port);
bool cli_connection_open_unix(struct cli_connection *connection, const char *path);
void cli_connection_close(struct cli_connection *connection);
void cli_connection_release(struct cli_connection *connection);

/* Whether the server has closed its end, or never was there. A look that does not wait. */
bool cli_connection_is_gone(struct cli_connection *connection);

bool cli_connection_send(struct cli_connection *connection, const struct slice *words, size_t count);

enum cli_receive { CLI_RECEIVE_REPLY, CLI_RECEIVE_FAILED, CLI_RECEIVE_INTERRUPTED };

/* Waits for the next reply, which may be a push. It is valid until the next call on the connection. Gives up when
 * *interrupt (NULL: never) becomes other than 0, which a signal handler without SA_RESTART brings about. */
enum cli_receive cli_connection_receive(
	struct cli_connection *connection, const struct reply_node **reply, const volatile sig_atomic_t *interrupt);

#endif
