"""FUNCTION and FCALL: libraries and their first line, what register_function takes, what a library may do while it is loaded and what
its functions may do later, LIST and STATS, DUMP and RESTORE beside a redis-server 7.0, the end of functions that do not end, and
libraries that change while all workers call them."""
import os
import random
import shutil
import threading

import pytest

from tests.system.harness import Server, wait_until
from tests.system.threads import in_threads
from tests.system.wire import NIL, NIL_BULK, Error, Map, Set, Status

REFERENCE = "/usr/bin/redis-server"
BAD_NAME = ("ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long")
NOT_FOUND = "ERR Function not found"
REGISTERING = "ERR Error registering functions: ERR "
COMPILING = "ERR Error compiling function: "
BAD_SUM = "ERR DUMP payload version or checksum are wrong"

pytestmark = pytest.mark.needs("FCALL", "FUNCTION")


@pytest.fixture(autouse=True)
def no_libraries(server):
    """The shared server has no library when a test begins."""
    with server.wire() as connection:
        assert connection("FUNCTION", "FLUSH") == Status(b"OK")


def library(body, name="lib"):
    return f"#!lua name={name}\n{body}"


def function(name, body="return 1", flags=None):
    """Lua that registers a function of KEYS and ARGV."""
    said = "" if flags is None else f", flags={{{','.join(repr(flag) for flag in flags)}}}"
    return f"redis.register_function{{function_name='{name}', callback=function(KEYS, ARGV) {body} end{said}}}\n"


def load(c, body, name="lib", *options):
    assert c("FUNCTION", "LOAD", *options, library(body, name)) == name.encode()


def replace(c, body, name="lib"):
    load(c, body, name, "REPLACE")


def names(c):
    return sorted(bytes(c.pairs(lib)[b"library_name"]).decode() for lib in c("FUNCTION", "LIST"))


def function_names(c):
    return sorted(bytes(c.pairs(f)[b"name"]).decode() for lib in c("FUNCTION", "LIST") for f in c.pairs(lib)[b"functions"])


# ---- The first line ----

@pytest.mark.parametrize("code, error", {
    "": "Missing library metadata",
    "return 1": "Missing library metadata",
    " #!lua name=a\n": "Missing library metadata",
    "\x1bLua": "Missing library metadata",
    "#!lua": "Invalid library metadata",
    "#!lua name=a": "Invalid library metadata",
    "#!lua name=\"ab\nreturn 1": "Invalid library metadata",
    "#!lua name='a'x\nreturn 1": "Invalid library metadata",
    "#!lua name=a\0b\nreturn 1": "Invalid library metadata",
    "#!lua\0 name=a\nreturn 1": "Invalid library metadata",
    "#!lua\n": "Library name was not given",
    "#!\n": "Library name was not given",
    "#!luaname=a\n": "Library name was not given",
    "#!js\nx": "Library name was not given",
    "#!name=a\nx": "Library name was not given",
    "#! lua name=a\n": "Invalid metadata value given: lua",
    "#!lua a\n": "Invalid metadata value given: a",
    "#!lua name=a b\n": "Invalid metadata value given: b",
    "#!lua name=a flags=x\n": "Invalid metadata value given: flags=x",
    "#!js foo=b\n": "Invalid metadata value given: foo=b",
    "#!lua name=a name=b\n": "Invalid metadata value, name argument was given multiple times",
    "#!lua name=\nreturn 1": BAD_NAME[4:],
    "#!lua name=a-b\nreturn 1": BAD_NAME[4:],
    "#!lua name=''\nreturn 1": BAD_NAME[4:],
    "#!lua name=\u00e9\nreturn 1": BAD_NAME[4:],
    "#!lua name=a=b\nreturn 1": BAD_NAME[4:],
    "#!js name=a-b\nreturn 1": BAD_NAME[4:],
    "#!js name=a\nreturn 1": "Engine 'js' not found",
    "#!lua name=a\n": "No functions registered",
    "#!lua name=a\nreturn 5": "No functions registered",
}.items())
@pytest.mark.protocols(2)
@pytest.mark.workers(1)
def test_what_a_first_line_must_be_like(c, code, error):
    assert c.fails("FUNCTION", "LOAD", code) == f"ERR {error}"
    assert c("FUNCTION", "LIST") == []


@pytest.mark.parametrize("line, name", [
    ("#!lua name=a", "a"), ("#!LUA NAME=Ab_9", "Ab_9"), ("#!lua  name=_ ", "_"), ("#!lua\tname=a\r", "a"), ("#!'lua' 'name=q'", "q"),
    ("#!lua name=\"a\\x41\"", "aA"), ("#!lua name=" + "n" * 5000, "n" * 5000)])
@pytest.mark.protocols(2)
@pytest.mark.workers(1)
def test_first_lines_that_are_fine(c, line, name):
    assert c("FUNCTION", "LOAD", f"{line}\n{function('f')}") == name.encode()
    assert names(c) == [name]


def test_the_words_of_load(c):
    code = library(function("f"))
    assert c.fails("FUNCTION", "LOAD") == "ERR wrong number of arguments for 'function|load' command"
    assert c.fails("FUNCTION", "LOAD", "x", code) == "ERR Unknown option given: x"
    assert c.fails("FUNCTION", "LOAD", "REPLACE") == "ERR Missing library metadata"
    assert c("FUNCTION", "LOAD", "REPLACE", code) == b"lib"
    assert c("FUNCTION", "LOAD", "replace", "Replace", code) == b"lib"
    assert c.fails("FUNCTION", "LOAD", code) == "ERR Library 'lib' already exists"
    # Whether it is there is looked at before the code is.
    assert c.fails("FUNCTION", "LOAD", library("x 1")) == "ERR Library 'lib' already exists"


# ---- register_function ----

