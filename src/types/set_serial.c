#include "types/set.h"
#include "types/value_serial_private.h"

enum serial_kind set__serial_kind(const struct value *value) {
	/* Packs of members are not known to Redis 7.0. */
	return value->encoding == SET_INTS ? SERIAL_SET_INTSET : SERIAL_SET;
}

static void put_member(void *context, struct slice member) {
	serial_put_string(context, member);
}

void set__save(struct serial_writer *w, const struct value *value) {
	if (value->encoding == SET_INTS) {
		serial_put_string(w, slice_of(value->data, value_flat_bytes(value)));
		return;
	}
	serial_put_length(w, set_count(value));
	set_each(value, put_member, w);
}

static bool load_members(struct serial_reader *r, const struct type_limits *limits, struct value *value) {
	struct serial_text member = { 0 };
	size_t count;
	bool ok = serial_get_count(r, 1, &count) && count > 0;
	*value = value_new(VALUE_SET);
	for (; ok && count > 0; count--) {
		size_t added = 0;
		ok = serial_get_string(r, &member) && set_add(value, &member.bytes, 1, limits, &added) && added == 1;
	}
	serial_text_release(&member);
	if (!ok) value_release(value);
	return ok;
}

static bool load_flat(struct serial_reader *r, unsigned kind, const struct type_limits *limits, struct value *value) {
	struct serial_text text = { 0 };
	bool ok = serial_get_string(r, &text) && (kind == SERIAL_SET_INTSET ? set_from_intset(text.bytes, limits, value)
									    : set_from_pack(text.bytes, limits, value));
	serial_text_release(&text);
	if (!ok || set_count(value) > 0) return ok;
	value_release(value);
	return false;
}

bool set__load(struct serial_reader *r, unsigned kind, const struct type_limits *limits, struct value *value) {
	return kind == SERIAL_SET ? load_members(r, limits, value) : load_flat(r, kind, limits, value);
}
