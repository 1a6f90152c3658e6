"""Strings: every command and option, its errors word for word, the encodings, and the limits.

Proven by asking: each test sets up a value, sends one form of a command and looks at the reply and at what is stored.
"""
import pytest

SYNTAX = "ERR syntax error"
WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_INTEGER = "ERR value is not an integer or out of range"
NOT_FLOAT = "ERR value is not a valid float"
TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
I64_MAX, I64_MIN = 2**63 - 1, -2**63


def arity(name):
    return f"ERR wrong number of arguments for '{name}' command"


# Arity, the same for all.

@pytest.mark.parametrize("command", [
    "GET", "GET a b", "SET", "SET a", "GETDEL", "GETDEL a b", "GETEX", "GETSET a", "GETSET a b c", "SETNX a", "SETNX a b c",
    "SETEX a 1", "SETEX a 1 b c", "PSETEX a 1", "MGET", "MSET", "MSET a", "MSETNX", "MSETNX a", "APPEND a", "APPEND a b c",
    "STRLEN", "STRLEN a b", "SETRANGE a 1", "SETRANGE a 1 b c", "GETRANGE a 1", "GETRANGE a 1 2 3", "SUBSTR a 1", "INCR",
    "INCR a b", "DECR", "DECR a b", "INCRBY a", "INCRBY a 1 2", "DECRBY a", "INCRBYFLOAT a", "INCRBYFLOAT a 1 2", "LCS a",
    "LCS"])
def test_arity(c, command):
    name, *args = command.split()
    assert c.fails(name, *args) == arity(name.lower())


@pytest.mark.parametrize("command", [("MSET", "a", "1", "b"), ("MSETNX", "a", "1", "b")])
def test_pairs_must_be_pairs(c, command):
    assert c.fails(*command) == arity(command[0].lower())
    assert c("DBSIZE") == 0


@pytest.mark.needs("LPUSH")
@pytest.mark.parametrize("command", [
    "GET k", "SET k v GET", "SET k v NX GET", "SET k v XX GET", "GETDEL k", "GETEX k", "GETEX k EX 10", "GETSET k v", "APPEND k v",
    "STRLEN k", "SETRANGE k 0 v", "GETRANGE k 0 1", "SUBSTR k 0 1", "INCR k", "DECR k", "INCRBY k 1", "DECRBY k 1",
    "INCRBYFLOAT k 1", "SETBIT k 0 1", "GETBIT k 0", "BITCOUNT k", "BITPOS k 1", "BITOP NOT d k", "BITFIELD k GET u8 0",
    "BITFIELD_RO k GET u8 0"])
def test_wrong_type(c, command):
    c("LPUSH", "k", "x")
    assert c.fails(*command.split()) == WRONGTYPE
    assert c("LRANGE", "k", "0", "-1") == [b"x"]


@pytest.mark.needs("LPUSH")
def test_wrong_type_is_overwritten_or_passed_over(c):
    c("LPUSH", "k", "x")
    assert c("MGET", "k") == [None]
    assert c("SETNX", "k", "v") == 0
    assert c("SET", "k", "v") == b"OK"
    assert c("GET", "k") == b"v"
    c("DEL", "k")
    c("LPUSH", "k", "x")
    assert c.fails("LCS", "k", "missing") == "ERR The specified keys must contain string values"


# SET.

def test_set_and_get(c):
    assert c("SET", "k", "v") == b"OK"
    assert c("GET", "k") == b"v"
    assert c("GET", "missing") is None


