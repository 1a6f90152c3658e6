/* The server's side of publish/subscribe: how many subscribe to what, and messages on their way to the workers. */
#include "server/pubsub.h"

#include "base/alloc.h"
#include "base/glob.h"
#include "base/hash.h"
#include "base/lock.h"
#include "server/pubsub_private.h"
#include "server/server.h"

enum { STRIPES = 64 };

/* A name that somebody subscribes to. */
struct topic {
	uint64_t hash;
	size_t subscribers; /* all workers together */
	size_t at;          /* of a pattern: its place among all */
	size_t len;
	char *name;           /* behind the array */
	uint32_t on_worker[]; /* subscribers of each */
};

struct stripe {
	struct lock lock;
	struct table topics[TOPIC_PATTERN]; /* channels, shard channels */
} __attribute__((aligned(64)));

struct pubsub {
	unsigned worker_count;
	struct stripe stripes[STRIPES];
	struct lock patterns_lock;
	struct table pattern_names;
	struct topic **patterns; /* the same, to be walked through */
	size_t pattern_cap;
	_Atomic size_t pattern_count; /* written under the lock; read without it to see that there is none */
};

struct pubsub *pubsub_new(unsigned worker_count) {
	struct pubsub *p = mem_alloc_aligned(64, (sizeof(*p) + 63) & ~(size_t)63);
	memset(p, 0, sizeof(*p));
	p->worker_count = worker_count;
	return p;
}

void pubsub_free(struct pubsub *p) {
	for (int i = 0; i < STRIPES; i++)
		for (int kind = 0; kind < TOPIC_PATTERN; kind++) table_release(&p->stripes[i].topics[kind]);
	table_release(&p->pattern_names);
	mem_free(p->patterns);
	mem_free(p);
}

/* ---- Topics ---- */

static struct topic *topic_new(const struct pubsub *p, struct slice name, uint64_t hash) {
	size_t counts = p->worker_count * sizeof(uint32_t);
	struct topic *t = mem_alloc(sizeof(*t) + counts + name.len);
	memset(t, 0, sizeof(*t) + counts);
	t->hash = hash;
	t->len = name.len;
	t->name = (char *)(t->on_worker + p->worker_count);
	if (name.len) memcpy(t->name, name.ptr, name.len);
	return t;
}

static uint64_t topic_hash(const void *item) {
	return ((const struct topic *)item)->hash;
}

static bool topic_has_name(const void *item, const void *key) {
	const struct topic *t = item;
	return slice_equal(slice_of(t->name, t->len), *(const struct slice *)key);
}

static struct stripe *lock_stripe(struct pubsub *p, uint64_t hash) {
	struct stripe *stripe = &p->stripes[(hash >> 40) % STRIPES];
	lock_take(&stripe->lock, LOCK_RANK_SERVER, 0);
	return stripe;
}

static void unlock_stripe(struct stripe *stripe) {
	lock_drop(&stripe->lock, LOCK_RANK_SERVER, 0);
}

static struct topic *find_topic(const struct stripe *stripe, enum topic_kind kind, struct slice name, uint64_t hash) {
	struct table_place place = table_find(&stripe->topics[kind], hash, topic_has_name, &name);
	return place.bucket ? table_item_at(place) : NULL;
}

static void change_topic(struct topic *t, const struct worker *w, int change) {
	t->subscribers += (size_t)change;
	t->on_worker[w->index] += (uint32_t)change;
}

static void count_channel(
	struct pubsub *p, const struct worker *w, enum topic_kind kind, struct slice name, int change) {
	uint64_t hash = hash_slice(name);
	struct stripe *stripe = lock_stripe(p, hash);
	struct table *topics = &stripe->topics[kind];
	struct topic *t = find_topic(stripe, kind, name, hash);
	if (!t) {
		t = topic_new(p, name, hash);
		table_insert(topics, hash, t, topic_hash);
	}
	change_topic(t, w, change);
	if (t->subscribers == 0) {
		table_remove(topics, table_find(topics, hash, topic_has_name, &name));
		mem_free(t);
	}
	unlock_stripe(stripe);
}

