/* function: first lines, sets of libraries beside a naive model, merging, libraries as bytes, and code in an interpreter. */
#include "../testing.h"

#include <lauxlib.h>
#include <string.h>

#include "base/alloc.h"
#include "script/function_private.h"
#include "types/serial.h"

static struct slice text(const char *s) {
	return slice_of_cstr(s);
}

static void assert_text(const struct buffer *b, const char *expected) {
	assert_int_equal(b->len, strlen(expected));
	if (b->len) assert_memory_equal(b->data, expected, b->len);
}

/* ---- First lines ---- */

static void reads(const char *code, const char *name, const char *body) {
	struct function_header h;
	struct buffer error = { 0 };
	assert_true(function_header_read(&h, text(code), &error));
	assert_text(&h.name, name);
	assert_int_equal(h.body.len, strlen(body));
	assert_memory_equal(h.body.ptr, body, h.body.len);
	assert_int_equal(error.len, 0);
	function_header_release(&h);
}

static void refuses(const char *code, const char *expected) {
	struct function_header h;
	struct buffer error = { 0 };
	assert_false(function_header_read(&h, text(code), &error));
	assert_text(&error, expected);
	buffer_release(&error);
}

static void first_lines(void **state) {
	(void)state;
	reads("#!lua name=a\nx", "a", "\nx");
	reads("#!LUA  NAME='A_1' \r\n", "A_1", "\n");
	reads("#!lua name=a\n#!lua name=b\n", "a", "\n#!lua name=b\n");
	refuses("", "Missing library metadata");
	refuses("#", "Missing library metadata");
	refuses("#!", "Invalid library metadata");
	refuses("#!lua name=a", "Invalid library metadata");
	refuses("#!lua name='a\n", "Invalid library metadata");
	refuses("#!\n", "Library name was not given");
	refuses("#!lua nam\n", "Invalid metadata value given: nam");
	refuses("#!lua name=a name=a\n", "Invalid metadata value, name argument was given multiple times");
	refuses("#!lua name=\n", FUNCTION_BAD_NAME);
	refuses("#!ruby name=a\n", "Engine 'ruby' not found");
}

