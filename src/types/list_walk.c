/* Reading lists. */
#include "types/list_private.h"

#include <assert.h>

size_t list_length(const struct value *list) {
	if (list->encoding == LIST_PACK) return pack_count(list->data);
	return tree_weight(&list__tree_of(list)->records);
}

static struct pack_value record_value(const struct list__record *record, size_t within) {
	if (record->is_plain) return (struct pack_value){ list__plain_text(record->data), 0 };
	return pack_get(record->data, pack_nth(record->data, (int64_t)within));
}

struct pack_value list_end(const struct value *list, enum list_side side) {
	if (list->encoding == LIST_PACK) {
		const struct pack *pack = list->data;
		return pack_get(pack, side == LIST_HEAD ? pack_first(pack) : pack_last(pack));
	}
	const struct tree *records = &list__tree_of(list)->records;
	struct tree_place place;
	if (side == LIST_HEAD)
		tree_first(records, &place);
	else
		tree_last(records, &place);
	const struct list__record *record = tree_record(records, &place);
	return record_value(record, side == LIST_HEAD ? 0 : record->count - 1);
}

struct pack_value list_at(const struct value *list, size_t index) {
	assert(index < list_length(list));
	if (list->encoding == LIST_PACK) return pack_get(list->data, pack_nth(list->data, (int64_t)index));
	const struct tree *records = &list__tree_of(list)->records;
	struct tree_place place;
	size_t within;
	tree_at(records, index, &place, &within);
	return record_value(tree_record(records, &place), within);
}

struct list_needle list_needle_of(struct slice text) {
	struct list_needle needle = { .text = text };
	needle.is_number = text.len <= NUMBER_I64_MAX_CHARS && number_parse_i64(text, &needle.number);
	return needle;
}

/* ---- Walks ---- */

static void enter_record(struct list_walk *walk, const struct list__record *record, size_t within) {
	walk->_data = record->data;
	walk->_plain = record->is_plain;
	if (!walk->_plain) walk->_at = pack_nth(record->data, (int64_t)within);
}

/* The records that come after the next one is asked for: the head of its data, for a start; then the processor sees that
 * it is read in order. */
static void prefetch_data(const struct list__record *record) {
	const char *data = record->data;
	for (size_t line = 0; line < 4; line++) __builtin_prefetch(data + 64 * line);
}

static void next_record(struct list_walk *walk) {
	walk->_data = NULL;
	if (walk->_backward) {
		if (walk->_next == 0) {
			walk->_run = tree_run_prev(walk->_tree, &walk->_run);
			walk->_next = walk->_run.count;
			if (walk->_next == 0) return;
		}
		const struct list__record *records = (const void *)walk->_run.records;
		walk->_next--;
		if (walk->_next > 0) prefetch_data(&records[walk->_next - 1]);
		enter_record(walk, &records[walk->_next], records[walk->_next].count - 1);
		return;
	}
	if (walk->_next == walk->_run.count) {
		walk->_run = tree_run_next(walk->_tree, &walk->_run);
		walk->_next = 0;
		if (walk->_run.count == 0) return;
	}
	const struct list__record *records = (const void *)walk->_run.records;
	if (walk->_next + 1 < walk->_run.count) prefetch_data(&records[walk->_next + 1]);
	enter_record(walk, &records[walk->_next], 0);
	walk->_next++;
}

void list_walk(const struct value *list, size_t index, enum list_direction direction, struct list_walk *walk) {
	*walk = (struct list_walk){ ._backward = direction == LIST_BACKWARD };
	if (index >= list_length(list)) return;
	if (list->encoding == LIST_PACK) {
		walk->_data = list->data;
		walk->_at = pack_nth(list->data, (int64_t)index);
		return;
	}
	walk->_tree = &list__tree_of(list)->records;
	struct tree_place place;
	size_t within;
	tree_at(walk->_tree, index, &place, &within);
	if (direction == LIST_FORWARD) {
		walk->_run = tree_run_from(walk->_tree, &place);
		walk->_next = 1;
		enter_record(walk, (const void *)walk->_run.records, within);
		return;
	}
	const struct list__record *record = tree_record(walk->_tree, &place);
	enter_record(walk, record, within);
	walk->_run = tree_run_before(walk->_tree, &place);
	walk->_next = walk->_run.count;
}

size_t list_read(struct list_walk *walk, struct pack_value *elements, size_t most) {
	size_t count = 0;
	while (walk->_data && count < most) {
		if (walk->_plain) {
			elements[count++] = (struct pack_value){ list__plain_text(walk->_data), 0 };
		} else {
			count += walk->_backward
					 ? pack_read_back(walk->_data, &walk->_at, elements + count, most - count)
					 : pack_read(walk->_data, &walk->_at, elements + count, most - count);
			if (walk->_at) break;
		}
		if (walk->_tree)
			next_record(walk);
		else
			walk->_data = NULL;
	}
	return count;
}
