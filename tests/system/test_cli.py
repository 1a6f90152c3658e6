"""tarn-cli as its users meet it: one command, lines on standard input, the prompt on a terminal.

How replies look is checked against a server of our own that answers whatever the test wants, so that every type of the
protocol comes up. The expected texts are what redis-cli 7.0.15 prints for the same bytes, except where it cannot read them
(big numbers, attributes, blob errors) or where its --quoted-json is not JSON.
"""
import json
import os
import pty
import re
import select
import socketserver
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.system.harness import ROOT, binary_path

pytestmark = pytest.mark.workers(1)


def cli_path():
    """TARN_TEST_CLI, or the one that was built with the server under test."""
    beside = Path(binary_path()).parent / "tarn-cli"
    return os.environ.get("TARN_TEST_CLI") or str(beside if beside.exists() else ROOT / "build" / "tarn-cli")


def environment(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("REDISCLI_", "TARNCLI_")) and k != "FAKETTY"}
    return {**env, "LC_ALL": "C.UTF-8", "TERM": "xterm", **more}


def run(*args, stdin=b"", env=None, timeout=30):
    return subprocess.run([cli_path(), *map(os.fsencode, args)], input=stdin, capture_output=True, timeout=timeout,
                          env=environment(**(env or {})))


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


@pytest.fixture
def cli(server):
    """Runs tarn-cli on the server: its output as text, after a look at its status."""

    def call(*args, stdin=b"", status=0, **more):
        done = run("-p", str(server.port), *args, stdin=stdin, **more)
        assert done.returncode == status, done
        return (done.stdout + done.stderr).decode(errors="surrogateescape")

    return call


