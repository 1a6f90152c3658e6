/* XINFO: what a stream, its groups and their consumers look like. */
#include "commands/generated/command_handlers.h"

#include "commands/stream_common.h"

enum { FULL_COUNT = 10 };

static void reply_named_int(struct reply *r, const char *name, int64_t value) {
	reply_cstr(r, name);
	reply_int(r, value);
}

static void reply_named_id(struct reply *r, const char *name, struct stream_id id) {
	reply_cstr(r, name);
	stream_reply_id(r, id);
}

/* The stream for reading; false, error written, when there is none. */
static bool find_stream(struct call *c, const struct stream **s) {
	struct value value;
	struct key key = call_key(c, 2);
	if (!call_read_value(c, &key, VALUE_STREAM, &value)) return false;
	*s = value.data;
	if (!*s) reply_error(c->reply, ERR_NO_KEY);
	return *s != NULL;
}

/* ---- XINFO STREAM ---- */

enum { STREAM_FIELDS = 7 };

static void reply_stream_fields(struct reply *r, const struct stream *s) {
	const struct stream_state *state = stream_state(s);
	reply_named_int(r, "length", (int64_t)state->length);
	reply_named_int(r, "radix-tree-keys", (int64_t)stream_nodes(s));
	/* There is no radix tree here. What is said is right for one of up to one key. */
	reply_named_int(r, "radix-tree-nodes", (int64_t)stream_nodes(s) + 1);
	reply_named_id(r, "last-generated-id", state->last_id);
	reply_named_id(r, "max-deleted-entry-id", state->max_deleted);
	reply_named_int(r, "entries-added", (int64_t)state->added);
	reply_named_id(r, "recorded-first-entry-id", state->first_id);
}

static void reply_edge(struct reply *r, const struct stream *s, const char *name, enum stream_direction from) {
	struct stream_iter it;
	reply_cstr(r, name);
	stream_iter_begin(&it, s, STREAM_ID_MIN, STREAM_ID_MAX, from);
	if (stream_iter_next(&it))
		stream_reply_entry(r, &it);
	else
		reply_null(r);
}

static void reply_read_and_lag(struct reply *r, const struct stream *s, const struct stream_group *g) {
	int64_t lag;
	reply_cstr(r, "entries-read");
	if (stream_group_read(g) != STREAM_READ_UNKNOWN)
		reply_int(r, stream_group_read(g));
	else
		reply_null(r);
	reply_cstr(r, "lag");
	if (stream_group_lag(s, g, &lag))
		reply_int(r, lag);
	else
		reply_null(r);
}

/* What is pending in the group, or with one consumer; then its name is left out. */
static void reply_pending(
	struct reply *r, const struct stream_group *g, struct stream_consumer *consumer, size_t count) {
	size_t all = consumer ? stream_consumer_pending(consumer) : stream_group_pending(g);
	struct stream_pending_iter it;
	struct stream_pending p;
	if (count > all) count = all;
	reply_array(r, count);
	stream_pending_begin(&it, g, consumer, STREAM_ID_MIN);
	for (; count > 0 && stream_pending_next(&it, &p); count--) {
		reply_array(r, consumer ? 3 : 4);
		stream_reply_id(r, p.id);
		if (!consumer) reply_slice(r, stream_consumer_name(p.consumer));
		reply_int(r, p.delivered_ms);
		reply_int(r, (int64_t)p.deliveries);
	}
}

static void reply_full_consumer(
	struct reply *r, const struct stream_group *g, struct stream_consumer *consumer, size_t count) {
	reply_map(r, 5);
	reply_cstr(r, "name");
	reply_slice(r, stream_consumer_name(consumer));
	reply_named_int(r, "seen-time", stream_consumer_seen_ms(consumer));
	reply_named_int(r, "active-time", stream_consumer_active_ms(consumer));
	reply_named_int(r, "pel-count", (int64_t)stream_consumer_pending(consumer));
	reply_cstr(r, "pending");
	reply_pending(r, g, consumer, count);
}

static void reply_full_group(struct reply *r, const struct stream *s, const struct stream_group *g, size_t count) {
	reply_map(r, 7);
	reply_cstr(r, "name");
	reply_slice(r, stream_group_name(g));
	reply_named_id(r, "last-delivered-id", stream_group_last_id(g));
	reply_read_and_lag(r, s, g);
	reply_named_int(r, "pel-count", (int64_t)stream_group_pending(g));
	reply_cstr(r, "pending");
	reply_pending(r, g, NULL, count);
	reply_cstr(r, "consumers");
	reply_array(r, stream_group_consumers(g));
	for (size_t i = 0; i < stream_group_consumers(g); i++) {
		reply_full_consumer(r, g, stream_consumer_at(g, i), count);
	}
}

