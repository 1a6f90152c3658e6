/* Members by chance: SPOP and SRANDMEMBER. */
#include "commands/generated/command_handlers.h"

#include "commands/args.h"
#include "types/set.h"

static void answer_member(void *context, struct slice member) {
	reply_slice(context, member);
}

/* ---- SPOP ---- */

/* Removes `count` members of the set of `e`, answering each. */
static void pop(struct call *c, const struct key *key, struct entry *e, size_t count) {
	struct value set = entry_value(e);
	bool all = count >= set_count(&set);
	if (all) {
		set_each(&set, answer_member, c->reply);
		store_remove(c->view, key, e);
	} else {
		struct edit edit;
		store_open(c->view, key, e, VALUE_SET, &edit);
		set_pop(&edit.value, count, store_limits(c->view), answer_member, c->reply);
		store_close(c->view, key, &edit);
	}
	store_committed_many(c->view, key, EVENT_SET, "spop", count);
	if (all) store_event(c->view, key, EVENT_GENERIC, "del");
}

static void pop_many(struct call *c) {
	struct key key = call_key(c, 1);
	struct entry *e;
	int64_t count;

	if (!number_parse_i64(c->argv[2], &count) || count < 0) {
		reply_error(c->reply, ERR_NOT_POSITIVE);
		return;
	}
	if (!call_write_value(c, &key, VALUE_SET, &e)) return;
	if (!e || count == 0) {
		reply_set(c->reply, 0);
		return;
	}
	struct value set = entry_value(e);
	size_t members = set_count(&set), popped = (uint64_t)count < members ? (size_t)count : members;
	reply_set(c->reply, popped);
	pop(c, &key, e, popped);
}

void cmd_spop(struct call *c) {
	struct key key;
	struct entry *e;

	if (c->argc > 3) {
		call_syntax_error(c);
		return;
	}
	if (c->argc == 3) {
		pop_many(c);
		return;
	}
	key = call_key(c, 1);
	if (!call_write_value(c, &key, VALUE_SET, &e)) return;
	if (e) {
		pop(c, &key, e, 1);
	} else {
		reply_null(c->reply);
	}
}

/* ---- SRANDMEMBER ---- */

struct draws {
	struct reply *reply;
	size_t end; /* where the reply ends at the latest */
};

static bool answer_draw(void *context, struct slice member) {
	const struct draws *d = context;
	reply_slice(d->reply, member);
	return d->reply->out->len <= d->end;
}

/* A client can ask for any number of members of a small set; proto-max-bulk-len is where it ends. What must become too long,
 * however short the members are, is not begun. */
static void answer_draws(struct call *c, const struct value *set, size_t count) {
	enum { MEMBER_BYTES_MIN = 6 };
	size_t before = c->reply->out->len, room = call_max_string(c);
	struct draws d = { c->reply, before + room };
	bool fits = count <= room / MEMBER_BYTES_MIN;
	if (fits) {
		reply_array(c->reply, count);
		fits = set_draw(set, count, answer_draw, &d);
	}
	if (fits) return;
	c->reply->out->len = before;
	reply_error(c->reply, ERR_REPLY_TOO_LONG);
}

static void random_members(struct call *c) {
	struct key key = call_key(c, 1);
	struct value set;
	int64_t count;

	if (!call_int(c, 2, &count, NULL)) return;
	if (count == INT64_MIN) {
		reply_error(c->reply, ERR_NOT_LONG);
		return;
	}
	if (!call_read_value(c, &key, VALUE_SET, &set)) return;
	if (!set.data || count == 0) {
		reply_array(c->reply, 0);
	} else if (count < 0) {
		answer_draws(c, &set, (size_t)-count);
	} else {
		size_t members = set_count(&set);
		reply_array(c->reply, (uint64_t)count < members ? (size_t)count : members);
		set_sample(&set, (size_t)count, answer_member, c->reply);
	}
}

void cmd_srandmember(struct call *c) {
	struct key key;
	struct value set;

	if (c->argc > 3) {
		call_syntax_error(c);
		return;
	}
	if (c->argc == 3) {
		random_members(c);
		return;
	}
	key = call_key(c, 1);
	if (!call_read_value(c, &key, VALUE_SET, &set)) return;
	if (set.data) {
		set_sample(&set, 1, answer_member, c->reply);
	} else {
		reply_null(c->reply);
	}
}
