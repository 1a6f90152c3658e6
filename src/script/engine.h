/* engine: what a worker and the server keep for scripts (worker.engine, server.engine_state), from the first script to the
 * end. */
#ifndef TARN_SCRIPT_ENGINE_H
#define TARN_SCRIPT_ENGINE_H

#include "script/interp.h"
#include "script/script_cache.h"
#include "script/script_table.h"
#include "server/scripting.h"

struct function_worker;
struct function_server;

struct script_worker {
	struct interp *eval;               /* runs EVAL; NULL: not made yet. Others read it for its memory */
	struct script_cache cache;         /* the functions in it */
	struct function_worker *functions; /* script/function.c's; NULL: not made yet */
};

struct script_server {
	struct script_table scripts;
	struct function_server *functions; /* script/function.c's; NULL: not made yet; changed under the world */
};

/* Made when they are not there yet. The worker's own thread; any worker. */
struct script_worker *engine_worker(struct worker *w);
struct script_server *engine_server(struct server *s);
/* The worker's interpreter for EVAL, made when it is not there yet. */
struct interp *engine_eval(struct worker *w);

/* What main hands to the server. */
extern const struct script_engine script_engine;

#endif
