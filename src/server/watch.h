/* watch: the keys that clients WATCH, and who has to hear when one of them changes.
 *
 * Each watched key stands in a list of its shard and in one of its client. Rules:
 *  1. A shard's list is touched under that shard's gate, or under the world.
 *  2. A client's list is its owner's; others may read `count` and `bytes` under the world.
 *  3. `dirty` is set by whoever changes a watched key, under the gate of that key, and several keys of one client may
 *     change at once: hence atomic. It is never taken back; a new WATCH after EXEC, DISCARD or UNWATCH begins with a new
 *     struct. Who holds the gates of all watched keys knows for certain; a look without them may come too early.
 *
 * What it costs when nobody watches: one load and one branch per change. */
#ifndef TARN_SERVER_WATCH_H
#define TARN_SERVER_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "store/keyspace.h"

struct client;
struct watch;
struct worker;

/* Server-wide. */
struct watch_table {
	/* Private. How many keys are watched. Relaxed: who changes a key has its shard's gate from whoever began to watch it,
	 * and so sees at least that one counted. */
	_Atomic size_t _count __attribute__((aligned(64)));
	_Atomic size_t _clients; /* that watch something */
	struct watch **_shards;  /* lists, by shard */
	struct store *_store;
};

/* Of one client; NULL while it watches nothing. */
struct watches {
	struct watch *first;
	size_t count; /* keys */
	size_t bytes; /* of memory, all in all */
	_Atomic bool dirty;
	struct watches *next_left; /* worker.watches_left */
};

/* For INFO; any thread. */
static inline size_t watch_table_keys(const struct watch_table *t) {
	return atomic_load_explicit(&t->_count, memory_order_relaxed);
}
static inline size_t watch_table_clients(const struct watch_table *t) {
	return atomic_load_explicit(&t->_clients, memory_order_relaxed);
}

void watch_table_init(struct watch_table *t, struct store *store);
void watch_table_release(struct watch_table *t); /* after the last client */

/* ---- For the client's owner ---- */

/* Watches a key of the view's database from now on. Under the key's gate. A key that has ended is removed first, so that
 * its end is no change. False, nothing changed, when there is no memory for its name. */
__attribute__((warn_unused_result)) bool watch_key(struct client *c, struct view *v, const struct key *key);

/* Sets the bit of each shard with a watched key. `shards` has a bit per shard. */
void watch_collect_shards(const struct client *c, uint64_t *shards);

/* Whether all watched keys are as they were. With the gates of all of them; what has ended by v's clock counts as
 * changed. */
bool watch_holds(struct client *c, const struct view *v);

enum watch_gates {
	WATCH_GATES_TAKE, /* the shards are locked one after the other, unless the worker has the world */
	WATCH_GATES_HELD, /* the caller holds all of them */
};
void watch_forget_all(struct client *c, enum watch_gates gates);

static inline bool watches_are_dirty(const struct watches *w) {
	return w && atomic_load_explicit(&w->dirty, memory_order_relaxed);
}

/* Ends the watches that could not be ended because a long run kept their gates. On the worker, holding no gate. */
void watch_tidy_up(struct worker *w);

/* ---- For the store's hooks ---- */

void watch_mark(struct watch_table *t, const struct view *v, const struct key *key);

/* This key has changed. Under its gate. */
static inline void watch_committed(struct watch_table *t, const struct view *v, const struct key *key) {
	if (__builtin_expect(atomic_load_explicit(&t->_count, memory_order_relaxed) > 0, 0)) watch_mark(t, v, key);
}

/* A database was emptied: its keys that existed have changed. Under the world. */
void watch_flushed(struct watch_table *t, unsigned db_index);

/* Two databases are about to change places: what exists in either has changed. Under the world. */
void watch_swapping(struct watch_table *t, unsigned a, unsigned b);

#endif
