#include "net/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool is_unavailable(int error) {
	return error == EADDRNOTAVAIL || error == EAFNOSUPPORT || error == EPROTONOSUPPORT || error == EPFNOSUPPORT;
}

static int fail(int fd, char *error, const char *what) {
	int saved = errno;
	snprintf(error, SOCKET_ERROR_MAX, "%s: %s", what, strerror(saved));
	if (fd >= 0) close(fd);
	errno = saved;
	return -1;
}

static int listen_at(const struct addrinfo *at, int backlog, char *error) {
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) return fail(fd, error, "socket");
	int on = 1;
	/* IPv6 listeners leave IPv4 alone, so that "* ::*" may name both. */
	if (at->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0) return fail(fd, error, "bind");
	if (listen(fd, backlog) < 0) return fail(fd, error, "listen");
	return fd;
}

int socket_listen_tcp(
	const char *address, int port, int backlog, char error[static SOCKET_ERROR_MAX], bool *unavailable) {
	char service[16];
	snprintf(service, sizeof(service), "%d", port);
	struct addrinfo hints = { .ai_family = strchr(address, ':') ? AF_INET6 : AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE };
	const char *node = address;
	if (strcmp(address, "*") == 0) {
		node = NULL;
		hints.ai_family = AF_INET;
	} else if (strcmp(address, "::*") == 0) {
		node = NULL;
	}
	struct addrinfo *found = NULL;
	int code = getaddrinfo(node, service, &hints, &found);
	*unavailable = code == EAI_NODATA || code == EAI_ADDRFAMILY;
	if (code != 0) {
		snprintf(error, SOCKET_ERROR_MAX, "%s", gai_strerror(code));
		return -1;
	}
	int fd = listen_at(found, backlog, error);
	if (fd < 0) *unavailable = is_unavailable(errno);
	freeaddrinfo(found);
	return fd;
}

int socket_listen_unix(const char *path, mode_t mode, int backlog, char error[static SOCKET_ERROR_MAX]) {
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(at.sun_path)) {
		snprintf(error, SOCKET_ERROR_MAX, "path is longer than %zu bytes", sizeof(at.sun_path) - 1);
		return -1;
	}
	memcpy(at.sun_path, path, strlen(path) + 1);
	unlink(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) return fail(fd, error, "socket");
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) return fail(fd, error, "bind");
	if (listen(fd, backlog) < 0) return fail(fd, error, "listen");
	if (mode != 0 && chmod(path, mode) < 0) return fail(fd, error, "chmod");
	return fd;
}

int socket_accept(int listener) {
	return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void socket_close_gently(int fd) {
	enum { PIECES = 64 };
	char unread[16 * 1024];
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < PIECES && recv(fd, unread, sizeof(unread), MSG_DONTWAIT) > 0; i++) continue;
	close(fd);
}

void socket_cut(int fd) {
	shutdown(fd, SHUT_RDWR);
}

void socket_set_no_delay(int fd, bool on) {
	int value = on;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value));
}

void socket_set_keepalive(int fd, int interval_seconds) {
	int on = 1, interval = interval_seconds, probe = interval_seconds / 3, probes = 3;
	if (probe == 0) probe = 1;
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &probe, sizeof(probe));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static void print_name(const struct sockaddr_storage *at, const char *unix_path, char *out) {
	char ip[INET6_ADDRSTRLEN] = "?";
	if (at->ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)at;
		inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof(ip));
		snprintf(out, SOCKET_NAME_MAX, "%s:%d", ip, ntohs(v4->sin_port));
	} else if (at->ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)at;
		inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof(ip));
		snprintf(out, SOCKET_NAME_MAX, "[%s]:%d", ip, ntohs(v6->sin6_port));
	} else {
		snprintf(out, SOCKET_NAME_MAX, "%.*s:0", SOCKET_NAME_MAX - 3, unix_path ? unix_path : "?");
	}
}

void socket_peer_name(int fd, const char *unix_path, char out[static SOCKET_NAME_MAX]) {
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof(at);
	if (getpeername(fd, (struct sockaddr *)&at, &len) < 0) memset(&at, 0, sizeof(at));
	print_name(&at, unix_path, out);
}

void socket_local_name(int fd, const char *unix_path, char out[static SOCKET_NAME_MAX]) {
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof(at);
	if (getsockname(fd, (struct sockaddr *)&at, &len) < 0) memset(&at, 0, sizeof(at));
	print_name(&at, unix_path, out);
}

bool socket_peer_is_local(int fd) {
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof(at);
	if (getpeername(fd, (struct sockaddr *)&at, &len) < 0) return false;
	if (at.ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)&at;
		return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
	}
	if (at.ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&at;
		return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
	}
	return at.ss_family == AF_UNIX;
}
