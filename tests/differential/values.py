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
# Few, so that commands meet what others have put in: text, integers of each width, and lengths about the limits of small forms.
ELEMENTS = ["a", "b", "c", "d", "e", "f", "foo", "Foo", "", "0", "1", "2", "3", "-1", "17", "127", "128", "4095", "4096", "-32768", "32768", "8388608",
            "2147483648", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "3.5", "007", "-0", "\0\xff", "x" * 63, "x" * 64, "x" * 65, "y" * 300]
SCORES = ["0", "1", "1", "2", "2", "3", "-1", "-1", "10", "1.5", "-2.25", "0.1", "3.0e3", "1e-5", "1e17", "123456789012345678", "inf", "-inf", "+inf", "-0",
          "0.30000000000000004", "3.14159265358979", "17179869184", "4.5", "5e-324", "1.7976931348623157e308"]
SCORE_BOUNDS = ["-inf", "+inf", "(1", "1", "(2", "2", "(-1", "0", "3", "10", "(inf", "inf", "1.5", "(0.1", "1e17", "4"]
LEX_BOUNDS = ["-", "+", "[a", "(a", "[b", "(c", "[d", "[foo", "(Foo", "[", "(", "[1", "(17", "[e", "(f", "[zz"]
IDS = ["0-1", "0-2", "1", "1-0", "1-1", "1-2", "2-0", "2-1", "3-5", "3-6", "5-0", "5-1", "7", "7-18446744073709551615", "8-0", "9-3", "10-1", "12-0", "20-4"]
GROUPS, CONSUMERS = ["g1", "g2", "g3"], ["alice", "bob", "carol"]
PLACES = [("13.361389", "38.115556"), ("15.087269", "37.502669"), ("2.349014", "48.864716"), ("-0.127758", "51.507351"), ("-73.935242", "40.73061"), ("0", "0"),
          ("179.99", "1"), ("-179.99", "-1"), ("116.407396", "39.9042"), ("151.2093", "-33.8688"), ("13.5833", "37.316667"), ("-122.27", "37.8")]
# Keys that commands of a group meet more often than others, so that not all of them hold the wrong type.
KEYS_OF = {"list": ["l0", "l1", "l2", "l3"], "set": ["s0", "s1", "s2", "s3", "s4"], "sorted-set": ["z0", "z1", "z2", "z3", "z4"], "hash": ["h0", "h1", "h2", "h3"],
           "stream": ["x0", "x1", "x2"], "geo": ["g0", "g1"], "hyperloglog": ["p0", "p1", "p2"]}
NUMBERS_BY = {"RPUSH": "ln0", "LPUSH": "ln0", "SADD": "sn0", "ZADD": "zn0"}
LEX_KEYS = ["zl0", "zl1"]  # sorted sets whose scores are equal: for others a range by bytes is whatever comes out
NUMBER_KEYS = ["ln0", "sn0", "zn0"]  # hold numbers only, which SORT can put in order, and which name other keys
SORT_PATTERNS = ["k*", "k*", "k1*", "h*->a", "h*->1", "h*->foo", "h*->", "*->a", "*", "s*", "#", "nosort", "nosort", "", "k*->", "->*", "w*x"]
PATTERNS = ["*", "k*", "k1?", "k[1-5]", "k[^1-5]", "?1", "*1*", "k\\1", "[", "", "**", "nothing", "*[0-9]", "k1"]


