/* Memory. One door to the allocator, so that it can be changed and counted in one place.
 *
 * Policy: small pieces whose size the program chose come from mem_alloc and friends, which end the process when there
 * is no memory; pieces whose size a client chose come from the mem_try_ forms, whose NULL must be answered. Pieces
 * may be freed by any thread. */
#ifndef TARN_BASE_ALLOC_H
#define TARN_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__attribute__((malloc, returns_nonnull)) void *mem_alloc(size_t bytes);
__attribute__((malloc, returns_nonnull)) void *mem_calloc(size_t bytes); /* zeroed */
__attribute__((returns_nonnull)) void *mem_realloc(void *ptr, size_t bytes);
__attribute__((malloc)) void *mem_try_alloc(size_t bytes);
__attribute__((malloc)) void *mem_try_calloc(size_t bytes);
void *mem_try_realloc(void *ptr, size_t bytes);
/* `align` is a power of two; `bytes` a multiple of it. Freed with mem_free. */
__attribute__((malloc, returns_nonnull)) void *mem_alloc_aligned(size_t align, size_t bytes);
void mem_free(void *ptr);
/* Frees a piece whose requested size is known, which saves the allocator a look-up. */
void mem_free_sized(void *ptr, size_t bytes);
__attribute__((returns_nonnull)) char *mem_strdup(const char *text);

/* Says so and ends the process: what the aborting calls do. */
__attribute__((noreturn)) void mem_exhausted(size_t bytes);

/* The bytes that an allocation of `bytes` really takes: its size class. Pure arithmetic, no look-up, since every change of a
 * value asks for it. jemalloc's classes: multiples of 8 and 16 up to 128 bytes, then four per doubling. Unit tests hold this
 * against the allocator itself. */
static inline size_t mem_size_class(size_t bytes) {
	if (bytes <= 8) return 8;
	if (bytes <= 128) return (bytes + 15) & ~(size_t)15;
	unsigned shift = 61u - (unsigned)__builtin_clzl(bytes - 1);
	size_t step = (size_t)1 << shift;
	return (bytes + step - 1) & ~(step - 1);
}

/* What the allocator has, in bytes; a fresh reading, microseconds of work. */
struct mem_stats {
	size_t allocated; /* handed out to us */
	size_t active;    /* pages with something in them */
	size_t resident;  /* physically mapped, allocator's view */
	size_t mapped;
	size_t retained;
	size_t metadata;
	size_t muzzy; /* given back, but kept by the system as long as it needs them for nothing else */
};
void mem_stats_read(struct mem_stats *stats);
const char *mem_allocator_name(void); /* "jemalloc-5.3.0" */
/* Gives unused pages back to the system. */
void mem_purge(void);
/* Whether unused pages go back to the system by themselves, ten seconds after they became unused, from a thread of the
 * allocator's. Without it that happens only while somebody allocates or frees, so a process that fell idle keeps them. Off
 * until asked for: the thread does not survive a fork. False when it could not be started; true and nothing done where the
 * allocator has no such thread. Any thread. */
__attribute__((warn_unused_result)) bool mem_set_background_purge(bool on);
/* The resident set of the process in bytes, from the kernel. */
size_t mem_resident_bytes(void);

#endif
