"""Limits: what is too big, too long or too slow is refused with the known words, costs its sender the connection, leaves
a line in the log, and nobody else notices.
"""
import contextlib
import socket
import time

import pytest

from tests.system.harness import wait_until
from tests.system.rawsock import Closed, Dialer, dial, encode  # noqa: F401

MB = 1 << 20


@pytest.fixture
def limited(own_server, workers):
    """limited(settings): a server of the test's own; returns (server, dial)."""
    dialers = []

    def make(**settings):
        settings = {name.replace("_", "-"): value for name, value in settings.items()}
        server = own_server(dict(settings, threads=workers))
        dialers.append(Dialer(server.port))
        return server, dialers[-1]
    yield make
    for dialer in dialers:
        dialer.close()


def send_until_refused(connection, data):
    """The server may close in the middle of what we send: that is the point."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        connection.send(data)


def figure(connection, name, section="clients"):
    """One figure of INFO as a number."""
    for line in connection.cmd("INFO", section).splitlines():
        if line.startswith(name.encode() + b":"):
            return int(line.split(b":")[1])
    raise AssertionError(f"INFO {section} has no {name}")


# Lengths in the protocol

def test_bulk_longer_than_proto_max_bulk_len(dial):
    c = dial()
    c.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870913\r\n")
    assert c.read() == b"ERR Protocol error: invalid bulk length"
    assert c.is_closed()


def test_proto_max_bulk_len_can_be_lowered(dial, settings):
    settings(proto_max_bulk_len=MB)
    c = dial()
    assert c.cmd("SET", "k", b"x" * MB) == b"OK"
    c.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % (MB + 1))
    assert c.read() == b"ERR Protocol error: invalid bulk length"
    assert c.is_closed()
    d = dial()
    assert d.cmd("STRLEN", "k") == MB
    assert d.cmd("APPEND", "k", "y") == b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"
    assert d.cmd("SETRANGE", "k", MB, "y") == b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"
    assert d.cmd("STRLEN", "k") == MB


def test_proto_max_bulk_len_can_be_raised(dial, settings):
    settings(proto_max_bulk_len="1gb")
    c = dial()
    c.send(b"*2\r\n$4\r\nECHO\r\n$536870913\r\n")
    assert c.is_silent(), "such a length is fine now; the server waits for the bytes"


def test_string_of_512_mb_at_most(dial):
    c = dial()
    text = b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"
    assert c.cmd("SETRANGE", "k", 536870911, "ab") == text
    assert c.cmd("SETBIT", "k", 4294967296, 1) == b"ERR bit offset is not an integer or out of range"
    assert c.cmd("EXISTS", "k") == 0


@pytest.mark.parametrize("data, text", [
    (b"x" * (64 * 1024 + 1), b"ERR Protocol error: too big inline request"),
    (b"*" + b"1" * (64 * 1024 + 1), b"ERR Protocol error: too big mbulk count string"),
    (b"*1\r\n$" + b"1" * (64 * 1024 + 1), b"ERR Protocol error: too big bulk count string"),
])
def test_lines_longer_than_64_kb(dial, data, text):
    c = dial()
    c.send(data)
    assert c.read() == text
    assert c.is_closed()


def test_inline_of_almost_64_kb(dial):
    c = dial()
    c.send(b"ECHO " + b"x" * 60_000 + b"\r\n")
    assert c.read() == b"x" * 60_000


def test_a_claimed_length_costs_no_memory(server, dial):
    """64 clients claim 64 MB each and send nothing of it: what is not sent must not be allocated."""
    probe = dial()
    before = server.resident_bytes()
    for _ in range(64):
        dial().send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$67108864\r\nabc")
        dial().send(b"*1000000\r\n$3\r\nGET\r\n")
    assert probe.cmd("PING") == b"PONG"
    wait_until(lambda: figure(probe, "connected_clients") >= 129)
    assert probe.cmd("ECHO", "x" * 1000) == b"x" * 1000
    grown = server.resident_bytes() - before
    assert grown < 128 * MB, f"grew by {grown >> 20} MB for 128 claims"


# Before authentication

def test_unauthenticated_clients_get_little(limited):
    _, dial = limited(requirepass="pw")
    cases = [
        (b"*11\r\n", b"ERR Protocol error: unauthenticated multibulk length"),
        (b"*1048576\r\n", b"ERR Protocol error: unauthenticated multibulk length"),
        (b"*1\r\n$16385\r\n", b"ERR Protocol error: unauthenticated bulk length"),
        (b"*2\r\n$4\r\nAUTH\r\n$1000000\r\n", b"ERR Protocol error: unauthenticated bulk length"),
        (b"*1\r\n$99999999999\r\n", b"ERR Protocol error: invalid bulk length"),
    ]
    for data, text in cases:
        c = dial()
        c.send(data)
        assert c.read() == text, data
        assert c.is_closed()


def test_up_to_the_limits_unauthenticated_clients_are_heard(limited):
    _, dial = limited(requirepass="pw")
    c = dial()
    assert c.cmd("MGET", *"abcdefghi") == b"NOAUTH Authentication required."
    assert c.cmd("AUTH", "x" * 16384) == b"WRONGPASS invalid username-password pair or user is disabled."
    assert c.cmd("AUTH", "pw") == b"OK"
    assert c.cmd("MGET", *"abcdefghijklmnop") == [None] * 16
    assert c.cmd("ECHO", "x" * 20_000) == b"x" * 20_000


# Query buffer

def test_query_buffer_limit_closes_the_offender_only(limited):
    server, dial = limited(client_query_buffer_limit="1mb", proto_max_bulk_len="100mb")
    bystander, offender = dial(), dial()
    offender.cmd("CLIENT", "SETNAME", "offender")
    send_until_refused(offender, b"*2\r\n$4\r\nECHO\r\n$50000000\r\n" + b"x" * 20_000_000)
    assert offender.is_closed()
    line = server.wait_log(r"Closing client that reached max query buffer length: (.*)", 10).group(1)
    assert "name=offender" in line and "qbuf=" in line
    assert bystander.cmd("PING") == b"PONG"
    assert bystander.cmd("SET", "k", b"y" * 900_000) == b"OK"
    assert bystander.cmd("STRLEN", "k") == 900_000


@pytest.mark.tarn_only
def test_query_buffer_disconnects_are_counted(limited):
    _, dial = limited(client_query_buffer_limit="1mb", proto_max_bulk_len="100mb")
    c, offender = dial(), dial()
    send_until_refused(offender, b"*2\r\n$4\r\nECHO\r\n$50000000\r\n" + b"x" * 20_000_000)
    assert offender.is_closed()
    assert figure(c, "client_query_buffer_limit_disconnections", "stats") == 1


def test_query_buffer_limit_does_not_count_what_was_run(limited):
    """A pipeline of any length stays far below the limit, as complete requests leave the buffer."""
    _, dial = limited(client_query_buffer_limit="1mb")
    c = dial()
    data = encode("SET", "k", b"v" * 1000) * 5000
    assert c.send_and_collect(data, 5000) == [b"OK"] * 5000


# Output buffer

def test_output_buffer_hard_limit_closes_the_offender_only(limited):
    server, dial = limited(client_output_buffer_limit="normal 4mb 0 0")
    bystander, offender = dial(), dial(rcvbuf=4096)
    assert bystander.cmd("SET", "big", b"v" * 100_000) == b"OK"
    offender.cmd("CLIENT", "SETNAME", "offender")
    send_until_refused(offender, encode("GET", "big") * 1000)
    line = server.wait_log(r"Client (.*) scheduled to be closed ASAP for overcoming of output buffer limits\.", 20)
    assert "name=offender" in line.group(1)
    wait_until(lambda: b"name=offender" not in bystander.cmd("CLIENT", "LIST"))
    assert len(offender.read_to_end()) < 100_000_000, "the rest of the replies is dropped"
    assert bystander.cmd("STRLEN", "big") == 100_000


@pytest.mark.tarn_only
def test_output_buffer_disconnects_are_counted(limited):
    server, dial = limited(client_output_buffer_limit="normal 4mb 0 0")
    c, offender = dial(), dial(rcvbuf=4096)
    assert c.cmd("SET", "big", b"v" * 100_000) == b"OK"
    send_until_refused(offender, encode("GET", "big") * 1000)
    server.wait_log(r"overcoming of output buffer limits", 20)
    wait_until(lambda: figure(c, "client_output_buffer_limit_disconnections", "stats") == 1)


def test_output_buffer_soft_limit_needs_its_seconds(limited):
    server, dial = limited(client_output_buffer_limit="normal 0 1mb 1")
    bystander, offender = dial(), dial(rcvbuf=4096)
    bystander.cmd("SET", "big", b"v" * 100_000)
    began = time.monotonic()
    send_until_refused(offender, encode("GET", "big") * 200)
    server.wait_log(r"closed (ASAP )?for overcoming of output buffer limits", 20)
    assert time.monotonic() - began > 0.9
    wait_until(lambda: figure(bystander, "connected_clients") == 1)
    assert bystander.cmd("PING") == b"PONG"


def test_without_limit_a_slow_reader_gets_everything(dial):
    """The default for normal clients is no limit: 40 MB wait until they are read."""
    c = dial(rcvbuf=4096)
    c.cmd("SET", "big", b"v" * 100_000)
    c.send(encode("GET", "big") * 400)
    other = dial()
    assert other.cmd("PING") == b"PONG"
    wait_until(lambda: b"cmd=get" in other.cmd("CLIENT", "LIST"))
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    for _ in range(400):
        assert len(c.read()) == 100_000
    assert c.cmd("PING") == b"PONG"


def test_config_set_of_output_buffer_limits(dial):
    c = dial()
    before = c.cmd("CONFIG", "GET", "client-output-buffer-limit")[1]
    assert before == b"normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"
    assert c.cmd("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 512kb 10 replica 0 0 0") == b"OK"
    assert c.cmd("CONFIG", "GET", "client-output-buffer-limit")[1] == (
        b"normal 1048576 524288 10 slave 0 0 0 pubsub 33554432 8388608 60")
    for bad in ("foo", "normal 1 2", "nosuch 0 0 0", "normal a b c", "normal -1 0 0", "master 0 0 0"):
        reply = c.cmd("CONFIG", "SET", "client-output-buffer-limit", bad)
        assert reply.startswith(b"ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - "
                                ), (bad, reply)
    assert c.cmd("CONFIG", "SET", "client-output-buffer-limit", before) == b"OK"


# maxclients

def test_maxclients(limited):
    _, dial = limited(maxclients=10)
    first = dial()
    others = [dial() for _ in range(9)]
    for c in [first] + others:
        assert c.cmd("PING") == b"PONG"
    refused = dial()
    assert refused.read_to_end() == b"-ERR max number of clients reached\r\n"
    assert first.cmd("CONFIG", "SET", "maxclients", 12) == b"OK"
    assert dial().cmd("PING") == b"PONG"
    assert figure(first, "rejected_connections", "stats") == 1
    assert figure(first, "maxclients") == 12
    for c in others:
        c.close()
    wait_until(lambda: figure(first, "connected_clients") == 2)
    assert all(dial().cmd("PING") == b"PONG" for _ in range(5))


def test_maxclients_also_on_the_unix_socket(limited):
    server, dial = limited(maxclients=2)
    assert dial().cmd("PING") == b"PONG"
    assert dial(server.unix_path).cmd("PING") == b"PONG"
    assert dial(server.unix_path).read_to_end() == b"-ERR max number of clients reached\r\n"


# timeout

def test_timeout_closes_idle_clients(limited):
    server, dial = limited(timeout=1)
    idle, busy = dial(), dial()
    assert idle.cmd("PING") == b"PONG"
    began = time.monotonic()
    while not idle.is_closed(0.1):
        assert busy.cmd("PING") == b"PONG"
        assert time.monotonic() - began < 10
    assert time.monotonic() - began > 0.8
    assert busy.cmd("PING") == b"PONG"


def test_timeout_spares_monitors(limited):
    _, dial = limited(timeout=1)
    monitor, idle = dial(), dial()
    assert monitor.cmd("MONITOR") == b"OK"
    assert idle.cmd("PING") == b"PONG"
    assert idle.is_closed(10), "an ordinary idle client goes"
    fresh = dial()
    fresh.send_command("PING")
    seen = [monitor.read()]
    while b'"ping"' not in seen[-1].lower() or len(seen) < 2:
        seen.append(monitor.read())
    assert fresh.read() == b"PONG"


def test_timeout_zero_by_default(dial):
    c = dial()
    assert c.cmd("CONFIG", "GET", "timeout")[1] == b"0"


def test_closed_in_reply(dial):
    """Raw itself: the end of a stream inside a reply is an error, not a short reply."""
    c = dial()
    c.send_command("QUIT")
    assert c.read() == b"OK"
    with pytest.raises(Closed):
        c.read()
