/* config: the settings of a running server, where they came from, and how they change.
 *
 * Life: config_init, config_load (config_file.h), hooks set by the server, then config_set from clients, config_release.
 * Changes happen before the workers start or under the world gate; reading needs no lock while running a command. */
#ifndef TARN_SETTINGS_CONFIG_H
#define TARN_SETTINGS_CONFIG_H

#include "settings/settings.h"

struct config {
	struct settings values;
	char *path;      /* absolute name of the configuration file; NULL without one */
	bool is_bare;    /* neither a file nor an option said anything */
	char *start_dir; /* absolute; where relative names in files and on the command line are taken from */
	const struct settings_hooks *hooks; /* may be NULL; so may be each hook */
	void *hooks_context;
};

/* All defaults; start_dir is where the process stands now. */
void config_init(struct config *config);
void config_release(struct config *config);

/* Who asks for a change; with enable-protected-configs "local", only the near may change protected settings. */
enum config_caller { CONFIG_CALLER_LOCAL, CONFIG_CALLER_REMOTE };

/* CONFIG SET: `argv` is `argc` words, name and value in turn. All are changed and their hooks were called, or none is: then
 * false, and `error` is appended an error reply without the '-'. Under the world gate. */
__attribute__((warn_unused_result)) bool config_set(struct config *config, unsigned argc, const struct slice *argv,
	enum config_caller caller, struct buffer *error);

#endif
