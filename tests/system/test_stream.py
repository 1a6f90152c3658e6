"""Streams: XADD XLEN XRANGE XREVRANGE XDEL XTRIM XREAD XSETID XINFO STREAM, and XDELEX, with every option, error and limit. Their
consumer groups are in test_stream_groups.py."""
import random

import pytest

SYNTAX = "ERR syntax error"
NOT_INTEGER = "ERR value is not an integer or out of range"
WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
BAD_ID = "ERR Invalid stream ID specified as stream command argument"
TOO_SMALL = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
EXHAUSTED = "ERR The stream has exhausted the last possible ID, unable to add more items"
TWO_STRATEGIES = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
LIMIT_ALONE = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
LIMIT_EXACT = "ERR syntax error, LIMIT cannot be used without the special ~ option"
LAST = "18446744073709551615-18446744073709551615"


def add(c, key, *ids):
    for i in ids:
        c("XADD", key, i, "f", f"v{i}")


def ids(entries):
    return [entry[0].decode() for entry in entries]


def all_ids(c, key):
    return ids(c("XRANGE", key, "-", "+"))


def read(reply):
    """{key: entries} of XREAD's reply in either protocol."""
    pairs = reply.items() if isinstance(reply, dict) else reply or []
    return {key.decode(): entries for key, entries in pairs}


def info(c, key, *more):
    reply = c.pairs(c("XINFO", "STREAM", key, *more))
    return {name.decode(): value for name, value in reply.items()}


# Arity.

@pytest.mark.parametrize("command", ["XADD s", "XADD s *", "XADD s * f", "XLEN", "XLEN s t", "XRANGE s", "XRANGE s -", "XREVRANGE s +", "XDEL s",
                                     "XTRIM s", "XTRIM s MAXLEN", "XREAD", "XREAD STREAMS s", "XSETID s"])
def test_arity(c, command):
    name, *args = command.split()
    assert c.fails(name, *args) == f"ERR wrong number of arguments for '{name.lower()}' command"


# XADD: IDs.

def test_explicit_ids(c):
    assert c("XADD", "s", "1-1", "f", "v") == b"1-1"
    assert c("XADD", "s", "1-2", "f", "v") == b"1-2"
    assert c("XADD", "s", "5", "f", "v") == b"5-0"
    for taken in ("5-0", "5", "4-99", "0-1", "1-2"):
        assert c.fails("XADD", "s", taken, "f", "v") == TOO_SMALL
    assert all_ids(c, "s") == ["1-1", "1-2", "5-0"]
    assert c.fails("XADD", "s", "0-0", "f", "v") == "ERR The ID specified in XADD must be greater than 0-0"
    assert c.fails("XADD", "none", "0", "f", "v") == "ERR The ID specified in XADD must be greater than 0-0"
    assert c("EXISTS", "none") == 0


def test_partial_ids(c):
    assert c("XADD", "s", "0-*", "f", "v") == b"0-1"
    assert c("XADD", "s", "0-*", "f", "v") == b"0-2"
    assert c("XADD", "s", "7-*", "f", "v") == b"7-0"
    assert c("XADD", "s", "7-*", "f", "v") == b"7-1"
    assert c.fails("XADD", "s", "6-*", "f", "v") == TOO_SMALL
    c("XADD", "s", "8-18446744073709551615", "f", "v")
    assert c.fails("XADD", "s", "8-*", "f", "v").startswith("ERR")
    assert c("XADD", "s", "9-*", "f", "v") == b"9-0"


def test_ids_by_the_clock(c):
    before = int(c("TIME")[0]) * 1000
    first = c("XADD", "s", "*", "f", "v").decode()
    ms, seq = map(int, first.split("-"))
    assert before <= ms <= before + 60_000
    assert seq == 0
    for _ in range(50):
        c("XADD", "s", "*", "f", "v")
    found = [tuple(map(int, i.split("-"))) for i in all_ids(c, "s")]
    assert found == sorted(set(found))
    # The clock is behind the last ID.
    c("XADD", "s", "99999999999999-7", "f", "v")
    assert c("XADD", "s", "*", "f", "v") == b"99999999999999-8"


def test_the_last_id(c):
    assert c("XADD", "s", LAST, "f", "v") == LAST.encode()
    for i in ("*", "18446744073709551615-*", LAST, "1-1"):
        assert c.fails("XADD", "s", i, "f", "v") == EXHAUSTED
    assert c("XREAD", "STREAMS", "s", LAST) is None
    assert ids(c("XREVRANGE", "s", "+", "-")) == [LAST]


@pytest.mark.parametrize("text, becomes", [(" 1", "1-0"), ("+1-+5", "1-5"), ("01-002", "1-2"), ("1-  6", "1-6"), ("1-7\0abc", "1-7"),
                                           ("1-" + "0" * 124 + "8", "1-8")])
