#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef TARN_JEMALLOC
#include <jemalloc/jemalloc.h>
#else
#include <malloc.h>
#endif

void mem_exhausted(size_t bytes) {
	fprintf(stderr, "Out of memory allocating %zu bytes\n", bytes);
	abort();
}

static void *must_have(void *ptr, size_t bytes) {
	if (__builtin_expect(ptr == NULL, 0)) mem_exhausted(bytes);
	return ptr;
}

void *mem_alloc(size_t bytes) {
	return must_have(malloc(bytes), bytes);
}

void *mem_calloc(size_t bytes) {
	return must_have(calloc(1, bytes), bytes);
}

void *mem_realloc(void *ptr, size_t bytes) {
	return must_have(realloc(ptr, bytes), bytes);
}

void *mem_try_alloc(size_t bytes) {
	return malloc(bytes);
}

void *mem_try_calloc(size_t bytes) {
	return calloc(1, bytes);
}

void *mem_try_realloc(void *ptr, size_t bytes) {
	return realloc(ptr, bytes);
}

void *mem_alloc_aligned(size_t align, size_t bytes) {
	return must_have(aligned_alloc(align, bytes), bytes);
}

void mem_free(void *ptr) {
	free(ptr);
}

char *mem_strdup(const char *text) {
	size_t bytes = strlen(text) + 1;
	return memcpy(mem_alloc(bytes), text, bytes);
}

size_t mem_resident_bytes(void) {
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f) return 0;
	unsigned long total = 0, resident = 0;
	int got = fscanf(f, "%lu %lu", &total, &resident);
	fclose(f);
	return got == 2 ? resident * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

#ifdef TARN_JEMALLOC

/* Four arenas are enough for the locks inside jemalloc, since each thread's cache takes most calls; one per core times
 * four, its default, scatters small heaps. Pages that stay unused go back after ten seconds. */
const char *malloc_conf = "dirty_decay_ms:10000,muzzy_decay_ms:0,narenas:4,metadata_thp:disabled";

void mem_free_sized(void *ptr, size_t bytes) {
	if (ptr) sdallocx(ptr, bytes, 0);
}

static size_t read_stat(const char *name) {
	size_t value = 0, size = sizeof(value);
	return mallctl(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

static size_t muzzy_bytes(void) {
	char name[48];
	snprintf(name, sizeof(name), "stats.arenas.%u.pmuzzy", (unsigned)MALLCTL_ARENAS_ALL);
	return read_stat(name) * read_stat("arenas.page");
}

void mem_stats_read(struct mem_stats *stats) {
	uint64_t epoch = 1;
	size_t size = sizeof(epoch);
	mallctl("epoch", &epoch, &size, &epoch, size);
	*stats = (struct mem_stats){
		.allocated = read_stat("stats.allocated"),
		.active = read_stat("stats.active"),
		.resident = read_stat("stats.resident"),
		.mapped = read_stat("stats.mapped"),
		.retained = read_stat("stats.retained"),
		.metadata = read_stat("stats.metadata"),
		.muzzy = muzzy_bytes(),
	};
}

const char *mem_allocator_name(void) {
	static char name[48];
	const char *version = "";
	size_t size = sizeof(version);
	mallctl("version", &version, &size, NULL, 0);
	snprintf(name, sizeof(name), "jemalloc-%.*s", (int)strcspn(version, "-"), version);
	return name;
}

void mem_purge(void) {
	char command[32];
	snprintf(command, sizeof(command), "arena.%u.purge", (unsigned)MALLCTL_ARENAS_ALL);
	mallctl(command, NULL, NULL, NULL, 0);
}

bool mem_set_background_purge(bool on) {
	return mallctl("background_thread", NULL, NULL, &on, sizeof(on)) == 0;
}

#else

void mem_free_sized(void *ptr, size_t bytes) {
	(void)bytes;
	free(ptr);
}

void mem_stats_read(struct mem_stats *stats) {
	struct mallinfo2 info = mallinfo2();
	size_t resident = mem_resident_bytes();
	*stats = (struct mem_stats){ .allocated = info.uordblks + info.hblkhd,
		.resident = resident,
		.active = info.arena + info.hblkhd,
		.mapped = info.arena + info.hblkhd };
	/* The sanitizers' allocators answer nothing here; the resident set is the honest figure left. */
	if (stats->allocated == 0) stats->allocated = stats->active = stats->mapped = resident;
}

const char *mem_allocator_name(void) {
	return "libc";
}

void mem_purge(void) {
	malloc_trim(0);
}

bool mem_set_background_purge(bool on) {
	(void)on;
	return true;
}

#endif
