/* Streams in RDB files and DUMP payloads, half of value_serial.h:
 *
 *   nodes       count, then for each: a string of its ID, a string that is its pack
 *   state       length, last ID; from 7.0 on also: first ID, max deleted ID, entries added
 *   groups      count, then for each: name, last ID; from 7.0 on also: entries read (-1: unknown)
 *     pending   count, then for each: raw ID, when delivered, deliveries
 *     consumers count, then for each: name, when seen; from 7.2 on also: when active; count, raw IDs of what is pending
 *
 * An ID is ms and seq. As a string, or raw, it is 8 bytes each, high byte first; elsewhere each is a length. */
#include "types/stream_private.h"
#include "types/value_serial_private.h"

enum {
	ID_BYTES = 16,
	/* The least that each may take. */
	NODE_BYTES = 1 + ID_BYTES + 1,
	GROUP_BYTES = 5,
	PENDING_BYTES = ID_BYTES + 8 + 1,
	CONSUMER_BYTES = 1 + 8 + 1,
};

enum serial_kind stream__serial_kind(const struct value *value) {
	(void)value;
	return SERIAL_STREAM_7_0;
}

/* ---- IDs ---- */

static void id_to_raw(uint8_t raw[static ID_BYTES], struct stream_id id) {
	for (unsigned i = 0; i < 8; i++) {
		raw[i] = (uint8_t)(id.ms >> (56 - 8 * i));
		raw[8 + i] = (uint8_t)(id.seq >> (56 - 8 * i));
	}
}

static struct stream_id id_of_raw(const uint8_t raw[static ID_BYTES]) {
	struct stream_id id = { 0, 0 };
	for (unsigned i = 0; i < 8; i++) {
		id.ms = id.ms << 8 | raw[i];
		id.seq = id.seq << 8 | raw[8 + i];
	}
	return id;
}

static void put_raw_id(struct serial_writer *w, struct stream_id id) {
	uint8_t raw[ID_BYTES];
	id_to_raw(raw, id);
	serial_put_raw(w, raw, sizeof(raw));
}

static void put_id(struct serial_writer *w, struct stream_id id) {
	serial_put_length(w, id.ms);
	serial_put_length(w, id.seq);
}

static bool get_raw_id(struct serial_reader *r, struct stream_id *id) {
	uint8_t raw[ID_BYTES];
	if (!serial_get_raw(r, raw, sizeof(raw))) return false;
	*id = id_of_raw(raw);
	return true;
}

static bool get_id(struct serial_reader *r, struct stream_id *id) {
	return serial_get_length(r, &id->ms) && serial_get_length(r, &id->seq);
}

/* ---- Saving ---- */

static void save_node(void *context, struct stream_id id, struct slice raw) {
	struct serial_writer *w = context;
	uint8_t key[ID_BYTES];
	id_to_raw(key, id);
	serial_put_string(w, slice_of(key, sizeof(key)));
	serial_put_string(w, raw);
}

static void save_consumer(struct serial_writer *w, const struct stream_consumer *c) {
	struct tree_place place;
	serial_put_string(w, stream_consumer_name(c));
	serial_put_ms(w, c->seen_ms);
	serial_put_length(w, tree_count(&c->pending));
	tree_first(&c->pending, &place);
	for (const struct stream_id *id; (id = tree_record(&c->pending, &place)); tree_next(&c->pending, &place)) {
		put_raw_id(w, *id);
	}
}

static void save_group(struct serial_writer *w, const struct stream_group *g) {
	struct stream_pending_iter it;
	struct stream_pending p;
	serial_put_string(w, stream_group_name(g));
	put_id(w, g->last_id);
	serial_put_length(w, (uint64_t)g->read);
	serial_put_length(w, tree_count(&g->pending));
	stream_pending_begin(&it, g, NULL, STREAM_ID_MIN);
	while (stream_pending_next(&it, &p)) {
		put_raw_id(w, p.id);
		serial_put_ms(w, p.delivered_ms);
		serial_put_length(w, p.deliveries);
	}
	serial_put_length(w, g->consumer_count);
	for (uint32_t i = 0; i < g->consumer_count; i++) save_consumer(w, g->consumers[i]);
}

void stream__save(struct serial_writer *w, const struct value *value) {
	const struct stream *s = stream_of(value);
	serial_put_length(w, stream_nodes(s));
	stream_each_pack(s, save_node, w);
	serial_put_length(w, s->state.length);
	put_id(w, s->state.last_id);
	put_id(w, s->state.first_id);
	put_id(w, s->state.max_deleted);
	serial_put_length(w, s->state.added);
	serial_put_length(w, s->group_count);
	for (uint32_t i = 0; i < s->group_count; i++) save_group(w, s->groups[i]);
}

/* ---- Loading: nodes ---- */

static bool get_node_id(struct serial_reader *r, struct stream_id *id) {
	struct serial_text text = { 0 };
	bool ok = serial_get_string(r, &text) && text.bytes.len == ID_BYTES;
	if (ok) *id = id_of_raw((const uint8_t *)text.bytes.ptr);
	serial_text_release(&text);
	return ok;
}

static bool load_nodes(struct serial_reader *r, struct stream *s, struct stream_walk *walk) {
	size_t count;
	if (!serial_get_count(r, NODE_BYTES, &count)) return false;
	for (; count > 0; count--) {
		struct stream_node node = { 0 };
		uint64_t live_before = walk->live;
		if (!get_node_id(r, &node.id)) return false;
		node.pack = value__get_pack(r, VALUE__PACK);
		if (!node.pack) return false;
		if (stream__walk_node(walk, &node)) {
			pack_free(node.pack);
			return serial_refuse(r);
		}
		/* Redis may leave a node in which nothing lives; there is none here. */
		if (walk->live == live_before)
			pack_free(node.pack);
		else
			stream__append_node(s, node.id, node.pack);
	}
	return true;
}

