/* Members for the tests of sets: of every kind that a set holds differently. */
#ifndef TARN_TESTS_UNIT_TYPES_MEMBERS_H
#define TARN_TESTS_UNIT_TYPES_MEMBERS_H

#include "../testing.h"

#include "base/alloc.h"
#include "base/number.h"
#include "types/value.h"

struct members {
	struct slice *texts; /* all different */
	unsigned count;
};

enum member_kinds {
	MEMBER_NUMBERS = 1 << 0, /* of any size, at the edges of how they are held as well */
	MEMBER_WORDS = 1 << 1,   /* up to 64 bytes, any byte */
	MEMBER_LONG = 1 << 2,    /* up to 20000 bytes */
	MEMBER_ALMOST = 1 << 3,  /* text that looks like a number and is none */
};

static inline struct slice members__number(void) {
	static const int64_t edges[] = { 0, -1, INT64_MAX, INT64_MIN, (int64_t)1 << 42, -((int64_t)1 << 42),
		((int64_t)1 << 42) - 1, -((int64_t)1 << 42) - 1, INT16_MAX, INT16_MIN, INT32_MAX, INT32_MIN };
	int64_t number = (int64_t)random_u64() >> random_below(60);
	if (random_below(20) == 0) number = edges[random_below(sizeof(edges) / sizeof(edges[0]))];
	char *text = mem_alloc(NUMBER_I64_MAX_CHARS + 1);
	return slice_of(text, number_format_i64(text, number));
}

static inline struct slice members__text(size_t len) {
	char *text = mem_alloc(len + 1);
	for (size_t i = 0; i < len; i++) text[i] = (char)(random_below(2) ? 'a' + random_below(3) : random_u64());
	return slice_of(text, len);
}

static inline struct slice members__almost(void) {
	static const char *const texts[] = { "", "-", "-0", "00", "01", "+1", " 1", "1 ", "1.0", "--1", "1e3", "0x1",
		"9223372036854775808", "-9223372036854775809", "99999999999999999999", "-00000000000000001", "1a",
		"a1" };
	const char *text = texts[random_below(sizeof(texts) / sizeof(texts[0]))];
	return slice_of(mem_strdup(text), strlen(text));
}

static inline struct slice members__any(unsigned kinds) {
	for (;;) {
		switch (random_below(20)) {
		case 0:
			if (kinds & MEMBER_LONG) return members__text(random_below(random_below(20) ? 300 : 20000));
			break;
		case 1:
			if (kinds & MEMBER_ALMOST) return members__almost();
			break;
		case 2:
			if (kinds & MEMBER_WORDS) return members__text(random_below(2) ? 32 : 64);
			break;
		default:
			if (random_below(2) == 0) {
				if (kinds & MEMBER_NUMBERS) return members__number();
			} else if (kinds & MEMBER_WORDS) {
				return members__text(random_below(random_below(3) ? 20 : 65));
			}
		}
	}
}

static inline int members__compare(const void *a, const void *b) {
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* About `wanted` members, fewer when there are not so many of these kinds; in the order of slice_compare. */
static inline struct members members_make(unsigned wanted, unsigned kinds) {
	struct members m = { mem_alloc((wanted + 1) * sizeof(struct slice)), wanted };
	for (unsigned i = 0; i < wanted; i++) m.texts[i] = members__any(kinds);
	qsort(m.texts, wanted, sizeof(*m.texts), members__compare);
	unsigned kept = 0;
	for (unsigned i = 0; i < wanted; i++) {
		if (kept > 0 && slice_equal(m.texts[i], m.texts[kept - 1])) {
			mem_free((void *)(uintptr_t)m.texts[i].ptr);
		} else {
			m.texts[kept++] = m.texts[i];
		}
	}
	m.count = kept;
	return m;
}

static inline void members_free(struct members *m) {
	for (unsigned i = 0; i < m->count; i++) mem_free((void *)(uintptr_t)m->texts[i].ptr);
	mem_free(m->texts);
}

/* Which one it is; fails when it is none. */
static inline unsigned members_index(const struct members *m, struct slice text) {
	const struct slice *found = bsearch(&text, m->texts, m->count, sizeof(text), members__compare);
	assert_non_null(found);
	return (unsigned)(found - m->texts);
}

/* Small ones, so that a test crosses them often. */
static inline struct type_limits members_limits(void) {
	struct type_limits limits = type_limits_default;
	limits.set_max_intset_entries = random_below(4) ? random_below(100) : random_below(4);
	limits.set_max_listpack_entries = random_below(4) ? random_below(60) : random_below(4);
	limits.set_max_listpack_value = random_below(4) ? random_below(70) : 3;
	return limits;
}

#endif
