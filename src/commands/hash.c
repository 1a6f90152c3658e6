/* Hashes: setting, asking, removing, walking. */
#include "commands/generated/command_handlers.h"

#include "commands/args.h"
#include "types/hash.h"

/* Fetches what this call and those behind it will touch of a big hash. */
static void fetch_row(struct call *c, const struct value *h) {
	struct slice fields[HASH_PREFETCH_MAX];
	if (!h->data || hash_is_flat(h)) return;
	hash_prefetch(h, fields, call_row(c, 2, fields, HASH_PREFETCH_MAX), 1);
}

/* ---- Setting ---- */

/* HSET and HMSET: the fields that are new; false, error written. */
static bool set_fields(struct call *c, size_t *added) {
	if (c->argc % 2 != 0) {
		reply_errorf(c->reply, "ERR wrong number of arguments for '%s' command", call_name(c));
		return false;
	}
	struct key key = call_key(c, 1);
	struct entry *e;
	if (!call_write_value(c, &key, VALUE_HASH, &e)) return false;
	const struct type_limits *limits = store_limits(c->view);
	struct edit edit;
	store_open(c->view, &key, e, VALUE_HASH, &edit);
	hash_expect(&edit.value, (c->argc - 2) / 2, limits);
	fetch_row(c, &edit.value);
	enum hash_set_result result = HASH_CHANGED;
	size_t set = 0;
	for (unsigned arg = 2; arg < c->argc; arg += 2, set++) {
		if (set % HASH_PREFETCH_MAX == 0) hash_prefetch(&edit.value, c->argv + arg, (c->argc - arg) / 2, 2);
		result = hash_set(&edit.value, c->argv[arg], c->argv[arg + 1], HASH_NO_END, c->view->now_ms, limits);
		if (result == HASH_NO_MEMORY) break;
		*added += result == HASH_ADDED;
	}
	(void)store_close(c->view, &key, &edit);
	if (set > 0) store_committed_many(c->view, &key, EVENT_HASH, "hset", set);
	if (result != HASH_NO_MEMORY) return true;
	reply_error(c->reply, ERR_NO_MEMORY);
	return false;
}

void cmd_hset(struct call *c) {
	size_t added = 0;
	if (set_fields(c, &added)) reply_int(c->reply, (int64_t)added);
}

void cmd_hmset(struct call *c) {
	size_t added = 0;
	if (set_fields(c, &added)) reply_ok(c->reply);
}

void cmd_hsetnx(struct call *c) {
	struct key key = call_key(c, 1);
	struct entry *e;
	if (!call_write_value(c, &key, VALUE_HASH, &e)) return;
	struct value there = e ? entry_value(e) : (struct value){ 0 };
	if (e && hash_has(&there, c->argv[2], c->view->now_ms)) {
		reply_int(c->reply, 0);
		return;
	}
	struct edit edit;
	store_open(c->view, &key, e, VALUE_HASH, &edit);
	enum hash_set_result result =
		hash_set(&edit.value, c->argv[2], c->argv[3], HASH_NO_END, c->view->now_ms, store_limits(c->view));
	(void)store_close(c->view, &key, &edit);
	if (result == HASH_NO_MEMORY) {
		reply_error(c->reply, ERR_NO_MEMORY);
		return;
	}
	store_committed(c->view, &key, EVENT_HASH, "hset");
	reply_int(c->reply, 1);
}

/* ---- Asking ---- */

/* The value of the field that argument 2 names; ptr is NULL when hash or field are missing. False, error written, when
 * the key holds something else. */
static bool read_field(struct call *c, struct slice *value, char scratch[static PACK_SCRATCH_BYTES]) {
	struct key key = call_key(c, 1);
	struct value h;
	if (!call_read_value(c, &key, VALUE_HASH, &h)) return false;
	fetch_row(c, &h);
	*value = h.data ? hash_get(&h, c->argv[2], c->view->now_ms, scratch) : slice_of(NULL, 0);
	return true;
}

static void reply_field(struct call *c, struct slice value) {
	if (value.ptr)
		reply_slice(c->reply, value);
	else
		reply_null(c->reply);
}

void cmd_hget(struct call *c) {
	char scratch[PACK_SCRATCH_BYTES];
	struct slice value;
	if (read_field(c, &value, scratch)) reply_field(c, value);
}

void cmd_hstrlen(struct call *c) {
	char scratch[PACK_SCRATCH_BYTES];
	struct slice value;
	if (read_field(c, &value, scratch)) reply_int(c->reply, (int64_t)value.len);
}

void cmd_hexists(struct call *c) {
	char scratch[PACK_SCRATCH_BYTES];
	struct slice value;
	if (read_field(c, &value, scratch)) reply_int(c->reply, value.ptr != NULL);
}

void cmd_hmget(struct call *c) {
	struct key key = call_key(c, 1);
	struct value h;
	if (!call_read_value(c, &key, VALUE_HASH, &h)) return;
	reply_array(c->reply, c->argc - 2);
	for (unsigned arg = 2; arg < c->argc; arg++) {
		char scratch[PACK_SCRATCH_BYTES];
		if (h.data && (arg - 2) % HASH_PREFETCH_MAX == 0) hash_prefetch(&h, c->argv + arg, c->argc - arg, 1);
		reply_field(c, h.data ? hash_get(&h, c->argv[arg], c->view->now_ms, scratch) : slice_of(NULL, 0));
	}
}

