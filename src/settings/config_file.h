/* Reading settings: the configuration file, what it includes, standard input and the command line.
 *
 * A line is a setting's name and its words, in the quotes of base/quoted.h; what begins with '#' and what is empty counts
 * for nothing. `include <pattern>` reads the files that match, in order of their names; one that is named without * ? [
 * must exist. A later line wins over an earlier one; save, user and rename-command gather their lines. */
#ifndef TARN_SETTINGS_CONFIG_FILE_H
#define TARN_SETTINGS_CONFIG_FILE_H

#include "settings/config.h"
#include "settings/renames.h"

/* Reads [file] [-] [--name value ...] as main got them (argv[0] is skipped), in this order: file, standard input, options.
 * Options that are none of settings (--version, --help) are main's to take out first. A value may begin with "--" when it
 * follows its option's name directly, except for save.
 *
 * rename-command must name one of `commands`, and user lines are refused: nobody must think that they protect anything.
 * Without `commands` neither is looked at.
 *
 * False when something is wrong: `error` is appended the text for the user, several lines that begin with
 * "*** FATAL CONFIG FILE ERROR (Tarn x.y.z) ***"; the config is only good for config_release then. Calls no hooks. */
__attribute__((warn_unused_result)) bool config_load(
	struct config *config, int argc, char *const *argv, command_finder *commands, struct buffer *error);

enum config_read_flags { CONFIG_READ_INCLUDES = 1 }; /* without it an include line is taken and not followed */

/* Reads the lines of `text` over `values`; `file` names it in errors. What a line sets is as with config_load. */
__attribute__((warn_unused_result)) bool config_read_text(struct settings *values, struct slice text, const char *file,
	enum config_read_flags flags, const char *base_dir, struct buffer *error);

/* Reads a whole file, or standard input for "-", to the end of `out`. False with errno. */
__attribute__((warn_unused_result)) bool config_slurp(const char *path, struct buffer *out);

#endif
