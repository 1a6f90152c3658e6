/* stream: entries of fields and values, ordered by ID, that are only ever added at the end; with consumer groups.
 *
 *   stream ── nodes: packs of up to stream-node-max-entries entries each, found by the ID that they begin with
 *     │         the last one, where entries are added, is kept at hand; the others lie in a tree
 *     └── groups, by name ── consumers, by name
 *            │                   └── the IDs that are pending with it
 *            └── pending entries by ID: delivered to a consumer, not acknowledged yet
 *
 * A node's pack is what RDB files have, so saving is copying. Its first entries are the *master*:
 *
 *   live entries | deleted ones | number of fields | the fields… | 0
 *
 * then, for each entry of the stream, deleted ones included:
 *
 *   flags | ID less the node's: ms, seq | [number of fields] fields and values… | how many pack entries these are
 *
 * With the flag SAME_FIELDS there are only the values, in the order of the master's fields. A deleted entry keeps its bytes
 * until nothing lives in its node any more. A pending entry takes 48 bytes: 32 in its group's tree, 16 in its consumer's.
 *
 * There is one form; struct value holds the struct stream. An empty stream stays. Calls that change take the stream, calls
 * that read a const one; what they return is valid until it changes. Unless noted, a call costs O(log nodes) and the walk
 * through one node. */
#ifndef TARN_TYPES_STREAM_H
#define TARN_TYPES_STREAM_H

#include "containers/pack.h"
#include "containers/tree.h"
#include "types/value.h"

enum stream_encoding { STREAM_TREE };
extern const struct value_ops stream_ops;

/* ---- IDs ---- */

struct stream_id {
	uint64_t ms, seq;
};
#define STREAM_ID_MIN ((struct stream_id){ 0, 0 })
#define STREAM_ID_MAX ((struct stream_id){ UINT64_MAX, UINT64_MAX })

/* Without branches, for searches. */
static inline int stream_id_compare(struct stream_id a, struct stream_id b) {
	unsigned __int128 x = (unsigned __int128)a.ms << 64 | a.seq;
	unsigned __int128 y = (unsigned __int128)b.ms << 64 | b.seq;
	return (x > y) - (x < y);
}
static inline bool stream_id_is_zero(struct stream_id id) {
	return id.ms == 0 && id.seq == 0;
}
/* The ID behind and before; false, unchanged, when there is none. */
bool stream_id_next(struct stream_id *id);
bool stream_id_prev(struct stream_id *id);

enum { STREAM_ID_CHARS = 2 * NUMBER_I64_MAX_CHARS + 2 };
/* "ms-seq", terminated. Returns the length. */
size_t stream_id_format(char out[static STREAM_ID_CHARS], struct stream_id id);

/* ---- The whole ---- */

struct stream;
static inline struct stream *stream_of(const struct value *value) {
	return value->data;
}

struct stream_state {
	uint64_t length;              /* live entries */
	uint64_t added;               /* entries that were ever added, as far as known */
	struct stream_id first_id;    /* of the first live entry; 0-0: none */
	struct stream_id last_id;     /* the largest ID that was ever given */
	struct stream_id max_deleted; /* the largest that XDEL took away; 0-0: none */
};
extern const struct stream_state stream_state_empty; /* of a new stream */
const struct stream_state *stream_state(const struct stream *s);
size_t stream_nodes(const struct stream *s);
size_t stream_groups(const struct stream *s);

/* XSETID. The caller has made sure that it makes sense. */
void stream_set_last_id(struct stream *s, struct stream_id last_id);
void stream_set_added(struct stream *s, uint64_t added);
void stream_set_max_deleted(struct stream *s, struct stream_id id);

/* ---- Adding ---- */

/* Which parts of an ID are to be found by the stream. */
enum stream_id_form { STREAM_ID_GIVEN, STREAM_ID_AUTO_SEQ, STREAM_ID_AUTO };
enum stream_id_answer { STREAM_ID_OK, STREAM_ID_TOO_SMALL, STREAM_ID_EXHAUSTED };
/* The ID that the next entry gets, when `id` is what the client gave. Never below or at last_id, also when the clock is. */
enum stream_id_answer stream_choose_id(
	const struct stream_state *state, enum stream_id_form form, int64_t now_ms, struct stream_id *id);

