/* What is declared about a command, and how it is looked up.
 *
 * The declarations are data files beside the handlers (src/commands/<group>.toml); a generator makes the table from them at
 * build time (src/commands/generate.py). The server gets the table handed in by main and never changes it. */
#ifndef TARN_SERVER_COMMAND_H
#define TARN_SERVER_COMMAND_H

#include "base/bytes.h"
#include "server/call.h"

/* What a command holds while it runs. See docs/architecture.md, "The gate". */
enum command_gate {
	GATE_NONE, /* touches no keyspace */
	GATE_KEYS, /* the shards of its keys */
	GATE_WALK, /* nothing, but it takes shards or the world itself, piece by piece, through store.h: so a transaction with
	               such a command has the world for it */
	GATE_WORLD,  /* every worker held at a command boundary */
	GATE_SCRIPT, /* the shards of its keys, and what it asks for while it runs: see scripting.h */
};

/* Flags as COMMAND INFO names them (CMD_WRITE is "write"). The generator keeps the order of names in step. */
enum command_flags {
	CMD_WRITE = 1 << 0,
	CMD_READONLY = 1 << 1,
	CMD_DENYOOM = 1 << 2,
	CMD_ADMIN = 1 << 3,
	CMD_PUBSUB = 1 << 4,
	CMD_NOSCRIPT = 1 << 5,
	CMD_BLOCKING = 1 << 6,
	CMD_LOADING = 1 << 7,
	CMD_STALE = 1 << 8,
	CMD_SKIP_MONITOR = 1 << 9,
	CMD_SKIP_SLOWLOG = 1 << 10,
	CMD_ASKING = 1 << 11,
	CMD_FAST = 1 << 12,
	CMD_NO_AUTH = 1 << 13,
	CMD_NO_ASYNC_LOADING = 1 << 14,
	CMD_NO_MULTI = 1 << 15,
	CMD_ALLOW_BUSY = 1 << 16,
	CMD_NO_MANDATORY_KEYS = 1 << 17,
	CMD_MOVABLEKEYS = 1 << 18,
	CMD_MAY_REPLICATE = 1 << 19,   /* waits for CLIENT PAUSE … WRITE as if it wrote; not shown */
	CMD_PROTECTED = 1 << 20,       /* behind an enable-… setting; not shown */
	CMD_IN_MULTI = 1 << 21,        /* runs at once inside MULTI instead of being queued; not shown */
	CMD_IN_SUBSCRIPTION = 1 << 22, /* also for a subscriber in RESP2; not shown */
	CMD_CONTAINER = 1 << 23,       /* has subcommands; not shown */
};

/* Key specifications as COMMAND INFO shows them: where the keys begin and how they go on. */
enum key_begin { KEY_BEGIN_INDEX, KEY_BEGIN_KEYWORD, KEY_BEGIN_UNKNOWN };
enum key_find { KEY_FIND_RANGE, KEY_FIND_KEYNUM, KEY_FIND_UNKNOWN };
enum key_spec_flags {
	KEY_RO = 1 << 0,
	KEY_RW = 1 << 1,
	KEY_OW = 1 << 2,
	KEY_RM = 1 << 3,
	KEY_ACCESS = 1 << 4,
	KEY_UPDATE = 1 << 5,
	KEY_INSERT = 1 << 6,
	KEY_DELETE = 1 << 7,
	KEY_NOT_KEY = 1 << 8,
	KEY_INCOMPLETE = 1 << 9,
	KEY_VARIABLE_FLAGS = 1 << 10,
};

struct key_spec {
	uint32_t flags; /* enum key_spec_flags */
	enum key_begin begin;
	int begin_index;           /* INDEX: the position; KEYWORD: where the search starts (negative: from the end) */
	const char *begin_keyword; /* KEYWORD */
	enum key_find find;
	int last, step, limit;       /* RANGE: last key relative to the first (negative: from the end), step, limit */
	int keynum_index, first_key; /* KEYNUM: relative to the beginning; `step` applies */
	const char *notes;
	/* KEY_VARIABLE_FLAGS: `flags` hold when one of these words stands among the arguments from words_from on, otherwise
	 * flags_without do. NULL for all others. */
	const char *const *words;
	int words_from;
	uint32_t flags_without;
	bool shown_unknown; /* COMMAND INFO says that only the command itself can tell the place, as Redis does (SORT) */
};

struct command_docs; /* server/command_docs.h: what COMMAND DOCS answers */

struct command {
	const char *name;         /* lower case: "get"; of a subcommand its own word: "setname" */
	const char *full_name;    /* "get", "client|setname" */
	command_handler *handler; /* NULL for a pure container */
	int arity;                /* as Redis counts: with the name; negative: at least */
	uint32_t flags;           /* enum command_flags */
	uint32_t categories;      /* bit i: command_category_names[i] */
	enum command_gate gate;
	uint16_t id; /* dense, unique over commands and subcommands: indexes the workers' statistics */
	uint8_t key_spec_count;
	int8_t only_key; /* argument index when the command has exactly one key at a fixed place, else 0 */
	const struct key_spec *key_specs;
	const struct command *subcommands; /* sorted by name */
	uint16_t subcommand_count;
	const struct command *parent; /* of a subcommand */
	const struct command_docs *docs;
	/* With one of these words among the arguments from 2 on, the command runs under the world instead of its own gate: it
	 * then reaches keys that it does not name (SORT … BY), or other clients (CLIENT TRACKING … REDIRECT). NULL for most. */
	const char *const *world_words;
};

struct command_table {
	const struct command *commands; /* sorted by name */
	size_t count;
	size_t id_count; /* one more than the highest id */
	/* Finds a top-level command in any case; NULL when there is none. A perfect hash, generated. */
	const struct command *(*lookup)(struct slice name);
};

extern const char *const command_flag_names[];     /* by bit, NULL ends */
extern const char *const command_category_names[]; /* "keyspace", "read", … NULL ends */
extern const char *const key_spec_flag_names[];

/* The gate under which the command runs with these arguments. */
enum command_gate command_gate_for(const struct command *cmd, unsigned argc, const struct slice *argv);

/* Whether it may have that many arguments, its name (and its container's) included. */
static inline bool command_arity_fits(const struct command *cmd, unsigned argc) {
	return cmd->arity >= 0 ? (int)argc == cmd->arity : (int)argc >= -cmd->arity;
}

const struct command *command_find_subcommand(const struct command *container, struct slice name);

/* The positions of the key arguments, in the order of the key specs. Calls `found` for each. False when the arguments
 * do not fit the specs (a numkeys that is no number, 0 where there must be keys, or larger than what follows); some keys may have been found by
 * then. Keys of NOT_KEY specs are left out; `spec_flags` are those that hold for these arguments, never
 * KEY_VARIABLE_FLAGS. */
typedef void command_key_fn(void *context, unsigned arg, uint32_t spec_flags);
bool command_each_key(
	const struct command *cmd, unsigned argc, const struct slice *argv, command_key_fn *found, void *context);

/* The generated table. Declared here for main, which hands it down. */
extern const struct command_table tarn_commands;

#endif
