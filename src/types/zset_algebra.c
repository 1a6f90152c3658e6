/* Union, intersection, difference. Members are taken from an input in batches, so that the cache misses of a batch's look-ups in
 * the other inputs and in the result overlap. */
#include "types/zset_algebra.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "types/set.h"

enum {
	BATCH = 16,
	SHORT = 64, /* members up to this are copied to the batch where they do not stay put */
};

/* Members on their way. Returns false when no more are wanted. */
struct batch {
	size_t count;
	struct slice members[BATCH];
	double scores[BATCH];
};
typedef bool batch_fn(void *context, struct batch *batch);

static size_t input_count(const struct zset_input *input) {
	if (!input->value.data) return 0;
	return input->value.type == VALUE_SET ? set_count(&input->value) : zset_count(&input->value);
}

/* ---- From an input to batches ---- */

struct source {
	double weight;
	batch_fn *take;
	void *context;
	bool stopped;
	bool members_stay; /* their bytes are valid until the next batch */
	struct batch batch;
	char texts[BATCH][SHORT];
};

static void flush(struct source *s) {
	if (s->batch.count > 0 && !s->stopped) s->stopped = !s->take(s->context, &s->batch);
	s->batch.count = 0;
}

static void put(void *context, struct slice member, double score) {
	struct source *s = context;
	bool copied = !s->members_stay && member.len <= SHORT;
	if (s->stopped) return;
	size_t at = s->batch.count++;
	if (copied) {
		if (member.len > 0) memcpy(s->texts[at], member.ptr, member.len);
		member.ptr = s->texts[at];
	}
	double weighed = score * s->weight;
	s->batch.members[at] = member;
	s->batch.scores[at] = isnan(weighed) ? 0 : weighed;
	if (s->batch.count == BATCH || !(copied || s->members_stay)) flush(s);
}

static void put_from_set(void *context, struct slice member) {
	put(context, member, 1);
}

/* Hands all members of an input over, their scores weighed. False when `take` wanted no more. */
static bool each_batch(const struct zset_input *input, batch_fn *take, void *context) {
	struct source s;
	if (!input->value.data) return true;
	s.weight = input->weight;
	s.take = take;
	s.context = context;
	s.stopped = false;
	s.batch.count = 0;
	if (input->value.type == VALUE_SET) {
		s.members_stay = false;
		set_each(&input->value, put_from_set, &s);
	} else {
		struct zset_walk walk;
		struct zset_element element;
		s.members_stay = input->value.encoding == ZSET_TREE;
		zset_walk_ranks(&input->value, 0, SIZE_MAX, ZSET_UP, &walk);
		while (!s.stopped && zset_next(&walk, &element)) put(&s, element.member, element.score);
	}
	flush(&s);
	return !s.stopped;
}

/* Which of the members another input has, and their weighed scores there, NaN where that comes out (see `aggregate`). */
static void look_up(const struct zset_input *input, const struct batch *batch, bool *found, double *scores) {
	if (!input->value.data) {
		for (size_t i = 0; i < batch->count; i++) found[i] = false;
		return;
	}
	if (input->value.type == VALUE_SET) {
		set_has_many(&input->value, batch->members, batch->count, found);
		for (size_t i = 0; i < batch->count; i++) scores[i] = 1;
	} else {
		zset_score_many(&input->value, batch->members, batch->count, found, scores);
	}
	for (size_t i = 0; i < batch->count; i++)
		if (found[i]) scores[i] *= input->weight;
}

/* ---- Scores ---- */

/* `a` is no NaN. A `b` that is one makes a sum 0 and otherwise does not count, as in Redis, where it comes up in intersections
 * (an infinite score times 0). */
static double aggregate(enum zset_aggregate how, double a, double b) {
	if (how == ZSET_MIN) return b < a ? b : a;
	if (how == ZSET_MAX) return b > a ? b : a;
	double sum = a + b;
	return isnan(sum) ? 0 : sum;
}

struct order_key {
	size_t count, index;
};

