"""A query as it is pasted into psql."""

import re
from typing import Final

from service.database.queries import Query
from service.operations.trial import Values

__all__ = ["psql_form", "sample"]

_SAMPLES: Final = {
    "uuid": "00000000-0000-0000-0000-000000000000",
    "text": "text",
    "smallint": "1",
    "int": "1",
    "bigint": "1",
    "numeric": "1.5",
    "float8": "1.5",
    "boolean": "true",
    "timestamptz": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "interval": "1 day",
    "json": "{}",
    "jsonb": "{}",
    "inet": "127.0.0.1",
    "bytea": r"\x00",
}


_PLAIN: Final = frozenset({"smallint", "int", "bigint", "numeric", "float8", "boolean"})
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?|true|false")


def sample(kind: str) -> str:
    """Some value of a parameter's type, as text."""
    return "{}" if kind.endswith("[]") else _SAMPLES[kind]


def psql_form(query: Query, values: Values | None = None, tenant: str | None = None) -> str:
    r"""The statement as it stands, below `\set` lines that give every parameter a value: a given
    one, else NULL where it may be, else a sample."""
    params = {param.name: param for param in query.params}
    known = {**(values or {}), **({"tenant_id": tenant} if tenant else {})}
    lines = []
    for name in query.order:
        param = params.get(name)
        kind = param.type if param else "uuid"
        optional = param is not None and param.nullable and name != "limit"
        value = known[name] if name in known else None if optional else sample(kind)
        lines.append(f"-- {name} {kind} {param.note if param else ''}".rstrip())
        lines.append(rf"\set {name} {_quoted('NULL' if value is None else _literal(value, kind))}")
    if "tenant_id" in query.order:
        lines.append("SET app.tenant_id = :tenant_id;")
    return "\n".join([*lines, query.text, ";"])


def _literal(value: str, kind: str) -> str:
    """A value as SQL; standard_conforming_strings is on."""
    if kind in _PLAIN and _NUMBER.fullmatch(value):
        return value
    return "'{}'".format(value.replace("'", "''"))


def _quoted(value: str) -> str:
    """A value as psql's `\\set` reads it back unchanged."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
