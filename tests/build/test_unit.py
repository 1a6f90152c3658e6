"""The cmocka tests of the build directory under test (TARN_TEST_BUILD, build/ if that is not set), one item per program."""
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


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", sorted(TESTS))
def test_unit(name):
    test = TESTS[name]
    environment = dict(os.environ, **test.get("env", {}))
    run_program(test["cmd"], timeout=test["timeout"] or 600, env=environment)
