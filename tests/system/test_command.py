"""COMMAND: its subcommands, and every command's entry beside the entry of a redis-server 7.0.
"""
import re
import shutil

import pytest

from tests.system.harness import HELP_OF_HELP, Server
from tests.system.rawsock import Map, Raw, Set, Simple, dial  # noqa: F401

REFERENCE = "/usr/bin/redis-server"

# Where Redis 8 declares something else than 7.0 (docs/compatibility.md).
DIFFERENT_ARITY = {"command|getkeys": -3, "command|getkeysandflags": -3, "zrank": -3, "zrevrank": -3}
# What only one of both has.
DIFFERENT_WORDS = {name: {"noscript"} for name in ("blpop", "brpop", "blmove", "brpoplpush", "bzpopmin", "bzpopmax")}
DIFFERENT_WORDS["wait"] = {"noscript", "blocking", "@blocking"}


def entry(row):
    """One element of COMMAND INFO as a dictionary."""
    names = ["name", "arity", "flags", "first", "last", "step", "categories", "tips", "specs", "subcommands"]
    assert len(row) == len(names), row
    return dict(zip(names, row))


@pytest.fixture(scope="module")
def known():
    """{name: entry} of a redis-server 7.0, subcommands included."""
    assert shutil.which(REFERENCE), "tests compare with Debian's redis-server"
    with Server(REFERENCE) as server, Raw(server.port) as c:
        rows = c.cmd("COMMAND")
    found = {}
    for row in rows:
        found[row[0].decode()] = entry(row)
        for sub in row[9]:
            found[sub[0].decode()] = entry(sub)
    return found


def entries(connection):
    found = {}
    for row in connection.cmd("COMMAND"):
        found[row[0].decode()] = entry(row)
        for sub in row[9]:
            found[sub[0].decode()] = entry(sub)
    return found


def shared(ours, known):
    return [name for name in ours if name in known]


# Every command beside the reference

def test_count_list_and_command_agree(dial):
    c = dial()
    rows = c.cmd("COMMAND")
    assert c.cmd("COMMAND", "COUNT") == len(rows)
    names = {row[0] for row in rows}
    assert len(names) == len(rows)
    listed = c.cmd("COMMAND", "LIST")
    assert {n for n in listed if b"|" not in n} == names
    assert {n for n in listed if b"|" in n} == {sub[0] for row in rows for sub in row[9]}


def test_the_foundation_is_there(dial):
    have = set(entries(dial()))
    wanted = """set get getdel getex getset setnx setex psetex mset msetnx mget append strlen setrange getrange substr incr
        decr incrby decrby incrbyfloat lcs setbit getbit bitcount bitpos bitop bitfield bitfield_ro del unlink exists type
        rename renamenx copy move touch keys scan randomkey dbsize expire pexpire expireat pexpireat ttl pttl expiretime
        pexpiretime persist object object|encoding object|freq object|idletime object|refcount object|help flushdb
        flushall swapdb select ping echo quit reset auth hello time client client|id client|getname client|setname
        client|list client|info client|kill client|pause client|unpause client|reply client|no-evict client|help config
        config|get config|set config|resetstat config|rewrite config|help info command command|count command|docs
        command|getkeys command|getkeysandflags command|info command|list command|help lolwut debug shutdown slowlog
        slowlog|get slowlog|len slowlog|reset slowlog|help memory memory|usage memory|stats memory|doctor memory|help
        monitor""".split()
    assert not set(wanted) - have


@pytest.mark.tarn_only
def test_what_is_newer_is_there(dial):
    assert not {"delex", "delifeq", "digest", "msetex", "client|setinfo", "client|no-touch"} - set(entries(dial()))


@pytest.fixture
def like_8(dial):
    """Whether the server under test is to be like Redis 8."""
    return re.search(rb"redis_version:(\d+)", dial().cmd("INFO", "server"))[1] >= b"8"


