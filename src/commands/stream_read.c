/* Reading streams: XRANGE, XREVRANGE, XREAD, XREADGROUP. */
#include "commands/generated/command_handlers.h"

#include "base/alloc.h"
#include "commands/stream_common.h"
#include "server/blocking.h"

/* ---- XRANGE, XREVRANGE ---- */

static bool read_range_count(struct call *c, int64_t *count) {
	*count = -1;
	for (unsigned arg = 4; arg < c->argc; arg += 2) {
		if (arg + 1 >= c->argc || !call_word(c, arg, "COUNT")) {
			call_syntax_error(c);
			return false;
		}
		if (!call_int(c, arg + 1, count, NULL)) return false;
		if (*count < 0) *count = 0;
	}
	return true;
}

static void answer_range(struct call *c, enum stream_direction direction) {
	struct stream_id first, last;
	struct value value;
	int64_t count;
	unsigned first_arg = direction == STREAM_FORWARD ? 2 : 3;

	if (!stream_read_start(c, first_arg, &first) || !stream_read_end(c, 5 - first_arg, &last)) return;
	if (!read_range_count(c, &count)) return;
	struct key key = call_key(c, 1);
	if (!call_read_value(c, &key, VALUE_STREAM, &value)) return;
	if (!value.data)
		reply_array(c->reply, 0);
	else if (count == 0)
		reply_null_array(c->reply);
	else
		stream_reply_range(
			c->reply, stream_of(&value), first, last, direction, count < 0 ? UINT64_MAX : (uint64_t)count);
}

void cmd_xrange(struct call *c) {
	answer_range(c, STREAM_FORWARD);
}

void cmd_xrevrange(struct call *c) {
	answer_range(c, STREAM_BACKWARD);
}

/* ---- XREAD, XREADGROUP: the arguments ---- */

/* What is wanted of one stream. */
struct wanted {
	enum {
		WANT_BEHIND,  /* entries behind `id` */
		WANT_LAST,    /* the last entry: + */
		WANT_NEW,     /* what the group has not delivered: > */
		WANT_PENDING, /* what is pending with the consumer, behind `id` */
	} kind;
	struct stream_id id;
};

struct read_args {
	bool in_group;
	struct slice group, consumer;
	bool no_ack;
	bool blocks;
	int64_t timeout_ms;
	uint64_t count;     /* entries per stream, at most */
	unsigned first_key; /* argument; the IDs follow the keys */
	unsigned streams;   /* so many keys and IDs */
};

/* The key specs find the keys behind the first STREAMS from there on. A consumer of that name must not make us look
 * elsewhere, at keys whose gates are not held. */
static bool is_first_streams(const struct call *c, unsigned arg, unsigned from) {
	for (unsigned i = from; i < arg; i++) {
		if (call_word(c, i, "STREAMS")) return false;
	}
	return arg >= from;
}

static bool read_streams(struct call *c, unsigned arg, struct read_args *args, bool is_group_command) {
	unsigned count = c->argc - arg - 1;
	if (!is_first_streams(c, arg, is_group_command && args->in_group ? 4 : 1)) {
		call_syntax_error(c);
		return false;
	}
	if (count % 2 != 0) {
		reply_errorf(c->reply,
			"ERR Unbalanced '%s' list of streams: for each stream key an ID%s must be specified.",
			call_name(c), is_group_command ? " or '>'" : ", '+', or '$'");
		return false;
	}
	args->first_key = arg + 1;
	args->streams = count / 2;
	return true;
}

static bool read_block(struct call *c, unsigned arg, struct read_args *args) {
	if (!call_int(c, arg, &args->timeout_ms, "ERR timeout is not an integer or out of range")) return false;
	args->blocks = true;
	if (args->timeout_ms < 0)
		reply_error(c->reply, "ERR timeout is negative");
	else if (args->timeout_ms > INT64_MAX - c->view->now_ms)
		reply_error(c->reply, "ERR timeout is out of range");
	else
		return true;
	return false;
}

static bool read_count(struct call *c, unsigned arg, struct read_args *args) {
	int64_t count;
	if (!call_int(c, arg, &count, NULL)) return false;
	args->count = count > 0 ? (uint64_t)count : UINT64_MAX;
	return true;
}

static bool refuse_group_option(struct call *c, bool is_group_command, const char *option) {
	if (is_group_command) return false;
	reply_errorf(c->reply, "ERR The %s option is only supported by XREADGROUP. You called XREAD instead.", option);
	return true;
}

