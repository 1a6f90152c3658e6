/* function_header: the first line of a library's code, which says in which language it is and what it is called.
 *
 *     #!lua name=mylib
 *
 * The line is split as a line of a configuration file is, so words may stand in quotes. Its first word is "#!" and the
 * engine; then come arguments, of which there is one: the name, in letters, digits and '_'. */
#ifndef TARN_SCRIPT_FUNCTION_HEADER_H
#define TARN_SCRIPT_FUNCTION_HEADER_H

#include "base/buffer.h"

struct function_header {
	struct buffer name;
	struct slice body; /* the code from the end of that line on, which is kept, so that line numbers stay right */
};

/* False, the error's text without "ERR " appended to `error`, when the line is wrong; `h` needs no release then. */
__attribute__((warn_unused_result)) bool function_header_read(
	struct function_header *h, struct slice code, struct buffer *error);
void function_header_release(struct function_header *h);

/* Whether a library or a function may have this name. */
bool function_name_is_valid(struct slice name);

#define FUNCTION_BAD_NAME                                                                                              \
	"Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"

#endif
