"""Lists: every command and option, its errors word for word, the forms, the events, and lists longer than a pack.

Proven by asking: each test sets up a list, sends one form of a command and looks at the reply and at what is there
afterwards. Tried on redis-server 7.0.15; where a form is visible (OBJECT ENCODING) today's Redis is meant, whose short lists say
"listpack". A random run beside a Python list crosses the forms in both directions.
"""
import random

import pytest

from tests.system.harness import wait_until
from tests.system.wire import Nil

SYNTAX = "ERR syntax error"
WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_INTEGER = "ERR value is not an integer or out of range"
NOT_POSITIVE = "ERR value is out of range, must be positive"
NUMKEYS = "ERR numkeys should be greater than 0"
COUNT = "ERR count should be greater than 0"
I64_MAX, I64_MIN = 2**63 - 1, -2**63



@pytest.fixture(params=[-2, 1], ids=["listpack", "quicklist"])
def form(request, settings):
    """Both forms: with a limit of one element, all longer lists are trees."""
    settings(list_max_listpack_size=request.param)


def elements(c, key="l"):
    return [e.decode() for e in c("LRANGE", key, "0", "-1")]


def arity(name):
    return f"ERR wrong number of arguments for '{name}' command"


@pytest.mark.parametrize("command", [
    "LPUSH k", "RPUSH k", "LPUSHX k", "RPUSHX k", "LPOP", "RPOP", "LPOP k 1 2", "RPOP k 1 2", "LLEN", "LLEN k x", "LINDEX k",
    "LINDEX k 1 2", "LRANGE k 0", "LRANGE k 0 1 2", "LSET k 0", "LSET k 0 v w", "LREM k 0", "LREM k 0 v w", "LTRIM k 0",
    "LTRIM k 0 1 2", "LINSERT k BEFORE p", "LINSERT k BEFORE p v w", "LPOS k", "LMOVE s d LEFT", "LMOVE s d LEFT RIGHT x",
    "RPOPLPUSH s", "RPOPLPUSH s d x", "LMPOP 1 k"])
def test_arity(c, command):
    name, *args = command.split()
    assert c.fails(name, *args) == arity(name.lower())


@pytest.mark.parametrize("command", [
    "LPUSH s 1", "RPUSH s 1", "LPUSHX s 1", "RPUSHX s 1", "LPOP s", "RPOP s", "LPOP s 0", "RPOP s 2", "LLEN s", "LINDEX s 0",
    "LINDEX s x", "LRANGE s 0 1", "LSET s 0 v", "LSET s x v", "LREM s 0 v", "LTRIM s 0 1", "LINSERT s BEFORE p v", "LPOS s v",
    "LPOS s v COUNT 1", "LMOVE s d LEFT RIGHT", "LMOVE l s LEFT RIGHT", "RPOPLPUSH s d", "RPOPLPUSH l s", "LMPOP 1 s LEFT",
    "LMPOP 2 missing s LEFT"])
def test_wrong_type(c, command):
    c("SET", "s", "text")
    c("RPUSH", "l", "1", "2")
    assert c.fails(*command.split()) == WRONGTYPE
    assert elements(c) == ["1", "2"]
    assert c("GET", "s") == b"text"
    assert c("DBSIZE") == 2


