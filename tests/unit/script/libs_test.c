/* The libraries of scripts: what each answers (the literals are a redis-server 7.0's answers), the replaced stock
 * functions beside the stock ones on random arguments, that nothing hostile gets through on the C stack that
 * scripts have, that long work can be interrupted, and that a limit on memory leaves a usable state. */
#include <pthread.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "../testing.h"
#include "script/libs.h"

static unsigned ticks;
static unsigned ticks_allowed; /* 0: any number */

void interp_tick(lua_State *L) {
	ticks++;
	if (ticks_allowed && ticks >= ticks_allowed) luaL_error(L, "interrupted");
}

void interp_check_writable(lua_State *L, int index) {
	if (!luaL_getmetafield(L, index, "read_only")) return;
	luaL_error(L, "Attempt to modify a readonly table");
}

/* An allocator with a limit. */
static size_t memory, memory_max;

static void *allocate(void *unused, void *block, size_t old, size_t wanted) {
	(void)unused;
	if (wanted > old && memory_max && memory + (wanted - old) > memory_max) return NULL;
	void *moved = wanted ? realloc(block, wanted) : NULL;
	if (wanted == 0) free(block);
	if (wanted == 0 || moved) memory += wanted - old;
	return moved;
}

/* A state with all libraries, and the stock string and table functions as the globals stock_string, stock_table. */
static int open_all(lua_State *L) {
	static const struct {
		const char *name;
		lua_CFunction open;
	} libraries[] = { { "string", lua_open_string }, { "table", lua_open_table }, { "bit", lua_open_bit },
		{ "cjson", lua_open_cjson }, { "cmsgpack", lua_open_cmsgpack }, { "struct", lua_open_struct } };

	luaopen_base(L);
	luaopen_math(L);
	luaopen_string(L);
	luaopen_table(L);
	if (luaL_dostring(L, "stock_string, stock_table = {}, {} for k, v in pairs(string) do stock_string[k] = v end\n"
			     "for k, v in pairs(table) do stock_table[k] = v end")) {
		return lua_error(L);
	}
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	lua_safe_base(L);
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		lua_pushcfunction(L, libraries[i].open);
		lua_call(L, 0, 1);
		lua_setglobal(L, libraries[i].name);
	}
	return 0;
}

static lua_State *new_state(void) {
	memory = memory_max = 0;
	ticks = ticks_allowed = 0;
	lua_State *L = lua_newstate(allocate, NULL);
	assert_non_null(L);
	assert_int_equal(lua_cpcall(L, open_all, NULL), 0);
	return L;
}

static void end_state(lua_State *L) {
	lua_close(L);
	assert_int_equal(memory, 0);
}

/* Runs source text; what it returns, or its error, is on top of the stack then, as a string. */
static const char *run(lua_State *L, const char *source) {
	lua_settop(L, 0);
	if (lua_load_text(L, slice_of_cstr(source), "@user_script") == 0) lua_pcall(L, 0, 1, 0);
	const char *text = lua_tostring(L, -1);
	return text ? text : "(no string)";
}

struct answer {
	const char *source;
	const char *text;
};

static void check_answers(const struct answer *answers, size_t count) {
	lua_State *L = new_state();

	assert_int_equal(luaL_dostring(L, "function list(...) local o = {} for i = 1, select('#', ...) do o[i] = "
					  "tostring((select(i, ...))) end "
					  "return table.concat(o, ' ') end\n"
					  "function hex(s) return (string.gsub(s, '[%z\\1-\\255]', function(c) "
					  "return string.format('%02x', string.byte(c)) end)) end\n"
					  "function try(...) return list(select(2, pcall(...))) end"),
		0);
	for (size_t i = 0; i < count; i++) {
		const char *got = run(L, answers[i].source);
		if (strcmp(got, answers[i].text) != 0) {
			fail_msg("%s\nanswers: %s\nwanted:  %s", answers[i].source, got, answers[i].text);
		}
	}
	end_state(L);
}

#define CHECK_ANSWERS(answers) check_answers(answers, sizeof(answers) / sizeof((answers)[0]))

