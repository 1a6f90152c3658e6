"""Sorted sets: every command and option, errors word for word, both forms and what leads from one to the other, events, chance,
ZSCAN's guarantee, scores as they are printed, and random commands beside a model.

Scores are chosen so that all versions of Redis print them alike, but where the shortest digits are the point. That and WITHSCORE
of ZRANK came after the redis-server of Debian: `tarn_only`.
"""
import collections
import math
import random

import pytest

from tests.system.wire import request

SYNTAX = "ERR syntax error"
WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_INTEGER = "ERR value is not an integer or out of range"
NOT_FLOAT = "ERR value is not a valid float"
NOT_POSITIVE = "ERR value is out of range, must be positive"
NAN = "ERR resulting score is not a number (NaN)"
MIN_MAX_FLOAT = "ERR min or max is not a float"
MIN_MAX_LEX = "ERR min or max not valid string range item"
LIMIT_ALONE = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
LEX_SCORES = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
XX_NX = "ERR XX and NX options at the same time are not compatible"
GT_LT_NX = "ERR GT, LT, and/or NX options at the same time are not compatible"
I64_MAX, I64_MIN = 2**63 - 1, -2**63
LETTERS = [chr(97 + i) for i in range(26)]


def arity(name):
    return f"ERR wrong number of arguments for '{name}' command"


def needs_a_key(name):
    return f"ERR at least 1 input key is needed for '{name}' command"


def names(text):
    """ "a b c" as replies have it."""
    return [word.encode() for word in text.split()]


def scored(reply):
    """Members with scores, as either protocol has them: [(b"a", 1.0), …]."""
    if reply and isinstance(reply[0], list):
        return [(member, float(score)) for member, score in reply]
    return [(member, float(score)) for member, score in zip(reply[::2], reply[1::2])]


def pairs(text):
    """ "a 1 b 2.5" as `scored` has it."""
    words = text.split()
    return [(m.encode(), float(s)) for m, s in zip(words[::2], words[1::2])]


def everything(c, key):
    return scored(c("ZRANGE", key, "0", "-1", "WITHSCORES"))


def fill(c, key, elements):
    """ "a 1 b 2" becomes the sorted set."""
    words = elements.split()
    c("DEL", key)
    c("ZADD", key, *[word for m, s in zip(words[::2], words[1::2]) for word in (s, m)])


def raw(wire, *command):
    """The reply's bytes as they come."""
    mark = b"the end"
    end = b"$%d\r\n%s\r\n" % (len(mark), mark)
    wire.send(request(*command) + request("ECHO", mark))
    data = b""
    while not data.endswith(end):
        data += wire.file.read1(1 << 16)
    return data[:-len(end)].decode()


@pytest.fixture(params=["listpack", "skiplist"])
def form(request, settings):
    """The form in which the sets of the test are held."""
    settings(zset_max_listpack_entries=128 if request.param == "listpack" else 0)
    return request.param


# Arity, types, missing keys: the same for all.

@pytest.mark.parametrize("command", [
    "ZADD", "ZADD k", "ZADD k 1", "ZINCRBY k 1", "ZINCRBY k 1 a b", "ZREM k", "ZCARD", "ZCARD a b", "ZSCORE k", "ZSCORE k a b", "ZMSCORE k",
    "ZRANK k", "ZREVRANK k", "ZRANK k a b c", "ZREVRANK k a b c", "ZCOUNT k 1", "ZCOUNT k 1 2 3", "ZLEXCOUNT k -", "ZLEXCOUNT k - + x",
    "ZRANGE k 0", "ZREVRANGE k 0", "ZRANGEBYSCORE k 0", "ZREVRANGEBYSCORE k 0", "ZRANGEBYLEX k -", "ZREVRANGEBYLEX k -",
    "ZRANGESTORE d k 0", "ZREMRANGEBYRANK k 0", "ZREMRANGEBYRANK k 0 1 2", "ZREMRANGEBYSCORE k 0", "ZREMRANGEBYLEX k -", "ZPOPMIN",
    "ZPOPMAX", "ZMPOP", "ZMPOP 1", "ZMPOP 1 k", "ZRANDMEMBER", "ZUNION", "ZUNION 1", "ZINTER 1", "ZDIFF 1", "ZINTERCARD 1", "ZUNIONSTORE d 1",
    "ZINTERSTORE d 1", "ZDIFFSTORE d 1", "ZSCAN k"])
def test_arity(c, command):
    name, *args = command.split()
    assert c.fails(name, *args) == arity(name.lower())


@pytest.mark.parametrize("command", [
    "ZADD str 1 a", "ZADD str XX 1 a", "ZADD str INCR 1 a", "ZINCRBY str 1 a", "ZREM str a", "ZCARD str", "ZSCORE str a", "ZMSCORE str a",
    "ZRANK str a", "ZREVRANK str a", "ZCOUNT str 1 2", "ZLEXCOUNT str - +", "ZRANGE str 0 1", "ZRANGE str 0 1 BYSCORE",
    "ZRANGE str - + BYLEX", "ZREVRANGE str 0 1", "ZRANGEBYSCORE str 1 2", "ZREVRANGEBYSCORE str 2 1", "ZRANGEBYLEX str - +",
    "ZREVRANGEBYLEX str + -", "ZRANGESTORE d str 0 1", "ZREMRANGEBYRANK str 0 1", "ZREMRANGEBYSCORE str 0 1", "ZREMRANGEBYLEX str - +",
    "ZPOPMIN str", "ZPOPMAX str 0", "ZMPOP 1 str MIN", "ZMPOP 2 missing str MAX COUNT 2", "ZMPOP 2 str z MAX", "ZRANDMEMBER str",
    "ZRANDMEMBER str 0", "ZUNION 1 str", "ZUNION 2 missing str", "ZUNION 2 str z nonsense", "ZINTER 2 missing str", "ZINTER 2 z str WEIGHTS a b",
    "ZDIFF 2 missing str", "ZINTERCARD 2 z str", "ZUNIONSTORE d 2 z str", "ZINTERSTORE d 2 missing str", "ZDIFFSTORE d 2 z str",
    "ZSCAN str 0", "ZSCAN str 0 nonsense"])
def test_wrong_type(c, command):
    c("SET", "str", "x")
    fill(c, "z", "a 1")
    fill(c, "d", "old 7")
    assert c.fails(*command.split()) == WRONGTYPE
    assert c("GET", "str") == b"x"
    assert everything(c, "z") == pairs("a 1")
    assert everything(c, "d") == pairs("old 7")


@pytest.mark.parametrize("command, reply", [
    ("ZADD m XX 1 a", 0), ("ZADD m XX INCR 1 a", None), ("ZREM m a", 0), ("ZCARD m", 0), ("ZSCORE m a", None), ("ZMSCORE m a b", [None, None]),
    ("ZRANK m a", None), ("ZREVRANK m a", None), ("ZCOUNT m 1 2", 0), ("ZLEXCOUNT m - +", 0), ("ZRANGE m 0 1", []),
    ("ZRANGE m 0 1 WITHSCORES", []), ("ZRANGE m 0 1 BYSCORE", []), ("ZRANGEBYSCORE m 1 2", []), ("ZRANGEBYLEX m - +", []),
    ("ZRANGESTORE d m 0 1", 0), ("ZREMRANGEBYRANK m 0 1", 0), ("ZREMRANGEBYSCORE m 0 1", 0), ("ZREMRANGEBYLEX m - +", 0),
    ("ZPOPMIN m", []), ("ZPOPMAX m 2", []), ("ZMPOP 2 m m2 MIN", None), ("ZRANDMEMBER m", None), ("ZRANDMEMBER m 2", []),
    ("ZRANDMEMBER m -2 WITHSCORES", []), ("ZUNION 2 m m2", []), ("ZINTER 1 m WITHSCORES", []), ("ZDIFF 1 m", []), ("ZINTERCARD 1 m", 0),
    ("ZUNIONSTORE d 1 m", 0), ("ZINTERSTORE d 1 m", 0), ("ZDIFFSTORE d 1 m", 0), ("ZSCAN m 0", [b"0", []]), ("ZSCAN m 7 nonsense", [b"0", []])])
