"""MULTI, EXEC, DISCARD, WATCH, UNWATCH: what is queued and refused, what runs and answers, what breaks a watch, and that a
transaction is one for everybody else, whichever worker they are on.
"""
import random
import threading
import time

import pytest
import redis

from tests.system.harness import wait_until
from tests.system.threads import in_threads
from tests.system.wire import NIL, NIL_ARRAY, NIL_BULK, Error, Map, Nil, Status

OK, QUEUED, PONG = Status(b"OK"), Status(b"QUEUED"), Status(b"PONG")
ABORTED = Error(b"EXECABORT Transaction discarded because of previous errors.")
WRONGTYPE = Error(b"WRONGTYPE Operation against a key holding the wrong kind of value")


def transaction(w, *commands):
    """MULTI, these, EXEC, all at once; the reply to EXEC."""
    replies = w.many([("MULTI",), *commands, ("EXEC",)])
    assert replies[:-1] == [OK] + [QUEUED] * len(commands)
    return replies[-1]


@pytest.fixture
def other(server):
    """A second connection, RESP2."""
    with server.wire() as connection:
        yield connection


def refused(w):
    """Whether EXEC finds a watched key changed."""
    reply = transaction(w, ("PING",))
    assert reply == [PONG] or reply in (NIL_ARRAY, NIL)
    return isinstance(reply, Nil)


# Queue and run.

def test_commands_run_at_exec_in_order(wire, other):
    assert wire("MULTI") == OK
    for command in (("SET", "k", "1"), ("INCR", "k"), ("GET", "k"), ("STRLEN", "k")):
        assert wire(*command) == QUEUED
    assert other("EXISTS", "k") == 0, "nothing has run yet"
    assert wire("EXEC") == [OK, 2, b"2", 1]
    assert other("GET", "k") == b"2"


def test_an_empty_transaction(wire):
    assert transaction(wire) == []


def test_nil_in_a_transaction_is_the_protocol_s(wire, protocol):
    assert transaction(wire, ("GET", "nothing")) == [NIL if protocol == 3 else NIL_BULK]


def test_errors_at_run_time_are_elements_and_stop_nothing(wire):
    reply = transaction(wire, ("SET", "k", "text"), ("INCR", "k"), ("SELECT", "999"), ("APPEND", "k", "!"), ("GET", "k"))
    assert reply == [OK, Error(b"ERR value is not an integer or out of range"), Error(b"ERR DB index is out of range"), 5,
                     b"text!"]


@pytest.mark.needs("LPUSH")
def test_a_wrong_type_is_an_element(wire):
    assert transaction(wire, ("SET", "k", "v"), ("LPUSH", "k", "x"), ("GET", "k")) == [OK, WRONGTYPE, b"v"]


@pytest.mark.parametrize("bad, text", [
    (("NOSUCH", "a"), b"ERR unknown command 'NOSUCH', with args beginning with: 'a' "),
    (("GET",), b"ERR wrong number of arguments for 'get' command"),
    (("SET", "k"), b"ERR wrong number of arguments for 'set' command"),
    (("CONFIG", "GET"), b"ERR wrong number of arguments for 'config|get' command"),
    (("CLIENT", "NOSUCH"), b"ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP."),
    (("CLIENT",), b"ERR wrong number of arguments for 'client' command"),
    (("MULTI", "x"), b"ERR wrong number of arguments for 'multi' command"),
    (("DISCARD", "x"), b"ERR wrong number of arguments for 'discard' command"),
    (("SHUTDOWN",), b"ERR Command not allowed inside a transaction"),
])
def test_a_command_that_cannot_be_queued_makes_exec_refuse(wire, bad, text):
    assert wire.many([("MULTI",), ("SET", "k", "v"), bad, ("SET", "k", "w"), ("EXEC",)]) == [
        OK, QUEUED, Error(text), QUEUED, ABORTED]
    assert wire("EXISTS", "k") == 0
    assert transaction(wire, ("PING",)) == [PONG], "the next one is a fresh one"


