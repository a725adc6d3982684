"""A named query run by hand as the service runs it: its role, its tenant, and then taken back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from service.database import guard
from service.database.header import Param, meant
from service.database.queries import Query

__all__ = [
    "Values",
    "ValuesError",
    "check_types",
    "complete",
    "described",
    "done",
    "execute",
    "given",
    "transaction",
]

Values = Mapping[str, str | None]  # by parameter; None is NULL

_PARAMETER: Final = re.compile(r"parameter \$(\d+)")
_ACTOR: Final = "cli:sql"


class ValuesError(Exception):
    """Parameters are missing, unknown or of another type; the message has a line for each."""


def described(param: Param) -> str:
    """A parameter in words: name, type, whether it may be left out, its note."""
    optional = ", may be left out" if param.nullable else ""
    return f"{param.name} ({param.type}{optional}){': ' if param.note else ''}{param.note}"


def given(query: Query, items: Iterable[str]) -> dict[str, str | None]:
    """What `key=value` items say; `key=` is an empty text and `key` alone NULL.

    Raises ValuesError on keys that the query does not have.
    """
    params = {param.name: param for param in query.params}
    values: dict[str, str | None] = {}
    wrong = []
    for item in items:
        name, equals, value = item.partition("=")
        if name in params and (equals or params[name].nullable):
            values[name] = value if equals else None
        elif name == "tenant_id":
            wrong.append("tenant_id is given by --tenant NAME")
        elif name in params:
            wrong.append(f"-p {item}: write {name}=VALUE; {described(params[name])}")
        else:
            hint = meant(name, params) or f"known: {', '.join(params) or 'none'}"
            wrong.append(f"-p {item}: {query.name} has no parameter {name}; {hint}")
    if wrong:
        raise ValuesError("\n".join(wrong))
    return values


def complete(query: Query, values: Values, tenant: str | None) -> list[str | None]:
    """The values of `$n`. Raises ValuesError naming all that are missing, with their types."""
    wanted = [p for p in query.params if not p.nullable and p.name not in values]
    missing = [f"-p {param.name}=… is missing: {described(param)}" for param in wanted]
    if "tenant_id" in query.order and tenant is None:
        missing.insert(0, f"--tenant NAME is missing: {query.name} is about one tenant")
    if missing:
        raise ValuesError("\n".join(missing))
    known = {**values, "tenant_id": tenant}
    return [known.get(name) for name in query.order]


@contextmanager
def transaction(
    connection: psycopg.Connection[Any], tenant: str | None, *, read_only: bool, keep: bool = False
) -> Iterator[PGconn]:
    """A transaction with the tenant set as the service sets it; rolled back unless `keep`.

    Raises psycopg.Error, and ValueError on a tenant's id that is none.
    """
    pg = connection.pgconn
    done(pg.exec_(guard.begin(tenant or "", _ACTOR, "", "", read_only=read_only).encode()))
    try:
        yield pg
    except BaseException:
        pg.exec_(b"ROLLBACK")
        raise
    done(pg.exec_(b"COMMIT" if keep else b"ROLLBACK"))


def execute(pg: PGconn, query: Query, values: Values, tenant: str | None) -> PGresult:
    """The query's plain rows. Raises ValuesError and psycopg.Error."""
    ordered = complete(query, values, tenant)
    result = pg.exec_params(
        query.sql.encode(), [None if value is None else value.encode() for value in ordered]
    )
    if (told := _ill_typed(query, result, ordered)) is not None:
        raise ValuesError(told)
    return done(result)


def check_types(pg: PGconn, query: Query, values: Values, types: Mapping[str, int]) -> None:
    """Hold each value against its parameter's type (oid). Raises ValuesError."""
    for name, value in values.items():
        if value is not None:
            result = pg.exec_params(b"SELECT $1", [value.encode()], [types[name]])
            if result.status == ExecStatus.FATAL_ERROR:
                raise ValuesError(_told(query, name, value, result))


def _ill_typed(query: Query, result: PGresult, ordered: list[str | None]) -> str | None:
    """Which parameter PostgreSQL could not read as its type."""
    context = (result.error_field(DiagnosticField.CONTEXT) or b"").decode(errors="replace")
    number = _PARAMETER.search(context)
    if result.status != ExecStatus.FATAL_ERROR or number is None:
        return None
    at = int(number[1]) - 1
    return _told(query, query.order[at], ordered[at], result)


def _told(query: Query, name: str, value: str | None, result: PGresult) -> str:
    message = (result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"").decode(errors="replace")
    param = next((described(p) for p in query.params if p.name == name), f"{name} (uuid)")
    return f"-p {name}={value}: {message}\n{param}"


def done(result: PGresult) -> PGresult:
    """The result. Raises psycopg.Error when the statement has failed."""
    if result.status in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
        return result
    state = (result.error_field(DiagnosticField.SQLSTATE) or b"XX000").decode()
    try:
        kind = psycopg.errors.lookup(state)
    except KeyError:  # one of our own
        kind = psycopg.DatabaseError
    raise kind(result.get_error_message())
