/* A worker's side of client-side caching: which of its clients track, and how; and telling them what has changed. */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "server/server.h"
#include "server/tracking_private.h"

#define NO_CLIENT UINT64_MAX

/* A client that tracks, has tracked, or is redirected to. */
struct tracker {
	struct client *client;
	uint32_t flags;            /* enum tracking_flags */
	uint64_t target;           /* the client that it redirects to; 0: none */
	struct worker *target_on;  /* its owner */
	struct redirect *redirect; /* where all workers see that; NULL without a target */
	struct wanting **wants;    /* of BCAST, in the order of their prefixes */
	size_t want_count;
	size_t bytes; /* of memory, all in all */
};

/* ---- Finding ---- */

static uint64_t tracker_hash(const void *item) {
	return tracking__id_hash(((const struct tracker *)item)->client->id);
}

static bool tracker_has_id(const void *item, const void *id) {
	return ((const struct tracker *)item)->client->id == *(const uint64_t *)id;
}

static struct table_place place_of(const struct worker *w, uint64_t id) {
	return table_find(&w->tracking._trackers, tracking__id_hash(id), tracker_has_id, &id);
}

static struct tracker *find(const struct worker *w, uint64_t id) {
	struct table_place place = place_of(w, id);
	return place.bucket ? table_item_at(place) : NULL;
}

/* The client's tracker; it gets one when it has none. */
static struct tracker *tracker_of(struct client *c) {
	if (c->tracker) return c->tracker;
	struct tracker *t = mem_calloc(sizeof(*t));
	t->client = c;
	t->bytes = mem_size_class(sizeof(*t));
	c->tracker = t;
	table_insert(&c->worker->tracking._trackers, tracking__id_hash(c->id), t, tracker_hash);
	return t;
}

static bool is_on(const struct tracker *t) {
	return t && t->flags & TRACKING_ON;
}

uint32_t tracking_flags(const struct client *c) {
	return is_on(c->tracker) ? c->tracker->flags : 0;
}

int64_t tracking_target(const struct client *c) {
	return is_on(c->tracker) ? (int64_t)c->tracker->target : -1;
}

size_t tracking_prefixes(const struct client *c) {
	return is_on(c->tracker) ? c->tracker->want_count : 0;
}

size_t tracking_memory(const struct client *c) {
	return c->tracker ? c->tracker->bytes : 0;
}

struct slice tracking_prefix_at(const struct client *c, size_t index) {
	return prefix_name(c->tracker->wants[index]->prefix);
}

/* ---- Prefixes ---- */

static int compare_wants(const void *a, const void *b) {
	const struct wanting *x = *(struct wanting *const *)a, *y = *(struct wanting *const *)b;
	return slice_compare(prefix_name(x->prefix), prefix_name(y->prefix));
}

static struct wanting *want(struct tracker *t, struct tracking_prefix *p) {
	unsigned worker = t->client->worker->index;
	struct wanting **first = &p->on_worker[worker].first;
	struct wanting *x = mem_alloc(sizeof(*x));
	*x = (struct wanting){ t, p, *first, first };
	if (x->next) x->next->at = &x->next;
	*first = x;
	atomic_fetch_add_explicit(&p->on_worker[worker].count, 1, memory_order_relaxed);
	t->bytes += mem_size_class(sizeof(*x)) + sizeof(x) + p->len;
	return x;
}

static void want_all(struct tracker *t, const struct slice *prefixes, size_t count) {
	struct tracking *server = &t->client->worker->server->tracking;
	tracking__tidy_prefixes(server);
	t->wants = mem_realloc(t->wants, (t->want_count + count) * sizeof(struct wanting *));
	for (size_t i = 0; i < count; i++)
		t->wants[t->want_count++] = want(t, tracking__get_prefix(server, prefixes[i]));
	qsort(t->wants, t->want_count, sizeof(struct wanting *), compare_wants);
}

/* BCAST without a prefix: all keys. */
static void want_every_key(struct tracker *t) {
	struct slice empty = SLICE_LITERAL("");
	if (t->want_count == 0 || t->wants[0]->prefix->len > 0) want_all(t, &empty, 1);
}

static void want_nothing(struct tracker *t) {
	unsigned worker = t->client->worker->index;
	for (size_t i = 0; i < t->want_count; i++) {
		struct wanting *x = t->wants[i];
		*x->at = x->next;
		if (x->next) x->next->at = x->at;
		/* It may be freed under a world as soon as this is seen. */
		atomic_fetch_sub_explicit(&x->prefix->on_worker[worker].count, 1, memory_order_relaxed);
		mem_free(x);
	}
	mem_free(t->wants);
	t->wants = NULL;
	t->want_count = 0;
	t->bytes = mem_size_class(sizeof(*t));
}

/* ---- On and off ---- */

