/* The tree form: records of packs and large elements, in the order of the list. The record's weight is its elements, so
 * tree_at finds an index. Every change of a pack goes through `change_begin` and
 * `change_end`, which keep the sums. */
#include "types/list_private.h"

#include <assert.h>

#include "base/alloc.h"

/* What a pack may have after entries went before it is merged with a neighbour. */
enum {
	SPARSE_BYTES = LIST__PACK_BYTES / 4,
	MERGED_BYTES = LIST__PACK_BYTES / 4 * 3,
};

static_assert(offsetof(struct list__record, count) == 8, "where the tree is told that weights are");

static inline struct list__record *record_of(const struct list__tree *l, const struct tree_place *place) {
	return tree_record(&l->records, place);
}

static inline bool fits(const struct pack *pack, size_t len) {
	return pack_bytes(pack) + list__entry_bytes(len) <= LIST__PACK_BYTES;
}

/* ---- Sums ---- */

static inline size_t pack_entry_bytes(const struct pack *pack) {
	return pack_bytes(pack) - PACK_EMPTY_BYTES;
}

static inline size_t plain_memory(size_t len) {
	return mem_size_class(sizeof(struct list__plain) + len);
}

static void add_pack(struct list__tree *l, const struct pack *pack) {
	l->data_bytes += pack_memory(pack);
	l->entry_bytes += pack_entry_bytes(pack);
}

static void subtract_pack(struct list__tree *l, const struct pack *pack) {
	l->data_bytes -= pack_memory(pack);
	l->entry_bytes -= pack_entry_bytes(pack);
}

/* The record's pack, for changes: then change_end with what it became and its count. */
static struct pack *change_begin(struct list__tree *l, const struct tree_place *place) {
	struct list__record *record = record_of(l, place);
	assert(!record->is_plain);
	subtract_pack(l, record->data);
	return record->data;
}

static void change_end(struct list__tree *l, struct tree_place *place, struct pack *pack, uint32_t count) {
	struct list__record *record = record_of(l, place);
	add_pack(l, pack);
	/* Where nothing else changed the tree need not hear of it. */
	bool moved = record->data != pack;
	record->data = pack;
	if (count != record->count)
		tree_reweigh(&l->records, place, count);
	else if (moved)
		tree_changed(&l->records, place);
}

/* Or with this, when nothing is left of it. */
static void change_away(struct list__tree *l, struct tree_place *place, struct pack *pack) {
	pack_free(pack);
	tree_remove(&l->records, place);
}

/* ---- Records that come and go ---- */

static void insert_pack(struct list__tree *l, struct tree_place *place, struct pack *pack) {
	struct list__record record = { pack, (uint32_t)pack_count(pack), false };
	add_pack(l, pack);
	tree_insert(&l->records, place, &record);
}

static struct list__plain *plain_new(struct slice element) {
	struct list__plain *plain = mem_try_alloc(sizeof(*plain) + element.len);
	if (!plain) return NULL;
	plain->len = element.len;
	memcpy(plain->bytes, element.ptr, element.len);
	return plain;
}

static void insert_plain(struct list__tree *l, struct tree_place *place, struct list__plain *plain) {
	struct list__record record = { plain, 1, true };
	l->data_bytes += plain_memory(plain->len);
	l->entry_bytes += plain->len;
	tree_insert(&l->records, place, &record);
}

static void put_record(struct list__tree *l, struct tree_place *place, struct list__record record) {
	if (record.is_plain)
		insert_plain(l, place, record.data);
	else
		insert_pack(l, place, record.data);
}

/* A record of this element alone before the place. False without memory. */
static bool insert_alone(struct list__tree *l, struct tree_place *place, struct slice element) {
	if (element.len > LIST__PLAIN_BYTES) {
		struct list__plain *plain = plain_new(element);
		if (!plain) return false;
		insert_plain(l, place, plain);
		return true;
	}
	struct pack *pack = pack_new();
	pack_append(&pack, element);
	insert_pack(l, place, pack);
	return true;
}

