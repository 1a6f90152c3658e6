#include "types/value_serial.h"

#include <assert.h>

#include "types/old_forms.h"
#include "types/value_serial_private.h"

static const struct {
	value__kind_fn *kind;
	value__save_fn *save;
} savers[VALUE_TYPES] = {
	[VALUE_LIST] = { list__serial_kind, list__save },
	[VALUE_SET] = { set__serial_kind, set__save },
	[VALUE_ZSET] = { zset__serial_kind, zset__save },
	[VALUE_HASH] = { hash__serial_kind, hash__save },
	[VALUE_STREAM] = { stream__serial_kind, stream__save },
};

enum serial_kind value_serial_kind(const struct value *value) {
	assert(savers[value->type].kind); /* strings are no collections */
	return savers[value->type].kind(value);
}

unsigned value_serial_version(const struct value *value) {
	enum { READ_BY_7_0 = 10, READ_BY_7_4 = 12 };
	return value_serial_kind(value) <= SERIAL_STREAM_7_0 ? READ_BY_7_0 : READ_BY_7_4;
}

void value_save(struct serial_writer *w, const struct value *value) {
	savers[value->type].save(w, value);
}

/* Who loads which kind; NULL: nobody. */
static value__load_fn *const loaders[] = {
	[SERIAL_LIST] = list__load,
	[SERIAL_SET] = set__load,
	[SERIAL_ZSET_OLD] = zset__load,
	[SERIAL_HASH] = hash__load,
	[SERIAL_ZSET] = zset__load,
	[SERIAL_HASH_ZIPMAP] = hash__load,
	[SERIAL_LIST_ZIPLIST] = list__load,
	[SERIAL_SET_INTSET] = set__load,
	[SERIAL_ZSET_ZIPLIST] = zset__load,
	[SERIAL_HASH_ZIPLIST] = hash__load,
	[SERIAL_LIST_ZIPLISTS] = list__load,
	[SERIAL_STREAM_5_0] = stream__load,
	[SERIAL_HASH_PACK] = hash__load,
	[SERIAL_ZSET_PACK] = zset__load,
	[SERIAL_LIST_PACKS] = list__load,
	[SERIAL_STREAM_7_0] = stream__load,
	[SERIAL_SET_PACK] = set__load,
	[SERIAL_STREAM_7_2] = stream__load,
	[SERIAL_HASH_ENDS_RC] = hash__load,
	[SERIAL_HASH_PACK_ENDS_RC] = hash__load,
	[SERIAL_HASH_ENDS] = hash__load,
	[SERIAL_HASH_PACK_ENDS] = hash__load,
};

bool value_load(struct serial_reader *r, unsigned kind, const struct type_limits *limits, struct value *value) {
	if (kind >= sizeof(loaders) / sizeof(loaders[0]) || !loaders[kind]) return false;
	return loaders[kind](r, kind, limits, value);
}

struct pack *value__get_pack(struct serial_reader *r, enum value__flat form) {
	struct serial_text text = { 0 };
	struct pack *pack = NULL;
	if (serial_get_string(r, &text)) {
		switch (form) {
		case VALUE__PACK:
			if (pack_validate(text.bytes.ptr, text.bytes.len, PACK_DEEP))
				pack = pack_from_bytes(text.bytes);
			break;
		case VALUE__ZIPLIST: pack = pack_from_ziplist(text.bytes); break;
		case VALUE__ZIPMAP: pack = pack_from_zipmap(text.bytes); break;
		}
	}
	serial_text_release(&text);
	return pack;
}
