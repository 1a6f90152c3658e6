/* Between request.c and request_inline.c. */
#ifndef TARN_RESP_REQUEST_PRIVATE_H
#define TARN_RESP_REQUEST_PRIVATE_H

#include "resp/request.h"

/* At least `bytes` bytes, aligned for a struct slice; NULL when there is no memory. */
void *request__arena_take(struct request_arena *arena, size_t bytes);

/* Splits the text of a line, without its end, into words and sets argc and argv: REQUEST_OK, REQUEST_EMPTY when there
 * is no word, REQUEST_ERROR. */
enum request_status request__split_line(struct slice text, struct request_arena *arena, struct request *request);

#endif