/* Sets the flags of the client that the dispatcher looks at. */
static void show(struct tracker *t) {
	bool caching = t->flags & TRACKING_CACHING, remembers = t->flags & TRACKING_ON;
	if (t->flags & TRACKING_BCAST) remembers = false;
	if (t->flags & TRACKING_OPTIN) remembers = caching;
	if (t->flags & TRACKING_OPTOUT) remembers = !caching;
	struct client *c = t->client;
	c->flags &= ~(uint32_t)(CLIENT_REMEMBERS | CLIENT_CACHING);
	if (remembers) c->flags |= CLIENT_REMEMBERS;
	if (caching) c->flags |= CLIENT_CACHING;
}

static void end_redirect(struct tracker *t) {
	if (t->redirect) {
		t->bytes -= t->redirect->bytes;
		atomic_store_explicit(&t->redirect->off, true, memory_order_relaxed);
	}
	t->redirect = NULL;
	t->target = 0;
	t->target_on = NULL;
}

static void begin_redirect(struct tracker *t, const struct client *target) {
	/* So that it can be found by its number. */
	(void)tracker_of((struct client *)(uintptr_t)target);
	t->target = target->id;
	t->target_on = target->worker;
	struct slice *prefixes = mem_alloc((t->want_count + 1) * sizeof(*prefixes));
	for (size_t i = 0; i < t->want_count; i++) prefixes[i] = prefix_name(t->wants[i]->prefix);
	struct redirect wanted = { .source = t->client->id,
		.target = t->target,
		.source_on = t->client->worker,
		.target_on = t->target_on,
		.noloop = (t->flags & TRACKING_NOLOOP) != 0,
		.broadcasts = (t->flags & TRACKING_BCAST) != 0 };
	t->redirect = tracking__add_redirect(&t->client->worker->server->tracking, &wanted, prefixes, t->want_count);
	mem_free(prefixes);
	t->bytes += t->redirect->bytes;
}

void tracking_start(struct client *c, const struct tracking_wish *wish) {
	struct tracking *server = &c->worker->server->tracking;
	struct tracker *t = tracker_of(c);
	if (!is_on(t)) {
		atomic_fetch_add_explicit(&server->_clients, 1, memory_order_relaxed);
		atomic_store_explicit(&server->_on, true, memory_order_relaxed);
	}
	t->flags = TRACKING_ON | wish->flags | (t->flags & TRACKING_CACHING);
	struct redirect *old = t->redirect;
	end_redirect(t);
	/* Then this is under the world. */
	if (old && wish->target) tracking__drop_redirect(server, old);
	if (wish->prefix_count > 0)
		want_all(t, wish->prefixes, wish->prefix_count);
	else if (wish->flags & TRACKING_BCAST)
		want_every_key(t);
	if (wish->target) begin_redirect(t, wish->target);
	show(t);
}

void tracking_stop(struct client *c) {
	struct tracker *t = c->tracker;
	if (!is_on(t)) return;
	end_redirect(t);
	want_nothing(t);
	t->flags = 0;
	show(t);
	atomic_fetch_sub_explicit(&c->worker->server->tracking._clients, 1, memory_order_relaxed);
}

void tracking_forget(struct client *c) {
	if (!c->tracker) return;
	tracking_stop(c);
	table_remove(&c->worker->tracking._trackers, place_of(c->worker, c->id));
	mem_free(c->tracker);
	c->tracker = NULL;
}

void tracking_except_next(struct client *c) {
	c->tracker->flags |= TRACKING_CACHING;
	show(c->tracker);
}

/* The commands of CLIENT are no ones that the exception is for, and a transaction is one command. */
void tracking_command_ended(struct client *c, const struct command *cmd) {
	if (c->transaction || (cmd && cmd->parent && strcmp(cmd->parent->name, "client") == 0)) return;
	c->tracker->flags &= ~(uint32_t)TRACKING_CACHING;
	show(c->tracker);
}

/* ---- Telling a client ---- */

/* What is told: the names that are invalid now, or that everything is. The bytes for each RESP version are made when the
 * first client wants them. */
struct notice {
	struct tracking_worker *tw; /* the names, as an array, are in _names; nothing there: everything */
	bool made[2];
};

static void begin_notice(struct notice *n, struct worker *w) {
	*n = (struct notice){ &w->tracking, { false, false } };
	w->tracking._names.len = 0;
}

static void begin_names(struct notice *n, struct worker *w, size_t count, struct reply *r) {
	begin_notice(n, w);
	reply_start(r, &w->tracking._names, 3);
	reply_array(r, count);
}

