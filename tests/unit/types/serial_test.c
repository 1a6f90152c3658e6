/* The primitives of RDB values: bytes as published, everything that is written reads back, and nothing that is read, cut
 * short or made up, does harm. What is read lies in allocations of its exact size, for AddressSanitizer. */
#include "../testing.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "types/serial.h"

static void assert_bytes(const struct buffer *out, const char *bytes, size_t len) {
	assert_int_equal(out->len, len);
	assert_memory_equal(out->data, bytes, len);
}

#define CHECK_WRITTEN(call, bytes)                                                                                     \
	do {                                                                                                           \
		struct buffer out = { 0 };                                                                             \
		struct serial_writer writer = { &out, 0 }, *w = &writer;                                               \
		call;                                                                                                  \
		assert_bytes(&out, "" bytes, sizeof(bytes) - 1);                                                       \
		buffer_release(&out);                                                                                  \
	} while (0)

static void test_lengths_as_published(void **state) {
	(void)state;
	CHECK_WRITTEN(serial_put_length(w, 0), "\x00");
	CHECK_WRITTEN(serial_put_length(w, 63), "\x3f");
	CHECK_WRITTEN(serial_put_length(w, 64), "\x40\x40");
	CHECK_WRITTEN(serial_put_length(w, 300), "\x41\x2c");
	CHECK_WRITTEN(serial_put_length(w, 16383), "\x7f\xff");
	CHECK_WRITTEN(serial_put_length(w, 16384), "\x80\x00\x00\x40\x00");
	CHECK_WRITTEN(serial_put_length(w, UINT32_MAX), "\x80\xff\xff\xff\xff");
	CHECK_WRITTEN(serial_put_length(w, 1ull << 32), "\x81\x00\x00\x00\x01\x00\x00\x00\x00");
}

static void test_strings_as_published(void **state) {
	(void)state;
	CHECK_WRITTEN(serial_put_string(w, SLICE_LITERAL("")), "\x00");
	CHECK_WRITTEN(serial_put_string(w, SLICE_LITERAL("a")), "\x01\x61");
	CHECK_WRITTEN(serial_put_string(w, SLICE_LITERAL("12")), "\xc0\x0c");
	CHECK_WRITTEN(serial_put_string(w, SLICE_LITERAL("-128")), "\xc0\x80");
	CHECK_WRITTEN(serial_put_string(w, SLICE_LITERAL("128")), "\xc1\x80\x00");
	CHECK_WRITTEN(serial_put_string(w, SLICE_LITERAL("-32769")), "\xc2\xff\x7f\xff\xff");
	CHECK_WRITTEN(serial_put_string(w, SLICE_LITERAL("2147483647")), "\xc2\xff\xff\xff\x7f");
	CHECK_WRITTEN(serial_put_string(w, SLICE_LITERAL("2147483648")), "\x0a"
									 "2147483648");
	CHECK_WRITTEN(serial_put_string(w, SLICE_LITERAL("012")), "\x03"
								  "012");
	CHECK_WRITTEN(serial_put_int_string(w, -1), "\xc0\xff");
	CHECK_WRITTEN(serial_put_int_string(w, 12345), "\xc1\x39\x30");
	CHECK_WRITTEN(serial_put_int_string(w, -2147483649), "\x0b"
							     "-2147483649");
}

static void test_others_as_published(void **state) {
	(void)state;
	CHECK_WRITTEN(serial_put_double(w, 1.0), "\x00\x00\x00\x00\x00\x00\xf0\x3f");
	CHECK_WRITTEN(serial_put_ms(w, -2), "\xfe\xff\xff\xff\xff\xff\xff\xff");
	CHECK_WRITTEN(serial_put_byte(w, 200), "\xc8");
	CHECK_WRITTEN(serial_put_raw(w, "a\0b", 3), "a\0b");
}

/* ---- Reading back ---- */

static struct serial_reader reader_of_copy(const char *bytes, size_t len, char **copy) {
	*copy = malloc(len ? len : 1);
	memcpy(*copy, bytes, len);
	return serial_reader_of(slice_of(*copy, len));
}

enum kind { LENGTH, STRING, INT_STRING, DOUBLE, MS, BYTE, KINDS };

struct item {
	enum kind kind;
	uint64_t number;
	struct slice text;
};

static void make_text(struct item *item) {
	static char pool[4096];
	char digits[NUMBER_I64_MAX_CHARS + 1];
	if (random_below(3) == 0) {
		int64_t number = (int64_t)random_u64() >> random_below(64);
		size_t len = number_format_i64(digits, number);
		char *own = malloc(len);
		memcpy(own, digits, len);
		item->text = slice_of(own, len);
		return;
	}
	/* Repetitive or random: compressible or not. */
	unsigned letters = random_below(2) ? 2 : 256;
	size_t len = random_below(random_below(2) ? 40 : sizeof(pool));
	char *own = malloc(len ? len : 1);
	for (size_t i = 0; i < len; i++) own[i] = (char)random_below(letters);
	item->text = slice_of(own, len);
}

