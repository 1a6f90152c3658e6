#include "types/hll.h"

#include <assert.h>

#include "types/hll_private.h"

/* ---- Bytes ---- */

static const char empty_bytes[] = "HYLL\1\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff";
_Static_assert(sizeof(empty_bytes) - 1 == HLL_EMPTY_BYTES, "a header and one XZERO");

enum { ENCODING_AT = 4, CARDINALITY_AT = 8, STALE_AT = 15, STALE = 0x80 };

bool hll_is(struct slice bytes) {
	if (bytes.len < HLL_HEADER_BYTES || memcmp(bytes.ptr, "HYLL", 4) != 0) return false;
	if (bytes.ptr[ENCODING_AT] == 0) return bytes.len == HLL_DENSE_BYTES;
	return bytes.ptr[ENCODING_AT] == 1;
}

struct slice hll_empty(void) {
	return slice_of(empty_bytes, HLL_EMPTY_BYTES);
}

bool hll_cached(struct slice hll, uint64_t *cardinality) {
	if ((uint8_t)hll.ptr[STALE_AT] & STALE) return false;
	memcpy(cardinality, hll.ptr + CARDINALITY_AT, sizeof(*cardinality));
	return true;
}

void hll_cache(char *bytes, uint64_t cardinality) {
	memcpy(bytes + CARDINALITY_AT, &cardinality, sizeof(cardinality));
}

static void forget_cached(char *bytes) {
	bytes[STALE_AT] = (char)(bytes[STALE_AT] | STALE);
}

static uint8_t *buffer_bytes(struct buffer *hll) {
	return (uint8_t *)hll->data;
}

/* ---- Elements ---- */

/* The last `len` bytes of an element, 1 to 7, as a number: pieces that overlap say the same where they do. */
static uint64_t load_tail(const char *p, size_t len) {
	const uint8_t *b = (const uint8_t *)p;
	uint32_t low, high;

	if (len < 4) return b[0] | (uint64_t)b[len / 2] << 8 * (len / 2) | (uint64_t)b[len - 1] << 8 * (len - 1);
	memcpy(&low, p, 4);
	memcpy(&high, p + len - 4, 4);
	return low | (uint64_t)high << 8 * (len - 4);
}

/* MurmurHash64A. */
static uint64_t hash_element(struct slice element, uint64_t seed) {
	const uint64_t m = 0xc6a4a7935bd1e995u;
	const char *p = element.ptr;
	size_t left = element.len;
	uint64_t h = seed ^ (element.len * m), k;

	for (; left >= 8; p += 8, left -= 8) {
		memcpy(&k, p, 8);
		k *= m;
		k ^= k >> 47;
		h = (h ^ (k * m)) * m;
	}
	if (left) h = (h ^ load_tail(p, left)) * m;
	h = (h ^ (h >> 47)) * m;
	return h ^ (h >> 47);
}

struct hll_place hll__place_of(struct slice element) {
	uint64_t hash = hash_element(element, 0xadc83b19u);
	/* The bit above the last ends the count when all fifty are zero. */
	uint64_t rest = hash >> HLL_INDEX_BITS | (uint64_t)1 << (64 - HLL_INDEX_BITS);
	return (struct hll_place){ (unsigned)(hash & (HLL_REGISTERS - 1)), (unsigned)__builtin_ctzll(rest) + 1 };
}

/* ---- Finding a register among sparse runs ---- */

/* A position between runs. Offsets are from the beginning of the HLL; 0: there is none. */
struct walk {
	size_t before_previous;
	size_t previous;
	size_t at;
	unsigned first; /* the register that the run at `at` begins with */
};

static const struct walk walk_start = { 0, 0, HLL_HEADER_BYTES, 0 };

static const uint64_t every_byte = 0x0101010101010101u;

/* The registers of the first `count` of eight runs of one byte each. */
static unsigned registers_of_bytes(uint64_t word, unsigned count) {
	uint64_t wanted = count == 8 ? UINT64_MAX : ((uint64_t)1 << count * 8) - 1;
	uint64_t is_val = (word >> 7 & every_byte) * 0xff;
	/* What each says beyond one register: its two low bits, or six for a ZERO. */
	uint64_t beyond = word & wanted & (every_byte * 3 | (every_byte * 63 & ~is_val));
	/* Eight times 63 is more than a byte holds, so pairs are added first. */
	uint64_t pairs = (beyond & 0x00ff00ff00ff00ffu) + (beyond >> 8 & 0x00ff00ff00ff00ffu);
	return (unsigned)(pairs * 0x0001000100010001u >> 48) + count;
}

