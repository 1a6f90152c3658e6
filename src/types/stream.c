/* Streams as a whole: IDs, adding, copying, and what value.h asks of every type. */
#include "types/stream.h"

#include "types/stream_private.h"

/* ---- State ---- */

const struct stream_state stream_state_empty;

const struct stream_state *stream_state(const struct stream *s) {
	return &s->state;
}

size_t stream_nodes(const struct stream *s) {
	return tree_count(&s->nodes) + (s->tail.pack != NULL);
}

size_t stream_groups(const struct stream *s) {
	return s->group_count;
}

void stream_set_last_id(struct stream *s, struct stream_id last_id) {
	s->state.last_id = last_id;
}

void stream_set_added(struct stream *s, uint64_t added) {
	s->state.added = added;
}

void stream_set_max_deleted(struct stream *s, struct stream_id id) {
	s->state.max_deleted = id;
}

size_t stream_id_format(char out[static STREAM_ID_CHARS], struct stream_id id) {
	size_t len = number_format_u64(out, id.ms);
	out[len++] = '-';
	return len + number_format_u64(out + len, id.seq);
}

/* ---- Adding ---- */

enum stream_id_answer stream_choose_id(
	const struct stream_state *state, enum stream_id_form form, int64_t now_ms, struct stream_id *id) {
	struct stream_id last = state->last_id;
	struct stream_id next = last;

	if (!stream_id_next(&next)) return STREAM_ID_EXHAUSTED;
	if (form == STREAM_ID_AUTO) {
		*id = now_ms > 0 && (uint64_t)now_ms > last.ms ? (struct stream_id){ (uint64_t)now_ms, 0 } : next;
	} else if (form == STREAM_ID_AUTO_SEQ) {
		id->seq = id->ms == last.ms ? next.seq : 0;
	}
	return stream_id_compare(*id, last) > 0 ? STREAM_ID_OK : STREAM_ID_TOO_SMALL;
}

enum {
	/* The master's three numbers and its 0, an entry's flags, two differences and length, and its number of fields. */
	ENTRY_NUMBERS = 9,
	/* Fields and values that need no allocation. */
	INLINE_PARTS = 32,
};

bool stream_entry_fits(size_t bytes, size_t values) {
	size_t room = PACK_MAX_BYTES - PACK_EMPTY_BYTES;
	return bytes < room && values + ENTRY_NUMBERS <= (room - bytes) / PACK_ENTRY_EXTRA_BYTES;
}

static struct pack_value number_value(int64_t number) {
	return (struct pack_value){ .number = number };
}

static struct pack_value text_value(struct slice text) {
	if (!text.ptr) text.ptr = "";
	return (struct pack_value){ .text = text };
}

static size_t parts_bytes(const struct slice *parts, size_t count) {
	size_t bytes = 0;
	for (size_t i = 0; i < count; i++) bytes += parts[i].len;
	return bytes;
}

/* Whether the tail takes an entry of so many bytes. As in Redis only fields and values count of what is to come. */
static bool tail_has_room(const struct stream *s, const struct stream_master *master, size_t bytes, size_t count,
	const struct type_limits *l) {
	size_t used = pack_bytes(s->tail.pack);
	if (l->stream_node_max_bytes && used + bytes >= l->stream_node_max_bytes) return false;
	if (l->stream_node_max_entries && master->live + master->deleted >= l->stream_node_max_entries) return false;
	return pack_fits(s->tail.pack, bytes, count + ENTRY_NUMBERS);
}

/* A pack with a master for entries of these fields, and no entry yet. */
static struct pack *new_pack(struct pack_value *values, const struct slice *parts, size_t count) {
	struct pack *pack = pack_new();
	size_t filled = 0;
	values[filled++] = number_value(0);
	values[filled++] = number_value(0);
	values[filled++] = number_value((int64_t)(count / 2));
	for (size_t i = 0; i < count; i += 2) values[filled++] = text_value(parts[i]);
	values[filled++] = number_value(0);
	pack_append_values(&pack, values, filled);
	return pack;
}

static bool has_fields_of(
	const struct pack *pack, const struct stream_master *master, const struct slice *parts, size_t count) {
	if (master->fields != count / 2) return false;
	size_t at = master->field;
	for (size_t i = 0; i < count; i += 2, at = pack_next(pack, at)) {
		if (!pack_equal(pack, at, parts[i])) return false;
	}
	return true;
}

/* The entry as it is to stand in the tail. Returns the number of values. */
static size_t entry_values(const struct stream *s, struct stream_id id, struct pack_value *values,
	const struct slice *parts, size_t count, bool same_fields) {
	size_t filled = 0;
	values[filled++] = number_value(same_fields ? STREAM_FLAG_SAME_FIELDS : 0);
	values[filled++] = number_value((int64_t)(id.ms - s->tail.id.ms));
	values[filled++] = number_value((int64_t)(id.seq - s->tail.id.seq));
	if (!same_fields) values[filled++] = number_value((int64_t)(count / 2));
	for (size_t i = same_fields; i < count; i += 1 + same_fields) values[filled++] = text_value(parts[i]);
	values[filled] = number_value((int64_t)filled);
	return filled + 1;
}

