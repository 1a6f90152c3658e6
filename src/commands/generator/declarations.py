"""Reading and checking the declarations: one TOML file per group, one table per command, "container|name" for a
subcommand. Whatever is wrong is reported as file:line: message, all of it at once."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from . import synopsis

# In the order of enum command_flags; the last ones are for the server itself and are not shown.
FLAGS = ["write", "readonly", "denyoom", "admin", "pubsub", "noscript", "blocking", "loading", "stale", "skip_monitor",
         "skip_slowlog", "asking", "fast", "no_auth", "no_async_loading", "no_multi", "allow_busy",
         "no_mandatory_keys", "movablekeys"]
HIDDEN_FLAGS = ["may_replicate", "protected", "in_multi", "in_subscription"]
DERIVED_FLAGS = ["movablekeys"]

CATEGORIES = ["keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo",
              "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction",
              "scripting"]
DERIVED_CATEGORIES = ["read", "write", "pubsub", "admin", "fast", "slow", "blocking"]

KEY_ACCESS = ["RO", "RW", "OW", "RM"]
KEY_FLAGS = KEY_ACCESS + ["access", "update", "insert", "delete", "not_key", "incomplete", "variable_flags"]

GATES = ["none", "keys", "walk", "world", "script"]
GROUPS = ["generic", "string", "list", "set", "sorted-set", "hash", "pubsub", "transactions", "connection", "server",
          "scripting", "hyperloglog", "cluster", "sentinel", "geo", "stream", "bitmap"]
TIPS = ["nondeterministic_output", "nondeterministic_output_order",
        "request_policy:all_nodes", "request_policy:all_shards", "request_policy:multi_shard", "request_policy:special",
        "response_policy:one_succeeded", "response_policy:all_succeeded", "response_policy:agg_logical_and",
        "response_policy:agg_logical_or", "response_policy:agg_min", "response_policy:agg_max",
        "response_policy:agg_sum", "response_policy:special"]
DOC_FLAGS = ["deprecated", "syscmd"]

ATTRIBUTES = {
    "summary": str, "synopsis": str, "arity": int, "since": str, "complexity": str, "flags": list, "acl": list,
    "gate": str, "keys": list, "tips": list, "handler": str, "history": list, "args_since": list,
    "args_deprecated": list, "deprecated_since": str, "replaced_by": str, "doc_flags": list, "container": bool,
    "more_ignored": bool, "world_words": list,
}
REQUIRED = ["summary", "arity", "since", "gate"]

VERSION = re.compile(r"\d+\.\d+\.\d+")
NAME = re.compile(r"[a-z][a-z0-9_-]*(\|[a-z][a-z0-9_-]*)?")
KEY_PLACE = re.compile(r"(?:(unknown)|(?:(\w+)@)?(-?\d+))(?:\.\.(-?\d+))?(?:/(\d+))?(?:%(\d+))?")


class Problem(Exception):
    """What is wrong, and with which attribute of the command."""

    def __init__(self, text, attribute=None):
        super().__init__(text)
        self.attribute = attribute


@dataclass
class KeySpec:
    flags: list[str]
    begin: str  # index, keyword, unknown
    find: str  # range, keynum, unknown
    index: int = 0
    keyword: str | None = None
    last: int = 0
    step: int = 1
    limit: int = 0
    notes: str | None = None
    words: list[str] = field(default_factory=list)
    words_from: int = 0
    otherwise: list[str] = field(default_factory=list)
    shown_unknown: bool = False


@dataclass
class Command:
    full_name: str
    group: str
    table: dict
    args: list[synopsis.Arg] = field(default_factory=list)
    keys: list[KeySpec] = field(default_factory=list)
    subcommands: list["Command"] = field(default_factory=list)
    parent: "Command | None" = None
    flags: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    id: int = 0

    def __getattr__(self, name):
        """Attributes as declared; what is left out is empty."""
        if name.startswith("_") or name not in ATTRIBUTES:
            raise AttributeError(name)
        empty = {str: None, list: [], dict: {}, bool: False, int: 0}[ATTRIBUTES[name]]
        return self.table.get(name, empty)

    @property
    def name(self):
        return self.full_name.rpartition("|")[2]

    @property
    def title(self):
        return self.full_name.replace("|", " ").upper()

    @property
    def params(self):
        return synopsis.show(self.args)

    @property
    def c_handler(self):
        """The handler's name in C; None for a container that cannot be called itself."""
        if self.handler:
            return self.handler
        if self.container:
            return None
        return "cmd_" + re.sub(r"[|-]", "_", self.full_name)

    def legacy_range(self):
        """First key, last key and step, as COMMAND INFO has shown them since before there were key specs."""
        first, last, step = 0, 0, 0
        for spec in self.keys:
            if spec.begin != "index" or spec.find != "range":
                continue
            end = spec.last if spec.last < 0 else spec.index + spec.last
            if first == 0:
                first, last, step = spec.index, end, spec.step
            elif spec.step == step == 1 and last >= 0 and spec.index == last + 1:
                last = end
        return first, last, step

    def only_key(self):
        """The place of the key when there is exactly one, always in the same place; else 0."""
        if len(self.keys) != 1:
            return 0
        spec = self.keys[0]
        simple = spec.begin == "index" and spec.find == "range" and spec.last == 0
        return spec.index if simple and not {"not_key", "incomplete"} & set(spec.flags) else 0


