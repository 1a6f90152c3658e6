"""Starts servers for tests, waits for what they say, and looks at how they end.

`Server` runs a tarn-server (or a redis-server, for comparison) as a child: settings of its own, a directory of its own,
a free port. At the end the child must still be alive, must leave with status 0 when it is asked to, and must not have printed a
crash report or a sanitizer's complaint; the log is part of the message when one of these fails.

`Client` is redis-py without its conversions: the reply as the protocol has it, and errors with their complete text.
"""
import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import weakref
from pathlib import Path

import redis
from redis._parsers import _RESP2Parser, _RESP3Parser
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from tests.system import wire
from tests.system.output import Output

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_BINARY = ROOT / "build" / "tarn-server"

# The last line of every HELP, since Redis 8 and before it.
HELP_OF_HELP = (b"    Print this help.", b"    Prints this help.")

# Settings that redis-server does not have; they are left out for it.
TARN_ONLY_SETTINGS = {"threads", "shards"}

COMPLAINTS = re.compile(
    r"ERROR: (Address|Leak|Memory)Sanitizer|WARNING: ThreadSanitizer|SUMMARY: \w+Sanitizer|runtime error:"
    r"|BUG REPORT START|ASSERTION FAILED|Assertion .* failed|panicked|Guru Meditation|crashed by signal")

READY = r"Ready to accept connections"


def binary_path():
    """The server under test: TARN_TEST_BINARY, or what ./dev build leaves."""
    path = Path(os.environ.get("TARN_TEST_BINARY") or DEFAULT_BINARY)
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: run ./dev build, or set TARN_TEST_BINARY")
    return str(path)


def is_reference(binary):
    """Whether this is a redis-server."""
    out = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=30).stdout
    return out.startswith("Redis server") or out.startswith("Valkey server")


def is_sanitized(binary):
    """Whether a sanitizer is linked in: such a build is several times slower, which some bounds in time allow for."""
    with open(binary, "rb") as file:
        data = file.read()
    return b"__asan_init" in data or b"__tsan_init" in data


def cts_file():
    """The public compatibility suite, or None: TARN_CTS, beside the tests, or where the house keeps its references."""
    named = os.environ.get("TARN_CTS")
    places = [Path(named)] if named else [ROOT / "tests" / "system" / "cts.json", ROOT.parent / "shared" / "reference" / "cts.json"]
    return next((place for place in places if place.exists()), None)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


_alive = weakref.WeakSet()


@atexit.register
def _leave_nothing_behind():
    """A test run that is broken off does not leave servers running."""
    for server in list(_alive):
        if server.process and server.process.poll() is None:
            server.process.kill()


class ServerFailed(AssertionError):
    pass


class Server:
    """One server process. Use it with `with`, or call start() and stop()."""

    def __init__(self, binary=None, settings=None, args=None, config_text=None, port=None):
        """`settings` go to the command line as --name value; `args` after them, as they are. `config_text` becomes a
        file that is given first. A setting of None is left out, which also takes out one of the defaults below."""
        self.binary = binary or binary_path()
        self.reference = is_reference(self.binary)
        self.sanitized = is_sanitized(self.binary)
        self.directory = Path(tempfile.mkdtemp(prefix="tarn-test-"))
        self.unix_path = str(self.directory / "s.sock")
        self.settings = {
            "bind": "127.0.0.1", "port": port if port is not None else free_port(), "dir": str(self.directory),
            "unixsocket": self.unix_path, "unixsocketperm": "700", "save": "", "appendonly": "no",
            "enable-debug-command": "yes", "loglevel": "notice",
        }
        self.settings.update({name.replace("_", "-"): value for name, value in (settings or {}).items()})
        self.fixed_port = port is not None or "port" in (settings or {})
        self.args = list(args or [])
        self.config_text = config_text
        self.process = None
        self._output = None

    # Life.

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        self.stop(check=kind is None)

    @property
    def port(self):
        return int(self.settings["port"])

    @property
    def pid(self):
        return self.process.pid

    def command_line(self):
        line = [self.binary]
        if self.config_text is not None:
            path = self.directory / "test.conf"
            path.write_text(self.config_text)
            line.append(str(path))
        for name, value in self.settings.items():
            if value is None or (self.reference and name in TARN_ONLY_SETTINGS):
                continue
            line.append(f"--{name}")
            line += [str(v) for v in value] if isinstance(value, (list, tuple)) else [str(value)]
        return line + self.args

    def start(self, wait=True, timeout=30):
        for attempt in range(5):
            self.spawn()
            if not wait:
                return self
            try:
                self.wait_log(READY, timeout)
                return self
            except ServerFailed:
                # Somebody else can take a port between our look and the bind of the child.
                if self.fixed_port or attempt == 4 or "in use" not in self.log():
                    self.stop(check=False)
                    raise
                self.settings["port"] = free_port()
        raise AssertionError("not reached")

    def spawn(self):
        env = dict(os.environ)
        env.setdefault("ASAN_OPTIONS", "abort_on_error=0:exitcode=99:detect_leaks=1")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1:exitcode=99")
        env.setdefault("TSAN_OPTIONS", "halt_on_error=0:exitcode=99:second_deadlock_stack=1")
        # A key that a test wants free shares its shard with one that is held in one of 1,024 cases; with this seed none does.
        env.setdefault("TARN_HASH_SEED", "0x9E3779B97F4A7C15")
        self.process = subprocess.Popen(self.command_line(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, cwd=self.directory, env=env)
        _alive.add(self)
        self._output = Output(self.process.stdout)

    def kill(self):
        """SIGKILL, for tests of what is left behind."""
        self.process.kill()
        self.process.wait()
        self._output.join()

    def wait_exit(self, timeout=30):
        """Waits for the process to leave by itself; its exit status."""
        status = self.process.wait(timeout)
        self._output.join()
        return status

    def stop(self, check=True, timeout=60):
        """Asks the server to leave and, with `check`, fails unless it was well until the end."""
        if self.process is None:
            return
        status = self.process.poll()
        died = status is not None
        if not died:
            self.process.send_signal(signal.SIGTERM)
            try:
                status = self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGABRT)
                self.process.wait()
                status = "none: it did not leave when it got SIGTERM"
        self._output.join()
        log = self.log()
        self.process = None
        shutil.rmtree(self.directory, ignore_errors=True)
        if check:
            self._check_end(died, status, log)

    def _check_end(self, died, status, log):
        complaint = COMPLAINTS.search(log)
        if complaint:
            raise ServerFailed(f"the server complained: {complaint.group(0)}\n{log}")
        if died:
            raise ServerFailed(f"the server was gone before the end, with status {status}\n{log}")
        if status != 0:
            raise ServerFailed(f"the server left with status {status}\n{log}")

    def check(self):
        """The process is alive and its log holds no complaint."""
        if self.process.poll() is not None:
            raise ServerFailed(f"the server is gone, with status {self.process.returncode}\n{self.log()}")
        complaint = COMPLAINTS.search(self.log())
        if complaint:
            raise ServerFailed(f"the server complained: {complaint.group(0)}\n{self.log()}")

    # The log.

    def log(self):
        return self._output.text()

    def log_position(self):
        """For wait_log's `since`: what is printed from now on."""
        return self._output.position()

    def wait_log(self, pattern, timeout=30, since=0):
        """Waits until a line of the log matches; returns the match."""
        try:
            return self._output.wait_line(pattern, timeout, since)
        except LookupError as error:
            raise ServerFailed(f"{error}\n{' '.join(self.command_line())}\n{self.log()}") from None

    # Clients.

    def client(self, protocol=2, db=0, **kwargs):
        return Client(self.port, protocol=protocol, db=db, **kwargs)

    def ask(self, *command):
        """One command on a connection of its own, which is closed; the reply."""
        with self.client() as client:
            return client(*command)

    def wire(self, protocol=2, **kwargs):
        return wire.Connection(port=self.port, protocol=protocol, **kwargs)

    # What the kernel says about the process.

    def resident_bytes(self):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")