void stream_add(struct stream *s, struct stream_id id, const struct slice *parts, size_t count,
	const struct type_limits *limits) {
	struct pack_value inline_values[INLINE_PARTS + ENTRY_NUMBERS];
	struct pack_value *values = inline_values;
	if (count > INLINE_PARTS) values = mem_alloc((count + ENTRY_NUMBERS) * sizeof(values[0]));

	struct stream_master master;
	bool has_room = false;
	if (s->tail.pack) {
		master = stream__master(s->tail.pack);
		has_room = tail_has_room(s, &master, parts_bytes(parts, count), count, limits);
	}
	if (!has_room) stream__append_node(s, id, new_pack(values, parts, count));
	bool same_fields = !has_room || has_fields_of(s->tail.pack, &master, parts, count);

	size_t before_bytes = pack_memory(s->tail.pack);
	size_t filled = entry_values(s, id, values, parts, count, same_fields);
	stream__count_live(&s->tail.pack, 1, 0);
	pack_append_values(&s->tail.pack, values, filled);
	s->bytes += pack_memory(s->tail.pack) - before_bytes;

	if (s->state.length++ == 0) s->state.first_id = id;
	s->state.last_id = id;
	/* XSETID and RESTORE take any number up to that. */
	if (s->state.added < INT64_MAX) s->state.added++;
	if (values != inline_values) mem_free(values);
}

/* ---- What value.h asks for ---- */

static struct value stream_create(void) {
	struct stream *s = mem_calloc(sizeof(*s));
	tree_init(&s->nodes, sizeof(struct stream_node));
	return (struct value){ VALUE_STREAM, STREAM_TREE, s };
}

static size_t ops_flat_bytes(const struct value *value) {
	(void)value;
	return 0;
}

static size_t ops_count(const struct value *value) {
	return stream_of(value)->state.length;
}

static size_t ops_memory(const struct value *value) {
	const struct stream *s = stream_of(value);
	return mem_size_class(sizeof(*s)) + tree_memory(&s->nodes) + s->bytes;
}

/* A piece of a pending tree holds about 32 entries; bytes tell without walking. */
static size_t ops_pieces(const struct value *value) {
	const struct stream *s = stream_of(value);
	return 1 + tree_count(&s->nodes) + s->group_count + s->bytes / 1024;
}

static void free_pack(void *context, const void *record) {
	(void)context;
	pack_free(((const struct stream_node *)record)->pack);
}

static void ops_release(struct value *value) {
	struct stream *s = stream_of(value);
	tree_each(&s->nodes, free_pack, NULL);
	tree_release(&s->nodes);
	pack_free(s->tail.pack);
	stream__groups_release(s);
	mem_free(s);
	value->data = NULL;
}

static struct value ops_copy(const struct value *value) {
	const struct stream *from = stream_of(value);
	struct value copy = stream_create();
	struct stream *to = stream_of(&copy);
	struct stream_place place;

	to->state = from->state;
	stream__first_node(from, &place);
	for (const struct stream_node *node; (node = stream__node(from, &place)); stream__next_node(from, &place)) {
		stream__append_node(to, node->id, pack_copy(node->pack));
	}
	stream__groups_copy(to, from);
	return copy;
}

static const char *ops_encoding_name(const struct value *value) {
	(void)value;
	return "stream";
}

static struct slice value_text(struct pack_value value, char scratch[static PACK_SCRATCH_BYTES]) {
	return pack_value_is_int(value) ? slice_of(scratch, number_format_i64(scratch, value.number)) : value.text;
}

static void visit_entry(struct stream_iter *it, value_element_fn *visit, void *context) {
	size_t count = 1 + it->fields * 2;
	struct slice *parts = mem_alloc(count * sizeof(parts[0]));
	char(*scratch)[PACK_SCRATCH_BYTES] = mem_alloc(count * sizeof(scratch[0]));
	char id[STREAM_ID_CHARS];

	parts[0] = slice_of(id, stream_id_format(id, it->id));
	for (size_t i = 1; i < count; i += 2) {
		struct pack_value field, content;
		stream_iter_pair(it, &field, &content);
		parts[i] = value_text(field, scratch[i]);
		parts[i + 1] = value_text(content, scratch[i + 1]);
	}
	visit(context, parts, count);
	mem_free(scratch);
	mem_free(parts);
}

static void ops_each(const struct value *value, value_element_fn *visit, void *context) {
	const struct stream *s = stream_of(value);
	struct stream_iter it;
	stream_iter_begin(&it, s, STREAM_ID_MIN, STREAM_ID_MAX, STREAM_FORWARD);
	while (stream_iter_next(&it)) visit_entry(&it, visit, context);

	/* An even number of parts, so that no entry says the same. */
	char last[STREAM_ID_CHARS], max_deleted[STREAM_ID_CHARS], added[NUMBER_I64_MAX_CHARS + 1];
	struct slice parts[] = {
		SLICE_LITERAL("last, max-deleted, added"),
		slice_of(last, stream_id_format(last, s->state.last_id)),
		slice_of(max_deleted, stream_id_format(max_deleted, s->state.max_deleted)),
		slice_of(added, number_format_u64(added, s->state.added)),
	};
	visit(context, parts, sizeof(parts) / sizeof(parts[0]));
	stream__groups_each(s, visit, context);
}

const struct value_ops stream_ops = {
	.create = stream_create,
	.flat_bytes = ops_flat_bytes,
	.count = ops_count,
	.memory = ops_memory,
	.pieces = ops_pieces,
	.release = ops_release,
	.copy = ops_copy,
	.encoding_name = ops_encoding_name,
	.each = ops_each,
	.check = stream__check,
	.next_end = NULL,
};
