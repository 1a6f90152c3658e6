"""The client libraries as users use them, with their own defaults: redis-py's classes, pools and pipelines, and ioredis.

Everywhere else the tests talk through a redis-py that was told not to convert anything. Here nothing is told to it.
"""
import subprocess
import threading
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

NODE = Path(__file__).parent / "node"


@pytest.fixture
def options(server, protocol):
    return {"host": "127.0.0.1", "port": server.port, "protocol": protocol}


def use(r):
    """A round through what most programs do."""
    assert r.ping() is True
    assert r.set("k", "v") is True
    assert r.get("k") == b"v"
    assert r.set("k", "w", nx=True) is None
    assert r.set("k", "w", ex=100, xx=True) is True
    assert 90 < r.ttl("k") <= 100
    assert r.set("k", "x", keepttl=True, get=True) == b"w"
    assert r.incr("n") == 1 and r.incrby("n", 9) == 10 and r.decr("n") == 9
    assert r.incrbyfloat("f", 1.5) == 1.5
    assert r.mset({"a": 1, "b": 2}) is True
    assert r.mget("a", "b", "c") == [b"1", b"2", None]
    assert r.exists("a", "b", "c") == 2
    assert r.type("a") == b"string"
    assert r.expire("a", 100) is True and r.persist("a") is True
    assert r.rename("a", "z") is True
    assert r.getdel("z") == b"1"
    assert r.setbit("bits", 7, 1) == 0 and r.bitcount("bits") == 1
    assert r.bitfield("bf").set("u8", 0, 255).incrby("u8", 0, 1).execute() == [0, 0]
    assert sorted(r.scan_iter(match="*")) == [b"b", b"bf", b"bits", b"f", b"k", b"n"]
    assert sorted(r.keys("b*")) == [b"b", b"bf", b"bits"]
    assert r.dbsize() == 6
    assert r.delete("b", "bf", "bits", "f", "k", "n") == 6
    assert r.randomkey() is None


def test_redis(options):
    with redis.Redis(**options) as r:
        use(r)


def test_defaults_only(server):
    """No protocol named: redis-py's own handshake, with everything it sends today."""
    with redis.Redis(port=server.port) as r:
        use(r)
        assert r.connection_pool.get_connection().is_connected


def test_strict_redis(options):
    with redis.StrictRedis(**options, db=3) as r:
        use(r)
        assert r.client_info()["db"] in (3, "3")


def test_from_url(server, protocol):
    with redis.from_url(f"redis://127.0.0.1:{server.port}/5?protocol={protocol}") as r:
        use(r)


def test_unix_socket_path(server, protocol):
    with redis.Redis(unix_socket_path=server.unix_path, protocol=protocol) as r:
        use(r)
    with redis.from_url(f"unix://{server.unix_path}?db=2&protocol={protocol}") as r:
        use(r)


def test_decode_responses(options):
    with redis.Redis(**options, decode_responses=True) as r:
        r.set("käse", "grün")
        assert r.get("käse") == "grün"
        assert r.keys() == ["käse"]
        assert isinstance(r.config_get("maxmemory*"), dict)


def test_connection_pool_in_threads(options):
    pool = redis.ConnectionPool(**options, max_connections=8)
    failures = []

    def work(number):
        try:
            r = redis.Redis(connection_pool=pool)
            for i in range(100):
                r.incr("sum")
                r.set(f"{number}:{i}", i)
                assert r.get(f"{number}:{i}") == str(i).encode()
        except Exception as error:  # handed to the test, which fails with it
            failures.append(error)
    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert redis.Redis(connection_pool=pool).get("sum") == b"800"
    pool.disconnect()


def test_blocking_connection_pool(options):
    pool = redis.BlockingConnectionPool(**options, max_connections=1, timeout=5)
    with redis.Redis(connection_pool=pool) as r:
        use(r)
    pool.disconnect()


def test_pipeline(options):
    with redis.Redis(**options) as r:
        pipe = r.pipeline(transaction=False)
        for i in range(2000):
            pipe.set(f"k{i}", i).get(f"k{i}")
        replies = pipe.execute()
        assert replies[::2] == [True] * 2000
        assert replies[1::2] == [str(i).encode() for i in range(2000)]


def test_pipeline_with_an_error_in_it(options):
    with redis.Redis(**options) as r:
        pipe = r.pipeline(transaction=False).set("k", "x").incr("k").get("k")
        replies = pipe.execute(raise_on_error=False)
        assert replies[0] is True and replies[2] == b"x"
        assert isinstance(replies[1], redis.ResponseError)
        assert str(replies[1]) == "value is not an integer or out of range"
        with pytest.raises(redis.ResponseError, match="Command # 1"):
            r.pipeline(transaction=False).incr("k").execute()


