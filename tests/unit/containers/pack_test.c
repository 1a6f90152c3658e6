/* pack: that its bytes are those that redis-server 7.0.15 writes (the samples are cut from its DUMP payloads), that a
 * long run of random operations leaves the same as on an array of strings, and that no damaged pack passes
 * validation.
 *
 * After each random step the whole pack is validated and compared, walked in both directions. */
#include "containers/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"

static void seed_random(void) {
	const char *given = getenv("TARN_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)clock_wall_us();
	print_message("TARN_TEST_SEED=%llu\n", (unsigned long long)seed);
	random_seed_thread(seed);
}

/* ---- Format ---- */

struct sample {
	struct slice value;
	struct slice entry; /* encoding, data (its first bytes, when the text is long), length */
};
#define SAMPLE(value, entry)                                                                                           \
	{ SLICE_LITERAL(value), SLICE_LITERAL(entry) }

static const struct sample samples[] = {
	SAMPLE("0", "\x00\x01"),
	SAMPLE("127", "\x7f\x01"),
	SAMPLE("128", "\xc0\x80\x02"),
	SAMPLE("-1", "\xdf\xff\x02"),
	SAMPLE("4095", "\xcf\xff\x02"),
	SAMPLE("4096", "\xf1\x00\x10\x03"),
	SAMPLE("-4096", "\xd0\x00\x02"),
	SAMPLE("-4097", "\xf1\xff\xef\x03"),
	SAMPLE("32767", "\xf1\xff\x7f\x03"),
	SAMPLE("32768", "\xf2\x00\x80\x00\x04"),
	SAMPLE("-32768", "\xf1\x00\x80\x03"),
	SAMPLE("8388607", "\xf2\xff\xff\x7f\x04"),
	SAMPLE("8388608", "\xf3\x00\x00\x80\x00\x05"),
	SAMPLE("-8388608", "\xf2\x00\x00\x80\x04"),
	SAMPLE("-8388609", "\xf3\xff\xff\x7f\xff\x05"),
	SAMPLE("2147483647", "\xf3\xff\xff\xff\x7f\x05"),
	SAMPLE("2147483648", "\xf4\x00\x00\x00\x80\x00\x00\x00\x00\x09"),
	SAMPLE("-2147483649", "\xf4\xff\xff\xff\x7f\xff\xff\xff\xff\x09"),
	SAMPLE("9223372036854775807", "\xf4\xff\xff\xff\xff\xff\xff\xff\x7f\x09"),
	SAMPLE("-9223372036854775808", "\xf4\x00\x00\x00\x00\x00\x00\x00\x80\x09"),
	SAMPLE("9223372036854775808", "\x93"
				      "9223372036854775808\x14"),
	SAMPLE("", "\x80\x01"),
	SAMPLE("a", "\x81"
		    "a\x02"),
	SAMPLE("01", "\x82"
		     "01\x03"),
	SAMPLE("-0", "\x82-0\x03"),
};

static void test_format(void **state) {
	(void)state;
	struct pack *all = pack_new();
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct pack *pack = pack_new();
		pack_append(&pack, samples[i].value);
		struct slice raw = pack_raw(pack);
		assert_int_equal(raw.len, samples[i].entry.len + PACK_EMPTY_BYTES);
		assert_memory_equal(raw.ptr + 4, "\x01\x00", 2);
		assert_memory_equal(raw.ptr + PACK_HEAD_BYTES, samples[i].entry.ptr, samples[i].entry.len);
		assert_memory_equal(raw.ptr + raw.len - 1, "\xff", 1);
		char scratch[PACK_SCRATCH_BYTES];
		assert_true(slice_equal(pack_text(pack, pack_first(pack), scratch), samples[i].value));
		assert_true(pack_validate(raw.ptr, raw.len, PACK_DEEP));
		pack_merge(&all, pack);
		pack_free(pack);
	}
	assert_int_equal(pack_count(all), sizeof(samples) / sizeof(samples[0]));
	assert_true(pack_validate(pack_raw(all).ptr, pack_bytes(all), PACK_DEEP));
	pack_free(all);
}

