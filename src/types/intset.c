#include "types/intset.h"

#include <assert.h>

#include "base/alloc.h"

/* ---- The whole ----
 *
 * There is no room for a capacity. What holds instead: at least the size class of intset_bytes was allocated, so a set that
 * grows within its class needs no allocator. */

static uint32_t load32(const uint8_t bytes[static 4]) {
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void store32(uint8_t bytes[static 4], uint32_t value) {
	for (unsigned i = 0; i < 4; i++) bytes[i] = (uint8_t)(value >> (8 * i));
}

static inline unsigned width_of(const struct intset *set) {
	return set->_width[0];
}

/* The bytes that a number needs. */
static unsigned width_for(int64_t value) {
	if (value == (int16_t)value) return 2;
	return value == (int32_t)value ? 4 : 8;
}

static inline int64_t get(const uint8_t *integers, unsigned width, size_t index) {
	const uint8_t *at = integers + index * width;
	if (width == 2) {
		int16_t value;
		memcpy(&value, at, sizeof(value));
		return value;
	}
	if (width == 4) {
		int32_t value;
		memcpy(&value, at, sizeof(value));
		return value;
	}
	int64_t value;
	memcpy(&value, at, sizeof(value));
	return value;
}

/* The low bytes of a number are a narrower one. */
static inline void put(uint8_t *integers, unsigned width, size_t index, int64_t value) {
	memcpy(integers + index * width, &value, width);
}

struct intset *intset_new(void) {
	struct intset *set = mem_alloc(mem_size_class(INTSET_HEAD_BYTES));
	store32(set->_width, 2);
	store32(set->_count, 0);
	return set;
}

struct intset *intset_from_bytes(struct slice bytes) {
	struct intset *set = mem_alloc(mem_size_class(bytes.len));
	memcpy(set, bytes.ptr, bytes.len);
	return set;
}

struct intset *intset_copy(const struct intset *set) {
	return intset_from_bytes(intset_raw(set));
}

void intset_free(struct intset *set) {
	mem_free(set);
}

bool intset_validate(const void *bytes, size_t len) {
	const struct intset *set = bytes;
	if (len < INTSET_HEAD_BYTES) return false;
	uint32_t width = load32(set->_width);
	size_t count = load32(set->_count);
	if (width != 2 && width != 4 && width != 8) return false;
	if (count > INTSET_MAX_COUNT || len != INTSET_HEAD_BYTES + count * width) return false;
	for (size_t i = 1; i < count; i++)
		if (get(set->_integers, width, i - 1) >= get(set->_integers, width, i)) return false;
	return true;
}

size_t intset_count(const struct intset *set) {
	return load32(set->_count);
}

size_t intset_bytes(const struct intset *set) {
	return INTSET_HEAD_BYTES + intset_count(set) * width_of(set);
}

struct slice intset_raw(const struct intset *set) {
	return slice_of(set, intset_bytes(set));
}

size_t intset_memory(const struct intset *set) {
	return mem_size_class(intset_bytes(set));
}

/* Gives it the size that so many numbers need. */
static void resize(struct intset **set, unsigned width, size_t count) {
	size_t have = intset_memory(*set), need = mem_size_class(INTSET_HEAD_BYTES + count * width);
	if (have != need) *set = mem_realloc(*set, need);
}

/* ---- Finding ---- */

int64_t intset_at(const struct intset *set, size_t index) {
	assert(index < intset_count(set));
	return get(set->_integers, width_of(set), index);
}

/* The same for each width, so that the search has it as a constant. */
static inline __attribute__((always_inline)) size_t seek(
	const uint8_t *integers, unsigned width, size_t from, size_t count, int64_t value) {
	size_t step = 1, low = from, high = from;
	/* Everything below `low` is below the value; doubling steps find a `high` that is not. */
	while (high < count && get(integers, width, high) < value) {
		low = high + 1;
		high = count - high > step ? high + step : count;
		step *= 2;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (get(integers, width, middle) < value) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

size_t intset_seek(const struct intset *set, size_t from, int64_t value) {
	size_t count = intset_count(set);
	assert(from <= count);
	switch (width_of(set)) {
	case 2: return seek(set->_integers, 2, from, count, value);
	case 4: return seek(set->_integers, 4, from, count, value);
	default: return seek(set->_integers, 8, from, count, value);
	}
}

/* Where the value is or would come. */
static size_t position(const struct intset *set, int64_t value) {
	size_t count = intset_count(set);
	/* Numbers are often put in in ascending order. */
	if (count > 0 && intset_at(set, count - 1) < value) return count;
	const uint8_t *integers = set->_integers;
	unsigned width = width_of(set);
	size_t low = 0;
	while (count > 0) {
		size_t half = count / 2;
		if (get(integers, width, low + half) < value) {
			low += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return low;
}

static bool is_at(const struct intset *set, size_t index, int64_t value) {
	return index < intset_count(set) && intset_at(set, index) == value;
}

bool intset_has(const struct intset *set, int64_t value) {
	return is_at(set, position(set, value), value);
}

/* ---- Changing ---- */

/* Makes all numbers wider. The new one, which is why, comes before or behind all of them. */
static void widen_and_add(struct intset **set, unsigned width, int64_t value) {
	size_t count = intset_count(*set);
	unsigned old = width_of(*set);
	resize(set, width, count + 1);
	uint8_t *integers = (*set)->_integers;
	size_t shift = value < 0 ? 1 : 0;
	for (size_t i = count; i-- > 0;) put(integers, width, i + shift, get(integers, old, i));
	put(integers, width, shift ? 0 : count, value);
	store32((*set)->_width, width);
	store32((*set)->_count, (uint32_t)count + 1);
}

bool intset_add(struct intset **set, int64_t value) {
	unsigned width = width_of(*set), needed = width_for(value);
	size_t count = intset_count(*set);
	assert(count < INTSET_MAX_COUNT);
	if (needed > width) {
		widen_and_add(set, needed, value);
		return true;
	}
	size_t index = position(*set, value);
	if (is_at(*set, index, value)) return false;
	resize(set, width, count + 1);
	uint8_t *at = (*set)->_integers + index * width;
	memmove(at + width, at, (count - index) * width);
	put((*set)->_integers, width, index, value);
	store32((*set)->_count, (uint32_t)count + 1);
	return true;
}

bool intset_remove(struct intset **set, int64_t value) {
	if (width_for(value) > width_of(*set)) return false;
	size_t index = position(*set, value);
	if (!is_at(*set, index, value)) return false;
	intset_remove_at(set, &index, 1);
	return true;
}

void intset_remove_at(struct intset **set, const size_t *indices, size_t count) {
	if (count == 0) return;
	size_t all = intset_count(*set), width = width_of(*set);
	uint8_t *integers = (*set)->_integers, *to = integers + indices[0] * width;
	/* What lies between two that go moves down as one run. */
	for (size_t i = 0; i < count; i++) {
		size_t begin = indices[i] + 1, end = i + 1 < count ? indices[i + 1] : all;
		assert(end <= all && begin <= end);
		memmove(to, integers + begin * width, (end - begin) * width);
		to += (end - begin) * width;
	}
	resize(set, (unsigned)width, all - count);
	store32((*set)->_count, (uint32_t)(all - count));
}
