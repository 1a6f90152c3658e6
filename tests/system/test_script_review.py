"""Scripts that last, and what can happen to their clients, their worker and everybody else meanwhile.

A script here waits for its end by asking how many have subscribed to a channel: that needs no gate, so the others decide when it goes
on, and nothing follows from the speed of the machine. A redis-server would never answer them while it waits.
"""
import re

import pytest

from tests.system.harness import wait_until
from tests.system.wire import Error, Nil, Push, Status, request

pytestmark = [pytest.mark.tarn_only, pytest.mark.needs("EVAL")]

# Until somebody has subscribed to ARGV[1].
WAIT = "while redis.call('PUBSUB', 'NUMSUB', ARGV[1])[2] == 0 do end "


def info(c, section):
    reply = c("INFO", section)
    return bytes(getattr(reply, "text", reply))


class Latch:
    """What a script waits for."""

    def __init__(self, wires, name):
        self.wires, self.name, self.is_open = wires, name, False

    def open(self):
        if not self.is_open:
            self.is_open = True
            self.wires(2)("SUBSCRIBE", self.name)


@pytest.fixture
def latch(wires):
    """Makes latches; what a failed test has left waiting is let go."""
    made = []

    def make(name="go"):
        made.append(Latch(wires, name))
        return made[-1]
    yield make
    for one in made:
        one.open()
    c = wires(2)
    wait_until(lambda: c("SCRIPT", "KILL").startswith(b"NOTBUSY"))


@pytest.fixture
def impatient(settings):
    """Whoever cannot go on is told so at once."""
    settings(busy_reply_threshold=1)


@pytest.fixture
def patient(settings):
    """Whoever cannot go on waits."""
    settings(busy_reply_threshold=1000000)


LONG = 20000  # times to ask: nobody does that in the 2 ms after which a script is called long


def asked(c):
    found = re.search(rb"cmdstat_pubsub\|numsub:calls=(\d+)", info(c, "commandstats"))
    return int(found.group(1)) if found else 0


def begin(wire, watcher, text, latch, *keys):
    """Sends EVAL of a script that waits, until it is a long one."""
    start(wire, watcher, "EVAL", text, len(keys), *keys, latch.name)


def start(wire, watcher, *command):
    before = asked(watcher)
    wire.send(request(*command))
    wait_until(lambda: asked(watcher) > before + LONG)


def elsewhere(wires, version=2):
    """A connection whose worker has no script of its own that lasts: there a script is not told to wait."""
    while True:
        wire = wires(version)
        if wire("EVAL", "return 1", 0) == 1:
            return wire


# The end of a client

@pytest.mark.protocols(3)
def test_a_client_is_cut_off_while_its_script_runs(wires, settings, latch):
    settings(client_output_buffer_limit="pubsub 100000 0 0")
    wire, c, go = wires(), wires(), latch()
    wire("SUBSCRIBE", "much")
    begin(wire, c, WAIT + "return redis.call('SET', KEYS[1], 'done')", go, "written")
    before = cut_off(c)
    wait_until(lambda: c("PUBLISH", "much", "x" * 200000) is not None and cut_off(c) > before)
    go.open()
    wait_until(lambda: c("GET", "written") == b"done")


def cut_off(c):
    return int(re.search(rb"client_output_buffer_limit_disconnections:(\d+)", info(c, "stats")).group(1))


def test_a_transaction_that_kills_its_own_client_is_answered_after_its_script(wires, latch):
    wire, c, go = wires(), wires(), latch()
    me = wire("CLIENT", "ID")
    wire("MULTI")
    wire("CLIENT", "KILL", "ID", me, "SKIPME", "no")
    wire("EVAL", WAIT + "return 7", 0, go.name)
    start(wire, c, "EXEC")
    go.open()
    assert wire.read() == [1, 7]
    assert wire.at_end()


def test_a_client_that_has_left_is_not_waited_for(wires, latch):
    wire, c, go = wires(), wires(), latch()
    begin(wire, c, WAIT + "return redis.call('SET', KEYS[1], 'done')", go, "left")
    wire.send(request("PING"))
    wire.close()
    for _ in range(20):
        c("PING")
    go.open()
    wait_until(lambda: c("GET", "left") == b"done")