static void test_patterns(void **state) {
	static const struct answer answers[] = {
		{ "return list(string.match('hello world', '(o)(.)()'))", "o   7" },
		{ "return list(string.match('  trim  ', '^%s*(.-)%s*$'))", "trim" },
		{ "return list(string.match('x=[[a]]', '%b[]'))", "[[a]]" },
		{ "return list(string.match('THE fox', '%f[%a]%a+%f[%A]'))", "THE" },
		{ "return list(string.find('a.c', '.', 1, true))", "2 2" },
		{ "return list(string.find('a\\0b', 'a.\\0c'))", "1 2" },
		{ "return list(string.find('abc', 'b', -100))", "2 2" },
		{ "return list(string.find('abc', '', 100))", "4 3" },
		{ "return list(string.gsub('hello', '', '-'))", "-h-e-l-l-o- 6" },
		{ "return list(string.gsub('hello', 'l', '%1%0'))", "hellllo 2" },
		{ "return list(string.gsub('hello', '()l', '%1'))", "he34o 2" },
		{ "return list(string.gsub('abc', 'a*', '-'))", "--b-c- 4" },
		{ "return list(string.gsub('hello', 'l', {l = false}))", "hello 2" },
		{ "return hex((string.gsub('a', 'a', '%')))", "00" },
		{ "local o = {} for k, v in string.gmatch('a=1,b=2', '(%w+)=(%w+)') do o[#o + 1] = k .. v end "
		  "return list(unpack(o))",
			"a1 b2" },
		{ "return try(string.find, 'abc', '%')", "malformed pattern (ends with '%')" },
		{ "return try(string.find, 'abc', '[a')", "malformed pattern (missing ']')" },
		{ "return try(string.find, 'abc', '%bx')", "unbalanced pattern" },
		{ "return try(string.find, 'abc', '%fa')", "missing '[' after '%f' in pattern" },
		{ "return try(string.find, 'abc', '(a')", "unfinished capture" },
		{ "return try(string.find, 'abc', '.)')", "invalid pattern capture" },
		{ "return try(string.find, 'abc', '%1')", "invalid capture index" },
		{ "return try(string.find, 'abc', string.rep('()', 33))", "too many captures" },
		{ "return try(string.gsub, 'hello', 'l', {l = {}})", "invalid replacement value (a table)" },
		{ "return try(string.gsub, 'abc', '%w')", "bad argument #3 to '?' (string/function/table expected)" },
		{ "return list(string.gmatch == string.gfind, #string.rep('ab', 3), #string.rep('', 2147483647))",
			"true 6 0" },
	};

	(void)state;
	CHECK_ANSWERS(answers);
}

static void test_tables_and_code(void **state) {
	static const struct answer answers[] = {
		{ "return table.concat({1, 2.5, 'x'}, ', ')", "1, 2.5, x" },
		{ "return try(table.concat, {1, {}})", "invalid value (table) at index 2 in table for 'concat'" },
		{ "return try(table.concat, {[2147483647] = 'q'}, ',', 2147483647, 2147483647)", "q" },
		{ "local t = {1, 2, 3} table.insert(t, -2, 9) return list(#t, t[-2], t[-1], t[0], t[1])",
			"4 9 nil nil nil" },
		{ "return try(table.insert, {1})", "wrong number of arguments to 'insert'" },
		{ "local t = {1, 2, 3} return list(table.remove(t, 1), #t, table.remove(t, 10))", "1 2" },
		{ "return try(table.sort, {3, 1, 'x'})", "attempt to compare string with number" },
		{ "return try(table.sort, {1, 2, 3, 4, 5}, function() return true end)",
			"invalid order function for sorting" },
		{ "return try(table.setn, {}, 1)", "'setn' is obsolete" },
		{ "return try(table.insert, setmetatable({}, {read_only = 1}), 1)",
			"Attempt to modify a readonly table" },
		{ "return try(table.remove, setmetatable({1}, {read_only = 1}))",
			"Attempt to modify a readonly table" },
		{ "return try(table.sort, setmetatable({2, 1}, {read_only = 1}))",
			"Attempt to modify a readonly table" },
		{ "return list(unpack({1, 2}, 1, 3))", "1 2 nil" },
		{ "return try(unpack, {}, -2147483648, 2147483647)", "too many results to unpack" },
		{ "return try(unpack, {}, 0, 2147483647)", "too many results to unpack" },
		{ "return list(loadstring('x x'))", "nil [string \"x x\"]:1: '=' expected near 'x'" },
		{ "return list(loadstring('x x', '=f\\0g'))", "nil f:1: '=' expected near 'x'" },
		{ "return select(2, loadstring(string.dump(function() end), '=b'))",
			"b:1: unexpected symbol near 'char(27)'" },
		{ "local n = 0 return list(load(function() n = n + 1 return ({'\\27', 'Lua'})[n] end))",
			"nil (load):1: unexpected symbol near 'char(27)'" },
		{ "local n = 0 return list(load(function() n = n + 1 return ({'ret', 'urn ', 1})[n] end)())", "1" },
		{ "return list(load(function() return {} end))",
			"nil user_script:1: reader function must return a string" },
	};

	(void)state;
	CHECK_ANSWERS(answers);
}

