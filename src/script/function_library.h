/* function_library: libraries of functions as data: names, code, flags. What the interpreter makes of them is
 * function_code.h's.
 *
 * A *library* is made once and never changes: FUNCTION LOAD REPLACE puts another into its place. Who holds one has a
 * reference; workers keep those whose code they have loaded, so that a library that is gone can be told from a new one
 * of the same name.
 *
 * A *set* of libraries is what FUNCTION LIST shows. There is one of the server's, changed under the world and so read
 * inside without a lock; FUNCTION RESTORE builds another one and brings it in as a whole. No two functions of a set have
 * the same name, letters compared without case; libraries' names are told apart with case. */
#ifndef TARN_SCRIPT_FUNCTION_LIBRARY_H
#define TARN_SCRIPT_FUNCTION_LIBRARY_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "containers/table.h"

enum function_flags {
	FUNCTION_NO_WRITES = 1 << 0,
	FUNCTION_ALLOW_OOM = 1 << 1,
	FUNCTION_ALLOW_STALE = 1 << 2,
	FUNCTION_NO_CLUSTER = 1 << 3,
	FUNCTION_ALLOW_CROSS_SLOT_KEYS = 1 << 4,
};
extern const char *const function_flag_names[]; /* by bit, NULL ends */

struct library;

struct function {
	struct library *library;
	unsigned index; /* within it, in the order of registration */
	uint32_t flags; /* enum function_flags */
	struct slice name;
	struct slice description; /* ptr NULL: none */
	_Atomic bool needs_world; /* it has asked for the world; relaxed */
};

struct library {
	_Atomic uint32_t _references;
	bool retired;      /* of no set any more; world */
	bool leaves_alone; /* chunk_leaves_alone holds for its code */
	struct slice name;
	struct slice code; /* with its first line */
	struct function **functions;
	unsigned count, _cap;
	struct table _by_name; /* of struct function */
	/* What worker w knows function f by: handles[w * count + f], see function_code.h. A worker's row is its own. NULL until
	 * library_seal. */
	int *handles;
	unsigned _workers;
};

/* A library without functions, the reference to it the caller's. The bytes are copied. NULL without memory for the code. */
__attribute__((warn_unused_result)) struct library *library_new(struct slice name, struct slice code);
/* Adds a function. False when it has one of that name. */
__attribute__((warn_unused_result)) bool library_add(
	struct library *lib, struct slice name, struct slice description, uint32_t flags);
struct function *library_function(const struct library *lib, struct slice name); /* NULL: none */
/* No function comes any more: makes room for the handles, `none` each. */
void library_seal(struct library *lib, unsigned workers, int none);

void library_hold(struct library *lib);
void library_release(struct library *lib);
size_t library_memory(const struct library *lib); /* bytes */

struct library_set {
	struct library **libraries; /* by name; each held */
	unsigned count, _cap;
	struct table _functions; /* of struct function, by name */
	size_t memory;           /* bytes */
	uint64_t epoch;          /* grows when a library goes */
};

/* Looks a function up, in any case. NULL: there is none. */
struct function *library_set_function(const struct library_set *set, struct slice name);
struct library *library_set_find(const struct library_set *set, struct slice name);
static inline size_t library_set_functions(const struct library_set *set) {
	return table_count(&set->_functions);
}

/* A function of `lib` whose name a library of the set other than `replaced` (NULL: none) has taken; NULL: there is none. */
const struct function *library_set_clash(
	const struct library_set *set, const struct library *lib, const struct library *replaced);

/* Takes over the caller's reference. The set has no library of that name, and no clash. */
void library_set_add(struct library_set *set, struct library *lib);
void library_set_remove(struct library_set *set, struct library *lib);
void library_set_clear(struct library_set *set);
void library_set_release(struct library_set *set);

/* Walks everything; a text that says what is broken, or NULL. */
const char *library_set_check(const struct library_set *set);

/* What FUNCTION RESTORE does with libraries of the same name. */
enum library_merge { LIBRARY_APPEND, LIBRARY_REPLACE, LIBRARY_FLUSH };
/* Moves all of `from` to `set`, or changes nothing: then the library that is there already is in *old (APPEND only), or the
 * function whose name is taken in *clash. */
__attribute__((warn_unused_result)) bool library_set_merge(struct library_set *set, struct library_set *from,
	enum library_merge how, const struct library **old, const struct function **clash);

#endif
