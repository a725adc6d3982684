"""`sql/contract.json`: what each query takes and answers, and how that changed for its callers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

import orjson

from service.database.contract import Described
from service.database.queries import Query

__all__ = ["Change", "Contract", "changes", "diff", "read", "render", "report"]

Contract = Mapping[str, Mapping[str, Any]]  # by query; see `_entry`

_WIDER: Final = {("smallint", "int"), ("smallint", "bigint"), ("int", "bigint")}


class Change(NamedTuple):
    """A difference of one query's contract.

    `part` is query, kind, param, column, order, etag or cursor; `item` the parameter's or column's
    name. `breaking`: a caller that worked before may fail now, or get what it does not expect.
    """

    query: str
    part: str
    item: str
    text: str
    breaking: bool

    def __str__(self) -> str:
        what = f"{self.part} {self.item}".rstrip()
        return f"{what} {self.text}"


def render(described: Mapping[str, Described], queries: Mapping[str, Query]) -> bytes:
    """The contract as JSON, equal for equal contracts."""
    contract = {name: _entry(queries[name], described[name]) for name in sorted(queries)}
    return orjson.dumps(contract, option=orjson.OPT_INDENT_2) + b"\n"


def _entry(query: Query, answer: Described) -> dict[str, Any]:
    nulls = query.header.nulls
    return {
        "kind": query.kind,
        "params": {p.name: p.type + ("?" if p.nullable else "") for p in query.params},
        "columns": {c.name: c.type + ("?" if c.name in nulls else "") for c in answer.columns},
        "etag": query.header.etag,
        "cursor": [f"{name} desc" if down else name for name, down in query.cursor],
    }


def read(rendered: bytes) -> Contract:
    """What `render` wrote. Raises ValueError when it is anything else."""
    contract = orjson.loads(rendered)
    if not isinstance(contract, dict) or not all(isinstance(e, dict) for e in contract.values()):
        raise ValueError("not an object of objects")
    return contract


def changes(before: Contract, after: Contract) -> list[Change]:
    """What changed from one contract to another, by query."""
    found = []
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            found.append(Change(name, "query", "", "is gone", True))
        elif name not in before:
            found.append(Change(name, "query", "", "is new", False))
        else:
            found += [Change(name, *change) for change in _changed(before[name], after[name])]
    return found


def diff(old: bytes, new: bytes) -> str:
    """The same of two rendered contracts, as `report` shows it; "" when nothing changed."""
    return report(changes(read(old), read(new)))


def report(found: Sequence[Change], callers: Callable[[str], Sequence[str]] = lambda _: ()) -> str:
    """Changes for a reviewer, each query with who calls it."""
    lines = []
    for name, of_query in groupby(found, lambda change: change.query):
        used = callers(name)
        lines.append(f"{name}  ({', '.join(used)})" if used else name)
        lines += [
            f"  {'BREAKING  ' if change.breaking else 'compatible'}  {change}"
            for change in of_query
        ]
    return "\n".join(lines)


_Parts = Iterator[tuple[str, str, str, bool]]  # part, item, text, breaking


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> _Parts:
    if old.get("kind") != new["kind"]:
        yield "kind", "", f"{old.get('kind')} → {new['kind']}", True
    yield from _params(old.get("params", {}), new["params"])
    yield from _columns(old.get("columns", {}), new["columns"], named=new["kind"] != "value")
    for part in ("cursor", "etag"):
        if (before := old.get(part)) != (after := new[part]):
            yield part, "", f"{_shown(before)} → {_shown(after)}", True


def _params(old: Mapping[str, str], new: Mapping[str, str]) -> _Parts:
    for name in [*old, *(name for name in new if name not in old)]:
        before, after = old.get(name), new.get(name)
        if before is None:
            required = not (after or "").endswith("?")
            yield "param", name, f"is new ({_told(after, 'required')})", required
        elif after is None:
            yield "param", name, f"is gone ({before})", True
        elif before != after:
            types = before.removesuffix("?"), after.removesuffix("?")
            stricter = before.endswith("?") and not after.endswith("?")
            narrower = types[0] != types[1] and types not in _WIDER
            yield "param", name, _turned(before, after, "required"), stricter or narrower


def _columns(old: Mapping[str, str], new: Mapping[str, str], *, named: bool) -> _Parts:
    if not named and len(old) == len(new) == 1:  # nobody reads a :value by name
        old = dict(zip(new, old.values(), strict=True))
    for name in [*old, *(name for name in new if name not in old)]:
        before, after = old.get(name), new.get(name)
        if before is None:
            yield "column", name, f"is new ({_told(after, 'never NULL')})", False
        elif after is None:
            yield "column", name, f"is gone ({before.removesuffix('?')})", True
        elif before != after:
            narrower = before.removesuffix("?") == after  # was NULL at times
            yield "column", name, _turned(before, after, "never NULL"), not narrower
    kept = [name for name in old if name in new]
    if kept != [name for name in new if name in old]:
        yield "order", "", f"of columns is now {', '.join(new)}", False


def _told(kind: str | None, without: str) -> str:
    kind = kind or ""
    return f"{kind.removesuffix('?')}, {'may be NULL' if kind.endswith('?') else without}"


def _turned(before: str, after: str, without: str) -> str:
    types = before.removesuffix("?"), after.removesuffix("?")
    said = [f"{types[0]} → {types[1]}"] if types[0] != types[1] else []
    if before.endswith("?") != after.endswith("?"):
        said.append("may be NULL now" if after.endswith("?") else f"is {without} now")
    return ", ".join(said)


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) and value else str(value or "none")
