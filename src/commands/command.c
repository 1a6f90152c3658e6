/* COMMAND and its subcommands: what the server tells about its own commands.
 *
 * Everything is read from the generated table; the replies have the shape that client libraries parse to find keys, to
 * route in a cluster, and to give hints. */
#include "commands/generated/command_handlers.h"

#include <stdio.h>

#include "base/glob.h"
#include "server/command.h"
#include "server/command_docs.h"
#include "server/worker.h"

#define ERR_COMMAND_UNKNOWN "ERR Invalid command specified"
#define ERR_COMMAND_NO_KEYS "ERR The command has no key arguments"
#define ERR_COMMAND_ARITY "ERR Invalid number of arguments specified for command"
#define ERR_COMMAND_ARGUMENTS "ERR Invalid arguments specified for command"

/* A command by the name that COMMAND LIST shows: "get", "client|setname". NULL when there is none. */
static const struct command *find_full_name(const struct command_table *table, struct slice name) {
	const char *bar = name.len > 0 ? memchr(name.ptr, '|', name.len) : NULL;
	if (bar == NULL) return table->lookup(name);
	size_t head = (size_t)(bar - name.ptr);
	const struct command *container = table->lookup(slice_of(name.ptr, head));
	if (container == NULL) return NULL;
	return command_find_subcommand(container, slice_of(bar + 1, name.len - head - 1));
}

/* A set of status lines: those of `names` whose bit is set, with `prefix` before each. */
static void reply_bits(struct reply *r, uint32_t bits, const char *const *names, const char *prefix) {
	char text[64];
	size_t count = 0;
	for (unsigned i = 0; names[i] != NULL; i++) count += bits >> i & 1;
	reply_set(r, count);
	for (unsigned i = 0; names[i] != NULL; i++) {
		if ((bits >> i & 1) == 0) continue;
		snprintf(text, sizeof(text), "%s%s", prefix, names[i]);
		reply_status(r, text);
	}
}

static void reply_cstr_int(struct reply *r, const char *name, int value) {
	reply_cstr(r, name);
	reply_int(r, value);
}

/* "type" and "spec", the frame that both halves of a key spec have; the map of `spec` is to follow. */
static void reply_spec_head(struct reply *r, const char *type, size_t pairs) {
	reply_map(r, 2);
	reply_cstr(r, "type");
	reply_cstr(r, type);
	reply_cstr(r, "spec");
	reply_map(r, pairs);
}

static void reply_begin_search(struct reply *r, const struct key_spec *spec) {
	switch (spec->shown_unknown ? KEY_BEGIN_UNKNOWN : spec->begin) {
	case KEY_BEGIN_INDEX:
		reply_spec_head(r, "index", 1);
		reply_cstr_int(r, "index", spec->begin_index);
		break;
	case KEY_BEGIN_KEYWORD:
		reply_spec_head(r, "keyword", 2);
		reply_cstr(r, "keyword");
		reply_cstr(r, spec->begin_keyword);
		reply_cstr_int(r, "startfrom", spec->begin_index);
		break;
	case KEY_BEGIN_UNKNOWN: reply_spec_head(r, "unknown", 0); break;
	}
}

static void reply_find_keys(struct reply *r, const struct key_spec *spec) {
	switch (spec->shown_unknown ? KEY_FIND_UNKNOWN : spec->find) {
	case KEY_FIND_RANGE:
		reply_spec_head(r, "range", 3);
		reply_cstr_int(r, "lastkey", spec->last);
		reply_cstr_int(r, "keystep", spec->step);
		reply_cstr_int(r, "limit", spec->limit);
		break;
	case KEY_FIND_KEYNUM:
		reply_spec_head(r, "keynum", 3);
		reply_cstr_int(r, "keynumidx", spec->keynum_index);
		reply_cstr_int(r, "firstkey", spec->first_key);
		reply_cstr_int(r, "keystep", spec->step);
		break;
	case KEY_FIND_UNKNOWN: reply_spec_head(r, "unknown", 0); break;
	}
}