def test_missing(c, command, reply):
    assert c(*command.split()) == reply
    assert c("EXISTS", "m", "d") == 0


# ZADD

ADDING = [  # members before, command, reply, members after
    ("a 1", "z 2 a", 0, "a 2"),
    ("a 1", "z 2 b", 1, "a 1 b 2"),
    ("a 1", "z 2 b 3 b 4 b", 1, "a 1 b 4"),
    ("a 1", "z CH 2 a 3 b", 2, "a 2 b 3"),
    ("a 1", "z CH 1 a", 0, "a 1"),
    ("a 1", "z NX 5 a 2 b", 1, "a 1 b 2"),
    ("a 1", "z NX CH 5 a 2 b", 1, "a 1 b 2"),
    ("a 1", "z XX 5 a 2 b", 0, "a 5"),
    ("a 1", "z XX CH 5 a 2 b", 1, "a 5"),
    ("a 1", "z GT CH 0 a 3 b", 1, "a 1 b 3"),
    ("a 1", "z GT CH 1 a", 0, "a 1"),
    ("a 1", "z GT CH 2 a", 1, "a 2"),
    ("a 1", "z LT CH 0 a 3 b", 2, "a 0 b 3"),
    ("a 1", "z LT CH 2 a", 0, "a 1"),
    ("a 1", "z XX GT CH 2 a 9 b", 1, "a 2"),
    ("a 1", "z xx lt ch 0.5 a 9 b", 1, "a 0.5"),
    ("a 1", "z ch CH 2 a", 1, "a 2"),
    ("a 1 b 2 c 3", "z 3.5 a", 0, "b 2 c 3 a 3.5"),
    ("a 1 b 2 c 3", "z 0 c", 0, "c 0 a 1 b 2"),
    ("b 1 c 1", "z 1 a 1 d 1 bb", 3, "a 1 b 1 bb 1 c 1 d 1"),
    ("a 1", "z inf a -inf b +inf c", 2, "b -inf a inf c inf"),
    ("a 1", "z 0x1A a 1e2 b .5 c 5. d -infinity e", 4, "e -inf c 0.5 d 5 a 26 b 100"),
]


@pytest.mark.parametrize("before, command, reply, after", ADDING)
def test_add(c, form, before, command, reply, after):
    fill(c, "z", before)
    assert c("ZADD", *command.split()) == reply
    assert everything(c, "z") == pairs(after)
    assert c("OBJECT", "ENCODING", "z").decode() == form


@pytest.mark.parametrize("before, words, score, reply, after", [
    ("a 1", "", "2", 3, 3), ("a 1", "", "0", 1, 1), ("a 1", "NX", "2", None, 1), ("a 1", "XX", "-2.5", -1.5, -1.5), ("a 1", "GT", "-1", None, 1),
    ("a 1", "GT", "1", 2, 2), ("a 1", "LT", "1", None, 1), ("a 1", "LT", "-1", 0, 0), ("a 1", "GT", "0", None, 1), ("b 1", "", "2", 2, 2),
    ("b 1", "NX", "2", 2, 2), ("b 1", "XX", "2", None, None), ("a 1", "", "inf", math.inf, math.inf), ("a 1", "CH", "2", 3, 3)])
def test_add_incr(c, form, before, words, score, reply, after):
    fill(c, "z", before)
    got = c("ZADD", "z", *words.split(), "INCR", score, "a")
    assert (got if got is None else float(got)) == reply
    there = c("ZSCORE", "z", "a")
    assert (there if there is None else float(there)) == after


@pytest.mark.parametrize("command, error", [
    ("z 1 a 2", SYNTAX), ("z NX CH", SYNTAX), ("z INCR NX", SYNTAX), ("z foo 1 a", SYNTAX), ("z NX XX 1 a", XX_NX), ("z NX XX GT 1 a", XX_NX),
    ("z NX GT 1 a", GT_LT_NX), ("z LT NX 1 a", GT_LT_NX), ("z GT LT 1 a", GT_LT_NX), ("z NX XX INCR 1 a 2 b", XX_NX),
    ("z GT NX INCR 1 a 2 b", GT_LT_NX), ("z INCR 1 a 2 b", "ERR INCR option supports a single increment-element pair"),
    ("z foo a", NOT_FLOAT), ("z nan a", NOT_FLOAT), ("z -nan a", NOT_FLOAT), ("z 1 a nan b", NOT_FLOAT), ("z 1 a x b", NOT_FLOAT), ("z 1e400 a", NOT_FLOAT),
    ("z 1_0 a", NOT_FLOAT), ("z 1 b a NX", NOT_FLOAT), ("str x a", NOT_FLOAT), ("str NX XX 1 a", XX_NX), ("str 1 a 2", SYNTAX)])
def test_add_errors(c, command, error):
    c("SET", "str", "x")
    fill(c, "z", "old 7")
    assert c.fails("ZADD", *command.split()) == error
    assert everything(c, "z") == pairs("old 7")


@pytest.mark.parametrize("score", ["", " 1", "1 ", "1\0", "\0"])
def test_add_no_score(c, score):
    assert c.fails("ZADD", "z", score, "a") == NOT_FLOAT
    assert c.fails("ZINCRBY", "z", score, "a") == NOT_FLOAT
    assert c("EXISTS", "z") == 0


def test_add_many(c):
    """Several hundred pairs at once."""
    words = [word for i in range(1000) for word in (i % 7, f"m{i % 500:03}")]
    assert c("ZADD", "z", *words) == 500
    expected = sorted((i % 7, b"m%03d" % (i % 500)) for i in range(500, 1000))
    assert everything(c, "z") == [(member, score) for score, member in expected]


def test_members_are_bytes(c, form):
    members = [b"", b"\0", b"\0\0", b"a\r\nb", b"\xff\xfe", b"12", b"-7", b"007", b"9223372036854775807", b"x" * 70, b"y" * 5000]
    for member in members:
        assert c("ZADD", "z", "1", member) == 1
        assert c("ZADD", "z", "1", member) == 0
    assert c("ZRANGE", "z", "0", "-1") == sorted(members)
    for rank, member in enumerate(sorted(members)):
        assert c("ZRANK", "z", member) == rank
        assert float(c("ZSCORE", "z", member)) == 1
    assert c("ZREM", "z", *members) == len(members)
    assert c("EXISTS", "z") == 0


def test_incrby(c, form):
    fill(c, "z", "a 1 b 2 c 3")
    assert float(c("ZINCRBY", "z", "1.5", "a")) == 2.5
    assert float(c("ZINCRBY", "z", "-10", "c")) == -7
    assert float(c("ZINCRBY", "z", "4", "new")) == 4
    assert everything(c, "z") == pairs("c -7 b 2 a 2.5 new 4")
    assert float(c("ZINCRBY", "other", "0", "a")) == 0
    assert c.fails("ZINCRBY", "z", "x", "a") == NOT_FLOAT
    assert c.fails("ZINCRBY", "z", "nan", "a") == NOT_FLOAT
    c("SET", "str", "x")
    assert c.fails("ZINCRBY", "str", "x", "a") == NOT_FLOAT


def test_nan_is_refused(c, form):
    fill(c, "z", "a inf b -inf")
    assert c.fails("ZINCRBY", "z", "-inf", "a") == NAN
    assert c.fails("ZADD", "z", "INCR", "inf", "b") == NAN
    assert c.fails("ZADD", "z", "XX", "GT", "INCR", "inf", "b") == NAN
    assert everything(c, "z") == pairs("b -inf a inf")


# What scores look like

