#include "server/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "server/mailbox.h"

/* Descriptors that are not clients: logs, pollers, mailboxes, listeners, files of persistence. */
enum { RESERVED_FILES = 128 };

bool process_daemonize(void) {
	fflush(NULL);
	pid_t child = fork();
	if (child < 0) return false;
	if (child > 0) _exit(0);
	setsid();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0) return true;
	for (int fd = 0; fd <= STDERR_FILENO; fd++) dup2(null, fd);
	if (null > STDERR_FILENO) close(null);
	return true;
}

static const char *pidfile_path(const struct settings *settings) {
	if (settings->pidfile[0]) return settings->pidfile;
	return settings->daemonize ? "/var/run/redis.pid" : NULL;
}

void process_write_pidfile(const struct settings *settings) {
	const char *path = pidfile_path(settings);
	if (!path) return;
	FILE *f = fopen(path, "we");
	if (!f) {
		log_warning("Failed to write PID file: %s", strerror(errno));
		return;
	}
	fprintf(f, "%d\n", (int)getpid());
	fclose(f);
}

void process_remove_pidfile(const struct settings *settings) {
	const char *path = pidfile_path(settings);
	if (!path) return;
	log_notice("Removing the pid file.");
	unlink(path);
}

void process_notify(const struct settings *settings, const char *state) {
	const char *path = getenv("NOTIFY_SOCKET");
	if (settings->supervised != SUPERVISED_SYSTEMD && settings->supervised != SUPERVISED_AUTO) return;
	if (!path || (path[0] != '/' && path[0] != '@')) {
		if (settings->supervised == SUPERVISED_SYSTEMD)
			log_warning("supervised is systemd, but NOTIFY_SOCKET names no socket to report to");
		return;
	}
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(at.sun_path)) return;
	memcpy(at.sun_path, path, strlen(path) + 1);
	if (at.sun_path[0] == '@') at.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return;
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&at, len) < 0)
		log_warning("Can't notify systemd at %s: %s", path, strerror(errno));
	close(fd);
}

/* Raises the limit of open files to `wanted`, or as far as it goes. Returns what may be open now; less than wanted: *failure
 * is the system's reason. */
static rlim_t raise_open_files(rlim_t wanted, int *failure) {
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted) return wanted;
	rlim_t before = limit.rlim_cur;
	struct rlimit more = { wanted, limit.rlim_max > wanted ? limit.rlim_max : wanted };
	if (setrlimit(RLIMIT_NOFILE, &more) == 0) {
		log_notice("Increased maximum number of open files to %llu (it was originally set to %llu).",
			(unsigned long long)wanted, (unsigned long long)before);
		return wanted;
	}
	*failure = errno;
	more = (struct rlimit){ limit.rlim_max, limit.rlim_max };
	return setrlimit(RLIMIT_NOFILE, &more) == 0 ? limit.rlim_max : before;
}

int64_t process_possible_clients(int64_t maxclients) {
	int failure = 0;
	rlim_t wanted = (rlim_t)maxclients + RESERVED_FILES;
	rlim_t best = raise_open_files(wanted, &failure);
	if (best >= wanted) return maxclients;
	log_warning("You requested maxclients of %lld requiring at least %llu max file descriptors.",
		(long long)maxclients, (unsigned long long)wanted);
	log_warning("Server can't set maximum open files to %llu because of OS error: %s.", (unsigned long long)wanted,
		strerror(failure));
	return best > RESERVED_FILES ? (int64_t)(best - RESERVED_FILES) : 0;
}

bool process_fit_open_files(int64_t *maxclients) {
	int64_t possible = process_possible_clients(*maxclients);
	if (possible >= *maxclients) return true;
	unsigned long long open_files = (unsigned long long)possible + RESERVED_FILES;
	if (possible == 0) {
		log_warning("Your current 'ulimit -n' is not enough for the server to start. Please increase your open "
			    "file limit to at least %llu. Exiting.",
			(unsigned long long)*maxclients + RESERVED_FILES);
		return false;
	}
	*maxclients = possible;
	log_warning("Current maximum open files is %llu. maxclients has been reduced to %lld to compensate for low "
		    "ulimit. If you need higher maxclients increase 'ulimit -n'.",
		open_files, (long long)possible);
	return true;
}

