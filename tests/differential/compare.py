"""When a reply of Tarn and one of the reference count as the same.

First the replies are brought into a form in which what is left open by the documents looks alike (the order of KEYS, times that go
on, random keys). Then they must be equal to the byte, unless MEANT has a line for the difference.
"""
from typing import Callable, NamedTuple

from tests.system.wire import Error, Nil, Set

TIME_TOLERANCE_MS = 5000


class About(NamedTuple):
    """A number that may be this far from another."""
    value: int
    within: int

    def __eq__(self, other):
        if not isinstance(other, About):
            return False
        if self.value < 0 or other.value < 0:  # -1 and -2 say something else than a time
            return self.value == other.value
        return abs(self.value - other.value) <= self.within

    def __ne__(self, other):
        return not self == other


def _is_error(reply):
    return isinstance(reply, Error)


def _in_order(reply):
    if isinstance(reply, list):
        return sorted(reply, key=repr)
    if isinstance(reply, Set):
        return Set(tuple(sorted(reply.members, key=repr)))
    return reply


def _something(reply):
    return reply if isinstance(reply, Nil) else "something"


def _kind(reply):
    return reply if isinstance(reply, Nil) else type(reply).__name__


def _seconds(reply):
    return About(reply, TIME_TOLERANCE_MS // 1000) if isinstance(reply, int) else reply


def _milliseconds(reply):
    return About(reply, TIME_TOLERANCE_MS) if isinstance(reply, int) else reply


def _cursor(reply):
    return "a cursor and keys" if isinstance(reply, list) and len(reply) == 2 else reply


# What a command's reply is turned into before it is compared. (The reference shares its small integers, with their access times.)
FORMS = {
    "KEYS": _in_order, "RANDOMKEY": _something, "TTL": _seconds, "PTTL": _milliseconds, "EXPIRETIME": _seconds, "PEXPIRETIME": _milliseconds,
    "OBJECT IDLETIME": _kind, "OBJECT REFCOUNT": _kind, "OBJECT FREQ": _kind, "SCAN": _cursor, "MEMORY USAGE": _kind,
    "SMEMBERS": _in_order, "SINTER": _in_order, "SUNION": _in_order, "SDIFF": _in_order, "HKEYS": _in_order, "HVALS": _in_order, "HGETALL": _kind,
    "SRANDMEMBER": _kind, "HRANDFIELD": _kind, "ZRANDMEMBER": _kind, "SSCAN": _cursor, "HSCAN": _cursor, "ZSCAN": _cursor,
}


def command_name(words):
    """In capitals; with the subcommand where FORMS speaks of one."""
    name = words[0].upper().decode("latin-1")
    if len(words) > 1:
        longer = f"{name} {words[1].upper().decode('latin-1')}"
        if longer in FORMS:
            return longer
    return name


class Difference(NamedTuple):
    names: frozenset
    applies: Callable  # (words, Tarn's reply, the reference's reply) -> bool
    reason: str


# Differences that are meant, because Redis 8 differs from the 7.0.15 that Tarn is compared with. Each has a line in docs/compatibility.md.
MEANT = [
    Difference(frozenset({"GETRANGE", "SUBSTR"}), lambda words, ours, theirs: ours == b"" and int(words[3]) < 0,
               "since Redis 8 an end before the first byte leaves nothing"),
    Difference(frozenset({"BITCOUNT", "BITPOS"}), lambda words, ours, theirs: _is_error(ours) and theirs in (0, -1),
               "since 7.2 bad arguments are an error also when the key is missing"),
    Difference(frozenset({"SCAN"}), lambda words, ours, theirs: ours == Error(b"ERR invalid cursor"),
               "newer servers take only a number as a cursor: '' and '-1' were one to 7.0"),
    Difference(frozenset({"SET", "BITOP", "DELEX", "MSETEX"}),
               lambda words, ours, theirs: _is_error(theirs) and any(w.upper() in (b"IFEQ", b"IFNE", b"IFDEQ", b"IFDNE", b"DIFF", b"DIFF1", b"ANDOR", b"ONE")
                                                                      for w in words[1:]),
               "options that 7.0 does not know"),
]


def same(words, ours, theirs):
    name = command_name(words)
    form = FORMS.get(name)
    if form and not _is_error(ours) and not _is_error(theirs):
        ours_form, theirs_form = form(ours), form(theirs)
    else:
        ours_form, theirs_form = ours, theirs
    if type(ours_form) is type(theirs_form) and ours_form == theirs_form:
        return True
    first = name.split()[0]
    return any(first in meant.names and meant.applies(words, ours, theirs) for meant in MEANT)


def show(reply):
    text = repr(reply)
    return text if len(text) < 400 else text[:400] + f"… ({len(text)} characters)"
