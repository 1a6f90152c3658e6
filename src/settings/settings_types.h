/* The forms of values that settings have beyond numbers and texts; struct settings (generated) is built of them.
 *
 * What they point to is theirs, from base/alloc.h, and freed by settings_release. */
#ifndef TARN_SETTINGS_SETTINGS_TYPES_H
#define TARN_SETTINGS_SETTINGS_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SETTINGS_ERROR_MAX = 512 }; /* bytes of an error text, its NUL included */

struct settings;

/* Makes a change effective: called by CONFIG SET under the world gate, after the new values are in place, once per
 * CONFIG SET however many of its settings changed. False with a text in `error` refuses: all values go back and the hooks
 * that had run run again with the old ones. */
typedef bool settings_hook(void *context, const struct settings *settings, char error[SETTINGS_ERROR_MAX]);

struct settings_words {
	char **items;
	size_t count;
};

/* An amount of memory, absolute or in percent of maxmemory: one of the two, the other is 0. Both 0: none given. */
struct settings_share {
	uint64_t bytes;
	uint32_t percent;
};

struct settings_save_point {
	int64_t seconds;
	int64_t changes;
};

/* Save when `changes` happened within `seconds`, for any of the points. */
struct settings_save {
	struct settings_save_point *points;
	size_t count;
};

enum settings_output_class { OUTPUT_CLASS_NORMAL, OUTPUT_CLASS_REPLICA, OUTPUT_CLASS_PUBSUB, OUTPUT_CLASS_COUNT };

struct settings_output_limit {
	uint64_t hard_bytes; /* 0: none */
	uint64_t soft_bytes; /* 0: none */
	int64_t soft_seconds;
};

struct settings_output_limits {
	struct settings_output_limit classes[OUTPUT_CLASS_COUNT];
};

struct settings_oom_scores {
	int primary;
	int replica;
	int background;
};

struct settings_percentiles {
	double *values; /* 0 to 100 */
	size_t count;
};

/* Nobody when host is empty. */
struct settings_address {
	char *host;
	int port;
};

/* Lines of the file that are kept word by word (user, rename-command), without the setting's name. */
struct settings_lines {
	struct settings_words *lines;
	size_t count;
};

/* notify-keyspace-events: the bits of enum event_class (store/store.h) and these. */
enum settings_notify {
	NOTIFY_MODULE = 1 << 24,   /* d */
	NOTIFY_KEYSPACE = 1 << 25, /* K */
	NOTIFY_KEYEVENT = 1 << 26, /* E */
};

#endif
