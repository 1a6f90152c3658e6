"""Celery with the server as its broker and its result store: messages in lists, unacknowledged ones in a hash and a sorted set, results
as strings that are told by pub/sub, chords counted by scripts, workers' gossip and remote control through fan-out. One worker process
per kind of server serves all tests of this file, as a user's does.
"""
import atexit
import gc
import importlib
import json
import os
import sys
import time

import pytest
import redis
from celery import chain, chord, group
from celery.exceptions import TimeoutError as TaskTimeout
from celery.result import AsyncResult

from tests.system.harness import wait_until
from tests.system.users_tools import python, scripted

APP = "tests.system.users_celery_app"
pytestmark = scripted


# Results unsubscribe when they go. Those that last until the interpreter's end would complain behind pytest's last line, since
# by then the server has gone.
atexit.register(setattr, AsyncResult, "__del__", lambda result: None)


@pytest.fixture(scope="module")
def broker(servers, workers):
    """The shared server, emptied once: a worker's bindings are to stay."""
    server = servers.get(workers)
    with redis.Redis(port=server.port) as r:
        r.flushall()
        yield r
        r.execute_command("CLIENT", "KILL", "SKIPME", "yes")
    server.check()
    if not server.reference:
        with server.wire() as connection:
            assert connection("DEBUG", "CHECK").decode() == "OK"


@pytest.fixture(scope="module")
def url(broker):
    return f"redis://127.0.0.1:{broker.connection_pool.connection_kwargs['port']}/0"


@pytest.fixture(scope="module")
def worker(url):
    """A worker of both queues with two threads; stopped as an operator stops it."""
    with celery(url, "worker", "--pool", "threads", "--concurrency", "2", "--queues", "usual,urgent", "--hostname", "w1@here",
                "--loglevel", "INFO") as program:
        program.wait_line("ready\\.")
        yield program
        output = program.stop()
        assert "ConnectionError" not in output and "ResponseError" not in output, output


def celery(url, *words):
    return python("-m", "celery", "--app", APP, *words, TARN_CELERY_URL=url)


@pytest.fixture(scope="module")
def tasks(url):
    """The application as a producer has it, for this server."""
    os.environ["TARN_CELERY_URL"] = url
    sys.modules.pop(APP, None)
    module = importlib.import_module(APP)
    yield module
    module.app.close()
    del os.environ["TARN_CELERY_URL"], sys.modules[APP]
    # Its connections are closed when the last of its objects goes; results unsubscribe then, which may open one again.
    del module
    gc.collect()


def test_results(worker, tasks):
    assert tasks.add.delay(2, 3).get(timeout=15) == 5
    many = [tasks.add.delay(i, i) for i in range(50)]
    assert [result.get(timeout=15) for result in many] == [2 * i for i in range(50)]
    assert tasks.urgent.delay("fire").get(timeout=15) == "FIRE"


def test_a_result_is_a_key_that_ends(worker, tasks, broker):
    result = tasks.add.delay(20, 22)
    assert result.get(timeout=15) == 42 and result.successful()
    key = f"celery-task-meta-{result.id}"
    assert json.loads(broker.get(key))["result"] == 42 and 0 < broker.ttl(key) <= 600
    result.forget()
    assert not broker.exists(key)


def test_failures_and_retries(worker, tasks):
    result = tasks.fail.delay("on purpose")
    with pytest.raises(ValueError, match="on purpose"):
        result.get(timeout=15)
    assert result.failed() and "ValueError" in result.traceback
    assert tasks.third_time.delay().get(timeout=15) == 2
    assert tasks.with_progress.delay(5).get(timeout=15) == 5


@pytest.mark.workers(4)
def test_a_result_that_does_not_come(worker, tasks):
    result = tasks.add.apply_async((1, 1), queue="nobody-listens")
    with pytest.raises(TaskTimeout):
        result.get(timeout=0.1)
    assert result.state == "PENDING"


def test_chains_groups_and_chords(worker, tasks):
    add, total = tasks.add, tasks.total
    assert chain(add.s(1, 2), add.s(3), add.s(4)).delay().get(timeout=15) == 10
    assert group(add.s(i, i) for i in range(10)).delay().get(timeout=15) == [2 * i for i in range(10)]
    assert chord((add.s(i, 1) for i in range(20)), total.s()).delay().get(timeout=15) == sum(range(1, 21))
    both = chord([chord([add.s(1, 1), add.s(2, 2)], total.s()), add.s(10, 10)], total.s())
    assert both.delay().get(timeout=15) == 26
    assert (group(add.s(1, 1), add.s(2, 2)) | total.s() | add.s(100)).delay().get(timeout=15) == 106


