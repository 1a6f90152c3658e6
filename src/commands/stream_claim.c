/* Pending entries: XPENDING, XCLAIM, XAUTOCLAIM. */
#include "commands/generated/command_handlers.h"

#include "base/alloc.h"
#include "commands/stream_common.h"

static void fail_no_group(struct call *c, const struct key *key) {
	reply_errorf(c->reply, ERR_STREAM_NO_KEY_OR_GROUP_FMT, SLICE_FMT(key_slice(key)), SLICE_FMT(c->argv[2]));
}

static int64_t idle_ms(const struct call *c, const struct stream_pending *p) {
	return c->view->now_ms > p->delivered_ms ? c->view->now_ms - p->delivered_ms : 0;
}

/* ---- XPENDING ---- */

struct pending_args {
	bool extended;
	int64_t min_idle_ms;
	struct stream_id first, last;
	int64_t count;
	const struct slice *consumer; /* NULL: all */
};

static bool read_pending_args(struct call *c, struct pending_args *args) {
	*args = (struct pending_args){ .extended = c->argc > 3 };
	if (!args->extended) return true;
	if (c->argc < 6 || c->argc > 9) {
		call_syntax_error(c);
		return false;
	}
	unsigned first = 3;
	if (call_word(c, 3, "IDLE")) {
		if (!call_int(c, 4, &args->min_idle_ms, NULL)) return false;
		if (c->argc < 8) {
			call_syntax_error(c);
			return false;
		}
		first = 5;
	}
	if (!call_int(c, first + 2, &args->count, NULL)) return false;
	if (!stream_read_start(c, first, &args->first) || !stream_read_end(c, first + 1, &args->last)) return false;
	if (first + 3 < c->argc) args->consumer = &c->argv[first + 3];
	return true;
}

static void reply_consumers(struct reply *r, const struct stream_group *g) {
	size_t begin = reply_begin(r), written = 0;
	for (size_t i = 0; i < stream_group_consumers(g); i++) {
		const struct stream_consumer *consumer = stream_consumer_at(g, i);
		if (stream_consumer_pending(consumer) == 0) continue;
		reply_array(r, 2);
		reply_slice(r, stream_consumer_name(consumer));
		reply_bulk_int(r, (int64_t)stream_consumer_pending(consumer));
		written++;
	}
	reply_end(r, begin, REPLY_ARRAY, written);
}

static void reply_summary(struct reply *r, const struct stream_group *g) {
	struct stream_pending first, last;
	reply_array(r, 4);
	reply_int(r, (int64_t)stream_group_pending(g));
	if (!stream_pending_edges(g, &first, &last)) {
		reply_null(r);
		reply_null(r);
		reply_null_array(r);
		return;
	}
	stream_reply_id(r, first.id);
	stream_reply_id(r, last.id);
	reply_consumers(r, g);
}

static void reply_details(struct call *c, const struct stream_group *g, const struct pending_args *args) {
	struct reply *r = c->reply;
	struct stream_consumer *consumer = args->consumer ? stream_consumer_find(g, *args->consumer) : NULL;
	struct stream_pending_iter it;
	struct stream_pending p;
	int64_t written = 0;
	if (args->consumer && !consumer) {
		reply_array(r, 0);
		return;
	}
	size_t begin = reply_begin(r);
	stream_pending_begin(&it, g, consumer, args->first);
	while (written < args->count && stream_pending_next(&it, &p)) {
		if (stream_id_compare(p.id, args->last) > 0) break;
		if (idle_ms(c, &p) < args->min_idle_ms) continue;
		reply_array(r, 4);
		stream_reply_id(r, p.id);
		reply_slice(r, stream_consumer_name(p.consumer));
		reply_int(r, idle_ms(c, &p));
		reply_int(r, (int64_t)p.deliveries);
		written++;
	}
	reply_end(r, begin, REPLY_ARRAY, (size_t)written);
}

