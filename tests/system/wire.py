"""RESP as it is on the wire: a small client of our own that keeps apart what a client library throws together.

`Connection` sends requests (or any bytes) and returns replies with their types: a status and a bulk string of the same
text are different here, and so are a RESP3 double and the bulk string of RESP2. Used where a test is about the protocol
itself, and by the differential fuzzer, which compares replies to the byte.
"""
import socket
from typing import NamedTuple


class Status(bytes):
    """+OK"""

    def __eq__(self, other):
        return isinstance(other, Status) and bytes(self) == bytes(other)

    def __ne__(self, other):
        return not self == other

    __hash__ = bytes.__hash__

    def __repr__(self):
        return f"+{self.decode(errors='backslashreplace')}"


class Error(Status):
    """-ERR …; equal to another error of the same text only."""

    def __eq__(self, other):
        return isinstance(other, Error) and bytes(self) == bytes(other)

    __hash__ = bytes.__hash__

    def __repr__(self):
        return f"-{self.decode(errors='backslashreplace')}"


class Double(NamedTuple):
    text: bytes


class Boolean(NamedTuple):
    value: bool


class BigNumber(NamedTuple):
    text: bytes


class Verbatim(NamedTuple):
    format: bytes
    text: bytes


class Map(NamedTuple):
    pairs: tuple


class Set(NamedTuple):
    members: tuple


class Push(NamedTuple):
    items: tuple


class Nil:
    """The three ways to say nothing: $-1, *-1 and RESP3's _."""

    def __init__(self, text):
        self.text = text

    def __eq__(self, other):
        return isinstance(other, Nil) and self.text == other.text

    def __hash__(self):
        return hash(self.text)

    def __repr__(self):
        return f"nil({self.text})"


NIL_BULK, NIL_ARRAY, NIL = Nil("$-1"), Nil("*-1"), Nil("_")


def encode(arg):
    if isinstance(arg, bytes):
        return arg
    return str(arg).encode()


def request(*args):
    """One command as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in map(encode, args):
        parts.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(parts)


class ProtocolError(Exception):
    pass


class Connection:
    def __init__(self, port=None, path=None, host="127.0.0.1", protocol=2, timeout=30):
        if path:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(timeout)
            self.socket.connect(path)
        else:
            self.socket = socket.create_connection((host, port), timeout=timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        if protocol == 3:
            reply = self("HELLO", 3)
            assert isinstance(reply, Map), reply

    def __call__(self, *args):
        self.send(request(*args))
        return self.read()

    def many(self, commands):
        """A pipeline: all requests at once, then all replies. Bounded by the socket's buffers: for short batches."""
        self.send(b"".join(request(*command) for command in commands))
        return [self.read() for _ in commands]

    def send(self, data):
        self.socket.sendall(data)

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(f"the server closed the connection after {line!r}")
        kind, rest = line[:1], line[1:-2]
        reader = self._readers.get(kind)
        if reader is None:
            raise ProtocolError(f"no reply begins like {line!r}")
        return reader(self, rest)

    def at_end(self):
        """Whether the server closed the connection and nothing is left to read. Waits for one or the other."""
        try:
            return self.file.peek(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _bytes(self, length):
        data = self.file.read(length + 2)
        if len(data) != length + 2 or data[-2:] != b"\r\n":
            raise EOFError(f"a string of {length} bytes ended early, with {data[-20:]!r}")
        return data[:-2]

    def _bulk(self, rest):
        return NIL_BULK if rest == b"-1" else self._bytes(int(rest))

    def _array(self, rest):
        return NIL_ARRAY if rest == b"-1" else [self.read() for _ in range(int(rest))]

    def _items(self, rest):
        return tuple(self.read() for _ in range(int(rest)))

    def _verbatim(self, rest):
        data = self._bytes(int(rest))
        return Verbatim(data[:3], data[4:])

    _readers = {
        b"+": lambda self, rest: Status(rest),
        b"-": lambda self, rest: Error(rest),
        b"!": lambda self, rest: Error(self._bytes(int(rest))),
        b":": lambda self, rest: int(rest),
        b"$": _bulk,
        b"*": _array,
        b"_": lambda self, rest: NIL,
        b",": lambda self, rest: Double(rest),
        b"#": lambda self, rest: Boolean(rest == b"t"),
        b"(": lambda self, rest: BigNumber(rest),
        b"=": _verbatim,
        b"%": lambda self, rest: Map(tuple((self.read(), self.read()) for _ in range(int(rest)))),
        b"~": lambda self, rest: Set(self._items(rest)),
        b">": lambda self, rest: Push(self._items(rest)),
    }
