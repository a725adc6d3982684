"""What a header tells its readers of a query's answer, held against the live schema.

None of it would fail a request, but `contract.json`, and the API description made from it, would
not be true.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from service.database.contract import Column, Described
from service.database.findings import Fault
from service.database.queries import Finding, Query

__all__ = ["check"]

# With one of these words a NOT NULL column may well come out NULL.
_MAKES_NULL: Final = re.compile(r"\b(?:left|right|full|rollup|cube|grouping|old|new)\b", re.I)
_UNNAMED: Final = frozenset({"value", "affected"})  # kinds whose columns nobody reads by name


def check(described: Mapping[str, Described], queries: Mapping[str, Query]) -> list[Finding]:
    """All findings of all queries that PostgreSQL takes, but those that a file allows."""
    return sorted(
        query.source.finding(fault)
        for name, query in queries.items()
        if not described[name].refusal
        for fault in _faults(query, described[name])
        if fault[1] not in query.header.allow
    )


def _faults(query: Query, answer: Described) -> Iterator[Fault]:
    names = [column.name for column in answer.columns]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield query.start, "column_duplicate", f"two columns named {name}", ""
    if "?column?" in names and query.kind not in _UNNAMED:
        yield query.start, "column_unnamed", "a column without a name", ""
    for column in answer.columns:
        yield from _null(query, column)


def _null(query: Query, column: Column) -> Iterator[Fault]:
    name, places = column.name, query.header.places
    declared = name in query.header.nulls
    if column.not_null is False and not declared and query.kind not in _UNNAMED:
        hint = f'add "-- null: {name}"'
        yield query.start, "null_undeclared", f"{name} may be NULL in its table", hint
    elif column.not_null and declared and not _MAKES_NULL.search(query.text):
        yield places["null", name], "null_superfluous", f"{name} is NOT NULL in its table", ""
    if declared and name in dict(query.cursor):
        message = f"a cursor cannot pass a NULL in {name}"
        yield places["cursor", name], "cursor_nullable", message, ""
