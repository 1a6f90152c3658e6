/* Walks a whole stream and says what is broken; also what a loaded node must be before anything else touches it. */
#include "types/stream_private.h"

/* Reads a number; false when there is none at `at`. */
static bool get_number(const struct pack *pack, size_t at, int64_t *number) {
	if (at == 0) return false;
	struct pack_value value = pack_get(pack, at);
	*number = value.number;
	return pack_value_is_int(value);
}

/* `count` entries further on; 0 beyond the end. */
static size_t skip(const struct pack *pack, size_t at, uint64_t count) {
	for (; at && count > 0; count--) at = pack_next(pack, at);
	return at;
}

static const char *check_master(const struct pack *pack, struct stream_master *master) {
	int64_t live, deleted, fields, zero;
	size_t at = pack_first(pack);
	if (!get_number(pack, at, &live)) return "a node has no count";
	at = pack_next(pack, at);
	if (!get_number(pack, at, &deleted)) return "a node has no count of deleted entries";
	at = pack_next(pack, at);
	if (!get_number(pack, at, &fields)) return "a node has no number of fields";
	if (live < 0 || deleted < 0 || fields < 0) return "a count of a node is negative";
	master->live = (uint64_t)live;
	master->deleted = (uint64_t)deleted;
	master->fields = (size_t)fields;
	master->field = pack_next(pack, at);
	master->end = skip(pack, master->field, master->fields);
	if (!get_number(pack, master->end, &zero) || zero != 0) return "a node's fields do not end with 0";
	return NULL;
}

struct entry_head {
	int64_t flags, ms, seq, fields;
};

enum { FLAGS_BYTES = 2 }; /* in a pack: a number of seven bits and the length behind it */

/* The entry at `at`; *next is what follows it (0: nothing does). */
static const char *check_entry(
	const struct pack *pack, const struct stream_master *master, size_t at, struct entry_head *e, size_t *next) {
	int64_t said;
	uint64_t count = 3;
	size_t ms_at = skip(pack, at, 1), seq_at = skip(pack, at, 2);
	if (!get_number(pack, at, &e->flags) || !get_number(pack, ms_at, &e->ms) ||
		!get_number(pack, seq_at, &e->seq)) {
		return "an entry has no flags or ID";
	}
	if (e->flags & ~(STREAM_FLAG_DELETED | STREAM_FLAG_SAME_FIELDS)) return "an entry has unknown flags";
	/* They are changed in place, while others know positions behind them. */
	if (ms_at - at != FLAGS_BYTES) return "an entry's flags take more room than they need";
	if (e->flags & STREAM_FLAG_SAME_FIELDS) {
		e->fields = (int64_t)master->fields;
		count += master->fields;
	} else {
		if (!get_number(pack, skip(pack, at, 3), &e->fields)) return "an entry has no number of fields";
		/* What follows could overflow. */
		if (e->fields < 0 || (uint64_t)e->fields > pack_bytes(pack)) return "an entry has too many fields";
		count += 1 + 2 * (uint64_t)e->fields;
	}
	size_t end = skip(pack, at, count);
	if (!get_number(pack, end, &said) || said < 0) return "an entry has no length, or less than it should";
	if ((uint64_t)said != count) return "an entry's length is wrong";
	*next = pack_next(pack, end);
	return NULL;
}

static const char *walk_id(struct stream_walk *w, struct stream_id node, const struct entry_head *e) {
	struct stream_id id = { node.ms + (uint64_t)e->ms, node.seq + (uint64_t)e->seq };
	if (stream_id_compare(id, node) < 0) return "an entry's ID is below that of its node";
	if (w->any && stream_id_compare(w->last, id) >= 0) return "IDs do not grow";
	w->last = id;
	w->any = true;
	if (e->flags & STREAM_FLAG_DELETED) return NULL;
	if (w->live++ == 0) w->first_live = id;
	return NULL;
}

const char *stream__walk_node(struct stream_walk *w, const struct stream_node *node) {
	struct stream_master master;
	const char *problem = check_master(node->pack, &master);
	if (problem) return problem;
	if (w->any && stream_id_compare(w->last, node->id) >= 0) return "a node begins before the one before ends";
	uint64_t live_before = w->live, entries = 0;
	for (size_t at = pack_next(node->pack, master.end); at; entries++) {
		struct entry_head e;
		problem = check_entry(node->pack, &master, at, &e, &at);
		if (!problem) problem = walk_id(w, node->id, &e);
		if (problem) return problem;
	}
	if (w->live - live_before != master.live) return "a node counts its entries wrong";
	if (entries != master.live + master.deleted) return "a node counts its deleted entries wrong";
	return entries > 0 ? NULL : "a node has no entries";
}

static const char *check_node(struct stream_walk *w, const struct stream_node *node) {
	if (!node->pack) return "a node has no pack";
	struct slice raw = pack_raw(node->pack);
	uint64_t live_before = w->live;
	if (!pack_validate(raw.ptr, raw.len, PACK_DEEP)) return "a node is no pack";
	const char *problem = stream__walk_node(w, node);
	if (!problem && w->live == live_before) return "no entry of a node lives";
	return problem;
}

static int compare_nodes(const void *record, const void *key) {
	return stream_id_compare(((const struct stream_node *)record)->id, ((const struct stream_node *)key)->id);
}

static const char *check_state(const struct stream_walk *w, const struct stream_state *state) {
	if (w->live != state->length) return "the length is wrong";
	if (w->live > 0 && stream_id_compare(w->first_live, state->first_id) != 0) return "the first ID is wrong";
	if (w->live == 0 && !stream_id_is_zero(state->first_id)) return "an empty stream has a first ID";
	if (w->any && stream_id_compare(w->last, state->last_id) > 0) return "an entry is behind the last ID";
	return NULL;
}

const char *stream__check(const struct value *value) {
	const struct stream *s = stream_of(value);
	struct stream_walk w = { 0 };
	size_t bytes = 0;
	struct stream_place place;

	const char *problem = tree_check(&s->nodes, compare_nodes);
	if (problem) return problem;
	if (!s->tail.pack && tree_count(&s->nodes) > 0) return "nodes without a tail";
	stream__first_node(s, &place);
	for (const struct stream_node *node; (node = stream__node(s, &place)); stream__next_node(s, &place)) {
		problem = check_node(&w, node);
		if (problem) return problem;
		bytes += pack_memory(node->pack);
	}
	problem = check_state(&w, &s->state);
	if (!problem) problem = stream__groups_check(s, &bytes);
	if (!problem && bytes != s->bytes) return "the sum of bytes is wrong";
	return problem;
}
