#!/usr/bin/env python3
"""Makes the C side of the settings, the sample tarn.conf and the reference page from settings.toml.

generate_settings.py settings.toml <settings_fields.h> <settings_table.c> [<tarn.conf> <settings.md>]
"""
import os
import sys
import textwrap
import tomllib

I64_MAX = 2**63 - 1
C_TYPES = {
    "bool": "bool", "int": "int64_t", "memory": "uint64_t", "share": "struct settings_share", "flags": "uint32_t",
    "text": "char *", "words": "struct settings_words", "octal": "uint32_t", "directory": "char *",
    "save": "struct settings_save", "output-limits": "struct settings_output_limits",
    "oom-scores": "struct settings_oom_scores", "percentiles": "struct settings_percentiles", "notify": "uint32_t",
    "replicaof": "struct settings_address", "users": "struct settings_lines", "renames": "struct settings_lines",
    "ignored": "bool",
}
FILE_ONLY = {"users", "renames", "ignored"}
KEYS = {"type", "default", "alias", "min", "max", "immutable", "protected", "secret", "hidden", "check", "apply", "doc",
        "choices", "unsigned"}
ALIASES_MAX = 2


def ident(name):
    return name.replace("-", "_")


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Declarations:
    """settings.toml, checked: a mistake there must stop the build and not a server."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = tomllib.load(file)
        self.choices = data.pop("choices")
        self.chapters = []
        seen = set()
        for chapter, content in data.items():
            title = content.pop("title")
            settings = [self.setting(name, entry, seen) for name, entry in content.items()]
            self.chapters.append((chapter, title, settings))
        self.settings = [setting for _, _, settings in self.chapters for setting in settings]

    def setting(self, name, entry, seen):
        unknown = set(entry) - KEYS
        if unknown:
            raise SystemExit(f"settings.toml: {name}: unknown keys {sorted(unknown)}")
        entry = {"default": "", "alias": [], **entry, "name": name}
        for spelled in [name, *entry["alias"]]:
            if spelled in seen:
                raise SystemExit(f"settings.toml: {spelled} is declared twice")
            seen.add(spelled)
        if len(entry["alias"]) > ALIASES_MAX:
            raise SystemExit(f"settings.toml: {name}: more than {ALIASES_MAX} other names")
        if entry["type"] in ("choice", "flags"):
            words = self.choices[entry["choices"]]
            if entry["default"] not in words:
                raise SystemExit(f"settings.toml: {name}: the default is none of the choices")
        elif entry["type"] not in C_TYPES:
            raise SystemExit(f"settings.toml: {name}: unknown type {entry['type']}")
        if not entry["doc"].endswith("."):
            raise SystemExit(f"settings.toml: {name}: doc is no sentence")
        self.bounds(entry)
        if entry.get("unsigned") and (entry["type"] not in ("int", "memory") or entry["min"] < 0):
            raise SystemExit(f"settings.toml: {name}: unsigned is for numbers from 0 on")
        return entry

    @staticmethod
    def bounds(entry):
        low, high = {"int": (-2**31, 2**31 - 1), "memory": (0, I64_MAX), "octal": (0, 0o777)}.get(entry["type"], (0, 0))
        entry["min"] = entry.get("min", low)
        entry["max"] = entry.get("max", high)

    def apply_names(self):
        return sorted({setting["apply"] for setting in self.settings if "apply" in setting})

    def check_names(self):
        return sorted({setting["check"] for setting in self.settings if "check" in setting})


def c_type(setting):
    if setting["type"] == "choice":
        return f"enum settings_{ident(setting['choices'])}"
    return C_TYPES[setting["type"]]


def write_header(declarations, out):
    out.append("/* Made by generate_settings.py from settings.toml. Do not edit. */\n"
               "#ifndef TARN_SETTINGS_GENERATED_SETTINGS_FIELDS_H\n#define TARN_SETTINGS_GENERATED_SETTINGS_FIELDS_H\n\n"
               '#include "settings/settings_types.h"\n')
    used_as_flags = {s["choices"] for s in declarations.settings if s["type"] == "flags"}
    for name, words in declarations.choices.items():
        prefix = ident(name).upper()
        out.append(f"enum settings_{ident(name)} {{")
        for index, word in enumerate(words):
            # Of a set of flags the first word means: none of the others.
            value = index if name not in used_as_flags else (1 << index >> 1)
            out.append(f"\t{prefix}_{ident(word).upper()} = {value},")
        out.append("};\n")
    out.append("enum setting_index {")
    out += [f"\tSETTING_{ident(s['name']).upper()}," for s in declarations.settings]
    out.append("\tSETTING_COUNT\n};\n")
    out.append("/* The values, one field per setting. Texts are never NULL. */\nstruct settings {")
    for _, title, settings in declarations.chapters:
        out.append(f"\t/* {title} */")
        for setting in settings:
            kind = c_type(setting)
            space = "" if kind.endswith("*") else " "
            out.append(f"\t{kind}{space}{ident(setting['name'])};")
    out.append("};\n")
    out.append("/* What follows a change by CONFIG SET; see settings.h. */\nstruct settings_hooks {")
    for name in declarations.apply_names():
        users = ", ".join(s["name"] for s in declarations.settings if s.get("apply") == name)
        out += ["\t/* " + "\n\t * ".join(textwrap.wrap(users, 100)) + " */", f"\tsettings_hook *{name};"]
    out.append("};\n\n#endif")


def write_table(declarations, out):
    out.append("/* Made by generate_settings.py from settings.toml. Do not edit. */\n"
               '#include "settings/settings.h"\n\n#include <stddef.h>\n\n#include "settings/settings_private.h"\n')
    for name, words in declarations.choices.items():
        listed = ", ".join(quote(word) for word in words)
        out.append(f"static const char *const choices_{ident(name)}[] = {{ {listed}, NULL }};")
    out.append("\nconst struct setting settings_table[SETTING_COUNT] = {")
    for setting in declarations.settings:
        out.append(table_entry(setting))
    out.append("};")


def table_entry(setting):
    field = ident(setting["name"])
    flags = [f"SETTING_{key.upper()}" for key in ("immutable", "protected", "secret", "hidden", "unsigned") if setting.get(key)]
    if setting["type"] in FILE_ONLY:
        flags.append("SETTING_FILE_ONLY")
    kind = ident(setting["type"]).upper()
    parts = [
        f".name = {quote(setting['name'])}",
        f".type = SETTING_TYPE_{kind}",
        f".offset = offsetof(struct settings, {field})",
        f".size = sizeof(((struct settings *)0)->{field})",
        f".default_text = {quote(setting['default'])}",
        f".doc = {quote(setting['doc'])}",
    ]
    if setting["alias"]:
        parts.append(".aliases = { " + ", ".join(quote(name) for name in setting["alias"]) + " }")
    if flags:
        parts.append(".flags = " + " | ".join(flags))
    if setting["type"] in ("int", "memory", "octal"):
        low = "INT64_MIN" if setting["min"] == -2**63 else str(setting["min"])
        parts.append(f".min = {low}")
        parts.append(f".max = {setting['max']}U" if setting["max"] > I64_MAX else f".max = {setting['max']}")
    if "choices" in setting:
        parts.append(f".choices = choices_{ident(setting['choices'])}")
    if "check" in setting:
        parts.append(f".check = setting__check_{setting['check']}")
    if "apply" in setting:
        parts.append(f".has_hook = true, .hook_offset = offsetof(struct settings_hooks, {setting['apply']})")
    return f"\t[SETTING_{field.upper()}] = {{\n\t\t" + ",\n\t\t".join(parts) + ",\n\t},"


def takes(declarations, setting):
    """What the setting takes, for people."""
    kind = setting["type"]
    if kind in ("int", "memory"):
        unit = "number" if kind == "int" else "memory size"
        high = setting["max"]
        if high >= I64_MAX:
            return f"{unit}, {setting['min']} or more"
        return f"{unit}, {setting['min']} to {high}"
    if kind == "choice":
        return "one of " + ", ".join(declarations.choices[setting["choices"]])
    if kind == "flags":
        return "any of " + ", ".join(declarations.choices[setting["choices"]])
    return {
        "bool": "yes or no", "share": "memory size or percentage", "text": "text", "words": "words", "octal": "octal number",
        "directory": "folder", "save": "pairs of seconds and changes", "output-limits": "class, hard, soft, seconds",
        "oom-scores": "three numbers", "percentiles": "numbers from 0 to 100", "notify": "letters",
        "replicaof": "host and port", "users": "name and rules", "renames": "name and new name", "ignored": "anything",
    }[kind]


def sample_value(setting):
    text = setting["default"]
    if setting["type"] in ("text", "directory") and (text == "" or " " in text or "{" in text):
        return quote(text)
    return text if text else '""'


def sample_lines(setting):
    """The lines of tarn.conf that would set the default."""
    words = setting["default"].split()
    if setting["type"] == "save":
        return [f"save {words[i]} {words[i + 1]}" for i in range(0, len(words), 2)]
    if setting["type"] == "output-limits":
        return [setting["name"] + " " + " ".join(words[i:i + 4]).replace("slave", "replica") for i in range(0, len(words), 4)]
    example = {"replicaof": "replicaof <host> <port>", "users": "user <name> [rules...]",
               "renames": "rename-command <name> <new name>"}
    if setting["type"] in example:
        return [example[setting["type"]]]
    return [f"{setting['name']} {sample_value(setting)}"]


def write_sample(declarations, out):
    out.append("# A configuration for tarn-server, with every setting at its default. Start with it as\n"
               "#     tarn-server /path/to/tarn.conf\n"
               "# Sizes may be written as 1k (1000), 1kb (1024), 1m, 1mb, 1g, 1gb, in any case. Values with blanks stand in quotes.\n"
               "# Other files are read in with: include /path/to/*.conf\n"
               "# What stands later in the file wins, and options of the command line win over the file.")
    for _, title, settings in declarations.chapters:
        out.append(f"\n# ---- {title} " + "-" * (100 - len(title)))
        for setting in settings:
            if setting.get("hidden") or setting["type"] == "ignored":
                continue
            out.append("")
            out += textwrap.wrap(setting["doc"], 110, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
            out += ["# " + line for line in sample_lines(setting)]


def write_page(declarations, out):
    out.append("# Settings\n\nMade from `src/settings/settings.toml`. A setting stands in the configuration file as "
               "`name value`, on the command line as `--name value`, and is read and changed with `CONFIG GET` and "
               "`CONFIG SET` unless it says *fixed* (at start), *protected* (see `enable-protected-configs`) or "
               "*file only*.\n")
    for _, title, settings in declarations.chapters:
        out.append(f"\n## {title}\n\n| setting | takes | default | | what for |\n| --- | --- | --- | --- | --- |")
        for setting in settings:
            notes = [word for key, word in (("immutable", "fixed"), ("protected", "protected"), ("hidden", "hidden"))
                     if setting.get(key)]
            if setting["type"] in FILE_ONLY:
                notes.append("file only")
            names = "<br>".join(f"`{name}`" for name in [setting["name"], *setting["alias"]])
            default = f"`{setting['default']}`" if setting["default"] else ""
            doc = setting["doc"].replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
            out.append(f"| {names} | {takes(declarations, setting)} | {default} | {', '.join(notes)} | {doc} |")


def write(path, make, declarations):
    out = []
    make(declarations, out)
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")


def main():
    declarations = Declarations(sys.argv[1])
    makers = [write_header, write_table, write_sample, write_page]
    for path, make in zip(sys.argv[2:], makers):
        write(path, make, declarations)


if __name__ == "__main__":
    main()