static void test_bit(void **state) {
	static const struct answer answers[] = {
		{ "return list(bit.tohex(255), bit.tohex(255, -4), bit.tohex(-1, 2), bit.tohex(1, 0), bit.tohex(2 ^ 40 "
		  "+ 5))",
			"000000ff 00FF ff  00000005" },
		{ "return list(bit.tohex(171, -2147483648), bit.tohex(171, 2147483647), bit.tohex(1, 2 ^ 31))",
			"000000AB 000000ab 00000001" },
		{ "return list(bit.band(2 ^ 32 + 5, 7), bit.bnot(0), bit.lshift(1, 33), bit.bswap(0x12345678), "
		  "bit.rol(0x12345678, 4))",
			"5 -1 2 2018915346 591751041" },
		{ "return try(bit.tohex)", "bad argument #1 to '?' (number expected, got no value)" },
	};

	(void)state;
	CHECK_ANSWERS(answers);
}

static void test_cmsgpack(void **state) {
	static const struct answer answers[] = {
		{ "return hex(cmsgpack.pack(0, 127, 128, 256, 65536, 2 ^ 32, -1, -32, -33, -129, -32769, -2 ^ 31 - 1))",
			"007fcc80cd0100ce00010000cf0000000100000000ffe0d0dfd1ff7fd2ffff7fffd3ffffffff7fffffff" },
		{ "return hex(cmsgpack.pack(1.5, 0.1, 2 ^ 63, 1 / 0, 1e300))",
			"ca3fc00000cb3fb999999999999aca5f000000ca7f800000cb7e37e43c8800759c" },
		{ "return hex(cmsgpack.pack(true, false, nil, print, 'a', {}, {1, 2}, {a = 1}, {[1] = 1, [3] = 3}))",
			"c3c2c0c0a16190920102"
			"81a16101"
			"8201010303" },
		{ "return hex(cmsgpack.pack(string.rep('x', 32))):sub(1, 6)", "d92078" },
		{ "local t = {} for i = 1, 20 do t = {t} end return hex(cmsgpack.pack(t))",
			"91919191919191919191919191919191c0" },
		{ "local t = {} for i = 1, 16 do t[i] = i end return hex(cmsgpack.pack(t)):sub(1, 10)", "dc00100102" },
		{ "return list(cmsgpack.unpack('\\1\\2\\3'))", "1 2 3" },
		{ "return list(cmsgpack.unpack_one('\\1\\2\\3'))", "1 1" },
		{ "return list(cmsgpack.unpack_one('\\1\\2\\3', 2))", "-1 3" },
		{ "return list(cmsgpack.unpack_limit('\\1\\2\\3', 2))", "2 1 2" },
		{ "return list(cmsgpack.unpack_limit('\\1\\2\\3', 0, 1))", "1" },
		{ "return list(cmsgpack.unpack('\\207\\255\\255\\255\\255\\255\\255\\255\\255'))", "-1" },
		{ "return try(cmsgpack.unpack, '\\193')", "Bad data format in input." },
		{ "return try(cmsgpack.unpack, '\\146\\1')", "Missing bytes in input." },
		{ "return try(cmsgpack.unpack, '\\129\\192\\1')", "table index is nil" },
		{ "return try(cmsgpack.unpack_one, 'abc', 4)", "Start offset 4 greater than input length 3." },
		{ "return try(cmsgpack.unpack_one, 'abc', -1)",
			"Invalid request to unpack with offset of -1 and limit of 3." },
		{ "return try(cmsgpack.pack)", "bad argument #0 to '?' (MessagePack pack needs input.)" },
		{ "return try(cmsgpack.unpack, string.rep('\\1', 9000))",
			"stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)" },
		{ "return try(cmsgpack.unpack, string.rep('\\145', 200000))",
			"stack overflow (in function mp_decode_to_lua_array)" },
		{ "return list(cmsgpack._NAME, cmsgpack._VERSION)", "cmsgpack lua-cmsgpack 0.4.0" },
	};

	(void)state;
	CHECK_ANSWERS(answers);
}

