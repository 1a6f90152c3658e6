/* When fields of hashes end: HEXPIRE and its kin, HTTL and its kin, HPERSIST. */
#include "commands/generated/command_handlers.h"

#include "commands/hash_common.h"

/* ---- Shared ---- */

bool hash_read_fields(struct call *c, unsigned arg, const char *number_error, struct hash_fields *fields) {
	if (!call_word(c, arg, "fields") || arg + 1 >= c->argc) {
		reply_error(c->reply, "ERR Mandatory argument FIELDS is missing or not at the right position");
		return false;
	}
	int64_t count;
	if (!call_int(c, arg + 1, &count, number_error)) return false;
	if (count < 1) {
		reply_error(c->reply, number_error);
		return false;
	}
	*fields = (struct hash_fields){ arg + 2, c->argc };
	if (count == (int64_t)c->argc - (arg + 2)) return true;
	reply_error(c->reply, "ERR The `numfields` parameter must match the number of arguments");
	return false;
}

bool hash_read_end(struct call *c, unsigned arg, enum expiry_unit unit, int64_t *end_ms) {
	/* Redis keeps two of its 48 bits for itself. */
	static const int64_t end_max_ms = ((int64_t)1 << 46) - 1;
	int64_t time;
	if (!call_int(c, arg, &time, NULL)) return false;
	if (time < 0) {
		reply_error(c->reply, "ERR invalid expire time, must be >= 0");
		return false;
	}
	bool fits = true;
	if (unit == EXPIRY_SECONDS || unit == EXPIRY_SECONDS_AT) fits = !__builtin_mul_overflow(time, 1000, &time);
	if (unit == EXPIRY_SECONDS || unit == EXPIRY_MS)
		fits = fits && !__builtin_add_overflow(time, c->view->now_ms, &time);
	if (!fits || time > end_max_ms) {
		reply_errorf(c->reply, ERR_INVALID_EXPIRE_FMT, call_name(c));
		return false;
	}
	/* 0 is no end for a hash; both are long past. */
	*end_ms = time > 0 ? time : 1;
	return true;
}

void hash_close(struct call *c, const struct key *key, struct edit *edit, const struct hash_changes *changes) {
	bool there = store_close(c->view, key, edit);
	const struct {
		size_t count;
		const char *event;
	} told[] = {
		{ changes->set, "hset" },
		{ changes->ends, "hexpire" },
		{ changes->persisted, "hpersist" },
		{ changes->removed, "hdel" },
	};
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		if (told[i].count == 0) continue;
		/* A field that is set with an end is one change, as in Redis. */
		size_t count = i > 0 && changes->set > 0 ? 0 : told[i].count;
		store_committed_many(c->view, key, EVENT_HASH, told[i].event, changes->as_one ? 1 : count);
	}
	if (!there) store_event(c->view, key, EVENT_GENERIC, "del");
}

bool hash_end_field(struct call *c, struct value *h, struct slice field, int64_t end_ms, struct hash_changes *changes) {
	if (args_expiry_is_past(c, end_ms)) {
		changes->removed += hash_remove(h, field, c->view->now_ms);
		return true;
	}
	if (!hash_set_end(h, field, end_ms)) return false;
	changes->ends++;
	return true;
}

void hash_fail_memory(struct call *c, size_t start) {
	c->reply->out->len = start;
	reply_error(c->reply, ERR_NO_MEMORY);
}

/* What the commands of this file answer per field. */
enum ttl_answer { TTL_NO_FIELD = -2, TTL_NO_END = -1, TTL_CONDITION_FAILS = 0, TTL_SET = 1, TTL_REMOVED = 2 };

static void reply_no_fields(struct call *c, const struct hash_fields *fields) {
	for (unsigned arg = fields->first; arg < fields->end; arg++) reply_int(c->reply, TTL_NO_FIELD);
}

/* ---- Setting ---- */

enum end_condition { END_ALWAYS, END_NX, END_XX, END_GT, END_LT };

static enum end_condition read_condition(const struct call *c, unsigned arg) {
	if (call_word(c, arg, "nx")) return END_NX;
	if (call_word(c, arg, "xx")) return END_XX;
	if (call_word(c, arg, "gt")) return END_GT;
	if (call_word(c, arg, "lt")) return END_LT;
	return END_ALWAYS;
}

/* A field without an end counts as one that ends after all others. */
static bool condition_holds(enum end_condition condition, int64_t now_set, int64_t wanted) {
	switch (condition) {
	case END_NX: return now_set == HASH_NO_END;
	case END_XX: return now_set != HASH_NO_END;
	case END_GT: return now_set != HASH_NO_END && wanted > now_set;
	case END_LT: return now_set == HASH_NO_END || wanted < now_set;
	default: return true;
	}
}

static bool set_ends(struct call *c, struct value *h, const struct hash_fields *fields, enum end_condition condition,
	int64_t end_ms, struct hash_changes *changes) {
	for (unsigned arg = fields->first; arg < fields->end; arg++) {
		struct slice field = c->argv[arg];
		int64_t now_set = hash_end(h, field, c->view->now_ms);
		if (now_set == HASH_NO_FIELD) {
			reply_int(c->reply, TTL_NO_FIELD);
		} else if (!condition_holds(condition, now_set, end_ms)) {
			reply_int(c->reply, TTL_CONDITION_FAILS);
		} else {
			size_t removed = changes->removed;
			if (!hash_end_field(c, h, field, end_ms, changes)) return false;
			reply_int(c->reply, changes->removed > removed ? TTL_REMOVED : TTL_SET);
		}
	}
	return true;
}

