"""Packages of node's users, each in a session of its own (node/*_session.js): BullMQ, Bull, rate-limiter-flexible, bottleneck, redlock,
redis-semaphore. Most of their scripts use keys that they do not declare.
"""
from pathlib import Path

import pytest

from tests.system.users_tools import Program, scripted

NODE = Path(__file__).parent / "node"
pytestmark = scripted


def run(server, session):
    assert (NODE / "node_modules" / "bullmq").is_dir(), f"the packages are not installed: npm ci --prefix {NODE}"
    with Program("node", "--no-warnings", f"{session}_session.js", server.port, cwd=NODE) as program:
        assert program.finish(60).splitlines()[-1] == "all well"


@pytest.mark.parametrize("session", ["bullmq", "limiters", "locks"])
def test_session(server, session):
    run(server, session)


@pytest.mark.workers(4)
def test_bull(server):
    run(server, "bull")
