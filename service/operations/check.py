"""All checks of the query files at once: loading, live schema, rules, contract."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from psycopg.errors import Diagnostic

from service.database import contract
from service.database.contract import Described
from service.database.findings import Fault
from service.database.header import meant
from service.database.queries import Finding, Query, SqlFilesError, load
from service.database.statement import Statement
from service.operations import answer_rules, snapshot, sqlcheck
from service.operations.live_schema import Catalog
from service.operations.rules import RULES, advised, exceptable

__all__ = ["Callers", "check", "check_queries", "contract_path"]

Callers = Callable[[str], Sequence[str]]  # a query's name → who uses it

# What to do about the errors that people make most, where PostgreSQL gives no hint of its own.
_ADVICE: Final = {
    "42601": "the statement cannot be read from here on; look at what stands before",
    "42702": "write the column with its table's alias",
    "42803": "add the column to GROUP BY, or aggregate it",
    "42883": "see the types of the arguments, and cast them: :name::type",
    "42P01": "give a table of FROM this alias",
    "42P02": "write :name and declare it",
    "42P08": "cast the parameter: :name::type",
    "42P18": "cast the parameter: :name::type",
    "42804": "cast one of the sides",
    "42P10": "name the columns of a unique index",
}
_SHOWN: Final = 3  # of those who use a query
_PARAMETER: Final = re.compile(r"parameter \$(\d+)")
_NO_COLUMN: Final = re.compile(r'column (?:\w+\.)?"?(\w+)"? .*does not exist')
_NO_TABLE: Final = re.compile(r'relation "([\w.]+)" does not exist')
_TABLE: Final = re.compile(r"\b([a-z_]\w*\.[a-z_]\w*)\b")


def check(conninfo: str, sql_dir: Path, callers: Callers = lambda _: ()) -> list[Finding]:
    """Everything that can be found in the files of `sql_dir`, in order, each with advice.

    Raises ConnectionError, psycopg.Error, ToolMissingError.
    """
    try:
        queries, findings = load(sql_dir), []
    except SqlFilesError as error:
        queries, findings = dict(error.queries), list(error.findings)
    described = contract.describe(conninfo, queries)
    findings += check_queries(queries, described, sqlcheck.read_catalog(conninfo))
    unread = {_name(sql_dir, finding.path) for finding in findings} - queries.keys()
    findings += _contract(sql_dir, queries, described, unread, callers)
    return advised(findings)


def check_queries(
    queries: Mapping[str, Query], described: Mapping[str, Described], catalog: Catalog
) -> list[Finding]:
    """The findings of loaded queries, but those that a file allows. Raises ToolMissingError."""
    return [
        query.source.finding(fault)
        for name, query in queries.items()
        for fault in _faults(query, described[name], catalog)
    ]


def contract_path(sql_dir: Path) -> Path:
    """Where the committed contract is."""
    return sql_dir / "contract.json"


def _faults(query: Query, answer: Described, catalog: Catalog) -> Iterator[Fault]:
    found = contract.faults(query, answer)
    rules = sqlcheck.faults(query, catalog)
    if answer.refusal:
        yield from (_hinted(query, fault, answer.refusal, catalog) for fault in found)
        yield from (
            fault for fault in rules if fault[1] != "unparsed" and not _allows(query, fault)
        )
        return
    found += [*answer_rules.faults(query, answer), *rules]
    if any(fault[1] == "cursor_unknown" for fault in found):  # of which all else follows
        found = [fault for fault in found if not fault[1].startswith("cursor_o")]
    yield from (fault for fault in found if not _allows(query, fault))
    broken = {fault[1] for fault in found}
    for code in query.header.allow:
        if exceptable(code) and code not in broken and RULES[code].subject != "the plan":
            at = query.header.places["allow", code]
            yield at, "allow_unused", f"the file keeps the rule {code}", ""


def _allows(query: Query, fault: Fault) -> bool:
    return fault[1] in query.header.allow and exceptable(fault[1])


def _hinted(query: Query, fault: Fault, why: Diagnostic, catalog: Catalog) -> Fault:
    """A refusal with what was probably meant."""
    at, code, message, hint = fault
    if code != "prepare_failed" or hint:
        return fault
    if parameter := _PARAMETER.search(message):
        name = query.order[int(parameter[1]) - 1]
        at = query.start + Statement(query.text).placeholders[name].start
        message = message.replace(parameter[0], f"parameter :{name}")
    if column := _NO_COLUMN.search(message):
        tables = _TABLE.findall(query.text)
        known = {name for table in tables for name in catalog.columns.get(table, ())}
        hint = meant(column[1], known)
    elif table := _NO_TABLE.search(message):
        hint = meant(table[1], catalog.columns)
    return at, code, message, hint or _ADVICE.get(why.sqlstate or "", "")


def _name(sql_dir: Path, path: Path) -> str:
    return ".".join(path.relative_to(sql_dir).with_suffix("").parts)


# the contract


def _contract(
    sql_dir: Path,
    queries: Mapping[str, Query],
    described: Mapping[str, Described],
    unread: set[str],
    callers: Callers,
) -> Iterator[Finding]:
    """How the queries differ from the committed contract; of those that could be read."""
    path = contract_path(sql_dir)
    try:
        text = path.read_text()
        before = snapshot.read(text.encode())
    except FileNotFoundError:
        yield Finding(path, 1, 1, "snapshot_missing", "there is no snapshot")
        return
    except ValueError as error:
        yield Finding(path, 1, 1, "snapshot_unreadable", str(error))
        return
    good = {name: query for name, query in queries.items() if not described[name].refusal}
    after = snapshot.read(snapshot.render(described, good))
    skipped = unread | (queries.keys() - good.keys())
    before = {name: entry for name, entry in before.items() if name not in skipped}
    for change in snapshot.changes(before, after):
        code = "snapshot_breaks" if change.breaking else "snapshot_differs"
        message = f"{change.query}: {change}"
        if used := callers(change.query):
            more = f" and {len(used) - _SHOWN} more" if len(used) > _SHOWN else ""
            message += f"; used by {', '.join(used[:_SHOWN])}{more}"
        if query := queries.get(change.query):
            at = _place(query, described[change.query], change)
            yield query.source.finding((at, code, message, ""))
        else:
            line = text[: max(0, text.find(f'"{change.query}"'))].count("\n") + 1
            yield Finding(path, line, 3, code, message, text.split("\n")[line - 1])


def _place(query: Query, answer: Described, change: snapshot.Change) -> int:
    """Where in the file a change of the contract is seen."""
    places = query.header.places
    names = [column.name for column in answer.columns]
    if change.part == "param":
        return places.get(("param", change.item), places["name", ""])
    if change.part == "column" and change.item in names:
        return answer_rules.column_place(query, answer, names.index(change.item))
    if change.part in {"column", "order"}:
        return answer_rules.column_place(query, answer, 0) if names else query.start
    return places.get((change.part, ""), places["name", ""])