def test_ids_that_strtoull_reads(c, text, becomes):
    assert c("XADD", "s", text, "f", "v").decode() == becomes


@pytest.mark.parametrize("text", ["", "-", "+", "$", ">", "x", "1-", "-1", "1-x", "1-2-3", "1--5", "1.0", "18446744073709551616", "**", "*-1", "1-*x",
                                  "1 -1", "(1", "1-" + "0" * 126, "1-" + "1" * 30])
def test_bad_ids(c, text):
    assert c.fails("XADD", "s", text, "f", "v") == BAD_ID
    assert c("EXISTS", "s") == 0
    add(c, "s", "1-1")
    assert c.fails("XDEL", "s", text) == BAD_ID
    assert c.fails("XSETID", "s", text) == BAD_ID
    assert c.fails("XTRIM", "s", "MINID", text) == BAD_ID


# XADD: options.

def test_nomkstream(c):
    assert c("XADD", "s", "NOMKSTREAM", "*", "f", "v") is None
    assert c("EXISTS", "s") == 0
    add(c, "s", "1-1")
    assert c("XADD", "s", "NOMKSTREAM", "1-2", "f", "v") == b"1-2"
    assert c("XADD", "s", "NOMKSTREAM", "MAXLEN", "1", "NOMKSTREAM", "1-3", "f", "v") == b"1-3"
    assert all_ids(c, "s") == ["1-3"]
    # Behind the ID it is a field.
    assert c("XADD", "s", "1-4", "NOMKSTREAM", "MAXLEN") == b"1-4"


def test_add_with_trimming(c):
    for i in range(1, 21):
        c("XADD", "s", "MAXLEN", "=" if i % 2 else "~", "5", f"{i}-0", "f", "v")
        assert c("XLEN", "s") == min(i, 5) if i % 2 else True
    c("XADD", "s", "MAXLEN", "5", "21", "f", "v")
    assert all_ids(c, "s") == [f"{i}-0" for i in range(17, 22)]
    c("XADD", "s", "MINID", "20", "22", "f", "v")
    assert all_ids(c, "s") == ["20-0", "21-0", "22-0"]
    assert c("XADD", "s", "MAXLEN", "0", "23", "f", "v") == b"23-0"
    assert c("XLEN", "s") == 0
    assert c("EXISTS", "s") == 1
    assert c.fails("XADD", "s", "23", "f", "v") == TOO_SMALL


@pytest.mark.parametrize("args, error", [
    ("MAXLEN = -5 * f v", "ERR The MAXLEN argument must be >= 0."),
    ("MAXLEN x * f v", NOT_INTEGER), ("MAXLEN * f v", NOT_INTEGER), ("MAXLEN ~ ~ 3 * f v", NOT_INTEGER), ("MAXLEN = = 3 * f v", NOT_INTEGER),
    ("MINID x * f v", BAD_ID), ("MINID - * f v", BAD_ID), ("MINID (5 * f v", BAD_ID),
    ("MAXLEN 5 LIMIT 5 * f v", LIMIT_EXACT), ("MAXLEN = 5 LIMIT 5 * f v", LIMIT_EXACT), ("MAXLEN = 5 LIMIT 0 * f v", LIMIT_EXACT),
    ("LIMIT 5 * f v", LIMIT_ALONE), ("LIMIT 0 * f v", LIMIT_EXACT),
    ("MAXLEN ~ 5 LIMIT -1 * f v", "ERR The LIMIT argument must be >= 0."), ("MAXLEN ~ 5 LIMIT x * f v", NOT_INTEGER),
    ("MAXLEN 5 MINID 5 * f v", TWO_STRATEGIES), ("MINID 5 MAXLEN 5 * f v", TWO_STRATEGIES), ("MAXLEN 5 MAXLEN 5 * f v", TWO_STRATEGIES),
    ("MAXLEN 5 * f", "ERR wrong number of arguments for 'xadd' command"), ("* f v g", "ERR wrong number of arguments for 'xadd' command"),
    ("0-0 f v g", "ERR wrong number of arguments for 'xadd' command"), ("x f v g", BAD_ID),
])
def test_wrong_options(c, args, error):
    assert c.fails("XADD", "s", *args.split()) == error
    # Before the look at the key.
    c("SET", "text", "x")
    assert c.fails("XADD", "text", *args.split()) == error
    assert c("EXISTS", "s") == 0


def test_options_in_any_order(c):
    add(c, "s", *range(1, 10))
    assert c("XADD", "s", "LIMIT", "3", "NOMKSTREAM", "maxlen", "~", "2", "10", "f", "v") == b"10-0"
    assert c("XADD", "s", "nomkstream", "minid", "~", "2", "limit", "0", "11", "f", "v") == b"11-0"
    assert c("XLEN", "s") == 11