static void test_struct(void **state) {
	static const struct answer answers[] = {
		{ "return hex(struct.pack('>bHi3', 1, 2, 3))", "010002000003" },
		{ "return hex(struct.pack('!4bi8', 97, 98))", "610000006200000000000000" },
		{ "return hex(struct.pack('i16', -1))", "ffffffffffffffff0000000000000000" },
		{ "return hex(struct.pack('sc2xc0', 'a', 'bcd', 'ef'))", "61006263006566" },
		{ "return hex(struct.pack('>d', 1.5))", "3ff8000000000000" },
		{ "return list(struct.unpack('bc0s', '\\2abxy\\0'))", "ab xy 7" },
		{ "return list(struct.unpack('!4bi', 'xa\\0\\0\\0\\1\\0\\0\\0', 2))", "97 256 9" },
		{ "return list(struct.unpack('lI', string.rep('\\255', 12)))", "-1 4294967295 13" },
		{ "return list(struct.size('!bd'), struct.size('c2147483647c2147483647'))", "16 4294967294" },
		{ "return try(struct.size, 'c0')", "bad argument #1 to '?' (option 'c0' has no fixed size)" },
		{ "return try(struct.pack, 'i33', 1)", "integral size 33 is larger than limit of 32" },
		{ "return try(struct.pack, 'i99999999999', 1)", "integral size overflow" },
		{ "return try(struct.pack, '!3b', 1)", "alignment 3 is not a power of 2" },
		{ "return try(struct.pack, 'Z', 1)", "bad argument #1 to '?' (invalid format option 'Z')" },
		{ "return try(struct.pack, 'c5', 'abc')", "bad argument #3 to '?' (string too short)" },
		{ "return try(struct.pack, 'b')", "bad argument #2 to '?' (number expected, got nil)" },
		{ "return try(struct.unpack, 'bc0', '\\255ab')", "bad argument #2 to '?' (data string too short)" },
		{ "return try(struct.unpack, 'b', 'ab', -1)", "bad argument #2 to '?' (data string too short)" },
		{ "return try(struct.unpack, 'b', 'ab', 0)", "bad argument #3 to '?' (offset must be 1 or greater)" },
		{ "return try(struct.unpack, 's', 'ab')", "unfinished string in data" },
		{ "return try(struct.unpack, 'c0', 'ab')", "format 'c0' needs a previous size" },
		{ "return try(struct.unpack, string.rep('b', 9000), string.rep('a', 9000))",
			"stack overflow (too many results)" },
	};

	(void)state;
	CHECK_ANSWERS(answers);
}

static void test_cjson_encode(void **state) {
	static const struct answer answers[] = {
		{ "return cjson.encode({1, 2, {a = 1}, 'x', true, cjson.null})", "[1,2,{\"a\":1},\"x\",true,null]" },
		{ "return cjson.encode({1, nil, 3}) .. cjson.encode({}) .. cjson.encode({[1.5] = 2})",
			"[1,null,3]{}{\"1.5\":2}" },
		{ "return cjson.encode('a/b\\\\\"\\n\\0\\31\\127\\200')",
			"\"a\\/b\\\\\\\"\\n\\u0000\\u001f\\u007f\xc8\"" },
		{ "return list(cjson.encode(1e14), cjson.encode(99999999999999), cjson.encode(1 / 3), "
		  "cjson.encode(-0.0))",
			"1e+14 99999999999999 0.33333333333333 -0" },
		{ "return try(cjson.encode, {[11] = 1})", "Cannot serialise table: excessively sparse array" },
		{ "return try(cjson.encode, {[2^31 - 1] = 1})", "Cannot serialise table: excessively sparse array" },
		{ "return cjson.encode({[2^31] = 1})", "{\"2147483648\":1}" },
		{ "return #cjson.encode({[10] = 1})", "48" },
		{ "return try(cjson.encode, 1 / 0)", "Cannot serialise number: must not be NaN or Inf" },
		{ "return try(cjson.encode, {print})", "Cannot serialise function: type not supported" },
		{ "return try(cjson.encode, {[true] = 1})",
			"Cannot serialise boolean: table key must be a number or string" },
		{ "local t = {} t[1] = t return try(cjson.encode, t)", "Cannot serialise, excessive nesting (1001)" },
		{ "return try(cjson.encode)", "bad argument #1 to '?' (expected 1 argument)" },
		{ "return cjson.encode(setmetatable({}, {__index = function() return 1 end}))", "{}" },
	};

	(void)state;
	CHECK_ANSWERS(answers);
}

static void test_cjson_decode(void **state) {
	static const struct answer answers[] = {
		{ "local v = cjson.decode('{\"a\":[1,-2.5e1,\"x\"],\"b\":null}') return list(v.a[1], v.a[2], v.a[3], "
		  "v.b == cjson.null)",
			"1 -25 x true" },
		{ "return cjson.decode('\"\\\\u0041\\\\u00e9\\\\u20ac\\\\ud83d\\\\ude00\\\\/\\\\n\"')",
			"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80/\n" },
		{ "return list(cjson.decode('0x10'), cjson.decode('-01'), cjson.decode('+1'), cjson.decode('inf'))",
			"16 -1 1 inf" },
		{ "return try(cjson.decode, '[1,]')", "Expected value but found T_ARR_END at character 4" },
		{ "return try(cjson.decode, '{1:2}')", "Expected object key string but found T_NUMBER at character 2" },
		{ "return try(cjson.decode, '{\"a\" 1}')", "Expected colon but found T_NUMBER at character 6" },
		{ "return try(cjson.decode, '{\"a\":1 \"b\":2}')",
			"Expected comma or object end but found T_STRING at character 8" },
		{ "return try(cjson.decode, '[1 2]')",
			"Expected comma or array end but found T_NUMBER at character 4" },
		{ "return try(cjson.decode, '1 x')", "Expected the end but found invalid token at character 3" },
		{ "return try(cjson.decode, '\"abc')",
			"Expected value but found unexpected end of string at character 5" },
		{ "return try(cjson.decode, '\"a\\\\q\"')",
			"Expected value but found invalid escape code at character 3" },
		{ "return try(cjson.decode, '\"\\\\ud800x\"')",
			"Expected value but found invalid unicode escape code at character 2" },
		{ "return try(cjson.decode, '-')", "Expected value but found invalid number at character 1" },
		{ "return try(cjson.decode, '')", "Expected value but found T_END at character 1" },
		{ "return try(cjson.decode, '1\\0')", "JSON parser does not support UTF-16 or UTF-32" },
		{ "return try(cjson.decode, string.rep('[', 1001))",
			"Found too many nested data structures (1001) at character 1001" },
		{ "return #cjson.decode(string.rep('[', 1000) .. string.rep(']', 1000))", "1" },
	};

	(void)state;
	CHECK_ANSWERS(answers);
}