/* Takes the record out of the tree and the sums; what it points to is the caller's. */
static struct list__record take_record(struct list__tree *l, struct tree_place *place) {
	struct list__record record = *record_of(l, place);
	if (record.is_plain) {
		struct list__plain *plain = record.data;
		l->data_bytes -= plain_memory(plain->len);
		l->entry_bytes -= plain->len;
	} else {
		subtract_pack(l, record.data);
	}
	tree_remove(&l->records, place);
	return record;
}

static void free_data(const struct list__record *record) {
	if (record->is_plain)
		mem_free(record->data);
	else
		pack_free(record->data);
}

static void remove_record(struct list__tree *l, struct tree_place *place) {
	struct list__record record = take_record(l, place);
	free_data(&record);
}

/* ---- Whole trees ---- */

static struct list__tree *tree_new(void) {
	struct list__tree *l = mem_alloc(sizeof(*l));
	tree_init_weighed(&l->records, sizeof(struct list__record), offsetof(struct list__record, count));
	l->data_bytes = l->entry_bytes = 0;
	return l;
}

static void free_visited(void *context, const void *record) {
	(void)context;
	free_data(record);
}

void list__tree_free(struct list__tree *l) {
	tree_each(&l->records, free_visited, NULL);
	tree_release(&l->records);
	mem_free(l);
}

size_t list__tree_memory(const struct list__tree *l) {
	return mem_size_class(sizeof(*l)) + tree_memory(&l->records) + l->data_bytes;
}

static void append_record(struct list__tree *l, struct list__record record) {
	struct tree_place end;
	tree_end(&l->records, &end);
	put_record(l, &end, record);
}

/* Appends the entry, one of another pack, as its own bytes or number. */
static void append_entry(struct list__tree *l, struct pack **open, struct pack_value entry) {
	char scratch[PACK_SCRATCH_BYTES];
	struct slice text = list_text(entry, scratch);
	if (text.len > LIST__PLAIN_BYTES || !fits(*open, text.len)) {
		if (!pack_is_empty(*open)) {
			append_record(l, (struct list__record){ *open, 0, false });
			*open = pack_new();
		}
	}
	if (text.len <= LIST__PLAIN_BYTES) {
		pack_append_values(open, &entry, 1);
		return;
	}
	struct list__plain *plain = plain_new(text);
	if (!plain) mem_exhausted(text.len);
	append_record(l, (struct list__record){ plain, 1, true });
}

struct list__tree *list__tree_from_pack(struct pack *pack) {
	struct list__tree *l = tree_new();
	if (pack_bytes(pack) <= LIST__PACK_BYTES) {
		if (pack_is_empty(pack))
			pack_free(pack);
		else
			append_record(l, (struct list__record){ pack, 0, false });
		return l;
	}
	struct pack *open = pack_new();
	for (size_t at = pack_first(pack); at; at = pack_next(pack, at)) append_entry(l, &open, pack_get(pack, at));
	if (pack_is_empty(open))
		pack_free(open);
	else
		append_record(l, (struct list__record){ open, 0, false });
	pack_free(pack);
	return l;
}

static void join_visited(void *context, const void *visited) {
	struct pack **pack = context;
	const struct list__record *record = visited;
	if (record->is_plain)
		pack_append(pack, list__plain_text(record->data));
	else
		pack_merge(pack, record->data);
	free_data(record);
}

struct pack *list__tree_to_pack(struct list__tree *l) {
	struct pack *pack = pack_new();
	tree_each(&l->records, join_visited, &pack);
	tree_release(&l->records);
	mem_free(l);
	return pack;
}

static void copy_visited(void *context, const void *visited) {
	struct list__tree *copy = context;
	struct list__record record = *(const struct list__record *)visited;
	if (record.is_plain) {
		struct slice text = list__plain_text(record.data);
		record.data = plain_new(text);
		if (!record.data) mem_exhausted(text.len);
	} else {
		record.data = pack_copy(record.data);
	}
	append_record(copy, record);
}

struct list__tree *list__tree_copy(const struct list__tree *l) {
	struct list__tree *copy = tree_new();
	tree_each(&l->records, copy_visited, copy);
	return copy;
}

/* ---- The ends ---- */

