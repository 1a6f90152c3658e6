"""When a reply of Tarn and one of the reference count as the same.

First the replies are brought into a form in which what is left open by the documents looks alike (the order of KEYS, times that go
on, random keys). Then they must be equal to the byte, unless MEANT has a line for the difference. A script only
calls what has no such form and no such line (scripts.py).
"""
import re
from typing import Callable, NamedTuple

from tests.system.wire import Double, Error, Map, Nil, Set

TIME_TOLERANCE_MS = 5000
REFERENCE = [7, 0, 15]  # the version that is compared with; run.py sets it


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


def _is_wrong_type(reply):
    return _is_error(reply) and bytes(reply).startswith(b"WRONGTYPE")


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


def _shape(reply):
    """What is taken at random: how much it is."""
    if isinstance(reply, Set):
        return "Set", len(reply.members)
    if isinstance(reply, list):
        return "list", [_kind(one) if isinstance(one, list) else "one" for one in reply]
    return _kind(reply)


def _any_order(reply):
    """In an order of ours, in depth."""
    if type(reply) in (list, tuple):
        return sorted(map(_any_order, reply), key=repr)
    if isinstance(reply, (Map, Set)):
        return type(reply).__name__, _any_order(reply[0])
    return reply


def _seconds(reply):
    return About(reply, TIME_TOLERANCE_MS // 1000) if isinstance(reply, int) else reply


def _milliseconds(reply):
    return About(reply, TIME_TOLERANCE_MS) if isinstance(reply, int) else reply


def _cursor(reply):
    """All that was found, as session.py has put it together; of a single step nothing is known."""
    if isinstance(reply, list) and len(reply) == 2:
        return "a cursor and keys"
    return plain_numbers(reply)


def _in_pairs(reply):
    """Fields and values of a hash, in any order."""
    if isinstance(reply, Map):
        return Map(tuple(sorted(reply.pairs, key=repr)))
    return sorted(zip(reply[::2], reply[1::2]), key=repr) if isinstance(reply, list) else reply


def _pending(reply):
    """XPENDING in its long form says how long ago each was delivered."""
    if isinstance(reply, list) and reply and all(isinstance(one, list) and len(one) == 4 for one in reply) and isinstance(reply[0][2], int):
        return [[one[0], one[1], "some time", one[3]] for one in reply]
    return reply


UNUSUAL_BOUND = re.compile(rb"\(?(\s|[+-]?0x)", re.IGNORECASE)
LONG_NUMBER = re.compile(rb"-?(\d{16,}|\d+\.\d+(e[+-]\d+)?|\de[+-]\d+)")


def plain_numbers(reply):
    """Scores of any spelling: since 7.2 the shortest digits that read back the same, without an exponent up to 24 digits."""
    if type(reply) in (list, tuple):
        return [plain_numbers(one) for one in reply]
    if isinstance(reply, Double):
        return float(reply.text)
    if type(reply) is bytes and LONG_NUMBER.fullmatch(reply):
        return float(reply)
    return reply


def _places(reply):
    """Coordinates: 7.0 has 17 digits behind the point, 8 the shortest digits that read back the same."""
    if type(reply) in (list, tuple):
        return [_places(one) for one in reply]
    number = plain_numbers(reply)
    return round(number, 15) if isinstance(number, float) else number


# What of XINFO hangs on the clock, on how a server keeps its data, or is newer than 7.0.
LEFT_OUT = {b"idle", b"inactive", b"seen-time", b"active-time", b"pel", b"radix-tree-keys", b"radix-tree-nodes"}


def _information(reply):
    if isinstance(reply, Map):
        reply = [word for pair in reply.pairs for word in pair]
    if not isinstance(reply, list):
        return reply
    if reply and len(reply) % 2 == 0 and reply[0] in (b"length", b"name"):
        found = {key: _information(value) for key, value in zip(reply[::2], reply[1::2]) if key not in LEFT_OUT}
        if not isinstance(found.get(b"consumers"), list):
            found.pop(b"consumers", None)  # a number, see _is_idle
        if found.get(b"length") != found.get(b"entries-added"):  # since 7.4 who has not read what was trimmed does not lag behind
            for group in found[b"groups"] if isinstance(found.get(b"groups"), list) else []:
                group.pop(b"lag", None)
        return found
    return [one for one in map(_information, reply) if not _is_idle(one)]


def _without_lag(reply):
    return [{key: value for key, value in one.items() if key != b"lag"} for one in _information(reply)] if isinstance(reply, list) else reply


def _is_idle(one):
    """A consumer without pending entries: since 7.2 XCLAIM and XAUTOCLAIM make one also when there is nothing to claim."""
    return isinstance(one, dict) and (one.get(b"pel-count") == 0 and b"lag" not in one and b"entries-read" not in one or one.get(b"pending") == 0 and len(one) == 2)


# Small lists and sets are listpacks since 7.2: text in a set or a list has "a form".
STRING_ENCODINGS = {b"embstr": "text", b"raw": "text"}
NEWER_ENCODINGS = {b"listpack": "a form", b"quicklist": "a form", b"hashtable": "a form"}


# What a command's reply is turned into before it is compared. (The reference shares its small integers, with their access times.)
FORMS = {
    "KEYS": _in_order, "RANDOMKEY": _something, "TTL": _seconds, "PTTL": _milliseconds, "EXPIRETIME": _seconds, "PEXPIRETIME": _milliseconds,
    "OBJECT IDLETIME": _kind, "OBJECT REFCOUNT": _kind, "OBJECT FREQ": _kind, "SCAN": _cursor, "MEMORY USAGE": _kind,
    "SMEMBERS": _in_order, "SINTER": _in_order, "SUNION": _in_order, "SDIFF": _in_order, "HKEYS": _in_order, "HVALS": _in_order, "HGETALL": _in_pairs,
    "SRANDMEMBER": _shape, "HRANDFIELD": _shape, "ZRANDMEMBER": _shape, "SPOP": _shape, "DUMP": _kind, "FUNCTION DUMP": _kind,
    "FUNCTION LIST": _any_order, "FUNCTION STATS": _any_order, "SSCAN": _cursor, "HSCAN": _cursor, "ZSCAN": _cursor,
    "XPENDING": _pending, "XINFO STREAM": _information, "XINFO GROUPS": _information, "XINFO CONSUMERS": _information,
    "OBJECT ENCODING": lambda reply: (STRING_ENCODINGS if REFERENCE[0] >= 8 else NEWER_ENCODINGS).get(reply, reply),
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
    Difference(frozenset({"BITCOUNT", "BITPOS"}), lambda words, ours, theirs: _is_error(ours) and (theirs in (0, -1) or _is_wrong_type(theirs)),
               "since 7.2 the arguments are read before the look at the key"),
    Difference(frozenset({"SCAN", "HSCAN", "SSCAN", "ZSCAN"}), lambda words, ours, theirs: Error(b"ERR invalid cursor") in (ours, theirs),
               "another way of reading cursors: '' and '-1' were one to 7.0, ' 1' is one since"),
    Difference(frozenset({"XGROUP"}), lambda words, ours, theirs: words[1:] and words[1].upper() == b"CREATECONSUMER" and {ours, theirs} == {0, 1},
               "the consumer may be there since an XCLAIM without anything to claim"),
    Difference(frozenset({"XINFO"}), lambda words, ours, theirs: words[1:] and words[1].upper() == b"GROUPS" and _without_lag(ours) == _without_lag(theirs),
               "since 7.4 nobody lags behind in an empty stream"),
    Difference(frozenset({"XADD", "XSETID"}), lambda words, ours, theirs: _is_error(ours) and (_is_error(theirs) or words[0].upper() == b"XSETID"),
               "which of two errors; an XSETID below the greatest deleted ID is refused since 7.2"),
    Difference(frozenset({"XREAD", "XREADGROUP"}), lambda words, ours, theirs: _is_error(ours) and _is_error(theirs) and bytes(ours).startswith(b"ERR Unbalanced '"),
               "newer words for an odd number of streams and IDs"),
    Difference(frozenset({"OBJECT"}), lambda words, ours, theirs: (ours, theirs) == (b"listpack", b"skiplist"),
               "7.0's SORT leaves a sorted set in its large form; session.py takes it away after its transaction"),
    Difference(frozenset({"XREAD"}), lambda words, ours, theirs: _is_error(theirs) and b"+" in words, "the last entry by + is newer"),
    Difference(frozenset({"RESTORE"}), lambda words, ours, theirs: bytes(ours).startswith(b"ERR invalid expire time") and ours != theirs,
               "an end beyond what can be counted is refused since 7.2"),
    Difference(frozenset({"SORT", "SORT_RO"}),
               lambda words, ours, theirs: theirs == Error(b"ERR One or more scores can't be converted into double") and not _is_error(ours),
               "7.0 believes an errno that some number before has left"),
    Difference(frozenset({"BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP"}),
               lambda words, ours, theirs: (ours, theirs) == (Error(b"ERR timeout is out of range"), Error(b"ERR timeout is negative")),
               "a time-out that overflows is called what it is since 7.2"),
    Difference(frozenset({"FUNCTION"}), lambda words, ours, theirs: all(_is_error(reply) and bytes(reply).endswith(b" already exists") for reply in (ours, theirs)),
               "which of several names that are taken is told"),
    Difference(frozenset({"LPOS"}), lambda words, ours, theirs: _is_error(ours) and b"-9223372036854775808" in words, "the least rank is refused since 7.2"),
    Difference(frozenset({"LREM"}), lambda words, ours, theirs: _is_error(ours) and words[2:3] == [b"-9223372036854775808"], "the least count is refused since 8"),
    Difference(frozenset({"ZCOUNT", "ZRANGE", "ZRANGESTORE", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZREMRANGEBYSCORE"}),
               lambda words, ours, theirs: ours == Error(b"ERR min or max is not a float") and any(UNUSUAL_BOUND.match(word) for word in words[2:]),
               "since 8 a bound has no blanks before it and no hexadecimal digits"),
    Difference(frozenset({"ZINCRBY"}), lambda words, ours, theirs: len(words) > 2 and words[2].upper() in (b"NX", b"XX", b"CH", b"GT", b"LT", b"INCR") and _is_error(ours) and _is_error(theirs),
               "an increment that is a word of ZADD"),
    Difference(frozenset({"ZRANK", "ZREVRANK"}), lambda words, ours, theirs: _is_error(theirs) and len(words) > 3, "WITHSCORE is newer"),
    Difference(frozenset({"SET", "BITOP", "DELEX", "MSETEX"}),
               lambda words, ours, theirs: _is_error(theirs) and any(w.upper() in (b"IFEQ", b"IFNE", b"IFDEQ", b"IFDNE", b"DIFF", b"DIFF1", b"ANDOR", b"ONE")
                                                                      for w in words[1:]),
               "options that 7.0 does not know"),
]


MADE_OF_SCORES = re.compile(rb"call\('(Z|GEO)", re.IGNORECASE)  # in the source of a script that replies with what these reply


def is_loose(words):
    """Whether this is a SORT whose order is nobody's business: of equal weights by BY and ALPHA, or of a set as it lies there."""
    if words[0].upper() not in (b"SORT", b"SORT_RO"):
        return False
    upper = [word.upper() for word in words]
    return any(word == b"BY" and (b"ALPHA" in upper or b"*" not in pattern) for word, pattern in zip(upper, words[1:] + [b""]))


def _form(name, words):
    if name in FORMS:
        return FORMS[name]
    if is_loose(words):
        return _shape if b"LIMIT" in [word.upper() for word in words] else _any_order
    if name.startswith(("EVALSHA", "FCALL")):
        return plain_numbers  # whose source is not at hand
    if name.startswith("EVAL"):
        return plain_numbers if MADE_OF_SCORES.search(words[1]) else None
    return plain_numbers if name.startswith(("Z", "BZ")) else _places if name.startswith("GEO") else None


def alike(words, ours, theirs):
    """Whether the replies to this command are the same, in the forms in which they are compared."""
    form = _form(command_name(words), words)
    if form and not _is_error(ours) and not _is_error(theirs):
        ours_form, theirs_form = form(ours), form(theirs)
    else:
        ours_form, theirs_form = ours, theirs
    return type(ours_form) is type(theirs_form) and ours_form == theirs_form


def is_meant(words, ours, theirs):
    """Whether they differ as MEANT says."""
    name = words[0].upper().decode("latin-1")
    return any(name in meant.names and meant.applies(words, ours, theirs) for meant in MEANT)


def parts_states(words, ours, theirs):
    """Whether after these replies the keys that the command names may hold different things on the two servers."""
    if words[0].upper() == b"SPOP" or (is_loose(words) and b"STORE" in [word.upper() for word in words]):
        return True
    return _is_error(ours) != _is_error(theirs)


def show(reply):
    text = repr(reply)
    return text if len(text) < 400 else text[:400] + f"… ({len(text)} characters)"
