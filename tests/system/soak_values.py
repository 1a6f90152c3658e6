"""The games of the soaks that are about what is kept: short ends, caches that track, values of all types; and what goes on
beside all of them. soak_games.py says what a game is."""
import itertools
from collections import Counter

from tests.system.harness import wait_until
from tests.system.rawsock import Push
from tests.system.soak import STEADY, VICTIM, ask
from tests.system.test_concurrency import many

# Ends: what has a short one goes, what has none stays.

CREATE = (("SET", "1"), ("RPUSH", "1", "2"), ("SADD", "1", "x"), ("HSET", "f", "v"), ("ZADD", "1", "m"), ("XADD", "*", "f", "v"),
          ("PFADD", "x"), ("SETBIT", "77", "1"))


def live_and_end(c, rng, gang, ident):
    work = Counter()
    for batch in itertools.count():
        if not gang.on():
            return work, None
        stay, go, commands = [], [], []
        for i in range(40):
            key, way = f"short:{ident}:{batch}:{i}", rng.randrange(4)
            verb, *words = rng.choice(CREATE)
            commands.append((verb, key, *words))
            if way < 2:
                commands.append(("PEXPIRE", key, rng.randrange(1, 400)))
                go.append(key)
                continue
            if way == 2:
                commands += [("PEXPIRE", key, 600_000), ("PERSIST", key)]
            else:
                commands += [("PEXPIRE", key, 600_000), ("RENAME", key, f"{key}:renamed"), ("COPY", f"{key}:renamed", key)]
                stay.append(f"{key}:renamed")
            stay.append(key)
        many(c, commands)
        assert not go or wait_until(lambda: ask(c, "EXISTS", *go) == 0, timeout=60)
        if stay:
            assert ask(c, "EXISTS", *stay) == len(stay)
            assert ask(c, rng.choice(("DEL", "UNLINK")), *stay) == len(stay)
        work["keys ended"] += len(go)
        work["keys stayed"] += len(stay)


def fields_live_and_end(c, rng, gang, ident):
    work, key = Counter(), f"fields:{ident}"
    while gang.on():
        stay, go, commands = [], [], []
        for i in range(40):
            field, way = f"field{i}", rng.randrange(4)
            (go if way < 2 else stay).append(field)
            short = rng.randrange(1, 400)
            commands += [
                [("HSET", key, field, i), ("HPEXPIRE", key, short, "FIELDS", 1, field)],
                [("HSETEX", key, "PX", short, "FIELDS", 1, field, i)],
                [("HSET", key, field, i), ("HPEXPIRE", key, 600_000, "FIELDS", 1, field), ("HPERSIST", key, "FIELDS", 1, field)],
                [("HSETEX", key, "EX", 600, "FIELDS", 1, field, i), ("HGETEX", key, "PERSIST", "FIELDS", 1, field)],
            ][way]
        many(c, commands)
        wait_until(lambda: ask(c, "HLEN", key) == len(stay), timeout=60)
        assert set(ask(c, "HKEYS", key)) == {field.encode() for field in stay}
        ask(c, "DEL", key)
        work["fields ended"] += len(go)
        work["fields stayed"] += len(stay)
    return work, None


def ends_game(server, gang):
    for ident in range(2):
        gang.add(live_and_end, ident)
    if server.ask("COMMAND", "INFO", "HSETEX") not in ([None], {}):
        gang.add(fields_live_and_end, 0)


def ends_books(server, notes):
    wait_until(lambda: server.ask("KEYS", "short:*") == [], timeout=60)


# Tracking: what a client has cached is the present value, or it hears that it is not.

VERSIONS = [f"version:{i}" for i in range(20)]


def raise_versions(c, rng, gang):
    work = Counter()
    while gang.on():
        many(c, [("INCR", rng.choice(VERSIONS)) for _ in range(rng.randrange(1, 10))])
        work["versions raised"] += 1
        gang.pause(rng.random() * 0.01)
    return work, None


