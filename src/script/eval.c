/* EVAL, EVALSHA, EVAL_RO, EVALSHA_RO. */
#include "script/eval.h"

#include "commands/generated/command_handlers.h"
#include "script/engine.h"
#include "script/eval_header.h"
#include "script/function_library.h"
#include "server/server.h"

static const char chunk_name[] = "@user_script";

#define NO_SCRIPT "NOSCRIPT No matching script. Please use EVAL."

/* ---- Finding ---- */

/* Compiles the script for this worker; takes over the reference. NULL, the error written, when that fails. */
static struct cached_script *compile(struct worker *w, struct script *script, struct slice body, struct reply *r) {
	struct script_worker *sw = engine_worker(w);
	struct interp *in = engine_eval(w);
	struct buffer error = { 0 };
	struct cached_script *cached = NULL;
	struct chunk_look look;
	int function;
	if (!interp_compile(in, body, chunk_name, &look, &error)) {
		buffer_append_char(&error, '\0');
		reply_errorf(r, "ERR Error compiling script (new function): %s", error.data);
	} else if ((function = interp_keep(in)) == INTERP_NOTHING_KEPT) {
		reply_error(r, "ERR Error compiling script (new function): not enough memory");
	} else {
		cached = script_cache_add(&sw->cache, script, function, chunk_leaves_alone(look, false));
	}
	if (!cached) script_release(script);
	buffer_release(&error);
	return cached;
}

/* A script that the server knows and this worker has not met. */
static struct cached_script *compile_known(struct worker *w, struct script *script, struct reply *r) {
	struct eval_header header;
	struct buffer ignored = { 0 };
	/* It was read before. */
	if (!eval_header_read(&header, script->source, &ignored)) header.body = script->source;
	buffer_release(&ignored);
	return compile(w, script, header.body, r);
}

static struct cached_script *find_by_sha(struct worker *w, const char *sha, struct reply *r) {
	struct cached_script *cached = script_cache_find(&engine_worker(w)->cache, sha);
	if (cached) return cached;
	struct script *script = script_table_find(&engine_server(w->server)->scripts, sha);
	if (script) return compile_known(w, script, r);
	reply_error(r, NO_SCRIPT);
	return NULL;
}

/* The whole text is checked before the server learns of it. */
static struct cached_script *add(struct worker *w, const char *sha, struct slice source, bool stays, struct reply *r) {
	struct eval_header header;
	struct buffer error = { 0 };
	if (!eval_header_read(&header, source, &error)) {
		buffer_append_char(&error, '\0');
		reply_errorf(r, "ERR %s", error.data);
		buffer_release(&error);
		return NULL;
	}
	struct script *script = script_new(sha, source, header.present, header.flags, w->now_ms);
	struct cached_script *cached = compile(w, script, header.body, r);
	if (cached) script_table_add(&engine_server(w->server)->scripts, script, stays);
	return cached;
}

struct cached_script *eval_learn(struct worker *w, struct slice source, bool stays, struct reply *r) {
	struct script_table *scripts = &engine_server(w->server)->scripts;
	struct script_cache *cache = &engine_worker(w)->cache;
	struct cached_script *cached = script_cache_find_text(cache, source);
	char sha[SHA1_HEX_CHARS + 1];
	if (!cached) {
		sha1_hex(source, sha);
		cached = script_cache_find(cache, sha);
	}
	if (!cached) {
		struct script *script = script_table_find(scripts, sha);
		cached = script ? compile_known(w, script, r) : add(w, sha, source, stays, r);
	}
	if (cached && stays) script_table_let_stay(scripts, cached->script);
	return cached;
}

/* ---- Running ---- */

static bool read_key_count(struct call *c, unsigned *count) {
	int64_t n;
	if (!call_int(c, 2, &n, NULL)) return false;
	if (n > (int64_t)c->argc - 3)
		reply_error(c->reply, "ERR Number of keys can't be greater than number of args");
	else if (n < 0)
		reply_error(c->reply, "ERR Number of keys can't be negative");
	else {
		*count = (unsigned)n;
		return true;
	}
	return false;
}

