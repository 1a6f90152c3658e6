/* Collections to bytes and back: random values of every type, under limits that make them flat or big, are equal to what is
 * loaded of them; no shorter run of bytes is one; changed ones are refused or become some proper value. What is read lies in
 * allocations of its exact size, for AddressSanitizer. */
#include "../testing.h"

#include <string.h>

#include "base/hash.h"
#include "base/number.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/stream.h"
#include "types/value_serial.h"
#include "types/zset.h"

static const struct type_limits small = {
	.hash_max_listpack_entries = 8,
	.hash_max_listpack_value = 20,
	.list_max_listpack_size = 8,
	.set_max_intset_entries = 8,
	.set_max_listpack_entries = 8,
	.set_max_listpack_value = 20,
	.zset_max_listpack_entries = 8,
	.zset_max_listpack_value = 20,
	.hll_sparse_max_bytes = 3000,
	.stream_node_max_bytes = 200,
	.stream_node_max_entries = 4,
};

/* ---- Random values ---- */

enum { TEXT_ROOM = 12000 };

static struct slice random_text(char out[static TEXT_ROOM]) {
	if (random_below(2)) {
		int64_t number = (int64_t)random_u64() >> random_below(64);
		return slice_of(out, number_format_i64(out, number));
	}
	size_t len = random_below(random_below(50) ? 30 : TEXT_ROOM);
	for (size_t i = 0; i < len; i++) out[i] = (char)random_below(random_below(2) ? 3 : 256);
	return slice_of(out, len);
}

static void put_in(struct value *value, unsigned number, const struct type_limits *limits) {
	static char one[TEXT_ROOM], other[TEXT_ROOM];
	struct slice parts[2] = { random_text(one), random_text(other) };
	size_t added;
	int64_t end_ms = random_below(3) ? HASH_NO_END : 1 + (int64_t)random_below(1u << 30);
	switch ((enum value_type)value->type) {
	case VALUE_LIST: assert_true(list_push(value, (enum list_side)random_below(2), parts, 1, limits)); break;
	case VALUE_SET: assert_true(set_add(value, parts, 1, limits, &added)); break;
	case VALUE_ZSET: zset_add(value, parts[0], (double)(int64_t)random_below(20) - 8.25, 0, limits, NULL); break;
	case VALUE_HASH:
		assert_true(hash_set(value, parts[0], parts[1], end_ms, INT64_MIN, limits) != HASH_NO_MEMORY);
		break;
	default:
		stream_add(stream_of(value), (struct stream_id){ 1 + number, random_below(3) }, parts, 2, limits);
		if (number == 5) stream_group_create(stream_of(value), parts[0], (struct stream_id){ 2, 0 }, -1);
	}
}

/* Hashes get ends in every second round. */
static struct value random_value(enum value_type type, const struct type_limits *limits) {
	struct value value = value_new(type);
	unsigned count = 1 + (unsigned)random_below(random_below(2) ? 6 : 60);
	for (unsigned i = 0; i < count; i++) put_in(&value, i, limits);
	if (type == VALUE_HASH && random_below(2)) {
		/* Without ends, whatever it has room for. */
		char field[TEXT_ROOM];
		for (int64_t end; (end = hash_next_end(&value)) != HASH_NO_END && value_count(&value) > 1;)
			hash_expire(&value, end + 1, 1);
		struct slice text = random_text(field);
		assert_true(hash_set(&value, text, text, HASH_NO_END, INT64_MIN, limits) != HASH_NO_MEMORY);
	}
	return value;
}

/* ---- Comparing ---- */

struct summary {
	bool ordered;
	uint64_t hash;
	size_t elements;
};

static void add_element(void *context, const struct slice *parts, size_t count) {
	struct summary *s = context;
	uint64_t hash = s->ordered ? s->hash : 0;
	for (size_t i = 0; i < count; i++) hash = (hash ^ hash_slice(parts[i])) * 0x9e3779b97f4a7c15 + parts[i].len;
	s->hash = s->ordered ? hash : s->hash + hash;
	s->elements++;
}