void cmd_xpending(struct call *c) {
	struct pending_args args;
	struct value value;
	if (!read_pending_args(c, &args)) return;
	struct key key = call_key(c, 1);
	if (!call_read_value(c, &key, VALUE_STREAM, &value)) return;
	const struct stream_group *g = value.data ? stream_group_find(stream_of(&value), c->argv[2]) : NULL;
	if (!g)
		fail_no_group(c, &key);
	else if (args.extended)
		reply_details(c, g, &args);
	else
		reply_summary(c->reply, g);
}

/* ---- XCLAIM, XAUTOCLAIM: who gets the entries ---- */

struct claimer {
	struct stream_change change;
	struct stream_group *group;
	struct stream_consumer *consumer;
	bool just_ids;
	int64_t now_ms;
};

/* Whether that is a stream with the group; the error is written when not. */
static bool check_claimed_group(struct call *c, const struct key *key, const struct entry *e) {
	if (e && entry_type(e) != VALUE_STREAM) {
		reply_error(c->reply, ERR_WRONGTYPE);
		return false;
	}
	if (e) {
		struct value value = entry_value(e);
		if (stream_group_find(stream_of(&value), c->argv[2])) return true;
	}
	fail_no_group(c, key);
	return false;
}

static void claimer_open(
	struct call *c, const struct key *key, struct entry *e, bool just_ids, struct claimer *claimer) {
	stream_change_open(c, key, e, &claimer->change);
	struct stream *s = claimer->change.s;
	claimer->just_ids = just_ids;
	claimer->now_ms = c->view->now_ms;
	claimer->group = stream_group_find(s, c->argv[2]);
	claimer->consumer = stream_consumer_find(claimer->group, c->argv[3]);
	if (!claimer->consumer) {
		claimer->consumer = stream_consumer_create(s, claimer->group, c->argv[3], claimer->now_ms);
		stream_change_event(&claimer->change, "xgroup-createconsumer", 1);
	}
	stream_consumer_seen(claimer->consumer, claimer->now_ms);
}

/* The entry is the consumer's now, as *p says otherwise; writes it. */
static void claim(struct reply *r, struct claimer *claimer, struct stream_pending *p) {
	p->consumer = claimer->consumer;
	stream_pending_put(claimer->change.s, claimer->group, p);
	stream_consumer_active(claimer->consumer, claimer->now_ms);
	stream_change_event(&claimer->change, "", 1);
	if (claimer->just_ids)
		stream_reply_id(r, p->id);
	else
		stream_reply_entry_of(r, claimer->change.s, p->id);
}

/* ---- XCLAIM ---- */

struct claim_args {
	int64_t min_idle_ms;
	int64_t delivered_ms;
	int64_t deliveries; /* -1: not given */
	bool force, just_ids;
	bool last_id_given;
	struct stream_id last_id;
	struct stream_id *ids; /* to be freed */
	unsigned count;
};

/* The arguments that are IDs; what follows is options. */
static void read_claimed_ids(struct call *c, struct claim_args *args) {
	args->ids = mem_alloc((c->argc - 5) * sizeof(args->ids[0]));
	for (unsigned arg = 5; arg < c->argc; arg++) {
		if (!stream_parse_id(c->argv[arg], 0, &args->ids[args->count], NULL)) return;
		args->count++;
	}
}

enum claim_option { CLAIM_TAKEN, CLAIM_UNKNOWN, CLAIM_WRONG };

static enum claim_option take_number(struct call *c, unsigned arg, const char *name, int64_t *number) {
	if (number_parse_i64(c->argv[arg], number)) return CLAIM_TAKEN;
	reply_errorf(c->reply, "ERR Invalid %s option argument for XCLAIM", name);
	return CLAIM_WRONG;
}

