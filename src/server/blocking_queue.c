/* Who waits for which key. */
#include "containers/table.h"
#include "server/blocking_private.h"

void blocking_table_init(struct blocking_table *t, uint32_t shard_count) {
	atomic_init(&t->_waiters, 0);
	atomic_init(&t->_keys, 0);
	atomic_init(&t->_keys_wanted_to_end, 0);
	t->_shards = mem_calloc(shard_count * sizeof(t->_shards[0]));
	t->_shard_count = shard_count;
}

void blocking_table_release(struct blocking_table *t) {
	for (uint32_t i = 0; t->_shards && i < t->_shard_count; i++) table_release(&t->_shards[i]);
	mem_free(t->_shards);
	t->_shards = NULL;
}

struct queue_name {
	const struct key *key;
	unsigned db;
};

static bool queue_has_name(const void *item, const void *name) {
	const struct queue *q = item;
	const struct queue_name *n = name;
	return q->db == n->db && slice_equal(key_slice(&q->key), key_slice(n->key));
}

static uint64_t queue_hash(const void *item) {
	return ((const struct queue *)item)->key.hash;
}

static struct table_place place_of(struct blocking_table *t, uint32_t shard, unsigned db, const struct key *key) {
	struct queue_name name = { key, db };
	return table_find(&t->_shards[shard], key->hash, queue_has_name, &name);
}

struct queue *blocking__find_queue(struct blocking_table *t, uint32_t shard, unsigned db, const struct key *key) {
	struct table_place place = place_of(t, shard, db, key);
	return place.bucket ? table_item_at(place) : NULL;
}

static struct queue *make_queue(struct blocking_table *t, uint32_t shard, unsigned db, const struct key *key) {
	struct queue *q = mem_alloc(sizeof(*q) + key->len);
	*q = (struct queue){ .key = { q->name, key->len, key->hash }, .db = db };
	if (key->len) memcpy(q->name, key->ptr, key->len);
	table_insert(&t->_shards[shard], key->hash, q, queue_hash);
	atomic_fetch_add_explicit(&t->_keys, 1, memory_order_relaxed);
	return q;
}

static void count_ender(struct blocking_table *t, struct queue *q, const struct waiter *x, int change) {
	if (!x->blocked->wants_the_end) return;
	size_t before = q->enders > 0;
	q->enders += (unsigned)change;
	atomic_fetch_add_explicit(&t->_keys_wanted_to_end, (q->enders > 0) - before, memory_order_relaxed);
}

void blocking__enqueue(struct blocking_table *t, struct waiter *x, const struct key *key) {
	const struct blocked *b = x->blocked;
	struct queue *q = blocking__find_queue(t, x->shard, b->db, key);
	if (!q) q = make_queue(t, x->shard, b->db, key);
	if (q->first && q->first->blocked->serve != b->serve) q->is_mixed = true;
	x->queue = q;
	x->next = NULL;
	x->prev = q->last;
	if (q->last)
		q->last->next = x;
	else
		q->first = x;
	q->last = x;
	count_ender(t, q, x, 1);
	atomic_fetch_add_explicit(&t->_waiters, 1, memory_order_relaxed);
}

void blocking__dequeue(struct blocking_table *t, struct waiter *x) {
	struct queue *q = x->queue;
	if (!q) return;
	*(x->prev ? &x->prev->next : &q->first) = x->next;
	*(x->next ? &x->next->prev : &q->last) = x->prev;
	x->queue = NULL;
	count_ender(t, q, x, -1);
	atomic_fetch_sub_explicit(&t->_waiters, 1, memory_order_relaxed);
	if (q->first) return;
	table_remove(&t->_shards[x->shard], place_of(t, x->shard, q->db, &q->key));
	atomic_fetch_sub_explicit(&t->_keys, 1, memory_order_relaxed);
	mem_free(q);
}
