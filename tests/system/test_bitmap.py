"""Bitmaps: SETBIT GETBIT BITCOUNT BITPOS BITOP BITFIELD BITFIELD_RO, against naive models, with every error and limit."""
import random

import pytest

SYNTAX = "ERR syntax error"
NOT_INTEGER = "ERR value is not an integer or out of range"
BIT_OFFSET = "ERR bit offset is not an integer or out of range"
BIT_VALUE = "ERR bit is not an integer or out of range"
BITFIELD_TYPE = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
I64_MAX, I64_MIN = 2**63 - 1, -2**63
MISSING = None


@pytest.fixture
def rng(request):
    seed = random.randrange(2**32)
    print("seed", seed)
    return random.Random(seed)


def bits_of(data):
    return "".join(f"{byte:08b}" for byte in data)


@pytest.mark.parametrize("command", ["SETBIT k 0", "SETBIT k", "SETBIT k 0 1 2", "GETBIT k", "GETBIT k 0 1", "BITCOUNT", "BITPOS k", "BITOP AND d", "BITOP",
                                     "BITFIELD", "BITFIELD_RO"])
def test_arity(c, command):
    name, *args = command.split()
    assert c.fails(name, *args) == f"ERR wrong number of arguments for '{name.lower()}' command"


# SETBIT, GETBIT.

def test_setbit_getbit(c):
    assert c("SETBIT", "k", "7", "1") == 0
    assert c("GET", "k") == b"\x01"
    assert c("SETBIT", "k", "7", "0") == 1
    assert c("SETBIT", "k", "0", "1") == 0
    assert c("GET", "k") == b"\x80"
    assert c("SETBIT", "k", "17", "1") == 0
    assert c("GET", "k") == b"\x80\x00\x40"
    assert [c("GETBIT", "k", i) for i in (0, 1, 16, 17, 23, 24, 2**32 - 1)] == [1, 0, 0, 1, 0, 0, 0]
    assert c("GETBIT", "missing", "5") == 0
    assert c("SETBIT", "zero", "10", "0") == 0
    assert c("GET", "zero") == b"\0\0"


def test_setbit_of_an_integer_keeps_ttl(c):
    c("SET", "k", "1", "EX", "100")
    assert c("SETBIT", "k", "6", "1") == 0
    assert c("GET", "k") == b"3"
    assert c("OBJECT", "ENCODING", "k") == b"raw"
    assert c("TTL", "k") > 90
    c("SET", "k", "1234")
    assert c("GETBIT", "k", "2") == 1


@pytest.mark.parametrize("offset", ["-1", "x", "", "1.0", str(2**32), str(I64_MAX), "9223372036854775808", " 1"])
def test_bit_offsets(c, offset):
    assert c.fails("SETBIT", "k", offset, "1") == BIT_OFFSET
    assert c.fails("GETBIT", "k", offset) == BIT_OFFSET
    assert c("EXISTS", "k") == 0


@pytest.mark.parametrize("bit", ["2", "-1", "x", "", "01", "10", "1.0"])
def test_bit_values(c, bit):
    assert c.fails("SETBIT", "k", "0", bit) == BIT_VALUE
    assert c("EXISTS", "k") == 0


@pytest.mark.protocols(2)
@pytest.mark.workers(4)
def test_the_last_bit_of_512_mb(c):
    last = 2**32 - 1
    assert c("SETBIT", "k", last, "1") == 0
    assert c("GETBIT", "k", last) == 1
    assert c("STRLEN", "k") == 512 << 20
    assert c("BITCOUNT", "k", "-5", "-1") == 1
    assert c("BITPOS", "k", "1", last - 20, "-1", "BIT") == last
    assert c("BITFIELD", "k", "GET", "u2", last - 1) == [1]
    assert c("UNLINK", "k") == 1


def test_random_bits(c, rng):
    model = {}
    for _ in range(300):
        at, bit = rng.choice([rng.randrange(16), rng.randrange(2000), rng.randrange(20000)]), rng.randrange(2)
        assert c("SETBIT", "k", at, bit) == model.get(at, 0)
        model[at] = bit
    assert c("BITCOUNT", "k") == sum(model.values())
    assert c("STRLEN", "k") == max(model) // 8 + 1


# BITCOUNT.

