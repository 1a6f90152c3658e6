/* Strings under several keys at once: MGET, MSET, MSETNX, MSETEX. All keys are held by the gate, so each is atomic. */
#include "commands/generated/command_handlers.h"

#include "commands/args.h"
#include "commands/string_common.h"

void cmd_mget(struct call *c) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];

	reply_array(c->reply, c->argc - 1);
	for (unsigned arg = 1; arg < c->argc; arg++) {
		struct key key = call_key(c, arg);
		const struct entry *e = store_find(c->view, &key);
		/* Another type reads as nothing, here alone. */
		if (e && entry_type(e) == VALUE_STRING) {
			reply_slice(c->reply, entry_string(e, scratch));
		} else {
			reply_null(c->reply);
		}
	}
}

/* The pairs from `first` up to `end`. */
static bool put_pairs(struct call *c, unsigned first, unsigned end, int64_t expiry_ms) {
	for (unsigned arg = first; arg < end; arg += 2) {
		struct key key = call_key(c, arg);
		if (!string_put(c, &key, store_find_write(c->view, &key), c->argv[arg + 1], expiry_ms)) {
			reply_error(c->reply, ERR_NO_MEMORY);
			return false;
		}
	}
	return true;
}

/* Whether one of the keys of the pairs is there (`present`) or one is not. */
static bool any_key_is(struct call *c, unsigned first, unsigned end, bool present) {
	for (unsigned arg = first; arg < end; arg += 2) {
		struct key key = call_key(c, arg);
		if ((store_find_write(c->view, &key) != NULL) == present) return true;
	}
	return false;
}

static bool pairs_complete(struct call *c) {
	if (c->argc % 2 == 1) return true;
	reply_errorf(c->reply, "ERR wrong number of arguments for '%s' command", call_name(c));
	return false;
}

void cmd_mset(struct call *c) {
	if (pairs_complete(c) && put_pairs(c, 1, c->argc, EXPIRY_NONE)) reply_ok(c->reply);
}

void cmd_msetnx(struct call *c) {
	if (!pairs_complete(c)) return;
	if (any_key_is(c, 1, c->argc, true)) {
		reply_int(c->reply, 0);
	} else if (put_pairs(c, 1, c->argc, EXPIRY_NONE)) {
		reply_int(c->reply, 1);
	}
}

struct msetex_options {
	bool nx, xx;
	struct expiry_option expiry;
};

static bool msetex_options_read(const struct call *c, unsigned arg, struct msetex_options *options) {
	while (arg < c->argc) {
		if (call_word(c, arg, "NX") && !options->xx) {
			options->nx = true;
			arg++;
		} else if (call_word(c, arg, "XX") && !options->nx) {
			options->xx = true;
			arg++;
		} else if (!args_expiry_option(c, &arg, EXPIRY_TAKES_KEEPTTL, &options->expiry)) {
			return false;
		}
	}
	return true;
}

/* MSETEX numkeys key value … [NX | XX] [EX … | KEEPTTL]: all of the keys or none. */
void cmd_msetex(struct call *c) {
	struct msetex_options options = { 0 };
	int64_t count, expiry_ms;

	if (!number_parse_i64(c->argv[1], &count) || count <= 0) {
		reply_error(c->reply, "ERR invalid numkeys value");
		return;
	}
	if (count > (c->argc - 2) / 2) {
		reply_error(c->reply, "ERR wrong number of key-value pairs");
		return;
	}
	unsigned end = 2 + (unsigned)count * 2;
	if (!msetex_options_read(c, end, &options)) {
		call_syntax_error(c);
		return;
	}
	if (!args_expiry_value(c, &options.expiry, &expiry_ms)) return;
	if ((options.nx && any_key_is(c, 2, end, true)) || (options.xx && any_key_is(c, 2, end, false))) {
		reply_int(c->reply, 0);
	} else if (put_pairs(c, 2, end, expiry_ms)) {
		reply_int(c->reply, 1);
	}
}
