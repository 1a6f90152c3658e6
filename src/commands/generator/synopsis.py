"""The one-line grammar of a command's arguments, and the argument tree that COMMAND DOCS shows.

    SET key value [NX | XX]{condition} [GET] [EX seconds | KEEPTTL]{expiration}

    WORD              a token; it takes the argument that follows (EX seconds), alone it is a pure token
    name, name:type   an argument; without a type, TYPE_OF_NAME knows it, else it is a string. A name with a colon in it
                      wants its type (ip:port:string)
    <a b>             a group; [a b] an optional one; with | inside, one of several
    <LIMIT off count> a group that begins with a token: the token takes the whole group
    x...              once or more; [x...] any number. A group's own token is then repeated with it: <GET pattern>...
    {name}            behind a group: its name, where the names of its parts joined by "_" will not do
    "="               a token that is no word
"""

import re
from dataclasses import dataclass, field

TYPES = ("string", "integer", "double", "key", "pattern", "unix-time", "pure-token", "oneof", "block")

TYPE_OF_NAME = {
    "key": "key", "destkey": "key", "newkey": "key",
    "pattern": "pattern",
    "seconds": "integer", "milliseconds": "integer", "increment": "integer", "decrement": "integer",
    "offset": "integer", "count": "integer", "index": "integer", "numkeys": "integer", "start": "integer",
    "end": "integer", "cursor": "integer", "client-id": "integer", "timeout": "integer", "db": "integer",
    "unix-time-seconds": "unix-time", "unix-time-milliseconds": "unix-time",
}

LEXEME = re.compile(r'\s*(\.\.\.|"[^"]*"|\{[^}]*\}|[\[\]<>|]|[^\s\[\]<>|{}".]+)')
TOKEN = re.compile(r"[A-Z][A-Z0-9_-]*")


class SynopsisError(Exception):
    pass


@dataclass
class Arg:
    """One node of the argument tree."""

    name: str
    type: str
    token: str | None = None
    optional: bool = False
    multiple: bool = False
    multiple_token: bool = False
    since: str | None = None
    deprecated_since: str | None = None
    key_spec_index: int | None = None
    args: list["Arg"] = field(default_factory=list)

    def walk(self):
        yield self
        for arg in self.args:
            yield from arg.walk()

    def least(self, once=False):
        """The fewest words that this argument can be; `once`: when it is there at all."""
        if self.optional and not once:
            return 0
        words = 1 if self.token is not None else 0
        if self.type == "pure-token":
            return words
        if self.type == "oneof":
            return words + min(arg.least() for arg in self.args)
        if self.type == "block":
            return words + sum(arg.least() for arg in self.args)
        return words + 1

    def fixed(self):
        """Whether it always is the same number of words."""
        if self.optional or self.multiple:
            return False
        if self.type == "oneof" and len({arg.least() for arg in self.args}) != 1:
            return False
        return all(arg.fixed() for arg in self.args)

    def flags(self):
        return [flag for flag in ("optional", "multiple", "multiple_token") if getattr(self, flag)]


class Parser:
    def __init__(self, text):
        self.lexemes = []
        at = 0
        text = text.rstrip()
        while at < len(text):
            match = LEXEME.match(text, at)
            if not match:
                raise SynopsisError(f"cannot read the synopsis at '{text[at:]}'")
            self.lexemes.append(match.group(1))
            at = match.end()
        self.at = 0

    def peek(self):
        return self.lexemes[self.at] if self.at < len(self.lexemes) else None

    def take(self):
        self.at += 1
        return self.lexemes[self.at - 1]

    def parse(self):
        args = self.sequence()
        if self.peek() is not None:
            raise SynopsisError(f"'{self.peek()}' has no beginning")
        return args

    def sequence(self):
        args = []
        while self.peek() not in (None, "]", ">", "|"):
            args.append(self.element())
        return args

    def element(self):
        lexeme = self.take()
        grouped = lexeme in "[<"
        if grouped:
            arg = self.group(lexeme)
        elif lexeme == "..." or lexeme.startswith("{"):
            raise SynopsisError(f"'{lexeme}' stands behind nothing")
        elif is_token(lexeme):
            return self.token(lexeme)
        else:
            arg = argument(lexeme)
        self.repetition(arg, grouped)
        return arg

    def repetition(self, arg, grouped):
        if self.peek() == "...":
            self.take()
            arg.multiple = True
            arg.multiple_token = grouped and arg.token is not None and arg.type != "pure-token"

    def token(self, lexeme):
        """A token with the one argument that follows, or alone."""
        word = lexeme.strip('"')
        following = self.peek()
        if following is None or following in ("[", "]", ">", "|", "...") or is_token(following):
            arg = Arg(word.lower(), "pure-token", token=word)
            self.repetition(arg, False)
            return arg
        if following == "<":
            self.take()
            arg = self.group("<")
        else:
            arg = argument(self.take())
        if arg.token is not None:
            raise SynopsisError(f"two tokens, '{word}' and '{arg.token}', for one argument")
        arg.token = word
        self.repetition(arg, False)
        return arg

    def group(self, opening):
        closing = {"[": "]", "<": ">"}[opening]
        branches = [self.branch()]
        while self.peek() == "|":
            self.take()
            branches.append(self.branch())
        if self.peek() != closing:
            raise SynopsisError(f"'{opening}' is not closed")
        self.take()
        arg = branches[0]
        if len(branches) > 1:
            arg = Arg("_".join(branch.name for branch in branches), "oneof", args=branches)
        if (self.peek() or "").startswith("{"):
            arg.name = self.take()[1:-1]
        arg.optional = arg.optional or opening == "["
        return arg

    def branch(self):
        """What stands between brackets and bars: one argument, or a block of several."""
        leading = self.peek() is not None and is_token(self.peek())
        args = self.sequence()
        if not args:
            raise SynopsisError("an empty group")
        if len(args) == 1:
            return args[0]
        token = None
        if leading and args[0].type != "pure-token":
            token, args[0].token = args[0].token, None
        return Arg("_".join(arg.name for arg in args), "block", token=token, args=args)


def is_token(lexeme):
    return lexeme.startswith('"') or TOKEN.fullmatch(lexeme) is not None


def argument(lexeme):
    name, _, kind = lexeme.rpartition(":")
    if name and kind in TYPES:
        return Arg(name, kind)
    if name:
        raise SynopsisError(f"unknown type '{kind}' of '{name}'")
    return Arg(lexeme, TYPE_OF_NAME.get(lexeme, "string"))


def parse(text):
    """The argument tree of the part of a synopsis behind the command's name."""
    return Parser(text).parse()


def show(args):
    """The tree as people know it from other manuals: key [key ...]."""
    return " ".join(show_arg(arg) for arg in args)


def show_arg(arg):
    if arg.type == "pure-token":
        text = arg.token or '""'
    elif arg.type == "oneof":
        text = " | ".join(show_arg(part) for part in arg.args)
        if not (arg.optional and arg.token is None) or arg.multiple:
            text = f"<{text}>"
    elif arg.type == "block":
        text = show(arg.args)
    else:
        text = arg.name
    once = text
    if arg.token is not None and arg.type != "pure-token":
        text = f"{arg.token} {text}"
    if arg.multiple:
        text = f"{text} [{text if arg.multiple_token or arg.token is None else once} ...]"
    return f"[{text}]" if arg.optional else text
