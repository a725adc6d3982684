"""`quarry integrity`: whether the data is what it must be, over all tenants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import psycopg
import typer
from psycopg.conninfo import conninfo_to_dict

from service.checks import CHECKS, Outcome, title
from service.cli.database import owner_url, settings
from service.cli.output import FAILED, FOUND, Json, counted, fail, print_json, print_table, say
from service.cli.queries import load_all
from service.cli.sessions import operator
from service.files import FileStore
from service.operations import integrity_report, migration_files
from service.operations.integrity import CATALOG, REPAIRS, Inspector, RepairError, monitoring
from service.operations.integrity import snapshot as declared_schema
from service.operations.operator import Operator

app = typer.Typer(no_args_is_help=True, help="Check the data of all tenants, repair it, undo that.")


def complete_check(incomplete: str) -> list[str]:
    """For the shell: the names of checks that begin so."""
    return [check.name for check in CHECKS if check.name.startswith(incomplete)]


Names = Annotated[
    list[str] | None,
    typer.Argument(help="Only these checks; all when absent.", autocompletion=complete_check),
]  # fmt: skip
_EXIT = {"PASS": 0, "FAIL": FOUND, "ERROR": FAILED}


@app.command()
def check(
    names: Names = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a report to keep.")] = None,
    evidence: Annotated[int, typer.Option(min=1, help="Rows shown per kind of damage.")] = 20,
    as_json: Json = False,
) -> None:
    """Run the checks. Exit 0 when all pass, 1 when one finds damage, 2 when one could not run."""
    _known(names)
    with _inspector() as inspector:
        outcomes = list(inspector.check(names, evidence))
    if html is not None:
        page = integrity_report.html(outcomes, inspector.queries, _place(), datetime.now(UTC))
        html.write_text(page, "utf-8")
    state, sentence = integrity_report.verdict(outcomes)
    if as_json:
        print_json({"state": state, "checks": [_as_json(found) for found in outcomes]})
    else:
        _print(outcomes)
        say(sentence)
        for hint in _hints(outcomes):
            say(hint)
    raise typer.Exit(_EXIT[state])


def _hints(outcomes: list[Outcome]) -> Iterator[str]:
    """What to do next, for each kind of what was found."""
    failed = [found.check for found in outcomes if found.state == "FAIL"]
    repairable = {name for _, name in REPAIRS}
    if any(each.name in repairable for each in failed):
        yield "next: `quarry integrity repair` shows what can be put right, and changes nothing"
    if any(each.kind == "schema drift" for each in failed):
        yield "schema drift: put back what is declared, by hand, as soon as the data allows"
    if any(each.name not in repairable and each.kind != "schema drift" for each in failed):
        yield "what no repair is known for needs a person: the evidence names the rows"
    if any(found.state == "ERROR" for found in outcomes):
        yield "ERROR says nothing of the data: mend its reason, and check again"


def _known(names: list[str] | None) -> None:
    known = {each.name for each in CHECKS}
    for name in names or ():
        if name not in known:
            fail(f"there is no check {name!r}; see: quarry integrity queries --list")


@contextmanager
def _inspector() -> Iterator[Inspector]:
    config = settings()
    queries = load_all()
    try:
        connection = psycopg.connect(
            owner_url(), connect_timeout=10, application_name="quarry-integrity", autocommit=True
        )
    except psycopg.OperationalError as error:
        fail(f"the database cannot be reached: {str(error).strip().splitlines()[-1]}")
    with connection:
        yield Inspector(
            Operator(connection, queries), queries, FileStore.of(config), config.migrations_dir
        )


def _place() -> str:
    """The database's name and host, without anything that is secret."""
    parts = conninfo_to_dict(owner_url())
    return f"{parts.get('dbname', 'quarry')} at {parts.get('host', 'localhost')}"


def _as_json(found: Outcome) -> dict[str, Any]:
    return {
        "check": found.check.name, "class": found.check.kind, "state": found.state,
        "count": found.count, "error": found.error, "evidence": found.evidence,
    }  # fmt: skip


