"""The tasks of test_users_celery.py; its workers import them. TARN_CELERY_URL names the server."""
import os
import time

from celery import Celery

URL = os.environ.get("TARN_CELERY_URL", "redis://127.0.0.1:1/0")

app = Celery("users", broker=URL, backend=URL)
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_default_queue="usual",
    task_routes={"*.urgent": {"queue": "urgent"}},
    task_track_started=True,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    result_expires=600,
)


@app.task
def add(a, b):
    return a + b


@app.task
def urgent(word):
    return word.upper()


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def fail(why):
    raise ValueError(why)


@app.task
def now():
    return time.time()


@app.task(bind=True, max_retries=3)
def third_time(self):
    """Fails twice."""
    if self.request.retries < 2:
        raise self.retry(countdown=0.05)
    return self.request.retries


@app.task(bind=True)
def with_progress(self, steps):
    for step in range(steps):
        self.update_state(state="PROGRESS", meta={"step": step})
    return steps


@app.task(ignore_result=True)
def note(key, text):
    """Leaves a trace that needs no result."""
    with app.backend.client as r:
        r.rpush(key, text)
