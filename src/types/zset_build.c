/* Members gathered in any order, sorted once. See zset_build.h. */
#include "types/zset_build.h"

#include "types/zset_private.h"

enum { FIRST_CAPACITY = 16 };

static bool make_room(struct zset_build *b) {
	if (b->count < b->_capacity) return true;
	size_t capacity = b->_capacity ? b->_capacity * 2 : FIRST_CAPACITY;
	struct zset_record *records = mem_try_realloc(b->_records, capacity * sizeof(*records));
	if (!records) return false;
	b->_records = records;
	b->_capacity = capacity;
	return true;
}

/* NULL without memory. */
static struct zset_item *append(struct zset_build *b, struct slice member, double score) {
	if (!make_room(b)) return NULL;
	struct zset_item *item = zset__item_new(member, score);
	if (!item) return NULL;
	b->_records[b->count++] = (struct zset_record){ score, item };
	b->_item_bytes += zset__item_bytes(member.len);
	b->_text_bytes += member.len;
	if (member.len > b->_longest) b->_longest = member.len;
	return item;
}

bool zset_build_add(struct zset_build *b, struct slice member, double score) {
	return append(b, member, score) != NULL;
}

double *zset_build_slot(struct zset_build *b, struct slice member, uint64_t hash, bool *fresh) {
	struct table_place found = table_find(&b->_members, hash, zset__item_is, &member);
	*fresh = found.bucket == NULL;
	struct zset_item *item = *fresh ? append(b, member, 0) : table_item_at(found);
	if (!item) return NULL;
	if (*fresh) table_insert(&b->_members, hash, item, zset__item_hash);
	return &item->score;
}

/* ---- Sorting: a natural merge sort ----
 * Input often comes in stretches that are in order (each input of a union is) or in reverse (what RDB files hold), and then
 * little is left to do. Stretches shorter than MIN_RUN are made that long by insertion. */

enum { MIN_RUN = 16 };

static inline bool comes_before(const struct zset_record *a, const struct zset_record *b) {
	if (__builtin_expect(a->score == b->score, 0)) return zset__record_order(a, b) < 0;
	return a->score < b->score;
}

static void reverse(struct zset_record *records, size_t count) {
	for (size_t i = 0; i < count / 2; i++) {
		struct zset_record record = records[i];
		records[i] = records[count - 1 - i];
		records[count - 1 - i] = record;
	}
}

/* Makes a run that begins at `from`; its end. */
static size_t make_run(struct zset_record *records, size_t from, size_t count) {
	size_t end = from + 1;
	if (end < count && comes_before(&records[end], &records[from])) {
		while (end < count && comes_before(&records[end], &records[end - 1])) end++;
		reverse(records + from, end - from);
	}
	while (end < count && comes_before(&records[end - 1], &records[end])) end++;
	for (; end < count && end - from < MIN_RUN; end++) {
		struct zset_record record = records[end];
		size_t at = end;
		for (; at > from && comes_before(&record, &records[at - 1]); at--) records[at] = records[at - 1];
		records[at] = record;
	}
	return end;
}

static void merge(const struct zset_record *a, size_t a_count, const struct zset_record *b, size_t b_count,
	struct zset_record *out) {
	while (a_count > 0 && b_count > 0) {
		/* Which side it comes from is a coin's toss: taken without a branch. */
		bool from_b = comes_before(b, a);
		*out++ = *(from_b ? b : a);
		b += from_b;
		b_count -= from_b;
		a += !from_b;
		a_count -= !from_b;
	}
	if (a_count > 0) memcpy(out, a, a_count * sizeof(*a));
	if (b_count > 0) memcpy(out, b, b_count * sizeof(*b));
}

/* Merges neighbouring runs in pairs. `ends` holds where each ends; how many are left. */
static size_t merge_pairs(const struct zset_record *from, struct zset_record *to, size_t *ends, size_t runs) {
	size_t kept = 0, begin = 0;
	for (size_t i = 0; i < runs; i += 2) {
		size_t middle = ends[i], end = i + 1 < runs ? ends[i + 1] : middle;
		merge(from + begin, middle - begin, from + middle, end - middle, to + begin);
		ends[kept++] = begin = end;
	}
	return kept;
}

