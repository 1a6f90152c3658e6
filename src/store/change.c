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
	p->bytes += entry_memory(e);
	p->expiring += entry_has(e, ENTRY_EXPIRES);
	p->fields_end += entry_has(e, ENTRY_FIELDS_END);
	int64_t due = entry__due(e);
	if (due >= 0) index_add(v, p, key->hash, e, due);
	store_event(v, key, EVENT_NEW, "new");
}

static bool is_same(const void *item, const void *address) {
	return item == address;
}

static struct table_place place_of(struct part *p, const struct key *key, const void *address) {
	struct table_place place = table_find(&p->keys, key->hash, is_same, address);
	assert(place.bucket);
	return place;
}

struct entry_before entry__remember(const struct entry *e) {
	return (struct entry_before){ (uintptr_t)e, entry__due(e), entry_memory(e), e->_flags };
}

static void unlink_remembered(struct view *v, const struct key *key, const struct entry_before *before) {
	struct part *p = view_part(v, key->hash);
	table_remove(&p->keys, place_of(p, key, (const void *)before->address));
	p->bytes -= before->bytes;
	p->expiring -= (before->flags & ENTRY_EXPIRES) != 0;
	p->fields_end -= (before->flags & ENTRY_FIELDS_END) != 0;
	if (before->due_ms >= 0) index_remove(v, p, key->hash, before->address, before->due_ms);
}

void store__unlink(struct view *v, const struct key *key, struct entry *e) {
	struct entry_before before = entry__remember(e);
	unlink_remembered(v, key, &before);
}

void store__relink(struct view *v, const struct key *key, const struct entry_before *before, struct entry *now) {
	struct part *p = view_part(v, key->hash);
	bool moved = (uintptr_t)now != before->address;
	if (moved) table_replace(place_of(p, key, (const void *)before->address), now);
	p->bytes += entry_memory(now) - before->bytes;
	if (now->_flags != before->flags) {
		p->expiring += (size_t)entry_has(now, ENTRY_EXPIRES) - ((before->flags & ENTRY_EXPIRES) != 0);
		p->fields_end += (size_t)entry_has(now, ENTRY_FIELDS_END) - ((before->flags & ENTRY_FIELDS_END) != 0);
	}
	int64_t due = entry__due(now);
	if (due == before->due_ms && !moved) return;
	if (before->due_ms >= 0 && due >= 0) {
		deadlines_move(&p->deadlines, before->due_ms, (struct entry *)before->address, due, now);
		note_earliest(v, key->hash, due);
	} else if (before->due_ms >= 0) {
		index_remove(v, p, key->hash, before->address, before->due_ms);
	} else if (due >= 0) {
		index_add(v, p, key->hash, now, due);
	}
}

void store__free_entry(struct entry *e) {
	entry__free_value(e);
	entry__free_shell(e);
}

/* ---- Shaping ---- */

/* A new entry, or `e` in a new shape, whose value is not filled in yet. The old value must be freed or saved by the caller
 * before; NULL, nothing changed, without memory. */
static struct entry *shape(struct view *v, const struct key *key, struct entry *e, const struct entry_plan *plan) {
	if (e) return entry__reshape(e, plan, key_slice(key));
	struct entry *fresh = entry__new(plan, key_slice(key));
	if (fresh) store__touch_new(v->store, fresh, v->now_ms);
	return fresh;
}

static void settle(struct view *v, const struct key *key, struct entry *now, const struct entry *e,
	const struct entry_before *before) {
	if (e)
		store__relink(v, key, before, now);
	else
		store__link(v, key, now);
}

/* The value of an entry that gets another one: what has to be freed once the new shape is certain. */
struct old_value {
	struct blob *blob;
	struct value value;
};

static struct old_value old_value_of(const struct entry *e) {
	struct old_value old = { 0 };
	if (!e || entry_is_inline(e)) return old;
	if (entry_type(e) != VALUE_STRING)
		old.value = entry_value(e);
	else if (entry_encoding(e) == STRING_BLOB)
		old.blob = entry__blob(e);
	return old;
}

static void drop_old_value(struct old_value *old) {
	if (__builtin_expect(old->blob != NULL, 0)) entry__drop_blob(old->blob);
	if (__builtin_expect(old->value.data != NULL, 0)) entry__drop_value(&old->value);
}

static int64_t kept_expiry(const struct entry *e, int64_t expiry_ms) {
	if (expiry_ms != EXPIRY_KEEP) return expiry_ms;
	return e ? entry_expiry(e) : EXPIRY_NONE;
}