# What entries hold.

@pytest.mark.parametrize("fields", [["f", "v"], ["a", "1", "b", "-70000"], ["", ""], ["same", "1", "same", "2"], ["x" * 100, "y" * 5000],
                                    ["n", "9223372036854775807", "m", "-9223372036854775808"], ["01", "+1", "1.5", "-0"],
                                    ["\0\r\n", "\xff"], [str(i) for i in range(400)]])
def test_fields_and_values_come_back(c, fields):
    c("XADD", "s", "1", "other", "field")
    for i in range(2, 6):
        c("XADD", "s", i, *fields)
    c("XADD", "s", "6", *fields[:-1], "other value")
    wanted = [item.encode() for item in fields]
    entries = c("XRANGE", "s", "-", "+")
    assert [entry[1] for entry in entries[1:5]] == [wanted] * 4
    assert entries[5][1] == wanted[:-1] + [b"other value"]
    assert c("XREVRANGE", "s", "+", "-") == entries[::-1]


def test_a_large_entry(c):
    value = random.Random(1).randbytes(3 << 20)
    for i in range(1, 4):
        c("XADD", "s", i, "f", value, "g", "small")
    assert [entry[1] for entry in c("XRANGE", "s", "-", "+")] == [[b"f", value, b"g", b"small"]] * 3
    assert c("XDEL", "s", "2") == 1
    assert all_ids(c, "s") == ["1-0", "3-0"]


@pytest.mark.protocols(2)
@pytest.mark.workers(4)
def test_a_value_of_300_mb(c):
    value = b"x" * (300 << 20)
    c("XADD", "s", "1", "f", value)
    c("XADD", "s", "2", "f", "small")
    assert [len(entry[1][1]) for entry in c("XRANGE", "s", "-", "+")] == [len(value), 5]
    assert c("XDEL", "s", "1") == 1


# XRANGE, XREVRANGE, XLEN.

def test_ranges(c):
    add(c, "s", "1-1", "1-2", "2", "3", "4-5")
    for first, last, wanted in [("-", "+", ["1-1", "1-2", "2-0", "3-0", "4-5"]), ("1", "2", ["1-1", "1-2", "2-0"]), ("1-2", "2", ["1-2", "2-0"]),
                                ("(1-1", "3", ["1-2", "2-0", "3-0"]), ("(1-1", "(3-0", ["1-2", "2-0"]), ("1", "(3", ["1-1", "1-2", "2-0", "3-0"]),
                                ("(1", "(1-2", ["1-1"]), ("5", "+", []), ("-", "0", []), ("3", "2", []), ("+", "-", []), ("-", "(0", []),
                                ("(18446744073709551615", "+", []), ("0-0", LAST, ["1-1", "1-2", "2-0", "3-0", "4-5"])]:
        assert ids(c("XRANGE", "s", first, last)) == wanted, (first, last)
        assert ids(c("XREVRANGE", "s", last, first)) == wanted[::-1], (first, last)
        for count in (1, 2, 100, 2**63 - 1):
            assert ids(c("XRANGE", "s", first, last, "COUNT", count)) == wanted[:count]
            assert ids(c("XREVRANGE", "s", last, first, "count", count)) == wanted[::-1][:count]
    assert c("XLEN", "s") == 5


def test_range_counts(c):
    add(c, "s", "1", "2")
    assert c("XRANGE", "s", "-", "+", "COUNT", "0") is None
    assert c("XREVRANGE", "s", "+", "-", "COUNT", "-7") is None
    assert ids(c("XRANGE", "s", "-", "+", "COUNT", "1", "COUNT", "2")) == ["1-0", "2-0"]
    assert c("XRANGE", "missing", "-", "+", "COUNT", "0") == []
    assert c("XRANGE", "missing", "-", "+") == c("XREVRANGE", "missing", "+", "-") == []
    assert c("XLEN", "missing") == 0


def test_range_errors(c):
    c("SET", "text", "x")
    for key in ("text", "missing"):
        for name in ("XRANGE", "XREVRANGE"):
            for bad in ("x", "(-", "(+", "$", "*", "(", "1-*", ""):
                assert c.fails(name, key, bad, "5") == BAD_ID
                assert c.fails(name, key, "5", bad) == BAD_ID
            assert c.fails(name, key, "-", "+", "COUNT", "x") == NOT_INTEGER
            assert c.fails(name, key, "-", "+", "COUNT", "9223372036854775808") == NOT_INTEGER
            assert c.fails(name, key, "-", "+", "COUNT") == SYNTAX
            assert c.fails(name, key, "-", "+", "LIMIT", "1") == SYNTAX
    assert c.fails("XRANGE", "missing", f"({LAST}", "+") == "ERR invalid start ID for the interval"
    assert c.fails("XRANGE", "missing", "-", "(0-0") == "ERR invalid end ID for the interval"
    for command in ("XRANGE text - +", "XREVRANGE text + -", "XLEN text", "XADD text * f v", "XDEL text 1", "XDEL text x", "XTRIM text MAXLEN 1",
                    "XSETID text 1", "XREAD STREAMS text 0", "XREAD STREAMS text x", "XREAD STREAMS text >", "XINFO STREAM text", "XINFO GROUPS text"):
        assert c.fails(*command.split()) == WRONGTYPE