@pytest.mark.parametrize("body, error", {
    "redis.register_function()": "wrong number of arguments to redis.register_function",
    "redis.register_function('f', function() end, 1)": "wrong number of arguments to redis.register_function",
    **{f"redis.register_function({value})": "calling redis.register_function with a single argument is only applicable to Lua table "
       "(representing named arguments)." for value in ("'f'", "1", "nil", "true", "function() end")},
    "redis.register_function('f', 1)": "second argument to redis.register_function must be a function",
    "redis.register_function({}, 1)": "first argument to redis.register_function must be a string",
    "redis.register_function({}, function() end)": "first argument to redis.register_function must be a string",
    "redis.register_function{}": "redis.register_function must get a function name argument",
    "redis.register_function{callback=function() end}": "redis.register_function must get a function name argument",
    "redis.register_function{function_name='f'}": "redis.register_function must get a callback argument",
    "redis.register_function{function_name='f', callback=1}":
        "callback argument given to redis.register_function must be a function",
    "redis.register_function{function_name={}, callback=function() end}":
        "function_name argument given to redis.register_function must be a string",
    "redis.register_function{function_name='f', callback=function() end, description={}}":
        "description argument given to redis.register_function must be a string",
    "redis.register_function{function_name='f', callback=function() end, foo=1}":
        "unknown argument given to redis.register_function",
    "redis.register_function{'f', function() end}": "unknown argument given to redis.register_function",
    "redis.register_function{function_name='f', callback=function() end, [{}]=1}":
        "named argument key given to redis.register_function is not a string",
    "redis.register_function{function_name='f', callback=function() end, flags='no-writes'}":
        "flags argument to redis.register_function must be a table representing function flags",
    "redis.register_function{function_name='f', callback=function() end, flags={'no-writes', 'foo'}}": "unknown flag given",
    "redis.register_function{function_name='f', callback=function() end, flags={1}}": "unknown flag given",
    "redis.register_function{function_name='f', callback=function() end, flags={{}}}": "unknown flag given",
    "redis.register_function('', function() end)": BAD_NAME[4:],
    "redis.register_function('a-b', function() end)": BAD_NAME[4:],
    "redis.register_function('a\\0b', function() end)": BAD_NAME[4:],
    "redis.register_function(1.5, function() end)": BAD_NAME[4:],
    function("f") + function("f"): "Function already exists in the library",
}.items())
@pytest.mark.protocols(2)
@pytest.mark.workers(1)
def test_what_register_function_refuses(c, body, error):
    assert c.fails("FUNCTION", "LOAD", library(body)) == REGISTERING + error
    assert c("FUNCTION", "LIST") == []


@pytest.mark.tarn_only  # redis-server 7.0 lets it in, and ends with an assertion when the library goes
def test_names_in_one_library_differ_in_more_than_case(c):
    assert c.fails("FUNCTION", "LOAD", library(function("f") + function("F"))) == REGISTERING + "Function already exists in the library"


@pytest.mark.parametrize("body, name", [
    ("redis.register_function('f', function() return 7 end)", "f"),
    ("redis.register_function(1, function() return 7 end)", "1"),
    ("redis.register_function{function_name='f', callback=function() return 7 end}", "f"),
    ("redis.register_function{FUNCTION_NAME='f', CallBack=function() return 7 end}", "f"),
    ("redis.register_function{function_name=12, callback=function() return 7 end}", "12"),
    ("redis.register_function{function_name='f', callback=function() return 7 end, flags={a='no-such-flag'}}", "f"),
    ("redis.register_function{function_name='f', callback=function() return 7 end, flags={[2]='no-such-flag'}}", "f"),
    (f"redis.register_function('{'f' * 5000}', function() return 7 end)", "f" * 5000),
    ("local s = ('f'):rep(3) redis.register_function(s, function() return 7 end)", "fff"),
])
def test_what_register_function_takes(c, body, name):
    load(c, body)
    assert function_names(c) == [name]
    assert c("FCALL", name, 0) == 7


# ---- While a library is loaded ----

@pytest.mark.parametrize("body, error", {
    "x = 1": "user_function:2: Attempt to modify a readonly table",
    "\n\nredis.x = 1": "user_function:4: Attempt to modify a readonly table",
    "redis.register_function = nil": "user_function:2: Attempt to modify a readonly table",
    "redis = nil": "user_function:2: Attempt to modify a readonly table",
    "return x": "user_function:2: Script attempted to access nonexistent global variable 'x'",
    "redis.call('GET', 'x')": "user_function:2: Script attempted to access nonexistent global variable 'call'",
    "redis.setresp(3)": "user_function:2: Script attempted to access nonexistent global variable 'setresp'",
    "return math.random()": "user_function:2: Script attempted to access nonexistent global variable 'math'",
    "return _G": "user_function:2: Script attempted to access nonexistent global variable '_G'",
    "KEYS[1] = 1": "user_function:2: Script attempted to access nonexistent global variable 'KEYS'",
    "local a = {} a.b.c = 1": "user_function:2: attempt to index field 'b' (a nil value)",
    "redis.log()": "redis.log() requires two arguments or more.",
    "redis.log('x', 'y')": "First argument must be a number (log level).",
    function("f") + "while true do end": "FUNCTION LOAD timeout",
    "local function f() return f() end f()": "FUNCTION LOAD timeout",
    "local function f() return 1 + f() end f()": "user_function:2: stack overflow",
}.items())
@pytest.mark.protocols(2)
@pytest.mark.workers(1)
def test_what_fails_while_it_is_loaded(c, body, error):
    assert c.fails("FUNCTION", "LOAD", library(body)) == REGISTERING + error
    assert c("FUNCTION", "LIST") == []


@pytest.mark.parametrize("body, error", {
    "return 1 +": "user_function:2: unexpected symbol near '<eof>'",
    "\n\n'": "user_function:4: unfinished string near '<eof>'",
    "\x1bLua": "user_function:2: unexpected symbol near 'char(27)'",
    "x": "user_function:2: '=' expected near '<eof>'",
}.items())
@pytest.mark.protocols(2)
@pytest.mark.workers(1)
def test_code_that_is_none(c, body, error):
    assert c.fails("FUNCTION", "LOAD", library(body)) == COMPILING + error


