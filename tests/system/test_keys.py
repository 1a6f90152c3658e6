"""Keys: whatever works on a key of any type, on whole databases and between them."""
import random
import time

import pytest

from tests.system.harness import wait_until

SYNTAX = "ERR syntax error"
NOT_INTEGER = "ERR value is not an integer or out of range"
NO_INT = "ERR value is out of range, value must between -2147483648 and 2147483647"
NO_KEY = "ERR no such key"


def fill(c, count, prefix="key:", value="v"):
    pairs = [x for i in range(count) for x in (f"{prefix}{i}", f"{value}{i}")]
    for at in range(0, len(pairs), 2000):
        c("MSET", *pairs[at:at + 2000])


@pytest.mark.parametrize("command", [
    "DEL", "UNLINK", "EXISTS", "TYPE", "TYPE a b", "RENAME a", "RENAME a b c", "RENAMENX a", "COPY a", "MOVE a", "MOVE a 1 2", "TOUCH", "KEYS", "KEYS a b",
    "SCAN", "RANDOMKEY a", "DBSIZE a", "EXPIRE a", "PEXPIRE a", "EXPIREAT a", "PEXPIREAT a", "TTL", "TTL a b", "PTTL", "EXPIRETIME", "PEXPIRETIME",
    "PERSIST", "PERSIST a b", "SWAPDB 0", "SWAPDB 0 1 2", "SELECT", "SELECT 0 1", "OBJECT"])
def test_arity(c, command):
    name, *args = command.split()
    assert c.fails(name, *args) == f"ERR wrong number of arguments for '{name.lower()}' command"


# DEL, UNLINK, EXISTS, TOUCH, TYPE.

@pytest.mark.parametrize("command", ["DEL", "UNLINK"])
def test_del_unlink(c, command):
    c("MSET", "a", "1", "b", "2", "c", "3")
    assert c(command, "missing") == 0
    assert c(command, "a") == 1
    assert c(command, "b", "missing", "b", "c") == 2
    assert c("DBSIZE") == 0


@pytest.mark.parametrize("command", ["EXISTS", "TOUCH"])
def test_exists_touch_count_repetitions(c, command):
    c("MSET", "a", "1", "b", "2")
    assert c(command, "a") == 1
    assert c(command, "a", "b", "missing", "a") == 3
    assert c(command, "missing") == 0


def test_big_values_can_be_unlinked(c):
    for i in range(4):
        c("SET", f"big:{i}", b"x" * (1 << 20))
    assert c("UNLINK", *[f"big:{i}" for i in range(4)]) == 4
    assert c("DBSIZE") == 0


def test_type(c):
    c("SET", "k", "1")
    assert c("TYPE", "k") == b"string"
    assert c("TYPE", "missing") == b"none"


def test_type_is_a_status(wire):
    wire("SET", "k", "v")
    assert repr(wire("TYPE", "k")) == "+string"
    assert repr(wire("TYPE", "missing")) == "+none"


@pytest.mark.needs("LPUSH", "SADD", "ZADD", "HSET", "XADD")
def test_every_type(c):
    c("LPUSH", "l", "x")
    c("SADD", "s", "x")
    c("ZADD", "z", "1", "x")
    c("HSET", "h", "f", "x")
    c("XADD", "x", "*", "f", "v")
    types = {"l": b"list", "s": b"set", "z": b"zset", "h": b"hash", "x": b"stream"}
    for key, kind in types.items():
        assert c("TYPE", key) == kind
        assert c("COPY", key, key + "2") == 1
        assert c("TYPE", key + "2") == kind
        assert c("SCAN", "0", "TYPE", kind, "COUNT", "100")[1].count(key.encode()) == 1
    assert c("DEL", *types) == 5


# RENAME, RENAMENX.

def test_rename(c):
    c("SET", "a", "v", "EX", "100")
    c("SET", "b", "old")
    assert c("RENAME", "a", "b") == b"OK"
    assert c("GET", "b") == b"v"
    assert c("TTL", "b") > 90
    assert c("EXISTS", "a") == 0
    c("SET", "a", "w")
    assert c("RENAME", "a", "b") == b"OK"
    assert c("TTL", "b") == -1
    assert c("DBSIZE") == 1


