#include "tools/cli_connection.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/number.h"

enum { READ_BYTES = 64 * 1024, KEEPALIVE_S = 15 };

static bool fail(struct cli_connection *connection, const char *why) {
	snprintf(connection->error, sizeof(connection->error), "%s", why);
	return false;
}

void cli_connection_close(struct cli_connection *connection) {
	if (connection->fd >= 0) close(connection->fd);
	connection->fd = -1;
	connection->out.len = 0;
	reply_reader_clear(&connection->reader);
}

void cli_connection_release(struct cli_connection *connection) {
	cli_connection_close(connection);
	reply_reader_release(&connection->reader);
	buffer_release(&connection->out);
}

static bool connect_to(struct cli_connection *connection, int family, const struct sockaddr *address, socklen_t len) {
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return fail(connection, strerror(errno));
	if (connect(fd, address, len) < 0) {
		fail(connection, strerror(errno));
		close(fd);
		return false;
	}
	connection->fd = fd;
	return true;
}

static void set_int_option(int fd, int level, int option, int value) {
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* Idle prompts live for days behind routers that forget silent connections. */
static void keep_alive(int fd) {
	set_int_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S);
	set_int_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_S / 3);
	set_int_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

bool cli_connection_open_tcp(struct cli_connection *connection, const char *host, int port) {
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char service[NUMBER_I64_MAX_CHARS + 1];
	cli_connection_close(connection);
	number_format_i64(service, port);
	int status = getaddrinfo(host, service, &hints, &found);
	if (status != 0) return fail(connection, gai_strerror(status));
	bool open = false;
	for (struct addrinfo *each = found; each && !open; each = each->ai_next) {
		open = connect_to(connection, each->ai_family, each->ai_addr, each->ai_addrlen);
	}
	freeaddrinfo(found);
	if (open) keep_alive(connection->fd);
	return open;
}

bool cli_connection_open_unix(struct cli_connection *connection, const char *path) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cli_connection_close(connection);
	if (strlen(path) >= sizeof(address.sun_path)) return fail(connection, "The path of the socket is too long");
	memcpy(address.sun_path, path, strlen(path) + 1);
	return connect_to(connection, AF_UNIX, (const struct sockaddr *)&address, sizeof(address));
}

bool cli_connection_is_gone(struct cli_connection *connection) {
	char byte;
	if (connection->fd < 0) return true;
	ssize_t n = recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static bool send_all(struct cli_connection *connection) {
	struct buffer *out = &connection->out;
	size_t sent = 0;
	while (sent < out->len) {
		ssize_t n = send(connection->fd, out->data + sent, out->len - sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return fail(connection, strerror(errno));
		sent += (size_t)n;
	}
	out->len = 0;
	return true;
}

bool cli_connection_send(struct cli_connection *connection, const struct slice *words, size_t count) {
	struct buffer *out = &connection->out;
	if (connection->fd < 0) return fail(connection, "Not connected");
	out->len = 0;
	buffer_appendf(out, "*%zu\r\n", count);
	for (size_t i = 0; i < count; i++) {
		buffer_appendf(out, "$%zu\r\n", words[i].len);
		buffer_append_slice(out, words[i]);
		buffer_append(out, "\r\n", 2);
	}
	return send_all(connection);
}

/* Waits for something to read, or for a signal if one may interrupt. SIGINT is let in only while waiting, so that none
 * slips in between the look at the flag and the wait. */
static void wait_readable(int fd, const volatile sig_atomic_t *interrupt) {
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	sigset_t blocked, before;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	if (!*interrupt) (void)ppoll(&poll_fd, 1, NULL, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* Reads what is there; false at the end. */
static bool read_some(struct cli_connection *connection) {
	char *room = reply_reader_reserve(&connection->reader, READ_BYTES);
	ssize_t n = read(connection->fd, room, READ_BYTES);
	if (n > 0) {
		reply_reader_commit(&connection->reader, (size_t)n);
		return true;
	}
	if (n < 0 && errno == EINTR) return true;
	return fail(connection, n == 0 ? "Server closed the connection" : strerror(errno));
}

enum cli_receive cli_connection_receive(
	struct cli_connection *connection, const struct reply_node **reply, const volatile sig_atomic_t *interrupt) {
	if (connection->fd < 0) {
		fail(connection, "Not connected");
		return CLI_RECEIVE_FAILED;
	}
	for (;;) {
		switch (reply_reader_next(&connection->reader, reply)) {
		case REPLY_READ_DONE: return CLI_RECEIVE_REPLY;
		case REPLY_READ_BAD: fail(connection, connection->reader.error); return CLI_RECEIVE_FAILED;
		case REPLY_READ_MORE: break;
		}
		if (interrupt) {
			wait_readable(connection->fd, interrupt);
			if (*interrupt) return CLI_RECEIVE_INTERRUPTED;
		}
		if (!read_some(connection)) return CLI_RECEIVE_FAILED;
	}
}
