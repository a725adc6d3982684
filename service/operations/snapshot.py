"""`sql/contract.json`: what each query takes and answers, and how that changed."""

from collections.abc import Mapping
from typing import Any

import orjson

from service.database.contract import Described
from service.database.queries import Query

__all__ = ["diff", "render"]


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


def diff(old: bytes, new: bytes) -> str:
    """What changed from one rendered contract to another, a line each; "" when nothing did."""
    before, after = orjson.loads(old), orjson.loads(new)
    lines = [f"- {name}" for name in sorted(before.keys() - after.keys())]
    lines += [f"+ {name}" for name in sorted(after.keys() - before.keys())]
    for name in sorted(before.keys() & after.keys()):
        for part in sorted(before[name].keys() | after[name].keys()):
            lines += _changes(f"{name} {part}", before[name].get(part), after[name].get(part))
    return "\n".join(lines)


def _changes(place: str, old: Any, new: Any) -> list[str]:
    if old == new:
        return []
    if not isinstance(old, dict) or not isinstance(new, dict):
        return [f"~ {place}: {_shown(old)} → {_shown(new)}"]
    names = [*old, *(name for name in new if name not in old)]
    changed = [
        f"~ {place}: {_pair(n, old)} → {_pair(n, new)}" for n in names if old.get(n) != new.get(n)
    ]
    return changed or [f"~ {place}: order {', '.join(old)} → {', '.join(new)}"]


def _pair(name: str, mapping: dict[str, str]) -> str:
    return f"{name} {mapping[name]}" if name in mapping else "nothing"


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value or "nothing")
