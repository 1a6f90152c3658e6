"""CLIENT and its subcommands. LIST and KILL are looked at with workers of which each owns only some of the clients: every
client must be seen and can be killed from any connection.
"""
import re
import select
import time

import pytest

from tests.system.harness import HELP_OF_HELP, wait_until
from tests.system.rawsock import Error, Raw, Simple, Verbatim, dial, encode  # noqa: F401

# What Redis 7.0 has and Redis 7.2 to 8 added, in the order of the line.
FIELDS_70 = ("id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem rbs rbp "
             "obl oll omem tot-mem events cmd user redir resp").split()
FIELDS_8 = ("id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf qbuf-free argv-mem multi-mem rbs rbp "
            "obl oll omem tot-mem events cmd user redir resp lib-name lib-ver io-thread tot-net-in tot-net-out tot-cmds").split()


def parse(line):
    """One line of CLIENT LIST as a dictionary of strings."""
    return dict(part.split("=", 1) for part in line.decode().rstrip("\n").split(" "))


def parse_list(reply):
    return [parse(line) for line in reply.splitlines()]


def me(connection):
    return parse(connection.cmd("CLIENT", "INFO"))


def ids(reply):
    return sorted(int(row["id"]) for row in parse_list(reply))


# ID, GETNAME, SETNAME, SETINFO

def test_ids_grow_and_are_never_used_twice(dial):
    seen = []
    for _ in range(20):
        c = dial()
        seen.append(c.cmd("CLIENT", "ID"))
        assert seen[-1] == c.cmd("CLIENT", "ID")
        c.close()
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("version", [2, 3])
def test_names(dial, version):
    c = dial(protocol=version)
    assert c.cmd("CLIENT", "GETNAME") is None
    assert c.cmd("CLIENT", "SETNAME", "a-name!~") == b"OK"
    name = c.cmd("CLIENT", "GETNAME")
    assert name == b"a-name!~" and not isinstance(name, Simple)
    for bad in (b"a b", b"a\nb", b" ", b"\x7f", b"\x1f", "é".encode()):
        assert c.cmd("CLIENT", "SETNAME", bad) == b"ERR Client names cannot contain spaces, newlines or special characters."
    assert c.cmd("CLIENT", "GETNAME") == b"a-name!~"
    assert c.cmd("CLIENT", "SETNAME", "") == b"OK"
    assert c.cmd("CLIENT", "GETNAME") is None


@pytest.mark.tarn_only
def test_setinfo(dial):
    c = dial()
    assert c.cmd("CLIENT", "SETINFO", "LIB-NAME", "redis-py") == b"OK"
    assert c.cmd("client", "setinfo", "lib-ver", "8.1.0") == b"OK"
    info = me(c)
    assert info["lib-name"] == "redis-py" and info["lib-ver"] == "8.1.0"
    assert c.cmd("CLIENT", "SETINFO", "lib-name", "a b") == (
        b"ERR lib-name cannot contain spaces, newlines or special characters.")
    assert c.cmd("CLIENT", "SETINFO", "LIB-VER", "a\nb") == (
        b"ERR LIB-VER cannot contain spaces, newlines or special characters.")
    assert c.cmd("CLIENT", "SETINFO", "Lib-Name", " ") == (
        b"ERR Lib-Name cannot contain spaces, newlines or special characters.")
    assert c.cmd("CLIENT", "SETINFO", "foo", "bar") == b"ERR Unrecognized option 'foo'"
    assert c.cmd("CLIENT", "SETINFO", "lib-name") == b"ERR wrong number of arguments for 'client|setinfo' command"
    assert c.cmd("CLIENT", "SETINFO", "lib-name", "a", "lib-ver", "b") == (
        b"ERR wrong number of arguments for 'client|setinfo' command")
    assert me(c)["lib-name"] == "redis-py"
    assert c.cmd("CLIENT", "SETINFO", "lib-name", "") == b"OK"
    assert me(c)["lib-name"] == ""


