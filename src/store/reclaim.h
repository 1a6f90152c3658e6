/* reclaim: gives memory back in the background.
 *
 * What takes long to free (a value of megabytes, a flushed database) is unlinked under its gate and handed to one helper
 * thread, which owns it from then on. Any thread may call. The thread starts with the first job and lives as long as the
 * process; it touches nothing but what it was given. */
#ifndef TARN_STORE_RECLAIM_H
#define TARN_STORE_RECLAIM_H

#include <stddef.h>

typedef void reclaim_fn(void *what);

/* `free_it(what)` runs on the helper thread, in the order of calls. Falls back to the caller's thread when no thread can
 * be started. */
void reclaim_later(reclaim_fn *free_it, void *what);

size_t reclaim_pending(void); /* jobs not finished yet */
size_t reclaim_done(void);    /* jobs finished since the start */

/* Waits until everything handed over so far is freed. For shutdown and tests. */
void reclaim_drain(void);

#endif
