"""What a review of the server's core found: hangs, processors kept busy with nothing, and clients that keep others waiting.

Where a test is about time, the bound is far from both what was seen before the repair and what is seen after it.
"""
import os
import re
import resource
import socket
import threading
import time

import pytest

from tests.system.rawsock import Error, Raw, encode

pytestmark = [pytest.mark.tarn_only]


@pytest.fixture
def own(own_server, workers):
    """A server of the test's own, with the number of workers in hand."""
    return own_server({"threads": workers})


@pytest.fixture
def raw(own):
    """raw(): a connection to it; closed after the test."""
    made = []

    def make(**kwargs):
        kwargs.setdefault("timeout", 60)
        made.append(Raw(own.port, **kwargs))
        return made[-1]
    yield make
    for connection in made:
        connection.close()


def turns(connection):
    """How often the workers' loops have gone round."""
    return int(re.search(rb"eventloop_cycles:(\d+)", connection.cmd("INFO", "stats")).group(1))


def sleeps(server, connection, seconds=1.0):
    """While nobody asks for anything, a loop goes round for the clock (10 times a second) and nothing else. A count, and not
    the processor's time, which says more about the machine and the sanitizer than about the server."""
    since, before = time.monotonic(), turns(connection)
    time.sleep(seconds)  # there is no event to wait for: the test is about nothing happening
    count = turns(connection) - before
    return count < 10 + 30 * server.settings["threads"] * (time.monotonic() - since)


def wait_for(look, seconds=30):
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)


def calls(connection, command):
    for line in connection.cmd("INFO", "commandstats").decode().splitlines():
        if line.startswith(f"cmdstat_{command}:"):
            return int(line.split("calls=")[1].split(",")[0])
    return 0


def fields_of(connection, client_id):
    line = connection.cmd("CLIENT", "LIST", "ID", client_id).decode()
    return dict(field.split("=", 1) for field in line.split())


def allow_files(many):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(many, soft), hard), hard))


# CLIENT PAUSE

def test_a_resumed_pipeline_may_pause_again(raw):
    """It once ran the same client again and again, and the clock it waited for stood still."""
    admin, other = raw(), raw()
    assert admin.cmd("CLIENT", "PAUSE", 200, "ALL") == b"OK"
    other.send(encode("SET", "a", 1) + encode("CLIENT", "PAUSE", 300, "ALL") + encode("SET", "b", 2))
    assert [other.read() for _ in range(3)] == [b"OK"] * 3
    assert admin.cmd("MGET", "a", "b") == [b"1", b"2"]


def test_many_paused_clients_that_pause_again(raw):
    admin, others = raw(), [raw() for _ in range(20)]
    assert admin.cmd("CLIENT", "PAUSE", 100, "WRITE") == b"OK"
    for other in others:
        other.send(encode("INCR", "n") + encode("CLIENT", "PAUSE", 20, "WRITE") + encode("INCR", "n"))
    for other in others:
        replies = [other.read() for _ in range(3)]
        assert not any(isinstance(reply, Error) for reply in replies), replies
    assert admin.cmd("GET", "n") == b"40"


def test_who_leaves_during_a_pause_is_not_heard_any_more(raw):
    admin, other = raw(), raw()
    assert admin.cmd("CLIENT", "PAUSE", 100000, "WRITE") == b"OK"
    other.send(encode("SET", "gone", 1))
    wait_for(lambda: b" flags=b " in admin.cmd("CLIENT", "LIST"))
    other.close()
    wait_for(lambda: admin.cmd("CLIENT", "LIST").count(b"\n") == 1)
    assert admin.cmd("CLIENT", "UNPAUSE") == b"OK"
    assert admin.cmd("EXISTS", "gone") == 0


def test_paused_clients_cost_nothing(own, raw):
    admin, other = raw(), raw()
    since, before = time.monotonic(), turns(admin)
    assert admin.cmd("CLIENT", "PAUSE", 1000, "ALL") == b"OK"
    other.send(b"PING\r\n" * 20000)
    # INFO waits for the end of the pause, too.
    assert turns(admin) - before < 100 + 30 * own.settings["threads"] * (time.monotonic() - since)
    assert time.monotonic() - since > 0.9
    other.read_bytes(20000 * len(b"+PONG\r\n"))