/* To the outermost record of that side, and to where a new one is put. */
static void outermost(const struct list__tree *l, enum list_side side, struct tree_place *place) {
	if (side == LIST_HEAD)
		tree_first(&l->records, place);
	else
		tree_last(&l->records, place);
}

static void outside(const struct list__tree *l, enum list_side side, struct tree_place *place) {
	if (side == LIST_HEAD)
		tree_first(&l->records, place);
	else
		tree_end(&l->records, place);
}

static bool push_one(struct list__tree *l, enum list_side side, struct slice element) {
	struct tree_place place;
	outermost(l, side, &place);
	struct list__record *record = record_of(l, &place);
	if (record && !record->is_plain && element.len <= LIST__PLAIN_BYTES && fits(record->data, element.len)) {
		uint32_t count = record->count;
		struct pack *pack = change_begin(l, &place);
		if (side == LIST_HEAD)
			pack_prepend(&pack, element);
		else
			pack_append(&pack, element);
		change_end(l, &place, pack, count + 1);
		return true;
	}
	outside(l, side, &place);
	return insert_alone(l, &place, element);
}

bool list__tree_push(struct list__tree *l, enum list_side side, const struct slice *elements, size_t count) {
	for (size_t i = 0; i < count; i++) {
		if (push_one(l, side, elements[i])) continue;
		list__tree_drop(l, side, i);
		return false;
	}
	return true;
}

/* Takes `count` of the pack's entries from that side; fewer than there are. */
static void drop_entries(struct list__tree *l, struct tree_place *place, enum list_side side, size_t count) {
	uint32_t left = record_of(l, place)->count - (uint32_t)count;
	struct pack *pack = change_begin(l, place);
	size_t at = side == LIST_HEAD ? pack_first(pack) : pack_nth(pack, -(int64_t)count);
	pack_delete_range(&pack, at, count);
	change_end(l, place, pack, left);
}

void list__tree_drop(struct list__tree *l, enum list_side side, size_t count) {
	while (count > 0 && tree_count(&l->records) > 0) {
		struct tree_place place;
		outermost(l, side, &place);
		size_t here = record_of(l, &place)->count;
		if (count < here) {
			drop_entries(l, &place, side, count);
			return;
		}
		remove_record(l, &place);
		count -= here;
	}
}

void list__tree_rotate(struct list__tree *l, enum list_side from) {
	enum list_side to = from == LIST_HEAD ? LIST_TAIL : LIST_HEAD;
	struct tree_place place;
	outermost(l, from, &place);
	struct list__record *record = record_of(l, &place);
	if (record->count == 1) {
		struct list__record taken = take_record(l, &place);
		outside(l, to, &place);
		put_record(l, &place, taken);
		return;
	}
	/* The element is copied, since its pack may be the one that it goes to. */
	char copy[LIST__PACK_BYTES];
	struct pack_value value =
		pack_get(record->data, from == LIST_HEAD ? pack_first(record->data) : pack_last(record->data));
	char scratch[PACK_SCRATCH_BYTES];
	struct slice text = list_text(value, scratch);
	assert(text.len <= sizeof(copy));
	memcpy(copy, text.ptr, text.len);
	list__tree_drop(l, from, 1);
	if (!push_one(l, to, slice_of(copy, text.len))) mem_exhausted(text.len);
}

/* ---- In between ---- */

/* Moves entry `within` > 0 of the place's pack and what follows to a record of its own; the place is then that. */
static void split_record(struct list__tree *l, struct tree_place *place, size_t within) {
	struct pack *pack = change_begin(l, place);
	struct pack *tail = pack_split(&pack, pack_nth(pack, (int64_t)within));
	change_end(l, place, pack, (uint32_t)within);
	tree_next(&l->records, place);
	insert_pack(l, place, tail);
}

static bool place_fits(const struct list__tree *l, const struct tree_place *place, size_t len) {
	const struct list__record *record = record_of(l, place);
	return record && !record->is_plain && len <= LIST__PLAIN_BYTES && fits(record->data, len);
}

