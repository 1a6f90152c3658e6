/* What scripts return, as replies: the other way of to_lua.c. Numbers lose their fraction; a table that has none of the
 * fields of to_lua.c is an array up to its first nil; true and false are 1 and null until the script has asked for RESP3.
 * Metatables are not looked at.
 *
 * Tables within tables wait on Lua's stack and not on that of C, so that depth is a matter of Lua's limit. */
#include <lauxlib.h>
#include <math.h>

#include "base/alloc.h"
#include "script/interp_private.h"
#include "script/libs.h"

/* A few tables that contain each other make a reply without end, so time and length are looked at. */
enum { TICK_STEPS = 1000 };

struct writer {
	lua_State *L;
	struct interp *in;
	struct reply *reply;
	size_t begin;   /* of the reply in its buffer */
	unsigned depth; /* frames in use */
	unsigned steps; /* since the last tick */
};

static void check_bounds(struct writer *w, size_t more) {
	if (w->reply->out->len - w->begin + more > INTERP_MEMORY_MAX)
		luaL_error(w->L, "the reply of the script is too long");
}

/* Pushes the field of the table on top of the stack, whose name is that upvalue. */
static int push_named(lua_State *L, int name) {
	lua_pushvalue(L, lua_upvalueindex(name));
	lua_rawget(L, -2);
	return lua_type(L, -1);
}

static void write_number(struct reply *r, lua_Number n) {
	/* What the conversion makes of numbers beyond the range on the machines that Redis runs on. */
	bool fits = n >= -9223372036854775808.0 && n < 9223372036854775808.0;
	reply_int(r, fits ? (int64_t)n : INT64_MIN);
}

static void write_string(struct writer *w) {
	size_t len;
	const char *text = lua_tolstring(w->L, -1, &len);
	check_bounds(w, len);
	reply_bulk(w->reply, text, len);
}

static void write_bool(struct writer *w, bool value) {
	if (w->in->proto == 3)
		reply_bool(w->reply, value);
	else if (value)
		reply_int(w->reply, 1);
	else
		reply_null(w->reply);
}

static void write_big_number(struct writer *w) {
	size_t len;
	const char *digits = lua_tolstring(w->L, -1, &len);
	struct buffer text = { 0 };
	buffer_append(&text, digits, len);
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\r' || text.data[i] == '\n') text.data[i] = ' ';
	reply_big_number(w->reply, buffer_slice(&text));
	buffer_release(&text);
}

/* The table on top of the stack is a verbatim string if its fields are there. */
static bool write_verbatim(struct writer *w) {
	lua_State *L = w->L;
	bool is_one = push_named(L, NAME_STRING) == LUA_TSTRING;
	lua_insert(L, -2);
	is_one = push_named(L, NAME_FORMAT) == LUA_TSTRING && is_one;
	if (is_one) {
		size_t len, kind_len;
		const char *text = lua_tolstring(L, -3, &len), *kind = lua_tolstring(L, -1, &kind_len);
		char padded[3] = { ' ', ' ', ' ' };
		memcpy(padded, kind, kind_len < 3 ? kind_len : 3);
		reply_verbatim(w->reply, padded, slice_of(text, len));
	}
	lua_pop(L, 2);
	return is_one;
}

static void push_frame(struct writer *w, struct reply_frame frame) {
	if (w->depth == w->in->frame_cap) {
		w->in->frame_cap = w->in->frame_cap ? w->in->frame_cap * 2 : 16;
		w->in->frames = mem_realloc(w->in->frames, w->in->frame_cap * sizeof(w->in->frames[0]));
	}
	w->in->frames[w->depth++] = frame;
}

static size_t count_pairs(lua_State *L) {
	size_t count = 0;
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) count++;
	return count;
}

static void begin_pairs(struct writer *w, bool is_map) {
	size_t count = count_pairs(w->L);
	if (is_map)
		reply_map(w->reply, count);
	else
		reply_set(w->reply, count);
	lua_pushnil(w->L);
	push_frame(w, (struct reply_frame){ .kind = is_map ? FRAME_MAP_KEY : FRAME_SET });
}

static void begin_array(struct writer *w) {
	uint32_t count = 0;
	for (;; count++) {
		lua_rawgeti(w->L, -1, (int)count + 1);
		bool is_end = lua_isnil(w->L, -1);
		lua_pop(w->L, 1);
		if (is_end) break;
	}
	reply_array(w->reply, count);
	push_frame(w, (struct reply_frame){ .kind = FRAME_ARRAY, .count = count });
}

