"""INFO: the names that client libraries, dashboards and exporters parse, their format, and that the figures are true.
"""
import re
import time

import pytest

from tests.system.harness import wait_until
from tests.system.rawsock import Error, Raw, Verbatim, dial, encode  # noqa: F401

# The names of Redis 7.0, section by section, in which everything that parses INFO believes.
FIELDS = {
    "server": """redis_version redis_git_sha1 redis_git_dirty redis_build_id redis_mode os arch_bits monotonic_clock
        multiplexing_api atomicvar_api gcc_version process_id process_supervised run_id tcp_port server_time_usec
        uptime_in_seconds uptime_in_days hz configured_hz lru_clock executable config_file io_threads_active""",
    "clients": """connected_clients cluster_connections maxclients client_recent_max_input_buffer
        client_recent_max_output_buffer blocked_clients tracking_clients clients_in_timeout_table""",
    "memory": """used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak
        used_memory_peak_human used_memory_peak_perc used_memory_overhead used_memory_startup used_memory_dataset
        used_memory_dataset_perc allocator_allocated allocator_active allocator_resident total_system_memory
        total_system_memory_human used_memory_lua used_memory_vm_eval used_memory_lua_human used_memory_scripts_eval
        number_of_cached_scripts number_of_functions number_of_libraries used_memory_vm_functions used_memory_vm_total
        used_memory_vm_total_human used_memory_functions used_memory_scripts used_memory_scripts_human maxmemory
        maxmemory_human maxmemory_policy allocator_frag_ratio allocator_frag_bytes allocator_rss_ratio
        allocator_rss_bytes rss_overhead_ratio rss_overhead_bytes mem_fragmentation_ratio mem_fragmentation_bytes
        mem_not_counted_for_evict mem_replication_backlog mem_total_replication_buffers mem_clients_slaves
        mem_clients_normal mem_cluster_links mem_aof_buffer mem_allocator active_defrag_running
        lazyfree_pending_objects lazyfreed_objects""",
    "persistence": """loading async_loading current_cow_peak current_cow_size current_cow_size_age current_fork_perc
        current_save_keys_processed current_save_keys_total rdb_changes_since_last_save rdb_bgsave_in_progress
        rdb_last_save_time rdb_last_bgsave_status rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec rdb_saves
        rdb_last_cow_size rdb_last_load_keys_expired rdb_last_load_keys_loaded aof_enabled aof_rewrite_in_progress
        aof_rewrite_scheduled aof_last_rewrite_time_sec aof_current_rewrite_time_sec aof_last_bgrewrite_status
        aof_rewrites aof_rewrites_consecutive_failures aof_last_write_status aof_last_cow_size module_fork_in_progress
        module_fork_last_cow_size""",
    "stats": """total_connections_received total_commands_processed instantaneous_ops_per_sec total_net_input_bytes
        total_net_output_bytes total_net_repl_input_bytes total_net_repl_output_bytes instantaneous_input_kbps
        instantaneous_output_kbps instantaneous_input_repl_kbps instantaneous_output_repl_kbps rejected_connections
        sync_full sync_partial_ok sync_partial_err expired_keys expired_stale_perc expired_time_cap_reached_count
        expire_cycle_cpu_milliseconds evicted_keys evicted_clients total_eviction_exceeded_time
        current_eviction_exceeded_time keyspace_hits keyspace_misses pubsub_channels pubsub_patterns
        pubsubshard_channels latest_fork_usec total_forks migrate_cached_sockets slave_expires_tracked_keys
        active_defrag_hits active_defrag_misses active_defrag_key_hits active_defrag_key_misses
        total_active_defrag_time current_active_defrag_time tracking_total_keys tracking_total_items
        tracking_total_prefixes unexpected_error_replies total_error_replies dump_payload_sanitizations
        total_reads_processed total_writes_processed io_threaded_reads_processed io_threaded_writes_processed
        reply_buffer_shrinks reply_buffer_expands""",
    "replication": """role connected_slaves master_failover_state master_replid master_replid2 master_repl_offset
        second_repl_offset repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset repl_backlog_histlen""",
    "cpu": """used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children used_cpu_sys_main_thread
        used_cpu_user_main_thread""",
    "modules": "",
    "cluster": "cluster_enabled",
}