def test_misplaced_words(wire):
    assert wire("EXEC") == Error(b"ERR EXEC without MULTI")
    assert wire("DISCARD") == Error(b"ERR DISCARD without MULTI")
    assert wire("MULTI") == OK
    assert wire("MULTI") == Error(b"ERR MULTI calls can not be nested")
    assert wire("WATCH", "k") == Error(b"ERR WATCH inside MULTI is not allowed")
    assert wire("SET", "k", "1") == QUEUED
    assert wire("EXEC") == [OK], "these two errors harm nothing"
    assert wire("UNWATCH") == OK


def test_exec_with_an_argument_ends_the_transaction(wire):
    wrong = Error(b"EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command")
    assert wire.many([("MULTI",), ("SET", "k", "1"), ("EXEC", "x"), ("EXEC",), ("EXEC", "x")]) == [
        OK, QUEUED, wrong, Error(b"ERR EXEC without MULTI"), wrong]
    assert wire("EXISTS", "k") == 0


def test_discard(wire):
    assert wire.many([("MULTI",), ("SET", "k", "1"), ("DISCARD",), ("GET", "k"), ("EXEC",)])[2:] == [
        OK, wire("GET", "nothing"), Error(b"ERR EXEC without MULTI")]


def test_reset_and_quit_are_not_queued(wire, other):
    assert wire.many([("MULTI",), ("SET", "k", "1"), ("RESET",), ("EXEC",)]) == [
        OK, QUEUED, Status(b"RESET"), Error(b"ERR EXEC without MULTI")]
    assert other.many([("MULTI",), ("SET", "k", "1"), ("QUIT",)]) == [OK, QUEUED, OK]
    assert other.at_end()
    assert wire("EXISTS", "k") == 0


def test_select_inside(wire):
    assert transaction(wire, ("SELECT", "3"), ("SET", "k", "three"), ("SELECT", "0"), ("SET", "k", "zero")) == [OK] * 4
    assert wire.many([("GET", "k"), ("SELECT", "3"), ("GET", "k")]) == [b"zero", OK, b"three"]


def test_hello_inside_changes_the_protocol_of_what_follows(wire):
    reply = transaction(wire, ("HELLO", "3"), ("GET", "nothing"), ("HELLO", "2"), ("GET", "nothing"))
    assert isinstance(reply[0], Map) and reply[1] == NIL
    assert isinstance(reply[2], list) and reply[3] == NIL_BULK
    assert wire("GET", "nothing") == NIL_BULK


@pytest.mark.tarn_only  # 7.0 announces more elements than it sends
def test_client_reply_inside_keeps_the_stream_whole(wire):
    assert wire.many([("MULTI",), ("CLIENT", "REPLY", "OFF"), ("SET", "k", "1"), ("CLIENT", "REPLY", "ON"), ("EXEC",)])[0] == OK
    assert wire("GET", "k") == b"1"


@pytest.mark.tarn_only
def test_what_client_reply_inside_leaves_of_the_array(wire, protocol):
    nil = NIL if protocol == 3 else NIL_BULK
    assert transaction(wire, ("PING",), ("CLIENT", "REPLY", "OFF"), ("PING",), ("CLIENT", "REPLY", "ON"), ("PING",)) == [
        PONG, nil, PONG, OK, PONG]
    assert transaction(wire, ("PING",), ("CLIENT", "REPLY", "SKIP"), ("PING",)) == [PONG, nil, PONG]
    wire.send(b"ECHO skipped\r\n")
    wire.send(b"MULTI\r\nPING\r\nCLIENT REPLY OFF\r\nEXEC\r\nPING\r\nCLIENT REPLY ON\r\nECHO after\r\n")
    assert [wire.read() for _ in range(5)] == [OK, QUEUED, QUEUED, OK, b"after"], "EXEC says nothing"


def test_monitor_is_refused_inside(wire):
    assert transaction(wire, ("MONITOR",), ("PING",)) == [
        Error(b"ERR MONITOR isn't allowed for DENY BLOCKING client"), PONG]


