/* What the command line tool must know about a few commands to get along with them: those whose replies are texts to be
 * shown as they are, those that never stop replying, those that change what the prompt says. */
#ifndef TARN_TOOLS_CLI_COMMAND_H
#define TARN_TOOLS_CLI_COMMAND_H

#include "base/bytes.h"

enum cli_stream { CLI_STREAM_NONE, CLI_STREAM_LINES, CLI_STREAM_MESSAGES };

enum cli_effect {
	CLI_EFFECT_NONE,
	CLI_EFFECT_SELECT,
	CLI_EFFECT_MULTI,
	CLI_EFFECT_EXEC,
	CLI_EFFECT_DISCARD,
	CLI_EFFECT_RESET,
	CLI_EFFECT_HELLO,
	CLI_EFFECT_CLIENT_REPLY,
};

struct cli_command_traits {
	const char *name;
	const char *subcommand; /* NULL: any or none */
	bool text;              /* the reply is a text for people */
	bool answer_per_word;
	bool ends_server;
	enum cli_stream stream;
	enum cli_effect effect;
};

/* Never NULL; most commands have no traits at all. */
const struct cli_command_traits *cli_command_traits(const struct slice *words, size_t count);

/* Whether the words hold a password, so that they must not be remembered. */
bool cli_command_is_secret(const struct slice *words, size_t count);

/* Where a cluster node sends us: "MOVED 3999 10.0.0.1:6381", "ASK 3999 host:port". */
struct cli_redirection {
	bool ask;
	int slot;
	char host[256]; /* empty: the host that said it */
	int port;
};
bool cli_redirection_parse(struct slice error, struct cli_redirection *to);

#endif
