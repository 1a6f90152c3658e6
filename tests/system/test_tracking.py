"""Client-side caching: which keys are remembered, who hears of which change and how, redirection, prefixes, limits; and, under load,
that a cache which obeys what it hears never holds what is not so any more.
"""
import contextlib
import random
import threading
import time

import pytest
import redis

from tests.system.harness import wait_until
from tests.system.wire import NIL, Error, Map, Push, Set, Status, request

OK = Status(b"OK")
BROKEN = b"tracking-redir-broken"


def names_of(message):
    """The names that are invalid, None for all. RESP3 pushes it, RESP2 publishes it."""
    if isinstance(message, Push):
        kind, names = message.items
        assert kind == b"invalidate"
    else:
        kind, channel, names = message
        assert (kind, channel) == (b"message", b"__redis__:invalidate")
    return names if isinstance(names, list) else None


class Reader:
    """A client with a cache to be: it asks, and hears what is invalid. In RESP2 it hears on a second connection."""

    def __init__(self, server, protocol, *options):
        self.protocol, self.messages = protocol, []
        self.c = self.ear = server.wire(protocol)
        if protocol == 2:
            self.ear = server.wire(2)
            self.ear_id = self.ear("CLIENT", "ID")
            self.ear("SUBSCRIBE", "__redis__:invalidate")
        self.track(*options)

    def track(self, *options):
        redirect = ["REDIRECT", self.ear_id] if self.protocol == 2 else []
        assert self("CLIENT", "TRACKING", "ON", *redirect, *options) == OK

    def __call__(self, *args):
        self.c.send(request(*args))
        return self.reply()

    def reply(self):
        """The next reply; what is heard before it is kept."""
        while True:
            reply = self.c.read()
            if not isinstance(reply, Push):
                return reply
            self.messages.append(reply)

    def heard(self):
        """The names that are invalid now, None for all; waits for them."""
        return names_of(self.messages.pop(0) if self.messages else self.ear.read())

    def all_heard(self, other, key="sentinel"):
        """All that `other` has caused so far: it ends with a change of this key."""
        self("GET", key)
        other("SET", key, "1")
        names = []
        while (message := self.heard()) != [key.encode()]:
            names.append(message)
        return names

    def info(self):
        reply = self("CLIENT", "TRACKINGINFO")
        pairs = dict(reply.pairs) if isinstance(reply, Map) else dict(zip(reply[::2], reply[1::2]))
        flags = pairs[b"flags"]
        flags = flags.members if isinstance(flags, Set) else flags
        return " ".join(flag.decode() for flag in flags), pairs[b"redirect"], pairs[b"prefixes"]

    def close(self):
        self.c.close()
        self.ear.close()


@pytest.fixture(autouse=True)
def other(server):
    """One more connection, which changes things; the trackers of the test before have gone."""
    with server.wire() as connection:
        wait_until(lambda: figures(connection)["tracking_clients"] == 0)
        yield connection


@pytest.fixture
def readers(server, protocol):
    """Makes more clients like `reader`, with options of CLIENT TRACKING."""
    made = []

    def make(*options, version=protocol):
        made.append(Reader(server, version, *options))
        return made[-1]
    yield make
    for reader in made:
        reader.close()


@pytest.fixture
def reader(readers):
    return readers()


def figures(connection):
    lines = connection("INFO", "clients", "stats").decode().splitlines()
    return {name: int(value) for name, value in (line.split(":") for line in lines if line.startswith("tracking_"))}


# What is remembered, and what is heard.

def test_a_change_of_a_key_that_was_read_is_heard_once(reader, other):
    reader("GET", "a")
    other("SET", "a", "1")
    assert reader.heard() == [b"a"]
    other("SET", "a", "2")
    assert reader.all_heard(other) == []


def test_one_reads_again_and_hears_again(reader, other):
    for i in range(3):
        reader("GET", "a")
        other("INCR", "a")
        assert reader.heard() == [b"a"]


def test_ones_own_changes_are_heard_behind_their_replies(readers):
    reader = readers(version=3)
    reader.c.send(request("GET", "a") + request("SET", "a", "1") + request("PING"))
    assert [reader.c.read() for _ in range(4)] == [NIL, OK, Push((b"invalidate", [b"a"])), Status(b"PONG")]