def test_ten_thousand_commands(wire):
    count = 10000
    assert wire("MULTI") == OK
    for first in range(0, count, 500):
        assert wire.many([("SET", f"k{i}", i) for i in range(first, first + 500)]) == [QUEUED] * 500
    assert wire("EXEC") == [OK] * count
    assert wire("DBSIZE") == count
    assert transaction(wire, *[("INCR", "n")] * 1000) == list(range(1, 1001))


def test_large_arguments(wire):
    value = random.Random(7).randbytes(3_000_000)
    assert transaction(wire, ("SET", "k", value), ("STRLEN", "k"), ("GET", "k")) == [OK, len(value), value]


@pytest.mark.tarn_only  # 7.0 queues without a bound
def test_the_queue_counts_against_the_query_buffer_limit(server, wire, settings):
    settings(client_query_buffer_limit=1 << 20)
    assert wire("MULTI") == OK
    with pytest.raises((EOFError, ConnectionError)):
        for _ in range(30):
            assert wire("SET", "k", "v" * 100_000) == QUEUED
    with server.wire() as fresh:
        assert fresh("EXISTS", "k") == 0


def test_an_end_in_the_middle_runs_nothing(server, wire):
    for _ in range(20):
        w = server.wire()
        assert w.many([("WATCH", "a", "b"), ("MULTI",), ("SET", "k", "1")]) == [OK, OK, QUEUED]
        w.close()
    wait_until(lambda: b"multi=1" not in listing(wire))
    assert wire("EXISTS", "k") == 0
    assert wire("SET", "a", "1") == OK


# Commands that walk the keyspace or stop the world.

def test_walks_and_world_commands_inside(wire):
    reply = transaction(wire, ("SET", "a", "1"), ("SET", "b", "2"), ("DBSIZE",), ("KEYS", "*"), ("KEYS", "a"),
                        ("RANDOMKEY",), ("SCAN", "0", "COUNT", "100"), ("INFO", "keyspace"), ("FLUSHALL",), ("DBSIZE",),
                        ("SET", "c", "3"), ("SWAPDB", "0", "1"), ("DBSIZE",), ("SWAPDB", "0", "1"), ("GET", "c"),
                        ("CONFIG", "SET", "maxmemory-samples", "5"), ("CLIENT", "LIST"), ("UNWATCH",))
    assert reply[:3] == [OK, OK, 2]
    assert sorted(reply[3]) == [b"a", b"b"] and reply[4] == [b"a"] and reply[5] in (b"a", b"b")
    assert sorted(reply[6][1]) == [b"a", b"b"]
    assert b"db0:keys=2" in (reply[7] if isinstance(reply[7], bytes) else reply[7].text)
    assert reply[8:16] == [OK, 0, OK, OK, 0, OK, b"3", OK]
    assert reply[17] == OK


def test_debug_inside(wire):
    reply = transaction(wire, ("SET", "a", "1"), ("DEBUG", "SLEEP", "0"), ("DEBUG", "DIGEST"), ("DEBUG", "OBJECT", "a"),
                        ("DEBUG", "SET-ACTIVE-EXPIRE", "1"), ("DEBUG", "DIGEST-VALUE", "a"), ("GET", "a"))
    assert reply[:2] == [OK, OK] and not any(isinstance(each, Error) for each in reply)
    assert reply[-1] == b"1"


def test_a_client_may_kill_itself_inside(server, wire, other):
    me = other("CLIENT", "ID")
    other.send(b"*1\r\n$5\r\nMULTI\r\n")
    assert other.read() == OK
    assert other("CLIENT", "KILL", "ID", me, "SKIPME", "no") == QUEUED
    assert other("SET", "k", "1") == QUEUED
    other.send(b"*1\r\n$4\r\nEXEC\r\n")
    wait_until(lambda: wire("GET", "k") == b"1")


# What is told about it.

def listing(w):
    reply = w("CLIENT", "LIST")
    return reply if isinstance(reply, bytes) else reply.text


def listed(w, name):
    line = next(each for each in listing(w).decode().splitlines() if f"name={name} " in each)
    return dict(field.split("=", 1) for field in line.split(" "))


