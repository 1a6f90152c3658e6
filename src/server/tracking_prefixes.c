/* The prefixes that clients of BCAST want, of all workers.
 *
 * A name is looked up by its hash, once for each length that prefixes have: so a change costs the same with one prefix as
 * with ten thousand of the same few lengths. */
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "server/tracking_private.h"

enum { TIDY_FROM = 64 };

static uint64_t prefix_hash(const void *item) {
	return ((const struct tracking_prefix *)item)->hash;
}

static bool prefix_has_name(const void *item, const void *name) {
	return slice_equal(prefix_name(item), *(const struct slice *)name);
}

static struct table_place place_of(const struct tracking *t, struct slice name, uint64_t hash) {
	return table_find(&t->_prefixes, hash, prefix_has_name, &name);
}

struct tracking_prefix *tracking__find_prefix(const struct tracking *t, struct slice name) {
	struct table_place place = place_of(t, name, hash_slice(name));
	return place.bucket ? table_item_at(place) : NULL;
}

static void add_length(struct tracking *t, size_t len) {
	size_t at = 0;
	while (at < t->_prefix_length_count && t->_prefix_lengths[at] < len) at++;
	if (at < t->_prefix_length_count && t->_prefix_lengths[at] == len) return;
	if (t->_prefix_length_count == t->_prefix_length_cap) {
		t->_prefix_length_cap = t->_prefix_length_cap ? t->_prefix_length_cap * 2 : 8;
		t->_prefix_lengths = mem_realloc(t->_prefix_lengths, t->_prefix_length_cap * sizeof(size_t));
	}
	memmove(t->_prefix_lengths + at + 1, t->_prefix_lengths + at, (t->_prefix_length_count - at) * sizeof(size_t));
	t->_prefix_lengths[at] = len;
	t->_prefix_length_count++;
}

struct tracking_prefix *tracking__get_prefix(struct tracking *t, struct slice name) {
	struct tracking_prefix *p = tracking__find_prefix(t, name);
	if (p) return p;
	size_t head = sizeof(*p) + t->_worker_count * sizeof(p->on_worker[0]);
	p = mem_alloc(head + name.len);
	memset(p, 0, head);
	p->hash = hash_slice(name);
	p->len = name.len;
	p->name = (char *)p + head;
	if (name.len) memcpy(p->name, name.ptr, name.len);
	table_insert(&t->_prefixes, p->hash, p, prefix_hash);
	add_length(t, name.len);
	return p;
}

static bool is_wanted(const struct tracking *t, const struct tracking_prefix *p) {
	for (unsigned i = 0; i < t->_worker_count; i++)
		if (atomic_load_explicit(&p->on_worker[i].count, memory_order_relaxed) > 0) return true;
	return false;
}

/* The table is made anew with those that stay. */
void tracking__tidy_prefixes(struct tracking *t) {
	if (table_count(&t->_prefixes) < t->_prefix_tidy_at) return;
	struct table all = t->_prefixes;
	t->_prefixes = (struct table){ 0 };
	t->_prefix_length_count = 0;
	struct table_walk walk = { 0 };
	void *items[16];
	size_t count;
	while ((count = table_walk(&all, &walk, items, 16)) > 0) {
		for (size_t i = 0; i < count; i++) {
			struct tracking_prefix *p = items[i];
			if (is_wanted(t, p)) {
				table_insert(&t->_prefixes, p->hash, p, prefix_hash);
				add_length(t, p->len);
			} else {
				mem_free(p);
			}
		}
	}
	table_release(&all);
	t->_prefix_tidy_at = 2 * table_count(&t->_prefixes) + TIDY_FROM;
}

static void free_prefix(void *context, void *item) {
	(void)context;
	mem_free(item);
}

void tracking__free_prefixes(struct tracking *t) {
	table_each(&t->_prefixes, free_prefix, NULL);
	table_release(&t->_prefixes);
	mem_free(t->_prefix_lengths);
}

void tracking_count(const struct tracking *t, struct tracking_figures *f) {
	*f = (struct tracking_figures){
		.clients = atomic_load_explicit(&t->_clients, memory_order_relaxed),
		.keys = atomic_load_explicit(&t->_keys, memory_order_relaxed),
		.items = atomic_load_explicit(&t->_items, memory_order_relaxed),
	};
	struct table_walk walk = { 0 };
	void *items[16];
	size_t count;
	while ((count = table_walk(&t->_prefixes, &walk, items, 16)) > 0)
		for (size_t i = 0; i < count; i++) f->prefixes += is_wanted(t, items[i]);
}
