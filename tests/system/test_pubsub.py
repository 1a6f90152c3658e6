"""Publish and subscribe, and keyspace events: who hears what, in which order, what the confirmations say, what a subscriber may
not do, and what becomes of one that does not read.
"""
import random
import socket
import threading
import time

import pytest
import redis

from tests.system.harness import Server, wait_until
from tests.system.wire import NIL, NIL_BULK, Error, Push, Status, request

OK = Status(b"OK")


def push(protocol, *parts):
    """A push message as the protocol spells it."""
    return Push(parts) if protocol == 3 else list(parts)


@pytest.fixture(autouse=True)
def other(server):
    """One more connection, RESP2, to a server from which the subscribers of the test before have gone."""
    with server.wire() as connection:
        wait_until(lambda: b" flags=P " not in connection("CLIENT", "LIST"))
        yield connection


def subscribe(c, command, *names):
    c.send(request(command, *names))
    return [c.read() for _ in names]


# Confirmations.

def test_confirmations_count_channels_and_patterns_together(wire, protocol):
    assert subscribe(wire, "SUBSCRIBE", "a", "b") == [push(protocol, b"subscribe", b"a", 1), push(protocol, b"subscribe", b"b", 2)]
    assert subscribe(wire, "SUBSCRIBE", "a") == [push(protocol, b"subscribe", b"a", 2)]
    assert subscribe(wire, "PSUBSCRIBE", "p*") == [push(protocol, b"psubscribe", b"p*", 3)]
    assert subscribe(wire, "SSUBSCRIBE", "s") == [push(protocol, b"ssubscribe", b"s", 1)]
    assert subscribe(wire, "UNSUBSCRIBE", "a", "x") == [push(protocol, b"unsubscribe", b"a", 2), push(protocol, b"unsubscribe", b"x", 2)]
    wire.send(request("UNSUBSCRIBE"))
    assert wire.read() == push(protocol, b"unsubscribe", b"b", 1)
    wire.send(request("PUNSUBSCRIBE"))
    assert wire.read() == push(protocol, b"punsubscribe", b"p*", 0)
    wire.send(request("SUNSUBSCRIBE"))
    assert wire.read() == push(protocol, b"sunsubscribe", b"s", 0)


@pytest.mark.parametrize("command", ["UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"])
def test_nothing_to_unsubscribe(wire, protocol, command):
    wire.send(request(command))
    assert wire.read() == push(protocol, command.lower().encode(), NIL if protocol == 3 else NIL_BULK, 0)


def test_an_empty_name_is_a_name(wire, other, protocol):
    subscribe(wire, "SUBSCRIBE", "")
    assert other("PUBLISH", "", "m") == 1
    assert wire.read() == push(protocol, b"message", b"", b"m")
    wire.send(request("UNSUBSCRIBE"))
    assert wire.read() == push(protocol, b"unsubscribe", b"", 0)


# Messages.

def test_messages_reach_channels_patterns_and_shard_channels(wire, other, protocol):
    subscribe(wire, "SUBSCRIBE", "news")
    subscribe(wire, "PSUBSCRIBE", "n?ws", "zz*")
    subscribe(wire, "SSUBSCRIBE", "news")
    assert other("PUBLISH", "news", "1") == 2
    assert other("SPUBLISH", "news", "2") == 1
    assert other("PUBLISH", "nothing", "3") == 0
    assert wire.read() == push(protocol, b"message", b"news", b"1")
    assert wire.read() == push(protocol, b"pmessage", b"n?ws", b"news", b"1")
    assert wire.read() == push(protocol, b"smessage", b"news", b"2")


def test_binary_and_large_messages(wire, other, protocol):
    subscribe(wire, "SUBSCRIBE", "\0\xff")
    for payload in (b"", b"\r\n\0", bytes(range(256)) * 4000):
        assert other("PUBLISH", "\0\xff", payload) == 1
        assert wire.read() == push(protocol, b"message", "\0\xff".encode(), payload)


