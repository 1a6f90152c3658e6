/* Hostile scripts, on the way that EVAL_RO's take: a whole server with two workers runs in this process, and each input is a script
 * for it. (EVAL_RO, since one that has written could not be killed.)
 *
 * Promised: the server answers, with one well-formed reply; a script that does not end can be killed; and none leaves anything
 * behind that the next can see: a script that looks at its surroundings says the same after every input.
 *
 * Input: one byte (bit 0: RESP3; bit 1: the rest are words and not text; bit 2: it is the code of a library), the source. A
 * word is a byte below 128 that stands for a piece of Lua, or one above it whose lower bits are a character. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"

/* The program as it is, under another name: whatever main wires is wired here. */
int tarn_main(int argc, char **argv);
#define main tarn_main
#include "main.c"
#undef main

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __lsan_is_turned_off(void);

/* What other threads keep would count as leaked by the input at hand. */
int __lsan_is_turned_off(void) {
	return 1;
}

enum { PATIENCE_MS = 30, KILL_PATIENCE_S = 8, MAX_SOURCE = 1 << 14 };

static const char *const words[128] = { " ", "\n", "local ", "return ", "a", "b", "c", "t", " = ", "(", ")", "{", "}",
	"[", "]", ",", ".", ":", "..", "...", "if ", " then ", " else ", " end ", "while ", " do ", "for i = 1, ",
	"for k, v in ", "repeat ", " until ", "function(", "break ", "nil", "true", "false", "0", "1", "2", "-1", "7.5",
	"1e308", "2^53", "'x'", "'%a+'", "''", "\"\\0\"", "[[", "]]", " + ", " - ", " * ", " / ", " % ", " ^ ", "#",
	" == ", " ~= ", " < ", " <= ", " and ", " or ", "not ", ";", "redis.call(", "redis.pcall(", "'GET', ",
	"'LRANGE', ", "'HGETALL', ", "'ZRANGE', ", "KEYS[1]", "KEYS[2]", "ARGV[1]", "KEYS", "ARGV", "redis.setresp(3)",
	"redis.error_reply(", "redis.status_reply(", "redis.sha1hex(", "err", "ok", "map", "set", "double", "pcall(",
	"xpcall(", "error(", "select(", "string.rep(", "string.format(", "string.gsub(", "string.find(", "string.byte(",
	"string.dump(", "table.concat(", "table.sort(", "table.insert(", "unpack(", "tostring(", "tonumber(",
	"setmetatable(", "getmetatable(", "rawset(", "rawget(", "__index", "__gc", "__newindex", "__call", "_G",
	"loadstring(", "coroutine.wrap(", "coroutine.create(", "coroutine.resume(", "coroutine.yield(",
	"collectgarbage(", "next(", "pairs(", "ipairs(", "cjson.encode(", "cjson.decode(", "cmsgpack.pack(",
	"cmsgpack.unpack(", "struct.pack(", "struct.unpack(", "bit.tohex(", "bit.lshift(", "math.random(", "big_number",
	"redis.register_function('f', function(keys, args) " };

/* Names and kinds of all there is, a random number, and whether the usual still works and the forbidden still fails. */
static const char look_around[] =
	"local out = {}\n"
	"local function look(name, t)\n"
	"  local names = {}\n"
	"  for k, v in pairs(t) do names[#names + 1] = tostring(k) .. ':' .. type(v) end\n"
	"  table.sort(names)\n"
	"  out[#out + 1] = name .. ' ' .. table.concat(names, ' ')\n"
	"end\n"
	"look('_G', _G) look('redis', redis) look('string', string) look('table', table) look('math', math)\n"
	"look('coroutine', coroutine) look('cjson', cjson) look('cmsgpack', cmsgpack) look('struct', struct) "
	"look('bit', bit)\n"
	"math.randomseed(1)\n"
	"out[#out + 1] = math.random() .. ' ' .. math.random(100) .. ' ' .. cjson.encode({1.5, 'x', false}) .. "
	"('x'):upper()\n"
	"out[#out + 1] = tostring(pcall(function() some = 1 end)) .. tostring(pcall(function() return ('x').y.z end))\n"
	"out[#out + 1] = tostring(pcall(function() string.rep = 1 end)) .. tostring(pcall(rawset, _G, 'x', 1))\n"
	"out[#out + 1] = tostring(redis.call('GET', 'text')) .. type(redis.call('HGETALL', 'hash').map)\n"
	"return table.concat(out, '\\n')";

static char socket_path[64];
static struct buffer first_look;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

/* A connection. */

struct peer {
	int fd;
	struct buffer in;
	size_t at;       /* read up to here */
	size_t skip;     /* of a bulk string, still to come */
	size_t elements; /* of the reply that is being read, still to come; 0: none has begun */
};

static struct peer runner, killer;

