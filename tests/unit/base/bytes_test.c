/* Slices: order and equality of all short strings over a small alphabet, against a naive comparison. */
#include "../testing.h"

#include "base/bytes.h"

static const unsigned char alphabet[] = { 0, 'A', 'a', 'Z', '[', 0x80, 0xff };

enum { LETTERS = sizeof(alphabet), MAX_LEN = 3, TEXTS = 1 + LETTERS + LETTERS * LETTERS + LETTERS * LETTERS * LETTERS };

static char space[TEXTS][MAX_LEN];
static struct slice texts[TEXTS];

static void make_texts(void) {
	unsigned at = 0, per_len = 1;
	for (size_t len = 0; len <= MAX_LEN; len++, per_len *= LETTERS) {
		for (unsigned n = 0; n < per_len; n++, at++) {
			unsigned rest = n;
			for (size_t i = 0; i < len; i++, rest /= LETTERS) space[at][i] = (char)alphabet[rest % LETTERS];
			texts[at] = slice_of(len ? space[at] : NULL, len);
		}
	}
	assert_int_equal(at, TEXTS);
}

static int naive_compare(struct slice a, struct slice b) {
	for (size_t i = 0;; i++) {
		if (i == a.len || i == b.len) return (a.len > b.len) - (a.len < b.len);
		unsigned char x = (unsigned char)a.ptr[i], y = (unsigned char)b.ptr[i];
		if (x != y) return x < y ? -1 : 1;
	}
}

static unsigned char lower(char c) {
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static bool naive_nocase(struct slice a, struct slice b) {
	if (a.len != b.len) return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.ptr[i]) != lower(b.ptr[i])) return false;
	return true;
}

static bool has_nul(struct slice s) {
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == 0) return true;
	return false;
}

static int sign(int n) {
	return (n > 0) - (n < 0);
}

static void test_all_pairs(void **state) {
	(void)state;
	make_texts();
	for (unsigned a = 0; a < TEXTS; a++) {
		for (unsigned b = 0; b < TEXTS; b++) {
			assert_int_equal(sign(slice_compare(texts[a], texts[b])), naive_compare(texts[a], texts[b]));
			assert_int_equal(slice_equal(texts[a], texts[b]), naive_compare(texts[a], texts[b]) == 0);
			if (slice_equal_nocase(texts[a], texts[b]) != naive_nocase(texts[a], texts[b]))
				fail_msg("slice_equal_nocase is wrong for texts %u and %u", a, b);
		}
	}
}

static void test_is(void **state) {
	char text[MAX_LEN + 1];
	(void)state;
	make_texts();
	for (unsigned a = 0; a < TEXTS; a++) {
		for (unsigned b = 0; b < TEXTS; b += 3) {
			if (has_nul(texts[b])) continue;
			snprintf(text, sizeof(text), "%.*s", (int)texts[b].len, texts[b].len ? texts[b].ptr : "");
			assert_int_equal(slice_is(texts[a], text), naive_nocase(texts[a], texts[b]));
		}
	}
	assert_true(slice_is(SLICE_LITERAL("GeT"), "get"));
	assert_false(slice_is(SLICE_LITERAL("gets"), "get"));
	assert_false(slice_is(SLICE_LITERAL("ge"), "get"));
	assert_true(slice_is(slice_of_cstr(""), ""));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_pairs),
		cmocka_unit_test(test_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
