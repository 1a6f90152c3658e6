/* The floor under ./dev bench's latencies: a server that does next to nothing, so that what a probe sees of it is the work of
 * the machine, the kernel and the load generator.
 *
 *   floor --port N [--fresh BYTES]
 *
 * Answers SET with OK, GET with 64 bytes and PING with PONG, whatever their arguments; they may contain no '*'. With --fresh
 * each SET also writes to so many bytes that were never touched before, as a server does that adds a key: their pages
 * come from the kernel at the same pace. Other options are ignored, and --version says "floor".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* The first letter of the command stands behind "*3\r\n$3\r\n". */
enum { EVENTS = 256, READ_BYTES = 1 << 16, NAME_OFFSET = 8, REPLY_BYTES = 71, MAX_REPLIES = READ_BYTES / NAME_OFFSET };
static const size_t fresh_room = (size_t)1 << 36;

static char *fresh;
static size_t fresh_each, fresh_used;

__attribute__((noreturn)) static void die(const char *what) {
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int listen_on(int port) {
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 128) != 0) die("cannot listen");
	return fd;
}

static void watch(int epoll_fd, int fd) {
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
}

static void welcome(int epoll_fd, int listener) {
	int on = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0) return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	watch(epoll_fd, fd);
}

/* The reply to the request whose '*' is at `at`; `left` bytes are there from it on. One that the read cut off before its
 * name is a SET, since only those come in numbers. */
static const char *reply_to(const char *at, size_t left) {
	static const char get[] = "$64\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n";
	char name = left > NAME_OFFSET ? at[NAME_OFFSET] : 'S';
	if (name == 'G') return get;
	if (name == 'P') return "+PONG\r\n";
	if (fresh_used + fresh_each < fresh_room) {
		if (fresh_each) memset(fresh + fresh_used, 1, fresh_each);
		fresh_used += fresh_each;
	}
	return "+OK\r\n";
}

static void serve(int fd) {
	static char in[READ_BYTES], out[MAX_REPLIES * REPLY_BYTES];
	ssize_t n = recv(fd, in, sizeof(in), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
	if (n <= 0) {
		close(fd);
		return;
	}
	char *to = out;
	const char *end = in + n;
	unsigned replies = 0;
	for (const char *at = in; (at = memchr(at, '*', (size_t)(end - at))) && replies < MAX_REPLIES; at++, replies++)
		to = stpcpy(to, reply_to(at, (size_t)(end - at)));
	if (to > out && send(fd, out, (size_t)(to - out), MSG_NOSIGNAL) < 0) close(fd);
}

int main(int argc, char **argv) {
	int port = 0;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--version") == 0) {
			puts("floor");
			return 0;
		}
		if (strcmp(argv[i], "--port") == 0 && i + 1 < argc) port = atoi(argv[i + 1]);
		if (strcmp(argv[i], "--fresh") == 0 && i + 1 < argc) fresh_each = strtoul(argv[i + 1], NULL, 10);
	}
	fresh = mmap(NULL, fresh_room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fresh == MAP_FAILED) die("no memory");
	int listener = listen_on(port), epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	watch(epoll_fd, listener);
	for (;;) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(epoll_fd, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				welcome(epoll_fd, listener);
			else
				serve(events[i].data.fd);
		}
	}
}