@pytest.mark.parametrize("command", ["RENAME", "RENAMENX"])
def test_rename_of_nothing(c, command):
    c("SET", "b", "v")
    assert c.fails(command, "missing", "b") == NO_KEY
    assert c.fails(command, "missing", "missing") == NO_KEY
    assert c("GET", "b") == b"v"


def test_rename_to_itself(c):
    c("SET", "a", "v", "EX", "100")
    assert c("RENAME", "a", "a") == b"OK"
    assert c("RENAMENX", "a", "a") == 0
    assert c("GET", "a") == b"v"
    assert c("TTL", "a") > 90


def test_renamenx(c):
    c("MSET", "a", "1", "b", "2")
    assert c("RENAMENX", "a", "b") == 0
    assert c("MGET", "a", "b") == [b"1", b"2"]
    c("EXPIRE", "a", "100")
    assert c("RENAMENX", "a", "c") == 1
    assert c("MGET", "a", "c") == [None, b"1"]
    assert c("TTL", "c") > 90


@pytest.mark.parametrize("value", ["12", "short", "x" * 5000])
def test_rename_chain_between_lengths_of_keys(c, value):
    c("SET", "a", value)
    names = ["a", "b" * 300, "c", "d" * 70000, "e"]
    for old, new in zip(names, names[1:]):
        assert c("RENAME", old, new) == b"OK"
        assert c("GET", new) == value.encode()
    assert c("DBSIZE") == 1


# COPY, MOVE.

def test_copy(c):
    c("SET", "a", "v", "EX", "100")
    assert c("COPY", "a", "b") == 1
    assert c("GET", "b") == b"v"
    assert c("TTL", "b") > 90
    c("SET", "a", "w")
    assert c("COPY", "a", "b") == 0
    assert c("GET", "b") == b"v"
    assert c("COPY", "a", "b", "REPLACE") == 1
    assert c("GET", "b") == b"w"
    assert c("TTL", "b") == -1
    assert c("COPY", "missing", "b", "REPLACE") == 0
    assert c("GET", "b") == b"w"


def test_copy_is_a_copy(c):
    for value in ("12", "short", "x" * 5000):
        c("SET", "a", value)
        c("COPY", "a", "b", "REPLACE")
        c("APPEND", "a", "!")
        assert c("GET", "b") == value.encode()
        c("SETRANGE", "b", "0", "?")
        assert c("GET", "a") == value.encode() + b"!"


def test_copy_between_databases(c):
    c("SET", "a", "v")
    assert c("COPY", "a", "a", "DB", "1") == 1
    assert c("COPY", "a", "a", "db", "1") == 0
    c("SET", "a", "w")
    assert c("COPY", "a", "a", "DB", "1", "replace") == 1
    assert c("SELECT", "1") == b"OK"
    assert c("GET", "a") == b"w"
    assert c("COPY", "a", "b", "REPLACE", "DB", "0") == 1
    assert c("DBSIZE") == 1
    c("SELECT", "0")
    assert c("DBSIZE") == 2


def test_copy_errors(c):
    c("SET", "a", "v")
    same = "ERR source and destination objects are the same"
    assert c.fails("COPY", "a", "a") == same
    assert c.fails("COPY", "a", "a", "REPLACE") == same
    assert c.fails("COPY", "a", "a", "DB", "0") == same
    assert c.fails("COPY", "a", "b", "DB") == SYNTAX
    assert c.fails("COPY", "a", "b", "what") == SYNTAX
    assert c.fails("COPY", "a", "b", "DB", "x") == NOT_INTEGER
    assert c.fails("COPY", "a", "b", "DB", "16") == "ERR DB index is out of range"
    assert c.fails("COPY", "a", "b", "DB", "-1") == "ERR DB index is out of range"
    assert c.fails("COPY", "a", "b", "DB", "2147483648") == NO_INT
    assert c("DBSIZE") == 1


