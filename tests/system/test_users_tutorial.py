"""What tutorials build with pub/sub, transactions, waiting and scripts: helpers, chats, queues, stocks, locks, through redis-py as
their readers have it today, and, in users_redis2_session.py, through the redis-py 2.10.6 that they were written for.
"""
import asyncio
import json
import subprocess
import threading
from pathlib import Path

import pytest
import redis
from redis import asyncio as aredis

from tests.system.harness import ROOT, wait_until
from tests.system.threads import in_threads
from tests.system.users_tools import Program, dial, r, scripted  # noqa: F401

OLD_PYTHON = ROOT / ".venv-redis2" / "bin" / "python"


# ---- Publish and subscribe ----


class RedisHelper:
    """The class of four of the tutorials, with its radio channel."""

    def __init__(self, connection, channel="fm104.5"):
        self.__conn = connection
        self.channel = channel

    def public(self, message):
        return self.__conn.publish(self.channel, message)

    def subscribe(self):
        pub = self.__conn.pubsub()
        pub.subscribe(self.channel)
        return pub


@pytest.mark.parametrize("channel", ["fm104.5", "monitor"])
def test_the_helper(dial, channel):
    listener, speaker = RedisHelper(dial(), channel), RedisHelper(dial(), channel)
    assert speaker.public("nobody hears this") == 0
    with listener.subscribe() as sub:
        assert sub.parse_response() == [b"subscribe", channel.encode(), 1]
        assert speaker.public("hello") == 1
        assert sub.parse_response() == [b"message", channel.encode(), b"hello"]
        assert speaker.public("你好") == 1
        assert sub.parse_response() == [b"message", channel.encode(), "你好".encode()]


def test_one_and_the_same_connection_pool_speaks_and_listens(r):
    """`r.pubsub()` and `r.publish()` of one client object: two connections of its pool."""
    with r.pubsub() as sub:
        sub.subscribe("fm104.5")
        assert sub.parse_response() == [b"subscribe", b"fm104.5", 1]
        assert r.publish("fm104.5", "hello") == 1
        assert sub.parse_response() == [b"message", b"fm104.5", b"hello"]


def test_listen(r):
    with r.pubsub() as sub:
        sub.subscribe("a", "b")
        sub.psubscribe("news.*")
        heard = sub.listen()
        assert [next(heard)["type"] for _ in range(3)] == ["subscribe", "subscribe", "psubscribe"]
        assert r.publish("news.art", "x") == 1
        assert next(heard) == {"type": "pmessage", "pattern": b"news.*", "channel": b"news.art", "data": b"x"}
        assert r.publish("b", 12) == 1
        assert next(heard) == {"type": "message", "pattern": None, "channel": b"b", "data": b"12"}
        sub.unsubscribe()
        sub.punsubscribe()
        assert [(m["type"], m["data"]) for m in heard] == [("unsubscribe", 2), ("unsubscribe", 1), ("punsubscribe", 0)]
        assert not sub.subscribed
        assert r.publish("a", "gone") == 0


def test_get_message_and_handlers(r):
    said = []
    with r.pubsub(ignore_subscribe_messages=True) as sub:
        sub.subscribe(**{"orders": lambda message: said.append(message["data"])})
        assert sub.get_message(timeout=5) is None
        r.publish("orders", "one")
        assert sub.get_message(timeout=5) is None and said == [b"one"]
        assert sub.get_message() is None


def test_run_in_thread(r):
    heard, done = [], threading.Event()

    def handler(message):
        heard.append(message["data"])
        if message["data"] == b"end":
            done.set()
    sub = r.pubsub()
    sub.subscribe(**{"jobs": handler})
    thread = sub.run_in_thread(sleep_time=0.01)
    try:
        wait_until(lambda: r.pubsub_numsub("jobs")[0][1] == 1)
        for word in (*range(200), "end"):
            assert r.publish("jobs", word) == 1
        assert done.wait(10)
    finally:
        thread.stop()
        thread.join()
    assert heard == [b"%d" % i for i in range(200)] + [b"end"]


