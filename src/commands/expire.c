/* When keys end: EXPIRE and its kin, TTL and its kin, PERSIST. */
#include "commands/generated/command_handlers.h"
#include "commands/args.h"

/* ---- Setting ---- */

enum expire_condition { EXPIRE_NX = 1, EXPIRE_XX = 2, EXPIRE_GT = 4, EXPIRE_LT = 8 };

static bool read_conditions(struct call *c, unsigned *conditions) {
	*conditions = 0;
	for (unsigned i = 3; i < c->argc; i++) {
		if (call_word(c, i, "nx"))
			*conditions |= EXPIRE_NX;
		else if (call_word(c, i, "xx"))
			*conditions |= EXPIRE_XX;
		else if (call_word(c, i, "gt"))
			*conditions |= EXPIRE_GT;
		else if (call_word(c, i, "lt"))
			*conditions |= EXPIRE_LT;
		else {
			reply_errorf(c->reply, "ERR Unsupported option %.*s", (int)c->argv[i].len, c->argv[i].ptr);
			return false;
		}
	}
	if (*conditions & EXPIRE_NX && *conditions & (EXPIRE_XX | EXPIRE_GT | EXPIRE_LT)) {
		reply_error(c->reply, "ERR NX and XX, GT or LT options at the same time are not compatible");
		return false;
	}
	if (*conditions & EXPIRE_GT && *conditions & EXPIRE_LT) {
		reply_error(c->reply, "ERR GT and LT options at the same time are not compatible");
		return false;
	}
	return true;
}

/* A key without an end counts as one that ends after all others. */
static bool conditions_hold(unsigned conditions, int64_t now_set, int64_t wanted) {
	if (conditions & EXPIRE_NX && now_set >= 0) return false;
	if (conditions & EXPIRE_XX && now_set < 0) return false;
	if (conditions & EXPIRE_GT && (now_set < 0 || wanted <= now_set)) return false;
	if (conditions & EXPIRE_LT && now_set >= 0 && wanted >= now_set) return false;
	return true;
}

static void set_expiry(struct call *c, enum expiry_unit unit) {
	unsigned conditions;
	if (!read_conditions(c, &conditions)) return;
	int64_t at_ms;
	if (!args_expiry_time(c, 2, unit, EXPIRY_ALLOW_PAST, &at_ms)) return;
	struct key key = call_key(c, 1);
	struct entry *e = store_find_write(c->view, &key);
	if (!e || !conditions_hold(conditions, entry_expiry(e), at_ms)) {
		reply_int(c->reply, 0);
		return;
	}
	if (args_expiry_is_past(c, at_ms)) {
		store_remove(c->view, &key, e);
		store_committed(c->view, &key, EVENT_GENERIC, "del");
	} else {
		store_set_expiry(c->view, &key, e, at_ms);
		store_committed(c->view, &key, EVENT_GENERIC, "expire");
	}
	reply_int(c->reply, 1);
}

void cmd_expire(struct call *c) {
	set_expiry(c, EXPIRY_SECONDS);
}

void cmd_pexpire(struct call *c) {
	set_expiry(c, EXPIRY_MS);
}

void cmd_expireat(struct call *c) {
	set_expiry(c, EXPIRY_SECONDS_AT);
}

void cmd_pexpireat(struct call *c) {
	set_expiry(c, EXPIRY_MS_AT);
}

void cmd_persist(struct call *c) {
	struct key key = call_key(c, 1);
	struct entry *e = store_find_write(c->view, &key);
	if (!e || entry_expiry(e) < 0) {
		reply_int(c->reply, 0);
		return;
	}
	store_set_expiry(c->view, &key, e, EXPIRY_NONE);
	store_committed(c->view, &key, EVENT_GENERIC, "persist");
	reply_int(c->reply, 1);
}

/* ---- Asking ---- */

enum ttl_form { TTL_LEFT_SECONDS, TTL_LEFT_MS, TTL_AT_SECONDS, TTL_AT_MS };

static void tell_expiry(struct call *c, enum ttl_form form) {
	struct key key = call_key(c, 1);
	struct view quiet = *c->view;
	quiet.flags |= VIEW_NO_TOUCH;
	const struct entry *e = store_find(&quiet, &key);
	int64_t at_ms = e ? entry_expiry(e) : -2;
	if (at_ms < 0) {
		reply_int(c->reply, at_ms);
		return;
	}
	int64_t left = at_ms - c->view->now_ms;
	if (left < 0) left = 0;
	switch (form) {
	case TTL_LEFT_SECONDS: reply_int(c->reply, (left + 500) / 1000); break;
	case TTL_LEFT_MS: reply_int(c->reply, left); break;
	case TTL_AT_SECONDS: reply_int(c->reply, at_ms / 1000 + (at_ms % 1000 >= 500)); break;
	case TTL_AT_MS: reply_int(c->reply, at_ms); break;
	}
}

void cmd_ttl(struct call *c) {
	tell_expiry(c, TTL_LEFT_SECONDS);
}

void cmd_pttl(struct call *c) {
	tell_expiry(c, TTL_LEFT_MS);
}

void cmd_expiretime(struct call *c) {
	tell_expiry(c, TTL_AT_SECONDS);
}

void cmd_pexpiretime(struct call *c) {
	tell_expiry(c, TTL_AT_MS);
}
