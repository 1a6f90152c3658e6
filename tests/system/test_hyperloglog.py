"""HyperLogLog: PFADD PFCOUNT PFMERGE PFDEBUG PFSELFTEST, with the bytes and numbers of Redis (digests of long runs were taken from
redis-server 7.0.15, and the file passes against it), broken values, and the change that PFCOUNT makes."""
import hashlib
import random

import pytest

NOT_HLL = "WRONGTYPE Key is not a valid HyperLogLog string value."
WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
CORRUPT = "INVALIDOBJ Corrupted HLL object detected"
EMPTY = b"HYLL\x01" + b"\0" * 10 + b"\x80\x7f\xff"
ABC = b"`\xf3\x80P\xb1\x84K\xfb\x80BZ"
DENSE_BYTES = 16 + 16384 * 6 // 8


def hll(body, encoding=1, cardinality=b"\0" * 7 + b"\x80"):
    return b"HYLL" + bytes([encoding]) + b"\0\0\0" + cardinality + body


def digest(value):
    return hashlib.sha1(value).hexdigest()[:12]


@pytest.mark.parametrize("command", ["PFADD", "PFCOUNT", "PFMERGE", "PFDEBUG", "PFDEBUG ENCODING", "PFDEBUG ENCODING k x", "PFSELFTEST x"])
def test_arity(c, command):
    name, *args = command.split()
    assert c.fails(name, *args) == f"ERR wrong number of arguments for '{name.lower()}' command"


def test_pfadd(c):
    assert c("PFADD", "k") == 1
    assert c("GET", "k") == EMPTY
    assert c("PFADD", "k") == 0
    assert c("PFADD", "k", "a", "b", "c") == 1
    assert c("PFADD", "k", "c", "a") == 0
    assert c("GET", "k") == hll(ABC)
    assert c("OBJECT", "ENCODING", "k") == b"raw"
    assert c("TYPE", "k") == b"string"
    assert c("PFADD", "new", "", "a\0b", "x" * 100000) == 1
    assert c("PFCOUNT", "new") == 3


def test_pfadd_keeps_the_ttl_and_the_bytes_not_used(c):
    c("SET", "k", b"HYLL\x01abc" + EMPTY[8:], "EX", "100")
    assert c("PFADD", "k", "a") == 1
    assert c("TTL", "k") > 90
    assert c("GET", "k") == b"HYLL\x01abc" + b"\0" * 7 + b"\x80q\xa6\x84NW"
    assert c("PFDEBUG", "TODENSE", "k") == 1
    assert c("TTL", "k") > 90
    assert c("GETRANGE", "k", "0", "7") == b"HYLL\x00abc"


def test_pfcount_caches_what_it_counts(c):
    c("PFADD", "k", "a", "b", "c")
    assert c("PFCOUNT", "k") == 3
    assert c("GET", "k") == hll(ABC, cardinality=b"\x03" + b"\0" * 7)
    assert c("PFCOUNT", "k") == 3
    assert c("PFADD", "k", "a") == 0
    assert c("GET", "k") == hll(ABC, cardinality=b"\x03" + b"\0" * 7)
    c("PFADD", "k", "d")
    assert c("GETRANGE", "k", "8", "15") == b"\x03" + b"\0" * 6 + b"\x80"
    assert c("PFCOUNT", "k") == 4
    # The cached number is believed.
    c("SET", "k", hll(b"", cardinality=b"\x05" + b"\0" * 7))
    assert c("PFCOUNT", "k") == 5
    c("SET", "k", hll(b"\x7f\xff", cardinality=b"\xff" * 7 + b"\x7f"))
    assert c("PFCOUNT", "k") == 2**63 - 1


def test_pfcount_is_a_change_that_watch_sees(c, connect):
    other = connect()
    c("PFADD", "k", "a")
    for command, done in ((("PFCOUNT", "k", "missing"), True), (("PFCOUNT", "k"), False), (("PFCOUNT", "k"), True)):
        other("WATCH", "k")
        c(*command)
        other("MULTI")
        other("PING")
        assert (other("EXEC") is not None) == done


def test_pfcount_of_several_keys(c):
    c("PFADD", "a", *range(0, 1000))
    c("PFADD", "b", *range(500, 1500))
    c("PFADD", "c", *range(0, 30000))
    assert c("PFDEBUG", "ENCODING", "c") == b"dense"
    before = c("GET", "a")
    assert c("PFCOUNT", "missing") == 0
    assert c("PFCOUNT", "missing", "missing2") == 0
    assert [c("PFCOUNT", key) for key in "abc"] == [1001, 1009, 29850]
    assert c("PFCOUNT", "a", "b") == 1512
    assert c("PFCOUNT", "b", "missing", "a", "a") == 1512
    assert c("PFCOUNT", "a", "b", "c") == 29850
    assert c("GET", "a")[16:] == before[16:]


