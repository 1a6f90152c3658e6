/* stream: a long run of random operations leaves the same as on arrays of entries, groups and pending entries, with nodes
 * of all sizes; the whole stream is checked, counted and compared after each batch. And the rules that are easier to read as
 * examples: IDs, same fields, walks from the middle, trimming by node, lag. */
#include "types/stream.h"

#include "base/alloc.h"
#include "testing.h"

/* ---- Examples ---- */

static const struct stream_id none = { 0, 0 };

static struct stream_id id_of(uint64_t ms, uint64_t seq) {
	return (struct stream_id){ ms, seq };
}

static void add(struct value *v, uint64_t ms, uint64_t seq, const struct type_limits *limits) {
	struct slice parts[] = { SLICE_LITERAL("field"), SLICE_LITERAL("value") };
	stream_add(stream_of(v), id_of(ms, seq), parts, 2, limits);
}

static struct type_limits nodes_of(size_t entries) {
	struct type_limits limits = type_limits_default;
	limits.stream_node_max_entries = entries;
	return limits;
}

static void assert_sound(const struct value *v) {
	const char *problem = stream_ops.check(v);
	if (problem) fail_msg("%s", problem);
}

static void test_ids(void **state) {
	(void)state;
	struct value v = stream_ops.create();
	struct stream *s = stream_of(&v);
	struct stream_id id = none;
	char text[STREAM_ID_CHARS];

	assert_int_equal(stream_choose_id(stream_state(s), STREAM_ID_GIVEN, 5, &id), STREAM_ID_TOO_SMALL);
	id = id_of(0, 0);
	assert_int_equal(stream_choose_id(stream_state(s), STREAM_ID_AUTO_SEQ, 5, &id), STREAM_ID_OK);
	assert_int_equal(stream_id_compare(id, id_of(0, 1)), 0);
	assert_int_equal(stream_choose_id(stream_state(s), STREAM_ID_AUTO, 5, &id), STREAM_ID_OK);
	assert_int_equal(stream_id_compare(id, id_of(5, 0)), 0);
	add(&v, 7, 3, &type_limits_default);
	/* The clock has gone back. */
	assert_int_equal(stream_choose_id(stream_state(s), STREAM_ID_AUTO, 5, &id), STREAM_ID_OK);
	assert_int_equal(stream_id_compare(id, id_of(7, 4)), 0);
	id = id_of(7, 0);
	assert_int_equal(stream_choose_id(stream_state(s), STREAM_ID_AUTO_SEQ, 5, &id), STREAM_ID_OK);
	assert_int_equal(stream_id_compare(id, id_of(7, 4)), 0);
	id = id_of(6, 0);
	assert_int_equal(stream_choose_id(stream_state(s), STREAM_ID_AUTO_SEQ, 5, &id), STREAM_ID_TOO_SMALL);
	add(&v, UINT64_MAX, UINT64_MAX, &type_limits_default);
	assert_int_equal(stream_choose_id(stream_state(s), STREAM_ID_AUTO, 5, &id), STREAM_ID_EXHAUSTED);

	id = STREAM_ID_MAX;
	assert_false(stream_id_next(&id));
	assert_true(stream_id_prev(&id));
	assert_int_equal(stream_id_format(text, id), 41);
	assert_string_equal(text, "18446744073709551615-18446744073709551614");
	id = id_of(3, 0);
	assert_true(stream_id_prev(&id));
	assert_int_equal(stream_id_compare(id, id_of(2, UINT64_MAX)), 0);
	assert_true(stream_id_next(&id));
	assert_int_equal(stream_id_compare(id, id_of(3, 0)), 0);
	id = none;
	assert_false(stream_id_prev(&id));
	assert_sound(&v);
	stream_ops.release(&v);
}