# What nobody waits for

@pytest.mark.workers(2)
@pytest.mark.parametrize("clients", (0, 1000))
def test_an_idle_server_sleeps(own, raw, clients):
    allow_files(4096)
    for _ in range(clients):
        raw()
    assert sleeps(own, raw(), 2.0)


def test_a_closing_client_that_keeps_sending(own, raw):
    """Its bytes stay in the socket, which once woke the worker without end."""
    admin, slow = raw(), raw(rcvbuf=4096)
    admin.cmd("SETRANGE", "big", 20000000, "x")
    slow.send(encode("GET", "big") + encode("QUIT"))
    wait_for(lambda: b" flags=c " in admin.cmd("CLIENT", "LIST"))
    slow.send(b"PING\r\n" * 100)
    assert sleeps(own, admin)
    assert len(slow.read()) == 20000001
    assert slow.read() == b"OK"


def test_a_closing_client_that_is_half_closed(own, raw):
    admin, slow = raw(), raw(rcvbuf=4096)
    admin.cmd("SETRANGE", "big", 20000000, "x")
    slow.send(encode("GET", "big") + encode("QUIT"))
    wait_for(lambda: b" flags=c " in admin.cmd("CLIENT", "LIST"))
    slow.sock.shutdown(socket.SHUT_WR)
    assert sleeps(own, admin)
    assert len(slow.read()) == 20000001
    assert slow.read() == b"OK"


def test_no_descriptors_left(own, raw):
    """Who can be neither taken nor refused is closed; the others go on, and so does the door when there is room again."""
    admin = raw()
    assert admin.cmd("PING") == b"PONG"
    before = resource.prlimit(own.pid, resource.RLIMIT_NOFILE)
    used = len(os.listdir(f"/proc/{own.pid}/fd"))
    resource.prlimit(own.pid, resource.RLIMIT_NOFILE, (used, before[1]))
    turned_away = [raw() for _ in range(3)]
    for connection in turned_away:
        assert connection.is_closed()
    assert sleeps(own, admin)
    assert admin.cmd("PING") == b"PONG"
    resource.prlimit(own.pid, resource.RLIMIT_NOFILE, before)
    assert raw().cmd("PING") == b"PONG"
    assert b"\r\nrejected_connections:3\r\n" in admin.cmd("INFO", "stats")


# Turns

SLOW = b"KEYS nothing*\r\n"


@pytest.mark.workers(1)
def test_a_pipeline_of_slow_commands_lets_others_in(raw):
    admin, hog = raw(), raw()
    admin.cmd("DEBUG", "POPULATE", 100000)
    hog.send(SLOW * 1000)
    wait_for(lambda: calls(admin, "keys") > 0)
    assert calls(admin, "keys") < 500
    for _ in range(20):
        assert admin.cmd("PING") == b"PONG"
    assert calls(admin, "keys") < 900
    assert [hog.read() for _ in range(1000)] == [[]] * 1000


@pytest.mark.workers(1)
def test_what_comes_behind_a_long_pipeline_keeps_its_place(raw):
    admin, hog = raw(), raw()
    admin.cmd("DEBUG", "POPULATE", 50000)
    hog.send((SLOW + b"INCR n\r\n") * 200)
    wait_for(lambda: calls(admin, "keys") > 0)
    hog.send(encode("SET", "big", "x" * 300000) + encode("INCR", "n") + encode("QUIT"))
    for n in range(1, 201):
        assert hog.read() == []
        assert hog.read() == n
    assert [hog.read() for _ in range(3)] == [b"OK", 201, b"OK"]
    assert hog.is_closed()