# What Redis 7.2 to 8 added where this server has something to say.
NEWER_FIELDS = {
    "server": "tarn_version",
    "clients": "pubsub_clients watching_clients total_blocking_keys",
    "memory": """used_memory_peak_time allocator_muzzy mem_replica_full_sync_buffer
        mem_overhead_db_hashtable_rehashing""",
    "stats": """client_query_buffer_limit_disconnections client_output_buffer_limit_disconnections evicted_scripts
        acl_access_denied_auth acl_access_denied_cmd acl_access_denied_key acl_access_denied_channel
        io_threaded_total_prefetch_batches io_threaded_total_prefetch_entries""",
}

NUMBERS = re.compile(r"-?\d+(\.\d+)?%?")
TEXTS = {"redis_version", "redis_git_sha1", "redis_build_id", "redis_mode", "os", "monotonic_clock", "multiplexing_api",
         "atomicvar_api", "gcc_version", "process_supervised", "run_id", "executable", "config_file", "maxmemory_policy",
         "mem_allocator", "rdb_last_bgsave_status", "aof_last_bgrewrite_status", "aof_last_write_status", "role",
         "master_failover_state", "master_replid", "master_replid2"}


def info(connection, *sections):
    """{section title: {name: value}}"""
    text = connection.cmd("INFO", *sections).decode()
    found, title = {}, None
    for line in text.split("\r\n"):
        if line.startswith("# "):
            title = line[2:]
            found[title] = {}
        elif line:
            assert title, f"a line before the first title: {line!r}"
            name, colon, value = line.partition(":")
            assert colon and name not in found[title], line
            found[title][name] = value
    return found


def one(connection, section):
    (_, fields), = info(connection, section).items()
    return fields


# The format

def test_the_form_of_the_text(dial):
    text = dial().cmd("INFO").decode()
    assert text.startswith("# Server\r\nredis_version:")
    assert "\n" not in text.replace("\r\n", "")
    assert "\r\n\r\n# Clients\r\n" in text
    assert text.endswith("\r\n") and not text.endswith("\r\n\r\n")


def test_resp3_gives_a_verbatim_text(dial):
    reply = dial(protocol=3).cmd("INFO", "server")
    assert isinstance(reply, Verbatim) and reply.kind == b"txt" and reply.startswith(b"# Server\r\n")


@pytest.mark.parametrize("section", sorted(FIELDS))
def test_the_names_of_every_section(dial, section, reference):
    found = info(dial(), section)
    assert [title.lower() for title in found] == ["cpu" if section == "cpu" else section]
    (_, fields), = found.items()
    want = FIELDS[section].split()
    if not reference:
        want += NEWER_FIELDS.get(section, "").split()
    assert not [name for name in want if name not in fields]


def test_values_are_of_their_kind(dial):
    c = dial()
    for section, names in FIELDS.items():
        if section == "modules":
            continue
        fields = one(c, section)
        for name in names.split():
            if name.endswith("_human"):
                assert re.fullmatch(r"\d+(\.\d\d)?[BKMGTP]", fields[name]), (name, fields[name])
            elif name not in TEXTS:
                assert NUMBERS.fullmatch(fields[name]), (name, fields[name])


def test_formats_that_are_parsed(dial):
    c = dial()
    assert re.fullmatch(r"\d+\.\d+\.\d+", one(c, "server")["redis_version"])
    assert re.fullmatch(r"[0-9a-f]{40}", one(c, "server")["run_id"])
    replication = one(c, "replication")
    assert re.fullmatch(r"[0-9a-f]{40}", replication["master_replid"])
    assert replication["master_replid2"] == "0" * 40 and replication["second_repl_offset"] == "-1"
    assert replication["role"] == "master" and replication["connected_slaves"] == "0"
    memory = one(c, "memory")
    for name in ("used_memory_peak_perc", "used_memory_dataset_perc"):
        assert re.fullmatch(r"\d+\.\d\d%", memory[name]), name
    for name in ("mem_fragmentation_ratio", "allocator_frag_ratio"):
        assert re.fullmatch(r"\d+\.\d\d", memory[name]), name
    for value in one(c, "cpu").values():
        assert re.fullmatch(r"\d+\.\d{6}", value)


