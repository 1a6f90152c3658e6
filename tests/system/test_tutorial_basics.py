"""What beginners type: the lines of widely read tutorials, through redis-py as they use it, with the output they are shown.

Only what today's redis-py still sends is here; the value beside each call is what the reader expects to see.
"""
import subprocess
import time
from pathlib import Path

import pytest
import redis

from tests.system.harness import free_port, wait_until
from tests.system.rawsock import Raw


@pytest.fixture
def r(server, protocol):
    with redis.Redis(host="127.0.0.1", port=server.port, db=0, protocol=protocol) as client:
        yield client


def test_the_first_steps(r):
    assert r.set("foo", "bar") is True
    assert r.get("foo") == b"bar"
    assert r.get("nothing") is None
    assert redis.StrictRedis is redis.Redis or issubclass(redis.Redis, redis.StrictRedis)


def test_replies_as_text(server, protocol):
    with redis.StrictRedis(port=server.port, decode_responses=True, protocol=protocol) as r:
        r.set("name", "安生")
        assert r.get("name") == "安生"


def test_a_shared_pool(server, protocol):
    pool = redis.ConnectionPool(host="127.0.0.1", port=server.port, protocol=protocol)
    one, other = redis.Redis(connection_pool=pool), redis.StrictRedis(connection_pool=pool)
    one.set("foo", "Bar")
    assert other.get("foo") == b"Bar"
    pool.disconnect()


def test_the_unix_socket(server, protocol):
    with redis.Redis(unix_socket_path=server.unix_path, protocol=protocol) as r:
        assert r.set("k", "v") is True and r.get("k") == b"v"


def test_set_with_its_options(r):
    assert r.set("k1", "v1", ex=10, nx=True) is True
    assert r.set("k1", "v2", nx=True) is None
    assert r.set("k1", "v2", xx=True, px=20) is True
    assert r.set("none", "x", xx=True) is None
    wait_until(lambda: r.get("k1") is None)


def test_setnx_setex_psetex(r):
    assert r.setnx("k", "v") is True
    assert r.setnx("k", "w") is False
    assert r.setex("e", 1, "v") is True and r.ttl("e") == 1
    assert r.psetex("p", 10, "v") is True
    wait_until(lambda: r.get("p") is None)
    with pytest.raises(redis.ResponseError, match="value is not an integer or out of range"):
        r.setex("k", "v", 1)


def test_mset_mget_getset(r):
    assert r.mset({"k1": "v1", "k2": "v2"}) is True
    assert r.mget("k1", "k2") == [b"v1", b"v2"]
    assert r.mget(["k1", "k2", "k3"]) == [b"v1", b"v2", None]
    r.set("hello", "world")
    assert r.getset("hello", "zhangsan") == b"world"
    assert r.getset("hello", "x") == b"zhangsan"


def test_getrange_and_setrange(r):
    r.set("key", "value")
    assert r.getrange("key", 1, 4) == b"alue"
    r.set("name", "zhangsan")
    assert r.getrange("name", 0, 3) == b"zhan"
    assert r.setrange("name", 1, "z") == 8
    assert r.get("name") == b"zzangsan"
    assert r.setrange("name", 6, "zzzzzzz") == 13
    assert r.get("name") == b"zzangszzzzzzz"
    r.set("n", "zhangsan")
    assert r.setrange("n", 0, "a") == 8


def test_bits(r):
    r.set("name", "345")
    assert r.setbit("name", 6, 0) == 1
    assert r.get("name") == b"145"
    r.set("n1", "foo")
    assert r.setbit("n1", 7, 1) == 0
    assert r.get("n1") == b"goo"
    r.set("k", "3")
    assert [r.getbit("k", 5), r.getbit("k", 6)] == [0, 1]
    r.set("name", "345")
    assert r.bitcount("name", start=0, end=1) == 7
    r.mset({"n1": "abc", "n2": "cde", "n3": "adc"})
    assert r.bitop("AND", "now_key", "n1", "n2", "n3") == 3
    assert r.get("now_key") == b"\x61\x60\x61"
    r.set("wpq", "武沛齐")
    bits = "".join(f"{byte:08b}" for byte in "武沛齐".encode())
    assert "".join(str(r.getbit("wpq", i)) for i in range(len(bits))) == bits


def test_lengths_are_bytes(r):
    r.mset({"a": "zhangsan", "b": "安生"})
    assert r.strlen("a") == 8 and r.strlen("b") == 6
    assert r.getrange("b", 0, 2) == "安".encode()


def test_counters(r):
    assert [r.incr("mount", amount=2), r.incr("mount"), r.incr("mount", amount=3), r.incr("mount", amount=6)] == [2, 3, 6, 12]
    assert [r.incr("number"), r.incr("number"), r.incr("number", 10)] == [1, 2, 12]
    assert r.incrbyfloat("number", 1.5) == 13.5
    assert r.incrbyfloat("number", 1.1) == 14.6
    assert r.get("number") == b"14.6"
    r.set("n", 10)
    assert r.decr("n") == 9 and r.decr("n", 9) == 0
    r.set("text", "abc")
    with pytest.raises(redis.ResponseError, match="value is not an integer or out of range"):
        r.incr("text")


def test_append(r):
    r.set("blog", "https://blog.ansheng.me")
    assert r.append("blog", "/") == 24
    assert r.get("blog") == b"https://blog.ansheng.me/"


