#include "types/set.h"

#include <assert.h>

#include "base/alloc.h"
#include "types/set_private.h"

size_t set__max_ints(const struct type_limits *limits) {
	return limits->set_max_intset_entries < INTSET_MAX_COUNT ? limits->set_max_intset_entries
								 : INTSET_MAX_COUNT - 1;
}

/* ---- Forms ---- */

static struct value of_ints(struct intset *ints) {
	return (struct value){ VALUE_SET, SET_INTS, ints };
}

static struct value of_pack(struct pack *pack) {
	return (struct value){ VALUE_SET, SET_PACK, pack };
}

static struct value create(void) {
	return of_ints(intset_new());
}

struct value set__new_table(size_t expected) {
	struct set_table *t = mem_calloc(sizeof(*t));
	if (expected > 0) table_reserve(&t->table, expected);
	return (struct value){ VALUE_SET, SET_TABLE, t };
}

static void free_item(void *context, void *item) {
	(void)context;
	set__item_free(item);
}

static void release(struct value *s) {
	switch ((enum set_encoding)s->encoding) {
	case SET_INTS: intset_free(set__ints(s)); break;
	case SET_PACK: pack_free(set__pack(s)); break;
	case SET_TABLE: {
		struct set_table *t = set__table(s);
		if (t->piece_bytes > 0) table_each(&t->table, free_item, NULL);
		table_release(&t->table);
		mem_free_sized(t, sizeof(*t));
		break;
	}
	}
	s->data = NULL;
}

/* Makes an item for a key that has a hash and puts it into the table. */
static bool table_put_key(struct set_table *t, const struct set_key *key) {
	void *item = set__item_new(key);
	if (!item) return false;
	set__table_put(t, key->hash, item);
	return true;
}

void set__table_put(struct set_table *t, uint64_t hash, void *item) {
	t->piece_bytes += set__item_bytes(item);
	table_insert(&t->table, hash, item, set__item_hash);
}

void set__table_take(struct set_table *t, struct table_place place) {
	t->piece_bytes -= set__item_bytes(table_item_at(place));
	table_remove(&t->table, place);
	if (!table_has_spare(&t->table)) return;
	void *spare[TABLE_LEVELS];
	for (unsigned count = table_take_spare(&t->table, spare); count > 0;) mem_free(spare[--count]);
}

/* All members of a set, in a table with room for `expected`. */
static struct value as_table(const struct value *s, size_t expected) {
	struct value copy = set__new_table(expected);
	struct set_walk walk = { .set = s };
	struct set_key keys[SET__BATCH];
	for (size_t count; (count = set__walk(&walk, keys, SET__BATCH, true)) > 0;) {
		for (size_t i = 0; i < count; i++)
			if (!table_put_key(set__table(&copy), &keys[i])) mem_exhausted(keys[i].text.len);
	}
	return copy;
}

void set__to_table(struct value *s, size_t expected) {
	struct value table = as_table(s, expected);
	release(s);
	*s = table;
}

void set__to_pack(struct value *s) {
	const struct intset *ints = set__ints(s);
	struct pack *pack = pack_new();
	for (size_t i = 0; i < intset_count(ints); i++) pack_append_int(&pack, intset_at(ints, i));
	release(s);
	*s = of_pack(pack);
}

/* ---- Walking ---- */

static size_t walk_table(struct set_walk *walk, struct set_key *keys, size_t room, bool hashed) {
	void *items[SET__BATCH];
	size_t count =
		table_walk(&set__table(walk->set)->table, &walk->_table, items, room < SET__BATCH ? room : SET__BATCH);
	if (set__table(walk->set)->piece_bytes > 0)
		for (size_t i = 0; i < count; i++) __builtin_prefetch(items[i]);
	for (size_t i = 0; i < count; i++) keys[i] = set__key_of_item(items[i], hashed);
	return count;
}

struct set_key set__key_of_entry(const struct pack *pack, size_t at, bool hashed) {
	struct pack_value value = pack_get(pack, at);
	if (pack_value_is_int(value)) return set__key_of_number(value.number, hashed);
	return set__key_of_text(value.text, hashed);
}