def test_a_publisher_may_listen_to_itself_in_resp3(wires):
    c = wires(3)
    subscribe(c, "SUBSCRIBE", "self")
    c.send(request("PUBLISH", "self", "m") + request("PING"))
    assert [c.read() for _ in range(3)] == [1, Push((b"message", b"self", b"m")), Status(b"PONG")]
    c.send(request("MULTI") + request("PUBLISH", "self", "1") + request("PUBLISH", "self", "2") + request("EXEC"))
    assert [c.read() for _ in range(6)] == [OK, Status(b"QUEUED"), Status(b"QUEUED"), [1, 1],
                                            Push((b"message", b"self", b"1")), Push((b"message", b"self", b"2"))]


def test_subscribing_inside_a_transaction(wire, other, protocol):
    wire.send(request("MULTI") + request("SUBSCRIBE", "t") + request("EXEC"))
    assert [wire.read() for _ in range(2)] == [OK, Status(b"QUEUED")]
    assert wire.read() == [push(protocol, b"subscribe", b"t", 1)]
    assert other("PUBLISH", "t", "m") == 1
    assert wire.read() == push(protocol, b"message", b"t", b"m")


# RESP2's subscriber mode.

@pytest.mark.protocols(2)
def test_a_resp2_subscriber_may_do_little(wire):
    subscribe(wire, "SUBSCRIBE", "a")
    assert wire("GET", "k") == Error(b"ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in "
                                     b"this context")
    assert wire("PING") == [b"pong", b""]
    assert wire("PING", "x") == [b"pong", b"x"]
    assert wire("RESET") == Status(b"RESET")
    assert wire("GET", "k") == NIL_BULK


@pytest.mark.protocols(3)
def test_a_resp3_subscriber_may_do_everything(wire):
    subscribe(wire, "SUBSCRIBE", "a")
    assert wire("SET", "k", "v") == OK
    assert wire("PING") == Status(b"PONG")


@pytest.mark.protocols(2)
def test_quit_from_subscriber_mode(wire):
    subscribe(wire, "SUBSCRIBE", "a")
    assert wire("QUIT") == OK
    assert wire.at_end()


# Who listens.

def test_pubsub_tells_who_listens(wire, other):
    subscribe(wire, "SUBSCRIBE", "a1", "b")
    subscribe(wire, "PSUBSCRIBE", "x*", "y*")
    subscribe(wire, "SSUBSCRIBE", "s")
    assert sorted(other("PUBSUB", "CHANNELS")) == [b"a1", b"b"]
    assert other("PUBSUB", "CHANNELS", "a?") == [b"a1"]
    assert other("PUBSUB", "NUMSUB", "a1", "none") == [b"a1", 1, b"none", 0]
    assert other("PUBSUB", "NUMSUB") == []
    assert other("PUBSUB", "NUMPAT") == 2
    assert other("PUBSUB", "SHARDCHANNELS") == [b"s"]
    assert other("PUBSUB", "SHARDNUMSUB", "s", "a1") == [b"s", 1, b"a1", 0]
    mine = [line for line in other("CLIENT", "LIST").decode().splitlines() if " flags=P " in line]
    assert len(mine) == 1 and " sub=2 psub=2 ssub=1 " in mine[0]
    wire.close()
    wait_until(lambda: other("PUBSUB", "CHANNELS") == [] and other("PUBSUB", "NUMPAT") == 0)
    assert other("PUBSUB", "SHARDCHANNELS") == []


def test_the_same_pattern_of_two_clients_counts_once(wires, other):
    for _ in range(2):
        subscribe(wires(), "PSUBSCRIBE", "same*")
    assert other("PUBSUB", "NUMPAT") == 1
    assert other("PUBLISH", "same!", "m") == 2


def test_client_kill_by_class(wire, other):
    subscribe(wire, "SUBSCRIBE", "a")
    assert other("CLIENT", "KILL", "TYPE", "pubsub") == 1
    assert wire.at_end()


# Order and load.

