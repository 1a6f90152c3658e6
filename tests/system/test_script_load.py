"""Scripts, functions and transactions of many clients at once, with invariants that hold only if each of them is one.

Scripts come with their keys declared, undeclared, and such that which keys they touch follows from what they read; they read before
they write and the other way round. Beside them goes what needs everything: SORT BY, walks, FLUSHDB, large transactions. The clients
are processes (test_concurrency.Crew), the load is bounded by counts, and the server looks at itself afterwards (DEBUG CHECK).

With the reference there is one worker; what is proven there is that the tests are right.
"""
import collections

import pytest

from tests.system.harness import wait_until
from tests.system.rawsock import Error, Raw, dial, encode  # noqa: F401
from tests.system.test_concurrency import Crew, crew, many, seed  # noqa: F401

pytestmark = [pytest.mark.needs("EVAL"), pytest.mark.workers(4)]


def call(c, *words):
    """A command that must not fail."""
    reply = c.cmd(*words)
    assert not isinstance(reply, Error), (words, reply)
    return reply


def source(text, declared):
    """The script as it is with its keys declared, or with their names among the arguments, in front."""
    return text if declared else "local KEYS = ARGV\n" + text


def run(c, text, declared, keys, *args):
    """EVAL of a script that takes its keys as KEYS and its arguments from ARGV behind as many places as there are keys."""
    return call(c, "EVAL", source(text, declared), *((len(keys), *keys, *keys) if declared else (0, *keys)), *args)


# Queues

PUSH = """redis.call('RPUSH', KEYS[1], ARGV[2])
return redis.call('HINCRBY', 'pushed', ARGV[2], 1)"""
PUSH_DECLARED = """redis.call('HINCRBY', KEYS[2], ARGV[3], 1)
return redis.call('RPUSH', KEYS[1], ARGV[3])"""
# Takes one element and keeps the order in which they were taken; says how many there have been.
TAKE = """local got = redis.call('LPOP', KEYS[1])
if got then
  redis.call('RPUSH', KEYS[2], got)
  redis.call('HINCRBY', KEYS[3], got, 1)
end
return {got, redis.call('LLEN', KEYS[2])}"""


def produce(c, rng, me, count, declared):
    for n in range(count):
        if declared:
            run(c, PUSH_DECLARED, True, ["queue", "pushed"], f"{me}:{n}")
        else:
            run(c, PUSH, False, ["queue"], f"{me}:{n}")  # its second key it does not name at all


def take_all(c, rng, total, declared):
    taken = []
    while True:
        got, done = run(c, TAKE, declared, ["queue", "order", "seen"])
        if got:
            taken.append(got)
        if done == total:
            return taken


def in_order(elements):
    """Whether of each producer they come in the order in which it made them."""
    last = collections.defaultdict(lambda: -1)
    for element in elements:
        me, n = element.split(b":")
        if int(n) <= last[me]:
            return False
        last[me] = int(n)
    return True


@pytest.mark.parametrize("consumers", ["declared", "undeclared"])
@pytest.mark.parametrize("producers", ["declared", "undeclared"])
def test_a_queue_gives_each_element_once_and_in_order(crew, dial, producers, consumers):
    count, total = 1000, 4000
    for me in range(4):
        crew.add(produce, me, count, producers == "declared")
    for _ in range(4):
        crew.add(take_all, total, consumers == "declared")
    taken = crew.results()[4:]
    c = dial()
    wanted = {b"%d:%d" % (me, n) for me in range(4) for n in range(count)}
    order = call(c, "LRANGE", "order", 0, -1)
    assert len(order) == total and set(order) == wanted and in_order(order)
    assert sorted(element for elements in taken for element in elements) == sorted(wanted)
    assert all(in_order(elements) for elements in taken)
    for counts in ("pushed", "seen"):
        assert set(call(c, "HVALS", counts)) == {b"1"}
    assert call(c, "EXISTS", "queue") == 0


def wait_for_elements(c, rng, key):
    got = []
    while True:
        element = call(c, "BLPOP", key, 0)[1]
        if element == b"stop":
            return got
        got.append(element)