class Cache:
    """A tracking client: what it read, and what it heard to be invalid."""

    def __init__(self, c):
        self.c, self.values, self.seen, self.invalid = c, {}, {}, 0

    def next(self):
        """The next reply; None for a push."""
        message = self.c.read()
        if not isinstance(message, Push):
            return message
        names = message[1]
        for name in list(self.values) if names is None else names:
            self.invalid += self.values.pop(name.decode() if names is not None else name, None) is not None
        return None

    def fetch(self, key):
        self.c.send_command("GET", key)
        while (reply := self.next()) is None:
            pass
        assert int(reply) >= self.seen.get(key, 0), "a version goes up"
        self.values[key] = self.seen[key] = int(reply)


def keep_cache(side, rng, gang, options):
    work = Counter()
    with gang.dial(STEADY, 3) as c:
        ask(c, "CLIENT", "TRACKING", "ON", *options)
        cache = Cache(c)
        while gang.on():
            key = rng.choice(VERSIONS)
            if key not in cache.values:
                cache.fetch(key)
            now = int(ask(side, "GET", key))
            # The word that it is invalid is on its way, or here already.
            while cache.values.get(key, now) < now:
                cache.next()
            work["cached values checked"] += 1
        work["cached values invalid"] += cache.invalid
    return work, None


def tracking_game(server, gang):
    server.ask("MSET", *itertools.chain(*((name, 1) for name in VERSIONS)))
    gang.add(raise_versions)
    for options in ((), ("BCAST", "PREFIX", "version:")):
        gang.add(keep_cache, options)


def tracking_books(server, notes):
    pass


# Values of all types, compared with models of them.

class Model:
    """Keys of one process, changed here and there alike."""

    def __init__(self, c, rng, ident):
        self.c, self.rng, self.ident = c, rng, ident
        self.begin()

    def begin(self):
        self.hash, self.list, self.set, self.scores, self.text = {}, [], set(), {}, b""

    def key(self, kind):
        return f"model:{self.ident}:{kind}"

    def word(self):
        return b"%d" % self.rng.randrange(300) if self.rng.random() < 0.7 else b"w" * self.rng.randrange(1, 130)

    def change(self):
        """One command and its reply as the model has it."""
        rng, one, other, few = self.rng, self.word(), self.word(), self.rng.random() < 0.45
        kind = rng.choice(("hash", "list", "set", "scores", "text"))
        if kind == "hash":
            if few:
                return ("HDEL", self.key(kind), one), int(self.hash.pop(one, None) is not None)
            new = one not in self.hash
            self.hash[one] = other
            return ("HSET", self.key(kind), one, other), int(new)
        if kind == "list":
            if few and self.list:
                left = rng.random() < 0.5
                return ("LPOP" if left else "RPOP", self.key(kind)), self.list.pop(0 if left else -1)
            left = rng.random() < 0.5
            self.list.insert(0 if left else len(self.list), one)
            return ("LPUSH" if left else "RPUSH", self.key(kind), one), len(self.list)
        if kind == "set":
            there = one in self.set
            (self.set.discard if few else self.set.add)(one)
            return ("SREM" if few else "SADD", self.key(kind), one), int(there == few)
        if kind == "scores":
            there = one in self.scores
            if few:
                self.scores.pop(one, None)
                return ("ZREM", self.key(kind), one), int(there)
            self.scores[one] = rng.randrange(100)
            return ("ZADD", self.key(kind), self.scores[one], one), int(not there)
        self.text = (self.text + one)[-20_000:] if not few else self.text[3:-2]
        return ("SET", self.key(kind), self.text), b"OK"

    def compare(self):
        found = ask(self.c, "HGETALL", self.key("hash"))
        assert dict(zip(found[::2], found[1::2])) == self.hash
        assert ask(self.c, "LRANGE", self.key("list"), 0, -1) == self.list
        assert set(ask(self.c, "SMEMBERS", self.key("set"))) == self.set
        found = ask(self.c, "ZRANGE", self.key("scores"), 0, -1, "WITHSCORES")
        wanted = sorted(self.scores.items(), key=lambda pair: (pair[1], pair[0]))
        assert list(zip(found[::2], map(int, found[1::2]))) == wanted
        assert (ask(self.c, "GET", self.key("text")) or b"") == self.text

    def forget(self):
        ask(self.c, "UNLINK", *map(self.key, ("hash", "list", "set", "scores", "text")))
        self.begin()


