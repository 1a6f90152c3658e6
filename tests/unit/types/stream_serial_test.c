/* Streams as RDB files have them: what is saved and loaded is the same, Redis 5 and 7.2 are understood, and whatever is cut off,
 * damaged or made up is refused or, where it still makes sense, is a sound stream. Meant to be run with the address sanitizer. */
#include "types/value_serial.h"

#include "base/alloc.h"
#include "testing.h"
#include "types/stream.h"

static struct slice text(const char *t) {
	return slice_of_cstr(t);
}

/* Some nodes, some deleted entries, two groups. */
static struct value make(unsigned entries) {
	struct type_limits limits = type_limits_default;
	limits.stream_node_max_entries = 4;
	struct value v = stream_ops.create();
	struct stream *s = stream_of(&v);
	for (unsigned i = 1; i <= entries; i++) {
		char number[NUMBER_I64_MAX_CHARS + 1];
		struct slice parts[] = { text("field"), slice_of(number, number_format_u64(number, (uint64_t)i * 1000)),
			text(i % 3 ? "same" : "other"), text("value") };
		stream_add(s, (struct stream_id){ i, i % 5 }, parts, i % 7 ? 4 : 2, &limits);
	}
	struct stream_group *g = stream_group_create(s, text("workers"), (struct stream_id){ entries / 2, 0 }, 7);
	stream_group_create(s, text("idle"), (struct stream_id){ 1, 0 }, STREAM_READ_UNKNOWN);
	struct stream_consumer *c[] = { stream_consumer_create(s, g, text("anna"), 1000),
		stream_consumer_create(s, g, text("bert"), 2000), stream_consumer_create(s, g, text(""), 3000) };
	for (unsigned i = 0; i < 3; i++) stream_consumer_active(c[i], stream_consumer_seen_ms(c[i]));
	for (unsigned i = 1; i <= entries / 2; i++) {
		struct stream_pending p = { { i, i % 5 }, c[i % 2], 5000 + i, i };
		if (i % 4) stream_pending_put(s, g, &p);
	}
	for (unsigned i = 2; i <= entries; i += 3)
		stream_delete(s, (struct stream_id){ i, i % 5 }, STREAM_KEEP_REFERENCES);
	return v;
}

static void hash_element(void *context, const struct slice *parts, size_t count) {
	uint64_t *sum = context;
	for (size_t i = 0; i < count; i++)
		*sum = *sum * 31 + hash_bytes(parts[i].ptr ? parts[i].ptr : "", parts[i].len) + i;
}

static uint64_t digest(const struct value *v) {
	uint64_t sum = 0;
	stream_ops.each(v, hash_element, &sum);
	return sum;
}

static struct buffer save(const struct value *v) {
	struct buffer out = { 0 };
	struct serial_writer w = { &out, 0 };
	value_save(&w, v);
	return out;
}

/* Loads the bytes as that kind. What is loaded must be sound, whatever the bytes are. */
static bool load(struct slice bytes, unsigned kind, struct value *v) {
	/* A copy of its own, so that reading beyond it is noticed. */
	char *copy = mem_alloc(bytes.len + 1);
	memcpy(copy, bytes.ptr, bytes.len);
	char *exact = mem_realloc(copy, bytes.len ? bytes.len : 1);
	struct serial_reader r = serial_reader_of(slice_of(exact, bytes.len));
	bool ok = value_load(&r, kind, &type_limits_default, v);
	mem_free(exact);
	if (!ok) return false;
	const char *problem = stream_ops.check(v);
	if (problem) fail_msg("loaded, and %s", problem);
	digest(v);
	return true;
}

static void test_round_trip(void **state) {
	(void)state;
	testing_begin(1);
	for (unsigned entries = 0; entries < 60; entries += 1 + entries / 5) {
		struct value v = make(entries), loaded;
		assert_int_equal(value_serial_kind(&v), SERIAL_STREAM_7_0);
		assert_int_equal(value_serial_version(&v), 10);
		struct buffer out = save(&v);
		assert_true(load(buffer_slice(&out), SERIAL_STREAM_7_0, &loaded));
		assert_int_equal(digest(&loaded), digest(&v));
		struct buffer again = save(&loaded);
		assert_true(slice_equal(buffer_slice(&out), buffer_slice(&again)));
		buffer_release(&again);
		buffer_release(&out);
		value_release(&loaded);
		value_release(&v);
	}
}

/* XADD s 1-1 f v; XGROUP CREATE s g 1-1; XGROUP CREATECONSUMER s g c, and 1-1 pending with it. */
#define ID_1_1 "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1"
#define NODE                                                                                                           \
	"\x10" ID_1_1 "\x1d\x1d\0\0\0\x0a\0\1\1\0\1\1\1\x81"                                                           \
	"f\2\0\1\2\1\0\1\0\1\x81"                                                                                      \
	"v\2\4\1\xff"
