#include "types/set_algebra.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "types/set_private.h"

/* ---- Looking for many members in one set ---- */

/* From so many look-ups on it pays to make an index of a pack, which is otherwise searched from its beginning each time. */
enum { INDEX_FROM = 5 };

/* Open addressing; a slot is the upper half of an entry's hash and its position, which is never 0. */
struct pack_index {
	uint64_t *slots; /* NULL: there is none */
	size_t mask;
};

struct finder {
	const struct value *set;
	struct pack_index index;
	bool ascending;  /* what is looked for are ascending numbers */
	size_t position; /* in an intset: all before it is less than what is still to come */
};

static struct pack_index index_of(const struct value *set) {
	size_t room = 16;
	while (room < 2 * set_count(set)) room *= 2;
	struct pack_index index = { mem_calloc(room * sizeof(*index.slots)), room - 1 };
	const struct pack *pack = set__pack(set);
	for (size_t at = pack_first(pack); at; at = pack_next(pack, at)) {
		struct set_key key = set__key_of_entry(pack, at, true);
		size_t slot = key.hash & index.mask;
		while (index.slots[slot]) slot = (slot + 1) & index.mask;
		index.slots[slot] = key.hash >> 32 << 32 | at;
	}
	return index;
}

static bool entry_is(const struct pack *pack, size_t at, const struct set_key *key) {
	struct pack_value value = pack_get(pack, at);
	if (pack_value_is_int(value)) return key->is_number && value.number == key->number;
	char scratch[SET__SCRATCH_BYTES];
	return !key->is_number && slice_equal(value.text, set__key_text(key, scratch));
}

static bool index_has(const struct pack_index *index, const struct pack *pack, const struct set_key *key) {
	uint64_t slot;
	for (size_t i = key->hash & index->mask; (slot = index->slots[i]) != 0; i = (i + 1) & index->mask)
		if (slot >> 32 == key->hash >> 32 && entry_is(pack, (uint32_t)slot, key)) return true;
	return false;
}

/* A finder for members of `walked`. */
static struct finder finder_of(const struct value *set, const struct value *walked) {
	struct finder f = { .set = set, .ascending = walked->encoding == SET_INTS };
	if (set->encoding == SET_PACK && set_count(walked) >= INDEX_FROM) f.index = index_of(set);
	return f;
}

static void finder_release(struct finder *f) {
	mem_free(f->index.slots);
}

static inline bool finder_has(struct finder *f, const struct set_key *key) {
	if (f->index.slots) return index_has(&f->index, set__pack(f->set), key);
	if (f->set->encoding != SET_INTS || !f->ascending) return set__has(f->set, key);
	const struct intset *ints = set__ints(f->set);
	f->position = intset_seek(ints, f->position, key->number);
	return f->position < intset_count(ints) && intset_at(ints, f->position) == key->number;
}

/* Leaves those keys that are in the set (or, with `there` false, are not), in their order; how many. */
static size_t narrow(struct finder *f, struct set_key *keys, size_t count, bool there) {
	size_t left = 0;
	if (f->set->encoding == SET_TABLE) set__prefetch(&set__table(f->set)->table, keys, count);
	for (size_t i = 0; i < count; i++) {
		if (finder_has(f, &keys[i]) != there) continue;
		if (left != i) keys[left] = keys[i];
		left++;
	}
	return left;
}

/* ---- What becomes of the result's members ---- */

/* False: no more of them. */
typedef bool take_key_fn(void *context, const struct set_key *key);

struct visitor {
	set_visit_fn *visit;
	void *context;
};

static bool visit_key(void *context, const struct set_key *key) {
	const struct visitor *v = context;
	char scratch[SET__SCRATCH_BYTES];
	v->visit(v->context, set__key_text(key, scratch));
	return true;
}

struct counter {
	size_t count;
	size_t limit; /* 0: none */
};

static bool count_key(void *context, const struct set_key *key) {
	struct counter *c = context;
	(void)key;
	return ++c->count != c->limit;
}

struct keeper {
	struct value result;
	const struct type_limits *limits;
	bool failed; /* no memory */
};

static bool keep_key(void *context, const struct set_key *key) {
	struct keeper *k = context;
	k->failed = !set__put(&k->result, key, k->limits);
	return !k->failed;
}

/* ---- Intersections and differences: one set is walked, the others say what is left of it ---- */

/* Takes the members of `walked` that are in all others or, with `there` false, in none. */
static void filter(const struct value *walked, const struct value *others, size_t count, bool there, take_key_fn *take,
	void *context) {
	struct finder *finders = mem_alloc((count + 1) * sizeof(*finders));
	for (size_t i = 0; i < count; i++) finders[i] = finder_of(&others[i], walked);
	struct set_walk walk = { .set = walked };
	struct set_key keys[SET__BATCH];
	bool more = true;
	for (size_t left; more && (left = set__walk(&walk, keys, SET__BATCH, true)) > 0;) {
		for (size_t i = 0; i < count && left > 0; i++) left = narrow(&finders[i], keys, left, there);
		for (size_t i = 0; i < left && more; i++) more = take(context, &keys[i]);
	}
	for (size_t i = 0; i < count; i++) finder_release(&finders[i]);
	mem_free(finders);
}

