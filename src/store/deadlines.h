/* deadlines: the expiry index of one shard of one database. Which entry ends next is known exactly, not sampled.
 *
 * A B+tree of (time, entry), ordered by time and then by address so that each record is unique, also when a million keys
 * end in the same millisecond. A record takes 12 bytes: 48 bits of milliseconds (later times are held as the last one,
 * which is the year 10889) and 48 bits of address. Leaves that run empty are merged, so memory follows the number of
 * volatile keys.
 *
 * All zero is a valid empty index. Under the gate of its shard; nothing here locks. Does not touch the entries. */
#ifndef TARN_STORE_DEADLINES_H
#define TARN_STORE_DEADLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entry;
struct deadline_node;

struct deadlines {
	struct deadline_node *_root;
	uint32_t _height; /* inner levels above the leaves */
	size_t _count;
	size_t _bytes; /* of all nodes */
};

static inline size_t deadlines_count(const struct deadlines *d) {
	return d->_count;
}

/* `when_ms` is at least 0. The record is not there yet. */
void deadlines_add(struct deadlines *d, int64_t when_ms, struct entry *e);

/* Fetches the root into the cache; a hint that may be given without any gate. */
void deadlines_prefetch(const struct deadlines *d);

/* The record is there. */
void deadlines_remove(struct deadlines *d, int64_t when_ms, struct entry *e);

/* Removes one record and adds another, which is faster than one after the other: the leaves of both are fetched at once. */
void deadlines_move(struct deadlines *d, int64_t old_ms, struct entry *old, int64_t new_ms, struct entry *e);

/* The earliest record; false when empty. */
bool deadlines_first(const struct deadlines *d, int64_t *when_ms, struct entry **e);

/* Frees the index, not the entries. */
void deadlines_release(struct deadlines *d);

size_t deadlines_memory(const struct deadlines *d);

/* Calls `visit` for each record; in order of time only from leaf to leaf. */
typedef void deadline_visit_fn(void *context, int64_t when_ms, struct entry *e);
void deadlines_each(const struct deadlines *d, deadline_visit_fn *visit, void *context);

/* A text that says what is broken, or NULL. */
const char *deadlines_check(const struct deadlines *d);

#endif
