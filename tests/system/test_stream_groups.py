"""Consumer groups of streams: XGROUP XREADGROUP XACK XACKDEL XPENDING XCLAIM XAUTOCLAIM XINFO GROUPS and CONSUMERS, with every option
and error."""
import pytest

SYNTAX = "ERR syntax error"
NOT_INTEGER = "ERR value is not an integer or out of range"
WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
BAD_ID = "ERR Invalid stream ID specified as stream command argument"
NEEDS_KEY = ("ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty "
             "stream automatically.")
LAST = "18446744073709551615-18446744073709551615"


def add(c, key, *ids):
    for i in ids:
        c("XADD", key, i, "f", f"v{i}")


def entry(i):
    return [f"{i}-0".encode(), [b"f", f"v{i}".encode()]]


def read(c, group, consumer, *args):
    """{key: entries}; the last arguments are a key and an ID, what comes before them options."""
    reply = c("XREADGROUP", "GROUP", group, consumer, *args[:-2], "STREAMS", *args[-2:])
    pairs = reply.items() if isinstance(reply, dict) else reply or []
    return {key.decode(): entries for key, entries in pairs}


def take(c, group, consumer, count, key="s"):
    return read(c, group, consumer, "COUNT", count, key, ">")


def maps(c, reply):
    return [{name.decode(): value for name, value in c.pairs(part).items()} for part in reply]


def groups(c, key="s"):
    return {group["name"].decode(): group for group in maps(c, c("XINFO", "GROUPS", key))}


def consumers(c, group, key="s"):
    return {one["name"].decode(): one for one in maps(c, c("XINFO", "CONSUMERS", key, group))}


def pending(c, group, *more, key="s"):
    """Without the idle times."""
    return [[i.decode(), name.decode(), deliveries]
            for i, name, _, deliveries in c("XPENDING", key, group, *(more or ("-", "+", "100")))]


@pytest.fixture
def work(c):
    """Entries 1 to 6; group g has given 1 and 2 to alice and 3 to bob."""
    add(c, "s", *range(1, 7))
    c("XGROUP", "CREATE", "s", "g", "0")
    take(c, "g", "alice", 2)
    take(c, "g", "bob", 1)
    return c


@pytest.mark.parametrize("command", ["XGROUP|CREATE s", "XGROUP|CREATE s g", "XGROUP|SETID s g", "XGROUP|DESTROY s", "XGROUP|DESTROY s g x",
                                     "XGROUP|CREATECONSUMER s g", "XGROUP|DELCONSUMER s g", "XGROUP|HELP x", "XINFO|GROUPS", "XINFO|GROUPS s x",
                                     "XINFO|CONSUMERS s", "XINFO|STREAM", "XACK s", "XACK s g", "XPENDING s", "XCLAIM s g c 0", "XAUTOCLAIM s g c 0",
                                     "XREADGROUP GROUP g c STREAMS s"])
def test_arity(c, command):
    name, *args = command.split()
    assert c.fails(*name.split("|"), *args) == f"ERR wrong number of arguments for '{name.lower()}' command"


def test_containers(c):
    for name in ("XGROUP", "XINFO"):
        assert c.fails(name) == f"ERR wrong number of arguments for '{name.lower()}' command"
        assert c.fails(name, "FOO") == f"ERR unknown subcommand 'FOO'. Try {name} HELP."
        assert c(name, "HELP")[0] == f"{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:".encode()


# XGROUP.

def test_create(c):
    add(c, "s", 1, 2, 3)
    assert c("XGROUP", "CREATE", "s", "b", "$") == b"OK"
    assert c("XGROUP", "CREATE", "s", "a", "0") == b"OK"
    assert c("XGROUP", "CREATE", "s", "c", "2", "MKSTREAM", "ENTRIESREAD", "2") == b"OK"
    assert c("XGROUP", "CREATE", "s", "", "2", "entriesread", "-1", "mkstream") == b"OK"
    assert c.fails("XGROUP", "CREATE", "s", "a", "0", "MKSTREAM") == "BUSYGROUP Consumer Group name already exists"
    found = groups(c)
    assert list(found) == ["", "a", "b", "c"]
    assert found["b"] == {"name": b"b", "consumers": 0, "pending": 0, "last-delivered-id": b"3-0", "entries-read": None, "lag": 0}
    assert (found["a"]["last-delivered-id"], found["a"]["lag"]) == (b"0-0", 3)
    assert (found["c"]["entries-read"], found["c"]["lag"]) == (2, 1)
    assert found[""]["lag"] is None


