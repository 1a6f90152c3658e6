/* The longest common subsequence of two byte strings (LCS).
 *
 * Time is the product of the lengths. Memory is a bit per pair of bytes and two rows of counts: a thirty-second of what the
 * full table of counts would take. */
#ifndef TARN_TYPES_STRING_OPS_H
#define TARN_TYPES_STRING_OPS_H

#include "base/bytes.h"

/* A run of the subsequence that lies together in both strings. */
struct lcs_run {
	size_t a; /* where it starts in the first string */
	size_t b; /* and in the second */
	size_t len;
};

struct lcs {
	size_t len;           /* of the subsequence, in bytes */
	struct lcs_run *runs; /* from the end of the strings towards their start */
	size_t run_count;
};

/* Finds it. Where several are equally long, the choice is Redis's. False, nothing to release, when the memory cannot
 * be had. Both lengths are below 2^32. */
__attribute__((warn_unused_result)) bool lcs_find(struct slice a, struct slice b, struct lcs *result);
void lcs_release(struct lcs *result);

/* The length alone, without the bit per pair. */
__attribute__((warn_unused_result)) bool lcs_length(struct slice a, struct slice b, size_t *len);

/* What the table of 32-bit counts of a plain implementation would take, in bytes: the size that Redis holds against
 * proto-max-bulk-len. UINT64_MAX when it does not fit. */
uint64_t lcs_table_bytes(struct slice a, struct slice b);

#endif
