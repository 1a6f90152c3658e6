"""The differential fuzzer as part of the tests: a few thousand random commands on Tarn and on redis-server; and that the fuzzer
itself finds what is wrong."""
import os
import random

import pytest

from tests.differential import grammar
from tests.differential.commands import Maker
from tests.differential.minimise import minimise
from tests.differential.run import REFERENCE, SCRIPTING, fuzz
from tests.differential.session import Side
from tests.system import wire
from tests.system.harness import Server, binary_path

COUNT = int(os.environ.get("TARN_DIFFERENTIAL_COUNT", 6000))
# The soak: this many runs for each number of workers, of this many commands each.
LONG_RUNS, LONG_COUNT = 5, 30_000


@pytest.fixture(scope="module")
def declarations():
    return grammar.load()


@pytest.fixture(scope="module")
def reference():
    with Server(REFERENCE) as server:
        yield server


def agree(declarations, reference, workers, count):
    seed = os.environ.get("TARN_DIFFERENTIAL_SEED") or str(random.randrange(2**32))
    print("seed", seed)
    with Server(binary_path(), {"threads": workers}) as tarn:
        failed = fuzz(Side(tarn), Side(reference), declarations, seed, count)
        assert failed is None, f"\n{failed}\nagain: python3 -m tests.differential.run --seed {seed} --count {count} --threads {workers}"


@pytest.mark.parametrize("workers", [1, 4])
def test_random_commands_agree(declarations, reference, workers):
    agree(declarations, reference, workers, COUNT // 2)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("run", range(LONG_RUNS))
@pytest.mark.parametrize("workers", [1, 4])
def test_many_random_commands_agree(declarations, reference, workers, run):
    agree(declarations, reference, workers, LONG_COUNT)


@pytest.mark.parametrize("scripts", [False, True], ids=["plain", "scripts"])
def test_the_same_seed_makes_the_same_commands(declarations, scripts):
    commands = grammar.common(declarations)
    assert Maker(commands, "7", scripts).batch(300) == Maker(commands, "7", scripts).batch(300)
    assert Maker(commands, "7").batch(300) == Maker(commands, "7").batch(300)
    assert Maker(commands, "7").batch(300) != Maker(commands, "8").batch(300)


def test_every_command_is_made(declarations):
    commands = grammar.common(declarations)
    made = {words[0].upper().decode("latin-1") for _, words in Maker(commands, "1").batch(60_000)}
    assert {command["name"].split()[0] for command in commands} <= made


def test_every_scripting_command_is_made_and_transactions_are(declarations):
    made = {words[0].lower().decode("latin-1") for _, words in Maker(grammar.common(declarations), "1", scripts=True).batch(10_000)}
    assert SCRIPTING | {"multi", "exec", "discard", "watch"} <= made


class Liar(wire.Connection):
    """A server that is wrong in one place: the STRLEN of what is longer than 40 bytes."""

    def read(self):
        reply = super().read()
        return reply + 1 if self.last == b"STRLEN" and isinstance(reply, int) and reply > 40 else reply

    def send(self, data):
        self.last = data.split(b"\r\n")[2].upper() if data.startswith(b"*") else b""
        super().send(data)


def test_a_wrong_server_is_found_out(declarations, reference):
    """The fuzzer finds the fault and says the few commands that show it."""
    with Server(REFERENCE) as other:
        report = fuzz(Side(other, Liar), Side(reference), declarations, "liar", 50_000)
    assert report is not None
    commands = [line for line in report.splitlines() if line.startswith("  RESP")]
    assert len(commands) <= 4 and "STRLEN" in commands[-1].upper(), report


class LiarInScripts(wire.Connection):
    """Wrong in one place: an array that a script gives, of more than three elements."""

    def send(self, data):
        self.in_script = b"\r\nEVAL" in data[:20].upper()
        super().send(data)

    def read(self):
        in_script, self.in_script = getattr(self, "in_script", False), False
        reply = super().read()
        return reply[:3] if in_script and isinstance(reply, list) and len(reply) > 3 else reply


def test_a_server_that_is_wrong_about_scripts_is_found_out(declarations, reference):
    with Server(REFERENCE) as other:
        report = fuzz(Side(other, LiarInScripts), Side(reference), declarations, "liar", 50_000)
    assert report is not None
    commands = [line for line in report.splitlines() if line.startswith("  RESP")]
    assert len(commands) <= 6 and "EVAL" in commands[-1].upper(), report


def test_minimise():
    wanted = {17, 61, 62}
    assert minimise(list(range(100)), lambda batch: wanted <= set(batch)) == [17, 61, 62]
    assert minimise([5], lambda batch: True) == [5]
