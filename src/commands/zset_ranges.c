/* Stretches of sorted sets: ZRANGE and all its older forms, ZRANGESTORE, ZCOUNT, ZLEXCOUNT, ZREMRANGEBY*. */
#include "commands/generated/command_handlers.h"

#include "commands/zset_common.h"
#include "types/zset_build.h"

/* ---- What is asked for ---- */

enum range_by { BY_WORDS, BY_RANK, BY_SCORE, BY_LEX }; /* BY_WORDS: RANK unless the words say otherwise */
enum direction { BY_REV, UPWARDS, DOWNWARDS };         /* BY_REV: upwards unless REV is given */

struct range_request {
	enum range_by by;
	enum direction direction;
	bool stores; /* ZRANGESTORE knows no WITHSCORES */
	bool with_scores;
	int64_t offset;
	int64_t limit; /* negative: none */
	struct zset_rank_range ranks;
	struct zset_score_range scores;
	struct zset_lex_range lex;
};

static bool read_words(struct call *c, unsigned arg, struct range_request *q) {
	for (; arg < c->argc; arg++) {
		if (!q->stores && call_word(c, arg, "WITHSCORES")) {
			q->with_scores = true;
		} else if (call_word(c, arg, "LIMIT") && arg + 2 < c->argc) {
			if (!call_int(c, arg + 1, &q->offset, NULL) || !call_int(c, arg + 2, &q->limit, NULL))
				return false;
			arg += 2;
		} else if (q->direction == BY_REV && call_word(c, arg, "REV")) {
			q->direction = DOWNWARDS;
		} else if (q->by == BY_WORDS && call_word(c, arg, "BYLEX")) {
			q->by = BY_LEX;
		} else if (q->by == BY_WORDS && call_word(c, arg, "BYSCORE")) {
			q->by = BY_SCORE;
		} else {
			call_syntax_error(c);
			return false;
		}
	}
	return true;
}