def require(condition, text, attribute=None):
    if not condition:
        raise Problem(text, attribute)


def known(words, allowed, what, attribute):
    for word in words:
        require(word in allowed, f"unknown {what} '{word}'", attribute)
    require(len(set(words)) == len(words), f"a {what} is named twice", attribute)


def read_key_spec(entry):
    """ "1 RW update", "1..-1/2 OW update", "numkeys@1 RO access", "STREAMS@1..-1%2 RO access": where the keys begin,
    the last one, the step, the limit, and what happens to them. Or a table with `spec`, `notes`, and for
    variable_flags `words` (any of them among the arguments from `words_from` on: the flags hold) and `otherwise` (else
    these do), and `shown` = "unknown" when COMMAND INFO is to keep the place to itself."""
    table = {"spec": entry} if isinstance(entry, str) else entry
    require(isinstance(table, dict), "a key spec is a string or a table", "keys")
    known(table, ["spec", "notes", "words", "words_from", "otherwise", "shown"], "part of a key spec", "keys")
    place, *flags = table.get("spec", "").split()
    match = KEY_PLACE.fullmatch(place)
    require(match, f"cannot read the key place '{place}'", "keys")
    known(flags, KEY_FLAGS, "key flag", "keys")
    require(len(set(flags) & set(KEY_ACCESS)) == 1 or "not_key" in flags, f"'{place}' wants one of {KEY_ACCESS}",
            "keys")
    unknown, word, index, last, step, limit = match.groups()
    spec = KeySpec(flags, "index", "range", int(index or 0), None, int(last or 0), int(step or 1), int(limit or 0),
                   table.get("notes"), table.get("words", []), table.get("words_from", 0),
                   table.get("otherwise", "").split(), "shown" in table)
    require(table.get("shown", "unknown") == "unknown", "a key spec is shown as it is, or as unknown", "keys")
    if unknown:
        spec.begin = spec.find = "unknown"
    elif word == "numkeys":
        spec.find = "keynum"
    elif word:
        spec.begin, spec.keyword = "keyword", word
    elif spec.last > 0:
        spec.last -= spec.index
        require(spec.last > 0, f"the last key of '{place}' stands before the first", "keys")
    known(spec.otherwise, KEY_FLAGS, "key flag", "keys")
    variable = "variable_flags" in flags
    require(variable == bool(spec.words) == bool(spec.otherwise) == (spec.words_from > max(spec.index, 0)),
            "variable_flags, `words`, `words_from` and `otherwise` belong together", "keys")
    return spec