@pytest.mark.needs("MULTI", "EXEC", "WATCH")
def test_transaction(options):
    with redis.Redis(**options) as r:
        assert r.pipeline().set("k", 1).incr("k").execute() == [True, 2]
        r.transaction(lambda pipe: pipe.multi() or pipe.incr("k"), "k")
        assert r.get("k") == b"3"


def test_client_name_and_library(options):
    with redis.Redis(**options, client_name="a-name") as r:
        assert r.client_getname() in (b"a-name", "a-name")
        me = r.client_info()
        assert me["name"] == "a-name"
        assert any(entry["name"] == "a-name" for entry in r.client_list())


@pytest.mark.tarn_only
def test_library_name_is_kept(options):
    """CLIENT SETINFO, which 7.0 does not know, is part of redis-py's handshake."""
    with redis.Redis(**options) as r:
        assert r.client_info()["lib-name"].startswith("redis-py")


def test_info_is_parsed(options, reference):
    with redis.Redis(**options) as r:
        r.set("k", "v", ex=100)
        info = r.info()
        assert info["redis_mode"] == "standalone"
        assert info["db0"]["keys"] == 1 and info["db0"]["expires"] == 1
        assert info["used_memory"] > 0 and info["connected_clients"] >= 1
        if not reference:
            assert info["redis_version"] == "8.2.0" and info["tarn_version"]


def test_exceptions_have_their_classes(options, own_server, protocol):
    server = own_server({"requirepass": "secret"})
    once = {"port": server.port, "protocol": protocol, "retry": Retry(NoBackoff(), 0)}  # by default redis-py tries again for seconds
    with redis.Redis(**once) as r, pytest.raises(redis.AuthenticationError):
        r.get("k")
    with redis.Redis(**once, password="wrong") as r, pytest.raises(redis.AuthenticationError):
        r.get("k")
    with redis.Redis(port=server.port, protocol=protocol, password="secret") as r:
        use(r)
    with redis.Redis(port=server.port, protocol=protocol, username="default", password="secret") as r:
        use(r)


def test_command_helpers(options):
    with redis.Redis(**options) as r:
        assert r.command_count() > 50
        assert r.command_getkeys("MSET", "a", "1", "b", "2") in ([b"a", b"b"], ["a", "b"])
        assert "get" in r.command()
        assert r.echo("x") == b"x"
        assert r.config_get("maxmemory-policy") in ({"maxmemory-policy": "noeviction"}, {b"maxmemory-policy": b"noeviction"})
        assert len(r.time()) == 2
        assert r.object("encoding", "missing") is None


@pytest.mark.protocols(2)
def test_asyncio(server):
    import asyncio
    from redis import asyncio as aredis

    async def session():
        r = aredis.Redis(port=server.port)
        await r.set("k", "v")
        assert await r.get("k") == b"v"
        await asyncio.gather(*[r.incr("n") for _ in range(50)])
        assert await r.get("n") == b"50"
        async with r.pipeline(transaction=False) as pipe:
            assert await pipe.set("a", 1).get("a").execute() == [True, b"1"]
        await r.aclose()
    asyncio.run(session())


@pytest.mark.protocols(2)
def test_ioredis(server):
    assert (NODE / "node_modules" / "ioredis").is_dir(), f"ioredis is not installed: npm ci --prefix {NODE}"
    done = subprocess.run(["node", "ioredis_session.js", str(server.port), server.unix_path, "4"], cwd=NODE, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all well" in done.stdout


@pytest.mark.protocols(2)
@pytest.mark.workers(1)
def test_redis_cli(server):
    """Debian's redis-cli, where it is installed with the reference; it sends COMMAND DOCS and expects to understand it."""
    def cli(*args, stdin=None):
        done = subprocess.run(["redis-cli", "-p", str(server.port), *args], input=stdin, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done
        return done.stdout
    assert cli("SET", "k", "v") == "OK\n"
    assert cli("GET", "k") == "v\n"
    assert cli("-3", "GET", "missing") == "\n"
    assert cli("--no-raw", "INCR", "n") == "(integer) 1\n"
    assert cli(stdin="SET a 1\nGET a\n") == "OK\n1\n"
    assert cli("-x", "SET", "stdin", stdin="from stdin") == "OK\n"
    assert sorted(cli("--scan").split()) == ["a", "k", "n", "stdin"]
    assert cli("--pipe", stdin="SET p 1\r\n" * 100).splitlines()[-1] == "errors: 0, replies: 100"
