/* The inside of a stream; for stream*.c only. What it consists of: stream.h. */
#ifndef TARN_TYPES_STREAM_PRIVATE_H
#define TARN_TYPES_STREAM_PRIVATE_H

#include <assert.h>

#include "base/alloc.h"
#include "types/stream.h"

/* Flags of an entry in a pack. */
enum { STREAM_FLAG_DELETED = 1, STREAM_FLAG_SAME_FIELDS = 2 };

struct stream_node {
	struct stream_id id; /* of its first entry, which may be deleted: what the entries' IDs are counted from */
	struct pack *pack;
};

struct stream {
	struct stream_state state;
	struct stream_node tail;      /* the last node; pack NULL: there is none */
	struct tree nodes;            /* struct stream_node, all others */
	struct stream_group **groups; /* by name; group_count of them, room for group_room */
	uint32_t group_count, group_room;
	size_t bytes; /* of packs, groups, consumers and pending entries, as mem_size_class */
};

struct stream_consumer {
	struct tree pending; /* struct stream_id */
	int64_t seen_ms, active_ms;
	size_t name_len;
	char name[];
};

/* In the tree of a group; who wants to know more about a consumer's pending entry looks here. Addresses have 48 bits, as in
 * table.h. */
struct stream_pending_record {
	struct stream_id id;
	uint64_t delivered_ms : 48;
	uint64_t deliveries_low : 16;
	uint64_t consumer : 48;
	uint64_t deliveries_high : 16;
};
static_assert(sizeof(struct stream_pending_record) == TREE_MAX_RECORD_BYTES, "must fit into a tree");

struct stream_group {
	struct stream_id last_id;
	int64_t read;                       /* entries up to last_id that were ever added, or STREAM_READ_UNKNOWN */
	struct tree pending;                /* struct stream_pending_record */
	struct stream_consumer **consumers; /* by name */
	uint32_t consumer_count, consumer_room;
	size_t name_len;
	char name[];
};

/* ---- Nodes: stream_node.c ---- */

static inline const struct stream_node *stream__node(const struct stream *s, const struct stream_place *place) {
	if (place->_where == STREAM_IN_TREE) return tree_record(&s->nodes, &place->_tree);
	return place->_where == STREAM_IN_TAIL ? &s->tail : NULL;
}

/* The last node that begins at `id` or before it; false, and the first node, if any, when all begin behind. */
bool stream__seek_node(const struct stream *s, struct stream_id id, struct stream_place *place);
void stream__first_node(const struct stream *s, struct stream_place *place);
void stream__last_node(const struct stream *s, struct stream_place *place);
/* False at the end. */
bool stream__next_node(const struct stream *s, struct stream_place *place);
/* False, and at the end, when there is none before. */
bool stream__prev_node(const struct stream *s, struct stream_place *place);

/* A node behind all others becomes the tail; takes the pack over. */
void stream__append_node(struct stream *s, struct stream_id id, struct pack *pack);
/* The node's pack has changed, perhaps moved; it took `before_bytes` (pack_memory). */
void stream__node_changed(struct stream *s, const struct stream_place *place, struct pack *pack, size_t before_bytes);
/* Frees the node; the place is then that of the next one. */
void stream__remove_node(struct stream *s, struct stream_place *place);

/* ---- The master of a pack: stream_node.c ---- */

struct stream_master {
	uint64_t live, deleted;
	size_t fields;
	size_t field; /* where the first one is (the end, when there is none) */
	size_t end;   /* where the 0 behind the last one is */
};
struct stream_master stream__master(const struct pack *pack);
void stream__count_live(struct pack **pack, int64_t live, int64_t deleted); /* adds these to the counts */

/* ---- Checking: stream_check.c ---- */

const char *stream__check(const struct value *value);

/* What a walk over the nodes, in order, has come by. */
struct stream_walk {
	struct stream_id last; /* of the entry before */
	bool any;              /* there was one, live or deleted */
	uint64_t live;
	struct stream_id first_live;
};
/* The node's pack is one (pack_validate). What is wrong with what stands in it, or NULL. Trusts nothing. */
const char *stream__walk_node(struct stream_walk *w, const struct stream_node *node);

/* Where the entry that `it` has returned begins: its flags. */
size_t stream__iter_entry(const struct stream_iter *it);

/* ---- Groups: stream_group.c, stream_pending.c ---- */

void stream__groups_release(struct stream *s);
void stream__groups_copy(struct stream *to, const struct stream *from);
const char *stream__groups_check(const struct stream *s, size_t *bytes);
void stream__groups_each(const struct stream *s, value_element_fn *visit, void *context);

/* Forgets all that the consumer has pending, in the group's tree as well. */
void stream__pending_forget(struct stream *s, struct stream_group *g, struct stream_consumer *c);

static inline struct stream_consumer *stream__pending_consumer(const struct stream_pending_record *record) {
	return (struct stream_consumer *)(uintptr_t)record->consumer;
}

#endif