void cmd_hlen(struct call *c) {
	struct key key = call_key(c, 1);
	struct value h;
	if (!call_read_value(c, &key, VALUE_HASH, &h)) return;
	reply_int(c->reply, h.data ? (int64_t)hash_live_count(&h, c->view->now_ms) : 0);
}

/* ---- All of them ---- */

static void reply_both(void *context, struct slice field, struct slice value) {
	reply_slice(context, field);
	reply_slice(context, value);
}

static void reply_name(void *context, struct slice field, struct slice value) {
	(void)value;
	reply_slice(context, field);
}

static void reply_value(void *context, struct slice field, struct slice value) {
	(void)field;
	reply_slice(context, value);
}

static void reply_all(struct call *c, hash_visit_fn *visit) {
	struct key key = call_key(c, 1);
	struct value h;
	if (!call_read_value(c, &key, VALUE_HASH, &h)) return;
	size_t count = h.data ? hash_live_count(&h, c->view->now_ms) : 0;
	if (visit == reply_both)
		reply_map(c->reply, count);
	else
		reply_array(c->reply, count);
	if (h.data) hash_each(&h, c->view->now_ms, visit, c->reply);
}

void cmd_hgetall(struct call *c) {
	reply_all(c, reply_both);
}

void cmd_hkeys(struct call *c) {
	reply_all(c, reply_name);
}

void cmd_hvals(struct call *c) {
	reply_all(c, reply_value);
}

/* ---- Removing ---- */

void cmd_hdel(struct call *c) {
	struct key key = call_key(c, 1);
	struct entry *e;
	if (!call_write_value(c, &key, VALUE_HASH, &e)) return;
	size_t removed = 0;
	if (e) {
		struct edit edit;
		store_open(c->view, &key, e, VALUE_HASH, &edit);
		fetch_row(c, &edit.value);
		for (unsigned arg = 2; arg < c->argc; arg++)
			removed += hash_remove(&edit.value, c->argv[arg], c->view->now_ms);
		bool there = store_close(c->view, &key, &edit);
		if (removed > 0) store_committed_many(c->view, &key, EVENT_HASH, "hdel", removed);
		if (!there) store_event(c->view, &key, EVENT_GENERIC, "del");
	}
	reply_int(c->reply, (int64_t)removed);
}

/* ---- HSCAN ---- */

struct scan {
	const struct scan_options *options;
	struct reply *reply;
	struct buffer found; /* struct slice: what to reply, when it can wait */
	size_t visited, replied;
};

static void scan_directly(void *context, struct slice field, struct slice value) {
	struct scan *s = context;
	if (!args_scan_wants(s->options, field)) return;
	reply_slice(s->reply, field);
	if (!s->options->no_values) reply_slice(s->reply, value);
	s->replied += s->options->no_values ? 1 : 2;
}

/* Of a table; its texts stay where they are until the command is done. */
static void scan_and_keep(void *context, struct slice field, struct slice value) {
	struct scan *s = context;
	s->visited++;
	if (!args_scan_wants(s->options, field)) return;
	buffer_append(&s->found, &field, sizeof(field));
	if (!s->options->no_values) buffer_append(&s->found, &value, sizeof(value));
}

static void scan_flat(struct call *c, const struct value *h, struct scan *s) {
	args_scan_reply(c, 0);
	size_t begin = reply_begin(c->reply);
	(void)hash_scan(h, 0, c->view->now_ms, scan_directly, s);
	reply_end(c->reply, begin, REPLY_ARRAY, s->replied);
}

static void scan_table(struct call *c, const struct value *h, uint64_t cursor, struct scan *s) {
	/* A table of which much has ended, or that is sparse, is not walked at once for a few fields. */
	size_t steps = s->options->count > SIZE_MAX / 10 ? SIZE_MAX : s->options->count * 10;
	do {
		cursor = hash_scan(h, cursor, c->view->now_ms, scan_and_keep, s);
	} while (cursor && s->visited < s->options->count && --steps > 0);
	args_scan_reply(c, cursor);
	size_t count = s->found.len / sizeof(struct slice);
	const struct slice *texts = (const struct slice *)(const void *)s->found.data;
	reply_array(c->reply, count);
	for (size_t i = 0; i < count; i++) reply_slice(c->reply, texts[i]);
	buffer_release(&s->found);
}

void cmd_hscan(struct call *c) {
	uint64_t cursor;
	if (!args_cursor(c, 2, &cursor)) return;
	struct key key = call_key(c, 1);
	struct value h;
	if (!call_read_value(c, &key, VALUE_HASH, &h)) return;
	if (!h.data) {
		args_scan_reply(c, 0);
		reply_array(c->reply, 0);
		return;
	}
	struct scan_options options;
	if (!args_scan_options(c, 3, SCAN_TAKES_NOVALUES, &options)) return;
	struct scan s = { .options = &options, .reply = c->reply };
	if (hash_is_flat(&h))
		scan_flat(c, &h, &s);
	else
		scan_table(c, &h, cursor, &s);
}
