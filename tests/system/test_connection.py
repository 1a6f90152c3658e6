"""Connections: AUTH and what is closed before it, PING ECHO QUIT RESET SELECT TIME, protected mode, and the addresses a
server listens on.
"""
import fcntl
import os
import socket
import stat
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from tests.system.harness import free_port, wait_until
from tests.system.rawsock import Dialer, Error, Map, Raw, Simple, dial, encode  # noqa: F401

NOAUTH = b"NOAUTH Authentication required."
WRONGPASS = b"WRONGPASS invalid username-password pair or user is disabled."


# PING, ECHO, QUIT, RESET, SELECT, TIME, LOLWUT

def test_ping(dial):
    c = dial()
    assert isinstance(c.cmd("PING"), Simple)
    reply = c.cmd("PING", "hello\r\nworld")
    assert reply == b"hello\r\nworld" and not isinstance(reply, Simple)
    assert c.cmd("PING", "") == b""
    assert c.cmd("PING", "a", "b") == b"ERR wrong number of arguments for 'ping' command"


def test_echo(dial):
    c = dial()
    assert c.cmd("ECHO", b"\x00\xff\r\n") == b"\x00\xff\r\n"
    assert c.cmd("ECHO") == b"ERR wrong number of arguments for 'echo' command"
    assert c.cmd("ECHO", "a", "b") == b"ERR wrong number of arguments for 'echo' command"


@pytest.mark.parametrize("args", [(), ("now", "please")])
def test_quit(dial, args):
    c = dial()
    c.send_command("QUIT", *args)
    assert c.read_to_end() == b"+OK\r\n"


def test_time(dial):
    reply = dial().cmd("TIME")
    seconds, micros = (int(part) for part in reply)
    assert abs(seconds + micros / 1e6 - time.time()) < 5
    assert 0 <= micros < 1_000_000
    assert not any(isinstance(part, Simple) for part in reply)


def test_lolwut(dial, reference):
    c = dial()
    last = c.cmd("LOLWUT").decode().rstrip("\n").splitlines()[-1]
    assert "ver. " in last, "tools look for the version in the last line"
    assert c.cmd("LOLWUT", "VERSION", "5", "1", "1", "1").endswith(b"\n")
    assert c.cmd("LOLWUT", "VERSION", "x") == b"ERR value is not an integer or out of range"


@pytest.mark.parametrize("db, reply", [
    ("0", b"OK"), ("15", b"OK"),
    ("16", b"ERR DB index is out of range"), ("-1", b"ERR DB index is out of range"),
    ("2147483647", b"ERR DB index is out of range"),
    ("abc", b"ERR value is not an integer or out of range"), ("", b"ERR value is not an integer or out of range"),
    ("1.5", b"ERR value is not an integer or out of range"),
    ("99999999999999999999", b"ERR value is not an integer or out of range"),
])
def test_select(dial, db, reply):
    assert dial().cmd("SELECT", db) == reply


def test_databases_are_apart_and_per_connection(dial):
    a, b = dial(), dial()
    a.cmd("SELECT", 3)
    a.cmd("SET", "k", "three")
    assert b.cmd("GET", "k") is None
    b.cmd("SELECT", 3)
    assert b.cmd("GET", "k") == b"three"
    assert b.cmd("SELECT", 99) == b"ERR DB index is out of range"
    assert b.cmd("GET", "k") == b"three", "a failed SELECT stays where it was"


def test_reset_restores_the_state_of_a_new_connection(dial):
    c = dial(protocol=3)
    c.cmd("SELECT", 5)
    c.cmd("CLIENT", "SETNAME", "named")
    c.send_command("RESET")
    assert c.read_raw_reply() == b"+RESET\r\n"
    c.send_command("GET", "nokey")
    assert c.read_raw_reply() == b"$-1\r\n", "back to RESP2"
    info = c.cmd("CLIENT", "INFO")
    assert b" db=0 " in info and b" name= " in info and b" resp=2" in info