static bool read_args(struct call *c, bool is_group_command, struct read_args *args) {
	*args = (struct read_args){ .count = UINT64_MAX };
	for (unsigned arg = 1; arg < c->argc && args->first_key == 0; arg++) {
		bool has_more = arg + 1 < c->argc;
		if (has_more && call_word(c, arg, "BLOCK")) {
			if (!read_block(c, ++arg, args)) return false;
		} else if (has_more && call_word(c, arg, "COUNT")) {
			if (!read_count(c, ++arg, args)) return false;
		} else if (has_more && call_word(c, arg, "STREAMS")) {
			if (!read_streams(c, arg, args, is_group_command)) return false;
		} else if (arg + 2 < c->argc && call_word(c, arg, "GROUP")) {
			if (refuse_group_option(c, is_group_command, "GROUP")) return false;
			args->in_group = true;
			args->group = c->argv[++arg];
			args->consumer = c->argv[++arg];
		} else if (call_word(c, arg, "NOACK")) {
			if (refuse_group_option(c, is_group_command, "NOACK")) return false;
			args->no_ack = true;
		} else {
			call_syntax_error(c);
			return false;
		}
	}
	if (args->first_key == 0) {
		call_syntax_error(c);
		return false;
	}
	if (args->in_group || !is_group_command) return true;
	reply_error(c->reply, "ERR Missing GROUP option for XREADGROUP");
	return false;
}

/* "$" and "+" in a group; the sign stands in the sentence twice. */
static bool refuse_sign(struct call *c, char sign) {
	reply_errorf(c->reply,
		"ERR The %c ID is meaningless in the context of XREADGROUP: you want to read the history of this "
		"consumer "
		"by specifying a proper ID, or use the > ID to get new messages. The %c ID would just return an empty "
		"result "
		"set.",
		sign, sign);
	return false;
}

/* The ID argument of a stream (NULL: the key is missing). */
static bool read_wanted(struct call *c, unsigned arg, const struct stream *s, bool in_group, struct wanted *wanted) {
	struct slice text = c->argv[arg];
	*wanted = (struct wanted){ .kind = in_group ? WANT_PENDING : WANT_BEHIND };
	if (slice_is(text, "$")) {
		if (in_group) return refuse_sign(c, '$');
		if (s) wanted->id = stream_state(s)->last_id;
		return true;
	}
	if (slice_is(text, "+")) {
		if (in_group) return refuse_sign(c, '+');
		wanted->kind = WANT_LAST;
		return true;
	}
	if (!slice_is(text, ">")) {
		if (!stream_read_id(c, arg, &wanted->id)) return false;
		/* To Redis the largest ID is the same as ">". */
		if (in_group && stream_id_compare(wanted->id, STREAM_ID_MAX) == 0) wanted->kind = WANT_NEW;
		return true;
	}
	wanted->kind = WANT_NEW;
	if (in_group) return true;
	reply_error(c->reply, "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> "
			      "<consumer> option.");
	return false;
}

/* ---- What is there ---- */

/* Of a read that goes on: how many streams had something. */
struct answer {
	size_t begin;
	size_t streams;
};

/* Before the first stream's part; a reply without any is null, and only known at the end. */
static void begin_stream(struct reply *r, struct answer *a, const struct key *key) {
	if (a->streams++ == 0) a->begin = reply_begin(r);
	if (r->proto == 2) reply_array(r, 2);
	reply_slice(r, key_slice(key));
}

static void end_answer(struct reply *r, const struct answer *a) {
	if (a->streams == 0)
		reply_null_array(r);
	else
		reply_end(r, a->begin, r->proto == 2 ? REPLY_ARRAY : REPLY_MAP, a->streams);
}

/* Of a stream without a group: writes its part of the answer, if there is something. A client that waits is served by
 * the same call. */
static void answer_stream(struct reply *r, const struct key *key, const struct stream *s, const struct wanted *wanted,
	uint64_t count, struct answer *a) {
	struct stream_id first = wanted->id, last;
	if (!stream_edge(s, STREAM_BACKWARD, &last)) return;
	if (wanted->kind == WANT_LAST)
		first = last;
	else if (!stream_id_next(&first) || stream_id_compare(first, last) > 0)
		return;
	begin_stream(r, a, key);
	stream_reply_range(r, s, first, STREAM_ID_MAX, STREAM_FORWARD, count);
}

/* ---- Waiting ---- */

static void answer_waiter(
	struct call *c, const struct key *key, unsigned id_arg, const struct read_args *args, struct answer *a) {
	const struct entry *e = store_peek(c->view, key);
	struct wanted wanted;
	if (!e || entry_type(e) != VALUE_STREAM) return;
	struct value value = entry_value(e);
	if (!read_wanted(c, id_arg, stream_of(&value), false, &wanted)) return;
	answer_stream(c->reply, key, stream_of(&value), &wanted, args->count, a);
}

