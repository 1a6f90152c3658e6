/* What an allocator costs in time and memory under a keyspace's load: many small objects of many sizes, replaced at random.
 *
 *   cc -std=gnu17 -O2 -pthread -o /tmp/alloc_bench bench/micro/alloc_bench.c
 *   taskset -c 1 /tmp/alloc_bench                                                        (glibc)
 *   LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2 taskset -c 1 /tmp/alloc_bench
 *   LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libmimalloc.so.2.0 taskset -c 1 /tmp/alloc_bench
 *   arguments: objects (5000000), replacements (20000000), threads (1)
 *
 * Phases: fill with objects of 32 … 256 bytes; replace random ones by new ones of another size (free + malloc); free every
 * second one and see what goes back to the system after a second. With more threads each has its share of the objects,
 * and one half of the frees is of another thread's objects, as when workers share a keyspace. Every object is written
 * to, its first and last byte, as a value would be. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOW = 32, HIGH = 256, MAX_THREADS = 64 };

static size_t objects = 5000000, replacements = 20000000;
static unsigned threads = 1;
static _Atomic(unsigned char *) *table;
static _Atomic uint64_t live_bytes;

/* CPU time of all threads. */
static double now_s(void) {
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double resident_mib(void) {
	long pages = 0, all = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	if (file == NULL || fscanf(file, "%ld %ld", &all, &pages) != 2) abort();
	fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1048576;
}

static uint64_t next(uint64_t *state) {
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* The size stands in the object's first bytes. */
static unsigned char *make(uint64_t *state) {
	uint16_t size = (uint16_t)(LOW + next(state) % (HIGH - LOW + 1));
	unsigned char *object = malloc(size);
	if (object == NULL) abort();
	memcpy(object, &size, sizeof(size));
	object[size - 1] = 1;
	return object;
}

static uint16_t size_of(const unsigned char *object) {
	uint16_t size;
	memcpy(&size, object, sizeof(size));
	return size;
}

struct share {
	pthread_t thread;
	uint64_t state;
	size_t first, end;
};

static void *fill(void *argument) {
	struct share *s = argument;
	uint64_t bytes = 0;
	for (size_t i = s->first; i < s->end; i++) {
		unsigned char *object = make(&s->state);
		bytes += size_of(object);
		atomic_store_explicit(&table[i], object, memory_order_relaxed);
	}
	atomic_fetch_add(&live_bytes, bytes);
	return NULL;
}

/* The slot is taken over by exchange: half of the slots are the thread's own, half are anybody's. */
static void *churn(void *argument) {
	struct share *s = argument;
	int64_t bytes = 0;
	for (size_t n = replacements / threads; n > 0; n--) {
		size_t i = n & 1 ? next(&s->state) % objects : s->first + next(&s->state) % (s->end - s->first);
		unsigned char *object = make(&s->state);
		bytes += size_of(object);
		unsigned char *old = atomic_exchange_explicit(&table[i], object, memory_order_acq_rel);
		bytes -= size_of(old);
		free(old);
	}
	atomic_fetch_add(&live_bytes, (uint64_t)bytes);
	return NULL;
}

static void *thin(void *argument) {
	struct share *s = argument;
	uint64_t bytes = 0;
	for (size_t i = s->first; i < s->end; i += 2) {
		unsigned char *object = atomic_exchange_explicit(&table[i], NULL, memory_order_acq_rel);
		bytes += size_of(object);
		free(object);
	}
	atomic_fetch_sub(&live_bytes, bytes);
	return NULL;
}

static double phase(struct share *shares, void *(*work)(void *)) {
	double start = now_s();
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&shares[i].thread, NULL, work, &shares[i]) != 0) abort();
	for (unsigned i = 0; i < threads; i++) pthread_join(shares[i].thread, NULL);
	return now_s() - start;
}

static void report(const char *name, double seconds, size_t operations, double empty) {
	double live = (double)live_bytes / 1048576, resident = resident_mib() - empty;
	printf("%-8s %7.1f ns CPU per operation   asked for %7.1f MiB, resident %7.1f MiB, overhead %5.1f %%\n", name,
		seconds * 1e9 / (double)operations, live, resident, (resident / live - 1) * 100);
}

int main(int argc, char **argv) {
	if (argc > 1) objects = strtoull(argv[1], NULL, 10);
	if (argc > 2) replacements = strtoull(argv[2], NULL, 10);
	if (argc > 3) threads = (unsigned)strtoul(argv[3], NULL, 10);
	if (threads == 0 || threads > MAX_THREADS || objects < 2 * (size_t)threads) return 2;
	table = calloc(objects, sizeof(*table));
	memset((void *)table, 1, objects * sizeof(*table));
	struct share shares[MAX_THREADS];
	for (unsigned i = 0; i < threads; i++)
		shares[i] = (struct share){ .state = (i + 1) * 0x9E3779B97F4A7C15u,
			.first = objects / threads * i,
			.end = i + 1 == threads ? objects : objects / threads * (i + 1) };
	double empty = resident_mib();
	report("fill", phase(shares, fill), objects, empty);
	report("replace", phase(shares, churn), replacements, empty);
	report("thin", phase(shares, thin), objects / 2, empty);
	sleep(1);
	free(malloc(100)); /* some allocators clean up only when they are called */
	report("later", 0, 1, empty);
	return 0;
}