static void lock_patterns(struct pubsub *p) {
	lock_take(&p->patterns_lock, LOCK_RANK_SERVER, 1);
}

static void unlock_patterns(struct pubsub *p) {
	lock_drop(&p->patterns_lock, LOCK_RANK_SERVER, 1);
}

static struct topic *add_pattern(struct pubsub *p, struct slice name, uint64_t hash) {
	size_t count = p->pattern_count;
	if (count == p->pattern_cap) {
		p->pattern_cap = p->pattern_cap ? p->pattern_cap * 2 : 16;
		p->patterns = mem_realloc(p->patterns, p->pattern_cap * sizeof(p->patterns[0]));
	}
	struct topic *t = topic_new(p, name, hash);
	t->at = count;
	p->patterns[count] = t;
	table_insert(&p->pattern_names, hash, t, topic_hash);
	atomic_store_explicit(&p->pattern_count, count + 1, memory_order_relaxed);
	return t;
}

static void remove_pattern(struct pubsub *p, struct table_place place) {
	struct topic *t = table_item_at(place), *last = p->patterns[p->pattern_count - 1];
	table_remove(&p->pattern_names, place);
	p->patterns[t->at] = last;
	last->at = t->at;
	atomic_store_explicit(&p->pattern_count, p->pattern_count - 1, memory_order_relaxed);
	mem_free(t);
}

static void count_pattern(struct pubsub *p, const struct worker *w, struct slice name, int change) {
	uint64_t hash = hash_slice(name);
	lock_patterns(p);
	struct table_place place = table_find(&p->pattern_names, hash, topic_has_name, &name);
	struct topic *t = place.bucket ? table_item_at(place) : add_pattern(p, name, hash);
	change_topic(t, w, change);
	if (place.bucket && t->subscribers == 0) remove_pattern(p, place);
	unlock_patterns(p);
}

void pubsub__count(struct worker *w, enum topic_kind kind, struct slice name, int change) {
	struct pubsub *p = w->server->pubsub;
	if (kind == TOPIC_PATTERN)
		count_pattern(p, w, name, change);
	else
		count_channel(p, w, kind, name, change);
}

/* ---- Publishing ---- */

/* Which workers have a subscriber, a bit for each, and how many there are altogether. */
struct audience {
	uint64_t workers[GATE_MAX_MEMBERS / 64];
	size_t subscribers;
};

static void add_topic(struct audience *a, const struct topic *t, unsigned worker_count) {
	a->subscribers += t->subscribers;
	for (unsigned i = 0; i < worker_count; i++)
		if (t->on_worker[i] > 0) a->workers[i / 64] |= 1ULL << i % 64;
}

static void add_patterns(struct pubsub *p, struct audience *a, struct slice channel) {
	/* Who has subscribed before this message was published has told us so, one way or the other. */
	if (atomic_load_explicit(&p->pattern_count, memory_order_relaxed) == 0) return;
	lock_patterns(p);
	size_t count = p->pattern_count;
	for (size_t i = 0; i < count; i++) {
		const struct topic *t = p->patterns[i];
		if (glob_match(slice_of(t->name, t->len), channel, GLOB_CASE)) add_topic(a, t, p->worker_count);
	}
	unlock_patterns(p);
}

static void push(struct pubsub_local *local, struct pubsub_node *node) {
	struct pubsub_node *newest = atomic_load_explicit(&local->_newest, memory_order_relaxed);
	do {
		node->next = newest;
	} while (!atomic_compare_exchange_weak_explicit(
		&local->_newest, &newest, node, memory_order_release, memory_order_relaxed));
}

static void queue_for(struct worker *w, struct worker *to, struct pubsub_node *node) {
	struct pubsub_local *local = &to->pubsub;
	push(local, node);
	if (to == w)
		w->after |= AFTER_DELIVER;
	else if (!atomic_exchange_explicit(&local->_woken, true, memory_order_acq_rel))
		worker_post(to, &local->_wake);
}

