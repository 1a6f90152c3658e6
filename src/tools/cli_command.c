#include "tools/cli_command.h"

#include "base/number.h"

static const struct cli_command_traits table[] = {
	{ .name = "info", .text = true },
	{ .name = "lolwut", .text = true },
	{ .name = "client", .subcommand = "list", .text = true },
	{ .name = "client", .subcommand = "info", .text = true },
	{ .name = "cluster", .subcommand = "nodes", .text = true },
	{ .name = "cluster", .subcommand = "info", .text = true },
	{ .name = "debug", .subcommand = "client-eviction", .text = true },
	{ .name = "debug", .subcommand = "htstats", .text = true },
	{ .name = "debug", .subcommand = "htstats-key", .text = true },
	{ .name = "latency", .subcommand = "doctor", .text = true },
	{ .name = "latency", .subcommand = "graph", .text = true },
	{ .name = "memory", .subcommand = "doctor", .text = true },
	{ .name = "memory", .subcommand = "malloc-stats", .text = true },
	{ .name = "proxy", .subcommand = "info", .text = true },
	{ .name = "monitor", .stream = CLI_STREAM_LINES },
	{ .name = "subscribe", .stream = CLI_STREAM_MESSAGES },
	{ .name = "psubscribe", .stream = CLI_STREAM_MESSAGES },
	{ .name = "ssubscribe", .stream = CLI_STREAM_MESSAGES },
	{ .name = "unsubscribe", .answer_per_word = true },
	{ .name = "punsubscribe", .answer_per_word = true },
	{ .name = "sunsubscribe", .answer_per_word = true },
	{ .name = "shutdown", .ends_server = true },
	{ .name = "select", .effect = CLI_EFFECT_SELECT },
	{ .name = "multi", .effect = CLI_EFFECT_MULTI },
	{ .name = "exec", .effect = CLI_EFFECT_EXEC },
	{ .name = "discard", .effect = CLI_EFFECT_DISCARD },
	{ .name = "reset", .effect = CLI_EFFECT_RESET },
	{ .name = "hello", .effect = CLI_EFFECT_HELLO },
	{ .name = "client", .subcommand = "reply", .effect = CLI_EFFECT_CLIENT_REPLY },
};

const struct cli_command_traits *cli_command_traits(const struct slice *words, size_t count) {
	static const struct cli_command_traits none = { .name = "" };
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct cli_command_traits *traits = &table[i];
		if (!slice_is(words[0], traits->name)) continue;
		if (!traits->subcommand || (count > 1 && slice_is(words[1], traits->subcommand))) return traits;
	}
	return &none;
}

static bool any_is(const struct slice *words, size_t count, const char *const *names) {
	for (; *names; names++) {
		for (size_t i = 0; i < count; i++) {
			if (slice_is(words[i], *names)) return true;
		}
	}
	return false;
}

bool cli_command_is_secret(const struct slice *words, size_t count) {
	static const char *const settings[] = { "requirepass", "masterauth", "masteruser", "tls-key-file-pass",
		"tls-client-key-file-pass", "sentinel-pass", "sentinel-user", "auth-pass", "auth-user", NULL };
	static const char *const logins[] = { "auth", "auth2", NULL };
	/* A repetition stands ahead of the command: "3 auth x". */
	int64_t repeat;
	if (count > 1 && number_parse_i64(words[0], &repeat)) {
		words++;
		count--;
	}
	if (count < 2) return false;
	if (slice_is(words[0], "auth")) return true;
	if (slice_is(words[0], "acl")) return slice_is(words[1], "setuser");
	if (slice_is(words[0], "config")) return slice_is(words[1], "set") && any_is(words + 2, count - 2, settings);
	if (slice_is(words[0], "sentinel")) return any_is(words + 1, count - 1, settings);
	if (slice_is(words[0], "hello") || slice_is(words[0], "migrate")) return any_is(words + 1, count - 1, logins);
	return false;
}

bool cli_redirection_parse(struct slice error, struct cli_redirection *to) {
	struct slice parts[3];
	size_t count = 0;
	const char *end = error.ptr + error.len;
	for (const char *at = error.ptr; count < 3; count++) {
		const char *blank = memchr(at, ' ', (size_t)(end - at));
		parts[count] = slice_of(at, (size_t)((blank ? blank : end) - at));
		if (!blank) break;
		at = blank + 1;
	}
	if (count != 2) return false;
	to->ask = slice_equal(parts[0], SLICE_LITERAL("ASK"));
	if (!to->ask && !slice_equal(parts[0], SLICE_LITERAL("MOVED"))) return false;
	const char *colon = memrchr(parts[2].ptr, ':', parts[2].len);
	int64_t slot, port;
	if (!colon || (size_t)(colon - parts[2].ptr) >= sizeof(to->host)) return false;
	struct slice digits = slice_of(colon + 1, (size_t)(parts[2].ptr + parts[2].len - colon - 1));
	if (!number_parse_i64(parts[1], &slot) || !number_parse_i64(digits, &port)) return false;
	if (slot < 0 || slot > 16383 || port < 1 || port > 65535) return false;
	memcpy(to->host, parts[2].ptr, (size_t)(colon - parts[2].ptr));
	to->host[colon - parts[2].ptr] = '\0';
	to->slot = (int)slot;
	to->port = (int)port;
	return true;
}
