"""What works on keys of every type: TYPE, OBJECT, COPY, RENAME, MOVE, SCAN TYPE, RANDOMKEY, EXPIRE, DEL, MEMORY USAGE, DEBUG OBJECT and
DIGEST; and that each type refuses the commands of the others."""
import os
import random
import re

import pytest

from tests.system.harness import wait_until

pytestmark = pytest.mark.needs("RPUSH", "SADD", "ZADD", "HSET", "XADD", "SET", "COPY")

WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


def pairs(count, of):
    return [part for i in range(count) for part in of(i)]


# name: type, encoding on Redis 8 (None: not looked at), encoding on 7.0 when it is another, the commands that make "k".
VALUES = {
    "number": ("string", "int", None, [["SET", "k", "12345"]]),
    "text": ("string", "embstr", None, [["SET", "k", "some text"]]),
    "long text": ("string", "raw", None, [["SET", "k", "x" * 5000]]),
    "list": ("list", "listpack", "quicklist", [["RPUSH", "k", "a", "b", "1", "c"]]),
    "long list": ("list", "quicklist", None, [["RPUSH", "k", *(f"element {i}" for i in range(3000))]]),
    "large elements": ("list", "quicklist", None, [["RPUSH", "k", *(c * 10_000 for c in "abc")]]),
    "ints": ("set", "intset", None, [["SADD", "k", *range(100)]]),
    "set": ("set", "listpack", "hashtable", [["SADD", "k", "a", "b", "1"]]),
    "large set": ("set", "hashtable", None, [["SADD", "k", *(f"member {i}" for i in range(2000))]]),
    "sorted set": ("zset", "listpack", None, [["ZADD", "k", "1", "a", "2.5", "b", "-3", "c"]]),
    "large sorted set": ("zset", "skiplist", None, [["ZADD", "k", *pairs(2000, lambda i: (i / 7, f"member {i}"))]]),
    "hash": ("hash", "listpack", None, [["HSET", "k", "f", "v", "g", "1"]]),
    "large hash": ("hash", "hashtable", None, [["HSET", "k", *pairs(2000, lambda i: (f"field {i}", i))]]),
    "stream": ("stream", "stream", None, [*(["XADD", "k", f"{i}-1", "f", str(i)] for i in range(1, 200)),
                                          ["XGROUP", "CREATE", "k", "g", "0"],
                                          ["XREADGROUP", "GROUP", "g", "c", "COUNT", "5", "STREAMS", "k", ">"]]),
    "empty stream": ("stream", "stream", None, [["XADD", "k", "1-1", "f", "v"], ["XDEL", "k", "1-1"]]),
}
COLLECTIONS = [name for name in VALUES if VALUES[name][0] != "string"]

# A command that changes something in a value of the type, whatever is in it.
CHANGE = {"string": ["APPEND", "k", "more"], "list": ["RPUSH", "k", "more"], "set": ["SADD", "k", "more"],
          "zset": ["ZADD", "k", "7", "more"], "hash": ["HSET", "k", "more", "1"], "stream": ["XADD", "k", "*", "f", "v"]}

