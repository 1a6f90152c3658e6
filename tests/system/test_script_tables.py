"""What one run of a script or function gets in tables, another must not see: KEYS and ARGV, replies, the libraries. Code that changes
nothing shares tables with other runs (src/script/chunk.h); here it runs in turns with code that changes all that it can."""
import random
import uuid

import pytest

from tests.system.wire import Error, Status

pytestmark = pytest.mark.needs("EVAL", "FCALL", "FUNCTION")


@pytest.fixture
def key():
    return f"tables:{uuid.uuid4()}"


READ_ONLY = b"Attempt to modify a readonly table"

# What each does with its keys is seen by nobody else. The first ones only read.
READS = "return {#KEYS, #ARGV, KEYS[1] or 'none', KEYS[#KEYS] or 'none', ARGV[1] or 'none', ARGV[#ARGV] or 'none'}"
WALKS = """local n, text = 0, ''
for i, k in ipairs(KEYS) do n = n + 1 text = text .. k .. ',' end
for _, a in pairs(ARGV) do n = n + 1 text = text .. a .. ',' end
return {n, text, unpack(KEYS)}"""
CHANGES = ["KEYS[#KEYS + 1] = 'more' ARGV[1] = 'other' return #KEYS", "table.insert(KEYS, 1, 'first') return KEYS[1]",
           "rawset(ARGV, 99, 'x') rawset(KEYS, 'field', 1) return #KEYS", "table.sort(KEYS) table.remove(ARGV) return 1",
           "setmetatable(KEYS, {__index = function() return 'made up' end}) return KEYS[77]", "error(KEYS)",
           "return loadstring('KEYS[1] = 7 return 1')()",
           "_G.KEYS[1] = 'x' return 1", "local co = coroutine.wrap(function() ARGV[2] = 'y' end) co() return 1"]


def told_by(script, keys, args):
    """What the two that read reply."""
    if script is READS:
        ends = [keys[0], keys[-1]] if keys else [b"none"] * 2
        return [len(keys), len(args), *ends, *([args[0], args[-1]] if args else [b"none"] * 2)]
    return [len(keys) + len(args), b"".join(x + b"," for x in keys + args), *keys]


def lists(rng):
    """Few and many, short and long ones, so that they go both ways."""
    length = rng.choice([1, 3, 3000])
    return [b"%d:" % i + b"k" * rng.randrange(length) for i in range(rng.choice([0, 1, 2, 5, 16, 17, 40]))]


def test_keys_of_runs_in_turns(wire):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(300):
        keys, args = lists(rng), lists(rng)
        script = rng.choice([READS, WALKS, rng.choice(CHANGES)])
        reply = wire("EVAL", script, len(keys), *keys, *args)
        if script in (READS, WALKS):
            assert reply == told_by(script, keys, args), (script, keys, args)


def test_keys_of_functions_in_turns(wire):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    body = "".join(f"redis.register_function('{name}', function(KEYS, ARGV) {script} end)\n" for name, script in [("reads", READS), ("walks", WALKS)])
    assert wire("FUNCTION", "LOAD", "REPLACE", "#!lua name=reading\n" + body) == b"reading"
    changes = [c for c in CHANGES if "_G" not in c and "loadstring" not in c]
    body = "".join(f"redis.register_function('change{i}', function(KEYS, ARGV) {script} end)\n" for i, script in enumerate(changes))
    assert wire("FUNCTION", "LOAD", "REPLACE", "#!lua name=changing\n" + body) == b"changing"
    for _ in range(300):
        keys, args = lists(rng), lists(rng)
        name, script = rng.choice([("reads", READS), ("walks", WALKS), (f"change{rng.randrange(len(changes))}", None)])
        reply = wire("FCALL", name, len(keys), *keys, *args)
        if script:
            assert reply == told_by(script, keys, args), (name, keys, args)
    wire("FUNCTION", "FLUSH")


def test_a_function_that_keeps_its_keys(wire):
    keeps = """local first
redis.register_function('keep', function(keys) if not first then first = keys end return first end)"""
    assert wire("FUNCTION", "LOAD", "REPLACE", "#!lua name=keeping\n" + keeps) == b"keeping"
    assert wire("FCALL", "keep", 2, "a", "b") == [b"a", b"b"]
    first = wire("FCALL", "keep", 1, "c")
    assert first in ([b"a", b"b"], [b"c"])  # of this worker or of another: but not a mixture
    assert wire("FCALL", "keep", 0) == first
    wire("FUNCTION", "FLUSH")