static bool load_state(struct serial_reader *r, unsigned kind, struct stream *s, const struct stream_walk *walk) {
	struct stream_state *state = &s->state;
	struct stream_id first_id;
	if (!serial_get_length(r, &state->length) || !get_id(r, &state->last_id)) return false;
	state->added = state->length;
	if (kind >= SERIAL_STREAM_7_0) {
		if (!get_id(r, &first_id) || !get_id(r, &state->max_deleted)) return false;
		if (!serial_get_length(r, &state->added)) return false;
	}
	/* The first ID follows from the entries. */
	state->first_id = walk->first_live;
	if (state->length != walk->live || state->added < state->length || state->added > INT64_MAX) return false;
	return !walk->any || stream_id_compare(walk->last, state->last_id) <= 0;
}

/* ---- Loading: groups ---- */

/* What a group has pending, in order, before it is known with whom. */
struct loaded {
	struct stream_pending *all; /* to be freed; the consumer NULL: not known */
	size_t count;
};

static bool load_pending(struct serial_reader *r, struct loaded *loaded) {
	static const int64_t delivered_max_ms = (int64_t)1 << 47;
	size_t count;
	if (!serial_get_count(r, PENDING_BYTES, &count)) return false;
	loaded->all = mem_try_alloc((count + 1) * sizeof(loaded->all[0]));
	if (!loaded->all) return false;
	for (; loaded->count < count; loaded->count++) {
		struct stream_pending *p = &loaded->all[loaded->count];
		p->consumer = NULL;
		if (!get_raw_id(r, &p->id) || !serial_get_ms(r, &p->delivered_ms)) return false;
		if (!serial_get_length(r, &p->deliveries)) return false;
		if (p->delivered_ms < 0 || p->delivered_ms > delivered_max_ms) return false;
		if (loaded->count > 0 && stream_id_compare(p[-1].id, p->id) >= 0) return false;
	}
	return true;
}

static struct stream_pending *find_loaded(const struct loaded *loaded, struct stream_id id) {
	size_t low = 0, count = loaded->count;
	while (count > 0) {
		size_t half = count / 2;
		int order = stream_id_compare(loaded->all[low + half].id, id);
		if (order == 0) return &loaded->all[low + half];
		if (order < 0) low += half + 1;
		count = order < 0 ? count - half - 1 : half;
	}
	return NULL;
}

static bool load_consumer(
	struct serial_reader *r, unsigned kind, struct stream *s, struct stream_group *g, const struct loaded *loaded) {
	struct serial_text name = { 0 };
	struct stream_consumer *c = NULL;
	int64_t seen_ms = 0, active_ms;
	size_t count;

	if (serial_get_string(r, &name)) c = stream_consumer_create(s, g, name.bytes, 0);
	serial_text_release(&name);
	if (!c || !serial_get_ms(r, &seen_ms)) return false;
	active_ms = seen_ms;
	if (kind >= SERIAL_STREAM_7_2 && !serial_get_ms(r, &active_ms)) return false;
	if (seen_ms < 0 || active_ms < -1 || !serial_get_count(r, ID_BYTES, &count)) return false;
	c->seen_ms = seen_ms;
	c->active_ms = active_ms;
	for (; count > 0; count--) {
		struct stream_id id;
		if (!get_raw_id(r, &id)) return false;
		struct stream_pending *p = find_loaded(loaded, id);
		if (!p || p->consumer) return false;
		p->consumer = c;
	}
	return true;
}

static bool load_consumers(
	struct serial_reader *r, unsigned kind, struct stream *s, struct stream_group *g, const struct loaded *loaded) {
	size_t count;
	if (!serial_get_count(r, CONSUMER_BYTES, &count)) return false;
	for (; count > 0; count--) {
		if (!load_consumer(r, kind, s, g, loaded)) return false;
	}
	for (size_t i = 0; i < loaded->count; i++) {
		if (!loaded->all[i].consumer) return false;
		stream_pending_put(s, g, &loaded->all[i]);
	}
	return true;
}

static bool load_group(struct serial_reader *r, unsigned kind, struct stream *s) {
	struct serial_text name = { 0 };
	struct stream_group *g = NULL;
	struct loaded loaded = { 0 };
	uint64_t read = (uint64_t)STREAM_READ_UNKNOWN;

	if (serial_get_string(r, &name)) g = stream_group_create(s, name.bytes, STREAM_ID_MIN, STREAM_READ_UNKNOWN);
	serial_text_release(&name);
	if (!g || !get_id(r, &g->last_id)) return false;
	if (kind >= SERIAL_STREAM_7_0 && !serial_get_length(r, &read)) return false;
	g->read = (int64_t)read;
	bool ok = g->read >= STREAM_READ_UNKNOWN && load_pending(r, &loaded) && load_consumers(r, kind, s, g, &loaded);
	mem_free(loaded.all);
	return ok;
}

static bool load_groups(struct serial_reader *r, unsigned kind, struct stream *s) {
	size_t count;
	if (!serial_get_count(r, GROUP_BYTES, &count)) return false;
	for (; count > 0; count--) {
		if (!load_group(r, kind, s)) return false;
	}
	return true;
}

bool stream__load(struct serial_reader *r, unsigned kind, const struct type_limits *limits, struct value *value) {
	struct stream_walk walk = { 0 };
	(void)limits; /* nodes stay as they are */
	*value = stream_ops.create();
	struct stream *s = stream_of(value);
	bool ok = load_nodes(r, s, &walk) && load_state(r, kind, s, &walk) && load_groups(r, kind, s);
	if (!ok) stream_ops.release(value);
	return ok;
}
