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

/* Comes behind all lines of the mailbox's round, which leave in one write. */
static void flush_monitors(struct worker *owner, struct message *m) {
	owner->monitors_wait = false;
	mem_free(m);
	struct client *next;
	for (struct client *c = owner->monitors; c; c = next) {
		next = c->next_monitor;
		if (c->out_first && !(c->flags & CLIENT_WANTS_WRITE)) client_flush(c);
		if (c->flags & CLIENT_CLOSE_NOW) client_free(c);
	}
}

static void deliver(struct worker *owner, struct message *m) {
	struct monitor_line *line = (struct monitor_line *)m;
	struct client *next;
	for (struct client *c = owner->monitors; c; c = next) {
		next = c->next_monitor;
		if (c->flags & (CLIENT_CLOSE_NOW | CLIENT_CLOSE_AFTER_REPLY)) continue;
		client_push(c, buffer_slice(&line->text));
	}
	buffer_release(&line->text);
	mem_free(line);
	if (!owner->monitors_wait) {
		struct message *flush = mem_alloc(sizeof(*flush));
		flush->run = flush_monitors;
		owner->monitors_wait = true;
		worker_post(owner, flush);
	}
	gate_boundary(&owner->member);
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

static bool anybody_monitors(const struct server *s) {
	for (unsigned i = 0; i < s->worker_count; i++)
		if (has_monitor(&s->workers[i])) return true;
	return false;
}

void monitor_feed(
	struct worker *w, const struct client *c, const struct command *cmd, unsigned argc, const struct slice *argv) {
	struct server *s = w->server;
	/* A monitor's owner lets go of it without the world, so that the flags are behind. */
	if (!anybody_monitors(s)) {
		w->attention &= ~(uint32_t)ATTENTION_MONITOR;
		return;
	}
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
	c->next_monitor = c->worker->monitors;
	c->worker->monitors = c;
	STAT_ADD(c->worker->monitor_count, 1);
	server_update_attention(s);
}

void monitor_remove(struct client *c) {
	if (!(c->flags & CLIENT_MONITOR)) return;
	c->flags &= ~(uint32_t)CLIENT_MONITOR;
	struct client **at = &c->worker->monitors;
	while (*at != c) at = &(*at)->next_monitor;
	*at = c->next_monitor;
	STAT_ADD(c->worker->monitor_count, (size_t)-1);
}