def test_move(c):
    c("SET", "a", "v", "EX", "100")
    assert c("MOVE", "a", "9") == 1
    assert c("EXISTS", "a") == 0
    assert c("MOVE", "a", "9") == 0
    c("SET", "a", "w")
    assert c("MOVE", "a", "9") == 0
    assert c("GET", "a") == b"w"
    c("SELECT", "9")
    assert c("GET", "a") == b"v"
    assert c("TTL", "a") > 90


def test_move_errors(c):
    c("SET", "a", "v")
    assert c.fails("MOVE", "a", "0") == "ERR source and destination objects are the same"
    assert c.fails("MOVE", "a", "x") == NOT_INTEGER
    assert c.fails("MOVE", "a", "16") == "ERR DB index is out of range"
    assert c.fails("MOVE", "a", "-1") == "ERR DB index is out of range"
    assert c.fails("MOVE", "a", "2147483648") == NO_INT
    assert c("GET", "a") == b"v"


# Databases.

def test_databases_are_apart(c):
    for db in range(16):
        assert c("SELECT", db) == b"OK"
        c("SET", "k", db)
        c("SET", f"only{db}", "x")
    for db in range(16):
        c("SELECT", db)
        assert c("GET", "k") == str(db).encode()
        assert c("DBSIZE") == 2
        assert sorted(c("KEYS", "*")) == sorted([b"k", f"only{db}".encode()])
        assert c("RANDOMKEY") in (b"k", f"only{db}".encode())
    keyspace = c.info("keyspace")
    assert len(keyspace) == 16
    assert keyspace["db3"].startswith("keys=2,expires=0,avg_ttl=0")


def test_select_errors(c):
    for db in ("16", "-1", "100000"):
        assert c.fails("SELECT", db) == "ERR DB index is out of range"
    for db in ("x", "", "1.0", "99999999999999999999"):
        assert c.fails("SELECT", db) == NOT_INTEGER
    for db in ("2147483648", "-9223372036854775808"):
        assert c.fails("SELECT", db) == NO_INT
    c("SET", "k", "v")
    assert c("DBSIZE") == 1


def test_databases_setting(own_server):
    server = own_server({"databases": 2})
    client = server.client()
    assert client("SELECT", "1") == b"OK"
    assert client.fails("SELECT", "2") == "ERR DB index is out of range"
    assert client("CONFIG", "GET", "databases") == [b"databases", b"2"]
    client("SET", "k", "v")
    assert client.fails("MOVE", "k", "2") == "ERR DB index is out of range"


def test_swapdb(c, connect):
    other = connect()
    c("SET", "k", "zero")
    other("SELECT", "1")
    other("SET", "k", "one", "EX", "100")
    other("SET", "extra", "x")
    assert c("SWAPDB", "0", "1") == b"OK"
    assert c("GET", "k") == b"one"
    assert c("TTL", "k") > 90
    assert c("DBSIZE") == 2
    assert other("GET", "k") == b"zero"
    assert other("DBSIZE") == 1
    assert c("SWAPDB", "5", "5") == b"OK"
    assert c("SWAPDB", "1", "0") == b"OK"
    assert c("GET", "k") == b"zero"


def test_swapdb_errors(c):
    assert c.fails("SWAPDB", "x", "1") == "ERR invalid first DB index"
    assert c.fails("SWAPDB", "0", "x") == "ERR invalid second DB index"
    assert c.fails("SWAPDB", "2147483648", "1") == "ERR invalid first DB index"
    assert c.fails("SWAPDB", "1", "-9223372036854775808") == "ERR invalid second DB index"
    assert c.fails("SWAPDB", "0", "16") == "ERR DB index is out of range"
    assert c.fails("SWAPDB", "-1", "0") == "ERR DB index is out of range"


@pytest.mark.parametrize("mode", [[], ["SYNC"], ["ASYNC"], ["async"]])
def test_flushdb_flushall(c, mode):
    for command, left in (("FLUSHDB", 1), ("FLUSHALL", 0)):
        c("SET", "a", "1", "EX", "100")
        fill(c, 1000)
        c("SELECT", "1")
        c("SET", "b", "1")
        c("SELECT", "0")
        assert c(command, *mode) == b"OK"
        assert c("DBSIZE") == 0
        assert c("KEYS", "*") == []
        assert c("GET", "a") is None
        c("SELECT", "1")
        assert c("DBSIZE") == left
        c("SELECT", "0")
        assert c("SET", "a", "new") == b"OK"
        assert c("TTL", "a") == -1


