#!/usr/bin/env python3
"""Makes the command table and everything else that follows from the declarations in src/commands/*.toml.

    generate.py [--out DIR] [--page FILE] [--json FILE] file.toml...

Writes to DIR command_table.c, command_handlers.h, command_help.h and command_help.c. Without options it only checks.
How a declaration looks: README.md beside this file; the synopsis: generator/synopsis.py. Ends with 1 and lines of
file:line: message when a declaration is wrong."""

import argparse
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from generator import declarations, emit_c, emit_text  # noqa: E402


def write(path, text):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", help="folder of the C files")
    options.add_argument("--page", help="the reference page, Markdown")
    options.add_argument("--json", help="the grammar of all commands for test programs")
    options.add_argument("files", nargs="+")
    given = options.parse_args()

    top, problems = declarations.load(given.files)
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    if given.out:
        try:
            table = emit_c.table_c(top)
        except ValueError as error:
            print(f"{given.files[0]}:1: {error}", file=sys.stderr)
            return 1
        write(Path(given.out) / "command_table.c", table)
        write(Path(given.out) / "command_handlers.h", emit_c.handlers_h(top))
        write(Path(given.out) / "command_help.h", emit_c.HELP_H)
        write(Path(given.out) / "command_help.c", emit_c.help_c(top))
    if given.page:
        write(given.page, emit_text.page(top))
    if given.json:
        write(given.json, emit_text.grammar(top))
    return 0


if __name__ == "__main__":
    sys.exit(main())