# Commands of each type, with "k" as their key.
COMMANDS = {
    "string": ["GET k", "APPEND k x", "STRLEN k", "GETRANGE k 0 1", "SETRANGE k 0 x", "INCR k", "INCRBYFLOAT k 1", "GETDEL k",
               "GETEX k", "GETSET k v", "SETBIT k 1 1", "GETBIT k 1", "BITCOUNT k", "BITPOS k 1", "BITFIELD k GET u8 0",
               "PFADD k a", "PFCOUNT k"],
    "list": ["LPUSH k x", "RPUSH k x", "LPUSHX k x", "RPUSHX k x", "LPOP k", "RPOP k 2", "LLEN k", "LINDEX k 0", "LRANGE k 0 -1",
             "LSET k 0 x", "LREM k 0 x", "LTRIM k 0 1", "LINSERT k BEFORE a b", "LPOS k a", "LMOVE k k2 LEFT LEFT",
             "RPOPLPUSH k k2", "LMPOP 1 k LEFT"],
    "set": ["SADD k x", "SREM k x", "SMEMBERS k", "SISMEMBER k x", "SMISMEMBER k x", "SCARD k", "SMOVE k k2 x", "SPOP k",
            "SRANDMEMBER k", "SINTER k k", "SINTERCARD 1 k", "SUNION k", "SDIFF k k2", "SINTERSTORE k2 k", "SUNIONSTORE k2 k",
            "SDIFFSTORE k2 k", "SSCAN k 0"],
    "zset": ["ZADD k 1 a", "ZINCRBY k 1 a", "ZCARD k", "ZCOUNT k 0 1", "ZLEXCOUNT k - +", "ZSCORE k a", "ZMSCORE k a",
             "ZRANK k a", "ZREVRANK k a", "ZRANGE k 0 -1", "ZRANGESTORE k2 k 0 -1", "ZREVRANGE k 0 -1", "ZRANGEBYSCORE k 0 1",
             "ZREVRANGEBYSCORE k 1 0", "ZRANGEBYLEX k - +", "ZREVRANGEBYLEX k + -", "ZREM k a", "ZREMRANGEBYRANK k 0 1",
             "ZREMRANGEBYSCORE k 0 1", "ZREMRANGEBYLEX k - +", "ZPOPMIN k", "ZPOPMAX k", "ZMPOP 1 k MIN", "ZRANDMEMBER k",
             "ZSCAN k 0", "GEOADD k 1 1 a", "GEOPOS k a", "GEODIST k a b", "GEOHASH k a", "GEOSEARCH k FROMMEMBER a BYRADIUS 1 m"],
    "hash": ["HSET k f v", "HSETNX k f v", "HMSET k f v", "HGET k f", "HMGET k f", "HGETALL k", "HKEYS k", "HVALS k", "HLEN k",
             "HSTRLEN k f", "HEXISTS k f", "HDEL k f", "HINCRBY k f 1", "HINCRBYFLOAT k f 1", "HRANDFIELD k", "HSCAN k 0"],
    "stream": ["XADD k * f v", "XLEN k", "XRANGE k - +", "XREVRANGE k + -", "XDEL k 1-1", "XTRIM k MAXLEN 1",
               "XREAD STREAMS k 0", "XGROUP CREATE k g 0", "XACK k g 1-1", "XPENDING k g", "XINFO STREAM k", "XINFO GROUPS k",
               "XSETID k 1-1"],
}


def make(c, name):
    for command in VALUES[name][3]:
        c(*command)


def digest(c, key="k"):
    return c("DEBUG", "DIGEST-VALUE", key)[0]


def text(reply):
    return reply if isinstance(reply, str) else reply.decode()


@pytest.fixture(params=VALUES)
def value(request, c):
    make(c, request.param)
    return request.param


def test_type_and_encoding(c, value, reference):
    kind, encoding, old_encoding, _ = VALUES[value]
    assert text(c("TYPE", "k")) == kind
    assert text(c("OBJECT", "ENCODING", "k")) == (old_encoding or encoding if reference else encoding)
    assert c("OBJECT", "REFCOUNT", "k") == 1
    assert c("OBJECT", "IDLETIME", "k") <= 10
    assert c("EXISTS", "k") == c("TOUCH", "k") == 1
    assert c("DBSIZE") == 1 and c("KEYS", "*") == [b"k"] and c("RANDOMKEY") == b"k"


def test_copy(c, value):
    before = digest(c)
    assert c("COPY", "k", "k2") == 1 and digest(c, "k2") == before
    assert c("OBJECT", "ENCODING", "k2") == c("OBJECT", "ENCODING", "k") or value == "long text"
    # Neither follows the other's changes.
    c(*CHANGE[VALUES[value][0]])
    assert digest(c) != before and digest(c, "k2") == before
    assert c("COPY", "k", "k2") == 0 and c("COPY", "k", "k2", "REPLACE") == 1 and digest(c, "k2") == digest(c)
    c("DEL", "k")
    assert c("TYPE", "k2") in (VALUES[value][0].encode(), VALUES[value][0]) and c("DBSIZE") == 1


