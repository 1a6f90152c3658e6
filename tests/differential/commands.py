"""Random commands: the grammar filled with values, some of them broken on purpose; one by one, in transactions, and in scripts."""
import random
import re

from tests.differential.compare import is_loose
from tests.differential.scripts import Scripts
from tests.differential.values import KEYS_OF, LEX_KEYS, NUMBER_KEYS, Values

KEYS = [f"k{i}" for i in range(18)] + ["long:" + "k" * 300, "\0bin\xff"] + [key for keys in KEYS_OF.values() for key in keys] + NUMBER_KEYS

# How often a command is picked, 10 where nothing is said. What wipes the whole keyspace must be rare.
WEIGHTS = {"SET": 60, "GET": 15, "APPEND": 20, "SETRANGE": 15, "SETBIT": 15, "BITFIELD": 30, "BITOP": 20, "INCRBYFLOAT": 15, "EXPIRE": 20, "PEXPIREAT": 20,
           "COPY": 25, "RENAME": 15, "MOVE": 15, "MSET": 15, "FLUSHALL": 0.15, "FLUSHDB": 0.4, "SWAPDB": 2, "SELECT": 3, "DEL": 6, "UNLINK": 6,
           "PING": 1, "ECHO": 1, "GETDEL": 6, "LCS": 8,
           "RPUSH": 30, "LPUSH": 30, "LINSERT": 20, "LSET": 20, "HSET": 50, "SADD": 60, "ZADD": 60, "GEOADD": 30, "PFADD": 30, "XADD": 90, "XREADGROUP": 40,
           "XGROUP CREATE": 20, "XGROUP DESTROY": 2, "SORT": 40, "SORT_RO": 15, "RESTORE": 40, "SPOP": 6}
BROKEN = 0.08  # of all commands
TRANSACTIONS = 0.03  # how often one begins
SCRIPTS = 0.12  # of all commands, where both servers run scripts

# What parts the states until session.py makes them equal again, or asks the other server: not where several commands are one.
NOT_INSIDE = {"SPOP", "RESTORE"}
TAKES_A_TIME = re.compile(rb"EX|^SET$|^RESTORE$", re.IGNORECASE)  # in the names of commands that may give a key an end

# Words that a command is not given, with what it gets instead. BITFIELD OVERFLOW SAT SET of the least integer goes up to the
# largest value in the reference, whose subtraction overflows; Tarn goes down.
SPARED = {(b"BITFIELD", b"-9223372036854775808"): b"-4611686018427387904",
          (b"XADD", b"*"): b"7-*"}  # IDs of the clock differ


BIG_NUMBER = re.compile(rb"-?\d{10,}")