bool zset_build_sort(struct zset_build *b) {
	size_t *ends = NULL;
	struct zset_record *other = NULL;
	/* A slot's score was set after the record was made. */
	if (table_count(&b->_members) > 0)
		for (size_t i = 0; i < b->count; i++) b->_records[i].score = b->_records[i].item->score;
	if (b->count < 2 || make_run(b->_records, 0, b->count) == b->count) return true;

	ends = mem_try_alloc((b->count / MIN_RUN + 1) * sizeof(*ends));
	other = mem_try_alloc(b->_capacity * sizeof(*other));
	if (!ends || !other) {
		mem_free(ends);
		mem_free(other);
		return false;
	}
	size_t runs = 0;
	for (size_t at = 0; at < b->count;) ends[runs++] = at = make_run(b->_records, at, b->count);
	while (runs > 1) {
		runs = merge_pairs(b->_records, other, ends, runs);
		struct zset_record *sorted = other;
		other = b->_records;
		b->_records = sorted;
	}
	mem_free(ends);
	mem_free(other);
	return true;
}

struct zset_element zset_build_at(const struct zset_build *b, size_t index) {
	const struct zset_record *record = &b->_records[index];
	return (struct zset_element){ zset__item_member(record->item), record->score };
}

/* ---- The end ---- */

static void free_items(struct zset_build *b) {
	for (size_t i = 0; i < b->count; i++) zset__item_free(b->_records[i].item);
}

static void forget(struct zset_build *b) {
	table_release(&b->_members);
	mem_free(b->_records);
	*b = (struct zset_build){ 0 };
}

void zset_build_release(struct zset_build *b) {
	free_items(b);
	forget(b);
}

static bool fits_pack(const struct zset_build *b, const struct type_limits *limits) {
	return b->count <= limits->zset_max_listpack_entries && b->_longest <= limits->zset_max_listpack_value &&
	       b->_text_bytes + b->count * (NUMBER_DOUBLE_MAX_CHARS + 2 * PACK_ENTRY_EXTRA_BYTES) < PACK_MAX_BYTES;
}

static struct pack *make_pack(const struct zset_build *b) {
	struct pack *pack = pack_new();
	for (size_t i = 0; i < b->count; i++)
		zset__pack_append(&pack, zset__item_member(b->_records[i].item), b->_records[i].score);
	return pack;
}

enum { HASH_BATCH = 16 };

/* The table of members that only zset_build_add has seen. Buckets of a batch are fetched together. */
static void fill_table(struct zset_build *b) {
	uint64_t hashes[HASH_BATCH];
	for (size_t done = 0; done < b->count;) {
		size_t batch = b->count - done < HASH_BATCH ? b->count - done : HASH_BATCH;
		for (size_t i = 0; i < batch; i++) {
			hashes[i] = zset__item_hash(b->_records[done + i].item);
			table_prefetch(&b->_members, hashes[i]);
		}
		for (size_t i = 0; i < batch; i++)
			table_insert(&b->_members, hashes[i], b->_records[done + i].item, zset__item_hash);
		done += batch;
	}
}

static struct zset_tree *make_tree(struct zset_build *b) {
	struct zset_tree *t = zset__tree_new();
	if (table_count(&b->_members) == 0) fill_table(b);
	t->members = b->_members;
	b->_members = (struct table){ 0 };
	t->item_bytes = b->_item_bytes;
	for (size_t i = 0; i < b->count; i++) tree_append(&t->order, &b->_records[i]);
	return t;
}

void zset_build_finish(struct zset_build *b, const struct type_limits *limits, struct value *z) {
	if (fits_pack(b, limits)) {
		*z = (struct value){ VALUE_ZSET, ZSET_PACK, make_pack(b) };
		free_items(b);
	} else {
		*z = (struct value){ VALUE_ZSET, ZSET_TREE, make_tree(b) };
	}
	forget(b);
}
