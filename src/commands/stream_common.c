#include "commands/stream_common.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"

/* ---- IDs ---- */

enum { ID_TEXT_MAX = 127 };

/* What number_parse_u64 does not take: Redis reads the rest as strtoull does, so "+1", " 1" and "01" are numbers, and so is
 * "-01". */
static bool parse_number_loosely(const char *text, uint64_t *number) {
	int64_t negative;
	char *end;
	if (number_parse_i64(slice_of_cstr(text), &negative)) return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno == 0 && *text != '\0' && *end == '\0';
}

static bool parse_number(const char *text, size_t len, uint64_t *number) {
	return number_parse_u64(slice_of(text, len), number) || parse_number_loosely(text, number);
}

/* "ms" or "ms-seq", terminated, without a thought for speed. */
static bool parse_parts(char *text, uint64_t missing_seq, struct stream_id *id, enum stream_id_form *form) {
	char *dash = strchr(text, '-');
	id->seq = missing_seq;
	if (dash) *dash = '\0';
	if (!parse_number(text, strlen(text), &id->ms)) return false;
	if (!dash) return true;
	if (form && strcmp(dash + 1, "*") == 0) {
		*form = STREAM_ID_AUTO_SEQ;
		id->seq = 0;
		return true;
	}
	return parse_number(dash + 1, strlen(dash + 1), &id->seq);
}

bool stream_parse_id(struct slice text, uint64_t missing_seq, struct stream_id *id, enum stream_id_form *form) {
	char copy[ID_TEXT_MAX + 1];
	if (form) *form = STREAM_ID_GIVEN;
	if (text.len > ID_TEXT_MAX || text.len == 0) return false;
	if (form && text.len == 1 && text.ptr[0] == '*') {
		*form = STREAM_ID_AUTO;
		*id = STREAM_ID_MIN;
		return true;
	}
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return parse_parts(copy, missing_seq, id, form);
}

static bool fail_id(struct call *c) {
	reply_error(c->reply, ERR_STREAM_ID);
	return false;
}

bool stream_read_id(struct call *c, unsigned arg, struct stream_id *id) {
	return stream_parse_id(c->argv[arg], 0, id, NULL) || fail_id(c);
}

/* An end of a range; `missing_seq` tells which one. */
static bool read_bound(struct call *c, unsigned arg, uint64_t missing_seq, struct stream_id *id, bool *excluded) {
	struct slice text = c->argv[arg];
	*excluded = text.len > 1 && text.ptr[0] == '(';
	if (*excluded) {
		text = slice_of(text.ptr + 1, text.len - 1);
	} else if (slice_is(text, "-") || slice_is(text, "+")) {
		*id = text.ptr[0] == '-' ? STREAM_ID_MIN : STREAM_ID_MAX;
		return true;
	}
	return stream_parse_id(text, missing_seq, id, NULL) || fail_id(c);
}

bool stream_read_start(struct call *c, unsigned arg, struct stream_id *id) {
	bool excluded;
	if (!read_bound(c, arg, 0, id, &excluded)) return false;
	if (!excluded || stream_id_next(id)) return true;
	reply_error(c->reply, "ERR invalid start ID for the interval");
	return false;
}

bool stream_read_end(struct call *c, unsigned arg, struct stream_id *id) {
	bool excluded;
	if (!read_bound(c, arg, UINT64_MAX, id, &excluded)) return false;
	if (!excluded || stream_id_prev(id)) return true;
	reply_error(c->reply, "ERR invalid end ID for the interval");
	return false;
}

struct stream_id *stream_read_ids(struct call *c, unsigned arg, unsigned count) {
	struct stream_id *ids = mem_alloc((count ? count : 1) * sizeof(ids[0]));
	for (unsigned i = 0; i < count; i++) {
		if (stream_read_id(c, arg + i, &ids[i])) continue;
		mem_free(ids);
		return NULL;
	}
	return ids;
}

bool stream_references_word(const struct call *c, unsigned arg, enum stream_references *references) {
	if (call_word(c, arg, "KEEPREF"))
		*references = STREAM_KEEP_REFERENCES;
	else if (call_word(c, arg, "DELREF"))
		*references = STREAM_DROP_REFERENCES;
	else if (call_word(c, arg, "ACKED"))
		*references = STREAM_ONLY_ACKED;
	else
		return false;
	return true;
}

