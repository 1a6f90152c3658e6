"""What the soaks are made of: processes that work until a moment, others that go on until these are done, and their books.

`soak_games.py` has the kinds of work, `test_soak.py` puts them together.
"""
import multiprocessing.connection
import os
import time
from collections import Counter

from tests.system.rawsock import Closed, Error, Map, Raw
from tests.system.test_concurrency import Crew

SECONDS = float(os.environ.get("TARN_SOAK_SECONDS", 240))
# A client of this name may be killed at any time.
VICTIM, STEADY = "victim", "steady"
# How long after the end of the time everybody must be done. On a busy machine, too.
GRACE = 240


def ask(c, *args):
    """One command whose reply is no error."""
    reply = c.cmd(*args)
    assert not isinstance(reply, Error), (args, reply)
    return reply


class Gang(Crew):
    """A crew whose members know when to stop. Their functions get (connection, random generator, gang, arguments…) and
    return (Counter of the work done, what the books need)."""

    def __init__(self, port, seed, seconds):
        super().__init__(port, seed)
        self.deadline = time.monotonic() + seconds
        self.of_pipe = {}

    def add(self, function, *args):
        """Who works until the time is over."""
        self._enlist(self.members, function, args)

    def follow(self, function, *args):
        """Who goes on until all those are done: until `stopped`, and then until nothing is left to do."""
        self._enlist(self.storms, function, args)

    def _enlist(self, group, function, args):
        process, pipe = self._start(function, (self, *args))
        group.append((process, pipe))
        self.of_pipe[pipe] = (process, function.__name__)

    # For the members.

    def on(self):
        return time.monotonic() < self.deadline and not self.stopped()

    def stopped(self):
        return self.stop_event.is_set()

    def pause(self, seconds):
        self.stop_event.wait(seconds)

    def pause_while(self, condition):
        while self.on() and condition():
            self.pause(0.005)

    def dial(self, name, protocol=2):
        """One more connection, of this name."""
        connection = Raw(self.port, timeout=60)
        try:
            if protocol == 3:
                assert isinstance(ask(connection, "HELLO", 3), Map)
            ask(connection, "CLIENT", "SETNAME", name)
        except BaseException:
            connection.close()
            raise
        return connection

    def sessions(self, name, session, protocol=2):
        """session(connection) again and again, each time on a new connection, until one says true. How many were killed."""
        killed = 0
        while True:
            try:
                with self.dial(name, protocol) as connection:
                    if session(connection):
                        return killed
            except (Closed, ConnectionError):
                assert name == VICTIM, "nobody kills this one"
                killed += 1

    # For the test.

    def finish(self):
        """Waits for all: the sum of their work, and for each function what its processes noted. The first failure ends
        it early."""
        work, notes, failures = Counter(), {}, []
        left = dict(self.of_pipe)
        members = {pipe for _, pipe in self.members}
        while left:
            ready = multiprocessing.connection.wait(left, max(0, self.deadline + GRACE - time.monotonic()))
            for pipe in ready:
                process, name = left.pop(pipe)
                try:
                    kind, value = pipe.recv()
                except EOFError:
                    kind, value = "failed", "it ended without a word"
                if kind == "done":
                    work.update(value[0])
                    notes.setdefault(name, []).append(value[1])
                else:
                    failures.append(f"{name}: {value}")
            if not ready:
                failures.append(f"no end: {sorted(name for _, name in left.values())}")
                break
            if failures or not members & left.keys():
                self.stop_event.set()
        self.end(5)
        assert not failures, "\n".join(failures)
        return work, notes