# What redis-server gave: the digest of the value after each round, and the last count.
@pytest.mark.parametrize("limit, rounds, encoding, digest_of_all, count", [
    (3000, 30, b"sparse", "b650a6c9a2fd", 1204), (3000, 60, b"dense", "3c943fafc2c7", 2394),
    (18, 3, b"dense", "e054ef993a7a", 119), (20000, 60, b"sparse", "c69745154f17", 2426),
])
def test_bytes_are_those_of_redis(c, settings, limit, rounds, encoding, digest_of_all, count):
    settings(hll_sparse_max_bytes=limit)
    rng = random.Random({(3000, 30): 1, (3000, 60): 2, (18, 3): 3, (20000, 60): 4}[limit, rounds])
    seen = []
    for _ in range(rounds):
        c("PFADD", "k", *[rng.randrange(10**8) for _ in range(40)])
        last = c("PFCOUNT", "k")
        seen.append(c("GET", "k"))
    assert c("PFDEBUG", "ENCODING", "k") == encoding
    assert (digest(b"".join(seen)), last) == (digest_of_all, count)


def test_promotion(c, settings):
    settings(hll_sparse_max_bytes=100)
    added, size = 0, 0
    while added == 0 or c("PFDEBUG", "ENCODING", "k") == b"sparse":
        size = c("STRLEN", "k")
        c("PFADD", "k", added)
        added += 1
    assert c("STRLEN", "k") == DENSE_BYTES
    assert size <= 100
    assert c("PFCOUNT", "k") == added


# PFMERGE.

def test_pfmerge(c):
    assert c("PFMERGE", "d") == b"OK"
    assert c("GET", "d") == EMPTY
    c("PFADD", "a", "a", "b")
    c("PFADD", "b", "b", "c")
    assert c("PFMERGE", "d", "a", "missing", "b") == b"OK"
    assert c("GET", "d") == hll(ABC)
    # The destination is one of the sources.
    c("PFADD", "e", "d")
    c("PFMERGE", "e", "a")
    assert c("PFCOUNT", "e") == 3
    c("PFMERGE", "a", "a", "a")
    assert c("PFCOUNT", "a") == 2
    assert c("EXISTS", "missing") == 0


def test_pfmerge_of_a_dense_source_is_dense(c):
    c("PFADD", "a", "a")
    c("PFADD", "b", "b")
    c("PFDEBUG", "TODENSE", "b")
    c("PFMERGE", "d", "a", "b")
    assert c("PFDEBUG", "ENCODING", "d") == b"dense"
    assert c("PFCOUNT", "d") == 2
    c("PFMERGE", "b", "a")
    assert c("GET", "b")[16:] == c("GET", "d")[16:]


def test_pfmerge_promotes_when_the_union_is_large(c):
    for i in range(10):
        c("PFADD", f"s{i}", *range(i * 400, i * 400 + 400))
        assert c("PFDEBUG", "ENCODING", f"s{i}") == b"sparse"
    c("PFMERGE", "d", *[f"s{i}" for i in range(10)])
    assert c("PFDEBUG", "ENCODING", "d") == b"dense"
    assert c("PFCOUNT", "d") == c("PFCOUNT", *[f"s{i}" for i in range(10)])
    c("PFADD", "all", *range(4000))
    c("PFDEBUG", "TODENSE", "all")
    assert c("GET", "d")[16:] == c("GET", "all")[16:]


def test_pfmerge_keeps_the_ttl(c):
    c("PFADD", "a", "a")
    c("PFADD", "b", "b")
    c("EXPIRE", "a", "100")
    c("PFMERGE", "a", "b")
    assert c("TTL", "a") > 90


# Values that are none.

@pytest.mark.parametrize("value", [b"", b"x", b"12345", EMPTY[:15], b"hyll" + EMPTY[4:], hll(b"\x7f\xff", 2), hll(b"\x7f\xff", 0),
                                   hll(b"\0" * 12287, 0), hll(b"\0" * 12289, 0)])
def test_strings_that_are_no_hyperloglog(c, value):
    c("SET", "k", value)
    c("PFADD", "good", "a")
    for command in ("PFADD k", "PFADD k a", "PFCOUNT k", "PFCOUNT good k", "PFMERGE k", "PFMERGE d k", "PFDEBUG ENCODING k",
                    "PFDEBUG NOPE k"):
        assert c.fails(*command.split()) == NOT_HLL
    assert c("GET", "k") == value
    assert c("EXISTS", "d") == 0


@pytest.mark.needs("RPUSH")
def test_other_types(c):
    c("RPUSH", "l", "x")
    c("SET", "s", "x")
    for command in ("PFADD l", "PFADD l a", "PFCOUNT l", "PFCOUNT l s", "PFMERGE l", "PFMERGE d l s", "PFDEBUG ENCODING l"):
        assert c.fails(*command.split()) == WRONGTYPE
    assert c.fails("PFMERGE", "d", "s", "l") == NOT_HLL


