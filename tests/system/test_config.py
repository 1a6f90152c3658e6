"""CONFIG GET, SET, REWRITE, RESETSTAT: every known name, all-or-nothing, and files that stay what their owner wrote.
"""
import re
import socket

import pytest

from tests.system import known_settings
from tests.system.harness import HELP_OF_HELP, Server, free_port
from tests.system.rawsock import Map, Raw, dial  # noqa: F401

SET_FAILED = b"ERR CONFIG SET failed (possibly related to argument '%s') - %s"


def get(connection, *patterns):
    reply = connection.cmd("CONFIG", "GET", *patterns)
    pairs = reply if isinstance(reply, Map) else zip(reply[::2], reply[1::2])
    return {name.decode(): value.decode() for name, value in pairs}


def put(connection, *args):
    return connection.cmd("CONFIG", "SET", *args)


# GET

def test_every_known_name_is_there(dial, reference):
    have = get(dial(), "*")
    tables = known_settings.AT_RUN_TIME + known_settings.AT_START + known_settings.PROTECTED
    names = {name for name, _ in tables} | ({name for name, _ in known_settings.NEWER} if not reference else set())
    assert not names - set(have)


def test_defaults(own_server, workers, reference):
    server = own_server({"threads": workers})
    with Raw(server.port) as c:
        have = get(c, "*")
    tables = known_settings.AT_RUN_TIME + known_settings.AT_START + known_settings.PROTECTED
    tables += [] if reference else known_settings.NEWER
    wrong = {name: (have.get(name), default) for name, default in tables
             if default is not None and have.get(name) != default}
    assert not wrong, "name: (found, wanted)"


@pytest.mark.parametrize("version", [2, 3])
def test_get_forms(dial, version):
    c = dial(protocol=version)
    assert isinstance(c.cmd("CONFIG", "GET", "maxmemory"), Map) == (version == 3)
    assert get(c, "maxmemory") == {"maxmemory": "0"}
    assert list(get(c, "MaxMemory").values()) == ["0"]
    assert get(c, "nosuch") == {}
    assert set(get(c, "maxmemory", "timeout", "maxmemory", "nosuch")) == {"maxmemory", "timeout"}
    several = get(c, "maxm*", "hz", "t?meout", "tcp-[kb]*")
    assert {"maxmemory", "maxmemory-policy", "maxmemory-samples", "hz", "timeout", "tcp-keepalive", "tcp-backlog"} <= set(several)
    assert get(c, "*max-*-entries*") == get(c, "*MAX-*-entries*")
    assert c.cmd("CONFIG", "GET") == b"ERR wrong number of arguments for 'config|get' command"


def test_get_says_each_name_once(dial):
    reply = dial().cmd("CONFIG", "GET", "timeout", "time*", "*", "timeout")
    names = reply[::2]
    assert len(names) == len(set(names))


def test_the_old_names_are_aliases(dial, settings):
    c = dial()
    settings(hash_max_listpack_entries=99)
    assert get(c, "hash-max-ziplist-entries") == {"hash-max-ziplist-entries": "99"}
    assert put(c, "hash-max-ziplist-entries", 98) == b"OK"
    assert get(c, "hash-max-*-entries") == {"hash-max-ziplist-entries": "98", "hash-max-listpack-entries": "98"}
    settings(replica_read_only="no")
    assert get(c, "slave-read-only") == {"slave-read-only": "no"}


# SET, every name

@pytest.fixture(scope="module")
def every(binary):
    """A server of this module's own, on which every setting is set."""
    with Server(binary, {"threads": 1}) as server:
        yield server


@pytest.mark.parametrize("name", [name for name, _ in known_settings.AT_RUN_TIME])
def test_what_get_says_set_takes(every, name):
    with Raw(every.port) as c:
        value = c.cmd("CONFIG", "GET", name)[1]
        assert put(c, name, value) == b"OK"
        assert c.cmd("CONFIG", "GET", name) == [name.encode(), value]
        assert put(c, name.upper(), value) == b"OK"


@pytest.mark.parametrize("name", [name for name, _ in known_settings.AT_START])
def test_what_is_read_at_start_is_immutable(every, name):
    with Raw(every.port) as c:
        value = c.cmd("CONFIG", "GET", name)[1]
        assert put(c, name, value) == SET_FAILED % (name.encode(), b"can't set immutable config")


