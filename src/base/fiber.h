/* fiber: a function that can be left in the middle and continued later, on a stack of its own.
 *
 * Fibers belong to the thread that made them and run nowhere else. A fiber is not left by longjmp; within it, longjmp and
 * exceptions work as usual. Switching costs some nanoseconds and no system call (on x86-64; ucontext(3) elsewhere). */
#ifndef TARN_BASE_FIBER_H
#define TARN_BASE_FIBER_H

#include <stdbool.h>
#include <stddef.h>

struct fiber;

/* A stack of that many bytes (rounded up to pages) with a guard page below it; memory is used only as it is touched. NULL,
 * with errno, when there is none. */
struct fiber *fiber_new(size_t stack_bytes);
void fiber_free(struct fiber *f); /* not in the middle of a run; NULL does nothing */

/* Runs `body` until it returns or leaves. True: it has returned. */
typedef void fiber_body(void *context);
__attribute__((warn_unused_result)) bool fiber_start(struct fiber *f, fiber_body *body, void *context);

/* Goes on where the body left. The same result. */
__attribute__((warn_unused_result)) bool fiber_continue(struct fiber *f);

/* From within the body: returns from fiber_start or fiber_continue; comes back with the next fiber_continue. */
void fiber_leave(struct fiber *f);

/* Whether the body was left and has not returned yet. */
bool fiber_is_under_way(const struct fiber *f);

#endif