static void reply_key_spec(struct reply *r, const struct key_spec *spec) {
	reply_map(r, spec->notes != NULL ? 4 : 3);
	if (spec->notes != NULL) {
		reply_cstr(r, "notes");
		reply_cstr(r, spec->notes);
	}
	reply_cstr(r, "flags");
	reply_bits(r, spec->flags, key_spec_flag_names, "");
	reply_cstr(r, "begin_search");
	reply_begin_search(r, spec);
	reply_cstr(r, "find_keys");
	reply_find_keys(r, spec);
}

static void reply_tips(struct reply *r, const char *const *tips) {
	size_t count = 0;
	while (tips != NULL && tips[count] != NULL) count++;
	reply_set(r, count);
	for (size_t i = 0; i < count; i++) reply_cstr(r, tips[i]);
}

/* The ten elements of COMMAND INFO; a null for no command. */
static void reply_info(struct reply *r, const struct command *cmd) {
	if (cmd == NULL) {
		reply_null(r);
		return;
	}
	const struct command_docs *docs = cmd->docs;
	reply_array(r, 10);
	reply_cstr(r, cmd->full_name);
	reply_int(r, cmd->arity);
	reply_bits(r, cmd->flags, command_flag_names, "");
	reply_int(r, docs->first_key);
	reply_int(r, docs->last_key);
	reply_int(r, docs->key_step);
	reply_bits(r, cmd->categories, command_category_names, "@");
	reply_tips(r, docs->tips);
	reply_set(r, cmd->key_spec_count);
	for (unsigned i = 0; i < cmd->key_spec_count; i++) reply_key_spec(r, &cmd->key_specs[i]);
	reply_set(r, cmd->subcommand_count);
	for (unsigned i = 0; i < cmd->subcommand_count; i++) reply_info(r, &cmd->subcommands[i]);
}

static void reply_all_infos(struct call *c) {
	const struct command_table *table = worker_commands(c->worker);
	reply_array(c->reply, table->count);
	for (size_t i = 0; i < table->count; i++) reply_info(c->reply, &table->commands[i]);
}

void cmd_command(struct call *c) {
	reply_all_infos(c);
}

void cmd_command_info(struct call *c) {
	if (c->argc == 2) {
		reply_all_infos(c);
		return;
	}
	reply_array(c->reply, c->argc - 2);
	for (unsigned i = 2; i < c->argc; i++)
		reply_info(c->reply, find_full_name(worker_commands(c->worker), c->argv[i]));
}

void cmd_command_count(struct call *c) {
	reply_int(c->reply, (int64_t)worker_commands(c->worker)->count);
}

/* A pair of a map, when there is something to say; returns whether there is. */
static size_t reply_pair(struct reply *r, const char *name, const char *value) {
	if (value == NULL) return 0;
	reply_cstr(r, name);
	reply_cstr(r, value);
	return 1;
}

static void reply_args(struct reply *r, const struct command_arg *args, size_t count);

static void reply_arg(struct reply *r, const struct command_arg *arg) {
	bool group = arg->type == ARG_ONEOF || arg->type == ARG_BLOCK;
	size_t begin = reply_begin(r);
	size_t pairs = reply_pair(r, "name", arg->name);
	pairs += reply_pair(r, "type", command_arg_type_names[arg->type]);
	if (!group) pairs += reply_pair(r, "display_text", arg->name);
	if (arg->key_spec_index >= 0) {
		reply_cstr_int(r, "key_spec_index", arg->key_spec_index);
		pairs++;
	}
	pairs += reply_pair(r, "token", arg->token);
	pairs += reply_pair(r, "since", arg->since);
	pairs += reply_pair(r, "deprecated_since", arg->deprecated_since);
	if (arg->flags != 0) {
		reply_cstr(r, "flags");
		reply_bits(r, arg->flags, command_arg_flag_names, "");
		pairs++;
	}
	if (group) {
		reply_cstr(r, "arguments");
		reply_args(r, arg->args, arg->arg_count);
		pairs++;
	}
	reply_end(r, begin, REPLY_MAP, pairs);
}

static void reply_args(struct reply *r, const struct command_arg *args, size_t count) {
	reply_array(r, count);
	for (size_t i = 0; i < count; i++) reply_arg(r, &args[i]);
}