@pytest.mark.workers(1)
def test_who_leaves_behind_a_long_pipeline_is_heard_to_the_end(raw):
    admin, hog = raw(), raw()
    admin.cmd("DEBUG", "POPULATE", 50000)
    hog.send((SLOW * 10 + b"INCR n\r\n") * 50)
    hog.sock.shutdown(socket.SHUT_WR)
    wait_for(lambda: admin.cmd("GET", "n") == b"50")
    wait_for(lambda: admin.cmd("CLIENT", "LIST").count(b"\n") == 1)


def test_a_long_pipeline_is_killed_in_the_middle(raw):
    admin, hogs = raw(), [raw() for _ in range(4)]
    admin.cmd("DEBUG", "POPULATE", 50000)
    for hog in hogs:
        hog.send(SLOW * 500)
    wait_for(lambda: calls(admin, "keys") > 0)
    assert admin.cmd("CLIENT", "KILL", "TYPE", "normal") == 4
    for hog in hogs:
        hog.read_to_end()
    assert calls(admin, "keys") < 2000
    wait_for(lambda: admin.cmd("CLIENT", "LIST").count(b"\n") == 1)


def test_a_long_pipeline_is_paused_in_the_middle(raw):
    admin, hogs = raw(), [raw() for _ in range(4)]
    admin.cmd("DEBUG", "POPULATE", 50000)
    for hog in hogs:
        hog.send((SLOW + b"INCR n\r\n") * 100)
    wait_for(lambda: calls(admin, "incr") > 0)
    for _ in range(5):
        assert admin.cmd("CLIENT", "PAUSE", 20, "WRITE") == b"OK"
    for hog in hogs:
        replies = [hog.read() for _ in range(200)]
        assert replies[0::2] == [[]] * 100
        assert replies[1::2] == sorted(replies[1::2])
    assert admin.cmd("GET", "n") == b"400"


@pytest.mark.workers(4)
@pytest.mark.parametrize("hogs", (1, 3))
def test_commands_that_stop_everybody_let_everybody_on(raw, hogs):
    """Between two worlds those who were held up run at least one command."""
    connections = [raw() for _ in range(8)]
    for connection in connections:
        connection.cmd("PING")
    pipeline = b"CLIENT LIST TYPE master\r\n" * 500
    enough = threading.Event()

    def hammer(connection):
        while not enough.is_set():
            connection.send(pipeline)
            for _ in range(500):
                connection.read()
    threads = [threading.Thread(target=hammer, args=(connection,)) for connection in connections[:hogs]]
    for thread in threads:
        thread.start()
    try:
        # Who is kept out for good never gets there, and the read times out.
        for _ in range(20):
            assert connections[hogs].cmd("PING") == b"PONG"
    finally:
        enough.set()
        for thread in threads:
            thread.join()


@pytest.mark.workers(4)
def test_populating_lets_others_in(raw):
    admin, other = raw(), raw()
    other.cmd("PING")
    admin.send(encode("DEBUG", "POPULATE", 1000000))
    answered = 0
    while admin.is_silent(0):
        assert other.cmd("PING") == b"PONG"
        answered += 1
    assert admin.read() == b"OK"
    assert answered >= 20


# Memory, numbers, monitors

def test_waiting_output_takes_no_more_than_it_is(raw):
    """A big reply of another client once left its buffer, which was then kept with little in it."""
    other, slow = raw(), raw(rcvbuf=4096)
    client_id = slow.cmd("CLIENT", "ID")
    other.cmd("SETRANGE", "fill", 8000000, "x")
    other.cmd("SETRANGE", "big", 900000, "x")
    other.cmd("SETRANGE", "middle", 40000, "x")
    slow.send(encode("GET", "fill"))
    for n in range(100):
        # All workers' buffers: the clients are spread over them.
        assert len(other.cmd("GET", "big")) == 900001
        slow.send(encode("GET", "middle"))
        wait_for(lambda: int(fields_of(other, client_id)["tot-cmds"]) >= n + 3)
    assert int(fields_of(other, client_id)["omem"]) < 2 * 8000000 + 2 * 100 * 40000


