"""Dramatiq: one long script does all that its broker does, with keys whose names it makes itself; results are lists that are waited
for; rate limiters are transactions with WATCH. And its worker as a process that is killed.
"""
import importlib
import os
import sys
import time
import uuid

import dramatiq
import pytest
import redis
from dramatiq.results import ResultTimeout

from tests.system.harness import wait_until
from tests.system.threads import in_threads
from tests.system.users_tools import python, scripted

APP = "tests.system.users_dramatiq_app"
pytestmark = scripted


@pytest.fixture
def r(server):
    with redis.Redis(port=server.port) as client:
        yield client


@pytest.fixture
def app(server):
    """The application as a producer has it, for this server."""
    os.environ["TARN_DRAMATIQ_URL"] = f"redis://127.0.0.1:{server.port}/0"
    sys.modules.pop(APP, None)
    module = importlib.import_module(APP)
    yield module
    module.broker.close()
    module.client.close()
    del os.environ["TARN_DRAMATIQ_URL"]


@pytest.fixture
def worker(app):
    """A worker with four threads in this process."""
    worker = dramatiq.Worker(app.broker, worker_threads=4, worker_timeout=50)
    worker.start()
    yield worker
    worker.stop()


def test_results(app, worker):
    messages = [app.add.send(i, i) for i in range(100)]
    assert [m.get_result(block=True, timeout=15_000) for m in messages] == [2 * i for i in range(100)]
    app.broker.join("default", timeout=15_000)
    assert app.broker.do_qsize("default") == 0


@pytest.mark.workers(4)
def test_a_result_that_does_not_come(app):
    message = app.add.send(1, 1)
    with pytest.raises(ResultTimeout):
        message.get_result(block=True, timeout=1000)
    assert app.broker.do_qsize("default") == 1
    app.broker.flush_all()
    assert app.broker.do_qsize("default") == 0


def test_pipelines_and_groups(app, worker):
    assert (app.add.message(1, 2) | app.add.message(3) | app.add.message(4)).run().get_result(block=True, timeout=15_000) == 10
    group = dramatiq.group([app.add.message(i, i) for i in range(20)]).run()
    assert list(group.get_results(block=True, timeout=15_000)) == [2 * i for i in range(20)]


def test_a_callback_after_a_group(app, worker, r):
    """Counted down by a barrier: a key per group and WATCH."""
    group = dramatiq.group([app.add.message(i, i) for i in range(10)])
    group.add_completion_callback(app.note.message("all done"))
    group.run()
    wait_until(lambda: r.lrange("notes", 0, -1) == [b"all done"], 15)


def test_later(app, worker):
    began = time.time()
    late = app.now.send_with_options(delay=300)
    soon = app.now.send()
    assert soon.get_result(block=True, timeout=15_000) < late.get_result(block=True, timeout=15_000)
    assert late.get_result() >= began + 0.3


def test_failures_end_among_the_dead(app, worker, r):
    app.fail.send("on purpose")
    wait_until(lambda: r.zcard("dramatiq:default.XQ") == 1, 15)
    assert r.lrange("notes", 0, -1) == [b"on purpose"] * 3
    assert r.hlen("dramatiq:default.XQ.msgs") == 1
    wait_until(lambda: app.broker.do_qsize("default") == 0)


def test_one_at_a_time(app, worker, r):
    for i in range(12):
        app.alone.send(i)
    wait_until(lambda: r.llen("alone") == 12, 15)
    assert sorted(int(line.split(b":")[0]) for line in r.lrange("alone", 0, -1)) == list(range(12))
    assert {line.split(b":")[1] for line in r.lrange("alone", 0, -1)} == {b"1"}, "nobody else was inside"


@pytest.mark.workers(4)
def test_window_limits_of_many_at_once(app):
    def ask(_):
        let_in = 0
        for _ in range(5):
            with app.three_an_hour.acquire(raise_on_failure=False) as acquired:
                let_in += acquired
        return let_in
    assert 1 <= sum(in_threads(4, ask)) <= 3


def test_many_messages_at_once(app, r):
    """The script unpacks what it fetched; a prefetch as large as it allows."""
    for i in range(1500):
        app.add.send(i, i)
    fetched = app.broker.do_fetch("default", 1500)
    assert len(fetched) == 1500 and r.llen("dramatiq:default") == 0
    assert r.scard(f"dramatiq:__acks__.{app.broker.broker_id}.default") == 1500
    ids = [dramatiq.Message.decode(data).options["redis_message_id"] for data in fetched]
    app.broker.do_requeue("default", *ids)
    assert r.llen("dramatiq:default") == 1500
    app.broker.do_purge("default")
    assert r.keys("dramatiq:default*") == []


def test_a_dead_worker_s_messages_come_back(app, r):
    """Maintenance, in the same script, finds workers without a heartbeat and their sets of messages, by KEYS."""
    message = app.add.send(20, 22)
    app.broker.do_fetch("default", 1)
    acks = f"dramatiq:__acks__.{app.broker.broker_id}.default"
    assert r.scard(acks) == 1 and r.llen("dramatiq:default") == 0
    r.zadd("dramatiq:__heartbeats__", {app.broker.broker_id: 1})
    dead, app.broker.broker_id = app.broker.broker_id, str(uuid.uuid4())
    app.broker.maintenance_chance = 1_000_000
    app.broker.do_qsize("default")
    assert r.llen("dramatiq:default") == 1 and not r.exists(acks)
    assert r.zscore("dramatiq:__heartbeats__", dead) is None
    worker = dramatiq.Worker(app.broker, worker_threads=1, worker_timeout=50)
    worker.start()
    assert message.get_result(block=True, timeout=15_000) == 42
    worker.stop()


@pytest.mark.workers(4)
def test_a_process_that_works(app):
    messages = [app.add.send(i, 1) for i in range(30)]
    with python("-m", "dramatiq", APP, "--processes", "1", "--threads", "2", TARN_DRAMATIQ_URL=app.URL) as worker:
        assert [m.get_result(block=True, timeout=15_000) for m in messages] == [i + 1 for i in range(30)]
        worker.stop()
