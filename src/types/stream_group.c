/* Consumer groups and consumers: their names, what they have read, and how far they are behind. */
#include "types/stream_private.h"

/* ---- Lists by name ----
 * Few names as a rule, so an array in the order of names; a million of them still are a move of eight megabytes. */

typedef struct slice name_fn(const void *named);

static struct slice group_name(const void *named) {
	return stream_group_name(named);
}

static struct slice consumer_name(const void *named) {
	return stream_consumer_name(named);
}

/* Where the name is, or where it would be put. */
static uint32_t find_name(void *const *list, uint32_t count, name_fn *name_of, struct slice name, bool *found) {
	uint32_t low = 0;
	*found = false;
	while (count > 0) {
		uint32_t half = count / 2;
		int order = slice_compare(name_of(list[low + half]), name);
		if (order == 0) *found = true;
		if (order == 0) return low + half;
		if (order < 0) low += half + 1;
		count = order < 0 ? count - half - 1 : half;
	}
	return low;
}

static size_t list_bytes(uint32_t room) {
	return room ? mem_size_class(room * sizeof(void *)) : 0;
}

static void **insert_name(struct stream *s, void **list, uint32_t count, uint32_t *room, uint32_t at, void *named) {
	if (count == *room) {
		s->bytes -= list_bytes(*room);
		*room = *room ? *room * 2 : 2;
		list = mem_realloc(list, *room * sizeof(void *));
		s->bytes += list_bytes(*room);
	}
	memmove(list + at + 1, list + at, (count - at) * sizeof(void *));
	list[at] = named;
	return list;
}

static void remove_name(void **list, uint32_t count, uint32_t at) {
	memmove(list + at, list + at + 1, (count - at - 1) * sizeof(void *));
}

/* ---- Groups ---- */

static size_t group_bytes(const struct stream_group *g) {
	return mem_size_class(sizeof(*g) + g->name_len) + tree_memory(&g->pending) + list_bytes(g->consumer_room);
}

struct stream_group *stream_group_at(const struct stream *s, size_t index) {
	return index < s->group_count ? s->groups[index] : NULL;
}

static uint32_t group_index(const struct stream *s, struct slice name, bool *found) {
	return find_name((void *const *)s->groups, s->group_count, group_name, name, found);
}

struct stream_group *stream_group_find(const struct stream *s, struct slice name) {
	bool found;
	uint32_t at = group_index(s, name, &found);
	return found ? s->groups[at] : NULL;
}

static struct stream_group *new_group(struct slice name, struct stream_id last_id, int64_t read) {
	struct stream_group *g = mem_alloc(sizeof(*g) + name.len);
	*g = (struct stream_group){ .last_id = last_id, .read = read, .name_len = name.len };
	tree_init(&g->pending, sizeof(struct stream_pending_record));
	if (name.len > 0) memcpy(g->name, name.ptr, name.len);
	return g;
}

struct stream_group *stream_group_create(struct stream *s, struct slice name, struct stream_id last_id, int64_t read) {
	bool found;
	uint32_t at = group_index(s, name, &found);
	if (found) return NULL;
	struct stream_group *g = new_group(name, last_id, read);
	s->groups = (struct stream_group **)insert_name(s, (void **)s->groups, s->group_count, &s->group_room, at, g);
	s->group_count++;
	s->bytes += group_bytes(g);
	return g;
}

static size_t consumer_bytes(const struct stream_consumer *c) {
	return mem_size_class(sizeof(*c) + c->name_len) + tree_memory(&c->pending);
}

static void free_consumer(struct stream_consumer *c) {
	tree_release(&c->pending);
	mem_free(c);
}

static void free_group(struct stream_group *g) {
	for (uint32_t i = 0; i < g->consumer_count; i++) free_consumer(g->consumers[i]);
	mem_free(g->consumers);
	tree_release(&g->pending);
	mem_free(g);
}

