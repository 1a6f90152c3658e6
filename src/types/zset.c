/* What a sorted set does with one member, and what it tells about itself (struct value_ops). Each call asks for the form and
 * hands on to zset_pack.c or zset_tree.c. */
#include "types/zset.h"

#include <math.h>

#include "base/number.h"
#include "types/zset_private.h"

static inline struct pack *pack_of(const struct value *z) {
	return z->data;
}

static inline struct zset_tree *tree_of(const struct value *z) {
	return z->data;
}

static inline bool is_pack(const struct value *z) {
	return z->encoding == ZSET_PACK;
}

size_t zset_count(const struct value *z) {
	return is_pack(z) ? pack_count(pack_of(z)) / 2 : tree_count(&tree_of(z)->order);
}

bool zset_score(const struct value *z, struct slice member, double *score) {
	if (is_pack(z)) return zset__pack_find(pack_of(z), member, score) != 0;
	const struct zset_item *item = zset__tree_find(tree_of(z), member);
	if (item) *score = item->score;
	return item != NULL;
}

enum { FETCH_BATCH = 16 };

static void fetch(
	const struct zset_tree *t, const struct slice *members, size_t count, unsigned step, uint64_t *hashes) {
	for (size_t i = 0; i < count; i++) {
		hashes[i] = hash_slice(members[i * step]);
		table_prefetch(&t->members, hashes[i]);
	}
	for (size_t i = 0; i < count; i++) table_prefetch_items(&t->members, hashes[i]);
}

void zset_prefetch(const struct value *z, const struct slice *members, size_t count, unsigned step) {
	uint64_t hashes[ZSET_PREFETCH_MAX];
	if (count > ZSET_PREFETCH_MAX) count = ZSET_PREFETCH_MAX;
	if (!is_pack(z)) fetch(tree_of(z), members, count, step, hashes);
}

static void tree_scores(
	const struct zset_tree *t, const struct slice *members, size_t count, bool *found, double *scores) {
	uint64_t hashes[FETCH_BATCH];
	fetch(t, members, count, 1, hashes);
	for (size_t i = 0; i < count; i++) {
		struct table_place place = table_find(&t->members, hashes[i], zset__item_is, &members[i]);
		found[i] = place.bucket != NULL;
		if (found[i]) scores[i] = ((const struct zset_item *)table_item_at(place))->score;
	}
}

void zset_score_many(const struct value *z, const struct slice *members, size_t count, bool *found, double *scores) {
	for (size_t done = 0; done < count;) {
		size_t batch = count - done < FETCH_BATCH ? count - done : FETCH_BATCH;
		if (is_pack(z)) {
			batch = 1;
			found[done] = zset_score(z, members[done], &scores[done]);
		} else {
			tree_scores(tree_of(z), members + done, batch, found + done, scores + done);
		}
		done += batch;
	}
}

static size_t pack_rank(const struct pack *pack, size_t member_position) {
	size_t rank = 0;
	for (size_t at = pack_first(pack); at != member_position; rank++) at = pack_next(pack, pack_next(pack, at));
	return rank;
}

bool zset_rank(const struct value *z, struct slice member, enum zset_order order, size_t *rank, double *score) {
	double found_score;
	if (is_pack(z)) {
		size_t at = zset__pack_find(pack_of(z), member, &found_score);
		if (!at) return false;
		*rank = pack_rank(pack_of(z), at);
	} else {
		const struct zset_item *item = zset__tree_find(tree_of(z), member);
		if (!item) return false;
		found_score = item->score;
		*rank = zset__tree_rank(tree_of(z), item);
	}
	if (order == ZSET_DOWN) *rank = zset_count(z) - 1 - *rank;
	if (score) *score = found_score;
	return true;
}

struct zset_element zset_at(const struct value *z, size_t rank, enum zset_order order, char *scratch) {
	struct zset_element element = { .score = 0 };
	if (order == ZSET_DOWN) rank = zset_count(z) - 1 - rank;
	if (is_pack(z)) {
		size_t at = pack_nth(pack_of(z), (int64_t)rank * 2);
		element.member = pack_text(pack_of(z), at, scratch);
		zset_pack_score(pack_of(z), pack_next(pack_of(z), at), &element.score);
		return element;
	}
	struct tree_place place;
	tree_at(&tree_of(z)->order, rank, &place, NULL);
	const struct zset_record *record = tree_record(&tree_of(z)->order, &place);
	return (struct zset_element){ zset__item_member(record->item), record->score };
}

enum zset_added zset__decide(bool there, double old_score, double score, unsigned flags, double *new_score) {
	*new_score = score;
	if (!there) return flags & ZSET_ADD_XX ? ZSET_KEPT : ZSET_ADDED;
	if (flags & ZSET_ADD_NX) return ZSET_KEPT;
	if (flags & ZSET_ADD_INCR) *new_score = old_score + score;
	if (isnan(*new_score)) return ZSET_NAN;
	if (flags & ZSET_ADD_GT && *new_score <= old_score) return ZSET_KEPT;
	if (flags & ZSET_ADD_LT && *new_score >= old_score) return ZSET_KEPT;
	return *new_score == old_score ? ZSET_SAME : ZSET_UPDATED;
}

