#include "server/client.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/socket.h"
#include "server/blocking.h"
#include "server/server.h"
#include "server/transaction.h"

enum {
	CHUNK_BYTES = 16 * 1024, /* small leftovers share a chunk of this size */
	STEAL_BYTES = 32 * 1024, /* larger ones are handed over with their buffer */
	MAX_IOVECS = 64,
	FLUSH_BYTES = 1024 * 1024, /* written for one client before others get their turn */
};

static char *name_of(void (*name)(int, const char *, char *), int fd, const char *unix_path) {
	char text[SOCKET_NAME_MAX];
	name(fd, unix_path, text);
	return mem_strdup(text);
}

static void peer_name(int fd, const char *unix_path, char *out) {
	socket_peer_name(fd, unix_path, out);
}

static void local_name(int fd, const char *unix_path, char *out) {
	socket_local_name(fd, unix_path, out);
}

struct client *client_new(struct worker *worker, int fd, uint64_t id, uint32_t flags, const char *unix_path) {
	struct client *c = mem_calloc(sizeof(*c));
	c->id = id;
	c->worker = worker;
	c->fd = fd;
	c->flags = flags;
	c->proto = 2;
	c->user = "default";
	c->created_ms = c->active_ms = clock_wall_ms();
	c->peer = name_of(peer_name, fd, unix_path);
	c->local = name_of(local_name, fd, unix_path);
	c->next = worker->clients;
	if (c->next) c->next->prev = c;
	worker->clients = c;
	STAT_ADD(worker->client_count, 1);
	if (!poller_add(&worker->poller, fd, POLLER_READ, c)) {
		log_warning("Error registering fd event for the new client: %s (fd=%d)", strerror(errno), fd);
		client_free(c);
		return NULL;
	}
	return c;
}

static void free_chunk(struct output_chunk *chunk) {
	buffer_release(&chunk->bytes);
	mem_free(chunk);
}

static void drop_output(struct client *c) {
	while (c->out_first) {
		struct output_chunk *next = c->out_first->next;
		free_chunk(c->out_first);
		c->out_first = next;
	}
	c->out_last = NULL;
	c->out_bytes = c->out_count = c->out_sent = 0;
}

static void forget_pushed(struct client *c) {
	if (!(c->flags & CLIENT_PUSHED)) return;
	*c->pushed_at = c->next_pushed;
	if (c->next_pushed) c->next_pushed->pushed_at = c->pushed_at;
	c->flags &= ~(uint32_t)CLIENT_PUSHED;
}

void client_free(struct client *c) {
	struct worker *w = c->worker;
	if (c->flags & CLIENT_IN_SCRIPT) {
		c->flags |= CLIENT_CLOSE_NOW;
		poller_remove(&w->poller, c->fd);
		return;
	}
	if (c->prev)
		c->prev->next = c->next;
	else
		w->clients = c->next;
	if (c->next) c->next->prev = c->prev;
	STAT_ADD(w->client_count, (size_t)-1);
	/* Either way it leaves the poller by itself. */
	if (c->flags & CLIENT_CLOSE_AFTER_REPLY && !c->out_first)
		socket_close_gently(c->fd);
	else
		close(c->fd);
	transaction_end(c);
	drop_output(c);
	buffer_release(&c->in);
	blocking_forget(c);
	pubsub_forget(c);
	tracking_forget(c);
	forget_pushed(c);
	mem_free(c->script_try);
	mem_free(c->name);
	mem_free(c->lib_name);
	mem_free(c->lib_ver);
	mem_free(c->peer);
	mem_free(c->local);
	if (w->current == c) w->current = NULL;
	worker_forget_yielded(w, c);
	worker_forget_events(w, c);
	monitor_remove(c);
	__atomic_fetch_sub(&w->assigned, 1, __ATOMIC_RELAXED);
	atomic_fetch_sub_explicit(&w->server->connected, 1, memory_order_relaxed);
	mem_free(c);
}

/* One walk for all that were killed since the last one. Some may be gone by now, so no message names a client. */
static void reap(struct worker *owner, struct message *m) {
	owner->reaps = false;
	struct client *next;
	for (struct client *c = owner->clients; c; c = next) {
		next = c->next;
		if (c->flags & CLIENT_CLOSE_NOW) client_free(c);
	}
	mem_free(m);
}

