/* --bigkeys, --memkeys, --hotkeys: a walk over all keys that asks a question about each and keeps the extremes. The
 * questions of a page are sent together. */
#include "tools/cli_modes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/number.h"
#include "tools/cli_scan.h"

enum { HOT_KEYS = 16, PAGES_PER_SLEEP = 100 };

struct key_type {
	const char *name;
	const char *size_command;
	const char *unit;
	uint64_t keys, total, biggest;
	struct buffer biggest_name; /* quoted */
};

static struct key_type types[] = {
	{ .name = "string", .size_command = "STRLEN", .unit = "bytes" },
	{ .name = "list", .size_command = "LLEN", .unit = "items" },
	{ .name = "hash", .size_command = "HLEN", .unit = "fields" },
	{ .name = "set", .size_command = "SCARD", .unit = "members" },
	{ .name = "zset", .size_command = "ZCARD", .unit = "members" },
	{ .name = "stream", .size_command = "XLEN", .unit = "entries" },
};
enum { TYPE_COUNT = sizeof(types) / sizeof(types[0]) };

struct hot_key {
	uint64_t counter;
	struct buffer name; /* quoted */
};

struct walk {
	struct cli_session *session;
	enum cli_mode mode;
	uint64_t all, sampled, name_bytes;
	/* The page at hand: its keys are copied, since the replies about them overwrite it. */
	struct buffer names;
	struct slice *keys;
	struct key_type **key_types; /* NULL: gone meanwhile, or a type that we do not know */
	size_t count;
	struct hot_key hot[HOT_KEYS];
	size_t hot_count;
};

static void copy_page(struct walk *walk, const struct reply_node *page) {
	walk->count = page->count;
	walk->keys = mem_realloc(walk->keys, (page->count + 1) * sizeof(*walk->keys));
	walk->key_types = mem_realloc(walk->key_types, (page->count + 1) * sizeof(struct key_type *));
	walk->names.len = 0;
	for (size_t i = 0; i < page->count; i++) buffer_append_slice(&walk->names, page->children[i].text);
	const char *at = walk->names.data;
	for (size_t i = 0; i < page->count; i++) {
		walk->keys[i] = slice_of(at, page->children[i].text.len);
		at += walk->keys[i].len;
	}
}

static void ask_types(struct walk *walk) {
	for (size_t i = 0; i < walk->count; i++) {
		cli_session_put(walk->session, (const struct slice[]){ SLICE_LITERAL("TYPE"), walk->keys[i] }, 2);
	}
	for (size_t i = 0; i < walk->count; i++) {
		const struct reply_node *reply = cli_session_take(walk->session);
		cli_session_insist(reply);
		walk->key_types[i] = NULL;
		for (size_t t = 0; t < TYPE_COUNT; t++) {
			if (slice_is(reply->text, types[t].name)) walk->key_types[i] = &types[t];
		}
	}
}

static void put_question(struct walk *walk, size_t i) {
	const struct cli_options *options = walk->session->options;
	char samples[NUMBER_I64_MAX_CHARS + 1];
	struct slice words[5];
	size_t count = 0;
	if (walk->mode == CLI_MODE_HOT_KEYS) {
		words[count++] = SLICE_LITERAL("OBJECT");
		words[count++] = SLICE_LITERAL("FREQ");
	} else if (walk->mode == CLI_MODE_MEMORY_KEYS) {
		words[count++] = SLICE_LITERAL("MEMORY");
		words[count++] = SLICE_LITERAL("USAGE");
	} else {
		words[count++] = slice_of_cstr(walk->key_types[i]->size_command);
	}
	words[count++] = walk->keys[i];
	if (walk->mode == CLI_MODE_MEMORY_KEYS && options->memory_samples >= 0) {
		words[count++] = SLICE_LITERAL("SAMPLES");
		words[count++] = slice_of(samples, number_format_i64(samples, options->memory_samples));
	}
	cli_session_put(walk->session, words, count);
}

static double percent(uint64_t part, uint64_t all) {
	return all == 0 ? 0 : 100.0 * (double)part / (double)all;
}

static void set_quoted(struct buffer *out, struct slice name) {
	out->len = 0;
	buffer_append_quoted(out, name);
	buffer_append_char(out, '\0');
}

static const char *unit_of(const struct walk *walk, const struct key_type *type) {
	return walk->mode == CLI_MODE_MEMORY_KEYS ? "bytes" : type->unit;
}

static void note_size(struct walk *walk, size_t i, uint64_t size, uint64_t walked) {
	struct key_type *type = walk->key_types[i];
	type->keys++;
	type->total += size;
	if (type->biggest_name.len > 0 && size <= type->biggest) return;
	type->biggest = size;
	set_quoted(&type->biggest_name, walk->keys[i]);
	printf("[%05.2f%%] Biggest %-6s found so far '%s' with %" PRIu64 " %s\n", percent(walked, walk->all),
		type->name, type->biggest_name.data, size, unit_of(walk, type));
}

