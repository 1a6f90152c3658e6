#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "server/crash.h"
#include "server/hooks.h"
#include "server/process.h"
#include "server/scripting.h"
#include "store/reclaim.h"

/* Shards: enough that two of several dozen workers seldom meet in one, few enough that a walk over them costs little. */
enum { SHARDS = 1024 };

/* ---- Everybody's clients, figures and flags ---- */

void server_each_client(struct server *s, server_client_fn *visit, void *context) {
	for (unsigned i = 0; i < s->worker_count; i++) {
		struct client *next;
		for (struct client *c = s->workers[i].clients; c; c = next) {
			next = c->next;
			visit(context, c);
		}
	}
}

void server_update_attention(struct server *s) {
	uint32_t attention = 0;
	if (s->pause != PAUSE_NONE) attention |= ATTENTION_PAUSE;
	for (unsigned i = 0; i < s->worker_count; i++)
		if (STAT_READ(s->workers[i].monitor_count) > 0) attention |= ATTENTION_MONITOR;
	for (unsigned i = 0; i < s->worker_count; i++) s->workers[i].attention = attention;
}

void server_pause(struct server *s, enum pause_mode mode, int64_t until_ms) {
	/* As in Redis a second pause only extends the first: the stricter mode and the later end hold. */
	if (s->pause != PAUSE_NONE && clock_wall_ms() < s->pause_until_ms) {
		if (s->pause > mode) mode = s->pause;
		if (s->pause_until_ms > until_ms) until_ms = s->pause_until_ms;
	}
	s->pause = mode;
	s->pause_until_ms = until_ms;
	server_update_attention(s);
}

static void wake_up(struct worker *owner, struct message *m) {
	(void)owner;
	mem_free(m);
}

void server_unpause(struct server *s) {
	s->pause = PAUSE_NONE;
	s->pause_until_ms = 0;
	server_update_attention(s);
	for (unsigned i = 0; i < s->worker_count; i++) {
		struct message *m = mem_alloc(sizeof(*m));
		m->run = wake_up;
		worker_post(&s->workers[i], m);
	}
}

static void add_store_stats(struct store_stats *sum, const struct store_stats *one) {
	sum->keyspace_hits += STAT_READ(one->keyspace_hits);
	sum->keyspace_misses += STAT_READ(one->keyspace_misses);
	sum->expired_keys += STAT_READ(one->expired_keys);
	sum->expired_fields += STAT_READ(one->expired_fields);
	sum->evicted_keys += STAT_READ(one->evicted_keys);
	sum->changes += STAT_READ(one->changes);
	sum->databases |= STAT_READ(one->databases);
}

void server_sum_stats(const struct server *s, struct worker_stats *sum) {
	*sum = (struct worker_stats){ 0 };
	for (unsigned i = 0; i < s->worker_count; i++) {
		const struct worker_stats *one = &s->workers[i].stats;
		sum->commands += STAT_READ(one->commands);
		sum->connections += STAT_READ(one->connections);
		sum->rejected_connections += STAT_READ(one->rejected_connections);
		sum->net_in += STAT_READ(one->net_in);
		sum->net_out += STAT_READ(one->net_out);
		sum->error_replies += STAT_READ(one->error_replies);
		sum->reads += STAT_READ(one->reads);
		sum->writes += STAT_READ(one->writes);
		sum->turns += STAT_READ(one->turns);
		sum->busy_ns += STAT_READ(one->busy_ns);
		uint64_t turn_ns = STAT_READ(one->longest_turn_ns);
		if (turn_ns > sum->longest_turn_ns) sum->longest_turn_ns = turn_ns;
		sum->query_buffer_closes += STAT_READ(one->query_buffer_closes);
		sum->output_buffer_closes += STAT_READ(one->output_buffer_closes);
		add_store_stats(&sum->store, &one->store);
	}
}

void server_note_memory(struct server *s, size_t used) {
	uint64_t peak = atomic_load_explicit(&s->peak_memory, memory_order_relaxed);
	while (peak < used) {
		if (!atomic_compare_exchange_weak_explicit(
			    &s->peak_memory, &peak, used, memory_order_relaxed, memory_order_relaxed))
			continue;
		atomic_store_explicit(&s->peak_memory_s, clock_wall_ms() / 1000, memory_order_relaxed);
		return;
	}
}

void server_sum_command(const struct server *s, unsigned command_id, struct command_sum *sum) {
	*sum = (struct command_sum){ 0 };
	for (unsigned i = 0; i < s->worker_count; i++) {
		const struct command_stats *one = &s->workers[i].command_stats[command_id];
		sum->calls += STAT_READ(one->calls);
		sum->ns += STAT_READ(one->ns);
		sum->rejected += STAT_READ(one->rejected);
		sum->failed += STAT_READ(one->failed);
		if (STAT_READ(one->calls) == 0) continue;
		for (unsigned b = 0; b < LATENCY_BUCKETS; b++) sum->latency[b] += STAT_READ(one->latency[b]);
	}
}

