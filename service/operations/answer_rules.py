"""What a header tells its readers of a query's answer, held against the live schema.

None of it would fail a request, but `contract.json`, and the API description made from it, would
not be true.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

from service.database.contract import Column, Described
from service.database.findings import Fault
from service.database.queries import Finding, Query
from service.operations.parse_tree import ParseError, ToolMissingError, location, parse, targets

__all__ = ["check", "column_place", "faults"]

# With one of these words a NOT NULL column may well come out NULL.
_MAKES_NULL: Final = re.compile(r"\b(?:left|right|full|rollup|cube|grouping|old|new)\b", re.I)
_UNNAMED: Final = frozenset({"value", "affected"})  # kinds whose columns nobody reads by name


def check(described: Mapping[str, Described], queries: Mapping[str, Query]) -> list[Finding]:
    """All findings of all queries that PostgreSQL takes, but those that a file allows."""
    return sorted(
        query.source.finding(fault)
        for name, query in queries.items()
        if not described[name].refusal
        for fault in faults(query, described[name])
        if fault[1] not in query.header.allow
    )


def faults(query: Query, answer: Described) -> Iterator[Fault]:
    """The same of one query that PostgreSQL takes, whatever it allows."""
    names = [column.name for column in answer.columns]
    for number, column in enumerate(answer.columns):
        for code, message, hint in _column(query, column, names[:number]):
            yield column_place(query, answer, number), code, message, hint
        yield from _declared_null(query, column)


def column_place(query: Query, answer: Described, number: int) -> int:
    """Where in the file a result column stands; the statement's begin if it cannot be told."""
    with suppress(ParseError, ToolMissingError):
        found = targets(parse(query))
        if len(found) == len(answer.columns):
            return query.place(location(found[number]) + 1)
    return query.start


def _column(query: Query, column: Column, before: list[str]) -> Iterator[tuple[str, str, str]]:
    name = column.name
    if name in before:
        yield "column_duplicate", f"a second column named {name}", ""
    if query.kind in _UNNAMED:
        return
    if name == "?column?":
        yield "column_unnamed", "a column without a name", ""
    if column.not_null is False and name not in query.header.nulls:
        yield "null_undeclared", f"{name} may be NULL in its table", f'add "-- null: {name}"'


def _declared_null(query: Query, column: Column) -> Iterator[Fault]:
    name, places = column.name, query.header.places
    if name not in query.header.nulls:
        return
    if column.not_null and not _MAKES_NULL.search(query.text):
        yield places["null", name], "null_superfluous", f"{name} is NOT NULL in its table", ""
    if name in dict(query.cursor):
        message = f"a cursor cannot pass a NULL in {name}"
        yield places["cursor", name], "cursor_nullable", message, ""