@pytest.mark.tarn_only
def test_the_version_is_the_one_it_is_compatible_with(dial):
    server = one(dial(), "server")
    assert server["redis_version"] == "8.2.0"
    assert re.match(r"\d+\.\d+", server["tarn_version"])


# Sections

DEFAULT = ["Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU", "Modules", "Errorstats", "Cluster",
           "Keyspace"]
EXTRA = {"Commandstats", "Latencystats"}


def test_default_sections(dial):
    c = dial()
    assert [t for t in info(c) if t in DEFAULT] == DEFAULT
    assert not EXTRA & set(info(c))
    assert list(info(c, "default")) == list(info(c))


@pytest.mark.parametrize("word", ["all", "everything", "ALL"])
def test_all_sections(dial, word):
    titles = list(info(dial(), word))
    everything = set(DEFAULT) | EXTRA
    if word.lower() == "all":
        everything -= {"Modules"}
    assert everything <= set(titles)


def test_several_sections(dial):
    c = dial()
    assert list(info(c, "keyspace", "SERVER", "nosuch", "server")) == ["Server", "Keyspace"]
    assert set(info(c, "default", "commandstats")) == set(info(c)) | {"Commandstats"}
    assert info(c, "nosuch") == {}
    assert c.cmd("INFO", "nosuch", "neither") == b""


# True figures

def test_server(server, dial):
    c = dial()
    fields = one(c, "server")
    assert fields["process_id"] == str(server.pid)
    assert fields["tcp_port"] == str(server.port)
    assert fields["redis_mode"] == "standalone" and fields["arch_bits"] == "64"
    assert fields["multiplexing_api"] == "epoll"
    assert abs(int(fields["server_time_usec"]) / 1e6 - time.time()) < 5
    assert fields["executable"].startswith("/")
    assert fields["config_file"] == ""
    assert int(one(c, "server")["uptime_in_seconds"]) >= int(fields["uptime_in_seconds"])


def wait_for_clients(c, count):
    """Until the server counts so many; says who is there if it does not."""
    try:
        wait_until(lambda: one(c, "clients")["connected_clients"] == str(count))
    except AssertionError as e:
        counted = one(c, "clients")["connected_clients"]
        raise AssertionError(f"{counted} clients, not {count}:\n{c.cmd('CLIENT', 'LIST')}") from e


def test_connected_clients(dial):
    c = dial()
    wait_for_clients(c, 1)
    others = [dial() for _ in range(12)]
    for other in others:
        other.cmd("PING")
    assert one(c, "clients")["connected_clients"] == "13"
    before = int(one(c, "stats")["total_connections_received"])
    dial().cmd("PING")
    assert int(one(c, "stats")["total_connections_received"]) == before + 1
    for other in others:
        other.close()
    wait_for_clients(c, 2)
    assert one(c, "clients")["maxclients"] == c.cmd("CONFIG", "GET", "maxclients")[1].decode()


def test_commands_are_counted_over_all_workers(dial):
    clients = [dial() for _ in range(8)]
    c = clients[0]
    assert c.cmd("CONFIG", "RESETSTAT") == b"OK"
    for each in clients:
        each.send_and_collect(encode("SET", "k", "v") * 250 + encode("GET", "k") * 250, 500)
    assert 4000 <= int(one(c, "stats")["total_commands_processed"]) <= 4010
    stats = one(c, "commandstats")
    assert stats["cmdstat_set"].startswith("calls=2000,usec=")
    assert stats["cmdstat_get"].startswith("calls=2000,usec=")
    fields = one(c, "stats")
    assert fields["keyspace_hits"] == "2000" and fields["keyspace_misses"] == "0"
    assert int(fields["total_net_input_bytes"]) > 4000 * 20
    assert int(fields["total_net_output_bytes"]) > 4000 * 5


def test_ops_per_second(dial):
    c = dial()

    def busy():
        c.send_and_collect(encode("PING") * 1000, 1000)
        return int(one(c, "stats")["instantaneous_ops_per_sec"]) > 1000
    wait_until(busy)


def test_hits_and_misses(dial):
    c = dial()
    c.cmd("CONFIG", "RESETSTAT")
    c.cmd("SET", "k", "v")
    c.cmd("GET", "k")
    c.cmd("MGET", "k", "none", "none")
    c.cmd("EXISTS", "k", "none")
    c.cmd("STRLEN", "none")
    fields = one(c, "stats")
    assert (fields["keyspace_hits"], fields["keyspace_misses"]) == ("3", "4")