def test_bitcount(c):
    c("SET", "k", "foobar")
    assert c("BITCOUNT", "k") == 26
    assert c("BITCOUNT", "k", "0", "0") == 4
    assert c("BITCOUNT", "k", "1", "1", "BYTE") == 6
    assert c("BITCOUNT", "k", "5", "30", "BIT") == 17
    assert c("BITCOUNT", "k", "5", "30", "bit") == 17
    assert c("BITCOUNT", "missing") == 0
    assert c("BITCOUNT", "missing", "0", "-1") == 0
    c("SET", "n", "12")
    assert c("BITCOUNT", "n") == 6


def model_range(start, end, length, counting=True):
    """The half-open range that start and end mean, or None. BITPOS moves both into the string before it compares them,
    BITCOUNT looks first at two negative ones."""
    if counting and start < 0 and end < 0 and start > end:
        return None
    start = max(start + length, 0) if start < 0 else start
    end = max(end + length, 0) if end < 0 else end
    end = min(end, length - 1)
    return None if start > end else (start, end + 1)


EDGES = [0, 1, 7, 8, 9, 15, 16, 63, 64, 65, 100, -1, -2, -7, -8, -9, -64, -65, -200, 1000, I64_MAX, I64_MIN]


def test_bitcount_ranges(c, rng):
    for size in (1, 2, 8, 9, 31, 100):
        data = rng.randbytes(size)
        c("SET", "k", data)
        bits = bits_of(data)
        ranges = [(rng.choice(EDGES), rng.choice(EDGES)) for _ in range(60)]
        commands, expected = [], []
        for start, end in ranges:
            for unit, length, scale in (("BYTE", size, 8), ("BIT", size * 8, 1)):
                commands.append(("BITCOUNT", "k", start, end, unit))
                found = model_range(start, end, length)
                expected.append(bits[found[0] * scale:found[1] * scale].count("1") if found else 0)
        assert c.all(commands) == expected


@pytest.mark.parametrize("size", [0, 1, 3, 7, 8, 27, 28, 29, 55, 56, 127, 128, 129, 1000, 5003])
def test_bitcount_of_every_length(c, rng, size):
    data = rng.randbytes(size)
    c("SET", "k", data)
    assert c("BITCOUNT", "k") == bits_of(data).count("1")


@pytest.mark.parametrize("args,error", [
    ("0", SYNTAX), ("0 1 WORD", SYNTAX), ("0 1 BIT x", SYNTAX), ("x 1", NOT_INTEGER), ("0 x", NOT_INTEGER), ("1.0 2", NOT_INTEGER), ("x 1 BIT", NOT_INTEGER)])
def test_bitcount_errors(c, args, error):
    c("SET", "k", "v")
    assert c.fails("BITCOUNT", "k", *args.split()) == error


@pytest.mark.tarn_only
def test_bitcount_and_bitpos_look_at_arguments_first(c):
    """Since 7.2 a missing key no longer hides a bad argument."""
    assert c.fails("BITCOUNT", "missing", "x", "1") == NOT_INTEGER
    assert c.fails("BITCOUNT", "missing", "0", "1", "WORD") == SYNTAX
    assert c.fails("BITCOUNT", "missing", "0") == SYNTAX
    assert c.fails("BITPOS", "missing", "1", "x") == NOT_INTEGER
    assert c.fails("BITPOS", "missing", "1", "0", "1", "WORD") == SYNTAX


# BITPOS.

def test_bitpos(c):
    c("SET", "k", b"\xff\xf0\x00")
    assert c("BITPOS", "k", "0") == 12
    assert c("BITPOS", "k", "1") == 0
    assert c("BITPOS", "k", "1", "2") == -1
    assert c("BITPOS", "k", "1", "1", "-1") == 8
    assert c("BITPOS", "k", "0", "0", "0") == -1
    assert c("BITPOS", "k", "1", "9", "11", "BIT") == 9
    assert c("BITPOS", "k", "0", "9", "11", "BIT") == -1
    assert c("BITPOS", "k", "0", "9", "12", "BIT") == 12
    assert c("BITPOS", "k", "1", "-3", "-1", "BYTE") == 0