static void reply_history(struct reply *r, const struct command_docs *docs) {
	reply_set(r, docs->history_count);
	for (size_t i = 0; i < docs->history_count; i++) {
		reply_array(r, 2);
		reply_cstr(r, docs->history[i].since);
		reply_cstr(r, docs->history[i].text);
	}
}

/* The name and the map of one command; those of its subcommands are inside. */
static void reply_docs(struct reply *r, const struct command *cmd) {
	const struct command_docs *docs = cmd->docs;
	reply_cstr(r, cmd->full_name);
	size_t begin = reply_begin(r);
	size_t pairs = reply_pair(r, "summary", docs->summary);
	pairs += reply_pair(r, "since", docs->since);
	pairs += reply_pair(r, "group", docs->group);
	pairs += reply_pair(r, "complexity", docs->complexity);
	if (docs->flags != 0) {
		reply_cstr(r, "doc_flags");
		reply_bits(r, docs->flags, command_doc_flag_names, "");
		pairs++;
	}
	pairs += reply_pair(r, "deprecated_since", docs->deprecated_since);
	pairs += reply_pair(r, "replaced_by", docs->replaced_by);
	if (docs->history_count > 0) {
		reply_cstr(r, "history");
		reply_history(r, docs);
		pairs++;
	}
	if (docs->arg_count > 0) {
		reply_cstr(r, "arguments");
		reply_args(r, docs->args, docs->arg_count);
		pairs++;
	}
	if (cmd->subcommand_count > 0) {
		reply_cstr(r, "subcommands");
		reply_map(r, cmd->subcommand_count);
		for (unsigned i = 0; i < cmd->subcommand_count; i++) reply_docs(r, &cmd->subcommands[i]);
		pairs++;
	}
	reply_end(r, begin, REPLY_MAP, pairs);
}

void cmd_command_docs(struct call *c) {
	const struct command_table *table = worker_commands(c->worker);
	if (c->argc == 2) {
		reply_map(c->reply, table->count);
		for (size_t i = 0; i < table->count; i++) reply_docs(c->reply, &table->commands[i]);
		return;
	}
	size_t begin = reply_begin(c->reply), found = 0;
	for (unsigned i = 2; i < c->argc; i++) {
		const struct command *cmd = find_full_name(table, c->argv[i]);
		if (cmd == NULL) continue;
		reply_docs(c->reply, cmd);
		found++;
	}
	reply_end(c->reply, begin, REPLY_MAP, found);
}

/* Which commands COMMAND LIST is asked for. */
struct list_filter {
	enum { LIST_ALL, LIST_NONE, LIST_CATEGORY, LIST_PATTERN } kind;
	uint32_t category; /* its bit */
	struct slice pattern;
};

/* False, nothing written, when the arguments are no filter. */
static bool parse_filter(const struct call *c, struct list_filter *filter) {
	*filter = (struct list_filter){ .kind = LIST_ALL };
	if (c->argc == 2) return true;
	if (c->argc != 5 || !call_word(c, 2, "FILTERBY")) return false;
	/* There are no modules, and so no commands of one. */
	filter->kind = LIST_NONE;
	if (call_word(c, 3, "MODULE")) return true;
	if (call_word(c, 3, "PATTERN")) {
		filter->kind = LIST_PATTERN;
		filter->pattern = c->argv[4];
		return true;
	}
	if (!call_word(c, 3, "ACLCAT")) return false;
	for (unsigned i = 0; command_category_names[i] != NULL; i++) {
		if (!call_word(c, 4, command_category_names[i])) continue;
		filter->kind = LIST_CATEGORY;
		filter->category = 1u << i;
	}
	return true;
}

static bool filter_lets(const struct list_filter *filter, const struct command *cmd) {
	switch (filter->kind) {
	case LIST_ALL: return true;
	case LIST_NONE: return false;
	case LIST_CATEGORY: return (cmd->categories & filter->category) != 0;
	case LIST_PATTERN: return glob_match(filter->pattern, slice_of_cstr(cmd->full_name), GLOB_NOCASE);
	}
	return false;
}

