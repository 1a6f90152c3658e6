/* FCALL and FCALL_RO. */
#include "base/number.h"
#include "commands/generated/command_handlers.h"
#include "script/function_private.h"
#include "server/scripting.h"
#include "server/server.h"

enum { ARG_NAME = 1, ARG_KEY_COUNT = 2, ARG_FIRST_KEY = 3 };

static bool read_key_count(struct call *c, unsigned *key_count) {
	int64_t count;
	if (!number_parse_i64(c->argv[ARG_KEY_COUNT], &count)) {
		reply_error(c->reply, "ERR Bad number of keys provided");
	} else if (count > (int64_t)c->argc - ARG_FIRST_KEY) {
		reply_error(c->reply, "ERR Number of keys can't be greater than number of args");
	} else if (count < 0) {
		reply_error(c->reply, "ERR Number of keys can't be negative");
	} else {
		*key_count = (unsigned)count;
		return true;
	}
	return false;
}

static uint32_t allowed(const struct function *f) {
	uint32_t allow = 0;
	if (!(f->flags & FUNCTION_NO_WRITES)) allow |= SCRIPT_ALLOW_WRITE;
	if (f->flags & (FUNCTION_ALLOW_OOM | FUNCTION_NO_WRITES)) allow |= SCRIPT_ALLOW_OOM;
	if (f->flags & FUNCTION_ALLOW_STALE) allow |= SCRIPT_ALLOW_STALE;
	return allow;
}

static void run(struct call *c, struct function_worker *fw, struct function *f, unsigned key_count) {
	struct buffer error = { 0 };
	if (!function_push(fw, f, &error)) {
		reply_errorf(c->reply, "ERR %.*s", (int)error.len, error.data);
		buffer_release(&error);
		return;
	}
	buffer_release(&error);
	/* The worker keeps the library, and its name with it, until it next calls a function. */
	struct interp_job job = {
		.name = f->name.ptr,
		.allow = allowed(f),
		.keys = INTERP_KEYS_ARGUMENTS,
		.first_key = ARG_FIRST_KEY,
		.key_count = key_count,
		.leaves_alone = f->library->leaves_alone,
		.needs_world = atomic_load_explicit(&f->needs_world, memory_order_relaxed),
	};
	struct script_run *script = script_run_of(c);
	script_run_describe(script, SCRIPT_KIND_FUNCTION, f->name.ptr);
	interp_run(fw->interp, c, &job);
	/* What runs here is EVAL's unless it says otherwise. */
	script_run_describe(script, SCRIPT_KIND_EVAL, "");
	if (job.needs_world) atomic_store_explicit(&f->needs_world, true, memory_order_relaxed);
}

enum call_kind { CALL_ANY, CALL_READ_ONLY };

static void call_function(struct call *c, enum call_kind kind) {
	struct function *f = library_set_function(function__libraries(c->worker), c->argv[ARG_NAME]);
	unsigned key_count;
	if (!f) {
		reply_error(c->reply, "ERR Function not found");
		return;
	}
	if (!read_key_count(c, &key_count)) return;
	if (kind == CALL_READ_ONLY && !(f->flags & FUNCTION_NO_WRITES)) {
		reply_error(c->reply, "ERR Can not execute a script with write flag using *_ro command.");
		return;
	}
	struct function_worker *fw = function__worker(c->worker, c->reply);
	if (fw) run(c, fw, f, key_count);
}

void cmd_fcall(struct call *c) {
	call_function(c, CALL_ANY);
}

void cmd_fcall_ro(struct call *c) {
	call_function(c, CALL_READ_ONLY);
}
