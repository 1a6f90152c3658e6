#include "script/script_cache.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "script/interp.h"

static uint64_t hash_of(const void *item) {
	const struct cached_script *cached = item;
	return hash_bytes(cached->script->sha, SHA1_HEX_CHARS);
}

static bool is_retired(const struct cached_script *cached) {
	return atomic_load_explicit(&cached->script->retired, memory_order_relaxed);
}

/* A retired script of the same text may still be there. */
static bool is_alive_with_sha(const void *item, const void *sha) {
	const struct cached_script *cached = item;
	return memcmp(cached->script->sha, sha, SHA1_HEX_CHARS) == 0 && !is_retired(cached);
}

static bool is_same(const void *item, const void *other) {
	return item == other;
}

struct cached_script *script_cache_find(struct script_cache *cache, const char *sha) {
	struct table_place place =
		table_find(&cache->_scripts, hash_bytes(sha, SHA1_HEX_CHARS), is_alive_with_sha, sha);
	return place.bucket ? table_item_at(place) : NULL;
}

static struct cached_script **recent(struct script_cache *cache, struct slice text) {
	return &cache->_recent[hash_slice(text) % SCRIPT_CACHE_RECENT];
}

struct cached_script *script_cache_find_text(struct script_cache *cache, struct slice text) {
	struct cached_script *cached = *recent(cache, text);
	return cached && slice_equal(cached->script->source, text) && !is_retired(cached) ? cached : NULL;
}

struct cached_script *script_cache_add(
	struct script_cache *cache, struct script *script, int function, bool leaves_alone) {
	struct cached_script *cached = mem_alloc(sizeof(*cached));
	*cached = (struct cached_script){ script, function, leaves_alone };
	table_insert(&cache->_scripts, hash_of(cached), cached, hash_of);
	*recent(cache, script->source) = cached;
	return cached;
}

/* ---- Letting go ---- */

struct retired {
	struct cached_script **items;
	size_t count;
};

static void collect_retired(void *context, void *item) {
	struct retired *retired = context;
	if (is_retired(item)) retired->items[retired->count++] = item;
}

static void forget(struct script_cache *cache, struct interp *in, struct cached_script *cached) {
	struct cached_script **place = recent(cache, cached->script->source);
	if (*place == cached) *place = NULL;
	table_remove(&cache->_scripts, table_find(&cache->_scripts, hash_of(cached), is_same, cached));
	interp_drop(in, cached->function);
	script_release(cached->script);
	mem_free(cached);
}

void script_cache_tidy(struct script_cache *cache, struct interp *in, uint64_t epoch) {
	if (epoch - cache->_epoch < SCRIPT_EPOCH_FLUSH) return;
	cache->_epoch = epoch;
	struct retired retired = { mem_alloc((table_count(&cache->_scripts) + 1) * sizeof(retired.items[0])), 0 };
	table_each(&cache->_scripts, collect_retired, &retired);
	for (size_t i = 0; i < retired.count; i++) forget(cache, in, retired.items[i]);
	mem_free(retired.items);
	interp_collect(in);
}

static void release_item(void *context, void *item) {
	(void)context;
	struct cached_script *cached = item;
	script_release(cached->script);
	mem_free(cached);
}

void script_cache_release(struct script_cache *cache) {
	table_each(&cache->_scripts, release_item, NULL);
	table_release(&cache->_scripts);
}
