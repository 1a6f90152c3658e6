#include "tools/cli_options.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/quoted.h"
#include "tools/cli_password.h"
#include "tools/cli_uri.h"

enum { PORT_DEFAULT = 6379, PIPE_TIMEOUT_DEFAULT_S = 30 };

/* What is known only while the options are read. */
struct reading {
	struct cli_options *options;
	bool password_shown; /* it stood on the command line */
	bool ask_password;
	bool no_auth_warning;
	bool output_chosen;
	bool proto_chosen;
	bool pushes_chosen;
};

__attribute__((noreturn, format(printf, 1, 2))) static void refuse(const char *format, ...) {
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static int64_t integer_of(const char *option, const char *text, int64_t low, int64_t high) {
	int64_t value;
	if (!number_parse_i64(slice_of_cstr(text), &value) || value < low || value > high) {
		refuse("Bad value for %s: '%s' is not an integer between %lld and %lld", option, text, (long long)low,
			(long long)high);
	}
	return value;
}

static void replace(char **field, const char *text) {
	mem_free(*field);
	*field = mem_strdup(text);
}

static void set_buffer(struct buffer *buffer, const char *text) {
	buffer->len = 0;
	buffer_append_slice(buffer, slice_of_cstr(text));
}

typedef void set_fn(struct reading *r, const char *option, const char *value);

static void set_host(struct reading *r, const char *option, const char *value) {
	(void)option;
	replace(&r->options->host, value);
}

static void set_port(struct reading *r, const char *option, const char *value) {
	r->options->port = (int)integer_of(option, value, 1, 65535);
}

static void set_socket(struct reading *r, const char *option, const char *value) {
	(void)option;
	replace(&r->options->socket_path, value);
}

static void set_password(struct reading *r, const char *option, const char *value) {
	(void)option;
	replace(&r->options->password, value);
	r->password_shown = true;
}

static void set_user(struct reading *r, const char *option, const char *value) {
	(void)option;
	replace(&r->options->user, value);
}

static void set_ask_password(struct reading *r, const char *option, const char *value) {
	(void)option, (void)value;
	r->ask_password = true;
}

static void set_no_auth_warning(struct reading *r, const char *option, const char *value) {
	(void)option, (void)value;
	r->no_auth_warning = true;
}

static void set_uri(struct reading *r, const char *option, const char *value) {
	struct cli_uri uri;
	(void)option;
	const char *wrong = cli_uri_parse(value, &uri);
	if (wrong) refuse("%s", wrong);
	if (uri.host) replace(&r->options->host, uri.host);
	if (uri.port) r->options->port = uri.port;
	if (uri.user) replace(&r->options->user, uri.user);
	if (uri.password) set_password(r, option, uri.password);
	if (uri.has_db) r->options->db = uri.db;
	cli_uri_release(&uri);
}

static void set_db(struct reading *r, const char *option, const char *value) {
	r->options->db = (int)integer_of(option, value, 0, INT32_MAX);
}

static void set_proto(struct reading *r, const char *option, const char *value) {
	(void)value;
	r->options->proto = option[1] - '0';
	r->proto_chosen = true;
}

static void set_repeat(struct reading *r, const char *option, const char *value) {
	r->options->repeat = integer_of(option, value, INT64_MIN, INT64_MAX);
}

static void set_interval(struct reading *r, const char *option, const char *value) {
	double seconds;
	if (!number_parse_double(slice_of_cstr(value), &seconds) || seconds < 0 || seconds > 1e9) {
		refuse("Bad value for %s: '%s' is not a number of seconds", option, value);
	}
	r->options->interval_us = llround(seconds * 1e6);
}

static void set_stdin_last(struct reading *r, const char *option, const char *value) {
	(void)option, (void)value;
	if (r->options->stdin_use == CLI_STDIN_TAG) refuse("Options -x and -X are mutually exclusive.");
	r->options->stdin_use = CLI_STDIN_LAST;
}

static void set_stdin_tag(struct reading *r, const char *option, const char *value) {
	(void)option;
	if (r->options->stdin_use == CLI_STDIN_LAST) refuse("Options -x and -X are mutually exclusive.");
	r->options->stdin_use = CLI_STDIN_TAG;
	r->options->stdin_tag = slice_of_cstr(value);
}

static void set_delimiter(struct reading *r, const char *option, const char *value) {
	set_buffer(option[1] == 'd' ? &r->options->bulk_delimiter : &r->options->reply_delimiter, value);
}

static void set_cluster(struct reading *r, const char *option, const char *value) {
	(void)option, (void)value;
	r->options->cluster = true;
}

static void set_exit_on_error(struct reading *r, const char *option, const char *value) {
	(void)option, (void)value;
	r->options->exit_on_error = true;
}

static void set_verbose(struct reading *r, const char *option, const char *value) {
	(void)option, (void)value;
	r->options->verbose = true;
}

static void set_quoted_input(struct reading *r, const char *option, const char *value) {
	(void)option, (void)value;
	r->options->quoted_input = true;
}

static void set_output(struct reading *r, const char *option, const char *value) {
	static const struct {
		const char *option;
		enum cli_output output;
	} outputs[] = { { "--raw", CLI_OUTPUT_RAW }, { "--no-raw", CLI_OUTPUT_FORMATTED }, { "--csv", CLI_OUTPUT_CSV },
		{ "--json", CLI_OUTPUT_JSON }, { "--quoted-json", CLI_OUTPUT_QUOTED_JSON } };
	(void)value;
	for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
		if (strcmp(option, outputs[i].option) == 0) r->options->output = outputs[i].output;
	}
	r->output_chosen = true;
}