static int compare_counts(const void *a, const void *b) {
	size_t x = set_count(a), y = set_count(b);
	return (x > y) - (x < y);
}

static void intersect(const struct value *sets, size_t count, take_key_fn *take, void *context) {
	for (size_t i = 0; i < count; i++)
		if (!sets[i].data) return;
	struct value *sorted = mem_alloc(count * sizeof(*sorted));
	memcpy(sorted, sets, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_counts);
	filter(&sorted[0], sorted + 1, count - 1, true, take, context);
	mem_free(sorted);
}

/* Adds all members of a set to a table. False without memory. */
static bool add_all(struct value *table, const struct value *set) {
	struct set_walk walk = { .set = set };
	struct set_key keys[SET__BATCH];
	for (size_t count; (count = set__walk(&walk, keys, SET__BATCH, true)) > 0;) {
		set__prefetch(&set__table(table)->table, keys, count);
		for (size_t i = 0; i < count; i++) {
			if (set__has(table, &keys[i])) continue;
			if (!set__put(table, &keys[i], &type_limits_default)) return false;
		}
	}
	return true;
}

/* Whether it is less work to gather what is to be left out than to look for each member in each set. Also the point from
 * which Redis copies the first set and removes the others' members from the copy, which shows in the result's form. */
static bool gathers(const struct value *sets, size_t count) {
	size_t present = 0, members = 0;
	for (size_t i = 0; i < count; i++) {
		if (!sets[i].data) continue;
		present++;
		members += set_count(&sets[i]);
	}
	return set_count(&sets[0]) * present / 2 > members;
}

/* False without memory. */
static bool subtract(const struct value *sets, size_t count, take_key_fn *take, void *context) {
	if (!sets[0].data) return true;
	struct value *others = mem_alloc(count * sizeof(*others));
	size_t present = 0;
	bool ok = true;
	for (size_t i = 1; i < count; i++)
		if (sets[i].data) others[present++] = sets[i];
	if (gathers(sets, count)) {
		struct value gathered = set__new_table(0);
		for (size_t i = 0; i < present && ok; i++) ok = add_all(&gathered, &others[i]);
		if (ok) filter(&sets[0], &gathered, 1, false, take, context);
		value_release(&gathered);
	} else {
		filter(&sets[0], others, present, false, take, context);
	}
	mem_free(others);
	return ok;
}

/* ---- Unions ---- */

/* The table with the most members: its members need not be looked for anywhere. NULL when all are flat. */
static const struct value *largest_table(const struct value *sets, size_t count) {
	const struct value *largest = NULL;
	for (size_t i = 0; i < count; i++) {
		if (!sets[i].data || sets[i].encoding != SET_TABLE) continue;
		if (!largest || set_count(&sets[i]) > set_count(largest)) largest = &sets[i];
	}
	return largest;
}

/* Whether all sets that there are have this form. */
static bool all_are(const struct value *sets, size_t count, enum set_encoding encoding) {
	for (size_t i = 0; i < count; i++)
		if (sets[i].data && sets[i].encoding != encoding) return false;
	return true;
}

/* Visits what `set` has beside `largest` and `seen`, and adds it to `seen` if that is to be remembered. False without
 * memory. */
static bool visit_rest(
	const struct value *set, const struct value *largest, struct value *seen, bool remember, struct visitor *v) {
	struct finder in_largest = { .set = largest };
	struct set_walk walk = { .set = set };
	struct set_key keys[SET__BATCH];
	for (size_t count; (count = set__walk(&walk, keys, SET__BATCH, true)) > 0;) {
		count = narrow(&in_largest, keys, count, false);
		if (set_count(seen) > 0) set__prefetch(&set__table(seen)->table, keys, count);
		for (size_t i = 0; i < count; i++) {
			if (set__has(seen, &keys[i])) continue;
			if (remember && !set__put(seen, &keys[i], &type_limits_default)) return false;
			visit_key(v, &keys[i]);
		}
	}
	return true;
}

/* All of the largest, then of each other one what none before it had. */
static bool visit_union(const struct value *sets, size_t count, const struct value *largest, struct visitor *v) {
	struct value seen = set__new_table(0);
	size_t last = count;
	bool ok = true;
	for (size_t i = 0; i < count; i++)
		if (sets[i].data && &sets[i] != largest) last = i;
	set_each(largest, v->visit, v->context);
	for (size_t i = 0; i < count && ok; i++) {
		if (!sets[i].data || &sets[i] == largest) continue;
		ok = visit_rest(&sets[i], largest, &seen, i != last, v);
	}
	value_release(&seen);
	return ok;
}

