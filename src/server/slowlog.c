#include "server/slowlog.h"

#include <stdio.h>

#include "base/alloc.h"

/* What is kept of an argument list: long ones are cut, and the last argument kept says by how much. */
static unsigned kept_args(unsigned argc) {
	return argc < SLOWLOG_MAX_ARGS ? argc : SLOWLOG_MAX_ARGS;
}

static char *copy_arg(struct slice *to, char *at, struct slice arg) {
	size_t len = arg.len < SLOWLOG_MAX_ARG_BYTES ? arg.len : SLOWLOG_MAX_ARG_BYTES;
	to->ptr = at;
	if (len) memcpy(at, arg.ptr, len);
	if (arg.len > SLOWLOG_MAX_ARG_BYTES)
		len += (size_t)sprintf(at + len, "... (%zu more bytes)", arg.len - SLOWLOG_MAX_ARG_BYTES);
	to->len = len;
	return at + len;
}

static struct slowlog_entry *make_entry(unsigned argc, const struct slice *argv) {
	enum { SLACK = 64 };
	unsigned kept = kept_args(argc);
	struct slowlog_entry *e = mem_alloc(sizeof(*e) + kept * (sizeof(e->argv[0]) + SLOWLOG_MAX_ARG_BYTES + SLACK));
	char *at = (char *)(e->argv + kept);
	e->argc = kept;
	for (unsigned i = 0; i < kept; i++) {
		if (kept < argc && i == kept - 1) {
			e->argv[i].ptr = at;
			e->argv[i].len = (size_t)sprintf(at, "... (%u more arguments)", argc - kept + 1);
		} else {
			at = copy_arg(&e->argv[i], at, argv[i]);
		}
	}
	return e;
}

static void free_entry(struct slowlog_entry *e) {
	mem_free(e->peer);
	mem_free(e->name);
	mem_free(e);
}

static void trim_locked(struct slowlog *log, size_t max_len) {
	while (log->_oldest && log->_count > max_len) {
		struct slowlog_entry *gone = log->_oldest;
		log->_oldest = gone->prev;
		if (log->_oldest)
			log->_oldest->next = NULL;
		else
			log->_newest = NULL;
		free_entry(gone);
		log->_count--;
	}
}

void slowlog_add(struct slowlog *log, size_t max_len, int64_t when_s, int64_t duration_us, unsigned argc,
	const struct slice *argv, const char *peer, const char *name) {
	struct slowlog_entry *e = make_entry(argc, argv);
	e->when_s = when_s;
	e->duration_us = duration_us;
	e->peer = mem_strdup(peer);
	e->name = mem_strdup(name);
	lock_take(&log->_lock, LOCK_RANK_SERVER, 1);
	e->id = log->_next_id++;
	e->prev = NULL;
	e->next = log->_newest;
	if (e->next)
		e->next->prev = e;
	else
		log->_oldest = e;
	log->_newest = e;
	log->_count++;
	trim_locked(log, max_len);
	lock_drop(&log->_lock, LOCK_RANK_SERVER, 1);
}

size_t slowlog_count(struct slowlog *log) {
	lock_take(&log->_lock, LOCK_RANK_SERVER, 1);
	size_t count = log->_count;
	lock_drop(&log->_lock, LOCK_RANK_SERVER, 1);
	return count;
}

void slowlog_reset(struct slowlog *log) {
	lock_take(&log->_lock, LOCK_RANK_SERVER, 1);
	trim_locked(log, 0);
	lock_drop(&log->_lock, LOCK_RANK_SERVER, 1);
}

void slowlog_each(struct slowlog *log, size_t count, slowlog_visit_fn *visit, void *context) {
	lock_take(&log->_lock, LOCK_RANK_SERVER, 1);
	for (const struct slowlog_entry *e = log->_newest; e && count > 0; e = e->next, count--) visit(context, e);
	lock_drop(&log->_lock, LOCK_RANK_SERVER, 1);
}
