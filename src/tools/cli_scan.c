#include "tools/cli_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/number.h"
#include "tools/cli_format.h"
#include "tools/cli_modes.h"

const struct reply_node *cli_scan_page(struct cli_scan *scan) {
	const struct cli_options *options = scan->session->options;
	char count_digits[NUMBER_I64_MAX_CHARS + 1];
	struct slice words[6] = { SLICE_LITERAL("SCAN"), slice_of_cstr(scan->started ? scan->cursor : "0") };
	size_t count = 2;
	if (scan->started && strcmp(scan->cursor, "0") == 0) return NULL;
	if (options->has_pattern) {
		words[count++] = SLICE_LITERAL("MATCH");
		words[count++] = buffer_slice(&options->pattern);
	}
	if (options->scan_count > 0) {
		words[count++] = SLICE_LITERAL("COUNT");
		words[count++] = slice_of(count_digits, number_format_i64(count_digits, options->scan_count));
	}
	const struct reply_node *reply = cli_session_ask(scan->session, words, count);
	cli_session_insist(reply);
	if (reply->type != REPLY_NODE_ARRAY || reply->count != 2 || reply->children[1].type != REPLY_NODE_ARRAY ||
		reply->children[0].text.len >= sizeof(scan->cursor)) {
		fputs("Error: SCAN replied with something else\n", stderr);
		exit(1);
	}
	snprintf(scan->cursor, sizeof(scan->cursor), "%.*s", (int)reply->children[0].text.len,
		reply->children[0].text.ptr);
	scan->started = true;
	scan->pages++;
	return &reply->children[1];
}

int cli_scan_run(struct cli_session *session) {
	struct cli_scan scan = { .session = session };
	const struct reply_node *keys;
	while ((keys = cli_scan_page(&scan))) {
		session->text.len = 0;
		for (size_t i = 0; i < keys->count; i++) {
			cli_format_reply(&session->text, &keys->children[i], session->options);
		}
		fwrite(session->text.data, 1, session->text.len, stdout);
		if (session->options->interval_us) {
			fflush(stdout);
			usleep((useconds_t)session->options->interval_us);
		}
	}
	return 0;
}