def follow_model(c, rng, gang, ident):
    work, model = Counter(), Model(c, rng, ident)
    while gang.on():
        commands, wanted = zip(*(model.change() for _ in range(50)))
        assert many(c, commands) == list(wanted)
        work["changes compared"] += 50
        if rng.random() < 0.05:
            model.compare()
            work["values compared"] += 5
        if rng.random() < 0.005:
            model.forget()
    model.compare()
    return work, None


def model_game(server, gang):
    for ident in range(2):
        gang.add(follow_model, ident)


def model_books(server, notes):
    pass


# What goes on beside all that.

THRESHOLDS = {
    "hash-max-listpack-entries": (0, 8, 128, 512), "hash-max-listpack-value": (0, 16, 64), "list-max-listpack-size": (-5, -2, -1, 1, 4, 128),
    "list-compress-depth": (0, 1, 2), "set-max-intset-entries": (0, 8, 512), "set-max-listpack-entries": (0, 8, 128),
    "set-max-listpack-value": (0, 16, 64), "zset-max-listpack-entries": (0, 8, 128), "zset-max-listpack-value": (0, 16, 64),
    "stream-node-max-entries": (1, 10, 100), "stream-node-max-bytes": (64, 4096), "tracking-table-max-keys": (5, 1_000_000), "hz": (1, 10, 100),
    "slowlog-log-slower-than": (0, 10_000), "latency-monitor-threshold": (0, 1), "lazyfree-lazy-user-del": ("no", "yes"),
    "lazyfree-lazy-expire": ("no", "yes"), "maxmemory-policy": ("noeviction", "allkeys-lfu", "allkeys-lru"),
}


def configure(c, rng, gang):
    """Changes the thresholds; as they were in the end."""
    found = {name: ask(c, "CONFIG", "GET", name) for name in THRESHOLDS}
    before = {name: reply[1] for name, reply in found.items() if reply}
    work = Counter()
    while gang.on():
        name = rng.choice(list(before))
        ask(c, "CONFIG", "SET", name, rng.choice(THRESHOLDS[name]))
        work["settings set"] += 1
        gang.pause(rng.random() * 0.02)
    for name, value in before.items():
        ask(c, "CONFIG", "SET", name, value)
    return work, None


def kill(c, rng, gang):
    """Kills a victim now and then, which may wait, listen, or be at work."""
    work = Counter()
    while gang.on():
        clients = [dict(part.split(b"=", 1) for part in line.split() if b"=" in part) for line in ask(c, "CLIENT", "LIST").splitlines()]
        victims = [client for client in clients if client[b"name"] == VICTIM.encode()]
        if victims:
            victim = rng.choice(victims)
            kind = "waiting" if b"b" in victim[b"flags"] else "listening" if b"P" in victim[b"flags"] else "working"
            work[f"clients killed {kind}"] += ask(c, "CLIENT", "KILL", "ID", victim[b"id"])
        gang.pause(rng.random() * 0.1)
    return work, None


def flush_elsewhere(c, rng, gang):
    work = Counter()
    ask(c, "SELECT", 5)
    while gang.on():
        count = rng.randrange(1, 300)
        many(c, [(verb, f"elsewhere:{i}", *words) for i in range(count) for verb, *words in (rng.choice(CREATE),)])
        assert ask(c, "DBSIZE") == count
        ask(c, "FLUSHDB", rng.choice(("SYNC", "ASYNC")))
        assert ask(c, "DBSIZE") == 0
        work["databases flushed"] += 1
        gang.pause(rng.random() * 0.3)
    return work, None


def check(c, rng, gang):
    """The server looks at itself, all of it."""
    work = Counter()
    while gang.on():
        assert ask(c, "DEBUG", "CHECK") == b"OK"
        work["checks"] += 1
        gang.pause(1)
    return work, None


def world_game(server, gang):
    for function in (configure, kill, flush_elsewhere) if server.reference else (configure, kill, flush_elsewhere, check):
        gang.add(function)


def world_books(server, notes):
    pass
