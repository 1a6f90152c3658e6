/* Sockets: listening, accepting, options, names. Thread-safe, keeps no state. */
#ifndef TARN_NET_SOCKET_H
#define TARN_NET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SOCKET_NAME_MAX = 128, SOCKET_ERROR_MAX = 160 };

/* Listens on one address ("127.0.0.1", "::1", "*" for all IPv4, "::*" for all IPv6). Returns the descriptor, non-blocking,
 * or -1 with a text in `error`. *unavailable says that the address or its family does not exist here, which a bind address
 * with a leading "-" forgives. */
int socket_listen_tcp(
	const char *address, int port, int backlog, char error[static SOCKET_ERROR_MAX], bool *unavailable);

/* Removes what lies at `path` before. `mode` 0 leaves the permissions to the umask. */
int socket_listen_unix(const char *path, mode_t mode, int backlog, char error[static SOCKET_ERROR_MAX]);

/* The next connection, non-blocking and closed on exec; -1 when there is none (errno tells why). */
int socket_accept(int listener);

/* Closes a socket whose last words are on their way. TCP would destroy them if the peer had said anything that nobody has
 * read, so that is read first, as far as it is here and within reason. */
void socket_close_gently(int fd);

/* The peer sees the end at once, and nothing more goes either way; the descriptor stays for its owner to close. */
void socket_cut(int fd);

void socket_set_no_delay(int fd, bool on);
void socket_set_keepalive(int fd, int interval_seconds);

/* "127.0.0.1:6379", "[::1]:6379", or `unix_path:0` for a unix socket. */
void socket_peer_name(int fd, const char *unix_path, char out[static SOCKET_NAME_MAX]);
void socket_local_name(int fd, const char *unix_path, char out[static SOCKET_NAME_MAX]);

/* Whether the peer is this machine: a loopback address or a unix socket. */
bool socket_peer_is_local(int fd);

#endif
