/* Walks through the entries of a stream, node by node, in both directions. */
#include "types/stream_private.h"

bool stream_id_next(struct stream_id *id) {
	if (id->seq < UINT64_MAX) {
		id->seq++;
	} else if (id->ms < UINT64_MAX) {
		*id = (struct stream_id){ id->ms + 1, 0 };
	} else {
		return false;
	}
	return true;
}

bool stream_id_prev(struct stream_id *id) {
	if (id->seq > 0) {
		id->seq--;
	} else if (id->ms > 0) {
		*id = (struct stream_id){ id->ms - 1, UINT64_MAX };
	} else {
		return false;
	}
	return true;
}

/* ---- One entry ---- */

/* Reads the head of the entry whose flags are at `at`; false when it is deleted. */
static bool read_entry(struct stream_iter *it, size_t at) {
	enum { FLAGS, MS, SEQ, NUMBERS };
	struct pack_value numbers[NUMBERS];
	pack_read(it->_pack, &at, numbers, NUMBERS);
	int64_t flags = numbers[FLAGS].number;
	it->id.ms = it->_node_id.ms + (uint64_t)numbers[MS].number;
	/* The difference may be negative: 5-9 is followed by 6-0. */
	it->id.seq = it->_node_id.seq + (uint64_t)numbers[SEQ].number;
	it->_same_fields = flags & STREAM_FLAG_SAME_FIELDS;
	if (it->_same_fields) {
		it->fields = it->_master_fields;
		it->_field = it->_master_field;
	} else {
		it->fields = (size_t)pack_get(it->_pack, at).number;
		at = pack_next(it->_pack, at);
		it->_field = at;
	}
	it->_value = at;
	it->_pairs_left = it->fields;
	return !(flags & STREAM_FLAG_DELETED);
}

/* Behind the entry that was read: where the next one begins, 0 at the end. */
static size_t behind_entry(const struct stream_iter *it) {
	size_t at = it->_same_fields ? it->_value : it->_field;
	size_t left = it->_same_fields ? it->_pairs_left : it->_pairs_left * 2;
	for (; left > 0; left--) at = pack_next(it->_pack, at);
	return pack_next(it->_pack, at);
}

/* Where the entry begins whose last pack entry, the number of those before it, is at `at`. */
static size_t entry_of_end(const struct pack *pack, size_t at) {
	for (int64_t left = pack_get(pack, at).number; left > 0; left--) at = pack_prev(pack, at);
	return at;
}

/* ---- One node ---- */

/* 2^63 or more apart does not matter: this is a guess. */
static bool is_in_second_half(struct stream_id id, struct stream_id first, struct stream_id last) {
	if (first.ms != last.ms) return id.ms - first.ms > (last.ms - first.ms) / 2;
	return id.ms > first.ms || id.seq - first.seq > (last.seq - first.seq) / 2;
}

/* The first entry's flags (at or behind _first), from the end backwards. 0: there is none in this node. */
static size_t find_from_end(struct stream_iter *it, size_t end) {
	size_t found = 0;
	while (end > it->_master_end) {
		size_t entry = entry_of_end(it->_pack, end);
		read_entry(it, entry);
		if (stream_id_compare(it->id, it->_first) < 0) break;
		found = entry;
		end = pack_prev(it->_pack, entry);
	}
	return found;
}

/* Where to begin in the node: skips what comes before _first, from the end that is likely to be nearer. */
static size_t begin_forward(struct stream_iter *it) {
	size_t begin = pack_next(it->_pack, it->_master_end);
	if (begin == 0 || stream_id_compare(it->_node_id, it->_first) >= 0) return begin;
	size_t end = pack_last(it->_pack);
	read_entry(it, entry_of_end(it->_pack, end));
	if (is_in_second_half(it->_first, it->_node_id, it->id)) return find_from_end(it, end);
	return begin;
}

static void enter_node(struct stream_iter *it) {
	const struct stream_node *node = stream__node(it->_s, &it->_place);
	it->_pack = node ? node->pack : NULL;
	if (!node) return;
	it->_node_id = node->id;
	struct stream_master master = stream__master(node->pack);
	it->_master_field = master.field;
	it->_master_fields = master.fields;
	it->_master_end = master.end;
	it->_next = it->_direction == STREAM_FORWARD ? begin_forward(it) : pack_last(node->pack);
}

/* ---- The walk ---- */

void stream_iter_begin(struct stream_iter *it, const struct stream *s, struct stream_id first, struct stream_id last,
	enum stream_direction direction) {
	it->_s = s;
	it->_first = first;
	it->_last = last;
	it->_direction = direction;
	it->_started = false;
	it->_pack = NULL;
	if (s->state.length == 0 || stream_id_compare(first, last) > 0) return;
	if (stream_id_compare(first, s->state.last_id) > 0 || stream_id_compare(last, s->state.first_id) < 0) return;
	if (direction == STREAM_FORWARD) {
		stream__seek_node(s, first, &it->_place);
	} else if (!stream__seek_node(s, last, &it->_place)) {
		return;
	}
	enter_node(it);
}

static bool next_forward(struct stream_iter *it) {
	while (it->_pack) {
		if (it->_next == 0) {
			stream__next_node(it->_s, &it->_place);
			enter_node(it);
			continue;
		}
		bool live = read_entry(it, it->_next);
		if (stream_id_compare(it->id, it->_last) > 0) break;
		if (live && stream_id_compare(it->id, it->_first) >= 0) return true;
		it->_next = behind_entry(it);
	}
	it->_pack = NULL;
	return false;
}

static bool next_backward(struct stream_iter *it) {
	while (it->_pack) {
		if (it->_next <= it->_master_end) {
			stream__prev_node(it->_s, &it->_place);
			enter_node(it);
			continue;
		}
		size_t entry = entry_of_end(it->_pack, it->_next);
		bool live = read_entry(it, entry);
		if (stream_id_compare(it->id, it->_first) < 0) break;
		it->_next = pack_prev(it->_pack, entry);
		if (live && stream_id_compare(it->id, it->_last) <= 0) return true;
	}
	it->_pack = NULL;
	return false;
}

bool stream_iter_next(struct stream_iter *it) {
	if (it->_direction == STREAM_BACKWARD) return next_backward(it);
	if (it->_pack && it->_started) it->_next = behind_entry(it);
	it->_started = true;
	return next_forward(it);
}

void stream_iter_pair(struct stream_iter *it, struct pack_value *field, struct pack_value *value) {
	assert(it->_pairs_left > 0);
	it->_pairs_left--;
	pack_read(it->_pack, &it->_field, field, 1);
	if (it->_same_fields) {
		pack_read(it->_pack, &it->_value, value, 1);
	} else {
		pack_read(it->_pack, &it->_field, value, 1);
		it->_value = it->_field;
	}
}

size_t stream__iter_entry(const struct stream_iter *it) {
	assert(it->_direction == STREAM_FORWARD);
	return it->_next;
}

bool stream_has(const struct stream *s, struct stream_id id) {
	struct stream_iter it;
	stream_iter_begin(&it, s, id, id, STREAM_FORWARD);
	return stream_iter_next(&it);
}

bool stream_edge(const struct stream *s, enum stream_direction from, struct stream_id *id) {
	struct stream_iter it;
	stream_iter_begin(&it, s, STREAM_ID_MIN, STREAM_ID_MAX, from);
	if (!stream_iter_next(&it)) return false;
	*id = it.id;
	return true;
}
