/* SORT and SORT_RO: the elements of a list, a set or a sorted set in another order.
 *
 * The elements are copied first: what BY and GET look up may be anything, and STORE may replace what was sorted. With BY or
 * GET the command has the world (its declaration's world_words), since it then reads keys that it does not name. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/random.h"
#include "commands/args.h"
#include "commands/generated/command_handlers.h"
#include "commands/sort_pattern.h"
#include "types/list.h"
#include "types/zset.h"

#define ERR_SORT_SCORES "ERR One or more scores can't be converted into double"

enum { SORT_FIRST_CAPACITY = 64 };

struct sort_options {
	bool descending;
	bool alpha;
	bool keep_order;    /* BY a pattern without asterisk */
	unsigned by;        /* argument; 0: the elements themselves count */
	unsigned store;     /* argument; 0: none */
	unsigned get_count; /* words GET, whose patterns stand behind them */
	int64_t offset, count;
};

/* Bytes in the sorting's buffer: it may move while it grows. */
struct sort_text {
	size_t at, len;
};

struct sort_item {
	struct sort_text text;
	union {
		double score;            /* without ALPHA */
		struct sort_text weight; /* with ALPHA and BY; len SIZE_MAX: none */
	};
};

struct sorting {
	struct sort_options options;
	struct buffer bytes;
	struct sort_item *items;
	size_t count, capacity;
	size_t first, end; /* of what LIMIT leaves */
	bool no_memory;
};

/* ---- Options ---- */

/* Takes the option at *arg; *arg is then its last argument. */
static bool read_option(struct call *c, unsigned *arg, bool may_store, struct sort_options *o) {
	unsigned at = *arg, behind = c->argc - at - 1;
	if (call_word(c, at, "asc")) {
		o->descending = false;
	} else if (call_word(c, at, "desc")) {
		o->descending = true;
	} else if (call_word(c, at, "alpha")) {
		o->alpha = true;
	} else if (call_word(c, at, "limit") && behind >= 2) {
		if (!call_int(c, at + 1, &o->offset, NULL) || !call_int(c, at + 2, &o->count, NULL)) return false;
		*arg += 2;
	} else if (call_word(c, at, "store") && behind >= 1 && may_store) {
		o->store = ++*arg;
	} else if (call_word(c, at, "by") && behind >= 1) {
		o->by = ++*arg;
		if (!sort_pattern_of(c->argv[o->by]).has_star) o->keep_order = true;
	} else if (call_word(c, at, "get") && behind >= 1) {
		o->get_count++;
		++*arg;
	} else {
		call_syntax_error(c);
		return false;
	}
	return true;
}

/* The key specs take what stands behind the last word STORE, whose gate alone is held. A key of that name must not make us
 * store elsewhere: SORT key STORE store ASC. */
static bool is_last_store(const struct call *c, unsigned store_arg) {
	for (unsigned arg = store_arg; arg + 1 < c->argc; arg++)
		if (call_word(c, arg, "store")) return false;
	return true;
}

static bool read_options(struct call *c, bool may_store, struct sort_options *o) {
	*o = (struct sort_options){ .count = -1 };
	for (unsigned arg = 2; arg < c->argc; arg++)
		if (!read_option(c, &arg, may_store, o)) return false;
	/* With BY or GET all gates are. */
	if (o->store && !o->by && !o->get_count && !is_last_store(c, o->store)) {
		call_syntax_error(c);
		return false;
	}
	return true;
}

/* The patterns of GET, in order; the caller's to free. NULL when there are none. */
static struct sort_pattern *read_gets(const struct call *c, const struct sort_options *o) {
	if (o->get_count == 0) return NULL;
	struct sort_pattern *gets = mem_alloc(o->get_count * sizeof(gets[0]));
	unsigned count = 0;
	for (unsigned arg = 2; arg < c->argc; arg++) {
		if (call_word(c, arg, "get")) {
			gets[count++] = sort_pattern_of(c->argv[++arg]);
		} else if (call_word(c, arg, "limit")) {
			arg += 2;
		} else if (call_word(c, arg, "by") || call_word(c, arg, "store")) {
			arg++;
		}
	}
	return gets;
}

