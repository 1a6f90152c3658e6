#include "server/watch.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "server/server.h"

/* A key that a client watches. */
struct watch {
	struct watch *prev, *next; /* of the shard */
	struct watch *sibling;     /* of the client */
	struct watches *owner;
	uint64_t hash;
	uint32_t shard;
	unsigned db_index;
	bool existed; /* when it was watched; with a clean owner also now, apart from its having ended */
	size_t len;
	char name[];
};

void watch_table_init(struct watch_table *t, struct store *store) {
	atomic_init(&t->_count, 0);
	t->_store = store;
	t->_shards = mem_calloc(store_shard_count(store) * sizeof(t->_shards[0]));
}

void watch_table_release(struct watch_table *t) {
	assert(atomic_load_explicit(&t->_count, memory_order_relaxed) == 0);
	mem_free(t->_shards);
}

static struct watch_table *table_of(const struct client *c) {
	return &c->worker->server->watched;
}

static struct key key_of_watch(const struct watch *x) {
	return (struct key){ x->name, x->len, x->hash };
}

static bool is_of(const struct watch *x, unsigned db_index, const struct key *key) {
	return x->hash == key->hash && x->db_index == db_index && x->len == key->len &&
	       memcmp(x->name, key->ptr, key->len) == 0;
}

/* ---- The owner's side ---- */

static struct watch *make_watch(const struct view *v, const struct key *key) {
	struct watch *x = mem_try_alloc(sizeof(*x) + key->len);
	if (!x) return NULL;
	*x = (struct watch){ .hash = key->hash,
		.shard = store_shard_of(v->store, key->hash),
		.db_index = v->db_index,
		.len = key->len };
	memcpy(x->name, key->ptr, key->len);
	return x;
}

static void link_watch(struct watch_table *t, struct watches *owner, struct watch *x) {
	struct watch **list = &t->_shards[x->shard];
	x->next = *list;
	if (x->next) x->next->prev = x;
	*list = x;
	atomic_fetch_add_explicit(&t->_count, 1, memory_order_relaxed);
	x->owner = owner;
	x->sibling = owner->first;
	owner->first = x;
	owner->count++;
	owner->bytes += mem_size_class(sizeof(*x) + x->len);
}

static void unlink_watch(struct watch_table *t, struct watch *x) {
	if (x->prev)
		x->prev->next = x->next;
	else
		t->_shards[x->shard] = x->next;
	if (x->next) x->next->prev = x->prev;
	atomic_fetch_sub_explicit(&t->_count, 1, memory_order_relaxed);
}

static bool is_watched_by(
	const struct watch_table *t, const struct watches *owner, const struct view *v, const struct key *key) {
	for (const struct watch *x = t->_shards[store_shard_of(v->store, key->hash)]; x; x = x->next)
		if (x->owner == owner && is_of(x, v->db_index, key)) return true;
	return false;
}

bool watch_key(struct client *c, struct view *v, const struct key *key) {
	struct watch_table *t = table_of(c);
	if (!c->watches) {
		c->watches = mem_calloc(sizeof(*c->watches));
		atomic_fetch_add_explicit(&table_of(c)->_clients, 1, memory_order_relaxed);
		c->watches->bytes = mem_size_class(sizeof(*c->watches));
	}
	bool existed = store_peek(v, key) != NULL;
	if (is_watched_by(t, c->watches, v, key)) return true;
	struct watch *x = make_watch(v, key);
	if (!x) return false;
	x->existed = existed;
	link_watch(t, c->watches, x);
	return true;
}

void watch_collect_shards(const struct client *c, uint64_t *shards) {
	if (!c->watches) return;
	for (const struct watch *x = c->watches->first; x; x = x->sibling)
		shards[x->shard / 64] |= 1ULL << x->shard % 64;
}

/* Looking at a key whose time has come removes it, which marks all its watchers; where entries that have ended are kept
 * (VIEW_KEEP_EXPIRED) their being missing to this view is what counts. */
