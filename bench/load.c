/* The load generator of ./dev bench: sends one command, with random parts, over many connections, and reports
 * throughput and latency as one line of JSON.
 *
 *   load [options] COMMAND [ARGUMENT…]
 *     -h HOST -p PORT, -s PATH   where to (127.0.0.1, 6379)
 *     -c N        connections (50)
 *     -P N        commands in one write; the next write follows when all of them are answered (1)
 *     -n N        commands in all (100000); 0 with -t: as many as the time allows
 *     -t SECONDS  end after this time
 *     -r N        {rand} is drawn from 0 … N-1 (1000000)
 *     -R N        commands per second in all, evenly spaced; latency then counts from when a command was due, so
 *                 that a stalled server is charged for all that it kept waiting. "own_lag_us" is how late a command
 *                 went out at worst although a connection was free: that lateness was this program's
 *     -S N        seed
 *     -l          lists the slow replies of a paced run as well, those of more than 2 ms: [[from, to], …] in ns of the
 *                 monotonic clock
 *     -w          watches the machine instead of loading a server: wants to run every half millisecond until stdin ends, and
 *                 prints when it could not, in the same form. Alone at the highest priority on its core it sees only
 *                 what takes the core from everybody: the host of a virtual machine, mostly
 *     -i          idle: opens the connections, one PING each, prints "ready", and holds them until stdin ends
 *     -u          subscribers: sends the command once on each connection, prints "ready" when all have answered, and ends when
 *                 -n messages (or other replies) have come in all
 *     -b          hand-over: one connection waits (BLPOP), another one pushes (RPUSH); the command is the name of the list.
 *                 Latency is from the push to the waiter's reply, -n times
 *
 * A command made of several, divided by ";" as an argument of its own, goes out as one: MULTI ";" GET x ";" EXEC. It is
 * answered when the last of them is.
 *
 * In an argument stand {rand} for twelve random digits, {seq} for twelve digits counted up from 0, and {num:LOW:HIGH}
 * for a random number of that range, where LOW and HIGH have equally many digits: a request keeps its length and is
 * written once, and only the digits change. Latency is from the write of a batch to the read that brings the reply.
 *
 * One thread, and as little work per command as can be: beside a server on the same cores the generator's own cost counts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 18, MAX_PARTS = 64, EVENTS = 512 };

static struct {
	const char *host, *path;
	uint16_t port;
	unsigned connections, pipeline;
	uint64_t requests, range, seed;
	double seconds, rate;
	bool idle, watch, list, subscribe, handover;
} options = { .host = "127.0.0.1",
	.port = 6379,
	.connections = 50,
	.pipeline = 1,
	.requests = 100000,
	.range = 1000000,
	.seed = 1 };

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...) {
	va_list args;
	va_start(args, format);
	fputs("load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static uint64_t now_ns(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Latencies: 64 steps per power of two, so a figure is at most 1.6 % too high. */

enum { STEP_BITS = 6, STEPS = 1 << STEP_BITS, BUCKETS = (64 - STEP_BITS + 1) * STEPS };

static struct {
	uint64_t counts[BUCKETS], total, sum, max;
	uint64_t over_5ms;
	uint64_t own_lag; /* ns: how late a batch went out at worst though a connection was free */
} latencies;

static unsigned bucket_of(uint64_t ns) {
	if (ns < STEPS) return (unsigned)ns;
	unsigned power = 63 - (unsigned)__builtin_clzll(ns);
	return (power - STEP_BITS + 1) * STEPS + (unsigned)(ns >> (power - STEP_BITS)) - STEPS;
}

static uint64_t bucket_end(unsigned bucket) {
	if (bucket < STEPS) return bucket;
	unsigned shift = bucket / STEPS - 1;
	return ((uint64_t)(STEPS + bucket % STEPS + 1) << shift) - 1;
}

static void latency_add(uint64_t ns, uint64_t times) {
	latencies.counts[bucket_of(ns)] += times;
	latencies.total += times;
	latencies.sum += ns * times;
	if (ns > latencies.max) latencies.max = ns;
	if (ns > 5000000) latencies.over_5ms += times;
}