/* The same, and the pack became a tree when the member is too much for it. */
static enum zset_added add_to_pack(struct value *z, struct slice member, double score, unsigned flags,
	const struct type_limits *limits, double *new_score) {
	struct pack *pack = pack_of(z);
	double old_score = 0;
	size_t at = zset__pack_find(pack, member, &old_score);
	enum zset_added added = zset__decide(at != 0, old_score, score, flags, new_score);
	if (added == ZSET_UPDATED) {
		zset__pack_move(&pack, at, member, *new_score);
	} else if (added == ZSET_ADDED) {
		if (!zset__pack_takes(pack, member.len, limits)) {
			zset__to_tree(z);
			return zset__tree_add(tree_of(z), member, score, flags, new_score);
		}
		zset__pack_insert(&pack, member, *new_score);
	}
	z->data = pack;
	return added;
}

enum zset_added zset_add(struct value *z, struct slice member, double score, unsigned flags,
	const struct type_limits *limits, double *result) {
	double unwanted;
	if (!result) result = &unwanted;
	return is_pack(z) ? add_to_pack(z, member, score, flags, limits, result)
			  : zset__tree_add(tree_of(z), member, score, flags, result);
}

bool zset_remove(struct value *z, struct slice member) {
	if (!is_pack(z)) return zset__tree_remove(tree_of(z), member);
	struct pack *pack = pack_of(z);
	size_t at = pack_find(pack, pack_first(pack), member, 1);
	if (at) pack_delete_range(&pack, at, 2);
	z->data = pack;
	return at != 0;
}

void zset_expect(struct value *z, size_t members, const struct type_limits *limits) {
	if (is_pack(z) && members > limits->zset_max_listpack_entries) zset__to_tree(z);
}

void zset__to_tree(struct value *z) {
	struct pack *pack = pack_of(z);
	struct zset_tree *t = zset__tree_new();
	char scratch[PACK_SCRATCH_BYTES];
	for (size_t at = pack_first(pack); at;) {
		struct slice member = pack_text(pack, at, scratch);
		size_t score_position = pack_next(pack, at);
		double score = 0;
		zset_pack_score(pack, score_position, &score);
		struct zset_item *item = zset__item_new(member, score);
		if (!item) mem_exhausted(zset__item_bytes(member.len));
		zset__tree_append(t, item);
		at = pack_next(pack, score_position);
	}
	pack_free(pack);
	*z = (struct value){ VALUE_ZSET, ZSET_TREE, t };
}

/* ---- struct value_ops ---- */

static struct value create(void) {
	return (struct value){ VALUE_ZSET, ZSET_PACK, pack_new() };
}

static size_t flat_bytes(const struct value *z) {
	return is_pack(z) ? pack_bytes(pack_of(z)) : 0;
}

static size_t memory(const struct value *z) {
	return is_pack(z) ? pack_memory(pack_of(z)) : zset__tree_memory(tree_of(z));
}

static size_t pieces(const struct value *z) {
	return is_pack(z) ? 1 : tree_count(&tree_of(z)->order);
}

static void release(struct value *z) {
	if (is_pack(z)) {
		pack_free(pack_of(z));
	} else {
		zset__tree_free(tree_of(z));
	}
}

static struct value copy(const struct value *z) {
	struct value twin = *z;
	twin.data = is_pack(z) ? (void *)pack_copy(pack_of(z)) : (void *)zset__tree_copy(tree_of(z));
	return twin;
}

static const char *encoding_name(const struct value *z) {
	return is_pack(z) ? "listpack" : "skiplist";
}

static void each(const struct value *z, value_element_fn *visit, void *context) {
	struct zset_walk walk;
	struct zset_element element;
	char text[NUMBER_DOUBLE_MAX_CHARS];
	zset_walk_ranks(z, 0, SIZE_MAX, ZSET_UP, &walk);
	while (zset_next(&walk, &element)) {
		const struct slice parts[] = { element.member,
			slice_of(text, number_format_double(text, element.score)) };
		visit(context, parts, 2);
	}
}

static const char *check(const struct value *z) {
	if (!is_pack(z)) return zset__tree_check(tree_of(z));
	if (!pack_validate(pack_of(z), pack_bytes(pack_of(z)), PACK_DEEP)) return "a sorted set's pack is damaged";
	return zset__pack_check(pack_of(z));
}

const struct value_ops zset_ops = {
	.create = create,
	.flat_bytes = flat_bytes,
	.count = zset_count,
	.memory = memory,
	.pieces = pieces,
	.release = release,
	.copy = copy,
	.encoding_name = encoding_name,
	.each = each,
	.check = check,
};
