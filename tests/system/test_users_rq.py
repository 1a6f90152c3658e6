"""RQ: queues whose jobs are hashes, results that are streams, schedulers with sorted sets, commands to workers by pub/sub. With its
workers as users start them (`rq worker`, which forks for every job), and with SimpleWorker in this process.
"""
import datetime
import signal
import threading
import time

import pytest
import rq
from rq.command import send_shutdown_command, send_stop_job_command
from rq.exceptions import DuplicateJobError
from rq.job import JobStatus
from rq.rate_limit import RateLimit, RateLimitRegistry
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry, StartedJobRegistry

from tests.system import users_rq_jobs as jobs
from tests.system.harness import ROOT, wait_until
from tests.system.threads import in_threads
from tests.system.users_tools import dial, python, r, scripted  # noqa: F401

# RQ itself does not know RESP3's replies (of XREAD, for one).
pytestmark = [scripted, pytest.mark.protocols(2)]


@pytest.fixture
def start_worker(server, protocol):
    """start_worker("queue", "--burst", …): `rq worker` as a process; gone after the test."""
    made = []

    def start(*words):
        url = f"redis://127.0.0.1:{server.port}/0?protocol={protocol}"
        made.append(python("-m", "rq.cli", "worker", "--url", url, "--path", ROOT, "--verbose", *words))
        return made[-1]
    yield start
    for program in made:
        program.kill()


def result_of(job, timeout=15):
    """The value of a finished job; its stream of results is waited for."""
    result = job.latest_result(timeout=timeout)
    assert result is not None and result.type == result.Type.SUCCESSFUL, (job.get_status(), result and result.exc_string)
    return result.return_value


def simple(r, *queues, **kwargs):
    """A worker in this process, for which a worker's process is too slow."""
    return rq.SimpleWorker(list(queues), connection=r, **kwargs)


def test_a_worker_in_burst_mode(r, start_worker):
    high, low = rq.Queue("high", connection=r), rq.Queue("low", connection=r)
    sums = [low.enqueue(jobs.note, i, f"low {i}") for i in range(3)]
    first = high.enqueue(jobs.note, 0, "high")
    parts = [high.enqueue(jobs.add, i, i) for i in range(3)]
    whole = high.enqueue(jobs.total, depends_on=parts)
    bad = high.enqueue(jobs.fail, "on purpose")
    never = low.enqueue(jobs.add, 1, 1, depends_on=bad)
    assert high.count == 5 and whole.get_status() == JobStatus.DEFERRED
    start_worker("--burst", "high", "low").finish()
    assert [result_of(job) for job in sums] == [0, 1, 2] and result_of(first) == 0
    assert r.lrange("notes", 0, -1) == [b"high", b"low 0", b"low 1", b"low 2"]
    assert [result_of(job) for job in parts] == [0, 2, 4] and result_of(whole) == 6
    assert bad.get_status() == JobStatus.FAILED and "ValueError: on purpose" in bad.latest_result().exc_string
    assert bad.id in FailedJobRegistry("high", connection=r) and never.get_status() == JobStatus.DEFERRED
    assert high.count == low.count == 0 and len(StartedJobRegistry("high", connection=r)) == 0
    assert len(FinishedJobRegistry("high", connection=r)) == 5
    assert rq.Worker.all(connection=r) == []


def test_a_worker_that_listens(r, start_worker):
    """BLPOP's waiting worker, its scheduler, and what it is told by pub/sub: stop this job, and leave."""
    queue = rq.Queue("work", connection=r)
    worker = start_worker("work", "--with-scheduler", "--name", "w1")
    worker.wait_line(r"Listening on work\.\.\.")
    began = time.time()
    later = queue.enqueue_in(datetime.timedelta(seconds=2), jobs.at_what_time)
    assert later.id in ScheduledJobRegistry("work", connection=r)
    assert result_of(queue.enqueue(jobs.add, 2, 3)) == 5
    long = queue.enqueue(jobs.until_told, 600)
    wait_until(lambda: long.get_meta().get("begun"))
    wait_until(lambda: rq.Worker.find_by_key("rq:worker:w1", connection=r).get_current_job_id() == long.id)
    send_stop_job_command(r, long.id)
    wait_until(lambda: long.get_status() == JobStatus.STOPPED)
    assert result_of(later) > began + 1, "RQ counts in whole seconds"
    send_shutdown_command(r, "w1")
    worker.finish()
    assert rq.Worker.all(connection=r) == []


@pytest.mark.workers(4)
def test_two_workers_share_the_work(r, start_worker):
    queue = rq.Queue("work", connection=r)
    many = queue.enqueue_many([rq.Queue.prepare_data(jobs.add, (i, i)) for i in range(40)])
    workers = [start_worker("--burst", "work", "--worker-class", "rq.SimpleWorker", "--name", f"w{i}") for i in range(2)]
    for worker in workers:
        worker.finish()
    assert [result_of(job) for job in many] == [2 * i for i in range(40)]
    assert len(FinishedJobRegistry("work", connection=r)) == 40


