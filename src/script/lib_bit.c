/* LuaBitOp as it is, but for tohex: the stock one writes before its buffer when asked for -2147483648 digits. */
#include "script/lib_private.h"

/* Needs lua.h before it. */
#include <lua-bitop.h>

/* A number as LuaBitOp takes it: rounded to an integer, modulo 2^32. */
static uint32_t to_bits(lua_State *L, int arg) {
	/* With 2^52 + 2^51 added, the low bits of the double's mantissa are the integer's, two's complement. */
	double number = luaL_checknumber(L, arg) + 6755399441055744.0;
	uint64_t bits;

	memcpy(&bits, &number, sizeof(bits));
	return (uint32_t)bits;
}

static int bit_tohex(lua_State *L) {
	uint32_t value = to_bits(L, 1);
	int32_t wanted = lua_isnone(L, 2) ? 8 : (int32_t)to_bits(L, 2);
	const char *digits = wanted < 0 ? "0123456789ABCDEF" : "0123456789abcdef";
	unsigned count = wanted < 0 ? -(uint32_t)wanted : (uint32_t)wanted;
	char text[8];

	if (count > sizeof(text)) count = sizeof(text);
	for (unsigned i = count; i > 0; i--) {
		text[i - 1] = digits[value & 15];
		value >>= 4;
	}
	lua_pushlstring(L, text, count);
	return 1;
}

int lua_open_bit(lua_State *L) {
	lib_open_stock(L, luaopen_bit, "bit");
	lua_pushcfunction(L, bit_tohex);
	lua_setfield(L, -2, "tohex");
	return 1;
}