def test_object_counts_as_a_look(dial):
    c = dial()
    c.cmd("SET", "k", "v")
    c.cmd("CONFIG", "RESETSTAT")
    for word in ("ENCODING", "REFCOUNT", "IDLETIME", "FREQ"):
        c.cmd("OBJECT", word, "k")
        c.cmd("OBJECT", word, "none")
    fields = one(c, "stats")
    assert (fields["keyspace_hits"], fields["keyspace_misses"]) == ("4", "4")


# Commands of one line each, in one session, and as how many changes each counts.
CHANGES = """
SET k v=1|SET k v EX 100=1|SET k v PX 100000 GET=1|SET k v NX=0|SETEX k 100 v=1|PSETEX k 100000 v=1|GETEX k PERSIST=1|GETEX k PERSIST=0
MSET a 1 b 2 c 3=3|MSETNX a 1 d 1=0|DEL a b none=2|APPEND k x=1|SETRANGE k 0 y=1|INCR n=1|INCRBYFLOAT n 0=1|EXPIRE k 100=1|PERSIST k=1|PERSIST k=0
SETBIT b 7 1=1|SETBIT b 7 1=0|BITFIELD b SET u8 0 1 SET u8 8 0 INCRBY u8 16 1=3|BITFIELD b SET u8 0 2 SET u8 0 3=2|BITFIELD b SET u8 0 0 SET u8 40 0=2
BITFIELD bf OVERFLOW FAIL INCRBY u8 0 -1=0|RENAME k l=1|RENAMENX l m=1|COPY m k=1|MOVE m 9=1|EXPIRE k -1=1
SADD s a b c=3|SADD s a d=1|SADD s a=0|SREM s a b zz=2|SMOVE s t c=2|SREM s d=1|SADD s 1 2 3 4=4|SPOP s=1|SPOP s 2=2|SPOP s 9=1|SADD s a b=2|SUNIONSTORE u s t=1
SDIFFSTORE u none none=1|SDIFFSTORE u none none=0
HSET h a 1 b 2 c 3=3|HSET h a 1=1|HDEL h a zz=1|HDEL h b c=2|HMSET h a 1 b 2=2|HSETNX h a 1=0|HINCRBY h n 1=1
RPUSH l a b c d e f=6|LPUSHX l x y=2|LPUSHX none x=0|LREM l 0 x=1|LINSERT l BEFORE a b=1|LSET l 0 q=1|LTRIM l 0 -1=0|LTRIM l 1 -1=1|LPOP l=1|LPOP l 2=2|LPOP l 0=0
LMOVE l l LEFT RIGHT=1|LMOVE l l LEFT LEFT=1|LMOVE l q LEFT RIGHT=1|RPOPLPUSH q q2=1|BLMOVE q2 q LEFT LEFT 0=1|BRPOPLPUSH q q2 0=1|BLPOP q2 0=1|RPOP l 9=3
RPUSH l a b c=3|LMPOP 2 none l LEFT COUNT 9=3|RPUSH l 3 1 2=3|SORT l STORE sd=3|SORT none STORE sd=1|LTRIM l 5 6=3
ZADD z 1 a 2 b 3 c=3|ZADD z 1 a 5 b 6 d=2|ZADD z NX 1 a=0|ZINCRBY z 1 a=1|ZREM z a zz=1|ZPOPMIN z=1|ZPOPMAX z 9=2|ZADD z 1 a 2 b 3 c 4 d=4|ZREMRANGEBYRANK z 0 1=2
ZREMRANGEBYSCORE z -inf +inf=2|ZADD z 0 a 0 b 0 c=3|ZREMRANGEBYLEX z [a [b=2|ZMPOP 1 z MIN COUNT 5=1|ZADD z 1 a 2 b=2|BZPOPMIN z 0=1|BZMPOP 0 1 z MAX COUNT 5=1
ZADD z 1 a 2 b=2|ZUNIONSTORE y 1 z=1|ZDIFFSTORE y 2 z z=1|GEOADD g 13 38 a 15 37 b=2|GEOADD g 13 38 a=0|GEOSEARCHSTORE gd g FROMMEMBER a BYRADIUS 500 km=2
PFADD p a b c=4|PFADD p a=0|PFADD p=0|PFADD p2=1|PFMERGE p2 p=1
XADD x 1-1 f v=1|XADD x 1-2 f v=1|XADD x 1-3 f v=1|XADD x MAXLEN 3 1-4 f v=1|XADD x 1-5 f v=1|XGROUP CREATE x g 0=1|XREADGROUP GROUP g c STREAMS x >=2
XACK x g 1-2 1-3=2|XCLAIM x g c 0 1-4 1-5=2|XCLAIM x g c 0 1-4 LASTID 9-9=1|XCLAIM x g c 99999999 1-4 LASTID 10-1=1|XAUTOCLAIM x g d 0 0=3|XDEL x 1-2 1-3 9-9=2
XTRIM x MAXLEN 0=2|XSETID x 10-1=1|XGROUP DELCONSUMER x g c=1|XGROUP DESTROY x g=1|XGROUP DESTROY x g=0
FLUSHDB=all|FUNCTION FLUSH=1|PUBLISH c m=0|SCRIPT FLUSH=0|SWAPDB 0 1=1
"""
# Of what came behind 7.0, and where that counted otherwise.
CHANGES_8 = """
HSET h a 1 b 2 c 3=3|HEXPIRE h 100 FIELDS 2 a zz=1|HEXPIRE h 100 FIELDS 2 a b=2|HPERSIST h FIELDS 3 a b c=1|HGETEX h EX 100 FIELDS 2 a b=2|HGETEX h PERSIST FIELDS 2 a b=2
HGETDEL h FIELDS 2 a zz=1|HSETEX h EX 100 FIELDS 2 x 1 y 2=2|HSETEX h PXAT 1 FIELDS 2 x 1 v 2=2|HPEXPIRE h 0 FIELDS 2 b c=2
XADD x 1-1 f v=1|XADD x 1-2 f v=1|XADD x 1-3 f v=1|XADD x 1-4 f v=1|XGROUP CREATE x g 0=1|XREADGROUP GROUP g c STREAMS x 0=1|XREADGROUP GROUP g c STREAMS x >=1
XREADGROUP GROUP g c STREAMS x 0=0|XREADGROUP GROUP g d STREAMS x >=1|XDELEX x IDS 2 1-1 1-2=2|XACKDEL x g IDS 2 1-3 1-4=2
"""


