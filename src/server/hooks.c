#include "server/hooks.h"

#include "server/server.h"

static void committed(void *context, struct view *v, const struct key *key, enum event_class class, const char *event) {
	struct server *s = context;
	(void)class, (void)event;
	watch_committed(&s->watched, v, key);
}

static void flushed(void *context, unsigned db_index) {
	struct server *s = context;
	watch_flushed(&s->watched, db_index);
}

static void swapping(void *context, unsigned a, unsigned b) {
	struct server *s = context;
	watch_swapping(&s->watched, a, b);
}

const struct store_hooks server_store_hooks = {
	.committed = committed,
	.flushed = flushed,
	.swapping = swapping,
};
