"""A short run of every fuzz target, and a longer one among the soaks, from the seeds in fuzz/corpus and what earlier runs found."""
import os

import pytest

from tests.build.conftest import ROOT

SECONDS = int(os.environ.get("TARN_FUZZ_SECONDS", "10"))
LONG_SECONDS = 120
TARGETS = sorted(path.name.removesuffix("_fuzz.c") for path in (ROOT / "fuzz").glob("*_fuzz.c"))


@pytest.fixture(scope="module")
def fuzzers(dev):
    dev("build-fuzz")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("target", TARGETS)
def test_fuzz(fuzzers, dev, target):
    dev("fuzz", target, str(SECONDS), timeout=SECONDS + 300)


@pytest.mark.long
@pytest.mark.timeout(LONG_SECONDS + 600)
@pytest.mark.parametrize("target", TARGETS)
def test_fuzz_long(fuzzers, dev, target):
    dev("fuzz", target, str(LONG_SECONDS), timeout=LONG_SECONDS + 300)