/* Writes the names of those of `commands`, and of their subcommands, that the filter lets pass; returns how many. */
static size_t reply_names(
	struct reply *r, const struct list_filter *filter, const struct command *commands, size_t count) {
	size_t written = 0;
	for (size_t i = 0; i < count; i++) {
		if (filter_lets(filter, &commands[i])) {
			reply_cstr(r, commands[i].full_name);
			written++;
		}
		written += reply_names(r, filter, commands[i].subcommands, commands[i].subcommand_count);
	}
	return written;
}

void cmd_command_list(struct call *c) {
	const struct command_table *table = worker_commands(c->worker);
	struct list_filter filter;
	if (!parse_filter(c, &filter)) {
		call_syntax_error(c);
		return;
	}
	size_t begin = reply_begin(c->reply);
	size_t count = reply_names(c->reply, &filter, table->commands, table->count);
	reply_end(c->reply, begin, REPLY_ARRAY, count);
}

static bool has_keys(const struct command *cmd) {
	for (unsigned i = 0; i < cmd->key_spec_count; i++)
		if (!(cmd->key_specs[i].flags & KEY_NOT_KEY)) return true;
	return false;
}

/* The command that COMMAND GETKEYS was given, from argument 2 on; NULL, error written, when it is not a proper one. */
static const struct command *given_command(struct call *c) {
	unsigned argc = c->argc - 2;
	const struct command *cmd = worker_commands(c->worker)->lookup(c->argv[2]);
	if (cmd != NULL && cmd->subcommand_count > 0 && argc > 1) cmd = command_find_subcommand(cmd, c->argv[3]);
	const char *error = NULL;
	if (cmd == NULL) {
		error = ERR_COMMAND_UNKNOWN;
	} else if (!has_keys(cmd)) {
		error = ERR_COMMAND_NO_KEYS;
	} else if (!command_arity_fits(cmd, argc)) {
		error = ERR_COMMAND_ARITY;
	}
	if (error == NULL) return cmd;
	reply_error(c->reply, error);
	return NULL;
}

struct found_keys {
	struct call *call;
	bool with_flags;
	bool write; /* the first pass only counts */
	size_t count;
};

static void found_key(void *context, unsigned arg, uint32_t spec_flags) {
	struct found_keys *found = context;
	struct reply *r = found->call->reply;
	found->count++;
	if (!found->write) return;
	if (found->with_flags) reply_array(r, 2);
	reply_slice(r, found->call->argv[2 + arg]);
	if (found->with_flags) reply_bits(r, spec_flags, key_spec_flag_names, "");
}

static void reply_keys(struct call *c, bool with_flags) {
	const struct command *cmd = given_command(c);
	if (cmd == NULL) return;
	struct found_keys found = { .call = c, .with_flags = with_flags };
	if (!command_each_key(cmd, c->argc - 2, c->argv + 2, found_key, &found) || found.count == 0) {
		/* A script may do without keys, and then a number that makes no sense is no error here either. */
		if (cmd->flags & CMD_NO_MANDATORY_KEYS)
			reply_array(c->reply, 0);
		else
			reply_error(c->reply, ERR_COMMAND_ARGUMENTS);
		return;
	}
	reply_array(c->reply, found.count);
	found.write = true;
	(void)command_each_key(cmd, c->argc - 2, c->argv + 2, found_key, &found);
}

void cmd_command_getkeys(struct call *c) {
	reply_keys(c, false);
}

void cmd_command_getkeysandflags(struct call *c) {
	reply_keys(c, true);
}

void cmd_command_help(struct call *c) {
	static const char *const lines[] = {
		"(no subcommand)",
		"    Describe all commands.",
		"COUNT",
		"    Return the number of commands.",
		"DOCS [<command-name> ...]",
		"    Return what is documented about the named commands, or about all.",
		"GETKEYS <full-command>",
		"    Return the keys in a full command.",
		"GETKEYSANDFLAGS <full-command>",
		"    Return the keys in a full command and what it does to them.",
		"INFO [<command-name> ...]",
		"    Describe the named commands, or all.",
		"LIST [FILTERBY (MODULE <module-name>|ACLCAT <category>|PATTERN <pattern>)]",
		"    Return the names of all commands, or of those that the filter lets pass.",
		NULL,
	};
	reply_help(c->reply, "COMMAND", lines);
}
