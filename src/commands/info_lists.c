#include "commands/info.h"

#include "base/number.h"
#include "server/command.h"
#include "server/server.h"

/* ---- Listeners and workers ---- */

void info_write_listeners(struct buffer *text, struct call *c, const struct figures *f) {
	(void)f;
	const struct settings *settings = &worker_config(c->worker)->values;
	unsigned number = 0;
	if (settings->port > 0) {
		buffer_appendf(text, "listener%u:name=tcp", number++);
		for (size_t i = 0; i < settings->bind.count; i++)
			buffer_appendf(text, ",bind=%s", settings->bind.items[i]);
		buffer_appendf(text, ",port=%lld\r\n", (long long)settings->port);
	}
	if (settings->unixsocket[0])
		buffer_appendf(text, "listener%u:name=unix,bind=%s\r\n", number, settings->unixsocket);
}

/* The busy share is what a worker worked, not what it waited or polled. */
void info_write_threads(struct buffer *text, struct call *c, const struct figures *f) {
	(void)f;
	const struct server *s = c->worker->server;
	for (unsigned i = 0; i < s->worker_count; i++) {
		const struct worker *w = &s->workers[i];
		const struct worker_stats *stats = &w->stats;
		buffer_appendf(text, "worker_%u:clients=%zu,commands=%llu,reads=%llu,writes=%llu,", i,
			STAT_READ(w->client_count), (unsigned long long)STAT_READ(stats->commands),
			(unsigned long long)STAT_READ(stats->reads), (unsigned long long)STAT_READ(stats->writes));
		buffer_appendf(text, "busy_usec=%llu,busy_perc=%.2f\r\n",
			(unsigned long long)STAT_READ(stats->busy_ns) / 1000, rates_busy_percent(&s->rates, i));
	}
}

/* ---- Commands ---- */

struct listing {
	struct buffer *text;
	const struct server *server;
};

typedef void command_fn(const struct listing *l, const struct command *cmd, const struct command_sum *sum);

/* Commands that nobody ever sent are left out. */
static void list_command(const struct listing *l, const struct command *cmd, command_fn *write) {
	struct command_sum sum;
	server_sum_command(l->server, cmd->id, &sum);
	if (sum.calls || sum.rejected || sum.failed) write(l, cmd, &sum);
	for (unsigned i = 0; i < cmd->subcommand_count; i++) list_command(l, &cmd->subcommands[i], write);
}

static void list_commands(struct buffer *text, struct call *c, command_fn *write) {
	const struct listing l = { text, c->worker->server };
	const struct command_table *table = worker_commands(c->worker);
	for (size_t i = 0; i < table->count; i++) list_command(&l, &table->commands[i], write);
}

static void write_command(const struct listing *l, const struct command *cmd, const struct command_sum *sum) {
	double us = (double)sum->ns / 1000;
	buffer_appendf(l->text, "cmdstat_%s:calls=%llu,usec=%llu,usec_per_call=%.2f,", cmd->full_name,
		(unsigned long long)sum->calls, (unsigned long long)sum->ns / 1000,
		sum->calls ? us / (double)sum->calls : 0.0);
	buffer_appendf(l->text, "rejected_calls=%llu,failed_calls=%llu\r\n", (unsigned long long)sum->rejected,
		(unsigned long long)sum->failed);
}

void info_write_commandstats(struct buffer *text, struct call *c, const struct figures *f) {
	(void)f;
	list_commands(text, c, write_command);
}

static void write_latency(const struct listing *l, const struct command *cmd, const struct command_sum *sum) {
	const struct settings_percentiles *percentiles = &l->server->config->values.latency_tracking_info_percentiles;
	if (sum->calls == 0) return;
	buffer_appendf(l->text, "latency_percentiles_usec_%s:", cmd->full_name);
	for (size_t i = 0; i < percentiles->count; i++) {
		char which[NUMBER_DOUBLE_MAX_CHARS + 1];
		size_t len = number_format_double(which, percentiles->values[i]);
		double us = (double)latency_percentile(sum->latency, percentiles->values[i] / 100) / 1000;
		buffer_appendf(l->text, "%sp%.*s=%.3f", i ? "," : "", (int)len, which, us);
	}
	buffer_append(l->text, "\r\n", 2);
}

void info_write_latencystats(struct buffer *text, struct call *c, const struct figures *f) {
	(void)f;
	const struct settings *settings = &worker_config(c->worker)->values;
	if (settings->latency_tracking && settings->latency_tracking_info_percentiles.count > 0)
		list_commands(text, c, write_latency);
}

static void write_error(void *context, const char *code, uint64_t count) {
	buffer_appendf(context, "errorstat_%s:count=%llu\r\n", code, (unsigned long long)count);
}

void info_write_errorstats(struct buffer *text, struct call *c, const struct figures *f) {
	(void)c, (void)f;
	error_stats_each(write_error, text);
}

/* ---- Databases ---- */

void info_write_keyspace(struct buffer *text, struct call *c, const struct figures *f) {
	(void)c;
	for (unsigned db = 0; db < f->db_count; db++) {
		const struct store_totals *totals = &f->dbs[db];
		if (totals->keys == 0) continue;
		long long ttl_ms =
			totals->ttl_samples ? (long long)totals->ttl_sum_ms / (long long)totals->ttl_samples : 0;
		buffer_appendf(text, "db%u:keys=%zu,expires=%zu,avg_ttl=%lld,subexpiry=%zu\r\n", db, totals->keys,
			totals->volatile_keys, ttl_ms, totals->field_keys);
	}
}