def test_replies_are_tables_of_their_own(wire, key):
    changes = "local r = redis.call('SET', KEYS[1], 'x') r.ok = 'changed' r.more = 1 return r"
    for script in ("return redis.call('SET', KEYS[1], 'x')", changes, "return redis.call('SET', KEYS[1], 'x')",
                   "local r = redis.call('SET', KEYS[1], 'x') rawset(r, 'ok', 'changed') return r", "error(redis.call('SET', KEYS[1], 'x'))",
                   "local r = redis.call('SET', KEYS[1], 'x') return r['ok'] .. (r['err'] or '')"):
        reply = wire("EVAL", script, 1, key)
        if "error" in script:
            assert isinstance(reply, Error)
        elif "changed" in script:
            assert reply == Status(b"changed")
        else:
            assert reply in (Status(b"OK"), b"OK")
    two = "local a, b = redis.call('SET', KEYS[1], 1), redis.call('SET', KEYS[1], 2) "
    assert wire("EVAL", two + "return {a == b and 1 or 0}", 1, key) == [0]
    assert wire("EVAL", two + "return {rawequal(a, b) and 1 or 0}", 1, key) == [0]
    left = "local n = 0 for k in pairs(redis.call('SET', KEYS[1], 1)) do n = n + 1 end return n"
    assert wire("EVAL", left, 1, key) == 1


@pytest.mark.parametrize("write", ["{t}.call = 1", "{t}['call'] = nil", "{t}.new = 1", "rawset({t}, 'call', 1)", "rawset({t}, 1, 1)", "setmetatable({t}, {{}})",
                                   "setmetatable({t}, nil)", "table.insert({t}, 1)", "local function f(x) x.call = 2 end f({t})",
                                   "loadstring('local x = ... x.call = 3')({t})", "local f = loadstring('redis.call = 3') f()",
                                   "coroutine.wrap(function(x) x.call = 4 end)({t})", "local t = setmetatable({{}}, {{__newindex = {t}}}) t.call = 5"])
def test_libraries_cannot_be_written_to(wire, key, write):
    for table in ("redis", "server", "_G.redis"):
        assert READ_ONLY in wire("EVAL", write.format(t=table), 0)
        assert wire("EVAL", "return redis.call('INCR', KEYS[1])", 1, key) > 0


@pytest.mark.parametrize("write", ["redis = nil", "function tonumber() return 7 end", "KEYS = nil", "ARGV = {}", "x = 1", "_G.redis = nil", "_G.x = 1",
                                   "rawset(_G, 'redis', nil)", "setmetatable(_G, nil)", "loadstring('redis = nil')()", "loadstring('KEYS = nil')()",
                                   "pcall(load(function() return nil end)) local f = function() redis = 1 end f()",
                                   "coroutine.wrap(function() redis = nil end)()"])
def test_globals_cannot_be_written_to(wire, key, write):
    assert READ_ONLY in wire("EVAL", write, 0)
    assert wire("EVAL", "return tonumber(redis.call('INCR', KEYS[1]))", 1, key) == 1
    assert wire("EVAL", "local t = {} t.x = tonumber(redis.call('INCR', KEYS[1])) return t.x", 1, key) == 2


def test_code_of_each_kind_has_the_same_names(wire):
    """The three see other tables, with the same in them."""
    said = "return type(redis) .. type(server) .. type(cjson.encode) .. type(string.rep) .. type(KEYS) .. type(os.clock) .. tostring(redis == server)"
    kinds = ["", "local t = {} t.x = 1 ", "if false then x = 1 end "]
    assert {wire("EVAL", kind + said, 0) for kind in kinds} == {b"tabletablefunctionfunctiontablefunctiontrue"}
    for kind in kinds:
        assert b"Script attempted to access nonexistent global variable 'nosuch'" in wire("EVAL", kind + "return nosuch", 0)
        assert wire("EVAL", kind + "return redis.nosuch", 0) == wire("EVAL", "return nil", 0)
