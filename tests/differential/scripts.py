"""Random Lua: scripts and libraries of functions that call random commands, convert their replies, and use every library there is.

What a script replies must be the same on every server. So it does not look at the order of a table, at addresses, at the time;
commands whose replies are compared in a form of their own (compare.FORMS, MEANT) are put in order or left out.
"""
import hashlib
import re

from tests.differential import compare

LIBRARIES = ["lib1", "lib2", "lib3"]
FUNCTIONS = ["f1", "f2", "f3", "f4", "f5"]
SORTED = {"SMEMBERS", "SINTER", "SUNION", "SDIFF", "KEYS", "HKEYS", "HVALS"}  # lists in any order
NOT_CALLED = {name.split()[0] for name in compare.FORMS} - SORTED | {name for meant in compare.MEANT for name in meant.names} - {"SET", "XADD"} | {
    "SPOP", "RESTORE", "SWAPDB", "XCLAIM", "XAUTOCLAIM", "SORT", "SORT_RO"}
TIMED = re.compile(rb"'(\w*EX\w*|SET)'", re.IGNORECASE)

# Tells all of a value, its types and its order of keys included.
SHOW = """local function show(v)
  local kind = type(v)
  if kind == 'function' or kind == 'userdata' or kind == 'thread' then return kind end
  if kind ~= 'table' then return kind:sub(1, 3) .. ':' .. tostring(v) end
  local keys, out = {}, {}
  for k in pairs(v) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) return show_key(a) < show_key(b) end)
  for _, k in ipairs(keys) do out[#out + 1] = show_key(k) .. '=' .. show(v[k]) end
  return '{' .. table.concat(out, ' ') .. '}'
end
""".replace("local function show(v)\n", """local show
local function show_key(k)
  if type(k) == 'number' then return string.format('%12.3f', k) end
  return show(k)
end
show = function(v)
""", 1)
# The elements of a list in an order of their own.
IN_ORDER = """local function in_order(t)
  if type(t) ~= 'table' then return t end
  local v = {}
  for i, x in ipairs(t) do v[i] = x end
  table.sort(v, function(a, b) return tostring(a) < tostring(b) end)
  return v
end
"""
HEX = "local function hex(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end\n"
HELPERS = [("show(", SHOW), ("in_order(", IN_ORDER), ("hex(", HEX)]

NUMBERS = ["0", "1", "-1", "2", "3.7", "-3.7", "0.1", "1e15", "1e16", "-1e17", "1/3", "2^31", "2^31-1", "-2^31", "2^32", "2^53", "2^53+2", "255", "256", "65535", "65536",
           "1e300", "1e-7", "100", "-0.5", "127", "-128", "-129", "32767", "-32769", "123456789012", "0xff"]
EXACT = ["0", "1", "-1.5", "0.25", "2^31", "-2^40", "1/0", "-1/0", "100", "3", "0.5"]  # spelled alike: 7.0 has 17 digits, 8 the shortest
TEXTS = ["", "a", "abc", "Hello World", "10", " 7 ", "3.0", "1e2", "0x10", "x\0y", "\xff\xfe", "\u20ac".encode().decode("latin-1"), "a\r\nb", "'\"\\", "%d", "a.b", "line\n", "-1", "OK",
         "k1", "h1", "l1", "s" * 70]
JSON = ["[1,2,3]", "{}", "[]", "[[]]", '{"a":1}', '{"a":{"b":[1,null,true]}}', "[1.5,-2e3,1e400]", '"text"', "12", "null", "true", "[1,]", "{", "[1 2]", "nul", "", " [ 1 ] ", '"\\u00e9\\ud83d\\ude00"',
        '"\\x"', "[" * 40 + "]" * 40, "[0x10]", "[NaN]", "[-Infinity]", '{"a":1,"a":2}', '{1:2}', "[1]x", '["\\u0000"]', "1e5", "-", "01", '"\t"', "[12345678901234567890]"]
FORMATS = [">I2", "<i4", "b", "B", "h", "H", "l", "L", "i", ">I3", "<I8", "s", "c0", "c3", "x", "d", "<f", ">d", "!4 i8", "=h", "bBhH", ">I2s", "<i4c2", "I1c0", "i33", "z", "!3", "c", "T", " b b "]
BIT = ["tobit({n})", "tohex({n})", "tohex({n}, {s})", "bnot({n})", "band({n}, {n}, {n})", "bor({n}, {n})", "bxor({n}, {n})", "lshift({n}, {s})", "rshift({n}, {s})", "arshift({n}, {s})",
       "rol({n}, {s})", "ror({n}, {s})", "bswap({n})", "band({t})", "bor()", "nosuch(1)"]
