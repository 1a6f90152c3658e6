#include "server/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "server/rates.h"
#include "server/server.h"
#include "store/reclaim.h"

#define STRINGIFY(x) STRINGIFY_IT(x)
#define STRINGIFY_IT(x) #x
#ifdef __clang__
#define COMPILER_VERSION STRINGIFY(__clang_major__) "." STRINGIFY(__clang_minor__) "." STRINGIFY(__clang_patchlevel__)
#else
#define COMPILER_VERSION STRINGIFY(__GNUC__) "." STRINGIFY(__GNUC_MINOR__) "." STRINGIFY(__GNUC_PATCHLEVEL__)
#endif

/* ---- Gathering ---- */

static const char *supervised_by(const struct settings *settings) {
	bool finds_out = settings->supervised == SUPERVISED_AUTO;
	if (settings->supervised == SUPERVISED_SYSTEMD || (finds_out && getenv("NOTIFY_SOCKET"))) return "systemd";
	if (settings->supervised == SUPERVISED_UPSTART || (finds_out && getenv("UPSTART_JOB"))) return "upstart";
	return "no";
}

static void gather_server(struct figures *f, const struct server *s) {
	const struct settings *settings = &s->config->values;
	struct utsname os;
	if (uname(&os) == 0) snprintf(f->os, sizeof(f->os), "%.80s %.80s %.80s", os.sysname, os.release, os.machine);
	ssize_t len = readlink("/proc/self/exe", f->executable, sizeof(f->executable) - 1);
	f->executable[len > 0 ? len : 0] = '\0';
	f->redis_version = TARN_REDIS_VERSION;
	f->tarn_version = TARN_VERSION;
	f->mode = "standalone";
	f->gcc_version = COMPILER_VERSION;
	f->supervised = supervised_by(settings);
	f->config_file = s->config->path ? s->config->path : "";
	memcpy(f->run_id, s->run_id, sizeof(f->run_id));
	f->arch_bits = (int64_t)sizeof(void *) * 8;
	f->pid = getpid();
	f->port = settings->port;
	f->now_us = clock_wall_us();
	f->uptime_s = (f->now_us / 1000 - s->started_ms) / 1000;
	f->uptime_days = f->uptime_s / ((int64_t)24 * 60 * 60);
	f->hz = settings->hz;
	f->lru_clock = f->now_us / 1000000 & 0xffffff;
	f->threads = s->worker_count;
}

static void gather_clients(struct figures *f, const struct server *s) {
	f->maxclients = s->config->values.maxclients;
	f->watching_clients = (int64_t)watch_table_clients(&s->watched);
	for (unsigned i = 0; i < s->worker_count; i++) {
		const struct worker *w = &s->workers[i];
		f->subscribers += (int64_t)STAT_READ(w->subscriber_count);
		f->blocked += (int64_t)STAT_READ(w->blocking.count);
		f->blocked_for_a_time += (int64_t)STAT_READ(w->blocking._heap_count);
	}
	f->watched_keys = (int64_t)watch_table_keys(&s->watched);
	f->blocking_keys = (int64_t)blocking_keys(&s->blocking);
	f->blocking_keys_wanted_to_end = (int64_t)blocking_keys_wanted_to_end(&s->blocking);
	for (unsigned i = 0; i < s->worker_count; i++) f->clients += (int64_t)STAT_READ(s->workers[i].client_count);
	/* What waits in buffers is known to each client's owner alone, and not worth stopping them for. */
	f->client_bytes = f->clients * (int64_t)mem_size_class(sizeof(struct client));
}

/* A walk over the shards of the databases that ever held a key: INFO is asked often, and a walk over 16 empty ones takes a
 * fifth of a millisecond. */
static void gather_store(struct figures *f, const struct server *s, struct view *v) {
	struct worker_stats sum;
	server_sum_stats(s, &sum);
	f->db_count = store_db_count(v->store);
	f->dbs = mem_calloc(f->db_count * sizeof(f->dbs[0]));
	for (unsigned db = 0; db < f->db_count; db++) {
		if (!(sum.store.databases & store_db_bit(db))) continue;
		struct view in_db = view_in_db(v, db);
		store_totals(&in_db, &f->dbs[db]);
		f->keys += (int64_t)f->dbs[db].keys;
		f->entry_bytes += (int64_t)f->dbs[db].entry_bytes;
		f->table_bytes += (int64_t)f->dbs[db].table_bytes;
		f->index_bytes += (int64_t)f->dbs[db].index_bytes;
	}
}

static double ratio(int64_t of, int64_t to) {
	return to > 0 ? (double)of / (double)to : 0;
}

static int64_t above_zero(int64_t n) {
	return n > 0 ? n : 0;
}

