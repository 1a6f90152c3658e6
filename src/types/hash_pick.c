/* Fields by chance. */
#include "types/hash_private.h"

#include "base/random.h"

/* A field that has not ended: its item, or its position in a flat form. */
typedef uintptr_t hash_ref;

struct pick_visitor {
	hash_pick_fn *pick; /* says whether to go on */
	void *context;
};

static bool tell(const struct value *h, hash_ref ref, const struct pick_visitor *v) {
	char field_scratch[PACK_SCRATCH_BYTES], value_scratch[PACK_SCRATCH_BYTES];
	struct slice field, value;
	if (hash_is_flat(h)) {
		field = hash__text(h, ref, field_scratch);
		value = hash__text(h, hash__spot(h, ref).value_at, value_scratch);
	} else {
		struct hash_parts parts = hash__item_parts((const struct hash_item *)ref);
		field = parts.field;
		value = parts.value;
	}
	return v->pick(v->context, field, value);
}

/* The context of `once`. */
struct plain_visitor {
	hash_visit_fn *visit;
	void *context;
};

static bool once(void *context, struct slice field, struct slice value) {
	const struct plain_visitor *plain = context;
	plain->visit(plain->context, field, value);
	return false;
}

/* All fields that have not ended, *count of them; NULL without memory. For mem_free. */
static hash_ref *gather(const struct value *h, int64_t now_ms, size_t *count) {
	hash_ref *refs = mem_try_alloc((hash_count(h) + 1) * sizeof(*refs));
	*count = 0;
	if (!refs) return NULL;
	if (hash_is_flat(h)) {
		struct hash_spot spot;
		for (size_t at = hash__first(h); at; at = hash__spot_next(h, &spot)) {
			spot = hash__spot(h, at);
			if (!hash__has_ended(spot.end_ms, now_ms)) refs[(*count)++] = at;
		}
		return refs;
	}
	/* Only an end is a reason to look at the items. */
	bool look = hash__has_ended(hash_next_end(h), now_ms);
	struct table_walk walk = { 0 };
	void *items[HASH_WALK_BATCH];
	for (size_t got; (got = hash__walk(h->data, &walk, items)) > 0;) {
		for (size_t i = 0; i < got; i++) {
			if (look && hash__has_ended(hash__item_parts(items[i]).end_ms, now_ms)) continue;
			refs[(*count)++] = (hash_ref)items[i];
		}
	}
	return refs;
}

/* A field of the table; some have not ended, more than half if this is to be quick. */
static hash_ref random_item(const struct hash_big *big, int64_t now_ms) {
	for (;;) {
		const struct hash_item *item = table_random(&big->items);
		if (!big->ends || !hash__has_ended(hash__item_parts(item).end_ms, now_ms)) return (hash_ref)item;
	}
}

static bool mostly_alive(const struct value *h, size_t live) {
	return live >= hash_count(h) / 2;
}

static bool pick_gathered(const struct value *h, int64_t now_ms, const struct pick_visitor *v) {
	size_t count;
	hash_ref *refs = gather(h, now_ms, &count);
	if (!refs) return false;
	while (count > 0 && tell(h, refs[random_below(count)], v)) {
	}
	mem_free(refs);
	return true;
}

bool hash_pick(const struct value *h, int64_t now_ms, hash_visit_fn *visit, void *context) {
	struct plain_visitor plain = { visit, context };
	struct pick_visitor v = { once, &plain };
	size_t live = hash_live_count(h, now_ms);
	if (live == 0) return false;
	if (hash_is_flat(h)) {
		/* Those that have ended stand in front. */
		size_t index = hash_count(h) - 1 - random_below(live);
		bool tight = h->encoding == HASH_TIGHT;
		(void)tell(h, tight ? hash__tight_nth(h, index) : pack_nth(h->data, (int64_t)(index * hash__stride(h))),
			&v);
		return true;
	}
	if (mostly_alive(h, live)) {
		(void)tell(h, random_item(h->data, now_ms), &v);
		return true;
	}
	return pick_gathered(h, now_ms, &v);
}

bool hash_pick_many(const struct value *h, int64_t now_ms, hash_pick_fn *visit, void *context) {
	struct pick_visitor v = { visit, context };
	size_t live = hash_live_count(h, now_ms);
	if (live == 0) return true;
	if (hash_is_flat(h) || !mostly_alive(h, live)) return pick_gathered(h, now_ms, &v);
	while (tell(h, random_item(h->data, now_ms), &v)) {
	}
	return true;
}

/* ---- Different ones ---- */

/* The first steps of a shuffle. */
static bool shuffle(const struct value *h, int64_t now_ms, size_t wanted, const struct pick_visitor *v) {
	size_t count;
	hash_ref *refs = gather(h, now_ms, &count);
	if (!refs) return false;
	for (size_t i = 0; i < wanted; i++) {
		size_t other = i + random_below(count - i);
		hash_ref chosen = refs[other];
		refs[other] = refs[i];
		(void)tell(h, chosen, v);
	}
	mem_free(refs);
	return true;
}

/* Remembers an item; false when it was remembered before. `seen` has room for twice as many. */
static bool remember(hash_ref *seen, size_t mask, hash_ref ref) {
	size_t slot = (size_t)((ref >> 4) * 0x9E3779B97F4A7C15u >> 20) & mask;
	for (; seen[slot]; slot = (slot + 1) & mask)
		if (seen[slot] == ref) return false;
	seen[slot] = ref;
	return true;
}

/* Draws and draws again what was drawn before: at most every third time. */
static bool draw(const struct value *h, int64_t now_ms, size_t wanted, const struct pick_visitor *v) {
	size_t slots = 4;
	while (slots < wanted * 2) slots *= 2;
	hash_ref *seen = mem_try_calloc(slots * sizeof(*seen));
	if (!seen) return false;
	while (wanted > 0) {
		hash_ref ref = random_item(h->data, now_ms);
		if (!remember(seen, slots - 1, ref)) continue;
		(void)tell(h, ref, v);
		wanted--;
	}
	mem_free(seen);
	return true;
}

bool hash_pick_distinct(const struct value *h, int64_t now_ms, size_t count, hash_visit_fn *visit, void *context) {
	struct plain_visitor plain = { visit, context };
	struct pick_visitor v = { once, &plain };
	size_t live = hash_live_count(h, now_ms);
	if (count >= live) {
		hash_each(h, now_ms, visit, context);
		return true;
	}
	if (hash_is_flat(h) || count > live / 3 || !mostly_alive(h, live)) return shuffle(h, now_ms, count, &v);
	return draw(h, now_ms, count, &v);
}
