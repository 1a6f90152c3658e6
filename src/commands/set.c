/* Sets, one member after the other: SADD, SREM, SISMEMBER, SMISMEMBER, SCARD, SMEMBERS, SMOVE, SSCAN. */
#include "commands/generated/command_handlers.h"

#include "commands/args.h"
#include "types/set.h"

/* In a pipeline of requests for one large set, their cache misses overlap instead of following each other. */
static void fetch_coming(struct call *c, const struct value *set) {
	struct slice members[SET_PREFETCH_MAX];
	if (set->encoding != SET_TABLE) return;
	unsigned count = call_row(c, 2, members, SET_PREFETCH_MAX);
	if (count > 1) set_prefetch(set, members, count);
}

/* ---- Changing ---- */

void cmd_sadd(struct call *c) {
	struct key key = call_key(c, 1);
	struct entry *e;
	struct edit edit;
	size_t added;

	if (!call_write_value(c, &key, VALUE_SET, &e)) return;
	store_open(c->view, &key, e, VALUE_SET, &edit);
	fetch_coming(c, &edit.value);
	bool ok = set_add(&edit.value, c->argv + 2, c->argc - 2, store_limits(c->view), &added);
	store_close(c->view, &key, &edit);
	if (added > 0) store_committed_many(c->view, &key, EVENT_SET, "sadd", added);
	if (ok) {
		reply_int(c->reply, (int64_t)added);
	} else {
		reply_error(c->reply, ERR_NO_MEMORY);
	}
}

/* Removes members of the set of `e`; how many were there. */
static size_t remove_members(
	struct call *c, const struct key *key, struct entry *e, const struct slice *members, size_t count) {
	struct edit edit;
	store_open(c->view, key, e, VALUE_SET, &edit);
	fetch_coming(c, &edit.value);
	size_t removed = set_remove(&edit.value, members, count);
	bool there = store_close(c->view, key, &edit);
	if (removed > 0) store_committed_many(c->view, key, EVENT_SET, "srem", removed);
	if (!there) store_event(c->view, key, EVENT_GENERIC, "del");
	return removed;
}

void cmd_srem(struct call *c) {
	struct key key = call_key(c, 1);
	struct entry *e;

	if (!call_write_value(c, &key, VALUE_SET, &e)) return;
	reply_int(c->reply, e ? (int64_t)remove_members(c, &key, e, c->argv + 2, c->argc - 2) : 0);
}

/* Adds before it removes, so that without memory nothing is lost; the events come in Redis's order all the same. */
static void move(struct call *c, const struct key *from, struct entry *from_entry, const struct key *to,
	struct entry *to_entry, struct slice member) {
	struct edit edit;
	size_t added;

	store_open(c->view, to, to_entry, VALUE_SET, &edit);
	bool ok = set_add(&edit.value, &member, 1, store_limits(c->view), &added);
	if (ok) remove_members(c, from, from_entry, &member, 1);
	store_close(c->view, to, &edit);
	if (!ok) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	if (added > 0) store_committed(c->view, to, EVENT_SET, "sadd");
	reply_int(c->reply, 1);
}

void cmd_smove(struct call *c) {
	struct key from = call_key(c, 1), to = call_key(c, 2);
	struct slice member = c->argv[3];
	struct entry *from_entry = store_find_write(c->view, &from), *to_entry;

	if (!from_entry) {
		reply_int(c->reply, 0);
		return;
	}
	if (entry_type(from_entry) != VALUE_SET) {
		reply_error(c->reply, ERR_WRONGTYPE);
		return;
	}
	if (!call_write_value(c, &to, VALUE_SET, &to_entry)) return;
	struct value source = entry_value(from_entry);
	if (!set_has(&source, member)) {
		reply_int(c->reply, 0);
	} else if (from_entry == to_entry) {
		reply_int(c->reply, 1);
	} else {
		move(c, &from, from_entry, &to, to_entry, member);
	}
}

/* ---- Reading ---- */

void cmd_sismember(struct call *c) {
	struct key key = call_key(c, 1);
	struct value set;

	if (!call_read_value(c, &key, VALUE_SET, &set)) return;
	if (set.data) fetch_coming(c, &set);
	reply_int(c->reply, set.data && set_has(&set, c->argv[2]));
}

void cmd_smismember(struct call *c) {
	enum { BATCH = 64 };
	struct key key = call_key(c, 1);
	struct value set;
	bool answers[BATCH] = { false };

	if (!call_read_value(c, &key, VALUE_SET, &set)) return;
	reply_array(c->reply, c->argc - 2);
	for (unsigned arg = 2, count; arg < c->argc; arg += count) {
		count = c->argc - arg < BATCH ? c->argc - arg : BATCH;
		if (set.data) set_has_many(&set, c->argv + arg, count, answers);
		for (unsigned i = 0; i < count; i++) reply_int(c->reply, answers[i]);
	}
}

void cmd_scard(struct call *c) {
	struct key key = call_key(c, 1);
	struct value set;

	if (!call_read_value(c, &key, VALUE_SET, &set)) return;
	reply_int(c->reply, set.data ? (int64_t)set_count(&set) : 0);
}

static void answer_member(void *context, struct slice member) {
	reply_slice(context, member);
}

void cmd_smembers(struct call *c) {
	struct key key = call_key(c, 1);
	struct value set;

	if (!call_read_value(c, &key, VALUE_SET, &set)) return;
	reply_set(c->reply, set.data ? set_count(&set) : 0);
	if (set.data) set_each(&set, answer_member, c->reply);
}

struct scan {
	struct reply *reply;
	struct scan_options options;
	struct buffer found; /* elements of a reply whose head is still to come */
	size_t count;
};

static void answer_wanted(void *context, struct slice member) {
	struct scan *s = context;
	if (!args_scan_wants(&s->options, member)) return;
	reply_slice(s->reply, member);
	s->count++;
}

/* The next cursor comes before the members, so these are written to a buffer of their own first. */
void cmd_sscan(struct call *c) {
	struct key key = call_key(c, 1);
	struct value set;
	uint64_t cursor;
	struct scan s = { 0 };

	if (!args_cursor(c, 2, &cursor) || !call_read_value(c, &key, VALUE_SET, &set)) return;
	if (!set.data) {
		args_scan_reply(c, 0);
		reply_array(c->reply, 0);
		return;
	}
	if (!args_scan_options(c, 3, 0, &s.options)) return;
	struct reply found = { .out = &s.found, .proto = c->reply->proto };
	s.reply = &found;
	cursor = set_scan(&set, cursor, s.options.count, answer_wanted, &s);
	args_scan_reply(c, cursor);
	reply_array(c->reply, s.count);
	buffer_append_slice(c->reply->out, buffer_slice(&s.found));
	buffer_release(&s.found);
}