def test_client_list_shows_queue_and_watches(server, wire, other, reference):
    assert wire("CLIENT", "SETNAME", "me") == OK
    assert listed(other, "me")["multi"] == "-1" and listed(other, "me")["flags"] == "N"
    wire("WATCH", "a", "b", "a")
    if not reference:
        assert listed(other, "me")["watch"] == "2"
    wire("MULTI")
    assert (listed(other, "me")["multi"], listed(other, "me")["flags"]) == ("0", "x")
    wire("PING")
    shown = listed(other, "me")
    assert (shown["multi"], shown["flags"], shown["cmd"]) == ("1", "x", "ping")
    other("SET", "a", "1")
    assert listed(other, "me")["flags"] == "xd"
    wire("DISCARD")
    shown = listed(other, "me")
    assert (shown["multi"], shown["flags"]) == ("-1", "N")
    if not reference:
        assert shown["watch"] == "0"


def test_the_queue_counts_as_the_client_s_memory(wire, other):
    assert wire("CLIENT", "SETNAME", "me") == OK
    before = int(listed(other, "me")["tot-mem"])
    wire.many([("MULTI",), ("SET", "k", "v" * 500_000)])
    shown = listed(other, "me")
    assert int(shown["tot-mem"]) - before > 450_000 and int(shown["multi-mem"]) > 450_000
    wire("DISCARD")
    wait_until(lambda: int(listed(other, "me")["tot-mem"]) < before + 50_000)


def test_monitor_shows_commands_when_they_run_and_exec_behind_them(server, wire):
    with server.wire() as monitor:
        assert monitor("MONITOR") == OK
        wire.many([("MULTI",), ("SET", "a", "1"), ("CONFIG", "GET", "port"), ("EXEC",), ("MULTI",), ("NOSUCH",), ("EXEC",),
                   ("WATCH", "q"), ("MULTI",), ("GET", "a"), ("DISCARD",), ("ECHO", "mark")])
        lines = []
        while not lines or b'"mark"' not in lines[-1]:
            lines.append(bytes(monitor.read()))
    shown = [line.split(b"] ", 1)[1] for line in lines if b'"HELLO"' not in line]
    assert shown == [b'"MULTI"', b'"SET" "a" "1"', b'"EXEC"', b'"MULTI"', b'"EXEC"', b'"WATCH" "q"', b'"MULTI"',
                     b'"DISCARD"', b'"ECHO" "mark"']


def test_statistics_count_each_command_and_exec(wire, c):
    c("CONFIG", "RESETSTAT")
    transaction(wire, ("SET", "a", "x"), ("INCR", "a"))
    wire.many([("MULTI",), ("NOSUCH",), ("EXEC",), ("MULTI",), ("GET", "a"), ("DISCARD",)])
    stats = c.info("commandstats")

    def figures(name):
        fields = dict(field.split("=") for field in stats[f"cmdstat_{name}"].split(","))
        return int(fields["calls"]), int(fields["failed_calls"])
    assert figures("set") == (1, 0) and figures("incr") == (1, 1)
    assert figures("multi") == (3, 0) and figures("exec") == (2, 1) and figures("discard") == (1, 0)
    assert "cmdstat_get" not in stats
    assert c.info("errorstats")["errorstat_EXECABORT"] == "count=1"


def test_the_slow_log_has_the_commands_but_not_exec(wire, settings, other):
    settings(slowlog_log_slower_than=0)
    other("SLOWLOG", "RESET")
    transaction(wire, ("SET", "a", "1"), ("GET", "a"))
    names = [entry[3][0] for entry in other("SLOWLOG", "GET", "10")]
    assert names[:3] == [b"GET", b"SET", b"MULTI"] and b"EXEC" not in names


def test_exec_s_time_includes_its_commands(wire, c):
    c("CONFIG", "RESETSTAT")
    transaction(wire, ("DEBUG", "SLEEP", "0.05"))
    fields = dict(field.split("=") for field in c.info("commandstats")["cmdstat_exec"].split(","))
    assert int(fields["usec"]) >= 50_000


# Pausing.

