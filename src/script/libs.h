/* libs: what scripts find beside the language (cmsgpack, struct, bit, cjson), and functions in place of those
 * stock ones of Lua 5.1 that a hostile script could crash the process with, or keep busy for long where no count
 * hook is called.
 *
 * Each lua_open_… pushes the library's table and returns 1, so it also is a lua_CFunction. It sets no global; the
 * caller decides under which name and behind which protection the table appears. All of them may raise "not enough
 * memory", as anything in Lua may: call them inside lua_pcall or lua_cpcall.
 *
 * The C stack: Lua 5.1 itself allows 200 C calls inside each other, over all coroutines that resume one another,
 * and each of these calls takes little. A stack of LUA_STACK_MIN bytes is enough for whatever a script does.
 *
 * A lua_State and what belongs to it are used by one thread at a time. */
#ifndef TARN_SCRIPT_LIBS_H
#define TARN_SCRIPT_LIBS_H

#include <lua.h>
#include <stdbool.h>

#include "base/bytes.h"

enum { LUA_STACK_MIN = 1024 * 1024 }; /* bytes of C stack below lua_pcall */

int lua_open_cmsgpack(lua_State *L); /* pack, unpack, unpack_one, unpack_limit */
int lua_open_struct(lua_State *L);   /* pack, unpack, size */
int lua_open_bit(lua_State *L);      /* LuaBitOp */
int lua_open_cjson(lua_State *L);    /* lua-cjson's calls; once per state */

/* The stock library, opened and with replacements in it. */
int lua_open_string(lua_State *L); /* also becomes the __index of strings, as the stock one */
int lua_open_table(lua_State *L);

/* Sets load, loadstring and unpack in the table on top of the stack, which the caller has filled with the stock base
 * functions (luaopen_base, which also brings coroutine: that is safe as it is, and so is math). */
void lua_safe_base(lua_State *L);

/* Compiles source text: pushes the function and returns 0, or pushes a message and returns an error status, as
 * lua_load. Binary chunks are not known: they are text with an error in its first character, as in Redis.
 * `chunk_name` as lua_load takes it ("@user_script"); it is needed during the call only. Raises nothing. */
int lua_load_text(lua_State *L, struct slice code, const char *chunk_name);

/* ---- Settings of cjson ----
 *
 * cjson.encode_sparse_array(…) and its kin are settings of the library's one table. A run's end takes them back to
 * what they were before it: call lua_cjson_reset after every run. A function library may set them while it is
 * loaded: call lua_cjson_keep after a successful load, and they are what runs begin with. Both are one look into
 * the registry, and raise nothing. */
const bool *lua_cjson_changed(lua_State *L); /* whether there is anything to take back; for as long as the state */
void lua_cjson_reset(lua_State *L);
void lua_cjson_keep(lua_State *L);

/* ---- What the libraries ask of the interpreter (interp.c has them; tests bring their own) ---- */

/* Called every few thousand steps of a long loop. May suspend the run; raises an error when the run has to end. */
void interp_tick(lua_State *L);

/* Called before a table that has a metatable is written to past its metamethods (table.insert, remove, sort,
 * setn): raises the error for a read-only table, or returns. `index` counts from the bottom of the stack. */
void interp_check_writable(lua_State *L, int index);

#endif
