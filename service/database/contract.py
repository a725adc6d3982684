"""What the live schema says of each query, and which queries it would fail.

PostgreSQL itself parses each statement and tells the types of its parameters and columns, and
which table's column a result column comes from. Nothing is executed. `describe` blocks: call it
from a thread where an event loop runs.

What a header promises its readers beyond what the service needs to run, NULLs above all, is held
against the description by `service/operations/answer_rules.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.errors import Diagnostic
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from service.database.findings import Fault
from service.database.queries import Finding, Query

__all__ = ["Column", "Described", "check", "describe", "faults"]

_CATALOG: Final = Path(__file__).parent / "catalog"
# In a pipeline nobody reads while sending, so what is under way must fit the socket's buffers.
_BATCH: Final = 60
# A value of the header's type is fine where the server wants one of these.
_WIDER: Final = {
    "smallint": {"int", "bigint"},
    "int": {"bigint"},
    "text": {"varchar", "bpchar", "name", "citext", "enum"},
}


class Column(NamedTuple):
    """A result column; `not_null` is None where it comes from no table's column."""

    name: str
    type: str
    not_null: bool | None = None


class Described(NamedTuple):
    """A statement as PostgreSQL reads it; `params` are types in the order of $n."""

    params: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    refusal: Diagnostic | None = None
    wrapped: bool = False  # what is refused is not the statement as written but a wrapped form


def describe(conninfo: str, queries: Mapping[str, Query]) -> dict[str, Described]:
    """Each query as the database reads it. Raises ConnectionError when there is no database."""
    texts = [text for q in queries.values() for text in (q.sql, q.wire, q.row_sql)]
    outcomes: list[PGresult] = []
    try:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            for start in range(0, len(texts), _BATCH):
                outcomes += _ask(connection.pgconn, texts[start : start + _BATCH])
            answers = zip(outcomes[::3], outcomes[1::3], outcomes[2::3], strict=True)
            return _described(connection, dict(zip(queries, answers, strict=True)))
    except psycopg.OperationalError as error:
        raise ConnectionError(str(error)) from error


def _ask(pg: PGconn, texts: Sequence[str]) -> list[PGresult]:
    """Of each text its description, or the error that it raised."""
    pg.enter_pipeline_mode()
    for text in texts:
        pg.send_prepare(b"", text.encode())
        pg.send_describe_prepared(b"")
        pg.pipeline_sync()  # ends the implicit transaction, failed or not
    outcomes = [_outcome(pg) for _ in texts]
    pg.exit_pipeline_mode()
    return outcomes


def _outcome(pg: PGconn) -> PGresult:
    """The error, or else the last result, up to the next sync. Raises OperationalError."""
    results: list[PGresult] = []
    while pg.status == ConnStatus.OK:
        result = pg.get_result()  # None at the end of each command
        if result is not None and result.status == ExecStatus.PIPELINE_SYNC:
            return next(filter(_failed, results), results[-1])
        results += [result] if result is not None else []
    raise psycopg.OperationalError(pg.get_error_message())


def _failed(result: PGresult) -> bool:
    return result.status == ExecStatus.FATAL_ERROR


def _described(
    connection: psycopg.Connection[Any], answers: Mapping[str, Sequence[PGresult]]
) -> dict[str, Described]:
    plain = [outcomes[0] for outcomes in answers.values()]
    params = {r.param_type(i) for r in plain for i in range(r.nparams)}
    columns = [(r.ftype(i), r.ftable(i)) for r in plain for i in range(r.nfields)]
    types = dict(_catalog(connection, "types", {*params, *(oid for oid, _ in columns)}))
    origins = _catalog(connection, "columns", {table for _, table in columns})
    not_null = {(table, number): is_set for table, number, is_set in origins}

    def column(answer: PGresult, i: int) -> Column:
        name, origin = answer.fname(i) or b"", (answer.ftable(i), answer.ftablecol(i))
        return Column(name.decode(), types[answer.ftype(i)], not_null.get(origin))

    def statement(outcomes: Sequence[PGresult]) -> Described:
        answer = outcomes[0]
        return Described(
            tuple(types[answer.param_type(i)] for i in range(answer.nparams)),
            tuple(column(answer, i) for i in range(answer.nfields)),
            next((Diagnostic(outcome) for outcome in filter(_failed, outcomes)), None),
            wrapped=not _failed(answer),
        )

    return {name: statement(outcomes) for name, outcomes in answers.items()}


def _catalog(connection: psycopg.Connection[Any], name: str, oids: set[int]) -> list[Any]:
    """The rows that `catalog/<name>.sql` answers for these oids."""
    text = (_CATALOG / f"{name}.sql").read_bytes()
    return psycopg.RawCursor(connection).execute(text, [sorted(oids)]).fetchall()


def check(described: Mapping[str, Described], queries: Mapping[str, Query]) -> list[Finding]:
    """What would fail when it is run. Codes that a file allows are left out."""
    return sorted(
        query.source.finding(fault)
        for name, query in queries.items()
        for fault in faults(query, described[name])
        if described[name].refusal or fault[1] not in query.header.allow
    )


def faults(query: Query, answer: Described) -> list[Fault]:
    """The same of one query, whatever it allows."""
    if answer.refusal and not answer.wrapped:
        return [_refused(query, answer.refusal, answer.wrapped)]
    found = [*_check_params(query, answer), *_check_columns(query, answer)]
    # What the header names and the answer lacks is why the wrapped form is refused.
    return found or ([_refused(query, answer.refusal, True)] if answer.refusal else [])


def _refused(query: Query, why: Diagnostic, wrapped: bool) -> Fault:
    position = int(why.statement_position or 0)
    place = query.place(position) if position and not wrapped else query.start
    message = f"{'wrapped to be sent: ' * wrapped}{why.message_primary} ({why.sqlstate})"
    return place, "prepare_failed", message, why.message_hint or ""


def _check_params(query: Query, answer: Described) -> Iterator[Fault]:
    live = dict(zip(query.order, answer.params, strict=True))
    tenant = live.get("tenant_id", "uuid")
    if tenant != "uuid":
        yield query.start, "tenant_type", f":tenant_id is {tenant}", ""
    columns = {column.name: column.type for column in answer.columns}
    cursor = iter(columns.get(name, "") for name, _ in query.cursor)
    for param in query.params:
        at, wanted = query.header.places["param", param.name], live[param.name]
        if wanted != param.type and wanted not in _WIDER.get(param.type, ()):
            message = f"the header says {param.type}, PostgreSQL says {wanted}"
            yield at, "param_differs", message, ""
        column = next(cursor, "") if param.name.startswith("after_") else ""
        if column not in {"", param.type}:
            yield at, "cursor_differs", f"{param.type}, but its cursor column is {column}", ""


def _check_columns(query: Query, answer: Described) -> Iterator[Fault]:
    names = [column.name for column in answer.columns]
    if query.kind == "value" and len(names) != 1:
        yield query.start, "value_columns", f":value has {len(names)} columns", ""
    for (word, name), at in query.header.places.items():
        if word in {"null", "cursor", "etag"} and name not in {"", *names}:
            yield at, f"{word}_unknown", f"no result column {name}", ""
