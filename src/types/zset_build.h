/* Building a sorted set out of members in any order: behind ZUNIONSTORE and its kin, ZRANGESTORE, GEOSEARCHSTORE and loading.
 *
 * Members are gathered as items; at the end they are sorted once and appended to a tree (or a pack, when they fit), which
 * is several times faster than as many zset_add.
 *
 *   struct zset_build build = { 0 };
 *   zset_build_add(&build, member, score);       // each member once; false: no memory
 *   zset_build_sort(&build);                     // false: no memory
 *   … zset_build_at(&build, 0 … build.count - 1) // to answer them in order
 *   zset_build_finish(&build, limits, &value);   // or to keep them
 *   zset_build_release(&build);                  // always
 *
 * A failed call leaves the build as it was. */
#ifndef TARN_TYPES_ZSET_BUILD_H
#define TARN_TYPES_ZSET_BUILD_H

#include "containers/table.h"
#include "types/zset.h"

struct zset_item;

/* All zero is an empty one. */
struct zset_build {
	size_t count; /* members so far */
	/* Private. */
	struct zset_record *_records;
	size_t _capacity;
	size_t _item_bytes;    /* of all items, as mem_size_class */
	size_t _longest;       /* member */
	size_t _text_bytes;    /* of all members */
	struct table _members; /* of all items, or, as long as only zset_build_add was called, empty */
};

/* Adds a member that is not in there; nobody looks whether it is. `score` is not NaN. */
__attribute__((warn_unused_result)) bool zset_build_add(struct zset_build *b, struct slice member, double score);

/* Where the score of a member is kept, for the caller to set when the member is new (*fresh) or to combine with another.
 * Valid until the next call. NULL: no memory. All members of a build come by this call, or none. `hash` is
 * hash_slice(member): callers with many members call zset_build_prefetch for all, then zset_build_prefetch_item. */
double *zset_build_slot(struct zset_build *b, struct slice member, uint64_t hash, bool *fresh);
static inline void zset_build_prefetch(const struct zset_build *b, uint64_t hash) {
	table_prefetch(&b->_members, hash);
}
static inline void zset_build_prefetch_item(const struct zset_build *b, uint64_t hash) {
	table_prefetch_items(&b->_members, hash);
}

/* Brings them in order. O(n log n), O(n) when they came in order. */
__attribute__((warn_unused_result)) bool zset_build_sort(struct zset_build *b);

/* The member that `index` others precede; sorted before. Valid as long as the build. O(1). */
struct zset_element zset_build_at(const struct zset_build *b, size_t index);

/* A value of them all, in the form that `limits` ask for; sorted before. The build is empty afterwards. */
void zset_build_finish(struct zset_build *b, const struct type_limits *limits, struct value *z);

void zset_build_release(struct zset_build *b);

#endif