static void test_cjson_settings(void **state) {
	static const struct answer answers[] = {
		{ "return list(cjson.encode_sparse_array())", "false 2 10" },
		{ "return list(cjson.encode_sparse_array(true, 1, 0)) .. cjson.encode({[3] = 1})",
			"true 1 0{\"3\":1}" },
		{ "return list(cjson.encode_max_depth(), cjson.decode_max_depth(5))", "1000 5" },
		{ "return try(cjson.decode, '[[[[[[1]]]]]]')",
			"Found too many nested data structures (6) at character 6" },
		{ "return try(cjson.encode_max_depth, 0)",
			"bad argument #1 to '?' (expected integer between 1 and 2147483647)" },
		{ "return try(cjson.encode_number_precision, 15)",
			"bad argument #1 to '?' (expected integer between 1 and 14)" },
		{ "return list(cjson.encode_number_precision(3)) .. cjson.encode({1 / 3, 999, 1000})",
			"3[0.333,999,1e+03]" },
		{ "return list(cjson.encode_keep_buffer(), cjson.encode_keep_buffer('off'))", "true false" },
		{ "return try(cjson.encode_keep_buffer, 1)", "bad argument #1 to '?' (invalid option '1')" },
		{ "return try(cjson.encode_keep_buffer, true, 1)",
			"bad argument #2 to '?' (found too many arguments)" },
		{ "return list(cjson.encode_invalid_numbers('null')) .. cjson.encode({1 / 0})", "null[null]" },
		{ "return list(cjson.encode_invalid_numbers(true)) .. cjson.encode({-1 / 0, 0 / 0})",
			"true[-inf,nan]" },
		{ "cjson.decode_invalid_numbers(false) return try(cjson.decode, '01')",
			"Expected value but found invalid number at character 1" },
		{ "local c = cjson.new() c.encode_max_depth(7) return list(c.encode_max_depth(), "
		  "cjson.encode_max_depth(), "
		  "c.decode_invalid_numbers())",
			"7 1000 true" },
	};

	(void)state;
	CHECK_ANSWERS(answers);
}

static void test_cjson_settings_end_with_the_run(void **state) {
	lua_State *L = new_state();

	(void)state;
	assert_string_equal(run(L, "cjson.decode_max_depth(5) cjson.encode_sparse_array(true) return 'set'"), "set");
	lua_cjson_reset(L);
	assert_string_equal(
		run(L, "return cjson.decode_max_depth() .. tostring(cjson.encode_sparse_array())"), "1000false");
	assert_string_equal(run(L, "cjson.decode_max_depth(6) return 'set'"), "set");
	lua_cjson_keep(L);
	assert_string_equal(run(L, "cjson.decode_max_depth(7) return 'set'"), "set");
	lua_cjson_reset(L);
	assert_string_equal(run(L, "return cjson.decode_max_depth()"), "6");
	assert_int_equal(lua_gettop(L), 1);
	end_state(L);
}

