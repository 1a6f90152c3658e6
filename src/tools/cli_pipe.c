/* --pipe: standard input goes to the server as it is, while replies are read and counted. An ECHO of a random text, sent
 * behind everything, tells when the last reply has come. */
#include "tools/cli_modes.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"

enum { CHUNK_BYTES = 256 * 1024, MARK_RANDOM_BYTES = 10 };

struct pipe {
	struct cli_session *session;
	struct buffer out; /* read from stdin, [sent, len) not sent yet */
	size_t sent;
	bool input_ended;
	bool done;
	char mark[2 * MARK_RANDOM_BYTES + 1];
	uint64_t replies, errors;
	int64_t last_reply_ms;
};

/* Standard input is used up: the mark follows it. The line end ahead of it closes an inline command that lacks one, and
 * is nothing otherwise. */
static void end_input(struct pipe *pipe) {
	random_hex(pipe->mark, MARK_RANDOM_BYTES);
	buffer_appendf(&pipe->out, "\r\n*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n", 2 * MARK_RANDOM_BYTES, pipe->mark);
	pipe->input_ended = true;
	pipe->last_reply_ms = clock_monotonic_ms();
	puts("All data transferred. Waiting for the last reply...");
	fflush(stdout);
}

static bool read_input(struct pipe *pipe) {
	pipe->out.len = pipe->sent = 0;
	ssize_t n = read(STDIN_FILENO, buffer_reserve(&pipe->out, CHUNK_BYTES), CHUNK_BYTES);
	if (n < 0 && errno == EINTR) return true;
	if (n < 0) {
		fprintf(stderr, "Error reading from stdin: %s\n", strerror(errno));
		return false;
	}
	pipe->out.len = (size_t)n;
	if (n == 0) end_input(pipe);
	return true;
}

static bool write_server(struct pipe *pipe) {
	ssize_t n = send(pipe->session->connection.fd, pipe->out.data + pipe->sent, pipe->out.len - pipe->sent,
		MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n >= 0) {
		pipe->sent += (size_t)n;
		return true;
	}
	if (errno == EAGAIN || errno == EINTR) return true;
	fprintf(stderr, "Error writing to the server: %s\n", strerror(errno));
	return false;
}

static void count_reply(struct pipe *pipe, const struct reply_node *reply) {
	pipe->last_reply_ms = clock_monotonic_ms();
	if (reply->type == REPLY_NODE_PUSH) return;
	if (pipe->input_ended && reply->type == REPLY_NODE_STRING &&
		slice_equal(reply->text, slice_of_cstr(pipe->mark))) {
		puts("Last reply received from server.");
		pipe->done = true;
		return;
	}
	pipe->replies++;
	if (reply->type != REPLY_NODE_ERROR) return;
	pipe->errors++;
	fprintf(stderr, "%.*s\n", (int)reply->text.len, reply->text.ptr);
}

static bool read_server(struct pipe *pipe) {
	struct cli_connection *connection = &pipe->session->connection;
	const struct reply_node *reply;
	char *room = reply_reader_reserve(&connection->reader, CHUNK_BYTES);
	ssize_t n = recv(connection->fd, room, CHUNK_BYTES, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
	if (n <= 0) {
		fprintf(stderr, "Error reading from the server: %s\n",
			n == 0 ? "Server closed the connection" : strerror(errno));
		return false;
	}
	reply_reader_commit(&connection->reader, (size_t)n);
	for (;;) {
		enum reply_read result = reply_reader_next(&connection->reader, &reply);
		if (result == REPLY_READ_MORE) return true;
		if (result == REPLY_READ_BAD) {
			fprintf(stderr, "Error reading from the server: %s\n", connection->reader.error);
			return false;
		}
		count_reply(pipe, reply);
	}
}

/* Milliseconds until patience ends; -1: never. */
static int64_t patience_ms(const struct pipe *pipe) {
	int64_t limit_s = pipe->session->options->pipe_timeout_s;
	if (!pipe->input_ended || limit_s == 0) return -1;
	int64_t left = pipe->last_reply_ms + limit_s * 1000 - clock_monotonic_ms();
	return left < 0 ? 0 : left;
}

static bool step(struct pipe *pipe) {
	bool pending = pipe->sent < pipe->out.len;
	struct pollfd fds[2] = {
		{ .fd = pipe->session->connection.fd, .events = (short)(POLLIN | (pending ? POLLOUT : 0)) },
		{ .fd = pending || pipe->input_ended ? -1 : STDIN_FILENO, .events = POLLIN },
	};
	int64_t timeout_ms = patience_ms(pipe);
	if (timeout_ms == 0) {
		fprintf(stderr, "No replies for %lld seconds: exiting.\n",
			(long long)pipe->session->options->pipe_timeout_s);
		pipe->errors++;
		return false;
	}
	if (poll(fds, 2, timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms) < 0) return errno == EINTR;
	if (fds[0].revents & (POLLIN | POLLHUP | POLLERR) && !read_server(pipe)) return false;
	if (fds[0].revents & POLLOUT && !write_server(pipe)) return false;
	return !fds[1].revents || read_input(pipe);
}

int cli_pipe_run(struct cli_session *session) {
	struct pipe pipe = { .session = session };
	bool ok = true;
	while (ok && !pipe.done) ok = step(&pipe);
	printf("errors: %llu, replies: %llu\n", (unsigned long long)pipe.errors, (unsigned long long)pipe.replies);
	buffer_release(&pipe.out);
	return ok && pipe.errors == 0 ? 0 : 1;
}
