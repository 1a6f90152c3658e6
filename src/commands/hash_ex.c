/* Fields of hashes together with their end: HGETDEL, HGETEX, HSETEX. */
#include "commands/generated/command_handlers.h"

#include "commands/hash_common.h"

static bool fail_arity(struct call *c) {
	reply_errorf(c->reply, "ERR wrong number of arguments for '%s' command", call_name(c));
	return false;
}

/* Replies the value of a field, or null; whether it is there. */
static bool reply_field(struct call *c, const struct value *h, struct slice field) {
	char scratch[PACK_SCRATCH_BYTES];
	struct slice value = h->data ? hash_get(h, field, c->view->now_ms, scratch) : slice_of(NULL, 0);
	if (value.ptr)
		reply_slice(c->reply, value);
	else
		reply_null(c->reply);
	return value.ptr != NULL;
}

/* ---- Reading and changing ---- */

void cmd_hgetdel(struct call *c) {
	struct key key = call_key(c, 1);
	struct entry *e;
	struct hash_fields fields;
	if (!call_write_value(c, &key, VALUE_HASH, &e) || !hash_read_fields(c, 2, ERR_NUMFIELDS, &fields)) return;
	reply_array(c->reply, fields.end - fields.first);
	struct edit edit = { 0 };
	struct hash_changes changes = { 0 };
	if (e) store_open(c->view, &key, e, VALUE_HASH, &edit);
	for (unsigned arg = fields.first; arg < fields.end; arg++)
		if (reply_field(c, &edit.value, c->argv[arg]))
			changes.removed += hash_remove(&edit.value, c->argv[arg], c->view->now_ms);
	if (e) hash_close(c, &key, &edit, &changes);
}

/* What HGETEX does to a field that is there. False: no memory. */
static bool change_end(struct call *c, struct value *h, struct slice field, enum expiry_kind kind, int64_t end_ms,
	struct hash_changes *changes) {
	if (kind == EXPIRY_OPTION_TIME) return hash_end_field(c, h, field, end_ms, changes);
	if (hash_end(h, field, c->view->now_ms) == HASH_NO_END) return true;
	changes->persisted++;
	return hash_set_end(h, field, HASH_NO_END);
}

static void get_and_change(struct call *c, const struct key *key, struct entry *e, const struct hash_fields *fields,
	enum expiry_kind kind, int64_t end_ms) {
	struct edit edit;
	struct hash_changes changes = { 0 };
	bool ok = true;
	size_t start = c->reply->out->len;
	reply_array(c->reply, fields->end - fields->first);
	store_open(c->view, key, e, VALUE_HASH, &edit);
	hash_allow_ends(&edit.value);
	for (unsigned arg = fields->first; arg < fields->end && ok; arg++)
		if (reply_field(c, &edit.value, c->argv[arg]))
			ok = change_end(c, &edit.value, c->argv[arg], kind, end_ms, &changes);
	hash_close(c, key, &edit, &changes);
	if (!ok) hash_fail_memory(c, start);
}

void cmd_hgetex(struct call *c) {
	struct key key = call_key(c, 1);
	struct entry *e;
	struct expiry_option option = { .kind = EXPIRY_OPTION_NONE };
	struct hash_fields fields;
	int64_t end_ms = HASH_NO_END;
	unsigned arg = 2;
	if (!call_write_value(c, &key, VALUE_HASH, &e)) return;
	if (args_expiry_option(c, &arg, EXPIRY_TAKES_PERSIST, &option) && option.kind == EXPIRY_OPTION_TIME &&
		!hash_read_end(c, option.arg, option.unit, &end_ms))
		return;
	if (call_word(c, arg, "fields") && arg + 1 == c->argc) {
		(void)fail_arity(c);
		return;
	}
	if (!hash_read_fields(c, arg, ERR_NUMFIELDS, &fields)) return;
	if (e && option.kind != EXPIRY_OPTION_NONE) {
		get_and_change(c, &key, e, &fields, option.kind, end_ms);
		return;
	}
	struct value h = e ? entry_value(e) : (struct value){ 0 };
	reply_array(c->reply, fields.end - fields.first);
	for (arg = fields.first; arg < fields.end; arg++) (void)reply_field(c, &h, c->argv[arg]);
}

/* ---- HSETEX ---- */

struct hsetex {
	bool fnx, fxx;
	enum expiry_kind kind;
	int64_t end_ms;            /* with EXPIRY_OPTION_TIME */
	struct hash_fields fields; /* and values */
};