def test_pause_write_holds_an_exec_with_a_write_and_no_other(wire, other):
    wire.many([("MULTI",), ("GET", "k")])
    other("CLIENT", "PAUSE", "60000", "WRITE")
    try:
        assert isinstance(wire("EXEC"), list)
        assert other("CLIENT", "UNPAUSE") == OK
        wire.many([("MULTI",), ("SET", "k", "1")])
        other("CLIENT", "PAUSE", "60000", "WRITE")
        wire.send(b"*1\r\n$4\r\nEXEC\r\n")
        assert other.many([("PING",)] * 20) == [PONG] * 20
        assert isinstance(other("GET", "k"), Nil)
    finally:
        other("CLIENT", "UNPAUSE")
    assert wire.read() == [OK]


# Who is not let in.

def test_a_stranger_has_no_transactions(own_server, workers):
    server = own_server({"threads": workers, "requirepass": "secret"})
    with server.wire() as w:
        noauth = Error(b"NOAUTH Authentication required.")
        assert w.many([("MULTI",), ("SET", "k", "1"), ("DISCARD",)]) == [noauth] * 3
        assert w("EXEC") == Error(b"EXECABORT Transaction discarded because of: NOAUTH Authentication required.")
        assert w("AUTH", "secret") == OK
        reply = transaction(w, ("AUTH", "wrong"), ("SET", "k", "1"))
        assert isinstance(reply[0], Error) and reply[1] == OK


# Watching.

TOUCHING = [
    # name, before the watch, change by somebody else, whether EXEC refuses
    ("set", [], [("SET", "k", "1")], True),
    ("the same value", [("SET", "k", "1")], [("SET", "k", "1")], True),
    ("there and back", [], [("SET", "k", "1"), ("DEL", "k")], True),
    ("delete what is not there", [], [("DEL", "k")], False),
    ("read", [("SET", "k", "1")], [("GET", "k"), ("TTL", "k"), ("TYPE", "k"), ("TOUCH", "k"), ("EXISTS", "k")], False),
    ("append", [("SET", "k", "1")], [("APPEND", "k", "2")], True),
    ("incr", [], [("INCR", "k")], True),
    ("setrange of nothing", [("SET", "k", "1")], [("SETRANGE", "k", "0", "")], False),
    ("setrange", [("SET", "k", "1")], [("SETRANGE", "k", "0", "2")], True),
    ("a refused set", [("SET", "k", "1")], [("SET", "k", "2", "NX"), ("SETNX", "k", "2")], False),
    ("a failed command", [("SET", "k", "x")], [("INCR", "k")], False),
    ("mset", [], [("MSET", "a", "1", "k", "1")], True),
    ("another key", [("SET", "k", "1")], [("SET", "j", "1")], False),
    ("another database", [("SET", "k", "1")], [("SELECT", "1"), ("SET", "k", "1")], False),
    ("expire", [("SET", "k", "1")], [("EXPIRE", "k", "100")], True),
    ("a refused expire", [("SET", "k", "1")], [("EXPIRE", "k", "100", "XX")], False),
    ("expire in the past", [("SET", "k", "1")], [("PEXPIRE", "k", "-1")], True),
    ("persist", [("SET", "k", "1", "EX", "100")], [("PERSIST", "k")], True),
    ("persist what does not expire", [("SET", "k", "1")], [("PERSIST", "k")], False),
    ("getex without options", [("SET", "k", "1")], [("GETEX", "k")], False),
    ("getdel", [("SET", "k", "1")], [("GETDEL", "k")], True),
    ("rename away", [("SET", "k", "1")], [("RENAME", "k", "j")], True),
    ("rename over", [("SET", "j", "1")], [("RENAME", "j", "k")], True),
    ("copy from", [("SET", "k", "1")], [("COPY", "k", "j")], False),
    ("copy to", [("SET", "j", "1")], [("COPY", "j", "k")], True),
    ("move away", [("SET", "k", "1")], [("MOVE", "k", "1")], True),
    ("move here", [("SELECT", "1"), ("SET", "k", "1")], [("SELECT", "1"), ("MOVE", "k", "0")], True),
    ("unlink", [("SET", "k", "1")], [("UNLINK", "k")], True),
    ("setbit", [("SET", "k", "1")], [("SETBIT", "k", "7", "0")], True),
    ("inside a transaction", [], [("MULTI",), ("SET", "k", "1"), ("EXEC",)], True),
    ("a discarded transaction", [], [("MULTI",), ("SET", "k", "1"), ("DISCARD",)], False),
    ("flushall", [("SET", "k", "1")], [("FLUSHALL",)], True),
    ("flushall without the key", [("SET", "j", "1")], [("FLUSHALL",)], False),
    ("flushdb", [("SET", "k", "1")], [("FLUSHDB",)], True),
    ("flushdb of another", [("SET", "k", "1")], [("SELECT", "1"), ("SET", "k", "1"), ("FLUSHDB",)], False),
    ("flushall in a transaction", [("SET", "k", "1")], [("MULTI",), ("FLUSHALL",), ("EXEC",)], True),
    ("swapdb, nowhere", [], [("SWAPDB", "0", "1")], False),
    ("swapdb, here", [("SET", "k", "1")], [("SWAPDB", "0", "1")], True),
    ("swapdb, there", [("SELECT", "1"), ("SET", "k", "1")], [("SWAPDB", "0", "1")], True),
    ("swapdb, there, the other way round", [("SELECT", "1"), ("SET", "k", "1")], [("SWAPDB", "1", "0")], True),
    ("swapdb, both the same", [("SET", "k", "1"), ("SELECT", "1"), ("SET", "k", "1")], [("SWAPDB", "0", "1")], True),
    ("swapdb of others", [("SET", "k", "1")], [("SWAPDB", "1", "2")], False),
    ("swapdb with itself", [("SET", "k", "1")], [("SWAPDB", "0", "0")], False),
]