STRING = ["string.format('%d|%5.2f|%s', {n}, {n}, {t})", "string.format('%q', {t})", "string.format('%x', 255)", "string.format('%10.3s|', {t})", "string.format('%d', {t})", "string.format('%y', 1)",
          "string.rep({t}, 3)", "string.sub({t}, 2, -2)", "({t}):upper()", "({t}):len()", "#{t}", "string.byte({t}, 1)", "string.char(65, 66, 0, 255)", "string.char(256)", "string.reverse({t})",
          "string.find({t}, 'b', 1, true)", "string.find({t}, '(.)%1')", "string.gsub({t}, '%w', 'x')", "string.gsub({t}, '(', 'x')", "string.match({t}, '^(%a+)%s')", "string.gsub({t}, '.', {{a = 'b'}})",
          "{t} .. {n}", "{t} .. nil", "{t} + 1", "{t} < {t}", "{t} == {n}", "{n} < {t}", "tostring({n})", "tonumber({t})", "tonumber({t}, 16)", "string.gmatch({t}, '%a')()", "({t}):nosuch()"]
OTHER = ["math.floor({n})", "math.ceil({n})", "math.fmod({n}, 3)", "math.huge", "-math.huge", "math.max({n}, {n})", "math.min({n}, {n}, {n})", "{n} % 3", "{n} / 0", "{n} * {n}", "2 ^ 10", "-({n})", "math.sqrt(-4) ~= 0",
         "math.modf({n})", "math.abs({n})", "select('#', {v}, nil, {v})", "select(2, 1, {v})", "unpack({{1, {v}, 3}})", "unpack({{}})", "type({v})", "type(nil)", "next({{}})", "#{{1, 2, nil, 4}}", "rawequal({v}, {v})",
         "table.concat({{{n}, {t}, 3}}, ',')", "table.concat({{1, {{}}}}, ',')", "table.concat({{}}, 'x')", "table.remove({{1, 2, 3}})", "table.remove({{}})", "(function(...) return select('#', ...) end)({v}, {v})",
         "(function() local t = {{3, 1, 2}} table.sort(t) return t end)()", "(function() local t = {{3, 'x', 2}} table.sort(t) return t end)()", "(function() local t = {{}} table.insert(t, {v}) return t end)()",
         "setmetatable({{}}, {{__index = function(t, k) return k end}}).field", "setmetatable({{1, 2}}, {{__call = function(self, x) return x end}})({v})", "getmetatable({t}) ~= nil", "({v})()", "({v}).x.y",
         "pcall(function() error({v}) end)", "pcall(function() error() end)", "pcall(error, 'msg', 0)", "pcall(error, {{err = 'ERR mine'}})", "xpcall(function() return {v} end, function(e) return e end)",
         "pcall(function() local t = nil; return t.x end)", "pcall(string.rep)", "pcall(nil)", "loadstring('return 1 + {n}')()", "loadstring('return (')", "pcall(loadstring('error(3)'))", "assert({v})",
         "assert(false, 'told')", "assert(nil)", "_VERSION", "collectgarbage('count') > 0", "tostring(nil)", "type(print)", "type(require)", "type(string.dump)", "type(coroutine.create)",
         "coroutine.wrap(function(x) coroutine.yield(x) end)({n})", "rawget({{a = {v}}}, 'a')", "rawset({{}}, 1, {v})", "#arg", "ipairs({{}}) ~= nil", "bit.band(1)", "math.pow(2, {n})", "math.log10(1000)", "math.deg(0)"]
