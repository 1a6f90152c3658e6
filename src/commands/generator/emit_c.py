"""The C that is written from the declarations: the table with its perfect hash, the handlers' prototypes, the help
texts of the command line tool."""

import random
import re

from .declarations import CATEGORIES, FLAGS, HIDDEN_FLAGS, KEY_FLAGS

MARK = "/* Written by src/commands/generate.py from the declarations beside it. Change those, not this. */\n"

LOOKUP_TRIES = 20000
FOLD = 0x2020202020202020
WORD = 0xFFFFFFFFFFFFFFFF


def quote(text):
    """A C string literal, or NULL."""
    if text is None:
        return "NULL"
    out = []
    for byte in text.encode("utf-8"):
        char = chr(byte)
        out.append("\\" + char if char in '"\\' else char if 32 <= byte < 127 and char != "?" else f"\\{byte:03o}")
    return '"' + "".join(out) + '"'


def bits(words, prefix):
    return " | ".join(prefix + re.sub("-", "_", word).upper() for word in words) or "0"


def load_word(name):
    """The first eight bytes of a name as command_name_word loads them."""
    return int.from_bytes(name[:8].encode().ljust(8, b"\0"), "little")


def letter_mask(name):
    return int.from_bytes(bytes(0x20 if c.isalpha() else 0 for c in name[:8]).ljust(8, b"\0"), "little")


def hash_input(name):
    """What is multiplied; command_hash_slot in server/command_lookup.h does the same."""
    word = load_word(name)
    if len(name) > 8:
        tail = int.from_bytes(name[-8:].encode(), "little") | FOLD
        word ^= ((tail << 29) | (tail >> 35)) & WORD
    return word | FOLD


def find_hash(names):
    """A multiplier and a number of bits that give each name a slot of its own. The same for the same names."""
    inputs = [hash_input(name) for name in names]
    if len(set(inputs)) != len(inputs):
        raise ValueError("two command names look the same to the hash of emit_c.py")
    size = max(4, (len(names) * 2).bit_length())
    draw = random.Random(8)
    while True:
        for _ in range(LOOKUP_TRIES):
            multiplier = draw.getrandbits(64) | 1
            seen = set()
            for word in inputs:
                slot = (word * multiplier & WORD) >> (64 - size)
                if slot in seen:
                    break
                seen.add(slot)
            else:
                return multiplier, size, [(word * multiplier & WORD) >> (64 - size) for word in inputs]
        size += 1