def different_words(ours, known, kind, like_8):
    """{name: what only one of both has and is not known to differ}"""
    found = {}
    for name in shared(ours, known):
        words = {word.decode() for word in set(ours[name][kind]) ^ set(known[name][kind])}
        meant = {word for word in DIFFERENT_WORDS.get(name, ()) if word.startswith("@") == (kind == "categories")} if like_8 else set()
        if words != meant:
            found[name] = sorted(words ^ meant)
    return found


def test_arity(dial, known, like_8):
    ours = entries(dial())
    different = DIFFERENT_ARITY if like_8 else {}
    wrong = {name: (ours[name]["arity"], different.get(name, known[name]["arity"])) for name in shared(ours, known)
             if ours[name]["arity"] != different.get(name, known[name]["arity"])}
    assert not wrong, "name: (ours, wanted)"


def test_key_positions(dial, known):
    ours = entries(dial())
    wrong = {}
    for name in shared(ours, known):
        mine, theirs = ([e[k] for k in ("first", "last", "step")] for e in (ours[name], known[name]))
        if mine != theirs:
            wrong[name] = (mine, theirs)
    assert not wrong, "name: (ours, wanted)"


def test_flags(dial, known, like_8):
    assert different_words(entries(dial()), known, "flags", like_8) == {}


def test_acl_categories(dial, known, like_8):
    assert different_words(entries(dial()), known, "categories", like_8) == {}


def spec_places(specs):
    """Where the keys are, without the notes and flags that vary between versions."""
    places = []
    for spec in specs:
        spec = dict(zip(spec[::2], spec[1::2]))
        places.append((spec[b"begin_search"], spec[b"find_keys"]))
    return places


def test_key_specs(dial, known):
    ours = entries(dial())
    wrong = {name: (spec_places(ours[name]["specs"]), spec_places(known[name]["specs"])) for name in shared(ours, known)
             if spec_places(ours[name]["specs"]) != spec_places(known[name]["specs"])}
    assert not wrong, "name: (ours, wanted)"


@pytest.mark.since("8.2.0")
def test_what_8_declares(dial):
    """Tips and key flags that 7.0 does not have, or has otherwise."""
    ours = entries(dial())
    everywhere = {b"request_policy:all_nodes", b"response_policy:all_succeeded"}
    for name in ("client|setname", "config|resetstat", "config|rewrite"):
        assert set(ours[name]["tips"]) == everywhere, name
    assert ours["msetnx"]["tips"] == []
    assert b"response_policy:special" in ours["randomkey"]["tips"] and b"response_policy:special" in ours["scan"]["tips"]
    assert ours["sinterstore"]["specs"][0][1] == [b"OW", b"update"]
    assert b"denyoom" not in ours["hexpire"]["flags"] and b"denyoom" in ours["hsetex"]["flags"]
    assert set(ours["waitaof"]["flags"]) == {b"blocking"}
    assert set(ours["publish"]["flags"]) == {b"pubsub", b"loading", b"stale", b"fast"}


@pytest.mark.tarn_only
def test_setinfo_has_its_categories(dial):
    row = entries(dial())["client|setinfo"]
    assert row["arity"] == 4
    assert set(row["categories"]) == {b"@connection", b"@slow"}


# INFO

def test_info_of_get(dial):
    c = dial()
    row, = c.cmd("COMMAND", "INFO", "get")
    assert row == [b"get", 2, [b"readonly", b"fast"], 1, 1, 1, [b"@read", b"@string", b"@fast"], [],
                   [[b"flags", [b"RO", b"access"], b"begin_search", [b"type", b"index", b"spec", [b"index", 1]],
                     b"find_keys", [b"type", b"range", b"spec", [b"lastkey", 0, b"keystep", 1, b"limit", 0]]]], []]
    assert all(isinstance(flag, Simple) for flag in row[2] + row[6])
    assert not isinstance(row[0], Simple)


