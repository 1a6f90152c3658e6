/* A user's conversation with a server: connects and logs in as the options say, runs commands, prints their replies, and
 * keeps what the prompt shows (database, transaction, whether there is a connection). */
#ifndef TARN_TOOLS_CLI_SESSION_H
#define TARN_TOOLS_CLI_SESSION_H

#include "tools/cli_connection.h"
#include "tools/cli_options.h"

enum { CLI_PROMPT_MAX = 512 };

struct cli_session {
	const struct cli_options *options;
	struct cli_connection connection;
	char *host; /* where it is connected now: `connect` and redirections move it */
	int port;
	bool over_socket;
	int db;
	int proto;
	bool lines; /* commands come as lines, from a prompt or from stdin */
	bool was_connected;
	bool in_multi;
	int db_before_multi;
	bool replies_off;                       /* after CLIENT REPLY OFF */
	const volatile sig_atomic_t *interrupt; /* a ctrl-c at the prompt's commands; NULL: it ends the process */
	struct buffer text;                     /* what is printed next */
};

void cli_session_init(struct cli_session *session, const struct cli_options *options);
void cli_session_release(struct cli_session *session);

/* Connects anew, with AUTH, HELLO and SELECT as wanted; says on stderr what went wrong. False when there is no
 * connection; a refused AUTH or SELECT leaves one. */
bool cli_session_connect(struct cli_session *session);
/* The same, to another server. */
bool cli_session_connect_to(struct cli_session *session, const char *host, int port);

/* Runs a command `repeat` times (< 0: for ever) and prints its replies; count > 0. False when the connection failed or, with
 * exit_on_error, when the reply was an error. */
bool cli_session_run(struct cli_session *session, const struct slice *words, size_t count, int64_t repeat);

/* For tools that ask many questions: sends a command; gives the next reply, valid until the next call; both in one. They
 * end the process with status 1 when the connection fails. */
void cli_session_put(struct cli_session *session, const struct slice *words, size_t count);
const struct reply_node *cli_session_take(struct cli_session *session);
const struct reply_node *cli_session_ask(struct cli_session *session, const struct slice *words, size_t count);
/* Prints an error reply to stderr and ends the process with status 1; returns when `reply` is none. */
void cli_session_insist(const struct reply_node *reply);

/* The prompt, with a NUL: "127.0.0.1:6379[1](TX)> ". */
void cli_session_prompt(const struct cli_session *session, char prompt[static CLI_PROMPT_MAX]);

#endif
