/* client: one connection, owned by one worker for life.
 *
 * Every field is the owning worker's, but others may read and change the plain fields under the world (CLIENT LIST, KILL):
 * then the owner stands at a command boundary. Only the owner reads and writes the socket. */
#ifndef TARN_SERVER_CLIENT_H
#define TARN_SERVER_CLIENT_H

#include "base/buffer.h"
#include "resp/request.h"
#include "server/command.h"
#include "server/pubsub.h"

struct blocked;     /* server/blocking.h */
struct tracker;     /* server/tracking.h */
struct script_try;  /* server/scripting.h */
struct transaction; /* server/transaction.h */
struct watches;     /* server/watch.h */
struct worker;

enum client_flags {
	CLIENT_AUTHENTICATED = 1 << 0,
	CLIENT_UNIX = 1 << 1,
	CLIENT_CLOSE_AFTER_REPLY = 1 << 2, /* QUIT, protocol errors: what is written goes out, then the end */
	CLIENT_CLOSE_NOW = 1 << 3,         /* closed at the owner's next step */
	CLIENT_REPLY_OFF = 1 << 4,         /* CLIENT REPLY OFF */
	CLIENT_REPLY_SKIP = 1 << 5,        /* this command's reply is dropped */
	CLIENT_REPLY_SKIP_NEXT = 1 << 6,   /* CLIENT REPLY SKIP was just said */
	CLIENT_MONITOR = 1 << 7,
	CLIENT_NO_EVICT = 1 << 8,
	CLIENT_NO_TOUCH = 1 << 9,
	CLIENT_PAUSED = 1 << 10,      /* waits for the end of CLIENT PAUSE; its input is kept */
	CLIENT_WANTS_WRITE = 1 << 11, /* registered for POLLER_WRITE */
	CLIENT_YIELDED = 1 << 13,     /* its turn was over before its requests were; it stands in worker.yielded */
	CLIENT_BLOCKED = 1 << 15,     /* waits for a key, see blocking.h; its input is kept */
	CLIENT_INPUT_WAITS = 1 << 16, /* it said more while it is blocked: that is not watched any more */
	CLIENT_PUSHED = 1 << 14,      /* it got a push message in this turn; it stands in worker.pushed */
	CLIENT_REMEMBERS = 1 << 17,   /* the keys that it reads are remembered, see tracking.h */
	CLIENT_IN_SCRIPT = 1 << 19,   /* its command is a run that lasts, see scripting.h; its input is kept */
	CLIENT_PUT_OFF = 1 << 20,     /* its command was tried and waits for a gate; with CLIENT_PAUSED */
	CLIENT_CACHING = 1 << 18,     /* it said CLIENT CACHING, and the command meant is still to come */
};

/* A piece of output that the socket did not take yet. */
struct output_chunk {
	struct output_chunk *next;
	struct buffer bytes;
};

struct client {
	uint64_t id;
	struct worker *worker;
	struct client *prev, *next;                 /* the worker's clients */
	struct client *next_yielded, *next_monitor; /* worker.yielded, worker.monitors */
	struct client *next_pushed, **pushed_at;    /* worker.pushed */
	int fd;
	uint32_t flags; /* enum client_flags */
	uint8_t proto;  /* 2 or 3 */
	unsigned db;
	struct request_parser parser;
	struct buffer in;                /* bytes of a request that is not complete yet */
	struct transaction *transaction; /* NULL outside MULTI */
	struct watches *watches;         /* NULL while it watches no key */
	struct subscriber subscriber;
	struct blocked *blocked;       /* NULL unless CLIENT_BLOCKED */
	struct tracker *tracker;       /* NULL before it tracks or is redirected to */
	struct script_try *script_try; /* of its script that was put off; mostly NULL */

	struct output_chunk *out_first, *out_last;
	size_t out_sent;             /* bytes of out_first that are gone */
	size_t out_bytes;            /* waiting, all chunks */
	size_t out_count;            /* chunks */
	int64_t soft_limit_since_ms; /* 0: below the soft output limit */

	char *name; /* CLIENT SETNAME; NULL: none */
	char *lib_name, *lib_ver;
	char *peer, *local;                 /* "127.0.0.1:50001" */
	const char *user;                   /* "default" */
	const struct command *last_command; /* NULL before the first, and when the last was none that there is */
	int64_t created_ms, active_ms;      /* wall time */
	uint64_t commands;
	uint64_t net_in, net_out; /* bytes */
};

/* Takes a connected socket over. NULL, the socket closed, when it cannot be watched. Runs on `worker`. */
struct client *client_new(struct worker *worker, int fd, uint64_t id, uint32_t flags, const char *unix_path);

/* Closes the socket and frees everything. On the owner, outside any use of the client. While a run of it lasts that is put
 * off to the run's end, which comes as in Redis; nothing is read from it or sent to it any more. */
void client_free(struct client *c);

/* Marks the client for closing and makes its owner do it soon. Owner, or anyone under the world. */
void client_kill(struct client *c);

/* Puts bytes that are no reply to a command of this client (MONITOR, push messages) behind what waits for it, behind the
 * reply of the command that it runs just now. They leave at the end of the worker's turn. On the owner. May mark the client
 * CLIENT_CLOSE_NOW. */
void client_push(struct client *c, struct slice bytes);

/* The end of the turn: sends what was pushed. Outside any use of a client. */
void client_flush_pushed(struct worker *w);

/* The same in the place of the owner (worker_stand_in): who has to be freed is left to it. Whether there is anybody. */
bool client_flush_asleep(struct worker *w);

/* Writes what waits, about a mebibyte at most, since others wait as well; false when the socket takes no more. May mark
 * the client CLIENT_CLOSE_NOW. */
bool client_flush(struct client *c);

/* If its last reply was written: CLIENT_CLOSE_NOW, once that is sent. */
void client_close_when_said(struct client *c);

/* Tells the poller what this client waits for, after a change of its flags. */
void client_watch(struct client *c);

/* Hands the bytes of `out` to the socket, behind what waits already; keeps what it does not take. `out` is empty after. */
void client_send(struct client *c, struct buffer *out);

/* Kills the client when more waits than client-output-buffer-limit allows for its class; says so in the log. */
void client_check_output(struct client *c);
/* Kills it as if that were so. */
void client_cut_off(struct client *c);

/* Whether it comes from this machine. */
bool client_is_local(const struct client *c);

/* Memory that this client takes. */
size_t client_memory(const struct client *c);

void client_set_text(char **field, struct slice text); /* frees the old; empty means NULL */

/* A line of CLIENT LIST, without line end. Under the world or on the owner. */
void client_describe(const struct client *c, struct buffer *line);

/* The order is that of enum settings_output_class. */
enum client_class { CLIENT_CLASS_NORMAL, CLIENT_CLASS_REPLICA, CLIENT_CLASS_PUBSUB };
enum client_class client_class(const struct client *c);

#endif
