#include "tools/cli_help.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/number.h"
#include "base/quoted.h"
#include "command_help.h"
#include "tools/cli_synopsis.h"

static const char *const introduction[] = {
	"Lines are sent to the server, their words may be \"quoted\". Beside that:",
	"  help <command>       what a command does",
	"  help @<group>        the commands of a group; TAB behind \"help @\" shows the groups",
	"  <n> <command>        run a command n times",
	"  connect <host> <port>",
	"  clear                clear the screen",
	"  quit",
	"  :set hints           show arguments in grey while you type; :set nohints does not",
	"Preferences like these are read from ~/.tarnclirc at start.",
};

/* Looking up. */

static bool begins_with(struct slice text, struct slice start) {
	return text.len >= start.len && strncasecmp(text.ptr, start.ptr, start.len) == 0;
}

static struct slice first_word(const char *name) {
	return slice_of(name, strcspn(name, " "));
}

/* The command that the words begin with, two words or one; *used is how many. NULL when it is none. */
static const struct command_help *find_command(const struct slice *words, size_t count, size_t *used) {
	for (*used = count < 2 ? count : 2; *used > 0; --*used) {
		for (size_t i = 0; i < command_help_count; i++) {
			const char *name = command_help[i].name;
			struct slice first = first_word(name);
			bool two = name[first.len] == ' ';
			if (two != (*used == 2) || !slice_equal_nocase(words[0], first)) continue;
			if (!two || slice_is(words[1], name + first.len + 1)) return &command_help[i];
		}
	}
	return NULL;
}

/* Help. */

static void print_entry(const struct command_help *command, bool with_group, bool color) {
	const char *bold = color ? "\x1b[1m" : "", *grey = color ? "\x1b[90m" : "";
	const char *yellow = color ? "\x1b[33m" : "", *plain = color ? "\x1b[0m" : "";
	printf("\n  %s%s%s", bold, command->name, plain);
	if (command->params[0]) printf(" %s%s%s", grey, command->params, plain);
	printf("\n  %ssummary:%s %s\n", yellow, plain, command->summary);
	printf("  %ssince:%s %s\n", yellow, plain, command->since);
	if (with_group) printf("  %sgroup:%s %s\n", yellow, plain, command->group);
}

static size_t print_group(struct slice group, bool color) {
	size_t printed = 0;
	for (size_t i = 0; i < command_help_count; i++) {
		if (!slice_is(group, command_help[i].group)) continue;
		print_entry(&command_help[i], false, color);
		printed++;
	}
	return printed;
}

/* The command itself and, for one word, its subcommands. */
static size_t print_command(const struct slice *words, size_t count, bool color) {
	size_t printed = 0;
	for (size_t i = 0; i < command_help_count; i++) {
		const char *name = command_help[i].name;
		struct slice first = first_word(name);
		bool two = name[first.len] == ' ';
		if (!slice_equal_nocase(words[0], first)) continue;
		if (count > 1 && (!two || !slice_is(words[1], name + first.len + 1))) continue;
		print_entry(&command_help[i], true, color);
		printed++;
	}
	return printed;
}

void cli_help_print(const struct slice *words, size_t count, bool color) {
	if (count == 0) {
		printf("tarn-cli %s\n", TARN_VERSION);
		for (size_t i = 0; i < sizeof(introduction) / sizeof(introduction[0]); i++) puts(introduction[i]);
		return;
	}
	bool group = words[0].len > 0 && words[0].ptr[0] == '@';
	size_t printed = group ? print_group(slice_of(words[0].ptr + 1, words[0].len - 1), color)
			       : print_command(words, count, color);
	if (printed == 0) printf("There is no help about '%.*s'.", (int)words[0].len, words[0].ptr);
	putchar('\n');
}

/* Completion. What was typed stays; what is added has the case of it. */

static bool has_lower(struct slice text) {
	for (size_t i = 0; i < text.len; i++) {
		if (islower((unsigned char)text.ptr[i])) return true;
	}
	return false;
}