static size_t walk_pack(struct set_walk *walk, struct set_key *keys, size_t room, bool hashed) {
	const struct pack *pack = set__pack(walk->set);
	size_t count = 0;
	if (!walk->_pack_begun) walk->_index = pack_first(pack);
	walk->_pack_begun = true;
	for (; count < room && walk->_index; count++) {
		keys[count] = set__key_of_entry(pack, walk->_index, hashed);
		walk->_index = pack_next(pack, walk->_index);
	}
	return count;
}

static size_t walk_ints(struct set_walk *walk, struct set_key *keys, size_t room, bool hashed) {
	const struct intset *ints = set__ints(walk->set);
	size_t left = intset_count(ints) - walk->_index, count = left < room ? left : room;
	for (size_t i = 0; i < count; i++) keys[i] = set__key_of_number(intset_at(ints, walk->_index++), hashed);
	return count;
}

size_t set__walk(struct set_walk *walk, struct set_key *keys, size_t room, bool hashed) {
	switch ((enum set_encoding)walk->set->encoding) {
	case SET_INTS: return walk_ints(walk, keys, room, hashed);
	case SET_PACK: return walk_pack(walk, keys, room, hashed);
	case SET_TABLE: break;
	}
	return walk_table(walk, keys, room, hashed);
}

static void each_of_pack(const struct pack *pack, set_visit_fn *visit, void *context) {
	char scratch[PACK_SCRATCH_BYTES];
	for (size_t at = pack_first(pack); at; at = pack_next(pack, at)) visit(context, pack_text(pack, at, scratch));
}

void set_each(const struct value *s, set_visit_fn *visit, void *context) {
	if (s->encoding == SET_PACK) {
		each_of_pack(set__pack(s), visit, context);
		return;
	}
	struct set_walk walk = { .set = s };
	struct set_key keys[SET__BATCH];
	char scratch[SET__SCRATCH_BYTES];
	for (size_t count; (count = set__walk(&walk, keys, SET__BATCH, false)) > 0;)
		for (size_t i = 0; i < count; i++) visit(context, set__key_text(&keys[i], scratch));
}

struct scan {
	set_visit_fn *visit;
	void *context;
	size_t seen;
};

static void scan_item(void *context, void *item) {
	struct scan *scan = context;
	struct set_key key = set__key_of_item(item, false);
	char scratch[SET__SCRATCH_BYTES];
	scan->visit(scan->context, set__key_text(&key, scratch));
	scan->seen++;
}

uint64_t set_scan(const struct value *s, uint64_t cursor, size_t count, set_visit_fn *visit, void *context) {
	if (s->encoding != SET_TABLE) {
		set_each(s, visit, context);
		return 0;
	}
	struct scan scan = { visit, context, 0 };
	do {
		cursor = table_scan(&set__table(s)->table, cursor, scan_item, &scan);
	} while (cursor != 0 && scan.seen < count);
	return cursor;
}

/* ---- Looking up ---- */

size_t set_count(const struct value *s) {
	switch ((enum set_encoding)s->encoding) {
	case SET_INTS: return intset_count(set__ints(s));
	case SET_PACK: return pack_count(set__pack(s));
	case SET_TABLE: break;
	}
	return table_count(&set__table(s)->table);
}

static struct table_place find(const struct value *s, const struct set_key *key) {
	return table_find(&set__table(s)->table, key->hash, set__item_is, key);
}

static size_t find_in_pack(const struct value *s, const struct set_key *key) {
	char scratch[SET__SCRATCH_BYTES];
	const struct pack *pack = set__pack(s);
	return pack_find(pack, pack_first(pack), set__key_text(key, scratch), 0);
}

bool set__has(const struct value *s, const struct set_key *key) {
	switch ((enum set_encoding)s->encoding) {
	case SET_INTS: return key->is_number && intset_has(set__ints(s), key->number);
	case SET_PACK: return find_in_pack(s, key) != 0;
	case SET_TABLE: break;
	}
	return find(s, key).bucket != NULL;
}

void set__prefetch(const struct table *t, const struct set_key *keys, size_t count) {
	if (table_count(t) == 0) return;
	for (size_t i = 0; i < count; i++) table_prefetch(t, keys[i].hash);
	/* What lies in the bucket itself is compared without a look elsewhere. */
	for (size_t i = 0; i < count; i++)
		if (set__tag(keys[i].word) != SET__TAG_WORD) table_prefetch_items(t, keys[i].hash);
}

