/* A worker's side of publish/subscribe: which of its clients subscribe to what, and handing messages out to them. */
#include "base/alloc.h"
#include "base/glob.h"
#include "base/hash.h"
#include "server/pubsub.h"
#include "server/pubsub_private.h"
#include "server/server.h"

/* A name that a client of this worker subscribes to. */
struct local_topic {
	struct subscription *first, *last; /* in the order of subscribing */
	struct local_topic *next, *prev;   /* of patterns: all of this worker */
	uint64_t hash;
	enum topic_kind kind;
	size_t len;
	char name[];
};

/* A client and a topic. */
struct subscription {
	struct client *client;
	struct local_topic *topic;
	struct subscription *next_of_topic, *prev_of_topic;
	struct subscription *next_of_client, *prev_of_client;
};

static struct slice topic_name(const struct local_topic *t) {
	return slice_of(t->name, t->len);
}

static uint64_t topic_hash(const void *item) {
	return ((const struct local_topic *)item)->hash;
}

static bool topic_has_name(const void *item, const void *key) {
	return slice_equal(topic_name(item), *(const struct slice *)key);
}

static struct local_topic *find_topic(const struct worker *w, enum topic_kind kind, struct slice name, uint64_t hash) {
	struct table_place place = table_find(&w->pubsub._topics[kind], hash, topic_has_name, &name);
	return place.bucket ? table_item_at(place) : NULL;
}

static struct local_topic *add_topic(struct worker *w, enum topic_kind kind, struct slice name, uint64_t hash) {
	struct local_topic *t = mem_alloc(sizeof(*t) + name.len);
	*t = (struct local_topic){ .hash = hash, .kind = kind, .len = name.len };
	if (name.len) memcpy(t->name, name.ptr, name.len);
	table_insert(&w->pubsub._topics[kind], hash, t, topic_hash);
	if (kind == TOPIC_PATTERN) {
		t->next = w->pubsub._patterns;
		if (t->next) t->next->prev = t;
		w->pubsub._patterns = t;
	}
	return t;
}

static void remove_topic(struct worker *w, struct local_topic *t) {
	struct table *topics = &w->pubsub._topics[t->kind];
	struct slice name = topic_name(t);
	table_remove(topics, table_find(topics, t->hash, topic_has_name, &name));
	if (t->kind == TOPIC_PATTERN) {
		if (t->next) t->next->prev = t->prev;
		if (t->prev)
			t->prev->next = t->next;
		else
			w->pubsub._patterns = t->next;
	}
	mem_free(t);
}

/* Looks through the shorter of two lists, the topic's clients and the client's topics of its kind, without knowing which
 * that is. */
static struct subscription *find(const struct client *c, const struct local_topic *t) {
	struct subscription *of_topic = t->first, *of_client = c->subscriber._first[t->kind];
	while (of_topic && of_client) {
		if (of_topic->client == c) return of_topic;
		if (of_client->topic == t) return of_client;
		of_topic = of_topic->next_of_topic;
		of_client = of_client->next_of_client;
	}
	return NULL;
}

/* ---- Subscribing ---- */

static void link_subscription(struct client *c, struct local_topic *t) {
	struct subscription *s = mem_alloc(sizeof(*s));
	struct subscription **first = &c->subscriber._first[t->kind], **last = &c->subscriber._last[t->kind];
	*s = (struct subscription){ c, t, NULL, t->last, NULL, *last };
	if (t->last)
		t->last->next_of_topic = s;
	else
		t->first = s;
	t->last = s;
	if (*last)
		(*last)->next_of_client = s;
	else
		*first = s;
	*last = s;
}

static void unlink_subscription(struct subscription *s) {
	struct local_topic *t = s->topic;
	struct subscriber *who = &s->client->subscriber;
	*(s->prev_of_topic ? &s->prev_of_topic->next_of_topic : &t->first) = s->next_of_topic;
	*(s->next_of_topic ? &s->next_of_topic->prev_of_topic : &t->last) = s->prev_of_topic;
	*(s->prev_of_client ? &s->prev_of_client->next_of_client : &who->_first[t->kind]) = s->next_of_client;
	*(s->next_of_client ? &s->next_of_client->prev_of_client : &who->_last[t->kind]) = s->prev_of_client;
}

bool pubsub_subscribe(struct client *c, enum topic_kind kind, struct slice name) {
	struct worker *w = c->worker;
	uint64_t hash = hash_slice(name);
	struct local_topic *t = find_topic(w, kind, name, hash);
	if (t && find(c, t)) return false;
	pubsub_deliver(w);
	if (!t) t = add_topic(w, kind, name, hash);
	link_subscription(c, t);
	if (!subscriber_is_one(&c->subscriber)) STAT_ADD(w->subscriber_count, 1);
	c->subscriber.counts[kind]++;
	pubsub__count(w, kind, name, 1);
	return true;
}

