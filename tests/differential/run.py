"""The command line of the differential fuzzer.

    python3 -m tests.differential.run [--seed N] [--count M] [--tarn BIN] [--reference BIN]

Runs M random commands in batches on both servers. On a difference prints the seed, the shortest list of commands that shows it, and
both answers, and leaves with 1. Without --seed takes one and prints it; --count 0 goes on until stopped.
"""
import argparse
import random
import sys

from tests.differential import compare, grammar
from tests.differential.commands import Maker
from tests.differential.minimise import minimise
from tests.differential.session import PROTOCOLS, Session, Side
from tests.system.harness import DEFAULT_BINARY, Server

REFERENCE = "/usr/bin/redis-server"
BATCH = 250
SCRIPTING = {"eval", "evalsha", "eval_ro", "evalsha_ro", "script", "fcall", "fcall_ro", "function"}


def known_commands(server):
    return {name.decode().lower() for name in server.client()("COMMAND", "LIST")}


def version_of(server):
    return tuple(int(part) for part in server.client().info("server")["redis_version"].split("."))


def literal(words):
    """The command in redis-cli's form of quoting."""
    def quoted(word):
        if word and all(33 <= byte < 127 and byte not in b"\"'\\" for byte in word):
            return word.decode()
        return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in word) + '"'
    return " ".join(quoted(word) for word in words)


def report(seed, batch_number, batch, found):
    lines = [f"seed {seed}, batch {batch_number}: {found.text}", f"shown by these {len(batch)} commands, from an empty server on:"]
    lines += [f"  RESP{PROTOCOLS[connection]}  {literal(words)}" for connection, words in batch]
    return "\n".join(lines)


def fuzz(ours, theirs, declarations, seed, count, tell=lambda text: None):
    """Runs `count` commands (0: without end). The report of the first difference, or None."""
    version = version_of(theirs.server)
    compare.REFERENCE[:] = version
    known = known_commands(ours.server), known_commands(theirs.server)
    commands = grammar.common(declarations, *known, newest=max(version, grammar.NEWEST))
    scripts = all(SCRIPTING <= names for names in known)
    session, number, done = Session(ours, theirs, scripts), 0, 0
    while not count or done < count:
        # A batch has a seed of its own, so that it can be made again without those before it.
        batch = Maker(commands, f"{seed}/{number}", scripts).batch(min(BATCH, count - done) if count else BATCH)
        found = session.run(batch)
        if found:
            tell(f"a difference in batch {number}; looking for the shortest way there")
            batch = minimise(batch[:found.index + 1], lambda shorter: session.run(shorter) is not None)
            # Once more, for the difference that the short list shows. One that hangs on the moment may be gone by now.
            return report(seed, number, batch, session.run(batch) or found)
        number, done = number + 1, done + len(batch)
        if number % 40 == 0:
            tell(f"{done} commands agree")
    return None


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seed", default=str(random.randrange(2**32)))
    options.add_argument("--count", type=int, default=10_000, help="commands; 0: without end")
    options.add_argument("--tarn", default=str(DEFAULT_BINARY))
    options.add_argument("--reference", default=REFERENCE)
    options.add_argument("--threads", type=int, default=4, help="workers of Tarn")
    options.add_argument("--grammar", help="the file that generate.py --json wrote; made anew without")
    given = options.parse_args()
    print(f"seed {given.seed}", flush=True)
    with Server(given.tarn, {"threads": given.threads}) as ours, Server(given.reference) as theirs:
        failed = fuzz(Side(ours), Side(theirs), grammar.load(given.grammar), given.seed, given.count, lambda text: print(text, flush=True))
    if failed:
        print(failed)
        return 1
    print(f"{given.count} commands agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
