/* What pubsub.c (the server's side: counts, messages) and subscriptions.c (a worker's side) share. */
#ifndef TARN_SERVER_PUBSUB_PRIVATE_H
#define TARN_SERVER_PUBSUB_PRIVATE_H

#include "base/bytes.h"
#include "server/pubsub.h"

/* One message for all workers. Each of them drops a reference. */
struct pubsub_message {
	_Atomic uint32_t refs;
	enum topic_kind kind;
	struct slice channel, payload; /* lie behind the nodes */
};

/* A message in the queue of one worker. */
struct pubsub_node {
	struct pubsub_node *next;
	struct pubsub_message *message;
};

/* Counts a subscription of this worker, or, with -1, takes it back. */
void pubsub__count(struct worker *w, enum topic_kind kind, struct slice name, int change);

/* Takes all that is queued, oldest first. */
struct pubsub_node *pubsub__take(struct pubsub_local *local);
void pubsub__drop(struct pubsub_message *m);

#endif
