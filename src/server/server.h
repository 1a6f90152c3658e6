/* server: what the workers share. Handed down by main; there is no global.
 *
 * Fields say who may touch them. Anything marked "world" is written under the world (see store/gate.h) or before the
 * workers start, and read by workers inside without a lock. */
#ifndef TARN_SERVER_SERVER_H
#define TARN_SERVER_SERVER_H

#include <stdatomic.h>

#include "settings/config.h"
#include "server/rates.h"
#include "settings/renames.h"
#include "settings/settings.h"
#include "server/slowlog.h"
#include "server/watch.h"
#include "server/worker.h"

enum { SERVER_MAX_LISTENERS = 32, SERVER_RUN_ID_CHARS = 40 };

struct listener {
	int fd;
	bool is_unix;
	int port; /* of a TCP listener, for opening it again */
	char address[64];
	struct server *server;
};

enum pause_mode { PAUSE_NONE, PAUSE_WRITES, PAUSE_ALL };

struct server {
	struct config *config;                /* world */
	const struct command_table *commands; /* constant */
	struct renames renames;               /* constant after the start */
	struct gate gate;
	struct store *store;
	struct watch_table watched;
	struct pubsub *pubsub; /* has locks of its own */
	struct blocking_table blocking;
	struct tracking tracking;
	struct worker *workers; /* constant after the start */
	unsigned worker_count;

	struct listener listeners[SERVER_MAX_LISTENERS]; /* worker 0 accepts; world for changes */
	unsigned listener_count;
	int spare_fd; /* worker 0's: given up for a moment when descriptors are short, see listen.c */

	_Atomic uint64_t next_client_id;
	_Atomic uint32_t connected; /* clients, for maxclients */
	_Atomic bool stopping;      /* workers leave their loops */
	_Atomic int exit_code;
	_Atomic int signal_received;    /* SIGTERM or SIGINT; looked at by worker 0 */
	_Atomic int64_t last_expiry_ms; /* wall time of the last round of active expiry, whoever did it */

	enum pause_mode pause;  /* world */
	int64_t pause_until_ms; /* world; wall time */
	bool active_expire;     /* world; DEBUG SET-ACTIVE-EXPIRE */

	const struct script_engine *engine; /* constant */
	_Atomic(void *) engine_state;       /* what the interpreter keeps for all workers; its own */
	_Atomic uint32_t long_runs;         /* runs of scripts that last; a hint, read relaxed */

	struct slowlog slowlog; /* has a lock */
	struct rates rates;     /* worker 0 samples, read by any worker */

	char run_id[SERVER_RUN_ID_CHARS + 1];
	char replication_id[SERVER_RUN_ID_CHARS + 1];
	int64_t started_ms; /* wall time */
	int64_t stats_reset_ms;
	_Atomic uint64_t peak_memory;
	_Atomic int64_t peak_memory_s;  /* when it was seen, since 1970 */
	_Atomic uint64_t denied_logins; /* wrong user or password in AUTH and HELLO; CONFIG RESETSTAT leaves it */
};

/* A database as a command of this worker sees it now. */
static inline struct view worker_view(struct worker *w, unsigned db) {
	struct view v = store_view(w->server->store, db, &w->stats.store, w);
	v.member = &w->member;
	v.now_ms = w->now_ms;
	return v;
}

/* Starts the workers and serves until told to stop; returns the process's exit code. The config is loaded already.
 * `engine`: the interpreter of scripts. */
int server_main(struct config *config, const struct command_table *commands, const struct script_engine *engine);

/* Makes every worker leave its loop after what it has in hand. Any thread, signal handlers too. */
void server_stop(struct server *s, int exit_code);

/* Calls `visit` for every client of every worker. Under the world. */
typedef void server_client_fn(void *context, struct client *c);
void server_each_client(struct server *s, server_client_fn *visit, void *context);

/* Recomputes the workers' attention flags. Under the world. */
void server_update_attention(struct server *s);

/* CLIENT PAUSE and UNPAUSE. Under the world. */
void server_pause(struct server *s, enum pause_mode mode, int64_t until_ms);
void server_unpause(struct server *s);

/* MONITOR on. Under the world. */
void server_add_monitor(struct server *s, struct client *c);

/* Sums over all workers; any thread. */
void server_sum_stats(const struct server *s, struct worker_stats *sum);
/* Remembers the most memory that was seen in use, and when. */
void server_note_memory(struct server *s, size_t used);
/* `sum->latency` saturates at 32 bits per worker; counts here are 64. */
struct command_sum {
	uint64_t calls, ns, rejected, failed;
	uint64_t latency[LATENCY_BUCKETS];
};
void server_sum_command(const struct server *s, unsigned command_id, struct command_sum *sum);

/* server/listen.c */
__attribute__((warn_unused_result)) bool server_listen(struct server *s);
/* Closes the TCP listeners and opens those that the settings name now. Under the world. */
__attribute__((warn_unused_result)) bool server_listen_again(struct server *s);
void server_close_listeners(struct server *s);
void server_accept(struct worker *w, struct listener *l);

/* Applies settings that have an effect on the running server: hands the settings module its hooks. */
void server_install_settings_hooks(struct server *s);

#endif