static void set_show_pushes(struct reading *r, const char *option, const char *value) {
	if (strcasecmp(value, "yes") != 0 && strcasecmp(value, "no") != 0 && strcasecmp(value, "y") != 0 &&
		strcasecmp(value, "n") != 0) {
		refuse("Bad value for %s: '%s' is neither yes nor no", option, value);
	}
	r->options->show_pushes = value[0] == 'y' || value[0] == 'Y';
	r->pushes_chosen = true;
}

static void set_mode(struct reading *r, const char *option, const char *value) {
	static const struct {
		const char *option;
		enum cli_mode mode;
	} modes[] = { { "--pipe", CLI_MODE_PIPE }, { "--scan", CLI_MODE_SCAN }, { "--stat", CLI_MODE_STAT },
		{ "--latency", CLI_MODE_LATENCY }, { "--latency-history", CLI_MODE_LATENCY_HISTORY },
		{ "--bigkeys", CLI_MODE_BIG_KEYS }, { "--memkeys", CLI_MODE_MEMORY_KEYS },
		{ "--memkeys-samples", CLI_MODE_MEMORY_KEYS }, { "--hotkeys", CLI_MODE_HOT_KEYS } };
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(option, modes[i].option) == 0) r->options->mode = modes[i].mode;
	}
	if (value) r->options->memory_samples = integer_of(option, value, 0, INT64_MAX);
}

static void set_script(struct reading *r, const char *option, const char *value) {
	(void)option;
	replace(&r->options->script_path, value);
}

static void set_pattern(struct reading *r, const char *option, const char *value) {
	(void)option;
	set_buffer(&r->options->pattern, value);
	r->options->has_pattern = true;
}

static void set_quoted_pattern(struct reading *r, const char *option, const char *value) {
	struct quoted_words words = { 0 };
	if (!quoted_split(slice_of_cstr(value), &words) || words.count != 1) {
		refuse("Invalid quoted string specified for %s.", option);
	}
	r->options->pattern.len = 0;
	buffer_append_slice(&r->options->pattern, words.words[0]);
	r->options->has_pattern = true;
	quoted_words_release(&words);
}

static void set_scan_count(struct reading *r, const char *option, const char *value) {
	r->options->scan_count = integer_of(option, value, 1, INT64_MAX);
}

static void set_pipe_timeout(struct reading *r, const char *option, const char *value) {
	r->options->pipe_timeout_s = integer_of(option, value, 0, INT32_MAX);
}

__attribute__((noreturn)) static void show_help(struct reading *r, const char *option, const char *value) {
	(void)r, (void)option, (void)value;
	cli_usage_print(stdout);
	exit(0);
}

__attribute__((noreturn)) static void show_version(struct reading *r, const char *option, const char *value) {
	(void)r, (void)option, (void)value;
	printf("tarn-cli %s\n", TARN_VERSION);
	exit(0);
}

