/* lib_json: cjson, in three files. Only lib_json*.c include this.
 *
 * The calls, settings, texts and limits of lua-cjson 2.1.0, written anew: that one counts lengths in an int,
 * writes beyond its buffer for a string of some 360 MB (CVE-2022-24834), ends the process when a result would pass
 * 1 GiB, keeps memory that no limit counts, and recurses as deep as a setting lets it. Here memory is the Lua
 * state's, nesting is kept in a buffer, and a long call lets the run be interrupted. */
#ifndef TARN_SCRIPT_LIB_JSON_H
#define TARN_SCRIPT_LIB_JSON_H

#include <lua.h>

#include "base/bytes.h"

enum json_invalid { JSON_INVALID_ERROR, JSON_INVALID_AS_IS, JSON_INVALID_NULL };

struct json_settings {
	int sparse_convert; /* whether a table that is mostly holes becomes an object; else it is an error */
	int sparse_ratio;   /* holes: the largest index is above this many times the elements (0: never), … */
	int sparse_safe;    /* … and above this */
	int encode_depth;
	int decode_depth;
	int encode_invalid; /* enum json_invalid: what NaN and infinities become */
	int decode_invalid; /* whether 0x10, 01, +1, nan, inf are numbers */
	int precision;      /* significant digits */
	int keep_buffer;    /* without meaning here, but asked for and answered */
};

/* Replaces what is on the stack by the JSON of its first value; raises what stands against it. */
int json_encode(lua_State *L, const struct json_settings *settings);
int json_decode(lua_State *L, const struct json_settings *settings);

#endif
