/* worker: a thread with an event loop, its clients, its counters.
 *
 * The struct is open to server/ and to the handlers of server commands; data commands see only the accessors. A worker's
 * fields are its own thread's unless said otherwise. */
#ifndef TARN_SERVER_WORKER_H
#define TARN_SERVER_WORKER_H

#include <pthread.h>

#include "net/poller.h"
#include "server/blocking.h"
#include "server/client.h"
#include "server/mailbox.h"
#include "server/stats.h"
#include "server/tracking.h"
#include "store/gate.h"
#include "store/keyspace.h"

struct config;
struct server;

enum {
	WORKER_BATCH = 64,             /* requests parsed ahead of the first one's run */
	WORKER_READ_BYTES = 64 * 1024, /* read at once */
	WORKER_NAME_BYTES = 16,
};

/* Why a command boundary needs a second look. Set under the world; a worker that finds the reason gone clears its own. */
enum worker_attention {
	ATTENTION_PAUSE = 1 << 0,   /* CLIENT PAUSE is on */
	ATTENTION_MONITOR = 1 << 1, /* somebody monitors */
};

/* What a command has left to do for others when it has ended and holds no gate any more. */
enum worker_after {
	AFTER_DELIVER = 1 << 0, /* pubsub_deliver */
	AFTER_SERVE = 1 << 2,   /* blocking_serve_later, blocking_hand_out */
	AFTER_PUSH = 1 << 1,    /* worker.pushes has something for the client in hand */
	AFTER_TRACK = 1 << 3,   /* tracking_tell */
};

/* A request of the batch in hand. */
struct batch_item {
	struct request request;
	const struct command *command; /* NULL: unknown */
	unsigned first_key;            /* in worker.key_slots */
	unsigned key_count;
};

struct worker {
	struct gate_member member;
	/* Its thread has it but while it sleeps in the poller. So whoever gets it meanwhile may do for it what cannot wait, and
	 * what is said to belong to the owner (blocking.c, worker_stand_in). */
	struct lock awake;
	struct server *server;
	unsigned index;
	pthread_t thread;
	struct poller poller;
	struct mailbox mailbox;

	struct client *clients;      /* all of this worker's */
	size_t client_count;         /* read by others, relaxed */
	uint32_t assigned;           /* clients given to this worker and not gone yet; any thread, atomic */
	struct poller_event *events; /* of this turn, not handled yet; those of a freed client are blanked */
	int event_count;
	struct client *current;                /* whose command runs; for the crash report */
	struct client *yielded, *last_yielded; /* those with requests left, in the order of their turns */
	struct client *monitors;               /* changed under the world or by the owner */
	struct client *pushed;                 /* those that got push messages in this turn */
	bool reaps;                            /* the message that frees killed clients is on its way; as `monitors` */
	const struct call *current_call;
	uint32_t attention;   /* enum worker_attention */
	uint32_t after;       /* enum worker_after */
	struct buffer pushes; /* for the client in hand, behind the reply of its command */
	struct pubsub_local pubsub;
	struct blocking_worker blocking;
	struct tracking_worker tracking;
	size_t subscriber_count; /* clients that subscribe to something; read by others, relaxed */

	struct view view;       /* of the command in hand */
	int64_t now_ms;         /* wall time of the command in hand */
	int64_t monotonic_ms;   /* of the loop's turn */
	uint64_t command_ticks; /* clock_ticks at the end of the last command */
	uint64_t refresh_ticks; /* clock_ticks after which now_ms is read again */
	uint64_t ticks_per_ms;
	uint64_t turn_ticks; /* clock_ticks after which the client in hand yields */

	struct buffer out; /* replies of the client in hand */
	char *in;          /* WORKER_READ_BYTES, what was just read */
	struct request_arena arena;
	struct batch_item batch[WORKER_BATCH];
	unsigned batch_count;
	unsigned row_end; /* calls of the batch before this one need no call_row */
	struct call_key_slot *key_slots;
	unsigned key_slot_count, key_slot_cap;
	uint32_t *shards; /* those of the command in hand, ascending */
	unsigned shard_cap;

	int64_t next_expiry_ms; /* wall time: when active expiry has something to do next, as far as this worker knows */
	int64_t last_round_ms;  /* monotonic: of active expiry */
	int64_t next_tick_ms;   /* monotonic */
	int64_t next_second_ms;         /* monotonic */
	bool has_paused;                /* some clients may wait for the end of a pause */
	bool has_put_off;               /* some commands wait for gates that a long run keeps */
	int64_t retry_ms;               /* monotonic: when they try again */
	struct watches *watches_left;   /* see watch_tidy_up */
	struct script_run *run;         /* of a script, one at a time; constant */
	void *engine;                   /* what the interpreter keeps for this worker */
	_Atomic size_t monitor_backlog; /* bytes of lines that are on their way to this worker's monitors; any thread */
	_Atomic bool monitors_behind; /* that was too much: the message that cuts them off is on its way; any thread */
	size_t monitor_count; /* clients of this worker that monitor; changed under the world or by the owner, read relaxed */
	uint64_t awake_ticks;                  /* clock_ticks when the last sleep ended */
	struct transaction *spare_transaction; /* for the next MULTI; NULL: none */
	uint32_t expire_at;                    /* the shard where active expiry goes on */
	bool expire_more;                      /* it did not finish its last round */
	uint32_t trim_at;                      /* the shard where store_trim goes on; worker 0 */

