/* Lists: LPUSH, RPUSH, LPUSHX, RPUSHX, LLEN, LINDEX, LRANGE, LSET, LINSERT, LREM, LTRIM. */
#include "commands/generated/command_handlers.h"

#include "commands/args.h"
#include "commands/list_common.h"

/* ---- Pushing ---- */

enum push_condition { PUSH_ALWAYS, PUSH_IF_THERE };

static void push(struct call *c, enum list_side side, enum push_condition condition) {
	struct key key = call_key(c, 1);
	struct entry *e;
	if (!call_write_value(c, &key, VALUE_LIST, &e)) return;
	if (!e && condition == PUSH_IF_THERE) {
		reply_int(c->reply, 0);
		return;
	}
	struct edit edit;
	store_open(c->view, &key, e, VALUE_LIST, &edit);
	bool done = list_push(&edit.value, side, c->argv + 2, c->argc - 2, store_limits(c->view));
	size_t length = list_length(&edit.value);
	store_close(c->view, &key, &edit);
	if (!done) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	store_committed_many(c->view, &key, EVENT_LIST, side == LIST_HEAD ? "lpush" : "rpush", c->argc - 2);
	reply_int(c->reply, (int64_t)length);
}

void cmd_lpush(struct call *c) {
	push(c, LIST_HEAD, PUSH_ALWAYS);
}

void cmd_rpush(struct call *c) {
	push(c, LIST_TAIL, PUSH_ALWAYS);
}

void cmd_lpushx(struct call *c) {
	push(c, LIST_HEAD, PUSH_IF_THERE);
}

void cmd_rpushx(struct call *c) {
	push(c, LIST_TAIL, PUSH_IF_THERE);
}

/* ---- Indices and ranges ---- */

/* From an index that may count from the end (-1 is the last). False when there is no such element. */
static bool resolve_index(int64_t given, size_t length, size_t *index) {
	if (given < 0) given += (int64_t)length;
	if (given < 0 || (uint64_t)given >= length) return false;
	*index = (size_t)given;
	return true;
}

/* The part of the list that two such indices name, both included. */
struct span {
	size_t first, count;
};

static struct span resolve_span(int64_t start, int64_t stop, size_t length) {
	if (start < 0) start += (int64_t)length;
	if (stop < 0) stop += (int64_t)length;
	if (start < 0) start = 0;
	if (stop >= (int64_t)length) stop = (int64_t)length - 1;
	if (start > stop) return (struct span){ 0, 0 };
	return (struct span){ (size_t)start, (size_t)(stop - start) + 1 };
}

/* ---- Reading ---- */

void cmd_llen(struct call *c) {
	struct key key = call_key(c, 1);
	struct value list;
	if (!call_read_value(c, &key, VALUE_LIST, &list)) return;
	reply_int(c->reply, list.data ? (int64_t)list_length(&list) : 0);
}

void cmd_lindex(struct call *c) {
	struct key key = call_key(c, 1);
	struct value list;
	int64_t given;
	size_t index;
	if (!call_read_value(c, &key, VALUE_LIST, &list)) return;
	if (!list.data) {
		reply_null(c->reply);
		return;
	}
	if (!call_int(c, 2, &given, NULL)) return;
	if (!resolve_index(given, list_length(&list), &index)) {
		reply_null(c->reply);
		return;
	}
	char scratch[PACK_SCRATCH_BYTES];
	reply_slice(c->reply, list_text(list_at(&list, index), scratch));
}

void cmd_lrange(struct call *c) {
	struct key key = call_key(c, 1);
	struct value list;
	int64_t start, stop;
	if (!call_int(c, 2, &start, NULL) || !call_int(c, 3, &stop, NULL)) return;
	if (!call_read_value(c, &key, VALUE_LIST, &list)) return;
	struct span span = { 0, 0 };
	if (list.data) span = resolve_span(start, stop, list_length(&list));
	reply_array(c->reply, span.count);
	if (span.count) list_reply_elements(c->reply, &list, span.first, LIST_FORWARD, span.count);
}

/* ---- Changing ---- */