class Answering(socketserver.ThreadingTCPServer):
    """Replies to each request with what the test has put into `answers`, by the request's first word; "+OK" else. Hangs up
    where that is None, and behind the reply to `last_words`; `closed` says that it has."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.requests = {b"HELLO": b"%1\r\n+proto\r\n:3\r\n"}, []
        self.last_words, self.closed = set(), threading.Event()
        self.port = str(self.server_address[1])
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def shutdown_request(self, request):
        super().shutdown_request(request)
        self.closed.set()


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while head := self.rfile.readline():
            if head == b"\r\n":
                continue
            words = []
            for _ in range(int(head[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2])
            self.server.requests.append(words)
            answer = self.server.answers.get(words[0].upper(), b"+OK\r\n")
            if answer is None:
                return
            self.wfile.write(answer)
            if words[0].upper() in self.server.last_words:
                return


@pytest.fixture
def answering():
    server = Answering()
    yield server
    server.shutdown()
    server.server_close()


NESTED = (b"*11\r\n*2\r\n:1\r\n*0\r\n:2\r\n:2\r\n:2\r\n:2\r\n:2\r\n:2\r\n:2\r\n:2\r\n"
          b"%2\r\n+a\r\n:1\r\n+b\r\n*2\r\n:1\r\n%1\r\n+x\r\n~1\r\n#t\r\n$2\r\nhi\r\n")

FORMATTED = [
    (b"+OK\r\n", "OK\n"),
    (b"-ERR no\r\n", "(error) ERR no\n"),
    (b"!6\r\nERR no\r\n", "(error) ERR no\n"),
    (b":-5\r\n", "(integer) -5\n"),
    (b"$-1\r\n", "(nil)\n"),
    (b"*-1\r\n", "(nil)\n"),
    (b"_\r\n", "(nil)\n"),
    (b"$0\r\n\r\n", '""\n'),
    (b"$10\r\na\"b\\c\n\t\x01\xc3\xa9\r\n", '"a\\"b\\\\c\\n\\t\\x01\\xc3\\xa9"\n'),
    (b",1.50\r\n", "(double) 1.50\n"),
    (b",-inf\r\n", "(double) -inf\n"),
    (b"#t\r\n", "(true)\n"),
    (b"#f\r\n", "(false)\n"),
    (b"(12345678901234567890123\r\n", "(big number) 12345678901234567890123\n"),
    (b"=8\r\ntxt:ab\nc\r\n", "ab\nc\n"),
    (b"*0\r\n", "(empty array)\n"),
    (b"%0\r\n", "(empty hash)\n"),
    (b"~0\r\n", "(empty set)\n"),
    (b"*2\r\n*2\r\n:1\r\n*0\r\n*1\r\n$3\r\nabc\r\n", '1) 1) (integer) 1\n   2) (empty array)\n2) 1) "abc"\n'),
    (b"~2\r\n:1\r\n*1\r\n:2\r\n", "1~ (integer) 1\n2~ 1) (integer) 2\n"),
    (b"%2\r\n$1\r\nk\r\n:1\r\n,1.5\r\n#f\r\n", '1# "k" => (integer) 1\n2# (double) 1.5 => (false)\n'),
    (b"%1\r\n+a\r\n*1\r\n*2\r\n:1\r\n:2\r\n", "1# a => \n   1) 1) (integer) 1\n      2) (integer) 2\n"),
    (b"%1\r\n+a\r\n%1\r\n:3\r\n:4\r\n", "1# a => 1# (integer) 3 => (integer) 4\n"),
    (b"%1\r\n*2\r\n:3\r\n:1\r\n*1\r\n:3\r\n", "1# 1) (integer) 3\n   2) (integer) 1 => 1) (integer) 3\n"),
    (b"|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n", '1| ttl => (integer) 3\n"v"\n'),
    (NESTED,
     " 1) 1) (integer) 1\n    2) (empty array)\n" + "".join(f"{n:2}) (integer) 2\n" for n in range(2, 10)) +
     "10) 1# a => (integer) 1\n    2# b => \n       1) (integer) 1\n       2) 1# x => 1~ (true)\n" + '11) "hi"\n'),
]


@pytest.mark.parametrize("sent, shown", FORMATTED)
def test_formatted(answering, sent, shown):
    answering.answers[b"GET"] = sent
    done = run("-p", answering.port, "--no-raw", "get", "x")
    assert (done.stdout.decode(), done.stderr, done.returncode) == (shown, b"", 0)


@pytest.mark.parametrize("option, sent, shown", [
    ("--raw", b"$6\r\na\"b\n\xc3\xa9\r\n", b"a\"b\n\xc3\xa9\n"),
    ("--raw", b"*3\r\n:1\r\n*2\r\n$-1\r\n+b\r\n*0\r\n", b"1\n\nb\n\n"),
    ("--raw", b"%2\r\n+a\r\n:1\r\n+b\r\n#t\r\n", b"a 1\nb (true)\n"),
    ("--raw", b"-ERR no\r\n", b"ERR no\n\n"),
    ("--csv", b"*4\r\n$2\r\na\"\r\n:1\r\n$-1\r\n*2\r\n,1.5\r\n#t\r\n", b'"a\\"",1,NULL,1.5,true\n'),
    ("--csv", b"-ERR no\r\n", b'ERROR,"ERR no"\n'),
    ("--json", b"%3\r\n+a\r\n*2\r\n:1\r\n_\r\n:2\r\n#f\r\n*1\r\n:3\r\n$4\r\n\"\xc3\xa9\n\r\n",
     b'{"a":[1,null],"2":false,"[3]":"\\"\xc3\xa9\\n"}\n'),
    ("--json", b"$3\r\n\x01/\x7f\r\n", b'"\\u0001/\x7f"\n'),
    ("--quoted-json", b"*1\r\n$6\r\n\xc3\xa9\xff\n\x00\"\r\n", b'["\\\\xc3\\\\xa9\\\\xff\\\\n\\\\x00\\\\\\""]\n'),
])
def test_other_outputs(answering, option, sent, shown):
    answering.answers[b"GET"] = sent
    done = run("-p", answering.port, option, "get", "x")
    assert (done.stdout, done.stderr, done.returncode) == (shown, b"", 0)


def test_delimiters(answering):
    answering.answers[b"GET"] = b"*2\r\n+a\r\n+b\r\n"
    assert run("-p", answering.port, "-d", ",", "-D", ";", "get", "x").stdout == b"a,b;"
    assert run("-p", answering.port, "-D", "", "get", "x").stdout == b"a\nb"


def test_pushes(answering):
    answering.answers[b"GET"] = b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n$1\r\nv\r\n"
    assert run("-p", answering.port, "-3", "--no-raw", "get", "x").stdout == b'"v"\n'
    shown = run("-p", answering.port, "-3", "--no-raw", "--show-pushes", "yes", "get", "x").stdout
    assert shown == b'1) invalidate\n2) 1) "k"\n"v"\n'


def test_login_order(answering):
    done = run("-u", f"redis://al%3Aice:p%40ss@127.0.0.1:{answering.port}/5", "-3", "--no-auth-warning", "get", "x")
    assert (done.returncode, done.stderr) == (0, b"")
    assert answering.requests == [[b"AUTH", b"al:ice", b"p@ss"], [b"HELLO", b"3"], [b"SELECT", b"5"], [b"get", b"x"]]


def test_json_asks_for_resp3_when_it_can(answering):
    run("-p", answering.port, "--json", "ping")
    run("-p", answering.port, "--json", "-2", "ping")
    answering.answers[b"HELLO"] = b"-ERR unknown command\r\n"
    done = run("-p", answering.port, "--json", "ping")
    assert answering.requests == [[b"HELLO", b"3"], [b"ping"], [b"ping"], [b"HELLO", b"3"], [b"ping"]]
    assert (done.stdout, done.stderr) == (b'"OK"\n', b"")


def test_redirections(answering, server):
    server.ask("SET", "x", "there")
    for answer in (f"-MOVED 77 127.0.0.1:{server.port}\r\n", f"-MOVED 77 :{server.port}\r\n"):
        answering.answers[b"GET"] = answer.encode()
        assert run("-p", answering.port, "-c", "get", "x").stdout == b"there\n"
        assert run("-p", answering.port, "get", "x").stdout == answer.strip("-\r\n").encode() + b"\n\n"
    lines = run("-p", answering.port, "-c", stdin=b"get x\nget x\n").stdout.decode().splitlines()
    assert lines == [f"-> Redirected to slot [77] located at 127.0.0.1:{server.port}", "there", "there"]


def test_ask(answering):
    other = Answering()
    try:
        answering.answers[b"GET"] = f"-ASK 5 127.0.0.1:{other.port}\r\n".encode()
        assert run("-p", answering.port, "-c", "get", "x").stdout == b"OK\n"
        assert other.requests == [[b"ASKING"], [b"get", b"x"]]
    finally:
        other.shutdown()
        other.server_close()


def test_server_goes_away(answering):
    answering.answers[b"BYE"] = None
    done = run("-p", answering.port, "bye")
    assert (done.returncode, done.stderr) == (1, b"Error: Server closed the connection\n")
    # A command that may have been run is not sent twice; the next line connects again.
    done = run("-p", answering.port, stdin=b"bye\nget x\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"OK\n", b"Error: Server closed the connection\n")
    assert answering.requests == [[b"bye"], [b"bye"], [b"get", b"x"]]
    answering.answers[b"SHUTDOWN"] = None
    done = run("-p", answering.port, "shutdown")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_bad_protocol(answering):
    answering.answers[b"GET"] = b"?what\r\n"
    done = run("-p", answering.port, "get", "x")
    assert (done.returncode, done.stderr) == (1, b'Error: Protocol error, got "?" as reply type byte\n')


# A real server.


def test_one_shot(cli):
    assert cli("set", "foo", "bar") == "OK\n"
    assert cli("get", "foo") == "bar\n"
    assert cli("--no-raw", "get", "foo") == '"bar"\n'
    assert cli("get", "foo", env={"FAKETTY": "1"}) == '"bar"\n'
    assert cli("-n", "3", "get", "foo") == "\n"
    assert cli("-r", "3", "-i", "0.001", "incr", "n") == "1\n2\n3\n"
    assert cli("-3", "get", "foo") == "bar\n"


def test_errors_and_status(cli):
    assert cli("incr", "a", "b") == "ERR wrong number of arguments for 'incr' command\n\n"
    assert cli("--no-raw", "incr") == "(error) ERR wrong number of arguments for 'incr' command\n"
    assert cli("-e", "incr", status=1) == "ERR wrong number of arguments for 'incr' command\n"
    assert cli("-e", "ping") == "PONG\n"
    assert cli("-n", "99", "ping") == "PONG\nSELECT 99 failed: ERR DB index is out of range\n"


def test_no_connection():
    for args, said in [(["-p", "1"], "127.0.0.1:1: Connection refused"),
                       (["-s", "/nonexistent/sock"], "/nonexistent/sock: No such file or directory"),
                       (["-u", "redis://[::1]:1"], "::1:1: ")]:
        for command in (["ping"], ["--scan"], []):
            done = run(*args, *command, stdin=b"ping\n")
            assert (done.returncode, done.stdout) == (1, b"")
            assert done.stderr.decode().startswith(f"Could not connect to Redis at {said}")


@pytest.mark.parametrize("args", [["--bogus"], ["-p"], ["-p", "99999"], ["-n", "x"], ["-u", "http://a"], ["-x"],
                                  ["-u", "redis://a:b%zz@c"], ["-x", "-X", "t", "get"], ["-i", "-1", "ping"],
                                  ["--quoted-input", "get", '"a'], ["--quoted-pattern", '"a', "--scan"]])
def test_bad_options(args):
    done = run(*args)
    assert done.returncode == 1 and done.stdout == b"" and done.stderr.count(b"\n") == 1


def test_help_and_version():
    assert re.fullmatch(r"tarn-cli \d+\.\d+\.\d+\n", run("--version").stdout.decode())
    assert b"Usage: tarn-cli" in run("--help").stdout


def test_stdin_as_argument(cli):
    cli("-x", "set", "a", stdin=b"1\x00\xff\n")
    assert cli("--no-raw", "get", "a") == '"1\\x00\\xff\\n"\n'
    cli("-X", "in", "set", "in", "in", stdin=b"both")
    assert cli("get", "both") == "both\n"


def test_quoted_input(cli):
    cli("--quoted-input", "set", '"a\\x00b"', "'it\\'s'")
    assert cli("--quoted-input", "--no-raw", "get", '"a\\x00b"') == '"it\'s"\n'


@pytest.fixture
def script(tmp_path):
    def write(name, text):
        (tmp_path / name).write_bytes(text)
        return str(tmp_path / name)
    return write


@pytest.mark.needs("EVAL")
@pytest.mark.parametrize("words, keys, args", [
    ([], [], []), (["a", "b"], ["a", "b"], []), (["a", ",", "b", "c"], ["a"], ["b", "c"]), ([",", "a"], [], ["a"]),
    (["a", ",", "b", ",", "c"], ["a"], ["b", ",", "c"]), (["a,", ",b", "c,d"], ["a,", ",b", "c,d"], []),
    (["", ",", ""], [""], [""]), ([",", ","], [], [","]), (["a", "--raw", "-n"], ["a", "--raw", "-n"], []),
])
def test_eval(cli, script, words, keys, args):
    path = script("show.lua", b"return cjson.encode({keys = table.concat(KEYS, '|'), n = #KEYS, args = table.concat(ARGV, '|'), m = #ARGV})\n")
    assert json.loads(cli("--eval", path, *words)) == {
        "keys": "|".join(keys), "n": len(keys), "args": "|".join(args), "m": len(args)}


@pytest.mark.needs("EVAL")
def test_eval_shows_replies_as_any_command(cli, client, script):
    path = script("reply.lua", b"redis.call('incr', 'runs')\nreturn {1, {2, 'x'}, false, redis.status_reply('fine')}")
    assert cli("--eval", path) == "1\n2\nx\n\nfine\n"
    assert cli("--no-raw", "--eval", path) == '1) (integer) 1\n2) 1) (integer) 2\n   2) "x"\n3) (nil)\n4) fine\n'
    assert cli("--csv", "--eval", path) == '1,2,"x",NULL,"fine"\n'
    assert cli("--eval", path, "--json") == '[1,[2,"x"],null,"fine"]\n', "options may follow the file"
    assert cli("--json", "--eval", path) == '[1,[2,"x"],null,"fine"]\n'
    assert cli("-3", "--eval", path) == "1\n2\nx\n\nfine\n"
    assert cli("-r", "3", "-i", "0.001", "--eval", path) == "1\n2\nx\n\nfine\n" * 3
    assert client("GET", "runs") == b"9"
    assert cli("-n", "3", "--eval", path) == "1\n2\nx\n\nfine\n" and client("GET", "runs") == b"9"
    binary = script("bytes.lua", b"return '\xff\\0\\r\\n' .. #KEYS .. #ARGV")
    assert cli("--no-raw", "--eval", binary, "k", ",", "a", "b") == '"\\xff\\x00\\r\\n12"\n'
    assert cli("--no-raw", "--eval", script("empty.lua", b"")) == "(nil)\n"
    assert cli("-x", "--eval", path, stdin=b"not for scripts") == "1\n2\nx\n\nfine\n"


@pytest.mark.needs("EVAL")
def test_eval_errors(cli, script):
    assert cli("--no-raw", "--eval", script("boom.lua", b"return redis.error_reply('ERR boom')")) == "(error) ERR boom\n"
    assert cli("-e", "--eval", script("boom.lua", b"return redis.error_reply('ERR boom')"), status=1) == "ERR boom\n"
    assert "Error compiling script" in cli("--eval", script("bad.lua", b"this is not lua"))
    assert cli("--eval", "/nonexistent/x.lua", "k", status=1) == "Can't open file '/nonexistent/x.lua': No such file or directory\n"
    assert cli("--eval", status=1) == "Unrecognized option or bad number of args for: '--eval'\n"
    assert run("-p", "1", "--eval", script("boom.lua", b"return 1")).stderr == b"Could not connect to Redis at 127.0.0.1:1: Connection refused\n"


def test_eval_of_what_cannot_be_read(cli):
    assert cli("--eval", "/tmp", status=1) == "Can't read file '/tmp': Is a directory\n"


def test_unix_socket(server):
    assert run("-s", server.unix_path, "echo", "hi").stdout == b"hi\n"


def test_lines(cli):
    script = b'set a "x\\ny"\nget a\n\n"unbalanced\nnosuch\n2 incr n\nselect 1\nget a\nquit\nget a\n'
    assert cli("--no-raw", stdin=script).splitlines() == [
        "OK", '"x\\ny"', "Invalid argument(s)", "(error) ERR unknown command 'nosuch', with args beginning with: ",
        "(integer) 1", "(integer) 2", "OK", "(nil)"]
    assert cli(stdin=b"get a") == "x\ny\n"


def test_texts_are_bare(cli):
    for option in ("--no-raw", "--raw", "--csv", "--json"):
        assert cli(option, "info", "server").startswith("# Server\r\n")
        assert cli(option, "client", "list").startswith("id=")


def test_slow_command_says_how_slow(cli):
    assert re.fullmatch(r"OK\n\(0\.5\ds\)\n", cli("--no-raw", stdin=b"debug sleep 0.51\n"))
    assert cli("--no-raw", "debug", "sleep", "0.51") == "OK\n"


def test_passwords(server, client, cli):
    client("CONFIG", "SET", "requirepass", "p%A")
    warning = "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe.\n"
    try:
        assert cli("ping") == "NOAUTH Authentication required.\n\n"
        assert cli("-a", "p%A", "ping") == "PONG\n" + warning
        assert cli("-a", "p%A", "--no-auth-warning", "ping") == "PONG\n"
        assert cli("--user", "default", "--pass", "p%A", "ping") == "PONG\n" + warning
        assert cli("ping", env={"REDISCLI_AUTH": "p%A"}) == "PONG\n"
        assert cli("-a", "p%A", "--no-auth-warning", "ping", env={"REDISCLI_AUTH": "bad"}) == "PONG\n"
        assert cli("--askpass", "ping", stdin=b"p%A\n") == "PONG\nPlease input password: \n"
        assert "AUTH failed: WRONGPASS" in cli("ping", env={"REDISCLI_AUTH": "bad"})
        for login in (":p%25A", "p%25A", "default:p%25A"):
            done = run("-u", f"redis://{login}@127.0.0.1:{server.port}/1", "ping")
            assert (done.stdout, done.stderr.decode()) == (b"PONG\n", warning)
    finally:
        client("CONFIG", "SET", "requirepass", "")


def test_scan(client, cli):
    for n in range(300):
        client("SET", f"key:{n}", "v")
    client("SET", "other\n", "v")
    assert sorted(cli("--scan", "--pattern", "key:*").split()) == sorted(f"key:{n}" for n in range(300))
    assert len(cli("--scan", "--count", "1000", "--pattern", "key:1*").split()) == 111
    assert cli("--no-raw", "--scan", "--quoted-pattern", '"*\\n"') == '"other\\n"\n'


def test_pipe(server, cli):
    bulk = b"".join(b"*3\r\n$3\r\nSET\r\n$%d\r\nk%d\r\n$1\r\nv\r\n" % (len(str(n)) + 1, n) for n in range(20000))
    said = cli("--pipe", stdin=bulk)
    assert said == ("All data transferred. Waiting for the last reply...\nLast reply received from server.\n"
                    "errors: 0, replies: 20000\n")
    assert server.ask("DBSIZE") == 20000
    said = cli("--pipe", stdin=b"ping\r\nnosuch\r\nset a 1", status=1)
    assert "errors: 1, replies: 3\n" in said and "ERR unknown command 'nosuch'" in said


def test_pipe_gives_up(answering):
    answering.answers[b"ECHO"] = b""
    done = run("-p", answering.port, "--pipe", "--pipe-timeout", "1", stdin=b"*1\r\n$4\r\nPING\r\n")
    assert (done.returncode, done.stderr) == (1, b"No replies for 1 seconds: exiting.\n")
    assert done.stdout.endswith(b"errors: 1, replies: 1\n")


def test_big_and_memory_keys(client, cli):
    client("SET", "small", "v")
    client("SET", "big one", "v" * 1000)
    said = cli("--bigkeys")
    assert "Sampled 2 keys in the keyspace!\nTotal key length in bytes is 12 (avg len 6.00)\n" in said
    assert "Biggest string found '\"big one\"' has 1000 bytes\n" in said
    assert "2 strings with 1001 bytes (100.00% of keys, avg size 500.50)\n" in said
    assert "Biggest string found '\"big one\"' has " in cli("--memkeys")


def test_stat(server):
    process = subprocess.Popen([cli_path(), "-p", str(server.port), "--stat", "-i", "0.01"], stdout=subprocess.PIPE,
                               env=environment())
    try:
        lines = [process.stdout.readline().decode() for _ in range(45)]
    finally:
        process.kill()
        process.wait()
    assert [n for n, line in enumerate(lines) if line.startswith("keys  ")] == [1, 23]
    assert all(re.match(r"\d+ +[\d.]+[BKMG] +\d+ +\d+ +\d+ \(\+\d+\) +\d+ ", lines[n]) for n in (2, 3, 21, 24))


def test_latency(cli):
    assert re.fullmatch(r"\d+ \d+ \d+\.\d\d \d+\n", cli("--latency", "-i", "0.1"))
    assert re.fullmatch(r"\d+,\d+,\d+\.\d\d,\d+\n", cli("--latency", "--csv", "-i", "0.1"))


def test_monitor(server):
    process = subprocess.Popen([cli_path(), "-p", str(server.port), "monitor"], stdout=subprocess.PIPE, env=environment())
    try:
        assert process.stdout.readline() == b"OK\n"
        server.ask("GET", "seen")
        line = next(line for line in process.stdout if b"seen" in line)
        assert re.match(rb'\d+\.\d+ \[0 127\.0\.0\.1:\d+\] "GET" "seen"\n', line)
    finally:
        process.kill()
        process.wait()


# The prompt.

CURSOR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Terminal:
    """tarn-cli on a terminal. `see` waits for a text in what was written since the last look. Control keys mean something to
    the terminal itself while a command runs: before they are typed, the prompt must be seen."""

    def __init__(self, *args, **env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(cli_path(), [cli_path(), *args], environment(**env))
        self.seen = ""

    def type(self, text):
        os.write(self.fd, text.encode())

    def see(self, text, timeout=20):
        end = time.monotonic() + timeout
        while text not in CURSOR.sub("", self.seen):
            assert select.select([self.fd], [], [], max(0, end - time.monotonic()))[0], (text, self.seen)
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            assert data, (text, self.seen)
            self.seen += data.decode(errors="replace")
        plain = CURSOR.sub("", self.seen)
        self.seen = plain[plain.index(text) + len(text):]
        return plain

    def ended(self):
        """The exit status, once everything was written."""
        try:
            while os.read(self.fd, 65536):
                pass
        except OSError:
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def terminal(server, tmp_path):
    """Opens prompts with their history in a directory of the test; they are told to quit if they have not."""
    opened = []

    def start(port=server.port):
        env = {"HOME": str(tmp_path), "TARNCLI_HISTFILE": str(tmp_path / "history")}
        opened.append(Terminal("-p", str(port), **env))
        opened[-1].prompt = f"127.0.0.1:{port}"
        opened[-1].see(opened[-1].prompt)
        return opened[-1]

    yield start
    for each in opened:
        try:
            os.kill(each.pid, 9)
            each.ended()
        except (ProcessLookupError, OSError, ChildProcessError):
            pass


def test_prompt(terminal):
    t = terminal()
    t.type("set k 1\rincr k\r")
    t.see("OK\r\n")
    t.see("(integer) 2\r\n")
    t.type("select 3\r")
    t.see(f"{t.prompt}[3]> ")
    t.type("quit\r")
    assert t.ended() == 0


def test_hints(terminal):
    t = terminal()
    t.type("set")
    t.see("set key value [")
    t.type(" k v ")
    t.see("set k v [")
    t.type("ex ")
    t.see("set k v ex seconds [")
    t.type("\x15:set nohints\r")
    t.type("get")
    t.see("> get")
    t.type("x")
    assert "key" not in t.see("> getx")


def test_completion(terminal):
    t = terminal()
    t.type("getr\t")
    t.see("> getrange")
    t.type("\x15GETR\t")
    t.see("> GETRANGE")
    t.type("\x15config ge\t")
    t.see("> config get")
    t.type("\x15help @conn\t")
    t.see("> help @connection")
    t.type("\x15set k v keep\t")
    t.see("> set k v keepttl")
    t.type("\x15strl\t\x1b")
    t.see("> strlen")
    t.see("> strl")
    t.type("x\r")
    t.see("unknown command 'strlx'")


def test_editing(terminal):
    t = terminal()
    # Home, end, words, kill and yank, a character of two bytes removed from the middle.
    t.type('"caf\u00e9s" \x1b[D\x1b[D\x1b[D\x7f\x01echo \x05\x17\x19\r')
    t.see('"cafs"\r\n')
    t.see(t.prompt)
    t.type("echo one two\x17\x1bb\x1bbx\x01\x1b[3~\x0b\x19\x7f\x7f\x7f\x7f\x7f\x15echo left\x02\x02\x14\r")
    t.see('"lfet"\r\n')
    t.see(t.prompt)
    t.type("echo " + "0123456789" * 40 + "\r")
    t.see('"' + "0123456789" * 40 + '"')


def test_history(terminal, tmp_path):
    t = terminal()
    t.type("echo one\recho two\rauth secret\rconfig set requirepass \"\"\racl setuser\r")
    t.see('"one"')
    t.see('"two"')
    t.type("\x1b[A\x1b[A\r")
    t.see('"one"')
    t.see(t.prompt)
    t.type("\x12tw\r")
    t.see('"two"')
    t.type("exit\r")
    assert t.ended() == 0
    assert (tmp_path / "history").read_text().splitlines() == ["echo one", "echo two", "echo one", "echo two", "exit"]
    assert (tmp_path / "history").stat().st_mode & 0o777 == 0o600
    t = terminal()
    t.type("\x10\x10\r")
    t.see('"two"')


def test_help(terminal):
    t = terminal()
    t.type("help getrange\r")
    t.see("GETRANGE key start end\r\n")
    t.see("summary:")
    t.see("since: 2.4.0")
    t.see("group: string")
    t.type("help @connection\r")
    t.see("ECHO message")
    t.type("help config\r")
    t.see("CONFIG RESETSTAT")
    t.type("help nosuch\r")
    t.see("There is no help about 'nosuch'.")


def test_interrupts(terminal):
    t = terminal()
    t.type("monitor\r")
    t.see("OK\r\n")
    t.type("\x03")
    t.see(f"{t.prompt}> ")
    t.type("echo on\r")
    t.see('"on"')
    # Ctrl-c drops a line, and leaves when there is none.
    t.see(f"{t.prompt}> ")
    t.type("half a line")
    t.see("half a line")
    t.type("\x03")
    t.see("\r\n")
    t.see(f"{t.prompt}> ")
    t.type("\x03")
    assert t.ended() == 0


def test_reconnects(terminal, answering):
    answering.last_words = {b"BYE"}
    t = terminal(answering.port)
    t.type("bye\r")
    t.see("OK\r\n")
    assert answering.closed.wait(20)
    t.type("get again\r")
    t.see("Reconnected: the server had closed the connection.")
    t.see("OK\r\n")
    assert answering.requests == [[b"bye"], [b"get", b"again"]]
    t.type("connect 127.0.0.1 1\r")
    t.see("Could not connect to Redis at 127.0.0.1:1: Connection refused")
    t.see("not connected> ")
    t.type(f"connect 127.0.0.1 {answering.port}\r")
    t.see(f"{t.prompt}> ")


@pytest.mark.needs("multi", "exec", "discard")
def test_transaction_marker(terminal):
    t = terminal()
    t.type("multi\rselect 2\r")
    t.see("(TX)> ")
    t.see("[2](TX)> ")
    t.type("discard\r")
    t.see(f"{t.prompt}> ")
    t.type("multi\rselect 2\rexec\r")
    t.see(f"{t.prompt}[2]> ")


@pytest.mark.needs("subscribe", "publish")
def test_subscribe(terminal, server):
    t = terminal()
    t.type("subscribe news\r")
    t.see("Reading messages... (press Ctrl-C to quit)\r\n1) \"subscribe\"\r\n2) \"news\"\r\n3) (integer) 1\r\n")
    server.ask("PUBLISH", "news", "hey")
    t.see('1) "message"\r\n2) "news"\r\n3) "hey"\r\n')
    t.type("\x03")
    t.see(f"{t.prompt}> ")


def test_json_is_json(cli):
    cli("set", "k", 'quote " back\\slash')
    assert json.loads(cli("--json", "config", "get", "maxmemory"))["maxmemory"] == "0"
    assert json.loads(cli("--json", "mget", "k", "none")) == ['quote " back\\slash', None]