def test_info_in_resp3(dial):
    row, = dial(protocol=3).cmd("COMMAND", "INFO", "get")
    assert isinstance(row[2], Set) and isinstance(row[6], Set) and isinstance(row[7], Set) and isinstance(row[8], Set)
    assert isinstance(row[8][0], Map) and isinstance(row[8][0].as_dict()[b"begin_search"], Map)


def test_info_of_several_and_of_unknown_ones(dial):
    c = dial()
    rows = c.cmd("COMMAND", "INFO", "nosuch", "GeT", "config|get", "config|nosuch")
    assert rows[0] is None and rows[3] is None
    assert rows[1][0] == b"get" and rows[2][0] == b"config|get" and rows[2][1] == -3
    c.send_command("COMMAND", "INFO", "nosuch")
    assert c.read_raw_reply() == b"*1\r\n$-1\r\n"
    assert sorted(row[0] for row in c.cmd("COMMAND", "INFO")) == sorted(row[0] for row in c.cmd("COMMAND"))


def test_info_of_a_container_has_its_subcommands(dial):
    row, = dial().cmd("COMMAND", "INFO", "client")
    names = {sub[0] for sub in row[9]}
    assert {b"client|id", b"client|list", b"client|help"} <= names
    assert all(len(sub) == 10 for sub in row[9])


# DOCS

def docs(connection, *names):
    reply = connection.cmd("COMMAND", "DOCS", *names)
    return {k.decode(): dict(zip(v[::2], v[1::2])) for k, v in zip(reply[::2], reply[1::2])}


def test_docs_of_get(dial):
    got = docs(dial(), "get")
    assert list(got) == ["get"]
    assert got["get"][b"summary"] and isinstance(got["get"][b"summary"], bytes)
    assert got["get"][b"since"] == b"1.0.0" and got["get"][b"group"] == b"string" and got["get"][b"complexity"] == b"O(1)"
    argument = dict(zip(got["get"][b"arguments"][0][::2], got["get"][b"arguments"][0][1::2]))
    assert argument[b"name"] == b"key" and argument[b"type"] == b"key" and argument[b"key_spec_index"] == 0


def test_docs_forms(dial):
    c = dial()
    assert docs(c, "nosuch") == {}
    assert set(docs(c, "GET", "nosuch", "set")) == {"get", "set"}
    assert set(docs(c, "config|get")) == {"config|get"}
    everything = docs(c)
    assert set(everything) == {row[0].decode() for row in c.cmd("COMMAND")}
    container = everything["client"]
    subcommands = dict(zip(container[b"subcommands"][::2], container[b"subcommands"][1::2]))
    assert b"client|kill" in subcommands
    for name, fields in everything.items():
        assert fields.get(b"summary"), name
        assert fields.get(b"since") and fields.get(b"group"), name


def test_docs_in_resp3(dial):
    reply = dial(protocol=3).cmd("COMMAND", "DOCS", "get")
    assert isinstance(reply, Map)
    fields = reply.as_dict()[b"get"]
    assert isinstance(fields, Map)
    assert isinstance(fields.as_dict()[b"arguments"][0], Map)


@pytest.fixture(scope="module")
def known_docs():
    with Server(REFERENCE) as server, Raw(server.port) as c:
        return docs(c)


def test_docs_since_and_group_beside_the_reference(dial, known_docs):
    """redis-cli builds its hints from these."""
    ours = docs(dial())
    for name in sorted(set(ours) & set(known_docs)):
        for field in (b"since", b"group"):
            assert ours[name][field] == known_docs[name][field], (name, field)


def argument_names(arguments):
    found = []
    for flat in arguments or []:
        argument = dict(zip(flat[::2], flat[1::2]))
        found.append((argument[b"type"], argument.get(b"token"), argument_names(argument.get(b"arguments"))))
    return found


@pytest.mark.parametrize("name", ["get", "mget", "mset", "expire", "bitcount", "scan", "getex", "lcs", "copy", "setrange",
                                  "incrby", "append", "rename", "hello", "select", "ping", "flushall"])