static void put_item(struct serial_writer *w, struct item *item) {
	item->kind = (enum kind)random_below(KINDS);
	item->number = random_u64() >> random_below(64);
	item->text = slice_of(NULL, 0);
	switch (item->kind) {
	case LENGTH: serial_put_length(w, item->number); break;
	case STRING:
		make_text(item);
		serial_put_string(w, item->text);
		break;
	case INT_STRING: serial_put_int_string(w, (int64_t)item->number); break;
	case DOUBLE: {
		double number;
		memcpy(&number, &item->number, sizeof(number));
		serial_put_double(w, number);
		break;
	}
	case MS: serial_put_ms(w, (int64_t)item->number); break;
	default: serial_put_byte(w, (uint8_t)item->number); break;
	}
}

/* False when the bytes ended. */
static bool get_item(struct serial_reader *r, const struct item *item, struct serial_text *text) {
	char digits[NUMBER_I64_MAX_CHARS + 1];
	uint64_t number;
	int64_t ms;
	double real;
	uint8_t byte;
	switch (item->kind) {
	case LENGTH:
		if (!serial_get_length(r, &number)) return false;
		assert_true(number == item->number);
		return true;
	case STRING:
		if (!serial_get_string(r, text)) return false;
		assert_true(slice_equal(text->bytes, item->text));
		return true;
	case INT_STRING:
		if (!serial_get_string(r, text)) return false;
		assert_true(
			slice_equal(text->bytes, slice_of(digits, number_format_i64(digits, (int64_t)item->number))));
		return true;
	case DOUBLE:
		if (!serial_get_double(r, &real)) return false;
		assert_memory_equal(&real, &item->number, sizeof(real));
		return true;
	case MS:
		if (!serial_get_ms(r, &ms)) return false;
		assert_true(ms == (int64_t)item->number);
		return true;
	default:
		if (!serial_get_byte(r, &byte)) return false;
		assert_int_equal(byte, (uint8_t)item->number);
		return true;
	}
}

static void test_there_and_back(void **state) {
	enum { ITEMS = 30 };
	struct serial_text text = { 0 };

	(void)state;
	testing_begin(1);
	for (unsigned round = 0; round < testing_rounds(2000); round++) {
		struct item items[ITEMS];
		struct buffer out = { 0 };
		struct serial_writer w = { &out, random_below(2) ? SERIAL_COMPRESS : 0 };
		char *copy;
		for (int i = 0; i < ITEMS; i++) put_item(&w, &items[i]);

		struct serial_reader r = reader_of_copy(out.data, out.len, &copy);
		for (int i = 0; i < ITEMS; i++) assert_true(get_item(&r, &items[i], &text));
		assert_int_equal(serial_left(&r), 0);
		assert_false(serial_failed(&r));
		uint8_t byte;
		assert_false(serial_get_byte(&r, &byte));
		assert_true(serial_failed(&r));
		free(copy);

		/* Cut short: all before the cut is the same, and then nothing more. */
		r = reader_of_copy(out.data, random_below(out.len), &copy);
		int got = 0;
		while (got < ITEMS && get_item(&r, &items[got], &text)) got++;
		assert_in_range(got, 0, ITEMS - 1);
		assert_true(serial_failed(&r));
		assert_false(serial_get_string(&r, &text));
		free(copy);
		for (int i = 0; i < ITEMS; i++) free((char *)items[i].text.ptr);
		buffer_release(&out);
	}
	serial_text_release(&text);
}

static void test_compression(void **state) {
	char *many = malloc(100000);
	struct buffer out = { 0 };
	struct serial_writer w = { &out, SERIAL_COMPRESS };
	struct serial_text text = { 0 };

	(void)state;
	memset(many, 'x', 100000);
	serial_put_string(&w, slice_of(many, 100000));
	assert_in_range(out.len, 1, 2000);
	struct serial_reader r = serial_reader_of(buffer_slice(&out));
	assert_true(serial_get_string(&r, &text));
	assert_true(slice_equal(text.bytes, slice_of(many, 100000)));
	out.len = 0;
	serial_put_string(&w, slice_of(many, 20));
	assert_int_equal(out.len, 21); /* not tried */
	out.len = 0;
	serial_put_string(&w, slice_of(many, 21));
	assert_in_range(out.len, 1, 20);
	out.len = 0;
	w.flags = 0;
	serial_put_string(&w, slice_of(many, 10000));
	assert_int_equal(out.len, 10002);
	serial_text_release(&text);
	buffer_release(&out);
	free(many);
}

/* ---- Hostile ---- */

