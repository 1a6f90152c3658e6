"""Sets: every command and option, errors word for word, encodings, events, chance, SSCAN's guarantee, algebra beside Python's.

redis-server 7.0 has no listpack for sets; where it would be one, it has a hashtable: `encoding_of` knows.
"""
import itertools
import math
import random

import pytest

from tests.system.wire import request

SYNTAX = "ERR syntax error"
WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_INTEGER = "ERR value is not an integer or out of range"
NOT_POSITIVE = "ERR value is out of range, must be positive"
CURSOR = "ERR invalid cursor"
I64_MAX, I64_MIN = 2**63 - 1, -2**63


def arity(name):
    return f"ERR wrong number of arguments for '{name}' command"


def texts(*members):
    return {m if isinstance(m, bytes) else str(m).encode() for m in members}


@pytest.fixture
def encoding_of(c, reference):
    """encoding_of(key): as of Redis 7.2; where 7.0 differs, what it says is looked at and translated."""
    def ask(key, listpack=False):
        found = c("OBJECT", "ENCODING", key).decode()
        if reference and listpack:
            assert found == "hashtable"
            return "listpack"
        return found
    return ask


def raw(wire, *command):
    """The reply's bytes as they come."""
    mark = b"the end"
    end = b"$%d\r\n%s\r\n" % (len(mark), mark)
    wire.send(request(*command) + request("ECHO", mark))
    data = b""
    while not data.endswith(end):
        data += wire.file.read1(1 << 16)
    return data[:-len(end)]


# Arity, types, missing keys: the same for all.

@pytest.mark.parametrize("command", [
    "SADD", "SADD k", "SREM k", "SMEMBERS", "SMEMBERS a b", "SISMEMBER k", "SISMEMBER k a b", "SMISMEMBER k", "SCARD", "SCARD a b",
    "SMOVE a b", "SMOVE a b c d", "SPOP", "SRANDMEMBER", "SINTER", "SINTERCARD", "SINTERCARD 1", "SINTERSTORE d", "SUNION",
    "SUNIONSTORE d", "SDIFF", "SDIFFSTORE d", "SSCAN k"])
def test_arity(c, command):
    name, *args = command.split()
    assert c.fails(name, *args) == arity(name.lower())


@pytest.mark.parametrize("command", [
    "SADD str a", "SREM str a", "SMEMBERS str", "SISMEMBER str a", "SMISMEMBER str a", "SCARD str", "SMOVE str s a", "SMOVE s str a",
    "SMOVE s str zz", "SMOVE str str a", "SPOP str", "SPOP str 1", "SPOP str 0", "SRANDMEMBER str", "SRANDMEMBER str 0",
    "SRANDMEMBER str -1", "SINTER str", "SINTER s str", "SINTER missing str", "SINTER str missing", "SINTERCARD 1 str",
    "SINTERCARD 2 missing str", "SINTERCARD 2 s str LIMIT 1", "SUNION str s", "SUNION missing str", "SDIFF missing str",
    "SDIFF s missing str", "SINTERSTORE d s str", "SINTERSTORE d missing str", "SUNIONSTORE d s str", "SDIFFSTORE d missing str",
    "SSCAN str 0", "SSCAN str 0 nonsense"])
def test_wrong_type(c, command):
    c("SET", "str", "x")
    c("SADD", "s", "a", "b")
    c("SADD", "d", "old")
    assert c.fails(*command.split()) == WRONGTYPE
    assert c("GET", "str") == b"x"
    assert c("SCARD", "s") == 2
    assert set(c("SMEMBERS", "d")) == {b"old"}


@pytest.mark.parametrize("command", ["GET s", "INCR s", "APPEND s x", "STRLEN s", "GETRANGE s 0 1"])
def test_a_set_is_no_string(c, command):
    c("SADD", "s", "a")
    assert c.fails(*command.split()) == WRONGTYPE


