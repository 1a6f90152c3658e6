/* What is told of compiled code: everything that could change a table must be noticed, however it is written. What follows from
 * that for scripts is in tests/system/test_script_tables.py. */
#include <lauxlib.h>

#include "../testing.h"
#include "script/chunk.h"

static struct chunk_look look_at(const char *source) {
	lua_State *L = luaL_newstate();
	assert_non_null(L);
	assert_int_equal(luaL_loadbuffer(L, source, strlen(source), "@user_script"), 0);
	struct chunk_look look = chunk_look(L);
	assert_int_equal(lua_gettop(L), 1);
	lua_close(L);
	return look;
}

static void check_kind(const char *const *sources, enum chunk_kind kind) {
	for (; *sources; sources++)
		if (look_at(*sources).kind != kind) fail_msg("%s: %d", *sources, (int)look_at(*sources).kind);
}

static void test_code_that_assigns_to_globals(void **state) {
	(void)state;
	static const char *const sources[] = { "x = 1", "function f() end", "local a a, b = 1, 2",
		"return function() x = 1 end",
		"local function f() return function() return function() redis = nil end end end",
		"for i = 1, 2 do KEYS = i end", "local t = {} t.x = 1; x = 2", NULL };
	check_kind(sources, CHUNK_SETS_GLOBALS);
}

static void test_code_that_assigns_to_fields(void **state) {
	(void)state;
	static const char *const sources[] = { "redis.x = 1", "local r = redis r['call'] = 1", "local t = {x = 1}",
		"function redis.f() end", "function redis:f() end", "local function f(t) t[1] = 2 end", "return _G",
		"loadstring('x = 1')()", "return function() return load end", NULL };
	check_kind(sources, CHUNK_SETS_FIELDS);
}

static void test_code_that_reads(void **state) {
	(void)state;
	static const char *const sources[] = { "", "return 1", "local x = 1 x = x + 1",
		"return redis.call('get', KEYS[1])", "return {1, 2, redis.call('time')}", "return '_G' .. 'loadstring'",
		"local _G = 1 return _G", "return {nil, true, 1.5}",
		"local n = 0 return function() n = n + 1 return n end", "local t = {...} return #t", NULL };
	check_kind(sources, CHUNK_READS);
}

static void test_code_that_leaves_alone(void **state) {
	(void)state;
	static const char *const yes[] = { "return redis.call('get', KEYS[1])",
		"for i, k in ipairs(KEYS) do redis.call('del', k) end",
		"if redis.call('get', KEYS[1]) == 'x' then return 1 end", NULL };
	static const char *const no[] = { "table.insert(KEYS, 1)", "rawset(KEYS, 1, 2)", "setmetatable(KEYS, nil)",
		"error(redis.call('set', 'a', 'b'))", "coroutine.wrap(print)(KEYS)", "KEYS[1] = 2", "KEYS = {}",
		"return rawequal(KEYS, ARGV)", "return redis.call('get', KEYS[1]) == ARGV[1]",
		"local a, b = KEYS, ARGV return a == b", "local a, b = KEYS, ARGV return a ~= b",
		"return function() return collectgarbage end", "return nosuch", NULL };
	/* Two values that are not known, in whichever way they are come by, may be the same table. */
	assert_true(look_at("local a, b = KEYS, ARGV return a == b").traits & CHUNK_COMPARES);
	assert_false(look_at("local a = KEYS return a == nil or a == 'x' or 1 == a").traits & CHUNK_COMPARES);
	for (unsigned i = 0; no[i]; i++)
		if (chunk_leaves_alone(look_at(no[i]), false)) fail_msg("%s", no[i]);
	for (unsigned i = 0; yes[i]; i++)
		if (!chunk_leaves_alone(look_at(yes[i]), true)) fail_msg("%s", yes[i]);
	struct chunk_look upvalue = look_at("local kept return function(k) kept = k end");
	assert_true(chunk_leaves_alone(upvalue, false));
	assert_false(chunk_leaves_alone(upvalue, true));
}

/* Code too long to be looked at may do anything. */
static void test_long_code(void **state) {
	(void)state;
	enum { COUNT = 400000 };
	static char source[COUNT * 4 + 16];
	size_t len = 0;
	for (unsigned i = 0; i < COUNT; i++) len += (size_t)sprintf(source + len, "f()\n");
	assert_int_equal(look_at(source).kind, CHUNK_SETS_GLOBALS);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code_that_assigns_to_globals),
		cmocka_unit_test(test_code_that_assigns_to_fields),
		cmocka_unit_test(test_code_that_reads),
		cmocka_unit_test(test_code_that_leaves_alone),
		cmocka_unit_test(test_long_code),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