/* The keys of some members, ready for what is about to be done with each. */
static void prepare(const struct value *s, const struct slice *members, size_t count, struct set_key *keys) {
	bool is_table = s->encoding == SET_TABLE;
	for (size_t i = 0; i < count; i++)
		keys[i] = is_table ? set__key_of(members[i], true) : set__key_of(members[i], false);
	if (is_table && count > 1) set__prefetch(&set__table(s)->table, keys, count);
}

void set_prefetch(const struct value *s, const struct slice *members, size_t count) {
	struct set_key keys[SET_PREFETCH_MAX];
	assert(s->encoding == SET_TABLE && count <= SET_PREFETCH_MAX);
	prepare(s, members, count, keys);
}

bool set_has(const struct value *s, struct slice member) {
	if (s->encoding == SET_PACK) return pack_find(set__pack(s), pack_first(set__pack(s)), member, 0) != 0;
	struct set_key key;
	prepare(s, &member, 1, &key);
	return set__has(s, &key);
}

void set_has_many(const struct value *s, const struct slice *members, size_t count, bool *answers) {
	struct set_key keys[SET__BATCH];
	for (size_t done = 0, n; done < count; done += n) {
		n = count - done < SET__BATCH ? count - done : SET__BATCH;
		prepare(s, members + done, n, keys);
		for (size_t i = 0; i < n; i++) answers[done + i] = set__has(s, &keys[i]);
	}
}

/* ---- Adding ---- */

static size_t number_len(int64_t number) {
	char digits[SET__SCRATCH_BYTES];
	return number_format_i64(digits, number);
}

/* The longest text of any of the numbers. */
static size_t longest_number(const struct intset *ints) {
	size_t count = intset_count(ints);
	if (count == 0) return 0;
	size_t first = number_len(intset_at(ints, 0)), last = number_len(intset_at(ints, count - 1));
	return first > last ? first : last;
}

static bool pack_takes(const struct pack *pack, size_t len, const struct type_limits *limits) {
	return pack_count(pack) < limits->set_max_listpack_entries && len <= limits->set_max_listpack_value &&
	       pack_fits(pack, len, 1);
}

static bool put_in_table(struct value *s, const struct set_key *key, bool converted) {
	struct set_key hashed = *key;
	if (converted) hashed.hash = set__key_hash(key);
	return table_put_key(set__table(s), &hashed);
}

static bool put_in_pack(struct value *s, const struct set_key *key, const struct type_limits *limits) {
	char scratch[SET__SCRATCH_BYTES];
	struct slice text = set__key_text(key, scratch);
	struct pack *pack = set__pack(s);
	if (!pack_takes(pack, text.len, limits)) {
		set__to_table(s, set_count(s) + 1);
		return put_in_table(s, key, true);
	}
	if (key->is_number) {
		pack_append_int(&pack, key->number);
	} else {
		pack_append(&pack, text);
	}
	s->data = pack;
	return true;
}

static bool put_in_ints(struct value *s, const struct set_key *key, const struct type_limits *limits) {
	struct intset *ints = set__ints(s);
	size_t count = intset_count(ints);
	if (key->is_number && count < set__max_ints(limits)) {
		intset_add(&ints, key->number);
		s->data = ints;
		return true;
	}
	if (!key->is_number && count < limits->set_max_listpack_entries &&
		longest_number(ints) <= limits->set_max_listpack_value) {
		set__to_pack(s);
		return put_in_pack(s, key, limits);
	}
	set__to_table(s, count + 1);
	return put_in_table(s, key, true);
}

bool set__put(struct value *s, const struct set_key *key, const struct type_limits *limits) {
	switch ((enum set_encoding)s->encoding) {
	case SET_INTS: return put_in_ints(s, key, limits);
	case SET_PACK: return put_in_pack(s, key, limits);
	case SET_TABLE: break;
	}
	return put_in_table(s, key, false);
}

/* Before `count` members come: a form that will not do for so many (were they all new) is left at once. */
static void choose_form(struct value *s, struct slice first, size_t count, const struct type_limits *limits) {
	int64_t number;
	bool is_new = s->encoding == SET_INTS && intset_count(set__ints(s)) == 0;
	if (s->encoding == SET_INTS && count > set__max_ints(limits) && !is_new) set__to_table(s, 0);
	if (s->encoding == SET_PACK && count > limits->set_max_listpack_entries) set__to_table(s, 0);
	if (!is_new || (count <= set__max_ints(limits) && set__read_number(first, &number))) return;
	release(s);
	*s = count <= limits->set_max_listpack_entries ? of_pack(pack_new()) : set__new_table(0);
}