def test_reset_ends_client_reply_off(dial):
    c = dial()
    c.send(encode("CLIENT", "REPLY", "OFF") + encode("PING") + encode("RESET") + encode("ECHO", "x"))
    assert c.read() == b"RESET"
    assert c.read() == b"x"


@pytest.mark.needs("MULTI")
def test_reset_ends_a_transaction(dial):
    c = dial()
    assert c.cmd("MULTI") == b"OK"
    assert c.cmd("SET", "k", "v") == b"QUEUED"
    assert c.cmd("RESET") == b"RESET"
    assert c.cmd("EXEC") == b"ERR EXEC without MULTI"


def test_reset_takes_no_arguments(dial):
    assert dial().cmd("RESET", "x") == b"ERR wrong number of arguments for 'reset' command"


# AUTH

@pytest.fixture
def guarded(own_server, workers):
    server = own_server({"requirepass": "s3cret", "threads": workers})
    dialer = Dialer(server.port)
    yield dialer
    dialer.close()


def test_auth_without_a_password_set(dial):
    c = dial()
    assert c.cmd("AUTH", "x") == (
        b"ERR AUTH <password> called without any password configured for the default user. "
        b"Are you sure your configuration is correct?")
    assert c.cmd("AUTH", "default", "anything") == b"OK"
    assert c.cmd("AUTH", "nouser", "x") == WRONGPASS
    assert c.cmd("AUTH", "a", "b", "c") == b"ERR syntax error"
    assert c.cmd("AUTH") == b"ERR wrong number of arguments for 'auth' command"
    assert c.cmd("PING") == b"PONG", "a failed AUTH of an open server takes nothing away"


@pytest.mark.parametrize("command", [
    ("PING",), ("GET", "k"), ("SET", "k", "v"), ("ECHO", "x"), ("SELECT", "0"), ("INFO",), ("COMMAND",), ("TIME",),
    ("CLIENT", "SETNAME", "x"), ("CONFIG", "GET", "requirepass"), ("DEBUG", "SLEEP", "0"), ("MONITOR",),
    ("FLUSHALL",), ("SHUTDOWN", "NOSAVE"),
])
def test_nothing_without_auth(guarded, command):
    c = guarded()
    reply = c.cmd(*command)
    assert isinstance(reply, Error) and reply == NOAUTH
    assert c.cmd("AUTH", "s3cret") == b"OK"
    assert c.cmd("PING") == b"PONG"


def test_what_goes_without_auth(guarded, reference):
    c = guarded()
    assert c.cmd("nosuch") == b"ERR unknown command 'nosuch', with args beginning with: "
    assert c.cmd("GET") == b"ERR wrong number of arguments for 'get' command"
    assert c.cmd("RESET") == b"RESET"
    assert c.cmd("HELLO", "4") == b"NOPROTO unsupported protocol version"
    for args in ((), ("2",), ("3",), ("3", "SETNAME", "x")):
        said = c.cmd("HELLO", *args)
        if reference:
            said = said.replace(b"the HELLO AUTH", b"the HELLO <proto> AUTH")  # <proto> came with 7.2
        assert said == (
            b"NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> "
            b"<pass> option can be used to authenticate the client and select the RESP protocol version at the same time"), args
    c.send_command("QUIT")
    assert c.read_to_end() == b"+OK\r\n"


@pytest.mark.parametrize("args, reply", [
    (("s3cret",), b"OK"), (("default", "s3cret"), b"OK"),
    (("wrong",), WRONGPASS), (("default", "wrong"), WRONGPASS), (("nouser", "s3cret"), WRONGPASS),
    (("",), WRONGPASS), (("s3cre",), WRONGPASS), (("s3cret1",), WRONGPASS), ((b"s3cret\0",), WRONGPASS),
    (("a", "b", "c"), b"ERR syntax error"),
])
def test_auth(guarded, args, reply):
    c = guarded()
    assert c.cmd("AUTH", *args) == reply
    assert c.cmd("PING") == (b"PONG" if reply == b"OK" else NOAUTH)


