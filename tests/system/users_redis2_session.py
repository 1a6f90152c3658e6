"""A session with redis-py 2.10.6, the version that tutorials were written for: runs in .venv-redis2, called by test_users_tutorial.py
with the port and the parts that are to be run. It imports nothing of the tests, whose environment is another.
"""
import sys
import threading

import redis


class RedisHelper(object):
    """As printed in the tutorials."""

    def __init__(self, port):
        self.__conn = redis.Redis(host="127.0.0.1", port=port)
        self.chan_sub = "fm104.5"
        self.chan_pub = "fm104.5"

    def public(self, msg):
        return self.__conn.publish(self.chan_pub, msg)

    def subscribe(self):
        pub = self.__conn.pubsub()
        pub.subscribe(self.chan_sub)
        pub.parse_response()
        return pub


def pubsub(port):
    obj = RedisHelper(port)
    redis_sub = obj.subscribe()
    assert RedisHelper(port).public("hello") == 1
    assert redis_sub.parse_response() == [b"message", b"fm104.5", b"hello"]
    redis_sub.close()
    r = redis.StrictRedis(port=port)
    p = r.pubsub()
    p.subscribe("my-first-channel", "my-second-channel")
    p.psubscribe("my-*")
    heard = p.listen()
    assert [next(heard)["data"] for _ in range(3)] == [1, 2, 3]
    assert r.publish("my-first-channel", "some data") == 2
    assert next(heard) == {"channel": b"my-first-channel", "data": b"some data", "pattern": None, "type": "message"}
    assert next(heard) == {"channel": b"my-first-channel", "data": b"some data", "pattern": b"my-*", "type": "pmessage"}
    p.unsubscribe()
    p.punsubscribe("my-*")
    assert [m["type"] for m in heard] == ["unsubscribe", "unsubscribe", "punsubscribe"]
    assert r.pubsub_numsub("my-first-channel") == [(b"my-first-channel", 0)]
    p.close()


def threads(port):
    r = redis.StrictRedis(port=port)
    seen, done = [], threading.Event()

    def handler(message):
        seen.append(message["data"])
        if len(seen) == 20:
            done.set()
    p = r.pubsub(ignore_subscribe_messages=True)
    p.subscribe(**{"my-channel": handler})
    thread = p.run_in_thread(sleep_time=0.01)
    for i in range(20):
        assert r.publish("my-channel", i) == 1
    assert done.wait(10)
    thread.stop()
    thread.join()
    assert seen == [str(i).encode() for i in range(20)]


def transactions(port):
    r = redis.Redis(port=port)
    pipe = r.pipeline(transaction=True)
    r.set("name", "alex")
    assert pipe.execute() == []
    pipe.multi()
    pipe.set("name", "alex")
    pipe.set("role", "sb")
    assert pipe.execute() == [True, True]
    r.set("count", 1000)
    with r.pipeline() as pipe:
        pipe.watch("count")
        left = int(pipe.get("count"))
        pipe.multi()
        pipe.set("count", left - 1)
        assert pipe.execute() == [True]
    assert r.get("count") == b"999"
    with r.pipeline() as pipe:
        pipe.watch("count")
        r.incr("count")
        pipe.multi()
        pipe.set("count", 0)
        try:
            pipe.execute()
            raise AssertionError("the change of another was not seen")
        except redis.WatchError:
            pass
    assert r.transaction(lambda pipe: (pipe.multi(), pipe.incr("count")), "count") == [1001]


def waiting(port):
    r = redis.Redis(port=port)
    assert r.lpush("li1", "a", "b") == 2
    assert r.blpop(["none", "li1"], timeout=1) == (b"li1", b"b")
    assert r.brpoplpush("li1", "li2", timeout=1) == b"a"
    assert r.brpop("li1", timeout=1) is None
    got = []
    thread = threading.Thread(target=lambda: got.append(redis.Redis(port=port).brpop("li1", timeout=20)))
    thread.start()
    r.lpush("li1", "x")
    thread.join()
    assert got == [(b"li1", b"x")]


def scripts(port):
    r = redis.StrictRedis(port=port)
    multiply = r.register_script("local value = redis.call('GET', KEYS[1]); value = tonumber(value); return value * ARGV[1]")
    r.set("foo", 2)
    assert multiply(keys=["foo"], args=[5]) == 10
    pipe = r.pipeline()
    pipe.set("foo", 5)
    multiply(keys=["foo"], args=[5], client=pipe)
    assert pipe.execute() == [True, 25]
    assert r.script_exists(multiply.sha) == [True]
    assert r.script_flush() is True
    assert multiply(keys=["foo"], args=[3]) == 15
    assert r.eval("return {KEYS[1], ARGV[1]}", 1, "k", "v") == [b"k", b"v"]


def locks(port):
    r = redis.StrictRedis(port=port)
    with r.lock("my-lock", timeout=10) as lock:
        assert r.exists("my-lock")
        assert not r.lock("my-lock", timeout=10).acquire(blocking=False)
        assert lock.extend(5)
        assert 10000 < r.pttl("my-lock") <= 15000
    assert not r.exists("my-lock")
    lock = r.lock("my-lock", timeout=10)
    assert lock.acquire(blocking=False)
    r.set("my-lock", "somebody else")
    try:
        lock.release()
        raise AssertionError("a lock of somebody else was released")
    except redis.exceptions.LockError:
        pass


def main():
    port, parts = int(sys.argv[1]), sys.argv[2:]
    assert redis.__version__ == "2.10.6", redis.__version__
    for part in parts:
        globals()[part](port)
    print("all well: " + " ".join(parts))


if __name__ == "__main__":
    main()
