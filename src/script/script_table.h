/* script_table: the scripts of EVAL that the server knows, by the SHA-1 of their text.
 *
 * A script is made once and never changes, but for what is atomic. Who holds one has a reference: the table, and the caches
 * of the workers, which keep a retired script until they notice. Scripts that EVAL has brought are remembered for a while:
 * beyond SCRIPT_EVAL_MAX of them the one that was not used for the longest time goes. Those of SCRIPT LOAD stay until
 * SCRIPT FLUSH. Any thread may call; a lock of its own. */
#ifndef TARN_SCRIPT_SCRIPT_TABLE_H
#define TARN_SCRIPT_SCRIPT_TABLE_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "base/lock.h"
#include "base/sha1.h"
#include "containers/table.h"

enum {
	SCRIPT_EVAL_MAX = 500,
	/* How much the epoch grows with a flush. A script that is evicted adds one: that is no reason for every worker to look
	 * through its cache, many of them are. */
	SCRIPT_EPOCH_FLUSH = 64,
};

struct script {
	char sha[SHA1_HEX_CHARS + 1];
	bool has_flags;           /* it begins with "#!lua"; constant */
	bool _stays;              /* SCRIPT LOAD; under the lock */
	uint32_t flags;           /* enum function_flags; constant */
	_Atomic bool retired;     /* the table has it no more */
	_Atomic bool needs_world; /* as a run has found out: a hint */
	_Atomic uint32_t _references;
	_Atomic int64_t used_ms; /* wall time of a use, about */
	struct slice source;     /* behind this struct */
};

struct script_table {
	struct lock _lock;
	struct table _scripts;
	size_t _bytes;             /* of all scripts */
	size_t _passing;           /* how many do not stay */
	_Atomic uint64_t epoch;    /* grows when scripts have been retired: read by caches, relaxed */
	_Atomic uint64_t _evicted; /* since the start */
};

/* The script of that hash, 40 lower-case digits, with a reference for the caller. NULL: there is none. */
struct script *script_table_find(struct script_table *t, const char *sha);

/* A script of its own, the reference to it the caller's. The flags are those of its first line. The text is copied. */
struct script *script_new(const char *sha, struct slice source, bool has_flags, uint32_t flags, int64_t now_ms);

/* Adds it, with a reference of the table's. If another worker was faster with the same text, this one is retired. */
void script_table_add(struct script_table *t, struct script *script, bool stays);

/* The script is to stay from here on. */
void script_table_let_stay(struct script_table *t, struct script *script);

bool script_table_has(struct script_table *t, const char *sha);
void script_table_flush(struct script_table *t);
void script_table_release(struct script_table *t);

void script_release(struct script *script);

struct script_table_figures {
	size_t scripts, bytes;
	uint64_t evicted;
};
void script_table_figures(struct script_table *t, struct script_table_figures *figures);

#endif
