#include "types/zset_scores.h"

#include "types/zset_private.h"

static inline int compare_score(const void *record, const void *key) {
	double score = ((const struct zset_record *)record)->score, wanted = *(const double *)key;
	return (score > wanted) - (score < wanted);
}

void zset_scores_from(const struct value *z, double from, struct zset_scores *walk) {
	double score;

	*walk = (struct zset_scores){ 0 };
	if (z->encoding == ZSET_TREE) {
		struct tree_place place;
		walk->_tree = &((const struct zset_tree *)z->data)->order;
		tree_seek(walk->_tree, compare_score, &from, &place);
		walk->_run = tree_run_from(walk->_tree, &place);
		return;
	}
	walk->_pack = z->data;
	walk->_at = pack_first(walk->_pack);
	while (walk->_at) {
		size_t score_at = pack_next(walk->_pack, walk->_at);
		if (!zset_pack_score(walk->_pack, score_at, &score) || score >= from) return;
		walk->_at = pack_next(walk->_pack, score_at);
	}
}

static bool next_in_pack(struct zset_scores *walk, double below, double *score, struct zset_handle *handle) {
	if (!walk->_at) return false;
	size_t score_at = pack_next(walk->_pack, walk->_at);
	if (!zset_pack_score(walk->_pack, score_at, score) || !(*score < below)) return false;
	handle->_at = walk->_at;
	walk->_at = pack_next(walk->_pack, score_at);
	return true;
}

bool zset_scores_next(struct zset_scores *walk, double below, double *score, struct zset_handle *handle) {
	if (walk->_pack) return next_in_pack(walk, below, score, handle);
	if (walk->_at == walk->_run.count) {
		if (walk->_run.count == 0) return false;
		walk->_run = tree_run_next(walk->_tree, &walk->_run);
		walk->_at = 0;
		if (walk->_run.count == 0) return false;
	}
	const struct zset_record *record = (const struct zset_record *)walk->_run.records + walk->_at;
	*score = record->score;
	if (!(*score < below)) return false;
	handle->_at = (uintptr_t)record->item;
	walk->_at++;
	return true;
}

void zset_handle_prefetch(const struct value *z, struct zset_handle handle) {
	if (z->encoding == ZSET_TREE) __builtin_prefetch((const void *)handle._at);
}

struct slice zset_handle_member(const struct value *z, struct zset_handle handle, char *scratch) {
	if (z->encoding == ZSET_TREE) return zset__item_member((const struct zset_item *)handle._at);
	return pack_text(z->data, handle._at, scratch);
}
