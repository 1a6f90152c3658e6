/* SCRIPT: the scripts that the server knows, and the one that runs. */
#include "commands/generated/command_handlers.h"
#include "script/engine.h"
#include "script/eval.h"
#include "server/server.h"

static struct script_table *scripts_of(const struct call *c) {
	return &engine_server(c->worker->server)->scripts;
}

/* False: no script has this name, it is no SHA-1. */
static bool read_sha(struct slice word, char sha[static SHA1_HEX_CHARS]) {
	if (word.len != SHA1_HEX_CHARS) return false;
	for (unsigned i = 0; i < SHA1_HEX_CHARS; i++) {
		char ch = word.ptr[i];
		sha[i] = ch >= 'A' && ch <= 'Z' ? (char)(ch + ('a' - 'A')) : ch;
	}
	return true;
}

void cmd_script_load(struct call *c) {
	const struct cached_script *cached = eval_learn(c->worker, c->argv[2], true, c->reply);
	if (cached) reply_bulk(c->reply, cached->script->sha, SHA1_HEX_CHARS);
}

void cmd_script_exists(struct call *c) {
	char sha[SHA1_HEX_CHARS];
	reply_array(c->reply, c->argc - 2);
	for (unsigned i = 2; i < c->argc; i++)
		reply_int(c->reply, read_sha(c->argv[i], sha) && script_table_has(scripts_of(c), sha));
}

void cmd_script_show(struct call *c) {
	char sha[SHA1_HEX_CHARS];
	struct script *script = read_sha(c->argv[2], sha) ? script_table_find(scripts_of(c), sha) : NULL;
	if (!script) {
		reply_error(c->reply, "NOSCRIPT No matching script. Please use EVAL.");
		return;
	}
	reply_slice(c->reply, script->source);
	script_release(script);
}

/* The scripts go at once; their functions in the interpreters when each worker runs its next script. */
void cmd_script_flush(struct call *c) {
	if (c->argc > 3 || (c->argc == 3 && !call_word(c, 2, "sync") && !call_word(c, 2, "async"))) {
		reply_error(c->reply, "ERR SCRIPT FLUSH only support SYNC|ASYNC option");
		return;
	}
	script_table_flush(scripts_of(c));
	reply_ok(c->reply);
}

void cmd_script_kill(struct call *c) {
	switch (script_kill_running(c->worker->server, SCRIPT_KIND_EVAL)) {
	case SCRIPT_KILL_DONE: reply_ok(c->reply); break;
	case SCRIPT_KILL_NONE: reply_error(c->reply, "NOTBUSY No scripts in execution right now."); break;
	case SCRIPT_KILL_WRITES:
		reply_error(c->reply, "UNKILLABLE Sorry the script already executed write commands against the "
				      "dataset. You can either "
				      "wait the script termination or kill the server in a hard way using the SHUTDOWN "
				      "NOSAVE command.");
		break;
	case SCRIPT_KILL_OTHER_KIND:
		reply_error(c->reply,
			"BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.");
		break;
	}
}

void cmd_script_debug(struct call *c) {
	if (call_word(c, 2, "no"))
		reply_ok(c->reply);
	else if (call_word(c, 2, "yes") || call_word(c, 2, "sync"))
		reply_error(c->reply, "ERR there is no debugger for scripts in this server");
	else
		reply_error(c->reply, "ERR Use SCRIPT DEBUG YES/SYNC/NO");
}

void cmd_script_help(struct call *c) {
	static const char *const lines[] = {
		"DEBUG (YES|SYNC|NO)",
		"    NO is what there is: scripts run without a debugger.",
		"EXISTS <sha1> [<sha1> ...]",
		"    Which of these scripts the server knows: 1 or 0 for each.",
		"FLUSH [ASYNC|SYNC]",
		"    Forgets all scripts.",
		"KILL",
		"    Ends the script that runs for long, if it has written nothing yet.",
		"LOAD <script>",
		"    Lets the server know a script without running it; answers its SHA1.",
		"SHOW <sha1>",
		"    The text of a script.",
		NULL,
	};
	reply_help(c->reply, "SCRIPT", lines);
}