@pytest.mark.tarn_only
def test_reset_keeps_the_library(dial):
    """RESET forgets the name, not what the library said about itself."""
    c = dial()
    c.cmd("CLIENT", "SETINFO", "LIB-NAME", "x")
    assert c.cmd("RESET") == b"RESET"
    assert me(c)["lib-name"] == "x"


# INFO and LIST

def test_fields_of_a_line(dial, reference):
    c = dial()
    c.cmd("SELECT", 7)
    c.cmd("CLIENT", "SETNAME", "looker")
    info = me(c)
    want = FIELDS_70 if reference else FIELDS_8
    assert [name for name in info if name in want] == want
    assert info["id"] == str(c.cmd("CLIENT", "ID"))
    assert info["addr"] == c.addr
    assert info["laddr"] == "127.0.0.1:%d" % c.sock.getpeername()[1]
    assert info["name"] == "looker"
    assert info["db"] == "7"
    assert info["flags"] == "N"
    assert info["user"] == "default"
    assert info["cmd"] == "client|info"
    assert info["resp"] == "2" and info["redir"] == "-1"
    assert info["sub"] == info["psub"] == info["ssub"] == "0" and info["multi"] == "-1"
    assert info["events"] == "r"
    for name in ("fd", "age", "idle", "qbuf", "qbuf-free", "argv-mem", "multi-mem", "rbs", "rbp", "obl", "oll", "omem"):
        assert int(info[name]) >= 0, name
    assert 0 < int(info["tot-mem"]) < 1 << 20


def test_list_shows_everyone(dial):
    clients = [dial() for _ in range(20)]
    for i, c in enumerate(clients):
        assert c.cmd("CLIENT", "SETNAME", f"c{i}") == b"OK"
    for c in clients:
        rows = {row["name"]: row for row in parse_list(c.cmd("CLIENT", "LIST"))}
        assert {f"c{i}" for i in range(20)} <= set(rows)
        assert [rows[f"c{i}"]["addr"] for i in range(20)] == [other.addr for other in clients]


@pytest.mark.parametrize("command, shown", [
    (("GET",), "get"), (("CLIENT", "SETNAME"), "client|setname"), (("CLIENT",), "client"), (("nosuch",), "NULL"), (("CLIENT", "nosuch"), "NULL"),
    (("GET", "k"), "get"),
])
@pytest.mark.parametrize("queueing", [False, True])
def test_list_shows_a_refused_command(dial, command, shown, queueing):
    a, b = dial(), dial()
    ident = b.cmd("CLIENT", "ID")
    b.cmd("MULTI" if queueing else "PING")
    b.cmd(*command)
    assert parse(a.cmd("CLIENT", "LIST", "ID", ident))["cmd"] == shown


@pytest.mark.tarn_only
@pytest.mark.workers(4)
def test_io_thread_is_the_worker(dial):
    clients = [dial() for _ in range(16)]
    assert {me(c)["io-thread"] for c in clients} == {"0", "1", "2", "3"}


def test_list_shows_the_last_command_and_the_protocol(dial):
    a, b = dial(), dial(protocol=3)
    b.cmd("CLIENT", "SETNAME", "other")
    b.cmd("SELECT", 2)
    b.cmd("SET", "k", "v")
    row, = [row for row in parse_list(a.cmd("CLIENT", "LIST")) if row["name"] == "other"]
    assert row["cmd"] == "set" and row["db"] == "2" and row["resp"] == "3"


def test_a_new_client_without_a_command(server, dial):
    a, b = dial(), dial()
    row = wait_until(lambda: [r for r in parse_list(a.cmd("CLIENT", "LIST")) if r["addr"] == b.addr])[0]
    assert row["cmd"] == "NULL"


def test_gone_clients_leave_the_list(dial):
    a, b = dial(), dial()
    ident = b.cmd("CLIENT", "ID")
    assert ident in ids(a.cmd("CLIENT", "LIST"))
    b.close()
    wait_until(lambda: ident not in ids(a.cmd("CLIENT", "LIST")))