void stream_group_destroy(struct stream *s, struct stream_group *g) {
	bool found;
	remove_name((void **)s->groups, s->group_count, group_index(s, stream_group_name(g), &found));
	assert(found);
	s->group_count--;
	s->bytes -= group_bytes(g);
	for (uint32_t i = 0; i < g->consumer_count; i++) s->bytes -= consumer_bytes(g->consumers[i]);
	free_group(g);
}

struct slice stream_group_name(const struct stream_group *g) {
	return slice_of(g->name, g->name_len);
}

struct stream_id stream_group_last_id(const struct stream_group *g) {
	return g->last_id;
}

int64_t stream_group_read(const struct stream_group *g) {
	return g->read;
}

size_t stream_group_pending(const struct stream_group *g) {
	return tree_count(&g->pending);
}

size_t stream_group_consumers(const struct stream_group *g) {
	return g->consumer_count;
}

void stream_group_set(struct stream_group *g, struct stream_id last_id, int64_t read) {
	g->last_id = last_id;
	g->read = read;
}

bool stream_group_raise(struct stream_group *g, struct stream_id id) {
	if (stream_id_compare(id, g->last_id) <= 0) return false;
	g->last_id = id;
	return true;
}

/* ---- How far a group is behind ----
 * Only the numbers of all entries and of those that the group has read are known, and one deleted ID, the largest. As long
 * as no deleted entry lies ahead of the group the difference is its lag. */

/* Whether an entry at `from` or behind was deleted that would have come before some live one. */
static bool has_deleted_from(const struct stream_state *state, struct stream_id from) {
	if (state->length == 0 || stream_id_is_zero(state->max_deleted)) return false;
	if (stream_id_compare(state->first_id, state->max_deleted) > 0) return false;
	return stream_id_compare(from, state->max_deleted) <= 0;
}

/* How many entries were ever added up to `id`, as far as that follows from what is known. */
static int64_t added_up_to(const struct stream_state *state, struct stream_id id) {
	if (state->added == 0) return 0;
	int to_last = stream_id_compare(id, state->last_id);
	if (to_last == 0 || (to_last < 0 && state->length == 0)) return (int64_t)state->added;
	if (to_last > 0) return STREAM_READ_UNKNOWN;
	bool nothing_deleted =
		stream_id_is_zero(state->max_deleted) || stream_id_compare(state->max_deleted, state->first_id) < 0;
	int to_first = stream_id_compare(id, state->first_id);
	if (!nothing_deleted || to_first > 0) return STREAM_READ_UNKNOWN;
	return (int64_t)(state->added - state->length) + (to_first == 0);
}

void stream_group_delivered(const struct stream *s, struct stream_group *g, struct stream_id id) {
	const struct stream_state *state = &s->state;
	bool follows = g->read != STREAM_READ_UNKNOWN && stream_id_compare(g->last_id, state->first_id) >= 0;
	if (follows && !has_deleted_from(state, g->last_id)) {
		if (g->read < INT64_MAX) g->read++;
	} else if (state->added > 0) {
		g->read = added_up_to(state, id);
	}
	g->last_id = id;
}

bool stream_group_lag(const struct stream *s, const struct stream_group *g, int64_t *lag) {
	const struct stream_state *state = &s->state;
	int64_t read = g->read;

	if (state->added == 0 || state->length == 0) {
		*lag = 0;
		return true;
	}
	if (stream_id_compare(g->last_id, state->first_id) < 0 &&
		stream_id_compare(state->max_deleted, state->first_id) < 0) {
		*lag = (int64_t)state->length;
		return true;
	}
	if (read == STREAM_READ_UNKNOWN || has_deleted_from(state, g->last_id)) read = added_up_to(state, g->last_id);
	if (read == STREAM_READ_UNKNOWN) return false;
	*lag = (int64_t)state->added - read;
	return true;
}

/* ---- Consumers ---- */