class Maker:
    """Commands from a seed. The same seed and grammar give the same commands."""

    def __init__(self, grammar, seed, scripts=False):
        self.rng = random.Random(seed)
        self.plain = self._weighted([command for command in grammar if not command.get("waits")])
        self.inside = self._weighted([command for command in grammar if command["name"] not in NOT_INSIDE])
        self.values = Values(self.rng, KEYS)
        self.scripts = Scripts(self.rng, self, KEYS) if scripts else None

    @staticmethod
    def _weighted(commands):
        return commands, [WEIGHTS.get(command["name"], 10) for command in commands]

    def batch(self, count):
        """(connection, arguments) for each command; there is a connection for each protocol."""
        made, connection = [], 0
        while len(made) < count:
            if self.rng.random() < 0.1:
                connection = self.rng.randrange(2)
            if self.rng.random() < TRANSACTIONS:
                made += self._transaction(connection)
            else:
                made.append((connection, self.any_command()))
        return made[:count]

    def _transaction(self, connection):
        """A transaction, often of watched keys that may be changed before, and with commands of the other connection in between."""
        rng, other, made = self.rng, 1 - connection, []
        if rng.random() < 0.5:
            made.append((connection, [b"WATCH", *(key.encode("latin-1") for key in rng.sample(KEYS, rng.choice([1, 1, 2, 5])))]))
            made += [(rng.choice([connection, other]), self.any_command()) for _ in range(rng.choice([0, 0, 1, 2]))]
        made.append((connection, [b"MULTI"]))
        for words in self._queue(rng.choice([0, 1, 2, 2, 3, 5, 8])):
            made.append((connection, words))
            if rng.random() < 0.15:
                made.append((other, self.any_command()))
        made.append((connection, [rng.choices([b"EXEC", b"DISCARD", b"exec"], [85, 10, 5])[0]]))
        if rng.random() < 0.03:
            made.append((connection, [rng.choice([b"EXEC", b"DISCARD", b"UNWATCH"])]))
        return made

    def _queue(self, count):
        words = [self.any_command(inside=True) for _ in range(count)]
        if self.rng.random() < 0.03:
            words.append(self.rng.choice([[b"WATCH", b"k1"], [b"MULTI"], [b"UNWATCH"], [b"NOSUCH", b"x"]]))
        timed = any(TAKES_A_TIME.search(each[0]) for each in words)
        return [each for each in words if not (timed and each[0].upper() == b"SELECT")]  # ends are looked at where the client is then

    def any_command(self, inside=False):
        if self.scripts and self.rng.random() < SCRIPTS:
            return self.scripts.command()
        while True:
            words = self.command(inside)
            if not (inside and is_loose(words)):
                return words

    def command(self, inside=False):
        """`inside`: of a transaction or script, where nothing waits."""
        declared = self.rng.choices(*(self.inside if inside else self.plain))[0]
        words = declared["name"].split()
        self.values.command, self.values.group = declared["name"], declared["group"]
        if self.rng.random() < 0.05:
            words = [word.lower() for word in words]
        fixed, options = self._split(declared["arguments"])
        words = words + self._sequence(fixed)
        if self.rng.random() < 0.3:
            self.rng.shuffle(options)
        words += self._sequence(options)
        if any(word in ("BYLEX", "bylex") for word in words):
            words[2 if words[0].upper() == "ZRANGESTORE" else 1] = self.rng.choice(LEX_KEYS)
        words = [word if isinstance(word, bytes) else word.encode("latin-1", "replace") for word in words]
        words = self._break(words) if self.rng.random() < BROKEN else words
        words = [SPARED.get((words[0].upper(), word), word) for word in words]
        if words[0].upper() == b"LSET" and len(words) == 4 and BIG_NUMBER.fullmatch(words[2]):
            words[2] = b"99"  # 8.2 looks at 32 bits of an index only
        return words if inside else self._unwaiting(words)

    @staticmethod
    def _unwaiting(words):
        """XREAD and XREADGROUP without BLOCK."""
        if words[0].upper() in (b"XREAD", b"XREADGROUP"):
            while b"BLOCK" in (upper := [word.upper() for word in words]):
                at = upper.index(b"BLOCK")
                words = words[:at] + words[at + 2:]
        return words

    @staticmethod
    def _split(arguments):
        """The arguments that have a place, and the options after them that have none."""
        cut = len(arguments)
        while cut and "optional" in arguments[cut - 1].get("flags", []):
            cut -= 1
        return arguments[:cut], list(arguments[cut:])

    def _sequence(self, arguments):
        """Several arguments in a row. A number of keys is filled in when the keys after it are there."""
        words, count_at = [], None
        for arg in arguments:
            if arg["name"] in ("numkeys", "numfields", "numids"):
                count_at = len(words) + ("token" in arg)
                words += self._one(arg)
                continue
            before = len(words)
            words += self._argument(arg)
            if count_at is not None:
                if self.rng.random() < 0.9:
                    per_item = len(arg.get("arguments", [1]))
                    words[count_at] = str((len(words) - before) // max(per_item, 1))
                count_at = None
        return words

    def _argument(self, arg):
        flags = arg.get("flags", [])
        if "optional" in flags and self.rng.random() < 0.6:
            return []
        times = self.rng.choice([1, 1, 1, 2, 2, 3, 5]) if "multiple" in flags else 1
        words = []
        for i in range(times):
            words += self._one(arg, with_token=i == 0 or "multiple_token" in flags or arg["type"] in ("oneof", "block"))
        return words

    def _one(self, arg, with_token=True):
        kind = arg["type"]
        words = [arg["token"]] if "token" in arg and with_token else []
        if words and self.rng.random() < 0.05:
            words = [words[0].lower()]
        if kind == "pure-token":
            return words
        if kind == "oneof":
            return words + self._argument(self.rng.choice(arg["arguments"]))
        if kind == "block":
            return words + self._sequence(arg["arguments"])
        maker = getattr(self.values, kind.replace("-", "_"))
        return words + [maker(arg)]

    def _break(self, words):
        """One thing wrong, or maybe still right."""
        words, pick = list(words), self.rng.randrange(5)
        junk = self.values.junk().encode("latin-1")
        at = self.rng.randrange(1, len(words) + 1)
        if pick == 0:
            del words[at - 1 if at > 1 else len(words):]
        elif pick == 1:
            words.insert(at, junk)
        elif pick == 2 and at < len(words):
            words[at] = junk
        elif pick == 3 and len(words) > 2:
            a, b = self.rng.randrange(1, len(words)), self.rng.randrange(1, len(words))
            words[a], words[b] = words[b], words[a]
        else:
            words.append(words[-1] if len(words) > 1 else junk)
        return words
