"""`quarry sql`: the DBA's workbench for the query files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from psycopg.pq.abc import PGresult

from service.cli import queries as files
from service.cli import sql_bench, sql_files
from service.cli.database import database_url, settings
from service.cli.output import FOUND, Json, counted, fail, print_rows, print_table, say
from service.cli.sql_compare import compare
from service.cli.sql_explain import PSQL, explain, open_reference
from service.database import contract
from service.database.queries import Query
from service.operations import parse_tree, snapshot, stubs
from service.operations.check import check as check_files
from service.operations.check import contract_path
from service.operations.explain import explain_call
from service.operations.finding_formats import FORMATS
from service.operations.psql import psql_form
from service.operations.trial import ValuesError, execute, transaction

app = typer.Typer(no_args_is_help=True, help="List, read, run and check the named queries.")
app.command("docs")(sql_files.docs)
app.command("reload")(sql_files.reload)
app.command("bench")(sql_bench.bench)

Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if it is out of date.")]
Tenant = Annotated[str | None, typer.Option(help="The tenant's name or id.")]

app.command("explain")(explain)
app.command("compare")(compare)
app.command("reference", context_settings=PSQL)(open_reference)


@app.command("list")
def list_(
    table: Annotated[
        str | None, typer.Option("--table", help="Only those that name this table.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help='Only those of this one: "GET /projects".')
    ] = None,
    as_json: Json = False,
) -> None:
    """All queries: kind, parameters, tables, who uses them, budget. Exit 1: one has no user."""
    queries, users = files.load_all(), sql_files.users()
    shown: dict[str, dict[str, Any]] = {
        query.name: {
            "name": query.name,
            "kind": query.kind,
            "parameters": [p.name + ("?" if p.nullable else "") for p in query.params],
            "tables": _tables(query),
            "endpoints": [user.name for user in users.of(query.name, "endpoint")],
            "others": [u.name for u in users.of(query.name) if u.kind != "endpoint"],
            "budget": query.header.budget,
        }
        for query in queries.values()
    }
    if table is not None:
        shown = {n: row for n, row in shown.items() if _named(table, row["tables"])}
    if endpoint is not None:
        shown = {n: row for n, row in shown.items() if endpoint in row["endpoints"]}
        if not shown:
            fail(f'no query of {endpoint!r}; give method and path: "GET /projects/{{project_id}}"')
    rows = list(shown.values())
    print_table([*rows[0]] if rows else ["name"], rows, as_json)
    if unused := sorted(shown.keys() & users.unused(queries)):
        say(f"used by nobody: {', '.join(unused)}")
        raise typer.Exit(FOUND)


def _named(table: str, tables: list[str] | None) -> bool:
    """Whether a table is among these, with its schema or without."""
    if tables is None:
        fail("which tables a query names is read by pglast: pip install 'pglast>=8.7'")
    return any(table in {name, name.partition(".")[2]} for name in tables)


@app.command()
def show(
    name: files.Name,
    wire: Annotated[
        bool, typer.Option("--wire", help="The text that PostgreSQL receives.")
    ] = False,
    psql: Annotated[
        bool, typer.Option("--psql", help="Ready to paste into psql, with the values of -p.")
    ] = False,
    param: files.Params = None,
    tenant: Annotated[str | None, typer.Option(help="With --psql: the tenant's id.")] = None,
) -> None:
    """Print a query: its file, what is sent, or a form for psql; and on stderr who uses it."""
    query = files.one(name, files.load_all())
    if psql:
        typer.echo(psql_form(query, files.values(query, param), tenant))
        return
    typer.echo(query.wire if wire else query.source.text.rstrip())
    users = sql_files.users()
    for user in users.of(name):
        say(f"{query.source.path}; used by {user.name} ({', '.join(users.by_user[user][name])})")
    if not users.of(name):
        say(f"{query.source.path}; used by nobody")


@app.command()
def run(
    name: files.Name,
    param: files.Params = None,
    tenant: Tenant = None,
    commit: Annotated[bool, typer.Option("--commit", help="Keep what it changes; asks.")] = False,
    explained: Annotated[
        bool, typer.Option("--explain", help="Show the plan of this call instead of its rows.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a query as the service would, READ ONLY and rolled back, or with --commit for good."""
    queries = files.load_all()
    query = files.one(name, queries)
    values = files.values(query, param)
    if query.writes and not commit and not explained:
        fail(f"{name} changes or locks rows: give --commit to run it, --explain to see its plan")
    if commit and explained:
        fail("--explain keeps nothing: leave out --commit")
    if commit:
        typer.confirm(f"Run {name} and keep what it changes?", abort=True, err=True)
    if query.kind == "page":
        values.setdefault("limit", "50")
    try:
        with psycopg.connect(database_url(), autocommit=True) as connection:
            found = files.tenant_id(connection, queries, tenant) if tenant is not None else None
            if explained:
                measured = explain_call(connection, query, values, found)
                typer.echo(measured.text)
                say(f"{measured.buffers} buffers, {measured.ms:.1f} ms; rolled back")
                return
            with transaction(connection, found, read_only=not commit, keep=commit) as pg:
                result = execute(pg, query, values, found)
    except (psycopg.Error, ValuesError) as error:
        fail(str(error).strip())
    _print_result(result, as_json)