/* Random texts, patterns, tables: the stock function and ours must agree on results and errors. */
static void test_beside_stock(void **state) {
	static const char source[] =
		"local items = {'a', 'b', '.', '%a', '%d', '%W', '%z', '[ab]', '[^a]', '[a-c]', '[]a]', '(', ')', "
		"'()', '*', '+', '-',\n"
		"  '?', '^', '$', '%1', '%2', '%b()', '%f[a]', '%f[%A]', '%%', '[', ']', '%', '(a)', '(.-)', 'x'}\n"
		"local letters = {'a', 'a', 'b', 'c', '(', ')', ' ', '1', '\\0', 'x', '%'}\n"
		"local replacements = {'<%0>', '%1', '%2', '%%', 'x', '%', {a = 1, b = false}, function(...) return "
		"select('#', ...) end}\n"
		"local function draw(from, most)\n"
		"  local o = {} for i = 1, math.random(0, most) do o[i] = from[math.random(#from)] end return "
		"stock_table.concat(o)\n"
		"end\n"
		"local function show(...)\n"
		"  local o = {} for i = 1, select('#', ...) do o[i] = tostring((select(i, ...))) end return "
		"stock_table.concat(o, '|')\n"
		"end\n"
		"local function all(string, text, pattern)\n"
		"  local o = {} for a, b in string.gmatch(text, pattern) do o[#o + 1] = show(a, b) end return "
		"stock_table.concat(o, ',')\n"
		"end\n"
		"local function same(what, a, b) if a ~= b then error(what .. '\\nstock: ' .. a .. '\\nours:  ' .. b, "
		"0) end end\n"
		"for round = 1, rounds do\n"
		"  local text, pattern, from = draw(letters, 12), draw(items, 6), math.random(-5, 8)\n"
		"  local name, to = '[' .. text .. '] [' .. pattern .. ']', replacements[math.random(#replacements)]\n"
		"  same(name, show(pcall(stock_string.find, text, pattern, from)), show(pcall(string.find, text, "
		"pattern, from)))\n"
		"  same(name, show(pcall(stock_string.match, text, pattern, from)), show(pcall(string.match, text, "
		"pattern, from)))\n"
		"  same(name, show(pcall(stock_string.gsub, text, pattern, to, from)), show(pcall(string.gsub, text, "
		"pattern, to, from)))\n"
		"  same(name, show(pcall(stock_string.gsub, text, pattern, to)), show(pcall(string.gsub, text, "
		"pattern, to)))\n"
		"  same(name, show(pcall(all, stock_string, text, pattern)), show(pcall(all, string, text, pattern)))\n"
		"  same(name, stock_string.rep(text, from), string.rep(text, from))\n"
		"  local function list() local t = {} for i = 1, math.random(0, 40) do t[i] = math.random(15) end "
		"return t end\n"
		"  local function sorted(table, t, by)\n"
		"    local copy, log = {unpack(t)}, {}\n"
		"    local ok = pcall(table.sort, copy, function(a, b) log[#log + 1] = a .. by .. b\n"
		"      if by == '<' then return a < b elseif by == '>' then return a > b end return a <= b end)\n"
		"    return show(ok, unpack(copy)) .. stock_table.concat(log, ',')\n"
		"  end\n"
		"  local t, by = list(), ({'<', '>', '<='})[math.random(3)]\n"
		"  same('sort', sorted(stock_table, t, by), sorted(table, t, by))\n"
		"  local function copy() local o = {} for i = 1, #t do o[i] = t[i] end return o end\n"
		"  local t, u = copy(), copy()\n"
		"  stock_table.sort(t) table.sort(u)\n"
		"  same('sort', show(unpack(t)), show(unpack(u)))\n"
		"  for i = 1, 5 do\n"
		"    local at = math.random(-1, #t + 2)\n"
		"    if math.random(2) == 1 then stock_table.insert(t, at, i) table.insert(u, at, i)\n"
		"    else same('remove', show(stock_table.remove(t, at)), show(table.remove(u, at))) end\n"
		"    same('edit', show(#t, unpack(t, -2, 50)), show(#u, unpack(u, -2, 50)))\n"
		"  end\n"
		"  same('concat', show(pcall(stock_table.concat, t, ';')), show(pcall(table.concat, u, ';')))\n"
		"  same('maxn', show(stock_table.maxn(t)), show(table.maxn(u)))\n"
		"end\n"
		"return 'same'";
	lua_State *L = new_state();

	(void)state;
	lua_pushinteger(L, testing_rounds(4000));
	lua_setglobal(L, "rounds");
	lua_pushinteger(L, (lua_Integer)(testing_seed() & 0x7fffffff));
	lua_setglobal(L, "seed");
	assert_string_equal(run(L, "math.randomseed(seed) return 'seeded'"), "seeded");
	assert_string_equal(run(L, source), "same");
	end_state(L);
}

