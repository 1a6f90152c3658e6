/* Globs: the cases by hand, random ones against a plain recursive model, and that hostile patterns stay cheap. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/glob.h"
#include "base/random.h"

static bool matches(const char *pattern, const char *text) {
	return glob_match(slice_of_cstr(pattern), slice_of_cstr(text), GLOB_CASE);
}

static void test_by_hand(void **state) {
	static const struct {
		const char *pattern, *text;
		bool match;
	} cases[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", false }, /* a quirk that is kept: nothing but the empty pattern takes the empty text */
		{ "*", "abc", true },
		{ "**", "", false },
		{ "?", "", false },
		{ "?", "a", true },
		{ "a?c", "abc", true },
		{ "a?c", "ac", false },
		{ "a*c", "abbbc", true },
		{ "a*c", "abbb", false },
		{ "*a*b*", "xxaxxbxx", true },
		{ "*ab", "aab", true },
		{ "[abc]", "b", true },
		{ "[abc]", "d", false },
		{ "[^abc]", "d", true },
		{ "[^abc]", "a", false },
		{ "[a-c]", "b", true },
		{ "[c-a]", "b", true },
		{ "[a-c]", "d", false },
		{ "[a\\-c]", "-", true },
		{ "[a\\-c]", "b", false },
		{ "[]", "]", false },
		{ "[^]", "x", true },
		{ "[a", "a", true },
		{ "[", "[", false },
		{ "[^", "x", true },
		{ "\\*", "*", true },
		{ "\\*", "a", false },
		{ "a\\", "a\\", true },
		{ "\\", "\\", true },
		{ "h[\\]]llo", "h]llo", true },
		{ "[a-]", "-", false },
		{ "[a-]", "_", true },
		{ "key:*:[0-9]", "key:abc:7", true },
		{ "key:*:[0-9]", "key:abc:x", false },
		{ "[[]", "[", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (matches(cases[i].pattern, cases[i].text) != cases[i].match) {
			fail_msg("pattern '%s', text '%s'", cases[i].pattern, cases[i].text);
		}
	}
}

static void test_case(void **state) {
	(void)state;
	assert_true(glob_match(SLICE_LITERAL("MAX*"), SLICE_LITERAL("maxmemory"), GLOB_NOCASE));
	assert_true(glob_match(SLICE_LITERAL("[A-C]x"), SLICE_LITERAL("bX"), GLOB_NOCASE));
	assert_true(glob_match(SLICE_LITERAL("[^A]"), SLICE_LITERAL("b"), GLOB_NOCASE));
	assert_false(glob_match(SLICE_LITERAL("[^A]"), SLICE_LITERAL("a"), GLOB_NOCASE));
	assert_false(glob_match(SLICE_LITERAL("MAX*"), SLICE_LITERAL("maxmemory"), GLOB_CASE));
}

static void test_any_byte(void **state) {
	(void)state;
	assert_true(glob_match(slice_of("a\0*", 3), slice_of("a\0bc", 4), GLOB_CASE));
	assert_true(glob_match(slice_of("[\x80-\xff]", 5), slice_of("\xc3", 1), GLOB_CASE));
	assert_true(glob_match(slice_of(NULL, 0), slice_of(NULL, 0), GLOB_CASE));
}

static void test_literal(void **state) {
	(void)state;
	assert_true(glob_is_literal(SLICE_LITERAL("user:1]^-")));
	assert_true(glob_is_literal(SLICE_LITERAL("")));
	assert_false(glob_is_literal(SLICE_LITERAL("a*")));
	assert_false(glob_is_literal(SLICE_LITERAL("a?")));
	assert_false(glob_is_literal(SLICE_LITERAL("[a]")));
	assert_false(glob_is_literal(SLICE_LITERAL("a\\b")));
}

/* The model: a pattern is split into items, each a set of bytes or a star; matching tries everything. */
struct item {
	bool star;
	bool set[256];
};