def _print(outcomes: list[Outcome]) -> None:
    print_table(
        ("check", "class", "state", "count"),
        [
            {"check": o.check.name, "class": o.check.kind, "state": o.state,
             "count": o.count if o.state == "FAIL" else None}
            for o in outcomes
        ],
    )  # fmt: skip
    for found in outcomes:
        if found.state == "ERROR":
            typer.echo(f"\n{found.check.name} could not run: {found.error}")
        if found.state == "FAIL":
            typer.echo(f"\n{found.check.name}: {counted(found.count, 'finding')}")
            print_table(("table_name", "tenant_id", "row_id", "detail"), found.evidence)


@app.command()
def repair(
    names: Names = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without, only show it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Show what would be put right, why, and how sure that is; with --apply do it.

    Rows of which nobody can tell what they should be go to quarantine (ops.quarantine). All or
    nothing; every change is in the audit trail; `undo` brings back exactly what was.
    """
    _known(names)
    with operator(), _inspector() as inspector, _refused():
        if apply and not yes:
            _print_repair(inspector.repair(names))
            typer.confirm("Do this?", abort=True, err=True)
        done = inspector.repair(names, apply=apply)
    if as_json:
        print_json(done)
    else:
        _print_repair(done)


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except RepairError as error:
        fail(f"refused, and nothing was changed: {error}", FOUND)


def _print_repair(done: dict[str, Any]) -> None:
    if not done["repairs"]:
        say("there is nothing that a repair can do; `quarry integrity check` tells what is wrong")
        return
    for group in done["repairs"]:
        what = "to quarantine" if group["action"] == "quarantine" else f"set {_values(group)}"
        typer.echo(
            f"{group['table_name']}: {counted(group['rows'], 'row')} {what}\n"
            f"  check       {group['check_name']}\n"
            f"  evidence    {group['evidence']}\n"
            f"  confidence  {group['confidence']}\n"
            f"  for example {group['example']}"
        )
    total = sum(group["rows"] for group in done["repairs"])
    if done["applied"]:
        say(f"{counted(total, 'row')} changed; undo: quarry integrity undo {done['run_id']}")
    else:
        say(f"dry run: {counted(total, 'row')} would change; with --apply they do")


def _values(group: dict[str, Any]) -> str:
    changes = group["changes"] or {}
    if group["rows"] == 1:
        return ", ".join(f"{name} = {value}" for name, value in changes.items())
    return ", ".join(changes)


@app.command()
def undo(
    run_id: Annotated[
        UUID | None, typer.Argument(help="The run, as `repair` printed it; none: list them.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring back exactly what a repair changed; without a run, list the repairs."""
    with operator(), _inspector() as inspector, _refused():
        if run_id is None:
            columns = ("run_id", "applied_at", "actor", "rows", "quarantined", "undone_at")
            print_table(columns, inspector.runs(), as_json)
            return
        rows = inspector.undo(run_id)
    if not rows:
        fail("there is no such repair, or it is undone already; "
             "without an id, `quarry integrity undo` lists them", FOUND)  # fmt: skip
    if as_json:
        print_json({"undone": str(run_id), "rows": rows})
    else:
        say(f"{counted(rows, 'row')} as before the repair")


@app.command()
def queries(
    names: Names = None,
    brief: Annotated[bool, typer.Option("--list", help="Only names and what they find.")] = False,
) -> None:
    """Print the checks as SQL for another monitoring tool: a row is damage, none is well."""
    _known(names)
    found = load_all()
    chosen = [each for each in CHECKS if not names or each.name in names]
    if brief:
        rows = [{"check": c.name, "class": c.kind, "finds": title(found[c.query])} for c in chosen]
        print_table(("check", "class", "finds"), rows)
        return
    for each in chosen:
        typer.echo(f"-- {each.name} ({each.kind})\n-- {title(found[each.query])}")
        if each.needs == "files":
            typer.echo("-- Needs the list of files on the disk: run by `quarry integrity check`.\n")
            continue
        typer.echo(monitoring(each, found, settings().migrations_dir).rstrip() + ";\n")


@app.command()
def snapshot() -> None:
    """Write the schema that the migrations declare to migrations/catalog.json.

    It is made in a scratch database. The checks of schema drift hold the live schema against it.
    """
    config = settings()
    try:
        text = declared_schema(owner_url(), config.migrations_dir, load_all())
    except (psycopg.Error, migration_files.MigrationError) as error:
        fail(str(error).strip())
    path = config.migrations_dir / CATALOG
    before = path.read_text("utf-8") if path.exists() else ""
    path.write_text(text, "utf-8")
    say(f"{path} is {'as it was' if text == before else 'written'}")
