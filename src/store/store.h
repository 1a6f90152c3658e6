/* The keyspace: the one place where values are found, added, changed and removed.
 *
 * A command reaches values through a `view`: a database as one command sees it, at one instant. All calls here run under
 * a gate that covers the key (its shard, or the world); nothing in them locks, and what they return is valid until the
 * gate is left or the same key is changed, whichever comes first.
 *
 * Whatever has to see changes hangs behind these calls and nowhere else: lazy expiry, the expiry index, access time and
 * frequency, memory accounting, and the seams (hooks) for the journal, the snapshot's pre-image, WATCH, notifications
 * and tracking. The rule for commands: find, change, and say store_committed once per key and event.
 *
 *   struct entry *e = store_find_write(v, &key);      // expired keys are gone by now
 *   if (e && entry_type(e) != VALUE_STRING) → WRONGTYPE
 *   e = store_put_string(v, &key, e, value, expiry);
 *   store_committed(v, &key, EVENT_STRING, "set");
 */
#ifndef TARN_STORE_STORE_H
#define TARN_STORE_STORE_H

#include "base/bytes.h"
#include "store/entry.h"

struct db;
struct gate_member;
struct store;

/* A key and its hash, computed once per command. */
struct key {
	const char *ptr;
	size_t len;
	uint64_t hash;
};

struct key key_of(struct slice name);
static inline struct slice key_slice(const struct key *key) {
	return slice_of(key->ptr, key->len);
}

/* Figures that one worker keeps and INFO adds up. Written by their worker alone, read by others at any time, so each
 * access is a relaxed one (STAT_ADD, STAT_READ). */
struct store_stats {
	uint64_t keyspace_hits;
	uint64_t keyspace_misses;
	uint64_t expired_keys;
	uint64_t expired_fields; /* of hashes */
	uint64_t evicted_keys;
	uint64_t changes;   /* committed changes: Redis's "dirty" */
	uint64_t databases; /* bit d: a key was added to database d since the start; bit 63: to one from 63 on */
};
#define STAT_READ(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define STAT_ADD(field, n) __atomic_store_n(&(field), STAT_READ(field) + (n), __ATOMIC_RELAXED)
#define STAT_SET(field, n) __atomic_store_n(&(field), (n), __ATOMIC_RELAXED)

/* The bit of a database in store_stats.databases. */
static inline uint64_t store_db_bit(unsigned db_index) {
	return (uint64_t)1 << (db_index < 63 ? db_index : 63);
}

enum view_flags {
	VIEW_NO_TOUCH = 1 << 0, /* CLIENT NO-TOUCH: reads leave access time and frequency alone */
	VIEW_KEEP_EXPIRED =
		1 << 1, /* expired keys read as missing but stay, and are there for writing (replica, loading) */
	VIEW_COUNTS_NOTHING = 1 << 2, /* no hits and misses, no touch */
	VIEW_HAS_WORLD = 1 << 3,      /* walks take no shard's gate, since the caller has the world */
};

struct view {
	struct store *store;
	struct db *db;
	unsigned db_index;
	uint32_t flags;      /* enum view_flags */
	int64_t now_ms;      /* wall time; constant during a command, a transaction, a script */
	int64_t earliest_ms; /* lowered by the store to the earliest expiry given through this view */
	struct store_stats *stats;
	void *origin; /* the worker that asks, for the hooks; opaque here */
	struct gate_member
		*member; /* who walks; NULL is fine for views that do not, and with a gate that is not shared */
};

/* Points the view at another database of the same store (COPY … DB, MOVE). The gate of a key name covers that name in
 * all databases. */
struct view view_in_db(const struct view *v, unsigned db_index);
unsigned store_db_count(const struct store *s);

/* ---- Finding ---- */

/* For reading: NULL when the key is missing or expired. Counts a hit or a miss, refreshes access time or frequency. */
const struct entry *store_find(struct view *v, const struct key *key);

/* Without counting and touching (TYPE, TTL, OBJECT, EXISTS in scripts …). */
const struct entry *store_peek(struct view *v, const struct key *key);

/* For writing: an expired key is removed first (with its event), the pre-image handed over where a snapshot wants it.
 * NULL when missing. */
struct entry *store_find_write(struct view *v, const struct key *key);

/* The same for a command that is as much a read: counts a hit or a miss. */
struct entry *store_find_read_write(struct view *v, const struct key *key);

/* ---- Strings ---- */

enum { EXPIRY_NONE = -1, EXPIRY_KEEP = -2 };