static void gather_allocator(struct figures *f) {
	struct mem_stats stats;
	mem_stats_read(&stats);
	f->used = f->allocated = (int64_t)stats.allocated;
	f->active = (int64_t)stats.active;
	f->resident = (int64_t)stats.resident;
	f->muzzy = (int64_t)stats.muzzy;
	f->rss = (int64_t)mem_resident_bytes();
	f->system = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	f->allocator = mem_allocator_name();
	f->fragmentation_bytes = f->active - f->allocated;
	f->fragmentation_ratio = ratio(f->active, f->allocated);
	f->resident_excess = f->resident - f->active;
	f->resident_ratio = ratio(f->resident, f->active);
	f->rss_excess = f->rss - f->resident;
	f->rss_ratio = ratio(f->rss, f->resident);
	f->rss_over_used = f->rss - f->used;
	f->rss_over_used_ratio = ratio(f->rss, f->used);
}

/* Redis's terms: overhead is what the server needs besides the data, its start included; the data are the rest. */
static void gather_memory(struct figures *f, struct server *s) {
	static const char *const policies[] = { "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
		"allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction" };
	gather_allocator(f);
	server_note_memory(s, (size_t)f->used);
	f->peak = (int64_t)atomic_load_explicit(&s->peak_memory, memory_order_relaxed);
	f->peak_s = atomic_load_explicit(&s->peak_memory_s, memory_order_relaxed);
	f->maxmemory = (int64_t)s->config->values.maxmemory;
	f->policy = policies[s->config->values.maxmemory_policy];
	f->startup = (int64_t)rates_startup_bytes(&s->rates);
	f->overhead = f->startup + f->client_bytes + f->table_bytes + f->index_bytes;
	f->dataset = above_zero(f->used - f->overhead);
	f->peak_percent = 100 * ratio(f->used, f->peak);
	f->dataset_percent = 100 * ratio(f->dataset, above_zero(f->used - f->startup));
	f->bytes_per_key = f->keys > 0 ? above_zero(f->used - f->startup) / f->keys : 0;
	f->lazyfree_pending = (int64_t)reclaim_pending();
	f->lazyfree_done = (int64_t)reclaim_done();
}

static void gather_tracking(struct figures *f, const struct server *s) {
	struct tracking_figures counted;
	tracking_count(&s->tracking, &counted);
	f->tracking_clients = (int64_t)counted.clients;
	f->tracked_keys = (int64_t)counted.keys;
	f->tracked_items = (int64_t)counted.items;
	f->tracked_prefixes = (int64_t)counted.prefixes;
}

static uint64_t command_ns(const struct server *s, const struct command *commands, size_t count) {
	uint64_t ns = 0;
	for (size_t i = 0; i < count; i++) {
		for (unsigned w = 0; w < s->worker_count; w++)
			ns += STAT_READ(s->workers[w].command_stats[commands[i].id].ns);
		ns += command_ns(s, commands[i].subcommands, commands[i].subcommand_count);
	}
	return ns;
}

/* Redis has one loop and these figures for it; here they are sums over the workers' loops. */
static void gather_turns(struct figures *f, const struct server *s) {
	const struct command_table *table = worker_commands(&s->workers[0]);
	double busy_us_per_second = 0; /* one percent of a core is 10,000 us per second */
	for (unsigned i = 0; i < s->worker_count; i++) busy_us_per_second += rates_busy_percent(&s->rates, i) * 10000;
	f->busy_us = (int64_t)(f->sum.busy_ns / 1000);
	f->command_us = (int64_t)(command_ns(s, table->commands, table->count) / 1000);
	f->turns_per_second = (int64_t)rates_per_second(&s->rates, RATE_TURNS);
	f->turn_us = f->turns_per_second > 0 ? (int64_t)(busy_us_per_second / (double)f->turns_per_second) : 0;
}

static void gather_stats(struct figures *f, const struct server *s) {
	server_sum_stats(s, &f->sum);
	f->changes = (int64_t)f->sum.store.changes;
	f->denied_logins = (int64_t)atomic_load_explicit(&s->denied_logins, memory_order_relaxed);
	f->started_s = s->started_ms / 1000;
	f->ops_per_second = (int64_t)rates_per_second(&s->rates, RATE_COMMANDS);
	f->channels = (int64_t)pubsub_channels(s->pubsub, TOPIC_CHANNEL);
	f->shard_channels = (int64_t)pubsub_channels(s->pubsub, TOPIC_SHARD);
	f->patterns = (int64_t)pubsub_patterns(s->pubsub);
	gather_turns(f, s);
	f->longest_turn_us = (int64_t)(f->sum.longest_turn_ns / 1000);
	f->kib_in_per_second = (double)rates_per_second(&s->rates, RATE_NET_IN) / 1024;
	f->kib_out_per_second = (double)rates_per_second(&s->rates, RATE_NET_OUT) / 1024;
}