# XDEL.

def test_delete(c):
    add(c, "s", *range(1, 6))
    assert c("XDEL", "s", "2", "2", "9", "4-0", "4-1") == 2
    assert all_ids(c, "s") == ["1-0", "3-0", "5-0"]
    assert ids(c("XREVRANGE", "s", "+", "-")) == ["5-0", "3-0", "1-0"]
    assert c("XDEL", "s", "2") == 0
    assert c("XDEL", "missing", "x") == 0
    assert c.fails("XDEL", "s", "1", "x") == BAD_ID
    assert c("XLEN", "s") == 3
    assert c("XDEL", "s", "1", "3", "5") == 3
    assert c("EXISTS", "s") == 1
    assert c("TYPE", "s") == b"stream"
    assert c.fails("XADD", "s", "5", "f", "v") == TOO_SMALL
    state = info(c, "s")
    assert (state["length"], state["entries-added"]) == (0, 5)
    assert (state["recorded-first-entry-id"], state["max-deleted-entry-id"], state["last-generated-id"]) == (b"0-0", b"5-0", b"5-0")
    assert state["first-entry"] is None and state["last-entry"] is None


# XDELEX (8.2).

@pytest.mark.tarn_only
def test_delete_with_references(c):
    add(c, "s", *range(1, 9))
    c("XGROUP", "CREATE", "s", "g", "0")
    c("XGROUP", "CREATE", "s", "h", "0")
    c("XREADGROUP", "GROUP", "g", "c", "COUNT", "6", "STREAMS", "s", ">")
    c("XREADGROUP", "GROUP", "h", "c", "COUNT", "4", "STREAMS", "s", ">")
    c("XACK", "s", "g", "1", "2")
    c("XACK", "s", "h", "1")
    # 1: read and acknowledged by both; 2: pending with h; 5: h has not come to it; 7: neither has.
    assert c("XDELEX", "s", "ACKED", "IDS", "4", "1", "2", "5", "7") == [1, 2, 2, 2]
    # An ID that a group has not come to need not exist; nor need one that is still pending.
    assert c("XDELEX", "s", "ACKED", "IDS", "2", "1", "99") == [-1, 2]
    assert c("XDELEX", "s", "DELREF", "IDS", "1", "99") == [-1]
    assert c("XDELEX", "s", "IDS", "1", "2") == [1]
    assert c("XDELEX", "s", "ACKED", "IDS", "1", "2") == [2]
    assert c("XPENDING", "s", "h")[0] == 3
    assert c("XDELEX", "s", "KEEPREF", "IDS", "1", "3") == [1]
    assert c("XPENDING", "s", "h")[0] == 3
    assert c("XDELEX", "s", "delref", "ids", "2", "4", "4") == [1, -1]
    assert (c("XPENDING", "s", "g")[0], c("XPENDING", "s", "h")[0]) == (3, 2)
    assert all_ids(c, "s") == ["5-0", "6-0", "7-0", "8-0"]
    assert info(c, "s")["max-deleted-entry-id"] == b"4-0"
    assert c("XDELEX", "missing", "IDS", "2", "1", "2") == [-1, -1]
    c("DEL", "s")
    add(c, "s", "1", "2", "3")
    assert c("XDELEX", "s", "ACKED", "IDS", "1", "1") == [1]
    # Of several lists the last one counts.
    assert c("XDELEX", "s", "IDS", "1", "2", "KEEPREF", "IDS", "2", "3", "4") == [1, -1]
    assert all_ids(c, "s") == ["2-0"]


@pytest.mark.tarn_only
@pytest.mark.parametrize("args, error", [
    ("s IDS 1", None), ("s FOO IDS 1 1", SYNTAX), ("s KEEPREF ACKED IDS 1 1", SYNTAX), ("s ACKED 1 1", SYNTAX),
    ("s IDS 0 1", "ERR Number of IDs must be a positive integer"), ("s IDS x 1", "ERR Number of IDs must be a positive integer"),
    ("s IDS 2 1", "ERR The `numids` parameter must match the number of arguments"),
    ("s IDS 1 1 2", "ERR syntax error"), ("s IDS 3 1 2", "ERR The `numids` parameter must match the number of arguments"), ("s IDS 1 x", BAD_ID), ("text IDS 1 1", WRONGTYPE)])
