#include "types/sample.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* From this share of the row on a walk over all indices is cheaper than keeping track of which were drawn. */
enum { WALK_SHARE = 8 };

static int compare_sizes(const void *a, const void *b) {
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	return (x > y) - (x < y);
}

/* Adds a number to an open-addressing set of numbers, which holds them plus one, since 0 is a free slot. False when it
 * was there. */
static bool note(size_t *slots, size_t mask, size_t number) {
	size_t at = (size_t)((uint64_t)number * 0x9e3779b97f4a7c15u >> 20) & mask;
	for (; slots[at]; at = (at + 1) & mask) {
		if (slots[at] == number + 1) return false;
	}
	slots[at] = number + 1;
	return true;
}

/* R. Floyd's algorithm (J. Bentley, "Programming Pearls: a sample of brilliance", 1987): the i-th number is drawn from a
 * range that grows by one, and when it is taken already, the range's new end is taken instead. */
static void draw(size_t count, size_t wanted, size_t *indices) {
	size_t room = 16;
	while (room < 2 * wanted) room *= 2;
	size_t *slots = mem_calloc(room * sizeof(*slots));
	for (size_t i = 0; i < wanted; i++) {
		size_t end = count - wanted + i;
		indices[i] = (size_t)random_below(end + 1);
		if (!note(slots, room - 1, indices[i])) {
			indices[i] = end;
			note(slots, room - 1, end);
		}
	}
	mem_free_sized(slots, room * sizeof(*slots));
	qsort(indices, wanted, sizeof(*indices), compare_sizes);
}

void sample_indices(size_t count, size_t wanted, size_t *indices) {
	assert(wanted <= count);
	if (wanted < count / WALK_SHARE) {
		draw(count, wanted, indices);
		return;
	}
	struct sample sample = { .left = count, .wanted = wanted };
	for (size_t i = 0; sample.wanted > 0; i++)
		if (sample_take(&sample)) *indices++ = i;
}