static enum blocking_outcome serve_reader(struct call *c, const struct key *changed) {
	struct read_args args;
	(void)changed;
	if (!read_args(c, false, &args)) return BLOCKING_NOT_YET;
	struct answer a = { 0 };
	for (unsigned i = 0; i < args.streams; i++) {
		struct key key = key_of(c->argv[args.first_key + i]);
		if (blocking_has_too(c, &key)) answer_waiter(c, &key, args.first_key + args.streams + i, &args, &a);
	}
	if (a.streams == 0) return BLOCKING_NOT_YET;
	end_answer(c->reply, &a);
	return BLOCKING_SERVED;
}

/* `$` and `+` mean what is there now, not what will be there when somebody is served: they become IDs. */
static void wait_to_read(struct call *c, const struct read_args *args, const struct stream **streams) {
	struct slice *argv = mem_alloc(c->argc * sizeof(argv[0]) + (size_t)args->streams * STREAM_ID_CHARS);
	char *text = (char *)(argv + c->argc);
	memcpy(argv, c->argv, c->argc * sizeof(argv[0]));
	for (unsigned i = 0; i < args->streams; i++, text += STREAM_ID_CHARS) {
		struct slice *id = &argv[args->first_key + args->streams + i];
		if (!slice_is(*id, "$") && !slice_is(*id, "+")) continue;
		struct stream_id last = { 0 };
		if (streams[i]) last = stream_state(streams[i])->last_id;
		*id = slice_of(text, stream_id_format(text, last));
	}
	const struct slice *before = c->argv;
	c->argv = argv;
	struct blocking_wait wait = { .timeout_ms = args->timeout_ms,
		.first_key = args->first_key,
		.key_count = args->streams,
		.serve = serve_reader,
		.timed_out = reply_null_array };
	blocking_wait(c, &wait);
	c->argv = before;
	mem_free(argv);
}

void cmd_xread(struct call *c) {
	struct read_args args;
	if (!read_args(c, false, &args)) return;

	/* All keys and IDs are looked at before anything is answered. */
	struct wanted *wanted = mem_alloc(args.streams * sizeof(wanted[0]));
	const struct stream **streams = mem_alloc(args.streams * sizeof(streams[0]));
	bool ok = true;
	for (unsigned i = 0; i < args.streams && ok; i++) {
		struct key key = call_key(c, args.first_key + i);
		struct value value;
		ok = call_read_value(c, &key, VALUE_STREAM, &value);
		if (!ok) break;
		streams[i] = value.data;
		ok = read_wanted(c, args.first_key + args.streams + i, streams[i], false, &wanted[i]);
	}
	if (ok) {
		struct answer a = { 0 };
		for (unsigned i = 0; i < args.streams; i++) {
			struct key key = call_key(c, args.first_key + i);
			if (streams[i]) answer_stream(c->reply, &key, streams[i], &wanted[i], args.count, &a);
		}
		if (a.streams == 0 && args.blocks && call_may_block(c))
			wait_to_read(c, &args, streams);
		else
			end_answer(c->reply, &a);
	}
	mem_free(streams);
	mem_free(wanted);
}

/* ---- For a consumer ---- */

struct reader {
	struct stream *s;
	struct stream_group *group;
	struct stream_consumer *consumer;
	const struct read_args *args;
	int64_t now_ms;
};

/* Entries that the group has not delivered yet go to the consumer. */
static void answer_new(struct reply *r, const struct reader *reader) {
	struct stream_id first = stream_group_last_id(reader->group);
	struct stream_iter it;
	size_t begin = reply_begin(r), written = 0;
	if (stream_id_next(&first)) {
		stream_iter_begin(&it, reader->s, first, STREAM_ID_MAX, STREAM_FORWARD);
		while (written < reader->args->count && stream_iter_next(&it)) {
			stream_reply_entry(r, &it);
			written++;
			stream_group_delivered(reader->s, reader->group, it.id);
			struct stream_pending p = { it.id, reader->consumer, reader->now_ms, 1 };
			if (!reader->args->no_ack) stream_pending_put(reader->s, reader->group, &p);
		}
	}
	reply_end(r, begin, REPLY_ARRAY, written);
	/* With NOACK a consumer never counts as active. */
	if (written > 0 && !reader->args->no_ack) stream_consumer_active(reader->consumer, reader->now_ms);
}

/* What is pending with the consumer is delivered once more. */
static void answer_pending(struct reply *r, const struct reader *reader, struct stream_id behind) {
	struct stream_pending_iter it;
	struct stream_pending p;
	size_t begin = reply_begin(r), written = 0;
	bool any_left = stream_id_next(&behind);
	if (any_left) stream_pending_begin(&it, reader->group, reader->consumer, behind);
	while (any_left && written < reader->args->count && stream_pending_next(&it, &p)) {
		written++;
		if (!stream_reply_entry_of(r, reader->s, p.id)) {
			/* It was deleted from the stream: only its ID is left. */
			reply_array(r, 2);
			stream_reply_id(r, p.id);
			reply_null_array(r);
			continue;
		}
		p.delivered_ms = reader->now_ms;
		p.deliveries++;
		stream_pending_put(reader->s, reader->group, &p);
	}
	reply_end(r, begin, REPLY_ARRAY, written);
}