/* Puts the element in at entry `within` of the place's pack, which has room; `within` may be its count. */
static void insert_entry(struct list__tree *l, struct tree_place *place, size_t within, struct slice element) {
	uint32_t count = record_of(l, place)->count;
	struct pack *pack = change_begin(l, place);
	if (within < count)
		pack_insert_before(&pack, pack_nth(pack, (int64_t)within), element);
	else
		pack_append(&pack, element);
	change_end(l, place, pack, count + 1);
}

bool list__tree_insert(struct list__tree *l, size_t index, struct slice element) {
	struct tree_place place;
	size_t within;
	tree_at(&l->records, index, &place, &within);
	if (place_fits(l, &place, element.len)) {
		insert_entry(l, &place, within, element);
		return true;
	}
	struct list__plain *plain = NULL;
	if (element.len > LIST__PLAIN_BYTES && !(plain = plain_new(element))) return false;
	/* Now it goes between two records. */
	if (within > 0) split_record(l, &place, within);
	if (plain) {
		insert_plain(l, &place, plain);
		return true;
	}
	struct tree_place before = place;
	if (place_fits(l, &place, element.len)) {
		insert_entry(l, &place, 0, element);
	} else if (tree_prev(&l->records, &before) && place_fits(l, &before, element.len)) {
		insert_entry(l, &before, record_of(l, &before)->count, element);
	} else {
		return insert_alone(l, &place, element);
	}
	return true;
}

/* Merges the place's pack with the next one when both together are small enough. The place stays. */
static bool merge_with_next(struct list__tree *l, struct tree_place *place) {
	struct tree_place next = *place;
	if (!tree_next(&l->records, &next)) return false;
	const struct list__record *first = record_of(l, place), *second = record_of(l, &next);
	if (first->is_plain || second->is_plain) return false;
	if (pack_bytes(first->data) + pack_entry_bytes(second->data) > MERGED_BYTES) return false;
	uint32_t count = first->count + second->count;
	struct pack *gone = second->data;
	struct pack *pack = change_begin(l, place);
	pack_merge(&pack, gone);
	/* The weight of the second goes with it, so the first takes it over only then. */
	change_end(l, place, pack, count);
	tree_next(&l->records, place);
	remove_record(l, place);
	tree_prev(&l->records, place);
	return true;
}

/* Merges the place's pack with a neighbour when it has become small: with the one before, or with the one behind. */
static void merge_if_sparse(struct list__tree *l, struct tree_place *place, enum list_side with) {
	const struct list__record *record = record_of(l, place);
	if (record->is_plain || pack_bytes(record->data) > SPARSE_BYTES) return;
	if (with == LIST_TAIL)
		merge_with_next(l, place);
	else if (tree_prev(&l->records, place) && !merge_with_next(l, place))
		tree_next(&l->records, place);
}

/* Takes entry `within` of the place's record out. */
static void remove_entry(struct list__tree *l, struct tree_place *place, size_t within) {
	uint32_t count = record_of(l, place)->count;
	if (count == 1) {
		remove_record(l, place);
		return;
	}
	struct pack *pack = change_begin(l, place);
	pack_delete(&pack, pack_nth(pack, (int64_t)within));
	change_end(l, place, pack, count - 1);
	merge_if_sparse(l, place, LIST_TAIL);
}

/* Replaces it within its pack, if that does not grow too large. */
static bool replace_entry(struct list__tree *l, struct tree_place *place, size_t within, struct slice element) {
	struct list__record *record = record_of(l, place);
	if (element.len > LIST__PLAIN_BYTES) return false;
	size_t at = pack_nth(record->data, (int64_t)within);
	struct pack_value now = pack_get(record->data, at);
	/* A text in the place of one that is no shorter needs no room; anything else must fit while the old one is there. */
	bool no_longer = !pack_value_is_int(now) && element.len <= now.text.len;
	if (!no_longer && record->count > 1 && !fits(record->data, element.len)) return false;
	struct pack *pack = change_begin(l, place);
	pack_replace(&pack, at, element);
	change_end(l, place, pack, record->count);
	return true;
}