@pytest.mark.workers(1)
def test_the_latest_of_all_ends(raw):
    c = raw()
    last = 2 ** 63 - 1
    c.cmd("SET", "k", "v")
    assert c.cmd("PEXPIREAT", "k", last) == 1
    assert c.cmd("PEXPIRETIME", "k") == last
    assert c.cmd("EXPIRETIME", "k") == (last + 500) // 1000
    assert c.cmd("TTL", "k") > 0
    assert c.cmd("DEBUG", "CHECK") == b"OK"


def test_monitors_that_go_in_every_way_while_lines_come(raw):
    admin, writers = raw(), [raw() for _ in range(4)]
    for how in ("close", "quit", "reset", "kill"):
        monitors = [raw() for _ in range(6)]
        for monitor in monitors:
            assert monitor.cmd("MONITOR") == b"OK"
        for writer in writers:
            writer.send(b"ECHO storm\r\n" * 2000)
        if how == "kill":
            assert admin.cmd("CLIENT", "KILL", "ID", *_monitor_ids(admin)) == 6
        for monitor in monitors:
            if how == "close":
                monitor.close()
            elif how == "quit":
                monitor.send(encode("QUIT"))
            elif how == "reset":
                monitor.send(encode("RESET") + encode("PING"))
        for writer in writers:
            for _ in range(2000):
                assert writer.read() == b"storm"
        if how == "reset":
            for monitor in monitors:
                line = monitor.read()
                while line != b"RESET":
                    assert line.endswith(b'"'), line
                    line = monitor.read()
                assert monitor.read() == b"PONG"
                monitor.close()
        wait_for(lambda: b" flags=O" not in admin.cmd("CLIENT", "LIST"))
    watcher = raw()
    assert watcher.cmd("MONITOR") == b"OK"
    admin.cmd("ECHO", "last")
    assert b'"ECHO" "last"' in watcher.read()


def _monitor_ids(connection):
    lines = connection.cmd("CLIENT", "LIST").decode().splitlines()
    return [line.split()[0].split("=")[1] for line in lines if " flags=O" in line]


def test_a_monitor_gets_every_line_in_order(raw):
    watcher, writer = raw(), raw()
    assert watcher.cmd("MONITOR") == b"OK"
    writer.send(b"".join(b"ECHO %d\r\n" % n for n in range(20000)))
    for n in range(20000):
        assert watcher.read().endswith(b'"ECHO" "%d"' % n)


@pytest.mark.parametrize("count", (3000,))
def test_many_clients_are_killed_at_once(own, raw, count):
    allow_files(8192)
    admin = raw()
    victims = [raw() for _ in range(count)]
    wait_for(lambda: admin.cmd("CLIENT", "LIST").count(b"\n") == count + 1)
    assert admin.cmd("CLIENT", "KILL", "TYPE", "normal") == count
    wait_for(lambda: b"\r\nconnected_clients:1\r\n" in admin.cmd("INFO", "clients"))
    assert victims[0].is_closed() and victims[-1].is_closed()
@pytest.mark.workers(2)
@pytest.mark.parametrize("how", ("pause", "off"))
def test_expiry_that_is_held_up_costs_nothing(own, raw, how):
    """It was not finished when it was stopped, and its worker once asked all the time whether it may go on."""
    c, count = raw(), 400000
    c.cmd("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    for first in range(0, count, 10000):
        c.send(b"".join(encode("SET", n, "v", "PX", 1) for n in range(first, first + 10000)))
        c.read_bytes(10000 * len(b"+OK\r\n"))
    c.cmd("DEBUG", "SET-ACTIVE-EXPIRE", 1)
    wait_for(lambda: c.cmd("DBSIZE") < count)
    stop = ("CLIENT", "PAUSE", 100000, "WRITE") if how == "pause" else ("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    assert c.cmd(*stop) == b"OK"
    left = c.cmd("DBSIZE")
    assert left > 0
    assert sleeps(own, c)
    assert c.cmd("DBSIZE") == left
    assert c.cmd(*(("CLIENT", "UNPAUSE") if how == "pause" else ("DEBUG", "SET-ACTIVE-EXPIRE", 1))) == b"OK"
    wait_for(lambda: c.cmd("DBSIZE") == 0)
