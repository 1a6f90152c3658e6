/* DEBUG: for developers and test suites. Behind enable-debug-command. */
#include "commands/debug.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "base/alloc.h"
#include "base/log.h"
#include "commands/args.h"
#include "commands/generated/command_handlers.h"
#include "server/server.h"
#include "server/transaction.h"
#include "store/entry_serial.h"

bool debug_take_world(struct call *c) {
	struct gate_member *m = &c->worker->member;
	if (transaction_runs(c->client)) return true; /* which has it already */
	m->refused = !gate_take_world(m);
	if (!m->refused) c->view->flags |= VIEW_HAS_WORLD;
	return !m->refused;
}

void debug_drop_world(struct call *c) {
	if (transaction_runs(c->client)) return;
	c->view->flags &= ~(uint32_t)VIEW_HAS_WORLD;
	gate_drop_world(&c->worker->member);
}

/* A NUL-terminated copy of an argument, the caller's. */
static char *copy_text(struct slice s) {
	char *text = mem_alloc(s.len + 1);
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	return text;
}

/* ---- Time ---- */

/* All of the server stops, as scripts that provoke time-outs want it. */
static void debug_sleep(struct call *c) {
	char *text = copy_text(c->argv[2]);
	double seconds = strtod(text, NULL);
	mem_free(text);
	if (!isfinite(seconds) || seconds < 0) seconds = 0;
	if (seconds > INT32_MAX) seconds = INT32_MAX;
	struct timespec left = { .tv_sec = (time_t)seconds };
	left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
	if (!debug_take_world(c)) return;
	while (nanosleep(&left, &left) != 0) continue;
	debug_drop_world(c);
	reply_ok(c->reply);
}

static void debug_set_active_expire(struct call *c) {
	char *text = copy_text(c->argv[2]);
	bool on = atoi(text) != 0;
	mem_free(text);
	if (!debug_take_world(c)) return;
	c->worker->server->active_expire = on;
	debug_drop_world(c);
	reply_ok(c->reply);
}

/* ---- Keys ---- */

/* What the value takes in an RDB file. */
static size_t serialized_len(const struct call *c, const struct entry *e) {
	struct buffer bytes = { 0 };
	struct serial_writer w = { &bytes, c->worker->server->config->values.rdbcompression ? SERIAL_COMPRESS : 0 };
	entry_save(&w, e);
	size_t len = bytes.len;
	buffer_release(&bytes);
	return len;
}

static void describe_entry(void *context, const struct entry *e) {
	enum { LRU_CLOCK_MASK = (1 << 24) - 1 };
	struct call *c = context;
	int64_t idle = entry_idle_seconds(e, c->view->now_ms);
	char text[256];
	snprintf(text, sizeof(text),
		"Value at:%p refcount:1 encoding:%s serializedlength:%zu lru:%lld lru_seconds_idle:%lld",
		(const void *)e, entry_encoding_name(e), serialized_len(c, e),
		(long long)((c->view->now_ms / 1000 - idle) & LRU_CLOCK_MASK), (long long)idle);
	reply_status(c->reply, text);
}

static void debug_object(struct call *c) {
	size_t before = c->reply->out->len;
	store_visit_one(c->view, c->argv[2], describe_entry, c);
	if (c->reply->out->len == before) reply_error(c->reply, ERR_NO_KEY);
}

/* `size` 0: as long as the text is. */
struct populate {
	int64_t count, size;
	struct slice prefix;
	char *value; /* with a size: room for so many bytes */
};

static bool read_count(struct call *c, unsigned arg, int64_t *value) {
	if (number_parse_i64(c->argv[arg], value) && *value >= 0) return true;
	reply_error(c->reply, ERR_NOT_POSITIVE);
	return false;
}

static struct slice populate_value(const struct populate *p, int64_t number, char *scratch, size_t scratch_size) {
	size_t len = (size_t)snprintf(scratch, scratch_size, "value:%lld", (long long)number);
	if (p->size == 0) return slice_of(scratch, len);
	memset(p->value, 0, (size_t)p->size < scratch_size ? (size_t)p->size : scratch_size);
	memcpy(p->value, scratch, len < (size_t)p->size ? len : (size_t)p->size);
	return slice_of(p->value, (size_t)p->size);
}

/* The keys with the numbers from `first` to before `end`, those that are not there yet. Under the world. */
static bool populate_some(struct call *c, const struct populate *p, int64_t first, int64_t end) {
	struct buffer name = { 0 };
	bool ok = true;
	for (int64_t n = first; n < end && ok; n++) {
		char scratch[64];
		name.len = 0;
		buffer_append_slice(&name, p->prefix);
		buffer_appendf(&name, ":%lld", (long long)n);
		struct key key = key_of(buffer_slice(&name));
		if (store_find_write(c->view, &key)) continue;
		ok = store_put_string(
			     c->view, &key, NULL, populate_value(p, n, scratch, sizeof(scratch)), EXPIRY_NONE) != NULL;
		if (ok) store_committed(c->view, &key, EVENT_STRING, "set");
	}
	buffer_release(&name);
	return ok;
}