@pytest.mark.parametrize("session", [CHANGES, pytest.param(CHANGES_8, marks=pytest.mark.since("8.2.0"))], ids=["7", "8"])
def test_changes_are_counted(dial, session):
    c, looker = dial(), dial()

    def changes():
        return int(one(looker, "persistence")["rdb_changes_since_last_save"])
    counted, expected = [], []
    for step in session.strip().replace("\n", "|").split("|"):
        command, _, count = step.rpartition("=")
        want = c.cmd("DBSIZE") if count == "all" else int(count)
        before = changes()
        reply = c.cmd(*command.split())
        assert not isinstance(reply, Error), (command, reply)
        counted.append((command, changes() - before))
        expected.append((command, want))
    assert counted == expected


def test_changes_of_scripts_and_of_ends_are_counted(dial):
    c = dial()

    def changes():
        return int(one(c, "persistence")["rdb_changes_since_last_save"])
    before = changes()
    c.cmd("EVAL", "redis.call('set', 'k', 1, 'EX', 100) return redis.call('sadd', 's', 1, 2)", 0)
    assert changes() == before + 3
    c.cmd("SET", "e", "v", "PX", 1)
    wait_until(lambda: c.cmd("EXISTS", "e") == 0)
    assert changes() == before + 4, "its end is no change"
    c.cmd("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() end)")
    payload = c.cmd("FUNCTION", "DUMP")
    assert changes() == before + 5
    c.cmd("FUNCTION", "DELETE", "lib")
    c.cmd("FUNCTION", "RESTORE", payload)
    c.cmd("FUNCTION", "FLUSH")
    assert changes() == before + 8


def test_expired_keys_are_counted(dial):
    c = dial()
    c.cmd("CONFIG", "RESETSTAT")
    c.send_and_collect(b"".join(encode("SET", f"e{i}", "v", "PX", 30) for i in range(50)), 50)
    wait_until(lambda: one(c, "stats")["expired_keys"] == "50")
    assert c.cmd("DBSIZE") == 0


