/* DUMP and RESTORE: a value as bytes, and back.
 *
 * A payload is an object of an RDB file with a footer:
 *
 *   size  meaning
 *   1     which kind of object (types/value_serial.h)
 *   n     the object
 *   2     RDB version, low byte first
 *   8     CRC-64 of all before it, low byte first
 *
 * "hello" is 00, 05 68 65 6c 6c 6f, 0a 00, and the sum. */
#include "commands/dump.h"

#include "base/crc64.h"
#include "commands/args.h"
#include "commands/generated/command_handlers.h"
#include "server/server.h"
#include "store/entry_serial.h"

enum {
	VERSION_BYTES = 2,
	SUM_BYTES = DUMP_FOOTER_BYTES - VERSION_BYTES,
	VERSION_MAX = 12, /* of Redis 8 */
};

/* ---- DUMP ---- */

void dump_put_footer(struct buffer *payload, unsigned version) {
	unsigned char footer[DUMP_FOOTER_BYTES] = { (unsigned char)version, (unsigned char)(version >> 8) };
	uint64_t sum = crc64(crc64(0, payload->data, payload->len), footer, VERSION_BYTES);
	for (unsigned i = 0; i < SUM_BYTES; i++) footer[VERSION_BYTES + i] = (unsigned char)(sum >> (8 * i));
	buffer_append(payload, footer, sizeof(footer));
}