@app.command()
def check(format_: files.Format = "text", as_json: Json = False) -> None:
    """Hold every file against its header, the live schema, the rules and the snapshot."""
    try:
        findings = check_files(database_url(), settings().sql_dir, sql_files.callers)
    except (ConnectionError, parse_tree.ToolMissingError, psycopg.Error) as error:
        fail(str(error).strip())
    typer.echo(FORMATS["json" if as_json else format_](findings), nl=False)
    say(counted(len(findings), "finding") if findings else "all queries are fine")
    if findings:
        raise typer.Exit(FOUND)


@app.command("snapshot")
def snapshot_(check: Check = False) -> None:
    """Write contract.json: what every query takes and answers. Prints how the API changes."""
    queries = files.load_all()
    path = contract_path(settings().sql_dir)
    rendered = _rendered(queries)
    try:
        old = snapshot.read(path.read_bytes()) if path.exists() else {}
    except ValueError:
        old = {}
    changes = snapshot.changes(old, snapshot.read(rendered))
    if changes:
        typer.echo(snapshot.report(changes, sql_files.callers))
        breaking = sum(change.breaking for change in changes)
        say(f"{breaking} breaking, {len(changes) - breaking} compatible")
    fresh = path.exists() and path.read_bytes() == rendered
    if check and not fresh:
        fail(f"{path} is out of date: quarry sql snapshot", FOUND)
    _write(path, rendered, "nothing changed" if fresh else f"wrote {path}")


@app.command("stubs")
def stubs_(check: Check = False) -> None:
    """Write tree.pyi, by which editors and mypy know the queries."""
    rendered = stubs.render(files.load_all()).encode()
    old = stubs.PATH.read_bytes() if stubs.PATH.exists() else b""
    if check and old != rendered:
        fail(f"{stubs.PATH} is out of date: quarry sql stubs", FOUND)
    _write(stubs.PATH, rendered, "nothing changed" if old == rendered else f"wrote {stubs.PATH}")


def _rendered(queries: Mapping[str, Query]) -> bytes:
    """The contract of these queries; exit 1 when the schema refuses one."""
    try:
        described = contract.describe(database_url(), queries)
    except ConnectionError as error:
        fail(str(error))
    if findings := contract.check(described, queries):
        fail("\n".join(map(str, findings)), FOUND)
    return snapshot.render(described, queries)


def _tables(query: Query) -> list[str] | None:
    try:
        return parse_tree.tables(query)
    except parse_tree.ToolMissingError:
        return None


def _print_result(result: PGresult, as_json: bool) -> None:
    columns = [(result.fname(i) or b"").decode() for i in range(result.nfields)]
    rows = [
        {
            name: None if (value := result.get_value(row, i)) is None else value.decode()
            for i, name in enumerate(columns)
        }
        for row in range(result.ntuples)
    ]
    if as_json:
        print_table(columns, rows, as_json)
    elif columns:
        print_rows(columns, rows)
    say(counted(len(rows), "row") if columns else (result.command_status or b"").decode())


def _write(path: Path, content: bytes, message: str) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    say(message)