def test_bitpos_zero_beyond_the_end(c):
    """Without an end the string counts as followed by zeros; with one it does not."""
    c("SET", "k", b"\xff\xff")
    assert c("BITPOS", "k", "0") == 16
    assert c("BITPOS", "k", "0", "1") == 16
    assert c("BITPOS", "k", "0", "2") == -1
    assert c("BITPOS", "k", "0", "0", "-1") == -1
    assert c("BITPOS", "k", "0", "0", "100") == -1
    assert c("BITPOS", "k", "0", "0", "-1", "BIT") == -1
    assert c("BITPOS", "missing", "0") == 0
    assert c("BITPOS", "missing", "1") == -1
    c("SET", "empty", "")
    assert c("BITPOS", "empty", "0") == -1
    assert c("BITPOS", "empty", "1") == -1


def test_bitpos_ranges(c, rng):
    for size in (1, 8, 9, 40):
        for fill in (b"\0", b"\xff", None):
            data = fill * size if fill else rng.randbytes(size)
            if fill and size > 3:  # one odd bit somewhere
                at = rng.randrange(size)
                data = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:]
            c("SET", "k", data)
            bits = bits_of(data)
            commands, expected = [], []
            for _ in range(40):
                bit, start, end = rng.randrange(2), rng.choice(EDGES), rng.choice(EDGES)
                for unit, length, scale in (("BYTE", size, 8), ("BIT", size * 8, 1)):
                    commands.append(("BITPOS", "k", bit, start, end, unit))
                    found = model_range(start, end, length, counting=False)
                    expected.append(bits.find(str(bit), found[0] * scale, found[1] * scale) if found else -1)
            assert c.all(commands) == expected


@pytest.mark.parametrize("args,error", [
    ("2", "ERR The bit argument must be 1 or 0."), ("-1", "ERR The bit argument must be 1 or 0."), ("x", NOT_INTEGER), ("1 x", NOT_INTEGER),
    ("1 0 x", NOT_INTEGER), ("1 0 1 WORD", SYNTAX), ("1 0 1 BIT x", SYNTAX), ("1 1.5", NOT_INTEGER)])
def test_bitpos_errors(c, args, error):
    c("SET", "k", "v")
    assert c.fails("BITPOS", "k", *args.split()) == error


# BITOP.

def model_bitop(name, sources):
    size = max(map(len, sources))
    padded = [int.from_bytes(s.ljust(size, b"\0"), "big") for s in sources]
    result = padded[0]
    rest = padded[1:]
    union = 0
    for other in rest:
        union |= other
        if name == "AND":
            result &= other
        elif name == "OR":
            result |= other
        elif name == "XOR":
            result ^= other
    if name == "NOT":
        result = ~result & ((1 << size * 8) - 1)
    elif name == "DIFF":
        result = padded[0] & ~union
    elif name == "DIFF1":
        result = union & ~padded[0]
    elif name == "ANDOR":
        result = padded[0] & union
    elif name == "ONE":
        once = twice = 0
        for value in padded:
            twice |= once & value
            once |= value
        result = once & ~twice
    return result.to_bytes(size, "big")


def check_bitops(c, rng, names):
    sizes = (0, 1, 3, 8, 9, 16, 31, 32, 33, 64, 100, 257)
    for _ in range(60):
        name = rng.choice(names)
        least = 2 if name in ("DIFF", "DIFF1", "ANDOR") else 1
        sources = [rng.randbytes(rng.choice(sizes)) for _ in range(1 if name == "NOT" else rng.randrange(least, 20))]
        if not any(sources):
            continue
        keys = [f"s{i}" for i in range(len(sources))]
        c("MSET", *[x for pair in zip(keys, sources) for x in pair])
        expected = model_bitop(name, sources)
        assert c("BITOP", name, "d", *keys) == len(expected), (name, sources)
        assert c("GET", "d") == expected, (name, sources)


def test_bitop(c, rng):
    check_bitops(c, rng, ["AND", "OR", "XOR", "NOT"])


@pytest.mark.tarn_only
def test_newer_bitops(c, rng):
    check_bitops(c, rng, ["DIFF", "DIFF1", "ANDOR", "ONE"])


@pytest.mark.tarn_only
@pytest.mark.parametrize("name", ["DIFF", "DIFF1", "ANDOR"])
def test_newer_bitops_want_two_sources(c, name):
    c("SET", "s", "x")
    assert c.fails("BITOP", name, "d", "s").startswith(f"ERR BITOP {name} must be called with at least two source keys")
    assert c("EXISTS", "d") == 0