/* What redis-server 7.0.15 has in its DUMP of the same entries. */
static const uint8_t expected_pack[] =
	"\x6c\x00\x00\x00\x20\x00\x03\x01\x00\x01\x03\x01\x83"
	"foo\x04\x83"
	"bar\x04\x83"
	"baz\x04\x00\x01\x02\x01\x00\x01\x00\x01\x0a\x01\xc3\xe8\x02\xdf\xfb\x02\x06\x01"
	"\x02\x01\x01\x01\xdf\xfd\x02\x0a\x01\xf2\xa0\x86\x01\x04\x83-5x\x04\x06\x01"
	"\x00\x01\x03\x01\xdf\xfd\x02\x03\x01\x83"
	"foo\x04\x0a\x01\x83"
	"bar\x04\xf2\xa0\x86\x01\x04\x81x\x02\xf4\x00\x5e\xd0\xb2\x00\x00\x00\x00\x09\x0a\x01\xff";

static void see_pack(void *context, struct stream_id id, struct slice raw) {
	(void)context;
	assert_int_equal(stream_id_compare(id, id_of(5, 5)), 0);
	assert_int_equal(raw.len, sizeof(expected_pack) - 1);
	assert_memory_equal(raw.ptr, expected_pack, raw.len);
}

static void test_pack_bytes(void **state) {
	(void)state;
	struct value v = stream_ops.create();
	struct slice first[] = { SLICE_LITERAL("foo"), SLICE_LITERAL("10"), SLICE_LITERAL("bar"), SLICE_LITERAL("1000"),
		SLICE_LITERAL("baz"), SLICE_LITERAL("-5") };
	struct slice second[] = { SLICE_LITERAL("foo"), SLICE_LITERAL("10"), SLICE_LITERAL("bar"),
		SLICE_LITERAL("100000"), SLICE_LITERAL("baz"), SLICE_LITERAL("-5x") };
	struct slice third[] = { SLICE_LITERAL("foo"), SLICE_LITERAL("10"), SLICE_LITERAL("bar"),
		SLICE_LITERAL("100000"), SLICE_LITERAL("x"), SLICE_LITERAL("3000000000") };
	stream_add(stream_of(&v), id_of(5, 5), first, 6, &type_limits_default);
	stream_add(stream_of(&v), id_of(6, 2), second, 6, &type_limits_default);
	stream_add(stream_of(&v), id_of(8, 2), third, 6, &type_limits_default);
	stream_each_pack(stream_of(&v), see_pack, NULL);
	assert_sound(&v);
	stream_ops.release(&v);
}

static void test_what_fits(void **state) {
	(void)state;
	assert_true(stream_entry_fits(0, 2));
	assert_true(stream_entry_fits((size_t)512 << 20, 2));
	assert_false(stream_entry_fits(PACK_MAX_BYTES - 50, 2));
	assert_false(stream_entry_fits(PACK_MAX_BYTES, 2));
	assert_false(stream_entry_fits(SIZE_MAX, 2));
	assert_false(stream_entry_fits(0, PACK_MAX_BYTES / PACK_ENTRY_EXTRA_BYTES));
}

static void test_trim_by_node(void **state) {
	(void)state;
	struct type_limits limits = nodes_of(3);
	struct value v = stream_ops.create();
	struct stream *s = stream_of(&v);
	for (uint64_t i = 1; i <= 7; i++) add(&v, i, 0, &limits);
	assert_int_equal(stream_nodes(s), 3);

	struct stream_trim by_id = { .by = STREAM_TRIM_MIN_ID, .nodes_only = true, .min_id = id_of(3, 0) };
	assert_int_equal(stream_trim(s, &by_id), 0);
	struct stream_trim by_length = { .by = STREAM_TRIM_LENGTH, .nodes_only = true, .length = 1, .limit = 5 };
	assert_int_equal(stream_trim(s, &by_length), 3);
	assert_int_equal(stream_nodes(s), 2);
	assert_int_equal(stream_id_compare(stream_state(s)->first_id, id_of(4, 0)), 0);
	by_length.nodes_only = false;
	by_length.limit = 0;
	by_length.length = 2;
	assert_int_equal(stream_trim(s, &by_length), 2);
	assert_int_equal(stream_id_compare(stream_state(s)->first_id, id_of(6, 0)), 0);
	assert_true(stream_id_is_zero(stream_state(s)->max_deleted));
	assert_sound(&v);
	/* When the last node goes, the one before takes new entries again, if there is room. */
	assert_int_equal(stream_delete(s, id_of(7, 0), STREAM_KEEP_REFERENCES), STREAM_DELETED);
	assert_int_equal(stream_delete(s, id_of(7, 0), STREAM_KEEP_REFERENCES), STREAM_NOT_THERE);
	assert_int_equal(stream_nodes(s), 1);
	limits = nodes_of(10);
	add(&v, 8, 0, &limits);
	assert_int_equal(stream_nodes(s), 1);
	assert_sound(&v);
	stream_ops.release(&v);
}

