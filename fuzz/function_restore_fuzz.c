/* Hostile payloads of FUNCTION RESTORE, without their footer: whatever is let in is a sound set of libraries, and saved and
 * read again it is the same.
 *
 * Input: one byte (bit 0: saved with compression), the bytes. Code that does not end takes half a second: libFuzzer's
 * time-out must be above that. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "script/function_private.h"
#include "types/serial.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition) {
	if (!condition) abort();
}

static void must_be_equal(const struct library_set *a, const struct library_set *b) {
	must(a->count == b->count && library_set_functions(a) == library_set_functions(b));
	for (unsigned i = 0; i < a->count; i++) {
		const struct library *one = a->libraries[i], *other = b->libraries[i];
		must(slice_equal(one->name, other->name) && slice_equal(one->code, other->code));
		must(one->count == other->count);
		for (unsigned k = 0; k < one->count; k++) {
			const struct function *f = one->functions[k], *g = other->functions[k];
			must(slice_equal(f->name, g->name) && slice_equal(f->description, g->description));
			must(f->flags == g->flags);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 1) return 0;
	hash_init(1);
	char *bytes = mem_alloc(size - 1 ? size - 1 : 1);
	memcpy(bytes, data + 1, size - 1);
	struct library_set set = { 0 }, again = { 0 };
	struct buffer error = { 0 }, saved = { 0 };
	bool ok = function__read(slice_of(bytes, size - 1), 2, &set, &error);
	must(ok == (error.len == 0));
	must(library_set_check(&set) == NULL);
	if (ok) {
		function__save(&set, data[0] & 1 ? SERIAL_COMPRESS : 0, &saved);
		must(function__read(buffer_slice(&saved), 2, &again, &error));
		must_be_equal(&set, &again);
	}
	library_set_release(&set);
	library_set_release(&again);
	buffer_release(&error);
	buffer_release(&saved);
	mem_free(bytes);
	return 0;
}
