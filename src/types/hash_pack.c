/* Hashes in packs: of fields and values, or of fields, values and ends. */
#include "types/hash_private.h"

#include <assert.h>

struct hash_spot hash__pack_find(const struct value *h, struct slice field) {
	size_t at = pack_find(h->data, pack_first(h->data), field, hash__stride(h) - 1);
	if (at == 0) return (struct hash_spot){ .end_ms = HASH_NO_END };
	return hash__spot(h, at);
}

/* ---- Changing ---- */

/* What stands in the pack for an end. */
static int64_t end_entry(int64_t end_ms) {
	return end_ms >= 0 ? end_ms : 0;
}

/* The field before which one with that end comes: the first that does not end earlier. 0: the end of the pack. */
static size_t place_for(const struct value *h, int64_t end_ms) {
	if (end_ms < 0) return 0;
	struct hash_spot spot;
	for (size_t at = pack_first(h->data); at; at = hash__spot_next(h, &spot)) {
		spot = hash__spot(h, at);
		if (spot.end_ms < 0 || spot.end_ms >= end_ms) return at;
	}
	return 0;
}

static void insert(struct value *h, struct slice field, struct slice value, int64_t end_ms) {
	struct pack *pack = h->data;
	size_t at = h->encoding == HASH_PACK_ENDS ? place_for(h, end_ms) : 0;
	if (at == 0) {
		char scratch[PACK_SCRATCH_BYTES];
		struct slice end = slice_of(scratch, number_format_i64(scratch, end_entry(end_ms)));
		struct slice parts[] = { field, value, end };
		pack_append_many(&pack, parts, hash__stride(h));
	} else {
		pack_insert_before(&pack, at, field);
		at = pack_insert_after(&pack, at, value);
		pack_insert_int_after(&pack, at, end_entry(end_ms));
	}
	h->data = pack;
}

void hash__pack_remove(struct value *h, const struct hash_spot *spot) {
	struct pack *pack = h->data;
	(void)pack_delete_range(&pack, spot->at, hash__stride(h));
	h->data = pack;
}

enum hash_set_result hash__pack_set(
	struct value *h, struct slice field, struct slice value, int64_t end_ms, int64_t now_ms) {
	struct hash_spot spot = hash__pack_find(h, field);
	bool is_new = spot.at == 0 || hash__has_ended(spot.end_ms, now_ms);
	if (end_ms == HASH_KEEP_END) end_ms = is_new ? HASH_NO_END : spot.end_ms;
	if (spot.at && spot.end_ms == end_ms) {
		struct pack *pack = h->data;
		pack_replace(&pack, spot.value_at, value);
		h->data = pack;
	} else {
		if (spot.at) hash__pack_remove(h, &spot);
		insert(h, field, value, end_ms);
	}
	return is_new ? HASH_ADDED : HASH_CHANGED;
}

bool hash__pack_set_end(struct value *h, const struct hash_spot *spot, int64_t end_ms) {
	if (spot->end_ms == end_ms) return true;
	/* The texts are put in again elsewhere, so they must not lie in the pack. */
	char scratch[PACK_SCRATCH_BYTES];
	char stack[512], *copy = stack;
	struct slice field = pack_text(h->data, spot->at, scratch);
	size_t value_room = pack_text_len(h->data, spot->value_at) + PACK_SCRATCH_BYTES;
	if (field.len + value_room > sizeof(stack)) copy = mem_try_alloc(field.len + value_room);
	if (!copy) return false;
	if (field.len > 0) memcpy(copy, field.ptr, field.len);
	field.ptr = copy;
	struct slice value = pack_text(h->data, spot->value_at, scratch);
	if (value.len > 0) memcpy(copy + field.len, value.ptr, value.len);
	value.ptr = copy + field.len;
	hash__pack_remove(h, spot);
	insert(h, field, value, end_ms);
	if (copy != stack) mem_free(copy);
	return true;
}

