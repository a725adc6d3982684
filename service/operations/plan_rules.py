"""Rules that plans keep on the reference data: no large table read from end to end, no sort where
an index's order was promised, no more pages touched than the budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg

from service.database.findings import Fault
from service.database.queries import Finding, Query
from service.operations.explain import Explained
from service.operations.parse_tree import (
    ParseError,
    ToolMissingError,
    kind_of,
    location,
    parse,
    table_name,
    tables,
    walk,
)
from service.operations.rules import PLAN, RULES, advised

__all__ = ["LARGE", "Table", "budget_for", "check", "read_sizes", "sorts"]

LARGE: Final = 10_000  # rows
_LEAST_BUDGET: Final = 20
_FACTOR: Final = 2  # of what was measured
_SORTS: Final = frozenset({"Sort", "Incremental Sort"})
_INDEXED: Final = frozenset({"Index Scan", "Index Only Scan", "Bitmap Index Scan"})
_SIZES: Final = Path(__file__).parent / "catalog" / "sizes.sql"

Node = Mapping[str, Any]  # of PostgreSQL's JSON


class Table(NamedTuple):
    """A table, or the partitioned one that it is a part of; `rows` are those of the whole."""

    name: str
    rows: int
    empty: bool = False  # itself: nothing to read, so that any way to read it will do


Sizes = Mapping[str, Table]  # by schema.table, partitions included


def read_sizes(connection: psycopg.Connection[Any]) -> dict[str, Table]:
    """How large every table is. Raises psycopg.Error."""
    rows = connection.execute(_SIZES.read_bytes()).fetchall()
    return {name: Table(whole, int(count or 0), empty) for name, whole, count, empty in rows}


def check(explained: Explained, sizes: Sizes) -> list[Finding]:
    """The findings of one query that was planned and run, but those that its file allows."""
    query = explained.query
    found = list(_faults(explained, sizes))
    kept = [fault for fault in found if fault[1] not in query.header.allow]
    broken = {code for _, code, _, _ in found}
    for code in query.header.allow if _large(query, sizes) else ():
        if code in RULES and RULES[code].subject == PLAN and code not in broken:
            at = query.header.places["allow", code]
            kept.append((at, "allow_unused", f"the query keeps the rule {code}", ""))
    return advised(query.source.finding(fault) for fault in kept)


def budget_for(buffers: int) -> int:
    """A budget that leaves room: twice what was touched, as 20, 50, 100, 200, 500 …"""
    wanted, step = max(_LEAST_BUDGET, buffers * _FACTOR), 10
    while True:
        for budget in (step, step * 2, step * 5):
            if budget >= wanted:
                return budget
        step *= 10


def sorts(plan: Node) -> list[Node]:
    """The nodes that sort."""
    return [node for node, _ in _nodes(plan) if node["Node Type"] in _SORTS]


def _faults(explained: Explained, sizes: Sizes) -> Iterator[Fault]:
    query, plan = explained.query, explained.plan
    places = query.header.places
    if explained.failure or plan is None:
        yield query.start, "explain_failed", explained.failure, ""
        return
    yield from _scans(query, plan, sizes)
    if query.header.plan == "index":
        for node in sorts(plan):
            keys = ", ".join(node.get("Sort Key", ()))
            yield places["plan", ""], "sort", f"rows are sorted by {keys}", ""
    large = _large(query, sizes)
    for name in explained.lacking if large else ():
        at = places["param", name]
        yield at, "example_missing", f"no example of {name} to measure the query with", ""
    yield from _budget(explained, large)


def _budget(explained: Explained, large: list[str]) -> Iterator[Fault]:
    query, most = explained.query, explained.buffers
    places, budget = query.header.places, query.header.budget
    if most is None:
        return
    if budget is None and large:
        message = f"it reads {', '.join(large)} and has no budget"
        hint = f'add "-- budget: {budget_for(most)} buffers" (measured: {most}), or: --write'
        yield places["name", ""], "budget_missing", message, hint
    elif budget is not None and most > budget:
        run = max(explained.runs, key=lambda run: run.buffers)
        message = f"{most} buffers were touched ({run.case.title}), {budget} are allowed"
        yield places["budget", ""], "budget_exceeded", message, ""


def _scans(query: Query, plan: Node, sizes: Sizes) -> Iterator[Fault]:
    """Scans of large tables from one end to the other."""
    seen = set()
    for node, above in _nodes(plan):
        relation = next((n for n in (node, *reversed(above)) if "Relation Name" in n), None)
        if relation is None:
            continue
        name = f"{relation['Schema']}.{relation['Relation Name']}"
        whole = sizes.get(name, Table(name, 0))
        how = _from_end_to_end(node, above)
        if how and whole.rows >= LARGE and not whole.empty and (how, whole.name) not in seen:
            seen.add((how, whole.name))
            message = f"{whole.name} ({whole.rows:,} rows) is read from end to end by {how}"
            yield _place(query, whole.name), "seq_scan", message, ""


def _from_end_to_end(node: Node, above: tuple[Node, ...]) -> str:
    """How a node reads all of a table, "" when it does not."""
    kind = node["Node Type"]
    if kind == "Seq Scan":
        return "a sequential scan"
    limited = any(n["Node Type"] == "Limit" for n in above)
    if kind in _INDEXED and "Index Cond" not in node and not limited:
        return f"index {node['Index Name']}"
    return ""


def _place(query: Query, table: str) -> int:
    """Where the statement names a table."""
    with suppress(ParseError, ToolMissingError):
        for node in walk(parse(query)):
            if kind_of(node) == "RangeVar" and table_name(node) == table:
                return query.place(location(node) + 1)
    return query.start


def _large(query: Query, sizes: Sizes) -> list[str]:
    """The large tables that a query names. Raises ToolMissingError."""
    return [name for name in tables(query) if name in sizes and sizes[name].rows >= LARGE]


def _nodes(node: Node, above: tuple[Node, ...] = ()) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """All nodes with those above them, outermost first."""
    yield node, above
    for child in node.get("Plans", ()):
        yield from _nodes(child, (*above, node))


def shape(explained: Explained, sizes: Sizes) -> str:
    """How a query reads large tables: seq scan, sort, index, or "" when it reads none."""
    if explained.plan is None:
        return ""
    if any(_scans(explained.query, explained.plan, sizes)):
        return "seq scan"
    if sorts(explained.plan):
        return "sort"
    return "index" if _large(explained.query, sizes) else ""


def header_lines(explained: Explained, sizes: Sizes) -> list[str]:
    """What the header of a query on large tables should say and does not, by what was measured."""
    query, header = explained.query, explained.query.header
    if explained.buffers is None or not _large(query, sizes):
        return []
    lines = []
    ordered = "ORDER BY" in query.text.upper()
    if header.plan is None and ordered and shape(explained, sizes) == "index":
        lines.append("-- plan: index\n")
    if header.budget is None:
        lines.append(f"-- budget: {budget_for(explained.buffers)} buffers\n")
    return lines
