/* The server's side of client-side caching: who holds which keys, and what has changed. */
#include "server/tracking.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"
#include "server/server.h"
#include "server/tracking_private.h"
#include "store/reclaim.h"

enum {
	EVICTIONS_PER_COMMAND = 16, /* beyond what it has added itself */
	EVICTIONS_PER_LOOK = 64,    /* at the clock, for a tick */
	TICK_BUDGET_US = 1000,
};

/* ---- Life ---- */

void tracking_init(struct tracking *t, uint32_t shard_count, unsigned worker_count) {
	t->_shard_count = shard_count;
	t->_worker_count = worker_count;
	t->_tables = mem_calloc(shard_count * sizeof(t->_tables[0]));
}

static void free_tracked(struct tracked *x) {
	if (x->count > 1) mem_free(x->many);
	mem_free(x);
}

static void free_item(void *context, void *item) {
	(void)context;
	free_tracked(item);
}

/* Tables that were given up. */
struct old_tables {
	uint32_t count;
	struct table *tables;
};

static void free_tables(void *what) {
	struct old_tables *old = what;
	for (uint32_t i = 0; i < old->count; i++) {
		table_each(&old->tables[i], free_item, NULL);
		table_release(&old->tables[i]);
	}
	mem_free(old->tables);
	mem_free(old);
}

static struct old_tables *take_tables(struct tracking *t) {
	struct old_tables *old = mem_alloc(sizeof(*old));
	*old = (struct old_tables){ t->_shard_count, t->_tables };
	t->_tables = NULL;
	return old;
}

void tracking_release(struct tracking *t) {
	if (!t->_tables) return;
	free_tables(take_tables(t));
	tracking__free_prefixes(t);
	tracking__free_redirects(t);
}

/* Under the world. A million names take a while to free, which nobody has to wait for. */
static void give_up_tables(struct tracking *t) {
	if (atomic_load_explicit(&t->_keys, memory_order_relaxed) == 0) return;
	reclaim_later(free_tables, take_tables(t));
	t->_tables = mem_calloc(t->_shard_count * sizeof(t->_tables[0]));
	atomic_store_explicit(&t->_keys, 0, memory_order_relaxed);
	atomic_store_explicit(&t->_items, 0, memory_order_relaxed);
}

static void free_changes(
	struct change *changes, size_t change_count, struct broadcast **broadcasts, size_t broadcast_count) {
	for (size_t i = 0; i < change_count; i++) free_tracked(changes[i].what);
	for (size_t i = 0; i < broadcast_count; i++) mem_free(broadcasts[i]);
	mem_free(changes);
	mem_free(broadcasts);
}

void tracking_worker_release(struct tracking_worker *tw) {
	free_changes(tw->_changes, tw->_change_count, tw->_broadcasts, tw->_broadcast_count);
	table_release(&tw->_broadcast_names);
	mem_free(tw->_routes);
	table_release(&tw->_trackers);
	buffer_release(&tw->_names);
	for (int i = 0; i < 2; i++) buffer_release(&tw->_frames[i]);
}

/* ---- Remembering ---- */

static uint64_t tracked_hash(const void *item) {
	return ((const struct tracked *)item)->hash;
}

static bool tracked_has_name(const void *item, const void *name) {
	const struct tracked *x = item;
	return slice_equal(slice_of(x->name, x->len), *(const struct slice *)name);
}

/* How many keys and holders a command has added. */
struct added {
	size_t keys, items;
	bool failed; /* no memory for one */
};

static bool make_room(struct tracked *x) {
	if (x->count & (x->count - 1)) return true;
	holder_t only = x->one;
	holder_t *many = mem_try_realloc(x->count == 1 ? NULL : x->many, 2 * (size_t)x->count * sizeof(many[0]));
	if (!many) return false;
	if (x->count == 1) many[0] = only;
	x->many = many;
	return true;
}

static void add_holder(struct tracked *x, holder_t holder, struct added *added) {
	size_t at = holder_place(tracked_holders(x), x->count, holder);
	if (at < x->count && tracked_holders(x)[at] == holder) return;
	if (!make_room(x)) {
		added->failed = true;
		return;
	}
	memmove(x->many + at + 1, x->many + at, (x->count - at) * sizeof(x->many[0]));
	x->many[at] = holder;
	x->count++;
	added->items++;
}