def test_docs_arguments_beside_the_reference(dial, known_docs, name):
    ours = docs(dial(), name)[name]
    assert argument_names(ours.get(b"arguments")) == argument_names(known_docs[name].get(b"arguments"))


# GETKEYS

@pytest.mark.parametrize("command, keys", [
    ("get a", "a"), ("set a 1 ex 10", "a"), ("mset a 1 b 2", "a b"), ("msetnx a 1 b 2", "a b"), ("mget a b c", "a b c"),
    ("del a b a", "a b a"), ("rename a b", "a b"), ("copy a b db 2", "a b"), ("move a 1", "a"), ("lcs a b len", "a b"),
    ("bitop and d a b", "d a b"), ("object encoding a", "a"), ("memory usage a", "a"), ("touch a b", "a b"),
    ("GETEX a persist", "a"), ("bitfield a get u8 0", "a"), ("exists a b", "a b"), ("strlen a", "a"),
    ("substr a 0 1", "a"), ("expire a 10 nx", "a"), ("object freq a", "a"),
])
def test_getkeys(dial, command, keys):
    assert dial().cmd("COMMAND", "GETKEYS", *command.split()) == [k.encode() for k in keys.split()]


@pytest.mark.tarn_only
@pytest.mark.parametrize("command, keys", [
    ("msetex 2 a 1 b 2 nx", "a b"), ("delex a ifeq v", "a"), ("delifeq a v", "a"), ("digest a", "a"),
])
def test_getkeys_of_newer_commands(dial, command, keys):
    assert dial().cmd("COMMAND", "GETKEYS", *command.split()) == [k.encode() for k in keys.split()]


@pytest.mark.parametrize("arguments", ["x 0", "x 0 arg", "x -1", "x a", "x 2 k"])
@pytest.mark.parametrize("command", ["eval", "eval_ro", "evalsha", "evalsha_ro", "fcall", "fcall_ro"])
@pytest.mark.parametrize("subcommand", ["GETKEYS", "GETKEYSANDFLAGS"])
def test_a_script_may_have_no_keys(dial, subcommand, command, arguments):
    assert dial().cmd("COMMAND", subcommand, command, *arguments.split()) == []


@pytest.mark.parametrize("command, text", [
    ("spublish a b", "ERR The command has no key arguments"),
    ("ssubscribe a", "ERR The command has no key arguments"),
    ("sunsubscribe a", "ERR The command has no key arguments"),
    ("zunionstore d 0 a", "ERR Invalid arguments specified for command"),
    ("sintercard 0 a", "ERR Invalid arguments specified for command"),
    ("lmpop 0 left left", "ERR Invalid arguments specified for command"),
    ("ping x", "ERR The command has no key arguments"),
    ("config get x", "ERR The command has no key arguments"),
    ("client id", "ERR The command has no key arguments"),
    ("nosuch x", "ERR Invalid command specified"),
    ("config nosuch x", "ERR Invalid command specified"),
    ("get a b", "ERR Invalid number of arguments specified for command"),
    ("mset a", "ERR Invalid number of arguments specified for command"),
])
@pytest.mark.parametrize("subcommand", ["GETKEYS", "GETKEYSANDFLAGS"])
def test_getkeys_errors(dial, subcommand, command, text):
    assert dial().cmd("COMMAND", subcommand, *command.split()) == text.encode()


def test_getkeys_without_a_command(dial):
    assert dial().cmd("COMMAND", "GETKEYS") == b"ERR wrong number of arguments for 'command|getkeys' command"


