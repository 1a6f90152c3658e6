"""DUMP and RESTORE: payloads cross to and from a redis-server 7.0 both ways and are the same bytes where the form is the same; old
payloads are read; what is damaged or made up is refused and harms nothing."""
import os
import random
import shutil
import time

import pytest

from tests.system import payloads as p
from tests.system.harness import Server, wait_until

REFERENCE = "/usr/bin/redis-server"
BAD_FORMAT = "ERR Bad data format"
BAD_SUM = "ERR DUMP payload version or checksum are wrong"

# Small forms that 7.0 has too; ours are the sizes at which they are left.
LIMITS = {"set-max-intset-entries": 512, "hash-max-listpack-entries": 128, "zset-max-listpack-entries": 128,
          "hash-max-listpack-value": 64, "zset-max-listpack-value": 64}


@pytest.fixture(scope="module")
def redis7():
    assert shutil.which(REFERENCE), "tests compare with Debian's redis-server"
    with Server(REFERENCE, LIMITS) as server:
        with server.client() as client:
            yield client


@pytest.fixture
def other(redis7):
    redis7("FLUSHALL")
    return redis7


@pytest.fixture
def limits(settings):
    settings(**{name.replace("-", "_"): value for name, value in LIMITS.items()})


def ints(*numbers):
    return [str(n) for n in numbers]


# name: commands that make the key "k", and whether the bytes of its DUMP are the same on both sides.
VALUES = {
    "text": ([["SET", "k", "hello"]], True),
    "empty text": ([["SET", "k", ""]], True),
    "small number": ([["SET", "k", "-12"]], True),
    "number": ([["SET", "k", "123456"]], True),
    "large number": ([["SET", "k", "12345678901234"]], True),
    "number of text": ([["SET", "k", "12"], ["APPEND", "k", "3"]], True),
    "compressible": ([["SET", "k", "abcabc" * 100]], True),
    "long and random": ([["SET", "k", random.Random(1).randbytes(100_000)]], True),
    "bits": ([["SETBIT", "k", "70000", "1"]], True),
    "short list": ([["RPUSH", "k", "a", "1", "-70000", "x" * 100, ""]], True),
    "long list": ([["RPUSH", "k", *(f"element {i}" for i in range(i, i + 500))] for i in range(0, 5000, 500)], False),
    "list of numbers": ([["RPUSH", "k", *ints(*range(-3000, 3000, 7))]], True),
    "large elements": ([["RPUSH", "k", "a", "y" * 20_000, "b", "z" * 9000]], False),
    "a large element": ([["RPUSH", "k", "y" * 20_000]], True),
    "ints": ([["SADD", "k", *ints(3, 1, 2)]], True),
    "wide ints": ([["SADD", "k", *ints(3, 70000, -2**40)]], True),
    "one member": ([["SADD", "k", "one"]], True),
    "members": ([["SADD", "k", "one", "two", "3"]], False),
    "many members": ([["SADD", "k", *(f"member {i}" for i in range(1000))]], False),
    "many ints": ([["SADD", "k", *ints(*range(1000))]], False),
    "small sorted set": ([["ZADD", "k", "1", "a", "2.5", "b", "-inf", "c", "1e20", "d", "-0.5", "e", "3", "7"]], True),
    "sorted set": ([["ZADD", "k", *(x for i in range(500) for x in (str(i / 3), f"m{i}"))]], True),
    "sorted by members": ([["ZADD", "k", *(x for i in range(300) for x in ("0", f"m{i}"))], ["ZADD", "k", "inf", "last"]], True),
    "small hash": ([["HSET", "k", "f", "v", "1", "2", "empty", ""]], True),
    "hash": ([["HSET", "k", *(x for i in range(300) for x in (f"f{i}", str(i)))]], False),
    "one long field": ([["HSET", "k", "f", "v" * 100]], True),
    "stream": ([["XADD", "k", f"{i}-1", "field", str(i)] for i in range(1, 30)], True),
    "stream of several shapes": ([["XADD", "k", "1-1", "a", "1"], ["XADD", "k", "1-2", "a", "2", "b", "3"],
                                  ["XADD", "k", "5-0", "c", "x" * 100]], True),
    "stream of many nodes": ([["XADD", "k", f"{i}-1", "field", str(i), "other", "x"] for i in range(1, 500)], False),
    "stream with deleted entries": ([*(["XADD", "k", f"{i}-1", "f", str(i)] for i in range(1, 10)), ["XDEL", "k", "3-1", "9-1"]],
                                    True),
    "empty stream": ([["XADD", "k", "1-1", "f", "v"], ["XTRIM", "k", "MAXLEN", "0"]], True),
    "stream with groups": ([*(["XADD", "k", f"{i}-1", "f", str(i)] for i in range(1, 10)), ["XGROUP", "CREATE", "k", "g", "2-1"],
                            ["XGROUP", "CREATE", "k", "g2", "$"], ["XGROUP", "CREATECONSUMER", "k", "g2", "idle"],
                            ["XREADGROUP", "GROUP", "g", "c1", "COUNT", "3", "STREAMS", "k", ">"],
                            ["XREADGROUP", "GROUP", "g", "c2", "STREAMS", "k", ">"], ["XACK", "k", "g", "3-1"]], False),
}


