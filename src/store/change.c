/* Every way in which an entry comes, changes and goes. */
#include "store/store.h"

#include <assert.h>

#include "base/number.h"
#include "store/store_private.h"

/* ---- Linking ---- */

static void note_earliest(struct view *v, uint64_t hash, int64_t expiry_ms) {
	struct shard_state *state = view_shard_state(v, hash);
	if (expiry_ms < state->earliest_ms) state->earliest_ms = expiry_ms;
	if (expiry_ms < v->earliest_ms) v->earliest_ms = expiry_ms;
}

static void index_add(struct view *v, struct part *p, uint64_t hash, struct entry *e, int64_t expiry_ms) {
	deadlines_add(&p->deadlines, expiry_ms, e);
	view_shard_state(v, hash)->volatile_count++;
	note_earliest(v, hash, expiry_ms);
}

static void index_remove(struct view *v, struct part *p, uint64_t hash, uintptr_t e, int64_t expiry_ms) {
	deadlines_remove(&p->deadlines, expiry_ms, (struct entry *)e);
	view_shard_state(v, hash)->volatile_count--;
}

void store__link(struct view *v, const struct key *key, struct entry *e) {
	struct part *p = view_part(v, key->hash);
	uint64_t bit = store_db_bit(v->db_index);
	if (!(v->stats->databases & bit)) STAT_SET(v->stats->databases, v->stats->databases | bit);
	table_insert(&p->keys, key->hash, e, entry__hash);
	p->bytes += entry_memory(e, 0);
	if (entry_has(e, ENTRY_EXPIRES)) index_add(v, p, key->hash, e, entry_expiry(e));
}

static bool is_same(const void *item, const void *address) {
	return item == address;
}

static struct table_place place_of(struct part *p, const struct key *key, const void *address) {
	struct table_place place = table_find(&p->keys, key->hash, is_same, address);
	assert(place.bucket);
	return place;
}

void store__unlink(struct view *v, const struct key *key, struct entry *e) {
	struct part *p = view_part(v, key->hash);
	table_remove(&p->keys, place_of(p, key, e));
	p->bytes -= entry_memory(e, 0);
	if (entry_has(e, ENTRY_EXPIRES)) index_remove(v, p, key->hash, (uintptr_t)e, entry_expiry(e));
}

void store__relink(
	struct view *v, const struct key *key, uintptr_t was, struct entry *now, int64_t old_expiry, size_t old_bytes) {
	struct part *p = view_part(v, key->hash);
	if ((uintptr_t)now != was) table_replace(place_of(p, key, (const void *)was), now);
	p->bytes += entry_memory(now, 0) - old_bytes;
	int64_t expiry = entry_expiry(now);
	if (expiry == old_expiry && (uintptr_t)now == was) return;
	if (old_expiry >= 0 && expiry >= 0) {
		deadlines_move(&p->deadlines, old_expiry, (struct entry *)was, expiry, now);
		note_earliest(v, key->hash, expiry);
	} else if (old_expiry >= 0) {
		index_remove(v, p, key->hash, was, old_expiry);
	} else if (expiry >= 0) {
		index_add(v, p, key->hash, now, expiry);
	}
}

void store__free_entry(struct entry *e) {
	entry__free_value(e);
	entry__free_shell(e);
}

/* ---- Shaping ---- */

/* What has to be remembered of an entry while it is given another shape. */
struct before {
	uintptr_t address;
	int64_t expiry_ms;
	size_t bytes;
};

static struct before remember(const struct entry *e) {
	return (struct before){ (uintptr_t)e, entry_expiry(e), entry_memory(e, 0) };
}

/* A new entry, or `e` in a new shape, whose value is not filled in yet. The old value must be freed or saved by the caller
 * before; NULL, nothing changed, without memory. */
static struct entry *shape(struct view *v, const struct key *key, struct entry *e, const struct entry_plan *plan) {
	if (e) return entry__reshape(e, plan, key_slice(key));
	struct entry *fresh = entry__new(plan, key_slice(key));
	if (fresh) store__touch_new(v->store, fresh, v->now_ms);
	return fresh;
}

static void settle(
	struct view *v, const struct key *key, struct entry *now, const struct entry *e, struct before before) {
	if (e)
		store__relink(v, key, before.address, now, before.expiry_ms, before.bytes);
	else
		store__link(v, key, now);
}

static int64_t kept_expiry(const struct entry *e, int64_t expiry_ms) {
	if (expiry_ms != EXPIRY_KEEP) return expiry_ms;
	return e ? entry_expiry(e) : EXPIRY_NONE;
}