READS = [
    ("STRLEN k", "k"), ("EXISTS k nokey", "k"), ("TTL k", "k"), ("TYPE k", "k"), ("OBJECT ENCODING k", "k"), ("MGET x k k", "k"),
    ("DUMP k", "k"), ("TOUCH k", "k"), ("MEMORY USAGE k", "k"), ("SORT_RO l", "l"), ("SORT_RO l BY w_*", "l"), ("LRANGE l 0 -1", "l"),
    ("HGETALL h", "h"), ("HSCAN h 0", "h"), ("SUNION s nokey", "s"), ("ZRANGE z 0 -1", "z"), ("GET l", "l"),
]


@pytest.mark.parametrize("command, key", READS)
def test_what_commands_read_is_remembered(reader, other, command, key):
    for change in ["SET k v", "RPUSH l 3 1", "HSET h f v", "SADD s m", "ZADD z 1 m"]:
        other(*change.split())
    reader(*command.split())
    other("RENAME", key, "away")
    assert [key.encode()] in reader.all_heard(other)


@pytest.mark.parametrize("command", ["SET k 1", "GETSET k 1", "GETEX k", "INCR k", "KEYS *", "SCAN 0", "RANDOMKEY", "WATCH k", "DBSIZE"])
def test_what_writes_or_names_no_key_is_not_remembered(reader, other, command):
    other("SET", "k", "0")
    reader(*command.split())
    other("DEL", "k")
    reader("UNWATCH")
    assert reader.all_heard(other) == []


CHANGES = [
    ("APPEND k x", "k"), ("SETRANGE k 0 x", "k"), ("SETBIT k 1 1", "k"), ("DEL k", "k"), ("UNLINK k", "k"), ("EXPIRE k 100", "k"),
    ("EXPIRE k 0", "k"), ("PERSIST v", "v"), ("RENAME k x", "k"), ("RENAME v k", "k"), ("COPY v k REPLACE", "k"), ("MOVE k 1", "k"),
    ("GETDEL k", "k"), ("GETEX k EX 100", "k"), ("LPOP l", "l"), ("RPOPLPUSH l m", "l"), ("HDEL h f", "h"), ("SREM s m", "s"),
    ("ZREM z m", "z"), ("SORT l STORE k", "k"), ("BITOP NOT k v", "k"),
]


@pytest.mark.parametrize("change, key", CHANGES)
def test_every_change_is_heard(reader, other, change, key):
    for command in ["SET k 1", "SET v 1 EX 100", "RPUSH l 3", "HSET h f v", "SADD s m", "ZADD z 1 m"]:
        other(*command.split())
    reader("TYPE", key)
    other(*change.split())
    heard = reader.all_heard(other)
    other("SELECT", 1)
    other("DEL", "k")
    assert heard == [[key.encode()]]


def test_what_changes_nothing_is_not_heard(reader, other):
    reader("MGET", "a", "b")
    for command in ["DEL a", "EXPIRE a 10", "SETRANGE a 0 ", "SREM a x", "LPOP a", "GET a", "PERSIST a", "SET a 1 XX"]:
        other(*(command.split(" ")))
    assert reader.all_heard(other) == []


def test_a_name_is_one_in_all_databases(reader, other):
    reader("GET", "a")
    other("SELECT", 1)
    other("SET", "a", "1")
    assert reader.heard() == [b"a"]


@pytest.mark.parametrize("name", [b"", b"\x00\r\n\xff", b"x" * 100_000])
def test_any_name_may_be_remembered(reader, other, name):
    reader("GET", name)
    other("SET", name, "1")
    assert reader.heard() == [name]


def test_several_keys_are_heard_one_by_one(reader, other):
    reader("MGET", "a", "b", "c")
    other("MSET", "b", "1", "a", "2", "d", "3")
    assert sorted([reader.heard(), reader.heard()]) == [[b"a"], [b"b"]]
    assert reader.all_heard(other) == []


def test_everybody_who_has_read_hears(readers, other):
    crowd = [readers() for _ in range(20)]
    for one in crowd:
        one("GET", "a")
    wait_until(lambda: figures(other)["tracking_total_items"] == 20)
    other("SET", "a", "1")
    assert [one.heard() for one in crowd] == [[b"a"]] * 20


def test_transactions_remember_and_change(reader, other):
    for command in ["MULTI", "GET a", "MGET b c", "EXEC"]:
        reader(*command.split())
    for command in ["MULTI", "SET c 1", "INCR a", "INCR a", "EXEC"]:
        other(*command.split())
    assert sorted([reader.heard(), reader.heard()]) == [[b"a"], [b"c"]]
    assert reader.all_heard(other) == [], "b has not changed"


def test_what_a_transaction_reads_before_its_own_change_is_heard(reader, other):
    for command in ["MULTI", "GET a", "SET a 1", "GET a", "EXEC"]:
        reader(*command.split())
    assert reader.heard() == [b"a"]
    other("SET", "a", "2")
    assert reader.heard() == [b"a"]


