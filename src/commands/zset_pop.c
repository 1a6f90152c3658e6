/* Sorted sets, taken out by their ends or read by chance: ZPOPMIN, ZPOPMAX, ZMPOP, ZRANDMEMBER. */
#include "commands/generated/command_handlers.h"

#include "base/alloc.h"
#include "base/random.h"
#include "commands/zset_common.h"
#include "types/sample.h"

/* ---- ZPOPMIN, ZPOPMAX ---- */

static void pop(struct call *c, enum zset_order order) {
	struct key key = call_key(c, 1);
	struct entry *e;
	int64_t count = 1;
	if (c->argc > 3) {
		call_syntax_error(c);
		return;
	}
	bool counted = c->argc == 3;
	if (counted && (!number_parse_i64(c->argv[2], &count) || count < 0)) {
		reply_error(c->reply, ERR_NOT_POSITIVE);
		return;
	}
	if (!call_write_value(c, &key, VALUE_ZSET, &e)) return;
	if (!e || count == 0) {
		reply_array(c->reply, 0);
		return;
	}
	/* Only with a count RESP3 has a pair for each. */
	zset_pop(c, &key, e, order, (size_t)count, counted ? ZSET_REPLY_SCORES : ZSET_REPLY_FLAT);
}

void cmd_zpopmin(struct call *c) {
	pop(c, ZSET_UP);
}

void cmd_zpopmax(struct call *c) {
	pop(c, ZSET_DOWN);
}

/* ---- ZMPOP ---- */

void cmd_zmpop(struct call *c) {
	struct pop_options o;
	struct key key;
	struct entry *e;
	if (!args_pop_options(c, 1, "MIN", "MAX", &o)) return;
	if (!call_write_first(c, VALUE_ZSET, 2, o.keys, &key, &e)) return;
	if (e)
		zset_pop_several(c, &key, e, &o);
	else
		reply_null_array(c->reply);
}

/* ---- ZRANDMEMBER ---- */

/* Different members, in their order. From an eighth of a tree on, walking through all is cheaper than seeking each. */
static bool reply_sample(struct call *c, const struct value *z, size_t wanted, enum zset_reply_form form) {
	size_t total = zset_count(z);
	if (wanted > total) wanted = total;
	if (z->encoding == ZSET_PACK || wanted >= total / 8) {
		struct sample sample = { .left = total, .wanted = wanted };
		struct zset_walk walk;
		struct zset_element element;
		zset_walk_ranks(z, 0, SIZE_MAX, ZSET_UP, &walk);
		zset_reply_head(c->reply, form, wanted);
		while (sample.wanted > 0 && zset_next(&walk, &element))
			if (sample_take(&sample)) zset_reply_element(c->reply, form, element.member, element.score);
		return true;
	}
	size_t *ranks = mem_try_alloc(wanted * sizeof(*ranks));
	if (!ranks) return false;
	sample_indices(total, wanted, ranks);
	zset_reply_head(c->reply, form, wanted);
	for (size_t i = 0; i < wanted; i++) {
		struct zset_element element = zset_at(z, ranks[i], ZSET_UP, NULL);
		zset_reply_element(c->reply, form, element.member, element.score);
	}
	mem_free(ranks);
	return true;
}

/* Each drawn from all. A client can ask for any number of members of a small set; proto-max-bulk-len is where it ends. */
static bool reply_draws(struct call *c, const struct value *z, uint64_t wanted, enum zset_reply_form form) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	size_t total = zset_count(z), start = c->reply->out->len;
	zset_reply_head(c->reply, form, wanted);
	for (; wanted > 0; wanted--) {
		struct zset_element element = zset_at(z, random_below(total), ZSET_UP, scratch);
		zset_reply_element(c->reply, form, element.member, element.score);
		if (c->reply->out->len - start <= call_max_string(c)) continue;
		c->reply->out->len = start;
		return false;
	}
	return true;
}

/* ZRANDMEMBER key count [WITHSCORES] */
static bool read_random_count(struct call *c, int64_t *count, enum zset_reply_form *form) {
	if (!call_int(c, 2, count, NULL)) return false;
	if (*count == INT64_MIN) {
		reply_errorf(c->reply, "ERR value is out of range, value must between %lld and %lld",
			(long long)-INT64_MAX, (long long)INT64_MAX);
		return false;
	}
	bool with_scores = call_word(c, 3, "WITHSCORES");
	if (c->argc > 4 || (c->argc == 4 && !with_scores)) {
		call_syntax_error(c);
		return false;
	}
	/* Redis doubles the number. */
	if (with_scores && (*count < -(INT64_MAX / 2) || *count > INT64_MAX / 2)) {
		reply_error(c->reply, "ERR value is out of range");
		return false;
	}
	*form = with_scores ? ZSET_REPLY_SCORES : ZSET_REPLY_MEMBERS;
	return true;
}

static void random_member(struct call *c, const struct key *key) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	struct value z;
	if (!call_read_value(c, key, VALUE_ZSET, &z)) return;
	if (z.data) {
		reply_slice(c->reply, zset_at(&z, random_below(zset_count(&z)), ZSET_UP, scratch).member);
	} else {
		reply_null(c->reply);
	}
}

void cmd_zrandmember(struct call *c) {
	struct key key = call_key(c, 1);
	struct value z;
	int64_t count;
	enum zset_reply_form form;
	if (c->argc == 2) {
		random_member(c, &key);
		return;
	}
	if (!read_random_count(c, &count, &form) || !call_read_value(c, &key, VALUE_ZSET, &z)) return;
	if (!z.data || count == 0) {
		reply_array(c->reply, 0);
	} else if (count > 0) {
		if (!reply_sample(c, &z, (size_t)count, form)) reply_error(c->reply, ERR_NO_MEMORY);
	} else {
		if (!reply_draws(c, &z, 0 - (uint64_t)count, form)) reply_error(c->reply, ERR_REPLY_TOO_LONG);
	}
}
