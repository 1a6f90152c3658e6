/* The one-line grammar of a command's arguments, "key value [NX | XX] [EX seconds]", followed along as they are typed. */
#ifndef TARN_TOOLS_CLI_SYNOPSIS_H
#define TARN_TOOLS_CLI_SYNOPSIS_H

#include "base/buffer.h"

/* Appends what `synopsis` still expects behind `words`: options that were given are gone, an option's own arguments come
 * first, what may be repeated stays. Nothing when the words do not fit. */
void cli_synopsis_rest(const char *synopsis, const struct slice *words, size_t count, struct buffer *out);

/* Calls `each` for every token (EX, NX …) of `synopsis` that begins with `start`, in any case. */
void cli_synopsis_tokens(
	const char *synopsis, struct slice start, void (*each)(void *context, struct slice token), void *context);

#endif
