/* What the command line of tarn-cli asks for. The names are those that users of redis-cli type. */
#ifndef TARN_TOOLS_CLI_OPTIONS_H
#define TARN_TOOLS_CLI_OPTIONS_H

#include <stdio.h>

#include "base/buffer.h"
#include "base/bytes.h"

enum cli_output { CLI_OUTPUT_FORMATTED, CLI_OUTPUT_RAW, CLI_OUTPUT_CSV, CLI_OUTPUT_JSON, CLI_OUTPUT_QUOTED_JSON };

enum cli_mode {
	CLI_MODE_COMMAND, /* the words behind the options; without any, a prompt or lines from stdin */
	CLI_MODE_PIPE,
	CLI_MODE_SCAN,
	CLI_MODE_STAT,
	CLI_MODE_LATENCY,
	CLI_MODE_LATENCY_HISTORY,
	CLI_MODE_BIG_KEYS,
	CLI_MODE_MEMORY_KEYS,
	CLI_MODE_HOT_KEYS,
};

enum cli_stdin_use { CLI_STDIN_LINES, CLI_STDIN_LAST, CLI_STDIN_TAG };

struct cli_options {
	char *host;
	int port;
	char *socket_path; /* NULL: TCP */
	char *user;        /* NULL: the default user */
	char *password;    /* NULL: no AUTH */
	int db;
	int proto;           /* 2 or 3 */
	bool proto_implicit; /* nobody asked for it: go on with RESP2 when the server knows no HELLO */
	enum cli_mode mode;
	enum cli_output output;
	bool is_tty; /* standard output is a terminal, or FAKETTY says so */
	bool show_pushes;
	int64_t repeat; /* < 0: until interrupted */
	int64_t interval_us;
	enum cli_stdin_use stdin_use;
	struct slice stdin_tag;
	bool quoted_input;
	bool cluster;
	bool exit_on_error;
	bool verbose;
	struct buffer bulk_delimiter;  /* between the elements of a raw reply */
	struct buffer reply_delimiter; /* behind a raw reply */
	struct buffer pattern;
	bool has_pattern;
	int64_t scan_count;
	int64_t memory_samples; /* < 0: the server's default */
	int64_t pipe_timeout_s; /* 0: forever */
	char *script_path;      /* --eval; NULL: none */
	int words_at;           /* the command's first word in argv */
};

/* Reads argv and the environment. On a mistake it says so on stderr and ends the process with status 1; --help and
 * --version end it with 0. */
void cli_options_init(struct cli_options *options, int argc, char **argv);
void cli_options_release(struct cli_options *options);

/* The text of --help. */
void cli_usage_print(FILE *to);

#endif
