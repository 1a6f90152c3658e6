"""The games of the soaks that are about what goes from client to client, and the list of all games, each with what must hold however the clients' commands mix.

A game is a function `…_game(server, gang)` that prepares its keys and enlists its processes, and a function
`…_books(server, notes)` that fails unless their notes and the server agree in the end. What can be seen at once is
asserted by the processes themselves.
"""
import itertools
from collections import Counter

from tests.system import soak_values as values
from tests.system.harness import wait_until
from tests.system.rawsock import Error, Push
from tests.system.soak import STEADY, VICTIM, ask
from tests.system.test_concurrency import many

# What is to be taken before who makes it waits.
BACKLOG = 500


def in_order(last, source, number):
    """What comes from one source comes in its order."""
    assert source not in last or last[source] < number, (source, last[source], number)
    last[source] = number


# Queues: each element reaches one consumer once, and one consumer gets those of a producer in their order.

QUEUES, SCORED = [f"queue:{i}" for i in range(4)], "queue:scored"
PRODUCERS = 3
PUSH = "for i, element in ipairs(ARGV) do redis.call('RPUSH', KEYS[1], element) end return redis.call('LLEN', KEYS[1])"


def push(c, way, queue, first, elements, ident):
    """Appends in one of many ways. How many there are now."""
    if way == "pushed":
        return ask(c, "RPUSH", queue, *elements)
    if way == "pushed in a transaction":
        return many(c, [("MULTI",), *(("RPUSH", queue, element) for element in elements), ("EXEC",)])[-1][-1]
    if way == "pushed by a script":
        return ask(c, "EVAL", PUSH, 1, queue, *elements)
    if way == "moved":
        ask(c, "RPUSH", f"aside:{ident}", *elements)
        return many(c, [("LMOVE", f"aside:{ident}", queue, "LEFT", "RIGHT")] * len(elements) + [("LLEN", queue)])[-1]
    ask(c, "ZADD", queue, *itertools.chain(*zip(range(first, first + len(elements)), elements)))
    return ask(c, "ZCARD", queue)


