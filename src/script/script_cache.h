/* script_cache: what a worker has compiled of the server's scripts: the function of each in its interpreter. Finding one
 * costs a look-up in tables of the worker's own. Its thread's alone. */
#ifndef TARN_SCRIPT_SCRIPT_CACHE_H
#define TARN_SCRIPT_SCRIPT_CACHE_H

#include "containers/table.h"
#include "script/script_table.h"

struct interp;

struct cached_script {
	struct script *script; /* held */
	int function;          /* interp_push */
	bool leaves_alone;     /* of interp_job */
};

enum { SCRIPT_CACHE_RECENT = 64 };

/* All zero is a valid empty cache. */
struct script_cache {
	struct table _scripts; /* of struct cached_script, by SHA-1 */
	uint64_t _epoch;       /* of the script table, when it was last looked through */
	/* By the hash of their text: EVAL finds its script without computing the SHA-1. */
	struct cached_script *_recent[SCRIPT_CACHE_RECENT];
};

/* The script of that SHA-1 (40 lower-case digits), or of that text. NULL: the worker has not compiled it, or it is
 * retired. */
struct cached_script *script_cache_find(struct script_cache *cache, const char *sha);
struct cached_script *script_cache_find_text(struct script_cache *cache, struct slice text);

/* Takes over the reference and the function. */
struct cached_script *script_cache_add(
	struct script_cache *cache, struct script *script, int function, bool leaves_alone);

/* Lets go of retired scripts, when there may be some: `epoch` is the script table's. Cheap otherwise. Not during a run. */
void script_cache_tidy(struct script_cache *cache, struct interp *in, uint64_t epoch);

void script_cache_release(struct script_cache *cache); /* the interp is gone, or will be */

#endif
