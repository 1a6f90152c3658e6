/* chunk: what compiled code may do to the tables that it sees, told from its instructions.
 *
 * Guards cost two more look-ups for each name that a script reads (interp.h). Most scripts assign to no global, and many to no
 * field at all: they cannot change what they see, so they may see it as it is. */
#ifndef TARN_SCRIPT_CHUNK_H
#define TARN_SCRIPT_CHUNK_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

enum chunk_kind {
	CHUNK_READS,       /* assigns to no global and to no field, and has no way to code that does */
	CHUNK_SETS_FIELDS, /* assigns to no global by its name */
	CHUNK_SETS_GLOBALS,
};

/* Of a CHUNK_READS, more: what C code hands to a run of it, it does not change, does not keep, and cannot tell from another that
 * looks the same. So such tables need not be new ones each time. */
enum chunk_trait {
	CHUNK_SETS_UPVALUES = 1 << 0, /* harmless where nothing but the chunk itself lasts from one run to the next */
	CHUNK_COMPARES = 1 << 1,      /* two values that it does not know, which may be tables */
	CHUNK_ASKS_MORE = 1 << 2,     /* for globals other than those that change nothing */
};

struct chunk_look {
	enum chunk_kind kind;
	uint32_t traits; /* enum chunk_trait */
};

/* Of the Lua function on top of the stack and all functions in it. What it does not understand, or what is long, is
 * CHUNK_SETS_GLOBALS. Raises nothing. */
struct chunk_look chunk_look(lua_State *L);

/* Whether its runs may get tables that other runs had. `lasts`: values of its functions' upvalues do from one run to the next. */
static inline bool chunk_leaves_alone(struct chunk_look look, bool lasts) {
	uint32_t traits = lasts ? look.traits : look.traits & ~(uint32_t)CHUNK_SETS_UPVALUES;
	return look.kind == CHUNK_READS && traits == 0;
}

#endif
