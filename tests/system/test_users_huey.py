"""Huey: a list that is waited for, a sorted set of what is to run later that a script empties, results in a hash or as keys, locks and
counters; its priority queue is a sorted set that BZPOPMIN waits for.
"""
import datetime
import threading
import time

import huey
import pytest
from huey.exceptions import ResultTimeout, TaskException, TaskLockedException
from huey.signals import SIGNAL_COMPLETE

from tests.system.harness import wait_until
from tests.system.threads import in_threads
from tests.system.users_tools import dial, r, scripted  # noqa: F401

pytestmark = scripted

KINDS = [huey.RedisHuey, huey.RedisExpireHuey, huey.PriorityRedisHuey, huey.PriorityRedisExpireHuey]


class House:
    """An application with its tasks, and a consumer in threads of this process."""

    def __init__(self, kind, port, protocol, **options):
        self.h = kind("house", host="127.0.0.1", port=port, protocol=protocol, read_timeout=0.1, **options)
        self.notes = []
        self.done = threading.Event()
        h = self.h

        @h.task()
        def add(a, b):
            return a + b

        @h.task()
        def total(numbers):
            return sum(numbers)

        @h.task()
        def now():
            return time.time()

        @h.task(retries=2)
        def fail(text):
            self.notes.append(text)
            raise ValueError(text)

        @h.task()
        def note(text):
            self.notes.append(text)

        @h.task()
        @h.lock_task("alone")
        def alone():
            time.sleep(0.01)

        self.add, self.total, self.now, self.fail, self.note, self.alone = add, total, now, fail, note, alone
        self.consumer = None

    def work(self, workers=2):
        self.consumer = self.h.create_consumer(workers=workers, initial_delay=0.01, max_delay=0.05, scheduler_interval=1, periodic=False)
        self.consumer.start()

    def close(self):
        if self.consumer:
            self.consumer.stop(graceful=False)
            for _, thread in self.consumer.worker_threads:
                thread.join()
        self.h.storage.pool.disconnect()


@pytest.fixture
def house(server, protocol):
    made = []

    def make(kind=huey.RedisHuey, **options):
        made.append(House(kind, server.port, protocol, **options))
        return made[-1]
    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("kind", KINDS)
def test_results(house, kind):
    h = house(kind)
    h.work()
    results = [h.add(i, i) for i in range(40)]
    assert [result.get(blocking=True, timeout=15) for result in results] == [2 * i for i in range(40)]
    assert h.h.pending_count() == 0


@pytest.mark.protocols(3)
def test_results_that_are_told(house):
    """notify_result: a list per result, that BLPOP waits for."""
    h = house(notify_result=True)
    h.work()
    assert [h.add(i, 1).get(blocking=True, timeout=15) for i in range(10)] == list(range(1, 11))
    with pytest.raises(ResultTimeout):
        h.now.schedule(delay=3600).get(blocking=True, timeout=1)


@pytest.mark.protocols(3)
def test_later(house):
    h = house()
    began = time.time()
    late = h.now.schedule(delay=0.5)
    assert h.h.pending_count() == 1
    h.work()
    assert late.get(blocking=True, timeout=15) >= began + 0.5
    assert h.h.scheduled_count() == 0


def test_a_schedule_that_many_read(house):
    """The script takes what is due out at once: no task is seen by two."""
    h = house()
    past = datetime.datetime.now() - datetime.timedelta(seconds=60)
    for i in range(100):
        h.h.storage.add_to_schedule(f"task {i}".encode(), past)
    h.h.storage.add_to_schedule(b"not yet", past + datetime.timedelta(hours=1))
    taken = in_threads(4, lambda _: h.h.storage.read_schedule(datetime.datetime.now()))
    assert sorted(item for items in taken for item in items) == sorted(f"task {i}".encode() for i in range(100))
    assert h.h.storage.scheduled_items() == [b"not yet"]


def test_failures_and_retries(house):
    h = house()
    h.work()
    result = h.fail("on purpose")
    wait_until(lambda: len(h.notes) == 3, 15)
    with pytest.raises(TaskException, match="on purpose"):
        wait_until(lambda: result.get(blocking=True, timeout=10))


@pytest.mark.parametrize("kind", [huey.PriorityRedisHuey])
def test_priorities(house, kind):
    h = house(kind)
    for priority in (1, 30, 2):
        h.h.enqueue(h.note.s(f"p{priority}", priority=priority))
    h.work(workers=1)
    wait_until(lambda: len(h.notes) == 3, 15)
    assert h.notes == ["p30", "p2", "p1"]


def test_pipelines_locks_and_revoking(house):
    h = house()
    end = h.h.enqueue(h.add.s(1, 2).then(h.add, 3).then(h.add, 4))
    revoked = h.note("never")
    revoked.revoke()
    assert revoked.is_revoked()
    h.work()
    assert end.get(blocking=True, timeout=15) == [3, 6, 10]
    with h.h.lock_task("room"), pytest.raises(TaskLockedException):
        h.h.lock_task("room").__enter__()
    assert h.notes == [] and not h.h.is_locked("room")


def test_groups_and_chords(house):
    h = house()
    h.work()
    assert sorted(h.add.map([(i, i) for i in range(5)]).get(blocking=True, timeout=15)) == [0, 2, 4, 6, 8]
    group = h.h.enqueue(huey.group([h.add.s(i, 1) for i in range(5)]))
    assert group.get(blocking=True, timeout=15) == [1, 2, 3, 4, 5]
    chord = h.h.enqueue(huey.chord([h.add.s(i, 1) for i in range(5)], h.total.s()))
    assert chord.get(blocking=True, timeout=15) == 15


def test_signals_and_stored_data(house, r):
    h = house()

    @h.h.signal(SIGNAL_COMPLETE)
    def complete(signal, task):
        h.done.set()
    h.work()
    h.add(1, 1)
    assert h.done.wait(15)
    h.h.put("key", {"a": 1})
    assert h.h.get("key", peek=True) == {"a": 1} and h.h.get("key") == {"a": 1} and h.h.get("key") is None
    h.h.flush()
    assert r.keys("huey.*house*") == []