/* IDS at `arg`: how many, and where the next word stands. */
static bool read_id_count(struct call *c, unsigned *arg, struct stream_ids *ids) {
	int64_t count;
	if (!number_parse_i64(c->argv[*arg + 1], &count) || count <= 0) {
		reply_error(c->reply, "ERR Number of IDs must be a positive integer");
		return false;
	}
	ids->_first = *arg + 2;
	if (count > (int64_t)(c->argc - ids->_first)) {
		reply_error(c->reply, "ERR The `numids` parameter must match the number of arguments");
		return false;
	}
	ids->count = (unsigned)count;
	*arg = ids->_first + ids->count;
	return true;
}

bool stream_read_counted_ids(struct call *c, unsigned arg, struct stream_ids *ids) {
	bool references_given = false;
	*ids = (struct stream_ids){ .references = STREAM_KEEP_REFERENCES };
	while (arg < c->argc) {
		if (!references_given && stream_references_word(c, arg, &ids->references)) {
			references_given = true;
			arg++;
		} else if (arg + 1 < c->argc && call_word(c, arg, "IDS")) {
			/* Of several the last one counts. */
			if (!read_id_count(c, &arg, ids)) return false;
		} else {
			call_syntax_error(c);
			return false;
		}
	}
	if (ids->count > 0) return true;
	call_syntax_error(c);
	return false;
}

bool stream_parse_counted_ids(struct call *c, struct stream_ids *ids) {
	ids->ids = stream_read_ids(c, ids->_first, ids->count);
	return ids->ids != NULL;
}

/* ---- Changes ---- */

void stream_change_open(struct call *c, const struct key *key, struct entry *e, struct stream_change *change) {
	change->_key = *key;
	change->_count = 0;
	change->_changes = 0;
	store_open(c->view, key, e, VALUE_STREAM, &change->_edit);
	change->s = stream_of(&change->_edit.value);
}

void stream_change_event(struct stream_change *change, const char *event, uint64_t count) {
	change->_changes += count;
	for (unsigned i = 0; i < change->_count; i++) {
		if (strcmp(change->_events[i], event) == 0) return;
	}
	if (change->_count < STREAM_CHANGE_EVENTS) change->_events[change->_count++] = event;
}

void stream_change_close(struct call *c, struct stream_change *change) {
	store_close(c->view, &change->_key, &change->_edit);
	for (unsigned i = 0; i < change->_count; i++) {
		const char *event = change->_events[i];
		/* Groups, consumers, pending entries and the last ID are not what WATCH watches. */
		bool is_about_groups =
			*event == '\0' || strncmp(event, "xgroup-", 7) == 0 || strcmp(event, "xsetid") == 0;
		unsigned class = *event ? EVENT_STREAM : EVENT_SILENT;
		if (is_about_groups) class |= EVENT_UNWATCHED;
		store_committed_many(
			c->view, &change->_key, (enum event_class) class, event, i == 0 ? change->_changes : 0);
	}
}

/* ---- Replies ---- */

void stream_reply_id(struct reply *r, struct stream_id id) {
	char text[STREAM_ID_CHARS];
	reply_bulk(r, text, stream_id_format(text, id));
}

static inline void reply_value(struct reply *r, struct pack_value value) {
	if (pack_value_is_int(value))
		reply_bulk_int(r, value.number);
	else
		reply_slice(r, value.text);
}

void stream_reply_entry(struct reply *r, struct stream_iter *it) {
	reply_array(r, 2);
	stream_reply_id(r, it->id);
	reply_array(r, it->fields * 2);
	for (size_t i = 0; i < it->fields; i++) {
		struct pack_value field, value;
		stream_iter_pair(it, &field, &value);
		reply_value(r, field);
		reply_value(r, value);
	}
}

bool stream_reply_entry_of(struct reply *r, const struct stream *s, struct stream_id id) {
	struct stream_iter it;
	stream_iter_begin(&it, s, id, id, STREAM_FORWARD);
	if (!stream_iter_next(&it)) return false;
	stream_reply_entry(r, &it);
	return true;
}

void stream_reply_range(struct reply *r, const struct stream *s, struct stream_id first, struct stream_id last,
	enum stream_direction direction, uint64_t count) {
	struct stream_iter it;
	size_t begin = reply_begin(r), written = 0;
	stream_iter_begin(&it, s, first, last, direction);
	while (written < count && stream_iter_next(&it)) {
		stream_reply_entry(r, &it);
		written++;
	}
	reply_end(r, begin, REPLY_ARRAY, written);
}