PUSH_SOME = """for i = 2, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[i]) end
return redis.call('LLEN', KEYS[1])"""


def push_by_scripts(c, rng, me, count, declared):
    n = 0
    while n < count:
        some = min(rng.randrange(1, 6), count - n)
        length = run(c, PUSH_SOME, declared, ["jobs"], *[f"{me}:{n + i}" for i in range(some)])
        assert length >= some, "nobody is served before the script has ended"
        n += some


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
def test_waiters_are_served_by_scripts(crew, server, seed, dial, declared):
    waiters = Crew(server.port, seed + 1)
    for _ in range(6):
        waiters.add(wait_for_elements, "jobs")
    for me in range(4):
        crew.add(push_by_scripts, me, 1500, declared)
    crew.results()
    c = dial()
    for _ in range(6):
        call(c, "RPUSH", "jobs", "stop")
    got = waiters.results()
    assert sorted(element for elements in got for element in elements) == sorted(b"%d:%d" % (me, n) for me in range(4) for n in range(1500))
    assert all(in_order(elements) for elements in got)


def test_what_a_script_takes_back_serves_nobody(dial):
    waiter, c = dial(), dial()
    waiter.send_command("BLPOP", "k", 0)
    wait_until(lambda: b"blocked_clients:1" in call(c, "INFO", "clients"))
    for declared in (True, False):
        assert run(c, "redis.call('RPUSH', KEYS[1], 'x') return redis.call('LPOP', KEYS[1])", declared, ["k"]) == b"x"
    assert b"blocked_clients:1" in call(c, "INFO", "clients")
    assert run(c, "redis.call('RPUSH', KEYS[1], 'a') redis.call('RPUSH', KEYS[1], 'b') return redis.call('LPOP', KEYS[1])", True, ["k"]) == b"a"
    assert waiter.read() == [b"k", b"b"]


# Money

ACCOUNTS, START = 12, 1000
NAMES = [f"account:{i}" for i in range(ACCOUNTS)]
TRANSFER = """local amount = tonumber(ARGV[3])
if tonumber(redis.call('GET', KEYS[1])) < amount then return 0 end
redis.call('DECRBY', KEYS[1], amount)
redis.call('INCRBY', KEYS[2], amount)
return 1"""
# Where the money goes is written in the account's partner, which others change: no caller could declare it.
TRANSFER_TO_PARTNER = """local from = ARGV[1]
redis.call('DECRBY', from, ARGV[2])
local to = redis.call('GET', 'partner:' .. from)
redis.call('INCRBY', to, ARGV[2])
redis.call('SET', 'partner:' .. from, ARGV[3])
return to"""
SUM = """local sum = 0
for _, key in ipairs(KEYS) do sum = sum + redis.call('GET', key) end
return sum"""
LIBRARY = """#!lua name=bank
redis.register_function('transfer', function(keys, args)
  redis.call('DECRBY', keys[1], args[1])
  redis.call('INCRBY', keys[2], args[1])
  return 1
end)
redis.register_function{function_name='sum', callback=function(keys, args)
  local sum = 0
  for _, key in ipairs(redis.call('KEYS', 'account:*')) do sum = sum + redis.call('GET', key) end
  return sum
end, flags={'no-writes'}}"""


def transfer(c, rng, way, count):
    for _ in range(count):
        a, b = rng.sample(NAMES, 2)
        amount = rng.randrange(1, 50)
        if way == "transaction":
            replies = many(c, [("MULTI",), ("DECRBY", a, amount), ("INCRBY", b, amount), ("EXEC",)])
            assert len(replies[-1]) == 2
        elif way == "script in a transaction":
            assert many(c, [("MULTI",), ("EVAL", TRANSFER, 2, a, b, "", "", amount), ("EXEC",)])[-1][0] in (0, 1)
        elif way == "function":
            assert call(c, "FCALL", "transfer", 2, a, b, amount) == 1
        elif way == "partner":
            assert call(c, "EVAL", TRANSFER_TO_PARTNER, 0, a, amount, b).decode() in NAMES
        else:
            assert run(c, TRANSFER, way == "declared", [a, b], amount) in (0, 1)