class Values:
    def __init__(self, rng, keys):
        self.rng, self.keys = rng, keys
        self.command = ""  # whose arguments are being made
        self.group = self.last_key = ""

    def key(self, arg=None):
        if "LEX" in self.command and self.rng.random() < 0.95:
            self.last_key = self.rng.choice(LEX_KEYS)
            return self.last_key
        own = KEYS_OF.get(self.group)
        if self.command == "ZADD" and self.rng.random() < 0.3:
            own = LEX_KEYS
        if self.command in NUMBERS_BY and self.rng.random() < 0.2 or self.command.startswith("SORT") and self.rng.random() < 0.5:
            own = NUMBER_KEYS if self.command.startswith("SORT") else [NUMBERS_BY[self.command]]
        self.last_key = self._any_key(own)
        return self.last_key

    def _any_key(self, own):
        return self.rng.choice(own) if own and self.rng.random() < 0.85 else self.rng.choice(self.keys)

    def number(self, low, high):
        return str(self.rng.randint(low, high))

    def string(self, arg):
        name = arg["name"]
        if name == "encoding":
            return self._field_type()
        if name == "serialized-value":  # session.py puts the payload there
            return f"DUMP OF {self._any_key(None)}" if self.rng.random() < 0.95 else "junk"
        if name == "type":
            return self.rng.choice(TYPES + ["string", "string", "STRING", "what"])
        maker = getattr(self, "_text_" + name.replace("-", "_"), None) if self.group in KEYS_OF else None
        if maker:
            return maker()
        pick = self.rng.random()
        if pick < 0.6:
            return self.rng.choice(SHORT)
        if pick < 0.8:
            return self.number(-10 ** self.rng.randrange(1, 19), 10 ** self.rng.randrange(1, 19))
        size = self.rng.choice([1, 3, 8, 20, 43, 44, 45, 46, 63, 64, 65, 127, 128, 255, 256, 300, 1000, 2500])
        return self.rng.choice([lambda: b"x" * size, lambda: self.rng.randbytes(size), lambda: b"ab" * (size // 2)])()

    def _text_element(self):
        if self.last_key in NUMBER_KEYS and self.command in NUMBERS_BY:
            return self.rng.choice(["1.5", "1e2"]) if self.rng.random() < 0.05 else self.number(0, 17)
        return self.rng.choice(ELEMENTS)

    _text_member = _text_member1 = _text_member2 = _text_field = _text_value = _text_pivot = _text_element

    def _text_group(self):
        return self.rng.choice(GROUPS)

    def _text_consumer(self):
        return self.rng.choice(CONSUMERS)

    def _text_id(self):
        if self.command == "XADD":
            # Mostly a little above the ones before, now and then anything.
            self.last_id = getattr(self, "last_id", 20) + self.rng.randrange(3)
            return self.rng.choice([str(self.last_id), f"{self.last_id}-{self.rng.randrange(3)}", f"{self.last_id}-*", f"{self.last_id}-*"]) \
                if self.rng.random() < 0.9 else self.rng.choice(IDS + ["0-0", "x", "1-", "-1", "18446744073709551615-18446744073709551615"])
        if self.command == "XREADGROUP":
            return self.rng.choice([">", ">", ">", "0", "0-0"] + IDS)
        extra = ["$", "0", "0-0", "+"] if self.command in ("XREAD", "XGROUP CREATE", "XGROUP SETID") else ["x", "0"]
        return self.rng.choice(IDS + extra + [f"{getattr(self, 'last_id', 20) - self.rng.randrange(6)}-{self.rng.randrange(2)}" for _ in range(12)])

    _text_last_id = _text_lastid = _text_max_deleted_id = _text_id

    def _text_threshold(self):
        return self.number(0, 12) if self.rng.random() < 0.7 else self.rng.choice(IDS)

    def _text_min_idle_time(self):
        return self.rng.choice(["0", "0", "0", "10000000", "-1", "x"])

    def _bound(self):
        if self.group == "stream":
            return self.rng.choice(["-", "+", "(", "(5", "x", "(x"] + IDS + ["(" + i for i in IDS[:8]] + ["-", "+"] * 6)
        if self.rng.random() < 0.3:
            return self.number(-12, 12)
        return self.rng.choice(LEX_BOUNDS if "LEX" in self.command or self.rng.random() < 0.5 else SCORE_BOUNDS)

    _text_start = _text_stop = _text_end = _text_min = _text_max = _bound

    def _text_subcommand(self):
        return self.rng.choice(["GETREG", "ENCODING", "TODENSE", "WHAT"])

    def _field_type(self):
        if self.rng.random() < 0.05:
            return self.rng.choice(["u64", "i65", "u0", "i0", "x8", "u", "i64x", "", "u-1"])
        return self.rng.choice(["u8", "i8", "u1", "i1", "u63", "i64", "i5", "u4", "u16", "i32", f"u{self.rng.randint(1, 63)}", f"i{self.rng.randint(1, 64)}"])

    def double(self, arg):
        name = arg["name"]
        if name == "timeout":
            return self.rng.choice(["0", "0", "0.1", "1", "100", "-1", "x"])  # huge ones overflow in 7.0
        if self.command == "ZADD" and self.last_key in LEX_KEYS:
            return "0"
        if self.group == "sorted-set" and self.rng.random() < 0.95:
            return self.rng.choice(SCORE_BOUNDS if name in ("min", "max") else SCORES)
        if name in ("longitude", "latitude"):
            return self.rng.choice(PLACES)[name == "latitude"] if self.rng.random() < 0.95 else self.rng.choice(["181", "91", "x", "nan", "-200"])
        if name in ("radius", "width", "height"):
            return self.rng.choice(["100", "200", "1000", "5000", "0.5", "0", "20000", "100000", "1e9", "-1", "x"])
        return self.rng.choice(NO_FLOATS) if self.rng.random() < 0.06 else self.rng.choice(FLOATS)

    def pattern(self, arg):
        if self.command.startswith("SORT"):
            return self.rng.choice(SORT_PATTERNS)
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
        if self.command.startswith("XREAD"):
            return self.rng.choice(["0", "1", "1000", "-1", "x"])
        return self._small(10**6, 10**11, ("0", "-1", "-100000", "9223372036854775807", "-9223372036854775808", "1"))

    def _int_ttl(self):
        return "0" if self.rng.random() < 0.7 else self.rng.choice([self.number(10**6, 10**11), "-1", str(FUTURE_S * 1000)])

    def _int_frequency(self):
        return self._small(0, 255, ("0", "-1", "256"))

    def _int_value(self):
        if self.command == "SETBIT":
            return self._int_bit()
        return self.number(-20, 300) if self.rng.random() < 0.7 else self.rng.choice(EDGE_INTEGERS)

    def _int_offset(self):
        pick = self.rng.random()
        if pick < 0.06:
            return self.rng.choice(["-1", "4294967296", "9223372036854775807", "536870912000", "#-1", "#4294967296", "x"])
        if self.group in KEYS_OF:
            return self.number(0, 4)
        if pick < 0.3 and self.command.startswith("BITFIELD"):
            return "#" + self.number(0, 40)
        return self.number(0, 70) if pick < 0.9 else self.number(0, 3000)

    def _int_start(self):
        return self._small(-70, 70, tuple(EDGE_INTEGERS))

    _int_end = _int_stop = _int_start

    def _int_increment(self):
        if self.group == "sorted-set":
            return self.rng.choice(SCORES)
        return self._int_value()

    def _int_weight(self):
        return self.rng.choice(["1", "2", "-1", "0.5", "0", "inf", "-inf", "1.5", "x"])

    def _int_rank(self):
        return self._small(-4, 4, ("0", "9223372036854775807", "-9223372036854775808"))

    def _int_limit(self):
        return self._small(0, 5)

    def _int_index(self):
        return self._int_db() if self.group not in KEYS_OF else self._small(-12, 12, tuple(EDGE_INTEGERS))

    def _int_ms(self):
        return self.rng.choice(["0", "1000", "100000"])

    def _int_min_idle_time(self):
        return self.rng.choice(["0", "0", "10000000", "-1"])

    def _int_entries_read(self):
        return self.rng.choice(["0", "0", "-1", "-2", "x"])  # more than were ever added: a negative lag in 7.0

    _int_entries_added = _int_entries_read

    def _int_bit(self):
        return self._small(0, 1, ("2", "-1"))

    def _int_db(self):
        return self._small(0, 3, ("16", "-1", "15"))

    _int_destination_db = _int_index1 = _int_index2 = _int_db

    def _int_cursor(self):
        return "0" if self.rng.random() < 0.9 else self.rng.choice(["x", "1", "-1", "18446744073709551615", "18446744073709551616"])

    def _int_count(self):
        if self.group in KEYS_OF:
            low = -6 if self.command in ("LREM", "SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER") else 0
            return self._small(low, 8, ("0", "-1", "100", "9223372036854775807" if low == 0 else "1000"))
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