def test_a_listener_may_ping_and_stay(r):
    with r.pubsub() as sub:
        sub.subscribe("a")
        sub.get_message(timeout=5)
        sub.ping("are you there")
        assert sub.get_message(timeout=5)["data"] == b"are you there"
        assert sub.check_health() is None
        r.publish("a", "yes")
        assert sub.get_message(timeout=5)["data"] == b"yes"


def test_a_subscription_is_renewed_after_the_connection_broke(r):
    with r.pubsub() as sub:
        sub.subscribe("a")
        sub.psubscribe("p*")
        assert sub.get_message(timeout=5) and sub.get_message(timeout=5)
        assert r.execute_command("CLIENT", "KILL", "TYPE", "pubsub") >= 1
        heard = set()
        while heard != {"subscribe", "psubscribe"}:
            message = sub.get_message(timeout=5)
            heard |= {message["type"]} if message else set()
        assert r.publish("a", "back") == 1
        assert sub.get_message(timeout=5)["data"] == b"back"


def test_a_chat(dial):
    """Rooms: who is in (a set), what was said (a list that is trimmed), and everybody hears it at once."""
    class Member:
        def __init__(self, name, room):
            self.r, self.name, self.room = dial(decode_responses=True), name, room
            self.ear = self.r.pubsub(ignore_subscribe_messages=True)
            self.ear.subscribe(f"room:{room}")
            assert self.ear.get_message(timeout=5) is None
            self.r.sadd(f"members:{room}", name)

        def say(self, text):
            line = json.dumps([self.name, text])
            with self.r.pipeline() as pipe:
                return pipe.rpush(f"log:{self.room}", line).ltrim(f"log:{self.room}", -50, -1).publish(f"room:{self.room}", line).execute()

        def hear(self, count):
            lines = [self.ear.get_message(timeout=10) for _ in range(count)]
            return [tuple(json.loads(line["data"])) for line in lines]

        def leave(self):
            self.r.srem(f"members:{self.room}", self.name)
            self.ear.close()

    members = [Member(name, "tea") for name in ("ann", "bob", "cleo")]
    stranger = Member("dan", "coffee")
    assert members[0].r.smembers("members:tea") == {"ann", "bob", "cleo"}
    assert members[0].say("hi") == [1, True, 3]
    in_threads(3, lambda i: [members[i].say(f"{i}.{n}") for n in range(40)])
    heard = [member.hear(121) for member in members]
    assert heard[0] == heard[1] == heard[2], "all hear the same, in one order"
    assert heard[0][0] == ("ann", "hi")
    for number, member in enumerate(members):
        assert [text for name, text in heard[0][1:] if name == member.name] == [f"{number}.{n}" for n in range(40)]
    assert [tuple(json.loads(line)) for line in stranger.r.lrange("log:tea", 0, -1)] == heard[0][-50:], "the log has the order of the talk"
    members[2].leave()
    wait_until(lambda: members[0].r.pubsub_numsub("room:tea")[0][1] == 2)
    assert members[0].say("bye")[2] == 2
    assert stranger.say("alone")[2] == 1 and stranger.hear(1) == [("dan", "alone")]
    assert sorted(stranger.r.pubsub_channels("room:*")) == ["room:coffee", "room:tea"]


def test_a_session_that_ends_is_told(r, settings):
    """Keyspace events, as session stores of tutorials use them: `__keyevent@0__:expired`."""
    settings(notify_keyspace_events="Ex")
    with r.pubsub(ignore_subscribe_messages=True) as sub:
        sub.psubscribe("__keyevent@0__:expired")
        assert sub.get_message(timeout=5) is None
        r.set("session:1", "ann", px=20)
        assert sub.get_message(timeout=10)["data"] == b"session:1"