@pytest.mark.parametrize("command,two,three", [
    ("SMEMBERS k", b"*0\r\n", b"~0\r\n"), ("SPOP k 2", b"*0\r\n", b"~0\r\n"), ("SPOP k", b"$-1\r\n", b"_\r\n"),
    ("SRANDMEMBER k", b"$-1\r\n", b"_\r\n"), ("SRANDMEMBER k 2", b"*0\r\n", b"*0\r\n"), ("SRANDMEMBER k -2", b"*0\r\n", b"*0\r\n"),
    ("SINTER k", b"*0\r\n", b"~0\r\n"), ("SUNION k k", b"*0\r\n", b"~0\r\n"), ("SDIFF k", b"*0\r\n", b"~0\r\n"),
    ("SSCAN k 0", b"*2\r\n$1\r\n0\r\n*0\r\n", b"*2\r\n$1\r\n0\r\n*0\r\n"), ("SCARD k", b":0\r\n", b":0\r\n"),
    ("SISMEMBER k a", b":0\r\n", b":0\r\n"), ("SMISMEMBER k a b", b"*2\r\n:0\r\n:0\r\n", b"*2\r\n:0\r\n:0\r\n"),
    ("SREM k a", b":0\r\n", b":0\r\n"), ("SMOVE k d a", b":0\r\n", b":0\r\n"), ("SINTERCARD 1 k", b":0\r\n", b":0\r\n"),
    ("SINTERSTORE d k", b":0\r\n", b":0\r\n"), ("SUNIONSTORE d k", b":0\r\n", b":0\r\n"), ("SDIFFSTORE d k", b":0\r\n", b":0\r\n")])
def test_missing_key(wire, protocol, command, two, three):
    assert raw(wire, *command.split()) == (two if protocol == 2 else three)
    assert wire("DBSIZE") == 0