bool watch_holds(struct client *c, const struct view *v) {
	if (!c->watches) return true;
	if (watches_are_dirty(c->watches)) return false;
	for (const struct watch *x = c->watches->first; x; x = x->sibling) {
		if (!x->existed) continue;
		struct view in_db = view_in_db(v, x->db_index);
		struct key key = key_of_watch(x);
		if (!store_peek(&in_db, &key)) return false;
	}
	return true;
}

/* Takes the watches out of the lists of their shards and frees all. False: a long run keeps the gate of some, which stay. */
static bool take_apart(struct worker *w, struct watches *all, bool locks) {
	struct watch_table *t = &w->server->watched;
	struct watch **at = &all->first;
	while (*at) {
		struct watch *x = *at;
		if (locks && !gate_lock(&w->member, x->shard)) {
			at = &x->sibling;
			continue;
		}
		unlink_watch(t, x);
		if (locks) gate_unlock(&w->member, x->shard);
		*at = x->sibling;
		mem_free(x);
	}
	if (all->first) return false;
	/* Nobody can reach the struct any more: its watches are out of all lists. */
	mem_free(all);
	return true;
}

void watch_forget_all(struct client *c, enum watch_gates gates) {
	struct watches *all = c->watches;
	if (!all) return;
	struct worker *w = c->worker;
	c->watches = NULL;
	atomic_fetch_sub_explicit(&table_of(c)->_clients, 1, memory_order_relaxed);
	bool locks = gates == WATCH_GATES_TAKE && !gate_has_world(&w->member);
	if (take_apart(w, all, locks)) return;
	all->next_left = w->watches_left;
	w->watches_left = all;
}

void watch_tidy_up(struct worker *w) {
	struct watches **at = &w->watches_left, *next;
	while (*at) {
		next = (*at)->next_left;
		if (take_apart(w, *at, !gate_has_world(&w->member)))
			*at = next;
		else
			at = &(*at)->next_left;
	}
}

/* ---- The side of who changes something ---- */

static void mark(struct watch *x) {
	/* Looked at first, so that a key that changes all the time leaves its watchers' cache lines alone. */
	if (!watches_are_dirty(x->owner)) atomic_store_explicit(&x->owner->dirty, true, memory_order_relaxed);
}

void watch_mark(struct watch_table *t, const struct view *v, const struct key *key) {
	for (struct watch *x = t->_shards[store_shard_of(v->store, key->hash)]; x; x = x->next)
		if (is_of(x, v->db_index, key)) mark(x);
}

static bool is_idle(const struct watch_table *t) {
	return atomic_load_explicit(&t->_count, memory_order_relaxed) == 0;
}

void watch_flushed(struct watch_table *t, unsigned db_index) {
	if (is_idle(t)) return;
	for (uint32_t shard = 0; shard < store_shard_count(t->_store); shard++)
		for (struct watch *x = t->_shards[shard]; x; x = x->next)
			if (x->db_index == db_index && x->existed) mark(x);
}

/* Whether the database that takes this one's place has the key. It only looks: nothing is counted, touched or removed. */
static bool exists_in(const struct watch_table *t, unsigned db_index, const struct watch *x) {
	struct store_stats unused = { 0 };
	struct view v = store_view(t->_store, db_index, &unused, NULL);
	v.now_ms = clock_wall_ms();
	v.flags = VIEW_HAS_WORLD | VIEW_NO_TOUCH | VIEW_COUNTS_NOTHING | VIEW_KEEP_EXPIRED;
	struct key key = key_of_watch(x);
	return store_peek(&v, &key) != NULL;
}

void watch_swapping(struct watch_table *t, unsigned a, unsigned b) {
	if (is_idle(t)) return;
	for (uint32_t shard = 0; shard < store_shard_count(t->_store); shard++) {
		for (struct watch *x = t->_shards[shard]; x; x = x->next) {
			if (x->db_index != a && x->db_index != b) continue;
			if (x->existed || exists_in(t, x->db_index == a ? b : a, x)) mark(x);
		}
	}
}
