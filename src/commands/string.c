/* Whole strings: GET, SET and their relatives. Editing and counting are in string_edit.c and string_number.c, several
 * keys at once in string_many.c. */
#include "commands/generated/command_handlers.h"

#include "base/hash.h"
#include "commands/args.h"
#include "commands/string_common.h"

enum { DIGEST_CHARS = 16 };

/* ---- Conditions on the present value: NX, XX, IFEQ … ---- */

enum condition_kind { ALWAYS, IF_MISSING, IF_PRESENT, IF_EQUAL, IF_NOT_EQUAL, IF_DIGEST, IF_NOT_DIGEST };

struct condition {
	enum condition_kind kind;
	struct slice operand; /* of the four comparisons */
};

/* The comparison at `arg`, or ALWAYS. The operand follows. */
static enum condition_kind comparison_word(const struct call *c, unsigned arg) {
	if (arg >= c->argc || c->argv[arg].len < 4) return ALWAYS;
	if (call_word(c, arg, "IFEQ")) return IF_EQUAL;
	if (call_word(c, arg, "IFNE")) return IF_NOT_EQUAL;
	if (call_word(c, arg, "IFDEQ")) return IF_DIGEST;
	if (call_word(c, arg, "IFDNE")) return IF_NOT_DIGEST;
	return ALWAYS;
}

static bool is_hex(struct slice s) {
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return false;
	}
	return true;
}

static bool check_digest(struct call *c, const struct condition *condition) {
	if (condition->kind != IF_DIGEST && condition->kind != IF_NOT_DIGEST) return true;
	if (condition->operand.len == DIGEST_CHARS && is_hex(condition->operand)) return true;
	reply_error(c->reply, "ERR IFDEQ/IFDNE requires a 16 character hex digest");
	return false;
}

static struct slice format_digest(char out[DIGEST_CHARS], struct slice value) {
	uint64_t digest = hash_digest(value);

	for (int i = DIGEST_CHARS; i-- > 0; digest >>= 4) out[i] = "0123456789abcdef"[digest & 15];
	return slice_of(out, DIGEST_CHARS);
}

/* `e` is a string when the condition compares. */
static bool comparison_holds(const struct condition *condition, const struct entry *e) {
	char scratch[NUMBER_I64_MAX_CHARS + 1], hex[DIGEST_CHARS];
	bool negated = condition->kind == IF_NOT_EQUAL || condition->kind == IF_NOT_DIGEST;

	if (!e) return negated;
	struct slice value = entry_string(e, scratch);
	if (condition->kind == IF_EQUAL || condition->kind == IF_NOT_EQUAL) {
		return slice_equal(value, condition->operand) != negated;
	}
	return slice_equal_nocase(format_digest(hex, value), condition->operand) != negated;
}

enum verdict { GO_ON, LEAVE_IT, REFUSED };

/* REFUSED: the error is written. */
static enum verdict condition_judge(struct call *c, const struct condition *condition, const struct entry *e) {
	switch (condition->kind) {
	case ALWAYS: return GO_ON;
	case IF_MISSING: return e ? LEAVE_IT : GO_ON;
	case IF_PRESENT: return e ? GO_ON : LEAVE_IT;
	case IF_EQUAL:
	case IF_NOT_EQUAL:
	case IF_DIGEST:
	case IF_NOT_DIGEST: break;
	}
	if (e && entry_type(e) != VALUE_STRING) {
		reply_error(c->reply, ERR_WRONGTYPE);
		return REFUSED;
	}
	return comparison_holds(condition, e) ? GO_ON : LEAVE_IT;
}

/* ---- GET and SET ---- */

/* Answers what the key holds, counted as a read. False when it holds another type. */
static bool reply_current(struct call *c, const struct key *key, const struct entry **found) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	const struct entry *e = store_find(c->view, key);

	if (found) *found = e;
	if (!e) {
		reply_null(c->reply);
		return true;
	}
	if (entry_type(e) != VALUE_STRING) {
		reply_error(c->reply, ERR_WRONGTYPE);
		return false;
	}
	reply_slice(c->reply, entry_string(e, scratch));
	return true;
}

void cmd_get(struct call *c) {
	struct key key = call_key(c, 1);

	(void)reply_current(c, &key, NULL);
}