@pytest.mark.workers(4)
@pytest.mark.parametrize("takes", ["redis.call('KEYS', 'none') ", ""], ids=["with the world", "with a key"])
def test_the_server_ends_while_a_script_keeps_others_from_leaving_their_queues(own_server, takes):
    server = own_server({"threads": 4})
    blocked = [server.wire() for _ in range(8)]
    for number, wire in enumerate(blocked):
        command = ("BLPOP", "list") if number % 2 else ("BLMOVE", "list", "there", "LEFT", "RIGHT")
        wire.send(request(*command, 0))
    c, runner = server.wire(), server.wire()
    wait_until(lambda: b"blocked_clients:8" in info(c, "clients"))
    start(runner, c, "EVAL", takes + "redis.call('GET', KEYS[1]) " + WAIT, 1, "list", "never")
    for wire in blocked[:4]:
        wire.close()
    c.send(request("SHUTDOWN", "NOSAVE"))
    assert server.wait_exit() == 0
    server.stop(check=False)


# What belongs to a command, and its end

@pytest.mark.protocols(3)
def test_caching_yes_covers_a_script_to_its_end(wires, latch):
    wire, c, go = wires(), wires(), latch()
    wire("CLIENT", "TRACKING", "ON", "OPTIN")
    wire("CLIENT", "CACHING", "YES")
    begin(wire, c, WAIT + "return redis.call('GET', 'tracked') or 'nothing'", go)
    go.open()
    assert wire.read() == b"nothing"
    c("SET", "tracked", "1")
    assert wire.read() == Push((b"invalidate", [b"tracked"]))
    wire("GET", "tracked")
    c("SET", "tracked", "2")
    assert wire("PING") == Status(b"PONG")


@pytest.mark.protocols(3)
def test_what_a_long_script_tells_its_own_client_comes_without_replies(wires, latch):
    wire, c, go = wires(), wires(), latch()
    wire("SUBSCRIBE", "own")
    wire.send(request("CLIENT", "REPLY", "OFF"))
    begin(wire, c, "redis.call('PUBLISH', 'own', 'early') " + WAIT + "redis.call('PUBLISH', 'own', 'late') return 5", go)
    go.open()
    assert [wire.read(), wire.read()] == [Push((b"message", b"own", b"early")), Push((b"message", b"own", b"late"))]
    assert wire("CLIENT", "REPLY", "ON") == Status(b"OK")


def test_reply_skip_in_a_transaction_with_a_long_script_skips_the_next_reply(wires, latch):
    wire, c, go = wires(), wires(), latch()
    wire("MULTI")
    wire("CLIENT", "REPLY", "SKIP")
    wire("EVAL", WAIT + "return 7", 0, go.name)
    start(wire, c, "EXEC")
    go.open()
    assert wire.read()[1] == 7
    wire.send(request("ECHO", "skipped"))
    assert wire("ECHO", "said") == b"said"


@pytest.mark.workers(4)
@pytest.mark.protocols(3)
def test_a_script_that_was_started_over_is_still_its_client_s(wires, impatient, latch):
    """It reads nothing until another holds what it wants: then it starts over, in a turn of its own."""
    wire, c, first, second = wires(), wires(), latch("first"), latch("second")
    wire("CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP")
    wire("SUBSCRIBE", "own")
    begin(wire, c, WAIT + "redis.call('GET', 'held') redis.call('SET', 'mine', 1) redis.call('PUBLISH', 'own', 'm') return 3", first)
    holder = elsewhere(wires)
    holder.send(request("EVAL", "redis.call('GET', KEYS[1]) " + WAIT, 1, "held", second.name))
    wait_until(lambda: is_put_off(c, "held"))
    first.open()
    assert c("SET", "free", "1") == Status(b"OK")
    second.open()
    replies = [wire.read() for _ in range(3)]
    assert [r for r in replies if not isinstance(r, Push)] == [3]
    pushes = [r for r in replies if isinstance(r, Push)]
    assert Push((b"message", b"own", b"m")) in pushes and Push((b"invalidate", [b"free"])) in pushes
    assert wire("PING") == Status(b"PONG")


def is_put_off(c, key):
    return isinstance(c("GET", key), Error)


# Transactions