static void remember_key(struct table *table, struct slice name, uint64_t hash, holder_t holder, struct added *added) {
	struct table_place place = table_find(table, hash, tracked_has_name, &name);
	if (place.bucket) {
		add_holder(table_item_at(place), holder, added);
		return;
	}
	struct tracked *x = name.len <= UINT32_MAX ? mem_try_alloc(sizeof(*x) + name.len) : NULL;
	if (!x) {
		added->failed = true;
		return;
	}
	*x = (struct tracked){ .hash = hash, .len = (uint32_t)name.len, .count = 1, .one = holder };
	if (name.len) memcpy(x->name, name.ptr, name.len);
	table_insert(table, hash, x, tracked_hash);
	added->keys++;
	added->items++;
}

static void invalidate_everything(struct worker *w) {
	w->tracking._everything = true;
	w->after |= AFTER_TRACK;
}

static bool is_over_limit(const struct worker *w) {
	int64_t limit = w->server->config->values.tracking_table_max_keys;
	return limit > 0 && atomic_load_explicit(&w->server->tracking._keys, memory_order_relaxed) > (uint64_t)limit;
}

void tracking_remember(struct worker *w, const struct call *call) {
	if (!(call->command->flags & CMD_READONLY)) return;
	struct tracking *t = &w->server->tracking;
	holder_t holder = (holder_t)w->index << HOLDER_WORKER_SHIFT | call->client->id;
	struct added added = { 0 };
	for (unsigned i = 0; i < call->_key_count; i++) {
		const struct call_key_slot *slot = &call->_keys[i];
		remember_key(&t->_tables[slot->shard], call->argv[slot->arg], slot->hash, holder, &added);
	}
	if (added.items) atomic_fetch_add_explicit(&t->_items, added.items, memory_order_relaxed);
	if (added.keys) {
		atomic_fetch_add_explicit(&t->_keys, added.keys, memory_order_relaxed);
		w->tracking._added += added.keys;
		if (is_over_limit(w)) w->after |= AFTER_TRACK;
	}
	if (added.failed) invalidate_everything(w);
}

/* ---- Changing ---- */

/* Under the key's gate. */
static struct tracked *take_out(struct tracking *t, uint32_t shard, struct slice name, uint64_t hash) {
	struct table *table = &t->_tables[shard];
	struct table_place place = table_find(table, hash, tracked_has_name, &name);
	if (!place.bucket) return NULL;
	struct tracked *x = table_item_at(place);
	table_remove(table, place);
	atomic_fetch_sub_explicit(&t->_keys, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&t->_items, x->count, memory_order_relaxed);
	return x;
}

static void add_change(struct worker *w, struct tracked *x, uint64_t by) {
	struct tracking_worker *tw = &w->tracking;
	if (tw->_change_count == tw->_change_cap) {
		tw->_change_cap = tw->_change_cap ? tw->_change_cap * 2 : 4;
		tw->_changes = mem_realloc(tw->_changes, tw->_change_cap * sizeof(tw->_changes[0]));
	}
	tw->_changes[tw->_change_count++] = (struct change){ x, by };
	const holder_t *holders = tracked_holders(x);
	for (size_t i = 0; i < x->count;) {
		unsigned worker = (unsigned)(holders[i] >> HOLDER_WORKER_SHIFT);
		tracking__add_listener(tw, worker);
		if (worker + 1 == w->server->worker_count) break;
		i = tracked_first_of(x, worker + 1);
	}
	w->after |= AFTER_TRACK;
}

static uint64_t broadcast_hash(const void *item) {
	return ((const struct broadcast *)item)->hash;
}

static bool broadcast_has_name(const void *item, const void *name) {
	return slice_equal(broadcast_name(item), *(const struct slice *)name);
}