@pytest.mark.protocols(2)
def test_what_is_there_while_it_is_loaded(c):
    """Of all that scripts have, a library sees `redis`, and of that what it needs."""
    everything = """_G _VERSION assert bit cjson cmsgpack collectgarbage coroutine error gcinfo getmetatable ipairs load loadstring math next
        os pairs pcall rawequal rawget rawset redis select server setmetatable string struct table tonumber tostring type unpack xpcall
        KEYS ARGV print require debug getfenv setfenv dofile""".split()
    fields = """register_function log LOG_DEBUG LOG_VERBOSE LOG_NOTICE LOG_WARNING REDIS_VERSION REDIS_VERSION_NUM call pcall error_reply
        status_reply sha1hex setresp set_repl acl_check_cmd breakpoint""".split()

    def seen(words):
        return [word for word in words if c.all([["FUNCTION", "LOAD", "REPLACE", library(f"local a = {word}\n" + function("f"))]]) == [b"lib"]]

    assert seen(everything) == ["redis"]
    assert seen(f"redis.{field}" for field in fields) == [f"redis.{field}" for field in fields[:8]]


@pytest.mark.tarn_only  # redis-server has no such limit
def test_a_library_that_wants_too_much_memory(c):
    assert c.fails("FUNCTION", "LOAD", library("local s = ('x'):rep(1024 * 1024 * 1024)")) == REGISTERING + "not enough memory"
    load(c, function("f"))
    assert c("FCALL", "f", 0) == 1


def test_what_a_library_logs_is_logged_once(server, connect):
    before = server.log_position() if hasattr(server, "log_position") else 0
    text = f"a library says hello {random.randrange(10**9)}"
    load(connect(), f"redis.log(redis.LOG_WARNING, '{text}')\n" + function("f"))
    server.wait_log(text, since=before)
    for _ in range(8):
        assert connect()("FCALL", "f", 0) == 1
    assert server.log()[before:].count(text) == 1


# ---- FCALL ----

def test_a_call(c):
    load(c, function("f", "return {#KEYS, #ARGV, KEYS[1], ARGV[1], ARGV[2]}") + function("set", "return redis.call('SET', KEYS[1], ARGV[1])"))
    assert c("FCALL", "f", 0) == [0, 0]
    assert c("FCALL", "F", 1, "k", "a", "b") == [1, 2, b"k", b"a", b"b"]  # functions' names in any case
    assert c("FCALL", "f", 2, "k", "") == [2, 0, b"k"]
    assert c("FCALL", "set", 1, "key", "value") == b"OK"
    assert c("GET", "key") == b"value"


def test_errors_of_the_call_itself(c):
    load(c, function("f"))
    for command in ("FCALL", "FCALL_RO"):
        assert c.fails(command, "f") == f"ERR wrong number of arguments for '{command.lower()}' command"
        assert c.fails(command, "nope", 0) == NOT_FOUND
        assert c.fails(command, "nope", "x") == NOT_FOUND
        assert c.fails(command, "f", "x") == "ERR Bad number of keys provided"
        assert c.fails(command, "f", "9" * 20) == "ERR Bad number of keys provided"
        assert c.fails(command, "f", -1) == "ERR Number of keys can't be negative"
        assert c.fails(command, "f", 2, "k") == "ERR Number of keys can't be greater than number of args"
    assert c.fails("FCALL_RO", "f", 0) == "ERR Can not execute a script with write flag using *_ro command."


@pytest.mark.parametrize("body, error", {
    "error('x')": "ERR user_function:2: x script: f, on @user_function:2.",
    "error({err='FOO x'})": "FOO x script: f, on @user_function:2.",
    "return {err='FOO bar'}": "FOO bar",
    "return redis.error_reply('bar')": "ERR bar",
    "return redis.call('GET')": "ERR Wrong number of args calling Redis command from script script: f, on @user_function:2.",
    "\n\nreturn redis.call('foo')": "ERR Unknown Redis command called from script script: f, on @user_function:4.",
    "return redis.call('LPUSH', 'text', 'b')":
        "WRONGTYPE Operation against a key holding the wrong kind of value script: f, on @user_function:2.",
    "local t = nil return t.x":
        "ERR user_function:2: attempt to index local 't' (a nil value) script: f, on @user_function:2.",
    "return nope": "ERR user_function:2: Script attempted to access nonexistent global variable 'nope' script: f, on @user_function:2.",
    "return _G.nope":
        "ERR user_function:2: Script attempted to access nonexistent global variable 'nope' script: f, on @user_function:2.",
    "nope = 1": "ERR user_function:2: Attempt to modify a readonly table script: f, on @user_function:2.",
    "redis.x = 1": "ERR user_function:2: Attempt to modify a readonly table script: f, on @user_function:2.",
    **{f"return redis.call({words})": "ERR This Redis command is not allowed from script script: f, on @user_function:2."
       for words in ("'FCALL', 'f', 0", "'FCALL_RO', 'f', 0", "'EVAL', 'return 1', 0", "'FUNCTION', 'LIST'", "'FUNCTION', 'FLUSH'",
                     "'FUNCTION', 'LOAD', 'x'", "'FUNCTION', 'KILL'")},
}.items())
def test_errors_of_functions(c, body, error):
    c("SET", "text", "x")
    load(c, function("f", body))
    assert c.fails("FCALL", "f", 0) == error
    assert c("FUNCTION", "STATS")


def test_keys_and_arguments_are_no_globals(c):
    load(c, """redis.register_function('keys', function() return KEYS end)
        redis.register_function('args', function() return ARGV end)
        redis.register_function('count', function(...) return select('#', ...) end)""")
    missing = "ERR user_function:{}: Script attempted to access nonexistent global variable '{}' script: {}, on @user_function:{}."
    assert c.fails("FCALL", "keys", 0) == missing.format(2, "KEYS", "keys", 2)
    assert c.fails("FCALL", "args", 0, "x") == missing.format(3, "ARGV", "args", 3)
    assert c("FCALL", "count", 0, "x") == 2


