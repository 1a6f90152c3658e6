/* Streams: XADD, XLEN, XDEL, XDELEX, XTRIM, XSETID. Reading is in stream_read.c, groups are in stream_group.c. */
#include "commands/generated/command_handlers.h"

#include "base/alloc.h"
#include "commands/stream_common.h"

#define ERR_TWO_STRATEGIES "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"

/* ---- MAXLEN | MINID [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED] ---- */

enum {
	LIMIT_NODES = 100, /* of "~" without a LIMIT: so many nodes' entries */
	LIMIT_DEFAULT = 10000,
	LIMIT_MAX = 1000000,
};

struct trim_option {
	struct stream_trim trim;
	bool limit_given, references_given;
};

static bool read_threshold(struct call *c, unsigned arg, struct stream_trim *trim) {
	int64_t length;
	if (trim->by == STREAM_TRIM_MIN_ID) return stream_read_id(c, arg, &trim->min_id);
	if (!call_int(c, arg, &length, NULL)) return false;
	trim->length = (uint64_t)length;
	if (length >= 0) return true;
	reply_error(c->reply, "ERR The MAXLEN argument must be >= 0.");
	return false;
}

/* At *arg stands MAXLEN or MINID with something behind it; *arg moves to the last argument that belongs to it. */
static bool read_strategy(struct call *c, unsigned *arg, struct stream_trim *trim) {
	if (trim->by != STREAM_TRIM_NONE) {
		reply_error(c->reply, ERR_TWO_STRATEGIES);
		return false;
	}
	trim->by = call_word(c, *arg, "MAXLEN") ? STREAM_TRIM_LENGTH : STREAM_TRIM_MIN_ID;
	unsigned threshold = *arg + 1;
	bool has_more = *arg + 2 < c->argc;
	trim->nodes_only = has_more && call_word(c, threshold, "~");
	if (trim->nodes_only || (has_more && call_word(c, threshold, "="))) threshold++;
	*arg = threshold;
	return read_threshold(c, threshold, trim);
}

static bool read_limit(struct call *c, unsigned arg, struct trim_option *option) {
	int64_t limit;
	if (!call_int(c, arg, &limit, NULL)) return false;
	option->limit_given = true;
	option->trim.limit = (uint64_t)limit;
	if (limit >= 0) return true;
	reply_error(c->reply, "ERR The LIMIT argument must be >= 0.");
	return false;
}

enum option_answer { OPTION_TAKEN, OPTION_OTHER, OPTION_WRONG };

/* The option at *arg, which moves behind it. */
static enum option_answer take_trim_option(struct call *c, unsigned *arg, struct trim_option *option) {
	bool has_more = *arg + 1 < c->argc;
	if (has_more && (call_word(c, *arg, "MAXLEN") || call_word(c, *arg, "MINID"))) {
		if (!read_strategy(c, arg, &option->trim)) return OPTION_WRONG;
	} else if (has_more && call_word(c, *arg, "LIMIT")) {
		++*arg;
		if (!read_limit(c, *arg, option)) return OPTION_WRONG;
	} else if (!option->references_given && stream_references_word(c, *arg, &option->trim.references)) {
		option->references_given = true;
	} else {
		return OPTION_OTHER;
	}
	++*arg;
	return OPTION_TAKEN;
}