struct stream_consumer *stream_consumer_at(const struct stream_group *g, size_t index) {
	return index < g->consumer_count ? g->consumers[index] : NULL;
}

static uint32_t consumer_index(const struct stream_group *g, struct slice name, bool *found) {
	return find_name((void *const *)g->consumers, g->consumer_count, consumer_name, name, found);
}

struct stream_consumer *stream_consumer_find(const struct stream_group *g, struct slice name) {
	bool found;
	uint32_t at = consumer_index(g, name, &found);
	return found ? g->consumers[at] : NULL;
}

struct stream_consumer *stream_consumer_create(
	struct stream *s, struct stream_group *g, struct slice name, int64_t now_ms) {
	bool found;
	uint32_t at = consumer_index(g, name, &found);
	if (found) return NULL;
	struct stream_consumer *c = mem_alloc(sizeof(*c) + name.len);
	*c = (struct stream_consumer){ .seen_ms = now_ms, .active_ms = -1, .name_len = name.len };
	tree_init(&c->pending, sizeof(struct stream_id));
	if (name.len > 0) memcpy(c->name, name.ptr, name.len);
	g->consumers = (struct stream_consumer **)insert_name(
		s, (void **)g->consumers, g->consumer_count, &g->consumer_room, at, c);
	g->consumer_count++;
	s->bytes += consumer_bytes(c);
	return c;
}

void stream_consumer_delete(struct stream *s, struct stream_group *g, struct stream_consumer *c) {
	bool found;
	stream__pending_forget(s, g, c);
	remove_name((void **)g->consumers, g->consumer_count, consumer_index(g, stream_consumer_name(c), &found));
	assert(found);
	g->consumer_count--;
	s->bytes -= consumer_bytes(c);
	free_consumer(c);
}

struct slice stream_consumer_name(const struct stream_consumer *c) {
	return slice_of(c->name, c->name_len);
}

size_t stream_consumer_pending(const struct stream_consumer *c) {
	return tree_count(&c->pending);
}

int64_t stream_consumer_seen_ms(const struct stream_consumer *c) {
	return c->seen_ms;
}

int64_t stream_consumer_active_ms(const struct stream_consumer *c) {
	return c->active_ms;
}

void stream_consumer_seen(struct stream_consumer *c, int64_t now_ms) {
	c->seen_ms = now_ms;
}

void stream_consumer_active(struct stream_consumer *c, int64_t now_ms) {
	c->active_ms = now_ms;
}

/* ---- All groups ---- */

void stream__groups_release(struct stream *s) {
	for (uint32_t i = 0; i < s->group_count; i++) free_group(s->groups[i]);
	mem_free(s->groups);
	s->groups = NULL;
	s->group_count = s->group_room = 0;
}

static void copy_group(struct stream *to, const struct stream_group *from) {
	struct stream_group *g = stream_group_create(to, stream_group_name(from), from->last_id, from->read);
	for (uint32_t i = 0; i < from->consumer_count; i++) {
		const struct stream_consumer *old = from->consumers[i];
		struct stream_consumer *c = stream_consumer_create(to, g, stream_consumer_name(old), old->seen_ms);
		c->active_ms = old->active_ms;
	}
	struct stream_pending_iter it;
	struct stream_pending p;
	struct stream_consumer *old = NULL, *c = NULL;
	stream_pending_begin(&it, from, NULL, STREAM_ID_MIN);
	while (stream_pending_next(&it, &p)) {
		/* Often the same consumer several times in a row. */
		if (p.consumer != old) c = stream_consumer_find(g, stream_consumer_name(p.consumer));
		old = p.consumer;
		p.consumer = c;
		stream_pending_put(to, g, &p);
	}
}

void stream__groups_copy(struct stream *to, const struct stream *from) {
	for (uint32_t i = 0; i < from->group_count; i++) copy_group(to, from->groups[i]);
}

