/* function_code: the code of libraries in an interpreter.
 *
 * While a library's code runs, its globals are few: `redis` with register_function, log, and constants. When its functions
 * run later, they are all that scripts have. The functions keep the environment that they were made in, so it is one table
 * for both, whose metatable is exchanged:
 *
 *     functions ──▶ environment (empty) ── __index while loading ──▶ { redis = { register_function, log, … } }
 *                                       └─ __index else ───────────▶ _G of scripts
 *
 * Names of an interp that is made here are used by nobody else. */
#ifndef TARN_SCRIPT_FUNCTION_CODE_H
#define TARN_SCRIPT_FUNCTION_CODE_H

#include "script/function.h"
#include "script/function_header.h"
#include "script/function_library.h"
#include "script/interp.h"

enum { FUNCTION_LOAD_MS = 500 }; /* that the code of a new library may run */

/* An interp for libraries; released with interp_free. NULL, the reason as interp_protect gives it appended, without
 * memory. */
__attribute__((warn_unused_result)) struct interp *function_interp_new(uint32_t seed, struct buffer *error);

/* Runs the code, whose first line is `header`, in an interp of function_interp_new, and finds out what it registers. A
 * library that is not sealed; NULL, what is wrong (without "ERR ") appended. Nothing is kept in the interp. */
__attribute__((warn_unused_result)) struct library *function_probe(
	struct interp *in, const struct function_header *header, struct slice code, struct buffer *error);

/* ---- A worker's ---- */

struct function_worker {
	struct interp *interp;
	unsigned index;             /* of the worker */
	uint64_t epoch;             /* of the set, when it was last looked for libraries that are gone */
	struct library **libraries; /* those whose code is loaded; held */
	unsigned count, _cap;
};

/* NULL: without memory. */
__attribute__((warn_unused_result)) struct function_worker *function_worker_new(unsigned index);

/* Drops the code of libraries that are gone. Between runs. */
void function_worker_tidy(struct function_worker *fw, uint64_t epoch);

/* Pushes the function, loading the code of its library when it is not there yet. False, what is wrong appended, nothing
 * pushed, when that cannot be done (memory). Between runs. */
__attribute__((warn_unused_result)) bool function_push(
	struct function_worker *fw, const struct function *f, struct buffer *error);

#endif
