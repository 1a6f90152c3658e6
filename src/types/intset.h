/* intset: a flat sorted array of different integers, the smallest form of a set of numbers.
 *
 * Its bytes are those of an *intset* in RDB files, so it is saved and loaded as it lies in memory:
 *
 *   offset size
 *        0    4  width: bytes of an integer, 2, 4 or 8; little-endian, as all that follows
 *        4    4  count
 *        8       integers, signed, ascending
 *
 * { 1, 2, 300 } is 02 00 00 00  03 00 00 00  01 00  02 00  2C 01. The width is that of the largest integer that was ever put
 * in; it does not go back.
 *
 * Calls that change one take the pointer to the owner's pointer, because the bytes may move. Calls that only read take one at
 * any address, aligned or not. To have no memory ends the process. Single-threaded; O(1) unless noted. */
#ifndef TARN_TYPES_INTSET_H
#define TARN_TYPES_INTSET_H

#include "base/bytes.h"

enum {
	INTSET_HEAD_BYTES = 8,
	INTSET_MAX_COUNT = 1 << 30,
};

struct intset {
	/* Private. */
	uint8_t _width[4];
	uint8_t _count[4];
	uint8_t _integers[];
};

struct intset *intset_new(void);
struct intset *intset_copy(const struct intset *set); /* O(n) */
/* From the bytes of one, for which intset_validate said yes. Copies them. */
struct intset *intset_from_bytes(struct slice bytes);
void intset_free(struct intset *set); /* NULL is fine */

/* Whether the bytes are an intset: the width, the length, the order. O(n). */
bool intset_validate(const void *bytes, size_t len);

size_t intset_count(const struct intset *set);
size_t intset_bytes(const struct intset *set);
struct slice intset_raw(const struct intset *set); /* the bytes, for RDB; valid until the set changes */
size_t intset_memory(const struct intset *set);    /* what the allocator gives for it */

/* Number `index` from the smallest on; index < intset_count. */
int64_t intset_at(const struct intset *set, size_t index);

/* The index of the first number from `from` on that is not below `value`; intset_count when there is none. Looks near
 * `from` first, so that a row of ascending values is found in about as many steps as there are numbers passed over, at most
 * O(log n) each (galloping search: J. Bentley and A. Yao, 1976). from <= intset_count. */
size_t intset_seek(const struct intset *set, size_t from, int64_t value);

bool intset_has(const struct intset *set, int64_t value); /* O(log n) */

/* False when it was there. The set has less than INTSET_MAX_COUNT numbers. O(n). */
bool intset_add(struct intset **set, int64_t value);

/* False when it was not there. O(n). */
bool intset_remove(struct intset **set, int64_t value);

/* Removes the numbers at these indices, which ascend. O(n). */
void intset_remove_at(struct intset **set, const size_t *indices, size_t count);

#endif
