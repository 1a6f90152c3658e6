/* The store's life, and finding. */
#include "store/store.h"

#include <assert.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "base/random.h"
#include "store/store_private.h"

enum { LRU_BITS = 24, LFU_INITIAL = STORE_FREQUENCY_NEW };

uint64_t entry__hash(const void *item) {
	return hash_slice(entry_key(item));
}

struct key key_of(struct slice name) {
	return (struct key){ name.ptr, name.len, hash_slice(name) };
}

/* ---- Life ---- */

struct store *store_new(struct gate *gate, unsigned db_count, const struct store_hooks *hooks, void *hooks_context) {
	struct store *s = mem_calloc(sizeof(*s));
	s->gate = gate;
	s->shard_mask = gate->shard_count - 1;
	s->shard_bits = (uint32_t)__builtin_ctz(gate->shard_count);
	s->db_count = db_count;
	s->dbs = mem_calloc(db_count * sizeof(s->dbs[0]));
	s->shards = mem_calloc(gate->shard_count * sizeof(s->shards[0]));
	for (uint32_t i = 0; i < gate->shard_count; i++) s->shards[i].earliest_ms = INT64_MAX;
	s->policy.limits = type_limits_default;
	s->hooks = hooks;
	s->hooks_context = hooks_context;
	s->parts_bytes = (size_t)db_count * gate->shard_count * sizeof(struct part);
	s->parts_mapping =
		mmap(NULL, s->parts_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->parts_mapping == MAP_FAILED) mem_exhausted(s->parts_bytes);
	for (unsigned i = 0; i < db_count; i++)
		s->dbs[i].parts = (struct part *)s->parts_mapping + (size_t)i * gate->shard_count;
	return s;
}

static void free_visited(void *context, void *item) {
	(void)context;
	store__free_entry(item);
}

void store_free(struct store *s) {
	for (unsigned d = 0; d < s->db_count; d++) {
		for (uint32_t i = 0; i <= s->shard_mask; i++) {
			struct part *p = &s->dbs[d].parts[i];
			table_each(&p->keys, free_visited, NULL);
			table_release(&p->keys);
			deadlines_release(&p->deadlines);
		}
	}
	munmap(s->parts_mapping, s->parts_bytes);
	mem_free(s->shards);
	mem_free(s->dbs);
	mem_free(s);
}

void store_set_policy(struct store *s, const struct store_policy *policy) {
	s->policy = *policy;
}

const struct store_policy *store_policy(const struct store *s) {
	return &s->policy;
}

struct view store_view(struct store *s, unsigned db_index, struct store_stats *stats, void *origin) {
	assert(db_index < s->db_count);
	return (struct view){ .store = s,
		.db = &s->dbs[db_index],
		.db_index = db_index,
		.earliest_ms = INT64_MAX,
		.stats = stats,
		.origin = origin };
}

struct view view_in_db(const struct view *v, unsigned db_index) {
	struct view other = *v;
	assert(db_index < v->store->db_count);
	other.db = &v->store->dbs[db_index];
	other.db_index = db_index;
	return other;
}

unsigned store_db_count(const struct store *s) {
	return s->db_count;
}

uint32_t store_shard_count(const struct store *s) {
	return s->shard_mask + 1;
}

/* Bits that neither the bucket number nor the tag uses, see table.h. */
uint32_t store_shard_of(const struct store *s, uint64_t hash) {
	return (uint32_t)(hash >> 40) & s->shard_mask;
}

void store_prefetch(const struct view *v, uint64_t hash) {
	table_prefetch(&view_part(v, hash)->keys, hash);
}

void store_prefetch_entry(const struct view *v, uint64_t hash) {
	table_prefetch_items(&view_part(v, hash)->keys, hash);
}

void store_prefetch_expiry(const struct view *v, uint64_t hash) {
	deadlines_prefetch(&view_part(v, hash)->deadlines);
}

/* ---- Access time and frequency ---- */

static uint32_t load24(const uint8_t *bytes) {
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16;
}

