/* renames: what rename-command made of the command names. Filled at start, constant after; few, so a list will do. */
#ifndef TARN_SETTINGS_RENAMES_H
#define TARN_SETTINGS_RENAMES_H

#include "settings/settings.h"

struct command; /* whoever declares commands knows what it is; here it is told apart and passed on */

/* The command of that name as it is declared, in any case of letters; NULL when there is none. */
typedef const struct command *command_finder(struct slice name);

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
enum rename_result renames_add(struct renames *r, const struct settings_words *line, command_finder *declared);

/* Follows all lines of the settings, of which config_load let only good ones through. */
void renames_init(struct renames *r, const struct settings *settings, command_finder *declared);
void renames_release(struct renames *r);

/* The command of that name as the settings have it. */
const struct command *renames_lookup(const struct renames *r, command_finder *declared, struct slice name);

#endif