/* ---- Elements ---- */

static struct slice text_of(const struct sorting *s, struct sort_text text) {
	return slice_of(s->bytes.data + text.at, text.len);
}

/* Copies bytes; false without memory. */
static bool keep_text(struct sorting *s, struct slice bytes, struct sort_text *text) {
	if (!buffer_try_reserve(&s->bytes, bytes.len)) return false;
	*text = (struct sort_text){ s->bytes.len, bytes.len };
	buffer_append_slice(&s->bytes, bytes);
	return true;
}

static bool make_room(struct sorting *s) {
	if (s->count < s->capacity) return true;
	size_t capacity = s->capacity ? s->capacity * 2 : SORT_FIRST_CAPACITY;
	struct sort_item *items = mem_try_realloc(s->items, capacity * sizeof(items[0]));
	if (!items) return false;
	s->items = items;
	s->capacity = capacity;
	return true;
}

static void add_element(struct sorting *s, struct slice element) {
	if (s->no_memory) return;
	if (!make_room(s) || !keep_text(s, element, &s->items[s->count].text)) {
		s->no_memory = true;
		return;
	}
	struct sort_item *item = &s->items[s->count++];
	if (s->options.alpha)
		item->weight.len = SIZE_MAX;
	else
		item->score = 0;
}

static void add_visited(void *context, const struct slice *parts, size_t count) {
	(void)count;
	add_element(context, parts[0]);
}

/* What LIMIT leaves of `count` elements. */
static void set_limits(struct sorting *s, size_t count) {
	const struct sort_options *o = &s->options;
	s->first = o->offset < 0 ? 0 : (uint64_t)o->offset < count ? (size_t)o->offset : count;
	s->end = o->count < 0 || (uint64_t)o->count > count - s->first ? count : s->first + (size_t)o->count;
}

static void load_list(struct sorting *s, const struct value *list, size_t count, size_t left) {
	enum { BATCH = 32 };
	struct pack_value elements[BATCH];
	char scratch[PACK_SCRATCH_BYTES];
	struct list_walk walk;
	if (left == 0) return;
	list_walk(list, s->options.descending ? count - 1 - s->first : s->first,
		s->options.descending ? LIST_BACKWARD : LIST_FORWARD, &walk);
	for (size_t n; left > 0 && (n = list_read(&walk, elements, left < BATCH ? left : BATCH)) > 0; left -= n)
		for (size_t i = 0; i < n; i++) add_element(s, list_text(elements[i], scratch));
}

/* A stretch of an ordered collection as it is, from either end: only what LIMIT leaves is read. */
static void load_stretch(struct sorting *s, const struct value *value) {
	size_t count = value_count(value);
	set_limits(s, count);
	size_t left = s->end - s->first;
	if (value->type == VALUE_ZSET) {
		struct zset_walk walk;
		struct zset_element element;
		zset_walk_ranks(value, s->first, left, s->options.descending ? ZSET_DOWN : ZSET_UP, &walk);
		while (zset_next(&walk, &element)) add_element(s, element.member);
	} else {
		load_list(s, value, count, left);
	}
	s->first = 0;
	s->end = s->count;
}

/* ---- Order ---- */

/* As Redis 8: decimal, in any precision and range, or an infinity; nothing is 0; a NUL ends it. */
static bool read_score(struct slice text, struct buffer *scratch, double *score) {
	int64_t number;
	if (number_parse_i64(text, &number)) {
		*score = (double)number;
		return true;
	}
	scratch->len = 0;
	buffer_append_slice(scratch, text);
	buffer_append_char(scratch, '\0');
	const char *digits = scratch->data;
	char *end;
	/* strtod would take blanks in front and hexadecimal digits. */
	if (strchr(" \t\n\v\f\r", digits[0]) && digits[0] != '\0') return false;
	if (strpbrk(digits, "xX")) return false;
	*score = strtod(digits, &end);
	return *end == '\0' && !isnan(*score);
}