def test_all_subscribers_see_one_order(server, wires):
    publishers, each = 4, 300
    listeners = [wires() for _ in range(6)]
    for i, c in enumerate(listeners):
        subscribe(c, *(("SUBSCRIBE", "o") if i % 2 else ("PSUBSCRIBE", "o*")))

    def publish(number):
        with server.wire() as c:
            for i in range(each // 50):
                assert c.many([("PUBLISH", "o", f"{number}:{i * 50 + k}") for k in range(50)]) == [len(listeners)] * 50

    threads = [threading.Thread(target=publish, args=(i,)) for i in range(publishers)]
    for t in threads:
        t.start()
    heard = []
    for c in listeners:
        messages = [c.read() for _ in range(publishers * each)]
        heard.append([(m.items if isinstance(m, Push) else m)[-1] for m in messages])
    for t in threads:
        t.join()
    assert all(h == heard[0] for h in heard)
    for number in range(publishers):
        own = [m for m in heard[0] if m.startswith(b"%d:" % number)]
        assert own == [b"%d:%d" % (number, i) for i in range(each)], "what one publisher says stays in order"


def test_coming_and_going_while_others_publish(server):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    stop = threading.Event()

    def publish():
        with server.wire() as c:
            while not stop.is_set():
                c.many([("PUBLISH", f"c{i % 5}", "m") for i in range(20)])

    def come_and_go(rng):
        for _ in range(15):
            with server.wire() as c:
                for _ in range(rng.randrange(1, 8)):
                    name = f"c{rng.randrange(5)}"
                    c.send(request(rng.choice(["SUBSCRIBE", "PSUBSCRIBE", "UNSUBSCRIBE"]), name))
                    while True:
                        m = c.read()
                        if m[0] not in (b"message", b"pmessage"):
                            break

    publishers = [threading.Thread(target=publish) for _ in range(2)]
    guests = [threading.Thread(target=come_and_go, args=(random.Random(seed + i),)) for i in range(4)]
    for t in publishers + guests:
        t.start()
    for t in guests:
        t.join()
    stop.set()
    for t in publishers:
        t.join()
    with server.wire() as c:
        wait_until(lambda: c("PUBSUB", "CHANNELS") == [])
        assert c("PUBSUB", "NUMPAT") == 0


@pytest.mark.tarn_only
def test_a_subscriber_that_does_not_read_is_cut_and_nobody_waits(binary, workers):
    with Server(binary, {"threads": workers, "client-output-buffer-limit": "pubsub 1mb 0 0"}) as server:
        with server.wire() as slow, server.wire() as good, server.wire() as c:
            slow_id = slow("CLIENT", "ID")
            subscribe(slow, "SUBSCRIBE", "flood")
            subscribe(good, "SUBSCRIBE", "calm")
            payload = b"x" * 100_000
            wait_until(lambda: c("PUBLISH", "flood", payload) == 0)
            assert c("CLIENT", "LIST", "ID", slow_id) in (b"", b"\n")
            assert c("PUBLISH", "calm", "m") == 1
            assert good.read() == [b"message", b"calm", b"m"]
            assert int(c("INFO", "stats").decode().split("client_output_buffer_limit_disconnections:")[1].split()[0]) >= 1


# Keyspace events.

@pytest.fixture
def events(server, wires):
    """A function that gives the events of some commands, as (channel kind, database, name, payload)."""
    listener = wires(2)
    subscribe(listener, "PSUBSCRIBE", "__key*@*__:*")
    subscribe(listener, "SUBSCRIBE", "end")

    def of(*commands, setting="KEA"):
        with server.wire() as c:
            before = c("CONFIG", "GET", "notify-keyspace-events")[1]
            assert c("CONFIG", "SET", "notify-keyspace-events", setting) == OK
            for command in commands:
                c(*command)
            assert c("CONFIG", "SET", "notify-keyspace-events", before) == OK
            c("PUBLISH", "end", "")
        found = []
        while (m := listener.read())[0] == b"pmessage":
            found.append((m[2], m[3]))
        return found

    return of


def test_events_come_on_both_channels(events):
    assert events(("SET", "k", "v"), ("DEL", "k")) == [
        (b"__keyspace@0__:k", b"set"), (b"__keyevent@0__:set", b"k"), (b"__keyspace@0__:k", b"del"), (b"__keyevent@0__:del", b"k")]


@pytest.mark.parametrize("setting,wanted", [
    ("K$", [(b"__keyspace@0__:k", b"set")]), ("E$", [(b"__keyevent@0__:set", b"k")]), ("Kg", [(b"__keyspace@0__:k", b"expire")]),
    ("KEl", []), ("A", []), ("", []), ("En", [(b"__keyevent@0__:new", b"k")]), ("Em", [(b"__keyevent@0__:keymiss", b"none")])])
def test_the_letters_choose(events, setting, wanted):
    assert events(("SET", "k", "v", "EX", "100"), ("GET", "none"), setting=setting) == wanted


def test_events_name_the_database(events):
    assert events(("SELECT", 3), ("SET", "k", "v"), setting="K$") == [(b"__keyspace@3__:k", b"set")]


def test_a_key_that_ends_is_an_event(server, wires):
    listener = wires(2)
    subscribe(listener, "SUBSCRIBE", "__keyevent@0__:expired")
    with server.wire() as c:
        assert c("CONFIG", "SET", "notify-keyspace-events", "Ex") == OK
        c("SET", "k", "v", "PX", "20")
        assert listener.read() == [b"message", b"__keyevent@0__:expired", b"k"]
        c("CONFIG", "SET", "notify-keyspace-events", "")


def test_rename_and_move_events(events):
    assert events(("SET", "a", "1"), ("RENAME", "a", "b"), ("MOVE", "b", "1"), setting="Kg") == [
        (b"__keyspace@0__:a", b"rename_from"), (b"__keyspace@0__:b", b"rename_to"), (b"__keyspace@0__:b", b"move_from"),
        (b"__keyspace@1__:b", b"move_to")]


# As libraries use it.

def test_redis_py_pubsub(server, protocol):
    r = redis.Redis(port=server.port, protocol=protocol)
    p = r.pubsub(ignore_subscribe_messages=True)
    heard = []
    p.subscribe(**{"my-channel": lambda m: heard.append(m["data"])})
    p.psubscribe(**{"my-*": lambda m: heard.append(m["data"])})
    thread = p.run_in_thread(sleep_time=0.01, daemon=True)
    try:
        wait_until(lambda: r.publish("my-channel", "awesome data") == 2)
        wait_until(lambda: heard and set(heard) == {b"awesome data"})
    finally:
        thread.stop()
        thread.join()
    p.close()
    r.close()


def test_many_subscriptions_of_one_client(wire, other):
    names = [f"channel:{i}" for i in range(5000)]
    assert len(subscribe(wire, "SUBSCRIBE", *names)) == 5000
    assert len(other("PUBSUB", "CHANNELS")) == 5000
    assert other("PUBLISH", "channel:4999", "m") == 1
    wire.read()
    wire.send(request("UNSUBSCRIBE"))
    assert len([wire.read() for _ in names]) == 5000
    assert other("PUBSUB", "CHANNELS") == []


def test_many_subscriptions_of_each_kind(wire, other, protocol):
    """What one kind costs does not hang on how many there are of another, or of patterns on all of them."""
    names = [f"name:{i}" for i in range(20000)]
    for command in ("SUBSCRIBE", "SSUBSCRIBE", "PSUBSCRIBE"):
        assert len(subscribe(wire, command, *names)) == len(names)
    assert other("PUBSUB", "NUMPAT") == len(names)
    began = time.monotonic()
    for command, left in (("SUNSUBSCRIBE", 0), ("PUNSUBSCRIBE", len(names)), ("UNSUBSCRIBE", 0)):
        wire.send(request(command))
        for i, name in enumerate(names, 1):
            assert wire.read() == push(protocol, command.lower().encode(), name.encode(), left + len(names) - i)
    assert time.monotonic() - began < 15
    assert (other("PUBSUB", "NUMPAT"), other("PUBSUB", "CHANNELS"), other("PUBSUB", "SHARDCHANNELS")) == (0, [], [])


def test_patterns_come_and_go_in_any_order(wires, other):
    """Two clients, at times the same patterns: what is left is what hears."""
    a, b = wires(2), wires(2)
    patterns = [f"p{i}*" for i in range(40)]
    for c in (a, b):
        subscribe(c, "PSUBSCRIBE", *patterns)
    rng, left = random.Random(4), set(patterns)
    for pattern in rng.sample(patterns, 30):
        subscribe(a, "PUNSUBSCRIBE", pattern)
        assert other("PUBSUB", "NUMPAT") == 40 - sum(1 for p in patterns if p not in left)
        subscribe(b, "PUNSUBSCRIBE", pattern)
        left.discard(pattern)
        assert other("PUBSUB", "NUMPAT") == len(left)
    for pattern in patterns:
        heard = sum(1 for p in left if pattern.startswith(p[:-1]))
        assert other("PUBLISH", pattern[:-1], "m") == 2 * heard


def test_a_thousand_subscribers(server):
    sockets = []
    try:
        for _ in range(1000):
            s = socket.create_connection(("127.0.0.1", server.port))
            s.sendall(request("SUBSCRIBE", "crowd"))
            sockets.append(s)
        for s in sockets:
            assert s.recv(100).startswith(b"*3\r\n$9\r\nsubscribe")
        with server.wire() as c:
            assert c("PUBLISH", "crowd", "m") == 1000
        for s in sockets:
            assert s.recv(100) == b"*3\r\n$7\r\nmessage\r\n$5\r\ncrowd\r\n$1\r\nm\r\n"
    finally:
        for s in sockets:
            s.close()


# Where a confirmation is not a reply.

@pytest.mark.parametrize("mute", ["OFF", "SKIP"])
def test_confirmations_come_also_without_replies(wire, mute, protocol):
    """CLIENT REPLY is about replies; who has subscribed has to know it."""
    for word in ("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"):
        wire.send(request("CLIENT", "REPLY", mute))
        confirmed = word.lower().encode()
        assert subscribe(wire, word, "x", "y") == [push(protocol, confirmed, b"x", 1), push(protocol, confirmed, b"y", 2)]
        word = word.replace("SUB", "UNSUB")
        confirmed = word.lower().encode()
        assert subscribe(wire, word, "x", "y") == [push(protocol, confirmed, b"x", 1), push(protocol, confirmed, b"y", 0)]
        assert wire("CLIENT", "REPLY", "ON") == OK


def test_shard_channels_and_transactions(wire):
    answers = wire.many([("MULTI",), ("SSUBSCRIBE", "c"), ("SUNSUBSCRIBE", "c"), ("SUBSCRIBE", "c"), ("UNSUBSCRIBE", "c"), ("EXEC",)])
    assert Error(b"ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client") in (answers[-1] if isinstance(answers[-1], list) else answers)
    assert wire("PUBSUB", "SHARDCHANNELS") == []


def test_a_message_comes_before_what_follows_it(wires, protocol):
    """Also while others publish to the same workers."""
    speakers, listeners = [wires(2) for _ in range(4)], [wires(3) for _ in range(4)]
    for listener in listeners:
        listener("SUBSCRIBE", "c")
    for i in range(200):
        for speaker in speakers[1:]:
            speaker.send(request("PUBLISH", "c", "noise"))
        speakers[0]("PUBLISH", "c", i)
        for listener in listeners:
            listener.send(request("PING"))
        for listener in listeners:
            heard = []
            while isinstance(message := listener.read(), Push):
                heard.append(message.items[2])
            assert message == Status(b"PONG") and b"%d" % i in heard
        for speaker in speakers[1:]:
            assert speaker.read() == 4