static int64_t lag_of(const struct stream *s, const struct stream_group *g) {
	int64_t lag;
	return stream_group_lag(s, g, &lag) ? lag : -1;
}

static void test_lag(void **state) {
	(void)state;
	struct value v = stream_ops.create();
	struct stream *s = stream_of(&v);
	struct stream_group *begin = stream_group_create(s, SLICE_LITERAL("begin"), none, STREAM_READ_UNKNOWN);
	assert_int_equal(lag_of(s, begin), 0);
	for (uint64_t i = 1; i <= 5; i++) add(&v, i, 0, &type_limits_default);
	struct stream_group *middle = stream_group_create(s, SLICE_LITERAL("middle"), id_of(3, 0), STREAM_READ_UNKNOWN);
	struct stream_group *end = stream_group_create(s, SLICE_LITERAL("end"), id_of(5, 0), STREAM_READ_UNKNOWN);
	assert_int_equal(lag_of(s, begin), 5);
	assert_int_equal(lag_of(s, middle), -1);
	assert_int_equal(lag_of(s, end), 0);
	stream_group_delivered(s, begin, id_of(1, 0));
	assert_int_equal(stream_group_read(begin), 1);
	stream_delete(s, id_of(4, 0), STREAM_KEEP_REFERENCES);
	assert_int_equal(lag_of(s, begin), -1);
	stream_group_delivered(s, begin, id_of(5, 0));
	assert_int_equal(stream_group_read(begin), 5);
	assert_int_equal(lag_of(s, begin), 0);
	/* Both the group and the deleted entry lie before what is left. */
	struct stream_trim one = { .by = STREAM_TRIM_LENGTH, .length = 1 };
	stream_trim(s, &one);
	assert_int_equal(lag_of(s, middle), 1);
	stream_ops.release(&v);
}

static void test_references(void **state) {
	(void)state;
	struct value v = stream_ops.create();
	struct stream *s = stream_of(&v);
	for (uint64_t i = 1; i <= 4; i++) add(&v, i, 0, &type_limits_default);
	struct stream_group *g = stream_group_create(s, SLICE_LITERAL("g"), id_of(3, 0), STREAM_READ_UNKNOWN);
	struct stream_consumer *c = stream_consumer_create(s, g, SLICE_LITERAL("c"), 100);
	for (uint64_t i = 1; i <= 3; i++) {
		struct stream_pending p = { id_of(i, 0), c, 100, 1 };
		stream_pending_put(s, g, &p);
	}
	assert_true(stream_pending_remove(s, g, id_of(2, 0)));
	assert_false(stream_pending_remove(s, g, id_of(2, 0)));
	assert_int_equal(stream_delete(s, id_of(1, 0), STREAM_ONLY_ACKED), STREAM_REFERENCED);
	assert_int_equal(stream_delete(s, id_of(2, 0), STREAM_ONLY_ACKED), STREAM_DELETED);
	assert_int_equal(stream_delete(s, id_of(4, 0), STREAM_ONLY_ACKED), STREAM_REFERENCED);
	/* It need not exist. */
	assert_int_equal(stream_delete(s, id_of(99, 0), STREAM_ONLY_ACKED), STREAM_REFERENCED);
	assert_int_equal(stream_delete(s, id_of(99, 0), STREAM_DROP_REFERENCES), STREAM_NOT_THERE);
	assert_int_equal(stream_delete(s, id_of(1, 0), STREAM_KEEP_REFERENCES), STREAM_DELETED);
	assert_int_equal(stream_group_pending(g), 2);
	assert_int_equal(stream_delete(s, id_of(1, 0), STREAM_DROP_REFERENCES), STREAM_REFERENCES_DROPPED);
	assert_int_equal(stream_delete(s, id_of(1, 0), STREAM_DROP_REFERENCES), STREAM_NOT_THERE);
	assert_int_equal(stream_group_pending(g), 1);
	assert_int_equal(stream_delete(s, id_of(3, 0), STREAM_DROP_REFERENCES), STREAM_DELETED);
	assert_int_equal(stream_group_pending(g), 0);
	assert_sound(&v);
	stream_ops.release(&v);
}