def test_list_by_id(dial):
    clients = [dial() for _ in range(6)]
    wanted = [c.cmd("CLIENT", "ID") for c in clients]
    a = clients[0]
    assert ids(a.cmd("CLIENT", "LIST", "ID", *wanted)) == sorted(wanted)
    assert ids(a.cmd("CLIENT", "LIST", "ID", wanted[3], 999999999)) == [wanted[3]]
    assert a.cmd("CLIENT", "LIST", "ID", 999999999) == b""
    assert a.cmd("CLIENT", "LIST", "ID") == b"ERR syntax error"
    assert a.cmd("CLIENT", "LIST", "ID", "x") == b"ERR Invalid client ID"
    assert a.cmd("CLIENT", "LIST", "ID", "0", "x") == b"ERR Invalid client ID"
    for nobody in (("0",), ("-1",), ("-9223372036854775808",), ("0", "-1", "0")):
        assert a.cmd("CLIENT", "LIST", "ID", *nobody) == b""


def test_list_by_type(dial):
    a, monitor = dial(), dial()
    assert monitor.cmd("MONITOR") == b"OK"
    mine = a.cmd("CLIENT", "ID")
    assert mine in ids(a.cmd("CLIENT", "LIST", "TYPE", "normal"))
    for kind in ("master", "pubsub"):
        assert a.cmd("CLIENT", "LIST", "TYPE", kind) == b""
    assert mine not in ids(a.cmd("CLIENT", "LIST", "TYPE", "replica"))
    assert a.cmd("CLIENT", "LIST", "TYPE", "nosuch") == b"ERR Unknown client type 'nosuch'"
    assert a.cmd("CLIENT", "LIST", "TYPE") == b"ERR syntax error"
    assert a.cmd("CLIENT", "LIST", "nosuch") == b"ERR syntax error"


def test_monitors_have_their_flag(dial):
    a, monitor = dial(), dial()
    assert monitor.cmd("MONITOR") == b"OK"
    row, = [row for row in parse_list(a.cmd("CLIENT", "LIST")) if row["addr"] == monitor.addr]
    assert row["flags"] == "O" and row["cmd"] == "monitor"


@pytest.mark.needs("MULTI")
def test_a_transaction_shows(dial):
    a, b = dial(), dial()
    b.cmd("MULTI")
    b.cmd("SET", "k", "v")
    row, = [row for row in parse_list(a.cmd("CLIENT", "LIST")) if row["addr"] == b.addr]
    assert row["flags"] == "x" and row["multi"] == "1"


def test_age_and_idle(dial):
    a, b = dial(), dial()
    b.cmd("PING")
    row = wait_until(lambda: [r for r in parse_list(a.cmd("CLIENT", "LIST"))
                              if r["addr"] == b.addr and int(r["idle"]) >= 1])[0]
    assert int(row["age"]) >= 1
    assert int(me(a)["idle"]) == 0
    b.cmd("PING")
    assert int(me(b)["idle"]) == 0 and int(me(b)["age"]) >= 1


def test_pending_output_is_counted(dial):
    a, slow = dial(), dial(rcvbuf=4096)
    slow.cmd("SET", "big", b"v" * 1_000_000)
    slow.send(encode("GET", "big") * 20)

    def row():
        return [r for r in parse_list(a.cmd("CLIENT", "LIST")) if r["addr"] == slow.addr][0]
    wait_until(lambda: int(row()["omem"]) > 1_000_000 and int(row()["tot-mem"]) > 1_000_000)
    assert "w" in row()["events"]


# KILL

def test_kill_by_id(dial):
    a, b = dial(), dial()
    assert a.cmd("CLIENT", "KILL", "ID", b.cmd("CLIENT", "ID")) == 1
    assert b.is_closed()
    assert a.cmd("CLIENT", "KILL", "ID", 999999999) == 0
    for bad in ("0", "-1", "x", ""):
        assert a.cmd("CLIENT", "KILL", "ID", bad) == b"ERR client-id should be greater than 0"