bool string_put(struct call *c, const struct key *key, struct entry *e, struct slice value, int64_t expiry_ms) {
	if (!store_overwrite_string(c->view, key, e, value, expiry_ms)) return false;
	store_committed(c->view, key, EVENT_STRING, "set");
	if (expiry_ms >= 0) store_event(c->view, key, EVENT_GENERIC, "expire");
	return true;
}

struct set_options {
	struct condition condition;
	struct expiry_option expiry;
	bool get;
};

/* Takes NX, XX or a comparison at *arg. NX and XX may be repeated, nothing else goes together. */
static bool take_condition(const struct call *c, unsigned *arg, struct condition *condition) {
	enum condition_kind kind = comparison_word(c, *arg);
	bool compares = kind != ALWAYS;

	if (call_word(c, *arg, "NX")) kind = IF_MISSING;
	if (call_word(c, *arg, "XX")) kind = IF_PRESENT;
	if (kind == ALWAYS) return false;
	if (compares && (condition->kind != ALWAYS || *arg + 1 >= c->argc)) return false;
	if (condition->kind != ALWAYS && condition->kind != kind) return false;
	condition->kind = kind;
	if (compares) condition->operand = c->argv[*arg + 1];
	*arg += compares ? 2 : 1;
	return true;
}

static bool set_options_read(struct call *c, struct set_options *options) {
	for (unsigned arg = 3; arg < c->argc;) {
		if (call_word(c, arg, "GET")) {
			options->get = true;
			arg++;
		} else if (!args_expiry_option(c, &arg, EXPIRY_TAKES_KEEPTTL, &options->expiry) &&
			   !take_condition(c, &arg, &options->condition)) {
			call_syntax_error(c);
			return false;
		}
	}
	return check_digest(c, &options->condition);
}

/* SET … GET: the old value is the answer, whatever happens then. It is written first, since the change ends its life,
 * and taken back should there be no memory for the new one. */
static void set_and_answer_old(struct call *c, const struct set_options *options, int64_t expiry_ms) {
	struct key key = call_key(c, 1);
	size_t answer_start = c->reply->out->len;

	if (!reply_current(c, &key, NULL)) return;
	struct entry *e = store_find_write(c->view, &key);
	/* The key is a string or missing by now: a condition that compares cannot be refused. */
	if (condition_judge(c, &options->condition, e) != GO_ON) return;
	if (!string_put(c, &key, e, c->argv[2], expiry_ms)) {
		c->reply->out->len = answer_start;
		reply_error(c->reply, ERR_NO_MEMORY);
	}
}

void cmd_set(struct call *c) {
	struct set_options options = { 0 };
	int64_t expiry_ms = EXPIRY_NONE;

	if (c->argc > 3) {
		if (!set_options_read(c, &options) || !args_expiry_value(c, &options.expiry, &expiry_ms)) return;
		if (options.get) {
			set_and_answer_old(c, &options, expiry_ms);
			return;
		}
	}
	struct key key = call_key(c, 1);
	struct entry *e = store_find_write(c->view, &key);
	switch (condition_judge(c, &options.condition, e)) {
	case REFUSED: return;
	case LEAVE_IT: reply_null(c->reply); return;
	case GO_ON: break;
	}
	if (string_put(c, &key, e, c->argv[2], expiry_ms)) {
		reply_ok(c->reply);
	} else {
		reply_error(c->reply, ERR_NO_MEMORY);
	}
}

void cmd_getset(struct call *c) {
	set_and_answer_old(c, &(struct set_options){ 0 }, EXPIRY_NONE);
}

void cmd_setnx(struct call *c) {
	struct key key = call_key(c, 1);

	if (store_find_write(c->view, &key)) {
		reply_int(c->reply, 0);
	} else if (string_put(c, &key, NULL, c->argv[2], EXPIRY_NONE)) {
		reply_int(c->reply, 1);
	} else {
		reply_error(c->reply, ERR_NO_MEMORY);
	}
}

static void set_with_expiry(struct call *c, enum expiry_unit unit) {
	int64_t expiry_ms;

	if (!args_expiry_time(c, 2, unit, EXPIRY_REFUSE_PAST, &expiry_ms)) return;
	struct key key = call_key(c, 1);
	if (string_put(c, &key, store_find_write(c->view, &key), c->argv[3], expiry_ms)) {
		reply_ok(c->reply);
	} else {
		reply_error(c->reply, ERR_NO_MEMORY);
	}
}

