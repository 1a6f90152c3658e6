#include "types/value.h"

#include <assert.h>

#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/stream.h"
#include "types/zset.h"

const struct type_limits type_limits_default = {
	.hash_max_listpack_entries = 512,
	.hash_max_listpack_value = 64,
	.list_max_listpack_size = -2,
	.list_compress_depth = 0,
	.set_max_intset_entries = 512,
	.set_max_listpack_entries = 128,
	.set_max_listpack_value = 64,
	.zset_max_listpack_entries = 128,
	.zset_max_listpack_value = 64,
	.hll_sparse_max_bytes = 3000,
	.stream_node_max_bytes = 4096,
	.stream_node_max_entries = 100,
};

/* One line per type; the type's own file defines its operations. */
static const struct value_ops *const all_ops[VALUE_TYPES] = {
	[VALUE_STRING] = NULL,
	[VALUE_LIST] = &list_ops,
	[VALUE_HASH] = &hash_ops,
	[VALUE_SET] = &set_ops,
	[VALUE_ZSET] = &zset_ops,
	[VALUE_STREAM] = &stream_ops,
};

const char *value_type_name(enum value_type type) {
	static const char *const names[VALUE_TYPES] = { "string", "list", "set", "zset", "hash", "stream" };
	return names[type];
}

const struct value_ops *value_ops_of(enum value_type type) {
	assert(type < VALUE_TYPES && all_ops[type]);
	return all_ops[type];
}

static inline const struct value_ops *ops_of(const struct value *value) {
	return value_ops_of((enum value_type)value->type);
}

struct value value_new(enum value_type type) {
	return value_ops_of(type)->create();
}

size_t value_flat_bytes(const struct value *value) {
	return ops_of(value)->flat_bytes(value);
}

size_t value_count(const struct value *value) {
	return ops_of(value)->count(value);
}

size_t value_memory(const struct value *value) {
	return ops_of(value)->memory(value);
}

size_t value_pieces(const struct value *value) {
	return ops_of(value)->pieces(value);
}

void value_release(struct value *value) {
	if (value->data) ops_of(value)->release(value);
	value->data = NULL;
}

struct value value_copy(const struct value *value) {
	return ops_of(value)->copy(value);
}

const char *value_encoding_name(const struct value *value) {
	return ops_of(value)->encoding_name(value);
}

void value_each(const struct value *value, value_element_fn *visit, void *context) {
	ops_of(value)->each(value, visit, context);
}

const char *value_check(const struct value *value) {
	return ops_of(value)->check(value);
}

int64_t value_next_end(const struct value *value) {
	const struct value_ops *ops = ops_of(value);
	return ops->next_end ? ops->next_end(value) : -1;
}

size_t value_expire(struct value *value, int64_t now_ms, size_t limit) {
	const struct value_ops *ops = ops_of(value);
	return ops->expire ? ops->expire(value, now_ms, limit) : 0;
}

size_t value_live_count(const struct value *value, int64_t now_ms) {
	const struct value_ops *ops = ops_of(value);
	return ops->live_count ? ops->live_count(value, now_ms) : ops->count(value);
}