/* The two ends stand at `arg`; where bounds count, REV wants the greater one first. */
static bool read_request(struct call *c, unsigned arg, struct range_request *q) {
	q->limit = -1;
	if (!read_words(c, arg + 2, q)) return false;
	if (q->by == BY_WORDS) q->by = BY_RANK;
	if (q->limit != -1 && q->by == BY_RANK) {
		reply_error(c->reply,
			"ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
		return false;
	}
	if (q->with_scores && q->by == BY_LEX) {
		reply_error(c->reply, "ERR syntax error, WITHSCORES not supported in combination with BYLEX");
		return false;
	}
	bool down = q->direction == DOWNWARDS;
	unsigned min = down ? arg + 1 : arg, max = down ? arg : arg + 1;
	switch (q->by) {
	case BY_SCORE: return zset_read_scores(c, min, max, &q->scores);
	case BY_LEX: return zset_read_lex(c, min, max, &q->lex);
	default: return zset_read_ranks(c, arg, arg + 1, &q->ranks);
	}
}

static void start_walk(const struct value *z, const struct range_request *q, struct zset_walk *walk) {
	enum zset_order order = q->direction == DOWNWARDS ? ZSET_DOWN : ZSET_UP;
	size_t limit = q->limit < 0 ? SIZE_MAX : (size_t)q->limit;
	size_t offset = (size_t)q->offset;
	/* An offset before the beginning leads nowhere. */
	if (q->offset < 0) limit = offset = 0;
	if (q->by == BY_SCORE) {
		zset_walk_scores(z, &q->scores, order, offset, limit, walk);
	} else if (q->by == BY_LEX) {
		zset_walk_lex(z, &q->lex, order, offset, limit, walk);
	} else {
		struct zset_span span = zset_span_of_ranks(&q->ranks, zset_count(z));
		zset_walk_ranks(z, span.first, span.count, order, walk);
	}
}

/* ---- ZRANGE and its kin ---- */

static void range(struct call *c, enum range_by by, enum direction direction) {
	struct range_request q = { .by = by, .direction = direction };
	struct key key = call_key(c, 1);
	struct value z;
	struct zset_walk walk;
	if (!read_request(c, 2, &q) || !call_read_value(c, &key, VALUE_ZSET, &z)) return;
	if (!z.data) {
		reply_array(c->reply, 0);
		return;
	}
	start_walk(&z, &q, &walk);
	zset_reply_walk(c->reply, q.with_scores ? ZSET_REPLY_SCORES : ZSET_REPLY_MEMBERS, &walk);
}

void cmd_zrange(struct call *c) {
	range(c, BY_WORDS, BY_REV);
}

void cmd_zrevrange(struct call *c) {
	range(c, BY_RANK, DOWNWARDS);
}

void cmd_zrangebyscore(struct call *c) {
	range(c, BY_SCORE, UPWARDS);
}

void cmd_zrevrangebyscore(struct call *c) {
	range(c, BY_SCORE, DOWNWARDS);
}

void cmd_zrangebylex(struct call *c) {
	range(c, BY_LEX, UPWARDS);
}

void cmd_zrevrangebylex(struct call *c) {
	range(c, BY_LEX, DOWNWARDS);
}

/* ---- ZRANGESTORE ---- */

/* Redis adds the members one by one, to a pack unless it knows that they are too many, until one does not fit. A pack makes -0
 * a 0, which is all that this can be seen by. */
static bool gather(struct call *c, const struct value *z, const struct range_request *q, struct zset_build *build) {
	const struct type_limits *limits = store_limits(c->view);
	struct zset_walk walk;
	struct zset_element element;
	if (!z->data) return true;
	start_walk(z, q, &walk);
	bool packed = q->by != BY_RANK || walk.left <= limits->zset_max_listpack_entries;
	while (zset_next(&walk, &element)) {
		packed = packed && build->count < limits->zset_max_listpack_entries &&
			 element.member.len <= limits->zset_max_listpack_value;
		double score = packed && element.score == 0 ? 0 : element.score;
		if (!zset_build_add(build, element.member, score)) return false;
	}
	return zset_build_sort(build);
}

void cmd_zrangestore(struct call *c) {
	struct range_request q = { .stores = true };
	struct key to = call_key(c, 1), from = call_key(c, 2);
	struct zset_build build = { 0 };
	struct value z, result;
	if (!read_request(c, 3, &q) || !call_read_value(c, &from, VALUE_ZSET, &z)) return;
	if (gather(c, &z, &q, &build)) {
		int64_t count = (int64_t)build.count;
		zset_build_finish(&build, store_limits(c->view), &result);
		zset_store_result(c, &to, &result, "zrangestore");
		reply_int(c->reply, count);
	} else {
		reply_error(c->reply, ERR_NO_MEMORY);
	}
	zset_build_release(&build);
}

/* ---- Counting ---- */

void cmd_zcount(struct call *c) {
	struct key key = call_key(c, 1);
	struct zset_score_range scores;
	struct value z;
	if (!zset_read_scores(c, 2, 3, &scores) || !call_read_value(c, &key, VALUE_ZSET, &z)) return;
	reply_int(c->reply, z.data ? (int64_t)zset_span_of_scores(&z, &scores).count : 0);
}

void cmd_zlexcount(struct call *c) {
	struct key key = call_key(c, 1);
	struct zset_lex_range lex;
	struct value z;
	if (!zset_read_lex(c, 2, 3, &lex) || !call_read_value(c, &key, VALUE_ZSET, &z)) return;
	reply_int(c->reply, z.data ? (int64_t)zset_span_of_lex(&z, &lex).count : 0);
}

/* ---- Removing ---- */

/* The entry is looked at first, so that a set which loses everything is freed as a whole, in the background when it is big. */
static void remove_span(
	struct call *c, const struct key *key, struct entry *e, struct zset_span span, const char *event) {
	struct value z = entry_value(e);
	bool there = false;
	if (span.count > 0) {
		if (span.count == zset_count(&z)) {
			store_remove(c->view, key, e);
		} else {
			struct edit edit;
			store_open(c->view, key, e, VALUE_ZSET, &edit);
			zset_take(&edit.value, span.first, span.count, ZSET_UP, NULL, NULL);
			there = store_close(c->view, key, &edit);
		}
		store_committed_many(c->view, key, EVENT_ZSET, event, span.count);
		if (!there) store_event(c->view, key, EVENT_GENERIC, "del");
	}
	reply_int(c->reply, (int64_t)span.count);
}

static void remove_range(struct call *c, enum range_by by, const char *event) {
	struct range_request q = { .by = by, .direction = UPWARDS };
	struct key key = call_key(c, 1);
	struct entry *e;
	struct zset_span span;
	if (!read_request(c, 2, &q) || !call_write_value(c, &key, VALUE_ZSET, &e)) return;
	if (!e) {
		reply_int(c->reply, 0);
		return;
	}
	struct value z = entry_value(e);
	if (by == BY_SCORE) {
		span = zset_span_of_scores(&z, &q.scores);
	} else if (by == BY_LEX) {
		span = zset_span_of_lex(&z, &q.lex);
	} else {
		span = zset_span_of_ranks(&q.ranks, zset_count(&z));
	}
	remove_span(c, &key, e, span, event);
}

void cmd_zremrangebyrank(struct call *c) {
	remove_range(c, BY_RANK, "zremrangebyrank");
}

void cmd_zremrangebyscore(struct call *c) {
	remove_range(c, BY_SCORE, "zremrangebyscore");
}

void cmd_zremrangebylex(struct call *c) {
	remove_range(c, BY_LEX, "zremrangebylex");
}
