"""How a server starts: command line, files, stdin, what is wrong in them, where it writes, and what it tells systemd.
"""
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.system.harness import Server, free_port, wait_until
from tests.system.rawsock import Raw

LOG_LINE = re.compile(r"^\d+:[XCSM] \d{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
                      r"\d{2}:\d{2}:\d{2}\.\d{3} [.\-*#] \S.*$")


@pytest.fixture
def run(binary, tmp_path):
    """run(args…): a server that is expected to end by itself; its (status, output)."""
    def start(*args, stdin=None, timeout=20):
        done = subprocess.run([binary, *map(str, args)], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=timeout, cwd=tmp_path)
        return done.returncode, done.stdout
    return start


def connect_when_it_listens(where):
    """A connection to a server that says nothing when it is ready. A socket's path is there before anybody listens."""
    def attempt():
        try:
            return Raw(where)
        except (ConnectionRefusedError, FileNotFoundError):
            return None
    return wait_until(attempt, timeout=20)


class Background:
    """A server started by hand; stopped in the end."""

    def __init__(self, port, process=None):
        self.port, self.process = port, process

    def connect(self):
        return connect_when_it_listens(self.port)

    def stop(self):
        with self.connect() as c:
            c.send_command("SHUTDOWN", "NOSAVE")
            c.read_to_end()
        if self.process:
            assert self.process.wait(20) == 0


def config(connection, name):
    return connection.cmd("CONFIG", "GET", name)[1].decode()


# --version, --help

@pytest.mark.parametrize("option", ["--version", "-v"])
def test_version(run, option):
    status, output = run(option)
    assert status == 0
    assert re.search(r"server v=\d+\.\d+\.\d+ ", output) and output.count("\n") == 1


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(run, option, reference):
    status, output = run(option)
    assert status == (1 if reference else 0)
    assert output.startswith("Usage: ")
    assert "--port" in output and " -" in output


# Settings on the command line and in files

def test_settings_on_the_command_line(own_server, workers):
    server = own_server({"threads": workers, "timeout": 77, "save": ["900", "1"], "maxmemory": "1gb", "databases": 3})
    with Raw(server.port) as c:
        assert config(c, "timeout") == "77"
        assert config(c, "save") == "900 1"
        assert config(c, "maxmemory") == str(1 << 30)
        assert c.cmd("SELECT", 2) == b"OK"
        assert c.cmd("SELECT", 3) == b"ERR DB index is out of range"


def test_the_command_line_goes_over_the_file(own_server, workers):
    server = own_server({"threads": workers, "timeout": 77}, config_text="timeout 5\nhz 33\n")
    with Raw(server.port) as c:
        assert config(c, "timeout") == "77" and config(c, "hz") == "33"
        assert b"config_file:%s\r\n" % str(server.directory / "test.conf").encode() in c.cmd("INFO", "server")


def test_the_form_of_files(own_server, workers):
    text = ('# a comment\n\n   \n\t timeout 11   \nHZ 22\r\nrequirepass "a\\x41\\"\\n b"\n'
            "slowlog-max-len '33'\nsave 900 1\nsave 300 10\nmaxmemory 10MB\n  # another\nloglevel \"notice\"")
    server = own_server({"threads": workers, "save": None, "loglevel": None}, config_text=text)
    with Raw(server.port) as c:
        assert c.cmd("AUTH", b'aA"\n b') == b"OK"
        got = {name: config(c, name) for name in ("timeout", "hz", "slowlog-max-len", "save", "maxmemory")}
    assert got == {"timeout": "11", "hz": "22", "slowlog-max-len": "33", "save": "900 1 300 10",
                   "maxmemory": str(10 << 20)}


def test_include(own_server, tmp_path, workers):
    (tmp_path / "a.conf").write_text("timeout 1\nhz 11\n")
    (tmp_path / "b.conf").write_text(f"include {tmp_path}/c.conf\ntimeout 2\n")
    (tmp_path / "c.conf").write_text("slowlog-max-len 44\ntimeout 3\n")
    server = own_server({"threads": workers},
                        config_text=f"timeout 9\ninclude {tmp_path}/a.conf\ninclude \"{tmp_path}/b.conf\"\nhz 12\n")
    with Raw(server.port) as c:
        assert (config(c, "timeout"), config(c, "hz"), config(c, "slowlog-max-len")) == ("2", "12", "44")


