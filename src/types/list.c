/* The two forms, and when one becomes the other. */
#include "types/list.h"

#include <assert.h>

#include "base/alloc.h"
#include "types/list_private.h"

/* ---- Limits ---- */

struct bounds {
	size_t bytes, count;
	size_t half_bytes, half_count; /* below which a tree becomes a pack again */
};

/* Of a pack, by list-max-listpack-size. */
static struct bounds bounds_of(const struct type_limits *limits) {
	static const size_t sizes[] = { 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10 };
	int64_t size = limits->list_max_listpack_size;
	if (size < 0) {
		size_t bytes = sizes[size < -5 ? 4 : -size - 1];
		return (struct bounds){ bytes, SIZE_MAX, bytes / 2, SIZE_MAX };
	}
	/* Also a pack of few elements is no larger than 8 KiB, and that is not halved. */
	size_t count = size ? (size_t)size : 1;
	return (struct bounds){ sizes[1], count, sizes[1], count / 2 };
}

/* ---- From form to form ---- */

static struct pack **pack_of(struct value *list) {
	return (struct pack **)&list->data;
}

/* Makes a pack a tree when it would outgrow its bounds with `count` more elements. */
static void outgrow(struct value *list, const struct slice *elements, size_t count, const struct type_limits *limits) {
	if (list->encoding != LIST_PACK) return;
	struct bounds bounds = bounds_of(limits);
	size_t bytes = pack_bytes(list->data);
	for (size_t i = 0; i < count; i++) bytes += elements[i].len;
	if (bytes <= bounds.bytes && pack_count(list->data) + count <= bounds.count) return;
	list->data = list__tree_from_pack(list->data);
	list->encoding = LIST_TREE;
}

/* Makes a tree that has shrunk a pack, when that has half its bounds, so that a few more
 * elements do not lead back. */
static void shrink(struct value *list, const struct type_limits *limits) {
	if (list->encoding != LIST_TREE) return;
	const struct list__tree *l = list->data;
	struct bounds bounds = bounds_of(limits);
	if (l->entry_bytes + PACK_EMPTY_BYTES > bounds.half_bytes) return;
	if (tree_weight(&l->records) > bounds.half_count) return;
	list->data = list__tree_to_pack(list->data);
	list->encoding = LIST_PACK;
}

/* ---- Changing ---- */

bool list_push(struct value *list, enum list_side side, const struct slice *elements, size_t count,
	const struct type_limits *limits) {
	outgrow(list, elements, count, limits);
	if (list->encoding == LIST_TREE) return list__tree_push(list->data, side, elements, count);
	if (side == LIST_TAIL) {
		pack_append_many(pack_of(list), elements, count);
	} else {
		for (size_t i = 0; i < count; i++) pack_prepend(pack_of(list), elements[i]);
	}
	return true;
}

void list_drop(struct value *list, enum list_side side, size_t count, const struct type_limits *limits) {
	if (list->encoding == LIST_TREE) {
		list__tree_drop(list->data, side, count);
		shrink(list, limits);
		return;
	}
	struct pack **pack = pack_of(list);
	size_t length = pack_count(*pack);
	if (count > length) count = length;
	if (count == 0) return;
	pack_delete_range(pack, side == LIST_HEAD ? pack_first(*pack) : pack_nth(*pack, -(int64_t)count), count);
}

void list_rotate(struct value *list, enum list_side from) {
	if (list->encoding == LIST_TREE) {
		list__tree_rotate(list->data, from);
		return;
	}
	struct pack **pack = pack_of(list);
	size_t at = from == LIST_HEAD ? pack_first(*pack) : pack_last(*pack);
	struct pack_value element = pack_get(*pack, at);
	if (pack_value_is_int(element)) {
		pack_delete(pack, at);
		if (from == LIST_HEAD)
			pack_append_int(pack, element.number);
		else
			pack_prepend_int(pack, element.number);
		return;
	}
	/* The bytes that move would be overwritten. */
	char small[256];
	size_t len = element.text.len;
	char *copy = len <= sizeof(small) ? small : mem_alloc(len);
	memcpy(copy, element.text.ptr, len);
	pack_delete(pack, at);
	if (from == LIST_HEAD)
		pack_append(pack, slice_of(copy, len));
	else
		pack_prepend(pack, slice_of(copy, len));
	if (copy != small) mem_free(copy);
}

bool list_set(struct value *list, size_t index, struct slice element, const struct type_limits *limits) {
	assert(index < list_length(list));
	outgrow(list, &element, 1, limits);
	if (list->encoding == LIST_PACK) {
		pack_replace(pack_of(list), pack_nth(list->data, (int64_t)index), element);
		return true;
	}
	bool done = list__tree_set(list->data, index, element);
	shrink(list, limits);
	return done;
}

bool list_insert(struct value *list, size_t index, struct slice element, const struct type_limits *limits) {
	assert(index <= list_length(list));
	outgrow(list, &element, 1, limits);
	if (list->encoding == LIST_TREE) return list__tree_insert(list->data, index, element);
	size_t at = pack_nth(list->data, (int64_t)index);
	if (at)
		pack_insert_before(pack_of(list), at, element);
	else
		pack_append(pack_of(list), element);
	return true;
}

size_t list_remove(
	struct value *list, struct slice element, enum list_side from, size_t most, const struct type_limits *limits) {
	if (list->encoding == LIST_TREE) {
		size_t removed = list__tree_remove(list->data, element, from, most);
		if (removed) shrink(list, limits);
		return removed;
	}
	return list__pack_remove(pack_of(list), element, from, most);
}

/* ---- As a value ---- */

static struct value create(void) {
	return (struct value){ VALUE_LIST, LIST_PACK, pack_new() };
}

static size_t flat_bytes(const struct value *list) {
	return list->encoding == LIST_PACK ? pack_bytes(list->data) : 0;
}

static size_t memory(const struct value *list) {
	return list->encoding == LIST_PACK ? pack_memory(list->data) : list__tree_memory(list->data);
}

static size_t pieces(const struct value *list) {
	return list->encoding == LIST_PACK ? 1 : tree_count(&list__tree_of(list)->records) + 2;
}

static void release(struct value *list) {
	if (list->encoding == LIST_PACK)
		pack_free(list->data);
	else
		list__tree_free(list->data);
}

static struct value copy(const struct value *list) {
	struct value other = *list;
	if (list->encoding == LIST_PACK)
		other.data = pack_copy(list->data);
	else
		other.data = list__tree_copy(list->data);
	return other;
}

static const char *encoding_name(const struct value *list) {
	return list->encoding == LIST_PACK ? "listpack" : "quicklist";
}

static void each(const struct value *list, value_element_fn *visit, void *context) {
	struct list_walk walk;
	struct pack_value elements[32];
	list_walk(list, 0, LIST_FORWARD, &walk);
	for (size_t n; (n = list_read(&walk, elements, 32)) > 0;) {
		for (size_t i = 0; i < n; i++) {
			char scratch[PACK_SCRATCH_BYTES];
			struct slice text = list_text(elements[i], scratch);
			visit(context, &text, 1);
		}
	}
}

static const char *check(const struct value *list) {
	if (list->encoding == LIST_TREE) return list__tree_check(list->data);
	return pack_validate(list->data, pack_bytes(list->data), PACK_DEEP) ? NULL : "list: a damaged pack";
}

const struct value_ops list_ops = {
	.create = create,
	.flat_bytes = flat_bytes,
	.count = list_length,
	.memory = memory,
	.pieces = pieces,
	.release = release,
	.copy = copy,
	.encoding_name = encoding_name,
	.each = each,
	.check = check,
};
