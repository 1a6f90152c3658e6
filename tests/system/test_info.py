"""INFO: the names that client libraries, dashboards and exporters parse, their format, and that the figures are true.
"""
import re
import time

import pytest

from tests.system.harness import wait_until
from tests.system.rawsock import Verbatim, dial, encode  # noqa: F401

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
    "stats": "client_query_buffer_limit_disconnections client_output_buffer_limit_disconnections",
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