@pytest.mark.parametrize("size", [0, 1, 2, 43, 44, 45, 254, 255, 256, 257, 65535, 65536, 1 << 20])
def test_values_of_every_size_come_back(c, size):
    value = bytes(i * 7 % 256 for i in range(min(size, 4096))) * (size // 4096 + 1)
    value = value[:size]
    assert c("SET", "k", value) == b"OK"
    assert c("GET", "k") == value
    assert c("STRLEN", "k") == size


@pytest.mark.parametrize("size", [0, 1, 2, 254, 255, 256, 257, 70000])
def test_keys_of_every_size(c, size):
    key = (b"\r\n\x00k\xff" * (size // 5 + 1))[:size]
    assert c("SET", key, "v1") == b"OK"
    assert c("SET", key, "value two") == b"OK"
    assert c("GET", key) == b"value two"
    assert c("KEYS", "*") == [key]
    assert c("DEL", key) == 1


def test_set_replaces_value_type_and_ttl(c):
    c("SET", "k", "v", "EX", "100")
    assert c("SET", "k", "12") == b"OK"
    assert c("TTL", "k") == -1
    assert c("OBJECT", "ENCODING", "k") == b"int"
    assert c("SET", "k", "x" * 300) == b"OK"
    assert c("OBJECT", "ENCODING", "k") == b"raw"
    assert c("SET", "k", "short") == b"OK"
    assert c("GET", "k") == b"short"


@pytest.mark.parametrize("option,value,low,high", [("EX", 100, 99_000, 100_000), ("PX", 5_000, 4_000, 5_000)])
def test_set_relative_expiry(c, option, value, low, high):
    assert c("SET", "k", "v", option.lower(), value) == b"OK"
    assert low <= c("PTTL", "k") <= high


@pytest.mark.parametrize("option,command", [("EXAT", "EXPIRETIME"), ("PXAT", "PEXPIRETIME")])
def test_set_absolute_expiry(c, option, command):
    when = 33177117420 if option == "EXAT" else 33177117420123
    assert c("SET", "k", "v", option, when) == b"OK"
    assert c(command, "k") == when


@pytest.mark.parametrize("option", ["EXAT", "PXAT"])
def test_set_with_a_time_gone_by(c, option):
    c("SET", "k", "old")
    assert c("SET", "k", "v", option, 1) == b"OK"
    assert c("GET", "k") is None
    assert c("EXISTS", "k") == 0
    assert c("DBSIZE") == 0


def test_set_nx_xx(c):
    assert c("SET", "k", "v", "XX") is None
    assert c("EXISTS", "k") == 0
    assert c("SET", "k", "v", "NX") == b"OK"
    assert c("SET", "k", "w", "NX") is None
    assert c("GET", "k") == b"v"
    assert c("SET", "k", "w", "xx") == b"OK"
    assert c("GET", "k") == b"w"


def test_set_get(c):
    assert c("SET", "k", "v", "GET") is None
    assert c("SET", "k", "w", "GET") == b"v"
    assert c("GET", "k") == b"w"


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("condition", ["NX", "XX"])
def test_set_get_with_condition(c, condition, existing):
    if existing:
        c("SET", "k", "old")
    assert c("SET", "k", "new", condition, "GET") == (b"old" if existing else None)
    happens = existing == (condition == "XX")
    assert c("GET", "k") == (b"new" if happens else b"old" if existing else None)


def test_set_keepttl(c):
    c("SET", "k", "v", "EX", "100")
    assert c("SET", "k", "w", "KEEPTTL") == b"OK"
    assert 99 <= c("TTL", "k") <= 100
    assert c("SET", "k", "x" * 1000, "KEEPTTL", "GET") == b"w"
    assert 99 <= c("TTL", "k") <= 100
    assert c("SET", "new", "v", "KEEPTTL") == b"OK"
    assert c("TTL", "new") == -1


def test_failed_condition_keeps_value_and_ttl(c):
    c("SET", "k", "v", "EX", "100")
    assert c("SET", "k", "w", "NX", "EX", "5") is None
    assert c("TTL", "k") > 90
    assert c("GET", "k") == b"v"


@pytest.mark.parametrize("options", [
    "NX XX", "XX NX", "EX", "PX", "EXAT", "PXAT", "EX 1 PX 1", "EX 1 EXAT 1", "PX 1 PXAT 1", "KEEPTTL EX 1", "EX 1 KEEPTTL",
    "PERSIST", "NX EX", "what", "EX 1 what", "GET PERSIST", "XX GET NX", "CH", "10", ""])
def test_set_syntax_errors(c, options):
    args = options.split(" ")
    assert c.fails("SET", "k", "v", *args) == SYNTAX
    assert c("EXISTS", "k") == 0


@pytest.mark.parametrize("options", ["EX 1 NX", "NX EX 1", "GET NX", "NX GET PX 100", "KEEPTTL XX GET", "XX EXAT 33177117420 GET",
                                     "EX 1 EX 100", "NX NX", "GET GET", "KEEPTTL KEEPTTL"])
def test_set_options_in_any_order(c, options):
    c("SET", "k", "v", *options.split())
    assert c("EXISTS", "k") == (1 if "XX" not in options else 0)


@pytest.mark.parametrize("option", ["EX", "PX", "EXAT", "PXAT"])
@pytest.mark.parametrize("value", ["0", "-1", str(I64_MIN)])
def test_set_expiry_must_be_positive(c, option, value):
    assert c.fails("SET", "k", "v", option, value) == "ERR invalid expire time in 'set' command"
    assert c("EXISTS", "k") == 0


@pytest.mark.parametrize("option,value", [("EX", str(I64_MAX)), ("EX", str(I64_MAX // 1000)), ("PX", str(I64_MAX)),
                                          ("EXAT", str(I64_MAX)), ("EX", "9223372036854776")])
def test_set_expiry_must_fit(c, option, value):
    assert c.fails("SET", "k", "v", option, value) == "ERR invalid expire time in 'set' command"


@pytest.mark.parametrize("option", ["EX", "PX", "EXAT", "PXAT"])
@pytest.mark.parametrize("value", ["", "x", "1.5", " 1", "1 ", "9223372036854775808", "0x10", "+5", "1e3", "01"])
def test_set_expiry_must_be_an_integer(c, option, value):
    assert c.fails("SET", "k", "v", option, value) == NOT_INTEGER


def test_set_pxat_of_the_last_millisecond(c):
    assert c("SET", "k", "v", "PXAT", I64_MAX) == b"OK"
    assert c("PEXPIRETIME", "k") == I64_MAX


# SETNX, SETEX, PSETEX, GETSET, GETDEL, GETEX.

def test_setnx(c):
    assert c("SETNX", "k", "v") == 1
    assert c("SETNX", "k", "w") == 0
    assert c("GET", "k") == b"v"
    c("EXPIRE", "k", "100")
    assert c("SETNX", "k", "w") == 0
    assert c("TTL", "k") > 90


def test_setex_psetex(c):
    assert c("SETEX", "k", "100", "v") == b"OK"
    assert 99 <= c("TTL", "k") <= 100
    assert c("PSETEX", "k", "50000", "w") == b"OK"
    assert 49_000 <= c("PTTL", "k") <= 50_000
    assert c("GET", "k") == b"w"


@pytest.mark.parametrize("command", ["SETEX", "PSETEX"])
def test_setex_errors(c, command):
    invalid = f"ERR invalid expire time in '{command.lower()}' command"
    for value in ("0", "-1", str(I64_MIN), str(I64_MAX)):
        assert c.fails(command, "k", value, "v") == invalid
    assert c.fails(command, "k", "x", "v") == NOT_INTEGER
    assert c.fails(command, "k", "1.0", "v") == NOT_INTEGER
    assert c("DBSIZE") == 0


def test_getset(c):
    assert c("GETSET", "k", "v") is None
    c("EXPIRE", "k", "100")
    assert c("GETSET", "k", "w") == b"v"
    assert c("TTL", "k") == -1
    assert c("GET", "k") == b"w"


def test_getdel(c):
    c("SET", "k", "v", "EX", "100")
    assert c("GETDEL", "k") == b"v"
    assert c("GETDEL", "k") is None
    assert c("DBSIZE") == 0


def test_getex(c):
    c("SET", "k", "v")
    assert c("GETEX", "k") == b"v"
    assert c("TTL", "k") == -1
    assert c("GETEX", "k", "EX", "100") == b"v"
    assert 99 <= c("TTL", "k") <= 100
    assert c("GETEX", "k") == b"v"
    assert 99 <= c("TTL", "k") <= 100
    assert c("GETEX", "k", "PX", "50000") == b"v"
    assert 49_000 <= c("PTTL", "k") <= 50_000
    assert c("GETEX", "k", "EXAT", "33177117420") == b"v"
    assert c("EXPIRETIME", "k") == 33177117420
    assert c("GETEX", "k", "PXAT", "33177117420001") == b"v"
    assert c("PEXPIRETIME", "k") == 33177117420001
    assert c("GETEX", "k", "PERSIST") == b"v"
    assert c("TTL", "k") == -1
    assert c("GETEX", "k", "PXAT", "1") == b"v"
    assert c("EXISTS", "k") == 0
    assert c("GETEX", "missing", "EX", "10") is None


@pytest.mark.parametrize("options", ["EX", "PX", "EX 1 PX 1", "PERSIST EX 1", "EX 1 PERSIST", "KEEPTTL", "NX", "what", "GET", "PERSIST what"])
def test_getex_syntax_errors(c, options):
    c("SET", "k", "v")
    assert c.fails("GETEX", "k", *options.split()) == SYNTAX
    assert c("TTL", "k") == -1


def test_getex_time_errors(c):
    c("SET", "k", "v")
    for option in ("EX", "PX", "EXAT", "PXAT"):
        assert c.fails("GETEX", "k", option, "0") == "ERR invalid expire time in 'getex' command"
        assert c.fails("GETEX", "k", option, "-5") == "ERR invalid expire time in 'getex' command"
        assert c.fails("GETEX", "k", option, "x") == NOT_INTEGER
    assert c.fails("GETEX", "k", "EX", str(I64_MAX)) == "ERR invalid expire time in 'getex' command"


# MSET, MSETNX, MGET.

def test_mset_mget(c):
    c("SET", "a", "old", "EX", "100")
    assert c("MSET", "a", "1", "b", "2", "a", "3") == b"OK"
    assert c("MGET", "a", "missing", "b", "a") == [b"3", None, b"2", b"3"]
    assert c("TTL", "a") == -1


def test_msetnx(c):
    assert c("MSETNX", "a", "1", "b", "2") == 1
    assert c("MSETNX", "b", "x", "c", "3") == 0
    assert c("MGET", "a", "b", "c") == [b"1", b"2", None]
    assert c("MSETNX", "d", "1", "d", "2") == 1
    assert c("GET", "d") == b"2"


def test_many_keys_at_once(c):
    pairs = [x for i in range(5000) for x in (f"key:{i}", f"value:{i}")]
    assert c("MSET", *pairs) == b"OK"
    assert c("DBSIZE") == 5000
    assert c("MGET", *pairs[::2]) == [v.encode() for v in pairs[1::2]]
    assert c("EXISTS", *pairs[::2]) == 5000
    assert c("DEL", *pairs[::2]) == 5000


# APPEND, STRLEN.

def test_append_and_strlen(c):
    assert c("APPEND", "k", "foo") == 3
    assert c("APPEND", "k", "") == 3
    assert c("APPEND", "k", "bar") == 6
    assert c("GET", "k") == b"foobar"
    assert c("STRLEN", "k") == 6
    assert c("STRLEN", "missing") == 0
    assert c("APPEND", "empty", "") == 0
    assert c("EXISTS", "empty") == 1


def test_append_keeps_ttl_and_works_on_integers(c):
    c("SET", "k", "100", "EX", "100")
    assert c("STRLEN", "k") == 3
    assert c("APPEND", "k", "5") == 4
    assert c("GET", "k") == b"1005"
    assert c("OBJECT", "ENCODING", "k") == b"raw"
    assert c("TTL", "k") > 90
    assert c("INCR", "k") == 1006


def test_append_grows_byte_by_byte(c):
    expected = b""
    for i in range(600):
        piece = bytes([i % 251]) * (i % 3)
        expected += piece
        assert c("APPEND", "k", piece) == len(expected)
    assert c("GET", "k") == expected


# SETRANGE, GETRANGE, SUBSTR.

def test_setrange(c):
    assert c("SETRANGE", "k", "0", "foo") == 3
    assert c("SETRANGE", "k", "1", "XY") == 3
    assert c("GET", "k") == b"fXY"
    assert c("SETRANGE", "k", "5", "end") == 8
    assert c("GET", "k") == b"fXY\0\0end"
    assert c("SETRANGE", "k", "0", "") == 8
    c("SET", "n", "1234", "EX", "100")
    assert c("SETRANGE", "n", "2", "x") == 4
    assert c("GET", "n") == b"12x4"
    assert c("TTL", "n") > 90


def test_setrange_of_nothing_makes_no_key(c):
    assert c("SETRANGE", "k", "0", "") == 0
    assert c("SETRANGE", "k", "1000", "") == 0
    assert c("EXISTS", "k") == 0
    c("SET", "k", "v")
    assert c("SETRANGE", "k", "1000", "") == 1
    assert c("GET", "k") == b"v"


def test_setrange_errors(c):
    assert c.fails("SETRANGE", "k", "-1", "x") == "ERR offset is out of range"
    assert c.fails("SETRANGE", "k", "-1", "") == "ERR offset is out of range"
    assert c.fails("SETRANGE", "k", "x", "y") == NOT_INTEGER
    assert c.fails("SETRANGE", "k", str(512 << 20), "x") == TOO_LONG
    assert c.fails("SETRANGE", "k", str((512 << 20) - 3), "1234") == TOO_LONG
    assert c.fails("SETRANGE", "k", str(I64_MAX), "x") == TOO_LONG
    assert c.fails("SETRANGE", "k", "9223372036854775808", "x") == NOT_INTEGER
    assert c("DBSIZE") == 0
    c("SET", "k", "v")
    assert c.fails("SETRANGE", "k", str(512 << 20), "x") == TOO_LONG
    assert c("GET", "k") == b"v"


@pytest.mark.protocols(2)
@pytest.mark.workers(4)
def test_setrange_up_to_the_last_byte_of_512_mb(c):
    assert c("SETRANGE", "k", str((512 << 20) - 2), "ab") == 512 << 20
    assert c("STRLEN", "k") == 512 << 20
    assert c("GETRANGE", "k", "-3", "-1") == b"\0ab"
    assert c.fails("APPEND", "k", "x") == TOO_LONG
    assert c("UNLINK", "k") == 1


def test_lowered_limit(c, settings):
    settings(proto_max_bulk_len=1 << 20)
    assert c("SETRANGE", "k", str((1 << 20) - 1), "x") == 1 << 20
    assert c.fails("SETRANGE", "k", str(1 << 20), "x") == TOO_LONG
    assert c.fails("APPEND", "k", "x") == TOO_LONG
    assert c("APPEND", "k", "") == 1 << 20
    assert c.fails("SETBIT", "k", str(8 << 20), "1") == "ERR bit offset is not an integer or out of range"
    assert c("SETBIT", "k", str((8 << 20) - 1), "1") == 0
    assert c("STRLEN", "k") == 1 << 20


RANGES = ["0 -1", "0 0", "0 3", "-3 -1", "-1 -3", "5 3", "0 100", "100 200", "-100 2", "-100 -50", "-50 -100", "0 -100", "1 -100", "-1 100", "3 3", "-2 -2", "1 -2",
          "9223372036854775807 9223372036854775807", "-9223372036854775808 9223372036854775807",
          "9223372036854775807 -9223372036854775808", "-9223372036854775808 -9223372036854775808", "0 -9223372036854775808"]


@pytest.mark.parametrize("command", ["GETRANGE", "SUBSTR"])
@pytest.mark.parametrize("value", [b"", b"x", b"Hello World", b"12345"])
def test_getrange(c, command, value):
    c("SET", "k", value)
    for text in RANGES:
        start, end = map(int, text.split())
        first = max(start + len(value), 0) if start < 0 else start
        last = max(end + len(value), 0) if end < 0 else min(end, len(value) - 1)
        expected = value[first:last + 1] if value and first <= last else b""
        if start < 0 and end < 0 and start > end:
            expected = b""
        assert c(command, "k", start, end) == expected, text
    assert c(command, "missing", "0", "-1") == b""


@pytest.mark.parametrize("command", ["GETRANGE", "SUBSTR"])
def test_getrange_errors(c, command):
    for first, last in (("x", "1"), ("1", "x"), ("1.5", "2"), ("9223372036854775808", "0"), ("", "")):
        assert c.fails(command, "missing", first, last) == NOT_INTEGER


# Numbers.

def test_incr_decr(c):
    assert c("INCR", "k") == 1
    assert c("INCR", "k") == 2
    assert c("DECR", "k") == 1
    assert c("DECR", "other") == -1
    assert c("INCRBY", "k", "10") == 11
    assert c("INCRBY", "k", "-20") == -9
    assert c("DECRBY", "k", "1") == -10
    assert c("DECRBY", "k", "-10") == 0
    assert c("GET", "k") == b"0"


def test_incr_keeps_ttl(c):
    c("SET", "k", "5", "EX", "100")
    assert c("INCR", "k") == 6
    assert c("TTL", "k") > 90


@pytest.mark.parametrize("value", ["", " ", "x", "1 ", " 1", "1.0", "+1", "01", "-0", "0x1", "1e2", "9223372036854775808",
                                   "-9223372036854775809", "1\0", "--1", "99999999999999999999999999"])
def test_incr_of_what_is_no_integer(c, value):
    c("SET", "k", value)
    for command in (("INCR", "k"), ("DECR", "k"), ("INCRBY", "k", "1"), ("DECRBY", "k", "1")):
        assert c.fails(*command) == NOT_INTEGER
    assert c("GET", "k") == value.encode()


@pytest.mark.parametrize("value", ["", "x", "1.5", "+1", " 1", "9223372036854775808"])
def test_increment_must_be_an_integer(c, value):
    assert c.fails("INCRBY", "k", value) == NOT_INTEGER
    assert c.fails("DECRBY", "k", value) == NOT_INTEGER
    assert c("EXISTS", "k") == 0


def test_overflow(c):
    overflow = "ERR increment or decrement would overflow"
    c("SET", "k", I64_MAX)
    assert c.fails("INCR", "k") == overflow
    assert c.fails("INCRBY", "k", "1") == overflow
    assert c.fails("DECRBY", "k", "-1") == overflow
    assert c("GET", "k") == str(I64_MAX).encode()
    c("SET", "k", I64_MIN)
    assert c.fails("DECR", "k") == overflow
    assert c.fails("INCRBY", "k", "-1") == overflow
    assert c.fails("DECRBY", "k", I64_MIN) == "ERR decrement would overflow"
    assert c("INCRBY", "k", I64_MAX) == -1
    assert c("DECRBY", "k", I64_MAX) == I64_MIN
    c("SET", "k", "-1")
    assert c("INCRBY", "k", I64_MAX) == I64_MAX - 1


def test_raw_string_of_digits_counts(c):
    c("SET", "k", "1")
    c("APPEND", "k", "0")
    assert c("OBJECT", "ENCODING", "k") == b"raw"
    assert c("INCR", "k") == 11
    assert c("OBJECT", "ENCODING", "k") == b"int"


# What redis-server 7.0.15 prints for these.
FLOATS = [
    ("0", "0.1", "0.1"), ("0.1", "0.2", "0.3"), ("3.0e3", "200", "3200"), ("10.50", "0.1", "10.6"), ("5.0e3", "2.0e2", "5200"), ("1", "1", "2"),
    ("1.5", "-1.5", "0"), ("0", "-0", "0"), ("-0", "0", "0"), ("0", "1e-5", "0.00001"), ("0", "1e-17", "0.00000000000000001"),
    ("0", "1e-18", "0"), ("0", "1e17", "100000000000000000"), ("0", "1e22", "10000000000000000000000"), ("3", "1.1234567890123456789", "4.12345678901234568"),
    ("100", "-0.000001", "99.999999"), ("0", "+5", "5"), ("0", "0x10", "16"), ("0", ".5", "0.5"), ("0", "5.", "5"), ("17179869184", "1", "17179869185"),
    ("9223372036854775807", "1", "9223372036854775808"), ("1", "1e-400", "1"), ("0", "0.30000000000000004", "0.30000000000000004"),
    ("1.0", "2.0", "3"), ("-5", "2.25", "-2.75"), ("123456789.123456789", "0.000000001", "123456789.12345678999554366"),
]


@pytest.mark.parametrize("start,by,expected", FLOATS)
def test_incrbyfloat_prints_as_redis_does(c, start, by, expected):
    c("SET", "k", start)
    assert c("INCRBYFLOAT", "k", by) == expected.encode()
    assert c("GET", "k") == expected.encode()


def test_incrbyfloat_of_a_new_key(c):
    assert c("INCRBYFLOAT", "k", "2.5") == b"2.5"
    c("EXPIRE", "k", "100")
    assert c("INCRBYFLOAT", "k", "-2.5") == b"0"
    assert c("TTL", "k") > 90


def test_incrbyfloat_reply_is_a_bulk_string_in_both_protocols(wire):
    assert wire("INCRBYFLOAT", "k", "2.5") == b"2.5"


@pytest.mark.parametrize("value", ["", "x", " 1", "1 ", "nan", "1.5x", "1,5", "--1"])
def test_incrbyfloat_of_what_is_no_float(c, value):
    assert c.fails("INCRBYFLOAT", "k", value) == NOT_FLOAT
    c("SET", "k", value)
    assert c.fails("INCRBYFLOAT", "k", "1") == NOT_FLOAT
    assert c("GET", "k") == value.encode()


def test_incrbyfloat_infinite(c):
    infinite = "ERR increment would produce NaN or Infinity"
    c("SET", "k", "1")
    assert c.fails("INCRBYFLOAT", "k", "inf") == infinite
    assert c.fails("INCRBYFLOAT", "k", "-inf") == infinite
    assert c.fails("INCRBYFLOAT", "k", "+inf") == infinite
    assert c("GET", "k") == b"1"


# Encodings.

@pytest.mark.parametrize("value,encoding", [
    ("0", "int"), ("-1", "int"), ("12345", "int"), (str(I64_MAX), "int"), (str(I64_MIN), "int"), ("9223372036854775808", "embstr"),
    ("-9223372036854775809", "embstr"), ("01", "embstr"), ("-0", "embstr"), ("+1", "embstr"), ("1.0", "embstr"), ("", "embstr"), (" 1", "embstr"),
    ("x" * 44, "embstr"), ("x" * 45, "raw"), ("x" * 1000, "raw"), ("1" * 20, "embstr"), ("1" * 45, "raw")])
def test_encoding(c, value, encoding):
    c("SET", "k", value)
    assert c("OBJECT", "ENCODING", "k") == encoding.encode()
    assert c("GET", "k") == value.encode()


def test_encoding_after_changes(c):
    for command in (("APPEND", "k", "x"), ("SETRANGE", "k", "0", "y"), ("SETBIT", "k", "1", "1")):
        c("SET", "k", "short")
        c(*command)
        assert c("OBJECT", "ENCODING", "k") == b"raw", command
    c("DEL", "k")
    c("APPEND", "k", "12")
    assert c("OBJECT", "ENCODING", "k") == b"int"
    c("DEL", "k")
    c("APPEND", "k", "ab")
    assert c("OBJECT", "ENCODING", "k") == b"embstr"
    c("SET", "k", "5")
    c("INCRBYFLOAT", "k", "0.5")
    assert c("OBJECT", "ENCODING", "k") == b"embstr"
    assert c("INCRBYFLOAT", "k", "0.5") == b"6"
    assert c("OBJECT", "ENCODING", "k") == b"embstr"  # of a float, though it looks like an integer
    assert c("INCR", "k") == 7
    assert c("OBJECT", "ENCODING", "k") == b"int"
    c("GETSET", "k", "77")
    assert c("OBJECT", "ENCODING", "k") == b"int"
    c("MSET", "k", "x" * 50, "l", "9")
    assert c("OBJECT", "ENCODING", "k") == b"raw"
    assert c("OBJECT", "ENCODING", "l") == b"int"


# LCS.

def lcs_length(a, b):
    """A naive model."""
    row = [0] * (len(b) + 1)
    for x in a:
        last = 0
        for j, y in enumerate(b):
            last, row[j + 1] = row[j + 1], last + 1 if x == y else max(row[j + 1], row[j])
    return row[-1]


def test_lcs(c):
    c("MSET", "a", "ohmytext", "b", "mynewtext")
    assert c("LCS", "a", "b") == b"mytext"
    assert c("LCS", "a", "b", "LEN") == 6
    assert c("LCS", "a", "missing") == b""
    assert c("LCS", "missing", "missing", "LEN") == 0
    assert c("LCS", "a", "a") == b"ohmytext"


def test_lcs_idx(c):
    c("MSET", "a", "ohmytext", "b", "mynewtext")
    reply = c.pairs(c("LCS", "a", "b", "IDX"))
    assert reply == {b"matches": [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], b"len": 6}
    reply = c.pairs(c("LCS", "a", "b", "IDX", "MINMATCHLEN", "4"))
    assert reply == {b"matches": [[[4, 7], [5, 8]]], b"len": 6}
    reply = c.pairs(c("LCS", "a", "b", "IDX", "MINMATCHLEN", "4", "WITHMATCHLEN"))
    assert reply == {b"matches": [[[4, 7], [5, 8], 4]], b"len": 6}
    reply = c.pairs(c("LCS", "a", "b", "idx", "minmatchlen", "-5", "withmatchlen"))
    assert reply == {b"matches": [[[4, 7], [5, 8], 4], [[2, 3], [0, 1], 2]], b"len": 6}
    assert c.pairs(c("LCS", "a", "missing", "IDX")) == {b"matches": [], b"len": 0}


def test_lcs_idx_is_a_map_in_resp3(wire, protocol):
    wire("MSET", "a", "x", "b", "x")
    reply = wire("LCS", "a", "b", "IDX")
    assert type(reply).__name__ == ("Map" if protocol == 3 else "list")


def test_lcs_errors(c):
    c("MSET", "a", "x", "b", "x")
    assert c.fails("LCS", "a", "b", "LEN", "IDX") == ("ERR If you want both the length and indexes, please just use IDX.")
    assert c.fails("LCS", "a", "b", "what") == SYNTAX
    assert c.fails("LCS", "a", "b", "MINMATCHLEN") == SYNTAX
    assert c.fails("LCS", "a", "b", "MINMATCHLEN", "x") == NOT_INTEGER


def test_lcs_against_a_model(c):
    import random
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(20):
        a = "".join(rng.choice("abc") for _ in range(rng.randrange(60)))
        b = "".join(rng.choice("abc") for _ in range(rng.randrange(60)))
        c("MSET", "a", a, "b", b)
        common = c("LCS", "a", "b").decode()
        assert len(common) == c("LCS", "a", "b", "LEN") == lcs_length(a, b)
        for whole in (a, b):
            rest = iter(whole)
            assert all(x in rest for x in common), (whole, common)


# Reply types, which redis-py would hide.

@pytest.mark.parametrize("command", ["GET missing", "SET missing v XX", "GETDEL missing", "GETEX missing", "SET new v GET", "GETSET new2 v"])
def test_nil(wire, protocol, command):
    assert repr(wire(*command.split())) == ("nil(_)" if protocol == 3 else "nil($-1)")


def test_ok_is_a_status(wire):
    for command in ("SET k v", "MSET k v", "SETEX k 10 v", "PSETEX k 10000 v"):
        assert repr(wire(*command.split())) == "+OK"
    assert wire("GET", "k") == b"v" and type(wire("GET", "k")) is bytes


def test_commands_in_any_case(wire):
    assert repr(wire("sEt", "k", "v")) == "+OK"
    assert wire("gEt", "k") == b"v"
    assert wire("get", "K") != b"v"


# Newer than the reference.

@pytest.mark.tarn_only
class TestCompareAndSet:
    def digest(self, c, key):
        value = c("DIGEST", key)
        assert len(value) == 16 and int(value, 16) >= 0 and value == value.lower()
        return value

    def test_ifeq(self, c):
        assert c("SET", "k", "new", "IFEQ", "old") is None
        assert c("EXISTS", "k") == 0
        c("SET", "k", "old", "EX", "100")
        assert c("SET", "k", "new", "IFEQ", "other") is None
        assert c("TTL", "k") > 90
        assert c("SET", "k", "new", "IFEQ", "old") == b"OK"
        assert c("GET", "k") == b"new"
        assert c("TTL", "k") == -1

    def test_ifeq_sees_integers_as_text(self, c):
        c("SET", "k", "12")
        assert c("SET", "k", "13", "IFEQ", "012") is None
        assert c("SET", "k", "13", "IFEQ", "12") == b"OK"

    def test_ifne(self, c):
        assert c("SET", "k", "first", "IFNE", "x") == b"OK"
        assert c("SET", "k", "second", "IFNE", "first") is None
        assert c("SET", "k", "second", "IFNE", "x") == b"OK"
        assert c("GET", "k") == b"second"

    def test_ifdeq_ifdne(self, c):
        c("SET", "k", "v")
        digest = self.digest(c, "k")
        other = b"0" * 16
        assert c("SET", "k", "w", "IFDEQ", other) is None
        assert c("SET", "k", "w", "IFDNE", digest) is None
        assert c("SET", "k", "v", "IFDEQ", digest.upper()) == b"OK"
        assert c("SET", "k", "w", "IFDNE", other) == b"OK"
        assert c("SET", "new", "w", "IFDEQ", digest) is None
        assert c("EXISTS", "new") == 0
        assert c("SET", "new", "w", "IFDNE", digest) == b"OK"

    def test_with_get(self, c):
        c("SET", "k", "old")
        assert c("SET", "k", "new", "IFEQ", "x", "GET") == b"old"
        assert c("GET", "k") == b"old"
        assert c("SET", "k", "new", "IFEQ", "old", "GET") == b"old"
        assert c("GET", "k") == b"new"

    def test_with_expiry(self, c):
        c("SET", "k", "old")
        assert c("SET", "k", "new", "IFEQ", "old", "EX", "100") == b"OK"
        assert c("TTL", "k") > 90
        assert c("SET", "k", "newer", "IFEQ", "new", "KEEPTTL") == b"OK"
        assert c("TTL", "k") > 90

    @pytest.mark.parametrize("options", ["IFEQ", "IFEQ a NX", "NX IFEQ a", "IFEQ a IFNE b", "XX IFNE a", "IFDEQ", "IFDNE"])
    def test_syntax(self, c, options):
        assert c.fails("SET", "k", "v", *options.split()) == SYNTAX
        assert c("EXISTS", "k") == 0

    def test_digest(self, c):
        c("MSET", "a", "12", "b", "12", "empty", "")
        assert self.digest(c, "a") == self.digest(c, "b")
        assert self.digest(c, "empty") == b"2d06800538d394c2"  # XXH3-64 of nothing, from its specification
        assert c("DIGEST", "missing") is None
        c("SET", "b", "13")
        assert self.digest(c, "a") != self.digest(c, "b")
        assert c.fails("DIGEST") == arity("digest")

    def test_delex(self, c):
        assert c("DELEX", "missing") == 0
        assert c("DELEX", "missing", "IFEQ", "v") == 0
        c("SET", "k", "v")
        assert c("DELEX", "k", "IFEQ", "x") == 0
        assert c("DELEX", "k", "IFNE", "v") == 0
        assert c("DELEX", "k", "IFDNE", self.digest(c, "k")) == 0
        assert c("DELEX", "k", "IFDEQ", "0" * 16) == 0
        assert c("EXISTS", "k") == 1
        assert c("DELEX", "k", "IFEQ", "v") == 1
        c("SET", "k", "v")
        assert c("DELEX", "k", "IFNE", "x") == 1
        c("SET", "k", "v")
        assert c("DELEX", "k", "IFDEQ", self.digest(c, "k")) == 1
        c("SET", "k", "v")
        assert c("DELEX", "k", "IFDNE", "0" * 16) == 1
        c("SET", "k", "v")
        assert c("DELEX", "k") == 1
        assert c("DBSIZE") == 0

    def test_delex_errors(self, c):
        c("SET", "k", "v")
        assert c.fails("DELEX") == arity("delex")
        assert c.fails("DELEX", "k", "IFEQ") in (SYNTAX, arity("delex"))
        assert c.fails("DELEX", "k", "WHAT", "v") in (SYNTAX, "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")
        assert c("EXISTS", "k") == 1

    def test_delifeq(self, c):
        assert c("DELIFEQ", "k", "v") == 0
        c("SET", "k", "v")
        assert c("DELIFEQ", "k", "x") == 0
        assert c("DELIFEQ", "k", "v") == 1
        assert c("EXISTS", "k") == 0
        assert c.fails("DELIFEQ", "k") == arity("delifeq")


@pytest.mark.tarn_only
class TestMsetex:
    def test_sets_all_with_one_ttl(self, c):
        assert c("MSETEX", "2", "a", "1", "b", "2", "EX", "100") == 1
        assert c("MGET", "a", "b") == [b"1", b"2"]
        assert 99 <= c("TTL", "a") <= 100 and 99 <= c("TTL", "b") <= 100
        assert c("MSETEX", "1", "a", "3") == 1
        assert c("TTL", "a") == -1
        assert c("MSETEX", "1", "b", "3", "KEEPTTL") == 1
        assert c("TTL", "b") > 90
        assert c("MSETEX", "1", "b", "3", "PXAT", "33177117420001") == 1
        assert c("PEXPIRETIME", "b") == 33177117420001

    def test_conditions(self, c):
        assert c("MSETEX", "2", "a", "1", "b", "2", "XX") == 0
        assert c("DBSIZE") == 0
        assert c("MSETEX", "2", "a", "1", "b", "2", "NX") == 1
        assert c("MSETEX", "2", "b", "9", "c", "3", "NX") == 0
        assert c("MSETEX", "2", "b", "9", "c", "3", "XX") == 0
        assert c("MSETEX", "2", "a", "8", "b", "9", "XX", "PX", "100000") == 1
        assert c("MGET", "a", "b", "c") == [b"8", b"9", None]

    @pytest.mark.parametrize("args", ["2 a 1 b 2 NX XX", "1 a 1 EX", "1 a 1 what", "1 a 1 EX 1 PX 1", "1 a 1 KEEPTTL EX 1"])
    def test_syntax(self, c, args):
        assert c.fails("MSETEX", *args.split()) == SYNTAX
        assert c("DBSIZE") == 0

    @pytest.mark.parametrize("args", ["0 a 1", "-1 a 1", "x a 1", "3 a 1 b 2", "2147483648 a 1"])
    def test_number_of_keys(self, c, args):
        assert c.fails("MSETEX", *args.split()).startswith("ERR ")
        assert c("DBSIZE") == 0

    def test_expiry_errors(self, c):
        for option in ("EX", "PX", "EXAT", "PXAT"):
            assert c.fails("MSETEX", "1", "a", "1", option, "0") == "ERR invalid expire time in 'msetex' command"
            assert c.fails("MSETEX", "1", "a", "1", option, "x") == NOT_INTEGER
        assert c("DBSIZE") == 0