def look_at_the_sum(c, rng, stop, ways, counted):
    looks = 0
    while not stop.is_set() or looks < 5:
        way = rng.choice(ways)
        if way == "MGET":
            total = sum(map(int, call(c, "MGET", *NAMES)))
        elif way == "transaction":
            total = sum(map(int, many(c, [("MULTI",), *[("GET", name) for name in NAMES], ("EXEC",)])[-1]))
        elif way == "function":
            total = call(c, "FCALL_RO", "sum", 0)
        elif way == "sort":
            total = sum(map(int, call(c, "SORT", "numbers", "BY", "nosort", "GET", "account:*")))
        else:
            total = run(c, SUM, way == "declared", NAMES)
        assert total == counted, (way, total)
        looks += 1
    return looks


WAYS = ["declared", "undeclared", "partner", "transaction", "script in a transaction", "function"]


@pytest.fixture
def bank(dial):
    c = dial()
    call(c, "FUNCTION", "LOAD", "REPLACE", LIBRARY)
    call(c, "MSET", *[word for i, name in enumerate(NAMES) for word in (name, START, f"partner:{name}", NAMES[i - 1])])
    call(c, "RPUSH", "numbers", *range(ACCOUNTS))
    yield c
    call(c, "FUNCTION", "FLUSH")


@pytest.mark.parametrize("ways", [WAYS, WAYS[:1], WAYS[1:3]], ids=["all ways", "declared", "undeclared"])
def test_transfers_keep_their_sum(crew, bank, ways):
    for i in range(6):
        crew.add(transfer, ways[i % len(ways)], 800)
    for _ in range(2):
        crew.storm(look_at_the_sum, ["MGET", "declared", "undeclared", "transaction", "function", "sort"], ACCOUNTS * START)
    crew.results()
    assert sum(map(int, call(bank, "MGET", *NAMES))) == ACCOUNTS * START


# Counters

def count_with_watch(c, rng, keys, count):
    done = dict.fromkeys(keys, 0)
    for _ in range(count):
        key = rng.choice(keys)
        while True:
            _, value = many(c, [("WATCH", key), ("GET", key)])
            if many(c, [("MULTI",), ("SET", key, int(value or 0) + 1), ("EXEC",)])[-1] is not None:
                break
        done[key] += 1
    return done


ADD_ONE = "return redis.call('SET', KEYS[1], (redis.call('GET', KEYS[1]) or 0) + 1)"


def count_by_scripts(c, rng, keys, count, declared):
    done = dict.fromkeys(keys, 0)
    for _ in range(count):
        key = rng.choice(keys)
        run(c, ADD_ONE, declared, [key])
        done[key] += 1
    return done


def test_counters_with_watch_and_by_scripts_lose_no_increment(crew, dial):
    keys = ["n1", "n2", "n3"]
    for _ in range(3):
        crew.add(count_with_watch, keys, 300)
    for declared in (True, True, False, False):
        crew.add(count_by_scripts, keys, 800, declared)
    results = crew.results()
    c = dial()
    for key in keys:
        assert int(call(c, "GET", key)) == sum(done[key] for done in results)


# Crossing

PLACES = 10
# What lies in two places changes sides: a before b, or b before a, as the caller has it.
EXCHANGE = """local a = redis.call('GET', KEYS[1])
local b = redis.call('GET', KEYS[2])
redis.call('SET', KEYS[1], b)
redis.call('SET', KEYS[2], a)
return 1"""
WRITES_FIRST = """local a = redis.call('GETSET', KEYS[1], 'in hand')
local b = redis.call('GETSET', KEYS[2], a)
redis.call('SET', KEYS[1], b)
return 1"""
# Follows what it reads: the value of each place is the number of the next.
FOLLOWS = """local at, last = KEYS[1], nil
redis.call('INCR', 'walks')
for i = 1, 3 do
  last, at = at, 'place:' .. redis.call('GET', at)
end
local a, b = redis.call('GET', last), redis.call('GET', at)
redis.call('MSET', last, b, at, a)
return 1"""


