/* struct: numbers and strings as bytes laid out by a format.
 *
 *     b B h H l L T    integers of 1, 2, 8 and 8 (size_t) bytes; small letters are signed
 *     i I  in In       of 4 bytes, or n up to 32
 *     f d              float, double
 *     s  cn  c0        up to a NUL; n bytes; the whole string (unpack: as long as the number before it says)
 *     x                a byte that is not used
 *     < > ! !n         little, big endian; alignment to at most 8, or n
 *
 * Sizes and numbers of hostile formats wrap and saturate as they do on x86-64 in lua-struct, where the language
 * leaves it open. */
#include <ctype.h>
#include <limits.h>

#include "script/lib_private.h"

enum { INTEGER_SIZE_MAX = 32, ALIGNMENT_DEFAULT = 8 };

/* A format that is being walked through. */
struct walk {
	lua_State *L;
	const char *at;
	size_t align;
	bool big;
};

static void walk_init(struct walk *w, lua_State *L) {
	w->L = L;
	w->at = luaL_checkstring(L, 1);
	w->align = 1;
	w->big = false;
}

static size_t take_count(struct walk *w, int otherwise) {
	int count = 0;

	if (!isdigit((unsigned char)*w->at)) return (size_t)otherwise;
	for (; isdigit((unsigned char)*w->at); w->at++) {
		int digit = *w->at - '0';
		if (count > (INT_MAX - digit) / 10) luaL_error(w->L, "integral size overflow");
		count = count * 10 + digit;
	}
	return (size_t)count;
}

/* How many bytes an option has; 0 also where its string decides, and for those that stand for no bytes. */
static size_t option_size(struct walk *w, char option) {
	size_t size;

	switch (option) {
	case 'b':
	case 'B':
	case 'x': return 1;
	case 'h':
	case 'H': return 2;
	case 'f': return 4;
	case 'l':
	case 'L':
	case 'T':
	case 'd': return 8;
	case 'c': return take_count(w, 1);
	case 'i':
	case 'I':
		size = take_count(w, 4);
		if (size > INTEGER_SIZE_MAX) {
			luaL_error(w->L, "integral size %d is larger than limit of %d", (int)size, INTEGER_SIZE_MAX);
		}
		return size;
	default: return 0;
	}
}

static void apply_option(struct walk *w, char option) {
	switch (option) {
	case ' ': break;
	case '<': w->big = false; break;
	case '>': w->big = true; break;
	case '!':
		w->align = take_count(w, ALIGNMENT_DEFAULT);
		if (w->align == 0 || (w->align & (w->align - 1)) != 0) {
			luaL_error(w->L, "alignment %d is not a power of 2", (int)w->align);
		}
		break;
	default: luaL_argerror(w->L, 1, lua_pushfstring(w->L, "invalid format option '%c'", option));
	}
}

/* Bytes to leave out before an option of that size. Sizes that are no powers of two are aligned as the formula has
 * it. */
static size_t padding(const struct walk *w, size_t at, char option, size_t size) {
	if (size == 0 || option == 'c') return 0;
	if (size > w->align) size = w->align;
	return (size - (at & (size - 1))) & (size - 1);
}

/* ---- pack ---- */

/* As x86-64 converts: 2^63 when there is no telling. */
static uint64_t to_unsigned(double number) {
	if (number >= 0x1p64) return 0;
	if (number >= 0) return (uint64_t)number;
	return number > -0x1p63 ? (uint64_t)(int64_t)number : UINT64_C(1) << 63;
}

static void add_integer(const struct walk *w, struct lib_buffer *b, double number, size_t size) {
	uint64_t value = to_unsigned(number);
	char *out = lib_buffer_reserve(b, size);

	for (size_t i = 0; i < size; i++) {
		out[w->big ? size - 1 - i : i] = (char)(i < sizeof(value) ? value >> (8 * i) : 0);
	}
	b->len += size;
}

static void add_bytes(const struct walk *w, struct lib_buffer *b, const void *bytes, size_t size) {
	const char *in = bytes;
	char *out = lib_buffer_reserve(b, size);

	for (size_t i = 0; i < size; i++) out[i] = in[w->big ? size - 1 - i : i];
	b->len += size;
}

static void add_string(const struct walk *w, struct lib_buffer *b, char option, int arg, size_t size) {
	size_t len;
	const char *text = luaL_checklstring(w->L, arg, &len);

	if (size == 0) size = len;
	/* The number of the argument behind it, as lua-struct reports it. */
	luaL_argcheck(w->L, len >= size, arg + 1, "string too short");
	lib_buffer_add(b, text, size);
	lib_step_bytes(w->L, size);
	if (option == 's') lib_buffer_add_char(b, '\0');
}

/* One option; whether it took the argument. */
static bool add_option(struct walk *w, struct lib_buffer *b, char option, int arg, size_t size) {
	float narrow;
	double wide;

	switch (option) {
	case 'b':
	case 'B':
	case 'h':
	case 'H':
	case 'l':
	case 'L':
	case 'T':
	case 'i':
	case 'I': add_integer(w, b, luaL_checknumber(w->L, arg), size); return true;
	case 'x': lib_buffer_add_char(b, '\0'); return false;
	case 'f':
		narrow = (float)luaL_checknumber(w->L, arg);
		add_bytes(w, b, &narrow, sizeof(narrow));
		return true;
	case 'd':
		wide = luaL_checknumber(w->L, arg);
		add_bytes(w, b, &wide, sizeof(wide));
		return true;
	case 'c':
	case 's': add_string(w, b, option, arg, size); return true;
	default: apply_option(w, option); return false;
	}
}

