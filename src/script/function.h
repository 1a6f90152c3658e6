/* function: FUNCTION and FCALL.
 *
 *   function_header    the first line of a library's code
 *   function_library   libraries and functions as data
 *   function_code      their code in an interpreter: redis.register_function, loading
 *   function_change    libraries brought in: FUNCTION LOAD, RESTORE and their bytes
 *   function_commands  FUNCTION … otherwise
 *   function_call      FCALL, FCALL_RO
 *
 * The libraries are the server's, in one set that is changed under the world: FUNCTION LOAD runs the code in an interpreter
 * that it throws away, to find out what it registers, and brings the library in when all went well. Each worker has an
 * interpreter of its own for functions and runs a library's code there when a client of its calls one of the functions for
 * the first time. So the state that functions share in local variables of their library is each worker's own. */
#ifndef TARN_SCRIPT_FUNCTION_H
#define TARN_SCRIPT_FUNCTION_H

#include "base/buffer.h"
#include "base/bytes.h"

struct function_server;
struct function_worker;
struct server;

/* What the server keeps goes, after the workers', and what a worker keeps, at its end. NULL does nothing. Both are made when
 * they are first needed. */
void function_server_release(struct function_server *fs);
void function_release_worker(struct function_worker *fw);

/* For INFO; any thread, inside. `fs` may be NULL. */
struct function_figures {
	size_t libraries, functions; /* how many */
	size_t set_bytes;            /* used_memory_functions: names and code */
	size_t vm_bytes;             /* used_memory_vm_functions: the interpreters */
};
void function_figures(const struct function_server *fs, struct function_figures *figures);

/* For what is saved and loaded otherwise than by commands: all libraries as an RDB file holds them (opcode 245 and the
 * code of each), appended, and one of them back. Loading happens under the world, or before the workers run; false, the
 * error as a client would see it appended, when the code is wrong or a name of it is taken. */
void function_save(struct server *s, unsigned serial_flags, struct buffer *out);
__attribute__((warn_unused_result)) bool function_load(struct server *s, struct slice code, struct buffer *error);

#endif
