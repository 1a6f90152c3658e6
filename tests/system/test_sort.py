"""SORT and SORT_RO: order by number, by bytes, by other keys and fields; LIMIT, GET, STORE; what is refused."""
import os
import random
import threading

import pytest

pytestmark = pytest.mark.needs("SORT", "SORT_RO", "RPUSH", "SADD", "ZADD", "HSET")


def b(*items):
    return [str(item).encode() for item in items]


@pytest.fixture
def data(c):
    c("RPUSH", "l", 3, 1, 2, 10)
    c("SADD", "s", "c", "a", "b")
    c("SADD", "numbers", 30, 4, 12)
    c("ZADD", "z", 3, "a", 1, "b", 2, "c")
    c("MSET", "w_3", 1, "w_1", 3, "w_2", 2, "w_10", "x", "o_1", "one", "o_2", "two")
    for i, weight in ((1, 9), (2, 8), (3, 7)):
        c("HSET", f"h_{i}", "f", weight, "g", f"G{i}")
    return c


@pytest.mark.parametrize("command", ["SORT", "SORT_RO"])
def test_by_number_and_by_bytes(data, command):
    c = data
    assert c(command, "l") == c(command, "l", "asc") == b(1, 2, 3, 10)
    assert c(command, "l", "DESC") == b(10, 3, 2, 1)
    assert c(command, "l", "ALPHA") == b(1, 10, 2, 3)
    assert c(command, "l", "ALPHA", "DESC") == b(3, 2, 10, 1)
    assert c(command, "l", "DESC", "ASC") == b(1, 2, 3, 10)
    assert c(command, "s", "ALPHA") == c(command, "z", "ALPHA") == b("a", "b", "c")
    assert c(command, "numbers") == b(4, 12, 30)
    assert c(command, "none") == []


def test_equal_numbers_come_in_the_order_of_their_bytes(c):
    c("RPUSH", "l", "5", "5.0", "05", "+5")
    assert c("SORT", "l") == b("+5", "05", "5", "5.0")
    assert c("SORT", "l", "DESC") == b("5.0", "5", "05", "+5")


def test_limit(data):
    c = data
    assert c("SORT", "l", "LIMIT", 1, 2) == b(2, 3)
    assert c("SORT", "l", "LIMIT", -1, 2) == b(1, 2)
    assert c("SORT", "l", "LIMIT", 10, 2) == c("SORT", "l", "LIMIT", 0, 0) == []
    assert c("SORT", "l", "LIMIT", 0, -1) == c("SORT", "l", "LIMIT", 0, -2**63) == b(1, 2, 3, 10)
    assert c("SORT", "l", "LIMIT", 1, 2**63 - 1) == b(2, 3, 10)
    assert c("SORT", "l", "LIMIT", 2**63 - 1, 2**63 - 1) == []
    assert c("SORT", "l", "LIMIT", -2**63, 2**63 - 1) == b(1, 2, 3, 10)
    assert c("SORT", "l", "LIMIT", 0, 1, "LIMIT", 2, 1) == b(3)


def test_by_other_keys_and_fields(data):
    c = data
    c("SET", "w_10", "0.5")
    assert c("SORT", "l", "BY", "w_*") == b(10, 3, 2, 1)
    assert c("SORT", "l", "BY", "w_*", "ALPHA", "DESC") == b(1, 2, 3, 10)
    # Elements without a weight count as 0, with ALPHA as before all others.
    assert c("SORT", "l", "BY", "h_*->f") == b(10, 3, 2, 1)
    assert c("SORT", "l", "BY", "h_*->f", "ALPHA") == b(10, 3, 2, 1)
    # An arrow with nothing behind it belongs to the name; a key of another type is none.
    assert c("SORT", "l", "BY", "h_*->") == c("SORT", "l", "BY", "h_*") == b(1, 10, 2, 3)


