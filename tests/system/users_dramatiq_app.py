"""The actors of test_users_dramatiq.py; `dramatiq` imports them. TARN_DRAMATIQ_URL names the server."""
import os
import time

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.rate_limits import ConcurrentRateLimiter, WindowRateLimiter
from dramatiq.rate_limits.backends import RedisBackend as RateBackend
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

URL = os.environ.get("TARN_DRAMATIQ_URL", "redis://127.0.0.1:1/0")

client = redis.Redis.from_url(URL)
broker = RedisBroker(client=client, heartbeat_timeout=1000)
broker.add_middleware(Results(backend=RedisBackend(client=client)))
broker.add_middleware(dramatiq.middleware.GroupCallbacks(RateBackend(client=client)))
dramatiq.set_broker(broker)

one_at_a_time = ConcurrentRateLimiter(RateBackend(client=client), "one", limit=1)
three_an_hour = WindowRateLimiter(RateBackend(client=client), "three", limit=3, window=3600)


@dramatiq.actor(store_results=True)
def add(a, b):
    return a + b


@dramatiq.actor(store_results=True)
def now():
    return time.time()


@dramatiq.actor(max_retries=2, min_backoff=10, max_backoff=20)
def fail(text):
    note_at("notes", text)
    raise ValueError(text)


@dramatiq.actor(queue_name="other")
def note(text):
    note_at("notes", text)


def note_at(key, text):
    broker.client.rpush(key, text)


@dramatiq.actor(max_retries=200, min_backoff=5, max_backoff=10)
def alone(number):
    """Never two of these at once: the others are tried again."""
    with one_at_a_time.acquire():
        inside = broker.client.incr("inside")
        time.sleep(0.002)
        broker.client.decr("inside")
        note_at("alone", f"{number}:{inside}")