/* Finds what each element is sorted by. False, answered, when that cannot be. */
static bool weigh(struct call *c, struct sorting *s) {
	const struct sort_options *o = &s->options;
	struct sort_pattern by = { .is_element = true };
	struct sort_value found = { 0 };
	struct buffer digits = { 0 };
	const char *error = NULL;
	if (o->alpha && !o->by) return true;
	if (o->by) by = sort_pattern_of(c->argv[o->by]);
	for (size_t i = 0; i < s->count && !error; i++) {
		struct sort_item *item = &s->items[i];
		if (!sort_pattern_find(c, &by, text_of(s, item->text), &found)) continue;
		if (!o->alpha) {
			if (!read_score(found.bytes, &digits, &item->score)) error = ERR_SORT_SCORES;
		} else if (!keep_text(s, found.bytes, &item->weight)) {
			error = ERR_NO_MEMORY;
		}
	}
	sort_value_release(&found);
	buffer_release(&digits);
	if (error) reply_error(c->reply, error);
	return !error;
}

static int compare_weights(const struct sorting *s, struct sort_text a, struct sort_text b) {
	if (a.len == SIZE_MAX || b.len == SIZE_MAX) return (a.len != SIZE_MAX) - (b.len != SIZE_MAX);
	return slice_compare(text_of(s, a), text_of(s, b));
}

static int compare_items(const void *left, const void *right, void *context) {
	const struct sort_item *a = left, *b = right;
	const struct sorting *s = context;
	int order;
	if (s->options.alpha && s->options.by) {
		order = compare_weights(s, a->weight, b->weight);
	} else {
		order = s->options.alpha ? 0 : (a->score > b->score) - (a->score < b->score);
		if (order == 0) order = slice_compare(text_of(s, a->text), text_of(s, b->text));
	}
	return s->options.descending ? -order : order;
}

static void swap_items(struct sort_item *a, struct sort_item *b) {
	struct sort_item item = *a;
	*a = *b;
	*b = item;
}

/* Brings what belongs before `end` there, in any order: quickselect (C. A. R. Hoare, 1961) with pivots drawn at random, so that
 * no input is a bad one. */
static void select_first(struct sorting *s, size_t end) {
	size_t low = 0, high = s->count;
	while (high - low > 1 && end > low && end < high) {
		struct sort_item pivot = s->items[low + random_below(high - low)];
		size_t below = low, at = low, above = high;
		while (at < above) {
			int order = compare_items(&s->items[at], &pivot, s);
			if (order < 0)
				swap_items(&s->items[below++], &s->items[at++]);
			else if (order > 0)
				swap_items(&s->items[at], &s->items[--above]);
			else
				at++;
		}
		if (end <= below)
			high = below;
		else if (end >= above)
			low = above;
		else
			return;
	}
}

/* Only what LIMIT leaves has to be in order, behind what comes before it. */
static void order_items(struct sorting *s) {
	size_t count = s->count;
	if (s->end < s->count / 4) {
		select_first(s, s->end);
		count = s->end;
	}
	qsort_r(s->items, count, sizeof(s->items[0]), compare_items, s);
}

/* Brings the elements of the value together in the order that is wanted. False, answered, on failure. */
static bool load_in_order(struct call *c, struct sorting *s, const struct value *value) {
	struct sort_options *o = &s->options;
	/* What is stored shall not depend on how a set happens to be held. */
	if (o->keep_order && value->type == VALUE_SET && o->store) {
		o->keep_order = false;
		o->alpha = true;
		o->by = 0;
	}
	if (o->keep_order && value->type != VALUE_SET) {
		load_stretch(s, value);
	} else {
		value_each(value, add_visited, s);
		set_limits(s, s->count);
	}
	if (s->no_memory) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return false;
	}
	if (o->keep_order) return true;
	if (!weigh(c, s)) return false;
	order_items(s);
	return true;
}