def test_hello_auth(guarded):
    c = guarded()
    assert c.cmd("HELLO", "3", "AUTH", "default", "wrong", "SETNAME", "n") == WRONGPASS
    assert c.cmd("PING") == NOAUTH
    assert isinstance(c.cmd("HELLO", "3", "AUTH", "default", "s3cret", "SETNAME", "n"), Map)
    assert c.cmd("CLIENT", "GETNAME") == b"n"


def test_a_failed_auth_keeps_who_was_in(guarded):
    c = guarded()
    assert c.cmd("AUTH", "s3cret") == b"OK"
    assert c.cmd("AUTH", "wrong") == WRONGPASS
    assert c.cmd("PING") == b"PONG"


def test_reset_asks_for_the_password_again(guarded):
    c = guarded()
    assert c.cmd("AUTH", "s3cret") == b"OK"
    assert c.cmd("RESET") == b"RESET"
    assert c.cmd("PING") == NOAUTH


def test_requirepass_at_run_time(guarded):
    a, b = guarded(), guarded()
    assert a.cmd("AUTH", "s3cret") == b"OK"
    assert a.cmd("CONFIG", "GET", "requirepass") == [b"requirepass", b"s3cret"]
    assert a.cmd("CONFIG", "SET", "requirepass", "new") == b"OK"
    assert a.cmd("PING") == b"PONG", "who is in stays in"
    assert b.cmd("AUTH", "s3cret") == WRONGPASS
    assert b.cmd("AUTH", "new") == b"OK"
    assert a.cmd("CONFIG", "SET", "requirepass", "") == b"OK"
    assert guarded().cmd("PING") == b"PONG"


def test_the_password_is_not_compared_up_to_a_nul_or_case(guarded):
    c = guarded()
    assert c.cmd("AUTH", "S3CRET") == WRONGPASS


def test_pipelined_auth(guarded):
    c = guarded()
    c.send(encode("PING") + encode("AUTH", "s3cret") + encode("PING") + encode("MGET", *"abcdefghijklmn"))
    assert c.read_many(4) == [NOAUTH, b"OK", b"PONG", [None] * 14]


# Protected mode

def outside_addresses():
    """Addresses of this machine that are not loopback; none in a network namespace without interfaces."""
    found = []
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((target, 9))
                found.append(probe.getsockname()[0])
            except OSError:
                pass
    try:
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            digits, _, _, scope, _, name = line.split()
            if scope == "00" and name != "lo":
                found.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits)))
    except OSError:
        pass
    return sorted({address for address in found if not address.startswith("127.") and address != "::1"})


def test_protected_mode(own_server, workers):
    server = own_server({"bind": ["*", "-::*"], "protected-mode": "yes", "threads": workers})
    with Raw(server.port) as c, Raw(server.unix_path) as unix:
        assert c.cmd("PING") == b"PONG"
        assert unix.cmd("PING") == b"PONG"
        for address in outside_addresses():
            with Raw((address, server.port)) as far:
                text = far.read_to_end()
                assert text.startswith(b"-DENIED Redis is running in protected mode because protected mode is enabled")
                assert text.endswith(b"\r\n") and text.count(b"\n") == 1
        assert c.cmd("CONFIG", "SET", "protected-mode", "no") == b"OK"
        for address in outside_addresses():
            with Raw((address, server.port)) as far:
                assert far.cmd("PING") == b"PONG"
        assert c.cmd("CONFIG", "SET", "protected-mode", "yes", "requirepass", "pw") == b"OK"
        for address in outside_addresses():
            with Raw((address, server.port)) as far:
                assert far.cmd("PING") == NOAUTH, "with a password, far clients may try it"


# Where the server listens