def test_memory_follows_the_data(server, dial):
    c = dial()
    before = int(one(c, "memory")["used_memory"])
    c.send_and_collect(b"".join(encode("SET", f"m{i}", b"x" * 10_000) for i in range(1000)), 1000)
    grown = int(one(c, "memory")["used_memory"]) - before
    fields = one(c, "memory")
    assert int(fields["used_memory_peak"]) >= int(fields["used_memory"])
    assert int(fields["used_memory_rss"]) > 5_000_000
    c.cmd("FLUSHALL")
    if not server.sanitized:  # a sanitizer's allocator cannot say what is in use
        assert 9_900_000 < grown < 16_000_000
        assert int(fields["used_memory_dataset"]) > 9_900_000
        wait_until(lambda: int(one(c, "memory")["used_memory"]) - before < 1_000_000)


@pytest.mark.since("8.2.0")
def test_the_time_of_the_peak(own_server, workers):
    server = own_server({"threads": workers})
    with Raw(server.port) as c:
        assert abs(int(one(c, "memory")["used_memory_peak_time"]) - time.time()) < 60
        if server.sanitized:  # its allocator cannot say what is in use
            return
        before = int(time.time())
        c.cmd("SET", "k", b"x" * 40_000_000)
        wait_until(lambda: int(one(c, "memory")["used_memory_peak"]) > 40_000_000)
        after = time.time()
        assert before <= int(one(c, "memory")["used_memory_peak_time"]) <= after
        c.cmd("DEL", "k")
        wait_until(lambda: int(one(c, "memory")["used_memory"]) < 40_000_000)
        assert int(one(c, "memory")["used_memory_peak_time"]) <= after, "less memory is no peak"


@pytest.mark.since("8.2.0")
def test_denied_logins_are_counted(own_server, workers):
    server = own_server({"threads": workers, "requirepass": "right"})
    with Raw(server.port) as c:
        def denied():
            fields = one(c, "stats")
            return [int(fields[f"acl_access_denied_{what}"]) for what in ("auth", "cmd", "key", "channel")]
        assert c.cmd("PING").startswith(b"NOAUTH")
        assert c.cmd("AUTH", "wrong").startswith(b"WRONGPASS")
        assert c.cmd("HELLO", "2", "AUTH", "nobody", "right").startswith(b"WRONGPASS")
        assert c.cmd("AUTH", "right") == b"OK"
        assert denied() == [2, 0, 0, 0]
        with Raw(server.port) as other:
            assert other.cmd("AUTH", "default", "wrong").startswith(b"WRONGPASS")
        c.cmd("CONFIG", "RESETSTAT")
        assert denied() == [3, 0, 0, 0], "CONFIG RESETSTAT leaves them"


@pytest.mark.since("8.2.0")
def test_evicted_scripts_stand_in_stats_alone(own_server, workers):
    with Raw(own_server({"threads": workers}).port) as c:
        for i in range(520):
            c.cmd("EVAL", f"return {i}", 0)
        assert int(one(c, "stats")["evicted_scripts"]) == 20


def test_human_figures(dial, settings):
    settings(maxmemory="100mb")
    c = dial()
    try:
        assert one(c, "memory")["maxmemory_human"] == "100.00M"
    finally:
        c.cmd("CONFIG", "SET", "maxmemory", 0)
    assert one(c, "memory")["maxmemory_human"] == "0B"


# commandstats, latencystats, errorstats, keyspace

COMMAND_LINE = re.compile(r"calls=(\d+),usec=(\d+),usec_per_call=(\d+\.\d\d),rejected_calls=(\d+),failed_calls=(\d+)")


