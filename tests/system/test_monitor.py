"""MONITOR: what it shows, what it hides, and that a server with several workers shows every worker's commands.
"""
import re
import threading
import time

import pytest

from tests.system.harness import wait_until
from tests.system.rawsock import Error, Raw, Simple, dial, encode  # noqa: F401

LINE = re.compile(rb'(\d+\.\d{6}) \[(\d+) (\S+)\]((?: "(?:[^"\\]|\\.)*")+)$', re.S)


def monitor_of(dial, **kwargs):
    m = dial(**kwargs)
    assert m.cmd("MONITOR") == b"OK"
    return m


def shown(line):
    """(time, db, who, [argument as printed])"""
    found = LINE.match(line)
    assert found, line
    return (float(found.group(1)), int(found.group(2)), found.group(3),
            re.findall(rb'"((?:[^"\\]|\\.)*)"', found.group(4), re.S))


def commands_until(monitor, mark):
    """The lines until the one with the argument `mark`."""
    lines = []
    while True:
        line = monitor.read()
        assert isinstance(line, Simple)
        lines.append(shown(line))
        if mark in lines[-1][3]:
            return lines[:-1]


def test_the_form_of_a_line(dial):
    m, c = monitor_of(dial), dial()
    c.cmd("SELECT", 3)
    c.cmd("SeT", "a key", b'va"l\\ue\n\r\t\a\b\x00\x01\xff', "EX", 100)
    c.cmd("PING", "mark")
    select, put = commands_until(m, b"mark")
    when, db, who, args = put
    assert abs(when - time.time()) < 5
    assert db == 3 and who == c.addr.encode()
    assert args == [b"SeT", b"a key", b'va\\"l\\\\ue\\n\\r\\t\\a\\b\\x00\\x01\\xff', b"EX", b"100"]
    assert select[3] == [b"SELECT", b"3"]


def test_unix_clients_are_shown(server, dial):
    m = monitor_of(dial)
    with Raw(server.unix_path) as c:
        c.cmd("PING", "here")
        c.cmd("PING", "mark")
    line, = commands_until(m, b"mark")
    assert line[2] == b"unix:" + server.unix_path.encode() or line[2].endswith(server.unix_path.encode() + b":0")


def test_secrets_are_not_shown(dial):
    m, c = monitor_of(dial), dial()
    c.cmd("AUTH", "s3cret1")
    c.cmd("AUTH", "default", "s3cret2")
    c.cmd("HELLO", "2", "AUTH", "default", "s3cret3", "SETNAME", "me")
    c.cmd("CONFIG", "SET", "requirepass", "")
    c.cmd("PING", "mark")
    lines = commands_until(m, b"mark")
    assert not any(b"s3cret" in arg for line in lines for arg in line[3])
    assert [b"HELLO", b"2", b"AUTH", b"(redacted)", b"(redacted)", b"SETNAME", b"me"] in [line[3] for line in lines]


def test_administration_is_not_shown(dial):
    m, c = monitor_of(dial), dial()
    for command in (("CONFIG", "GET", "port"), ("CLIENT", "LIST"), ("DEBUG", "SLEEP", "0"), ("SLOWLOG", "LEN"),
                    ("nosuch",), ("GET",)):
        c.cmd(*command)
    c.cmd("CLIENT", "SETNAME", "shown")
    c.cmd("PING", "mark")
    assert [line[3] for line in commands_until(m, b"mark")] == [[b"CLIENT", b"SETNAME", b"shown"]]


def test_scripts_are_shown_and_what_they_call_behind_them(dial):
    m, c = monitor_of(dial), dial()
    script, library = "return redis.call('get', 'k')", (
        "#!lua name=lib\nredis.register_function{function_name='f', callback=function() return redis.call('ping') end, flags={'no-writes'}}")
    sha = c.cmd("SCRIPT", "LOAD", script)
    c.cmd("FUNCTION", "LOAD", "REPLACE", library)
    c.cmd("PING", "begin")
    commands_until(m, b"begin")
    ran = [("eVaL", script, "0"), ("EVAL_RO", script, "0"), ("EVALSHA", sha, "0"), ("EVALSHA_RO", sha, "0"), ("FCALL", "f", "0"),
           ("FCALL_RO", "f", "0")]
    for command in ran:
        c.cmd(*command)
    failed = [("EVALSHA", "f" * 40, "0"), ("FCALL", "nosuch", "0"), ("EVAL", "no lua", "0"), ("EVAL", script, "x")]
    for command in failed:
        assert isinstance(c.cmd(*command), Error)
    c.cmd("EVAL", script)  # is refused
    c.cmd("FUNCTION", "DELETE", "lib")
    c.cmd("PING", "mark")
    lines = [(who == b"lua", args) for _, _, who, args in commands_until(m, b"mark")]
    expected = []
    for command in ran:
        expected.append((False, [arg if isinstance(arg, bytes) else arg.encode() for arg in command]))
        expected.append((True, [b"ping"] if "FCALL" in command[0] else [b"get", b"k"]))
    expected += [(False, [arg.encode() for arg in command]) for command in failed]
    assert lines[:-1] == expected and lines[-1][1][:2] == [b"FUNCTION", b"DELETE"]