static void expire_fields(struct call *c, enum expiry_unit unit) {
	struct key key = call_key(c, 1);
	struct entry *e;
	int64_t end_ms;
	struct hash_fields fields;
	if (!call_write_value(c, &key, VALUE_HASH, &e) || !hash_read_end(c, 2, unit, &end_ms)) return;
	enum end_condition condition = read_condition(c, 3);
	if (!hash_read_fields(c, condition == END_ALWAYS ? 3 : 4, ERR_HEXPIRE_NUMFIELDS, &fields)) return;
	size_t start = c->reply->out->len;
	reply_array(c->reply, fields.end - fields.first);
	if (!e) {
		reply_no_fields(c, &fields);
		return;
	}
	struct edit edit;
	struct hash_changes changes = { 0 };
	store_open(c->view, &key, e, VALUE_HASH, &edit);
	hash_allow_ends(&edit.value);
	bool ok = set_ends(c, &edit.value, &fields, condition, end_ms, &changes);
	hash_close(c, &key, &edit, &changes);
	if (!ok) hash_fail_memory(c, start);
}

void cmd_hexpire(struct call *c) {
	expire_fields(c, EXPIRY_SECONDS);
}

void cmd_hpexpire(struct call *c) {
	expire_fields(c, EXPIRY_MS);
}

void cmd_hexpireat(struct call *c) {
	expire_fields(c, EXPIRY_SECONDS_AT);
}

void cmd_hpexpireat(struct call *c) {
	expire_fields(c, EXPIRY_MS_AT);
}

void cmd_hpersist(struct call *c) {
	struct key key = call_key(c, 1);
	struct entry *e;
	struct hash_fields fields;
	if (!call_write_value(c, &key, VALUE_HASH, &e) || !hash_read_fields(c, 2, ERR_NUMFIELDS, &fields)) return;
	size_t start = c->reply->out->len;
	reply_array(c->reply, fields.end - fields.first);
	if (!e) {
		reply_no_fields(c, &fields);
		return;
	}
	struct edit edit;
	struct hash_changes changes = { .as_one = true };
	bool ok = true;
	store_open(c->view, &key, e, VALUE_HASH, &edit);
	for (unsigned arg = fields.first; arg < fields.end && ok; arg++) {
		int64_t end_ms = hash_end(&edit.value, c->argv[arg], c->view->now_ms);
		if (end_ms < 0) {
			reply_int(c->reply, end_ms == HASH_NO_END ? TTL_NO_END : TTL_NO_FIELD);
			continue;
		}
		ok = hash_set_end(&edit.value, c->argv[arg], HASH_NO_END);
		changes.persisted += ok;
		reply_int(c->reply, TTL_SET);
	}
	hash_close(c, &key, &edit, &changes);
	if (!ok) hash_fail_memory(c, start);
}

/* ---- Asking ---- */

enum ttl_form { TTL_LEFT_SECONDS, TTL_LEFT_MS, TTL_AT_SECONDS, TTL_AT_MS };

/* Unlike those of keys, the seconds of fields are rounded up. */
static int64_t ttl_in_form(const struct call *c, int64_t end_ms, enum ttl_form form) {
	int64_t left_ms = end_ms - c->view->now_ms;
	switch (form) {
	case TTL_LEFT_SECONDS: return (left_ms + 999) / 1000;
	case TTL_LEFT_MS: return left_ms;
	case TTL_AT_SECONDS: return (end_ms + 999) / 1000;
	default: return end_ms;
	}
}

static void tell_ends(struct call *c, enum ttl_form form) {
	struct key key = call_key(c, 1);
	struct value h;
	struct hash_fields fields;
	if (!call_read_value(c, &key, VALUE_HASH, &h) || !hash_read_fields(c, 2, ERR_NUMFIELDS, &fields)) return;
	reply_array(c->reply, fields.end - fields.first);
	if (!h.data) {
		reply_no_fields(c, &fields);
		return;
	}
	for (unsigned arg = fields.first; arg < fields.end; arg++) {
		int64_t end_ms = hash_end(&h, c->argv[arg], c->view->now_ms);
		if (end_ms >= 0)
			reply_int(c->reply, ttl_in_form(c, end_ms, form));
		else
			reply_int(c->reply, end_ms == HASH_NO_END ? TTL_NO_END : TTL_NO_FIELD);
	}
}

void cmd_httl(struct call *c) {
	tell_ends(c, TTL_LEFT_SECONDS);
}

void cmd_hpttl(struct call *c) {
	tell_ends(c, TTL_LEFT_MS);
}

void cmd_hexpiretime(struct call *c) {
	tell_ends(c, TTL_AT_SECONDS);
}

void cmd_hpexpiretime(struct call *c) {
	tell_ends(c, TTL_AT_MS);
}