/* A pack of the fields and values, and with_ends of a 0 behind each. */
static struct pack *repacked(const struct value *h, bool with_ends) {
	char field_scratch[PACK_SCRATCH_BYTES], value_scratch[PACK_SCRATCH_BYTES];
	struct pack *pack = pack_new();
	struct hash_spot spot;
	for (size_t at = hash__first(h); at; at = hash__spot_next(h, &spot)) {
		spot = hash__spot(h, at);
		struct slice parts[] = { hash__text(h, at, field_scratch), hash__text(h, spot.value_at, value_scratch),
			SLICE_LITERAL("0") };
		pack_append_many(&pack, parts, with_ends ? 3 : 2);
	}
	return pack;
}

struct pack *hash_plain_pack(const struct value *h) {
	assert(hash_is_flat(h));
	return repacked(h, false);
}

static void become(struct value *h, enum hash_encoding encoding) {
	struct pack *pack = repacked(h, encoding == HASH_PACK_ENDS);
	mem_free(h->data);
	h->data = pack;
	h->encoding = (uint8_t)encoding;
}

void hash__to_pack(struct value *h) {
	assert(h->encoding == HASH_TIGHT);
	become(h, HASH_PACK);
}

void hash__to_pack_ends(struct value *h) {
	assert(h->encoding == HASH_TIGHT || h->encoding == HASH_PACK);
	become(h, HASH_PACK_ENDS);
}

/* ---- Ends ---- */

size_t hash__pack_ended(const struct value *h, int64_t now_ms, size_t limit) {
	if (h->encoding != HASH_PACK_ENDS) return 0;
	size_t ended = 0;
	struct hash_spot spot;
	for (size_t at = pack_first(h->data); at && ended < limit; at = hash__spot_next(h, &spot)) {
		spot = hash__spot(h, at);
		if (!hash__has_ended(spot.end_ms, now_ms)) break;
		ended++;
	}
	return ended;
}

size_t hash__pack_expire(struct value *h, int64_t now_ms, size_t limit) {
	size_t ended = hash__pack_ended(h, now_ms, limit);
	if (ended == 0) return 0;
	struct pack *pack = h->data;
	(void)pack_delete_range(&pack, pack_first(pack), ended * 3);
	h->data = pack;
	return ended;
}

/* ---- Checking, also of packs from outside ---- */

/* Whether a field comes twice, or there is no memory to find out. By a table of positions, so that a long pack takes no longer
 * than others. */
static bool has_twins(const struct value *h, size_t fields) {
	const struct pack *pack = h->data;
	size_t slots = 4;
	while (slots < fields * 2) slots *= 2;
	uint32_t *seen = mem_try_calloc(slots * sizeof(*seen));
	bool twins = !seen;
	struct hash_spot spot;
	for (size_t at = pack_first(pack); at && !twins; at = hash__spot_next(h, &spot)) {
		char scratch[PACK_SCRATCH_BYTES];
		spot = hash__spot(h, at);
		struct slice field = pack_text(pack, at, scratch);
		size_t slot = hash_slice(field) & (slots - 1);
		for (; seen[slot] && !twins; slot = (slot + 1) & (slots - 1))
			twins = pack_equal(pack, seen[slot], field);
		seen[slot] = (uint32_t)at;
	}
	mem_free(seen);
	return twins;
}

static bool ends_in_order(const struct value *h) {
	int64_t last = 0;
	struct hash_spot spot;
	for (size_t at = pack_first(h->data); at; at = hash__spot_next(h, &spot)) {
		spot = hash__spot(h, at);
		struct pack_value end = pack_get(h->data, spot.end_at);
		if (!pack_value_is_int(end) || end.number < 0) return false;
		/* 0, no end, comes last. */
		if (end.number > 0 && (last < 0 || end.number < last)) return false;
		last = end.number > 0 ? end.number : -1;
	}
	return true;
}

const char *hash__pack_check(const struct value *h) {
	size_t entries = pack_count(h->data);
	if (!pack_validate(h->data, pack_bytes(h->data), PACK_DEEP)) return "the pack of a hash is damaged";
	if (entries % hash__stride(h) != 0) return "the pack of a hash lacks an entry";
	if (h->encoding == HASH_PACK_ENDS && !ends_in_order(h)) return "the pack of a hash has its ends out of order";
	if (has_twins(h, entries / hash__stride(h))) return "the pack of a hash has a field twice";
	return NULL;
}