/* Whether an entry of so many bytes, in so many fields and values, can be held at all. */
bool stream_entry_fits(size_t bytes, size_t values);
/* Adds an entry, behind all others; `id` comes from stream_choose_id. `parts`: field, value, field, value…, `count` of
 * them. O(bytes). */
void stream_add(struct stream *s, struct stream_id id, const struct slice *parts, size_t count,
	const struct type_limits *limits);

/* ---- Reading ---- */

enum stream_direction { STREAM_FORWARD, STREAM_BACKWARD };

/* for (stream_iter_begin(&it, s, first, last, STREAM_FORWARD); stream_iter_next(&it);) {
 *         struct stream_iter_parts parts = …
 * } */
/* Private: where a node is. */
struct stream_place {
	enum { STREAM_IN_TREE, STREAM_IN_TAIL, STREAM_AT_END } _where;
	struct tree_place _tree;
};

/* stream_iter_begin(&it, s, first, last, STREAM_FORWARD);
 * while (stream_iter_next(&it)) {
 *         … it.id …
 *         for (size_t i = 0; i < it.fields; i++) stream_iter_pair(&it, &field, &value); // may be left out
 * } */
struct stream_iter {
	struct stream_id id; /* of the entry */
	size_t fields;       /* pairs that it has */
	/* Private. */
	const struct stream *_s;
	const struct pack *_pack; /* of the node; NULL: nothing more */
	struct stream_id _node_id;
	struct stream_id _first, _last; /* as given */
	enum stream_direction _direction;
	size_t _next;       /* forward: the next entry's flags; backward: what lies before them; 0: the node is done */
	size_t _field;      /* of this entry: where the next field is, in the master or here */
	size_t _value;      /* and the next value */
	size_t _pairs_left; /* not read yet */
	size_t _master_field; /* the master's first field */
	size_t _master_fields;
	size_t _master_end; /* the 0 behind them */
	bool _same_fields, _started;
	struct stream_place _place;
};

/* Live entries with IDs from `first` to `last`, both included, in that direction (the arguments' order stays). */
void stream_iter_begin(struct stream_iter *it, const struct stream *s, struct stream_id first, struct stream_id last,
	enum stream_direction direction);
bool stream_iter_next(struct stream_iter *it);
/* The entry's next field and value; `fields` times. */
void stream_iter_pair(struct stream_iter *it, struct pack_value *field, struct pack_value *value);

bool stream_has(const struct stream *s, struct stream_id id);
/* The first or last live entry's ID; false when there is none. */
bool stream_edge(const struct stream *s, enum stream_direction from, struct stream_id *id);

/* The nodes as they are saved, in order: each one's ID and the bytes of its pack. */
typedef void stream_pack_fn(void *context, struct stream_id id, struct slice raw);
void stream_each_pack(const struct stream *s, stream_pack_fn *visit, void *context);

/* ---- Deleting ---- */

/* What becomes of the pending entries of a deleted entry. */
enum stream_references {
	STREAM_KEEP_REFERENCES, /* they stay: KEEPREF */
	STREAM_DROP_REFERENCES, /* they go as well: DELREF */
	STREAM_ONLY_ACKED,      /* an entry that a group has not read and acknowledged stays: ACKED */
};

enum stream_delete_answer {
	STREAM_NOT_THERE,
	STREAM_REFERENCES_DROPPED, /* the entry was not there, but pending somewhere: no longer */
	STREAM_DELETED,
	STREAM_REFERENCED,
};
/* STREAM_ONLY_ACKED: STREAM_REFERENCED also when there is no such entry, if the ID is referenced. */
enum stream_delete_answer stream_delete(struct stream *s, struct stream_id id, enum stream_references references);

/* Whether a group has the entry pending or has not come to it yet. O(groups · log pending). */
bool stream_is_referenced(const struct stream *s, struct stream_id id);

struct stream_trim {
	enum { STREAM_TRIM_NONE, STREAM_TRIM_LENGTH, STREAM_TRIM_MIN_ID } by;
	bool nodes_only; /* "~": only whole nodes go; and, as in Redis, none unless the references are kept */
	enum stream_references references;
	uint64_t length;         /* that may stay */
	struct stream_id min_id; /* what comes before goes */
	uint64_t limit;          /* entries that go at most; 0: no limit */
};
/* Deletes the oldest entries. Returns how many. */
uint64_t stream_trim(struct stream *s, const struct stream_trim *how);