static double latency_us(double part) {
	uint64_t wanted = (uint64_t)(part * (double)latencies.total), seen = 0;
	for (unsigned i = 0; i < BUCKETS; i++) {
		seen += latencies.counts[i];
		if (seen > wanted)
			return (double)(bucket_end(i) < latencies.max ? bucket_end(i) : latencies.max) / 1000;
	}
	return (double)latencies.max / 1000;
}

/* Spans of time, for bench.py to compare. */

enum { MAX_SPANS = 200000 };
static const uint64_t slow_ns = 2000000, watch_step_ns = 500000, stall_ns = 200000;

static struct { uint64_t from, to; } spans[MAX_SPANS];
static unsigned span_count;

static void span_add(uint64_t from, uint64_t to) {
	if (span_count == MAX_SPANS) return;
	spans[span_count].from = from;
	spans[span_count++].to = to;
}

static void print_spans(void) {
	putchar('[');
	for (unsigned i = 0; i < span_count; i++)
		printf("%s[%" PRIu64 ", %" PRIu64 "]", i ? ", " : "", spans[i].from, spans[i].to);
	putchar(']');
}

static void watch_machine(void) {
	uint64_t due = now_ns();
	struct pollfd ends = { .fd = STDIN_FILENO, .events = POLLIN };
	while (poll(&ends, 1, 0) == 0) {
		due += watch_step_ns;
		struct timespec until = { (time_t)(due / 1000000000u), (long)(due % 1000000000u) };
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		uint64_t now = now_ns();
		if (now > due + stall_ns) span_add(due, now);
		if (now > due) due = now;
	}
	print_spans();
	putchar('\n');
}

/* The request: its bytes, and where its changing digits stand. */

struct part {
	size_t offset;
	uint64_t low, span; /* span 0: counted up */
	unsigned digits;
};

static struct {
	char *bytes;
	size_t len;
	struct part parts[MAX_PARTS];
	unsigned part_count;
	unsigned commands; /* that it is made of, each with a reply */
} request;

static char four_digits[10000][4];
static uint64_t random_state, sequence;

