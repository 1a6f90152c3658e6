/* What tracking.c (tables, changes) and tracking_clients.c (a worker's clients: who tracks how, and telling them) share. */
#ifndef TARN_SERVER_TRACKING_PRIVATE_H
#define TARN_SERVER_TRACKING_PRIVATE_H

#include <assert.h>

#include "base/bytes.h"
#include "server/mailbox.h"
#include "server/tracking.h"

/* A client in the table of a key: its worker's index in the top byte, its number below. So holders that are in order are
 * grouped by worker. */
typedef uint64_t holder_t;
enum { HOLDER_WORKER_SHIFT = 56 };
#define HOLDER_ID_MASK ((UINT64_C(1) << HOLDER_WORKER_SHIFT) - 1)
static_assert(GATE_MAX_MEMBERS <= 256, "a worker's index takes a byte of a holder");

/* A key that somebody holds. */
struct tracked {
	uint64_t hash;
	uint32_t len;
	uint32_t count; /* holders, at least one */
	union {
		holder_t one;   /* the only one */
		holder_t *many; /* ascending; room for `count` rounded up to a power of two */
	};
	char name[];
};

static inline const holder_t *tracked_holders(const struct tracked *x) {
	return x->count == 1 ? &x->one : x->many;
}

/* The first of `holders` that is not below `wanted`, `count` when all are. */
static inline size_t holder_place(const holder_t *holders, size_t count, holder_t wanted) {
	size_t low = 0;
	while (low < count) {
		size_t middle = low + (count - low) / 2;
		if (holders[middle] < wanted)
			low = middle + 1;
		else
			count = middle;
	}
	return low;
}

/* Where that worker's holders begin. */
static inline size_t tracked_first_of(const struct tracked *x, unsigned worker) {
	return holder_place(tracked_holders(x), x->count, (holder_t)worker << HOLDER_WORKER_SHIFT);
}

/* A key that was held and has changed. */
struct change {
	struct tracked *what;
	uint64_t by; /* the client that has changed it, 0 when it was nobody's doing: for NOLOOP */
};

/* A key that fits somebody's prefix and has changed. */
struct broadcast {
	uint64_t hash;
	uint64_t by; /* as above */
	size_t len;
	char name[];
};

static inline struct slice broadcast_name(const struct broadcast *x) {
	return slice_of(x->name, x->len);
}

/* A prefix that clients of BCAST want. */
struct tracking_prefix {
	uint64_t hash;
	size_t len;
	char *name; /* behind the workers */
	struct {
		_Atomic uint32_t count; /* of `first`; read by others */
		struct wanting *first;  /* the worker's clients that want it */
	} on_worker[];
};

/* A client and a prefix. */
struct wanting {
	struct tracker *tracker;
	struct tracking_prefix *prefix;
	struct wanting *next, **at; /* of the prefix, on this worker */
};

static inline struct slice prefix_name(const struct tracking_prefix *p) {
	return slice_of(p->name, p->len);
}

/* A client that redirects. */
struct redirect {
	uint64_t source, target; /* clients */
	struct worker *source_on, *target_on;
	uint64_t number; /* counted up as they are made */
	bool noloop, broadcasts;
	_Atomic bool
		off; /* it is over: set by the owner of the source. Relaxed: an invalidation too many does no harm */
	struct redirect *next; /* of those that broadcast */
	size_t bytes;          /* of memory */
	size_t prefix_count;   /* of BCAST */
	struct slice prefixes[];
};

static inline bool redirect_is_off(const struct redirect *r) {
	return atomic_load_explicit(&r->off, memory_order_relaxed);
}

/* What the target of a client that redirects has to hear of. */
struct route {
	uint64_t source, target;
	struct worker *source_on, *target_on;
	bool noloop;
	enum route_subject {
		ROUTE_EVERYTHING,
		ROUTE_CHANGE, /* the batch's change `first` */
		ROUTE_GROUP,  /* `count` of its broadcasts, from `first` on */
	} subject;
	size_t first, count;
};

/* What one command has changed, for all workers that have to hear of it. Nobody changes it; each drops a reference. */
struct batch {
	_Atomic uint32_t refs;
	bool everything;
	size_t change_count, broadcast_count;
	struct change *changes;        /* in the order in which they were made */
	struct broadcast **broadcasts; /* in the order of their names */
	size_t route_count;
	struct route *routes;
	uint64_t redirects_made; /* when the routes were: those that came later are not among them */
	struct delivery {
		struct message message;
		struct batch *batch;
	} deliveries[];
};

/* Tells the worker's own clients. On that worker, inside, holding no gate. */
void tracking__deliver(struct worker *w, const struct batch *b);

static inline void tracking__add_listener(struct tracking_worker *tw, unsigned worker) {
	tw->_audience[worker / 64] |= UINT64_C(1) << worker % 64;
}

static inline uint64_t tracking__id_hash(uint64_t id) {
	return id * UINT64_C(0x9E3779B97F4A7C15); /* 2^64 by the golden ratio: spreads what counts up */
}

/* ---- tracking_redirects.c ---- */

/* Makes one like `wanted`, with copies of the prefixes. Under the world. It is freed some time after it is off. */
struct redirect *tracking__add_redirect(
	struct tracking *t, const struct redirect *wanted, const struct slice *prefixes, size_t count);
/* Takes it out and frees it. Under the world. */
void tracking__drop_redirect(struct tracking *t, struct redirect *r);
/* Frees those that are off, when they may be many. Under the world. */
void tracking__tidy_redirects(struct tracking *t);
void tracking__free_redirects(struct tracking *t);
/* Routes what the worker has changed, its broadcasts being in order. Inside, holding no gate. */
void tracking__route(struct worker *w);

/* ---- tracking_prefixes.c ---- */

/* The prefix of that name, NULL when nobody wants it. Any worker, inside. */
struct tracking_prefix *tracking__find_prefix(const struct tracking *t, struct slice name);
/* The same; it is added when it is not there. Under the world; the caller puts a client in at once. */
struct tracking_prefix *tracking__get_prefix(struct tracking *t, struct slice name);
/* Frees those that nobody wants, when they may be many. Under the world. */
void tracking__tidy_prefixes(struct tracking *t);
void tracking__free_prefixes(struct tracking *t);

#endif
