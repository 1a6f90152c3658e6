/* A reply as text, in each of the forms that users can ask for. The formatted form is byte for byte what redis-cli
 * prints: people's eyes, and scripts, know it. */
#ifndef TARN_TOOLS_CLI_FORMAT_H
#define TARN_TOOLS_CLI_FORMAT_H

#include "base/buffer.h"
#include "resp/reply_reader.h"
#include "tools/cli_options.h"

/* Appends `reply` in the form that the options ask for, with the end of line (raw: the reply delimiter) that belongs
 * behind it. */
void cli_format_reply(struct buffer *out, const struct reply_node *reply, const struct cli_options *options);

/* Appends a reply that is a text for people, as INFO's: bare in every form, ending with its own line end or one of ours. */
void cli_format_text(struct buffer *out, const struct reply_node *reply, const struct cli_options *options);

#endif