def test_kill_of_many_clients_of_all_workers(dial):
    a = dial()
    victims = [dial() for _ in range(16)]
    for victim in victims:
        assert a.cmd("CLIENT", "KILL", "ID", victim.cmd("CLIENT", "ID")) == 1
    assert all(victim.is_closed() for victim in victims)
    assert a.cmd("PING") == b"PONG"


def test_kill_is_seen_before_its_answer(dial):
    """A pool looks at a connection's socket before it uses it again."""
    admin = dial()
    for _ in range(100):
        victim = dial()
        number = victim.cmd("CLIENT", "ID")
        assert admin.cmd("CLIENT", "KILL", "ID", number) == 1
        assert select.select([victim.sock], [], [], 0)[0]
        assert victim.is_closed()


def test_kill_the_old_way(dial):
    a, b = dial(), dial()
    b.cmd("PING")
    assert a.cmd("CLIENT", "KILL", b.addr) == b"OK"
    assert b.is_closed()
    assert a.cmd("CLIENT", "KILL", "127.0.0.1:1") == b"ERR No such client"
    assert a.cmd("CLIENT", "KILL", "nonsense") == b"ERR No such client"
    assert a.cmd("CLIENT", "KILL", a.addr) == b"OK", "the old form may kill the caller, after the reply"
    assert a.is_closed()


def test_kill_by_addr_and_laddr(dial):
    a, b = dial(), dial()
    b.cmd("PING")
    assert a.cmd("CLIENT", "KILL", "ADDR", b.addr) == 1
    assert b.is_closed()
    assert a.cmd("CLIENT", "KILL", "ADDR", "127.0.0.1:1") == 0
    c, d = dial(), dial()
    c.cmd("PING"), d.cmd("PING")
    laddr = "127.0.0.1:%d" % a.sock.getpeername()[1]
    assert a.cmd("CLIENT", "KILL", "LADDR", "1.2.3.4:5") == 0
    assert a.cmd("CLIENT", "KILL", "LADDR", laddr) >= 2
    assert c.is_closed() and d.is_closed()
    assert a.cmd("PING") == b"PONG", "SKIPME is yes unless said otherwise"


def test_kill_on_the_unix_socket(server):
    with Raw(server.unix_path) as a, Raw(server.unix_path) as b:
        ident = b.cmd("CLIENT", "ID")
        assert a.cmd("CLIENT", "KILL", "ID", ident, "ADDR", server.unix_path + ":0") == 1
        assert b.is_closed()


def test_kill_skipme(dial):
    a, b = dial(), dial()
    assert a.cmd("CLIENT", "KILL", "ADDR", a.addr) == 0
    assert a.cmd("CLIENT", "KILL", "ADDR", a.addr, "SKIPME", "yes") == 0
    assert a.cmd("CLIENT", "KILL", "SKIPME", "maybe") == b"ERR syntax error"
    assert a.cmd("CLIENT", "KILL", "ID", a.cmd("CLIENT", "ID"), "skipme", "NO") == 1
    assert a.is_closed()
    assert b.cmd("PING") == b"PONG"


def test_kill_by_user(dial):
    a, b = dial(), dial()
    b.cmd("PING")
    assert a.cmd("CLIENT", "KILL", "USER", "nosuch") == b"ERR No such user 'nosuch'"
    assert a.cmd("CLIENT", "KILL", "USER", "default", "ID", b.cmd("CLIENT", "ID")) == 1
    assert b.is_closed()
    c = dial()
    c.cmd("PING")
    assert a.cmd("CLIENT", "KILL", "USER", "default") >= 1
    assert c.is_closed() and a.cmd("PING") == b"PONG"


