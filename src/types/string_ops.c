#include "types/string_ops.h"

#include <assert.h>

#include "base/alloc.h"

/* The textbook's dynamic program: count[i][j] is the length for the first i bytes of `a` and the first j of `b`. The way
 * back from the end needs no counts, only where each cell came from: along the diagonal when the bytes are equal, which
 * the strings say, else from above or from the left, which one bit says. So counts are kept for two rows, bits for all. */
struct table {
	struct slice a, b;
	uint32_t *above; /* b.len + 1 counts */
	uint32_t *row;
	uint64_t *from_above; /* a bit per cell, row after row; NULL when only the length is asked for */
	size_t row_words;
};

static bool table_init(struct table *t, struct slice a, struct slice b, bool with_ways) {
	*t = (struct table){ .a = a, .b = b, .row_words = b.len / 64 + 1 };
	t->above = mem_try_calloc((b.len + 1) * sizeof(*t->above));
	t->row = mem_try_calloc((b.len + 1) * sizeof(*t->row));
	if (with_ways) t->from_above = mem_try_calloc((a.len + 1) * t->row_words * sizeof(*t->from_above));
	return t->above && t->row && (t->from_above || !with_ways);
}

static void table_release(struct table *t) {
	mem_free(t->above);
	mem_free(t->row);
	mem_free(t->from_above);
}

/* Fills `row` for the i-th byte of `a`, i from 1. */
static void fill_row(struct table *t, size_t i) {
	uint64_t *ways = t->from_above ? t->from_above + i * t->row_words : NULL;
	char c = t->a.ptr[i - 1];

	for (size_t j = 1; j <= t->b.len; j++) {
		if (c == t->b.ptr[j - 1]) {
			t->row[j] = t->above[j - 1] + 1;
			continue;
		}
		/* On a tie the way goes to the left: that decides which of several answers users get. */
		bool up = t->above[j] > t->row[j - 1];
		t->row[j] = up ? t->above[j] : t->row[j - 1];
		if (ways) ways[j / 64] |= (uint64_t)up << (j % 64);
	}
}

static size_t fill(struct table *t) {
	for (size_t i = 1; i <= t->a.len; i++) {
		fill_row(t, i);
		uint32_t *filled = t->row;
		t->row = t->above;
		t->above = filled;
	}
	return t->above[t->b.len];
}

static bool add_byte(struct lcs *result, size_t *cap, size_t i, size_t j) {
	if (result->run_count > 0) {
		struct lcs_run *last = &result->runs[result->run_count - 1];
		if (last->a == i + 1 && last->b == j + 1) {
			last->a--;
			last->b--;
			last->len++;
			return true;
		}
	}
	if (result->run_count == *cap) {
		size_t more = *cap ? *cap * 2 : 16;
		struct lcs_run *runs = mem_try_realloc(result->runs, more * sizeof(*runs));
		if (!runs) return false;
		result->runs = runs;
		*cap = more;
	}
	result->runs[result->run_count++] = (struct lcs_run){ i, j, 1 };
	return true;
}

static bool walk_back(const struct table *t, struct lcs *result) {
	size_t i = t->a.len, j = t->b.len, cap = 0;

	while (i > 0 && j > 0) {
		if (t->a.ptr[i - 1] == t->b.ptr[j - 1]) {
			if (!add_byte(result, &cap, --i, --j)) return false;
		} else if (t->from_above[i * t->row_words + j / 64] >> (j % 64) & 1) {
			i--;
		} else {
			j--;
		}
	}
	return true;
}

bool lcs_find(struct slice a, struct slice b, struct lcs *result) {
	struct table t;
	bool ok = false;

	assert(a.len < UINT32_MAX && b.len < UINT32_MAX);
	*result = (struct lcs){ 0 };
	if (table_init(&t, a, b, true)) {
		result->len = fill(&t);
		ok = walk_back(&t, result);
	}
	table_release(&t);
	if (!ok) lcs_release(result);
	return ok;
}

void lcs_release(struct lcs *result) {
	mem_free(result->runs);
	*result = (struct lcs){ 0 };
}

bool lcs_length(struct slice a, struct slice b, size_t *len) {
	struct table t;

	assert(a.len < UINT32_MAX && b.len < UINT32_MAX);
	bool ok = table_init(&t, a, b, false);
	if (ok) *len = fill(&t);
	table_release(&t);
	return ok;
}

uint64_t lcs_table_bytes(struct slice a, struct slice b) {
	uint64_t cells;

	if (__builtin_mul_overflow((uint64_t)a.len + 1, (uint64_t)b.len + 1, &cells)) return UINT64_MAX;
	return __builtin_mul_overflow(cells, sizeof(uint32_t), &cells) ? UINT64_MAX : cells;
}