#define CHECK_REFUSED(get, bytes)                                                                                      \
	do {                                                                                                           \
		char *copy;                                                                                            \
		struct serial_reader reader = reader_of_copy("" bytes, sizeof(bytes) - 1, &copy), *r = &reader;        \
		assert_false(get);                                                                                     \
		assert_true(serial_failed(r));                                                                         \
		free(copy);                                                                                            \
	} while (0)

static void test_refused(void **state) {
	struct serial_text text = { 0 };
	uint64_t length = 7;
	size_t count = 7;
	double real = 7;

	(void)state;
	CHECK_REFUSED(serial_get_length(r, &length), "");
	CHECK_REFUSED(serial_get_length(r, &length), "\x40");
	CHECK_REFUSED(serial_get_length(r, &length), "\x80\x00\x00\x40");
	CHECK_REFUSED(serial_get_length(r, &length), "\x81\x00\x00\x40\x00\x00\x00\x00");
	CHECK_REFUSED(serial_get_length(r, &length), "\x82\x00\x00\x40\x00\x00\x00\x00\x00");
	CHECK_REFUSED(serial_get_length(r, &length), "\xc0\x01");
	CHECK_REFUSED(serial_get_string(r, &text), "\x02"
						   "a");
	CHECK_REFUSED(serial_get_string(r, &text), "\xc4"
						   "aaaa");
	CHECK_REFUSED(serial_get_string(r, &text), "\xc1"
						   "a");
	CHECK_REFUSED(serial_get_string(r, &text), "\x81\xff\xff\xff\xff\xff\xff\xff\xff"
						   "a");
	/* LZF that promises more than so few bytes can hold, that is cut, that becomes less or more than was said. */
	CHECK_REFUSED(serial_get_string(r, &text), "\xc3\x01\x81\x7f\xff\xff\xff\xff\xff\xff\xff"
						   "a");
	CHECK_REFUSED(serial_get_string(r, &text), "\xc3\x80\x40\x00\x00\x00\x80\x40\x00\x00\x00"
						   "a");
	CHECK_REFUSED(serial_get_string(r, &text), "\xc3\x00\x00");
	CHECK_REFUSED(serial_get_string(r, &text), "\xc3\x02\x02\x00"
						   "a");
	CHECK_REFUSED(serial_get_string(r, &text), "\xc3\x03\x01\x01"
						   "ab");
	CHECK_REFUSED(serial_get_string(r, &text), "\xc3\x03\x0a\x20\x05\x00");
	CHECK_REFUSED(serial_get_count(r, 1, &count), "\x02"
						      "a");
	CHECK_REFUSED(serial_get_count(r, 8, &count), "\x01"
						      "1234567");
	CHECK_REFUSED(serial_get_count(r, 2, &count), "\x81\xff\xff\xff\xff\xff\xff\xff\xff"
						      "a");
	CHECK_REFUSED(serial_get_old_double(r, &real), "\x03"
						       "1x5");
	CHECK_REFUSED(serial_get_old_double(r, &real), "\x03"
						       "nan");
	CHECK_REFUSED(serial_get_old_double(r, &real), "\x00");
	CHECK_REFUSED(serial_get_old_double(r, &real), "\xfc"
						       "1.5");
	assert_int_equal(length, 7);
	assert_int_equal(count, 7);
	assert_true(real == 7);
	serial_text_release(&text);
}

static void check_old_double(const char *bytes, size_t len, double wanted) {
	struct serial_reader r = serial_reader_of(slice_of(bytes, len));
	double number;
	assert_true(serial_get_old_double(&r, &number));
	assert_true(isnan(wanted) ? isnan(number) : number == wanted);
}

static void test_old_doubles(void **state) {
	(void)state;
	check_old_double("\x03"
			 "1.5",
		4, 1.5);
	check_old_double("\x18"
			 "-1.7976931348623157e+308",
		25, -1.7976931348623157e+308);
	check_old_double("\xfe", 1, INFINITY);
	check_old_double("\xff", 1, -INFINITY);
	check_old_double("\xfd", 1, NAN);
}

/* Any bytes: no more is read than there is, and strings stay within what so many bytes can justify. */
static void test_noise(void **state) {
	struct serial_text text = { 0 };

	(void)state;
	testing_begin(2);
	for (unsigned round = 0; round < testing_rounds(20000); round++) {
		char bytes[64], *copy;
		size_t len = random_below(sizeof(bytes));
		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)(random_below(4) ? random_below(8) | (random_below(4) << 6) : random_u64());
		struct serial_reader r = reader_of_copy(bytes, len, &copy);
		while (serial_get_string(&r, &text)) assert_in_range(text.bytes.len, 0, 88 * sizeof(bytes));
		free(copy);
	}
	serial_text_release(&text);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths_as_published),
		cmocka_unit_test(test_strings_as_published),
		cmocka_unit_test(test_others_as_published),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_compression),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_old_doubles),
		cmocka_unit_test(test_noise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
