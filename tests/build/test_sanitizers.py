"""The short form of ./dev asan and ./dev tsan: the unit tests, and each file of the system tests with four workers and one
protocol. Every item is a pytest run of its own against the sanitized server, which fails on any report of a sanitizer.
The full forms are ./dev asan and ./dev tsan."""
import pytest

from tests.build.conftest import ROOT
from tests.system.harness import cts_file

CHOICE = "not w1 and not resp3"
# pytest's status when the choice leaves nothing of a file.
NOTHING_CHOSEN = 5
# The compatibility suite lies beside the checkout, or not at all.
FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests" / "system").glob("test_*.py")
               if path.name != "test_cts.py" or cts_file())


@pytest.fixture(scope="module", params=["asan", "tsan"])
def kind(request, dev):
    dev(f"build-{request.param}")
    return request.param


@pytest.mark.timeout(1800)
def test_unit_tests(kind, dev):
    dev(kind, "-q", "tests/build/test_unit.py", timeout=1700)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("file", FILES)
def test_system(kind, dev, file):
    dev(kind, "-q", "-k", CHOICE, file, timeout=1700, fine=(0, NOTHING_CHOSEN))