/* The form that adding all members of the set one after another leads to. */
static enum set_encoding form_for(const struct value *s, const struct type_limits *limits) {
	size_t count = set_count(s), longest = 0;
	size_t max_ints = set__max_ints(limits), max_pack = limits->set_max_listpack_entries;
	if (count > max_ints && count > max_pack) return SET_TABLE;
	bool numbers = true;
	struct set_walk walk = { .set = s };
	struct set_key keys[SET__BATCH];
	for (size_t n; (n = set__walk(&walk, keys, SET__BATCH, false)) > 0;) {
		for (size_t i = 0; i < n; i++) {
			char scratch[SET__SCRATCH_BYTES];
			size_t len = set__key_text(&keys[i], scratch).len;
			if (len > longest) longest = len;
			numbers &= keys[i].is_number;
		}
	}
	if (numbers) return count <= max_ints ? SET_INTS : SET_TABLE;
	return count <= max_pack && longest <= limits->set_max_listpack_value ? SET_PACK : SET_TABLE;
}

/* Makes a flat set of a table, when that is its form. False without memory, the table stays. */
static bool settle(struct value *s, const struct type_limits *limits) {
	if (form_for(s, limits) == SET_TABLE) return true;
	struct keeper keeper = { value_new(VALUE_SET), limits, false };
	filter(s, NULL, 0, true, keep_key, &keeper);
	value_release(keeper.failed ? &keeper.result : s);
	if (!keeper.failed) *s = keeper.result;
	return !keeper.failed;
}

static bool unite_ints(const struct value *sets, size_t count, struct keeper *k) {
	for (size_t i = 0; i < count; i++) {
		struct set_walk walk = { .set = &sets[i] };
		struct set_key key;
		while (sets[i].data && set__walk(&walk, &key, 1, true) > 0)
			if (!set__has(&k->result, &key) && !keep_key(k, &key)) return false;
	}
	return true;
}

static bool unite(const struct value *sets, size_t count, struct keeper *k) {
	if (all_are(sets, count, SET_INTS)) return unite_ints(sets, count, k);
	const struct value *largest = largest_table(sets, count);
	value_release(&k->result);
	k->result = largest ? value_copy(largest) : set__new_table(0);
	for (size_t i = 0; i < count; i++) {
		if (!sets[i].data || &sets[i] == largest) continue;
		if (!add_all(&k->result, &sets[i])) return false;
	}
	return settle(&k->result, k->limits);
}

/* Redis comes to a difference by one of two ways; by the second it has all of the first set in hand for a while, and a
 * form that was changed for that does not change back. */
static void widen_like_first(struct value *result, const struct value *first, const struct type_limits *limits) {
	enum set_encoding form = form_for(first, limits);
	if (result->encoding >= form || set_count(result) == 0) return;
	if (form == SET_PACK) {
		set__to_pack(result);
	} else {
		set__to_table(result, set_count(result));
	}
}

/* ---- The calls ---- */

static bool combine_flat_union(const struct value *sets, size_t count, const struct visitor *v) {
	struct value united;
	if (!set_combine_new(SET_UNION, sets, count, &type_limits_default, &united)) return false;
	set_each(&united, v->visit, v->context);
	value_release(&united);
	return true;
}

bool set_combine(
	enum set_operation operation, const struct value *sets, size_t count, set_visit_fn *visit, void *context) {
	struct visitor v = { visit, context };
	if (operation == SET_DIFFERENCE) return subtract(sets, count, visit_key, &v);
	if (operation == SET_UNION) {
		const struct value *largest = largest_table(sets, count);
		return largest ? visit_union(sets, count, largest, &v) : combine_flat_union(sets, count, &v);
	}
	intersect(sets, count, visit_key, &v);
	return true;
}

size_t set_count_intersection(const struct value *sets, size_t count, size_t limit) {
	struct counter c = { 0, limit };
	intersect(sets, count, count_key, &c);
	return c.count;
}

bool set_combine_new(enum set_operation operation, const struct value *sets, size_t count,
	const struct type_limits *limits, struct value *result) {
	struct keeper k = { value_new(VALUE_SET), limits, false };
	bool ok = true;
	if (operation == SET_UNION) {
		ok = unite(sets, count, &k);
	} else if (operation == SET_DIFFERENCE) {
		ok = subtract(sets, count, keep_key, &k);
	} else {
		intersect(sets, count, keep_key, &k);
	}
	if (!ok || k.failed) {
		value_release(&k.result);
		return false;
	}
	if (operation == SET_DIFFERENCE && sets[0].data && gathers(sets, count))
		widen_like_first(&k.result, &sets[0], limits);
	*result = k.result;
	return true;
}
