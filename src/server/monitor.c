/* MONITOR: every command, told to whoever listens. The line is made once; each listener's worker gets a copy.
 *
 * Who runs commands never waits for who listens. What is on its way to a worker counts like the output of its monitors: when
 * their owner is so busy with others that more gathers than client-output-buffer-limit allows, they are cut off. Where that
 * limit is off the mailbox has one all the same. */
#include <stdatomic.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/number.h"
#include "server/redact.h"
#include "server/server.h"

enum { BACKLOG_BYTES = 64 << 20 }; /* without a limit of the user's */

struct monitor_line {
	struct message message;
	struct buffer text;
};

static size_t line_bytes(size_t text) {
	return sizeof(struct monitor_line) + text;
}

static void deliver(struct worker *owner, struct message *m) {
	struct monitor_line *line = (struct monitor_line *)m;
	for (struct client *c = owner->monitors; c; c = c->next_monitor) client_push(c, buffer_slice(&line->text));
	atomic_fetch_sub_explicit(&owner->monitor_backlog, line_bytes(line->text.len), memory_order_relaxed);
	buffer_release(&line->text);
	mem_free(line);
	gate_boundary(&owner->member);
}

/* Lines are missing by now, so none of them may go on. */
static void cut_off(struct worker *owner, struct message *m) {
	mem_free(m);
	atomic_store_explicit(&owner->monitors_behind, false, memory_order_relaxed);
	for (struct client *c = owner->monitors; c; c = c->next_monitor)
		if (!(c->flags & CLIENT_CLOSE_NOW)) client_cut_off(c);
}

/* Counts a line in; false when there is no room for it. The counter orders nothing: it pairs with itself. */
static bool has_room(struct worker *owner, size_t bytes) {
	const struct settings *settings = &owner->server->config->values;
	uint64_t hard = settings->client_output_buffer_limit.classes[CLIENT_CLASS_NORMAL].hard_bytes;
	size_t limit = hard > 0 ? (size_t)hard : BACKLOG_BYTES;
	size_t before = atomic_fetch_add_explicit(&owner->monitor_backlog, bytes, memory_order_relaxed);
	/* A line that is larger than all goes through alone: then the client's own limit is asked. */
	if (before == 0 || before + bytes <= limit) return true;
	atomic_fetch_sub_explicit(&owner->monitor_backlog, bytes, memory_order_relaxed);
	return false;
}

static void give_up(struct worker *owner) {
	if (atomic_exchange_explicit(&owner->monitors_behind, true, memory_order_relaxed)) return;
	struct message *m = mem_alloc(sizeof(*m));
	m->run = cut_off;
	worker_post(owner, m);
}

static void post_line(struct worker *owner, struct slice text) {
	if (!has_room(owner, line_bytes(text.len))) {
		give_up(owner);
		return;
	}
	struct monitor_line *line = mem_calloc(sizeof(*line));
	line->message.run = deliver;
	buffer_append_slice(&line->text, text);
	worker_post(owner, &line->message);
}

static void print_line(struct buffer *text, unsigned db, const char *who, const struct command *cmd, unsigned argc,
	const struct slice *argv) {
	int64_t now = clock_wall_us();
	buffer_appendf(text, "+%lld.%06lld [%u %s]", (long long)(now / 1000000), (long long)(now % 1000000), db, who);
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

static void feed(struct worker *w, unsigned db, const char *who, const struct command *cmd, unsigned argc,
	const struct slice *argv) {
	struct server *s = w->server;
	/* A monitor's owner lets go of it without the world, so that the flags are behind. */
	if (!anybody_monitors(s)) {
		w->attention &= ~(uint32_t)ATTENTION_MONITOR;
		return;
	}
	struct buffer text = { 0 };
	print_line(&text, db, who, cmd, argc, argv);
	for (unsigned i = 0; i < s->worker_count; i++)
		if (has_monitor(&s->workers[i])) post_line(&s->workers[i], buffer_slice(&text));
	buffer_release(&text);
}

/* Redis tells of a command when it has run, so SELECT and RESET stand there with the database that they lead to. */
static unsigned shown_db(
	const struct worker *w, unsigned db, const struct command *cmd, unsigned argc, const struct slice *argv) {
	int64_t selected;
	if (strcmp(cmd->full_name, "reset") == 0) return 0;
	if (strcmp(cmd->full_name, "select") != 0 || argc < 2 || !number_parse_i64(argv[1], &selected)) return db;
	return selected >= 0 && selected < store_db_count(w->server->store) ? (unsigned)selected : db;
}

void monitor_feed(
	struct worker *w, const struct client *c, const struct command *cmd, unsigned argc, const struct slice *argv) {
	feed(w, shown_db(w, c->db, cmd, argc, argv), c->peer, cmd, argc, argv);
}

void monitor_feed_script(
	struct worker *w, const struct client *c, const struct command *cmd, unsigned argc, const struct slice *argv) {
	if (!(cmd->flags & (CMD_SKIP_MONITOR | CMD_ADMIN)))
		feed(w, shown_db(w, c->db, cmd, argc, argv), "lua", cmd, argc, argv);
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
