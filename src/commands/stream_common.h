/* What the handlers of stream commands share: IDs as arguments, changes, entries as replies.
 *
 * A reader that fails has written the error reply; the handler returns. */
#ifndef TARN_COMMANDS_STREAM_COMMON_H
#define TARN_COMMANDS_STREAM_COMMON_H

#include "server/call.h"
#include "types/stream.h"

#define ERR_STREAM_ID "ERR Invalid stream ID specified as stream command argument"
#define ERR_STREAM_NO_GROUP_FMT "NOGROUP No such consumer group '%.*s' for key name '%.*s'"
#define ERR_STREAM_NO_KEY_OR_GROUP_FMT "NOGROUP No such key '%.*s' or consumer group '%.*s'"

/* For "%.*s" in an error. */
#define SLICE_FMT(slice) (int)((slice).len < 1024 ? (slice).len : 1024), (slice).ptr

/* ---- IDs ---- */

/* "ms-seq", or "ms", which means ms-missing_seq; with `form` not NULL also "*" and "ms-*". False, nothing written,
 * when it is no ID. */
bool stream_parse_id(struct slice text, uint64_t missing_seq, struct stream_id *id, enum stream_id_form *form);

/* An argument that is "ms-seq" or "ms", which means ms-0. */
__attribute__((warn_unused_result)) bool stream_read_id(struct call *c, unsigned arg, struct stream_id *id);

/* The ends of a range: also "-", "+" and, with "(" before it, an ID that is not included. */
__attribute__((warn_unused_result)) bool stream_read_start(struct call *c, unsigned arg, struct stream_id *id);
__attribute__((warn_unused_result)) bool stream_read_end(struct call *c, unsigned arg, struct stream_id *id);

/* The IDs of `count` arguments from `arg` on. NULL, error written, when one is none. To be freed. */
struct stream_id *stream_read_ids(struct call *c, unsigned arg, unsigned count);

/* [KEEPREF | DELREF | ACKED] IDS n id…, from `arg` to the end. */
struct stream_ids {
	enum stream_references references;
	unsigned count;
	struct stream_id *ids; /* NULL until stream_parse_counted_ids; to be freed */
	unsigned _first;       /* argument */
};
__attribute__((warn_unused_result)) bool stream_read_counted_ids(struct call *c, unsigned arg, struct stream_ids *ids);
/* The IDs themselves, which Redis only looks at when there is something they can mean. False, error written. */
__attribute__((warn_unused_result)) bool stream_parse_counted_ids(struct call *c, struct stream_ids *ids);

/* KEEPREF, DELREF or ACKED; false, nothing written, when it is another word. */
bool stream_references_word(const struct call *c, unsigned arg, enum stream_references *references);

/* ---- Changes ----
 * Open, calls of types/stream.h, an event for each thing that happened, close. */

enum { STREAM_CHANGE_EVENTS = 4 };

struct stream_change {
	struct stream *s;
	/* Private. */
	struct key _key;
	struct edit _edit;
	const char *_events[STREAM_CHANGE_EVENTS];
	unsigned _count;
	uint64_t _changes;
};

/* `e` as call_write_value returned it; NULL makes a new stream, which is there afterwards. */
void stream_change_open(struct call *c, const struct key *key, struct entry *e, struct stream_change *change);
/* A text constant; "" when there is a change but nothing to notify of. The same again is not told again. `count`: as how many
 * changes it counts, added up. */
void stream_change_event(struct stream_change *change, const char *event, uint64_t count);
void stream_change_close(struct call *c, struct stream_change *change);

/* ---- Replies ---- */

void stream_reply_id(struct reply *r, struct stream_id id);
/* The entry at which the walk is: [id, [field, value…]]. */
void stream_reply_entry(struct reply *r, struct stream_iter *it);
/* The entry of that ID; false, nothing written, when it is not there. */
bool stream_reply_entry_of(struct reply *r, const struct stream *s, struct stream_id id);
/* An array of the entries from `first` to `last`, `count` at most. */
void stream_reply_range(struct reply *r, const struct stream *s, struct stream_id first, struct stream_id last,
	enum stream_direction direction, uint64_t count);

#endif
