"""The differential fuzzer: the same random commands to Tarn and to a redis-server; replies and state must agree.

    python3 -m tests.differential.run --seed 7 --count 100000

grammar.py   what commands there are, read from what src/commands/generate.py makes of the declarations
values.py    what arguments look like, by type and name, and what broken ones look like
scripts.py   Lua: scripts and libraries that call such commands and use what else scripts have
commands.py  puts these together: a seed gives a list of commands, some of them in transactions
compare.py   when two replies count as the same, and the table of differences that are meant
session.py   two servers, one list of commands, the first difference
minimise.py  the shortest list that still shows a difference
run.py       the command line; test_differential.py runs a few thousand commands for ./dev test
"""