@pytest.mark.parametrize("name", [name for name, _ in known_settings.PROTECTED])
def test_protected_settings(every, own_server, name):
    with Raw(every.port) as c:
        value = c.cmd("CONFIG", "GET", name)[1]
        assert put(c, name, value) == SET_FAILED % (name.encode(), b"can't set protected config")
    server = own_server({"enable-protected-configs": "yes"})
    with Raw(server.port) as c:
        assert put(c, name, c.cmd("CONFIG", "GET", name)[1]) == b"OK"
    server = own_server({"enable-protected-configs": "local"})
    with Raw(server.port) as c:
        assert put(c, name, c.cmd("CONFIG", "GET", name)[1]) == b"OK"


@pytest.mark.tarn_only
@pytest.mark.parametrize("name", [name for name, _ in known_settings.NEWER])
def test_newer_names_are_known_to_set(every, name):
    with Raw(every.port) as c:
        value = c.cmd("CONFIG", "GET", name)[1]
        assert put(c, name, value) in (b"OK", SET_FAILED % (name.encode(), b"can't set immutable config"))


# SET, values

@pytest.mark.parametrize("text, value", [
    ("0", 0), ("1", 1), ("100", 100), ("1b", 1), ("1k", 1000), ("1kb", 1024), ("2K", 2000), ("2KB", 2048), ("1m", 10**6),
    ("1mb", 1 << 20), ("3MB", 3 << 20), ("1g", 10**9), ("1gb", 1 << 30), ("2Gb", 2 << 30), ("10000000000", 10**10),
])
def test_units_of_memory(dial, settings, text, value):
    settings(maxmemory=text)
    assert get(dial(), "maxmemory") == {"maxmemory": str(value)}


INTEGER = b"argument couldn't be parsed into an integer"
LOGLEVELS = b"argument(s) must be one of the following: debug, verbose, notice, warning"


SINCE_8 = pytest.mark.since("8.2.0")
NOT_NEGATIVE = b"argument must be greater or equal to 0"


def newer(*row):
    return pytest.param(*row, marks=SINCE_8)


@pytest.mark.parametrize("name, value, text", [
    ("maxmemory", "1.5gb", b"argument must be a memory value"),
    ("maxmemory", "10zz", b"argument must be a memory value"),
    ("maxmemory", "abc", b"argument must be a memory value"),
    ("timeout", "abc", INTEGER),
    ("timeout", "1.0", INTEGER),
    ("timeout", "-1", b"argument must be between 0 and 2147483647 inclusive"),
    ("port", "70000", b"argument must be between 0 and 65535 inclusive"),
    ("port", "abc", INTEGER),
    ("maxclients", "0", b"argument must be between 1 and 4294967295 inclusive"),
    ("slowlog-log-slower-than", "-2", b"argument must be between -1 and 9223372036854775807 inclusive"),
    ("client-query-buffer-limit", "100", b"argument must be between 1048576 and 9223372036854775807 inclusive"),
    ("proto-max-bulk-len", "1", b"argument must be between 1048576 and 9223372036854775807 inclusive"),
    ("appendonly", "maybe", b"argument must be 'yes' or 'no'"),
    ("activerehashing", "1", b"argument must be 'yes' or 'no'"),
    ("loglevel", "loud", LOGLEVELS),
    ("maxmemory-policy", "foo", b"argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, "
     b"volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction"),
    ("save", "foo", b"Invalid save parameters"),
    ("save", "100", b"Invalid save parameters"),
    ("save", "0 1", b"Invalid save parameters"),
    ("oom-score-adj-values", "1", b"wrong number of arguments"),
    ("latency-monitor-threshold", "-1", b"argument must be between 0 and 9223372036854775807 inclusive"),
    ("hash-max-listpack-entries", "9223372036854775808", INTEGER),
    ("hash-max-listpack-value", "-1", b"argument must be a memory value"),
    ("repl-backlog-size", "0", b"argument must be between 1 and 9223372036854775807 inclusive"),
    ("repl-backlog-size", "9223372036854775808", b"argument must be between 1 and 9223372036854775807 inclusive"),
    ("repl-backlog-size", "99999999999999999999", b"argument must be between 1 and 9223372036854775807 inclusive"),
    ("auto-aof-rewrite-min-size", "18446744073709551616", b"argument must be between 0 and 9223372036854775807 inclusive"),
    ("maxmemory-clients", "101%", b"percentage argument must be less or equal to 100"),
    newer("maxmemory-samples", "0", b"argument must be between 1 and 64 inclusive"),
    newer("maxmemory-samples", "65", b"argument must be between 1 and 64 inclusive"),
    *[newer(name, value, NOT_NEGATIVE) for name, value in (
        ("maxclients", "-1"), ("max-new-connections-per-cycle", "-1"), ("max-new-tls-connections-per-cycle", "-1"),
        ("tracking-table-max-keys", "-1"), ("hash-max-listpack-entries", "-1"), ("hash-max-ziplist-entries", "-2"),
        ("set-max-intset-entries", "-1"), ("set-max-listpack-entries", "-1"), ("set-max-listpack-value", "-1"),
        ("zset-max-listpack-entries", "-1"), ("zset-max-listpack-value", "9223372036854775808"),
        ("client-query-buffer-limit", "99999999999999999999"), ("hll-sparse-max-bytes", "18446744073709551615"),
        ("maxmemory", "9223372036854775808"), ("maxmemory", "99999999999999999999"))],
    newer("set-max-listpack-value", "1kb", INTEGER),
    newer("set-max-listpack-value", "", INTEGER),
    newer("max-new-connections-per-cycle", "1001", b"argument must be between 1 and 1000 inclusive"),
    newer("locale-collate", "abc", b"Invalid locale name"),
    newer("locale-collate", "../C", b"Invalid locale name"),
    newer("cluster-announce-human-nodename", "50%", b"Announced human node name contained invalid character"),
    newer("cluster-announce-human-nodename", "a;b", b"Announced human node name contained invalid character"),
])
def test_bad_values(dial, name, value, text):
    c = dial()
    before = get(c, name)
    reply = put(c, name, value)
    reply = reply.replace(b", nothing", b"")  # Redis 8 knows one more level
    assert reply == SET_FAILED % (name.encode(), text)
    assert get(c, name) == before