def test_copy_keeps_the_end_and_crosses_databases(c, value):
    before = digest(c)
    c("EXPIRE", "k", 100)
    assert c("COPY", "k", "k", "DB", 3) == 1 and c("COPY", "k", "k", "DB", 3) == 0
    c("SELECT", 3)
    assert 90 < c("TTL", "k") <= 100
    c("PERSIST", "k")
    assert digest(c) == before
    c("FLUSHDB")
    c("SELECT", 0)


def test_rename(c, value):
    before = digest(c)
    assert c("RENAME", "k", "a name that is longer") in (b"OK", "OK") and digest(c, "a name that is longer") == before
    assert c("RENAMENX", "a name that is longer", "k") == 1 and digest(c) == before
    c("SADD", "other", *range(1000))
    c("EXPIRE", "k", 100)
    assert c("RENAMENX", "k", "other") == 0 and c("RENAME", "k", "other") in (b"OK", "OK")
    assert 90 < c("TTL", "other") <= 100 and c("PERSIST", "other") == 1 and digest(c, "other") == before and c("DBSIZE") == 1


def test_move(c, value):
    before = digest(c)
    assert c("MOVE", "k", 5) == 1 and c("EXISTS", "k") == 0
    c("SELECT", 5)
    assert digest(c) == before
    assert c("MOVE", "k", 0) == 1
    c("SELECT", 0)
    assert digest(c) == before


def test_swapdb(c, value):
    before = digest(c)
    c("SWAPDB", 0, 1)
    assert c("EXISTS", "k") == 0
    c("SELECT", 1)
    assert digest(c) == before
    c("SWAPDB", 0, 1)
    c("SELECT", 0)
    assert digest(c) == before


def test_it_ends(c, value):
    c("PEXPIRE", "k", 20)
    wait_until(lambda: c("EXISTS", "k") == 0)
    assert c("TTL", "k") == -2
    make(c, value)
    c("EXPIRE", "k", 100)
    assert 90 < c("TTL", "k") <= 100
    # What changes the value leaves the end.
    c(*CHANGE[VALUES[value][0]])
    assert 90 < c("TTL", "k") <= 100
    assert c("PERSIST", "k") == 1 and c("TTL", "k") == -1
    assert c("EXPIRE", "k", -1) == 1 and c("EXISTS", "k") == 0


@pytest.mark.parametrize("command", ["DEL", "UNLINK"])
def test_it_goes(c, value, command):
    c("SET", "other", "x")
    assert c(command, "k", "none", "other") == 2 and c("DBSIZE") == 0
    # And again, now that its memory was given back.
    make(c, value)
    assert c(command, "k") == 1


def test_set_replaces_it(c, value):
    c("EXPIRE", "k", 100)
    assert c("SET", "k", "text") in (b"OK", "OK") and c("GET", "k") == b"text" and c("TTL", "k") == -1


def test_others_commands_are_refused(c, value):
    before = digest(c)
    kind = VALUES[value][0]
    for other, commands in COMMANDS.items():
        if other == kind:
            continue
        for command in commands:
            assert c.fails(*command.split()) == WRONGTYPE, command
    assert digest(c) == before


def test_as_a_destination(c, value):
    """What stores its result takes the place of anything."""
    c("SADD", "s", "a", "b")
    c("ZADD", "z", 1, "a")
    c("RPUSH", "l", 2, 1)
    for command, kind in (("SUNIONSTORE k s", "set"), ("ZUNIONSTORE k 1 z", "zset"), ("ZRANGESTORE k z 0 -1", "zset"),
                          ("SORT l STORE k", "list"), ("SINTERSTORE k s none", "none"), ("ZINTERSTORE k 2 z none", "none")):
        c("DEL", "k")
        make(c, value)
        c("EXPIRE", "k", 100)
        c(*command.split())
        assert text(c("TYPE", "k")) == kind and c("TTL", "k") < 0


