/* The calls of hashes: which form does what, and when one becomes another. */
#include "types/hash.h"

#include <assert.h>

#include "types/hash_private.h"

/* ---- Reading ---- */

size_t hash_count(const struct value *h) {
	if (h->encoding == HASH_TIGHT) return ((const struct hash_tight *)h->data)->fields;
	if (hash_is_flat(h)) return pack_count(h->data) / hash__stride(h);
	return table_count(&((const struct hash_big *)h->data)->items);
}

size_t hash_live_count(const struct value *h, int64_t now_ms) {
	size_t ended = hash_is_flat(h) ? hash__pack_ended(h, now_ms, SIZE_MAX) : hash__table_ended(h->data, now_ms);
	return hash_count(h) - ended;
}

int64_t hash_next_end(const struct value *h) {
	if (h->encoding == HASH_TABLE) return hash__table_next_end(h->data);
	size_t first = h->encoding == HASH_PACK_ENDS ? pack_first(h->data) : 0;
	return first ? hash__spot(h, first).end_ms : HASH_NO_END;
}

/* Of a flat form. at is 0 when the field is not there; what has ended is. */
static struct hash_spot find_flat(const struct value *h, struct slice field) {
	return h->encoding == HASH_TIGHT ? hash__tight_find(h, field) : hash__pack_find(h, field);
}

struct slice hash_get(
	const struct value *h, struct slice field, int64_t now_ms, char scratch[static PACK_SCRATCH_BYTES]) {
	const struct slice missing = { NULL, 0 };
	if (hash_is_flat(h)) {
		struct hash_spot spot = find_flat(h, field);
		if (spot.at == 0 || hash__has_ended(spot.end_ms, now_ms)) return missing;
		return hash__text(h, spot.value_at, scratch);
	}
	const struct hash_item *item = hash__table_find(h->data, field);
	if (!item) return missing;
	struct hash_parts parts = hash__item_parts(item);
	return hash__parts_ended(&parts, now_ms) ? missing : parts.value;
}

int64_t hash_end(const struct value *h, struct slice field, int64_t now_ms) {
	int64_t end_ms;
	if (hash_is_flat(h)) {
		struct hash_spot spot = find_flat(h, field);
		if (spot.at == 0) return HASH_NO_FIELD;
		end_ms = spot.end_ms;
	} else {
		const struct hash_item *item = hash__table_find(h->data, field);
		if (!item) return HASH_NO_FIELD;
		end_ms = hash__item_parts(item).end_ms;
	}
	return hash__has_ended(end_ms, now_ms) ? HASH_NO_FIELD : end_ms;
}

void hash_prefetch(const struct value *h, const struct slice *fields, size_t count, unsigned step) {
	/* One alone would be looked up right away. */
	if (hash_is_flat(h) || count < 2) return;
	const struct table *items = &((const struct hash_big *)h->data)->items;
	uint64_t hashes[HASH_PREFETCH_MAX];
	if (count > HASH_PREFETCH_MAX) count = HASH_PREFETCH_MAX;
	for (size_t i = 0; i < count; i++) table_prefetch(items, hashes[i] = hash_slice(fields[i * step]));
	for (size_t i = 0; i < count; i++) table_prefetch_items(items, hashes[i]);
}

/* ---- Visiting ---- */

static void each_flat(const struct value *h, int64_t now_ms, hash_visit_fn *visit, void *context) {
	char field_scratch[PACK_SCRATCH_BYTES], value_scratch[PACK_SCRATCH_BYTES];
	struct hash_spot spot;
	for (size_t at = hash__first(h); at; at = hash__spot_next(h, &spot)) {
		spot = hash__spot(h, at);
		if (hash__has_ended(spot.end_ms, now_ms)) continue;
		visit(context, hash__text(h, at, field_scratch), hash__text(h, spot.value_at, value_scratch));
	}
}

static void each_in_table(const struct hash_big *big, int64_t now_ms, hash_visit_fn *visit, void *context) {
	struct table_walk walk = { 0 };
	void *items[HASH_WALK_BATCH];
	for (size_t count; (count = hash__walk(big, &walk, items)) > 0;) {
		for (size_t i = 0; i < count; i++) {
			struct hash_parts parts = hash__item_parts(items[i]);
			if (!hash__parts_ended(&parts, now_ms)) visit(context, parts.field, parts.value);
		}
	}
}

void hash_each(const struct value *h, int64_t now_ms, hash_visit_fn *visit, void *context) {
	if (hash_is_flat(h))
		each_flat(h, now_ms, visit, context);
	else
		each_in_table(h->data, now_ms, visit, context);
}

struct scan_step {
	int64_t now_ms;
	hash_visit_fn *visit;
	void *context;
};