@pytest.mark.parametrize("body", [b"", b"\x7f\xfe", b"\x7f\xff\x00", b"\x80" * 16383, b"\x80" * 16385, b"\x7f\xff\x40"])
def test_corrupt_runs(c, body):
    value = hll(body)
    c("PFADD", "good", "a")
    for command in ("PFCOUNT k", "PFCOUNT k missing", "PFMERGE k", "PFMERGE d k", "PFMERGE d good k", "PFMERGE good k",
                    "PFDEBUG TODENSE k", "PFDEBUG GETREG k"):
        c("SET", "k", value)
        assert c.fails(*command.split()) == CORRUPT
        assert c("GET", "k") == value
    assert c("PFADD", "k") == 0
    assert c("EXISTS", "d") == 0
    assert c("PFCOUNT", "good") == 1


@pytest.mark.tarn_only
@pytest.mark.parametrize("body", [b"\x7f", b"\x7f\xfe\x40"])
def test_runs_that_end_within_an_opcode_are_corrupt(c, body):
    """Redis reads the zero behind its string as their end."""
    c("SET", "k", hll(body))
    assert c.fails("PFCOUNT", "k") == CORRUPT
    assert c.fails("PFMERGE", "d", "k") == CORRUPT
    c("SET", "k", hll(b"\x7f"))
    assert c.fails("PFADD", "k", "a") == CORRUPT
    assert c("GET", "k") == hll(b"\x7f")


@pytest.mark.tarn_only
def test_a_long_string_is_refused_before_it_is_copied(c):
    c("SET", "k", hll(b"\0" * 33000))
    assert c.fails("PFADD", "k", "a") == CORRUPT
    assert c.fails("PFDEBUG", "TODENSE", "k") == CORRUPT


USES = ("PFADD k x", "PFCOUNT k", "PFCOUNT k k", "PFMERGE d k", "PFDEBUG DECODE k", "PFDEBUG GETREG k", "PFADD k y z")


def test_random_damage_harms_nobody(c):
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(150):
        c("DEL", "k", "d")
        c("PFADD", "k", *range(rng.choice([0, 3, 100, 1000, 5000])))
        value = bytearray(c("GET", "k"))
        for _ in range(rng.randint(1, 5)):
            value[rng.randrange(rng.choice([16, len(value)]))] = rng.randrange(256)
        c("SET", "k", bytes(value[:rng.choice([len(value), rng.randint(0, len(value))])]))
        if rng.random() < 0.3:
            c("SETRANGE", "k", rng.randint(0, 14000), rng.randbytes(5))
        for reply in c.all(command.split() for command in USES):
            if isinstance(reply, str):
                assert reply in (NOT_HLL, CORRUPT, "ERR HLL encoding is not sparse"), reply
    assert c("PING") == b"PONG"


# PFDEBUG, PFSELFTEST.

def test_pfdebug(c):
    c("PFADD", "k", "a", "b", "c")
    assert c("PFDEBUG", "encoding", "k") == b"sparse"
    assert c("PFDEBUG", "DECODE", "k") == b"Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603"
    assert c.fails("PFDEBUG", "NOPE", "k") == "ERR Unknown PFDEBUG subcommand 'NOPE'"
    assert c.fails("PFDEBUG", "NOPE", "missing") == "ERR The specified key does not exist"
    registers = c("PFDEBUG", "GETREG", "k")
    assert len(registers) == 16384
    assert {i: value for i, value in enumerate(registers) if value} == {8436: 1, 12711: 2, 15780: 1}
    # It made the value dense.
    assert c("PFDEBUG", "ENCODING", "k") == b"dense"
    assert c.fails("PFDEBUG", "DECODE", "k") == "ERR HLL encoding is not sparse"
    assert c("PFDEBUG", "TODENSE", "k") == 0
    assert c("PFDEBUG", "GETREG", "k") == registers
    assert c("PFCOUNT", "k") == 3


@pytest.mark.tarn_only
def test_pfdebug_simd(c):
    for i in range(5):
        c("PFADD", f"k{i}", *range(i * 5000, i * 5000 + 9000))
    counts = []
    for word in ("ON", "off", "on"):
        assert c("PFDEBUG", "SIMD", word) in (b"enabled", b"disabled")
        counts.append(c("PFCOUNT", *[f"k{i}" for i in range(5)]))
    assert len(set(counts)) == 1
    assert c("PFDEBUG", "SIMD", "OFF") == b"disabled"
    assert c.fails("PFDEBUG", "SIMD", "maybe") == "ERR Argument must be ON or OFF"
    c("PFDEBUG", "SIMD", "ON")


@pytest.mark.workers(1)
@pytest.mark.protocols(2)
def test_pfselftest(c):
    assert c("PFSELFTEST") == b"OK"


# Estimates.

@pytest.mark.parametrize("count", [1, 10, 100, 1000, 10000, 100000])
def test_errors_are_small(c, count):
    for start in range(0, count, 10000):
        c("PFADD", "k", *[f"element:{i}" for i in range(start, min(start + 10000, count))])
    assert abs(c("PFCOUNT", "k") - count) <= count * 0.035