def known(c, commands):
    """Whether this server has all of these commands yet."""
    names = {command[0] for command in commands}
    return all(c("COMMAND", "INFO", *names))


def content(c, key="k"):
    """What a value says, alike for both servers."""
    kind = c("TYPE", key)
    kind = kind if isinstance(kind, str) else kind.decode()
    if kind == "string":
        return c("GET", key)
    if kind == "list":
        return c("LRANGE", key, 0, -1)
    if kind == "set":
        return sorted(c("SMEMBERS", key))
    if kind == "hash":
        return sorted(c.pairs(c("HGETALL", key)).items())
    if kind == "zset":
        reply = c("ZRANGE", key, 0, -1, "WITHSCORES")
        flat = reply if not reply or not isinstance(reply[0], list) else [part for pair in reply for part in pair]
        return [part if i % 2 == 0 else float(part) for i, part in enumerate(flat)]
    if kind == "stream":
        return c("XRANGE", key, "-", "+"), stream_state(c, key)
    assert kind == "none"
    return None


def stream_state(c, key):
    info = c.pairs(c("XINFO", "STREAM", key))
    groups = []
    for group in c("XINFO", "GROUPS", key):
        group = c.pairs(group)
        pending = [entry[:2] + entry[3:] for entry in c("XPENDING", key, group[b"name"], "-", "+", 1000)]
        names = sorted(c.pairs(consumer)[b"name"] for consumer in c("XINFO", "CONSUMERS", key, group[b"name"]))
        groups.append((sorted((k, v) for k, v in group.items()), pending, names))
    names = (b"length", b"last-generated-id", b"max-deleted-entry-id", b"entries-added", b"groups")
    return [info[name] for name in names], groups


@pytest.mark.parametrize("name", VALUES)
def test_there_and_back(c, other, limits, reference, name):
    commands, same_bytes = VALUES[name]
    if not known(c, commands):
        pytest.fail(f"the server does not have all of {sorted({command[0] for command in commands})}")
    for command in commands:
        c(*command)
        other(*command)
    want = content(other)
    assert content(c) == want
    ours, theirs = c("DUMP", "k"), other("DUMP", "k")
    if same_bytes:
        assert ours == theirs
    assert c("RESTORE", "here", 0, theirs) in (b"OK", "OK") and other("RESTORE", "there", 0, ours) == b"OK"
    assert content(c, "here") == content(other, "there") == want
    for encoded in ("here", "k"):
        if name.startswith(("short list", "list of", "long list", "a large", "large el", "members", "one member", "bits", "number of")):
            break  # forms that 7.0 does not have, or that APPEND leaves
        assert c("OBJECT", "ENCODING", encoded) == other("OBJECT", "ENCODING", "there")
    # Once more, from our own form.
    assert c("RESTORE", "again", 0, ours) in (b"OK", "OK") and content(c, "again") == want
    if not reference:
        digests = c("DEBUG", "DIGEST-VALUE", "k", "again", "here")
        # When entries were delivered differs between two servers.
        assert len(set(digests[:2 if name == "stream with groups" else 3])) == 1


def test_missing_keys(c):
    assert c("DUMP", "none") is None
    assert c.fails("DUMP") == "ERR wrong number of arguments for 'dump' command"