static uint32_t allowed(const struct script *script, bool read_only) {
	uint32_t allow = 0;
	if (!read_only && !(script->flags & FUNCTION_NO_WRITES)) allow |= SCRIPT_ALLOW_WRITE;
	if (script->flags & FUNCTION_ALLOW_OOM) allow |= SCRIPT_ALLOW_OOM;
	/* What was written before there were flags runs on stale data too, and each command decides. */
	if (!script->has_flags || script->flags & FUNCTION_ALLOW_STALE) allow |= SCRIPT_ALLOW_STALE;
	return allow;
}

/* One store per millisecond of use at most, since all workers read it. */
static void note_use(struct script *script, int64_t now_ms) {
	if (atomic_load_explicit(&script->used_ms, memory_order_relaxed) != now_ms)
		atomic_store_explicit(&script->used_ms, now_ms, memory_order_relaxed);
}

static void run(struct call *c, const struct cached_script *cached, unsigned keys, bool read_only) {
	struct interp *in = engine_eval(c->worker);
	struct script *script = cached->script;
	if (read_only && script->has_flags && !(script->flags & FUNCTION_NO_WRITES)) {
		reply_error(c->reply, "ERR Can not execute a script with write flag using *_ro command.");
		return;
	}
	note_use(script, c->worker->now_ms);
	struct interp_job job = { .name = script->sha,
		.allow = allowed(script, read_only),
		.keys = INTERP_KEYS_GLOBAL,
		.first_key = 3,
		.key_count = keys,
		.leaves_alone = cached->leaves_alone,
		.needs_world = atomic_load_explicit(&script->needs_world, memory_order_relaxed) };
	bool needed = job.needs_world;
	interp_push(in, cached->function);
	interp_run(in, c, &job);
	/* Evicting and flushing may have retired it meanwhile, but the cache has it until it is tidied, between two runs. */
	if (job.needs_world && !needed) atomic_store_explicit(&script->needs_world, true, memory_order_relaxed);
}

static void tidy(struct worker *w) {
	struct script_worker *sw = engine_worker(w);
	uint64_t epoch = atomic_load_explicit(&engine_server(w->server)->scripts.epoch, memory_order_relaxed);
	if (sw->eval) script_cache_tidy(&sw->cache, sw->eval, epoch);
}

static void eval(struct call *c, bool read_only) {
	unsigned keys;
	if (!read_key_count(c, &keys)) return;
	tidy(c->worker);
	struct cached_script *cached = eval_learn(c->worker, c->argv[1], false, c->reply);
	if (cached) run(c, cached, keys, read_only);
}

/* 40 hex digits in any case. */
static void lower(struct slice digits, char sha[static SHA1_HEX_CHARS]) {
	for (unsigned i = 0; i < SHA1_HEX_CHARS; i++) {
		char ch = digits.ptr[i];
		sha[i] = ch >= 'A' && ch <= 'Z' ? (char)(ch + ('a' - 'A')) : ch;
	}
}

/* Most are written in the case that we have them in. */
static struct cached_script *find_by_digits(struct worker *w, struct slice digits, struct reply *r) {
	struct cached_script *cached = script_cache_find(&engine_worker(w)->cache, digits.ptr);
	if (cached) return cached;
	char sha[SHA1_HEX_CHARS];
	lower(digits, sha);
	return find_by_sha(w, sha, r);
}

static void evalsha(struct call *c, bool read_only) {
	unsigned keys;
	if (c->argv[1].len != SHA1_HEX_CHARS) {
		reply_error(c->reply, NO_SCRIPT);
		return;
	}
	if (!read_key_count(c, &keys)) return;
	tidy(c->worker);
	struct cached_script *cached = find_by_digits(c->worker, c->argv[1], c->reply);
	if (cached) run(c, cached, keys, read_only);
}

void cmd_eval(struct call *c) {
	eval(c, false);
}

void cmd_eval_ro(struct call *c) {
	eval(c, true);
}

void cmd_evalsha(struct call *c) {
	evalsha(c, false);
}

void cmd_evalsha_ro(struct call *c) {
	evalsha(c, true);
}
