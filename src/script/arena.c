#include "script/arena.h"

#include "base/alloc.h"

bool arena_init(struct arena *a) {
	*a = (struct arena){ 0 };
	a->_block = mem_try_alloc(ARENA_BYTES);
	if (!a->_block) return false;
	a->_next = a->_block;
	a->_end = a->_block + ARENA_BYTES;
	return true;
}

void arena_release(struct arena *a) {
	mem_free(a->_block);
	*a = (struct arena){ 0 };
}
