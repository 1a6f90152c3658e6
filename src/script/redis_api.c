/* The table `redis` of scripts. */
#include <lauxlib.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/sha1.h"
#include "script/interp_private.h"
#include "server/command.h"
#include "server/server.h"

enum {
	REPL_NONE = 0,
	REPL_AOF = 1,
	REPL_REPLICA = 2,
	REPL_ALL = 3,
	VERSION_NUMBER = 0x00080200, /* of TARN_REDIS_VERSION: a byte per part */
};

/* ---- Commands ---- */

static void make_room(struct interp *in, unsigned count) {
	if (count <= in->argv_cap) return;
	in->argv_cap = count < 16 ? 16 : count;
	in->argv = mem_realloc(in->argv, in->argv_cap * sizeof(in->argv[0]));
	in->numbers = mem_realloc(in->numbers, (size_t)in->argv_cap * NUMBER_ROOM);
}

/* A number as an argument: seventeen significant digits at most, as printf's %.17g has them. */
static size_t print_number(char *out, lua_Number n) {
	if (n > -1e17 && n < 1e17 && n == (lua_Number)(int64_t)n && (n != 0 || !__builtin_signbit(n)))
		return number_format_i64(out, (int64_t)n);
	return (size_t)snprintf(out, NUMBER_ROOM, "%.17g", n);
}

/* The arguments of the C function in hand, as those of a command. NULL, or why not. */
static const char *read_arguments(lua_State *L, struct interp *in, unsigned *argc) {
	*argc = (unsigned)lua_gettop(L);
	if (*argc == 0) return "Please specify at least one argument for this redis lib call";
	make_room(in, *argc);
	for (unsigned i = 0; i < *argc; i++) {
		int index = (int)i + 1, type = lua_type(L, index);
		if (type == LUA_TSTRING) {
			in->argv[i].ptr = lua_tolstring(L, index, &in->argv[i].len);
		} else if (type == LUA_TNUMBER) {
			char *text = in->numbers + (size_t)i * NUMBER_ROOM;
			in->argv[i] = slice_of(text, print_number(text, lua_tonumber(L, index)));
		} else {
			return "Lua redis lib command arguments must be strings or integers";
		}
	}
	return NULL;
}

static void push_error(lua_State *L, const char *text) {
	lua_createtable(L, 0, 1);
	lua_pushfstring(L, "ERR %s", text);
	lua_setfield(L, -2, "err");
}

/* Pushes what the command replies, or an error; whether it is one. */
static bool call_command(lua_State *L) {
	struct interp *in = interp_of(L);
	interp__check_fate(L, in);
	unsigned argc;
	const char *wrong = in->run ? read_arguments(L, in, &argc)
				    : "redis.call/pcall can only be called inside a script invocation";
	if (wrong) {
		push_error(L, wrong);
		return true;
	}
	in->reply.len = 0;
	in->fate = script_call(in->run, argc, in->argv, &in->reply, in->proto);
	interp__check_fate(L, in);
	return interp__push_reply(L, in, buffer_slice(&in->reply));
}

static int redis_call(lua_State *L) {
	return call_command(L) ? lua_error(L) : 1;
}

static int redis_pcall(lua_State *L) {
	call_command(L);
	return 1;
}

/* ---- Replies ---- */

/* A table with the one field. */
static int push_reply(lua_State *L, const char *field, const char *text, size_t len) {
	lua_createtable(L, 0, 1);
	lua_pushlstring(L, text, len);
	lua_setfield(L, -2, field);
	return 1;
}

static bool has_one_string(lua_State *L) {
	return lua_gettop(L) == 1 && lua_type(L, 1) == LUA_TSTRING;
}

static int wrong_arguments(lua_State *L) {
	push_error(L, "wrong number or type of arguments");
	return 1;
}

/* A text without a code gets one: it has one if there is more than a word, or if it begins with '-' … */
static int error_reply(lua_State *L) {
	if (!has_one_string(L)) return wrong_arguments(L);
	size_t len;
	const char *text = lua_tolstring(L, 1, &len);
	if (len > 0 && text[0] == '-') {
		text++;
		len--;
	}
	if (memchr(text, ' ', len)) return push_reply(L, "err", text, len);
	lua_pushliteral(L, "ERR ");
	lua_pushlstring(L, text, len);
	lua_concat(L, 2);
	text = lua_tolstring(L, -1, &len);
	return push_reply(L, "err", text, len);
}

static int status_reply(lua_State *L) {
	if (!has_one_string(L)) return wrong_arguments(L);
	size_t len;
	const char *text = lua_tolstring(L, 1, &len);
	return push_reply(L, "ok", text, len);
}

/* ---- The rest ---- */

static int sha1_of(lua_State *L) {
	if (lua_gettop(L) != 1) return interp_raise(L, "wrong number of arguments");
	size_t len = 0;
	const char *text = lua_tolstring(L, 1, &len);
	char hex[SHA1_HEX_CHARS + 1];
	sha1_hex(slice_of(text, text ? len : 0), hex);
	lua_pushlstring(L, hex, SHA1_HEX_CHARS);
	return 1;
}

