/* HyperLogLogs: PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST. The values are strings; types/hll.h knows their bytes. */
#include "commands/generated/command_handlers.h"

#include "base/buffer.h"
#include "commands/args.h"
#include "types/hll.h"

#define ERR_NOT_HLL "WRONGTYPE Key is not a valid HyperLogLog string value."
#define ERR_CORRUPT "INVALIDOBJ Corrupted HLL object detected"

/* ---- Values ---- */

static bool check_hll(struct call *c, struct slice bytes) {
	if (hll_is(bytes)) return true;
	reply_error(c->reply, ERR_NOT_HLL);
	return false;
}

/* The HLL under a key for reading; ptr NULL when the key is missing. False, error written, when it is something else. */
static bool read_hll(struct call *c, const struct key *key, struct slice *hll, char *scratch) {
	return call_read_string(c, key, hll, scratch) && (!hll->ptr || check_hll(c, *hll));
}

/* The same for writing. */
static bool write_hll(struct call *c, const struct key *key, struct entry **e, struct slice *hll, char *scratch) {
	*hll = slice_of(NULL, 0);
	if (!call_write_string(c, key, e)) return false;
	if (!*e) return true;
	*hll = entry_string(*e, scratch);
	return check_hll(c, *hll);
}

/* A copy to be changed, of an empty HLL when there is none. False, error written, when it is too long to be one. */
static bool copy_hll(struct call *c, struct slice hll, struct buffer *copy) {
	if (!hll.ptr) hll = hll_empty();
	if (hll.len > HLL_BYTES_MAX) {
		reply_error(c->reply, ERR_CORRUPT);
		return false;
	}
	/* Room for what adding an element or two takes. */
	buffer_reserve(copy, hll.len + 16);
	buffer_append_slice(copy, hll);
	return true;
}

/* Gives the key these bytes; `e` has the old ones. False, error written, without memory. */
static bool put_hll(struct call *c, const struct key *key, struct entry *e, struct slice hll) {
	size_t old_len = e ? entry_string_len(e) : 0;
	/* A dense HLL stays as long as it is. An edited string has room to grow, which would be wasted on it. */
	if (hll.len == HLL_DENSE_BYTES && old_len != hll.len) {
		if (store_put_string(c->view, key, e, hll, EXPIRY_KEEP)) return true;
	} else {
		char *bytes = store_edit_string(c->view, key, e, hll.len);
		if (bytes) memcpy(bytes, hll.ptr, hll.len);
		if (bytes) return true;
	}
	reply_error(c->reply, ERR_NO_MEMORY);
	return false;
}

/* ---- PFADD ---- */

/* Most elements that are added to a full one are known already, so reading comes first. *grown: registers that grew. */
static bool add_dense(struct call *c, const struct key *key, struct entry *e, struct slice hll, size_t *grown) {
	unsigned arg = 2;

	while (arg < c->argc && !hll_would_add_dense(hll.ptr, c->argv[arg])) arg++;
	if (arg == c->argc) return true;
	char *bytes = store_edit_string(c->view, key, e, HLL_DENSE_BYTES);
	if (!bytes) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return false;
	}
	for (; arg < c->argc; arg++) *grown += hll_add_dense(bytes, c->argv[arg]) == HLL_CHANGED;
	return true;
}

/* `copy` takes the elements, and then the key the copy, so that nothing is changed when the bytes turn out to be corrupt. */
static bool add_sparse(
	struct call *c, const struct key *key, struct entry *e, struct slice hll, struct buffer *copy, size_t *grown) {
	size_t sparse_max = store_limits(c->view)->hll_sparse_max_bytes;

	if (!copy_hll(c, hll, copy)) return false;
	for (unsigned arg = 2; arg < c->argc; arg++) {
		enum hll_result added = hll_add(copy, c->argv[arg], sparse_max);
		if (added == HLL_CORRUPT) {
			reply_error(c->reply, ERR_CORRUPT);
			return false;
		}
		*grown += added == HLL_CHANGED;
	}
	/* Also when nothing changed: the string counts as edited from now on. */
	return put_hll(c, key, e, buffer_slice(copy));
}

void cmd_pfadd(struct call *c) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	struct key key = call_key(c, 1);
	struct buffer copy = { 0 };
	struct slice hll;
	struct entry *e;

	if (!write_hll(c, &key, &e, &hll, scratch)) return;
	size_t changes = !e; /* that there is one counts, and each register that grows */
	bool ok = e && hll_is_dense(hll) ? add_dense(c, &key, e, hll, &changes)
					 : add_sparse(c, &key, e, hll, &copy, &changes);
	buffer_release(&copy);
	if (!ok) return;
	if (changes > 0) store_committed_many(c->view, &key, EVENT_STRING, "pfadd", changes);
	reply_int(c->reply, changes > 0);
}

/* ---- PFCOUNT ---- */

/* Raises the registers to those of the keys from argument `from` on; *dense: one of them is dense. */
static bool merge_keys(struct call *c, unsigned from, struct hll_registers *registers, bool *dense) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	struct slice hll;

	*dense = false;
	memset(registers, 0, sizeof(*registers));
	for (unsigned arg = from; arg < c->argc; arg++) {
		struct key key = call_key(c, arg);
		if (!read_hll(c, &key, &hll, scratch)) return false;
		if (!hll.ptr) continue;
		if (!hll_merge(registers, hll)) {
			reply_error(c->reply, ERR_CORRUPT);
			return false;
		}
		*dense = *dense || hll_is_dense(hll);
	}
	return true;
}

static void count_union(struct call *c) {
	struct hll_registers registers;
	bool dense;

	if (merge_keys(c, 1, &registers, &dense)) reply_int(c->reply, (int64_t)hll_count_registers(&registers));
}

