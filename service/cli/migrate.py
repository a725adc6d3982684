"""`quarry migrate`: the schema, forwards and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from service.cli.database import owner_url, settings
from service.cli.output import FOUND, Json, fail, print_table, say
from service.operations import migration_files, migration_squawk, migration_verify, migrations

app = typer.Typer(no_args_is_help=True, help="Apply, undo and prove the schema's migrations.")

To = Annotated[str | None, typer.Option("--to", help="Number or name of the last one; or `zero`.")]


@app.command("status")
def show_status(as_json: Json = False) -> None:
    """List all migrations and whether they are applied. Exit 1 when one is not as it should be."""
    with _reported():
        rows = migrations.status(owner_url(), _directory())
    print_table(["migration", "state", "applied_at"], rows, as_json)
    if any(row["state"] != "applied" for row in rows):
        raise typer.Exit(FOUND)


@app.command()
def apply(
    to: To = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for another run.")] = 600.0,
) -> None:
    """Apply what is pending. Safe to run many times and in parallel."""
    with _reported():
        done = migrations.apply(
            owner_url(), _directory(), to, wait=wait, progress=lambda name: say(f"applied {name}")
        )
    say(f"{len(done)} applied" if done else "nothing to do")


@app.command()
def rollback(
    to: To = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the SQL, do nothing.")] = False,
) -> None:
    """Undo the last migration, or all that came after `--to`. Their data is lost."""
    url, directory = owner_url(), _directory()
    with _reported():
        files = migration_files.read(directory)
        wanted = migrations.to_roll_back(files, migrations.applied_names(url), to)
    if not wanted:
        say("nothing to do")
        return
    if dry_run:
        for file in reversed(wanted):
            typer.echo(f"-- {file.rollback_path.name}\n{file.rollback_path.read_text('utf-8')}")
        return
    names = ", ".join(file.id for file in reversed(wanted))
    if not yes and not typer.confirm(f"Undo {names}? What they hold is lost.", err=True):
        fail("not done", FOUND)
    with _reported():
        before = wanted[0].id
        keep = max((file.id for file in files if file.id < before), default="zero")
        migrations.rollback(url, directory, keep, progress=lambda name: say(f"undid {name}"))


@app.command()
def verify() -> None:
    """Prove in a scratch database that every migration can be undone. Exit 1 with findings."""
    with _reported():
        findings = migration_verify.verify(owner_url(), _directory(), say)
    for finding in findings:
        typer.echo(finding)
    if findings:
        raise typer.Exit(FOUND)
    say("up, every step down and up, zero, up: the same schema, and no row lost")


@app.command()
def lint() -> None:
    """Check the files without a database: the rules of this project, and squawk's."""
    with _reported():
        directory = _directory()
        files = migration_files.read(directory)
        findings = [str(finding) for finding in migration_files.lint(directory, files)]
        findings += migration_squawk.squawk(directory, files)
    for finding in findings:
        typer.echo(finding)
    if findings:
        raise typer.Exit(FOUND)
    say(f"{len(files)} migrations, no findings")


@app.command()
def new(words: Annotated[list[str], typer.Argument(help="What it does, in a few words.")]) -> None:
    """Make the next pair of files with its header."""
    with _reported():
        file = migration_files.create(_directory(), " ".join(words))
    typer.echo(file.path)
    typer.echo(file.rollback_path)


def _directory() -> Path:
    return settings().migrations_dir


@contextmanager
def _reported() -> Iterator[None]:
    """Errors as one message and exit code 2; what libpq says never holds a password."""
    try:
        yield
    except (migrations.MigrationError, psycopg.Error) as error:
        fail(str(error))