/* ---- Settings at run time ---- */

static void apply_log_level(const struct settings *settings) {
	static const enum log_level levels[] = { LEVEL_DEBUG, LEVEL_VERBOSE, LEVEL_NOTICE, LEVEL_WARNING,
		LEVEL_NOTHING };
	log_set_level(levels[settings->loglevel]);
}

static struct type_limits limits_of(const struct settings *settings) {
	return (struct type_limits){
		.hash_max_listpack_entries = (size_t)settings->hash_max_listpack_entries,
		.hash_max_listpack_value = (size_t)settings->hash_max_listpack_value,
		.list_max_listpack_size = settings->list_max_listpack_size,
		.list_compress_depth = settings->list_compress_depth,
		.set_max_intset_entries = (size_t)settings->set_max_intset_entries,
		.set_max_listpack_entries = (size_t)settings->set_max_listpack_entries,
		.set_max_listpack_value = (size_t)settings->set_max_listpack_value,
		.zset_max_listpack_entries = (size_t)settings->zset_max_listpack_entries,
		.zset_max_listpack_value = (size_t)settings->zset_max_listpack_value,
		.hll_sparse_max_bytes = (size_t)settings->hll_sparse_max_bytes,
		.stream_node_max_bytes = (size_t)settings->stream_node_max_bytes,
		.stream_node_max_entries = (size_t)settings->stream_node_max_entries,
	};
}

static void apply_policy(struct server *s) {
	const struct settings *settings = &s->config->values;
	struct store_policy policy = {
		.lfu = settings->maxmemory_policy == MAXMEMORY_POLICY_ALLKEYS_LFU ||
		       settings->maxmemory_policy == MAXMEMORY_POLICY_VOLATILE_LFU,
		.lfu_log_factor = (unsigned)settings->lfu_log_factor,
		.lfu_decay_minutes = (unsigned)settings->lfu_decay_time,
		.tells_overwritten = settings->notify_keyspace_events & (EVENT_OVERWRITTEN | EVENT_TYPE_CHANGED),
		.limits = limits_of(settings),
	};
	store_set_policy(s->store, &policy);
}

static bool hook_log(void *context, const struct settings *settings, char error[SETTINGS_ERROR_MAX]) {
	(void)context, (void)error;
	apply_log_level(settings);
	return true;
}

static bool hook_memory(void *context, const struct settings *settings, char error[SETTINGS_ERROR_MAX]) {
	(void)settings, (void)error;
	apply_policy(context);
	return true;
}

static bool hook_encodings(void *context, const struct settings *settings, char error[SETTINGS_ERROR_MAX]) {
	(void)settings, (void)error;
	apply_policy(context);
	return true;
}

static bool hook_notifications(void *context, const struct settings *settings, char error[SETTINGS_ERROR_MAX]) {
	(void)settings, (void)error;
	apply_policy(context);
	return true;
}

static bool hook_port(void *context, const struct settings *settings, char error[SETTINGS_ERROR_MAX]) {
	(void)settings;
	if (server_listen_again(context)) return true;
	snprintf(error, SETTINGS_ERROR_MAX, "Unable to listen on this port. Check server logs.");
	return false;
}

static bool hook_bind(void *context, const struct settings *settings, char error[SETTINGS_ERROR_MAX]) {
	(void)settings;
	if (server_listen_again(context)) return true;
	snprintf(error, SETTINGS_ERROR_MAX, "Failed to bind to specified addresses.");
	return false;
}

static bool hook_maxclients(void *context, const struct settings *settings, char error[SETTINGS_ERROR_MAX]) {
	(void)context;
	int64_t possible = process_possible_clients(settings->maxclients);
	if (possible >= settings->maxclients) return true;
	snprintf(error, SETTINGS_ERROR_MAX,
		"The operating system is not able to handle the specified number of clients, try with %lld",
		(long long)possible);
	return false;
}

static void let_in(void *context, struct client *c) {
	(void)context;
	c->flags |= CLIENT_AUTHENTICATED;
}

/* As in Redis a new password leaves alone who is in already, and without a password everybody is. */
static bool hook_requirepass(void *context, const struct settings *settings, char error[SETTINGS_ERROR_MAX]) {
	(void)error;
	if (!settings->requirepass[0]) server_each_client(context, let_in, NULL);
	return true;
}

static bool hook_dir(void *context, const struct settings *settings, char error[SETTINGS_ERROR_MAX]) {
	(void)context;
	if (chdir(settings->dir) == 0) return true;
	snprintf(error, SETTINGS_ERROR_MAX, "Changing directory: %s", strerror(errno));
	return false;
}