def test_bitop_keys(c):
    c("MSET", "a", "abc", "n", "123")
    assert c("BITOP", "and", "d", "a", "missing") == 3
    assert c("GET", "d") == b"\0\0\0"
    assert c("BITOP", "OR", "a", "a", "a") == 3
    assert c("GET", "a") == b"abc"
    assert c("BITOP", "NOT", "a", "a") == 3
    assert c("GET", "a") == bytes(255 - b for b in b"abc")
    assert c("BITOP", "OR", "d", "n") == 3
    assert c("GET", "d") == b"123"


def test_bitop_of_nothing_deletes_the_destination(c):
    c("SET", "d", "old")
    assert c("BITOP", "AND", "d", "missing", "missing2") == 0
    assert c("EXISTS", "d") == 0
    assert c("BITOP", "NOT", "d", "missing") == 0
    c("SET", "empty", "")
    assert c("BITOP", "OR", "d", "empty") == 0
    assert c("EXISTS", "d") == 0


def test_bitop_replaces_value_and_ttl(c):
    c("SET", "d", "old", "EX", "100")
    c("SET", "a", "x", "EX", "100")
    assert c("BITOP", "OR", "d", "a") == 1
    assert c("TTL", "d") == -1


def test_bitop_errors(c):
    c("SET", "a", "x")
    assert c.fails("BITOP", "NAND", "d", "a") == SYNTAX
    assert c.fails("BITOP", "NOT", "d", "a", "a") == "ERR BITOP NOT must be called with a single source key."
    assert c("EXISTS", "d") == 0


# BITFIELD.

def test_bitfield_get_set_incrby(c):
    assert c("BITFIELD", "k", "INCRBY", "i5", "100", "1", "GET", "u4", "0") == [1, 0]
    assert c("BITFIELD", "k", "SET", "u8", "0", "255", "GET", "i8", "0", "GET", "u4", "2") == [0, -1, 15]
    assert c("BITFIELD", "k", "set", "i8", "#1", "-3", "get", "u8", "#1", "get", "u8", "8") == [0, 253, 253]
    assert c("BITFIELD", "k") == []
    assert c("BITFIELD", "missing") == []
    assert c("EXISTS", "missing") == 0


def test_bitfield_reading_makes_no_key(c):
    assert c("BITFIELD", "k", "GET", "u8", "0", "GET", "i64", "1000") == [0, 0]
    assert c("BITFIELD", "k", "OVERFLOW", "SAT") == []
    assert c("EXISTS", "k") == 0


def test_bitfield_keeps_ttl(c):
    c("SET", "k", "7", "EX", "100")
    assert c("BITFIELD", "k", "GET", "u8", "0", "SET", "u8", "8", "97") == [55, 0]
    assert c("GET", "k") == b"7a"
    assert c("TTL", "k") > 90


def test_bitfield_overflow(c):
    assert c("BITFIELD", "k", "SET", "u8", "0", "250") == [0]
    assert c("BITFIELD", "k", "INCRBY", "u8", "0", "10") == [4]
    assert c("BITFIELD", "k", "SET", "u8", "0", "250", "OVERFLOW", "SAT", "INCRBY", "u8", "0", "10", "OVERFLOW", "FAIL", "INCRBY", "u8", "0", "1",
             "OVERFLOW", "wrap", "INCRBY", "u8", "0", "1") == [4, 255, None, 0]
    assert c("BITFIELD", "k", "OVERFLOW", "SAT", "SET", "u8", "0", "256", "GET", "u8", "0", "SET", "u8", "0", "-1", "GET", "u8", "0") == [0, 255, 255, 255]
    assert c("BITFIELD", "k", "OVERFLOW", "FAIL", "SET", "i4", "0", "8", "GET", "i4", "0") == [None, -1]


def model_bitfield(kind, width, value, mode):
    """What a value becomes in a field, or None for a refusal."""
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if kind == "i" else (0, (1 << width) - 1)
    if low <= value <= high:
        return value
    if mode == "FAIL":
        return None
    if mode == "SAT":
        return high if value > high else low
    value &= (1 << width) - 1
    return value - (1 << width) if kind == "i" and value >> (width - 1) else value


