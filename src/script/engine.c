#include "script/engine.h"

#include "base/alloc.h"
#include "script/function.h"
#include "server/server.h"

struct script_worker *engine_worker(struct worker *w) {
	if (!w->engine) {
		struct script_worker *sw = mem_calloc(sizeof(*sw));
		/* Others ask for memory through it; the release pairs with the acquire in worker_memory. */
		__atomic_store_n(&w->engine, sw, __ATOMIC_RELEASE);
	}
	return w->engine;
}

struct script_server *engine_server(struct server *s) {
	/* Acquire pairs with the exchange below, so that who finds it finds it whole. */
	void *known = atomic_load_explicit(&s->engine_state, memory_order_acquire);
	if (known) return known;
	struct script_server *new = mem_calloc(sizeof(*new));
	if (atomic_compare_exchange_strong_explicit(
		    &s->engine_state, &known, new, memory_order_acq_rel, memory_order_acquire))
		return new;
	mem_free(new);
	return known;
}

struct interp *engine_eval(struct worker *w) {
	struct script_worker *sw = engine_worker(w);
	if (!sw->eval) __atomic_store_n(&sw->eval, interp_new(w->index), __ATOMIC_RELEASE);
	return sw->eval;
}

static void release_worker(struct worker *w) {
	struct script_worker *sw = w->engine;
	if (!sw) return;
	w->engine = NULL;
	function_release_worker(sw->functions);
	script_cache_release(&sw->cache);
	interp_free(sw->eval);
	mem_free(sw);
}

static void release_server(struct server *s) {
	struct script_server *ss = atomic_load_explicit(&s->engine_state, memory_order_relaxed);
	if (!ss) return;
	atomic_store_explicit(&s->engine_state, NULL, memory_order_relaxed);
	function_server_release(ss->functions);
	script_table_release(&ss->scripts);
	mem_free(ss);
}

static size_t worker_memory(const struct worker *w) {
	const struct script_worker *sw = __atomic_load_n((struct script_worker *const *)&w->engine, __ATOMIC_ACQUIRE);
	const struct interp *in = sw ? __atomic_load_n(&sw->eval, __ATOMIC_ACQUIRE) : NULL;
	return in ? interp_memory(in) : 0;
}

static size_t eval_memory(const struct server *s) {
	size_t bytes = 0;
	for (unsigned i = 0; i < s->worker_count; i++) bytes += worker_memory(&s->workers[i]);
	return bytes;
}

static void figures(struct server *s, struct script_figures *f) {
	*f = (struct script_figures){ .eval_vm_bytes = (int64_t)eval_memory(s) };
	struct script_server *ss = atomic_load_explicit(&s->engine_state, memory_order_acquire);
	if (ss) {
		struct script_table_figures scripts;
		struct function_figures functions = { 0 };
		script_table_figures(&ss->scripts, &scripts);
		function_figures(ss->functions, &functions);
		f->scripts = (int64_t)scripts.scripts;
		f->script_bytes = (int64_t)scripts.bytes;
		f->evicted = (int64_t)scripts.evicted;
		f->libraries = (int64_t)functions.libraries;
		f->functions = (int64_t)functions.functions;
		f->library_bytes = (int64_t)functions.set_bytes;
		f->function_vm_bytes = (int64_t)functions.vm_bytes;
	}
	f->vm_bytes = f->eval_vm_bytes + f->function_vm_bytes;
	f->text_bytes = f->script_bytes + f->library_bytes;
}

static size_t memory(const struct server *s) {
	struct script_server *ss = atomic_load_explicit(&s->engine_state, memory_order_acquire);
	struct function_figures functions = { 0 };
	if (ss) function_figures(ss->functions, &functions);
	return eval_memory(s) + functions.vm_bytes;
}

const struct script_engine script_engine = {
	.release_worker = release_worker,
	.release = release_server,
	.memory = memory,
	.figures = figures,
};
