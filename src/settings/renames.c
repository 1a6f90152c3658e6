#include "settings/renames.h"

#include "base/alloc.h"

const struct command *renames_lookup(const struct renames *r, command_finder *declared, struct slice name) {
	for (unsigned i = r->count; i > 0; i--)
		if (slice_is(name, r->items[i - 1].name)) return r->items[i - 1].command;
	return declared(name);
}

static void add(struct renames *r, const char *name, const struct command *command) {
	r->items = mem_realloc(r->items, (r->count + 1) * sizeof(r->items[0]));
	r->items[r->count++] = (struct rename){ name, command };
}

enum rename_result renames_add(struct renames *r, const struct settings_words *line, command_finder *declared) {
	const char *from = line->items[0], *to = line->items[1];
	const struct command *command = renames_lookup(r, declared, slice_of_cstr(from));
	if (!command) return RENAME_UNKNOWN;
	if (to[0] && renames_lookup(r, declared, slice_of_cstr(to))) return RENAME_TAKEN;
	add(r, from, NULL);
	if (to[0]) add(r, to, command);
	return RENAME_DONE;
}

void renames_init(struct renames *r, const struct settings *settings, command_finder *declared) {
	*r = (struct renames){ 0 };
	for (size_t i = 0; i < settings->rename_command.count; i++)
		renames_add(r, &settings->rename_command.lines[i], declared);
}

void renames_release(struct renames *r) {
	mem_free(r->items);
	*r = (struct renames){ 0 };
}