/* Head and tail of a one-entry pack whose text is `len` times 'x'. */
static void check_long_string(size_t len, struct slice head, struct slice tail) {
	char *text = mem_alloc(len);
	memset(text, 'x', len);
	struct pack *pack = pack_new();
	pack_append(&pack, slice_of(text, len));
	struct slice raw = pack_raw(pack);
	assert_int_equal(raw.len, PACK_EMPTY_BYTES + head.len + len + tail.len);
	assert_memory_equal(raw.ptr + PACK_HEAD_BYTES, head.ptr, head.len);
	assert_memory_equal(raw.ptr + raw.len - 1 - tail.len, tail.ptr, tail.len);
	struct pack_value value = pack_get(pack, pack_last(pack));
	assert_true(slice_equal(value.text, slice_of(text, len)));
	assert_true(pack_validate(raw.ptr, raw.len, PACK_DEEP));
	pack_free(pack);
	mem_free(text);
}

static void test_long_strings(void **state) {
	(void)state;
	check_long_string(63, SLICE_LITERAL("\xbf"), SLICE_LITERAL("\x40"));
	check_long_string(64, SLICE_LITERAL("\xe0\x40"), SLICE_LITERAL("\x42"));
	check_long_string(127, SLICE_LITERAL("\xe0\x7f"), SLICE_LITERAL("\x01\x81"));
	check_long_string(4095, SLICE_LITERAL("\xef\xff"), SLICE_LITERAL("\x20\x81"));
	check_long_string(4096, SLICE_LITERAL("\xf0\x00\x10\x00\x00"), SLICE_LITERAL("\x20\x85"));
	check_long_string(17000, SLICE_LITERAL("\xf0\x68\x42\x00\x00"), SLICE_LITERAL("\x01\x84\xed"));
	check_long_string(3 << 20, SLICE_LITERAL("\xf0\x00\x00\x30\x00"), SLICE_LITERAL("\x01\xc0\x80\x85"));
}

/* From 65535 entries on the head does not know how many there are. */
static void test_many_entries(void **state) {
	(void)state;
	struct pack *pack = pack_new();
	for (int i = 0; i < 65534; i++) pack_append_int(&pack, i & 63);
	assert_memory_equal(pack_raw(pack).ptr + 4, "\xfe\xff", 2);
	assert_int_equal(pack_count(pack), 65534);
	for (int i = 0; i < 10; i++) pack_append_int(&pack, 7);
	assert_memory_equal(pack_raw(pack).ptr + 4, "\xff\xff", 2);
	assert_int_equal(pack_count(pack), 65544);
	assert_int_equal(pack_get(pack, pack_nth(pack, 65535)).number, 7);
	assert_int_equal(pack_get(pack, pack_nth(pack, -11)).number, 65533 & 63);
	assert_int_equal(pack_nth(pack, 65544), 0);
	assert_int_equal(pack_nth(pack, -65545), 0);
	assert_true(pack_validate(pack_raw(pack).ptr, pack_bytes(pack), PACK_DEEP));
	pack_delete_range(&pack, pack_nth(pack, 4), 65540);
	assert_int_equal(pack_count(pack), 4);
	pack_free(pack);
}

static void test_compare(void **state) {
	(void)state;
	struct pack *pack = pack_new();
	pack_append_int(&pack, 10);
	pack_append(&pack, SLICE_LITERAL("abc"));
	size_t number = pack_first(pack);
	size_t text = pack_next(pack, number);
	assert_true(pack_equal(pack, number, SLICE_LITERAL("10")));
	assert_false(pack_equal(pack, number, SLICE_LITERAL("010")));
	assert_false(pack_equal(pack, number, SLICE_LITERAL("")));
	assert_true(pack_compare(pack, number, SLICE_LITERAL("9")) < 0);
	assert_int_equal(pack_compare(pack, number, SLICE_LITERAL("10")), 0);
	assert_true(pack_compare(pack, text, SLICE_LITERAL("abcd")) < 0);
	assert_true(pack_compare(pack, text, SLICE_LITERAL("ab")) > 0);
	assert_int_equal(pack_text_len(pack, number), 2);
	assert_true(pack_fits(pack, 1000, 10));
	assert_false(pack_fits(pack, PACK_MAX_BYTES, 1));
	assert_false(pack_fits(pack, 0, PACK_MAX_BYTES));
	pack_free(pack);
}

