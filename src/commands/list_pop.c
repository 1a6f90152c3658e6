/* Lists, taken from by their ends: LPOP, RPOP, LMPOP, LMOVE, RPOPLPUSH. */
#include "commands/generated/command_handlers.h"

#include "commands/args.h"
#include "commands/list_common.h"

/* ---- Shared ---- */

bool list_read_side(struct call *c, unsigned arg, enum list_side *side) {
	bool right = call_word(c, arg, "RIGHT");
	*side = right ? LIST_TAIL : LIST_HEAD;
	if (right || call_word(c, arg, "LEFT")) return true;
	call_syntax_error(c);
	return false;
}

static void reply_element(struct reply *r, struct pack_value element) {
	if (pack_value_is_int(element))
		reply_bulk_int(r, element.number);
	else
		reply_slice(r, element.text);
}

void list_reply_elements(
	struct reply *r, const struct value *list, size_t index, enum list_direction direction, size_t count) {
	enum { BATCH = 32 };
	struct pack_value elements[BATCH];
	struct list_walk walk;
	list_walk(list, index, direction, &walk);
	while (count > 0) {
		size_t read = list_read(&walk, elements, count < BATCH ? count : BATCH);
		if (read == 0) return;
		for (size_t i = 0; i < read; i++) reply_element(r, elements[i]);
		count -= read;
	}
}

static const char *pop_event(enum list_side side) {
	return side == LIST_HEAD ? "lpop" : "rpop";
}

static const char *push_event(enum list_side side) {
	return side == LIST_HEAD ? "lpush" : "rpush";
}

void list_take(struct call *c, const struct key *key, struct entry *e, enum list_side side, size_t count) {
	struct value list = entry_value(e);
	size_t length = list_length(&list);
	bool there = length > count;
	if (there) {
		struct edit edit;
		store_open(c->view, key, e, VALUE_LIST, &edit);
		list_drop(&edit.value, side, count, store_limits(c->view));
		there = store_close(c->view, key, &edit);
	} else {
		/* A long list is freed elsewhere. */
		store_remove(c->view, key, e);
	}
	store_committed_many(c->view, key, EVENT_LIST, pop_event(side), there ? count : length);
	if (!there) store_event(c->view, key, EVENT_GENERIC, "del");
}

void list_pop(struct call *c, const struct key *key, struct entry *e, enum list_side side, size_t count) {
	struct value list = entry_value(e);
	size_t length = list_length(&list);
	if (count > length) count = length;
	reply_array(c->reply, count);
	if (side == LIST_HEAD)
		list_reply_elements(c->reply, &list, 0, LIST_FORWARD, count);
	else
		list_reply_elements(c->reply, &list, length - 1, LIST_BACKWARD, count);
	list_take(c, key, e, side, count);
}

/* ---- LPOP, RPOP ---- */

static void pop(struct call *c, enum list_side side) {
	int64_t count = 1;
	if (c->argc > 3) {
		reply_errorf(c->reply, "ERR wrong number of arguments for '%s' command", call_name(c));
		return;
	}
	bool counted = c->argc == 3;
	if (counted && (!number_parse_i64(c->argv[2], &count) || count < 0)) {
		reply_error(c->reply, ERR_NOT_POSITIVE);
		return;
	}
	struct key key = call_key(c, 1);
	struct entry *e;
	if (!call_write_value(c, &key, VALUE_LIST, &e)) return;
	if (!e) {
		counted ? reply_null_array(c->reply) : reply_null(c->reply);
	} else if (!counted) {
		struct value list = entry_value(e);
		reply_element(c->reply, list_end(&list, side));
		list_take(c, &key, e, side, 1);
	} else if (count == 0) {
		reply_array(c->reply, 0);
	} else {
		list_pop(c, &key, e, side, (size_t)count);
	}
}

void cmd_lpop(struct call *c) {
	pop(c, LIST_HEAD);
}

void cmd_rpop(struct call *c) {
	pop(c, LIST_TAIL);
}

/* ---- LMPOP ---- */

void list_pop_several(struct call *c, const struct key *key, struct entry *e, const struct pop_options *o) {
	reply_array(c->reply, 2);
	reply_slice(c->reply, key_slice(key));
	list_pop(c, key, e, o->second ? LIST_TAIL : LIST_HEAD, o->count);
}

void cmd_lmpop(struct call *c) {
	struct pop_options o;
	struct key key;
	struct entry *e;
	if (!args_pop_options(c, 1, "LEFT", "RIGHT", &o)) return;
	if (!call_write_first(c, VALUE_LIST, 2, o.keys, &key, &e)) return;
	if (e)
		list_pop_several(c, &key, e, &o);
	else
		reply_null_array(c->reply);
}

/* ---- LMOVE, RPOPLPUSH ---- */

static void rotate(struct call *c, const struct key *key, struct entry *e, enum list_side from, enum list_side to) {
	struct value list = entry_value(e);
	reply_element(c->reply, list_end(&list, from));
	if (from != to) {
		struct edit edit;
		store_open(c->view, key, e, VALUE_LIST, &edit);
		list_rotate(&edit.value, from);
		store_close(c->view, key, &edit);
	}
	store_committed(c->view, key, EVENT_LIST, push_event(to));
	store_event(c->view, key, EVENT_LIST, pop_event(from));
}

void list_move(struct call *c, const struct key *from, struct entry *e, enum list_side from_side, const struct key *to,
	enum list_side to_side) {
	if (slice_equal(key_slice(from), key_slice(to))) {
		rotate(c, from, e, from_side, to_side);
		return;
	}
	struct entry *target;
	if (!call_write_value(c, to, VALUE_LIST, &target)) return;
	struct value source = entry_value(e);
	char scratch[PACK_SCRATCH_BYTES];
	struct slice element = list_text(list_end(&source, from_side), scratch);

	struct edit edit;
	store_open(c->view, to, target, VALUE_LIST, &edit);
	bool pushed = list_push(&edit.value, to_side, &element, 1, store_limits(c->view));
	store_close(c->view, to, &edit);
	if (!pushed) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	store_event(c->view, to, EVENT_LIST, push_event(to_side)); /* that it is taken elsewhere is what counts */
	reply_slice(c->reply, element);
	list_take(c, from, e, from_side, 1);
}

static void move(struct call *c, enum list_side from_side, enum list_side to_side) {
	struct key from = call_key(c, 1), to = call_key(c, 2);
	struct entry *e;
	if (!call_write_value(c, &from, VALUE_LIST, &e)) return;
	if (e)
		list_move(c, &from, e, from_side, &to, to_side);
	else
		reply_null(c->reply);
}

void cmd_lmove(struct call *c) {
	enum list_side from, to;
	if (!list_read_side(c, 3, &from) || !list_read_side(c, 4, &to)) return;
	move(c, from, to);
}

void cmd_rpoplpush(struct call *c) {
	move(c, LIST_TAIL, LIST_HEAD);
}
