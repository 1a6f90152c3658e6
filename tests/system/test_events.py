"""Keyspace events of every class, command by command and in their order: `new`, `overwritten` and `type_changed` around the event of
the change itself, and `keymiss`. That they reach the right channels is in test_pubsub.py.
"""
import shlex

import pytest

from tests.system.harness import wait_until
from tests.system.wire import Error, Push, request

pytestmark = pytest.mark.since("8.2.0")  # before, the letters o and c are refused


def word(part):
    return part.decode() if isinstance(part, bytes) else str(part)


class Events:
    """The events of commands of one client, as a second one hears them: `event(key)`, or `event(db/key)` outside of database 0."""

    def __init__(self, talker, listener):
        self.talker, self.listener = talker, listener
        self.listener("PSUBSCRIBE", "__keyevent@*")
        self.listener("SUBSCRIBE", "end")

    def since(self):
        """What has come since the last time."""
        self.talker("PUBLISH", "end", "")
        found = []
        while True:
            message = self.listener.read()
            kind, *parts = message.items if isinstance(message, Push) else message
            if kind == b"message":
                return " ".join(found)
            channel, key = map(word, parts[1:])
            db, event = channel.removeprefix("__keyevent@").split("__:")
            found.append(f"{event}({key})" if db == "0" else f"{event}({db}/{key})")

    def of(self, command):
        reply = self.talker(*(shlex.split(command) if isinstance(command, str) else command))
        assert not isinstance(reply, Error) or reply.startswith((b"WRONGTYPE", b"NOGROUP", b"ERR The specified keys")), (command, reply)
        return self.since()

    def check(self, table):
        """A table of `command -> events`; behind a `;` comes another command whose events belong to the same line."""
        for line in filter(None, map(str.strip, table.splitlines())):
            commands, _, wanted = line.partition("->")
            assert " ".join(filter(None, (self.of(command) for command in commands.split(" ; ")))) == wanted.strip(), line


@pytest.fixture
def events(wires, protocol, settings):
    settings(notify_keyspace_events="EAmnoc")
    return Events(wires(protocol), wires(protocol))


# Overwriting.

