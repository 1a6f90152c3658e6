"""What is not a test of a running server, as pytest items: unit tests, static checks, fuzzers, sanitizer runs."""
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run_program(args, timeout, fine=(0,), **kwargs):
    """Runs to the end or fails with what was printed. The output. `fine`: the exit statuses that are no failure."""
    try:
        result = subprocess.run([str(a) for a in args], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout, **kwargs)
    except subprocess.TimeoutExpired as error:
        printed = error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout or ""
        pytest.fail(f"no end within {timeout} s: {' '.join(map(str, args))}\n{printed[-20000:]}", pytrace=False)
    if result.returncode not in fine:
        pytest.fail(f"status {result.returncode}: {' '.join(map(str, args))}\n{result.stdout[-20000:]}", pytrace=False)
    return result.stdout


@pytest.fixture(scope="session")
def dev():
    """dev("build-asan", …) runs ./dev with these words."""
    def call(*words, timeout=1500, fine=(0,)):
        env = {name: value for name, value in os.environ.items() if not name.startswith(("TARN_TEST_", "PYTEST_"))}
        return run_program(["./dev", *words], timeout, fine, env=env)
    return call
