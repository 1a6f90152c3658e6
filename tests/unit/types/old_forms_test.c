/* Ziplists and zipmaps: those that a naive writer makes come out as they went in, cut and changed ones are refused or
 * become some valid pack. What is read lies in allocations of its exact size, for AddressSanitizer. */
#include "../testing.h"

#include <string.h>

#include "base/buffer.h"
#include "types/old_forms.h"

enum { MAX_VALUES = 40 };

struct values {
	size_t count;
	struct buffer texts[MAX_VALUES];
};

static void release_values(struct values *values) {
	for (size_t i = 0; i < values->count; i++) buffer_release(&values->texts[i]);
	values->count = 0;
}

static void put_little(struct buffer *out, uint64_t value, unsigned count) {
	for (unsigned i = 0; i < count; i++) buffer_append_char(out, (char)(value >> (8 * i)));
}

static void put_old_length(struct buffer *out, size_t len, bool wide) {
	if (len < 254 && !wide) {
		put_little(out, len, 1);
	} else {
		put_little(out, 0xFE, 1);
		put_little(out, len, 4);
	}
}

/* ---- Ziplists ---- */

static void put_random_text(struct buffer *out, struct buffer *text) {
	size_t len = random_below(random_below(4) ? 64 : 20000);
	for (size_t i = 0; i < len; i++) buffer_append_char(text, (char)('a' + random_below(26)));
	if (len < 64 && random_below(2)) {
		put_little(out, len, 1);
	} else if (len < 16384 && random_below(3)) {
		put_little(out, 0x40 | len >> 8, 1);
		put_little(out, len, 1);
	} else {
		put_little(out, 0x80, 1);
		for (int shift = 24; shift >= 0; shift -= 8) put_little(out, len >> shift, 1);
	}
	buffer_append_slice(out, buffer_slice(text));
}

static void put_random_int(struct buffer *out, struct buffer *text) {
	static const struct {
		uint8_t first;
		unsigned bytes;
	} forms[] = { { 0xFE, 1 }, { 0xC0, 2 }, { 0xF0, 3 }, { 0xD0, 4 }, { 0xE0, 8 } };
	unsigned form = (unsigned)random_below(6);
	if (form == 5) {
		unsigned small = (unsigned)random_below(13);
		put_little(out, 0xF1 + small, 1);
		buffer_appendf(text, "%u", small);
		return;
	}
	unsigned above = 64 - 8 * forms[form].bytes;
	int64_t number = (int64_t)random_u64() >> above;
	put_little(out, forms[form].first, 1);
	put_little(out, (uint64_t)number, forms[form].bytes);
	buffer_appendf(text, "%" PRId64, number);
}

static void make_ziplist(struct buffer *out, struct values *values) {
	size_t before = 0, last = 10, start = 0;
	*values = (struct values){ .count = random_below(MAX_VALUES) };
	out->len = 0;
	put_little(out, 0, 8);
	put_little(out, 0, 2);
	for (size_t i = 0; i < values->count; i++, before = out->len - start) {
		start = last = out->len;
		put_old_length(out, before, random_below(5) == 0);
		if (random_below(2)) {
			put_random_text(out, &values->texts[i]);
		} else {
			put_random_int(out, &values->texts[i]);
		}
	}
	put_little(out, 0xFF, 1);
	uint32_t bytes = (uint32_t)out->len, tail = (uint32_t)last;
	uint16_t said = random_below(3) ? (uint16_t)values->count : 65535;
	memcpy(out->data, &bytes, 4);
	memcpy(out->data + 4, &tail, 4);
	memcpy(out->data + 8, &said, 2);
}

/* ---- Zipmaps ---- */

static void put_plain_text(struct buffer *text) {
	size_t len = random_below(random_below(4) ? 20 : 600);
	for (size_t i = 0; i < len; i++) buffer_append_char(text, (char)('0' + random_below(10)));
}

static void make_zipmap(struct buffer *out, struct values *values) {
	*values = (struct values){ .count = random_below(MAX_VALUES / 2) * 2 };
	out->len = 0;
	put_little(out, random_below(3) ? values->count / 2 : 254, 1);
	for (size_t i = 0; i < values->count; i++) {
		put_plain_text(&values->texts[i]);
		put_old_length(out, values->texts[i].len, random_below(5) == 0);
		size_t unused = 0;
		if (i % 2) put_little(out, unused = random_below(5), 1);
		buffer_append_slice(out, buffer_slice(&values->texts[i]));
		for (size_t u = 0; u < unused; u++) buffer_append_char(out, (char)random_u64());
	}
	put_little(out, 0xFF, 1);
}

/* ---- Both ---- */

typedef struct pack *convert_fn(struct slice bytes);
typedef void make_fn(struct buffer *out, struct values *values);

static struct pack *convert_copy(convert_fn *convert, const char *bytes, size_t len) {
	char *copy = malloc(len ? len : 1);
	memcpy(copy, bytes, len);
	struct pack *pack = convert(slice_of(copy, len));
	free(copy);
	if (pack) assert_true(pack_validate(pack, pack_bytes(pack), PACK_DEEP));
	return pack;
}