	struct worker_stats stats;
	struct command_stats *command_stats; /* by command id */
};

/* In the place of another worker, which sleeps: true when that is possible, and then it goes on sleeping until
 * worker_stand_back. The caller is inside, at a boundary, and holds no gate. No client may be freed meanwhile, since
 * the sleeper may wake up with an event of it in hand; what is left for it to do makes it wake up. */
__attribute__((warn_unused_result)) bool worker_stand_in(struct worker *w, struct worker *sleeper);
void worker_stand_back(struct worker *sleeper);

/* Accessors for handlers. */
struct config *worker_config(struct worker *w);
const struct command_table *worker_commands(const struct worker *w);
void worker_reset_stats(struct worker *w); /* of all workers; under the world */

/* Sets up the thread's structures; NULL-free or false with errno when descriptors are short. */
__attribute__((warn_unused_result)) bool worker_init(struct worker *w, struct server *s, unsigned index);
void worker_release(struct worker *w);

/* The loop; returns when the server stops. */
void worker_run(struct worker *w);

/* Sends a message to `w`; the message's function runs there. Any thread. */
static inline void worker_post(struct worker *w, struct message *m) {
	mailbox_send(&w->mailbox, m);
}

/* server/connection.c: the socket has something to read. */
void worker_read_client(struct worker *w, struct client *c);
/* After a pause: what the client's input buffer holds runs at its next turn. */
void worker_resume_client(struct worker *w, struct client *c);
/* After a wait: the same. */
void worker_unblock_client(struct worker *w, struct client *c);
/* Gives each client that has requests left another turn. */
void worker_run_yielded(struct worker *w);
/* The client is about to go. */
void worker_forget_yielded(struct worker *w, struct client *c);
/* The client is about to be freed: an event of this turn that is still to come names it no more. */
void worker_forget_events(struct worker *w, const struct client *c);

/* server/dispatch.c */
/* The command of a request under its present name, a container's subcommand if it names one, or the container itself if it
 * has none of that name. NULL: there is no such command. */
const struct command *dispatch_find_command(const struct server *s, unsigned argc, const struct slice *argv);
/* Finds the commands of the batch's requests, hashes their keys, prefetches. */
void dispatch_prepare(struct worker *w, struct client *c, unsigned count);
/* Runs one request; false when it must wait (CLIENT PAUSE) and was not run. */
__attribute__((warn_unused_result)) bool dispatch_run(struct worker *w, struct client *c, struct batch_item *item);

/* Runs one command of a transaction, whose gates are held, and counts it. The reply goes to `out`. */
struct queued;
void dispatch_run_queued(struct worker *w, struct client *c, const struct queued *q, struct buffer *out);

/* Runs the handler of one command of a run or transaction, whose gates are held. If that has the world and others are limited
 * beside it, a command that looks at what is theirs has them parked. */
void dispatch_run_inner(struct worker *w, struct call *call);

/* A command has run: statistics, slow log. It began at w->command_ticks. */
void dispatch_count(struct worker *w, struct client *c, const struct call *call);
/* The same for one that a script has called (`is_new`: not once more, after the script was started over), and for one that was
 * refused to it. */
void dispatch_count_inner(struct worker *w, const struct call *call, bool is_new);
void dispatch_count_refused(struct worker *w, const struct command *cmd, const struct reply *r);

/* CLIENT REPLY: takes back what the command has replied from there on. */
void dispatch_mute(struct worker *w, struct client *c, size_t reply_at);

/* Does what `after` says. On the owner, inside, holding no gate. */
void worker_do_after(struct worker *w);

/* server/upkeep.c: what is done by time. Inside. Returns microseconds until it wants to be called again. */
int64_t worker_upkeep(struct worker *w);

/* server/monitor.c: tells everybody who monitors of this command, passwords blanked out. */
void monitor_feed(
	struct worker *w, const struct client *c, const struct command *cmd, unsigned argc, const struct slice *argv);
/* Of one that a script has called. */
void monitor_feed_script(
	struct worker *w, const struct client *c, const struct command *cmd, unsigned argc, const struct slice *argv);
/* The client monitors no more, if it did. On its owner. */
void monitor_remove(struct client *c);

#endif