def test_commandstats(dial):
    c = dial()
    c.cmd("CONFIG", "RESETSTAT")
    c.cmd("SET", "k", "text")
    c.cmd("set", "k", "text")
    c.cmd("INCR", "k")
    c.cmd("GET")
    c.cmd("CLIENT", "ID")
    c.cmd("DEBUG", "SLEEP", "0.02")
    stats = one(c, "commandstats")
    parsed = {name: [float(n) for n in COMMAND_LINE.fullmatch(line).groups()] for name, line in stats.items()}
    assert parsed["cmdstat_set"][0] == 2 and parsed["cmdstat_set"][3:] == [0, 0]
    assert parsed["cmdstat_incr"][0] == 1 and parsed["cmdstat_incr"][3:] == [0, 1], "an error from the command"
    assert parsed["cmdstat_get"][0] == 0 and parsed["cmdstat_get"][3:] == [1, 0], "refused before it ran"
    assert parsed["cmdstat_client|id"][0] == 1
    calls, usec, per_call, _, _ = parsed["cmdstat_debug"]
    assert calls == 1 and usec >= 20_000 and abs(per_call - usec) < 1
    assert "cmdstat_strlen" not in stats, "only what was called"


def test_latencystats(dial):
    c = dial()
    c.cmd("CONFIG", "RESETSTAT")
    for _ in range(100):
        c.cmd("SET", "k", "v")
    c.cmd("DEBUG", "SLEEP", "0.02")
    stats = one(c, "latencystats")
    assert re.fullmatch(r"p50=\d+\.\d{3},p99=\d+\.\d{3},p99\.9=\d+\.\d{3}", stats["latency_percentiles_usec_set"])
    p50 = float(re.search(r"p50=([\d.]+)", stats["latency_percentiles_usec_debug"]).group(1))
    assert 20_000 <= p50 < 2_000_000


def test_latencystats_percentiles_and_switch(dial, settings):
    settings(latency_tracking_info_percentiles="50 99 99.9", latency_tracking="yes")
    c = dial()
    c.cmd("CONFIG", "SET", "latency-tracking-info-percentiles", "25 75.5")
    c.cmd("PING")
    assert re.fullmatch(r"p25=\d+\.\d{3},p75\.5=\d+\.\d{3}", one(c, "latencystats")["latency_percentiles_usec_ping"])
    c.cmd("CONFIG", "SET", "latency-tracking", "no")
    assert one(c, "latencystats") == {}


def test_errorstats(dial):
    c = dial()
    c.cmd("CONFIG", "RESETSTAT")
    c.cmd("nosuch")
    c.cmd("GET")
    c.cmd("HELLO", "9")
    c.cmd("AUTH", "nouser", "x")
    stats = one(c, "errorstats")
    assert stats == {"errorstat_ERR": "count=2", "errorstat_NOPROTO": "count=1", "errorstat_WRONGPASS": "count=1"}
    assert one(c, "stats")["total_error_replies"] == "4"


@pytest.mark.needs("LPUSH")
def test_errorstats_of_wrong_types(dial):
    c = dial()
    c.cmd("CONFIG", "RESETSTAT")
    c.cmd("LPUSH", "l", "x")
    c.cmd("GET", "l")
    assert one(c, "errorstats") == {"errorstat_WRONGTYPE": "count=1"}


def test_keyspace(dial):
    c = dial()
    assert one(c, "keyspace") == {}
    c.cmd("MSET", "a", "1", "b", "2", "c", "3")
    c.cmd("EXPIRE", "a", 1000)
    c.cmd("SELECT", 9)
    c.cmd("SET", "x", "1")
    fields = one(c, "keyspace")
    assert list(fields) == ["db0", "db9"]
    assert re.fullmatch(r"keys=3,expires=1,avg_ttl=\d+(,subexpiry=0)?", fields["db0"])
    assert re.fullmatch(r"keys=1,expires=0,avg_ttl=0(,subexpiry=0)?", fields["db9"])
    c.cmd("DEL", "x")
    assert list(one(c, "keyspace")) == ["db0"]


@pytest.mark.tarn_only
def test_keyspace_says_subexpiry(dial):
    c = dial()
    c.cmd("SET", "k", "v")
    assert one(c, "keyspace")["db0"].endswith(",subexpiry=0")


def test_avg_ttl(dial):
    """An estimate, refreshed now and then; of keys that all have one TTL it must be near that."""
    c = dial()
    c.send_and_collect(b"".join(encode("SET", f"t{i}", "v", "EX", 1000) for i in range(200)), 200)

    def average():
        return int(re.search(r"avg_ttl=(\d+)", one(c, "keyspace")["db0"]).group(1))
    wait_until(lambda: 900_000 < average() <= 1_000_000)