@pytest.mark.parametrize("command", ["FLUSHDB", "FLUSHALL"])
def test_flush_errors(c, command):
    c("SET", "k", "v")
    assert c.fails(command, "what") == SYNTAX
    assert c.fails(command, "SYNC", "ASYNC") == SYNTAX
    assert c.fails(command, "ASYNC", "1") == SYNTAX
    assert c("DBSIZE") == 1


def test_dbsize(c):
    assert c("DBSIZE") == 0
    fill(c, 3000)
    assert c("DBSIZE") == 3000
    c("DEL", *[f"key:{i}" for i in range(0, 3000, 2)])
    assert c("DBSIZE") == 1500


# KEYS and its patterns.

PATTERN_KEYS = [b"hello", b"hallo", b"hxllo", b"hllo", b"heello", b"h[llo", b"h]llo", b"h^llo", b"h-llo", b"h*llo", b"h?llo", b"h\\llo", b"HELLO",
                b"", b"a", b"ab", b"abc", b"\xff\xfe", b"a\nb", b"foo:1:bar", b"foo:2:bar", b"\0\0"]

# pattern: the keys of the list above that redis-server 7.0.15 finds
PATTERNS = {
    b"*": PATTERN_KEYS,
    b"**": [k for k in PATTERN_KEYS if k],  # a lone star is known beforehand, two are matched, and nothing matches nothing
    b"***a***": [k for k in PATTERN_KEYS if b"a" in k],
    b"h?llo": [k for k in PATTERN_KEYS if len(k) == 5 and k[:1] == b"h" and k[2:] == b"llo"],
    b"h*llo": [k for k in PATTERN_KEYS if k[:1] == b"h" and k[1:].endswith(b"llo")],
    b"h[ae]llo": [b"hello", b"hallo"],
    b"h[^e]llo": [k for k in PATTERN_KEYS if len(k) == 5 and k[:1] == b"h" and k[2:] == b"llo" and k[1:2] != b"e"],
    b"h[a-e]llo": [b"hello", b"hallo"],
    b"h[e-a]llo": [b"hello", b"hallo"],
    b"h[^a-e]llo": [b"hxllo", b"h[llo", b"h]llo", b"h^llo", b"h-llo", b"h*llo", b"h?llo", b"h\\llo"],
    b"h\\*llo": [b"h*llo"],
    b"h\\?llo": [b"h?llo"],
    b"h\\[llo": [b"h[llo"],
    b"h\\\\llo": [b"h\\llo"],
    b"h[\\]]llo": [b"h]llo"],
    b"h[\\^]llo": [b"h^llo"],
    b"h[*]llo": [b"h*llo"],
    b"?": [b"a"],
    b"??": [b"ab", b"\xff\xfe", b"\0\0"],
    b"": [b""],
    b"hello": [b"hello"],
    b"hel\\lo": [b"hello"],
    b"foo:*:bar": [b"foo:1:bar", b"foo:2:bar"],
    b"\xff*": [b"\xff\xfe"],
    b"\0*": [b"\0\0"],
    b"*\n*": [b"a\nb"],
    b"[a": [b"a"],
    b"[^a": [],
    b"a\\": [],
    b"h[]llo": [],
    b"nothing*": [],
}


@pytest.mark.parametrize("pattern", PATTERNS, ids=repr)
def test_patterns(c, pattern):
    c("MSET", *[x for key in PATTERN_KEYS for x in (key, "v")])
    assert sorted(c("KEYS", pattern)) == sorted(PATTERNS[pattern])
    found, cursor = [], b"0"
    while True:
        cursor, keys = c("SCAN", cursor, "MATCH", pattern)
        found += keys
        if cursor == b"0":
            break
    assert sorted(set(found)) == sorted(PATTERNS[pattern])


