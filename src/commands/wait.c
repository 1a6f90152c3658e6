/* WAIT and WAITAOF: how far the writes of this connection have come. There is no replica and no append-only file yet, so
 * the answer is known; only the time until it is given is not. */
#include "commands/generated/command_handlers.h"
#include "server/blocking.h"
#include "server/worker.h"

static bool read_timeout(struct call *c, unsigned arg, int64_t *timeout_ms) {
	if (!call_int(c, arg, timeout_ms, "ERR timeout is not an integer or out of range")) return false;
	if (*timeout_ms >= 0 && *timeout_ms <= INT64_MAX - c->worker->now_ms) return true;
	reply_error(c->reply, *timeout_ms < 0 ? "ERR timeout is negative" : "ERR timeout is out of range");
	return false;
}

static void no_replicas(struct reply *r) {
	reply_int(r, 0);
}

static void nowhere(struct reply *r) {
	reply_array(r, 2);
	reply_int(r, 0);
	reply_int(r, 0);
}

/* Waits until the time is over, since what is asked for cannot come. */
static void wait_in_vain(struct call *c, bool is_there, int64_t timeout_ms, blocking_timeout_fn *answer) {
	struct blocking_wait wait = { .timeout_ms = timeout_ms, .timed_out = answer };
	if (is_there)
		answer(c->reply);
	else
		blocking_wait_or_answer(c, &wait);
}

void cmd_wait(struct call *c) {
	int64_t replicas, timeout_ms;
	if (!call_int(c, 1, &replicas, NULL) || !read_timeout(c, 2, &timeout_ms)) return;
	wait_in_vain(c, replicas <= 0, timeout_ms, no_replicas);
}

void cmd_waitaof(struct call *c) {
	int64_t local, replicas, timeout_ms;
	if (!call_int(c, 1, &local, NULL)) return;
	if (local < 0 || local > 1) {
		reply_error(c->reply, "ERR value is out of range, value must between 0 and 1");
		return;
	}
	if (!call_int(c, 2, &replicas, ERR_NOT_POSITIVE)) return;
	if (replicas < 0) {
		reply_error(c->reply, ERR_NOT_POSITIVE);
		return;
	}
	if (!read_timeout(c, 3, &timeout_ms)) return;
	if (local > 0) {
		reply_error(c->reply, "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
		return;
	}
	wait_in_vain(c, replicas == 0, timeout_ms, nowhere);
}