@pytest.mark.parametrize("mode", ["WRAP", "SAT", "FAIL"])
def test_bitfield_increments_against_a_model(c, rng, mode):
    commands, expected = [], []
    for _ in range(120):
        kind = rng.choice("iu")
        width = rng.randrange(1, 65 if kind == "i" else 64)
        low, high = (-(1 << width - 1), (1 << width - 1) - 1) if kind == "i" else (0, (1 << width) - 1)
        start = rng.choice([low, high, 0, rng.randint(low, high)])
        by = rng.choice([1, -1, rng.randint(-high - 1, high), rng.randint(I64_MIN // 2, I64_MAX // 2)])
        if kind == "u":  # beyond 63 bits the sum of an unsigned field is not defined by any document
            by = max(min(by, 2**62), -2**62)
        at = rng.randrange(200)
        commands.append(("BITFIELD", "k", "SET", f"{kind}{width}", at, start, "OVERFLOW", mode, "INCRBY", f"{kind}{width}", at, by, "GET", f"{kind}{width}", at))
        result = model_bitfield(kind, width, start + by, mode)
        expected.append([result, start if result is None else result])
    replies = c.all(commands)
    for command, reply, wanted in zip(commands, replies, expected):
        assert reply[1:] == wanted, command


def test_bitfield_fields_do_not_touch_their_neighbours(c, rng):
    size = 40
    bits = list("0" * size * 8)
    c("SETRANGE", "k", size - 1, b"\0")
    for _ in range(150):
        width = rng.randrange(1, 64)
        at = rng.randrange(size * 8 - width)
        value = rng.getrandbits(width)
        c("BITFIELD", "k", "SET", f"u{width}", at, value)
        bits[at:at + width] = f"{value:0{width}b}"
    assert bits_of(c("GET", "k")) == "".join(bits)


@pytest.mark.parametrize("kind", ["u0", "i0", "u64", "i65", "x8", "8", "u", "i", "u-1", "u8x", "", "u 8", "u99999999999999999999"])
def test_bitfield_types(c, kind):
    assert c.fails("BITFIELD", "k", "GET", kind, "0") == BITFIELD_TYPE
    assert c.fails("BITFIELD", "k", "SET", kind, "0", "1") == BITFIELD_TYPE
    assert c.fails("BITFIELD_RO", "k", "GET", kind, "0") == BITFIELD_TYPE


@pytest.mark.parametrize("offset", ["-1", "x", "", "#-1", "#x", "#", str(2**32), "#536870912", "#9223372036854775807"])
def test_bitfield_offsets(c, offset):
    assert c.fails("BITFIELD", "k", "SET", "u8", offset, "1") == BIT_OFFSET
    assert c("EXISTS", "k") == 0


@pytest.mark.parametrize("args,error", [
    ("GET u8", SYNTAX), ("SET u8 0", SYNTAX), ("INCRBY u8 0", SYNTAX), ("GET", SYNTAX), ("what", SYNTAX), ("OVERFLOW", SYNTAX),
    ("OVERFLOW what", "ERR Invalid OVERFLOW type specified"), ("SET u8 0 x", NOT_INTEGER), ("INCRBY u8 0 x", NOT_INTEGER),
    ("INCRBY u8 0 9223372036854775808", NOT_INTEGER), ("GET u8 0 what", SYNTAX), ("SET u8 0 1 GET u8", SYNTAX)])
def test_bitfield_errors_change_nothing(c, args, error):
    assert c.fails("BITFIELD", "k", *args.split()) == error
    assert c.fails("BITFIELD", "k", "SET", "u8", "0", "1", *args.split()) == error
    assert c("EXISTS", "k") == 0


def test_bitfield_ro(c):
    c("SET", "k", "ab")
    assert c("BITFIELD_RO", "k", "GET", "u8", "0", "GET", "u8", "#1", "GET", "u16", "0") == [97, 98, 24930]
    assert c("BITFIELD_RO", "k") == []
    for args in ("SET u8 0 1", "INCRBY u8 0 1", "GET u8 0 SET u8 0 1"):
        assert c.fails("BITFIELD_RO", "k", *args.split()) == "ERR BITFIELD_RO only supports the GET subcommand"
    assert c("GET", "k") == b"ab"
    assert c("BITFIELD_RO", "k", "OVERFLOW", "SAT", "GET", "u8", "0") == [97]