void cmd_dump(struct call *c) {
	struct key key = call_key(c, 1);
	const struct entry *e = store_find(c->view, &key);
	if (!e) {
		reply_null(c->reply);
		return;
	}
	struct buffer payload = { 0 };
	/* Nothing is longer saved than held, or not by much. Then it goes to the reply, a second time. */
	if (!buffer_try_reserve(&payload, entry_memory(e)) || !buffer_try_reserve(c->reply->out, entry_memory(e))) {
		buffer_release(&payload);
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	struct serial_writer w = { &payload, c->worker->server->config->values.rdbcompression ? SERIAL_COMPRESS : 0 };
	serial_put_byte(&w, (uint8_t)entry_serial_kind(e));
	entry_save(&w, e);
	dump_put_footer(&payload, entry_serial_version(e));
	reply_slice(c->reply, buffer_slice(&payload));
	buffer_release(&payload);
}

/* ---- RESTORE ---- */

struct restore_options {
	bool replace;
	bool absolute;     /* the TTL is a time */
	int64_t idle;      /* seconds; -1: not given */
	int64_t frequency; /* -1: not given */
};

static bool read_options(struct call *c, struct restore_options *o) {
	*o = (struct restore_options){ .idle = -1, .frequency = -1 };
	for (unsigned arg = 4; arg < c->argc; arg++) {
		bool more = arg + 1 < c->argc;
		if (call_word(c, arg, "replace")) {
			o->replace = true;
		} else if (call_word(c, arg, "absttl")) {
			o->absolute = true;
		} else if (call_word(c, arg, "idletime") && more && o->frequency < 0) {
			if (!call_int(c, ++arg, &o->idle, NULL)) return false;
			if (o->idle >= 0) continue;
			reply_error(c->reply, "ERR Invalid IDLETIME value, must be >= 0");
			return false;
		} else if (call_word(c, arg, "freq") && more && o->idle < 0) {
			if (!call_int(c, ++arg, &o->frequency, NULL)) return false;
			if (o->frequency >= 0 && o->frequency <= UINT8_MAX) continue;
			reply_error(c->reply, "ERR Invalid FREQ value, must be >= 0 and <= 255");
			return false;
		} else {
			call_syntax_error(c);
			return false;
		}
	}
	return true;
}

/* Argument 2 as store_put_… wants it. */
static bool read_expiry(struct call *c, const struct restore_options *o, int64_t *expiry_ms) {
	int64_t ttl;
	if (!call_int(c, 2, &ttl, NULL)) return false;
	if (ttl < 0) {
		reply_error(c->reply, "ERR Invalid TTL value, must be >= 0");
		return false;
	}
	*expiry_ms = EXPIRY_NONE;
	if (ttl == 0) return true;
	*expiry_ms = ttl;
	if (o->absolute || !__builtin_add_overflow(ttl, c->view->now_ms, expiry_ms)) return true;
	reply_errorf(c->reply, ERR_INVALID_EXPIRE_FMT, call_name(c));
	return false;
}

bool dump_has_good_footer(struct slice payload) {
	if (payload.len < DUMP_FOOTER_BYTES) return false;
	size_t len = payload.len - SUM_BYTES;
	const unsigned char *sum = (const unsigned char *)payload.ptr + len, *version = sum - VERSION_BYTES;
	if ((version[0] | version[1] << 8) > VERSION_MAX) return false;
	uint64_t said = 0;
	for (unsigned i = 0; i < SUM_BYTES; i++) said |= (uint64_t)sum[i] << (8 * i);
	return crc64(0, payload.ptr, len) == said;
}

/* What a payload turned out to be. */
struct restored {
	unsigned kind;
	struct serial_text text; /* SERIAL_STRING */
	struct value value;      /* others */
};

static void release(struct restored *restored) {
	serial_text_release(&restored->text);
	value_release(&restored->value);
}

static bool load(struct call *c, struct slice payload, struct restored *restored) {
	struct serial_reader r = serial_reader_of(slice_of(payload.ptr, payload.len - DUMP_FOOTER_BYTES));
	uint8_t kind;
	*restored = (struct restored){ 0 };
	if (!serial_get_byte(&r, &kind)) return false;
	restored->kind = kind;
	bool ok = kind == SERIAL_STRING ? serial_get_string(&r, &restored->text)
					: value_load(&r, kind, store_limits(c->view), &restored->value);
	if (!ok) restored->value.data = NULL;
	if (ok && serial_left(&r) == 0) return true;
	release(restored);
	return false;
}

/* It counts as new, also where it replaced another. */
static void set_access(struct call *c, const struct key *key, const struct restore_options *o) {
	struct entry *e = store_find_write(c->view, key);
	if (!e) return; /* a hash of which every field had ended */
	store_set_idle(c->view, e, o->idle >= 0 ? o->idle : 0);
	store_set_frequency(c->view, e, o->frequency >= 0 ? (unsigned)o->frequency : STORE_FREQUENCY_NEW);
}

/* Puts it under the key in place of `e`; false, nothing changed, without memory. */
static bool put(struct call *c, const struct key *key, struct entry *e, struct restored *restored, int64_t expiry_ms) {
	if (restored->kind == SERIAL_STRING)
		return store_put_string(c->view, key, e, restored->text.bytes, expiry_ms) != NULL;
	store_put_value(c->view, key, e, &restored->value, expiry_ms);
	restored->value.data = NULL;
	return true;
}

/* What was read takes the place of `e`, or, when it has ended already, nothing does. In Redis the old key goes before the
 * new one comes. */
static void replace(struct call *c, const struct key *key, struct entry *e, const struct restore_options *o,
	struct restored *restored, int64_t expiry_ms) {
	bool replaces = e != NULL;
	enum value_type was = replaces ? entry_type(e) : VALUE_TYPES;
	if (expiry_ms != EXPIRY_NONE && args_expiry_is_past(c, expiry_ms)) {
		if (e) {
			store_remove(c->view, key, e);
			store_committed(c->view, key, EVENT_GENERIC, "del");
		}
	} else if (put(c, key, e, restored, expiry_ms)) {
		if (replaces) store_event(c->view, key, EVENT_NEW, "new");
		store_committed(c->view, key, EVENT_GENERIC, "restore");
		if (replaces) store_overwritten(c->view, key, was);
		set_access(c, key, o);
	} else {
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	reply_ok(c->reply);
}

void cmd_restore(struct call *c) {
	struct restore_options o;
	if (!read_options(c, &o)) return;
	struct key key = call_key(c, 1);
	struct entry *e = store_find_write(c->view, &key);
	int64_t expiry_ms;
	struct restored restored;
	if (e && !o.replace) {
		reply_error(c->reply, "BUSYKEY Target key name already exists.");
	} else if (!read_expiry(c, &o, &expiry_ms)) {
		return;
	} else if (!dump_has_good_footer(c->argv[3])) {
		reply_error(c->reply, "ERR DUMP payload version or checksum are wrong");
	} else if (!load(c, c->argv[3], &restored)) {
		reply_error(c->reply, "ERR Bad data format");
	} else {
		replace(c, &key, e, &o, &restored, expiry_ms);
		release(&restored);
	}
}