def test_several_binds(own_server, workers):
    server = own_server({"bind": ["127.0.0.1", "-::1", "127.0.0.2", "-192.0.2.77"], "threads": workers})
    with Raw(("127.0.0.1", server.port)) as a, Raw(("127.0.0.2", server.port)) as b:
        assert a.cmd("SET", "k", "v") == b"OK"
        assert b.cmd("GET", "k") == b"v"
        assert b"laddr=127.0.0.2:%d " % server.port in b.cmd("CLIENT", "INFO")
    if Path("/proc/net/if_inet6").exists() and "lo" in Path("/proc/net/if_inet6").read_text():
        with Raw(("::1", server.port)) as c:
            assert c.cmd("GET", "k") == b"v"
            assert b" addr=[::1]:" in c.cmd("CLIENT", "INFO")


def test_a_bind_that_is_not_optional_must_work(own_server):
    server = own_server({"bind": ["127.0.0.1", "192.0.2.77"]}, wait=False)
    assert server.wait_exit() == 1
    server.wait_log(r"192\.0\.2\.77.*bind: Cannot assign requested address")
    server.stop(check=False)


def test_bind_at_run_time(own_server, workers):
    server = own_server({"threads": workers})
    with Raw(server.port) as c:
        assert c.cmd("CONFIG", "SET", "bind", "127.0.0.1 127.0.0.3") == b"OK"
        assert c.cmd("CONFIG", "GET", "bind") == [b"bind", b"127.0.0.1 127.0.0.3"]
        with Raw(("127.0.0.3", server.port)) as d:
            assert d.cmd("PING") == b"PONG"
        reply = c.cmd("CONFIG", "SET", "timeout", "50", "bind", "192.0.2.77")
        assert reply == (b"ERR CONFIG SET failed (possibly related to argument 'bind') - "
                         b"Failed to bind to specified addresses.")
        assert c.cmd("CONFIG", "GET", "bind") == [b"bind", b"127.0.0.1 127.0.0.3"]
        assert c.cmd("CONFIG", "GET", "timeout") == [b"timeout", b"0"]
        with Raw(("127.0.0.3", server.port)) as d:
            assert d.cmd("PING") == b"PONG", "the old addresses are back after a failure"
        assert c.cmd("PING") == b"PONG"


def test_port_at_run_time(own_server, workers):
    server = own_server({"threads": workers})
    with Raw(server.port) as c:
        other = free_port()
        assert c.cmd("CONFIG", "SET", "port", other) == b"OK"
        with Raw(other) as d:
            assert d.cmd("PING") == b"PONG"
        with pytest.raises(ConnectionRefusedError):
            Raw(server.port)
        assert c.cmd("PING") == b"PONG", "who is connected stays"
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            reply = c.cmd("CONFIG", "SET", "port", taken.getsockname()[1])
            assert reply.startswith(b"ERR CONFIG SET failed (possibly related to argument 'port') - "
                                    b"Unable to listen on this port")
        with Raw(other) as d:
            assert d.cmd("PING") == b"PONG"


def test_unix_socket_and_its_mode(own_server, workers):
    server = own_server({"unixsocketperm": "640", "threads": workers})
    mode = os.stat(server.unix_path)
    assert stat.S_ISSOCK(mode.st_mode) and stat.S_IMODE(mode.st_mode) == 0o640
    with Raw(server.unix_path) as c:
        assert c.cmd("SET", "k", "v") == b"OK"
        info = c.cmd("CLIENT", "INFO")
        assert b" flags=U " in info
        assert b" addr=%s:0 " % server.unix_path.encode() in info
        assert c.cmd("CONFIG", "GET", "unixsocketperm") == [b"unixsocketperm", b"640"]
    with Raw(server.port) as c:
        assert c.cmd("GET", "k") == b"v"


