/* renames: what rename-command made of the command names. Filled at start, constant after; few, so a list will do. */
#ifndef TARN_SERVER_RENAMES_H
#define TARN_SERVER_RENAMES_H

#include "server/command.h"
#include "server/settings.h"

struct rename {
	const char *name;              /* the settings' memory */
	const struct command *command; /* NULL: the name means nothing any more */
};

struct renames {
	struct rename *items;
	unsigned count;
};

enum rename_result {
	RENAME_DONE,
	RENAME_UNKNOWN /* there is no such command */,
	RENAME_TAKEN /* the new name is one */
};

/* Follows one rename-command line, of two words. Names stay the settings' memory. */
enum rename_result renames_add(
	struct renames *r, const struct settings_words *line, const struct command_table *commands);

/* Follows all lines of the settings, of which config_load let only good ones through. */
void renames_init(struct renames *r, const struct settings *settings, const struct command_table *commands);
void renames_release(struct renames *r);

/* The command of that name as the settings have it. */
const struct command *renames_lookup(const struct renames *r, const struct command_table *commands, struct slice name);

#endif
