/* Members by chance: samples, draws, and what SPOP removes. */
#include "types/set_private.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/random.h"
#include "types/sample.h"

enum {
	/* A draw from a table costs about as much as this many steps of a walk: it meets cold memory, and most of its tries
	 * are rejected. */
	DRAW_COST = 32,
	/* A table that keeps less than a fifth of what it loses is made anew. As in Redis that is where a small rest becomes
	 * flat again. */
	REST_SHARE = 5,
};

/* The member that an item is; `key` and `scratch` may hold a part of it. */
static struct slice text_of_item(const void *item, struct set_key *key, char scratch[static SET__SCRATCH_BYTES]) {
	*key = set__key_of_item(item, false);
	return set__key_text(key, scratch);
}

static void visit_item(const void *item, set_visit_fn *visit, void *context) {
	char scratch[SET__SCRATCH_BYTES];
	struct set_key key;
	visit(context, text_of_item(item, &key, scratch));
}

static void visit_number(int64_t number, set_visit_fn *visit, void *context) {
	char scratch[SET__SCRATCH_BYTES];
	visit(context, slice_of(scratch, number_format_i64(scratch, number)));
}

static void visit_entry(const struct pack *pack, size_t at, set_visit_fn *visit, void *context) {
	char scratch[PACK_SCRATCH_BYTES];
	visit(context, pack_text(pack, at, scratch));
}

/* ---- Samples ---- */

static void *array_of(size_t count, size_t bytes_each) {
	return mem_alloc(count * bytes_each);
}

static void sample_ints(const struct intset *ints, size_t count, set_visit_fn *visit, void *context) {
	size_t *indices = array_of(count, sizeof(*indices));
	sample_indices(intset_count(ints), count, indices);
	for (size_t i = 0; i < count; i++) visit_number(intset_at(ints, indices[i]), visit, context);
	mem_free(indices);
}

static void sample_pack(const struct pack *pack, size_t count, set_visit_fn *visit, void *context) {
	struct sample sample = { .left = pack_count(pack), .wanted = count };
	for (size_t at = pack_first(pack); sample.wanted > 0; at = pack_next(pack, at))
		if (sample_take(&sample)) visit_entry(pack, at, visit, context);
}

/* `wanted` items of the table, in a walk over all of it. */
static void walk_sample(const struct table *t, size_t wanted, void **items) {
	struct sample sample = { .left = table_count(t), .wanted = wanted };
	struct table_walk walk = { 0 };
	void *batch[SET__BATCH];
	while (sample.wanted > 0) {
		size_t count = table_walk(t, &walk, batch, SET__BATCH);
		for (size_t i = 0; i < count; i++)
			if (sample_take(&sample)) *items++ = batch[i];
	}
}

/* Few items of a large table: drawn until all differ. `seen` is an open-addressing set of words. */
static void draw_sample(const struct table *t, size_t wanted, void **items) {
	size_t room = 16;
	while (room < 2 * wanted) room *= 2;
	uint64_t *seen = mem_calloc(room * sizeof(*seen));
	for (size_t i = 0; i < wanted;) {
		void *item = table_random(t);
		uint64_t word = set__word(item);
		size_t at = (size_t)(word * 0x9e3779b97f4a7c15u >> 20) & (room - 1);
		while (seen[at] && seen[at] != word) at = (at + 1) & (room - 1);
		if (seen[at]) continue;
		seen[at] = word;
		items[i++] = item;
	}
	mem_free_sized(seen, room * sizeof(*seen));
}

/* `count` different items, to be freed by the caller. */
static void **sample_items(const struct table *t, size_t count) {
	void **items = array_of(count, sizeof(*items));
	if (count == 1) {
		items[0] = table_random(t);
	} else if (table_count(t) / DRAW_COST < count) {
		walk_sample(t, count, items);
	} else {
		draw_sample(t, count, items);
	}
	return items;
}