def test_bad_event_classes(dial):
    c = dial()
    text = put(c, "notify-keyspace-events", "xyz!")
    assert text.startswith(SET_FAILED % (b"notify-keyspace-events", b"Invalid event class character. Use 'Ag$lshzxeKEtmdn"))
    assert get(c, "notify-keyspace-events") == {"notify-keyspace-events": ""}


@pytest.mark.parametrize("name, value, said", [
    ("appendfsync", "always", "always"), ("appendfsync", "EVERYSEC", "everysec"),
    ("loglevel", "Verbose", "verbose"),
    ("activerehashing", "NO", "no"),
    ("maxmemory-policy", "ALLKEYS-LRU", "allkeys-lru"),
    ("save", "900 1 300 10", "900 1 300 10"), ("save", "", ""),
    ("notify-keyspace-events", "KEA", "AKE"), ("notify-keyspace-events", "Kx", "xK"),
    ("hz", "100000", "500"), ("hz", "0", "1"),
    ("client-query-buffer-limit", "2mb", "2097152"),
    ("latency-tracking-info-percentiles", "50 75.5", "50 75.5"),
    ("list-max-listpack-size", "-3", "-3"),
    ("hash-max-listpack-value", "", "0"), ("hash-max-listpack-entries", "9223372036854775807", "9223372036854775807"),
    ("maxmemory", "9223372036854775807", "9223372036854775807"),
    newer("maxmemory-samples", "64", "64"), newer("set-max-listpack-value", "65", "65"),
    newer("cluster-announce-human-nodename", "a b", "a b"), newer("cluster-announce-human-nodename", "", ""),
    newer("locale-collate", "POSIX", "POSIX"), newer("locale-collate", "C", "C"),
])
def test_values_come_back_in_their_normal_form(dial, name, value, said, reference):
    c = dial()
    before = get(c, name)
    try:
        assert put(c, name, value) == b"OK"
        assert get(c, name) == {name: said}
    finally:
        put(c, name, before[name])


# SET, several

@pytest.mark.tarn_only
@pytest.mark.parametrize("name", ["maxmemory", "maxmemory-clients", "repl-backlog-size"])
@pytest.mark.parametrize("value", ["kb", "20000000000gb", "18446744073709551615kb"])
def test_no_size_wraps_around(dial, name, value):
    c = dial()
    before = get(c, name)
    assert b"argument must be a memory" in put(c, name, value)
    assert get(c, name) == before


def test_as_many_clients_as_there_can_be_files(own_server, workers):
    server = own_server({"threads": workers})
    with Raw(server.port) as c:
        before = get(c, "maxclients")
        refusal = put(c, "maxclients", 10_000_000)
        assert refusal.startswith(SET_FAILED % (
            b"maxclients", b"The operating system is not able to handle the specified number of clients, try with "))
        possible = int(refusal.split()[-1])
        assert get(c, "maxclients") == before
        assert put(c, "maxclients", possible + 1).endswith(b"try with %d" % possible)
        assert put(c, "maxclients", possible) == b"OK"
    if not server.reference:
        assert "has been reduced" not in server.log()