def check_attributes(cmd):
    require(NAME.fullmatch(cmd.full_name), f"'{cmd.full_name}' is no name for a command")
    for name, value in cmd.table.items():
        require(name in ATTRIBUTES, f"unknown attribute '{name}'", name)
        require(type(value) is ATTRIBUTES[name], f"'{name}' wants a {ATTRIBUTES[name].__name__}", name)
    for name in REQUIRED + ([] if cmd.container else ["synopsis"]):
        require(name in cmd.table, f"'{name}' is missing")
    for name in ("since", "deprecated_since"):
        require(name not in cmd.table or VERSION.fullmatch(cmd.table[name]), f"'{name}' is no version", name)
    for entry in cmd.history:
        require(isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry) and
                VERSION.fullmatch(entry[0]), "history wants [version, sentence] pairs", "history")
    require(cmd.gate in GATES, f"unknown gate '{cmd.gate}'", "gate")
    require(cmd.summary.endswith("."), "the summary is a sentence and ends with a full stop", "summary")
    known(cmd.table.get("flags", []), [f for f in FLAGS if f not in DERIVED_FLAGS] + HIDDEN_FLAGS, "flag", "flags")
    known(cmd.acl, CATEGORIES, "ACL category", "acl")
    known(cmd.tips, TIPS, "tip", "tips")
    known(cmd.doc_flags, DOC_FLAGS, "doc flag", "doc_flags")
    require(("deprecated" in cmd.doc_flags) == ("deprecated_since" in cmd.table),
            "a deprecated command has the doc flag and deprecated_since", "doc_flags")


def derive_flags(cmd):
    flags = set(cmd.table.get("flags", []))
    require(not {"write", "readonly"} <= flags, "a command is write or readonly, not both", "flags")
    if any((spec.begin, spec.find) != ("index", "range") or "incomplete" in spec.flags for spec in cmd.keys):
        flags.add("movablekeys")
    cmd.flags = [flag for flag in FLAGS + HIDDEN_FLAGS if flag in flags]
    categories = set(cmd.acl)
    for category in cmd.acl:
        require(category not in DERIVED_CATEGORIES, f"category '{category}' follows from the flags", "acl")
    for flag, implied in (("write", "write"), ("admin", "admin"), ("admin", "dangerous"), ("pubsub", "pubsub"),
                          ("blocking", "blocking")):
        if flag in flags:
            categories.add(implied)
    if "readonly" in flags and "scripting" not in categories:
        categories.add("read")
    categories.add("fast" if "fast" in flags else "slow")
    cmd.categories = [category for category in CATEGORIES if category in categories]


def check_synopsis(cmd):
    if "synopsis" not in cmd.table:
        return
    title = cmd.title
    require((cmd.synopsis + " ").startswith(title + " "), f"the synopsis begins with '{title}'", "synopsis")
    try:
        cmd.args = synopsis.parse(cmd.synopsis[len(title):])
    except synopsis.SynopsisError as error:
        raise Problem(str(error), "synopsis") from None
    least = len(title.split()) + sum(arg.least() for arg in cmd.args)
    fixed = all(arg.fixed() for arg in cmd.args) and not cmd.more_ignored
    wanted = least if fixed else -least
    require(cmd.arity == wanted, f"arity {cmd.arity} contradicts the synopsis, which says {wanted}", "arity")
    nodes = [node for arg in cmd.args for node in arg.walk()]
    for table, attribute in (("args_since", "since"), ("args_deprecated", "deprecated_since")):
        for entry in getattr(cmd, table):
            require(isinstance(entry, list) and len(entry) > 1 and VERSION.fullmatch(str(entry[0])),
                    f"{table} wants [version, argument...] lists", table)
            for name in entry[1:]:
                found = [node for node in nodes if name in (node.token, node.name)]
                require(len(found) == 1, f"'{name}' names {len(found)} arguments of the synopsis", table)
                setattr(found[0], attribute, entry[0])