static void scan_item(void *context, void *item) {
	const struct scan_step *step = context;
	struct hash_parts parts = hash__item_parts(item);
	if (!hash__parts_ended(&parts, step->now_ms)) step->visit(step->context, parts.field, parts.value);
}

uint64_t hash_scan(const struct value *h, uint64_t cursor, int64_t now_ms, hash_visit_fn *visit, void *context) {
	if (hash_is_flat(h)) {
		each_flat(h, now_ms, visit, context);
		return 0;
	}
	struct scan_step step = { now_ms, visit, context };
	return table_scan(&((const struct hash_big *)h->data)->items, cursor, scan_item, &step);
}

/* ---- Changing ---- */

/* Whether the limits let this into a flat form. What the bytes of a pack can hold matters only when they are set very high. */
static bool fits_flat(const struct value *h, struct slice field, struct slice value, const struct type_limits *limits) {
	size_t longest = limits->hash_max_listpack_value;
	if (field.len > longest || value.len > longest) return false;
	if (h->encoding == HASH_TIGHT) return field.len + value.len < PACK_MAX_BYTES / 2;
	return pack_fits(h->data, field.len + value.len, 3);
}

void hash_expect(struct value *h, size_t fields, const struct type_limits *limits) {
	if (hash_is_flat(h) && fields > limits->hash_max_listpack_entries) hash__to_table(h);
}

/* The entries that this adds to a pack are small, but there may be many. */
void hash_allow_ends(struct value *h) {
	if (h->encoding == HASH_TIGHT || (h->encoding == HASH_PACK && pack_fits(h->data, 0, hash_count(h))))
		hash__to_pack_ends(h);
	else if (h->encoding == HASH_PACK)
		hash__to_table(h);
}

static enum hash_set_result set_flat(
	struct value *h, struct slice field, struct slice value, int64_t end_ms, int64_t now_ms) {
	enum hash_set_result result;
	if (h->encoding == HASH_TIGHT) {
		if (hash__tight_set(h, field, value, &result)) return result;
		hash__to_pack(h);
	}
	return hash__pack_set(h, field, value, end_ms, now_ms);
}

enum hash_set_result hash_set(struct value *h, struct slice field, struct slice value, int64_t end_ms, int64_t now_ms,
	const struct type_limits *limits) {
	assert(end_ms > 0 || end_ms == HASH_NO_END || end_ms == HASH_KEEP_END);
	if (hash_is_flat(h) && !fits_flat(h, field, value, limits)) hash__to_table(h);
	if (end_ms > 0) hash_allow_ends(h);
	if (!hash_is_flat(h)) return hash__table_set(h->data, field, value, end_ms, now_ms);
	enum hash_set_result result = set_flat(h, field, value, end_ms, now_ms);
	if (hash_count(h) > limits->hash_max_listpack_entries) hash__to_table(h);
	return result;
}

bool hash_set_end(struct value *h, struct slice field, int64_t end_ms) {
	assert(end_ms > 0 || end_ms == HASH_NO_END);
	if (end_ms > 0) hash_allow_ends(h);
	if (!hash_is_flat(h)) return hash__table_set_end(h->data, field, end_ms);
	struct hash_spot spot = find_flat(h, field);
	assert(spot.at);
	return hash__pack_set_end(h, &spot, end_ms);
}

bool hash_remove(struct value *h, struct slice field, int64_t now_ms) {
	if (!hash_is_flat(h)) return hash__table_remove(h->data, field, now_ms);
	struct hash_spot spot = find_flat(h, field);
	if (spot.at == 0) return false;
	if (h->encoding == HASH_TIGHT)
		hash__tight_remove(h, &spot);
	else
		hash__pack_remove(h, &spot);
	return !hash__has_ended(spot.end_ms, now_ms);
}

size_t hash_expire(struct value *h, int64_t now_ms, size_t limit) {
	return hash_is_flat(h) ? hash__pack_expire(h, now_ms, limit) : hash__table_expire(h->data, now_ms, limit);
}

/* ---- Loading and saving ---- */

const struct pack *hash_pack(const struct value *h) {
	return h->encoding == HASH_PACK || h->encoding == HASH_PACK_ENDS ? h->data : NULL;
}

static bool longest_fits(const struct value *h, size_t longest) {
	struct hash_spot spot;
	for (size_t at = pack_first(h->data); at; at = hash__spot_next(h, &spot)) {
		spot = hash__spot(h, at);
		if (pack_text_len(h->data, at) > longest || pack_text_len(h->data, spot.value_at) > longest)
			return false;
	}
	return true;
}

