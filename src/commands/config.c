/* CONFIG: reading and changing settings while the server runs. */
#include "commands/generated/command_handlers.h"

#include <string.h>

#include "base/glob.h"
#include "base/log.h"
#include "server/client.h"
#include "settings/config.h"
#include "settings/config_rewrite.h"
#include "server/worker.h"

/* ---- GET ---- */

enum { NAMES_PER_SETTING = 1 + SETTING_ALIASES_MAX };

/* The answer in the making: each name once, however many patterns match it. */
struct answer {
	struct call *call;
	const struct settings *values;
	struct buffer scratch;
	bool given[SETTING_COUNT][NAMES_PER_SETTING];
	size_t count;
};

static const char *name_of(const struct setting *s, unsigned n) {
	return n == 0 ? s->name : s->aliases[n - 1];
}

static void give(struct answer *a, size_t setting, unsigned n, struct slice shown) {
	if (a->given[setting][n]) return;
	a->given[setting][n] = true;
	a->count++;
	a->scratch.len = 0;
	setting_print(&settings_table[setting], a->values, &a->scratch);
	reply_slice(a->call->reply, shown);
	reply_slice(a->call->reply, buffer_slice(&a->scratch));
}

/* A full name is answered as the client spelled it, a pattern with the names as declared. */
static void answer_pattern(struct answer *a, struct slice pattern) {
	bool literal = glob_is_literal(pattern);
	uint32_t left_out = SETTING_FILE_ONLY | (literal ? 0u : (uint32_t)SETTING_HIDDEN);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const struct setting *s = &settings_table[i];
		if (s->flags & left_out) continue;
		for (unsigned n = 0; n < NAMES_PER_SETTING && name_of(s, n) != NULL; n++) {
			struct slice name = slice_of_cstr(name_of(s, n));
			if (literal && slice_equal_nocase(pattern, name)) give(a, i, n, pattern);
			if (!literal && glob_match(pattern, name, GLOB_NOCASE)) give(a, i, n, name);
		}
	}
}

void cmd_config_get(struct call *c) {
	struct answer a = { .call = c, .values = &worker_config(c->worker)->values };
	size_t begin = reply_begin(c->reply);
	for (unsigned i = 2; i < c->argc; i++) answer_pattern(&a, c->argv[i]);
	reply_end(c->reply, begin, REPLY_MAP, a.count);
	buffer_release(&a.scratch);
}

/* ---- SET, REWRITE, RESETSTAT ---- */

static enum config_caller caller_of(const struct client *c) {
	if (c->flags & CLIENT_UNIX) return CONFIG_CALLER_LOCAL;
	bool loopback = c->peer != NULL && (strncmp(c->peer, "127.", 4) == 0 || strncmp(c->peer, "[::1]:", 6) == 0);
	return loopback ? CONFIG_CALLER_LOCAL : CONFIG_CALLER_REMOTE;
}

void cmd_config_set(struct call *c) {
	struct buffer error = { 0 };
	if (config_set(worker_config(c->worker), c->argc - 2, c->argv + 2, caller_of(c->client), &error)) {
		reply_ok(c->reply);
	} else {
		buffer_append_char(&error, '\0');
		reply_error(c->reply, error.data);
	}
	buffer_release(&error);
}

void cmd_config_rewrite(struct call *c) {
	struct buffer error = { 0 };
	switch (config_rewrite(worker_config(c->worker), &error)) {
	case CONFIG_REWRITE_OK:
		log_notice("CONFIG REWRITE executed with success.");
		reply_ok(c->reply);
		break;
	case CONFIG_REWRITE_NO_FILE: reply_error(c->reply, "ERR The server is running without a config file"); break;
	case CONFIG_REWRITE_FAILED:
		buffer_append_char(&error, '\0');
		log_warning("CONFIG REWRITE failed: %s", error.data);
		reply_errorf(c->reply, "ERR Rewriting config file: %s", error.data);
		break;
	}
	buffer_release(&error);
}

void cmd_config_resetstat(struct call *c) {
	worker_reset_stats(c->worker);
	reply_ok(c->reply);
}

void cmd_config_help(struct call *c) {
	static const char *const lines[] = {
		"GET <pattern> [<pattern> ...]",
		"    Show the settings whose names match, with their values.",
		"SET <name> <value> [<name> <value> ...]",
		"    Change settings: all of them, or none when one is refused.",
		"RESETSTAT",
		"    Set the statistics of INFO back to zero.",
		"REWRITE",
		"    Bring the configuration file up to date with the settings in force.",
		NULL,
	};
	reply_help(c->reply, "CONFIG", lines);
}
