/* Strings as bit arrays: SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP. BITFIELD is in bitfield.c. */
#include "commands/generated/command_handlers.h"

#include "base/alloc.h"
#include "commands/args.h"
#include "types/bits.h"

/* ---- One bit ---- */

void cmd_setbit(struct call *c) {
	uint64_t offset;
	int64_t bit;
	struct entry *e;

	if (!args_bit_offset(c, 2, 0, &offset) || !call_int(c, 3, &bit, ERR_BIT_VALUE)) return;
	if (bit != 0 && bit != 1) {
		reply_error(c->reply, ERR_BIT_VALUE);
		return;
	}
	struct key key = call_key(c, 1);
	if (!call_write_string(c, &key, &e)) return;
	size_t len = e ? entry_string_len(e) : 0, need = (size_t)(offset >> 3) + 1;
	/* Also when the bit is the same already: the string counts as edited from now on. */
	char *bytes = store_edit_string(c->view, &key, e, len < need ? need : len);
	if (!bytes) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	bool old = bits_get(bytes, offset);
	bits_set(bytes, offset, bit);
	if (len < need || old != bit) store_committed(c->view, &key, EVENT_STRING, "setbit");
	reply_int(c->reply, old);
}

void cmd_getbit(struct call *c) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	uint64_t offset;
	struct slice value;

	if (!args_bit_offset(c, 2, 0, &offset)) return;
	struct key key = call_key(c, 1);
	if (!call_read_string(c, &key, &value, scratch)) return;
	reply_int(c->reply, offset >> 3 < value.len && bits_get(value.ptr, offset));
}

/* ---- Ranges ---- */

struct bit_range {
	int64_t start, end; /* as the client gave them, in bytes or bits, negative from the end */
	bool in_bits;
	bool end_given;
};

static bool read_unit(struct call *c, unsigned arg, bool *in_bits) {
	*in_bits = call_word(c, arg, "BIT");
	if (arg >= c->argc || *in_bits || call_word(c, arg, "BYTE")) return true;
	call_syntax_error(c);
	return false;
}

/* The bits of the range that `len` bytes have, both ends included; false when it is empty. */
static bool resolve_range(const struct bit_range *range, size_t len, uint64_t *first, uint64_t *last) {
	int64_t total = (int64_t)(range->in_bits ? (uint64_t)len * 8 : len);
	int64_t start = range->start, end = range->end;

	if (start < 0) start += total;
	if (end < 0) end += total;
	if (start < 0) start = 0;
	if (end < 0) end = 0;
	if (end >= total) end = total - 1;
	if (start > end) return false;
	*first = (uint64_t)(range->in_bits ? start : start * 8);
	*last = (uint64_t)(range->in_bits ? end : end * 8 + 7);
	return true;
}

static bool bitcount_range_read(struct call *c, struct bit_range *range) {
	*range = (struct bit_range){ .start = 0, .end = -1 };
	if (c->argc == 2) return true;
	if (c->argc < 4 || c->argc > 5) {
		call_syntax_error(c);
		return false;
	}
	return call_int(c, 2, &range->start, NULL) && call_int(c, 3, &range->end, NULL) &&
	       read_unit(c, 4, &range->in_bits);
}

void cmd_bitcount(struct call *c) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	struct key key = call_key(c, 1);
	struct bit_range range;
	struct slice value;
	uint64_t first, last;

	if (!bitcount_range_read(c, &range) || !call_read_string(c, &key, &value, scratch)) return;
	/* Ends before the string move to its first element, so that "-100 -90" means that one in Redis; but not where they
	 * are the wrong way round. BITPOS knows no such exception. */
	bool reversed = range.start < 0 && range.end < 0 && range.start > range.end;
	if (c->argc == 2) {
		reply_int(c->reply, (int64_t)bits_count(value.ptr, value.len));
	} else if (reversed || !resolve_range(&range, value.len, &first, &last)) {
		reply_int(c->reply, 0);
	} else {
		reply_int(c->reply, (int64_t)bits_count_range(value.ptr, first, last));
	}
}

static bool bitpos_range_read(struct call *c, struct bit_range *range) {
	*range = (struct bit_range){ .start = 0, .end = -1, .end_given = c->argc > 4 };
	if (c->argc > 6) {
		call_syntax_error(c);
		return false;
	}
	if (c->argc > 3 && !call_int(c, 3, &range->start, NULL)) return false;
	return read_unit(c, 5, &range->in_bits) && (!range->end_given || call_int(c, 4, &range->end, NULL));
}

