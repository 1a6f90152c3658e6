/* CLIENT UNBLOCK: ends the wait of a blocked client, as if its time were over or with an error. */
#include "commands/client_common.h"
#include "commands/generated/command_handlers.h"
#include "server/server.h"

struct search {
	uint64_t id;
	struct client *found;
};

static void look_at(void *context, struct client *c) {
	struct search *s = context;
	if (c->id == s->id) s->found = c;
}

void cmd_client_unblock(struct call *c) {
	bool with_error = call_word(c, 3, "error");
	int64_t id;
	if (c->argc > 4 || (c->argc == 4 && !with_error && !call_word(c, 3, "timeout"))) {
		if (c->argc > 4)
			client_arity_error(c);
		else
			reply_error(c->reply, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
		return;
	}
	if (!call_int(c, 2, &id, NULL)) return;
	struct search s = { (uint64_t)id, NULL };
	server_each_client(c->worker->server, look_at, &s);
	reply_int(c->reply, s.found && blocking_unblock(c->worker, s.found, with_error));
}
