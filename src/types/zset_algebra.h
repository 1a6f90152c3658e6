/* Union, intersection and difference of sorted sets and sets: behind ZUNION, ZINTER, ZDIFF and their kin.
 *
 * A member of a plain set counts with score 1. What would be NaN (an infinite score times 0, infinity less infinity) becomes 0;
 * only in an intersection does an infinite score times 0 of another input than the smallest make a whole sum 0, and is left
 * aside by MIN and MAX.
 * Results come as a zset_build (not sorted yet), which the caller answers from or keeps; the calls add to one that is empty.
 * False: no memory; what is in it then means nothing. */
#ifndef TARN_TYPES_ZSET_ALGEBRA_H
#define TARN_TYPES_ZSET_ALGEBRA_H

#include "types/zset_build.h"

enum zset_aggregate { ZSET_SUM, ZSET_MIN, ZSET_MAX };

struct zset_input {
	struct value value; /* VALUE_ZSET or VALUE_SET; no data: an empty one */
	double weight;
};

/* Both bring the inputs into order of their size first, as Redis does: that decides how sums are rounded. O(N + M log M), N
 * being all members and M those of the result; the intersection O(N·K + M log M), N being the members of the smallest. */
__attribute__((warn_unused_result)) bool zset_union(
	struct zset_input *inputs, size_t count, enum zset_aggregate how, struct zset_build *result);
__attribute__((warn_unused_result)) bool zset_inter(
	struct zset_input *inputs, size_t count, enum zset_aggregate how, struct zset_build *result);

/* The members of the first that no other has, with its scores (weights do not count). O(N·K + M log M), N being the members of
 * the first. */
__attribute__((warn_unused_result)) bool zset_diff(
	const struct zset_input *inputs, size_t count, struct zset_build *result);

/* How many members the intersection has; no more than `limit` are counted, 0 is no limit. */
size_t zset_inter_count(struct zset_input *inputs, size_t count, size_t limit);

#endif
