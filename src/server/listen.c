/* Listening and accepting. Worker 0 accepts; each connection goes to the worker that has the fewest. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "net/socket.h"
#include "server/server.h"

enum { ACCEPTS_PER_TURN = 128, REFUSAL_BYTES = 64 };

static const char maxclients_error[] = "-ERR max number of clients reached\r\n";
static const char protected_error[] = "-DENIED Redis is running in protected mode because protected mode is enabled "
				      "and no password is set for the default "
				      "user. In this mode connections are only accepted from the loopback interface. "
				      "If you want to connect from external "
				      "computers to Redis you may adopt one of the following solutions: 1) Just "
				      "disable protected mode sending the command "
				      "'CONFIG SET protected-mode no' from the loopback interface by connecting to "
				      "Redis from the same host the server is "
				      "running, however MAKE SURE Redis is not publicly accessible from internet if "
				      "you do so. Use CONFIG REWRITE to make this "
				      "change permanent. 2) Alternatively you can just disable the protected mode by "
				      "editing the Redis configuration file, and "
				      "setting the protected mode option to 'no', and then restarting the server. 3) "
				      "If you started the server manually just "
				      "for testing, restart it with the '--protected-mode no' option. 4) Setup a an "
				      "authentication password for the default "
				      "user. NOTE: You only need to do one of the above things in order for the server "
				      "to start accepting connections from the "
				      "outside.\r\n";

/* `address` NULL means a unix socket. */
static bool add_listener(struct server *s, int fd, const char *address, int port) {
	if (s->listener_count == SERVER_MAX_LISTENERS) {
		close(fd);
		return false;
	}
	struct listener *l = &s->listeners[s->listener_count];
	*l = (struct listener){ .fd = fd, .is_unix = !address, .port = port, .server = s };
	snprintf(l->address, sizeof(l->address), "%s", address ? address : "");
	/* An odd tag tells a listener from a client, see worker.c. */
	if (!poller_add(&s->workers[0].poller, fd, POLLER_READ, (char *)l + 1)) {
		close(fd);
		return false;
	}
	s->listener_count++;
	return true;
}

static bool listen_tcp(struct server *s, const char *address, unsigned *opened) {
	const struct settings *settings = &s->config->values;
	bool optional = address[0] == '-', unavailable = false;
	if (optional) address++;
	char error[SOCKET_ERROR_MAX];
	int fd = socket_listen_tcp(address, (int)settings->port, (int)settings->tcp_backlog, error, &unavailable);
	if (fd < 0) {
		log_warning("Warning: Could not create server TCP listening socket %s:%d: %s", address,
			(int)settings->port, error);
		return unavailable && (optional || (settings->bind.count > 1 && strcmp(address, "::*") == 0));
	}
	(*opened)++;
	return add_listener(s, fd, address, (int)settings->port);
}

static bool listen_all_tcp(struct server *s) {
	const struct settings *settings = &s->config->values;
	unsigned opened = 0;
	if (settings->port == 0) return true;
	for (size_t i = 0; i < settings->bind.count; i++)
		if (!listen_tcp(s, settings->bind.items[i], &opened)) return false;
	return opened > 0 || settings->bind.count == 0;
}

static void close_kind(struct server *s, bool is_unix) {
	unsigned kept = 0;
	for (unsigned i = 0; i < s->listener_count; i++) {
		if (s->listeners[i].is_unix == is_unix) {
			poller_remove(&s->workers[0].poller, s->listeners[i].fd);
			close(s->listeners[i].fd);
			continue;
		}
		if (kept != i) {
			poller_remove(&s->workers[0].poller, s->listeners[i].fd);
			s->listeners[kept] = s->listeners[i];
			if (!poller_add(&s->workers[0].poller, s->listeners[kept].fd, POLLER_READ,
				    (char *)&s->listeners[kept] + 1))
				log_warning("A listening socket cannot be watched any more: %s", strerror(errno));
		}
		kept++;
	}
	s->listener_count = kept;
}

/* Old and new addresses may overlap, so the old ones go first; they come back when the new ones cannot be had. */
bool server_listen_again(struct server *s) {
	struct listener before[SERVER_MAX_LISTENERS];
	unsigned count = s->listener_count;
	memcpy(before, s->listeners, sizeof(before));
	close_kind(s, false);
	if (listen_all_tcp(s)) return true;
	close_kind(s, false);
	for (unsigned i = 0; i < count; i++) {
		char error[SOCKET_ERROR_MAX];
		bool unavailable;
		if (before[i].is_unix) continue;
		int fd = socket_listen_tcp(
			before[i].address, before[i].port, (int)s->config->values.tcp_backlog, error, &unavailable);
		if (fd < 0 || !add_listener(s, fd, before[i].address, before[i].port))
			log_warning("Could not listen on %s:%d again: %s", before[i].address, before[i].port, error);
	}
	return false;
}

