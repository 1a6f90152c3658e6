/* Long runs as others see them: which one is oldest, whether it is time to say BUSY, SCRIPT KILL. */
#include "base/clock.h"
#include "server/scripting_private.h"

/* Under the lock of the notice. */
static void note_name(struct script_run *run) {
	run->notice.kind = run->kind;
	run->notice.name.len = 0;
	buffer_append(&run->notice.name, run->name, strlen(run->name));
}

void script__say_what_runs(struct script_run *run, int64_t since_ms) {
	atomic_fetch_add_explicit(&run->worker->server->long_runs, since_ms ? 1u : -1u, memory_order_relaxed);
	lock_take(&run->notice.lock, LOCK_RANK_SERVER, 0);
	run->notice.since_ms = since_ms;
	run->notice.command.len = 0;
	run->notice.words = 0;
	note_name(run);
	for (unsigned i = 0; since_ms && i < run->call.argc; i++, run->notice.words++) {
		buffer_append_slice(&run->notice.command, run->call.argv[i]);
		buffer_append_char(&run->notice.command, '\0');
	}
	if (since_ms == 0) atomic_store_explicit(&run->kill_wish, false, memory_order_relaxed);
	lock_drop(&run->notice.lock, LOCK_RANK_SERVER, 0);
}

void script_run_describe(struct script_run *run, enum script_kind kind, const char *name) {
	run->kind = kind;
	run->name = name;
	if (!run->is_detached) return;
	lock_take(&run->notice.lock, LOCK_RANK_SERVER, 0);
	note_name(run);
	lock_drop(&run->notice.lock, LOCK_RANK_SERVER, 0);
}

/* Of the run that has lasted longest, monotonic; 0: there is none. */
static int64_t oldest_since(struct server *s, struct script_run **oldest, enum script_kind *kind) {
	int64_t since_ms = 0;
	for (unsigned i = 0; i < s->worker_count; i++) {
		struct script_run *run = s->workers[i].run;
		lock_take(&run->notice.lock, LOCK_RANK_SERVER, 0);
		if (run->notice.since_ms && (since_ms == 0 || run->notice.since_ms < since_ms)) {
			since_ms = run->notice.since_ms;
			*oldest = run;
			*kind = run->notice.kind;
		}
		lock_drop(&run->notice.lock, LOCK_RANK_SERVER, 0);
	}
	return since_ms;
}

bool script_answer_busy(struct server *s, struct reply *reply) {
	if (atomic_load_explicit(&s->long_runs, memory_order_relaxed) == 0) return false;
	struct script_run *oldest = NULL;
	enum script_kind kind = SCRIPT_KIND_EVAL;
	int64_t since_ms = oldest_since(s, &oldest, &kind), threshold = s->config->values.busy_reply_threshold;
	if (since_ms == 0 || threshold <= 0 || clock_monotonic_ms() - since_ms < threshold) return false;
	reply_errorf(reply, "BUSY Redis is busy running a script. You can only call %s KILL or SHUTDOWN NOSAVE.",
		kind == SCRIPT_KIND_FUNCTION ? "FUNCTION" : "SCRIPT");
	return true;
}

bool script_oldest(struct server *s, struct script_running *r) {
	struct script_run *run = NULL;
	enum script_kind kind;
	if (oldest_since(s, &run, &kind) == 0) return false;
	lock_take(&run->notice.lock, LOCK_RANK_SERVER, 0);
	bool lasts = run->notice.since_ms != 0; /* it may have ended since */
	if (lasts) {
		*r = (struct script_running){ .kind = run->notice.kind, .words = run->notice.words };
		buffer_append_slice(&r->name, buffer_slice(&run->notice.name));
		buffer_append_slice(&r->command, buffer_slice(&run->notice.command));
		r->duration_ms = clock_monotonic_ms() - run->notice.since_ms;
	}
	lock_drop(&run->notice.lock, LOCK_RANK_SERVER, 0);
	return lasts;
}

enum script_kill script_kill_running(struct server *s, enum script_kind kind) {
	enum script_kill result = SCRIPT_KILL_NONE;
	for (unsigned i = 0; i < s->worker_count; i++) {
		struct script_run *run = s->workers[i].run;
		lock_take(&run->notice.lock, LOCK_RANK_SERVER, 0);
		enum script_kill this = SCRIPT_KILL_DONE;
		if (!run->notice.since_ms)
			this = SCRIPT_KILL_NONE;
		else if (script__has_written(run))
			this = SCRIPT_KILL_WRITES;
		else if (run->notice.kind != kind)
			this = SCRIPT_KILL_OTHER_KIND;
		if (this == SCRIPT_KILL_DONE) atomic_store_explicit(&run->kill_wish, true, memory_order_relaxed);
		lock_drop(&run->notice.lock, LOCK_RANK_SERVER, 0);
		/* Killed is more than writes is more than of the other kind is more than none. */
		static const int weight[] = { [SCRIPT_KILL_NONE] = 0,
			[SCRIPT_KILL_OTHER_KIND] = 1,
			[SCRIPT_KILL_WRITES] = 2,
			[SCRIPT_KILL_DONE] = 3 };
		if (weight[this] > weight[result]) result = this;
	}
	return result;
}
