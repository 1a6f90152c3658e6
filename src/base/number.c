#include "base/number.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

/* ---- Integers ---- */

static const char digit_pairs[] =
	"00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354"
	"5556575859606162636465666768697071727374757677787980818283848586878889909192939495969798"
	"99";

/* By the bits: log10(2) is 1233 / 4096, near enough for 64 of them, and a table says whether it is one more. */
static size_t count_digits(uint64_t value) {
	static const uint64_t powers[] = { 0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000,
		10000000000, 100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000,
		10000000000000000, 100000000000000000, 1000000000000000000, 10000000000000000000u };
	unsigned bits = 64u - (unsigned)__builtin_clzll(value | 1), digits = bits * 1233 >> 12;
	return digits + (value >= powers[digits]);
}

size_t number_format_u64(char *out, uint64_t value) {
	size_t len = count_digits(value);
	char *p = out + len;

	*p = '\0';
	while (value >= 100) {
		p -= 2;
		memcpy(p, digit_pairs + value % 100 * 2, 2);
		value /= 100;
	}
	if (value >= 10) {
		memcpy(p - 2, digit_pairs + value * 2, 2);
	} else {
		p[-1] = (char)('0' + value);
	}
	return len;
}

size_t number_format_i64(char *out, int64_t value) {
	if (value >= 0) return number_format_u64(out, (uint64_t)value);
	*out = '-';
	/* Negating as unsigned is right for INT64_MIN too. */
	return 1 + number_format_u64(out + 1, 0 - (uint64_t)value);
}

/* One to twenty digits without leading zeros (a lone "0" is fine). */
static bool parse_digits(const char *p, size_t len, uint64_t *value) {
	if (len == 0 || len > 20) return false;
	if (*p == '0' && len > 1) return false;

	uint64_t v = 0;
	/* Nineteen digits cannot overflow; only the twentieth needs a check. */
	size_t safe = len < 20 ? len : 19;
	for (size_t i = 0; i < safe; i++) {
		unsigned digit = (unsigned char)p[i] - '0';
		if (digit > 9) return false;
		v = v * 10 + digit;
	}
	if (len == 20) {
		unsigned digit = (unsigned char)p[19] - '0';
		if (digit > 9) return false;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v)) return false;
	}
	*value = v;
	return true;
}

bool number_parse_u64(struct slice text, uint64_t *value) {
	return parse_digits(text.ptr, text.len, value);
}

bool number_parse_i64(struct slice text, int64_t *value) {
	uint64_t magnitude;

	if (text.len > 0 && text.ptr[0] == '-') {
		if (!parse_digits(text.ptr + 1, text.len - 1, &magnitude)) return false;
		if (magnitude == 0 || magnitude > (uint64_t)INT64_MAX + 1) return false;
		*value = (int64_t)(0 - magnitude);
		return true;
	}
	if (!parse_digits(text.ptr, text.len, &magnitude) || magnitude > INT64_MAX) return false;
	*value = (int64_t)magnitude;
	return true;
}

/* ---- Floating point, reading ---- */

/* strtod and strtold want a terminator and skip leading blanks, which commands refuse; `end` must be the terminator,
 * which also refuses a NUL inside the text. */
static bool parsed_whole(const char *text, size_t len, const char *end) {
	return len > 0 && !isspace((unsigned char)text[0]) && end == text + len;
}

static bool parse_double_terminated(const char *text, size_t len, double *value) {
	char *end;

	errno = 0;
	double v = strtod(text, &end);
	if (!parsed_whole(text, len, end) || isnan(v)) return false;
	/* A subnormal result sets ERANGE as well, but it is a fine number. */
	if (errno == ERANGE && (v == 0 || isinf(v))) return false;
	*value = v;
	return true;
}

bool number_parse_double(struct slice text, double *value) {
	char local[NUMBER_HUMAN_MAX_CHARS];

	if (text.len == 0) return false;
	if (text.len < sizeof(local)) {
		memcpy(local, text.ptr, text.len);
		local[text.len] = '\0';
		return parse_double_terminated(local, text.len, value);
	}
	char *copy = mem_try_alloc(text.len + 1);
	if (!copy) return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	bool ok = parse_double_terminated(copy, text.len, value);
	mem_free(copy);
	return ok;
}

bool number_parse_long_double(struct slice text, long double *value) {
	char local[NUMBER_HUMAN_MAX_CHARS];
	char *end;

	/* Redis refuses a longer one, too: no result of ours is as long. */
	if (text.len == 0 || text.len >= sizeof(local)) return false;
	memcpy(local, text.ptr, text.len);
	local[text.len] = '\0';
	errno = 0;
	long double v = strtold(local, &end);
	if (!parsed_whole(local, text.len, end) || isnan(v)) return false;
	if (errno == ERANGE && (v == 0 || isinf(v))) return false;
	*value = v;
	return true;
}

/* ---- Floating point, writing ---- */

/* A positive number as digits * 10^exponent, without trailing zeros. */
struct decimal {
	char digits[NUMBER_DOUBLE_MAX_CHARS];
	int count;
	int exponent;
};

static const double powers_of_ten[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
	1e15, 1e16, 1e17 };

/* Most numbers that people store have few decimals. m / 10^k with m below 2^53 and k below 23 is exact up to one
 * rounding, the same that reading "m e-k" makes; so when it gives `value`, those digits read back as `value`, and with at
 * most 15 of them no shorter ones do. Tried from small k on. */