def test_keys_and_their_patterns(r):
    for name in ("hello", "hallo", "hxllo", "heeeello", "hillo"):
        r.set(name, 1)
    assert sorted(r.keys("h?llo")) == [b"hallo", b"hello", b"hillo", b"hxllo"]
    assert sorted(r.keys("h*llo")) == [b"hallo", b"heeeello", b"hello", b"hillo", b"hxllo"]
    assert sorted(r.keys("h[ae]llo")) == [b"hallo", b"hello"]
    assert sorted(r.keys("h[^e]llo")) == [b"hallo", b"hillo", b"hxllo"]
    assert sorted(r.keys("h[a-f]llo")) == [b"hallo", b"hello"]
    assert len(r.keys("*")) == len(r.keys()) == 5
    assert sorted(r.scan_iter(match="h?llo", count=2)) == sorted(r.keys("h?llo"))


def test_the_life_of_a_key(r):
    r.set("k", "v")
    assert r.exists("k") == 1 and r.exists("none") == 0
    assert r.type("k") == b"string" and r.type("none") == b"none"
    assert r.rename("k", "kk") is True
    assert r.expire("kk", 100) is True and 95 < r.ttl("kk") <= 100
    assert r.expire("none", 100) is False and r.ttl("none") == -2
    assert r.randomkey() == b"kk"
    assert r.move("kk", 1) in (True, 1)
    assert r.exists("kk") == 0
    assert r.select(1) in (True, b"OK") and r.get("kk") == b"v"
    assert r.delete("kk") == 1 and r.delete("kk") == 0


def test_a_session_that_ends(r):
    """A page or session cache: there, then gone."""
    r.set("CurrentTime", "12:00", px=60)
    assert r.get("CurrentTime") == b"12:00"
    wait_until(lambda: r.get("CurrentTime") is None)
    assert r.exists("CurrentTime") == 0


def test_pipelines(r):
    pipe = r.pipeline(transaction=False)
    pipe.set("name", "alex")
    pipe.set("role", "sb")
    assert pipe.execute() == [True, True]
    pipe = r.pipeline(transaction=True)
    r.set("alex", "not queued")
    assert pipe.execute() == []


@pytest.mark.needs("MULTI", "EXEC")
def test_a_transaction(r):
    pipe = r.pipeline(transaction=True)
    pipe.multi()
    pipe.set("name", "alex")
    pipe.set("role", "sb")
    assert pipe.execute() == [True, True]


@pytest.mark.needs("WATCH", "MULTI", "EXEC")
def test_a_watched_counter(r):
    r.set("count", 1000)
    with r.pipeline() as pipe:
        pipe.watch("count")
        left = int(pipe.get("count"))
        pipe.multi()
        pipe.set("count", left - 1)
        pipe.execute()
    assert r.get("count") == b"999"


def test_plain_and_pipelined_loops(r):
    """The tutorial's loop of 99,999 SETs, a tenth of it plainly and all of it in a pipeline."""
    for i in range(2000):
        r.set(i, i)
    pipe = r.pipeline(transaction=False)
    for i in range(99_999):
        pipe.set(i, i)
    assert all(pipe.execute())
    assert r.dbsize() == 99_999 and r.get("99998") == b"99998"


def test_numbered_databases(server, protocol):
    for db in (0, 1, 15):
        with redis.from_url(f"redis://127.0.0.1:{server.port}/{db}?protocol={protocol}") as r:
            assert r.get("which") is None
            r.set("which", db)
    with redis.Redis(port=server.port, db=15, protocol=protocol) as r:
        assert r.get("which") == b"15"


def test_a_password_in_the_url(own_server, workers, protocol):
    server = own_server({"threads": workers, "requirepass": "pa55"})
    with redis.from_url(f"redis://:pa55@127.0.0.1:{server.port}/0?protocol={protocol}") as r:
        assert r.set("k", "v") is True
    with redis.Redis(port=server.port, protocol=protocol, retry=None) as r, pytest.raises(redis.AuthenticationError):
        r.get("k")


def test_a_lock(r):
    """What redis-py's Lock sends first: SET NX PX. (Its release is a script.)"""
    assert r.set("lk", "token-1", nx=True, px=2000) is True
    assert r.set("lk", "token-2", nx=True, px=2000) is None
    assert 0 < r.pttl("lk") <= 2000


def test_redis_cli_as_shown(server):
    def cli(*args):
        return subprocess.run(["redis-cli", "-p", str(server.port), *args], capture_output=True, text=True, timeout=30).stdout
    assert cli("set", "url", "https://blog.ansheng.me") == "OK\n"
    assert cli("--no-raw", "get", "url") == '"https://blog.ansheng.me"\n'
    assert cli("--no-raw", "get", "none") == "(nil)\n"


def test_the_server_as_shown(binary, tmp_path):
    """`bind 0.0.0.0` in the file, no password, protected mode off: reachable, and the process says what it is."""
    port = free_port()
    path = tmp_path / "redis.conf"
    path.write_text(f"bind 0.0.0.0\nport {port}\nprotected-mode no\ndir {tmp_path}\nsave \"\"\ndaemonize no\n")
    process = subprocess.Popen([binary, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, cwd=tmp_path)
    try:
        def connected():
            try:
                return Raw(port)
            except ConnectionRefusedError:
                return None
        with wait_until(connected, 20) as c:
            assert c.cmd("PING") == b"PONG"
            listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            assert any(row[1] == f"00000000:{port:04X}" and row[3] == "0A" for row in listening)
            c.send_command("SHUTDOWN", "NOSAVE")
            assert c.read_to_end() == b""
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()


def test_a_busy_beginner(own_server, workers, protocol):
    """A script that opens a connection per call, as many first scripts do."""
    server = own_server({"threads": workers})
    began = time.monotonic()
    for i in range(200):
        r = redis.Redis(port=server.port, protocol=protocol)
        r.incr("visits")
        r.close()
    assert time.monotonic() - began < 60
    with redis.Redis(port=server.port, protocol=protocol) as r:
        assert r.get("visits") == b"200"
        wait_until(lambda: r.info("clients")["connected_clients"] == 1)
