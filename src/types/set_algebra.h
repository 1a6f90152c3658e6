/* Several sets at once: what all have, what one or another has, what the first alone has.
 *
 * `sets` are handles of VALUE_SET; one without data is an empty set. The same set may come several times. Nothing is changed.
 * The smallest set is walked (of a difference the first), and its members are looked for in the others, a batch at a time, so
 * that the cache misses of a batch overlap. Each member is hashed once. What a set holds is not copied, but where it says
 * so. */
#ifndef TARN_TYPES_SET_ALGEBRA_H
#define TARN_TYPES_SET_ALGEBRA_H

#include "types/set.h"

enum set_operation { SET_INTERSECTION, SET_UNION, SET_DIFFERENCE };

/* Brings each member of the result once, from the set that holds it; of sets that are all intsets ascending. A union of more
 * than two sets, or of flat ones, copies for itself what it must remember. At least one set. False, some members brought,
 * when memory was exhausted. */
__attribute__((warn_unused_result)) bool set_combine(
	enum set_operation operation, const struct value *sets, size_t count, set_visit_fn *visit, void *context);

/* How many members all have; `limit` when that is reached, unless it is 0. */
size_t set_count_intersection(const struct value *sets, size_t count, size_t limit);

/* The result as a set of its own, the caller's, in the form that suits it, even where a walked set is larger: an intset when all
 * are numbers. False, nothing made, when memory was exhausted. */
__attribute__((warn_unused_result)) bool set_combine_new(enum set_operation operation, const struct value *sets,
	size_t count, const struct type_limits *limits, struct value *result);

#endif