@pytest.mark.tarn_only
def test_no_more_read_than_added(c):
    add(c, "s", 1, 2, 3)
    c("XGROUP", "CREATE", "s", "g", "2", "ENTRIESREAD", "7")
    assert (groups(c)["g"]["entries-read"], groups(c)["g"]["lag"]) == (3, 0)
    c("XDEL", "s", "1")
    c("XGROUP", "SETID", "s", "g", "1", "ENTRIESREAD", "9")
    assert (groups(c)["g"]["entries-read"], groups(c)["g"]["lag"]) == (3, 2)
    # What is told later about the stream does not reach back.
    c("XSETID", "s", "9", "ENTRIESADDED", "2")
    assert groups(c)["g"]["entries-read"] == 3
    c("XGROUP", "CREATE", "s", "new", "0", "ENTRIESREAD", "9")
    assert groups(c)["new"]["entries-read"] == 2


@pytest.mark.tarn_only
def test_the_count_of_added_entries_ends_at_the_largest_integer(c):
    add(c, "s", 1)
    c("XSETID", "s", "1", "ENTRIESADDED", 2**63 - 1)
    c("XGROUP", "CREATE", "s", "g", "1", "ENTRIESREAD", 5)
    add(c, "s", 2)
    assert groups(c)["g"]["lag"] == 2**63 - 1 - 5
    assert c("RESTORE", "copy", 0, c("DUMP", "s")) == b"OK"


def test_options_that_are_given_again(c):
    def problem(name):
        return f"ERR unknown subcommand or wrong number of arguments for '{name}'. Try XGROUP HELP."
    assert c("XGROUP", "CREATE", "s", "g", "0", *["MKSTREAM"] * 2) == b"OK"
    assert c("XGROUP", "CREATE", "s", "h", "0", *["MKSTREAM"] * 3) == b"OK"
    assert c.fails("XGROUP", "CREATE", "new", "g", "0", *["MKSTREAM"] * 4) == problem("CREATE")
    assert c("EXISTS", "new") == 0
    # Numbers, then the key, then the group, and only then how many words there are.
    twice = ("ENTRIESREAD", "1", "ENTRIESREAD", "2")
    for name in ("CREATE", "SETID"):
        assert c.fails("XGROUP", name, "s", "g", "x", *twice) == problem(name)
        assert c.fails("XGROUP", name, "new", "g", "x", *twice) == NEEDS_KEY
        assert c.fails("XGROUP", name, "new", "g", "x", *twice[:3], "x") == NOT_INTEGER
    assert c.fails("XGROUP", "SETID", "s", "none", "x", *twice) == "NOGROUP No such consumer group 'none' for key name 's'"


def test_create_makes_the_stream(c):
    assert c.fails("XGROUP", "CREATE", "s", "g", "$") == NEEDS_KEY
    assert c.fails("XGROUP", "CREATE", "s", "g", "x", "MKSTREAM") == BAD_ID
    assert c("EXISTS", "s") == 0
    assert c("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM") == b"OK"
    assert (c("TYPE", "s"), c("XLEN", "s")) == (b"stream", 0)
    assert groups(c)["g"]["last-delivered-id"] == b"0-0"
    assert c("XADD", "s", "1", "f", "v1") == b"1-0"
    assert take(c, "g", "c", 5) == {"s": [entry(1)]}


@pytest.mark.parametrize("args, error", [
    ("CREATE s g x", BAD_ID), ("CREATE s g -", BAD_ID), ("CREATE s g +", BAD_ID), ("CREATE s g (1", BAD_ID), ("CREATE s g *", BAD_ID),
    ("CREATE s g $ MKSTREA", "?"), ("CREATE s g $ ENTRIESREAD", "?"), ("CREATE s g $ ENTRIESREAD 1 ENTRIESREAD 2", "?"),
    ("CREATE s g $ ENTRIESREAD x", NOT_INTEGER), ("CREATE s g $ ENTRIESREAD -2", "ERR value for ENTRIESREAD must be positive or -1"),
    ("CREATE text g $", WRONGTYPE), ("CREATE text g x", WRONGTYPE), ("CREATE text g x FOO", "?"),
    ("SETID s none 1", "NOGROUP No such consumer group 'none' for key name 's'"), ("SETID s h x", BAD_ID), ("SETID s h 1 MKSTREAM", "?"),
    ("SETID s h 1 ENTRIESREAD -2", "ERR value for ENTRIESREAD must be positive or -1"), ("SETID missing h 1", NEEDS_KEY),
    ("SETID missing h x", NEEDS_KEY), ("SETID text h 1", WRONGTYPE),
    ("DESTROY missing h", NEEDS_KEY), ("DESTROY text h", WRONGTYPE),
    ("CREATECONSUMER missing h c", NEEDS_KEY), ("CREATECONSUMER text h c", WRONGTYPE),
    ("CREATECONSUMER s none c", "NOGROUP No such consumer group 'none' for key name 's'"),
    ("DELCONSUMER missing h c", NEEDS_KEY), ("DELCONSUMER text h c", WRONGTYPE),
    ("DELCONSUMER s none c", "NOGROUP No such consumer group 'none' for key name 's'")])
