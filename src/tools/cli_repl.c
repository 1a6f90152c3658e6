#include "tools/cli_repl.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/quoted.h"
#include "tools/cli_command.h"
#include "tools/cli_help.h"
#include "tools/cli_line.h"

struct repl {
	struct cli_session *session;
	struct cli_line line;
	struct cli_history history;
	struct quoted_words words;
	bool prompt;
};

static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal_number) {
	(void)signal_number;
	interrupted = 1;
}

/* Ctrl-c while a command runs gives the prompt back instead of ending the process. Without SA_RESTART, so that it ends the
 * wait for the reply. */
static void catch_interrupts(struct cli_session *session) {
	struct sigaction action = { .sa_handler = note_interrupt };
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	session->interrupt = &interrupted;
}

/* Preferences. */

static void set_preference(struct repl *repl, const struct slice *words, size_t count) {
	if (count == 2 && slice_is(words[1], "hints")) {
		repl->line.hint = cli_help_hint;
	} else if (count == 2 && slice_is(words[1], "nohints")) {
		repl->line.hint = NULL;
	} else {
		puts("Unknown preference; there are :set hints and :set nohints.");
	}
}

/* The path in the first of the variables that is set, or `name` in the home directory; NULL without one. Freed by the
 * caller. */
static char *dot_file(const char *ours, const char *theirs, const char *name) {
	struct buffer path = { 0 };
	const char *given = getenv(ours);
	const char *home = getenv("HOME");
	if (!given) given = getenv(theirs);
	if (given) return given[0] ? mem_strdup(given) : NULL;
	if (!home || !home[0]) return NULL;
	buffer_appendf(&path, "%s/%s", home, name);
	buffer_append_char(&path, '\0');
	return path.data;
}

static void read_preferences(struct repl *repl) {
	char *path = dot_file("TARNCLI_RCFILE", "REDISCLI_RCFILE", ".tarnclirc");
	FILE *file = path ? fopen(path, "re") : NULL;
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;
	mem_free(path);
	if (!file) return;
	while ((len = getline(&text, &cap, file)) > 0) {
		if (!quoted_split(slice_of(text, (size_t)len), &repl->words) || repl->words.count == 0) continue;
		if (slice_is(repl->words.words[0], ":set")) set_preference(repl, repl->words.words, repl->words.count);
	}
	free(text);
	fclose(file);
}

/* Lines. */

static void connect_elsewhere(struct repl *repl, const struct slice *words) {
	struct buffer host = { 0 };
	int64_t port;
	if (!number_parse_i64(words[2], &port) || port < 1 || port > 65535) {
		puts("Invalid port");
		return;
	}
	buffer_append_slice(&host, words[1]);
	buffer_append_char(&host, '\0');
	cli_session_connect_to(repl->session, host.data, (int)port);
	buffer_release(&host);
}

/* What the prompt does itself; false for what is the server's. */
static bool run_own(struct repl *repl, const struct slice *words, size_t count) {
	if (slice_is(words[0], "help") || slice_is(words[0], "?")) {
		cli_help_print(words + 1, count - 1, repl->session->options->is_tty);
	} else if (slice_is(words[0], ":set")) {
		set_preference(repl, words, count);
	} else if (slice_is(words[0], "clear") && count == 1) {
		cli_line_clear_screen();
	} else if (slice_is(words[0], "connect") && count == 3) {
		connect_elsewhere(repl, words);
	} else {
		return false;
	}
	fflush(stdout);
	return true;
}

static void run_command(struct repl *repl, const struct slice *words, size_t count) {
	int64_t repeat = 1;
	if (count > 1 && number_parse_i64(words[0], &repeat)) {
		if (repeat < 1) {
			puts("Invalid repeat command option value.");
			return;
		}
		words++;
		count--;
	}
	interrupted = 0;
	cli_session_run(repl->session, words, count, repeat);
}

/* False when it was the last line. */
static bool run_line(struct repl *repl, struct slice text) {
	if (!quoted_split(text, &repl->words)) {
		puts("Invalid argument(s)");
		fflush(stdout);
		return true;
	}
	const struct slice *words = repl->words.words;
	size_t count = repl->words.count;
	if (count == 0) return true;
	if (count == 1 && (slice_is(words[0], "quit") || slice_is(words[0], "exit"))) return false;
	if (!run_own(repl, words, count)) run_command(repl, words, count);
	return true;
}

/* A line that cannot be split is remembered, to be corrected; unless it smells of a password. */
static void remember(struct repl *repl, struct slice text) {
	bool split = quoted_split(text, &repl->words);
	const char *word = text.ptr;
	size_t len = text.len;
	while (len > 0 && *word == ' ') {
		word++;
		len--;
	}
	if (split ? cli_command_is_secret(repl->words.words, repl->words.count)
		  : len >= 4 && (strncasecmp(word, "auth", 4) == 0 || strncasecmp(word, "acl ", 4) == 0 ||
					strncasecmp(word, "conf", 4) == 0 || strncasecmp(word, "hell", 4) == 0)) {
		return;
	}
	cli_history_add(&repl->history, text);
}

static void run_prompt(struct repl *repl) {
	char prompt[CLI_PROMPT_MAX];
	struct slice text;
	for (;;) {
		cli_session_prompt(repl->session, prompt);
		enum cli_line_end end = cli_line_read(&repl->line, prompt, &text);
		/* Ctrl-c gives up the line; with nothing to give up, the prompt. */
		if (end == CLI_LINE_INTERRUPTED && text.len > 0) continue;
		if (end != CLI_LINE_ENTERED) return;
		remember(repl, text);
		if (!run_line(repl, text)) return;
	}
}

static void run_input(struct repl *repl, bool show_prompt) {
	char prompt[CLI_PROMPT_MAX];
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;
	for (;;) {
		if (show_prompt) {
			cli_session_prompt(repl->session, prompt);
			fputs(prompt, stdout);
			fflush(stdout);
		}
		if ((len = getline(&text, &cap, stdin)) <= 0) break;
		if (!run_line(repl, slice_of(text, (size_t)len))) break;
	}
	free(text);
}

int cli_repl_run(struct cli_session *session) {
	struct repl repl = { .session = session };
	char *history_path = NULL;
	session->lines = true;
	repl.prompt = isatty(STDIN_FILENO);
	repl.line.history = &repl.history;
	repl.line.complete = cli_help_complete;
	repl.line.hint = cli_help_hint;
	if (repl.prompt) {
		read_preferences(&repl);
		catch_interrupts(session);
	}
	bool connected = cli_session_connect(session);
	if (!repl.prompt && !connected) return 1;
	if (repl.prompt && cli_terminal_is_usable()) {
		history_path = dot_file("TARNCLI_HISTFILE", "REDISCLI_HISTFILE", ".tarncli_history");
		cli_history_open(&repl.history, history_path);
		run_prompt(&repl);
	} else {
		run_input(&repl, repl.prompt);
	}
	mem_free(history_path);
	cli_history_release(&repl.history);
	cli_line_release(&repl.line);
	quoted_words_release(&repl.words);
	return 0;
}