@pytest.mark.parametrize("before, change, refuses", [row[1:] for row in TOUCHING], ids=[row[0] for row in TOUCHING])
def test_what_touches_a_watched_key(wire, other, before, change, refuses):
    for command in before:
        assert not isinstance(other(*command), Error)
    other("SELECT", "0")
    assert wire("WATCH", "unrelated", "k") == OK
    for command in change:
        other(*command)
    assert refused(wire) == refuses
    assert not refused(wire), "EXEC has let go of all keys"


def test_one_s_own_change_counts_before_multi_and_not_inside(wire):
    assert wire.many([("WATCH", "k"), ("SET", "k", "1")]) == [OK, OK]
    assert refused(wire)
    assert wire("WATCH", "k") == OK
    assert transaction(wire, ("SET", "k", "2"), ("GET", "k")) == [OK, b"2"]
    assert not refused(wire)


@pytest.mark.parametrize("way_out", [[("UNWATCH",)], [("MULTI",), ("DISCARD",)], [("MULTI",), ("EXEC",)], [("RESET",)],
                                     [("MULTI",), ("GET",), ("EXEC",)]])
def test_ways_to_let_go(wire, other, way_out):
    wire("WATCH", "k")
    wire.many(way_out)
    other("SET", "k", "1")
    assert not refused(wire)
    wire("WATCH", "k")
    other("SET", "k", "2")
    wire.many(way_out)
    assert not refused(wire), "what had changed is forgotten, too"


def test_unwatch_inside_comes_too_late(wire, other):
    wire("WATCH", "k")
    other("SET", "k", "1")
    assert wire.many([("MULTI",), ("UNWATCH",), ("PING",), ("EXEC",)])[-1] in (NIL_ARRAY, NIL)


def test_a_queueing_error_goes_before_a_change(wire, other):
    wire("WATCH", "k")
    other("SET", "k", "1")
    assert wire.many([("MULTI",), ("GET",), ("EXEC",)])[-1] == ABORTED


def test_watching_in_several_databases(wire, other):
    assert wire.many([("WATCH", "k"), ("SELECT", "2"), ("WATCH", "k"), ("SELECT", "0")]) == [OK] * 4
    other.many([("SELECT", "2"), ("SET", "k", "1")])
    assert refused(wire)