void cmd_lset(struct call *c) {
	struct key key = call_key(c, 1);
	struct entry *e;
	int64_t given;
	size_t index;
	if (!call_write_value(c, &key, VALUE_LIST, &e)) return;
	if (!e) {
		reply_error(c->reply, ERR_NO_KEY);
		return;
	}
	if (!call_int(c, 2, &given, NULL)) return;
	struct value list = entry_value(e);
	if (!resolve_index(given, list_length(&list), &index)) {
		reply_error(c->reply, ERR_OUT_OF_RANGE);
		return;
	}
	struct edit edit;
	store_open(c->view, &key, e, VALUE_LIST, &edit);
	bool done = list_set(&edit.value, index, c->argv[3], store_limits(c->view));
	store_close(c->view, &key, &edit);
	if (!done) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	store_committed(c->view, &key, EVENT_LIST, "lset");
	reply_ok(c->reply);
}

/* The index of the first element that equals `text`; the length when none does. */
static size_t find_first(const struct value *list, struct slice text) {
	enum { BATCH = 32 };
	struct pack_value elements[BATCH];
	struct list_needle needle = list_needle_of(text);
	struct list_walk walk;
	list_walk(list, 0, LIST_FORWARD, &walk);
	size_t index = 0;
	for (size_t read; (read = list_read(&walk, elements, BATCH)) > 0;) {
		for (size_t i = 0; i < read; i++, index++) {
			if (list_is(elements[i], &needle)) return index;
		}
	}
	return index;
}

void cmd_linsert(struct call *c) {
	bool after = call_word(c, 2, "AFTER");
	if (!after && !call_word(c, 2, "BEFORE")) {
		call_syntax_error(c);
		return;
	}
	struct key key = call_key(c, 1);
	struct entry *e;
	if (!call_write_value(c, &key, VALUE_LIST, &e)) return;
	if (!e) {
		reply_int(c->reply, 0);
		return;
	}
	struct value list = entry_value(e);
	size_t length = list_length(&list);
	size_t index = find_first(&list, c->argv[3]);
	if (index == length) {
		reply_int(c->reply, -1);
		return;
	}
	struct edit edit;
	store_open(c->view, &key, e, VALUE_LIST, &edit);
	bool done = list_insert(&edit.value, index + after, c->argv[4], store_limits(c->view));
	store_close(c->view, &key, &edit);
	if (!done) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	store_committed(c->view, &key, EVENT_LIST, "linsert");
	reply_int(c->reply, (int64_t)length + 1);
}

/* Says what happened to a list that has lost so many elements, perhaps all. */
static void committed(struct call *c, const struct key *key, const char *event, size_t lost, bool there) {
	store_committed_many(c->view, key, EVENT_LIST, event, lost);
	if (!there) store_event(c->view, key, EVENT_GENERIC, "del");
}

void cmd_lrem(struct call *c) {
	struct key key = call_key(c, 1);
	struct entry *e;
	int64_t count;
	if (!call_int(c, 2, &count, NULL)) return;
	if (count == INT64_MIN) {
		reply_error(c->reply, ERR_NOT_LONG);
		return;
	}
	if (!call_write_value(c, &key, VALUE_LIST, &e)) return;
	if (!e) {
		reply_int(c->reply, 0);
		return;
	}
	enum list_side from = count < 0 ? LIST_TAIL : LIST_HEAD;
	size_t most = count == 0 ? SIZE_MAX : count < 0 ? 0 - (size_t)count : (size_t)count;
	struct edit edit;
	store_open(c->view, &key, e, VALUE_LIST, &edit);
	size_t removed = list_remove(&edit.value, c->argv[3], from, most, store_limits(c->view));
	bool there = store_close(c->view, &key, &edit);
	if (removed) committed(c, &key, "lrem", removed, there);
	reply_int(c->reply, (int64_t)removed);
}

void cmd_ltrim(struct call *c) {
	struct key key = call_key(c, 1);
	struct entry *e;
	int64_t start, stop;
	if (!call_int(c, 2, &start, NULL) || !call_int(c, 3, &stop, NULL)) return;
	if (!call_write_value(c, &key, VALUE_LIST, &e)) return;
	if (!e) {
		reply_ok(c->reply);
		return;
	}
	struct value list = entry_value(e);
	size_t length = list_length(&list);
	struct span span = resolve_span(start, stop, length);
	if (span.count == 0) {
		/* A long list is freed elsewhere. */
		store_remove(c->view, &key, e);
	} else if (span.count < length) {
		struct edit edit;
		store_open(c->view, &key, e, VALUE_LIST, &edit);
		list_drop(&edit.value, LIST_TAIL, length - span.first - span.count, store_limits(c->view));
		list_drop(&edit.value, LIST_HEAD, span.first, store_limits(c->view));
		store_close(c->view, &key, &edit);
	}
	committed(c, &key, "ltrim", length - span.count, span.count > 0);
	reply_ok(c->reply);
}