/* The entry in its new shape, without its old value; the new one is for the caller to fill in, and then to settle. NULL,
 * nothing changed, without memory. */
static struct entry *reshaped(struct view *v, const struct key *key, struct entry *e, const struct entry_plan *plan,
	struct entry_before *before) {
	*before = e ? entry__remember(e) : (struct entry_before){ 0 };
	struct old_value old = old_value_of(e);
	struct entry *now = shape(v, key, e, plan);
	/* Freed only once the new shape is certain. */
	if (now) drop_old_value(&old);
	return now;
}

static struct entry *put_word(
	struct view *v, const struct key *key, struct entry *e, const struct entry_plan *plan, uint64_t word) {
	struct entry_before before;
	struct entry *now = reshaped(v, key, e, plan, &before);
	if (!now) return NULL;
	entry__set_word(now, word);
	settle(v, key, now, e, &before);
	return now;
}

struct entry *store_put_int(struct view *v, const struct key *key, struct entry *e, int64_t value, int64_t expiry_ms) {
	struct entry_plan plan = { VALUE_STRING, STRING_INT, kept_expiry(e, expiry_ms), false, 0, false };
	return put_word(v, key, e, &plan, (uint64_t)value);
}

static struct entry *put_short(
	struct view *v, const struct key *key, struct entry *e, struct slice value, int64_t expiry_ms) {
	struct entry_plan plan = { VALUE_STRING, STRING_INLINE, kept_expiry(e, expiry_ms), true, value.len, false };
	struct entry_before before;
	struct entry *now = reshaped(v, key, e, &plan, &before);
	if (!now) return NULL;
	if (value.len) memcpy(entry__inline_bytes(now), value.ptr, value.len);
	settle(v, key, now, e, &before);
	return now;
}

static struct entry *put_blob(
	struct view *v, const struct key *key, struct entry *e, struct blob *b, int64_t expiry_ms) {
	struct entry_plan plan = { VALUE_STRING, STRING_BLOB, kept_expiry(e, expiry_ms), false, 0, false };
	return put_word(v, key, e, &plan, (uint64_t)(uintptr_t)b);
}

static struct entry *put_long(
	struct view *v, const struct key *key, struct entry *e, struct slice value, int64_t expiry_ms) {
	struct blob *b = blob_new(value.len, value.len);
	if (!b) return NULL;
	memcpy(b->bytes, value.ptr, value.len);
	struct entry *now = put_blob(v, key, e, b, expiry_ms);
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
	if (value.len > ENTRY_INLINE_MAX) return put_long(v, key, e, value, expiry_ms);
	return put_short(v, key, e, value, expiry_ms);
}

struct entry *store_overwrite_string(
	struct view *v, const struct key *key, struct entry *e, struct slice value, int64_t expiry_ms) {
	if (!e || !v->store->policy.tells_overwritten) return store_put_string(v, key, e, value, expiry_ms);
	enum value_type was = entry_type(e);
	struct entry *now = store_put_string(v, key, e, value, expiry_ms);
	if (now) store_overwritten(v, key, was);
	return now;
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
	struct entry_before before = entry__remember(e);
	struct blob *b = blob_resized(entry__blob(e), len);
	if (!b) return NULL;
	entry__set_word(e, (uint64_t)(uintptr_t)b);
	settle(v, key, e, e, &before);
	return b->bytes;
}

/* Turns a short string into a blob of `len` bytes. */
static char *edit_to_blob(struct view *v, const struct key *key, struct entry *e, struct slice old, size_t len) {
	struct blob *b = blob_new(len, old.len ? roomy(len) : len);
	if (!b) return NULL;
	size_t kept = old.len < len ? old.len : len;
	if (kept) memcpy(b->bytes, old.ptr, kept);
	memset(b->bytes + kept, 0, len - kept);
	if (!put_blob(v, key, e, b, EXPIRY_KEEP)) {
		mem_free(b);
		return NULL;
	}
	return b->bytes;
}

static char *edit_inline(struct view *v, const struct key *key, struct entry *e, struct slice old, size_t len) {
	char copy[ENTRY_INLINE_MAX];
	size_t kept = old.len < len ? old.len : len;
	if (kept) memcpy(copy, old.ptr, kept);
	struct entry_plan plan = { VALUE_STRING, STRING_EDITED, kept_expiry(e, EXPIRY_KEEP), true, len, false };
	struct entry_before before = e ? entry__remember(e) : (struct entry_before){ 0 };
	struct entry *now = shape(v, key, e, &plan);
	if (!now) return NULL;
	char *bytes = entry__inline_bytes(now);
	if (kept) memcpy(bytes, copy, kept);
	memset(bytes + kept, 0, len - kept);
	settle(v, key, now, e, &before);
	return bytes;
}

