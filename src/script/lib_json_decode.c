#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "script/lib_json.h"
#include "script/lib_private.h"

enum token_kind {
	TOKEN_OBJECT_BEGIN,
	TOKEN_OBJECT_END,
	TOKEN_ARRAY_BEGIN,
	TOKEN_ARRAY_END,
	TOKEN_STRING,
	TOKEN_NUMBER,
	TOKEN_BOOLEAN,
	TOKEN_NULL,
	TOKEN_COLON,
	TOKEN_COMMA,
	TOKEN_END,
	TOKEN_ERROR,
};

/* As messages call them. */
static const char *const token_names[] = { "T_OBJ_BEGIN", "T_OBJ_END", "T_ARR_BEGIN", "T_ARR_END", "T_STRING",
	"T_NUMBER", "T_BOOLEAN", "T_NULL", "T_COLON", "T_COMMA", "T_END" };

/* A table that is being filled. It is on the stack, an object's key that waits for its value behind it. */
struct frame {
	bool array;
	int count; /* array: elements so far */
};

struct decoder {
	lua_State *L;
	const struct json_settings *settings;
	const char *text, *at;
	struct lib_buffer string; /* the one that is being read, if it has escapes */
	struct lib_buffer frames;
	int depth;

	/* The token read last. */
	enum token_kind kind;
	const char *start;
	union {
		double number;
		bool boolean;
		struct slice bytes;
		const char *error;
	} value;
};

static void token_error(struct decoder *d, const char *where, const char *error) {
	d->kind = TOKEN_ERROR;
	d->start = where;
	d->value.error = error;
}

static void expected(struct decoder *d, const char *what) {
	const char *found = d->kind == TOKEN_ERROR ? d->value.error : token_names[d->kind];

	luaL_error(d->L, "Expected %s but found %s at character %d", what, found, (int)(d->start - d->text) + 1);
}

/* ---- Strings ---- */