enum begun { WRITTEN, /* all of it */ BEGUN /* there is a frame, and its table is on top of the stack */ };

/* What the field on top of the stack says about the table below it. */
static bool write_by_field(struct writer *w, int name, int type) {
	lua_State *L = w->L;
	switch (name) {
	case NAME_ERR:
	case NAME_OK:
	case NAME_BIG_NUMBER:
		if (type != LUA_TSTRING) return false;
		if (name == NAME_ERR)
			reply_errorf(w->reply, "%s", lua_tostring(L, -1));
		else if (name == NAME_OK)
			reply_status(w->reply, lua_tostring(L, -1));
		else
			write_big_number(w);
		return true;
	case NAME_DOUBLE:
		if (type != LUA_TNUMBER) return false;
		reply_double(w->reply, lua_tonumber(L, -1));
		return true;
	case NAME_VERBATIM: return type == LUA_TTABLE && write_verbatim(w);
	default: return false;
	}
}

/* Errors that a failed command has counted are not counted again. */
static void note_counted(struct writer *w) {
	lua_pushliteral(w->L, "ignore_error_stats_update");
	lua_rawget(w->L, -2);
	if (lua_toboolean(w->L, -1) && w->reply->errors == 1) w->reply->error_code[0] = '\0';
	lua_pop(w->L, 1);
}

static enum begun begin_table(struct writer *w) {
	lua_State *L = w->L;
	for (int name = NAME_ERR; name <= NAME_VERBATIM; name++) {
		int type = push_named(L, name);
		if (type == LUA_TTABLE && (name == NAME_MAP || name == NAME_SET)) {
			lua_remove(L, -2);
			begin_pairs(w, name == NAME_MAP);
			return BEGUN;
		}
		bool written = type != LUA_TNIL && write_by_field(w, name, type);
		lua_pop(L, 1);
		if (!written) continue;
		if (name == NAME_ERR) note_counted(w);
		return WRITTEN;
	}
	begin_array(w);
	return BEGUN;
}

/* Writes the value on top of the stack and pops it, or begins to. */
static void write_value(struct writer *w) {
	lua_State *L = w->L;
	switch (lua_type(L, -1)) {
	case LUA_TSTRING: write_string(w); break;
	case LUA_TNUMBER: write_number(w->reply, lua_tonumber(L, -1)); break;
	case LUA_TBOOLEAN: write_bool(w, lua_toboolean(L, -1)); break;
	case LUA_TTABLE:
		if (!lua_checkstack(L, 6))
			reply_error(w->reply, "ERR reached lua stack limit");
		else if (begin_table(w) == BEGUN)
			return;
		break;
	default: reply_null(w->reply);
	}
	lua_pop(L, 1);
}

static void end_frame(struct writer *w) {
	lua_pop(w->L, 1);
	w->depth--;
}

/* The next piece of the innermost table. */
static void go_on(struct writer *w) {
	lua_State *L = w->L;
	if (++w->steps == TICK_STEPS) {
		w->steps = 0;
		interp_tick(L);
		check_bounds(w, 0);
	}
	struct reply_frame *f = &w->in->frames[w->depth - 1];
	switch (f->kind) {
	case FRAME_ARRAY:
		if (f->index == f->count) {
			end_frame(w);
			return;
		}
		lua_rawgeti(L, -1, (int)++f->index);
		break;
	case FRAME_MAP_VALUE: /* table, key, value */ f->kind = FRAME_MAP_KEY; break;
	case FRAME_MAP_KEY: /* table, key before */
	case FRAME_SET:
		if (!lua_next(L, -2)) {
			end_frame(w);
			return;
		}
		if (f->kind == FRAME_SET)
			lua_pop(L, 1);
		else
			f->kind = FRAME_MAP_VALUE;
		lua_pushvalue(L, f->kind == FRAME_SET ? -1 : -2);
		break;
	}
	write_value(w);
}

void interp__write_value(lua_State *L, struct interp *in, struct reply *r) {
	struct writer w = { .L = L, .in = in, .reply = r, .begin = r->out->len };
	write_value(&w);
	while (w.depth > 0) go_on(&w);
}