def test_wrong_xgroup(c, args, error):
    c("SET", "text", "x")
    add(c, "s", 1)
    c("XGROUP", "CREATE", "s", "h", "0")
    name, *rest = args.split()
    if error == "?":
        error = f"ERR unknown subcommand or wrong number of arguments for '{name}'. Try XGROUP HELP."
    assert c.fails("XGROUP", name, *rest) == error
    assert list(groups(c)) == ["h"]


def test_setid(work):
    c = work
    assert c("XGROUP", "SETID", "s", "g", "1") == b"OK"
    assert groups(c)["g"]["entries-read"] is None
    # 2 and 3 are delivered once more, and are pending with whoever gets them.
    assert take(c, "g", "bob", 2) == {"s": [entry(2), entry(3)]}
    assert pending(c, "g") == [["1-0", "alice", 1], ["2-0", "bob", 1], ["3-0", "bob", 1]]
    assert c("XGROUP", "SETID", "s", "g", "$", "ENTRIESREAD", "6") == b"OK"
    assert (groups(c)["g"]["entries-read"], groups(c)["g"]["lag"]) == (6, 0)
    assert take(c, "g", "bob", 2) == {}
    for text, becomes in (("-", b"0-0"), ("+", LAST.encode())):
        c("XGROUP", "SETID", "s", "g", text)
        assert groups(c)["g"]["last-delivered-id"] == becomes


def test_destroy(work):
    c = work
    assert c("XGROUP", "DESTROY", "s", "none") == 0
    assert c("XGROUP", "DESTROY", "s", "g") == 1
    assert c("XGROUP", "DESTROY", "s", "g") == 0
    assert groups(c) == {}
    c("XGROUP", "CREATE", "s", "g", "0")
    assert c("XPENDING", "s", "g")[0] == 0


def test_consumers(work, protocol):
    c = work
    assert c("XGROUP", "CREATECONSUMER", "s", "g", "carol") == 1
    assert c("XGROUP", "CREATECONSUMER", "s", "g", "carol") == 0
    assert isinstance(c("XINFO", "CONSUMERS", "s", "g")[0], dict if protocol == 3 else list)
    found = consumers(c, "g")
    assert {name: one["pending"] for name, one in found.items()} == {"alice": 2, "bob": 1, "carol": 0}
    assert all(0 <= one["idle"] < 60_000 for one in found.values())
    assert c("XGROUP", "DELCONSUMER", "s", "g", "alice") == 2
    assert c("XGROUP", "DELCONSUMER", "s", "g", "alice") == 0
    assert pending(c, "g") == [["3-0", "bob", 1]]
    assert groups(c)["g"]["consumers"] == 2
    assert c.fails("XINFO", "CONSUMERS", "s", "none") == "NOGROUP No such consumer group 'none' for key name 's'"
    assert c.fails("XINFO", "CONSUMERS", "missing", "g") == "ERR no such key"


@pytest.mark.tarn_only
def test_active_consumers(work):
    c = work
    c("XGROUP", "CREATECONSUMER", "s", "g", "carol")
    found = consumers(c, "g")
    assert list(found["alice"]) == ["name", "pending", "idle", "inactive"]
    assert 0 <= found["alice"]["inactive"] < 60_000
    assert found["carol"]["inactive"] == -1
    # Who does not want to acknowledge is never active.
    assert read(c, "g", "carol", "NOACK", "s", ">")
    assert consumers(c, "g")["carol"]["inactive"] == -1
    # An attempt that brings nothing makes the consumer, and counts as seen.
    c("XGROUP", "SETID", "s", "g", "$")
    for consumer, reply in (("dora", take(c, "g", "dora", 1)), ("emil", c("XCLAIM", "s", "g", "emil", 10**9, "1")),
                            ("fred", c("XAUTOCLAIM", "s", "g", "fred", 10**9, "0"))):
        assert reply in ({}, [], [b"0-0", [], []])
        assert consumers(c, "g")[consumer]["inactive"] == -1


# XREADGROUP.

