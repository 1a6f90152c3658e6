#include "tools/cli_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/number.h"
#include "tools/cli_command.h"
#include "tools/cli_format.h"

enum { SLOW_US = 500 * 1000, REDIRECTIONS_MAX = 16 };

void cli_session_init(struct cli_session *session, const struct cli_options *options) {
	*session = (struct cli_session){
		.options = options,
		.connection = CLI_CONNECTION_CLOSED,
		.host = mem_strdup(options->host),
		.port = options->port,
		.over_socket = options->socket_path != NULL,
		.db = options->db,
		.proto = options->proto,
	};
}

void cli_session_release(struct cli_session *session) {
	cli_connection_release(&session->connection);
	mem_free(session->host);
	buffer_release(&session->text);
}

/* Connecting. */

static void drop_connection(struct cli_session *session) {
	cli_connection_close(&session->connection);
	if (session->in_multi) session->db = session->db_before_multi;
	session->in_multi = false;
	session->replies_off = false;
}

/* A step of the login. True when it was accepted; on a refusal *refusal is its text, else the connection is lost. */
static bool login_step(struct cli_session *session, const struct slice *words, size_t count, struct slice *refusal) {
	const struct reply_node *reply;
	*refusal = (struct slice){ NULL, 0 };
	if (!cli_connection_send(&session->connection, words, count)) return false;
	do {
		if (cli_connection_receive(&session->connection, &reply, session->interrupt) != CLI_RECEIVE_REPLY)
			return false;
	} while (reply->type == REPLY_NODE_PUSH);
	if (reply->type != REPLY_NODE_ERROR) return true;
	*refusal = reply->text;
	return false;
}

/* Says that a step failed. False when there is no connection any more. */
static bool report_refusal(struct cli_session *session, const char *step, struct slice refusal) {
	if (refusal.ptr) {
		fprintf(stderr, "%s failed: %.*s\n", step, (int)refusal.len, refusal.ptr);
		return true;
	}
	fprintf(stderr, "Error: %s\n", session->connection.error);
	return false;
}

static bool authenticate(struct cli_session *session) {
	const struct cli_options *options = session->options;
	struct slice words[3] = { SLICE_LITERAL("AUTH") };
	struct slice refusal;
	size_t count = 1;
	if (!options->password) return true;
	if (options->user) words[count++] = slice_of_cstr(options->user);
	words[count++] = slice_of_cstr(options->password);
	if (login_step(session, words, count, &refusal)) return true;
	return report_refusal(session, "AUTH", refusal);
}

static bool select_protocol(struct cli_session *session) {
	const struct slice words[] = { SLICE_LITERAL("HELLO"), SLICE_LITERAL("3") };
	struct slice refusal;
	if (session->proto != 3 || login_step(session, words, 2, &refusal)) return true;
	if (refusal.ptr && session->options->proto_implicit) {
		session->proto = 2;
		return true;
	}
	return report_refusal(session, "HELLO 3", refusal);
}

static bool select_db(struct cli_session *session) {
	char digits[NUMBER_I64_MAX_CHARS + 1], step[64];
	const struct slice words[] = { SLICE_LITERAL("SELECT"),
		slice_of(digits, number_format_i64(digits, session->db)) };
	struct slice refusal;
	if (session->db == 0 || login_step(session, words, 2, &refusal)) return true;
	snprintf(step, sizeof(step), "SELECT %d", session->db);
	session->db = 0;
	return report_refusal(session, step, refusal);
}

static bool open_connection(struct cli_session *session) {
	if (session->over_socket) {
		if (cli_connection_open_unix(&session->connection, session->options->socket_path)) return true;
		fprintf(stderr, "Could not connect to Redis at %s: %s\n", session->options->socket_path,
			session->connection.error);
		return false;
	}
	if (cli_connection_open_tcp(&session->connection, session->host, session->port)) return true;
	fprintf(stderr, "Could not connect to Redis at %s:%d: %s\n", session->host, session->port,
		session->connection.error);
	return false;
}

bool cli_session_connect(struct cli_session *session) {
	drop_connection(session);
	if (!open_connection(session)) return false;
	if (authenticate(session) && select_protocol(session) && select_db(session)) {
		session->was_connected = true;
		return true;
	}
	drop_connection(session);
	return false;
}

bool cli_session_connect_to(struct cli_session *session, const char *host, int port) {
	char *copy = mem_strdup(host);
	mem_free(session->host);
	session->host = copy;
	session->port = port;
	session->over_socket = false;
	return cli_session_connect(session);
}

/* Sees to a connection before a command is sent. A server that has gone is noticed here and not by a failed command, which
 * nobody could safely send again. */
static bool ensure_connected(struct cli_session *session) {
	if (!cli_connection_is_gone(&session->connection)) return true;
	bool lost = session->connection.fd >= 0 && session->was_connected;
	if (!cli_session_connect(session)) return false;
	if (lost && session->lines) fputs("Reconnected: the server had closed the connection.\n", stderr);
	return true;
}

/* Replies. */