def test_get(data):
    c = data
    assert c("SORT", "l", "BY", "h_*->f", "GET", "#", "GET", "h_*->g", "GET", "o_*") == [
        b"10", None, None, b"3", b"G3", None, b"2", b"G2", b"two", b"1", b"G1", b"one"]
    assert c("SORT", "l", "GET", "nostar") == [None] * 4
    assert c("SORT", "l", "GET", "h_*") == c("SORT", "l", "GET", "o_*->f") == c("SORT", "l", "GET", "h_*->f->g") == [None] * 4
    assert c("SORT", "l", "LIMIT", 0, 1, "GET", "w_*", "GET", "w_*") == b(3, 3)
    c("SET", "7", "seven")
    c("RPUSH", "sevens", 7)
    assert c("SORT", "sevens", "GET", "*") == b("seven")


def test_by_a_constant_leaves_the_order(data):
    c = data
    assert c("SORT", "l", "BY", "nosort") == b(3, 1, 2, 10)
    assert c("SORT", "l", "BY", "nosort", "DESC") == b(10, 2, 1, 3)
    assert c("SORT", "l", "BY", "nosort", "LIMIT", 1, 2) == b(1, 2)
    assert c("SORT", "l", "BY", "nosort", "DESC", "LIMIT", 0, 2) == b(10, 2)
    assert c("SORT", "l", "BY", "nosort", "BY", "h_*->f") == b(3, 1, 2, 10)
    assert c("SORT", "z", "BY", "nosort") == b("b", "c", "a")
    assert c("SORT", "z", "BY", "nosort", "DESC") == b("a", "c", "b")
    assert c("SORT", "z", "BY", "nosort", "LIMIT", 1, 1) == b("c")
    assert c("SORT", "z", "BY", "nosort", "DESC", "LIMIT", 0, 2) == b("a", "c")
    assert c("SORT", "z", "BY", "nosort", "LIMIT", 5, 2) == []
    assert c("SORT", "z", "BY", "nosort", "LIMIT", -5, 2) == b("b", "c")
    assert sorted(c("SORT", "s", "BY", "nosort")) == b("a", "b", "c")
    assert c("SORT", "numbers", "BY", "nosort", "DESC", "LIMIT", 0, 2) == b(4, 12)


def test_store(data):
    c = data
    assert c("SORT", "l", "STORE", "d") == 4
    assert c("LRANGE", "d", 0, -1) == b(1, 2, 3, 10) and c("TYPE", "d") in (b"list", "list")
    c("EXPIRE", "d", 100)
    assert c("SORT", "l", "LIMIT", 0, 2, "STORE", "x", "STORE", "d") == 2
    assert c("LRANGE", "d", 0, -1) == b(1, 2) and c("TTL", "d") == -1 and c("EXISTS", "x") == 0
    assert c("SORT", "l", "BY", "h_*->f", "GET", "h_*->g", "GET", "#", "STORE", "d") == 8
    assert c("LRANGE", "d", 0, -1) == b("", 10, "G3", 3, "G2", 2, "G1", 1)
    assert c("SORT", "l", "STORE", "w_1") == 4 and c("LRANGE", "w_1", 0, -1) == b(1, 2, 3, 10)
    assert c("SORT", "l", "DESC", "STORE", "l") == 4 and c("LRANGE", "l", 0, -1) == b(10, 3, 2, 1)
    assert c("SORT", "none", "STORE", "d") == 0 and c("EXISTS", "d") == 0
    assert c("SORT", "none", "STORE", "d") == 0
    assert c("SORT", "l", "LIMIT", 9, 9, "STORE", "l") == 0 and c("EXISTS", "l") == 0