/* redis.log(level, text…): the texts with blanks in between, until one is neither string nor number. */
static int log_message(lua_State *L) {
	struct interp *in = interp_of(L);
	int count = lua_gettop(L);
	if (count < 2) return interp_raise(L, "redis.log() requires two arguments or more.");
	if (!lua_isnumber(L, 1)) return interp_raise(L, "First argument must be a number (log level).");
	lua_Number level = lua_tonumber(L, 1);
	if (!(level >= LEVEL_DEBUG && level <= LEVEL_WARNING)) return interp_raise(L, "Invalid log level.");
	if (in->run && script_says_again(in->run)) return 0;
	if (!log_enabled((enum log_level)level)) return 0;
	luaL_Buffer text;
	luaL_buffinit(L, &text);
	for (int i = 2; i <= count; i++) {
		size_t len;
		const char *piece = lua_tolstring(L, i, &len);
		if (!piece) continue;
		if (i > 2) luaL_addchar(&text, ' ');
		luaL_addlstring(&text, piece, len);
	}
	luaL_pushresult(&text);
	log_line((enum log_level)level, "%s", lua_tostring(L, -1));
	return 0;
}

static int set_resp(lua_State *L) {
	if (lua_gettop(L) != 1) return interp_raise(L, "redis.setresp() requires one argument.");
	lua_Number version = lua_tonumber(L, 1);
	if (!(version >= 2 && version < 4)) return interp_raise(L, "RESP version must be 2 or 3.");
	interp_of(L)->proto = (uint8_t)version;
	return 0;
}

/* What a script writes is seen by all who follow, whatever it asks for. */
static int set_repl(lua_State *L) {
	if (lua_gettop(L) != 1) return interp_raise(L, "redis.set_repl() requires one argument.");
	lua_Number flags = lua_tonumber(L, 1);
	if (!(flags >= REPL_NONE && flags <= REPL_ALL))
		return interp_raise(L, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
	return 0;
}

static int replicate_commands(lua_State *L) {
	lua_pushboolean(L, true);
	return 1;
}

/* There is one user, who may do everything that exists. */
static int acl_check_cmd(lua_State *L) {
	struct interp *in = interp_of(L);
	unsigned argc;
	const char *wrong = in->run ? read_arguments(L, in, &argc)
				    : "redis.acl_check_cmd can only be called inside a script invocation";
	if (wrong) {
		push_error(L, wrong);
		return lua_error(L);
	}
	const struct server *s = in->call->worker->server;
	const struct command *cmd = renames_lookup(&s->renames, s->commands->lookup, in->argv[0]);
	if (cmd && argc > 1 && cmd->flags & CMD_CONTAINER) cmd = command_find_subcommand(cmd, in->argv[1]);
	if (!cmd) return interp_raise(L, "Invalid command passed to redis.acl_check_cmd()");
	lua_pushboolean(L, true);
	return 1;
}

/* There is no debugger to stop in. */
static int breakpoint(lua_State *L) {
	lua_pushboolean(L, false);
	return 1;
}

static int debug_print(lua_State *L) {
	(void)L;
	return 0;
}

/* Into the table on top of the stack. */
static void add_caller(lua_State *L, const char *name, lua_CFunction fn) {
	lua_pushliteral(L, "ok");
	lua_pushliteral(L, "OK");
	push_reply(L, "ok", "OK", 2);
	lua_pushcclosure(L, fn, CALL_UPVALUE_COUNT);
	lua_setfield(L, -2, name);
}

int interp__open_redis(lua_State *L) {
	static const luaL_Reg functions[] = {
		{ "error_reply", error_reply },
		{ "status_reply", status_reply },
		{ "sha1hex", sha1_of },
		{ "log", log_message },
		{ "setresp", set_resp },
		{ "set_repl", set_repl },
		{ "replicate_commands", replicate_commands },
		{ "acl_check_cmd", acl_check_cmd },
		{ "breakpoint", breakpoint },
		{ "debug", debug_print },
		{ NULL, NULL },
	};
	static const struct {
		const char *name;
		int value;
	} constants[] = {
		{ "LOG_DEBUG", LEVEL_DEBUG },
		{ "LOG_VERBOSE", LEVEL_VERBOSE },
		{ "LOG_NOTICE", LEVEL_NOTICE },
		{ "LOG_WARNING", LEVEL_WARNING },
		{ "REPL_NONE", REPL_NONE },
		{ "REPL_AOF", REPL_AOF },
		{ "REPL_SLAVE", REPL_REPLICA },
		{ "REPL_REPLICA", REPL_REPLICA },
		{ "REPL_ALL", REPL_ALL },
		{ "REDIS_VERSION_NUM", VERSION_NUMBER },
	};
	lua_newtable(L);
	luaL_register(L, NULL, functions);
	add_caller(L, "call", redis_call);
	add_caller(L, "pcall", redis_pcall);
	for (unsigned i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
		lua_pushinteger(L, constants[i].value);
		lua_setfield(L, -2, constants[i].name);
	}
	lua_pushliteral(L, TARN_REDIS_VERSION);
	lua_setfield(L, -2, "REDIS_VERSION");
	return 1;
}