WHOLE_VALUES = {
    "SET": """
        SET k v -> new(k) set(k)
        SET k w -> overwritten(k) set(k)
        SET k w XX -> overwritten(k) set(k)
        SET k w KEEPTTL -> overwritten(k) set(k)
        SET k w EX 100 -> overwritten(k) set(k) expire(k)
        SET k 5 GET -> overwritten(k) set(k)
        SET k x NX ->
        SETNX k x ->
        GETSET k x -> overwritten(k) set(k)
        SETEX k 100 v -> overwritten(k) set(k) expire(k)
        PSETEX k 100000 v -> overwritten(k) set(k) expire(k)
        MSET k a j b k c -> overwritten(k) set(k) new(j) set(j) overwritten(k) set(k)
        MSETNX k a i b ->
        DEL k -> del(k)
        SET k v -> new(k) set(k)""",
    "SET over another type": """
        LPUSH l a ; SET l v -> new(l) lpush(l) overwritten(l) type_changed(l) set(l)
        SADD s a ; SETEX s 100 v -> new(s) sadd(s) overwritten(s) type_changed(s) set(s) expire(s)
        HSET h f v ; PSETEX h 100000 v -> new(h) hset(h) overwritten(h) type_changed(h) set(h) expire(h)
        ZADD z 1 a ; MSET a 1 z b -> new(z) zadd(z) new(a) set(a) overwritten(z) type_changed(z) set(z)
        XADD x 1-1 f v ; SET x v XX KEEPTTL -> new(x) xadd(x) overwritten(x) type_changed(x) set(x)
        LPUSH q a ; GETSET q v ; SET q v GET -> new(q) lpush(q)""",
    "what edits a value": """
        SET k 1 ; INCR k ; DECRBY k 2 ; INCRBYFLOAT k 1.5 -> new(k) set(k) incrby(k) incrby(k) incrbyfloat(k)
        APPEND k x ; SETRANGE k 1 y ; SETBIT k 7 0 -> append(k) setrange(k) setbit(k)
        BITFIELD k SET u8 0 1 ; EXPIRE k 100 ; PERSIST k -> setbit(k) expire(k) persist(k)
        PFADD p a ; PFADD q b ; PFMERGE p q ; PFMERGE p q -> new(p) pfadd(p) new(q) pfadd(q) pfadd(p) pfadd(p)
        RPUSH l a b ; LSET l 0 x ; LMOVE l m LEFT LEFT -> new(l) rpush(l) lset(l) new(m) lpush(m) lpop(l)
        HSET h f v ; HSETEX h EX 100 FIELDS 1 f w -> new(h) hset(h) hset(h) hexpire(h)""",
    "BITOP": """
        SET a abc ; SET b abd ; LPUSH l x -> new(a) set(a) new(b) set(b) new(l) lpush(l)
        BITOP AND d a b -> new(d) set(d)
        BITOP OR d a b -> overwritten(d) set(d)
        BITOP OR l a b -> overwritten(l) type_changed(l) set(l)
        BITOP NOT a a -> overwritten(a) set(a)
        BITOP OR d none nor -> keymiss(none) keymiss(nor) del(d)
        BITOP OR d none nor -> keymiss(none) keymiss(nor)""",
    "SORT STORE": """
        RPUSH l 3 1 2 ; SET s 1 -> new(l) rpush(l) new(s) set(s)
        SORT l STORE d -> new(d) sortstore(d)
        SORT l STORE d -> overwritten(d) sortstore(d)
        SORT l STORE l -> overwritten(l) sortstore(l)
        SORT l STORE s -> overwritten(s) type_changed(s) sortstore(s)
        SORT none STORE s -> keymiss(none) del(s)
        SORT none STORE s -> keymiss(none)""",
    "sets": """
        SADD a 1 2 3 ; SADD b 2 3 4 ; SET s 1 -> new(a) sadd(a) new(b) sadd(b) new(s) set(s)
        SINTERSTORE d a b -> new(d) sinterstore(d)
        SUNIONSTORE d a b -> overwritten(d) sunionstore(d)
        SDIFFSTORE d a b -> overwritten(d) sdiffstore(d)
        SINTERSTORE a a b -> overwritten(a) sinterstore(a)
        SUNIONSTORE s a b -> overwritten(s) type_changed(s) sunionstore(s)
        SDIFFSTORE s b b -> del(s)
        SINTERSTORE s a none -> keymiss(none)""",
    "sorted sets": """
        ZADD a 1 a 2 b ; ZADD b 3 b 4 c ; SET s 1 -> new(a) zadd(a) new(b) zadd(b) new(s) set(s)
        ZUNIONSTORE d 2 a b -> new(d) zunionstore(d)
        ZINTERSTORE d 2 a b -> overwritten(d) zinterstore(d)
        ZDIFFSTORE d 2 a b -> overwritten(d) zdiffstore(d)
        ZRANGESTORE d b 0 -1 -> overwritten(d) zrangestore(d)
        ZUNIONSTORE a 2 a b -> overwritten(a) zunionstore(a)
        ZRANGESTORE s a 0 -1 -> overwritten(s) type_changed(s) zrangestore(s)
        SET s 1 ; ZUNIONSTORE s 1 a -> overwritten(s) type_changed(s) set(s) overwritten(s) type_changed(s) zunionstore(s)
        ZRANGESTORE s a 9 9 ; ZINTERSTORE s 2 a none -> del(s) keymiss(none)""",
    "places": """
        GEOADD g 13.361389 38.115556 P 15.087269 37.502669 C ; SET s 1 -> new(g) zadd(g) new(s) set(s)
        GEOSEARCHSTORE d g FROMMEMBER P BYRADIUS 1000 km -> new(d) geosearchstore(d)
        GEOSEARCHSTORE d g FROMMEMBER P BYRADIUS 1000 km -> overwritten(d) geosearchstore(d)
        GEOSEARCHSTORE s g FROMMEMBER P BYRADIUS 1000 km STOREDIST -> overwritten(s) type_changed(s) geosearchstore(s)
        GEORADIUS g 15 37 200 km STORE s -> overwritten(s) georadiusstore(s)
        GEORADIUSBYMEMBER g P 1000 km STOREDIST s -> overwritten(s) georadiusstore(s)
        GEOSEARCHSTORE s g FROMLONLAT 0 0 BYRADIUS 1 km -> del(s)""",
    "RENAME and MOVE": """
        SET a 1 ; SET b 2 ; LPUSH l x -> new(a) set(a) new(b) set(b) new(l) lpush(l)
        RENAME a b -> new(b) rename_from(a) rename_to(b) overwritten(b)
        RENAME l b -> new(b) rename_from(l) rename_to(b) overwritten(b) type_changed(b)
        RENAME b b ; RENAMENX b b ->
        RENAMENX b c -> new(c) rename_from(b) rename_to(c)
        SET d 1 ; RENAMENX c d -> new(d) set(d)
        MOVE d 2 -> new(2/d) move_from(d) move_to(2/d)
        SET d 1 ; MOVE d 2 -> new(d) set(d)""",
    "COPY": """
        SET a 1 ; LPUSH l x -> new(a) set(a) new(l) lpush(l)
        COPY a b ; COPY a b -> new(b) copy_to(b)
        COPY a b REPLACE -> new(b) copy_to(b) overwritten(b)
        COPY l b REPLACE -> new(b) copy_to(b) overwritten(b) type_changed(b)
        COPY a b DB 1 ; COPY a b DB 1 REPLACE -> new(1/b) copy_to(1/b) new(1/b) copy_to(1/b) overwritten(1/b)
        COPY l b DB 1 REPLACE -> new(1/b) copy_to(1/b) overwritten(1/b) type_changed(1/b)
        COPY none a REPLACE -> keymiss(none)""",
    "scripts": """
        LPUSH l a -> new(l) lpush(l)
        EVAL "redis.call('SET', KEYS[1], 1) redis.call('SET', KEYS[1], 2)" 1 l -> overwritten(l) type_changed(l) set(l) overwritten(l) set(l)
        EVAL "redis.call('DEL', KEYS[1]) redis.call('SADD', KEYS[1], 1) redis.call('SUNIONSTORE', KEYS[1], KEYS[1])" 1 l """
        "-> del(l) new(l) sadd(l) overwritten(l) sunionstore(l)",
}