def test_scripts_of_a_transaction_are_shown_when_they_run(dial):
    m, c = monitor_of(dial), dial()
    for command in (("MULTI",), ("EVAL", "return redis.call('ping')", "0"), ("SET", "k", "v"), ("EXEC",), ("PING", "mark")):
        c.cmd(*command)
    assert [(line[2] == b"lua", line[3][0]) for line in commands_until(m, b"mark")] == [
        (False, b"MULTI"), (False, b"EVAL"), (True, b"ping"), (False, b"SET"), (False, b"EXEC")]


def test_the_database_is_the_one_that_the_command_leaves(dial):
    m, c = monitor_of(dial), dial()
    for command in (("SELECT", 3), ("SELECT", 99), ("SELECT", "x"), ("PING",), ("MULTI",), ("SELECT", 4), ("PING",), ("EXEC",),
                    ("EVAL", "redis.call('select', 5) return redis.call('ping')", "0"), ("PING",), ("RESET",), ("PING", "mark")):
        c.cmd(*command)
    assert [(line[1], line[3][0]) for line in commands_until(m, b"mark")] == [
        (3, b"SELECT"), (3, b"SELECT"), (3, b"SELECT"), (3, b"PING"), (3, b"MULTI"), (4, b"SELECT"), (4, b"PING"), (4, b"EXEC"),
        (4, b"EVAL"), (5, b"select"), (5, b"ping"), (4, b"PING"), (0, b"RESET")]


@pytest.mark.workers(4)
def test_every_worker_s_commands_are_shown(dial):
    m = monitor_of(dial)
    clients = [dial() for _ in range(16)]
    for i, c in enumerate(clients):
        c.send(b"".join(encode("SET", f"c{i}", n) for n in range(50)))
    for c in clients:
        assert c.read_many(50) == [b"OK"] * 50
    clients[0].cmd("PING", "mark")
    lines = []
    want = {f"c{i}".encode(): [str(n).encode() for n in range(50)] for i in range(16)}
    got = {}
    while sum(map(len, got.values())) < 16 * 50:
        line = shown(m.read())
        if line[3][0] == b"SET":
            got.setdefault(line[3][1], []).append(line[3][2])
            lines.append(line)
    assert got == want, "each client's commands in its own order, none missing, none twice"
    assert {line[2] for line in lines} == {c.addr.encode() for c in clients}


def test_several_monitors(dial):
    monitors = [monitor_of(dial) for _ in range(6)]
    c = dial()
    c.cmd("SET", "k", "v")
    c.cmd("PING", "mark")
    for m in monitors:
        assert [line[3] for line in commands_until(m, b"mark") if line[3][0] == b"SET"] == [[b"SET", b"k", b"v"]]


def answers_until(monitor, last, *commands):
    """What comes back for these commands, feed lines left out, until the reply `last`."""
    monitor.send(b"".join(encode(*command) for command in commands))
    answers = []
    while last not in answers:
        reply = monitor.read()
        if not (isinstance(reply, Simple) and LINE.match(reply)):
            answers.append(reply)
    return answers


def test_a_monitor_may_ping_and_leave(dial):
    m = monitor_of(dial)
    assert answers_until(m, b"PONG", ("PING",)) == [b"PONG"]
    refused, _ = answers_until(m, b"PONG", ("GET", "k"), ("PING",))
    assert refused == b"ERR Replica can't interact with the keyspace"
    assert answers_until(m, b"RESET", ("RESET",)) == [b"RESET"]
    dial().cmd("SET", "k", "v")
    assert m.cmd("GET", "k") == b"v", "an ordinary client again"
    assert m.is_silent(0.1)