bool set_add(
	struct value *s, const struct slice *members, size_t count, const struct type_limits *limits, size_t *added) {
	struct set_key keys[SET__BATCH];
	*added = 0;
	if (count == 0) return true;
	choose_form(s, members[0], count, limits);
	for (size_t done = 0, n; done < count; done += n) {
		n = count - done < SET__BATCH ? count - done : SET__BATCH;
		prepare(s, members + done, n, keys);
		bool hashed = s->encoding == SET_TABLE;
		for (size_t i = 0; i < n; i++) {
			/* An earlier one of the batch may have made a table of it. */
			if (!hashed && s->encoding == SET_TABLE) keys[i].hash = set__key_hash(&keys[i]);
			if (set__has(s, &keys[i])) continue;
			if (!set__put(s, &keys[i], limits)) return false;
			++*added;
		}
	}
	return true;
}

/* ---- Removing ---- */

static bool remove_from_table(struct value *s, const struct set_key *key) {
	struct table_place place = find(s, key);
	if (!place.bucket) return false;
	void *item = table_item_at(place);
	set__table_take(set__table(s), place);
	set__item_free(item);
	return true;
}

static bool remove_from_pack(struct value *s, const struct set_key *key) {
	size_t at = find_in_pack(s, key);
	if (!at) return false;
	struct pack *pack = set__pack(s);
	pack_delete(&pack, at);
	s->data = pack;
	return true;
}

static bool remove_from_ints(struct value *s, const struct set_key *key) {
	struct intset *ints = set__ints(s);
	bool removed = key->is_number && intset_remove(&ints, key->number);
	s->data = ints;
	return removed;
}

static bool remove_one(struct value *s, const struct set_key *key) {
	switch ((enum set_encoding)s->encoding) {
	case SET_INTS: return remove_from_ints(s, key);
	case SET_PACK: return remove_from_pack(s, key);
	case SET_TABLE: break;
	}
	return remove_from_table(s, key);
}

size_t set_remove(struct value *s, const struct slice *members, size_t count) {
	struct set_key keys[SET__BATCH];
	size_t removed = 0;
	for (size_t done = 0, n; done < count; done += n) {
		n = count - done < SET__BATCH ? count - done : SET__BATCH;
		prepare(s, members + done, n, keys);
		for (size_t i = 0; i < n; i++) removed += remove_one(s, &keys[i]);
	}
	return removed;
}

/* ---- What values of every type can do ---- */

static size_t flat_bytes(const struct value *s) {
	switch ((enum set_encoding)s->encoding) {
	case SET_INTS: return intset_bytes(set__ints(s));
	case SET_PACK: return pack_bytes(set__pack(s));
	case SET_TABLE: break;
	}
	return 0;
}

static size_t memory(const struct value *s) {
	switch ((enum set_encoding)s->encoding) {
	case SET_INTS: return intset_memory(set__ints(s));
	case SET_PACK: return pack_memory(set__pack(s));
	case SET_TABLE: break;
	}
	const struct set_table *t = set__table(s);
	return mem_size_class(sizeof(*t)) + table_memory(&t->table) + t->piece_bytes;
}

static size_t pieces(const struct value *s) {
	return s->encoding == SET_TABLE ? table_count(&set__table(s)->table) + 1 : 1;
}

static struct value copy(const struct value *s) {
	switch ((enum set_encoding)s->encoding) {
	case SET_INTS: return of_ints(intset_copy(set__ints(s)));
	case SET_PACK: return of_pack(pack_copy(set__pack(s)));
	case SET_TABLE: break;
	}
	return as_table(s, set_count(s));
}

static const char *encoding_name(const struct value *s) {
	static const char *const names[] = { "intset", "listpack", "hashtable" };
	return names[s->encoding];
}

struct each {
	value_element_fn *visit;
	void *context;
};

static void each_member(void *context, struct slice member) {
	const struct each *each = context;
	each->visit(each->context, &member, 1);
}

static void each(const struct value *s, value_element_fn *visit, void *context) {
	struct each pass_on = { visit, context };
	set_each(s, each_member, &pass_on);
}

