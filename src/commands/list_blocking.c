/* Lists that are waited for: BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH. How waiting works: server/blocking.h. */
#include "commands/generated/command_handlers.h"

#include "commands/args.h"
#include "commands/list_common.h"
#include "server/blocking.h"

/* The list under a key of somebody who waits; NULL when there is none. */
static struct entry *list_there(struct call *c, const struct key *key) {
	struct entry *e = store_find_write(c->view, key);
	return e && entry_type(e) == VALUE_LIST ? e : NULL;
}

/* ---- BLPOP, BRPOP ---- */

static void pop_one(struct call *c, const struct key *key, struct entry *e, enum list_side side) {
	struct value list = entry_value(e);
	reply_array(c->reply, 2);
	reply_slice(c->reply, key_slice(key));
	if (side == LIST_HEAD)
		list_reply_elements(c->reply, &list, 0, LIST_FORWARD, 1);
	else
		list_reply_elements(c->reply, &list, list_length(&list) - 1, LIST_BACKWARD, 1);
	list_take(c, key, e, side, 1);
}

static enum blocking_outcome serve_head(struct call *c, const struct key *key) {
	struct entry *e = list_there(c, key);
	if (!e) return BLOCKING_EMPTY;
	pop_one(c, key, e, LIST_HEAD);
	return BLOCKING_SERVED;
}

static enum blocking_outcome serve_tail(struct call *c, const struct key *key) {
	struct entry *e = list_there(c, key);
	if (!e) return BLOCKING_EMPTY;
	pop_one(c, key, e, LIST_TAIL);
	return BLOCKING_SERVED;
}

static void blocking_pop(struct call *c, enum list_side side) {
	int64_t timeout_ms;
	if (!blocking_read_timeout(c, c->argc - 1, &timeout_ms)) return;
	struct blocking_wait wait = { .timeout_ms = timeout_ms,
		.first_key = 1,
		.key_count = c->argc - 2,
		.serve = side == LIST_HEAD ? serve_head : serve_tail,
		.timed_out = reply_null_array };
	blocking_serve_or_wait(c, VALUE_LIST, &wait);
}

void cmd_blpop(struct call *c) {
	blocking_pop(c, LIST_HEAD);
}

void cmd_brpop(struct call *c) {
	blocking_pop(c, LIST_TAIL);
}

/* ---- BLMPOP ---- */

static enum blocking_outcome serve_several(struct call *c, const struct key *key) {
	struct entry *e = list_there(c, key);
	struct pop_options o;
	/* They were right when the client began to wait. */
	if (!e || !args_pop_options(c, 2, "LEFT", "RIGHT", &o)) return BLOCKING_EMPTY;
	list_pop_several(c, key, e, &o);
	return BLOCKING_SERVED;
}

void cmd_blmpop(struct call *c) {
	struct pop_options o;
	int64_t timeout_ms;
	if (!args_pop_options(c, 2, "LEFT", "RIGHT", &o) || !blocking_read_timeout(c, 1, &timeout_ms)) return;
	struct blocking_wait wait = { .timeout_ms = timeout_ms,
		.first_key = 3,
		.key_count = o.keys,
		.serve = serve_several,
		.timed_out = reply_null_array };
	blocking_serve_or_wait(c, VALUE_LIST, &wait);
}

/* ---- BLMOVE, BRPOPLPUSH ---- */

static enum blocking_outcome serve_move(
	struct call *c, const struct key *key, enum list_side from, enum list_side to_side) {
	struct entry *e = list_there(c, key);
	if (!e) return BLOCKING_EMPTY;
	struct key to = key_of(c->argv[2]);
	list_move(c, key, e, from, &to, to_side);
	return BLOCKING_SERVED;
}

static enum blocking_outcome serve_blmove(struct call *c, const struct key *key) {
	return serve_move(c, key, call_word(c, 3, "RIGHT") ? LIST_TAIL : LIST_HEAD,
		call_word(c, 4, "RIGHT") ? LIST_TAIL : LIST_HEAD);
}

static enum blocking_outcome serve_brpoplpush(struct call *c, const struct key *key) {
	return serve_move(c, key, LIST_TAIL, LIST_HEAD);
}

static void blocking_move(
	struct call *c, enum list_side from, enum list_side to_side, int64_t timeout_ms, blocking_serve_fn *serve) {
	struct key source = call_key(c, 1), to = call_key(c, 2);
	struct entry *e;
	if (!call_write_value(c, &source, VALUE_LIST, &e)) return;
	if (e) {
		list_move(c, &source, e, from, &to, to_side);
		return;
	}
	if (!call_may_block(c)) {
		reply_null(c->reply);
		return;
	}
	struct blocking_wait wait = { .timeout_ms = timeout_ms,
		.first_key = 1,
		.key_count = 1,
		.destination = 2,
		.serve = serve,
		.timed_out = reply_null_array };
	blocking_wait(c, &wait);
}

void cmd_blmove(struct call *c) {
	enum list_side from, to;
	int64_t timeout_ms;
	if (!list_read_side(c, 3, &from) || !list_read_side(c, 4, &to) || !blocking_read_timeout(c, 5, &timeout_ms))
		return;
	blocking_move(c, from, to, timeout_ms, serve_blmove);
}

void cmd_brpoplpush(struct call *c) {
	int64_t timeout_ms;
	if (!blocking_read_timeout(c, 3, &timeout_ms)) return;
	blocking_move(c, LIST_TAIL, LIST_HEAD, timeout_ms, serve_brpoplpush);
}
