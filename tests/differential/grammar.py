"""The grammar of all commands, as src/commands/generate.py prints it, cut down to what both servers have."""
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ROOT / "src" / "commands"
NEWEST = (7, 0, 15)  # of the reference

# Groups whose commands are about the server or the connection and not about data.
GROUPS_LEFT_OUT = {"connection", "server", "pubsub", "scripting", "cluster", "sentinel", "transactions"}
TAKEN_ALL_THE_SAME = {"SELECT", "ECHO", "PING", "DBSIZE", "FLUSHDB", "FLUSHALL", "SWAPDB"}

# Commands left out one by one, with the reason.
LEFT_OUT = {
    "MIGRATE": "wants another server",
    "WAIT": "wants replicas", "WAITAOF": "wants replicas",
    "OBJECT HELP": "our own words", "XINFO HELP": "our own words", "XGROUP HELP": "our own words",
    "PFSELFTEST": "says OK", "PFDEBUG": "for developers",
}
ASK_FIRST = {"XREAD", "XREADGROUP"}  # wait only if BLOCK is said


def _version(text):
    return tuple(int(part) for part in text.split("."))


def load(path=None):
    """All declarations: of a file, or freshly generated from the sources."""
    if path:
        return json.loads(Path(path).read_text())
    files = sorted(str(f) for f in COMMANDS.glob("*.toml"))
    out = subprocess.run([sys.executable, str(COMMANDS / "generate.py"), "--json", "/dev/stdout", *files], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


def _known_arguments(arguments, newest):
    """Without what is newer than the reference, in depth."""
    kept = []
    for arg in arguments:
        if _version(arg.get("since", "0")) > newest:
            continue
        if "arguments" in arg:
            arg = dict(arg, arguments=_known_arguments(arg["arguments"], newest))
            if not arg["arguments"]:
                continue
        kept.append(arg)
    return kept


def _wanted(command, newest):
    if not command["callable"] or _version(command["since"]) > newest or command["name"] in LEFT_OUT:
        return False
    return command["group"] not in GROUPS_LEFT_OUT or command["name"] in TAKEN_ALL_THE_SAME


def common(declarations, *known, newest=NEWEST):
    """The commands to fuzz: declared, old enough, and in each of the `known` sets of lower-case names that servers gave. Those that
    would wait are marked, for they are to be used where nothing waits: in transactions and scripts."""
    result = []
    for command in declarations:
        first = command["name"].split()[0].lower()
        if _wanted(command, newest) and all(first in names for names in known):
            waits = "blocking" in command["flags"] and command["name"] not in ASK_FIRST
            result.append(dict(command, arguments=_known_arguments(command["arguments"], newest), waits=waits))
    return result