static int64_t timeval_us(struct timeval t) {
	return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

/* The main thread is worker 0, whichever worker asks. Its time is counted in the kernel's ticks of 10 ms. */
static void gather_main_thread(struct figures *f) {
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)getpid());
	FILE *file = fopen(path, "re");
	if (!file) return;
	unsigned long user = 0, system = 0;
	/* The name in parentheses may hold blanks, but no closing parenthesis of ours. */
	if (fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2) {
		int64_t tick_us = 1000000 / sysconf(_SC_CLK_TCK);
		f->cpu_user_main_us = (int64_t)user * tick_us;
		f->cpu_system_main_us = (int64_t)system * tick_us;
	}
	fclose(file);
}

static void gather_cpu(struct figures *f, const struct server *s) {
	struct rusage own, children;
	getrusage(RUSAGE_SELF, &own);
	getrusage(RUSAGE_CHILDREN, &children);
	f->cpu_system_us = timeval_us(own.ru_stime);
	f->cpu_user_us = timeval_us(own.ru_utime);
	f->cpu_system_children_us = timeval_us(children.ru_stime);
	f->cpu_user_children_us = timeval_us(children.ru_utime);
	gather_main_thread(f);
	for (unsigned i = 0; i < s->worker_count; i++) f->busy_percent += rates_busy_percent(&s->rates, i);
}

static void gather_replication(struct figures *f, const struct server *s) {
	f->backlog_size = (int64_t)s->config->values.repl_backlog_size;
	memcpy(f->replication_id, s->replication_id, sizeof(f->replication_id));
}

void figures_gather(struct figures *f, struct server *s, struct view *v, unsigned sections) {
	memset(f, 0, sizeof(*f));
	if (sections & 1u << SECTION_SERVER) gather_server(f, s);
	if (sections & (1u << SECTION_CLIENTS | 1u << SECTION_MEMORY)) gather_clients(f, s);
	if (sections & (1u << SECTION_KEYSPACE | 1u << SECTION_MEMORY)) gather_store(f, s, v);
	if (sections & 1u << SECTION_MEMORY) gather_memory(f, s);
	if (s->engine && sections & (1u << SECTION_MEMORY | 1u << SECTION_STATS)) s->engine->figures(s, &f->scripting);
	if (sections & (1u << SECTION_STATS | 1u << SECTION_PERSISTENCE)) gather_stats(f, s);
	if (sections & (1u << SECTION_CLIENTS | 1u << SECTION_STATS)) gather_tracking(f, s);
	if (sections & 1u << SECTION_CPU) gather_cpu(f, s);
	if (sections & 1u << SECTION_REPLICATION) gather_replication(f, s);
}

void figures_release(struct figures *f) {
	mem_free(f->dbs);
}

/* ---- Printing ---- */

static void print_human(struct buffer *out, int64_t bytes) {
	static const char units[] = "KMGTPE";
	if (bytes < 1024) {
		buffer_appendf(out, "%lldB", (long long)bytes);
		return;
	}
	double shown = (double)bytes / 1024;
	unsigned unit = 0;
	while (shown >= 1024 && units[unit + 1]) {
		shown /= 1024;
		unit++;
	}
	buffer_appendf(out, "%.2f%c", shown, units[unit]);
}

void figures_print(const struct figures *f, const struct figures_metric *m, struct buffer *out) {
	const void *at = (const char *)f + m->offset;
	switch (m->kind) {
	case FIGURE_TEXT: buffer_append_slice(out, slice_of_cstr(*(const char *const *)at)); break;
	case FIGURE_CHARS: buffer_append_slice(out, slice_of_cstr(at)); break;
	case FIGURE_COUNTER:
	case FIGURE_GAUGE: buffer_appendf(out, "%lld", (long long)*(const int64_t *)at); break;
	case FIGURE_HUMAN: print_human(out, *(const int64_t *)at); break;
	case FIGURE_RATIO: buffer_appendf(out, "%.2f", *(const double *)at); break;
	case FIGURE_PERCENT: buffer_appendf(out, "%.2f%%", *(const double *)at); break;
	case FIGURE_SECONDS: {
		int64_t us = *(const int64_t *)at;
		buffer_appendf(out, "%lld.%06lld", (long long)(us / 1000000), (long long)(us % 1000000));
		break;
	}
	case FIGURE_FIXED: buffer_append_slice(out, slice_of_cstr(m->fixed)); break;
	}
}
