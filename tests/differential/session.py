"""Two servers and one list of commands: runs it on both and finds the first difference, in replies or in the state at the end."""
import re
import time
from typing import NamedTuple

from tests.differential.commands import TAKES_A_TIME
from tests.differential.compare import FORMS, REFERENCE, About, alike, is_meant, parts_states, plain_numbers, show
from tests.differential.scripts import keys_of
from tests.system import wire

PROTOCOLS = (2, 3)
WAITS = re.compile(rb"(B(L|R|Z)|XREAD).*", re.IGNORECASE)  # names of commands that may wait
PAYLOAD_OF = b"DUMP OF "  # in RESTORE: what DUMP of this key gives on the other server
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
        self.scripts = False  # whether there are any

    def open(self):
        self.close()
        self.connections = [self.connection_class(port=self.server.port, protocol=p) for p in PROTOCOLS]
        self.admin = wire.Connection(port=self.server.port, protocol=2)
        assert bytes(self.admin("FLUSHALL")) == b"OK"
        if self.scripts:
            assert [bytes(reply) for reply in self.admin.many([("SCRIPT", "FLUSH"), ("FUNCTION", "FLUSH")])] == [b"OK"] * 2

    def close(self):
        for connection in self.connections:
            connection.close()
        if self.connections:
            self.admin.close()
        self.connections = []

    def revive(self):
        """A new process when the old one is gone."""
        if not self.answers():
            self.connections = []
            self.server.stop(check=False)
            self.server.directory.mkdir(exist_ok=True)
            self.server.start()

    def answers(self):
        try:
            with wire.Connection(port=self.server.port) as connection:
                return bytes(connection("PING")) == b"PONG"
        except (EOFError, OSError):
            return False

    def state(self):
        """Everything there is: {(database, key): (type, encoding, value, end)}."""
        found = {}
        for db in range(DATABASES):
            self.admin("SELECT", db)
            for key in sorted(self.admin("KEYS", "*")):
                kind, encoding, end = self.admin.many([("TYPE", key), ("OBJECT", "ENCODING", key), ("PEXPIRETIME", key)])
                found[db, key] = (bytes(kind), self._encoding(bytes(kind), encoding), self._value(bytes(kind), key), About(end, 5000))
        self.admin("SELECT", 0)
        if self.scripts:
            found[0, b"(functions)"] = FORMS["FUNCTION LIST"](self.admin("FUNCTION", "LIST", "WITHCODE"))
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
    def __init__(self, ours, theirs, scripts=False):
        self.ours, self.theirs = ours, theirs
        ours.scripts = theirs.scripts = scripts

    def run(self, batch):
        """Runs the batch from an empty server on; the first difference, or None."""
        self.ours.revive()
        self.theirs.revive()
        self.ours.open()
        self.theirs.open()
        self.queues = [None for _ in PROTOCOLS]  # what each connection has queued since its MULTI
        index = 0
        try:
            for index, (connection, words) in enumerate(batch):
                text = self._step(connection, words)
                if text:
                    return Found(index, text)
            return self._compare_states(len(batch) - 1)
        except (EOFError, OSError, wire.ProtocolError) as error:
            if self.ours.answers() and not self.theirs.answers():
                return None  # a crash of the reference, which has its own: nothing to compare with
            return Found(index, f"{type(error).__name__}: {error}\n{self.ours.server.log()[-4000:]}")
        finally:
            self.ours.close()
            self.theirs.close()

    def _step(self, connection, words):
        queue = self.queues[connection]
        if queue is None and WAITS.fullmatch(words[0]) and (words[0][:1] in b"Bb" or b"BLOCK" in [word.upper() for word in words]):
            return None  # what was to be in a transaction has lost its MULTI, in a shorter list of commands
        pair = self.ours.connections[connection], self.theirs.connections[connection]
        for side, own in zip(pair, self._with_payloads(pair, words) if queue is None else (words, words)):
            side.send(wire.request(*own))
        ours, theirs = (self._read(side, words) for side in pair)
        done = self._done(connection, words, ours, theirs)
        if done is None:
            return f"replies differ\n  ours:   {show(ours)}\n  theirs: {show(theirs)}"
        for each in done:
            if not alike(*each) and not is_meant(*each):
                within = f" in what EXEC gives for {show(each[0])}" if words[0].upper() == b"EXEC" else ""
                return f"replies differ{within}\n  ours:   {show(each[1])}\n  theirs: {show(each[2])}"
        for each in done:
            if parts_states(*each) or self._changed_form(pair, each[0]):
                self._make_equal(pair, each[0])
            if TAKES_A_TIME.search(each[0][0]) or keys_of(each[0]):
                self._steady(pair, keys_of(each[0]) or each[0])
        return None

    def _done(self, connection, words, ours, theirs):
        """[(command, our reply, their reply)] of what has run; follows the connection's transaction. None: that differs."""
        queue, name = self.queues[connection], words[0].upper()
        if queue is None:
            if name == b"MULTI" and ours == theirs == wire.Status(b"OK"):
                self.queues[connection] = []
            return [(words, ours, theirs)]
        if name in (b"EXEC", b"DISCARD") and len(words) == 1:
            self.queues[connection] = None
            if isinstance(ours, list) and isinstance(theirs, list):
                return list(zip(queue, ours, theirs)) if len(ours) == len(theirs) == len(queue) else None
        elif ours == theirs == wire.Status(b"QUEUED"):
            queue.append(words)
        elif is_meant(words, ours, theirs):  # one would run what the other refuses
            self._forget_transactions()
            return []
        return [] if ours == theirs and type(ours) is type(theirs) else None

    @staticmethod
    def _with_payloads(pair, words):
        """The command as each side gets it: a payload comes from the other one."""
        if b"RESTORE" not in [word.upper() for word in words[:2]]:
            return words, words
        made = []
        for other in pair[::-1]:
            own = []
            for word in words:
                if word.startswith(PAYLOAD_OF):
                    key = word[len(PAYLOAD_OF):]
                    payload = other("FUNCTION", "DUMP") if words[0].upper() == b"FUNCTION" else other("DUMP", key)
                    word = payload if isinstance(payload, bytes) else b"nothing"
                own.append(word)
            made.append(own)
        return made

    @staticmethod
    def _changed_form(pair, words):
        """Whether this was a SORT of a small sorted set, which 7.0 leaves in its large form."""
        if words[0].upper() not in (b"SORT", b"SORT_RO") or len(words) < 2:
            return False
        ours, theirs = (side("OBJECT", "ENCODING", words[1]) for side in pair)
        return ours == b"listpack" and theirs == b"skiplist"

    def _make_equal(self, pair, words):
        """Takes away on both sides what the command names. Who watches or queues forgets it, since one side's keys may have been
        touched and the other's not."""
        self._forget_transactions()
        for side in pair:
            side("DEL", *words[1:])

    def _forget_transactions(self):
        for side in (self.ours, self.theirs):
            for connection, queue in zip(side.connections, self.queues):
                connection("UNWATCH" if queue is None else "DISCARD")
        self.queues = [None for _ in PROTOCOLS]

    @staticmethod
    def _read(side, words):
        """The reply. A SCAN from the start is taken to its end first, since cursors are nobody's business."""
        reply = side.read()
        if reply == wire.Status(b"QUEUED"):
            return reply
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
        for key in sorted(set(words[1:])):  # whichever of them are keys
            left = [side("PTTL", key) for side in pair]
            if any(isinstance(ms, int) and 0 <= ms < 1000 for ms in left):
                time.sleep(max(left) / 1000 + 0.003)
                for side in pair:
                    side("EXISTS", key)
            elif any(isinstance(ms, int) and 0 <= ms < SHORTEST_MS for ms in left):
                for side in pair:
                    side("PERSIST", key)
            if words[0][:1] in b"HhRrEeFf" and REFERENCE >= FIELDS_END:
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
