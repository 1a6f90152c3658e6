"""Raw sockets for tests that care about bytes: send anything, split it anywhere, read RESP2/RESP3 replies.

A client library hides what these tests are about (types on the wire, errors next to replies, a closed connection),
so replies come back with their wire type:

    +OK            Simple(b"OK")                $3 foo       b"foo"
    -ERR ...       Error(b"ERR ...")            $-1 / *-1 / _  None
    :5             5                            *2 ...       [..]
    %1 ...         Map([(k, v)])                ~2 ...       Set([..])
    >2 ...         Push([..])                   ,3.1         Double(3.1), its text in .text
    #t             True / False                 (123         Big(123)
    =8 txt:hello   Verbatim(b"hello"), .kind    |1 ...       Attribute([(k, v)]), handed out before its reply
"""
import fcntl
import select
import socket
import struct
import termios
import time

import pytest

CRLF = b"\r\n"


class Simple(bytes):
    """A simple string (+OK)."""


class Error(bytes):
    """An error reply (-ERR ...), as bytes without the leading minus."""


class Verbatim(bytes):
    """A verbatim string; its three letters are in `kind`."""
    kind = b""


class Big(int):
    """A big number."""


class Double(float):
    """A double; the text as it stood on the wire is in `text`."""
    text = b""


class Map(list):
    """A map as a list of pairs, in the order of the wire."""

    def as_dict(self):
        return dict(self)


class Set(list):
    """A RESP3 set, in the order of the wire."""


class Push(list):
    """A RESP3 push message."""


class Attribute(list):
    """A RESP3 attribute: pairs that go before the reply they describe."""


class Closed(Exception):
    """The peer closed the connection where a reply was expected."""


def encode(*args):
    """One request as the multibulk that clients send. Numbers and texts become bytes."""
    out = [b"*%d\r\n" % len(args)]
    for arg in args:
        if isinstance(arg, str):
            arg = arg.encode()
        elif isinstance(arg, (int, float)):
            arg = str(arg).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(out)


def _wait(sock, events, seconds):
    """What is possible on the socket within that time; 0 for nothing. (select() ends at 1024 descriptors.)"""
    poll = select.poll()
    poll.register(sock, events)
    ready = poll.poll(max(0, seconds) * 1000)
    return ready[0][1] if ready else 0