def _keeping_text(parser):
    """A parser of redis-py whose errors carry the complete line as `.line`: redis-py cuts the code off."""
    class Keeping(parser):
        @classmethod
        def parse_error(cls, response):
            error = super().parse_error(response)
            error.line = response
            return error
    return Keeping


_PARSERS = {2: _keeping_text(_RESP2Parser), 3: _keeping_text(_RESP3Parser)}


class Client(redis.Redis):
    """redis-py on one connection, replies as they come: bytes, int, list, dict, None, float. Call it with a command:

        c("SET", "k", "v") == b"OK"
        c.fails("SET", "k") == "ERR wrong number of arguments for 'set' command"
    """

    def __init__(self, port, protocol=2, db=0, path=None, password=None, username=None, timeout=60, client_name=None):
        kwargs = dict(db=db, protocol=protocol, socket_timeout=timeout, retry=Retry(NoBackoff(), 0), driver_info=None,
                      parser_class=_PARSERS[protocol], username=username, password=password,
                      client_name=client_name, maint_notifications_config=MaintNotificationsConfig(enabled=False))
        if path:
            kwargs.update(connection_class=redis.UnixDomainSocketConnection, path=path)
        else:
            kwargs.update(host="127.0.0.1", port=port)
        super().__init__(connection_pool=redis.ConnectionPool(**kwargs), single_connection_client=True)
        self.protocol = protocol
        self.response_callbacks.clear()

    def close(self):
        """Also the connection, which redis-py would leave in its pool until the garbage is collected."""
        super().close()
        self.connection_pool.disconnect()

    def __call__(self, *args):
        return self.execute_command(*args)

    def fails(self, *args):
        """The error that this command gives, the complete line."""
        try:
            reply = self.execute_command(*args)
        except redis.RedisError as error:
            line = getattr(error, "line", None)
            if line is None:
                raise
            return line
        raise AssertionError(f"{args} should fail, and gave {reply!r}")

    def all(self, commands):
        """A pipeline; errors stay in the list as their lines."""
        pipe = self.pipeline(transaction=False)
        pipe.response_callbacks.clear()
        for command in commands:
            pipe.execute_command(*command)
        return [getattr(reply, "line", reply) for reply in pipe.execute(raise_on_error=False)]

    def info(self, section=None):
        """INFO as a dictionary of strings."""
        text = self("INFO", *([section] if section else []))
        lines = (text.decode() if isinstance(text, bytes) else text).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))

    def pairs(self, reply):
        """A map reply as a dictionary, whichever protocol brought it."""
        return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))


def wait_until(condition, timeout=10, pause=0.005):
    """For what has no event to wait for, such as a figure in INFO: asks until it is so. The first true value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not so within {timeout} s; the last answer: {value!r}"
        time.sleep(pause)