@pytest.mark.needs("EVAL")
def test_registering_is_for_loading(c):
    load(c, """local kept, lib = redis.register_function, redis
        redis.register_function('late', function() redis.register_function('x', function() end) end)
        redis.register_function('kept', function() kept('x', function() end) end)
        redis.register_function('same', function() return lib == redis end)
        redis.register_function('call', function() return lib.call('PING') end)
        redis.register_function('write', function() lib.x = 1 end)
        redis.register_function('log', function() lib.log(lib.LOG_DEBUG, 'x') return lib.LOG_WARNING end)""")
    where = "script: {0}, on @user_function:{1}."
    assert c.fails("FCALL", "late", 0) == ("ERR user_function:3: attempt to call field 'register_function' (a nil value) "
                                           + where.format("late", 3))
    assert c.fails("FCALL", "kept", 0) == ("ERR redis.register_function can only be called on FUNCTION LOAD command "
                                           + where.format("kept", 4))
    assert c("FCALL", "same", 0) is None
    assert c.fails("FCALL", "call", 0) == ("ERR user_function:6: Script attempted to access nonexistent global variable 'call' "
                                           + where.format("call", 6))
    assert c.fails("FCALL", "write", 0) == "ERR user_function:7: Attempt to modify a readonly table " + where.format("write", 7)
    assert c("FCALL", "log", 0) == 3
    assert c("EVAL", "return redis.register_function", 0) is None
    assert function_names(c) == ["call", "kept", "late", "log", "same", "write"]


def test_flags_of_calls(c):
    load(c, function("reads", "return redis.call('GET', KEYS[1])", ["no-writes"])
         + function("lies", "return redis.call('SET', KEYS[1], 1)", ["no-writes"])
         + function("asks", "return redis.pcall('SET', KEYS[1], 1)['err']", ["no-writes"])
         + function("writes", "return redis.call('SET', KEYS[1], 1)"))
    refused = "ERR Write commands are not allowed from read-only scripts."
    c("SET", "k", "v")
    for command in ("FCALL", "FCALL_RO"):
        assert c(command, "reads", 1, "k") == b"v"
        assert c.fails(command, "lies", 1, "k") == f"{refused} script: lies, on @user_function:3."
        assert c(command, "asks", 1, "k") == refused.encode()
    assert c("GET", "k") == b"v"
    assert c.fails("FCALL_RO", "writes", 1, "k") == "ERR Can not execute a script with write flag using *_ro command."
    assert c("FCALL", "writes", 1, "k") == b"OK"


def test_local_variables_of_a_library_last(c):
    """For one connection, that is: each worker has its own."""
    body = """local n, t = 0, {}
        redis.register_function('next', function() n = n + 1 return n end)
        redis.register_function('last', function() return n end)
        redis.register_function('push', function(keys, args) t[#t + 1] = args[1] return t end)"""
    load(c, body)
    assert [c("FCALL", "next", 0) for _ in range(3)] == [1, 2, 3]
    assert c("FCALL", "last", 0) == 3
    assert [c("FCALL", "push", 0, word) for word in "ab"] == [[b"a"], [b"a", b"b"]]
    replace(c, body)
    assert c("FCALL", "last", 0) == 0


def test_functions_of_a_library_share_its_locals(c):
    load(c, "local function helper(x) return x * 2 end\n" + function("f", "return helper(ARGV[1])") + function("g", "return helper(4)"))
    assert c("FCALL", "f", 0, 21) == 42
    assert c("FCALL", "g", 0) == 8


def test_what_functions_have_that_loading_has_not(c):
    load(c, function("f", "return {string.format('%d', 5), type(cjson.encode), tostring(pcall(error)), math.floor(2.5), redis.sha1hex('')}"))
    assert c("FCALL", "f", 0) == [b"5", b"function", b"false", 2, b"da39a3ee5e6b4b0d3255bfef95601890afd80709"]


def test_replies_in_both_protocols(wire, protocol):
    wire("FUNCTION", "LOAD", library(function("map", "return {map={a=1}}") + function("none", "return") + function("yes", "return true")
                                     + function("hash", "redis.setresp(3) return redis.call('HGETALL', 'h')")))
    wire("HSET", "h", "f", "v")
    assert wire("FCALL", "map", 0) == (Map(((b"a", 1),)) if protocol == 3 else [b"a", 1])
    assert wire("FCALL", "hash", 0) == (Map(((b"f", b"v"),)) if protocol == 3 else [b"f", b"v"])
    assert wire("FCALL", "none", 0) == (NIL if protocol == 3 else NIL_BULK)
    assert wire("FCALL", "yes", 0) == 1


def test_its_keys_are_known(c):
    assert c("COMMAND", "GETKEYS", "FCALL", "f", 2, "a", "b", "c") == [b"a", b"b"]
    flags = [sorted(bytes(flag) for flag in entry[1]) for entry in c("COMMAND", "GETKEYSANDFLAGS", "FCALL_RO", "f", 1, "a", "b")]
    assert flags == [[b"RO", b"access"]]


# ---- Libraries beside each other ----

def test_names_are_taken_once(c):
    load(c, function("a"), "one")
    assert c.fails("FUNCTION", "LOAD", library(function("a"), "two")) == "ERR Function a already exists"
    assert c.fails("FUNCTION", "LOAD", library(function("A"), "two")) == "ERR Function A already exists"
    assert c.fails("FUNCTION", "LOAD", "REPLACE", library(function("b") + function("a"), "two")) == "ERR Function a already exists"
    assert c.fails("FCALL", "b", 0) == NOT_FOUND
    load(c, function("b"), "ONE")  # libraries' names are told apart with case
    assert names(c) == ["ONE", "one"]
    assert c.fails("FUNCTION", "LOAD", "REPLACE", library(function("b"), "One")) == "ERR Function b already exists"


@pytest.mark.parametrize("body", [
    function("new") + "x", function("new") + "x = 1", function("new") + "while true do end", function("new") + function("taken"),
    function("new") + function("new"), "return"])
def test_a_load_that_fails_leaves_the_old_library(c, body):
    load(c, function("old", "return 'old'"))
    load(c, function("taken"), "other")
    assert c("FCALL", "old", 0) == b"old"
    assert c.fails("FUNCTION", "LOAD", "REPLACE", library(body))
    assert c("FCALL", "old", 0) == b"old"
    assert c.fails("FCALL", "new", 0) == NOT_FOUND
    assert function_names(c) == ["old", "taken"]