void client_kill(struct client *c) {
	struct worker *w = c->worker;
	c->flags |= CLIENT_CLOSE_NOW;
	if (w->reaps) return;
	w->reaps = true;
	struct message *m = mem_alloc(sizeof(*m));
	m->run = reap;
	worker_post(w, m);
}

/* ---- Output ---- */

/* The poller is level-triggered: what is not going to be read must not be watched, or it wakes us all the time. */
void client_watch(struct client *c) {
	uint32_t events = c->flags & CLIENT_WANTS_WRITE ? POLLER_WRITE : 0;
	if (c->flags & CLIENT_PAUSED)
		events |= POLLER_HANGUP;
	else if (c->flags & (CLIENT_INPUT_WAITS | CLIENT_IN_SCRIPT))
		events |= POLLER_HANGUP;
	else if (!(c->flags & CLIENT_CLOSE_AFTER_REPLY))
		events |= POLLER_READ;
	poller_change(&c->worker->poller, c->fd, events, c);
}

static void watch_writes(struct client *c, bool wanted) {
	bool watched = (c->flags & CLIENT_WANTS_WRITE) != 0;
	if (watched == wanted) return;
	c->flags ^= CLIENT_WANTS_WRITE;
	client_watch(c);
}

static void append_chunk(struct client *c, struct buffer bytes) {
	struct output_chunk *chunk = mem_alloc(sizeof(*chunk));
	*chunk = (struct output_chunk){ NULL, bytes };
	if (c->out_last)
		c->out_last->next = chunk;
	else
		c->out_first = chunk;
	c->out_last = chunk;
	c->out_count++;
}

static void append_bytes(struct client *c, const char *at, size_t len) {
	c->out_bytes += len;
	if (c->out_last && c->out_last->bytes.cap - c->out_last->bytes.len >= len) {
		buffer_append(&c->out_last->bytes, at, len);
	} else {
		struct buffer fresh = { 0 };
		/* The first piece is small: a message to a thousand subscribers makes a thousand of them. */
		size_t room = c->out_bytes < CHUNK_BYTES ? c->out_bytes : CHUNK_BYTES;
		buffer_reserve(&fresh, len > room ? len : room);
		buffer_append(&fresh, at, len);
		append_chunk(c, fresh);
	}
}

/* Keeps bytes for later. `out` may be emptied by taking its memory over: but not when most of that memory is what an
 * earlier, larger reply has left, since the output limits count bytes and not the room around them. */
static void keep_output(struct client *c, struct buffer *out, size_t from) {
	size_t len = out->len - from;
	if (len >= STEAL_BYTES && from == 0 && out->cap / 2 <= len) {
		c->out_bytes += len;
		append_chunk(c, *out);
		*out = (struct buffer){ 0 };
		return;
	}
	append_bytes(c, out->data + from, len);
	out->len = 0;
}

/* A socket that cannot be written any more: reset by the peer, or shut. */
static void broken_pipe(struct client *c) {
	c->flags |= CLIENT_CLOSE_NOW;
}

void client_send(struct client *c, struct buffer *out) {
	if (out->len == 0) return;
	struct worker *w = c->worker;
	size_t sent = 0;
	if (!c->out_first) {
		ssize_t done = send(c->fd, out->data, out->len, MSG_NOSIGNAL);
		STAT_ADD(w->stats.writes, 1);
		if (done < 0 && errno != EAGAIN && errno != EINTR) {
			out->len = 0;
			broken_pipe(c);
			return;
		}
		sent = done > 0 ? (size_t)done : 0;
		c->net_out += sent;
		STAT_ADD(w->stats.net_out, sent);
	}
	if (sent == out->len) {
		out->len = 0;
		return;
	}
	keep_output(c, out, sent);
	client_check_output(c);
	watch_writes(c, true);
}

static void forget_sent(struct client *c, size_t sent) {
	c->out_bytes -= sent;
	c->out_sent += sent;
	while (c->out_first && c->out_sent >= c->out_first->bytes.len) {
		struct output_chunk *gone = c->out_first;
		c->out_sent -= gone->bytes.len;
		c->out_first = gone->next;
		if (!c->out_first) c->out_last = NULL;
		c->out_count--;
		free_chunk(gone);
	}
}

void client_close_when_said(struct client *c) {
	if (!(c->flags & CLIENT_CLOSE_AFTER_REPLY) || c->flags & CLIENT_IN_SCRIPT) return;
	if (c->out_first)
		client_watch(c);
	else
		c->flags |= CLIENT_CLOSE_NOW;
}