static int compare_keys(const void *a, const void *b) {
	const struct order_key *x = a, *y = b;
	if (x->count != y->count) return x->count < y->count ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

/* Smallest first; equal ones stay in their order. */
static bool sort_inputs(struct zset_input *inputs, size_t count) {
	if (count < 2) return true;
	struct order_key *keys = mem_try_alloc(count * sizeof(*keys));
	struct zset_input *sorted = mem_try_alloc(count * sizeof(*sorted));
	bool done = keys && sorted;
	if (done) {
		for (size_t i = 0; i < count; i++) keys[i] = (struct order_key){ input_count(&inputs[i]), i };
		qsort(keys, count, sizeof(*keys), compare_keys);
		for (size_t i = 0; i < count; i++) sorted[i] = inputs[keys[i].index];
		memcpy(inputs, sorted, count * sizeof(*sorted));
	}
	mem_free(keys);
	mem_free(sorted);
	return done;
}

/* ---- Union ---- */

struct merging {
	enum zset_aggregate how;
	struct zset_build *result;
};

static bool merge_batch(void *context, struct batch *batch) {
	const struct merging *m = context;
	uint64_t hashes[BATCH];
	for (size_t i = 0; i < batch->count; i++) {
		hashes[i] = hash_slice(batch->members[i]);
		zset_build_prefetch(m->result, hashes[i]);
	}
	for (size_t i = 0; i < batch->count; i++) zset_build_prefetch_item(m->result, hashes[i]);
	for (size_t i = 0; i < batch->count; i++) {
		bool fresh;
		double *score = zset_build_slot(m->result, batch->members[i], hashes[i], &fresh);
		if (!score) return false;
		*score = fresh ? batch->scores[i] : aggregate(m->how, *score, batch->scores[i]);
	}
	return true;
}

bool zset_union(struct zset_input *inputs, size_t count, enum zset_aggregate how, struct zset_build *result) {
	struct merging merging = { how, result };
	if (!sort_inputs(inputs, count)) return false;
	for (size_t i = 0; i < count; i++) {
		if (!each_batch(&inputs[i], merge_batch, &merging)) return false;
	}
	return true;
}

/* ---- Intersection and difference: members of the first input, sifted by the others ---- */

struct sifting {
	const struct zset_input *others;
	size_t count; /* of others */
	enum zset_aggregate how;
	struct zset_build *result; /* NULL: they are counted only */
	size_t found, limit;
};

/* Keeps the members whose `keep` is true. */
static void squeeze(struct batch *batch, const bool *keep) {
	size_t kept = 0;
	for (size_t i = 0; i < batch->count; i++) {
		if (!keep[i]) continue;
		batch->members[kept] = batch->members[i];
		batch->scores[kept++] = batch->scores[i];
	}
	batch->count = kept;
}

static bool add_batch(struct zset_build *result, const struct batch *batch) {
	for (size_t i = 0; i < batch->count; i++)
		if (!zset_build_add(result, batch->members[i], batch->scores[i])) return false;
	return true;
}

static bool inter_batch(void *context, struct batch *batch) {
	struct sifting *s = context;
	bool found[BATCH];
	double scores[BATCH];
	for (size_t other = 0; other < s->count && batch->count > 0; other++) {
		look_up(&s->others[other], batch, found, scores);
		for (size_t i = 0; i < batch->count; i++)
			if (found[i]) batch->scores[i] = aggregate(s->how, batch->scores[i], scores[i]);
		squeeze(batch, found);
	}
	s->found += batch->count;
	return s->result ? add_batch(s->result, batch) : s->found < s->limit;
}

bool zset_inter(struct zset_input *inputs, size_t count, enum zset_aggregate how, struct zset_build *result) {
	if (!sort_inputs(inputs, count)) return false;
	struct sifting sifting = { .others = inputs + 1, .count = count - 1, .how = how, .result = result };
	/* The smallest decides alone when it is empty. */
	return each_batch(&inputs[0], inter_batch, &sifting);
}

size_t zset_inter_count(struct zset_input *inputs, size_t count, size_t limit) {
	struct sifting sifting = { .others = inputs + 1, .count = count - 1, .limit = limit ? limit : SIZE_MAX };
	size_t smallest = 0;
	for (size_t i = 1; i < count; i++)
		if (input_count(&inputs[i]) < input_count(&inputs[smallest])) smallest = i;
	struct zset_input first = inputs[smallest];
	inputs[smallest] = inputs[0];
	inputs[0] = first;
	each_batch(&first, inter_batch, &sifting);
	return sifting.found < sifting.limit ? sifting.found : sifting.limit;
}

static bool diff_batch(void *context, struct batch *batch) {
	const struct sifting *s = context;
	bool found[BATCH];
	double scores[BATCH];
	for (size_t other = 0; other < s->count && batch->count > 0; other++) {
		look_up(&s->others[other], batch, found, scores);
		for (size_t i = 0; i < batch->count; i++) found[i] = !found[i];
		squeeze(batch, found);
	}
	return add_batch(s->result, batch);
}

bool zset_diff(const struct zset_input *inputs, size_t count, struct zset_build *result) {
	struct sifting sifting = { .others = inputs + 1, .count = count - 1, .result = result };
	struct zset_input first = inputs[0];
	first.weight = 1;
	return each_batch(&first, diff_batch, &sifting);
}
