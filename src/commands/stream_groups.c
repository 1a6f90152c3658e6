/* Consumer groups: XGROUP, XACK, XACKDEL. What is pending in them: stream_claim.c. */
#include "commands/generated/command_handlers.h"

#include "base/alloc.h"
#include "commands/stream_common.h"

#define ERR_NEEDS_KEY                                                                                                  \
	"ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "  \
	"option to create an empty stream automatically."

/* ---- XGROUP ---- */

struct group_options {
	bool make;    /* MKSTREAM */
	int64_t read; /* ENTRIESREAD */
};

static bool read_entries_read(struct call *c, unsigned arg, int64_t *read) {
	if (!call_int(c, arg, read, NULL)) return false;
	if (*read >= STREAM_READ_UNKNOWN) return true;
	reply_error(c->reply, "ERR value for ENTRIESREAD must be positive or -1");
	return false;
}

static bool fail_options(struct call *c) {
	reply_errorf(c->reply, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try XGROUP HELP.",
		SLICE_FMT(c->argv[1]));
	return false;
}

/* An option may be given again; check_option_count tells when there are too many. */
static bool read_group_options(struct call *c, bool takes_make, struct group_options *options) {
	*options = (struct group_options){ .read = STREAM_READ_UNKNOWN };
	for (unsigned arg = 5; arg < c->argc; arg++) {
		if (takes_make && call_word(c, arg, "MKSTREAM")) {
			options->make = true;
		} else if (call_word(c, arg, "ENTRIESREAD") && arg + 1 < c->argc) {
			if (!read_entries_read(c, ++arg, &options->read)) return false;
		} else {
			return fail_options(c);
		}
	}
	return true;
}

/* No more arguments than each option once takes. As in Redis this comes after the look at the key. */
static bool check_option_count(struct call *c, bool takes_make) {
	unsigned most = takes_make ? 8 : 7;
	return c->argc <= most || fail_options(c);
}

/* The stream's entry; missing only with `may_make`. */
static bool find_stream(struct call *c, const struct key *key, bool may_make, struct entry **e) {
	if (!call_write_value(c, key, VALUE_STREAM, e)) return false;
	if (*e || may_make) return true;
	reply_error(c->reply, ERR_NEEDS_KEY);
	return false;
}

/* Opens the stream and finds its group; when there is none the change is closed and the error written. */
static bool open_group(struct call *c, const struct key *key, struct stream_change *change, struct stream_group **g) {
	struct entry *e;
	if (!find_stream(c, key, false, &e)) return false;
	stream_change_open(c, key, e, change);
	*g = stream_group_find(change->s, c->argv[3]);
	if (*g) return true;
	stream_change_close(c, change);
	reply_errorf(c->reply, ERR_STREAM_NO_GROUP_FMT, SLICE_FMT(c->argv[3]), SLICE_FMT(key_slice(key)));
	return false;
}

/* Argument 4: an ID, or "$" for the last one. */
static bool read_group_id(struct call *c, const struct stream_state *state, struct stream_id *id) {
	if (!slice_is(c->argv[4], "$")) return stream_read_id(c, 4, id);
	*id = state->last_id;
	return true;
}

/* XGROUP SETID alone also takes "-" and "+". */
static bool read_new_group_id(struct call *c, const struct stream_state *state, struct stream_id *id) {
	bool is_min = slice_is(c->argv[4], "-");
	if (!is_min && !slice_is(c->argv[4], "+")) return read_group_id(c, state, id);
	*id = is_min ? STREAM_ID_MIN : STREAM_ID_MAX;
	return true;
}

/* Nobody has read more entries than there ever were. */
static int64_t possible_read(const struct stream *s, int64_t read) {
	uint64_t added = stream_state(s)->added;
	return read >= 0 && (uint64_t)read > added ? (int64_t)added : read;
}

void cmd_xgroup_create(struct call *c) {
	struct group_options options;
	struct stream_id id;
	struct entry *e;

	if (!read_group_options(c, true, &options)) return;
	struct key key = call_key(c, 2);
	if (!find_stream(c, &key, options.make, &e) || !check_option_count(c, true)) return;
	const struct stream_state *state = &stream_state_empty;
	struct value value;
	if (e) {
		value = entry_value(e);
		state = stream_state(stream_of(&value));
	}
	if (!read_group_id(c, state, &id)) return;
	struct stream_change change;
	stream_change_open(c, &key, e, &change);
	int64_t read = possible_read(change.s, options.read);
	bool created = stream_group_create(change.s, c->argv[3], id, read) != NULL;
	if (created) stream_change_event(&change, "xgroup-create", 1);
	stream_change_close(c, &change);
	if (created)
		reply_ok(c->reply);
	else
		reply_error(c->reply, "BUSYGROUP Consumer Group name already exists");
}

void cmd_xgroup_setid(struct call *c) {
	struct group_options options;
	struct stream_change change;
	struct stream_group *g;
	struct stream_id id;

	if (!read_group_options(c, false, &options)) return;
	struct key key = call_key(c, 2);
	if (!open_group(c, &key, &change, &g)) return;
	bool ok = check_option_count(c, false) && read_new_group_id(c, stream_state(change.s), &id);
	if (ok) {
		stream_group_set(g, id, possible_read(change.s, options.read));
		stream_change_event(&change, "xgroup-setid", 1);
		reply_ok(c->reply);
	}
	stream_change_close(c, &change);
}

