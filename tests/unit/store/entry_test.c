/* entry: every layout (key and value lengths around the limits, with and without expiry) made, read, reshaped into every
 * other, and held against what the allocator gives. */
#include "../testing.h"

#include <malloc.h>
#include <string.h>

#include "base/number.h"
#include "store/entry_private.h"
#include "store/reclaim.h"

static const size_t key_lens[] = { 0, 1, 7, 16, 254, 255, 256, 257, 1000, 70000 };
static const size_t value_lens[] = { 0, 1, 16, 44, 45, 254, 255, 256, 257, 1023, 1024 };
static const int64_t expiries[] = { -1, 0, 1700000000000, INT64_MAX };

enum { KEY_LENS = sizeof(key_lens) / sizeof(key_lens[0]), VALUE_LENS = sizeof(value_lens) / sizeof(value_lens[0]) };
enum { EXPIRIES = sizeof(expiries) / sizeof(expiries[0]), KEY_MAX = 70000 };

static char key_bytes[KEY_MAX];

static void fill(char *to, size_t len, unsigned seed) {
	for (size_t i = 0; i < len; i++) to[i] = (char)(i * 7 + seed);
}

/* Fills the value that `plan` left open. */
static void give_value(struct entry *e, unsigned seed) {
	if (entry_is_inline(e))
		fill(entry__inline_bytes(e), entry__inline_len(e), seed);
	else
		entry__set_word(e, 0x1122334455667788u + seed);
}

static void check_entry(const struct entry *e, const struct entry_plan *plan, size_t key_len, unsigned seed) {
	char scratch[NUMBER_I64_MAX_CHARS + 1], want[ENTRY_INLINE_MAX];
	assert_int_equal(entry_type(e), VALUE_STRING);
	assert_int_equal(entry_encoding(e), plan->encoding);
	assert_int_equal(entry_expiry(e), plan->expiry_ms);
	assert_int_equal(entry_key(e).len, key_len);
	assert_memory_equal(entry_key(e).ptr, key_bytes, key_len);
	struct slice value = entry_string(e, scratch);
	assert_int_equal(entry_string_len(e), value.len);
	if (plan->encoding == STRING_INT) {
		assert_int_equal(entry_int(e), 0x1122334455667788 + seed);
		assert_int_equal(strtoll(scratch, NULL, 10), entry_int(e));
	} else {
		fill(want, plan->value_len, seed);
		assert_int_equal(value.len, plan->value_len);
		assert_memory_equal(value.ptr, want, value.len);
	}
	assert_int_equal(entry__bytes(e), entry__plan_bytes(plan, key_len));
	assert_int_equal(entry_memory(e), mem_size_class(entry__bytes(e)));
	assert_true(malloc_usable_size((void *)(uintptr_t)e) >= entry__bytes(e));
}

/* The layout in the header's example. */
static void test_documented_sizes(void **state) {
	struct entry_plan plan = { VALUE_STRING, STRING_INLINE, -1, true, 64, false };
	(void)state;
	assert_int_equal(entry__plan_bytes(&plan, strlen("key:000000000001")), 88);
	plan.expiry_ms = 1;
	assert_int_equal(entry__plan_bytes(&plan, strlen("key:000000000001")), 96);
	assert_int_equal(mem_size_class(88), 96);
}

typedef void plan_visit(const struct entry_plan *plan, size_t key_len);

static void each_plan(plan_visit *visit) {
	static const unsigned encodings[] = { STRING_INLINE, STRING_EDITED, STRING_INT };
	for (size_t k = 0; k < KEY_LENS; k++) {
		for (size_t x = 0; x < EXPIRIES; x++) {
			for (size_t c = 0; c < 3; c++) {
				size_t lens = encodings[c] == STRING_INT ? 1 : VALUE_LENS;
				for (size_t l = 0; l < lens; l++) {
					size_t len = encodings[c] == STRING_INT ? 0 : value_lens[l];
					struct entry_plan plan = { VALUE_STRING, encodings[c], expiries[x],
						encodings[c] != STRING_INT, len, false };
					visit(&plan, key_lens[k]);
				}
			}
		}
	}
}

