/* The keyspace as a whole: KEYS, SCAN, RANDOMKEY, DBSIZE, FLUSHDB, FLUSHALL, SWAPDB. */
#include "base/glob.h"
#include "commands/generated/command_handlers.h"
#include "commands/args.h"
#include "store/keyspace.h"

/* ---- KEYS ---- */

struct listing {
	struct call *call;
	struct slice pattern;
	bool everything;
	size_t count;
};

static void list_key(void *context, const struct entry *e) {
	struct listing *l = context;
	struct slice name = entry_key(e);
	if (!l->everything && !glob_match(l->pattern, name, GLOB_CASE)) return;
	reply_slice(l->call->reply, name);
	l->count++;
}

void cmd_keys(struct call *c) {
	struct listing l = { c, c->argv[1], slice_is(c->argv[1], "*"), 0 };
	size_t begin = reply_begin(c->reply);
	/* A pattern without wildcards names one key: no walk. */
	if (!l.everything && glob_is_literal(l.pattern))
		store_visit_one(c->view, l.pattern, list_key, &l);
	else
		store_for_each(c->view, list_key, &l);
	reply_end(c->reply, begin, REPLY_ARRAY, l.count);
}

/* ---- SCAN ---- */

struct scan {
	struct slice pattern; /* ptr NULL: none */
	struct slice type;    /* the same */
	size_t count;
	struct buffer names; /* u32 length, bytes */
	size_t found;
};

static void scan_key(void *context, const struct entry *e) {
	struct scan *s = context;
	struct slice name = entry_key(e);
	if (s->pattern.ptr && !glob_match(s->pattern, name, GLOB_CASE)) return;
	if (s->type.ptr && !slice_is(s->type, value_type_name(entry_type(e)))) return;
	uint32_t len = (uint32_t)name.len;
	buffer_append(&s->names, &len, sizeof(len));
	buffer_append_slice(&s->names, name);
	s->found++;
}

static bool read_scan_options(struct call *c, struct scan *s) {
	s->count = 10;
	for (unsigned i = 2; i < c->argc; i += 2) {
		if (call_word(c, i, "novalues")) {
			reply_error(c->reply, ERR_NOVALUES);
			return false;
		}
		if (i + 1 >= c->argc) {
			call_syntax_error(c);
			return false;
		}
		if (call_word(c, i, "count")) {
			int64_t count;
			if (!call_int(c, i + 1, &count, NULL)) return false;
			if (count < 1) {
				call_syntax_error(c);
				return false;
			}
			s->count = (size_t)count;
		} else if (call_word(c, i, "match")) {
			s->pattern = c->argv[i + 1];
			if (slice_equal(s->pattern, SLICE_LITERAL("*"))) s->pattern.ptr = NULL;
		} else if (call_word(c, i, "type")) {
			s->type = c->argv[i + 1];
		} else {
			call_syntax_error(c);
			return false;
		}
	}
	return true;
}

void cmd_scan(struct call *c) {
	uint64_t cursor;
	struct scan s = { 0 };
	if (!args_cursor(c, 1, &cursor)) return;
	if (!read_scan_options(c, &s)) return;
	cursor = store_scan(c->view, cursor, s.count, scan_key, &s);
	char text[NUMBER_I64_MAX_CHARS + 1];
	reply_array(c->reply, 2);
	reply_bulk(c->reply, text, number_format_u64(text, cursor));
	reply_array(c->reply, s.found);
	for (size_t at = 0; at < s.names.len;) {
		uint32_t len;
		memcpy(&len, s.names.data + at, sizeof(len));
		reply_bulk(c->reply, s.names.data + at + sizeof(len), len);
		at += sizeof(len) + len;
	}
	buffer_release(&s.names);
}

/* ---- The others ---- */

void cmd_randomkey(struct call *c) {
	struct buffer name = { 0 };
	if (store_random_key(c->view, &name))
		reply_slice(c->reply, buffer_slice(&name));
	else
		reply_null(c->reply);
	buffer_release(&name);
}

void cmd_dbsize(struct call *c) {
	reply_int(c->reply, (int64_t)store_db_size(c->view));
}

/* SYNC and ASYNC are both accepted; the memory is always given back by the helper thread, since nobody should wait for
 * it under the world. */
static void flush(struct call *c, int db_index) {
	if (c->argc > 2 || (c->argc == 2 && !call_word(c, 1, "sync") && !call_word(c, 1, "async"))) {
		call_syntax_error(c);
		return;
	}
	size_t keys = store_flush(c->view->store, db_index, STORE_FLUSH_LAZILY);
	STAT_ADD(c->view->stats->changes, keys);
	reply_ok(c->reply);
}

void cmd_flushdb(struct call *c) {
	flush(c, (int)c->view->db_index);
}

void cmd_flushall(struct call *c) {
	flush(c, -1);
}

void cmd_swapdb(struct call *c) {
	int64_t a, b;
	if (!call_int32(c, 1, &a, "ERR invalid first DB index")) return;
	if (!call_int32(c, 2, &b, "ERR invalid second DB index")) return;
	int64_t count = store_db_count(c->view->store);
	if (a < 0 || b < 0 || a >= count || b >= count) {
		reply_error(c->reply, ERR_DB_RANGE);
		return;
	}
	if (a != b) {
		uint64_t bits = store_db_bit((unsigned)a) | store_db_bit((unsigned)b);
		STAT_SET(c->view->stats->databases, c->view->stats->databases | bits);
		store_swap_dbs(c->view->store, (unsigned)a, (unsigned)b);
	}
	STAT_ADD(c->view->stats->changes, 1);
	reply_ok(c->reply);
}
