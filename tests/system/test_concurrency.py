"""Many clients at once on the same keys, with invariants that only atomic commands keep.

The clients are processes of their own, so that the server's workers really run side by side; the load is bounded by counts.
While most of these tests run, a storm of commands that touch everything (CONFIG SET, CLIENT LIST and KILL, INFO, SCAN, ...)
goes on beside them. With the reference there is one worker; what is proven there is that the tests are right.
"""
import multiprocessing
import os
import random
import traceback

import pytest

from tests.system.harness import wait_until
from tests.system.rawsock import Closed, Error, Raw, dial, encode  # noqa: F401

pytestmark = pytest.mark.workers(4)
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def seed():
    seed = int(os.environ.get("TARN_TEST_SEED", random.randrange(1 << 32)))
    print("seed", seed)
    return seed


class Crew:
    """Processes that run functions of (connection, random generator, arguments…) against one server."""

    def __init__(self, port, seed):
        self.port, self.seed = port, seed
        self.members, self.stop_event, self.storms = [], FORK.Event(), []

    def _run(self, pipe, index, function, args):
        try:
            with Raw(self.port, timeout=60) as connection:
                pipe.send(("done", function(connection, random.Random(self.seed * 1000 + index), *args)))
        except BaseException:
            pipe.send(("failed", traceback.format_exc()))

    def _start(self, function, args):
        here, there = FORK.Pipe(False)
        index = len(self.members) + len(self.storms)
        process = FORK.Process(target=self._run, args=(there, index, function, args), daemon=True)
        process.start()
        there.close()
        return process, here

    def add(self, function, *args):
        self.members.append(self._start(function, args))

    def storm(self, function, *args):
        """A function that goes on until the others are done: it gets the stop event after its generator."""
        self.storms.append(self._start(function, (self.stop_event, *args)))

    def results(self):
        """Waits for all; the members' results in their order."""
        results, failures = [], []
        for group in (self.members, self.storms):
            for process, pipe in group:
                kind, value = pipe.recv()
                process.join()
                (results if kind == "done" else failures).append(value)
            self.stop_event.set()
        assert not failures, "\n".join(failures)
        return results[:len(self.members)]

    def end(self, seconds=20):
        """Nobody is left: who does not stop within that time is killed."""
        self.stop_event.set()
        for process, _ in self.members + self.storms:
            process.join(seconds)
            if process.is_alive():
                process.kill()
                process.join()


def world_storm(c, rng, stop, port, rounds=200):
    """Commands that look at or hold everything, and victims that are killed by others' CLIENT KILL."""
    done = 0
    while not stop.is_set() and done < rounds:
        done += 1
        with Raw(port) as victim:
            ident = victim.cmd("CLIENT", "ID")
            victim.send(encode("GET", "nosuch") * 20)
            assert c.cmd("CLIENT", "KILL", "ID", ident) in (0, 1)
        assert c.cmd("CONFIG", "SET", "hz", rng.randrange(10, 50), "timeout", rng.randrange(1000, 2000)) == b"OK"
        assert b"id=" in c.cmd("CLIENT", "LIST")
        assert c.cmd("INFO", "everything").startswith(b"# Server")
        cursor = b"0"
        for _ in range(10):
            cursor, _ = c.cmd("SCAN", cursor, "COUNT", 50)
            if cursor == b"0":
                break
        c.cmd("RANDOMKEY")
        assert c.cmd("DBSIZE") >= 0
        assert isinstance(c.cmd("KEYS", "*"), list)
        assert c.cmd("CLIENT", "PAUSE", 1, "WRITE") == b"OK"
        assert isinstance(c.cmd("SLOWLOG", "GET"), list)
        assert c.cmd("SWAPDB", 8, 9) == b"OK"
        stop.wait(0.002)
    return done


@pytest.fixture
def crew(server, settings, seed, reference):
    settings(hz=10, timeout=0)
    crew = Crew(server.port, seed)
    yield crew
    crew.end()
    server.check()
    if not reference:
        with Raw(server.port) as c:
            assert c.cmd("DEBUG", "CHECK") == b"OK"


@pytest.fixture
def storm(crew, server):
    crew.storm(world_storm, server.port)