def test_include_of_a_pattern(own_server, tmp_path, workers):
    for i in (1, 2, 3):
        (tmp_path / f"{i}.conf").write_text(f"timeout {i}\n" + ("hz 17\n" if i == 2 else ""))
    server = own_server({"threads": workers}, config_text=f"include {tmp_path}/*.conf\ninclude {tmp_path}/none*.conf\n")
    with Raw(server.port) as c:
        assert (config(c, "timeout"), config(c, "hz")) == ("3", "17")


def test_config_on_stdin(binary, tmp_path):
    port = free_port()
    process = subprocess.Popen([binary, "-", "--hz", "21"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=tmp_path)
    process.stdin.write(f"bind 127.0.0.1\nport {port}\ntimeout 12\nsave \"\"\n".encode())
    process.stdin.close()
    server = Background(port, process)
    with server.connect() as c:
        assert config(c, "timeout") == "12" and config(c, "hz") == "21"
        assert c.cmd("CONFIG", "REWRITE") == b"ERR The server is running without a config file"
    server.stop()


def test_file_and_stdin_and_options(binary, tmp_path):
    port = free_port()
    (tmp_path / "f.conf").write_text(f"bind 127.0.0.1\nport {port}\ntimeout 1\nhz 11\nsave \"\"\n")
    process = subprocess.Popen([binary, str(tmp_path / "f.conf"), "--slowlog-max-len", "5", "-"], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, cwd=tmp_path)
    process.stdin.write(b"timeout 2\n")
    process.stdin.close()
    server = Background(port, process)
    with server.connect() as c:
        assert [config(c, n) for n in ("timeout", "hz", "slowlog-max-len")] == ["2", "11", "5"]
    server.stop()


# What stops the start

BAD_LINES = [
    ("nosuch 1", "nosuch", None),
    ("port abc", "port", "integer"),
    ("port 70000", "port", "between 0 and 65535"),
    ("timeout", "timeout", None),
    ("timeout 1 2", "timeout", None),
    ("maxmemory 10zz", "maxmemory", "memory value"),
    ("appendonly maybe", "appendonly", "'yes' or 'no'"),
    ("loglevel loud", "loglevel", "debug, verbose, notice, warning"),
    ("databases 0", "databases", "between 1 and"),
    ("unixsocketperm 999", "unixsocketperm", "octal"),
    ('save "" x', "save", None),
    ("save 1", "save", None),
    ("client-output-buffer-limit nosuch 1 1 1", "client-output-buffer-limit", None),
    ("client-output-buffer-limit normal 1", "client-output-buffer-limit", None),
    ('logfile "abc', "logfile", "quotes"),
    ("supervised maybe", "supervised", "systemd"),
    ("maxmemory-policy sometimes", "maxmemory-policy", "allkeys-lru"),
    ("rename-command NOSUCH X", "rename-command", "No such command"),
    ("rename-command GET SET", "rename-command", "Target command name already exists"),
]


@pytest.mark.parametrize("line, name, hint", BAD_LINES, ids=[row[0] for row in BAD_LINES])
def test_bad_lines_stop_the_start(run, tmp_path, reference, line, name, hint):
    path = tmp_path / "bad.conf"
    path.write_text(f"# first\nport {free_port()}\n{line}\nhz 10\n")
    status, output = run(path)
    assert status == 1
    assert "FATAL CONFIG FILE ERROR" in output
    assert re.search(r"\b3\b", output), "the number of the line"
    assert line in output
    if hint:
        assert hint.lower() in output.lower()
    if not reference:
        assert "bad.conf" in output
    assert "Ready to accept" not in output


@pytest.mark.tarn_only
def test_a_bad_line_of_an_included_file_names_that_file(run, tmp_path):
    (tmp_path / "inner.conf").write_text("hz 10\ntimeout soon\n")
    (tmp_path / "outer.conf").write_text(f"port {free_port()}\n\n\ninclude {tmp_path}/inner.conf\n")
    status, output = run(tmp_path / "outer.conf")
    assert status == 1
    assert "inner.conf" in output and re.search(r"\b2\b", output) and "timeout" in output


@pytest.mark.tarn_only
def test_a_near_miss_gets_a_suggestion(run, tmp_path):
    status, output = run("--port", free_port(), "--maxmemroy", "1gb")
    assert status == 1
    assert "maxmemroy" in output and re.search(r"\bmaxmemory\b", output)


def test_bad_options_on_the_command_line(run):
    status, output = run("--port", free_port(), "--nosuch", "bar")
    assert status == 1 and "nosuch" in output
    status, output = run("--port", free_port(), "--timeout")
    assert status == 1 and "timeout" in output
    status, output = run("--port", free_port(), "--maxmemory", "10zz")
    assert status == 1 and "maxmemory" in output and "memory value" in output


def test_bad_config_on_stdin(run):
    status, output = run("-", stdin="hz 10\nnosuch 1\n")
    assert status == 1 and "nosuch" in output


def test_files_that_cannot_be_read(run, tmp_path):
    status, output = run("/nonexistent/x.conf")
    assert status == 1 and "/nonexistent/x.conf" in output and "No such file or directory" in output
    (tmp_path / "a.conf").write_text("include /nonexistent/y.conf\n")
    status, output = run(tmp_path / "a.conf")
    assert status == 1 and "/nonexistent/y.conf" in output and "No such file or directory" in output


def test_a_directory_that_is_not_there(run):
    status, output = run("--port", free_port(), "--dir", "/nonexistent/dir")
    assert status == 1 and "/nonexistent/dir" in output and "No such file or directory" in output


def test_a_logfile_that_cannot_be_opened(run):
    status, output = run("--port", free_port(), "--logfile", "/nonexistent/dir/log")
    assert status == 1 and "No such file or directory" in output


# The log

def test_log_lines_have_the_known_form(own_server, workers):
    server = own_server({"threads": workers})
    lines = [line for line in server.log().splitlines() if line.strip()]
    shaped = [line for line in lines if LOG_LINE.match(line)]
    assert len(shaped) >= 3
    assert [line for line in lines if re.match(r"\d+:", line) and line not in shaped] == []
    assert all(line.startswith(f"{server.pid}:") for line in shaped)
    log = "\n".join(lines)
    for text in ("Server initialized", "Configuration loaded"):
        assert text in log
    assert re.search(r"Running mode=standalone, port=%d\b" % server.port, log)
    assert re.search(r"^\d+:M .* \* Ready to accept connections", log, re.M)


def test_the_role_begins_with_the_server(own_server, workers):
    """Until the settings are read it is not yet what it will be: C in the first lines, as ever."""
    log = own_server({"threads": workers}).log()
    assert re.search(r"^\d+:C .*is starting", log, re.M) and re.search(r"^\d+:C .*Configuration loaded", log, re.M)
    assert re.search(r"^\d+:M .*Running mode=standalone", log, re.M) and re.search(r"^\d+:M .*Server initialized", log, re.M)


def test_options_are_a_configuration(own_server, workers):
    assert "no config file specified" not in own_server({"threads": workers}).log()


def test_an_address_that_is_left_out_is_logged(own_server, workers):
    server = own_server({"threads": workers, "bind": ["127.0.0.1", "-192.0.2.7"]})
    assert (f"Warning: Could not create server TCP listening socket 192.0.2.7:{server.port}: "
            "bind: Cannot assign requested address") in server.log()
    with Raw(server.port) as c:
        assert c.cmd("PING") == b"PONG"


def test_logfile(own_server, workers, tmp_path):
    path = tmp_path / "the.log"
    server = own_server({"threads": workers, "logfile": path}, wait=False)
    wait_until(lambda: path.exists() and "Ready to accept connections" in path.read_text())
    with Raw(server.port) as c:
        assert c.cmd("DEBUG", "LOG", "hello from a test") == b"OK"
        assert config(c, "logfile") == str(path)
    wait_until(lambda: "DEBUG LOG: hello from a test" in path.read_text())
    assert all(LOG_LINE.match(line) for line in path.read_text().splitlines() if re.match(r"\d+:M", line))
    assert "Ready to accept" not in server.log(), "with a logfile, nothing of the log goes to the terminal"


def test_logfile_may_be_moved_away(own_server, workers, tmp_path):
    """What logrotate does: the next line goes to a new file of the old name, without a signal or a restart."""
    path = tmp_path / "the.log"
    server = own_server({"threads": workers, "logfile": path}, wait=False)
    wait_until(lambda: path.exists() and "Ready to accept connections" in path.read_text())
    path.rename(tmp_path / "old.log")
    with Raw(server.port) as c:
        assert c.cmd("DEBUG", "LOG", "after the move") == b"OK"
    wait_until(lambda: path.exists() and "after the move" in path.read_text())


def test_loglevel(own_server, workers, tmp_path):
    quiet = own_server({"threads": workers, "loglevel": "warning"}, wait=False)
    with connect_when_it_listens(quiet.unix_path) as c:
        assert c.cmd("PING") == b"PONG"
        assert " * " not in quiet.log()
        assert c.cmd("CONFIG", "SET", "loglevel", "verbose") == b"OK"
        with Raw(quiet.port) as other:
            assert other.cmd("PING") == b"PONG"
        quiet.wait_log(r"^\d+:M .* - (Accepted|Client closed)", 10)


def test_log_lines_cannot_be_forged(own_server, workers):
    server = own_server({"threads": workers})
    with Raw(server.port) as c:
        assert c.cmd("DEBUG", "LOG", "one\ntwo") == b"OK"
        server.wait_log("DEBUG LOG: one", 10)


# daemonize, pidfile, systemd, limits

def test_daemonize_and_pidfile(run, tmp_path, binary):
    port, pidfile, log = free_port(), tmp_path / "d.pid", tmp_path / "d.log"
    status, output = run("--port", port, "--bind", "127.0.0.1", "--daemonize", "yes", "--pidfile", pidfile, "--logfile", log,
                         "--dir", tmp_path, "--save", "")
    assert status == 0, output
    server = Background(port)
    with server.connect() as c:
        pid = int(wait_until(lambda: pidfile.read_text().strip() if pidfile.exists() else ""))
        assert b"process_id:%d\r\n" % pid in c.cmd("INFO", "server")
        assert os.getsid(pid) == pid, "a session of its own"
        for fd in (0, 1, 2):
            assert os.readlink(f"/proc/{pid}/fd/{fd}") == "/dev/null"
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: "bye bye" in log.read_text())
    wait_until(lambda: not pidfile.exists())
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))