/* ---- Random operations against a model ---- */

enum { MAX_ENTRIES = 4000, MAX_PARTS = 8, GROUPS = 3, CONSUMERS = 4, PART_BYTES = 200 };

struct model_entry {
	struct stream_id id;
	bool live;
	unsigned count;
	char parts[MAX_PARTS][PART_BYTES];
	/* Consumer (-1: not pending), time and deliveries per group. */
	struct {
		int consumer;
		int64_t delivered_ms;
		uint64_t deliveries;
	} pending[GROUPS];
};

static struct model {
	struct model_entry entries[MAX_ENTRIES];
	size_t count, live;
	struct stream_id max_deleted;
	bool group_there[GROUPS];
	struct stream_id group_last[GROUPS];
} model;

static const char *const group_names[GROUPS] = { "workers", "a", "zz" };
static const char *const consumer_names[CONSUMERS] = { "carl", "anna", "", "bert" };

static struct slice random_part(char *out) {
	static const char *const fixed[] = { "name", "size", "a rather longer field", "", "12" };
	size_t len;
	if (random_below(10) == 0) {
		/* So long that an entry is not written in one go. */
		len = random_below(PART_BYTES);
		memset(out, 'x', len);
		out[len] = '\0';
	} else if (random_below(3) == 0) {
		len = (size_t)snprintf(
			out, PART_BYTES, "%lld", (long long)random_below((uint64_t)1 << random_below(40)) - 500);
	} else {
		len = (size_t)snprintf(out, PART_BYTES, "%s", fixed[random_below(5)]);
	}
	return slice_of(out, len);
}

static void step_add(struct stream *s, const struct type_limits *limits) {
	if (model.count == MAX_ENTRIES) return;
	struct model_entry *e = &model.entries[model.count];
	struct slice parts[MAX_PARTS];
	struct stream_id id = stream_state(s)->last_id;
	if (random_below(2)) id = id_of(id.ms + random_below(100), random_below(5));
	if (stream_id_compare(id, stream_state(s)->last_id) <= 0)
		id = id_of(stream_state(s)->last_id.ms, stream_state(s)->last_id.seq + 1);
	e->id = id;
	e->live = true;
	e->count = (unsigned)(2 + 2 * random_below(MAX_PARTS / 2));
	bool same = random_below(2) && model.count > 0;
	if (same) e->count = model.entries[model.count - 1].count;
	for (unsigned i = 0; i < e->count; i++) {
		if (same && i % 2 == 0)
			memcpy(e->parts[i], model.entries[model.count - 1].parts[i], PART_BYTES);
		else
			random_part(e->parts[i]);
		parts[i] = slice_of_cstr(e->parts[i]);
	}
	for (unsigned g = 0; g < GROUPS; g++) e->pending[g].consumer = -1;
	stream_add(s, id, parts, e->count, limits);
	model.count++;
	model.live++;
}

