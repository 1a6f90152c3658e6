#include "base/number.h"
#include "types/hash.h"
#include "types/value_serial_private.h"

/* Ends that make sense: those that Redis takes, 48 bits but the last two. */
static const int64_t end_max_ms = ((int64_t)1 << 48) - 2;

/* Without ends it is saved as a plain hash, whatever it has room for, so that Redis 7.0 can read it. */
enum serial_kind hash__serial_kind(const struct value *value) {
	bool ends = hash_next_end(value) != HASH_NO_END;
	if (value->encoding == HASH_TABLE) return ends ? SERIAL_HASH_ENDS : SERIAL_HASH;
	return ends ? SERIAL_HASH_PACK_ENDS : SERIAL_HASH_PACK;
}

/* ---- Saving ---- */

/* As a pack of fields and values only. */
static void save_without_ends(struct serial_writer *w, const struct value *value) {
	struct pack *plain = hash_plain_pack(value);
	serial_put_string(w, pack_raw(plain));
	pack_free(plain);
}

static void save_flat(struct serial_writer *w, const struct value *value) {
	const struct pack *pack = hash_pack(value);
	int64_t earliest_ms = hash_next_end(value);
	if (value->encoding != HASH_PACK && earliest_ms == HASH_NO_END) {
		save_without_ends(w, value);
		return;
	}
	if (earliest_ms != HASH_NO_END) serial_put_ms(w, earliest_ms);
	serial_put_string(w, pack_raw(pack));
}

struct saving {
	struct serial_writer *w;
	const struct value *hash;
	int64_t earliest_ms;
};

static void save_field(void *context, struct slice field, struct slice text) {
	struct saving *s = context;
	if (s->earliest_ms != HASH_NO_END) {
		int64_t end_ms = hash_end(s->hash, field, INT64_MIN);
		serial_put_length(s->w, end_ms == HASH_NO_END ? 0 : (uint64_t)(end_ms - s->earliest_ms + 1));
	}
	serial_put_string(s->w, field);
	serial_put_string(s->w, text);
}

void hash__save(struct serial_writer *w, const struct value *value) {
	if (hash_is_flat(value)) {
		save_flat(w, value);
		return;
	}
	struct saving s = { w, value, hash_next_end(value) };
	if (s.earliest_ms != HASH_NO_END) serial_put_ms(w, s.earliest_ms);
	serial_put_length(w, hash_count(value));
	hash_each(value, INT64_MIN, save_field, &s);
}

/* ---- Loading ---- */

/* The end that stands before a field; `before_ms` is what it is counted from. */
static bool get_end(struct serial_reader *r, int64_t before_ms, int64_t *end_ms) {
	uint64_t distance;
	if (!serial_get_length(r, &distance)) return false;
	*end_ms = HASH_NO_END;
	if (distance == 0) return true;
	if (distance > (uint64_t)(end_max_ms - before_ms)) return serial_refuse(r);
	*end_ms = before_ms + (int64_t)distance;
	return true;
}

static bool load_fields(struct serial_reader *r, unsigned kind, const struct type_limits *limits, struct value *value) {
	struct serial_text field = { 0 }, text = { 0 };
	int64_t earliest_ms = 1, end_ms = HASH_NO_END;
	size_t count = 0;
	bool ends = kind != SERIAL_HASH, ok = true;
	/* 0, when all of the ends are none. */
	if (kind == SERIAL_HASH_ENDS)
		ok = serial_get_ms(r, &earliest_ms) && earliest_ms >= 0 && earliest_ms <= end_max_ms;
	if (earliest_ms == 0) earliest_ms = 1;
	ok = ok && serial_get_count(r, ends ? 3 : 2, &count) && count > 0;
	*value = value_new(VALUE_HASH);
	for (; ok && count > 0; count--) {
		ok = (!ends || get_end(r, earliest_ms - 1, &end_ms)) && serial_get_string(r, &field) &&
		     serial_get_string(r, &text) &&
		     hash_set(value, field.bytes, text.bytes, end_ms, INT64_MIN, limits) == HASH_ADDED;
	}
	serial_text_release(&field);
	serial_text_release(&text);
	if (!ok) value_release(value);
	return ok;
}

static bool load_pack(struct serial_reader *r, enum value__flat form, enum hash_encoding encoding,
	const struct type_limits *limits, struct value *value) {
	struct pack *pack = value__get_pack(r, form);
	if (!pack) return false;
	if (pack_is_empty(pack)) {
		pack_free(pack);
		return false;
	}
	return hash_from_pack(pack, encoding, limits, value);
}

bool hash__load(struct serial_reader *r, unsigned kind, const struct type_limits *limits, struct value *value) {
	int64_t earliest_ms; /* the pack says it, too */
	switch (kind) {
	case SERIAL_HASH_ZIPMAP: return load_pack(r, VALUE__ZIPMAP, HASH_PACK, limits, value);
	case SERIAL_HASH_ZIPLIST: return load_pack(r, VALUE__ZIPLIST, HASH_PACK, limits, value);
	case SERIAL_HASH_PACK: return load_pack(r, VALUE__PACK, HASH_PACK, limits, value);
	case SERIAL_HASH_PACK_ENDS:
		return serial_get_ms(r, &earliest_ms) && load_pack(r, VALUE__PACK, HASH_PACK_ENDS, limits, value);
	case SERIAL_HASH_PACK_ENDS_RC: return load_pack(r, VALUE__PACK, HASH_PACK_ENDS, limits, value);
	default: return load_fields(r, kind, limits, value);
	}
}
