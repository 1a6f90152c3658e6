/* What the commands of sorted sets share: how ranges are written, how members and scores are answered, how keys are popped. */
#ifndef TARN_COMMANDS_ZSET_COMMON_H
#define TARN_COMMANDS_ZSET_COMMON_H

#include "commands/args.h"
#include "types/zset.h"

#define ERR_SCORE_NAN "ERR resulting score is not a number (NaN)"

/* ---- Ranges ----
 * Read from two arguments; false, answered, when one of them is none. */

/* Scores: "1.5", "(1.5" (without it), "-inf", "+inf". */
__attribute__((warn_unused_result)) bool zset_read_scores(
	struct call *c, unsigned min_arg, unsigned max_arg, struct zset_score_range *range);
/* Bytes: "[a", "(a" (without it), "-" and "+". */
__attribute__((warn_unused_result)) bool zset_read_lex(
	struct call *c, unsigned min_arg, unsigned max_arg, struct zset_lex_range *range);
/* Ranks: integers, from the end when negative. */
struct zset_rank_range {
	int64_t start, stop;
};
__attribute__((warn_unused_result)) bool zset_read_ranks(
	struct call *c, unsigned start_arg, unsigned stop_arg, struct zset_rank_range *range);
/* The stretch that they mean, of `total` members. */
struct zset_span zset_span_of_ranks(const struct zset_rank_range *range, size_t total);

/* ---- Replies ---- */

enum zset_reply_form {
	ZSET_REPLY_MEMBERS, /* members only */
	ZSET_REPLY_SCORES,  /* WITHSCORES: member, score, member, score …; in RESP3 pairs */
	ZSET_REPLY_FLAT,    /* member, score … in RESP3 as well */
	ZSET_REPLY_PAIRS,   /* pairs in RESP2 as well */
};

/* The head of so many elements, then each of them. */
void zset_reply_head(struct reply *r, enum zset_reply_form form, size_t count);
void zset_reply_element(struct reply *r, enum zset_reply_form form, struct slice member, double score);
/* All of a walk, head included. */
void zset_reply_walk(struct reply *r, enum zset_reply_form form, struct zset_walk *walk);

/* ---- Changing ---- */

/* Removes up to `count` members (above 0) from one end of the sorted set of `e` and answers them, head included: ZPOPMIN,
 * ZPOPMAX, ZMPOP and their blocking kin, which have looked at the type of `e`. Says what was committed. */
void zset_pop(struct call *c, const struct key *key, struct entry *e, enum zset_order order, size_t count,
	enum zset_reply_form form);

/* The same as ZMPOP answers it: the key, and the pairs. */
void zset_pop_several(struct call *c, const struct key *key, struct entry *e, const struct pop_options *o);

/* The same for one member: an array of key, member and score (BZPOPMIN, BZPOPMAX). */
void zset_pop_named(struct call *c, const struct key *key, struct entry *e, enum zset_order order);

/* Puts the sorted set in the place of what the key holds, or removes the key when it is empty; takes the data over. Says what
 * was committed: `event`, or "del" when something went. */
void zset_store_result(struct call *c, const struct key *key, struct value *result, const char *event);

#endif