class Table:
    """The text of command_table.c, piece by piece."""

    def __init__(self, top):
        self.top = top
        self.out = [MARK]
        self.arrays = 0

    def line(self, text=""):
        self.out.append(text)

    def array(self, type_name, rows):
        """A static array; returns what refers to it: "name, count" for the initializer."""
        if not rows:
            return "NULL, 0"
        self.arrays += 1
        name = f"a{self.arrays}"
        self.line(f"static const {type_name} {name}[] = {{")
        for row in rows:
            self.line(f"\t{row},")
        self.line("};")
        return f"{name}, {len(rows)}"

    def words(self, words):
        """A list of strings that ends with NULL; returns its name."""
        if not words:
            return "NULL"
        return self.array("char *const", [quote(word) for word in words] + ["NULL"]).partition(",")[0]

    def args(self, args):
        rows = []
        for arg in args:
            inner = self.args(arg.args)
            flags = bits(arg.flags(), "ARG_")
            index = -1 if arg.key_spec_index is None else arg.key_spec_index
            rows.append(f"{{ {quote(arg.name)}, ARG_{arg.type.upper().replace('-', '_')}, {flags}, {index}, "
                        f"{quote(arg.token)}, {quote(arg.since)}, {quote(arg.deprecated_since)}, {inner} }}")
        return self.array("struct command_arg", rows)

    def key_specs(self, cmd):
        rows = []
        for spec in cmd.keys:
            words = self.words(spec.words)
            keynum = spec.find == "keynum"
            rows.append(
                f"{{ .flags = {bits(spec.flags, 'KEY_')}, .begin = KEY_BEGIN_{spec.begin.upper()}, "
                f".begin_index = {spec.index}, .begin_keyword = {quote(spec.keyword)}, "
                f".find = KEY_FIND_{spec.find.upper()}, .last = {spec.last}, .step = {spec.step}, "
                f".limit = {spec.limit}, .keynum_index = 0, .first_key = {int(keynum)}, .notes = {quote(spec.notes)}, "
                f".words = {words}, .words_from = {spec.words_from}, "
                f".flags_without = {bits(spec.otherwise, 'KEY_')}, "
                f".shown_unknown = {str(spec.shown_unknown).lower()} }}")
        return self.array("struct key_spec", rows).partition(",")[0]

    def docs(self, cmd):
        args = self.args(cmd.args)
        history = self.array("struct command_change", [f"{{ {quote(v)}, {quote(text)} }}" for v, text in cmd.history])
        tips = self.words(cmd.tips)
        first, last, step = cmd.legacy_range()
        self.line(f"static const struct command_docs docs_{cmd.id} = {{")
        self.line(f"\t.summary = {quote(cmd.summary)},")
        self.line(f"\t.params = {quote(cmd.params)},")
        self.line(f"\t.since = {quote(cmd.since)}, .group = {quote(cmd.group)},")
        self.line(f"\t.complexity = {quote(cmd.table.get('complexity'))},")
        self.line(f"\t.flags = {bits(cmd.doc_flags, 'DOC_')},")
        self.line(f"\t.deprecated_since = {quote(cmd.table.get('deprecated_since'))},")
        self.line(f"\t.replaced_by = {quote(cmd.table.get('replaced_by'))},")
        self.line(f"\tLIST(.history, .history_count, {history}),")
        self.line(f"\tLIST(.args, .arg_count, {args}),")
        self.line(f"\t.tips = {tips},")
        self.line(f"\t.first_key = {first}, .last_key = {last}, .key_step = {step},")
        self.line("};")

    def command(self, cmd, parent, specs, subcommands):
        flags = cmd.flags + (["container"] if cmd.subcommands else [])
        categories = " | ".join(f"1u << {CATEGORIES.index(category)}" for category in cmd.categories)
        self.line(f"\t{{ {quote(cmd.name)}, {quote(cmd.full_name)}, {cmd.c_handler or 'NULL'}, {cmd.arity},")
        self.line(f"\t\t{bits(flags, 'CMD_')}, {categories or 0}, GATE_{cmd.gate.upper()}, {cmd.id},")
        self.line(f"\t\t{len(cmd.keys)}, {cmd.only_key()}, {specs}, {subcommands}, {len(cmd.subcommands)}, {parent},")
        words = "".join(quote(word) + ", " for word in cmd.table.get("world_words", []))
        world_words = f"(const char *const[]){{ {words}NULL }}" if words else "NULL"
        self.line(f"\t\t&docs_{cmd.id}, {world_words} }},")

    def names(self):
        for name, words in (("command_flag_names", FLAGS), ("command_category_names", CATEGORIES),
                            ("key_spec_flag_names", KEY_FLAGS)):
            self.line(f"const char *const {name}[] = {{ {', '.join(quote(word) for word in words)}, NULL }};")
        for i, flag in enumerate(FLAGS + HIDDEN_FLAGS):
            self.line(f'static_assert(CMD_{flag.upper()} == 1 << {i}, "the order of the flags");')
        for i, flag in enumerate(KEY_FLAGS):
            self.line(f'static_assert(KEY_{flag.upper()} == 1 << {i}, "the order of the key flags");')

    def lookup(self):
        names = [cmd.name for cmd in self.top]
        multiplier, size, slots = find_hash(names)
        at = {slot: i + 1 for i, slot in enumerate(slots)}
        self.line("static const struct command_probe probes[] = {")
        for name in names:
            word, mask = load_word(name), letter_mask(name)
            self.line(f"\t{{ 0x{word:016x}, 0x{mask:016x}, {quote(name)}, {len(name)} }},")
        self.line("};")
        self.line(f"static const uint16_t slots[{1 << size}] = {{")
        row = [str(at.get(slot, 0)) for slot in range(1 << size)]
        for start in range(0, len(row), 32):
            self.line("\t" + ", ".join(row[start:start + 32]) + ",")
        self.line("};")
        self.line("static const struct command *lookup(struct slice name) {")
        self.line("\tuint64_t word = command_name_word(name);")
        self.line(f"\tunsigned found = slots[command_hash_slot(name, word, 0x{multiplier:016x}, {64 - size})];")
        self.line("\tif (found == 0) return NULL;")
        self.line("\treturn command_probe_matches(&probes[found - 1], name, word) ? &commands[found - 1] : NULL;")
        self.line("}")

    def text(self):
        self.line('#include "server/command.h"\n\n#include <assert.h>\n')
        self.line('#include "commands/generated/command_handlers.h"')
        self.line('#include "server/command_docs.h"\n#include "server/command_lookup.h"\n')
        self.line("#define LIST(items, count, array, n) items = array, count = n\n")
        self.names()
        everything = [each for cmd in self.top for each in [cmd] + cmd.subcommands]
        self.line(f"\nstatic const struct command commands[{len(self.top)}];")
        specs = {each.id: self.key_specs(each) for each in everything}
        for each in everything:
            self.docs(each)
        for i, cmd in enumerate(self.top):
            if cmd.subcommands:
                self.line(f"static const struct command subcommands_{cmd.id}[] = {{")
                for sub in sorted(cmd.subcommands, key=lambda sub: sub.name):
                    self.command(sub, f"&commands[{i}]", specs[sub.id], "NULL")
                self.line("};")
        self.line(f"static const struct command commands[{len(self.top)}] = {{")
        for cmd in self.top:
            self.command(cmd, "NULL", specs[cmd.id], f"subcommands_{cmd.id}" if cmd.subcommands else "NULL")
        self.line("};\n")
        self.lookup()
        counts = f"{len(self.top)}, {len(everything)}"
        self.line(f"\nconst struct command_table tarn_commands = {{ commands, {counts}, lookup }};")
        return "\n".join(self.out) + "\n"