static size_t parse_class(const char *p, size_t len, struct item *item) {
	size_t i = 1;
	bool negated = i < len && p[i] == '^';

	if (negated) i++;
	while (i < len && p[i] != ']') {
		if (p[i] == '\\' && i + 1 < len) {
			item->set[(unsigned char)p[i + 1]] = true;
			i += 2;
		} else if (i + 2 < len && p[i + 1] == '-') {
			int low = (unsigned char)p[i], high = (unsigned char)p[i + 2];
			for (int c = low < high ? low : high; c <= (low < high ? high : low); c++) item->set[c] = true;
			i += 3;
		} else {
			item->set[(unsigned char)p[i++]] = true;
		}
	}
	if (negated) {
		for (int c = 0; c < 256; c++) item->set[c] = !item->set[c];
	}
	return i < len ? i + 1 : len;
}

static size_t parse_pattern(struct slice pattern, struct item *items) {
	size_t count = 0, i = 0;

	while (i < pattern.len) {
		struct item *item = &items[count++];
		memset(item, 0, sizeof(*item));
		if (pattern.ptr[i] == '[') {
			i += parse_class(pattern.ptr + i, pattern.len - i, item);
			continue;
		}
		if (pattern.ptr[i] == '*') {
			item->star = true;
		} else if (pattern.ptr[i] == '?') {
			memset(item->set, true, sizeof(item->set));
		} else {
			if (pattern.ptr[i] == '\\' && i + 1 < pattern.len) i++;
			item->set[(unsigned char)pattern.ptr[i]] = true;
		}
		i++;
	}
	return count;
}

static bool model_match(const struct item *items, size_t count, struct slice text) {
	if (count == 0) return text.len == 0;
	if (items->star) {
		for (size_t i = 0; i <= text.len; i++) {
			if (model_match(items + 1, count - 1, slice_of(text.ptr + i, text.len - i))) return true;
		}
		return false;
	}
	return text.len > 0 && items->set[(unsigned char)*text.ptr] &&
	       model_match(items + 1, count - 1, slice_of(text.ptr + 1, text.len - 1));
}

static size_t random_text(char *out, size_t max, const char *alphabet) {
	size_t len = random_below(max + 1);

	for (size_t i = 0; i < len; i++) out[i] = alphabet[random_below(strlen(alphabet))];
	return len;
}

static void test_against_model(void **state) {
	char pattern[12], text[10];
	struct item items[12];
	int matched = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct slice p = slice_of(pattern, random_text(pattern, sizeof(pattern), "aabbc**?[]^-\\"));
		struct slice t = slice_of(text, random_text(text, sizeof(text), "aaabbbcd]-\\^"));
		bool want = t.len == 0 ? p.len == 0 : model_match(items, parse_pattern(p, items), t);

		if (glob_match(p, t, GLOB_CASE) != want) {
			fail_msg("pattern '%.*s', text '%.*s', wanted %d", (int)p.len, p.ptr, (int)t.len, t.ptr, want);
		}
		matched += want;
	}
	assert_true(matched > 1000);
}

static void test_hostile_patterns(void **state) {
	enum { STARS = 500, TEXT = 20000 };
	static char pattern[STARS * 2 + 1], text[TEXT];

	(void)state;
	for (size_t i = 0; i < STARS; i++) memcpy(pattern + i * 2, "a*", 2);
	pattern[sizeof(pattern) - 1] = 'b';
	memset(text, 'a', sizeof(text));
	int64_t start = clock_monotonic_ms();
	assert_false(glob_match(slice_of(pattern, sizeof(pattern)), slice_of(text, sizeof(text)), GLOB_CASE));
	/* Exponential work would not end in this life; the limit is far above what any machine needs. */
	assert_true(clock_monotonic_ms() - start < 10000);
}

int main(void) {
	const char *given = getenv("TARN_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : random_u64();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_any_byte),
		cmocka_unit_test(test_literal),
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_hostile_patterns),
	};

	printf("TARN_TEST_SEED=%" PRIu64 "\n", seed);
	random_seed_thread(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