@pytest.mark.parametrize("table", WHOLE_VALUES.values(), ids=WHOLE_VALUES)
def test_a_value_in_place_of_another(events, table):
    events.check(table)


def test_restore_in_place_of_another(events):
    c = events.talker
    c("SET", "text", "v")
    c("RPUSH", "list", "a")
    text, elements = c("DUMP", "text"), c("DUMP", "list")
    events.since()
    assert events.of(("RESTORE", "k", 0, text)) == "new(k) restore(k)"
    assert events.of(("RESTORE", "k", 0, text, "REPLACE")) == "new(k) restore(k) overwritten(k)"
    assert events.of(("RESTORE", "k", 100000, elements, "REPLACE")) == "new(k) restore(k) overwritten(k) type_changed(k)"
    assert events.of(("RESTORE", "k", 0, elements, "REPLACE")) == "new(k) restore(k) overwritten(k)"
    assert events.of(("RESTORE", "k", 1, text, "REPLACE", "ABSTTL")) == "del(k)"
    assert events.of(("RESTORE", "k", 1, text, "REPLACE", "ABSTTL")) == ""


def test_in_a_transaction(events):
    c = events.talker
    for command in ("LPUSH l a", "MULTI", "SET l 1", "LPUSH m 1", "RENAME m l", "SADD s a", "SUNIONSTORE l s", "EXEC"):
        c(*command.split())
    assert events.since() == (
        "new(l) lpush(l) overwritten(l) type_changed(l) set(l) new(m) lpush(m) new(l) rename_from(m) rename_to(l) overwritten(l) type_changed(l) "
        "new(s) sadd(s) overwritten(l) type_changed(l) sunionstore(l)")


@pytest.mark.parametrize("command,wanted", [
    ("SET k v", "new(k) set(k)"), ("SUNIONSTORE k s", "new(k) sunionstore(k)"), ("RENAME s k", "new(k) rename_from(s) rename_to(k)"),
    ("COPY s k REPLACE", "new(k) copy_to(k)")])
def test_a_key_that_has_ended_is_not_overwritten(events, command, wanted):
    c = events.talker
    events.of("SADD s a")
    events.of("RPUSH k a")
    events.of("PEXPIRE k 1")
    ends = c("PEXPIRETIME", "k")  # which may be a miss already

    def has_ended():
        seconds, micros = map(int, c("TIME"))
        return ends > 0 and seconds * 1000 + micros // 1000 > ends

    wait_until(lambda: ends < 0 or has_ended())
    # Either the command finds it or it has gone by itself.
    before = events.since().replace("keymiss(k)", "")
    assert " ".join((before + " " + events.of(command)).split()) in (f"expired(k) {wanted}", wanted)


@pytest.mark.parametrize("setting,wanted", [
    ("Eo", "overwritten(k) overwritten(k)"), ("Ec", "type_changed(k)"), ("Eoc", "overwritten(k) type_changed(k) overwritten(k)"),
    ("EA", "lpush(k) set(k) set(k)"), ("Ko", "")])
def test_the_classes_are_chosen_by_their_letters(events, settings, setting, wanted):
    settings(notify_keyspace_events=setting)
    events.check(f"LPUSH k a ; SET k v ; SET k w -> {wanted}")


def test_a_waiting_client_is_served_behind_the_events(events, wires, protocol):
    waiting, admin = wires(protocol), wires(2)
    waiting.send(request("BLPOP", "k", "0"))
    wait_until(lambda: b"blocked_clients:1\r" in admin("INFO", "clients"))
    events.of("SET k v")
    events.of("LPUSH l a b")
    assert events.of("RENAME l k") == "new(k) rename_from(l) rename_to(k) overwritten(k) type_changed(k) lpop(k)"
    assert waiting.read() == [b"k", b"b"]


