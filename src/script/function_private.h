/* What the files of FUNCTION and FCALL share. */
#ifndef TARN_SCRIPT_FUNCTION_PRIVATE_H
#define TARN_SCRIPT_FUNCTION_PRIVATE_H

#include "script/function.h"
#include "script/function_code.h"
#include "script/function_library.h"

struct worker;

struct function_server {
	struct library_set libraries; /* world */
	unsigned workers;
	/* For INFO: each worker sets its own, once. The release pairs with the acquire of who asks. */
	_Atomic(struct function_worker *) by_worker[];
};

/* The server's, made if it is not there yet: under the world. */
struct function_server *function__server(struct server *s);

/* The libraries, for reading: an empty set while there were none yet. */
const struct library_set *function__libraries(const struct worker *w);

/* This worker's interpreter for functions, made if it is not there yet, without the code of libraries that have gone. NULL,
 * the error written, without memory. */
struct function_worker *function__worker(struct worker *w, struct reply *r);

/* The set's libraries as function_save has them, appended. */
void function__save(const struct library_set *set, unsigned serial_flags, struct buffer *out);

/* Brings the libraries of such bytes into a set of the caller's, for that many workers. False, what is wrong
 * (without "ERR ") appended, and perhaps some libraries in the set. */
__attribute__((warn_unused_result)) bool function__read(
	struct slice bytes, unsigned workers, struct library_set *set, struct buffer *error);

#endif
