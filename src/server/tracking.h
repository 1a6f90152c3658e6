/* tracking: client-side caching. Which clients may have which keys in their own memory, and telling them when one changes.
 *
 *   reader's worker                 changer's worker                        reader's worker
 *   ---------------                 ----------------                        ---------------
 *   reads, remembers the   ──▶      changes, takes the key's   ──message──▶ tells the client, behind the replies
 *   client (key's gate)             holders out (key's gate)                that it has written so far
 *
 * Two ways to know who has to hear of a change. By default a client is remembered for each key that it reads: per shard
 * there is a table of key names, which cover that name in all databases, with the clients that hold them. With BCAST
 * nothing is remembered, and the client hears of all keys with its prefixes.
 *
 * Rules:
 *  1. A shard's table is touched under that shard's gate, or under the world.
 *  2. A key is remembered under the gate under which it was read, before that is left; it is taken out under the gate
 *     under which it was changed.
 *  3. The table of prefixes changes under the world. In each prefix a worker has a place of its own, with its clients that
 *     want it and their number, which others read. So does the table of redirects, in which all workers see where a
 *     client's notices go; its owner marks one that is over.
 *  4. A worker's trackers are its own, or are changed under the world. Only the owner writes to a client.
 *  5. What a command has changed is told when it has ended and holds no gate (AFTER_TRACK), and before its reply leaves:
 *     others by message, the worker's own clients at once, behind the reply.
 *  6. The tables are given up as a whole under the world only: when the data is flushed, with an invalidation of
 *     everything to all; and when nobody tracks.
 *
 * Why no stale read stays valid: a key's gate puts its reads and changes in one order. A read that comes first has put its
 * client into the table (rule 2) when the change looks there, or an earlier change has taken it out since; either one has
 * a message for the client. The client's owner wrote the read's reply before it left the gate, and runs the message later:
 * so the invalidation comes behind the reply, whichever thread was faster. A client that reads again before the message
 * is there loses a fresh value; that costs a read, and is never wrong. Prefixes are known to everybody before CLIENT
 * TRACKING is answered (rule 3). Where memory for a name or a list is lacking, everything is invalidated instead.
 * With REDIRECT the read's reply and the invalidation take different connections, and order between them is the client's
 * care, as in Redis. But like any invalidation it is on its way to its worker before the change is answered, so whoever
 * asks the target something after that gets it first: who has changed the key sends it to the target's worker itself.
 *
 * A client that has gone or tracks no more stays in the tables until the key changes; its number is never used again.
 *
 * What it costs when nobody tracks: a load per change, and a test of the client's flags per command with keys. */
#ifndef TARN_SERVER_TRACKING_H
#define TARN_SERVER_TRACKING_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "containers/table.h"
#include "store/keyspace.h"

struct broadcast;
struct call;
struct change;
struct client;
struct command;
struct redirect;
struct route;
struct tracker;
struct tracking_prefix;
struct worker;

/* Server-wide. */
struct tracking {
	/* Private. Whether somebody has tracked since the tables were last given up. Relaxed: who changes a key has its gate
	 * from whoever remembered it, and so sees this set; and BCAST begins under the world. */
	_Atomic bool _on __attribute__((aligned(64)));
	uint32_t _shard_count;
	unsigned _worker_count;
	struct table *_tables;   /* of struct tracked, by shard */
	struct table _prefixes;  /* of struct tracking_prefix */
	size_t *_prefix_lengths; /* the different lengths of prefixes, ascending */
	size_t _prefix_length_count, _prefix_length_cap;
	size_t _prefix_tidy_at;         /* with so many prefixes those that nobody wants any more are looked for */
	struct table _redirects;        /* of struct redirect, by the client that redirects */
	struct redirect *_broadcasting; /* those of BCAST */
	size_t _redirect_tidy_at, _redirect_bytes;         /* so many of them, or so much added, are looked through */
	uint64_t _redirects_made;                          /* ever */
	_Atomic size_t _keys __attribute__((aligned(64))); /* in the tables */
	_Atomic size_t _items;                             /* holders of all of them */
	_Atomic size_t _clients;                           /* that track */
};
void tracking_init(struct tracking *t, uint32_t shard_count, unsigned worker_count);
void tracking_release(struct tracking *t); /* after the last client */