static bool hook_allocator(void *context, const struct settings *settings, char error[SETTINGS_ERROR_MAX]) {
	(void)context;
	if (mem_set_background_purge(settings->jemalloc_bg_thread)) return true;
	snprintf(error, SETTINGS_ERROR_MAX, "The allocator can't start its thread.");
	return false;
}

static bool hook_title(void *context, const struct settings *settings, char error[SETTINGS_ERROR_MAX]) {
	(void)context, (void)error;
	process_set_title(settings);
	return true;
}

void server_install_settings_hooks(struct server *s) {
	static const struct settings_hooks hooks = {
		.log = hook_log,
		.memory = hook_memory,
		.encodings = hook_encodings,
		.notifications = hook_notifications,
		.port = hook_port,
		.bind = hook_bind,
		.maxclients = hook_maxclients,
		.requirepass = hook_requirepass,
		.title = hook_title,
		.allocator = hook_allocator,
		.dir = hook_dir,
	};
	s->config->hooks = &hooks;
	s->config->hooks_context = s;
}

/* ---- Life ---- */

static unsigned worker_count(const struct settings *settings) {
	if (settings->threads > 0) return (unsigned)settings->threads;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	return cores > 0 && cores <= GATE_MAX_MEMBERS ? (unsigned)cores : 1;
}

static void open_log(const struct settings *settings) {
	static const int facilities[] = { LOG_USER, LOG_LOCAL0, LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3, LOG_LOCAL4,
		LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7 };
	log_set_file(settings->logfile);
	if (settings->syslog_enabled)
		log_set_syslog(true, settings->syslog_ident, facilities[settings->syslog_facility]);
}

/* What a file may ask for and this version cannot give is said at the start: silence would pass for a promise. */
static void announce_absences(const struct settings *settings) {
	const struct {
		bool asked;
		const char *name;
	} absent[] = {
		{ settings->maxmemory > 0, "maxmemory" },
		{ settings->appendonly, "appendonly" },
		{ settings->aclfile[0] != '\0', "aclfile" },
		{ settings->replicaof.host && settings->replicaof.host[0], "replicaof" },
		{ settings->cluster_enabled, "cluster-enabled" },
		{ settings->tls_port > 0, "tls-port" },
	};
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		if (absent[i].asked) log_warning("Warning: %s has no effect in this version.", absent[i].name);
	log_notice("Data is kept in memory only: what is there is gone when the server ends.");
}

static bool set_up(struct server *s, struct config *config, const struct command_table *commands) {
	struct settings *settings = &config->values;
	log_set_role('M');
	s->config = config;
	s->commands = commands;
	s->active_expire = true;
	s->started_ms = s->stats_reset_ms = clock_wall_ms();
	atomic_init(&s->next_client_id, 1);
	random_hex(s->run_id, SERVER_RUN_ID_CHARS / 2);
	random_hex(s->replication_id, SERVER_RUN_ID_CHARS / 2);
	process_limit_huge_pages(settings);
	renames_init(&s->renames, settings, commands->lookup);
	announce_absences(settings);
	if (!process_fit_open_files(&settings->maxclients)) return false;
	gate_init(&s->gate, SHARDS);
	s->store = store_new(&s->gate, (unsigned)settings->databases, &server_store_hooks, s);
	watch_table_init(&s->watched, s->store);
	blocking_table_init(&s->blocking, SHARDS);
	unsigned count = worker_count(settings);
	tracking_init(&s->tracking, SHARDS, count);
	s->pubsub = pubsub_new(count);
	s->workers = mem_alloc_aligned(64, count * sizeof(s->workers[0]));
	memset(s->workers, 0, count * sizeof(s->workers[0]));
	for (; s->worker_count < count; s->worker_count++) {
		if (worker_init(&s->workers[s->worker_count], s, s->worker_count)) continue;
		log_warning("Can't set up worker %u: %s", s->worker_count, strerror(errno));
		return false;
	}
	apply_policy(s);
	server_install_settings_hooks(s);
	return true;
}

static void *worker_thread(void *arg) {
	struct worker *w = arg;
	char name[WORKER_NAME_BYTES];
	snprintf(name, sizeof(name), "tarn-worker-%u", w->index % 1000);
	pthread_setname_np(pthread_self(), name);
	worker_run(w);
	return NULL;
}

