/* slowlog: the commands that took longest to run lately. One lock inside; any thread. */
#ifndef TARN_SERVER_SLOWLOG_H
#define TARN_SERVER_SLOWLOG_H

#include "base/bytes.h"
#include "base/lock.h"

enum { SLOWLOG_MAX_ARGS = 32, SLOWLOG_MAX_ARG_BYTES = 128 };

struct slowlog_entry {
	struct slowlog_entry *next; /* older */
	struct slowlog_entry *prev; /* newer */
	uint64_t id;
	int64_t when_s; /* wall time */
	int64_t duration_us;
	char *peer, *name;
	unsigned argc;       /* at most SLOWLOG_MAX_ARGS: the last says how many more there were */
	struct slice argv[]; /* their bytes follow in the same allocation */
};

struct slowlog {
	struct lock _lock;
	struct slowlog_entry *_newest, *_oldest;
	size_t _count;
	uint64_t _next_id;
};

void slowlog_add(struct slowlog *log, size_t max_len, int64_t when_s, int64_t duration_us, unsigned argc,
	const struct slice *argv, const char *peer, const char *name);
size_t slowlog_count(struct slowlog *log);
void slowlog_reset(struct slowlog *log);

/* Visits the newest `count` entries, newest first, under the lock: `visit` must only read and copy. */
typedef void slowlog_visit_fn(void *context, const struct slowlog_entry *e);
void slowlog_each(struct slowlog *log, size_t count, slowlog_visit_fn *visit, void *context);

#endif