void process_limit_huge_pages(const struct settings *settings) {
	if (settings->disable_thp && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) < 0)
		log_warning("Transparent huge pages cannot be disabled for this process: %s", strerror(errno));
}

/* ---- Signals ---- */

/* The one thing a handler can reach: set before the handler is installed, constant after. */
static _Atomic int *signal_slot;
static int signal_wake_fd = -1;

static void on_signal(int number) {
	int saved = errno;
	/* Somebody who insists gets out at once. */
	if (atomic_exchange_explicit(signal_slot, number, memory_order_relaxed) == SIGINT && number == SIGINT) _exit(1);
	uint64_t one = 1;
	ssize_t done = write(signal_wake_fd, &one, sizeof(one));
	(void)done;
	errno = saved;
}

void process_catch_signals(_Atomic int *received, struct mailbox *box) {
	signal_slot = received;
	signal_wake_fd = mailbox_fd(box);
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

void process_log_shutdown(int signal_number) {
	log_warning("Received %s scheduling shutdown...", signal_number == SIGINT ? "SIGINT" : "SIGTERM");
	log_warning("User requested shutdown...");
}

/* ---- The title ---- */

/* argv and environ lie in one run of memory; with the environment copied elsewhere, all of it may hold the title. */
static char *title_start, *title_end;

void process_init_title(int argc, char **argv) {
	if (argc == 0) return;
	title_start = argv[0];
	title_end = argv[argc - 1] + strlen(argv[argc - 1]);
	for (char **e = environ; *e; e++) {
		if (*e != title_end + 1) break;
		title_end = *e + strlen(*e);
	}
	size_t count = 0;
	while (environ[count]) count++;
	char **copy = calloc(count + 1, sizeof(*copy));
	if (!copy) {
		title_start = NULL;
		return;
	}
	for (size_t i = 0; i < count; i++) copy[i] = strdup(environ[i]);
	environ = copy;
}

static void append(char *out, size_t size, const char *text, size_t len) {
	size_t used = strlen(out);
	if (len > size - used - 1) len = size - used - 1;
	memcpy(out + used, text, len);
	out[used + len] = '\0';
}

/* The words of proc-title-template that we know; an unknown one stays empty. */
static void append_variable(char *out, size_t size, const char *name, size_t len, const struct settings *settings) {
	char value[128] = "";
	if (len == 5 && memcmp(name, "title", 5) == 0) {
		snprintf(value, sizeof(value), "tarn-server");
	} else if (len == 11 && memcmp(name, "listen-addr", 11) == 0) {
		const char *address = settings->bind.count ? settings->bind.items[0] : "*";
		if (settings->port == 0)
			snprintf(value, sizeof(value), "%s", settings->unixsocket);
		else
			snprintf(value, sizeof(value), "%s:%d", address, (int)settings->port);
	} else if (len == 4 && memcmp(name, "port", 4) == 0) {
		snprintf(value, sizeof(value), "%d", (int)settings->port);
	} else if (len == 10 && memcmp(name, "unixsocket", 10) == 0) {
		snprintf(value, sizeof(value), "%s", settings->unixsocket);
	}
	append(out, size, value, strlen(value));
}

void process_set_title(const struct settings *settings) {
	if (!title_start || !settings->set_proc_title) return;
	char title[512] = "";
	for (const char *at = settings->proc_title_template; *at;) {
		const char *close = *at == '{' ? strchr(at, '}') : NULL;
		if (close) {
			append_variable(title, sizeof(title), at + 1, (size_t)(close - at - 1), settings);
			at = close + 1;
		} else {
			append(title, sizeof(title), at++, 1);
		}
	}
	size_t room = (size_t)(title_end - title_start), len = strlen(title);
	while (len > 0 && title[len - 1] == ' ') len--;
	if (len > room) len = room;
	memset(title_start, 0, room);
	memcpy(title_start, title, len);
	prctl(PR_SET_NAME, "tarn-server");
}
