#!/usr/bin/python3
"""Tarn beside redis-server on this machine: throughput, CPU per command, latency, memory.

Both servers run at once, one works while the other sleeps, in turn, round by round; a figure is the median of its rounds.
In the commands section each server has one worker on the first core and the load is on the last. bench/load.c makes the
load, CPU time is what the scheduler counted for all threads of the process, memory is what the kernel counts as resident.
Wants an idle machine: anything else that runs shows in the figures.
"""
import argparse
import json
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
import threading
import time

import several
import type_rows
from servers import (FIRST, ORDINARY, PROBE, ROOT, Load, MachineWatch, Server, build_program, cores, prepared, raise_open_files,
                     without_stalls)

VALUE = "x" * 64
KEY = "key:{rand}"
FRESH_BYTES = 112  # what a key takes in Tarn


class Row:
    """One command. `fill`: what must be there before, as a command with {seq}; `spends`: it uses that up."""

    def __init__(self, name, command, fill=None, spends=False):
        self.name, self.command, self.fill, self.spends = name, command, fill, spends


KEYS = ("SET", "key:{seq}", VALUE)
ROWS = [
    Row("PING", ["PING"]),
    Row("SET", ["SET", KEY, VALUE], KEYS),
    Row("GET", ["GET", KEY], KEYS),
    Row("EXISTS", ["EXISTS", KEY], KEYS),
    Row("GETRANGE", ["GETRANGE", KEY, "16", "31"], KEYS),
    Row("BITCOUNT", ["BITCOUNT", KEY], KEYS),
    Row("MGET10", ["MGET"] + [KEY] * 10, KEYS),
    Row("MSET10", ["MSET"] + [KEY, VALUE] * 10, KEYS),
    Row("APPEND", ["APPEND", KEY, "xxxxxxxx"], KEYS, spends=True),
    Row("EXPIRE", ["EXPIRE", KEY, "3600"], KEYS, spends=True),
    Row("DEL", ["DEL", KEY], KEYS, spends=True),
    Row("INCR", ["INCR", "ctr:{rand}"], ("INCR", "ctr:{seq}")),
    Row("SETEX", ["SETEX", "sex:{rand}", "{num:3600:9999}", VALUE], ("SETEX", "sex:{seq}", "3600", VALUE)),
    Row("SETBIT", ["SETBIT", "bitmap", "{num:1000000:9999999}", "1"], ("SETBIT", "bitmap", "9999999", "1")),
]