static int struct_pack(lua_State *L) {
	struct walk w;
	struct lib_buffer b;
	int arg = 2;

	walk_init(&w, L);
	/* What a format finds that asks for more arguments than there are. */
	lua_pushnil(L);
	lib_buffer_begin(&b, L);
	while (*w.at != '\0') {
		char option = *w.at++;
		size_t size = option_size(&w, option);
		for (size_t pad = padding(&w, b.len, option, size); pad > 0; pad--) lib_buffer_add_char(&b, '\0');
		if (add_option(&w, &b, option, arg, size)) arg++;
		lib_step(L, 2);
	}
	lib_buffer_push(&b);
	return 1;
}

/* ---- unpack ---- */

static double read_integer(const struct walk *w, const uint8_t *bytes, size_t size, bool is_signed) {
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++) value = value << 8 | bytes[w->big ? i : size - 1 - i];
	if (!is_signed) return (double)value;
	/* Above eight bytes the shift wraps, as x86-64 shifts. */
	uint64_t sign = UINT64_MAX << ((size * 8 - 1) % 64);
	return (double)(int64_t)(value & sign ? value | sign : value);
}

static double read_float(const struct walk *w, const uint8_t *bytes, size_t size) {
	uint8_t native[sizeof(double)];
	float narrow;
	double wide;

	for (size_t i = 0; i < size; i++) native[i] = bytes[w->big ? size - 1 - i : i];
	memcpy(&narrow, native, sizeof(narrow));
	if (size == sizeof(narrow)) return (double)narrow;
	memcpy(&wide, native, sizeof(wide));
	return wide;
}

static void check_room(lua_State *L, size_t len, size_t at, size_t size) {
	luaL_argcheck(L, size <= len && at <= len - size, 2, "data string too short");
}

/* Takes the number on top away, the length of a c0. */
static size_t pop_length(lua_State *L, int results) {
	if (results == 0 || !lua_isnumber(L, -1)) luaL_error(L, "format 'c0' needs a previous size");
	size_t length = (size_t)to_unsigned(lua_tonumber(L, -1));
	lua_pop(L, 1);
	return length;
}

/* Pushes what an option stands for at data[*at], moving *at behind it; how many results there are now. */
static int push_option(struct walk *w, char option, size_t size, struct slice data, size_t *at, int results) {
	lua_State *L = w->L;
	const uint8_t *bytes = (const uint8_t *)data.ptr + *at;

	switch (option) {
	case 'b':
	case 'B':
	case 'h':
	case 'H':
	case 'l':
	case 'L':
	case 'T':
	case 'i':
	case 'I': lua_pushnumber(L, read_integer(w, bytes, size, islower((unsigned char)option))); break;
	case 'f':
	case 'd': lua_pushnumber(L, read_float(w, bytes, size)); break;
	case 'c':
		if (size == 0) {
			size = pop_length(L, results--);
			check_room(L, data.len, *at, size);
		}
		lua_pushlstring(L, (const char *)bytes, size);
		lib_step_bytes(L, size);
		break;
	case 's': {
		const uint8_t *end = memchr(bytes, 0, data.len - *at);
		if (!end) luaL_error(L, "unfinished string in data");
		size = (size_t)(end - bytes) + 1;
		lua_pushlstring(L, (const char *)bytes, size - 1);
		lib_step_bytes(L, size);
		break;
	}
	case 'x': results--; break;
	default:
		apply_option(w, option);
		results--;
		break;
	}
	*at += size;
	return results + 1;
}

static int struct_unpack(lua_State *L) {
	struct walk w;
	struct slice data;
	int results = 0;

	walk_init(&w, L);
	data.ptr = luaL_checklstring(L, 2, &data.len);
	size_t at = (size_t)luaL_optinteger(L, 3, 1);
	luaL_argcheck(L, at > 0, 3, "offset must be 1 or greater");
	at--;
	lua_settop(L, 2);
	while (*w.at != '\0') {
		char option = *w.at++;
		size_t size = option_size(&w, option);
		at += padding(&w, at, option, size);
		check_room(L, data.len, at, size);
		luaL_checkstack(L, 2, "too many results");
		results = push_option(&w, option, size, data, &at, results);
		lib_step(L, 2);
	}
	lua_pushinteger(L, (lua_Integer)at + 1);
	return results + 1;
}

/* ---- size ---- */

static int struct_size(lua_State *L) {
	struct walk w;
	size_t at = 0;

	walk_init(&w, L);
	while (*w.at != '\0') {
		char option = *w.at++;
		size_t size = option_size(&w, option);
		at += padding(&w, at, option, size);
		if (option == 's') return luaL_argerror(L, 1, "option 's' has no fixed size");
		if (option == 'c' && size == 0) return luaL_argerror(L, 1, "option 'c0' has no fixed size");
		if (!isalnum((unsigned char)option)) apply_option(&w, option);
		at += size;
		lib_step(L, 1);
	}
	lua_pushinteger(L, (lua_Integer)at);
	return 1;
}

int lua_open_struct(lua_State *L) {
	static const luaL_Reg functions[] = {
		{ "pack", struct_pack },
		{ "unpack", struct_unpack },
		{ "size", struct_size },
		{ NULL, NULL },
	};

	lua_newtable(L);
	luaL_register(L, NULL, functions);
	return 1;
}
