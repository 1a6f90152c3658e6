/* --eval <file> key ... , argument ...: runs the script in a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/number.h"
#include "tools/cli_modes.h"

bool cli_read_all(int fd, struct buffer *text) {
	enum { CHUNK_BYTES = 64 * 1024 };
	for (;;) {
		ssize_t n = read(fd, buffer_reserve(text, CHUNK_BYTES), CHUNK_BYTES);
		if (n > 0) text->len += (size_t)n;
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return n == 0;
	}
}

static bool read_script(const char *path, struct buffer *script) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "Can't open file '%s': %s\n", path, strerror(errno));
		return false;
	}
	bool ok = cli_read_all(fd, script);
	if (!ok) fprintf(stderr, "Can't read file '%s': %s\n", path, strerror(errno));
	close(fd);
	return ok;
}

/* A comma that stands alone ends the keys; a later one is an argument. */
static size_t count_keys(char *const *words, size_t count) {
	size_t keys = 0;
	while (keys < count && strcmp(words[keys], ",") != 0) keys++;
	return keys;
}

static bool run(struct cli_session *session, struct slice script, char *const *words, size_t count) {
	char digits[NUMBER_I64_MAX_CHARS + 1];
	size_t keys = count_keys(words, count), used = 0;
	struct slice *command = mem_alloc((count + 3) * sizeof(*command));
	command[used++] = SLICE_LITERAL("EVAL");
	command[used++] = script;
	command[used++] = slice_of(digits, number_format_i64(digits, (int64_t)keys));
	for (size_t i = 0; i < count; i++)
		if (i != keys) command[used++] = slice_of_cstr(words[i]);
	bool ok = cli_session_run(session, command, used, session->options->repeat);
	mem_free(command);
	return ok;
}

int cli_eval_run(struct cli_session *session, char *const *words, size_t count) {
	struct buffer script = { 0 };
	bool ok = read_script(session->options->script_path, &script);
	if (ok) ok = run(session, script.len > 0 ? buffer_slice(&script) : slice_of("", 0), words, count);
	buffer_release(&script);
	return ok ? 0 : 1;
}