# ---- Old and new kinds ----

PAIRS = [(b"f1", b"v1"), (b"f2", b"22"), (b"33", b"v3")]
FLAT_PAIRS = [x for pair in PAIRS for x in pair]
LONG = b"x" * 300
END = 4102444800000  # 2100

# name: kind, body, the value. Kinds to 19 are tried on redis-server 7.0, too.
KINDS = {
    "integer string": (0, b"\xc1\x39\x30", b"12345"),
    "lzf string": (0, b"\xc3\x06\x0c\x01ab\xe0\x01\x01", b"ab" * 6),
    "list": (1, p.length(3) + p.strings(b"a", b"1", LONG), [b"a", b"1", LONG]),
    "set": (2, p.length(3) + p.strings(b"a", b"1", LONG), sorted([b"a", b"1", LONG])),
    "set of ints": (2, p.length(3) + p.strings(b"5", b"1", b"700"), [b"1", b"5", b"700"]),
    "old sorted set": (3, p.length(4) + b"".join(p.string(m) + p.old_double(s) for m, s in (
        (b"b", b"2.5"), (b"a", b"-1"), (b"hi", b"inf"), (b"lo", b"-inf"))),
        [b"lo", float("-inf"), b"a", -1.0, b"b", 2.5, b"hi", float("inf")]),
    "hash": (4, p.length(3) + p.strings(*FLAT_PAIRS), sorted(PAIRS)),
    "sorted set": (5, p.length(2) + p.string(b"b") + p.double(2.5) + p.string(b"a") + p.double(-0.5), [b"a", -0.5, b"b", 2.5]),
    "zipmap": (9, p.string(p.zipmap(*PAIRS, (LONG, b"long"))), sorted([*PAIRS, (LONG, b"long")])),
    "ziplist list": (10, p.string(p.ziplist(b"a", 1, -200, 70000, 2**23, -2**40, LONG, b"x" * 20000, b"end")),
                     [b"a", b"1", b"-200", b"70000", b"8388608", b"-1099511627776", LONG, b"x" * 20000, b"end"]),
    "intset": (11, p.string(p.intset(4, -70000, 1, 70000)), [b"-70000", b"1", b"70000"]),
    "ziplist sorted set": (12, p.string(p.ziplist(b"a", b"-0.5", b"b", 2, b"c", b"inf")),
                           [b"a", -0.5, b"b", 2.0, b"c", float("inf")]),
    "ziplist hash": (13, p.string(p.ziplist(b"f1", b"v1", b"f2", 22, 33, b"v3")), sorted(PAIRS)),
    "ziplists": (14, p.length(3) + p.strings(p.ziplist(b"a", 1), p.ziplist(2), p.ziplist(LONG)), [b"a", b"1", b"2", LONG]),
    "listpack hash": (16, p.string(p.listpack(b"f1", b"v1", b"f2", 22, 33, b"v3")), sorted(PAIRS)),
    "listpack sorted set": (17, p.string(p.listpack(b"a", b"-0.5", b"b", 2)), [b"a", -0.5, b"b", 2.0]),
    "listpacks": (18, p.length(4) + b"\2" + p.string(p.listpack(b"a", 1)) + b"\1" + p.string(LONG) + b"\2" + p.string(
        p.listpack(2)) + b"\2" + p.string(p.listpack(b"y" * 5000)), [b"a", b"1", LONG, b"2", b"y" * 5000]),
    "listpack of unknown count": (16, p.string(p.listpack(b"f", b"v", count=65535)), [(b"f", b"v")]),
    "listpack set": (20, p.string(p.listpack(b"a", 1, b"x")), [b"1", b"a", b"x"]),
    "hash with ends": (24, p.ms(END) + p.length(3) + b"".join(p.length(end) + p.strings(*pair) for end, pair in zip(
        (1, 0, 1001), PAIRS)), sorted(PAIRS)),
    "listpack hash with ends": (25, p.ms(END) + p.string(p.listpack(b"f1", b"v1", END, b"33", b"v3", END + 1000, b"f2", 22, 0)),
                                sorted(PAIRS)),
    "hash with ends of a release candidate": (22, p.length(2) + p.length(END) + p.strings(b"f", b"v") + p.length(0) + p.strings(
        b"g", b"w"), [(b"f", b"v"), (b"g", b"w")]),
    "listpack hash with ends of a release candidate": (23, p.string(p.listpack(b"f", b"v", END, b"g", b"w", 0)),
                                                       [(b"f", b"v"), (b"g", b"w")]),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind(c, other, reference, name):
    kind, body, want = KINDS[name]
    if kind <= 19:
        assert other("RESTORE", "k", 0, p.payload(kind, body)) == b"OK" and content(other) == want
    if reference and kind > 19:
        return
    assert c("RESTORE", "k", 0, p.payload(kind, body, 12 if kind > 19 else 10)) in (b"OK", "OK")
    assert content(c) == want
    if "ends" in name and "candidate" not in name:
        assert c("HPEXPIRETIME", "k", "FIELDS", 3, "f1", "f2", "33") == [END, -1, END + 1000]
    elif "ends" in name:
        assert c("HPEXPIRETIME", "k", "FIELDS", 2, "f", "g") == [END, -1]
    # What it became is dumped, and read, once more.
    assert c("RESTORE", "again", 0, c("DUMP", "k")) in (b"OK", "OK") and content(c, "again") == want
    if not reference:
        assert len(set(c("DEBUG", "DIGEST-VALUE", "k", "again"))) == 1


@pytest.mark.tarn_only
def test_fields_that_end(c, settings):
    """As Redis 8.2 writes them, byte by byte."""
    c("HSET", "h", "a", 1, "b", 2)
    c("HPEXPIREAT", "h", 2000000000000, "FIELDS", 1, "a")
    assert c("DUMP", "h") == (b"\x19\x00 J\xa9\xd1\x01\x00\x00\x1d\x1d\x00\x00\x00\x06\x00\x81a\x02\x01\x01\xf4\x00 J\xa9\xd1\x01"
                              b"\x00\x00\t\x81b\x02\x02\x01\x00\x01\xff\x0c\x00\x99\xf45\x8b\xafl\xe1=")
    c("HPERSIST", "h", "FIELDS", 1, "a")
    assert c("DUMP", "h")[:1] == b"\x10"  # nothing that Redis 7.0 could not read
    settings(hash_max_listpack_entries=1)
    c("HSET", "one", "a", 1, "b", 2)
    c("HPEXPIREAT", "one", 2000000000000, "FIELDS", 1, "a")
    c("HPEXPIREAT", "one", 2000000000700, "FIELDS", 1, "b")
    dump = c("DUMP", "one")
    assert dump[:10] == b"\x18" + p.ms(2000000000000) + b"\x02" and dump[-10:-8] == b"\x0c\0"
    assert c("RESTORE", "two", 0, dump) in (b"OK", "OK")
    assert c("HPEXPIRETIME", "two", "FIELDS", 2, "a", "b") == [2000000000000, 2000000000700]
    # What has ended meanwhile is gone.
    c("HSET", "short", "a", 1, "b", 2)
    c("HPEXPIRE", "short", 30, "FIELDS", 1, "a")
    dump = c("DUMP", "short")
    wait_until(lambda: c("HLEN", "short") == 1)
    assert c("RESTORE", "late", 0, dump) in (b"OK", "OK") and c.pairs(c("HGETALL", "late")) == {b"b": b"2"}


def test_the_form_follows_the_limits(c, limits, settings):
    values = {"s": p.payload(2, p.length(600) + p.strings(*(b"%d" % i for i in range(600)))),
              "h": p.payload(16, p.string(p.listpack(*range(400)))),
              "z": p.payload(17, p.string(p.listpack(*(i // 2 for i in range(400)))))}
    c("RESTORE", "s", 0, values["s"])
    c("RESTORE", "h", 0, values["h"])
    c("RESTORE", "z", 0, values["z"])
    assert [c("OBJECT", "ENCODING", k) for k in "shz"] == [b"hashtable", b"hashtable", b"skiplist"]
    settings(set_max_intset_entries=1000, hash_max_listpack_entries=1000, zset_max_listpack_entries=1000)
    for key, value in values.items():
        c("RESTORE", key, 0, value, "REPLACE")
    assert [c("OBJECT", "ENCODING", k) for k in "shz"] == [b"intset", b"listpack", b"listpack"]


# ---- Options ----


def test_options(c, settings):
    c("SET", "s", "hello")
    dump = c("DUMP", "s")
    assert c.fails("RESTORE", "s", 0, dump) == "BUSYKEY Target key name already exists."
    assert c("RESTORE", "s", 5000, dump, "REPLACE") in (b"OK", "OK") and 4000 < c("PTTL", "s") <= 5000
    assert c("RESTORE", "s", 0, dump, "replace") in (b"OK", "OK") and c("TTL", "s") == -1
    assert c("RESTORE", "s", END, dump, "REPLACE", "ABSTTL") in (b"OK", "OK") and c("PEXPIRETIME", "s") == END
    c("RPUSH", "l", 1)
    assert c("RESTORE", "s", 0, c("DUMP", "l"), "REPLACE") in (b"OK", "OK") and c("LRANGE", "s", 0, -1) == [b"1"]
    assert c("RESTORE", "i", 0, dump, "IDLETIME", 1000) in (b"OK", "OK") and 1000 <= c("OBJECT", "IDLETIME", "i") <= 1010
    assert c("RESTORE", "i", 0, dump, "REPLACE", "FREQ", 3) in (b"OK", "OK") and c("OBJECT", "IDLETIME", "i") <= 10
    assert c("RESTORE", "i", 0, dump, "REPLACE", "IDLETIME", 1, "IDLETIME", 2000) in (b"OK", "OK")
    assert c("OBJECT", "IDLETIME", "i") >= 2000
    assert c("RESTORE", "i", 0, dump, "REPLACE", "IDLETIME", 2**63 - 1) in (b"OK", "OK") and c("OBJECT", "IDLETIME", "i") >= 2**24 - 20
    settings(maxmemory_policy="allkeys-lfu")
    assert c("RESTORE", "f", 0, dump, "FREQ", 200) in (b"OK", "OK") and 190 <= c("OBJECT", "FREQ", "f") <= 200
    assert c("RESTORE", "f", 0, dump, "REPLACE", "IDLETIME", 200) in (b"OK", "OK") and c("OBJECT", "FREQ", "f") <= 10


def test_what_has_ended_already(c):
    c("SET", "s", "hello")
    dump = c("DUMP", "s")
    assert c("RESTORE", "n", 1000, dump, "ABSTTL") in (b"OK", "OK") and c("EXISTS", "n") == 0
    assert c("RESTORE", "s", 1000, dump, "ABSTTL", "REPLACE") in (b"OK", "OK") and c("EXISTS", "s") == 0


def test_errors_in_their_order(c):
    c("SET", "s", "hello")
    dump = c("DUMP", "s")
    broken = dump[:-1] + bytes([dump[-1] ^ 1])
    busy = "BUSYKEY Target key name already exists."
    assert c.fails("RESTORE", "s", "x", "junk", "FOO") == "ERR syntax error"
    assert c.fails("RESTORE", "s", "x", "junk") == c.fails("RESTORE", "s", -1, "junk") == busy
    assert c.fails("RESTORE", "n", "x", "junk") == "ERR value is not an integer or out of range"
    assert c.fails("RESTORE", "n", -1, "junk") == "ERR Invalid TTL value, must be >= 0"
    for bad in (b"", b"junk", broken, dump[2:], dump[:-8], dump[:-10] + b"\x63\0" + dump[-8:], p.payload(0, b"\1a", 99)):
        assert c.fails("RESTORE", "n", 0, bad) == BAD_SUM
    for wrong in (["FOO"], ["IDLETIME"], ["FREQ"], ["IDLETIME", 1, "FREQ", 1], ["FREQ", 1, "IDLETIME", 1]):
        assert c.fails("RESTORE", "n", 0, dump, *wrong) == "ERR syntax error"
    assert c.fails("RESTORE", "n", 0, dump, "IDLETIME", -1) == "ERR Invalid IDLETIME value, must be >= 0"
    assert c.fails("RESTORE", "n", 0, dump, "IDLETIME", "x") == "ERR value is not an integer or out of range"
    for frequency in (-1, 256):
        assert c.fails("RESTORE", "n", 0, dump, "FREQ", frequency) == "ERR Invalid FREQ value, must be >= 0 and <= 255"
    assert c.fails("RESTORE", "n", 0) == "ERR wrong number of arguments for 'restore' command"
    assert c("EXISTS", "n") == 0 and c("GET", "s") == b"hello"


@pytest.mark.tarn_only
def test_a_ttl_beyond_the_end_of_time(c):
    """redis-server adds with overflow and takes the key for one that has ended."""
    c("SET", "s", "hello")
    assert c.fails("RESTORE", "s", 2**63 - 1, c("DUMP", "s"), "REPLACE") == "ERR invalid expire time in 'restore' command"
    assert c("GET", "s") == b"hello"


# ---- Refused ----

REFUSED = {
    "no body": (0, b""),
    "string cut short": (0, b"\5hell"),
    "string of all memory": (0, b"\x81\x7f\xff\xff\xff\xff\xff\xff\xffx"),
    "lzf of all memory": (0, b"\xc3\x01\x81\x7f\xff\xff\xff\xff\xff\xff\xffx"),
    "lzf that promises too much": (0, b"\xc3\x04\x80\x00\x10\x00\x00abcd"),
    "lzf that becomes less": (0, b"\xc3\x02\x05\0a"),
    "unknown encoding": (0, b"\xc5abc"),
    "bytes behind the end": (0, b"\1ab"),
    "module": (6, b"\1\1"), "module 2": (7, b"\x81aaaaaaaa\0"), "unknown kind": (8, b"\1a"), "unknown kind 26": (26, b"\1a"),
    "kind 255": (255, b"\1a"),
    "empty list": (1, b"\0"), "list of too many": (1, b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\1a"), "list cut short": (1, b"\3\1a"),
    "empty set": (2, b"\0"), "set with twins": (2, b"\2\1a\1a"), "ints with twins": (2, b"\2\1" + b"1\xc0\1"),
    "set of too many": (2, b"\x80\xff\xff\xff\xff\1a"),
    "old sorted set, empty": (3, b"\0"), "old sorted set, nan": (3, b"\1\1a\xfd"), "old sorted set, no score": (3, b"\1\1a\3xyz"),
    "old sorted set, twins": (3, b"\2\1a\1" + b"1\1a\1" + b"2"),
    "hash, empty": (4, b"\0"), "hash, twins": (4, b"\2" + p.strings(b"f", b"v", b"f", b"w")), "hash without value": (4, b"\1\1f"),
    "sorted set, empty": (5, b"\0"), "sorted set, nan": (5, b"\1\1a" + p.double(float("nan"))),
    "sorted set, twins": (5, b"\2\1a" + p.double(1) + b"\1a" + p.double(2)), "sorted set, no score": (5, b"\1\1a\0"),
    "zipmap, empty": (9, p.string(p.zipmap())), "zipmap, twins": (9, p.string(p.zipmap((b"a", b"b"), (b"a", b"c")))),
    "zipmap without end": (9, p.string(p.zipmap((b"a", b"b"))[:-1])), "zipmap of nothing": (9, p.string(b"")),
    "ziplist, empty": (10, p.string(p.ziplist())), "ziplist cut short": (10, p.string(p.ziplist(b"a", b"b")[:-1])),
    "ziplist with a wrong tail": (10, p.string(p.ziplist(b"a", b"b")[:4] + b"\0\0\0\0" + p.ziplist(b"a", b"b")[8:])),
    "intset, empty": (11, p.string(p.intset(2))), "intset out of order": (11, p.string(p.intset(2, 2, 1))),
    "intset with twins": (11, p.string(p.intset(2, 1, 1))), "intset of width 3": (11, p.string(p.intset(3, 1))),
    "intset cut short": (11, p.string(p.intset(2, 1, 2)[:-1])), "intset of nothing": (11, p.string(b"")),
    "ziplist sorted set, odd": (12, p.string(p.ziplist(b"a"))), "ziplist sorted set, no score": (12, p.string(p.ziplist(b"a", b"b"))),
    "ziplist sorted set, empty": (12, p.string(p.ziplist())), "ziplist sorted set, twins": (12, p.string(p.ziplist(b"a", 1, b"a", 2))),
    "ziplist hash, odd": (13, p.string(p.ziplist(b"a"))), "ziplist hash, twins": (13, p.string(p.ziplist(1, b"a", 1, b"b"))),
    "ziplists, none": (14, b"\0"), "ziplists, all empty": (14, b"\1" + p.string(p.ziplist())),
    "listpack hash, odd": (16, p.string(p.listpack(b"a"))), "listpack hash, twins": (16, p.string(p.listpack(b"a", 1, b"a", 2))),
    "listpack hash, empty": (16, p.string(p.listpack())), "listpack with a wrong count": (16, p.string(p.listpack(b"a", 1, count=4))),
    "listpack cut short": (16, p.string(p.listpack(b"a", 1)[:-1])), "listpack of nothing": (16, p.string(b"")),
    "listpack sorted set, out of order": (17, p.string(p.listpack(b"a", 2, b"b", 1))),
    "listpack sorted set, nan": (17, p.string(p.listpack(b"a", b"nan"))), "listpack sorted set, twins": (17, p.string(p.listpack(
        b"a", 1, b"a", 2))), "listpack sorted set, empty": (17, p.string(p.listpack())),
    "listpack sorted set, odd": (17, p.string(p.listpack(b"a", 1, b"b"))),
    "listpacks, none": (18, b"\0"), "listpacks, another node": (18, b"\1\3" + p.string(p.listpack(b"a"))),
    "listpacks, empty": (18, b"\1\2" + p.string(p.listpack())), "listpacks, cut short": (18, b"\2\2" + p.string(p.listpack(b"a"))),
    "listpack set, empty": (20, p.string(p.listpack())), "listpack set, twins": (20, p.string(p.listpack(b"a", b"a"))),
    "hash with ends, twins": (24, p.ms(END) + b"\2\1" + p.strings(b"f", b"v") + b"\0" + p.strings(b"f", b"v")),
    "hash with ends, none": (24, p.ms(END) + b"\0"), "hash with ends, far": (24, p.ms(END) + b"\1\x81\x7f" + b"\xff" * 7 + p.strings(b"f", b"v")),
    "hash with ends, earliest negative": (24, p.ms(-5) + b"\1\1" + p.strings(b"f", b"v")),
    "listpack hash with ends, two of three": (25, p.ms(END) + p.string(p.listpack(b"f", b"v"))),
    "listpack hash with ends, out of order": (25, p.ms(END) + p.string(p.listpack(b"f", b"v", END + 1, b"g", b"v", END))),
    "listpack hash with ends, none first": (25, p.ms(END) + p.string(p.listpack(b"f", b"v", 0, b"g", b"v", END))),
    "listpack hash with ends, twins": (25, p.ms(END) + p.string(p.listpack(b"f", b"v", END, b"f", b"v", 0))),
    "listpack hash with ends, text": (25, p.ms(END) + p.string(p.listpack(b"f", b"v", b"soon"))),
    "listpack set, twins as text and number": (20, p.string(p.listpack(p.raw(b"\x8212"), 12))),
    "listpack hash, twins as text and number": (16, p.string(p.listpack(p.raw(b"\x8212"), b"v", 12, b"v"))),
    "stream, flags wider than they need be": (19, p.stream_node(p.raw(b"\xc0\2"))),
    "stream of nothing": (19, b""), "stream, too many": (19, b"\x81\x7f" + b"\xff" * 7), "stream, bad node": (19, b"\1\4abcd\1a"),
}


def test_a_node_that_is_right(c):
    """So that the one above is refused for its flags alone."""
    assert c("RESTORE", "k", 0, p.payload(19, p.stream_node(2))) == b"OK"
    assert c("XRANGE", "k", "-", "+") == [[b"5-0", [b"f", b"v"]]]


@pytest.mark.tarn_only  # redis-server lets some of these pass, unless it is told to look closely
@pytest.mark.parametrize("name", REFUSED)
def test_refused(c, name):
    kind, body = REFUSED[name]
    c("SET", "k", "untouched")
    assert c.fails("RESTORE", "k", 0, p.payload(kind, body, 12), "REPLACE") == BAD_FORMAT
    assert c("GET", "k") == b"untouched"


def damaged(rng, dump):
    """The payload with some bytes changed, lost or repeated, and a footer that fits it."""
    kind, body = dump[0], bytearray(dump[1:-10])
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(body) + 1)
        choice = rng.randrange(5)
        if choice == 0 and at < len(body):
            body[at] = rng.randrange(256)
        elif choice == 1 and at < len(body):
            body[at] ^= 1 << rng.randrange(8)
        elif choice == 2:
            del body[at:at + rng.randrange(1, 8)]
        elif choice == 3:
            body[at:at] = body[at:at + rng.randrange(1, 8)]
        else:
            body[at:at + 1] = rng.choice([b"\xff", b"\0", b"\x80\xff\xff\xff\xff", b"\xfe", b"\x7f"])
    if rng.randrange(10) == 0:
        kind = rng.randrange(27)
    return p.payload(kind, bytes(body), 12)


@pytest.mark.tarn_only
@pytest.mark.protocols(2)
def test_damaged_payloads_do_no_harm(c, settings):
    """Whatever is let in is a proper value: read, changed, dumped and looked at by DEBUG CHECK."""
    seed = int(os.environ.get("TARN_TEST_SEED", random.randrange(2**32)))
    print("seed", seed)
    rng = random.Random(seed)
    settings(rdbcompression="no")
    dumps = []
    for commands, _ in VALUES.values():
        if not known(c, commands) or any(len(part) > 10_000 for command in commands for part in command):
            continue
        c("DEL", "k")
        c.all(commands)
        dumps.append(c("DUMP", "k"))
    dumps += [p.payload(kind, body, 12) for kind, body, _ in KINDS.values()]
    let_in = 0
    for _ in range(3000):
        reply = c.all([("RESTORE", "k", 0, damaged(rng, rng.choice(dumps)), "REPLACE"), ("TYPE", "k")])
        if reply[0] != b"OK":
            assert reply[0] == BAD_FORMAT, reply
            continue
        let_in += 1
        content(c)
        kind = reply[1].decode()
        c.all({"string": [("APPEND", "k", "x")], "list": [("RPUSH", "k", "x"), ("LPOP", "k"), ("LSET", "k", 0, "y")],
               "set": [("SADD", "k", "x"), ("SPOP", "k")], "zset": [("ZADD", "k", 1, "x"), ("ZPOPMIN", "k"), ("ZPOPMAX", "k")],
               "hash": [("HSET", "k", "x", "y"), ("HDEL", "k", "f1")],
               "stream": [("XADD", "k", "*", "f", "v"), ("XTRIM", "k", "MAXLEN", 2)]}[kind])
        assert c("DEBUG", "CHECK") in (b"OK", "OK")
    print("let in", let_in)


@pytest.mark.needs("SUBSCRIBE", "PSUBSCRIBE")
@pytest.mark.protocols(2)
def test_events(server, c, settings):
    settings(notify_keyspace_events="KEA")
    c("SET", "s", "hello")
    dump = c("DUMP", "s")
    with server.wire() as listener:
        listener("PSUBSCRIBE", "__keyevent@0__:*")

        def events(*command):
            c(*command)
            c("SET", "end", 1)
            seen = []
            while True:
                _, _, channel, key = listener.read()
                if bytes(key) == b"end":
                    return seen
                seen.append((bytes(channel).split(b":")[1].decode(), bytes(key).decode()))
        assert events("RESTORE", "n", 0, dump) == [("restore", "n")]
        assert events("RESTORE", "n", 5000, dump, "REPLACE") == [("restore", "n")]
        assert events("RESTORE", "n", 1000, dump, "REPLACE", "ABSTTL") == [("del", "n")]
        assert events("RESTORE", "n", 1000, dump, "REPLACE", "ABSTTL") == []


@pytest.mark.tarn_only
def test_a_hash_all_of_whose_fields_end_on_the_way(c):
    """Their ends lie in the past when the payload is restored: nothing is there then, and nobody crashes."""

    for _ in range(20):
        c.delete("h", "k")
        c.hset("h", mapping={"f": "v", "g": "w"})
        end = int(time.time() * 1000) + 20
        c.execute_command("HPEXPIREAT", "h", end, "FIELDS", 2, "f", "g")
        payload = c.execute_command("DUMP", "h", **{"NEVER_DECODE": True})
        if payload is None:
            continue  # this machine is slow
        wait_until(lambda: time.time() * 1000 > end + 1)
        c.execute_command("RESTORE", "k", 0, payload, "REPLACE")
        assert c.exists("k") == 0
