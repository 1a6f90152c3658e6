/* process: what a daemon asks of the system. Main thread, at start and end. */
#ifndef TARN_SERVER_PROCESS_H
#define TARN_SERVER_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "settings/settings.h"

struct mailbox;

/* Forks into the background and detaches from the terminal; false when it cannot. */
bool process_daemonize(void);

/* "pidfile"; the default /var/run/redis.pid only for a daemon. */
void process_write_pidfile(const struct settings *settings);
void process_remove_pidfile(const struct settings *settings);

/* sd_notify of systemd: "READY=1\n", "STOPPING=1\n". Nothing without NOTIFY_SOCKET. Only as `supervised` allows. */
void process_notify(const struct settings *settings, const char *state);

/* Raises the limit of open files to fit `maxclients` plus our own; when the system refuses, says so in the log. Returns how
 * many clients fit, `maxclients` at most. */
int64_t process_possible_clients(int64_t maxclients);
/* The same at the start: lowers *maxclients to what fits. False when not even one client does. */
bool process_fit_open_files(int64_t *maxclients);

/* Keeps transparent huge pages away when disable-thp says so: one touched key would cost two mebibytes. */
void process_limit_huge_pages(const struct settings *settings);

/* Catches SIGTERM and SIGINT: stores the number in *received and wakes `box`. Ignores SIGPIPE and SIGHUP. */
void process_catch_signals(_Atomic int *received, struct mailbox *box);

/* What Redis says in its log when a signal asks it to end. */
void process_log_shutdown(int signal_number);

/* Sets the title that ps shows. `argv` is main's, whose memory is used. */
void process_init_title(int argc, char **argv);
void process_set_title(const struct settings *settings);

#endif
