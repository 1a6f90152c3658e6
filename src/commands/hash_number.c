/* Numbers in hashes: HINCRBY, HINCRBYFLOAT. Both keep the end that a field has. */
#include "commands/generated/command_handlers.h"

#include <math.h>

#include "commands/args.h"
#include "types/hash.h"

/* The text of the field that argument 2 names, ptr NULL when there is none. False, error written: the key holds something
 * else. */
static bool read_number(struct call *c, const struct key *key, struct entry **e, struct slice *text,
	char scratch[static PACK_SCRATCH_BYTES]) {
	*text = slice_of(NULL, 0);
	if (!call_write_value(c, key, VALUE_HASH, e)) return false;
	if (!*e) return true;
	struct value h = entry_value(*e);
	*text = hash_get(&h, c->argv[2], c->view->now_ms, scratch);
	return true;
}

/* False, error written: no memory. */
static bool put_number(struct call *c, const struct key *key, struct entry *e, struct slice text, const char *event) {
	struct edit edit;
	store_open(c->view, key, e, VALUE_HASH, &edit);
	enum hash_set_result result =
		hash_set(&edit.value, c->argv[2], text, HASH_KEEP_END, c->view->now_ms, store_limits(c->view));
	(void)store_close(c->view, key, &edit);
	if (result == HASH_NO_MEMORY) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return false;
	}
	store_committed(c->view, key, EVENT_HASH, event);
	return true;
}

void cmd_hincrby(struct call *c) {
	char scratch[PACK_SCRATCH_BYTES];
	struct key key = call_key(c, 1);
	struct entry *e;
	struct slice text;
	int64_t value = 0, by;
	if (!call_int(c, 3, &by, NULL) || !read_number(c, &key, &e, &text, scratch)) return;
	if (text.ptr && !number_parse_i64(text, &value)) {
		reply_error(c->reply, "ERR hash value is not an integer");
		return;
	}
	if (__builtin_add_overflow(value, by, &value)) {
		reply_error(c->reply, ERR_OVERFLOW);
		return;
	}
	text = slice_of(scratch, number_format_i64(scratch, value));
	if (put_number(c, &key, e, text, "hincrby")) reply_int(c->reply, value);
}

void cmd_hincrbyfloat(struct call *c) {
	char scratch[PACK_SCRATCH_BYTES], digits[NUMBER_HUMAN_MAX_CHARS];
	struct key key = call_key(c, 1);
	struct entry *e;
	struct slice text;
	long double value = 0, by;
	if (!number_parse_long_double(c->argv[3], &by)) {
		reply_error(c->reply, ERR_NOT_FLOAT);
		return;
	}
	if (isinf(by)) {
		reply_error(c->reply, "ERR value is NaN or Infinity");
		return;
	}
	if (!read_number(c, &key, &e, &text, scratch)) return;
	if (text.ptr && !number_parse_long_double(text, &value)) {
		reply_error(c->reply, "ERR hash value is not a float");
		return;
	}
	value += by;
	if (isnan(value) || isinf(value)) {
		reply_error(c->reply, ERR_NAN_OR_INF);
		return;
	}
	text = slice_of(digits, number_format_human(digits, value));
	if (put_number(c, &key, e, text, "hincrbyfloat")) reply_slice(c->reply, text);
}