static bool listen_unix(struct server *s) {
	const struct settings *settings = &s->config->values;
	if (!settings->unixsocket[0]) return true;
	char error[SOCKET_ERROR_MAX];
	int fd = socket_listen_unix(
		settings->unixsocket, (mode_t)settings->unixsocketperm, (int)settings->tcp_backlog, error);
	if (fd >= 0) return add_listener(s, fd, NULL, 0);
	log_warning("Failed opening Unix socket: %s", error);
	return false;
}

bool server_listen(struct server *s) {
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (!listen_all_tcp(s)) {
		log_warning("Failed listening on port %d (tcp), aborting.", (int)s->config->values.port);
		return false;
	}
	if (!listen_unix(s)) return false;
	if (s->listener_count > 0) return true;
	log_warning("Configured to not listen anywhere, exiting.");
	return false;
}

void server_close_listeners(struct server *s) {
	close_kind(s, false);
	close_kind(s, true);
	if (s->spare_fd >= 0) close(s->spare_fd);
	if (!s->config->values.unixsocket[0]) return;
	log_notice("Removing the unix socket file.");
	unlink(s->config->values.unixsocket);
}

/* ---- Accepting ---- */

struct adoption {
	struct message message;
	int fd;
	uint64_t id;
	uint32_t flags;
};

static void adopt(struct worker *owner, struct message *m) {
	struct adoption *a = (struct adoption *)m;
	const char *unix_path = a->flags & CLIENT_UNIX ? owner->server->config->values.unixsocket : NULL;
	client_new(owner, a->fd, a->id, a->flags, unix_path);
	mem_free(a);
}

static struct worker *least_busy(struct server *s) {
	struct worker *best = &s->workers[0];
	for (unsigned i = 1; i < s->worker_count; i++)
		if (STAT_READ(s->workers[i].assigned) < STAT_READ(best->assigned)) best = &s->workers[i];
	return best;
}

static void refuse(struct worker *w, int fd, const char *text, size_t len) {
	ssize_t done = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)done; /* a courtesy; the connection ends either way */
	socket_close_gently(fd);
	STAT_ADD(w->stats.rejected_connections, 1);
}

static void welcome(struct worker *w, struct listener *l, int fd) {
	struct server *s = w->server;
	const struct settings *settings = &s->config->values;
	/* Taken before the look, given back by client_free. */
	uint32_t others = atomic_fetch_add_explicit(&s->connected, 1, memory_order_relaxed);
	bool open_door = !settings->protected_mode || settings->requirepass[0] || socket_peer_is_local(fd);
	if (others >= (uint64_t)settings->maxclients || !open_door) {
		atomic_fetch_sub_explicit(&s->connected, 1, memory_order_relaxed);
		if (others >= (uint64_t)settings->maxclients)
			refuse(w, fd, maxclients_error, sizeof(maxclients_error) - 1);
		else
			refuse(w, fd, protected_error, sizeof(protected_error) - 1);
		return;
	}
	if (!l->is_unix) {
		socket_set_no_delay(fd, true);
		if (settings->tcp_keepalive > 0) socket_set_keepalive(fd, (int)settings->tcp_keepalive);
	}
	struct adoption *a = mem_alloc(sizeof(*a));
	a->message.run = adopt;
	a->fd = fd;
	a->id = atomic_fetch_add_explicit(&s->next_client_id, 1, memory_order_relaxed);
	a->flags = (l->is_unix ? CLIENT_UNIX : 0) | (settings->requirepass[0] ? 0 : CLIENT_AUTHENTICATED);
	STAT_ADD(w->stats.connections, 1);
	struct worker *owner = least_busy(s);
	__atomic_fetch_add(&owner->assigned, 1, __ATOMIC_RELAXED);
	if (owner == w)
		adopt(w, &a->message);
	else
		worker_post(owner, &a->message);
}

/* Without a free descriptor the connection can neither be taken nor refused, and it would wake us again and again: so the
 * spare one is given up for it, and it is closed. False when there is none. */
static bool turn_away(struct worker *w, const struct listener *l) {
	struct server *s = w->server;
	if (s->spare_fd < 0) return false;
	close(s->spare_fd);
	int fd = socket_accept(l->fd);
	if (fd >= 0) {
		close(fd);
		STAT_ADD(w->stats.rejected_connections, 1);
	}
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd >= 0;
}

void server_accept(struct worker *w, struct listener *l) {
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = socket_accept(l->fd);
		if (fd < 0) {
			if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
			bool is_short = errno == EMFILE || errno == ENFILE;
			log_warning("Accepting client connection: %s", strerror(errno));
			if (is_short && turn_away(w, l)) continue;
			return;
		}
		welcome(w, l, fd);
	}
}