def test_wrong_xdelex(c, args, error):
    c("SET", "text", "x")
    add(c, "s", "1")
    assert c.fails("XDELEX", *args.split()) == (error or "ERR wrong number of arguments for 'xdelex' command")
    assert c("XLEN", "s") == 1


# XTRIM.

def test_trim(c):
    add(c, "s", *range(1, 11))
    assert c("XTRIM", "s", "MAXLEN", "20") == 0
    assert c("XTRIM", "s", "MAXLEN", "8") == 2
    assert c("XTRIM", "s", "MAXLEN", "=", "7") == 1
    assert c("XTRIM", "s", "MINID", "6") == 2
    assert c("XTRIM", "s", "MINID", "=", "6-1") == 1
    assert all_ids(c, "s") == ["7-0", "8-0", "9-0", "10-0"]
    state = info(c, "s")
    assert (state["recorded-first-entry-id"], state["max-deleted-entry-id"], state["entries-added"]) == (b"7-0", b"0-0", 10)
    assert c("XTRIM", "s", "MINID", "99") == 4
    assert c("EXISTS", "s") == 1
    assert c("XTRIM", "missing", "MAXLEN", "0") == 0


def test_trim_by_nodes(c, settings):
    settings(stream_node_max_entries=3)
    add(c, "s", *range(1, 8))
    assert info(c, "s")["radix-tree-keys"] == 3
    assert c("XTRIM", "s", "MAXLEN", "~", "5") == 0
    assert c("XTRIM", "s", "MAXLEN", "~", "4") == 3
    assert all_ids(c, "s") == ["4-0", "5-0", "6-0", "7-0"]
    assert c("XTRIM", "s", "MINID", "~", "6") == 0
    assert c("XTRIM", "s", "MAXLEN", "~", "0", "LIMIT", "2") == 0
    assert c("XTRIM", "s", "MAXLEN", "~", "0", "LIMIT", "3") == 3
    assert c("XTRIM", "s", "MAXLEN", "~", "0", "LIMIT", "0") == 1
    assert c("XLEN", "s") == 0
    # A deleted entry at the end of a node counts for MINID.
    add(c, "t", *range(1, 5))
    c("XDEL", "t", "3")
    assert c("XTRIM", "t", "MINID", "~", "3") == 0
    assert c("XTRIM", "t", "MINID", "~", "4") == 2
    assert all_ids(c, "t") == ["4-0"]
    # Without a LIMIT it is a hundred nodes.
    add(c, "u", *range(1, 400))
    assert c("XTRIM", "u", "MAXLEN", "~", "0") == 300
    assert c("XTRIM", "u", "MAXLEN", "~", "0", "LIMIT", "0") == 99


def test_trimming_deletes_no_more_than_it_must(c, settings):
    rng = random.Random(4)
    for entries, size in ((1, 4096), (2, 4096), (7, 4096), (100, 4096), (0, 60), (0, 0)):
        settings(stream_node_max_entries=entries, stream_node_max_bytes=size)
        c("DEL", "s")
        left = []
        for i in range(1, 200):
            add(c, "s", i)
            left.append(f"{i}-0")
            if rng.random() < 0.2:
                gone = rng.choice(left)
                left.remove(gone)
                assert c("XDEL", "s", gone) == 1
            if rng.random() < 0.1 and left:
                keep = rng.randrange(len(left) + 1)
                assert c("XTRIM", "s", "MAXLEN", keep) == len(left) - keep
                left = left[len(left) - keep:]
        assert all_ids(c, "s") == left
        assert ids(c("XREVRANGE", "s", "+", "-")) == left[::-1]


@pytest.mark.parametrize("args, error", [
    ("FOO 1", SYNTAX), ("MAXLEN 1 FOO", SYNTAX), ("MAXLEN ~ 1 LIMIT", SYNTAX), ("NOMKSTREAM MAXLEN 1", SYNTAX), ("MAXLEN 5 *", SYNTAX),
    ("MAXLEN -1", "ERR The MAXLEN argument must be >= 0."), ("MAXLEN ~ LIMIT 5", NOT_INTEGER), ("MINID x", BAD_ID),
    ("LIMIT 1", LIMIT_ALONE), ("LIMIT 0", "ERR syntax error, XTRIM must be called with a trimming strategy"), ("MAXLEN 1 LIMIT 1", LIMIT_EXACT),
    ("MINID 3 MAXLEN 1", TWO_STRATEGIES)])
def test_wrong_trims(c, args, error):
    c("SET", "text", "x")
    for key in ("missing", "text"):
        assert c.fails("XTRIM", key, *args.split()) == error


