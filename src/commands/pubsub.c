/* SUBSCRIBE, PUBLISH and their relatives. What happens behind them: server/pubsub.h. */
#include "server/pubsub.h"

#include "base/glob.h"
#include "commands/generated/command_handlers.h"
#include "server/blocking.h"
#include "server/client.h"
#include "server/server.h"

/* ---- Subscribing ---- */

static void write_confirmation(
	struct call *c, struct reply *r, const char *word, enum topic_kind kind, struct slice name) {
	reply_push(r, 3);
	reply_cstr(r, word);
	if (name.ptr)
		reply_slice(r, name);
	else
		reply_null(r);
	reply_int(r, (int64_t)subscriber_count(&c->client->subscriber, kind));
}

/* Confirmations are push messages: one per name, without a reply around them. So they come also to who has said CLIENT
 * REPLY OFF. */
static void confirm(struct call *c, const char *word, enum topic_kind kind, struct slice name) {
	if (!(c->client->flags & (CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP))) {
		write_confirmation(c, c->reply, word, kind, name);
		return;
	}
	struct buffer text = { 0 };
	struct reply r;
	reply_start(&r, &text, c->client->proto);
	write_confirmation(c, &r, word, kind, name);
	client_push(c->client, buffer_slice(&text));
	buffer_release(&text);
}

static void subscribe(struct call *c, const char *word, enum topic_kind kind) {
	for (unsigned i = 1; i < c->argc; i++) {
		pubsub_subscribe(c->client, kind, c->argv[i]);
		confirm(c, word, kind, c->argv[i]);
	}
}

/* Without names: all of them, the oldest first. */
static void unsubscribe_all(struct call *c, const char *word, enum topic_kind kind) {
	struct slice name = pubsub_oldest(c->client, kind);
	if (!name.ptr) confirm(c, word, kind, name);
	struct buffer kept = { 0 };
	for (; name.ptr; name = pubsub_oldest(c->client, kind)) {
		kept.len = 0;
		buffer_reserve(&kept, 1); /* an empty name is one as well */
		buffer_append_slice(&kept, name);
		pubsub_unsubscribe(c->client, kind, buffer_slice(&kept));
		confirm(c, word, kind, buffer_slice(&kept));
	}
	buffer_release(&kept);
}

static void unsubscribe(struct call *c, const char *word, enum topic_kind kind) {
	if (c->argc == 1) {
		unsubscribe_all(c, word, kind);
		return;
	}
	for (unsigned i = 1; i < c->argc; i++) {
		pubsub_unsubscribe(c->client, kind, c->argv[i]);
		confirm(c, word, kind, c->argv[i]);
	}
}

void cmd_subscribe(struct call *c) {
	subscribe(c, "subscribe", TOPIC_CHANNEL);
}

void cmd_unsubscribe(struct call *c) {
	unsubscribe(c, "unsubscribe", TOPIC_CHANNEL);
}

void cmd_psubscribe(struct call *c) {
	subscribe(c, "psubscribe", TOPIC_PATTERN);
}

void cmd_punsubscribe(struct call *c) {
	unsubscribe(c, "punsubscribe", TOPIC_PATTERN);
}

void cmd_ssubscribe(struct call *c) {
	if (!call_may_block(c)) {
		reply_error(c->reply, "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
		return;
	}
	subscribe(c, "ssubscribe", TOPIC_SHARD);
}

void cmd_sunsubscribe(struct call *c) {
	unsubscribe(c, "sunsubscribe", TOPIC_SHARD);
}

/* ---- Publishing ---- */

void cmd_publish(struct call *c) {
	reply_int(c->reply, (int64_t)pubsub_publish(c->worker, TOPIC_CHANNEL, c->argv[1], c->argv[2]));
}

void cmd_spublish(struct call *c) {
	reply_int(c->reply, (int64_t)pubsub_publish(c->worker, TOPIC_SHARD, c->argv[1], c->argv[2]));
}

/* ---- PUBSUB ---- */

struct listing {
	struct reply *reply;
	struct slice pattern; /* ptr NULL: all */
	size_t count;
};

static void list_channel(void *context, struct slice channel) {
	struct listing *l = context;
	if (l->pattern.ptr && !glob_match(l->pattern, channel, GLOB_CASE)) return;
	reply_slice(l->reply, channel);
	l->count++;
}

static void list_channels(struct call *c, enum topic_kind kind) {
	if (c->argc > 3) {
		reply_errorf(c->reply,
			"ERR unknown subcommand or wrong number of arguments for '%.*s'. Try PUBSUB HELP.",
			(int)c->argv[1].len, c->argv[1].ptr);
		return;
	}
	struct listing l = { c->reply, c->argc == 3 ? c->argv[2] : slice_of(NULL, 0), 0 };
	size_t begin = reply_begin(c->reply);
	pubsub_each(c->worker->server->pubsub, kind, list_channel, &l);
	reply_end(c->reply, begin, REPLY_ARRAY, l.count);
}

static void count_subscribers(struct call *c, enum topic_kind kind) {
	reply_array(c->reply, (size_t)(c->argc - 2) * 2);
	for (unsigned i = 2; i < c->argc; i++) {
		reply_slice(c->reply, c->argv[i]);
		reply_int(c->reply, (int64_t)pubsub_subscribers(c->worker->server->pubsub, kind, c->argv[i]));
	}
}

void cmd_pubsub_channels(struct call *c) {
	list_channels(c, TOPIC_CHANNEL);
}

void cmd_pubsub_shardchannels(struct call *c) {
	list_channels(c, TOPIC_SHARD);
}

void cmd_pubsub_numsub(struct call *c) {
	count_subscribers(c, TOPIC_CHANNEL);
}

void cmd_pubsub_shardnumsub(struct call *c) {
	count_subscribers(c, TOPIC_SHARD);
}

void cmd_pubsub_numpat(struct call *c) {
	reply_int(c->reply, (int64_t)pubsub_patterns(c->worker->server->pubsub));
}

void cmd_pubsub_help(struct call *c) {
	static const char *const lines[] = {
		"CHANNELS [<pattern>]",
		"    Return the channels that somebody listens to and that match the pattern (default: '*').",
		"NUMPAT",
		"    Return how many different patterns somebody listens to.",
		"NUMSUB [<channel> ...]",
		"    Return how many listen to each of these channels, patterns not counted.",
		"SHARDCHANNELS [<pattern>]",
		"    Return the shard channels that somebody listens to and that match the pattern (default: '*').",
		"SHARDNUMSUB [<shardchannel> ...]",
		"    Return how many listen to each of these shard channels.",
		NULL,
	};
	reply_help(c->reply, "PUBSUB", lines);
}
