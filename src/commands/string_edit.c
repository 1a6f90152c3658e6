/* Parts of strings: APPEND, SETRANGE, GETRANGE, STRLEN, and LCS, which compares two. */
#include "commands/generated/command_handlers.h"

#include "commands/args.h"
#include "types/string_ops.h"

/* Whether a string may become `offset` + `more` bytes long. */
static bool check_size(struct call *c, uint64_t offset, uint64_t more) {
	uint64_t size;

	if (!__builtin_add_overflow(offset, more, &size) && size <= call_max_string(c)) return true;
	reply_error(c->reply, ERR_STRING_TOO_LONG);
	return false;
}

/* The first value of a key is stored as SET stores it; what is appended later makes the string an edited one. */
void cmd_append(struct call *c) {
	struct slice tail = c->argv[2];
	struct key key = call_key(c, 1);
	struct entry *e;
	size_t len;

	if (!call_write_string(c, &key, &e)) return;
	len = e ? entry_string_len(e) : 0;
	if (e && !check_size(c, len, tail.len)) return;
	if (e) {
		char *bytes = store_edit_string(c->view, &key, e, len + tail.len);
		if (bytes && tail.len) memcpy(bytes + len, tail.ptr, tail.len);
		e = bytes ? e : NULL;
	} else {
		e = store_put_string(c->view, &key, NULL, tail, EXPIRY_NONE);
	}
	if (!e) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	store_committed(c->view, &key, EVENT_STRING, "append");
	reply_int(c->reply, (int64_t)(len + tail.len));
}

void cmd_strlen(struct call *c) {
	struct key key = call_key(c, 1);
	const struct entry *e = store_find(c->view, &key);

	if (e && entry_type(e) != VALUE_STRING) {
		reply_error(c->reply, ERR_WRONGTYPE);
	} else {
		reply_int(c->reply, e ? (int64_t)entry_string_len(e) : 0);
	}
}

void cmd_setrange(struct call *c) {
	struct slice part = c->argv[3];
	int64_t offset;
	struct entry *e;

	if (!call_int(c, 2, &offset, NULL)) return;
	if (offset < 0) {
		reply_error(c->reply, ERR_OFFSET_RANGE);
		return;
	}
	struct key key = call_key(c, 1);
	if (!call_write_string(c, &key, &e)) return;
	size_t len = e ? entry_string_len(e) : 0;
	if (part.len == 0) {
		/* Nothing is written, so nothing grows either, however far the offset. */
		reply_int(c->reply, (int64_t)len);
		return;
	}
	if (!check_size(c, (uint64_t)offset, part.len)) return;
	size_t end = (size_t)offset + part.len;
	if (end > len) len = end;
	char *bytes = store_edit_string(c->view, &key, e, len);
	if (!bytes) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	memcpy(bytes + offset, part.ptr, part.len);
	store_committed(c->view, &key, EVENT_STRING, "setrange");
	reply_int(c->reply, (int64_t)len);
}

static struct slice cut(struct slice s, int64_t start, int64_t end) {
	int64_t len = (int64_t)s.len;

	if (start < 0 && end < 0 && start > end) return slice_of(NULL, 0);
	if (start < 0) start += len;
	if (end < 0) end += len;
	if (start < 0) start = 0;
	/* An end before the first byte means the first byte, as in Redis. */
	if (end < 0) end = 0;
	if (end >= len) end = len - 1;
	if (start > end) return slice_of(NULL, 0);
	return slice_of(s.ptr + start, (size_t)(end - start + 1));
}

void cmd_getrange(struct call *c) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	int64_t start, end;
	struct slice value;

	if (!call_int(c, 2, &start, NULL) || !call_int(c, 3, &end, NULL)) return;
	struct key key = call_key(c, 1);
	if (call_read_string(c, &key, &value, scratch)) reply_slice(c->reply, cut(value, start, end));
}

void cmd_substr(struct call *c) {
	cmd_getrange(c);
}

/* ---- LCS ---- */

struct lcs_options {
	bool length_only;
	bool index;
	bool with_lengths;
	int64_t min_len;
};