/* A writer that did not turn digits into integers is read all the same. */
static void test_foreign_encodings(void **state) {
	(void)state;
	struct slice raw = SLICE_LITERAL("\x16\0\0\0\x03\0"
					 "\x82"
					 "12\x03"
					 "\xf1\x05\x00\x03"
					 "\xf0\x01\0\0\0z\x06"
					 "\xff");
	assert_true(pack_validate(raw.ptr, raw.len, PACK_DEEP));
	struct pack *pack = pack_from_bytes(raw);
	size_t first = pack_first(pack);
	assert_int_equal(pack_find(pack, first, SLICE_LITERAL("12"), 0), first);
	assert_int_equal(pack_find(pack, first, SLICE_LITERAL("5"), 0), pack_nth(pack, 1));
	assert_int_equal(pack_find(pack, first, SLICE_LITERAL("z"), 0), pack_last(pack));
	assert_int_equal(pack_find(pack, first, SLICE_LITERAL("z"), 1), pack_last(pack));
	assert_int_equal(pack_find(pack, first, SLICE_LITERAL("5"), 1), 0);
	pack_free(pack);
}

/* ---- Random operations against an array of strings ---- */

enum { MODEL_MAX = 400 };

struct model {
	size_t count;
	struct slice items[MODEL_MAX]; /* owned copies */
};

static struct slice copy_of(struct slice s) {
	char *bytes = mem_alloc(s.len + 1);
	if (s.len) memcpy(bytes, s.ptr, s.len);
	return slice_of(bytes, s.len);
}

static void model_insert(struct model *m, size_t index, struct slice value) {
	memmove(&m->items[index + 1], &m->items[index], (m->count - index) * sizeof(m->items[0]));
	m->items[index] = copy_of(value);
	m->count++;
}

static void model_delete(struct model *m, size_t index) {
	mem_free((void *)m->items[index].ptr);
	m->count--;
	memmove(&m->items[index], &m->items[index + 1], (m->count - index) * sizeof(m->items[0]));
}

static void check_value(const struct model *m, size_t index, struct pack_value value) {
	char digits[PACK_SCRATCH_BYTES];
	struct slice text = value.text;
	if (pack_value_is_int(value)) text = slice_of(digits, number_format_i64(digits, value.number));
	assert_true(slice_equal(text, m->items[index]));
}

/* Several at a time, from anywhere to both ends. */
static void check_read(const struct pack *pack, const struct model *m) {
	struct pack_value values[7];
	size_t index = (size_t)random_below(m->count + 1), read;
	size_t at = pack_nth(pack, (int64_t)index);
	for (size_t i = index;
		(read = pack_read(pack, &at, values, 1 + (size_t)random_below(7))) > 0 || i < m->count;) {
		assert_in_range(read, 1, 7);
		for (size_t j = 0; j < read; j++, i++) check_value(m, i, values[j]);
	}
	assert_int_equal(at, 0);
	at = pack_nth(pack, (int64_t)index);
	size_t left = at ? index + 1 : 0;
	while ((read = pack_read_back(pack, &at, values, 1 + (size_t)random_below(7))) > 0 || left > 0) {
		assert_in_range(read, 1, 7);
		for (size_t j = 0; j < read; j++) check_value(m, --left, values[j]);
	}
	assert_int_equal(at, 0);
}

static void check_same(const struct pack *pack, const struct model *m) {
	assert_true(pack_validate(pack_raw(pack).ptr, pack_bytes(pack), PACK_DEEP));
	assert_int_equal(pack_count(pack), m->count);
	assert_int_equal(pack_is_empty(pack), m->count == 0);
	char scratch[PACK_SCRATCH_BYTES];
	size_t at = pack_first(pack);
	for (size_t i = 0; i < m->count; i++, at = pack_next(pack, at)) {
		assert_true(slice_equal(pack_text(pack, at, scratch), m->items[i]));
		int64_t number;
		assert_int_equal(pack_value_is_int(pack_get(pack, at)), number_parse_i64(m->items[i], &number));
	}
	assert_int_equal(at, 0);
	at = pack_last(pack);
	for (size_t i = m->count; i-- > 0; at = pack_prev(pack, at)) {
		assert_true(slice_equal(pack_text(pack, at, scratch), m->items[i]));
	}
	assert_int_equal(at, 0);
	check_read(pack, m);
}

static int64_t random_number(void) {
	int64_t number = (int64_t)(random_u64() >> random_below(64));
	return random_below(2) ? number : -number;
}

