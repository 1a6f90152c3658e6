#include "script/lib_private.h"

_Thread_local unsigned lib_steps;

void lib_buffer_begin(struct lib_buffer *b, lua_State *L) {
	luaL_checkstack(L, 4, "no room for a buffer");
	lua_pushnil(L);
	b->L = L;
	b->data = b->small;
	b->len = 0;
	b->cap = sizeof(b->small);
	b->slot = lua_gettop(L);
}

void lib_buffer_grow(struct lib_buffer *b, size_t more) {
	size_t cap = b->cap * 2;

	if (more > SIZE_MAX / 4 - b->len) {
		lua_pushliteral(b->L, "not enough memory");
		lua_error(b->L);
	}
	if (cap < b->len + more) cap = b->len + more;
	luaL_checkstack(b->L, 1, "no room for a buffer");
	char *data = lua_newuserdata(b->L, cap);
	memcpy(data, b->data, b->len);
	lua_replace(b->L, b->slot);
	b->data = data;
	b->cap = cap;
	lib_step_bytes(b->L, b->len);
}

void lib_buffer_push(struct lib_buffer *b) {
	lua_pushlstring(b->L, b->data, b->len);
}

void lib_buffer_add_value(struct lib_buffer *b, int index) {
	size_t len;
	const char *text = lua_tolstring(b->L, index, &len);

	lib_buffer_add(b, text, len);
	lib_step_bytes(b->L, len);
}