def test_port_zero_leaves_the_unix_socket_only(own_server, workers):
    server = own_server({"port": "0", "threads": workers}, wait=False)
    server.wait_log(r"eady to accept connections")
    with Raw(server.unix_path) as c:
        assert c.cmd("CONFIG", "GET", "port") == [b"port", b"0"]
        assert b"tcp_port:0\r\n" in c.cmd("INFO", "server")
    listening = subprocess.run(["ls", "-l", f"/proc/{server.pid}/fd"], capture_output=True, text=True).stdout
    inodes = {word[8:-1] for word in listening.split() if word.startswith("socket:[")}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if Path(table).exists():
            rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
            assert not [row for row in rows if row[3] == "0A" and row[9] in inodes], "no TCP listener is left"


def test_nowhere_to_listen_is_an_error(own_server):
    server = own_server({"port": "0", "unixsocket": None, "unixsocketperm": None}, wait=False)
    assert server.wait_exit() == 1
    server.wait_log("Configured to not listen anywhere, exiting.")
    server.stop(check=False)


def test_port_in_use(own_server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = own_server({"port": port}, wait=False)
        assert server.wait_exit() == 1
        server.wait_log(rf"Could not create server TCP listening socket 127\.0\.0\.1:{port}: bind: Address already in use")
        server.stop(check=False)


def test_a_socket_file_left_behind_is_no_obstacle(own_server, workers, tmp_path):
    path = str(tmp_path / "left.sock")
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(path)
    server = own_server({"unixsocket": path, "threads": workers})
    with Raw(path) as c:
        assert c.cmd("PING") == b"PONG"
    server.check()


# Socket options

def keepalive_of(server, client):
    """The server's end of the connection, found by the client's port: (state of the keepalive timer, seconds)."""
    mine = client.sock.getsockname()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        row = line.split()
        local, remote = int(row[1].split(":")[1], 16), int(row[2].split(":")[1], 16)
        if local == server.port and remote == mine:
            timer, when = row[5].split(":")
            return int(timer, 16), int(when, 16) / os.sysconf("SC_CLK_TCK")
    raise AssertionError("connection not found")


def test_tcp_keepalive_is_on(server, dial):
    c = dial()
    assert c.cmd("CONFIG", "GET", "tcp-keepalive") == [b"tcp-keepalive", b"300"]
    assert c.cmd("PING") == b"PONG"
    timer, seconds = wait_until(lambda: (lambda t: t if t[0] == 2 else None)(keepalive_of(server, c)))
    assert timer == 2 and 200 < seconds <= 301


def test_tcp_keepalive_off(server, dial, settings):
    settings(tcp_keepalive=0)
    c = dial()
    assert c.cmd("PING") == b"PONG"
    wait_until(lambda: keepalive_of(server, c)[0] == 0)


def test_tcp_backlog_reaches_listen(own_server, workers):
    somaxconn = int(Path("/proc/sys/net/core/somaxconn").read_text())
    server = own_server({"tcp-backlog": 77, "threads": workers})
    out = subprocess.run(["ss", "-Hltn", f"sport = :{server.port}"], capture_output=True, text=True)
    if out.returncode == 0 and out.stdout:
        assert {int(line.split()[2]) for line in out.stdout.splitlines()} == {min(77, somaxconn)}
    with Raw(server.port) as c:
        assert c.cmd("CONFIG", "GET", "tcp-backlog") == [b"tcp-backlog", b"77"]


def test_replies_are_not_delayed(dial):
    """TCP_NODELAY: with Nagle's algorithm a second small reply waits for the 40 ms of a delayed ACK."""
    c = dial()
    worst = []
    for _ in range(20):
        began = time.monotonic()
        c.send_split(encode("ECHO", "a") + encode("ECHO", "b"), len(encode("ECHO", "a")))
        assert c.read_many(2) == [b"a", b"b"]
        worst.append(time.monotonic() - began)
    assert sorted(worst)[10] < 0.03


def test_unsent_bytes_are_zero_after_an_answer(dial):
    """Raw's own helper: what it waits for is really the end of the queue."""
    c = dial()
    c.send_split(encode("PING"))
    left = struct.unpack("i", fcntl.ioctl(c.sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    assert left == 0
    assert c.read() == b"PONG"
