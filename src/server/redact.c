#include "server/redact.h"

#include "settings/settings.h"

/* HELLO with AUTH user password: whatever is one or two places behind the word. A client that calls itself "auth" has
 * the next two words hidden as well, which harms nobody. */
static bool follows_auth(const struct slice *argv, unsigned arg) {
	return (arg >= 3 && slice_is(argv[arg - 1], "auth")) || (arg >= 4 && slice_is(argv[arg - 2], "auth"));
}

/* CONFIG SET name value …: values stand at odd places. The user name at the primary is half of a log-in. */
static bool is_secret_value(const struct slice *argv, unsigned arg) {
	if (arg < 3 || arg % 2 == 0) return false;
	const struct setting *s = setting_find(argv[arg - 1], NULL);
	return s && (s->flags & SETTING_SECRET || s == &settings_table[SETTING_MASTERUSER]);
}

bool redact_hides(const struct command *cmd, const struct slice *argv, unsigned arg) {
	if (arg == 0) return false;
	if (strcmp(cmd->full_name, "auth") == 0) return true;
	if (strcmp(cmd->full_name, "hello") == 0) return follows_auth(argv, arg);
	if (strcmp(cmd->full_name, "config|set") == 0) return is_secret_value(argv, arg);
	return false;
}

struct slice redact_arg(const struct command *cmd, const struct slice *argv, unsigned arg) {
	return redact_hides(cmd, argv, arg) ? SLICE_LITERAL("(redacted)") : argv[arg];
}

void redact_args(const struct command *cmd, unsigned count, const struct slice *argv, struct slice *shown) {
	for (unsigned i = 0; i < count; i++) shown[i] = redact_arg(cmd, argv, i);
}