/* Sets the key to `value`, whatever it held. `e` is what store_find_write returned (or NULL). Canonical integers are held
 * as such. `expiry_ms`: milliseconds since 1970, EXPIRY_NONE or EXPIRY_KEEP. The bytes are copied. Returns the entry,
 * which may have moved, or NULL, nothing changed, when memory is exhausted. */
struct entry *store_put_string(
	struct view *v, const struct key *key, struct entry *e, struct slice value, int64_t expiry_ms);
/* The same, but what looks like an integer stays text (INCRBYFLOAT). */
struct entry *store_put_text(
	struct view *v, const struct key *key, struct entry *e, struct slice value, int64_t expiry_ms);
/* The same for a number. */
struct entry *store_put_int(struct view *v, const struct key *key, struct entry *e, int64_t value, int64_t expiry_ms);

/* As store_put_string, for a value that does not come from the old one (SET, BITOP): says that it was overwritten. */
struct entry *store_overwrite_string(
	struct view *v, const struct key *key, struct entry *e, struct slice value, int64_t expiry_ms);

/* Makes the string of `e` (or a new, empty one when NULL) editable in place, `len` bytes long; what is new is zero, what
 * is cut is gone. Keeps the expiry. Returns the writable bytes, valid until the next call of the store, or NULL, nothing
 * changed, when memory is exhausted. */
char *store_edit_string(struct view *v, const struct key *key, struct entry *e, size_t len);

/* ---- Collections ----
 * Reading: entry_value(e), and the calls of types/.
 *
 * Changing:
 *   struct edit edit;
 *   store_open(v, &key, e, VALUE_SET, &edit);           // e as store_find_write returned it, of that type, or NULL
 *   added = set_add(&edit.value, member, limits);       // any number of calls of types/ on edit.value
 *   bool there = store_close(v, &key, &edit);           // exactly once
 *   if (added) store_committed(v, &key, EVENT_SET, "sadd");
 *   if (!there) store_committed(v, &key, EVENT_GENERIC, "del");
 *
 * An edit that is open owns the value. Edits of several keys may be open at once, of different keys; no other call that
 * changes one of these keys comes between. Opening and closing costs little, so an edit that turns out to change nothing is
 * fine, but look first (entry_value) where that is cheap: opening copies a small value out of its entry. */

struct edit {
	struct value value; /* the caller changes this */
	/* Private. */
	struct entry *_entry; /* NULL: the key is new */
	size_t _value_bytes;  /* as value_memory counts; 0 when it lay in the entry */
	int64_t _due_ms;
};

/* Begins a change of the value of `e`, or, with NULL, of a new, empty value of that type, which comes to the keyspace
 * when it is closed with something in it. */
void store_open(struct view *v, const struct key *key, struct entry *e, enum value_type type, struct edit *edit);

/* Ends it: the entry gets the value in its new form. An empty one (but a stream) removes the key. Whether the key is
 * there now. A new key has no expiry; an old one keeps its own. */
bool store_close(struct view *v, const struct key *key, struct edit *edit);

/* Sets the key to `value`, whatever it held; takes the data over. `e` is what store_find_write returned (or NULL), its
 * old value is freed. `expiry_ms` as for strings. An empty value (but a stream) removes the key. Whether the key is there
 * now. `value` must not be that of an open edit; a value that was read from `e` itself stays valid until this call. */
bool store_put_value(struct view *v, const struct key *key, struct entry *e, struct value *value, int64_t expiry_ms);
/* The same, and says that the old value was overwritten, unless the key is removed. */
bool store_overwrite_value(
	struct view *v, const struct key *key, struct entry *e, struct value *value, int64_t expiry_ms);

/* The limits of small forms, for the calls of types/. Constant while a command runs. */
const struct type_limits *store_limits(const struct view *v);

/* ---- Values of every type ---- */

/* Removes the key. The value is freed, a big one in the background. */
void store_remove(struct view *v, const struct key *key, struct entry *e);

/* Gives the key an expiry; EXPIRY_NONE takes it away. Returns the entry, which may have moved. */
struct entry *store_set_expiry(struct view *v, const struct key *key, struct entry *e, int64_t expiry_ms);

/* As if the value had last been used so many seconds ago; nothing under an LFU policy. */
void store_set_idle(struct view *v, struct entry *e, int64_t seconds);
/* As if it had that access frequency, from 0 to 255; nothing but under an LFU policy. */
enum { STORE_FREQUENCY_NEW = 5 }; /* of a new key */
void store_set_frequency(struct view *v, struct entry *e, unsigned frequency);