def test_a_port_that_is_taken_changes_nothing(own_server, workers):
    server = own_server({"threads": workers})
    with socket.socket() as taken, Raw(server.port) as c:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert put(c, "port", port) == SET_FAILED % (b"port", b"Unable to listen on this port. Check server logs.")
        server.wait_log(f"Could not create server TCP listening socket 127.0.0.1:{port}: bind: Address already in use")
        if not server.reference or b"redis_version:7.0" in c.cmd("INFO", "server"):
            server.wait_log("Failed applying new configuration. Possibly related to new port setting. "
                            "Restoring previous settings.")
        assert get(c, "port") == {"port": str(server.port)}
    with Raw(server.port) as again:
        assert again.cmd("PING") == b"PONG"
    assert "abort" not in server.log(), "it goes on, and must not say otherwise"


def test_set_several(dial, settings):
    settings(timeout=0, maxmemory=0, hz=10)
    c = dial()
    assert put(c, "timeout", 100, "maxmemory", "1gb", "hz", 20) == b"OK"
    assert get(c, "timeout", "maxmemory", "hz") == {"timeout": "100", "maxmemory": str(1 << 30), "hz": "20"}


@pytest.mark.parametrize("args, reply", [
    (("timeout", 50, "nosuch", "x"), b"ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"),
    (("timeout", 50, "maxmemory", "abc"), SET_FAILED % (b"maxmemory", b"argument must be a memory value")),
    (("timeout", 50, "hz", 20, "port", 99999), SET_FAILED % (b"port", b"argument must be between 0 and 65535 inclusive")),
    (("timeout", 50, "databases", 20), SET_FAILED % (b"databases", b"can't set immutable config")),
    (("timeout", 50, "timeout", 60), SET_FAILED % (b"timeout", b"duplicate parameter")),
    (("hz", 20, "timeout"), b"ERR syntax error"),
])
def test_all_or_nothing(dial, settings, args, reply):
    settings(timeout=7, hz=10)
    c = dial()
    assert put(c, *args) == reply
    assert get(c, "timeout", "hz", "databases", "maxmemory") == {
        "timeout": "7", "hz": "10", "databases": "16", "maxmemory": "0"}


def test_set_errors(dial):
    c = dial()
    assert put(c, "nosuch", "x") == b"ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"
    assert put(c) == b"ERR wrong number of arguments for 'config|set' command"
    assert put(c, "timeout") == b"ERR wrong number of arguments for 'config|set' command"
    assert c.cmd("CONFIG") == b"ERR wrong number of arguments for 'config' command"
    assert c.cmd("CONFIG", "nosuch") == b"ERR unknown subcommand 'nosuch'. Try CONFIG HELP."
    assert c.cmd("CONFIG", "RESETSTAT", "x") == b"ERR wrong number of arguments for 'config|resetstat' command"


def test_set_takes_effect_on_every_worker(dial, settings):
    settings(maxclients=10_000)
    others = [dial() for _ in range(8)]
    assert put(others[0], "slowlog-log-slower-than", 0, "slowlog-max-len", 500) == b"OK"
    try:
        others[0].cmd("SLOWLOG", "RESET")
        for c in others:
            c.cmd("PING")
        assert others[0].cmd("SLOWLOG", "LEN") >= 8
    finally:
        put(others[0], "slowlog-log-slower-than", 10_000, "slowlog-max-len", 128)


# RESETSTAT

def test_resetstat(dial):
    c = dial()

    def info():
        return c.cmd("INFO", "stats", "commandstats", "errorstats").decode()
    c.cmd("SET", "k", "v")
    c.cmd("GET", "k")
    c.cmd("GET", "nokey")
    c.cmd("nosuch")
    text = info()
    assert "cmdstat_get:" in text and "errorstat_ERR:" in text
    assert int(re.search(r"keyspace_hits:(\d+)", text).group(1)) > 0
    assert c.cmd("CONFIG", "RESETSTAT") == b"OK"
    text = info()
    assert "cmdstat_get:" not in text and "errorstat_ERR:" not in text
    for name in ("keyspace_hits", "keyspace_misses", "expired_keys", "evicted_keys", "total_connections_received",
                 "rejected_connections", "total_error_replies"):
        assert re.search(rf"^{name}:0\r?$", text, re.M), name
    assert int(re.search(r"total_commands_processed:(\d+)", text).group(1)) <= 3


# REWRITE