static void check_whole(convert_fn *convert, const struct buffer *bytes, const struct values *values) {
	char scratch[PACK_SCRATCH_BYTES];
	struct pack *pack = convert_copy(convert, bytes->data, bytes->len);
	assert_non_null(pack);
	assert_int_equal(pack_count(pack), values->count);
	size_t i = 0;
	for (size_t at = pack_first(pack); at; at = pack_next(pack, at), i++)
		assert_true(slice_equal(pack_text(pack, at, scratch), buffer_slice(&values->texts[i])));
	pack_free(pack);
}

static void check_changed(convert_fn *convert, struct buffer *bytes) {
	/* Every shorter one says that it is longer, or has no end. */
	assert_null(convert_copy(convert, bytes->data, random_below(bytes->len)));
	for (int i = 0; i < 20; i++) {
		size_t at = random_below(random_below(2) && bytes->len > 40 ? 40 : bytes->len);
		char was = bytes->data[at];
		bytes->data[at] = (char)(random_below(2) ? random_u64() : (uint64_t)was ^ 1u << random_below(8));
		pack_free(convert_copy(convert, bytes->data, bytes->len));
		bytes->data[at] = was;
	}
}

static void check_random(convert_fn *convert, make_fn *make) {
	struct buffer bytes = { 0 };
	testing_begin(1);
	for (unsigned round = 0; round < testing_rounds(500); round++) {
		struct values values;
		make(&bytes, &values);
		check_whole(convert, &bytes, &values);
		if (convert == pack_from_ziplist) check_changed(convert, &bytes);
		release_values(&values);
	}
	buffer_release(&bytes);
}

static void test_ziplists(void **state) {
	(void)state;
	check_random(pack_from_ziplist, make_ziplist);
}

static void test_zipmaps(void **state) {
	(void)state;
	check_random(pack_from_zipmap, make_zipmap);
}

static void test_zipmaps_changed(void **state) {
	struct buffer bytes = { 0 };

	(void)state;
	testing_begin(2);
	for (unsigned round = 0; round < testing_rounds(5000); round++) {
		struct values values;
		make_zipmap(&bytes, &values);
		size_t len = random_below(bytes.len + 1);
		for (int i = 0; i < 3; i++)
			bytes.data[random_below(bytes.len)] =
				(char)(random_below(2) ? 0xFE + random_below(2) : random_u64());
		pack_free(convert_copy(pack_from_zipmap, bytes.data, len));
		release_values(&values);
	}
	buffer_release(&bytes);
}

#define CHECK_REFUSED(convert, bytes) assert_null(convert_copy(convert, "" bytes, sizeof(bytes) - 1))

/* "a" "b" is 11 bytes of frame, 00 01 61, 03 01 62. */
static void test_refused(void **state) {
	(void)state;
	struct pack *pack = convert_copy(pack_from_ziplist, "\x11\0\0\0\x0d\0\0\0\x02\0\0\1a\3\1b\xff", 17);
	assert_non_null(pack);
	pack_free(pack);
	CHECK_REFUSED(pack_from_ziplist, "");
	CHECK_REFUSED(pack_from_ziplist, "\x0a\0\0\0\x0a\0\0\0\0\0");
	CHECK_REFUSED(pack_from_ziplist, "\x12\0\0\0\x0d\0\0\0\x02\0\0\1a\3\1b\xff"); /* too long */
	CHECK_REFUSED(pack_from_ziplist, "\x11\0\0\0\x0d\0\0\0\x02\0\0\1a\3\1b\xfe"); /* no end */
	CHECK_REFUSED(pack_from_ziplist, "\x11\0\0\0\x0a\0\0\0\x02\0\0\1a\3\1b\xff"); /* the tail elsewhere */
	CHECK_REFUSED(pack_from_ziplist, "\x11\0\0\0\x0d\0\0\0\x03\0\0\1a\3\1b\xff"); /* three are said */
	CHECK_REFUSED(pack_from_ziplist, "\x11\0\0\0\x0d\0\0\0\x02\0\0\1a\4\1b\xff"); /* another length before */
	CHECK_REFUSED(pack_from_ziplist, "\x11\0\0\0\x0d\0\0\0\x02\0\0\1a\3\2b\xff"); /* beyond the end */
	CHECK_REFUSED(pack_from_ziplist, "\x11\0\0\0\x0d\0\0\0\x02\0\0\1a\3\x80\1\xff");
	CHECK_REFUSED(pack_from_ziplist, "\x11\0\0\0\x0d\0\0\0\x02\0\0\1a\3\xc1\1\xff");

	pack = convert_copy(pack_from_zipmap, "\1\1a\1\2bxx\xff", 9);
	assert_non_null(pack);
	assert_int_equal(pack_count(pack), 2);
	pack_free(pack);
	CHECK_REFUSED(pack_from_zipmap, "");
	CHECK_REFUSED(pack_from_zipmap, "\xff");
	CHECK_REFUSED(pack_from_zipmap, "\2\1a\1\2bxx\xff"); /* two are said */
	CHECK_REFUSED(pack_from_zipmap, "\1\1a\1\2bx\xff");  /* unused bytes beyond the end */
	CHECK_REFUSED(pack_from_zipmap, "\1\1a\xff");        /* no value */
	CHECK_REFUSED(pack_from_zipmap, "\1\1a\xfe\xff\xff\xff\xff\0b\xff");
	CHECK_REFUSED(pack_from_zipmap, "\1\1a\1\0b");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ziplists),
		cmocka_unit_test(test_zipmaps),
		cmocka_unit_test(test_zipmaps_changed),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