/* A table of the members of a flat set. False, no table made, when one comes twice or memory is exhausted. */
static bool table_of_different(const struct value *flat, struct value *table) {
	*table = set__new_table(set_count(flat));
	struct set_walk walk = { .set = flat };
	struct set_key keys[SET__BATCH];
	for (size_t count; (count = set__walk(&walk, keys, SET__BATCH, true)) > 0;) {
		for (size_t i = 0; i < count; i++) {
			if (!set__has(table, &keys[i]) && table_put_key(set__table(table), &keys[i])) continue;
			release(table);
			return false;
		}
	}
	return true;
}

static const char *check_pack(const struct value *s) {
	struct value table;
	if (!pack_validate(s->data, pack_bytes(set__pack(s)), PACK_DEEP)) return "the pack is damaged";
	if (!table_of_different(s, &table)) return "a member is in a pack twice";
	release(&table);
	return NULL;
}

static const char *check_item(const struct value *s, const void *item) {
	struct set_key key = set__key_of_item(item, true);
	char scratch[SET__SCRATCH_BYTES];
	struct set_key made = set__key_of(set__key_text(&key, scratch), true);
	if (made.word != key.word || made.is_number != key.is_number || made.hash != key.hash)
		return "a member is not held in its only form";
	struct table_place place = find(s, &key);
	if (!place.bucket || table_item_at(place) != item) return "a member is in a table twice";
	return NULL;
}

static const char *check_table(const struct value *s) {
	const struct set_table *t = set__table(s);
	const char *broken = table_check(&t->table, set__item_hash);
	if (broken) return broken;
	struct table_walk walk = { 0 };
	size_t piece_bytes = 0;
	for (void *item; table_walk(&t->table, &walk, &item, 1) > 0;) {
		broken = check_item(s, item);
		if (broken) return broken;
		piece_bytes += set__item_bytes(item);
	}
	return piece_bytes == t->piece_bytes ? NULL : "the sum of the members' bytes is wrong";
}

static const char *check(const struct value *s) {
	switch ((enum set_encoding)s->encoding) {
	case SET_INTS:
		return intset_validate(s->data, intset_bytes(set__ints(s))) ? NULL : "the intset is not in order";
	case SET_PACK: return check_pack(s);
	case SET_TABLE: return check_table(s);
	}
	return "a set has no such form";
}

const struct value_ops set_ops = {
	.create = create,
	.flat_bytes = flat_bytes,
	.count = set_count,
	.memory = memory,
	.pieces = pieces,
	.release = release,
	.copy = copy,
	.encoding_name = encoding_name,
	.each = each,
	.check = check,
};

/* ---- Loading ---- */

bool set_from_intset(struct slice bytes, const struct type_limits *limits, struct value *s) {
	if (!intset_validate(bytes.ptr, bytes.len)) return false;
	*s = of_ints(intset_from_bytes(bytes));
	if (set_count(s) > set__max_ints(limits)) set__to_table(s, set_count(s));
	return true;
}

static bool within_limits(const struct pack *pack, const struct type_limits *limits) {
	if (pack_count(pack) > limits->set_max_listpack_entries) return false;
	for (size_t at = pack_first(pack); at; at = pack_next(pack, at))
		if (pack_text_len(pack, at) > limits->set_max_listpack_value) return false;
	return true;
}

/* Each entry in its own form: a foreign writer may hold as text what is a number, and then the same member twice. */
static struct pack *rewritten(const struct pack *foreign) {
	struct pack *pack = pack_new();
	char scratch[PACK_SCRATCH_BYTES];
	for (size_t at = pack_first(foreign); at; at = pack_next(foreign, at))
		pack_append(&pack, pack_text(foreign, at, scratch));
	return pack;
}

bool set_from_pack(struct slice bytes, const struct type_limits *limits, struct value *s) {
	if (!pack_validate(bytes.ptr, bytes.len, PACK_DEEP)) return false;
	struct pack *pack = rewritten((const struct pack *)(const void *)bytes.ptr);
	struct value flat = of_pack(pack), table;
	bool different = table_of_different(&flat, &table);
	bool stays = different && within_limits(pack, limits);
	if (stays) {
		release(&table);
		*s = flat;
		return true;
	}
	pack_free(pack);
	if (different) *s = table;
	return different;
}