/* The items' pieces are fetched some steps ahead. */
static void visit_items(void **items, size_t count, set_visit_fn *visit, void *context) {
	enum { AHEAD = 16 };
	for (size_t i = 0; i < count; i++) {
		if (i + AHEAD < count) __builtin_prefetch(items[i + AHEAD]);
		visit_item(items[i], visit, context);
	}
}

void set_sample(const struct value *s, size_t count, set_visit_fn *visit, void *context) {
	size_t all = set_count(s);
	if (count >= all) {
		set_each(s, visit, context);
	} else if (count == 0) {
		return;
	} else if (s->encoding == SET_INTS) {
		sample_ints(set__ints(s), count, visit, context);
	} else if (s->encoding == SET_PACK) {
		sample_pack(set__pack(s), count, visit, context);
	} else {
		void **items = sample_items(&set__table(s)->table, count);
		visit_items(items, count, visit, context);
		mem_free(items);
	}
}

/* ---- Draws ---- */

static bool draw_from_ints(const struct intset *ints, size_t count, set_draw_fn *visit, void *context) {
	char scratch[SET__SCRATCH_BYTES];
	size_t all = intset_count(ints);
	bool more = true;
	for (; count > 0 && more; count--) {
		int64_t number = intset_at(ints, random_below(all));
		more = visit(context, slice_of(scratch, number_format_i64(scratch, number)));
	}
	return more;
}

static bool draw_from_pack(const struct pack *pack, size_t count, set_draw_fn *visit, void *context) {
	char scratch[PACK_SCRATCH_BYTES];
	size_t all = pack_count(pack);
	if (count == 1) return visit(context, pack_text(pack, pack_nth(pack, (int64_t)random_below(all)), scratch));
	uint32_t *positions = array_of(all, sizeof(*positions));
	size_t at = pack_first(pack);
	bool more = true;
	for (size_t i = 0; i < all; i++, at = pack_next(pack, at)) positions[i] = (uint32_t)at;
	for (; count > 0 && more; count--)
		more = visit(context, pack_text(pack, positions[random_below(all)], scratch));
	mem_free(positions);
	return more;
}

/* Many draws come from an array of all items. */
static bool draw_from_table(const struct table *t, size_t count, set_draw_fn *visit, void *context) {
	char scratch[SET__SCRATCH_BYTES];
	struct set_key key;
	struct table_walk walk = { 0 };
	size_t all = table_count(t);
	void **items = all / DRAW_COST < count ? array_of(all, sizeof(*items)) : NULL;
	bool more = true;
	if (items) table_walk(t, &walk, items, all);
	for (; count > 0 && more; count--) {
		void *item = items ? items[random_below(all)] : table_random(t);
		more = visit(context, text_of_item(item, &key, scratch));
	}
	mem_free(items);
	return more;
}

bool set_draw(const struct value *s, size_t count, set_draw_fn *visit, void *context) {
	assert(set_count(s) > 0);
	if (s->encoding == SET_INTS) return draw_from_ints(set__ints(s), count, visit, context);
	if (s->encoding == SET_PACK) return draw_from_pack(set__pack(s), count, visit, context);
	return draw_from_table(&set__table(s)->table, count, visit, context);
}

/* ---- Removing by chance ---- */

static void pop_ints(struct value *s, size_t count, set_visit_fn *visit, void *context) {
	struct intset *ints = set__ints(s);
	size_t *indices = array_of(count, sizeof(*indices));
	sample_indices(intset_count(ints), count, indices);
	for (size_t i = 0; i < count; i++) visit_number(intset_at(ints, indices[i]), visit, context);
	intset_remove_at(&ints, indices, count);
	s->data = ints;
	mem_free(indices);
}

static void append_entry(struct pack **to, const struct pack *from, size_t at) {
	struct pack_value value = pack_get(from, at);
	if (pack_value_is_int(value)) {
		pack_append_int(to, value.number);
	} else {
		pack_append(to, value.text);
	}
}

