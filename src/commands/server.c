/* MONITOR and SHUTDOWN. */
#include "base/log.h"
#include "commands/generated/command_handlers.h"
#include "server/server.h"
#include "server/transaction.h"

/* The OK is in the client's output before any line can be: lines come through the mailbox, after this batch. */
void cmd_monitor(struct call *c) {
	if (transaction_runs(c->client)) {
		reply_error(c->reply, "ERR MONITOR isn't allowed for DENY BLOCKING client");
		return;
	}
	/* Who monitors already gets no answer, as in Redis. */
	if (c->client->flags & CLIENT_MONITOR) return;
	reply_ok(c->reply);
	server_add_monitor(c->worker->server, c->client);
}

/* ---- SHUTDOWN ---- */

enum shutdown_options {
	SHUTDOWN_NOSAVE = 1 << 0,
	SHUTDOWN_SAVE = 1 << 1,
	SHUTDOWN_NOW = 1 << 2,
	SHUTDOWN_FORCE = 1 << 3,
	SHUTDOWN_ABORT = 1 << 4,
};

static bool read_shutdown_options(const struct call *c, unsigned *options) {
	static const char *const words[] = { "nosave", "save", "now", "force", "abort" };
	enum { WORDS = sizeof(words) / sizeof(words[0]) };
	*options = 0;
	for (unsigned i = 1; i < c->argc; i++) {
		unsigned w = 0;
		while (w < WORDS && !call_word(c, i, words[w])) w++;
		if (w == WORDS) return false;
		*options |= 1u << w;
	}
	bool alone = !(*options & SHUTDOWN_ABORT) || *options == SHUTDOWN_ABORT;
	bool decided = (*options & (SHUTDOWN_NOSAVE | SHUTDOWN_SAVE)) != (SHUTDOWN_NOSAVE | SHUTDOWN_SAVE);
	return alone && decided;
}

/* Whoever asks for a save is not left to believe that there was one. FORCE goes on in spite of errors. */
static bool may_end(unsigned options) {
	if (options & SHUTDOWN_NOSAVE) return true;
	if (!(options & SHUTDOWN_SAVE)) {
		log_warning("Nothing was saved on the way out: this version keeps data in memory only.");
		return true;
	}
	log_warning("SHUTDOWN SAVE: this version has no persistence, there is no way to save.");
	if (!(options & SHUTDOWN_FORCE)) return false;
	log_warning("Going on without a save, as FORCE says.");
	return true;
}

/* NOW changes nothing: there are no replicas to wait for. No reply: the end of the connection is the answer. */
void cmd_shutdown(struct call *c) {
	unsigned options;
	if (!read_shutdown_options(c, &options)) {
		call_syntax_error(c);
		return;
	}
	if (options & SHUTDOWN_ABORT) {
		reply_error(c->reply, "ERR No shutdown in progress.");
		return;
	}
	log_warning("User requested shutdown...");
	if (!may_end(options)) {
		reply_error(c->reply, "ERR Errors trying to SHUTDOWN. Check logs.");
		return;
	}
	server_stop(c->worker->server, 0);
	c->client->flags |= CLIENT_CLOSE_NOW;
}