def test_replace(c):
    load(c, function("a", "return 1") + function("b"))
    replace(c, function("a", "return 2") + function("c"))
    assert c("FCALL", "a", 0) == 2
    assert c.fails("FCALL", "b", 0) == NOT_FOUND
    assert function_names(c) == ["a", "c"]


def test_delete(c):
    load(c, function("a"), "one")
    load(c, function("b"), "two")
    assert c.fails("FUNCTION", "DELETE", "ONE") == "ERR Library not found"
    assert c.fails("FUNCTION", "DELETE") == "ERR wrong number of arguments for 'function|delete' command"
    assert c("FUNCTION", "DELETE", "one") == b"OK"
    assert c.fails("FUNCTION", "DELETE", "one") == "ERR Library not found"
    assert c.fails("FCALL", "a", 0) == NOT_FOUND
    assert c("FCALL", "b", 0) == 1


def test_flush(c):
    for words in ([], ["SYNC"], ["async"]):
        load(c, function("a"), "one")
        assert c("FCALL", "a", 0) == 1
        assert c("FUNCTION", "FLUSH", *words) == b"OK"
        assert c("FUNCTION", "LIST") == []
        assert c.fails("FCALL", "a", 0) == NOT_FOUND
    assert c.fails("FUNCTION", "FLUSH", "x") == "ERR FUNCTION FLUSH only supports SYNC|ASYNC option"
    assert c.fails("FUNCTION", "Flush", "SYNC", "SYNC") == (
        "ERR unknown subcommand or wrong number of arguments for 'Flush'. Try FUNCTION HELP.")


def test_flushall_leaves_libraries(c):
    load(c, function("a"))
    c("FLUSHALL")
    assert c("FCALL", "a", 0) == 1


def test_many_libraries(c):
    count = 300
    c.all([["FUNCTION", "LOAD", library(function(f"f{i}", f"return {i}") + function(f"g{i}", f"return -{i}"), f"l{i}")] for i in range(count)])
    order = list(range(count))
    random.Random(1).shuffle(order)
    assert c.all([["FCALL", f"f{i}", 0] for i in order]) == order
    for i in order[:200]:
        assert c("FUNCTION", "DELETE", f"l{i}") == b"OK"
    assert c.all([["FCALL", f"G{i}", 0] for i in order]) == [NOT_FOUND] * 200 + [-i for i in order[200:]]
    stats = c.pairs(c.pairs(c.pairs(c("FUNCTION", "STATS"))[b"engines"])[b"LUA"])
    assert stats == {b"libraries_count": 100, b"functions_count": 200}


# ---- LIST and STATS ----

def described(protocol, *pairs):
    return Map(pairs) if protocol == 3 else [part for pair in pairs for part in pair]


def test_list(wire, protocol):
    code = library("redis.register_function{function_name='f', callback=function() end, description='a\\0b\\n', "
                   "flags={'allow-cross-slot-keys', 'no-cluster', 'allow-stale', 'ALLOW-OOM', 'no-writes', 'no-writes'}}")
    wire("FUNCTION", "LOAD", code)
    flags = tuple(Status(flag) for flag in (b"no-writes", b"allow-oom", b"allow-stale", b"no-cluster", b"allow-cross-slot-keys"))
    f = described(protocol, (b"name", b"f"), (b"description", b"a\0b\n"), (b"flags", Set(flags) if protocol == 3 else list(flags)))
    head = ((b"library_name", b"lib"), (b"engine", b"LUA"), (b"functions", [f]))
    assert wire("FUNCTION", "LIST") == [described(protocol, *head)]
    assert wire("FUNCTION", "LIST", "WITHCODE") == [described(protocol, *head, (b"library_code", code.encode()))]
    assert wire("FUNCTION", "LIST", "libraryname", "L?b", "withcode") == [described(protocol, *head, (b"library_code", code.encode()))]
    assert wire("FUNCTION", "LIST", "WITHCODE", "LIBRARYNAME", "x*") == []
    wire("FUNCTION", "LOAD", "REPLACE", library(function("g") + "redis.register_function{function_name='h', callback=function() end, description=''}"))
    functions = dict(wire("FUNCTION", "LIST")[0].pairs)[b"functions"] if protocol == 3 else wire("FUNCTION", "LIST")[0][5]
    empty = Set(()) if protocol == 3 else []
    expected = [described(protocol, (b"name", b"g"), (b"description", NIL if protocol == 3 else NIL_BULK), (b"flags", empty)),
                described(protocol, (b"name", b"h"), (b"description", b""), (b"flags", empty))]
    assert sorted(functions, key=repr) == sorted(expected, key=repr)


def test_words_of_list(c):
    assert c.fails("FUNCTION", "LIST", "LIBRARYNAME") == "ERR library name argument was not given"
    assert c.fails("FUNCTION", "LIST", "x") == "ERR Unknown argument x"
    assert c.fails("FUNCTION", "LIST", "WITHCODE", "WITHCODE") == "ERR Unknown argument WITHCODE"
    assert c.fails("FUNCTION", "LIST", "LIBRARYNAME", "a", "LIBRARYNAME", "b") == "ERR Unknown argument LIBRARYNAME"


@pytest.mark.tarn_only  # redis-server lists them as they happen to lie
def test_the_order_of_list(c):
    for name in ("b", "a", "C"):
        load(c, function(f"{name}2") + function(f"{name}1"), name)
    assert [bytes(c.pairs(lib)[b"library_name"]) for lib in c("FUNCTION", "LIST")] == [b"C", b"a", b"b"]
    assert [bytes(c.pairs(f)[b"name"]) for f in c.pairs(c("FUNCTION", "LIST")[0])[b"functions"]] == [b"C2", b"C1"]


def test_stats(wire, protocol):
    wire("FUNCTION", "LOAD", library(function("f") + function("g")))
    counts = described(protocol, (b"libraries_count", 1), (b"functions_count", 2))
    assert wire("FUNCTION", "STATS") == described(
        protocol, (b"running_script", NIL if protocol == 3 else NIL_BULK), (b"engines", described(protocol, (b"LUA", counts))))