/* Random values there and back. */
static void test_round_trips(void **state) {
	static const char source[] =
		"local function value(depth)\n"
		"  local kind = math.random(depth > 4 and 4 or 6)\n"
		"  if kind == 1 then return math.random(-1000, 1000) * 10 ^ math.random(-6, 9) end\n"
		"  if kind == 2 then return math.random(2) == 1 end\n"
		"  if kind <= 4 then local o = {} for i = 1, math.random(0, 40) do o[i] = string.char(math.random(0, "
		"255)) end\n"
		"    return table.concat(o) end\n"
		"  local t = {}\n"
		"  for i = 1, math.random(1, 20) do t[kind == 5 and i or 'k' .. i] = value(depth + 1) end\n"
		"  return t\n"
		"end\n"
		"local function same(a, b)\n"
		"  if type(a) ~= type(b) then return false end\n"
		"  if type(a) == 'number' then return math.abs(a - b) <= math.abs(a) * tolerance end\n"
		"  if type(a) ~= 'table' then return a == b end\n"
		"  for k, v in pairs(a) do if not same(v, b[k]) then return false end end\n"
		"  for k in pairs(b) do if a[k] == nil then return false end end\n"
		"  return true\n"
		"end\n"
		"for round = 1, rounds do\n"
		"  local v = value(0)\n"
		"  tolerance = 1e-13\n"
		"  if not same(v, cjson.decode(cjson.encode(v))) then return cjson.encode(v) end\n"
		"  tolerance = 0\n"
		"  if not same(v, cmsgpack.unpack(cmsgpack.pack(v))) then return 'cmsgpack ' .. cjson.encode(v) end\n"
		"  local n, x, s = math.random(-2 ^ 31, 2 ^ 31 - 1), math.random(), string.rep('z', math.random(0, "
		"300))\n"
		"  local format = ({'<', '>', '!', '!2>'})[math.random(4)] .. 'bli4sHc0dx'\n"
		"  local a, b, c, d, e, f, at = struct.unpack(format, struct.pack(format, n % 128, n, n, s, #s, s, "
		"x))\n"
		"  if not (a == n % 128 and b == n and c == n and d == s and e == s and f == x) then return 'struct ' "
		".. format end\n"
		"end\n"
		"return 'same'";
	lua_State *L = new_state();

	(void)state;
	lua_pushinteger(L, testing_rounds(1000));
	lua_setglobal(L, "rounds");
	lua_pushinteger(L, (lua_Integer)(testing_seed() >> 33));
	lua_setglobal(L, "seed");
	assert_string_equal(run(L, "math.randomseed(seed) return 'seeded'"), "seeded");
	assert_string_equal(run(L, source), "same");
	end_state(L);
}

/* What crashes or hangs stock functions, on a stack as small as scripts may have. */
static void *run_hostile(void *unused) {
	static const struct answer answers[] = {
		{ "return try(string.find, string.rep('a', 300000), string.rep('a?', 300000))", "pattern too complex" },
		{ "local f f = function() return (string.gsub(string.rep('a', 999), 'a', f)) end return try(f)",
			"C stack overflow" },
		{ "local t = setmetatable({}, {}) getmetatable(t).__index = function() return (string.gsub('k', 'k', "
		  "t)) end "
		  "return try(string.gsub, 'k', 'k', t)",
			"C stack overflow" },
		{ "local f f = function(a, b) table.sort({3, 1, 2, 5, 4}, f) return a < b end return try(f, 1, 2)",
			"C stack overflow" },
		{ "local function f() return coroutine.wrap(function() return (string.gsub('a', 'a', f)) end)() end "
		  "return list((pcall(f)))",
			"false" },
		{ "cjson.decode_max_depth(2147483647) return list((pcall(cjson.decode, string.rep('[', 100000))))",
			"false" },
		{ "cjson.decode_max_depth(2147483647) return list((pcall(cjson.decode, string.rep('{\"a\":', "
		  "100000))))",
			"false" },
		{ "cjson.encode_max_depth(2147483647) local t = {} t.x = t return list((pcall(cjson.encode, t)))",
			"false" },
		{ "return list((pcall(cmsgpack.unpack, string.rep('\\129\\1', 200000))))", "false" },
		{ "return list((loadstring('return ' .. string.rep('(', 100000))))", "nil" },
		{ "return list((loadstring(string.rep('f(function() ', 100000))))", "nil" },
		{ "return list((loadstring('x = [' .. string.rep('=', 1000000) .. '[')))", "nil" },
		/* The chunk's name is nowhere but in the parser, and the collector runs while it parses. */
		{ "local n = 0 local f, e = load(function() n = n + 1 collectgarbage() if n < 50 then return 'local a' "
		  ".. n .. ' ' end "
		  "return n == 50 and 'x x' or nil end, '=a' .. 'b\\0c') return e",
			"ab:1: '=' expected near 'x'" },
	};

	(void)unused;
	CHECK_ANSWERS(answers);
	return NULL;
}