static uint64_t random_u64(void) {
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void put_digits(char *to, uint64_t value, unsigned digits) {
	while (digits >= 4) {
		digits -= 4;
		memcpy(to + digits, four_digits[value % 10000], 4);
		value /= 10000;
	}
	while (digits > 0) {
		to[--digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

static void put_parts(char *bytes) {
	for (unsigned i = 0; i < request.part_count; i++) {
		const struct part *p = &request.parts[i];
		uint64_t value =
			p->span ? p->low + (uint64_t)(((__uint128_t)random_u64() * p->span) >> 64) : sequence++;
		put_digits(bytes + p->offset, value, p->digits);
	}
}

static struct part *add_part(size_t offset, unsigned digits) {
	if (request.part_count == MAX_PARTS) die("more than %d changing parts", MAX_PARTS);
	struct part *p = &request.parts[request.part_count++];
	*p = (struct part){ .offset = offset, .digits = digits };
	return p;
}

/* Copies one argument to `out`, its placeholders as digits; the bytes written. `base`: where `out` lies in the request. */
static size_t expand(const char *argument, char *out, size_t base) {
	size_t len = 0;
	const char *at = argument;
	while (*at != '\0') {
		uint64_t low, high;
		int used = 0;
		if (strncmp(at, "{rand}", 6) == 0) {
			add_part(base + len, 12)->span = options.range;
			len += 12;
			at += 6;
		} else if (strncmp(at, "{seq}", 5) == 0) {
			add_part(base + len, 12);
			len += 12;
			at += 5;
		} else if (sscanf(at, "{num:%" SCNu64 ":%" SCNu64 "}%n", &low, &high, &used) == 2 && used > 0) {
			char first[24], last[24];
			int digits = snprintf(first, sizeof(first), "%" PRIu64, low);
			if (snprintf(last, sizeof(last), "%" PRIu64, high) != digits || high < low)
				die("bad range: %s", at);
			struct part *p = add_part(base + len, (unsigned)digits);
			p->low = low;
			p->span = high - low + 1;
			len += (size_t)digits;
			at += used;
		} else {
			out[len++] = *at++;
		}
	}
	return len;
}

static bool is_divider(const char *argument) {
	return argument[0] == ';' && argument[1] == '\0';
}

/* Adds one command. `argument`: room for any of the arguments. */
static void add_command(int argc, char **argv, char *argument) {
	request.commands++;
	request.len += (size_t)sprintf(request.bytes + request.len, "*%d\r\n", argc);
	for (int i = 0; i < argc; i++) {
		/* The length stands before the argument and its placeholders' offsets follow from it: expanded twice. */
		unsigned parts = request.part_count;
		size_t len = expand(argv[i], argument, 0);
		request.part_count = parts;
		request.len += (size_t)sprintf(request.bytes + request.len, "$%zu\r\n", len);
		expand(argv[i], request.bytes + request.len, request.len);
		request.len += len;
		memcpy(request.bytes + request.len, "\r\n", 2);
		request.len += 2;
	}
}

static void request_build(int argc, char **argv) {
	size_t room = 64;
	for (int i = 0; i < argc; i++) room += strlen(argv[i]) * 3 + 64;
	char *argument = malloc(room);
	request.bytes = malloc(room);
	if (argument == NULL || request.bytes == NULL) die("no memory");
	for (int from = 0, to; from < argc; from = to + 1) {
		for (to = from; to < argc && !is_divider(argv[to]); to++) {
		}
		add_command(to - from, argv + from, argument);
	}
	free(argument);
}

/* Connections. */

struct connection {
	int fd;
	char *batch;
	size_t batch_len, sent;
	unsigned waiting; /* replies to come */
	uint64_t since;   /* when the batch was written, or was due */
	uint64_t free_at; /* with a rate: when the last batch was answered */
	/* The reply that is being read: elements to come, bytes of a bulk to skip, and the line read so far. */
	int64_t elements;
	uint64_t skip;
	unsigned line_len;
	char line[256];
	bool wants_write;
};

static struct connection *connections;
static int epoll_fd;
static uint64_t to_send, errors;
static uint64_t deadline_ns;
static char first_error[256];

static int open_socket(unsigned index) {
	int fd;
	if (options.path != NULL) {
		struct sockaddr_un to = { .sun_family = AF_UNIX };
		snprintf(to.sun_path, sizeof(to.sun_path), "%s", options.path);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
			die("%s: %s", options.path, strerror(errno));
		return fd;
	}
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(options.port) };
	if (inet_pton(AF_INET, options.host, &to.sin_addr) != 1) die("not an IPv4 address: %s", options.host);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) die("socket: %s", strerror(errno));
	int on = 1;
	if (options.connections > 10000 && to.sin_addr.s_addr == htonl(INADDR_LOOPBACK)) {
		/* One address has too few ports for so many. */
		struct sockaddr_in from = { .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + index / 10000) };
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0) die("bind: %s", strerror(errno));
	}
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("connection %u to %s:%u: %s", index, options.host, options.port, strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void watch(struct connection *c, bool write) {
	c->wants_write = write;
	struct epoll_event event = { .events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = c };
	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event) != 0) die("epoll_ctl: %s", strerror(errno));
}

static void flush_batch(struct connection *c) {
	while (c->sent < c->batch_len) {
		ssize_t n = send(c->fd, c->batch + c->sent, c->batch_len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			if (!c->wants_write) watch(c, true);
			return;
		}
		if (n < 0) die("send: %s", strerror(errno));
		c->sent += (size_t)n;
	}
	if (c->wants_write) watch(c, false);
}

static void send_batch(struct connection *c, uint64_t since) {
	unsigned count = options.pipeline;
	if (count > to_send) count = (unsigned)to_send;
	if (count == 0 || (deadline_ns != 0 && since >= deadline_ns)) return;
	to_send -= count;
	for (unsigned i = 0; i < count; i++) put_parts(c->batch + i * request.len);
	c->batch_len = count * request.len;
	c->sent = 0;
	c->waiting = count * request.commands;
	c->since = since;
	flush_batch(c);
}