@pytest.mark.workers(1)
def test_a_worker_that_gets_a_signal(r, start_worker):
    worker = start_worker("work")
    worker.wait_line(r"Listening on work\.\.\.")
    wait_until(lambda: int(r.info("clients")["blocked_clients"]) == 1)  # its handlers are in place
    assert len(rq.Worker.all(connection=r)) == 1
    assert "warm shut down requested" in worker.stop(signal.SIGTERM).lower()
    assert rq.Worker.all(connection=r) == [] and r.smembers("rq:workers") == set()


@pytest.mark.workers(1)
def test_rq_s_command_line(r, server):
    rq.Queue("work", connection=r).enqueue(jobs.fail, "x")
    url = f"redis://127.0.0.1:{server.port}/0"
    with python("-m", "rq.cli", "info", "--url", url, "--raw") as info:
        assert "queue work 1" in info.finish()
    simple(r, "work").work(burst=True)
    with python("-m", "rq.cli", "requeue", "--url", url, "--queue", "work", "--all") as requeue:
        assert "Requeueing 1 jobs" in requeue.finish()
    assert rq.Queue("work", connection=r).count == 1
    with python("-m", "rq.cli", "empty", "--url", url, "work") as empty:
        assert "1 jobs removed" in empty.finish()
    assert r.keys("rq:job:*") == []


def test_retries_and_requeueing(r):
    queue = rq.Queue("work", connection=r)
    job = queue.enqueue(jobs.note_and_fail, "tried", retry=rq.Retry(max=2))
    simple(r, queue).work(burst=True)
    job.refresh()
    assert job.get_status() == JobStatus.FAILED and job.retries_left == 0
    assert r.lrange("notes", 0, -1) == [b"tried"] * 3
    registry = FailedJobRegistry("work", connection=r)
    assert registry.get_job_ids() == [job.id]
    registry.requeue(job.id)
    assert queue.job_ids == [job.id] and len(registry) == 0


def test_callbacks_and_order(r):
    queue = rq.Queue("work", connection=r)
    queue.enqueue(jobs.note, 1, "second")
    queue.enqueue(jobs.note, 1, "first", at_front=True)
    last = queue.enqueue(jobs.note, 7, "third", result_ttl=60)
    simple(r, queue).work(burst=True)
    assert r.lrange("notes", 0, -1) == [b"first", b"second", b"third"]
    assert result_of(last) == 7 and 0 < r.ttl(last.key) <= 60


def test_unique_jobs(dial):
    """Saved and enqueued by one script: of many who try at once, one gets through."""
    def enqueue(_):
        queue, refused = rq.Queue("work", connection=dial()), 0
        for i in range(10):
            try:
                queue.enqueue(jobs.add, i, i, job_id=f"only-{i}", unique=True)
            except DuplicateJobError:
                refused += 1
        return refused
    assert sum(in_threads(4, enqueue)) == 30
    r = dial()
    queue = rq.Queue("work", connection=r)
    assert sorted(queue.job_ids) == sorted(f"only-{i}" for i in range(10))
    simple(r, queue).work(burst=True)
    assert result_of(rq.job.Job.fetch("only-7", connection=r)) == 14


def test_rate_limited_jobs(r):
    """Who may run is decided by scripts that move jobs between sorted sets and queues."""
    queue = rq.Queue("work", connection=r)
    limit = RateLimit(key="printer", concurrency=2)
    many = [queue.enqueue(jobs.add, i, 1, rate_limit=limit) for i in range(6)]
    registry = RateLimitRegistry("printer", connection=r)
    assert registry.get_allowed_job_count() == 2 and registry.get_rate_limited_job_count() == 4
    assert queue.job_ids == [job.id for job in many[:2]]
    simple(r, queue).work(burst=True)
    assert [result_of(job) for job in many] == [i + 1 for i in range(6)]
    assert registry.get_allowed_job_count() == registry.get_rate_limited_job_count() == 0


def test_emptying_a_queue(r):
    """The script deletes hashes and streams whose names it makes from what it pops."""
    queue = rq.Queue("work", connection=r)
    parent = queue.enqueue(jobs.add, 0, 0)
    for i in range(30):
        queue.enqueue(jobs.add, i, i)
    child = queue.enqueue(jobs.add, 1, 1, depends_on=parent)
    assert queue.empty() == 31 and queue.count == 0
    assert [key for key in r.keys("rq:job:*") if b"dependencies" not in key] == [child.key.encode()]
    queue.delete()
    assert r.smembers("rq:queues") == set()


def test_a_result_that_is_waited_for(dial):
    """XREAD BLOCK on the results of a job while another connection works."""
    r = dial()
    queue = rq.Queue("work", connection=dial())
    job, got = queue.enqueue(jobs.add, 20, 22), []
    waiter = threading.Thread(target=lambda: got.append(result_of(job)))
    waiter.start()
    wait_until(lambda: int(r.info("clients")["blocked_clients"]) == 1)
    assert simple(r, "work").work(burst=True)
    waiter.join()
    assert got == [42]
