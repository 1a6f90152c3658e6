#include "script/function_library.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/hash.h"

const char *const function_flag_names[] = {
	"no-writes",
	"allow-oom",
	"allow-stale",
	"no-cluster",
	"allow-cross-slot-keys",
	NULL,
};

static struct slice copy_of(struct slice s) {
	char *bytes = mem_alloc(s.len + 1);
	if (s.len) memcpy(bytes, s.ptr, s.len);
	bytes[s.len] = 0;
	return slice_of(bytes, s.len);
}

static void free_slice(struct slice s) {
	mem_free((void *)(uintptr_t)s.ptr);
}

/* Room for one more in an array that doubles. */
static void *room(void *array, unsigned count, unsigned *cap, size_t each) {
	if (count < *cap) return array;
	*cap = *cap ? *cap * 2 : 4;
	return mem_realloc(array, *cap * each);
}

/* ---- Functions by name ---- */

enum { HASHED_CHARS = 64 };

/* Of the name in lower case. Names are as long as their libraries like; the beginning tells them apart well enough. */
static uint64_t hash_name(struct slice name) {
	char lower[HASHED_CHARS];
	size_t len = name.len < HASHED_CHARS ? name.len : HASHED_CHARS;
	for (size_t i = 0; i < len; i++) {
		char c = name.ptr[i];
		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
	return hash_bytes(lower, len);
}

static uint64_t hash_function(const void *item) {
	return hash_name(((const struct function *)item)->name);
}

static bool has_name(const void *item, const void *name) {
	return slice_equal_nocase(((const struct function *)item)->name, *(const struct slice *)name);
}

static struct function *find(const struct table *functions, struct slice name) {
	struct table_place place = table_find(functions, hash_name(name), has_name, &name);
	return place.bucket ? table_item_at(place) : NULL;
}

/* ---- A library ---- */

struct library *library_new(struct slice name, struct slice code) {
	char *bytes = mem_try_alloc(code.len + 1);
	if (!bytes) return NULL;
	if (code.len) memcpy(bytes, code.ptr, code.len);
	struct library *lib = mem_calloc(sizeof(*lib));
	atomic_init(&lib->_references, 1);
	lib->name = copy_of(name);
	lib->code = slice_of(bytes, code.len);
	return lib;
}

struct function *library_function(const struct library *lib, struct slice name) {
	return find(&lib->_by_name, name);
}

bool library_add(struct library *lib, struct slice name, struct slice description, uint32_t flags) {
	assert(!lib->handles);
	if (library_function(lib, name)) return false;
	struct function *f = mem_calloc(sizeof(*f));
	f->library = lib;
	f->index = lib->count;
	f->flags = flags;
	f->name = copy_of(name);
	if (description.ptr) f->description = copy_of(description);
	lib->functions = room(lib->functions, lib->count, &lib->_cap, sizeof(*lib->functions));
	lib->functions[lib->count++] = f;
	table_insert(&lib->_by_name, hash_function(f), f, hash_function);
	return true;
}

void library_seal(struct library *lib, unsigned workers, int none) {
	assert(!lib->handles);
	size_t count = (size_t)workers * lib->count;
	lib->_workers = workers;
	lib->handles = mem_alloc((count ? count : 1) * sizeof(*lib->handles));
	for (size_t i = 0; i < count; i++) lib->handles[i] = none;
}

void library_hold(struct library *lib) {
	atomic_fetch_add_explicit(&lib->_references, 1, memory_order_relaxed);
}

static void free_function(struct function *f) {
	free_slice(f->name);
	free_slice(f->description);
	mem_free(f);
}

void library_release(struct library *lib) {
	/* Release and acquire: whoever frees it comes after all that others did with it. */
	if (!lib || atomic_fetch_sub_explicit(&lib->_references, 1, memory_order_acq_rel) != 1) return;
	for (unsigned i = 0; i < lib->count; i++) free_function(lib->functions[i]);
	table_release(&lib->_by_name);
	mem_free(lib->functions);
	mem_free(lib->handles);
	free_slice(lib->name);
	free_slice(lib->code);
	mem_free(lib);
}

size_t library_memory(const struct library *lib) {
	size_t bytes = mem_size_class(sizeof(*lib)) + mem_size_class(lib->name.len + 1) +
		       mem_size_class(lib->code.len + 1) + lib->_cap * sizeof(*lib->functions) +
		       (size_t)lib->_workers * lib->count * sizeof(*lib->handles) + table_memory(&lib->_by_name);
	for (unsigned i = 0; i < lib->count; i++) {
		const struct function *f = lib->functions[i];
		bytes += mem_size_class(sizeof(*f)) + mem_size_class(f->name.len + 1);
		if (f->description.ptr) bytes += mem_size_class(f->description.len + 1);
	}
	return bytes;
}

/* ---- A set ---- */

struct function *library_set_function(const struct library_set *set, struct slice name) {
	return find(&set->_functions, name);
}

/* Where the library of that name stands, or would. */
static unsigned position(const struct library_set *set, struct slice name) {
	unsigned low = 0, high = set->count;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (slice_compare(set->libraries[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct library *library_set_find(const struct library_set *set, struct slice name) {
	unsigned at = position(set, name);
	return at < set->count && slice_equal(set->libraries[at]->name, name) ? set->libraries[at] : NULL;
}

const struct function *library_set_clash(
	const struct library_set *set, const struct library *lib, const struct library *replaced) {
	for (unsigned i = 0; i < lib->count; i++) {
		const struct function *taken = library_set_function(set, lib->functions[i]->name);
		if (taken && taken->library != replaced) return lib->functions[i];
	}
	return NULL;
}

void library_set_add(struct library_set *set, struct library *lib) {
	unsigned at = position(set, lib->name);
	set->libraries = room(set->libraries, set->count, &set->_cap, sizeof(*set->libraries));
	memmove(set->libraries + at + 1, set->libraries + at, (set->count - at) * sizeof(*set->libraries));
	set->libraries[at] = lib;
	set->count++;
	set->memory += library_memory(lib);
	for (unsigned i = 0; i < lib->count; i++)
		table_insert(&set->_functions, hash_function(lib->functions[i]), lib->functions[i], hash_function);
}

static void remove_function(struct library_set *set, const struct function *f) {
	table_remove(&set->_functions, table_find(&set->_functions, hash_function(f), has_name, &f->name));
}

/* Takes the library out; the reference to it is the caller's from here on. */
static void take_out(struct library_set *set, struct library *lib) {
	unsigned at = position(set, lib->name);
	assert(at < set->count && set->libraries[at] == lib);
	set->count--;
	memmove(set->libraries + at, set->libraries + at + 1, (set->count - at) * sizeof(*set->libraries));
	set->memory -= library_memory(lib);
	for (unsigned i = 0; i < lib->count; i++) remove_function(set, lib->functions[i]);
}

void library_set_remove(struct library_set *set, struct library *lib) {
	take_out(set, lib);
	set->epoch++;
	lib->retired = true;
	library_release(lib);
}

void library_set_clear(struct library_set *set) {
	for (unsigned i = 0; i < set->count; i++) {
		set->libraries[i]->retired = true;
		library_release(set->libraries[i]);
	}
	table_release(&set->_functions);
	set->_functions = (struct table){ 0 };
	set->count = 0;
	set->memory = 0;
	set->epoch++;
}

void library_set_release(struct library_set *set) {
	library_set_clear(set);
	mem_free(set->libraries);
	*set = (struct library_set){ 0 };
}

static const char *check_library(const struct library_set *set, const struct library *lib) {
	if (lib->retired) return "a library is there that has gone";
	for (unsigned i = 0; i < lib->count; i++) {
		const struct function *f = lib->functions[i];
		if (f->library != lib || f->index != i) return "a function does not know its place";
		if (library_function(lib, f->name) != f) return "a library does not find its function";
		if (library_set_function(set, f->name) != f) return "the set does not find a function";
	}
	return NULL;
}

const char *library_set_check(const struct library_set *set) {
	size_t functions = 0, memory = 0;
	const char *wrong = table_check(&set->_functions, hash_function);
	for (unsigned i = 0; !wrong && i < set->count; i++) {
		const struct library *lib = set->libraries[i];
		if (i > 0 && slice_compare(set->libraries[i - 1]->name, lib->name) >= 0)
			return "libraries out of order";
		functions += lib->count;
		memory += library_memory(lib);
		wrong = check_library(set, lib);
	}
	if (wrong) return wrong;
	if (functions != library_set_functions(set)) return "functions of no library";
	return memory == set->memory ? NULL : "the sum of bytes is wrong";
}

/* ---- Two sets ---- */

/* Whether the function's name is taken by a library that stays when those of `from` come. */
static bool is_taken(const struct library_set *set, const struct library_set *from, const struct function *f) {
	const struct function *taken = library_set_function(set, f->name);
	return taken && !library_set_find(from, taken->library->name);
}

static const struct function *find_clash(const struct library_set *set, const struct library_set *from) {
	for (unsigned i = 0; i < from->count; i++)
		for (unsigned k = 0; k < from->libraries[i]->count; k++)
			if (is_taken(set, from, from->libraries[i]->functions[k]))
				return from->libraries[i]->functions[k];
	return NULL;
}

bool library_set_merge(struct library_set *set, struct library_set *from, enum library_merge how,
	const struct library **old, const struct function **clash) {
	*old = NULL;
	*clash = NULL;
	for (unsigned i = 0; how == LIBRARY_APPEND && !*old && i < from->count; i++)
		*old = library_set_find(set, from->libraries[i]->name);
	if (!*old && how != LIBRARY_FLUSH) *clash = find_clash(set, from);
	if (*old || *clash) return false;
	if (how == LIBRARY_FLUSH) library_set_clear(set);
	for (unsigned i = 0; i < from->count; i++) {
		struct library *same = library_set_find(set, from->libraries[i]->name);
		if (same) library_set_remove(set, same);
	}
	while (from->count) {
		struct library *lib = from->libraries[from->count - 1];
		take_out(from, lib);
		library_set_add(set, lib);
	}
	return true;
}
