"""Soaks: everything at once for minutes, and millions of keys that come and go; only ./dev test --long runs them.

TARN_SOAK_SECONDS says how long each goes on (240). Nothing is asked of the speed: loops end with the time, each kind of work
must have got somewhere, and invariants are compared in the end.
"""
import time
from collections import Counter

import pytest

from tests.system import soak_games, soak_growth
from tests.system.harness import wait_until
from tests.system.rawsock import Raw
from tests.system.soak import GRACE, SECONDS, Gang, ask
from tests.system.test_concurrency import seed  # noqa: F401

pytestmark = [pytest.mark.long, pytest.mark.timeout(3 * SECONDS + 900)]

# Who listens slowly on a busy machine is not to be cut off for it.
NO_LIMIT = {"client-output-buffer-limit": ["pubsub", "0", "0", "0"]}
# What the end may have more than the beginning: samples, latencies, what the allocator keeps for itself.
SLACK_BYTES = 2 << 20


def play(server, seed, seconds, names, *intruders):
    """These games at once, until the time is over; their books are compared. The work that was done."""
    gang = Gang(server.port, seed, seconds)
    try:
        for name in names:
            soak_games.GAMES[name][0](server, gang)
        for intruder in intruders:
            gang.add(intruder)
        work, notes = gang.finish()
    finally:
        gang.end(5)
    server.check()
    for name in names:
        soak_games.GAMES[name][1](server, notes)
    return work


def settled(server, c):
    """Nobody but us is left, nothing is wrong; the memory in use when all keys are gone."""
    wait_until(lambda: ask(c, "INFO", "clients").count(b"connected_clients:1\r") == 1, timeout=60)
    clients = ask(c, "INFO", "clients")
    assert b"\r\nblocked_clients:0\r" in clients, clients
    if not server.reference:
        assert ask(c, "DEBUG", "CHECK") == b"OK"
        for name in (b"pubsub_clients", b"watching_clients", b"total_blocking_keys", b"tracking_clients"):
            assert b"\r\n%s:0\r" % name in clients, clients
    for command in (("FLUSHALL", "SYNC"), ("SCRIPT", "FLUSH", "SYNC"), ("SLOWLOG", "RESET")):
        ask(c, *command)
    return used_memory(c)


def used_memory(c):
    return soak_growth.figure(c, "memory", "used_memory")


@pytest.mark.workers(1, 4)
def test_everything_at_once(own_server, workers, seed):
    server = own_server({"threads": workers, **NO_LIMIT})
    with Raw(server.port, timeout=600) as c:
        # Once in short, for what is made once and kept.
        play(server, seed, min(5, SECONDS), soak_games.GAMES)
        before = settled(server, c)
        work = play(server, seed + 1, SECONDS, soak_games.GAMES)
        print("\n".join(f"{count:10} {kind}" for kind, count in sorted(work.items())))
        idle = [kind for kind in soak_games.kinds_of_work(server) if work[kind] == 0]
        assert not idle, f"nothing was done: {idle}"
        print(f"used_memory {before} before, {settled(server, c)} after")
        if not server.sanitized:  # a sanitizer's allocator cannot say what is in use
            wait_until(lambda: used_memory(c) < before + SLACK_BYTES, timeout=60)


# Somebody who breaks what must hold: the books of each game find it out.

def thief(*command):
    """Does this again and again."""
    def steal(c, rng, gang):
        count = 0
        while gang.on():
            c.cmd(*command)
            gang.pause(0.01)
            count += 1
        return Counter(thefts=count), None
    return steal


@pytest.mark.workers(1)
@pytest.mark.parametrize("game,command", [
    ("queue", ("LPOP", "queue:0")), ("queue", ("ZPOPMIN", "queue:scored")), ("queue", ("LMOVE", "queue:1", "queue:1", "LEFT", "RIGHT")),
    ("queue", ("RPUSH", "queue:2", "0 queue:2 0")), ("bank", ("INCR", "account:3")), ("stream", ("XTRIM", "stream:0", "MAXLEN", 0)),
    ("stream", ("XGROUP", "SETID", "stream:1", "group", "$")), ("stream", ("XADD", "stream:0", "*", "entry", "0 0")),
    ("pubsub", ("PUBLISH", "news:1", 1_000_000)), ("pubsub", ("SPUBLISH", "sharded:0", 0)), ("tracking", ("SET", "version:4", 1)),
    ("ends", ("EVAL", "for _, key in ipairs(redis.call('KEYS', 'short:*')) do redis.call('PERSIST', key) end", 0)),
    ("ends", ("EVAL", "for _, key in ipairs(redis.call('KEYS', 'short:*')) do redis.call('DEL', key) end", 0)),
    ("model", ("SADD", "model:0:set", "forged")), ("model", ("EVAL", "redis.call('RPOP', 'model:1:list')", 0)),
], ids=lambda value: " ".join(map(str, value[:2])) if isinstance(value, tuple) else value)
def test_who_breaks_the_rules_is_found_out(own_server, workers, seed, game, command):
    server = own_server({"threads": workers, **NO_LIMIT})
    with pytest.raises(AssertionError):
        play(server, seed, 3, [game], thief(*command))


