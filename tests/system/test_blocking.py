"""Commands that wait: who is served and in which order, by whom, what ends a wait, and that nothing is lost or given twice."""
import random
import socket
import struct
import threading
import time
from collections import Counter

import pytest

from tests.system.harness import wait_until
from tests.system.rawsock import Raw
from tests.system.wire import NIL, NIL_ARRAY, NIL_BULK, Double, Error, Push, Status, request

OK, QUEUED = Status(b"OK"), Status(b"QUEUED")
WRONGTYPE = Error(b"WRONGTYPE Operation against a key holding the wrong kind of value")


@pytest.fixture
def other(server):
    with server.wire() as connection:
        yield connection


def blocked(c):
    return int(c("INFO", "clients").decode().split("blocked_clients:")[1].split()[0])


def wait(c, other, *command):
    """Sends the command and returns when its client is blocked."""
    before = blocked(other)
    c.send(request(*command))
    wait_until(lambda: blocked(other) == before + 1)


# What is there is taken at once.

def test_what_is_there_is_taken_at_once(wire):
    wire("RPUSH", "l", "1", "2", "3", "4", "5")
    assert wire("BLPOP", "none", "l", 0) == [b"l", b"1"]
    assert wire("BRPOP", "l", 0) == [b"l", b"5"]
    assert wire("BLMOVE", "l", "m", "LEFT", "RIGHT", 0) == b"2"
    assert wire("BRPOPLPUSH", "l", "m", 0) == b"4"
    assert wire("BLMPOP", 0, 2, "none", "m", "RIGHT", "COUNT", 9) == [b"m", [b"2", b"4"]]
    assert wire("BLPOP", "l", 0) == [b"l", b"3"]
    assert wire("EXISTS", "l", "m") == 0


def test_sorted_sets_at_once(wire, protocol):
    score = (lambda text: Double(text)) if protocol == 3 else (lambda text: text)
    wire("ZADD", "z", 1, "a", 2, "b", 3, "c")
    assert wire("BZPOPMIN", "none", "z", 0) == [b"z", b"a", score(b"1")]
    assert wire("BZPOPMAX", "z", 0) == [b"z", b"c", score(b"3")]
    assert wire("BZMPOP", 0, 1, "z", "MIN", "COUNT", 5) == [b"z", [[b"b", score(b"2")]]]


# Waiting and being served.

@pytest.mark.parametrize("command,push,reply", [
    (("BLPOP", "k", 0), ("RPUSH", "k", "a", "b"), [b"k", b"a"]), (("BRPOP", "x", "k", 0), ("RPUSH", "k", "a", "b"), [b"k", b"b"]),
    (("BLMOVE", "k", "d", "LEFT", "LEFT", 0), ("LPUSH", "k", "a"), b"a"), (("BRPOPLPUSH", "k", "d", 0), ("LPUSH", "k", "a", "b"), b"a"),
    (("BLMPOP", 0, 1, "k", "LEFT", "COUNT", 2), ("RPUSH", "k", "a", "b", "c"), [b"k", [b"a", b"b"]]),
    (("BLPOP", "k", 0), ("LINSERT", "k", "BEFORE", "x", "y"), None), (("BLPOP", "k", 0), ("LPUSHX", "k", "y"), None),
    (("BLPOP", "k", 0), ("RPUSH", "k", ""), [b"k", b""])])
def test_a_push_serves_who_waits(wire, other, command, push, reply):
    wait(wire, other, *command)
    other(*push)
    if reply is None:
        assert blocked(other) == 1
        other("RPUSH", "k", "at last")
        reply = [b"k", b"at last"]
    assert wire.read() == reply


def test_sorted_sets_serve(wires, other, protocol):
    score = (lambda text: Double(text)) if protocol == 3 else (lambda text: text)
    low, high, both = wires(), wires(), wires()
    wait(low, other, "BZPOPMIN", "z", 0)
    wait(high, other, "BZPOPMAX", "z", 0)
    wait(both, other, "BZMPOP", 0, 2, "y", "z", "MAX", "COUNT", 2)
    other("ZADD", "z", 1, "a", 2, "b", 3, "c", 4, "d")
    assert low.read() == [b"z", b"a", score(b"1")]
    assert high.read() == [b"z", b"d", score(b"4")]
    assert both.read() == [b"z", [[b"c", score(b"3")], [b"b", score(b"2")]]]