static void visit_pending(const struct stream_group *g, value_element_fn *visit, void *context) {
	struct stream_pending_iter it;
	struct stream_pending p;
	stream_pending_begin(&it, g, NULL, STREAM_ID_MIN);
	while (stream_pending_next(&it, &p)) {
		char id[STREAM_ID_CHARS], delivered[NUMBER_I64_MAX_CHARS + 1], deliveries[NUMBER_I64_MAX_CHARS + 1];
		struct slice parts[] = {
			SLICE_LITERAL("pending"),
			stream_group_name(g),
			stream_consumer_name(p.consumer),
			slice_of(id, stream_id_format(id, p.id)),
			slice_of(delivered, number_format_i64(delivered, p.delivered_ms)),
			slice_of(deliveries, number_format_u64(deliveries, p.deliveries)),
		};
		visit(context, parts, sizeof(parts) / sizeof(parts[0]));
	}
}

void stream__groups_each(const struct stream *s, value_element_fn *visit, void *context) {
	for (uint32_t i = 0; i < s->group_count; i++) {
		const struct stream_group *g = s->groups[i];
		char last[STREAM_ID_CHARS], read[NUMBER_I64_MAX_CHARS + 1];
		struct slice parts[] = {
			SLICE_LITERAL("group"),
			stream_group_name(g),
			slice_of(last, stream_id_format(last, g->last_id)),
			slice_of(read, number_format_i64(read, g->read)),
		};
		visit(context, parts, sizeof(parts) / sizeof(parts[0]));
		for (uint32_t j = 0; j < g->consumer_count; j++) {
			struct slice consumer[] = {
				SLICE_LITERAL("consumer"),
				SLICE_LITERAL("of"),
				stream_group_name(g),
				stream_consumer_name(g->consumers[j]),
			};
			visit(context, consumer, sizeof(consumer) / sizeof(consumer[0]));
		}
		visit_pending(g, visit, context);
	}
}

/* ---- Checking ---- */

static int compare_ids(const void *record, const void *key) {
	return stream_id_compare(*(const struct stream_id *)record, *(const struct stream_id *)key);
}

static const char *check_consumer(const struct stream_group *g, const struct stream_consumer *c) {
	const char *problem = tree_check(&c->pending, compare_ids);
	struct tree_place place;
	tree_first(&c->pending, &place);
	for (const struct stream_id *id; !problem && (id = tree_record(&c->pending, &place));
		tree_next(&c->pending, &place)) {
		struct stream_pending p;
		if (!stream_pending_find(g, *id, &p))
			problem = "a consumer has an entry pending that its group has not";
		else if (p.consumer != c)
			problem = "an entry is pending with two consumers";
	}
	return problem;
}

static const char *check_group(const struct stream_group *g, size_t *bytes) {
	const char *problem = tree_check(&g->pending, compare_ids);
	size_t pending = 0;
	for (uint32_t i = 0; i < g->consumer_count && !problem; i++) {
		const struct stream_consumer *c = g->consumers[i];
		if (i > 0 && slice_compare(stream_consumer_name(g->consumers[i - 1]), stream_consumer_name(c)) >= 0) {
			return "consumers are out of order";
		}
		problem = check_consumer(g, c);
		pending += tree_count(&c->pending);
		*bytes += consumer_bytes(c);
	}
	*bytes += group_bytes(g);
	if (!problem && pending != tree_count(&g->pending)) return "an entry is pending with no consumer";
	return problem;
}

const char *stream__groups_check(const struct stream *s, size_t *bytes) {
	*bytes += list_bytes(s->group_room);
	for (uint32_t i = 0; i < s->group_count; i++) {
		const struct stream_group *g = s->groups[i];
		if (i > 0 && slice_compare(stream_group_name(s->groups[i - 1]), stream_group_name(g)) >= 0) {
			return "groups are out of order";
		}
		const char *problem = check_group(g, bytes);
		if (problem) return problem;
	}
	return NULL;
}