def test_a_key_that_ends_is_heard(reader, other):
    other("SET", "a", "1", "PX", "150")
    reader("GET", "a")
    assert reader.heard() == [b"a"]


def test_a_key_that_ended_and_that_somebody_looks_at_is_heard(reader, other):
    other("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    try:
        other("SET", "a", "1", "PX", "50")
        reader("GET", "a")
        time.sleep(0.1)
        other("GET", "a")
        assert reader.heard() == [b"a"]
    finally:
        other("DEBUG", "SET-ACTIVE-EXPIRE", "1")


@pytest.mark.parametrize("flush", ["FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC"])
def test_a_flush_makes_everything_invalid_for_everybody(readers, other, flush):
    a, b, c = readers(), readers("NOLOOP"), readers("BCAST", "PREFIX", "p")
    a("GET", "a")
    wait_until(lambda: figures(other)["tracking_total_keys"] == 1)
    other(*flush.split())
    assert [a.heard(), b.heard(), c.heard()] == [None, None, None]
    assert figures(other)["tracking_total_keys"] == figures(other)["tracking_total_items"] == 0
    b("FLUSHDB")
    assert [a.heard(), b.heard(), c.heard()] == [None, None, None]


def test_databases_that_change_places_are_not_heard(reader, other):
    reader("GET", "a")
    other("SWAPDB", "0", "1")
    assert reader.all_heard(other) == []


# How a client tracks.

def test_off_and_reset_end_it(reader, other):
    for end in [("CLIENT", "TRACKING", "OFF"), ("RESET",)]:
        reader("GET", "a")
        reader(*end)
        assert figures(other)["tracking_clients"] == 0
        if reader.protocol == 3:
            reader("HELLO", 3)
        assert reader.info() == ("off", -1, [])
        other("SET", "a", "1")
        for _ in range(20):
            reader("PING")
        assert not reader.messages
        reader.track()


def test_who_has_gone_is_forgotten(readers, other):
    one = readers()
    one("GET", "a")
    one.close()
    wait_until(lambda: figures(other)["tracking_clients"] == 0)
    other("SET", "a", "1")
    assert other("PING") == Status(b"PONG")


def test_noloop_spares_ones_own_changes(readers, other):
    reader = readers("NOLOOP")
    reader("MGET", "a", "b")
    reader("SET", "a", "1")
    for command in ["MULTI", "SET b 1", "EXEC"]:
        reader(*command.split())
    other("SET", "a", "1")
    assert reader.all_heard(other) == []
    reader("GET", "a")
    other("SET", "a", "1")
    assert reader.heard() == [b"a"]


@pytest.mark.tarn_only  # Redis takes the end for the change of whoever looks
def test_noloop_does_not_spare_the_end_of_a_key(readers, other):
    reader = readers("NOLOOP")
    other("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    try:
        other("SET", "a", "1", "PX", "50")
        reader("GET", "a")
        time.sleep(0.1)
        reader("EXISTS", "a")
        assert reader.heard() == [b"a"]
    finally:
        other("DEBUG", "SET-ACTIVE-EXPIRE", "1")


@pytest.mark.needs("HPEXPIRE")
def test_the_end_of_a_field_is_heard(readers, other):
    reader = readers("NOLOOP")
    other("HSET", "h", "f", "1", "g", "1")
    other("HPEXPIRE", "h", "150", "FIELDS", "1", "f")
    reader("HGETALL", "h")
    assert reader.heard() == [b"h"]


def test_optin_remembers_what_is_announced(readers, other):
    reader = readers("OPTIN")
    reader("GET", "a")
    assert reader("CLIENT", "CACHING", "YES") == OK
    assert reader.info()[0] == "on optin caching-yes"
    reader("GET", "b")
    reader("GET", "c")
    assert reader.info()[0] == "on optin"
    other("MSET", "a", "1", "b", "1", "c", "1")
    assert reader.heard() == [b"b"]
    reader("CLIENT", "CACHING", "YES")
    for command in ["MULTI", "GET a", "GET b", "EXEC"]:
        reader(*command.split())
    reader("GET", "c")
    other("MSET", "c", "1", "b", "1")
    other("SET", "a", "1")
    assert [reader.heard(), reader.heard()] == [[b"b"], [b"a"]]


@pytest.mark.parametrize("command", ["PING", "NOSUCH", "GET", "SET x 1", "CLIENT NOSUCH"])
def test_the_announcement_is_for_the_next_command(readers, other, command):
    reader = readers("OPTIN")
    reader("CLIENT", "CACHING", "YES")
    reader(*command.split())
    assert reader.info()[0] == "on optin"


def test_optout_leaves_out_what_is_announced(readers, other):
    reader = readers("OPTOUT")
    reader("GET", "a")
    assert reader("CLIENT", "CACHING", "NO") == OK
    assert reader.info()[0] == "on optout caching-no"
    reader("GET", "b")
    reader("GET", "c")
    other("MSET", "a", "1", "b", "1", "c", "1")
    assert sorted([reader.heard(), reader.heard()]) == [[b"a"], [b"c"]]
    assert reader.all_heard(other) == []


# Broadcast.

def drain_keys(reader, last):
    """All names up to the one that is known to come last."""
    names = []
    while last not in names:
        names += reader.heard()
    return sorted(names)


def test_broadcast_tells_of_all_keys(readers, other):
    reader = readers("BCAST")
    assert reader.info() == ("on bcast", reader.ear_id if reader.protocol == 2 else 0, [b""])
    other("MSET", "b", "1", "a", "2")
    other("SET", "z", "1")
    assert drain_keys(reader, b"z") == [b"a", b"b", b"z"]


def test_broadcast_tells_of_keys_with_its_prefixes(readers, other):
    reader = readers("BCAST", "PREFIX", "p", "PREFIX", "long:")
    other("MSET", "p", "1", "q", "2", "pp", "3", "lon", "1", "long:1", "1", "long", "2")
    other("SET", "long:2", "1")
    other("SET", "pz", "1")
    names = []
    while b"pz" not in names:
        message = reader.heard()
        assert len({name[:1] for name in message}) == 1, "a message is of one prefix"
        names += message
    assert sorted(names) == [b"long:1", b"long:2", b"p", b"pp", b"pz"]


def test_broadcast_names_a_key_once_per_command(readers, other):
    reader = readers("BCAST")
    for command in ["MULTI", "SET b 1", "SET a 1", "RPUSH l x", "DEL b", "LPOP l", "SET b 2", "EXEC"]:
        other(*command.split())
    assert reader.heard() == [b"a", b"b", b"l"]


def test_broadcast_with_noloop(readers, other):
    quiet, loud = readers("BCAST", "NOLOOP"), readers("BCAST")
    quiet("MSET", "a", "1", "b", "2")
    assert loud.heard() == [b"a", b"b"]
    other("SET", "z", "1")
    assert quiet.heard() == [b"z"]


def test_prefixes_add_up_and_are_counted_once(readers, other):
    a, b = readers("BCAST", "PREFIX", "y", "PREFIX", "x"), readers("BCAST", "PREFIX", "x")
    a.track("BCAST", "PREFIX", "w")
    assert a.info()[2] == [b"w", b"x", b"y"]
    counted = figures(other)
    assert (counted["tracking_total_prefixes"], counted["tracking_clients"]) == (3, 2)
    a("CLIENT", "TRACKING", "OFF")
    assert figures(other)["tracking_total_prefixes"] == 1
    a.track("BCAST", "PREFIX", "x")
    other("SET", "xx", "1")
    assert a.heard() == b.heard() == [b"xx"]


def test_many_prefixes(readers, other):
    many = [["PREFIX", f"{i:05}:"] for i in range(3000)]
    reader = readers("BCAST", *sum(many, []))
    assert len(reader.info()[2]) == 3000
    other("SET", "01234:x", "1")
    assert reader.heard() == [b"01234:x"]
    assert reader("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "02999:y").startswith(b"ERR Prefix '02999:y' overlaps with an existing")
    for i in range(100):
        reader("CLIENT", "TRACKING", "OFF")
        reader.track("BCAST", "PREFIX", f"once{i}")
    assert figures(other)["tracking_total_prefixes"] == 1


# Redirection.

def test_redirection_to_resp3_is_a_push(server, other):
    with server.wire(3) as ear, server.wire(2) as c:
        c("CLIENT", "TRACKING", "ON", "REDIRECT", ear("CLIENT", "ID"))
        assert c("CLIENT", "GETREDIR") == ear("CLIENT", "ID")
        c("GET", "a")
        other("SET", "a", "1")
        assert ear.read() == Push((b"invalidate", [b"a"]))


def test_redirection_to_resp2_wants_a_subscriber(server, other):
    with server.wire(2) as ear, server.wire(3) as c:
        c("CLIENT", "TRACKING", "ON", "REDIRECT", ear("CLIENT", "ID"))
        c("GET", "a")
        other("SET", "a", "1")
        assert ear("PING") == Status(b"PONG")
        ear("SUBSCRIBE", "any")
        c("GET", "a")
        other("SET", "a", "1")
        assert ear.read() == [b"message", b"__redis__:invalidate", [b"a"]]


def test_redirection_to_itself(readers, other):
    reader = readers(version=3)
    reader("CLIENT", "TRACKING", "ON", "REDIRECT", reader("CLIENT", "ID"))
    reader("GET", "a")
    other("SET", "a", "1")
    assert reader.heard() == [b"a"]


def test_a_broken_redirection_is_said(server, other):
    c, ear = server.wire(3), server.wire(3)
    target = ear("CLIENT", "ID")
    c("CLIENT", "TRACKING", "ON", "REDIRECT", target)
    ear.close()
    wait_until(lambda: b"id=%d " % target not in other("CLIENT", "LIST"))
    for change in [("SET", "a", "1"), ("SET", "a", "2"), ("FLUSHALL",)]:
        c("GET", "a")
        other(*change)
        assert c.read() == Push((BROKEN, target))
    line = c("CLIENT", "INFO").text.decode()
    assert "flags=tR " in line and f"redir={target} " in line
    assert b"broken_redirect" in dict(c("CLIENT", "TRACKINGINFO").pairs)[b"flags"].members
    assert c("CLIENT", "TRACKING", "ON") == OK
    c("GET", "a")
    other("SET", "a", "1")
    assert c.read() == Push((b"invalidate", [b"a"]))
    c.close()


def test_resp2_alone_hears_nothing(server, other):
    with server.wire(2) as c:
        c("CLIENT", "TRACKING", "ON")
        c("GET", "a")
        other("SET", "a", "1")
        assert c("PING") == Status(b"PONG")
        assert c("CLIENT", "GETREDIR") == 0


# Errors and figures.

ERRORS = [
    ("ON PREFIX a", "ERR PREFIX option requires BCAST mode to be enabled"),
    ("ON BCAST OPTIN", "ERR OPTIN and OPTOUT are not compatible with BCAST"),
    ("ON BCAST OPTOUT", "ERR OPTIN and OPTOUT are not compatible with BCAST"),
    ("ON OPTIN OPTOUT BCAST", "ERR OPTIN and OPTOUT are not compatible with BCAST"),
    ("ON OPTIN OPTOUT", "ERR You can't specify both OPTIN mode and OPTOUT mode"),
    ("ON REDIRECT 99999", "ERR The client ID you want redirect to does not exist"),
    ("OFF REDIRECT 99999", "ERR The client ID you want redirect to does not exist"),
    ("MAYBE REDIRECT 99999", "ERR The client ID you want redirect to does not exist"),
    ("ON REDIRECT 0", "ERR The client ID you want redirect to does not exist"),
    ("ON REDIRECT -1", "ERR The client ID you want redirect to does not exist"),
    ("ON REDIRECT x", "ERR value is not an integer or out of range"),
    ("ON REDIRECT", "ERR syntax error"), ("ON PREFIX", "ERR syntax error"), ("ON BCAST PREFIX", "ERR syntax error"),
    ("MAYBE", "ERR syntax error"), ("ON FOO", "ERR syntax error"), ("OFF FOO", "ERR syntax error"),
    ("ON BCAST PREFIX a PREFIX a", "ERR Prefix 'a' overlaps with another provided prefix 'a'. Prefixes for a single client must not overlap."),
    ("ON BCAST PREFIX ab PREFIX a", "ERR Prefix 'ab' overlaps with another provided prefix 'a'. Prefixes for a single client must not overlap."),
]


@pytest.mark.protocols(3)
@pytest.mark.parametrize("options, error", ERRORS)
def test_errors_of_tracking(wire, options, error):
    assert wire("CLIENT", "TRACKING", *options.split()) == Error(error.encode())
    assert wire("CLIENT", "GETREDIR") == -1


@pytest.mark.tarn_only  # Redis 7.0 says so once for each pair, which is more replies than commands
@pytest.mark.protocols(3)
def test_several_overlaps_are_one_error(wire):
    expected = b"ERR Prefix 'a' overlaps with another provided prefix 'ab'. Prefixes for a single client must not overlap."
    options = "PREFIX x PREFIX a PREFIX y PREFIX ab PREFIX abc PREFIX z"
    assert wire("CLIENT", "TRACKING", "ON", "BCAST", *options.split()) == Error(expected)
    assert wire("CLIENT", "GETREDIR") == -1


SWITCHES = [
    ("", "BCAST", "BCAST mode on/off"), ("BCAST", "", "BCAST mode on/off"), ("OPTIN", "BCAST", "BCAST mode on/off"),
    ("OPTIN", "OPTOUT", "OPTIN/OPTOUT mode"), ("OPTOUT", "OPTIN", "OPTIN/OPTOUT mode"),
    ("OPTIN", "", None), ("", "OPTOUT", None), ("NOLOOP", "", None), ("BCAST PREFIX a", "BCAST", None),
]


@pytest.mark.protocols(3)
@pytest.mark.parametrize("first, second, refused", SWITCHES)
def test_switching_modes(wire, first, second, refused):
    assert wire("CLIENT", "TRACKING", "ON", *first.split()) == OK
    error = (f"ERR You can't switch {refused} before disabling tracking for this client, and then re-enabling it with a different mode.")
    assert wire("CLIENT", "TRACKING", "ON", *second.split()) == (Error(error.encode()) if refused else OK)


@pytest.mark.protocols(3)
def test_overlaps_with_what_the_client_has(wire):
    wire("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "b", "PREFIX", "dd")
    for given, mine, theirs in [("PREFIX bc", "bc", "b"), ("PREFIX d", "d", "dd"), ("PREFIX a PREFIX b", "b", "b"), ("PREFIX dd", "dd", "dd")]:
        expected = f"ERR Prefix '{mine}' overlaps with an existing prefix '{theirs}'. Prefixes for a single client must not overlap."
        assert wire("CLIENT", "TRACKING", "ON", "BCAST", *given.split()) == Error(expected.encode())
    assert wire("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a", "PREFIX", "c", "PREFIX", "de") == OK


@pytest.mark.protocols(3)
def test_errors_of_caching(wire):
    off = b"ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
    yes = b"ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
    no = b"ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
    assert wire("CLIENT", "CACHING", "YES") == wire("CLIENT", "CACHING", "maybe") == Error(off)
    wire("CLIENT", "TRACKING", "ON")
    assert [wire("CLIENT", "CACHING", "YES"), wire("CLIENT", "CACHING", "NO")] == [Error(yes), Error(no)]
    assert wire("CLIENT", "CACHING", "maybe") == Error(b"ERR syntax error")


def test_client_list_shows_it(readers, other):
    reader = readers("BCAST")
    line = next(line for line in other("CLIENT", "LIST").splitlines() if b"cmd=client|tracking" in line)
    assert b" flags=tB " in line and b" redir=%d " % (reader.ear_id if reader.protocol == 2 else 0) in line


def test_figures(readers, other):
    a, b = readers(), readers()
    a("MGET", "a", "b")
    b("GET", "a")
    assert figures(other) == {"tracking_clients": 2, "tracking_total_keys": 2, "tracking_total_items": 3, "tracking_total_prefixes": 0}
    other("SET", "a", "1")
    assert figures(other)["tracking_total_keys"] == figures(other)["tracking_total_items"] == 1


# The limit.

def test_beyond_the_limit_keys_are_invalid_early(reader, other, settings):
    settings(tracking_table_max_keys="100")
    for i in range(1000):
        reader("GET", f"k{i}")
    wait_until(lambda: figures(other)["tracking_total_keys"] <= 100)
    early = set()
    while len(early) < 900:
        early.update(reader.heard())
    assert figures(other)["tracking_total_keys"] == 100
    for i in range(1000):
        other("SET", f"k{i}", "1")
    rest = set()
    while len(rest) < 100:
        rest.update(reader.heard())
    assert len(early | rest) == 1000, "each key was invalidated once"


def test_a_lower_limit_takes_effect(reader, other, settings):
    settings(tracking_table_max_keys="0")
    reader("MGET", *(f"k{i}" for i in range(5000)))
    assert figures(other)["tracking_total_keys"] == 5000
    settings(tracking_table_max_keys="10")
    wait_until(lambda: figures(other)["tracking_total_keys"] == 10)
    early = set()
    while len(early) < 4990:
        early.update(reader.heard())


# Libraries.

@pytest.mark.tarn_only  # redis-py wants the HELLO of a newer server
@pytest.mark.protocols(3)
def test_the_cache_of_redis_py(server, other):
    from redis.cache import CacheConfig
    client = redis.Redis(port=server.port, protocol=3, decode_responses=True, cache_config=CacheConfig(max_size=100))
    other("SET", "a", "1")
    other("HSET", "h", "f", "v")
    assert client.get("a") == "1" and client.hgetall("h") == {"f": "v"}
    cache = client.get_cache()
    assert cache.size == 2

    def gets():
        with server.client() as asking:
            return asking.info("commandstats")["cmdstat_get"]
    before = figures(other), gets()
    for _ in range(10):
        assert client.get("a") == "1"
    assert gets() == before[1], "the cache has answered"
    for i in range(20):
        other("SET", "a", str(i))
        wait_until(lambda: client.get("a") == str(i))
    other("DEL", "h")
    wait_until(lambda: client.hgetall("h") == {})
    other("FLUSHALL")
    wait_until(lambda: client.get("a") is None)
    client.close()


# Torture: caches that obey what they hear.

class CachingReader(Reader):
    """Fills a cache, and takes out what it hears to be invalid."""

    KEYS = [f"key{i}" for i in range(200)]

    def __init__(self, server, protocol, seed, *options):
        super().__init__(server, protocol, *options)
        self.cache, self.random, self.marks = {}, random.Random(seed), set()
        self.invalidations = 0

    def obey(self, names):
        self.invalidations += 1
        if names is None:
            self.cache.clear()
        for name in names or ():
            self.cache.pop(name, None)
            self.marks.add(name)

    def obey_all(self):
        while self.messages:
            self.obey(self.heard())
        if self.protocol == 3:
            return
        self.ear.socket.setblocking(False)
        try:
            while self.ear.file.peek(1):
                self.ear.socket.setblocking(True)
                self.obey(self.heard())
                self.ear.socket.setblocking(False)
        except (BlockingIOError, TypeError):
            pass
        self.ear.socket.setblocking(True)

    def read_keys(self, names):
        how = self.random.randrange(3)
        if how == 0:
            values = [self("GET", name) for name in names]
        elif how == 1:
            values = self("MGET", *names)
        else:
            for command in [("MULTI",)] + [("GET", name) for name in names]:
                self(*command)
            values = self("EXEC")
        for name, value in zip(names, values):
            self.cache[name.encode()] = value
        # A message for an earlier read may be among these: then the value is read again some time, no harm done.
        self.obey_all()

    def run(self, stop, failures):
        try:
            while not stop.is_set():
                self.read_keys(self.random.sample(self.KEYS, self.random.randrange(1, 20)))
        except Exception as error:  # noqa: BLE001, it fails the test
            failures.append(error)

    def settle(self, writers):
        """Hears all that the writers have caused: each one's last change is of a key of its own."""
        names = [b"mark%d" % i for i in range(len(writers))]
        for name in names:
            self("GET", name)
        self.obey_all()
        self.marks.clear()
        for writer, name in zip(writers, names):
            writer("INCR", name)
        while not self.marks.issuperset(names):
            self.obey(self.heard())


def write_at_random(connection, seed, stop, failures):
    rng, keys = random.Random(seed), CachingReader.KEYS
    try:
        while not stop.is_set():
            a, b = rng.sample(keys, 2)
            how = rng.randrange(1, 100)
            if how == 1 and rng.randrange(10) == 0:
                connection("FLUSHALL")
            elif how < 40:
                connection("SET", a, rng.randrange(10**9))
            elif how < 55:
                connection("MSET", a, rng.randrange(10**9), b, rng.randrange(10**9))
            elif how < 65:
                connection("DEL", a, b)
            elif how < 75:
                connection("COPY", a, b, "REPLACE")
            elif how < 85:
                connection("RENAME", a, b)
            elif how < 95:
                connection.many([("MULTI",), ("APPEND", a, "1"), ("SET", b, rng.randrange(10**9)), ("EXEC",)])
            else:
                connection("SET", a, rng.randrange(10**9), "PX", rng.randrange(1, 20))
    except Exception as error:  # noqa: BLE001, it fails the test
        failures.append(error)


@pytest.mark.parametrize("options, limit", [("", 0), ("", 20), ("BCAST", 0), ("BCAST PREFIX key PREFIX mark", 0)],
                         ids=["remembered", "limited", "bcast", "prefix"])
def test_no_cache_is_stale_when_all_is_heard(server, protocol, settings, options, limit):
    seed = random.randrange(2**32)
    print("seed", seed)
    settings(tracking_table_max_keys=str(limit))
    with contextlib.ExitStack() as closing:
        readers = [closing.enter_context(contextlib.closing(CachingReader(server, protocol, seed + i, *options.split()))) for i in range(5)]
        writers = [closing.enter_context(server.wire()) for _ in range(4)]
        kept = 0
        for phase in range(6):
            settings(tracking_table_max_keys=str(limit))
            read_and_write(readers, writers, seed + 100 * phase)
            settings(tracking_table_max_keys="0")  # the marks must last
            kept += compare(readers, writers)
    assert kept > 0 and all(reader.invalidations > 50 for reader in readers)


def read_and_write(readers, writers, seed):
    stop, failures = threading.Event(), []
    threads = [threading.Thread(target=reader.run, args=(stop, failures)) for reader in readers]
    threads += [threading.Thread(target=write_at_random, args=(w, seed + i, stop, failures)) for i, w in enumerate(writers)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures, failures


def compare(readers, writers):
    """Hears everything and compares. How many values the caches hold."""
    # Keys that end do so by any worker's hand, whose messages the marks of the writers do not wait for.
    wait_until(lambda: b"expires=" not in (keyspace := writers[0]("INFO", "keyspace")) or b"expires=0" in keyspace)
    truth = dict(zip(map(str.encode, CachingReader.KEYS), map(value_of, writers[0]("MGET", *CachingReader.KEYS))))
    for reader in readers:
        reader.settle(writers)
        wait_until(lambda: not stale(reader, truth), timeout=5)
    return sum(len(reader.cache) for reader in readers)


def stale(reader, truth):
    reader.obey_all()
    return {name: (value, truth[name]) for name, value in reader.cache.items() if name in truth and value_of(value) != truth[name]}


def value_of(reply):
    """Nothing is nothing, in either protocol."""
    return reply if isinstance(reply, bytes) else None


def test_an_invalidation_comes_before_what_follows_the_change(wires, protocol):
    """Whoever has read the reply of a change and then makes another client ask something: that one hears of the change first,
    whichever workers the two have."""
    writer, readers = wires(protocol), [wires(3) for _ in range(8)]
    for reader in readers:
        reader("CLIENT", "TRACKING", "ON", "BCAST")
    for _ in range(200):
        writer("SET", "k", "v")
        for reader in readers:
            reader.send(request("PING"))
        for reader in readers:
            assert reader.read() == Push((b"invalidate", [b"k"]))
            assert reader.read() == Status(b"PONG")


@pytest.mark.parametrize("options", ([], ["BCAST"], ["BCAST", "PREFIX", "k"], ["NOLOOP"], ["BCAST", "NOLOOP"]), ids=" ".join)
def test_an_invalidation_comes_before_what_follows_the_change_by_way_of_others(wires, protocol, options):
    """The same for the targets of those who redirect, wherever these are."""
    writer, readers, targets = wires(protocol), [wires(protocol) for _ in range(5)], [wires(protocol) for _ in range(4)]
    numbers = [target("CLIENT", "ID") for target in targets]
    for target in targets if protocol == 2 else ():
        target("SUBSCRIBE", "__redis__:invalidate")
    for i, reader in enumerate(readers):
        assert reader("CLIENT", "TRACKING", "ON", "REDIRECT", numbers[i % len(numbers)], *options) == OK
    expected = [1 + (i + len(targets) < len(readers)) for i in range(len(targets))]
    for turn in range(100):
        for reader in readers:
            reader("GET", "k")
        if turn % 10 == 9:
            writer("FLUSHALL")
        else:
            writer("SET", "k", "v")
        for target in targets:
            target.send(request("PING"))
        for target, count in zip(targets, expected):
            heard = [target.read() for _ in range(count + 1)]
            names = [b"k"] if turn % 10 != 9 else None
            assert [names_of(message) for message in heard[:count]] == [names] * count
            assert heard[count] == (Status(b"PONG") if protocol == 3 else [b"pong", b""])


def test_redirects_come_and_go(wires, protocol):
    """Whoever changes where it redirects to, or stops, is told there from then on, whatever the change before has on its way."""
    writer, reader, ears = wires(3), wires(3), [wires(3) for _ in range(6)]
    numbers = [ear("CLIENT", "ID") for ear in ears]
    for turn in range(300):
        here = turn % 7
        words = [] if here == 6 else ["REDIRECT", numbers[here]]
        assert reader("CLIENT", "TRACKING", "ON", *words) == OK
        name = f"key:{turn}"
        reader("GET", name)
        writer("SET", name, "v")
        listener = reader if here == 6 else ears[here]
        listener.send(request("PING"))
        assert [listener.read(), listener.read()] == [Push((b"invalidate", [name.encode()])), Status(b"PONG")]
        if turn % 5 == 0:
            assert reader("CLIENT", "TRACKING", "OFF") == OK
    for listener in (reader, *ears):
        assert listener("ECHO", "the end") == b"the end"