# Growth and fall.

MOST_KEYS, LOADERS = 2_000_000, 4


def loaded(server, seed, most, seconds, brief=False):
    """Four processes fill the server. How many keys they made, and which numbers each of them used."""
    gang = Gang(server.port, seed, seconds)
    gang.reference = server.reference
    for ident in range(LOADERS):
        gang.add(soak_growth.load, ident, most // LOADERS, brief)
    work, notes = gang.finish()
    return work["keys"], notes["load"]


def for_all(server, seed, function, ranges, moment=soak_growth.FAR):
    gang = Gang(server.port, seed, 0)
    for first, last in ranges:
        gang.add(function, first, last, moment)
    gang.finish()


def all_end_together(server, c, seed, ranges):
    """At one moment that has come when the last of them is told of it, or comes soon after."""
    seconds, _ = map(int, ask(c, "TIME"))
    for_all(server, seed, soak_growth.end_at, ranges, (seconds + 5) * 1000)


def all_are_unlinked(server, c, seed, ranges):
    for_all(server, seed, soak_growth.unlink, ranges)


def all_are_flushed(server, c, seed, ranges):
    ask(c, "FLUSHALL", "ASYNC")


def they_come_and_go(server, c, seed, ranges):
    """They were given an end each when they were made."""


WAYS_TO_GO = (they_come_and_go, all_end_together, all_are_unlinked, all_are_flushed)


def grow_and_fall(server, c, seed, go, most, seconds):
    """One round. The figures of it: keys made, keys and bytes at the top."""
    made, ranges = loaded(server, seed, most, seconds, brief=go is they_come_and_go)
    top = made, ask(c, "DBSIZE"), used_memory(c), server.resident_bytes()
    if go is not they_come_and_go:
        assert top[1] == made
    go(server, c, seed, ranges)
    wait_until(lambda: ask(c, "DBSIZE") == 0, timeout=GRACE, pause=0.1)
    if not server.reference:
        assert ask(c, "DEBUG", "CHECK") == b"OK"
    return top


@pytest.mark.workers(4)
def test_growth_and_fall(own_server, workers, seed):
    server = own_server({"threads": workers})
    deadline = time.monotonic() + SECONDS
    with Raw(server.port, timeout=600) as c:
        for go in WAYS_TO_GO:  # what is made once and kept
            grow_and_fall(server, c, seed, go, 20_000, GRACE)
        before, resident_before, rounds = used_memory(c), server.resident_bytes(), 0
        while rounds == 0 or time.monotonic() < deadline:
            go = WAYS_TO_GO[rounds % len(WAYS_TO_GO)]
            made, keys, used, resident = grow_and_fall(server, c, seed + rounds, go, MOST_KEYS, SECONDS / 8)
            print(f"{go.__name__}: {made} keys made, {keys} there, used {used >> 20} MiB, resident {resident >> 20} MiB", end="; ")
            assert made > 0
            if not server.sanitized:
                # A hundredth of what there was, for tables that shrink by and by and what the allocator keeps ready.
                wait_until(lambda: used_memory(c) - before < SLACK_BYTES + (used - before) // 100, timeout=GRACE, pause=0.1)
                # Pages are given back by and by, if at all, where nobody asks for anything; here somebody does.
                ask(c, "MEMORY", "PURGE")
                resident_most = resident_before + (32 << 20) + (resident - resident_before) // 4
                wait_until(lambda: server.resident_bytes() < resident_most, timeout=GRACE, pause=0.1)
            print(f"then used {used_memory(c) - before:+} bytes, resident {server.resident_bytes() >> 20} MiB")
            rounds += 1
        print(f"{rounds} rounds")
