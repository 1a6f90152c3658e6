#include "containers/pack.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "containers/pack_private.h"

static inline const uint8_t *entry_at(const struct pack *pack, size_t at) {
	assert(at >= PACK_HEAD_BYTES);
	assert(at < pack_bytes(pack));
	return (const uint8_t *)pack + at;
}

static inline size_t count_field(const struct pack *pack) {
	return pack__load(pack->_count, 2);
}

static void set_count(struct pack *pack, size_t count) {
	pack__store(pack->_count, 2, count < PACK_COUNT_UNKNOWN ? count : PACK_COUNT_UNKNOWN);
}

/* ---- The whole ----
 *
 * The head has no room for a capacity. What holds instead: at least the whole size class of pack_bytes was allocated.
 * So a pack that grows within its class needs no allocator, and one that shrinks may keep what it has. */

struct pack *pack_new(void) {
	struct pack *pack = mem_alloc(mem_size_class(PACK_EMPTY_BYTES));
	pack__store(pack->_total, 4, PACK_EMPTY_BYTES);
	pack__store(pack->_count, 2, 0);
	pack->_entries[0] = PACK_END;
	return pack;
}

struct pack *pack_from_bytes(struct slice bytes) {
	assert(pack_validate(bytes.ptr, bytes.len, PACK_SHALLOW));
	struct pack *pack = mem_alloc(mem_size_class(bytes.len));
	memcpy(pack, bytes.ptr, bytes.len);
	return pack;
}

struct pack *pack_copy(const struct pack *pack) {
	return pack_from_bytes(pack_raw(pack));
}

void pack_free(struct pack *pack) {
	mem_free(pack);
}

bool pack_is_empty(const struct pack *pack) {
	return pack->_entries[0] == PACK_END;
}

struct slice pack_raw(const struct pack *pack) {
	return slice_of(pack, pack_bytes(pack));
}

size_t pack_memory(const struct pack *pack) {
	return mem_size_class(pack_bytes(pack));
}

size_t pack_count(const struct pack *pack) {
	size_t count = count_field(pack);
	if (__builtin_expect(count < PACK_COUNT_UNKNOWN, 1)) return count;
	count = 0;
	for (const uint8_t *entry = pack->_entries; *entry != PACK_END; entry += pack__entry_bytes(entry)) count++;
	return count;
}

bool pack_fits(const struct pack *pack, size_t len, size_t values) {
	size_t room = PACK_MAX_BYTES - pack_bytes(pack);
	return len <= room && values <= (room - len) / PACK_ENTRY_EXTRA_BYTES;
}

/* ---- Walking ---- */

static inline size_t position_or_end(const struct pack *pack, size_t at) {
	return ((const uint8_t *)pack)[at] == PACK_END ? 0 : at;
}

size_t pack_first(const struct pack *pack) {
	return position_or_end(pack, PACK_HEAD_BYTES);
}

/* The entry that ends before `at`. */
static size_t before(const struct pack *pack, size_t at) {
	if (at == PACK_HEAD_BYTES) return 0;
	const uint8_t *bytes = (const uint8_t *)pack;
	size_t back = at - 1;
	size_t body = bytes[back] & 0x7F;
	for (unsigned shift = 7; bytes[back] & 0x80; shift += 7) {
		assert(shift < 7 * PACK_BACK_MAX_BYTES);
		back--;
		body |= (size_t)(bytes[back] & 0x7F) << shift;
	}
	assert(body + PACK_HEAD_BYTES <= back);
	return back - body;
}

size_t pack_last(const struct pack *pack) {
	return before(pack, pack_bytes(pack) - 1);
}

size_t pack_next(const struct pack *pack, size_t at) {
	return position_or_end(pack, at + pack__entry_bytes(entry_at(pack, at)));
}

size_t pack_prev(const struct pack *pack, size_t at) {
	assert(at < pack_bytes(pack));
	return before(pack, at);
}

/* Neighbours are often of the same length. As long as the first byte, or the last, says that the next one is as well, steps
 * do not wait for each other's bytes: the processor predicts and walks ahead, several times as fast. */
