/* Sorted sets, one member at a time: ZADD, ZINCRBY, ZREM, ZSCORE, ZMSCORE, ZRANK, ZREVRANK; and ZCARD, ZSCAN. */
#include "commands/generated/command_handlers.h"

#include "base/alloc.h"
#include "commands/zset_common.h"

/* Fetches ahead what this command and those behind it in the pipeline look for, in their argument `arg`. */
static void fetch_row(struct call *c, const struct value *z, unsigned arg) {
	struct slice members[ZSET_PREFETCH_MAX];
	if (!z->data || z->encoding == ZSET_PACK) return;
	unsigned count = call_row(c, arg, members, ZSET_PREFETCH_MAX);
	if (count > 1) zset_prefetch(z, members, count, 1);
}

/* ---- ZADD, ZINCRBY ---- */

struct add_options {
	unsigned flags; /* enum zset_add_flags */
	bool changes;   /* CH */
	unsigned first; /* argument: score, member … from here on */
	unsigned pairs;
};

/* Takes the words before the first score. */
static void read_add_words(const struct call *c, struct add_options *o) {
	static const struct {
		const char *word;
		unsigned flag;
	} words[] = { { "NX", ZSET_ADD_NX }, { "XX", ZSET_ADD_XX }, { "GT", ZSET_ADD_GT }, { "LT", ZSET_ADD_LT },
		{ "INCR", ZSET_ADD_INCR }, { "CH", 0 } };
	for (o->first = 2; o->first < c->argc; o->first++) {
		size_t i = 0, count = sizeof(words) / sizeof(words[0]);
		while (i < count && !call_word(c, o->first, words[i].word)) i++;
		if (i == count) return;
		o->flags |= words[i].flag;
		if (words[i].flag == 0) o->changes = true;
	}
}

/* NULL, or the error. */
static const char *check_add_options(const struct call *c, struct add_options *o) {
	unsigned left = c->argc - o->first;
	unsigned nx_gt_lt = o->flags & (ZSET_ADD_NX | ZSET_ADD_GT | ZSET_ADD_LT);
	if (left == 0 || left % 2 == 1) return ERR_SYNTAX;
	o->pairs = left / 2;
	if (o->flags & ZSET_ADD_NX && o->flags & ZSET_ADD_XX)
		return "ERR XX and NX options at the same time are not compatible";
	if (nx_gt_lt & (nx_gt_lt - 1)) return "ERR GT, LT, and/or NX options at the same time are not compatible";
	if (o->flags & ZSET_ADD_INCR && o->pairs > 1) return "ERR INCR option supports a single increment-element pair";
	return NULL;
}

/* All scores are read before the first one counts. */
static bool read_scores(struct call *c, const struct add_options *o, double *scores) {
	for (unsigned i = 0; i < o->pairs; i++) {
		if (number_parse_double(c->argv[o->first + i * 2], &scores[i])) continue;
		reply_error(c->reply, ERR_NOT_FLOAT);
		return false;
	}
	return true;
}

struct add_outcome {
	size_t added, updated;
	enum zset_added last;
	double score; /* of the last one */
};

static void add_pairs(struct call *c, const struct add_options *o, const double *scores, struct value *z,
	struct add_outcome *outcome) {
	for (unsigned i = 0; i < o->pairs; i++) {
		const struct slice *member = &c->argv[o->first + i * 2 + 1];
		if (i % ZSET_PREFETCH_MAX == 0 && o->pairs > 1) zset_prefetch(z, member, o->pairs - i, 2);
		outcome->last = zset_add(z, *member, scores[i], o->flags, store_limits(c->view), &outcome->score);
		if (outcome->last == ZSET_NO_MEMORY) return;
		outcome->added += outcome->last == ZSET_ADDED;
		outcome->updated += outcome->last == ZSET_UPDATED;
	}
}

static void reply_added(struct call *c, const struct add_options *o, const struct add_outcome *outcome) {
	if (outcome->last == ZSET_NAN) {
		reply_error(c->reply, ERR_SCORE_NAN);
	} else if (outcome->last == ZSET_NO_MEMORY) {
		reply_error(c->reply, ERR_NO_MEMORY);
	} else if (!(o->flags & ZSET_ADD_INCR)) {
		reply_int(c->reply, (int64_t)(outcome->added + (o->changes ? outcome->updated : 0)));
	} else if (outcome->last == ZSET_KEPT) {
		reply_null(c->reply);
	} else {
		reply_double(c->reply, outcome->score);
	}
}