void cmd_bitpos(struct call *c) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	struct bit_range range;
	struct slice value;
	uint64_t first, last;
	int64_t bit;

	if (!call_int(c, 2, &bit, NULL)) return;
	if (bit != 0 && bit != 1) {
		reply_error(c->reply, "ERR The bit argument must be 1 or 0.");
		return;
	}
	struct key key = call_key(c, 1);
	if (!bitpos_range_read(c, &range) || !call_read_string(c, &key, &value, scratch)) return;
	if (!value.ptr) {
		/* A missing key is an endless row of zeros. */
		reply_int(c->reply, bit ? -1 : 0);
		return;
	}
	if (!resolve_range(&range, value.len, &first, &last)) {
		reply_int(c->reply, -1);
		return;
	}
	int64_t position = bits_find(value.ptr, bit, first, last);
	/* So is what lies behind a string, unless the client named the end of the search. */
	if (position < 0 && !bit && !range.end_given) position = (int64_t)value.len * 8;
	reply_int(c->reply, position);
}

/* ---- BITOP ---- */

struct bitop_name {
	const char *name;
	enum bits_operation op;
	unsigned min_sources;
};

static const struct bitop_name bitop_names[] = {
	{ "AND", BITS_AND, 1 },
	{ "OR", BITS_OR, 1 },
	{ "XOR", BITS_XOR, 1 },
	{ "NOT", BITS_NOT, 1 },
	{ "DIFF", BITS_DIFF, 2 },
	{ "DIFF1", BITS_DIFF1, 2 },
	{ "ANDOR", BITS_ANDOR, 2 },
	{ "ONE", BITS_ONE, 1 },
};

static const struct bitop_name *bitop_read(struct call *c) {
	size_t count = c->argc - 3;

	for (size_t i = 0; i < sizeof(bitop_names) / sizeof(bitop_names[0]); i++) {
		const struct bitop_name *name = &bitop_names[i];
		if (!call_word(c, 1, name->name)) continue;
		if (name->op == BITS_NOT && count != 1) {
			reply_error(c->reply, "ERR BITOP NOT must be called with a single source key.");
			return NULL;
		}
		if (count < name->min_sources) {
			reply_errorf(
				c->reply, "ERR BITOP %s must be called with at least two source keys.", name->name);
			return NULL;
		}
		return name;
	}
	call_syntax_error(c);
	return NULL;
}

struct bitop_scratch {
	char digits[NUMBER_I64_MAX_CHARS + 1];
};

/* The values of the source keys and the length of the longest. They stay valid, since nothing changes until the result
 * is complete. */
static bool bitop_sources(struct call *c, struct slice *sources, struct bitop_scratch *scratch, size_t *longest) {
	*longest = 0;
	for (unsigned arg = 3; arg < c->argc; arg++) {
		unsigned i = arg - 3;
		struct key key = call_key(c, arg);
		if (!call_read_string(c, &key, &sources[i], scratch[i].digits)) return false;
		if (sources[i].len > *longest) *longest = sources[i].len;
	}
	return true;
}

/* The result takes the place of whatever the destination held; it is an edited string, "raw" to users. */
static bool bitop_store(struct call *c, const struct key *key, struct slice result) {
	struct entry *e = store_find_write(c->view, key);

	if (result.len == 0) {
		if (e) {
			store_remove(c->view, key, e);
			store_committed(c->view, key, EVENT_GENERIC, "del");
		}
		return true;
	}
	e = store_overwrite_string(c->view, key, e, result, EXPIRY_NONE);
	if (!e || !store_edit_string(c->view, key, e, result.len)) return false;
	store_committed(c->view, key, EVENT_STRING, "set");
	return true;
}

/* False without memory; otherwise replied. */
static bool bitop_run(struct call *c, enum bits_operation op, struct slice *sources, struct bitop_scratch *scratch) {
	struct key dest = call_key(c, 2);
	struct buffer result = { 0 };
	size_t longest;

	if (!bitop_sources(c, sources, scratch, &longest)) return true;
	bool ok = buffer_try_reserve(&result, longest);
	if (ok) {
		bits_combine(op, (unsigned char *)result.data, longest, sources, c->argc - 3);
		ok = bitop_store(c, &dest, slice_of(result.data, longest));
	}
	buffer_release(&result);
	if (ok) reply_int(c->reply, (int64_t)longest);
	return ok;
}

void cmd_bitop(struct call *c) {
	enum { FEW = 16 };
	struct slice few_sources[FEW], *sources = few_sources;
	struct bitop_scratch few_scratch[FEW], *scratch = few_scratch;
	const struct bitop_name *name = bitop_read(c);
	size_t count = c->argc - 3;

	if (!name) return;
	if (count > FEW) {
		sources = mem_try_alloc(count * sizeof(*sources));
		scratch = mem_try_alloc(count * sizeof(*scratch));
	}
	bool ok = sources && scratch && bitop_run(c, name->op, sources, scratch);
	if (!ok) reply_error(c->reply, ERR_NO_MEMORY);
	if (count > FEW) {
		mem_free(sources);
		mem_free(scratch);
	}
}