@pytest.mark.tarn_only
def test_trim_with_references(c, settings):
    for command in ("XTRIM", "XADD"):
        for how, left, pending in (("KEEPREF", 2, 3), ("DELREF", 2, 0), ("ACKED", 5, 3)):
            c("DEL", "s")
            add(c, "s", *range(1, 9))
            c("XGROUP", "CREATE", "s", "g", "0")
            c("XREADGROUP", "GROUP", "g", "c", "COUNT", "6", "STREAMS", "s", ">")
            c("XACK", "s", "g", "2", "3", "4")
            if command == "XTRIM":
                assert c("XTRIM", "s", "MAXLEN", "2", how) == 8 - left
            else:
                c("XADD", "s", how, "MAXLEN", "3", "9", "f", "v")
                left += 1
            assert (c("XLEN", "s"), c("XPENDING", "s", "g")[0]) == (left, pending)


@pytest.mark.tarn_only
def test_trim_about_only_without_looking_at_references(c, settings):
    settings(stream_node_max_entries=2)
    for with_group in (False, True):
        c("DEL", "s")
        add(c, "s", *range(1, 9))
        if with_group:
            c("XGROUP", "CREATE", "s", "g", "0")
            c("XREADGROUP", "GROUP", "g", "c", "NOACK", "STREAMS", "s", ">")
        for how in ("ACKED", "DELREF"):
            assert c("XTRIM", "s", how, "MINID", "~", "5") == 0
            assert c("XTRIM", "s", "MAXLEN", "~", "2", "LIMIT", "0", how) == 0
        c("XADD", "s", "DELREF", "MAXLEN", "~", "2", "9", "f", "v")
        assert c("XLEN", "s") == 9
        assert c("XTRIM", "s", "KEEPREF", "MINID", "~", "5") == 4
        assert c("XTRIM", "s", "ACKED", "MINID", "=", "7") == 2


@pytest.mark.tarn_only
@pytest.mark.parametrize("words", ["KEEPREF KEEPREF", "ACKED ACKED", "KEEPREF DELREF"])
def test_trim_takes_one_word_for_references(c, words):
    add(c, "s", 1, 2)
    first, second = words.split()
    assert c.fails("XTRIM", "s", "MAXLEN", "1", first, second) == SYNTAX
    assert c.fails("XTRIM", "s", first, "MAXLEN", "1", second, "LIMIT", "x") == SYNTAX
    # To XADD the second one is no option, so it stands where the ID is.
    assert c.fails("XADD", "s", first, "MAXLEN", "1", second, "9", "f", "v") == BAD_ID
    assert all_ids(c, "s") == ["1-0", "2-0"]


# Nodes.

def test_nodes_follow_the_settings(c, settings):
    settings(stream_node_max_entries=10, stream_node_max_bytes=0)
    add(c, "s", *range(1, 26))
    assert info(c, "s")["radix-tree-keys"] == 3
    settings(stream_node_max_entries=0, stream_node_max_bytes=100)
    c("DEL", "s")
    for i in range(1, 11):
        c("XADD", "s", i, "f", "x" * 30)
    assert info(c, "s")["radix-tree-keys"] == 5
    # Deleted entries count; when the last node goes, the one before takes new entries.
    settings(stream_node_max_entries=3, stream_node_max_bytes=4096)
    c("DEL", "s")
    add(c, "s", "1", "2", "3")
    c("XDEL", "s", "2")
    add(c, "s", "4")
    assert info(c, "s")["radix-tree-keys"] == 2
    settings(stream_node_max_entries=5)
    c("XDEL", "s", "4")
    add(c, "s", "5")
    assert info(c, "s")["radix-tree-keys"] == 1


# XREAD.

def test_read(c):
    add(c, "s", "1", "1-2", "3")
    add(c, "t", "5")
    assert ids(read(c("XREAD", "STREAMS", "s", "0"))["s"]) == ["1-0", "1-2", "3-0"]
    assert read(c("XREAD", "STREAMS", "s", "1"))["s"] == [[b"1-2", [b"f", b"v1-2"]], [b"3-0", [b"f", b"v3"]]]
    both = read(c("XREAD", "COUNT", "1", "STREAMS", "t", "missing", "s", "0", "0", "1-0"))
    assert {key: ids(entries) for key, entries in both.items()} == {"t": ["5-0"], "s": ["1-2"]}
    assert list(both) == ["t", "s"]
    for nothing in (["s", "$"], ["s", "3"], ["s", LAST], ["missing", "0"], ["missing", "$"], ["s", "t", "3", "5"]):
        assert c("XREAD", "STREAMS", *nothing) is None
    assert len(read(c("XREAD", "COUNT", "0", "STREAMS", "s", "0"))["s"]) == 3
    assert len(read(c("XREAD", "COUNT", "-1", "STREAMS", "s", "0"))["s"]) == 3
    assert len(read(c("XREAD", "count", "1", "count", "2", "streams", "s", "0"))["s"]) == 2
    c("XDEL", "t", "5")
    assert c("XREAD", "STREAMS", "t", "0") is None