static void add(struct call *c, const struct add_options *o, const double *scores) {
	struct key key = call_key(c, 1);
	struct entry *e;
	struct edit edit;
	struct add_outcome outcome = { .last = ZSET_KEPT };
	if (!call_write_value(c, &key, VALUE_ZSET, &e)) return;
	if (e || !(o->flags & ZSET_ADD_XX)) {
		store_open(c->view, &key, e, VALUE_ZSET, &edit);
		zset_expect(&edit.value, o->pairs, store_limits(c->view));
		fetch_row(c, &edit.value, o->first + 1);
		add_pairs(c, o, scores, &edit.value, &outcome);
		store_close(c->view, &key, &edit);
		if (outcome.added + outcome.updated > 0)
			store_committed_many(c->view, &key, EVENT_ZSET, o->flags & ZSET_ADD_INCR ? "zincr" : "zadd",
				outcome.added + outcome.updated);
	}
	reply_added(c, o, &outcome);
}

enum { LOCAL_SCORES = 32 };

static void read_and_add(struct call *c, struct add_options *o) {
	double local[LOCAL_SCORES];
	const char *error = check_add_options(c, o);
	if (error) {
		reply_error(c->reply, error);
		return;
	}
	double *scores = o->pairs <= LOCAL_SCORES ? local : mem_try_alloc(o->pairs * sizeof(*scores));
	if (!scores) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	if (read_scores(c, o, scores)) add(c, o, scores);
	if (scores != local) mem_free(scores);
}

void cmd_zadd(struct call *c) {
	struct add_options options = { 0 };
	read_add_words(c, &options);
	read_and_add(c, &options);
}

void cmd_zincrby(struct call *c) {
	struct add_options options = { .flags = ZSET_ADD_INCR, .first = 2 };
	read_and_add(c, &options);
}

/* ---- ZREM ---- */

void cmd_zrem(struct call *c) {
	struct key key = call_key(c, 1);
	struct entry *e;
	struct edit edit;
	int64_t removed = 0;
	if (!call_write_value(c, &key, VALUE_ZSET, &e)) return;
	if (e) {
		store_open(c->view, &key, e, VALUE_ZSET, &edit);
		fetch_row(c, &edit.value, 2);
		for (unsigned arg = 2; arg < c->argc; arg++) {
			if ((arg - 2) % ZSET_PREFETCH_MAX == 0 && c->argc > 3)
				zset_prefetch(&edit.value, c->argv + arg, c->argc - arg, 1);
			removed += zset_remove(&edit.value, c->argv[arg]);
		}
		bool there = store_close(c->view, &key, &edit);
		if (removed > 0) store_committed_many(c->view, &key, EVENT_ZSET, "zrem", (uint64_t)removed);
		if (!there) store_event(c->view, &key, EVENT_GENERIC, "del");
	}
	reply_int(c->reply, removed);
}

/* ---- Reading ---- */

void cmd_zcard(struct call *c) {
	struct key key = call_key(c, 1);
	struct value z;
	if (!call_read_value(c, &key, VALUE_ZSET, &z)) return;
	reply_int(c->reply, z.data ? (int64_t)zset_count(&z) : 0);
}

void cmd_zscore(struct call *c) {
	struct key key = call_key(c, 1);
	struct value z;
	double score;
	if (!call_read_value(c, &key, VALUE_ZSET, &z)) return;
	fetch_row(c, &z, 2);
	if (z.data && zset_score(&z, c->argv[2], &score)) {
		reply_double(c->reply, score);
	} else {
		reply_null(c->reply);
	}
}

enum { SCORE_BATCH = 16 };

void cmd_zmscore(struct call *c) {
	struct key key = call_key(c, 1);
	struct value z;
	bool found[SCORE_BATCH] = { false };
	double scores[SCORE_BATCH];
	if (!call_read_value(c, &key, VALUE_ZSET, &z)) return;
	reply_array(c->reply, c->argc - 2);
	for (unsigned arg = 2; arg < c->argc; arg += SCORE_BATCH) {
		size_t batch = c->argc - arg < SCORE_BATCH ? c->argc - arg : SCORE_BATCH;
		if (z.data) zset_score_many(&z, c->argv + arg, batch, found, scores);
		for (size_t i = 0; i < batch; i++) {
			if (found[i]) {
				reply_double(c->reply, scores[i]);
			} else {
				reply_null(c->reply);
			}
		}
	}
}

