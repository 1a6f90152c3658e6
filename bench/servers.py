"""Servers and the load generator as the benchmark needs them: started on chosen cores, looked at from outside."""
import bisect
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OPEN_FILES = 65536


def build_program(name):
    """Compiles bench/NAME.c when it is newer than its program; the program."""
    source, program = ROOT / "bench" / f"{name}.c", ROOT / "build" / f"bench-{name}"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        program.parent.mkdir(exist_ok=True)
        subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-o", str(program), str(source)], check=True)
    return str(program)


def cores():
    """(the server's core, the load's core)."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def raise_open_files():
    """Takes as many open files as this process may have, up to OPEN_FILES; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
            return OPEN_FILES
        except (ValueError, PermissionError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            return hard
    soft = max(soft, OPEN_FILES) if soft != resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return OPEN_FILES


# Priorities: before everything ordinary that wants to run on the core, and the probe before those two, so that it measures
# the server and neither the generator beside it nor what else the machine is doing. Without the right to them: as others.
ORDINARY, FIRST, PROBE, WATCH = 0, 10, 20, 90


def prepared(cpus, priority=ORDINARY):
    """What a child does before it becomes the program: takes its cores and its priority."""
    def prepare():
        if cpus:
            os.sched_setaffinity(0, cpus)
        raise_open_files()
        if priority:
            try:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
            except PermissionError:
                pass
    return prepare


class Server:
    def __init__(self, label, binary, port, cpus=None, threads=1, settings=(), priority=ORDINARY):
        self.label, self.binary, self.port = label, binary, port
        version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        self.version = version
        self.directory = tempfile.mkdtemp(prefix="tarn-bench-")
        # The idle connections come from several loopback addresses, which protected mode would turn away.
        line = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", self.directory,
                "--maxclients", "25000", "--tcp-backlog", "4096", "--protected-mode", "no"]
        if not version.startswith(("Redis server", "Valkey server")):
            line += ["--threads", str(threads)]
        self.command_line = line + list(settings)
        self.log = open(Path(self.directory) / "log", "w+")
        self.process = subprocess.Popen(self.command_line, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        preexec_fn=prepared(cpus, priority))
        self._socket = None
        self._wait_ready()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _wait_ready(self):
        deadline = time.monotonic() + 20
        while True:
            try:
                if self.call("PING") == b"PONG":
                    return
            except OSError:
                self._socket = None
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.log.seek(0)
                log = self.log.read()
                self.stop()
                raise SystemExit(f"bench: {self.label} did not start: {' '.join(self.command_line)}\n{log}")
            time.sleep(0.02)

    def stop(self):
        if self._socket:
            self._socket.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # A client for single commands: bulk, simple, integer and error replies.

    def call(self, *words):
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=120)
            self._file = self._socket.makefile("rb")
        parts = [str(w).encode() for w in words]
        self._socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        line = self._file.readline()
        if not line:
            raise ConnectionError("closed")
        kind, rest = line[:1], line[1:].strip()
        if kind == b"$":
            return self._file.read(int(rest) + 2)[:-2] if int(rest) >= 0 else None
        if kind == b"-":
            raise RuntimeError(f"{self.label}: {words[0]}: {rest.decode()}")
        return int(rest) if kind == b":" else rest

    def info(self, field):
        for line in self.call("INFO").decode().splitlines():
            if line.startswith(field + ":"):
                return line.split(":", 1)[1]
        raise RuntimeError(f"{self.label}: no {field} in INFO")

    # What the kernel says.

    def cpu_us(self):
        """User and system time of all threads so far, in microseconds; from the scheduler, to the nanosecond."""
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            try:
                total += int(Path(f"/proc/{self.process.pid}/task/{task}/schedstat").read_text().split()[0])
            except FileNotFoundError:
                continue
        return total / 1000

    def resident(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")

    def settled_resident(self):
        """The resident set when it has stopped changing."""
        before, deadline = self.resident(), time.monotonic() + 10
        while time.monotonic() < deadline:
            time.sleep(0.5)
            now = self.resident()
            if abs(now - before) < 65536:
                break
            before = now
        return now


class MachineWatch:
    """Watches cores for times at which they ran nothing at all, because the host of the virtual machine had taken them."""

    def __init__(self, program, cpus):
        self.watchers = [subprocess.Popen([program, "-w"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                          preexec_fn=prepared({cpu}, WATCH)) for cpu in sorted(cpus)]

    def stop(self):
        """[from, to] in ns, ascending, those of all cores united."""
        stalls = []
        for span in sorted(span for w in self.watchers for span in json.loads(w.communicate()[0])):
            if stalls and span[0] <= stalls[-1][1]:
                stalls[-1][1] = max(stalls[-1][1], span[1])
            else:
                stalls.append(list(span))
        return stalls


def without_stalls(slow, stalls):
    """The slow replies' times in us, less what of each the machine stood still; the longest first."""
    starts, own = [stall[0] for stall in stalls], []
    for begin, end in slow:
        lost, at = 0, max(0, bisect.bisect_right(starts, begin) - 1)
        while at < len(stalls) and stalls[at][0] < end:
            lost += max(0, min(end, stalls[at][1]) - max(begin, stalls[at][0]))
            at += 1
        own.append((end - begin - lost) / 1000)
    return sorted(own, reverse=True)


class Load:
    """Runs of the load generator."""

    def __init__(self, cpus):
        self.program, self.cpus = build_program("load"), cpus

    def line(self, server, command, connections=50, pipeline=1, requests=0, seconds=0, rate=0, keys=1_000_000, seed=1,
             list_slow=False, way=()):
        line = [self.program, "-p", str(server.port), "-c", str(connections), "-P", str(pipeline), "-n", str(requests),
                "-r", str(keys), "-S", str(seed)]
        if seconds:
            line += ["-t", str(seconds)]
        if rate:
            line += ["-R", str(rate)]
        if list_slow:
            line += ["-l"]
        return line + list(way) + list(command)

    def start(self, server, command, cpus=None, priority=ORDINARY, **options):
        """`way`: further options of bench/load.c."""
        return subprocess.Popen(self.line(server, command, **options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, preexec_fn=prepared(cpus or self.cpus, priority))

    def finish(self, process):
        out, err = process.communicate()
        if not out:
            raise SystemExit(f"bench: {' '.join(process.args)}: {err.strip()}")
        result = json.loads(out)
        if result["errors"]:
            raise SystemExit(f"bench: {' '.join(process.args)}: {result['errors']} errors: {result['first_error']}")
        return result

    def run(self, server, command, **options):
        return self.finish(self.start(server, command, **options))

    def measured(self, server, command, **options):
        """A run, with the server's CPU time per command."""
        before = server.cpu_us()
        result = self.run(server, command, **options)
        result["cpu_us"] = (server.cpu_us() - before) / result["requests"]
        return result