def exchange(c, rng, text, declared, count):
    for _ in range(count):
        a, b = rng.sample(range(PLACES), 2)
        assert run(c, text, declared, [f"place:{a}", f"place:{b}"]) == 1


def cross(c, rng, text, there, back, count):
    """Two such clients with the names the other way round meet on the same two keys all the time."""
    for _ in range(count):
        assert run(c, text, False, [f"place:{there}", f"place:{back}"]) == 1


def all_there(values):
    return sorted(map(int, values)) == list(range(PLACES))


def walk_and_sort(c, rng, stop):
    """What goes beside: reads of everything, walks, sorts by other keys, large transactions, other databases emptied."""
    done = 0
    while not stop.is_set() or done < 5:
        done += 1
        assert all_there(call(c, "SORT", "numbers", "BY", "place:*", "GET", "place:*"))
        call(c, "SORT", "numbers", "BY", "place:*", "STORE", "sorted")
        assert all_there(call(c, "MGET", *[f"place:{i}" for i in range(PLACES)]))
        assert all_there(many(c, [("MULTI",), ("SORT", "numbers", "BY", "nosort", "GET", "place:*"), ("DBSIZE",), ("EXEC",)])[-1][0])
        cursor, seen = b"0", set()
        while True:
            cursor, keys = call(c, "SCAN", cursor, "COUNT", rng.choice((1, 10, 100)))
            seen.update(keys)
            if cursor == b"0":
                break
        assert {b"place:%d" % i for i in range(PLACES)} <= seen
        many(c, [("SELECT", 9), ("SET", "x", done), ("FLUSHDB",), ("SELECT", 0)])
        replies = many(c, [("MULTI",), *[("INCR", f"noise:{i}") for i in range(200)], ("EXEC",)])
        assert len(replies[-1]) == 200
        run(c, "return #redis.call('KEYS', '*') + redis.call('DBSIZE')", True, [])
        call(c, "EVAL", "redis.call('SET', 'mine', 1) redis.call('SELECT', 9) return redis.call('FLUSHDB')", 0)


@pytest.fixture
def places(dial):
    c = dial()
    call(c, "MSET", *[word for i in range(PLACES) for word in (f"place:{i}", i)])
    call(c, "RPUSH", "numbers", *range(PLACES))
    return c


@pytest.mark.parametrize("text", [EXCHANGE, WRITES_FIRST, FOLLOWS], ids=["reads first", "writes first", "follows what it reads"])
def test_scripts_that_cross_each_other(crew, places, text):
    for there, back in ((1, 2), (2, 1), (1, 2), (2, 1)):
        crew.add(cross, text, there, back, 1000)
    crew.storm(walk_and_sort)
    crew.results()
    assert all_there(call(places, "MGET", *[f"place:{i}" for i in range(PLACES)]))


def test_scripts_of_every_kind_on_the_same_keys(crew, places):
    for text in (EXCHANGE, WRITES_FIRST, FOLLOWS):
        for declared in (True, False):
            crew.add(exchange, text, declared, 600)
    crew.storm(walk_and_sort)
    crew.results()
    assert all_there(call(places, "MGET", *[f"place:{i}" for i in range(PLACES)]))


def write_group(c, rng, declared, count):
    for n in range(count):
        run(c, "for i = 1, 6 do redis.call('SET', KEYS[i], ARGV[7]) end return 1", declared, GROUP, n)


def read_group(c, rng, count):
    seen = 0
    for _ in range(count):
        values = call(c, "MGET", *GROUP)
        assert len(set(values)) == 1, values
        seen += values[0] is not None
    return seen


def empty(c, rng, count):
    for i in range(count):
        call(c, *rng.choice((("FLUSHALL",), ("FLUSHDB",), ("FLUSHDB", "ASYNC"), ("EVAL", "redis.call('SET', 'mine', 1) return redis.call('FLUSHALL')", 0),
                             ("EVAL", "return redis.call('DEL', unpack(ARGV))", 0, *GROUP))))


