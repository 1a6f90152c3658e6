/* Keys of any type: DEL, EXISTS, TYPE, RENAME, COPY, MOVE, TOUCH, OBJECT … */
#include "commands/generated/command_handlers.h"
#include "commands/args.h"
#include "server/server.h"

/* ---- Removing and counting ---- */

static void remove_all(struct call *c) {
	int64_t removed = 0;
	for (unsigned i = 1; i < c->argc; i++) {
		struct key key = call_key(c, i);
		struct entry *e = store_find_write(c->view, &key);
		if (!e) continue;
		store_remove(c->view, &key, e);
		store_committed(c->view, &key, EVENT_GENERIC, "del");
		removed++;
	}
	reply_int(c->reply, removed);
}

void cmd_del(struct call *c) {
	remove_all(c);
}

/* The value is unlinked at once and a big one freed in the background, for DEL as well. */
void cmd_unlink(struct call *c) {
	remove_all(c);
}

void cmd_exists(struct call *c) {
	int64_t found = 0;
	for (unsigned i = 1; i < c->argc; i++) {
		struct key key = call_key(c, i);
		struct view quiet = *c->view;
		quiet.flags |= VIEW_NO_TOUCH;
		found += store_find(&quiet, &key) != NULL;
	}
	reply_int(c->reply, found);
}

void cmd_touch(struct call *c) {
	int64_t found = 0;
	for (unsigned i = 1; i < c->argc; i++) {
		struct key key = call_key(c, i);
		found += store_find(c->view, &key) != NULL;
	}
	reply_int(c->reply, found);
}

void cmd_type(struct call *c) {
	struct key key = call_key(c, 1);
	struct view quiet = *c->view;
	quiet.flags |= VIEW_NO_TOUCH;
	const struct entry *e = store_find(&quiet, &key);
	reply_status(c->reply, e ? value_type_name(entry_type(e)) : "none");
}

/* ---- Renaming ---- */

static void no_memory(struct call *c) {
	reply_error(c->reply, ERR_NO_MEMORY);
}

/* False, answered, when there is nothing to rename or nothing to do. */
static bool rename_key(struct call *c, bool only_new) {
	struct key from = call_key(c, 1), to = call_key(c, 2);
	struct entry *e = store_find_write(c->view, &from);
	if (!e) {
		reply_error(c->reply, ERR_NO_KEY);
		return false;
	}
	struct entry *there = store_find_write(c->view, &to);
	if (only_new && there) {
		reply_int(c->reply, 0);
		return false;
	}
	if (there == e) return true;
	bool replaces = there != NULL;
	enum value_type was = replaces ? entry_type(there) : VALUE_TYPES;
	if (!store_move(c->view, &from, e, c->view, &to, there)) {
		no_memory(c);
		return false;
	}
	store_event(c->view, &from, EVENT_GENERIC, "rename_from");
	store_committed(c->view, &to, EVENT_GENERIC, "rename_to");
	if (replaces) store_overwritten(c->view, &to, was);
	return true;
}

void cmd_rename(struct call *c) {
	if (rename_key(c, false)) reply_ok(c->reply);
}

void cmd_renamenx(struct call *c) {
	if (rename_key(c, true)) reply_int(c->reply, 1);
}

/* ---- Between databases ---- */

static bool read_db(struct call *c, unsigned arg, unsigned *db, const char *error) {
	int64_t number;
	if (!call_int32(c, arg, &number, error)) return false;
	if (number < 0 || number >= store_db_count(c->view->store)) {
		reply_error(c->reply, ERR_DB_RANGE);
		return false;
	}
	*db = (unsigned)number;
	return true;
}

void cmd_move(struct call *c) {
	struct key key = call_key(c, 1);
	unsigned db;
	if (!read_db(c, 2, &db, NULL)) return;
	if (db == c->view->db_index) {
		reply_error(c->reply, ERR_SAME_OBJECT);
		return;
	}
	struct view to = view_in_db(c->view, db);
	struct entry *e = store_find_write(c->view, &key);
	if (!e || store_find_write(&to, &key)) {
		reply_int(c->reply, 0);
		return;
	}
	if (!store_move(c->view, &key, e, &to, &key, NULL)) {
		no_memory(c);
		return;
	}
	if (to.earliest_ms < c->view->earliest_ms) c->view->earliest_ms = to.earliest_ms;
	store_event(c->view, &key, EVENT_GENERIC, "move_from");
	store_committed(&to, &key, EVENT_GENERIC, "move_to");
	reply_int(c->reply, 1);
}