static void pop_pack(struct value *s, size_t count, set_visit_fn *visit, void *context) {
	struct pack *pack = set__pack(s);
	if (count == 1) {
		size_t at = pack_nth(pack, (int64_t)random_below(pack_count(pack)));
		visit_entry(pack, at, visit, context);
		pack_delete(&pack, at);
		s->data = pack;
		return;
	}
	struct sample sample = { .left = pack_count(pack), .wanted = count };
	struct pack *rest = pack_new();
	for (size_t at = pack_first(pack); at; at = pack_next(pack, at)) {
		if (sample_take(&sample)) {
			visit_entry(pack, at, visit, context);
		} else {
			append_entry(&rest, pack, at);
		}
	}
	pack_free(pack);
	s->data = rest;
}

static void take_item(struct set_table *t, const struct set_key *key) {
	set__table_take(t, table_find(&t->table, key->hash, set__item_is, key));
}

static void pop_items(struct value *s, size_t count, set_visit_fn *visit, void *context) {
	struct set_table *t = set__table(s);
	void **items = sample_items(&t->table, count);
	visit_items(items, count, visit, context);
	for (size_t i = 0; i < count; i++) {
		struct set_key key = set__key_of_item(items[i], true);
		take_item(t, &key);
		set__item_free(items[i]);
	}
	mem_free(items);
}

/* Whether these members may make a pack. */
static bool fit_in_pack(void *const *items, size_t count, const struct type_limits *limits) {
	char scratch[SET__SCRATCH_BYTES];
	size_t bytes = 0;
	if (count > limits->set_max_listpack_entries) return false;
	for (size_t i = 0; i < count; i++) {
		struct set_key key = set__key_of_item(items[i], false);
		size_t len = set__key_text(&key, scratch).len;
		if (len > limits->set_max_listpack_value) return false;
		bytes += len + PACK_ENTRY_EXTRA_BYTES;
	}
	return bytes < PACK_MAX_BYTES - PACK_EMPTY_BYTES;
}

/* A pack of the members, whose items are freed. */
static struct value pack_of_items(void **items, size_t count, const struct type_limits *limits) {
	struct value s = { VALUE_SET, SET_PACK, pack_new() };
	for (size_t i = 0; i < count; i++) {
		struct set_key key = set__key_of_item(items[i], false);
		/* It fits, and a pack does not run out of memory. */
		(void)set__put(&s, &key, limits);
		set__item_free(items[i]);
	}
	return s;
}

/* A table that takes the items over. */
static struct value table_of_items(void **items, size_t count) {
	struct value s = set__new_table(count);
	for (size_t i = 0; i < count; i++) set__table_put(set__table(&s), set__item_hash(items[i]), items[i]);
	return s;
}

/* Removes all but `count` members of a table: those that stay are drawn and get a set of their own. */
static void pop_all_but(
	struct value *s, size_t count, const struct type_limits *limits, set_visit_fn *visit, void *context) {
	struct set_table *t = set__table(s);
	void **items = sample_items(&t->table, count);
	for (size_t i = 0; i < count; i++) {
		struct set_key key = set__key_of_item(items[i], true);
		take_item(t, &key);
	}
	set_each(s, visit, context);
	value_release(s);
	*s = fit_in_pack(items, count, limits) ? pack_of_items(items, count, limits) : table_of_items(items, count);
	mem_free(items);
}

void set_pop(struct value *s, size_t count, const struct type_limits *limits, set_visit_fn *visit, void *context) {
	size_t all = set_count(s);
	assert(count < all);
	if (count == 0) return;
	if (s->encoding == SET_INTS) {
		pop_ints(s, count, visit, context);
	} else if (s->encoding == SET_PACK) {
		pop_pack(s, count, visit, context);
	} else if (all - count <= count / REST_SHARE) {
		pop_all_but(s, all - count, limits, visit, context);
	} else {
		pop_items(s, count, visit, context);
	}
}
