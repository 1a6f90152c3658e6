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

enum { RENAMES_ERROR_MAX = 256 };

/* Reads the rename-command lines. False with a text in `error` when one names no command, or gives a name that is taken. */
__attribute__((warn_unused_result)) bool renames_init(struct renames *r, const struct settings *settings,
	const struct command_table *commands, char error[static RENAMES_ERROR_MAX]);
void renames_release(struct renames *r);

/* The command of that name as the settings have it. */
const struct command *renames_lookup(const struct renames *r, const struct command_table *commands, struct slice name);

#endif
