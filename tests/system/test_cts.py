"""The public compatibility suite (cts.json): commands and their replies, as a list of cases. The file is not part of this
repository; where it is looked for says harness.cts_file(), and without it conftest.py leaves this module out and says so.

A case runs when the server knows all of its commands (COMMAND INFO), so that the suite grows with the server. How many ran is
printed at the end; a case that cannot run is left out, not skipped.
"""
import json
import re
import shlex

import pytest

from tests.system.conftest import _subject
from tests.system.harness import cts_file

NEWER_THAN_7_0 = (7, 1)


def words(text):
    """A case's line as arguments: split at blanks outside quotes; a backslash is a backslash."""
    split = shlex.shlex(text, posix=True)
    split.whitespace_split, split.escape, split.commenters = True, "", ""
    return list(split)


ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})|\\(.)", re.DOTALL)
SHORT = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def binary(word):
    """A word of a case that is marked `command_binary`, whose bytes are written with backslashes."""
    def byte(found):
        return bytes.fromhex(found[1].decode()) if found[1] else SHORT.get(found[2], found[2])
    return ESCAPE.sub(byte, word.encode())


def arguments(case, line):
    return [binary(word) for word in words(line)] if case.get("command_binary") else words(line)


def load():
    """All of them: those for clusters name their keys so that they work anywhere, and what the file itself leaves out
    ("skipped") works here."""
    return json.loads(cts_file().read_text())


def known(case, subject):
    if subject.reference and tuple(int(x) for x in case["since"].split(".")) >= NEWER_THAN_7_0:
        return False
    return all(words(line)[0].lower() in subject.commands for line in case["command"])


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        subject = _subject(metafunc.config)
        all_cases = load()
        cases = [case for case in all_cases if known(case, subject)]
        metafunc.config.cts_counts = (len(cases), len(all_cases))
        metafunc.parametrize("case", cases, ids=[f"{i}:{case['name']}" for i, case in enumerate(cases)])


def plain(reply):
    """A reply in the words of the cases: text, numbers, lists."""
    if isinstance(reply, bytes):
        return reply.decode(errors="backslashreplace")
    if isinstance(reply, (list, tuple)):
        return [plain(item) for item in reply]
    return reply


def ordered(value):
    if isinstance(value, list):
        return sorted((ordered(item) for item in value), key=repr)
    return value


@pytest.mark.protocols(2)
def test_case(c, case):
    # A few cases of the file carry more results than commands.
    for line, expected in zip(case["command"], case["result"]):
        reply = plain(c(*arguments(case, line)))
        if case.get("sort_result"):
            reply, expected = ordered(reply), ordered(expected)
        assert reply == expected, line


def test_how_many_ran(request, capsys):
    ran, total = request.config.cts_counts
    with capsys.disabled():
        print(f" compatibility suite: {ran} of {total} cases run here ", end="")
    assert ran > 0
