/* Clients that redirect, known to all workers: who has changed a key routes what is to be told to the worker of each target
 * itself. By way of the worker of the client that redirects it would come behind the answer to what the target is asked
 * once the change was answered. */
#include <string.h>

#include "base/alloc.h"
#include "server/server.h"
#include "server/tracking_private.h"

enum { TIDY_FROM = 64, TIDY_BYTES = 1 << 20 };

static uint64_t redirect_hash(const void *item) {
	return tracking__id_hash(((const struct redirect *)item)->source);
}

static bool redirect_has_source(const void *item, const void *id) {
	const struct redirect *r = item;
	return r->source == *(const uint64_t *)id && !redirect_is_off(r);
}

static const struct redirect *find(const struct tracking *t, uint64_t source) {
	struct table_place place = table_find(&t->_redirects, tracking__id_hash(source), redirect_has_source, &source);
	return place.bucket ? table_item_at(place) : NULL;
}

static void put_in(struct tracking *t, struct redirect *r) {
	table_insert(&t->_redirects, redirect_hash(r), r, redirect_hash);
	if (!r->broadcasts) return;
	r->next = t->_broadcasting;
	t->_broadcasting = r;
}

void tracking__tidy_redirects(struct tracking *t) {
	if (table_count(&t->_redirects) < t->_redirect_tidy_at && t->_redirect_bytes < TIDY_BYTES) return;
	struct table all = t->_redirects;
	t->_redirects = (struct table){ 0 };
	t->_broadcasting = NULL;
	struct table_walk walk = { 0 };
	void *items[16];
	size_t count;
	while ((count = table_walk(&all, &walk, items, 16)) > 0) {
		for (size_t i = 0; i < count; i++) {
			if (redirect_is_off(items[i]))
				mem_free(items[i]);
			else
				put_in(t, items[i]);
		}
	}
	table_release(&all);
	t->_redirect_tidy_at = table_count(&t->_redirects) * 2 + TIDY_FROM;
	t->_redirect_bytes = 0;
}

static bool is_this(const void *item, const void *redirect) {
	return item == redirect;
}

void tracking__drop_redirect(struct tracking *t, struct redirect *r) {
	table_remove(&t->_redirects, table_find(&t->_redirects, redirect_hash(r), is_this, r));
	struct redirect **at = &t->_broadcasting;
	while (*at && *at != r) at = &(*at)->next;
	if (*at) *at = r->next;
	mem_free(r);
}

struct redirect *tracking__add_redirect(
	struct tracking *t, const struct redirect *wanted, const struct slice *prefixes, size_t count) {
	tracking__tidy_redirects(t);
	size_t bytes = sizeof(struct redirect) + count * sizeof(prefixes[0]);
	for (size_t i = 0; i < count; i++) bytes += prefixes[i].len;
	struct redirect *r = mem_alloc(bytes);
	memcpy(r, wanted, sizeof(*r));
	r->bytes = mem_size_class(bytes);
	t->_redirect_bytes += r->bytes;
	r->number = ++t->_redirects_made;
	r->prefix_count = count;
	char *name = (char *)(r->prefixes + count);
	for (size_t i = 0; i < count; i++) {
		if (prefixes[i].len) memcpy(name, prefixes[i].ptr, prefixes[i].len);
		r->prefixes[i] = slice_of(name, prefixes[i].len);
		name += prefixes[i].len;
	}
	put_in(t, r);
	return r;
}

static void free_redirect(void *context, void *item) {
	(void)context;
	mem_free(item);
}

void tracking__free_redirects(struct tracking *t) {
	table_each(&t->_redirects, free_redirect, NULL);
	table_release(&t->_redirects);
}

/* ---- Routes ---- */

static void add_route(
	struct tracking_worker *tw, const struct redirect *r, enum route_subject subject, size_t first, size_t count) {
	if (tw->_route_count == tw->_route_cap) {
		tw->_route_cap = tw->_route_cap ? tw->_route_cap * 2 : 4;
		tw->_routes = mem_realloc(tw->_routes, tw->_route_cap * sizeof(tw->_routes[0]));
	}
	tw->_routes[tw->_route_count++] =
		(struct route){ r->source, r->target, r->source_on, r->target_on, r->noloop, subject, first, count };
	tracking__add_listener(tw, r->target_on->index);
}

static void route_everything(void *context, void *item) {
	if (!redirect_is_off(item)) add_route(context, item, ROUTE_EVERYTHING, 0, 0);
}

static void route_change(struct worker *w, size_t index) {
	const struct change *change = &w->tracking._changes[index];
	const holder_t *holders = tracked_holders(change->what);
	for (size_t i = 0; i < change->what->count; i++) {
		const struct redirect *r = find(&w->server->tracking, holders[i] & HOLDER_ID_MASK);
		if (!r || r->broadcasts || (r->noloop && r->source == change->by)) continue;
		add_route(&w->tracking, r, ROUTE_CHANGE, index, 1);
	}
}

static bool begins_with(const struct broadcast *x, struct slice prefix) {
	return x->len >= prefix.len && memcmp(x->name, prefix.ptr, prefix.len) == 0;
}

/* The keys are in order, so those with the prefix stand together. */
static void route_prefix(struct tracking_worker *tw, const struct redirect *r, struct slice prefix) {
	size_t first = 0, behind = tw->_broadcast_count;
	while (first < behind) {
		size_t middle = first + (behind - first) / 2;
		if (slice_compare(broadcast_name(tw->_broadcasts[middle]), prefix) < 0)
			first = middle + 1;
		else
			behind = middle;
	}
	size_t end = first;
	while (end < tw->_broadcast_count && begins_with(tw->_broadcasts[end], prefix)) end++;
	if (end > first) add_route(tw, r, ROUTE_GROUP, first, end - first);
}

void tracking__route(struct worker *w) {
	struct tracking_worker *tw = &w->tracking;
	const struct tracking *t = &w->server->tracking;
	if (table_count(&t->_redirects) == 0) return;
	if (tw->_everything) table_each(&t->_redirects, route_everything, tw);
	for (size_t i = 0; i < tw->_change_count; i++) route_change(w, i);
	if (tw->_broadcast_count == 0) return;
	for (const struct redirect *r = t->_broadcasting; r; r = r->next)
		for (size_t i = 0; !redirect_is_off(r) && i < r->prefix_count; i++) route_prefix(tw, r, r->prefixes[i]);
}
