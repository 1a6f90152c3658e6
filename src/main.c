/* tarn-server: reads the settings, wires the layers, serves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "script/engine.h"
#include "server/command.h"
#include "settings/config_file.h"
#include "server/process.h"
#include "server/server.h"

static void print_version(void) {
	printf("Tarn server v=%s redis_version=%s malloc=%s bits=%d\n", TARN_VERSION, TARN_REDIS_VERSION,
		mem_allocator_name(), (int)sizeof(long) * 8);
}

static void print_help(void) {
	fputs("Usage: tarn-server [file.conf] [-] [--setting value ...]\n"
	      "       tarn-server -v | --version\n"
	      "       tarn-server -h | --help\n"
	      "\n"
	      "Starts a server that speaks the Redis protocol. Without a file it uses its defaults: port 6379, all "
	      "interfaces,\n"
	      "protected mode. \"-\" reads settings from standard input; --setting overrides what files say.\n"
	      "\n"
	      "Examples:\n"
	      "       tarn-server\n"
	      "       tarn-server /etc/redis/redis.conf\n"
	      "       tarn-server --port 7777 --threads 2\n"
	      "       tarn-server tarn.conf --loglevel verbose --save ''\n"
	      "       echo 'maxclients 100' | tarn-server -\n",
		stdout);
}

static bool is_word(const char *arg, const char *a, const char *b) {
	return strcmp(arg, a) == 0 || strcmp(arg, b) == 0;
}

/* For tests, some of which want one key held and another free: where keys lie is the same then in every run. */
static uint64_t hash_seed(void) {
	const char *given = getenv("TARN_HASH_SEED");
	return given ? strtoull(given, NULL, 0) : 0;
}

int main(int argc, char **argv) {
	if (argc == 2 && is_word(argv[1], "-v", "--version")) {
		print_version();
		return 0;
	}
	if (argc == 2 && is_word(argv[1], "-h", "--help")) {
		print_help();
		return 0;
	}
	clock_init();
	hash_init(hash_seed());
	struct config config;
	struct buffer error = { 0 };
	config_init(&config);
	if (!config_load(&config, argc, argv, tarn_commands.lookup, &error)) {
		fprintf(stderr, "%.*s\n", (int)error.len, error.data);
		buffer_release(&error);
		config_release(&config);
		return 1;
	}
	if (chdir(config.values.dir) < 0) {
		fprintf(stderr, "Can't chdir to '%s'\n", config.values.dir);
		return 1;
	}
	process_init_title(argc, argv);
	int code = server_main(&config, &tarn_commands, &script_engine);
	config_release(&config);
	buffer_release(&error);
	return code;
}