static size_t nth_from_front(const struct pack *pack, uint64_t index) {
	const uint8_t *entry = pack->_entries;
	while (index > 0 && *entry != PACK_END) {
		uint8_t first = *entry;
		size_t bytes = pack__entry_bytes(entry);
		entry += bytes;
		index--;
		/* Of longer strings the first byte does not tell all. */
		if (first >= PACK_STRING_12 && first <= PACK_STRING_32) continue;
		for (; index > 0 && *entry == first; index--) entry += bytes;
	}
	return position_or_end(pack, (size_t)(entry - (const uint8_t *)pack));
}

/* 0 is the last. */
static size_t nth_from_back(const struct pack *pack, uint64_t index) {
	const uint8_t *bytes = (const uint8_t *)pack;
	size_t at = pack_bytes(pack) - 1;
	while (at > PACK_HEAD_BYTES) {
		uint8_t back = bytes[at - 1];
		at = before(pack, at);
		if (back < 0x80) {
			for (; index > 0 && at > PACK_HEAD_BYTES && bytes[at - 1] == back; index--) at -= back + 1u;
		}
		if (index-- == 0) return at;
	}
	return 0;
}

size_t pack_nth(const struct pack *pack, int64_t index) {
	uint64_t from_back = index < 0 ? (uint64_t) - (index + 1) : 0;
	size_t count = count_field(pack);
	if (count == PACK_COUNT_UNKNOWN) {
		return index < 0 ? nth_from_back(pack, from_back) : nth_from_front(pack, (uint64_t)index);
	}
	if (index < 0 ? from_back >= count : (uint64_t)index >= count) return 0;
	uint64_t from_front = index < 0 ? count - 1 - from_back : (uint64_t)index;
	return from_front <= count / 2 ? nth_from_front(pack, from_front) : nth_from_back(pack, count - 1 - from_front);
}

/* ---- Reading an entry ---- */

