/* The form in which a hash begins: texts one behind the other, each with its length. */
#include "types/hash_private.h"

#include <assert.h>

enum { TIGHT_HEAD_BYTES = 2, TIGHT_TEXT_MAX = UINT8_MAX };

struct value hash__tight_new(void) {
	struct hash_tight *tight = mem_alloc(mem_size_class(TIGHT_HEAD_BYTES));
	tight->bytes = TIGHT_HEAD_BYTES;
	tight->fields = 0;
	return (struct value){ VALUE_HASH, HASH_TIGHT, tight };
}

struct hash_spot hash__tight_find(const struct value *h, struct slice field) {
	const struct hash_tight *tight = h->data;
	const uint8_t *start = h->data, *end = start + tight->bytes;
	for (const uint8_t *at = tight->texts; at < end;) {
		const uint8_t *value = at + 1 + at[0];
		if (at[0] == field.len && memcmp(at + 1, field.ptr ? field.ptr : "", field.len) == 0)
			return (struct hash_spot){ (size_t)(at - start), (size_t)(value - start), 0, HASH_NO_END };
		at = value + 1 + value[0];
	}
	return (struct hash_spot){ .end_ms = HASH_NO_END };
}

static void write_text(uint8_t *at, struct slice text) {
	at[0] = (uint8_t)text.len;
	if (text.len > 0) memcpy(at + 1, text.ptr, text.len);
}

/* Puts `added` bytes of room in the place of the `removed` ones at `at`; the rest moves along. */
static uint8_t *splice(struct value *h, size_t at, size_t removed, size_t added) {
	struct hash_tight *tight = h->data;
	size_t bytes = tight->bytes, now = bytes - removed + added;
	assert(now <= HASH_TIGHT_MAX_BYTES);
	if (mem_size_class(now) > mem_size_class(bytes)) tight = mem_realloc(tight, mem_size_class(now));
	uint8_t *place = (uint8_t *)tight + at;
	memmove(place + added, place + removed, bytes - at - removed);
	if (mem_size_class(now) < mem_size_class(bytes)) {
		tight = mem_realloc(tight, mem_size_class(now));
		place = (uint8_t *)tight + at;
	}
	tight->bytes = (uint8_t)now;
	h->data = tight;
	return place;
}

bool hash__tight_set(struct value *h, struct slice field, struct slice value, enum hash_set_result *result) {
	if (field.len > TIGHT_TEXT_MAX || value.len > TIGHT_TEXT_MAX) return false;
	struct hash_tight *tight = h->data;
	struct hash_spot spot = hash__tight_find(h, field);
	size_t room = HASH_TIGHT_MAX_BYTES - tight->bytes;
	if (spot.at) {
		size_t old_len = ((uint8_t *)h->data)[spot.value_at];
		if (value.len > old_len + room) return false;
		write_text(splice(h, spot.value_at, 1 + old_len, 1 + value.len), value);
		*result = HASH_CHANGED;
		return true;
	}
	size_t bytes = 2 + field.len + value.len;
	if (bytes > room) return false;
	uint8_t *place = splice(h, tight->bytes, 0, bytes);
	write_text(place, field);
	write_text(place + 1 + field.len, value);
	((struct hash_tight *)h->data)->fields++;
	*result = HASH_ADDED;
	return true;
}

void hash__tight_remove(struct value *h, const struct hash_spot *spot) {
	const uint8_t *start = h->data;
	(void)splice(h, spot->at, spot->value_at + 1 + start[spot->value_at] - spot->at, 0);
	((struct hash_tight *)h->data)->fields--;
}

size_t hash__tight_nth(const struct value *h, size_t index) {
	size_t at = hash__first(h);
	while (index-- > 0) {
		struct hash_spot spot = hash__spot(h, at);
		at = hash__spot_next(h, &spot);
	}
	return at;
}

const char *hash__tight_check(const struct value *h) {
	const struct hash_tight *tight = h->data;
	const uint8_t *start = h->data;
	size_t at = TIGHT_HEAD_BYTES;
	unsigned texts = 0;
	if (tight->bytes < TIGHT_HEAD_BYTES) return "a tight hash is too short";
	for (; at < tight->bytes; texts++) at += 1 + (size_t)start[at];
	if (at != tight->bytes) return "a text of a tight hash is cut off";
	if (texts != 2u * tight->fields) return "the count of fields of a tight hash is wrong";
	for (at = hash__first(h); at;) {
		char scratch[PACK_SCRATCH_BYTES];
		struct hash_spot spot = hash__spot(h, at);
		if (hash__tight_find(h, hash__text(h, at, scratch)).at != at) return "a tight hash has a field twice";
		at = hash__spot_next(h, &spot);
	}
	return NULL;
}