static void test_hostile(void **state) {
	pthread_attr_t attributes;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstacksize(&attributes, LUA_STACK_MIN), 0);
	assert_int_equal(pthread_create(&thread, &attributes, run_hostile, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(pthread_attr_destroy(&attributes), 0);
}

/* Each of these works long, or for ever, without a hook being called. */
static void test_interruptible(void **state) {
	static const char *const sources[] = {
		"return string.find(string.rep('a', 40), string.rep('a*', 20) .. 'b')",
		"return string.match(string.rep('(', 1000000), '%b()')",
		"return string.gsub(string.rep('a', 1000000), '.', '%0')",
		"local s = string.rep('a', 100000) return #string.rep(s, 1000)",
		"for i = 1, 10000 do string.find(string.rep('a', 5000), '(a-)b') end",
		"local s = string.rep('a', 10000000) for i = 1, 100000 do string.find(s, 'b', 1, true) end",
		"local t = {} for i = 29, 0, -1 do t[2 ^ i] = 1 end table.foreachi(t, getmetatable)",
		"local t = {} for i = 29, 0, -1 do t[2 ^ i] = 1 end table.insert(t, 1, 1)",
		"local t = {} for i = 29, 0, -1 do t[2 ^ i] = 1 end table.remove(t, 1)",
		"local t = {} for i = 1, 200000 do t[i] = i end table.sort(t)",
		"local t = {} for i = 1, 200000 do t[i] = i end return #table.concat(t)",
		"local t = {} for i = 1, 200000 do t[i] = i end table.foreach(t, getmetatable)",
		"local t = {} for i = 1, 200000 do t[i] = i end for i = 1, 100 do table.maxn(t) end",
		"local t = {} for i = 1, 18 do t = {t, t, t} end cjson.encode(t)",
		"local t = {} for i = 1, 15 do t = {t, t, t} end cmsgpack.pack(t)",
		"cjson.encode_sparse_array(false, 0) cjson.encode({[2 ^ 30] = 1})",
		"cjson.decode('[' .. string.rep('1,', 200000) .. '1]')",
		"cjson.decode('\"' .. string.rep('\\\\n', 200000) .. '\"')",
		"cmsgpack.unpack('\\221\\0\\1\\0\\0' .. string.rep('\\1', 70000))",
		"struct.pack(string.rep('x', 300000))",
		"local _, message = load(function() return ' ' end) return message",
	};
	lua_State *L = new_state();

	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		ticks = 0;
		ticks_allowed = 10;
		const char *got = run(L, sources[i]);
		if (!strstr(got, "interrupted")) fail_msg("%s\nwas not interrupted: %.200s", sources[i], got);
	}
	end_state(L);
}

static void test_memory_limit(void **state) {
	static const char *const sources[] = {
		"return string.rep('abc', 2147483647)",
		"local s = string.rep('a', 1000000) return (string.gsub(s, '.', s))",
		"local s, t = string.rep('a', 1000000), {} for i = 1, 100 do t[i] = s end return table.concat(t)",
		"local s, t = string.rep('a', 1000000), {} for i = 1, 100 do t[i] = s end return cjson.encode(t)",
		"local s, t = string.rep('a', 1000000), {} for i = 1, 100 do t[i] = s end return cmsgpack.pack(t)",
		"cjson.encode_sparse_array(false, 0) return cjson.encode({[2 ^ 30] = 1})",
		"local s = string.rep('[', 900) .. string.rep('[1],', 1000000) return cjson.decode(s)",
		"local s = string.rep('a', 1000000) return load(function() return s end)",
	};
	lua_State *L = new_state();

	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		lua_settop(L, 0);
		lua_gc(L, LUA_GCCOLLECT, 0);
		memory_max = memory + ((size_t)8 << 20);
		run(L, sources[i]);
		/* `load` catches it and returns nil and the message. */
		const char *got = lua_isnil(L, -1) ? "not enough memory" : lua_tostring(L, -1);
		if (!got || strlen(got) > 200 || !strstr(got, "not enough memory"))
			fail_msg("%s\ngave %.200s", sources[i], got);
		lua_settop(L, 0);
		lua_gc(L, LUA_GCCOLLECT, 0);
		assert_string_equal(run(L, "return cjson.encode({string.rep('ab', 2)})"), "[\"abab\"]");
	}
	memory_max = 0;
	end_state(L);
}

/* The libraries set no globals of their own accord. */
static void test_no_globals(void **state) {
	static const lua_CFunction opens[] = { lua_open_string, lua_open_table, lua_open_bit, lua_open_cjson,
		lua_open_cmsgpack, lua_open_struct };
	lua_State *L = luaL_newstate();

	(void)state;
	for (size_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++) {
		lua_pushcfunction(L, opens[i]);
		lua_call(L, 0, 1);
		assert_true(lua_istable(L, -1));
		lua_pushnil(L);
		assert_int_equal(lua_next(L, LUA_GLOBALSINDEX), 0);
	}
	lua_close(L);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_tables_and_code),
		cmocka_unit_test(test_bit),
		cmocka_unit_test(test_cmsgpack),
		cmocka_unit_test(test_struct),
		cmocka_unit_test(test_cjson_encode),
		cmocka_unit_test(test_cjson_decode),
		cmocka_unit_test(test_cjson_settings),
		cmocka_unit_test(test_cjson_settings_end_with_the_run),
		cmocka_unit_test(test_beside_stock),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_interruptible),
		cmocka_unit_test(test_memory_limit),
		cmocka_unit_test(test_no_globals),
	};

	testing_begin(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