bool list__tree_set(struct list__tree *l, size_t index, struct slice element) {
	struct tree_place place;
	size_t within;
	tree_at(&l->records, index, &place, &within);
	if (!record_of(l, &place)->is_plain && replace_entry(l, &place, within, element)) return true;
	/* In two steps, the one that can fail first. */
	if (!list__tree_insert(l, index, element)) return false;
	tree_at(&l->records, index + 1, &place, &within);
	remove_entry(l, &place, within);
	return true;
}

/* ---- Removing what is equal ---- */

static size_t find(const struct pack *pack, size_t at, struct slice element, enum list_side from) {
	if (from == LIST_HEAD) return pack_find(pack, at, element, 0);
	while (at && !pack_equal(pack, at, element)) at = pack_prev(pack, at);
	return at;
}

size_t list__pack_remove(struct pack **pack, struct slice element, enum list_side from, size_t most) {
	size_t removed = 0;
	size_t at = find(*pack, from == LIST_HEAD ? pack_first(*pack) : pack_last(*pack), element, from);
	while (at && removed < most) {
		size_t before = pack_prev(*pack, at);
		size_t behind = pack_delete(pack, at);
		removed++;
		at = find(*pack, from == LIST_HEAD ? behind : before, element, from);
	}
	return removed;
}

/* Of the place's record. */
static size_t remove_equal(
	struct list__tree *l, struct tree_place *place, struct slice element, enum list_side from, size_t most) {
	const struct list__record *record = record_of(l, place);
	if (record->is_plain) {
		bool equal = slice_equal(list__plain_text(record->data), element);
		if (equal) remove_record(l, place);
		return equal;
	}
	uint32_t count = record->count;
	struct pack *pack = change_begin(l, place);
	size_t removed = list__pack_remove(&pack, element, from, most);
	if (removed == count) {
		change_away(l, place, pack);
		return removed;
	}
	change_end(l, place, pack, count - (uint32_t)removed);
	/* With the neighbour that has been searched. */
	if (removed) merge_if_sparse(l, place, from);
	return removed;
}

size_t list__tree_remove(struct list__tree *l, struct slice element, enum list_side from, size_t most) {
	size_t removed = 0;
	struct tree_place place;
	outermost(l, from, &place);
	while (removed < most && tree_record(&l->records, &place)) {
		size_t weight = tree_weight(&l->records);
		uint32_t count = record_of(l, &place)->count;
		removed += remove_equal(l, &place, element, from, most - removed);
		/* Of a record that is gone the place is the one behind. */
		bool gone = weight - tree_weight(&l->records) == count;
		if (from == LIST_HEAD && !gone) tree_next(&l->records, &place);
		if (from == LIST_TAIL && !tree_prev(&l->records, &place)) break;
	}
	return removed;
}

/* ---- Checking ---- */

struct check {
	const char *wrong;
	size_t data_bytes, entry_bytes;
};

static void check_visited(void *context, const void *visited) {
	struct check *check = context;
	const struct list__record *record = visited;
	if (record->is_plain) {
		const struct list__plain *plain = record->data;
		if (record->count != 1) check->wrong = "list: a large element that counts wrongly";
		check->data_bytes += plain_memory(plain->len);
		check->entry_bytes += plain->len;
		return;
	}
	const struct pack *pack = record->data;
	if (!pack_validate(pack, pack_bytes(pack), PACK_DEEP))
		check->wrong = "list: a damaged pack";
	else if (pack_is_empty(pack))
		check->wrong = "list: an empty pack";
	else if (pack_count(pack) != record->count)
		check->wrong = "list: a pack that counts wrongly";
	else if (pack_bytes(pack) > LIST__PACK_BYTES)
		check->wrong = "list: too large a pack";
	check->data_bytes += pack_memory(pack);
	check->entry_bytes += pack_entry_bytes(pack);
}

const char *list__tree_check(const struct list__tree *l) {
	const char *wrong = tree_check(&l->records, NULL);
	if (wrong) return wrong;
	struct check check = { 0 };
	tree_each(&l->records, check_visited, &check);
	if (check.wrong) return check.wrong;
	if (check.data_bytes != l->data_bytes) return "list: a wrong sum of memory";
	return check.entry_bytes == l->entry_bytes ? NULL : "list: a wrong sum of bytes";
}
