"""DEBUG: what tests and users of the foundation need of it, and that it is off unless switched on.
"""
import re
import time

import pytest

from tests.system.harness import HELP_OF_HELP, wait_until
from tests.system.rawsock import Error, Raw, Simple, dial, encode  # noqa: F401


def unknown(name):
    return f"ERR unknown subcommand or wrong number of arguments for '{name}'. Try DEBUG HELP.".encode()


# Behind its switch

OFF = re.compile(rb"ERR DEBUG command not allowed\. If the enable-debug-command option is set to \"local\", you can run it "
                 rb"from a local connection, otherwise you need to set this option in the configuration file, and then "
                 rb"restart the server\.")


def test_off_by_default(own_server, workers):
    server = own_server({"threads": workers, "enable-debug-command": None})
    with Raw(server.port) as c:
        assert c.cmd("CONFIG", "GET", "enable-debug-command")[1] == b"no"
        for args in (("SLEEP", "0"), ("OBJECT", "k"), ("HELP",), ("nosuch",)):
            reply = c.cmd("DEBUG", *args)
            assert isinstance(reply, Error) and OFF.fullmatch(reply), reply
        assert c.cmd("CONFIG", "SET", "enable-debug-command", "yes") == (
            b"ERR CONFIG SET failed (possibly related to argument 'enable-debug-command') - can't set immutable config")


def test_local_lets_local_clients(own_server, workers):
    server = own_server({"threads": workers, "enable-debug-command": "local"})
    with Raw(server.port) as c, Raw(server.unix_path) as unix:
        assert c.cmd("DEBUG", "SLEEP", "0") == b"OK"
        assert unix.cmd("DEBUG", "SLEEP", "0") == b"OK"


# The subcommands

@pytest.mark.parametrize("args", [("nosuch",), ("SLEEP",), ("SLEEP", "1", "2"), ("OBJECT",), ("ERROR", "a", "b"),
                                  ("PROTOCOL",), ("SET-ACTIVE-EXPIRE",), ("POPULATE",)])
def test_unknown_or_wrong(dial, args):
    assert dial().cmd("DEBUG", *args) == unknown(args[0])


def test_without_a_subcommand(dial):
    assert dial().cmd("DEBUG") == b"ERR wrong number of arguments for 'debug' command"


def test_help(dial):
    lines = dial().cmd("DEBUG", "HELP")
    assert lines[0] == b"DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert lines[-2] == b"HELP" and lines[-1] in HELP_OF_HELP
    for name in (b"SLEEP", b"OBJECT", b"SET-ACTIVE-EXPIRE", b"DIGEST", b"DIGEST-VALUE", b"PROTOCOL", b"POPULATE", b"LOG",
                 b"ERROR"):
        assert any(line.split(b" ")[0] == name for line in lines), name


def test_sleep(dial):
    c = dial()
    began = time.monotonic()
    assert c.cmd("DEBUG", "SLEEP", "0.2") == b"OK"
    assert 0.2 <= time.monotonic() - began < 5
    assert c.cmd("DEBUG", "SLEEP", "0") == b"OK"


def test_error(dial):
    c = dial()
    reply = c.cmd("DEBUG", "ERROR", "MYCODE some text")
    assert isinstance(reply, Error) and reply == b"MYCODE some text"
    assert c.cmd("DEBUG", "ERROR", "one\r\ntwo") == b"one  two"
    assert c.cmd("PING") == b"PONG"


def test_log(server, dial):
    since = server.log_position()
    assert dial().cmd("DEBUG", "LOG", "something to say") == b"OK"
    server.wait_log(r"DEBUG LOG: something to say$", 10, since)


def test_object(dial):
    c = dial()
    c.cmd("MSET", "int", "12345", "emb", "abc", "raw", "x" * 100)
    for key, encoding in (("int", "int"), ("emb", "embstr"), ("raw", "raw")):
        reply = c.cmd("DEBUG", "OBJECT", key)
        assert isinstance(reply, Simple)
        found = re.fullmatch(rb"Value at:0x[0-9a-f]+ refcount:(\d+) encoding:(\w+) serializedlength:(\d+) lru:(\d+) "
                             rb"lru_seconds_idle:(\d+)", reply)
        assert found, reply
        assert found.group(2).decode() == encoding
        assert int(found.group(3)) >= 2
        assert int(found.group(5)) == 0
    assert c.cmd("DEBUG", "OBJECT", "nokey") == b"ERR no such key"


def test_object_does_not_touch(dial):
    c = dial()
    c.cmd("SET", "k", "v")
    wait_until(lambda: int(re.search(rb"lru_seconds_idle:(\d+)", c.cmd("DEBUG", "OBJECT", "k")).group(1)) >= 1)