/* ---- Answers ---- */

/* Many GETs can ask for any number of bytes; proto-max-bulk-len is where it ends. */
static void reply_items(struct call *c, struct sorting *s, const struct sort_pattern *gets) {
	const struct sort_options *o = &s->options;
	struct sort_value found = { 0 };
	size_t start = c->reply->out->len;
	reply_array(c->reply, (s->end - s->first) * (gets ? o->get_count : 1));
	for (size_t i = s->first; i < s->end; i++) {
		struct slice element = text_of(s, s->items[i].text);
		if (!gets) reply_slice(c->reply, element);
		for (unsigned get = 0; get < o->get_count; get++) {
			if (sort_pattern_find(c, &gets[get], element, &found))
				reply_slice(c->reply, found.bytes);
			else
				reply_null(c->reply);
		}
		if (c->reply->out->len - start <= call_max_string(c)) continue;
		c->reply->out->len = start;
		reply_error(c->reply, ERR_REPLY_TOO_LONG);
		break;
	}
	sort_value_release(&found);
}

/* What GET does not find becomes an empty element. False without memory. */
static bool push_items(struct call *c, struct sorting *s, const struct sort_pattern *gets, struct value *list) {
	const struct type_limits *limits = store_limits(c->view);
	struct sort_value found = { 0 };
	bool ok = true;
	for (size_t i = s->first; i < s->end && ok; i++) {
		struct slice element = text_of(s, s->items[i].text);
		if (!gets) ok = list_push(list, LIST_TAIL, &element, 1, limits);
		for (unsigned get = 0; get < s->options.get_count && ok; get++) {
			if (!sort_pattern_find(c, &gets[get], element, &found)) found.bytes = slice_of("", 0);
			ok = list_push(list, LIST_TAIL, &found.bytes, 1, limits);
		}
	}
	sort_value_release(&found);
	return ok;
}

static void store_items(struct call *c, struct sorting *s, const struct sort_pattern *gets) {
	struct key key = key_of(c->argv[s->options.store]);
	struct value list = value_new(VALUE_LIST);
	if (!push_items(c, s, gets, &list)) {
		value_release(&list);
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	size_t count = list_length(&list);
	struct entry *e = store_find_write(c->view, &key);
	if (store_overwrite_value(c->view, &key, e, &list, EXPIRY_NONE))
		store_committed_many(c->view, &key, EVENT_LIST, "sortstore", count);
	else if (e)
		store_committed(c->view, &key, EVENT_GENERIC, "del");
	reply_int(c->reply, (int64_t)count);
}

static bool read_source(struct call *c, struct value *value) {
	struct key key = call_key(c, 1);
	const struct entry *e = store_find(c->view, &key);
	*value = (struct value){ .data = NULL };
	if (!e) return true;
	if (entry_type(e) == VALUE_LIST || entry_type(e) == VALUE_SET || entry_type(e) == VALUE_ZSET) {
		*value = entry_value(e);
		return true;
	}
	reply_error(c->reply, ERR_WRONGTYPE);
	return false;
}

enum sort_may { SORT_MAY_READ, SORT_MAY_STORE };

static void run(struct call *c, enum sort_may may) {
	struct sorting s = { 0 };
	struct value value;
	if (!read_options(c, may == SORT_MAY_STORE, &s.options) || !read_source(c, &value)) return;
	if (!value.data || load_in_order(c, &s, &value)) {
		struct sort_pattern *gets = read_gets(c, &s.options);
		if (s.options.store)
			store_items(c, &s, gets);
		else
			reply_items(c, &s, gets);
		mem_free(gets);
	}
	mem_free(s.items);
	buffer_release(&s.bytes);
}

void cmd_sort(struct call *c) {
	run(c, SORT_MAY_STORE);
}

void cmd_sort_ro(struct call *c) {
	run(c, SORT_MAY_READ);
}