def test_many_keys_and_many_watchers(server, wire):
    keys = [f"k{i}" for i in range(5000)]
    assert wire("WATCH", *keys) == OK
    watchers = [server.wire() for _ in range(100)]
    for w in watchers:
        assert w("WATCH", "k17", "mine") == OK
    assert wire("SET", "k17", "1") == OK
    assert refused(wire)
    assert all(refused(w) for w in watchers)
    for w in watchers:
        w.close()


# Expiry and watching. The clock of the server decides, so the tests wait for its word.

def let_end(w, key):
    """Waits until the key has ended, without touching it."""
    wait_until(lambda: w("PTTL", key) == -2)


@pytest.mark.parametrize("active", ["1", "0"])
def test_a_key_that_ends_between_watch_and_exec(wire, other, active):
    other("DEBUG", "SET-ACTIVE-EXPIRE", active)
    try:
        other.many([("SET", "k", "1", "PX", "100"), ("SET", "clock", "1", "PX", "130")])
        assert wire("WATCH", "k") == OK
        let_end(other, "clock")
        assert refused(wire)
    finally:
        other("DEBUG", "SET-ACTIVE-EXPIRE", "1")


@pytest.mark.parametrize("change, refuses", [
    ([], False), ([("GET", "k")], False), ([("FLUSHALL",)], False), ([("SWAPDB", "0", "1")], False),
    ([("SET", "k", "1")], True)])
