/* Several sets at once: SINTER, SUNION, SDIFF, their STORE forms, and SINTERCARD. */
#include "commands/generated/command_handlers.h"

#include "base/alloc.h"
#include "commands/args.h"
#include "types/set_algebra.h"

/* The sets under the keys of some arguments. A missing key is a set without data. */
struct sources {
	struct value *sets; /* mem_alloc, NULL when there are few */
	struct value few[8];
	size_t count;
};

static struct value *source_sets(struct sources *s) {
	return s->sets ? s->sets : s->few;
}

static void sources_release(struct sources *s) {
	mem_free(s->sets);
}

/* All keys are looked at, also when one that is missing decides already: one of another type is an error. */
static bool sources_read(struct call *c, unsigned arg, size_t count, struct sources *s) {
	*s = (struct sources){ .count = count };
	if (count > sizeof(s->few) / sizeof(s->few[0])) s->sets = mem_alloc(count * sizeof(*s->sets));
	for (size_t i = 0; i < count; i++) {
		struct key key = call_key(c, arg + (unsigned)i);
		if (call_read_value(c, &key, VALUE_SET, &source_sets(s)[i])) continue;
		sources_release(s);
		return false;
	}
	return true;
}

/* ---- Answering ---- */

struct answer {
	struct reply *reply;
	size_t count;
};

static void answer_member(void *context, struct slice member) {
	struct answer *a = context;
	reply_slice(a->reply, member);
	a->count++;
}

static void answer(struct call *c, enum set_operation operation) {
	struct sources s;
	struct answer a = { c->reply, 0 };
	if (!sources_read(c, 1, c->argc - 1, &s)) return;
	size_t before = c->reply->out->len, begin = reply_begin(c->reply);
	if (set_combine(operation, source_sets(&s), s.count, answer_member, &a)) {
		reply_end(c->reply, begin, REPLY_SET, a.count);
	} else {
		c->reply->out->len = before;
		reply_error(c->reply, ERR_NO_MEMORY);
	}
	sources_release(&s);
}

void cmd_sinter(struct call *c) {
	answer(c, SET_INTERSECTION);
}

void cmd_sunion(struct call *c) {
	answer(c, SET_UNION);
}

void cmd_sdiff(struct call *c) {
	answer(c, SET_DIFFERENCE);
}

/* ---- Storing ---- */

/* The destination may be one of the sources: it is looked up for writing when all have been read. */
static void keep(struct call *c, struct value *result, const char *event) {
	struct key key = call_key(c, 1);
	struct entry *e = store_find_write(c->view, &key);
	size_t count = set_count(result);
	if (store_overwrite_value(c->view, &key, e, result, EXPIRY_NONE)) {
		store_committed(c->view, &key, EVENT_SET, event);
	} else if (e) {
		store_committed(c->view, &key, EVENT_GENERIC, "del");
	}
	reply_int(c->reply, (int64_t)count);
}

static void store(struct call *c, enum set_operation operation, const char *event) {
	struct sources s;
	struct value result;
	if (!sources_read(c, 2, c->argc - 2, &s)) return;
	if (set_combine_new(operation, source_sets(&s), s.count, store_limits(c->view), &result)) {
		keep(c, &result, event);
	} else {
		reply_error(c->reply, ERR_NO_MEMORY);
	}
	sources_release(&s);
}

void cmd_sinterstore(struct call *c) {
	store(c, SET_INTERSECTION, "sinterstore");
}

void cmd_sunionstore(struct call *c) {
	store(c, SET_UNION, "sunionstore");
}

void cmd_sdiffstore(struct call *c) {
	store(c, SET_DIFFERENCE, "sdiffstore");
}

/* ---- SINTERCARD numkeys key … [LIMIT limit] ---- */

/* 0: none. */
static bool read_limit(struct call *c, unsigned arg, int64_t *limit) {
	*limit = 0;
	for (; arg < c->argc; arg += 2) {
		if (!call_word(c, arg, "limit") || arg + 1 >= c->argc) {
			call_syntax_error(c);
			return false;
		}
		if (!number_parse_i64(c->argv[arg + 1], limit) || *limit < 0) {
			reply_error(c->reply, "ERR LIMIT can't be negative");
			return false;
		}
	}
	return true;
}

void cmd_sintercard(struct call *c) {
	struct sources s;
	int64_t count, limit;

	if (!number_parse_i64(c->argv[1], &count) || count <= 0) {
		reply_error(c->reply, "ERR numkeys should be greater than 0");
		return;
	}
	if (count > c->argc - 2) {
		reply_error(c->reply, "ERR Number of keys can't be greater than number of args");
		return;
	}
	if (!read_limit(c, 2 + (unsigned)count, &limit)) return;
	if (!sources_read(c, 2, (size_t)count, &s)) return;
	reply_int(c->reply, (int64_t)set_count_intersection(source_sets(&s), s.count, (size_t)limit));
	sources_release(&s);
}
