"""Hashes: every command and option, its errors word for word, the forms, the events, and fields that end by themselves.

Proven by asking: each test sets up a hash, sends one form of a command and looks at the reply and at what is there
afterwards. What Redis 7.0 has was tried on it; fields that end are of 7.4 and 8.0 (`TTL_COMMANDS`), and are left out there.
"""
import random
import time
from collections import Counter

import pytest

from tests.system.harness import wait_until

SYNTAX = "ERR syntax error"
WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_INTEGER = "ERR value is not an integer or out of range"
NOT_FLOAT = "ERR value is not a valid float"
OVERFLOW = "ERR increment or decrement would overflow"
NO_FIELDS = "ERR Mandatory argument FIELDS is missing or not at the right position"
NOT_AS_MANY = "ERR The `numfields` parameter must match the number of arguments"
NOT_POSITIVE = "ERR Number of fields must be a positive integer"
I64_MAX, I64_MIN = 2**63 - 1, -2**63
FAR = 33177117420123  # ms since 1970, in the year 3021
ttl_commands = pytest.mark.needs("HEXPIRE", "HSETEX")

# How a hash may be held: what is put in beside the fields of the test.
FORMS = {"listpack": 0, "hashtable": 600}


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


@pytest.fixture
def fill(c, form):
    """fill(key, field=value, …): the hash in the form of the test. Other fields begin with "~"."""
    def make(key, **fields):
        words = [word for pair in fields.items() for word in pair]
        for i in range(FORMS[form]):
            words += [f"~{i}", i]
        c("HSET", key, *(words or ["~", "filling"]))
        assert c("OBJECT", "ENCODING", key) == form.encode()
    return make


def arity(name):
    return f"ERR wrong number of arguments for '{name}' command"


def without_filling(pairs):
    return {field: value for field, value in pairs.items() if not field.startswith(b"~")}


def now_ms(c):
    seconds, us = c("TIME")
    return int(seconds) * 1000 + int(us) // 1000


# Errors, the same for all.

@pytest.mark.parametrize("command", [
    "HSET", "HSET k", "HSET k f", "HSETNX k f", "HSETNX k f v x", "HMSET k f", "HGET k", "HGET k f x", "HMGET k", "HGETALL",
    "HGETALL k x", "HKEYS", "HKEYS k x", "HVALS k x", "HLEN", "HLEN k x", "HSTRLEN k", "HSTRLEN k f x", "HEXISTS k",
    "HEXISTS k f x", "HDEL k", "HINCRBY k f", "HINCRBY k f 1 x", "HINCRBYFLOAT k f", "HINCRBYFLOAT k f 1 x", "HRANDFIELD",
    "HSCAN k", "HSCAN"])
def test_arity(c, command):
    name, *args = command.split()
    assert c.fails(name, *args) == arity(name.lower())


@ttl_commands
@pytest.mark.parametrize("command", [
    "HEXPIRE k 10 FIELDS 1", "HPEXPIRE k 10 FIELDS", "HEXPIREAT k", "HPEXPIREAT k 1 FIELDS 1", "HTTL k FIELDS 1", "HPTTL k",
    "HEXPIRETIME k FIELDS 1", "HPEXPIRETIME k FIELDS", "HPERSIST k FIELDS 1", "HGETDEL k FIELDS 1", "HGETEX k FIELDS 1",
    "HSETEX k FIELDS 1 f"])
def test_arity_of_commands_on_ends(c, command):
    name, *args = command.split()
    assert c.fails(name, *args) == arity(name.lower())


@pytest.mark.parametrize("name", ["HSET", "HMSET"])
def test_pairs_must_be_pairs(c, name):
    assert c.fails(name, "k", "f", "v", "g") == arity(name.lower())
    c("SET", "s", "x")
    assert c.fails(name, "s", "f", "v", "g") == arity(name.lower())
    assert c("EXISTS", "k") == 0


@pytest.mark.parametrize("command", [
    "HSET s f v", "HSETNX s f v", "HMSET s f v", "HGET s f", "HMGET s f", "HGETALL s", "HKEYS s", "HVALS s", "HLEN s",
    "HSTRLEN s f", "HEXISTS s f", "HDEL s f", "HINCRBY s f 1", "HINCRBYFLOAT s f 1", "HRANDFIELD s", "HRANDFIELD s 2",
    "HSCAN s 0", "HSCAN s 0 COUNT 0"])
def test_wrong_type(c, command):
    c("SET", "s", "x")
    assert c.fails(*command.split()) == WRONGTYPE
    assert c("GET", "s") == b"x"


@ttl_commands
@pytest.mark.parametrize("command", [
    "HEXPIRE s 10 FIELDS 1 f", "HPEXPIRE s 10 FIELDS 1 f", "HEXPIREAT s 10 FIELDS 1 f", "HPEXPIREAT s 10 FIELDS 1 f",
    "HTTL s FIELDS 1 f", "HPTTL s FIELDS 1 f", "HEXPIRETIME s FIELDS 1 f", "HPEXPIRETIME s FIELDS 1 f",
    "HPERSIST s FIELDS 1 f", "HGETDEL s FIELDS 1 f", "HGETEX s FIELDS 1 f", "HGETEX s EX 10 FIELDS 1 f",
    "HSETEX s FIELDS 1 f v", "HSETEX s FNX EX 10 FIELDS 1 f v"])
def test_wrong_type_of_commands_on_ends(c, command):
    c("SET", "s", "x")
    assert c.fails(*command.split()) == WRONGTYPE
    assert c("GET", "s") == b"x"


@pytest.mark.parametrize("command,reply", [
    ("HGET k f", None), ("HMGET k f g", [None, None]), ("HKEYS k", []), ("HVALS k", []), ("HLEN k", 0), ("HSTRLEN k f", 0),
    ("HEXISTS k f", 0), ("HDEL k f", 0), ("HRANDFIELD k", None), ("HRANDFIELD k 5", []), ("HRANDFIELD k -5 WITHVALUES", []),
    ("HSCAN k 0", [b"0", []]), ("HSCAN k 17 NONSENSE", [b"0", []])])
def test_missing_keys(c, command, reply):
    assert c(*command.split()) == reply
    assert c("EXISTS", "k") == 0


def test_missing_key_of_hgetall(c):
    assert c.pairs(c("HGETALL", "k")) == {}


# Setting and asking.

def test_hset_counts_new_fields(c, fill):
    fill("k", a=1)
    assert c("HSET", "k", "a", "2") == 0
    assert c("HSET", "k", "a", "3", "b", "4", "c", "5") == 2
    assert c("HSET", "k", "d", "6", "d", "7") == 1
    assert without_filling(c.pairs(c("HGETALL", "k"))) == {b"a": b"3", b"b": b"4", b"c": b"5", b"d": b"7"}


def test_hmset(c, fill):
    fill("k", a=1)
    assert c("HMSET", "k", "a", "2", "b", "3") == b"OK"
    assert c("HMGET", "k", "a", "b") == [b"2", b"3"]


def test_hsetnx(c, fill):
    fill("k", a=1)
    assert c("HSETNX", "k", "a", "2") == 0
    assert c("HSETNX", "k", "b", "2") == 1
    assert c("HMGET", "k", "a", "b") == [b"1", b"2"]
    assert c("HSETNX", "new", "a", "1") == 1