@pytest.mark.protocols(2)
def test_asyncio_pubsub(server):
    async def session():
        async with aredis.Redis(port=server.port) as r, r.pubsub() as sub:
            await sub.subscribe("a")
            await sub.psubscribe("b*")
            for _ in range(2):
                assert await sub.get_message(timeout=5)

            async def speak():
                for i in range(50):
                    assert await r.publish("a" if i % 2 else "bee", i) == 1
            talk = asyncio.create_task(speak())
            heard = [await sub.get_message(ignore_subscribe_messages=True, timeout=5) for _ in range(50)]
            await talk
            assert [int(m["data"]) for m in heard] == list(range(50))
    asyncio.run(session())


# ---- Transactions ----


def test_the_pipeline_that_is_left_empty(r):
    pipe = r.pipeline(transaction=True)
    r.set("name", "on the client, not in the pipeline")
    assert pipe.execute() == []


def test_multi_set_set_execute(r):
    pipe = r.pipeline(transaction=True)
    pipe.multi()
    pipe.set("name", "alex")
    pipe.set("role", "sb")
    assert pipe.execute() == [True, True]
    assert r.mget("name", "role") == [b"alex", b"sb"]


def test_the_watch_of_the_tutorial_on_the_client(r):
    """`conn.watch('count')`, which guards nothing with a pool, and must do no harm."""
    r.set("count", 1000)
    pipe = r.pipeline()
    with pytest.warns(DeprecationWarning, match="Call WATCH from a Pipeline object"):
        r.watch("count")
    pipe.multi()
    pipe.set("count", int(r.get("count")) - 1)
    assert pipe.execute() == [True] and r.get("count") == b"999"
    with pytest.warns(DeprecationWarning, match="Call UNWATCH"):
        r.unwatch()


def test_a_stock_that_is_sold_out(dial):
    """1000 → 0 by many buyers with WATCH: nobody buys what is not there, nothing is sold twice."""
    dial().set("count", 300)

    def buyer(_):
        r, bought, retries = dial(), 0, 0
        with r.pipeline() as pipe:
            while True:
                try:
                    pipe.watch("count")
                    left = int(pipe.get("count"))
                    if left == 0:
                        pipe.unwatch()
                        return bought, retries
                    pipe.multi()
                    pipe.decr("count").rpush("sold", left)
                    pipe.execute()
                    bought += 1
                except redis.WatchError:
                    retries += 1
    sales = in_threads(4, buyer)
    assert sum(bought for bought, _ in sales) == 300
    assert [int(n) for n in dial().lrange("sold", 0, -1)] == list(range(300, 0, -1))
    assert dial().get("count") == b"0"


def test_transaction_with_a_function(dial):
    def add_one(pipe):
        value = int(pipe.get("n") or 0)
        pipe.multi()
        pipe.set("n", value + 1)
        return value
    r = dial()
    before = in_threads(4, lambda _: [r.transaction(add_one, "n", value_from_callable=True) for _ in range(50)])
    assert sorted(value for row in before for value in row) == list(range(200))
    assert r.get("n") == b"200"


def test_discard_by_reset(r):
    pipe = r.pipeline()
    pipe.watch("k")
    pipe.multi()
    pipe.set("k", "v")
    pipe.reset()
    assert r.get("k") is None
    assert r.pipeline().incr("n").execute() == [1]


def test_an_error_inside_names_its_command(r):
    r.set("text", "x")
    with pytest.raises(redis.ResponseError, match=r"Command # 2 \(LPUSH text 1\) of pipeline caused error: .*wrong kind of value"):
        r.pipeline().incr("n").lpush("text", 1).incr("n").execute()
    assert r.get("n") == b"2", "the others have run"
    with pytest.raises(redis.ResponseError):
        r.pipeline().set("n", 9).execute_command("NOSUCH", "x").execute()
    assert r.get("n") == b"2", "what could not be queued stops all"