GROUP = [f"member:{i}" for i in range(6)]


def test_emptying_takes_what_a_script_wrote_or_nothing_of_it(crew):
    for declared in (True, False, True, False):
        crew.add(write_group, declared, 800)
    for _ in range(2):
        crew.add(read_group, 1500)
    crew.add(empty, 300)
    crew.results()


# Long scripts

ENDLESS = "redis.call('GET', KEYS[1]) while true do end"
IN_PCALL = "redis.call('GET', KEYS[1]) while true do pcall(function() while true do end end) end"
CALLING = "while true do redis.call('GET', KEYS[1]) end"
PCALLING = "while true do redis.pcall('GET', KEYS[1]) end"
SLOW_WRITER = """redis.call('SET', KEYS[1], 'half')
local x = 0
for i = 1, tonumber(ARGV[1]) do x = x + i % 7 end
return redis.call('SET', KEYS[1], 'whole')"""
UNKILLABLE = (b"UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination"
              b" or kill the server in a hard way using the SHUTDOWN NOSAVE command.")
BUSY = b"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."


def is_busy(reply):
    return isinstance(reply, Error) and reply.startswith(b"BUSY")


def kill_script(c):
    """Asks until there is one that has run for long enough to be killed."""
    wait_until(lambda: c.cmd("SCRIPT", "KILL") == b"OK")


@pytest.fixture
def held(dial, settings):
    """A key, and the threshold so low that BUSY comes at once. What a failed test has left running is ended."""
    settings(busy_reply_threshold=20)
    c = dial()
    call(c, "SET", "held", "v")
    yield "held"
    wait_until(lambda: c.cmd("SCRIPT", "KILL").startswith(b"NOTBUSY"))


@pytest.mark.workers(1, 4)
@pytest.mark.parametrize("text", [ENDLESS, IN_PCALL, CALLING, PCALLING], ids=["loop", "pcall in a loop", "calls", "pcalls"])
def test_script_kill_gets_in(dial, held, text):
    runner, c = dial(), dial()
    for _ in range(3):
        runner.send_command("EVAL", text, 1, held)
        kill_script(c)
        reply = runner.read()
        assert isinstance(reply, Error) and b"Script killed by user with SCRIPT KILL" in reply
        assert call(c, "GET", held) == b"v" and call(runner, "SET", held, "v") == b"OK"
        assert c.cmd("SCRIPT", "KILL").startswith(b"NOTBUSY")


@pytest.mark.workers(1, 4)
@pytest.mark.parametrize("text", [ENDLESS, CALLING], ids=["loop", "calls"])
def test_a_long_script_s_keys_are_busy_and_others_are_served(dial, held, reference, text):
    runner, clients = dial(), [dial() for _ in range(8)]
    others = [f"other:{i}" for i in range(16)]
    call(clients[0], "MSET", *[word for key in others for word in (key, "o")])
    runner.send_command("EVAL", text, 1, held)
    wait_until(lambda: is_busy(clients[0].cmd("GET", held)))
    for client in clients:
        assert client.cmd("GET", held) == BUSY and client.cmd("SET", held, "x") == BUSY and client.cmd("MGET", "other:1", held) == BUSY
    if not reference:
        for client in clients:
            replies = [client.cmd("GET", key) for key in others]
            # One in a thousand lies beside the script's key, under the same lock.
            assert sum(reply == b"o" for reply in replies) >= 14 and all(reply == b"o" or is_busy(reply) for reply in replies)
            assert sum(client.cmd("SET", key, "o") == b"OK" for key in others) >= 14
        assert call(clients[0], "INFO", "server") and call(clients[1], "CONFIG", "GET", "threads")
    kill_script(clients[3])
    assert isinstance(runner.read(), Error)
    assert call(clients[4], "GET", held) == b"v"