/* Four hexadecimal digits, or -1. */
static int hex4(const char *digits) {
	int value = 0;

	for (int i = 0; i < 4; i++) {
		int c = (unsigned char)digits[i];
		if (!isxdigit(c)) return -1;
		value = value * 16 + (isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
	}
	return value;
}

/* The code point of the \u at `at`, perhaps of a pair of them; *len becomes its length. -1: wrong. */
static int code_point(const char *at, size_t *len) {
	int code = hex4(at + 2);

	*len = 6;
	if (code < 0 || (code & 0xf800) != 0xd800) return code;
	if (code >= 0xdc00 || at[6] != '\\' || at[7] != 'u') return -1;
	int low = hex4(at + 8);
	if (low < 0 || (low & 0xfc00) != 0xdc00) return -1;
	*len = 12;
	return 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
}

static void add_utf8(struct lib_buffer *b, int code) {
	char *out = lib_buffer_reserve(b, 4);
	size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = len - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	out[0] = (char)(lead[len] | code);
	b->len += len;
}

/* The escape at d->at, which moves behind it; false with the token an error. */
static bool read_escape(struct decoder *d) {
	static const char meanings[256] = { ['"'] = '"',
		['\\'] = '\\',
		['/'] = '/',
		['b'] = '\b',
		['t'] = '\t',
		['n'] = '\n',
		['f'] = '\f',
		['r'] = '\r' };
	size_t len;

	if (d->at[1] == 'u') {
		int code = code_point(d->at, &len);
		if (code < 0) {
			token_error(d, d->at, "invalid unicode escape code");
			return false;
		}
		add_utf8(&d->string, code);
		d->at += len;
		return true;
	}
	char meaning = meanings[(unsigned char)d->at[1]];
	if (!meaning) {
		token_error(d, d->at, "invalid escape code");
		return false;
	}
	lib_buffer_add_char(&d->string, meaning);
	d->at += 2;
	return true;
}

static void read_string(struct decoder *d) {
	const char *begin = ++d->at;
	size_t len = strcspn(begin, "\"\\");

	d->kind = TOKEN_STRING;
	lib_step_bytes(d->L, len * 8);
	if (begin[len] == '"') {
		d->value.bytes = slice_of(begin, len);
		d->at = begin + len + 1;
		return;
	}
	for (d->string.len = 0;; len = strcspn(d->at, "\"\\")) {
		lib_buffer_add(&d->string, d->at, len);
		lib_step(d->L, 1);
		lib_step_bytes(d->L, len * 8);
		d->at += len;
		if (*d->at == '"') break;
		if (*d->at == '\0') {
			token_error(d, d->at, "unexpected end of string");
			return;
		}
		if (!read_escape(d)) return;
	}
	d->at++;
	d->value.bytes = slice_of(d->string.data, d->string.len);
}

/* ---- Numbers and words ---- */

/* Whether what begins here is a number for strtod, but none for JSON. */
static bool is_invalid_number(const char *at) {
	if (*at == '+') return true;
	if (*at == '-') at++;
	if (*at == '0') return tolower((unsigned char)at[1]) == 'x' || isdigit((unsigned char)at[1]);
	return strncasecmp(at, "inf", 3) == 0 || strncasecmp(at, "nan", 3) == 0;
}

static void read_number(struct decoder *d) {
	char *end;

	d->kind = TOKEN_NUMBER;
	d->value.number = strtod(d->at, &end);
	lib_step_bytes(d->L, (size_t)(end - d->at) * 16);
	if (end == d->at) {
		token_error(d, d->at, "invalid number");
	} else {
		d->at = end;
	}
}

static bool take_word(struct decoder *d, const char *word, enum token_kind kind) {
	size_t len = strlen(word);

	if (strncmp(d->at, word, len) != 0) return false;
	d->kind = kind;
	d->at += len;
	return true;
}

/* What begins with a letter or a sign, or does not belong here at all. */
static void read_word(struct decoder *d) {
	if (take_word(d, "null", TOKEN_NULL)) return;
	d->value.boolean = *d->at == 't';
	if (take_word(d, "true", TOKEN_BOOLEAN) || take_word(d, "false", TOKEN_BOOLEAN)) return;
	if (d->settings->decode_invalid && is_invalid_number(d->at)) {
		read_number(d);
	} else {
		token_error(d, d->at, "invalid token");
	}
}

static void read_single(struct decoder *d, enum token_kind kind) {
	d->kind = kind;
	d->at++;
}

static void read_token(struct decoder *d) {
	size_t blanks = strspn(d->at, " \t\n\r");

	lib_step(d->L, 2);
	lib_step_bytes(d->L, blanks * 8);
	d->at += blanks;
	d->start = d->at;
	switch (*d->at) {
	case '{': read_single(d, TOKEN_OBJECT_BEGIN); break;
	case '}': read_single(d, TOKEN_OBJECT_END); break;
	case '[': read_single(d, TOKEN_ARRAY_BEGIN); break;
	case ']': read_single(d, TOKEN_ARRAY_END); break;
	case ':': read_single(d, TOKEN_COLON); break;
	case ',': read_single(d, TOKEN_COMMA); break;
	case '\0': d->kind = TOKEN_END; break;
	case '"': read_string(d); break;
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		if (!d->settings->decode_invalid && is_invalid_number(d->at)) {
			token_error(d, d->at, "invalid number");
		} else {
			read_number(d);
		}
		break;
	default: read_word(d); break;
	}
}

/* ---- Values ---- */

static void begin_table(struct decoder *d, bool array) {
	struct frame f = { .array = array };

	d->depth++;
	if (d->depth > d->settings->decode_depth || !lua_checkstack(d->L, 4)) {
		luaL_error(d->L, "Found too many nested data structures (%d) at character %d", d->depth,
			(int)(d->at - d->text));
	}
	lua_newtable(d->L);
	lib_buffer_add(&d->frames, &f, sizeof(f));
}

/* The key of an object, its colon, and the first token of its value. */
static void read_key(struct decoder *d) {
	if (d->kind != TOKEN_STRING) expected(d, "object key string");
	lua_pushlstring(d->L, d->value.bytes.ptr, d->value.bytes.len);
	read_token(d);
	if (d->kind != TOKEN_COLON) expected(d, "colon");
	read_token(d);
}

/* The innermost table's end has been read; its value is on top. */
static void end_table(struct decoder *d) {
	d->frames.len -= sizeof(struct frame);
	d->depth--;
}

/* Pushes the value that begins with the token in hand. True: it is complete. False: a table was begun, and the token in
 * hand begins its first element. */
static bool push_value(struct decoder *d) {
	lua_State *L = d->L;

	switch (d->kind) {
	case TOKEN_STRING: lua_pushlstring(L, d->value.bytes.ptr, d->value.bytes.len); return true;
	case TOKEN_NUMBER: lua_pushnumber(L, d->value.number); return true;
	case TOKEN_BOOLEAN: lua_pushboolean(L, d->value.boolean); return true;
	case TOKEN_NULL: lua_pushlightuserdata(L, NULL); return true;
	case TOKEN_OBJECT_BEGIN:
		begin_table(d, false);
		read_token(d);
		if (d->kind != TOKEN_OBJECT_END) {
			read_key(d);
			return false;
		}
		break;
	case TOKEN_ARRAY_BEGIN:
		begin_table(d, true);
		read_token(d);
		if (d->kind != TOKEN_ARRAY_END) return false;
		break;
	default: expected(d, "value");
	}
	end_table(d);
	return true;
}

/* Puts the complete value on top into the innermost table. True: that is complete with it, and on top now. False: the
 * token in hand begins the next element. */
static bool settle(struct decoder *d) {
	struct frame *f = (struct frame *)(d->frames.data + d->frames.len) - 1;

	if (f->array) {
		lua_rawseti(d->L, -2, ++f->count);
		read_token(d);
		if (d->kind == TOKEN_ARRAY_END) {
			end_table(d);
			return true;
		}
		if (d->kind != TOKEN_COMMA) expected(d, "comma or array end");
		read_token(d);
		return false;
	}
	lua_rawset(d->L, -3);
	read_token(d);
	if (d->kind == TOKEN_OBJECT_END) {
		end_table(d);
		return true;
	}
	if (d->kind != TOKEN_COMMA) expected(d, "comma or object end");
	read_token(d);
	read_key(d);
	return false;
}

int json_decode(lua_State *L, const struct json_settings *settings) {
	struct decoder d = { .L = L, .settings = settings };
	size_t len;

	d.text = d.at = luaL_checklstring(L, 1, &len);
	if (len >= 2 && (d.text[0] == '\0' || d.text[1] == '\0')) {
		return luaL_error(L, "JSON parser does not support UTF-16 or UTF-32");
	}
	lib_buffer_begin(&d.string, L);
	lib_buffer_begin(&d.frames, L);
	read_token(&d);
	for (bool whole = false; !whole;) {
		if (!push_value(&d)) continue;
		do whole = d.frames.len == 0;
		while (!whole && settle(&d));
	}
	read_token(&d);
	if (d.kind != TOKEN_END) expected(&d, "the end");
	return 1;
}