/* ---- Groups ---- */

struct stream_group;
struct stream_consumer;

enum { STREAM_READ_UNKNOWN = -1 };

/* By position in the order of their names; NULL behind the last. */
struct stream_group *stream_group_at(const struct stream *s, size_t index);
/* NULL when there is none of that name. */
struct stream_group *stream_group_find(const struct stream *s, struct slice name);
/* NULL, nothing changed, when there is one. `read`: entries that count as read, or STREAM_READ_UNKNOWN. */
struct stream_group *stream_group_create(struct stream *s, struct slice name, struct stream_id last_id, int64_t read);
/* With all its consumers and pending entries. O(pending). */
void stream_group_destroy(struct stream *s, struct stream_group *g);
struct slice stream_group_name(const struct stream_group *g);
struct stream_id stream_group_last_id(const struct stream_group *g);
int64_t stream_group_read(const struct stream_group *g); /* or STREAM_READ_UNKNOWN */
size_t stream_group_pending(const struct stream_group *g);
size_t stream_group_consumers(const struct stream_group *g);
void stream_group_set(struct stream_group *g, struct stream_id last_id, int64_t read);
/* The last delivered ID becomes `id`, when that is larger (else false), and nothing else changes. */
bool stream_group_raise(struct stream_group *g, struct stream_id id);
/* The group has been given `id`, which comes behind its last one: keeps its number of read entries right where that is
 * possible. */
void stream_group_delivered(const struct stream *s, struct stream_group *g, struct stream_id id);
/* How many entries are still to be delivered; false when that cannot be told. */
bool stream_group_lag(const struct stream *s, const struct stream_group *g, int64_t *lag);

/* ---- Consumers ---- */

struct stream_consumer *stream_consumer_at(const struct stream_group *g, size_t index);
struct stream_consumer *stream_consumer_find(const struct stream_group *g, struct slice name);
/* NULL, nothing changed, when there is one of that name. It counts as seen now and never active. */
struct stream_consumer *stream_consumer_create(
	struct stream *s, struct stream_group *g, struct slice name, int64_t now_ms);
/* With its pending entries. O(pending · log). */
void stream_consumer_delete(struct stream *s, struct stream_group *g, struct stream_consumer *c);
struct slice stream_consumer_name(const struct stream_consumer *c);
size_t stream_consumer_pending(const struct stream_consumer *c);
int64_t stream_consumer_seen_ms(const struct stream_consumer *c);
int64_t stream_consumer_active_ms(const struct stream_consumer *c); /* -1: never */
void stream_consumer_seen(struct stream_consumer *c, int64_t now_ms);
void stream_consumer_active(struct stream_consumer *c, int64_t now_ms);

/* ---- Pending entries ---- */

/* Larger numbers of deliveries are kept as this one. */
#define STREAM_DELIVERIES_MAX UINT32_MAX

struct stream_pending {
	struct stream_id id;
	struct stream_consumer *consumer;
	int64_t delivered_ms; /* from 0 to 2^47 */
	uint64_t deliveries;
};

/* False, *p untouched, when that ID is not pending. O(log pending). */
bool stream_pending_find(const struct stream_group *g, struct stream_id id, struct stream_pending *p);
/* The first and the last of the group; false when nothing is pending. */
bool stream_pending_edges(const struct stream_group *g, struct stream_pending *first, struct stream_pending *last);
/* Makes it pending as *p says, whatever it was before. O(log pending). */
void stream_pending_put(struct stream *s, struct stream_group *g, const struct stream_pending *p);
/* False when it was not pending. */
bool stream_pending_remove(struct stream *s, struct stream_group *g, struct stream_id id);
/* Removes it from all groups. False when none had it pending. */
bool stream_pending_remove_everywhere(struct stream *s, struct stream_id id);

/* Those of a group, or, with `consumer`, of one consumer, from ID `from` on, in order. While walking nothing may be
 * removed or put, except that what is pending already may be put again; in the walk of a consumer, with that consumer. */
struct stream_pending_iter {
	/* Private. */
	const struct stream_group *_g;
	struct stream_consumer *_consumer;
	struct tree_place _place;
};
void stream_pending_begin(struct stream_pending_iter *it, const struct stream_group *g,
	struct stream_consumer *consumer, struct stream_id from);
bool stream_pending_next(struct stream_pending_iter *it, struct stream_pending *p);

#endif
