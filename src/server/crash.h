/* crash: what is left when we fail. A handler for SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT writes a report to the log
 * (backtrace, the build, what each worker was doing) and lets the signal take its course. */
#ifndef TARN_SERVER_CRASH_H
#define TARN_SERVER_CRASH_H

struct server;

/* Main thread, before the workers start. */
void crash_install(struct server *s);

#endif
