"""MEMORY USAGE, STATS, DOCTOR: shapes that tools parse, and figures that grow with what they measure.
"""
import pytest

from tests.system.harness import HELP_OF_HELP, wait_until
from tests.system.rawsock import Double, Map, dial, encode  # noqa: F401

STATS = """peak.allocated total.allocated startup.allocated replication.backlog clients.slaves clients.normal cluster.links
    aof.buffer lua.caches functions.caches overhead.total keys.count keys.bytes-per-key dataset.bytes dataset.percentage
    peak.percentage allocator.allocated allocator.active allocator.resident allocator-fragmentation.ratio
    allocator-fragmentation.bytes allocator-rss.ratio allocator-rss.bytes rss-overhead.ratio rss-overhead.bytes
    fragmentation fragmentation.bytes""".split()
NEWER_STATS = """replica.fullsync.buffer script.VMs overhead.db.hashtable.lut overhead.db.hashtable.rehashing
    db.dict.rehashing.count allocator.muzzy""".split()


def test_usage(dial):
    c = dial()
    c.cmd("SET", "small", "x")
    c.cmd("SET", "big", "x" * 100_000)
    small, big = c.cmd("MEMORY", "USAGE", "small"), c.cmd("MEMORY", "USAGE", "big")
    assert 0 < small < 200
    assert 100_000 < big < 140_000
    assert c.cmd("MEMORY", "USAGE", "big", "SAMPLES", "0") == big
    assert c.cmd("memory", "usage", "big", "samples", "10") == big
    assert c.cmd("MEMORY", "USAGE", "nokey") is None


def test_usage_counts_the_name_of_the_key(dial):
    c = dial()
    c.cmd("SET", "k", "v")
    c.cmd("SET", "k" * 10_000, "v")
    assert c.cmd("MEMORY", "USAGE", "k" * 10_000) - c.cmd("MEMORY", "USAGE", "k") >= 9_900


@pytest.mark.parametrize("args, text", [
    (("USAGE", "k", "SAMPLES"), b"ERR syntax error"),
    (("USAGE", "k", "SAMPLES", "-1"), b"ERR syntax error"),
    (("USAGE", "k", "nosuch", "1"), b"ERR syntax error"),
    (("USAGE", "k", "SAMPLES", "abc"), b"ERR value is not an integer or out of range"),
    (("USAGE",), b"ERR wrong number of arguments for 'memory|usage' command"),
    (("STATS", "x"), b"ERR wrong number of arguments for 'memory|stats' command"),
    (("DOCTOR", "x"), b"ERR wrong number of arguments for 'memory|doctor' command"),
    (("nosuch",), b"ERR unknown subcommand 'nosuch'. Try MEMORY HELP."),
    ((), b"ERR wrong number of arguments for 'memory' command"),
])
def test_errors(dial, args, text):
    c = dial()
    c.cmd("SET", "k", "v")
    assert c.cmd("MEMORY", *args) == text


@pytest.mark.parametrize("version", [2, 3])
def test_stats(dial, version):
    c = dial(protocol=version)
    c.cmd("MSET", "a", "1", "b", "2")
    c.cmd("SELECT", 4)
    c.cmd("SET", "c", "3", "EX", 100)
    reply = c.cmd("MEMORY", "STATS")
    pairs = reply if isinstance(reply, Map) else list(zip(reply[::2], reply[1::2]))
    fields = {name.decode(): value for name, value in pairs}
    assert not [name for name in STATS if name not in fields]
    assert fields["keys.count"] == 3
    assert {"db.0", "db.4"} <= set(fields)
    assert fields["total.allocated"] > 0 and fields["peak.allocated"] >= fields["total.allocated"]
    for name in ("dataset.percentage", "peak.percentage", "allocator-fragmentation.ratio", "fragmentation"):
        if version == 3:
            assert isinstance(fields[name], Double)
        assert float(fields[name]) >= 0
    db = fields["db.4"] if version == 3 else list(zip(fields["db.4"][::2], fields["db.4"][1::2]))
    assert {b"overhead.hashtable.main", b"overhead.hashtable.expires"} <= {name for name, _ in db}


@pytest.mark.since("8.2.0")
def test_newer_stats(dial):
    c = dial()

    def stats():
        reply = c.cmd("MEMORY", "STATS")
        return {name.decode(): value for name, value in zip(reply[::2], reply[1::2])}
    c.send_and_collect(b"".join(encode("SET", f"k{i}", "v") for i in range(1000)), 1000)
    c.cmd("EVAL", "return 1", 0)
    fields = stats()
    assert not [name for name in NEWER_STATS if name not in fields]
    assert fields["script.VMs"] > 1000
    assert fields["overhead.db.hashtable.lut"] > 1000


def test_stats_follow_the_data(server, dial):
    c = dial()

    def total():
        reply = c.cmd("MEMORY", "STATS")
        return dict(zip(reply[::2], reply[1::2]))[b"total.allocated"]
    before = total()
    c.send_and_collect(b"".join(encode("SET", f"m{i}", b"x" * 10_000) for i in range(1000)), 1000)
    grown = total() - before
    assert c.cmd("FLUSHALL", "SYNC") == b"OK"
    if not server.sanitized:  # a sanitizer's allocator cannot say what is in use
        assert 9_900_000 < grown < 16_000_000
        wait_until(lambda: total() - before < 1_000_000)


def test_idle_servers_give_memory_back(own_server, monkeypatch):
    """Freed pages return to the system while nobody calls; as slowly as jemalloc is told, here not in its ten seconds."""
    monkeypatch.setenv("MALLOC_CONF", "dirty_decay_ms:100")
    server = own_server()
    c = server.client()
    c.all([["SET", f"k{i}", "x" * 100] for i in range(200_000)])
    full = server.resident_bytes()
    c("FLUSHALL", "SYNC")
    if not server.sanitized:
        wait_until(lambda: server.resident_bytes() < full - 10_000_000, timeout=60)
    for value in "no", "yes":
        assert c("CONFIG", "SET", "jemalloc-bg-thread", value) == b"OK"


def test_doctor_speaks(dial):
    c = dial()
    text = c.cmd("MEMORY", "DOCTOR")
    assert isinstance(text, bytes) and len(text) > 20


def test_help(dial):
    lines = dial().cmd("MEMORY", "HELP")
    assert lines[0] == b"MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    text = b"\n".join(lines)
    assert b"DOCTOR" in text and b"STATS" in text and b"USAGE <key> [SAMPLES <count>]" in text
    assert lines[-2] == b"HELP" and lines[-1] in HELP_OF_HELP


@pytest.mark.needs("MEMORY|PURGE")
def test_purge(dial):
    assert dial().cmd("MEMORY", "PURGE") == b"OK"


@pytest.mark.needs("MEMORY|MALLOC-STATS")
def test_malloc_stats(dial):
    assert len(dial().cmd("MEMORY", "MALLOC-STATS")) > 20
