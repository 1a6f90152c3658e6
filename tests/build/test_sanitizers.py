"""The short form of ./dev asan and ./dev tsan: the unit tests, and each file of the system tests with four workers and one
protocol. Every item is a pytest run of its own against the sanitized server, which fails on any report of a sanitizer; two
run at a time. The full forms are ./dev asan and ./dev tsan."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.build.conftest import ROOT
from tests.system.harness import cts_file

CHOICE = "not w1 and not resp3"
# pytest's status when the choice leaves nothing of a file.
NOTHING_CHOSEN = 5
UNIT_TESTS = "tests/build/test_unit.py"
# The compatibility suite lies beside the checkout, or not at all.
FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests" / "system").glob("test_*.py")
               if path.name != "test_cts.py" or cts_file())


def run(dev, kind, file):
    if file == UNIT_TESTS:
        dev(kind, "-q", file, timeout=1700)
    else:
        dev(kind, "-q", "-k", CHOICE, file, timeout=1700, fine=(0, NOTHING_CHOSEN))


@pytest.fixture(scope="module")
def runs(request, dev):
    """What was chosen of this file, begun in its order: (kind, file) -> a future."""
    chosen = [tuple(item.callspec.params[name] for name in ("kind", "file"))
              for item in request.session.items if item.module is request.module]
    for kind in dict.fromkeys(kind for kind, _ in chosen):
        dev(f"build-{kind}")
    pool = ThreadPoolExecutor(2)
    yield {one: pool.submit(run, dev, *one) for one in chosen}
    pool.shutdown(cancel_futures=True)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("file", [UNIT_TESTS, *FILES])
@pytest.mark.parametrize("kind", ["asan", "tsan"])
def test_sanitized(runs, kind, file):
    runs[kind, file].result()
