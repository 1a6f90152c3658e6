/* FUNCTION LIST, STATS, KILL, HELP. */
#include "base/glob.h"
#include "commands/generated/command_handlers.h"
#include "script/function_private.h"
#include "server/scripting.h"
#include "server/server.h"

#define ERR_BUSY_SCRIPT "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."

/* ---- LIST ---- */

struct list_options {
	struct slice pattern; /* ptr NULL: all */
	bool with_code;
};

static bool read_list_options(struct call *c, struct list_options *o) {
	*o = (struct list_options){ 0 };
	for (unsigned arg = 2; arg < c->argc; arg++) {
		if (!o->with_code && call_word(c, arg, "withcode")) {
			o->with_code = true;
		} else if (!o->pattern.ptr && call_word(c, arg, "libraryname")) {
			if (++arg == c->argc) {
				reply_error(c->reply, "ERR library name argument was not given");
				return false;
			}
			o->pattern = c->argv[arg];
		} else {
			enum { SHOWN_CHARS = 1024 };
			struct slice word = c->argv[arg];
			reply_errorf(c->reply, "ERR Unknown argument %.*s",
				(int)(word.len < SHOWN_CHARS ? word.len : SHOWN_CHARS), word.ptr);
			return false;
		}
	}
	return true;
}

static void reply_flags(struct reply *r, uint32_t flags) {
	reply_set(r, (size_t)__builtin_popcount(flags));
	for (unsigned i = 0; function_flag_names[i]; i++)
		if (flags & 1u << i) reply_status(r, function_flag_names[i]);
}

static void reply_function(struct reply *r, const struct function *f) {
	reply_map(r, 3);
	reply_cstr(r, "name");
	reply_slice(r, f->name);
	reply_cstr(r, "description");
	if (f->description.ptr)
		reply_slice(r, f->description);
	else
		reply_null(r);
	reply_cstr(r, "flags");
	reply_flags(r, f->flags);
}

static void reply_library(struct reply *r, const struct library *lib, bool with_code) {
	reply_map(r, with_code ? 4 : 3);
	reply_cstr(r, "library_name");
	reply_slice(r, lib->name);
	reply_cstr(r, "engine");
	reply_cstr(r, "LUA");
	reply_cstr(r, "functions");
	reply_array(r, lib->count);
	for (unsigned i = 0; i < lib->count; i++) reply_function(r, lib->functions[i]);
	if (!with_code) return;
	reply_cstr(r, "library_code");
	reply_slice(r, lib->code);
}

void cmd_function_list(struct call *c) {
	struct list_options o;
	if (!read_list_options(c, &o)) return;
	const struct library_set *set = function__libraries(c->worker);
	size_t count = 0, begin = reply_begin(c->reply);
	for (unsigned i = 0; i < set->count; i++) {
		const struct library *lib = set->libraries[i];
		if (o.pattern.ptr && !glob_match(o.pattern, lib->name, GLOB_NOCASE)) continue;
		reply_library(c->reply, lib, o.with_code);
		count++;
	}
	reply_end(c->reply, begin, REPLY_ARRAY, count);
}

/* ---- STATS ---- */

static void reply_running(struct reply *r, const struct script_running *running) {
	reply_map(r, 3);
	reply_cstr(r, "name");
	reply_slice(r, buffer_slice(&running->name));
	reply_cstr(r, "command");
	reply_array(r, running->words);
	const char *word = running->command.data, *end = word + running->command.len;
	for (unsigned i = 0; i < running->words; i++) {
		const char *nul = memchr(word, 0, (size_t)(end - word));
		reply_bulk(r, word, (size_t)(nul - word));
		word = nul + 1;
	}
	reply_cstr(r, "duration_ms");
	reply_int(r, running->duration_ms);
}

static void reply_stats(struct call *c, const struct script_running *running) {
	const struct library_set *set = function__libraries(c->worker);
	struct reply *r = c->reply;
	reply_map(r, 2);
	reply_cstr(r, "running_script");
	if (running)
		reply_running(r, running);
	else
		reply_null(r);
	reply_cstr(r, "engines");
	reply_map(r, 1);
	reply_cstr(r, "LUA");
	reply_map(r, 2);
	reply_cstr(r, "libraries_count");
	reply_int(r, set->count);
	reply_cstr(r, "functions_count");
	reply_int(r, (int64_t)library_set_functions(set));
}

void cmd_function_stats(struct call *c) {
	struct server *s = c->worker->server;
	struct script_running running = { 0 };
	bool runs = script_oldest(s, &running);
	bool is_function = runs && running.kind == SCRIPT_KIND_FUNCTION;
	if (runs && !is_function && running.duration_ms >= s->config->values.busy_reply_threshold)
		reply_error(c->reply, ERR_BUSY_SCRIPT);
	else
		reply_stats(c, is_function ? &running : NULL);
	buffer_release(&running.name);
	buffer_release(&running.command);
}

/* ---- KILL, HELP ---- */

void cmd_function_kill(struct call *c) {
	switch (script_kill_running(c->worker->server, SCRIPT_KIND_FUNCTION)) {
	case SCRIPT_KILL_DONE: reply_ok(c->reply); break;
	case SCRIPT_KILL_NONE: reply_error(c->reply, "NOTBUSY No scripts in execution right now."); break;
	case SCRIPT_KILL_OTHER_KIND: reply_error(c->reply, ERR_BUSY_SCRIPT); break;
	case SCRIPT_KILL_WRITES:
		reply_error(c->reply,
			"UNKILLABLE Sorry the script already executed write commands against the dataset. You can "
			"either wait the script termination or kill the server in a hard way using the SHUTDOWN "
			"NOSAVE command.");
		break;
	}
}

void cmd_function_help(struct call *c) {
	static const char *const lines[] = {
		"LOAD [REPLACE] <FUNCTION CODE>",
		"    Makes a library of the code, and answers its name. With REPLACE it may take the place",
		"    of one of the same name.",
		"DELETE <LIBRARY NAME>",
		"    Removes a library and its functions.",
		"LIST [LIBRARYNAME PATTERN] [WITHCODE]",
		"    The libraries (those whose names match the pattern), their functions, and with",
		"    WITHCODE their code.",
		"STATS",
		"    Which function is running and how many libraries and functions there are.",
		"KILL",
		"    Ends functions that run for long and have written nothing.",
		"FLUSH [ASYNC|SYNC]",
		"    Removes all libraries.",
		"DUMP",
		"    All libraries as bytes, for RESTORE.",
		"RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
		"    Brings in the libraries of a DUMP. What about those that are there:",
		"    * FLUSH: they are removed first.",
		"    * APPEND: one of the same name is an error; this is how it is without such a word.",
		"    * REPLACE: one of the same name is replaced.",
		NULL,
	};
	reply_help(c->reply, "FUNCTION", lines);
}