def test_pidfile_without_daemonize(own_server, workers, tmp_path):
    pidfile = tmp_path / "p.pid"
    server = own_server({"threads": workers, "pidfile": pidfile})
    assert int(wait_until(lambda: pidfile.read_text().strip() if pidfile.exists() else "")) == server.pid
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_exit() == 0
    assert not pidfile.exists()
    server.stop(check=False)


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
@pytest.mark.parametrize("supervised", ["systemd", "auto"])
def test_systemd_is_told(own_server, workers, tmp_path, monkeypatch, supervised, abstract):
    name = f"\0tarn-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", name.replace("\0", "@"))
        server = own_server({"threads": workers, "supervised": supervised}, wait=False)
        said = ""
        while "READY=1" not in said:
            said += manager.recv(4096).decode() + "\n"
        assert "READY=1" in said.splitlines()
        with Raw(server.port) as c:
            assert c.cmd("PING") == b"PONG", "ready means ready"
            assert b"process_supervised:systemd\r\n" in c.cmd("INFO", "server")
        server.process.send_signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        server.stop(check=False)


def test_no_systemd_no_message(own_server, workers, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    server = own_server({"threads": workers, "supervised": "systemd"})
    with Raw(server.port) as c:
        assert c.cmd("PING") == b"PONG"


def limited_binary(binary, tmp_path, prepare):
    path = tmp_path / "limited"
    drop = "setpriv --bounding-set=-sys_resource " if os.geteuid() == 0 else ""
    path.write_text(f"#!/bin/sh\n{prepare}\nexec {drop}{binary} \"$@\"\n")
    path.chmod(0o755)
    return str(path)


def files_limit(pid):
    return re.search(r"Max open files\s+(\d+)", Path(f"/proc/{pid}/limits").read_text()).group(1)


def test_the_limit_of_open_files_is_raised(binary, tmp_path, workers):
    with Server(limited_binary(binary, tmp_path, "ulimit -Sn 300"), {"threads": workers, "maxclients": 1000}) as server:
        assert int(files_limit(server.pid)) >= 1032
        with Raw(server.port) as c:
            assert config(c, "maxclients") == "1000"


def test_maxclients_is_lowered_to_fit(binary, tmp_path, workers):
    with Server(limited_binary(binary, tmp_path, "ulimit -n 300"), {"threads": workers, "maxclients": 1000}) as server:
        reduced = int(server.wait_log(r"maxclients has been reduced to (\d+)", 10).group(1))
        assert 128 <= reduced < 300
        with Raw(server.port) as c:
            assert config(c, "maxclients") == str(reduced)
            assert b"maxclients:%d\r\n" % reduced in c.cmd("INFO", "clients")
            assert c.cmd("CONFIG", "SET", "maxclients", 5000).startswith(
                b"ERR CONFIG SET failed (possibly related to argument 'maxclients') - ")
            assert config(c, "maxclients") == str(reduced)


@pytest.mark.tarn_only
@pytest.mark.parametrize("count", [1, 2, 5])
def test_threads(own_server, count):
    server = own_server({"threads": count})
    with Raw(server.port) as c:
        assert config(c, "threads") == str(count)
    assert len(os.listdir(f"/proc/{server.pid}/task")) >= count


@pytest.mark.tarn_only
def test_threads_are_the_cores_unless_said(own_server):
    server = own_server({"threads": None})
    with Raw(server.port) as c:
        shown = int(config(c, "threads"))
    assert shown in (0, len(os.sched_getaffinity(0))) and len(os.listdir(f"/proc/{server.pid}/task")) >= 1


def test_it_starts_without_any_setting(run, binary, tmp_path):
    """Port 6379 may be taken on this machine; then the message must say so, and otherwise it must run."""
    process = subprocess.Popen([binary], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, cwd=tmp_path)
    seen = []
    for line in process.stdout:
        seen.append(line)
        if "Ready to accept connections" in line:
            process.send_signal(signal.SIGTERM)
    status = process.wait(20)
    log = "".join(seen)
    assert "no config file specified" in log
    assert (status == 0 and "Ready to accept connections" in log) or (
        status == 1 and "6379: bind: Address already in use" in log), log


# What the file says about commands and users

def test_renamed_commands(own_server, workers):
    """rename-command takes a name away or gives a command another one."""
    server = own_server({"threads": workers},
                        config_text='rename-command FLUSHALL ""\nrename-command CONFIG settings_4711\n')
    with Raw(server.port) as c:
        assert c.cmd("FLUSHALL").startswith(b"ERR unknown command 'FLUSHALL'")
        assert c.cmd("CONFIG", "GET", "port").startswith(b"ERR unknown command 'CONFIG'")
        assert c.cmd("SETTINGS_4711", "GET", "port") == [b"port", str(server.port).encode()]


def test_renamed_commands_of_several_lines(run, own_server, tmp_path, workers):
    """A line goes by what those before it made of the names."""
    server = own_server({"threads": workers},
                        config_text="rename-command GET FETCH\nrename-command SET GET\n")
    with Raw(server.port) as c:
        assert c.cmd("GET", "k", "v") == b"OK"
        assert c.cmd("FETCH", "k") == b"v"
    (tmp_path / "x.conf").write_text("rename-command GET FETCH\n\nrename-command GET OTHER\n")
    status, output = run(tmp_path / "x.conf", "--port", free_port())
    assert status == 1 and "No such command in rename-command" in output and re.search(r"\bline 3\b", output)


@pytest.mark.tarn_only  # the oracle knows ACL users
def test_users_stop_the_start(run, tmp_path):
    (tmp_path / "x.conf").write_text("hz 10\nuser bob on >secret ~* +@all\n")
    status, output = run(tmp_path / "x.conf", "--port", free_port())
    assert status == 1 and "FATAL CONFIG FILE ERROR" in output and f"In {tmp_path}/x.conf:2: " in output
    assert "'user'" in output and "requirepass" in output and "secret" not in output


@pytest.mark.tarn_only  # 7.0 and 8.2.3 do not say what would be right
@pytest.mark.parametrize("line, right", [
    ("rename-command NOSUCH X", "'rename-command' takes the name of a command and its new name, and 'NOSUCH' is no command"),
    ("rename-command GET SET", "'rename-command' takes a new name that is free"),
])
def test_what_would_be_right_in_rename_command(run, tmp_path, line, right):
    (tmp_path / "inner.conf").write_text(f"hz 10\n{line}\n")
    (tmp_path / "x.conf").write_text(f"include {tmp_path}/inner.conf\n")
    status, output = run(tmp_path / "x.conf", "--port", free_port())
    assert status == 1 and f"In {tmp_path}/inner.conf:2: " in output and right in output
    status, output = run("--port", free_port(), "--" + line.split()[0], *line.split()[1:])
    assert status == 1 and "On the command line, option 2: " in output and right in output


@pytest.mark.tarn_only
def test_what_has_no_effect_is_said_at_the_start(own_server, workers):
    server = own_server({"threads": workers, "maxmemory": "100mb", "appendonly": "yes"})
    server.wait_log("Warning: maxmemory has no effect in this version")
    server.wait_log("Warning: appendonly has no effect in this version")


@pytest.mark.parametrize("value, allowed", [("yes", "0"), ("no", "1")])
def test_huge_pages_are_left_to_those_who_want_them(own_server, value, allowed):
    server = own_server({"disable-thp": value})
    lines = [line.split() for line in Path(f"/proc/{server.pid}/status").read_text().splitlines()]
    assert ["THP_enabled:", allowed] in lines
