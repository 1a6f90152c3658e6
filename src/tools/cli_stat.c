/* --stat: a line of figures from INFO, again and again. */
#include "tools/cli_modes.h"

#include <stdio.h>
#include <unistd.h>

#include "base/number.h"

enum { LINES_PER_HEADING = 20, INTERVAL_DEFAULT_US = 1000 * 1000 };

/* The text behind "name:" in INFO; len 0 when it is not there. */
static struct slice info_field(struct slice info, const char *name) {
	size_t len = strlen(name);
	const char *end = info.ptr + info.len;
	for (const char *at = info.ptr; at && at < end;) {
		const char *line_end = memchr(at, '\r', (size_t)(end - at));
		if (!line_end) line_end = end;
		if ((size_t)(line_end - at) > len && at[len] == ':' && memcmp(at, name, len) == 0) {
			return slice_of(at + len + 1, (size_t)(line_end - at) - len - 1);
		}
		at = memchr(at, '\n', (size_t)(end - at));
		if (at) at++;
	}
	return slice_of(NULL, 0);
}

static int64_t info_number(struct slice info, const char *name) {
	int64_t value = 0;
	(void)number_parse_i64(info_field(info, name), &value);
	return value;
}

/* "db0:keys=3,expires=…", of all databases. */
static int64_t all_keys(struct slice info) {
	static const char mark[] = "keys=";
	int64_t total = 0;
	for (int db = 0; db < 64; db++) {
		char name[16];
		int64_t keys = 0;
		snprintf(name, sizeof(name), "db%d", db);
		struct slice field = info_field(info, name);
		if (field.len <= strlen(mark) || memcmp(field.ptr, mark, strlen(mark)) != 0) continue;
		const char *comma = memchr(field.ptr, ',', field.len);
		size_t end = comma ? (size_t)(comma - field.ptr) : field.len;
		(void)number_parse_i64(slice_of(field.ptr + strlen(mark), end - strlen(mark)), &keys);
		total += keys;
	}
	return total;
}

static void format_bytes(char out[static 24], int64_t bytes) {
	static const char units[] = "KMGT";
	double value = (double)bytes;
	size_t unit = 0;
	if (bytes < 1024) {
		snprintf(out, 24, "%lldB", (long long)bytes);
		return;
	}
	for (value /= 1024; value >= 1024 && unit < 3; unit++) value /= 1024;
	snprintf(out, 24, "%.2f%c", value, units[unit]);
}

static const char *child_text(struct slice info) {
	bool save = info_number(info, "rdb_bgsave_in_progress") != 0;
	bool rewrite = info_number(info, "aof_rewrite_in_progress") != 0;
	if (save && rewrite) return "SAVE+AOF";
	return save ? "SAVE" : rewrite ? "AOF" : "";
}

static void print_line(struct slice info, int64_t *requests_before) {
	char memory[24], requests_text[48];
	int64_t requests = info_number(info, "total_commands_processed");
	int64_t more = *requests_before < 0 ? 0 : requests - *requests_before;
	format_bytes(memory, info_number(info, "used_memory"));
	snprintf(requests_text, sizeof(requests_text), "%lld (+%lld)", (long long)requests, (long long)more);
	printf("%-11lld%-9s%-8lld%-8lld%-20s%-12lld%s\n", (long long)all_keys(info), memory,
		(long long)info_number(info, "connected_clients"), (long long)info_number(info, "blocked_clients"),
		requests_text, (long long)info_number(info, "total_connections_received"), child_text(info));
	fflush(stdout);
	*requests_before = requests;
}

int cli_stat_run(struct cli_session *session) {
	const struct slice words[] = { SLICE_LITERAL("INFO") };
	int64_t interval_us = session->options->interval_us ? session->options->interval_us : INTERVAL_DEFAULT_US;
	int64_t requests_before = -1;
	for (uint64_t line = 0;; line++) {
		if (line % LINES_PER_HEADING == 0) {
			puts("------- data ------ --------------------- load -------------------- - child -");
			puts("keys       mem      clients blocked requests            connections          ");
		}
		const struct reply_node *reply = cli_session_ask(session, words, 1);
		cli_session_insist(reply);
		print_line(reply->text, &requests_before);
		usleep((useconds_t)interval_us);
	}
}