bool client_flush(struct client *c) {
	size_t total = 0;
	while (c->out_first && total < FLUSH_BYTES && !(c->flags & CLIENT_CLOSE_NOW)) {
		struct iovec parts[MAX_IOVECS];
		size_t skip = c->out_sent;
		int count = 0;
		for (struct output_chunk *chunk = c->out_first; chunk && count < MAX_IOVECS; chunk = chunk->next) {
			parts[count++] = (struct iovec){ chunk->bytes.data + skip, chunk->bytes.len - skip };
			skip = 0;
		}
		struct msghdr message = { .msg_iov = parts, .msg_iovlen = (size_t)count };
		ssize_t done = sendmsg(c->fd, &message, MSG_NOSIGNAL);
		STAT_ADD(c->worker->stats.writes, 1);
		if (done < 0) {
			if (errno == EAGAIN || errno == EINTR)
				watch_writes(c, true);
			else
				broken_pipe(c);
			return false;
		}
		total += (size_t)done;
		c->net_out += (size_t)done;
		STAT_ADD(c->worker->stats.net_out, (size_t)done);
		forget_sent(c, (size_t)done);
	}
	watch_writes(c, c->out_first != NULL);
	client_close_when_said(c);
	return true;
}

void client_push(struct client *c, struct slice bytes) {
	struct worker *w = c->worker;
	if (c->flags & (CLIENT_CLOSE_NOW | CLIENT_CLOSE_AFTER_REPLY)) return;
	if (c == w->current) {
		/* Its replies are still in the worker's hand. */
		buffer_append_slice(w->current_call ? &w->pushes : &w->out, bytes);
		w->after |= AFTER_PUSH;
		return;
	}
	append_bytes(c, bytes.ptr, bytes.len);
	client_check_output(c);
	if (c->flags & CLIENT_PUSHED) return;
	c->flags |= CLIENT_PUSHED;
	c->next_pushed = w->pushed;
	c->pushed_at = &w->pushed;
	if (w->pushed) w->pushed->pushed_at = &c->next_pushed;
	w->pushed = c;
}

void client_flush_pushed(struct worker *w) {
	while (w->pushed) {
		struct client *c = w->pushed;
		forget_pushed(c);
		if (c->out_first && !(c->flags & CLIENT_WANTS_WRITE)) client_flush(c);
		if (c->flags & CLIENT_CLOSE_NOW) client_free(c);
		gate_boundary(&w->member);
	}
}

bool client_flush_asleep(struct worker *w) {
	for (struct client *c = w->pushed, *next; c; c = next) {
		next = c->next_pushed;
		if (c->out_first && !(c->flags & CLIENT_WANTS_WRITE)) client_flush(c);
		if (!(c->flags & CLIENT_CLOSE_NOW)) forget_pushed(c);
	}
	return w->pushed != NULL;
}

enum client_class client_class(const struct client *c) {
	/* Who monitors is a normal client, too; replicas come with their commands. */
	return subscriber_is_one(&c->subscriber) ? CLIENT_CLASS_PUBSUB : CLIENT_CLASS_NORMAL;
}

static const struct settings_output_limit *limit_of(const struct client *c) {
	const struct settings *settings = &c->worker->server->config->values;
	return &settings->client_output_buffer_limit.classes[client_class(c)];
}

bool client_is_local(const struct client *c) {
	return socket_peer_is_local(c->fd);
}

static size_t output_memory(const struct client *c) {
	size_t bytes = 0;
	for (const struct output_chunk *chunk = c->out_first; chunk; chunk = chunk->next)
		bytes += sizeof(*chunk) + chunk->bytes.cap;
	return bytes;
}

void client_check_output(struct client *c) {
	if (c->flags & CLIENT_CLOSE_NOW) return;
	const struct settings_output_limit *limit = limit_of(c);
	bool hard = limit->hard_bytes > 0 && c->out_bytes >= limit->hard_bytes;
	bool soft = limit->soft_bytes > 0 && c->out_bytes >= limit->soft_bytes;
	if (!soft) {
		c->soft_limit_since_ms = 0;
	} else if (c->soft_limit_since_ms == 0) {
		c->soft_limit_since_ms = c->worker->now_ms;
		soft = false;
	} else {
		soft = c->worker->now_ms - c->soft_limit_since_ms > limit->soft_seconds * 1000;
	}
	if (hard || soft) client_cut_off(c);
}