@pytest.mark.protocols(2)
@pytest.mark.workers(1)
def test_a_transaction_typed_into_redis_cli(server):
    typed = "MULTI\nSET name alex\nINCR hits\nEXEC\nGET name\nMULTI\nSET name eve\nDISCARD\nGET name\n"
    done = subprocess.run(["redis-cli", "-p", str(server.port)], input=typed, capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["OK", "QUEUED", "QUEUED", "OK", "1", "alex", "OK", "QUEUED", "OK", "alex"]


@pytest.mark.protocols(2)
def test_redis_cli_listens(server):
    with Program("redis-cli", "-p", server.port, "SUBSCRIBE", "fm104.5") as listener, redis.Redis(port=server.port) as r:
        wait_until(lambda: r.publish("fm104.5", "hello") == 1)
        listener.wait_line("^hello$")
        assert listener.output().split()[:6] == ["subscribe", "fm104.5", "1", "message", "fm104.5", "hello"]


# ---- Waiting ----


def test_a_queue_of_work(dial):
    """Producers push, consumers wait: each job is done once, and one by one in order for a single producer."""
    def consumer(_):
        r, done = dial(), []
        while True:
            _, job = r.brpop("jobs", timeout=10)
            if job == b"stop":
                return done
            done.append(job)

    def produce_all():
        def producer(number):
            r = dial()
            for n in range(100):
                r.lpush("jobs", f"{number}:{n}")
        in_threads(2, producer)
        dial().lpush("jobs", "stop", "stop", "stop")
    producers = threading.Thread(target=produce_all)
    producers.start()
    done = in_threads(3, consumer)
    producers.join()
    assert sorted(job for jobs in done for job in jobs) == sorted(b"%d:%d" % (p, n) for p in range(2) for n in range(100))
    for jobs in done:
        for p in range(2):
            mine = [int(job.split(b":")[1]) for job in jobs if job.startswith(b"%d:" % p)]
            assert mine == sorted(mine)


def test_priorities_by_the_order_of_keys(r):
    r.rpush("low", "c")
    r.rpush("high", "a", "b")
    assert [r.blpop(["high", "low"], timeout=1)[1] for _ in range(3)] == [b"a", b"b", b"c"]
    assert r.blpop(["high", "low"], timeout=0.01) is None


def test_a_reliable_queue(dial):
    """BRPOPLPUSH into a list of what is in work, LREM when it is done; what a dead worker left is put back."""
    r = dial()
    r.lpush("jobs", *range(20))
    for _ in range(5):
        r.brpoplpush("jobs", "working", timeout=1)  # a worker that dies with five jobs
    while r.rpoplpush("working", "jobs"):
        pass

    def worker(_):
        mine, done = dial(), []
        while (job := mine.blmove("jobs", "working", timeout=0.3, src="RIGHT", dest="LEFT")) is not None:
            done.append(int(job))
            assert mine.lrem("working", 1, job) == 1
        return done
    done = in_threads(3, worker)
    assert sorted(job for jobs in done for job in jobs) == list(range(20))
    assert r.exists("jobs", "working") == 0


def test_who_waits_longest_is_served_first(dial):
    order, threads = [], []
    r = dial()
    for number in range(4):
        def wait(number=number, mine=dial()):
            order.append((number, mine.blpop("bell", timeout=20)[1]))
        threads.append(threading.Thread(target=wait))
        threads[-1].start()
        wait_until(lambda: int(r.info("clients")["blocked_clients"]) == number + 1)
    r.rpush("bell", *"abcd")
    for thread in threads:
        thread.join()
    assert sorted(order) == [(0, b"a"), (1, b"b"), (2, b"c"), (3, b"d")]


@pytest.mark.protocols(2)
def test_asyncio_queue(server):
    async def session():
        async with aredis.Redis(port=server.port) as r:
            async def consumer():
                done = []
                while (job := (await r.brpop("jobs", timeout=10))[1]) != b"stop":
                    done.append(int(job))
                return done
            consumers = [asyncio.create_task(consumer()) for _ in range(4)]
            for start in range(0, 200, 40):
                await asyncio.gather(*[r.lpush("jobs", i) for i in range(start, start + 40)])
            await r.lpush("jobs", *["stop"] * 4)
            assert sorted(sum(await asyncio.gather(*consumers), [])) == list(range(200))
    asyncio.run(session())


# ---- Scripts ----


@scripted
def test_hello_world(r):
    assert r.eval("return 'hello world'", 0) == b"hello world"
    assert r.eval("return {KEYS[1], KEYS[2], ARGV[1], ARGV[2]}", 2, "key1", "key2", "first", "second") == \
        [b"key1", b"key2", b"first", b"second"]
    assert r.eval("return redis.call('set', KEYS[1], ARGV[1])", 1, "foo", "bar") == b"OK"
    assert r.eval("return redis.call('get', KEYS[1])", 1, "foo") == b"bar"
    assert r.eval("return {1, 2, 3.3333, 'foo', nil, 'bar'}", 0) == [1, 2, 3, b"foo"]
    assert r.eval("return 10", 0) == 10 and r.eval("return nil", 0) is None


@scripted
def test_register_script(r):
    multiply = r.register_script("""
        local value = redis.call('GET', KEYS[1])
        value = tonumber(value)
        return value * ARGV[1]""")
    r.set("foo", 2)
    assert multiply(keys=["foo"], args=[5]) == 10
    r.set("foo", 10)
    assert multiply(keys=["foo"], args=[5]) == 50


@scripted
def test_scripts_that_the_server_forgot_are_sent_again(r):
    script = r.register_script("return redis.call('INCR', KEYS[1])")
    assert script(keys=["n"]) == 1
    assert r.script_exists(script.sha) == [True]
    assert r.script_flush() is True and r.script_exists(script.sha) == [False]
    with pytest.raises(redis.exceptions.NoScriptError):
        r.evalsha(script.sha, 1, "n")
    assert script(keys=["n"]) == 2
    assert r.script_load(script.script) in (script.sha, script.sha.encode())


@scripted
def test_scripts_in_pipelines(r):
    script = r.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    for transaction in (True, False):
        pipe = r.pipeline(transaction=transaction)
        pipe.set("n", 1)
        script(keys=["n"], args=[5], client=pipe)
        pipe.get("n")
        assert pipe.execute() == [True, 6, b"6"]


@scripted
def test_errors_of_scripts(r):
    r.set("text", "x")
    with pytest.raises(redis.ResponseError, match="value is not an integer or out of range"):
        r.eval("return redis.call('INCR', KEYS[1])", 1, "text")
    with pytest.raises(redis.ResponseError, match="wrong kind of value"):
        r.eval("return redis.call('LPUSH', KEYS[1], 1)", 1, "text")
    assert r.eval("local e = redis.pcall('INCR', KEYS[1]); return e.err ~= nil", 1, "text") == 1
    with pytest.raises(redis.ResponseError, match="My Error"):
        r.eval("return redis.error_reply('My Error')", 0)
    with pytest.raises(redis.ResponseError, match="Error compiling script"):
        r.eval("this is not Lua", 0)


@scripted
def test_a_stock_sold_by_a_script(dial):
    """The script version of the stock: no retries, and still nothing is sold twice."""
    source = """
        local left = tonumber(redis.call('GET', KEYS[1]))
        if left < tonumber(ARGV[1]) then return -1 end
        redis.call('RPUSH', KEYS[2], ARGV[2])
        return redis.call('DECRBY', KEYS[1], ARGV[1])"""
    dial().set("stock", 500)

    def buyer(number):
        sell, bought = dial().register_script(source), 0
        while sell(keys=["stock", "buyers"], args=[1, number]) >= 0:
            bought += 1
        return bought
    bought = in_threads(4, buyer)
    r = dial()
    assert sum(bought) == 500 and r.get("stock") == b"0"
    assert [r.lrange("buyers", 0, -1).count(b"%d" % i) for i in range(4)] == bought


@scripted
def test_a_rate_limit_of_a_tutorial(r):
    limit = r.register_script("""
        local n = redis.call('INCR', KEYS[1])
        if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
        if n > tonumber(ARGV[2]) then return 0 end
        return 1""")
    assert [limit(keys=["ip:1"], args=[60_000, 3]) for _ in range(5)] == [1, 1, 1, 0, 0]
    assert 0 < r.pttl("ip:1") <= 60_000
    r.pexpire("ip:1", 10)
    wait_until(lambda: not r.exists("ip:1"))
    assert limit(keys=["ip:1"], args=[60_000, 3]) == 1


@scripted
def test_a_script_that_tells_others(r):
    """Pub/sub and script triggers together: a script moves what is due and publishes it."""
    move_due = r.register_script("""
        local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 100)
        for _, job in ipairs(due) do
            redis.call('ZREM', KEYS[1], job)
            redis.call('RPUSH', KEYS[2], job)
            redis.call('PUBLISH', 'ready', job)
        end
        return #due""")
    r.zadd("delayed", {"a": 1, "b": 2, "c": 30})
    with r.pubsub(ignore_subscribe_messages=True) as sub:
        sub.subscribe("ready")
        assert sub.get_message(timeout=5) is None
        assert move_due(keys=["delayed", "jobs"], args=[10]) == 2
        assert [sub.get_message(timeout=5)["data"] for _ in range(2)] == [b"a", b"b"]
    assert r.lrange("jobs", 0, -1) == [b"a", b"b"] and r.zcard("delayed") == 1
    assert move_due(keys=["delayed", "jobs"], args=[10]) == 0


@scripted
def test_a_script_wakes_who_waits(dial):
    r, waiter = dial(), dial()
    got = []
    thread = threading.Thread(target=lambda: got.append(waiter.blpop("jobs", timeout=20)))
    thread.start()
    wait_until(lambda: int(r.info("clients")["blocked_clients"]) == 1)
    assert r.eval("redis.call('RPUSH', KEYS[1], 'a', 'b'); return redis.call('LLEN', KEYS[1])", 1, "jobs") == 2
    thread.join()
    assert [tuple(found) for found in got] == [(b"jobs", b"a")]
    assert r.lrange("jobs", 0, -1) == [b"b"]


@scripted
def test_json_and_msgpack_in_scripts(r):
    r.set("user", json.dumps({"name": "ann", "tags": ["a", "b"], "age": 30}))
    assert r.eval("local u = cjson.decode(redis.call('GET', KEYS[1])); return {u.name, u.tags[2], u.age}", 1, "user") == [b"ann", b"b", 30]
    assert json.loads(r.eval("return cjson.encode({1, 2, {x = ARGV[1]}})", 0, "y")) == [1, 2, {"x": "y"}]
    assert r.eval("return cmsgpack.unpack(cmsgpack.pack({1, 'two', {3}}))", 0) == [1, b"two", [3]]


# ---- redis-py of the tutorials' time ----


@pytest.mark.protocols(2)
def test_a_session_with_redis_py_2(server, subject):
    assert OLD_PYTHON.exists(), f"{OLD_PYTHON} is not there: ./dev test makes it (scripts/testing.sh)"
    parts = ["pubsub", "threads", "transactions", "waiting"] + (["scripts", "locks"] if "eval" in subject.commands else [])
    with Program(OLD_PYTHON, Path(__file__).with_name("users_redis2_session.py"), server.port, *parts) as session:
        assert session.finish().splitlines()[-1] == "all well: " + " ".join(parts)
