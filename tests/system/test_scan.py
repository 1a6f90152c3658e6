"""SCAN: its guarantee under growing and shrinking, its options and errors."""
import random
import threading

import pytest

from tests.system.test_keys import fill

SYNTAX = "ERR syntax error"
NOT_INTEGER = "ERR value is not an integer or out of range"
CURSOR = "ERR invalid cursor"


def scan_all(c, *options, between=None):
    """Everything one scan from start to end returns, with repetitions."""
    found, cursor, rounds = [], b"0", 0
    while True:
        cursor, keys = c("SCAN", cursor, *options)
        found += keys
        rounds += 1
        assert rounds < 1_000_000, "the scan does not come to an end"
        if cursor == b"0":
            return found
        if between:
            between(rounds)


def test_scan_of_nothing(c):
    assert c("SCAN", "0") == [b"0", []]


def test_scan_reply_types(wire):
    wire("SET", "k", "v")
    cursor, keys = wire("SCAN", "0")
    assert cursor == b"0" and type(cursor) is bytes
    assert keys == [b"k"]


@pytest.mark.parametrize("count", [None, 1, 2, 10, 100, 10_000, 2**31, 2**63 - 1])
def test_scan_returns_all(c, count):
    keys = 100 if count == 1 else 3000
    fill(c, keys)
    found = scan_all(c, *(["COUNT", count] if count else []))
    assert len(found) == keys  # nothing changes meanwhile, so nothing comes twice
    assert set(found) == {f"key:{i}".encode() for i in range(keys)}


def test_count_is_a_measure_of_work(c):
    fill(c, 5000)
    cursor, keys = c("SCAN", "0", "COUNT", "100")
    assert 50 <= len(keys) <= 400
    assert cursor != b"0"
    cursor, keys = c("SCAN", "0", "COUNT", "100000")
    assert len(keys) == 5000 and cursor == b"0"


def test_match(c):
    fill(c, 2000)
    fill(c, 20, prefix="other:")
    assert sorted(scan_all(c, "MATCH", "other:*")) == sorted(f"other:{i}".encode() for i in range(20))
    assert len(scan_all(c, "match", "key:19?", "count", "500")) == 10
    assert scan_all(c, "MATCH", "nothing") == []
    cursor, _ = c("SCAN", "0", "MATCH", "other:*", "COUNT", "10")
    assert cursor != b"0"  # the cursor goes on though little or nothing was found


def test_type(c):
    fill(c, 300)
    assert len(scan_all(c, "TYPE", "string")) == 300
    assert len(scan_all(c, "type", "STRING", "MATCH", "key:1*", "COUNT", "7")) == 111
    for kind in ("list", "set", "zset", "hash", "stream"):
        assert scan_all(c, "TYPE", kind) == []


def test_unknown_type_finds_nothing(c):
    fill(c, 10)
    assert scan_all(c, "TYPE", "what", "COUNT", "100") == []


@pytest.mark.parametrize("options,error", [
    ("COUNT", SYNTAX), ("MATCH", SYNTAX), ("TYPE", SYNTAX), ("what", SYNTAX), ("what x", SYNTAX), ("COUNT 0", SYNTAX), ("COUNT -1", SYNTAX),
    ("COUNT x", NOT_INTEGER), ("COUNT 1.5", NOT_INTEGER), ("COUNT 9223372036854775808", NOT_INTEGER), ("MATCH a COUNT", SYNTAX), ("COUNT 10 COUNT 0", SYNTAX)])
def test_option_errors(c, options, error):
    assert c.fails("SCAN", "0", *options.split()) == error


@pytest.mark.parametrize("cursor", ["x", "1x", "0x1", "1.0", "1 ", "18446744073709551616"])
def test_cursor_errors(c, cursor):
    assert c.fails("SCAN", cursor) == CURSOR


@pytest.mark.parametrize("cursor", ["+0", "00", "-0", "0" * 200, "+1", "01", "-18446744073709551615", "1\0", "0\0x"])
@pytest.mark.parametrize("scan", [("SCAN",), ("HSCAN", "h"), ("SSCAN", "s"), ("ZSCAN", "z")])
def test_cursors_that_are_spelled_otherwise(c, scan, cursor):
    c.all([("HSET", "h", "1", "1"), ("SADD", "s", "1"), ("ZADD", "z", "1", "1")])
    plain = "1" if "1" in cursor else "0"
    assert c(*scan, cursor) == c(*scan, plain)


@pytest.mark.since("8.2.0")
@pytest.mark.parametrize("cursor", [" 1", "\t\n\v\f\r 1", " +1", " 01", " -18446744073709551615"])
def test_cursors_behind_blanks(c, cursor):
    c("SADD", "s", "1")
    assert c("SSCAN", "s", cursor) == c("SSCAN", "s", "1")
    assert c("SCAN", " -1", "COUNT", "1") == c("SCAN", "18446744073709551615", "COUNT", "1")


