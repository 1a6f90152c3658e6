/* Strings as arrays of integers of any width: BITFIELD and BITFIELD_RO.
 *
 * The arguments are read twice: once to refuse what is wrong, count the answers and see how far the writes reach, then to
 * act. That needs no memory that grows with the request. */
#include "commands/generated/command_handlers.h"

#include "commands/args.h"
#include "types/bits.h"

enum field_verb { FIELD_GET, FIELD_SET, FIELD_INCRBY };

struct field_op {
	enum field_verb verb;
	struct bits_type type;
	enum bits_overflow overflow;
	uint64_t offset; /* in bits */
	int64_t operand; /* of SET and INCRBY */
};

struct field_reader {
	unsigned arg; /* of the next word */
	enum bits_overflow overflow;
};

enum read_result { FIELD_OP, FIELD_END, FIELD_ERROR };

static bool read_type(struct call *c, unsigned arg, struct bits_type *type) {
	struct slice text = c->argv[arg];
	int64_t width = 0;
	bool is_signed = text.len > 0 && text.ptr[0] == 'i';

	if ((is_signed || (text.len > 0 && text.ptr[0] == 'u')) &&
		number_parse_i64(slice_of(text.ptr + 1, text.len - 1), &width) && width >= 1 &&
		width <= (is_signed ? 64 : 63)) {
		*type = (struct bits_type){ is_signed, (uint8_t)width };
		return true;
	}
	reply_error(c->reply,
		"ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.");
	return false;
}

static bool read_overflow(struct call *c, unsigned arg, enum bits_overflow *overflow) {
	if (call_word(c, arg, "WRAP")) {
		*overflow = BITS_WRAP;
	} else if (call_word(c, arg, "SAT")) {
		*overflow = BITS_SATURATE;
	} else if (call_word(c, arg, "FAIL")) {
		*overflow = BITS_FAIL;
	} else {
		reply_error(c->reply, "ERR Invalid OVERFLOW type specified");
		return false;
	}
	return true;
}

/* `r->arg` stands on a verb; false when it is none or lacks arguments. */
static bool read_verb(const struct call *c, const struct field_reader *r, enum field_verb *verb) {
	unsigned left = c->argc - r->arg - 1;

	if (call_word(c, r->arg, "GET") && left >= 2) {
		*verb = FIELD_GET;
	} else if (call_word(c, r->arg, "SET") && left >= 3) {
		*verb = FIELD_SET;
	} else if (call_word(c, r->arg, "INCRBY") && left >= 3) {
		*verb = FIELD_INCRBY;
	} else {
		return false;
	}
	return true;
}

static enum read_result read_op(struct call *c, struct field_reader *r, struct field_op *op) {
	for (; call_word(c, r->arg, "OVERFLOW") && r->arg + 1 < c->argc; r->arg += 2) {
		if (!read_overflow(c, r->arg + 1, &r->overflow)) return FIELD_ERROR;
	}
	if (r->arg >= c->argc) return FIELD_END;
	if (!read_verb(c, r, &op->verb)) {
		call_syntax_error(c);
		return FIELD_ERROR;
	}
	op->overflow = r->overflow;
	if (!read_type(c, r->arg + 1, &op->type)) return FIELD_ERROR;
	if (!args_bit_offset(c, r->arg + 2, op->type.width, &op->offset)) return FIELD_ERROR;
	if (op->verb != FIELD_GET && !call_int(c, r->arg + 3, &op->operand, NULL)) return FIELD_ERROR;
	r->arg += op->verb == FIELD_GET ? 3 : 4;
	return FIELD_OP;
}

struct field_plan {
	size_t count; /* of answers */
	bool writes;
	size_t need_len; /* bytes that the writes reach */
};

static bool plan(struct call *c, struct field_plan *plan) {
	struct field_reader r = { .arg = 2 };
	struct field_op op;
	enum read_result got;

	*plan = (struct field_plan){ 0 };
	while ((got = read_op(c, &r, &op)) == FIELD_OP) {
		plan->count++;
		if (op.verb == FIELD_GET) continue;
		size_t reach = (size_t)((op.offset + op.type.width - 1) >> 3) + 1;
		if (reach > plan->need_len) plan->need_len = reach;
		plan->writes = true;
	}
	return got == FIELD_END;
}

struct written {
	unsigned all;
	unsigned changed; /* those that left other bits */
};

/* Writes, if it fits, and answers the old value (SET) or the new one (INCRBY). */
static void change(struct call *c, char *bytes, size_t len, const struct field_op *op, struct written *written) {
	int64_t old = bits_read(bytes, len, op->offset, op->type), value;
	bool fits = op->verb == FIELD_SET ? bits_fit(op->type, op->operand, op->overflow, &value)
					  : bits_add(op->type, old, op->operand, op->overflow, &value);

	if (!fits) {
		reply_null(c->reply);
		return;
	}
	bits_write(bytes, op->offset, op->type, value);
	reply_int(c->reply, op->verb == FIELD_SET ? old : value);
	written->all++;
	written->changed += value != old;
}

/* The second reading. `bytes` are writable when the plan writes. */
static struct written run(struct call *c, const struct field_plan *plan, char *bytes, size_t len) {
	struct field_reader r = { .arg = 2 };
	struct field_op op;
	struct written written = { 0 };

	reply_array(c->reply, plan->count);
	while (read_op(c, &r, &op) == FIELD_OP) {
		if (op.verb == FIELD_GET) {
			reply_int(c->reply, bits_read(bytes, len, op.offset, op.type));
		} else {
			change(c, bytes, len, &op, &written);
		}
	}
	return written;
}

static void run_reading(struct call *c, const struct field_plan *plan) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	struct key key = call_key(c, 1);
	struct slice value;

	if (!call_read_string(c, &key, &value, scratch)) return;
	/* Nothing writes in this plan: the cast only joins the two ways to the bytes. */
	(void)run(c, plan, (char *)(uintptr_t)value.ptr, value.len);
}

static void run_writing(struct call *c, const struct field_plan *plan) {
	struct key key = call_key(c, 1);
	struct entry *e;

	if (!call_write_string(c, &key, &e)) return;
	size_t old_len = e ? entry_string_len(e) : 0;
	size_t len = old_len < plan->need_len ? plan->need_len : old_len;
	char *bytes = store_edit_string(c->view, &key, e, len);
	if (!bytes) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	struct written written = run(c, plan, bytes, len);
	bool grew = len != old_len;
	/* A string that grew has changed, even when each write failed for overflow; what counts are the writes. */
	if (written.changed > 0 || grew)
		store_committed_many(c->view, &key, EVENT_STRING, "setbit", grew ? written.all : written.changed);
}

void cmd_bitfield(struct call *c) {
	struct field_plan p;

	if (!plan(c, &p)) return;
	if (p.writes) {
		run_writing(c, &p);
	} else {
		run_reading(c, &p);
	}
}

void cmd_bitfield_ro(struct call *c) {
	struct field_plan p;

	if (!plan(c, &p)) return;
	if (p.writes) {
		reply_error(c->reply, "ERR BITFIELD_RO only supports the GET subcommand");
		return;
	}
	run_reading(c, &p);
}
