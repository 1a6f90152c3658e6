"""SLOWLOG: what is noted, how it is cut, and the settings that decide.
"""
import time

import pytest

from tests.system.rawsock import Error, dial  # noqa: F401


@pytest.fixture
def log_all(settings):
    settings(slowlog_log_slower_than=0, slowlog_max_len=128)


def entries(connection, *args):
    reply = connection.cmd("SLOWLOG", "GET", *args)
    assert not isinstance(reply, Error), reply
    return reply


def commands(connection, *args):
    return [entry[3] for entry in entries(connection, *args)]


def test_an_entry(dial, log_all):
    c = dial()
    c.cmd("CLIENT", "SETNAME", "slow-client")
    c.cmd("SLOWLOG", "RESET")
    c.cmd("SET", "k", "v")
    entry, reset = entries(c, 2)
    ident, when, micros, args, who, name = entry
    assert reset[3] == [b"SLOWLOG", b"RESET"] and ident == reset[0] + 1
    assert abs(when - time.time()) < 5
    assert 0 <= micros < 5_000_000
    assert args == [b"SET", b"k", b"v"]
    assert who == c.addr.encode() and name == b"slow-client"


def test_the_newest_comes_first_and_ids_grow(dial, log_all):
    c = dial()
    c.cmd("SLOWLOG", "RESET")
    for i in range(30):
        c.cmd("ECHO", i)
    ten = entries(c)
    assert len(ten) == 10
    assert [e[3][-1] for e in ten] == [b"%d" % i for i in range(29, 19, -1)]
    everything = entries(c, -1)
    ids = [e[0] for e in everything]
    assert ids == sorted(ids, reverse=True) and len(set(ids)) == len(ids) >= 32
    assert entries(c, 0) == []
    assert len(entries(c, 3)) == 3
    assert len(entries(c, 1000)) >= 30


def test_ids_go_on_after_reset(dial, log_all):
    c = dial()
    c.cmd("PING")
    last = entries(c, 1)[0][0]
    assert c.cmd("SLOWLOG", "RESET") == b"OK"
    c.cmd("PING")
    assert entries(c, 1)[0][0] > last


def test_threshold(dial, settings):
    settings(slowlog_log_slower_than=50_000)
    c = dial()
    c.cmd("SLOWLOG", "RESET")
    c.cmd("PING")
    c.cmd("DEBUG", "SLEEP", "0.1")
    (_, _, micros, args, _, _), = entries(c)
    assert args == [b"DEBUG", b"SLEEP", b"0.1"] and 100_000 <= micros < 5_000_000
    c.cmd("CONFIG", "SET", "slowlog-log-slower-than", -1)
    c.cmd("SLOWLOG", "RESET")
    c.cmd("DEBUG", "SLEEP", "0.1")
    assert c.cmd("SLOWLOG", "LEN") == 0, "-1 notes nothing"


def test_the_length_is_bounded(dial, settings):
    settings(slowlog_log_slower_than=0, slowlog_max_len=5)
    c = dial()
    c.cmd("SLOWLOG", "RESET")
    for i in range(20):
        c.cmd("ECHO", i)
    assert c.cmd("SLOWLOG", "LEN") == 5
    assert commands(c, -1)[1][1] == b"19"
    c.cmd("CONFIG", "SET", "slowlog-max-len", 2)
    c.cmd("PING")
    assert c.cmd("SLOWLOG", "LEN") == 2, "a smaller bound takes hold with the next entry"
    c.cmd("CONFIG", "SET", "slowlog-max-len", 0)
    c.cmd("PING")
    assert c.cmd("SLOWLOG", "LEN") == 0


def test_long_arguments_are_cut(dial, log_all):
    c = dial()
    c.cmd("SLOWLOG", "RESET")
    c.cmd("SET", "k", "v" * 500)
    c.cmd("SET", "k", "v" * 128)
    assert commands(c, 2)[1] == [b"SET", b"k", b"v" * 128 + b"... (372 more bytes)"]
    assert [b"SET", b"k", b"v" * 128] in commands(c, 5)


def test_many_arguments_are_cut(dial, log_all):
    c = dial()
    c.cmd("SLOWLOG", "RESET")
    c.cmd("MSET", *[f"x{i}" for i in range(100)])
    c.cmd("MGET", *[f"y{i}" for i in range(31)])
    mget, mset = commands(c, 2)
    assert len(mset) == 32 and mset[:31] == [b"MSET"] + [b"x%d" % i for i in range(30)]
    assert mset[31] == b"... (70 more arguments)"
    assert mget == [b"MGET"] + [b"y%d" % i for i in range(31)], "32 arguments fit"