static bool model_is_referenced(const struct model_entry *e) {
	for (unsigned g = 0; g < GROUPS; g++) {
		if (!model.group_there[g]) continue;
		if (stream_id_compare(model.group_last[g], e->id) < 0 || e->pending[g].consumer >= 0) return true;
	}
	return false;
}

/* False when there were none. */
static bool model_drop_references(struct model_entry *e) {
	bool dropped = false;
	for (unsigned g = 0; g < GROUPS; g++) {
		dropped |= model.group_there[g] && e->pending[g].consumer >= 0;
		e->pending[g].consumer = -1;
	}
	return dropped;
}

static bool model_delete(struct model_entry *e, enum stream_references references) {
	if (references == STREAM_ONLY_ACKED && model_is_referenced(e)) return false;
	if (references == STREAM_DROP_REFERENCES) model_drop_references(e);
	e->live = false;
	model.live--;
	return true;
}

static struct model_entry *random_entry(void) {
	return &model.entries[random_below(model.count)];
}

static void step_delete(struct stream *s) {
	struct model_entry *e = random_entry();
	enum stream_references references = (enum stream_references)random_below(3);
	enum stream_delete_answer expected = STREAM_NOT_THERE;
	if (e->live) {
		expected = model_delete(e, references) ? STREAM_DELETED : STREAM_REFERENCED;
		if (expected == STREAM_DELETED && stream_id_compare(e->id, model.max_deleted) > 0)
			model.max_deleted = e->id;
	} else if (references == STREAM_ONLY_ACKED && model_is_referenced(e)) {
		expected = STREAM_REFERENCED;
	} else if (references == STREAM_DROP_REFERENCES && model_drop_references(e)) {
		expected = STREAM_REFERENCES_DROPPED;
	}
	assert_int_equal(stream_delete(s, e->id, references), expected);
}

/* Exact trims only: what "~" does depends on nodes, which the model does not know. */
static void step_trim(struct stream *s) {
	struct stream_trim how = { .by = random_below(2) ? STREAM_TRIM_LENGTH : STREAM_TRIM_MIN_ID,
		.references = (enum stream_references)random_below(3) };
	how.length = model.live - (model.live > 0 ? random_below(model.live < 20 ? model.live : 20) : 0);
	size_t from = 0;
	while (from < model.count && !model.entries[from].live) from++;
	size_t at = from + random_below(30);
	how.min_id = at < model.count ? model.entries[at].id : none;
	uint64_t expected = 0;
	for (size_t i = 0; i < model.count; i++) {
		struct model_entry *e = &model.entries[i];
		if (!e->live) continue;
		if (how.by == STREAM_TRIM_LENGTH ? model.live <= how.length : stream_id_compare(e->id, how.min_id) >= 0)
			break;
		expected += model_delete(e, how.references);
	}
	assert_int_equal(stream_trim(s, &how), expected);
}

static void step_group(struct stream *s) {
	unsigned g = (unsigned)random_below(GROUPS);
	struct slice name = slice_of_cstr(group_names[g]);
	struct stream_group *group = stream_group_find(s, name);
	assert_int_equal(group != NULL, model.group_there[g]);
	if (!group) {
		model.group_last[g] = model.count ? random_entry()->id : none;
		assert_non_null(stream_group_create(s, name, model.group_last[g], STREAM_READ_UNKNOWN));
		assert_null(stream_group_create(s, name, none, 0));
		model.group_there[g] = true;
	} else if (random_below(20) == 0) {
		stream_group_destroy(s, group);
		model.group_there[g] = false;
		for (size_t i = 0; i < model.count; i++) model.entries[i].pending[g].consumer = -1;
	} else {
		model.group_last[g] = random_entry()->id;
		stream_group_set(group, model.group_last[g], STREAM_READ_UNKNOWN);
	}
}

