#include "server/renames.h"

#include <stdio.h>

#include "base/alloc.h"

const struct command *renames_lookup(const struct renames *r, const struct command_table *commands, struct slice name) {
	for (unsigned i = r->count; i > 0; i--)
		if (slice_is(name, r->items[i - 1].name)) return r->items[i - 1].command;
	return commands->lookup(name);
}

static void add(struct renames *r, const char *name, const struct command *command) {
	r->items = mem_realloc(r->items, (r->count + 1) * sizeof(r->items[0]));
	r->items[r->count++] = (struct rename){ name, command };
}

static bool read_line(struct renames *r, const struct settings_words *words, const struct command_table *commands,
	char error[static RENAMES_ERROR_MAX]) {
	const char *from = words->items[0], *to = words->items[1];
	const struct command *command = renames_lookup(r, commands, slice_of_cstr(from));
	if (!command) {
		snprintf(error, RENAMES_ERROR_MAX, "rename-command %s: no such command", from);
		return false;
	}
	if (to[0] && renames_lookup(r, commands, slice_of_cstr(to))) {
		snprintf(error, RENAMES_ERROR_MAX, "rename-command %s %s: that name is a command already", from, to);
		return false;
	}
	add(r, from, NULL);
	if (to[0]) add(r, to, command);
	return true;
}

bool renames_init(struct renames *r, const struct settings *settings, const struct command_table *commands,
	char error[static RENAMES_ERROR_MAX]) {
	*r = (struct renames){ 0 };
	for (size_t i = 0; i < settings->rename_command.count; i++)
		if (!read_line(r, &settings->rename_command.lines[i], commands, error)) return false;
	return true;
}

void renames_release(struct renames *r) {
	mem_free(r->items);
	*r = (struct renames){ 0 };
}
