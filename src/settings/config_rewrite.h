/* CONFIG REWRITE: brings the configuration file up to date with the settings in force.
 *
 * What the file says already stays byte for byte: comments, empty lines, order, includes, the spelling of names and
 * values. Only the lines of settings whose value differs from what the file (with its includes) would give are changed:
 * the last line of a setting is replaced, earlier ones go; of lists, line by line. Settings without a line are added at
 * the end. Included files are never written; where one of them would overrule a line, the setting moves to the end.
 *
 * The file is never half written: the new text goes to a file beside it, is forced to disk, read back, loaded and
 * compared with the settings in force, and only then renamed over the old one. A symbolic link stays one; mode and, where
 * allowed, owner are kept. */
#ifndef TARN_SETTINGS_CONFIG_REWRITE_H
#define TARN_SETTINGS_CONFIG_REWRITE_H

#include "settings/config.h"

enum config_rewrite_result {
	CONFIG_REWRITE_OK,
	CONFIG_REWRITE_NO_FILE, /* the server was started without one */
	CONFIG_REWRITE_FAILED,  /* `error` says why; the file is as it was */
};

/* Under the world gate: the settings must not change meanwhile. Blocks for the disk. */
__attribute__((warn_unused_result)) enum config_rewrite_result config_rewrite(
	const struct config *config, struct buffer *error);

/* The new text of a file that holds `old`. False, `error` set, when `old` cannot be read as settings or no text could be
 * found that gives `config`'s. `file` names it in errors. */
__attribute__((warn_unused_result)) bool config_rewrite_text(
	const struct config *config, const char *file, struct slice old, struct buffer *out, struct buffer *error);

#endif
