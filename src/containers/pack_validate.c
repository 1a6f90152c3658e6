/* Whether bytes from outside are a pack. Nothing here trusts a length before it is checked against what is left. */
#include "containers/pack_private.h"

/* The bytes of the entry at the start of the range, 0 when it is no entry or not all there. */
static size_t valid_entry_bytes(const uint8_t *entry, size_t left) {
	unsigned head = pack__head_bytes(entry[0]);
	if (head == 0 || head > left) return 0;
	size_t body = pack__body_bytes(entry);
	unsigned back = pack__back_bytes(body);
	if (body > left || back > left - body) return 0;
	uint8_t expected[PACK_BACK_MAX_BYTES];
	pack__put_back(expected, body);
	return memcmp(entry + body, expected, back) == 0 ? body + back : 0;
}

bool pack_validate(const void *bytes, size_t len, enum pack_depth depth) {
	const uint8_t *data = bytes;
	if (len < PACK_EMPTY_BYTES || len > PACK_MAX_BYTES) return false;
	if (pack__load(data, 4) != len || data[len - 1] != PACK_END) return false;
	if (depth == PACK_SHALLOW) return true;

	size_t end = len - 1;
	size_t count = 0;
	for (size_t at = PACK_HEAD_BYTES; at < end; count++) {
		size_t entry = valid_entry_bytes(data + at, end - at);
		if (entry == 0) return false;
		at += entry;
	}
	size_t said = pack__load(data + 4, 2);
	return said == PACK_COUNT_UNKNOWN || said == count;
}
