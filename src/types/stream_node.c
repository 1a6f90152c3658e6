/* Nodes of a stream: where they are, and the master at the head of their packs. */
#include "types/stream_private.h"

/* ---- Places ---- */

static int compare_node(const void *record, const void *key) {
	const struct stream_node *node = record;
	const struct stream_id *id = key;
	return stream_id_compare(node->id, *id);
}

static void at_tail_or_end(const struct stream *s, struct stream_place *place) {
	place->_where = s->tail.pack ? STREAM_IN_TAIL : STREAM_AT_END;
}

bool stream__seek_node(const struct stream *s, struct stream_id id, struct stream_place *place) {
	if (s->tail.pack && stream_id_compare(s->tail.id, id) <= 0) {
		place->_where = STREAM_IN_TAIL;
		return true;
	}
	place->_where = STREAM_IN_TREE;
	tree_seek_behind(&s->nodes, compare_node, &id, &place->_tree);
	if (tree_prev(&s->nodes, &place->_tree)) return true;
	stream__first_node(s, place);
	return false;
}

void stream__first_node(const struct stream *s, struct stream_place *place) {
	if (tree_count(&s->nodes) == 0) {
		at_tail_or_end(s, place);
		return;
	}
	place->_where = STREAM_IN_TREE;
	tree_first(&s->nodes, &place->_tree);
}

void stream__last_node(const struct stream *s, struct stream_place *place) {
	/* Without a tail there is no node at all. */
	at_tail_or_end(s, place);
}

bool stream__next_node(const struct stream *s, struct stream_place *place) {
	if (place->_where != STREAM_IN_TREE) {
		place->_where = STREAM_AT_END;
		return false;
	}
	if (!tree_next(&s->nodes, &place->_tree)) at_tail_or_end(s, place);
	return place->_where != STREAM_AT_END;
}

bool stream__prev_node(const struct stream *s, struct stream_place *place) {
	if (place->_where == STREAM_IN_TAIL) tree_end(&s->nodes, &place->_tree);
	place->_where = tree_prev(&s->nodes, &place->_tree) ? STREAM_IN_TREE : STREAM_AT_END;
	return place->_where == STREAM_IN_TREE;
}

void stream_each_pack(const struct stream *s, stream_pack_fn *visit, void *context) {
	struct stream_place place;
	stream__first_node(s, &place);
	for (const struct stream_node *node; (node = stream__node(s, &place)); stream__next_node(s, &place)) {
		visit(context, node->id, pack_raw(node->pack));
	}
}

/* ---- Changing ---- */

void stream__append_node(struct stream *s, struct stream_id id, struct pack *pack) {
	if (s->tail.pack) tree_append(&s->nodes, &s->tail);
	s->tail = (struct stream_node){ id, pack };
	s->bytes += pack_memory(pack);
}

void stream__node_changed(struct stream *s, const struct stream_place *place, struct pack *pack, size_t before_bytes) {
	s->bytes += pack_memory(pack) - before_bytes;
	if (place->_where == STREAM_IN_TAIL) {
		s->tail.pack = pack;
		return;
	}
	struct stream_node *node = tree_record(&s->nodes, &place->_tree);
	if (node->pack == pack) return;
	node->pack = pack;
	tree_changed(&s->nodes, &place->_tree);
}

void stream__remove_node(struct stream *s, struct stream_place *place) {
	struct pack *pack = stream__node(s, place)->pack;
	s->bytes -= pack_memory(pack);
	pack_free(pack);
	if (place->_where == STREAM_IN_TREE) {
		tree_remove(&s->nodes, &place->_tree);
		if (!tree_record(&s->nodes, &place->_tree)) at_tail_or_end(s, place);
		return;
	}
	/* The node before takes new entries from now on. */
	place->_where = STREAM_AT_END;
	s->tail.pack = NULL;
	if (tree_count(&s->nodes) == 0) return;
	struct tree_place last;
	tree_last(&s->nodes, &last);
	s->tail = *(struct stream_node *)tree_record(&s->nodes, &last);
	tree_remove(&s->nodes, &last);
}

/* ---- The master ---- */

struct stream_master stream__master(const struct pack *pack) {
	enum { LIVE, DELETED, FIELDS, NUMBERS };
	struct pack_value numbers[NUMBERS];
	size_t at = pack_first(pack);
	pack_read(pack, &at, numbers, NUMBERS);
	struct stream_master master = {
		.live = (uint64_t)numbers[LIVE].number,
		.deleted = (uint64_t)numbers[DELETED].number,
		.fields = (size_t)numbers[FIELDS].number,
		.field = at,
	};
	for (size_t i = 0; i < master.fields; i++) at = pack_next(pack, at);
	master.end = at;
	return master;
}

static void add_at(struct pack **pack, size_t at, int64_t difference) {
	if (difference != 0) pack_replace_int(pack, at, pack_get(*pack, at).number + difference);
}

void stream__count_live(struct pack **pack, int64_t live, int64_t deleted) {
	add_at(pack, pack_first(*pack), live);
	add_at(pack, pack_next(*pack, pack_first(*pack)), deleted);
}
