#include "types/list_private.h"
#include "types/value_serial_private.h"

enum { NODE_PLAIN = 1, NODE_PACK = 2 };

enum serial_kind list__serial_kind(const struct value *value) {
	(void)value;
	return SERIAL_LIST_PACKS;
}

/* ---- Saving ---- */

static void save_pack(struct serial_writer *w, const struct pack *pack) {
	serial_put_length(w, NODE_PACK);
	serial_put_string(w, pack_raw(pack));
}

/* An element with an allocation of its own. Redis holds it in a pack, as long as that has room for it. */
static void save_plain(struct serial_writer *w, struct slice element) {
	struct pack *pack = pack_new();
	if (pack_fits(pack, element.len, 1)) {
		pack_append(&pack, element);
		save_pack(w, pack);
	} else {
		serial_put_length(w, NODE_PLAIN);
		serial_put_length(w, element.len);
		serial_put_raw(w, element.ptr, element.len);
	}
	pack_free(pack);
}

static void save_record(void *context, const void *bytes) {
	const struct list__record *record = bytes;
	if (record->is_plain)
		save_plain(context, list__plain_text(record->data));
	else
		save_pack(context, record->data);
}

void list__save(struct serial_writer *w, const struct value *value) {
	if (value->encoding == LIST_PACK) {
		serial_put_length(w, 1);
		save_pack(w, value->data);
	} else {
		const struct list__tree *tree = list__tree_of(value);
		serial_put_length(w, tree_count(&tree->records));
		tree_each(&tree->records, save_record, w);
	}
}

/* ---- Loading ---- */

struct loading {
	struct serial_reader *r;
	const struct type_limits *limits;
	struct value *list;
};

static bool load_element(struct loading *l) {
	struct serial_text text = { 0 };
	bool ok = serial_get_string(l->r, &text) && list_push(l->list, LIST_TAIL, &text.bytes, 1, l->limits);
	serial_text_release(&text);
	return ok;
}

static bool append_pack(struct loading *l, const struct pack *pack) {
	enum { BATCH = 32 };
	char scratch[BATCH][PACK_SCRATCH_BYTES];
	struct slice elements[BATCH];
	bool ok = true;
	for (size_t at = pack_first(pack); at && ok;) {
		size_t count = 0;
		for (; at && count < BATCH; at = pack_next(pack, at), count++)
			elements[count] = pack_text(pack, at, scratch[count]);
		ok = list_push(l->list, LIST_TAIL, elements, count, l->limits);
	}
	return ok;
}

static bool load_pack(struct loading *l, enum value__flat form) {
	struct pack *pack = value__get_pack(l->r, form);
	bool ok = pack && append_pack(l, pack);
	pack_free(pack);
	return ok;
}

static bool load_node(struct loading *l) {
	uint64_t node;
	if (!serial_get_length(l->r, &node)) return false;
	if (node == NODE_PACK) return load_pack(l, VALUE__PACK);
	return node == NODE_PLAIN && load_element(l);
}

static bool load_part(struct loading *l, unsigned kind) {
	switch (kind) {
	case SERIAL_LIST: return load_element(l);
	case SERIAL_LIST_PACKS: return load_node(l);
	default: return load_pack(l, VALUE__ZIPLIST);
	}
}

bool list__load(struct serial_reader *r, unsigned kind, const struct type_limits *limits, struct value *value) {
	struct loading l = { r, limits, value };
	size_t count = 1;
	*value = value_new(VALUE_LIST);
	bool ok = kind == SERIAL_LIST_ZIPLIST || serial_get_count(r, 1, &count);
	for (; ok && count > 0; count--) ok = load_part(&l, kind);
	/* Redis has written empty ziplists among others; only all of them together must be something. */
	if (ok && list_length(value) > 0) return true;
	value_release(value);
	return false;
}