static const struct option_entry {
	const char *name;
	bool has_value;
	set_fn *set;
} option_table[] = {
	{ "-h", true, set_host },
	{ "-p", true, set_port },
	{ "-s", true, set_socket },
	{ "-a", true, set_password },
	{ "--pass", true, set_password },
	{ "--user", true, set_user },
	{ "--askpass", false, set_ask_password },
	{ "--no-auth-warning", false, set_no_auth_warning },
	{ "-u", true, set_uri },
	{ "-n", true, set_db },
	{ "-2", false, set_proto },
	{ "-3", false, set_proto },
	{ "-r", true, set_repeat },
	{ "-i", true, set_interval },
	{ "-x", false, set_stdin_last },
	{ "-X", true, set_stdin_tag },
	{ "-d", true, set_delimiter },
	{ "-D", true, set_delimiter },
	{ "-c", false, set_cluster },
	{ "-e", false, set_exit_on_error },
	{ "--verbose", false, set_verbose },
	{ "--quoted-input", false, set_quoted_input },
	{ "--raw", false, set_output },
	{ "--no-raw", false, set_output },
	{ "--csv", false, set_output },
	{ "--json", false, set_output },
	{ "--quoted-json", false, set_output },
	{ "--show-pushes", true, set_show_pushes },
	{ "--eval", true, set_script },
	{ "--pipe", false, set_mode },
	{ "--scan", false, set_mode },
	{ "--stat", false, set_mode },
	{ "--latency", false, set_mode },
	{ "--latency-history", false, set_mode },
	{ "--bigkeys", false, set_mode },
	{ "--memkeys", false, set_mode },
	{ "--memkeys-samples", true, set_mode },
	{ "--hotkeys", false, set_mode },
	{ "--pattern", true, set_pattern },
	{ "--quoted-pattern", true, set_quoted_pattern },
	{ "--count", true, set_scan_count },
	{ "--pipe-timeout", true, set_pipe_timeout },
	{ "--help", false, show_help },
	{ "--version", false, show_version },
	{ "-v", false, show_version },
};

static const struct option_entry *find_option(const char *name) {
	for (size_t i = 0; i < sizeof(option_table) / sizeof(option_table[0]); i++) {
		if (strcmp(name, option_table[i].name) == 0) return &option_table[i];
	}
	return NULL;
}

static void read_words(struct reading *r, int argc, char **argv) {
	int at = 1;
	while (at < argc && argv[at][0] == '-') {
		const struct option_entry *entry = find_option(argv[at]);
		if (!entry || (entry->has_value && at + 1 == argc)) {
			refuse("Unrecognized option or bad number of args for: '%s'", argv[at]);
		}
		entry->set(r, argv[at], entry->has_value ? argv[at + 1] : NULL);
		at += entry->has_value ? 2 : 1;
	}
	r->options->words_at = at;
}

static void find_password(struct reading *r) {
	struct cli_options *options = r->options;
	if (r->ask_password) {
		mem_free(options->password);
		options->password = cli_password_ask("Please input password: ");
		return;
	}
	if (r->password_shown && !r->no_auth_warning) {
		fputs("Warning: Using a password with '-a' or '-u' option on the command line interface may not be "
		      "safe.\n",
			stderr);
	}
	const char *from_environment = getenv("REDISCLI_AUTH");
	if (!options->password && from_environment) options->password = mem_strdup(from_environment);
}

static void complete(struct reading *r) {
	struct cli_options *options = r->options;
	bool json = options->output == CLI_OUTPUT_JSON || options->output == CLI_OUTPUT_QUOTED_JSON;
	options->is_tty = isatty(STDOUT_FILENO) || getenv("FAKETTY");
	if (!r->output_chosen) options->output = options->is_tty ? CLI_OUTPUT_FORMATTED : CLI_OUTPUT_RAW;
	if (!r->pushes_chosen) options->show_pushes = options->is_tty;
	if (json && !r->proto_chosen) {
		options->proto = 3;
		options->proto_implicit = true;
	}
	find_password(r);
}

void cli_options_init(struct cli_options *options, int argc, char **argv) {
	*options = (struct cli_options){
		.host = mem_strdup("127.0.0.1"),
		.port = PORT_DEFAULT,
		.proto = 2,
		.repeat = 1,
		.memory_samples = -1,
		.pipe_timeout_s = PIPE_TIMEOUT_DEFAULT_S,
	};
	set_buffer(&options->bulk_delimiter, "\n");
	set_buffer(&options->reply_delimiter, "\n");
	struct reading reading = { .options = options };
	read_words(&reading, argc, argv);
	complete(&reading);
}

void cli_options_release(struct cli_options *options) {
	mem_free(options->host);
	mem_free(options->socket_path);
	mem_free(options->user);
	mem_free(options->password);
	mem_free(options->script_path);
	buffer_release(&options->bulk_delimiter);
	buffer_release(&options->reply_delimiter);
	buffer_release(&options->pattern);
}
