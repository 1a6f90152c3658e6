/* pubsub: channels, shard channels, patterns, and who hears of what is published.
 *
 *   publisher's worker                          each worker with subscribers
 *   ------------------                          ----------------------------
 *   stripe of the channel's name (lock)
 *     counts subscribers per worker
 *     ── message ──▶ queue of each worker ──▶   local topics: lists of its own clients ──▶ their output
 *
 * Rules:
 *  1. A stripe (the counts of the channels whose names hash to it) is touched under its lock. So is the list of patterns,
 *     whose lock may be taken while a stripe's is held.
 *  2. A message is put into the workers' queues while its channel's stripe is held, and a queue is first in, first out:
 *     so all subscribers of a channel see one order, whoever publishes.
 *  3. Local topics and subscriptions are their worker's own. Only it writes to its clients.
 *  4. A worker takes its queue after a command that published (after its reply), and when the others' messages wake it;
 *     and before it adds a subscription, so that nobody hears of what was published before.
 *
 * A publisher never waits for a subscriber: what a client does not read piles up in its output, which
 * client-output-buffer-limit bounds. */
#ifndef TARN_SERVER_PUBSUB_H
#define TARN_SERVER_PUBSUB_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "containers/table.h"
#include "server/mailbox.h"

struct client;
struct worker;
struct pubsub;
struct pubsub_node;
struct local_topic;

enum topic_kind { TOPIC_CHANNEL, TOPIC_SHARD, TOPIC_PATTERN, TOPIC_KINDS };

/* Of the server. `worker_count` is that of all workers to come. */
struct pubsub *pubsub_new(unsigned worker_count);
void pubsub_free(struct pubsub *p); /* after the last client */

/* Of a worker; all zero before pubsub_local_init. */
struct pubsub_local {
	/* Private. */
	_Atomic(struct pubsub_node *) _newest; /* any thread pushes, the owner takes all */
	_Atomic bool _woken;                   /* the message below is in the mailbox */
	struct message _wake;
	struct table _topics[TOPIC_KINDS];
	struct local_topic *_patterns; /* those of this worker, linked */
	struct buffer _frame[2];       /* of the message in hand, by RESP version */
};
void pubsub_local_init(struct pubsub_local *local);
void pubsub_local_release(struct pubsub_local *local);

/* Of a client; all zero is nobody. Others may read the counts under the world. */
struct subscriber {
	struct subscription *_first[TOPIC_KINDS], *_last[TOPIC_KINDS]; /* in the order of subscribing */
	size_t counts[TOPIC_KINDS];
};

/* Subscriptions of the kinds that SUBSCRIBE's reply counts: channels and patterns together, shard channels alone. */
static inline size_t subscriber_count(const struct subscriber *s, enum topic_kind kind) {
	return kind == TOPIC_SHARD ? s->counts[TOPIC_SHARD] : s->counts[TOPIC_CHANNEL] + s->counts[TOPIC_PATTERN];
}
static inline bool subscriber_is_one(const struct subscriber *s) {
	return s->counts[TOPIC_CHANNEL] + s->counts[TOPIC_PATTERN] + s->counts[TOPIC_SHARD] > 0;
}

/* ---- On the client's owner ---- */

/* False when it is subscribed already. */
bool pubsub_subscribe(struct client *c, enum topic_kind kind, struct slice name);
/* False when it was not. */
bool pubsub_unsubscribe(struct client *c, enum topic_kind kind, struct slice name);
/* The name of the client's oldest subscription of that kind; ptr NULL when there is none. Valid until it ends. */
struct slice pubsub_oldest(const struct client *c, enum topic_kind kind);
/* Ends all. Says nothing to the client. */
void pubsub_forget(struct client *c);

/* ---- Any worker ---- */

/* Tells everybody who subscribes to this channel (TOPIC_CHANNEL or TOPIC_SHARD), and to a pattern that fits it; how many
 * those are; 0 without memory for the message. May be called under shard gates and under the world. The worker's own clients hear of it when its command
 * has ended: AFTER_DELIVER. */
size_t pubsub_publish(struct worker *w, enum topic_kind kind, struct slice channel, struct slice payload);

/* Hands out what has come for this worker's clients. Holding no gate but being inside. */
void pubsub_deliver(struct worker *w);

size_t pubsub_subscribers(struct pubsub *p, enum topic_kind kind, struct slice channel); /* NUMSUB */
size_t pubsub_patterns(struct pubsub *p);                                                /* different ones: NUMPAT */
size_t pubsub_channels(struct pubsub *p, enum topic_kind kind);
/* Calls `visit` for each channel of that kind with a subscriber. `visit` must not call pubsub. */
typedef void pubsub_visit_fn(void *context, struct slice channel);
void pubsub_each(struct pubsub *p, enum topic_kind kind, pubsub_visit_fn *visit, void *context);

#endif
