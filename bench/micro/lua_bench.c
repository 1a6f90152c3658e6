/* What running a script costs in PUC Lua 5.1 and in LuaJIT's interpreter (jit.off): one source, two programs.
 *
 *   cc -std=gnu17 -O2 $(pkg-config --cflags lua5.1) -o /tmp/lua_bench bench/micro/lua_bench.c -llua5.1
 *   cc -std=gnu17 -O2 $(pkg-config --cflags luajit) -DLUAJIT -o /tmp/luajit_bench bench/micro/lua_bench.c -lluajit-5.1
 *   for i in 1 2 3 4 5 6; do /tmp/lua_bench; /tmp/luajit_bench; done
 *
 * Each run does what EVALSHA has to do: KEYS and ARGV with one string each, made anew, the compiled function
 * called through lua_pcall, its result dropped. Figures are ns of CPU per run, the least of many rounds; the
 * programs are to be run in turn, so that both see the machine at its best, and the least of all their lines
 * counts. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { ROUNDS = 40, RUNS = 4000 };

static const struct {
	const char *name;
	const char *source;
	int runs; /* per round */
} scripts[] = {
	{ "one C call", "return call('GET', KEYS[1])", RUNS },
	{ "ten C calls", "for i = 1, 10 do call('GET', KEYS[1]) end return 1", RUNS },
	{ "1000 additions", "local sum = 0 for i = 1, 1000 do sum = sum + i end return sum", RUNS / 10 },
	{ "20 pieces", "local s = '' for i = 1, 20 do s = s .. ARGV[1] .. ':' .. i end return s", RUNS / 4 },
};

/* Looks at its arguments as redis.call does, and answers a string. */
static int call(lua_State *L) {
	size_t total = 0, len;

	for (int i = 1; i <= lua_gettop(L); i++) {
		if (!lua_tolstring(L, i, &len)) return luaL_error(L, "not a string");
		total += len;
	}
	lua_pushlstring(L, "valuevaluevalue", total % 16);
	return 1;
}

static void list_global(lua_State *L, const char *name, const char *value, size_t len) {
	lua_createtable(L, 1, 0);
	lua_pushlstring(L, value, len);
	lua_rawseti(L, -2, 1);
	lua_setglobal(L, name);
}

static void run(lua_State *L, int function, unsigned count) {
	char key[32];
	int len = snprintf(key, sizeof(key), "key:%08u", count % 1000);

	list_global(L, "KEYS", key, (size_t)len);
	list_global(L, "ARGV", "argument", 8);
	lua_rawgeti(L, LUA_REGISTRYINDEX, function);
	if (lua_pcall(L, 0, 1, 0) != 0) {
		fprintf(stderr, "lua_bench: %s\n", lua_tostring(L, -1));
		exit(1);
	}
	lua_pop(L, 1);
}

static double now_ns(void) {
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double measure(lua_State *L, const char *source, int runs) {
	double least = 1e18;

	if (luaL_loadstring(L, source) != 0) exit(1);
	int function = luaL_ref(L, LUA_REGISTRYINDEX);
	for (int round = 0; round < ROUNDS; round++) {
		double begin = now_ns();
		for (int i = 0; i < runs; i++) run(L, function, (unsigned)i);
		double each = (now_ns() - begin) / runs;
		if (each < least) least = each;
	}
	luaL_unref(L, LUA_REGISTRYINDEX, function);
	return least;
}

int main(void) {
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	lua_pushcfunction(L, call);
	lua_setglobal(L, "call");
#ifdef LUAJIT
	if (luaL_dostring(L, "jit.off()") != 0) return 1;
	printf("LuaJIT, jit.off:");
#else
	printf("PUC Lua 5.1:    ");
#endif
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		printf("  %s %.0f ns", scripts[i].name, measure(L, scripts[i].source, scripts[i].runs));
	}
	printf("\n");
	lua_close(L);
	return 0;
}