@pytest.mark.workers(1, 4)
@pytest.mark.parametrize("command", [
    ("GET", "held"), ("EVAL", "return redis.call('GET', ARGV[1])", 0, "held"), ("EVAL", "redis.call('SET', 'mine', 1) return redis.call('GET', ARGV[1])", 0, "held"),
    ("FLUSHALL",), ("SORT", "numbers", "BY", "held*"), ("EVAL", "return redis.call('DBSIZE')", 0), ("KEYS", "*"), ("SWAPDB", 0, 1), ("CONFIG", "SET", "hz", 11), ("DBSIZE",), ("RANDOMKEY",)],
    ids=lambda command: " ".join(map(str, command[:2])))
def test_nobody_waits_for_ever(dial, held, command):
    """Whatever needs what a long script holds: it is answered with BUSY, or when the script has ended."""
    runner, c, killer = dial(), dial(), dial()
    call(c, "RPUSH", "numbers", 3, 1, 2)
    runner.send_command("EVAL", ENDLESS, 1, held)
    wait_until(lambda: is_busy(killer.cmd("GET", held)))
    c.send_command(*command)
    kill_script(killer)
    assert isinstance(runner.read(), Error)
    reply = c.read()
    assert is_busy(reply) or not isinstance(reply, Error), reply
    assert killer.cmd("PING") == b"PONG"


@pytest.mark.workers(1, 4)
def test_a_script_that_has_written_is_not_killed(dial, held):
    runner, c = dial(), dial()
    for rounds in (20_000_000, 200_000_000, 2_000_000_000):  # the first of them that is long enough on this machine
        runner.send_command("EVAL", SLOW_WRITER, 1, held, rounds)
        replies = set()
        while UNKILLABLE not in replies and c.cmd("GET", held) != b"whole":
            replies.add(bytes(c.cmd("SCRIPT", "KILL")))
        assert runner.read() == b"OK"
        assert call(c, "GET", held) == b"whole"
        assert b"OK" not in replies
        if UNKILLABLE in replies:
            return
    raise AssertionError("never UNKILLABLE")


@pytest.mark.tarn_only
def test_long_scripts_run_side_by_side(dial, held):
    """One on each worker but one, each holding a key: the rest is served, and one SCRIPT KILL ends them all."""
    c = dial()
    names = [f"long:{i}" for i in range(8)]
    call(c, "MSET", *[word for name in names for word in (name, "v")])
    runners = [dial() for _ in range(3)]
    for runner, name in zip(runners, names):
        runner.send_command("EVAL", ENDLESS, 1, name)
    for name in names[:3]:
        wait_until(lambda: is_busy(c.cmd("GET", name)))
    assert sum(c.cmd("GET", name) == b"v" for name in names[3:]) >= 4
    kill_script(c)
    for runner in runners:
        # Scripts of the same worker take turns: one may have begun only when the others had been killed.
        wait_until(lambda: c.cmd("SCRIPT", "KILL") == b"OK" or not any(is_busy(c.cmd("GET", name)) for name in names[:3]))
        assert isinstance(runner.read(), Error)


def run_long_and_short(c, rng, stop, me):
    """Scripts of some milliseconds, half of them on keys that they do not name."""
    rounds = 0
    while not stop.is_set() or rounds < 2:
        rounds += 1
        key = f"place:{rng.randrange(PLACES)}"
        reply = c.cmd("EVAL", "local x = 0 for i = 1, 300000 do x = x + i end return redis.call('GET', ARGV[1])", *((1, key, key) if rng.random() < 0.5 else (0, key)))
        assert is_busy(reply) or int(reply) in range(PLACES)


def test_short_scripts_cross_beside_long_ones(crew, places):
    """With scripts that are long enough to be suspended all the time."""
    for there, back in ((1, 2), (2, 1)):
        crew.add(cross, WRITES_FIRST, there, back, 200)
    crew.add(exchange, EXCHANGE, True, 200)
    for me in range(2):
        crew.storm(run_long_and_short, me)
    crew.results()
    assert all_there(call(places, "MGET", *[f"place:{i}" for i in range(PLACES)]))
