#include "server/call.h"

#include <ctype.h>

#include "base/hash.h"
#include "settings/config.h"
#include "server/server.h"

/* Handlers mostly ask for their keys in the order in which they were collected. */
struct key call_key(struct call *c, unsigned arg) {
	struct slice name = c->argv[arg];
	for (unsigned tried = 0; tried < c->_key_count; tried++) {
		const struct call_key_slot *slot = &c->_keys[c->_key_next];
		c->_key_next = c->_key_next + 1 < c->_key_count ? c->_key_next + 1 : 0;
		if (slot->arg == arg) return (struct key){ name.ptr, name.len, slot->hash };
	}
	return key_of(name);
}

unsigned call_row(struct call *c, unsigned arg, struct slice *args, unsigned max) {
	struct worker *w = c->worker;
	if (!c->_item || c->_key_count != 1) return 0;
	unsigned at = (unsigned)(c->_item - w->batch), count = 0;
	if (at < w->row_end) return 0;
	for (; at < w->batch_count && count < max; at++) {
		const struct batch_item *item = &w->batch[at];
		if (item->key_count != 1 || w->key_slots[item->first_key].hash != c->_keys[0].hash) break;
		if (arg >= item->request.argc) break;
		args[count++] = item->request.argv[arg];
	}
	w->row_end = at;
	return count;
}

bool call_int(struct call *c, unsigned arg, int64_t *value, const char *error) {
	if (number_parse_i64(c->argv[arg], value)) return true;
	reply_error(c->reply, error ? error : ERR_NOT_INTEGER);
	return false;
}

bool call_int32(struct call *c, unsigned arg, int64_t *value, const char *error) {
	if (!call_int(c, arg, value, error)) return false;
	if (*value >= INT32_MIN && *value <= INT32_MAX) return true;
	reply_error(c->reply, error ? error : ERR_NOT_INT32);
	return false;
}

bool call_read_string(struct call *c, const struct key *key, struct slice *value, char *scratch) {
	const struct entry *e = store_find(c->view, key);
	*value = slice_of(NULL, 0);
	if (!e) return true;
	if (entry_type(e) != VALUE_STRING) {
		reply_error(c->reply, ERR_WRONGTYPE);
		return false;
	}
	*value = entry_string(e, scratch);
	/* An empty value is not a missing one: its pointer is set. */
	if (!value->ptr) value->ptr = "";
	return true;
}

bool call_write_string(struct call *c, const struct key *key, struct entry **e) {
	*e = store_find_write(c->view, key);
	if (!*e || entry_type(*e) == VALUE_STRING) return true;
	reply_error(c->reply, ERR_WRONGTYPE);
	return false;
}

bool call_read_value(struct call *c, const struct key *key, enum value_type type, struct value *value) {
	const struct entry *e = store_find(c->view, key);
	*value = (struct value){ 0 };
	if (!e) return true;
	if (entry_type(e) != type) {
		reply_error(c->reply, ERR_WRONGTYPE);
		return false;
	}
	*value = entry_value(e);
	return true;
}

/* The entry is missing or of that type; the error is written when not. */
static bool check_type(struct call *c, const struct entry *e, enum value_type type) {
	if (!e || entry_type(e) == type) return true;
	reply_error(c->reply, ERR_WRONGTYPE);
	return false;
}

bool call_write_value(struct call *c, const struct key *key, enum value_type type, struct entry **e) {
	*e = store_find_write(c->view, key);
	return check_type(c, *e, type);
}

bool call_read_write_value(struct call *c, const struct key *key, enum value_type type, struct entry **e) {
	*e = store_find_read_write(c->view, key);
	return check_type(c, *e, type);
}

bool call_write_first(
	struct call *c, enum value_type type, unsigned first, unsigned count, struct key *key, struct entry **e) {
	*e = NULL;
	for (unsigned i = 0; i < count && !*e; i++) {
		*key = call_key(c, first + i);
		if (!call_write_value(c, key, type, e)) return false;
	}
	return true;
}

const char *call_name(const struct call *c) {
	return c->command->full_name;
}

const char *call_upper_name(const struct command *cmd) {
	static _Thread_local char upper[32];
	const char *name = cmd->parent ? cmd->parent->name : cmd->name;
	size_t i = 0;
	for (; name[i] && i < sizeof(upper) - 1; i++) upper[i] = (char)toupper((unsigned char)name[i]);
	upper[i] = '\0';
	return upper;
}

uint64_t call_max_string(const struct call *c) {
	return worker_config(c->worker)->values.proto_max_bulk_len;
}