static void names(void **state) {
	(void)state;
	assert_true(function_name_is_valid(text("aZ_09")));
	assert_false(function_name_is_valid(text("")));
	for (int c = 0; c < 256; c++) {
		char name[2] = { 'a', (char)c };
		bool fine = c < 128 && (c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'));
		assert_int_equal(function_name_is_valid(slice_of(name, 2)), fine);
	}
}

/* ---- Sets, beside an array that says which library has which functions ---- */

enum { LIBRARIES = 12, FUNCTIONS = 40, WORKERS = 3 };

struct model {
	bool has[LIBRARIES];
	bool functions[LIBRARIES][FUNCTIONS];
};

static struct slice numbered(char *room, size_t size, const char *word, unsigned n) {
	return slice_of(room, (size_t)snprintf(room, size, "%s%u", word, n));
}

static struct library *make_library(unsigned n, const bool *functions) {
	char name[16];
	struct library *lib = library_new(numbered(name, sizeof(name), "Lib", n), text("#!lua name=x\ncode"));
	assert_non_null(lib);
	for (unsigned f = 0; f < FUNCTIONS; f++) {
		if (!functions[f]) continue;
		struct slice called = numbered(name, sizeof(name), "Func_", f);
		assert_true(library_add(lib, called, f % 2 ? called : slice_of(NULL, 0), f % 32));
		assert_false(library_add(lib, called, called, 0));
	}
	library_seal(lib, WORKERS, LUA_NOREF);
	return lib;
}

static void draw_functions(bool *functions) {
	for (unsigned f = 0; f < FUNCTIONS; f++) functions[f] = random_below(25) == 0;
}

static int owner_of(const struct model *m, unsigned function) {
	for (int n = 0; n < LIBRARIES; n++)
		if (m->has[n] && m->functions[n][function]) return n;
	return -1;
}

static bool clashes(const struct model *m, const bool *functions, int but) {
	for (unsigned f = 0; f < FUNCTIONS; f++) {
		int owner = functions[f] ? owner_of(m, f) : -1;
		if (owner >= 0 && owner != but) return true;
	}
	return false;
}

static void compare(const struct model *m, const struct library_set *set) {
	assert_null(library_set_check(set));
	char room[16];
	unsigned count = 0;
	for (unsigned n = 0; n < LIBRARIES; n++) {
		const struct library *lib = library_set_find(set, numbered(room, sizeof(room), "Lib", n));
		assert_int_equal(lib != NULL, m->has[n]);
		assert_null(library_set_find(set, numbered(room, sizeof(room), "lib", n)));
		count += m->has[n];
	}
	assert_int_equal(set->count, count);
	for (unsigned f = 0; f < FUNCTIONS; f++) {
		const struct function *found =
			library_set_function(set, numbered(room, sizeof(room), f % 3 ? "func_" : "FUNC_", f));
		int owner = owner_of(m, f);
		assert_int_equal(found != NULL, owner >= 0);
		if (!found) continue;
		struct slice lib = numbered(room, sizeof(room), "Lib", (unsigned)owner);
		assert_true(slice_equal(found->library->name, lib));
		assert_int_equal(found->flags, f % 32);
		assert_int_equal(found->description.ptr != NULL, f % 2);
	}
}

/* As FUNCTION LOAD REPLACE does. */
static void load_one(struct model *m, struct library_set *set) {
	unsigned n = (unsigned)random_below(LIBRARIES);
	bool functions[FUNCTIONS];
	draw_functions(functions);
	struct library *lib = make_library(n, functions), *old = library_set_find(set, lib->name);
	bool clash = clashes(m, functions, (int)n);
	assert_int_equal(library_set_clash(set, lib, old) != NULL, clash);
	if (clash) {
		library_release(lib);
		return;
	}
	uint64_t epoch = set->epoch;
	if (old) {
		library_hold(old);
		library_set_remove(set, old);
		assert_true(old->retired);
		library_release(old);
	}
	assert_int_equal(set->epoch > epoch, old != NULL);
	library_set_add(set, lib);
	m->has[n] = true;
	memcpy(m->functions[n], functions, sizeof(functions));
}

static void delete_one(struct model *m, struct library_set *set) {
	char room[16];
	unsigned n = (unsigned)random_below(LIBRARIES);
	struct library *lib = library_set_find(set, numbered(room, sizeof(room), "Lib", n));
	if (lib) library_set_remove(set, lib);
	m->has[n] = false;
}

static void draw_set(struct model *m, struct library_set *set) {
	memset(m, 0, sizeof(*m));
	for (unsigned i = 0; i < random_below(4); i++) load_one(m, set);
}

static bool model_merges(const struct model *m, const struct model *from, enum library_merge how) {
	struct model rest = *m;
	for (unsigned n = 0; n < LIBRARIES; n++) {
		if (!from->has[n] && how != LIBRARY_FLUSH) continue;
		if (from->has[n] && m->has[n] && how == LIBRARY_APPEND) return false;
		rest.has[n] = false;
	}
	for (unsigned n = 0; n < LIBRARIES; n++)
		if (from->has[n] && clashes(&rest, from->functions[n], -1)) return false;
	return true;
}

static void merge_one(struct model *m, struct library_set *set) {
	enum library_merge how = (enum library_merge)random_below(LIBRARY_FLUSH + 1);
	struct model other;
	struct library_set from = { 0 };
	draw_set(&other, &from);
	bool expected = model_merges(m, &other, how);
	const struct library *old;
	const struct function *clash;
	assert_int_equal(library_set_merge(set, &from, how, &old, &clash), expected);
	assert_int_equal(old != NULL || clash != NULL, !expected);
	if (expected) {
		assert_int_equal(from.count, 0);
		if (how == LIBRARY_FLUSH) memset(m, 0, sizeof(*m));
		for (unsigned n = 0; n < LIBRARIES; n++) {
			if (!other.has[n]) continue;
			m->has[n] = true;
			memcpy(m->functions[n], other.functions[n], sizeof(other.functions[n]));
		}
	} else {
		compare(&other, &from);
	}
	library_set_release(&from);
}

static void sets(void **state) {
	(void)state;
	testing_begin(1);
	struct model m = { 0 };
	struct library_set set = { 0 };
	for (unsigned i = testing_rounds(3000); i > 0; i--) {
		switch (random_below(12)) {
		case 0: merge_one(&m, &set); break;
		case 1:
		case 2: delete_one(&m, &set); break;
		case 3:
			if (random_below(10) == 0) {
				library_set_clear(&set);
				memset(&m, 0, sizeof(m));
			}
			break;
		default: load_one(&m, &set); break;
		}
		compare(&m, &set);
	}
	library_set_release(&set);
}

/* ---- Code ---- */

static struct library *probe(struct interp *in, const char *code, struct buffer *error) {
	struct function_header h;
	assert_true(function_header_read(&h, text(code), error));
	struct library *lib = function_probe(in, &h, text(code), error);
	function_header_release(&h);
	return lib;
}

static void probing(void **state) {
	(void)state;
	struct buffer error = { 0 };
	struct interp *in = function_interp_new(0, &error);
	assert_non_null(in);
	struct library *lib = probe(in,
		"#!lua name=one\nredis.register_function('a', function() end)\n"
		"redis.register_function{function_name='b', callback=function() end, description='says', "
		"flags={'no-writes', 'allow-stale'}}",
		&error);
	assert_non_null(lib);
	assert_int_equal(lib->count, 2);
	assert_true(slice_equal(lib->functions[0]->name, text("a")));
	assert_null(lib->functions[0]->description.ptr);
	assert_true(slice_equal(lib->functions[1]->description, text("says")));
	assert_int_equal(lib->functions[1]->flags, FUNCTION_NO_WRITES | FUNCTION_ALLOW_STALE);
	library_release(lib);

	assert_null(probe(in, "#!lua name=one\nredis.register_function('a', function() end) x = 1", &error));
	assert_text(&error, "Error registering functions: ERR user_function:2: Attempt to modify a readonly table");
	error.len = 0;
	assert_null(probe(in, "#!lua name=one\nreturn", &error));
	assert_text(&error, "No functions registered");
	buffer_release(&error);
	interp_free(in);
}

/* What is left in the interpreter after many loads that failed half-way is not more than after a few. */
static void probing_leaves_nothing(void **state) {
	(void)state;
	struct buffer error = { 0 };
	struct interp *in = function_interp_new(0, &error);
	const char *code = "#!lua name=one\nlocal t = {} for i = 1, 1000 do t[i] = {} end\n"
			   "redis.register_function('a', function() return t end) x = 1";
	size_t early = 0;
	for (unsigned i = 0; i < 400; i++) {
		assert_null(probe(in, code, &error));
		error.len = 0;
		if (i == 200) early = interp_memory(in);
	}
	assert_true(interp_memory(in) < early + (size_t)1024 * 1024);
	buffer_release(&error);
	interp_free(in);
}

static void worker_loads_and_forgets(void **state) {
	(void)state;
	struct buffer error = { 0 };
	struct interp *in = function_interp_new(0, &error);
	struct function_worker *fw = function_worker_new(1);
	assert_non_null(fw);
	struct library_set set = { 0 };
	size_t early = 0;
	for (unsigned i = 0; i < 400; i++) {
		struct library *lib = probe(in,
			"#!lua name=one\nlocal t = {} for i = 1, 1000 do t[i] = {} end\n"
			"redis.register_function('a', function() return t end) redis.register_function('b', function() "
			"end)",
			&error);
		library_seal(lib, 2, LUA_NOREF);
		library_set_add(&set, lib);
		for (unsigned k = 0; k < 2; k++) {
			assert_true(function_push(fw, lib->functions[k], &error));
			assert_true(lua_isfunction(interp_lua(fw->interp), -1));
			lua_pop(interp_lua(fw->interp), 1);
		}
		assert_int_equal(fw->count, 1);
		library_set_remove(&set, lib);
		function_worker_tidy(fw, set.epoch);
		assert_int_equal(fw->count, 0);
		if (i == 200) early = interp_memory(fw->interp);
	}
	assert_true(interp_memory(fw->interp) < early + (size_t)1024 * 1024);
	library_set_release(&set);
	function_release_worker(fw);
	buffer_release(&error);
	interp_free(in);
}

/* ---- Bytes ---- */

static void there_and_back(void **state) {
	(void)state;
	struct library_set set = { 0 }, again = { 0 };
	struct buffer bytes = { 0 }, error = { 0 };
	struct serial_writer w = { &bytes, 0 };
	for (unsigned i = 0; i < 20; i++) {
		struct buffer code = { 0 };
		buffer_appendf(&code, "#!lua name=l%u\nredis.register_function('f%u', function() end)", i, i);
		serial_put_byte(&w, 245);
		serial_put_string(&w, buffer_slice(&code));
		buffer_release(&code);
	}
	assert_true(function__read(buffer_slice(&bytes), 1, &set, &error));
	assert_null(library_set_check(&set));
	assert_int_equal(set.count, 20);
	for (unsigned flags = 0; flags <= SERIAL_COMPRESS; flags++) {
		bytes.len = 0;
		function__save(&set, flags, &bytes);
		assert_true(function__read(buffer_slice(&bytes), 1, &again, &error));
		assert_int_equal(again.count, 20);
		library_set_release(&again);
		/* Whatever is cut off, it is said to be wrong, or is a library less. */
		for (size_t len = 0; len < bytes.len; len += 7) {
			error.len = 0;
			if (!function__read(slice_of(bytes.data, len), 1, &again, &error)) assert_true(error.len > 0);
			assert_null(library_set_check(&again));
			assert_true(again.count < 20);
			library_set_release(&again);
		}
	}
	library_set_release(&set);
	buffer_release(&bytes);
	buffer_release(&error);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_lines),
		cmocka_unit_test(names),
		cmocka_unit_test(sets),
		cmocka_unit_test(probing),
		cmocka_unit_test(probing_leaves_nothing),
		cmocka_unit_test(worker_loads_and_forgets),
		cmocka_unit_test(there_and_back),
	};
	testing_begin(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