@pytest.mark.parametrize("given, printed", [
    ("1", "1"), ("-0.5", "-0.5"), ("3.14", "3.14"), ("1e3", "1000"), ("100000000000000000", "100000000000000000"), ("1e20", "1e+20"), ("1e-7", "1e-7"),
    ("123456789012345680", "123456789012345680"), ("0.1", "0.1"), ("1.7976931348623157e308", "1.7976931348623157e+308"), ("5e-324", "5e-324"),
    ("inf", "inf"), ("-inf", "-inf"), ("4611686018427387904", "4611686018427387904"), ("-4611686018427387904", "-4611686018427387904")])
@pytest.mark.tarn_only
def test_printed_scores(c, wire, form, protocol, given, printed):
    c("ZADD", "z", given, "a")
    assert c("OBJECT", "ENCODING", "z").decode() == form
    as_double = f",{printed}\r\n" if protocol == 3 else f"${len(printed)}\r\n{printed}\r\n"
    assert raw(wire, "ZSCORE", "z", "a") == as_double
    # Not so in ZSCAN: bulk strings in any protocol.
    assert raw(wire, "ZSCAN", "z", "0").endswith(f"$1\r\na\r\n${len(printed)}\r\n{printed}\r\n")


def test_negative_zero(c, wire, settings):
    """Lies before nothing and behind nothing; keeps its sign in a skiplist, and loses it in a listpack."""
    for entries, sign in ((0, "-"), (128, "")):
        settings(zset_max_listpack_entries=entries)
        c("DEL", "z")
        assert c("ZADD", "z", "-0", "b", "0", "a", "-0", "c") == 3
        assert c("ZRANGE", "z", "0", "-1") == names("a b c")
        assert f"{sign}0\r\n" in raw(wire, "ZSCORE", "z", "b")
        assert ("-" in raw(wire, "ZSCORE", "z", "b")) == bool(sign)
        assert c("ZADD", "z", "CH", "0", "b") == 0
        assert c("ZCOUNT", "z", "0", "0") == c("ZCOUNT", "z", "-0", "(1") == 3
        assert "-0" in raw(wire, "ZADD", "z", "INCR", "-0", "new")


SHAPES = [  # command, RESP2, RESP3, of "a" 1, "b" 2.5, "c" inf
    ("ZADD z INCR 1 a", "$1 2", ",2"),
    ("ZADD z NX INCR 1 a", "$-1", "_"),
    ("ZINCRBY z 1 b", "$3 3.5", ",3.5"),
    ("ZSCORE z c", "$3 inf", ",inf"),
    ("ZSCORE z x", "$-1", "_"),
    ("ZMSCORE z x a", "*2 $-1 $1 1", "*2 _ ,1"),
    ("ZRANK z x", "$-1", "_"),
    ("ZRANGE z 0 0", "*1 $1 a", "*1 $1 a"),
    ("ZRANGE z 0 1 WITHSCORES", "*4 $1 a $1 1 $1 b $3 2.5", "*2 *2 $1 a ,1 *2 $1 b ,2.5"),
    ("ZRANGEBYSCORE z 2 inf WITHSCORES", "*4 $1 b $3 2.5 $1 c $3 inf", "*2 *2 $1 b ,2.5 *2 $1 c ,inf"),
    ("ZRANGE z 5 6 WITHSCORES", "*0", "*0"),
    ("ZPOPMIN z", "*2 $1 a $1 1", "*2 $1 a ,1"),
    ("ZPOPMIN z 1", "*2 $1 a $1 1", "*1 *2 $1 a ,1"),
    ("ZPOPMAX z 2", "*4 $1 c $3 inf $1 b $3 2.5", "*2 *2 $1 c ,inf *2 $1 b ,2.5"),
    ("ZPOPMIN m", "*0", "*0"),
    ("ZMPOP 1 m MIN", "*-1", "_"),
    ("ZMPOP 1 z MIN COUNT 2", "*2 $1 z *2 *2 $1 a $1 1 *2 $1 b $3 2.5", "*2 $1 z *2 *2 $1 a ,1 *2 $1 b ,2.5"),
    ("ZRANDMEMBER m", "$-1", "_"),
    ("ZRANDMEMBER one -2", "*2 $1 x $1 x", "*2 $1 x $1 x"),
    ("ZRANDMEMBER one 5 WITHSCORES", "*2 $1 x $1 7", "*1 *2 $1 x ,7"),
    ("ZRANDMEMBER one -2 WITHSCORES", "*4 $1 x $1 7 $1 x $1 7", "*2 *2 $1 x ,7 *2 $1 x ,7"),
    ("ZUNION 2 z one", "*4 $1 a $1 b $1 x $1 c", "*4 $1 a $1 b $1 x $1 c"),
    ("ZINTER 1 z WITHSCORES", "*6 $1 a $1 1 $1 b $3 2.5 $1 c $3 inf", "*3 *2 $1 a ,1 *2 $1 b ,2.5 *2 $1 c ,inf"),
    ("ZDIFF 2 one z WITHSCORES", "*2 $1 x $1 7", "*1 *2 $1 x ,7"),
    ("ZSCAN one 0", "*2 $1 0 *2 $1 x $1 7", "*2 $1 0 *2 $1 x $1 7"),
]


@pytest.mark.parametrize("command, resp2, resp3", SHAPES)
def test_reply_shapes(c, wire, protocol, form, command, resp2, resp3):
    fill(c, "z", "a 1 b 2.5 c inf")
    fill(c, "one", "x 7")
    assert raw(wire, *command.split()).split() == (resp3 if protocol == 3 else resp2).split()


# Reading members

def test_card_score_rank(c, form):
    fill(c, "z", "a 1 b 2 c 2 d 3")
    assert c("ZCARD", "z") == 4
    assert [float(s) if s is not None else None for s in c("ZMSCORE", "z", "b", "x", "d", "b")] == [2, None, 3, 2]
    assert [c("ZRANK", "z", m) for m in "abcdx"] == [0, 1, 2, 3, None]
    assert [c("ZREVRANK", "z", m) for m in "abcdx"] == [3, 2, 1, 0, None]
    assert len(c("ZMSCORE", "z", *LETTERS * 3)) == 78


@pytest.mark.tarn_only
def test_rank_with_score(c, wire, protocol, form):
    fill(c, "z", "a 1 b 2.5")
    assert raw(wire, "ZRANK", "z", "b", "WITHSCORE").split() == ("*2 :1 ,2.5" if protocol == 3 else "*2 :1 $3 2.5").split()
    assert raw(wire, "ZREVRANK", "z", "b", "withscore").split() == ("*2 :0 ,2.5" if protocol == 3 else "*2 :0 $3 2.5").split()
    assert raw(wire, "ZRANK", "z", "x", "WITHSCORE") == raw(wire, "ZRANK", "m", "x", "WITHSCORE") == ("_\r\n" if protocol == 3 else "*-1\r\n")
    assert c.fails("ZRANK", "z", "a", "WITHSCORES") == SYNTAX
    assert c.fails("ZREVRANK", "str", "a", "x") == SYNTAX


# Ranges