/* What can be told of the options only when all have been read. */
static bool finish_trim_option(struct call *c, struct trim_option *option, bool is_wanted) {
	struct stream_trim *trim = &option->trim;
	if (trim->limit > 0 && trim->by == STREAM_TRIM_NONE) {
		reply_error(c->reply, "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
		return false;
	}
	if (is_wanted && trim->by == STREAM_TRIM_NONE) {
		reply_error(c->reply, "ERR syntax error, XTRIM must be called with a trimming strategy");
		return false;
	}
	if (option->limit_given && !trim->nodes_only) {
		reply_error(c->reply, "ERR syntax error, LIMIT cannot be used without the special ~ option");
		return false;
	}
	if (trim->nodes_only && !option->limit_given) {
		size_t entries = store_limits(c->view)->stream_node_max_entries;
		trim->limit = entries ? LIMIT_NODES * entries : LIMIT_DEFAULT;
		if (trim->limit > LIMIT_MAX) trim->limit = LIMIT_MAX;
	}
	return true;
}

/* ---- XADD ---- */

struct add_args {
	struct trim_option trim;
	bool no_make;
	struct stream_id id;
	enum stream_id_form form;
	unsigned first_part; /* argument */
};

/* Options begin with one, IDs do not. */
static bool is_letter(struct slice word) {
	return word.len > 0 && (word.ptr[0] | 0x20) >= 'a' && (word.ptr[0] | 0x20) <= 'z';
}

static bool read_add_args(struct call *c, struct add_args *args) {
	unsigned arg = 2;
	*args = (struct add_args){ 0 };
	while (arg < c->argc && is_letter(c->argv[arg])) {
		enum option_answer answer = take_trim_option(c, &arg, &args->trim);
		if (answer == OPTION_WRONG) return false;
		if (answer == OPTION_TAKEN) continue;
		if (!call_word(c, arg, "NOMKSTREAM")) break;
		args->no_make = true;
		arg++;
	}
	if (arg < c->argc && !stream_parse_id(c->argv[arg], 0, &args->id, &args->form)) {
		reply_error(c->reply, ERR_STREAM_ID);
		return false;
	}
	if (!finish_trim_option(c, &args->trim, false)) return false;
	args->first_part = arg + 1;
	if (arg >= c->argc || c->argc - args->first_part < 2 || (c->argc - args->first_part) % 2 != 0) {
		reply_errorf(c->reply, "ERR wrong number of arguments for '%s' command", call_name(c));
		return false;
	}
	if (args->form == STREAM_ID_GIVEN && stream_id_is_zero(args->id)) {
		reply_error(c->reply, "ERR The ID specified in XADD must be greater than 0-0");
		return false;
	}
	return true;
}

static bool choose_id(struct call *c, const struct entry *e, struct add_args *args) {
	const struct stream_state *state = &stream_state_empty;
	size_t bytes = 0;
	if (e) {
		struct value value = entry_value(e);
		state = stream_state(stream_of(&value));
	}
	switch (stream_choose_id(state, args->form, c->view->now_ms, &args->id)) {
	case STREAM_ID_OK: break;
	case STREAM_ID_TOO_SMALL:
		reply_error(
			c->reply, "ERR The ID specified in XADD is equal or smaller than the target stream top item");
		return false;
	case STREAM_ID_EXHAUSTED:
		reply_error(c->reply, "ERR The stream has exhausted the last possible ID, unable to add more items");
		return false;
	}
	for (unsigned i = args->first_part; i < c->argc; i++) bytes += c->argv[i].len;
	if (stream_entry_fits(bytes, c->argc - args->first_part)) return true;
	reply_error(c->reply, "ERR Elements are too large to be stored");
	return false;
}

void cmd_xadd(struct call *c) {
	struct add_args args;
	struct entry *e;

	if (!read_add_args(c, &args)) return;
	struct key key = call_key(c, 1);
	if (!call_write_value(c, &key, VALUE_STREAM, &e)) return;
	if (!e && args.no_make) {
		reply_null(c->reply);
		return;
	}
	if (!choose_id(c, e, &args)) return;
	struct stream_change change;
	stream_change_open(c, &key, e, &change);
	stream_add(change.s, args.id, c->argv + args.first_part, c->argc - args.first_part, store_limits(c->view));
	stream_change_event(&change, "xadd", 1);
	if (args.trim.trim.by != STREAM_TRIM_NONE && stream_trim(change.s, &args.trim.trim) > 0) {
		stream_change_event(&change, "xtrim", 0);
	}
	stream_change_close(c, &change);
	stream_reply_id(c->reply, args.id);
}

/* ---- XLEN, XTRIM ---- */

void cmd_xlen(struct call *c) {
	struct value value;
	struct key key = call_key(c, 1);
	if (!call_read_value(c, &key, VALUE_STREAM, &value)) return;
	reply_int(c->reply, value.data ? (int64_t)stream_state(stream_of(&value))->length : 0);
}

void cmd_xtrim(struct call *c) {
	struct trim_option option = { 0 };
	struct entry *e;

	for (unsigned arg = 2; arg < c->argc;) {
		enum option_answer answer = take_trim_option(c, &arg, &option);
		if (answer == OPTION_OTHER) call_syntax_error(c);
		if (answer != OPTION_TAKEN) return;
	}
	if (!finish_trim_option(c, &option, true)) return;
	struct key key = call_key(c, 1);
	if (!call_write_value(c, &key, VALUE_STREAM, &e)) return;
	uint64_t deleted = 0;
	if (e) {
		struct stream_change change;
		stream_change_open(c, &key, e, &change);
		deleted = stream_trim(change.s, &option.trim);
		if (deleted > 0) stream_change_event(&change, "xtrim", deleted);
		stream_change_close(c, &change);
	}
	reply_int(c->reply, (int64_t)deleted);
}

/* ---- XDEL, XDELEX ---- */

void cmd_xdel(struct call *c) {
	struct entry *e;
	struct key key = call_key(c, 1);
	unsigned count = c->argc - 2;

	if (!call_write_value(c, &key, VALUE_STREAM, &e)) return;
	if (!e) {
		reply_int(c->reply, 0);
		return;
	}
	struct stream_id *ids = stream_read_ids(c, 2, count);
	if (!ids) return;
	struct stream_change change;
	stream_change_open(c, &key, e, &change);
	int64_t deleted = 0;
	for (unsigned i = 0; i < count; i++) {
		deleted += stream_delete(change.s, ids[i], STREAM_KEEP_REFERENCES) == STREAM_DELETED;
	}
	if (deleted > 0) stream_change_event(&change, "xdel", (uint64_t)deleted);
	stream_change_close(c, &change);
	mem_free(ids);
	reply_int(c->reply, deleted);
}

void cmd_xdelex(struct call *c) {
	static const int replies[] = {
		[STREAM_NOT_THERE] = -1, [STREAM_REFERENCES_DROPPED] = -1, [STREAM_DELETED] = 1, [STREAM_REFERENCED] = 2
	};
	struct stream_ids ids;
	struct entry *e;
	struct key key = call_key(c, 1);

	if (!call_write_value(c, &key, VALUE_STREAM, &e)) return;
	if (!stream_read_counted_ids(c, 2, &ids) || (e && !stream_parse_counted_ids(c, &ids))) return;
	struct stream_change change;
	if (e) stream_change_open(c, &key, e, &change);
	reply_array(c->reply, ids.count);
	for (unsigned i = 0; i < ids.count; i++) {
		enum stream_delete_answer answer = STREAM_NOT_THERE;
		if (e) answer = stream_delete(change.s, ids.ids[i], ids.references);
		if (answer == STREAM_DELETED) stream_change_event(&change, "xdel", 1);
		if (answer == STREAM_REFERENCES_DROPPED) stream_change_event(&change, "", 1);
		reply_int(c->reply, replies[answer]);
	}
	if (e) stream_change_close(c, &change);
	mem_free(ids.ids);
}

/* ---- XSETID ---- */

struct setid_args {
	struct stream_id last_id, max_deleted;
	int64_t added; /* -1: not given */
};

static bool read_setid_args(struct call *c, struct setid_args *args) {
	*args = (struct setid_args){ .added = -1 };
	if (!stream_read_id(c, 2, &args->last_id)) return false;
	for (unsigned arg = 3; arg < c->argc; arg += 2) {
		bool has_more = arg + 1 < c->argc;
		if (has_more && call_word(c, arg, "ENTRIESADDED")) {
			if (!call_int(c, arg + 1, &args->added, NULL)) return false;
			if (args->added >= 0) continue;
			reply_error(c->reply, "ERR entries_added must be positive");
			return false;
		}
		if (!has_more || !call_word(c, arg, "MAXDELETEDID")) {
			call_syntax_error(c);
			return false;
		}
		if (!stream_read_id(c, arg + 1, &args->max_deleted)) return false;
		if (stream_id_compare(args->last_id, args->max_deleted) < 0) {
			reply_error(c->reply,
				"ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
			return false;
		}
	}
	return true;
}

/* What is wrong with it for this stream, or NULL. */
static const char *setid_problem(const struct stream *s, const struct setid_args *args) {
	const struct stream_state *state = stream_state(s);
	struct stream_id top;
	if (stream_id_compare(args->last_id, state->max_deleted) < 0) {
		return "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
	}
	if (!stream_edge(s, STREAM_BACKWARD, &top)) return NULL;
	if (stream_id_compare(args->last_id, top) < 0) {
		return "ERR The ID specified in XSETID is smaller than the target stream top item";
	}
	if (args->added >= 0 && (uint64_t)args->added < state->length) {
		return "ERR The entries_added specified in XSETID is smaller than the target stream length";
	}
	return NULL;
}

void cmd_xsetid(struct call *c) {
	struct setid_args args;
	struct entry *e;

	if (!read_setid_args(c, &args)) return;
	struct key key = call_key(c, 1);
	if (!call_write_value(c, &key, VALUE_STREAM, &e)) return;
	if (!e) {
		reply_error(c->reply, ERR_NO_KEY);
		return;
	}
	struct stream_change change;
	stream_change_open(c, &key, e, &change);
	const char *problem = setid_problem(change.s, &args);
	if (!problem) {
		stream_set_last_id(change.s, args.last_id);
		if (args.added >= 0) stream_set_added(change.s, (uint64_t)args.added);
		if (!stream_id_is_zero(args.max_deleted)) stream_set_max_deleted(change.s, args.max_deleted);
		stream_change_event(&change, "xsetid", 1);
	}
	stream_change_close(c, &change);
	if (problem)
		reply_error(c->reply, problem);
	else
		reply_ok(c->reply);
}