def test_kill_by_type(dial):
    a, b = dial(), dial()
    b.cmd("PING")
    assert a.cmd("CLIENT", "KILL", "TYPE", "pubsub") == 0
    assert a.cmd("CLIENT", "KILL", "TYPE", "master") == 0
    assert a.cmd("CLIENT", "KILL", "TYPE", "nosuch") == b"ERR Unknown client type 'nosuch'"
    assert a.cmd("CLIENT", "KILL", "TYPE", "normal", "ID", b.cmd("CLIENT", "ID")) == 1
    assert b.is_closed()


def test_kill_all_filters_must_match(dial):
    a, b, c = dial(), dial(), dial()
    c.cmd("PING")
    assert a.cmd("CLIENT", "KILL", "ID", b.cmd("CLIENT", "ID"), "ADDR", c.addr) == 0
    assert a.cmd("CLIENT", "KILL", "ID", b.cmd("CLIENT", "ID"), "TYPE", "pubsub") == 0
    assert b.cmd("PING") == c.cmd("PING") == b"PONG"


@pytest.mark.tarn_only
def test_kill_maxage(dial):
    a, b = dial(), dial()
    ident = b.cmd("CLIENT", "ID")
    assert a.cmd("CLIENT", "KILL", "ID", ident, "MAXAGE", 1000) == 0
    for bad in ("x", "-1", "0"):
        assert isinstance(a.cmd("CLIENT", "KILL", "MAXAGE", bad), Error)
    wait_until(lambda: int(me(b)["age"]) >= 2)
    assert a.cmd("CLIENT", "KILL", "ID", ident, "MAXAGE", 1) == 1
    assert b.is_closed()
    assert a.cmd("PING") == b"PONG"


@pytest.mark.parametrize("args", [("foo", "bar"), ("ID", "1", "foo"), ("SKIPME", "yes", "ID"), ("nosuch", "1")])
def test_kill_syntax(dial, args):
    assert dial().cmd("CLIENT", "KILL", *args) == b"ERR syntax error"


def test_kill_while_the_victim_is_busy(dial):
    """The victim's pipeline is under way on its own worker while others kill it: no crash, and it is gone."""
    killer = dial()
    for _ in range(10):
        victim = dial()
        ident = victim.cmd("CLIENT", "ID")
        victim.send(encode("SET", "k", "v" * 100) * 2000)
        assert killer.cmd("CLIENT", "KILL", "ID", ident) in (0, 1)
        assert victim.is_closed()
    assert killer.cmd("GET", "k") in (None, b"v" * 100)


def test_kill_of_a_slow_reader(dial):
    killer, slow = dial(), dial(rcvbuf=4096)
    slow.cmd("SET", "big", b"v" * 1_000_000)
    ident = slow.cmd("CLIENT", "ID")
    slow.send(encode("GET", "big") * 20)
    wait_until(lambda: int(parse(killer.cmd("CLIENT", "LIST", "ID", ident))["omem"]) > 0)
    assert killer.cmd("CLIENT", "KILL", "ID", ident) == 1
    wait_until(lambda: killer.cmd("CLIENT", "LIST", "ID", ident) == b"")
    assert slow.is_closed(10)


# PAUSE

def test_pause_write_lets_readers_through(dial):
    a, b = dial(), dial()
    assert a.cmd("CLIENT", "PAUSE", 10_000, "WRITE") == b"OK"
    try:
        assert b.cmd("GET", "k") is None
        assert b.cmd("PING") == b"PONG"
        b.send_command("SET", "k", "v")
        assert b.is_silent(0.3)
        assert a.cmd("GET", "k") is None
    finally:
        assert a.cmd("CLIENT", "UNPAUSE") == b"OK"
    assert b.read() == b"OK"
    assert a.cmd("GET", "k") == b"v"


@pytest.mark.parametrize("command", [["PUBLISH", "channel", "x"], ["SPUBLISH", "channel", "x"], ["PFCOUNT", "k"], ["GETEX", "k"]])
def test_pause_write_holds_what_may_reach_replicas(dial, command):
    a, b = dial(), dial()
    assert a.cmd("CLIENT", "PAUSE", 10_000, "WRITE") == b"OK"
    try:
        b.send_command(*command)
        assert b.is_silent(0.3)
    finally:
        assert a.cmd("CLIENT", "UNPAUSE") == b"OK"
    assert b.read() in (0, None)


