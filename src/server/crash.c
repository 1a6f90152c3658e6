#include "server/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "server/redact.h"
#include "server/server.h"

enum { MAX_FRAMES = 100, MAX_SHOWN_ARG = 128 };

/* Set before the handler is installed, constant after. */
static const struct server *crashed_server;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
	char line[1024];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len > 0) log_raw(line, (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1);
}

static void say_backtrace(void) {
	void *frames[MAX_FRAMES];
	int count = backtrace(frames, MAX_FRAMES);
	char **names = backtrace_symbols(frames, count);
	say("\n------ STACK TRACE ------\nBacktrace:\n");
	for (int i = 0; i < count; i++) say("%s\n", names ? names[i] : "?");
}

/* The worker's structures may be what is broken, so this comes last and shows little. */
static void say_worker(const struct worker *w) {
	const struct call *call = w->current_call;
	say("worker %u: %zu clients, %llu commands\n", w->index, w->client_count,
		(unsigned long long)w->stats.commands);
	if (!w->current || !call) return;
	say("  client: id=%llu addr=%s db=%u name=%s\n  command: %s, %u arguments\n",
		(unsigned long long)w->current->id, w->current->peer, w->current->db,
		w->current->name ? w->current->name : "", call->command->full_name, call->argc);
	if (w->server->config->values.hide_user_data_from_log) return;
	for (unsigned i = 0; i < call->argc && i < 16; i++) {
		struct slice arg = redact_arg(call->command, call->argv, i);
		say("  argv[%u]: '%.*s'%s\n", i, (int)(arg.len < MAX_SHOWN_ARG ? arg.len : MAX_SHOWN_ARG), arg.ptr,
			arg.len > MAX_SHOWN_ARG ? "..." : "");
	}
}

static void on_crash(int number, siginfo_t *info, void *context) {
	(void)context;
	/* A crash inside the report ends us by the default action. */
	signal(number, SIG_DFL);
	say("\n\n=== TARN BUG REPORT START: Cut & paste starting from here ===\n");
	say("%d:M Tarn %s crashed by signal: %d, si_code: %d\n", (int)getpid(), TARN_VERSION, number, info->si_code);
	if (number == SIGSEGV || number == SIGBUS) say("Accessing address: %p\n", info->si_addr);
	if (info->si_code <= 0) say("Killed by PID: %ld, UID: %d\n", (long)info->si_pid, (int)info->si_uid);
	say_backtrace();
	say("\n------ CURRENT CLIENT INFO ------\n");
	for (unsigned i = 0; i < crashed_server->worker_count; i++) say_worker(&crashed_server->workers[i]);
	say("\n=== TARN BUG REPORT END. Make sure to include from START to END. ===\n");
	raise(number);
}

void crash_install(struct server *s) {
	crashed_server = s;
	/* The first backtrace loads a library, which a handler must not do. */
	void *frame;
	backtrace(&frame, 1);
	struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_NODEFER };
	sigemptyset(&action.sa_mask);
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) sigaction(numbers[i], &action, NULL);
}