RANGES = [  # of a 1 b 2 c 3 d 4 e 5
    ("ZRANGE z 0 -1", "a b c d e"), ("ZRANGE z 1 3", "b c d"), ("ZRANGE z -2 -1", "d e"), ("ZRANGE z -100 100", "a b c d e"), ("ZRANGE z 3 1", ""),
    ("ZRANGE z 5 9", ""), ("ZRANGE z -9 -6", ""), (f"ZRANGE z {I64_MIN} {I64_MAX}", "a b c d e"), (f"ZRANGE z {I64_MAX} -1", ""),
    ("ZRANGE z 0 1 REV", "e d"), ("ZRANGE z 0 -1 LIMIT 0 -1", "a b c d e"), ("ZRANGE z 0 1 withscores WITHSCORES", "a 1 b 2"),
    ("ZREVRANGE z 0 1", "e d"), ("ZREVRANGE z -2 -1 WITHSCORES", "b 2 a 1"),
    ("ZRANGE z 2 4 BYSCORE", "b c d"), ("ZRANGE z (2 (4 BYSCORE", "c"), ("ZRANGE z (2 4 BYSCORE WITHSCORES", "c 3 d 4"), ("ZRANGE z 4 2 BYSCORE", ""),
    ("ZRANGE z 4 2 BYSCORE REV", "d c b"), ("ZRANGE z 2 4 BYSCORE REV", ""), ("ZRANGE z (4 (2 BYSCORE REV", "c"), ("ZRANGE z -inf +inf BYSCORE", "a b c d e"),
    ("ZRANGE z inf -inf byscore rev", "e d c b a"), ("ZRANGE z 2.5 3.5 BYSCORE", "c"), ("ZRANGE z 3 3 BYSCORE", "c"), ("ZRANGE z (3 3 BYSCORE", ""),
    ("ZRANGE z 1 5 BYSCORE LIMIT 1 2", "b c"), ("ZRANGE z 1 5 LIMIT 1 2 BYSCORE WITHSCORES", "b 2 c 3"), ("ZRANGE z 1 5 BYSCORE LIMIT 3 -1", "d e"),
    ("ZRANGE z 1 5 BYSCORE LIMIT 0 0", ""), ("ZRANGE z 1 5 BYSCORE LIMIT 9 1", ""), ("ZRANGE z 1 5 BYSCORE LIMIT -1 2", ""), ("ZRANGE z 1 5 BYSCORE LIMIT -1 -1", ""),
    ("ZRANGE z 5 1 BYSCORE REV LIMIT 1 2", "d c"), (f"ZRANGE z 1 5 BYSCORE LIMIT {I64_MAX} {I64_MAX}", ""), ("ZRANGE z 1 2 BYSCORE LIMIT 0 1 LIMIT 1 1", "b"),
    ("ZRANGEBYSCORE z 2 4", "b c d"), ("ZRANGEBYSCORE z (1 (3 WITHSCORES LIMIT 0 5", "b 2"), ("ZRANGEBYSCORE z -inf inf LIMIT 1 1", "b"),
    ("ZREVRANGEBYSCORE z 4 (2", "d c"), ("ZREVRANGEBYSCORE z +inf 1 LIMIT 1 2 WITHSCORES", "d 4 c 3"), ("ZREVRANGEBYSCORE z 1 4", ""),
]

LEX_RANGES = [  # of a b c d e, all 0
    ("ZRANGE l - + BYLEX", "a b c d e"), ("ZRANGE l [b (d BYLEX", "b c"), ("ZRANGE l (b [d BYLEX", "c d"), ("ZRANGE l (d [b BYLEX REV", "c b"), ("ZRANGE l + - BYLEX", ""),
    ("ZRANGE l + - BYLEX REV", "e d c b a"), ("ZRANGE l [bb [cc BYLEX", "c"), ("ZRANGE l - [c BYLEX LIMIT 1 5", "b c"), ("ZRANGE l [c + BYLEX LIMIT 1 -1", "d e"),
    ("ZRANGE l [ (b BYLEX", "a"), ("ZRANGE l ( + BYLEX", "a b c d e"), ("ZRANGE l + + BYLEX", ""), ("ZRANGE l - - BYLEX", ""),
    ("ZRANGEBYLEX l [b [c", "b c"), ("ZRANGEBYLEX l - + LIMIT 1 2", "b c"), ("ZRANGEBYLEX l (e +", ""),
    ("ZREVRANGEBYLEX l [c [b", "c b"), ("ZREVRANGEBYLEX l + - LIMIT 0 2", "e d"), ("ZREVRANGEBYLEX l - +", ""),
]


@pytest.mark.parametrize("command, reply", RANGES + LEX_RANGES)
def test_range(c, form, command, reply):
    fill(c, "z", "a 1 b 2 c 3 d 4 e 5")
    fill(c, "l", "a 0 b 0 c 0 d 0 e 0")
    got = c(*command.split())
    if "WITHSCORES" in command:
        assert scored(got) == pairs(reply)
    else:
        assert got == names(reply)


RANGE_ERRORS = [
    ("ZRANGE {} 0 x", NOT_INTEGER), ("ZRANGE {} x 0", NOT_INTEGER), ("ZRANGE {} 0 1.5", NOT_INTEGER), (f"ZRANGE {{}} {I64_MAX + 1} 0", NOT_INTEGER),
    ("ZRANGE {} 0 -1 foo", SYNTAX), ("ZRANGE {} 0 -1 BYSCORE BYLEX", SYNTAX), ("ZRANGE {} 0 -1 BYLEX BYSCORE", SYNTAX), ("ZRANGE {} 0 -1 REV REV", SYNTAX),
    ("ZRANGE {} 0 -1 LIMIT 0", SYNTAX), ("ZRANGE {} 0 -1 LIMIT", SYNTAX), ("ZRANGE {} 0 -1 LIMIT 0 1", LIMIT_ALONE), ("ZRANGE {} 0 -1 LIMIT 0 -2", LIMIT_ALONE),
    ("ZRANGE {} 0 -1 LIMIT x 1", NOT_INTEGER), ("ZRANGE {} 0 -1 BYSCORE LIMIT 1 x", NOT_INTEGER), ("ZRANGE {} - + BYLEX WITHSCORES", LEX_SCORES),
    ("ZRANGE {} a b BYSCORE", MIN_MAX_FLOAT), ("ZRANGE {} nan 1 BYSCORE", MIN_MAX_FLOAT), ("ZRANGE {} 1 ((2 BYSCORE", MIN_MAX_FLOAT), ("ZRANGE {} a b BYLEX", MIN_MAX_LEX),
    ("ZRANGE {} -x + BYLEX", MIN_MAX_LEX), ("ZRANGE {} - +x BYLEX", MIN_MAX_LEX),
    ("ZREVRANGE {} 0 -1 REV", SYNTAX), ("ZREVRANGE {} 0 -1 BYSCORE", SYNTAX), ("ZREVRANGE {} 0 -1 LIMIT 0 1", LIMIT_ALONE),
    ("ZRANGEBYSCORE {} 1 3 REV", SYNTAX), ("ZRANGEBYSCORE {} 1 3 BYSCORE", SYNTAX), ("ZRANGEBYSCORE {} 1 3 LIMIT 0", SYNTAX), ("ZRANGEBYSCORE {} a 3 foo", SYNTAX),
    ("ZRANGEBYSCORE {} a 3", MIN_MAX_FLOAT), ("ZREVRANGEBYSCORE {} a 3", MIN_MAX_FLOAT), ("ZRANGEBYLEX {} - + WITHSCORES", LEX_SCORES), ("ZRANGEBYLEX {} a b", MIN_MAX_LEX),
    ("ZREVRANGEBYLEX {} b a", MIN_MAX_LEX), ("ZCOUNT {} a b", MIN_MAX_FLOAT), ("ZCOUNT {} [1 2", MIN_MAX_FLOAT), ("ZCOUNT {} 1 1x", MIN_MAX_FLOAT), ("ZLEXCOUNT {} a b", MIN_MAX_LEX),
    ("ZRANGESTORE d {} 0 -1 WITHSCORES", SYNTAX), ("ZRANGESTORE d {} 0 -1 LIMIT 1 2", LIMIT_ALONE), ("ZRANGESTORE d {} a b BYSCORE", MIN_MAX_FLOAT), ("ZRANGESTORE d {} x 1", NOT_INTEGER),
    ("ZREMRANGEBYRANK {} a 1", NOT_INTEGER), ("ZREMRANGEBYSCORE {} a 1", MIN_MAX_FLOAT), ("ZREMRANGEBYLEX {} a b", MIN_MAX_LEX),
]


@pytest.mark.parametrize("command, error", RANGE_ERRORS)
def test_range_errors(c, command, error):
    """Come before the look at the key, whatever it holds."""
    fill(c, "z", "a 1")
    c("SET", "str", "x")
    for key in ("z", "str", "m"):
        assert c.fails(*command.format(key).split()) == error


