"""Two servers and one list of commands: runs it on both and finds the first difference, in replies or in the state at the end."""
import re
import time
from typing import NamedTuple

from tests.differential.compare import FORMS, REFERENCE, About, plain_numbers, same, show
from tests.system import wire

PROTOCOLS = (2, 3)
TAKES_A_TIME = re.compile(rb"EX|^SET$", re.IGNORECASE)  # in the names of commands that may give a key an end
SHORTEST_MS = 60_000  # ends nearer than this are taken away again: see _steady
DATABASES = 16
FIELDS_END = [7, 4]  # the first version whose fields may end


class Found(NamedTuple):
    """A difference: after which command, and what it is."""
    index: int
    text: str


class Side:
    """One server with a connection per protocol."""

    def __init__(self, server, connection_class=wire.Connection):
        self.server, self.connection_class = server, connection_class
        self.connections = []
        self.is_tarn = not server.reference

    def open(self):
        self.close()
        self.connections = [self.connection_class(port=self.server.port, protocol=p) for p in PROTOCOLS]
        self.admin = wire.Connection(port=self.server.port, protocol=2)
        assert bytes(self.admin("FLUSHALL")) == b"OK"

    def close(self):
        for connection in self.connections:
            connection.close()
        if self.connections:
            self.admin.close()
        self.connections = []

    def revive(self):
        """A new process when the old one is gone."""
        if self.server.process.poll() is not None:
            self.connections = []
            self.server.stop(check=False)
            self.server.start()

    def state(self):
        """Everything there is: {(database, key): (type, encoding, value, end)}."""
        found = {}
        for db in range(DATABASES):
            self.admin("SELECT", db)
            for key in sorted(self.admin("KEYS", "*")):
                kind, encoding, end = self.admin.many([("TYPE", key), ("OBJECT", "ENCODING", key), ("PEXPIRETIME", key)])
                found[db, key] = (bytes(kind), self._encoding(bytes(kind), encoding), self._value(bytes(kind), key), About(end, 5000))
        self.admin("SELECT", 0)
        return found

    @staticmethod
    def _encoding(kind, encoding):
        """As far as both servers have the same ones: small lists and sets of text have a form of their own since 7.2."""
        if REFERENCE[0] >= 8:  # which hides the length of the key in its short strings
            return "text" if encoding in (b"embstr", b"raw") else encoding
        return "a form" if kind == b"list" or (kind == b"set" and encoding != b"intset") else encoding

    def _value(self, kind, key):
        reads = {b"string": ("GET", key), b"list": ("LRANGE", key, 0, -1), b"set": ("SMEMBERS", key), b"hash": ("HGETALL", key),
                 b"zset": ("ZRANGE", key, 0, -1, "WITHSCORES"), b"stream": ("XRANGE", key, "-", "+")}
        value = self.admin(*reads[kind])
        if kind == b"set":
            return sorted(value)
        if kind == b"hash":
            fields = value[::2]
            ends = self.admin("HPEXPIRETIME", key, "FIELDS", len(fields), *fields) if fields and REFERENCE >= FIELDS_END else [-1] * len(fields)
            return sorted(zip(fields, value[1::2], (About(end, 5000) for end in ends)), key=repr)
        if kind == b"zset":
            return plain_numbers(value)
        if kind == b"stream":
            return value, FORMS["XINFO STREAM"](self.admin("XINFO", "STREAM", key, "FULL"))
        return value

    def check(self):
        """Tarn looks at its own invariants; what it says if one does not hold."""
        if not self.is_tarn:
            return None
        reply = self.admin("DEBUG", "CHECK")
        return None if bytes(reply) == b"OK" else show(reply)