def test_scan_by_type(c):
    for i, name in enumerate(VALUES):
        for n in range(10):
            make(c, name)
            c("RENAME", "k", f"{i}:{n}")
    for kind in ("string", "list", "set", "zset", "hash", "stream"):
        found, cursor = set(), 0
        while True:
            cursor, keys = c("SCAN", cursor, "TYPE", kind, "COUNT", 20)
            found.update(keys)
            if int(cursor) == 0:
                break
        want = {f"{i}:{n}".encode() for i, name in enumerate(VALUES) if VALUES[name][0] == kind for n in range(10)}
        assert found == want
    assert len({c("RANDOMKEY") for _ in range(2000)}) > 100


# ---- MEMORY, DEBUG ----


def test_memory_usage(c, value):
    alone = c("MEMORY", "USAGE", "k")
    assert alone == c("MEMORY", "USAGE", "k", "SAMPLES", 0) or value in ("large hash", "large set", "large sorted set", "long list")
    assert c("MEMORY", "USAGE", "k", "SAMPLES", 5) > 0
    assert c.fails("MEMORY", "USAGE", "k", "SAMPLES", -1) == "ERR syntax error"
    if VALUES[value][0] != "string":
        # It grows with what is put in.
        kind = VALUES[value][0]
        big = "y" * 5000
        c(*{"list": ["RPUSH", "k", big], "set": ["SADD", "k", big], "zset": ["ZADD", "k", 1, big], "hash": ["HSET", "k", "big", big],
            "stream": ["XADD", "k", "*", "f", big]}[kind])
        assert c("MEMORY", "USAGE", "k", "SAMPLES", 0) >= 4500


@pytest.mark.tarn_only
def test_memory_usage_is_exact(c, value):
    """It is known, not sampled: the same for a value and its copy, give or take room to grow, and as before when what was added
    is gone again."""
    usage = c("MEMORY", "USAGE", "k", "SAMPLES", 1)
    assert usage == c("MEMORY", "USAGE", "k", "SAMPLES", 0) == c("MEMORY", "USAGE", "k", "SAMPLES", 1000)
    c("COPY", "k", "l")
    assert 0.5 * usage <= c("MEMORY", "USAGE", "l") <= 1.5 * usage + 64
    assert text(c("DEBUG", "CHECK")) == "OK"


def test_serialized_length(c, value):
    found = re.search(r"serializedlength:(\d+)", text(c("DEBUG", "OBJECT", "k")))
    # Kind, two bytes of version, eight of the sum.
    assert int(found.group(1)) == len(c("DUMP", "k")) - 11


def test_frequency(c, value, settings):
    assert c.fails("OBJECT", "FREQ", "k").startswith("ERR An LFU maxmemory policy is not selected")
    settings(maxmemory_policy="allkeys-lfu")
    assert c("DEL", "k") == 1
    make(c, value)
    assert 1 <= c("OBJECT", "FREQ", "k") <= 255
    assert c.fails("OBJECT", "IDLETIME", "k").startswith("ERR An LFU maxmemory policy is selected")


# Limits under which small values have their big form.
BIG = {"set_max_intset_entries": 0, "set_max_listpack_entries": 0, "hash_max_listpack_entries": 0, "zset_max_listpack_entries": 0,
       "list_max_listpack_size": 1}


@pytest.mark.tarn_only
@pytest.mark.parametrize("commands", [
    [["RPUSH", "k", "a", "b", "1", "c"]], [["SADD", "k", 1, 2, 3]], [["SADD", "k", "a", "2"]],
    [["ZADD", "k", 1, "a", 2.5, "b", "inf", "c", "-0.1", "d"]], [["HSET", "k", "f", "v", "g", "1"]],
    [["HSET", "k", "f", "v", "g", "1"], ["HPEXPIREAT", "k", 2000000000000, "FIELDS", 1, "f"]]],
    ids=["list", "ints", "set", "zset", "hash", "hash with ends"])
def test_a_digest_does_not_tell_the_form(c, settings, commands):
    c.all(commands)
    before, form = (digest(c), c("DEBUG", "DIGEST")), c("OBJECT", "ENCODING", "k")
    c("DEL", "k")
    settings(**BIG)
    c.all(commands)
    assert c("OBJECT", "ENCODING", "k") != form
    assert (digest(c), c("DEBUG", "DIGEST")) == before