/* False, nothing sent, without memory for a payload of the client's size. */
static bool send_message(
	struct worker *w, const struct audience *a, enum topic_kind kind, struct slice channel, struct slice payload) {
	unsigned count = 0;
	for (unsigned i = 0; i < GATE_MAX_MEMBERS / 64; i++) count += (unsigned)__builtin_popcountll(a->workers[i]);
	size_t head = sizeof(struct pubsub_message) + count * sizeof(struct pubsub_node);
	struct pubsub_message *m = mem_try_alloc(head + channel.len + payload.len);
	if (!m) return false;
	char *bytes = (char *)m + head;
	atomic_init(&m->refs, count);
	m->kind = kind;
	m->channel = slice_of(bytes, channel.len);
	m->payload = slice_of(bytes + channel.len, payload.len);
	if (channel.len) memcpy(bytes, channel.ptr, channel.len);
	if (payload.len) memcpy(bytes + channel.len, payload.ptr, payload.len);
	struct pubsub_node *node = (struct pubsub_node *)(m + 1);
	for (unsigned i = 0; i < GATE_MAX_MEMBERS / 64; i++) {
		for (uint64_t left = a->workers[i]; left; left &= left - 1, node++) {
			node->message = m;
			queue_for(w, &w->server->workers[i * 64 + (unsigned)__builtin_ctzll(left)], node);
		}
	}
	return true;
}

size_t pubsub_publish(struct worker *w, enum topic_kind kind, struct slice channel, struct slice payload) {
	struct pubsub *p = w->server->pubsub;
	uint64_t hash = hash_slice(channel);
	struct audience a = { 0 };
	struct stripe *stripe = lock_stripe(p, hash);
	const struct topic *t = find_topic(stripe, kind, channel, hash);
	if (t) add_topic(&a, t, p->worker_count);
	if (kind == TOPIC_CHANNEL) add_patterns(p, &a, channel);
	if (a.subscribers > 0 && !send_message(w, &a, kind, channel, payload)) a.subscribers = 0;
	unlock_stripe(stripe);
	return a.subscribers;
}

struct pubsub_node *pubsub__take(struct pubsub_local *local) {
	if (!atomic_load_explicit(&local->_newest, memory_order_relaxed)) return NULL;
	/* Acquire pairs with the release in push. */
	struct pubsub_node *node = atomic_exchange_explicit(&local->_newest, NULL, memory_order_acquire),
			   *oldest = NULL;
	while (node) {
		struct pubsub_node *next = node->next;
		node->next = oldest;
		oldest = node;
		node = next;
	}
	return oldest;
}

void pubsub__drop(struct pubsub_message *m) {
	/* The last one frees what all have read. */
	if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1) mem_free(m);
}

/* ---- Asking ---- */

size_t pubsub_subscribers(struct pubsub *p, enum topic_kind kind, struct slice channel) {
	uint64_t hash = hash_slice(channel);
	struct stripe *stripe = lock_stripe(p, hash);
	const struct topic *t = find_topic(stripe, kind, channel, hash);
	size_t subscribers = t ? t->subscribers : 0;
	unlock_stripe(stripe);
	return subscribers;
}

size_t pubsub_patterns(struct pubsub *p) {
	return atomic_load_explicit(&p->pattern_count, memory_order_relaxed);
}

size_t pubsub_channels(struct pubsub *p, enum topic_kind kind) {
	size_t count = 0;
	for (int i = 0; i < STRIPES; i++) {
		struct stripe *stripe = &p->stripes[i];
		lock_take(&stripe->lock, LOCK_RANK_SERVER, 0);
		count += table_count(&stripe->topics[kind]);
		unlock_stripe(stripe);
	}
	return count;
}

struct visiting {
	pubsub_visit_fn *visit;
	void *context;
};

static void visit_topic(void *context, void *item) {
	const struct visiting *v = context;
	const struct topic *t = item;
	v->visit(v->context, slice_of(t->name, t->len));
}

void pubsub_each(struct pubsub *p, enum topic_kind kind, pubsub_visit_fn *visit, void *context) {
	struct visiting v = { visit, context };
	for (int i = 0; i < STRIPES; i++) {
		struct stripe *stripe = &p->stripes[i];
		lock_take(&stripe->lock, LOCK_RANK_SERVER, 0);
		table_each(&stripe->topics[kind], visit_topic, &v);
		unlock_stripe(stripe);
	}
}