void cmd_setex(struct call *c) {
	set_with_expiry(c, EXPIRY_SECONDS);
}

void cmd_psetex(struct call *c) {
	set_with_expiry(c, EXPIRY_MS);
}

/* ---- Reading with a consequence ---- */

static void remove_key(struct call *c, const struct key *key, struct entry *e) {
	store_remove(c->view, key, e);
	store_committed(c->view, key, EVENT_GENERIC, "del");
}

void cmd_getdel(struct call *c) {
	struct key key = call_key(c, 1);
	const struct entry *found;

	if (!reply_current(c, &key, &found) || !found) return;
	remove_key(c, &key, store_find_write(c->view, &key));
}

static void change_expiry(
	struct call *c, const struct key *key, const struct expiry_option *option, int64_t expiry_ms) {
	struct view quiet = *c->view;
	quiet.flags |= VIEW_NO_TOUCH; /* GETEX has read the key: that is one access */
	struct entry *e = store_find_write(&quiet, key);
	bool absolute = option->unit == EXPIRY_SECONDS_AT || option->unit == EXPIRY_MS_AT;

	if (option->kind == EXPIRY_OPTION_PERSIST) {
		if (entry_expiry(e) < 0) return;
		store_set_expiry(c->view, key, e, EXPIRY_NONE);
		store_committed(c->view, key, EVENT_GENERIC, "persist");
	} else if (absolute && args_expiry_is_past(c, expiry_ms)) {
		remove_key(c, key, e);
	} else {
		store_set_expiry(c->view, key, e, expiry_ms);
		store_committed(c->view, key, EVENT_GENERIC, "expire");
	}
}

void cmd_getex(struct call *c) {
	struct expiry_option option = { 0 };
	int64_t expiry_ms;

	for (unsigned arg = 2; arg < c->argc;) {
		if (args_expiry_option(c, &arg, EXPIRY_TAKES_PERSIST, &option)) continue;
		call_syntax_error(c);
		return;
	}
	struct key key = call_key(c, 1);
	const struct entry *e = store_find(c->view, &key);
	if (!e) {
		reply_null(c->reply);
		return;
	}
	if (entry_type(e) != VALUE_STRING) {
		reply_error(c->reply, ERR_WRONGTYPE);
		return;
	}
	/* Only now is the time looked at: on a missing key Redis does not mind a bad one. */
	if (!args_expiry_value(c, &option, &expiry_ms)) return;
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	reply_slice(c->reply, entry_string(e, scratch));
	if (option.kind != EXPIRY_OPTION_NONE) change_expiry(c, &key, &option, expiry_ms);
}

/* ---- Removing under a condition, digests ---- */

static void remove_if(struct call *c, const struct condition *condition) {
	struct key key = call_key(c, 1);
	struct entry *e = store_find_write(c->view, &key);

	if (!e) {
		reply_int(c->reply, 0);
		return;
	}
	enum verdict verdict = condition_judge(c, condition, e);
	if (verdict == REFUSED) return;
	if (verdict == GO_ON) remove_key(c, &key, e);
	reply_int(c->reply, verdict == GO_ON);
}

void cmd_delex(struct call *c) {
	struct condition condition = { ALWAYS, { NULL, 0 } };

	if (c->argc > 2) {
		condition.kind = comparison_word(c, 2);
		if (condition.kind == ALWAYS || c->argc != 4) {
			call_syntax_error(c);
			return;
		}
		condition.operand = c->argv[3];
		if (!check_digest(c, &condition)) return;
	}
	remove_if(c, &condition);
}

void cmd_delifeq(struct call *c) {
	remove_if(c, &(struct condition){ IF_EQUAL, c->argv[2] });
}

void cmd_digest(struct call *c) {
	char scratch[NUMBER_I64_MAX_CHARS + 1], hex[DIGEST_CHARS];
	struct slice value;
	struct key key = call_key(c, 1);

	if (!call_read_string(c, &key, &value, scratch)) return;
	if (!value.ptr) {
		reply_null(c->reply);
	} else {
		reply_slice(c->reply, format_digest(hex, value));
	}
}
