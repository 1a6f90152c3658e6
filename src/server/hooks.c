#include "server/hooks.h"

#include "server/notify.h"
#include "server/server.h"

static void committed(void *context, struct view *v, const struct key *key, enum event_class class, const char *event) {
	struct server *s = context;
	bool watched = !(class & EVENT_UNWATCHED);
	if (watched) watch_committed(&s->watched, v, key);
	if (blocking_anybody(&s->blocking)) blocking_key_changed(v->origin, &s->blocking, v->db_index, key);
	if (watched && tracking_anybody(&s->tracking)) tracking_key_changed(v->origin, key, class, event);
	uint32_t wanted = s->config->values.notify_keyspace_events;
	if (__builtin_expect(wanted != 0, 0))
		notify_event(v->origin, wanted, v->db_index, key_slice(key), class, event);
}

/* The worker that runs just now. Under the world, so nobody else changes what is read here. */
static struct worker *who_has_world(struct server *s) {
	struct worker *w = s->workers;
	while (!gate_has_world(&w->member)) w++;
	return w;
}

static void missed(void *context, struct view *v, const struct key *key) {
	struct server *s = context;
	uint32_t wanted = s->config->values.notify_keyspace_events;
	if (__builtin_expect(wanted & EVENT_MISS, 0))
		notify_event(v->origin, wanted, v->db_index, key_slice(key), EVENT_MISS, "keymiss");
}

static void flushed(void *context, unsigned db_index) {
	struct server *s = context;
	watch_flushed(&s->watched, db_index);
	if (tracking_anybody(&s->tracking)) tracking_flushed(who_has_world(s));
	if (blocking_anybody(&s->blocking)) blocking_db_changed(who_has_world(s), &s->blocking, db_index);
}

static void swapping(void *context, unsigned a, unsigned b) {
	struct server *s = context;
	watch_swapping(&s->watched, a, b);
	if (!blocking_anybody(&s->blocking)) return;
	/* They are served when the command has ended and the databases have changed places. */
	blocking_db_changed(who_has_world(s), &s->blocking, a);
	blocking_db_changed(who_has_world(s), &s->blocking, b);
}

const struct store_hooks server_store_hooks = {
	.committed = committed,
	.missed = missed,
	.flushed = flushed,
	.swapping = swapping,
};