/* One line of a reply; `line` without its end, NUL-terminated. */
static void take_line(struct connection *c, const char *line) {
	switch (line[0]) {
	case '-':
	case '!':
		if (errors++ == 0) snprintf(first_error, sizeof(first_error), "%.200s", line);
		if (line[0] == '!') c->skip = strtoull(line + 1, NULL, 10) + 2;
		break;
	case '$':
	case '=':
		if (line[1] != '-') c->skip = strtoull(line + 1, NULL, 10) + 2;
		break;
	case '*':
	case '~':
	case '>': c->elements += line[1] == '-' ? 0 : strtoll(line + 1, NULL, 10); break;
	case '%': c->elements += 2 * strtoll(line + 1, NULL, 10); break;
	case '+':
	case ':':
	case '_':
	case '#':
	case ',':
	case '(': break;
	default: die("this is no reply: %.40s", line);
	}
	c->elements--;
}

/* Counts the replies that end in these bytes. */
static unsigned count_replies(struct connection *c, const char *at, const char *end) {
	unsigned done = 0;
	while (at < end) {
		if (c->skip > 0) {
			uint64_t n = c->skip < (uint64_t)(end - at) ? c->skip : (uint64_t)(end - at);
			at += n;
			c->skip -= n;
		} else {
			if (c->elements == 0) c->elements = 1;
			const char *newline = memchr(at, '\n', (size_t)(end - at));
			const char *stop = newline ? newline : end;
			size_t n = (size_t)(stop - at), room = sizeof(c->line) - 1 - c->line_len;
			if (n > room) n = room;
			memcpy(c->line + c->line_len, at, n);
			c->line_len += (unsigned)n;
			if (newline == NULL) return done;
			at = newline + 1;
			c->line[c->line_len] = '\0';
			c->line_len = 0;
			take_line(c, c->line);
		}
		if (c->skip == 0 && c->elements == 0) done++;
	}
	return done;
}

/* How many requests so many replies are still the end of. */
static unsigned whole_requests(unsigned replies) {
	return (replies + request.commands - 1) / request.commands;
}

static bool read_replies(struct connection *c) {
	static char buffer[READ_BYTES];
	ssize_t n = recv(c->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
	if (n <= 0) die("the server closed a connection: %s", n < 0 ? strerror(errno) : "end of stream");
	unsigned done = count_replies(c, buffer, buffer + n);
	if (done > c->waiting) die("more replies than requests");
	if (done == 0) return false;
	uint64_t now = now_ns();
	unsigned before = whole_requests(c->waiting);
	c->waiting -= done;
	latency_add(now - c->since, before - whole_requests(c->waiting));
	if (options.list && now - c->since > slow_ns) span_add(c->since, now);
	return c->waiting == 0;
}

static void open_connections(void) {
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < options.connections + 64) {
		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) != 0)
			die("cannot raise the limit of open files: %s", strerror(errno));
	}
	connections = calloc(options.connections, sizeof(*connections));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; i < options.connections; i++) {
		struct connection *c = &connections[i];
		c->fd = open_socket(i);
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) die("epoll_ctl: %s", strerror(errno));
	}
}

static void hold_idle_connections(void) {
	for (unsigned i = 0; i < options.connections; i++) {
		char reply[64];
		if (send(connections[i].fd, "PING\r\n", 6, MSG_NOSIGNAL) != 6) die("send: %s", strerror(errno));
		if (recv(connections[i].fd, reply, sizeof(reply), 0) < 5 || memcmp(reply, "+PONG", 5) != 0)
			die("connection %u: no PONG", i);
	}
	puts("ready");
	fflush(stdout);
	char byte;
	while (read(STDIN_FILENO, &byte, 1) > 0) {
	}
}