def test_hget_and_its_kin(c, fill):
    fill("k", a="one", b="", n="12345")
    assert c("HGET", "k", "a") == b"one"
    assert c("HGET", "k", "b") == b""
    assert c("HGET", "k", "n") == b"12345"
    assert c("HGET", "k", "none") is None
    assert c("HMGET", "k", "a", "none", "n", "a") == [b"one", None, b"12345", b"one"]
    assert [c("HSTRLEN", "k", field) for field in ("a", "b", "n", "none")] == [3, 0, 5, 0]
    assert [c("HEXISTS", "k", field) for field in ("a", "b", "none")] == [1, 1, 0]
    assert c("HLEN", "k") == 3 + FORMS[c("OBJECT", "ENCODING", "k").decode()]


def test_keys_values_and_all(c, fill):
    fill("k", a="1", b="x")
    pairs = c.pairs(c("HGETALL", "k"))
    assert without_filling(pairs) == {b"a": b"1", b"b": b"x"}
    assert sorted(c("HKEYS", "k")) == sorted(pairs)
    assert sorted(c("HVALS", "k")) == sorted(pairs.values())


def test_small_hashes_keep_their_order(c):
    c("HSET", "k", "z", 1, "y", 2, "x", 3)
    c("HSET", "k", "y", "changed")
    assert c("HKEYS", "k") == [b"z", b"y", b"x"]
    c("HDEL", "k", "z")
    c("HSET", "k", "z", 1)
    assert c("HKEYS", "k") == [b"y", b"x", b"z"]


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 255, 256, 257, 4095, 4096, 65536, 1 << 20])
def test_fields_and_values_of_every_size(c, size):
    text = (b"\r\n\x00k\xff" * (size // 5 + 1))[:size]
    assert c("HSET", "k", text, "short", "f", text) == 2
    assert c("HGET", "k", text) == b"short"
    assert c("HGET", "k", "f") == text
    assert c("HSTRLEN", "k", "f") == size
    assert c("HDEL", "k", text) == 1
    assert c("HKEYS", "k") == [b"f"]


def test_a_value_replaced_again_and_again(c, fill):
    fill("k", f="x")
    rng = random.Random(1)
    for _ in range(200):
        value = b"v" * rng.choice([0, 1, 5, 12, 13, 14, 40, 100, 300, 5000])
        c("HSET", "k", "f", value)
        assert c("HGET", "k", "f") == value
        assert c("MEMORY", "USAGE", "k") > len(value)


@pytest.mark.parametrize("number", ["0", "-1", "127", "128", "-4096", "32768", "-8388609", str(2**31), str(I64_MAX), str(I64_MIN),
                                    str(I64_MAX + 1), "007", "-0", "+1", "1.0", " 1"])
def test_numbers_come_back_as_they_were(c, fill, number):
    fill("k")
    c("HSET", "k", number, number)
    assert c("HGET", "k", number) == number.encode()
    assert without_filling(c.pairs(c("HGETALL", "k"))) == {number.encode(): number.encode()}


# Removing.

def test_hdel(c, fill):
    fill("k", a=1, b=2, d=3)
    assert c("HDEL", "k", "a", "none", "a", "b") == 2
    assert without_filling(c.pairs(c("HGETALL", "k"))) == {b"d": b"3"}


def test_an_empty_hash_vanishes(c, fill, form):
    fill("k", a=1)
    assert c("HDEL", "k", "a", *[f"~{i}" for i in range(FORMS[form])]) == 1 + FORMS[form]
    assert c("EXISTS", "k") == 0
    assert c("TYPE", "k") == b"none"


# Numbers.

def test_hincrby(c, fill):
    fill("k", n=5, m=I64_MAX, low=I64_MIN)
    assert c("HINCRBY", "k", "n", "3") == 8
    assert c("HINCRBY", "k", "n", "-10") == -2
    assert c("HINCRBY", "k", "new", "7") == 7
    assert c("HINCRBY", "missing", "f", "-1") == -1
    assert c.fails("HINCRBY", "k", "m", "1") == OVERFLOW
    assert c.fails("HINCRBY", "k", "low", "-1") == OVERFLOW
    assert c("HINCRBY", "k", "m", "-1") == I64_MAX - 1
    assert c("HMGET", "k", "n", "new", "low") == [b"-2", b"7", str(I64_MIN).encode()]


@pytest.mark.parametrize("value", ["x", "", "1.5", " 1", "1 ", "01", "+1", "3.0e3", str(I64_MAX + 1)])
def test_hincrby_wants_an_integer(c, fill, value):
    fill("k")
    c("HSET", "k", "f", value)
    assert c.fails("HINCRBY", "k", "f", "1") == "ERR hash value is not an integer"
    assert c("HGET", "k", "f") == value.encode()


@pytest.mark.parametrize("by", ["x", "", "1.5", " 1", str(I64_MAX + 1)])
def test_hincrby_by_an_integer(c, by):
    assert c.fails("HINCRBY", "k", "f", by) == NOT_INTEGER
    c("SET", "s", "x")
    assert c.fails("HINCRBY", "s", "f", by) == NOT_INTEGER


@pytest.mark.parametrize("value,by,result", [
    ("10.50", "0.1", "10.6"), ("5.0e3", "2.0e2", "5200"), ("1", "-1", "0"), ("3", "1.5", "4.5"), ("0x10", "1", "17"), ("00012", "1", "13"),
    ("-0.1", "0.1", "0"), ("10.6", "-5", "5.6"), (str(I64_MAX), "1", str(I64_MAX + 1)),
    ("123456789012345678901234567890123456789012345678901234567890", "1",
     "123456789012345678904212663537885431876092564888614510526464")])
def test_hincrbyfloat(c, fill, value, by, result):
    fill("k")
    c("HSET", "k", "f", value)
    assert c("HINCRBYFLOAT", "k", "f", by) == result.encode()
    assert c("HGET", "k", "f") == result.encode()


def test_hincrbyfloat_of_missing_ones(c):
    assert c("HINCRBYFLOAT", "k", "f", "1.25") == b"1.25"
    assert c("HINCRBYFLOAT", "k", "g", "-3") == b"-3"
    assert c("OBJECT", "ENCODING", "k") == b"listpack"
    assert len(c("HINCRBYFLOAT", "k", "big", "1e300")) == 301
    assert c("OBJECT", "ENCODING", "k") == b"hashtable"


@pytest.mark.parametrize("value", ["x", "", " 1", "1 ", "1.5x"])
def test_hincrbyfloat_wants_a_float(c, value):
    c("HSET", "k", "f", value)
    assert c.fails("HINCRBYFLOAT", "k", "f", "1") == "ERR hash value is not a float"
    assert c.fails("HINCRBYFLOAT", "k", "n", value) == NOT_FLOAT


def test_hincrbyfloat_stays_finite(c):
    c("SET", "s", "x")
    for key in ("k", "s"):
        assert c.fails("HINCRBYFLOAT", key, "f", "inf") == "ERR value is NaN or Infinity"
        assert c.fails("HINCRBYFLOAT", key, "f", "nan") == NOT_FLOAT
    c("HSET", "k", "f", "inf")
    assert c.fails("HINCRBYFLOAT", "k", "f", "1") == "ERR increment would produce NaN or Infinity"
    c("HSET", "k", "f", "1e4932")
    assert c.fails("HINCRBYFLOAT", "k", "f", "1e4932") == "ERR increment would produce NaN or Infinity"


# HRANDFIELD.

def pairs_of(c, reply):
    """HRANDFIELD … WITHVALUES: pairs in RESP3, a row in RESP2."""
    return [tuple(pair) for pair in (reply if c.protocol == 3 else zip(reply[::2], reply[1::2]))]


def test_hrandfield(c, fill, form):
    fill("k", a=1, b=2, d=3)
    fields = c.pairs(c("HGETALL", "k"))
    assert c("HRANDFIELD", "k") in fields
    assert c("HRANDFIELD", "k", "0") == []
    assert sorted(c("HRANDFIELD", "k", "1000")) == sorted(fields)
    assert dict(pairs_of(c, c("HRANDFIELD", "k", "1000", "withvalues"))) == fields
    for count in (1, 2, len(fields) // 2, len(fields) - 1):
        chosen = c("HRANDFIELD", "k", count)
        assert len(chosen) == len(set(chosen)) == count
        assert set(chosen) <= set(fields)
        chosen = pairs_of(c, c("HRANDFIELD", "k", count, "WITHVALUES"))
        assert len(chosen) == count
        assert dict(chosen).items() <= fields.items()
    chosen = c("HRANDFIELD", "k", "-2000")
    assert len(chosen) == 2000
    assert set(chosen) <= set(fields)
    chosen = pairs_of(c, c("HRANDFIELD", "k", "-2000", "WITHVALUES"))
    assert len(chosen) == 2000
    assert set(chosen) <= set(fields.items())


@pytest.mark.parametrize("command,error", [
    ("k x", NOT_INTEGER), ("k 1.5", NOT_INTEGER), ("s x", NOT_INTEGER), ("k 1 x", SYNTAX), ("s 1 x", SYNTAX), ("k 1 WITHVALUES x", SYNTAX),
    ("k 1 WITHSCORES", SYNTAX), ("k 4611686018427387904 WITHVALUES", "ERR value is out of range"),
    ("nokey -4611686018427387904 WITHVALUES", "ERR value is out of range"),
    ("k -9223372036854775808",
     "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")])
def test_hrandfield_errors(c, command, error):
    c("HSET", "k", "a", 1)
    c("SET", "s", "x")
    assert c.fails("HRANDFIELD", *command.split()) == error


@pytest.mark.tarn_only
@pytest.mark.workers(1)
def test_hrandfield_of_more_than_a_reply_may_be(c, settings):
    """Redis goes on until its memory ends."""
    settings(proto_max_bulk_len="1mb")
    c("HSET", "k", "field", "v" * 1000)
    assert c.fails("HRANDFIELD", "k", -I64_MAX) == "ERR the reply would be longer than proto-max-bulk-len"
    assert c.fails("HRANDFIELD", "k", -(I64_MAX // 2), "WITHVALUES").startswith("ERR the reply")
    assert c("HRANDFIELD", "k", I64_MAX) == [b"field"]
    assert len(c("HRANDFIELD", "k", -50000)) == 50000


@pytest.mark.tarn_only
def test_hrandfield_is_fair(c, fill, form):
    fill("k", **{f"f{i}": i for i in range(8)})
    if form == "hashtable":
        c("HDEL", "k", *[f"~{i}" for i in range(FORMS[form])])
    fields = c("HKEYS", "k")
    draws = [
        Counter(c("HRANDFIELD", "k", "-8000")),
        Counter(field for reply in c.all([("HRANDFIELD", "k", "2")] * 4000) for field in reply),
        Counter(c.all([("HRANDFIELD", "k")] * 8000)),
    ]
    for counted in draws:
        assert set(counted) == set(fields)
        # Six standard deviations around 1000.
        assert all(1000 - 180 < n < 1000 + 180 for n in counted.values()), counted


# HSCAN.

def scan_all(c, key, *options, step=2):
    cursor, found = b"0", []
    while True:
        cursor, part = c("HSCAN", key, cursor, *options)
        found += part
        if cursor == b"0":
            return dict(zip(found[::2], found[1::2])) if step == 2 else set(found)


@pytest.mark.parametrize("count", [1, 10, 1000])
def test_hscan(c, fill, count):
    fill("k", a=1, b=2)
    assert scan_all(c, "k", "COUNT", count) == c.pairs(c("HGETALL", "k"))


def test_hscan_match(c, fill):
    fill("k", apple=1, avocado=2, pear=3)
    assert scan_all(c, "k", "MATCH", "a*") == {b"apple": b"1", b"avocado": b"2"}
    assert scan_all(c, "k", "COUNT", "5", "MATCH", "nothing*") == {}
    assert without_filling(scan_all(c, "k", "MATCH", "*", "COUNT", "7")) == {b"apple": b"1", b"avocado": b"2", b"pear": b"3"}


@pytest.mark.tarn_only
def test_hscan_without_values(c, fill):
    fill("k", apple=1, pear=3)
    assert scan_all(c, "k", "NOVALUES", step=1) == set(c("HKEYS", "k"))
    assert scan_all(c, "k", "MATCH", "a*", "novalues", "COUNT", "5", step=1) == {b"apple"}


def test_hscan_answers_small_hashes_at_once(c):
    c("HSET", "k", *[f"f{i // 2}" for i in range(200)])
    cursor, found = c("HSCAN", "k", "12345", "COUNT", "1")
    assert cursor == b"0" and len(found) == 200


def test_hscan_goes_by_count(c):
    c("HSET", "k", *range(20000))
    cursor, found = c("HSCAN", "k", "0", "COUNT", "100")
    assert cursor != b"0"
    assert 200 <= len(found) < 400


@pytest.mark.parametrize("command,error", [
    ("k x", "ERR invalid cursor"), ("nokey x", "ERR invalid cursor"), ("s x", "ERR invalid cursor"), ("k 0 COUNT", SYNTAX),
    ("k 0 COUNT 0", SYNTAX), ("k 0 COUNT x", NOT_INTEGER), ("k 0 MATCH", SYNTAX), ("k 0 TYPE hash", SYNTAX),
    ("s 0 COUNT 0", WRONGTYPE)])
def test_hscan_errors(c, command, error):
    c("HSET", "k", "a", 1)
    c("SET", "s", "x")
    assert c.fails("HSCAN", *command.split()) == error


def test_hscan_sees_what_stays(c):
    """Fields that stay are seen although others come and go, and the form changes, while the walk goes on."""
    for grows in (True, False):
        c("DEL", "k")
        c("HSET", "k", *[f"k{i // 2}" for i in range(1000)])
        others = [f"o{i}" for i in range(5000)]
        if not grows:
            c("HSET", "k", *[word for field in others for word in (field, "v")])
        cursor, seen = b"0", set()
        while True:
            cursor, part = c("HSCAN", "k", cursor, "COUNT", "20")
            seen |= set(part[::2])
            some, others = others[:60], others[60:]
            if some:
                c("HSET", "k", *[word for field in some for word in (field, "v")]) if grows else c("HDEL", "k", *some)
            if cursor == b"0":
                break
        assert {f"k{i}".encode() for i in range(500)} <= seen


# Forms.

def test_the_limit_of_fields(c, settings):
    settings(hash_max_listpack_entries=4)
    c("HSET", "k", "a", 1, "b", 2, "c", 3, "d", 4)
    c("HSET", "k", "d", 5)
    c("HSET", "k", "d", 5, "d", 6, "d", 7)
    assert c("OBJECT", "ENCODING", "k") == b"listpack"
    c("HINCRBY", "k", "e", 1)
    assert c("OBJECT", "ENCODING", "k") == b"hashtable"
    c("HDEL", "k", "e", "d", "c", "b")
    c("HSET", "k", "a", 2)
    assert c("OBJECT", "ENCODING", "k") == b"hashtable"
    assert c.pairs(c("HGETALL", "k")) == {b"a": b"2"}


@pytest.mark.parametrize("field,value,encoding", [
    (64, 64, b"listpack"), (65, 1, b"hashtable"), (1, 65, b"hashtable"), (0, 0, b"listpack")])
@pytest.mark.parametrize("name", ["HSET", "HSETNX", "HMSET"])
def test_the_limit_of_lengths(c, name, field, value, encoding):
    c(name, "k", "f" * field, "v" * value)
    assert c("OBJECT", "ENCODING", "k") == encoding
    assert c("HGET", "k", "f" * field) == b"v" * value


def test_what_is_not_set_changes_no_form(c):
    c("HSET", "k", "a", 1)
    assert c("HSETNX", "k", "a", "x" * 100) == 0
    assert c("OBJECT", "ENCODING", "k") == b"listpack"


def test_lowered_limits_hold_from_the_next_change(c, settings):
    c("HSET", "k", "a", 1, "b", 2, "c", 3)
    settings(hash_max_listpack_entries=2)
    assert c("OBJECT", "ENCODING", "k") == b"listpack"
    c("HSET", "k", "a", 9)
    assert c("OBJECT", "ENCODING", "k") == b"hashtable"
    settings(hash_max_listpack_entries=0)
    c("HSET", "one", "a", 1)
    assert c("OBJECT", "ENCODING", "one") == b"hashtable"


def test_the_older_names_of_the_limits(c, settings):
    settings(hash_max_ziplist_entries=1)
    assert c.pairs(c("CONFIG", "GET", "hash-max-listpack-entries")) == {b"hash-max-listpack-entries": b"1"}


def test_all_with_large_small_forms(c, settings):
    """The limits may be set so high that the small form is large."""
    settings(hash_max_listpack_entries=100000, hash_max_listpack_value=100000)
    c("HSET", "k", *[f"{i}" * 3 for i in range(4000)])
    c("HSET", "k", "long", "x" * 100000)
    assert c("OBJECT", "ENCODING", "k") == b"listpack"
    assert c("HLEN", "k") == 2001
    assert c("HGET", "k", "222") == b"333"
    assert c("HSTRLEN", "k", "long") == 100000


# Hashes as values of keys.

def test_copy_rename_move(c, fill):
    fill("k", a=1, b="x")
    all_of = c.pairs(c("HGETALL", "k"))
    assert c("COPY", "k", "twin") == 1
    c("HSET", "k", "a", "changed")
    assert c.pairs(c("HGETALL", "twin")) == all_of
    c("RENAME", "twin", "other")
    assert c.pairs(c("HGETALL", "other")) == all_of
    assert c("TYPE", "other") == b"hash"
    assert c("SCAN", "0", "COUNT", "1000", "TYPE", "hash")[0] == b"0"
    c("EXPIRE", "other", 100)
    c("HSET", "other", "b", "y")
    assert c("TTL", "other") == 100
    c("SET", "other", "string")
    assert c("GET", "other") == b"string"


@pytest.mark.workers(1)
def test_large_hashes_come_and_go(c):
    for _ in range(2):
        for start in range(0, 100000, 10000):
            c("HSET", "k", *[word for i in range(start, start + 10000) for word in (f"field:{i}", i)])
        assert c("HLEN", "k") == 100000
        assert c("HMGET", "k", *[f"field:{i}" for i in range(0, 100000, 997)]) == [b"%d" % i for i in range(0, 100000, 997)]
        assert c("HDEL", "k", *[f"field:{i}" for i in range(0, 99000)]) == 99000
        assert sorted(map(int, c("HVALS", "k"))) == list(range(99000, 100000))
        assert c("DEL", "k") == 1


# RESP: kinds of replies.

@pytest.mark.parametrize("command,resp2,resp3", [
    ("HGETALL k", "[b'a', b'1']", "Map(pairs=((b'a', b'1'),))"), ("HGETALL none", "[]", "Map(pairs=())"), ("HKEYS k", "[b'a']", "[b'a']"),
    ("HVALS k", "[b'1']", "[b'1']"), ("HMGET k a x", "[b'1', nil($-1)]", "[b'1', nil(_)]"), ("HGET k x", "nil($-1)", "nil(_)"),
    ("HMSET k a 1", "+OK", "+OK"), ("HRANDFIELD k", "b'a'", "b'a'"), ("HRANDFIELD none", "nil($-1)", "nil(_)"),
    ("HRANDFIELD none 1", "[]", "[]"), ("HRANDFIELD k 1", "[b'a']", "[b'a']"),
    ("HRANDFIELD k 1 WITHVALUES", "[b'a', b'1']", "[[b'a', b'1']]"),
    ("HRANDFIELD k -2 WITHVALUES", "[b'a', b'1', b'a', b'1']", "[[b'a', b'1'], [b'a', b'1']]"),
    ("HSCAN k 0", "[b'0', [b'a', b'1']]", "[b'0', [b'a', b'1']]"), ("HINCRBYFLOAT k a 0.5", "b'1.5'", "b'1.5'"),
    ("HEXISTS k a", "1", "1"), ("HSETNX k b 1", "1", "1")])
def test_kinds_of_replies(wire, protocol, command, resp2, resp3):
    wire("HSET", "k", "a", "1")
    assert repr(wire(*command.split())) == (resp3 if protocol == 3 else resp2)


@ttl_commands
@pytest.mark.parametrize("command,resp2,resp3", [
    ("HTTL none FIELDS 2 a b", "[-2, -2]", "[-2, -2]"), ("HGETDEL k FIELDS 2 a x", "[b'1', nil($-1)]", "[b'1', nil(_)]"),
    ("HGETEX k FIELDS 2 a x", "[b'1', nil($-1)]", "[b'1', nil(_)]"), ("HGETEX none FIELDS 1 a", "[nil($-1)]", "[nil(_)]"),
    ("HEXPIRE k 10 FIELDS 1 a", "[1]", "[1]")])
def test_kinds_of_replies_on_ends(wire, protocol, command, resp2, resp3):
    wire("HSET", "k", "a", "1")
    assert repr(wire(*command.split())) == (resp3 if protocol == 3 else resp2)


# Events.

@pytest.fixture
def events(server, settings, connect):
    """events(…command…): the events that the command gives."""
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
            ("HSET k a 1 b 2", ["hset"]), ("HSET k a 1", ["hset"]), ("HSETNX k a 1", []), ("HSETNX k n 1", ["hset"]), ("HMSET k q 1", ["hset"]),
            ("HINCRBY k z 1", ["hincrby"]), ("HINCRBYFLOAT k z 1", ["hincrbyfloat"]), ("HDEL k none", []), ("HDEL k a b", ["hdel"]),
            ("HGET k n", []), ("HRANDFIELD k 2", []), ("HDEL k n q z", ["hdel", "del"]), ("HINCRBY k a 1", ["hincrby"])]:
        assert events(*command.split()) == [(event, "k") for event in wanted], command


@ttl_commands
@pytest.mark.needs("PSUBSCRIBE")
def test_events_of_ends(events):
    for command, wanted in [
            ("HSET k a 1 b 2 d 3", ["hset"]), ("HEXPIRE k 100 FIELDS 2 a b", ["hexpire"]), ("HEXPIRE k 10 NX FIELDS 2 a b", []),
            ("HPERSIST k FIELDS 2 a d", ["hpersist"]), ("HPERSIST k FIELDS 1 a", []), ("HEXPIRE k 0 FIELDS 1 a", ["hdel"]),
            ("HGETEX k FIELDS 1 b", []), ("HGETEX k EX 10 FIELDS 2 b x", ["hexpire"]), ("HGETEX k PERSIST FIELDS 1 b", ["hpersist"]),
            ("HGETEX k PERSIST FIELDS 1 b", []), ("HSETEX k FIELDS 1 b 1", ["hset"]), ("HSETEX k EX 10 FIELDS 2 b 1 e 1", ["hset", "hexpire"]),
            ("HSETEX k FNX FIELDS 1 b 1", []), ("HGETEX k PXAT 1 FIELDS 1 e", ["hdel"]), ("HSETEX k PXAT 1 FIELDS 1 b 1", ["hset", "hdel"]),
            ("HGETDEL k FIELDS 1 x", []), ("HGETDEL k FIELDS 1 d", ["hdel", "del"]), ("HSET k a 1 b 2", ["hset"]),
            ("HEXPIREAT k 1 FIELDS 2 a b", ["hdel", "del"]), ("HSET k a 1", ["hset"]),
            ("HGETEX k EXAT 1 FIELDS 1 a", ["hdel", "del"])]:
        assert events(*command.split()) == [(event, "k") for event in wanted], command


@ttl_commands
@pytest.mark.needs("PSUBSCRIBE")
def test_events_of_fields_that_end(events, c):
    events("HSET", "k", "a", "1", "b", "2", "c", "3")
    heard = events("HPEXPIRE", "k", "40", "FIELDS", "2", "a", "b")
    wait_until(lambda: c("HLEN", "k") == 1)
    heard += events("HLEN", "k")
    assert heard == [("hexpire", "k"), ("hexpired", "k")]
    heard = events("HPEXPIRE", "k", "40", "FIELDS", "1", "c")
    wait_until(lambda: c("EXISTS", "k") == 0)
    heard += events("HLEN", "k")
    assert heard == [("hexpire", "k"), ("hexpired", "k"), ("del", "k")]


# Fields that end: setting and asking.

@pytest.fixture(params=["listpackex", "hashtable"])
def ending(request, c):
    """A hash of the fields a to e that can have ends; other fields begin with "~"."""
    c("HSET", "k", *"a 1 b 2 c 3 d 4 e 5".split())
    if request.param == "hashtable":
        c("HSET", "k", *[f"~{i // 2}" for i in range(1200)])
    c("HPEXPIREAT", "k", FAR, "FIELDS", "1", "e")
    assert c("OBJECT", "ENCODING", "k") == request.param.encode()
    return "k"


@ttl_commands
@pytest.mark.parametrize("command,time,ms", [("HEXPIRE", 1000, 1000_000), ("HPEXPIRE", 100_000, 100_000)])
def test_ends_from_now(c, ending, command, time, ms):
    before = now_ms(c)
    assert c(command, ending, time, "FIELDS", "3", "a", "none", "b") == [1, -2, 1]
    after = now_ms(c)
    ends = c("HPEXPIRETIME", ending, "FIELDS", "3", "a", "b", "c")
    assert before + ms <= ends[0] == ends[1] <= after + ms
    assert ends[2] == -1
    left = c("HPTTL", ending, "FIELDS", "4", "a", "b", "c", "none")
    assert ms - 5000 < left[0] <= ms and left[2:] == [-1, -2]
    assert c("HTTL", ending, "FIELDS", "1", "a")[0] in range(ms // 1000 - 5, ms // 1000 + 1)


@ttl_commands
@pytest.mark.parametrize("command,time", [("HEXPIREAT", FAR // 1000), ("HPEXPIREAT", FAR)])
def test_ends_at_a_time(c, ending, command, time):
    assert c(command, ending, time, "FIELDS", "2", "a", "a") == [1, 1]
    assert c("HEXPIRETIME", ending, "FIELDS", "2", "a", "none") == [FAR // 1000 + (command == "HPEXPIREAT"), -2]
    assert c("HPEXPIRETIME", ending, "FIELDS", "1", "a") == [FAR if command == "HPEXPIREAT" else FAR // 1000 * 1000]


@ttl_commands
def test_seconds_are_rounded_up(c, ending):
    c("HPEXPIRE", ending, 10_001, "FIELDS", "1", "a")
    assert c("HTTL", ending, "FIELDS", "1", "a") in ([10], [11])
    c("HPEXPIREAT", ending, 33177117420001, "FIELDS", "1", "a")
    assert c("HEXPIRETIME", ending, "FIELDS", "1", "a") == [33177117421]


@ttl_commands
def test_conditions(c, ending):
    def expire(time, *words):
        return c("HPEXPIREAT", ending, time, *words, "FIELDS", "1", "a")[0]
    assert expire(FAR, "XX") == 0
    assert expire(FAR, "GT") == 0
    assert expire(FAR, "NX") == 1
    assert expire(FAR + 1, "nx") == 0
    assert expire(FAR, "GT") == 0
    assert expire(FAR + 1, "gt") == 1
    assert expire(FAR + 1, "LT") == 0
    assert expire(FAR, "lt") == 1
    assert expire(FAR + 9, "XX") == 1
    assert c("HPEXPIRETIME", ending, "FIELDS", "1", "a") == [FAR + 9]
    assert c("HPEXPIREAT", ending, FAR, "LT", "FIELDS", "1", "b") == [1]
    assert c("HPEXPIREAT", ending, FAR, "NX", "FIELDS", "3", "a", "c", "none") == [0, 1, -2]


@ttl_commands
@pytest.mark.parametrize("command,time", [("HEXPIRE", 0), ("HPEXPIRE", 0), ("HEXPIREAT", 0), ("HEXPIREAT", 1), ("HPEXPIREAT", 1000)])
def test_a_time_gone_by_removes(c, ending, command, time):
    assert c(command, ending, time, "FIELDS", "3", "a", "none", "a") == [2, -2, -2]
    assert c("HEXISTS", ending, "a") == 0
    assert c(command, ending, time, "XX", "FIELDS", "1", "b") == [0]
    assert c("HEXISTS", ending, "b") == 1


@ttl_commands
def test_removing_all_removes_the_key(c):
    c("HSET", "k", "a", 1, "b", 2)
    assert c("HEXPIRE", "k", 0, "FIELDS", "2", "a", "b") == [2, 2]
    assert c("EXISTS", "k") == 0


@ttl_commands
@pytest.mark.parametrize("command", [
    "HEXPIRE none 10 FIELDS 2 a b", "HPEXPIRE none 10 NX FIELDS 2 a b", "HEXPIREAT none 10 FIELDS 2 a b",
    "HPEXPIREAT none 10 FIELDS 2 a b", "HTTL none FIELDS 2 a b", "HPTTL none FIELDS 2 a b", "HEXPIRETIME none FIELDS 2 a b",
    "HPEXPIRETIME none FIELDS 2 a b", "HPERSIST none FIELDS 2 a b"])
def test_ends_of_a_missing_key(c, command):
    assert c(*command.split()) == [-2, -2]
    assert c("EXISTS", "none") == 0


@ttl_commands
def test_hpersist(c, ending):
    c("HEXPIRE", ending, 100, "FIELDS", "2", "a", "b")
    assert c("HPERSIST", ending, "FIELDS", "4", "a", "c", "none", "a") == [1, -1, -2, -1]
    assert c("HPTTL", ending, "FIELDS", "2", "a", "c") == [-1, -1]
    assert c("HTTL", ending, "FIELDS", "1", "b")[0] > 90


@ttl_commands
@pytest.mark.parametrize("command,error", [
    ("HEXPIRE k x FIELDS 1 a", NOT_INTEGER), ("HEXPIRE k -1 FIELDS 1 a", "ERR invalid expire time, must be >= 0"),
    ("HEXPIRE k 9223372036854775807 FIELDS 1 a", "ERR invalid expire time in 'hexpire' command"),
    ("HPEXPIRE k 9223372036854775807 FIELDS 1 a", "ERR invalid expire time in 'hpexpire' command"),
    ("HEXPIREAT k 281474976710 FIELDS 1 a", "ERR invalid expire time in 'hexpireat' command"),
    ("HPEXPIREAT k 281474976710655 FIELDS 1 a", "ERR invalid expire time in 'hpexpireat' command"),
    ("HEXPIRE k 10 a FIELDS 1 a", NO_FIELDS), ("HEXPIRE k 10 NX XX FIELDS 1 a", NO_FIELDS), ("HEXPIRE k 10 NX a b c", NO_FIELDS),
    ("HEXPIRE k 10 FIELDS 0 a", "ERR Parameter `numFields` should be greater than 0"),
    ("HEXPIRE k 10 FIELDS x a", "ERR Parameter `numFields` should be greater than 0"), ("HEXPIRE k 10 FIELDS 2 a", NOT_AS_MANY),
    ("HEXPIRE k 10 FIELDS 1 a b", NOT_AS_MANY), ("HEXPIRE k 10 NX FIELDS 1", NOT_AS_MANY), ("HEXPIRE none 10 FIELDS 2 a", NOT_AS_MANY),
    ("HTTL k FIELD 1 a", NO_FIELDS), ("HTTL k FIELDS 0 a", NOT_POSITIVE), ("HTTL k FIELDS x a", NOT_POSITIVE), ("HTTL k FIELDS 2 a", NOT_AS_MANY),
    ("HPERSIST k FIELD 1 a", NO_FIELDS), ("HPERSIST k FIELDS -1 a", NOT_POSITIVE), ("HPERSIST k FIELDS 9223372036854775808 a", NOT_POSITIVE),
    ("HPEXPIRETIME k FIELDS 9223372036854775807 a", NOT_AS_MANY)])
def test_errors_of_ends(c, command, error):
    c("HSET", "k", "a", 1)
    assert c.fails(*command.split()) == error
    assert c("HTTL", "k", "FIELDS", 1, "a") == [-1]


# Fields that end: what happens to them.

@ttl_commands
def test_fields_end(c, ending):
    c("HPEXPIRE", ending, "30", "FIELDS", "2", "a", "b")
    wait_until(lambda: c("HGET", ending, "a") is None)
    assert c("HMGET", ending, "a", "b", "c") == [None, None, b"3"]
    assert without_filling(c.pairs(c("HGETALL", ending))) == {b"c": b"3", b"d": b"4", b"e": b"5"}
    assert not {b"a", b"b"} & set(c("HKEYS", ending))
    assert not {b"1", b"2"} & {value for value in c("HVALS", ending) if len(value) == 1}
    assert [c("HEXISTS", ending, "a"), c("HSTRLEN", ending, "a"), c("HDEL", ending, "a")] == [0, 0, 0]
    assert c("HTTL", ending, "FIELDS", "1", "a") == [-2]
    assert not {b"a", b"b"} & set(c("HRANDFIELD", ending, "-500"))
    assert not {b"a", b"b"} & set(scan_all(c, ending))
    assert c("HSET", ending, "a", "new") == 1
    assert c("HTTL", ending, "FIELDS", "1", "a") == [-1]


@ttl_commands
def test_a_hash_whose_fields_have_all_ended_is_gone(c):
    c("HSET", "k", "a", 1, "b", 2)
    c("HPEXPIRE", "k", "20", "FIELDS", "2", "a", "b")
    wait_until(lambda: c("EXISTS", "k") == 0)
    assert c("TYPE", "k") == b"none"
    wait_until(lambda: c("DBSIZE") == 0)


@ttl_commands
def test_many_fields_end_by_themselves(c):
    """Nobody asks for them; the memory comes back all the same."""
    for start in range(0, 20000, 1000):
        c("HSETEX", "k", "PX", "100", "FIELDS", "1000", *[word for i in range(start, start + 1000) for word in (f"f{i}", "v" * 50)])
    c("HSET", "k", "stays", 1)
    large = c("MEMORY", "USAGE", "k")
    wait_until(lambda: c("HLEN", "k") == 1)
    wait_until(lambda: c("MEMORY", "USAGE", "k") < large / 3)
    assert c.pairs(c("HGETALL", "k")) == {b"stays": b"1"}
    wait_until(lambda: int(c.info("stats").get("expired_subkeys", 20000)) >= 20000)


@ttl_commands
def test_what_keeps_an_end_and_what_drops_it(c, ending):
    def set_end():
        c("HPEXPIREAT", ending, FAR, "FIELDS", "1", "a")

    def end():
        return c("HPEXPIRETIME", ending, "FIELDS", "1", "a")[0]
    for command in [("HINCRBY", ending, "a", "1"), ("HINCRBYFLOAT", ending, "a", "0.5"), ("HSETNX", ending, "a", "x"),
                    ("HSETEX", ending, "KEEPTTL", "FIELDS", "1", "a", "7"), ("HSET", ending, "b", "x"), ("HDEL", ending, "b"),
                    ("HGETEX", ending, "FIELDS", "1", "a"), ("EXPIRE", ending, "1000"), ("PERSIST", ending)]:
        set_end()
        c(*command)
        assert end() == FAR, command
    for command in [("HSET", ending, "a", "1"), ("HMSET", ending, "a", "1"), ("HSETEX", ending, "FIELDS", "1", "a", "7"),
                    ("HGETEX", ending, "PERSIST", "FIELDS", "1", "a"), ("HPERSIST", ending, "FIELDS", "1", "a")]:
        set_end()
        c(*command)
        assert end() == -1, command


@ttl_commands
def test_ends_go_with_the_value(c, ending):
    c("HPEXPIREAT", ending, FAR, "FIELDS", "2", "a", "c")
    c("COPY", ending, "twin")
    c("RENAME", ending, "other")
    for key in ("twin", "other"):
        assert c("HPEXPIRETIME", key, "FIELDS", "4", "a", "b", "c", "d") == [FAR, -1, FAR, -1]
    c("HPERSIST", "twin", "FIELDS", "1", "a")
    assert c("HPEXPIRETIME", "other", "FIELDS", "1", "a") == [FAR]


@ttl_commands
def test_a_hash_set_anew_has_no_ends(c, ending):
    c("HPEXPIRE", ending, "30", "FIELDS", "1", "a")
    c("DEL", ending)
    c("HSET", ending, "a", 1)
    assert c("HTTL", ending, "FIELDS", "1", "a") == [-1]
    assert c("OBJECT", "ENCODING", ending) == b"listpack"
    time.sleep(0.05)  # longer than the end that it had
    assert c("HGET", ending, "a") == b"1"


@ttl_commands
def test_forms_with_ends(c, settings):
    c("HSET", "k", "a", 1, "b", 2)
    c("HPERSIST", "k", "FIELDS", "1", "a")
    c("HGETEX", "k", "FIELDS", "1", "a")
    assert c("OBJECT", "ENCODING", "k") == b"listpack"
    c("HEXPIRE", "k", "100", "FIELDS", "1", "a")
    assert c("OBJECT", "ENCODING", "k") == b"listpackex"
    c("HPERSIST", "k", "FIELDS", "1", "a")
    assert c("OBJECT", "ENCODING", "k") == b"listpackex"
    c("HEXPIRE", "k", "100", "FIELDS", "1", "a")
    c("HSET", "k", "c", "x" * 65)
    assert c("OBJECT", "ENCODING", "k") == b"hashtable"
    assert c("HTTL", "k", "FIELDS", "3", "a", "b", "c") in ([100, -1, -1], [99, -1, -1])
    settings(hash_max_listpack_entries=2)
    c("HSETEX", "l", "EX", "100", "FIELDS", "2", "a", 1, "b", 2)
    assert c("OBJECT", "ENCODING", "l") == b"listpackex"
    c("HSETEX", "l", "EX", "100", "FIELDS", "1", "c", 1)
    assert c("OBJECT", "ENCODING", "l") == b"hashtable"


@ttl_commands
@pytest.mark.parametrize("command, form", [
    ("HEXPIRE k 100 FIELDS 1 none", "listpackex"), ("HPEXPIREAT k 1 FIELDS 1 none", "listpackex"), ("HEXPIRE k 100 XX FIELDS 1 a", "listpackex"),
    ("HPEXPIRE k 0 FIELDS 1 a", "listpackex"), ("HGETEX k EX 100 FIELDS 1 none", "listpackex"), ("HGETEX k PERSIST FIELDS 1 a", "listpackex"),
    ("HGETEX k PXAT 1 FIELDS 1 a", "listpackex"), ("HSETEX k PXAT 1 FIELDS 1 a 1", "listpackex"), ("HPERSIST k FIELDS 1 a", "listpack"),
    ("HSETEX k KEEPTTL FIELDS 1 a 1", "listpack"), ("HSETEX k FXX EX 100 FIELDS 1 none 1", "listpack"), ("HTTL k FIELDS 1 a", "listpack"),
    ("HSETEX k PXAT 1 FIELDS 1 new " + "x" * 65, "hashtable"), ("HSETEX k FXX FIELDS 1 none " + "x" * 65, "listpack"),
    ("HSETEX k PXAT 1 FIELDS 2 new 1 more 2", "listpackex"), ("HSETEX k PXAT 1 FIELDS 4" + " c 1" * 4, "hashtable"),
    ("HSET k" + " a 1" * 4, "hashtable"), ("HSETEX k FXX FIELDS 4" + " a 1" * 4, "hashtable"), ("HMSET k" + " a 1" * 3, "listpack")])
def test_what_changes_the_form(c, settings, command, form):
    """What may give a field an end makes the hash one whose fields may have some, whether or not any field got one. Values that
    come and go at once leave their form, and so do more pairs than a listpack holds, even if they are the same one."""
    settings(hash_max_listpack_entries=3)
    c("HSET", "k", "a", 1, "b", 2)
    c(*command.split())
    assert c("OBJECT", "ENCODING", "k") == form.encode()
    assert c("HGET", "k", "b") == b"2"
    assert c("HGET", "k", "new") is None


@ttl_commands
def test_small_hashes_are_in_order_of_their_ends(c):
    """Those with the same end the last one first, those without in the order in which they came."""
    c("HSET", "k", *"a 1 b 2 c 3 d 4 e 5".split())
    c("HPEXPIREAT", "k", FAR, "FIELDS", "2", "b", "d")
    c("HPEXPIREAT", "k", FAR - 1, "FIELDS", "1", "e")
    assert c("HKEYS", "k") == [b"e", b"d", b"b", b"a", b"c"]
    c("HSETEX", "k", "PXAT", FAR, "FIELDS", "2", "new", "1", "a", "1")
    assert c("HKEYS", "k") == [b"e", b"a", b"new", b"d", b"b", b"c"]
    c("HPERSIST", "k", "FIELDS", "1", "d")
    assert c("HKEYS", "k") == [b"e", b"a", b"new", b"b", b"c", b"d"]


@ttl_commands
def test_many_ends_in_random_order(c, ending):
    rng = random.Random(7)
    wanted = {f"r{i}": rng.choice([FAR + rng.randrange(1000), -1]) for i in range(400)}
    c("HSET", ending, *[word for field in wanted for word in (field, "x")])
    for field in rng.sample(sorted(wanted), len(wanted)):
        c("HPEXPIREAT", ending, FAR + rng.randrange(1000), "FIELDS", "1", field)
    for field in rng.sample(sorted(wanted), len(wanted)):
        if wanted[field] < 0:
            c("HPERSIST", ending, "FIELDS", "1", field)
        else:
            c("HPEXPIREAT", ending, wanted[field], "FIELDS", "1", field)
    assert dict(zip(wanted, c("HPEXPIRETIME", ending, "FIELDS", len(wanted), *wanted))) == wanted


# HGETDEL, HGETEX, HSETEX.

@ttl_commands
def test_hgetdel(c, ending):
    assert c("HGETDEL", ending, "FIELDS", "4", "a", "none", "b", "a") == [b"1", None, b"2", None]
    assert c("HMGET", ending, "a", "b", "c") == [None, None, b"3"]
    assert c("HGETDEL", "none", "FIELDS", "2", "a", "b") == [None, None]
    c("HSET", "one", "f", "v")
    assert c("HGETDEL", "one", "FIELDS", "1", "f") == [b"v"]
    assert c("EXISTS", "one") == 0


@ttl_commands
@pytest.mark.parametrize("command,error", [
    ("HGETDEL k a 1 b", NO_FIELDS), ("HGETDEL k FIELDS 0 a", NOT_POSITIVE), ("HGETDEL k FIELDS 2 a", NOT_AS_MANY),
    ("HGETDEL k FIELDS 1 a b", NOT_AS_MANY), ("HGETDEL k FIELDS x a", NOT_POSITIVE),
    ("HGETEX k a 1 b", NO_FIELDS), ("HGETEX k FIELDS 0 a", NOT_POSITIVE), ("HGETEX k FIELDS 2 a", NOT_AS_MANY),
    ("HGETEX k EX x FIELDS 1 a", NOT_INTEGER), ("HGETEX k EX -1 FIELDS 1 a", "ERR invalid expire time, must be >= 0"),
    ("HGETEX k PX 9223372036854775807 FIELDS 1 a", "ERR invalid expire time in 'hgetex' command"),
    ("HGETEX k PERSIST EX 10 FIELDS 1 a", NO_FIELDS), ("HGETEX k KEEPTTL FIELDS 1 a", NO_FIELDS),
    ("HSETEX k FIELDS 0 a 1", "ERR invalid number of fields"), ("HSETEX k FIELDS x a 1", "ERR invalid number of fields"),
    ("HSETEX k FIELDS 2 a 1", arity("hsetex")), ("HSETEX k FIELDS 1 a 1 b", arity("hsetex")), ("HSETEX k EX 10 FNX FIELDS 1", arity("hsetex")),
    ("HSETEX k NX FIELDS 1 a 1", "ERR unknown argument: NX"), ("HSETEX k FNX FXX FIELDS 1 a 1",
     "ERR Only one of FXX or FNX arguments can be specified"),
    ("HSETEX k EX 10 PX 10 FIELDS 1 a 1", "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
    ("HSETEX k KEEPTTL EX 10 FIELDS 1 a 1", "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
    ("HSETEX k EX x FIELDS 1 a 1", NOT_INTEGER), ("HSETEX k EX -5 FIELDS 1 a 1", "ERR invalid expire time, must be >= 0"),
    ("HSETEX k EXAT 9223372036854775807 FIELDS 1 a 1", "ERR invalid expire time in 'hsetex' command"),
    ("HSETEX k FNX KEEPTTL EX 10 x", "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
    ("HSETEX k FNX EX 10 KEEPTTL", "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
    ("HSETEX k FNX PX 10000 b", "ERR unknown argument: b"), ("HSETEX k FNX PX 10000 EX",
     "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
    ("HGETEX k EX 10 FIELDS", arity("hgetex")), ("HGETEX k PERSIST a FIELDS", NO_FIELDS), ("HGETEX k EX 10 FIELDS 1", NOT_AS_MANY)])
def test_errors_of_the_combined_commands(c, command, error):
    c("HSET", "k", "a", 1)
    assert c.fails(*command.split()) == error
    assert c.pairs(c("HGETALL", "k")) == {b"a": b"1"}
    assert c("HTTL", "k", "FIELDS", 1, "a") == [-1]


@ttl_commands
@pytest.mark.parametrize("option,time,low,high", [
    ("EX", 100, 95_000, 100_000), ("px", 50_000, 45_000, 50_000), ("EXAT", FAR // 1000, None, None), ("PXAT", FAR, None, None)])
def test_hgetex(c, ending, option, time, low, high):
    assert c("HGETEX", ending, option, time, "FIELDS", "3", "a", "none", "b") == [b"1", None, b"2"]
    if low:
        assert all(low < left <= high for left in c("HPTTL", ending, "FIELDS", "2", "a", "b"))
    else:
        assert c("HEXPIRETIME", ending, "FIELDS", "2", "a", "b") == [FAR // 1000 + (option == "PXAT")] * 2
    assert c("HPTTL", ending, "FIELDS", "2", "c", "none") == [-1, -2]
    assert c("HGETEX", ending, "FIELDS", "2", "a", "c") == [b"1", b"3"]
    assert c("HPTTL", ending, "FIELDS", "1", "a")[0] > 0
    assert c("HGETEX", ending, "persist", "FIELDS", "3", "a", "c", "none") == [b"1", b"3", None]
    assert c("HPTTL", ending, "FIELDS", "2", "a", "c") == [-1, -1]


@ttl_commands
def test_hgetex_with_a_time_gone_by(c, ending):
    assert c("HGETEX", ending, "EXAT", "1", "FIELDS", "2", "a", "b") == [b"1", b"2"]
    assert c("HMGET", ending, "a", "b", "c") == [None, None, b"3"]
    c("HSET", "one", "f", "v")
    assert c("HGETEX", "one", "EX", "0", "FIELDS", "1", "f") == [b"v"]
    assert c("EXISTS", "one") == 0
    assert c("HGETEX", "none", "EX", "10", "FIELDS", "1", "f") == [None]
    assert c("EXISTS", "none") == 0


@ttl_commands
def test_hsetex(c, ending):
    assert c("HSETEX", ending, "FIELDS", "2", "a", "x", "new", "y") == 1
    assert c("HMGET", ending, "a", "new") == [b"x", b"y"]
    assert c("HSETEX", ending, "EX", "100", "FIELDS", "2", "a", "1", "b", "2") == 1
    assert all(95 <= left <= 100 for left in c("HTTL", ending, "FIELDS", "2", "a", "b"))
    assert c("HSETEX", ending, "keepttl", "FIELDS", "3", "a", "3", "c", "4", "fresh", "5") == 1
    left = c("HTTL", ending, "FIELDS", "3", "a", "c", "fresh")
    assert left[0] > 90 and left[1:] == [-1, -1]
    assert c("HSETEX", ending, "PXAT", FAR, "FIELDS", "1", "a", "z") == 1
    assert c("HPEXPIRETIME", ending, "FIELDS", "1", "a") == [FAR]
    assert c("HSETEX", "new", "PX", "100000", "FIELDS", "1", "f", "v") == 1
    assert 0 < c("HPTTL", "new", "FIELDS", "1", "f")[0] <= 100000


@ttl_commands
def test_hsetex_all_or_none(c, ending):
    assert c("HSETEX", ending, "FNX", "FIELDS", "2", "x", "1", "a", "9") == 0
    assert c("HSETEX", ending, "FXX", "FIELDS", "2", "x", "1", "a", "9") == 0
    assert c("HMGET", ending, "x", "a") == [None, b"1"]
    assert c("HSETEX", ending, "fnx", "EX", "100", "FIELDS", "2", "x", "1", "y", "2") == 1
    assert c("HSETEX", ending, "PX", "100000", "fxx", "FIELDS", "2", "x", "5", "a", "9") == 1
    assert c("HMGET", ending, "x", "y", "a") == [b"5", b"2", b"9"]
    assert c("HSETEX", "none", "FXX", "FIELDS", "1", "x", "1") == 0
    assert c("EXISTS", "none") == 0
    assert c("HSETEX", "none", "FNX", "FIELDS", "1", "x", "1") == 1


@ttl_commands
def test_hsetex_with_a_time_gone_by(c, ending):
    assert c("HSETEX", ending, "EXAT", "1", "FIELDS", "2", "a", "9", "new", "9") == 1
    assert c("HMGET", ending, "a", "new", "b") == [None, None, b"2"]
    assert c("HSETEX", "none", "PX", "0", "FIELDS", "1", "f", "v") == 1
    assert c("EXISTS", "none") == 0


# Among other commands.

@ttl_commands
def test_in_a_transaction(c, ending):
    c("MULTI")
    c("HSETEX", ending, "EX", "100", "FIELDS", "1", "a", "9")
    c("HINCRBY", ending, "a", "1")
    c("HGETDEL", ending, "FIELDS", "1", "a")
    c("HEXPIRE", ending, "100", "FIELDS", "2", "a", "b")
    assert c("EXEC") == [1, 10, [b"10"], [-2, 1]]


@ttl_commands
def test_watch_sees_ends(c, connect, ending):
    for command, seen in [(("HEXPIRE", ending, "100", "FIELDS", "1", "a"), True), (("HTTL", ending, "FIELDS", "1", "a"), False),
                          (("HGETEX", ending, "FIELDS", "1", "a"), False), (("HPERSIST", ending, "FIELDS", "1", "a"), True),
                          (("HPERSIST", ending, "FIELDS", "1", "a"), False)]:
        c("WATCH", ending)
        connect()(*command)
        c("MULTI")
        c("HLEN", ending)
        assert (c("EXEC") is None) == seen, command


def test_changes_are_counted_per_field(c):
    def changes(*command):
        before = int(c.info("persistence")["rdb_changes_since_last_save"])
        c(*command)
        return int(c.info("persistence")["rdb_changes_since_last_save"]) - before
    assert changes("HSET", "k", "a", 1, "b", 2, "a", 3) == 3
    assert changes("HSETNX", "k", "a", 1) == 0
    assert changes("HDEL", "k", "a", "none") == 1
    assert changes("HINCRBY", "k", "n", 1) == 1


def test_rows_of_commands_in_a_pipeline(c, fill):
    """Commands on one hash in a row are looked at together before they run; each sees what those before it did."""
    fill("k", n=0)
    fill("other", n=0)
    commands, wanted, model, rng = [], [], {"k": {}, "other": {}}, random.Random(5)
    for i in range(600):
        key = "other" if i % 90 > 80 else "k"
        fields, field = model[key], f"r{rng.randrange(20)}"
        kind = rng.choice(["HSET", "HGET", "HDEL", "HEXISTS", "SET", "HEXISTS n"])
        if kind == "SET":
            commands.append(("SET", "string", i))
            wanted.append(b"OK")
        elif kind == "HSET":
            commands.append(("HSET", key, field, i))
            wanted.append(int(field not in fields))
            fields[field] = str(i).encode()
        elif kind == "HGET":
            commands.append(("HGET", key, field))
            wanted.append(fields.get(field))
        elif kind == "HEXISTS n":
            commands.append(("HEXISTS", key, "n"))
            wanted.append(1)
        else:
            commands.append((kind, key, field))
            wanted.append(int(field in fields))
            if kind == "HDEL":
                fields.pop(field, None)
    assert c.all(commands) == wanted


@pytest.mark.tarn_only
@pytest.mark.workers(4)
def test_one_hash_from_many_clients(c, connect):
    clients = [connect() for _ in range(4)]
    for _ in range(20):
        for client in clients:
            client.all([("HINCRBY", "k", f"f{i % 50}", 1) for i in range(200)])
    assert sum(map(int, c("HVALS", "k"))) == 20 * 4 * 200