/* Often one of few texts, so that find has something to find. */
static struct slice random_value(char *buffer, size_t size) {
	switch (random_below(5)) {
	case 0: return slice_of(buffer, number_format_i64(buffer, random_number()));
	case 1: return slice_of(buffer, (size_t)snprintf(buffer, size, "f%d", (int)random_below(20)));
	case 2: return slice_of(buffer, (size_t)snprintf(buffer, size, "%d", (int)random_below(20)));
	default: break;
	}
	static const size_t sizes[] = { 3, 65, 130, 5000 };
	size_t len = random_below(sizes[random_below(random_below(10) ? 3 : 4)]);
	for (size_t i = 0; i < len; i++) buffer[i] = (char)random_below(256);
	return slice_of(buffer, len);
}

static void step_insert(struct pack **pack, struct model *m, size_t index, size_t at) {
	char buffer[5000];
	struct slice value = random_value(buffer, sizeof(buffer));
	int64_t number;
	bool as_int = number_parse_i64(value, &number) && random_below(2);
	switch (random_below(at ? 5 : 2)) {
	case 0:
		as_int ? pack_append_int(pack, number) : pack_append(pack, value);
		model_insert(m, m->count, value);
		break;
	case 1:
		as_int ? pack_prepend_int(pack, number) : pack_prepend(pack, value);
		model_insert(m, 0, value);
		break;
	case 2:
		as_int ? pack_insert_int_before(pack, at, number) : pack_insert_before(pack, at, value);
		model_insert(m, index, value);
		break;
	case 3: {
		size_t place = as_int ? pack_insert_int_after(pack, at, number) : pack_insert_after(pack, at, value);
		assert_int_equal(place, pack_nth(*pack, (int64_t)index + 1));
		model_insert(m, index + 1, value);
		break;
	}
	default:
		as_int ? pack_replace_int(pack, at, number) : pack_replace(pack, at, value);
		model_delete(m, index);
		model_insert(m, index, value);
	}
}

static void step_delete(struct pack **pack, struct model *m, size_t index, size_t at) {
	if (random_below(3)) {
		assert_int_equal(pack_delete(pack, at), index + 1 < m->count ? at : 0);
		model_delete(m, index);
		return;
	}
	size_t count = random_below(8);
	size_t next = pack_delete_range(pack, at, count);
	for (; count && index < m->count; count--) model_delete(m, index);
	assert_int_equal(next, index < m->count ? at : 0);
}

static void step_find(const struct pack *pack, const struct model *m, size_t index, size_t at) {
	char buffer[5000];
	struct slice value = random_below(2) ? m->items[random_below(m->count)] : random_value(buffer, sizeof(buffer));
	unsigned skip = (unsigned)random_below(3);
	size_t expected = 0;
	for (size_t i = index; i < m->count; i += skip + 1) {
		assert_int_equal(pack_equal(pack, pack_nth(pack, (int64_t)i), value), slice_equal(m->items[i], value));
		int order = pack_compare(pack, pack_nth(pack, (int64_t)i - (int64_t)m->count), value);
		assert_int_equal(order == 0, slice_equal(m->items[i], value));
		if (slice_equal(m->items[i], value)) {
			expected = pack_nth(pack, (int64_t)i);
			break;
		}
	}
	assert_int_equal(pack_find(pack, at, value, skip), expected);
}

/* Splits, and puts together again, by merging or by appending all at once. */
static void step_split(struct pack **pack, const struct model *m, size_t index, size_t at) {
	struct pack *tail = pack_split(pack, at);
	assert_int_equal(pack_count(*pack), index);
	assert_int_equal(pack_count(tail), m->count - index);
	if (random_below(2)) {
		pack_merge(pack, tail);
	} else {
		pack_append_many(pack, &m->items[index], m->count - index);
	}
	pack_free(tail);
	struct pack *copy = pack_copy(*pack);
	assert_true(slice_equal(pack_raw(copy), pack_raw(*pack)));
	pack_free(*pack);
	*pack = copy;
}

static void random_step(struct pack **pack, struct model *m) {
	size_t index = m->count ? random_below(m->count) : 0;
	size_t at = pack_nth(*pack, random_below(2) ? (int64_t)index : (int64_t)index - (int64_t)m->count);
	assert_int_equal(at != 0, m->count > 0);
	uint64_t what = random_below(10);
	if (m->count == 0 || (what < 5 && m->count < MODEL_MAX - 1)) {
		step_insert(pack, m, index, at);
	} else if (what < 7) {
		step_delete(pack, m, index, at);
	} else if (what < 9) {
		step_find(*pack, m, index, at);
	} else {
		step_split(pack, m, index, at);
	}
	assert_int_equal(pack_nth(*pack, (int64_t)m->count), 0);
	assert_int_equal(pack_nth(*pack, -(int64_t)m->count - 1), 0);
}