def test_pause_all_holds_everyone(dial):
    """Also the one who asked for it, and UNPAUSE: only time ends this one."""
    a, others = dial(), [dial() for _ in range(8)]
    for c in others:
        c.cmd("PING")
    began = time.monotonic()
    assert a.cmd("CLIENT", "PAUSE", 600) == b"OK"
    for c in others:
        c.send_command("PING")
    a.send_command("CLIENT", "UNPAUSE")
    time.sleep(0.2)  # nothing is to come: there is no event for that
    assert all(c.is_silent(0) for c in others + [a])
    assert [c.read() for c in others] == [b"PONG"] * 8
    assert a.read() == b"OK"
    assert time.monotonic() - began > 0.5


def test_pause_ends_by_itself(dial):
    a, b = dial(), dial()
    began = time.monotonic()
    assert a.cmd("CLIENT", "PAUSE", 300, "ALL") == b"OK"
    assert b.cmd("PING") == b"PONG"
    assert 0.25 < time.monotonic() - began < 3


def test_pause_holds_a_pipeline_in_order(dial):
    a, b = dial(), dial()
    assert a.cmd("CLIENT", "PAUSE", 10_000, "write") == b"OK"
    b.send(encode("GET", "k") + encode("SET", "k", "1") + encode("GET", "k") + encode("INCR", "k"))
    assert b.read() is None
    assert b.is_silent(0.1)
    assert a.cmd("CLIENT", "UNPAUSE") == b"OK"
    assert b.read_many(3) == [b"OK", b"1", 2]


def test_pause_keeps_keys_that_expire(dial):
    """While writes are paused nothing may change, the disappearance of a key included; yet it is no longer seen."""
    a, b = dial(), dial()
    a.cmd("SET", "k", "v", "PX", 100)
    assert a.cmd("CLIENT", "PAUSE", 10_000, "WRITE") == b"OK"
    try:
        wait_until(lambda: b.cmd("GET", "k") is None)
    finally:
        assert a.cmd("CLIENT", "UNPAUSE") == b"OK"
    wait_until(lambda: b.cmd("DBSIZE") == 0)


@pytest.mark.parametrize("args, text", [
    ((), b"ERR wrong number of arguments for 'client|pause' command"),
    (("abc",), b"ERR timeout is not an integer or out of range"),
    (("-1",), b"ERR timeout is negative"),
    (("1", "foo"), b"ERR CLIENT PAUSE mode must be WRITE or ALL"),
])
def test_pause_errors(dial, args, text):
    assert dial().cmd("CLIENT", "PAUSE", *args) == text


@pytest.mark.parametrize("args", [("PAUSE", "0", "WRITE", "x"), ("pause", "x", "y", "z"), ("UNBLOCK", "9", "TIMEOUT", "x"), ("unBlock", "x", "y", "z")])
def test_too_many_arguments(dial, args):
    assert dial().cmd("CLIENT", *args) == (
        f"ERR unknown subcommand or wrong number of arguments for '{args[0]}'. Try CLIENT HELP.".encode())


def test_unpause_without_pause(dial):
    assert dial().cmd("CLIENT", "UNPAUSE") == b"OK"


# REPLY

def test_reply_off_and_on(dial):
    c = dial()
    c.send(encode("CLIENT", "REPLY", "OFF") + encode("SET", "k", "1") + encode("nosuch") + encode("INCR", "k")
           + encode("CLIENT", "REPLY", "nosuch") + encode("CLIENT", "REPLY", "ON") + encode("GET", "k"))
    assert c.read() == b"OK"
    assert c.read() == b"2"


def test_reply_skip(dial):
    c = dial()
    c.send(encode("CLIENT", "REPLY", "SKIP") + encode("PING") + encode("ECHO", "seen") + encode("CLIENT", "REPLY", "SKIP")
           + encode("nosuch") + encode("ECHO", "too"))
    assert c.read_many(2) == [b"seen", b"too"]


