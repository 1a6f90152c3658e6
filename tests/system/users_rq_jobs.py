"""The jobs of test_users_rq.py; RQ's workers import them."""
import time


def add(a, b):
    return a + b


def fail(why):
    raise ValueError(why)


def total(*_):
    """The sum of what the jobs before this one gave."""
    from rq import get_current_job
    return sum(job.return_value() for job in get_current_job().fetch_dependencies())


def at_what_time(_=None):
    return time.time()


def until_told(seconds):
    """Work that only `rq`'s own command ends in time."""
    from rq import get_current_job
    job = get_current_job()
    job.meta["begun"] = True
    job.save_meta()
    time.sleep(seconds)


def note(result, text):
    """Writes where the test looks, in the order of the calls."""
    from rq import get_current_job
    get_current_job().connection.rpush("notes", text)
    return result


def note_and_fail(text):
    note(None, text)
    raise ValueError(text)