static struct slice frame_for(struct notice *n, uint8_t proto) {
	struct buffer *frame = &n->tw->_frames[proto == 3];
	if (n->made[proto == 3]) return buffer_slice(frame);
	n->made[proto == 3] = true;
	struct reply r;
	frame->len = 0;
	reply_start(&r, frame, proto);
	if (proto == 3) {
		reply_push(&r, 2);
		reply_cstr(&r, "invalidate");
	} else {
		reply_array(&r, 3);
		reply_cstr(&r, "message");
		reply_cstr(&r, "__redis__:invalidate");
	}
	if (n->tw->_names.len > 0)
		buffer_append_slice(frame, buffer_slice(&n->tw->_names));
	else
		reply_null(&r);
	return buffer_slice(frame);
}

/* To the client that others redirect to. One of RESP2 must be a subscriber, or it could not tell this from a reply. */
static void hand_over(struct client *c, struct notice *n) {
	if (c->proto == 3 || subscriber_is_one(&c->subscriber)) client_push(c, frame_for(n, c->proto));
}

/* The client that this one redirects to is gone. */
static void say_broken(struct tracker *t) {
	t->flags |= TRACKING_BROKEN;
	if (t->client->proto != 3) return;
	struct buffer frame = { 0 };
	struct reply r;
	reply_start(&r, &frame, 3);
	reply_push(&r, 2);
	reply_cstr(&r, "tracking-redir-broken");
	reply_int(&r, (int64_t)t->target);
	client_push(t->client, buffer_slice(&frame));
	buffer_release(&frame);
}

/* A notice on its way to a client of another worker, and back when that is gone. */
struct redirected {
	struct message message;
	struct worker *from;
	uint64_t source, target;
	size_t len;
	char names[]; /* as in _names */
};

/* At the end of the server a worker's mailbox may have been emptied for the last time. */
static void post(struct worker *to, struct redirected *r) {
	if (atomic_load_explicit(&to->server->stopping, memory_order_relaxed))
		mem_free(r);
	else
		worker_post(to, &r->message);
}

static void come_back(struct worker *owner, struct message *m) {
	const struct redirected *r = (const struct redirected *)m;
	struct tracker *t = find(owner, r->source);
	if (is_on(t) && t->target == r->target) say_broken(t);
	mem_free(m);
}

static void arrive(struct worker *owner, struct message *m) {
	struct redirected *r = (struct redirected *)m;
	const struct tracker *target = find(owner, r->target);
	if (!target) {
		m->run = come_back;
		post(r->from, r);
		return;
	}
	struct notice n;
	begin_notice(&n, owner);
	buffer_append(&owner->tracking._names, r->names, r->len);
	hand_over(target->client, &n);
	mem_free(m);
}

static void send_on(struct worker *w, const struct tracker *t) {
	struct slice names = buffer_slice(&w->tracking._names);
	struct redirected *r = mem_alloc(sizeof(*r) + names.len);
	*r = (struct redirected){ { .run = arrive }, w, t->client->id, t->target, names.len };
	if (names.len) memcpy(r->names, names.ptr, names.len);
	post(t->target_on, r);
}

static void tell(struct worker *w, struct tracker *t, struct notice *n) {
	if (!t->target) {
		if (t->client->proto == 3) client_push(t->client, frame_for(n, 3));
		return;
	}
	if (t->target_on != w) {
		send_on(w, t);
		return;
	}
	const struct tracker *target = find(w, t->target);
	if (target)
		hand_over(target->client, n);
	else
		say_broken(t);
}

/* ---- Telling a worker's clients ---- */

/* Whether the batch has its own way to the client's target, so that nothing is to be told here. */
static bool was_routed(const struct batch *b, const struct tracker *t) {
	return t->redirect && t->redirect->number <= b->redirects_made;
}

struct telling {
	struct worker *worker;
	const struct batch *batch;
	struct notice notice;
};

static void tell_everything(void *context, void *item) {
	struct telling *x = context;
	if (is_on(item) && !was_routed(x->batch, item)) tell(x->worker, item, &x->notice);
}

static bool is_own_doing(const struct tracker *t, uint64_t by) {
	return t->flags & TRACKING_NOLOOP && t->client->id == by;
}

static void name_change(struct notice *n, struct worker *w, const struct tracked *x) {
	struct reply r;
	begin_names(n, w, 1, &r);
	reply_bulk(&r, x->name, x->len);
}

static void deliver_change(struct worker *w, const struct batch *b, const struct change *change) {
	const struct tracked *x = change->what;
	const holder_t *holders = tracked_holders(x);
	struct notice n = { 0 };
	bool made = false;
	for (size_t i = tracked_first_of(x, w->index); i < x->count; i++) {
		if (holders[i] >> HOLDER_WORKER_SHIFT != w->index) break;
		struct tracker *t = find(w, holders[i] & HOLDER_ID_MASK);
		if (!is_on(t) || t->flags & TRACKING_BCAST || is_own_doing(t, change->by) || was_routed(b, t)) continue;
		if (!made) name_change(&n, w, x);
		made = true;
		tell(w, t, &n);
	}
}

