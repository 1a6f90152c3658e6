/* notify: keyspace events on their way to subscribers, as notify-keyspace-events wants them. */
#ifndef TARN_SERVER_NOTIFY_H
#define TARN_SERVER_NOTIFY_H

#include "store/store.h"

struct worker;

/* This key changed in this way: publishes to __keyspace@<db>__:<key> and __keyevent@<db>__:<event>. Under the key's gate;
 * `w` is the thread's worker. `wanted` is the setting's value. */
void notify_event(struct worker *w, uint32_t wanted, unsigned db_index, struct slice key, enum event_class class,
	const char *event);

#endif
