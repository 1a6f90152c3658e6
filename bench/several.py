"""The rows of more than one command or client: scripts, transactions, pub/sub, blocking hand-over; and scripts on two workers.

`run(bench, …)` is one section each; bench.py calls them in turn and keeps their figures.
"""
import hashlib
import os
import threading
import time

from servers import PROBE
from type_rows import MILLION, TypeRow

VALUE = "x" * 64
KEY = "key:{rand}"
KEYS = [(("SET", "key:{seq}", VALUE), MILLION, MILLION)]

ONE_CALL = "return redis.call('GET', KEYS[1])"
TEN_CALLS = """local n = 0
for i = 1, 5 do
  redis.call('SET', KEYS[i], ARGV[1])
  n = n + #redis.call('GET', KEYS[i])
end
return n"""
TWENTY_READS = """local n = 0
for i = 1, #KEYS do
  local value = redis.call('GET', KEYS[i])
  if value then n = n + #value end
end
return n"""
LIBRARY = """#!lua name=bench
redis.register_function('read', function(keys, args) return redis.call('GET', keys[1]) end)"""
# Takes its key for as long as it runs. A loop, since time stands still in a script.
LONG = """redis.call('SET', KEYS[1], 'mine')
local x = 0
for i = 1, tonumber(ARGV[1]) do x = (x + i) % 1000003 end
return x"""
LONG_SECONDS, PROBED_SECONDS = 2.0, 1.5


def sha(source):
    return hashlib.sha1(source.encode()).hexdigest()


TRANSACTION = ["MULTI", ";", "SET", KEY, VALUE, ";", "GET", KEY, ";", "INCR", "ctr:{rand}", ";", "EXPIRE", KEY, "3600", ";", "EXISTS", KEY, ";", "EXEC"]

ROWS = [
    TypeRow("EVAL, one call", 0.50, ["EVAL", ONE_CALL, "1", KEY], KEYS, requests=500_000),
    TypeRow("EVALSHA, ten calls", 0.50, ["EVALSHA", sha(TEN_CALLS), "5"] + [KEY] * 5 + [VALUE], KEYS, requests=200_000, before=[("SCRIPT", "LOAD", TEN_CALLS)]),
    TypeRow("FCALL, one call", 0.50, ["FCALL", "read", "1", KEY], KEYS, requests=500_000, before=[("FUNCTION", "LOAD", "REPLACE", LIBRARY)]),
    TypeRow("MULTI, five, EXEC", 0.70, TRANSACTION, KEYS, requests=200_000, spends=True),
]


def commands(bench):
    """CPU per script, function and transaction, measured as the rows of the types are."""
    rows = [row for row in ROWS if bench.wanted("several", row.name)]
    if rows:
        bench.show_rows("several", "Scripts and transactions: one worker on one core, 50 connections, pipeline 32", rows)


# Pub/sub.

SUBSCRIBERS = [(1, 400_000), (100, 20_000), (1000, 2_000)]