/* Of a worker; all zero at the start. Private. */
struct tracking_worker {
	struct table _trackers; /* by client: those that track or are redirected to */
	/* What this worker has changed and not told yet. */
	struct change *_changes; /* of keys that somebody holds */
	size_t _change_count, _change_cap;
	struct broadcast **_broadcasts; /* keys that fit somebody's prefix, each once */
	size_t _broadcast_count, _broadcast_cap;
	struct table _broadcast_names;
	struct route *_routes; /* to the targets of clients that redirect */
	size_t _route_count, _route_cap;
	size_t _added;                             /* keys remembered since then */
	uint64_t _audience[GATE_MAX_MEMBERS / 64]; /* a bit per worker that has to hear of it */
	bool _everything;                          /* told to be invalid: data was flushed, or memory was short */
	struct buffer _names, _frames[2];          /* of what is being told, by RESP version */
};
void tracking_worker_release(struct tracking_worker *tw); /* after the last client */

/* For INFO; any worker, inside. */
struct tracking_figures {
	size_t clients, keys, items, prefixes;
};
void tracking_count(const struct tracking *t, struct tracking_figures *f);

/* ---- On the client's owner ---- */

enum tracking_flags {
	TRACKING_ON = 1 << 0,
	TRACKING_BCAST = 1 << 1,
	TRACKING_OPTIN = 1 << 2,
	TRACKING_OPTOUT = 1 << 3,
	TRACKING_NOLOOP = 1 << 4,
	TRACKING_CACHING = 1 << 5, /* CLIENT CACHING was said, whichever the mode allows */
	TRACKING_BROKEN = 1 << 6,  /* the client that it redirects to was found to be gone */
};

struct tracking_wish {
	uint32_t flags;               /* of BCAST, OPTIN, OPTOUT and NOLOOP */
	const struct client *target;  /* of REDIRECT, on any worker; NULL: none */
	const struct slice *prefixes; /* of BCAST, not overlapping with each other or those it has; none: all keys */
	size_t prefix_count;
};

/* The client tracks from now on, in this way; it keeps the prefixes that it has. Under the world when there is a target
 * or BCAST. */
void tracking_start(struct client *c, const struct tracking_wish *wish);
/* It tracks no more, if it did. */
void tracking_stop(struct client *c);
/* CLIENT CACHING: the next command or transaction is the exception of OPTIN or OPTOUT. The client tracks. */
void tracking_except_next(struct client *c);
/* A command of the client has ended or was refused (NULL: unknown): takes the exception back, when it is over. */
void tracking_command_ended(struct client *c, const struct command *cmd);
/* It is about to go. */
void tracking_forget(struct client *c);

/* ---- The owner, or anybody under the world ---- */

uint32_t tracking_flags(const struct client *c);                       /* 0 when it does not track */
int64_t tracking_target(const struct client *c);                       /* 0: itself; -1 when it does not track */
size_t tracking_prefixes(const struct client *c);                      /* how many */
size_t tracking_memory(const struct client *c);                        /* bytes */
struct slice tracking_prefix_at(const struct client *c, size_t index); /* in the order of bytes */

/* ---- For the dispatcher ---- */

/* Remembers the keys of a command that has just run, if it is one that reads. Under their gates. When the client's flags
 * have CLIENT_REMEMBERS. */
void tracking_remember(struct worker *w, const struct call *call);

/* AFTER_TRACK: tells what the worker has changed. Inside, holding no gate. */
void tracking_tell(struct worker *w);

/* A tick of worker 0: keeps to tracking-table-max-keys when that was lowered; gives up the tables when nobody tracks. */
void tracking_upkeep(struct worker *w);

/* ---- For the store's hooks ---- */

static inline bool tracking_anybody(const struct tracking *t) {
	return __builtin_expect(atomic_load_explicit(&t->_on, memory_order_relaxed), 0);
}
/* This key changed, by this event. Under its gate. */
void tracking_key_changed(struct worker *w, const struct key *key, enum event_class class, const char *event);
/* A database was emptied. Under the world. */
void tracking_flushed(struct worker *w);

#endif
