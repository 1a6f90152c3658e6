/* MEMORY: where it goes. */
#include "base/alloc.h"
#include "commands/generated/command_handlers.h"
#include "server/figures.h"
#include "server/server.h"

enum {
	DEFAULT_SAMPLES = 5,
	/* What a key costs beside its entry: its share of a bucket of the hash table (containers/table.h) and of a node
	 * of the expiry index (store/deadlines.h), at their usual load. */
	TABLE_SHARE_BYTES = 12,
	INDEX_SHARE_BYTES = 16,
};

/* ---- USAGE ---- */

static bool read_samples(struct call *c, size_t *samples) {
	*samples = DEFAULT_SAMPLES;
	for (unsigned i = 3; i < c->argc; i += 2) {
		int64_t count;
		if (!call_word(c, i, "samples") || i + 1 >= c->argc) {
			call_syntax_error(c);
			return false;
		}
		if (!call_int(c, i + 1, &count, NULL)) return false;
		if (count < 0) {
			call_syntax_error(c);
			return false;
		}
		*samples = (size_t)count;
	}
	return true;
}

void cmd_memory_usage(struct call *c) {
	size_t samples;
	if (!read_samples(c, &samples)) return;
	struct key key = call_key(c, 2);
	const struct entry *e = store_peek(c->view, &key);
	if (!e) {
		reply_null(c->reply);
		return;
	}
	size_t bytes = entry_memory(e) + TABLE_SHARE_BYTES;
	if (entry_expiry(e) >= 0) bytes += INDEX_SHARE_BYTES;
	reply_int(c->reply, (int64_t)bytes);
}

/* ---- STATS ---- */

static const struct {
	const char *name;
	bool is_double;
	size_t offset; /* in struct figures; SIZE_MAX: what this version does not have, so 0 */
} stats_before_dbs[] = {
	{ "peak.allocated", false, offsetof(struct figures, peak) },
	{ "total.allocated", false, offsetof(struct figures, used) },
	{ "startup.allocated", false, offsetof(struct figures, startup) },
	{ "replication.backlog", false, SIZE_MAX },
	{ "replica.fullsync.buffer", false, SIZE_MAX },
	{ "clients.slaves", false, SIZE_MAX },
	{ "clients.normal", false, offsetof(struct figures, client_bytes) },
	{ "cluster.links", false, SIZE_MAX },
	{ "aof.buffer", false, SIZE_MAX },
	{ "lua.caches", false, offsetof(struct figures, scripting.script_bytes) },
	{ "functions.caches", false, offsetof(struct figures, scripting.library_bytes) },
	{ "script.VMs", false, offsetof(struct figures, scripting.vm_bytes) },
}, stats_after_dbs[] = {
	{ "overhead.db.hashtable.lut", false, offsetof(struct figures, table_bytes) },
	{ "overhead.db.hashtable.rehashing", false, SIZE_MAX },
	{ "overhead.total", false, offsetof(struct figures, overhead) },
	{ "db.dict.rehashing.count", false, SIZE_MAX },
	{ "keys.count", false, offsetof(struct figures, keys) },
	{ "keys.bytes-per-key", false, offsetof(struct figures, bytes_per_key) },
	{ "dataset.bytes", false, offsetof(struct figures, dataset) },
	{ "dataset.percentage", true, offsetof(struct figures, dataset_percent) },
	{ "peak.percentage", true, offsetof(struct figures, peak_percent) },
	{ "allocator.allocated", false, offsetof(struct figures, allocated) },
	{ "allocator.active", false, offsetof(struct figures, active) },
	{ "allocator.resident", false, offsetof(struct figures, resident) },
	{ "allocator.muzzy", false, offsetof(struct figures, muzzy) },
	{ "allocator-fragmentation.ratio", true, offsetof(struct figures, fragmentation_ratio) },
	{ "allocator-fragmentation.bytes", false, offsetof(struct figures, fragmentation_bytes) },
	{ "allocator-rss.ratio", true, offsetof(struct figures, resident_ratio) },
	{ "allocator-rss.bytes", false, offsetof(struct figures, resident_excess) },
	{ "rss-overhead.ratio", true, offsetof(struct figures, rss_ratio) },
	{ "rss-overhead.bytes", false, offsetof(struct figures, rss_excess) },
	{ "fragmentation", true, offsetof(struct figures, rss_over_used_ratio) },
	{ "fragmentation.bytes", false, offsetof(struct figures, rss_over_used) },
};
enum {
	STATS_BEFORE = sizeof(stats_before_dbs) / sizeof(stats_before_dbs[0]),
	STATS_AFTER = sizeof(stats_after_dbs) / sizeof(stats_after_dbs[0]),
};

static void write_stat(struct reply *r, const struct figures *f, const char *name, bool is_double, size_t offset) {
	reply_cstr(r, name);
	if (offset == SIZE_MAX) {
		reply_int(r, 0);
		return;
	}
	const void *at = (const char *)f + offset;
	if (is_double)
		reply_double(r, *(const double *)at);
	else
		reply_int(r, *(const int64_t *)at);
}