TEXT = """\
# Written by hand; keep me.
port {port}
bind 127.0.0.1
dir {dir}

# Idle clients
timeout 5
save 900 1
save 300 10
   # an indented remark
loglevel notice
maxmemory-policy "allkeys-lru"
MAXMEMORY 10mb
"""


def with_file(own_server, tmp_path, workers, text=TEXT, **extra):
    port = free_port()
    path = tmp_path / "my.conf"
    path.write_text(text.format(port=port, dir=tmp_path))
    settings = {"bind": None, "port": port, "dir": None, "unixsocket": None, "unixsocketperm": None, "save": None,
                "appendonly": None, "enable-debug-command": None, "loglevel": None}
    server = own_server(dict(settings, threads=workers, **extra), config_text=path.read_text())
    return server, server.directory / "test.conf"


def test_rewrite_keeps_comments_and_order(own_server, tmp_path, workers):
    server, path = with_file(own_server, tmp_path, workers)
    with Raw(server.port) as c:
        assert put(c, "timeout", 60, "loglevel", "verbose", "maxmemory", "20mb", "save", "60 1000",
                   "slowlog-max-len", 77) == b"OK"
        assert c.cmd("CONFIG", "REWRITE") == b"OK"
    lines = path.read_text().splitlines()
    for kept in ("# Written by hand; keep me.", "# Idle clients", "bind 127.0.0.1", "timeout 60", "save 60 1000",
                 "loglevel verbose", "slowlog-max-len 77"):
        assert kept in lines, (kept, lines)
    assert any(line.strip() == "# an indented remark" for line in lines)
    assert not [line for line in lines if line in ("timeout 5", "save 900 1", "save 300 10", "loglevel notice")]
    assert lines.index("# Idle clients") + 1 == lines.index("timeout 60"), "a line stays where it was"
    assert lines.index("slowlog-max-len 77") > lines.index("loglevel verbose"), "what is new goes to the end"
    assert [line for line in lines if line.lower().startswith("maxmemory ")] in (["maxmemory 20mb"], ["maxmemory 20971520"])


def test_a_rewritten_file_starts_the_same_server(own_server, tmp_path, workers):
    server, path = with_file(own_server, tmp_path, workers)
    changed = {"timeout": "61", "requirepass": "a b\"\\\x01\n'é", "client-output-buffer-limit":
               "normal 1048576 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", "save": "",
               "notify-keyspace-events": "AKE", "proc-title-template": "{title} {listen-addr}"}
    with Raw(server.port) as c:
        for name, value in changed.items():
            assert put(c, name, value) == b"OK", name
        before = get(c, "*")
        assert c.cmd("CONFIG", "REWRITE") == b"OK"
        assert c.cmd("CONFIG", "REWRITE") == b"OK"
    text = path.read_text()
    port = free_port()
    again = own_server({"bind": None, "port": port, "dir": None, "unixsocket": None, "unixsocketperm": None, "save": None,
                        "appendonly": None, "enable-debug-command": None, "loglevel": None, "threads": workers},
                       config_text=text)
    with Raw(again.port) as c:
        assert c.cmd("AUTH", changed["requirepass"]) == b"OK"
        after = get(c, "*")
    assert {k: v for k, v in after.items() if before[k] != v} == {"port": str(port)}


def test_rewriting_twice_changes_nothing(own_server, tmp_path, workers):
    server, path = with_file(own_server, tmp_path, workers)
    with Raw(server.port) as c:
        assert put(c, "hz", 33) == b"OK"
        assert c.cmd("CONFIG", "REWRITE") == b"OK"
        first = path.read_text()
        assert c.cmd("CONFIG", "REWRITE") == b"OK"
    assert path.read_text().rstrip("\n") == first.rstrip("\n")
    assert first.count("Generated by CONFIG REWRITE") <= 1


def test_rewrite_leaves_no_other_files(own_server, tmp_path, workers):
    server, path = with_file(own_server, tmp_path, workers)
    before = sorted(p.name for p in path.parent.iterdir())
    with Raw(server.port) as c:
        assert c.cmd("CONFIG", "REWRITE") == b"OK"
    assert sorted(p.name for p in path.parent.iterdir()) == before


def test_rewrite_without_a_file(dial):
    assert dial().cmd("CONFIG", "REWRITE") == b"ERR The server is running without a config file"


def test_help(dial):
    lines = dial().cmd("CONFIG", "HELP")
    assert lines[0] == b"CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert [line for line in lines if not line.startswith(b" ")][1:] and b"RESETSTAT" in lines and b"REWRITE" in lines
    assert lines[-2] == b"HELP" and lines[-1] in HELP_OF_HELP