static void add_broadcast(struct worker *w, const struct key *key, uint64_t by) {
	struct tracking_worker *tw = &w->tracking;
	struct slice name = key_slice(key);
	struct table_place place = table_find(&tw->_broadcast_names, key->hash, broadcast_has_name, &name);
	if (place.bucket) {
		struct broadcast *known = table_item_at(place);
		if (known->by != by) known->by = 0;
		return;
	}
	struct broadcast *x = mem_try_alloc(sizeof(*x) + key->len);
	if (!x) {
		invalidate_everything(w);
		return;
	}
	*x = (struct broadcast){ .hash = key->hash, .by = by, .len = key->len };
	if (key->len) memcpy(x->name, key->ptr, key->len);
	if (tw->_broadcast_count == tw->_broadcast_cap) {
		tw->_broadcast_cap = tw->_broadcast_cap ? tw->_broadcast_cap * 2 : 4;
		tw->_broadcasts = mem_realloc(tw->_broadcasts, tw->_broadcast_cap * sizeof(tw->_broadcasts[0]));
	}
	tw->_broadcasts[tw->_broadcast_count++] = x;
	table_insert(&tw->_broadcast_names, key->hash, x, broadcast_hash);
	w->after |= AFTER_TRACK;
}

/* Whether somebody wants keys like this one; notes the workers of those who do. */
static bool fits_a_prefix(struct worker *w, struct slice name) {
	const struct tracking *t = &w->server->tracking;
	bool fits = false;
	for (size_t i = 0; i < t->_prefix_length_count && t->_prefix_lengths[i] <= name.len; i++) {
		const struct tracking_prefix *p = tracking__find_prefix(t, slice_of(name.ptr, t->_prefix_lengths[i]));
		for (unsigned worker = 0; p && worker < t->_worker_count; worker++) {
			if (atomic_load_explicit(&p->on_worker[worker].count, memory_order_relaxed) == 0) continue;
			tracking__add_listener(&w->tracking, worker);
			fits = true;
		}
	}
	return fits;
}

/* Who has changed the key. What ends by itself is nobody's doing, even if a client's look at it makes it go: a client
 * that does not want to hear of its own changes has to hear of these. */
static uint64_t whose_doing(const struct worker *w, enum event_class class, const char *event) {
	if (class == EVENT_EXPIRED || class == EVENT_EVICTED || strcmp(event, "hexpired") == 0) return 0;
	return w->current ? w->current->id : 0;
}

void tracking_key_changed(struct worker *w, const struct key *key, enum event_class class, const char *event) {
	if (class == EVENT_NEW) return; /* the event of what it got follows */
	struct tracking *t = &w->server->tracking;
	uint64_t by = whose_doing(w, class, event);
	uint32_t shard = store_shard_of(w->server->store, key->hash);
	struct tracked *x = take_out(t, shard, key_slice(key), key->hash);
	if (x) add_change(w, x, by);
	if (t->_prefix_length_count > 0 && fits_a_prefix(w, key_slice(key))) add_broadcast(w, key, by);
}

void tracking_flushed(struct worker *w) {
	give_up_tables(&w->server->tracking);
	invalidate_everything(w);
}

/* ---- The limit ---- */

/* Takes a random key out of the first shard, from a random one on, that has one. */
static bool evict_one(struct worker *w) {
	struct tracking *t = &w->server->tracking;
	uint32_t shard = (uint32_t)random_below(t->_shard_count);
	for (uint32_t tried = 0; tried < t->_shard_count; tried++, shard = (shard + 1) % t->_shard_count) {
		if (!gate_lock(&w->member, shard)) continue;
		struct tracked *x = table_random(&t->_tables[shard]);
		if (x) x = take_out(t, shard, slice_of(x->name, x->len), x->hash);
		gate_unlock(&w->member, shard);
		if (!x) continue;
		add_change(w, x, 0);
		return true;
	}
	return false;
}

static void evict_some(struct worker *w, size_t most) {
	for (; most > 0 && is_over_limit(w) && evict_one(w); most--) continue;
}

static void stop_tracking_at_all(struct worker *w) {
	struct tracking *t = &w->server->tracking;
	if (!gate_take_world(&w->member)) return; /* next time */
	if (atomic_load_explicit(&t->_clients, memory_order_relaxed) == 0) {
		give_up_tables(t);
		t->_prefix_tidy_at = t->_redirect_tidy_at = 0;
		tracking__tidy_prefixes(t);
		tracking__tidy_redirects(t);
		atomic_store_explicit(&t->_on, false, memory_order_relaxed);
	}
	gate_drop_world(&w->member);
}