def many(connection, commands):
    """A pipeline; errors are failures."""
    replies = connection.send_and_collect(b"".join(encode(*command) for command in commands), len(commands))
    for reply in replies:
        assert not isinstance(reply, Error), reply
    return replies


# Counting

def increment(c, rng, keys, count):
    sums = dict.fromkeys(keys, 0)
    for _ in range(count // 100):
        batch = []
        for _ in range(100):
            key, amount = rng.choice(keys), rng.randrange(-50, 100)
            sums[key] += amount
            batch.append(("INCRBY", key, amount) if amount >= 0 else ("DECRBY", key, -amount))
        many(c, batch)
    return sums


def test_counters_lose_nothing(crew, storm, dial):
    keys = [f"counter:{i}" for i in range(5)]
    for _ in range(8):
        crew.add(increment, keys, 5000)
    results = crew.results()
    c = dial()
    for key in keys:
        assert int(c.cmd("GET", key)) == sum(sums[key] for sums in results)


def increments_of_one(c, rng, count):
    return [reply for _ in range(count // 100) for reply in many(c, [("INCR", "n")] * 100)]


def test_every_value_of_a_counter_is_given_once(crew, storm):
    for _ in range(6):
        crew.add(increments_of_one, 4000)
    results = crew.results()
    assert sorted(value for values in results for value in values) == list(range(1, 24_001))
    assert all(values == sorted(values) for values in results)


def append(c, rng, mark, count):
    return [reply for _ in range(count // 50) for reply in many(c, [("APPEND", "s", mark)] * 50)]


def test_appends_are_whole(crew, storm, dial):
    marks = [ch * (3 + i) for i, ch in enumerate("abcdef")]
    for mark in marks:
        crew.add(append, mark, 1500)
    results = crew.results()
    text = dial().cmd("GET", "s").decode()
    lengths = sorted(length for lengths in results for length in lengths)
    assert len(set(lengths)) == len(lengths) and lengths[-1] == len(text)
    at, counted = 0, dict.fromkeys(marks, 0)
    while at < len(text):
        mark = next(m for m in marks if m[0] == text[at])
        assert text[at:at + len(mark)] == mark
        counted[mark] += 1
        at += len(mark)
    assert counted == dict.fromkeys(marks, 1500)


def flip_bits(c, rng, mine, count):
    """Each process owns some bits of a shared byte string; nobody may lose a neighbour's."""
    state = {bit: 0 for bit in mine}
    for _ in range(count // 50):
        batch, want = [], []
        for _ in range(50):
            bit = rng.choice(mine)
            want.append(state[bit])
            state[bit] ^= 1
            batch.append(("SETBIT", "bits", bit, state[bit]))
        assert many(c, batch) == want
    return state


def test_bits_of_one_byte_belong_to_many(crew, storm, dial):
    for i in range(8):
        crew.add(flip_bits, [i, 8 + i, 4096 + i], 2000)
    c = dial()
    for state in crew.results():
        for bit, value in state.items():
            assert c.cmd("GETBIT", "bits", bit) == value


# Several keys at once

def write_pairs(c, rng, groups, count, ident):
    for n in range(count // 20):
        batch = []
        for i in range(20):
            keys = rng.choice(groups)
            value = f"{ident}:{n}:{i}"
            batch.append(("MSET", *[part for key in rng.sample(keys, len(keys)) for part in (key, value)]))
        many(c, batch)


def read_pairs(c, rng, groups, count):
    seen = 0
    for _ in range(count // 20):
        for reply in many(c, [("MGET", *rng.choice(groups)) for _ in range(20)]):
            assert len(set(reply)) == 1, reply
            seen += reply[0] is not None
    return seen


GROUPS = [[f"g{g}:{i}" for i in range(size)] for g, size in enumerate((2, 2, 3, 8, 20))]


def test_groups_are_written_and_read_as_one(crew, storm):
    for ident in range(4):
        crew.add(write_pairs, GROUPS, 1500, ident)
    for _ in range(4):
        crew.add(read_pairs, GROUPS, 2000)
    assert sum(seen for seen in crew.results() if seen) > 0


def flush(c, rng, count):
    for i in range(count):
        assert c.cmd("FLUSHALL", "ASYNC" if i % 2 else "SYNC") == b"OK"
        assert c.cmd("FLUSHDB") == b"OK"
        c.send_and_collect(encode("PING") * 20, 20)


def test_flushing_takes_whole_groups(crew, storm):
    for ident in range(3):
        crew.add(write_pairs, GROUPS, 1500, ident)
    for _ in range(4):
        crew.add(read_pairs, GROUPS, 2000)
    crew.add(flush, 100)
    crew.results()


def write_and_delete(c, rng, groups, count):
    """DEL, UNLINK, EXISTS and TOUCH of a whole group see all of it or nothing."""
    for _ in range(count // 10):
        batch, sizes = [], []
        for _ in range(10):
            keys = rng.choice(groups)
            verb = rng.choice(("DEL", "UNLINK", "EXISTS", "TOUCH", "MSET", "MSET", "MSETNX"))
            batch.append((verb, *keys) if not verb.startswith("MSET") else (verb, *[p for k in keys for p in (k, "x")]))
            sizes.append(len(keys))
        for (verb, *_), size, reply in zip(batch, sizes, many(c, batch)):
            assert reply == b"OK" if verb == "MSET" else reply in ((0, 1) if verb == "MSETNX" else (0, size)), (verb, reply)


def test_groups_come_and_go_as_one(crew, storm):
    for _ in range(8):
        crew.add(write_and_delete, GROUPS, 1500)
    crew.results()


def swap(c, rng, count):
    for _ in range(count):
        assert c.cmd("SWAPDB", 0, 1) == b"OK"
        assert c.cmd("SWAPDB", 1, 0) == b"OK"
        assert c.cmd("SWAPDB", 0, 1) == b"OK"


def read_either(c, rng, db, count):
    c.cmd("SELECT", db)
    seen = set()
    for _ in range(count // 20):
        for reply in many(c, [("MGET", *[f"k{i}" for i in range(20)])] * 20):
            assert len(set(reply)) == 1, reply
            seen.add(reply[0])
    return seen


def test_databases_are_swapped_at_once(crew, storm, dial):
    c = dial()
    for db, value in ((0, "zero"), (1, "one")):
        c.cmd("SELECT", db)
        c.cmd("MSET", *[p for i in range(20) for p in (f"k{i}", value)])
    crew.add(swap, 150)
    for i in range(6):
        crew.add(read_either, i % 2, 3000)
    results = crew.results()
    assert set().union(*[seen for seen in results if seen]) <= {b"zero", b"one"}


# Races with one winner

def msetnx(c, rng, rounds, ident):
    """Three sets of keys of which any two overlap: at most one of all attempts can win a round."""
    won = []
    for n in range(rounds):
        keys = rng.choice((("x", "y"), ("y", "z"), ("x", "z"), ("x", "y", "z")))
        if many(c, [("MSETNX", *[p for k in keys for p in (f"{k}:{n}", f"{ident}")])])[0] == 1:
            won.append((n, keys))
    return won


def test_msetnx_has_one_winner(crew, storm, dial):
    rounds = 400
    for ident in range(6):
        crew.add(msetnx, rounds, ident)
    results = crew.results()
    winners = {}
    for ident, won in enumerate(results):
        for n, keys in won:
            assert n not in winners, "two winners"
            winners[n] = (ident, keys)
    assert len(winners) == rounds
    c = dial()
    for n, (ident, keys) in winners.items():
        got = dict(zip("xyz", c.cmd("MGET", *[f"{k}:{n}" for k in "xyz"])))
        assert got == {k: b"%d" % ident if k in keys else None for k in "xyz"}


def claim(c, rng, rounds, ident, form):
    replies = many(c, [[a.format(n=n, me=ident) for a in form] for n in range(rounds)])
    return [n for n, reply in enumerate(replies) if reply in (1, b"OK")]


@pytest.mark.parametrize("form", [
    ("SETNX", "lock:{n}", "{me}"), ("SET", "lock:{n}", "{me}", "NX"), ("SET", "lock:{n}", "{me}", "PX", "1000000", "NX"),
    ("RENAMENX", "mine:{me}:{n}", "lock:{n}"), ("COPY", "mine:{me}:{n}", "lock:{n}"),
], ids=lambda form: " ".join(form).split(":")[0])
def test_one_winner_each(crew, dial, form):
    rounds, c = 1000, dial()
    if form[0] in ("RENAMENX", "COPY"):
        for ident in range(5):
            c.send_and_collect(b"".join(encode("SET", f"mine:{ident}:{n}", ident) for n in range(rounds)), rounds)
    for ident in range(5):
        crew.add(claim, rounds, ident, form)
    results = crew.results()
    owners = {}
    for ident, won in enumerate(results):
        for n in won:
            assert n not in owners
            owners[n] = b"%d" % ident
    assert len(owners) == rounds
    assert c.send_and_collect(encode("MGET", *[f"lock:{n}" for n in range(rounds)]), 1)[0] == [
        owners[n] for n in range(rounds)]


def take(c, rng, rounds, verb):
    return [reply for reply in many(c, [(verb, f"item:{n}") for n in range(rounds)]) if reply]


def test_getdel_gives_each_value_once(crew, storm, dial):
    rounds = 3000
    c = dial()
    c.send_and_collect(b"".join(encode("SET", f"item:{n}", n) for n in range(rounds)), rounds)
    for _ in range(6):
        crew.add(take, rounds, "GETDEL")
    got = [value for values in crew.results() for value in values]
    assert sorted(map(int, got)) == list(range(rounds))
    assert c.cmd("DBSIZE") == 0


def exchange(c, rng, count, ident, form):
    return many(c, [(*form[:2], f"{ident}:{n}", *form[2:]) for n in range(count)])


@pytest.mark.parametrize("form", [("GETSET", "chain"), ("SET", "chain", "GET")], ids=["GETSET", "SET GET"])
def test_old_values_form_one_chain(crew, storm, dial, form):
    """Every write gives the value before it: no value may be given twice or never."""
    for ident in range(6):
        crew.add(exchange, 2000, ident, form)
    given = [value for values in crew.results() for value in values]
    given.append(dial().cmd("GET", "chain"))
    assert given.count(None) == 1
    written = {b"%d:%d" % (ident, n) for ident in range(6) for n in range(2000)}
    values = [value for value in given if value is not None]
    assert len(values) == len(set(values)) and set(values) == written


@pytest.mark.tarn_only
def test_compare_and_set_loses_no_update(crew, storm, dial):
    dial().cmd("SET", "cas", 0)
    for _ in range(6):
        crew.add(compare_and_set, 300)
    crew.results()
    assert dial().cmd("GET", "cas") == b"1800"


def compare_and_set(c, rng, wanted):
    done = 0
    while done < wanted:
        old = c.cmd("GET", "cas")
        done += c.cmd("SET", "cas", int(old) + 1, "IFEQ", old) == b"OK"


@pytest.mark.tarn_only
def test_msetex_and_delex_are_whole(crew, storm):
    for _ in range(6):
        crew.add(msetex_and_delex, 1500)
    crew.results()


def msetex_and_delex(c, rng, count):
    keys = [f"mx{i}" for i in range(5)]
    for _ in range(count // 10):
        batch = []
        for _ in range(10):
            value = f"{rng.randrange(1 << 30)}"
            batch.append(rng.choice((("MSETEX", 5, *[p for k in keys for p in (k, value)], "PX", 100_000),
                                     ("MGET", *keys), ("DEL", *keys), ("DELEX", "other", "IFEQ", value))))
        for command, reply in zip(batch, many(c, batch)):
            if command[0] == "MGET":
                assert len(set(reply)) == 1, reply
            if command[0] == "DEL":
                assert reply in (0, 5)


# Keys that wander

def rename_around(c, rng, slots, count):
    moved = 0
    for _ in range(count // 50):
        batch = []
        for _ in range(50):
            a, b = rng.sample(slots, 2)
            batch.append(("RENAMENX", a, b))
        replies = c.send_and_collect(b"".join(encode(*command) for command in batch), 50)
        for reply in replies:
            assert reply in (0, 1, b"ERR no such key"), reply
            moved += reply == 1
    return moved


def test_renaming_conserves_keys(crew, storm, dial):
    c = dial()
    slots = [f"slot:{i}" for i in range(40)]
    tokens = {b"token:%d" % i for i in range(15)}
    c.cmd("MSET", *[p for slot, token in zip(slots, sorted(tokens)) for p in (slot, token)])
    for _ in range(8):
        crew.add(rename_around, slots, 2500)
    assert sum(crew.results()) > 0
    values = [value for value in c.cmd("MGET", *slots) if value is not None]
    assert len(values) == 15 and set(values) == tokens
    assert c.cmd("DBSIZE") == 15


def rename_in_a_ring(c, rng, ring, count):
    for _ in range(count // 50):
        start = rng.randrange(len(ring))
        batch = [("RENAME", ring[(start + i) % len(ring)], ring[(start + i + 1) % len(ring)]) for i in range(50)]
        for reply in c.send_and_collect(b"".join(encode(*command) for command in batch), 50):
            assert reply in (b"OK", b"ERR no such key"), reply


def test_renaming_over_each_other_ends_with_one_key_at_least(crew, storm, dial):
    """RENAME overwrites: keys may get fewer, never more, and never none."""
    ring = [f"ring:{i}" for i in range(10)]
    c = dial()
    c.cmd("MSET", *[p for key in ring for p in (key, key)])
    for _ in range(8):
        crew.add(rename_in_a_ring, ring, 2000)
    crew.results()
    left = [value for value in c.cmd("MGET", *ring) if value]
    assert 1 <= len(left) <= 10 and len(set(left)) == len(left)
    assert c.cmd("DBSIZE") == len(left)


def move_to(c, rng, count, source, target):
    c.cmd("SELECT", source)
    return sum(reply for _ in range(count // 50) for reply in many(c, [("MOVE", "wanderer", target)] * 50))


def test_a_moved_key_is_in_one_database(crew, dial):
    c = dial()
    c.cmd("SET", "wanderer", "I am one", "EX", 1000)
    for i in range(6):
        crew.add(move_to, 3000, i % 3, (i + 1) % 3)
    moved = crew.results()
    found = []
    for db in range(3):
        c.cmd("SELECT", db)
        if c.cmd("EXISTS", "wanderer"):
            found.append(db)
            assert c.cmd("GET", "wanderer") == b"I am one" and c.cmd("TTL", "wanderer") > 900
    assert len(found) == 1
    assert found[0] == sum(moved) % 3, "every success was one step around the circle"


def copy_pairs(c, rng, count):
    names = [f"cp{i}" for i in range(6)]
    for _ in range(count // 20):
        batch = []
        for _ in range(20):
            a, b = rng.sample(names, 2)
            value = str(rng.randrange(1 << 30)) * 20
            batch.append(rng.choice((("COPY", a, b, "REPLACE"), ("COPY", a, b), ("SET", a, value), ("DEL", a), ("GET", a),
                                     ("COPY", a, b, "DB", 3, "REPLACE"), ("STRLEN", a))))
        for command, reply in zip(batch, many(c, batch)):
            if command[0] == "GET" and reply is not None:
                assert reply == reply[:len(reply) // 20] * 20, "a value is never half of one and half of another"


def test_copies_are_whole(crew, storm):
    for _ in range(8):
        crew.add(copy_pairs, 2000)
    crew.results()


# Expiry under load

def live_and_die(c, rng, ident, count):
    """Own keys with and without an end; gives the names that must be there afterwards."""
    stay = set()
    for n in range(count // 20):
        batch = []
        for i in range(20):
            key = f"x:{ident}:{n}:{i}"
            kind = rng.randrange(5)
            if kind == 0:
                batch += [("SET", key, "v", "PX", rng.randrange(1, 30))]
            elif kind == 1:
                batch += [("SET", key, "v"), ("PEXPIRE", key, rng.randrange(1, 30))]
            elif kind == 2:
                batch += [("SET", key, "v", "PX", 100_000), ("PERSIST", key)]
                stay.add(key.encode())
            elif kind == 3:
                batch += [("SET", key, "v", "PX", 1), ("SET", key, "again")]
                stay.add(key.encode())
            else:
                batch += [("SET", "shared", ident, "PX", rng.randrange(1, 5)), ("GET", "shared"), ("PTTL", "shared")]
        for command, reply in zip(batch, many(c, batch)):
            if command[0] == "PTTL":
                # 5 ms and what another worker's clock may be behind: it is read once for a batch of requests.
                assert reply == -2 or 0 <= reply <= 5 + 250, reply
    return stay


def test_keys_expire_under_load(crew, storm, dial):
    for ident in range(6):
        crew.add(live_and_die, ident, 3000)
    stay = set().union(*crew.results())
    c = dial()
    wait_until(lambda: c.cmd("DBSIZE") == len(stay))
    assert set(c.send_and_collect(encode("KEYS", "*"), 1)[0]) == stay
    wait_until(lambda: b",expires=0," in c.cmd("INFO", "keyspace"))


def expiring_groups(c, rng, count):
    """All keys of a group end at the same millisecond: MGET sees all of them or none."""
    for n in range(count // 5):
        batch = []
        for _ in range(5):
            value = str(rng.randrange(1 << 40))
            batch.append(("MSET", *[p for i in range(5) for p in (f"eg{i}", value)]))
            batch.append(("MGET", *[f"eg{i}" for i in range(5)]))
        for command, reply in zip(batch, many(c, batch)):
            if command[0] == "MGET":
                assert len(set(reply)) == 1, reply


def test_a_command_sees_one_time(crew, storm):
    for _ in range(6):
        crew.add(expiring_groups, 1500)
    crew.results()


# SCAN while everything changes

def churn(c, rng, ident, count):
    for n in range(count // 50):
        batch = [("SET", f"noise:{ident}:{rng.randrange(3000)}", n) if rng.random() < 0.6 else
                 ("DEL", f"noise:{ident}:{rng.randrange(3000)}") for _ in range(50)]
        many(c, batch)


def scan_all(c, rng, wanted, rounds):
    for _ in range(rounds):
        cursor, seen = b"0", set()
        while True:
            cursor, keys = c.cmd("SCAN", cursor, "COUNT", rng.choice((1, 10, 100, 1000)))
            seen.update(keys)
            if cursor == b"0":
                break
        assert not wanted - seen


def test_scan_returns_what_is_there_throughout(crew, dial):
    names = {b"fixed:%d" % i for i in range(1000)}
    dial().send_and_collect(b"".join(encode("SET", name, "v") for name in names), len(names))
    for ident in range(4):
        crew.add(churn, ident, 15_000)
    for _ in range(3):
        crew.add(scan_all, names, 4)
    crew.results()


# Clients that are killed while they work

def incr_until_killed(c, rng, port, rounds):
    """(acknowledged, sent) of INCRs on connections that somebody kills."""
    acknowledged = sent = 0
    for _ in range(rounds):
        with Raw(port) as mine:
            ident = mine.cmd("CLIENT", "ID")
            mine.send(encode("INCR", "killed") * 50)
            sent += 50
            c.cmd("CLIENT", "KILL", "ID", ident)
            try:
                while True:
                    mine.read()
                    acknowledged += 1
            except (Closed, ConnectionError):
                pass
    return acknowledged, sent


def test_killed_clients_leave_whole_commands(crew, server, dial):
    for _ in range(5):
        crew.add(incr_until_killed, server.port, 60)
    results = crew.results()
    value = int(dial().cmd("GET", "killed") or 0)
    assert sum(a for a, _ in results) <= value <= sum(s for _, s in results)
    c = dial()
    wait_until(lambda: b"cmd=incr" not in c.cmd("CLIENT", "LIST"))


def kill_each_other(c, rng, port, rounds):
    """Everybody kills everybody: also oneself, also at once."""
    for _ in range(rounds):
        try:
            with Raw(port) as mine:
                mine.send(encode("SET", "k", "v") + encode("CLIENT", "KILL", "TYPE", "normal", "SKIPME",
                                                           rng.choice(("yes", "no"))))
                mine.read_many(2)
        except (Closed, ConnectionError):
            pass


def test_everybody_kills_everybody(server, seed):
    """Without the helpers' own connections, which would be killed as well."""
    processes = [FORK.Process(target=kill_each_other, args=(None, random.Random(seed + i), server.port, 100))
                 for i in range(5)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    with Raw(server.port) as c:
        assert c.cmd("PING") == b"PONG"
        wait_until(lambda: len(c.cmd("CLIENT", "LIST").splitlines()) == 1)
    server.check()