@pytest.mark.parametrize("make", [("RENAME", "hidden", "k"), ("COPY", "hidden", "k"), ("RESTORE",), ("SORT", "hidden", "BY", "nosort", "STORE", "k"),
                                  ("LMOVE", "hidden", "k", "LEFT", "LEFT"), ("RPOPLPUSH", "hidden", "k"), ("MOVE",), ("SWAPDB", 0, 1)])
def test_every_way_a_list_can_come(wire, other, make):
    wait(wire, other, "BLPOP", "k", 0)
    other("RPUSH", "hidden", "e")
    if make[0] == "RESTORE":
        make = ("RESTORE", "k", 0, bytes(other("DUMP", "hidden")))
    elif make[0] == "MOVE":
        other("SELECT", 1)
        other("RPUSH", "k", "e")
        make = ("MOVE", "k", 0)
    elif make[0] == "SWAPDB":
        other("SELECT", 1)
        other("RPUSH", "k", "e")
    other(*make)
    assert wire.read() == [b"k", b"e"]


def test_first_blocked_first_served(wires, other):
    clients = [wires() for _ in range(10)]
    for c in clients:
        wait(c, other, "BLPOP", "q", 0)
    other("RPUSH", "q", *range(5))
    assert [c.read() for c in clients[:5]] == [[b"q", b"%d" % i] for i in range(5)]
    for i in range(5, 10):
        other("LPUSH", "q", i)
    assert [c.read() for c in clients[5:]] == [[b"q", b"%d" % i] for i in range(5, 10)]
    assert other("EXISTS", "q") == 0 and blocked(other) == 0


def test_the_same_key_twice(wire, other):
    wait(wire, other, "BLPOP", "a", "a", 0)
    other("RPUSH", "a", 1, 2)
    assert wire.read() == [b"a", b"1"]
    assert other("LRANGE", "a", 0, -1) == [b"2"]


def test_a_push_in_a_transaction_serves_at_its_end(wire, other):
    wait(wire, other, "BLPOP", "k", 0)
    for command in (("MULTI",), ("RPUSH", "k", "a"), ("DEL", "k"), ("RPUSH", "k", "b")):
        other(*command)
    assert other("EXEC") == [1, 1, 1]
    assert wire.read() == [b"k", b"b"]


def test_nothing_is_left_when_the_transaction_takes_it_back(wire, other):
    wait(wire, other, "BLPOP", "k", 0)
    other("MULTI"), other("RPUSH", "k", "a"), other("DEL", "k")
    assert other("EXEC") == [1, 1]
    assert blocked(other) == 1
    other("RPUSH", "k", "c")
    assert wire.read() == [b"k", b"c"]


def test_a_key_of_another_type_serves_nobody(wire, other):
    wait(wire, other, "BLPOP", "k", 0)
    other("SADD", "k", "m")
    other("DEL", "k")
    other("SET", "k", "v")
    assert blocked(other) == 1
    other("DEL", "k")
    other("RPUSH", "k", "e")
    assert wire.read() == [b"k", b"e"]


def test_lists_and_sorted_sets_waited_for_under_one_name(wires, other, protocol):
    for_list, for_zset = wires(), wires()
    wait(for_list, other, "BLPOP", "k", 0)
    wait(for_zset, other, "BZPOPMIN", "k", 0)
    other("ZADD", "k", 1, "m")
    assert for_zset.read()[:2] == [b"k", b"m"]
    other("RPUSH", "k", "e")
    assert for_list.read() == [b"k", b"e"]


def test_a_chain_of_moves(wires, other):
    links = 8
    clients = [wires() for _ in range(links)]
    for i, c in enumerate(clients):
        wait(c, other, "BLMOVE", f"s{i}", f"s{i + 1}", "LEFT", "RIGHT", 0)
    last = wires()
    wait(last, other, "BLPOP", f"s{links}", 0)
    other("RPUSH", "s0", "message")
    assert last.read() == [b"s%d" % links, b"message"]
    assert [c.read() for c in clients] == [b"message"] * links
    assert other("DBSIZE") == 0


def test_a_move_onto_itself(wire, other):
    wait(wire, other, "BLMOVE", "k", "k", "LEFT", "RIGHT", 0)
    other("RPUSH", "k", 1, 2, 3)
    assert wire.read() == b"1"
    assert other("LRANGE", "k", 0, -1) == [b"2", b"3", b"1"]