/* Written only when it differs: most accesses of a hot key fall into the same second and leave its cache line clean. */
static void save24(uint8_t *bytes, uint32_t value) {
	if (load24(bytes) == value) return;
	bytes[0] = (uint8_t)value;
	bytes[1] = (uint8_t)(value >> 8);
	bytes[2] = (uint8_t)(value >> 16);
}

static uint32_t lru_clock(int64_t now_ms) {
	return (uint32_t)(now_ms / 1000) & ((1u << LRU_BITS) - 1);
}

static uint32_t minute_clock(int64_t now_ms) {
	return (uint32_t)(now_ms / 60000) & 0xffff;
}

/* The logarithmic counter of Redis's LFU policy: it loses one per lfu-decay-time minutes, and an access raises it with a
 * probability of 1 / ((counter - 5) * lfu-log-factor + 1). */
static unsigned lfu_counter(const struct store *s, const struct entry *e, int64_t now_ms) {
	uint32_t word = load24(e->_access);
	unsigned counter = word >> 16;
	uint32_t elapsed = (minute_clock(now_ms) - (word & 0xffff)) & 0xffff;
	if (s->policy.lfu_decay_minutes == 0) return counter;
	uint32_t lost = elapsed / s->policy.lfu_decay_minutes;
	return lost > counter ? 0 : counter - lost;
}

static unsigned lfu_raised(const struct store *s, unsigned counter) {
	if (counter == 255) return counter;
	double base = counter > LFU_INITIAL ? counter - LFU_INITIAL : 0;
	return random_unit() < 1.0 / (base * s->policy.lfu_log_factor + 1) ? counter + 1 : counter;
}

void store__touch(const struct store *s, struct entry *e, int64_t now_ms) {
	if (__builtin_expect(!s->policy.lfu, 1)) {
		save24(e->_access, lru_clock(now_ms));
		return;
	}
	save24(e->_access, minute_clock(now_ms) | lfu_raised(s, lfu_counter(s, e, now_ms)) << 16);
}

void store__touch_new(const struct store *s, struct entry *e, int64_t now_ms) {
	save24(e->_access, s->policy.lfu ? minute_clock(now_ms) | LFU_INITIAL << 16 : lru_clock(now_ms));
}

void store_set_idle(struct view *v, struct entry *e, int64_t seconds) {
	const uint32_t longest = (1u << LRU_BITS) - 1;
	if (v->store->policy.lfu) return;
	uint32_t ago = seconds < longest ? (uint32_t)seconds : longest;
	save24(e->_access, (lru_clock(v->now_ms) - ago) & longest);
}

void store_set_frequency(struct view *v, struct entry *e, unsigned frequency) {
	if (v->store->policy.lfu) save24(e->_access, minute_clock(v->now_ms) | frequency << 16);
}

int64_t entry_idle_seconds(const struct entry *e, int64_t now_ms) {
	return (lru_clock(now_ms) - load24(e->_access)) & ((1u << LRU_BITS) - 1);
}

unsigned entry_frequency(const struct store *s, const struct entry *e, int64_t now_ms) {
	return lfu_counter(s, e, now_ms);
}

/* ---- Finding ---- */

/* A command that meets a hash with many ended fields removes so many itself; types hide the others. */
enum { FIELDS_AT_ONCE = 256 };

struct entry *store__find_raw(const struct view *v, const struct key *key) {
	struct table_place place = table_find(&view_part(v, key->hash)->keys, key->hash, entry__has_name, key);
	return place.bucket ? table_item_at(place) : NULL;
}

static bool has_ended_fields(const struct entry *e, int64_t now_ms) {
	struct value value = entry_value(e);
	return value_next_end(&value) < now_ms;
}

