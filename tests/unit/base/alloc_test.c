/* alloc: the size classes against the allocator itself, and the calls around it. */
#include "../testing.h"

#include <malloc.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

#ifdef TARN_JEMALLOC
#include <jemalloc/jemalloc.h>

static void test_classes(void **state) {
	(void)state;
	for (size_t bytes = 1; bytes <= 1u << 20; bytes++)
		if (mem_size_class(bytes) != nallocx(bytes, 0))
			fail_msg("%zu bytes: %zu, the allocator says %zu", bytes, mem_size_class(bytes),
				nallocx(bytes, 0));
	for (unsigned shift = 20; shift < 40; shift++)
		for (int off = -1; off <= 1; off++) {
			size_t bytes = ((size_t)1 << shift) + (size_t)off;
			assert_int_equal(mem_size_class(bytes), nallocx(bytes, 0));
		}
}

/* What is really handed out, aligned pieces included. */
static void test_usable(void **state) {
	(void)state;
	testing_begin(1);
	for (unsigned round = testing_rounds(3000); round > 0; round--) {
		size_t bytes = 1 + random_below((size_t)1 << random_below(21));
		void *ptr = mem_alloc(bytes);
		assert_int_equal(malloc_usable_size(ptr), mem_size_class(bytes));
		mem_free_sized(ptr, mem_size_class(bytes)); /* any size of the class will do */
	}
}

#else

/* Another allocator has other classes; ours must still be sane. */
static void test_classes(void **state) {
	(void)state;
	for (size_t bytes = 1; bytes <= 1u << 20; bytes++) {
		assert_true(mem_size_class(bytes) >= bytes);
		assert_true(mem_size_class(bytes) <= bytes + bytes / 4 + 15);
		assert_true(mem_size_class(bytes) <= mem_size_class(bytes + 1));
		assert_int_equal(mem_size_class(mem_size_class(bytes)), mem_size_class(bytes));
	}
}

static void test_usable(void **state) {
	(void)state;
	void *ptr = mem_alloc(100);
	assert_true(malloc_usable_size(ptr) >= 100);
	mem_free_sized(ptr, 100);
}

#endif

static void test_calls(void **state) {
	(void)state;
	unsigned char *zero = mem_calloc(1000);
	for (unsigned i = 0; i < 1000; i++) assert_int_equal(zero[i], 0);
	zero = mem_realloc(zero, 5000);
	assert_int_equal(zero[999], 0);
	mem_free(zero);
	mem_free(NULL);
	mem_free_sized(NULL, 8);
	for (size_t align = 16; align <= 4096; align *= 2) {
		void *ptr = mem_alloc_aligned(align, align * 3);
		assert_int_equal((uintptr_t)ptr % align, 0);
		memset(ptr, 1, align * 3);
		mem_free(ptr);
	}
	char *copy = mem_strdup("text");
	assert_string_equal(copy, "text");
	mem_free(copy);
	/* What no machine has. Through a variable, lest the compiler warn of what it sees. */
	volatile size_t far_too_much = (size_t)1 << 62;
#if defined(TARN_JEMALLOC)
	assert_null(mem_try_alloc(far_too_much));
	assert_null(mem_try_calloc(far_too_much));
	void *ptr = mem_try_alloc(10);
	assert_non_null(ptr);
	assert_null(mem_try_realloc(ptr, far_too_much));
	mem_free(ptr);
#else
	(void)far_too_much; /* the sanitizers' allocators end the process instead */
#endif
}

static void test_figures(void **state) {
	struct mem_stats before, after;
	(void)state;
	mem_stats_read(&before);
	size_t resident = mem_resident_bytes();
	assert_true(resident > 100000);
	char *big = mem_alloc(32u << 20);
	memset(big, 1, 32u << 20);
	mem_stats_read(&after);
	assert_true(mem_resident_bytes() >= resident + (24u << 20));
#ifdef TARN_JEMALLOC
	/* Not to the byte: what lies in the thread's cache is counted some time later. */
	assert_true(after.allocated >= before.allocated + (30u << 20));
	assert_true(after.active >= after.allocated);
	assert_memory_equal(mem_allocator_name(), "jemalloc-", 9);
#endif
	mem_free(big);
	mem_purge();
	assert_true(strlen(mem_allocator_name()) > 3);
}

#ifdef TARN_JEMALLOC

/* Ten seconds are for servers. */
static void shorten_decay(void) {
	unsigned arenas = 0;
	size_t size = sizeof(arenas);
	ssize_t ms = 10;
	assert_int_equal(mallctl("arenas.narenas", &arenas, &size, NULL, 0), 0);
	for (unsigned i = 0; i < arenas; i++) {
		char name[48];
		snprintf(name, sizeof(name), "arena.%u.dirty_decay_ms", i);
		mallctl(name, NULL, NULL, &ms, sizeof(ms));
	}
}

/* Freed pages leave while nobody calls the allocator. Pieces small enough to lie in pages that are kept for reuse. */
static void test_background(void **state) {
	enum { PIECES = 4000, BYTES = 8192, TRIES = 6000, TRY_US = 10000 };
	static char *pieces[PIECES];
	(void)state;
	assert_true(mem_set_background_purge(true));
	shorten_decay();
	for (unsigned i = 0; i < PIECES; i++) memset(pieces[i] = mem_alloc(BYTES), 1, BYTES);
	size_t full = mem_resident_bytes();
	for (unsigned i = 0; i < PIECES; i++) mem_free(pieces[i]);
	unsigned tries = 0;
	while (mem_resident_bytes() > full - PIECES * BYTES / 2 && tries++ < TRIES) usleep(TRY_US);
	assert_true(tries < TRIES);
	assert_true(mem_set_background_purge(false));
	assert_true(mem_set_background_purge(true));
}

#endif

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_usable),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_figures),
#ifdef TARN_JEMALLOC
		cmocka_unit_test(test_background),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