def test_read_shape(c, protocol):
    add(c, "s", "1")
    entries = [[b"1-0", [b"f", b"v1"]]]
    assert c("XREAD", "STREAMS", "s", "0") == ([[b"s", entries]] if protocol == 2 else {b"s": entries})


@pytest.mark.tarn_only
def test_read_the_last_entry(c):
    add(c, "s", "1", "2")
    assert ids(read(c("XREAD", "STREAMS", "s", "+"))["s"]) == ["2-0"]
    assert ids(read(c("XREAD", "COUNT", "5", "STREAMS", "missing", "s", "+", "+"))["s"]) == ["2-0"]
    c("XDEL", "s", "2")
    assert ids(read(c("XREAD", "STREAMS", "s", "+"))["s"]) == ["1-0"]
    c("XDEL", "s", "1")
    assert c("XREAD", "STREAMS", "s", "+") is None


@pytest.mark.parametrize("args, error", [
    ("COUNT x STREAMS s 0", NOT_INTEGER), ("COUNT STREAMS s 0", NOT_INTEGER), ("FOO STREAMS s 0", SYNTAX), ("COUNT 1 BLOCK", SYNTAX),
    ("BLOCK x STREAMS s 0", "ERR timeout is not an integer or out of range"), ("BLOCK -1 STREAMS s 0", "ERR timeout is negative"),
    ("STREAMS s >", "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."),
    ("NOACK STREAMS s 0", "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."),
    ("GROUP g c STREAMS s 0", "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."),
    ("STREAMS s x", BAD_ID), ("STREAMS s -", BAD_ID), ("STREAMS s (1", BAD_ID), ("STREAMS s *", BAD_ID)])
def test_wrong_reads(c, args, error):
    assert c.fails("XREAD", *args.split()) == error


@pytest.mark.tarn_only
def test_wrong_reads_of_8(c):
    assert c.fails("XREAD", "BLOCK", str(2**63 - 1), "STREAMS", "s", "0") == "ERR timeout is out of range"
    assert c.fails("XREAD", "STREAMS", "s", "t", "0") == \
        "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified."


def test_keys_of_read(c):
    assert c("COMMAND", "GETKEYS", "XREAD", "COUNT", "1", "STREAMS", "a", "b", "0", "0") == [b"a", b"b"]
    assert c("COMMAND", "GETKEYS", "XREADGROUP", "GROUP", "g", "streams", "STREAMS", "a", ">") == [b"a"]


# XSETID.

def test_setid(c):
    assert c.fails("XSETID", "missing", "1") == "ERR no such key"
    add(c, "s", "5-5")
    assert c.fails("XSETID", "s", "5-4") == "ERR The ID specified in XSETID is smaller than the target stream top item"
    assert c("XSETID", "s", "5-5") == b"OK"
    assert c("XSETID", "s", "7", "ENTRIESADDED", "10", "MAXDELETEDID", "6") == b"OK"
    state = info(c, "s")
    assert (state["last-generated-id"], state["entries-added"], state["max-deleted-entry-id"]) == (b"7-0", 10, b"6-0")
    assert c.fails("XADD", "s", "7", "f", "v") == TOO_SMALL
    assert c("XSETID", "s", "8", "MAXDELETEDID", "0-0") == b"OK"
    assert info(c, "s")["max-deleted-entry-id"] == b"6-0"
    for args, error in [("7 ENTRIESADDED -1", "ERR entries_added must be positive"), ("7 ENTRIESADDED x", NOT_INTEGER),
                        ("9 ENTRIESADDED 0", "ERR The entries_added specified in XSETID is smaller than the target stream length"),
                        ("7 MAXDELETEDID 8", "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"),
                        ("7 MAXDELETEDID x", BAD_ID), ("7 FOO 1", SYNTAX), ("7 ENTRIESADDED", SYNTAX)]:
        assert c.fails("XSETID", "s", *args.split()) == error
    assert info(c, "s")["last-generated-id"] == b"8-0"


@pytest.mark.tarn_only
def test_setid_before_what_was_deleted(c):
    add(c, "s", "5")
    c("XDEL", "s", "5")
    assert c.fails("XSETID", "s", "4") == "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
    assert c("XSETID", "s", "5") == b"OK"


# XINFO STREAM.