static enum claim_option take_claim_option(struct call *c, unsigned *arg, struct claim_args *args) {
	unsigned at = *arg, value = at + 1;
	bool has_more = value < c->argc;
	if (call_word(c, at, "FORCE")) {
		args->force = true;
		return CLAIM_TAKEN;
	}
	if (call_word(c, at, "JUSTID")) {
		args->just_ids = true;
		return CLAIM_TAKEN;
	}
	if (!has_more) return CLAIM_UNKNOWN;
	*arg = value;
	if (call_word(c, at, "IDLE")) {
		int64_t idle;
		enum claim_option answer = take_number(c, value, "IDLE", &idle);
		if (answer == CLAIM_TAKEN && __builtin_sub_overflow(c->view->now_ms, idle, &args->delivered_ms)) {
			args->delivered_ms = c->view->now_ms;
		}
		return answer;
	}
	if (call_word(c, at, "TIME")) return take_number(c, value, "TIME", &args->delivered_ms);
	if (call_word(c, at, "RETRYCOUNT")) return take_number(c, value, "RETRYCOUNT", &args->deliveries);
	if (!call_word(c, at, "LASTID")) return CLAIM_UNKNOWN;
	args->last_id_given = true;
	return stream_read_id(c, value, &args->last_id) ? CLAIM_TAKEN : CLAIM_WRONG;
}

/* Frees what it has taken when it fails. */
static bool read_claim_args(struct call *c, struct claim_args *args) {
	*args = (struct claim_args){ .delivered_ms = c->view->now_ms, .deliveries = -1 };
	if (!call_int(c, 4, &args->min_idle_ms, "ERR Invalid min-idle-time argument for XCLAIM")) return false;
	read_claimed_ids(c, args);
	for (unsigned arg = 5 + args->count; arg < c->argc; arg++) {
		unsigned at = arg;
		enum claim_option answer = take_claim_option(c, &arg, args);
		if (answer == CLAIM_TAKEN) continue;
		if (answer == CLAIM_UNKNOWN)
			reply_errorf(c->reply, "ERR Unrecognized XCLAIM option '%.*s'", SLICE_FMT(c->argv[at]));
		mem_free(args->ids);
		return false;
	}
	/* A delivery that is yet to come is one of now. */
	if (args->delivered_ms < 0 || args->delivered_ms > c->view->now_ms) args->delivered_ms = c->view->now_ms;
	return true;
}

/* Whether the entry was claimed and written. */
static bool claim_one(struct call *c, struct claimer *claimer, const struct claim_args *args, struct stream_id id) {
	struct stream *s = claimer->change.s;
	struct stream_pending p;
	bool pending = stream_pending_find(claimer->group, id, &p);

	if (!pending && !args->force) return false;
	if (!stream_has(s, id)) {
		if (stream_pending_remove(s, claimer->group, id)) stream_change_event(&claimer->change, "", 1);
		return false;
	}
	if (!pending)
		p = (struct stream_pending){ .id = id, .deliveries = 1 };
	else if (args->min_idle_ms > 0 && c->view->now_ms - p.delivered_ms < args->min_idle_ms)
		return false;
	p.delivered_ms = args->delivered_ms;
	if (args->deliveries >= 0)
		p.deliveries = (uint64_t)args->deliveries;
	else if (!args->just_ids)
		p.deliveries++;
	claim(c->reply, claimer, &p);
	return true;
}

void cmd_xclaim(struct call *c) {
	struct claim_args args;
	struct key key = call_key(c, 1);
	struct entry *e = store_find_read_write(c->view, &key);

	if (!check_claimed_group(c, &key, e)) return;
	if (!read_claim_args(c, &args)) return;
	struct claimer claimer;
	claimer_open(c, &key, e, args.just_ids, &claimer);
	bool raised = args.last_id_given && stream_group_raise(claimer.group, args.last_id);
	size_t begin = reply_begin(c->reply), claimed = 0;
	for (unsigned i = 0; i < args.count; i++) claimed += claim_one(c, &claimer, &args, args.ids[i]);
	reply_end(c->reply, begin, REPLY_ARRAY, claimed);
	/* What is claimed tells of the last ID as well. */
	if (raised) stream_change_event(&claimer.change, "", claimed == 0);
	stream_change_close(c, &claimer.change);
	mem_free(args.ids);
}

/* ---- XAUTOCLAIM ---- */

enum {
	AUTOCLAIM_COUNT = 100, /* when not given */
	/* For each one that may be claimed so many are looked at. */
	AUTOCLAIM_LOOKS = 10,
};
#define AUTOCLAIM_COUNT_MAX (INT64_MAX / 16)

struct autoclaim_args {
	int64_t min_idle_ms;
	struct stream_id start;
	int64_t count;
	bool just_ids;
};

