/* MULTI, EXEC, DISCARD, WATCH, UNWATCH. The queue and its run: server/transaction.h; watched keys: server/watch.h. */
#include "commands/generated/command_handlers.h"
#include "server/transaction.h"
#include "server/watch.h"

void cmd_multi(struct call *c) {
	if (c->client->transaction) {
		reply_error(c->reply, "ERR MULTI calls can not be nested");
		return;
	}
	transaction_begin(c->client);
	reply_ok(c->reply);
}

void cmd_exec(struct call *c) {
	if (c->client->transaction)
		transaction_exec(c);
	else
		reply_error(c->reply, "ERR EXEC without MULTI");
}

void cmd_discard(struct call *c) {
	if (!c->client->transaction) {
		reply_error(c->reply, "ERR DISCARD without MULTI");
		return;
	}
	transaction_end(c->client);
	reply_ok(c->reply);
}

void cmd_watch(struct call *c) {
	if (c->client->transaction) {
		reply_error(c->reply, "ERR WATCH inside MULTI is not allowed");
		return;
	}
	for (unsigned i = 1; i < c->argc; i++) {
		struct key key = call_key(c, i);
		if (watch_key(c->client, c->view, &key)) continue;
		reply_error(c->reply, "ERR not enough memory to watch this key");
		return;
	}
	reply_ok(c->reply);
}

void cmd_unwatch(struct call *c) {
	watch_forget_all(c->client, WATCH_GATES_TAKE);
	reply_ok(c->reply);
}
