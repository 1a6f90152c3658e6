"""Locks of libraries: redis-py's Lock, which django-redis and Celery use as well, pottery's and redlock-py's Redlock, and
python-redis-lock, which wakes its waiters through a list. What they promise: one holder at a time, nobody lets go what is not theirs.
"""
import asyncio
import threading

import pottery
import pytest
import redis
import redis_lock
from redis import asyncio as aredis
from redis.exceptions import LockError, LockNotOwnedError
from redlock import Redlock as RedlockPy

from tests.system.harness import wait_until
from tests.system.threads import in_threads
from tests.system.users_tools import dial, r, scripted  # noqa: F401

pytestmark = scripted


class Room:
    """Where only one may be at a time. The count is kept here, not in the server, so that a wrong lock is seen."""

    def __init__(self):
        self.inside = self.visits = 0

    def visit(self):
        self.inside += 1
        assert self.inside == 1, "two holders of one lock"
        seen = self.visits
        threading.Event().wait(0.0005)  # others get the chance to do wrong
        self.visits = seen + 1
        self.inside -= 1


def test_redis_py_lock(r):
    lock = r.lock("lk", timeout=20)
    assert lock.acquire() is True and lock.locked() and lock.owned()
    assert not r.lock("lk").acquire(blocking=False)
    assert not r.lock("lk").acquire(blocking_timeout=0.05)
    assert lock.extend(20) is True and 20_000 < r.pttl("lk") <= 40_000
    assert lock.extend(5, replace_ttl=True) is True and r.pttl("lk") <= 5_000
    assert lock.reacquire() is True and 19_000 < r.pttl("lk") <= 20_000
    lock.release()
    assert r.exists("lk") == 0
    with pytest.raises(LockError, match="Cannot release"):
        lock.release()


def test_redis_py_lock_after_its_scripts_were_forgotten(r):
    """SET NX PX, EVALSHA → NOSCRIPT → SCRIPT LOAD → EVALSHA."""
    lock = r.lock("lk", timeout=20)
    for _ in range(2):
        r.script_flush()
        assert lock.acquire()
        lock.release()
        assert r.exists("lk") == 0


def test_redis_py_lock_of_somebody_else(r):
    lock = r.lock("lk", timeout=20)
    lock.acquire()
    r.set("lk", "somebody else", px=20_000)
    for act in (lock.reacquire, lambda: lock.extend(5), lock.release):
        with pytest.raises(LockNotOwnedError):
            act()
    assert r.get("lk") == b"somebody else"


def test_redis_py_lock_that_ended(r):
    lock = r.lock("lk", timeout=0.02)
    lock.acquire()
    wait_until(lambda: not r.exists("lk"))
    with pytest.raises(LockNotOwnedError):
        lock.release()


def test_redis_py_lock_in_threads(dial):
    room = Room()

    def work(_):
        mine = dial()
        for _ in range(10):
            with mine.lock("lk", timeout=20, sleep=0.001):
                room.visit()
    in_threads(4, work)
    assert room.visits == 40


@pytest.mark.protocols(2)
def test_redis_py_lock_of_asyncio(server):
    async def session():
        async with aredis.Redis(port=server.port) as r:
            room = Room()

            async def work():
                for _ in range(5):
                    async with r.lock("lk", timeout=20, sleep=0.001):
                        room.inside += 1
                        assert room.inside == 1
                        await asyncio.sleep(0)
                        room.inside -= 1
                        room.visits += 1
            await asyncio.gather(*[work() for _ in range(5)])
            assert room.visits == 25
    asyncio.run(session())


@pytest.fixture
def masters(dial, own_server, workers, protocol):
    """Three servers of which a Redlock wants the majority; the first is the shared one."""
    others = [own_server({"threads": workers}) for _ in range(2)]
    clients = [dial()] + [redis.Redis(port=s.port, protocol=protocol) for s in others]
    yield clients
    for client in clients:
        client.close()


def test_pottery_redlock(masters):
    lock = pottery.Redlock(key="printer", masters=set(masters), auto_release_time=20)
    assert lock.acquire() is True
    wait_until(lambda: [m.exists("redlock:printer") for m in masters] == [1, 1, 1])  # a majority is enough for acquire()
    assert 15 < lock.locked() <= 20
    other = pottery.Redlock(key="printer", masters=set(masters), auto_release_time=20)
    assert other.acquire(blocking=False) is False
    lock.extend()
    masters[0].delete("redlock:printer")  # one server lost it: two are a majority still
    assert lock.locked()
    masters[1].set("redlock:printer", "somebody else")
    assert not lock.locked()
    with pytest.raises(pottery.ReleaseUnlockedLock):
        lock.release()
    masters[1].delete("redlock:printer")
    assert other.acquire(blocking=False) is True
    other.release()
    wait_until(lambda: [m.exists("redlock:printer") for m in masters] == [0, 0, 0])