def test_read(work):
    c = work
    assert take(c, "g", "alice", 2) == {"s": [entry(4), entry(5)]}
    assert read(c, "g", "bob", "s", ">") == {"s": [entry(6)]}
    assert read(c, "g", "bob", "s", ">") == {}
    assert c("XREADGROUP", "GROUP", "g", "bob", "STREAMS", "s", ">") is None
    group = groups(c)["g"]
    assert (group["consumers"], group["pending"], group["last-delivered-id"]) == (2, 6, b"6-0")
    assert (group["entries-read"], group["lag"]) == (6, 0)


def test_read_several(c):
    for key in ("s", "t", "u"):
        add(c, key, 1, 2)
        c("XGROUP", "CREATE", key, "g", "0" if key != "t" else "$")
    reply = c("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "u", "t", "s", ">", ">", "0")
    pairs = list(reply.items()) if isinstance(reply, dict) else [tuple(pair) for pair in reply]
    assert pairs == [(b"u", [entry(1)]), (b"s", [])]
    # The groups of all are looked at before anything is delivered.
    assert c.fails("XREADGROUP", "GROUP", "g", "c", "STREAMS", "u", "missing", ">", ">") == \
        "NOGROUP No such key 'missing' or consumer group 'g' in XREADGROUP with GROUP option"
    assert groups(c, "u")["g"]["last-delivered-id"] == b"1-0"


def test_history(work):
    c = work
    assert read(c, "g", "alice", "s", "0") == {"s": [entry(1), entry(2)]}
    assert read(c, "g", "alice", "s", "1") == {"s": [entry(2)]}
    assert read(c, "g", "alice", "COUNT", 1, "s", "0") == {"s": [entry(1)]}
    assert read(c, "g", "alice", "s", "2") == {"s": []}
    assert read(c, "g", "new", "s", "0") == {"s": []}
    assert pending(c, "g") == [["1-0", "alice", 3], ["2-0", "alice", 3], ["3-0", "bob", 1]]
    c("XDEL", "s", "1")
    assert read(c, "g", "alice", "s", "0") == {"s": [[b"1-0", None], entry(2)]}
    assert pending(c, "g")[0] == ["1-0", "alice", 3]


def test_noack(work):
    c = work
    assert read(c, "g", "alice", "COUNT", 1, "NOACK", "s", ">") == {"s": [entry(4)]}
    assert len(pending(c, "g")) == 3
    assert groups(c)["g"]["last-delivered-id"] == b"4-0"
    assert read(c, "g", "alice", "NOACK", "s", "0") == {"s": [entry(1), entry(2)]}


def test_nothing_new_when_the_last_ones_are_deleted(work):
    c = work
    c("XDEL", "s", "4", "5", "6")
    if c("INFO", "server").find(b"redis_version:7.0.") < 0:
        assert read(c, "g", "alice", "s", ">") == {}
    add(c, "s", 9)
    assert read(c, "g", "alice", "s", ">") == {"s": [entry(9)]}


@pytest.mark.parametrize("args, error", [
    ("GROUP none c STREAMS s >", "NOGROUP No such key 's' or consumer group 'none' in XREADGROUP with GROUP option"),
    ("GROUP none c STREAMS s x", "NOGROUP No such key 's' or consumer group 'none' in XREADGROUP with GROUP option"),
    ("GROUP g c STREAMS missing >", "NOGROUP No such key 'missing' or consumer group 'g' in XREADGROUP with GROUP option"),
    ("GROUP g c STREAMS text >", WRONGTYPE), ("GROUP g c STREAMS s x", BAD_ID), ("GROUP g c STREAMS s -", BAD_ID),
    ("GROUP g c STREAMS s $", "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a "
     "proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."),
    ("GROUP g c COUNT x STREAMS s >", NOT_INTEGER), ("GROUP g c BLOCK x STREAMS s >", "ERR timeout is not an integer or out of range"),
    ("GROUP g c BLOCK -1 STREAMS s >", "ERR timeout is negative"), ("GROUP g c FOO 1 STREAMS s >", SYNTAX),
    ("COUNT 1 NOACK STREAMS s >", "ERR Missing GROUP option for XREADGROUP")])
def test_wrong_reads(work, args, error):
    work("SET", "text", "x")
    assert work.fails("XREADGROUP", *args.split()) == error


@pytest.mark.tarn_only
def test_wrong_reads_of_8(work):
    assert work.fails("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "t", ">") == \
        "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified."
    assert work.fails("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "+").startswith("ERR The + ID is meaningless in the context of XREADGROUP")
    # The keys are those that the gates are held for.
    assert work.fails("XREADGROUP", "NOACK", "GROUP", "g", "streams", "STREAMS", "s", ">") == SYNTAX


def test_a_consumer_called_streams(work):
    assert read(work, "g", "streams", "s", ">") == {"s": [entry(4), entry(5), entry(6)]}


# XACK, XACKDEL.

def test_ack(work):
    c = work
    assert c("XACK", "s", "g", "1", "1", "3", "9") == 2
    assert pending(c, "g") == [["2-0", "alice", 1]]
    assert c("XACK", "s", "g", "2-0") == 1
    assert c("XPENDING", "s", "g") == [0, None, None, None]
    for nothing in (["missing", "g", "1"], ["missing", "g", "x"], ["s", "none", "x"]):
        assert c("XACK", *nothing) == 0
    assert c.fails("XACK", "s", "g", "1", "x") == BAD_ID
    c("SET", "text", "x")
    assert c.fails("XACK", "text", "g", "x") == WRONGTYPE
    assert c("XLEN", "s") == 6


@pytest.mark.tarn_only
def test_ack_and_delete(work):
    c = work
    c("XGROUP", "CREATE", "s", "h", "0")
    take(c, "h", "c", 2)
    assert c("XACKDEL", "s", "g", "ACKED", "IDS", "3", "1", "3", "9") == [2, 2, -1]
    assert pending(c, "g") == [["2-0", "alice", 1]]
    assert c("XLEN", "s") == 6
    assert c("XACK", "s", "h", "2") == 1
    assert c("XACKDEL", "s", "g", "ACKED", "IDS", "1", "2") == [1]
    assert c("XACKDEL", "s", "g", "IDS", "1", "2") == [-1]
    assert c("XLEN", "s") == 5
    take(c, "g", "bob", 2)
    take(c, "h", "c", 3)
    assert c("XACKDEL", "s", "g", "IDS", "1", "4") == [1]
    assert [i for i, _, _ in pending(c, "h")] == ["1-0", "3-0", "4-0", "5-0"]
    assert c("XACKDEL", "s", "g", "DELREF", "IDS", "1", "5") == [1]
    assert [i for i, _, _ in pending(c, "h")] == ["1-0", "3-0", "4-0"]
    for nothing in (["missing", "g"], ["s", "none"]):
        assert c("XACKDEL", *nothing, "IDS", "2", "1", "2") == [-1, -1]
    for args, error in [("g FOO IDS 1 1", SYNTAX), ("g ACKED 1 1 1", SYNTAX), ("g IDS 0 1", "ERR Number of IDs must be a positive integer"),
                        ("g IDS 2 1", "ERR The `numids` parameter must match the number of arguments"), ("g IDS 1 x", BAD_ID)]:
        assert c.fails("XACKDEL", "s", *args.split()) == error
    c("SET", "text", "x")
    assert c.fails("XACKDEL", "text", "g", "IDS", "1", "1") == WRONGTYPE


@pytest.mark.since("8.2.0")
@pytest.mark.parametrize("gone", ["XDEL s 1", "XTRIM s MINID 2"])
def test_references_to_what_is_gone(c, gone):
    """DELREF drops them also when the entry itself went before; the others leave them."""
    def begin():
        c("DEL", "s")
        for i in (1, 2):
            c("XADD", "s", i, "f", "v")
        for group in "gh":
            c("XGROUP", "CREATE", "s", group, "0")
            take(c, group, "c", 1)
        c(*gone.split())

    def left():
        return [i for group in "gh" for i, _, _ in pending(c, group)]

    for command, reply, remain in [
            ("XDELEX s KEEPREF IDS 1 1", [-1], 2), ("XDELEX s ACKED IDS 1 1", [2], 2), ("XDELEX s DELREF IDS 1 1", [-1], 0),
            ("XACKDEL s g KEEPREF IDS 1 1", [1], 1), ("XACKDEL s g ACKED IDS 1 1", [2], 1), ("XACKDEL s g DELREF IDS 1 1", [1], 0)]:
        begin()
        assert (c(*command.split()), left()) == (reply, ["1-0"] * remain), command


# XPENDING.

def test_pending(work):
    c = work
    assert c("XPENDING", "s", "g") == [3, b"1-0", b"3-0", [[b"alice", b"2"], [b"bob", b"1"]]]
    everything = [["1-0", "alice", 1], ["2-0", "alice", 1], ["3-0", "bob", 1]]
    for args, wanted in [("- + 10", everything), ("- + 2", everything[:2]), ("(1 + 10", everything[1:]), ("2 2 10", everything[1:2]),
                         ("- (3-0 10", everything[:2]), ("- + 0", []), ("- + -1", []), ("+ - 10", []), ("- + 10 alice", everything[:2]),
                         ("2 + 10 alice", everything[1:2]), ("- + 10 bob", everything[2:]), ("- + 10 nobody", []), ("IDLE 0 - + 10", everything),
                         ("idle 1000000 - + 10", []), ("IDLE 1000000 - + 10 alice", []), ("IDLE 0 - + 1 bob", everything[2:]),
                         ("- + 10 bob ignored", everything[2:])]:
        assert pending(c, "g", *args.split()) == wanted, args
    idle = c("XPENDING", "s", "g", "-", "+", "1")[0][2]
    assert 0 <= idle < 60_000
    c("XCLAIM", "s", "g", "alice", "0", "1", "IDLE", "5000", "JUSTID")
    assert c("XPENDING", "s", "g", "-", "+", "1")[0][2] >= 5000
    assert pending(c, "g", "IDLE", "5000", "-", "+", "10") == [["1-0", "alice", 1]]
    assert pending(c, "g", "IDLE", "5000", "-", "+", "10", "bob") == []


@pytest.mark.parametrize("args, error", [
    ("s none", "NOGROUP No such key 's' or consumer group 'none'"), ("missing g", "NOGROUP No such key 'missing' or consumer group 'g'"),
    ("missing g - + 10", "NOGROUP No such key 'missing' or consumer group 'g'"), ("text g", WRONGTYPE), ("missing g x", SYNTAX),
    ("s g -", SYNTAX), ("s g - +", SYNTAX), ("s g - + x", NOT_INTEGER), ("s g IDLE", SYNTAX), ("s g IDLE 5", SYNTAX), ("s g IDLE 5 - +", SYNTAX),
    ("s g IDLE x - + 10", NOT_INTEGER), ("s g IDLE 1 - + 10 c x", SYNTAX), ("s g x + 10", BAD_ID), ("s g - x 10", BAD_ID),
    (f"s g ({LAST} + 10", "ERR invalid start ID for the interval"), ("s g - (0-0 10", "ERR invalid end ID for the interval")])
def test_wrong_pending(work, args, error):
    work("SET", "text", "x")
    assert work.fails("XPENDING", *args.split()) == error


# XCLAIM.

def test_claim(work):
    c = work
    assert c("XCLAIM", "s", "g", "bob", "0", "1", "9") == [entry(1)]
    assert c("XCLAIM", "s", "g", "bob", "0", "2", "JUSTID") == [b"2-0"]
    assert pending(c, "g") == [["1-0", "bob", 2], ["2-0", "bob", 1], ["3-0", "bob", 1]]
    assert c("XCLAIM", "s", "g", "alice", "100000", "1", "2") == []
    assert c("XCLAIM", "s", "g", "alice", "-5", "1", "RETRYCOUNT", "7") == [entry(1)]
    assert c("XCLAIM", "s", "g", "alice", "0", "2", "RETRYCOUNT", "9", "JUSTID", "TIME", "1000") == [b"2-0"]
    assert pending(c, "g") == [["1-0", "alice", 7], ["2-0", "alice", 9], ["3-0", "bob", 1]]
    assert c("XPENDING", "s", "g", "2", "2", "1")[0][2] > 10**9
    # What is to come counts as now; a negative count as none.
    assert c("XCLAIM", "s", "g", "alice", "0", "2", "IDLE", "-100", "RETRYCOUNT", "-1", "JUSTID") == [b"2-0"]
    assert c("XPENDING", "s", "g", "2", "2", "1")[0][2] < 60_000
    assert pending(c, "g")[1] == ["2-0", "alice", 9]


def test_claim_by_force(work):
    c = work
    assert c("XCLAIM", "s", "g", "bob", "0", "5") == []
    assert c("XCLAIM", "s", "g", "bob", "0", "5", "99", "FORCE", "JUSTID") == [b"5-0"]
    assert pending(c, "g")[-1] == ["5-0", "bob", 1]
    assert c("XCLAIM", "s", "g", "bob", "0", "6", "FORCE") == [entry(6)]
    assert pending(c, "g")[-1] == ["6-0", "bob", 2]
    assert groups(c)["g"]["last-delivered-id"] == b"3-0"
    c("XCLAIM", "s", "g", "bob", "0", "99", "LASTID", "5-5")
    assert groups(c)["g"]["last-delivered-id"] == b"5-5"
    c("XCLAIM", "s", "g", "bob", "0", "99", "LASTID", "2")
    assert groups(c)["g"]["last-delivered-id"] == b"5-5"


def test_claim_forgets_what_is_deleted(work):
    c = work
    c("XDEL", "s", "1")
    assert c("XCLAIM", "s", "g", "bob", "0", "1", "2", "JUSTID") == [b"2-0"]
    assert pending(c, "g") == [["2-0", "bob", 1], ["3-0", "bob", 1]]


@pytest.mark.parametrize("args, error", [
    ("missing g c x 1", "NOGROUP No such key 'missing' or consumer group 'g'"), ("s none c x 1", "NOGROUP No such key 's' or consumer group 'none'"),
    ("text g c x 1", WRONGTYPE), ("s g c x 1", "ERR Invalid min-idle-time argument for XCLAIM"), ("s g c 0 x", "ERR Unrecognized XCLAIM option 'x'"),
    ("s g c 0 1 FORCE 2", "ERR Unrecognized XCLAIM option '2'"), ("s g c 0 1 IDLE", "ERR Unrecognized XCLAIM option 'IDLE'"),
    ("s g c 0 1 IDLE x", "ERR Invalid IDLE option argument for XCLAIM"), ("s g c 0 1 TIME x", "ERR Invalid TIME option argument for XCLAIM"),
    ("s g c 0 1 RETRYCOUNT x", "ERR Invalid RETRYCOUNT option argument for XCLAIM"), ("s g c 0 1 LASTID x", BAD_ID)])
def test_wrong_claims(work, args, error):
    work("SET", "text", "x")
    assert work.fails("XCLAIM", *args.split()) == error
    assert pending(work, "g") == [["1-0", "alice", 1], ["2-0", "alice", 1], ["3-0", "bob", 1]]


# XAUTOCLAIM.

def test_autoclaim(work):
    c = work
    assert c("XAUTOCLAIM", "s", "g", "bob", "0", "0", "COUNT", "2") == [b"3-0", [entry(1), entry(2)], []]
    assert c("XAUTOCLAIM", "s", "g", "bob", "0", "3", "JUSTID") == [b"0-0", [b"3-0"], []]
    assert pending(c, "g") == [["1-0", "bob", 2], ["2-0", "bob", 2], ["3-0", "bob", 1]]
    assert c("XAUTOCLAIM", "s", "g", "bob", "100000", "-") == [b"0-0", [], []]
    assert c("XAUTOCLAIM", "s", "g", "bob", "0", "(1", "JUSTID", "COUNT", "1") == [b"3-0", [b"2-0"], []]
    assert c("XAUTOCLAIM", "s", "g", "bob", "0", "+") == [b"0-0", [], []]
    c("XDEL", "s", "1", "3")
    assert c("XAUTOCLAIM", "s", "g", "alice", "0", "0", "JUSTID") == [b"0-0", [b"2-0"], [b"1-0", b"3-0"]]
    assert [row[:2] for row in pending(c, "g")] == [["2-0", "alice"]]
    assert c("XAUTOCLAIM", "s", "g", "alice", "0", "0", "COUNT", 100_000, "JUSTID")[1] == [b"2-0"]


def test_autoclaim_looks_at_ten_times_its_count(c):
    add(c, "s", *range(1, 101))
    c("XGROUP", "CREATE", "s", "g", "0")
    take(c, "g", "a", 100)
    assert c("XAUTOCLAIM", "s", "g", "b", 10**6, "0", "COUNT", "1") == [b"11-0", [], []]
    assert c("XAUTOCLAIM", "s", "g", "b", 10**6, "0", "COUNT", "9") == [b"91-0", [], []]
    assert c("XAUTOCLAIM", "s", "g", "b", 10**6, "0", "COUNT", "10") == [b"0-0", [], []]


@pytest.mark.parametrize("args, error", [
    ("missing g c 0 0", "NOGROUP No such key 'missing' or consumer group 'g'"), ("s none c 0 0", "NOGROUP No such key 's' or consumer group 'none'"),
    ("text g c 0 0", WRONGTYPE), ("missing g c x 0", "ERR Invalid min-idle-time argument for XAUTOCLAIM"), ("missing g c 0 x", BAD_ID),
    (f"s g c 0 ({LAST}", "ERR invalid start ID for the interval"), ("s g c 0 0 COUNT", SYNTAX), ("s g c 0 0 FOO", SYNTAX),
    ("s g c 0 0 COUNT x", "ERR COUNT must be > 0"), ("s g c 0 0 COUNT 0", "ERR COUNT must be > 0"), ("s g c 0 0 COUNT -1", "ERR COUNT must be > 0"),
    ("s g c 0 0 COUNT 576460752303423488", "ERR COUNT must be > 0")])
def test_wrong_autoclaims(work, args, error):
    work("SET", "text", "x")
    assert work.fails("XAUTOCLAIM", *args.split()) == error


# XINFO STREAM FULL, and the lag.

def test_full_info(work, protocol, reference):
    c = work
    c("XACK", "s", "g", "1")
    full = {name.decode(): value for name, value in c.pairs(c("XINFO", "STREAM", "s", "FULL")).items()}
    assert isinstance(full["groups"][0], dict if protocol == 3 else list)
    group = maps(c, full["groups"])[0]
    assert list(group) == ["name", "last-delivered-id", "entries-read", "lag", "pel-count", "pending", "consumers"]
    assert (group["name"], group["last-delivered-id"], group["entries-read"], group["lag"], group["pel-count"]) == (b"g", b"3-0", 3, 3, 2)
    assert [[i, name, count] for i, name, _, count in group["pending"]] == [[b"2-0", b"alice", 1], [b"3-0", b"bob", 1]]
    alice, bob = maps(c, group["consumers"])
    assert list(bob) == ["name", "seen-time", *([] if reference else ["active-time"]), "pel-count", "pending"]
    assert (alice["name"], alice["pel-count"], bob["name"]) == (b"alice", 1, b"bob")
    assert [row[::2] for row in alice["pending"]] == [[b"2-0", 1]]
    assert alice["pending"][0][1] == group["pending"][0][2]


def lags(c):
    return {name: (group["entries-read"], group["lag"]) for name, group in groups(c).items()}


def test_lag(c):
    add(c, "s", *range(1, 6))
    for name, start in (("g0", "0"), ("g1", "1"), ("g3", "3"), ("g5", "$"), ("g7", "7")):
        c("XGROUP", "CREATE", "s", name, start)
    assert lags(c) == {"g0": (None, 5), "g1": (None, 4), "g3": (None, None), "g5": (None, 0), "g7": (None, None)}
    for name in ("g0", "g1", "g3"):
        take(c, name, "c", 1)
    assert lags(c) == {"g0": (1, 4), "g1": (None, None), "g3": (None, None), "g5": (None, 0), "g7": (None, None)}
    c("XDEL", "s", "3")
    assert lags(c)["g0"] == (1, None)
    for name in ("g0", "g3"):
        take(c, name, "c", 5)
    assert lags(c)["g0"] == (5, 0)
    assert lags(c)["g3"] == (5, 0)
    add(c, "s", "6")
    take(c, "g5", "c", 1)
    assert lags(c)["g5"] == (6, 0)
    c("XTRIM", "s", "MAXLEN", "1")
    assert lags(c) == {"g0": (5, 1), "g1": (None, 1), "g3": (5, 1), "g5": (6, 0), "g7": (None, None)}


@pytest.mark.tarn_only
def test_lag_behind_the_first_entry(c):
    """As in Redis 8: what was trimmed away is not counted."""
    add(c, "s", *range(1, 6))
    c("XGROUP", "CREATE", "s", "g", "0")
    take(c, "g", "c", 2)
    c("XTRIM", "s", "MAXLEN", "1")
    assert lags(c)["g"] == (2, 1)
    take(c, "g", "c", 1)
    assert lags(c)["g"] == (5, 0)
    add(c, "s", "6")
    c("XTRIM", "s", "MAXLEN", "0")
    assert lags(c)["g"] == (5, 0)
    add(c, "s", "7")
    assert lags(c)["g"] == (5, 1)
    c("XDEL", "s", "7")
    assert lags(c)["g"] == (5, 0)


def test_large_pending_lists(c):
    """Enough for trees of several levels, acknowledged from both ends and from the middle."""
    count = 20_000
    c.all([("XADD", "s", f"{i}-0", "f", f"v{i}") for i in range(1, count + 1)])
    c("XGROUP", "CREATE", "s", "g", "0")
    for i in range(0, count, 1000):
        read(c, "g", f"c{i // 1000 % 3}", "COUNT", 1000, "s", ">")
    assert c("XPENDING", "s", "g")[0] == count
    gone = [i for i in range(1, count + 1) if i <= 3000 or i > count - 3000 or i % 3]
    assert sum(c.all([("XACK", "s", "g", *gone[i:i + 100]) for i in range(0, len(gone), 100)])) == len(gone)
    left = [i for i in range(3001, count - 2999) if i % 3 == 0]
    assert [int(row[0].split("-")[0]) for row in pending(c, "g", "-", "+", count)] == left
    total, first, last, by_consumer = c("XPENDING", "s", "g")
    assert (total, first, last) == (len(left), f"{left[0]}-0".encode(), f"{left[-1]}-0".encode())
    assert sum(int(number) for _, number in by_consumer) == len(left)
    claimed, cursor = [], b"0"
    while cursor != b"0-0":
        cursor, some, _ = c("XAUTOCLAIM", "s", "g", "last", "0", cursor, "COUNT", "1000", "JUSTID")
        claimed += some
    assert len(claimed) == len(left)
    assert c("XGROUP", "DELCONSUMER", "s", "g", "last") == len(left)
