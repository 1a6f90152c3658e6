#include <math.h>

#include "base/hash.h"
#include "types/value_serial_private.h"
#include "types/zset.h"
#include "types/zset_build.h"

enum serial_kind zset__serial_kind(const struct value *value) {
	return value->encoding == ZSET_PACK ? SERIAL_ZSET_PACK : SERIAL_ZSET;
}

void zset__save(struct serial_writer *w, const struct value *value) {
	if (value->encoding == ZSET_PACK) {
		serial_put_string(w, slice_of(value->data, value_flat_bytes(value)));
		return;
	}
	/* The last one first, as Redis has it: whoever loads them inserts at one end only. */
	struct zset_walk walk;
	struct zset_element element;
	zset_walk_ranks(value, 0, SIZE_MAX, ZSET_DOWN, &walk);
	serial_put_length(w, walk.left);
	while (zset_next(&walk, &element)) {
		serial_put_string(w, element.member);
		serial_put_double(w, element.score);
	}
}

/* False when the member is there already, or the score is none. */
static bool add_new(struct zset_build *build, struct slice member, double score) {
	bool fresh = false;
	double *slot = isnan(score) ? NULL : zset_build_slot(build, member, hash_slice(member), &fresh);
	if (slot && fresh) *slot = score;
	return slot && fresh;
}

/* Members with scores, in any order. */
static bool load_members(
	struct serial_reader *r, unsigned kind, const struct type_limits *limits, struct value *value) {
	struct zset_build build = { 0 };
	struct serial_text member = { 0 };
	size_t count;
	/* A member takes at least a byte, its score one or eight. */
	bool old = kind == SERIAL_ZSET_OLD, ok = serial_get_count(r, old ? 2 : 9, &count) && count > 0;
	for (; ok && count > 0; count--) {
		double score = NAN;
		ok = serial_get_string(r, &member) &&
		     (old ? serial_get_old_double(r, &score) : serial_get_double(r, &score)) &&
		     add_new(&build, member.bytes, score);
	}
	serial_text_release(&member);
	ok = ok && zset_build_sort(&build);
	if (ok) zset_build_finish(&build, limits, value);
	zset_build_release(&build);
	return ok;
}

static bool load_pack(
	struct serial_reader *r, enum value__flat form, const struct type_limits *limits, struct value *value) {
	struct pack *pack = value__get_pack(r, form);
	bool ok = pack && !pack_is_empty(pack) && zset_from_pack(pack_raw(pack), limits, value);
	pack_free(pack);
	return ok;
}

bool zset__load(struct serial_reader *r, unsigned kind, const struct type_limits *limits, struct value *value) {
	switch (kind) {
	case SERIAL_ZSET_PACK: return load_pack(r, VALUE__PACK, limits, value);
	case SERIAL_ZSET_ZIPLIST: return load_pack(r, VALUE__ZIPLIST, limits, value);
	default: return load_members(r, kind, limits, value);
	}
}