static inline int64_t sign_extend(uint64_t value, unsigned bits) {
	return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

/* Of an entry that is no string. */
static int64_t entry_int(const uint8_t *entry) {
	uint8_t first = entry[0];
	if (first < PACK_STRING_6) return first;
	switch (first) {
	case PACK_INT_16: return sign_extend(pack__load(entry + 1, 2), 16);
	case PACK_INT_24: return sign_extend(pack__load(entry + 1, 3), 24);
	case PACK_INT_32: return sign_extend(pack__load(entry + 1, 4), 32);
	case PACK_INT_64: return (int64_t)pack__load(entry + 1, 8);
	default: break;
	}
	assert((first & 0xE0) == PACK_INT_13);
	return sign_extend((uint64_t)(first & 0x1F) << 8 | entry[1], 13);
}

struct pack_value pack_get(const struct pack *pack, size_t at) {
	const uint8_t *entry = entry_at(pack, at);
	struct pack_value value = { 0 };
	if (!pack__string(entry, &value.text)) value.number = entry_int(entry);
	return value;
}

size_t pack_read(const struct pack *pack, size_t *at, struct pack_value *values, size_t most) {
	if (*at == 0) return 0;
	const uint8_t *entry = entry_at(pack, *at);
	size_t count = 0;
	for (; count < most && *entry != PACK_END; count++) {
		if ((*entry & 0xC0) == PACK_STRING_6) {
			size_t len = *entry & 0x3F;
			values[count] = (struct pack_value){ slice_of(entry + 1, len), 0 };
			entry += len + 2;
			continue;
		}
		values[count] = (struct pack_value){ { NULL, 0 }, 0 };
		if (!pack__string(entry, &values[count].text)) values[count].number = entry_int(entry);
		entry += pack__entry_bytes(entry);
	}
	*at = position_or_end(pack, (size_t)(entry - (const uint8_t *)pack));
	return count;
}

size_t pack_read_back(const struct pack *pack, size_t *at, struct pack_value *values, size_t most) {
	size_t count = 0;
	for (; count < most && *at; count++) {
		values[count] = pack_get(pack, *at);
		*at = before(pack, *at);
	}
	return count;
}

struct slice pack_text(const struct pack *pack, size_t at, char scratch[static PACK_SCRATCH_BYTES]) {
	struct pack_value value = pack_get(pack, at);
	if (!pack_value_is_int(value)) return value.text;
	return slice_of(scratch, number_format_i64(scratch, value.number));
}

size_t pack_text_len(const struct pack *pack, size_t at) {
	char scratch[PACK_SCRATCH_BYTES];
	return pack_text(pack, at, scratch).len;
}

/* A value to look for: an integer matches the integer, and its digits in a pack whose writer did not care. */
struct needle {
	struct slice text;
	bool is_int;
	int64_t number;
};

static struct needle needle_of(struct slice value) {
	struct needle needle = { .text = value };
	if (value.len > 0 && value.len <= NUMBER_I64_MAX_CHARS) needle.is_int = number_parse_i64(value, &needle.number);
	return needle;
}

static inline bool entry_matches(const uint8_t *entry, const struct needle *needle) {
	struct slice text;
	if (pack__string(entry, &text)) return slice_equal(text, needle->text);
	return needle->is_int && entry_int(entry) == needle->number;
}

bool pack_equal(const struct pack *pack, size_t at, struct slice value) {
	struct needle needle = needle_of(value);
	return entry_matches(entry_at(pack, at), &needle);
}

int pack_compare(const struct pack *pack, size_t at, struct slice value) {
	char scratch[PACK_SCRATCH_BYTES];
	return slice_compare(pack_text(pack, at, scratch), value);
}

size_t pack_find(const struct pack *pack, size_t from, struct slice value, unsigned skip) {
	if (from == 0) return 0;
	struct needle needle = needle_of(value);
	const uint8_t *entry = entry_at(pack, from);
	while (*entry != PACK_END) {
		if (entry_matches(entry, &needle)) return (size_t)(entry - (const uint8_t *)pack);
		entry += pack__entry_bytes(entry);
		for (unsigned i = 0; i < skip && *entry != PACK_END; i++) entry += pack__entry_bytes(entry);
	}
	return 0;
}

/* ---- Changing ---- */

/* An entry about to be written: the head holds the encoding and, of an integer, the data. */
struct draft {
	uint8_t head[9];
	uint8_t head_bytes;
	struct slice text;
	size_t bytes; /* of the whole entry */
};

static void draft_int(struct draft *draft, int64_t value) {
	uint8_t *head = draft->head;
	unsigned data = 0;
	if (value >= 0 && value < 128) {
		head[0] = (uint8_t)value;
	} else if (value >= -4096 && value < 4096) {
		head[0] = (uint8_t)(PACK_INT_13 | (value >> 8 & 0x1F));
		head[1] = (uint8_t)value;
		draft->head_bytes = 2;
		return;
	} else if (value == sign_extend((uint64_t)value, 16)) {
		head[0] = PACK_INT_16;
		data = 2;
	} else if (value == sign_extend((uint64_t)value, 24)) {
		head[0] = PACK_INT_24;
		data = 3;
	} else if (value == sign_extend((uint64_t)value, 32)) {
		head[0] = PACK_INT_32;
		data = 4;
	} else {
		head[0] = PACK_INT_64;
		data = 8;
	}
	pack__store(head + 1, data, (uint64_t)value);
	draft->head_bytes = (uint8_t)(data + 1);
}

static void draft_string(struct draft *draft, struct slice text) {
	uint8_t *head = draft->head;
	draft->text = text;
	if (text.len < 1 << 6) {
		head[0] = (uint8_t)(PACK_STRING_6 | text.len);
		draft->head_bytes = 1;
	} else if (text.len < 1 << 12) {
		head[0] = (uint8_t)(PACK_STRING_12 | text.len >> 8);
		head[1] = (uint8_t)text.len;
		draft->head_bytes = 2;
	} else {
		head[0] = PACK_STRING_32;
		pack__store(head + 1, 4, text.len);
		draft->head_bytes = 5;
	}
}

static void draft_measure(struct draft *draft) {
	size_t body = draft->head_bytes + draft->text.len;
	draft->bytes = body + pack__back_bytes(body);
}

static struct draft draft_of_int(int64_t value) {
	struct draft draft = { .text = { NULL, 0 } };
	draft_int(&draft, value);
	draft_measure(&draft);
	return draft;
}

static struct draft draft_of(struct slice value) {
	struct draft draft = { .text = { NULL, 0 } };
	int64_t number;
	if (value.len > 0 && value.len <= NUMBER_I64_MAX_CHARS && number_parse_i64(value, &number)) {
		draft_int(&draft, number);
	} else {
		draft_string(&draft, value);
	}
	draft_measure(&draft);
	return draft;
}

static void draft_write(const struct draft *draft, uint8_t *at) {
	size_t body = draft->head_bytes + draft->text.len;
	memcpy(at, draft->head, draft->head_bytes);
	if (draft->text.len > 0) memcpy(at + draft->head_bytes, draft->text.ptr, draft->text.len);
	pack__put_back(at + body, body);
}

/* Makes room for `total` bytes, of which the head will tell; the bytes may move. */
static void grow_to(struct pack **pack, size_t total) {
	/* Callers ask pack_fits where a client chose the size; to go on would wrap the 32 bits. */
	if (__builtin_expect(total > PACK_MAX_BYTES, 0)) abort();
	size_t class_bytes = mem_size_class(total);
	if (class_bytes > mem_size_class(pack_bytes(*pack))) *pack = mem_realloc(*pack, class_bytes);
}

/* Gives memory back after the head was set to fewer bytes than `before_bytes`. Only when that halves the size class, so
 * that entries which come and go do not move the others around each time. */
static void shrink_from(struct pack **pack, size_t before_bytes) {
	size_t class_bytes = mem_size_class(pack_bytes(*pack));
	if (__builtin_clzll(class_bytes) != __builtin_clzll(mem_size_class(before_bytes))) {
		*pack = mem_realloc(*pack, class_bytes);
	}
}

/* Puts room for `added` bytes in the place of the `removed` bytes at `at`. Head and end are right afterwards, the
 * count is the caller's. Returns where the room is. */
static uint8_t *splice(struct pack **pack, size_t at, size_t removed, size_t added) {
	size_t total = pack_bytes(*pack);
	size_t new_total = total - removed + added;
	assert(at >= PACK_HEAD_BYTES);
	assert(at + removed < total);
	if (new_total > total) grow_to(pack, new_total);
	uint8_t *place = (uint8_t *)*pack + at;
	memmove(place + added, place + removed, total - at - removed);
	pack__store((*pack)->_total, 4, new_total);
	if (new_total < total) {
		shrink_from(pack, total);
		place = (uint8_t *)*pack + at;
	}
	return place;
}

static void add_to_count(struct pack *pack, size_t added) {
	size_t count = count_field(pack);
	if (count < PACK_COUNT_UNKNOWN) set_count(pack, count + added);
}

static void insert_draft(struct pack **pack, size_t at, const struct draft *draft) {
	/* The text would move from under us. */
	assert(draft->text.len == 0 || draft->text.ptr + draft->text.len <= (const char *)*pack ||
		draft->text.ptr >= (const char *)*pack + pack_bytes(*pack));
	draft_write(draft, splice(pack, at, 0, draft->bytes));
	add_to_count(*pack, 1);
}

static size_t end_of(const struct pack *pack) {
	return pack_bytes(pack) - 1;
}

void pack_append(struct pack **pack, struct slice value) {
	struct draft draft = draft_of(value);
	insert_draft(pack, end_of(*pack), &draft);
}

void pack_append_int(struct pack **pack, int64_t value) {
	struct draft draft = draft_of_int(value);
	insert_draft(pack, end_of(*pack), &draft);
}

void pack_append_many(struct pack **pack, const struct slice *values, size_t count) {
	size_t bytes = 0;
	for (size_t i = 0; i < count; i++) bytes += draft_of(values[i]).bytes;
	uint8_t *place = splice(pack, end_of(*pack), 0, bytes);
	for (size_t i = 0; i < count; i++) {
		struct draft draft = draft_of(values[i]);
		draft_write(&draft, place);
		place += draft.bytes;
	}
	add_to_count(*pack, count);
}

static inline struct draft draft_of_value(struct pack_value value) {
	return pack_value_is_int(value) ? draft_of_int(value.number) : draft_of(value.text);
}

/* Short values are encoded only once, on the stack; those of a client may be too long for that. */
enum { APPEND_AT_ONCE_BYTES = 512 };

static bool are_short(const struct pack_value *values, size_t count) {
	size_t bytes = 0;
	if (count > APPEND_AT_ONCE_BYTES / PACK_ENTRY_EXTRA_BYTES) return false;
	for (size_t i = 0; i < count; i++) bytes += values[i].text.len + PACK_ENTRY_EXTRA_BYTES;
	return bytes <= APPEND_AT_ONCE_BYTES;
}

static size_t write_values(uint8_t *place, const struct pack_value *values, size_t count) {
	uint8_t *at = place;
	for (size_t i = 0; i < count; i++) {
		struct draft draft = draft_of_value(values[i]);
		draft_write(&draft, at);
		at += draft.bytes;
	}
	return (size_t)(at - place);
}

void pack_append_values(struct pack **pack, const struct pack_value *values, size_t count) {
	uint8_t encoded[APPEND_AT_ONCE_BYTES];
	size_t bytes = 0;
	if (are_short(values, count)) {
		bytes = write_values(encoded, values, count);
		memcpy(splice(pack, end_of(*pack), 0, bytes), encoded, bytes);
	} else {
		for (size_t i = 0; i < count; i++) bytes += draft_of_value(values[i]).bytes;
		write_values(splice(pack, end_of(*pack), 0, bytes), values, count);
	}
	add_to_count(*pack, count);
}

void pack_prepend(struct pack **pack, struct slice value) {
	pack_insert_before(pack, PACK_HEAD_BYTES, value);
}

void pack_prepend_int(struct pack **pack, int64_t value) {
	pack_insert_int_before(pack, PACK_HEAD_BYTES, value);
}

void pack_insert_before(struct pack **pack, size_t at, struct slice value) {
	struct draft draft = draft_of(value);
	insert_draft(pack, at, &draft);
}

void pack_insert_int_before(struct pack **pack, size_t at, int64_t value) {
	struct draft draft = draft_of_int(value);
	insert_draft(pack, at, &draft);
}

static size_t insert_draft_after(struct pack **pack, size_t at, const struct draft *draft) {
	size_t place = at + pack__entry_bytes(entry_at(*pack, at));
	insert_draft(pack, place, draft);
	return place;
}

size_t pack_insert_after(struct pack **pack, size_t at, struct slice value) {
	struct draft draft = draft_of(value);
	return insert_draft_after(pack, at, &draft);
}

size_t pack_insert_int_after(struct pack **pack, size_t at, int64_t value) {
	struct draft draft = draft_of_int(value);
	return insert_draft_after(pack, at, &draft);
}

static void replace_with_draft(struct pack **pack, size_t at, const struct draft *draft) {
	size_t removed = pack__entry_bytes(entry_at(*pack, at));
	/* Counters and the like often stay as long as they were. */
	uint8_t *place = removed == draft->bytes ? (uint8_t *)*pack + at : splice(pack, at, removed, draft->bytes);
	draft_write(draft, place);
}

void pack_replace(struct pack **pack, size_t at, struct slice value) {
	struct draft draft = draft_of(value);
	replace_with_draft(pack, at, &draft);
}

void pack_replace_int(struct pack **pack, size_t at, int64_t value) {
	struct draft draft = draft_of_int(value);
	replace_with_draft(pack, at, &draft);
}

size_t pack_delete(struct pack **pack, size_t at) {
	return pack_delete_range(pack, at, 1);
}

size_t pack_delete_range(struct pack **pack, size_t at, size_t count) {
	const uint8_t *entry = entry_at(*pack, at);
	size_t removed = 0;
	size_t bytes = 0;
	for (; removed < count && entry[bytes] != PACK_END; removed++) bytes += pack__entry_bytes(entry + bytes);
	splice(pack, at, bytes, 0);
	size_t had = count_field(*pack);
	if (had < PACK_COUNT_UNKNOWN) set_count(*pack, had - removed);
	return position_or_end(*pack, at);
}

void pack_merge(struct pack **into, const struct pack *from) {
	assert(*into != from);
	size_t bytes = pack_bytes(from) - PACK_EMPTY_BYTES;
	size_t added = count_field(from);
	memcpy(splice(into, end_of(*into), 0, bytes), from->_entries, bytes);
	add_to_count(*into, added);
}

struct pack *pack_split(struct pack **pack, size_t at) {
	const uint8_t *entry = entry_at(*pack, at);
	size_t bytes = end_of(*pack) - at;
	size_t moved = 0;
	for (size_t walked = 0; walked < bytes; moved++) walked += pack__entry_bytes(entry + walked);

	struct pack *tail = pack_new();
	memcpy(splice(&tail, PACK_HEAD_BYTES, 0, bytes), entry, bytes);
	set_count(tail, moved);
	pack_delete_range(pack, at, moved);
	return tail;
}