static void peer_open(struct peer *p) {
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	memcpy(to.sun_path, socket_path, strlen(socket_path) + 1);
	for (unsigned tries = 0;; tries++) {
		p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (p->fd >= 0 && connect(p->fd, (struct sockaddr *)&to, sizeof(to)) == 0) return;
		if (tries == 4000) fail("the server cannot be reached: %s", strerror(errno));
		close(p->fd);
		usleep(5000);
	}
}

static void peer_send(struct peer *p, struct slice bytes) {
	while (bytes.len > 0) {
		ssize_t n = send(p->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
		if (n <= 0) fail("the server is gone: %s", strerror(errno));
		bytes = slice_of(bytes.ptr + n, bytes.len - (size_t)n);
	}
}

/* One line of a reply. */
static void take_line(struct peer *p, const char *line, size_t len) {
	if (len < 2 || line[len - 1] != '\r') fail("this is no line of a reply: %.*s", (int)len, line);
	size_t count = strtoull(line + 1, NULL, 10);
	p->elements--;
	switch (line[0]) {
	case '$':
	case '=':
	case '!':
		if (line[1] != '-') p->skip = count + 2;
		return;
	case '*':
	case '~':
	case '>':
		if (line[1] != '-') p->elements += count;
		return;
	case '%': p->elements += 2 * count; return;
	case '+':
	case '-':
	case ':':
	case ',':
	case '#':
	case '(':
	case '_': return;
	default: fail("no reply begins like this: %.*s", (int)len, line);
	}
}

/* Whether a whole reply lies in what has come; goes on where it has stopped. */
static bool reply_is_whole(struct peer *p) {
	if (p->elements == 0 && p->skip == 0) p->elements = 1;
	while (p->at < p->in.len) {
		size_t left = p->in.len - p->at;
		const char *from = p->in.data + p->at;
		if (p->skip > 0) {
			size_t n = p->skip < left ? p->skip : left;
			p->at += n;
			p->skip -= n;
		} else {
			const char *end = memchr(from, '\n', left);
			if (!end) return false;
			p->at += (size_t)(end - from) + 1;
			take_line(p, from, (size_t)(end - from));
		}
		if (p->elements == 0 && p->skip == 0) return true;
	}
	return false;
}

/* One reply's bytes, valid until the next call; none (len 0) when it does not come within that time. */
static struct slice peer_read(struct peer *p, int timeout_ms) {
	if (p->elements == 0 && p->skip == 0 && p->at > 0) {
		memmove(p->in.data, p->in.data + p->at, p->in.len - p->at);
		p->in.len -= p->at;
		p->at = 0;
	}
	while (!reply_is_whole(p)) {
		struct pollfd wait = { .fd = p->fd, .events = POLLIN };
		int ready = poll(&wait, 1, timeout_ms);
		if (ready < 0 && errno == EINTR) continue; /* libFuzzer's own alarm */
		if (ready == 0) return slice_of(NULL, 0);
		ssize_t n = recv(p->fd, buffer_reserve(&p->in, 1 << 16), 1 << 16, 0);
		if (n <= 0) fail("the server closed the connection");
		p->in.len += (size_t)n;
	}
	return slice_of(p->in.data, p->at);
}

static void add_word(struct buffer *out, struct slice word) {
	buffer_appendf(out, "$%zu\r\n", word.len);
	buffer_append_slice(out, word);
	buffer_append(out, "\r\n", 2);
}

static void add_command(struct buffer *out, unsigned count, ...) {
	va_list args;
	buffer_appendf(out, "*%u\r\n", count);
	va_start(args, count);
	for (unsigned i = 0; i < count; i++) {
		const char *word = va_arg(args, const char *);
		add_word(out, slice_of_cstr(word));
	}
	va_end(args);
}

/* The next reply. Whatever script it waits for is killed when it goes on for too long. */
static struct slice await_reply(void) {
	time_t start = time(NULL);
	struct slice reply;
	while (reply = peer_read(&runner, PATIENCE_MS), reply.len == 0) {
		if (time(NULL) - start > KILL_PATIENCE_S) fail("the script cannot be killed");
		peer_send(&killer, SLICE_LITERAL("SCRIPT KILL\r\nFUNCTION KILL\r\n"));
		for (unsigned i = 0; i < 2; i++)
			if (peer_read(&killer, KILL_PATIENCE_S * 1000).len == 0) fail("SCRIPT KILL is not answered");
	}
	return reply;
}

/* What look_around says, and that nothing but it is answered. */
static void check_surroundings(void) {
	struct slice look = peer_read(&runner, KILL_PATIENCE_S * 1000);
	if (look.len == 0) fail("no answer to what came after the script");
	if (first_look.len == 0) {
		if (look.ptr[0] != '$') fail("%.*s", (int)look.len, look.ptr);
		buffer_append_slice(&first_look, look);
	}
	if (look.len != first_look.len || memcmp(look.ptr, first_look.data, look.len) != 0)
		fail("the script has left something behind. Before:\n%.*s\nnow:\n%.*s", (int)first_look.len,
			first_look.data, (int)look.len, look.ptr);
}

static void check_ok(void) {
	struct slice reply = peer_read(&runner, KILL_PATIENCE_S * 1000);
	if (reply.len == 0 || memcmp(reply.ptr, "+OK\r\n", 5) != 0) fail("not OK: %.*s", (int)reply.len, reply.ptr);
}

/* The server. */

static void *serve(void *unused) {
	(void)unused;
	/* In one piece, as the arguments of a process are. */
	static char text[512];
	static const char *const line[] = { "tarn-server", "--port", "0", "--unixsocket", socket_path, "--threads", "2",
		"--save", "", "--crash-log-enabled", "no", "--loglevel", "warning", "--busy-reply-threshold", "5",
		"--set-proc-title", "no" };
	enum { COUNT = sizeof(line) / sizeof(line[0]) };
	static char *arguments[COUNT + 1];
	char *at = text;
	for (unsigned i = 0; i < COUNT; i++) {
		arguments[i] = at;
		at = stpcpy(at, line[i]) + 1;
	}
	_exit(tarn_main(COUNT, arguments) + 70); /* it is never asked to leave */
}

static void remove_socket(void) {
	unlink(socket_path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
	(void)argc;
	(void)argv;
	pthread_t thread;
	snprintf(socket_path, sizeof(socket_path), "/tmp/tarn-lua-fuzz-%d.sock", (int)getpid());
	atexit(remove_socket);
	if (pthread_create(&thread, NULL, serve, NULL) != 0) fail("no thread for the server");
	peer_open(&killer);
	peer_open(&runner);
	struct buffer out = { 0 };
	add_command(&out, 5, "MSET", "text", "value", "number", "17");
	add_command(&out, 4, "SADD", "set", "a", "b");
	add_command(&out, 4, "RPUSH", "list", "a", "b");
	add_command(&out, 4, "HSET", "hash", "field", "value");
	add_command(&out, 4, "ZADD", "zset", "1.5", "member");
	peer_send(&runner, buffer_slice(&out));
	for (unsigned i = 0; i < 5; i++)
		if (peer_read(&runner, KILL_PATIENCE_S * 1000).len == 0) fail("the server does not answer");
	out.len = 0;
	add_command(&out, 3, "EVAL_RO", look_around, "0");
	peer_send(&runner, buffer_slice(&out));
	check_surroundings();
	buffer_release(&out);
	return 0;
}

/* The input's source, in `out`. */
static void make_source(struct buffer *out, const uint8_t *data, size_t size, bool of_words) {
	if (!of_words) {
		buffer_append(out, data, size);
		return;
	}
	for (size_t i = 0; i < size && out->len < MAX_SOURCE; i++) {
		if (data[i] & 0x80)
			buffer_append_char(out, (char)(data[i] & 0x7f));
		else if (words[data[i]])
			buffer_append(out, words[data[i]], strlen(words[data[i]]));
	}
}

static void add_library(struct buffer *out, struct slice source) {
	struct buffer code = { 0 };
	buffer_appendf(&code, "#!lua name=fuzz\n");
	buffer_append_slice(&code, source);
	buffer_appendf(out, "*4\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n$7\r\nREPLACE\r\n");
	add_word(out, buffer_slice(&code));
	add_command(out, 5, "FCALL_RO", "f", "1", "list", "1");
	add_command(out, 2, "FUNCTION", "FLUSH");
	buffer_release(&code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 1 || size > MAX_SOURCE) return 0;
	struct buffer source = { 0 }, out = { 0 };
	bool resp3 = data[0] & 1, library = data[0] & 4;
	make_source(&source, data + 1, size - 1, data[0] & 2);
	add_command(&out, 2, "HELLO", resp3 ? "3" : "2");
	if (library) {
		add_library(&out, buffer_slice(&source));
	} else {
		buffer_appendf(&out, "*7\r\n$7\r\nEVAL_RO\r\n");
		add_word(&out, buffer_slice(&source));
		buffer_appendf(&out, "$1\r\n2\r\n$4\r\ntext\r\n$4\r\nzset\r\n$1\r\n7\r\n$3\r\narg\r\n");
	}
	peer_send(&runner, buffer_slice(&out));
	for (unsigned i = library ? 4 : 2; i > 0; i--) await_reply();

	/* Only now, so that no late SCRIPT KILL hits this one. */
	out.len = 0;
	add_command(&out, 3, "EVAL_RO", look_around, "0");
	add_command(&out, 2, "SCRIPT", "FLUSH");
	peer_send(&runner, buffer_slice(&out));
	check_surroundings();
	check_ok();
	buffer_release(&source);
	buffer_release(&out);
	return 0;
}
