/* Libraries brought in and taken out: FUNCTION LOAD, DELETE, FLUSH, DUMP and RESTORE.
 *
 * All that change something run under the world. A payload of DUMP is what an RDB file has of the libraries, and the footer
 * that DUMP of a value has too:
 *
 *   size  meaning
 *   1     245, for each library
 *   n     its code, a string (types/serial.h)
 *   10    version and CRC-64, see commands/dump.h */
#include <lauxlib.h>

#include "commands/dump.h"
#include "commands/generated/command_handlers.h"
#include "script/function_private.h"
#include "server/server.h"
#include "types/serial.h"

enum {
	OPCODE_LIBRARY = 245,
	PAYLOAD_VERSION = 10, /* of RDB, the first with such libraries */
};

static void say_name(struct buffer *error, const char *before, struct slice name, const char *after) {
	buffer_appendf(error, "%s", before);
	buffer_append_slice(error, name);
	buffer_appendf(error, "%s", after);
}

/* Puts the library into the set in place of `old` (NULL: none). */
static bool put(struct library_set *set, struct library *lib, struct library *old, struct buffer *error) {
	const struct function *clash = library_set_clash(set, lib, old);
	if (clash) {
		say_name(error, "Function ", clash->name, " already exists");
		return false;
	}
	if (old) library_set_remove(set, old);
	library_set_add(set, lib);
	return true;
}

/* Where a library is to go, and how. */
struct bringing {
	struct library_set *set;
	unsigned workers;
	enum { BRING_NEW, BRING_REPLACE } how;
	struct interp *interp; /* of function_interp_new */
};

static bool bring(
	const struct bringing *b, const struct function_header *header, struct slice code, struct buffer *error) {
	struct slice name = buffer_slice(&header->name);
	struct library *old = library_set_find(b->set, name);
	if (old && b->how == BRING_NEW) {
		say_name(error, "Library '", name, "' already exists");
		return false;
	}
	struct library *lib = function_probe(b->interp, header, code, error);
	if (!lib) return false;
	library_seal(lib, b->workers, LUA_NOREF);
	if (put(b->set, lib, old, error)) return true;
	library_release(lib);
	return false;
}

/* Makes a library of the code. Its name is appended to `name` (NULL: nobody wants it); otherwise false, nothing changed, and
 * what is wrong is appended to `error`. */
static bool bring_code(const struct bringing *b, struct slice code, struct buffer *name, struct buffer *error) {
	struct function_header header;
	if (!function_header_read(&header, code, error)) return false;
	bool ok = bring(b, &header, code, error);
	if (ok && name) buffer_append_slice(name, buffer_slice(&header.name));
	function_header_release(&header);
	return ok;
}

/* The same for one library of the server's. */
static bool bring_one(struct server *s, struct slice code, bool replace, struct buffer *name, struct buffer *error) {
	struct function_server *fs = function__server(s);
	struct bringing b = { &fs->libraries, fs->workers, replace ? BRING_REPLACE : BRING_NEW,
		function_interp_new(0, error) };
	if (!b.interp) return false;
	bool ok = bring_code(&b, code, name, error);
	interp_free(b.interp);
	return ok;
}

bool function_load(struct server *s, struct slice code, struct buffer *error) {
	struct buffer text = { 0 };
	bool ok = bring_one(s, code, false, NULL, &text);
	if (!ok) say_name(error, "ERR ", buffer_slice(&text), "");
	buffer_release(&text);
	return ok;
}

/* ---- LOAD, DELETE, FLUSH ---- */

enum { SHOWN_CHARS = 1024 }; /* of a client's word in a message */

/* An error that has a word of the client's, or of a script's, in it. */
static void answer_error(struct call *c, const struct buffer *error) {
	reply_errorf(c->reply, "ERR %.*s", (int)(error->len < INT32_MAX ? error->len : INT32_MAX), error->data);
}

static void say_word(struct call *c, const char *before, unsigned arg) {
	struct slice word = c->argv[arg];
	reply_errorf(c->reply, "%s%.*s", before, (int)(word.len < SHOWN_CHARS ? word.len : SHOWN_CHARS), word.ptr);
}

/* No key has changed, and yet there is something to save. */
static void count_change(struct call *c) {
	STAT_ADD(c->view->stats->changes, 1);
}

static void refuse_count(struct call *c) {
	struct slice word = c->argv[1];
	reply_errorf(c->reply, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try FUNCTION HELP.",
		(int)(word.len < SHOWN_CHARS ? word.len : SHOWN_CHARS), word.ptr);
}