static void end_subscription(struct subscription *s) {
	struct client *c = s->client;
	struct worker *w = c->worker;
	struct local_topic *t = s->topic;
	pubsub__count(w, t->kind, topic_name(t), -1);
	c->subscriber.counts[t->kind]--;
	if (!subscriber_is_one(&c->subscriber)) STAT_ADD(w->subscriber_count, (size_t)-1);
	unlink_subscription(s);
	mem_free(s);
	if (!t->first) remove_topic(w, t);
}

bool pubsub_unsubscribe(struct client *c, enum topic_kind kind, struct slice name) {
	struct local_topic *t = find_topic(c->worker, kind, name, hash_slice(name));
	struct subscription *s = t ? find(c, t) : NULL;
	if (s) end_subscription(s);
	return s != NULL;
}

struct slice pubsub_oldest(const struct client *c, enum topic_kind kind) {
	const struct subscription *s = c->subscriber._first[kind];
	return s ? topic_name(s->topic) : slice_of(NULL, 0);
}

void pubsub_forget(struct client *c) {
	for (int kind = 0; kind < TOPIC_KINDS; kind++)
		while (c->subscriber._first[kind]) end_subscription(c->subscriber._first[kind]);
}

/* ---- Handing out ---- */

struct frames {
	struct pubsub_local *local;
	const struct pubsub_message *message;
	const struct local_topic *pattern; /* NULL: of the channel */
	bool made[2];
};

static void make_frame(struct frames *f, struct buffer *frame, uint8_t proto) {
	static const char *const words[TOPIC_KINDS] = { "message", "smessage", "pmessage" };
	struct reply r;
	frame->len = 0;
	reply_start(&r, frame, proto);
	reply_push(&r, f->pattern ? 4 : 3);
	reply_cstr(&r, words[f->pattern ? TOPIC_PATTERN : f->message->kind]);
	if (f->pattern) reply_slice(&r, topic_name(f->pattern));
	reply_slice(&r, f->message->channel);
	reply_slice(&r, f->message->payload);
}

/* The bytes for a client of this RESP version, made once for all of them. */
static struct slice frame_for(struct frames *f, uint8_t proto) {
	unsigned which = proto == 3;
	if (!f->made[which]) make_frame(f, &f->local->_frame[which], proto);
	f->made[which] = true;
	return buffer_slice(&f->local->_frame[which]);
}

static void hand_out(struct pubsub_local *local, const struct pubsub_message *m, const struct local_topic *t) {
	struct frames f = { local, m, t->kind == TOPIC_PATTERN ? t : NULL, { false, false } };
	for (const struct subscription *s = t->first; s; s = s->next_of_topic)
		client_push(s->client, frame_for(&f, s->client->proto));
}

static void deliver_message(struct worker *w, const struct pubsub_message *m) {
	struct pubsub_local *local = &w->pubsub;
	const struct local_topic *t = find_topic(w, m->kind, m->channel, hash_slice(m->channel));
	if (t) hand_out(local, m, t);
	if (m->kind == TOPIC_SHARD) return;
	for (t = local->_patterns; t; t = t->next)
		if (glob_match(topic_name(t), m->channel, GLOB_CASE)) hand_out(local, m, t);
}

void pubsub_deliver(struct worker *w) {
	enum { KEEP_FRAME_BYTES = 64 * 1024 };
	struct pubsub_node *node = pubsub__take(&w->pubsub);
	if (!node) return;
	while (node) {
		struct pubsub_node *next = node->next; /* which lies in its message */
		struct pubsub_message *m = node->message;
		deliver_message(w, m);
		pubsub__drop(m);
		node = next;
	}
	for (int i = 0; i < 2; i++)
		if (w->pubsub._frame[i].cap > KEEP_FRAME_BYTES) buffer_release(&w->pubsub._frame[i]);
}

static void wake(struct worker *owner, struct message *m) {
	(void)m;
	/* Before the look, so that who pushes after it wakes us again; acquire pairs with the exchange of who found us
	 * woken already, whose message is then seen. */
	atomic_exchange_explicit(&owner->pubsub._woken, false, memory_order_acq_rel);
	pubsub_deliver(owner);
}

void pubsub_local_init(struct pubsub_local *local) {
	local->_wake.run = wake;
}

void pubsub_local_release(struct pubsub_local *local) {
	for (struct pubsub_node *node = pubsub__take(local); node;) {
		struct pubsub_node *next = node->next;
		pubsub__drop(node->message);
		node = next;
	}
	for (int kind = 0; kind < TOPIC_KINDS; kind++) table_release(&local->_topics[kind]);
	for (int i = 0; i < 2; i++) buffer_release(&local->_frame[i]);
}