class Session:
    def __init__(self, ours, theirs):
        self.ours, self.theirs = ours, theirs

    def run(self, batch):
        """Runs the batch from an empty server on; the first difference, or None."""
        self.ours.revive()
        self.ours.open()
        self.theirs.open()
        index = 0
        try:
            for index, (connection, words) in enumerate(batch):
                text = self._step(connection, words)
                if text:
                    return Found(index, text)
            return self._compare_states(len(batch) - 1)
        except (EOFError, OSError, wire.ProtocolError) as error:
            return Found(index, f"{type(error).__name__}: {error}\n{self.ours.server.log()[-4000:]}")
        finally:
            self.ours.close()
            self.theirs.close()

    def _step(self, connection, words):
        pair = self.ours.connections[connection], self.theirs.connections[connection]
        for side in pair:
            side.send(wire.request(*words))
        ours, theirs = (self._read(side, words) for side in pair)
        if not same(words, ours, theirs):
            return f"replies differ\n  ours:   {show(ours)}\n  theirs: {show(theirs)}"
        if TAKES_A_TIME.search(words[0]):
            self._steady(pair, words)
        return None

    @staticmethod
    def _read(side, words):
        """The reply. A SCAN from the start is taken to its end first, since cursors are nobody's business."""
        reply = side.read()
        at = {b"SCAN": 1, b"HSCAN": 2, b"SSCAN": 2, b"ZSCAN": 2}.get(words[0].upper())
        if not at or words[at:at + 1] != [b"0"] or not isinstance(reply, list):
            return reply
        pairs = words[0].upper() in (b"HSCAN", b"ZSCAN") and b"NOVALUES" not in [word.upper() for word in words[at:]]
        found = set()
        while True:
            found |= set(zip(reply[1][::2], reply[1][1::2])) if pairs else set(reply[1])
            if reply[0] == b"0":
                return ["all of it", sorted(found), "and no more"]
            reply = side(*words[:at], reply[0], *words[at + 1:])

    def _steady(self, pair, words):
        """Takes back ends that are so near that the two servers could see them at different commands. What ends within
        milliseconds is waited for."""
        for key in set(words[1:]):  # whichever of them are keys
            left = [side("PTTL", key) for side in pair]
            if any(isinstance(ms, int) and 0 <= ms < 1000 for ms in left):
                time.sleep(max(left) / 1000 + 0.003)
                for side in pair:
                    side("EXISTS", key)
            elif any(isinstance(ms, int) and 0 <= ms < SHORTEST_MS for ms in left):
                for side in pair:
                    side("PERSIST", key)
            if words[0][:1] in b"Hh" and REFERENCE >= FIELDS_END:
                self._steady_fields(pair, key)

    @staticmethod
    def _steady_fields(pair, key):
        """The same for the fields of a hash. The reference takes away what has ended ten times a second, and counts it until then."""
        waits = 0
        for side in pair:
            fields = side("HKEYS", key)
            if not isinstance(fields, list):
                return
            left = side("HPTTL", key, "FIELDS", len(fields), *fields) if fields else []
            near = [field for field, ms in zip(fields, left) if 1000 <= ms < SHORTEST_MS]
            if near:
                side("HPERSIST", key, "FIELDS", len(near), *near)
            ending = [ms for ms in left if 0 <= ms < 1000 or ms == -2]
            if ending or side("HLEN", key) != len(fields):
                waits = max(waits, max(ending, default=0) / 1000 + 0.25)
        time.sleep(waits)

    def _compare_states(self, index):
        ours, theirs = self.ours.state(), self.theirs.state()
        for place in sorted(set(ours) | set(theirs)):
            if place not in ours or place not in theirs:
                return Found(index, f"only {'theirs' if place in theirs else 'ours'} has the key {place[1]!r} of database {place[0]}")
            if ours[place] != theirs[place]:
                return Found(index, f"key {place[1]!r} of database {place[0]} differs\n  ours:   {show(ours[place])}\n  theirs: {show(theirs[place])}")
        complaint = self.ours.check()
        return Found(index, f"DEBUG CHECK: {complaint}") if complaint else None