static bool lcs_options_read(struct call *c, struct lcs_options *options) {
	for (unsigned arg = 3; arg < c->argc; arg++) {
		if (call_word(c, arg, "IDX")) {
			options->index = true;
		} else if (call_word(c, arg, "LEN")) {
			options->length_only = true;
		} else if (call_word(c, arg, "WITHMATCHLEN")) {
			options->with_lengths = true;
		} else if (call_word(c, arg, "MINMATCHLEN") && arg + 1 < c->argc) {
			if (!call_int(c, ++arg, &options->min_len, NULL)) return false;
		} else {
			call_syntax_error(c);
			return false;
		}
	}
	if (!options->index || !options->length_only) return true;
	reply_error(c->reply, "ERR If you want both the length and indexes, please just use IDX.");
	return false;
}

static bool lcs_read(struct call *c, const struct entry *e, struct slice *value, char *scratch) {
	if (e && entry_type(e) != VALUE_STRING) {
		reply_error(c->reply, "ERR The specified keys must contain string values");
		return false;
	}
	*value = e ? entry_string(e, scratch) : SLICE_LITERAL("");
	return true;
}

static void reply_lcs_text(struct call *c, struct slice a, const struct lcs *lcs) {
	struct buffer text = { 0 };

	/* The runs come from the end. */
	buffer_reserve(&text, lcs->len);
	for (size_t i = lcs->run_count; i-- > 0;) buffer_append(&text, a.ptr + lcs->runs[i].a, lcs->runs[i].len);
	reply_slice(c->reply, buffer_slice(&text));
	buffer_release(&text);
}

static void reply_span(struct call *c, size_t start, size_t len) {
	reply_array(c->reply, 2);
	reply_int(c->reply, (int64_t)start);
	reply_int(c->reply, (int64_t)(start + len - 1));
}

static bool lcs_run_shown(const struct lcs_options *options, const struct lcs_run *run) {
	return options->min_len <= 0 || run->len >= (uint64_t)options->min_len;
}

static void reply_lcs_index(struct call *c, const struct lcs_options *options, const struct lcs *lcs) {
	size_t shown = 0;

	for (size_t i = 0; i < lcs->run_count; i++) shown += lcs_run_shown(options, &lcs->runs[i]);
	reply_map(c->reply, 2);
	reply_cstr(c->reply, "matches");
	reply_array(c->reply, shown);
	for (size_t i = 0; i < lcs->run_count; i++) {
		const struct lcs_run *run = &lcs->runs[i];
		if (!lcs_run_shown(options, run)) continue;
		reply_array(c->reply, options->with_lengths ? 3 : 2);
		reply_span(c, run->a, run->len);
		reply_span(c, run->b, run->len);
		if (options->with_lengths) reply_int(c->reply, (int64_t)run->len);
	}
	reply_cstr(c->reply, "len");
	reply_int(c->reply, (int64_t)lcs->len);
}

/* False when there is no memory. */
static bool reply_lcs(struct call *c, const struct lcs_options *options, struct slice a, struct slice b) {
	struct lcs lcs;
	size_t len;

	if (options->length_only) {
		if (!lcs_length(a, b, &len)) return false;
		reply_int(c->reply, (int64_t)len);
		return true;
	}
	if (!lcs_find(a, b, &lcs)) return false;
	if (options->index) {
		reply_lcs_index(c, options, &lcs);
	} else {
		reply_lcs_text(c, a, &lcs);
	}
	lcs_release(&lcs);
	return true;
}

void cmd_lcs(struct call *c) {
	char scratch_a[NUMBER_I64_MAX_CHARS + 1], scratch_b[NUMBER_I64_MAX_CHARS + 1];
	struct lcs_options options = { 0 };
	struct key key_a = call_key(c, 1), key_b = call_key(c, 2);
	struct slice a, b;

	/* Both count as read, whatever they hold. */
	const struct entry *e_a = store_find(c->view, &key_a), *e_b = store_find(c->view, &key_b);
	if (!lcs_read(c, e_a, &a, scratch_a) || !lcs_read(c, e_b, &b, scratch_b)) return;
	if (!lcs_options_read(c, &options)) return;
	if (a.len >= UINT32_MAX || b.len >= UINT32_MAX) {
		reply_error(c->reply, "ERR String too long for LCS");
		return;
	}
	/* Our table is smaller, but the time that it takes is the same: the limit keeps one command from taking minutes. */
	if (lcs_table_bytes(a, b) > call_max_string(c)) {
		reply_error(c->reply, "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
		return;
	}
	if (!reply_lcs(c, &options, a, b)) {
		reply_error(c->reply, "ERR Insufficient memory, failed allocating transient memory for LCS");
	}
}
