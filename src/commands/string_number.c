/* Strings as numbers: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT. */
#include "commands/generated/command_handlers.h"

#include <math.h>

#include "commands/args.h"

/* The number under a key; a missing one is 0. */
static bool read_integer(struct call *c, const struct entry *e, int64_t *value) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];

	if (!e) {
		*value = 0;
	} else if (entry_encoding(e) == STRING_INT) {
		*value = entry_int(e);
	} else if (!number_parse_i64(entry_string(e, scratch), value)) {
		reply_error(c->reply, ERR_NOT_INTEGER);
		return false;
	}
	return true;
}

static void increment(struct call *c, int64_t by) {
	struct key key = call_key(c, 1);
	struct entry *e;
	int64_t value;

	if (!call_write_string(c, &key, &e) || !read_integer(c, e, &value)) return;
	if (__builtin_add_overflow(value, by, &value)) {
		reply_error(c->reply, ERR_OVERFLOW);
		return;
	}
	if (!store_put_int(c->view, &key, e, value, EXPIRY_KEEP)) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	store_committed(c->view, &key, EVENT_STRING, "incrby");
	reply_int(c->reply, value);
}

void cmd_incr(struct call *c) {
	increment(c, 1);
}

void cmd_decr(struct call *c) {
	increment(c, -1);
}

void cmd_incrby(struct call *c) {
	int64_t by;

	if (call_int(c, 2, &by, NULL)) increment(c, by);
}

void cmd_decrby(struct call *c) {
	int64_t by;

	if (!call_int(c, 2, &by, NULL)) return;
	if (by == INT64_MIN) {
		reply_error(c->reply, ERR_DECR_OVERFLOW);
		return;
	}
	increment(c, -by);
}

/* In long double, as Redis does: more digits than the result shows, so that 0.1 + 0.2 is 0.3. */
void cmd_incrbyfloat(struct call *c) {
	char scratch[NUMBER_I64_MAX_CHARS + 1], text[NUMBER_HUMAN_MAX_CHARS];
	struct key key = call_key(c, 1);
	long double value = 0, by;
	struct entry *e;

	if (!call_write_string(c, &key, &e)) return;
	if ((e && !number_parse_long_double(entry_string(e, scratch), &value)) ||
		!number_parse_long_double(c->argv[2], &by)) {
		reply_error(c->reply, ERR_NOT_FLOAT);
		return;
	}
	value += by;
	if (isnan(value) || isinf(value)) {
		reply_error(c->reply, ERR_NAN_OR_INF);
		return;
	}
	struct slice result = slice_of(text, number_format_human(text, value));
	if (!store_put_text(c->view, &key, e, result, EXPIRY_KEEP)) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	store_committed(c->view, &key, EVENT_STRING, "incrbyfloat");
	reply_slice(c->reply, result);
}