static void make_one(const struct entry_plan *plan, size_t key_len) {
	struct entry *e = entry__new(plan, slice_of(key_bytes, key_len));
	assert_non_null(e);
	give_value(e, 3);
	check_entry(e, plan, key_len, 3);
	assert_string_equal(value_type_name(entry_type(e)), "string");
	assert_string_equal(entry_encoding_name(e), plan->encoding == STRING_INT ? "int"
						    : plan->encoding == STRING_INLINE && plan->value_len <= 44
							    ? "embstr"
							    : "raw");
	entry__free_shell(e);
}

static void test_each_layout(void **state) {
	(void)state;
	fill(key_bytes, KEY_MAX, 1);
	each_plan(make_one);
}

/* Shapes from each layout to the next and to random ones, the key taken from the entry itself as well as from outside. */
static void reshape_one(const struct entry_plan *plan, size_t key_len) {
	struct entry *e = entry__new(plan, slice_of(key_bytes, key_len));
	assert_non_null(e);
	give_value(e, 5);
	memcpy(e->_access, "abc", 3);
	e->_epoch = 9;
	e->_flags |= ENTRY_WATCHED;
	for (unsigned step = 0; step < 12; step++) {
		struct entry_plan next = { VALUE_STRING, (unsigned)random_below(3), expiries[random_below(EXPIRIES)],
			false, 0, false };
		next.is_inline = next.encoding != STRING_INT;
		if (next.is_inline) next.value_len = value_lens[random_below(VALUE_LENS)];
		if (random_below(3) == 0) {
			next = *plan;
			if (next.encoding != STRING_INT) next.value_len = plan->value_len ^ random_below(16);
			if (next.value_len > ENTRY_INLINE_MAX) next.value_len = ENTRY_INLINE_MAX;
		}
		e = entry__reshape(e, &next, step % 2 ? entry_key(e) : slice_of(key_bytes, key_len));
		assert_non_null(e);
		give_value(e, step);
		check_entry(e, &next, key_len, step);
		assert_memory_equal(e->_access, "abc", 3);
		assert_int_equal(e->_epoch, 9);
		assert_true(entry_has(e, ENTRY_WATCHED));
	}
	entry__free_shell(e);
}

static void test_reshape(void **state) {
	(void)state;
	testing_begin(1);
	fill(key_bytes, KEY_MAX, 1);
	for (unsigned round = testing_rounds(1); round > 0; round--) each_plan(reshape_one);
}

static void test_blob(void **state) {
	struct entry_plan plan = { VALUE_STRING, STRING_BLOB, -1, false, 0, false };
	char scratch[NUMBER_I64_MAX_CHARS + 1];
	(void)state;
	size_t done = reclaim_done();
	for (size_t cap = 1; cap < 4u << 20; cap = cap * 3 + 1) {
		struct entry *e = entry__new(&plan, SLICE_LITERAL("key"));
		struct blob *b = blob_new(cap / 2, cap);
		assert_non_null(e);
		assert_non_null(b);
		fill(b->bytes, cap, 1);
		entry__set_word(e, (uint64_t)(uintptr_t)b);
		assert_ptr_equal(entry_string(e, scratch).ptr, b->bytes);
		assert_int_equal(entry_string_len(e), cap / 2);
		assert_string_equal(entry_encoding_name(e), "raw");
		assert_int_equal(entry_memory(e), mem_size_class(entry__bytes(e)) + mem_size_class(sizeof(*b) + cap));
		entry__free_value(e);
		entry__free_shell(e);
	}
	reclaim_drain();
	/* The big ones went in the background. */
	assert_true(reclaim_done() > done);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documented_sizes),
		cmocka_unit_test(test_each_layout),
		cmocka_unit_test(test_reshape),
		cmocka_unit_test(test_blob),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
