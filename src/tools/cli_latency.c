/* --latency and --latency-history: how long a PING takes, a hundred times a second. */
#include "tools/cli_modes.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

enum { SAMPLE_EVERY_US = 10 * 1000, SPAN_DEFAULT_US = 1000 * 1000, HISTORY_SPAN_DEFAULT_US = 15 * 1000 * 1000 };

struct span {
	int64_t start_us;
	int64_t min_us, max_us, total_us;
	int64_t samples;
};

static void add_sample(struct span *span, int64_t taken_us) {
	if (span->samples == 0 || taken_us < span->min_us) span->min_us = taken_us;
	if (taken_us > span->max_us) span->max_us = taken_us;
	span->total_us += taken_us;
	span->samples++;
}

/* In milliseconds; what changes in place is for terminals, one line per span for everything else. */
static void print_span(const struct span *span, const struct cli_options *options) {
	double average = (double)span->total_us / (double)span->samples / 1000.0;
	const char *format = "min: %lld, max: %lld, avg: %.2f (%lld samples)";
	if (options->output == CLI_OUTPUT_FORMATTED) {
		fputs("\x1b[0G\x1b[2K", stdout);
	} else {
		format = options->output == CLI_OUTPUT_CSV ? "%lld,%lld,%.2f,%lld\n" : "%lld %lld %.2f %lld\n";
	}
/* The three formats take the same arguments. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	printf(format, (long long)(span->min_us / 1000), (long long)(span->max_us / 1000), average,
		(long long)span->samples);
#pragma GCC diagnostic pop
	fflush(stdout);
}

static void sample(struct cli_session *session, struct span *span) {
	const struct slice words[] = { SLICE_LITERAL("PING") };
	int64_t start_us = clock_monotonic_us();
	cli_session_insist(cli_session_ask(session, words, 1));
	add_sample(span, clock_monotonic_us() - start_us);
}

int cli_latency_run(struct cli_session *session) {
	const struct cli_options *options = session->options;
	bool history = options->mode == CLI_MODE_LATENCY_HISTORY;
	bool live = options->output == CLI_OUTPUT_FORMATTED;
	int64_t span_us = options->interval_us;
	if (span_us == 0) span_us = history ? HISTORY_SPAN_DEFAULT_US : SPAN_DEFAULT_US;
	struct span span = { .start_us = clock_monotonic_us() };
	for (;;) {
		sample(session, &span);
		if (live) print_span(&span, options);
		int64_t age_us = clock_monotonic_us() - span.start_us;
		if (age_us >= span_us && (history || !live)) {
			if (!live) print_span(&span, options);
			if (!history) return 0;
			if (live) printf(" -- %.2f seconds range\n", (double)age_us / 1e6);
			span = (struct span){ .start_us = clock_monotonic_us() };
		}
		usleep(SAMPLE_EVERY_US);
	}
}