def test_overwriting_counts_as_one_change_for_a_cache(events, wires):
    """A client that caches the key hears of it once per command."""
    cache = wires(3)
    cache("CLIENT", "TRACKING", "ON", "BCAST")
    for command, changed in (("SET k v", "k"), ("SET k w", "k"), ("LPUSH l a", "l"), ("RENAME l k", "kl"), ("COPY k j", "j"),
                             ("COPY k j REPLACE", "j")):
        events.of(command)
        cache.send(request("PING"))
        heard = []
        while isinstance(message := cache.read(), Push):
            heard += message.items[1]
        assert sorted(map(word, heard)) == list(changed), command


@pytest.mark.tarn_only
def test_commands_of_later_versions(events):
    events.check("""
        MSETEX 2 a 1 b 2 -> new(a) set(a) new(b) set(b)
        LPUSH l x ; MSETEX 2 a 1 l 2 EX 100 -> new(l) lpush(l) overwritten(a) set(a) expire(a) overwritten(l) type_changed(l) set(l) expire(l)
        SET a 2 IFEQ 1 -> overwritten(a) set(a)
        SET a 3 IFEQ 1 ->""")


# Keys that are not there.

MISSES = {
    "streams": """
        XREADGROUP GROUP g c STREAMS m > -> keymiss(m)
        XREADGROUP GROUP g c STREAMS m 0 -> keymiss(m)
        XACK m g 1-1 -> keymiss(m)
        XCLAIM m g c 0 1-1 -> keymiss(m)
        XAUTOCLAIM m g c 0 0 -> keymiss(m)
        XACKDEL m g IDS 1 1-1 -> keymiss(m)
        XPENDING m g -> keymiss(m)
        XDEL m 1-1 ; XTRIM m MAXLEN 1 ; XADD m NOMKSTREAM 1-1 f v ->
        XGROUP CREATE s g 0 MKSTREAM -> new(s) xgroup-create(s)
        XREADGROUP GROUP g c STREAMS s m > > -> keymiss(m)
        XREADGROUP GROUP g c STREAMS s > -> xgroup-createconsumer(s)
        XACK s g 1-1 ; XACK s none 1-1 ; XCLAIM s g c 0 1-1 ->""",
    "both keys of LCS": """
        LPUSH l a -> new(l) lpush(l)
        LCS none nor -> keymiss(none) keymiss(nor)
        LCS l none ; LCS none l -> keymiss(none) keymiss(none)""",
}


@pytest.mark.parametrize("table", MISSES.values(), ids=MISSES)
def test_keys_that_are_missed(events, table):
    events.check(table)


def test_groups_count_hits_and_misses(events, wires):
    admin = wires(2)

    def looked():
        text = admin("INFO", "stats").decode()
        return [int(text.split(f"keyspace_{name}:")[1].split()[0]) for name in ("hits", "misses")]

    events.of("XGROUP CREATE s g 0 MKSTREAM")
    for command in ("XACK {} g 1-1", "XACKDEL {} g IDS 1 1-1", "XCLAIM {} g c 0 1-1", "XAUTOCLAIM {} g c 0 0", "XPENDING {} g"):
        for key, wanted in (("s", [1, 0]), ("m", [0, 1])):
            before = looked()
            events.of(command.format(key))
            assert [count - old for count, old in zip(looked(), before)] == wanted, (command, key)


# The order of events of two keys, and keys that come and go.

def test_smove_takes_before_it_gives(events):
    events.check("""
        SADD s a b c -> new(s) sadd(s)
        SMOVE s t a -> srem(s) new(t) sadd(t)
        SMOVE s t b -> srem(s) sadd(t)
        SADD t c ; SMOVE s t c -> sadd(t) srem(s) del(s)
        SMOVE s t c ; SMOVE t t a ; SMOVE t t none ->""")


def test_a_hash_whose_fields_have_ended_comes_and_goes(events):
    events.check("""
        HSETEX h EXAT 1 FIELDS 1 f v -> new(h) hset(h) hdel(h) del(h)
        HSETEX h FNX PXAT 1 FIELDS 2 f v g w -> new(h) hset(h) hdel(h) del(h)
        HSET h a 1 ; HSETEX h PXAT 1 FIELDS 1 f v -> new(h) hset(h) hset(h) hdel(h)
        HSETEX h PXAT 1 FIELDS 1 a v -> hset(h) hdel(h) del(h)
        EXISTS h -> keymiss(h)""")
