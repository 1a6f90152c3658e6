/* The memory behind the arguments of a batch: chunks that double in size, handed out from front to back.
 *
 * Chunks rather than one array that grows: requests of a batch that were parsed earlier keep plain pointers. */
#include "resp/request_private.h"

#include "base/alloc.h"

enum {
	CHUNK_MIN_BYTES = 16 * 1024,
	/* What a worker keeps between batches. */
	CHUNK_KEEP_BYTES = 256 * 1024,
	CHUNK_ALIGN = 16,
};

struct request_chunk {
	struct request_chunk *older;
	size_t size; /* bytes, this header included */
};
_Static_assert(sizeof(struct request_chunk) % CHUNK_ALIGN == 0, "what follows the header is aligned");

static void arena_rewind(struct request_arena *arena) {
	struct request_chunk *chunk = arena->_newest;
	arena->_at = (char *)(chunk + 1);
	arena->_end = (char *)chunk + chunk->size;
}

static bool arena_grow(struct request_arena *arena, size_t bytes) {
	size_t size = arena->_newest ? arena->_newest->size * 2 : CHUNK_MIN_BYTES;
	/* One huge request must not set the pace for those after it. */
	if (size > CHUNK_KEEP_BYTES) size = CHUNK_KEEP_BYTES;
	if (size < bytes + sizeof(struct request_chunk)) size = bytes + sizeof(struct request_chunk);
	struct request_chunk *chunk = mem_try_alloc(size);
	if (!chunk) return false;
	*chunk = (struct request_chunk){ .older = arena->_newest, .size = size };
	arena->_newest = chunk;
	arena_rewind(arena);
	return true;
}

void *request__arena_take(struct request_arena *arena, size_t bytes) {
	bytes = (bytes + CHUNK_ALIGN - 1) / CHUNK_ALIGN * CHUNK_ALIGN;
	if ((size_t)(arena->_end - arena->_at) < bytes && !arena_grow(arena, bytes)) return NULL;
	char *taken = arena->_at;
	arena->_at += bytes;
	return taken;
}

/* Keeps the newest chunk that is not oversized. */
void request_arena_clear(struct request_arena *arena) {
	struct request_chunk *kept = NULL;
	for (struct request_chunk *chunk = arena->_newest; chunk;) {
		struct request_chunk *older = chunk->older;
		if (!kept && chunk->size <= CHUNK_KEEP_BYTES) {
			kept = chunk;
			kept->older = NULL;
		} else {
			mem_free(chunk);
		}
		chunk = older;
	}
	*arena = (struct request_arena){ ._newest = kept };
	if (kept) arena_rewind(arena);
}

void request_arena_release(struct request_arena *arena) {
	for (struct request_chunk *chunk = arena->_newest; chunk;) {
		struct request_chunk *older = chunk->older;
		mem_free(chunk);
		chunk = older;
	}
	*arena = (struct request_arena){ 0 };
}