@pytest.mark.tarn_only
def test_a_destination_whose_name_is_store(data):
    """Not where the key specs take another word for the destination: its gate would not be held."""
    c = data
    assert c("SORT", "l", "STORE", "store") == 4 and c("LRANGE", "store", 0, -1) == b(1, 2, 3, 10)
    assert c("SORT", "l", "STORE", "d", "STORE", "Store") == 4 and c("EXISTS", "Store", "d") == 1
    for more in (["ASC"], ["LIMIT", 0, 2], ["STORE", "store", "DESC"]):
        assert c.fails("SORT", "l", "STORE", "store", *more) == "ERR syntax error"
    assert c("SORT", "l", "BY", "nosort", "STORE", "store", "ASC") == 4 and c("LRANGE", "store", 0, -1) == b(3, 1, 2, 10)


def test_what_is_stored_of_a_set_does_not_depend_on_its_form(data):
    c = data
    assert c("SORT", "s", "BY", "nosort", "STORE", "d") == 3 and c("LRANGE", "d", 0, -1) == b("a", "b", "c")
    assert c("SORT", "s", "BY", "nosort", "DESC", "STORE", "d") == 3 and c("LRANGE", "d", 0, -1) == b("c", "b", "a")
    assert c("SORT", "numbers", "BY", "nosort", "STORE", "d") == 3 and c("LRANGE", "d", 0, -1) == b(12, 30, 4)


def test_what_is_refused(data):
    c = data
    assert c.fails("SORT", "l", "BY", "w_*") == "ERR One or more scores can't be converted into double"
    assert c.fails("SORT", "s") == "ERR One or more scores can't be converted into double"
    assert c.fails("SORT", "h_1") == c.fails("SORT", "o_1") \
        == "WRONGTYPE Operation against a key holding the wrong kind of value"
    for wrong in (["h_1", "FOO"], ["l", "STORE"], ["l", "BY"], ["l", "GET"], ["l", "LIMIT", 1], ["l", "LIMIT"]):
        assert c.fails("SORT", *wrong) == "ERR syntax error"
    assert c.fails("SORT_RO", "l", "STORE", "d") == "ERR syntax error"
    assert c.fails("SORT", "l", "LIMIT", "x", 2) == c.fails("SORT", "l", "LIMIT", 1, "y") \
        == "ERR value is not an integer or out of range"
    assert c.fails("SORT") == "ERR wrong number of arguments for 'sort' command"
    # A failed SORT leaves what it was to store to.
    c("SET", "d", "v")
    assert c.fails("SORT", "s", "STORE", "d").startswith("ERR One or more") and c("GET", "d") == b"v"


def check_number(c, text, fits):
    c("RPUSH", "l", "7", text)
    if fits:
        assert sorted(c("SORT", "l")) == sorted(b("7", text))
    else:
        assert c.fails("SORT", "l") == "ERR One or more scores can't be converted into double"


@pytest.mark.parametrize("text, fits", [
    ("", True), ("inf", True), ("-Infinity", True), ("+5", True), (".5", True), ("5.", True), ("1e5", True), ("00012", True),
    ("3 ", False), ("1e", False), ("nan", False), ("1_0", False), ("--1", False), ("-", False), (".", False), ("a", False)])
def test_what_is_a_number(c, text, fits):
    check_number(c, text, fits)


@pytest.mark.tarn_only  # as Redis 8 does it
@pytest.mark.parametrize("text, fits", [(" 3", False), ("0x10", False), ("1e400", True), ("1e-400", True), ("1\0x", True)])
def test_what_is_a_number_since_redis_8(c, text, fits):
    check_number(c, text, fits)


def test_where_its_keys_are(c):
    assert c("COMMAND", "GETKEYS", "SORT", "l", "BY", "w_*", "GET", "x", "STORE", "d") == b("l", "d")
    assert c("COMMAND", "GETKEYS", "SORT", "l", "STORE", "d", "STORE", "e") == b("l", "e")
    assert c("COMMAND", "GETKEYS", "SORT", "l") == c("COMMAND", "GETKEYS", "SORT_RO", "l", "STORE", "d") == b("l")


