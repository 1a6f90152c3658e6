/* arena: the small pieces that a run of a script takes and gives back soon: its strings and tables.
 *
 * One block of memory, handed out in multiples of 16 bytes; what is given back waits in a list per size for the next one.
 * A fraction of what malloc and free cost, and scripts that do little do not much else. When the block is used up, pieces
 * come from elsewhere until some are given back. */
#ifndef TARN_SCRIPT_ARENA_H
#define TARN_SCRIPT_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ARENA_BYTES = 256 * 1024,
	ARENA_UNIT = 16,
	ARENA_PIECE_MAX = 256,
	ARENA_CLASSES = ARENA_PIECE_MAX / ARENA_UNIT + 1
};

struct arena_piece {
	struct arena_piece *next;
};

/* All zero is a valid arena that has nothing. */
struct arena {
	char *_block, *_next, *_end;
	struct arena_piece *_free[ARENA_CLASSES]; /* by size in units */
};

/* False: there is no memory; the arena stays empty. */
bool arena_init(struct arena *a);
void arena_release(struct arena *a);

static inline unsigned arena_class(size_t bytes) {
	return (unsigned)((bytes + ARENA_UNIT - 1) / ARENA_UNIT);
}

static inline bool arena_owns(const struct arena *a, const void *ptr) {
	return (uintptr_t)ptr - (uintptr_t)a->_block < (uintptr_t)a->_end - (uintptr_t)a->_block;
}

/* `bytes` is 1 to ARENA_PIECE_MAX. NULL: nothing left. */
static inline void *arena_take(struct arena *a, size_t bytes) {
	unsigned class = arena_class(bytes);
	struct arena_piece *piece = a->_free[class];
	if (piece) {
		a->_free[class] = piece->next;
		return piece;
	}
	if ((size_t)(a->_end - a->_next) < class * (size_t)ARENA_UNIT) return NULL;
	char *fresh = a->_next;
	a->_next += class * (size_t)ARENA_UNIT;
	return fresh;
}

static inline void arena_give(struct arena *a, void *ptr, size_t bytes) {
	struct arena_piece *piece = ptr;
	piece->next = a->_free[arena_class(bytes)];
	a->_free[arena_class(bytes)] = piece;
}

#endif