/* Changed keys of one prefix, side by side in the batch. */
struct group {
	struct broadcast *const *keys;
	size_t count;
};

/* Of NOLOOP; for others `but_of` is of no client. */
static uint64_t noloop_id(const struct tracker *t) {
	return t->flags & TRACKING_NOLOOP ? t->client->id : NO_CLIENT;
}

static size_t count_news(const struct group *g, uint64_t but_of) {
	if (but_of == NO_CLIENT) return g->count;
	size_t count = 0;
	for (size_t i = 0; i < g->count; i++) count += g->keys[i]->by != but_of;
	return count;
}

/* Names the keys of the group, but for those that this client has changed: `count` of them. */
static void name_group(struct notice *n, struct worker *w, const struct group *g, uint64_t but_of, size_t count) {
	struct reply r;
	begin_names(n, w, count, &r);
	for (size_t i = 0; i < g->count; i++)
		if (g->keys[i]->by != but_of) reply_slice(&r, broadcast_name(g->keys[i]));
}

static void deliver_group(struct worker *w, const struct batch *b, const struct group *g, const struct wanting *first) {
	struct notice n = { 0 };
	bool has_all = false; /* the notice at hand names the whole group, as almost everybody wants it */
	for (const struct wanting *x = first; x; x = x->next) {
		uint64_t but_of = noloop_id(x->tracker);
		size_t count = count_news(g, but_of);
		if (count == 0 || was_routed(b, x->tracker)) continue;
		if (!has_all || count < g->count) name_group(&n, w, g, but_of, count);
		has_all = count == g->count;
		tell(w, x->tracker, &n);
	}
}

static bool share(const struct broadcast *a, const struct broadcast *b, size_t len) {
	return b->len >= len && memcmp(a->name, b->name, len) == 0;
}

/* The keys are in order, so those with one prefix stand together. */
static void deliver_prefixes_of(struct worker *w, const struct batch *b, size_t len) {
	struct broadcast *const *keys = b->broadcasts;
	for (size_t i = 0, end; i < b->broadcast_count; i = end) {
		end = i + 1;
		if (keys[i]->len < len) continue;
		while (end < b->broadcast_count && share(keys[i], keys[end], len)) end++;
		const struct tracking_prefix *p =
			tracking__find_prefix(&w->server->tracking, slice_of(keys[i]->name, len));
		if (!p || !p->on_worker[w->index].first) continue;
		struct group g = { keys + i, end - i };
		deliver_group(w, b, &g, p->on_worker[w->index].first);
	}
}

/* ---- Telling targets ---- */

/* The target is gone, which its source has to hear. */
static void report_broken(struct worker *w, const struct route *x) {
	struct redirected *r = mem_alloc(sizeof(*r));
	*r = (struct redirected){ { .run = come_back }, w, x->source, x->target, 0 };
	post(x->source_on, r);
}

static void deliver_route(struct worker *w, const struct batch *b, const struct route *x) {
	const struct tracker *target = find(w, x->target);
	if (!target) {
		report_broken(w, x);
		return;
	}
	struct notice n;
	if (x->subject == ROUTE_EVERYTHING) {
		begin_notice(&n, w);
	} else if (x->subject == ROUTE_CHANGE) {
		name_change(&n, w, b->changes[x->first].what);
	} else {
		struct group g = { b->broadcasts + x->first, x->count };
		uint64_t but_of = x->noloop ? x->source : NO_CLIENT;
		size_t count = count_news(&g, but_of);
		if (count == 0) return;
		name_group(&n, w, &g, but_of, count);
	}
	hand_over(target->client, &n);
}

static void trim(struct buffer *b) {
	enum { KEEP_BYTES = 64 * 1024 };
	if (b->cap > KEEP_BYTES) buffer_release(b);
}

void tracking__deliver(struct worker *w, const struct batch *b) {
	const struct tracking *server = &w->server->tracking;
	if (b->everything) {
		struct telling x = { .worker = w, .batch = b };
		begin_notice(&x.notice, w);
		table_each(&w->tracking._trackers, tell_everything, &x);
	}
	for (size_t i = 0; i < b->change_count; i++) deliver_change(w, b, &b->changes[i]);
	if (b->broadcast_count > 0)
		for (size_t i = 0; i < server->_prefix_length_count; i++)
			deliver_prefixes_of(w, b, server->_prefix_lengths[i]);
	for (size_t i = 0; i < b->route_count; i++)
		if (b->routes[i].target_on == w) deliver_route(w, b, &b->routes[i]);
	trim(&w->tracking._names);
	for (int i = 0; i < 2; i++) trim(&w->tracking._frames[i]);
}
