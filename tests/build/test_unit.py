"""The cmocka tests of the build directory under test (TARN_TEST_BUILD, build/ if that is not set), one item per program; and,
among the soaks, each of them several times and with more rounds. A program prints its seed, which is shown when it fails."""
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.build.conftest import ROOT, run_program

BUILD = Path(os.environ.get("TARN_TEST_BUILD") or ROOT / "build")


def unit_tests(build):
    out = subprocess.run(["meson", "introspect", str(build), "--tests"], capture_output=True, text=True, check=True).stdout
    return {test["name"]: test for test in json.loads(out)}


TESTS = unit_tests(BUILD)
# The soak: so many runs, each with a seed of its own (but for one that is given), of so many times the usual rounds. The
# slowest takes a minute in a release build; a sanitizer on a busy machine needs many times that.
LONG_RUNS, LONG_ROUNDS, LONG_TIMEOUT = 3, 20, 1800


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", sorted(TESTS))
def test_unit(name):
    test = TESTS[name]
    environment = dict(os.environ, **test.get("env", {}))
    run_program(test["cmd"], timeout=test["timeout"] or 600, env=environment)


@pytest.mark.long
@pytest.mark.timeout(LONG_TIMEOUT + 60)
@pytest.mark.parametrize("run", range(LONG_RUNS))
@pytest.mark.parametrize("name", sorted(TESTS))
def test_unit_long(name, run):
    test = TESTS[name]
    environment = dict(os.environ, **test.get("env", {}), TARN_ROUNDS=str(LONG_ROUNDS))
    run_program(test["cmd"], timeout=LONG_TIMEOUT, env=environment)