static bool read_autoclaim_args(struct call *c, struct autoclaim_args *args) {
	*args = (struct autoclaim_args){ .count = AUTOCLAIM_COUNT };
	if (!call_int(c, 4, &args->min_idle_ms, "ERR Invalid min-idle-time argument for XAUTOCLAIM")) return false;
	if (!stream_read_start(c, 5, &args->start)) return false;
	for (unsigned arg = 6; arg < c->argc; arg++) {
		if (call_word(c, arg, "COUNT") && arg + 1 < c->argc) {
			if (!number_parse_i64(c->argv[++arg], &args->count) || args->count < 1 ||
				args->count > AUTOCLAIM_COUNT_MAX) {
				reply_error(c->reply, "ERR COUNT must be > 0");
				return false;
			}
		} else if (call_word(c, arg, "JUSTID")) {
			args->just_ids = true;
		} else {
			call_syntax_error(c);
			return false;
		}
	}
	return true;
}

/* IDs that are pending but no longer in the stream, for the reply's end. */
struct gone {
	struct stream_id *ids;
	size_t count, room;
};

static void keep_gone(struct gone *gone, struct stream_id id) {
	if (gone->count == gone->room) {
		gone->room = gone->room ? gone->room * 2 : 16;
		gone->ids = mem_realloc(gone->ids, gone->room * sizeof(gone->ids[0]));
	}
	gone->ids[gone->count++] = id;
}

/* Claims from args->start on; *next is where to go on, 0-0 at the end. Returns how many it has written. */
static size_t claim_range(struct call *c, struct claimer *claimer, const struct autoclaim_args *args, struct gone *gone,
	struct stream_id *next) {
	struct stream *s = claimer->change.s;
	struct stream_pending_iter it;
	struct stream_pending p;
	int64_t looks = args->count <= INT64_MAX / AUTOCLAIM_LOOKS ? args->count * AUTOCLAIM_LOOKS : INT64_MAX;
	int64_t left = args->count;
	size_t claimed = 0;

	stream_pending_begin(&it, claimer->group, NULL, args->start);
	for (; looks > 0 && left > 0 && stream_pending_next(&it, &p); looks--) {
		if (!stream_has(s, p.id)) {
			keep_gone(gone, p.id);
			stream_pending_remove(s, claimer->group, p.id);
			stream_change_event(&claimer->change, "", 1);
			stream_pending_begin(&it, claimer->group, NULL, p.id);
			left--;
			continue;
		}
		if (args->min_idle_ms > 0 && c->view->now_ms - p.delivered_ms < args->min_idle_ms) continue;
		p.delivered_ms = c->view->now_ms;
		if (!args->just_ids) p.deliveries++;
		claim(c->reply, claimer, &p);
		claimed++;
		left--;
	}
	*next = stream_pending_next(&it, &p) ? p.id : STREAM_ID_MIN;
	return claimed;
}

void cmd_xautoclaim(struct call *c) {
	struct autoclaim_args args;
	struct reply *r = c->reply;
	struct key key = call_key(c, 1);
	/* The key counts as looked for, whatever the arguments are. */
	struct entry *e = store_find_read_write(c->view, &key);

	if (!read_autoclaim_args(c, &args) || !check_claimed_group(c, &key, e)) return;
	struct claimer claimer;
	claimer_open(c, &key, e, args.just_ids, &claimer);

	/* The cursor comes first and is known last. */
	struct gone gone = { 0 };
	struct buffer claimed = { 0 };
	struct reply part = *r;
	struct stream_id next;
	part.out = &claimed;
	c->reply = &part;
	size_t begin = reply_begin(&part);
	reply_end(&part, begin, REPLY_ARRAY, claim_range(c, &claimer, &args, &gone, &next));
	c->reply = r;

	reply_array(r, 3);
	stream_reply_id(r, next);
	buffer_append_slice(r->out, buffer_slice(&claimed));
	reply_array(r, gone.count);
	for (size_t i = 0; i < gone.count; i++) stream_reply_id(r, gone.ids[i]);
	buffer_release(&claimed);
	mem_free(gone.ids);
	stream_change_close(c, &claimer.change);
}
