/* Hostile objects of RDB files and DUMP payloads: whatever value_load lets pass is a proper value of the form that the limits
 * ask for, can be saved and loaded again, and says the same then.
 *
 * Input: one byte (bit 0: tiny limits; bit 1: saved without compression), the kind of object, its bytes. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "types/value_serial.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition) {
	if (!condition) abort();
}

struct summary {
	bool ordered;
	uint64_t hash;
	size_t elements;
};

static void add_element(void *context, const struct slice *parts, size_t count) {
	struct summary *s = context;
	uint64_t hash = s->ordered ? s->hash : 0;
	for (size_t i = 0; i < count; i++) hash = (hash ^ hash_digest(parts[i])) * 0x9e3779b97f4a7c15 + parts[i].len;
	s->hash = s->ordered ? hash : s->hash + hash;
	s->elements++;
}

static struct summary summary_of(const struct value *value) {
	struct summary s = { .ordered = value_is_ordered(value) };
	value_each(value, add_element, &s);
	return s;
}

static void check(const struct value *value) {
	must(value_check(value) == NULL);
	must(value->type == VALUE_STREAM || value_count(value) > 0);
	must(value_memory(value) > 0);
	must(value_encoding_name(value) != NULL);
}

static void must_be_equal(const struct value *a, const struct value *b) {
	struct summary one = summary_of(a), other = summary_of(b);
	must(a->type == b->type && value_count(a) == value_count(b));
	must(one.hash == other.hash && one.elements == other.elements);
}

/* There and back, and a copy. */
static void check_again(const struct value *value, unsigned flags, const struct type_limits *limits) {
	struct buffer bytes = { 0 };
	struct serial_writer w = { &bytes, flags };
	value_save(&w, value);
	struct serial_reader r = serial_reader_of(buffer_slice(&bytes));
	struct value again;
	must(value_load(&r, value_serial_kind(value), limits, &again));
	must(serial_left(&r) == 0);
	check(&again);
	must_be_equal(value, &again);
	value_release(&again);
	buffer_release(&bytes);

	struct value copy = value_copy(value);
	check(&copy);
	must_be_equal(value, &copy);
	value_release(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static const struct type_limits tiny = {
		.hash_max_listpack_entries = 3,
		.hash_max_listpack_value = 5,
		.list_max_listpack_size = 4,
		.set_max_intset_entries = 4,
		.set_max_listpack_entries = 3,
		.set_max_listpack_value = 5,
		.zset_max_listpack_entries = 3,
		.zset_max_listpack_value = 5,
		.hll_sparse_max_bytes = 100,
		.stream_node_max_bytes = 50,
		.stream_node_max_entries = 3,
	};
	if (size < 2) return 0;
	hash_init(1);
	const struct type_limits *limits = data[0] & 1 ? &tiny : &type_limits_default;
	char *bytes = mem_alloc(size - 2 ? size - 2 : 1);
	memcpy(bytes, data + 2, size - 2);
	struct serial_reader r = serial_reader_of(slice_of(bytes, size - 2));
	struct value value;
	if (value_load(&r, data[1], limits, &value)) {
		check(&value);
		check_again(&value, data[0] & 2 ? 0 : SERIAL_COMPRESS, limits);
		value_release(&value);
	}
	mem_free(bytes);
	return 0;
}
