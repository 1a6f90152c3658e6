/* Readers of arguments that several commands share: expiry options, cursors, popping, bit offsets.
 *
 * A reader that fails has written the error reply; the handler returns. */
#ifndef TARN_COMMANDS_ARGS_H
#define TARN_COMMANDS_ARGS_H

#include "server/call.h"

/* The answer when a value of the client's size cannot be had. Redis ends there; we go on. */
#define ERR_NO_MEMORY "ERR not enough memory for a value of this size"

/* ---- A point in time ---- */

enum expiry_unit {
	EXPIRY_SECONDS,    /* EX, EXPIRE: from now */
	EXPIRY_MS,         /* PX, PEXPIRE */
	EXPIRY_SECONDS_AT, /* EXAT, EXPIREAT: since 1970 */
	EXPIRY_MS_AT,      /* PXAT, PEXPIREAT */
};

enum expiry_past {
	EXPIRY_REFUSE_PAST, /* the number must be above zero (SET, GETEX, SETEX) */
	EXPIRY_ALLOW_PAST,  /* any number (the EXPIRE family); the result may be negative */
};

/* Reads argument `arg` as a time in `unit`; *at_ms becomes milliseconds since 1970. Errors: "value is not an integer or out
 * of range", "invalid expire time in '…' command" also when the sum overflows. */
__attribute__((warn_unused_result)) bool args_expiry_time(
	struct call *c, unsigned arg, enum expiry_unit unit, enum expiry_past past, int64_t *at_ms);

/* ---- EX | PX | EXAT | PXAT <time> | KEEPTTL | PERSIST among a command's options ---- */

enum expiry_kind {
	EXPIRY_OPTION_NONE,
	EXPIRY_OPTION_TIME,
	EXPIRY_OPTION_KEEPTTL,
	EXPIRY_OPTION_PERSIST,
};

struct expiry_option {
	enum expiry_kind kind;
	enum expiry_unit unit; /* with EXPIRY_OPTION_TIME */
	unsigned arg;          /* where the time stands */
};

/* Which words beside the four times a command knows. */
enum expiry_words { EXPIRY_TAKES_KEEPTTL = 1 << 0, EXPIRY_TAKES_PERSIST = 1 << 1 };

/* Takes the option at *arg when it is one of these; *arg moves behind what was taken. As in Redis the same word may come
 * again and the last one counts, while two different ones exclude each other. False, nothing written, when there is
 * another word, a conflict, or no time: all of them syntax errors unless the command knows the word. */
__attribute__((warn_unused_result)) bool args_expiry_option(
	const struct call *c, unsigned *arg, unsigned words, struct expiry_option *option);

/* The option as store_put_string wants it: a time, EXPIRY_KEEP, or EXPIRY_NONE. */
__attribute__((warn_unused_result)) bool args_expiry_value(
	struct call *c, const struct expiry_option *option, int64_t *expiry_ms);

/* Whether a key that is to expire at `at_ms` is to go at once. A replica leaves that to its master. */
static inline bool args_expiry_is_past(const struct call *c, int64_t at_ms) {
	return at_ms <= c->view->now_ms && !(c->view->flags & VIEW_KEEP_EXPIRED);
}

/* ---- SSCAN, HSCAN, ZSCAN ---- */

struct scan_options {
	struct slice pattern; /* ptr NULL: none */
	size_t count;         /* about so many elements per call */
	bool no_values;
};

/* Which words beside MATCH and COUNT a command knows. */
enum scan_words { SCAN_TAKES_NOVALUES = 1 << 0 };

/* Reads argument `arg` as a cursor: any unsigned 64-bit number, spelled as loosely as Redis 8 takes it ("+1", " 01", " -1", but
 * not "-1"). Comes before the look at the key. */
__attribute__((warn_unused_result)) bool args_cursor(struct call *c, unsigned arg, uint64_t *cursor);

/* Reads the options from argument `arg` on. Comes behind the look at the key: they are not read for a missing one. */
__attribute__((warn_unused_result)) bool args_scan_options(
	struct call *c, unsigned arg, unsigned words, struct scan_options *options);

/* Whether an element (a field, a member) is wanted. */
bool args_scan_wants(const struct scan_options *options, struct slice element);

/* The reply's head: the array of two and the next cursor. The array of elements follows. */
void args_scan_reply(struct call *c, uint64_t cursor);

/* ---- LMPOP, ZMPOP and their blocking forms: numkeys key … <first | second> [COUNT count] ---- */

struct pop_options {
	unsigned keys; /* they stand behind numkeys */
	bool second;   /* the second of the two words was said: RIGHT, MAX */
	size_t count;
};

/* Reads them from numkeys at `arg` on, to the end. Comes before the look at any key. */
__attribute__((warn_unused_result)) bool args_pop_options(
	struct call *c, unsigned arg, const char *first, const char *second, struct pop_options *options);

/* ---- Bits ---- */

/* Reads argument `arg` as the offset of a bit, below the limit that proto-max-bulk-len sets. With `width` above 0 also
 * "#n", the n-th integer of that many bits. */
__attribute__((warn_unused_result)) bool args_bit_offset(
	struct call *c, unsigned arg, unsigned width, uint64_t *offset);

#endif