def test_info(c, protocol):
    c("XADD", "s", "1-1", "a", "1")
    c("XADD", "s", "2", "a", "2")
    c("XGROUP", "CREATE", "s", "g", "0")
    assert isinstance(c("XINFO", "STREAM", "s"), dict if protocol == 3 else list)
    assert info(c, "s") == {
        "length": 2, "radix-tree-keys": 1, "radix-tree-nodes": 2, "last-generated-id": b"2-0", "max-deleted-entry-id": b"0-0", "entries-added": 2,
        "recorded-first-entry-id": b"1-1", "groups": 1, "first-entry": [b"1-1", [b"a", b"1"]], "last-entry": [b"2-0", [b"a", b"2"]]}
    full = info(c, "s", "FULL")
    assert list(full) == ["length", "radix-tree-keys", "radix-tree-nodes", "last-generated-id", "max-deleted-entry-id", "entries-added",
                          "recorded-first-entry-id", "entries", "groups"]
    assert full["entries"] == [[b"1-1", [b"a", b"1"]], [b"2-0", [b"a", b"2"]]]
    for i in range(3, 20):
        add(c, "s", i)
    assert len(info(c, "s", "full")["entries"]) == 10
    assert len(info(c, "s", "full", "count", "3")["entries"]) == 3
    assert len(info(c, "s", "full", "count", "0")["entries"]) == 19
    assert len(info(c, "s", "full", "count", "-1")["entries"]) == 10


def test_wrong_info(c):
    add(c, "s", "1")
    wrong = "ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."
    for args in (["FOO"], ["FULL", "FOO"], ["FULL", "COUNT"], ["FULL", "COUNT", "1", "x"], ["FULL", "CONT", "1"]):
        assert c.fails("XINFO", "STREAM", "s", *args) == wrong
        assert c.fails("XINFO", "STREAM", "missing", *args) == "ERR no such key"
    assert c.fails("XINFO", "STREAM", "s", "FULL", "COUNT", "x") == NOT_INTEGER
    assert c.fails("XINFO", "GROUPS", "missing") == "ERR no such key"
    assert c("XINFO", "HELP")[0] == b"XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"


# Encoding, memory, events.

def test_encoding(c):
    add(c, "s", "1")
    assert c("OBJECT", "ENCODING", "s") == b"stream"
    assert c("TYPE", "s") == b"stream"


def test_copies_are_independent(c):
    add(c, "s", *range(1, 250))
    c("XGROUP", "CREATE", "s", "g", "0")
    c("XREADGROUP", "GROUP", "g", "c", "COUNT", "5", "STREAMS", "s", ">")
    assert c("COPY", "s", "t") == 1
    before = c("XRANGE", "s", "-", "+"), c("XPENDING", "s", "g")
    c("XTRIM", "t", "MAXLEN", "7")
    c("XACK", "t", "g", "1", "2")
    add(c, "t", "1000")
    assert (c("XRANGE", "s", "-", "+"), c("XPENDING", "s", "g")) == before
    assert c("XLEN", "t") == 8
    assert c("XPENDING", "t", "g")[0] == 3


@pytest.mark.needs("PSUBSCRIBE")
def test_events(c, connect, settings):
    settings(notify_keyspace_events="Kt")
    listener = connect().pubsub()
    listener.subscribe("__keyspace@0__:s", "end")
    for _ in range(2):
        assert listener.get_message(timeout=10)["type"] == "subscribe"
    for command in ["XADD s 1 f v", "XADD s MAXLEN 1 2 f v", "XADD s MAXLEN 5 3 f v", "XTRIM s MAXLEN 9", "XTRIM s MAXLEN 1", "XDEL s 9", "XDEL s 3",
                    "XGROUP CREATE s g 0", "XGROUP SETID s g 0", "XGROUP CREATECONSUMER s g c", "XGROUP CREATECONSUMER s g c",
                    "XADD s 4 f v", "XREADGROUP GROUP g d STREAMS s >", "XREADGROUP GROUP g d STREAMS s 0", "XACK s g 4",
                    "XCLAIM s g d 0 4 FORCE", "XGROUP DELCONSUMER s g nobody", "XGROUP DELCONSUMER s g c", "XSETID s 9", "XGROUP DESTROY s nope",
                    "XGROUP DESTROY s g"]:
        c(*command.split())
    c("PUBLISH", "end", "end")
    seen = []
    while not seen or seen[-1] != b"end":
        message = listener.get_message(timeout=10)
        if message and message["type"] == "message":
            seen.append(message["data"])
    assert seen[:-1] == [b"xadd", b"xadd", b"xtrim", b"xadd", b"xtrim", b"xdel", b"xgroup-create", b"xgroup-setid", b"xgroup-createconsumer",
                         b"xadd", b"xgroup-createconsumer", b"xgroup-delconsumer", b"xsetid", b"xgroup-destroy"]
