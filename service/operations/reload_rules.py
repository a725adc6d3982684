"""What an edit of the query files may change under a running service, and what wants a restart.

The Python that runs was written against the old files. It can serve another statement, more
columns, another order, a parameter that may be left out; it cannot serve what it does not know of.

| code | rule |
|---|---|
| query_gone | a query that the service asks stays |
| kind_changed | it keeps its kind |
| param_gone | a parameter that the service passes stays |
| param_needed | a new parameter may be NULL, for nobody passes it |
| param_changed | a parameter keeps its type, and may be NULL where it might be |
| etag_gone | a query keeps its etag, and the etag its type |
| column_gone, column_changed | where Python reads the rows itself, a column keeps its name, its type and its NOT NULL |

Queries that only commands ask are free: a command reads the files when it starts.
"""  # noqa: E501  (a table)

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from service.database.contract import Described
from service.database.findings import Fault
from service.database.header import Param
from service.database.queries import Finding, Query
from service.operations.usage import Usage

__all__ = ["check"]

_INTEGERS: Final = frozenset({"smallint", "int", "bigint"})
_FILLED: Final = ("limit", "after_")  # parameters of a page that its cursor fills, by whatever name
_RESTART: Final = (
    "a running service cannot serve this: take it back, or restart with code that fits"
)


def check(
    old: Mapping[str, Query],
    new: Mapping[str, Query],
    answers: tuple[Mapping[str, Described], Mapping[str, Described]],
    usage: Usage,
) -> list[Finding]:
    """All findings; `answers` are both sets as the database reads them now, the old one at least
    for what changed."""
    findings = []
    for name, query in old.items():
        places = usage.places(name, commands=False)
        if not places:
            continue
        if name not in new:
            message = f"{name} is asked at {places[0]}"
            findings.append(query.source.finding((0, "query_gone", message, _RESTART)))
        elif query.source.text != new[name].source.text:
            was, becomes = (side.get(name, Described()) for side in answers)
            faults = [*_head(query, new[name], places[0]), *_etag(query, new[name], was, becomes)]
            faults += _columns(query, new[name], (was, becomes), usage)
            findings += map(new[name].source.finding, faults)
    return sorted(findings)


def _head(old: Query, new: Query, place: str) -> Iterator[Fault]:
    """Kind and parameters."""
    at = new.header.places["name", ""]
    if old.kind != new.kind:
        yield at, "kind_changed", f":{old.kind} is what {place} asks", _RESTART
    was, becomes = _passed(old), _passed(new)
    for name in was.keys() - becomes.keys():
        yield at, "param_gone", f"{name} is passed at {place}", _RESTART
    for name, param in becomes.items():
        at = new.header.places["param", name]
        if name in was:
            yield from _param(at, was[name], param)
        elif not param.nullable:
            message = f"{name} is new, and {place} does not pass it"
            yield at, "param_needed", message, f'write "{name} {param.type}?"'


def _passed(query: Query) -> dict[str, Param]:
    """The parameters that Python passes by their names."""
    filled = _FILLED if query.kind == "page" else ("\0",)
    return {p.name: p for p in query.params if not p.name.startswith(filled)}


def _param(at: int, old: Param, new: Param) -> Iterator[Fault]:
    if old.type != new.type and not {old.type, new.type} <= _INTEGERS:
        yield at, "param_changed", f"{old.type} is what the service passes", _RESTART
    elif old.nullable and not new.nullable:
        hint = f'write "{new.name} {new.type}?"'
        yield at, "param_changed", f"{new.name} may be passed as NULL", hint


def _etag(old: Query, new: Query, was: Described, becomes: Described) -> Iterator[Fault]:
    if old.header.etag is None:
        return
    types = [
        next((c.type for c in answer.columns if c.name == query.header.etag), "")
        for query, answer in ((old, was), (new, becomes))
    ]
    if new.header.etag is None:
        at = new.header.places["name", ""]
        yield at, "etag_gone", f"callers send the etag {old.header.etag} back", _RESTART
    elif all(types) and types[0] != types[1]:
        at = new.header.places["etag", ""]
        yield at, "etag_gone", f"the etag was {types[0]}, not {types[1]}", _RESTART


def _columns(
    old: Query, new: Query, answers: tuple[Described, Described], usage: Usage
) -> Iterator[Fault]:
    """What Python itself reads: rows as values, the one column of a `:value`, an id."""
    if any(answer.refusal for answer in answers):
        return  # nothing is known of its columns
    was, becomes = ({c.name: c.type for c in answer.columns} for answer in answers)
    if new.kind == "value":
        was, becomes = ({"the value": next(iter(side.values()))} for side in (was, becomes))
    elif old.name in usage.located - usage.read:
        was = {name: kind for name, kind in was.items() if name == "id"}
    elif old.name not in usage.read:
        return
    for name, kind in was.items():
        if name not in becomes:
            yield new.start, "column_gone", f"the service reads {name}", _RESTART
        elif kind != becomes[name]:
            message = f"{name} was {kind}, not {becomes[name]}, and the service reads it"
            yield new.start, "column_changed", message, _RESTART
        elif name in new.header.nulls and name not in old.header.nulls:
            at, message = new.header.places["null", name], f"the service reads {name} as it was"
            yield at, "column_changed", message, _RESTART
