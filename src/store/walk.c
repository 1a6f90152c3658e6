/* Walks over the whole keyspace, shard by shard, and what happens to whole databases. */
#include <assert.h>

#include "base/buffer.h"
#include "base/random.h"
#include "store/reclaim.h"
#include "store/store_private.h"

/* While a walk holds a shard, a command on one of its keys waits: so a step stays short. */
enum { SCAN_STEPS_PER_HOLD = 16 };

static bool hold(const struct view *v, uint32_t shard) {
	if (v->flags & VIEW_HAS_WORLD) return true;
	assert(v->member || !v->store->gate->shared);
	if (!v->member || gate_lock(v->member, shard)) return true;
	v->member->refused = true;
	return false;
}

static void release(const struct view *v, uint32_t shard) {
	if (!(v->flags & VIEW_HAS_WORLD) && v->member) gate_unlock(v->member, shard);
}

/* ---- Visiting ---- */

struct visit {
	store_visit_fn *visit;
	void *context;
	int64_t now_ms;
	size_t seen;
};

static void visit_live(void *context, void *item) {
	struct visit *w = context;
	w->seen++;
	if (!entry__is_expired(item, w->now_ms)) w->visit(w->context, item);
}

/* The cursor is the table's, shifted to make room for the shard: numbers stay small, as clients that keep them in a
 * double want it. */
uint64_t store_scan(struct view *v, uint64_t cursor, size_t count, store_visit_fn *visit, void *context) {
	struct store *s = v->store;
	struct visit w = { visit, context, v->now_ms, 0 };
	uint32_t shard = (uint32_t)cursor & s->shard_mask;
	uint64_t at = cursor >> s->shard_bits;
	size_t steps_left = count < SIZE_MAX / 10 ? count * 10 : SIZE_MAX;
	while (w.seen < count && steps_left > 0) {
		struct table *keys = &v->db->parts[shard].keys;
		if (!hold(v, shard)) return 0;
		for (int i = 0; i < SCAN_STEPS_PER_HOLD && w.seen < count && steps_left > 0; i++, steps_left--) {
			at = table_scan(keys, at, visit_live, &w);
			if (at == 0) break;
		}
		release(v, shard);
		if (at != 0) continue;
		if (shard == s->shard_mask) return 0;
		shard++;
	}
	return at << s->shard_bits | shard;
}

void store_for_each(struct view *v, store_visit_fn *visit, void *context) {
	struct visit w = { visit, context, v->now_ms, 0 };
	for (uint32_t shard = 0; shard <= v->store->shard_mask; shard++) {
		if (!hold(v, shard)) return;
		table_each(&v->db->parts[shard].keys, visit_live, &w);
		release(v, shard);
	}
}

void store_visit_one(struct view *v, struct slice name, store_visit_fn *visit, void *context) {
	struct key key = key_of(name);
	uint32_t shard = store_shard_of(v->store, key.hash);
	if (!hold(v, shard)) return;
	const struct entry *e = store_peek(v, &key);
	if (e) visit(context, e);
	release(v, shard);
}

size_t store_db_size(struct view *v) {
	size_t keys = 0;
	for (uint32_t shard = 0; shard <= v->store->shard_mask; shard++) {
		if (!hold(v, shard)) return 0;
		keys += table_count(&v->db->parts[shard].keys);
		release(v, shard);
	}
	return keys;
}

size_t store_db_expires(struct view *v) {
	size_t keys = 0;
	for (uint32_t shard = 0; shard <= v->store->shard_mask; shard++) {
		if (!hold(v, shard)) return 0;
		keys += v->db->parts[shard].expiring;
		release(v, shard);
	}
	return keys;
}

void store_totals(struct view *v, struct store_totals *totals) {
	static const int64_t TTL_MOST_MS = (int64_t)1 << 48;
	*totals = (struct store_totals){ 0 };
	for (uint32_t shard = 0; shard <= v->store->shard_mask; shard++) {
		if (!hold(v, shard)) return;
		const struct part *p = &v->db->parts[shard];
		totals->keys += table_count(&p->keys);
		totals->volatile_keys += p->expiring;
		totals->field_keys += p->fields_end;
		totals->entry_bytes += p->bytes;
		if (table_count(&p->keys)) totals->table_bytes += table_memory(&p->keys);
		totals->index_bytes += deadlines_memory(&p->deadlines);
		int64_t when;
		struct entry *e;
		/* The first record may be that of a hash's field. */
		if (deadlines_first(&p->deadlines, &when, &e) && entry_expiry(e) > v->now_ms) {
			/* Ends may lie so far away that their sum would be no number any more. */
			int64_t left = entry_expiry(e) - v->now_ms;
			totals->ttl_sum_ms += left < TTL_MOST_MS ? left : TTL_MOST_MS;
			totals->ttl_samples++;
		}
		release(v, shard);
	}
}

/* A shard is drawn in proportion to its keys, then a key of it. The count may change between the two steps; then it is
 * tried again, a bounded number of times, before the keyspace is called empty. */
