/* One command on its way: what a handler gets.
 *
 * A handler reads its arguments, acts on the store through the view, and writes exactly one reply. It does not know
 * sockets, RESP versions or threads; it does not lock; it runs under the gate that its declaration names and may touch
 * the keys that its key specs name, nothing else. It keeps no pointer into arguments, store or reply. */
#ifndef TARN_SERVER_CALL_H
#define TARN_SERVER_CALL_H

#include "base/bytes.h"
#include "base/number.h"
#include "resp/errors.h"
#include "resp/reply.h"
#include "store/store.h"

struct command; /* server/command.h: the declaration, generated */
struct client;  /* server/client.h: for connection and server commands only */
struct worker;
struct batch_item;

enum { CALL_INLINE_KEYS = 16 };

struct call {
	const struct command *command;
	unsigned argc;
	const struct slice *argv; /* [0] is the command's name as the client wrote it */
	struct reply *reply;
	struct view *view;
	struct client *client;
	struct worker *worker;
	bool from_script; /* called by a script: it must not block */

	/* Hashes of the key arguments, in the order of the key specs; call_key walks along. Private. */
	unsigned _key_count;
	unsigned _key_next;
	const struct call_key_slot {
		uint64_t hash;
		uint32_t arg;
		uint32_t shard;
	} * _keys;
	const struct batch_item *_item; /* of the worker's batch; NULL: this call is none of it */
};

typedef void command_handler(struct call *c);

/* The key that argument `arg` names, with the hash that the dispatcher computed already. */
struct key call_key(struct call *c, unsigned arg);

/* Argument `arg` of this call and of those right behind it in the client's pipeline that name the same single key: up to
 * `max`, into `args`; how many. 0 when an earlier call of that row was told already. A hint, for a handler that has found a
 * big value and fetches ahead what the row will touch, so that the cache misses overlap; another client's command may come
 * in between. */
unsigned call_row(struct call *c, unsigned arg, struct slice *args, unsigned max);

/* "-ERR unknown subcommand …" and arity errors are the dispatcher's; these are for handlers. */
static inline void call_syntax_error(struct call *c) {
	reply_error(c->reply, ERR_SYNTAX);
}

/* Reads an integer argument; on failure writes ERR_NOT_INTEGER (or `error` when not NULL) and returns false. */
__attribute__((warn_unused_result)) bool call_int(struct call *c, unsigned arg, int64_t *value, const char *error);

/* The same for a number of 32 bits (a database, a count of Redis's int). Out of range the error is
 * "ERR value is out of range, value must between …", or `error` when not NULL. */
__attribute__((warn_unused_result)) bool call_int32(struct call *c, unsigned arg, int64_t *value, const char *error);

/* Whether argument `arg` is the word `text`, in any case. False beyond the last. */
static inline bool call_word(const struct call *c, unsigned arg, const char *text) {
	return arg < c->argc && slice_is(c->argv[arg], text);
}

/* The string under a key for reading: true with *value set (printed to `scratch`, NUMBER_I64_MAX_CHARS + 1 bytes, when it
 * is a number), *value empty with ptr NULL when the key is missing; false, error written, when it holds another type. */
__attribute__((warn_unused_result)) bool call_read_string(
	struct call *c, const struct key *key, struct slice *value, char *scratch);

/* The entry for writing when it is missing or a string: true; false, error written, otherwise. */
__attribute__((warn_unused_result)) bool call_write_string(struct call *c, const struct key *key, struct entry **e);

/* The collection under a key for reading: true with *value set, data NULL when the key is missing; false, error written,
 * when it holds another type. Valid until the key changes. */
__attribute__((warn_unused_result)) bool call_read_value(
	struct call *c, const struct key *key, enum value_type type, struct value *value);

/* The entry for writing when it is missing (NULL) or of that type: true; false, error written, otherwise. For store_open. */
__attribute__((warn_unused_result)) bool call_write_value(
	struct call *c, const struct key *key, enum value_type type, struct entry **e);

/* The same for a command that is as much a read: counts a hit or a miss. */
__attribute__((warn_unused_result)) bool call_read_write_value(
	struct call *c, const struct key *key, enum value_type type, struct entry **e);

/* As call_write_value for the first of `count` keys from argument `first` on that is there: *e is NULL when none is. */
__attribute__((warn_unused_result)) bool call_write_first(
	struct call *c, enum value_type type, unsigned first, unsigned count, struct key *key, struct entry **e);

/* The command's name in lower case, for messages ("invalid expire time in 'set' command"). */
const char *call_name(const struct call *c);

/* The same of any command, its container's in upper case ("CONFIG"), for "Try CONFIG HELP." Valid until the next call on
 * this thread. */
const char *call_upper_name(const struct command *cmd);

/* proto-max-bulk-len, the limit of a string, in bytes. */
uint64_t call_max_string(const struct call *c);

#endif
