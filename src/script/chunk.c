#include "script/chunk.h"

#include <string.h>

#include "base/buffer.h"

/* What lua_dump writes, in Lua 5.1 and on machines like ours. */
static const char header[] = "\033Lua\x51\0\1\4\10\4\10\0";

enum {
	HEADER_BYTES = sizeof(header) - 1,
	DEPTH_MAX = 200,         /* of functions in functions, as the compiler has it */
	BYTES_MAX = 1024 * 1024, /* what is longer is not worth the memory */

	OP_GETGLOBAL = 5,
	OP_SETGLOBAL = 7,
	OP_SETUPVAL = 8,
	OP_SETTABLE = 9,
	OP_EQ = 23,
	OPCODE_MASK = 0x3f,
	CONSTANT_SHIFT = 14, /* of the number of GETGLOBAL's name */
	C_SHIFT = 14,        /* of OP_EQ's operands, each a register or, with the bit set, a constant */
	B_SHIFT = 23,
	CONSTANT_BIT = 1 << 8,
};

/* From here on nothing is past `end`: who would read further sets `broken`, and gets nothing. */
struct dump {
	const char *at, *end;
	bool broken;
	struct chunk_look look;
};

static const char *skip(struct dump *d, size_t bytes) {
	if (d->broken || (size_t)(d->end - d->at) < bytes) {
		d->broken = true;
		return NULL;
	}
	const char *here = d->at;
	d->at += bytes;
	return here;
}

/* An array: its count is read, its elements are skipped. */
static const char *skip_array(struct dump *d, size_t each, uint32_t *count) {
	*count = 0;
	const char *here = skip(d, sizeof(*count));
	if (here) memcpy(count, here, sizeof(*count));
	return skip(d, *count * each);
}

static struct slice read_string(struct dump *d) {
	uint64_t len = 0; /* with its terminator; 0: there is none */
	const char *here = skip(d, sizeof(len));
	if (here) memcpy(&len, here, sizeof(len));
	const char *bytes = skip(d, len);
	return bytes && len ? slice_of(bytes, len - 1) : slice_of("", 0);
}

static void is_at_least(struct dump *d, enum chunk_kind kind) {
	if (kind > d->look.kind) d->look.kind = kind;
}

static bool is_one_of(struct slice name, const char *const *names) {
	for (unsigned i = 0; names[i]; i++)
		if (slice_equal(name, slice_of_cstr(names[i]))) return true;
	return false;
}

/* _G shows the guards, and code that is loaded at run time may do anything with what it is given. */
static const char *const leading_elsewhere[] = { "_G", "load", "loadstring", NULL };

/* Nothing here changes a table that it is given or keeps one. `error` is missing: the message handler adds to error tables. */
static const char *const changing_nothing[] = { "KEYS", "ARGV", "redis", "server", "tonumber", "tostring", "type",
	"ipairs", "pairs", "next", "unpack", "select", "pcall", "assert", "string", "math", "cjson", "cmsgpack",
	"struct", "bit", "os", NULL };

static void note_global(struct dump *d, struct slice name) {
	if (is_one_of(name, leading_elsewhere)) is_at_least(d, CHUNK_SETS_FIELDS);
	if (!is_one_of(name, changing_nothing)) d->look.traits |= CHUNK_ASKS_MORE;
}

static uint32_t instruction(const char *code, uint32_t i) {
	uint32_t word;
	memcpy(&word, code + (size_t)i * sizeof(word), sizeof(word));
	return word;
}

static void look_at_code(struct dump *d, const char *code, uint32_t count) {
	for (uint32_t i = 0; code && i < count; i++) {
		uint32_t word = instruction(code, i);
		switch (word & OPCODE_MASK) {
		case OP_SETGLOBAL: is_at_least(d, CHUNK_SETS_GLOBALS); break;
		case OP_SETTABLE: is_at_least(d, CHUNK_SETS_FIELDS); break;
		case OP_SETUPVAL: d->look.traits |= CHUNK_SETS_UPVALUES; break;
		case OP_EQ:
			if (!(word >> B_SHIFT & CONSTANT_BIT) && !(word >> C_SHIFT & CONSTANT_BIT))
				d->look.traits |= CHUNK_COMPARES;
			break;
		default: break;
		}
	}
}

static bool reads_global(const char *code, uint32_t count, uint32_t constant) {
	for (uint32_t i = 0; code && i < count; i++) {
		uint32_t word = instruction(code, i);
		if ((word & OPCODE_MASK) == OP_GETGLOBAL && word >> CONSTANT_SHIFT == constant) return true;
	}
	return false;
}

static void look_at_constants(struct dump *d, const char *code, uint32_t instructions) {
	uint32_t count;
	skip_array(d, 0, &count);
	for (uint32_t i = 0; !d->broken && i < count; i++) {
		const char *type = skip(d, 1);
		struct slice text;
		switch (type ? *type : LUA_TNONE) {
		case LUA_TNIL: break;
		case LUA_TBOOLEAN: skip(d, 1); break;
		case LUA_TNUMBER: skip(d, sizeof(lua_Number)); break;
		case LUA_TSTRING:
			text = read_string(d);
			if (reads_global(code, instructions, i)) note_global(d, text);
			break;
		default: d->broken = true;
		}
	}
}

/* Lines, local variables, names of upvalues. */
static void skip_debug(struct dump *d) {
	uint32_t count;
	skip_array(d, sizeof(int), &count);
	skip_array(d, 0, &count);
	for (uint32_t i = 0; !d->broken && i < count; i++) {
		read_string(d);
		skip(d, 2 * sizeof(int));
	}
	skip_array(d, 0, &count);
	for (uint32_t i = 0; !d->broken && i < count; i++) read_string(d);
}

static void look_at_function(struct dump *d, unsigned depth) {
	if (depth == 0) d->broken = true;
	uint32_t instructions, count;
	read_string(d);               /* the source's name */
	skip(d, 2 * sizeof(int) + 4); /* lines; upvalues, parameters, varargs, stack */
	const char *code = skip_array(d, sizeof(uint32_t), &instructions);
	look_at_code(d, code, instructions);
	look_at_constants(d, code, instructions);
	skip_array(d, 0, &count);
	for (uint32_t i = 0; !d->broken && i < count; i++) look_at_function(d, depth - 1);
	skip_debug(d);
}

static int append(lua_State *L, const void *bytes, size_t len, void *context) {
	(void)L;
	struct buffer *all = context;
	if (len > BYTES_MAX - all->len) return 1;
	buffer_append(all, bytes, len);
	return 0;
}

struct chunk_look chunk_look(lua_State *L) {
	struct buffer bytes = { 0 };
	struct dump d = { .look = { CHUNK_READS, 0 } };
	if (lua_dump(L, append, &bytes) == 0 && bytes.len > HEADER_BYTES &&
		memcmp(bytes.data, header, HEADER_BYTES) == 0) {
		d.at = bytes.data + HEADER_BYTES;
		d.end = bytes.data + bytes.len;
		look_at_function(&d, DEPTH_MAX);
		if (d.at != d.end) d.broken = true;
	} else {
		d.broken = true;
	}
	buffer_release(&bytes);
	return d.broken ? (struct chunk_look){ CHUNK_SETS_GLOBALS, 0 } : d.look;
}