static void step_pending(struct stream *s) {
	unsigned g = (unsigned)random_below(GROUPS), c = (unsigned)random_below(CONSUMERS);
	struct stream_group *group = stream_group_find(s, slice_of_cstr(group_names[g]));
	if (!group) return;
	struct slice name = slice_of_cstr(consumer_names[c]);
	struct stream_consumer *consumer = stream_consumer_find(group, name);
	if (!consumer) consumer = stream_consumer_create(s, group, name, 5);
	struct model_entry *e = random_entry();
	unsigned what = (unsigned)random_below(100);
	if (what == 0) {
		stream_consumer_delete(s, group, consumer);
		for (size_t i = 0; i < model.count; i++) {
			if (model.entries[i].pending[g].consumer == (int)c) model.entries[i].pending[g].consumer = -1;
		}
	} else if (what < 60) {
		struct stream_pending p = { e->id, consumer, (int64_t)(random_below(1 << 30) << random_below(17)),
			random_below(1 << 20) };
		if (random_below(10) == 0) p.deliveries = UINT64_MAX;
		stream_pending_put(s, group, &p);
		e->pending[g].consumer = (int)c;
		e->pending[g].delivered_ms = p.delivered_ms;
		e->pending[g].deliveries = p.deliveries < STREAM_DELIVERIES_MAX ? p.deliveries : STREAM_DELIVERIES_MAX;
	} else {
		assert_int_equal(stream_pending_remove(s, group, e->id), e->pending[g].consumer >= 0);
		e->pending[g].consumer = -1;
	}
}

/* ---- Comparing ---- */

static void assert_part(struct pack_value value, const char *expected) {
	char scratch[PACK_SCRATCH_BYTES];
	struct slice text = value.text;
	if (pack_value_is_int(value)) text = slice_of(scratch, number_format_i64(scratch, value.number));
	assert_int_equal(text.len, strlen(expected));
	assert_memory_equal(text.ptr, expected, text.len);
}

static void assert_entry(struct stream_iter *it, const struct model_entry *e) {
	assert_int_equal(stream_id_compare(it->id, e->id), 0);
	assert_int_equal(it->fields * 2, e->count);
	/* To read only some of an entry must not disturb the walk. */
	size_t pairs = random_below(4) ? it->fields : random_below(it->fields + 1);
	for (size_t i = 0; i < pairs; i++) {
		struct pack_value field, value;
		stream_iter_pair(it, &field, &value);
		assert_part(field, e->parts[2 * i]);
		assert_part(value, e->parts[2 * i + 1]);
	}
}

static void compare_range(const struct stream *s, struct stream_id first, struct stream_id last) {
	struct stream_iter it;
	stream_iter_begin(&it, s, first, last, STREAM_FORWARD);
	for (size_t i = 0; i < model.count; i++) {
		struct model_entry *e = &model.entries[i];
		if (!e->live || stream_id_compare(e->id, first) < 0 || stream_id_compare(e->id, last) > 0) continue;
		assert_true(stream_iter_next(&it));
		assert_entry(&it, e);
	}
	assert_false(stream_iter_next(&it));
	stream_iter_begin(&it, s, first, last, STREAM_BACKWARD);
	for (size_t i = model.count; i-- > 0;) {
		struct model_entry *e = &model.entries[i];
		if (!e->live || stream_id_compare(e->id, first) < 0 || stream_id_compare(e->id, last) > 0) continue;
		assert_true(stream_iter_next(&it));
		assert_entry(&it, e);
	}
	assert_false(stream_iter_next(&it));
}