def test_quit_of_a_monitor(dial):
    m = monitor_of(dial)
    m.send_command("QUIT")
    assert m.read_to_end().endswith(b"+OK\r\n")
    assert dial().cmd("PING") == b"PONG"


def test_a_monitor_that_just_goes_away(dial):
    c = dial()
    for _ in range(10):
        m = monitor_of(dial)
        c.send(encode("SET", "k", "v" * 1000) * 50)
        m.reset()
        assert c.read_many(50) == [b"OK"] * 50
    wait_until(lambda: b"flags=O" not in c.cmd("CLIENT", "LIST"))


def test_monitor_twice_gets_no_second_answer(dial):
    m = monitor_of(dial)
    m.send_command("MONITOR")
    dial().cmd("PING", "mark")
    assert commands_until(m, b"mark") == []


def test_a_monitor_sees_its_own_commands(dial):
    m = monitor_of(dial)
    assert m.cmd("PING", "own") == b"own"
    _, db, who, args = shown(m.read())
    assert (db, who, args) == (0, m.addr.encode(), [b"PING", b"own"])


def test_monitor_in_resp3(dial):
    m = monitor_of(dial, protocol=3)
    dial().cmd("PING", "mark")
    assert commands_until(m, b"mark") == []


def test_a_slow_monitor_is_cut_off_and_holds_nobody_up(own_server, workers):
    """KeyDB's feed once deadlocked here: the monitor does not read while everybody works."""
    server = own_server({"threads": workers, "client-output-buffer-limit": "normal 4mb 0 0"})
    with Raw(server.port, rcvbuf=4096) as slow, Raw(server.port) as c:
        assert slow.cmd("MONITOR") == b"OK"
        clients = [Raw(server.port) for _ in range(4)]

        def work(connection):
            for _ in range(10):
                connection.send_and_collect(encode("SET", "k", "v" * 1000) * 500, 500)
        threads = [threading.Thread(target=work, args=(each,)) for each in clients]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        server.wait_log("overcoming of output buffer limits", 20)
        wait_until(lambda: b"flags=O" not in c.cmd("CLIENT", "LIST"))
        assert c.cmd("PING") == b"PONG"
        for each in clients:
            each.close()


def peak_memory(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


@pytest.mark.workers(4)
def test_lines_do_not_pile_up_before_a_busy_worker(own_server):
    """Every worker has a monitor, and one of them is kept busy by one long transaction while the others work: what is on its way
    to its monitor is bounded like a client's output, nobody waits, and the monitor that missed lines is cut off."""
    limit, value, rounds = 1 << 20, b"v" * 200_000, 240
    server = own_server({"threads": 4, "client-output-buffer-limit": f"normal {limit} 0 0"})
    with Raw(server.port) as busy, Raw(server.port) as watcher:
        busy.cmd("SETBIT", "big", 8 * (64 << 20) - 1, 1)
        taken = []
        for _ in range(5):
            started = time.monotonic()
            busy.cmd("BITCOUNT", "big")
            taken.append(time.monotonic() - started)
        count = max(10, int(4 / min(taken)))
        workers = [Raw(server.port) for _ in range(12)]
        monitors = [Raw(server.port, rcvbuf=4096) for _ in range(8)]
        for m in monitors:
            assert m.cmd("MONITOR") == b"OK"
        before = peak_memory(server.pid)
        busy.send_and_collect(encode("MULTI") + encode("BITCOUNT", "big") * count, count + 1)
        busy.send_command("EXEC")
        time.sleep(0.1)

        done = []

        def work(connection):
            for _ in range(rounds // 12):
                connection.cmd("SET", "k", value)
            done.append(connection)
        threads = [threading.Thread(target=work, args=(each,), daemon=True) for each in workers]
        for t in threads:
            t.start()
        wait_until(lambda: len(done) >= 8, 60)
        assert busy.is_silent(0), "the transaction was meant to last longer"
        # Most of the lines are made; without a bound they would all lie before the busy worker now, 32 MB at least. A
        # sanitizer keeps what was freed and multiplies what was not.
        if not server.sanitized:
            assert peak_memory(server.pid) - before < rounds * len(value) // 2
        for t in threads:
            t.join(60)
        assert busy.read() == [1] * count
        server.wait_log("overcoming of output buffer limits", 20)
        wait_until(lambda: b"flags=O" not in watcher.cmd("CLIENT", "LIST"), 20)
        for each in workers + monitors:
            each.close()
