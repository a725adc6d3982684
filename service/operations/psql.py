"""A query as it is pasted into psql."""

from typing import Final

from service.database.queries import Query

__all__ = ["psql_form"]

_SAMPLES: Final = {
    "uuid": "'00000000-0000-0000-0000-000000000000'",
    "text": "'text'",
    "smallint": "1",
    "int": "1",
    "bigint": "1",
    "numeric": "1.5",
    "float8": "1.5",
    "boolean": "true",
    "timestamptz": "'2026-01-01T00:00:00Z'",
    "date": "'2026-01-01'",
    "interval": "'1 day'",
    "json": "'{}'",
    "jsonb": "'{}'",
    "inet": "'127.0.0.1'",
    "bytea": r"'\x00'",
}


def psql_form(query: Query) -> str:
    r"""The statement as it stands, below `\set` lines that give every parameter a sample value."""
    types = {param.name: param for param in query.params}
    lines = []
    for name in query.order:
        param = types.get(name)
        kind = param.type if param else "uuid"
        lines.append(f"-- {name} {kind} {param.note if param else ''}".rstrip())
        sample = "'{}'" if kind.endswith("[]") else _SAMPLES[kind]
        nullable = param is not None and param.nullable and name != "limit"
        lines.append(rf"\set {name} {_quoted('NULL' if nullable else sample)}")
    if "tenant_id" in query.order:
        lines.append("SET app.tenant_id = :tenant_id;")
    return "\n".join([*lines, query.text, ";"])


def _quoted(value: str) -> str:
    """A value as psql's `\\set` reads it back unchanged."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