@pytest.mark.parametrize("command, error", [
    ("LPOP s x", NOT_POSITIVE), ("RPOP s -1", NOT_POSITIVE), ("LPOP missing -1", NOT_POSITIVE),
    ("LPOP l 9223372036854775808", NOT_POSITIVE), ("LRANGE s x y", NOT_INTEGER), ("LRANGE missing 0 y", NOT_INTEGER),
    ("LINDEX l x", NOT_INTEGER), ("LREM s x v", NOT_INTEGER), ("LTRIM s x y", NOT_INTEGER), ("LTRIM missing 0 y", NOT_INTEGER),
    ("LSET missing x v", "ERR no such key"), ("LSET missing 0 v", "ERR no such key"), ("LSET l x v", NOT_INTEGER),
    ("LSET l 3 v", "ERR index out of range"), ("LSET l -4 v", "ERR index out of range"),
    (f"LSET l {I64_MAX} v", "ERR index out of range"), (f"LSET l {I64_MIN} v", "ERR index out of range"),
    ("LINSERT s NEAR p v", SYNTAX), ("LINSERT missing NEAR p v", SYNTAX), ("LMOVE s l LEFT NEAR", SYNTAX),
    ("LMOVE missing l NEAR LEFT", SYNTAX), ("LPOS missing v RANK", SYNTAX), ("LPOS missing v NEAR 1", SYNTAX),
    ("LPOS s v COUNT -1", "ERR COUNT can't be negative"), ("LPOS missing v COUNT x", "ERR COUNT can't be negative"),
    ("LPOS missing v MAXLEN -1", "ERR MAXLEN can't be negative"), ("LPOS missing v RANK x", NOT_INTEGER),
    ("LPOS missing v RANK 9223372036854775808", NOT_INTEGER),
    ("LPOS missing v RANK 0", "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use "
                              "negative to start from the end of the list"),
    ("LMPOP 0 l LEFT", NUMKEYS), ("LMPOP x l LEFT", NUMKEYS), ("LMPOP -1 l LEFT", NUMKEYS), ("LMPOP 2 l LEFT", SYNTAX),
    ("LMPOP 9999999999 l LEFT", SYNTAX), (f"LMPOP {I64_MAX} l LEFT", SYNTAX), ("LMPOP 1 l NEAR", SYNTAX),
    ("LMPOP 1 l LEFT COUNT", SYNTAX), ("LMPOP 1 l LEFT NEAR 1", SYNTAX), ("LMPOP 1 l LEFT COUNT 1 COUNT 1", SYNTAX),
    ("LMPOP 1 l LEFT COUNT 1 x", SYNTAX), ("LMPOP 1 l LEFT COUNT 0", COUNT), ("LMPOP 1 l LEFT COUNT -1", COUNT),
    ("LMPOP 1 l LEFT COUNT x", COUNT)])
def test_errors(c, command, error):
    c("SET", "s", "text")
    c("RPUSH", "l", "1", "2", "3")
    assert c.fails(*command.split()) == error
    assert elements(c) == ["1", "2", "3"]


