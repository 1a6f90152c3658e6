"""What is written for people and for test programs: the reference page and the grammar as JSON."""

import json

TITLES = {"string": "Strings", "bitmap": "Bitmaps", "generic": "Keys", "connection": "Connection", "server": "Server"}


def show_keys(cmd):
    """Where the keys of a command stand, in words."""
    parts = []
    for spec in cmd.keys:
        if spec.begin == "unknown":
            text = "found by the command itself"
        elif spec.find == "keynum":
            text = f"as many as argument {spec.index} says, from {spec.index + 1} on"
        else:
            first = f"after {spec.keyword}" if spec.begin == "keyword" else f"argument {spec.index}"
            if spec.last < 0:
                first += " to the end" if spec.last == -1 else f" to the {-spec.last}th from the end"
            elif spec.last > 0:
                first += f" to {spec.index + spec.last}"
            text = first
        if spec.step > 1:
            text += f", every {spec.step}nd" if spec.step == 2 else f", every {spec.step}th"
        parts.append(f"{text} ({', '.join(spec.flags)})")
    return "; ".join(parts)


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def entry(cmd):
    """The section of one command."""
    lines = [f"### {cmd.title}", "", cmd.summary, ""]
    if cmd.c_handler:
        lines += [f"    {' '.join([cmd.title, cmd.params]).strip()}", ""]
    facts = [("Since", cmd.since), ("Arity", str(cmd.arity)), ("Complexity", cmd.complexity),
             ("Flags", ", ".join(flag for flag in cmd.flags)),
             ("ACL categories", ", ".join("@" + category for category in cmd.categories)),
             ("Keys", show_keys(cmd)), ("Gate", cmd.gate), ("Tips", ", ".join(cmd.tips))]
    if cmd.deprecated_since:
        facts.append(("Deprecated", f"since {cmd.deprecated_since}; instead: {cmd.replaced_by}"))
    lines += [f"- {name}: {value}" for name, value in facts if value]
    lines += [f"- {version}: {change}" for version, change in cmd.history]
    return lines + [""]


def page(top):
    """The reference page, in Markdown."""
    lines = ["# Commands", "",
             "Written from src/commands/*.toml by src/commands/generate.py. What the gates are: architecture.md.", ""]
    everything = [each for cmd in top for each in [cmd] + cmd.subcommands]
    for group in sorted({cmd.group for cmd in everything}):
        members = [cmd for cmd in everything if cmd.group == group]
        lines += [f"## {TITLES.get(group, group.capitalize())}", "", "| command | what it does | since | gate |",
                  "| --- | --- | --- | --- |"]
        lines += [f"| {cell(cmd.title)} | {cell(cmd.summary)} | {cmd.since} | {cmd.gate} |" for cmd in members]
        lines.append("")
        for cmd in members:
            lines += entry(cmd)
    return "\n".join(lines)


def arg_object(arg):
    """An argument as COMMAND DOCS names its parts."""
    out = {"name": arg.name, "type": arg.type, "token": arg.token, "since": arg.since,
           "key_spec_index": arg.key_spec_index, "flags": arg.flags() or None,
           "arguments": [arg_object(inner) for inner in arg.args] or None}
    return {name: value for name, value in out.items() if value is not None}


def key_object(spec):
    return {"flags": spec.flags, "begin": spec.begin, "index": spec.index, "keyword": spec.keyword, "find": spec.find,
            "last": spec.last, "step": spec.step, "limit": spec.limit}


def grammar(top):
    """All commands and subcommands for programs that make up calls."""
    return json.dumps([{
        "name": each.title, "full_name": each.full_name, "group": each.group, "since": each.since, "arity": each.arity,
        "flags": each.flags, "categories": each.categories, "tips": each.tips, "gate": each.gate, "params": each.params,
        "callable": each.c_handler is not None, "keys": [key_object(spec) for spec in each.keys],
        "arguments": [arg_object(arg) for arg in each.args],
    } for cmd in top for each in [cmd] + cmd.subcommands], indent=1) + "\n"
