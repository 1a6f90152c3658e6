"""Rate limiters that count in scripts: limits (which flask-limiter and slowapi stand on) and pyrate-limiter. Each decision is one
script; nobody may get in twice when many ask at once.
"""
import asyncio

import limits
import pyrate_limiter
import pytest
from limits.aio import storage as aio_storage
from limits.aio import strategies as aio_strategies
from redis import asyncio as aredis

from tests.system.harness import wait_until
from tests.system.threads import in_threads
from tests.system.users_tools import dial, r, scripted  # noqa: F401

pytestmark = scripted

STRATEGIES = [limits.strategies.FixedWindowRateLimiter, limits.strategies.MovingWindowRateLimiter,
              limits.strategies.SlidingWindowCounterRateLimiter]


@pytest.fixture
def storage(server, protocol):
    made = limits.storage.storage_from_string(f"redis://127.0.0.1:{server.port}", protocol=protocol)
    yield made
    made.storage.close()


def limiter_of(bucket):
    """Without the library's thread that takes old entries out now and then: it does not end with the limiter."""
    return pyrate_limiter.Limiter(pyrate_limiter.SingleBucketFactory(bucket, schedule_leak=False))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_limits(storage, strategy):
    limiter, ten = strategy(storage), limits.parse("10/hour")
    assert storage.check()
    assert [limiter.hit(ten, "ann") for _ in range(12)] == [True] * 10 + [False] * 2
    assert limiter.test(ten, "bob") and not limiter.test(ten, "ann")
    assert limiter.get_window_stats(ten, "ann").remaining == 0
    assert limiter.hit(ten, "bob", cost=7) and not limiter.hit(ten, "bob", cost=7 if strategy is not STRATEGIES[0] else 9)
    limiter.clear(ten, "ann")
    assert limiter.get_window_stats(ten, "ann").remaining == 10 and limiter.hit(ten, "ann")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_limits_of_many_at_once(storage, strategy):
    limiter, hundred = strategy(storage), limits.parse("100/hour")
    let_in = in_threads(4, lambda _: sum(limiter.hit(hundred, "all") for _ in range(50)))
    assert sum(let_in) == 100


@pytest.mark.protocols(3)
def test_a_window_that_ends(storage):
    limiter, two = limits.strategies.MovingWindowRateLimiter(storage), limits.parse("2/1 second")
    wait_until(lambda: not limiter.hit(two, "ann"))
    wait_until(lambda: limiter.hit(two, "ann"), 10, 0.02)


def test_a_large_cost(storage):
    """A script that pushes in pieces of 5000 with unpack()."""
    limiter, many = limits.strategies.MovingWindowRateLimiter(storage), limits.parse("12000/hour")
    assert limiter.hit(many, "ann", cost=11_000)
    assert limiter.get_window_stats(many, "ann").remaining == 1000
    assert not limiter.hit(many, "ann", cost=1001) and limiter.hit(many, "ann", cost=1000)


def test_reset_finds_its_keys_by_itself(storage, r):
    """The script asks KEYS for a pattern and deletes what it finds, in pieces."""
    limiter, ten = limits.strategies.FixedWindowRateLimiter(storage), limits.parse("10/hour")
    for i in range(300):
        limiter.hit(ten, f"user{i}")
    r.set("other", 1)
    assert storage.reset() == 300
    assert r.keys() == [b"other"]


@pytest.mark.protocols(2)
def test_limits_of_asyncio(server):
    async def session():
        store = aio_storage.RedisStorage(f"async+redis://127.0.0.1:{server.port}", implementation="redispy")
        ten = limits.parse("10/hour")
        for strategy in (aio_strategies.FixedWindowRateLimiter, aio_strategies.MovingWindowRateLimiter,
                         aio_strategies.SlidingWindowCounterRateLimiter):
            limiter = strategy(store)
            answers = await asyncio.gather(*[limiter.hit(ten, strategy.__name__) for _ in range(30)])
            assert sum(answers) == 10
        await store.bridge.storage.aclose()
    asyncio.run(session())


def test_pyrate_limiter(dial):
    rates = [pyrate_limiter.Rate(5, pyrate_limiter.Duration.HOUR), pyrate_limiter.Rate(20, pyrate_limiter.Duration.DAY)]
    r = dial()
    bucket = pyrate_limiter.RedisBucket.init(rates, r, "bucket")
    with limiter_of(bucket) as limiter:
        assert [limiter.try_acquire("ann", blocking=False) for _ in range(7)] == [True] * 5 + [False] * 2
        assert bucket.count() == 5 and r.zcard("bucket") == 5
        assert not limiter.try_acquire("ann", weight=2, blocking=False)
        bucket.flush()
        assert limiter.try_acquire("ann", weight=4, blocking=False) and not limiter.try_acquire("ann", weight=2, blocking=False)


def test_pyrate_limiter_of_many_at_once(dial):
    rates = [pyrate_limiter.Rate(60, pyrate_limiter.Duration.HOUR)]

    def work(_):
        with limiter_of(pyrate_limiter.RedisBucket.init(rates, dial(), "bucket")) as limiter:
            return sum(limiter.try_acquire("all", blocking=False) for _ in range(30))
    let_in = sum(in_threads(4, work))
    # The script counts up to the asker's own time: who asked earlier and comes later does not see the last ones.
    assert 60 <= let_in < 90
    assert dial().zcard("bucket") == let_in


def test_pyrate_limiter_with_weights_in_the_thousands(r):
    bucket = pyrate_limiter.RedisBucket.init([pyrate_limiter.Rate(5000, pyrate_limiter.Duration.HOUR)], r, "bucket")
    with limiter_of(bucket) as limiter:
        assert limiter.try_acquire("bulk", weight=4500, blocking=False) and r.zcard("bucket") == 4500
        assert not limiter.try_acquire("bulk", weight=501, blocking=False)


@pytest.mark.protocols(2)
def test_pyrate_limiter_waits_in_asyncio(server):
    async def session():
        async with aredis.Redis(port=server.port) as r:
            bucket = await pyrate_limiter.RedisBucket.init([pyrate_limiter.Rate(3, 200)], r, "bucket")
            with limiter_of(bucket) as limiter:
                assert [await limiter.try_acquire_async("ann") for _ in range(5)] == [True] * 5
                assert await r.zcard("bucket") >= 2
    asyncio.run(session())