def test_script_kill_ends_one_script_of_a_transaction(wires, impatient, latch):
    wire, c, go = wires(), wires(), latch()
    wire("MULTI")
    wire("EVAL", "return redis.call('INCR', 'n')", 0)
    wire("EVAL", "while true do end", 0)
    wire("EVAL", WAIT + "return 7", 0, go.name)
    wire.send(request("EXEC"))
    wait_until(lambda: c("SCRIPT", "KILL") == Status(b"OK"))
    go.open()
    one, killed, seven = wire.read()
    assert (one, seven) == (1, 7) and killed.startswith(b"ERR Script killed by user with SCRIPT KILL")


# Waiting for each other

@pytest.mark.workers(4)
def test_who_waits_for_a_move_is_served_when_the_destination_is_free(wires, impatient, latch):
    mover, c, pushed, let_go = wires(), wires(), latch("pushed"), latch("let go")
    mover.send(request("BLMOVE", "from", "to", "LEFT", "RIGHT", 0))
    wait_until(lambda: b"blocked_clients:1\r" in info(c, "clients"))
    holder = wires()
    begin(holder, c, "redis.call('GET', KEYS[1]) " + WAIT, let_go, "to")
    pusher = elsewhere(wires)
    pusher.send(request("EVAL", "redis.call('RPUSH', KEYS[1], 'x') " + WAIT + "return 2", 1, "from", pushed.name))
    wait_until(lambda: is_put_off(c, "from"))
    pushed.open()
    assert pusher.read() == 2
    let_go.open()
    assert mover.read() == b"x"


def test_a_script_that_is_put_off_shows_itself_once(wires, server, patient, latch):
    """It reads something, then what another script holds: each try of it would write the line and the command again."""
    holder, c, monitor, go = wires(), wires(), wires(2), latch()
    assert monitor("MONITOR") == Status(b"OK")
    before = server.log_position()
    begin(holder, c, WAIT, go, "held")
    late = wires()
    late.send(request("EVAL", """redis.log(redis.LOG_WARNING, 'this once') redis.call('EXISTS', 'seen')
        return redis.call('EXISTS', 'held')""", 0))
    for _ in range(1000):  # many tries
        c("PING")
    go.open()
    assert late.read() == 0
    server.wait_log("this once", since=before)
    assert "\n".join(server.log().split("\n")[before:]).count("this once") == 1
    c("ECHO", "the end")
    seen = 0
    while b'"the end"' not in (line := monitor.read()):
        seen += b'lua] "EXISTS" "seen"' in line
    assert seen == 1


def test_scripts_are_loaded_beside_long_ones(wires, patient, latch):
    c, go = wires(), latch()
    runner = wires()
    begin(runner, c, "local t = {} return coroutine.wrap(function() " + WAIT.replace(" do ", " do t[#t % 1000 + 1] = tostring(#t) ") +
          "return #t end)()", go)
    loaders = [wires() for _ in range(4)]
    for number, wire in enumerate(loaders):
        for text in (f"return {number}", f"return {number} (", f"return '{'x' * 10000}'"):
            wire.send(request("SCRIPT", "LOAD", text))
    assert wires()("SCRIPT", "FLUSH") == Status(b"OK")
    go.open()
    assert 0 < runner.read() <= 1000
    for wire in loaders:
        good, bad, long = wire.read(), wire.read(), wire.read()
        assert len(good) == len(long) == 40 and bad.startswith(b"ERR Error compiling script")


def test_the_end_of_a_pause_beside_what_is_put_off(wires, patient, latch):
    """Both resume the client: once is enough."""
    reader, c = wires(), wires()
    for number in range(5):
        go = latch(f"round {number}")
        others = [wires() for _ in range(4)]
        assert c("CLIENT", "PAUSE", 60, "WRITE") == Status(b"OK")
        start(reader, c, "EVAL_RO", WAIT + "return 1", 1, "held", go.name)
        others[0].send(request("SET", "free", number))
        for wire in others[1:]:
            wire.send(request("GET", "held") + request("PING"))
        assert others[0].read() == Status(b"OK")
        go.open()
        assert reader.read() == 1
        for wire in others[1:]:
            assert [isinstance(wire.read(), Nil), wire.read()] == [True, Status(b"PONG")]