struct completing {
	struct slice typed; /* the whole line */
	struct slice part;  /* its end, which is completed */
	struct cli_completions *out;
};

static bool is_offered(const struct cli_completions *completions, struct slice line) {
	const char *at = completions->lines.data;
	for (size_t i = 0; i < completions->count; i++, at += strlen(at) + 1) {
		if (slice_equal(slice_of_cstr(at), line)) return true;
	}
	return false;
}

/* Offers the line with `part` completed to `word`, if that begins with it and has something to add. */
static void offer(void *context, struct slice word) {
	struct completing *c = context;
	struct buffer line = { 0 };
	if (word.len <= c->part.len || !begins_with(word, c->part)) return;
	bool lower = has_lower(c->part.len > 0 ? c->part : c->typed);
	buffer_append_slice(&line, c->typed);
	for (size_t i = c->part.len; i < word.len; i++) {
		buffer_append_char(&line, lower ? (char)tolower((unsigned char)word.ptr[i]) : word.ptr[i]);
	}
	if (!is_offered(c->out, buffer_slice(&line))) cli_completions_add(c->out, buffer_slice(&line));
	buffer_release(&line);
}

/* First words while the first is typed, whole names from then on, so that subcommands show up in their turn. */
static void complete_command(struct completing *c) {
	bool whole = memchr(c->part.ptr, ' ', c->part.len) != NULL;
	for (size_t i = 0; i < command_help_count; i++) {
		const char *name = command_help[i].name;
		struct slice first = first_word(name);
		offer(c, whole || slice_equal_nocase(first, c->part) ? slice_of_cstr(name) : first);
	}
}

static void complete_help(struct completing *c) {
	for (size_t i = 0; i < command_help_count; i++) {
		char group[64];
		int len = snprintf(group, sizeof(group), "@%s", command_help[i].group);
		offer(c, slice_of(group, (size_t)len));
	}
	if (c->part.len == 0 || c->part.ptr[0] != '@') complete_command(c);
}

/* Tokens of the command's synopsis, for the argument that is being typed. */
static void complete_token(struct completing *c) {
	struct quoted_words words = { 0 };
	size_t used, blank = c->typed.len;
	while (blank > 0 && c->typed.ptr[blank - 1] != ' ') blank--;
	c->part = slice_of(c->typed.ptr + blank, c->typed.len - blank);
	if (c->part.len > 0 && quoted_split(c->typed, &words)) {
		const struct command_help *command = find_command(words.words, words.count, &used);
		if (command && words.count > used) cli_synopsis_tokens(command->params, c->part, offer, c);
	}
	quoted_words_release(&words);
}

void cli_help_complete(struct slice text, struct cli_completions *out) {
	struct completing completing = { .typed = text, .part = text, .out = out };
	if (begins_with(text, SLICE_LITERAL("help "))) {
		completing.part = slice_of(text.ptr + 5, text.len - 5);
		complete_help(&completing);
		return;
	}
	complete_command(&completing);
	if (out->count == 0) complete_token(&completing);
}

/* Hints. */

void cli_help_hint(struct slice text, struct buffer *out) {
	struct quoted_words split = { 0 };
	struct buffer rest = { 0 };
	size_t used;
	int64_t repeat;
	if (!quoted_split(text, &split) || split.count == 0) {
		quoted_words_release(&split);
		return;
	}
	const struct slice *words = split.words;
	size_t count = split.count;
	if (count > 1 && number_parse_i64(words[0], &repeat)) {
		words++;
		count--;
	}
	const struct command_help *command = find_command(words, count, &used);
	if (command) cli_synopsis_rest(command->params, words + used, count - used, &rest);
	if (rest.len > 0) {
		if (text.ptr[text.len - 1] != ' ') buffer_append_char(out, ' ');
		buffer_append_slice(out, buffer_slice(&rest));
	}
	buffer_release(&rest);
	quoted_words_release(&split);
}
