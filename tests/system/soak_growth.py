"""Many keys, fast: commands that are made once as bytes, with places for a number and for a moment that are filled in."""
import re
from collections import Counter

from tests.system.rawsock import Closed, encode
from tests.system.soak import ask

# Where the name of a key has its number and PEXPIREAT its moment, in their lengths.
NUMBER, MOMENT = b"@" * 10, b"#" * 13
PER_BATCH = 200
FAR = 4_000_000_000_000


def values(i, fields_end):
    """One key's commands, by its place in a batch: strings of three sizes for half of them, the other types for the rest."""
    key = b"g:%s:%03d" % (NUMBER, i)
    few = [word for n in range(1 + i % 20) for word in (f"word{n}", n)]
    kinds = [
        [("SET", key, "x" * (i % 100))], [("SET", key, i)], [("SET", key, "x" * 3000)] if i % 50 == 2 else [("SET", key, "x" * 64)],
        [("RPUSH", key, *few)], [("SADD", key, *few)], [("SADD", key, *range(i % 30 + 1))], [("HSET", key, *few)],
        [("ZADD", key, *reversed(few))], [("XADD", key, "1-1", "f", "v")], [("PFADD", key, *few)],
    ]
    if fields_end:
        kinds.append([("HSET", key, *few), ("HPEXPIREAT", key, MOMENT, "FIELDS", 1, "word0")])
    # The kinds at odd places, and plain strings between them.
    commands = kinds[i // 2 % len(kinds)] if i % 2 else [("SET", key, "value %d" % i)]
    return [*commands, ("PEXPIREAT", key, MOMENT)]


class Batch:
    """Commands for PER_BATCH keys, and how many lines their replies have."""

    def __init__(self, commands):
        commands = list(commands)
        self.data = b"".join(encode(*command) for command in commands)
        # What is a bulk string or an array of one has a line more.
        self.lines = sum(2 if command[0] in ("XADD", "HPEXPIREAT") else 1 for command in commands)

    def send(self, c, number, moment=FAR):
        c.send(self.data.replace(NUMBER, b"%010d" % number).replace(MOMENT, b"%013d" % moment))
        got, data = 0, b""
        while got < self.lines:
            data = c.sock.recv(1 << 18)
            if not data:
                raise Closed("closed within a batch")
            assert b"-" not in data.replace(b"1-1", b"").replace(b":-2", b""), data[:300]
            got += data.count(b"\n")
        assert got == self.lines and data.endswith(b"\n")


def load(c, rng, gang, ident, most, brief):
    """Makes keys until there are `most` or the time is over. `brief`: they end within seconds. How many were made."""
    batch = Batch(command for i in range(PER_BATCH) for command in values(i, not gang.reference))
    number = ident * 1_000_000
    first = number
    while gang.on() and (number - first) * PER_BATCH < most:
        moment = FAR
        if brief:
            seconds, micros = map(int, ask(c, "TIME"))
            moment = seconds * 1000 + micros // 1000 + rng.randrange(1, 5000)
        batch.send(c, number, moment)
        number += 1
    made = (number - first) * PER_BATCH
    return Counter(keys=made), (first, number)


def each_batch(commands):
    """A member of a gang that sends these for the numbers from first to last."""
    def work(c, rng, gang, first, last, moment):
        batch = Batch(commands)
        for number in range(first, last):
            batch.send(c, number, moment)
        return Counter(), None
    return work


KEYS = [b"g:%s:%03d" % (NUMBER, i) for i in range(PER_BATCH)]
unlink = each_batch([("UNLINK", *KEYS)])
end_at = each_batch([("PEXPIREAT", key, MOMENT) for key in KEYS])


def figure(c, section, name):
    return int(re.search(rb"\r\n%s:(\d+)\r" % name.encode(), ask(c, "INFO", section)).group(1))