/* Steps over up to eight runs of one byte that end before or at register `index`; false when there are none. */
static bool walk_skip(struct walk *w, const uint8_t *bytes, size_t len, unsigned index) {
	uint64_t word;

	if (len - w->at < sizeof(word)) return false;
	memcpy(&word, bytes + w->at, sizeof(word));
	/* The first XZERO ends it. Its bits are 01 at the top; behind it, what looks like an opcode may be none. */
	uint64_t xzero = ~word & word << 1 & every_byte * 0x80;
	unsigned count = xzero ? (unsigned)__builtin_ctzll(xzero) / 8 : 8;
	if (count < 2) return false;
	unsigned registers = registers_of_bytes(word, count);
	if (w->first + registers > index) return false;
	w->at += count;
	w->first += registers;
	w->previous = w->at - 1;
	w->before_previous = w->at - 2;
	return true;
}

/* Moves on to the run that has register `index`; false when there is none. */
static bool walk_to(struct walk *w, const uint8_t *bytes, size_t len, unsigned index, struct hll_run *run) {
	while (w->at < len) {
		if (walk_skip(w, bytes, len, index)) continue;
		*run = hll__run_read(bytes + w->at, len - w->at);
		if (run->bytes == 0) return false;
		if (w->first + run->count > index) return true;
		w->before_previous = w->previous;
		w->previous = w->at;
		w->at += run->bytes;
		w->first += run->count;
	}
	return false;
}

/* Where a search for higher registers may begin after the run at `w` was changed, which may join it with its neighbours. The
 * next change wants to know the run before, too; where that is lost the search begins anew, which is rare. */
static struct walk walk_back(const struct walk *w, const uint8_t *bytes) {
	if (w->previous == 0) return *w;
	if (w->before_previous == 0 && w->previous != HLL_HEADER_BYTES) return walk_start;
	struct hll_run run = hll__run_read(bytes + w->previous, w->at - w->previous);
	return (struct walk){ 0, w->before_previous, w->previous, w->first - run.count };
}

/* ---- Changing a register among sparse runs ---- */

static size_t put_val(uint8_t *out, unsigned value, unsigned count) {
	out[0] = (uint8_t)(0x80 | (value - 1) << 2 | (count - 1));
	return 1;
}

static size_t put_run(uint8_t *out, unsigned value, unsigned count) {
	if (count == 0) return 0;
	if (value) return put_val(out, value, count);
	if (count <= HLL_ZERO_RUN_MAX) {
		out[0] = (uint8_t)(count - 1);
		return 1;
	}
	out[0] = (uint8_t)(0x40 | (count - 1) >> 8);
	out[1] = (uint8_t)(count - 1);
	return 2;
}

/* Joins neighbouring VALs of one value near a change. Five looks are enough for what one change can bring together; a join
 * counts as one. That runs farther away stay apart is part of the format's behaviour. */
static void join_vals(struct buffer *hll, size_t at) {
	uint8_t *bytes = buffer_bytes(hll);

	for (unsigned looks = 5; looks > 0 && at < hll->len; looks--) {
		if (!hll__is_val(bytes[at])) {
			at += bytes[at] & 0x40 ? 2 : 1;
			continue;
		}
		if (at + 1 == hll->len) return;
		struct hll_run a = hll__run_read(bytes + at, 1), b = hll__run_read(bytes + at + 1, 1);
		unsigned count = a.count + b.count;
		if (!hll__is_val(bytes[at + 1]) || a.value != b.value || count > HLL_VAL_RUN_MAX) {
			at++;
			continue;
		}
		put_val(bytes + at, a.value, count);
		memmove(bytes + at + 1, bytes + at + 2, hll->len - at - 2);
		hll->len--;
	}
}

/* The run at `w` without register `index`, which becomes a VAL of its own: up to three runs. */
static size_t split_run(uint8_t *out, const struct walk *w, struct hll_run run, struct hll_place place) {
	unsigned left = place.index - w->first;
	size_t len = put_run(out, run.value, left);

	len += put_val(out + len, place.value, 1);
	return len + put_run(out + len, run.value, run.count - left - 1);
}

static enum hll_result raise_dense(uint8_t *dense, struct hll_place place) {
	if (hll__dense_get(dense, place.index) >= place.value) return HLL_SAME;
	hll__dense_set(dense, place.index, place.value);
	return HLL_CHANGED;
}

static enum hll_result promote_and_raise(struct buffer *hll, struct hll_place place) {
	if (hll_make_dense(hll) == HLL_CORRUPT) return HLL_CORRUPT;
	raise_dense(buffer_bytes(hll) + HLL_HEADER_BYTES, place);
	return HLL_CHANGED;
}

/* Raises one register, looking for it from *w on; *w is left where the search for a higher one may go on. The HLL may have
 * become dense. */
static enum hll_result raise_sparse(struct buffer *hll, struct walk *w, struct hll_place place, size_t sparse_max) {
	uint8_t fresh[5];
	struct hll_run run;