/* `count`: entries and pending ones to show, of each. */
static void reply_full(struct reply *r, const struct stream *s, size_t count) {
	reply_map(r, STREAM_FIELDS + 2);
	reply_stream_fields(r, s);
	reply_cstr(r, "entries");
	stream_reply_range(r, s, STREAM_ID_MIN, STREAM_ID_MAX, STREAM_FORWARD, count);
	reply_cstr(r, "groups");
	reply_array(r, stream_groups(s));
	for (size_t i = 0; i < stream_groups(s); i++) reply_full_group(r, s, stream_group_at(s, i), count);
}

static void reply_brief(struct reply *r, const struct stream *s) {
	reply_map(r, STREAM_FIELDS + 3);
	reply_stream_fields(r, s);
	reply_named_int(r, "groups", (int64_t)stream_groups(s));
	reply_edge(r, s, "first-entry", STREAM_FORWARD);
	reply_edge(r, s, "last-entry", STREAM_BACKWARD);
}

void cmd_xinfo_stream(struct call *c) {
	const struct stream *s;
	int64_t count = FULL_COUNT;
	if (!find_stream(c, &s)) return;
	if (c->argc == 3) {
		reply_brief(c->reply, s);
		return;
	}
	if ((c->argc != 4 && c->argc != 6) || !call_word(c, 3, "FULL") || (c->argc == 6 && !call_word(c, 4, "COUNT"))) {
		reply_errorf(c->reply,
			"ERR unknown subcommand or wrong number of arguments for '%.*s'. Try XINFO HELP.",
			SLICE_FMT(c->argv[1]));
		return;
	}
	if (c->argc == 6 && !call_int(c, 5, &count, NULL)) return;
	if (count < 0) count = FULL_COUNT;
	reply_full(c->reply, s, count ? (size_t)count : SIZE_MAX);
}

/* ---- XINFO GROUPS, XINFO CONSUMERS ---- */

void cmd_xinfo_groups(struct call *c) {
	const struct stream *s;
	struct reply *r = c->reply;
	if (!find_stream(c, &s)) return;
	reply_array(r, stream_groups(s));
	for (size_t i = 0; i < stream_groups(s); i++) {
		const struct stream_group *g = stream_group_at(s, i);
		reply_map(r, 6);
		reply_cstr(r, "name");
		reply_slice(r, stream_group_name(g));
		reply_named_int(r, "consumers", (int64_t)stream_group_consumers(g));
		reply_named_int(r, "pending", (int64_t)stream_group_pending(g));
		reply_named_id(r, "last-delivered-id", stream_group_last_id(g));
		reply_read_and_lag(r, s, g);
	}
}

static void reply_consumer(struct call *c, const struct stream_consumer *consumer) {
	struct reply *r = c->reply;
	int64_t now_ms = c->view->now_ms, seen_ms = stream_consumer_seen_ms(consumer),
		active_ms = stream_consumer_active_ms(consumer);
	reply_map(r, 4);
	reply_cstr(r, "name");
	reply_slice(r, stream_consumer_name(consumer));
	reply_named_int(r, "pending", (int64_t)stream_consumer_pending(consumer));
	reply_named_int(r, "idle", now_ms > seen_ms ? now_ms - seen_ms : 0);
	reply_named_int(r, "inactive", active_ms < 0 ? active_ms : now_ms > active_ms ? now_ms - active_ms : 0);
}

void cmd_xinfo_consumers(struct call *c) {
	const struct stream *s;
	if (!find_stream(c, &s)) return;
	const struct stream_group *g = stream_group_find(s, c->argv[3]);
	if (!g) {
		reply_errorf(c->reply, ERR_STREAM_NO_GROUP_FMT, SLICE_FMT(c->argv[3]), SLICE_FMT(c->argv[2]));
		return;
	}
	reply_array(c->reply, stream_group_consumers(g));
	for (size_t i = 0; i < stream_group_consumers(g); i++) reply_consumer(c, stream_consumer_at(g, i));
}

void cmd_xinfo_help(struct call *c) {
	static const char *const lines[] = {
		"CONSUMERS <key> <group>",
		"    The group's consumers.",
		"GROUPS <key>",
		"    The stream's groups.",
		"STREAM <key> [FULL [COUNT <count>]]",
		"    The stream. FULL: with its first entries (10, or <count>, 0 for all) and all groups.",
		NULL,
	};
	reply_help(c->reply, "XINFO", lines);
}
