"""What there is to know of the queries and the schema together: who touches which table, and how.

Needs nothing but the database and the engine's own lexer, so that a running service can tell it as
well as a checkout with all tools. Query files name tables with their schema, and so do functions;
a schema-qualified name that the catalog knows is therefore that table or function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg

from service.database import contract
from service.database.contract import Described
from service.database.lexer import Kind, LexError, Token, scan
from service.database.queries import Query
from service.operations.usage import Usage

__all__ = ["Facts", "Touch", "gather", "touched"]

_CATALOG: Final = Path(__file__).parent / "catalog"
_TARGETS: Final = (["INTO"], ["UPDATE"], ["DELETE", "FROM"])  # what is named next is written to


class Touch(NamedTuple):
    """A table that is touched; `way` names the functions in between, outermost first."""

    table: str
    writes: bool
    way: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the page shows. `tables` and `functions` are as catalog/schema.sql says."""

    database: str
    server_version: str
    queries: Mapping[str, Query]
    described: Mapping[str, Described]
    tables: Mapping[str, Mapping[str, Any]]
    functions: Mapping[str, Mapping[str, Any]]
    usage: Usage
    touches: Mapping[str, tuple[Touch, ...]]  # of each query

    def queries_of(self, table: str) -> list[tuple[Query, Touch]]:
        """The queries that touch a table."""
        return [
            (self.queries[name], touch)
            for name, touches in self.touches.items()
            for touch in touches
            if touch.table == table
        ]

    def tables_of(self, queries: Mapping[str, Any]) -> list[str]:
        """The tables that some queries touch."""
        return sorted({t.table for name in queries for t in self.touches.get(name, ())})

    def findings(self) -> Iterator[tuple[str, str]]:
        """What a DBA should look at: (what it is about, what is wrong)."""
        for name in self.usage.unused(self.queries):
            yield name, "is asked by nobody: no endpoint, no command, no background work"
        for name, answer in self.described.items():
            if answer.refusal is not None:
                yield name, f"is refused by PostgreSQL: {answer.refusal.message_primary}"
        for name, table in self.tables.items():
            columns = {column["name"] for column in table["columns"] or ()}
            if "tenant_id" in columns and table["kind"] == "view":
                if not table["security_invoker"]:
                    yield name, "shows the rows of tenants with the rights of its owner"
            elif "tenant_id" in columns and not table["row_security_forced"]:
                yield name, "holds rows of tenants, and row-level security is not forced"
            for index in table["indexes"] or ():
                if not index["valid"]:
                    yield name, f"has the INVALID index {index['name']}"


def gather(dsn: str, queries: Mapping[str, Query], usage: Usage) -> Facts:
    """Read all of it. Raises ConnectionError, psycopg.Error. Blocks."""
    described = contract.describe(dsn, queries)
    with psycopg.connect(dsn) as connection:
        row = connection.execute((_CATALOG / "schema.sql").read_bytes()).fetchone()
    assert row is not None  # noqa: S101  (it is one row by its shape)
    tables = {table["name"]: table for table in row[0]}
    functions: dict[str, dict[str, Any]] = {}
    for each in row[1]:  # of several with one name, all bodies count
        same = functions.setdefault(each["name"], each)
        same["body"] += "" if same is each else f"\n{each['body']}"
    touches = {
        name: tuple(touched(query.text, tables, functions)) for name, query in queries.items()
    }
    return Facts(row[2], row[3], queries, described, tables, functions, usage, touches)


def touched(
    text: str, tables: Mapping[str, Any], functions: Mapping[str, Mapping[str, Any]]
) -> list[Touch]:
    """The tables that a statement touches, by itself and by way of the functions that it calls."""
    found: dict[str, Touch] = {}
    _touch(text, (), tables, functions, found)
    return sorted(found.values())


def _touch(
    text: str, way: tuple[str, ...], tables: Mapping[str, Any],
    functions: Mapping[str, Mapping[str, Any]], found: dict[str, Touch],
) -> None:  # fmt: skip
    for name, writes in _names(text):
        if name in tables:
            known = found.get(name)
            # a write says more than a read, and what is named here more than a function's body
            if known is None or (writes, not way) > (known.writes, not known.way):
                found[name] = Touch(name, writes, way)
        elif name in functions and name not in way:
            _touch(functions[name]["body"] or "", (*way, name), tables, functions, found)


def _names(text: str) -> Iterator[tuple[str, bool]]:
    """The qualified names of a text, and whether what stands before says that it is written to."""
    try:
        tokens = [token for token in scan(text) if token.kind is not Kind.COMMENT]
    except LexError:  # the body of a function in another language
        return
    for at in range(len(tokens) - 2):
        first, dot, second = tokens[at : at + 3]
        if dot.text == "." and first.kind is second.kind is Kind.WORD:
            yield f"{first.text}.{second.text}".lower(), _is_target(tokens, at)


def _is_target(tokens: list[Token], at: int) -> bool:
    before = [token.text.upper() for token in tokens[max(0, at - 3) : at]]
    before = [word for word in before if word != "ONLY"]
    return any(before[-len(words) :] == words for words in _TARGETS)
