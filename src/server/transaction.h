/* transaction: what a client has queued between MULTI and EXEC, and its run as one.
 *
 * The commands are copied, keys already hashed, into memory of the transaction's own. A transaction takes the union of its
 * commands' gates: the world when a command needs it or walks the keyspace, else the shards of all keys, the watched
 * ones included, in ascending order. Inside nobody else sees a half of it, and the view's clock stands still.
 *
 * Everything here runs on the client's owner. */
#ifndef TARN_SERVER_TRANSACTION_H
#define TARN_SERVER_TRANSACTION_H

#include "server/client.h"

struct batch_item;

/* A command that waits for EXEC. */
struct queued {
	struct queued *next;
	const struct command *command;
	unsigned argc;
	unsigned key_count;
	const struct slice *argv;
	const struct call_key_slot *keys;
};

struct transaction_chunk;

struct transaction {
	struct queued *first, *last;
	size_t count;
	size_t arg_bytes; /* of the queued arguments, as they came; client-query-buffer-limit bounds them */
	size_t bytes;     /* of memory, all in all */
	uint32_t flags;   /* the union of the commands' enum command_flags */
	bool failed;      /* something could not be queued: EXEC refuses */
	bool needs_world;
	bool has_script; /* it has the script mutex, too, and runs as a script does (scripting.h) */
	bool running;    /* EXEC is at it */
	/* Private: the memory behind the queue. */
	struct transaction_chunk *_chunks; /* newest first */
	char *_at, *_end;
	char *_inline;      /* the first bytes, in the same allocation */
	uint64_t _shards[]; /* a bit per shard with a key */
};

/* MULTI. The client has none yet. */
void transaction_begin(struct client *c);

/* Copies a command that has passed every check; answers QUEUED, or an error when there is no memory for it. */
void transaction_queue(struct client *c, const struct batch_item *item, struct reply *r);

/* A request was refused with what stands in the reply from `at` on: a transaction has failed by that. A refused EXEC ends
 * it, and says so. `cmd` NULL: unknown. */
void transaction_refused(struct client *c, const struct command *cmd, struct reply *r, size_t at);

/* EXEC: runs, answers, ends. The client has a transaction; the call holds no gate. */
void transaction_exec(struct call *call);

/* The parts of it, for a transaction with scripts: its gates, all or none (false); the run, under them; what comes after they
 * were let go. */
__attribute__((warn_unused_result)) bool transaction_enter(struct worker *w, struct client *c);
void transaction_run(struct call *call);
void transaction_ended(struct call *call);
/* The set of gates that transaction_enter has taken, unless it took the world. */
uint64_t *transaction_gates(const struct client *c);

/* DISCARD, RESET, a disconnect: ends the transaction, if there is one, and the client's watching. No gate is held. */
void transaction_end(struct client *c);

/* Whether the command in hand is one of a transaction: then it must not block, and gates are not its business. */
static inline bool transaction_runs(const struct client *c) {
	return c->transaction && c->transaction->running;
}

/* Whether EXEC would run a command with one of these flags. */
static inline bool transaction_has(const struct client *c, const struct command *cmd, uint32_t flags) {
	return c->transaction && c->transaction->flags & flags && strcmp(cmd->full_name, "exec") == 0;
}

/* Memory of the queue and of the watched keys. */
size_t transaction_memory(const struct client *c);

/* Frees what the worker keeps for the next MULTI. */
void transaction_free_spare(struct worker *w);

#endif
