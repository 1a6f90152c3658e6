/* figures: what the server knows about itself, gathered at one moment, and one declaration per metric.
 *
 * INFO and MEMORY STATS print them; a metrics page for Prometheus has all it needs in `figures_table`. Gathering stops
 * nobody: the workers' counters are read relaxed, the store is walked shard by shard. So the figures of one moment may
 * differ from each other by what happened while they were read. */
#ifndef TARN_SERVER_FIGURES_H
#define TARN_SERVER_FIGURES_H

#include "base/buffer.h"
#include "server/scripting.h"
#include "server/worker.h"

/* In the order in which INFO shows them. */
enum figures_section {
	SECTION_SERVER,
	SECTION_CLIENTS,
	SECTION_MEMORY,
	SECTION_PERSISTENCE,
	SECTION_THREADS,
	SECTION_STATS,
	SECTION_REPLICATION,
	SECTION_CPU,
	SECTION_MODULES,
	SECTION_COMMANDSTATS,
	SECTION_ERRORSTATS,
	SECTION_LATENCYSTATS,
	SECTION_CLUSTER,
	SECTION_KEYSPACE,
	SECTION_COUNT
};

enum { FIGURES_ALL = (1 << SECTION_COUNT) - 1, FIGURES_PATH_MAX = 4096, FIGURES_REPLICATION_ID_CHARS = 40 };

struct figures {
	/* Server. Texts without room here are constant or the configuration's, as valid as that. */
	const char *redis_version, *tarn_version, *mode, *allocator, *gcc_version, *supervised, *config_file, *policy;
	char run_id[FIGURES_REPLICATION_ID_CHARS + 1];
	char os[256];
	char executable[FIGURES_PATH_MAX];
	int64_t arch_bits, pid, port, now_us, uptime_s, uptime_days, hz, lru_clock, threads;

	/* Clients. */
	int64_t clients, maxclients, watching_clients, watched_keys, subscribers, tracking_clients, blocked,
		blocked_for_a_time, blocking_keys, blocking_keys_wanted_to_end;

	/* Memory, in bytes unless the name says otherwise. */
	int64_t used, rss, peak, startup, overhead, dataset, client_bytes, table_bytes, index_bytes, entry_bytes;
	int64_t allocated, active, resident, muzzy, system, maxmemory, peak_s;
	int64_t fragmentation_bytes, resident_excess, rss_excess, rss_over_used;
	double fragmentation_ratio, resident_ratio, rss_ratio, rss_over_used_ratio;
	double peak_percent, dataset_percent;
	int64_t keys, bytes_per_key;
	int64_t lazyfree_pending, lazyfree_done;
	struct script_figures scripting;

	/* Persistence, replication. */
	int64_t changes, started_s, backlog_size;
	char replication_id[FIGURES_REPLICATION_ID_CHARS + 1];

	/* Stats. */
	struct worker_stats sum;
	int64_t ops_per_second, longest_turn_us;
	int64_t turns_per_second, turn_us, busy_us, command_us; /* of all workers' loops; the mean of the last turns */
	int64_t channels, patterns, shard_channels;
	int64_t tracked_keys, tracked_items, tracked_prefixes;
	int64_t denied_logins;
	double kib_in_per_second, kib_out_per_second;

	/* CPU: microseconds. */
	int64_t cpu_system_us, cpu_user_us, cpu_system_children_us, cpu_user_children_us, cpu_system_main_us,
		cpu_user_main_us;
	double busy_percent; /* of all workers together; 100 is one core */

	/* Keyspace: of each database. */
	struct store_totals *dbs;
	unsigned db_count;
};

/* How a metric is printed, and what it is. */
enum figures_kind {
	FIGURE_TEXT,    /* const char * */
	FIGURE_CHARS,   /* text that lies in the struct */
	FIGURE_COUNTER, /* int64_t that only grows (until CONFIG RESETSTAT) */
	FIGURE_GAUGE,   /* int64_t */
	FIGURE_HUMAN,   /* int64_t bytes, for people: "1.50M" */
	FIGURE_RATIO,   /* double, two digits */
	FIGURE_PERCENT, /* the same with a percent sign */
	FIGURE_SECONDS, /* int64_t microseconds, printed as seconds */
	FIGURE_FIXED,   /* nothing to measure in this version: always `fixed` */
};

struct figures_metric {
	const char *name;
	enum figures_section section;
	enum figures_kind kind;
	size_t offset; /* in struct figures */
	const char *fixed;
};

/* Ordered by section, within it as INFO shows them. */
extern const struct figures_metric figures_table[];
extern const size_t figures_table_count;

/* Gathers what `sections` (a bit per section) need; the rest is zero. `v` is any view of the store. On a worker, inside. */
void figures_gather(struct figures *f, struct server *s, struct view *v, unsigned sections);
void figures_release(struct figures *f);

/* Appends the metric's value. */
void figures_print(const struct figures *f, const struct figures_metric *m, struct buffer *out);

#endif
