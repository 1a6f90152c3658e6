/* Sorted sets that are waited for: BZPOPMIN, BZPOPMAX, BZMPOP. How waiting works: server/blocking.h. */
#include "commands/generated/command_handlers.h"

#include "commands/zset_common.h"
#include "server/blocking.h"

static struct entry *zset_there(struct call *c, const struct key *key) {
	struct entry *e = store_find_write(c->view, key);
	return e && entry_type(e) == VALUE_ZSET ? e : NULL;
}

/* ---- BZPOPMIN, BZPOPMAX ---- */

static enum blocking_outcome serve_one(struct call *c, const struct key *key, enum zset_order order) {
	struct entry *e = zset_there(c, key);
	if (!e) return BLOCKING_EMPTY;
	zset_pop_named(c, key, e, order);
	return BLOCKING_SERVED;
}

static enum blocking_outcome serve_min(struct call *c, const struct key *key) {
	return serve_one(c, key, ZSET_UP);
}

static enum blocking_outcome serve_max(struct call *c, const struct key *key) {
	return serve_one(c, key, ZSET_DOWN);
}

static void blocking_pop(struct call *c, enum zset_order order) {
	int64_t timeout_ms;
	if (!blocking_read_timeout(c, c->argc - 1, &timeout_ms)) return;
	struct blocking_wait wait = { .timeout_ms = timeout_ms,
		.first_key = 1,
		.key_count = c->argc - 2,
		.serve = order == ZSET_UP ? serve_min : serve_max,
		.timed_out = reply_null_array };
	blocking_serve_or_wait(c, VALUE_ZSET, &wait);
}

void cmd_bzpopmin(struct call *c) {
	blocking_pop(c, ZSET_UP);
}

void cmd_bzpopmax(struct call *c) {
	blocking_pop(c, ZSET_DOWN);
}

/* ---- BZMPOP ---- */

static enum blocking_outcome serve_several(struct call *c, const struct key *key) {
	struct entry *e = zset_there(c, key);
	struct pop_options o;
	/* They were right when the client began to wait. */
	if (!e || !args_pop_options(c, 2, "MIN", "MAX", &o)) return BLOCKING_EMPTY;
	zset_pop_several(c, key, e, &o);
	return BLOCKING_SERVED;
}

void cmd_bzmpop(struct call *c) {
	struct pop_options o;
	int64_t timeout_ms;
	if (!args_pop_options(c, 2, "MIN", "MAX", &o) || !blocking_read_timeout(c, 1, &timeout_ms)) return;
	struct blocking_wait wait = { .timeout_ms = timeout_ms,
		.first_key = 3,
		.key_count = o.keys,
		.serve = serve_several,
		.timed_out = reply_null_array };
	blocking_serve_or_wait(c, VALUE_ZSET, &wait);
}
