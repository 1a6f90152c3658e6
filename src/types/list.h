/* list: elements in the order in which they were put in, from either end or in between.
 *
 * Two forms:
 *
 *   LIST_PACK  "listpack"   one pack of all elements
 *   LIST_TREE  "quicklist"  packs of up to 4 KiB in a counted tree, so an index is found in O(log n); an element that is too
 *                           large for a pack has an allocation of its own
 *
 * A pack becomes a tree when it outgrows list-max-listpack-size (the bytes of the pack and of the elements that come; with a
 * positive setting also their number, and 8 KiB in any case), before anything is put in. A tree becomes a pack again when
 * something was taken out or replaced and all would fit a pack of half the limit. The size of a tree's packs is ours and
 * does not depend on the settings.
 *
 * `struct value *list` is one of VALUE_LIST with data; a new one comes from value_new(VALUE_LIST). Elements that are put in
 * must not lie in the same list. O(log n) is said of the tree; a pack is walked from its nearer end. Calls that put elements
 * in answer false when there is no memory for one that is too large for a pack; nothing has changed then. */
#ifndef TARN_TYPES_LIST_H
#define TARN_TYPES_LIST_H

#include "containers/pack.h"
#include "containers/tree.h"
#include "types/value.h"

enum list_encoding { LIST_PACK, LIST_TREE };
enum list_side { LIST_HEAD, LIST_TAIL };

extern const struct value_ops list_ops;

/* ---- Reading ----
 * An element is a struct pack_value, text or number, valid until the list changes. */

size_t list_length(const struct value *list); /* O(1) below 65535 elements of a pack */

/* The element at that end; the list is not empty. O(1). */
struct pack_value list_end(const struct value *list, enum list_side side);
/* index < list_length. O(log n). */
struct pack_value list_at(const struct value *list, size_t index);

/* The element as bytes, a number printed to `scratch`. */
static inline struct slice list_text(struct pack_value element, char scratch[static PACK_SCRATCH_BYTES]) {
	if (!pack_value_is_int(element)) return element.text;
	return slice_of(scratch, number_format_i64(scratch, element.number));
}

/* What elements are compared with: read once, compared often. */
struct list_needle {
	struct slice text;
	int64_t number;
	bool is_number;
};
struct list_needle list_needle_of(struct slice text);
static inline bool list_is(struct pack_value element, const struct list_needle *needle) {
	if (pack_value_is_int(element)) return needle->is_number && element.number == needle->number;
	return slice_equal(element.text, needle->text);
}

/* A walk over the list; in O(log n) at its beginning, and fetching the next pack into the cache while it goes.
 *   struct list_walk walk;
 *   list_walk(list, start, LIST_FORWARD, &walk);
 *   struct pack_value elements[32];
 *   for (size_t n; (n = list_read(&walk, elements, 32)) > 0;) … */
enum list_direction { LIST_FORWARD, LIST_BACKWARD };
struct list_walk {
	/* Private. */
	const void *_data; /* the pack, or the large element; NULL at the end */
	size_t _at;        /* in the pack */
	struct tree_run _run;
	size_t _next; /* the record in the run that follows; backwards, one above it */
	const struct tree *_tree;
	bool _plain;
	bool _backward;
};
/* Begins at element `index`; no element is read when there is none of that index. */
void list_walk(const struct value *list, size_t index, enum list_direction direction, struct list_walk *walk);
/* Up to `most` elements that follow; how many. 0: no more. May be fewer than there are. */
size_t list_read(struct list_walk *walk, struct pack_value *elements, size_t most);

/* ---- Changing ---- */

/* Puts the elements in at that end, one after the other: the last one is then the outermost. O(log n) each. */
__attribute__((warn_unused_result)) bool list_push(struct value *list, enum list_side side,
	const struct slice *elements, size_t count, const struct type_limits *limits);

/* Takes `count` elements away from that end, or all. O(log n), and O(1) per pack that goes. */
void list_drop(struct value *list, enum list_side side, size_t count, const struct type_limits *limits);

/* Takes the element from the end `from` and puts it in at the other. The list is not empty. */
void list_rotate(struct value *list, enum list_side from);

/* Replaces element `index` < list_length. O(log n). */
__attribute__((warn_unused_result)) bool list_set(
	struct value *list, size_t index, struct slice element, const struct type_limits *limits);

/* Puts the element in so that it is number `index` <= list_length. O(log n). */
__attribute__((warn_unused_result)) bool list_insert(
	struct value *list, size_t index, struct slice element, const struct type_limits *limits);

/* Takes out the first `most` elements that equal this one, seen from that end. How many there were. O(n). */
size_t list_remove(
	struct value *list, struct slice element, enum list_side from, size_t most, const struct type_limits *limits);

#endif