def test_secrets_are_not_noted(dial, log_all):
    c = dial()
    c.cmd("SLOWLOG", "RESET")
    c.cmd("AUTH", "default", "s3cret1")
    c.cmd("HELLO", "2", "AUTH", "default", "s3cret2")
    c.cmd("CONFIG", "SET", "requirepass", "")
    c.cmd("CONFIG", "SET", "masterauth", "s3cret3")
    c.cmd("CONFIG", "SET", "masterauth", "")
    noted = commands(c, -1)
    assert not any(b"s3cret" in arg for args in noted for arg in args)
    assert [b"CONFIG", b"SET", b"masterauth", b"(redacted)"] in noted


def test_refused_requests_are_not_noted(dial, log_all):
    c = dial()
    c.cmd("SLOWLOG", "RESET")
    c.cmd("nosuch")
    c.cmd("GET")
    assert commands(c, -1) == [[b"SLOWLOG", b"RESET"]]


def test_what_scripts_call_is_noted_before_them(dial, log_all):
    c = dial()
    c.cmd("SLOWLOG", "RESET")
    c.cmd("EVAL", "redis.call('SET', 'k', ARGV[1]) redis.pcall('incr', 'k') redis.pcall('get') return redis.call('get', 'k')", "0", "v")
    c.cmd("MULTI")
    c.cmd("EVAL", "return redis.call('ping')", "0")
    c.cmd("EXEC")
    assert [(args[0], args[1:2]) for args in reversed(commands(c, -1)) if args[0] not in (b"EVAL", b"SLOWLOG")] == [
        (b"SET", [b"k"]), (b"incr", [b"k"]), (b"get", [b"k"]), (b"MULTI", []), (b"ping", [])]
    order = [args[0] for args in reversed(commands(c, -1))]
    assert order[1:8] == [b"SET", b"incr", b"get", b"EVAL", b"MULTI", b"ping", b"EVAL"]


@pytest.mark.since("8.2.0")
def test_what_scripts_call_is_noted_without_a_client(dial, log_all):
    c = dial()
    c.cmd("CLIENT", "SETNAME", "me")
    c.cmd("EVAL", "return redis.call('ping')", "0")
    eval_, ping = entries(c, 2)
    assert (ping[3], ping[4], ping[5]) == ([b"ping"], b"", b"")
    assert (eval_[4], eval_[5]) == (c.addr.encode(), b"me")


def test_the_threshold_holds_for_what_scripts_call(dial, settings):
    settings(slowlog_log_slower_than=5_000_000)
    c = dial()
    c.cmd("SLOWLOG", "RESET")
    c.cmd("EVAL", "return redis.call('ping')", "0")
    assert c.cmd("SLOWLOG", "LEN") == 0
    c.cmd("CONFIG", "SET", "slowlog-log-slower-than", -1)
    c.cmd("SLOWLOG", "RESET")
    c.cmd("EVAL", "return redis.call('ping')", "0")
    assert c.cmd("SLOWLOG", "LEN") == 0


def test_clients_of_all_workers_are_noted(dial, log_all):
    c = dial()
    c.cmd("SLOWLOG", "RESET")
    others = [dial() for _ in range(12)]
    for i, other in enumerate(others):
        other.cmd("ECHO", f"from-{i}")
    noted = {e[3][1]: e[4] for e in entries(c, -1) if e[3][0] == b"ECHO"}
    assert noted == {b"from-%d" % i: other.addr.encode() for i, other in enumerate(others)}


@pytest.mark.parametrize("args, text", [
    (("GET", "-2"), b"ERR count should be greater than or equal to -1"),
    (("GET", "abc"), b"ERR count should be greater than or equal to -1"),
    (("LEN", "x"), b"ERR wrong number of arguments for 'slowlog|len' command"),
    (("RESET", "x"), b"ERR wrong number of arguments for 'slowlog|reset' command"),
    ((), b"ERR wrong number of arguments for 'slowlog' command"),
    (("nosuch",), b"ERR unknown subcommand 'nosuch'. Try SLOWLOG HELP."),
])
def test_errors(dial, args, text):
    assert dial().cmd("SLOWLOG", *args) == text
