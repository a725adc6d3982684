"""`quarry sql`: the DBA's workbench for the query files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import psycopg
import typer
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult

from service.cli.database import database_url, settings
from service.cli.output import FOUND, Json, fail, print_table, say
from service.database import contract, guard
from service.database.queries import Finding, Query, SqlFilesError, load
from service.database.tree import sql as names
from service.operations import answer_rules, parse_tree, snapshot, sqlcheck, stubs
from service.operations.psql import psql_form

app = typer.Typer(no_args_is_help=True, help="List, read, run and check the named queries.")

Name = Annotated[str, typer.Argument(help="A query's name, e.g. projects.get.")]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if it is out of date.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """All queries: kind, parameters, tables, budget."""
    rows = [
        {
            "name": query.name,
            "kind": query.kind,
            "parameters": [p.name + ("?" if p.nullable else "") for p in query.params],
            "tables": _tables(query),
            "budget_ms": query.header.budget,
        }
        for query in _queries().values()
    ]
    print_table(("name", "kind", "parameters", "tables", "budget_ms"), rows, as_json)


@app.command()
def show(
    name: Name,
    wire: Annotated[
        bool, typer.Option("--wire", help="The text that PostgreSQL receives.")
    ] = False,
    psql: Annotated[bool, typer.Option("--psql", help="Ready to paste into psql.")] = False,
) -> None:
    """Print a query: its file, what is sent, or a form for psql."""
    query = _query(name, _queries())
    if psql:
        typer.echo(psql_form(query))
    else:
        typer.echo(query.wire if wire else query.source.text.rstrip())


@app.command()
def run(
    name: Name,
    param: Annotated[list[str] | None, typer.Option("-p", "--param", help="key=value")] = None,
    tenant: Annotated[str | None, typer.Option(help="The tenant's name or id.")] = None,
    commit: Annotated[bool, typer.Option("--commit", help="Keep what it changes.")] = False,
    as_json: Json = False,
) -> None:
    """Run a query in a READ ONLY transaction that is rolled back, or with --commit for good."""
    queries = _queries()
    query = _query(name, queries)
    values = _values(query, param or [], tenant)
    if query.writes and not commit:
        fail(f"{name} changes or locks rows: give --commit to run it")
    if commit:
        typer.confirm(f"Run {name} and keep what it changes?", abort=True, err=True)
    try:
        with psycopg.connect(database_url(), autocommit=True) as connection:
            if tenant is not None and "tenant_id" in query.order:
                found = _tenant_id(connection, queries, tenant)
                values[query.order.index("tenant_id")] = found
            result = _execute(connection, query, values, commit)
    except (psycopg.Error, ValueError) as error:
        fail(str(error).strip())
    _print_result(result, as_json)


@app.command()
def check(as_json: Json = False) -> None:
    """Hold every file against its header, the live schema, the rules and the snapshot."""
    try:
        queries = load(settings().sql_dir)
        findings, rendered = _check(queries)
        findings += _check_snapshot(rendered)
    except SqlFilesError as error:
        findings = error.findings
    rows = [{**f._asdict(), "path": str(f.path)} for f in findings]
    if as_json:
        print_table(("path", "line", "column", "code", "message", "suggestion"), rows, as_json)
    else:
        for finding in findings:
            typer.echo(finding)
        say(f"{len(findings)} findings" if findings else "all queries are fine")
    if findings:
        raise typer.Exit(FOUND)


@app.command("snapshot")
def snapshot_(check: Check = False) -> None:
    """Write contract.json: what every query takes and answers."""
    queries = _queries()
    path = _snapshot_path()
    findings, rendered = _check_contract(queries)
    if findings:
        fail("\n".join(map(str, findings)), FOUND)
    old = path.read_bytes() if path.exists() else b"{}"
    changes = snapshot.diff(old, rendered)
    if check and old != rendered:
        fail(f"{path} is out of date: quarry sql snapshot\n{changes}", FOUND)
    _write(path, rendered, changes or "nothing changed")


@app.command("stubs")
def stubs_(check: Check = False) -> None:
    """Write tree.pyi, by which editors and mypy know the queries."""
    rendered = stubs.render(_queries()).encode()
    old = stubs.PATH.read_bytes() if stubs.PATH.exists() else b""
    if check and old != rendered:
        fail(f"{stubs.PATH} is out of date: quarry sql stubs", FOUND)
    _write(stubs.PATH, rendered, "nothing changed" if old == rendered else f"wrote {stubs.PATH}")


def _queries() -> dict[str, Query]:
    try:
        return load(settings().sql_dir)
    except SqlFilesError as error:
        fail(str(error), FOUND)


def _query(name: str, queries: Mapping[str, Query]) -> Query:
    if name not in queries:
        fail(f"there is no query {name}; see: quarry sql list")
    return queries[name]


def _tables(query: Query) -> list[str] | None:
    try:
        return parse_tree.tables(query)
    except parse_tree.ToolMissingError:
        return None


def _values(query: Query, given: list[str], tenant: str | None) -> list[bytes | None]:
    """The values of `$n` as text. Leaves with 2 on a missing or unknown parameter."""
    values: dict[str, str | None] = {p.name: None for p in query.params if p.nullable}
    known = {param.name for param in query.params}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or name not in known:
            fail(f"-p {item}: known are {', '.join(sorted(known)) or 'none'}, as key=value")
        values[name] = value
    if tenant is not None:
        values["tenant_id"] = tenant
    if query.kind == "page" and values.get("limit") is None:
        values["limit"] = "50"
    for name in query.order:
        if name not in values:
            fail("--tenant is missing" if name == "tenant_id" else f"-p {name}=… is missing")
    ordered = (values[name] for name in query.order)
    return [None if value is None else value.encode() for value in ordered]


def _tenant_id(
    connection: psycopg.Connection[Any], queries: Mapping[str, Query], tenant: str
) -> bytes:
    """The id of the tenant with this name or id. Leaves with 2 when there is none of the name."""
    with suppress(ValueError):
        return str(UUID(tenant)).encode()
    result = _execute(connection, _query(names.keys.tenant, queries), [tenant.encode()], False)
    return result.get_value(0, 0) or fail(f"there is no tenant {tenant!r}")


def _execute(
    connection: psycopg.Connection[Any], query: Query, values: list[bytes | None], commit: bool
) -> PGresult:
    """Run it in its own transaction. Raises psycopg.Error."""
    place = query.order.index("tenant_id") if "tenant_id" in query.order else None
    tenant = (values[place] or b"").decode() if place is not None else ""
    pg = connection.pgconn
    _done(pg.exec_(guard.begin(tenant, "cli:sql", "", "", read_only=not commit).encode()))
    result = _done(pg.exec_params(query.sql.encode(), values))
    _done(pg.exec_(b"COMMIT" if commit else b"ROLLBACK"))
    return result


def _done(result: PGresult) -> PGresult:
    if result.status in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
        return result
    state = (result.error_field(DiagnosticField.SQLSTATE) or b"XX000").decode()
    raise psycopg.errors.lookup(state)(result.get_error_message())


def _print_result(result: PGresult, as_json: bool) -> None:
    columns = [(result.fname(i) or b"").decode() for i in range(result.nfields)]
    rows = [
        {
            name: None if (value := result.get_value(row, i)) is None else value.decode()
            for i, name in enumerate(columns)
        }
        for row in range(result.ntuples)
    ]
    if columns:
        print_table(columns, rows, as_json)
    else:
        say((result.command_status or b"").decode())


def _check_contract(queries: Mapping[str, Query]) -> tuple[list[Finding], bytes]:
    try:
        described = contract.describe(database_url(), queries)
    except ConnectionError as error:
        fail(str(error))
    findings = contract.check(described, queries) + answer_rules.check(described, queries)
    return findings, snapshot.render(described, queries)


def _check(queries: Mapping[str, Query]) -> tuple[list[Finding], bytes]:
    findings, rendered = _check_contract(queries)
    try:
        findings += sqlcheck.check(queries, sqlcheck.read_catalog(database_url()))
    except (parse_tree.ToolMissingError, psycopg.Error) as error:
        fail(str(error))
    return sorted(findings), rendered


def _check_snapshot(rendered: bytes) -> list[Finding]:
    path = _snapshot_path()
    if not path.exists():
        message = "there is no snapshot"
        return [Finding(path, 1, 1, "snapshot_missing", message, "", "quarry sql snapshot")]
    changes = snapshot.diff(path.read_bytes(), rendered)
    return [
        Finding(path, 1, 1, "snapshot_differs", line, "", "if it is meant: quarry sql snapshot")
        for line in changes.splitlines()
    ]


def _snapshot_path() -> Path:
    return settings().sql_dir / "contract.json"


def _write(path: Path, content: bytes, message: str) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    say(message)
