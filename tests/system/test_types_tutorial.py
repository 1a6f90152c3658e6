"""Part a.3 of what widely read tutorials teach: hashes, lists, sets, sorted sets and keys through redis-py, each call with the output
that its reader is shown.

Twice: with today's redis-py, and, where a call has changed since (positional ZADD, LREM's old order, StrictRedis), with
redis-py 2.10.6, which lives in .venv-redis2 and is spoken to through redis2_driver.py. Where a tutorial's own figure is
wrong, the value is what redis-server answers.
"""
import pickle
import subprocess
from pathlib import Path

import pytest
import redis

from tests.system.harness import ROOT, wait_until

OLD_PYTHON = ROOT / ".venv-redis2" / "bin" / "python"


@pytest.fixture
def r(server, protocol):
    with redis.Redis(host="127.0.0.1", port=server.port, db=0, protocol=protocol) as client:
        yield client


class Old:
    """A class of redis-py 2.10.6: Old(port).zadd("h1", "n1", 11). Errors come as OldError with the class's name."""

    def __init__(self, port, kind="Redis"):
        assert OLD_PYTHON.exists(), f"{OLD_PYTHON} is not there: ./dev test makes it (scripts/testing.sh)"
        self._kind = kind
        self._process = subprocess.Popen([OLD_PYTHON, Path(__file__).with_name("redis2_driver.py"), str(port)],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __getattr__(self, method):
        def call(*args, **kwargs):
            pickle.dump((self._kind, method, args, kwargs), self._process.stdin)
            self._process.stdin.flush()
            outcome, value = pickle.load(self._process.stdout)
            if outcome == "error":
                raise OldError(*value)
            return value
        return call

    def strict(self):
        """The same connection's StrictRedis, whose arguments come in the commands' order."""
        other = object.__new__(Old)
        other._kind, other._process = "StrictRedis", self._process
        return other

    def end(self):
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


class OldError(Exception):
    pass


@pytest.fixture
def old(server):
    client = Old(server.port)
    yield client
    client.end()


def test_hashes(r):
    assert r.hset("dic", "k1", "v1") == 1
    assert r.hset("dic", "k1", "v1") == 0
    assert r.hsetnx("dic", "k1", "v9") in (0, False) and r.hget("dic", "k1") == b"v1"
    with pytest.warns(DeprecationWarning):
        assert r.hmset("dic", {"k1": "v1", "k2": "v2"}) is True
    assert r.hget("dic", "k2") == b"v2"
    assert r.hmget("dic", "k1", "k2") == r.hmget("dic", ["k1", "k2"]) == [b"v1", b"v2"]
    assert r.hgetall("dic") == {b"k1": b"v1", b"k2": b"v2"}
    assert r.hlen("dic") == 2
    assert r.hkeys("dic") == [b"k1", b"k2"] and r.hvals("dic") == [b"v1", b"v2"]
    assert r.hexists("dic", "k1") is True and r.hexists("dic", "none") is False
    assert r.hdel("dic", "k1") == 1
    assert r.hincrby("dic", "n") == 1 and r.hincrby("dic", "n", 10) == 11
    assert r.hincrbyfloat("dic", "f", 1.0) == 1.0 and r.hincrbyfloat("dic", "f", 0.3) == 1.3


def test_hashes_keep_the_order_in_which_they_were_filled(r):
    for i in range(100):
        r.hset("h", f"field{i}", i)
    assert r.hkeys("h") == [b"field%d" % i for i in range(100)]
    assert r.hvals("h") == [b"%d" % i for i in range(100)]


def test_hash_scans(r):
    r.hset("xx", mapping={f"n{i}": i for i in range(1000)})
    cursor, found = 0, {}
    while True:
        cursor, part = r.hscan("xx", cursor, match="n*", count=7)
        found.update(part)
        if cursor == 0:
            break
    assert found == {b"n%d" % i: b"%d" % i for i in range(1000)}
    assert dict(r.hscan_iter("xx", match="n99*", count=100)) == {b"n%d" % i: b"%d" % i for i in (99, *range(990, 1000))}


def test_a_hash_that_ends(r):
    r.hset("info", "name", "alex")
    assert r.expire("info", 10) is True
    assert r.pexpire("info", 20) is True
    wait_until(lambda: r.hget("info", "name") is None)
    assert r.exists("info") == 0


def test_a_session_of_twenty_minutes(r):
    assert r.exists("SessionID") == 0
    r.hset("SessionID", "is_login", "True")
    assert r.expire("SessionID", 1200) is True and 1190 < r.ttl("SessionID") <= 1200
    assert r.hget("SessionID", "is_login") == b"True"
    assert r.hdel("SessionID", "is_login") == 1 and r.hgetall("SessionID") == {}
    with pytest.raises(redis.DataError):
        r.hset("SessionID", None, None)


def test_lists(r):
    assert r.lpush("li", 11, 22, 33) == 3
    assert r.lindex("li", 0) == b"33"
    assert r.lpush("l2", 2) == 1 and r.lpush("l2", 3, 4, 5) == 4
    assert r.lrange("l2", 0, -1) == [b"5", b"4", b"3", b"2"]
    assert r.rpush("l3", 11, 22, 33) == 3 and r.lrange("l3", 0, -1) == [b"11", b"22", b"33"]
    assert r.lpushx("li", "aa") == 4 and r.rpushx("li", "bb") == 5
    assert r.lpushx("none", "aa") == 0
    assert r.llen("li") == 5 and r.lindex("li", 0) == b"aa"
    assert r.linsert("li", "AFTER", "11", "cc") == 6
    assert r.linsert("li", "BEFORE", "none", "cc") == -1
    assert r.lrange("li", 0, 5) == [b"aa", b"33", b"22", b"11", b"cc", b"bb"]
    assert r.lset("li", 1, "hello") is True
    assert r.lrem("li", 1, "hello") == 1
    with pytest.raises(TypeError):
        r.lrem("li", "hello")
    assert r.lpop("li") == b"aa" and r.rpop("li") == b"bb"
    assert r.ltrim("li", 0, 1) is True and r.lrange("li", 0, -1) == [b"22", b"11"]


def test_lrem_from_either_end(r):
    r.rpush("li", 22, 1, 22, 2, 22)
    assert r.lrem("li", 2, "22") == 2 and r.lrange("li", 0, -1) == [b"1", b"2", b"22"]
    r.delete("li")
    r.rpush("li", 22, 1, 22, 2, 22)
    assert r.lrem("li", -2, "22") == 2 and r.lrange("li", 0, -1) == [b"22", b"1", b"2"]
    r.delete("li")
    r.rpush("li", 22, 1, 22, 2, 22)
    assert r.lrem("li", 0, "22") == 3


def test_rpoplpush(r):
    r.rpush("li1", 3, 2, 1)
    r.rpush("li2", 9)
    assert r.rpoplpush("li1", "li2") == b"1"
    assert r.lrange("li2", 0, -1) == [b"1", b"9"]


def test_a_walk_over_a_list_by_index(r):
    """list_iter of three tutorials: LLEN once, LINDEX for each."""
    r.rpush("l", *range(500))
    assert [int(r.lindex("l", i)) for i in range(r.llen("l"))] == list(range(500))


@pytest.mark.needs("BLPOP", "BRPOP", "BRPOPLPUSH")
def test_lists_that_are_waited_for(r):
    r.rpush("ll", "a", "b", "c")
    assert r.brpop(["none", "ll"], timeout=1) in ((b"ll", b"c"), [b"ll", b"c"])
    assert r.blpop("ll", timeout=0) in ((b"ll", b"a"), [b"ll", b"a"])
    assert r.brpoplpush("ll", "aa", timeout=0) == b"b"
    assert r.blpop(["ll"], timeout=0.05) is None


def test_sets(r):
    assert r.sadd("s1", 1) == 1 and r.sadd("s1", 1) == 0
    assert r.scard("s1") == 1 and r.smembers("s1") == {b"1"}
    assert r.sismember("s1", 1) == 1 and r.sismember("s1", 2) == 0
    assert r.sadd("s1", 2, 3) == 2
    assert r.smove("s1", "s2", "3") in (True, 1) and r.smembers("s2") == {b"3"}
    assert r.spop("s2") == b"3" and r.exists("s2") == 0
    assert r.srandmember("s1") in (b"1", b"2")
    assert sorted(r.srandmember("s1", number=2)) == [b"1", b"2"]
    assert r.srem("s1", "1", "2") == 2


def test_sets_together(r):
    r.sadd("a", "aa", "bb")
    r.sadd("b", "bb", "cc")
    r.sadd("c", "bb", "dd")
    assert r.sdiff("a", "b", "c") == {b"aa"}
    assert r.sinter("a", "b", "c") == {b"bb"}
    assert r.sunion("a", "b", "c") == {b"aa", b"bb", b"cc", b"dd"}
    assert r.sdiffstore("d", "a", "b") == 1 and r.smembers("d") == {b"aa"}
    assert r.sinterstore("d", "a", "b") == 1 and r.smembers("d") == {b"bb"}
    assert r.sunionstore("d", "a", "b") == 3


def test_set_scans(r):
    r.sadd("s", *range(700), *(f"m{i}" for i in range(300)))
    assert set(r.sscan_iter("s", count=50)) == {b"%d" % i for i in range(700)} | {b"m%d" % i for i in range(300)}
    cursor, part = r.sscan("none")
    assert cursor == 0 and list(part) == []


def test_sorted_sets(r):
    assert r.zadd("h1", {"n1": 11, "n2": 22}) == 2
    assert r.zcard("h1") == 2 and r.zcount("h1", 10, 30) == 2
    assert r.zscore("h1", "n1") == 11.0
    assert r.zrank("h1", "n1") == 0 and r.zrank("h1", "n2") == 1 and r.zrevrank("h1", "n1") == 1
    assert r.zincrby("h1", 10, "n1") == 21.0
    pair = [tuple(item) for item in r.zrange("h1", 1, 2, desc=True, withscores=True, score_cast_func=float)]
    assert pair == [(b"n1", 21.0)]
    assert [tuple(item) for item in r.zrange("h1", 1, 2, withscores=True)] == [(b"n2", 22.0)]
    assert r.zrevrange("h1", 0, -1) == [b"n2", b"n1"]
    assert r.zrangebyscore("h1", 0, 30, start=1, num=1) == [b"n2"]
    assert [tuple(item) for item in r.zrevrangebyscore("h1", 30, 0, withscores=True)] == [(b"n2", 22.0), (b"n1", 21.0)]
    assert r.zrem("h1", "n2") == 1
    with pytest.raises((redis.DataError, AttributeError)):
        r.zadd("h1", "n1", 11)
    with pytest.raises(redis.ResponseError, match="value is not a valid float"):
        r.zincrby("h1", "n1", 10)


def test_sorted_sets_by_their_letters(r):
    r.execute_command("ZADD", "myzset", 0, "aa", 0, "ba", 0, "ca", 0, "da", 0, "ea", 0, "fa", 0, "ga")
    assert r.zrangebylex("myzset", "-", "[ca") == [b"aa", b"ba", b"ca"]
    assert r.zrevrangebylex("myzset", "[ca", "-") == [b"ca", b"ba", b"aa"]
    assert r.zlexcount("myzset", "-", "[ca") == 3
    assert r.zremrangebylex("myzset", "-", "(ca") == 2


def test_removing_ranges_of_sorted_sets(r):
    r.zadd("h1", {"n1": 11, "n2": 22})
    assert r.zremrangebyrank("h1", 1, 2) == 1 and r.zrange("h1", 0, -1) == [b"n1"]
    r.zadd("h1", {"n1": 11, "n2": 12, "n3": 30})
    assert r.zremrangebyscore("h1", 10, 20) == 2 and r.zrange("h1", 0, -1) == [b"n3"]


def test_sorted_sets_together(r):
    r.zadd("zset_name", {"a1": 6, "a2": 2})
    r.zadd("zset_name1", {"a1": 7, "b1": 10})
    assert r.zinterstore("zset_name2", ("zset_name1", "zset_name"), aggregate="MAX") == 1
    cursor, found = r.zscan("zset_name2")
    assert cursor == 0 and [tuple(item) for item in found] == [(b"a1", 7.0)]
    assert r.zunionstore("u", ("zset_name", "zset_name1"), aggregate="SUM") == 3 and r.zscore("u", "a1") == 13.0
    assert r.zunionstore("u", ("zset_name", "zset_name1"), aggregate="MIN") == 3 and r.zscore("u", "a1") == 6.0
    assert [tuple(item) for item in r.zscan_iter("u", match="a*", score_cast_func=int)] == [(b"a2", 2), (b"a1", 6)]


def test_a_leaderboard(r):
    r.zadd("user_scores", {f"user{i:02}": (i * 37) % 101 for i in range(50)})
    want = sorted(((i * 37) % 101, f"user{i:02}".encode()) for i in range(50))
    top = r.execute_command("ZRANGE", "user_scores", 0, 10, "WITHSCORES")
    flat = top if not isinstance(top[0], list) else [part for item in top for part in item]
    assert [(float(score), member) for member, score in zip(flat[::2], flat[1::2])] == [(float(s), m) for s, m in want[:11]]


def test_keys_of_all_types(r):
    r.rpush("ll", 1)
    r.hset("hh", "f", 1)
    r.sadd("ss", 1)
    r.zadd("zz", {"m": 1})
    r.set("kk", 1)
    assert [r.type(k) for k in ("ll", "hh", "ss", "zz", "kk")] == [b"list", b"hash", b"set", b"zset", b"string"]
    assert r.rename("ll", "moved") is True and r.lrange("moved", 0, -1) == [b"1"]
    assert r.move("hh", 1) in (True, 1) and r.exists("hh") == 0
    assert r.randomkey() in (b"moved", b"ss", b"zz", b"kk")
    assert sorted(r.scan_iter(count=1)) == [b"kk", b"moved", b"ss", b"zz"]
    assert r.delete("moved", "ss", "zz", "kk") == 4
    assert r.randomkey() is None


# ---- redis-py 2.10.6 ----


def test_old_strings(old):
    assert old.set("foo", "bar") is True and old.get("foo") == b"bar"
    assert old.setex("k", "v", 100) is True  # name, value, time
    assert 90 < old.ttl("k") <= 100
    assert old.strict().setex("k2", 100, "v") is True and 90 < old.ttl("k2") <= 100
    assert old.mset(k1="v1", k2="v2") is True and old.mset({"k3": "v3"}) is True
    assert old.mget("k1", "k2") == [b"v1", b"v2"]
    assert old.exists("k1") is True and old.exists("none") is False
    with pytest.raises(OldError):
        old.incr("k1")


def test_old_hashes(old):
    assert old.hset("dic", "k1", "v1") == 1 and old.hset("dic", "k1", "v1") == 0
    assert old.hmset("dic", {"k2": "v2"}) is True
    assert old.hgetall("dic") == {b"k1": b"v1", b"k2": b"v2"}
    assert old.hset("SessionID", None, None) == 1 and old.hgetall("SessionID") == {b"None": b"None"}
    assert old.hincrby("dic", "n", 10) == 10 and old.hincrbyfloat("dic", "f", 1.3) == 1.3
    assert old.hscan("dic", 0, match="k*") == (0, {b"k1": b"v1", b"k2": b"v2"})
    assert dict(old.hscan_iter("dic", match="k*")) == {b"k1": b"v1", b"k2": b"v2"}


def test_old_lists(old):
    assert old.rpush("li", "hello", 22, 11, 22) == 4
    assert old.lrem("li", "hello") == 1  # name, value, num=0
    assert old.lrem("li", "22", num=2) == 2
    assert old.strict().lrem("li", 0, "11") == 1 and old.exists("li") is False
    assert old.lpush("li1", 1, 2) == 2 and old.rpoplpush("li1", "li2") == b"1"
    assert old.lpop("li1") == b"2" and old.llen("li1") == 0


def test_old_sets(old):
    assert old.sadd("s1", 1) == 1 and old.sadd("s1", 1) == 0
    assert old.sismember("s1", 1) is True and old.sismember("s1", 2) is False
    assert old.smembers("s1") == {b"1"}
    assert old.smove("s1", "s2", "1") is True
    assert old.srandmember("s2", number=2) == [b"1"] and old.spop("s2") == b"1"
    old.sadd("a", 1, 2, 3)
    old.sadd("b", 3, 4)
    assert old.sinter("a", "b") == {b"3"} and old.sunionstore("u", "a", "b") == 4
    assert set(old.sscan_iter("u")) == {b"1", b"2", b"3", b"4"}


def test_old_sorted_sets(old):
    assert old.zadd("h1", "n1", 11, "n2", 22) == 2
    assert old.zadd("h2", n1=11, n2=22) == 2
    assert old.strict().zadd("h3", 11, "n1", 22, "n2") == 2 and old.zrange("h3", 0, -1) == [b"n1", b"n2"]
    assert old.zcard("h1") == 2 and old.zcount("h1", 10, 30) == 2
    assert old.zincrby("h1", "n1", 10) == 21.0  # name, value, amount
    assert old.strict().zincrby("h1", "n1", 1) == 22.0 and old.zincrby("h1", "n1", -1) == 21.0
    assert old.zrange("h1", 1, 2, desc=True, withscores=True, score_cast_func=float) == [(b"n1", 21.0)]
    assert old.zrange("h1", 1, 2, withscores=True) == [(b"n2", 22.0)]
    assert old.zscore("h2", "n1") == 11.0 and old.zrank("h1", "n2") == 1
    assert old.zrem("h1", "n2") == 1
    assert old.zrem("h2", "n1", "n2") == 2
    old.zadd("h4", "n1", 11, "n2", 22)
    assert old.zremrangebyrank("h4", 1, 2) == 1
    old.zadd("zset_name", "a1", 6)
    old.zadd("zset_name1", "a1", 7, "b1", 10)
    assert old.zinterstore("zset_name2", ("zset_name1", "zset_name"), aggregate="MAX") == 1
    assert old.zscan("zset_name2") == (0, [(b"a1", 7.0)])


def test_old_keys(old):
    old.set("k", "v")
    assert old.type("k") == b"string" and old.rename("k", "kk") is True
    assert old.expire("kk", 100) is True and old.ttl("none") is None
    assert old.strict().ttl("none") == -2
    assert old.keys("k*") == [b"kk"] and old.randomkey() == b"kk"
    assert old.move("kk", 1) is True and old.delete("kk") == 0
    assert old.info()["redis_version"] and old.ping() is True
    assert old.dbsize() == 0
