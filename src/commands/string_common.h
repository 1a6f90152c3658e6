/* What the files of string commands share. For commands/string*.c only. */
#ifndef TARN_COMMANDS_STRING_COMMON_H
#define TARN_COMMANDS_STRING_COMMON_H

#include "server/call.h"

/* Sets the key and says so: "set", and "expire" when there is a time. `e` is what store_find_write returned. False, nothing
 * changed and nothing replied, when memory is exhausted. */
__attribute__((warn_unused_result)) bool string_put(
	struct call *c, const struct key *key, struct entry *e, struct slice value, int64_t expiry_ms);

#endif
