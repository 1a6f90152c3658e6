"""How a server ends: SHUTDOWN in all forms, signals, and the report that a crash leaves.
"""
import os
import re
import signal
import time

import pytest

from tests.system.harness import wait_until
from tests.system.rawsock import Error, Raw, dial, encode  # noqa: F401

BYE = r"is now ready to exit, bye bye\.\.\."


def ends_well(server):
    assert server.wait_exit() == 0
    server.wait_log(r"User requested shutdown\.\.\.", 1)
    server.wait_log(BYE, 1)
    assert not os.path.exists(server.unix_path), "the socket file is taken away"
    server.stop(check=False)


# SHUTDOWN

@pytest.mark.parametrize("args", [("NOSAVE",), ("nosave", "now"), ("NOSAVE", "FORCE"), ("NOSAVE", "NOW", "FORCE"), ("NOW",),
                                  ()])
def test_shutdown(own_server, workers, args):
    server = own_server({"threads": workers})
    with Raw(server.port) as c, Raw(server.port) as other:
        other.cmd("PING")
        c.send_command("SHUTDOWN", *args)
        assert c.read_to_end() == b"", "no reply: the closed connection is the answer"
        assert other.is_closed()
        ends_well(server)


@pytest.mark.needs("SAVE")
def test_shutdown_save(own_server, workers):
    server = own_server({"threads": workers})
    with Raw(server.port) as c:
        c.cmd("SET", "k", "v")
        c.send_command("SHUTDOWN", "SAVE")
        assert c.read_to_end() == b""
        server.wait_log("DB saved on disk", 10)
        ends_well(server)


@pytest.mark.parametrize("args, text", [
    (("nosuch",), b"ERR syntax error"),
    (("NOSAVE", "SAVE"), b"ERR syntax error"),
    (("SAVE", "NOSAVE"), b"ERR syntax error"),
    (("ABORT", "NOW"), b"ERR syntax error"),
    (("SAVE", "ABORT"), b"ERR syntax error"),
    (("ABORT",), b"ERR No shutdown in progress."),
    (("abort", "ABORT"), b"ERR No shutdown in progress."),
])
def test_errors_leave_it_running(dial, args, text):
    c = dial()
    reply = c.cmd("SHUTDOWN", *args)
    assert isinstance(reply, Error) and reply == text
    assert c.cmd("PING") == b"PONG"


def test_shutdown_under_load(own_server, workers):
    """Clients of every worker are in the middle of pipelines and of slow replies."""
    server = own_server({"threads": workers})
    clients = [Raw(server.port, rcvbuf=4096) for _ in range(16)]
    with Raw(server.port) as c:
        c.cmd("SET", "big", "x" * 200_000)
        for i, each in enumerate(clients):
            each.send(encode("GET", "big") * 30 if i % 2 else encode("SET", f"k{i}", "v") * 500)
        c.send_command("SHUTDOWN", "NOSAVE")
        assert c.read_to_end() == b""
        ends_well(server)
    for each in clients:
        each.close()


# Signals

@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_signals(own_server, workers, name):
    server = own_server({"threads": workers})
    with Raw(server.port) as c:
        c.cmd("SET", "k", "v")
        server.process.send_signal(getattr(signal, name))
        assert c.is_closed(10)
        server.wait_log(rf"Received {name} scheduling shutdown\.\.\.", 10)
        ends_well(server)


def test_signal_while_a_command_runs(own_server, workers):
    server = own_server({"threads": workers})
    with Raw(server.port) as c:
        c.send_command("DEBUG", "SLEEP", "0.5")
        time.sleep(0.1)  # so that the command has begun
        server.process.send_signal(signal.SIGTERM)
        ends_well(server)


def test_harmless_signals(own_server, workers):
    server = own_server({"threads": workers})
    with Raw(server.port) as c:
        for name in ("SIGHUP", "SIGPIPE"):
            server.process.send_signal(getattr(signal, name))
        assert c.cmd("PING") == b"PONG"
    server.check()


def test_stopped_and_continued(own_server, workers):
    """What a debugger or a suspended machine does."""
    server = own_server({"threads": workers})
    with Raw(server.port) as c:
        c.cmd("SET", "k", "v", "PX", 50)
        server.process.send_signal(signal.SIGSTOP)
        c.send_command("GET", "k")
        assert c.is_silent(0.2)
        server.process.send_signal(signal.SIGCONT)
        assert c.read() is None
        assert c.cmd("PING") == b"PONG"


# Crash reports

@pytest.fixture
def crashing(own_server, workers, monkeypatch):
    """A server that gets the signal itself also when a sanitizer would like to have it."""
    for name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"):
        monkeypatch.setenv(name, "handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigfpe=0:handle_sigill=0:"
                                 "allow_user_segv_handler=1:" + os.environ.get(name, ""))

    def make(**settings):
        return own_server(dict({"threads": workers}, **settings))
    return make


def crash(server, number):
    server.process.send_signal(number)
    status = server.wait_exit()
    log = server.log()
    server.stop(check=False)
    return status, log


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT"])
def test_a_crash_leaves_a_report(crashing, name):
    number = getattr(signal, name)
    server = crashing()
    with Raw(server.port) as c:
        assert c.cmd("DEBUG", "POPULATE", 10) == b"OK"
        status, log = crash(server, number)
    assert status == -number, "the parent sees the signal"
    assert re.search(r"crashed by signal: %d\b" % number, log)
    assert "STACK TRACE" in log or "Backtrace" in log
    assert len(re.findall(r"\[0x[0-9a-f]+\]|\(\+0x[0-9a-f]+\)|0x[0-9a-f]{8,}", log)) >= 3, "addresses of frames"
    assert "BUG REPORT START" in log and "BUG REPORT END" in log


def test_the_report_says_what_was_going_on(crashing):
    server = crashing()
    with Raw(server.port) as c:
        c.cmd("CLIENT", "SETNAME", "sleeper")
        c.send_command("DEBUG", "SLEEP", "9.75")
        time.sleep(0.3)  # so that the command has begun
        _, log = crash(server, signal.SIGSEGV)
    report = log[log.index("crashed by signal"):]
    assert re.search(r"CURRENT CLIENT", report)
    assert "9.75" in report and re.search(r"sleep", report, re.I) and "name=sleeper" in report


def test_crash_reports_can_be_switched_off(crashing):
    server = crashing(**{"crash-log-enabled": "no"})
    status, log = crash(server, signal.SIGSEGV)
    assert status == -signal.SIGSEGV
    assert "crashed by signal" not in log


def test_a_second_server_starts_after_a_crash(crashing, own_server, workers):
    server = crashing()
    port, path = server.port, server.unix_path
    server.process.send_signal(signal.SIGKILL)
    server.wait_exit()
    again = own_server({"threads": workers, "port": port, "unixsocket": path})
    with Raw(path) as c:
        assert c.cmd("PING") == b"PONG"
    assert wait_until(lambda: again.port == port)
    server.stop(check=False)
