/* See zset_common.h. */
#include "commands/zset_common.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

/* ---- Ranges ---- */

/* Whether strtod would skip blanks or read hexadecimal digits. */
static bool is_unusual(struct slice text) {
	size_t at = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+');
	if (text.len > at + 1 && text.ptr[at] == '0' && (text.ptr[at + 1] == 'x' || text.ptr[at + 1] == 'X'))
		return true;
	return text.len > 0 && isspace((unsigned char)text.ptr[0]);
}

/* As strtod reads it, except for blanks and hexadecimal digits: that is more than a score may be, nothing at all (0) or any
 * size ("1e999" is infinite), and a NUL ends it. */
static bool read_loose_double(struct slice text, double *value) {
	if (is_unusual(text)) return false;
	char local[128];
	char *copy = text.len < sizeof(local) ? local : mem_try_alloc(text.len + 1);
	char *end;
	if (!copy) return false;
	if (text.len > 0) memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	*value = strtod(copy, &end);
	bool whole = *end == '\0';
	if (copy != local) mem_free(copy);
	return whole && !isnan(*value);
}

static bool read_score_bound(struct slice text, double *value, bool *open) {
	*open = text.len > 0 && text.ptr[0] == '(';
	if (*open) text = slice_of(text.ptr + 1, text.len - 1);
	/* The usual numbers take the short way. */
	int64_t number;
	if (number_parse_i64(text, &number)) {
		*value = (double)number;
		return true;
	}
	return read_loose_double(text, value);
}

bool zset_read_scores(struct call *c, unsigned min_arg, unsigned max_arg, struct zset_score_range *range) {
	if (read_score_bound(c->argv[min_arg], &range->min, &range->min_open) &&
		read_score_bound(c->argv[max_arg], &range->max, &range->max_open))
		return true;
	reply_error(c->reply, "ERR min or max is not a float");
	return false;
}

static bool read_lex_bound(struct slice text, struct zset_lex_bound *bound) {
	if (text.len == 0) return false;
	*bound = (struct zset_lex_bound){ .member = slice_of(text.ptr + 1, text.len - 1) };
	switch (text.ptr[0]) {
	case '[': bound->kind = ZSET_LEX_CLOSED; return true;
	case '(': bound->kind = ZSET_LEX_OPEN; return true;
	case '-': bound->kind = ZSET_LEX_LOWEST; return text.len == 1;
	case '+': bound->kind = ZSET_LEX_HIGHEST; return text.len == 1;
	default: return false;
	}
}

bool zset_read_lex(struct call *c, unsigned min_arg, unsigned max_arg, struct zset_lex_range *range) {
	if (read_lex_bound(c->argv[min_arg], &range->min) && read_lex_bound(c->argv[max_arg], &range->max)) return true;
	reply_error(c->reply, "ERR min or max not valid string range item");
	return false;
}

bool zset_read_ranks(struct call *c, unsigned start_arg, unsigned stop_arg, struct zset_rank_range *range) {
	return call_int(c, start_arg, &range->start, NULL) && call_int(c, stop_arg, &range->stop, NULL);
}

struct zset_span zset_span_of_ranks(const struct zset_rank_range *range, size_t total) {
	int64_t count = (int64_t)total;
	int64_t start = range->start < 0 ? range->start + count : range->start;
	int64_t stop = range->stop < 0 ? range->stop + count : range->stop;
	if (start < 0) start = 0;
	if (stop >= count) stop = count - 1;
	if (start > stop) return (struct zset_span){ 0, 0 };
	return (struct zset_span){ (size_t)start, (size_t)(stop - start + 1) };
}

/* ---- Replies ---- */

void zset_reply_head(struct reply *r, enum zset_reply_form form, size_t count) {
	bool doubled = form == ZSET_REPLY_FLAT || (form == ZSET_REPLY_SCORES && r->proto < 3);
	reply_array(r, doubled ? count * 2 : count);
}

void zset_reply_element(struct reply *r, enum zset_reply_form form, struct slice member, double score) {
	if (form == ZSET_REPLY_PAIRS || (form == ZSET_REPLY_SCORES && r->proto >= 3)) reply_array(r, 2);
	reply_slice(r, member);
	if (form != ZSET_REPLY_MEMBERS) reply_double(r, score);
}

void zset_reply_walk(struct reply *r, enum zset_reply_form form, struct zset_walk *walk) {
	struct zset_element element;
	zset_reply_head(r, form, walk->left);
	while (zset_next(walk, &element)) zset_reply_element(r, form, element.member, element.score);
}

/* ---- Changing ---- */

struct popping {
	struct reply *reply;
	enum zset_reply_form form;
};

static void reply_popped(void *context, struct slice member, double score) {
	const struct popping *p = context;
	zset_reply_element(p->reply, p->form, member, score);
}

/* Without a head. */
static void pop_elements(struct call *c, const struct key *key, struct entry *e, enum zset_order order, size_t count,
	enum zset_reply_form form) {
	struct popping popping = { c->reply, form };
	struct edit edit;
	store_open(c->view, key, e, VALUE_ZSET, &edit);
	size_t there = zset_count(&edit.value);
	zset_take(&edit.value, 0, count, order, reply_popped, &popping);
	bool left = store_close(c->view, key, &edit);
	store_committed_many(
		c->view, key, EVENT_ZSET, order == ZSET_UP ? "zpopmin" : "zpopmax", count < there ? count : there);
	if (!left) store_event(c->view, key, EVENT_GENERIC, "del");
}

void zset_pop(struct call *c, const struct key *key, struct entry *e, enum zset_order order, size_t count,
	enum zset_reply_form form) {
	struct value z = entry_value(e);
	size_t there = zset_count(&z);
	zset_reply_head(c->reply, form, count < there ? count : there);
	pop_elements(c, key, e, order, count, form);
}

void zset_pop_several(struct call *c, const struct key *key, struct entry *e, const struct pop_options *o) {
	reply_array(c->reply, 2);
	reply_slice(c->reply, key_slice(key));
	zset_pop(c, key, e, o->second ? ZSET_DOWN : ZSET_UP, o->count, ZSET_REPLY_PAIRS);
}

void zset_pop_named(struct call *c, const struct key *key, struct entry *e, enum zset_order order) {
	reply_array(c->reply, 3);
	reply_slice(c->reply, key_slice(key));
	pop_elements(c, key, e, order, 1, ZSET_REPLY_FLAT);
}

void zset_store_result(struct call *c, const struct key *key, struct value *result, const char *event) {
	struct entry *e = store_find_write(c->view, key);
	bool was_there = e != NULL;
	if (store_overwrite_value(c->view, key, e, result, EXPIRY_NONE)) {
		store_committed(c->view, key, EVENT_ZSET, event);
	} else if (was_there) {
		store_committed(c->view, key, EVENT_GENERIC, "del");
	}
}