/* Gives the value of `from_key` to `to_key`, in the same or another database, with its expiry; `there`, what `to_key` held
 * (or NULL), is removed. Both keys' gates are held. Both entries were found for writing and are gone after. False, nothing
 * changed, without memory. The keys differ. */
__attribute__((warn_unused_result)) bool store_move(struct view *from, const struct key *from_key, struct entry *e,
	struct view *to, const struct key *to_key, struct entry *there);

/* A second, independent value under `to_key`, expiry included; `there` as above. False, nothing changed, without memory. */
__attribute__((warn_unused_result)) bool store_copy(
	const struct entry *e, struct view *to, const struct key *to_key, struct entry *there);

/* ---- After a change ---- */

/* The class of a keyspace event, as notify-keyspace-events names them. */
enum event_class {
	EVENT_SILENT = 0,       /* changed, with no event that tells of it (PFCOUNT's cache); `event` is "" */
	EVENT_GENERIC = 1 << 0, /* g */
	EVENT_STRING = 1 << 1,  /* $ */
	EVENT_LIST = 1 << 2,
	EVENT_SET = 1 << 3,
	EVENT_HASH = 1 << 4,
	EVENT_ZSET = 1 << 5,
	EVENT_EXPIRED = 1 << 6, /* x */
	EVENT_EVICTED = 1 << 7, /* e */
	EVENT_STREAM = 1 << 8,
	EVENT_MISS = 1 << 9,          /* m */
	EVENT_NEW = 1 << 10,          /* n */
	EVENT_OVERWRITTEN = 1 << 11,  /* o */
	EVENT_TYPE_CHANGED = 1 << 12, /* c */
	/* With another class or alone: what changed is no part of what clients watch and cache (the groups of a stream), or
	 * another event tells of it. */
	EVENT_UNWATCHED = 1 << 13,
};

/* This key changed, by this event ("set", "del", "expire"…). Once per key and event, after the change. */
void store_committed(struct view *v, const struct key *key, enum event_class class, const char *event);

/* The same for a change of so many elements, each of which counts for itself, as in Redis (SADD, LPOP); 0: the event comes, though
 * nothing is another (LTRIM). */
void store_committed_many(
	struct view *v, const struct key *key, enum event_class class, const char *event, uint64_t count);

/* What goes with a change and is not counted as one of its own. */
void store_event(struct view *v, const struct key *key, enum event_class class, const char *event);

/* The value of this key has taken the place of another of type `was`: says so if somebody wants to know. store_overwrite_…
 * do this by themselves; where a key is as good as gone before it gets its value (RENAME, COPY, RESTORE), Redis says it
 * behind the event of the change. */
void store_overwritten(struct view *v, const struct key *key, enum value_type was);

/* ---- Walks over everything: shard by shard, never all at once ----
 * These take the gates of the shards themselves, one at a time, unless the caller holds the world. The caller holds no
 * shard's gate. A walk that does not get a shard (see gate.h, rule 6) ends there, says so in the member's `refused`, and
 * its result is worth nothing. */

/* Calls `visit` for each live key whose place the cursor reaches, until `visit` has been called for about `count` places;
 * returns the next cursor, 0 at the end. Guarantee: a key that is there from the first call (cursor 0) to the last is
 * visited at least once, however the tables are resized meanwhile. */
typedef void store_visit_fn(void *context, const struct entry *e);
uint64_t store_scan(struct view *v, uint64_t cursor, size_t count, store_visit_fn *visit, void *context);

/* Every live key once. */
void store_for_each(struct view *v, store_visit_fn *visit, void *context);

/* The live key of that name, if there is one. */
void store_visit_one(struct view *v, struct slice name, store_visit_fn *visit, void *context);

size_t store_db_size(struct view *v);    /* keys, the expired ones that nobody removed yet included */
size_t store_db_expires(struct view *v); /* keys with an expiry */
/* A fair random live key; false when there is none. The name is appended to `name`. */
struct buffer;
bool store_random_key(struct view *v, struct buffer *name);

/* Empties one database, or all with db_index < 0. Under the world. In the background when `lazily`. Returns the number
 * of keys that went. */
enum store_flush_flags { STORE_FLUSH_NOW, STORE_FLUSH_LAZILY };
size_t store_flush(struct store *s, int db_index, enum store_flush_flags flags);

/* Exchanges two databases. Under the world. */
void store_swap_dbs(struct store *s, unsigned a, unsigned b);

/* Verifies every internal invariant of the store; appends a line per violation to `report`, returns their number.
 * Under the world. DEBUG CHECK. */
size_t store_check(struct store *s, struct buffer *report);

#endif