#define NACK ID_1_1 "\x10\x27\0\0\0\0\0\0\3"
#define SEEN "\xe8\3\0\0\0\0\0\0"
static const char of_5_0[] = "\1" NODE "\1\1\1"
			     "\1\1g\1\1"
			     "\1" NACK "\1\1c" SEEN "\1" ID_1_1;
static const char of_7_0[] = "\1" NODE "\1\1\1"
			     "\1\1\0\0\1"
			     "\1\1g\1\1\1"
			     "\1" NACK "\1\1c" SEEN "\1" ID_1_1;
static const char of_7_2[] = "\1" NODE "\1\1\1"
			     "\1\1\0\0\1"
			     "\1\1g\1\1\1"
			     "\1" NACK "\1\1c" SEEN "\xff\xff\xff\xff\xff\xff\xff\xff"
			     "\1" ID_1_1;

static void test_versions(void **state) {
	(void)state;
	static const struct {
		unsigned kind;
		struct slice bytes;
		int64_t read, active_ms;
	} versions[] = {
		{ SERIAL_STREAM_5_0, { of_5_0, sizeof(of_5_0) - 1 }, STREAM_READ_UNKNOWN, 1000 },
		{ SERIAL_STREAM_7_0, { of_7_0, sizeof(of_7_0) - 1 }, 1, 1000 },
		{ SERIAL_STREAM_7_2, { of_7_2, sizeof(of_7_2) - 1 }, 1, -1 },
	};
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		struct value v;
		assert_true(load(versions[i].bytes, versions[i].kind, &v));
		const struct stream *s = stream_of(&v);
		const struct stream_group *g = stream_group_find(s, text("g"));
		assert_int_equal(stream_state(s)->added, 1);
		assert_int_equal(stream_state(s)->first_id.seq, 1);
		assert_int_equal(stream_group_read(g), versions[i].read);
		assert_int_equal(stream_group_pending(g), 1);
		const struct stream_consumer *c = stream_consumer_at(g, 0);
		assert_int_equal(stream_consumer_seen_ms(c), 1000);
		assert_int_equal(stream_consumer_active_ms(c), versions[i].active_ms);
		value_release(&v);
		for (size_t len = 0; len < versions[i].bytes.len; len++) {
			assert_false(load(slice_of(versions[i].bytes.ptr, len), versions[i].kind, &v));
		}
	}
}

static void refuse(const char *bytes, size_t len) {
	struct value v;
	assert_false(load(slice_of(bytes, len), SERIAL_STREAM_7_0, &v));
}
#define REFUSE(literal) refuse(literal, sizeof(literal) - 1)
#define STATE                                                                                                          \
	"\1\1\1"                                                                                                       \
	"\1\1\0\0\1"
#define PACK(len, entries) "\1\x10" ID_1_1 len len "\0\0\0" entries "\xff"

