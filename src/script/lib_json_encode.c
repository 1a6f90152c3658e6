#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "base/number.h"
#include "script/lib_json.h"
#include "script/lib_private.h"

/* A table that is being written. It is on the stack; an object's key, from which it goes on, behind it. */
struct frame {
	bool array;
	bool begun; /* an element has been written: the next one is behind a comma */
	int next;   /* array: index */
	int length;
};

struct encoder {
	lua_State *L;
	const struct json_settings *settings;
	struct lib_buffer out;
	struct lib_buffer frames;
	int depth;
};

static void refuse(lua_State *L, int index, const char *reason) {
	luaL_error(L, "Cannot serialise %s: %s", luaL_typename(L, index), reason);
}

static void add_escape(struct lib_buffer *out, unsigned char c) {
	static const char letters[256] = { ['"'] = '"',
		['\\'] = '\\',
		['/'] = '/',
		['\b'] = 'b',
		['\t'] = 't',
		['\n'] = 'n',
		['\f'] = 'f',
		['\r'] = 'r' };
	char text[8];

	if (letters[c]) {
		lib_buffer_add(out, (char[]){ '\\', letters[c] }, 2);
	} else {
		lib_buffer_add(out, text, (size_t)snprintf(text, sizeof(text), "\\u%04x", c));
	}
}

static bool is_plain(unsigned char c) {
	return c >= 0x20 && c != '"' && c != '\\' && c != '/' && c != 0x7f;
}

static void add_string(struct encoder *e, int index) {
	size_t len;
	const char *text = lua_tolstring(e->L, index, &len);

	lib_step_bytes(e->L, len * 8);
	lib_buffer_add_char(&e->out, '"');
	for (size_t i = 0; i < len;) {
		size_t from = i;
		while (i < len && is_plain((unsigned char)text[i])) i++;
		lib_buffer_add(&e->out, text + from, i - from);
		if (i < len) add_escape(&e->out, (unsigned char)text[i++]);
	}
	lib_buffer_add_char(&e->out, '"');
}

static void add_number(struct encoder *e, int index) {
	/* 10^precision: below it an integer has no more digits than it may. */
	static const double whole[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14 };
	double number = lua_tonumber(e->L, index);
	char text[32];
	size_t len;

	if (!isfinite(number)) {
		if (e->settings->encode_invalid == JSON_INVALID_ERROR) refuse(e->L, index, "must not be NaN or Inf");
		const char *word = isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
		if (e->settings->encode_invalid == JSON_INVALID_NULL) word = "null";
		lib_buffer_add(&e->out, word, strlen(word));
		return;
	}
	if (fabs(number) < whole[e->settings->precision] && trunc(number) == number &&
		(number != 0 || !signbit(number))) {
		len = number_format_i64(text, (int64_t)number);
	} else {
		len = (size_t)snprintf(text, sizeof(text), "%.*g", e->settings->precision, number);
	}
	lib_buffer_add(&e->out, text, len);
}

/* The length of the array, if the table on top has only whole numbers from 1 on as keys; 0 for an object, which an
 * empty table is. */
static int array_length(struct encoder *e) {
	lua_State *L = e->L;
	const struct json_settings *s = e->settings;
	double max = 0;
	int64_t count = 0;

	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		double key = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
		if (!(key >= 1 && key <= INT_MAX && trunc(key) == key)) {
			lua_pop(L, 2);
			return 0;
		}
		if (key > max) max = key;
		count++;
		lib_step(L, 1);
	}
	if (s->sparse_ratio > 0 && max > (double)count * s->sparse_ratio && max > s->sparse_safe) {
		if (!s->sparse_convert) refuse(L, -1, "excessively sparse array");
		return 0;
	}
	return (int)max;
}

/* The table on top, which stays there until its frame is done. */
static void begin_table(struct encoder *e) {
	e->depth++;
	if (e->depth > e->settings->encode_depth || !lua_checkstack(e->L, 8)) {
		luaL_error(e->L, "Cannot serialise, excessive nesting (%d)", e->depth);
	}
	struct frame f = { .next = 1, .length = array_length(e) };
	f.array = f.length > 0;
	lib_buffer_add_char(&e->out, f.array ? '[' : '{');
	if (!f.array) lua_pushnil(e->L);
	lib_buffer_add(&e->frames, &f, sizeof(f));
}

/* The value on top: written and popped, or begun. */
static void add_value(struct encoder *e) {
	lua_State *L = e->L;

	lib_step(L, 4);
	switch (lua_type(L, -1)) {
	case LUA_TSTRING: add_string(e, -1); break;
	case LUA_TNUMBER: add_number(e, -1); break;
	case LUA_TBOOLEAN:
		if (lua_toboolean(L, -1)) {
			lib_buffer_add(&e->out, "true", 4);
		} else {
			lib_buffer_add(&e->out, "false", 5);
		}
		break;
	case LUA_TTABLE: begin_table(e); return;
	default:
		/* cjson.null is a pointer, of NULL. */
		if (!lua_isnil(L, -1) && !(lua_islightuserdata(L, -1) && !lua_touserdata(L, -1))) {
			refuse(L, -1, "type not supported");
		}
		lib_buffer_add(&e->out, "null", 4);
		break;
	}
	lua_pop(L, 1);
}

/* The key below the top, with its colon. */
static void add_key(struct encoder *e) {
	switch (lua_type(e->L, -2)) {
	case LUA_TSTRING: add_string(e, -2); break;
	case LUA_TNUMBER:
		lib_buffer_add_char(&e->out, '"');
		add_number(e, -2);
		lib_buffer_add_char(&e->out, '"');
		break;
	default: refuse(e->L, -2, "table key must be a number or string");
	}
	lib_buffer_add_char(&e->out, ':');
}

static void end_table(struct encoder *e, char bracket) {
	lib_buffer_add_char(&e->out, bracket);
	lua_pop(e->L, 1);
	e->frames.len -= sizeof(struct frame);
	e->depth--;
}

/* One element more of the innermost table, or its end. */
static void go_on(struct encoder *e) {
	struct frame *f = (struct frame *)(e->frames.data + e->frames.len) - 1;

	if (f->array ? f->next > f->length : !lua_next(e->L, -2)) {
		end_table(e, f->array ? ']' : '}');
		return;
	}
	if (f->begun) lib_buffer_add_char(&e->out, ',');
	f->begun = true;
	if (f->array) {
		lua_rawgeti(e->L, -1, f->next);
		f->next++;
	} else {
		add_key(e);
	}
	add_value(e);
}

int json_encode(lua_State *L, const struct json_settings *settings) {
	struct encoder e = { .L = L, .settings = settings };

	lib_buffer_begin(&e.out, L);
	lib_buffer_begin(&e.frames, L);
	lua_pushvalue(L, 1);
	add_value(&e);
	while (e.frames.len > 0) go_on(&e);
	lib_buffer_push(&e.out);
	return 1;
}