static void print(struct cli_session *session, const struct reply_node *reply, bool as_text) {
	session->text.len = 0;
	if (as_text) {
		cli_format_text(&session->text, reply, session->options);
	} else {
		cli_format_reply(&session->text, reply, session->options);
	}
	fwrite(session->text.data, 1, session->text.len, stdout);
	fflush(stdout);
}

/* A command on its way. */
struct run {
	const struct slice *words;
	size_t count;
	const struct cli_command_traits *traits;
	int redirections;
};

/* What the command changed about the conversation, once the server has agreed. */
static void note_effect(struct cli_session *session, const struct run *run, const struct reply_node *reply) {
	bool refused = reply->type == REPLY_NODE_ERROR;
	int64_t number;
	switch (run->traits->effect) {
	case CLI_EFFECT_SELECT:
		if (refused || run->count != 2 || !number_parse_i64(run->words[1], &number)) return;
		session->db = (int)number;
		return;
	case CLI_EFFECT_MULTI:
		if (refused) return;
		session->in_multi = true;
		session->db_before_multi = session->db;
		return;
	case CLI_EFFECT_EXEC:
	case CLI_EFFECT_DISCARD:
		/* EXEC undoes a SELECT when it ran nothing: an error, or a null because of WATCH. */
		if (session->in_multi &&
			(run->traits->effect == CLI_EFFECT_DISCARD || reply->type != REPLY_NODE_ARRAY)) {
			session->db = session->db_before_multi;
		}
		session->in_multi = false;
		return;
	case CLI_EFFECT_RESET:
		if (refused) return;
		session->in_multi = session->replies_off = false;
		session->db = 0;
		session->proto = 2;
		return;
	case CLI_EFFECT_HELLO:
		if (refused || run->count < 2) return;
		session->proto = slice_is(run->words[1], "3") ? 3 : 2;
		return;
	default: return;
	}
}

static bool report_failure(struct cli_session *session, const struct run *run) {
	bool expected = run->traits->ends_server;
	if (!expected) fprintf(stderr, "Error: %s\n", session->connection.error);
	drop_connection(session);
	return expected;
}

/* Ctrl-c: whatever the server still says to this command must not be taken for the answer to the next one, so the
 * conversation begins anew. */
static bool abandon(struct cli_session *session) {
	putchar('\n');
	return cli_session_connect(session);
}

/* MONITOR and SUBSCRIBE: prints what comes until the connection or the user's patience ends. */
static bool stream(struct cli_session *session, const struct run *run) {
	const struct reply_node *reply;
	if (run->traits->stream == CLI_STREAM_MESSAGES && session->options->output != CLI_OUTPUT_RAW) {
		puts("Reading messages... (press Ctrl-C to quit)");
		fflush(stdout);
	}
	for (;;) {
		switch (cli_connection_receive(&session->connection, &reply, session->interrupt)) {
		case CLI_RECEIVE_INTERRUPTED: return abandon(session);
		case CLI_RECEIVE_FAILED: return report_failure(session, run);
		case CLI_RECEIVE_REPLY:
			print(session, reply, run->traits->text);
			/* Refused, or put off until EXEC: there will be no stream. */
			if (reply->type == REPLY_NODE_ERROR || (reply->type == REPLY_NODE_STATUS && session->in_multi))
				return true;
		}
	}
}

enum outcome { OUTCOME_OK, OUTCOME_FAILED, OUTCOME_SEND_AGAIN };

/* "MOVED 3999 10.0.0.1:6381": goes there, and for ASK says so. */
static enum outcome follow(struct cli_session *session, struct run *run, struct slice error) {
	struct cli_redirection to;
	struct slice refusal;
	const struct slice asking = SLICE_LITERAL("ASKING");
	if (!cli_redirection_parse(error, &to) || ++run->redirections > REDIRECTIONS_MAX) return OUTCOME_OK;
	if (session->lines) {
		printf("-> Redirected to slot [%d] located at %s:%d\n", to.slot, to.host[0] ? to.host : session->host,
			to.port);
		fflush(stdout);
	}
	if (!cli_session_connect_to(session, to.host[0] ? to.host : session->host, to.port)) return OUTCOME_FAILED;
	if (!to.ask || login_step(session, &asking, 1, &refusal)) return OUTCOME_SEND_AGAIN;
	report_refusal(session, "ASKING", refusal);
	return OUTCOME_FAILED;
}

static enum outcome take_reply(struct cli_session *session, struct run *run, const struct reply_node *reply) {
	bool error = reply->type == REPLY_NODE_ERROR;
	if (error && session->options->cluster) {
		enum outcome outcome = follow(session, run, reply->text);
		if (outcome != OUTCOME_OK) return outcome;
	}
	note_effect(session, run, reply);
	if (error && session->options->exit_on_error && !session->lines) {
		fprintf(stderr, "%.*s\n", (int)reply->text.len, reply->text.ptr);
		return OUTCOME_FAILED;
	}
	print(session, reply, run->traits->text);
	return OUTCOME_OK;
}