class Bench:
    def __init__(self, options):
        self.options = options
        self.server_core, self.load_core = cores()
        self.load = Load({self.load_core})
        self.subjects = [("tarn", options.tarn), ("redis", options.reference)]
        self.results = {}
        self.next_port = options.port

    def server(self, label, binary, threads=1, pinned=True, settings=(), priority=ORDINARY):
        self.next_port += 1
        return Server(label, binary, self.next_port, {self.server_core} if pinned else None, threads, settings, priority)

    def both(self, **kwargs):
        return [self.server(label, binary, **kwargs) for label, binary in self.subjects]

    def wanted(self, *names):
        return not self.options.only or any(re.search(self.options.only, name, re.I) for name in names)

    def keep(self, section, name, **figures):
        self.results.setdefault(section, {})[name] = figures

    # Commands, one worker each.

    def commands(self):
        rows = [row for row in ROWS if self.wanted("commands", row.name)]
        if not rows:
            return
        print("\nCommands: one worker on one core, 50 connections, 1 M keys, values of 64 bytes")
        print(f"  {'':12}{'':>4} {'tarn':>8} {'redis':>8} {'ratio':>6} {'tarn':>8} {'redis':>8} {'ratio':>6}"
              f"   {'tarn p50/p99/p99.9':>22}   {'redis p50/p99/p99.9':>22}")
        print(f"  {'':12}{'P':>4} {'k op/s':>8} {'k op/s':>8} {'':>6} {'us cpu':>8} {'us cpu':>8} {'':>6}"
              f"   {'us':>22}   {'us':>22}")
        servers = self.both()
        self.held = {server: None for server in servers}
        try:
            for row in rows:
                for pipeline in (32, 1):
                    self.one_row(row, pipeline, servers)
        finally:
            for server in servers:
                server.stop()

    def fill(self, server, row):
        if row.fill and (self.held[server] != row.fill):
            server.call("FLUSHALL")
            count = 1 if "{seq}" not in " ".join(row.fill) else self.options.keys
            self.load.run(server, row.fill, pipeline=32, requests=count, connections=10 if count > 1 else 1)
            self.held[server] = row.fill
        if row.spends:
            self.held[server] = None

    def one_row(self, row, pipeline, servers):
        requests = self.options.requests if pipeline > 1 else self.options.requests // 4
        if len(row.command) > 9:
            requests //= 4
        taken = {server: [] for server in servers}
        for turn in range(self.options.rounds):
            for server in (servers if turn % 2 == 0 else servers[::-1]):
                self.fill(server, row)
                taken[server].append(self.load.measured(server, row.command, pipeline=pipeline, requests=requests,
                                                        keys=self.options.keys, seed=turn + 1))
        tarn, redis = (medians(taken[server]) for server in servers)
        self.keep("commands", f"{row.name} P{pipeline}", tarn=tarn, redis=redis, requests=requests)
        print(f"  {row.name:12}{pipeline:4} {tarn['rps'] / 1e3:8.0f} {redis['rps'] / 1e3:8.0f} {tarn['rps'] / redis['rps']:6.2f}"
              f" {tarn['cpu_us']:8.3f} {redis['cpu_us']:8.3f} {tarn['cpu_us'] / redis['cpu_us']:6.2f}"
              f"   {latencies(tarn):>22}   {latencies(redis):>22}", flush=True)

    # Data types.

    def types(self):
        rows = [row for row in type_rows.ROWS if self.wanted("types", row.name)]
        if rows:
            self.show_rows("types", "Types: one worker on one core, 50 connections, pipeline 32 but for the large results", rows)

    def show_rows(self, section, title, rows):
        print(f"\n{title}")
        print(f"  {'':20} {'tarn':>8} {'redis':>8} {'ratio':>6} {'tarn':>9} {'redis':>9} {'ratio':>6} {'wanted':>6}   {'tarn':>20}   {'redis':>20}")
        print(f"  {'':20} {'k op/s':>8} {'k op/s':>8} {'':>6} {'us cpu':>9} {'us cpu':>9} {'':>6} {'':>6}   {'p50/p99/p99.9 us':>20}   {'':>20}")
        servers = self.both()
        self.held = {server: None for server in servers}
        try:
            for row in rows:
                self.type_row(section, row, servers)
        finally:
            for server in servers:
                server.stop()

    def fill_type(self, server, row):
        if self.held[server] != row.fills or not row.fills:
            server.call("FLUSHALL")
            for command, count, keys in row.fills:
                # Counted IDs of a stream must come in their order.
                connections = 1 if command[0] == "XADD" and "{seq}" in command[2] else 10
                self.load.run(server, command, pipeline=32, requests=count, connections=connections, keys=keys)
            self.held[server] = row.fills
        for command in row.before:
            self.load.run(server, command, requests=1, connections=1)
        if row.spends:
            self.held[server] = None

    def scaled(self, count):
        return max(count // 10, min(count, 1000)) if self.options.quick else count

    def type_row(self, section, row, servers):
        requests = self.scaled(row.requests or self.options.requests)
        taken = {server: [] for server in servers}
        for turn in range(self.options.rounds):
            for server in (servers if turn % 2 == 0 else servers[::-1]):
                self.fill_type(server, row)
                taken[server].append(self.load.measured(server, row.command, pipeline=row.pipeline, requests=requests, seed=turn + 1,
                                                        connections=50 if row.pipeline > 1 else 1))
        tarn, redis = (medians(taken[server]) for server in servers)
        self.keep(section, row.name, tarn=tarn, redis=redis, requests=requests, wanted=row.wanted)
        ratio = tarn["cpu_us"] / redis["cpu_us"]
        print(f"  {row.name:20} {tarn['rps'] / 1e3:8.1f} {redis['rps'] / 1e3:8.1f} {tarn['rps'] / redis['rps']:6.2f} {tarn['cpu_us']:9.3f} "
              f"{redis['cpu_us']:9.3f} {ratio:6.3f} {row.wanted:6.2f} {'' if ratio <= row.wanted else '!'}  {latencies(tarn):>20}   {latencies(redis):>20}",
              flush=True)

    def type_memory(self):
        if not self.wanted("type-memory"):
            return
        print("\nMemory of the types: resident bytes per member, without the empty server")
        for name, wanted, command, count in type_rows.MEMORY:
            count, figures = self.scaled(count), {}
            for label, binary in self.subjects:
                with self.server(label, binary) as server:
                    empty = server.settled_resident()
                    self.load.run(server, command, pipeline=32, requests=count, connections=10)
                    figures[label] = (server.settled_resident() - empty) / count
            self.keep("type-memory", name, wanted=wanted, **figures)
            self.print_pair(name, figures, "bytes", f"(wanted {wanted:.2f})")

    def freeing(self):
        if not self.wanted("freeing"):
            return
        count = self.scaled(10_000_000)
        print(f"\nFreeing: DEL of a set of {count / 1e6:g} M members; milliseconds until the reply")
        figures = {}
        for label, binary in self.subjects:
            with self.server(label, binary) as server:
                self.load.run(server, ("SADD", "set", "mem:{seq}"), pipeline=32, requests=count, connections=10)
                start = time.monotonic()
                server.call("DEL", "set")
                figures[label] = (time.monotonic() - start) * 1000
        self.keep("freeing", "DEL", **figures)
        self.print_pair("DEL", figures, "ms")

    # Two workers.

    def workers(self):
        if not self.wanted("workers"):
            return
        print("\nWorkers: Tarn with two and with one, the load beside them on all cores, pipeline 32")
        servers = [self.server("one", self.options.tarn, 1, pinned=False), self.server("two", self.options.tarn, 2, pinned=False)]
        everywhere = set(os.sched_getaffinity(0))
        rows = [row for row in ROWS if row.name in ("MSET10", "SET", "GET")]
        try:
            for row in sorted(rows, key=lambda row: row.name != "MSET10"):
                self.held = {server: None for server in servers}
                requests = self.options.requests // (4 if row.name == "MSET10" else 1)
                taken = {server: [] for server in servers}
                for turn in range(self.options.rounds):
                    for server in servers[::-1] if turn % 2 else servers:
                        self.fill(server, row)
                        taken[server].append(self.load.measured(server, row.command, pipeline=32, requests=requests,
                                                                cpus=everywhere, seed=turn + 1))
                one, two = (medians(taken[server]) for server in servers)
                self.keep("workers", row.name, one=one, two=two, ratio=two["rps"] / one["rps"])
                print(f"  {row.name:12} one {one['rps'] / 1e3:7.0f} k op/s   two {two['rps'] / 1e3:7.0f} k op/s   "
                      f"ratio {two['rps'] / one['rps']:.2f}   cpu us {one['cpu_us']:.3f} -> {two['cpu_us']:.3f}, "
                      f"the load's {two['load_cpu_us_per_op']:.3f}", flush=True)
        finally:
            for server in servers:
                server.stop()

    # Memory.

    def memory(self):
        if not self.wanted("memory"):
            return
        count = self.options.memory_keys
        print(f"\nMemory: {count / 1e6:g} M keys of 16 bytes, values of 64 bytes; resident bytes per key")
        for name, command in (("plain", ["SET", "key:{seq}", VALUE]),
                              ("with a TTL", ["SET", "key:{seq}", VALUE, "EX", "{num:10000:99999}"])):
            figures = {}
            for label, binary in self.subjects:
                with self.server(label, binary) as server:
                    empty = server.settled_resident()
                    self.load.run(server, command, pipeline=32, requests=count, connections=10)
                    full = server.settled_resident()
                    figures[label] = {"total": full / count, "added": (full - empty) / count}
            self.keep("memory", name, **figures)
            self.print_pair(name, {k: v["total"] for k, v in figures.items()}, "bytes in total",
                            f"(without the empty server: {figures['tarn']['added']:.1f}, {figures['redis']['added']:.1f})")

    def print_pair(self, name, pair, unit, rest=""):
        ratio = f"{pair['tarn'] / pair['redis']:6.2f}" if pair["redis"] else "     -"
        print(f"  {name:34} tarn {pair['tarn']:10.2f}   redis {pair['redis']:10.2f}   ratio {ratio}   {unit} {rest}", flush=True)

    def connections(self):
        if not self.wanted("connections"):
            return
        count = min(self.options.connections, raise_open_files() - 500)
        if count < self.options.connections:
            print(f"\n(this machine's limit of open files allows {count} connections)")
        print(f"\nConnections: {count} idle ones, after one PING each; resident bytes per connection")
        figures = {}
        for label, binary in self.subjects:
            with self.server(label, binary, threads=2, pinned=False) as server:
                empty = server.settled_resident()
                holder = subprocess.Popen([self.load.program, "-p", str(server.port), "-c", str(count), "-i"],
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=prepared(None))
                if holder.stdout.readline().strip() != "ready":
                    raise SystemExit("bench: the connections could not be opened")
                time.sleep(1)
                figures[label] = (server.settled_resident() - empty) / count
                cpu, start = server.cpu_us(), time.monotonic()
                time.sleep(3)
                self.keep("connections", f"{label} cpu", percent=(server.cpu_us() - cpu) / (time.monotonic() - start) / 1e4)
                holder.stdin.close()
                holder.wait()
        self.keep("connections", "bytes", count=count, **figures)
        self.print_pair("per connection", figures, "bytes")

    def idle(self):
        if not self.wanted("idle"):
            return
        print("\nIdle: two workers, nothing in the server, nobody connected")
        resident, cpu = {}, {}
        for label, binary in self.subjects:
            with self.server(label, binary, threads=2, pinned=False) as server:
                resident[label] = server.settled_resident() / 2**20
                before, start = server.cpu_us(), time.monotonic()
                time.sleep(10 if not self.options.quick else 3)
                cpu[label] = (server.cpu_us() - before) / (time.monotonic() - start) / 1e4
        self.keep("idle", "resident_mib", **resident)
        self.keep("idle", "cpu_percent", **cpu)
        self.print_pair("resident", resident, "MiB")
        self.print_pair("CPU", cpu, "% of a core")

    # Latency while something goes on.

    def probe(self, server, seconds, command=("GET", KEY), rate=2000, keys=1_000_000):
        return self.load.start(server, list(command), connections=1, rate=rate, seconds=seconds, keys=keys, priority=PROBE,
                               list_slow=True)

    def growth(self):
        if not self.wanted("growth"):
            return
        count, rate = self.options.growth_keys, 300_000
        print(f"\nGrowth: from 0 to {count / 1e6:g} M keys at {rate // 1000} k/s, meanwhile 2000 GET per second on one connection, whose"
              " latency is shown in us;\n  and the same with a table that does not grow. Servers and load run before all else on their"
              " cores, where that is allowed. A stall is a\n  time at which a core ran nothing, not even what comes before these. The floor"
              f" (bench/floor.c) only answers, and touches {FRESH_BYTES} fresh bytes\n  per SET while it grows")
        floor, growing, steady = build_program("floor"), ("growing", "key:{seq}"), ("steady", KEY)
        runs = [("floor", floor, ["--fresh", str(FRESH_BYTES)], [growing]), ("floor", floor, [], [steady])]
        runs += [(label, binary, [], [growing, steady]) for label, binary in self.subjects]
        for label, binary, settings, phases in runs:
            with self.server(label, binary, settings=settings, priority=FIRST) as server:
                for name, key in phases:
                    total = count if name == "growing" else min(count, rate * 10)
                    self.one_growth(server, name, ["SET", key, VALUE], total, rate)

    def one_growth(self, server, name, command, total, rate):
        label, keys = server.label, self.options.growth_keys
        if label == "tarn":
            server.call("CONFIG", "RESETSTAT")
        watch = MachineWatch(self.load.program, {self.server_core, self.load_core})
        load = self.load.start(server, command, connections=10, pipeline=32, requests=total, rate=rate, keys=keys,
                               priority=FIRST)
        probe = self.probe(server, total / rate, keys=keys)
        seen, filled = self.load.finish(probe), self.load.finish(load)
        stalls = watch.stop()
        own = without_stalls(seen.pop("slow"), stalls)
        figures = {"own_worst_us": own[0] if own else seen["max_us"], "own_over_5ms": sum(us > 5000 for us in own),
                   "stalls": len(stalls), "longest_stall_us": max((end - begin for begin, end in stalls), default=0) / 1000}
        if label == "tarn":
            figures["longest_turn_us"] = int(server.info("longest_turn_usec"))
        self.keep("growth", f"{label} {name}", probe=seen, writers=filled, **figures)
        print(f"  {label:6} {name:8} p50 {seen['p50_us']:7.0f}  p99 {seen['p99_us']:7.0f}  p99.9 {seen['p999_us']:7.0f}"
              f"  worst {seen['max_us']:8.0f}, over 5 ms {seen['over_5ms']:4} of {seen['requests']}   without the machine's stalls: worst"
              f" {figures['own_worst_us']:8.0f}, over 5 ms {figures['own_over_5ms']:4}   (longest stall {figures['longest_stall_us']:.0f};"
              f" {filled['rps'] / 1e3:.0f} k/s" + (f"; longest turn {figures['longest_turn_us']})" if label == "tarn" else ")"),
              flush=True)

    def expiry(self):
        if not self.wanted("expiry"):
            return
        count, span = self.options.keys, 10.0
        print(f"\nExpiry: {count / 1e6:g} M keys whose TTLs end over {span:g} s, beside {count / 1e6:g} M that stay; 20 k GET per second")
        for label, binary in self.subjects:
            with self.server(label, binary) as server:
                start = time.monotonic()
                self.load.run(server, KEYS, pipeline=32, requests=count, connections=10)
                fill_seconds = time.monotonic() - start
                gets = dict(connections=50, rate=20000, keys=count)
                before = self.load.run(server, ["GET", KEY], seconds=5, **gets)
                watch = self.fill_with_ends(server, count, span, 2 + 3 * fill_seconds)
                time.sleep(max(0.0, watch.first / 1000 - time.time()))
                during = self.load.run(server, ["GET", KEY], seconds=span, **gets)
                watch.join()
                self.keep("expiry", label, before=before, during=during, lag_ms=watch.worst_lag_ms, keys_gone_ms=watch.keys_gone_ms,
                          memory_back_ms=watch.memory_back_ms)
                print(f"  {label:6} GET p50/p99/p99.9 without {latencies(before)} us, during {latencies(during)} us, worst "
                      f"{during['max_us']:.0f} us\n         keys behind their time: at most {watch.worst_lag_ms:.0f} ms; after the last"
                      f" end: all gone in {shown(watch.keys_gone_ms)}, nine tenths of their memory in {shown(watch.memory_back_ms)}",
                      flush=True)

    def fill_with_ends(self, server, count, span, lead):
        """Adds keys whose ends lie between `lead` seconds from now and `span` seconds later; what watches them go."""
        memory_before = int(server.info("used_memory"))
        first = int((time.time() + lead) * 1000)
        last = first + int(span * 1000)
        self.load.run(server, ["SET", "end:{seq}", VALUE, "PXAT", f"{{num:{first}:{last - 1}}}"], pipeline=32, requests=count,
                      connections=10)
        if time.time() * 1000 > first:
            raise SystemExit("bench: something else took the machine in the expiry section")
        added = int(server.info("used_memory")) - memory_before
        watch = ExpiryWatch(server, count, count, first, last, memory_before + added // 10)
        watch.start()
        return watch

    def run(self):
        for section in (self.commands, self.types, self.type_memory, self.freeing, self.workers, self.memory, self.connections, self.idle, self.growth, self.expiry):
            section()
        for section in several.SECTIONS:
            section(self)


class ExpiryWatch(threading.Thread):
    """Compares, twenty times a second, how many keys are still there with how many should be."""

    PATIENCE_MS = 20000

    def __init__(self, server, staying, ending, first_ms, last_ms, memory_goal):
        super().__init__(daemon=True)
        self.server, self.staying, self.ending, self.first, self.last = server, staying, ending, first_ms, last_ms
        self.memory_goal = memory_goal
        self.worst_lag_ms, self.keys_gone_ms, self.memory_back_ms = 0.0, None, None

    def run(self):
        while self.keys_gone_ms is None or self.memory_back_ms is None:
            now = time.time() * 1000
            left = self.server.call("DBSIZE") - self.staying
            if now > self.last + self.PATIENCE_MS:
                break
            if self.first < now < self.last:
                due = self.ending * (self.last - now) / (self.last - self.first)
                self.worst_lag_ms = max(self.worst_lag_ms, (left - due) / self.ending * (self.last - self.first))
            elif now >= self.last:
                if left <= 0 and self.keys_gone_ms is None:
                    self.keys_gone_ms = now - self.last
                if self.memory_back_ms is None and int(self.server.info("used_memory")) < self.memory_goal:
                    self.memory_back_ms = now - self.last
            time.sleep(0.01 if now > self.last - 100 else 0.05)


def shown(ms):
    return "more than 20 s" if ms is None else f"{ms:.0f} ms"


def medians(results):
    return {name: statistics.median(r[name] for r in results) for name, value in results[0].items() if not isinstance(value, str)}


def latencies(figures):
    return "/".join(f"{figures[name]:.0f}" for name in ("p50_us", "p99_us", "p999_us"))


def cpu_name():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())


def parse_options():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round and fewer of everything: to see that it runs")
    parser.add_argument("--only", metavar="PATTERN", help="rows or sections that match: commands, types or a row's name, type-memory, freeing, workers, "
                        "memory, connections, idle, growth, expiry, several or a row's name, publish, hand-over, script-workers, long-script")
    parser.add_argument("--rounds", type=int, help="rounds of each command (5)")
    parser.add_argument("--requests", type=int, help="commands in one round at pipeline 32 (1000000); a quarter without")
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--memory-keys", type=int, help="(5000000)")
    parser.add_argument("--growth-keys", type=int, help="(20000000)")
    parser.add_argument("--connections", type=int, default=20000)
    parser.add_argument("--tarn", default=str(ROOT / "build" / "tarn-server"), metavar="BINARY")
    parser.add_argument("--reference", default="/usr/bin/redis-server", metavar="BINARY")
    parser.add_argument("--port", type=int, default=17000, help="first of the ports that are used")
    parser.add_argument("--json", metavar="FILE", help="write all figures there as well")
    options = parser.parse_args()
    short = options.quick
    options.rounds = options.rounds or (1 if short else 5)
    options.requests = options.requests or (200_000 if short else 1_000_000)
    options.memory_keys = options.memory_keys or (500_000 if short else 5_000_000)
    options.growth_keys = options.growth_keys or (2_000_000 if short else 20_000_000)
    return options


def main():
    options = parse_options()
    bench = Bench(options)
    versions = {label: subprocess.run([binary, "--version"], capture_output=True, text=True).stdout.strip()
                for label, binary in bench.subjects}
    machine = {"date": time.strftime("%Y-%m-%d %H:%M:%S %z"), "kernel": platform.release(), "cpu": cpu_name(),
               "cores": len(os.sched_getaffinity(0)), "versions": versions, "command": shlex.join(sys.argv),
               "load_average": os.getloadavg()[0]}
    print(f"{machine['date']}, Linux {machine['kernel']}, {machine['cpu']}, {machine['cores']} cores, load average before "
          f"{machine['load_average']:.2f}")
    for label, version in versions.items():
        print(f"{label:6} {version}")
    print(f"as in  {machine['command']}")
    if bench.server_core == bench.load_core:
        print("only one core: server and load share it, and throughput says little")
    bench.run()
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"machine": machine, "options": vars(options), "results": bench.results}, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