static struct entry *put_word(
	struct view *v, const struct key *key, struct entry *e, unsigned encoding, uint64_t word, int64_t expiry_ms) {
	struct entry_plan plan = { VALUE_STRING, encoding, kept_expiry(e, expiry_ms), 0 };
	struct before before = e ? remember(e) : (struct before){ 0 };
	/* The old value is freed only once the new shape is certain. */
	struct blob *old_blob =
		e && entry_type(e) == VALUE_STRING && entry_encoding(e) == STRING_BLOB ? entry__blob(e) : NULL;
	struct entry *now = shape(v, key, e, &plan);
	if (!now) return NULL;
	if (old_blob) entry__drop_blob(old_blob);
	entry__set_word(now, word);
	settle(v, key, now, e, before);
	return now;
}

struct entry *store_put_int(struct view *v, const struct key *key, struct entry *e, int64_t value, int64_t expiry_ms) {
	return put_word(v, key, e, STRING_INT, (uint64_t)value, expiry_ms);
}

static struct entry *put_inline(
	struct view *v, const struct key *key, struct entry *e, struct slice value, int64_t expiry_ms) {
	struct entry_plan plan = { VALUE_STRING, STRING_INLINE, kept_expiry(e, expiry_ms), value.len };
	struct before before = e ? remember(e) : (struct before){ 0 };
	struct blob *old_blob =
		e && entry_type(e) == VALUE_STRING && entry_encoding(e) == STRING_BLOB ? entry__blob(e) : NULL;
	struct entry *now = shape(v, key, e, &plan);
	if (!now) return NULL;
	if (old_blob) entry__drop_blob(old_blob);
	if (value.len) memcpy(entry__inline_bytes(now), value.ptr, value.len);
	settle(v, key, now, e, before);
	return now;
}

static struct entry *put_blob(
	struct view *v, const struct key *key, struct entry *e, struct slice value, int64_t expiry_ms) {
	struct blob *b = blob_new(value.len, value.len);
	if (!b) return NULL;
	memcpy(b->bytes, value.ptr, value.len);
	struct entry *now = put_word(v, key, e, STRING_BLOB, (uint64_t)(uintptr_t)b, expiry_ms);
	if (!now) mem_free(b);
	return now;
}

/* Only short texts can be integers; the first byte sorts most others out. */
static bool is_integer(struct slice value, int64_t *number) {
	if (value.len == 0 || value.len > NUMBER_I64_MAX_CHARS) return false;
	if ((value.ptr[0] < '0' || value.ptr[0] > '9') && value.ptr[0] != '-') return false;
	return number_parse_i64(value, number);
}

struct entry *store_put_string(
	struct view *v, const struct key *key, struct entry *e, struct slice value, int64_t expiry_ms) {
	int64_t number;
	if (is_integer(value, &number)) return store_put_int(v, key, e, number, expiry_ms);
	return store_put_text(v, key, e, value, expiry_ms);
}

struct entry *store_put_text(
	struct view *v, const struct key *key, struct entry *e, struct slice value, int64_t expiry_ms) {
	if (value.len > ENTRY_INLINE_MAX) return put_blob(v, key, e, value, expiry_ms);
	return put_inline(v, key, e, value, expiry_ms);
}

/* ---- Editing in place ---- */

/* Grows by doubling up to a mebibyte and by a mebibyte beyond, so that appending is cheap and waste bounded. */
static size_t roomy(size_t len) {
	return len < (1u << 20) ? len * 2 : len + (1u << 20);
}

static struct blob *blob_resized(struct blob *b, size_t len) {
	if (len > b->cap) {
		size_t cap = roomy(len);
		struct blob *bigger = mem_try_realloc(b, sizeof(*b) + cap);
		if (!bigger) bigger = mem_try_realloc(b, sizeof(*b) + (cap = len));
		if (!bigger) return NULL;
		b = bigger;
		b->cap = cap;
	}
	if (len > b->len) memset(b->bytes + b->len, 0, len - b->len);
	b->len = len;
	return b;
}

static char *edit_blob(struct view *v, const struct key *key, struct entry *e, size_t len) {
	struct before before = remember(e);
	struct blob *b = blob_resized(entry__blob(e), len);
	if (!b) return NULL;
	entry__set_word(e, (uint64_t)(uintptr_t)b);
	settle(v, key, e, e, before);
	return b->bytes;
}

/* Turns a short string into a blob of `len` bytes. */
static char *edit_to_blob(struct view *v, const struct key *key, struct entry *e, struct slice old, size_t len) {
	struct blob *b = blob_new(len, old.len ? roomy(len) : len);
	if (!b) return NULL;
	size_t kept = old.len < len ? old.len : len;
	if (kept) memcpy(b->bytes, old.ptr, kept);
	memset(b->bytes + kept, 0, len - kept);
	if (!put_word(v, key, e, STRING_BLOB, (uint64_t)(uintptr_t)b, EXPIRY_KEEP)) {
		mem_free(b);
		return NULL;
	}
	return b->bytes;
}

