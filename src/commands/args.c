#include "commands/args.h"

#include "base/glob.h"

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

/* ---- SSCAN, HSCAN, ZSCAN ---- */

static bool is_blank(char c) {
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* As strtoull reads the whole of a C string, which ends at a NUL: blanks in front, a sign, zeros; a number behind a minus
 * counts down from 2^64. */
static bool read_loosely(struct slice text, uint64_t *value) {
	size_t at = 0;
	while (at < text.len && is_blank(text.ptr[at])) at++;
	bool negative = at < text.len && text.ptr[at] == '-';
	if (at < text.len && (negative || text.ptr[at] == '+')) at++;
	size_t digits_at = at;
	*value = 0;
	for (; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++)
		if (__builtin_mul_overflow(*value, 10, value) ||
			__builtin_add_overflow(*value, (uint64_t)(text.ptr[at] - '0'), value))
			return false;
	if (negative) *value = 0 - *value;
	return at > digits_at && (at == text.len || text.ptr[at] == '\0');
}

bool args_cursor(struct call *c, unsigned arg, uint64_t *cursor) {
	int64_t proper;
	bool is_proper = number_parse_i64(c->argv[arg], &proper);
	*cursor = is_proper ? (uint64_t)proper : 0;
	if (is_proper ? proper >= 0 : read_loosely(c->argv[arg], cursor)) return true;
	reply_error(c->reply, ERR_CURSOR);
	return false;
}

static bool scan_count(struct call *c, unsigned arg, size_t *count) {
	int64_t given;
	if (!call_int(c, arg, &given, NULL)) return false;
	if (given < 1) {
		call_syntax_error(c);
		return false;
	}
	*count = (size_t)given;
	return true;
}

bool args_scan_options(struct call *c, unsigned arg, unsigned words, struct scan_options *options) {
	*options = (struct scan_options){ .count = 10 };
	for (; arg < c->argc; arg++) {
		if (call_word(c, arg, "novalues")) {
			if (!(words & SCAN_TAKES_NOVALUES)) {
				reply_error(c->reply, ERR_NOVALUES);
				return false;
			}
			options->no_values = true;
		} else if (arg + 1 < c->argc && call_word(c, arg, "count")) {
			if (!scan_count(c, ++arg, &options->count)) return false;
		} else if (arg + 1 < c->argc && call_word(c, arg, "match")) {
			options->pattern = c->argv[++arg];
			/* What matches everything need not be asked. */
			if (slice_equal(options->pattern, SLICE_LITERAL("*"))) options->pattern.ptr = NULL;
		} else {
			call_syntax_error(c);
			return false;
		}
	}
	return true;
}

bool args_scan_wants(const struct scan_options *options, struct slice element) {
	return !options->pattern.ptr || glob_match(options->pattern, element, GLOB_CASE);
}

void args_scan_reply(struct call *c, uint64_t cursor) {
	char text[NUMBER_I64_MAX_CHARS + 1];
	reply_array(c->reply, 2);
	reply_bulk(c->reply, text, number_format_u64(text, cursor));
}

/* ---- LMPOP, ZMPOP ---- */

static bool read_above_zero(struct call *c, unsigned arg, int64_t *value, const char *error) {
	if (number_parse_i64(c->argv[arg], value) && *value > 0) return true;
	reply_error(c->reply, error);
	return false;
}

bool args_pop_options(
	struct call *c, unsigned arg, const char *first, const char *second, struct pop_options *options) {
	int64_t keys, count = 1;
	if (!read_above_zero(c, arg, &keys, "ERR numkeys should be greater than 0")) return false;
	unsigned where = keys < c->argc - arg - 1 ? arg + 1 + (unsigned)keys : c->argc;
	bool is_second = call_word(c, where, second);
	bool known = is_second || call_word(c, where, first);
	bool counted = known && call_word(c, where + 1, "COUNT") && where + 2 < c->argc;
	if (!known || (where + 1 < c->argc && !counted)) {
		call_syntax_error(c);
		return false;
	}
	if (counted && !read_above_zero(c, where + 2, &count, "ERR count should be greater than 0")) return false;
	if (counted && where + 3 < c->argc) {
		call_syntax_error(c);
		return false;
	}
	*options = (struct pop_options){ (unsigned)keys, is_second, (size_t)count };
	return true;
}