def test_pottery_next_id(masters):
    ids = pottery.NextID(key="invoices", masters=set(masters))
    assert [next(ids) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert [int(m.get("nextid:invoices")) for m in masters].count(5) >= 2


@pytest.mark.protocols(2)
@pytest.mark.filterwarnings("ignore::pottery.InefficientAccessWarning")
def test_pottery_containers(r):
    """Python's containers with WATCH and MULTI behind them."""
    tel = pottery.RedisDict({"jack": 4098}, redis=r, key="tel")
    tel["guido"] = 4127
    assert tel == {"jack": 4098, "guido": 4127} and tel.pop("jack") == 4098 and len(tel) == 1
    items = pottery.RedisList([1, 4, 9], redis=r, key="squares")
    items.append(16)
    items[1:3] = [5, 6]
    assert list(items) == [1, 5, 6, 16] and items.pop(0) == 1
    ring = pottery.RedisDeque("ghi", redis=r, key="ring", maxlen=3)
    ring.append("j")
    assert list(ring) == ["h", "i", "j"]
    tags = pottery.RedisSet({"a", "b"}, redis=r, key="tags")
    tags ^= {"b", "c"}
    assert tags == {"a", "c"}
    words = pottery.RedisCounter("abcabca", redis=r, key="letters")
    words.update("zz")
    assert words.most_common(1) == [("a", 3)] and words["z"] == 2
    bloom = pottery.BloomFilter(num_elements=100, false_positives=0.01, redis=r, key="seen")
    bloom.update({"rajiv", "raj"})
    assert "rajiv" in bloom and "dhawan" not in bloom
    log = pottery.HyperLogLog(redis=r, key="visitors")
    log.update({f"{i}" for i in range(50)})
    assert 45 < len(log) < 55


def test_redlock_py(masters):
    locks = RedlockPy(masters, retry_count=1, retry_delay=0.01)
    held = locks.lock("printer", 20_000)
    assert held and 15_000 < held.validity < 20_000
    assert RedlockPy(masters, retry_count=1, retry_delay=0.01).lock("printer", 20_000) is False
    assert [m.get("printer") for m in masters] == [held.key] * 3, "the loser took back only its own"
    locks.unlock(held)
    assert [m.exists("printer") for m in masters] == [0, 0, 0]
    assert locks.lock("printer", 20_000)


def test_python_redis_lock(dial):
    r = dial()
    lock = redis_lock.Lock(r, "bell", expire=20)
    assert lock.acquire(blocking=False) is True and lock.locked()
    with pytest.raises(redis_lock.AlreadyAcquired):
        lock.acquire()
    lock.extend(expire=60)
    assert 20_000 < r.pttl("lock:bell") <= 60_000
    other = redis_lock.Lock(dial(), "bell")
    with pytest.raises(redis_lock.NotAcquired):
        other.release()
    got = []
    waiter = threading.Thread(target=lambda: got.append(other.acquire()))
    waiter.start()
    wait_until(lambda: int(r.info("clients")["blocked_clients"]) == 1)
    lock.release()  # a script pushes to the list that the other waits for
    waiter.join()
    assert got == [True] and other.locked()
    with pytest.raises(redis_lock.NotExpirable):
        other.extend(expire=10)
    other.reset()
    assert not other.locked()


def test_python_redis_lock_in_threads(dial):
    room = Room()

    def work(_):
        mine = dial()
        for _ in range(10):
            with redis_lock.Lock(mine, "room", expire=20):
                room.visit()
    in_threads(4, work)
    assert room.visits == 40
    assert dial().exists("lock:room") == 0


def test_python_redis_lock_reset_all(dial):
    """Its script looks for keys that it did not declare, and works on what it finds."""
    r = dial()
    for name in ("a", "b", "c"):
        assert redis_lock.Lock(r, name).acquire()
    r.set("other", 1)
    redis_lock.reset_all(r)
    assert r.keys("lock:*") == [] and r.get("other") == b"1"
    assert sorted(r.keys("lock-signal:*")) == [b"lock-signal:a", b"lock-signal:b", b"lock-signal:c"]
    assert r.ttl("lock-signal:a") == 1


def test_a_lock_with_renewal(dial):
    """auto_renewal extends a lock in a thread of its own before it ends."""
    r = dial()
    lock = redis_lock.Lock(r, "long", expire=30, auto_renewal=True)
    lock._lock_renewal_interval = 0.02
    with lock:
        r.pexpire("lock:long", 20_000)
        wait_until(lambda: r.pttl("lock:long") > 29_000)
    assert not lock.locked()