static void subscribe(void) {
	static char buffer[READ_BYTES];
	struct epoll_event events[EVENTS];
	for (unsigned i = 0; i < options.connections; i++)
		if (send(connections[i].fd, request.bytes, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
			die("send: %s", strerror(errno));
	uint64_t replies = 0, wanted = options.connections + options.requests;
	while (replies < wanted) {
		int n = epoll_wait(epoll_fd, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			ssize_t len = recv(c->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
			if (len <= 0) die("the server closed a subscriber");
			uint64_t before = replies;
			replies += count_replies(c, buffer, buffer + len);
			if (before < options.connections && replies >= options.connections) {
				puts("ready");
				fflush(stdout);
			}
		}
	}
	if (errors > 0) die("%s", first_error);
	puts("done");
}

/* One push after the other, each when its waiter has had time to wait. */
static void hand_over(const char *list) {
	char pop[256], push[256], reply[256], want[256];
	size_t len = strlen(list);
	if (options.connections != 2 || len > 100) die("-b wants -c 2 and a short name");
	int pop_len = sprintf(pop, "*3\r\n$5\r\nBLPOP\r\n$%zu\r\n%s\r\n$1\r\n0\r\n", len, list);
	int push_len = sprintf(push, "*3\r\n$5\r\nRPUSH\r\n$%zu\r\n%s\r\n$1\r\nx\r\n", len, list);
	int want_len = sprintf(want, "*2\r\n$%zu\r\n%s\r\n$1\r\nx\r\n", len, list);
	int waiter = connections[0].fd, pusher = connections[1].fd;
	for (uint64_t i = 0; i < options.requests; i++) {
		if (send(waiter, pop, (size_t)pop_len, MSG_NOSIGNAL) != pop_len) die("send: %s", strerror(errno));
		usleep(500);
		uint64_t start = now_ns();
		if (send(pusher, push, (size_t)push_len, MSG_NOSIGNAL) != push_len) die("send: %s", strerror(errno));
		if (recv(waiter, reply, (size_t)want_len, MSG_WAITALL) != want_len ||
			memcmp(reply, want, (size_t)want_len) != 0)
			die("this is no element: %.40s", reply);
		latency_add(now_ns() - start, 1);
		if (recv(pusher, reply, 4, MSG_WAITALL) != 4 || memcmp(reply, ":1\r\n", 4) != 0)
			die("this is no length: %.4s", reply);
	}
}

static void make_batches(void) {
	for (unsigned i = 0; i < options.connections; i++) {
		connections[i].batch = malloc(options.pipeline * request.len);
		if (connections[i].batch == NULL) die("no memory");
		for (unsigned k = 0; k < options.pipeline; k++)
			memcpy(connections[i].batch + k * request.len, request.bytes, request.len);
	}
}

static bool busy(void) {
	for (unsigned i = 0; i < options.connections; i++)
		if (connections[i].waiting > 0) return true;
	return false;
}

/* As fast as the answers come. */
static void run_closed(void) {
	struct epoll_event events[EVENTS];
	for (unsigned i = 0; i < options.connections; i++) send_batch(&connections[i], now_ns());
	while (busy()) {
		int n = epoll_wait(epoll_fd, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			if (events[i].events & EPOLLOUT) flush_batch(c);
			if (events[i].events & ~(uint32_t)EPOLLOUT && read_replies(c)) send_batch(c, now_ns());
		}
	}
}

/* At a rate: what is due goes out on a free connection; without a free one it waits, and its waiting counts. */
static void run_paced(void) {
	struct epoll_event events[EVENTS];
	double step = 1e9 / options.rate * options.pipeline;
	uint64_t start = now_ns(), batches = 0;
	struct connection **spare = calloc(options.connections, sizeof(struct connection *));
	unsigned free_count = 0;
	for (unsigned i = 0; i < options.connections; i++) spare[free_count++] = &connections[i];
	for (;;) {
		uint64_t now = now_ns(), due = start + (uint64_t)((double)batches * step);
		bool over = to_send == 0 || (deadline_ns != 0 && due >= deadline_ns);
		if (over && free_count == options.connections) break;
		if (!over && due <= now && free_count > 0) {
			struct connection *c = spare[--free_count];
			if (c->free_at <= due && now - due > latencies.own_lag) latencies.own_lag = now - due;
			send_batch(c, due);
			batches++;
			continue;
		}
		struct timespec wait = { 0, 0 };
		if (over || free_count == 0) {
			wait.tv_nsec = 100000000;
		} else if (due > now) {
			wait.tv_sec = (time_t)((due - now) / 1000000000u);
			wait.tv_nsec = (long)((due - now) % 1000000000u);
		}
		int n = epoll_pwait2(epoll_fd, events, EVENTS, &wait, NULL);
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			if (events[i].events & EPOLLOUT) flush_batch(c);
			if (events[i].events & ~(uint32_t)EPOLLOUT && read_replies(c)) {
				c->free_at = now_ns();
				spare[free_count++] = c;
			}
		}
	}
	free(spare);
}

static uint64_t cpu_us(void) {
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000u +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void read_options(int argc, char **argv) {
	int option;
	while ((option = getopt(argc, argv, "+h:p:s:c:P:n:t:r:R:S:ilwub")) != -1) {
		switch (option) {
		case 'h': options.host = optarg; break;
		case 'p': options.port = (uint16_t)atoi(optarg); break;
		case 's': options.path = optarg; break;
		case 'c': options.connections = (unsigned)atoi(optarg); break;
		case 'P': options.pipeline = (unsigned)atoi(optarg); break;
		case 'n': options.requests = strtoull(optarg, NULL, 10); break;
		case 't': options.seconds = atof(optarg); break;
		case 'r': options.range = strtoull(optarg, NULL, 10); break;
		case 'R': options.rate = atof(optarg); break;
		case 'S': options.seed = strtoull(optarg, NULL, 10); break;
		case 'i': options.idle = true; break;
		case 'l': options.list = true; break;
		case 'w': options.watch = true; break;
		case 'u': options.subscribe = true; break;
		case 'b': options.handover = true; break;
		default: die("the head of bench/load.c says what it takes");
		}
	}
	if (options.connections == 0 || options.pipeline == 0 || options.range == 0)
		die("-c, -P and -r are at least 1");
	if (!options.idle && !options.watch && optind == argc) die("no command given");
	if (options.requests == 0 && options.seconds <= 0) die("-n 0 needs -t");
}

int main(int argc, char **argv) {
	read_options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 10000; i++) {
		char text[8];
		snprintf(text, sizeof(text), "%04d", i);
		memcpy(four_digits[i], text, 4);
	}
	random_state = (options.seed + 1) * 0x9E3779B97F4A7C15ull;
	if (options.watch) {
		watch_machine();
		return 0;
	}
	open_connections();
	if (options.idle) {
		hold_idle_connections();
		return 0;
	}
	request_build(argc - optind, argv + optind);
	if (options.subscribe) {
		subscribe();
		return 0;
	}
	make_batches();
	to_send = options.requests ? options.requests : UINT64_MAX;
	uint64_t start = now_ns(), cpu = cpu_us();
	if (options.seconds > 0) deadline_ns = start + (uint64_t)(options.seconds * 1e9);
	if (options.handover)
		hand_over(argv[optind]);
	else if (options.rate > 0)
		run_paced();
	else
		run_closed();
	double seconds = (double)(now_ns() - start) / 1e9;
	double total = (double)latencies.total;
	for (char *p = first_error; *p; p++)
		if (*p == '"' || *p == '\\' || *p == '\r') *p = ' ';
	printf("{\"requests\": %" PRIu64 ", \"seconds\": %.4f, \"rps\": %.0f, \"errors\": %" PRIu64
	       ", \"first_error\": \"%s\", "
	       "\"load_cpu_us_per_op\": %.4f, \"mean_us\": %.2f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": "
	       "%.2f, "
	       "\"max_us\": %.2f, \"over_5ms\": %" PRIu64 ", \"own_lag_us\": %.2f",
		latencies.total, seconds, total / seconds, errors, first_error, (double)(cpu_us() - cpu) / total,
		(double)latencies.sum / total / 1000, latency_us(0.5), latency_us(0.99), latency_us(0.999),
		(double)latencies.max / 1000, latencies.over_5ms, (double)latencies.own_lag / 1000);
	if (options.list) {
		printf(", \"slow\": ");
		print_spans();
	}
	puts("}");
	return errors > 0 ? 3 : 0;
}
