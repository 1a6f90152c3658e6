"""What test_users_*.py share: programs of users as child processes, clients with redis-py's own defaults."""
import os
import signal
import subprocess
import sys

import pytest
import redis

from tests.system.harness import ROOT
from tests.system.output import Output

# Marks what needs scripts.
scripted = pytest.mark.needs("EVAL", "EVALSHA", "SCRIPT")


def _members(session):
    """The processes of this session, with the one that leads it."""
    members = []
    for pid in [int(name) for name in os.listdir("/proc") if name.isdigit()]:
        try:
            if os.getsid(pid) == session:
                members.append(pid)
        except ProcessLookupError:
            pass
    return members


class Program:
    """A child whose output is read as it comes. Use it with `with`: it is gone afterwards, whatever it did."""

    def __init__(self, *command, cwd=ROOT, **environment):
        env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        env.update({"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore"}, **environment)
        self.command = [str(word) for word in command]
        self.process = subprocess.Popen(self.command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        self._output = Output(self.process.stdout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def output(self):
        return self._output.text()

    def wait_line(self, pattern, timeout=20):
        """Waits until a line of the output matches; returns the match."""
        try:
            return self._output.wait_line(pattern, timeout)
        except LookupError as error:
            raise AssertionError(f"{self.command}: {error}; it printed:\n{self.output()}") from None

    def finish(self, timeout=30):
        """Waits for the program to end by itself and well; what it printed."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.command} did not end within {timeout} s, and printed:\n{self.output()}") from None
        self._output.join()
        assert status == 0, f"{self.command} ended with status {status} and printed:\n{self.output()}"
        return self.output()

    def stop(self, how=signal.SIGTERM, timeout=20):
        """Asks the program to end; what it printed."""
        self.process.send_signal(how)
        return self.finish(timeout)

    def kill(self):
        """The end of the program and of its own children, also of those that made themselves a process group."""
        if self.process.poll() is None:
            for pid in _members(self.process.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
        self._output.join(10)


def python(module_or_file, *args, **kwargs):
    """A Program in this environment's Python: a file's path, or "-m" and a module."""
    return Program(sys.executable, module_or_file, *args, **kwargs)


@pytest.fixture
def dial(server, protocol):
    """Makes redis-py clients with the library's own defaults; all are closed after the test."""
    made = []

    def make(**options):
        made.append(redis.Redis(host="127.0.0.1", port=server.port, protocol=protocol, **options))
        return made[-1]
    yield make
    for client in made:
        client.close()


@pytest.fixture
def r(dial):
    return dial()
