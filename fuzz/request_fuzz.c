/* The request parser on any bytes, whole and cut to pieces. It must stay within them (each piece lies in an
 * allocation of its size) and make the same of the stream however it comes.
 *
 * Input: one byte of settings (bit 0: authenticated; the others: size of the pieces), then the stream. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "resp/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition) {
	if (!condition) abort();
}

static void note_request(struct buffer *log, enum request_status status, const struct request *request) {
	buffer_appendf(log, "%d\n", (int)status);
	if (status == REQUEST_ERROR) {
		char text[REQUEST_ERROR_TEXT_MAX];
		buffer_appendf(log, "%s\n", request_error_text(request, text));
	} else if (status == REQUEST_OK) {
		must(request->argc > 0);
		for (unsigned i = 0; i < request->argc; i++) buffer_append_quoted(log, request->argv[i]);
	}
}

/* Parses what is complete of the range, returns how much that is; *failed when the stream has ended in an error. */
static size_t parse_range(struct request_parser *parser, const struct request_limits *limits, const char *bytes,
	size_t len, struct buffer *log, bool *failed) {
	struct request_arena arena = { 0 };
	size_t at = 0;
	for (;;) {
		struct request request = { 0 };
		enum request_status status = request_parse(parser, limits, bytes + at, len - at, &arena, &request);
		if (status == REQUEST_MORE) {
			must(request_wanted(parser, len - at) >= 1);
			break;
		}
		note_request(log, status, &request);
		*failed = status == REQUEST_ERROR;
		if (*failed) break;
		must(request.bytes > 0 && request.bytes <= len - at);
		at += request.bytes;
	}
	request_arena_release(&arena);
	return at;
}

static struct buffer parse_stream(const struct request_limits *limits, const char *stream, size_t size, size_t piece) {
	struct buffer log = { 0 };
	struct request_parser parser = { 0 };
	bool failed = false;
	size_t pos = 0;
	for (size_t have = 0; have < size && !failed;) {
		have = size - have < piece ? size : have + piece;
		char *bytes = mem_alloc(have - pos);
		memcpy(bytes, stream + pos, have - pos);
		size_t done = parse_range(&parser, limits, bytes, have - pos, &log, &failed);
		mem_free(bytes);
		pos += done;
	}
	return log;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 2) return 0;
	/* Small limits, so that their ends are within reach. A line is judged by what has come of it, hence no bound
	 * on those. */
	struct request_limits limits = {
		.max_bulk = 1 << 16, .max_args = 1 << 10, .max_inline = UINT32_MAX, .authenticated = data[0] & 1
	};
	size_t piece = 1 + (data[0] >> 1);
	struct buffer whole = parse_stream(&limits, (const char *)data + 1, size - 1, size);
	struct buffer pieces = parse_stream(&limits, (const char *)data + 1, size - 1, piece);
	must(slice_equal(buffer_slice(&whole), buffer_slice(&pieces)));
	buffer_release(&whole);
	buffer_release(&pieces);
	return 0;
}