static void compare_pending(const struct stream *s, unsigned g) {
	const struct stream_group *group = stream_group_find(s, slice_of_cstr(group_names[g]));
	if (!group) return;
	size_t count = 0;
	struct stream_pending_iter it;
	struct stream_pending p;
	stream_pending_begin(&it, group, NULL, STREAM_ID_MIN);
	for (size_t i = 0; i < model.count; i++) {
		const struct model_entry *e = &model.entries[i];
		if (e->pending[g].consumer < 0) continue;
		count++;
		assert_true(stream_pending_next(&it, &p));
		assert_int_equal(stream_id_compare(p.id, e->id), 0);
		assert_int_equal(p.delivered_ms, e->pending[g].delivered_ms);
		assert_int_equal(p.deliveries, e->pending[g].deliveries);
		assert_true(slice_equal(
			stream_consumer_name(p.consumer), slice_of_cstr(consumer_names[e->pending[g].consumer])));
	}
	assert_false(stream_pending_next(&it, &p));
	assert_int_equal(stream_group_pending(group), count);
	for (size_t i = 0; i < stream_group_consumers(group); i++) {
		struct stream_consumer *c = stream_consumer_at(group, i);
		stream_pending_begin(&it, group, c, STREAM_ID_MIN);
		for (size_t left = stream_consumer_pending(c); left > 0; left--) {
			assert_true(stream_pending_next(&it, &p));
			assert_ptr_equal(p.consumer, c);
			count--;
		}
		assert_false(stream_pending_next(&it, &p));
	}
	assert_int_equal(count, 0);
}

static void compare(const struct value *v) {
	const struct stream *s = stream_of(v);
	const struct stream_state *state = stream_state(s);
	assert_sound(v);
	assert_int_equal(state->length, model.live);
	assert_int_equal(state->added, model.count);
	assert_int_equal(stream_id_compare(state->max_deleted, model.max_deleted), 0);
	compare_range(s, STREAM_ID_MIN, STREAM_ID_MAX);
	for (unsigned i = 0; i < 5 && model.count > 0; i++) {
		struct stream_id first = random_entry()->id, last = random_entry()->id;
		if (random_below(2)) first.seq++;
		if (random_below(2)) last.ms--;
		compare_range(s, first, last);
		compare_range(s, first, STREAM_ID_MAX);
		const struct model_entry *e = random_entry();
		assert_int_equal(stream_has(s, e->id), e->live);
	}
	for (unsigned g = 0; g < GROUPS; g++) compare_pending(s, g);
}

static void hash_element(void *context, const struct slice *parts, size_t count) {
	uint64_t *sum = context;
	for (size_t i = 0; i < count; i++)
		*sum = *sum * 31 + hash_bytes(parts[i].ptr ? parts[i].ptr : "", parts[i].len) + i;
}

static uint64_t digest(const struct value *v) {
	uint64_t sum = 0;
	stream_ops.each(v, hash_element, &sum);
	return sum;
}

static void run_random(size_t node_entries, size_t node_bytes) {
	struct type_limits limits = nodes_of(node_entries);
	limits.stream_node_max_bytes = node_bytes;
	memset(&model, 0, sizeof(model));
	struct value v = stream_ops.create();
	struct stream *s = stream_of(&v);
	for (unsigned batch = 0; batch < testing_rounds(40); batch++) {
		unsigned adds = (unsigned)random_below(100);
		for (unsigned i = 0; i < 200; i++) {
			unsigned what = (unsigned)random_below(100);
			if (what < adds || model.count == 0)
				step_add(s, &limits);
			else if (what < 90)
				step_pending(s);
			else if (what < 93)
				step_group(s);
			else if (what < 99)
				step_delete(s);
			else
				step_trim(s);
		}
		compare(&v);
	}
	struct value copy = stream_ops.copy(&v);
	compare(&copy);
	assert_int_equal(digest(&copy), digest(&v));
	assert_int_equal(stream_ops.memory(&copy) >= stream_ops.memory(&v) / 2, 1);
	stream_ops.release(&copy);
	assert_null(copy.data);
	stream_ops.release(&v);
}

static void test_random(void **state) {
	(void)state;
	testing_begin(1);
	run_random(100, 4096);
	run_random(1, 0);
	run_random(3, 0);
	run_random(0, 0);
	run_random(0, 150);
	run_random(20, 400);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_pack_bytes),
		cmocka_unit_test(test_what_fits),
		cmocka_unit_test(test_trim_by_node),
		cmocka_unit_test(test_lag),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