def test_help(c):
    lines = c("FUNCTION", "HELP")
    assert lines[0] == b"FUNCTION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    for word in (b"LOAD", b"DELETE", b"LIST", b"STATS", b"KILL", b"FLUSH", b"DUMP", b"RESTORE", b"HELP"):
        assert any(line.startswith(word) for line in lines), word
    assert c.fails("FUNCTION", "FOO") == "ERR unknown subcommand 'FOO'. Try FUNCTION HELP."
    assert c.fails("FUNCTION") == "ERR wrong number of arguments for 'function' command"


def test_in_a_transaction(c):
    load(c, function("f"))
    c("MULTI")
    for words in (["FCALL", "f", 0], ["FCALL", "m", 0], ["FUNCTION", "LOAD", library(function("m", "return 5"), "m")], ["FCALL", "m", 0],
                  ["FUNCTION", "FLUSH"], ["FCALL", "m", 0], ["FUNCTION", "LIST"]):
        assert c(*words) == b"QUEUED"
    replies = [getattr(reply, "line", reply) for reply in c("EXEC")]
    assert replies == [1, NOT_FOUND, b"m", 5, b"OK", NOT_FOUND, []]


# ---- DUMP and RESTORE ----

def crc64(data):
    """As Redis has it, bit by bit, apart from the one under test."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x95AC9329AC4BC9B5 if crc & 1 else 0)
    return crc


def sealed(body, version=10):
    body += version.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")


def saved(code):
    code = code.encode()
    return b"\xf5" + bytes([0x40 | len(code) >> 8, len(code) & 255]) + code


def test_the_bytes_of_dump(c):
    assert c("FUNCTION", "DUMP") == sealed(b"")
    code = library("redis.register_function('a', function() return 1 end)")
    c("FUNCTION", "LOAD", code)
    assert c("FUNCTION", "DUMP") == sealed(saved(code))
    assert c.fails("FUNCTION", "DUMP", "x") == "ERR wrong number of arguments for 'function|dump' command"


def test_there_and_back(c):
    load(c, function("a", "return 'A'") + "--" + "xy" * 1000, "one")
    load(c, function("b", "return 'B'"), "two")
    payload = c("FUNCTION", "DUMP")
    before = sorted(map(repr, c("FUNCTION", "LIST", "WITHCODE")))
    c("FUNCTION", "FLUSH")
    assert c("FUNCTION", "RESTORE", payload) == b"OK"
    assert sorted(map(repr, c("FUNCTION", "LIST", "WITHCODE"))) == before
    assert [c("FCALL", name, 0) for name in "ab"] == [b"A", b"B"]


@pytest.mark.parametrize("words, there, names_taken, result", [
    ([], "ERR Library one already exists", "ERR Function a already exists", b"old"),
    (["append"], "ERR Library one already exists", "ERR Function a already exists", b"old"),
    (["REPLACE"], b"OK", "ERR Function a already exists", b"new"),
    (["FLUSH"], b"OK", b"OK", b"new"),
])
def test_what_restore_does_with_libraries_that_are_there(c, words, there, names_taken, result):
    def restore(*codes):
        return c.all([["FUNCTION", "RESTORE", sealed(b"".join(map(saved, codes))), *words]])[0]

    load(c, function("a", "return 'old'"), "one")
    assert restore(library(function("b"), "two"), library(function("a", "return 'new'"), "one")) == there
    assert c("FCALL", "a", 0) == result
    assert names(c) == (["one", "two"] if there == b"OK" else ["one"])
    before = names(c)
    assert restore(library(function("z"), "three"), library(function("a"), "four")) == names_taken
    assert names(c) == (["four", "three"] if names_taken == b"OK" else before)
    before = names(c)
    assert restore(library(function("q"), "q"), library("x", "r")) == COMPILING + "user_function:2: '=' expected near '<eof>'"
    assert names(c) == before
    assert restore() == b"OK"
    assert names(c) == ([] if words == ["FLUSH"] else before)


@pytest.mark.parametrize("body, error", [
    (b"\0" + saved("x")[1:], "ERR given type is not a function"),
    (saved(library(function("f"))) + b"x", "ERR given type is not a function"),
    (b"\xf5", "ERR Failed loading library payload"),
    (b"\xf5\xc0\x0c", "ERR Missing library metadata"),  # a string that is a number
    (saved("return 1"), "ERR Missing library metadata"),
    (saved("#!js name=a\nx"), "ERR Engine 'js' not found"),
    (saved("#!lua name=a\n"), "ERR No functions registered"),
    (saved(library("redis.x = 1")), REGISTERING + "user_function:2: Attempt to modify a readonly table"),
    (saved(library(function("f"))) + saved(library(function("g"))), "ERR Library 'lib' already exists"),
    (saved(library(function("f"))) + saved(library(function("f"), "two")), "ERR Function f already exists"),
])
@pytest.mark.protocols(2)
def test_payloads_that_are_wrong(c, body, error):
    assert c.fails("FUNCTION", "RESTORE", sealed(body)) == error
    assert c("FUNCTION", "LIST") == []


@pytest.mark.tarn_only  # redis-server 7.0 reads on into the footer, knows a form from before 7.0, and has no end of its patience
@pytest.mark.parametrize("body, error", [
    (saved(library(function("f")))[:-3], "ERR Failed loading library payload"),
    (b"\xf6" + saved("x")[1:], "ERR given type is not a function"),
    (saved(library("while true do end")), REGISTERING + "FUNCTION LOAD timeout"),
])
@pytest.mark.protocols(2)
def test_more_payloads_that_are_wrong(c, body, error):
    assert c.fails("FUNCTION", "RESTORE", sealed(body)) == error
    assert c("FUNCTION", "LIST") == []


@pytest.mark.protocols(2)
def test_damaged_payloads(c):
    good = sealed(saved(library(function("f"))))
    seed = int(os.environ.get("TARN_SEED") or random.randrange(2**32))
    print(f"TARN_SEED={seed}")
    rng = random.Random(seed)
    bad = [b"", b"x" * 9, b"x" * 40, good[:-1], good + b"x", sealed(saved(library(function("f"))), 13)]
    for _ in range(200):
        at = rng.randrange(len(good))
        bad.append(good[:at] + bytes([good[at] ^ 1 << rng.randrange(8)]) + good[at + 1:])
    assert set(c.all([["FUNCTION", "RESTORE", payload] for payload in bad])) == {BAD_SUM}
    assert c("FUNCTION", "LIST") == []


@pytest.mark.protocols(2)
def test_made_up_payloads(c):
    """With a right sum whatever is in them: refused, or let in whole."""
    seed = int(os.environ.get("TARN_SEED") or random.randrange(2**32))
    print(f"TARN_SEED={seed}")
    rng = random.Random(seed)
    good = saved(library(function("f"), "one")) + saved(library(function("g"), "two"))
    for _ in range(100):
        body = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        if b"while" in body or b"repeat" in body or b"goto" in body:
            continue
        reply = c.all([["FUNCTION", "RESTORE", sealed(bytes(body[:rng.randrange(len(body) + 1)])), "FLUSH"]])[0]
        assert reply == b"OK" or reply.startswith("ERR "), reply
        assert len(names(c)) == len({name for name in names(c)})


def test_words_of_restore(c):
    payload = sealed(b"")
    wrong = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
    assert c.fails("FUNCTION", "RESTORE", payload, "x") == wrong
    assert c.fails("FUNCTION", "RESTORE", "damaged", "x") == wrong
    assert c.fails("FUNCTION", "RESTORE", payload, "FLUSH", "FLUSH") == (
        "ERR unknown subcommand or wrong number of arguments for 'RESTORE'. Try FUNCTION HELP.")
    assert c.fails("FUNCTION", "RESTORE") == "ERR wrong number of arguments for 'function|restore' command"


@pytest.fixture(scope="module")
def redis7():
    assert shutil.which(REFERENCE), "tests compare with Debian's redis-server"
    with Server(REFERENCE) as server:
        with server.client() as client:
            yield client


@pytest.mark.protocols(2)
def test_payloads_cross_both_ways(c, redis7):
    redis7("FUNCTION", "FLUSH")
    codes = {"short": function("a"), "long": function("b") + "-- " + "abc" * 5000, "random": function("c") + "--" + "".join(
        random.Random(1).choice("abcdefghijklmnopqrstuvwxyz") for _ in range(20000))}
    for name, body in codes.items():
        load(c, body, name)
    for one, other in ((c, redis7), (redis7, c)):
        other("FUNCTION", "FLUSH")
        assert other("FUNCTION", "RESTORE", one("FUNCTION", "DUMP")) == b"OK"
        assert names(other) == sorted(codes)
        assert {bytes(c.pairs(lib)[b"library_code"]) for lib in other("FUNCTION", "LIST", "WITHCODE")} == {
            library(body, name).encode() for name, body in codes.items()}
        assert [other("FCALL", f, 0) for f in "abc"] == [1, 1, 1]


# ---- Functions that do not end ----

class Behind:
    """A command on a connection of its own whose reply is waited for later."""

    def __init__(self, connection, *words):
        self.connection, self.reply = connection, None
        self.thread = threading.Thread(target=self._run, args=words, daemon=True)
        self.thread.start()

    def _run(self, *words):
        self.reply = self.connection(*words)

    def end(self):
        self.thread.join(30)
        assert not self.thread.is_alive()
        return self.reply


SPIN = "while true do pcall(function() while true do end end) end"


def running(wire, protocol):
    """What FUNCTION STATS says is running, as a dictionary; None: nothing."""
    reply = wire("FUNCTION", "STATS")
    if isinstance(reply, Error):
        return None
    script = reply.pairs[0][1] if protocol == 3 else reply[1]
    if script in (NIL, NIL_BULK):
        return None
    return dict(script.pairs) if protocol == 3 else dict(zip(script[::2], script[1::2]))


@pytest.mark.parametrize("command", ["FCALL", "FCALL_RO"])
def test_kill(wire, wires, protocol, settings, command):
    settings(busy_reply_threshold=20)
    wire("FUNCTION", "LOAD", library(function("spin", SPIN, ["no-writes"])))
    spinning = Behind(wires(), command, "spin", 1, "key", "", "arg")
    seen = wait_until(lambda: running(wire, protocol))
    assert seen[b"name"] == b"spin"
    assert seen[b"command"] == [command.encode(), b"spin", b"1", b"key", b"", b"arg"]
    wait_until(lambda: running(wire, protocol)[b"duration_ms"] > 20)
    assert wire("FUNCTION", "KILL") == Status(b"OK")
    reply = spinning.end()
    assert isinstance(reply, Error) and b"Script killed by user with" in reply and b"script: spin, on @user_function:2." in reply
    assert running(wire, protocol) is None
    assert wire("SET", "key", "x") == Status(b"OK")


def test_a_function_that_has_written_is_not_killed(wire, wires, protocol, settings):
    settings(busy_reply_threshold=20)
    wire("FUNCTION", "LOAD", library(function(
        "write", "redis.call('SET', KEYS[1], 1) local t = redis.call('TIME')[1] + 0 "
        "while redis.call('TIME')[1] - t < 2 do end return 'done'")))
    writing = Behind(wires(), "FCALL", "write", 1, "key")
    wait_until(lambda: (running(wire, protocol) or {}).get(b"duration_ms", 0) > 50)
    reply = wire("FUNCTION", "KILL")
    assert isinstance(reply, Error) and reply.startswith(b"UNKILLABLE Sorry the script already executed write commands")
    assert writing.end() == b"done"


def test_nothing_to_kill(c):
    assert c.fails("FUNCTION", "KILL") == "NOTBUSY No scripts in execution right now."


@pytest.mark.needs("EVAL")
def test_each_kill_has_its_kind(wire, wires, protocol, settings):
    settings(busy_reply_threshold=20)
    wire("FUNCTION", "LOAD", library(function("spin", SPIN)))
    busy = "BUSY Redis is busy running a script. You can only call {} KILL or SHUTDOWN NOSAVE."
    script = Behind(wires(), "EVAL", "while true do end", 0)
    expected = Error(busy.format("SCRIPT").encode())
    wait_until(lambda: wire("FUNCTION", "STATS") == expected)
    assert wire("FUNCTION", "KILL") == expected
    assert wire("SCRIPT", "KILL") == Status(b"OK")
    assert isinstance(script.end(), Error)
    spinning = Behind(wires(), "FCALL", "spin", 0)
    wait_until(lambda: (running(wire, protocol) or {}).get(b"duration_ms", 0) > 20)
    assert wire("SCRIPT", "KILL") == Error(busy.format("FUNCTION").encode())
    assert wire("FUNCTION", "KILL") == Status(b"OK")
    assert isinstance(spinning.end(), Error)


# ---- Libraries that change while they are in use ----

@pytest.mark.protocols(2)
def test_every_worker_has_what_was_loaded(c, connect):
    clients = [connect() for _ in range(12)]
    for n in range(5):
        replace(c, function("f", f"return redis.call('INCRBY', KEYS[1], {n})"))
        c("SET", "k", 100)
        assert [client("FCALL", "f", 1, "k") for client in clients] == [100 + n * (i + 1) for i in range(12)]
    c("FUNCTION", "DELETE", "lib")
    assert {client.fails("FCALL", "f", 1, "k") for client in clients} == {NOT_FOUND}


@pytest.mark.protocols(2)
def test_replace_under_load(c, connect):
    """Each call sees one version of the library, whole, and the versions that a client sees never go back."""
    rounds = 60

    def version(n):
        return f"local v = {n}\n" + function("f", "return {v, redis.call('INCR', KEYS[1])}") + function("g", f"return {{{n}, v}}")

    load(c, version(0))
    over = threading.Event()
    calls = [0] * 8

    def call(i, client):
        last = 0
        while not over.is_set() or not calls[i]:
            for reply in client.all([["FCALL", "f", 1, f"count{i}"], ["FCALL", "g", 0]] * 10):
                assert isinstance(reply, list), reply
                assert reply[0] >= last
                last = reply[0]
            calls[i] += 10
        g = client("FCALL", "g", 0)
        assert g[0] == g[1]

    def change(client):
        try:
            for n in range(1, rounds):
                replace(client, version(n))
        finally:
            over.set()

    workers = [(lambda client, i=i: call(i, client)) for i in range(8)]
    jobs = [(work, connect()) for work in [change, *workers]]
    in_threads(len(jobs), lambda i: jobs[i][0](jobs[i][1]))
    assert [int(c("GET", f"count{i}")) for i in range(8)] == calls
    assert c("FCALL", "g", 0) == [rounds - 1, rounds - 1]


@pytest.mark.protocols(2)
def test_flush_and_restore_under_load(c, connect):
    """A function is there or it is not; what it does is always all of it."""
    bodies = {name: function(name, f"redis.call('INCR', KEYS[1]) return '{name}'") for name in "abcd"}
    for name, body in bodies.items():
        load(c, body, f"lib_{name}")
    payload = c("FUNCTION", "DUMP")
    over = threading.Event()
    done = [0] * 6

    def call(i, client):
        while not over.is_set() or not done[i]:
            for name, reply in zip("abcd" * 5, client.all([["FCALL", name, 1, f"count{i}"] for name in "abcd" * 5])):
                assert reply == name.encode() or reply == NOT_FOUND, reply
                done[i] += reply != NOT_FOUND

    def change(client):
        try:
            for n in range(40):
                assert client("FUNCTION", "FLUSH") == b"OK"
                assert client("FUNCTION", "RESTORE", payload) == b"OK"
                if n % 4 == 0:
                    assert client("FUNCTION", "DELETE", "lib_a") == b"OK"
                    load(client, bodies["a"], "lib_a")
        finally:
            over.set()

    workers = [(lambda client, i=i: call(i, client)) for i in range(6)]
    jobs = [(work, connect()) for work in [change, *workers]]
    in_threads(len(jobs), lambda i: jobs[i][0](jobs[i][1]))
    assert [int(c("GET", f"count{i}")) for i in range(6)] == done


@pytest.mark.tarn_only
@pytest.mark.protocols(2)
def test_libraries_change_while_a_function_runs(c, wire, wires, connect):
    """A long function goes on with the code that it began with, also when its library has gone meanwhile."""
    load(c, function("spin", SPIN))
    spinning = Behind(wires(), "FCALL", "spin", 0)
    wait_until(lambda: running(wire, 2))
    clients = [connect() for _ in range(4)]
    replies = clients[0].all([["FUNCTION", "FLUSH"], ["FUNCTION", "LOAD", library(function("other"))]])
    assert replies == [b"OK", b"lib"] or all(str(reply).startswith("BUSY") for reply in replies)
    assert wire("FUNCTION", "KILL") == Status(b"OK")
    assert b"script: spin" in spinning.end()


# ---- What functions reach ----

def test_keys_that_are_not_declared(c):
    load(c, function("copy", "local v = redis.call('GET', ARGV[1]) redis.call('SET', ARGV[2], v) return v"))
    for i in range(50):
        c("SET", f"from{i}", i)
        assert c("FCALL", "copy", 0, f"from{i}", f"to{i}") == str(i).encode()
    assert c("MGET", *(f"to{i}" for i in range(50))) == [str(i).encode() for i in range(50)]


def test_functions_that_need_everything(c, connect):
    """Walks and what takes all workers, the first time and when that is known of the function."""
    load(c, function("size", "return redis.call('DBSIZE')", ["no-writes"]) + function("wipe", "redis.call('FLUSHALL') return redis.call('DBSIZE')")
         + function("scan", "return #redis.call('SCAN', 0, 'COUNT', 1000)[2]", ["no-writes"]))
    clients = [connect() for _ in range(6)]
    for _ in range(3):
        c("MSET", "a", 1, "b", 2, "c", 3)
        assert [client("FCALL", "size", 0) for client in clients] == [3] * 6
        assert [client("FCALL_RO", "scan", 0) for client in clients] == [3] * 6
        assert [client("FCALL", "wipe", 1, "a") for client in clients] == [0] * 6