void tracking_upkeep(struct worker *w) {
	struct tracking *t = &w->server->tracking;
	if (!tracking_anybody(t)) return;
	if (atomic_load_explicit(&t->_clients, memory_order_relaxed) == 0) {
		stop_tracking_at_all(w);
		return;
	}
	int64_t end_us = clock_monotonic_us() + TICK_BUDGET_US;
	while (is_over_limit(w) && clock_monotonic_us() < end_us) evict_some(w, EVICTIONS_PER_LOOK);
}

/* ---- Telling ---- */

static void drop(struct batch *b) {
	if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1) return;
	free_changes(b->changes, b->change_count, b->broadcasts, b->broadcast_count);
	mem_free(b->routes);
	mem_free(b);
}

static void arrive(struct worker *owner, struct message *m) {
	struct batch *b = ((struct delivery *)m)->batch;
	tracking__deliver(owner, b);
	drop(b);
}

static int compare_broadcasts(const void *a, const void *b) {
	return slice_compare(
		broadcast_name(*(struct broadcast *const *)a), broadcast_name(*(struct broadcast *const *)b));
}

/* Takes over what the worker has gathered. `listeners`: other workers that get it. */
static struct batch *make_batch(struct worker *w, unsigned listeners) {
	struct tracking_worker *tw = &w->tracking;
	struct batch *b = mem_alloc(sizeof(*b) + listeners * sizeof(b->deliveries[0]));
	*b = (struct batch){ .everything = tw->_everything,
		.change_count = tw->_change_count,
		.broadcast_count = tw->_broadcast_count,
		.changes = tw->_changes,
		.broadcasts = tw->_broadcasts,
		.route_count = tw->_route_count,
		.routes = tw->_routes,
		.redirects_made = w->server->tracking._redirects_made };
	atomic_init(&b->refs, listeners + 1);
	table_release(&tw->_broadcast_names);
	tw->_everything = false;
	tw->_change_count = tw->_change_cap = 0;
	tw->_broadcast_count = tw->_broadcast_cap = 0;
	tw->_route_count = tw->_route_cap = 0;
	tw->_changes = NULL;
	tw->_broadcasts = NULL;
	tw->_routes = NULL;
	return b;
}

/* Who has to hear of it; the worker itself apart from the others. */
static bool take_audience(struct worker *w, uint64_t audience[GATE_MAX_MEMBERS / 64], unsigned *others) {
	struct tracking_worker *tw = &w->tracking;
	if (tw->_everything)
		for (unsigned i = 0; i < w->server->worker_count; i++) tracking__add_listener(tw, i);
	uint64_t own_bit = UINT64_C(1) << w->index % 64, *own = &tw->_audience[w->index / 64];
	bool listens = *own & own_bit;
	*own &= ~own_bit;
	*others = 0;
	for (unsigned i = 0; i < GATE_MAX_MEMBERS / 64; i++)
		*others += (unsigned)__builtin_popcountll(tw->_audience[i]);
	memcpy(audience, tw->_audience, sizeof(tw->_audience));
	memset(tw->_audience, 0, sizeof(tw->_audience));
	return listens;
}

void tracking_tell(struct worker *w) {
	struct tracking_worker *tw = &w->tracking;
	evict_some(w, tw->_added + EVICTIONS_PER_COMMAND);
	tw->_added = 0;
	if (!tw->_everything && tw->_change_count == 0 && tw->_broadcast_count == 0) return;
	if (tw->_broadcast_count > 1)
		qsort(tw->_broadcasts, tw->_broadcast_count, sizeof(struct broadcast *), compare_broadcasts);
	tracking__route(w);
	uint64_t audience[GATE_MAX_MEMBERS / 64];
	unsigned others;
	bool listens = take_audience(w, audience, &others);
	struct batch *b = make_batch(w, others);
	struct delivery *d = b->deliveries;
	for (unsigned i = 0; i < GATE_MAX_MEMBERS / 64; i++) {
		for (uint64_t left = audience[i]; left; left &= left - 1, d++) {
			*d = (struct delivery){ { .run = arrive }, b };
			worker_post(&w->server->workers[i * 64 + (unsigned)__builtin_ctzll(left)], &d->message);
		}
	}
	if (listens) tracking__deliver(w, b);
	drop(b);
}
