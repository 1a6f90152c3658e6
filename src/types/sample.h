/* Uniform random samples without repetition: behind SPOP, SRANDMEMBER and their kin with a count.
 *
 * Of a row that is walked from its beginning to its end (selection sampling, D. Knuth, The Art of Computer Programming 2,
 * 3.4.2, algorithm S): every subset of the wanted size comes with the same chance.
 *
 *   struct sample sample = { .left = n, .wanted = k };
 *   for (each of the n) if (sample_take(&sample)) …     // for k of them
 *
 * Of a row whose elements are reached by their index: sample_indices. */
#ifndef TARN_TYPES_SAMPLE_H
#define TARN_TYPES_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/random.h"

struct sample {
	size_t left;   /* elements that were not asked about yet */
	size_t wanted; /* of these; at most `left` */
};

/* Whether the next element is one of the sample. Once `wanted` is 0 no other one is, and the walk may end. */
static inline bool sample_take(struct sample *s) {
	bool taken = s->wanted > 0 && random_below(s->left) < s->wanted;
	s->left--;
	s->wanted -= taken;
	return taken;
}

/* `wanted` different numbers below `count`, ascending, in `indices`. wanted <= count. O(wanted log wanted). */
void sample_indices(size_t count, size_t wanted, size_t *indices);

#endif
