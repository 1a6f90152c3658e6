/* Hostile packs: whatever pack_validate lets pass, every call must be safe on and keep valid.
 *
 * Input: one byte (bit 0: make head and end fit, so that the entries are reached more often), then the pack. What the
 * calls put in and where follows from the bytes, too. */
#include <stdlib.h>

#include "base/alloc.h"
#include "containers/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition) {
	if (!condition) abort();
}

static void check(const struct pack *pack) {
	must(pack_validate(pack, pack_bytes(pack), PACK_DEEP));
}

static void fit_head(uint8_t *bytes, size_t size) {
	if (size < PACK_EMPTY_BYTES) return;
	for (unsigned i = 0; i < 4; i++) bytes[i] = (uint8_t)(size >> (8 * i));
	bytes[4] = bytes[5] = 0xFF;
	bytes[size - 1] = 0xFF;
}

static void read_all(const struct pack *pack) {
	char scratch[PACK_SCRATCH_BYTES];
	size_t count = 0;
	for (size_t at = pack_first(pack); at; at = pack_next(pack, at), count++) {
		struct slice text = pack_text(pack, at, scratch);
		must(pack_text_len(pack, at) == text.len);
		must(pack_equal(pack, at, text));
		must(pack_compare(pack, at, text) == 0);
		must(pack_find(pack, at, text, 0) == at);
		if (count < 100) must(pack_nth(pack, (int64_t)count) == at);
	}
	must(count == pack_count(pack));
	must((count == 0) == pack_is_empty(pack));
	for (size_t at = pack_last(pack); at; at = pack_prev(pack, at)) count--;
	must(count == 0);
	must(pack_nth(pack, -(int64_t)pack_count(pack) - 1) == 0);
	pack_find(pack, pack_first(pack), SLICE_LITERAL("12"), 1);
	pack_find(pack, pack_first(pack), SLICE_LITERAL("no"), 2);
}

static void change_one(struct pack **pack, size_t at, uint8_t what, struct slice value) {
	switch (what % 9) {
	case 0: pack_append(pack, value); break;
	case 1: pack_prepend(pack, value); break;
	case 2: pack_insert_before(pack, at, value); break;
	case 3: pack_insert_int_after(pack, at, (int64_t)value.len * -40503); break;
	case 4: pack_replace(pack, at, value); break;
	case 5: pack_replace_int(pack, at, (int64_t)value.len << (what % 50)); break;
	case 6: pack_delete(pack, at); break;
	case 7: pack_delete_range(pack, at, what); break;
	default: {
		struct pack *tail = pack_split(pack, at);
		check(tail);
		pack_merge(pack, tail);
		pack_append_many(pack, &value, 1);
		pack_free(tail);
	}
	}
}

static void change_all(struct pack **pack, struct slice bytes) {
	for (size_t i = 0; i + 3 < bytes.len && i < 64; i += 3) {
		const uint8_t *op = (const uint8_t *)bytes.ptr + i;
		size_t at = pack_nth(*pack, (int8_t)op[0]);
		size_t len = op[2] < bytes.len - i ? op[2] : bytes.len - i;
		struct slice value = slice_of(op, len);
		if (at) {
			change_one(pack, at, op[1], value);
		} else {
			pack_append(pack, value);
		}
		check(*pack);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 1) return 0;
	size_t len = size - 1;
	uint8_t *bytes = mem_alloc(len ? len : 1);
	if (len) memcpy(bytes, data + 1, len);
	if (data[0] & 1) fit_head(bytes, len);
	pack_validate(bytes, len, PACK_SHALLOW);
	if (pack_validate(bytes, len, PACK_DEEP)) {
		struct pack *pack = pack_from_bytes(slice_of(bytes, len));
		read_all(pack);
		change_all(&pack, slice_of(data, size));
		read_all(pack);
		pack_free(pack);
	}
	mem_free(bytes);
	return 0;
}
