/* Several sorted sets and sets at once: ZUNION, ZINTER, ZDIFF, their STORE forms, ZINTERCARD. */
#include "commands/generated/command_handlers.h"

#include "base/alloc.h"
#include "commands/zset_common.h"
#include "types/zset_algebra.h"

enum operation { UNION, INTER, DIFF };

enum request_flags {
	TAKES_WEIGHTS = 1 << 0, /* WEIGHTS and AGGREGATE */
	TAKES_SCORES = 1 << 1,  /* WITHSCORES */
	TAKES_LIMIT = 1 << 2,
};

struct combine_request {
	unsigned words; /* enum request_flags */
	size_t count;   /* of inputs */
	struct zset_input *inputs;
	enum zset_aggregate aggregate;
	bool with_scores;
	int64_t limit; /* 0: none */
};

static bool read_inputs(struct call *c, unsigned first, struct combine_request *q) {
	for (size_t i = 0; i < q->count; i++) {
		struct key key = call_key(c, first + (unsigned)i);
		const struct entry *e = store_find(c->view, &key);
		q->inputs[i] = (struct zset_input){ .weight = 1 };
		if (!e) continue;
		if (entry_type(e) != VALUE_ZSET && entry_type(e) != VALUE_SET) {
			reply_error(c->reply, ERR_WRONGTYPE);
			return false;
		}
		q->inputs[i].value = entry_value(e);
	}
	return true;
}

static bool read_weights(struct call *c, unsigned arg, struct combine_request *q) {
	for (size_t i = 0; i < q->count; i++) {
		if (number_parse_double(c->argv[arg + i], &q->inputs[i].weight)) continue;
		reply_error(c->reply, "ERR weight value is not a float");
		return false;
	}
	return true;
}

static bool read_aggregate(struct call *c, unsigned arg, enum zset_aggregate *aggregate) {
	static const char *const names[] = { [ZSET_SUM] = "SUM", [ZSET_MIN] = "MIN", [ZSET_MAX] = "MAX" };
	for (int i = ZSET_SUM; i <= ZSET_MAX; i++) {
		if (!call_word(c, arg, names[i])) continue;
		*aggregate = (enum zset_aggregate)i;
		return true;
	}
	call_syntax_error(c);
	return false;
}

static bool read_limit(struct call *c, unsigned arg, int64_t *limit) {
	if (number_parse_i64(c->argv[arg], limit) && *limit >= 0) return true;
	reply_error(c->reply, "ERR LIMIT can't be negative");
	return false;
}

static bool read_words(struct call *c, unsigned arg, struct combine_request *q) {
	while (arg < c->argc) {
		unsigned left = c->argc - arg;
		if (q->words & TAKES_WEIGHTS && left > q->count && call_word(c, arg, "WEIGHTS")) {
			if (!read_weights(c, arg + 1, q)) return false;
			arg += (unsigned)q->count + 1;
		} else if (q->words & TAKES_WEIGHTS && left > 1 && call_word(c, arg, "AGGREGATE")) {
			if (!read_aggregate(c, arg + 1, &q->aggregate)) return false;
			arg += 2;
		} else if (q->words & TAKES_SCORES && call_word(c, arg, "WITHSCORES")) {
			q->with_scores = true;
			arg++;
		} else if (q->words & TAKES_LIMIT && left > 1 && call_word(c, arg, "LIMIT")) {
			if (!read_limit(c, arg + 1, &q->limit)) return false;
			arg += 2;
		} else {
			call_syntax_error(c);
			return false;
		}
	}
	return true;
}

/* numkeys stands at `arg`, the keys behind it. The types of the keys come before the words, as in Redis. False, answered;
 * `inputs` is the caller's to free either way. */
static bool read_request(struct call *c, unsigned arg, struct combine_request *q) {
	int64_t count;
	if (!call_int(c, arg, &count, NULL)) return false;
	if (count < 1) {
		reply_errorf(c->reply, "ERR at least 1 input key is needed for '%s' command", call_name(c));
		return false;
	}
	if (count > c->argc - arg - 1) {
		call_syntax_error(c);
		return false;
	}
	q->count = (size_t)count;
	q->inputs = mem_try_alloc(q->count * sizeof(*q->inputs));
	if (!q->inputs) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return false;
	}
	return read_inputs(c, arg + 1, q) && read_words(c, arg + 1 + (unsigned)count, q);
}

static bool combine(enum operation op, struct combine_request *q, struct zset_build *result) {
	bool done;
	if (op == UNION) {
		done = zset_union(q->inputs, q->count, q->aggregate, result);
	} else if (op == INTER) {
		done = zset_inter(q->inputs, q->count, q->aggregate, result);
	} else {
		done = zset_diff(q->inputs, q->count, result);
	}
	return done && zset_build_sort(result);
}

/* ---- To the client ---- */

static void answer(struct call *c, enum operation op) {
	struct combine_request q = { .words = TAKES_SCORES | (op == DIFF ? 0 : TAKES_WEIGHTS) };
	struct zset_build result = { 0 };
	if (read_request(c, 1, &q)) {
		if (combine(op, &q, &result)) {
			enum zset_reply_form form = q.with_scores ? ZSET_REPLY_SCORES : ZSET_REPLY_MEMBERS;
			zset_reply_head(c->reply, form, result.count);
			for (size_t i = 0; i < result.count; i++) {
				struct zset_element element = zset_build_at(&result, i);
				zset_reply_element(c->reply, form, element.member, element.score);
			}
		} else {
			reply_error(c->reply, ERR_NO_MEMORY);
		}
	}
	zset_build_release(&result);
	mem_free(q.inputs);
}

void cmd_zunion(struct call *c) {
	answer(c, UNION);
}

void cmd_zinter(struct call *c) {
	answer(c, INTER);
}

void cmd_zdiff(struct call *c) {
	answer(c, DIFF);
}

void cmd_zintercard(struct call *c) {
	struct combine_request q = { .words = TAKES_LIMIT };
	if (read_request(c, 1, &q)) reply_int(c->reply, (int64_t)zset_inter_count(q.inputs, q.count, (size_t)q.limit));
	mem_free(q.inputs);
}

/* ---- To a key ---- */

static void keep(struct call *c, enum operation op, const char *event) {
	struct combine_request q = { .words = op == DIFF ? 0 : TAKES_WEIGHTS };
	struct key to = call_key(c, 1);
	struct zset_build result = { 0 };
	struct value z;
	if (read_request(c, 2, &q)) {
		if (combine(op, &q, &result)) {
			int64_t count = (int64_t)result.count;
			zset_build_finish(&result, store_limits(c->view), &z);
			zset_store_result(c, &to, &z, event);
			reply_int(c->reply, count);
		} else {
			reply_error(c->reply, ERR_NO_MEMORY);
		}
	}
	zset_build_release(&result);
	mem_free(q.inputs);
}

void cmd_zunionstore(struct call *c) {
	keep(c, UNION, "zunionstore");
}

void cmd_zinterstore(struct call *c) {
	keep(c, INTER, "zinterstore");
}

void cmd_zdiffstore(struct call *c) {
	keep(c, DIFF, "zdiffstore");
}