/* Back to the form that a hash of these fields would have had from the beginning. */
static void tighten(struct value *h) {
	/* Texts that a pack holds as numbers get longer. */
	if (h->encoding != HASH_PACK || pack_bytes(h->data) > (size_t)HASH_TIGHT_MAX_BYTES * 2) return;
	struct value tight = hash__tight_new();
	char field_scratch[PACK_SCRATCH_BYTES], value_scratch[PACK_SCRATCH_BYTES];
	struct hash_spot spot;
	size_t at = hash__first(h);
	for (; at; at = hash__spot_next(h, &spot)) {
		enum hash_set_result result;
		spot = hash__spot(h, at);
		struct slice field = hash__text(h, at, field_scratch);
		if (!hash__tight_set(&tight, field, hash__text(h, spot.value_at, value_scratch), &result)) break;
	}
	struct value *left = at ? &tight : h;
	mem_free(left->data);
	if (!at) *h = tight;
}

bool hash_from_pack(struct pack *pack, enum hash_encoding encoding, const struct type_limits *limits, struct value *h) {
	assert(encoding != HASH_TABLE);
	struct value made = { VALUE_HASH, (uint8_t)encoding, pack };
	if (hash__pack_check(&made)) {
		pack_free(pack);
		return false;
	}
	if (hash_count(&made) > limits->hash_max_listpack_entries ||
		!longest_fits(&made, limits->hash_max_listpack_value))
		hash__to_table(&made);
	tighten(&made);
	*h = made;
	return true;
}

/* ---- As a value ---- */

static size_t flat_bytes(const struct value *h) {
	if (h->encoding == HASH_TIGHT) return ((const struct hash_tight *)h->data)->bytes;
	return hash_is_flat(h) ? pack_bytes(h->data) : 0;
}

static size_t memory(const struct value *h) {
	return hash_is_flat(h) ? mem_size_class(flat_bytes(h)) : hash__table_memory(h->data);
}

static size_t pieces(const struct value *h) {
	return hash_is_flat(h) ? 1 : hash_count(h) + 1;
}

static void release(struct value *h) {
	if (hash_is_flat(h))
		mem_free(h->data);
	else
		hash__table_free(h->data);
	h->data = NULL;
}

static struct value copy(const struct value *h) {
	struct value twin = *h;
	if (hash_is_flat(h)) {
		size_t bytes = flat_bytes(h);
		twin.data = memcpy(mem_alloc(mem_size_class(bytes)), h->data, bytes);
	} else {
		twin.data = hash__table_copy(h->data);
	}
	return twin;
}

static const char *encoding_name(const struct value *h) {
	static const char *const names[] = { "listpack", "listpack", "listpackex", "hashtable" };
	return names[h->encoding];
}

static void visit_parts(
	struct slice field, struct slice value, int64_t end_ms, value_element_fn *visit, void *context) {
	char scratch[PACK_SCRATCH_BYTES];
	struct slice parts[3] = { field, value };
	if (end_ms >= 0) parts[2] = slice_of(scratch, number_format_i64(scratch, end_ms));
	visit(context, parts, end_ms >= 0 ? 3 : 2);
}

/* With what has ended: it is saved and copied as well. */
static void each(const struct value *h, value_element_fn *visit, void *context) {
	if (hash_is_flat(h)) {
		char field_scratch[PACK_SCRATCH_BYTES], value_scratch[PACK_SCRATCH_BYTES];
		struct hash_spot spot;
		for (size_t at = hash__first(h); at; at = hash__spot_next(h, &spot)) {
			spot = hash__spot(h, at);
			visit_parts(hash__text(h, at, field_scratch), hash__text(h, spot.value_at, value_scratch),
				spot.end_ms, visit, context);
		}
		return;
	}
	struct table_walk walk = { 0 };
	void *items[HASH_WALK_BATCH];
	for (size_t count; (count = hash__walk(h->data, &walk, items)) > 0;) {
		for (size_t i = 0; i < count; i++) {
			struct hash_parts parts = hash__item_parts(items[i]);
			visit_parts(parts.field, parts.value, parts.end_ms, visit, context);
		}
	}
}

static const char *check(const struct value *h) {
	if (h->type != VALUE_HASH || h->encoding > HASH_TABLE) return "a hash is in no known form";
	if (h->encoding == HASH_TIGHT) return hash__tight_check(h);
	return hash_is_flat(h) ? hash__pack_check(h) : hash__table_check(h->data);
}

const struct value_ops hash_ops = {
	.create = hash__tight_new,
	.flat_bytes = flat_bytes,
	.count = hash_count,
	.memory = memory,
	.pieces = pieces,
	.release = release,
	.copy = copy,
	.encoding_name = encoding_name,
	.each = each,
	.check = check,
	.next_end = hash_next_end,
	.expire = hash_expire,
	.live_count = hash_live_count,
};
