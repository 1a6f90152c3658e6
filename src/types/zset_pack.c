/* The small form of a sorted set: a pack of member, score, member, score … in order. Everything here walks it, and reads a
 * score's text only where it must. */
#include "types/zset_private.h"

#include <assert.h>
#include <math.h>

#include "base/number.h"
#include "types/zset_build.h"

/* Digits that a double holds exactly, and powers of ten that it does: the quotient of both is rounded once, as strtod would. */
enum { EXACT_DIGITS = 15, EXACT_POWER = 22 };

/* Scores that were not written as an integer mostly are a few digits with a point: those need no strtod. */
static bool parse_short(struct slice text, double *score) {
	static const double powers[EXACT_POWER + 1] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	bool negative = text.len > 0 && text.ptr[0] == '-';
	unsigned digits = 0, decimals = 0;
	bool point = false;
	uint64_t mantissa = 0;
	for (size_t i = negative; i < text.len; i++) {
		unsigned digit = (unsigned char)text.ptr[i] - '0';
		if (digit <= 9) {
			mantissa = mantissa * 10 + digit;
			decimals += point;
			if (++digits > EXACT_DIGITS) return false;
		} else if (text.ptr[i] == '.' && !point) {
			point = true;
		} else {
			return false;
		}
	}
	if (digits == 0) return false;
	double value = (double)mantissa / powers[decimals];
	*score = negative ? -value : value;
	return true;
}

bool zset_pack_score(const struct pack *pack, size_t at, double *score) {
	struct pack_value value = pack_get(pack, at);
	if (pack_value_is_int(value)) {
		*score = (double)value.number;
		return true;
	}
	return parse_short(value.text, score) || number_parse_double(value.text, score);
}

/* Of a pack of our own, whose scores are good. */
static double score_at(const struct pack *pack, size_t at) {
	double score = 0;
	bool good = zset_pack_score(pack, at, &score);
	assert(good);
	(void)good;
	return score;
}

static struct slice score_text(double score, char *scratch) {
	/* Redis stores a negative zero as the integer, too. */
	if (score == 0) score = 0;
	return slice_of(scratch, number_format_double(scratch, score));
}

size_t zset__pack_find(const struct pack *pack, struct slice member, double *score) {
	size_t at = pack_find(pack, pack_first(pack), member, 1);
	if (at) *score = score_at(pack, pack_next(pack, at));
	return at;
}

bool zset__pack_takes(const struct pack *pack, size_t len, const struct type_limits *limits) {
	return len <= limits->zset_max_listpack_value && pack_count(pack) / 2 < limits->zset_max_listpack_entries &&
	       pack_fits(pack, len + NUMBER_DOUBLE_MAX_CHARS, 2);
}

/* Whether the element at `at` comes before that one. */
static bool comes_before(const struct pack *pack, size_t at, struct slice member, double score) {
	double here = score_at(pack, pack_next(pack, at));
	return here < score || (here == score && pack_compare(pack, at, member) < 0);
}

/* The first element that does not come before, from `at` on; 0: none. */
static size_t find_place(const struct pack *pack, size_t at, struct slice member, double score) {
	while (at && comes_before(pack, at, member, score)) at = pack_next(pack, pack_next(pack, at));
	return at;
}

void zset__pack_append(struct pack **pack, struct slice member, double score) {
	char scratch[NUMBER_DOUBLE_MAX_CHARS];
	const struct slice pair[] = { member, score_text(score, scratch) };
	pack_append_many(pack, pair, 2);
}

void zset__pack_insert(struct pack **pack, struct slice member, double score) {
	char scratch[NUMBER_DOUBLE_MAX_CHARS];
	/* Scores often grow with time. */
	size_t last = pack_last(*pack);
	bool behind_all = !last || comes_before(*pack, pack_prev(*pack, last), member, score);
	size_t place = behind_all ? 0 : find_place(*pack, pack_first(*pack), member, score);
	if (!place) {
		zset__pack_append(pack, member, score);
		return;
	}
	pack_insert_before(pack, place, score_text(score, scratch));
	pack_insert_before(pack, place, member);
}

void zset__pack_move(struct pack **pack, size_t at, struct slice member, double score) {
	char scratch[NUMBER_DOUBLE_MAX_CHARS];
	size_t before = pack_prev(*pack, at);
	size_t score_position = pack_next(*pack, at);
	size_t behind = pack_next(*pack, score_position);
	bool stays = (!before || comes_before(*pack, pack_prev(*pack, before), member, score)) &&
		     (!behind || !comes_before(*pack, behind, member, score));
	if (stays) {
		pack_replace(pack, score_position, score_text(score, scratch));
		return;
	}
	pack_delete_range(pack, at, 2);
	zset__pack_insert(pack, member, score);
}

/* ---- From files ---- */

/* Gathers the elements of a pack that nobody vouches for. NULL, or what is wrong. */
static const char *gather(const struct pack *pack, struct zset_build *build) {
	char scratch[PACK_SCRATCH_BYTES];
	double last_score = 0;
	struct slice last_member = { NULL, 0 };

	for (size_t at = pack_first(pack); at;) {
		struct slice member = pack_text(pack, at, scratch);
		size_t score_position = pack_next(pack, at);
		double score;
		bool fresh;
		if (!score_position) return "a member has no score";
		if (!zset_pack_score(pack, score_position, &score)) return "a score is no number";
		if (build->count > 0 && zset__order(last_score, last_member, score, member) >= 0)
			return "two members are not in order";
		double *slot = zset_build_slot(build, member, hash_slice(member), &fresh);
		if (!slot) return "out of memory";
		if (!fresh) return "a member comes twice";
		*slot = score;
		struct zset_element kept = zset_build_at(build, build->count - 1);
		last_member = kept.member;
		last_score = score;
		at = pack_next(pack, score_position);
	}
	return NULL;
}

const char *zset__pack_check(const struct pack *pack) {
	struct zset_build build = { 0 };
	const char *broken = gather(pack, &build);
	zset_build_release(&build);
	return broken;
}

bool zset_from_pack(struct slice bytes, const struct type_limits *limits, struct value *z) {
	struct zset_build build = { 0 };
	const struct pack *pack = (const struct pack *)(const void *)bytes.ptr;
	bool good = gather(pack, &build) == NULL;
	/* Rewritten rather than copied: a foreign writer may hold scores in other words for the same. */
	if (good) good = zset_build_sort(&build);
	if (good) zset_build_finish(&build, limits, z);
	zset_build_release(&build);
	return good;
}