void client_cut_off(struct client *c) {
	struct buffer line = { 0 };
	client_describe(c, &line);
	log_warning("Client %.*s scheduled to be closed ASAP for overcoming of output buffer limits.", (int)line.len,
		line.data);
	buffer_release(&line);
	STAT_ADD(c->worker->stats.output_buffer_closes, 1);
	drop_output(c);
	client_kill(c);
}

/* ---- Description ---- */

size_t client_memory(const struct client *c) {
	return mem_size_class(sizeof(*c)) + c->in.cap + output_memory(c) + strlen(c->peer) + strlen(c->local) +
	       transaction_memory(c) + tracking_memory(c);
}

void client_set_text(char **field, struct slice text) {
	mem_free(*field);
	*field = NULL;
	if (text.len == 0) return;
	*field = mem_alloc(text.len + 1);
	memcpy(*field, text.ptr, text.len);
	(*field)[text.len] = '\0';
}

static void describe_flags(const struct client *c, char *out) {
	char *at = out;
	if (c->flags & CLIENT_MONITOR) *at++ = 'O';
	if (subscriber_is_one(&c->subscriber)) *at++ = 'P';
	if (c->transaction) *at++ = 'x';
	if (c->flags & (CLIENT_PAUSED | CLIENT_BLOCKED)) *at++ = 'b';
	uint32_t tracking = tracking_flags(c);
	if (tracking & TRACKING_ON) *at++ = 't';
	if (tracking & TRACKING_BROKEN) *at++ = 'R';
	if (tracking & TRACKING_BCAST) *at++ = 'B';
	if (watches_are_dirty(c->watches)) *at++ = 'd';
	if (c->flags & CLIENT_CLOSE_AFTER_REPLY) *at++ = 'c';
	if (c->flags & CLIENT_CLOSE_NOW) *at++ = 'A';
	if (c->flags & CLIENT_UNIX) *at++ = 'U';
	if (c->flags & CLIENT_NO_EVICT) *at++ = 'e';
	if (c->flags & CLIENT_NO_TOUCH) *at++ = 'T';
	if (at == out) *at++ = 'N';
	*at = '\0';
}

void client_describe(const struct client *c, struct buffer *line) {
	char flags[16];
	describe_flags(c, flags);
	int64_t now = c->worker->now_ms;
	size_t output = output_memory(c);
	buffer_appendf(line,
		"id=%llu addr=%s laddr=%s fd=%d name=%s age=%lld idle=%lld flags=%s db=%u sub=%zu "
		"psub=%zu ssub=%zu multi=%d ",
		(unsigned long long)c->id, c->peer, c->local, c->fd, c->name ? c->name : "",
		(long long)((now - c->created_ms) / 1000), (long long)((now - c->active_ms) / 1000), flags, c->db,
		c->subscriber.counts[TOPIC_CHANNEL], c->subscriber.counts[TOPIC_PATTERN],
		c->subscriber.counts[TOPIC_SHARD], c->transaction ? (int)c->transaction->count : -1);
	buffer_appendf(line,
		"watch=%zu qbuf=%zu qbuf-free=%zu argv-mem=0 multi-mem=%zu rbs=0 rbp=0 obl=0 oll=%zu omem=%zu "
		"tot-mem=%zu ",
		c->watches ? c->watches->count : 0, c->in.len, c->in.cap - c->in.len,
		c->transaction ? c->transaction->bytes : 0, c->out_count, output, client_memory(c));
	buffer_appendf(line, "events=%s%s cmd=%s user=%s redir=%lld resp=%d lib-name=%s lib-ver=%s",
		c->flags & CLIENT_PAUSED ? "" : "r", c->flags & CLIENT_WANTS_WRITE ? "w" : "",
		c->last_command ? c->last_command->full_name : "NULL", c->user, (long long)tracking_target(c), c->proto,
		c->lib_name ? c->lib_name : "", c->lib_ver ? c->lib_ver : "");
	buffer_appendf(line, " io-thread=%u tot-net-in=%llu tot-net-out=%llu tot-cmds=%llu", c->worker->index,
		(unsigned long long)c->net_in, (unsigned long long)c->net_out, (unsigned long long)c->commands);
}
