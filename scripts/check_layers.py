#!/usr/bin/env python3
"""Checks which file includes which, so that the layers of src/ stay layers.

A folder of src/ includes only from itself and from the folders before it in LAYERS; tools include only base and resp (and
what the generator makes); main.c wires everything and may include all. Beyond that: includes are written relative to src/,
a .c file begins with its own header, NAME_private.h stays in its folder, .c files are not included, headers have the guard
that their path implies, and no headers include each other in a circle.

Prints file:line and the rule, one line per finding, and leaves with status 1 if there are any. `--graph` prints instead
which folder includes which, with the number of includes.
"""
import re
import sys
from collections import Counter
from pathlib import Path

LAYERS = ["base", "containers", "types", "store", "resp", "net", "settings", "server", "commands", "script", "persist", "replica",
          "cluster", "sentinel"]
TOOLS = {"base", "resp", "tools"}
LONG = 900

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


class File:
    def __init__(self, root, path):
        self.path = path.relative_to(root)
        self.name = path.relative_to(root / "src").as_posix()
        self.folder = self.name.split("/")[0] if "/" in self.name else ""
        self.lines = path.read_text(errors="replace").splitlines()
        self.includes = [(number, found.group(1)) for number, line in enumerate(self.lines, 1)
                         if (found := INCLUDE.match(line))]


def read_tree(root):
    paths = sorted(p for p in (root / "src").rglob("*") if p.suffix in (".c", ".h"))
    return {file.name: file for file in (File(root, p) for p in paths)}


def layer_problem(file, target):
    """Why a file of this folder may not include the target; None if it may. A target without folder is generated."""
    folder = target.split("/")[0] if "/" in target else ""
    if file.folder == "" or folder == "":
        return None
    if file.folder == "tools":
        return None if folder in TOOLS else f"tools include only base, resp and generated files, not {folder}/"
    if folder == "tools":
        return f"{file.folder}/ may not include from tools/"
    if folder not in LAYERS:
        return f'"{target}": {folder}/ is not one of the layers in scripts/check_layers.py'
    if file.folder not in LAYERS:
        return f"{file.folder}/ is not one of the layers in scripts/check_layers.py"
    if LAYERS.index(folder) > LAYERS.index(file.folder):
        return f"{file.folder}/ lies below {folder}/ and may not include from it"
    return None


def include_problems(file, tree):
    for number, target in file.includes:
        problem = layer_problem(file, target)
        if problem:
            yield number, problem
        if target.endswith(".c"):
            yield number, f'"{target}": a .c file is compiled, not included'
        if "/" in target and ".." in target.split("/"):
            yield number, f'"{target}": includes are written relative to src/'
        if "/" not in target and f"{file.folder}/{target}" in tree:
            yield number, f'"{target}": write "{file.folder}/{target}", relative to src/'
        if target.endswith("_private.h") and target.rpartition("/")[0] != file.name.rpartition("/")[0]:
            yield number, f'"{target}" is for its own folder only'


def own_header_problem(file, tree):
    own = file.name[:-2] + ".h"
    if file.name.endswith(".c") and own in tree and (not file.includes or file.includes[0][1] != own):
        yield (file.includes[0][0] if file.includes else 1), f'the first include is to be "{own}", the file\'s own header'


def guard_problem(file):
    if not file.name.endswith(".h"):
        return
    guard = "TARN_" + re.sub(r"\W", "_", file.name).upper()
    if not any(line.strip() == f"#ifndef {guard}" for line in file.lines):
        yield 1, f"the include guard is to be {guard}"


def circles(tree):
    """Each circle once, as the list of its headers, the smallest name first."""
    found, done = set(), set()

    def visit(name, trail):
        if name in trail:
            circle = trail[trail.index(name):]
            least = circle.index(min(circle))
            found.add(tuple(circle[least:] + circle[:least]))
            return
        if name in done or name not in tree:
            return
        for _, target in tree[name].includes:
            if target.endswith(".h"):
                visit(target, trail + [name])
        done.add(name)

    for name in tree:
        if name.endswith(".h"):
            visit(name, [])
    return sorted(found)


def check(root, only=None):
    """All findings as (path, line, text), and notes as lines of text. `only`: a set of paths to report on."""
    tree = read_tree(root)
    findings, notes = [], []
    for file in tree.values():
        if only is not None and file.path not in only:
            continue
        for problems in (include_problems(file, tree), own_header_problem(file, tree), guard_problem(file)):
            findings += [(file.path, number, text) for number, text in problems]
        if len(file.lines) > LONG:
            notes.append(f"{file.path}: note: {len(file.lines)} lines; is there a second subject in it?")
    for circle in circles(tree):
        line = next(n for n, target in tree[circle[0]].includes if target == circle[1 % len(circle)])
        findings.append((tree[circle[0]].path, line, "headers in a circle: " + " -> ".join(circle + circle[:1])))
    return findings, notes


def print_graph(root):
    edges = Counter()
    for file in read_tree(root).values():
        for _, target in file.includes:
            folder = target.split("/")[0] if "/" in target else "(generated)"
            if folder != file.folder:
                edges[file.folder or "main", folder] += 1
    order = {name: index for index, name in enumerate(["(generated)"] + LAYERS + ["tools", "main"])}
    for source in sorted({s for s, _ in edges}, key=lambda s: order.get(s, 99)):
        targets = sorted((t for s, t in edges if s == source), key=lambda t: order.get(t, 99))
        print(f"{source:12} -> " + ", ".join(f"{t} {edges[source, t]}" for t in targets))


def main():
    root = Path(__file__).resolve().parents[1]
    if "--graph" in sys.argv[1:]:
        print_graph(root)
        return 0
    findings, notes = check(root)
    for path, number, text in findings:
        print(f"{path}:{number}: {text}")
    for note in notes:
        print(note)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