static char *edit_inline(struct view *v, const struct key *key, struct entry *e, struct slice old, size_t len) {
	char copy[ENTRY_INLINE_MAX];
	size_t kept = old.len < len ? old.len : len;
	if (kept) memcpy(copy, old.ptr, kept);
	struct entry_plan plan = { VALUE_STRING, STRING_EDITED, kept_expiry(e, EXPIRY_KEEP), len };
	struct before before = e ? remember(e) : (struct before){ 0 };
	struct entry *now = shape(v, key, e, &plan);
	if (!now) return NULL;
	char *bytes = entry__inline_bytes(now);
	if (kept) memcpy(bytes, copy, kept);
	memset(bytes + kept, 0, len - kept);
	settle(v, key, now, e, before);
	return bytes;
}

char *store_edit_string(struct view *v, const struct key *key, struct entry *e, size_t len) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	struct slice old = e ? entry_string(e, scratch) : slice_of(NULL, 0);
	if (e && entry_encoding(e) == STRING_BLOB) return edit_blob(v, key, e, len);
	/* The common edit of an edited string: same length, nothing to move. */
	if (e && entry_encoding(e) == STRING_EDITED && old.len == len) return entry__inline_bytes(e);
	if (len > ENTRY_INLINE_MAX) return edit_to_blob(v, key, e, old, len);
	return edit_inline(v, key, e, old, len);
}

/* ---- Values of every type ---- */

void store_remove(struct view *v, const struct key *key, struct entry *e) {
	store__unlink(v, key, e);
	store__free_entry(e);
}

void store__expire(struct view *v, const struct key *key, struct entry *e) {
	store__before_change(v, key, e);
	store_remove(v, key, e);
	STAT_ADD(v->stats->expired_keys, 1);
	store_committed(v, key, EVENT_EXPIRED, "expired");
}

/* The plan that describes what an entry is now. */
static struct entry_plan plan_of(const struct entry *e) {
	return (struct entry_plan){ entry_type(e), entry_encoding(e), entry_expiry(e),
		entry_is_inline(e) ? entry__inline_len(e) : 0 };
}

/* The value as it lies in the entry: inline bytes (copied to `copy`) or the word. */
struct raw_value {
	uint64_t word;
	size_t len;
	char bytes[ENTRY_INLINE_MAX];
};

static void take_value(const struct entry *e, struct raw_value *value) {
	value->len = 0;
	value->word = 0;
	if (entry_is_inline(e)) {
		value->len = entry__inline_len(e);
		memcpy(value->bytes, entry__inline_bytes(e), value->len);
	} else {
		memcpy(&value->word, entry__word(e), sizeof(value->word));
	}
}

static void give_value(struct entry *e, const struct raw_value *value) {
	if (entry_is_inline(e))
		memcpy(entry__inline_bytes(e), value->bytes, value->len);
	else
		entry__set_word(e, value->word);
}

struct entry *store_set_expiry(struct view *v, const struct key *key, struct entry *e, int64_t expiry_ms) {
	struct before before = remember(e);
	if ((before.expiry_ms >= 0) == (expiry_ms >= 0)) {
		if (expiry_ms >= 0) entry__set_expiry_word(e, expiry_ms);
		store__relink(v, key, before.address, e, before.expiry_ms, before.bytes);
		return e;
	}
	struct raw_value value;
	take_value(e, &value);
	struct entry_plan plan = plan_of(e);
	plan.expiry_ms = expiry_ms;
	struct entry *now = entry__reshape(e, &plan, entry_key(e));
	if (!now) mem_exhausted(entry__plan_bytes(&plan, key->len));
	give_value(now, &value);
	store__relink(v, key, before.address, now, before.expiry_ms, before.bytes);
	return now;
}

bool store_move(
	struct view *from, const struct key *from_key, struct entry *e, struct view *to, const struct key *to_key) {
	struct entry_plan plan = plan_of(e);
	struct entry *now = entry__new(&plan, key_slice(to_key));
	if (!now) return false;
	struct entry *there = store_find_write(to, to_key);
	if (there) store_remove(to, to_key, there);
	struct raw_value value;
	take_value(e, &value);
	give_value(now, &value);
	memcpy(now->_access, e->_access, sizeof(e->_access));
	store__unlink(from, from_key, e);
	entry__free_shell(e);
	store__link(to, to_key, now);
	return true;
}

bool store_copy(struct view *from, const struct entry *e, struct view *to, const struct key *to_key) {
	(void)from;
	struct raw_value value;
	take_value(e, &value);
	struct blob *blob = NULL;
	if (entry_type(e) == VALUE_STRING && entry_encoding(e) == STRING_BLOB) {
		const struct blob *source = entry__blob(e);
		blob = blob_new(source->len, source->len);
		if (!blob) return false;
		memcpy(blob->bytes, source->bytes, source->len);
		value.word = (uint64_t)(uintptr_t)blob;
	}
	struct entry_plan plan = plan_of(e);
	struct entry *now = entry__new(&plan, key_slice(to_key));
	if (!now) {
		mem_free(blob);
		return false;
	}
	give_value(now, &value);
	store__touch_new(to->store, now, to->now_ms);
	store__link(to, to_key, now);
	return true;
}