def test_loose_bounds(c, form):
    """Bounds of scores are read almost as strtod does, which is more than a score may be."""
    fill(c, "z", "a 0 b 1")
    assert c("ZCOUNT", "z", "", "0") == 1
    assert c("ZCOUNT", "z", "(", "1") == 1
    assert c("ZCOUNT", "z", "1.", "1e999") == 1
    assert c("ZCOUNT", "z", "1\0x", "+1.0e0") == 1
    assert c.fails("ZCOUNT", "z", "1 ", "2") == MIN_MAX_FLOAT
    assert c.fails("ZLEXCOUNT", "z", "", "+") == MIN_MAX_LEX


@pytest.mark.since("8.2.0")
@pytest.mark.parametrize("bound", ["0x1", "(0x1", "-0X1p3", "(+0xa", " 1", "( 1", "\t1", "\n-1"])
def test_bounds_without_blanks_and_hexadecimal_digits(c, form, bound):
    fill(c, "z", "a 0 b 1")
    for command in (["ZCOUNT", "z", bound, "inf"], ["ZRANGEBYSCORE", "z", "-inf", bound], ["ZRANGE", "z", bound, "1", "BYSCORE"],
                    ["ZREMRANGEBYSCORE", "z", bound, bound], ["ZREVRANGEBYSCORE", "missing", bound, "0"]):
        assert c.fails(*command) == MIN_MAX_FLOAT
    assert c("ZCARD", "z") == 2
    assert c("ZADD", "z", "0x10", "c") == 1  # a score may be that


def test_count(c, form):
    fill(c, "z", "a 1 b 2 c 2 d 3")
    fill(c, "l", "a 0 b 0 c 0")
    assert [c("ZCOUNT", "z", *r.split()) for r in ("-inf inf", "2 2", "(2 3", "1 (2", "3 1", "(1 (2", "5 6")] == [4, 2, 1, 1, 0, 0, 0]
    assert [c("ZLEXCOUNT", "l", *r.split()) for r in ("- +", "[b +", "(b +", "- (b", "+ -", "[bb [bc")] == [3, 2, 1, 1, 0, 0]


def test_lex_ranges_of_mixed_scores(c, settings):
    """Mean nothing, but in a listpack they mean the same nothing as in Redis."""
    settings(zset_max_listpack_entries=128)
    fill(c, "z", "c 1 a 2 e 3 b 4 d 5")
    assert c("ZRANGEBYLEX", "z", "[b", "[d") == names("c a")
    assert c("ZREVRANGEBYLEX", "z", "[d", "[b") == names("d b e")
    assert c("ZRANGEBYLEX", "z", "-", "[a") == []
    assert c("ZLEXCOUNT", "z", "[c", "[e") == 5


# ZRANGESTORE

def test_rangestore(c, form):
    fill(c, "z", "a 1 b 2 c 3 d 4 e 5")
    assert c("ZRANGESTORE", "d", "z", "1", "2") == 2
    assert everything(c, "d") == pairs("b 2 c 3")
    assert c("ZRANGESTORE", "d", "z", "0", "1", "REV") == 2
    assert everything(c, "d") == pairs("d 4 e 5")
    assert c("ZRANGESTORE", "d", "z", "(4", "-inf", "BYSCORE", "REV", "LIMIT", "1", "5") == 2
    assert everything(c, "d") == pairs("a 1 b 2")
    assert c("ZRANGESTORE", "d", "z", "-", "(b", "BYLEX") == 1
    c("SET", "str", "x", "EX", "100")
    assert c("ZRANGESTORE", "str", "z", "0", "0") == 1
    assert (c("TYPE", "str"), c("TTL", "str")) == (b"zset", -1)
    assert c("ZRANGESTORE", "z", "z", "0", "1") == 2
    assert everything(c, "z") == pairs("a 1 b 2")
    assert c("ZRANGESTORE", "str", "z", "7", "8") == 0
    assert c("EXISTS", "str") == 0


# Removing

def test_rem(c, form):
    fill(c, "z", "a 1 b 2 c 3")
    assert c("ZREM", "z", "a", "x", "a") == 1
    assert c("ZREM", "z", "x") == 0
    assert everything(c, "z") == pairs("b 2 c 3")
    assert c("ZREM", "z", "b", "c", "d") == 2
    assert c("EXISTS", "z") == 0


@pytest.mark.parametrize("command, reply, left", [
    ("ZREMRANGEBYRANK z 0 0", 1, "b 2 c 2 d 3"), ("ZREMRANGEBYRANK z -1 -1", 1, "a 1 b 2 c 2"), ("ZREMRANGEBYRANK z 1 2", 2, "a 1 d 3"),
    ("ZREMRANGEBYRANK z 4 9", 0, "a 1 b 2 c 2 d 3"), ("ZREMRANGEBYRANK z 0 -1", 4, ""), ("ZREMRANGEBYRANK z 2 1", 0, "a 1 b 2 c 2 d 3"),
    ("ZREMRANGEBYSCORE z 2 2", 2, "a 1 d 3"), ("ZREMRANGEBYSCORE z (1 (3", 2, "a 1 d 3"), ("ZREMRANGEBYSCORE z -inf inf", 4, ""),
    ("ZREMRANGEBYSCORE z 7 8", 0, "a 1 b 2 c 2 d 3"), ("ZREMRANGEBYLEX z - +", 4, "")])
def test_remrange(c, form, command, reply, left):
    fill(c, "z", "a 1 b 2 c 2 d 3")
    assert c(*command.split()) == reply
    assert everything(c, "z") == pairs(left)
    assert c("EXISTS", "z") == (left != "")


def test_remrange_by_bytes(c, form):
    fill(c, "l", " ".join(f"{letter} 0" for letter in LETTERS))
    assert c("ZREMRANGEBYLEX", "l", "(b", "[y") == 23
    assert c("ZRANGE", "l", "0", "-1") == names("a b z")
    assert c("ZREMRANGEBYLEX", "l", "[c", "[d") == 0
    assert c("ZREMRANGEBYLEX", "l", "-", "[a") == 1


# Popping

def test_pop(c, form):
    fill(c, "z", "a 1 b 2 c 3 d 4 e 5 f 6")
    assert scored(c("ZPOPMIN", "z")) == pairs("a 1")
    assert scored(c("ZPOPMAX", "z")) == pairs("f 6")
    assert scored(c("ZPOPMIN", "z", "2")) == pairs("b 2 c 3")
    assert c("ZPOPMAX", "z", "0") == []
    assert scored(c("ZPOPMAX", "z", str(I64_MAX))) == pairs("e 5 d 4")
    assert c("EXISTS", "z") == 0


@pytest.mark.parametrize("name", ["ZPOPMIN", "ZPOPMAX"])
def test_pop_errors(c, name):
    c("SET", "str", "x")
    for key in ("str", "m"):
        for count in ("-1", "x", "", str(I64_MAX + 1)):
            assert c.fails(name, key, count) == NOT_POSITIVE
        assert c.fails(name, key, "1", "2") == SYNTAX


def test_mpop(c, form):
    fill(c, "z", "a 1 b 2 c 3 d 4")
    fill(c, "y", "k 1")
    assert c("ZMPOP", "2", "m", "z", "MIN")[0] == b"z"
    key, popped = c("ZMPOP", "3", "m", "z", "y", "max", "count", "2")
    assert (key, scored(popped)) == (b"z", pairs("d 4 c 3"))
    key, popped = c("ZMPOP", "2", "z", "y", "MIN", "COUNT", str(I64_MAX))
    assert (key, scored(popped)) == (b"z", pairs("b 2"))
    assert c("ZMPOP", "2", "z", "y", "MIN")[0] == b"y"
    assert c("ZMPOP", "2", "z", "y", "MIN") is None
    assert c("EXISTS", "z", "y") == 0