def test_in_a_transaction(data):
    c = data
    c("MULTI")
    c("SORT", "l", "BY", "h_*->f", "GET", "h_*->g", "STORE", "d")
    c("SORT", "l", "BY", "nosort", "LIMIT", 0, 1)
    assert c("EXEC") == [4, b(3)]
    c("WATCH", "d")
    c("SORT", "l", "STORE", "d")
    c("MULTI")
    c("PING")
    assert c("EXEC") is None


@pytest.mark.needs("PSUBSCRIBE")
@pytest.mark.protocols(2)
def test_events(server, c, settings):
    settings(notify_keyspace_events="KEA")
    c("RPUSH", "l", 2, 1)
    with server.wire() as listener:
        listener("PSUBSCRIBE", "__keyevent@0__:*")

        def events(*command):
            c(*command)
            c("SET", "end", 1)
            seen = []
            while True:
                _, _, channel, key = listener.read()
                if bytes(key) == b"end":
                    return [event for event in seen if event[0] != "new"]
                seen.append((bytes(channel).split(b":")[1].decode(), bytes(key).decode()))
        assert events("SORT", "l", "STORE", "d") == [("sortstore", "d")]
        assert events("SORT", "l", "STORE", "d") == [("sortstore", "d")]
        assert events("SORT", "none", "STORE", "d") == [("del", "d")]
        assert events("SORT", "none", "STORE", "d") == events("SORT", "l") == []
        assert events("SORT", "l", "STORE", "l") == [("sortstore", "l")]


def test_many_elements(c):
    seed = int(os.environ.get("TARN_TEST_SEED", random.randrange(2**32)))
    print("seed", seed)
    rng = random.Random(seed)
    numbers = [rng.randrange(-10**6, 10**6) for _ in range(20000)]
    for at in range(0, len(numbers), 1000):
        c("RPUSH", "l", *numbers[at:at + 1000])
    # redis-server compares equal numbers by their bytes, which are equal here.
    assert c("SORT", "l") == b(*sorted(numbers))
    assert c("SORT", "l", "DESC", "LIMIT", 500, 20) == b(*sorted(numbers, reverse=True)[500:520])
    assert c("SORT", "l", "ALPHA", "LIMIT", 100, 50) == sorted(b(*numbers))[100:150]
    assert c("SORT", "l", "BY", "nosort", "LIMIT", 10000, 10) == b(*numbers[10000:10010])
    assert c("SORT", "l", "BY", "nosort", "DESC", "LIMIT", 19990, 100) == b(*numbers[:10][::-1])
    assert c("SORT", "l", "STORE", "d") == 20000 and c("LRANGE", "d", 0, -1) == b(*sorted(numbers))


@pytest.mark.tarn_only
@pytest.mark.workers(4)
@pytest.mark.protocols(2)
def test_beside_others_that_change_what_it_reads(server, connect):
    """SORT … BY … GET … STORE reaches keys that it does not name, while other workers change them."""
    clients = [connect() for _ in range(4)]
    clients[0].all([("RPUSH", "l", i) for i in range(50)])
    failures = []

    def work(c, number):
        rng = random.Random(number)
        try:
            for _ in range(300):
                i = rng.randrange(50)
                if number % 2:
                    c.all([("SET", f"w_{i}", rng.randrange(100)), ("HSET", f"h_{i}", "f", "x" * rng.randrange(200)),
                           ("DEL", f"w_{rng.randrange(50)}"), ("DEL", f"h_{rng.randrange(50)}")])
                else:
                    reply = c("SORT", "l", "BY", "w_*", "GET", "#", "GET", "h_*->f")
                    assert sorted(int(x) for x in reply[::2]) == list(range(50))
                    assert c("SORT", "l", "BY", "w_*", "STORE", f"d{number}") == 50
        except Exception as error:
            failures.append(error)
    threads = [threading.Thread(target=work, args=(c, i)) for i, c in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