	/* This first: the register is below that, whichever run has it. */
	if (place.value > HLL_SPARSE_VALUE_MAX) return promote_and_raise(hll, place);
	if (hll->len > HLL_BYTES_MAX) return HLL_CORRUPT;
	if (!walk_to(w, buffer_bytes(hll), hll->len, place.index, &run)) return HLL_CORRUPT;
	if (run.value >= place.value) return HLL_SAME;

	size_t len = split_run(fresh, w, run, place);
	if (len > run.bytes && hll->len + (len - run.bytes) > sparse_max) return promote_and_raise(hll, place);
	struct walk back = walk_back(w, buffer_bytes(hll));
	buffer_reserve(hll, sizeof(fresh));
	uint8_t *at = buffer_bytes(hll) + w->at;
	memmove(at + len, at + run.bytes, hll->len - w->at - run.bytes);
	memcpy(at, fresh, len);
	hll->len += len - run.bytes;
	join_vals(hll, w->previous ? w->previous : w->at);
	*w = back;
	return HLL_CHANGED;
}

/* ---- Adding ---- */

enum hll_result hll_add_dense(char *bytes, struct slice element) {
	enum hll_result result = raise_dense((uint8_t *)bytes + HLL_HEADER_BYTES, hll__place_of(element));
	if (result == HLL_CHANGED) forget_cached(bytes);
	return result;
}

bool hll_would_add_dense(const char *bytes, struct slice element) {
	struct hll_place place = hll__place_of(element);
	return hll__dense_get((const uint8_t *)bytes + HLL_HEADER_BYTES, place.index) < place.value;
}

enum hll_result hll_add(struct buffer *hll, struct slice element, size_t sparse_max) {
	struct walk w = walk_start;

	assert(hll_is(buffer_slice(hll)));
	if (hll_is_dense(buffer_slice(hll))) return hll_add_dense(hll->data, element);
	enum hll_result result = raise_sparse(hll, &w, hll__place_of(element), sparse_max);
	if (result == HLL_CHANGED) forget_cached(hll->data);
	return result;
}

enum hll_result hll_make_dense(struct buffer *hll) {
	struct hll_registers registers;

	if (hll_is_dense(buffer_slice(hll))) return HLL_SAME;
	memset(&registers, 0, sizeof(registers));
	if (!hll_merge(&registers, buffer_slice(hll))) return HLL_CORRUPT;
	if (hll->len < HLL_DENSE_BYTES) buffer_reserve(hll, HLL_DENSE_BYTES - hll->len);
	hll->data[ENCODING_AT] = 0;
	hll__pack(&registers, buffer_bytes(hll) + HLL_HEADER_BYTES);
	hll->len = HLL_DENSE_BYTES;
	return HLL_CHANGED;
}

/* ---- Raising all registers ---- */

static bool raise_all_dense(struct buffer *hll, const struct hll_registers *registers) {
	struct hll_registers all = *registers;

	if (hll_make_dense(hll) == HLL_CORRUPT) return false;
	if (!hll_merge(&all, buffer_slice(hll))) return false;
	hll__pack(&all, buffer_bytes(hll) + HLL_HEADER_BYTES);
	return true;
}

/* Register by register in ascending order, as Redis does, so that runs are joined alike and the same unions become dense. Each
 * search goes on near the place where the last one ended. */
static bool raise_all_sparse(struct buffer *hll, const struct hll_registers *registers, size_t sparse_max) {
	struct walk w = walk_start;

	for (unsigned i = 0; i < HLL_REGISTERS; i++) {
		if (registers->value[i] == 0) continue;
		struct hll_place place = { i, registers->value[i] };
		enum hll_result result = raise_sparse(hll, &w, place, sparse_max);
		if (result == HLL_CORRUPT) return false;
		if (hll_is_dense(buffer_slice(hll))) return raise_all_dense(hll, registers);
	}
	return true;
}

bool hll_raise(struct buffer *hll, const struct hll_registers *registers, bool dense, size_t sparse_max) {
	assert(hll_is(buffer_slice(hll)));
	if (hll_is_dense(buffer_slice(hll))) dense = true;
	bool ok = dense ? raise_all_dense(hll, registers) : raise_all_sparse(hll, registers, sparse_max);
	if (ok) forget_cached(hll->data);
	return ok;
}

/* ---- Description ---- */

void hll_describe(struct slice hll, struct buffer *text) {
	const uint8_t *bytes = (const uint8_t *)hll.ptr;

	for (size_t at = HLL_HEADER_BYTES; at < hll.len;) {
		struct hll_run run = hll__run_read(bytes + at, hll.len - at);
		if (run.bytes == 0) return;
		if (at > HLL_HEADER_BYTES) buffer_append_char(text, ' ');
		if (run.value) {
			buffer_appendf(text, "v:%u,%u", run.value, run.count);
		} else {
			buffer_appendf(text, "%c:%u", run.bytes == 2 ? 'Z' : 'z', run.count);
		}
		at += run.bytes;
	}
}