void cmd_function_load(struct call *c) {
	bool replace = false;
	unsigned code = c->argc - 1;
	for (unsigned arg = 2; arg < code; arg++) {
		if (!call_word(c, arg, "replace")) {
			say_word(c, "ERR Unknown option given: ", arg);
			return;
		}
		replace = true;
	}
	struct buffer name = { 0 }, error = { 0 };
	if (bring_one(c->worker->server, c->argv[code], replace, &name, &error)) {
		count_change(c);
		reply_slice(c->reply, buffer_slice(&name));
	} else {
		answer_error(c, &error);
	}
	buffer_release(&name);
	buffer_release(&error);
}

void cmd_function_delete(struct call *c) {
	struct library_set *set = &function__server(c->worker->server)->libraries;
	struct library *lib = library_set_find(set, c->argv[2]);
	if (!lib) {
		reply_error(c->reply, "ERR Library not found");
		return;
	}
	library_set_remove(set, lib);
	count_change(c);
	reply_ok(c->reply);
}

void cmd_function_flush(struct call *c) {
	if (c->argc > 3) {
		refuse_count(c);
		return;
	}
	if (c->argc == 3 && !call_word(c, 2, "sync") && !call_word(c, 2, "async")) {
		reply_error(c->reply, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
		return;
	}
	/* What workers have loaded goes when they next run a function. */
	library_set_clear(&function__server(c->worker->server)->libraries);
	count_change(c);
	reply_ok(c->reply);
}

/* ---- DUMP, RESTORE ---- */

void function__save(const struct library_set *set, unsigned serial_flags, struct buffer *out) {
	struct serial_writer w = { out, serial_flags };
	for (unsigned i = 0; i < set->count; i++) {
		serial_put_byte(&w, OPCODE_LIBRARY);
		serial_put_string(&w, set->libraries[i]->code);
	}
}

void function_save(struct server *s, unsigned serial_flags, struct buffer *out) {
	function__save(function__libraries(&s->workers[0]), serial_flags, out);
}

void cmd_function_dump(struct call *c) {
	struct buffer payload = { 0 };
	function__save(function__libraries(c->worker),
		c->worker->server->config->values.rdbcompression ? SERIAL_COMPRESS : 0, &payload);
	dump_put_footer(&payload, PAYLOAD_VERSION);
	reply_slice(c->reply, buffer_slice(&payload));
	buffer_release(&payload);
}

static bool read_library(const struct bringing *b, struct serial_reader *r, struct buffer *error) {
	uint8_t opcode = 0;
	struct serial_text code = { 0 };
	bool ok = false;
	if (!serial_get_byte(r, &opcode) || opcode != OPCODE_LIBRARY)
		buffer_appendf(error, "given type is not a function");
	else if (!serial_get_string(r, &code))
		buffer_appendf(error, "Failed loading library payload");
	else
		ok = bring_code(b, code.bytes, NULL, error);
	serial_text_release(&code);
	return ok;
}

bool function__read(struct slice bytes, unsigned workers, struct library_set *set, struct buffer *error) {
	struct bringing b = { set, workers, BRING_NEW, function_interp_new(0, error) };
	if (!b.interp) return false;
	struct serial_reader r = serial_reader_of(bytes);
	bool ok = true;
	while (ok && serial_left(&r) > 0) ok = read_library(&b, &r, error);
	interp_free(b.interp);
	return ok;
}

static bool merge(struct library_set *set, struct library_set *from, enum library_merge how, struct buffer *error) {
	const struct library *old;
	const struct function *clash;
	if (library_set_merge(set, from, how, &old, &clash)) return true;
	if (old)
		say_name(error, "Library ", old->name, " already exists");
	else
		say_name(error, "Function ", clash->name, " already exists");
	return false;
}

static bool read_policy(struct call *c, enum library_merge *how) {
	*how = LIBRARY_APPEND;
	if (c->argc > 4) {
		refuse_count(c);
		return false;
	}
	if (c->argc == 3 || call_word(c, 3, "append")) return true;
	if (call_word(c, 3, "replace")) {
		*how = LIBRARY_REPLACE;
	} else if (call_word(c, 3, "flush")) {
		*how = LIBRARY_FLUSH;
	} else {
		reply_error(
			c->reply, "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
		return false;
	}
	return true;
}

void cmd_function_restore(struct call *c) {
	enum library_merge how;
	if (!read_policy(c, &how)) return;
	struct slice payload = c->argv[2];
	if (!dump_has_good_footer(payload)) {
		reply_error(c->reply, "ERR DUMP payload version or checksum are wrong");
		return;
	}
	struct function_server *fs = function__server(c->worker->server);
	struct library_set set = { 0 };
	struct buffer error = { 0 };
	payload.len -= DUMP_FOOTER_BYTES;
	if (function__read(payload, fs->workers, &set, &error) && merge(&fs->libraries, &set, how, &error)) {
		count_change(c);
		reply_ok(c->reply);
	} else {
		answer_error(c, &error);
	}
	library_set_release(&set);
	buffer_release(&error);
}
