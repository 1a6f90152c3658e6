/* eval_header: the first line of a script, if it begins with "#!".
 *
 *     #!lua flags=no-writes,allow-oom
 *
 * Scripts without one are what they were before Redis 7: they may write, and nobody knows more about them. */
#ifndef TARN_SCRIPT_EVAL_HEADER_H
#define TARN_SCRIPT_EVAL_HEADER_H

#include "base/buffer.h"

struct eval_header {
	bool present;
	uint32_t flags; /* enum function_flags */
	struct slice
		body; /* the code; from the end of the first line on, which is kept, so that line numbers stay right */
};

/* False, the error's text without "ERR " appended to `error`, when the line is wrong. */
__attribute__((warn_unused_result)) bool eval_header_read(
	struct eval_header *h, struct slice source, struct buffer *error);

#endif
