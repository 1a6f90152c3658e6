/* deadlines: random additions and removals against a sorted array, with every kind of order and with storms of equal times. */
#include "../testing.h"

#include <string.h>

#include "base/alloc.h"
#include "store/deadlines.h"

enum { MODEL_MAX = 4000 };

static const int64_t last_time = ((int64_t)1 << 48) - 1;

struct record {
	int64_t when; /* as it was given */
	uintptr_t address;
};

/* In the order in which they end. */
static struct {
	struct record records[MODEL_MAX];
	size_t count;
} model;

static int64_t clamped(int64_t when) {
	return when < last_time ? when : last_time;
}

static bool is_before(struct record a, struct record b) {
	if (clamped(a.when) != clamped(b.when)) return clamped(a.when) < clamped(b.when);
	return a.address < b.address;
}

static size_t model_place(struct record r) {
	size_t low = 0, high = model.count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (is_before(model.records[middle], r))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add(struct deadlines *d, int64_t when, uintptr_t address) {
	struct record r = { when, address };
	size_t at = model_place(r);
	memmove(model.records + at + 1, model.records + at, (model.count - at) * sizeof(r));
	model.records[at] = r;
	model.count++;
	deadlines_add(d, when, (struct entry *)address);
}

static void take_out(struct deadlines *d, size_t at) {
	struct record r = model.records[at];
	model.count--;
	memmove(model.records + at, model.records + at + 1, (model.count - at) * sizeof(r));
	deadlines_remove(d, r.when, (struct entry *)r.address);
}

static void check_first(const struct deadlines *d) {
	int64_t when;
	struct entry *e;
	assert_int_equal(deadlines_count(d), model.count);
	bool found = deadlines_first(d, &when, &e);
	assert_int_equal(found, model.count > 0);
	if (!found) return;
	assert_int_equal(when, clamped(model.records[0].when));
	assert_int_equal((uintptr_t)e, model.records[0].address);
}

static void check_whole(const struct deadlines *d) {
	const char *broken = deadlines_check(d);
	if (broken) fail_msg("%s", broken);
}

struct sums {
	size_t count;
	uint64_t addresses;
	uint64_t times;
};

static void sum_visit(void *context, int64_t when_ms, struct entry *e) {
	struct sums *sums = context;
	sums->count++;
	sums->addresses += (uintptr_t)e;
	sums->times += (uint64_t)when_ms;
}

static void check_each(const struct deadlines *d) {
	struct sums sums = { 0 }, want = { 0 };
	deadlines_each(d, sum_visit, &sums);
	for (size_t i = 0; i < model.count; i++)
		sum_visit(&want, clamped(model.records[i].when), (struct entry *)model.records[i].address);
	assert_memory_equal(&sums, &want, sizeof(sums));
}

/* Each call another address; they mostly grow, as those of an allocator do, and reach the top of the 48 bits. */
static uintptr_t new_address(void) {
	static uint64_t next = 1;
	next += 16 * (1 + random_below(64));
	return (next * (next % 3 ? 1 : 0x10001)) & ((1ull << 48) - 1) & ~15ull;
}

static bool address_is_used(uintptr_t address) {
	for (size_t i = 0; i < model.count; i++)
		if (model.records[i].address == address) return true;
	return address == 0;
}

enum order { ANY, STORM, FEW_TIMES, ASCENDING, DESCENDING, HUGE_TIMES, ORDERS };

static int64_t draw_time(enum order order) {
	static int64_t clock = 1000000;
	switch (order) {
	case ANY: return (int64_t)random_below(10000000);
	case STORM: return 777;
	case FEW_TIMES: return (int64_t)random_below(5);
	case ASCENDING: return clock += (int64_t)random_below(3);
	case DESCENDING: return clock -= (int64_t)random_below(3);
	default: return (int64_t)(((uint64_t)1 << (44 + random_below(19))) + random_below(3));
	}
}

static size_t draw_victim(unsigned kind) {
	if (kind == 0) return 0;
	if (kind == 1) return model.count - 1;
	return random_below(model.count);
}

static void phase(struct deadlines *d, enum order order, unsigned steps, unsigned add_percent) {
	unsigned victims = (unsigned)random_below(4);
	for (unsigned step = 0; step < steps; step++) {
		if (random_below(100) < add_percent ? model.count < MODEL_MAX : model.count == 0) {
			uintptr_t address = new_address();
			if (!address_is_used(address)) add(d, draw_time(order), address);
		} else if (model.count > 0) {
			take_out(d, draw_victim(victims));
		}
		check_first(d);
		if (model.count < 200 || step % 64 == 0) check_whole(d);
	}
	check_whole(d);
	check_each(d);
}

static void test_model(void **state) {
	(void)state;
	testing_begin(1);
	for (unsigned round = testing_rounds(4); round > 0; round--) {
		struct deadlines d = { 0 };
		for (enum order order = 0; order < ORDERS; order++) {
			phase(&d, order, 1200, 95);
			phase(&d, (enum order)random_below(ORDERS), 400, 50);
			phase(&d, order, 1400, 8);
		}
		while (model.count > 0) {
			take_out(&d, draw_victim((unsigned)random_below(4)));
			check_first(&d);
		}
		assert_int_equal(deadlines_memory(&d), 0);
		check_whole(&d);
		deadlines_release(&d);
	}
}

static struct entry *numbered(size_t n) {
	return (struct entry *)(uintptr_t)((n + 1) * 32);
}

static void test_empty(void **state) {
	struct deadlines d = { 0 };
	int64_t when;
	struct entry *e;
	(void)state;
	assert_false(deadlines_first(&d, &when, &e));
	assert_int_equal(deadlines_memory(&d), 0);
	assert_null(deadlines_check(&d));
	deadlines_each(&d, sum_visit, NULL);
	deadlines_release(&d);
	deadlines_add(&d, 0, numbered(0));
	assert_true(deadlines_first(&d, &when, &e));
	assert_int_equal(when, 0);
	deadlines_remove(&d, 0, numbered(0));
	assert_false(deadlines_first(&d, &when, &e));
}

/* Many levels, a height that small tests do not reach. */
static void test_many(void **state) {
	enum { COUNT = 150000 };
	struct deadlines d = { 0 };
	(void)state;
	testing_begin(2);
	for (size_t i = 0; i < COUNT; i++) deadlines_add(&d, (int64_t)(i * 7919 % COUNT), numbered(i));
	check_whole(&d);
	assert_true(deadlines_memory(&d) < (size_t)COUNT * 30);
	for (size_t i = 0; i < COUNT; i++) {
		int64_t when;
		struct entry *e;
		assert_true(deadlines_first(&d, &when, &e));
		assert_int_equal(when, i);
		deadlines_remove(&d, when, e);
	}
	assert_int_equal(deadlines_count(&d), 0);
	assert_int_equal(deadlines_memory(&d), 0);
}

/* The same TTL again and again must not leave leaves half empty. */
static void test_ascending_is_dense(void **state) {
	enum { COUNT = 50000 };
	struct deadlines d = { 0 };
	(void)state;
	for (size_t i = 0; i < COUNT; i++) deadlines_add(&d, (int64_t)i, numbered(i));
	check_whole(&d);
	assert_true(deadlines_memory(&d) < (size_t)COUNT * 14);
	deadlines_release(&d);
	assert_int_equal(deadlines_memory(&d), 0);
}

/* One of `keep_every` records stays; the others go, in the order of time, against it, or by chance. Memory follows. */
static void thin_out(size_t keep_every, int direction) {
	enum { COUNT = 40000 };
	struct deadlines d = { 0 };
	for (size_t i = 0; i < COUNT; i++) deadlines_add(&d, (int64_t)i, numbered(i));
	for (size_t i = 0; i < COUNT; i++) {
		size_t n = direction == 0 ? i * 7919 % COUNT : direction > 0 ? i : COUNT - 1 - i;
		if (n % keep_every == 0) continue;
		deadlines_remove(&d, (int64_t)n, numbered(n));
	}
	check_whole(&d);
	size_t left = deadlines_count(&d);
	assert_int_equal(left, COUNT / keep_every);
	if (deadlines_memory(&d) > left * 80 + 4096)
		fail_msg("%zu bytes for %zu records (1 of %zu kept, direction %d)", deadlines_memory(&d), left,
			keep_every, direction);
	deadlines_release(&d);
}

static void test_memory_follows(void **state) {
	(void)state;
	for (int direction = -1; direction <= 1; direction++) {
		thin_out(4, direction);
		thin_out(20, direction);
		thin_out(40, direction);
		thin_out(1000, direction);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_ascending_is_dense),
		cmocka_unit_test(test_memory_follows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
