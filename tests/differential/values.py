"""What arguments look like: likely values by type and name, and junk.

Two rules keep runs the same on both servers. Ends of keys lie either in the past or minutes away, so that the time a command
takes does not matter; relative ones are drawn from a wide range, so that no two are equal by accident and GT and LT do not hang
on a millisecond. And nothing makes a value of many megabytes: offsets are small or out of range.
"""
FUTURE_S = 33177117420  # the year 3021: absolute ends that cannot pass
TYPES = ["string", "list", "set", "zset", "hash", "stream"]
EDGE_INTEGERS = ["0", "1", "-1", "2", "10", "-10", "100", "9223372036854775807", "-9223372036854775808", "4611686018427387904", "4294967296", "-4294967296"]
NO_INTEGERS = ["", "x", "1.5", " 1", "1 ", "9223372036854775808", "-9223372036854775809", "+1", "0x1", "01", "-0", "1e3", "99999999999999999999", "1\0"]
FLOATS = ["0", "1", "-1", "0.1", "1.5", "-2.25", "3.0e3", "1e-5", "1e10", "100000000000000000", "0.30000000000000004", "3.14159265358979", "-0", ".5", "5.", "+7"]
NO_FLOATS = ["", "x", "nan", "inf", "-inf", "1.5x", " 1", "1e999999", "0x10", "1,5"]
SHORT = ["", "a", "b", "ab", "foo", "foobar", "Hello World", "v", "\0", "\r\n", "0", "1", "-1", "12", "9999", "10000", "123456789", "9223372036854775807",
         "-9223372036854775808", "9223372036854775808", "3.5", "1e3", " 1", "007", "ÿ"]
JUNK = ["", "x", "-1", "0", "1", "NX", "XX", "GET", "EX", "PX", "KEEPTTL", "BIT", "what", "*", "9223372036854775807", "9223372036854775808",
        "-9223372036854775808", "4294967296", "1.5", "\0\xff", "COUNT", "MATCH", "DB", "REPLACE"]
PATTERNS = ["*", "k*", "k1?", "k[1-5]", "k[^1-5]", "?1", "*1*", "k\\1", "[", "", "**", "nothing", "*[0-9]", "k1"]


class Values:
    def __init__(self, rng, keys):
        self.rng, self.keys = rng, keys
        self.command = ""  # whose arguments are being made

    def key(self, arg=None):
        return self.rng.choice(self.keys)

    def number(self, low, high):
        return str(self.rng.randint(low, high))

    def string(self, arg):
        name = arg["name"]
        if name == "encoding":
            return self._field_type()
        if name == "type":
            return self.rng.choice(TYPES + ["string", "string", "STRING", "what"])
        pick = self.rng.random()
        if pick < 0.6:
            return self.rng.choice(SHORT)
        if pick < 0.8:
            return self.number(-10 ** self.rng.randrange(1, 19), 10 ** self.rng.randrange(1, 19))
        size = self.rng.choice([1, 3, 8, 20, 43, 44, 45, 46, 63, 64, 65, 127, 128, 255, 256, 300, 1000, 2500])
        return self.rng.choice([lambda: b"x" * size, lambda: self.rng.randbytes(size), lambda: b"ab" * (size // 2)])()

    def _field_type(self):
        if self.rng.random() < 0.05:
            return self.rng.choice(["u64", "i65", "u0", "i0", "x8", "u", "i64x", "", "u-1"])
        return self.rng.choice(["u8", "i8", "u1", "i1", "u63", "i64", "i5", "u4", "u16", "i32", f"u{self.rng.randint(1, 63)}", f"i{self.rng.randint(1, 64)}"])

    def double(self, arg):
        return self.rng.choice(NO_FLOATS) if self.rng.random() < 0.06 else self.rng.choice(FLOATS)

    def pattern(self, arg):
        return self.rng.choice(PATTERNS)

    def integer(self, arg):
        if self.rng.random() < 0.04:
            return self.rng.choice(NO_INTEGERS)
        maker = getattr(self, "_int_" + arg["name"].replace("-", "_"), None)
        if maker:
            return maker()
        return self.number(-20, 120) if self.rng.random() < 0.6 else self.rng.choice(EDGE_INTEGERS)

    def _small(self, low, high, edges=("0", "-1", "9223372036854775807", "-9223372036854775808")):
        return self.rng.choice(edges) if self.rng.random() < 0.06 else self.number(low, high)

    def _int_seconds(self):
        return self._small(1000, 10**8, ("0", "-1", "-100", "9223372036854775807", "9223372036854775", "-9223372036854775808"))

    def _int_milliseconds(self):
        return self._small(10**6, 10**11, ("0", "-1", "-100000", "9223372036854775807", "-9223372036854775808", "1"))

    def _int_value(self):
        if self.command == "SETBIT":
            return self._int_bit()
        return self.number(-20, 300) if self.rng.random() < 0.7 else self.rng.choice(EDGE_INTEGERS)

    _int_increment = _int_value

    def _int_offset(self):
        pick = self.rng.random()
        if pick < 0.06:
            return self.rng.choice(["-1", "4294967296", "9223372036854775807", "536870912000", "#-1", "#4294967296", "x"])
        if pick < 0.3 and self.command.startswith("BITFIELD"):
            return "#" + self.number(0, 40)
        return self.number(0, 70) if pick < 0.9 else self.number(0, 3000)

    def _int_start(self):
        return self._small(-70, 70, tuple(EDGE_INTEGERS))

    _int_end = _int_start

    def _int_bit(self):
        return self._small(0, 1, ("2", "-1"))

    def _int_db(self):
        return self._small(0, 3, ("16", "-1", "15"))

    _int_destination_db = _int_index = _int_index1 = _int_index2 = _int_db

    def _int_cursor(self):
        return "0" if self.rng.random() < 0.9 else self.rng.choice(["x", "1", "-1", "18446744073709551615", "18446744073709551616"])

    def _int_count(self):
        return self._small(1, 100, ("0", "-1", "1000000"))

    def unix_time(self, arg):
        if self.rng.random() < 0.04:
            return self.rng.choice(NO_INTEGERS)
        if self.rng.random() < 0.12:
            return self.rng.choice(["0", "-1", "1", "9223372036854775807", "-9223372036854775808", "1000000000"])
        at = FUTURE_S + self.rng.randrange(4) * 1000  # few, so that equal ones come up
        if arg["name"].endswith("milliseconds"):
            return str(at * 1000 + self.rng.choice([0, 499, 500, 999]))
        return str(at)

    def junk(self):
        return self.rng.choice(JUNK)