/* A pair for each database with keys in it; returns how many. */
static size_t write_dbs(struct reply *r, const struct figures *f) {
	size_t written = 0;
	for (unsigned db = 0; db < f->db_count; db++) {
		if (f->dbs[db].keys == 0) continue;
		reply_bulkf(r, "db.%u", db);
		reply_map(r, 3);
		reply_cstr(r, "overhead.hashtable.main");
		reply_int(r, (int64_t)f->dbs[db].table_bytes);
		reply_cstr(r, "overhead.hashtable.expires");
		reply_int(r, (int64_t)f->dbs[db].index_bytes);
		reply_cstr(r, "overhead.hashtable.slot-to-keys");
		reply_int(r, 0);
		written++;
	}
	return written;
}

void cmd_memory_stats(struct call *c) {
	struct figures f;
	figures_gather(&f, c->worker->server, c->view, 1u << SECTION_MEMORY);
	size_t begin = reply_begin(c->reply);
	for (unsigned i = 0; i < STATS_BEFORE; i++)
		write_stat(c->reply, &f, stats_before_dbs[i].name, stats_before_dbs[i].is_double,
			stats_before_dbs[i].offset);
	size_t dbs = write_dbs(c->reply, &f);
	for (unsigned i = 0; i < STATS_AFTER; i++)
		write_stat(
			c->reply, &f, stats_after_dbs[i].name, stats_after_dbs[i].is_double, stats_after_dbs[i].offset);
	reply_end(c->reply, begin, REPLY_MAP, STATS_BEFORE + dbs + STATS_AFTER);
	figures_release(&f);
}

/* ---- DOCTOR ---- */

enum { DOCTOR_MIN_BYTES = 5 * 1024 * 1024, DOCTOR_EXCESS_BYTES = 10 * 1024 * 1024 };

static double mib(int64_t bytes) {
	return (double)bytes / (1024 * 1024);
}

static bool is_excessive(double ratio, int64_t bytes) {
	return ratio > 1.2 && bytes > DOCTOR_EXCESS_BYTES;
}

/* Each finding: what is seen, why it may matter, what helps. */
static void examine(const struct figures *f, struct buffer *text) {
	if (f->peak > f->used + f->used / 2)
		buffer_appendf(text,
			"* The peak was %.1f times what is used now. MEMORY PURGE gives back what is left of it.\n",
			(double)f->peak / (double)f->used);
	if (is_excessive(f->fragmentation_ratio, f->fragmentation_bytes))
		buffer_appendf(text,
			"* %.0f MiB are holes in pages that are partly used (ratio %.2f). New data fill them.\n",
			mib(f->fragmentation_bytes), f->fragmentation_ratio);
	if (is_excessive(f->resident_ratio, f->resident_excess))
		buffer_appendf(text,
			"* %.0f MiB are empty pages (ratio %.2f). They go within seconds, or by MEMORY PURGE.\n",
			mib(f->resident_excess), f->resident_ratio);
	if (is_excessive(f->rss_ratio, f->rss_excess))
		buffer_appendf(text,
			"* %.0f MiB are not the allocator's (ratio %.2f): program code, stacks, network buffers.\n",
			mib(f->rss_excess), f->rss_ratio);
	if (f->maxmemory > 0 && f->used > f->maxmemory / 10 * 9)
		buffer_appendf(text, "* %.0f of the %.0f MiB of maxmemory are in use. At the limit the policy is %s.\n",
			mib(f->used), mib(f->maxmemory), f->policy);
}

void cmd_memory_doctor(struct call *c) {
	struct figures f;
	struct buffer text = { 0 };
	figures_gather(&f, c->worker->server, c->view, 1u << SECTION_MEMORY);
	if (f.keys == 0 || f.used - f.startup < DOCTOR_MIN_BYTES) {
		buffer_appendf(&text, "There is next to no data here, too little to judge by. Come back with more.\n");
	} else {
		examine(&f, &text);
		if (text.len == 0)
			buffer_appendf(&text, "Nothing is wrong with memory: %lld keys, %lld bytes each on average.\n",
				(long long)f.keys, (long long)f.bytes_per_key);
	}
	figures_release(&f);
	reply_verbatim(c->reply, "txt", buffer_slice(&text));
	buffer_release(&text);
}

/* ---- The allocator ---- */

void cmd_memory_purge(struct call *c) {
	mem_purge();
	reply_ok(c->reply);
}

void cmd_memory_malloc_stats(struct call *c) {
	struct mem_stats stats;
	mem_stats_read(&stats);
	struct buffer text = { 0 };
	buffer_appendf(&text, "Allocator: %s\n", mem_allocator_name());
	buffer_appendf(&text, "Allocated: %zu, active: %zu, metadata: %zu, resident: %zu, mapped: %zu, retained: %zu\n",
		stats.allocated, stats.active, stats.metadata, stats.resident, stats.mapped, stats.retained);
	buffer_appendf(&text, "Resident set of the process: %zu\n", mem_resident_bytes());
	reply_verbatim(c->reply, "txt", buffer_slice(&text));
	buffer_release(&text);
}

void cmd_memory_help(struct call *c) {
	static const char *const lines[] = {
		"DOCTOR",
		"    What is wrong with memory, in words.",
		"MALLOC-STATS",
		"    The allocator's figures.",
		"PURGE",
		"    Has the allocator give unused pages back to the system.",
		"STATS",
		"    Figures about memory.",
		"USAGE <key> [SAMPLES <count>]",
		"    The bytes that <key> and its value take. Of a collection <count> elements are measured",
		"    (5 unless said otherwise, 0 for all) and the rest is estimated from them.",
		NULL,
	};
	reply_help(c->reply, "MEMORY", lines);
}