def test_populate(dial):
    c = dial()
    assert c.cmd("DEBUG", "POPULATE", 1000) == b"OK"
    assert c.cmd("DBSIZE") == 1000
    assert c.cmd("MGET", "key:0", "key:999", "key:1000") == [b"value:0", b"value:999", None]
    c.cmd("SET", "key:5", "mine")
    assert c.cmd("DEBUG", "POPULATE", 1000) == b"OK"
    assert c.cmd("GET", "key:5") == b"mine", "what is there stays"
    assert c.cmd("DEBUG", "POPULATE", 10, "p", 20) == b"OK"
    assert c.cmd("GET", "p:0") == b"value:0" + b"\0" * 13
    assert c.cmd("STRLEN", "p:9") == 20
    assert c.cmd("DEBUG", "POPULATE", 1, "short", 3) == b"OK"
    assert c.cmd("GET", "short:0") == b"val"
    for bad in (("x",), ("-1",), ("1", "p", "x")):
        assert c.cmd("DEBUG", "POPULATE", *bad) == b"ERR value is out of range, must be positive"


def test_set_active_expire(dial):
    """With active expiry off, a dead key stays counted until somebody asks for it."""
    c = dial()
    assert c.cmd("DEBUG", "SET-ACTIVE-EXPIRE", "0") == b"OK"
    try:
        c.send(b"".join(encode("SET", f"e{i}", "v", "PX", 1) for i in range(50)))
        assert c.read_many(50) == [b"OK"] * 50
        time.sleep(0.3)  # nothing is to happen: there is no event for that
        assert c.cmd("DBSIZE") == 50
        assert c.cmd("GET", "e7") is None
        assert c.cmd("DBSIZE") == 49
    finally:
        assert c.cmd("DEBUG", "SET-ACTIVE-EXPIRE", "1") == b"OK"
    wait_until(lambda: c.cmd("DBSIZE") == 0)


# DIGEST

def test_digest_says_what_the_data_are(dial):
    c = dial()
    empty = c.cmd("DEBUG", "DIGEST")
    assert empty == b"0" * 40
    c.cmd("SET", "a", "1")
    one = c.cmd("DEBUG", "DIGEST")
    assert re.fullmatch(rb"[0-9a-f]{40}", one) and one != empty
    c.cmd("SET", "b", "2")
    both = c.cmd("DEBUG", "DIGEST")
    c.cmd("DEL", "b")
    assert c.cmd("DEBUG", "DIGEST") == one
    c.cmd("FLUSHALL")
    c.cmd("SET", "b", "2")
    c.cmd("SET", "a", "1")
    assert c.cmd("DEBUG", "DIGEST") == both, "the order does not matter"
    c.cmd("EXPIRE", "a", 1000)
    assert c.cmd("DEBUG", "DIGEST") != both, "that a key expires does"
    c.cmd("PERSIST", "a")
    assert c.cmd("DEBUG", "DIGEST") == both
    c.cmd("RENAME", "a", "c")
    assert c.cmd("DEBUG", "DIGEST") != both, "names do"
    c.cmd("RENAME", "c", "a")
    c.cmd("MOVE", "a", 1)
    assert c.cmd("DEBUG", "DIGEST") != both, "and databases"


def test_digest_value(dial):
    c = dial()
    c.cmd("MSET", "a", "1", "b", "1", "c", "2")
    a, b, other, missing = c.cmd("DEBUG", "DIGEST-VALUE", "a", "b", "c", "nokey")
    assert re.fullmatch(rb"[0-9a-f]{40}", a)
    assert a == b != other and missing == b"0" * 40
    c.cmd("APPEND", "a", "")
    assert c.cmd("DEBUG", "DIGEST-VALUE", "a") == [a], "the value counts, not how it is stored"
    c.cmd("SELECT", 1)
    assert c.cmd("DEBUG", "DIGEST-VALUE", "a") == [b"0" * 40]
    assert c.cmd("DEBUG", "DIGEST-VALUE") == []


# CHECK

@pytest.mark.tarn_only
def test_check(dial):
    c = dial()
    assert c.cmd("DEBUG", "CHECK") == b"OK"
    c.cmd("DEBUG", "POPULATE", 20_000, "k", 30)
    c.send_and_collect(b"".join(encode("SET", f"t{i}", "v" * (i % 200), "PX", 20 + i % 500) for i in range(3000))
                       + b"".join(encode("UNLINK", f"k:{i * 2}") for i in range(5000)), 8000)
    assert c.cmd("DEBUG", "CHECK") == b"OK"
    c.cmd("SWAPDB", 0, 5)
    assert c.cmd("DEBUG", "CHECK") == b"OK"
    c.cmd("FLUSHALL")
    assert c.cmd("DEBUG", "CHECK") == b"OK"