/* Signals are worker 0's, which is the main thread. */
static bool start_workers(struct server *s) {
	sigset_t all, before;
	sigfillset(&all);
	/* A crash is reported by the thread that crashes. */
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	bool ok = true;
	for (unsigned i = 1; i < s->worker_count && ok; i++) {
		ok = pthread_create(&s->workers[i].thread, NULL, worker_thread, &s->workers[i]) == 0;
		if (!ok) log_warning("Can't start worker thread %u: %s", i, strerror(errno));
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ok;
}

static void announce(const struct server *s) {
	const struct settings *settings = &s->config->values;
	bool tcp = false, local = false;
	for (unsigned i = 0; i < s->listener_count; i++) {
		tcp |= !s->listeners[i].is_unix;
		local |= s->listeners[i].is_unix;
	}
	if (tcp) log_notice("Ready to accept connections tcp");
	if (local)
		log_notice("Ready to accept connections unix (The server is now ready to accept connections at %s)",
			settings->unixsocket);
	process_notify(settings, "STATUS=Ready to accept connections\nREADY=1\n");
}

void server_stop(struct server *s, int exit_code) {
	atomic_store_explicit(&s->exit_code, exit_code, memory_order_relaxed);
	/* Release pairs with the acquire in worker_run. */
	atomic_store_explicit(&s->stopping, true, memory_order_release);
	uint64_t one = 1;
	for (unsigned i = 0; i < s->worker_count; i++) {
		ssize_t done = write(mailbox_fd(&s->workers[i].mailbox), &one, sizeof(one));
		(void)done;
	}
}

static void say_goodbye(struct server *s) {
	const struct settings *settings = &s->config->values;
	process_notify(settings, "STOPPING=1\n");
	process_remove_pidfile(settings);
	server_close_listeners(s);
	for (unsigned i = 0; i < s->worker_count; i++) {
		for (struct client *c = s->workers[i].clients; c; c = c->next)
			while (c->out_first && client_flush(c)) continue;
		while (mailbox_run(&s->workers[i].mailbox, &s->workers[i])) continue;
	}
	log_warning("Tarn is now ready to exit, bye bye...");
}

/* After say_goodbye, or after a start that failed somewhere on the way. */
static void release(struct server *s) {
	for (unsigned i = 0; i < s->worker_count; i++) worker_release(&s->workers[i]);
	if (s->engine) s->engine->release(s);
	watch_table_release(&s->watched);
	blocking_table_release(&s->blocking);
	tracking_release(&s->tracking);
	if (s->pubsub) pubsub_free(s->pubsub);
	renames_release(&s->renames);
	slowlog_reset(&s->slowlog);
	/* A release build leaves the keyspace to the system, which takes it back at once; a watched one shows leaks. */
#ifndef NDEBUG
	if (s->store) store_free(s->store);
	reclaim_drain();
	if (s->gate.shards) gate_release(&s->gate);
#endif
	mem_free(s->workers);
	mem_free(s);
}

/* False when the start failed; the log says why. */
static bool start(struct server *s, struct config *config, const struct command_table *commands,
	const struct script_engine *engine) {
	s->engine = engine;
	struct settings *settings = &config->values;
	if (!log_try_file(settings->logfile)) {
		fprintf(stderr, "Can't open the log file %s: %s\n", settings->logfile, strerror(errno));
		return false;
	}
	open_log(settings);
	apply_log_level(settings);
	if (settings->daemonize && !process_daemonize()) return false;
	log_notice("oO0OoO0OoO0Oo Tarn is starting oO0OoO0OoO0Oo");
	log_notice(
		"Tarn version=%s, bits=%d, pid=%d, just started", TARN_VERSION, (int)sizeof(long) * 8, (int)getpid());
	if (config->is_bare)
		log_warning("Warning: no config file specified, using the default config. In order to specify a config "
			    "file use tarn-server /path/to/redis.conf");
	log_notice("Configuration loaded");
	if (!set_up(s, config, commands) || !server_listen(s)) return false;
	process_write_pidfile(settings);
	process_set_title(settings);
	process_catch_signals(&s->signal_received, &s->workers[0].mailbox);
	if (settings->crash_log_enabled) crash_install(s);
	if (!mem_set_background_purge(settings->jemalloc_bg_thread))
		log_warning("The allocator's thread can't be started or stopped (jemalloc-bg-thread).");
	log_notice("Running mode=standalone, port=%d, threads=%u.", (int)settings->port, s->worker_count);
	log_notice("Server initialized");
	/* Some of them may run already, and nothing is worth keeping yet. */
	if (!start_workers(s)) _exit(1);
	announce(s);
	return true;
}

int server_main(struct config *config, const struct command_table *commands, const struct script_engine *engine) {
	struct server *s = mem_calloc(sizeof(*s));
	if (!start(s, config, commands, engine)) {
		release(s);
		return 1;
	}
	worker_run(&s->workers[0]);
	for (unsigned i = 1; i < s->worker_count; i++) pthread_join(s->workers[i].thread, NULL);
	int code = atomic_load_explicit(&s->exit_code, memory_order_relaxed);
	say_goodbye(s);
	release(s);
	return code;
}
