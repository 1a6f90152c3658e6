/* keyspace: the store's life, its settings and its upkeep; for the server. Commands use store.h. */
#ifndef TARN_STORE_KEYSPACE_H
#define TARN_STORE_KEYSPACE_H

#include "store/gate.h"
#include "store/store.h"

/* What has to see changes and lives in a higher layer. Every call comes under the gate of the key, on the thread of the
 * command. A member may be NULL. */
struct store_hooks {
	/* store_committed was called, or a key came (EVENT_NEW, before the event of what it got), or its value took the
	 * place of another (EVENT_OVERWRITTEN, EVENT_TYPE_CHANGED, before or after the event of what it got). */
	void (*committed)(
		void *context, struct view *v, const struct key *key, enum event_class class, const char *event);
	/* A command looked for a key that is not there. */
	void (*missed)(void *context, struct view *v, const struct key *key);
	/* The entry is about to change or go for the first time since the snapshot of store epoch began. */
	void (*before_change)(void *context, struct view *v, const struct key *key, const struct entry *e);
	/* store_flush has emptied this database. Under the world, as is the next one. */
	void (*flushed)(void *context, unsigned db_index);
	/* store_swap_dbs is about to exchange two databases. */
	void (*swapping)(void *context, unsigned a, unsigned b);
};

struct store_policy {
	bool lfu; /* maxmemory-policy is one of the -lfu ones: entries keep a frequency instead of a time */
	unsigned lfu_log_factor;
	unsigned lfu_decay_minutes;
	bool tells_overwritten;    /* somebody wants to know of EVENT_OVERWRITTEN or EVENT_TYPE_CHANGED */
	struct type_limits limits; /* of the small forms of collections */
};

/* Ends the process when there is no memory for it. The gate outlives the store. */
struct store *store_new(struct gate *gate, unsigned db_count, const struct store_hooks *hooks, void *hooks_context);
void store_free(struct store *s);

/* Under the world, or before members join. */
void store_set_policy(struct store *s, const struct store_policy *policy);
const struct store_policy *store_policy(const struct store *s);

struct view store_view(struct store *s, unsigned db_index, struct store_stats *stats, void *origin);

uint32_t store_shard_count(const struct store *s);
uint32_t store_shard_of(const struct store *s, uint64_t hash);

/* Fetch hints for a key that a command is about to use; callable without any gate by a member that is inside. */
void store_prefetch(const struct view *v, uint64_t hash);
void store_prefetch_entry(const struct view *v, uint64_t hash);
/* The same for the expiry index, which a command that writes may change. */
void store_prefetch_expiry(const struct view *v, uint64_t hash);

/* Access figures of an entry. */
int64_t entry_idle_seconds(const struct entry *e, int64_t now_ms);
unsigned entry_frequency(const struct store *s, const struct entry *e, int64_t now_ms);

/* Active expiry: removes entries of shard `shard` that have ended, in all databases, `limit` at most, taking the shard's
 * gate itself. `v` is any view of the store (its clock and statistics count). Returns how many went; *next_ms is when the
 * next one of this shard ends (INT64_MAX: none; now, with 0 gone, when the shard was not to be had). */
size_t store_expire_shard(struct view *v, uint32_t shard, size_t limit, int64_t *next_ms);

/* Frees memory of tables that have shrunk in some shards (a sixteenth of them) of the databases in `databases`
 * (store_db_bit), from shard *at on, which it moves on. `m` is inside, holds nothing, and takes the world for some
 * microseconds when there is something. How many pieces went. */
size_t store_trim(struct store *s, struct gate_member *m, uint64_t databases, uint32_t *at);

/* Sums over all shards; take the gates one at a time unless v has the world. */
struct store_totals {
	size_t keys;
	size_t volatile_keys; /* with an expiry */
	size_t field_keys;    /* hashes with a field that has an end */
	size_t entry_bytes;   /* entries with their values */
	size_t table_bytes;   /* hash tables */
	size_t index_bytes;   /* expiry indexes */
	int64_t ttl_sum_ms;   /* of a sample, for the average; divided by ttl_samples */
	size_t ttl_samples;
};
void store_totals(struct view *v, struct store_totals *totals);

#endif