def test_a_key_that_had_ended_before_watch_was_not_there(wire, other, change, refuses):
    other("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    try:
        other.many([("SET", "k", "1", "PX", "1"), ("SET", "clock", "1", "PX", "20")])
        let_end(other, "clock")
        assert wire("WATCH", "k") == OK
        other.many(change)
        assert refused(wire) == refuses
    finally:
        other("DEBUG", "SET-ACTIVE-EXPIRE", "1")


@pytest.mark.tarn_only  # since 7.2
def test_time_stands_still_inside(wire):
    reply = transaction(wire, ("SET", "k", "1", "PX", "30"), ("DEBUG", "SLEEP", "0.1"), ("PTTL", "k"), ("GET", "k"))
    assert reply[0] == OK and reply[2] == 30 and reply[3] == b"1"
    wait_until(lambda: isinstance(wire("GET", "k"), Nil))


# redis-py, as its users have it.

@pytest.fixture
def r(server, protocol):
    with redis.Redis(port=server.port, protocol=protocol, decode_responses=True) as client:
        yield client


def test_redis_py_pipelines(r):
    with r.pipeline() as pipe:
        assert pipe.set("a", 1).incr("a").get("a").execute() == [True, 2, "2"]
    with r.pipeline(transaction=False) as pipe:
        assert pipe.set("b", 1).incrby("b", 5).get("b").execute() == [True, 6, "6"]
    with r.pipeline() as pipe:
        pipe.set("a", "x").incr("a").get("a")
        with pytest.raises(redis.ResponseError, match="not an integer"):
            pipe.execute()
    assert r.get("a") == "x"
    with r.pipeline() as pipe:
        assert pipe.execute() == []
    with r.pipeline() as pipe:
        pipe.execute_command("GET")
        with pytest.raises(redis.ResponseError, match="wrong number of arguments"):
            pipe.execute()


def test_redis_py_watch_error(r):
    with r.pipeline() as pipe:
        pipe.watch("k")
        assert pipe.get("k") is None
        r.set("k", "changed")
        pipe.multi()
        pipe.set("k", "mine")
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert r.get("k") == "changed"


def test_counters_with_watch_lose_no_increment(server, protocol):
    threads, each = 6, 60
    retries = []

    def work(_):
        with redis.Redis(port=server.port, protocol=protocol) as client:
            def step(pipe):
                value = int(pipe.get("counter") or 0)
                pipe.multi()
                pipe.set("counter", value + 1)
                retries.append(1)
            for _ in range(each):
                client.transaction(step, "counter")
    in_threads(threads, work)
    with redis.Redis(port=server.port, protocol=protocol) as client:
        assert int(client.get("counter")) == threads * each
    assert len(retries) >= threads * each


# One for everybody else.

ACCOUNTS, START = 8, 1000


def test_transfers_keep_their_sum(server, protocol):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    names = [f"account:{i}" for i in range(ACCOUNTS)]
    with server.wire(protocol) as w:
        assert w("MSET", *[word for name in names for word in (name, START)]) == OK
    done = threading.Event()
    looks = []

    def transfer(number):
        choice = random.Random(seed + number)
        with server.wire(protocol) as w:
            for _ in range(150):
                batch = []
                for _ in range(8):
                    a, b = choice.sample(names, 2)
                    amount = choice.randrange(1, 50)
                    batch += [("MULTI",), ("DECRBY", a, amount), ("INCRBY", b, amount), ("EXEC",)]
                replies = w.many(batch)
                assert not any(isinstance(each, Error) for each in replies)

    def look(number):
        with server.wire(protocol) as w:
            while not done.is_set():
                if number % 2:
                    values = transaction(w, *[("GET", name) for name in names])
                else:
                    values = w("MGET", *names)
                assert sum(int(value) for value in values) == ACCOUNTS * START, (seed, values)
                looks.append(1)

    failure = []

    def watch_the_sum():
        try:
            in_threads(2, look)
        except BaseException as error:  # noqa: B902 - looked at below
            failure.append(error)
    readers = threading.Thread(target=watch_the_sum)
    readers.start()
    try:
        in_threads(3, transfer)
        wait_until(lambda: len(looks) >= 10 or failure)
    finally:
        done.set()
        readers.join()
    assert not failure, failure


def test_a_transaction_with_a_walk_is_one_as_well(server, protocol):
    """Two keys come and go together; whoever counts all keys inside a transaction sees both or none."""
    done = threading.Event()

    def churn(number):
        if number == 0:
            try:
                with server.wire(protocol) as w:
                    for _ in range(300):
                        assert transaction(w, ("SET", "left", "1"), ("SET", "right", "1")) == [OK, OK]
                        assert transaction(w, ("DEL", "left"), ("DEL", "right")) == [1, 1]
            finally:
                done.set()
        else:
            with server.wire(protocol) as w:
                while not done.is_set():
                    size, left, right, keys = transaction(w, ("DBSIZE",), ("EXISTS", "left"), ("EXISTS", "right"), ("KEYS", "*"))
                    assert size == left + right == len(keys) and left == right
    in_threads(3, churn)


def test_watchers_come_and_go_while_keys_change(server, protocol):
    """Watching, letting go, ending and changing on several workers at once; each EXEC that succeeded counted once."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    names = [f"n{i}" for i in range(4)]
    won = [0] * len(names)
    lock = threading.Lock()

    def work(number):
        choice = random.Random(seed + number)
        w = server.wire(protocol)
        for _ in range(150):
            at = choice.randrange(len(names))
            assert w("WATCH", names[at], choice.choice(names)) == OK
            value = w("GET", names[at])
            value = 0 if isinstance(value, Nil) else int(value)
            what = choice.random()
            if what < 0.1:
                w.many([("MULTI",), ("INCR", names[at])])
                w.close()
                w = server.wire(protocol)
            elif what < 0.2:
                assert w("UNWATCH") == OK
            elif not isinstance(transaction(w, ("SET", names[at], value + 1)), Nil):
                with lock:
                    won[at] += 1
        w.close()
    in_threads(6, work)
    with server.wire(protocol) as w:
        counts = [0 if isinstance(w("GET", name), Nil) else int(w("GET", name)) for name in names]
    assert counts == won, seed


def test_an_exec_does_not_wait_for_other_keys(server):
    """While a transaction with a long queue runs again and again, others' short commands are served."""
    done = threading.Event()
    slowest = []

    def work(number):
        with server.wire() as w:
            if number == 0:
                try:
                    for _ in range(20):
                        assert len(transaction(w, *[("INCR", f"busy{i % 50}") for i in range(500)])) == 500
                finally:
                    done.set()
            else:
                while not done.is_set():
                    before = time.monotonic()
                    w("GET", f"idle{number}")
                    slowest.append(time.monotonic() - before)
    in_threads(3, work)
    assert max(slowest) < (20 if server.sanitized else 5)