static bool has_new(const struct stream *s, const struct stream_group *group) {
	struct stream_id last = stream_state(s)->last_id, delivered = stream_group_last_id(group);
	if (stream_id_compare(last, delivered) <= 0) return false;
	/* The last ones may be deleted. */
	return stream_edge(s, STREAM_BACKWARD, &last) && stream_id_compare(last, delivered) > 0;
}

/* One stream of XREADGROUP: writes its part of the answer, if there is something. A client that waits is served by the
 * same call. The group is there. */
static void answer_group(struct call *c, const struct key *key, const struct wanted *wanted,
	const struct read_args *args, struct answer *a) {
	struct entry *e = store_find_write(c->view, key);
	struct stream_change change;
	stream_change_open(c, key, e, &change);
	struct reader reader = { change.s, stream_group_find(change.s, args->group), NULL, args, c->view->now_ms };
	reader.consumer = stream_consumer_find(reader.group, args->consumer);
	if (!reader.consumer) {
		reader.consumer = stream_consumer_create(change.s, reader.group, args->consumer, reader.now_ms);
		stream_change_event(&change, "xgroup-createconsumer", 1);
	}
	stream_consumer_seen(reader.consumer, reader.now_ms);
	if (wanted->kind == WANT_PENDING || has_new(change.s, reader.group)) {
		begin_stream(c->reply, a, key);
		if (wanted->kind == WANT_NEW)
			answer_new(c->reply, &reader);
		else
			answer_pending(c->reply, &reader, wanted->id);
		stream_change_event(&change, "", wanted->kind == WANT_NEW);
	}
	stream_change_close(c, &change);
}

/* Whether key and group are there; the error is written when not. */
static bool find_group(struct call *c, const struct key *key, const struct read_args *args) {
	struct entry *e;
	if (!call_read_write_value(c, key, VALUE_STREAM, &e)) return false;
	struct value value;
	if (e) {
		value = entry_value(e);
		if (stream_group_find(stream_of(&value), args->group)) return true;
	}
	reply_errorf(c->reply, "NOGROUP No such key '%.*s' or consumer group '%.*s' in XREADGROUP with GROUP option",
		SLICE_FMT(key_slice(key)), SLICE_FMT(args->group));
	return false;
}

/* What a command said anew would answer: an error too, when stream or group have gone. */
static enum blocking_outcome serve_consumer(struct call *c, const struct key *changed) {
	struct read_args args;
	struct wanted wanted = { .kind = WANT_NEW };
	bool is_new = false;
	(void)changed;
	if (!read_args(c, true, &args)) return BLOCKING_NOT_YET;
	for (unsigned i = 0; i < args.streams; i++) {
		struct key key = key_of(c->argv[args.first_key + i]);
		if (!blocking_has_too(c, &key)) continue;
		if (!find_group(c, &key, &args)) return BLOCKING_SERVED;
		struct value value = entry_value(store_peek(c->view, &key));
		is_new |= has_new(stream_of(&value), stream_group_find(stream_of(&value), args.group));
	}
	if (!is_new) return BLOCKING_NOT_YET;
	struct answer a = { 0 };
	for (unsigned i = 0; i < args.streams; i++) {
		struct key key = key_of(c->argv[args.first_key + i]);
		if (blocking_has_too(c, &key)) answer_group(c, &key, &wanted, &args, &a);
	}
	end_answer(c->reply, &a);
	return BLOCKING_SERVED;
}

void cmd_xreadgroup(struct call *c) {
	struct read_args args;
	if (!read_args(c, true, &args)) return;

	struct wanted *wanted = mem_alloc(args.streams * sizeof(wanted[0]));
	bool ok = true;
	for (unsigned i = 0; i < args.streams && ok; i++) {
		struct key key = call_key(c, args.first_key + i);
		ok = find_group(c, &key, &args) &&
		     read_wanted(c, args.first_key + args.streams + i, NULL, true, &wanted[i]);
	}
	if (ok) {
		struct answer a = { 0 };
		for (unsigned i = 0; i < args.streams; i++) {
			struct key key = call_key(c, args.first_key + i);
			answer_group(c, &key, &wanted[i], &args, &a);
		}
		/* History is never waited for: it always answers. */
		struct blocking_wait wait = { .timeout_ms = args.timeout_ms,
			.first_key = args.first_key,
			.key_count = args.streams,
			.serve = serve_consumer,
			.wants_the_end = true,
			.timed_out = reply_null_array };
		if (a.streams == 0 && args.blocks && call_may_block(c))
			blocking_wait(c, &wait);
		else
			end_answer(c->reply, &a);
	}
	mem_free(wanted);
}
