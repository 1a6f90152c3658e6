/* math.random and math.randomseed as Redis has them: the numbers of rand48 (POSIX), the same on all machines. They go on
 * from run to run. A seed that a script sets is for its own run: the next one finds the sequence where it would be without
 * it. */
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>

#include "script/interp_private.h"

enum { SEED_LOW = 0x330e };

/* In [0, 1). */
static double next_number(struct interp *in) {
	return (double)(nrand48(in->random) % INT32_MAX) / (double)INT32_MAX;
}

static int random_number(lua_State *L) {
	struct interp *in = interp_of(L);
	int count = lua_gettop(L);
	double r = next_number(in);
	if (count == 0) {
		lua_pushnumber(L, r);
		return 1;
	}
	if (count > 2) return luaL_error(L, "wrong number of arguments");
	int low = count == 2 ? luaL_checkint(L, 1) : 1, high = luaL_checkint(L, count);
	luaL_argcheck(L, low <= high, count, "interval is empty");
	lua_pushnumber(L, floor(r * ((double)high - low + 1)) + low);
	return 1;
}

static int random_seed(lua_State *L) {
	struct interp *in = interp_of(L);
	uint32_t seed = (uint32_t)luaL_checkint(L, 1);
	if (!in->reseeded) {
		memcpy(in->random_before, in->random, sizeof(in->random));
		in->reseeded = true;
	}
	in->random[0] = SEED_LOW;
	in->random[1] = (unsigned short)(seed & 0xffff);
	in->random[2] = (unsigned short)(seed >> 16);
	return 0;
}

int interp__open_random(lua_State *L) {
	lua_pushcfunction(L, random_number);
	lua_setfield(L, -2, "random");
	lua_pushcfunction(L, random_seed);
	lua_setfield(L, -2, "randomseed");
	return 0;
}