void cmd_xgroup_destroy(struct call *c) {
	struct entry *e;
	struct key key = call_key(c, 2);
	if (!find_stream(c, &key, false, &e)) return;
	struct stream_change change;
	stream_change_open(c, &key, e, &change);
	struct stream_group *g = stream_group_find(change.s, c->argv[3]);
	if (g) {
		stream_group_destroy(change.s, g);
		stream_change_event(&change, "xgroup-destroy", 1);
	}
	stream_change_close(c, &change);
	reply_int(c->reply, g != NULL);
}

void cmd_xgroup_createconsumer(struct call *c) {
	struct stream_change change;
	struct stream_group *g;
	struct key key = call_key(c, 2);
	if (!open_group(c, &key, &change, &g)) return;
	bool created = stream_consumer_create(change.s, g, c->argv[4], c->view->now_ms) != NULL;
	if (created) stream_change_event(&change, "xgroup-createconsumer", 1);
	stream_change_close(c, &change);
	reply_int(c->reply, created);
}

void cmd_xgroup_delconsumer(struct call *c) {
	struct stream_change change;
	struct stream_group *g;
	int64_t pending = 0;
	struct key key = call_key(c, 2);
	if (!open_group(c, &key, &change, &g)) return;
	struct stream_consumer *consumer = stream_consumer_find(g, c->argv[4]);
	if (consumer) {
		pending = (int64_t)stream_consumer_pending(consumer);
		stream_consumer_delete(change.s, g, consumer);
		stream_change_event(&change, "xgroup-delconsumer", 1);
	}
	stream_change_close(c, &change);
	reply_int(c->reply, pending);
}

void cmd_xgroup_help(struct call *c) {
	static const char *const lines[] = {
		"CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <n>]",
		"    A new group that is given what comes behind the ID; $ is the end of the stream.",
		"    MKSTREAM: makes an empty stream when there is none.",
		"    ENTRIESREAD: so many entries count as read already, for its lag.",
		"CREATECONSUMER <key> <group> <consumer>",
		"    A new consumer in the group.",
		"DELCONSUMER <key> <group> <consumer>",
		"    Removes the consumer and forgets what is pending with it.",
		"DESTROY <key> <group>",
		"    Removes the group.",
		"SETID <key> <group> <id|$> [ENTRIESREAD <n>]",
		"    Lets the group go on behind that ID.",
		NULL,
	};
	reply_help(c->reply, "XGROUP", lines);
}

/* ---- XACK, XACKDEL ---- */

/* The stream's entry, NULL when it or the group is missing. False: error written. */
static bool find_acked_group(struct call *c, const struct key *key, struct entry **e) {
	if (!call_read_write_value(c, key, VALUE_STREAM, e)) return false;
	if (!*e) return true;
	struct value value = entry_value(*e);
	if (!stream_group_find(stream_of(&value), c->argv[2])) *e = NULL;
	return true;
}

void cmd_xack(struct call *c) {
	struct stream_id inline_id;
	struct entry *e;
	struct key key = call_key(c, 1);
	unsigned count = c->argc - 3;

	if (!find_acked_group(c, &key, &e)) return;
	if (!e) {
		reply_int(c->reply, 0);
		return;
	}
	/* One ID is the usual case. */
	struct stream_id *ids = &inline_id;
	if (count > 1)
		ids = stream_read_ids(c, 3, count);
	else if (!stream_read_id(c, 3, &inline_id))
		ids = NULL;
	if (!ids) return;
	struct stream_change change;
	stream_change_open(c, &key, e, &change);
	struct stream_group *g = stream_group_find(change.s, c->argv[2]);
	int64_t acked = 0;
	for (unsigned i = 0; i < count; i++) acked += stream_pending_remove(change.s, g, ids[i]);
	if (acked > 0) stream_change_event(&change, "", (uint64_t)acked);
	stream_change_close(c, &change);
	if (ids != &inline_id) mem_free(ids);
	reply_int(c->reply, acked);
}

/* 1: acknowledged and no longer in the stream; 2: acknowledged, but other groups still need it; -1: was not pending. */
static int ack_and_delete(
	struct stream_change *change, struct stream_group *g, struct stream_id id, enum stream_references references) {
	if (!stream_pending_remove(change->s, g, id)) return -1;
	stream_change_event(change, "", 1);
	enum stream_delete_answer answer = stream_delete(change->s, id, references);
	if (answer == STREAM_DELETED) stream_change_event(change, "xdel", 0);
	return answer == STREAM_REFERENCED ? 2 : 1;
}

void cmd_xackdel(struct call *c) {
	struct stream_ids ids;
	struct entry *e;
	struct key key = call_key(c, 1);

	if (!find_acked_group(c, &key, &e)) return;
	if (!stream_read_counted_ids(c, 3, &ids) || (e && !stream_parse_counted_ids(c, &ids))) return;
	struct stream_change change;
	struct stream_group *g = NULL;
	if (e) {
		stream_change_open(c, &key, e, &change);
		g = stream_group_find(change.s, c->argv[2]);
	}
	reply_array(c->reply, ids.count);
	for (unsigned i = 0; i < ids.count; i++) {
		reply_int(c->reply, g ? ack_and_delete(&change, g, ids.ids[i], ids.references) : -1);
	}
	if (e) stream_change_close(c, &change);
	mem_free(ids.ids);
}