def test_a_chord_with_a_failure(worker, tasks):
    result = chord([tasks.add.s(1, 1), tasks.fail.s("on purpose")], tasks.total.s()).delay()
    with pytest.raises(Exception, match="on purpose"):
        result.get(timeout=15)


def test_later(worker, tasks):
    began = time.time()
    late, soon = tasks.now.apply_async(countdown=0.6), tasks.now.apply_async()
    assert soon.get(timeout=15) < late.get(timeout=15)
    assert late.get() >= began + 0.6
    expired = tasks.now.apply_async(countdown=0.4, expires=0.1)
    wait_until(lambda: expired.state == "REVOKED", 15)


def unacked(broker):
    """The tags of messages that workers have taken and not finished: in a hash and, by age, in a sorted set."""
    with broker.pipeline() as pipe:
        messages, index = pipe.hkeys("unacked").zrange("unacked_index", 0, -1).execute()
    assert set(messages) == set(index)
    return set(messages)


def test_nothing_is_left_unacknowledged(worker, tasks, broker):
    before = unacked(broker)
    results = [tasks.add.delay(i, 0) for i in range(20)]
    for result in results:
        result.get(timeout=15)
    wait_until(lambda: unacked(broker) <= before)  # another test may have left something that waits
    assert broker.llen("usual") == broker.llen("urgent") == 0


@pytest.mark.workers(4)
def test_priorities(tasks, broker):
    """Lists of their own, in the order in which BRPOP names them."""
    for priority in (9, 0, 3):
        tasks.note.apply_async(("prio", str(priority)), priority=priority, queue="ranked")
    assert sorted(broker.keys("ranked*")) == [b"ranked", b"ranked\x06\x163", b"ranked\x06\x169"]
    with celery(tasks.URL, "worker", "--pool", "solo", "--queues", "ranked", "--hostname", "w2@here") as second:
        wait_until(lambda: broker.lrange("prio", 0, -1) == [b"0", b"3", b"9"], 15)
        second.stop()


def test_remote_control(worker, tasks, url):
    """Questions by pub/sub, answers in lists."""
    control = tasks.app.control
    assert control.ping(destination=["w1@here"], timeout=10, limit=1) == [{"w1@here": {"ok": "pong"}}]
    inspect = control.inspect(destination=["w1@here"], timeout=10, limit=1)
    assert f"{APP}.add" in inspect.registered()["w1@here"]
    assert {queue["name"] for queue in inspect.active_queues()["w1@here"]} == {"usual", "urgent"}
    waiting = tasks.now.apply_async(countdown=3600)
    wait_until(lambda: any(item["request"]["id"] == waiting.id for item in inspect.scheduled()["w1@here"]), 10, 0.05)
    waiting.revoke()
    wait_until(lambda: waiting.id in inspect.revoked()["w1@here"], 10, 0.05)
    with celery(url, "inspect", "ping", "--destination", "w1@here", "--timeout", "10") as asking:
        assert "pong" in asking.finish()


@pytest.mark.workers(4)
def test_purge(tasks, broker):
    for i in range(7):
        tasks.add.apply_async((i, i), queue="nobody")
    assert broker.llen("nobody") == 7
    with celery(tasks.URL, "purge", "--force", "--queues", "nobody") as purge:
        assert "Purged 7 messages" in purge.finish()
    assert broker.exists("nobody") == 0


@pytest.mark.workers(4)
def test_a_worker_that_is_killed_loses_nothing(tasks, broker):
    """What it had taken is in `unacked`, and comes back when it is restored."""
    results = [tasks.add.apply_async((i, i), queue="fragile") for i in range(3)]
    with tasks.app.connection() as connection, connection.channel() as channel:
        message = channel.basic_get("fragile", no_ack=False)
        tag = message.delivery_tag.encode()
        assert tag in unacked(broker) and broker.llen("fragile") == 2
        channel.qos.restore_by_tag(message.delivery_tag)
        assert tag not in unacked(broker) and broker.llen("fragile") == 3
    with celery(tasks.URL, "worker", "--pool", "solo", "--queues", "fragile", "--hostname", "w3@here") as worker:
        assert [result.get(timeout=15) for result in results] == [0, 2, 4]
        worker.stop()
