#!/usr/bin/python3
"""The static checks, behind `./dev check`.

    check.py [--changed] [--fix] [part…]

Parts, in the order in which they run when none is named: format (clang-format), layers (check_layers.py), headers (each
compiles alone, and twice), gcc and clang (the whole tree builds without a warning), tidy (clang-tidy with .clang-tidy).
--changed looks at the files that differ from the main branch, committed or not; gcc and clang build everything anyway,
which costs nothing when little has changed. --fix lets clang-format write. Findings are file:line and the rule; status 1.
"""
import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import check_layers  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ["src", "tests/unit", "fuzz", "bench"]
PARTS = ["format", "layers", "headers", "gcc", "clang", "tidy"]
JOBS = os.cpu_count() or 1
TIDY_CACHE = ROOT / ".cache" / "tidy"


def run(*args, **kwargs):
    return subprocess.run([str(a) for a in args], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, **kwargs)


def c_files():
    return sorted(p.relative_to(ROOT) for folder in FOLDERS for p in (ROOT / folder).rglob("*") if p.suffix in (".c", ".h"))


def changed_files():
    """Paths that differ from where this branch left main, and those that git does not know yet."""
    base = run("git", "merge-base", "HEAD", "origin/main").stdout.strip() or run("git", "rev-parse", "HEAD").stdout.strip()
    named = run("git", "diff", "--name-only", "--diff-filter=d", base).stdout.split("\n") if base else []
    named += run("git", "ls-files", "--others", "--exclude-standard").stdout.split("\n")
    return {Path(name) for name in named if name}


def in_parallel(function, items):
    """The outputs of the function that are not empty, in the order of the items."""
    with ThreadPoolExecutor(JOBS) as pool:
        return [text for text in pool.map(function, items) if text]


def check_format(files, options):
    if not files:
        return []
    if options.fix:
        result = run("clang-format", "-i", *files)
    else:
        result = run("clang-format", "--dry-run", "-Werror", *files)
    return [result.stderr + "The rule: .clang-format; ./dev format puts it right."] if result.returncode else []


def check_layering(files, options):
    findings, notes = check_layers.check(ROOT, set(files) if options.changed else None)
    for note in notes:
        print(note)
    return [f"{path}:{number}: {text}" for path, number, text in findings]


def compile_commands():
    """(file, command without output and input) for each file of build-clang; configures it when it is not there."""
    path = ROOT / "build-clang" / "compile_commands.json"
    if not path.exists():
        build("build-clang")
    for entry in json.loads(path.read_text()):
        words = shlex.split(entry["command"])
        kept, skip = [], False
        for word in words:
            if skip:
                skip = False
            elif word in ("-o", "-MF", "-MQ"):
                skip = True
            elif word not in ("-c", "-MD", entry["file"]):
                kept.append(word)
        yield (Path(entry["directory"]) / entry["file"]).resolve(), Path(entry["directory"]), kept


def source_options():
    """(directory, command without output and input) of the files of src/."""
    return next((directory, words) for file, directory, words in compile_commands() if ROOT / "src" in file.parents)


def check_headers(files, options):
    """A header that is included first, and again, must compile. The options are those of the files beside it."""
    headers = [f for f in files if f.suffix == ".h" and f.parts[0] == "src"]
    directory, words = source_options()

    def one(header):
        text = f'#include "{header.relative_to("src")}"\n' * 2
        result = subprocess.run(words + ["-Wno-unused-function", "-fsyntax-only", "-x", "c", "-"], cwd=directory, input=text,
                                capture_output=True, text=True)
        return f"{header}:1: does not compile alone\n{result.stderr}" if result.returncode else ""
    return in_parallel(one, headers)


def build(word):
    result = subprocess.run(["./dev", word], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return [result.stdout + result.stderr] if result.returncode else []


def check_gcc(files, options):
    return build("build")


def check_clang(files, options):
    """The build, and the programs of bench/, which are compiled by hand elsewhere, with the same warnings."""
    findings = build("build-clang")
    if findings:
        return findings
    directory, words = source_options()

    def one(file):
        result = subprocess.run(words + ["-fsyntax-only", str(ROOT / file)], cwd=directory, capture_output=True, text=True)
        return result.stderr if result.returncode else ""
    return in_parallel(one, [f for f in files if f.parts[0] == "bench" and f.suffix == ".c"])


def check_tidy(files, options):
    """clang-tidy on each .c file, with the headers of ours that it includes. A file that was clean is looked at again
    only when it, what it includes, or the rules changed."""
    build("build-clang")
    rules = (ROOT / ".clang-tidy").read_bytes()
    wanted = set(files)
    TIDY_CACHE.mkdir(parents=True, exist_ok=True)

    def one(job):
        file, directory, words = job
        seen = subprocess.run(words + ["-E", "-C", str(file)], cwd=directory, capture_output=True)
        stamp = TIDY_CACHE / hashlib.sha256(rules + " ".join(words).encode() + seen.stdout).hexdigest()
        if stamp.exists():
            return ""
        result = run("clang-tidy", "-p", "build-clang", "--quiet", "--warnings-as-errors=*", file)
        if result.returncode == 0:
            stamp.touch()
            return ""
        return result.stdout or result.stderr

    jobs = [job for job in compile_commands() if ROOT in job[0].parents and job[0].relative_to(ROOT) in wanted]
    return in_parallel(one, jobs)


CHECKS = {"format": check_format, "layers": check_layering, "headers": check_headers, "gcc": check_gcc,
          "clang": check_clang, "tidy": check_tidy}


def main():
    parser = argparse.ArgumentParser(prog="./dev check", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--changed", action="store_true")
    parser.add_argument("--fix", action="store_true")
    parser.add_argument("parts", nargs="*", metavar="part", help=" ".join(PARTS))
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    files = c_files()
    if options.changed:
        changed = changed_files()
        files = [f for f in files if f in changed]
    failed = []
    for part in options.parts or PARTS:
        findings = CHECKS[part](files, options)
        print(f"check {part}: {'FAILED' if findings else 'ok'}", flush=True)
        if findings:
            print("\n".join(text.rstrip() for text in findings), flush=True)
            failed.append(part)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