def test_reply_skip_while_off(dial):
    c = dial()
    c.send(encode("CLIENT", "REPLY", "OFF") + encode("CLIENT", "REPLY", "SKIP") + encode("PING") + encode("PING")
           + encode("CLIENT", "REPLY", "ON") + encode("ECHO", "x"))
    assert c.read_many(2) == [b"OK", b"x"]


def test_reply_errors(dial):
    c = dial()
    assert c.cmd("CLIENT", "REPLY") == b"ERR wrong number of arguments for 'client|reply' command"
    assert c.cmd("CLIENT", "REPLY", "nosuch") == b"ERR syntax error"
    assert c.cmd("CLIENT", "REPLY", "ON") == b"OK"


# NO-EVICT, NO-TOUCH

def test_no_evict(dial):
    c = dial()
    assert c.cmd("CLIENT", "NO-EVICT", "ON") == b"OK"
    assert "e" in me(c)["flags"]
    assert c.cmd("CLIENT", "NO-EVICT", "off") == b"OK"
    assert "e" not in me(c)["flags"]
    assert c.cmd("CLIENT", "NO-EVICT", "x") == b"ERR syntax error"
    assert c.cmd("CLIENT", "NO-EVICT") == b"ERR wrong number of arguments for 'client|no-evict' command"


@pytest.mark.tarn_only
def test_no_touch(dial):
    c, quiet = dial(), dial()
    c.cmd("SET", "k", "v")
    assert quiet.cmd("CLIENT", "NO-TOUCH", "on") == b"OK"
    assert "T" in me(quiet)["flags"]
    wait_until(lambda: quiet.cmd("OBJECT", "IDLETIME", "k") >= 1)
    assert quiet.cmd("GET", "k") == b"v"
    assert quiet.cmd("STRLEN", "k") == 1
    assert quiet.cmd("OBJECT", "IDLETIME", "k") >= 1, "reading under NO-TOUCH leaves the access time alone"
    assert quiet.cmd("TOUCH", "k") == 1
    assert quiet.cmd("OBJECT", "IDLETIME", "k") == 0, "TOUCH is what the user asks for, also here"
    wait_until(lambda: quiet.cmd("OBJECT", "IDLETIME", "k") >= 1)
    assert quiet.cmd("CLIENT", "NO-TOUCH", "off") == b"OK"
    assert quiet.cmd("GET", "k") == b"v"
    assert quiet.cmd("OBJECT", "IDLETIME", "k") == 0
    assert quiet.cmd("CLIENT", "NO-TOUCH", "x") == b"ERR syntax error"
    assert quiet.cmd("CLIENT", "NO-TOUCH") == b"ERR wrong number of arguments for 'client|no-touch' command"


# The container itself

def test_help_and_errors(dial):
    c = dial()
    lines = c.cmd("CLIENT", "HELP")
    assert lines[0] == b"CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert lines[-2] == b"HELP" and lines[-1] in HELP_OF_HELP
    assert all(isinstance(line, Simple) for line in lines)
    text = b"\n".join(lines).decode()
    for name in ("GETNAME", "ID", "INFO", "KILL", "LIST", "UNPAUSE", "PAUSE", "REPLY", "SETNAME", "NO-EVICT"):
        assert re.search(rf"^{name}\b", text, re.M), name
    assert c.cmd("CLIENT") == b"ERR wrong number of arguments for 'client' command"
    assert c.cmd("CLIENT", "nosuch") == b"ERR unknown subcommand 'nosuch'. Try CLIENT HELP."
    assert c.cmd("CLIENT", "HELP", "x") == b"ERR wrong number of arguments for 'client|help' command"


def test_texts_in_resp3(dial):
    c = dial(protocol=3)
    assert isinstance(c.cmd("CLIENT", "INFO"), Verbatim)
    assert parse(c.cmd("CLIENT", "INFO"))["resp"] == "3"