def test_a_destination_of_the_wrong_type_ends_the_wait_and_loses_nothing(wire, other):
    wait(wire, other, "BLMOVE", "k", "d", "LEFT", "LEFT", 0)
    other("SET", "d", "v")
    other("RPUSH", "k", "e")
    assert wire.read() == WRONGTYPE
    assert other("LRANGE", "k", 0, -1) == [b"e"]


# Time-outs.

@pytest.mark.parametrize("command", [("BLPOP", "k"), ("BRPOP", "k"), ("BLMOVE", "k", "d", "LEFT", "LEFT"), ("BRPOPLPUSH", "k", "d"), ("BZPOPMIN", "k"), ("BZPOPMAX", "k")])
def test_time_outs_are_kept(wire, protocol, command):
    start = time.monotonic()
    assert wire(*command, "0.05") == (NIL if protocol == 3 else NIL_ARRAY)
    assert time.monotonic() - start >= 0.05


@pytest.mark.parametrize("command", [("BLMPOP", "0.02", 1, "k", "LEFT"), ("BZMPOP", "0.02", 1, "k", "MIN")])
def test_time_outs_of_the_newer_forms(wire, protocol, command):
    assert wire(*command) == (NIL if protocol == 3 else NIL_ARRAY)


def test_many_time_outs_end_in_their_order(server):
    results = []

    def one(ms):
        with server.wire() as c:
            c("BLPOP", "never", ms / 1000)
            results.append(ms)

    threads = [threading.Thread(target=one, args=(ms,)) for ms in (500, 100, 300)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [100, 300, 500]


@pytest.mark.parametrize("timeout,text", [("x", b"ERR timeout is not a float or out of range"), ("-1", b"ERR timeout is negative"), ("nan", b"ERR timeout is not a float or out of range"),
                                          ("", b"ERR timeout is not a float or out of range")])
@pytest.mark.parametrize("command", [("BLPOP", "k", None), ("BLMOVE", "a", "b", "LEFT", "LEFT", None), ("BLMPOP", None, 1, "k", "LEFT"), ("BZPOPMIN", "k", None)])
def test_bad_time_outs(wire, command, timeout, text):
    assert wire(*[timeout if word is None else word for word in command]) == Error(text)


def test_errors_come_before_the_wait(wire, other):
    other("SET", "s", "v")
    assert wire("BLPOP", "s", 0) == WRONGTYPE
    assert wire("BZPOPMIN", "none", "s", 0) == WRONGTYPE
    assert wire("BLMOVE", "none", "none2", "UP", "LEFT", 0) == Error(b"ERR syntax error")
    assert wire("BLMPOP", 0, 0, "a", "LEFT") == Error(b"ERR numkeys should be greater than 0")
    assert wire("BLMPOP", 0, 1, "a", "LEFT", "COUNT", 0) == Error(b"ERR count should be greater than 0")


# In a transaction nobody waits.

@pytest.mark.parametrize("command", [("BLPOP", "k", 0), ("BLMPOP", 0, 1, "k", "LEFT"), ("BZPOPMIN", "k", 0), ("BZMPOP", 0, 1, "k", "MIN")])
def test_in_a_transaction_the_answer_is_nil(wire, protocol, command):
    wire("MULTI")
    wire(*command)
    assert wire("EXEC") == [NIL if protocol == 3 else NIL_ARRAY]


def test_a_move_in_a_transaction(wire, protocol):
    wire("MULTI")
    wire("BLMOVE", "k", "d", "LEFT", "LEFT", 0)
    assert wire("EXEC") == [NIL if protocol == 3 else NIL_BULK]


# What is said while waiting.

def test_requests_behind_a_blocked_one_wait_for_it(wire, other):
    wire.send(request("BLPOP", "k", 0) + request("SET", "after", "1") + request("GET", "after"))
    wait_until(lambda: blocked(other) == 1)
    wire.send(request("PING"))
    assert other("EXISTS", "after") == 0
    other("RPUSH", "k", "e")
    assert [wire.read() for _ in range(4)] == [[b"k", b"e"], OK, b"1", Status(b"PONG")]


def test_one_wait_after_the_other_in_a_pipeline(wire, other):
    wire.send(request("BLPOP", "k", 0) * 5)
    for i in range(5):
        wait_until(lambda: blocked(other) == 1)
        other("RPUSH", "k", i)
        assert wire.read() == [b"k", b"%d" % i]


# Ends of a wait from outside.

def test_client_unblock(wires, other, protocol):
    c = wires()
    number = c("CLIENT", "ID")
    wait(c, other, "BLPOP", "k", 0)
    assert other("CLIENT", "UNBLOCK", number) == 1
    assert c.read() == (NIL if protocol == 3 else NIL_ARRAY)
    wait(c, other, "BLPOP", "k", 0)
    assert other("CLIENT", "UNBLOCK", number, "ERROR") == 1
    assert c.read() == Error(b"UNBLOCKED client unblocked via CLIENT UNBLOCK")
    assert other("CLIENT", "UNBLOCK", number, "TIMEOUT") == 0
    assert other("CLIENT", "UNBLOCK", 123456789) == 0
    assert other("CLIENT", "UNBLOCK", "x") == Error(b"ERR value is not an integer or out of range")
    assert other("CLIENT", "UNBLOCK", number, "x") == Error(b"ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    other("RPUSH", "k", "e")
    assert c("LPOP", "k") == b"e", "and what comes later is not taken by its ghost"


def test_who_leaves_gets_nothing_any_more(wires, other):
    gone, there = wires(), wires()
    wait(gone, other, "BLPOP", "k", 0)
    wait(there, other, "BLPOP", "k", 0)
    gone.close()
    wait_until(lambda: blocked(other) == 1)
    other("RPUSH", "k", "e")
    assert there.read() == [b"k", b"e"]


def test_client_kill_ends_a_wait(wires, other):
    c = wires()
    number = c("CLIENT", "ID")
    wait(c, other, "BLPOP", "a", "b", 0)
    assert other("CLIENT", "KILL", "ID", number) == 1
    assert c.at_end()
    wait_until(lambda: blocked(other) == 0)


def test_client_list_shows_who_waits(wires, other):
    c = wires()
    number = c("CLIENT", "ID")
    wait(c, other, "BLPOP", "a", 0)
    line = other("CLIENT", "LIST", "ID", number).decode()
    assert " flags=b " in line and " cmd=blpop " in line


def test_wait_without_replicas(wire):
    assert wire("WAIT", 0, 0) == 0
    assert wire("WAIT", 1, 20) == 0
    assert wire("WAIT", "x", 0) == Error(b"ERR value is not an integer or out of range")
    assert wire("WAIT", 1, -1) == Error(b"ERR timeout is negative")
    assert wire("WAIT", 1, "x") == Error(b"ERR timeout is not an integer or out of range")


@pytest.mark.needs("waitaof")
def test_waitaof_without_a_file(wire):
    assert wire("WAITAOF", 0, 1, 20) == [0, 0]
    for words in ([2, 0, 0], [-1, 0, 0], [2, "x", "x"]):
        assert wire("WAITAOF", *words) == Error(b"ERR value is out of range, value must between 0 and 1")
    for words in ([0, -1, 0], [1, "x", -1], [0, 2**63, 0]):
        assert wire("WAITAOF", *words) == Error(b"ERR value is out of range, must be positive")
    assert wire("WAITAOF", 1, 0, -1) == Error(b"ERR timeout is negative")
    assert wire("WAITAOF", 1, 0, 0) == Error(b"ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")


# Load.

def test_each_element_reaches_one_waiter_once(server):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    queues, per_pusher, pushers, takers = [f"q{i}" for i in range(5)], 400, 3, 6
    taken, lock = [], threading.Lock()

    def push(number):
        rng = random.Random(seed + number)
        with server.wire() as c:
            for i in range(0, per_pusher, 4):
                q = rng.choice(queues)
                if rng.random() < 0.3:
                    c.many([("MULTI",)] + [(rng.choice(["LPUSH", "RPUSH"]), rng.choice(queues), f"{number}:{i + k}") for k in range(4)] + [("EXEC",)])
                else:
                    c(rng.choice(["LPUSH", "RPUSH"]), q, *[f"{number}:{i + k}" for k in range(4)])

    def take(number):
        rng = random.Random(seed + 100 + number)
        mine = []
        with server.wire() as c:
            while True:
                names = rng.sample(queues, rng.randrange(1, 5))
                which = rng.randrange(4)
                if which == 0:
                    reply = c("BLPOP", *names, "0.2")
                elif which == 1:
                    reply = c("BRPOP", *names, "stop", "0.2")
                elif which == 2:
                    reply = c("BLMPOP", "0.2", len(names), *names, "LEFT", "COUNT", "3")
                else:
                    reply = c("BLMOVE", names[0], queues[0], "LEFT", "RIGHT", "0.05")
                    reply = None
                if isinstance(reply, list):
                    if reply[0] == b"stop":
                        break
                    mine += reply[1] if isinstance(reply[1], list) else [reply[1]]
        with lock:
            taken.extend(mine)

    workers = [threading.Thread(target=take, args=(i,)) for i in range(takers)]
    sources = [threading.Thread(target=push, args=(i,)) for i in range(pushers)]
    for t in workers + sources:
        t.start()
    for t in sources:
        t.join()
    with server.wire() as c:
        wait_until(lambda: c("EXISTS", *queues) == 0, timeout=60)
        for _ in workers:
            c("RPUSH", "stop", "x")
            time.sleep(0)
        wait_until(lambda: not any(t.is_alive() for t in workers) or not c("RPUSH", "stop", "x"), timeout=60)
    for t in workers:
        t.join()
    assert Counter(taken) == Counter(b"%d:%d" % (n, i) for n in range(pushers) for i in range(per_pusher))


@pytest.mark.workers(4)
def test_ten_thousand_wait_for_one_key(server):
    """On few connections' worth of Python: sockets alone."""
    import resource
    import socket
    count = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 500)
    sockets = []
    try:
        for _ in range(count):
            s = socket.create_connection(("127.0.0.1", server.port))
            s.sendall(request("BLPOP", "one", 0))
            sockets.append(s)
        with server.wire() as c:
            wait_until(lambda: blocked(c) == count, timeout=60)
            c("RPUSH", "one", *range(count // 2))
            for i in range(count // 2, count):
                c("RPUSH", "one", i)
        got = sorted(int(s.recv(200).split(b"\r\n")[4]) for s in sockets)
        assert got == list(range(count))
    finally:
        for s in sockets:
            s.close()


# Streams.

def entries(reply, key):
    """The entries of that key in XREAD's reply, in either protocol."""
    return dict(reply.pairs)[key] if hasattr(reply, "pairs") else dict(map(tuple, reply))[key]


def test_xread_waits_for_what_comes_behind(wires, other):
    at_end, behind, both = wires(), wires(), wires()
    other("XADD", "s", "1-0", "f", "v")
    wait(at_end, other, "XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    wait(behind, other, "XREAD", "BLOCK", 0, "STREAMS", "s", "5")
    wait(both, other, "XREAD", "COUNT", 1, "BLOCK", 0, "STREAMS", "t", "s", "0", "9-9")
    other("XADD", "s", "2-0", "f", "v")
    assert entries(at_end.read(), b"s") == [[b"2-0", [b"f", b"v"]]]
    other("XADD", "s", "6-0", "f", "w")
    assert entries(behind.read(), b"s") == [[b"6-0", [b"f", b"w"]]]
    other("MULTI"), other("XADD", "t", "1-0", "a", "b"), other("XADD", "t", "2-0", "a", "b"), other("EXEC")
    assert entries(both.read(), b"t") == [[b"1-0", [b"a", b"b"]]]


def test_xread_of_a_stream_to_come(wire, other):
    wait(wire, other, "XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    other("XADD", "s", "1-1", "f", "v")
    assert entries(wire.read(), b"s") == [[b"1-1", [b"f", b"v"]]]


def test_all_readers_of_a_stream_are_served(wires, other):
    readers = [wires() for _ in range(5)]
    for c in readers:
        wait(c, other, "XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    other("XADD", "s", "1-1", "f", "v")
    assert all(entries(c.read(), b"s") == [[b"1-1", [b"f", b"v"]]] for c in readers)


def test_a_group_gives_each_entry_to_one_consumer(wires, other):
    other("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    consumers = [wires() for _ in range(3)]
    for i, c in enumerate(consumers):
        wait(c, other, "XREADGROUP", "GROUP", "g", f"c{i}", "COUNT", 1, "BLOCK", 0, "STREAMS", "s", ">")
    for i in range(3):
        other("XADD", "s", f"{i + 1}-0", "f", "v")
    assert [entries(c.read(), b"s")[0][0] for c in consumers] == [b"1-0", b"2-0", b"3-0"]
    assert other("XPENDING", "s", "g")[0] == 3


def test_history_is_not_waited_for(wire, other):
    other("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    assert entries(wire("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", "0"), b"s") == []


@pytest.mark.parametrize("end,error", [(("DEL", "s"), b"NOGROUP"), (("XGROUP", "DESTROY", "s", "g"), b"NOGROUP"), (("SET", "s", "v"), b"WRONGTYPE"), (("FLUSHALL",), b"NOGROUP"),
                                       (("RENAME", "s", "x"), b"NOGROUP")])
@pytest.mark.tarn_only
def test_a_group_that_goes_ends_the_wait(wire, other, end, error):
    other("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    wait(wire, other, "XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
    other(*end)
    reply = wire.read()
    assert isinstance(reply, Error) and bytes(reply).startswith(error)


def test_streams_time_out(wire, other, protocol):
    nothing = NIL if protocol == 3 else NIL_ARRAY
    assert wire("XREAD", "BLOCK", 20, "STREAMS", "s", "$") == nothing
    other("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    assert wire("XREADGROUP", "GROUP", "g", "c", "BLOCK", 20, "STREAMS", "s", ">") == nothing
    assert wire("XREAD", "BLOCK", -1, "STREAMS", "s", "$") == Error(b"ERR timeout is negative")
    wire("MULTI")
    wire("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    assert wire("EXEC") == [nothing]


def test_reading_a_group_does_not_touch_a_watch(wire, other):
    other("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    other("XADD", "s", "1-1", "f", "v")
    wire("WATCH", "s")
    other("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    other("XACK", "s", "g", "1-1")
    wire("MULTI")
    wire("PING")
    assert wire("EXEC") == [Status(b"PONG")]


# The pusher's worker answers for a worker that sleeps.

@pytest.mark.workers(4)
def test_who_leaves_while_it_is_served(server, other):
    """Nobody is freed while its own worker may wake up with an event of it in hand."""
    rng = random.Random(seed := random.randrange(1 << 32))
    print(f"seed {seed}")
    for _ in range(150):
        waiters = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(4)]
        for s in waiters:
            if rng.random() < 0.5:  # its close is a reset
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.sendall(request("BLPOP", "k", 0) + request("BLPOP", "k", 0))
        wait_until(lambda: blocked(other) == 4)
        push = threading.Thread(target=lambda: [other("RPUSH", "k", "x" * rng.choice((1, 100000))) for _ in range(6)])
        push.start()
        for s in waiters:
            s.close()
        push.join()
        wait_until(lambda: blocked(other) == 0)
        other("DEL", "k")


@pytest.mark.workers(4)
def test_served_through_a_full_socket(server, other):
    """The rest of a reply that did not fit, and the requests behind it, are its own worker's."""
    value = b"v" * 3_000_000
    for _ in range(8):
        with Raw(server.port, timeout=60, rcvbuf=4096) as slow:
            slow.send(request("BLPOP", "k", 0) + request("PING") + request("LLEN", "k"))
            wait_until(lambda: blocked(other) == 1)
            other("RPUSH", "k", value)
            assert slow.read() == [b"k", value]
            assert slow.read() == b"PONG"
            assert slow.read() == 0


@pytest.mark.workers(4)
def test_a_transaction_with_a_long_script_looks_at_clients(server, wires, other):
    """While the script lasts the other workers go on beside it; they stand still when the transaction turns to their clients."""
    busy = "local t = redis.call('TIME') local e = t[1] * 1000000 + t[2] + 4000 " \
           "repeat t = redis.call('TIME') until t[1] * 1000000 + t[2] > e"
    waiters = [wires() for _ in range(4)]
    numbers = [c("CLIENT", "ID") for c in waiters]
    over = threading.Event()

    def come_and_go():
        while not over.is_set():
            with server.wire() as c:
                assert c("PING") == Status(b"PONG")
    others = [threading.Thread(target=come_and_go) for _ in range(2)]
    for t in others:
        t.start()
    try:
        for _ in range(15):
            for c in waiters:
                c.send(request("BLPOP", "k", "0.005") + request("PING"))
            unblock = [("CLIENT", "UNBLOCK", n, "ERROR") for n in numbers]
            replies = other.many([("MULTI",), ("EVAL", busy, 0), ("CLIENT", "LIST"), *unblock, ("EXEC",)])[-1]
            for c, ended in zip(waiters, replies[2:]):
                assert (c.read() == Error(b"UNBLOCKED client unblocked via CLIENT UNBLOCK")) == (ended == 1)
                assert c.read() == Status(b"PONG")
    finally:
        over.set()
        for t in others:
            t.join()


# What a client is told in which order, whichever worker it and the pusher have.

def test_a_muted_client_is_served_in_silence(wire, other):
    """CLIENT REPLY holds for an answer that comes later, too."""
    for end in (lambda: other("RPUSH", "k", "e"), lambda: other("CLIENT", "UNBLOCK", number, "ERROR")):
        number = wire("CLIENT", "ID")
        for mute, answer in (("OFF", OK), ("SKIP", OK)):
            wire.send(request("CLIENT", "REPLY", mute) + request("BLPOP", "k", 0))
            wait_until(lambda: blocked(other) == 1)
            wire.send(request("CLIENT", "REPLY", "ON") + request("PING"))
            end()
            assert [wire.read(), wire.read()] == [answer, Status(b"PONG")]
    wire.send(request("CLIENT", "REPLY", "SKIP") + request("BLPOP", "k", "0.01") + request("PING"))
    assert wire.read() == Status(b"PONG")


@pytest.mark.protocols(3)
def test_what_the_transaction_tells_comes_before_what_it_serves(wire, other):
    wire("CLIENT", "TRACKING", "ON")
    wire("SUBSCRIBE", "ch")
    other("SET", "t", "1")
    for _ in range(20):
        wire("GET", "t")
        wait(wire, other, "BLPOP", "k", 0)
        other("MULTI")
        for command in (("SET", "t", "2"), ("RPUSH", "k", "e"), ("EXEC",)):
            other(*command)
        assert [wire.read(), wire.read()] == [Push((b"invalidate", [b"t"])), [b"k", b"e"]]
        wait(wire, other, "BLPOP", "k", 0)
        other("MULTI")
        for command in (("PUBLISH", "ch", "m"), ("RPUSH", "k", "e"), ("EXEC",)):
            other(*command)
        assert [wire.read(), wire.read()] == [Push((b"message", b"ch", b"m")), [b"k", b"e"]]


# A client that is killed while it waits.

@pytest.mark.parametrize("command", [("BLPOP", "k", 0), ("BLPOP", "j", "k", "l", 0), ("BLMOVE", "k", "d", "LEFT", "LEFT", 0), ("BLMPOP", 0, 1, "k", "LEFT")])
def test_nothing_is_given_to_who_was_killed(wires, other, command):
    """The very next command finds the element, also while the victim's worker does not know of its end yet."""
    for i in range(50):
        victim = wires()
        number = victim("CLIENT", "ID")
        wait(victim, other, *command)
        assert other.many([("CLIENT", "KILL", "ID", number), ("RPUSH", "k", i), ("LPOP", "k")]) == [1, 1, b"%d" % i]
        wait_until(lambda: blocked(other) == 0)
    assert other("EXISTS", "k", "d") == 0


@pytest.mark.parametrize("order", [0, 1])
def test_killed_in_the_transaction_that_pushes(wires, other, order):
    victim, heir = wires(), wires()
    number = victim("CLIENT", "ID")
    wait(victim, other, "BLPOP", "k", 0)
    wait(heir, other, "BLPOP", "k", 0)
    steps = [("CLIENT", "KILL", "ID", number), ("RPUSH", "k", "v")]
    assert other.many([("MULTI",), *(steps[::-1] if order else steps), ("EXEC",)])[-1] == [1, 1]
    assert heir.read() == [b"k", b"v"]


@pytest.mark.needs("XREADGROUP")
def test_no_entry_is_pending_with_who_was_killed(wires, other):
    other("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    for i in range(1, 20):
        victim = wires()
        number = victim("CLIENT", "ID")
        wait(victim, other, "XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
        assert other.many([("CLIENT", "KILL", "ID", number), ("XADD", "s", i, "f", "v")])[0] == 1
        wait_until(lambda: blocked(other) == 0)
        assert other("XPENDING", "s", "g")[0] == 0
        other("XGROUP", "SETID", "s", "g", "$")


# Several keys.

@pytest.mark.since("7.2.0")
def test_the_key_that_is_named_first(wires, other):
    """A transaction or a script fills several of the keys: what counts is the order in which the client has named them."""
    fill = [("RPUSH", "k3", "c"), ("RPUSH", "k1", "a"), ("RPUSH", "k2", "b")]
    script = "redis.call('RPUSH', 'k3', 'c') redis.call('RPUSH', 'k1', 'a') redis.call('RPUSH', 'k2', 'b')"
    for how in ([("MULTI",), *fill, ("EXEC",)], [("EVAL", script, 3, "k1", "k2", "k3")], [("EVAL", script, 0)]):
        first, second, third = wires(), wires(), wires()
        wait(first, other, "BLPOP", "k0", "k1", "k2", "k3", 0)
        wait(second, other, "BRPOP", "k2", "k1", "k3", "k2", 0)
        wait(third, other, "BLPOP", "k1", "k3", 0)
        other.many(how)
        assert [c.read() for c in (first, second, third)] == [[b"k1", b"a"], [b"k2", b"b"], [b"k3", b"c"]]
    low, high = wires(), wires()
    wait(low, other, "BZPOPMIN", "z1", "z2", 0)
    wait(high, other, "BZMPOP", 0, 2, "z2", "z1", "MAX")
    other.many([("MULTI",), ("ZADD", "z2", 1, "b"), ("ZADD", "z1", 1, "a"), ("EXEC",)])
    assert (low.read()[1], high.read()[0]) == (b"a", b"z2")


@pytest.mark.since("7.2.0")
@pytest.mark.parametrize("read", [("XREAD",), ("XREADGROUP", "GROUP", "g", "c")])
def test_all_streams_that_a_transaction_fills(wire, other, read, protocol):
    """Whoever waits for several reads them all, in its own order; those that got nothing are left out."""
    for i in range(1, 5):
        other("XGROUP", "CREATE", f"s{i}", "g", "$", "MKSTREAM")
    sign = "$" if read == ("XREAD",) else ">"
    for count, entries in ((10, [2, 1]), (1, [1, 1])):
        wait(wire, other, *read, "COUNT", count, "BLOCK", 0, "STREAMS", "s1", "s2", "s3", "s4", *[sign] * 4)
        other.many([("MULTI",), ("XADD", "s4", "*", "f", "v"), ("XADD", "s2", "*", "f", "v"), ("XADD", "s2", "*", "f", "v"), ("EXEC",)])
        reply = wire.read()
        pairs = reply.pairs if protocol == 3 else reply
        assert [(name, len(got)) for name, got in pairs] == list(zip((b"s2", b"s4"), entries))


@pytest.mark.since("7.2.0")
def test_keys_that_are_waited_for_are_counted(wires, other):
    def counts():
        lines = dict(line.split(":") for line in other("INFO", "clients").decode().split("\r\n") if ":" in line)
        return int(lines["total_blocking_keys"]), int(lines["total_blocking_keys_on_nokey"])
    one, two, three, four = (wires() for _ in range(4))
    other("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    wait(one, other, "BLPOP", "a", "b", "a", 0)
    assert counts() == (2, 0)
    wait(two, other, "BRPOP", "b", "c", 0)
    wait(three, other, "XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    assert counts() == (4, 0)
    wait(four, other, "XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
    assert counts() == (4, 1)
    other("RPUSH", "b", "1")
    assert one.read() == [b"b", b"1"]
    wait_until(lambda: counts() == (3, 1))
    other("DEL", "s")
    assert isinstance(four.read(), Error)
    wait_until(lambda: counts() == (3, 0))


@pytest.mark.parametrize("text", ["-0.0009", "-0.0001", "-1e-300"])
def test_less_than_a_millisecond_below_zero_is_none(wire, other, text):
    wait(wire, other, "BLPOP", "k", text)
    other("RPUSH", "k", "v")
    assert wire.read() == [b"k", b"v"]
    assert wire("BLPOP", "k", "-0.002") == Error(b"ERR timeout is negative")


@pytest.mark.since("7.2.0")
def test_time_outs_beyond_the_clock(wire):
    for command in (("WAIT", 0), ("WAITAOF", 0, 0)):
        assert wire(*command, 2 ** 63 - 1) == Error(b"ERR timeout is out of range")


@pytest.mark.parametrize("pop, blocking", [(["LPOP", "k"], ["BLPOP", "k", "0"]), (["ZPOPMIN", "z"], ["BZPOPMIN", "z", "0"])], ids=["list", "zset"])
def test_a_pop_that_need_not_wait_is_one_access(server, settings, pop, blocking):
    c = server.wire(3)
    settings(**{"maxmemory-policy": "allkeys-lfu", "lfu-log-factor": 0})
    counts = []
    for command in pop, blocking:
        c("DEL", "k", "z")
        c("RPUSH", "k", "a", "b")
        c("ZADD", "z", 1, "a", 2, "b")
        c(*command)
        counts.append(c("OBJECT", "FREQ", command[1]))
    c.close()
    assert counts[0] == counts[1]
