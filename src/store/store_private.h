/* The store's inside; for store/ only.
 *
 *   store ── gate (shard locks, world)
 *     ├── shards[n]     per shard, over all databases: what active expiry must know
 *     └── dbs[d] ── parts[n] ── keys (table of entries), deadlines (expiry index), bytes
 *
 * A key lives in part `store__shard(hash)` of its database, under that shard's gate. The parts of all databases are one
 * zeroed mapping, so that databases nobody uses cost address space only. */
#ifndef TARN_STORE_STORE_PRIVATE_H
#define TARN_STORE_STORE_PRIVATE_H

#include "containers/table.h"
#include "store/deadlines.h"
#include "store/entry_private.h"
#include "store/gate.h"
#include "store/keyspace.h"
#include "store/store.h"

/* One shard of one database. Under the shard's gate. */
struct part {
	struct table keys;
	struct deadlines deadlines;
	size_t bytes;      /* entries and their values, as entry_memory counts */
	size_t expiring;   /* entries with an expiry */
	size_t fields_end; /* entries with ENTRY_FIELDS_END */
};

/* Under the shard's gate. */
struct shard_state {
	int64_t earliest_ms;   /* no entry of this shard ends before; INT64_MAX when none ends at all */
	size_t volatile_count; /* records of the expiry indexes of all databases */
};

struct db {
	struct part *parts; /* shard_count of them; exchanged by SWAPDB under the world */
};

struct store {
	struct gate *gate;
	uint32_t shard_mask;
	uint32_t shard_bits;
	unsigned db_count;
	struct db *dbs;
	struct shard_state *shards;
	struct store_policy policy; /* changed under the world */
	const struct store_hooks *hooks;
	void *hooks_context;
	size_t parts_bytes; /* of the mapping behind dbs[0].parts, which all parts share */
	void *parts_mapping;
};

static inline struct part *view_part(const struct view *v, uint64_t hash) {
	return &v->db->parts[store_shard_of(v->store, hash)];
}

static inline struct shard_state *view_shard_state(const struct view *v, uint64_t hash) {
	return &v->store->shards[store_shard_of(v->store, hash)];
}

/* Redis keeps a key alive during the millisecond that its expiry names. */
static inline bool entry__is_expired(const struct entry *e, int64_t now_ms) {
	return entry_has(e, ENTRY_EXPIRES) && entry_expiry(e) < now_ms;
}

static inline bool entry__has_name(const void *item, const void *key) {
	const struct entry *e = item;
	const struct key *k = key;
	return entry__key_len(e) == k->len && (k->len == 0 || memcmp(entry__key_bytes(e), k->ptr, k->len) == 0);
}

uint64_t entry__hash(const void *item);

/* The entry of that name, ended or not. */
struct entry *store__find_raw(const struct view *v, const struct key *key);

/* Puts a new entry into its part and the expiry index. */
void store__link(struct view *v, const struct key *key, struct entry *e);
/* Takes it out of both; the entry is the caller's. */
void store__unlink(struct view *v, const struct key *key, struct entry *e);
/* What has to be remembered of an entry while it or its value is given another shape. */
struct entry_before {
	uintptr_t address; /* a mere number by the time it is used */
	int64_t due_ms;
	size_t bytes;
	uint8_t flags;
};
struct entry_before entry__remember(const struct entry *e);
/* After the entry became `now`: mends table, index and accounting. */
void store__relink(struct view *v, const struct key *key, const struct entry_before *before, struct entry *now);

/* Frees entry and value. */
void store__free_entry(struct entry *e);

/* An entry ended: removes it and says so. */
void store__expire(struct view *v, const struct key *key, struct entry *e);

/* Fields of a hash ended: removes up to `limit` of them and says so. Returns the entry, which may have moved, or NULL when
 * it went with its last field. */
struct entry *store__expire_fields(struct view *v, const struct key *key, struct entry *e, size_t limit);

void store__touch(const struct store *s, struct entry *e, int64_t now_ms);
void store__touch_new(const struct store *s, struct entry *e, int64_t now_ms);

/* The seam for the snapshot's pre-image: called before an existing entry changes or goes. */
void store__before_change(struct view *v, const struct key *key, struct entry *e);

#endif