REDIS = ["redis.sha1hex({t})", "redis.sha1hex()", "redis.sha1hex({n})", "redis.status_reply({t})", "redis.error_reply({t})", "redis.error_reply({n})", "redis.status_reply()", "redis.error_reply('-MY words')",
         "redis.error_reply('MY words')", "redis.log(redis.LOG_DEBUG, {t})", "redis.log({n})", "redis.log('x', 'y')", "redis.replicate_commands()", "redis.set_repl(redis.REPL_ALL)", "redis.set_repl(99)", "redis.setresp(3)",
         "redis.setresp(2)", "redis.setresp(4)", "redis.setresp()", "redis.acl_check_cmd('get', 'k1')", "redis.acl_check_cmd('nosuch')", "redis.acl_check_cmd()", "redis.nosuch", "redis.call()", "redis.pcall()",
         "redis.call('nosuch')", "redis.pcall('nosuch', {t})", "redis.call('get')", "redis.pcall('get', 'a', 'b')", "redis.call({v})", "redis.pcall('set', 'k1', {{}})", "redis.call('set', 'k1', true)",
         "redis.call('SUBSCRIBE', 'x')", "redis.pcall('MULTI')", "redis.pcall('EVAL', 'return 1', 0)", "redis.pcall('WATCH', 'k1')", "redis.LOG_WARNING", "redis.REPL_SLAVE",
         "redis.pcall('CLIENT', 'NOSUCH')", "redis.pcall('CONFIG', 'GET')", "redis.call('ECHO', {n})", "redis.call('PING')", "redis.breakpoint()", "redis.pcall('OBJECT', 'NOSUCH')", "redis.pcall('SELECT', '99')"]
GLOBALS = ["x = {v}", "local y = nosuch", "_G.x = {v}", "redis.call = nil", "redis.mine = 1", "KEYS = {{}}", "KEYS[1] = 'k1'", "setmetatable(_G, {{}})", "getmetatable(_G).__index = nil", "string.rep = nil", "print({v})", "local z = _G.nosuch",
           "rawset(_G, 'x', 1)", "math.mine = 1", "function mine() end", "cjson.encode = nil", "setfenv(1, {{}})", "loadstring('x = 1')()", "table.insert(_G, 1)", "getmetatable('').__index = 3", "dofile('/etc/passwd')"]
BROKEN = ["return (", "local = 1", "if true then", "return return", "x x", "for i = 1 do end", "return 'open", "goto nowhere", "break", "return \\", "local t = {{1, 2", "end", "@", "return 1 return 2", "return [[x", "::a::"]


# Left out, since redis-server 7.0.15 crashes there: error({}) without `err`.


def literal(word):
    """A Lua string of these bytes."""
    text = word if isinstance(word, bytes) else str(word).encode("latin-1")
    return "'" + "".join(chr(b) if 32 <= b < 127 and b not in b"\\'" else f"\\{b:03}" for b in text) + "'"


def keys_of(words):
    """For a script: its name, and the words that may be keys with an end; nothing for other commands."""
    name = words[0].upper()
    if name in (b"EVAL", b"EVAL_RO") and len(words) > 2:
        if not TIMED.search(words[1]):
            return None
        return [name] + words[3:] + [word for word in re.findall(rb"'([a-z0-9]+)'", words[1]) if len(word) < 5]
    return [name] + words[3:] if name in (b"EVALSHA", b"EVALSHA_RO", b"FCALL", b"FCALL_RO") else None


