#include "server/notify.h"

#include "base/buffer.h"
#include "server/pubsub.h"
#include "settings/settings_types.h"
#include "server/worker.h"

static void publish(struct worker *w, const char *prefix, unsigned db_index, struct slice about, struct slice message) {
	struct buffer channel = { 0 };
	buffer_appendf(&channel, "%s@%u__:", prefix, db_index);
	buffer_append_slice(&channel, about);
	(void)pubsub_publish(w, TOPIC_CHANNEL, buffer_slice(&channel), message);
	buffer_release(&channel);
}

void notify_event(struct worker *w, uint32_t wanted, unsigned db_index, struct slice key, enum event_class class,
	const char *event) {
	if (!(wanted & class)) return;
	struct slice word = slice_of_cstr(event);
	if (wanted & NOTIFY_KEYSPACE) publish(w, "__keyspace", db_index, key, word);
	if (wanted & NOTIFY_KEYEVENT) publish(w, "__keyevent", db_index, word, key);
}