@pytest.mark.since("8.2.0")
@pytest.mark.parametrize("cursor", ["-1", "", " ", "+", "-", "--1", "+-1", "- 1", "+ 1", "-18446744073709551616", "-9223372036854775808"])
@pytest.mark.parametrize("scan", [("SCAN",), ("HSCAN", "h"), ("SSCAN", "missing"), ("ZSCAN", "missing")])
def test_no_cursors(c, scan, cursor):
    assert c.fails(*scan, cursor) == CURSOR


@pytest.mark.parametrize("cursor", ["1", "42", "12345678901", "9223372036854775807", "9223372036854775808", "18446744073709551615"])
def test_any_cursor_is_taken(c, cursor):
    """Cursors that never were: no error, no crash, and from there the scan ends."""
    fill(c, 500)
    next_cursor, keys = c("SCAN", cursor)
    rounds = 0
    while next_cursor != b"0":
        next_cursor, _ = c("SCAN", next_cursor, "COUNT", "100")
        rounds += 1
        assert rounds < 10_000


def test_scan_is_of_one_database(c):
    fill(c, 50)
    c("SELECT", "1")
    fill(c, 30, prefix="other:")
    assert len(scan_all(c)) == 30
    c("SELECT", "0")
    assert len(scan_all(c)) == 50


@pytest.mark.parametrize("change", ["grow", "shrink", "churn", "empty others", "grow and shrink"])
def test_guarantee_while_the_table_changes(c, change):
    """Whatever is there from start to end is returned at least once, however the table grows and shrinks between the calls;
    whatever was never there is not returned."""
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    fill(c, 500, prefix="stay:")
    others = set()
    if change != "grow":
        fill(c, 8000, prefix="other:")
        others = {f"other:{i}" for i in range(8000)}
    ever = {f"stay:{i}".encode() for i in range(500)} | {o.encode() for o in others}

    def between(rounds):
        pairs, gone = [], []
        if change == "grow" or (change == "churn") or (change == "grow and shrink" and rounds % 20 < 10):
            added = [f"new:{rounds}:{i}" for i in range(300 if change != "churn" else 50)]
            if len(others) < 40_000:
                others.update(added)
                ever.update(a.encode() for a in added)
                pairs = [x for a in added for x in (a, "v")]
        if change in ("shrink", "churn") or (change == "grow and shrink" and rounds % 20 >= 10):
            gone = rng.sample(sorted(others), min(len(others), 300 if change != "churn" else 50))
        if change == "empty others" and rounds == 1:
            gone = sorted(others)
        others.difference_update(gone)
        if pairs:
            c("MSET", *pairs)
        if gone:
            c("DEL", *gone)
    found = set(scan_all(c, "COUNT", "40", between=between))
    missing = {f"stay:{i}".encode() for i in range(500)} - found
    assert not missing
    assert found <= ever


@pytest.mark.protocols(2)
@pytest.mark.workers(4)
def test_guarantee_with_others_at_work(c, connect, server):
    """The same with writers that do not wait for the scan."""
    fill(c, 1000, prefix="stay:")
    stop, failures = threading.Event(), []

    def write(number):
        try:
            client = server.client()
            rounds = 0
            while not stop.is_set():
                names = [f"w{number}:{rounds % 8}:{i}" for i in range(500)]
                if (rounds // 8) % 2 == 0:
                    client("MSET", *[x for n in names for x in (n, "v")])
                else:
                    client("UNLINK", *names)
                rounds += 1
            client.close()
        except Exception as error:  # handed to the test, which fails with it
            failures.append(error)
    writers = [threading.Thread(target=write, args=(i,)) for i in range(3)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(10):
            found = set(scan_all(c, "COUNT", "100"))
            assert {f"stay:{i}".encode() for i in range(1000)} <= found
            assert all(k.startswith((b"stay:", b"w")) for k in found)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert not failures


@pytest.mark.needs("SSCAN", "HSCAN", "ZSCAN")
@pytest.mark.parametrize("command", ["SSCAN", "HSCAN", "ZSCAN"])
def test_scan_of_a_missing_collection_ends(c, command):
    assert c(command, "missing", "0") == [b"0", []]
    assert c(command, "missing", "17") == [b"0", []]


@pytest.mark.since("8.2.0")
@pytest.mark.parametrize("words", [["NOVALUES"], ["COUNT", "5", "novalues"], ["NOVALUES", "what"]])
def test_novalues_is_for_hashes(c, words):
    assert c.fails("SCAN", "0", *words) == "ERR NOVALUES option can only be used in HSCAN"
    assert c.fails("SCAN", "0", "what", "NOVALUES") == "ERR syntax error"