class Scripts:
    """`maker` makes the commands that scripts call."""

    def __init__(self, rng, maker, keys):
        self.rng, self.maker, self.keys = rng, maker, keys
        self.known = []  # (source, number of keys, keys and arguments) of scripts that were made before
        self.next_id = 1000

    def command(self):
        """One command of the scripting group."""
        make = self.rng.choices([self._eval, self._evalsha, self._script, self._load, self._fcall, self._function], [60, 12, 6, 8, 16, 4])[0]
        words = [word if isinstance(word, bytes) else str(word).encode("latin-1") for word in make()]
        if self.rng.random() < 0.02 and len(words) > 2:
            words[2] = self.rng.choice([b"-1", b"x", b"99", b"", b"0"])
        return words

    # Commands.

    def _eval(self):
        source, keys, args = self._source("KEYS", "ARGV")
        if self.rng.random() < 0.06:
            source = "#!lua" + self.rng.choice([" flags=no-writes", " flags=allow-oom", " flags=no-writes,allow-stale", "", " flags=nosuch", " name=x", " flags=", " nosuch=1", "  ", " flags=no-cluster"]) + "\n" + source
        self.known = self.known[-20:] + [(source.encode("latin-1"), len(keys), keys + args)]
        return [self.rng.choice(["EVAL", "EVAL", "EVAL", "eval", "EVAL_RO"]), source, len(keys), *keys, *args]

    def _evalsha(self):
        if not self.known or self.rng.random() < 0.1:
            return ["EVALSHA", self.rng.choice(["0" * 40, "short", "F" * 40, ""]), 0]
        source, count, rest = self.rng.choice(self.known)
        sha = hashlib.sha1(source).hexdigest()
        return [self.rng.choice(["EVALSHA", "EVALSHA", "EVALSHA_RO"]), sha.upper() if self.rng.random() < 0.2 else sha, count, *rest]

    def _script(self):
        source = self.rng.choice(self.known)[0] if self.known and self.rng.random() < 0.7 else "return 1"
        shas = [hashlib.sha1(source).hexdigest() for source, _, _ in self.known[-3:]] + ["x"]
        return self.rng.choice([["SCRIPT", "LOAD", source], ["SCRIPT", "LOAD", source], ["SCRIPT", "EXISTS", *shas], ["SCRIPT", "KILL"], ["SCRIPT", "NOSUCH"], ["SCRIPT", "LOAD"],
                                ["SCRIPT", "FLUSH", self.rng.choice(["SYNC", "ASYNC", "what"])], ["SCRIPT", "LOAD", self.rng.choice(BROKEN)]])

    def _load(self):
        library = self.rng.choice(LIBRARIES)
        head = f"#!lua name={library}" if self.rng.random() < 0.93 else self.rng.choice(["#!lua", "", "#!js name=x", f"#!lua name={library} x=1", "#!lua name=a-b", f"#!lua name={library} name=y"])
        lines = [head]
        for name in self.rng.sample(FUNCTIONS, self.rng.choice([1, 1, 2, 3])):
            source, _, _ = self._source("keys", "args")
            flags = self.rng.choice(["", "", ", flags={'no-writes'}", ", flags={'allow-oom', 'allow-stale'}", ", flags={'nosuch'}", ", flags={}", ", description='words'", ", nosuch=1"])
            if flags or self.rng.random() < 0.2:
                lines.append(f"redis.register_function{{function_name='{name}', callback=function(keys, args)\n{source}\nend{flags}}}")
            else:
                lines.append(f"redis.register_function('{name}', function(keys, args)\n{source}\nend)")
        if self.rng.random() < 0.06:
            lines.append(self.rng.choice(["redis.call('get', 'k1')", "x = 1", "error('at load')", "redis.register_function('f1')", "redis.register_function(1, 2)", "redis.register_function('a b', function() end)",
                                          "redis.log(redis.LOG_DEBUG, 'x')", "local t = nil; t.x = 1", "return redis.setresp(3)"] + BROKEN[:5]))
        return ["FUNCTION", "LOAD", *(["REPLACE"] if self.rng.random() < 0.7 else []), "\n".join(lines)]

    def _fcall(self):
        keys = [self._key() for _ in range(self.rng.choice([0, 1, 2, 2, 3]))]
        return [self.rng.choice(["FCALL", "FCALL", "fcall", "FCALL_RO"]), self.rng.choice(FUNCTIONS + ["nosuch"]), len(keys), *keys, *(self._text() for _ in range(self.rng.randrange(4)))]

    def _function(self):
        return self.rng.choice([["FUNCTION", "LIST"], ["FUNCTION", "LIST", "LIBRARYNAME", self.rng.choice(["lib*", "lib1", "x"])], ["FUNCTION", "LIST", "WITHCODE"], ["FUNCTION", "DELETE", self.rng.choice(LIBRARIES)],
                                ["FUNCTION", "DELETE", "nosuch"], ["FUNCTION", "STATS"], ["FUNCTION", "KILL"], ["FUNCTION", "DUMP"], ["FUNCTION", "FLUSH", self.rng.choice(["ASYNC", "SYNC", "x"])], ["FUNCTION", "NOSUCH"],
                                ["FUNCTION", "RESTORE", "DUMP OF ", *self.rng.choice([[], ["REPLACE"], ["APPEND"], ["FLUSH"], ["what"]])],
                                ["FUNCTION", "RESTORE", "DUMP OF ", "REPLACE"], ["FUNCTION", "RESTORE", "junk"]])

    # Sources.

    def _key(self):
        return self.rng.choice(self.keys)

    def _text(self):
        return self.rng.choice(TEXTS)

    def _source(self, keys_name, args_name):
        """(the text, the keys to call it with, the arguments)."""
        self.key_words, self.arg_words, self.names = [], [], (keys_name, args_name)
        pick = self.rng.random()
        if pick < 0.02:
            return self._text_of(BROKEN), [], []
        lines, results = [], []
        if self.rng.random() < 0.12:
            lines.append("redis.setresp(3)")
        for i in range(self.rng.choice([1, 1, 2, 2, 3, 4])):
            if self.rng.random() < 0.03:
                lines.append(self._text_of(GLOBALS))
            lines.append(f"local r{i} = {self._expression()}")
            results.append(f"r{i}")
        lines.append(self._last(results))
        text = "\n".join(lines)
        return "".join(helper for name, helper in HELPERS if name in text) + text, self.key_words, self.arg_words

    def _last(self, results):
        if self.rng.random() < 0.06:
            return self.rng.choice(["error('boom')", "error({err='MY error'})", "error({err='MY error', ok='x'})", "error()", "error(42)", "error(nil)", "return", "error('boom', 0)", "return error",
                                    "local t = nil; return t.x", "return nosuch", "return nil + 1", "return {} .. 'x'", "return #nil", "return {} < {}", "return r0.x.y.z", "error({err='no code'})", "error('ERR coded')"])
        scores = any(compare.MADE_OF_SCORES.search(self._calls_of(name).encode("latin-1")) for name in results)
        if scores or self.rng.random() < 0.55:
            return f"return {results[-1]}" if self.rng.random() < 0.4 else "return {" + ", ".join(results) + "}"
        return "return {" + ", ".join(f"show({name})" for name in results) + "}"

    def _calls_of(self, _):
        return self.calls

    def _expression(self):
        self.calls = getattr(self, "calls", "")
        make = self.rng.choices([self._call, self._value, self._library], [55, 18, 27])[0]
        return make()

    def _call(self):
        while True:
            words = self.maker.command(inside=True)
            name = words[0].upper().decode("latin-1")
            upper = [word.upper() for word in words]
            if name not in NOT_CALLED and not (name == "SET" and any(word.startswith(b"IF") for word in upper)) and not self._waits(name, upper):
                break
        if name == "XADD":
            words = self._sound_xadd(words)
        if name == "SELECT" and self.rng.random() < 0.5:
            words = [b"SELECT", b"0"]
        parts = [literal(words[0])] + [self._argument(word) for word in words[1:]]
        call = f"redis.{self.rng.choice(['call', 'call', 'pcall'])}({', '.join(parts)})"
        self.calls += call
        if name in SORTED:
            return f"in_order({call})"
        if "GETALL" in name:
            return f"#{call}" if "pcall" not in call else f"type({call})"
        return call

    @staticmethod
    def _waits(name, upper):
        """What could wait may not be called from scripts in 7.0."""
        return name.startswith(("BL", "BR", "BZ")) or b"BLOCK" in upper

    def _sound_xadd(self, words):
        """Which of two errors an XADD gives is another one since 7.2: one that has none, but for its key's type."""
        self.next_id += self.rng.randrange(3)
        return [words[0], words[1] if len(words) > 1 else b"x0", f"{self.next_id}-*".encode(), b"a", b"b"]

    def _argument(self, word):
        """A literal, a number, or one of the script's keys or arguments."""
        keys_name, args_name = self.names
        pick = self.rng.random()
        text = word.decode("latin-1")
        if text in self.keys:
            if pick < 0.6:
                self.key_words.append(text)
                return f"{keys_name}[{len(self.key_words)}]"
            if keys_name == "keys":  # functions are called with other keys than they were made for
                return f"(keys[{self.rng.randrange(1, 3)}] or {literal(word)})"
        elif pick < 0.15 and args_name == "ARGV":
            self.arg_words.append(word)
            return f"{args_name}[{len(self.arg_words)}]"
        elif pick < 0.3 and re.fullmatch(r"-?[1-9]\d{0,8}", text):
            return text
        return literal(word)

    def _value(self, depth=0):
        """What a reply can be made of."""
        rng = self.rng
        pick = rng.random() if depth < 3 else rng.random() * 0.5
        if pick < 0.25:
            return self._number()
        if pick < 0.45:
            return literal(self._text())
        if pick < 0.55:
            return rng.choice(["true", "false", "nil", "cjson.null"])
        if pick < 0.8:
            return "{" + ", ".join(self._value(depth + 1) for _ in range(rng.choice([0, 1, 2, 3]))) + "}"
        inner = self._value(depth + 1)
        return rng.choice([f"{{ok={literal(self._text())}}}", f"{{err={literal(self._text())}}}", f"{{double={rng.choice(EXACT)}}}", f"{{map={{[{self._key_value()}]={inner}}}}}", f"{{set={{[{self._key_value()}]=true}}}}",
                           f"{{big_number={literal(self._text())}}}", f"{{verbatim_string={{format='txt', string={literal(self._text())}}}}}", "{double='x'}", "{ok=1}", "{err=1}", "{map=1}", f"{{{inner}, x=1}}",
                           f"{{[2]={inner}}}", "{big_number=12}", "{verbatim_string={string='x'}}", "function() end", f"{{err='E', {inner}}}", "{1, nil, 3}", "{ok={err='x'}}"])

    def _key_value(self):
        return self._number() if self.rng.random() < 0.4 else literal(self._text())

    def _number(self):
        return self.rng.choice(NUMBERS)

    def _library(self):
        rng = self.rng
        pick = rng.randrange(8)
        if pick == 0:
            return self._json()
        if pick == 1:
            return self._pack()
        if pick == 2:
            return self._struct()
        if pick == 3:
            return "bit." + self._text_of(BIT)
        return self._text_of(rng.choice([STRING, STRING, OTHER, OTHER, REDIS]))

    def _text_of(self, choices):
        """One of them, with its holes filled: {n} a number, {t} a text, {v} any value, {s} a small number."""
        text = self.rng.choice(choices)
        for hole, make in (("{n}", self._number), ("{t}", lambda: literal(self._text())), ("{v}", self._value), ("{s}", lambda: str(self.rng.choice([0, 1, 4, 8, 31, 32, -1, 33])))):
            while hole in text:
                text = text.replace(hole, make(), 1)
        return text.replace("{{", "{").replace("}}", "}") if "{{" in text and choices is not BIT else text

    def _simple(self, depth=0):
        """A value with one order only: what cjson and cmsgpack make of it is the same whatever the table looks like."""
        rng, pick = self.rng, self.rng.random()
        if pick < 0.35 or depth > 2:
            return self._number()
        if pick < 0.6:
            return literal(self._text())
        if pick < 0.7:
            return rng.choice(["true", "false", "nil", "cjson.null", "math.huge", "0/0 == 0"])
        if pick < 0.9:
            return "{" + ", ".join(self._simple(depth + 1) for _ in range(rng.randrange(4))) + "}"
        return f"{{[{self._key_value()}]={self._simple(depth + 1)}}}"

    def _json(self):
        return self.rng.choice([f"cjson.encode({self._simple()})", f"cjson.encode({self._simple()})", f"show(cjson.decode({literal(self.rng.choice(JSON))}))", f"show(cjson.decode({literal(self.rng.choice(JSON))}))",
                                f"show(cjson.decode(cjson.encode({{{self._simple()}}})))", f"pcall(cjson.decode, {literal(self._text())})", "cjson.encode({[1]=1, [100000]=2})", "cjson.encode(function() end)", "cjson.encode()",
                                f"cjson.decode({self._value()})", "(function() local t = {} t.t = t return cjson.encode(t) end)()"])

    def _pack(self):
        junk = literal(bytes(self.rng.choice([0x90, 0x91, 0xc0, 0xc1, 0xca, 0xd9, 0xdc, 0x81, 0xa5, 0xff, 0x7f, 0xd0, 0xcf, 0]) for _ in range(self.rng.randrange(5))))
        return self.rng.choice([f"hex(cmsgpack.pack({self._simple()}))", f"hex(cmsgpack.pack({self._simple()}, {self._simple()}))", f"show(cmsgpack.unpack(cmsgpack.pack({self._simple()})))",
                                f"show({{cmsgpack.unpack(cmsgpack.pack({self._simple()}, {self._simple()}))}})", f"show({{cmsgpack.unpack({junk})}})", f"show({{cmsgpack.unpack_one({junk}, 0)}})",
                                f"show({{cmsgpack.unpack_limit(cmsgpack.pack(1, 2, 3), {self.rng.choice([0, 1, 2, 9])}, 0)}})", "cmsgpack.pack()", f"cmsgpack.unpack({self._number()})"])

    def _struct(self):
        form = self.rng.choice(FORMATS)
        values = ", ".join(self.rng.choice([self._small(), self._small(), literal("abcdef")]) for _ in range(self.rng.randrange(1, 4)))
        return self.rng.choice([f"hex(struct.pack({literal(form)}, {values}))", f"show({{struct.unpack({literal(form)}, {literal('abcdefgh' + chr(0) + 'ijklmnop')})}})", f"struct.size({literal(form)})",
                                f"show({{struct.unpack({literal(form)}, struct.pack({literal(form)}, {values}))}})", f"show({{struct.unpack({literal(form)}, 'ab', {self.rng.choice([1, 2, 3, 99])})}})"])

    def _small(self):
        return str(self.rng.choice([0, 1, 2, 3, 127, 255, 1000, -1, -128]))
