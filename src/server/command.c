#include "server/command.h"

#include "base/number.h"
#include "server/command_docs.h"

const char *const command_arg_type_names[] = {
	"string",
	"integer",
	"double",
	"key",
	"pattern",
	"unix-time",
	"pure-token",
	"oneof",
	"block",
};
const char *const command_arg_flag_names[] = { "optional", "multiple", "multiple_token", NULL };
const char *const command_doc_flag_names[] = { "deprecated", "syscmd", NULL };

const struct command *command_find_subcommand(const struct command *container, struct slice name) {
	for (unsigned i = 0; i < container->subcommand_count; i++) {
		if (slice_is(name, container->subcommands[i].name)) return &container->subcommands[i];
	}
	return NULL;
}

/* The argument where the keys of `spec` begin; 0 when these arguments have none of them. */
static unsigned find_begin(const struct key_spec *spec, unsigned argc, const struct slice *argv) {
	if (spec->begin == KEY_BEGIN_INDEX) return (unsigned)spec->begin_index < argc ? (unsigned)spec->begin_index : 0;
	if (spec->begin != KEY_BEGIN_KEYWORD) return 0;
	bool backwards = spec->begin_index < 0;
	int64_t at = backwards ? (int64_t)argc + spec->begin_index : spec->begin_index;
	for (; at > 0 && at + 1 < argc; at += backwards ? -1 : 1) {
		if (slice_is(argv[at], spec->begin_keyword)) return (unsigned)at + 1;
	}
	return 0;
}

/* The last argument that may be a key of a range that begins at `first`. May lie beyond the arguments. */
static int64_t range_last(const struct key_spec *spec, unsigned argc, unsigned first) {
	if (spec->last >= 0) return (int64_t)first + spec->last;
	if (spec->limit > 1) return (int64_t)first + (argc - first) / (unsigned)spec->limit + spec->last;
	return (int64_t)argc + spec->last;
}

/* First and last key argument of one spec; last < first when there is none. False when the arguments do not fit. */
static bool spec_bounds(
	const struct key_spec *spec, unsigned argc, const struct slice *argv, int64_t *first, int64_t *last) {
	unsigned begin = find_begin(spec, argc, argv);
	*first = 1;
	*last = 0;
	if (begin == 0 || spec->find == KEY_FIND_UNKNOWN) return true;
	if (spec->find == KEY_FIND_RANGE) {
		*first = begin;
		*last = range_last(spec, argc, begin);
		return *last < argc;
	}
	int64_t count;
	unsigned count_arg = begin + (unsigned)spec->keynum_index;
	if (count_arg >= argc || !number_parse_i64(argv[count_arg], &count) || count < 0 || count > argc) return false;
	*first = begin + spec->first_key;
	*last = *first + (count - 1) * spec->step;
	return *last < (int64_t)argc;
}

/* What really happens to the keys of a spec whose flags depend on the options. */
static uint32_t flags_now(const struct key_spec *spec, unsigned argc, const struct slice *argv) {
	if (spec->words == NULL) return spec->flags;
	for (unsigned arg = (unsigned)spec->words_from; arg < argc; arg++) {
		for (const char *const *word = spec->words; *word != NULL; word++) {
			if (slice_is(argv[arg], *word)) return spec->flags & ~(uint32_t)KEY_VARIABLE_FLAGS;
		}
	}
	return spec->flags_without;
}

bool command_each_key(
	const struct command *cmd, unsigned argc, const struct slice *argv, command_key_fn *found, void *context) {
	for (unsigned i = 0; i < cmd->key_spec_count; i++) {
		const struct key_spec *spec = &cmd->key_specs[i];
		if ((spec->flags & KEY_NOT_KEY) != 0) continue;
		int64_t first, last;
		if (!spec_bounds(spec, argc, argv, &first, &last)) return false;
		if (last < first) {
			/* Of the commands that count their keys only scripts may do without one. */
			if (spec->find == KEY_FIND_KEYNUM && !(cmd->flags & CMD_NO_MANDATORY_KEYS)) return false;
			continue;
		}
		uint32_t flags = flags_now(spec, argc, argv);
		for (int64_t arg = first; arg <= last; arg += spec->step) found(context, (unsigned)arg, flags);
	}
	return true;
}

enum command_gate command_gate_for(const struct command *cmd, unsigned argc, const struct slice *argv) {
	if (__builtin_expect(!cmd->world_words, 1)) return cmd->gate;
	for (unsigned i = 2; i < argc; i++)
		for (const char *const *word = cmd->world_words; *word; word++)
			if (slice_is(argv[i], *word)) return GATE_WORLD;
	return cmd->gate;
}