static void assert_same(const struct value *a, const struct value *b) {
	struct summary one = { .ordered = value_is_ordered(a) }, other = { .ordered = value_is_ordered(b) };
	value_each(a, add_element, &one);
	value_each(b, add_element, &other);
	assert_int_equal(a->type, b->type);
	assert_int_equal(value_count(a), value_count(b));
	assert_int_equal(one.elements, other.elements);
	assert_true(one.hash == other.hash);
}

static void assert_proper(const struct value *value) {
	const char *broken = value_check(value);
	if (broken) fail_msg("%s", broken);
}

static bool load_copy(
	const char *bytes, size_t len, unsigned kind, const struct type_limits *limits, struct value *value) {
	char *copy = malloc(len ? len : 1);
	memcpy(copy, bytes, len);
	struct serial_reader r = serial_reader_of(slice_of(copy, len));
	bool ok = value_load(&r, kind, limits, value);
	if (ok && serial_left(&r) > 0) {
		value_release(value);
		ok = false;
	}
	free(copy);
	if (ok) assert_proper(value);
	return ok;
}

/* ---- Tests ---- */

static void check_damaged(struct buffer *bytes, unsigned kind, const struct type_limits *limits) {
	struct value loaded;
	for (int i = 0; i < 10; i++) {
		size_t len = random_below(bytes->len);
		assert_false(load_copy(bytes->data, len, kind, limits, &loaded));
	}
	for (int i = 0; i < 30; i++) {
		size_t at = random_below(random_below(2) && bytes->len > 60 ? 60 : bytes->len);
		char was = bytes->data[at];
		bytes->data[at] = (char)(random_below(2) ? random_u64() : (uint64_t)was ^ 1u << random_below(8));
		if (load_copy(bytes->data, bytes->len, kind, limits, &loaded)) value_release(&loaded);
		bytes->data[at] = was;
	}
}

static void check_one(enum value_type type) {
	const struct type_limits *limits = random_below(2) ? &small : &type_limits_default;
	const struct type_limits *others = random_below(2) ? &small : &type_limits_default;
	struct value value = random_value(type, limits), loaded;
	struct buffer bytes = { 0 };
	struct serial_writer w = { &bytes, random_below(2) ? SERIAL_COMPRESS : 0 };
	unsigned kind = value_serial_kind(&value);
	bool ends = type == VALUE_HASH && hash_next_end(&value) != HASH_NO_END;

	value_save(&w, &value);
	assert_int_equal(value_serial_version(&value), ends ? 12 : 10);
	assert_true(ends ? kind >= SERIAL_HASH_ENDS : kind <= SERIAL_STREAM_7_0);
	assert_true(load_copy(bytes.data, bytes.len, kind, others, &loaded));
	assert_same(&value, &loaded);
	value_release(&loaded);
	check_damaged(&bytes, kind, others);
	buffer_release(&bytes);
	value_release(&value);
}

static void check_type(enum value_type type) {
	testing_begin(type);
	for (unsigned round = 0; round < testing_rounds(400); round++) check_one(type);
}

static void test_lists(void **state) {
	(void)state;
	check_type(VALUE_LIST);
}

static void test_sets(void **state) {
	(void)state;
	check_type(VALUE_SET);
}

static void test_sorted_sets(void **state) {
	(void)state;
	check_type(VALUE_ZSET);
}

static void test_hashes(void **state) {
	(void)state;
	check_type(VALUE_HASH);
}

static void test_streams(void **state) {
	(void)state;
	check_type(VALUE_STREAM);
}

/* A count is a claim: nothing is made room for before it is there. */
static void test_claims(void **state) {
	static const unsigned kinds[] = { SERIAL_LIST, SERIAL_SET, SERIAL_ZSET_OLD, SERIAL_HASH, SERIAL_ZSET,
		SERIAL_LIST_ZIPLISTS, SERIAL_LIST_PACKS, SERIAL_STREAM_7_0, SERIAL_HASH_ENDS_RC };
	static const char huge[] = "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\1a\1a\1a\1a";
	struct value loaded;

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_false(load_copy(huge, sizeof(huge) - 1, kinds[i], &small, &loaded));
	for (unsigned kind = 0; kind < 300; kind++) assert_false(load_copy("", 0, kind, &small, &loaded));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_sorted_sets),
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_claims),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