def test_a_digest_tells_different_values_apart(c, reference):
    seen = {}
    cases = [[["RPUSH", "k", 1, 2]], [["RPUSH", "k", 2, 1]], [["RPUSH", "k", 12]], [["SADD", "k", 1, 2]], [["SADD", "k", 12]],
             [["SADD", "k", 1, 2, 3]], [["ZADD", "k", 1, "a", 2, "b"]], [["ZADD", "k", 2, "a", 1, "b"]], [["ZADD", "k", 1, "a"]],
             [["HSET", "k", "a", "b", "c", "d"]], [["HSET", "k", "a", "d", "c", "b"]], [["HSET", "k", "b", "a", "d", "c"]],
             [["XADD", "k", "1-1", "a", "b"]], [["XADD", "k", "1-2", "a", "b"]], [["XADD", "k", "1-1", "a", "c"]],
             [["SET", "k", "1"]], [["SET", "k", "2"]]]
    if not reference:
        cases += [[["XADD", "k", "1-1", "a", "b"], ["XGROUP", "CREATE", "k", "g", "0"]],
                  [["XADD", "k", "1-1", "a", "b"], ["XGROUP", "CREATE", "k", "g", "$"]],
                  [["XADD", "k", "1-1", "a", "b"], ["XGROUP", "CREATE", "k", "h", "0"]],
                  [["HSET", "k", "a", "b", "c", "d"], ["HPEXPIREAT", "k", 2000000000000, "FIELDS", 1, "a"]],
                  [["HSET", "k", "a", "b", "c", "d"], ["HPEXPIREAT", "k", 2000000000001, "FIELDS", 1, "a"]]]
    for commands in cases:
        c("DEL", "k")
        c.all(commands)
        found = digest(c)
        assert found not in seen, (commands, seen[found])
        seen[found] = commands
    # The order in which members came makes no difference, an element's place does.
    for command, items in (("SADD", ["a", "b", "3"]), ("SADD", ["1", "2", "3"])):
        c("DEL", "k", "l")
        c(command, "k", *items)
        c(command, "l", *reversed(items))
        assert digest(c, "k") == digest(c, "l")
    c("DEL", "k", "l")
    c("HSET", "k", "a", 1, "b", 2)
    c("HSET", "l", "b", 2, "a", 1)
    assert digest(c, "k") == digest(c, "l")
    assert c("DEBUG", "DIGEST-VALUE", "none", "k")[0] == b"0" * 40 or c("DEBUG", "DIGEST-VALUE", "none", "k")[0] == "0" * 40


def test_everything_at_random(c, reference):
    """Keys of all types renamed, copied, moved, dumped, given ends, and removed; what should be there is."""
    seed = int(os.environ.get("TARN_TEST_SEED", random.randrange(2**32)))
    print("seed", seed)
    rng = random.Random(seed)
    names = [f"key{i}" for i in range(12)]
    model = {}  # name: digest without end
    for _ in range(600):
        name, other = rng.choice(names), rng.choice(names)
        act = rng.randrange(7)
        if act == 0 or name not in model:
            c("DEL", "k", name)
            make(c, rng.choice(list(VALUES)))
            c("RENAME", "k", name)
            model[name] = digest(c, name)
        elif act == 1:
            c("RENAME", name, other)
            model[other] = model.pop(name)
        elif act == 2 and name != other:
            c("COPY", name, other, "REPLACE")
            model[other] = model[name]
        elif act == 3:
            c("DEL", name)
            del model[name]
        elif act == 4:
            c("RESTORE", name, 0, c("DUMP", name), "REPLACE")
        elif act == 5:
            c("EXPIRE", name, 1000)
            c("PERSIST", name)
        else:
            c("MOVE", name, 2)
            c("SELECT", 2)
            c("MOVE", name, 0)
            c("SELECT", 0)
        if name in model:
            assert digest(c, name) == model[name]
    assert sorted(c("KEYS", "*")) == sorted(name.encode() for name in model)
    for name in model:
        assert digest(c, name) == model[name]
    if not reference:
        assert text(c("DEBUG", "CHECK")) == "OK"