/* FIELDS at argument `arg`, to the end. */
static bool read_pairs(struct call *c, unsigned arg, struct hsetex *options) {
	static const char error[] = "ERR invalid number of fields";
	int64_t count;
	if (arg + 3 >= c->argc) return fail_arity(c);
	if (!call_int(c, arg + 1, &count, error)) return false;
	if (count < 1 || count > INT32_MAX) {
		reply_error(c->reply, error);
		return false;
	}
	options->fields = (struct hash_fields){ arg + 2, c->argc };
	return count * 2 == (int64_t)c->argc - (arg + 2) || fail_arity(c);
}

static bool fail_expiries(struct call *c) {
	reply_error(c->reply, "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");
	return false;
}

/* Such a word as the last argument. The arity sees to it that another one came before. */
static bool is_time_word(const struct call *c, unsigned arg) {
	return call_word(c, arg, "ex") || call_word(c, arg, "px") || call_word(c, arg, "exat") ||
	       call_word(c, arg, "pxat");
}

static bool read_expiry(struct call *c, const struct expiry_option *found, struct hsetex *options) {
	if (options->kind != EXPIRY_OPTION_NONE) return fail_expiries(c);
	options->kind = found->kind;
	return found->kind != EXPIRY_OPTION_TIME || hash_read_end(c, found->arg, found->unit, &options->end_ms);
}

static bool read_hsetex(struct call *c, struct hsetex *options) {
	for (unsigned arg = 2; arg < c->argc;) {
		struct expiry_option found = { .kind = EXPIRY_OPTION_NONE };
		if (call_word(c, arg, "fields")) return read_pairs(c, arg, options);
		if (call_word(c, arg, "fnx") || call_word(c, arg, "fxx")) {
			if (options->fnx || options->fxx) {
				reply_error(c->reply, "ERR Only one of FXX or FNX arguments can be specified");
				return false;
			}
			options->fnx = call_word(c, arg, "fnx");
			options->fxx = !options->fnx;
			arg++;
		} else if (args_expiry_option(c, &arg, EXPIRY_TAKES_KEEPTTL, &found)) {
			if (!read_expiry(c, &found, options)) return false;
		} else if (is_time_word(c, arg)) {
			return fail_expiries(c);
		} else {
			reply_errorf(c->reply, "ERR unknown argument: %.*s",
				(int)(c->argv[arg].len < 128 ? c->argv[arg].len : 128), c->argv[arg].ptr);
			return false;
		}
	}
	reply_error(c->reply, "ERR missing FIELDS argument");
	return false;
}

/* Whether the fields are such that they may be set. */
static bool hsetex_applies(const struct call *c, const struct entry *e, const struct hsetex *options) {
	if (!options->fnx && !options->fxx) return true;
	if (!e) return options->fnx;
	struct value h = entry_value(e);
	for (unsigned arg = options->fields.first; arg < options->fields.end; arg += 2)
		if (hash_has(&h, c->argv[arg], c->view->now_ms) == options->fnx) return false;
	return true;
}

/* False: no memory. */
static bool set_pairs(struct call *c, struct value *h, const struct hsetex *options, struct hash_changes *changes) {
	const struct type_limits *limits = store_limits(c->view);
	bool timed = options->kind == EXPIRY_OPTION_TIME;
	bool past = timed && args_expiry_is_past(c, options->end_ms);
	int64_t end_ms = options->kind == EXPIRY_OPTION_KEEPTTL ? HASH_KEEP_END : HASH_NO_END;
	if (timed && !past) end_ms = options->end_ms;
	hash_expect(h, (options->fields.end - options->fields.first) / 2, limits);
	if (timed) hash_allow_ends(h);
	for (unsigned arg = options->fields.first; arg < options->fields.end; arg += 2) {
		if (hash_set(h, c->argv[arg], c->argv[arg + 1], end_ms, c->view->now_ms, limits) == HASH_NO_MEMORY)
			return false;
		changes->set++;
		if (past) /* Set and gone at once. */
			changes->removed += hash_remove(h, c->argv[arg], c->view->now_ms);
		else
			changes->ends += timed;
	}
	return true;
}

void cmd_hsetex(struct call *c) {
	struct hsetex options = { .kind = EXPIRY_OPTION_NONE };
	struct key key = call_key(c, 1);
	struct entry *e;
	if (!read_hsetex(c, &options) || !call_write_value(c, &key, VALUE_HASH, &e)) return;
	if (!hsetex_applies(c, e, &options)) {
		reply_int(c->reply, 0);
		return;
	}
	struct edit edit;
	struct hash_changes changes = { 0 };
	store_open(c->view, &key, e, VALUE_HASH, &edit);
	bool ok = set_pairs(c, &edit.value, &options, &changes);
	/* A new key whose fields have ended already: it came, and goes with them. */
	if (!e && changes.removed > 0) store_event(c->view, &key, EVENT_NEW, "new");
	hash_close(c, &key, &edit, &changes);
	if (ok)
		reply_int(c->reply, 1);
	else
		reply_error(c->reply, ERR_NO_MEMORY);
}