/* UNSUBSCRIBE answers once per channel, in RESP3 with pushes; an error or QUEUED comes once. */
static bool answers_again(const struct run *run, const struct reply_node *reply, size_t *seen) {
	if (!run->traits->answer_per_word) return false;
	if (reply->type != REPLY_NODE_ARRAY && reply->type != REPLY_NODE_PUSH) return false;
	return ++*seen < run->count - 1;
}

static enum outcome await_reply(struct cli_session *session, struct run *run) {
	const struct reply_node *reply;
	size_t seen = 0;
	for (;;) {
		switch (cli_connection_receive(&session->connection, &reply, session->interrupt)) {
		case CLI_RECEIVE_INTERRUPTED: return abandon(session) ? OUTCOME_OK : OUTCOME_FAILED;
		case CLI_RECEIVE_FAILED: return report_failure(session, run) ? OUTCOME_OK : OUTCOME_FAILED;
		case CLI_RECEIVE_REPLY: break;
		}
		if (reply->type == REPLY_NODE_PUSH && !run->traits->answer_per_word) {
			if (session->options->show_pushes) print(session, reply, false);
			continue;
		}
		bool again = answers_again(run, reply, &seen);
		enum outcome outcome = take_reply(session, run, reply);
		if (!again) return outcome;
	}
}

/* CLIENT REPLY OFF and SKIP: whether no answer will come to this command. */
static bool expects_no_reply(struct cli_session *session, const struct run *run) {
	if (run->traits->effect != CLI_EFFECT_CLIENT_REPLY || run->count != 3) return session->replies_off;
	if (slice_is(run->words[2], "on")) session->replies_off = false;
	if (slice_is(run->words[2], "off")) session->replies_off = true;
	return session->replies_off || slice_is(run->words[2], "skip");
}

static bool run_once(struct cli_session *session, struct run *run) {
	enum outcome outcome = OUTCOME_SEND_AGAIN;
	if (!ensure_connected(session)) return false;
	while (outcome == OUTCOME_SEND_AGAIN) {
		if (!cli_connection_send(&session->connection, run->words, run->count))
			return report_failure(session, run);
		if (expects_no_reply(session, run)) return true;
		if (run->traits->stream != CLI_STREAM_NONE) return stream(session, run);
		outcome = await_reply(session, run);
	}
	return outcome == OUTCOME_OK;
}

bool cli_session_run(struct cli_session *session, const struct slice *words, size_t count, int64_t repeat) {
	struct run run = { .words = words, .count = count, .traits = cli_command_traits(words, count) };
	bool ok = true;
	for (int64_t i = 0; ok && (repeat < 0 || i < repeat); i++) {
		if (i > 0 && session->options->interval_us) usleep((useconds_t)session->options->interval_us);
		int64_t start_us = clock_monotonic_us();
		ok = run_once(session, &run);
		int64_t taken_us = clock_monotonic_us() - start_us;
		if (session->lines && session->options->output == CLI_OUTPUT_FORMATTED && taken_us >= SLOW_US) {
			printf("(%.2fs)\n", (double)taken_us / 1e6);
			fflush(stdout);
		}
		if (session->interrupt && *session->interrupt) break;
	}
	return ok;
}

__attribute__((noreturn)) static void end_process(const struct cli_session *session) {
	fprintf(stderr, "Error: %s\n", session->connection.error);
	exit(1);
}

void cli_session_put(struct cli_session *session, const struct slice *words, size_t count) {
	if (!cli_connection_send(&session->connection, words, count)) end_process(session);
}

const struct reply_node *cli_session_take(struct cli_session *session) {
	const struct reply_node *reply;
	do {
		if (cli_connection_receive(&session->connection, &reply, NULL) != CLI_RECEIVE_REPLY)
			end_process(session);
	} while (reply->type == REPLY_NODE_PUSH);
	return reply;
}

const struct reply_node *cli_session_ask(struct cli_session *session, const struct slice *words, size_t count) {
	cli_session_put(session, words, count);
	return cli_session_take(session);
}

void cli_session_insist(const struct reply_node *reply) {
	if (reply->type != REPLY_NODE_ERROR) return;
	fprintf(stderr, "Error: %.*s\n", (int)reply->text.len, reply->text.ptr);
	exit(1);
}

void cli_session_prompt(const struct cli_session *session, char prompt[static CLI_PROMPT_MAX]) {
	char address[CLI_PROMPT_MAX / 2], db[16] = "";
	if (session->connection.fd < 0) {
		snprintf(prompt, CLI_PROMPT_MAX, "not connected> ");
		return;
	}
	if (session->over_socket) {
		snprintf(address, sizeof(address), "tarn %s", session->options->socket_path);
	} else {
		bool brackets = strchr(session->host, ':') != NULL;
		snprintf(address, sizeof(address), "%s%.200s%s:%d", brackets ? "[" : "", session->host,
			brackets ? "]" : "", session->port);
	}
	if (session->db != 0) snprintf(db, sizeof(db), "[%d]", session->db);
	snprintf(prompt, CLI_PROMPT_MAX, "%s%s%s> ", address, db, session->in_multi ? "(TX)" : "");
}