def produce(c, rng, gang, ident):
    work, made = Counter(), 0
    while gang.on():
        way = rng.choice(("pushed", "pushed in a transaction", "pushed by a script", "moved", "scored"))
        queue = SCORED if way == "scored" else rng.choice(QUEUES)
        elements = [f"{ident} {queue} {made + i}" for i in range(rng.randrange(1, 5))]
        waiting = push(c, way, queue, made, elements, ident)
        made += len(elements)
        work[f"elements {way}"] += len(elements)
        if waiting > BACKLOG:
            gang.pause_while(lambda: ask(c, "ZCARD" if queue == SCORED else "LLEN", queue) > BACKLOG // 5)
    return work, (ident, made)


class Taken:
    """The elements that one consumer got."""

    def __init__(self):
        self.elements, self.last = [], {}

    def note(self, element):
        ident, queue, number = element.decode().split()
        in_order(self.last, (ident, queue), int(number))
        self.elements.append((int(ident), int(number)))


def take_once(c, way, names, patience):
    """Waits a while for elements; those it got."""
    if way == "BLPOP":
        return (ask(c, "BLPOP", *names, patience) or [None])[1:]
    if way == "BLMPOP":
        return (ask(c, "BLMPOP", patience, len(names), *names, "LEFT", "COUNT", 3) or [None, []])[1]
    if way == "BZPOPMIN":
        return (ask(c, "BZPOPMIN", SCORED, patience) or [])[1:2]
    return [member for member, _ in (ask(c, "BZMPOP", patience, 1, SCORED, "MIN", "COUNT", 3) or [None, []])[1]]


def take(c, rng, gang):
    """Pops for good."""
    work, taken = Counter(), Taken()
    while True:
        stopped = gang.stopped()  # asked first: what is found afterwards is all
        left = 0
        for way in ("BLPOP", "BZPOPMIN") if stopped else (rng.choice(("BLPOP", "BLMPOP", "BZPOPMIN", "BZMPOP")),):
            names = QUEUES if stopped else rng.sample(QUEUES, rng.randrange(1, len(QUEUES) + 1))
            found = take_once(c, way, names, 0.01 if stopped else 0.3)
            for element in found:
                taken.note(element)
            work[f"elements by {way}"] += len(found)
            left += len(found)
        if stopped and not left:
            return work, taken.elements


def carry(_, rng, gang, ident, name):
    """Moves each element to a list of its own before it is noted: who is killed at any moment loses none."""
    work, taken, mine, noted = Counter(), Taken(), f"carried:{ident}", set()

    def settle(c):
        found = ask(c, "LRANGE", mine, 0, -1)
        for element in found:
            if element not in noted:
                taken.note(element)
                noted.add(element)
                work["elements by BLMOVE"] += 1
        assert noted <= set(found), "what was not taken away is there"
        ask(c, "LTRIM", mine, len(found), -1)
        noted.clear()

    def session(c):
        # The request that takes noted ones away may have been the last that was heard.
        if noted and not ask(c, "EXISTS", mine):
            noted.clear()
        settle(c)
        while True:
            stopped, found = gang.stopped(), 0
            for queue in QUEUES if stopped else (rng.choice(QUEUES),):
                element = ask(c, "BLMOVE", queue, mine, "LEFT", "RIGHT", 0.01 if stopped else 0.2)
                found += element is not None
                settle(c)
            if stopped and not found:
                return True
    work["carriers killed"] += gang.sessions(name, session)
    return work, taken.elements


def queue_game(server, gang):
    for ident in range(PRODUCERS):
        gang.add(produce, ident)
    for _ in range(3):
        gang.follow(take)
    for ident, name in enumerate((STEADY, VICTIM, VICTIM)):
        gang.follow(carry, ident, name)


def queue_books(server, notes):
    made = {(ident, number) for ident, count in notes["produce"] for number in range(count)}
    taken = list(itertools.chain(*notes["take"], *notes["carry"]))
    assert len(taken) == len(set(taken)), f"given twice: {sorted(one for one, n in Counter(taken).items() if n > 1)[:10]}"
    assert set(taken) == made, f"lost: {sorted(made - set(taken))[:10]}, never made: {sorted(set(taken) - made)[:10]}"
    assert server.ask("EXISTS", *QUEUES, SCORED) == 0


# A bank: whatever is transferred, the sum stays.

ACCOUNTS, EACH = [f"account:{i}" for i in range(16)], 1000
TRANSFER = "redis.call('DECRBY', {0}, ARGV[1]) redis.call('INCRBY', {1}, ARGV[1]) return 'done'"
DECLARED, UNDECLARED = TRANSFER.format("KEYS[1]", "KEYS[2]"), TRANSFER.format("ARGV[2]", "ARGV[3]")
SUM = "local sum = 0 for _, name in ipairs(ARGV) do sum = sum + redis.call('GET', name) end return sum"


def transfer_watched(c, a, b, amount):
    ask(c, "WATCH", a, b)
    here, there = map(int, ask(c, "MGET", a, b))
    return many(c, [("MULTI",), ("SET", a, here - amount), ("SET", b, there + amount), ("EXEC",)])[-1] is not None


def transfer(c, rng, gang):
    work = Counter()
    while gang.on():
        a, b = rng.sample(ACCOUNTS, 2)
        amount, way = rng.randrange(1, 100), rng.choice(("watched", "queued", "declared", "undeclared"))
        if way == "watched":
            work["transfers watched" if transfer_watched(c, a, b, amount) else "transfers refused"] += 1
            continue
        if way == "queued":
            many(c, [("MULTI",), ("DECRBY", a, amount), ("INCRBY", b, amount), ("EXEC",)])
        elif way == "declared":
            ask(c, "EVAL", DECLARED, 2, a, b, amount)
        else:
            ask(c, "EVAL", UNDECLARED, 0, amount, a, b)
        work[f"transfers {way}"] += 1
    return work, None


def audit(c, rng, gang):
    work = Counter()
    while gang.on():
        names = rng.sample(ACCOUNTS, len(ACCOUNTS))
        way = rng.choice(("MGET", "MULTI", "EVAL"))
        if way == "MGET":
            total = sum(map(int, ask(c, "MGET", *names)))
        elif way == "MULTI":
            total = sum(map(int, many(c, [("MULTI",), *(("GET", name) for name in names), ("EXEC",)])[-1]))
        else:
            total = ask(c, "EVAL", SUM, 0, *names)
        assert total == EACH * len(ACCOUNTS), (way, total)
        work[f"audits by {way}"] += 1
    return work, None


def bank_game(server, gang):
    server.ask("MSET", *itertools.chain(*((name, EACH) for name in ACCOUNTS)))
    for _ in range(3):
        gang.add(transfer)
    gang.add(audit)


def bank_books(server, notes):
    assert sum(map(int, server.ask("MGET", *ACCOUNTS))) == EACH * len(ACCOUNTS)


# Streams: each entry is acknowledged once.

STREAMS, GROUP, DESERTERS = ["stream:0", "stream:1"], "group", 4


def add_entries(c, rng, gang, ident):
    work, made = Counter(), 0
    while gang.on():
        count = rng.randrange(1, 5)
        stream = rng.choice(STREAMS)
        many(c, [("XADD", stream, "*", "entry", f"{ident} {made + i}") for i in range(count)])
        made += count
        work["entries added"] += count
        if ask(c, "XLEN", stream) > BACKLOG:
            gang.pause_while(lambda: ask(c, "XLEN", stream) > BACKLOG // 5)
    return work, (ident, made)


def entry_name(fields):
    ident, number = fields[1].split()
    return int(ident), int(number)


def acknowledge_entry(c, stream, entry):
    replies = many(c, [("MULTI",), ("XACK", stream, GROUP, entry), ("XDEL", stream, entry), ("EXEC",)])
    assert replies[-1] == [1, 1], (stream, entry, replies)


def acknowledge(_, rng, gang, ident, name):
    """A consumer. After it was killed it looks at what is pending with it first."""
    work, done, unsure, last, consumer = Counter(), [], {}, {}, f"consumer:{ident}"

    def settle(c, stream, entries):
        for entry, fields in entries:
            unsure[stream, entry] = entry_name(fields)
            acknowledge_entry(c, stream, entry)
            done.append(unsure.pop((stream, entry)))
            work["entries acknowledged"] += 1

    def read(c, *words):
        return ask(c, "XREADGROUP", "GROUP", GROUP, consumer, *words) or []

    def session(c):
        pending = dict(read(c, "STREAMS", *STREAMS, 0, 0))
        # Acknowledged for all we know: what we were killed over, and is not pending.
        for stream, entry in list(unsure):
            if entry not in [one for one, _ in pending[stream]]:
                done.append(unsure.pop((stream, entry)))
        for stream, entries in pending.items():
            settle(c, stream, entries)
        while True:
            stopped = gang.stopped()
            found = read(c, "COUNT", rng.randrange(1, 5), "BLOCK", 200, "STREAMS", *STREAMS, ">", ">")
            for stream, entries in found:
                for entry, _ in entries:
                    in_order(last, stream, tuple(map(int, entry.split(b"-"))))
                settle(c, stream, entries)
            if stopped and not found:
                return True
    work["consumers killed"] += gang.sessions(name, session)
    return work, done


def desert(c, rng, gang):
    """Takes entries and never comes back to them."""
    work = Counter()
    while gang.on():
        consumer = f"deserter:{rng.randrange(DESERTERS)}"
        for _, entries in ask(c, "XREADGROUP", "GROUP", GROUP, consumer, "COUNT", 3, "BLOCK", 50, "STREAMS", *STREAMS, ">", ">") or []:
            work["entries deserted"] += len(entries)
        gang.pause(rng.random() * 0.05)
    return work, None


def rescue(c, rng, gang):
    """Claims what deserters left."""
    work, done = Counter(), []
    while True:
        stopped, found = gang.stopped(), 0
        for stream, number in itertools.product(STREAMS, range(DESERTERS)):
            for entry, *_ in ask(c, "XPENDING", stream, GROUP, "-", "+", 100, f"deserter:{number}"):
                (claimed, fields), = ask(c, "XCLAIM", stream, GROUP, "rescuer", 0, entry)
                assert claimed == entry
                acknowledge_entry(c, stream, entry)
                done.append(entry_name(fields))
                found += 1
        work["entries rescued"] += found
        if stopped and not found:
            return work, done
        gang.pause(0 if found else 0.02)


def stream_game(server, gang):
    for stream in STREAMS:
        assert server.ask("XGROUP", "CREATE", stream, GROUP, 0, "MKSTREAM") == b"OK"
    for ident in range(2):
        gang.add(add_entries, ident)
    for ident, name in enumerate((STEADY, STEADY, VICTIM, VICTIM)):
        gang.follow(acknowledge, ident, name)
    gang.add(desert)
    gang.follow(rescue)


def stream_books(server, notes):
    made = {(ident, number) for ident, count in notes["add_entries"] for number in range(count)}
    done = list(itertools.chain(*notes["acknowledge"], *notes["rescue"]))
    assert len(done) == len(set(done)), "acknowledged twice"
    assert set(done) == made, f"lost: {sorted(made - set(done))[:10]}"
    for stream in STREAMS:
        assert server.ask("XPENDING", stream, GROUP)[0] == 0
        assert server.ask("XLEN", stream) == 0


# Publish and subscribe: who listens hears all, in its order; who comes later, all from then on.

END = b"end"
NEWS, SHARDED = ["news:0", "news:1"], ["sharded:0"]
LISTENERS = [("SUBSCRIBE", NEWS, NEWS, 2), ("PSUBSCRIBE", ["news:*"], NEWS, 3), ("SSUBSCRIBE", SHARDED, SHARDED, 2)]
# How far the news may run ahead of those who listen, and how often these say where they are.
AHEAD, TELL = 4000, 500


def publish(c, rng, gang, verb, channel, listeners):
    """Begins when the steady ones listen, and waits for them now and then, so that the news do not pile up in the server."""
    work, sent = Counter(), 0
    places = [f"heard:{listener}:{channel}" for listener in listeners]
    gang.pause_while(lambda: None in ask(c, "MGET", *places))
    while gang.on():
        count = rng.randrange(1, 10)
        for hearers in many(c, [(verb, channel, sent + i) for i in range(count)]):
            assert hearers >= len(listeners)
        if sent // TELL != (sent + count) // TELL:
            gang.pause_while(lambda: min(map(int, ask(c, "MGET", *places))) < sent - AHEAD)
        sent += count
        work[f"messages by {verb}"] += count
    ask(c, verb, channel, END)
    return work, (channel, sent)


class Ear:
    """The messages of some channels, without a gap. Steady ones hear them from the first."""

    def __init__(self, channels, steady):
        self.next = dict.fromkeys(channels, 0) if steady else {}
        self.open = set(channels)

    def hear(self, message):
        channel, text = message[-2].decode(), message[-1]
        if text == END:
            self.open.discard(channel)
            return channel, None
        number = int(text)
        assert self.next.get(channel, number) == number, (channel, self.next[channel], number)
        self.next[channel] = number + 1
        return channel, number


def listen(side, rng, gang, ident, verb, names, channels, protocol):
    """Hears everything."""
    work, ear = Counter(), Ear(channels, steady=True)
    with gang.dial(STEADY, protocol) as c:
        c.send_command(verb, *names)
        for _ in names:
            c.read()
        for channel in channels:
            ask(side, "SET", f"heard:{ident}:{channel}", 0)
        while ear.open:
            message = c.read()
            assert isinstance(message, Push) == (protocol == 3), message
            channel, number = ear.hear(message)
            work[f"messages to {verb}"] += 1
            if number and number % TELL == 0:
                ask(side, "SET", f"heard:{ident}:{channel}", number)
    return work, ear.next


def listen_until_killed(_, rng, gang, verb, names, channels, protocol):
    work = Counter()

    def session(c):
        ear = Ear(channels, steady=False)
        c.send_command(verb, *names)
        for _ in names:
            assert not isinstance(c.read(), Error)
        while True:
            if not c.is_silent(0.2):
                ear.hear(c.read())
                work["messages to victims"] += 1
            elif gang.stopped():
                return True
    work["listeners killed"] += gang.sessions(VICTIM, session, protocol)
    return work, None


def pubsub_game(server, gang):
    for ident, listener in enumerate(LISTENERS):
        gang.add(listen, ident, *listener)
        gang.follow(listen_until_killed, *listener)
    for verb, channels, listeners in (("PUBLISH", NEWS, (0, 1)), ("SPUBLISH", SHARDED, (2,))):
        for channel in channels:
            gang.add(publish, verb, channel, listeners)


def pubsub_books(server, notes):
    sent = dict(notes["publish"])
    for heard in notes["listen"]:
        assert heard == {channel: sent[channel] for channel in heard}
    wait_until(lambda: server.ask("PUBSUB", "CHANNELS") == [] and server.ask("PUBSUB", "NUMPAT") == 0, timeout=60)


GAMES = {
    "queue": (queue_game, queue_books), "bank": (bank_game, bank_books), "stream": (stream_game, stream_books),
    "pubsub": (pubsub_game, pubsub_books), "ends": (values.ends_game, values.ends_books), "tracking": (values.tracking_game, values.tracking_books),
    "model": (values.model_game, values.model_books), "world": (values.world_game, values.world_books),
}


def kinds_of_work(server):
    """What a soak must have done something of."""
    kinds = [f"elements {way}" for way in ("pushed", "pushed in a transaction", "pushed by a script", "moved", "scored")]
    kinds += [f"elements by {way}" for way in ("BLPOP", "BLMPOP", "BZPOPMIN", "BZMPOP", "BLMOVE")]
    kinds += [f"transfers {way}" for way in ("watched", "queued", "declared", "undeclared")]
    kinds += [f"audits by {way}" for way in ("MGET", "MULTI", "EVAL")]
    kinds += [f"entries {end}" for end in ("added", "acknowledged", "deserted", "rescued")]
    kinds += [f"messages {end}" for end in ("by PUBLISH", "by SPUBLISH", "to SUBSCRIBE", "to PSUBSCRIBE", "to SSUBSCRIBE", "to victims")]
    kinds += ["carriers killed", "consumers killed", "listeners killed", "clients killed waiting", "clients killed listening"]
    kinds += ["keys ended", "keys stayed", "versions raised", "cached values checked", "cached values invalid", "changes compared",
              "values compared", "settings set", "databases flushed"]
    return kinds if server.reference else [*kinds, "fields ended", "fields stayed", "checks"]