static void debug_populate(struct call *c) {
	enum { KEYS_PER_HOLD = 10000 };
	struct populate p = { .prefix = SLICE_LITERAL("key") };
	if (!read_count(c, 2, &p.count)) return;
	if (c->argc > 3) p.prefix = c->argv[3];
	if (c->argc > 4 && !read_count(c, 4, &p.size)) return;
	if ((uint64_t)p.size > call_max_string(c)) {
		reply_error(c->reply, ERR_STRING_TOO_LONG);
		return;
	}
	bool ok = true;
	if (p.size > 0) ok = (p.value = mem_try_calloc((size_t)p.size)) != NULL;
	for (int64_t at = 0; at < p.count && ok; at += KEYS_PER_HOLD) {
		if (!debug_take_world(c)) break; /* called again, it finds those that are there */
		ok = populate_some(c, &p, at, p.count - at < KEYS_PER_HOLD ? p.count : at + KEYS_PER_HOLD);
		debug_drop_world(c);
	}
	mem_free(p.value);
	if (ok)
		reply_ok(c->reply);
	else
		reply_error(c->reply, ERR_NO_MEMORY);
}

static void debug_check(struct call *c) {
	enum { SHOWN_BYTES = 512 };
	struct buffer report = { 0 };
	if (!debug_take_world(c)) return;
	size_t broken = store_check(c->view->store, &report);
	debug_drop_world(c);
	if (broken == 0) {
		reply_ok(c->reply);
	} else {
		log_warning("DEBUG CHECK: %zu violations\n%.*s", broken, (int)report.len, report.data);
		reply_errorf(c->reply, "ERR %zu violations: %.*s", broken,
			(int)(report.len < SHOWN_BYTES ? report.len : SHOWN_BYTES), report.data);
	}
	buffer_release(&report);
}

/* ---- Saying ---- */

static void debug_log(struct call *c) {
	log_warning("DEBUG LOG: %.*s", (int)(c->argv[2].len < INT32_MAX ? c->argv[2].len : INT32_MAX), c->argv[2].ptr);
	reply_ok(c->reply);
}

static void debug_error(struct call *c) {
	char *text = copy_text(c->argv[2]);
	reply_error(c->reply, text);
	mem_free(text);
}

/* ---- Crashing ---- */

static void debug_segfault(struct call *c) {
	(void)c;
	volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*page = 'x';
}

static void debug_panic(struct call *c) {
	(void)c;
	log_warning("DEBUG PANIC: ending as asked, with a crash report");
	abort();
}

static void debug_assert(struct call *c) {
	(void)c;
	log_warning("DEBUG ASSERT: ending as asked, as if an assertion had failed");
	abort();
}

/* ---- The table ---- */

static void debug_help(struct call *c);

/* Argument counts include DEBUG and the subcommand. */
static const struct {
	const char *name;
	unsigned argc_min, argc_max; /* 0: any */
	void (*run)(struct call *c);
} subcommands[] = {
	{ "assert", 2, 2, debug_assert },
	{ "check", 2, 2, debug_check },
	{ "digest", 2, 2, debug_digest },
	{ "digest-value", 2, 0, debug_digest_value },
	{ "error", 3, 3, debug_error },
	{ "help", 2, 2, debug_help },
	{ "log", 3, 3, debug_log },
	{ "object", 3, 3, debug_object },
	{ "panic", 2, 2, debug_panic },
	{ "populate", 3, 5, debug_populate },
	{ "protocol", 3, 3, debug_protocol },
	{ "segfault", 2, 2, debug_segfault },
	{ "set-active-expire", 3, 3, debug_set_active_expire },
	{ "sleep", 3, 3, debug_sleep },
};

void cmd_debug(struct call *c) {
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
		if (!call_word(c, 1, subcommands[i].name)) continue;
		if (c->argc < subcommands[i].argc_min) break;
		if (subcommands[i].argc_max && c->argc > subcommands[i].argc_max) break;
		subcommands[i].run(c);
		return;
	}
	reply_errorf(c->reply, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try DEBUG HELP.",
		(int)(c->argv[1].len < 128 ? c->argv[1].len : 128), c->argv[1].ptr);
}

static void debug_help(struct call *c) {
	static const char *const lines[] = {
		"ASSERT",
		"    Ends the server as a failed assertion would.",
		"CHECK",
		"    Verifies every internal invariant of the keyspace.",
		"DIGEST",
		"    A signature of all data. Servers with equal data have equal ones.",
		"DIGEST-VALUE <key> [<key> ...]",
		"    Signatures of single values; zeros for a key that is missing.",
		"ERROR <text>",
		"    Answers with the error <text>.",
		"LOG <text>",
		"    Writes <text> to the server's log.",
		"OBJECT <key>",
		"    Where and how the value of <key> is held.",
		"PANIC",
		"    Ends the server with a crash report.",
		"POPULATE <count> [<prefix>] [<size>]",
		"    Makes <count> strings named key:<n> (or <prefix>:<n>), those that exist left alone.",
		"PROTOCOL <type>",
		"    Answers with a value of that type: string, integer, double, bignum, null, array, set,",
		"    map, attrib, push, verbatim, true or false.",
		"SEGFAULT",
		"    Ends the server by a write to a page that is read-only.",
		"SET-ACTIVE-EXPIRE <0|1>",
		"    Whether keys that end are removed before somebody asks for them.",
		"SLEEP <seconds>",
		"    Stops the whole server for so long. Fractions are fine.",
		NULL,
	};
	reply_help(c->reply, "DEBUG", lines);
}
