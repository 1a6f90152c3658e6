/* Pending entries: what was delivered to whom and not acknowledged yet. Each stands in the tree of its group, with all that is
 * known of it, and, as a mere ID, in that of its consumer. */
#include "types/stream_private.h"

/* ---- One tree. Both kinds of records begin with an ID ---- */

static inline int compare_id(const void *record, const void *key) {
	return stream_id_compare(*(const struct stream_id *)record, *(const struct stream_id *)key);
}

/* The record with that ID, or NULL; `place` is where it is or would be. Often it is the oldest. */
static void *find(const struct tree *t, struct stream_id id, struct tree_place *place) {
	tree_first(t, place);
	struct stream_id *record = tree_record(t, place);
	if (!record) return NULL;
	int order = stream_id_compare(*record, id);
	if (order >= 0) return order == 0 ? record : NULL;
	tree_seek(t, compare_id, &id, place);
	record = tree_record(t, place);
	return record && stream_id_compare(*record, id) == 0 ? record : NULL;
}

/* Whether the ID comes behind all that are there, as it mostly does, entries being delivered in order. */
static bool comes_last(const struct tree *t, struct stream_id id) {
	struct tree_place place;
	tree_last(t, &place);
	const struct stream_id *last = tree_record(t, &place);
	return !last || stream_id_compare(*last, id) < 0;
}

/* A record with an ID that is not there yet. */
static void insert(struct stream *s, struct tree *t, const struct stream_id *record) {
	size_t before_bytes = tree_memory(t);
	if (comes_last(t, *record)) {
		tree_append(t, record);
	} else {
		struct tree_place place;
		tree_seek(t, compare_id, record, &place);
		tree_insert(t, &place, record);
	}
	s->bytes += tree_memory(t) - before_bytes;
}

static void remove_at(struct stream *s, struct tree *t, struct tree_place *place) {
	size_t before_bytes = tree_memory(t);
	tree_remove(t, place);
	s->bytes += tree_memory(t) - before_bytes;
}

static void remove_id(struct stream *s, struct tree *t, struct stream_id id) {
	struct tree_place place;
	bool found = find(t, id, &place) != NULL;
	assert(found);
	if (found) remove_at(s, t, &place);
}

/* ---- Records of groups ---- */

static struct stream_pending read_record(const struct stream_pending_record *r) {
	return (struct stream_pending){
		.id = r->id,
		.consumer = stream__pending_consumer(r),
		.delivered_ms = (int64_t)r->delivered_ms,
		.deliveries = (uint64_t)r->deliveries_high << 16 | r->deliveries_low,
	};
}

static struct stream_pending_record make_record(const struct stream_pending *p) {
	uint64_t deliveries = p->deliveries < STREAM_DELIVERIES_MAX ? p->deliveries : STREAM_DELIVERIES_MAX;
	uintptr_t consumer = (uintptr_t)p->consumer;
	assert(p->delivered_ms >= 0 && p->delivered_ms < (int64_t)1 << 48);
	assert(consumer >> 48 == 0);
	return (struct stream_pending_record){
		.id = p->id,
		.delivered_ms = (uint64_t)p->delivered_ms & (((uint64_t)1 << 48) - 1),
		.deliveries_low = deliveries & 0xFFFF,
		.consumer = consumer & (((uint64_t)1 << 48) - 1),
		.deliveries_high = deliveries >> 16 & 0xFFFF,
	};
}

bool stream_pending_find(const struct stream_group *g, struct stream_id id, struct stream_pending *p) {
	struct tree_place place;
	const struct stream_pending_record *record = find(&g->pending, id, &place);
	if (record) *p = read_record(record);
	return record != NULL;
}

bool stream_pending_edges(const struct stream_group *g, struct stream_pending *first, struct stream_pending *last) {
	struct tree_place place;
	if (tree_count(&g->pending) == 0) return false;
	tree_first(&g->pending, &place);
	*first = read_record(tree_record(&g->pending, &place));
	tree_last(&g->pending, &place);
	*last = read_record(tree_record(&g->pending, &place));
	return true;
}

void stream_pending_put(struct stream *s, struct stream_group *g, const struct stream_pending *p) {
	struct stream_pending_record record = make_record(p);
	struct tree_place place;
	struct stream_pending_record *old = comes_last(&g->pending, p->id) ? NULL : find(&g->pending, p->id, &place);
	if (!old) {
		insert(s, &g->pending, &record.id);
		insert(s, &p->consumer->pending, &p->id);
		return;
	}
	struct stream_consumer *old_consumer = stream__pending_consumer(old);
	*old = record;
	tree_changed(&g->pending, &place);
	if (old_consumer == p->consumer) return;
	remove_id(s, &old_consumer->pending, p->id);
	insert(s, &p->consumer->pending, &p->id);
}

bool stream_pending_remove(struct stream *s, struct stream_group *g, struct stream_id id) {
	struct tree_place place;
	const struct stream_pending_record *record = find(&g->pending, id, &place);
	if (!record) return false;
	struct stream_consumer *consumer = stream__pending_consumer(record);
	remove_at(s, &g->pending, &place);
	remove_id(s, &consumer->pending, id);
	return true;
}

bool stream_pending_remove_everywhere(struct stream *s, struct stream_id id) {
	bool removed = false;
	for (uint32_t i = 0; i < s->group_count; i++) removed |= stream_pending_remove(s, s->groups[i], id);
	return removed;
}

void stream__pending_forget(struct stream *s, struct stream_group *g, struct stream_consumer *c) {
	struct tree_place place;
	tree_first(&c->pending, &place);
	for (const struct stream_id *id; (id = tree_record(&c->pending, &place)); tree_next(&c->pending, &place)) {
		remove_id(s, &g->pending, *id);
	}
	s->bytes -= tree_memory(&c->pending);
	tree_release(&c->pending);
	s->bytes += tree_memory(&c->pending);
}

/* ---- Walks ---- */

void stream_pending_begin(struct stream_pending_iter *it, const struct stream_group *g,
	struct stream_consumer *consumer, struct stream_id from) {
	it->_g = g;
	it->_consumer = consumer;
	tree_seek(consumer ? &consumer->pending : &g->pending, compare_id, &from, &it->_place);
}

bool stream_pending_next(struct stream_pending_iter *it, struct stream_pending *p) {
	const struct tree *t = it->_consumer ? &it->_consumer->pending : &it->_g->pending;
	const struct stream_id *record = tree_record(t, &it->_place);
	if (!record) return false;
	if (it->_consumer) {
		bool found = stream_pending_find(it->_g, *record, p);
		assert(found);
		(void)found;
	} else {
		*p = read_record((const struct stream_pending_record *)record);
	}
	tree_next(t, &it->_place);
	return true;
}
