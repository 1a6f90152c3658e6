#include "store/reclaim.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "base/alloc.h"

struct job {
	struct job *next;
	reclaim_fn *free_it;
	void *what;
};

/* All under `mutex`. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static struct job *first, **last = &first;
static size_t pending, done;
static bool started;

static void *run(void *unused) {
	(void)unused;
	pthread_setname_np(pthread_self(), "tarn-reclaim");
	pthread_mutex_lock(&mutex);
	for (;;) {
		while (!first) pthread_cond_wait(&work, &mutex);
		struct job *j = first;
		first = j->next;
		if (!first) last = &first;
		pthread_mutex_unlock(&mutex);
		j->free_it(j->what);
		mem_free(j);
		pthread_mutex_lock(&mutex);
		done++;
		if (--pending == 0) pthread_cond_broadcast(&idle);
	}
	return NULL;
}

/* Signals are the main thread's; the helper must not be chosen for them. */
static bool start_locked(void) {
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_t thread;
	bool ok = pthread_create(&thread, NULL, run, NULL) == 0;
	if (ok) pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ok;
}

void reclaim_later(reclaim_fn *free_it, void *what) {
	pthread_mutex_lock(&mutex);
	if (!started) started = start_locked();
	if (!started) {
		pthread_mutex_unlock(&mutex);
		free_it(what);
		return;
	}
	struct job *j = mem_alloc(sizeof(*j));
	*j = (struct job){ NULL, free_it, what };
	*last = j;
	last = &j->next;
	pending++;
	pthread_cond_signal(&work);
	pthread_mutex_unlock(&mutex);
}

size_t reclaim_pending(void) {
	pthread_mutex_lock(&mutex);
	size_t n = pending;
	pthread_mutex_unlock(&mutex);
	return n;
}

size_t reclaim_done(void) {
	pthread_mutex_lock(&mutex);
	size_t n = done;
	pthread_mutex_unlock(&mutex);
	return n;
}

void reclaim_drain(void) {
	pthread_mutex_lock(&mutex);
	while (pending > 0) pthread_cond_wait(&idle, &mutex);
	pthread_mutex_unlock(&mutex);
}