static void test_random_operations(void **state) {
	(void)state;
	seed_random();
	for (int round = 0; round < 40; round++) {
		struct pack *pack = pack_new();
		struct model *m = mem_calloc(sizeof(*m));
		for (int step = 0; step < 500; step++) {
			random_step(&pack, m);
			check_same(pack, m);
		}
		while (m->count) model_delete(m, m->count - 1);
		mem_free(m);
		pack_free(pack);
	}
}

/* ---- Hostile bytes ---- */

static struct pack *random_pack(size_t count) {
	struct pack *pack = pack_new();
	char buffer[5000];
	for (size_t i = 0; i < count; i++) pack_append(&pack, random_value(buffer, sizeof(buffer)));
	return pack;
}

/* Each allocation is of the exact size, so that the sanitizers see a read beyond it. */
static bool validate_copy(const char *bytes, size_t len) {
	char *copy = mem_alloc(len ? len : 1);
	if (len) memcpy(copy, bytes, len);
	bool valid = pack_validate(copy, len, PACK_DEEP);
	if (valid) {
		struct pack *pack = pack_from_bytes(slice_of(copy, len));
		size_t forwards = 0;
		size_t backwards = 0;
		for (size_t at = pack_first(pack); at; at = pack_next(pack, at)) forwards++;
		for (size_t at = pack_last(pack); at; at = pack_prev(pack, at)) backwards++;
		assert_int_equal(forwards, pack_count(pack));
		assert_int_equal(backwards, forwards);
		pack_free(pack);
	}
	mem_free(copy);
	return valid;
}

static void test_damage(void **state) {
	(void)state;
	seed_random();
	for (int round = 0; round < 60; round++) {
		struct pack *pack = random_pack(1 + random_below(12));
		struct slice raw = pack_raw(pack);
		for (size_t len = 0; len < raw.len; len += 1 + len / 64) assert_false(validate_copy(raw.ptr, len));
		char *bytes = (char *)raw.ptr;
		for (int i = 0; i < 300; i++) {
			size_t place = random_below(2) ? random_below(raw.len)
						       : raw.len - 1 - random_below(raw.len < 16 ? raw.len : 16);
			char was = bytes[place];
			bytes[place] = (char)random_below(256);
			validate_copy(bytes, raw.len);
			bytes[place] = was;
		}
		assert_true(validate_copy(bytes, raw.len));
		pack_free(pack);
	}
}

static void test_refused(void **state) {
	(void)state;
	static const struct slice bad[] = {
		SLICE_LITERAL(""), SLICE_LITERAL("\x06\0\0\0\0\0"), SLICE_LITERAL("\x07\0\0\0\0\0\0"), /* no end */
		SLICE_LITERAL("\x08\0\0\0\0\0\xff"),                       /* another size */
		SLICE_LITERAL("\x09\0\0\0\x02\0\x01\x01\xff"),             /* another count */
		SLICE_LITERAL("\x09\0\0\0\x01\0\x01\x02\xff"),             /* another length behind the entry */
		SLICE_LITERAL("\x09\0\0\0\x01\0\xff\x01\xff"),             /* an end in the middle */
		SLICE_LITERAL("\x09\0\0\0\x01\0\xf5\x01\xff"),             /* no encoding */
		SLICE_LITERAL("\x09\0\0\0\x01\0\xf4\x01\xff"),             /* cut short */
		SLICE_LITERAL("\x0c\0\0\0\x01\0\xf0\xff\xff\xff\xff\xff"), /* a text of 4 GiB */
		SLICE_LITERAL("\x0a\0\0\0\x01\0\x01\x80\x81\xff"),         /* a length with a byte too many */
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(pack_validate(bad[i].ptr, bad[i].len, PACK_DEEP));
	}
	assert_true(pack_validate("\x07\0\0\0\0\0\xff", 7, PACK_DEEP));
	assert_true(pack_validate("\x09\0\0\0\xff\xff\x01\x01\xff", 9, PACK_DEEP));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_long_strings),
		cmocka_unit_test(test_many_entries),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_foreign_encodings),
		cmocka_unit_test(test_random_operations),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