/* A command that reads, and yet notes what it counted: as a change without an event. */
static void count_one(struct call *c) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	struct key key = call_key(c, 1);
	struct slice hll;
	uint64_t cardinality = 0;

	if (!read_hll(c, &key, &hll, scratch)) return;
	if (hll.ptr && !hll_cached(hll, &cardinality)) {
		if (!hll_count(hll, &cardinality)) {
			reply_error(c->reply, ERR_CORRUPT);
			return;
		}
		struct view quiet = *c->view;
		quiet.flags |= VIEW_NO_TOUCH; /* it was read already: that is one access */
		struct entry *e = store_find_write(&quiet, &key);
		char *bytes = e ? store_edit_string(c->view, &key, e, hll.len) : NULL;
		if (bytes) {
			hll_cache(bytes, cardinality);
			store_committed(c->view, &key, EVENT_SILENT, "");
		}
	}
	reply_int(c->reply, (int64_t)cardinality);
}

void cmd_pfcount(struct call *c) {
	if (c->argc == 2) {
		count_one(c);
	} else {
		count_union(c);
	}
}

/* ---- PFMERGE ---- */

void cmd_pfmerge(struct call *c) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	struct hll_registers registers;
	struct buffer copy = { 0 };
	struct slice hll;
	struct entry *e;
	bool dense;

	/* The destination is one of the sources. */
	if (!merge_keys(c, 1, &registers, &dense)) return;
	struct key key = call_key(c, 1);
	if (!write_hll(c, &key, &e, &hll, scratch) || !copy_hll(c, hll, &copy)) return;
	if (!hll_raise(&copy, &registers, dense, store_limits(c->view)->hll_sparse_max_bytes)) {
		reply_error(c->reply, ERR_CORRUPT);
	} else if (put_hll(c, &key, e, buffer_slice(&copy))) {
		store_committed(c->view, &key, EVENT_STRING, "pfadd");
		reply_ok(c->reply);
	}
	buffer_release(&copy);
}

/* ---- PFDEBUG, PFSELFTEST ---- */

struct debugged {
	struct key key;
	struct entry *e;
	struct slice hll;
};

/* Makes the key's HLL dense and leaves the bytes in `copy`; *changed: it was sparse. */
static bool make_dense(struct call *c, struct debugged *d, struct buffer *copy, bool *changed) {
	if (!copy_hll(c, d->hll, copy)) return false;
	enum hll_result result = hll_make_dense(copy);
	*changed = result == HLL_CHANGED;
	if (result == HLL_CORRUPT) reply_error(c->reply, ERR_CORRUPT);
	if (result != HLL_CHANGED) return result == HLL_SAME;
	if (!put_hll(c, &d->key, d->e, buffer_slice(copy))) return false;
	store_committed(c->view, &d->key, EVENT_SILENT, "");
	return true;
}

static void debug_todense(struct call *c, struct debugged *d) {
	struct buffer copy = { 0 };
	bool changed;

	if (make_dense(c, d, &copy, &changed)) reply_int(c->reply, changed);
	buffer_release(&copy);
}

/* Makes it dense, too, as in Redis. */
static void debug_getreg(struct call *c, struct debugged *d) {
	struct hll_registers registers;
	struct buffer copy = { 0 };
	bool changed;

	memset(&registers, 0, sizeof(registers));
	if (make_dense(c, d, &copy, &changed) && hll_merge(&registers, buffer_slice(&copy))) {
		reply_array(c->reply, HLL_REGISTERS);
		for (unsigned i = 0; i < HLL_REGISTERS; i++) reply_int(c->reply, registers.value[i]);
	}
	buffer_release(&copy);
}

static void debug_decode(struct call *c, struct debugged *d) {
	struct buffer text = { 0 };

	if (hll_is_dense(d->hll)) {
		reply_error(c->reply, "ERR HLL encoding is not sparse");
		return;
	}
	hll_describe(d->hll, &text);
	reply_slice(c->reply, buffer_slice(&text));
	buffer_release(&text);
}

static void debug_encoding(struct call *c, struct debugged *d) {
	reply_status(c->reply, hll_is_dense(d->hll) ? "dense" : "sparse");
}

static void debug_simd(struct call *c) {
	bool on = call_word(c, 2, "ON");

	if (!on && !call_word(c, 2, "OFF")) {
		reply_error(c->reply, "ERR Argument must be ON or OFF");
		return;
	}
	reply_status(c->reply, hll_use_simd(on) ? "enabled" : "disabled");
}

void cmd_pfdebug(struct call *c) {
	static const struct {
		const char *name;
		void (*run)(struct call *c, struct debugged *d);
	} subcommands[] = {
		{ "GETREG", debug_getreg },
		{ "DECODE", debug_decode },
		{ "ENCODING", debug_encoding },
		{ "TODENSE", debug_todense },
	};
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	struct debugged d;

	if (call_word(c, 1, "SIMD")) {
		debug_simd(c);
		return;
	}
	d.key = call_key(c, 2);
	if (!write_hll(c, &d.key, &d.e, &d.hll, scratch)) return;
	if (!d.e) {
		reply_error(c->reply, "ERR The specified key does not exist");
		return;
	}
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
		if (call_word(c, 1, subcommands[i].name)) {
			subcommands[i].run(c, &d);
			return;
		}
	}
	reply_errorf(c->reply, "ERR Unknown PFDEBUG subcommand '%.*s'", (int)c->argv[1].len, c->argv[1].ptr);
}

void cmd_pfselftest(struct call *c) {
	const char *wrong = hll_selftest();

	if (wrong) {
		reply_errorf(c->reply, "TESTFAILED %s", wrong);
	} else {
		reply_ok(c->reply);
	}
}