class Raw:
    """One connection. `where` is a port, a (host, port) pair, or the path of a unix socket."""

    def __init__(self, where, timeout=10.0, rcvbuf=None, sndbuf=None):
        if isinstance(where, int):
            where = ("127.0.0.1", where)
        family = socket.AF_UNIX if isinstance(where, str) else (
            socket.AF_INET6 if ":" in where[0] else socket.AF_INET)
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if rcvbuf is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if sndbuf is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
        self.sock.settimeout(timeout)
        self.sock.connect(where)
        if family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buf = bytearray()
        self._pos = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def addr(self):
        """Our own address as the server names it: ip:port."""
        name = self.sock.getsockname()
        return "[%s]:%d" % name[:2] if ":" in name[0] else "%s:%d" % name[:2]

    def close(self):
        self.sock.close()

    def reset(self):
        """Close with a TCP reset instead of an orderly end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def half_close(self):
        """End our direction only; replies can still be read."""
        self.sock.shutdown(socket.SHUT_WR)

    # Sending

    def send(self, data):
        self.sock.sendall(data)

    def send_command(self, *args):
        self.sock.sendall(encode(*args))

    def send_split(self, data, *cuts):
        """Send `data` in pieces that end at the given offsets, each in a segment of its own."""
        start = 0
        for cut in list(cuts) + [len(data)]:
            if cut > start:
                self.sock.sendall(data[start:cut])
                self._drain_acks()
                start = cut

    def send_bytewise(self, data):
        for i in range(len(data)):
            self.sock.sendall(data[i:i + 1])

    def _drain_acks(self):
        """Give the peer the time to take what was sent, so that two pieces are not glued together on their way: until
        the kernel has had all of it acknowledged, the peer is gone, or 50 ms went by."""
        deadline = time.monotonic() + 0.05
        while time.monotonic() < deadline:
            left = struct.unpack("i", fcntl.ioctl(self.sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
            if left == 0 or _wait(self.sock, select.POLLRDHUP, 0.0005):
                return

    def send_and_collect(self, data, replies):
        """Send a long pipeline while reading, as a real client must: a pipeline of any depth may fill both
        directions' buffers. Returns the list of that many replies."""
        timeout = self.sock.gettimeout()
        self.sock.setblocking(False)
        view = memoryview(data)
        out = []
        deadline = time.monotonic() + 60
        try:
            while len(out) < replies:
                assert time.monotonic() < deadline, "only %d of %d replies" % (len(out), replies)
                events = _wait(self.sock, select.POLLIN | (select.POLLOUT if view else 0), 10)
                if events & select.POLLOUT:
                    try:
                        view = view[self.sock.send(view[:1 << 20]):]
                    except BlockingIOError:
                        pass
                if events & ~select.POLLOUT:
                    chunk = self.sock.recv(1 << 20)
                    if not chunk:
                        raise Closed("closed after %d replies" % len(out))
                    self._buf += chunk
                    self._parse_ready(out, replies)
        finally:
            self.sock.settimeout(timeout)
        return out

    def _parse_ready(self, out, replies):
        """Parse what is complete in the buffer, up to that many replies in all."""
        while len(out) < replies:
            mark = self._pos
            try:
                out.append(self._parse(False))
            except _Short:
                self._pos = mark
                break
        self._trim()

    # Reading

    def read(self):
        """One reply, pushes and attributes included. Raises Closed at the end of the stream."""
        reply = self._parse(True)
        self._trim()
        return reply

    def read_many(self, count):
        return [self.read() for _ in range(count)]

    def cmd(self, *args):
        """Send one request and read one reply."""
        self.send_command(*args)
        return self.read()

    def inline(self, line):
        self.send(line + CRLF)
        return self.read()

    def read_bytes(self, count):
        """Exactly that many bytes as they are."""
        while len(self._buf) - self._pos < count:
            self._fill()
        data = bytes(self._buf[self._pos:self._pos + count])
        self._pos += count
        self._trim()
        return data

    def read_raw_reply(self):
        """The bytes of one whole reply."""
        start = self._pos
        self._parse(True)
        data = bytes(self._buf[start:self._pos])
        self._trim()
        return data

    def read_line(self):
        line = self._line(True)
        self._trim()
        return line

    def read_to_end(self):
        """All that comes until the peer closes (a reset counts as an end)."""
        data = bytes(self._buf[self._pos:])
        self._buf.clear()
        self._pos = 0
        while True:
            try:
                chunk = self.sock.recv(1 << 16)
            except ConnectionError:
                return data
            if not chunk:
                return data
            data += chunk

    def is_closed(self, within=5.0):
        """True if the peer ends the connection (any data before that is thrown away)."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if not _wait(self.sock, select.POLLIN, deadline - time.monotonic()):
                return False
            try:
                if not self.sock.recv(1 << 16):
                    return True
            except ConnectionError:
                return True
        return False

    def is_silent(self, for_seconds=0.2):
        """True if nothing arrives in that time. For proving that something is not answered."""
        if len(self._buf) > self._pos:
            return False
        return not _wait(self.sock, select.POLLIN, for_seconds)

    # The parser

    def _fill(self):
        chunk = self.sock.recv(1 << 16)
        if not chunk:
            raise Closed("closed by the peer; unread: %r" % bytes(self._buf[self._pos:self._pos + 200]))
        self._buf += chunk

    def _trim(self):
        if self._pos > 1 << 16 or self._pos == len(self._buf):
            del self._buf[:self._pos]
            self._pos = 0

    def _line(self, block):
        while True:
            end = self._buf.find(CRLF, self._pos)
            if end >= 0:
                line = bytes(self._buf[self._pos:end])
                self._pos = end + 2
                return line
            if not block:
                raise _Short()
            self._fill()

    def _exact(self, count, block):
        while len(self._buf) - self._pos < count + 2:
            if not block:
                raise _Short()
            self._fill()
        data = bytes(self._buf[self._pos:self._pos + count])
        end = self._buf[self._pos + count:self._pos + count + 2]
        assert end == CRLF, "a bulk of %d bytes is followed by %r" % (count, bytes(end))
        self._pos += count + 2
        return data

    def _parse(self, block):
        line = self._line(block)
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return Simple(rest)
        if kind == b"-":
            return Error(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._exact(int(rest), block)
        if kind == b"*":
            return None if rest == b"-1" else [self._parse(block) for _ in range(int(rest))]
        if kind == b"_":
            assert rest == b""
            return None
        if kind == b"#":
            return {b"t": True, b"f": False}[rest]
        if kind == b",":
            value = Double(rest.decode())
            value.text = rest
            return value
        if kind == b"(":
            return Big(rest)
        if kind == b"=":
            data = self._exact(int(rest), block)
            assert data[3:4] == b":"
            value = Verbatim(data[4:])
            value.kind = data[:3]
            return value
        if kind == b"%":
            return Map((self._parse(block), self._parse(block)) for _ in range(int(rest)))
        if kind == b"~":
            return Set(self._parse(block) for _ in range(int(rest)))
        if kind == b">":
            return Push(self._parse(block) for _ in range(int(rest)))
        if kind == b"|":
            return Attribute((self._parse(block), self._parse(block)) for _ in range(int(rest)))
        raise AssertionError("not a reply: %r" % line)


class _Short(Exception):
    """Internal: the buffer ends inside a reply."""


class Dialer:
    """Makes connections to one server and closes them all in the end."""

    def __init__(self, where):
        self.where, self.made = where, []

    def __call__(self, where=None, protocol=None, **kwargs):
        connection = Raw(where or self.where, **kwargs)
        self.made.append(connection)
        if protocol == 3:
            assert isinstance(connection.cmd("HELLO", 3), Map)
        return connection

    def close(self):
        for connection in self.made:
            connection.close()


@pytest.fixture
def dial(server):
    """dial(): a raw connection to the shared server; closed after the test."""
    dialer = Dialer(server.port)
    yield dialer
    dialer.close()