@pytest.mark.parametrize("command, keys", [
    ("get a", {"a": "RO access"}), ("set a b", {"a": "OW update"}), ("set a b get", {"a": "RW access update"}),
    ("rename a b", {"a": "RW access delete", "b": "OW update"}), ("renamenx a b", {"a": "RW access delete", "b": "OW insert"}),
    ("copy a b", {"a": "RO access", "b": "OW update"}), ("del a b", {"a": "RM delete", "b": "RM delete"}),
    ("unlink a", {"a": "RM delete"}), ("getset a b", {"a": "RW access update"}), ("getdel a", {"a": "RW access delete"}),
    ("getex a", {"a": "RW access update"}), ("mget a b", {"a": "RO access", "b": "RO access"}), ("exists a", {"a": "RO"}),
    ("type a", {"a": "RO"}), ("touch a", {"a": "RO"}), ("expire a 1", {"a": "RW update"}), ("append a 1", {"a": "RW insert"}),
    ("setrange a 0 x", {"a": "RW update"}), ("incr a", {"a": "RW access update"}), ("setbit a 0 1", {"a": "RW access update"}),
    ("bitcount a", {"a": "RO access"}), ("bitop and d a", {"d": "OW update", "a": "RO access"}),
    ("bitfield a get u8 0", {"a": "RO access"}), ("bitfield a set u8 0 1", {"a": "RW access update"}),
    ("object encoding a", {"a": "RO"}), ("move a 1", {"a": "RW access update"}), ("mset a b", {"a": "OW update"}),
])
def test_getkeysandflags(dial, command, keys):
    reply = dial().cmd("COMMAND", "GETKEYSANDFLAGS", *command.split())
    assert {k.decode(): b" ".join(flags).decode() for k, flags in reply} == keys


# LIST

def test_list_filters(dial, known):
    c = dial()

    def names(*args):
        return {name.decode() for name in c.cmd("COMMAND", "LIST", "FILTERBY", *args)}
    assert names("PATTERN", "getr*") == {"getrange"}
    assert names("pattern", "CLIENT|*") == {n for n in entries(c) if n.startswith("client|")}
    assert names("PATTERN", "nosuch*") == set()
    assert names("MODULE", "nosuch") == set()
    assert names("ACLCAT", "nosuch") == set()
    have = entries(c)
    assert names("ACLCAT", "bitmap") == {n for n, e in have.items() if b"@bitmap" in e["categories"]}
    assert {"setbit", "bitop"} <= names("ACLCAT", "BITMAP")
    assert c.cmd("COMMAND", "LIST", "FILTERBY", "nosuch", "x") == b"ERR syntax error"
    assert c.cmd("COMMAND", "LIST", "FILTERBY", "PATTERN") == b"ERR syntax error"
    assert c.cmd("COMMAND", "LIST", "x") == b"ERR syntax error"


# The container itself, and every container's HELP

def test_errors(dial):
    c = dial()
    assert c.cmd("COMMAND", "nosuch") == b"ERR unknown subcommand 'nosuch'. Try COMMAND HELP."
    assert c.cmd("COMMAND", "COUNT", "x") == b"ERR wrong number of arguments for 'command|count' command"


def test_every_container_has_help(dial):
    c = dial()
    containers = [row[0].decode() for row in c.cmd("COMMAND") if row[9]]
    assert {"client", "config", "command", "object", "slowlog", "memory"} <= set(containers)
    assert c.cmd("DEBUG", "HELP")[0] == b"DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    for name in containers:
        if name + "|help" not in entries(c) or name == "cluster":
            continue
        lines = c.cmd(name, "help")
        assert lines[0].upper() == f"{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:".upper().encode()
        assert lines[-2] == b"HELP" and lines[-1] in HELP_OF_HELP
        assert all(isinstance(line, Simple) for line in lines)
        assert c.cmd(name, "help", "x") == f"ERR wrong number of arguments for '{name}|help' command".encode()
        text = b"\n".join(lines).upper()
        for sub in [row for row in c.cmd("COMMAND", "INFO", name)][0][9]:
            assert sub[0].split(b"|")[1].upper() in text, sub[0]


def test_unknown_subcommands_of_every_container(dial):
    c = dial()
    for row in c.cmd("COMMAND"):
        if row[9] and row[0] != b"command":
            name = row[0].decode()
            reply = c.cmd(name, "nosuch-thing")
            assert reply == f"ERR unknown subcommand 'nosuch-thing'. Try {name.upper()} HELP.".encode()
