/* MONITOR: every command, told to whoever listens. The line is made once; each listener's worker gets a copy. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "server/redact.h"
#include "server/server.h"

struct monitor_line {
	struct message message;
	struct buffer text;
};

static void deliver(struct worker *owner, struct message *m) {
	struct monitor_line *line = (struct monitor_line *)m;
	struct client *next;
	for (struct client *c = owner->clients; c; c = next) {
		next = c->next;
		if (!(c->flags & CLIENT_MONITOR) || c->flags & (CLIENT_CLOSE_NOW | CLIENT_CLOSE_AFTER_REPLY)) continue;
		client_push(c, buffer_slice(&line->text));
		if (c->flags & CLIENT_CLOSE_NOW) client_free(c);
	}
	buffer_release(&line->text);
	mem_free(line);
}

static void print_line(struct buffer *text, const struct client *c, const struct command *cmd, unsigned argc,
	const struct slice *argv) {
	int64_t now = clock_wall_us();
	buffer_appendf(
		text, "+%lld.%06lld [%u %s]", (long long)(now / 1000000), (long long)(now % 1000000), c->db, c->peer);
	for (unsigned i = 0; i < argc; i++) {
		buffer_append_char(text, ' ');
		buffer_append_quoted(text, redact_arg(cmd, argv, i));
	}
	buffer_append(text, "\r\n", 2);
}

static bool has_monitor(const struct worker *w) {
	return STAT_READ(w->monitor_count) > 0;
}

void monitor_feed(
	struct worker *w, const struct client *c, const struct command *cmd, unsigned argc, const struct slice *argv) {
	struct server *s = w->server;
	struct buffer text = { 0 };
	print_line(&text, c, cmd, argc, argv);
	for (unsigned i = 0; i < s->worker_count; i++) {
		if (!has_monitor(&s->workers[i])) continue;
		struct monitor_line *line = mem_calloc(sizeof(*line));
		line->message.run = deliver;
		buffer_append_slice(&line->text, buffer_slice(&text));
		worker_post(&s->workers[i], &line->message);
	}
	buffer_release(&text);
}

void server_add_monitor(struct server *s, struct client *c) {
	if (c->flags & CLIENT_MONITOR) return;
	c->flags |= CLIENT_MONITOR;
	STAT_ADD(c->worker->monitor_count, 1);
	server_update_attention(s);
}
