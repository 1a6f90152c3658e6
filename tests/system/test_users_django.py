"""Django's caches: django-redis with sessions and locks, and cacheops, whose scripts note which keys depend on which rows, under names
that they make by walking Lua tables: all workers must walk them alike.
"""
from pathlib import Path

import pytest

from tests.system.users_tools import python, scripted

pytestmark = scripted


def visit(server, protocol, books):
    with python(Path(__file__).with_name("users_django_session.py"), server.port, protocol, books) as session:
        assert session.finish().splitlines()[-1] == "all well"


def test_a_site(server, protocol):
    visit(server, protocol, "usual")


@pytest.mark.protocols(3)
def test_a_site_whose_books_are_kept_inside_out(server, protocol):
    visit(server, protocol, "insideout")