def check_keys(cmd):
    cmd.keys = [read_key_spec(entry) for entry in cmd.table.get("keys", [])]
    names_keys = any("not_key" not in spec.flags for spec in cmd.keys)
    require(names_keys == (cmd.gate == "keys") or cmd.gate in ("script", "world"),
            "a command with keys has gate 'keys', and only such a one", "gate")
    words = cmd.table.get("world_words", [])
    require(not words or cmd.gate in ("keys", "none"), "world_words widen the gates 'keys' and 'none'", "world_words")
    require(all(isinstance(word, str) for word in words), "world_words are words", "world_words")
    nodes = [node for arg in cmd.args for node in arg.walk()]
    key_args = [node for node in nodes if node.type == "key"]
    require(not key_args or cmd.keys, "the synopsis has keys, the key specs have none", "synopsis")
    # Keys that only the command itself can find are those that its patterns lead to (SORT).
    named = [i for i, spec in enumerate(cmd.keys) if spec.begin != "unknown"]
    require(len(key_args) == len(named) or len(cmd.keys) <= 1, "key specs and keys of the synopsis differ", "keys")
    for i, arg in enumerate(key_args):
        arg.key_spec_index = named[i] if len(cmd.keys) > 1 else 0
    if len(named) + 1 == len(cmd.keys) > 1:
        for arg in (node for node in nodes if node.type == "pattern"):
            arg.key_spec_index = next(i for i in range(len(cmd.keys)) if i not in named)
    for spec in cmd.keys:
        # A stretch of keys up to the end may be empty (PFMERGE's sources).
        beyond = abs(cmd.arity) + (spec.find == "range" and spec.last < 0)
        require(spec.begin != "index" or 0 < spec.index < beyond, "a key stands where no argument must be", "keys")


class Source:
    """A file of declarations, and where in it things stand."""

    def __init__(self, path):
        self.path = Path(path)
        self.text = self.path.read_text(encoding="utf-8")

    def line(self, command, attribute):
        """The line of an attribute of a command; of the command when it has none; else 1."""
        found = 1
        inside = False
        for number, line in enumerate(self.text.splitlines(), 1):
            if line.startswith("["):
                if inside:
                    break
                if re.sub(r'[\[\]"\s]', "", line) == command:
                    inside, found = True, number
            elif inside and attribute and re.match(rf"{attribute}\s*=", line):
                return number
        return found


def load(paths):
    """All commands, by name, subcommands in their containers, and the problems found, as "file:line: text"."""
    problems = []
    commands = {}
    for path in paths:
        source = Source(path)
        try:
            tables = tomllib.loads(source.text)
        except tomllib.TOMLDecodeError as error:
            match = re.search(r"\(at line (\d+)", str(error))
            problems.append(f"{path}:{match.group(1) if match else 1}: {error}")
            continue
        for name, table in tables.items():
            cmd = Command(name, source.path.stem.replace("_", "-"), table if isinstance(table, dict) else {})
            try:
                require(isinstance(table, dict), f"'{name}' stands outside of any command")
                require(name not in commands, f"'{name}' is declared twice")
                check(cmd)
                commands[name] = (cmd, source)
            except Problem as problem:
                problems.append(f"{path}:{source.line(name, problem.attribute)}: {name}: {problem}")
    problems += attach(commands)
    top = sorted((cmd for cmd, _ in commands.values() if "|" not in cmd.full_name), key=lambda cmd: cmd.name)
    number(top)
    return top, problems


def check(cmd):
    check_attributes(cmd)
    require(cmd.group in GROUPS, f"unknown group '{cmd.group}' (the file's name)")
    check_synopsis(cmd)
    check_keys(cmd)
    derive_flags(cmd)


def attach(commands):
    """Puts subcommands into their containers; returns the problems."""
    problems = []
    for name, (cmd, source) in sorted(commands.items()):
        container, bar, _ = name.partition("|")
        if bar:
            if container not in commands:
                problems.append(f"{source.path}:{source.line(name, None)}: {name}: no command '{container}'")
                continue
            cmd.parent = commands[container][0]
            cmd.parent.subcommands.append(cmd)
    for name, (cmd, source) in commands.items():
        if cmd.container and not cmd.subcommands:
            problems.append(f"{source.path}:{source.line(name, 'container')}: {name}: a container without subcommands")
        if cmd.subcommands and not any(sub.name == "help" for sub in cmd.subcommands):
            problems.append(f"{source.path}:{source.line(name, None)}: {name}: a container answers HELP")
    return problems


def number(top):
    """Dense ids over commands and subcommands, in the order of the table."""
    at = 0
    for cmd in top:
        for each in [cmd] + cmd.subcommands:
            each.id = at
            at += 1
