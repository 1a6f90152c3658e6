/* tarn-cli: runs commands on a server, one from its arguments, many from a prompt or a file, and a few tools beside. */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/quoted.h"
#include "tools/cli_modes.h"
#include "tools/cli_options.h"
#include "tools/cli_repl.h"

/* The command of the arguments, with what stands in for some of them. */
struct command {
	struct slice *words;
	size_t count;
	struct buffer input; /* all of stdin */
	struct buffer unquoted;
};

static bool read_all_input(struct buffer *input) {
	if (cli_read_all(STDIN_FILENO, input)) return true;
	fprintf(stderr, "Error reading from stdin: %s\n", strerror(errno));
	return false;
}

/* Replaces each word by what it quotes. A word that is none, or several, is a mistake. */
static bool unquote(struct command *command) {
	struct quoted_words split = { 0 };
	bool ok = true;
	for (size_t i = 0; ok && i < command->count; i++) {
		ok = quoted_split(command->words[i], &split) && split.count == 1;
		if (ok) {
			buffer_append_slice(&command->unquoted, split.words[0]);
			command->words[i] = slice_of(NULL, split.words[0].len);
		}
	}
	const char *at = command->unquoted.data;
	for (size_t i = 0; ok && i < command->count; at += command->words[i++].len) command->words[i].ptr = at;
	if (!ok) fputs("Invalid quoted string\n", stderr);
	quoted_words_release(&split);
	return ok;
}

/* Puts standard input where -x or -X want it. Words are compared with the tag as they were typed. */
static bool insert_input(struct command *command, const struct cli_options *options, int argc, char **argv) {
	if (options->stdin_use == CLI_STDIN_LINES) return true;
	if (!read_all_input(&command->input)) return false;
	struct slice input = buffer_slice(&command->input);
	if (options->stdin_use == CLI_STDIN_LAST) {
		command->words[command->count++] = input;
		return true;
	}
	for (int i = options->words_at; i < argc; i++) {
		if (slice_equal(slice_of_cstr(argv[i]), options->stdin_tag))
			command->words[i - options->words_at] = input;
	}
	return true;
}

static bool prepare(struct command *command, const struct cli_options *options, int argc, char **argv) {
	command->count = (size_t)(argc - options->words_at);
	command->words = mem_alloc((command->count + 1) * sizeof(*command->words));
	for (size_t i = 0; i < command->count; i++) {
		command->words[i] = slice_of_cstr(argv[options->words_at + (int)i]);
	}
	if (options->quoted_input && !unquote(command)) return false;
	return insert_input(command, options, argc, argv);
}

static int run_command(struct cli_session *session, int argc, char **argv) {
	struct command command = { 0 };
	bool ok = prepare(&command, session->options, argc, argv) && cli_session_connect(session) &&
		  cli_session_run(session, command.words, command.count, session->options->repeat);
	mem_free(command.words);
	buffer_release(&command.input);
	buffer_release(&command.unquoted);
	return ok ? 0 : 1;
}

static int run_script(struct cli_session *session, int argc, char **argv) {
	int at = session->options->words_at;
	return cli_session_connect(session) ? cli_eval_run(session, argv + at, (size_t)(argc - at)) : 1;
}

static int run_mode(struct cli_session *session) {
	if (!cli_session_connect(session)) return 1;
	switch (session->options->mode) {
	case CLI_MODE_PIPE: return cli_pipe_run(session);
	case CLI_MODE_SCAN: return cli_scan_run(session);
	case CLI_MODE_STAT: return cli_stat_run(session);
	case CLI_MODE_LATENCY:
	case CLI_MODE_LATENCY_HISTORY: return cli_latency_run(session);
	default: return cli_keys_run(session);
	}
}

/* The prompt measures characters, which needs a locale that knows UTF-8. */
static void use_utf8(void) {
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
}

int main(int argc, char **argv) {
	struct cli_options options;
	struct cli_session session;
	int status;
	cli_options_init(&options, argc, argv);
	use_utf8();
	cli_session_init(&session, &options);
	if (options.mode != CLI_MODE_COMMAND) {
		status = run_mode(&session);
	} else if (options.script_path) {
		status = run_script(&session, argc, argv);
	} else if (options.words_at < argc) {
		status = run_command(&session, argc, argv);
	} else if (options.stdin_use != CLI_STDIN_LINES) {
		fputs("-x and -X want a command that takes what stands on standard input.\n", stderr);
		status = 1;
	} else {
		status = cli_repl_run(&session);
	}
	cli_session_release(&session);
	cli_options_release(&options);
	return status;
}
