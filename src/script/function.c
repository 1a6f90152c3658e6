/* What the server, its workers and INFO have of functions. */
#include "script/function.h"

#include "base/alloc.h"
#include "script/engine.h"
#include "script/function_private.h"
#include "server/server.h"

struct function_server *function__server(struct server *s) {
	struct script_server *engine = engine_server(s);
	if (engine->functions) return engine->functions;
	struct function_server *fs = mem_calloc(sizeof(*fs) + s->worker_count * sizeof(fs->by_worker[0]));
	fs->workers = s->worker_count;
	return engine->functions = fs;
}

void function_server_release(struct function_server *fs) {
	if (!fs) return;
	library_set_release(&fs->libraries);
	mem_free(fs);
}

const struct library_set *function__libraries(const struct worker *w) {
	static const struct library_set none;
	const struct function_server *fs = engine_server(w->server)->functions;
	return fs ? &fs->libraries : &none;
}

/* There is a function to be called, so there is a set. */
static struct function_worker *make_worker(struct worker *w, struct reply *r) {
	struct function_worker *fw = function_worker_new(w->index);
	if (!fw) {
		reply_error(r, "ERR not enough memory for an interpreter");
		return NULL;
	}
	/* Pairs with the acquire in function_figures. */
	_Atomic(struct function_worker *) *known = &engine_server(w->server)->functions->by_worker[w->index];
	atomic_store_explicit(known, fw, memory_order_release);
	return engine_worker(w)->functions = fw;
}

struct function_worker *function__worker(struct worker *w, struct reply *r) {
	uint64_t epoch = function__libraries(w)->epoch;
	struct function_worker *fw = engine_worker(w)->functions;
	if (__builtin_expect(!fw, 0)) fw = make_worker(w, r);
	if (fw && __builtin_expect(fw->epoch != epoch, 0)) function_worker_tidy(fw, epoch);
	return fw;
}

void function_figures(const struct function_server *fs, struct function_figures *figures) {
	*figures = (struct function_figures){ 0 };
	if (!fs) return;
	figures->libraries = fs->libraries.count;
	figures->functions = library_set_functions(&fs->libraries);
	figures->set_bytes = fs->libraries.memory;
	for (unsigned i = 0; i < fs->workers; i++) {
		const struct function_worker *fw = atomic_load_explicit(&fs->by_worker[i], memory_order_acquire);
		if (fw) figures->vm_bytes += interp_memory(fw->interp);
	}
}