char *store_edit_string(struct view *v, const struct key *key, struct entry *e, size_t len) {
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	struct slice old = e ? entry_string(e, scratch) : slice_of(NULL, 0);
	/* The common edit of a blob or an edited string: same length, nothing to move. */
	if (e && entry_encoding(e) == STRING_BLOB && old.len == len) return entry__blob(e)->bytes;
	if (e && entry_encoding(e) == STRING_BLOB) return edit_blob(v, key, e, len);
	if (e && entry_encoding(e) == STRING_EDITED && old.len == len) return entry__inline_bytes(e);
	if (len > ENTRY_INLINE_MAX) return edit_to_blob(v, key, e, old, len);
	return edit_inline(v, key, e, old, len);
}

/* ---- Collections ---- */

const struct type_limits *store_limits(const struct view *v) {
	return &v->store->policy.limits;
}

/* A flat value that lies in an entry, as an allocation of its own. */
static void *copied_out(const struct value *value) {
	size_t bytes = value_flat_bytes(value);
	return memcpy(mem_alloc(mem_size_class(bytes)), value->data, bytes);
}

void store_open(struct view *v, const struct key *key, struct entry *e, enum value_type type, struct edit *edit) {
	(void)v, (void)key;
	edit->_entry = e;
	if (!e) {
		edit->value = value_new(type);
		return;
	}
	assert(entry_type(e) == type);
	edit->value = entry_value(e);
	edit->_due_ms = entry__due(e);
	if (entry_is_inline(e)) {
		edit->_value_bytes = 0; /* they are the entry's */
		edit->value.data = copied_out(&edit->value);
	} else {
		edit->_value_bytes = value_memory(&edit->value);
	}
}

static bool vanishes(const struct value *value) {
	return value->type != VALUE_STREAM && value_count(value) == 0;
}

/* The plan of an entry that holds this collection. */
static struct entry_plan plan_for(const struct value *value, int64_t expiry_ms) {
	size_t flat = value_flat_bytes(value);
	bool is_inline = flat > 0 && flat <= ENTRY_INLINE_FLAT_MAX;
	return (struct entry_plan){ (enum value_type)value->type, value->encoding, expiry_ms, is_inline,
		is_inline ? flat : 0, value_next_end(value) >= 0 };
}

/* Gives the collection to an entry that has been shaped for it. */
static void fill(struct entry *e, struct value *value) {
	if (entry_is_inline(e)) {
		memcpy(entry__inline_bytes(e), value->data, entry__inline_len(e));
		value_release(value);
	} else {
		entry__set_word(e, (uint64_t)(uintptr_t)value->data);
		value->data = NULL;
	}
}

/* An entry whose value the edit has taken over goes. */
static void remove_opened(struct view *v, const struct key *key, const struct entry_before *before, struct entry *e) {
	unlink_remembered(v, key, before);
	entry__free_shell(e);
}

/* Whether the entry holds this value already, but for what lies behind its pointer. */
static bool holds(const struct entry *e, const struct value *value) {
	if (entry_is_inline(e) || entry_encoding(e) != value->encoding) return false;
	void *word;
	memcpy(&word, entry__word(e), sizeof(word));
	if (word != value->data) return false;
	size_t flat = value_flat_bytes(value);
	return flat == 0 || flat > ENTRY_INLINE_FLAT_MAX;
}

bool store_close(struct view *v, const struct key *key, struct edit *edit) {
	struct entry *e = edit->_entry;
	/* A big value that was changed behind its pointer: only its bytes may be others. */
	if (e && holds(e, &edit->value) && !vanishes(&edit->value) && value_next_end(&edit->value) < 0 &&
		!entry_has(e, ENTRY_FIELDS_END)) {
		view_part(v, key->hash)->bytes += value_memory(&edit->value) - edit->_value_bytes;
		return true;
	}
	struct entry_before before = { 0 };
	if (e)
		before = (struct entry_before){ (uintptr_t)e, edit->_due_ms,
			mem_size_class(entry__bytes(e)) + edit->_value_bytes, e->_flags };
	if (vanishes(&edit->value)) {
		entry__drop_value(&edit->value);
		if (e) remove_opened(v, key, &before, e);
		return false;
	}
	struct entry_plan plan = plan_for(&edit->value, e ? entry_expiry(e) : EXPIRY_NONE);
	struct entry *now = shape(v, key, e, &plan);
	if (!now) mem_exhausted(entry__plan_bytes(&plan, key->len));
	fill(now, &edit->value);
	settle(v, key, now, e, &before);
	return true;
}