def publish(bench):
    if not bench.wanted("publish"):
        return
    print("\nPublish: messages of 64 bytes to one channel, one publisher, pipeline 32; thousands of messages delivered per second of the server's CPU")
    for count, messages in SUBSCRIBERS:
        messages = bench.scaled(messages)
        taken = {label: [] for label, _ in bench.subjects}
        for label, binary in bench.subjects:
            with bench.server(label, binary, settings=["--client-output-buffer-limit", "pubsub 0 0 0"]) as server:
                for _ in range(bench.options.rounds):
                    taken[label].append(delivered(bench.load, server, count, messages) / 1000)
        figures = {label: sorted(values)[len(values) // 2] for label, values in taken.items()}
        bench.keep("publish", f"{count} subscribers", wanted=1.5, **figures)
        bench.print_pair(f"{count} subscribers", figures, "k/s", "(wanted at least 1.50)")


def delivered(load, server, subscribers, messages):
    """Messages that reached a subscriber per second of the server's CPU time."""
    listening = load.start(server, ["SUBSCRIBE", "news"], connections=subscribers, requests=subscribers * messages, way=["-u"])
    if listening.stdout.readline().strip() != "ready":
        raise SystemExit(f"bench: the subscribers failed: {listening.communicate()[1].strip()}")
    before = server.cpu_us()
    load.run(server, ["PUBLISH", "news", VALUE], connections=1, pipeline=32, requests=messages)
    if "done" not in listening.communicate()[0]:
        raise SystemExit("bench: not every message arrived")
    return subscribers * messages / (server.cpu_us() - before) * 1e6


# Hand-over.

def hand_over(bench):
    if not bench.wanted("hand-over"):
        return
    print("\nHand-over: from RPUSH to the reply of a waiting BLPOP, nothing else going on; microseconds")
    count = bench.scaled(20_000)
    for name, threads, pinned in (("one worker", 1, True), ("two workers, one client each", 2, False)):
        seen = {}
        servers = [bench.server(label, binary, threads=threads, pinned=pinned) for label, binary in bench.subjects]
        try:
            for server in servers:
                server.call("PING")  # is the first connection, so that the two below go to different workers
            for turn in range(bench.options.rounds):
                for server in servers if turn % 2 == 0 else servers[::-1]:
                    result = bench.load.run(server, ["list"], connections=2, requests=count, way=["-b"], cpus=None if pinned else set(os.sched_getaffinity(0)))
                    seen.setdefault(server.label, []).append(result)
        finally:
            for server in servers:
                server.stop()
        figures = {label: sorted(result["p50_us"] for result in results)[len(results) // 2] for label, results in seen.items()}
        worst = ", ".join(f"{label} {max(result['p99_us'] for result in results):.0f}" for label, results in seen.items())
        bench.keep("hand-over", name, wanted=1.0, **figures)
        bench.print_pair(name, figures, "us p50", f"(wanted at most 1.00; p99 {worst})")


# Two workers.

def reading_scripts(bench):
    """Read-only scripts of 20 calls on declared keys; the load beside them on all cores."""
    if not bench.wanted("script-workers"):
        return
    print("\nScripts on workers: Tarn with two and with one, scripts that read 20 declared keys, the load beside them on all cores, pipeline 32")
    command = ["EVALSHA", sha(TWENTY_READS), "20"] + [KEY] * 20
    requests, everywhere = bench.scaled(100_000), set(os.sched_getaffinity(0))
    servers = [bench.server("one", bench.options.tarn, 1, pinned=False), bench.server("two", bench.options.tarn, 2, pinned=False)]
    taken = {server: [] for server in servers}
    try:
        for server in servers:
            server.call("SCRIPT", "LOAD", TWENTY_READS)
            bench.load.run(server, ["SET", "key:{seq}", VALUE], pipeline=32, requests=bench.options.keys, connections=10)
        for turn in range(bench.options.rounds):
            for server in servers if turn % 2 == 0 else servers[::-1]:
                taken[server].append(bench.load.measured(server, command, pipeline=32, requests=requests, keys=bench.options.keys, cpus=everywhere, seed=turn + 1))
    finally:
        for server in servers:
            server.stop()
    one, two = (sorted(taken[server], key=lambda result: result["rps"])[len(taken[server]) // 2] for server in servers)
    ratio = two["rps"] / one["rps"]
    bench.keep("script-workers", "20 reads", one=one, two=two, ratio=ratio, wanted=1.6)
    print(f"  one {one['rps'] / 1e3:7.1f} k op/s   two {two['rps'] / 1e3:7.1f} k op/s   ratio {ratio:.2f} (wanted at least 1.60)   "
          f"cpu us {one['cpu_us']:.2f} -> {two['cpu_us']:.2f}, the load's {two['load_cpu_us_per_op']:.2f}", flush=True)


# A long script.

def long_script(bench):
    """GETs on the other worker, and on the script's own, while a script runs for two seconds."""
    if not bench.wanted("long-script"):
        return
    print(f"\nLong script: one of {LONG_SECONDS:g} s on one of two workers; meanwhile 1000 GET per second of other keys on each worker; microseconds")
    for label, binary in bench.subjects:
        with bench.server(label, binary, threads=2, pinned=False) as server:
            for i in range(4):
                server.call("SET", f"key:{i:012}", VALUE)
            seen = during_a_script(bench, server, rounds_for(server, LONG_SECONDS))
            for name, figures in zip(("other worker", "own worker"), seen["probes"]):
                bench.keep("long-script", f"{label} {name}", script_s=seen["seconds"], **figures)
                wanted = "  (wanted under 2000)" if (label, name) == ("tarn", "other worker") else ""
                print(f"  {label:6} {name:13} p50 {figures['p50_us']:9.0f}  p99 {figures['p99_us']:9.0f}  p99.9 {figures['p999_us']:9.0f}  worst {figures['max_us']:9.0f}"
                      f"   of {figures['requests']}; the script took {seen['seconds']:.2f} s{wanted}", flush=True)


def rounds_for(server, seconds):
    """How often LONG has to go round to last so long."""
    rounds = 1_000_000
    while True:
        start = time.monotonic()
        server.call("EVAL", LONG, 1, "script:key", rounds)
        taken = time.monotonic() - start
        if taken > 0.2:
            return int(rounds * seconds / taken)
        rounds *= 4


def during_a_script(bench, server, rounds):
    """The server's own connection, the first of all, is on worker 0, and the script with it; a worker gets a connection when it
    has the fewest. So the first of two probes is on the other worker."""
    times = []

    def script():
        start = time.monotonic()
        server.call("EVAL", LONG, 1, "script:key", rounds)
        times.append(time.monotonic() - start)
    probes = []
    thread = threading.Thread(target=script)
    thread.start()
    for _ in range(2):
        time.sleep(0.15)
        probes.append(bench.load.start(server, ["GET", KEY], connections=1, rate=1000, seconds=PROBED_SECONDS, keys=4, priority=PROBE, cpus=set(os.sched_getaffinity(0))))
    seen = [bench.load.finish(probe) for probe in probes]
    thread.join()
    return {"probes": seen, "seconds": times[0]}


SECTIONS = [commands, publish, hand_over, reading_scripts, long_script]
