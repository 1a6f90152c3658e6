/* Numbers as the protocol writes and reads them.
 *
 * The parsers are strict: the whole slice is the number, in its canonical form, or they refuse. They accept what
 * Redis accepts, no more ("+1", " 1", "01", "-0" are not integers). */
#ifndef TARN_BASE_NUMBER_H
#define TARN_BASE_NUMBER_H

#include "base/bytes.h"

enum {
	NUMBER_I64_MAX_CHARS = 20,         /* "-9223372036854775808" */
	NUMBER_DOUBLE_MAX_CHARS = 40,      /* 17 significant digits and an exponent */
	NUMBER_HUMAN_MAX_CHARS = 5 * 1024, /* a long double printed with %.17Lf: up to 4933 digits before the point */
};

/* Writes `value` in decimal to `out` (at least NUMBER_I64_MAX_CHARS + 1 bytes), terminates it, returns its length. */
size_t number_format_i64(char *out, int64_t value);
size_t number_format_u64(char *out, uint64_t value);

/* True and *value set when `text` is a canonical decimal integer in range; otherwise false, *value untouched. */
bool number_parse_i64(struct slice text, int64_t *value);
bool number_parse_u64(struct slice text, uint64_t *value);

/* A double or long double as commands take them ("3.0e3", "inf", "-Infinity", hexadecimal too as strtod does);
 * refuses nan, leading or trailing blanks, the empty string and out-of-range values. */
bool number_parse_double(struct slice text, double *value);
bool number_parse_long_double(struct slice text, long double *value);

/* A double as RESP replies print it (ZSCORE, RESP3 ","): shortest digits that read back the same, "inf", "-inf",
 * "nan"; integers without a point or exponent as Redis prints them. At least NUMBER_DOUBLE_MAX_CHARS bytes. */
size_t number_format_double(char *out, double value);

/* A long double as INCRBYFLOAT stores it: %.17Lf without trailing zeros and without a bare point.
 * At least NUMBER_HUMAN_MAX_CHARS bytes. */
size_t number_format_human(char *out, long double value);

/* A memory amount as settings write it ("100", "1k", "1kb", "5mb", "1gb", "10b"; k=1000, kb=1024), case ignored. */
bool number_parse_memory(struct slice text, uint64_t *bytes);

#endif
