/* What the libraries of scripts share: counting of work, and a buffer for results. Only lib_*.c include this. */
#ifndef TARN_SCRIPT_LIB_PRIVATE_H
#define TARN_SCRIPT_LIB_PRIVATE_H

#include <lauxlib.h>
#include <lua.h>

#include "base/bytes.h"
#include "script/libs.h"

/* Loops count what they do, one step being some ten nanoseconds, and the count lives on from call to call: a
 * script that makes many calls of medium length is seen as well as one that makes a single long one. A thread runs
 * one script at a time. */
enum { LIB_TICK_STEPS = 4096 };
extern _Thread_local unsigned lib_steps;

/* May raise, when the run has to end. */
static inline void lib_step(lua_State *L, unsigned steps) {
	lib_steps += steps;
	if (__builtin_expect(lib_steps >= LIB_TICK_STEPS, 0)) {
		lib_steps = 0;
		interp_tick(L);
	}
}

/* Steps for work on so many bytes that goes at the speed of memory. */
static inline void lib_step_bytes(lua_State *L, size_t bytes) {
	if (bytes >= 1024) lib_step(L, bytes / 64 < LIB_TICK_STEPS ? (unsigned)(bytes / 64) : LIB_TICK_STEPS);
}

/* A result under construction. Small ones are in the struct; the memory of others is a userdata in a stack slot of
 * its own, so an error anywhere leaks nothing and the state's limit counts it. The struct is small on purpose:
 * functions that call back into Lua may be nested two hundred times on one C stack. */
struct lib_buffer {
	lua_State *L;
	char *data;
	size_t len, cap; /* bytes */
	int slot;        /* on the stack, absolute */
	_Alignas(8) char small[256];
};

void lib_buffer_begin(struct lib_buffer *b, lua_State *L); /* pushes the slot */
void lib_buffer_grow(struct lib_buffer *b, size_t more);
void lib_buffer_push(struct lib_buffer *b); /* pushes the content as a string */

/* A pointer to at least `more` bytes behind the content; add what was used to len. */
static inline char *lib_buffer_reserve(struct lib_buffer *b, size_t more) {
	if (__builtin_expect(b->cap - b->len < more, 0)) lib_buffer_grow(b, more);
	return b->data + b->len;
}

static inline void lib_buffer_add(struct lib_buffer *b, const void *bytes, size_t len) {
	if (len == 0) return;
	memcpy(lib_buffer_reserve(b, len), bytes, len);
	b->len += len;
}

static inline void lib_buffer_add_char(struct lib_buffer *b, char c) {
	*lib_buffer_reserve(b, 1) = c;
	b->len++;
}

/* Appends the string or number at the index, which is on the stack. */
void lib_buffer_add_value(struct lib_buffer *b, int index);

/* Calls a luaopen_… of somebody else's and pushes its table; the global that it sets is set back. */
void lib_open_stock(lua_State *L, lua_CFunction open, const char *name);

#endif