struct copy_options {
	unsigned db;
	bool replace;
};

static bool read_copy_options(struct call *c, struct copy_options *options) {
	*options = (struct copy_options){ c->view->db_index, false };
	for (unsigned i = 3; i < c->argc; i++) {
		if (call_word(c, i, "replace")) {
			options->replace = true;
		} else if (call_word(c, i, "db") && i + 1 < c->argc) {
			if (!read_db(c, ++i, &options->db, NULL)) return false;
		} else {
			call_syntax_error(c);
			return false;
		}
	}
	return true;
}

void cmd_copy(struct call *c) {
	struct copy_options options;
	if (!read_copy_options(c, &options)) return;
	struct key from = call_key(c, 1), to = call_key(c, 2);
	if (options.db == c->view->db_index && slice_equal(key_slice(&from), key_slice(&to))) {
		reply_error(c->reply, ERR_SAME_OBJECT);
		return;
	}
	const struct entry *e = store_find(c->view, &from);
	if (!e) {
		reply_int(c->reply, 0);
		return;
	}
	struct view target = view_in_db(c->view, options.db);
	struct entry *there = store_find_write(&target, &to);
	if (there && !options.replace) {
		reply_int(c->reply, 0);
		return;
	}
	bool replaces = there != NULL;
	enum value_type was = replaces ? entry_type(there) : VALUE_TYPES;
	if (!store_copy(e, &target, &to, there)) {
		no_memory(c);
		return;
	}
	if (target.earliest_ms < c->view->earliest_ms) c->view->earliest_ms = target.earliest_ms;
	store_committed(&target, &to, EVENT_GENERIC, "copy_to");
	if (replaces) store_overwritten(&target, &to, was);
	reply_int(c->reply, 1);
}

/* ---- OBJECT ---- */

/* The entry, neither touched nor missed aloud, but counted as a hit or miss; NULL, answered, when it is missing. */
static const struct entry *peek_object(struct call *c) {
	struct key key = call_key(c, 2);
	const struct entry *e = store_peek(c->view, &key);
	if (e) {
		STAT_ADD(c->view->stats->keyspace_hits, 1);
		return e;
	}
	STAT_ADD(c->view->stats->keyspace_misses, 1);
	reply_null(c->reply);
	return NULL;
}

void cmd_object_encoding(struct call *c) {
	const struct entry *e = peek_object(c);
	if (e) reply_cstr(c->reply, entry_encoding_name(e));
}

/* Nothing is shared here; Redis's shared small integers say 2147483647, which tells a user as little. */
void cmd_object_refcount(struct call *c) {
	if (peek_object(c)) reply_int(c->reply, 1);
}

void cmd_object_idletime(struct call *c) {
	const struct entry *e = peek_object(c);
	if (!e) return;
	if (store_policy(c->view->store)->lfu) {
		reply_error(c->reply, "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note "
				      "that when switching "
				      "between policies at runtime LRU and LFU data will take some time to adjust.");
		return;
	}
	reply_int(c->reply, entry_idle_seconds(e, c->view->now_ms));
}

void cmd_object_freq(struct call *c) {
	const struct entry *e = peek_object(c);
	if (!e) return;
	if (!store_policy(c->view->store)->lfu) {
		reply_error(c->reply,
			"ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
			"when "
			"switching between policies at runtime LRU and LFU data will take some time to adjust.");
		return;
	}
	reply_int(c->reply, entry_frequency(c->view->store, e, c->view->now_ms));
}

void cmd_object_help(struct call *c) {
	static const char *const lines[] = {
		"ENCODING <key>",
		"    The form in which the value of <key> is held.",
		"FREQ <key>",
		"    The access frequency of <key>: the logarithmic counter of an LFU policy.",
		"IDLETIME <key>",
		"    Seconds since <key> was last used.",
		"REFCOUNT <key>",
		"    How many references the value of <key> has.",
		NULL,
	};
	reply_help(c->reply, "OBJECT", lines);
}