@pytest.mark.parametrize("command,two,three", [
    ("SMEMBERS k", b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"), ("SRANDMEMBER k", b"$1\r\na\r\n", b"$1\r\na\r\n"),
    ("SRANDMEMBER k 3", b"*1\r\n$1\r\na\r\n", b"*1\r\n$1\r\na\r\n"), ("SRANDMEMBER k 0", b"*0\r\n", b"*0\r\n"),
    ("SRANDMEMBER k -2", b"*2\r\n$1\r\na\r\n$1\r\na\r\n", b"*2\r\n$1\r\na\r\n$1\r\na\r\n"),
    ("SINTER k k", b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"), ("SUNION k m", b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
    ("SDIFF k m", b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"), ("SDIFF k k", b"*0\r\n", b"~0\r\n"),
    ("SSCAN k 0", b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n", b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"),
    ("SISMEMBER k a", b":1\r\n", b":1\r\n"), ("SMISMEMBER k z a", b"*2\r\n:0\r\n:1\r\n", b"*2\r\n:0\r\n:1\r\n"),
    ("SPOP k 0", b"*0\r\n", b"~0\r\n"), ("SPOP k", b"$1\r\na\r\n", b"$1\r\na\r\n"),
    ("SPOP k 5", b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n")])
def test_reply_types(wire, protocol, command, two, three):
    wire("SADD", "k", "a")
    assert raw(wire, *command.split()) == (two if protocol == 2 else three)


# SADD, SREM and what reads single members.

def test_add_and_remove(c):
    assert c("SADD", "k", "a", "b", "a") == 2
    assert c("SADD", "k", "a") == 0
    assert c("SADD", "k", "b", "c") == 1
    assert c("SCARD", "k") == 3
    assert set(c("SMEMBERS", "k")) == texts("a", "b", "c")
    assert c("SISMEMBER", "k", "a") == 1 and c("SISMEMBER", "k", "z") == 0
    assert c("SMISMEMBER", "k", "a", "z", "c", "a") == [1, 0, 1, 1]
    assert c("SREM", "k", "a", "z", "a") == 1
    assert c("SREM", "k", "z") == 0
    assert c("TYPE", "k") == b"set"
    assert c("SREM", "k", "b", "c") == 2
    assert c("EXISTS", "k") == 0


MEMBERS = ["", "a", "ab", "hello", "hellos", "x" * 15, "x" * 16, "x" * 17, "x" * 31, "x" * 32, "x" * 33, "x" * 47, "x" * 48, "x" * 63, "x" * 64,
           "x" * 65, "x" * 127, "x" * 128, "x" * 300, "x" * 20000, "\0", "\r\n", "é", "-", "-0", "00", "01", "+1", " 1", "1 ", "1.0",
           0, 1, -1, 32767, 32768, -32768, -32769, 2**31 - 1, 2**31, -2**31, -2**31 - 1, 2**42 - 1, 2**42, -2**42, -2**42 - 1, I64_MAX,
           I64_MIN, 2**63, -2**63 - 1, 10**19, 10**30]


@pytest.mark.parametrize("padding", [0, 200, 2000])
def test_members_of_every_kind_come_back(c, padding):
    fill = [f"padding {i}" for i in range(padding)]
    assert c("SADD", "k", *fill, *MEMBERS) == len(MEMBERS) + padding
    assert set(c("SMEMBERS", "k")) == texts(*MEMBERS, *fill)
    for member in MEMBERS:
        assert c("SADD", "k", member) == 0
        assert c("SISMEMBER", "k", member) == 1
    assert c("SMISMEMBER", "k", *MEMBERS) == [1] * len(MEMBERS)
    for member in MEMBERS:
        assert c("SREM", "k", member) == 1
        assert c("SISMEMBER", "k", member) == 0
    assert c("SCARD", "k") == padding


def test_numbers_come_in_order(c):
    c("SADD", "k", 5, 3, -1, 100000, 7, I64_MIN, 2**40)
    members = c("SMEMBERS", "k")
    if c.protocol == 2:
        assert members == [str(n).encode() for n in (I64_MIN, -1, 3, 5, 7, 100000, 2**40)]
    assert set(members) == texts(I64_MIN, -1, 3, 5, 7, 100000, 2**40)


def test_very_many_at_once(c):
    members = [f"member:{i}" for i in range(50_000)]
    assert c("SADD", "k", *members) == 50_000
    assert c("SADD", "k", *members) == 0
    assert c("SCARD", "k") == 50_000
    assert c("SMISMEMBER", "k", *members[:1000], "z") == [1] * 1000 + [0]
    assert c("SREM", "k", *members[1:]) == 49_999
    assert set(c("SMEMBERS", "k")) == {b"member:0"}


def test_pipelines_on_one_large_set(c):
    """Requests of a pipeline fetch ahead for each other; what each of them answers is as if it came alone."""
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    pool = [f"member {i}" for i in range(1500)] + [str(i**5) for i in range(1500)]
    inside = set(rng.sample(pool, 1500))
    c("SADD", "k", *inside)
    commands, expected = [], []
    for _ in range(6000):
        member, name = rng.choice(pool), rng.choice(["SADD", "SREM", "SISMEMBER", "SISMEMBER", "OTHER"])
        if name == "OTHER":
            commands.append(("SCARD", "k"))
            expected.append(len(inside))
            continue
        there = member in inside
        commands.append((name, "k", member))
        expected.append(int(there if name != "SADD" else not there))
        if name == "SADD":
            inside.add(member)
        elif name == "SREM":
            inside.discard(member)
    assert c.all(commands) == expected
    assert set(c("SMEMBERS", "k")) == texts(*inside)


# SMOVE.

def test_move(c):
    c("SADD", "s", "a", "b", 1)
    assert c("SMOVE", "s", "d", "a") == 1
    assert c("SMOVE", "s", "d", "a") == 0
    assert set(c("SMEMBERS", "s")) == texts("b", 1) and set(c("SMEMBERS", "d")) == {b"a"}
    c("SADD", "d", "b")
    assert c("SMOVE", "s", "d", "b") == 1
    assert c("SMOVE", "s", "d", "1") == 1
    assert c("EXISTS", "s") == 0
    assert set(c("SMEMBERS", "d")) == texts("a", "b", 1)
    assert c("SMOVE", "d", "d", "a") == 1
    assert c("SMOVE", "d", "d", "z") == 0
    assert c("SCARD", "d") == 3


def test_move_keeps_the_expiry(c):
    c("SADD", "s", "a", "b")
    c("SADD", "d", "x")
    c("EXPIRE", "s", 100)
    c("EXPIRE", "d", 200)
    assert c("SMOVE", "s", "d", "a") == 1
    assert 90 < c("TTL", "s") <= 100 and 190 < c("TTL", "d") <= 200
    assert c("SMOVE", "s", "new", "b") == 1
    assert c("TTL", "new") == -1


# SPOP and SRANDMEMBER.

@pytest.mark.parametrize("command,error", [
    ("SPOP k x", NOT_POSITIVE), ("SPOP k -1", NOT_POSITIVE), ("SPOP str -1", NOT_POSITIVE), ("SPOP missing x", NOT_POSITIVE),
    ("SPOP k 1 2", SYNTAX), ("SPOP str 1 2", SYNTAX), ("SPOP k 9223372036854775808", NOT_POSITIVE), ("SPOP k 1.0", NOT_POSITIVE),
    ("SRANDMEMBER k x", NOT_INTEGER), ("SRANDMEMBER str x", NOT_INTEGER), ("SRANDMEMBER missing x", NOT_INTEGER),
    ("SRANDMEMBER k 1 2", SYNTAX), ("SRANDMEMBER k 9223372036854775808", NOT_INTEGER),
    ("SRANDMEMBER k -9223372036854775808",
     "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")])
def test_errors_of_chance(c, command, error):
    c("SADD", "k", "a")
    c("SET", "str", "x")
    assert c.fails(*command.split()) == error


SHAPES = {"ints": [str(i) for i in range(60)], "texts": [f"t{i}" for i in range(60)], "table": [f"t{i}" for i in range(900)] + list("0123456789")}


@pytest.mark.parametrize("shape", SHAPES)
def test_pop(c, shape):
    members = texts(*SHAPES[shape])
    c("SADD", "k", *members)
    left = set(members)
    for count in [None, 1, 2, 0, 7, 20, None, len(members)]:
        if count is None:
            popped = {c("SPOP", "k")}
        else:
            popped = set(c("SPOP", "k", count))
            assert len(popped) == min(count, len(left))
        assert popped <= left
        left -= popped
        assert set(c("SMEMBERS", "k")) == left
    assert not left and c("EXISTS", "k") == 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.8, 0.9, 0.99])
def test_pop_of_a_share(c, shape, share):
    members = texts(*SHAPES[shape])
    c("SADD", "k", *members)
    popped = c("SPOP", "k", math.ceil(len(members) * share))
    assert len(popped) == len(set(popped))
    assert set(popped) | set(c("SMEMBERS", "k")) == members
    assert c("SCARD", "k") + len(popped) == len(members)


@pytest.mark.parametrize("shape", SHAPES)
def test_random_members(c, shape):
    members = texts(*SHAPES[shape])
    c("SADD", "k", *members)
    assert c("SRANDMEMBER", "k") in members
    for count in (1, 2, 10, 50, len(members) - 1, len(members), len(members) + 1, 10**12, I64_MAX):
        some = c("SRANDMEMBER", "k", count)
        assert len(some) == len(set(some)) == min(count, len(members))
        assert set(some) <= members
    for count in (1, 2, 10, 100, 5000):
        some = c("SRANDMEMBER", "k", -count)
        assert len(some) == count and set(some) <= members
    assert len(set(c("SRANDMEMBER", "k", -len(members) * 30))) == len(members)
    assert c("SCARD", "k") == len(members)


@pytest.mark.tarn_only
@pytest.mark.parametrize("count", [I64_MIN + 1, -2**40, -160_000])
def test_more_draws_than_can_be_answered(c, count, settings):
    settings(proto_max_bulk_len=1 << 20)
    c("SADD", "k", "a", "b")
    assert len(c("SRANDMEMBER", "k", -140_000)) == 140_000
    assert c.fails("SRANDMEMBER", "k", count) == "ERR the reply would be longer than proto-max-bulk-len"
    assert c("SCARD", "k") == 2


def assert_even(counts, cells):
    """Chi-square, five deviations above its mean."""
    total = sum(counts.values())
    expected = total / cells
    chi = sum((n - expected) ** 2 / expected for n in counts.values()) + (cells - len(counts)) * expected
    assert chi < cells + 5 * math.sqrt(2 * cells) + 10


@pytest.mark.tarn_only
@pytest.mark.workers(1)
@pytest.mark.protocols(2)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("command", [["SRANDMEMBER", "k"], ["SRANDMEMBER", "k", 5], ["SRANDMEMBER", "k", -5], ["SPOP", "k"], ["SPOP", "k", 4]])
def test_chance_is_even(c, shape, command):
    members = SHAPES[shape][:40] if shape != "table" else [f"{i} and a text that makes it a table, being longer than others" + "." * 40 for i in range(40)]
    counts = {}
    setup = [["DEL", "k"], ["SADD", "k", *members]]
    commands = list(itertools.chain.from_iterable(setup + [command] for _ in range(4000)))
    for reply in c.all(commands)[2::3]:
        for member in reply if isinstance(reply, (list, set)) else [reply]:
            counts[member] = counts.get(member, 0) + 1
    assert_even(counts, 40)


# SINTER, SUNION, SDIFF and what stores them.

OPERATIONS = {"SINTER": lambda first, *rest: first.intersection(*rest), "SUNION": lambda first, *rest: first.union(*rest),
              "SDIFF": lambda first, *rest: first.difference(*rest)}


def some_sets(rng):
    """Sets of all shapes that overlap."""
    pools = [[str(i) for i in range(100)], [f"t{i}" for i in range(100)], [str(i) for i in range(900)],
             [f"member {i}" for i in range(300)] + [str(i) for i in range(300)], MEMBERS]
    pool = texts(*itertools.chain.from_iterable(rng.sample(pools, rng.randint(1, 3))))
    for _ in range(rng.randint(1, 6)):
        share = rng.choice([0, 0.02, 0.3, 0.7, 1])
        yield {m for m in sorted(pool) if rng.random() < share}


@pytest.mark.parametrize("round", range(6))
def test_algebra_beside_python(c, round):
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(8):
        c("FLUSHALL")
        sets = list(some_sets(rng))
        keys = [f"k{i}" for i in range(len(sets))]
        for key, members in zip(keys, sets):
            if members:
                c("SADD", key, *members)
        if rng.random() < 0.3:
            keys.append(keys[0])
            sets.append(sets[0])
        for name, operation in OPERATIONS.items():
            expected = operation(*sets)
            reply = c(name, *keys)
            assert set(reply) == expected and len(reply) == len(expected)
            assert c(f"{name}STORE", "d", *keys) == len(expected)
            assert set(c("SMEMBERS", "d")) == expected
            assert c("EXISTS", "d") == bool(expected)
        expected = len(OPERATIONS["SINTER"](*sets))
        assert c("SINTERCARD", len(keys), *keys) == expected
        limit = rng.randint(1, expected + 2)
        assert c("SINTERCARD", len(keys), *keys, "LIMIT", limit) == min(limit, expected)
        # The destination is one of the sources.
        for name, operation in OPERATIONS.items():
            c("DEL", "d")
            if sets[-1]:
                c("SADD", "d", *sets[-1])
            expected = operation(*sets, sets[-1])
            assert c(f"{name}STORE", "d", *keys, "d") == len(expected)
            assert set(c("SMEMBERS", "d")) == expected


@pytest.mark.parametrize("command,error", [
    ("SINTERCARD 0 k", "ERR numkeys should be greater than 0"), ("SINTERCARD -1 k", "ERR numkeys should be greater than 0"),
    ("SINTERCARD x k", "ERR numkeys should be greater than 0"), ("SINTERCARD 9223372036854775808 k", "ERR numkeys should be greater than 0"),
    ("SINTERCARD 2 k", "ERR Number of keys can't be greater than number of args"),
    ("SINTERCARD 3000000000 k", "ERR Number of keys can't be greater than number of args"),
    ("SINTERCARD 1 k LIMIT", SYNTAX), ("SINTERCARD 1 k k", SYNTAX), ("SINTERCARD 1 k FOO 1", SYNTAX), ("SINTERCARD 1 k 5 LIMIT", SYNTAX),
    ("SINTERCARD 1 k LIMIT -1", "ERR LIMIT can't be negative"), ("SINTERCARD 1 k LIMIT x", "ERR LIMIT can't be negative"),
    ("SINTERCARD 1 str LIMIT -1", "ERR LIMIT can't be negative")])
def test_sintercard_errors(c, command, error):
    c("SADD", "k", "a", "b", "c")
    c("SET", "str", "x")
    assert c.fails(*command.split()) == error


def test_sintercard_limit(c):
    c("SADD", "k", "a", "b", "c")
    assert c("SINTERCARD", "1", "k", "LIMIT", "0") == 3
    assert c("SINTERCARD", "1", "k", "limit", "2") == 2
    assert c("SINTERCARD", "1", "k", "LIMIT", "2", "LIMIT", "1") == 1
    assert c("SINTERCARD", "2", "k", "missing") == 0


def test_store_replaces_what_was_there(c):
    c("SADD", "a", "1", "2")
    for command in ("SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"):
        c("SET", "d", "text", "EX", "100")
        assert c(command, "d", "a") == 2
        assert c("TYPE", "d") == b"set" and c("TTL", "d") == -1
        c("SET", "d", "text")
        assert c(command, "d", "missing") == 0
        assert c("EXISTS", "d") == 0
    c("EXPIRE", "a", "100")
    assert c("SUNIONSTORE", "a", "a") == 2
    assert c("TTL", "a") == -1


@pytest.mark.protocols(2)
def test_large_algebra(c):
    for key, first in (("a", 0), ("b", 50_000)):
        for start in range(first, first + 100_000, 10_000):
            c("SADD", key, *(f"member:{i:09d}" for i in range(start, start + 10_000)))
    both = {f"member:{i:09d}".encode() for i in range(50_000, 100_000)}
    assert set(c("SINTER", "a", "b")) == both
    assert c("SINTERCARD", 2, "a", "b") == 50_000
    assert c("SUNIONSTORE", "d", "a", "b") == 150_000
    assert len(set(c("SUNION", "a", "b", "missing", "d"))) == 150_000
    assert c("SDIFFSTORE", "d", "d", "a", "b") == 0
    assert c("SDIFFSTORE", "d", "a", "b") == 50_000
    assert c("SINTERSTORE", "d", "d", "b") == 0


# Encodings.

def test_encoding_of_numbers(c, encoding_of):
    c("SADD", "k", *range(512))
    assert encoding_of("k") == "intset"
    c("SADD", "k", 512)
    assert encoding_of("k") == "hashtable"
    c("SREM", "k", *range(500))
    assert encoding_of("k") == "hashtable"
    for member in (I64_MAX, I64_MIN, 0):
        c("SADD", f"k{member}", member)
        assert encoding_of(f"k{member}") == "intset"
    for member in (2**63, "01", "-0", "+1", "1 ", ""):
        c("SADD", f"t{member}", member)
        assert encoding_of(f"t{member}", listpack=True) == "listpack"


def test_encoding_of_texts(c, encoding_of):
    c("SADD", "k", *(f"m{i}" for i in range(127)))
    c("SADD", "k", "x" * 64)
    assert encoding_of("k", listpack=True) == "listpack"
    c("SADD", "k", "one more")
    assert encoding_of("k") == "hashtable"
    c("SADD", "long", "x" * 65)
    assert encoding_of("long") == "hashtable"
    c("SADD", "mixed", *range(127))
    c("SADD", "mixed", "x")
    assert encoding_of("mixed", listpack=True) == "listpack"
    c("SADD", "many", *range(128))
    c("SADD", "many", "x")
    assert encoding_of("many") == "hashtable"


def test_encoding_follows_the_settings(c, encoding_of, settings):
    settings(set_max_intset_entries=3)
    c("SADD", "k", 1, 2, 3)
    assert encoding_of("k") == "intset"
    c("SADD", "k", 4)
    assert encoding_of("k") == "hashtable"


@pytest.mark.tarn_only
def test_encoding_follows_the_settings_of_listpacks(c, encoding_of, settings):
    settings(set_max_listpack_entries=2, set_max_listpack_value=5)
    c("SADD", "k", "a", "bbbbb")
    assert encoding_of("k") == "listpack"
    c("SADD", "k", "c")
    assert encoding_of("k") == "hashtable"
    c("SADD", "l", "cccccc")
    assert encoding_of("l") == "hashtable"
    c("SADD", "n", 123456)
    c("SADD", "n", "a")
    assert encoding_of("n") == "hashtable"
    # As in Redis 7.2 it is the number of arguments that counts.
    c("SADD", "same", "a", "a", "a")
    assert encoding_of("same") == "hashtable" and c("SCARD", "same") == 1


def test_encoding_of_stored_results(c, encoding_of):
    c("SADD", "big", *range(1000))
    c("SADD", "few", *range(100))
    c("SADD", "mixed", "x", *range(100))
    c("SADD", "x", "x")
    assert encoding_of("big") == "hashtable"

    def stored(command, *keys, listpack=False):
        c(command, "d", *keys)
        return encoding_of("d", listpack)
    assert stored("SINTERSTORE", "big", "few") == "intset"
    assert stored("SINTERSTORE", "big") == "hashtable"
    assert stored("SINTERSTORE", "mixed", "few") == "intset"
    assert stored("SINTERSTORE", "mixed", "mixed", listpack=True) == "listpack"
    assert stored("SUNIONSTORE", "few", "missing") == "intset"
    assert stored("SUNIONSTORE", "few", "x", listpack=True) == "listpack"
    assert stored("SUNIONSTORE", "big", "x") == "hashtable"
    assert stored("SDIFFSTORE", "mixed", "x") == "intset"
    assert stored("SDIFFSTORE", "mixed", "x", "x", "x", listpack=True) == "listpack"
    assert stored("SDIFFSTORE", "big", "x") == "hashtable"


@pytest.mark.parametrize("first,second", [("ints", "texts"), ("texts", "table"), ("ints", "table")])
def test_growing_and_shrinking_through_the_encodings(c, encoding_of, first, second):
    c("SADD", "k", *SHAPES[first])
    c("SADD", "k", *SHAPES[second])
    members = texts(*SHAPES[first], *SHAPES[second])
    assert set(c("SMEMBERS", "k")) == members
    for member in sorted(members):
        assert c("SREM", "k", member) == 1
    assert c("EXISTS", "k") == 0


@pytest.mark.tarn_only
def test_what_is_left_of_a_table_becomes_flat(c, encoding_of):
    c("SADD", "k", *range(1000))
    c("SPOP", "k", 800)
    assert encoding_of("k") == "hashtable"
    c("SPOP", "k", 180)
    assert encoding_of("k") == "listpack"
    assert c("SCARD", "k") == 20


# SSCAN.

def scan_all(c, key, *options, between=None):
    found, cursor, rounds = [], b"0", 0
    while True:
        cursor, members = c("SSCAN", key, cursor, *options)
        found += members
        rounds += 1
        assert rounds < 100_000
        if cursor == b"0":
            return found
        if between:
            between(rounds)


@pytest.mark.parametrize("command,error", [
    ("SSCAN k abc", CURSOR), ("SSCAN missing abc", CURSOR), ("SSCAN str abc", CURSOR), ("SSCAN k 18446744073709551616", CURSOR),
    ("SSCAN k 0 nonsense", SYNTAX), ("SSCAN k 0 COUNT", SYNTAX), ("SSCAN k 0 MATCH", SYNTAX), ("SSCAN k 0 COUNT 0", SYNTAX),
    ("SSCAN k 0 COUNT -5", SYNTAX), ("SSCAN k 0 COUNT x", NOT_INTEGER), ("SSCAN k 0 MATCH a TYPE set", SYNTAX)])
def test_sscan_errors(c, command, error):
    c("SADD", "k", "a")
    c("SET", "str", "x")
    assert c.fails(*command.split()) == error


@pytest.mark.tarn_only
def test_sscan_takes_no_novalues(c):
    c("SADD", "k", "a")
    assert c.fails("SSCAN", "k", "0", "NOVALUES") == "ERR NOVALUES option can only be used in HSCAN"


def test_sscan_of_a_missing_key_reads_no_options(c):
    assert c("SSCAN", "missing", "0", "nonsense") == [b"0", []]
    assert c("SSCAN", "missing", "17", "COUNT", "0") == [b"0", []]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [None, 1, 7, 100, 10**6, I64_MAX])
def test_sscan_returns_all(c, shape, count):
    c("SADD", "k", *SHAPES[shape])
    found = scan_all(c, "k", *(["COUNT", count] if count else []))
    assert sorted(found) == sorted(texts(*SHAPES[shape]))


def test_a_small_set_comes_at_once(c):
    c("SADD", "k", *range(300))
    cursor, members = c("SSCAN", "k", "0", "COUNT", "2")
    assert cursor == b"0" and len(members) == 300


def test_sscan_match(c):
    c("SADD", "k", *(f"a{i}" for i in range(500)), *(f"b{i}" for i in range(500)), *range(100))
    assert set(scan_all(c, "k", "MATCH", "a1?")) == texts(*(f"a1{i}" for i in range(10)))
    assert set(scan_all(c, "k", "match", "[0-4]", "count", "5")) == texts(*range(5))
    assert len(scan_all(c, "k", "MATCH", "*")) == 1100
    assert scan_all(c, "k", "MATCH", "nothing") == []
    assert set(scan_all(c, "k", "MATCH", "a*", "MATCH", "b2")) == {b"b2"}
    c("SADD", "n", *range(20))
    assert set(scan_all(c, "n", "MATCH", "1?")) == texts(*range(10, 20))


@pytest.mark.parametrize("growing", [True, False])
def test_sscan_guarantee(c, growing):
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    stay = [f"stay {i}" for i in range(300)]
    others = [f"other {i}" for i in range(3000)]
    c("SADD", "k", *stay, *(others[:10] if growing else others))

    def between(_):
        command = "SADD" if growing == (rng.random() < 0.8) else "SREM"
        c(command, "k", *rng.sample(others, 60))
    found = set(scan_all(c, "k", "COUNT", 5, between=between))
    assert texts(*stay) <= found <= texts(*stay, *others)


def test_sscan_across_encodings(c):
    """A set that is made anew in between, smaller or larger, still brings what is in it all the time."""
    c("SADD", "k", *(f"m{i}" for i in range(1000)))
    cursor, found = c("SSCAN", "k", "0")
    assert cursor != b"0"
    c("DEL", "k")
    c("SADD", "k", *(f"m{i}" for i in range(20)))
    found += scan_rest(c, cursor)
    assert texts(*(f"m{i}" for i in range(20))) <= set(found)


def scan_rest(c, cursor):
    found = []
    while cursor != b"0":
        cursor, members = c("SSCAN", "k", cursor)
        found += members
    return found


# Other commands on sets.

def test_copy_rename_expire(c):
    c("SADD", "k", *range(10), "x")
    assert c("COPY", "k", "copy") == 1
    c("SADD", "copy", "y")
    assert c("SCARD", "k") == 11 and c("SCARD", "copy") == 12
    c("RENAME", "copy", "moved")
    assert c("SISMEMBER", "moved", "y") == 1
    c("SADD", "big", *(f"member {i}" for i in range(2000)))
    c("COPY", "big", "bigger")
    c("SREM", "big", "member 5")
    assert c("SISMEMBER", "bigger", "member 5") == 1 and c("SCARD", "bigger") == 2000
    c("EXPIRE", "big", 100)
    c("SADD", "big", "z")
    assert 90 < c("TTL", "big") <= 100
    assert c("DEL", "big", "bigger", "k") == 3


def test_a_transaction_of_sets(c):
    c("SADD", "a", "1", "x")
    replies = []
    pipe = [("MULTI",), ("SADD", "a", "2"), ("SMOVE", "a", "b", "x"), ("SINTERSTORE", "d", "a", "b"), ("SMEMBERS", "b"), ("EXEC",)]
    for command in pipe:
        replies.append(c(*command))
    assert replies[-1][:3] == [1, 1, 0]
    assert set(replies[-1][3]) == {b"x"}


EVENTS = [
    ("SADD s a b c", "sadd:s"), ("SADD s a", ""), ("SADD s a d", "sadd:s"), ("SREM s z", ""), ("SREM s a z d", "srem:s"),
    ("SREM s b c", "srem:s del:s"), ("SADD s a", "sadd:s"), ("SMOVE s d a", "srem:s del:s sadd:d"), ("SADD s a b", "sadd:s"),
    ("SMOVE s d a", "srem:s"), ("SMOVE s s b", ""), ("SMOVE s d z", ""), ("SADD n 1 2 3 4 5 6", "sadd:n"), ("SPOP n", "spop:n"), ("SPOP n 0", ""),
    ("SPOP n 2", "spop:n"), ("SPOP n 100", "spop:n del:n"), ("SADD n 1", "sadd:n"), ("SPOP n", "spop:n del:n"), ("SADD n 1", "sadd:n"),
    ("SPOP n 1", "spop:n del:n"), ("SADD x 1 2 3", "sadd:x"), ("SADD y 2 3 4", "sadd:y"), ("SINTERSTORE r x y", "sinterstore:r"),
    ("SINTERSTORE r x m", "del:r"), ("SINTERSTORE r x m", ""), ("SUNIONSTORE r x y", "sunionstore:r"), ("SUNIONSTORE r m", "del:r"),
    ("SDIFFSTORE r x y", "sdiffstore:r"), ("SDIFFSTORE r x x", "del:r"), ("SINTERSTORE x x y", "sinterstore:x"), ("SRANDMEMBER x", ""),
    ("SMEMBERS x", "")]


@pytest.mark.needs("PSUBSCRIBE")
@pytest.mark.protocols(2)
def test_events(c, server, settings):
    settings(notify_keyspace_events="Esg")
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