/* False, answered, when the words are wrong. */
static bool read_rank_words(struct call *c, bool *with_score) {
	*with_score = c->argc > 3;
	if (c->argc > 4) {
		reply_errorf(c->reply, "ERR wrong number of arguments for '%s' command", call_name(c));
		return false;
	}
	if (*with_score && !call_word(c, 3, "WITHSCORE")) {
		call_syntax_error(c);
		return false;
	}
	return true;
}

/* ZRANK key member [WITHSCORE] */
static void rank(struct call *c, enum zset_order order) {
	struct key key = call_key(c, 1);
	struct value z;
	size_t rank;
	double score;
	bool with_score;
	if (!read_rank_words(c, &with_score) || !call_read_value(c, &key, VALUE_ZSET, &z)) return;
	fetch_row(c, &z, 2);
	if (z.data && zset_rank(&z, c->argv[2], order, &rank, &score)) {
		if (with_score) reply_array(c->reply, 2);
		reply_int(c->reply, (int64_t)rank);
		if (with_score) reply_double(c->reply, score);
	} else if (with_score) {
		reply_null_array(c->reply);
	} else {
		reply_null(c->reply);
	}
}

void cmd_zrank(struct call *c) {
	rank(c, ZSET_UP);
}

void cmd_zrevrank(struct call *c) {
	rank(c, ZSET_DOWN);
}

/* ---- ZSCAN ---- */

/* What the steps of one call brought. Members of a tree stay where they are until the reply is written. */
struct scanned {
	const struct scan_options *options;
	struct buffer elements; /* struct zset_element */
	size_t visited;
};

static void scan_member(void *context, struct slice member, double score) {
	struct scanned *s = context;
	struct zset_element element = { member, score };
	s->visited++;
	if (args_scan_wants(s->options, member)) buffer_append(&s->elements, &element, sizeof(element));
}

/* In ZSCAN scores are bulk strings in RESP3, too. */
static void reply_scanned(struct reply *r, struct slice member, double score) {
	char text[NUMBER_DOUBLE_MAX_CHARS];
	reply_slice(r, member);
	reply_bulk(r, text, number_format_double(text, score));
}

static void scan_tree(struct call *c, const struct value *z, uint64_t cursor, const struct scan_options *options) {
	struct scanned scanned = { .options = options };
	/* A hash table with many empty buckets must not keep the others waiting. */
	uint64_t steps = options->count < UINT64_MAX / 10 ? options->count * 10 : UINT64_MAX;
	do {
		cursor = zset_scan(z, cursor, scan_member, &scanned);
	} while (cursor && --steps > 0 && scanned.visited < options->count);
	size_t found = scanned.elements.len / sizeof(struct zset_element);
	const struct zset_element *elements = (const void *)scanned.elements.data;
	args_scan_reply(c, cursor);
	reply_array(c->reply, found * 2);
	for (size_t i = 0; i < found; i++) reply_scanned(c->reply, elements[i].member, elements[i].score);
	buffer_release(&scanned.elements);
}

static void scan_pack(struct call *c, const struct value *z, const struct scan_options *options) {
	struct zset_walk walk;
	struct zset_element element;
	size_t found = 0;
	args_scan_reply(c, 0);
	size_t begin = reply_begin(c->reply);
	zset_walk_ranks(z, 0, SIZE_MAX, ZSET_UP, &walk);
	while (zset_next(&walk, &element)) {
		if (!args_scan_wants(options, element.member)) continue;
		reply_scanned(c->reply, element.member, element.score);
		found += 2;
	}
	reply_end(c->reply, begin, REPLY_ARRAY, found);
}

void cmd_zscan(struct call *c) {
	struct key key = call_key(c, 1);
	struct value z;
	uint64_t cursor;
	struct scan_options options;
	if (!args_cursor(c, 2, &cursor) || !call_read_value(c, &key, VALUE_ZSET, &z)) return;
	if (!z.data) {
		args_scan_reply(c, 0);
		reply_array(c->reply, 0);
		return;
	}
	if (!args_scan_options(c, 3, 0, &options)) return;
	if (z.encoding == ZSET_PACK) {
		scan_pack(c, &z, &options);
	} else {
		scan_tree(c, &z, cursor, &options);
	}
}