static void test_refused(void **state) {
	(void)state;
	/* Two groups, two consumers, of one name. */
	REFUSE("\1" NODE STATE "\2"
	       "\1g\1\1\1\0\0"
	       "\1g\1\1\1\0\0");
	REFUSE("\1" NODE STATE "\1"
	       "\1g\1\1\1\0\2"
	       "\1c" SEEN "\0"
	       "\1c" SEEN "\0");
	/* Pending with nobody, with two, with one who has it and the group has not; twice in the group. */
	REFUSE("\1" NODE STATE "\1"
	       "\1g\1\1\1\1" NACK "\0");
	REFUSE("\1" NODE STATE "\1"
	       "\1g\1\1\1\1" NACK "\2"
	       "\1c" SEEN "\1" ID_1_1 "\1d" SEEN "\1" ID_1_1);
	REFUSE("\1" NODE STATE "\1"
	       "\1g\1\1\1\1" NACK "\1"
	       "\1c" SEEN "\2" ID_1_1 ID_1_1);
	REFUSE("\1" NODE STATE "\1"
	       "\1g\1\1\1\0"
	       "\1"
	       "\1c" SEEN "\1" ID_1_1);
	REFUSE("\1" NODE STATE "\1"
	       "\1g\1\1\1\2" NACK NACK "\1"
	       "\1c" SEEN "\1" ID_1_1);
	/* Delivered at a time that is none. */
	REFUSE("\1" NODE STATE "\1"
	       "\1g\1\1\1\1" ID_1_1 "\xff\xff\xff\xff\xff\xff\xff\xff\3"
	       "\1"
	       "\1c" SEEN "\1" ID_1_1);
	/* Entries read: -2. */
	REFUSE("\1" NODE STATE "\1"
	       "\1g\1\1\x81\xff\xff\xff\xff\xff\xff\xff\xfe\0\0");
	/* The same node twice; a length that is not so; a last ID before the last entry; fewer added than there are. */
	REFUSE("\2" NODE NODE "\2\1\1"
	       "\1\1\0\0\2"
	       "\0");
	REFUSE("\1" NODE "\2\1\1"
	       "\1\1\0\0\2"
	       "\0");
	REFUSE("\1" NODE "\1\1\0"
	       "\1\1\0\0\1"
	       "\0");
	REFUSE("\1" NODE "\1\1\1"
	       "\1\1\0\0\0"
	       "\0");
	/* Counts that cannot be. */
	REFUSE("\x81\x7f\xff\xff\xff\xff\xff\xff\xff" NODE STATE "\0");
	REFUSE("\1" NODE STATE "\x81\xff\xff\xff\xff\xff\xff\xff\xff");
	/* Packs: empty; without an entry; live entries that are not there; fields that are not there; an unknown flag; an entry
	 * with the wrong length; one with more fields than a number holds. */
	REFUSE("\1\x10" ID_1_1 "\7\7\0\0\0\0\0\xff" STATE "\0");
	REFUSE(PACK("\x12", "\5\0\0\1\0\1\1\1\x81"
			    "f\2\0\1") "\0\1\1"
				       "\1\1\0\0\1"
				       "\0");
	REFUSE(PACK("\x1d", "\x0a\0\2\1\0\1\1\1\x81"
			    "f\2\0\1\2\1\0\1\0\1\x81"
			    "v\2\4\1") STATE "\0");
	REFUSE(PACK("\x1d", "\x0a\0\1\1\0\1\5\1\x81"
			    "f\2\0\1\2\1\0\1\0\1\x81"
			    "v\2\4\1") STATE "\0");
	REFUSE(PACK("\x1d", "\x0a\0\1\1\0\1\1\1\x81"
			    "f\2\0\1\6\1\0\1\0\1\x81"
			    "v\2\4\1") STATE "\0");
	REFUSE(PACK("\x1d", "\x0a\0\1\1\0\1\1\1\x81"
			    "f\2\0\1\2\1\0\1\0\1\x81"
			    "v\2\5\1") STATE "\0");
	REFUSE(PACK("\x24", "\x0a\0\1\1\0\1\1\1\x81"
			    "f\2\0\1\0\1\0\1\0\1\xf4\xff\xff\xff\xff\xff\xff\xff\x7f\x09\2\1") STATE "\0");
	/* A string where a number belongs. */
	REFUSE(PACK("\x1e", "\x0a\0\x81"
			    "1\2\0\1\1\1\x81"
			    "f\2\0\1\2\1\0\1\0\1\x81"
			    "v\2\4\1") STATE "\0");
}

static void test_damaged(void **state) {
	(void)state;
	testing_begin(2);
	struct value v = make(40), loaded;
	struct buffer out = save(&v);
	for (size_t len = 0; len < out.len; len++)
		assert_false(load(slice_of(out.data, len), SERIAL_STREAM_7_0, &loaded));
	size_t accepted = 0;
	char *bytes = mem_alloc(out.len);
	for (unsigned round = 0; round < testing_rounds(20000); round++) {
		memcpy(bytes, out.data, out.len);
		for (uint64_t changes = 1 + random_below(3); changes > 0; changes--) {
			static const unsigned char liked[] = { 0, 1, 2, 4, 0x7f, 0x80, 0x81, 0xf0, 0xf4, 0xff };
			size_t at = random_below(out.len);
			bytes[at] = (char)(random_below(2) ? liked[random_below(sizeof(liked))] : random_below(256));
		}
		unsigned kind = random_below(5)   ? SERIAL_STREAM_7_0
				: random_below(2) ? SERIAL_STREAM_5_0
						  : SERIAL_STREAM_7_2;
		if (!load(slice_of(bytes, out.len), kind, &loaded)) continue;
		accepted++;
		/* It must also bear being changed. */
		struct stream_trim trim = { .by = STREAM_TRIM_LENGTH, .length = 3 };
		stream_trim(stream_of(&loaded), &trim);
		const char *problem = stream_ops.check(&loaded);
		if (problem) fail_msg("loaded and trimmed, and %s", problem);
		value_release(&loaded);
	}
	/* Texts and times may be anything. */
	assert_true(accepted > 0);
	mem_free(bytes);
	buffer_release(&out);
	value_release(&v);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_damaged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
