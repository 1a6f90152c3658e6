#include "settings/config.h"

#include <limits.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

void config_init(struct config *config) {
	char here[PATH_MAX];
	*config = (struct config){ .start_dir = mem_strdup(getcwd(here, sizeof(here)) == NULL ? "/" : here) };
	settings_init(&config->values, config->start_dir);
}

void config_release(struct config *config) {
	settings_release(&config->values);
	mem_free(config->path);
	mem_free(config->start_dir);
	*config = (struct config){ 0 };
}

/* ---- CONFIG SET ---- */

struct change {
	const struct setting *setting;
	const char *spelled; /* the name or alias that was used */
	struct slice name;   /* as the client wrote it */
	struct slice value;
	bool differs;
};

/* One CONFIG SET. `next` holds the values to come of the settings that are touched, and after the exchange the old ones. */
struct change_set {
	struct config *config;
	struct change *changes;
	unsigned count;
	bool touched[SETTING_COUNT];
	struct settings next;
};

static bool fail(struct buffer *error, struct slice name, const char *reason) {
	buffer_appendf(error, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s", (int)name.len,
		name.len == 0 ? "" : name.ptr, reason);
	return false;
}

static bool may_change_protected(const struct config *config, enum config_caller caller) {
	switch (config->values.enable_protected_configs) {
	case PERMISSION_YES: return true;
	case PERMISSION_LOCAL: return caller == CONFIG_CALLER_LOCAL;
	case PERMISSION_NO: break;
	}
	return false;
}

static size_t index_of(const struct setting *s) {
	return (size_t)(s - settings_table);
}

/* Finds the setting of change number `at` and refuses what must not change at all. An alias counts as another name: both
 * may be given, and the last one holds. */
static bool resolve(struct change_set *set, unsigned at, enum config_caller caller, struct buffer *error) {
	struct change *change = &set->changes[at];
	change->setting = setting_find(change->name, &change->spelled);
	if (change->setting == NULL || change->setting->flags & SETTING_FILE_ONLY) {
		buffer_appendf(error, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
			(int)change->name.len, change->name.len == 0 ? "" : change->name.ptr);
		return false;
	}
	if (change->setting->flags & SETTING_IMMUTABLE) return fail(error, change->name, "can't set immutable config");
	if (change->setting->flags & SETTING_PROTECTED && !may_change_protected(set->config, caller)) {
		return fail(error, change->name, "can't set protected config");
	}
	for (unsigned i = 0; i < at; i++) {
		if (set->changes[i].spelled == change->spelled) return fail(error, change->name, "duplicate parameter");
	}
	return true;
}

static bool parse(struct change_set *set, struct change *change, struct buffer *error) {
	const struct setting *s = change->setting;
	char reason[SETTINGS_ERROR_MAX];
	if (!set->touched[index_of(s)]) {
		setting_copy(s, &set->next, &set->config->values);
		set->touched[index_of(s)] = true;
	}
	if (setting_parse(s, &set->next, 1, &change->value, SETTING_FROM_CLIENT, set->config->values.dir, reason))
		return true;
	return fail(error, change->name, reason);
}

static void exchange(struct change_set *set) {
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (set->touched[i]) setting_swap(&settings_table[i], &set->config->values, &set->next);
	}
}

static settings_hook *hook_of(const struct change_set *set, const struct change *change) {
	settings_hook *hook = NULL;
	if (set->config->hooks == NULL || !change->setting->has_hook || !change->differs) return NULL;
	memcpy(&hook, (const char *)set->config->hooks + change->setting->hook_offset, sizeof(hook));
	return hook;
}

/* Whether an earlier change calls the same hook. */
static bool called_before(const struct change_set *set, unsigned at) {
	for (unsigned i = 0; i < at; i++) {
		if (hook_of(set, &set->changes[i]) == hook_of(set, &set->changes[at])) return true;
	}
	return false;
}

/* Calls the hooks of the first `count` changes, in order; false with *at the one that refused. */
static bool call_hooks(struct change_set *set, unsigned count, unsigned *at, char reason[SETTINGS_ERROR_MAX]) {
	struct config *config = set->config;
	for (*at = 0; *at < count; ++*at) {
		settings_hook *hook = hook_of(set, &set->changes[*at]);
		if (hook == NULL || called_before(set, *at)) continue;
		if (!hook(config->hooks_context, &config->values, reason)) return false;
	}
	return true;
}

static bool apply(struct change_set *set, struct buffer *error) {
	unsigned refused_at;
	unsigned undone;
	char reason[SETTINGS_ERROR_MAX] = "";
	for (unsigned i = 0; i < set->count; i++) {
		struct change *change = &set->changes[i];
		change->differs = !setting_equal(change->setting, &set->config->values, &set->next);
	}
	exchange(set);
	if (call_hooks(set, set->count, &refused_at, reason)) return true;
	log_warning(
		"Failed applying new configuration. Possibly related to new %s setting. Restoring previous settings.",
		set->changes[refused_at].setting->name);
	fail(error, set->changes[refused_at].name, reason);
	exchange(set);
	if (!call_hooks(set, refused_at, &undone, reason)) {
		log_warning("Failed to go back to the old value of '%s': %s", set->changes[undone].spelled, reason);
	}
	return false;
}

bool config_set(struct config *config, unsigned argc, const struct slice *argv, enum config_caller caller,
	struct buffer *error) {
	if (argc == 0 || argc % 2 != 0) {
		buffer_appendf(error, "ERR syntax error");
		return false;
	}
	struct change_set set = { .config = config, .count = argc / 2 };
	set.changes = mem_calloc(set.count * sizeof(*set.changes));
	bool good = true;
	for (unsigned i = 0; good && i < set.count; i++) {
		const struct slice *pair = argv + 2 * (size_t)i;
		set.changes[i].name = pair[0];
		set.changes[i].value = pair[1];
		good = resolve(&set, i, caller, error);
	}
	for (unsigned i = 0; good && i < set.count; i++) good = parse(&set, &set.changes[i], error);
	if (good) good = apply(&set, error);
	settings_release(&set.next); /* of what was not touched it is all zero, which frees as nothing */
	mem_free(set.changes);
	return good;
}