@pytest.mark.parametrize("args, error", [
    ("0 k MIN", "ERR numkeys should be greater than 0"), ("-1 k MIN", "ERR numkeys should be greater than 0"), ("x k MIN", "ERR numkeys should be greater than 0"),
    ("2 k MIN", SYNTAX), ("1 k FOO", SYNTAX), ("1 k MIN FOO", SYNTAX), ("1 k MIN COUNT", SYNTAX), ("1 k MIN MAX", SYNTAX), ("9999999999 k MIN", SYNTAX),
    ("1 k MIN COUNT 0", "ERR count should be greater than 0"), ("1 k MIN COUNT -1", "ERR count should be greater than 0"),
    ("1 k MIN COUNT x", "ERR count should be greater than 0"), ("1 k MIN COUNT 1 COUNT 2", SYNTAX), ("1 k MIN COUNT 1 MIN", SYNTAX)])
def test_mpop_errors(c, args, error):
    assert c.fails("ZMPOP", *args.split()) == error


# Chance

def test_randmember(c, form):
    fill(c, "z", "a 1 b 2 c 3 d 4 e 5")
    assert c("ZRANDMEMBER", "z") in names("a b c d e")
    assert c("ZRANDMEMBER", "z", "0") == []
    assert sorted(c("ZRANDMEMBER", "z", "10")) == names("a b c d e")
    assert sorted(scored(c("ZRANDMEMBER", "z", str(I64_MAX // 2), "WITHSCORES"))) == pairs("a 1 b 2 c 3 d 4 e 5")
    few = c("ZRANDMEMBER", "z", "3")
    assert len(few) == len(set(few)) == 3
    many = scored(c("ZRANDMEMBER", "z", "-50", "withscores"))
    assert len(many) == 50 and set(many) <= set(pairs("a 1 b 2 c 3 d 4 e 5"))


@pytest.mark.parametrize("args, error", [
    ("x", NOT_INTEGER), ("WITHSCORES", NOT_INTEGER), ("3 foo", SYNTAX), ("3 WITHSCORES foo", SYNTAX), ("x WITHSCORES", NOT_INTEGER),
    (str(I64_MIN), f"ERR value is out of range, value must between {-I64_MAX} and {I64_MAX}"),
    (f"{-I64_MAX} WITHSCORES", "ERR value is out of range"), (f"{2**62} WITHSCORES", "ERR value is out of range")])
def test_randmember_errors(c, args, error):
    fill(c, "z", "a 1")
    for key in ("z", "m"):
        assert c.fails("ZRANDMEMBER", key, *args.split()) == error


@pytest.mark.tarn_only
def test_randmember_without_end(c, settings):
    """A number of draws that no memory holds is refused."""
    settings(proto_max_bulk_len=1 << 20)
    fill(c, "z", "a 1")
    assert c.fails("ZRANDMEMBER", "z", str(-I64_MAX)) == "ERR the reply would be longer than proto-max-bulk-len"
    assert c("ZCARD", "z") == 1


@pytest.mark.tarn_only
@pytest.mark.parametrize("size, draw", [(10, ["1"]), (10, ["3"]), (10, ["8"]), (10, ["-5"]), (300, ["20"]), (300, ["200"]), (300, ["-40"])])
@pytest.mark.workers(1)
@pytest.mark.protocols(2)
def test_randmember_is_fair(c, form, size, draw):
    """Chi square of how often each member came, far in its tail. (Redis favours some members of a skiplist.)"""
    for i in range(size):
        c("ZADD", "z", i, f"m{i}")
    seen = collections.Counter()
    for reply in c.all([["ZRANDMEMBER", "z", *draw]] * 2000):
        seen.update(reply)
    expected = sum(seen.values()) / size
    chi = sum((seen[b"m%d" % i] - expected)**2 / expected for i in range(size))
    assert chi < size - 1 + 8 * math.sqrt(2 * (size - 1)) + 20, f"{chi} of {size}"


# ZUNION, ZINTER, ZDIFF

ALGEBRA = [  # of x: a 1 b 2 c 3; y: b 10 c 20 z inf; w: z -inf c 5; s: plain set of a c q
    ("ZUNION 2 x y", "a 1 b 12 c 23 z inf"),
    ("ZUNION 2 x y WEIGHTS 2 0.5", "a 2 b 9 c 16 z inf"),
    ("ZUNION 2 x y WEIGHTS 1 1 WEIGHTS 2 3", "a 2 b 34 c 66 z inf"),
    ("ZUNION 2 x y AGGREGATE MIN", "a 1 b 2 c 3 z inf"),
    ("ZUNION 2 x y aggregate max", "a 1 b 10 c 20 z inf"),
    ("ZUNION 2 x y WEIGHTS 1 -1 AGGREGATE SUM", "z -inf c -17 b -8 a 1"),
    ("ZUNION 2 x y AGGREGATE MAX AGGREGATE MIN", "a 1 b 2 c 3 z inf"),
    ("ZUNION 2 y w", "z 0 b 10 c 25"),
    ("ZUNION 2 y w AGGREGATE MIN", "z -inf c 5 b 10"),
    ("ZUNION 2 x y WEIGHTS 1 0", "z 0 a 1 b 2 c 3"),
    ("ZUNION 2 x s", "q 1 a 2 b 2 c 4"),
    ("ZUNION 2 s s WEIGHTS 2 3", "a 5 c 5 q 5"),
    ("ZUNION 3 m x m", "a 1 b 2 c 3"),
    ("ZUNION 2 x x", "a 2 b 4 c 6"),
    ("ZINTER 2 x y", "b 12 c 23"),
    ("ZINTER 3 x y w", "c 28"),
    ("ZINTER 2 x y WEIGHTS 2 3 AGGREGATE MAX", "b 30 c 60"),
    ("ZINTER 2 x y AGGREGATE MIN", "b 2 c 3"),
    ("ZINTER 2 y w", "z 0 c 25"),
    ("ZINTER 2 x s", "a 2 c 4"),
    ("ZINTER 2 x m", ""),
    ("ZINTER 1 x WEIGHTS 3", "a 3 b 6 c 9"),
    ("ZINTER 2 x x", "a 2 b 4 c 6"),
    ("ZDIFF 2 x y", "a 1"),
    ("ZDIFF 2 x s", "b 2"),
    ("ZDIFF 2 s x", "q 1"),
    ("ZDIFF 3 y x w", ""),
    ("ZDIFF 2 x m", "a 1 b 2 c 3"),
    ("ZDIFF 2 m x", ""),
    ("ZDIFF 2 x x", ""),
    ("ZDIFF 1 y", "b 10 c 20 z inf"),
]


@pytest.mark.needs("SADD")
@pytest.mark.parametrize("command, result", ALGEBRA)
def test_algebra(c, form, command, result):
    fill(c, "x", "a 1 b 2 c 3")
    fill(c, "y", "b 10 c 20 z inf")
    fill(c, "w", "z -inf c 5")
    c("SADD", "s", "a", "c", "q")
    name, *args = command.split()
    assert c(name, *args) == [member for member, _ in pairs(result)]
    assert scored(c(name, *args, "WITHSCORES")) == pairs(result)
    fill(c, "d", "old 1")
    assert c(name + "STORE", "d", *args) == len(pairs(result))
    assert everything(c, "d") == pairs(result)
    assert c("EXISTS", "d") == (result != "")
    if result:
        assert c("OBJECT", "ENCODING", "d").decode() == form
    if name == "ZINTER":
        plain = args[:1 + int(args[0])]
        assert c("ZINTERCARD", *plain) == len(pairs(result))
        assert c("ZINTERCARD", *plain, "LIMIT", "1") == min(1, len(pairs(result)))
        assert c("ZINTERCARD", *plain, "limit", "0") == len(pairs(result))
    # Onto one of the inputs.
    target = args[1]
    assert c(name + "STORE", target, *args) == len(pairs(result))
    assert everything(c, target) == pairs(result)


def test_order_of_sums(c, form):
    """Inputs are taken from the smallest to the largest, equal ones in their order: that decides how sums are rounded."""
    fill(c, "x", "m 1e16")
    fill(c, "y", "m 1")
    fill(c, "z", "m -1e16")
    fill(c, "big", "m -1e16 n 1 o 1")
    for name in ("ZUNION", "ZINTER"):
        assert scored(c(name, "3", "x", "y", "z", "WITHSCORES"))[0] == (b"m", 0)
        assert scored(c(name, "3", "x", "z", "y", "WITHSCORES"))[0] == (b"m", 1)
        assert scored(c(name, "3", "x", "big", "y", "WITHSCORES"))[0] == (b"m", 0)
        assert scored(c(name, "3", "big", "x", "y", "WITHSCORES"))[0] == (b"m", 0)


@pytest.mark.parametrize("name", ["ZUNION", "ZINTER", "ZDIFF", "ZINTERCARD", "ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"])
def test_algebra_errors(c, name):
    fill(c, "x", "a 1")
    fill(c, "d", "old 1")
    first = [name, "d"] if name.endswith("STORE") else [name]
    assert c.fails(*first, "0", "x") == needs_a_key(name.lower())
    assert c.fails(*first, "-1", "x") == needs_a_key(name.lower())
    assert c.fails(*first, "k", "x") == NOT_INTEGER
    assert c.fails(*first, "2", "x") == SYNTAX
    assert c.fails(*first, "9999999999", "x") == SYNTAX
    assert c.fails(*first, "1", "x", "foo") == SYNTAX
    assert c.fails(*first, "1", "x", "y") == SYNTAX
    weighs = name.startswith(("ZUNION", "ZINTER")) and name != "ZINTERCARD"
    not_float = "ERR weight value is not a float"
    for words, error in (("WEIGHTS", SYNTAX), ("WEIGHTS x", not_float), ("WEIGHTS nan", not_float), ("WEIGHTS 1 2", SYNTAX),
                         ("AGGREGATE", SYNTAX), ("AGGREGATE foo", SYNTAX), ("AGGREGATE MIN WEIGHTS", SYNTAX)):
        assert c.fails(*first, "1", "x", *words.split()) == (error if weighs else SYNTAX)
    if name.endswith("STORE") or name == "ZINTERCARD":
        assert c.fails(*first, "1", "x", "WITHSCORES") == SYNTAX
    else:
        assert c(*first, "1", "x", "WITHSCORES", "WITHSCORES")
    assert everything(c, "d") == pairs("old 1")


def test_intercard_errors(c):
    fill(c, "x", "a 1")
    for limit in ("-1", "x", "1.5"):
        assert c.fails("ZINTERCARD", "1", "x", "LIMIT", limit) == "ERR LIMIT can't be negative"
    assert c.fails("ZINTERCARD", "1", "x", "LIMIT") == SYNTAX
    assert c("ZINTERCARD", "1", "x", "LIMIT", "5", "LIMIT", "1") == 1


def test_store_replaces_anything(c, form):
    fill(c, "x", "a 1")
    for name in ("ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"):
        c("SET", "d", "x", "EX", "100")
        assert c(name, "d", "1", "x") == 1
        assert (c("TYPE", "d"), c("TTL", "d")) == (b"zset", -1)
        c("SET", "d", "x")
        assert c(name, "d", "1", "m") == 0
        assert c("EXISTS", "d") == 0


# Forms

def encoding(c, key):
    return c("OBJECT", "ENCODING", key).decode()


def test_forms(c, settings):
    settings(zset_max_listpack_entries=4, zset_max_listpack_value=8)
    c("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d")
    assert encoding(c, "z") == "listpack"
    c("ZADD", "z", "9", "a", "8", "d")
    assert encoding(c, "z") == "listpack"
    c("ZADD", "z", "5", "e")
    assert encoding(c, "z") == "skiplist"
    assert everything(c, "z") == pairs("b 2 c 3 e 5 d 8 a 9")
    c("ZREM", "z", "a", "b", "c", "d")
    assert encoding(c, "z") == "skiplist"
    c("ZADD", "long", "1", "x" * 8)
    assert encoding(c, "long") == "listpack"
    c("ZADD", "long", "1", "x" * 9)
    assert encoding(c, "long") == "skiplist"
    c("ZADD", "first", "1", "x" * 9)
    assert encoding(c, "first") == "skiplist"
    c("ZADD", "inc", *[word for i in range(4) for word in (i, f"m{i}")])
    c("ZINCRBY", "inc", "1", "m0")
    assert encoding(c, "inc") == "listpack"
    c("ZINCRBY", "inc", "1", "new")
    assert encoding(c, "inc") == "skiplist"


@pytest.mark.since("8.2.0")
def test_many_pairs_at_once_take_the_large_form(c, settings):
    """Also when they are the same member again and again."""
    settings(zset_max_listpack_entries=4)
    c("ZADD", "few", *["1", "a"] * 4)
    assert encoding(c, "few") == "listpack"
    assert c("ZADD", "many", *["1", "a"] * 5) == 1
    assert c("ZADD", "few", "XX", *["2", "a"] * 5) == 0
    assert c("GEOADD", "places", *["1", "1", "a"] * 5) == 1
    assert [encoding(c, key) for key in ("few", "many", "places")] == ["skiplist"] * 3
    assert everything(c, "few") == pairs("a 2")
    assert everything(c, "many") == pairs("a 1")


def test_forms_of_results(c, settings):
    settings(zset_max_listpack_entries=4, zset_max_listpack_value=8)
    for i in range(10):
        c("ZADD", "big", i, f"m{i}")
    fill(c, "long", "yyyyyyyyyyyyyyyyyyyy 1")
    fill(c, "few", "m1 1 m2 2")
    for command, form in (("ZRANGESTORE d big 0 3", "listpack"), ("ZRANGESTORE d big 0 4", "skiplist"), ("ZRANGESTORE d big 0 3 BYSCORE", "listpack"),
                          ("ZRANGESTORE d big 0 4 BYSCORE", "skiplist"), ("ZRANGESTORE d long 0 0", "skiplist"), ("ZUNIONSTORE d 1 long", "skiplist"),
                          ("ZUNIONSTORE d 1 big", "skiplist"), ("ZINTERSTORE d 2 big few", "listpack"), ("ZDIFFSTORE d 2 big long", "skiplist"),
                          ("ZDIFFSTORE d 2 few long", "listpack"), ("ZUNIONSTORE big 1 few", "listpack")):
        c(*command.split())
        assert encoding(c, command.split()[1]) == form, command


def test_default_thresholds(c):
    for i in range(128):
        c("ZADD", "z", i, i)
    assert encoding(c, "z") == "listpack"
    c("ZADD", "z", "1", "one more")
    assert encoding(c, "z") == "skiplist"
    c("ZADD", "y", "1", "x" * 64)
    assert encoding(c, "y") == "listpack"
    c("ZADD", "y", "1", "x" * 65)
    assert encoding(c, "y") == "skiplist"


# ZSCAN

@pytest.mark.parametrize("args, error", [
    ("x", "ERR invalid cursor"), ("0 foo", SYNTAX), ("0 COUNT", SYNTAX), ("0 COUNT 0", SYNTAX), ("0 COUNT x", NOT_INTEGER),
    ("0 MATCH", SYNTAX), ("0 TYPE zset", SYNTAX)])
def test_scan_errors(c, args, error):
    fill(c, "z", "a 1")
    assert c.fails("ZSCAN", "z", *args.split()) == error


def test_scan_small(c, settings):
    """A listpack comes as a whole, whatever the cursor and COUNT."""
    settings(zset_max_listpack_entries=128)
    fill(c, "z", "a 1 bb 2 b 2.5")
    assert c("ZSCAN", "z", "0") == [b"0", [b"a", b"1", b"bb", b"2", b"b", b"2.5"]]
    assert c("ZSCAN", "z", "77", "COUNT", "1", "MATCH", "*") == [b"0", [b"a", b"1", b"bb", b"2", b"b", b"2.5"]]
    assert c("ZSCAN", "z", "0", "MATCH", "b*") == [b"0", [b"bb", b"2", b"b", b"2.5"]]
    assert c("ZSCAN", "z", "0", "MATCH", "x") == [b"0", []]


def test_scan_guarantee(c):
    """What is there all the time is seen, while the set grows from a listpack and shrinks again."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    stays = {f"stays{i}".encode() for i in range(100)}
    c("ZADD", "z", *[word for member in stays for word in (1, member)])
    seen, cursor, step = set(), b"0", 0
    while True:
        cursor, found = c("ZSCAN", "z", cursor, "COUNT", "20")
        seen |= set(found[::2])
        if cursor == b"0":
            break
        step += 1
        assert step < 10000
    assert stays <= seen
    for i in range(400):
        c("ZADD", "z", i, f"other{i}")
    seen, cursor, step = set(), b"0", 0
    while True:
        cursor, found = c("ZSCAN", "z", cursor, "COUNT", "20", "MATCH", "stays*")
        assert all(score == b"1" for score in found[1::2])
        seen |= set(found[::2])
        if cursor == b"0":
            break
        grows = step % 20 < 10
        c.all([["ZADD", "z", "5", f"more{rng.randrange(5000)}"] if grows else ["ZREM", "z", *[f"more{rng.randrange(5000)}" for _ in range(5)]] for _ in range(30)])
        step += 1
        assert step < 10000
    assert stays <= seen


# Events

EVENTS = [
    ("ZADD k 1 a 2 b", "zadd:k"), ("ZADD k 1 a", ""), ("ZADD k 3 a", "zadd:k"), ("ZADD k NX 3 a", ""), ("ZADD k INCR 3 a", "zincr:k"), ("ZADD k INCR 0 a", ""),
    ("ZADD k NX INCR 3 a", ""), ("ZADD m XX 1 a", ""), ("ZINCRBY k 1 a", "zincr:k"), ("ZINCRBY n 0 a", "zincr:n"), ("ZREM k a", "zrem:k"), ("ZREM k a", ""),
    ("ZREM k b", "zrem:k del:k"), ("ZADD k 1 a 2 b 3 c 4 d 5 e", "zadd:k"), ("ZREMRANGEBYRANK k 0 0", "zremrangebyrank:k"),
    ("ZREMRANGEBYRANK k 9 9", ""), ("ZREMRANGEBYSCORE k 2 2", "zremrangebyscore:k"), ("ZREMRANGEBYLEX k - +", "zremrangebylex:k del:k"), ("ZREMRANGEBYLEX k - +", ""),
    ("ZADD k 1 a 2 b 3 c 4 d 5 e", "zadd:k"), ("ZPOPMIN k", "zpopmin:k"), ("ZPOPMAX k 1", "zpopmax:k"), ("ZPOPMIN k 0", ""), ("ZPOPMIN k 9", "zpopmin:k del:k"),
    ("ZPOPMIN k", ""), ("ZADD k 1 a 2 b", "zadd:k"), ("ZMPOP 2 m k MIN", "zpopmin:k"), ("ZMPOP 1 k MAX COUNT 5", "zpopmax:k del:k"), ("ZMPOP 1 k MAX", ""),
    ("ZADD k 1 a 2 b", "zadd:k"), ("ZUNIONSTORE d 2 k n", "zunionstore:d"), ("ZINTERSTORE d 2 k n", "zinterstore:d"), ("ZINTERSTORE d 2 k m", "del:d"),
    ("ZINTERSTORE d 2 k m", ""), ("ZDIFFSTORE d 2 k n", "zdiffstore:d"), ("ZRANGESTORE d k 0 0", "zrangestore:d"), ("ZRANGESTORE d k 7 8", "del:d"),
    ("ZRANGESTORE d k 7 8", ""), ("ZDIFFSTORE k 2 k k", "del:k"),
]


@pytest.mark.needs("PSUBSCRIBE")
@pytest.mark.protocols(2)
def test_events(c, server, settings):
    settings(notify_keyspace_events="Ezg")
    with server.wire() as listener:
        listener("PSUBSCRIBE", "__keyevent@0__:*")
        for command, expected in EVENTS:
            c(*command.split())
            c("SET", "mark", "x")
            c("DEL", "mark")
            seen = []
            while True:
                channel, key = listener.read()[2:]
                event = f"{channel.decode().split(':')[1]}:{key.decode()}"
                if event == "del:mark":
                    break
                seen.append(event)
            assert " ".join(seen) == expected, command


def test_expiry_stays(c):
    """Changes keep the key's expiry; what is stored anew has none."""
    fill(c, "z", "a 1 b 2 c 3")
    c("EXPIRE", "z", "100")
    c("ZADD", "z", "4", "d")
    c("ZPOPMIN", "z")
    c("ZREM", "z", "b")
    assert 0 < c("TTL", "z") <= 100
    c("ZUNIONSTORE", "z", "1", "z")
    assert c("TTL", "z") == -1


# Large ones, and everything at random

@pytest.mark.workers(1)
@pytest.mark.protocols(2)
def test_many_members(c):
    """Ranges, ranks and removals of a set of 50 000, in which scores come twice and more."""
    count, rng = 50000, random.Random(7)
    scores = {b"member:%06d" % i: rng.randrange(20000) for i in range(count)}
    members = list(scores)
    for i in range(0, count, 500):
        c("ZADD", "z", *[word for m in members[i:i + 500] for word in (scores[m], m)])
    order = sorted(members, key=lambda m: (scores[m], m))
    assert c("ZRANGE", "z", "0", "-1") == order
    assert c("ZRANGE", "z", "0", "-1", "REV") == order[::-1]
    for _ in range(200):
        a, b = sorted(rng.randrange(count) for _ in range(2))
        assert c("ZRANGE", "z", a, min(b, a + 300)) == order[a:min(b, a + 300) + 1]
        assert c("ZRANK", "z", order[a]) == a
        assert c("ZREVRANK", "z", order[b]) == count - 1 - b
        low = rng.randrange(20000)
        inside = [m for m in order if low <= scores[m] <= low + 40]
        assert c("ZRANGEBYSCORE", "z", low, low + 40) == inside
        assert c("ZREVRANGEBYSCORE", "z", low + 40, low, "LIMIT", "3", "10") == inside[::-1][3:13]
        assert c("ZCOUNT", "z", low, low + 40) == len(inside)
    assert c("ZREMRANGEBYRANK", "z", "100", "39999") == 39900
    assert c("ZRANGE", "z", "0", "-1") == order[:100] + order[40000:]
    assert c("ZREMRANGEBYSCORE", "z", "-inf", "inf") == 10100
    assert c("EXISTS", "z") == 0


def test_random_commands(c, settings):
    """Beside a dictionary, in sets that cross the threshold both ways."""
    settings(zset_max_listpack_entries=16)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    model = {}

    def order():
        return sorted(model.items(), key=lambda item: (item[1], item[0]))
    for step in range(1500):
        member, score, pick = b"m%d" % rng.randrange(40), rng.randrange(-40, 40) / 4, rng.randrange(10)
        if pick < 4:
            assert c("ZADD", "z", "CH", score, member) == (model.get(member) != score)
            model[member] = score
        elif pick == 4:
            model[member] = model.get(member, 0) + score
            assert float(c("ZINCRBY", "z", score, member)) == model[member]
        elif pick < 7:
            assert c("ZREM", "z", member) == (model.pop(member, None) is not None)
        elif pick == 7 and rng.random() < 0.3:
            gone = order()[-3:][::-1]
            assert scored(c("ZPOPMAX", "z", "3")) == gone
            for m, _ in gone:
                del model[m]
        elif pick == 8 and rng.random() < 0.2:
            gone = [m for m, s in model.items() if score <= s < score + 1]
            assert c("ZREMRANGEBYSCORE", "z", score, f"({score + 1}") == len(gone)
            for m in gone:
                del model[m]
        else:
            inside = [(m, s) for m, s in order() if s >= score]
            assert scored(c("ZRANGE", "z", score, "inf", "BYSCORE", "WITHSCORES")) == inside
            ranked = [m for m, _ in order()]
            assert c("ZRANK", "z", member) == (ranked.index(member) if member in model else None)
        if step % 100 == 0:
            assert everything(c, "z") == order()
            if rng.random() < 0.2:
                c("DEL", "z")
                model.clear()
