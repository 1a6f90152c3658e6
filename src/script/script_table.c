#include "script/script_table.h"

#include "base/alloc.h"
#include "base/hash.h"

static uint64_t hash_of(const void *item) {
	const struct script *script = item;
	return hash_bytes(script->sha, SHA1_HEX_CHARS);
}

static bool has_sha(const void *item, const void *sha) {
	const struct script *script = item;
	return memcmp(script->sha, sha, SHA1_HEX_CHARS) == 0;
}

static void take(struct script_table *t) {
	lock_take(&t->_lock, LOCK_RANK_SERVER, 0);
}

static void drop(struct script_table *t) {
	lock_drop(&t->_lock, LOCK_RANK_SERVER, 0);
}

static size_t script_bytes(const struct script *script) {
	return mem_size_class(sizeof(*script) + script->source.len);
}

void script_release(struct script *script) {
	/* The release of all pairs with the acquire of the last, who frees what the others have read. */
	if (atomic_fetch_sub_explicit(&script->_references, 1, memory_order_acq_rel) == 1) mem_free(script);
}

static struct script *hold(struct script *script) {
	atomic_fetch_add_explicit(&script->_references, 1, memory_order_relaxed);
	return script;
}

static struct script *find_locked(const struct script_table *t, const char *sha) {
	struct table_place place = table_find(&t->_scripts, hash_bytes(sha, SHA1_HEX_CHARS), has_sha, sha);
	return place.bucket ? table_item_at(place) : NULL;
}

struct script *script_table_find(struct script_table *t, const char *sha) {
	take(t);
	struct script *script = find_locked(t, sha);
	if (script) hold(script);
	drop(t);
	return script;
}

bool script_table_has(struct script_table *t, const char *sha) {
	take(t);
	bool has = find_locked(t, sha) != NULL;
	drop(t);
	return has;
}

static void retire_locked(struct script_table *t, struct script *script) {
	t->_bytes -= script_bytes(script);
	t->_passing -= !script->_stays;
	atomic_store_explicit(&script->retired, true, memory_order_relaxed);
	atomic_fetch_add_explicit(&t->epoch, 1, memory_order_relaxed);
	script_release(script);
}

static void note_oldest(void *context, void *item) {
	struct script **oldest = context, *script = item;
	if (script->_stays) return;
	if (!*oldest || atomic_load_explicit(&script->used_ms, memory_order_relaxed) <
				atomic_load_explicit(&(*oldest)->used_ms, memory_order_relaxed))
		*oldest = script;
}

/* A look at all of them, which happens once per script that nobody has seen before. */
static void evict_locked(struct script_table *t) {
	struct script *oldest = NULL;
	table_each(&t->_scripts, note_oldest, &oldest);
	if (!oldest) return;
	table_remove(&t->_scripts, table_find(&t->_scripts, hash_of(oldest), has_sha, oldest->sha));
	retire_locked(t, oldest);
	atomic_fetch_add_explicit(&t->_evicted, 1, memory_order_relaxed);
}

struct script *script_new(const char *sha, struct slice source, bool has_flags, uint32_t flags, int64_t now_ms) {
	struct script *script = mem_calloc(sizeof(*script) + source.len);
	memcpy(script->sha, sha, SHA1_HEX_CHARS);
	char *text = (char *)(script + 1);
	if (source.len) memcpy(text, source.ptr, source.len);
	script->source = slice_of(text, source.len);
	script->has_flags = has_flags;
	script->flags = flags;
	atomic_store_explicit(&script->used_ms, now_ms, memory_order_relaxed);
	atomic_store_explicit(&script->_references, 1, memory_order_relaxed);
	return script;
}

static void let_stay_locked(struct script_table *t, struct script *script) {
	if (script->_stays || atomic_load_explicit(&script->retired, memory_order_relaxed)) return;
	script->_stays = true;
	t->_passing--;
}

void script_table_add(struct script_table *t, struct script *script, bool stays) {
	take(t);
	struct script *there = find_locked(t, script->sha);
	if (there) {
		atomic_store_explicit(&script->retired, true, memory_order_relaxed);
		if (stays) let_stay_locked(t, there);
	} else {
		if (!stays && t->_passing >= SCRIPT_EVAL_MAX) evict_locked(t);
		script->_stays = stays;
		t->_passing += !stays;
		t->_bytes += script_bytes(script);
		table_insert(&t->_scripts, hash_of(script), hold(script), hash_of);
	}
	drop(t);
}

void script_table_let_stay(struct script_table *t, struct script *script) {
	take(t);
	let_stay_locked(t, script);
	drop(t);
}

static void retire_item(void *context, void *item) {
	retire_locked(context, item);
}

void script_table_flush(struct script_table *t) {
	take(t);
	table_each(&t->_scripts, retire_item, t);
	table_release(&t->_scripts);
	atomic_fetch_add_explicit(&t->epoch, SCRIPT_EPOCH_FLUSH, memory_order_relaxed);
	drop(t);
}

void script_table_release(struct script_table *t) {
	script_table_flush(t);
}

void script_table_figures(struct script_table *t, struct script_table_figures *figures) {
	take(t);
	figures->scripts = table_count(&t->_scripts);
	figures->bytes = t->_bytes + table_memory(&t->_scripts);
	drop(t);
	figures->evicted = atomic_load_explicit(&t->_evicted, memory_order_relaxed);
}
