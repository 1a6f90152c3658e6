/* The tree form of lists, between list.c, list_tree.c and list_walk.c.
 *
 * No pack in it is empty, and all are below LIST__PACK_BYTES unless they hold a single element. So a list of many elements
 * has full packs but at its ends and where elements were put in or taken out in between. */
#ifndef TARN_TYPES_LIST_PRIVATE_H
#define TARN_TYPES_LIST_PRIVATE_H

#include "types/list.h"

enum {
	LIST__PACK_BYTES = 4096,
	/* An element of more bytes is held alone: it would have a pack for itself in any case. */
	LIST__PLAIN_BYTES = LIST__PACK_BYTES - PACK_EMPTY_BYTES - PACK_ENTRY_EXTRA_BYTES,
};

struct list__record {
	void *data;     /* struct pack, or struct list__plain */
	uint32_t count; /* its elements: the weight */
	uint32_t is_plain;
};

struct list__plain {
	size_t len;
	char bytes[];
};

struct list__tree {
	struct tree records;
	size_t data_bytes;  /* what the allocator gives for packs and large elements, as mem_size_class */
	size_t entry_bytes; /* of all packs, without their heads and ends, and of large elements */
};

static inline struct list__tree *list__tree_of(const struct value *list) {
	return list->data;
}

static inline struct slice list__plain_text(const struct list__plain *plain) {
	return slice_of(plain->bytes, plain->len);
}

/* What an element takes in a pack, at most. */
static inline size_t list__entry_bytes(size_t len) {
	return len + (len < 64 ? 2 : len < 4096 ? 4 : PACK_ENTRY_EXTRA_BYTES);
}

/* A tree with the elements of the pack, which is taken over. */
struct list__tree *list__tree_from_pack(struct pack *pack);
/* The other way round, whatever its size. */
struct pack *list__tree_to_pack(struct list__tree *l);
struct list__tree *list__tree_copy(const struct list__tree *l);
void list__tree_free(struct list__tree *l);
size_t list__tree_memory(const struct list__tree *l);
const char *list__tree_check(const struct list__tree *l);

/* As the public calls. */
bool list__tree_push(struct list__tree *l, enum list_side side, const struct slice *elements, size_t count);
void list__tree_drop(struct list__tree *l, enum list_side side, size_t count);
void list__tree_rotate(struct list__tree *l, enum list_side from);
bool list__tree_set(struct list__tree *l, size_t index, struct slice element);
bool list__tree_insert(struct list__tree *l, size_t index, struct slice element);
size_t list__tree_remove(struct list__tree *l, struct slice element, enum list_side from, size_t most);

/* Takes up to `most` entries that equal the element out of the pack, seen from that end. */
size_t list__pack_remove(struct pack **pack, struct slice element, enum list_side from, size_t most);

#endif