static bool decimal_from_short(double value, struct decimal *d) {
	for (int k = 0; k < (int)(sizeof(powers_of_ten) / sizeof(powers_of_ten[0])); k++) {
		double scaled = value * powers_of_ten[k];
		if (scaled >= 1e15) return false;
		double rounded = nearbyint(scaled);
		if (rounded / powers_of_ten[k] != value) continue;
		d->count = (int)number_format_u64(d->digits, (uint64_t)rounded);
		d->exponent = -k;
		return true;
	}
	return false;
}

static bool decimal_try_precision(double value, int precision, struct decimal *d) {
	char text[NUMBER_DOUBLE_MAX_CHARS];

	/* "d.ddde±xx": the point is missing when there is one digit only. */
	snprintf(text, sizeof(text), "%.*e", precision - 1, value);
	if (precision < DBL_DECIMAL_DIG && strtod(text, NULL) != value) return false;
	d->digits[0] = text[0];
	if (precision > 1) memcpy(d->digits + 1, text + 2, (size_t)precision - 1);
	d->count = precision;
	const char *e = strchr(text, 'e');
	d->exponent = (int)strtol(e + 1, NULL, 10) - (precision - 1);
	return true;
}

static void decimal_from_double(double value, struct decimal *d) {
	if (!decimal_from_short(value, d)) {
		/* In the normal range whatever has 15 digits or fewer shows at 15; below it, precision is lost bit by
		 * bit and fewer digits may do ("5e-324"). */
		int precision = value < DBL_MIN ? 1 : DBL_DIG;
		while (!decimal_try_precision(value, precision, d)) precision++;
	}
	while (d->count > 1 && d->digits[d->count - 1] == '0') {
		d->count--;
		d->exponent++;
	}
}

static char *append_zeros(char *p, int count) {
	memset(p, '0', (size_t)count);
	return p + count;
}

static char *append_digits(char *p, const char *digits, int count) {
	memcpy(p, digits, (size_t)count);
	return p + count;
}

static char *append_point_notation(char *p, const struct decimal *d) {
	int whole = d->count + d->exponent; /* digits before the point */

	if (whole <= 0) {
		*p++ = '0';
		*p++ = '.';
		p = append_zeros(p, -whole);
		return append_digits(p, d->digits, d->count);
	}
	p = append_digits(p, d->digits, whole);
	*p++ = '.';
	return append_digits(p, d->digits + whole, d->count - whole);
}

static char *append_exponent_notation(char *p, const struct decimal *d, int exponent) {
	*p++ = d->digits[0];
	if (d->count > 1) {
		*p++ = '.';
		p = append_digits(p, d->digits + 1, d->count - 1);
	}
	*p++ = 'e';
	*p++ = exponent < 0 ? '-' : '+';
	return p + number_format_u64(p, (uint64_t)abs(exponent));
}

static size_t format_constant(char *out, const char *text) {
	size_t len = strlen(text);

	memcpy(out, text, len + 1);
	return len;
}

size_t number_format_double(char *out, double value) {
	if (isnan(value)) return format_constant(out, "nan");
	if (isinf(value)) return format_constant(out, value > 0 ? "inf" : "-inf");
	if (value == 0) return format_constant(out, signbit(value) ? "-0" : "0");
	/* Up to here Redis prints integers in full. */
	if (fabs(value) <= 0x1p62 && value == trunc(value)) return number_format_i64(out, (int64_t)value);

	struct decimal d;
	char *p = out;
	if (value < 0) *p++ = '-';
	decimal_from_double(fabs(value), &d);
	/* The notation of Redis since 7.2: numbers near one with a point, far ones with an exponent. */
	int exponent = d.exponent + d.count - 1;
	if (d.exponent >= 0 && abs(exponent) < d.count + 7) {
		p = append_digits(p, d.digits, d.count);
		p = append_zeros(p, d.exponent);
	} else if (d.exponent < 0 && (d.exponent > -7 || abs(exponent) < 4)) {
		p = append_point_notation(p, &d);
	} else {
		p = append_exponent_notation(p, &d, exponent);
	}
	*p = '\0';
	return (size_t)(p - out);
}

size_t number_format_human(char *out, long double value) {
	if (isnan(value)) return format_constant(out, "nan");
	if (isinf(value)) return format_constant(out, value > 0 ? "inf" : "-inf");

	int len = snprintf(out, NUMBER_HUMAN_MAX_CHARS, "%.17Lf", value);
	while (out[len - 1] == '0') len--;
	if (out[len - 1] == '.') len--;
	out[len] = '\0';
	/* What rounds to nothing has no sign. */
	if (strcmp(out, "-0") == 0) return format_constant(out, "0");
	return (size_t)len;
}

/* ---- Memory amounts ---- */

bool number_parse_memory(struct slice text, uint64_t *bytes) {
	static const struct {
		const char *name;
		uint64_t factor;
	} units[] = {
		{ "", 1 },
		{ "b", 1 },
		{ "k", 1000 },
		{ "kb", 1024 },
		{ "m", 1000000 },
		{ "mb", 1 << 20 },
		{ "g", 1000000000 },
		{ "gb", 1 << 30 },
	};
	size_t digits = 0;
	uint64_t amount = 0;

	for (; digits < text.len; digits++) {
		unsigned digit = (unsigned char)text.ptr[digits] - '0';
		if (digit > 9) break;
		if (__builtin_mul_overflow(amount, 10, &amount)) return false;
		if (__builtin_add_overflow(amount, digit, &amount)) return false;
	}
	if (digits == 0) return false;
	struct slice unit = slice_of(text.ptr + digits, text.len - digits);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!slice_is(unit, units[i].name)) continue;
		if (__builtin_mul_overflow(amount, units[i].factor, &amount)) return false;
		*bytes = amount;
		return true;
	}
	return false;
}