bool store_random_key(struct view *v, struct buffer *name) {
	enum { TRIES = 100 };
	for (int i = 0; i < TRIES; i++) {
		size_t total = store_db_size(v);
		if (total == 0) return false;
		size_t pick = (size_t)random_below(total);
		for (uint32_t shard = 0; shard <= v->store->shard_mask; shard++) {
			if (!hold(v, shard)) return false;
			const struct table *keys = &v->db->parts[shard].keys;
			if (pick >= table_count(keys)) {
				pick -= table_count(keys);
				release(v, shard);
				continue;
			}
			const struct entry *e = table_random(keys);
			bool live = !entry__is_expired(e, v->now_ms);
			if (live) buffer_append_slice(name, entry_key(e));
			release(v, shard);
			if (live) return true;
			break;
		}
	}
	return false;
}

/* ---- Whole databases ---- */

/* What a flush takes out of the keyspace, handed to the helper thread at once. */
struct flushed {
	size_t count;
	struct part parts[];
};

static void free_item(void *context, void *item) {
	(void)context;
	entry__free_value(item);
	entry__free_shell(item);
}

static void free_flushed(void *what) {
	struct flushed *f = what;
	for (size_t i = 0; i < f->count; i++) {
		table_each(&f->parts[i].keys, free_item, NULL);
		table_release(&f->parts[i].keys);
		deadlines_release(&f->parts[i].deadlines);
	}
	mem_free(f);
}

static size_t flush_db(struct store *s, struct db *db, enum store_flush_flags flags) {
	uint32_t shards = s->shard_mask + 1;
	size_t keys = 0, used = 0;
	for (uint32_t i = 0; i < shards; i++) {
		keys += table_count(&db->parts[i].keys);
		used += db->parts[i].keys._buckets > 0;
	}
	if (used == 0) return 0;
	struct flushed *f = mem_alloc(sizeof(*f) + used * sizeof(f->parts[0]));
	f->count = 0;
	for (uint32_t i = 0; i < shards; i++) {
		struct part *p = &db->parts[i];
		if (p->keys._buckets == 0) continue;
		s->shards[i].volatile_count -= deadlines_count(&p->deadlines);
		f->parts[f->count++] = *p;
		memset(p, 0, sizeof(*p));
	}
	if (flags == STORE_FLUSH_LAZILY)
		reclaim_later(free_flushed, f);
	else
		free_flushed(f);
	return keys;
}

static size_t flush_one(struct store *s, unsigned db_index, enum store_flush_flags flags) {
	size_t keys = flush_db(s, &s->dbs[db_index], flags);
	if (s->hooks && s->hooks->flushed) s->hooks->flushed(s->hooks_context, db_index);
	return keys;
}

size_t store_flush(struct store *s, int db_index, enum store_flush_flags flags) {
	if (db_index >= 0) return flush_one(s, (unsigned)db_index, flags);
	size_t keys = 0;
	for (unsigned d = 0; d < s->db_count; d++) keys += flush_one(s, d, flags);
	return keys;
}

void store_swap_dbs(struct store *s, unsigned a, unsigned b) {
	if (s->hooks && s->hooks->swapping) s->hooks->swapping(s->hooks_context, a, b);
	struct db keep = s->dbs[a];
	s->dbs[a] = s->dbs[b];
	s->dbs[b] = keep;
}

/* ---- Active expiry ---- */

static void expire_first(struct view *v, struct entry *e, size_t limit) {
	struct slice name = entry_key(e);
	/* The entry goes, but its name is still wanted for the event. */
	char copy[ENTRY_NARROW_MAX + 1];
	char *kept = name.len <= sizeof(copy) ? copy : mem_alloc(name.len);
	memcpy(kept, name.ptr, name.len);
	struct key key = key_of(slice_of(kept, name.len));
	if (entry__is_expired(e, v->now_ms))
		store__expire(v, &key, e);
	else
		(void)store__expire_fields(v, &key, e, limit);
	if (kept != copy) mem_free(kept);
}

static size_t expire_part(struct view *v, struct part *p, size_t limit, int64_t *next_ms) {
	size_t gone = 0;
	int64_t when;
	struct entry *e;
	while (deadlines_first(&p->deadlines, &when, &e)) {
		if (when >= v->now_ms || gone >= limit) {
			if (when < *next_ms) *next_ms = when;
			break;
		}
		uint64_t fields = STAT_READ(v->stats->expired_fields);
		expire_first(v, e, limit - gone);
		fields = STAT_READ(v->stats->expired_fields) - fields;
		gone += fields > 0 ? fields : 1;
	}
	return gone;
}

