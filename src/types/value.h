/* A collection, seen from outside: what kind it is, in which form it is held, where its data lie.
 *
 * `struct value` is a handle of three words, passed around and kept on the stack; the data belong to whoever owns the
 * entry or the edit that the handle came from. Each type has a header of its own (list.h, set.h, zset.h, hash.h, stream.h)
 * whose calls take the handle and may change its form: from a pack to a tree when it outgrows the limits.
 *
 * A form is *flat* when its data are one run of bytes without pointers (a pack, an array of integers). The store may then
 * keep small ones inside the entry: it copies them with memcpy, for reading they are used where they lie (at any alignment),
 * and for changing they are handed out as an allocation of their own (mem_alloc). So: calls that only read must take
 * flat data at any address, and calls that change may reallocate.
 *
 * Strings are no collections: entry.h. No gate, no lock, no client, no clock here; times come in as arguments. */
#ifndef TARN_TYPES_VALUE_H
#define TARN_TYPES_VALUE_H

#include "base/bytes.h"

/* What a user sees as TYPE. The order is that of RDB's object types. */
enum value_type { VALUE_STRING, VALUE_LIST, VALUE_SET, VALUE_ZSET, VALUE_HASH, VALUE_STREAM, VALUE_TYPES };

const char *value_type_name(enum value_type type); /* TYPE: "string", "list", … */

struct value {
	uint8_t type;     /* enum value_type, not VALUE_STRING */
	uint8_t encoding; /* the type's own enum, from 0 to 15 */
	void *data;       /* NULL: no value */
};

/* What the *-max-* settings say; the names are those of redis.conf. */
struct type_limits {
	size_t hash_max_listpack_entries;
	size_t hash_max_listpack_value;
	int64_t list_max_listpack_size; /* positive: elements; -1 … -5: 4, 8, 16, 32, 64 KiB */
	int64_t list_compress_depth;
	size_t set_max_intset_entries;
	size_t set_max_listpack_entries;
	size_t set_max_listpack_value;
	size_t zset_max_listpack_entries;
	size_t zset_max_listpack_value;
	size_t hll_sparse_max_bytes;
	size_t stream_node_max_bytes; /* 0: no limit */
	size_t stream_node_max_entries;
};
extern const struct type_limits type_limits_default;

/* One element as bytes: a list item, a member, field and value (and the field's end in ms, when it has one), member and
 * score, or, for a stream, ID, then fields and values (and its groups, consumers and pending entries in some
 * form that tells different states apart). The slices are valid during the call. */
typedef void value_element_fn(void *context, const struct slice *parts, size_t count);

/* What each type tells about its values. `struct value` arguments have data and are of the type. */
struct value_ops {
	/* An empty value in the type's smallest form. */
	struct value (*create)(void);
	/* The bytes of a flat value, 0 when its form is not flat. O(1). */
	size_t (*flat_bytes)(const struct value *value);
	/* Elements; a value without any vanishes (streams excepted). O(1), or O(bytes) of a flat value. */
	size_t (*count)(const struct value *value);
	/* What its data take in bytes of the allocator (mem_size_class of every piece), all of them. O(1): big forms keep a
	 * running sum. */
	size_t (*memory)(const struct value *value);
	/* About how many pieces there are to free. O(1). From 64 on it is done in the background. */
	size_t (*pieces)(const struct value *value);
	/* Frees the data. */
	void (*release)(struct value *value);
	/* An independent copy. */
	struct value (*copy)(const struct value *value);
	/* What OBJECT ENCODING says. */
	const char *(*encoding_name)(const struct value *value);
	/* Every element, in the value's order (lists, sorted sets, streams) or in any. */
	void (*each)(const struct value *value, value_element_fn *visit, void *context);
	/* Walks everything; a text that says what is broken, or NULL. */
	const char *(*check)(const struct value *value);
	/* When the first element with an end of its own ends, in ms since 1970; -1: none has one. O(1). NULL: the type has no
	 * such elements. */
	int64_t (*next_end)(const struct value *value);
	/* Removes up to `limit` elements whose end is before now_ms, earliest first; how many. With next_end only. */
	size_t (*expire)(struct value *value, int64_t now_ms, size_t limit);
	/* Elements that have not ended. O(those that have). With next_end only. */
	size_t (*live_count)(const struct value *value, int64_t now_ms);
};

/* The table's entry for a type (VALUE_STRING has none). */
const struct value_ops *value_ops_of(enum value_type type);

/* An empty value in the type's smallest form, owned by the caller. */
struct value value_new(enum value_type type);

/* The same as the members of the table, for a value of any type. */
size_t value_flat_bytes(const struct value *value);
size_t value_count(const struct value *value);
size_t value_memory(const struct value *value);
size_t value_pieces(const struct value *value);
void value_release(struct value *value); /* no data: does nothing. Leaves no data. */
struct value value_copy(const struct value *value);
const char *value_encoding_name(const struct value *value);
void value_each(const struct value *value, value_element_fn *visit, void *context);
const char *value_check(const struct value *value);
int64_t value_next_end(const struct value *value);
size_t value_expire(struct value *value, int64_t now_ms, size_t limit);
size_t value_live_count(const struct value *value, int64_t now_ms);

/* Whether the order of its elements is part of what a value says. */
static inline bool value_is_ordered(const struct value *value) {
	return value->type != VALUE_SET && value->type != VALUE_HASH;
}

#endif