/* The entry of a hash with fields that end, without those that have; NULL when all have. */
static struct entry *with_live_fields(struct view *v, const struct key *key, struct entry *e) {
	if (!has_ended_fields(e, v->now_ms)) return e;
	bool keep = v->flags & VIEW_KEEP_EXPIRED;
	if (!keep) {
		e = store__expire_fields(v, key, e, FIELDS_AT_ONCE);
		if (!e || !entry_has(e, ENTRY_FIELDS_END) || !has_ended_fields(e, v->now_ms)) return e;
	}
	struct value value = entry_value(e);
	if (value_live_count(&value, v->now_ms) > 0) return e;
	if (!keep) (void)store__expire_fields(v, key, e, SIZE_MAX);
	return NULL;
}

/* The live entry; what has ended is removed on the way. */
static struct entry *find_live(struct view *v, const struct key *key) {
	struct entry *e = store__find_raw(v, key);
	if (!e || __builtin_expect(!(e->_flags & (ENTRY_EXPIRES | ENTRY_FIELDS_END)), 1)) return e;
	if (entry__is_expired(e, v->now_ms)) {
		if (!(v->flags & VIEW_KEEP_EXPIRED)) store__expire(v, key, e);
		return NULL;
	}
	return entry_has(e, ENTRY_FIELDS_END) ? with_live_fields(v, key, e) : e;
}

/* Who keeps expired entries (a replica, whose master says when they go) must find them for writing: adding a second entry
 * of that name would break the table. */
static struct entry *find_to_change(struct view *v, const struct key *key) {
	return v->flags & VIEW_KEEP_EXPIRED ? store__find_raw(v, key) : find_live(v, key);
}

static void count_lookup(struct view *v, const struct key *key, bool found) {
	if (found) {
		STAT_ADD(v->stats->keyspace_hits, 1);
		return;
	}
	STAT_ADD(v->stats->keyspace_misses, 1);
	const struct store_hooks *hooks = v->store->hooks;
	if (hooks && hooks->missed) hooks->missed(v->store->hooks_context, v, key);
}

const struct entry *store_find(struct view *v, const struct key *key) {
	struct entry *e = find_live(v, key);
	if (v->flags & VIEW_COUNTS_NOTHING) return e;
	count_lookup(v, key, e != NULL);
	if (e && !(v->flags & VIEW_NO_TOUCH)) store__touch(v->store, e, v->now_ms);
	return e;
}

const struct entry *store_peek(struct view *v, const struct key *key) {
	return find_live(v, key);
}

struct entry *store_find_write(struct view *v, const struct key *key) {
	struct entry *e = find_to_change(v, key);
	if (!e) return NULL;
	if (!(v->flags & VIEW_NO_TOUCH)) store__touch(v->store, e, v->now_ms);
	store__before_change(v, key, e);
	return e;
}

struct entry *store_find_read_write(struct view *v, const struct key *key) {
	struct entry *e = store_find_write(v, key);
	if (!(v->flags & VIEW_COUNTS_NOTHING)) count_lookup(v, key, e != NULL);
	return e;
}

/* ---- Around a change ---- */

void store__before_change(struct view *v, const struct key *key, struct entry *e) {
	const struct store_hooks *hooks = v->store->hooks;
	if (hooks && hooks->before_change) hooks->before_change(v->store->hooks_context, v, key, e);
}

void store_event(struct view *v, const struct key *key, enum event_class class, const char *event) {
	const struct store_hooks *hooks = v->store->hooks;
	if (hooks && hooks->committed) hooks->committed(v->store->hooks_context, v, key, class, event);
}

void store_committed_many(
	struct view *v, const struct key *key, enum event_class class, const char *event, uint64_t count) {
	STAT_ADD(v->stats->changes, count);
	store_event(v, key, class, event);
}

void store_committed(struct view *v, const struct key *key, enum event_class class, const char *event) {
	store_committed_many(v, key, class, event, 1);
}

void store_overwritten(struct view *v, const struct key *key, enum value_type was) {
	if (!v->store->policy.tells_overwritten) return;
	store_event(v, key, EVENT_OVERWRITTEN | EVENT_UNWATCHED, "overwritten");
	const struct entry *now = store__find_raw(v, key);
	if (now && entry_type(now) != was) store_event(v, key, EVENT_TYPE_CHANGED | EVENT_UNWATCHED, "type_changed");
}