size_t store_expire_shard(struct view *v, uint32_t shard, size_t limit, int64_t *next_ms) {
	struct store *s = v->store;
	size_t gone = 0;
	*next_ms = v->now_ms;
	if (!hold(v, shard)) return 0;
	struct shard_state *state = &s->shards[shard];
	if (state->volatile_count > 0 && state->earliest_ms < v->now_ms) {
		int64_t earliest = INT64_MAX;
		for (unsigned d = 0; d < s->db_count; d++) {
			struct part *p = &s->dbs[d].parts[shard];
			if (deadlines_count(&p->deadlines) == 0) continue;
			struct view in_db = view_in_db(v, d);
			gone += expire_part(&in_db, p, gone < limit ? limit - gone : 0, &earliest);
		}
		state->earliest_ms = earliest;
	}
	*next_ms = state->volatile_count > 0 ? state->earliest_ms : INT64_MAX;
	release(v, shard);
	return gone;
}

/* ---- Checking ---- */

struct check {
	const struct store *store;
	const struct part *part;
	uint32_t shard;
	struct buffer *report;
	size_t broken;
	size_t bytes;
	size_t expiring;
	size_t fields_end;
	size_t due; /* entries that the expiry index must have */
};

static void complain(struct check *c, const char *what) {
	buffer_appendf(c->report, "shard %u: %s\n", c->shard, what);
	c->broken++;
}

static void check_value(struct check *c, const struct entry *e) {
	struct value value = entry_value(e);
	const char *broken = value_check(&value);
	if (broken) {
		complain(c, broken);
		return;
	}
	size_t flat = value_flat_bytes(&value);
	if (entry_is_inline(e) && flat != entry__inline_len(e)) complain(c, "an inline value has another length");
	if (!entry_is_inline(e) && flat > 0 && flat <= ENTRY_INLINE_FLAT_MAX)
		complain(c, "a small flat value is not inline");
	if (value_count(&value) == 0 && value.type != VALUE_STREAM) complain(c, "an empty collection is still there");
	if ((value_next_end(&value) >= 0) != entry_has(e, ENTRY_FIELDS_END))
		complain(c, "the flag for fields that end is wrong");
}

static void check_entry(void *context, void *item) {
	struct check *c = context;
	const struct entry *e = item;
	if (store_shard_of(c->store, entry__hash(e)) != c->shard) complain(c, "an entry lies in the wrong shard");
	if (entry_type(e) >= VALUE_TYPES) complain(c, "an entry has an unknown type");
	if (entry_type(e) == VALUE_STRING && entry_encoding(e) == STRING_BLOB) {
		const struct blob *b = entry__blob(e);
		if (b->len > b->cap) complain(c, "a blob is longer than its room");
	}
	if (entry_type(e) != VALUE_STRING) check_value(c, e);
	c->bytes += entry_memory(e);
	c->expiring += entry_has(e, ENTRY_EXPIRES);
	c->fields_end += entry_has(e, ENTRY_FIELDS_END);
	c->due += entry__due(e) >= 0;
}

static void check_deadline(void *context, int64_t when_ms, struct entry *e) {
	struct check *c = context;
	struct slice name = entry_key(e);
	struct key key = key_of(name);
	struct table_place place = table_find(&c->part->keys, key.hash, entry__has_name, &key);
	if (!place.bucket || table_item_at(place) != e)
		complain(c, "the expiry index names an entry that is not in the table");
	else if (entry__due(e) != when_ms && when_ms < ((int64_t)1 << 48) - 1)
		complain(c, "the expiry index has another time than the entry");
	/* The entry's own time: the index holds very late ones as an earlier one. */
	if (entry__due(e) < c->store->shards[c->shard].earliest_ms)
		complain(c, "an entry ends before the shard's earliest");
}

static void check_part(struct check *c) {
	c->bytes = c->expiring = c->fields_end = c->due = 0;
	const char *broken = table_check(&c->part->keys, entry__hash);
	if (broken) complain(c, broken);
	broken = deadlines_check(&c->part->deadlines);
	if (broken) complain(c, broken);
	table_each(&c->part->keys, check_entry, c);
	deadlines_each(&c->part->deadlines, check_deadline, c);
	if (c->bytes != c->part->bytes) complain(c, "the accounted bytes differ from those of the entries");
	if (c->due != deadlines_count(&c->part->deadlines)) complain(c, "an entry that ends is not indexed");
	if (c->expiring != c->part->expiring) complain(c, "the count of entries with an expiry is wrong");
	if (c->fields_end != c->part->fields_end) complain(c, "the count of hashes with fields that end is wrong");
}

size_t store_check(struct store *s, struct buffer *report) {
	struct check c = { .store = s, .report = report };
	for (c.shard = 0; c.shard <= s->shard_mask; c.shard++) {
		size_t records = 0;
		for (unsigned d = 0; d < s->db_count; d++) {
			c.part = &s->dbs[d].parts[c.shard];
			if (c.part->keys._buckets == 0) continue;
			check_part(&c);
			records += c.due;
		}
		if (records != s->shards[c.shard].volatile_count)
			complain(&c, "the count of volatile entries is wrong");
	}
	return c.broken;
}