/* Keeps the hottest, hottest first. */
static void note_counter(struct walk *walk, size_t i, uint64_t counter, uint64_t walked) {
	size_t at = walk->hot_count;
	while (at > 0 && walk->hot[at - 1].counter < counter) at--;
	if (at == HOT_KEYS || counter == 0) return;
	if (walk->hot_count == HOT_KEYS) {
		buffer_release(&walk->hot[--walk->hot_count].name);
	}
	memmove(&walk->hot[at + 1], &walk->hot[at], (walk->hot_count - at) * sizeof(walk->hot[0]));
	walk->hot[at] = (struct hot_key){ .counter = counter };
	walk->hot_count++;
	set_quoted(&walk->hot[at].name, walk->keys[i]);
	printf("[%05.2f%%] Hot key '%s' found so far with counter %" PRIu64 "\n", percent(walked, walk->all),
		walk->hot[at].name.data, counter);
}

static bool has_question(const struct walk *walk, size_t i) {
	return walk->mode == CLI_MODE_HOT_KEYS || walk->key_types[i];
}

static void ask_page(struct walk *walk) {
	uint64_t walked = walk->sampled;
	for (size_t i = 0; i < walk->count; i++) {
		if (has_question(walk, i)) put_question(walk, i);
	}
	for (size_t i = 0; i < walk->count; i++) {
		walk->sampled++;
		walk->name_bytes += walk->keys[i].len;
		if (!has_question(walk, i)) continue;
		const struct reply_node *reply = cli_session_take(walk->session);
		bool hot = walk->mode == CLI_MODE_HOT_KEYS;
		/* Between the questions a key may have gone or changed its type; a policy that counts nothing is for the user. */
		if (hot) cli_session_insist(reply);
		if (reply->type != REPLY_NODE_INTEGER || reply->integer < 0) continue;
		if (hot) {
			note_counter(walk, i, (uint64_t)reply->integer, walked);
		} else {
			note_size(walk, i, (uint64_t)reply->integer, walked);
		}
	}
	fflush(stdout);
}

static double ratio(uint64_t part, uint64_t of) {
	return of == 0 ? 0 : (double)part / (double)of;
}

static void print_sizes(const struct walk *walk) {
	printf("Total key length in bytes is %" PRIu64 " (avg len %.2f)\n\n", walk->name_bytes,
		ratio(walk->name_bytes, walk->sampled));
	for (size_t t = 0; t < TYPE_COUNT; t++) {
		if (types[t].biggest_name.len == 0) continue;
		printf("Biggest %6s found '%s' has %" PRIu64 " %s\n", types[t].name, types[t].biggest_name.data,
			types[t].biggest, unit_of(walk, &types[t]));
	}
	putchar('\n');
	for (size_t t = 0; t < TYPE_COUNT; t++) {
		printf("%" PRIu64 " %ss with %" PRIu64 " %s (%05.2f%% of keys, avg size %.2f)\n", types[t].keys,
			types[t].name, types[t].total, unit_of(walk, &types[t]), percent(types[t].keys, walk->sampled),
			ratio(types[t].total, types[t].keys));
	}
}

static void print_hot(const struct walk *walk) {
	for (size_t i = 0; i < walk->hot_count; i++) {
		printf("hot key found with counter: %" PRIu64 "\tkeyname: %s\n", walk->hot[i].counter,
			walk->hot[i].name.data);
	}
}

static void release(struct walk *walk) {
	for (size_t t = 0; t < TYPE_COUNT; t++) buffer_release(&types[t].biggest_name);
	for (size_t i = 0; i < walk->hot_count; i++) buffer_release(&walk->hot[i].name);
	buffer_release(&walk->names);
	mem_free(walk->keys);
	mem_free(walk->key_types);
}

int cli_keys_run(struct cli_session *session) {
	struct walk walk = { .session = session, .mode = session->options->mode };
	struct cli_scan scan = { .session = session };
	const struct reply_node *page;
	const struct reply_node *size = cli_session_ask(session, (const struct slice[]){ SLICE_LITERAL("DBSIZE") }, 1);
	cli_session_insist(size);
	walk.all = (uint64_t)size->integer;
	puts("\n# Walking all keys with SCAN. On a busy server, -i 0.1 pauses for 0.1 seconds after every 100 "
	     "steps.\n");
	while ((page = cli_scan_page(&scan))) {
		copy_page(&walk, page);
		if (walk.mode != CLI_MODE_HOT_KEYS) ask_types(&walk);
		ask_page(&walk);
		if (session->options->interval_us && scan.pages % PAGES_PER_SLEEP == 0) {
			usleep((useconds_t)session->options->interval_us);
		}
	}
	printf("\n-------- summary -------\n\nSampled %" PRIu64 " keys in the keyspace!\n", walk.sampled);
	if (walk.mode == CLI_MODE_HOT_KEYS) {
		print_hot(&walk);
	} else {
		print_sizes(&walk);
	}
	release(&walk);
	return 0;
}
