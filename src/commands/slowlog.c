/* SLOWLOG: what took long of late. */
#include "commands/generated/command_handlers.h"
#include "server/server.h"

enum { DEFAULT_COUNT = 10, ENTRY_FIELDS = 6 };

struct answer {
	struct reply *reply;
	size_t count;
};

static void write_entry(void *context, const struct slowlog_entry *e) {
	struct answer *a = context;
	struct reply *r = a->reply;
	reply_array(r, ENTRY_FIELDS);
	reply_int(r, (int64_t)e->id);
	reply_int(r, e->when_s);
	reply_int(r, e->duration_us);
	reply_array(r, e->argc);
	for (unsigned i = 0; i < e->argc; i++) reply_slice(r, e->argv[i]);
	reply_cstr(r, e->peer);
	reply_cstr(r, e->name);
	a->count++;
}

void cmd_slowlog_get(struct call *c) {
	int64_t count = DEFAULT_COUNT;
	if (c->argc > 3) {
		reply_errorf(c->reply,
			"ERR unknown subcommand or wrong number of arguments for '%.*s'. Try SLOWLOG HELP.",
			(int)(c->argv[1].len < 128 ? c->argv[1].len : 128), c->argv[1].ptr);
		return;
	}
	if (c->argc == 3 && (!number_parse_i64(c->argv[2], &count) || count < -1)) {
		reply_error(c->reply, "ERR count should be greater than or equal to -1");
		return;
	}
	struct answer a = { c->reply, 0 };
	size_t begin = reply_begin(c->reply);
	slowlog_each(&c->worker->server->slowlog, count < 0 ? SIZE_MAX : (size_t)count, write_entry, &a);
	reply_end(c->reply, begin, REPLY_ARRAY, a.count);
}

void cmd_slowlog_len(struct call *c) {
	reply_int(c->reply, (int64_t)slowlog_count(&c->worker->server->slowlog));
}

void cmd_slowlog_reset(struct call *c) {
	slowlog_reset(&c->worker->server->slowlog);
	reply_ok(c->reply);
}

void cmd_slowlog_help(struct call *c) {
	static const char *const lines[] = {
		"GET [<count>]",
		"    The youngest <count> entries (10 unless said otherwise, -1 for all). Each has its",
		"    number, the time it happened, the microseconds it took, the arguments, and the",
		"    client's address and name.",
		"LEN",
		"    How many entries there are.",
		"RESET",
		"    Forgets them all.",
		NULL,
	};
	reply_help(c->reply, "SLOWLOG", lines);
}