@pytest.mark.tarn_only
def test_rank_has_a_least_value(c):
    """Redis 7.0 takes it and finds nothing."""
    assert c.fails("LPOS", "l", "v", "RANK", I64_MIN) == (
        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")


# What is missing, in both versions of the protocol.

def test_missing(wire, protocol):
    null, null_array = (Nil("_"), Nil("_")) if protocol == 3 else (Nil("$-1"), Nil("*-1"))
    for command in ["LPOP k", "RPOP k", "LINDEX k 0", "LINDEX k x", "LPOS k v", "LMOVE k d LEFT LEFT", "RPOPLPUSH k d"]:
        assert wire(*command.split()) == null, command
    for command in ["LPOP k 2", "RPOP k 0", "LMPOP 2 k d LEFT", "LMPOP 1 k RIGHT COUNT 3"]:
        assert wire(*command.split()) == null_array, command
    for command in ["LRANGE k 0 -1", "LPOS k v COUNT 1"]:
        assert wire(*command.split()) == [], command
    for command in ["LLEN k", "LPUSHX k v", "RPUSHX k v w", "LREM k 0 v", "LINSERT k BEFORE p v"]:
        assert wire(*command.split()) == 0, command
    assert bytes(wire("LTRIM", "k", "0", "1")) == b"OK"
    assert wire("DBSIZE") == 0


# Putting in.

def test_push(c):
    assert c("RPUSH", "l", "3") == 1
    assert c("LPUSH", "l", "2", "1") == 3
    assert c("RPUSH", "l", "4", "5") == 5
    assert c("LPUSHX", "l", "0", "-1") == 7
    assert c("RPUSHX", "l", "6") == 8
    assert elements(c) == ["-1", "0", "1", "2", "3", "4", "5", "6"]
    assert c("TYPE", "l") == b"list"
    assert c("LLEN", "l") == 8


@pytest.mark.parametrize("text", [
    "", "0", "-0", "00", "007", "+1", " 1", "1 ", "12", "-4096", "4095", "-4097", "32768", "8388608", "2147483648", str(I64_MAX),
    str(I64_MIN), str(I64_MAX + 1), "1.0", "a", "\r\n", "\0", "ä", "x" * 63, "x" * 64, "x" * 127, "x" * 4079, "x" * 4080, "x" * 4096,
    "x" * 8192, "x" * 70000])
@pytest.mark.parametrize("push", ["LPUSH", "RPUSH"])
def test_elements_come_back_as_they_were(c, text, push):
    text = text.encode()
    c(push, "l", "first", text, "last")
    assert c("LINDEX", "l", 1) == text
    assert c("LPOS", "l", text) == 1
    c("LSET", "l", 0, text)
    assert c("LRANGE", "l", 0, 1) == [text, text]
    assert c("LREM", "l", 0, text) == 2
    c("LINSERT", "l", "BEFORE", "last" if push == "RPUSH" else "first", text)
    assert c("LMOVE", "l", "m", "LEFT", "RIGHT") == text
    assert c("RPOP", "m") == text
    assert c("LLEN", "l") == 1


# Taking out.

def test_pop(c, form):
    c("RPUSH", "l", *"abcdefgh")
    assert c("LPOP", "l") == b"a"
    assert c("RPOP", "l") == b"h"
    assert c("LPOP", "l", 2) == [b"b", b"c"]
    assert c("RPOP", "l", 2) == [b"g", b"f"]
    assert c("LPOP", "l", 0) == []
    assert elements(c) == ["d", "e"]
    assert c("RPOP", "l", 100) == [b"e", b"d"]
    assert c("EXISTS", "l") == 0
    c("RPUSH", "l", "1", "2")
    assert c("LPOP", "l", I64_MAX) == [b"1", b"2"]
    assert c("EXISTS", "l") == 0


def test_lmpop(c, form):
    c("RPUSH", "l", *"abcde")
    assert c("LMPOP", 1, "l", "left") == [b"l", [b"a"]]
    assert c("LMPOP", 3, "none", "l", "m", "RIGHT", "COUNT", 2) == [b"l", [b"e", b"d"]]
    c("RPUSH", "m", "1")
    assert c("LMPOP", 2, "l", "m", "LEFT", "count", 10) == [b"l", [b"b", b"c"]]
    assert c("LMPOP", 2, "l", "m", "LEFT", "COUNT", I64_MAX) == [b"m", [b"1"]]
    assert c("LMPOP", 2, "l", "m", "LEFT") is None
    assert c("DBSIZE") == 0
    c("RPUSH", "l", "1", "2")
    assert c("LMPOP", 2, "l", "l", "RIGHT") == [b"l", [b"2"]]


@pytest.mark.parametrize("source, target, moved, left, right", [
    ("LEFT", "LEFT", "a", "bc", "axy"), ("LEFT", "RIGHT", "a", "bc", "xya"), ("RIGHT", "LEFT", "c", "ab", "cxy"),
    ("RIGHT", "RIGHT", "c", "ab", "xyc")])
def test_lmove(c, form, source, target, moved, left, right):
    c("RPUSH", "l", *"abc")
    c("RPUSH", "m", *"xy")
    assert c("LMOVE", "l", "m", source, target) == moved.encode()
    assert elements(c) == list(left)
    assert elements(c, "m") == list(right)


def test_lmove_to_a_new_list_and_from_a_last_element(c, form):
    c("RPUSH", "l", "1")
    assert c("LMOVE", "l", "m", "LEFT", "LEFT") == b"1"
    assert c("EXISTS", "l") == 0
    assert elements(c, "m") == ["1"]
    assert c("RPOPLPUSH", "m", "l") == b"1"
    assert elements(c) == ["1"]
    assert c("DBSIZE") == 1


@pytest.mark.parametrize("source, target, after", [
    ("LEFT", "LEFT", "abc"), ("LEFT", "RIGHT", "bca"), ("RIGHT", "LEFT", "cab"), ("RIGHT", "RIGHT", "abc")])
def test_lmove_within_a_list(c, form, source, target, after):
    for long in ("", "x" * 300, "x" * 10000):
        c("DEL", "l")
        c("RPUSH", "l", *[e + long for e in "abc"])
        assert c("LMOVE", "l", "l", source, target).decode() == ("a" if source == "LEFT" else "c") + long
        assert elements(c) == [e + long for e in after]
    c("RPUSH", "one", "x")
    assert c("LMOVE", "one", "one", source, target) == b"x"
    assert elements(c, "one") == ["x"]


def test_rpoplpush(c, form):
    c("RPUSH", "l", *"abc")
    assert c("RPOPLPUSH", "l", "m") == b"c"
    assert c("RPOPLPUSH", "l", "m") == b"b"
    assert elements(c, "m") == ["b", "c"]
    assert c("RPOPLPUSH", "m", "m") == b"c"
    assert elements(c, "m") == ["c", "b"]


# By index.

def test_lindex(c, form):
    c("RPUSH", "l", "a", "17", "c")
    assert [c("LINDEX", "l", i) for i in range(-4, 4)] == [None, b"a", b"17", b"c", b"a", b"17", b"c", None]
    assert c("LINDEX", "l", I64_MIN) is None
    assert c("LINDEX", "l", I64_MAX) is None


def test_lset(c, form):
    c("RPUSH", "l", *"abc")
    assert c("LSET", "l", 0, "1") == b"OK"
    assert c("LSET", "l", -1, "x" * 100) == b"OK"
    assert elements(c) == ["1", "b", "x" * 100]


@pytest.mark.parametrize("start, stop, wanted", [
    (0, -1, "abcdef"), (1, 2, "bc"), (-2, -1, "ef"), (-100, 100, "abcdef"), (5, 5, "f"), (6, 9, ""), (3, 2, ""), (-1, -2, ""),
    (-100, -7, ""), (-100, -6, "a"), (I64_MIN, I64_MAX, "abcdef"), (I64_MAX, I64_MIN, ""), (2, 2, "c")])
def test_lrange_and_ltrim(c, form, start, stop, wanted):
    c("RPUSH", "l", *"abcdef")
    assert elements(c) == list("abcdef")
    assert c("LRANGE", "l", start, stop) == [e.encode() for e in wanted]
    assert c("LTRIM", "l", start, stop) == b"OK"
    assert elements(c) == list(wanted)
    assert c("EXISTS", "l") == bool(wanted)


# By value.

@pytest.mark.parametrize("count, element, removed, left", [
    (0, "a", 4, "bcb"), (2, "a", 2, "bcaba"), (-2, "a", 2, "aabcb"), (1, "b", 1, "aacaba"), (-1, "b", 1, "aabcaa"), (0, "z", 0, "aabcaba"),
    (100, "c", 1, "aababa"), (I64_MAX, "a", 4, "bcb"), (-I64_MAX, "a", 4, "bcb")])
def test_lrem(c, form, count, element, removed, left):
    c("RPUSH", "l", *"aabcaba")
    assert c("LREM", "l", count, element) == removed
    assert elements(c) == list(left)


@pytest.mark.since("8.2.0")
@pytest.mark.parametrize("key", ["l", "missing", "text"])
def test_lrem_of_the_least_number(c, form, key):
    c("RPUSH", "l", "a")
    c("SET", "text", "x")
    assert c.fails("LREM", key, I64_MIN, "a") == "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
    assert elements(c) == ["a"]


def test_lrem_of_all(c, form):
    c("RPUSH", "l", *"aaa")
    assert c("LREM", "l", -3, "a") == 3
    assert c("EXISTS", "l") == 0


def test_linsert(c, form):
    c("RPUSH", "l", "a", "b", "a")
    assert c("LINSERT", "l", "BEFORE", "a", "1") == 4
    assert c("LINSERT", "l", "after", "a", "2") == 5
    assert c("LINSERT", "l", "AFTER", "b", "x" * 100) == 6
    assert c("LINSERT", "l", "before", "z", "4") == -1
    assert elements(c) == ["1", "a", "2", "b", "x" * 100, "a"]


@pytest.mark.parametrize("options, wanted", [
    ("", 0), ("RANK 1", 0), ("RANK 2", 1), ("RANK 4", 6), ("RANK 5", None), ("RANK -1", 6), ("RANK -2", 4), ("RANK -4", 0),
    ("RANK -5", None), ("COUNT 0", [0, 1, 4, 6]), ("COUNT 2", [0, 1]), ("COUNT 9", [0, 1, 4, 6]), ("RANK 2 COUNT 0", [1, 4, 6]),
    ("RANK 3 COUNT 1", [4]), ("RANK -1 COUNT 0", [6, 4, 1, 0]), ("RANK -2 COUNT 2", [4, 1]), ("RANK 5 COUNT 0", []),
    ("MAXLEN 0", 0), ("MAXLEN 1", 0), ("RANK 3 MAXLEN 4", None), ("RANK 3 MAXLEN 5", 4), ("RANK -1 MAXLEN 1", 6),
    ("COUNT 0 MAXLEN 5", [0, 1, 4]), ("RANK -1 COUNT 0 MAXLEN 3", [6, 4]), ("RANK 1 RANK 2", 1), ("COUNT 1 COUNT 2", [0, 1]),
    (f"COUNT {I64_MAX} MAXLEN {I64_MAX} RANK 1", [0, 1, 4, 6]), (f"RANK {I64_MAX}", None), (f"RANK {-I64_MAX}", None),
    ("rank 1 count 0 maxlen 2", [0, 1])])
def test_lpos(c, form, options, wanted):
    c("RPUSH", "l", *"aabcaba")
    assert c("LPOS", "l", "a", *options.split()) == wanted
    none = [] if isinstance(wanted, list) else None
    assert c("LPOS", "l", "z", *options.split()) == none


def test_numbers_are_found_as_texts(c, form):
    c("RPUSH", "l", "1", "01", "1.0", "-1", "100000", "1")
    assert c("LPOS", "l", "1", "COUNT", 0) == [0, 5]
    assert c("LPOS", "l", "01", "COUNT", 0) == [1]
    assert c("LPOS", "l", "100000") == 4
    assert c("LREM", "l", 0, "1") == 2
    assert c("LINSERT", "l", "AFTER", "-1", "-2") == 5
    assert elements(c) == ["01", "1.0", "-1", "-2", "100000"]


# Forms.

@pytest.mark.tarn_only
@pytest.mark.parametrize("setting, most, back", [
    (-1, 4096, 2048), (-2, 8192, 4096), (-3, 16384, 8192), (-4, 32768, 16384), (-5, 65536, 32768), (-9, 65536, 32768)])
def test_encoding_by_bytes(c, settings, setting, most, back):
    """A pack has 7 bytes, an element of ten characters takes twelve; what comes is counted without what it takes beyond its own."""
    settings(list_max_listpack_size=setting)
    fits = (most - 7 - 10) // 12 + 1
    c("RPUSH", "l", *["0123456789"] * (fits - 1))
    c("LPUSH", "l", "0123456789")
    assert c("OBJECT", "ENCODING", "l") == b"listpack"
    c("RPUSH", "l", "0123456789")
    assert c("OBJECT", "ENCODING", "l") == b"quicklist"
    stays = (back - 7) // 12
    c("LPOP", "l", fits + 1 - stays - 1)
    assert c("OBJECT", "ENCODING", "l") == b"quicklist"
    c("RPOP", "l")
    assert c("OBJECT", "ENCODING", "l") == b"listpack"
    assert c("LLEN", "l") == stays


@pytest.mark.tarn_only
def test_encoding_by_count(c, settings):
    settings(list_max_listpack_size=4)
    c("RPUSH", "l", *"abcd")
    assert c("OBJECT", "ENCODING", "l") == b"listpack"
    c("LINSERT", "l", "AFTER", "a", "x")
    assert c("OBJECT", "ENCODING", "l") == b"quicklist"
    c("LTRIM", "l", 0, 2)
    assert c("OBJECT", "ENCODING", "l") == b"quicklist"
    c("LREM", "l", 1, "x")
    assert c("OBJECT", "ENCODING", "l") == b"listpack"
    assert elements(c) == ["a", "b"]


@pytest.mark.tarn_only
def test_encoding_by_a_large_element(c):
    c("RPUSH", "l", "a", "b")
    c("LSET", "l", 1, "x" * 9000)
    assert c("OBJECT", "ENCODING", "l") == b"quicklist"
    c("LSET", "l", 1, "b")
    assert c("OBJECT", "ENCODING", "l") == b"listpack"
    assert elements(c) == ["a", "b"]


def test_compress_depth_is_taken(c, settings):
    settings(list_compress_depth=1)
    c("RPUSH", "l", *["x" * 1000] * 100)
    assert c("LRANGE", "l", 50, 50) == [b"x" * 1000]


# Long lists.

def test_a_long_list(c):
    for base in range(0, 20000, 1000):
        c("RPUSH", "l", *[f"element:{i:06}" for i in range(base, base + 1000)])
    assert c("LLEN", "l") == 20000
    for i in [0, 1, 7777, 10000, 19999]:
        assert c("LINDEX", "l", i) == b"element:%06d" % i
        assert c("LINDEX", "l", i - 20000) == b"element:%06d" % i
        assert c("LRANGE", "l", i, i + 9) == [b"element:%06d" % j for j in range(i, min(i + 10, 20000))]
        assert c("LPOS", "l", b"element:%06d" % i) == i
        assert c("LPOS", "l", b"element:%06d" % i, "RANK", -1) == i
    assert c("LINSERT", "l", "BEFORE", "element:010000", "new") == 20001
    assert c("LSET", "l", 10001, "x" * 5000) == b"OK"
    assert c("LRANGE", "l", 9999, 10002) == [b"element:009999", b"new", b"x" * 5000, b"element:010001"]
    assert c("LTRIM", "l", 9000, 11000) == b"OK"
    assert c("LLEN", "l") == 2001
    assert c("LRANGE", "l", 0, 0) == [b"element:009000"]
    assert c("LRANGE", "l", -1, -1) == [b"element:010999"]


def test_large_elements(c):
    large = [bytes([97 + i]) * (3 << 20) for i in range(4)]
    assert c("RPUSH", "l", *large[:3]) == 3
    assert c("LSET", "l", 1, large[3]) == b"OK"
    assert c("LINSERT", "l", "AFTER", large[3], "small") == 4
    assert c("LRANGE", "l", 0, -1) == [large[0], large[3], b"small", large[2]]
    assert c("LMOVE", "l", "l", "RIGHT", "LEFT") == large[2]
    assert c("LPOS", "l", large[3]) == 2
    assert c("LREM", "l", 0, large[0]) == 1
    assert c("LMOVE", "l", "m", "LEFT", "LEFT") == large[2]
    assert c("LRANGE", "l", 0, -1) == [large[3], b"small"]
    assert c("LPOP", "m") == large[2]


def apply(expected, name, args):
    """The command on a Python list; the reply."""
    if name in ("LPUSH", "RPUSH"):
        for e in args:
            expected.insert(0 if name == "LPUSH" else len(expected), e)
        return len(expected)
    if name in ("LPOP", "RPOP"):
        taken = [expected.pop(0 if name == "LPOP" else -1) for _ in range(min(args[0], len(expected)))]
        return taken
    if name == "LSET":
        expected[args[0]] = args[1]
        return b"OK"
    if name == "LINSERT":
        if args[1] not in expected:
            return -1
        expected.insert(expected.index(args[1]) + (args[0] == "AFTER"), args[2])
        return len(expected)
    if name == "LREM":
        count, removed = args[0], 0
        indices = [i for i, e in enumerate(expected) if e == args[1]]
        indices = indices[:count] if count > 0 else indices[count:] if count < 0 else indices
        for i in reversed(indices):
            del expected[i]
            removed += 1
        return removed
    assert name == "LMOVE"
    moved = expected.pop(0 if args[0] == "LEFT" else -1)
    expected.insert(0 if args[1] == "LEFT" else len(expected), moved)
    return moved


@pytest.mark.parametrize("setting", [-2, -1, 3])
def test_random_work(c, settings, setting):
    """What a Python list does as well; the list grows beyond a pack and shrinks to nothing, again and again."""
    settings(list_max_listpack_size=setting)
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    expected = []

    def element():
        kind = rng.random()
        if kind < 0.3:
            return str(rng.randrange(-5000, 5000)).encode()
        return rng.choice(b"abc").to_bytes(1, "big") * (rng.randrange(40) if kind < 0.9 else rng.randrange(6000))
    growing = True
    for step in range(1500):
        growing = len(expected) < 400 and (growing or len(expected) < 5)
        name = rng.choice(["LPUSH", "RPUSH"] * 3 if growing or not expected else ["LPOP", "RPOP"] * 3)
        if expected and rng.random() < 0.4:
            name = rng.choice(["LSET", "LINSERT", "LREM", "LMOVE"])
        args = {"LPUSH": lambda: [element() for _ in range(rng.randrange(1, 10))], "LPOP": lambda: [rng.randrange(1, 12)],
                "LSET": lambda: [rng.randrange(len(expected)), element()],
                "LINSERT": lambda: [rng.choice(["BEFORE", "AFTER"]), rng.choice(expected), element()],
                "LREM": lambda: [rng.randrange(-2, 3), rng.choice(expected)],
                "LMOVE": lambda: [rng.choice(["LEFT", "RIGHT"]), rng.choice(["LEFT", "RIGHT"])]}
        args["RPUSH"], args["RPOP"] = args["LPUSH"], args["LPOP"]
        given = args[name]()
        assert c(name, "l", *(["l"] if name == "LMOVE" else []), *given) == apply(expected, name, given)
        if step % 50 == 0:
            assert c("LRANGE", "l", 0, -1) == expected
            assert c("LLEN", "l") == len(expected)
    assert c("LRANGE", "l", 0, -1) == expected


# Events.

@pytest.fixture
def events(settings, connect):
    """events(…command…): what the command says, as (event, key)."""
    settings(notify_keyspace_events="KEA")
    listener = connect().pubsub(ignore_subscribe_messages=True)
    listener.psubscribe("__keyevent@0__:*")
    talker = connect()

    def run(*command):
        talker(*command)
        talker("SET", "~mark~", "x")
        heard = []
        while True:
            message = listener.get_message(timeout=5)
            if message is None:
                continue
            event = message["channel"].split(b":", 1)[1].decode()
            if message["data"] == b"~mark~":
                if event == "set":
                    return heard
                continue
            heard.append((event, message["data"].decode()))
    wait_until(lambda: talker("PUBSUB", "NUMPAT") >= 1)
    yield run
    listener.close()


@pytest.mark.needs("PSUBSCRIBE")
def test_events(events):
    for command, wanted in [
            ("RPUSH l 1 2 3", "rpush l"), ("LPUSH l 0", "lpush l"), ("LPUSHX l 0", "lpush l"), ("RPUSHX none 0", ""), ("LPOP l", "lpop l"),
            ("RPOP l 2", "rpop l"), ("LPOP l 0", ""), ("LPOP l 10", "lpop l, del l"), ("RPUSH l 1 2 3 4 5", "rpush l"),
            ("LSET l 0 1", "lset l"), ("LREM l 0 z", ""), ("LREM l 0 1", "lrem l"), ("LTRIM l 0 -1", "ltrim l"),
            ("LTRIM l 1 -1", "ltrim l"), ("LINSERT l BEFORE 4 x", "linsert l"), ("LINSERT l BEFORE z x", ""),
            ("LMOVE l l LEFT RIGHT", "rpush l, lpop l"), ("LMOVE l l LEFT LEFT", "lpush l, lpop l"),
            ("LMOVE l m LEFT RIGHT", "rpush m, lpop l"), ("RPOPLPUSH l m", "lpush m, rpop l"), ("LTRIM l 5 4", "ltrim l, del l"),
            ("LMPOP 2 l m LEFT", "lpop m"), ("LMPOP 2 l m RIGHT COUNT 5", "rpop m, del m"), ("RPUSH l 1 1", "rpush l"),
            ("LMOVE l m LEFT LEFT", "lpush m, lpop l"), ("LMOVE l m RIGHT LEFT", "lpush m, rpop l, del l"),
            ("LREM m 0 1", "lrem m, del m"), ("RPUSH l 1", "rpush l"), ("RPOP l", "rpop l, del l"), ("LTRIM none 0 1", "")]:
        assert ", ".join(map(" ".join, events(*command.split()))) == wanted, command