bool store_put_value(struct view *v, const struct key *key, struct entry *e, struct value *value, int64_t expiry_ms) {
	if (vanishes(value)) {
		entry__drop_value(value);
		if (e) store_remove(v, key, e);
		return false;
	}
	struct entry_plan plan = plan_for(value, kept_expiry(e, expiry_ms));
	struct entry_before before;
	struct entry *now = reshaped(v, key, e, &plan, &before);
	if (!now) mem_exhausted(entry__plan_bytes(&plan, key->len));
	fill(now, value);
	settle(v, key, now, e, &before);
	return true;
}

bool store_overwrite_value(
	struct view *v, const struct key *key, struct entry *e, struct value *value, int64_t expiry_ms) {
	if (!e || !v->store->policy.tells_overwritten) return store_put_value(v, key, e, value, expiry_ms);
	enum value_type was = entry_type(e);
	bool there = store_put_value(v, key, e, value, expiry_ms);
	if (there) store_overwritten(v, key, was);
	return there;
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
	store_event(v, key, EVENT_EXPIRED, "expired");
}

struct entry *store__expire_fields(struct view *v, const struct key *key, struct entry *e, size_t limit) {
	store__before_change(v, key, e);
	struct edit edit;
	store_open(v, key, e, entry_type(e), &edit);
	STAT_ADD(v->stats->expired_fields, value_expire(&edit.value, v->now_ms, limit));
	bool there = store_close(v, key, &edit);
	store_committed(v, key, EVENT_HASH, "hexpired");
	if (there) return store__find_raw(v, key);
	store_committed(v, key, EVENT_GENERIC, "del");
	return NULL;
}

/* The plan that describes what an entry is now. */
static struct entry_plan plan_of(const struct entry *e) {
	return (struct entry_plan){ entry_type(e), entry_encoding(e), entry_expiry(e), entry_is_inline(e),
		entry_is_inline(e) ? entry__inline_len(e) : 0, entry_has(e, ENTRY_FIELDS_END) };
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
	struct entry_before before = entry__remember(e);
	if (entry_has(e, ENTRY_EXPIRES) == (expiry_ms >= 0)) {
		if (expiry_ms >= 0) entry__set_expiry_word(e, expiry_ms);
		store__relink(v, key, &before, e);
		return e;
	}
	struct raw_value value;
	take_value(e, &value);
	struct entry_plan plan = plan_of(e);
	plan.expiry_ms = expiry_ms;
	struct entry *now = entry__reshape(e, &plan, entry_key(e));
	if (!now) mem_exhausted(entry__plan_bytes(&plan, key->len));
	give_value(now, &value);
	store__relink(v, key, &before, now);
	return now;
}

bool store_move(struct view *from, const struct key *from_key, struct entry *e, struct view *to,
	const struct key *to_key, struct entry *there) {
	struct entry_plan plan = plan_of(e);
	struct entry *now = entry__new(&plan, key_slice(to_key));
	if (!now) return false;
	struct raw_value value;
	take_value(e, &value);
	give_value(now, &value);
	memcpy(now->_access, e->_access, sizeof(e->_access));
	store__unlink(from, from_key, e);
	entry__free_shell(e);
	if (there) store_remove(to, to_key, there);
	store__link(to, to_key, now);
	return true;
}

/* A second, independent value behind the word of `value`; false without memory. */
static bool duplicate(const struct entry *e, struct raw_value *value) {
	if (entry_is_inline(e)) return true;
	void *copy;
	if (entry_type(e) != VALUE_STRING) {
		struct value source = entry_value(e);
		copy = value_copy(&source).data;
	} else if (entry_encoding(e) == STRING_BLOB) {
		const struct blob *source = entry__blob(e);
		struct blob *blob = blob_new(source->len, source->len);
		if (!blob) return false;
		memcpy(blob->bytes, source->bytes, source->len);
		copy = blob;
	} else {
		return true;
	}
	value->word = (uint64_t)(uintptr_t)copy;
	return true;
}

bool store_copy(const struct entry *e, struct view *to, const struct key *to_key, struct entry *there) {
	struct raw_value value;
	take_value(e, &value);
	struct entry_plan plan = plan_of(e);
	struct entry *now = entry__new(&plan, key_slice(to_key));
	if (!now) return false;
	if (!duplicate(e, &value)) {
		entry__free_shell(now);
		return false;
	}
	give_value(now, &value);
	store__touch_new(to->store, now, to->now_ms);
	if (there) store_remove(to, to_key, there);
	store__link(to, to_key, now);
	return true;
}
