#include "commands/args.h"

static bool fail_expiry(struct call *c) {
	reply_errorf(c->reply, ERR_INVALID_EXPIRE_FMT, call_name(c));
	return false;
}

bool args_expiry_time(struct call *c, unsigned arg, enum expiry_unit unit, enum expiry_past past, int64_t *at_ms) {
	int64_t time;

	if (!call_int(c, arg, &time, NULL)) return false;
	if (past == EXPIRY_REFUSE_PAST && time <= 0) return fail_expiry(c);
	if (unit == EXPIRY_SECONDS || unit == EXPIRY_SECONDS_AT) {
		if (__builtin_mul_overflow(time, 1000, &time)) return fail_expiry(c);
	}
	if (unit == EXPIRY_SECONDS || unit == EXPIRY_MS) {
		if (__builtin_add_overflow(time, c->view->now_ms, &time)) return fail_expiry(c);
	}
	*at_ms = time;
	return true;
}

/* The word's option, or EXPIRY_OPTION_NONE. */
static struct expiry_option match_word(const struct call *c, unsigned arg, unsigned words) {
	static const struct {
		const char *word;
		enum expiry_unit unit;
	} times[] = {
		{ "EX", EXPIRY_SECONDS },
		{ "PX", EXPIRY_MS },
		{ "EXAT", EXPIRY_SECONDS_AT },
		{ "PXAT", EXPIRY_MS_AT },
	};

	if (words & EXPIRY_TAKES_KEEPTTL && call_word(c, arg, "KEEPTTL")) {
		return (struct expiry_option){ .kind = EXPIRY_OPTION_KEEPTTL };
	}
	if (words & EXPIRY_TAKES_PERSIST && call_word(c, arg, "PERSIST")) {
		return (struct expiry_option){ .kind = EXPIRY_OPTION_PERSIST };
	}
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		if (!call_word(c, arg, times[i].word)) continue;
		/* Without a number behind it the word is no option. */
		if (arg + 1 >= c->argc) break;
		return (struct expiry_option){ EXPIRY_OPTION_TIME, times[i].unit, arg + 1 };
	}
	return (struct expiry_option){ .kind = EXPIRY_OPTION_NONE };
}

bool args_expiry_option(const struct call *c, unsigned *arg, unsigned words, struct expiry_option *option) {
	struct expiry_option found = match_word(c, *arg, words);

	if (found.kind == EXPIRY_OPTION_NONE) return false;
	if (option->kind != EXPIRY_OPTION_NONE && (option->kind != found.kind || option->unit != found.unit))
		return false;
	*option = found;
	*arg += found.kind == EXPIRY_OPTION_TIME ? 2 : 1;
	return true;
}

bool args_expiry_value(struct call *c, const struct expiry_option *option, int64_t *expiry_ms) {
	if (option->kind == EXPIRY_OPTION_TIME) {
		return args_expiry_time(c, option->arg, option->unit, EXPIRY_REFUSE_PAST, expiry_ms);
	}
	*expiry_ms = option->kind == EXPIRY_OPTION_KEEPTTL ? EXPIRY_KEEP : EXPIRY_NONE;
	return true;
}

bool args_bit_offset(struct call *c, unsigned arg, unsigned width, uint64_t *offset) {
	struct slice text = c->argv[arg];
	uint64_t value = 0;
	bool counted = width > 0 && text.len > 0 && text.ptr[0] == '#';

	if (counted) text = slice_of(text.ptr + 1, text.len - 1);
	bool ok = number_parse_u64(text, &value);
	if (ok && counted) ok = !__builtin_mul_overflow(value, width, &value);
	if (!ok || value >> 3 >= call_max_string(c)) {
		reply_error(c->reply, ERR_BIT_OFFSET);
		return false;
	}
	*offset = value;
	return true;
}
