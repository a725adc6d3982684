"""Who uses what, as it is read from the code: nothing is missed, and nothing is made up."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from service.cli.commands import functions
from service.database.queries import load
from service.database.tree import sql
from service.operations.code_reach import Tracer
from service.operations.usage import Usage, find
from service.resources import ADMIN_ENDPOINTS, ENDPOINTS

SQL = Path(__file__).parents[2] / "sql"


@pytest.fixture(scope="module")
def usage() -> Usage:
    return find(ENDPOINTS, ADMIN_ENDPOINTS, functions())


def made(code: str) -> dict[str, Any]:
    """What a module of the service with this code would hold."""
    held: dict[str, Any] = {"__name__": "service.made_up", "sql": sql}
    exec(textwrap.dedent(code), held)  # noqa: S102  (code of this file)
    return held


WAYS = {
    "by name": """
        async def root(db):
            return await db.one(sql.made.up)
        """,
    "by another name": """
        names = sql
        def root(db):
            return db.one(names.made.up)
        """,
    "in a helper": """
        def helper(db):
            return db.one(sql.made.up)
        def root(db):
            return helper(db)
        """,
    "in a comprehension": """
        def root(db):
            return [each for each in (db.one(sql.made.up) for _ in "ab")]
        """,
    "in a function inside": """
        def root(db):
            async def work():
                return await db.one(sql.made.up)
            return db.atomically(work)
        """,
    "as a choice": """
        def root(db, full):
            name = sql.made.up if full else sql.made.other
            return db.one(name)
        """,
    "as a default": """
        def root(db, name=sql.made.up):
            return db.one(name)
        """,
    "in a closure": """
        def answering(name):
            def answer(db):
                return db.one(name)
            return answer
        root = answering(sql.made.up)
        """,
    "in a table": """
        NAMES = {"a": (1, [sql.made.up])}
        def root(db, which):
            return db.one(NAMES[which][1][0])
        """,
    "in a table of functions": """
        def work(db):
            return db.one(sql.made.up)
        STEPS = {"work": work}
        def root(db, which):
            return STEPS[which](db)
        """,
    "in a partial function": """
        import functools
        def work(name, db):
            return db.one(name)
        STEP = functools.partial(work, sql.made.up)
        def root(db):
            return STEP(db)
        """,
    "in a method": """
        class Worker:
            def __init__(self, db):
                self.db = db
            def work(self):
                return self.step()
            def step(self):
                return self.db.one(sql.made.up)
        def root(db):
            return Worker(db).work()
        """,
    "in a method of a parent": """
        class Base:
            def work(self, db):
                return db.one(sql.made.up)
        class Worker(Base):
            pass
        def root(db):
            return Worker().work(db)
        """,
    "in a property": """
        class Worker:
            @property
            def name(self):
                return sql.made.up
        def root(db):
            return db.one(Worker().name)
        """,
    "in an object's attribute": """
        class Step:
            def __init__(self, name):
                self.name = name
        STEP = Step(sql.made.up)
        def root(db):
            return db.one(STEP.name)
        """,
    "behind a decorator": """
        import functools
        def loudly(work):
            @functools.wraps(work)
            def louder(*given):
                return work(*given)
            return louder
        @loudly
        def root(db):
            return db.one(sql.made.up)
        """,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_query_is_found_however_it_is_named(way: str) -> None:
    assert "made.up" in Tracer().reach(made(WAYS[way])["root"]).queries


def test_what_is_not_called_is_not_used() -> None:
    held = made("""
        class Worker:
            def work(self, db):
                return db.one(sql.made.used)
            def rest(self, db):
                return db.one(sql.made.up)
        def other(db):
            return db.one(sql.made.up)
        def root(db):
            return Worker().work(db)
        """)
    assert Tracer().reach(held["root"]).queries.keys() == {"made.used"}


def test_a_place_is_where_it_is_named(usage: Usage) -> None:
    (place,) = usage.places("projects.get")
    path, line = place.split(":")
    assert "sql.projects.get" in (SQL.parent / path).read_text().splitlines()[int(line) - 1]


def test_every_query_has_a_user_and_every_name_is_a_query(usage: Usage) -> None:
    queries = load(SQL)
    assert usage.unused(queries) == []
    asked = {name for names in usage.by_user.values() for name in names}
    assert asked == queries.keys()
    assert usage.unused({**queries, "made.up": None}) == ["made.up"]


def test_users_of_every_kind_are_known(usage: Usage) -> None:
    def names(query: str) -> set[str]:
        return {user.name for user in usage.of(query)}

    assert names("projects.list") == {"GET /projects"}
    assert {"POST /projects", "quarry demo"} <= names("projects.create")
    assert names("keys.list") == {"quarry key list"}
    assert names("idempotency.claim") == {"http.idempotency"}
    assert {"http.auth", "quarry sql run"} <= names("keys.tenant")
    assert names("upkeep.partitions") == {"operations.maintenance"}
    assert "GET /openapi.json" not in {user.name for user in usage.by_user}


def test_it_is_known_whose_rows_python_reads(usage: Usage) -> None:
    assert {"keys.find", "idempotency.find", "documents.pair"} <= usage.read
    assert not {"projects.get", "projects.list", "users.update"} & usage.read
    assert {"projects.create", "documents.revise"} <= usage.located
    assert "projects.update" not in usage.located


def test_the_commands_are_known_by_their_full_names() -> None:
    found: dict[str, Callable[..., Any]] = functions()
    assert {"quarry key list", "quarry migrate apply", "quarry check"} <= found.keys()
    assert "quarry serve" not in found
    assert all(isinstance(each, FunctionType) for each in found.values())