@pytest.mark.parametrize("pattern", ["a*" * 30 + "b", "*a" * 40 + "b", "a" * 1000 + "*" * 1000 + "b", "[" * 2000, "[^" * 1000, "\\" * 999, "?" * 5000, "[a-" * 500,
                                     "a*" * 15 + "[b-", "*" * 5000 + "b"])
def test_hostile_patterns_take_no_time(c, server, pattern):
    c("SET", "a" * 60, "v")
    c("SET", "a" * 3000, "v")
    started = time.monotonic()
    assert c("KEYS", pattern) == []
    assert c("SCAN", "0", "MATCH", pattern, "COUNT", "100")[1] == []
    assert time.monotonic() - started < (20 if server.sanitized else 2)


def test_keys_is_never_cut_short(c):
    fill(c, 20000)
    assert len(c("KEYS", "*")) == 20000
    assert len(c("KEYS", "key:1*")) == 11111


def test_keys_leaves_out_what_has_ended(c):
    c("MSET", "a", "1", "b", "2")
    c("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    try:
        c("PEXPIREAT", "b", "33177117420000")
        c("PSETEX", "c", "1", "v")
        while c("PTTL", "c") >= 0:
            pass
        assert sorted(c("KEYS", "*")) == [b"a", b"b"]
    finally:
        c("DEBUG", "SET-ACTIVE-EXPIRE", "1")


# RANDOMKEY.

def test_randomkey(c):
    assert c("RANDOMKEY") is None
    c("SET", "k", "v")
    assert all(c("RANDOMKEY") == b"k" for _ in range(20))


def chi_square(counts, expected):
    return sum((n - expected) ** 2 / expected for n in counts)


@pytest.mark.protocols(2)
@pytest.mark.parametrize("keys", [10, 200])
def test_randomkey_is_fair_enough(c, reference, keys):
    """Every key comes, and none much too often. With d degrees of freedom chi-square has mean d and variance 2d; Tarn has
    to stay within six deviations. The reference picks a bucket first and is allowed its known bias."""
    fill(c, keys)
    rounds = 100 * keys
    drawn = []
    for _ in range(rounds // 1000):
        drawn += c.all([("RANDOMKEY",)] * 1000)
    assert set(drawn) == {f"key:{i}".encode() for i in range(keys)}
    counts = [drawn.count(f"key:{i}".encode()) for i in range(keys)]
    degrees = keys - 1
    bound = degrees + 6 * (2 * degrees) ** 0.5
    assert chi_square(counts, len(drawn) / keys) < (bound * 100 if reference else bound)


@pytest.mark.protocols(2)
def test_randomkey_of_few_keys_in_a_table_that_was_large(c):
    fill(c, 20000)
    c.all([("DEL", *[f"key:{i}" for i in range(at, min(at + 1000, 19990))]) for at in range(0, 19990, 1000)])
    assert c("DBSIZE") == 10
    drawn = c.all([("RANDOMKEY",)] * 1000)
    assert len(set(drawn)) == 10


# OBJECT.

def test_object_refcount_idletime(c):
    c("SET", "k", "value")
    assert c("OBJECT", "REFCOUNT", "k") == 1
    assert c("OBJECT", "IDLETIME", "k") in (0, 1)
    assert c("object", "refcount", "k") == 1


@pytest.mark.parametrize("sub", ["ENCODING", "REFCOUNT", "IDLETIME", "FREQ"])
def test_object_of_nothing(c, sub, settings):
    assert c("OBJECT", sub, "missing") is None
    assert c.fails("OBJECT", sub) == f"ERR wrong number of arguments for 'object|{sub.lower()}' command"
    assert c.fails("OBJECT", sub, "a", "b") == f"ERR wrong number of arguments for 'object|{sub.lower()}' command"


def test_object_freq_wants_lfu(c, settings):
    c("SET", "k", "v")
    assert c.fails("OBJECT", "FREQ", "k") == ("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
                                              "between policies at runtime LRU and LFU data will take some time to adjust.")
    settings(maxmemory_policy="allkeys-lfu")
    assert c.fails("OBJECT", "IDLETIME", "k") == ("ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between "
                                                  "policies at runtime LRU and LFU data will take some time to adjust.")


def test_object_freq_counts(c, settings):
    settings(maxmemory_policy="allkeys-lfu", lfu_log_factor=0, lfu_decay_time=0)
    c("SET", "k", "v")
    first = c("OBJECT", "FREQ", "k")
    assert 1 <= first <= 20
    c.all([("GET", "k")] * 50)
    after = c("OBJECT", "FREQ", "k")
    assert after > first
    c.all([("OBJECT", "FREQ", "k"), ("OBJECT", "ENCODING", "k"), ("TTL", "k"), ("TYPE", "k")] * 20)
    assert c("OBJECT", "FREQ", "k") == after  # looking does not count


@pytest.mark.parametrize("command", [
    ("GETEX", "k"), ("GETEX", "k", "EX", "100"), ("GETEX", "k", "PERSIST"), ("GETEX", "k", "PXAT", "99999999999999"), ("GET", "k"), ("PFCOUNT", "h"),
])
def test_reading_and_changing_at_once_is_one_access(c, settings, command):
    settings(maxmemory_policy="allkeys-lfu", lfu_log_factor=0, lfu_decay_time=0)
    c.all([("SET", "k", "v", "EX", "1000"), ("PFADD", "h", "a")])
    before = c("OBJECT", "FREQ", command[1])
    c(*command)
    assert c("OBJECT", "FREQ", command[1]) == before + 1


def test_object_idletime_is_not_changed_by_looking(c, server):
    c("SET", "k", "v")
    c("SET", "l", "v")
    wait_until(lambda: c("OBJECT", "IDLETIME", "k") >= 1, timeout=5)
    c.all([("TTL", "k"), ("TYPE", "k"), ("OBJECT", "ENCODING", "k"), ("PTTL", "k")])
    assert c("OBJECT", "IDLETIME", "k") >= 1
    assert c("TOUCH", "k") == 1
    assert c("OBJECT", "IDLETIME", "k") == 0
    assert c("OBJECT", "IDLETIME", "l") >= 1
    assert c("GET", "l") == b"v"
    assert c("OBJECT", "IDLETIME", "l") == 0


def test_object_help_and_unknown(c):
    lines = c("OBJECT", "HELP")
    assert all(isinstance(line, bytes) for line in lines)
    text = b"\n".join(lines)
    for word in (b"ENCODING", b"FREQ", b"IDLETIME", b"REFCOUNT", b"HELP"):
        assert word in text
    assert lines[0].startswith(b"OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
    assert c.fails("OBJECT", "what", "k") == "ERR unknown subcommand 'what'. Try OBJECT HELP."


# Everything at once, against a model.

@pytest.mark.protocols(2)
def test_many_keys_against_a_model(c):
    seed = random.randrange(2**32)
    print("seed", seed)
    rng, model = random.Random(seed), {}
    names = [f"k{i}" for i in range(200)]
    for _ in range(40):
        commands, expected = [], []
        for _ in range(100):
            a, b = rng.choice(names), rng.choice(names)
            pick = rng.randrange(7)
            if pick <= 1:
                model[a] = str(rng.randrange(10**rng.randrange(1, 25))).encode() * rng.choice((1, 1, 20))
                commands.append(("SET", a, model[a]))
                expected.append(b"OK")
            elif pick == 2:
                commands.append(("DEL", a, b))
                expected.append((model.pop(a, None) is not None) + (model.pop(b, None) is not None))
            elif pick == 3 and a in model:
                model[b] = model.pop(a)
                commands.append(("RENAME", a, b))
                expected.append(b"OK")
            elif pick == 4 and a != b:
                commands.append(("COPY", a, b, "REPLACE"))
                expected.append(int(a in model))
                if a in model:
                    model[b] = model[a]
            elif pick == 5:
                commands.append(("RENAMENX", a, b))
                expected.append("ERR no such key" if a not in model else int(b not in model))
                if a in model and b not in model:
                    model[b] = model.pop(a)
            else:
                commands.append(("MGET", a, b))
                expected.append([model.get(a), model.get(b)])
        assert c.all(commands) == expected
        assert c("DBSIZE") == len(model)
    assert sorted(c("KEYS", "*")) == sorted(k.encode() for k in model)
