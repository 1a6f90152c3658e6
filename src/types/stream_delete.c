/* Deleting entries: one by its ID, or the oldest. */
#include "types/stream_private.h"

/* The mark takes no more room than what was there, so nothing moves. */
static void mark_deleted(struct pack *pack, size_t entry) {
	struct pack *same = pack;
	pack_replace_int(&same, entry, pack_get(pack, entry).number | STREAM_FLAG_DELETED);
	assert(same == pack);
}

/* Counts entries of the node that were marked. True when they were its last: then the node is gone, and `place` is that
 * of the next. */
static bool count_deleted(struct stream *s, struct stream_place *place, uint64_t deleted) {
	const struct stream_node *node = stream__node(s, place);
	assert(node);
	struct pack *pack = node->pack;
	if (stream__master(pack).live == deleted) {
		stream__remove_node(s, place);
		return true;
	}
	size_t before_bytes = pack_memory(pack);
	stream__count_live(&pack, -(int64_t)deleted, (int64_t)deleted);
	stream__node_changed(s, place, pack, before_bytes);
	return false;
}

static void find_first_id(struct stream *s) {
	if (!stream_edge(s, STREAM_FORWARD, &s->state.first_id)) s->state.first_id = STREAM_ID_MIN;
}

bool stream_is_referenced(const struct stream *s, struct stream_id id) {
	struct stream_pending p;
	for (size_t i = 0; i < s->group_count; i++) {
		if (stream_id_compare(s->groups[i]->last_id, id) < 0) return true;
		if (stream_pending_find(s->groups[i], id, &p)) return true;
	}
	return false;
}

enum stream_delete_answer stream_delete(struct stream *s, struct stream_id id, enum stream_references references) {
	struct stream_iter it;
	if (references == STREAM_ONLY_ACKED && stream_is_referenced(s, id)) return STREAM_REFERENCED;
	bool dropped = references == STREAM_DROP_REFERENCES && stream_pending_remove_everywhere(s, id);
	stream_iter_begin(&it, s, id, id, STREAM_FORWARD);
	if (!stream_iter_next(&it)) return dropped ? STREAM_REFERENCES_DROPPED : STREAM_NOT_THERE;
	mark_deleted(stream__node(s, &it._place)->pack, stream__iter_entry(&it));
	s->state.length--;
	count_deleted(s, &it._place, 1);
	if (stream_id_compare(id, s->state.max_deleted) > 0) s->state.max_deleted = id;
	if (stream_id_compare(id, s->state.first_id) == 0) find_first_id(s);
	return STREAM_DELETED;
}

/* ---- Trimming ---- */

static bool is_enough(const struct stream *s, const struct stream_trim *how, struct stream_id next) {
	if (how->by == STREAM_TRIM_LENGTH) return s->state.length <= how->length;
	return stream_id_compare(next, how->min_id) >= 0;
}

/* The ID of the node's last entry, deleted or not. */
static struct stream_id last_id_of_node(const struct stream *s, const struct stream_place *place) {
	const struct stream_node *node = stream__node(s, place);
	size_t at = pack_last(node->pack);
	for (int64_t left = pack_get(node->pack, at).number; left > 0; left--) at = pack_prev(node->pack, at);
	at = pack_next(node->pack, at);
	struct stream_id id = { node->id.ms + (uint64_t)pack_get(node->pack, at).number, node->id.seq };
	id.seq += (uint64_t)pack_get(node->pack, pack_next(node->pack, at)).number;
	return id;
}

/* Whether all of the node may go. */
static bool is_whole_node(
	const struct stream *s, const struct stream_trim *how, const struct stream_place *place, uint64_t live) {
	if (how->by == STREAM_TRIM_LENGTH) return s->state.length >= how->length + live;
	return stream_id_compare(last_id_of_node(s, place), how->min_id) < 0;
}

/* A trim under way. */
struct trimming {
	struct stream *s;
	const struct stream_trim *how;
	struct stream_place place; /* of the node it is at */
	uint64_t deleted;
	bool first_known; /* the first entry that stays has been seen */
	struct stream_id first_id;
};

static void entry_stays(struct trimming *t, struct stream_id id) {
	if (!t->first_known) t->first_id = id;
	t->first_known = true;
}

/* Deletes the node's entries one by one as long as there are too many, and goes to the next node when it has seen all. */
static void trim_entries(struct trimming *t) {
	struct stream *s = t->s;
	const struct stream_trim *how = t->how;
	const struct stream_node *node = stream__node(s, &t->place);
	struct pack *pack = node->pack;
	/* What lies before the stream's first entry is deleted already. */
	struct stream_id from = stream_id_compare(node->id, s->state.first_id) < 0 ? s->state.first_id : node->id;
	struct stream_iter it;
	uint64_t deleted = 0;

	stream_iter_begin(&it, s, from, last_id_of_node(s, &t->place), STREAM_FORWARD);
	while (stream_iter_next(&it)) {
		bool enough = is_enough(s, how, it.id);
		if (enough || (how->references == STREAM_ONLY_ACKED && stream_is_referenced(s, it.id))) {
			entry_stays(t, it.id);
			if (enough) break;
			continue;
		}
		if (how->references == STREAM_DROP_REFERENCES) stream_pending_remove_everywhere(s, it.id);
		mark_deleted(pack, stream__iter_entry(&it));
		s->state.length--;
		deleted++;
	}
	t->deleted += deleted;
	if (deleted == 0 || !count_deleted(s, &t->place, deleted)) stream__next_node(s, &t->place);
}

/* Of ONLY_ACKED: no entry behind this one may go, since a group has not come to it. */
static struct stream_id last_read_by_all(const struct stream *s) {
	struct stream_id last = STREAM_ID_MAX;
	for (size_t i = 0; i < s->group_count; i++) {
		if (stream_id_compare(s->groups[i]->last_id, last) < 0) last = s->groups[i]->last_id;
	}
	return last;
}

static void remove_whole_node(struct trimming *t, uint64_t live) {
	t->s->state.length -= live;
	t->deleted += live;
	stream__remove_node(t->s, &t->place);
}

uint64_t stream_trim(struct stream *s, const struct stream_trim *how) {
	bool by_entry = how->references != STREAM_KEEP_REFERENCES && s->group_count > 0;
	struct stream_id last = how->references == STREAM_ONLY_ACKED ? last_read_by_all(s) : STREAM_ID_MAX;
	struct trimming t = { .s = s, .how = how };

	if (s->state.length == 0) return 0;
	if (how->nodes_only && how->references != STREAM_KEEP_REFERENCES) return 0;
	stream__first_node(s, &t.place);
	for (const struct stream_node *node; (node = stream__node(s, &t.place));) {
		if (is_enough(s, how, node->id) || stream_id_compare(node->id, last) > 0) break;
		uint64_t live = stream__master(node->pack).live;
		if (how->limit && t.deleted + live > how->limit) break;
		bool whole = is_whole_node(s, how, &t.place, live);
		if (whole && !by_entry) {
			remove_whole_node(&t, live);
			continue;
		}
		if (how->nodes_only) break;
		trim_entries(&t);
		if (!whole && !by_entry) break;
	}
	if (t.deleted > 0 && t.first_known)
		s->state.first_id = t.first_id;
	else if (t.deleted > 0)
		find_first_id(s);
	return t.deleted;
}