def table_c(top):
    return Table(top).text()


def handlers_h(top):
    """The prototypes of all handlers."""
    names = sorted({each.c_handler for cmd in top for each in [cmd] + cmd.subcommands if each.c_handler})
    out = [MARK + "#ifndef TARN_GENERATED_COMMAND_HANDLERS_H", "#define TARN_GENERATED_COMMAND_HANDLERS_H\n",
           '#include "server/call.h"\n']
    out += [f"command_handler {name};" for name in names]
    return "\n".join(out + ["\n#endif", ""])


HELP_H = MARK + """#ifndef TARN_GENERATED_COMMAND_HELP_H
#define TARN_GENERATED_COMMAND_HELP_H

#include <stddef.h>

/* What a tool may tell about a command. Depends on nothing else, so that tools need not link the server. */
struct command_help {
	const char *name;    /* "SET", "CONFIG GET" */
	const char *params;  /* "key value [NX | XX] ...", "" when there are none */
	const char *summary; /* a sentence */
	const char *group;   /* "string" */
	const char *since;   /* "1.0.0" */
};

/* Sorted by name. A pure container is not in it, its subcommands are. */
extern const struct command_help command_help[];
extern const size_t command_help_count;

#endif
"""


def help_c(top):
    out = [MARK + '#include "commands/generated/command_help.h"\n', "const struct command_help command_help[] = {"]
    callable_ones = [each for cmd in top for each in [cmd] + cmd.subcommands if each.c_handler]
    for cmd in sorted(callable_ones, key=lambda each: each.title):
        out.append(f"\t{{ {quote(cmd.title)}, {quote(cmd.params)},")
        out.append(f"\t\t{quote(cmd.summary)}, {quote(cmd.group)}, {quote(cmd.since)} }},")
    out.append("};")
    out.append(f"const size_t command_help_count = {len(callable_ones)};\n")
    return "\n".join(out)
